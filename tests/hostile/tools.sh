#!/bin/sh
# Sees to it that there is what the hostile tests need: installs what is missing where that is
# allowed, and says what to do where it is not.

set -u

# Where Debian keeps ip, which not everybody looks there for.
PATH=$PATH:/usr/sbin:/sbin
missing=
command -v strace >/dev/null || missing="$missing strace"
command -v ip >/dev/null || missing="$missing iproute2"
{ command -v prlimit && command -v setpriv; } >/dev/null || missing="$missing util-linux"
{ command -v mount && command -v umount; } >/dev/null || missing="$missing mount"
command -v cc >/dev/null || missing="$missing gcc libc6-dev"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing for the hostile tests:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get -qq update && apt-get -qq install --yes --no-install-recommends $missing \
        >/dev/null && exit 0
fi

cat >&2 <<TEXT
The hostile tests need:$missing
On Debian:  sudo apt-get install$missing
To leave these tests out:  make test HOSTILE=no
TEXT
exit 1
