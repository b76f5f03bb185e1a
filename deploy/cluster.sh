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
# sticky-test wants 20 messages of a stream, agents ping every five seconds, and may have had to connect a second time.
log_timeout=${LOG_TIMEOUT:-150}
probe_timeout=${PROBE_TIMEOUT:-150}
not_enough=4 # exit code of a check without enough evidence

say() { printf '==> %s\n' "$*" >&2; }

fail() { # TEXT [EXIT CODE]
    echo "cluster: $1" >&2
    exit "${2:-2}"
}

usage() {
    echo "usage: deploy/cluster.sh apply-certs | build | load | deploy PROXY | wait | logs SELECTOR | check NAME | clean" >&2
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
    k create secret tls gateway-certs --cert="$certs/cert.pem" --key="$certs/key.pem" --dry-run=client -o yaml | k apply -f - >/dev/null
    say "Secrets proxy-certs and gateway-certs, and ConfigMap proxy-ca, are in namespace $namespace"
}

need_certs() { # PROXY
    [ "$1" != gateway-api ] || k get secret gateway-certs >/dev/null 2>&1 ||
        fail "the Secret gateway-certs is missing in $namespace; run make apply-certs"
    k get secret proxy-certs >/dev/null 2>&1 || fail "the Secret proxy-certs is missing in $namespace; run make apply-certs"
    k get configmap proxy-ca >/dev/null 2>&1 || fail "the ConfigMap proxy-ca is missing in $namespace; run make apply-certs"
}

# ---- image -------------------------------------------------------------------------------------

build() {
    need_docker
    say "building $image"
    "$docker" build --tag "$image" .
}

load_with() { # WORDS: how, then the command
    local how=$1
    shift
    command -v "$1" >/dev/null || fail "$1 is not on PATH, and context $(context) is one of its clusters"
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

# "POD CONTAINER IMAGE [REASON]" of each container that is not ready, of the pods that NAME made.
not_ready() { # NAME
    # shellcheck disable=SC2016  # the template's
    k get pods -o go-template='{{range .items}}{{$pod := .metadata}}{{range .status.containerStatuses}}
        {{- if not (or .ready $pod.deletionTimestamp)}}{{$pod.name}} {{.name}} {{.image}} {{with .state.waiting}}{{.reason}}{{end}}
        {{- "\n"}}{{end}}{{end}}{{end}}' | grep "^$1-" || true
}

last_line() { # POD CONTAINER: what it said last, before it was started again if it has said nothing since
    local said
    said=$(k logs "$1" -c "$2" --tail=1 2>/dev/null) || true
    [ -n "$said" ] || said=$(k logs "$1" -c "$2" --tail=1 --previous 2>/dev/null) || true
    echo "$said"
}

last_event() { # POD
    k get events --field-selector "involvedObject.name=$1" --sort-by=.lastTimestamp \
        -o jsonpath='{.items[-1:].message}' 2>/dev/null || true
}

# Why the pods of NAME are not ready, in one line: what the first of them says itself, or what is said of it.
why_not_ready() { # NAME
    local pod container image reason said
    read -r pod container image reason <<<"$(not_ready "$1" | head -n 1)"
    case $reason in
        ErrImageNeverPull | ErrImagePull | ImagePullBackOff) echo "image $image is not on the node; run make load"; return ;;
        CrashLoopBackOff | Error) echo "$pod ends at once: $(last_line "$pod" "$container")"; return ;;
    esac
    [ -n "$pod" ] || pod=$(k get pods -o name | sed -n "s,^pod/\($1-.*\),\1,p" | head -n 1)
    said=${container:+$(last_line "$pod" "$container")}
    [ -z "$said" ] || { echo "$pod says: $said"; return; }
    said=$(last_event "${pod:-$1}")
    echo "${said:-see kubectl get events -n $namespace}"
}

# The types of the Gateway API are no part of Kubernetes; the implementation brings them, or whoever runs the cluster.
need_gateway_api() {
    local url=https://github.com/kubernetes-sigs/gateway-api/releases/download/v1.4.0/standard-install.yaml
    kubectl get crd grpcroutes.gateway.networking.k8s.io gatewayclasses.gateway.networking.k8s.io >/dev/null 2>&1 ||
        fail "the cluster does not have the Gateway API's types; run kubectl apply -f $url"
}

# Waits until every Deployment is what its manifest says.
wait_rolled_out() {
    local name
    for name in $(k get deployments -o jsonpath='{.items[*].metadata.name}'); do
        k rollout status "deployment/$name" --timeout="$rollout_timeout" >/dev/null 2>&1 ||
            fail "deployment $name is not ready after $rollout_timeout: $(why_not_ready "$name")" 1
    done
}

