#!/bin/sh
# Builds the test command. Needs clang, lld and wasi-libc; on Debian 12:
#   apt-get install clang lld wasi-libc libclang-rt-14-dev-wasm32
set -eu
cd "$(dirname "$0")" # relative names only, so that no path gets into the module
clang --target=wasm32-wasi -std=gnu11 -Os -Wall -Wextra -Wl,--strip-all -Wl,-z,stack-size=131072 -o probe.wasm probe.c
