#!/bin/sh
# Runs the acceptance criteria of a deployment against a kernel that is running, and prints them as a table with evidence:
# docs/acceptance.md. Needs Node.js 20 or newer and this folder, no installation; curl where a signing proxy is named.
set -eu

command -v node >/dev/null 2>&1 || {
  echo 'acceptance: node is not installed; install Node.js 20 or newer' >&2
  exit 2
}
exec node "$(dirname -- "$0")/acceptance/main.mjs" "$@"
