#!/bin/sh
# Builds the Python interpreter for WASI, or refreshes it where its recipe (images/wasi/python/) has changed.
exec "$(dirname "$0")/build" --images "$@"
