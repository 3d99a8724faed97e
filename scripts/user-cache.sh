# Sourced by the install scripts: sets `cache`, where programs of others are kept for this user (libs/dev/devstack/process/user-cache.ts
# knows the same folder).
if [ -n "${XDG_CACHE_HOME:-}" ]; then
  cache=$XDG_CACHE_HOME/illuvrse-kernel
elif [ -n "${HOME:-}" ]; then
  cache=$HOME/.cache/illuvrse-kernel
else
  echo "$(basename "$0" .sh): neither XDG_CACHE_HOME nor HOME is set" >&2
  exit 1
fi
