#!/usr/bin/env bash
# Prints the name of the image that ours are built on: BASE, or the Dockerfile's. Where no registry gives it, one of Debian's
# packages takes its place. Needs a Docker engine (scripts/docker.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."

base=${BASE:-$(sed -n 's/^ARG BASE=//p' Dockerfile)}
if ! docker image inspect "$base" >/dev/null 2>&1 && ! timeout 180 docker pull -q "$base" >/dev/null 2>&1; then
    echo "No registry gives $base: Python of Debian's packages takes its place." >&2
    base=valor/python:debian
    docker image inspect "$base" >/dev/null 2>&1 || scripts/images/python.sh "$base"
fi
echo "$base"
