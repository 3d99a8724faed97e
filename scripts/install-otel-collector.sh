#!/bin/sh
# Builds an OpenTelemetry Collector with what the tests need of it (OTLP in, OTLP out as JSON) into the user's cache, once, and
# prints its path. Needs Go 1.26 or newer.
set -eu

version=0.165.0

. "$(dirname -- "$0")/user-cache.sh"
target=$cache/otel-collector-$version

if [ ! -x "$target/otelcol" ]; then
  command -v go >/dev/null 2>&1 || {
    echo 'install-otel-collector: go is not installed; install it (Debian: apt-get install golang-go), then run this again' >&2
    exit 1
  }
  echo "building the OpenTelemetry Collector $version (two minutes)" >&2
  mkdir -p "$cache"
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'chmod -R u+w "$partial"; rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  # What the build leaves in Go's caches is large and of no further use.
  export GOBIN="$partial" GOCACHE="$partial/cache" GOMODCACHE="$partial/modules" GOFLAGS='' GOOS='' GOARCH='' CGO_ENABLED=0
  go install "go.opentelemetry.io/collector/cmd/builder@v$version" >&2
  cat >"$partial/builder.yaml" <<END
dist:
  name: otelcol
  output_path: $partial/build
receivers:
  - gomod: go.opentelemetry.io/collector/receiver/otlpreceiver v$version
exporters:
  - gomod: go.opentelemetry.io/collector/exporter/otlphttpexporter v$version
END
  (cd "$partial" && ./builder --config builder.yaml --ldflags='-s -w') >&2
  mkdir -p "$target"
  mv -f "$partial/build/otelcol" "$target/otelcol"
fi
printf '%s\n' "$target/otelcol"
