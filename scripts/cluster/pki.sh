# shellcheck shell=bash
# Certificates and keys of a cluster, and who shows them to its API server.

key() { openssl ecparam -genkey -name prime256v1 -noout -out "$state/pki/$1.key"; }

authority() { # name
    key "$1"
    openssl req -x509 -new -key "$state/pki/$1.key" -subj "/CN=$1" -days 3650 -out "$state/pki/$1.crt"
}

certificate() { # name, authority, subject, names
    local file=$state/pki/$1 by=$state/pki/$2
    key "$1"
    openssl req -new -key "$file.key" -subj "$3" |
        openssl x509 -req -CA "$by.crt" -CAkey "$by.key" -days 3650 -extfile <(echo "subjectAltName=${4:-DNS:$1}") -out "$file.crt" 2>/dev/null
}

kubeconfig() { # name
    cat >"$state/$1.kubeconfig" <<EOF_CONFIG
apiVersion: v1
kind: Config
clusters: [{name: valor, cluster: {server: "https://$node_ip:6443", certificate-authority: $state/pki/ca.crt}}]
users: [{name: $1, user: {client-certificate: $state/pki/$1.crt, client-key: $state/pki/$1.key}}]
contexts: [{name: valor, context: {cluster: valor, user: $1}}]
current-context: valor
EOF_CONFIG
}

make_pki() {
    local user
    mkdir -p "$state/pki"
    authority ca
    authority front-ca
    certificate front-proxy front-ca /CN=front-proxy
    certificate apiserver ca /CN=kube-apiserver \
        "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local,IP:$api_ip,IP:$node_ip"
    certificate admin ca /O=system:masters/CN=admin
    certificate node ca /O=system:nodes/CN=system:node:valor "DNS:valor,IP:$node_ip"
    certificate controllers ca /CN=system:kube-controller-manager
    certificate scheduler ca /CN=system:kube-scheduler
    certificate proxy ca /CN=system:kube-proxy
    for user in admin node controllers scheduler proxy; do kubeconfig "$user"; done
    key accounts
    openssl ec -in "$state/pki/accounts.key" -pubout -out "$state/pki/accounts.pub" 2>/dev/null
}
