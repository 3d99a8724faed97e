# Sourced by shell procedures that ask the signing proxy; they define fail MESSAGE [STATUS] before.
# Sets url, ca, cert and key from the environment: the names of the kernel process, then those of kernel.env.
# shellcheck shell=sh

url=${KMS_ENDPOINT:-${KERNEL_SIGNING_PROXY_URL:-}}
ca=${KMS_CA_FILE:-${KERNEL_CA_CERT:-}}
cert=${KMS_CLIENT_CERT_FILE:-${KERNEL_OPERATOR_CERT:-}}
key=${KMS_CLIENT_KEY_FILE:-${KERNEL_OPERATOR_KEY:-}}
[ -n "$url" ] || fail 'set KMS_ENDPOINT or KERNEL_SIGNING_PROXY_URL to the signing proxy (or: set -a; . .kernel/kernel.env)' 2
[ -n "$ca" ] || fail 'set KMS_CA_FILE or KERNEL_CA_CERT to the authority of its certificate' 2
[ -n "$cert" ] || fail 'set KMS_CLIENT_CERT_FILE or KERNEL_OPERATOR_CERT to a client certificate' 2
[ -n "$key" ] || fail 'set KMS_CLIENT_KEY_FILE or KERNEL_OPERATOR_KEY to the key of the client certificate' 2
for file in "$ca" "$cert" "$key"; do
  [ -r "$file" ] || fail "$file cannot be read" 2
done
for tool in curl node; do
  command -v "$tool" >/dev/null 2>&1 || fail "$tool is not installed" 2
done

# ask PATH FILE: the answer to a GET; fails when there is none, or another status than 200.
ask() {
  curl --silent --show-error --fail --proto '=https' --tlsv1.2 --connect-timeout 5 --max-time 15 \
    --cacert "$ca" --cert "$cert" --key "$key" --output "$2" "${url%/}$1"
}
