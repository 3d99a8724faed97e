#!/bin/sh
# Lists what is in an image, in the formats SPDX 2.3 and CycloneDX: writes FOLDER/sbom.spdx.json and FOLDER/sbom.cdx.json.
# Usage: scripts/image/sbom.sh IMAGE FOLDER. Needs podman and root; fetches syft into the user's cache
# (scripts/install-image-tools.sh). Asks no server.
set -eu
[ $# -eq 2 ] || {
  echo 'usage: scripts/image/sbom.sh IMAGE FOLDER' >&2
  exit 2
}
image=$1
folder=$2
tools=$("$(dirname -- "$0")/../install-image-tools.sh")
mkdir -p "$folder"
digest=$(podman image inspect --format '{{.Id}}' "$image")
mounted=$(podman image mount "$image")
trap 'podman image unmount "$image" >/dev/null' EXIT
trap 'exit 1' HUP INT TERM
# With the rules for images: those for folders would list what package.json asks for, not what is installed.
SYFT_CHECK_FOR_APP_UPDATE=false "$tools/syft" scan "dir:$mounted" --quiet --override-default-catalogers image \
  --source-name "$image" --source-version "sha256:$digest" \
  --output "spdx-json=$folder/sbom.spdx.json" --output "cyclonedx-json=$folder/sbom.cdx.json"
