# Shared by the scripts: where things are, what a cache entry is called, how progress is shown. Sourced, never run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/hotcell
started=$SECONDS

say() { printf '[%4ds] %s\n' "$((SECONDS - started))" "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# key FILE-OR-TEXT...: a short hash of the contents of the files and folders, and of the other words as they are.
key() {
  for item in "$@"; do
    if [ -d "$item" ]; then
      (cd "$item" && find . -type f ! -name '*.pyc' | LC_ALL=C sort | xargs -r sha256sum)
    elif [ -f "$item" ]; then
      sha256sum < "$item"
    else
      printf '%s\n' "$item"
    fi
  done | sha256sum | cut -c1-16
}

# once NAME COMMAND...: runs the command under a lock, so that two clones building at once wait for one another.
once() {
  local name=$1; shift
  mkdir -p "$cache/locks"
  (flock 9; "$@") 9> "$cache/locks/$name"
}

# quietly LOG COMMAND...: output to a file; on failure its end is shown.
quietly() {
  local log=$1; shift
  "$@" > "$log" 2>&1 < /dev/null || { tail -40 "$log" >&2; die "failed: $* (see $log)"; }
}
