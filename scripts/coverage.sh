#!/bin/sh
# Fails where the tests of the last run covered less than 90 % of a service, branches counted.
set -eu
cd "$(dirname "$0")/.."

failed=0
for main in services/*/__main__.py services/chassis/app.py; do
    service=$(dirname "$main")
    # What speaks to PostgreSQL is tested, and measured, by `make integration`.
    total=$(.venv/bin/coverage report --include="$service/*" --omit="services/chassis/postgres*" --format=total)
    printf '%-22s %3s %%\n' "$service" "$total"
    [ "$total" -ge 90 ] || failed=1
done
[ $failed = 0 ] || { printf 'Less than 90 %% of a service is covered: .venv/bin/coverage report shows what is missing.\n' >&2; exit 1; }
