#!/bin/sh
# Fetches the Keycloak server that the nightly tests of sign-in run with Maven into the user's cache, once, builds it for
# development, and prints its folder. Needs Maven 3.6 or newer and Java 17 or newer; libs/dev/testing knows the same version.
set -eu

version=26.4.7

. "$(dirname -- "$0")/user-cache.sh"
target=$cache/keycloak-$version

if [ ! -d "$target" ]; then
  for program in mvn java unzip; do
    command -v "$program" >/dev/null 2>&1 || {
      echo "install-keycloak: $program is not installed; install Maven, Java 17 or newer and unzip, then run this again" >&2
      exit 1
    }
  done
  echo "fetching Keycloak $version (some 150 MB)" >&2
  mkdir -p "$cache"
  # Filled in another folder and then renamed: another installation may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  mvn --batch-mode --quiet -Dstyle.color=never dependency:copy \
    -Dartifact="org.keycloak:keycloak-quarkus-dist:$version:zip" -DoutputDirectory="$partial" >&2
  unzip -q "$partial/keycloak-quarkus-dist-$version.zip" -d "$partial"
  [ -x "$partial/keycloak-$version/bin/kc.sh" ] || {
    echo 'install-keycloak: Maven reported no failure, but the server is not there' >&2
    exit 1
  }
  [ -d "$target" ] || mv "$partial/keycloak-$version" "$target"
fi
printf '%s\n' "$target"
