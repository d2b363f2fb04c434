#!/usr/bin/env bash
# Builds the image NAME: PostgreSQL of Debian's packages, which takes the settings of the official image that tests use.
# For machines that reach no registry of images. Needs root; what was built stays in the cache.
#     scripts/images/postgres.sh NAME
set -euo pipefail
name=$1

cache=${VALOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/valor}/images
archive=$cache/postgres.tar
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
. /etc/os-release

if [ ! -f "$archive" ]; then
    command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >&2
    mkdir -p "$cache"
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    chmod 755 "$root"
    debootstrap --variant=minbase --include=locales "$VERSION_CODENAME" "$root" "$mirror" >&2
    printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d" && chmod +x "$root/usr/sbin/policy-rc.d"
    mkdir -p "$root/etc/postgresql-common" && echo 'create_main_cluster = false' >"$root/etc/postgresql-common/createcluster.conf"
    chroot "$root" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql >&2
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/doc/*
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
    tar -C "$root" -cf "$archive.part" . && mv "$archive.part" "$archive"
fi
docker import --change 'ENTRYPOINT ["entrypoint"]' --change "EXPOSE 5432" \
    --change 'ENV POSTGRES_USER=postgres POSTGRES_DB=postgres' "$archive" "$name" >/dev/null
