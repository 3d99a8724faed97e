#!/bin/sh
# mmdebstrap's extract hook for scripts/image/make-bases.sh; its argument is the root. Notes the packages where scanners look
# in images without dpkg (var/lib/dpkg/status.d, as "distroless" images have it), and takes away what the base does not
# need of them: programs that only configure ca-certificates, and pages for people. Licences stay.
set -eu
root=$1
notes=$root/var/lib/dpkg/status.d
mkdir -p "$notes"
for archive in "$root"/var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb --field "$archive" Package)
  case $name in
    debconf | mawk | openssl)
      dpkg-deb --fsys-tarfile "$archive" | tar --list | while read -r file; do
        if [ ! -d "$root/$file" ] || [ -h "$root/$file" ]; then rm -f "$root/$file"; fi
      done
      ;;
    *) dpkg-deb --field "$archive" >"$notes/$name" ;;
  esac
done
rm -rf "$root/usr/share/man" "$root/usr/share/locale" "$root/usr/share/lintian" "$root/usr/share/gcc" \
  "$root/usr/share/gdb" "$root/usr/share/bug" "$root/usr/sbin/update-ca-certificates"
