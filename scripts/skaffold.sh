#!/usr/bin/env bash
# Installs what is checked out on the cluster of this machine (scripts/cluster/up.sh), which reaches no registry: skaffold builds the
# images, they are loaded into the cluster, skaffold installs the release.
#     scripts/skaffold.sh [OPTION …]   skaffold's options; -p ci without any
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != --with-docker ]; then
    exec scripts/docker.sh scripts/skaffold.sh --with-docker "$@"
fi
shift
((${#})) || set -- -p ci

. scripts/cluster/cluster.sh
export SKAFFOLD_UPDATE_CHECK=false SKAFFOLD_INTERACTIVE=false
BASE=$(scripts/images/base.sh)
export BASE
mkdir -p build
skaffold build "$@" --file-output build/images.json
docker image inspect postgres:17-alpine >/dev/null 2>&1 || scripts/images/postgres.sh postgres:17-alpine
sed 's/"tag":"\([^"]*\)"/\n\1\n/g' build/images.json | grep '^valor-' | xargs scripts/cluster/load.sh --with-docker postgres:17-alpine
skaffold deploy "$@" --build-artifacts build/images.json
