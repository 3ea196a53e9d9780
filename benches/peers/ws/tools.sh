#!/bin/sh
# Sees to it that there is Node for the peer on ws: installs what is missing where that is allowed,
# and says what to do where it is not.

set -u

missing=
command -v node >/dev/null || missing="$missing nodejs"
command -v npm >/dev/null || missing="$missing npm"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing for the peer on ws:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get -qq update && apt-get -qq install --yes --no-install-recommends $missing \
        >/dev/null && exit 0
fi

cat >&2 <<TEXT
The peer on ws needs:$missing
On Debian:  sudo apt-get install$missing
To leave the peers out:  make bench
TEXT
exit 1
