#!/bin/sh
# mmdebstrap's extract hook for scripts/image/make-bases.sh; its argument is the root. Notes the packages where scanners look
# in images without dpkg (var/lib/dpkg/status.d, as "distroless" images have it), and takes away what the base does not
# need: packages that only others' installation needs, and pages for people. Licences stay.
set -eu
root=$1
notes=$root/var/lib/dpkg/status.d
mkdir -p "$notes"

# Takes the files of an archive away, but those whose path matches.
strip() {
  dpkg-deb --fsys-tarfile "$1" | tar --list | grep -v -e "$2" | while read -r file; do
    if [ ! -d "$root/$file" ] || [ -h "$root/$file" ]; then rm -f "$root/$file"; fi
  done
}

for archive in "$root"/var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb --field "$archive" Package)
  case $name in
    base-files | ca-certificates | catatonit | gcc-*-base | libc6 | libgcc-s1 | libssl3 | libstdc++6) ;;
    # The witness locks its folder by this program.
    util-linux) strip "$archive" '/usr/bin/flock$\|/copyright$' ;;
    *)
      strip "$archive" '^$'
      continue
      ;;
  esac
  dpkg-deb --field "$archive" >"$notes/$name"
done
rm -rf "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/lintian" "$root/usr/share/gcc" \
  "$root/usr/share/gdb" "$root/usr/share/bug" "$root/usr/sbin/update-ca-certificates"
find "$root/usr" "$root/lib" "$root/etc" "$root/var" "$root/bin" "$root/sbin" -type d -empty -delete 2>/dev/null || true
mkdir -p "$root/etc/ssl/certs" "$root/var/cache/apt/archives/partial" "$root/var/lib/apt/lists/partial"
