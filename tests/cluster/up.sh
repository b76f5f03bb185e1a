#!/usr/bin/env bash
# Brings up a Kubernetes of one node in namespaces of its own, from what build.sh built; the machine's network, mounts and
# sysctls stay as they are, and several clusters can run side by side. About ten seconds. Needs root.
#
#   tests/cluster/up.sh STATE          STATE: a folder that this makes, outside of /run, /opt and /var
#   export KUBECONFIG=STATE/kubeconfig PATH=$PWD/.cache/cluster/bin:$PATH
#   tests/cluster/load.sh STATE IMAGE.tar...
#   tests/cluster/down.sh STATE        also cleans up after an up.sh or a test that was killed
#
# PORTS="30443 30901"                  node ports that 127.0.0.1 of this machine shall have too
# PORTS="41443:30443 41901:30901"      the same under other numbers
# Logs: STATE/log. The node has no network policies and cannot pull images.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo 'usage: up.sh STATE' >&2; exit 2; }
state=$(realpath -m "$1")
ports=${PORTS:-30443 30901}
. "$here/lib.sh"

check() {
    local tool
    [ "$(id -u)" -eq 0 ] || fail 'needs root, for namespaces and mounts'
    [ -e "$cluster_bin/version" ] || fail 'run tests/cluster/build.sh first'
    for tool in containerd runc ctr iptables ip socat openssl unshare busybox; do
        command -v $tool >/dev/null || fail "$tool is not on PATH; run tests/tool/setup.sh cluster"
    done
    [ ${#state} -le 80 ] || fail "the path of $state is too long for sockets in it"
    case $state in
        /run/* | /opt/* | /var/*) fail "$state is where the box has folders of its own; choose another place" ;;
    esac
}

# ---- keys and settings -------------------------------------------------------------------------

# One CA, and one certificate with which the API server serves, and speaks to the kubelet.
make_keys() {
    local request=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
    (
        cd "$state/pki"
        openssl req -x509 "${request[@]}" -keyout ca.key -out ca.crt -subj /CN=ca -days 7 \
            -addext keyUsage=critical,keyCertSign
        openssl req -new "${request[@]}" -keyout api.key -out api.csr -subj /O=system:masters/CN=kube-apiserver
        openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 7 -out api.crt -extfile <(
            echo extendedKeyUsage=serverAuth,clientAuth
            echo "subjectAltName=IP:127.0.0.1,IP:$node_ip,IP:$service_ip,DNS:kubernetes.default.svc"
        )
        openssl genrsa -out accounts.key 2048
        openssl rsa -in accounts.key -pubout -out accounts.pub
    ) >"$state/log/openssl.log" 2>&1
}

kubeconfig() { # SERVER TOKEN
    cat <<END
apiVersion: v1
kind: Config
clusters:
- name: test
  cluster:
    server: https://$1
    certificate-authority-data: $(base64 -w0 "$state/pki/ca.crt")
users:
- name: admin
  user:
    token: $2
contexts:
- name: test
  context:
    cluster: test
    user: admin
current-context: test
END
}

write_settings() {
    local token
    token=$(openssl rand -hex 24)
    echo "$token,admin,admin,system:masters" >"$state/pki/tokens.csv"
    kubeconfig "$node_ip:6443" "$token" >"$state/inside.kubeconfig"
    kubeconfig "127.0.0.1:$api_port" "$token" >"$state/kubeconfig"
    # restrict_oom_score_adj: without CAP_SYS_RESOURCE no sandbox could have the -998 that it asks for.
    cat >"$state/containerd.toml" <<END
version = 2
root = "$state/containerd"
state = "/run/containerd"
[grpc]
  address = "$state/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "local/pause:1"
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$cluster_bin"
    conf_dir = "$state/cni"
END
    cat >"$state/cni/10-pods.conflist" <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [{
    "type": "bridge", "bridge": "pods0", "isGateway": true, "hairpinMode": true,
    "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pod_cidr"}]], "routes": [{"dst": "0.0.0.0/0"}]}
}]}
END
    cat >"$state/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication:
  anonymous: {enabled: false}
  x509: {clientCAFile: $state/pki/ca.crt}
cgroupDriver: cgroupfs
failCgroupV1: false
failSwapOn: false
clusterDomain: cluster.local
clusterDNS: [$node_ip]
resolvConf: /dev/null
containerRuntimeEndpoint: unix://$state/containerd.sock
evictionHard: {memory.available: 50Mi, nodefs.available: 1%, imagefs.available: 1%, nodefs.inodesFree: 1%}
imageGCHighThresholdPercent: 100
END
    cat >"$state/Corefile" <<END
.:53 {
    errors
    ready
    kubernetes cluster.local {
        kubeconfig $state/inside.kubeconfig
        ttl 5
    }
}
END
}

# What holds a pod's namespaces: it only has to stay.
make_pause_image() {
    mkdir "$state/pause"
    cp "$(command -v busybox)" "$state/pause/busybox"
    "$here/mkimage.sh" "$state/pause" local/pause:1 "$state/pause.tar" '["/busybox", "sleep", "2147483647"]'
}

# ---- processes ---------------------------------------------------------------------------------

# Each leads a process group of its own, so that Ctrl-C is for up.sh alone, and the group can be ended.
start_box() {
    set -m
    (
        remember_me "$state/box.process"
        join_cgroups
        exec unshare --mount --net --pid --uts --ipc --cgroup --fork --kill-child --mount-proc \
            "$here/box.sh" "$state" "$ports"
    ) </dev/null >"$state/log/box.log" 2>&1 &
    box_pid=$!
    disown
    set +m
}

# Sockets in the file system lead into the box's network.
forward() { # PORT_HERE PORT_OF_THE_NODE
    set -m
    (
        remember_me "$state/forward-$1.process"
        exec socat "TCP-LISTEN:$1,bind=127.0.0.1,fork,reuseaddr" "UNIX-CONNECT:$state/port-$2.sock"
    ) </dev/null >"$state/log/forward-$1.log" 2>&1 &
    disown
    set +m
}

listening() { [ -n "$(ss -Hltn "sport = :$1")" ]; }

free_port() {
    local port
    for port in $(shuf -i 20000-29999 -n 100); do
        listening "$port" || { echo "$port"; return; }
    done
}

show_logs() { tail -n 3 "$state"/log/*.log >&2; }

give_up() { # WHAT
    show_logs || true
    fail "$1 after $SECONDS s; the logs' ends are above" 1
}

k() { "$cluster_bin/kubectl" --kubeconfig "$state/kubeconfig" --cache-dir "$state/kubectl-cache" "$@"; }
node_is_ready() { k get nodes | grep -q ' Ready'; }
dns_answers() { [ -e "$state/dns-answers" ]; }

check
[ ! -e "$state" ] || "$here/down.sh" "$state"
for port in $ports; do
    ! listening "${port%:*}" || fail "port ${port%:*} is taken; choose others with PORTS"
done
api_port=$(free_port)

umask 077
mkdir -p "$state"/{pki,log,cni,var-lib,var-log}
trap show_logs ERR
trap '"$here/down.sh" "$state"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
make_keys
write_settings
make_pause_image
make_cgroups
start_box
forward "$api_port" 6443
for port in $ports; do
    forward "${port%:*}" "${port#*:}"
done
wait_for 120 'the API server answers' k get --raw /readyz || give_up 'no API server'
wait_for 60 'the node is ready' node_is_ready || give_up 'no ready node'
wait_for 60 'DNS answers' dns_answers || give_up 'no DNS'
trap - EXIT
echo "up.sh: up after $SECONDS s; export KUBECONFIG=$state/kubeconfig"
