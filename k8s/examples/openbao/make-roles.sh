#!/bin/sh
# Makes a policy and a role for each ServiceAccount of the chart, by `bao` as it is logged in. The audience is secrets.csi.audience
# and signingProxy.vault.audience of the chart.
set -eu
release=${1:-illuvrse-kernel}
namespace=${2:-illuvrse-kernel-production}
cd "$(dirname -- "$0")"
for policy in *.hcl; do
  component=${policy%.hcl}
  bao policy write "$release-$component" "$policy"
  bao write "auth/kubernetes/role/$release-$component" \
    bound_service_account_names="$release-$component" bound_service_account_namespaces="$namespace" \
    audience=vault token_policies="$release-$component" token_no_default_policy=true token_ttl=15m
done
