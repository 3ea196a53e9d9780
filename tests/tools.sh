#!/bin/sh
# Installs the commands that the tests of some groups need and that are missing. Says so before it
# does. Where it may not install, it fails with the line to run.
#
#   sh tests/tools.sh hostile|browser|instructions|peers|python ...
set -u

# Debian keeps some commands in folders that are not on every PATH.
PATH=$PATH:/usr/sbin:/sbin
# CHROMIUM names a browser that is elsewhere.
chromium=${CHROMIUM:-/usr/bin/chromium}
missing=
skip=

# need COMMAND PACKAGE...
need() {
    command -v "$1" >/dev/null || add "$@"
}

add() {
    shift
    for package in "$@"; do
        case "$missing " in
        *" $package "*) ;;
        *) missing="$missing $package" ;;
        esac
    done
}

for group in "$@"; do
    before=$missing
    variable=
    case $group in
    hostile)
        need strace strace
        need faketime faketime
        need ip iproute2
        need prlimit util-linux
        need setpriv util-linux
        need mount mount
        need umount mount
        need cc gcc libc6-dev
        variable=" HOSTILE=no"
        ;;
    browser)
        need "$chromium" chromium fonts-dejavu-core
        need node nodejs
        need npm npm
        variable=" BROWSER=no"
        ;;
    instructions)
        need valgrind valgrind
        variable=" INSTRUCTIONS=no"
        ;;
    peers)
        need node nodejs
        need npm npm
        ;;
    python) python3 -c 'import ensurepip, venv' 2>/dev/null || add venv python3-venv ;;
    *)
        echo "no group $group" >&2
        exit 2
        ;;
    esac
    [ "$missing" = "$before" ] || skip=$skip$variable
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "The tests need and this installs:$missing" >&2
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get -qq update >&2 &&
        apt-get -qq install --yes --no-install-recommends $missing >/dev/null && exit 0
fi

echo "The tests need:$missing" >&2
echo "On Debian:  sudo apt-get install --no-install-recommends$missing" >&2
[ -z "$skip" ] || echo "To leave these tests out:  make test$skip" >&2
exit 1
