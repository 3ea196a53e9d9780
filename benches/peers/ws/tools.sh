#!/bin/sh
# Sees to it that there is Node for the peer on ws.
exec sh "$(dirname "$0")/../../../tests/tools.sh" "the peer on ws" \
    "To leave the peers out:  make bench" node=nodejs npm=npm
