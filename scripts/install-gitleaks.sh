#!/bin/sh
# Builds gitleaks, which looks for secrets in the history of this repository, into the user's cache, once, and prints its path.
# Needs Go 1.24 or newer, which checks the sources against its checksum database; test/deploy/secret-scan.e2e.spec.ts knows
# the same version.
set -eu

version=8.30.1

. "$(dirname -- "$0")/user-cache.sh"
target=$cache/gitleaks-$version

if [ ! -x "$target/gitleaks" ]; then
  command -v go >/dev/null 2>&1 || {
    echo "install-gitleaks: go is not installed; install Go 1.24 or newer, then run this again" >&2
    exit 1
  }
  echo "building gitleaks $version (a minute)" >&2
  mkdir -p "$cache"
  # Built in another folder and then moved: another build may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  # Ignores the caller's settings: they may cross-compile, or install elsewhere.
  GOBIN=$partial GOOS='' GOARCH='' GOFLAGS='' CGO_ENABLED=0 go install -trimpath \
    -ldflags "-s -w -X github.com/zricethezav/gitleaks/v8/version.Version=$version" \
    "github.com/zricethezav/gitleaks/v8@v$version" >&2
  mkdir -p "$target"
  mv -f "$partial/gitleaks" "$target/gitleaks"
fi
printf '%s\n' "$target/gitleaks"
