#!/bin/sh
# Takes away what no process reads from an installed node_modules: declarations, source maps, typeorm's copy for browsers,
# what pkcs11js was compiled from, and the links of programs. Licences stay. Usage: slim-packages.sh node_modules
set -eu
cd "$1"
find . -type f \( -name '*.map' -o -name '*.d.ts' -o -name '*.d.mts' -o -name '*.d.cts' -o -name '*.tsbuildinfo' \) -delete
rm -rf typeorm/browser .bin
if [ -e pkcs11js/build/Release/pkcs11.node ]; then
  mv pkcs11js/build/Release/pkcs11.node pkcs11js/pkcs11.node.kept
  rm -rf pkcs11js/build pkcs11js/src pkcs11js/includes
  mkdir -p pkcs11js/build/Release
  mv pkcs11js/pkcs11.node.kept pkcs11js/build/Release/pkcs11.node
fi
find . -type d -empty -delete
chmod -R u=rwX,go=rX .
