#!/usr/bin/env bash
# Builds the image NAME: Python of Debian's packages, which takes the place of the official image as a base of ours.
# For machines that reach no registry of images. Needs root; what was built stays in the cache.
# It trusts whom this machine trusts: where no registry is reached, the way to the package index is often a special one too.
#     scripts/images/python.sh NAME
set -euo pipefail
. "$(dirname "$0")/debian.sh"

archive=$images/python.tar
if [ ! -f "$archive" ]; then
    debian ca-certificates,python3,python3-venv
    cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
    keep "$archive"
fi
docker import --change 'CMD ["python3"]' "$archive" "$1" >/dev/null
