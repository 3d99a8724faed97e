#!/bin/sh
# Fetches Schemathesis, which tests the live API against its OpenAPI document, with pip into the user's cache, once, and
# prints the folder. Needs Python 3.11 or newer with pip; test/contract/schemathesis knows the same folder.
set -eu

. "$(dirname -- "$0")/user-cache.sh"
requirements=$(dirname -- "$0")/../test/contract/schemathesis/requirements.txt
digest=$(sha256sum "$requirements" | cut -c1-12)
target=$cache/schemathesis-$digest

if [ ! -d "$target" ]; then
  python3 -m pip --version >/dev/null 2>&1 || {
    echo 'install-schemathesis: python3 has no pip; install it (Debian: apt-get install python3-pip), then run this again' >&2
    exit 1
  }
  echo 'fetching Schemathesis (some 60 MB)' >&2
  mkdir -p "$cache"
  # Filled in another folder and then moved: another installation may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  python3 -m pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes --only-binary=:all: \
    --target "$partial/site" --requirement "$requirements" >&2
  mv "$partial/site" "$target" 2>/dev/null || [ -d "$target" ]
fi
printf '%s\n' "$target"
