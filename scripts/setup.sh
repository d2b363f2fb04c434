#!/bin/sh
# Makes .venv with everything in it: `scripts/setup.sh` for running, `scripts/setup.sh dev` for working on Valor too.
# Needs Python 3.11. Installs with uv, which it gets by pip or venv where there is none.
set -eu
cd "$(dirname "$0")/.."

say() { printf '%s\n' "$*" >&2; }
fail() { say "$1: the first start needs the package index. Connect this machine, or name a mirror as pip and uv want it."; exit 1; }

python=$(command -v python3.11 || command -v python3 || true)
if [ -z "$python" ] || ! "$python" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))'; then
    say "Valor needs Python 3.11: install it (Debian 12: apt-get install python3) and run this again."
    exit 1
fi

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
    uv=build/uv/bin/uv
    if [ ! -x "$uv" ]; then
        say "Getting uv …"
        mkdir -p build
        if ! "$python" -m pip install --quiet --target build/uv uv 2>build/uv.log; then
            if ! "$python" -m venv build/uv >>build/uv.log 2>&1; then
                if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
                    say "Python's venv module is missing: install it (Debian: apt-get install python3-venv), run again."
                    exit 1
                fi
                say "Installing python3-venv …"
                { apt-get update && apt-get install -y --no-install-recommends python3-venv; } >>build/uv.log 2>&1
                rm -rf build/uv
                "$python" -m venv build/uv
            fi
            build/uv/bin/python -m pip install --quiet uv 2>>build/uv.log || fail "uv cannot be installed (build/uv.log)"
        fi
    fi
fi

say "Setting up .venv (about 200 MB the first time) …"
[ -x .venv/bin/python ] || "$uv" venv --quiet --python "$python" .venv
group=""
[ "${1:-}" = dev ] && group="--group dev"
# shellcheck disable=SC2086 # the group is two words or none
"$uv" pip install --quiet --python .venv --compile-bytecode --constraint constraints.txt --editable '.[house]' $group \
    || fail "Valor's packages cannot be installed"
.venv/bin/python -m compileall -q services protos/gen
