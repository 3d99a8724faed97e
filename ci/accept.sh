#!/bin/sh
# Runs the acceptance of a deployment from inside the pipeline, and writes acceptance.json.
#   ci/accept.sh staging|production
# The variables of scripts/acceptance.sh come from the environment on GitLab (docs/delivery.md): KERNEL_API_URL, KERNEL_CA_CERT, the
# certificates of the roles, KMS_ENDPOINT, KERNEL_WEB_URL, KERNEL_OIDC_ISSUER.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
environment=${1:-}
case $environment in
  staging | production) ;;
  *)
    echo "accept: the environment is staging or production, not '$environment'" >&2
    exit 2
    ;;
esac
status=0
# Secrets for TLS are those that cert-manager keeps; scripts/acceptance.sh finds every other key.
set -- --namespace "illuvrse-kernel-$environment" --signers "${TRUST_ROOT:-$root/tools/signers.json}"
for secret in $(kubectl --namespace "illuvrse-kernel-$environment" get certificates.cert-manager.io \
  --output 'jsonpath={range .items[*]}{.spec.secretName}{"\n"}{end}'); do
  set -- "$@" --tls-secret "$secret"
done
"$root/scripts/acceptance.sh" "$@" --json >acceptance.json || status=$?
node -e 'for (const { check, verdict, evidence } of JSON.parse(require("node:fs").readFileSync("acceptance.json", "utf8")).checks)
  console.log(`${verdict.padEnd(11)}  ${check}: ${evidence}`)'
exit "$status"
