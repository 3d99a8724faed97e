#!/bin/sh
# Builds the image, pushes it, and writes RELEASE_IMAGE=NAME@sha256:DIGEST to image.env. IMAGE_REPOSITORY names the repository
# (default: that of the project), IMAGE_BASE and IMAGE_BUILD_BASE the bases by digest (default: made here). Needs buildah.
set -eu
cd "$(dirname -- "$0")/.."

repository=${IMAGE_REPOSITORY:-${CI_REGISTRY_IMAGE:?CI_REGISTRY_IMAGE is not set: name the repository in IMAGE_REPOSITORY}/kernel}
tag=$repository:$(git rev-parse HEAD)
if [ -n "${IMAGE_BASE:-}" ]; then
  scripts/build-image.sh --tag "$tag" --base "$IMAGE_BASE" --build-base "${IMAGE_BUILD_BASE:?IMAGE_BASE without IMAGE_BUILD_BASE}"
else
  scripts/build-image.sh --tag "$tag"
fi
digest=$(mktemp)
trap 'rm -f "$digest"' EXIT
trap 'exit 1' HUP INT TERM
# By standard input: arguments of a process are seen by others.
[ -z "${CI_REGISTRY_PASSWORD:-}" ] ||
  printf '%s' "$CI_REGISTRY_PASSWORD" | buildah login --username "$CI_REGISTRY_USER" --password-stdin "$CI_REGISTRY"
buildah push --digestfile "$digest" "$tag"
image=$repository@$(cat "$digest")
ci/require_image_digest.sh "$image"
echo "RELEASE_IMAGE=$image" | tee image.env
