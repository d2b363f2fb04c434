#!/usr/bin/env bash
# Builds all images and tries each in a container. Needs a Docker engine (scripts/docker.sh).
set -euo pipefail
cd "$(dirname "$0")/../.."

export TAG=${TAG:-test}
scripts/images/build.sh >&2
BASE=$(scripts/images/base.sh) exec .venv/bin/pytest tests/images "$@"
