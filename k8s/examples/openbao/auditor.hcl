# The secrets of auditor, for its ServiceAccount alone.
path "kv/data/illuvrse-kernel-production/auditor" {
  capabilities = ["read"]
}
