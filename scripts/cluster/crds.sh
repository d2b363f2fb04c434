#!/usr/bin/env bash
# Teaches the cluster the kinds of objects of the Prometheus operator and of cert-manager, so that it can judge such objects.
# Nothing acts on them.
. "$(dirname "$0")/cluster.sh"

kubectl apply --server-side --force-conflicts \
    --filename "$cache/manifests/prometheus-operator" --filename "$cache/manifests/cert-manager" >/dev/null
kubectl wait crd --all --for=condition=Established --timeout=60s >/dev/null
