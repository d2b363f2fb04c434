# shellcheck shell=bash
# What the scripts of the cluster share: where it is, and how to wait. There is one cluster on a machine.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${VALOR_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/valor}/cluster
programs=$cache/bin
state=/var/lib/valor-cluster
socket=$state/containerd.sock
link=valor-cluster          # the machine's end of the wire to the node
host_ip=10.243.0.1 node_ip=10.243.0.2
pods=10.244.0.0/16 services=10.96.0.0/16 api_ip=10.96.0.1 dns_ip=10.96.0.10
export KUBECONFIG=$state/admin.kubeconfig PATH=$programs:$PATH

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

needs_go() { command -v go >/dev/null || fail "Go is missing, 1.26 or later: the cluster's programs are built from source, once."; }
as_root() { [ "$(id -u)" = 0 ] || fail "A cluster needs root."; }

# One of the scripts at a time.
alone() {
    mkdir -p "$cache"
    exec 8>"$cache/lock"
    flock --nonblock 8 || { say "Another command is at work on the cluster; waiting for it …"; flock 8; }
}

# The first process of the node's namespaces; all else in the node ends with it.
node_pid() {
    local parent child
    parent=$(cat "$state/node.pid" 2>/dev/null) || return 1
    grep -qa scripts/cluster/node.sh "/proc/$parent/cmdline" 2>/dev/null || return 1
    child=$(cat "/proc/$parent/task/$parent/children") && [ -n "$child" ] && echo "${child%% *}"
}

in_node() { nsenter --target "$(node_pid)" --net "$@"; }

# What lets the node reach what this machine reaches; a firewall that forwards nothing else has to let it pass.
firewall() { # -I to put the rules in, -D to take them out
    iptables -w "$1" FORWARD -i "$link" -j ACCEPT
    iptables -w "$1" FORWARD -o "$link" -j ACCEPT
    iptables -w -t nat "$1" POSTROUTING -s "$node_ip" ! -o "$link" -j MASQUERADE
}

wait_for() { # what, seconds, command …
    local what=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS < end)) || fail "The cluster's $what did not come up: see $state/log."
        sleep 0.2
    done
}
