#!/bin/sh
# Compiles the conformance programs with Debian's clang-19 and wasi-libc: build.sh OUTDIR
# The sysroot is made from links, since clang would otherwise also search the machine's own /usr/include.
set -eu
out=${1:?usage: build.sh OUTDIR}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$out/sysroot/include" "$out/sysroot/lib"
ln -sfn /usr/include/wasm32-wasi "$out/sysroot/include/wasm32-wasi"
ln -sfn /usr/lib/wasm32-wasi "$out/sysroot/lib/wasm32-wasi"
for source in "$here"/*.c; do
  program=$out/$(basename "$source" .c).wasm
  [ "$program" -nt "$source" ] && [ "$program" -nt "$here/check.h" ] && continue
  /usr/lib/llvm-19/bin/clang --target=wasm32-wasi --sysroot="$out/sysroot" -O1 -Wall -Wextra \
    -D_WASI_EMULATED_PROCESS_CLOCKS "$source" -o "$program"
done
