#!/usr/bin/env bash
# Runs a command beside a real PostgreSQL in a container, which ends with it; it finds the server in VALOR_TEST_POSTGRES.
#     scripts/postgres.sh COMMAND …
set -euo pipefail
cd "$(dirname "$0")/.."

if [ "${1:-}" != --with-docker ]; then
    exec scripts/docker.sh scripts/postgres.sh --with-docker "$@"
fi
shift

image=${VALOR_TEST_POSTGRES_IMAGE:-postgres:17-alpine}
if ! docker image inspect "$image" >/dev/null 2>&1 && ! timeout 180 docker pull -q "$image" 2>/dev/null; then
    echo "No registry gives $image: PostgreSQL of Debian's packages takes its place." >&2
    image=valor/test-postgres:debian
    docker image inspect "$image" >/dev/null 2>&1 || scripts/images/postgres.sh "$image"
fi
export VALOR_TEST_POSTGRES_IMAGE=$image
exec .venv/bin/python -m tests.support.server "$@"
