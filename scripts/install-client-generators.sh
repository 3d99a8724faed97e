#!/bin/sh
# Installs the programs that make clients of the API from its contract into the user's cache, once, and prints their folder:
# openapi-python-client (in an environment of its own, with what its clients need to run) and oapi-codegen. Needs Python 3.11
# and Go 1.26 or newer. scripts/generate-clients.sh uses them.
set -eu

python_client=0.29.1
oapi_codegen=2.8.2

. "$(dirname -- "$0")/user-cache.sh"
target=$cache/client-generators-$python_client-$oapi_codegen

if [ ! -x "$target/oapi-codegen" ]; then
  for program in go python3; do
    command -v "$program" >/dev/null 2>&1 || {
      echo "install-client-generators: $program is not installed; install it, then run this again" >&2
      exit 1
    }
  done
  echo "installing openapi-python-client $python_client and oapi-codegen $oapi_codegen (a minute)" >&2
  mkdir -p "$cache"
  # An environment of Python cannot be moved, so it is made in its place; another installation waits for its end.
  if ! mkdir "$target.lock" 2>/dev/null; then
    echo "install-client-generators: another one runs; if none does, remove $target.lock" >&2
    exit 1
  fi
  trap 'rmdir "$target.lock"' EXIT
  trap 'exit 1' HUP INT TERM
  rm -rf "$target"
  python3 -m venv "$target/python"
  "$target/python/bin/pip" install --quiet --disable-pip-version-check "openapi-python-client==$python_client" >&2
  # oapi-codegen last, since its presence marks a complete installation. Ignores the caller's settings.
  GOBIN=$target GOOS='' GOARCH='' GOFLAGS='' CGO_ENABLED=0 \
    go install "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v$oapi_codegen" >&2
fi
printf '%s\n' "$target"
