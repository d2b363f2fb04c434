#!/usr/bin/env bash
# Runs a command with a Docker engine: the one that is there, or one of its own that ends with the command.
# Where Docker is missing, root gets it from Debian's packages. What the engine keeps stays in the cache.
#     scripts/docker.sh COMMAND …
set -euo pipefail

cache=${VALOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/valor}

if ! docker info >/dev/null 2>&1; then
    if ! command -v dockerd >/dev/null; then
        [ "$(id -u)" = 0 ] || { echo "Docker is missing: install it (Debian: apt-get install docker.io)." >&2; exit 1; }
        echo "Installing Docker …" >&2
        apt-get update -qq >&2
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends docker.io iptables >&2
    fi
    run=$(mktemp -d)
    mkdir -p "$cache/docker"
    exec 9>"$cache/docker.lock"
    flock --nonblock 9 || { echo "Another command has the engine; waiting for it …" >&2; flock 9; }
    export DOCKER_HOST=unix://$run/docker.sock
    dockerd --data-root "$cache/docker" --exec-root "$run/exec" --pidfile "$run/pid" --host "$DOCKER_HOST" >"$run/log" 2>&1 9>&- &
    engine=$!
    trap 'kill $engine 2>/dev/null; wait $engine || true; umount "$run"/exec/netns/* 2>/dev/null || true; rm -rf "$run"' EXIT
    for _ in $(seq 120); do
        docker info >/dev/null 2>&1 && break
        kill -0 $engine 2>/dev/null || { echo "Docker's engine does not start:" >&2; tail -n 5 "$run/log" >&2; exit 1; }
        sleep 0.5
    done
fi
"$@" 9>&-
