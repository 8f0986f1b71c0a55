#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds the kept third-party libraries for the target, once per set of inputs, and prints where they are:
# newlib (C library of servers and clients), libfdt (device tree; one flavour for the kernel, one for user programs) and
# the sources of linenoise (line editing), dash (/bin/sh) and libext2fs (file systems on disks). A result is moved
# into the cache only when it is complete, under a name made
# from its inputs, so an interrupted build or a changed flag never leaves a stale library behind.
#
# Usage: scripts/deps.sh [ARCHITECTURE]   prints NAME=DIRECTORY lines (aarch64)
set -euo pipefail
QUIRE_ARCH=${1:-aarch64}
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

NEWLIB_CONFIGURE=(
    "--target=$QUIRE_TRIPLET" --disable-multilib --disable-nls --disable-newlib-supplied-syscalls
    --enable-newlib-io-long-long --enable-newlib-io-c99-formats --enable-newlib-retargetable-locking
)
# The compiler is Debian's for Linux; what it says about the system has to be taken back. __DYNAMIC_REENT__ makes errno
# and stdio ask __getreent(), which the system layer may answer per thread.
case $QUIRE_ARCH in
    aarch64)
        CPU_CFLAGS=-mcpu=cortex-a72 CODE_CFLAGS=-mno-outline-atomics MODEL_CFLAGS=
        NEWLIB_TYPES=libc/machine/aarch64/machine/_types.h
        LIBFDT_FILES=(fdt fdt_ro fdt_addresses fdt_strerror)
        ;;
    x86_64)
        # The frame of a signal begins at the stack pointer, so nothing lives below that.
        CPU_CFLAGS="-march=x86-64 -mno-red-zone" CODE_CFLAGS=-fcf-protection=none
        # The kernel lies in the last 2 GiB.
        MODEL_CFLAGS=" -mcmodel=kernel"
        NEWLIB_TYPES=libc/include/machine/_types.h
        # Its kernel makes a device tree, too.
        LIBFDT_FILES=(fdt fdt_ro fdt_sw fdt_addresses fdt_strerror)
        ;;
esac
TARGET_CFLAGS="$CPU_CFLAGS -O2 -g -ffunction-sections -fdata-sections -fno-stack-protector -fno-pic -fno-pie \
$CODE_CFLAGS -fno-asynchronous-unwind-tables -U__linux__ -U__linux -Ulinux -U__gnu_linux__ \
-U_FORTIFY_SOURCE"
USER_CFLAGS="$TARGET_CFLAGS -D__DYNAMIC_REENT__"
# The heap grows by 128 KiB and is cut when twice that is free at its end; larger blocks are mappings of their own until one
# is freed: blocks of its size then come from the heap, which keeps as much as two of them, as mallopt(3) says of others.
MALLOC_FLAGS="-DDEFAULT_TOP_PAD=131072 -DDEFAULT_TRIM_THRESHOLD=262144 -DDEFAULT_MMAP_MAX=32768 -DHAVE_MREMAP=1"
MALLOC_ADAPTS='  if (size > mmap_threshold \&\& size <= 32UL << 20) { mmap_threshold = size; trim_threshold = 2 * size; }'
# Streams ask whether they are a terminal before they choose to buffer by lines.
STDIO_FLAGS="-DHAVE_FCNTL"
# As newlib comes, these have 16 bits.
TYPES_HEADER='#ifndef QUIRE_TYPES
#define QUIRE_TYPES
typedef unsigned long __dev_t, __ino_t;
typedef unsigned int __uid_t, __gid_t;
#define __machine_dev_t_defined
#define __machine_ino_t_defined
#define __machine_uid_t_defined
#define __machine_gid_t_defined
#endif'
# As much of <sys/mman.h> as malloc needs; lib/posix has it in full, and checks that the two agree.
MALLOC_HEADER='#include <stddef.h>
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 0x20
void *mmap(void *, size_t, int, int, int, long);
int munmap(void *, size_t);
void *mremap(void *, size_t, size_t, int, ...);'
KERNEL_CFLAGS="$TARGET_CFLAGS -ffreestanding -mgeneral-regs-only -fno-omit-frame-pointer$MODEL_CFLAGS"

compiler_version() {
    "${QUIRE_CROSS}gcc" -dumpfullversion
}

# Prints the place of dependency $1 whose inputs are the rest of the arguments. Calls build_$1 DIRECTORY when it is not
# there yet; that function fills the directory.
cached() {
    local name=$1 key place work
    shift
    key=$(printf '%s\n' "$@" | short_hash)
    place=$QUIRE_CACHE/$name-$key
    if [ ! -e "$place" ]; then
        mkdir -p "$QUIRE_CACHE"
        work=$(mktemp -d "$QUIRE_CACHE/$name-$key.work-XXXXXX")
        if ! "build_$name" "$work"; then
            fail "building $name failed; its logs are in $work"
        fi
        rm -rf "$work/build" "$work/source"
        # Another run may have finished the same dependency meanwhile; theirs is as good as ours.
        mv -T "$work" "$place" 2>/dev/null || rm -rf "$work"
    fi
    echo "$name=$place"
}

