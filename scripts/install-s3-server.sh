#!/bin/sh
# Builds the S3 server that tests and `./kernel up --archive s3` run (versitygw: object lock and versioning over a
# folder) into the user's cache, once, and prints its path. Needs Go 1.25 or newer; libs/dev/devstack knows the same version.
set -eu

version=1.8.0

. "$(dirname -- "$0")/user-cache.sh"
target=$cache/versitygw-$version

if [ ! -x "$target/versitygw" ]; then
  command -v go >/dev/null 2>&1 || {
    echo "install-s3-server: go is not installed; install Go 1.25 or newer, then run this again" >&2
    exit 1
  }
  echo "building versitygw $version (a minute or two)" >&2
  mkdir -p "$cache"
  # Built in another folder and then moved: another build may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  # Ignores the caller's settings: they may cross-compile, or install elsewhere.
  GOBIN=$partial GOOS='' GOARCH='' GOFLAGS='' CGO_ENABLED=0 \
    go install "github.com/versity/versitygw/cmd/versitygw@v$version" >&2
  mkdir -p "$target"
  mv -f "$partial/versitygw" "$target/versitygw"
fi
printf '%s\n' "$target/versitygw"
