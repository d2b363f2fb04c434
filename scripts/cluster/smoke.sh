#!/usr/bin/env bash
# Tries on the cluster what has to work before anything of ours is tried on it; brings the cluster up where it is not.
set -euo pipefail
cd "$(dirname "$0")/../.."

where=$(scripts/cluster/up.sh)
eval "$where"
scripts/cluster/crds.sh
exec .venv/bin/pytest tests/cluster/test_cluster.py "$@"
