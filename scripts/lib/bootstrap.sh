# Sourced by the scripts beside it: makes sure that Node is there and new enough and that the npm packages are those of
# package-lock.json, then hands over to TypeScript. Needs bash, and of the rest of the machine only what it checks.
# shellcheck shell=bash

project=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)

fail_usage() {
  printf 'error: %s\nhint: %s\n' "$1" "$2" >&2
  exit 64
}

require_node() {
  local found version major minor rest
  found=$(command -v node || true)
  if [ -z "$found" ]; then
    fail_usage 'Node.js 20.19 or newer is needed, found: no node on PATH' "$(node_hint)"
  fi
  version=$(node --version)
  rest=${version#v}
  major=${rest%%.*}
  rest=${rest#*.}
  minor=${rest%%.*}
  if [ "$major" -lt 20 ] || { [ "$major" -eq 20 ] && [ "$minor" -lt 19 ]; }; then
    fail_usage "Node.js 20.19 or newer is needed, found: $version at $found" "$(node_hint)"
  fi
  if ! command -v npm >/dev/null; then
    fail_usage "npm is needed beside Node.js $version, found: no npm on PATH" "$(node_hint)"
  fi
}

node_hint() {
  if [ -r /etc/debian_version ]; then
    # Debian's own packages are older than that up to Debian 12
    printf '%s' 'install it from https://nodejs.org/en/download (Debian 13 and Ubuntu 25.10 have a new enough package: apt-get install nodejs npm)'
  else
    printf '%s' 'install it from https://nodejs.org/en/download'
  fi
}

# Installs the packages unless they are there.
install_packages() {
  local started=$SECONDS log
  if node "$project/scripts/lib/packages-are-current.cjs"; then return; fi
  printf '… npm ci\n' >&2
  # two at once would take the packages away under each other; util-linux has flock, other systems go without
  mkdir -p "$project/.toolchain"
  exec 9>"$project/.toolchain/npm.lock"
  if command -v flock >/dev/null; then flock 9; fi
  if node "$project/scripts/lib/packages-are-current.cjs"; then
    exec 9>&-
    return
  fi
  log=$(mktemp)
  if ! (cd -- "$project" && npm ci --ignore-scripts --no-audit --no-fund --no-progress) >"$log" 2>&1; then
    grep -m 12 '^npm error' "$log" >&2 || tail -n 12 "$log" >&2
    rm -f "$log"
    printf 'error: npm ci failed\nhint: run it by hand in %s; the lines above say why it stopped\n' "$project" >&2
    exit 1
  fi
  rm -f "$log"
  exec 9>&-
  printf '✔ npm ci (%s s)\n' "$((SECONDS - started))" >&2
}

# Becomes the TypeScript script of the same name.
run_script() {
  local script=$1
  shift
  require_node
  install_packages
  exec node "$project/scripts/lib/run.cjs" "scripts/$script" "$@"
}