build_newlib() {
    local work=$1 log=$1/build.log
    step "building newlib for the target (about two minutes, once)"
    mkdir -p "$work/source" "$work/build"
    tar -xf "$NEWLIB_TARBALL" -C "$work/source" --strip-components=1 || return 1
    # As newlib comes, its malloc knows only sbrk(). With mmap() it gives large blocks back at free().
    sed -i '/^#if.*INTERNAL_NEWLIB/,/^#else.*INTERNAL_NEWLIB/s/^#define HAVE_MMAP 0$/#define HAVE_MMAP 1/' \
        "$work/source/newlib/libc/stdlib/mallocr.c"
    [ "$(grep -c '^#define HAVE_MMAP 1$' "$work/source/newlib/libc/stdlib/mallocr.c")" = 2 ] || return 1
    sed -i "/^  mmapped_mem -= (size + p->prev_size);/a $MALLOC_ADAPTS" "$work/source/newlib/libc/stdlib/mallocr.c"
    grep -q 'trim_threshold = 2 \* size' "$work/source/newlib/libc/stdlib/mallocr.c" || return 1
    printf '%s\n' "$MALLOC_HEADER" >"$work/source/newlib/libc/include/sys/mman.h"
    printf '%s\n' "$TYPES_HEADER" >>"$work/source/newlib/$NEWLIB_TYPES"
    # As it comes, it takes the names of system calls for others' on x86-64.
    sed -i 's/^  aarch64\*-\*-\*)$/  aarch64*-*-* | x86_64*-*-*)/' "$work/source/newlib/configure.host"
    sed -i 's/^typedef.*unsigned short.*__nlink_t;/typedef unsigned int __nlink_t;/' \
        "$work/source/newlib/libc/include/sys/_types.h"
    (
        cd "$work/build" || exit 1
        for tool in CC:gcc AR:ar AS:as LD:ld NM:nm RANLIB:ranlib STRIP:strip OBJCOPY:objcopy READELF:readelf; do
            export "${tool%%:*}_FOR_TARGET=$QUIRE_CROSS${tool##*:}"
        done
        export CFLAGS_FOR_TARGET="$USER_CFLAGS $MALLOC_FLAGS $STDIO_FLAGS"
        ../source/configure --prefix="$work/install" "${NEWLIB_CONFIGURE[@]}" &&
            make -j2 MAKEINFO=true all-target-newlib && make MAKEINFO=true install-target-newlib
    ) >"$log" 2>&1 || { tail -15 "$log" >&2; return 1; }
    mv "$work/install/$QUIRE_TRIPLET/include" "$work/install/$QUIRE_TRIPLET/lib" "$work/"
    rm "$work/include/sys/mman.h"
    cp "$work/source/COPYING.NEWLIB" "$work/"
    # Functions that newlib builds for its own systems only; they go into the system layer, whose headers they need.
    mkdir "$work/posix"
    cp "$work"/source/newlib/libc/posix/{fnmatch,glob,collate,collcmp,regcomp,regerror,regexec,regfree}.c \
        "$work"/source/newlib/libc/posix/*.h "$work/source/newlib/libc/posix/engine.c" "$work/posix/" || return 1
    rm -rf "$work/install" "$log"
}

# Arm's Trusted Firmware carries libfdt unchanged, and its Debian source is the smallest one at hand that does.
build_libfdt() {
    local work=$1 source=$1/source/lib/libfdt flavour flags file
    fetch_source arm-trusted-firmware "$work/source" || return 1
    step "building libfdt for the target"
    mkdir -p "$work/include" "$work/build"
    cp "$work"/source/include/lib/libfdt/{fdt,libfdt,libfdt_env}.h "$work/include/" || return 1
    cp "$work/source/debian/copyright" "$work/COPYING.LIBFDT" || return 1
    for flavour in kernel user; do
        flags=$USER_CFLAGS
        [ "$flavour" = user ] || flags=$KERNEL_CFLAGS
        for file in "${LIBFDT_FILES[@]}"; do
            # shellcheck disable=SC2086 # the flags are a list of words
            "${QUIRE_CROSS}gcc" $flags "${USER_INCLUDES[@]}" -I "$work/include" -I "$source" -c \
                -o "$work/build/$flavour-$file.o" "$source/$file.c" || return 1
        done
        "${QUIRE_CROSS}ar" rcs "$work/libfdt-$flavour.a" "$work/build/$flavour"-*.o || return 1
    done
}

build_linenoise() {
    local work=$1
    fetch_source redis "$work/source" || return 1
    cp "$work"/source/deps/linenoise/linenoise.{c,h} "$work/" || return 1
    # The licence stands at the head of the source file; kept beside it as a file of its own too.
    sed -n '/Copyright/,/DAMAGE\./p' "$work/linenoise.c" >"$work/COPYING.LINENOISE"
    [ -s "$work/COPYING.LINENOISE" ]
}

# dash writes parts of itself with programs that run here. What it is to know of Quire is in clients/sh/config.h.
build_dash() {
    local work=$1 source=$1/source
    fetch_source dash "$source" || return 1
    step "preparing dash"
    (
        cd "$source" || exit 1
        # As if they had just been made: the tools that make them are not needed.
        touch aclocal.m4 configure Makefile.in src/Makefile.in config.h.in
        ./configure --without-libedit --disable-fnmatch --disable-glob && cp "$DASH_CONFIG" config.h &&
            make -C src -o ../config.h builtins.c init.c nodes.c signames.c syntax.c
    ) >"$work/dash.log" 2>&1 || { tail -15 "$work/dash.log" >&2; return 1; }
    rm "$source"/src/{mkinit,mknodes,mksignames,mksyntax}.c "$work/dash.log"
    mkdir "$work/bltin"
    cp "$source"/src/*.[ch] "$work/" && cp "$source"/src/bltin/*.[ch] "$work/bltin/" &&
        cp "$source/debian/copyright" "$work/COPYING.DASH" || return 1
    (cd "$work" && echo *.c bltin/*.c) >"$work/sources"
}

# What e2fsprogs' configure script would find out, for the target and the host alike.
EXT2FS_CONFIG='#define HAVE_ERRNO_H 1
#define HAVE_INTPTR_T 1
#define HAVE_INTTYPES_H 1
#define HAVE_STDINT_H 1
#define HAVE_STDLIB_H 1
#define HAVE_STRING_H 1
#define HAVE_SYS_STAT_H 1
#define HAVE_SYS_TYPES_H 1
#define HAVE_TYPE_SSIZE_T 1
#define HAVE_UNISTD_H 1
#define OMIT_COM_ERR 1
#define SIZEOF_INT 4
#define SIZEOF_LONG 8
#define SIZEOF_LONG_LONG 8
#define SIZEOF_OFF_T 8
#define SIZEOF_SHORT 2
#define SIZEOF_TIME_T 8'

# Only prepared here: the build compiles it for the target and, with sanitizers, for the host. The header of errors and one
# table of numbers are made as e2fsprogs makes them.
build_libext2fs() {
    local work=$1 from=$1/source/lib include=$1/include
    fetch_source e2fsprogs "$work/source" || return 1
    mkdir -p "$work/build" "$include/ext2fs" "$include/et" "$work/ext2fs"
    cp "$from"/ext2fs/*.c "$work/ext2fs/" && cp "$from"/ext2fs/*.h "$include/ext2fs/" &&
        cp "$from/et/com_err.h" "$include/et/" && cp "$work/source/NOTICE" "$work/COPYING.LIBEXT2FS" || return 1
    printf '%s\n' "$EXT2FS_CONFIG" >"$include/config.h"
    sed -e 's/@ASM_TYPES_HEADER@//;s/@PUBLIC_CONFIG_HEADER@//;s/@SIZEOF_INT@/4/;s/@SIZEOF_SHORT@/2/' \
        -e 's/@SIZEOF_LONG@/8/;s/@SIZEOF_LONG_LONG@/8/' "$from/ext2fs/ext2_types.h.in" >"$include/ext2fs/ext2_types.h"
    sed "s/@E2FSPROGS_VERSION@/kept/" "$from/ext2fs/ext2_err.et.in" >"$work/build/ext2_err.et"
    (cd "$include/ext2fs" && awk -f "$from/et/et_h.awk" outfile=ext2_err.h outfn=ext2_err.h \
        "$work/build/ext2_err.et") || return 1
    cc -I "$include" -I "$include/ext2fs" -I "$include/et" -o "$work/build/table" \
        "$from/ext2fs/gen_crc32ctable.c" >"$work/build/log" 2>&1 || { tail -5 "$work/build/log" >&2; return 1; }
    "$work/build/table" >"$include/ext2fs/crc32c_table.h"
}

NEWLIB_TARBALL=$(find /usr/src/newlib -name 'newlib-*.tar.xz' 2>/dev/null | sort | tail -1)
[ -n "$NEWLIB_TARBALL" ] || fail "newlib's source is missing" "Install it: apt-get install newlib-source"

place=$(cached newlib "$(basename "$NEWLIB_TARBALL")" "$(dpkg-query -W -f '${Version}' newlib-source)" \
    "$(compiler_version)" "${NEWLIB_CONFIGURE[@]}" "$USER_CFLAGS" "$MALLOC_FLAGS" "$MALLOC_ADAPTS" "$MALLOC_HEADER" \
    "$STDIO_FLAGS" "$TYPES_HEADER")
echo "$place"

# Freestanding headers from the compiler, everything else from newlib: nothing of the host's Linux may leak in.
USER_INCLUDES=(-nostdinc -isystem "${place#newlib=}/include" -isystem "$("${QUIRE_CROSS}gcc" -print-file-name=include)")
cached libfdt 1 "$(compiler_version)" "$USER_CFLAGS" "$KERNEL_CFLAGS"
cached linenoise 1
DASH_CONFIG=$(dirname "$(realpath "$0")")/../clients/sh/config.h
cached dash 1 "$(cat "$DASH_CONFIG")"
cached libext2fs 1 "$EXT2FS_CONFIG"
