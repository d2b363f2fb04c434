#!/bin/sh
# Runs a command that finds promtool and prometheus: those of this machine, else Debian's, unpacked into the cache.
# Nothing is installed, no service is started, and nobody need be root.
#     scripts/prometheus.sh COMMAND …
set -eu

if ! command -v promtool >/dev/null || ! command -v prometheus >/dev/null; then
    cache=${VALOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/valor}/prometheus
    if [ ! -x "$cache/usr/bin/prometheus" ]; then
        if ! command -v apt-get >/dev/null; then
            echo "Install promtool and prometheus (2.42 or later), and run this again." >&2
            exit 1
        fi
        echo "Getting prometheus …" >&2
        scratch=$(mktemp -d)
        trap 'rm -rf "$scratch"' EXIT
        (cd "$scratch" && { apt-get -qq download prometheus || { apt-get -qq update && apt-get -qq download prometheus; }; }) 2>"$scratch/log" ||
            { cat "$scratch/log" >&2; exit 1; }
        mkdir -p "$cache"
        dpkg-deb --extract "$scratch"/prometheus_*.deb "$cache"
    fi
    PATH="$cache/usr/bin:$PATH"
    export PATH
fi
"$@"
