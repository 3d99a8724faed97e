#!/bin/sh
# Deploys the chart. Needs helm and kubectl, and KUBECONFIG for the environment.
#   ci/deploy.sh apply ENVIRONMENT IMAGE@DIGEST    all at once, pod by pod; the release before comes back when pods do not get ready
#   ci/deploy.sh canary ENVIRONMENT IMAGE@DIGEST   the migration, then one new pod of the kernel, and then it waits
#   ci/deploy.sh finish ENVIRONMENT                after a canary: the other pods
#   ci/deploy.sh rollback ENVIRONMENT              after a canary: the release before
# A release before runs on a newer schema (docs/adr/0198), so that every step can be taken back.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
release=illuvrse-kernel
timeout=${DEPLOY_TIMEOUT:-10m}

fail() {
  echo "deploy: $1" >&2
  exit "${2:-1}"
}
step=${1:-}
environment=${2:-}
image=${3:-}
case $step in
  apply | canary) "$root/ci/require_image_digest.sh" "$image" ;;
  finish | rollback) ;;
  *) fail "the first argument is apply, canary, finish or rollback, not '$step'" 2 ;;
esac
values=$root/k8s/chart/values-$environment.yaml
case $environment in dev | staging | production) ;; *) fail "there is no environment '$environment'" 2 ;; esac
[ -r "$values" ] || fail "there is no $values" 2
namespace=$release-$environment
labels=app.kubernetes.io/instance=$release

in_namespace() { kubectl --namespace "$namespace" "$@"; }
deployments() { in_namespace get deployments --selector "$labels" --output name; }
upgrade() {
  helm upgrade --install "$release" "$root/k8s/chart" --namespace "$namespace" --values "$values" \
    --set "image=$image" --set-file "trustRoot.signersJson=${TRUST_ROOT:-$root/tools/signers.json}" --timeout "$timeout" "$@"
}
each() { for one in $(deployments); do in_namespace rollout "$@" "$one"; done; }
resume() {
  # One that is not paused is no mistake: the step before may have been cut off.
  for one in $(deployments); do in_namespace patch "$one" --type merge --patch '{"spec":{"paused":false}}' >/dev/null; done
}

case $step in
  apply)
    upgrade --wait --rollback-on-failure
    ;;
  canary)
    [ -n "$(deployments)" ] || fail "nothing is deployed in $namespace, of which a part could stay as it is: apply"
    for one in $(deployments); do in_namespace patch "$one" --type merge --patch '{"spec":{"paused":true}}' >/dev/null; done
    # Hooks, the migration among them, are waited for; a failing one ends this with nothing replaced.
    upgrade || {
      resume
      fail 'the upgrade failed, and no pod was replaced'
    }
    kernel=deployment/$release-kernel
    in_namespace patch "$kernel" --type merge --patch '{"spec":{"paused":false}}' >/dev/null
    # The first new pod is made beside the old ones (maxSurge 1, maxUnavailable 0).
    in_namespace wait "$kernel" --for=jsonpath='{.status.updatedReplicas}'=1 --timeout "$timeout"
    in_namespace patch "$kernel" --type merge --patch '{"spec":{"paused":true}}' >/dev/null
    in_namespace wait "$kernel" --for=condition=Available --timeout "$timeout"
    in_namespace get pods --selector "$labels,app.kubernetes.io/component=kernel" --output wide
    ;;
  finish)
    resume
    each status --timeout "$timeout"
    ;;
  rollback)
    helm rollback "$release" --namespace "$namespace" --timeout "$timeout"
    resume
    each status --timeout "$timeout"
    ;;
esac
