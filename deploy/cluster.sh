#!/usr/bin/env bash
# What the make targets do with the cluster of the current kubectl context. Every failure is one line that says what to do.
set -euo pipefail
cd "$(dirname "$0")/.."

namespace=grpc-routing-poc
image=${IMAGE:-grpcroute:$(sed -n "s/^ *version: '\(.*\)',/\1/p" meson.build)}
docker=${DOCKER:-docker}
ctr=${CTR:-ctr}
grpcroute=${GRPCROUTE:-build/src/grpcroute}
certs=${CERTS:-certs}
rollout_timeout=${ROLLOUT_TIMEOUT:-120s}

say() { printf '==> %s\n' "$*" >&2; }

fail() { # TEXT [EXIT CODE]
    echo "cluster: $1" >&2
    exit "${2:-2}"
}

usage() {
    echo "usage: deploy/cluster.sh apply-certs | load | deploy PROXY | wait | check NAME | clean" >&2
    exit 2
}

k() { kubectl --namespace "$namespace" "$@"; }

context() { kubectl config current-context 2>/dev/null || true; }

need_cluster() {
    command -v kubectl >/dev/null || fail 'kubectl is not on PATH; get it from https://kubernetes.io/docs/tasks/tools/'
    [ -n "$(context)" ] ||
        fail 'kubectl has no current context; create a cluster (kind create cluster --config deploy/kind.yaml) or choose one (kubectl config use-context NAME)'
    kubectl get --raw /readyz --request-timeout=10s >/dev/null 2>&1 ||
        fail "the cluster of context $(context) does not answer; start it, or choose another (kubectl config use-context NAME)"
}

need_docker() {
    command -v "$docker" >/dev/null || fail "$docker is not on PATH; install Docker, or set DOCKER=podman"
    "$docker" info >/dev/null 2>&1 || fail "$docker does not answer; start its daemon, or set DOCKER=podman"
}

need_image() {
    need_docker
    "$docker" image inspect "$image" >/dev/null 2>&1 || fail "there is no image $image; run make build"
}

# ---- certificates ------------------------------------------------------------------------------

# The Secret for the proxy, the CA for agents; made anew from the files each time.
apply_certs() {
    local file
    for file in cert.pem key.pem ca.pem; do
        [ -r "$certs/$file" ] || fail "$certs/$file is missing; run make certs"
    done
    need_cluster
    kubectl apply -f deploy/base/namespace.yaml >/dev/null
    k create secret generic proxy-certs --from-file="$certs/cert.pem" --from-file="$certs/key.pem" \
        --dry-run=client -o yaml | k apply -f - >/dev/null
    k create configmap proxy-ca --from-file="$certs/ca.pem" --dry-run=client -o yaml | k apply -f - >/dev/null
    say "Secret proxy-certs and ConfigMap proxy-ca are in namespace $namespace"
}

need_certs() {
    k get secret proxy-certs >/dev/null 2>&1 || fail "the Secret proxy-certs is missing in $namespace; run make apply-certs"
    k get configmap proxy-ca >/dev/null 2>&1 || fail "the ConfigMap proxy-ca is missing in $namespace; run make apply-certs"
}

# ---- image -------------------------------------------------------------------------------------

load_with() { # WORDS: how, then the command
    local how=$1
    shift
    say "loading $image $how"
    "$@" >/dev/null || fail "loading $image $how failed"
}

# The containerd of this very machine, as k0s or kubeadm run it.
load_into_containerd() {
    command -v "${ctr%% *}" >/dev/null ||
        fail "context $(context) is none of kind, minikube and k3d, and there is no $ctr to load the image with; push $image to a registry that the cluster reads"
    say "loading $image into containerd"
    # shellcheck disable=SC2086  # CTR may carry options
    "$docker" save "$image" | $ctr --namespace k8s.io images import - >/dev/null ||
        fail "loading $image with $ctr failed"
}

load() {
    need_image
    need_cluster
    local name
    name=$(context)
    case $name in
        kind-*) load_with "into kind" kind load docker-image "$image" --name "${name#kind-}" ;;
        minikube*) load_with "into minikube" minikube image load "$image" --profile "$name" ;;
        k3d-*) load_with "into k3d" k3d image import "$image" --cluster "${name#k3d-}" ;;
        *) load_into_containerd ;;
    esac
}

