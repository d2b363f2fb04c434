#!/usr/bin/env bash
# Builds the image NAME: PostgreSQL of Debian's packages, which takes the settings of the official image that tests use.
# For machines that reach no registry of images. Needs root; what was built stays in the cache.
#     scripts/images/postgres.sh NAME
set -euo pipefail
. "$(dirname "$0")/debian.sh"

archive=$images/postgres-$(sha256sum <"$0" | cut -c 1-8).tar
if [ ! -f "$archive" ]; then
    debian locales
    # As in Alpine's image, so that a pod may say the number.
    chroot "$root" groupadd --gid 70 postgres
    chroot "$root" useradd --uid 70 --gid 70 --no-create-home --home-dir /var/lib/postgresql postgres
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod +x "$root/usr/sbin/policy-rc.d"
    mkdir -p "$root/etc/postgresql-common" && echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
    cat >"$root/usr/local/bin/entrypoint" <<'EOF'
#!/bin/sh
# At the first start: POSTGRES_USER, POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE, POSTGRES_DB. Arguments are the server's.
# Root makes the folders and goes on as postgres; who starts as postgres finds them, as in a pod.
set -eu
if [ "$(id -u)" = 0 ]; then
    install -d -o postgres -g postgres -m 700 "$PGDATA"
    install -d -o postgres -g postgres /run/postgresql
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
bin=$(ls -d /usr/lib/postgresql/*/bin)
if [ ! -f "$PGDATA/PG_VERSION" ]; then
    umask 077
    mkdir -p "$PGDATA"
    printf %s "${POSTGRES_PASSWORD:-$(cat "${POSTGRES_PASSWORD_FILE:-/dev/null}")}" >/run/postgresql/password
    "$bin/initdb" -U "$POSTGRES_USER" --pwfile /run/postgresql/password -A scram-sha-256 -E UTF8 --locale C.UTF-8
    rm /run/postgresql/password
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    sed -i 's/^local .*/local all all trust/' "$PGDATA/pg_hba.conf"
    [ "$POSTGRES_DB" = postgres ] || echo "CREATE DATABASE \"$POSTGRES_DB\"" | "$bin/postgres" --single -D "$PGDATA" postgres
fi
exec "$bin/postgres" -c "listen_addresses=*" "$@"
EOF
    chmod +x "$root/usr/local/bin/entrypoint"
    keep "$archive"
fi
docker import --change 'ENTRYPOINT ["entrypoint"]' --change "EXPOSE 5432" \
    --change 'ENV POSTGRES_USER=postgres POSTGRES_DB=postgres PGDATA=/var/lib/postgresql/data' "$archive" "$1" >/dev/null
