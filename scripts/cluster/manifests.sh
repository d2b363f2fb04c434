#!/usr/bin/env bash
# Puts what others publish for clusters into the cache, from their Go modules: KEDA's objects, and the kinds of objects that the
# Prometheus operator and cert-manager define. What is there is not fetched again.
. "$(dirname "$0")/cluster.sh"

manifests=$cache/manifests
keda=$(sed -n 's/^keda-operator *[^ ]* *\([^ ]*\).*/\1/p' "$here/programs.txt")

folder_of() { (cd / && go mod download -json "$1" | sed -n 's/.*"Dir": "\(.*\)",/\1/p'); } # module@version

fetched() { # name, module, version, path within the module, files there
    local name=$1 module=$2@$3 path=$4
    [ "$(cat "$manifests/$name.version" 2>/dev/null)" != "$3" ] || return 0
    needs_go
    say "Fetching the manifests of $name $3 …"
    rm -rf "${manifests:?}/$name"
    mkdir -p "$manifests/$name"
    (cd "$(folder_of "$module")/$path" && cp -r "${@:5}" "$manifests/$name")
    chmod -R u+w "$manifests/$name"
    echo "$3" >"$manifests/$name.version"
}

fetched keda github.com/kedacore/keda/v2 "$keda" . config
fetched prometheus-operator github.com/prometheus-operator/prometheus-operator v0.85.0 example/prometheus-operator-crd \
    monitoring.coreos.com_{servicemonitors,podmonitors,prometheusrules}.yaml
fetched cert-manager github.com/cert-manager/cert-manager v1.21.2 deploy/crds \
    cert-manager.io_{certificates,issuers,clusterissuers}.yaml
