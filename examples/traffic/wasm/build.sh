#!/bin/sh
# Builds the WebAssembly twins, reproducibly: the same tools give the same bytes.
#
#   build.sh          writes *.wasm and built.txt beside the sources (commit both)
#   build.sh FOLDER   writes them to FOLDER, for comparing
#
# Needs clang, lld and wasi-libc. On Debian 12:
#   apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
set -eu
here=$(cd "$(dirname "$0")" && pwd)
to=$(cd "${1:-$here}" && pwd)
cd "$here" # relative names only, so that no path gets into a module

for name in check-working check-sound-accident; do
  clang --target=wasm32-wasi -std=c11 -Os -Wall -Wextra -Werror \
    -Wl,--strip-all -Wl,-z,stack-size=65536 -o "$to/$name.wasm" "$name.c"
  chmod 644 "$to/$name.wasm"
done

{
  clang --version | head -n 1
  wasm-ld --version | head -n 1
  echo "wasi-libc $(dpkg-query -W -f '${Version}' wasi-libc 2>/dev/null || echo unknown)"
  (cd "$to" && sha256sum check-working.wasm check-sound-accident.wasm)
} >"$to/built.txt"
cat "$to/built.txt"
