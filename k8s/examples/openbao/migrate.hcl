# The secrets of migrate, for its ServiceAccount alone.
path "kv/data/illuvrse-kernel-production/migrate" {
  capabilities = ["read"]
}
