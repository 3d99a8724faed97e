#!/bin/sh
# Builds the image of all processes (Dockerfile) and prints its id. The same commit on the same bases gives the same layers.
#
#   scripts/build-image.sh [--tag NAME] [--base IMAGE@DIGEST --build-base IMAGE@DIGEST] [--cached]
#
# Without bases it makes them (scripts/image/make-bases.sh), which needs no registry of images. --cached takes an image of
# this tag that was built from the same files before. SOURCE_DATE_EPOCH, VERSION, REVISION and SOURCE stand in for what git says.
# Needs buildah, git, npm and flock; runs as root, or below `buildah unshare`.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
root=$(dirname "$here")
tag=localhost/illuvrse-kernel:latest
base=${BASE:-}
build_base=${BUILD_BASE:-}
cached=false

fail() {
  echo "build-image: $1" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --tag | --base | --build-base)
      [ $# -ge 2 ] || fail "$1 needs a value"
      case $1 in
        --tag) tag=$2 ;;
        --base) base=$2 ;;
        --build-base) build_base=$2 ;;
      esac
      shift
      ;;
    --cached) cached=true ;;
    *) fail "it takes --tag, --base, --build-base and --cached, not $1" ;;
  esac
  shift
done
command -v buildah >/dev/null 2>&1 || fail 'buildah is not installed (Debian: apt-get install buildah)'

# One build at a time for a user: another may be making the same bases, or the image that this one looks for.
. "$here/user-cache.sh"
mkdir -p "$cache"
exec 9>"$cache/build-image.lock"
flock 9

if [ -z "$base$build_base" ]; then
  eval "$("$here/image/make-bases.sh" | sed 's/^BASE=/base=/; s/ BUILD_BASE=/ build_base=/')"
elif [ -z "$base" ] || [ -z "$build_base" ]; then
  fail 'give both --base and --build-base, or neither'
else
  for image in "$base" "$build_base"; do
    case $image in
      *@sha256:*) ;;
      *) fail "$image is not named by its digest (NAME@sha256:...), so nobody could build the same again" ;;
    esac
  done
fi

case $base in
  *@*) base_digest=${base##*@} ;;
  *) base_digest=$(buildah inspect --type image --format '{{.FromImageDigest}}' "$base") ;;
esac

# What the image is made of: the files that .dockerignore lets through, and the bases.
cd "$root"
sources=$(
  {
    echo "$base_digest $build_base"
    git ls-files -z --cached --others --exclude-standard -- Dockerfile .dockerignore .npmrc .swcrc LICENSE apps libs openapi \
      package.json package-lock.json scripts/*.mjs scripts/*.cjs scripts/image tools tsconfig.json |
      grep -zv -e '\.\(spec\|bench\|fixture\)\.ts$' | LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-32
)
if $cached && [ "$(buildah inspect --type image --format '{{index .OCIv1.Config.Labels "illuvrse.kernel.sources"}}' "$tag" 2>/dev/null)" = "$sources" ]; then
  echo "build-image: $tag was built from these files" >&2
  buildah inspect --type image --format '{{.FromImageID}}' "$tag"
  exit
fi

SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
version=${VERSION:-$(sed -n 's/^  "version": "\(.*\)",$/\1/p' package.json)}
if [ -z "${REVISION:-}" ]; then
  REVISION=$(git rev-parse HEAD)
  [ -z "$(git status --porcelain)" ] || REVISION=$REVISION-modified
fi

# The user's own settings and authorities for the registry of packages, which the image does not get to see.
set --
npmrc=${NPM_CONFIG_USERCONFIG:-${HOME:-/nonexistent}/.npmrc}
[ ! -r "$npmrc" ] || set -- "$@" --secret "id=npmrc,src=$npmrc"
[ -z "${NODE_EXTRA_CA_CERTS:-}" ] || set -- "$@" --secret "id=authorities,src=$NODE_EXTRA_CA_CERTS"
# What npm has fetched before; it compares each package with package-lock.json, wherever it comes from.
packages=$(npm config get cache)/_cacache
mkdir -p "$packages"

# The compiler opens all sources at once; a container is given 1,024 files by default.
files=$(ulimit -Hn)
[ "$files" != unlimited ] || files=65536

before=$(buildah inspect --type image --format '{{.FromImageID}}' "$tag" 2>/dev/null || true)
id=$(mktemp)
trap 'rm -f "$id"' EXIT
# With the format of Docker, since OCI's has no HEALTHCHECK. Without layers in between there is one on the base. chroot: the
# build needs no privileges that a container on a build machine lacks.
buildah build --quiet --format docker --isolation "${BUILDAH_ISOLATION:-chroot}" --network host --layers=false --ulimit "nofile=$files:$files" \
  --timestamp "$SOURCE_DATE_EPOCH" --volume "$packages:/root/.npm/_cacache" "$@" \
  --build-arg "BASE=$base" --build-arg "BASE_DIGEST=$base_digest" --build-arg "BUILD_BASE=$build_base" \
  --build-arg "VERSION=$version" --build-arg "REVISION=$REVISION" \
  --build-arg "CREATED=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y-%m-%dT%H:%M:%SZ)" \
  --build-arg "SOURCE=${SOURCE:-}" --label "illuvrse.kernel.sources=$sources" \
  --iidfile "$id" --tag "$tag" . >&2
# The image that had the tag before, unless it has another name or is in use.
if [ -n "$before" ] && buildah images --filter dangling=true --no-trunc --quiet | grep -q "$before"; then
  buildah rmi "$before" >/dev/null 2>&1 || true
fi
cat "$id"
echo
