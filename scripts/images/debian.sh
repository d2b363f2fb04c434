# shellcheck shell=bash
# What the builders of stand-in images share: a root folder of Debian's packages, for machines that reach no registry of images.
# Needs root. The mirror is this machine's; the release is the one with Python 3.11.

images=${VALOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/valor}/images

# Makes the folder $root with the packages; it is gone when the script ends.
debian() { # packages, separated by commas
    local mirror
    command -v debootstrap >/dev/null || apt-get install -y -qq --no-install-recommends debootstrap >&2
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -n 1)
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
    chmod 755 "$root"
    debootstrap --variant=minbase --include="$1" bookworm "$root" "$mirror" >&2
}

# Keeps $root as an archive in the cache.
keep() { # archive
    rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/usr/share/doc/*
    mkdir -p "$images"
    tar -C "$root" -cf "$1.part" . && mv "$1.part" "$1"
}
