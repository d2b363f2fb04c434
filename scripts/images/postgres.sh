#!/usr/bin/env bash
# Builds the image NAME: PostgreSQL of Debian's packages, which takes the settings of the official image that tests use.
# For machines that reach no registry of images. Needs root; what was built stays in the cache.
#     scripts/images/postgres.sh NAME
set -euo pipefail
. "$(dirname "$0")/debian.sh"

archive=$images/postgres.tar
if [ ! -f "$archive" ]; then
    debian locales
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod +x "$root/usr/sbin/policy-rc.d"
    mkdir -p "$root/etc/postgresql-common" && echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
    cat >"$root/usr/local/bin/entrypoint" <<'EOF'
#!/bin/sh
# POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB at the first start; arguments are the server's.
set -eu
bin=$(ls -d /usr/lib/postgresql/*/bin)
data=/var/lib/postgresql/data
as() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }
if [ ! -f "$data/PG_VERSION" ]; then
    install -d -o postgres -g postgres -m 700 "$data"
    install -d -o postgres -g postgres /run/postgresql
    printf %s "$POSTGRES_PASSWORD" >/run/postgresql/password && chown postgres /run/postgresql/password
    as "$bin/initdb" -D "$data" -U "$POSTGRES_USER" --pwfile /run/postgresql/password -A scram-sha-256 -E UTF8 --locale C.UTF-8
    echo 'host all all all scram-sha-256' >>"$data/pg_hba.conf"
    sed -i 's/^local .*/local all all trust/' "$data/pg_hba.conf"
    [ "$POSTGRES_DB" = postgres ] || echo "CREATE DATABASE \"$POSTGRES_DB\"" | as "$bin/postgres" --single -D "$data" postgres
fi
exec setpriv --reuid postgres --regid postgres --init-groups "$bin/postgres" -D "$data" -c "listen_addresses=*" "$@"
EOF
    chmod +x "$root/usr/local/bin/entrypoint"
    keep "$archive"
fi
docker import --change 'ENTRYPOINT ["entrypoint"]' --change "EXPOSE 5432" \
    --change 'ENV POSTGRES_USER=postgres POSTGRES_DB=postgres' "$archive" "$1" >/dev/null
