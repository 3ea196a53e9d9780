#!/bin/sh
# Sees to it that there is what the hostile tests need.
exec sh "$(dirname "$0")/../tools.sh" "the hostile tests" \
    "To leave these tests out:  make test HOSTILE=no" \
    strace=strace faketime=faketime ip=iproute2 prlimit=util-linux setpriv=util-linux mount=mount umount=mount \
    "cc=gcc libc6-dev"
