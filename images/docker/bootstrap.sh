#!/bin/sh
# Writes Debian 12 with every package of the runtime image to standard output, as a tar archive: the base image where no
# registry can be reached. Needs mmdebstrap and root.
set -eu
here=$(dirname "$0")
packages=$(sed 's/#.*//' "$here/packages.txt" | xargs | tr ' ' ,)
# The hook lays /usr as Debian's own images have it; without it apt would choose usrmerge, and with it all of Perl.
exec mmdebstrap --quiet --variant=minbase --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --dpkgopt=force-unsafe-io \
  --include="$packages" bookworm -
