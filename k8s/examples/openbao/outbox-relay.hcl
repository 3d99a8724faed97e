# The secrets of outbox-relay, for its ServiceAccount alone.
path "kv/data/illuvrse-kernel-production/outbox-relay" {
  capabilities = ["read"]
}
