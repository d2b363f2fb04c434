#!/usr/bin/env bash
# Builds the images valor-SERVICE, all or those that are named, and prints their names. Needs a Docker engine (scripts/docker.sh).
#     scripts/images/build.sh [SERVICE …]
# TAG: their tag (git's description of what is checked out); REGISTRY: what stands before their names, with its slash; BASE: the
# image that they are built on.
set -euo pipefail
cd "$(dirname "$0")/../.."

tag=${TAG:-$(git describe --tags --always --dirty)}
base=$(scripts/images/base.sh)
services=("$@")
((${#services[@]})) || mapfile -t services < <(sed -n 's/^CMD \["services\.\([a-z]*\).*/\1/p' Dockerfile)

# BuildKit is within Debian's client, and a plugin of newer ones; without it Docker builds in its old, slower way.
docker=docker
for client in $(type -ap docker); do
    major=$("$client" version --format '{{.Client.Version}}' | cut -d. -f1)
    "$client" buildx version >/dev/null 2>&1 || ((major < 23)) || continue
    docker=$client
    ((major >= 23)) || export DOCKER_BUILDKIT=1
    break
done

for service in "${services[@]}"; do
    image=${REGISTRY:-}valor-$service:$tag
    "$docker" build --quiet --tag "$image" --build-arg BASE="$base" --build-arg SERVICE="$service" \
        --build-arg VERSION="$tag" --build-arg REVISION="$(git rev-parse HEAD)" . >/dev/null
    docker image prune --force --filter "label=org.opencontainers.image.title=valor-$service" >/dev/null # had the tag before
    echo "$image"
done
