# The secrets of signing-proxy, for its ServiceAccount alone.
path "kv/data/illuvrse-kernel-production/signing-proxy" {
  capabilities = ["read"]
}

# The keys: read public ones, sign. Nothing makes, exports or deletes them.
path "transit/keys/kernel-audit-ed25519-v1" {
  capabilities = ["read"]
}
path "transit/sign/kernel-audit-ed25519-v1" {
  capabilities = ["update"]
}
path "transit/keys/kernel-manifest-ed25519-v1" {
  capabilities = ["read"]
}
path "transit/sign/kernel-manifest-ed25519-v1" {
  capabilities = ["update"]
}
path "transit/keys/kernel-checkpoint-ed25519-v1" {
  capabilities = ["read"]
}
path "transit/sign/kernel-checkpoint-ed25519-v1" {
  capabilities = ["update"]
}
