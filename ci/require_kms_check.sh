#!/bin/sh
# The gate for protected branches and deployments: with REQUIRE_KMS=true it passes only when KMS_ENDPOINT holds its keys
# in an HSM or a KMS, and they sign.
set -eu

usage() {
  cat <<'USAGE'
usage: ci/require_kms_check.sh

Without REQUIRE_KMS, or with REQUIRE_KMS=false, it passes and asks nobody. With REQUIRE_KMS=true it fails when
KMS_ENDPOINT is not set, does not answer, holds a key that is not kept in an HSM or a KMS, does not hold SIGNER_ID, or
says that it cannot sign.

Environment (the variables of the kernel process, or those of kernel.env):
  REQUIRE_KMS or REQUIRE_SIGNING_PROXY    true or false; one that is true is enough
  KMS_ENDPOINT or SIGNING_PROXY_URL       the signing proxy, https; when both are set, the same
  SIGNER_ID               a key that has to be there, for audit
  KERNEL_ALLOW_SOFTHSM    true takes a SoftHSM token for an HSM: for staging
  KMS_CA_FILE or KERNEL_CA_CERT                     authority of its certificate (PEM file)
  KMS_CLIENT_CERT_FILE or KERNEL_OPERATOR_CERT      client certificate (PEM file)
  KMS_CLIENT_KEY_FILE or KERNEL_OPERATOR_KEY        its key (PEM file)

Needs curl and Node.js 20 or newer. Exit status: 0 passed, 1 failed, 2 wrong use.
USAGE
}

fail() {
  echo "require-kms: $1" >&2
  exit "${2:-1}"
}

case ${1:-} in
  '') ;;
  -h | --help)
    usage
    exit 0
    ;;
  *)
    usage >&2
    fail "unknown argument: $1" 2
    ;;
esac
for flag in "REQUIRE_KMS=${REQUIRE_KMS:-}" "REQUIRE_SIGNING_PROXY=${REQUIRE_SIGNING_PROXY:-}" "KERNEL_ALLOW_SOFTHSM=${KERNEL_ALLOW_SOFTHSM:-}"; do
  case ${flag#*=} in
    '' | true | false) ;;
    # Denied by default: a gate that took "True" or "1" for "no" would be open.
    *) fail "${flag%%=*} has to be true or false, not ${flag#*=}" 2 ;;
  esac
done
if [ "${REQUIRE_KMS:-false}" = false ] && [ "${REQUIRE_SIGNING_PROXY:-false}" = false ]; then
  echo 'REQUIRE_KMS is not true: a KMS is not required here'
  exit 0
fi
if [ -n "${KMS_ENDPOINT:-}" ] && [ -n "${SIGNING_PROXY_URL:-}" ] && [ "$KMS_ENDPOINT" != "$SIGNING_PROXY_URL" ]; then
  fail "KMS_ENDPOINT and SIGNING_PROXY_URL name two signing proxies ($KMS_ENDPOINT, $SIGNING_PROXY_URL): one of them is not checked" 2
fi
KMS_ENDPOINT=${KMS_ENDPOINT:-${SIGNING_PROXY_URL:-}}
[ -n "$KMS_ENDPOINT" ] ||
  fail 'a KMS is required (REQUIRE_KMS=true), but KMS_ENDPOINT is not set: set it to the signing proxy'

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/signing-proxy-connection.sh"

answers=$(mktemp -d)
trap 'rm -rf "$answers"' EXIT
trap 'exit 1' HUP INT TERM
ask /v1/keys "$answers/keys" || fail "the signing proxy at $url did not give its keys"
# 503 when a backend does not sign, so its own message is lost here; the proxy's log and /ready have it.
ask /v1/health "$answers/health" || fail "the signing proxy at $url says that it cannot sign now"

ANSWER=$answers/keys node - <<'PROGRAM'
const { readFileSync } = require('node:fs');
const { ANSWER, SIGNER_ID, KERNEL_ALLOW_SOFTHSM } = process.env;

function fail(what) {
  process.stderr.write(`require-kms: ${what}\n`);
  process.exit(1);
}

let keys;
try {
  ({ keys } = JSON.parse(readFileSync(ANSWER, 'utf8')));
} catch (error) {
  fail(`the signing proxy's answer is not JSON: ${error.message}`);
}
if (!Array.isArray(keys) || keys.length === 0) fail('the signing proxy holds no key');
const kept = ['hsm', 'kms', ...(KERNEL_ALLOW_SOFTHSM === 'true' ? ['softhsm'] : [])];
for (const { kid, algorithm, backend, protection } of keys) {
  if (algorithm !== 'ed25519') fail(`key ${kid} is of the algorithm ${algorithm}; only ed25519 is known`);
  if (!kept.includes(protection)) {
    const how = protection === undefined ? 'does not say how it is kept' : `is kept as "${protection}"`;
    fail(`key ${kid} (${backend}) ${how}, and REQUIRE_KMS=true takes ${kept.join(' or ')} only`);
  }
}
for (const purpose of ['audit', 'manifest']) {
  if (!keys.some(({ purposes }) => Array.isArray(purposes) && purposes.includes(purpose))) {
    fail(`the signing proxy holds no key for ${purpose}`);
  }
}
if (SIGNER_ID && !keys.some(({ kid, purposes }) => kid === SIGNER_ID && purposes.includes('audit'))) {
  fail(`SIGNER_ID names ${SIGNER_ID}, which the signing proxy does not hold for audit`);
}
process.stdout.write(keys.map(({ kid, backend, protection }) => `${kid}: ${backend}, ${protection}\n`).join(''));
process.stdout.write('all keys are in an HSM or a KMS, and they sign\n');
PROGRAM
