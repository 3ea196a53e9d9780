#!/bin/sh
# Sees to it that commands are there: installs what is missing where that is allowed, and says what
# to do where it is not.
#
#   sh tests/tools.sh PURPOSE OTHERWISE COMMAND=PACKAGES ...
#
# OTHERWISE is what to tell those who have no such command and want none.
set -u

# Where Debian keeps some, which not everybody looks there for.
PATH=$PATH:/usr/sbin:/sbin
purpose=$1
otherwise=$2
shift 2
missing=
for need in "$@"; do
    command -v "${need%%=*}" >/dev/null && continue
    case "$missing " in
    *" ${need#*=} "*) ;;
    *) missing="$missing ${need#*=}" ;;
    esac
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing for $purpose:$missing"
    export DEBIAN_FRONTEND=noninteractive
    # shellcheck disable=SC2086
    apt-get -qq update && apt-get -qq install --yes --no-install-recommends $missing \
        >/dev/null && exit 0
fi

cat >&2 <<TEXT
Needed for $purpose:$missing
On Debian:  sudo apt-get install$missing
$otherwise
TEXT
exit 1
