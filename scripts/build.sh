#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Configures (once) and builds one variant, and what else of it is named. Usage: scripts/build.sh PLATFORM LEVEL [TARGET...]
# Level 1 goes to build/PLATFORM, every other level of checks to build/PLATFORM-checksLEVEL.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"
cd "$QUIRE_SOURCE"

platform=$1 level=$2
shift 2
directory=build/$platform
[ "$level" = 1 ] || directory=$directory-checks$level

if [ ! -e "$directory/build.ninja" ]; then
    step "configuring $directory"
    rm -rf "$directory"
    if ! output=$(meson setup "$directory" --cross-file "platform/$platform/cross.ini" -Dplatform="$platform" \
        -Dchecks="$level" 2>&1); then
        fail "the build could not be configured; the end of meson's output:" "$(tail -15 <<<"$output")"
    fi
fi
step "building $directory"
# Ninja's own progress on a terminal; into a log, only what went wrong.
if [ -t 1 ]; then
    ninja -C "$directory" all "$@"
else
    ninja -C "$directory" --quiet all "$@"
fi
