#!/bin/sh
# Runs a kernel whose keys are in a token of SoftHSM behind the signing proxy, as staging has them, and holds that the gate for
# protected branches passes there and nowhere else, and that what it signs verifies.
set -eu
cd "$(dirname -- "$0")/.."

state=$(mktemp -d)
trap './kernel down --state "$state" >/dev/null 2>&1 || true; rm -rf "$state"' EXIT
trap 'exit 1' HUP INT TERM

fail() {
  echo "emulated-kms: $1" >&2
  exit 1
}

base=${PORT_BASE:-18440}
./kernel up --detach --state "$state" --port-base "$base" --signer pkcs11
set -a
. "$state/kernel.env"
set +a

REQUIRE_KMS=true KMS_ENDPOINT=$KERNEL_SIGNING_PROXY_URL KERNEL_ALLOW_SOFTHSM=true ci/require_kms_check.sh
if REQUIRE_KMS=true KMS_ENDPOINT=$KERNEL_SIGNING_PROXY_URL ci/require_kms_check.sh 2>/dev/null; then
  fail 'ci/require_kms_check.sh took SoftHSM for an HSM without being told to'
fi
if REQUIRE_SIGNING_PROXY=true SIGNING_PROXY_URL=https://localhost:1 ci/require_kms_check.sh 2>/dev/null; then
  fail 'ci/require_kms_check.sh passed a signing proxy that is not there'
fi
scripts/update-signers-from-kms.sh --out "$state/signers.json"
scripts/acceptance.sh --allow-softhsm --person auditor --oidc-issuer "http://127.0.0.1:$((base + 7))"
# By the keys as the signing proxy gave them, without a word of the kernel.
curl --silent --show-error --fail --cacert "$KERNEL_CA_CERT" --cert "$KERNEL_OPERATOR_CERT" --key "$KERNEL_OPERATOR_KEY" \
  --output "$state/export" "$KERNEL_API_URL/kernel/audit/export"
node tools/audit-verify.js --signers "$state/signers.json" --export "$state/export"
