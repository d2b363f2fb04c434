#!/usr/bin/env bash
# The node: the first process of its own process, mount and network namespaces, which scripts/cluster/up.sh makes.
# So whatever the cluster starts, mounts, or writes into firewall and routes is gone as soon as this process is.
set -euo pipefail
. "$(dirname "$0")/cluster.sh"

# Each program is started again when it ends, as a service manager would.
keep() { # name, command …
    local name=$1
    shift
    while true; do
        "$@" >>"$state/log/$name.log" 2>&1 || true
        sleep 0.5
    done &
}

kubernetes() { # program, certificate, flags …
    local program=$1 user=$state/$2.kubeconfig
    shift 2
    keep "$program" "$programs/kube" "$program" --kubeconfig="$user" "$@"
}

mount --make-rshared /
mount -t tmpfs tmpfs /run
for folder in /var/lib/kubelet /var/lib/cni /var/log; do
    mount --bind "$state/$(basename "$folder")" "$folder"
done
hostname valor
ip link set lo up
until ip link show eth0 >/dev/null 2>&1; do sleep 0.05; done
ip address add "$node_ip/30" dev eth0
ip link set eth0 up
ip route add default via "$host_ip"
sysctl -qw net.ipv4.ip_forward=1

keep containerd containerd --config "$state/containerd.toml"
keep etcd etcd --data-dir "$state/etcd" --unsafe-no-fsync
keep apiserver "$programs/kube" apiserver \
    --etcd-servers=http://127.0.0.1:2379 --advertise-address="$node_ip" --service-cluster-ip-range="$services" \
    --client-ca-file="$state/pki/ca.crt" --tls-cert-file="$state/pki/apiserver.crt" --tls-private-key-file="$state/pki/apiserver.key" \
    --kubelet-client-certificate="$state/pki/admin.crt" --kubelet-client-key="$state/pki/admin.key" \
    --kubelet-certificate-authority="$state/pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$state/pki/accounts.pub" \
    --service-account-signing-key-file="$state/pki/accounts.key" \
    --requestheader-client-ca-file="$state/pki/front-ca.crt" --requestheader-allowed-names=front-proxy \
    --requestheader-username-headers=X-Remote-User --requestheader-group-headers=X-Remote-Group \
    --requestheader-extra-headers-prefix=X-Remote-Extra- --proxy-client-cert-file="$state/pki/front-proxy.crt" \
    --proxy-client-key-file="$state/pki/front-proxy.key" --enable-aggregator-routing=true \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction
kubernetes controllers controllers --leader-elect=false --bind-address=127.0.0.1 --use-service-account-credentials \
    --root-ca-file="$state/pki/ca.crt" --service-account-private-key-file="$state/pki/accounts.key" \
    --cluster-signing-cert-file="$state/pki/ca.crt" --cluster-signing-key-file="$state/pki/ca.key"
kubernetes scheduler scheduler --leader-elect=false --bind-address=127.0.0.1
kubernetes kubelet node --config="$state/kubelet.yaml" --node-ip="$node_ip" --hostname-override=valor
keep proxy "$programs/kube" proxy --config="$state/proxy.yaml"
wait
