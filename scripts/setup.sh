#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Installs the Debian packages that Quire is built, run and tested with. On Debian 12 the QEMU package comes from
# bookworm-backports, because bookworm's own is too old. As root it installs by itself; as anybody else it prints the
# commands to run. When a run has found everything in place, the next one only looks for a stamp.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

QEMU_PACKAGES="qemu-system-arm qemu-system-x86"
QEMU_PROGRAMS="qemu-system-aarch64 qemu-system-x86_64"
QEMU_OLDEST=8
PACKAGES=(
    gcc libc6-dev make python3 pkg-config                           # the host's compiler and tools
    gcc-aarch64-linux-gnu binutils-aarch64-linux-gnu meson ninja-build
    newlib-source dpkg-dev xz-utils debian-archive-keyring          # sources of the third-party libraries
    check libfdt-dev                                                # host tests
    gdb-multiarch                                                   # to look into the machine
    tmux                                                            # a terminal for a test of the shell
    tcl                                                             # to make SQLite's amalgamation for a test
    clang clang-format clang-tidy shellcheck                        # checks of the source
    u-boot-qemu u-boot-tools mtools                                 # the boot loader and its disk
    dosfstools e2fsprogs                                            # file systems of disk images
    grub-common grub-pc-bin grub-efi-amd64-bin xorriso ovmf         # boot loader, images and firmware of PCs
)
# What builds for PCs: on a PC, the host's compiler.
[ "$(dpkg --print-architecture 2>/dev/null)" = amd64 ] || PACKAGES+=(gcc-x86-64-linux-gnu binutils-x86-64-linux-gnu)
BACKPORTS_LIST=/etc/apt/sources.list.d/quire-backports.list
BACKPORTS_LINE="deb http://deb.debian.org/debian bookworm-backports main"

codename() {
    # shellcheck source=/dev/null
    (. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-unknown}") || echo unknown
}

qemu_major() {
    "$1" --version 2>/dev/null | sed -n 's/^QEMU emulator version \([0-9]*\)\..*/\1/p'
}

# True if this emulator is there and new enough.
qemu_new() {
    local major
    major=$(qemu_major "$1")
    [ -n "$major" ] && [ "$major" -ge "$QEMU_OLDEST" ]
}

qemu_good() {
    local program
    for program in $QEMU_PROGRAMS; do
        qemu_new "$program" || return 1
    done
}

# The version of the first one that is not.
qemu_found() {
    local program version
    for program in $QEMU_PROGRAMS; do
        qemu_new "$program" && continue
        version=$("$program" --version 2>/dev/null | head -1)
        break
    done
    echo "${version:-none}"
}

missing_packages() {
    local package
    for package in "${PACKAGES[@]}"; do
        dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || echo "$package"
    done
}

# Prints the commands that install what is missing: first argument 1 when QEMU is among it, then package names.
install_commands() {
    local qemu=$1 release=()
    shift
    if [ "$qemu" = 1 ] && [ "$(codename)" = bookworm ]; then
        release=(-t bookworm-backports)
        if ! apt-cache policy 2>/dev/null | grep -q 'bookworm-backports/main'; then
            echo "echo '$BACKPORTS_LINE' > $BACKPORTS_LIST"
        fi
    fi
    echo "apt-get update"
    [ $# = 0 ] || echo "apt-get install -y --no-install-recommends $*"
    [ "$qemu" = 0 ] || echo "apt-get install -y --no-install-recommends ${release[*]:-} $QEMU_PACKAGES"
}

install_all() {
    local command log
    log=$(mktemp)
    while read -r command; do
        step "$command"
        if ! DEBIAN_FRONTEND=noninteractive bash -c "$command" </dev/null >"$log" 2>&1; then
            fail "this command failed; the end of its output:" "$(tail -5 "$log")" \
                "Check the network and apt's sources, then run the same command again."
        fi
    done <<<"$1"
    rm -f "$log"
}

stamp=$QUIRE_CACHE/setup-$(short_hash <"$0")
if [ -e "$stamp" ] && type "${QUIRE_CROSS}gcc" meson ninja mformat mkimage grub-mkrescue >/dev/null 2>&1 && qemu_good; then
    exit 0
fi

type dpkg-query apt-get >/dev/null 2>&1 ||
    fail "this is not a Debian system" "Quire is built on Debian 12 (bookworm) or later, a container of it included."

step "looking for the packages that Quire needs"
mapfile -t missing < <(missing_packages)
qemu=0
qemu_good || qemu=1
if [ ${#missing[@]} -gt 0 ] || [ "$qemu" = 1 ]; then
    commands=$(install_commands "$qemu" "${missing[@]}")
    if [ "$(id -u)" != 0 ]; then
        [ ${#missing[@]} = 0 ] || step "missing: ${missing[*]}"
        [ "$qemu" = 0 ] || step "QEMU $QEMU_OLDEST or later is needed, found: $(qemu_found)"
        fail "packages are missing, and only root can install them. Run these as root:" "" "$commands" ""
    fi
    install_all "$commands"
    qemu_good || fail "QEMU is too old: version $QEMU_OLDEST or later is needed, found: $(qemu_found)" \
        "Install a newer one: apt-get install -t bookworm-backports $QEMU_PACKAGES" \
        "One earlier in PATH than /usr/bin must be at least that new too."
fi
mkdir -p "$QUIRE_CACHE"
touch "$stamp"
