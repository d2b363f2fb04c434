#!/usr/bin/env bash
# Valor on a real Kubernetes, from `helm install` to nothing: scripts/cluster/test.sh [--rate 1.5 …]
# KUBECONFIG names a cluster with KEDA, and REGISTRY (with its slash) what its nodes fetch images from: they are pushed there.
# Without KUBECONFIG it is the cluster of this machine, which comes up for the test and ends with it unless it was up.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ "${1:-}" != --with-docker ]; then
    theirs=${KUBECONFIG:-}
    if [ -z "$theirs" ]; then
        [ -e /var/lib/valor-cluster/admin.kubeconfig ] || trap 'scripts/cluster/down.sh' EXIT
        where=$(scripts/cluster/up.sh)
        eval "$where"
        scripts/cluster/crds.sh
    fi
    scripts/docker.sh "$0" --with-docker "${theirs:+push}"
    .venv/bin/python -m tests.cluster --old test-old --new test-new --registry "${REGISTRY:-}" "$@"
    exit
fi

images=()
for tag in test-old test-new; do
    echo "Building the images $tag …" >&2
    mapfile -t -O ${#images[@]} images < <(TAG=$tag scripts/images/build.sh)
done
if [ "${2:-}" = push ]; then
    for image in "${images[@]}"; do docker push --quiet "$image" >/dev/null; done
else
    database=postgres:17-alpine
    docker image inspect $database >/dev/null 2>&1 || timeout 180 docker pull -q $database >/dev/null 2>&1 \
        || scripts/images/postgres.sh $database
    images+=($database)
    echo "Loading ${#images[@]} images into the cluster …" >&2
    scripts/cluster/load.sh --with-docker "${images[@]}"
fi
