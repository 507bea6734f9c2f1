#!/bin/bash
# Builds the Python image's module: CPython 3.11 from Debian's sources, as a WebAssembly reactor with the "hc" interface.
#
# usage: build.sh OUTDIR
#
# Writes OUTDIR/python.wasm (interpreter and compiled standard library), OUTDIR/stdlib.pack (sources and time zones, which
# the host mounts read-only) and OUTDIR/versions.json. Needs a Debian 12 with the packages below; as root it installs
# what is missing. Sources come from Debian by apt, in a private directory; nothing outside OUTDIR stays changed.
#
# Steps: sources; a clean sysroot; zlib, bzip2, xz, SQLite for WASI; a native CPython with counters, run on train/ (the
# counters are kept per function and branch of the source, so they serve the WASI build as well); CPython for WASI with
# that profile and link-time optimisation; the standard library compiled and embedded. About 10 minutes on 2 cores.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
[ $# = 1 ] || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
out=$(cd "$1" && pwd)
jobs=$(nproc)
work=$(mktemp -d "${TMPDIR:-/tmp}/hotcell-python.XXXXXX")
trap '[ -n "${KEEP_WORK:-}" ] || rm -rf "$work"' EXIT
started=$SECONDS
python=/usr/bin/python3.11    # Debian's own: the build needs the same version, and its library is what tracebacks show
llvm=/usr/lib/llvm-19/bin

say() { printf '[%4d s] %s\n' $((SECONDS - started)) "$*"; }
fail() { echo "build.sh: $*" >&2; exit 1; }
# Runs a step quietly; shows the end of its log when it fails.
step() {
  local name=$1 log="$work/$1.log"; shift
  "$@" >"$log" 2>&1 || { tail -n 40 "$log" >&2; fail "$name failed (log above)"; }
}

packages=(clang-19 lld-19 llvm-19 wasi-libc libclang-rt-19-dev libclang-rt-19-dev-wasm32 python3.11 tcl make gcc libc6-dev
          dpkg-dev patch mawk ca-certificates tzdata xz-utils bzip2)
missing=()
for package in "${packages[@]}"; do
  dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
done
if [ ${#missing[@]} != 0 ]; then
  [ "$(id -u)" = 0 ] || fail "missing packages; as root: apt-get install --no-install-recommends ${missing[*]}"
  say "installing ${missing[*]}"
  step apt-update apt-get update
  step apt-install env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}"
fi

# ---- sources
say 'fetching sources from Debian'
mkdir -p "$work/dl" "$work/src"
# The sources of the same archives that this machine takes its packages from. Each archive has a private apt of its own:
# one archive may list a version whose files only another one holds, and apt would not look there.
archives=0
in_archive() {    # in_archive N COMMAND ARGUMENTS...: an apt command that knows the N-th archive alone
  local apt="$work/apt-$1" command=$2; shift 2
  "$command" -o "Dir::Etc::sourcelist=$apt/sources.list" -o "Dir::Etc::sourceparts=$apt/parts" \
    -o "Dir::State::lists=$apt/lists" -o "Dir::Cache=$apt/cache" -o APT::Sandbox::User= "$@" </dev/null
}
list_archives() {
  local uri suite component
  while read -r uri suite component; do
    [ "$component" = main ] || continue
    mkdir -p "$work/apt-$archives"/{parts,lists/partial,cache/archives/partial}
    echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" >"$work/apt-$archives/sources.list"
    in_archive $archives apt-get update || return
    archives=$((archives + 1))
  done < <(apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' | sort -u)
}
declare -A version
fetch() {    # the newest version that the mirrors really hold: their index is sometimes ahead of their files
  local name=$1 v n
  if [ -n "${HOTCELL_PYTHON_SOURCES:-}" ]; then cp "$HOTCELL_PYTHON_SOURCES/${name}"_* "$work/dl/"; return; fi
  while read -r v n; do
    if (cd "$work/dl" && in_archive "$n" apt-get -qq source --download-only --only-source "$name=$v") >>"$work/fetch.log" 2>&1; then return; fi
  done < <(for ((n = 0; n < archives; n++)); do
             in_archive $n apt-cache showsrc --only-source "$name" 2>/dev/null | sed -n "s/^Version: \(.*\)/\1 $n/p"
           done | sort -rV)
  cat "$work/fetch.log" >&2
  fail "no source of $name"
}
[ -n "${HOTCELL_PYTHON_SOURCES:-}" ] || step sources-list list_archives
for name in python3.11 zlib bzip2 xz-utils sqlite3; do
  fetch $name
  dsc=$(ls "$work/dl/${name}"_*.dsc)
  version[$name]=$(sed -n 's/^Version: //p' "$dsc" | head -n 1)
  step "unpack-$name" dpkg-source --no-check -x "$dsc" "$work/src/$name"
  say "  $name ${version[$name]}"
done
[[ ${version[python3.11]} == 3.11.* ]] || fail "not a 3.11: ${version[python3.11]}"
S="$work/src/python3.11"
SOURCE_DATE_EPOCH=$(dpkg-parsechangelog -l "$S/debian/changelog" -S Timestamp)    # the build date that Python shows
export SOURCE_DATE_EPOCH
step 00-immortal.patch patch -d "$S" -p1 -i "$here/patches/00-immortal.patch"
cp -r "$S" "$work/src/python-native"    # with no other patch: they are for WASI, this one shapes the code that is profiled
for patch in "$here"/patches/0[1-9]-*.patch; do step "$(basename "$patch")" patch -d "$S" -p1 -i "$patch"; done

# ---- a clean sysroot: Debian's clang would also search /usr/include
say 'libraries for WASI'
sysroot="$work/sysroot"
I="$sysroot/include" L="$sysroot/lib/wasm32-wasi"
mkdir -p "$work/bin" "$I" "$sysroot/lib"
cp -r /usr/include/wasm32-wasi "$I/"
cp -r /usr/lib/wasm32-wasi "$sysroot/lib/"
printf '#!/bin/sh\nexec %s/clang --target=wasm32-wasi --sysroot=%s "$@"\n' $llvm "$sysroot" >"$work/bin/clang"
printf '#!/bin/sh\nexec %s/clang --target=wasm32-wasi --sysroot=%s -E "$@"\n' $llvm "$sysroot" >"$work/bin/clang-cpp"
chmod +x "$work/bin/clang" "$work/bin/clang-cpp"
CC="$work/bin/clang" AR=$llvm/llvm-ar RANLIB=$llvm/llvm-ranlib
machine=(-mbulk-memory -mnontrapping-fptoint -msimd128)
emulate=(-D_WASI_EMULATED_SIGNAL -D_WASI_EMULATED_GETPID -D_WASI_EMULATED_PROCESS_CLOCKS)
flags=(-O2 "${machine[@]}" "${emulate[@]}")
archive() {    # archive NAME FLAGS... -- SOURCES...
  local name=$1 options=() objects=(); shift
  while [ "$1" != -- ]; do options+=("$1"); shift; done; shift
  mkdir -p "$work/$name"
  for file; do
    objects+=("$work/$name/$(basename "$file" .c).o")
    "$CC" "${flags[@]}" -w "${options[@]}" -c "$file" -o "${objects[-1]}" || return
  done
  "$AR" rcs "$L/lib$name.a" "${objects[@]}"
}
Z="$work/src/zlib" B="$work/src/bzip2"
step zlib archive z -DHAVE_UNISTD_H -I"$Z" -- "$Z"/{adler32,crc32,deflate,infback,inffast,inflate,inftrees,trees,zutil,compress,uncompr,gzclose,gzlib,gzread,gzwrite}.c
step bzip2 archive bz2 -- "$B"/{blocksort,huffman,crctable,randtable,compress,decompress,bzlib}.c
cp "$Z/zlib.h" "$Z/zconf.h" "$B/bzlib.h" "$I/"
# xz blocks signals around threads; there are neither.
sed -i 's/^#if !(defined(_WIN32) && !defined(__CYGWIN__))$/& \&\& !defined(__wasi__)/' "$work/src/xz-utils/src/common/mythread.h"
xz() {
  mkdir -p "$work/xz" && cd "$work/xz"
  env CC="$CC" AR="$AR" RANLIB="$RANLIB" CFLAGS="${flags[*]}" "$work/src/xz-utils/configure" --host=wasm32-wasi --build=x86_64-linux-gnu \
    --disable-threads --disable-shared --disable-xz --disable-xzdec --disable-lzmadec --disable-lzmainfo --disable-scripts \
    --disable-doc --disable-nls --prefix="$work/xz/installed"
  make -j"$jobs" install
  cp installed/lib/liblzma.a "$L/" && cp -r installed/include/* "$I/"
}
step xz eval '(set -e; xz)'
sqlite() {
  mkdir -p "$work/sqlite" && cd "$work/sqlite"
  "$work/src/sqlite3/configure" --disable-tcl --disable-readline CC=gcc
  make sqlite3.c
  archive sqlite3 -include "$here/sqlite_wasi.h" -D_WASI_EMULATED_MMAN -DSQLITE_THREADSAFE=0 \
    -DSQLITE_OMIT_WAL=1 -DSQLITE_OMIT_LOAD_EXTENSION=1 -DSQLITE_ENABLE_FTS5=1 -DSQLITE_ENABLE_RTREE -DSQLITE_ENABLE_MATH_FUNCTIONS \
    -DSQLITE_ENABLE_COLUMN_METADATA -DSQLITE_MAX_MMAP_SIZE=0 -DSQLITE_ENABLE_LOCKING_STYLE=0 -- sqlite3.c
  cp sqlite3.h "$work/src/sqlite3/src/sqlite3ext.h" "$I/"
}
step sqlite eval '(set -e; sqlite)'

# ---- profile
say 'a native CPython that counts (for the profile)'
native() {
  mkdir -p "$work/native" && cd "$work/native"
  # No computed gotos: WebAssembly has none, and the profile of the other main loop would not fit.
  MODULE_BUILDTYPE=static CC=$llvm/clang CFLAGS='-fprofile-instr-generate -w' LDFLAGS=-fprofile-instr-generate OPT='-DNDEBUG -fwrapv -O1' \
    "$work/src/python-native/configure" --without-computed-gotos --without-ensurepip --disable-test-modules --with-pymalloc \
    --without-readline --enable-big-digits=30
  ln -sf "$work/native/Modules/Setup.stdlib" Modules/Setup.local
  make -j"$jobs" python
}
train() {
  cd "$work/native"
  LLVM_PROFILE_FILE="$work/train.profraw" ./python -S "$here/train/train.py"
  $llvm/llvm-profdata merge "$work/train.profraw" -o "$work/train.profdata"
}
step native eval '(set -e; native)'
step train eval '(set -e; train)'

# ---- CPython for WASI
say 'CPython for WASI'
optimise=(-O3 -flto "-fprofile-instr-use=$work/train.profdata")
cpython() {
  mkdir -p "$work/python" && cd "$work/python"
  # Unaligned loads are fine, so strings hash as on x86-64: sets then list them in the same order.
  export ac_cv_aligned_required=no CC CPP="$work/bin/clang-cpp" AR RANLIB CONFIG_SITE="$S/Tools/wasm/config.site-wasm32-wasi" PKG_CONFIG_PATH= PKG_CONFIG_LIBDIR= \
    CFLAGS="${machine[*]} -w -Wno-int-conversion" OPT="-DNDEBUG -fwrapv -O3" \
    ZLIB_CFLAGS="-I$I" ZLIB_LIBS=-lz BZIP2_CFLAGS="-I$I" BZIP2_LIBS=-lbz2 LIBLZMA_CFLAGS="-I$I" LIBLZMA_LIBS=-llzma \
    LIBSQLITE3_CFLAGS="-I$I" LIBSQLITE3_LIBS='-lsqlite3 -lwasi-emulated-mman'
  "$S/configure" -C --host=wasm32-unknown-wasi --build=x86_64-pc-linux-gnu --with-build-python=$python --prefix=/usr \
    --disable-test-modules --without-ensurepip --with-pymalloc --without-readline --disable-ipv6 --enable-big-digits=30
  make -j"$jobs" OPT="-DNDEBUG -fwrapv ${optimise[*]} -w -Wno-int-conversion" \
    libpython3.11.a Modules/_decimal/libmpdec/libmpdec.a Modules/expat/libexpat.a
}
step cpython eval '(set -e; cpython)'

say 'standard library'
step stdlib $python "$here/mkstdlib.py" "$work" "$here/boot.py" /usr/lib/python3.11 "$S/Lib"
mkdir -p "$work/tree/usr/share"
cp -r /usr/share/zoneinfo "$work/tree/usr/share/"
rm -rf "$work/tree/usr/share/zoneinfo"/{posix,right,localtime,posixrules,leap-seconds.list,tzdata.zi}
step pack $python "$here/mkpack.py" "$work/tree" "$work/stdlib.pack"

say 'linking (with link-time optimisation: minutes)'
link() {
  local own=("${machine[@]}" "${emulate[@]}" -I"$S/Include" -I"$S/Include/internal" -I"$work/python" -I"$here" -w)
  for file in "$here"/hc_*.c; do "$CC" -O3 -flto "${own[@]}" -c "$file" -o "$work/$(basename "$file" .c).o"; done
  "$CC" -O1 "${own[@]}" --embed-dir="$work" -c "$work/stdlib_table.c" -o "$work/stdlib_table.o"
  # stack-first: an overflow of the shadow stack traps instead of overwriting data.
  "$CC" -mexec-model=reactor -O3 -flto "-fprofile-instr-use=$work/train.profdata" "$work"/hc_*.o "$work/stdlib_table.o" \
    "$work/python/libpython3.11.a" "$work/python/Modules/_decimal/libmpdec/libmpdec.a" "$work/python/Modules/expat/libexpat.a" \
    -lsqlite3 -lz -lbz2 -llzma -lwasi-emulated-signal -lwasi-emulated-getpid -lwasi-emulated-process-clocks -lwasi-emulated-mman -lm \
    -Wl,--stack-first -Wl,-z,stack-size=8388608 -Wl,--export=__stack_pointer -Wl,--max-memory=4294967296 -Wl,--lto-O3 -Wl,--strip-all \
    -o "$work/python.wasm"
}
step link eval '(set -e; link)'

$python - "$work" "$(dpkg-query -W -f '${Version}' libpython3.11-stdlib)" "$($llvm/clang --version | head -n 1)" \
  "$(for name in "${!version[@]}"; do echo "$name=${version[$name]}"; done)" <<'PY' >"$work/versions.json"
import hashlib, json, pathlib, sys
work, library, clang, sources = pathlib.Path(sys.argv[1]), *sys.argv[2:]
sources = dict(line.split('=', 1) for line in sources.split())
digest = lambda p: hashlib.sha256(p.read_bytes()).hexdigest()
print(json.dumps({
    'language': 'python', 'version': sources['python3.11'].split('-')[0], 'cpython': sources['python3.11'], 'stdlib': library, 'compiler': clang,
    'sources': sources, 'source_sha256': {p.name: digest(p) for p in sorted((work / 'dl').iterdir()) if p.is_file()},
    'sha256': {n: digest(work / n) for n in ('python.wasm', 'stdlib.pack')}}, indent=2, sort_keys=True))
PY
mv "$work/python.wasm" "$work/stdlib.pack" "$work/versions.json" "$out/"
say "done: $(stat -c '%n %s bytes' "$out/python.wasm")"
