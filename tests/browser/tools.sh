#!/bin/sh
# Sees to it that there are a browser and Node for the browser tests: installs what is missing
# where that is allowed, and says what to do where it is not.

set -u

chromium=${CHROMIUM:-/usr/bin/chromium}
missing=
[ -x "$chromium" ] || missing="$missing chromium"
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing for the browser tests:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get -qq update && apt-get -qq install --yes --no-install-recommends $missing \
        fonts-dejavu-core >/dev/null && exit 0
fi

cat >&2 <<TEXT
The browser tests need:$missing
On Debian:  sudo apt-get install$missing
A Chromium elsewhere is named by the variable CHROMIUM.
To leave the browser out:  make test BROWSER=no
TEXT
exit 1
