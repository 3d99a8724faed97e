#!/bin/sh
# Builds a program of others that `./kernel bench stack --peer tessera` measures beside the kernel, into the user's cache, once,
# and prints its folder: the few lines of test/bench/peers/tessera around Tessera's POSIX driver. Needs Go 1.25 or newer.
# test/bench/peers/tessera.ts knows the same folder.
set -eu

. "$(dirname -- "$0")/user-cache.sh"
sources=$(CDPATH='' cd -- "$(dirname -- "$0")/../test/bench/peers/tessera" && pwd -P)
# Changed sources are built into another folder.
digest=$(cd "$sources" && cat go.mod go.sum main.go | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-12)
target=$cache/tessera-$digest

if [ ! -x "$target/tessera" ]; then
  command -v go >/dev/null 2>&1 || {
    echo 'install-bench-peers: go is not installed; install it, then run this again' >&2
    exit 1
  }
  echo "building the server around Tessera (a minute)" >&2
  mkdir -p "$cache"
  # Built in another folder and then moved: another build may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  (cd "$sources" && GOBIN=$partial GOOS='' GOARCH='' GOFLAGS='' CGO_ENABLED=0 go install . >&2)
  mv -f "$partial/tessera-peer" "$partial/tessera"
  mkdir -p "$target"
  mv -f "$partial/tessera" "$target/tessera"
fi
printf '%s\n' "$target"
