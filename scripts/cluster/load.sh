#!/usr/bin/env bash
# Loads images from the local Docker into the cluster, beside an engine that ends with it where none runs.
#     scripts/cluster/load.sh IMAGE …
. "$(dirname "$0")/cluster.sh"

if [ "${1:-}" != --with-docker ]; then
    node_pid >/dev/null || fail "No cluster is up: make cluster."
    exec "$here/../docker.sh" "$here/load.sh" --with-docker "$@"
fi
shift
docker save "$@" | ctr --address "$socket" --namespace k8s.io images import -
