#!/bin/sh
# Fetches the Kafka broker that tests and `./kernel up --stream kafka` run (Apache Kafka, one KRaft node) with Maven into
# the user's cache, once, and prints the folder of its jars. Needs Maven 3.6 or newer and Java 17 or newer; libs/dev/devstack
# knows the same version.
set -eu

version=4.4.0
# Kafka logs through slf4j 1.7 and leaves the choice of the logger to its operator.
slf4j=1.7.36

. "$(dirname -- "$0")/user-cache.sh"
target=$cache/kafka-$version

if [ ! -d "$target" ]; then
  for program in mvn java; do
    command -v "$program" >/dev/null 2>&1 || {
      echo "install-kafka: $program is not installed; install Maven and Java 17 or newer, then run this again" >&2
      exit 1
    }
  done
  echo "fetching Apache Kafka $version (some 45 MB)" >&2
  mkdir -p "$cache"
  # Filled in another folder and then renamed: another installation may be running, or this one may be interrupted.
  partial=$(mktemp -d "$target.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  trap 'exit 1' HUP INT TERM
  cat >"$partial/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>illuvrse-kernel</groupId>
  <artifactId>kafka-for-tests</artifactId>
  <version>1</version>
  <packaging>pom</packaging>
  <dependencies>
    <dependency>
      <groupId>org.apache.kafka</groupId>
      <artifactId>kafka_2.13</artifactId>
      <version>$version</version>
    </dependency>
    <dependency>
      <groupId>org.slf4j</groupId>
      <artifactId>slf4j-simple</artifactId>
      <version>$slf4j</version>
    </dependency>
  </dependencies>
</project>
POM
  mvn --batch-mode --quiet -Dstyle.color=never --file "$partial/pom.xml" dependency:copy-dependencies \
    -DincludeScope=runtime -DoutputDirectory="$partial/libs" >&2
  [ -f "$partial/libs/kafka_2.13-$version.jar" ] || {
    echo 'install-kafka: Maven reported no failure, but the broker is not there' >&2
    exit 1
  }
  chmod 755 "$partial/libs"
  [ -d "$target" ] || mv "$partial/libs" "$target"
  # If another installation was first, mv has put this folder into that one, whose jars are the same.
  rm -rf "$target/libs"
fi
printf '%s\n' "$target"
