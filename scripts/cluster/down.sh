#!/usr/bin/env bash
# Ends the cluster and removes all that it was: processes, mounts, network, state. Does nothing where there is none; needs root.
. "$(dirname "$0")/cluster.sh"

stop_node() {
    local pid
    pid=$(node_pid) || return 0
    kill -KILL "$pid"
    timeout 60 tail --pid "$pid" --follow /dev/null
}

remove_cgroups() {
    local folder
    find /sys/fs/cgroup -depth -type d -path '*/valor-cluster*' 2>/dev/null | while read -r folder; do
        for _ in 1 2 3 4 5; do rmdir "$folder" 2>/dev/null && break || sleep 0.2; done
    done
}

as_root
[ "${1:-}" = --alone ] || alone # its caller is
stop_node
firewall -D 2>/dev/null || true
ip link delete "$link" 2>/dev/null || true
remove_cgroups
[ ! -f "$state/sysctl" ] || sysctl --quiet --load="$state/sysctl"
rm -rf "$state"
rmdir /var/lib/cni /var/lib/kubelet 2>/dev/null || true
