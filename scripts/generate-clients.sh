#!/bin/sh
# Makes clients of the API from its contract: FOLDER/python, a package for pip, and FOLDER/go, a module.
# Usage: scripts/generate-clients.sh FOLDER
set -eu

[ $# -eq 1 ] || {
  echo 'usage: scripts/generate-clients.sh FOLDER' >&2
  exit 2
}
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
mkdir -p "$1"
folder=$(CDPATH='' cd -- "$1" && pwd -P)
generators=$("$root/scripts/install-client-generators.sh")
contract=$root/openapi/kernel.yaml

# It says which answers are no JSON; those are left to the caller.
"$generators/python/bin/openapi-python-client" generate --meta poetry --overwrite \
  --path "$contract" --config "$root/clients/python/generator.yaml" --output-path "$folder/python" >&2

mkdir -p "$folder/go"
cp "$root/clients/go/go.mod" "$root/clients/go/go.sum" "$folder/go/"
"$generators/oapi-codegen" -package kernel -generate types,client -o "$folder/go/kernel.go" "$contract" >&2
printf '%s\n' "$folder"
