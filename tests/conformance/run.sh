#!/bin/sh
# Builds and runs the conformance programs: run.sh OUTDIR COMMAND...   (for example: run.sh /tmp/c hotcell wasm)
# Passes when every program ends with its expected status and prints PASS lines and no FAIL line, and the programs
# together call every function of preview 1.
set -eu
out=${1:?usage: run.sh OUTDIR COMMAND...}
shift
here=$(cd "$(dirname "$0")" && pwd)
"$here/build.sh" "$out"
failed=0
while read -r program status input; do
  case $program in '' | '#'*) continue ;; esac
  code=0
  printf '%s' "$input" | timeout 60 "$@" "$out/$program.wasm" >"$out/$program.out" 2>"$out/$program.err" || code=$?
  if [ "$code" != "$status" ] || grep -q '^FAIL' "$out/$program.out" || ! grep -q '^PASS' "$out/$program.out"; then
    echo "not ok $program: exit $code, expected $status"
    grep '^FAIL' "$out/$program.out" || cat "$out/$program.err"
    failed=1
  else
    echo "ok $program ($(grep -c '^PASS' "$out/$program.out") checks)"
  fi
done <"$here/expected.txt"
python3 "$here/imports.py" "$out"/*.wasm || failed=1
exit $failed