deploy() { # PROXY
    [ -f "deploy/$1/kustomization.yaml" ] || fail "there is no deploy/$1"
    need_cluster
    need_certs "$1"
    [ "$1" != gateway-api ] || need_gateway_api
    say "deploying with $1"
    kubectl apply -k "deploy/$1" >/dev/null || fail "kubectl apply -k deploy/$1 failed"
    [ "$1" != gateway-api ] || kubectl apply -f deploy/routes/grpcroute.yaml >/dev/null || fail 'kubectl apply of the routes failed'
    wait_rolled_out
    k get pods
}

# ---- logs --------------------------------------------------------------------------------------

logs() { # SELECTOR
    local follow=()
    need_cluster
    [ -n "$(k get pods -l "$1" -o name)" ] ||
        fail "no pod in $namespace is $1; see kubectl get pods -n $namespace, or run make all-envoy, all-traefik or all-embedded"
    [ -z "${FOLLOW:-}" ] || follow=(--follow)
    k logs -l "$1" --all-containers --tail="${TAIL:-100}" --max-log-requests=100 "${follow[@]}"
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
    local code='' deadline=$((SECONDS + probe_timeout))
    k delete job "$1" --ignore-not-found --wait >/dev/null
    k apply -f "deploy/jobs/$1.yaml" >/dev/null
    while [ -z "$code" ] && [ "$SECONDS" -lt "$deadline" ]; do
        sleep 1
        code=$(job_result "$1")
    done
    [ -n "$code" ] || fail "job $1 has not ended after $probe_timeout s: $(why_not_ready "$1")" $not_enough
    k logs "job/$1"
    return "$code"
}

# With the binary of make binary or make demo, else with the one in the image.
judge_logs() { # NAME
    if [ -x "$grpcroute" ]; then
        "$grpcroute" "$1" --logs kubectl --namespace "$namespace"
        return
    fi
    local codes
    k logs -l 'app in (agent, server)' --prefix --timestamps --tail=-1 --max-log-requests=100 --ignore-errors |
        "$docker" run --rm --interactive "$image" "$1" --logs -
    codes=("${PIPESTATUS[@]}")
    [ "${codes[1]}" -eq 0 ] || return "${codes[1]}"
    [ "${codes[0]}" -eq 0 ] || { echo "cluster: kubectl could not read all logs" >&2; return $not_enough; }
}

# Agents that were deployed a moment ago have little to show; what has gone wrong is not waited for.
wait_for_evidence() { # NAME
    local code deadline=$((SECONDS + log_timeout)) told=
    while code=0; judge_logs "$1" >/dev/null 2>&1 || code=$?; [ "$code" -eq $not_enough ] && [ "$SECONDS" -lt "$deadline" ]; do
        [ -n "$told" ] || say "$1: agents have not logged enough yet; waiting for them, up to $log_timeout s"
        told=yes
        sleep 2
    done
}

# Of two exit codes the one to end with: a check that failed is not made better by one that could not be made.
worse() { # CODE CODE
    local code=$(($1 > $2 ? $1 : $2))
    [ "$1" -ne 1 ] && [ "$2" -ne 1 ] || code=1
    return "$code"
}

# What the deployed agents and servers logged, then a live probe through the proxy.
check() { # NAME
    need_cluster
    need_deployment
    [ -x "$grpcroute" ] || need_image
    local code=0 probed=0
    wait_for_evidence "$1"
    say "$1: what agents and servers logged"
    judge_logs "$1" || code=$?
    say "$1: a live probe through the proxy"
    (probe "$1") || probed=$?
    worse "$code" "$probed"
}

# Goes on after a yes of who sits there, or CONFIRM=1.
confirm() { # QUESTION
    [ "${CONFIRM:-}" != 1 ] || return 0
    [ -t 0 ] || fail "$1 Nobody can answer here: CONFIRM=1 says yes"
    local answer
    read -r -p "$1 [y/N] " answer || true
    case ${answer:-} in y | Y | yes) ;; *) fail 'nothing was deleted' ;; esac
}

clean() {
    need_cluster
    confirm "Delete the namespace $namespace and everything in it, and the GatewayClass and ClusterRole of make all-gateway, in the cluster of context $(context)?"
    kubectl delete namespace "$namespace" --ignore-not-found
    # Of deploy/gateway-api, what no namespace holds.
    kubectl delete clusterrole/grpcroute-gateway clusterrolebinding/grpcroute-gateway --ignore-not-found
    kubectl delete gatewayclass/grpcroute --ignore-not-found 2>/dev/null || true # there may be no such type
}

case ${1:-} in
    apply-certs) apply_certs ;;
    build) build ;;
    load) load ;;
    deploy) [ $# -eq 2 ] || usage; deploy "$2" ;;
    wait) need_cluster; wait_rolled_out ;;
    logs) [ $# -eq 2 ] || usage; logs "$2" ;;
    check) [ $# -eq 2 ] || usage; check "$2" ;;
    clean) clean ;;
    *) usage ;;
esac
