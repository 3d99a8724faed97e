# The secrets of kernel, for its ServiceAccount alone.
path "kv/data/illuvrse-kernel-production/kernel" {
  capabilities = ["read"]
}
