# The secrets of log-publisher, for its ServiceAccount alone.
path "kv/data/illuvrse-kernel-production/log-publisher" {
  capabilities = ["read"]
}
