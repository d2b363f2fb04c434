#!/bin/sh
# All tests that a store is under, on the server that VALOR_TEST_POSTGRES names; the one that restarts it comes last.
set -eu
cd "$(dirname "$0")/.."

restart=tests/integration/pipeline/test_server_restart.py
folders=""
for service in chassis people pipeline telegram toolrunner; do folders="$folders tests/integration/$service"; done
# shellcheck disable=SC2086 # several folders
.venv/bin/pytest $folders --ignore $restart --numprocesses auto --dist loadfile --timeout 180 --cov --cov-report=
.venv/bin/pytest $restart --cov --cov-append --cov-report=
total=$(.venv/bin/coverage report --include="services/chassis/postgres*" --format=total)
printf '%-22s %3s %%\n' "chassis/postgres*" "$total"
[ "$total" -ge 90 ]
