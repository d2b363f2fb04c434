#!/usr/bin/env bash
# Builds the programs of a cluster from Go modules (programs.txt), for machines that reach no registry and no release page.
# They stay in the cache; what is there in the wanted version is not built again. The first time takes about half an hour.
#     scripts/cluster/programs.sh [NAME …]            builds what is missing, of all or of these
#     scripts/cluster/programs.sh --missing [NAME …]  prints what is missing
. "$(dirname "$0")/cluster.sh"

mkdir -p "$programs"
export CGO_ENABLED=0 GOFLAGS=-trimpath

go_mod() { cd / && go mod download -json "$1@$2" | sed -n 's/.*"GoMod": "\(.*\)",/\1/p'; }

# A module of our own that repeats the replacements of the one wanted: `go install` refuses a module that has any.
module_of() { # module, version
    local mod
    mod=$(go_mod "$1" "$2")
    echo "module valor/build"
    grep '^go ' "$mod"
    grep -E '^replace [^(]' "$mod" || true
    awk '/^replace \($/,/^\)/' "$mod"
    echo "require $1 $2"
}

# All of Kubernetes in one program. Its staging folders are replaced by the modules that are published from them.
module_of_kubernetes() { # module, version
    local mod
    mod=$(go_mod "$1" "$2")
    echo "module valor/build"
    grep '^go ' "$mod"
    grep '^godebug ' "$mod" || true
    echo "require $1 $2"
    sed -n "s#^\t\(k8s.io/[a-z0-9-]*\) => ./staging.*#replace \1 => \1 v0.${2#v1.}#p" "$mod"
}

build() { # program, module, version, package
    local work package=$2/$4 stamps="" part
    work=$(mktemp -d)
    cd "$work"
    if [ "$2" = k8s.io/kubernetes ]; then
        module_of_kubernetes "$2" "$3" >go.mod
        local stamp=k8s.io/component-base/version
        stamps="-X $stamp.gitVersion=$3 -X $stamp.gitMajor=1 -X $stamp.gitMinor=$(cut -d. -f2 <<<"$3")"
    else
        module_of "$2" "$3" >go.mod
    fi
    if [ "$4" = - ]; then
        cp "$here/$1/main.go" . && package=.
    else
        printf '//go:build tools\n\npackage tools\n\nimport _ "%s"\n' "${package%/.}" >tools.go
    fi
    go mod tidy 2>log || { tail -n 20 log >&2; return 1; }
    # Without it, helm would render for a Kubernetes that is long gone wherever it asks no cluster.
    [ "$1" != helm ] || for part in chartutil lint/rules; do
        stamps+=" -X $2/pkg/$part.k8sVersionMinor=$(go list -m -f '{{.Version}}' k8s.io/client-go | cut -d. -f2)"
    done
    go build -ldflags "-s -w $stamps" -o "$programs/$1.part" "${package%/.}"
    mv "$programs/$1.part" "$programs/$1"
    echo "$3" >"$programs/$1.version"
    rm -rf "$work"
}

only_print=""
[ "${1:-}" != --missing ] || { only_print=yes && shift; }

grep -v '^#' "$here/programs.txt" | while read -r name module version package; do
    [[ $# = 0 || " $* " == *" $name "* ]] || continue
    [ "$(cat "$programs/$name.version" 2>/dev/null)" != "$version" ] || continue
    if [ "$only_print" ]; then
        echo "$name"
        continue
    fi
    needs_go
    say "Building $name $version …"
    before=$SECONDS
    (build "$name" "$module" "$version" "$package" </dev/null)
    say "Built $name in $((SECONDS - before)) s."
done
