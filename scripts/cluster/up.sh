#!/usr/bin/env bash
# Brings up a Kubernetes cluster of one node on this machine: etcd, the Kubernetes programs, containerd, CoreDNS, KEDA.
# It reaches no registry: what runs on it is loaded (scripts/cluster/load.sh). Does nothing where it is up; needs root.
# The node has namespaces of its own (node.sh), so it meets nothing that runs beside it, and scripts/cluster/down.sh leaves nothing.
. "$(dirname "$0")/cluster.sh"
. "$here/pki.sh"

# What the node runs that is no program of ours: a file, and the Debian package that brings it.
needed="
/usr/bin/containerd containerd
/usr/bin/etcd etcd-server
/usr/lib/cni/ptp containernetworking-plugins
/usr/sbin/iptables iptables
/usr/bin/ip iproute2
/usr/bin/openssl openssl
/usr/sbin/sysctl procps
/usr/bin/busybox busybox-static
"

install_packages() {
    local missing=() file package
    while read -r file package; do
        [ -z "$file" ] || [ -e "$file" ] || missing+=("$package")
    done <<<"$needed"
    ((${#missing[@]})) || return 0
    say "Installing ${missing[*]} …"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
}

build_programs() {
    local wanted=(kube kubectl coredns keda-operator keda-adapter) missing
    missing=$("$here/programs.sh" --missing "${wanted[@]}")
    [ -z "$missing" ] && return
    say "Not built yet: ${missing//$'\n'/, }. All of them take about half an hour on two cores, once; then they stay in $programs."
    "$here/programs.sh" "${wanted[@]}"
}

fill() { # template [version]
    sed -e "s#STATE#$state#g; s#SOCKET#$socket#g; s#PODS#$pods#g; s#DNS_IP#$dns_ip#g; s#MTU#${mtu:-}#g; s#VERSION#${2:-}#g" "$here/config/$1"
}

start_node() {
    local device mtu resolver
    device=$(ip -o route get 198.51.100.1 2>/dev/null | sed -n 's/.* dev \([^ ]*\).*/\1/p')
    mtu=$(cat "/sys/class/net/${device:-lo}/mtu")
    mkdir -p -m 700 "$state"
    mkdir -p "$state"/{etcd,log,kubelet,cni,cni.d} /var/lib/cni /var/lib/kubelet
    sysctl net.ipv4.ip_forward vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops \
        kernel.keys.root_maxkeys kernel.keys.root_maxbytes >"$state/sysctl"
    make_pki
    for resolver in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
        [ -e "$resolver" ] && cp -L "$resolver" "$state/resolv.conf" && break
    done
    fill containerd.toml >"$state/containerd.toml"
    fill kubelet.yaml >"$state/kubelet.yaml"
    fill proxy.yaml >"$state/proxy.yaml"
    fill pods.conflist >"$state/cni.d/pods.conflist"
    make_cgroups

    env -i HOME="$HOME" PATH="$PATH" VALOR_CACHE="${cache%/cluster}" \
        setsid unshare --mount --net --pid --ipc --uts --fork --kill-child --mount-proc "$here/node.sh" \
        >"$state/log/node.log" 2>&1 </dev/null 8>&- &
    echo $! >"$state/node.pid"
    wait_for node 10 node_pid
    ip link add "$link" mtu "$mtu" type veth peer name eth0 mtu "$mtu" netns "$(node_pid)"
    ip address add "$host_ip/30" dev "$link"
    ip link set "$link" up
    sysctl -qw net.ipv4.ip_forward=1
    firewall -I
}

# The kubelet wants the group that holds all pods to be there.
make_cgroups() {
    local folder
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        mkdir -p /sys/fs/cgroup/valor-cluster
        for folder in /sys/fs/cgroup /sys/fs/cgroup/valor-cluster; do
            sed 's/[^ ]*/+&/g' "$folder/cgroup.controllers" >"$folder/cgroup.subtree_control"
        done
    else
        for folder in /sys/fs/cgroup/*/; do mkdir -p "$folder/valor-cluster"; done
    fi
}

version() { cat "$programs/$1.version"; }

load_program() { # name, version, arguments of the program …
    local name=$1 version=$2
    shift 2
    python3 "$here/image.py" "valor.local/$name:$version" "$(command -v "$name")" "$@" |
        ctr --address "$socket" --namespace k8s.io images import - >/dev/null
}

load_programs() {
    local name
    wait_for containerd 60 ctr --address "$socket" version
    load_program busybox 1 sleep infinity # holds a pod's namespaces
    for name in coredns keda-operator keda-adapter; do load_program "$name" "$(version $name)"; done
}

apply() { kubectl apply --server-side --force-conflicts --filename "${1:--}" >/dev/null; }

install_dns() { fill dns.yaml "$(version coredns)" | apply; }

install_keda() {
    local manifests=$cache/manifests/keda
    fill keda.yaml "$(version keda-operator)" >"$manifests/kustomization.yaml"
    apply "$manifests/config/general/namespace.yaml"
    kubectl kustomize "$manifests" | apply
}

resolves() { in_node busybox nslookup kubernetes.default.svc.cluster.local "$dns_ip"; }

scales() {
    kubectl get --raw /apis/external.metrics.k8s.io/v1beta1 &&
        kubectl --namespace keda wait deployment --all --for=condition=Available --timeout=1s
}

tell() {
    say "$1 Use it:"
    echo "export KUBECONFIG=$KUBECONFIG PATH=$programs:\$PATH"
    exit
}

as_root
alone
install_packages
build_programs
"$here/manifests.sh"
if ! node_pid >/dev/null; then
    "$here/down.sh" --alone # what one that crashed has left
    start_node
elif { resolves && scales; } >/dev/null 2>&1; then
    tell "The cluster is up."
fi
load_programs &
loading=$!
wait_for "API server" 120 kubectl get --raw /readyz
wait $loading || fail "The cluster's programs cannot be loaded."
install_dns
install_keda
wait_for node 120 kubectl wait node valor --for=condition=Ready --timeout=1s
wait_for DNS 120 resolves
wait_for KEDA 180 scales
tell "The cluster is up ($SECONDS s)."
