#!/bin/sh
# Builds the programs of others with which tests check our transparency log, into the user's cache, once, and prints their
# folder: litewitness (a witness), Tessera's fsck, and test/log/go, which is a few lines around the libraries of torchwood and
# transparency-dev. Needs Go 1.25 or newer; test/log/tlog-tools.ts knows the same folder.
set -eu

litewitness=0.6.1
fsck=1.0.4

. "$(dirname -- "$0")/user-cache.sh"
sources=$(CDPATH='' cd -- "$(dirname -- "$0")/../test/log/go" && pwd -P)
# Changed sources are built into another folder.
digest=$(cd "$sources" && cat go.mod go.sum follow/main.go receipt/main.go witnessclient/main.go |
  { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-12)
target=$cache/tlog-tools-$litewitness-$fsck-$digest

if [ ! -x "$target/litewitness" ]; then
  command -v go >/dev/null 2>&1 || {
    echo "install-tlog-tools: go is not installed; install Go 1.25 or newer, then run this again" >&2
    exit 1
  }
  echo "building litewitness $litewitness, fsck $fsck and test/log/go (a minute or two)" >&2
  mkdir -p "$cache"
  # Built in another folder and then moved: another build may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  # Ignores the caller's settings: they may cross-compile, or install elsewhere.
  build() {
    GOBIN=$partial GOOS='' GOARCH='' GOFLAGS='' CGO_ENABLED=0 go "$@" >&2
  }
  build install "github.com/transparency-dev/tessera/cmd/fsck@v$fsck"
  build install "filippo.io/torchwood/cmd/litewitness@v$litewitness"
  (cd "$sources" && build install ./follow ./receipt ./witnessclient)
  mkdir -p "$target"
  # litewitness last, since its presence marks a complete installation.
  for program in fsck follow receipt witnessclient litewitness; do mv -f "$partial/$program" "$target/$program"; done
fi
printf '%s\n' "$target"
