#!/bin/sh
# failmalloc.sh: builds failmalloc.c with the engine and runs it, under AddressSanitizer and UndefinedBehaviorSanitizer.
# Ends with "N passed, N failed".
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-build}/failmalloc
mkdir -p "$build"
sh spec/fuzz/pki.sh "$build/pki"
# shellcheck disable=SC2046
${CC:-cc} -std=c11 -D_GNU_SOURCE -Icsrc -Wall -Wextra -O1 -g -fsanitize=address,undefined \
  -fno-sanitize-recover=undefined -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free \
  -Wl,--wrap=ss_random,--wrap=PKCS5_PBKDF2_HMAC \
  $(echo csrc/base/*.c csrc/smtp/*.c csrc/sasl/*.c csrc/tls/*.c csrc/*.c) spec/fuzz/failmalloc.c \
  -o "$build/failmalloc" -lssl -lcrypto
# Where a block was allocated is told by the number that failed; remembering the stack of each costs more than all else.
export ASAN_OPTIONS="malloc_context_size=1:quarantine_size_mb=4${ASAN_OPTIONS:+:$ASAN_OPTIONS}"
exec "$build/failmalloc" "$build/pki"
