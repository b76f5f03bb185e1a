#!/usr/bin/env bash
# Process 1 of the machine that the cluster's only node is: up.sh starts it in fresh namespaces, and all that it mounts,
# listens on, or writes into iptables goes when it goes.
set -euo pipefail
state=$1
ports=$2
. "$(dirname "$0")/lib.sh"
trap 'echo "box.sh: line $LINENO failed" >&2' ERR

# ---- mounts ------------------------------------------------------------------------------------

# The kubelet sets these for the whole kernel, the machine's too: it gets files to write into instead.
shield_sysctls() {
    local name copy
    mkdir /run/sysctl
    for name in vm/overcommit_memory vm/panic_on_oom kernel/panic kernel/panic_on_oops \
        kernel/keys/root_maxkeys kernel/keys/root_maxbytes; do
        copy=/run/sysctl/${name//\//-}
        cat "/proc/sys/$name" >"$copy"
        mount --bind "$copy" "/proc/sys/$name"
    done
}

mounts() {
    local cgroups
    cgroups=$(cat "$state/cgroups")
    mount --make-rprivate /
    mount -t sysfs -o nosuid,nodev,noexec sysfs /sys # of this network
    mount_cgroups "$cgroups"
    # Where containerd, the kubelet and CNI have paths that no setting moves.
    mount -t tmpfs -o mode=755 tmpfs /run
    mkdir /run/lock
    mount -t tmpfs -o mode=755 tmpfs /opt
    mount --bind "$state/var-lib" /var/lib
    mount --bind "$state/var-log" /var/log
    shield_sysctls
    mount --make-rshared /
}

# ---- network -----------------------------------------------------------------------------------

# The default route leads into a bridge without ports: service addresses need a route before iptables turns them into
# pods' addresses, and everything else goes nowhere.
network() {
    ip link set lo up
    ip link add node0 type bridge
    ip addr add "$node_ip/24" dev node0
    ip link set node0 up
    ip route add default dev node0 src "$node_ip"
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
}

# ---- processes ---------------------------------------------------------------------------------

run() { # COMMAND...
    "$@" >"$state/log/$(basename "$1").log" 2>&1 &
}

control_plane() {
    local pki=$state/pki
    run "$cluster_bin/etcd" --data-dir "$state/etcd" --unsafe-no-fsync --log-level warn
    run "$cluster_bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 --advertise-address="$node_ip" \
        --tls-cert-file="$pki/api.crt" --tls-private-key-file="$pki/api.key" \
        --kubelet-client-certificate="$pki/api.crt" --kubelet-client-key="$pki/api.key" \
        --kubelet-preferred-address-types=InternalIP --client-ca-file="$pki/ca.crt" \
        --token-auth-file="$pki/tokens.csv" --authorization-mode=Node,RBAC --anonymous-auth=false \
        --service-account-issuer=https://kubernetes.default.svc.cluster.local \
        --service-account-key-file="$pki/accounts.pub" --service-account-signing-key-file="$pki/accounts.key" \
        --service-cluster-ip-range="$service_cidr" --allow-privileged=true
    wait_for 120 'the API server answers' "$cluster_bin/kubectl" --kubeconfig "$state/inside.kubeconfig" get --raw /readyz
    run "$cluster_bin/kube-controller-manager" --kubeconfig="$state/inside.kubeconfig" --leader-elect=false \
        --service-account-private-key-file="$pki/accounts.key" --root-ca-file="$pki/ca.crt" \
        --kube-api-qps=300 --kube-api-burst=600 --bind-address=127.0.0.1
    run "$cluster_bin/kube-scheduler" --kubeconfig="$state/inside.kubeconfig" --leader-elect=false \
        --bind-address=127.0.0.1
}

node() {
    "$(dirname "$0")/load.sh" "$state" "$state/pause.tar"
    run "$cluster_bin/kubelet" --config="$state/kubelet.yaml" --kubeconfig="$state/inside.kubeconfig" \
        --hostname-override=node --node-ip="$node_ip" --root-dir="$state/kubelet"
    run "$cluster_bin/kube-proxy" --kubeconfig="$state/inside.kubeconfig" --hostname-override=node \
        --cluster-cidr="$pod_cidr" --bind-address="$node_ip" --iptables-min-sync-period=100ms \
        --conntrack-max-per-core=0 --conntrack-min=0
    run "$cluster_bin/coredns" -conf "$state/Corefile"
}

# From sockets in the file system, where up.sh can reach them, to the node's ports.
forwarders() {
    local port
    for port in 6443 $ports; do
        port=${port#*:}
        socat "UNIX-LISTEN:$state/port-$port.sock,fork" "TCP:$node_ip:$port" 2>>"$state/log/forward.log" &
    done
}

dns_answers() {
    busybox nslookup -type=a kubernetes.default.svc.cluster.local "$node_ip" | grep -q "Address: $service_ip"
}

umask 022 # up.sh's is for keys; with it, containers' /dev/null would be root's alone
hostname node
mounts
network
run containerd --config "$state/containerd.toml"
forwarders
control_plane
wait_for 30 'containerd answers' ctr --address "$state/containerd.sock" version
node
wait_for 60 'DNS answers' dns_answers
touch "$state/dns-answers"
sleep infinity & # and bash goes on reaping what containers leave behind
wait $!
