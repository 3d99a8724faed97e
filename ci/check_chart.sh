#!/bin/sh
# Lints the chart with the values of every environment, and holds what it renders to the rules of kube-score and checkov. What is
# accepted of their findings is in ci/tools/checkov.yaml and below, each with its reason. kubeconform runs in the chart's tests.
set -eu
cd "$(dirname -- "$0")/.."

PATH="$(scripts/install-kube.sh client):$(scripts/install-pipeline-tools.sh chart):$PATH"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' HUP INT TERM

image=registry.example.com/illuvrse/kernel@sha256:$(printf '%064d' 0)
for environment in dev staging production; do
  set -- --namespace "illuvrse-kernel-$environment" --values "k8s/chart/values-$environment.yaml" --set "image=$image" \
    --set-file trustRoot.signersJson=tools/signers.json
  helm lint --strict k8s/chart "$@"
  helm template illuvrse-kernel k8s/chart "$@" >"$folder/$environment.yaml"
done
# The tags of images are none: they have digests. Pods that have to be on different nodes say so by topologySpreadConstraints.
# Memory and CPU have requests below their limits on purpose, and write to memory only.
for environment in staging production; do
  kube-score score --ignore-test container-image-tag --ignore-test container-image-pull-policy \
    --ignore-test deployment-has-host-podantiaffinity --ignore-test container-resource-requests-equal-limits \
    --ignore-test container-ephemeral-storage-request-and-limit \
    --output-format ci "$folder/$environment.yaml" >"$folder/score" || [ $? -eq 1 ]
  # It says OK for what it looked at: an empty answer is no good one.
  grep -q '^\[OK\]' "$folder/score"
  # There is one archiver and one auditor on purpose (values.yaml says why); the pod of `helm test` runs once and needs no probe.
  # The kernel's replicas are those of its first installation: an upgrade keeps what the autoscaler has set (templates/_refusals.tpl).
  if grep -E '^\[(CRITICAL|WARNING)\]' "$folder/score" |
    grep -v -e 'illuvrse-kernel-\(archiver\|auditor\)/.* Deployment \(few replicas\|update strategy\)' \
      -e 'illuvrse-kernel-smoke/.* missing a readinessProbe' \
      -e 'illuvrse-kernel-kernel/.* targeted by a HPA, but a static replica count'; then
    echo "check-chart: kube-score has found that of $environment" >&2
    exit 1
  fi
  helm template illuvrse-kernel k8s/chart --skip-tests --namespace "illuvrse-kernel-$environment" \
    --values "k8s/chart/values-$environment.yaml" --set "image=$image" --set-file trustRoot.signersJson=tools/signers.json \
    >"$folder/without-tests.yaml"
  # Without asking its vendor for texts.
  checkov --skip-download --quiet --compact --framework kubernetes --config-file ci/tools/checkov.yaml \
    --file "$folder/without-tests.yaml"
done
echo 'the chart is in order'
