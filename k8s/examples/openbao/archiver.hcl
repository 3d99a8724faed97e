# The secrets of archiver, for its ServiceAccount alone.
path "kv/data/illuvrse-kernel-production/archiver" {
  capabilities = ["read"]
}