# ---- deployment --------------------------------------------------------------------------------

# "POD REASON" of each container that does not run.
waiting() {
    k get pods -o jsonpath='{range .items[*]}{.metadata.name}{" "}{.status.containerStatuses[0].state.waiting.reason}{"\n"}{end}' |
        grep -E ' [A-Za-z]+$' || true
}

# Why pods are not there yet, in one line.
why_not_ready() {
    local pod reason
    read -r pod reason <<<"$(waiting | grep -v ContainerCreating | head -n 1)"
    case $reason in
        ErrImageNeverPull | ErrImagePull | ImagePullBackOff)
            echo "image $(k get pod "$pod" -o jsonpath='{.spec.containers[0].image}') is not on the node; run make load"
            ;;
        CrashLoopBackOff | Error) echo "$pod ends at once: $(k logs "$pod" --tail=1 2>&1)" ;;
        *) echo "see kubectl get events -n $namespace" ;;
    esac
}

# Waits until every Deployment is what its manifest says.
wait_rolled_out() {
    local name
    for name in $(k get deployments -o jsonpath='{.items[*].metadata.name}'); do
        k rollout status "deployment/$name" --timeout="$rollout_timeout" >/dev/null 2>&1 ||
            fail "deployment $name is not ready after $rollout_timeout: $(why_not_ready)" 1
    done
}

deploy() { # PROXY
    [ -f "deploy/$1/kustomization.yaml" ] || fail "there is no deploy/$1"
    need_cluster
    need_certs
    say "deploying with $1"
    kubectl apply -k "deploy/$1" >/dev/null || fail "kubectl apply -k deploy/$1 failed"
    wait_rolled_out
    k get pods
}

# ---- checks ------------------------------------------------------------------------------------

need_deployment() {
    k get deployment proxy-ingress >/dev/null 2>&1 ||
        fail "nothing is deployed in $namespace; run make all-envoy, all-traefik or all-embedded"
}

# The exit code of the job's pod; nothing while it runs.
job_result() { # NAME
    k get pods -l "job-name=$1" \
        -o jsonpath='{.items[0].status.containerStatuses[0].state.terminated.exitCode}' 2>/dev/null || true
}

# Runs the Job deploy/jobs/NAME.yaml, shows what it says, and ends with its exit code.
probe() { # NAME
    local code='' deadline=$((SECONDS + 150))
    k delete job "$1" --ignore-not-found --wait >/dev/null
    k apply -f "deploy/jobs/$1.yaml" >/dev/null
    while [ -z "$code" ] && [ "$SECONDS" -lt "$deadline" ]; do
        sleep 1
        code=$(job_result "$1")
    done
    [ -n "$code" ] || fail "job $1 has not ended after 150 s: $(why_not_ready)" 4
    k logs "job/$1"
    return "$code"
}

# With the binary of make binary or make demo, else with the one in the image.
judge_logs() { # NAME
    if [ -x "$grpcroute" ]; then
        "$grpcroute" "$1" --logs kubectl --namespace "$namespace"
        return
    fi
    need_image
    k logs -l 'app in (agent, server)' --prefix --timestamps --tail=-1 --max-log-requests=100 |
        "$docker" run --rm --interactive "$image" "$1" --logs -
}

# What the deployed agents and servers logged, then a live probe through the proxy.
check() { # NAME
    need_cluster
    need_deployment
    local code=0 probed=0
    say "$1: what agents and servers logged"
    judge_logs "$1" || code=$?
    say "$1: a live probe through the proxy"
    probe "$1" || probed=$?
    return "$((code > probed ? code : probed))"
}

clean() {
    need_cluster
    kubectl delete namespace "$namespace" --ignore-not-found
}

case ${1:-} in
    apply-certs) apply_certs ;;
    load) load ;;
    deploy) [ $# -eq 2 ] || usage; deploy "$2" ;;
    wait) need_cluster; wait_rolled_out ;;
    check) [ $# -eq 2 ] || usage; check "$2" ;;
    clean) clean ;;
    *) usage ;;
esac
