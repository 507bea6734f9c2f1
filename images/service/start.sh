#!/bin/sh
# The first process of the service's container: gets ready what depends on the machine, then becomes the service.
set -eu

# Code is loaded only from files of root or of the user who runs it.
[ "$(id -u)" != 0 ] || chown -R root:root /var/lib/hotcell-images

# Compiled code fits one kind of processor, and the image of this container may have been built on another.
timeout 600 hotcell images bake || echo "hotcell: there are no images for WASI cells, for the reason above" >&2

# Docker cells are started by the machine's daemon, which sees the machine's files and not ours: their agent has to be at a
# path that both share.
if [ "${HOTCELL_AGENT:-}" ]; then install -m 0755 /usr/bin/hotcell-agent "$HOTCELL_AGENT"; fi

exec hotcelld "$@"
