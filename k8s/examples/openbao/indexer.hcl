# The secrets of indexer, for its ServiceAccount alone.
path "kv/data/illuvrse-kernel-production/indexer" {
  capabilities = ["read"]
}
