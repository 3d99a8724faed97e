#!/bin/sh
# Holds that an image is named by its digest: a tag is whatever somebody pushed last.
#   ci/require_image_digest.sh NAME@sha256:DIGEST
set -eu

printf '%s\n' "${1:-}" | grep -Eqx '[a-z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}' || {
  echo "require-image-digest: '${1:-}' is not NAME@sha256:DIGEST, so nobody knows which image that is" >&2
  exit 1
}
