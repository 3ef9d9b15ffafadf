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

# Installs the packages unless a finished `npm ci` of this package-lock.json left its stamp.
install_packages() {
  local stamp="$project/node_modules/.encrypted-backup-storage" want seconds log
  want=$(node -e '
    const { createHash } = require("node:crypto"), { readFileSync } = require("node:fs");
    const hash = createHash("sha256").update(process.versions.modules);
    for (const file of process.argv.slice(1)) hash.update(readFileSync(file));
    console.log(hash.digest("hex"));
  ' "$project/package-lock.json" "$project/toolchain/terraform/package.json")
  if [ -r "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then return; fi
  printf '… npm ci\n' >&2
  seconds=$SECONDS
  log=$(mktemp)
  # shellcheck disable=SC2064  # the name is fixed now
  trap "rm -f '$log'" EXIT
  if ! (cd -- "$project" && npm ci --no-audit --no-fund) >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    printf 'error: npm ci failed\nhint: run it by hand in %s; it says more with --loglevel verbose\n' "$project" >&2
    exit 1
  fi
  rm -f "$log"
  trap - EXIT
  printf '%s\n' "$want" >"$stamp.new"
  mv -f "$stamp.new" "$stamp"
  printf '✔ npm ci (%s s)\n' "$((SECONDS - seconds))" >&2
}

# Becomes the TypeScript script of the same name.
run_script() {
  local script=$1
  shift
  require_node
  install_packages
  exec "$project/node_modules/.bin/tsx" "$project/scripts/$script" "$@"
}
