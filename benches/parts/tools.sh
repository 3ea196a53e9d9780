#!/bin/sh
# Sees to it that there is what counts instructions.
exec sh "$(dirname "$0")/../../tests/tools.sh" "counting instructions" \
    "To leave it out:  make check INSTRUCTIONS=no" valgrind=valgrind
