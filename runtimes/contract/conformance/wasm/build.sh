#!/bin/sh
# Builds the modules of the conformance suite. Needs clang and lld with the wasm32 target; the same versions give the same bytes.
set -eu
cd "$(dirname "$0")"
for fn in echo fail trap slow loop grow hog; do
  clang --target=wasm32 -Oz -nostdlib -ffreestanding -fno-builtin -Wall -Wextra -Werror -DFUNCTION="$fn" \
    -Wl,--no-entry -Wl,--export=_start -Wl,--strip-all \
    -o "$fn.wasm" functions.c
done
