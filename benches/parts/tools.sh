#!/bin/sh
# Sees to it that there is what counts instructions: installs it where that is allowed, and says
# what to do where it is not.

set -u

command -v valgrind >/dev/null && exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing to count instructions: valgrind"
    export DEBIAN_FRONTEND=noninteractive
    apt-get -qq update && apt-get -qq install --yes --no-install-recommends valgrind \
        >/dev/null && exit 0
fi

cat >&2 <<TEXT
To count instructions takes valgrind.
On Debian:  sudo apt-get install valgrind
To leave it out:  make check INSTRUCTIONS=no
TEXT
exit 1
