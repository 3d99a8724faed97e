#!/bin/sh
# Writes signers.json (docs/spec/signers.md), the verifier's trust root, from the public keys of a running signing proxy.
set -eu

usage() {
  cat <<'USAGE'
usage: scripts/update-signers-from-kms.sh [--out FILE] [--prune]

Adds the keys that the signing proxy holds to a signers.json. Keys already in the file stay as they are, also those the
proxy no longer has: events they signed must remain verifiable. A key whose public key changed under its old name, and a
file of another kernel, are refused.

  --out FILE   the file to write (default: tools/signers.json)
  --prune      remove keys that the proxy no longer has

Environment (the variables of kernel.env, or those of the kernel process):
  KMS_ENDPOINT or KERNEL_SIGNING_PROXY_URL          the signing proxy, https
  KMS_CA_FILE or KERNEL_CA_CERT                     authority of its certificate (PEM file)
  KMS_CLIENT_CERT_FILE or KERNEL_OPERATOR_CERT      client certificate (PEM file)
  KMS_CLIENT_KEY_FILE or KERNEL_OPERATOR_KEY        its key (PEM file)

Needs curl and Node.js 20 or newer. Exit status: 0 done, 1 failed and nothing changed, 2 wrong use.
USAGE
}

fail() {
  echo "update-signers: $1" >&2
  exit "${2:-1}"
}

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
out=$root/tools/signers.json
prune=false
while [ $# -gt 0 ]; do
  case $1 in
    --out)
      [ $# -ge 2 ] && [ -n "$2" ] || fail '--out needs the name of a file' 2
      out=$2
      shift 2
      ;;
    --prune)
      prune=true
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *)
      usage >&2
      fail "unknown argument: $1" 2
      ;;
  esac
done

. "$root/scripts/signing-proxy-connection.sh"

dir=$(dirname -- "$out")
[ -d "$dir" ] || fail "there is no folder $dir" 2
# In the same folder, since only a rename within one file system is atomic.
answer=$(mktemp "$dir/.signers.XXXXXX")
draft=$(mktemp "$dir/.signers.XXXXXX")
trap 'rm -f "$answer" "$draft"' EXIT
trap 'exit 1' HUP INT TERM

ask /v1/keys "$answer" || fail "the signing proxy at $url did not give its keys"

ANSWER=$answer OUT=$out DRAFT=$draft PRUNE=$prune node - <<'PROGRAM' || exit 1
const { createPublicKey } = require('node:crypto');
const { existsSync, readFileSync, writeFileSync } = require('node:fs');
const { ANSWER, OUT, DRAFT, PRUNE } = process.env;

function fail(what) {
  process.stderr.write(`update-signers: ${what}\n`);
  process.exit(1);
}

function parse(path, what) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    return fail(`${what} is not JSON: ${error.message}`);
  }
}

/** One spelling for one key, so that the same key is recognised. */
function canonicalPem(pem, whose) {
  try {
    const key = createPublicKey(pem);
    if (key.asymmetricKeyType === 'ed25519') return key.export({ format: 'pem', type: 'spki' });
  } catch {
    // Told below, like a key of another kind.
  }
  return fail(`${whose} is no Ed25519 public key`);
}

const { origin, keys } = parse(ANSWER, "the signing proxy's answer");
if (typeof origin !== 'string' || origin === '' || !Array.isArray(keys) || keys.length === 0) {
  fail("the signing proxy's answer is not { origin, keys } with at least one key");
}
const held = keys.map(({ kid, algorithm, publicKeyPem, purposes, backend, createdAt }) => {
  if (typeof kid !== 'string' || !/^[\x21-\x7e]{1,255}$/.test(kid)) fail("the signing proxy's answer has a key without a name");
  if (algorithm !== 'ed25519') fail(`key ${kid} is of the algorithm ${algorithm}; only ed25519 is known`);
  const fits = Array.isArray(purposes) && purposes.every((purpose) => ['audit', 'manifest', 'checkpoint'].includes(purpose));
  if (!fits || purposes.length === 0) fail(`key ${kid} has purposes that are not known`);
  return { kid, pem: canonicalPem(publicKeyPem, `key ${kid}`), purposes, backend, createdAt };
});
if (new Set(held.map(({ kid }) => kid)).size !== held.length) fail("the signing proxy's answer has a key twice");

const before = existsSync(OUT) ? readFileSync(OUT, 'utf8') : '';
const file = before === '' ? { signers: [] } : parse(OUT, OUT);
if (!Array.isArray(file.signers)) fail(`${OUT} is not { "signers": [...] }`);
if (file.origin !== undefined && file.origin !== origin) {
  fail(`${OUT} belongs to ${file.origin}, the signing proxy to ${origin}: name another file with --out`);
}

const report = [];
const signers = [];
for (const entry of file.signers) {
  const key = held.find(({ kid }) => kid === entry.signer_kid);
  if (!key) {
    report.push(`${PRUNE === 'true' ? 'removed' : 'kept   '}  ${entry.signer_kid} (the signing proxy does not have it)`);
    if (PRUNE !== 'true') signers.push(entry);
    continue;
  }
  if (canonicalPem(entry.public_key_pem, `${entry.signer_kid} in ${OUT}`) !== key.pem) {
    fail(`key ${key.kid} of the signing proxy is not the one in ${OUT}: a new key needs a new name; nothing was changed`);
  }
  const same = JSON.stringify(entry.purposes) === JSON.stringify(key.purposes);
  report.push(`${same ? 'same   ' : 'changed'}  ${key.kid}${same ? '' : ` (purposes are now ${key.purposes.join(', ')})`}`);
  signers.push(same ? entry : { ...entry, purposes: key.purposes });
}
for (const { kid, pem, purposes, backend, createdAt } of held) {
  if (file.signers.some(({ signer_kid }) => signer_kid === kid)) continue;
  report.push(`added    ${kid} (${purposes.join(', ')}; ${backend})`);
  signers.push({
    signer_kid: kid,
    algorithm: 'ed25519',
    public_key_pem: pem,
    deployedAt: createdAt ?? new Date().toISOString(),
    description: `${purposes.join(' and ')} key, ${backend} backend`,
    purposes,
    status: 'active',
    retiredAt: null,
    compromisedAt: null,
  });
}
const names = new Map();
for (const { signer_kid, public_key_pem } of signers) {
  const pem = canonicalPem(public_key_pem, `${signer_kid} in ${OUT}`);
  if (names.has(pem)) {
    fail(`${signer_kid} is the same key as ${names.get(pem)}, and a key has one name: remove one of them; nothing was changed`);
  }
  names.set(pem, signer_kid);
}
writeFileSync(DRAFT, `${JSON.stringify({ origin, ...file, signers }, null, 2)}\n`);
process.stdout.write(report.map((line) => `${line}\n`).join(''));
PROGRAM

if [ -f "$out" ] && cmp -s "$draft" "$out"; then
  echo "$out is up to date"
  exit 0
fi
chmod 0644 "$draft"
mv -f "$draft" "$out"
echo "wrote $out"
