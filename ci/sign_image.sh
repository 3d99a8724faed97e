#!/bin/sh
# Signs an image and the statement of what is in it, and verifies both as whoever deploys does.
#   ci/sign_image.sh NAME@sha256:DIGEST SBOM.spdx.json
# COSIGN_KEY is a key that stays where it is (hashivault://NAME, awskms://...), COSIGN_PUBLIC_KEY the file of its public key. The
# signature is not put into a public log: the image is not public.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
image=${1:-}
sbom=${2:-}
"$root/ci/require_image_digest.sh" "$image"
[ -r "$sbom" ] || {
  echo "sign-image: '$sbom' cannot be read; make it with syft" >&2
  exit 1
}
: "${COSIGN_KEY:?COSIGN_KEY names no key in a KMS}" "${COSIGN_PUBLIC_KEY:?COSIGN_PUBLIC_KEY names no file}"
case $COSIGN_KEY in
  *://*) ;;
  *)
    echo "sign-image: COSIGN_KEY is $COSIGN_KEY, a file; a key that signs images stays in the KMS" >&2
    exit 1
    ;;
esac
cosign sign --yes --use-signing-config=false --tlog-upload=false --key "$COSIGN_KEY" "$image"
cosign attest --yes --use-signing-config=false --tlog-upload=false --key "$COSIGN_KEY" --type spdxjson --predicate "$sbom" "$image"
cosign verify --insecure-ignore-tlog=true --key "$COSIGN_PUBLIC_KEY" "$image" >/dev/null
cosign verify-attestation --insecure-ignore-tlog=true --key "$COSIGN_PUBLIC_KEY" --type spdxjson "$image" >/dev/null
echo "signed and verified: $image"
