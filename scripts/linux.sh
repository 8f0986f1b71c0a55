#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Prints the folder with what the benchmark needs of Linux: Debian's arm64 cloud kernel, from backports if it can be had
# there, the modules of its virtio disk, and the C library's files to link with. Everything is taken out of Debian's packages,
# of which nothing is installed. What is there is not fetched again.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/common.sh"

KERNEL_PACKAGE=linux-image-cloud-arm64 # names the package of the newest kernel
LIBRARY_PACKAGES=(libc6-dev linux-libc-dev)
MODULES=(virtio_mmio virtio_blk) # in the order in which they are loaded

place=$QUIRE_CACHE/linux-$(short_hash <"$0")
if [ -e "$place/complete" ]; then
    echo "$place"
    exit 0
fi

state=$QUIRE_CACHE/apt-linux
work=$(mkdir -p "$QUIRE_CACHE" && mktemp -d "$place.work-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$state" "$work/result/modules" "$work/result/sysroot"
{
    echo "deb [arch=arm64 signed-by=$QUIRE_KEYRING] http://deb.debian.org/debian $QUIRE_SUITE main"
    echo "deb [arch=arm64 signed-by=$QUIRE_KEYRING] http://deb.debian.org/debian $QUIRE_SUITE-backports main"
} >"$state/sources.list"
# What is installed here does not matter to packages of another machine.
foreign=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::status=/dev/null)

# Unpacks the arm64 package $1 into the folder $2.
unpack() {
    (cd "$work" && apt_apart "$state" "${foreign[@]}" download "$1" >>"$work/log" 2>&1) || give_up "$1"
    mkdir -p "$2"
    dpkg-deb --fsys-tarfile "$work/$1"_*.deb | tar -x -C "$2"
    basename "$work/$1"_*.deb >>"$work/result/packages"
}

give_up() {
    fail "$1 cannot be read from Debian; the end of apt's messages:" "$(tail -3 "$work/log")" \
        "Check the network, then run the same command again."
}

step "reading Debian's arm64 cloud kernel"
apt_apart "$state" "${foreign[@]}" update >"$work/log" 2>&1 || give_up "the list of arm64 packages"
kernel=$(apt-cache -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state" "${foreign[@]}" show "$KERNEL_PACKAGE" |
    sed -n 's/^Depends: \([^ ,]*\).*/\1/p' | sort -V | tail -1)
[ -n "$kernel" ] || give_up "$KERNEL_PACKAGE"
unpack "$kernel" "$work/kernel"
for package in "${LIBRARY_PACKAGES[@]}"; do unpack "$package" "$work/result/sysroot"; done
cp "$work/kernel"/boot/vmlinuz-* "$work/result/kernel"
number=0
for module in "${MODULES[@]}"; do
    file=$(find "$work/kernel/lib/modules" -name "$module.ko*")
    case $file in
        *.xz) xz -dc "$file" ;;
        *.ko) cat "$file" ;;
        *) fail "$kernel has no module $module" ;;
    esac >"$work/result/modules/$number-$module.ko"
    number=$((number + 1))
done
touch "$work/result/complete"
# Another run may have finished the same meanwhile; theirs is as good as ours.
mv -T "$work/result" "$place" 2>/dev/null || [ -e "$place/complete" ]
echo "$place"
