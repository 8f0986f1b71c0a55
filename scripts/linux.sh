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

work=$(mkdir -p "$QUIRE_CACHE" && mktemp -d "$place.work-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/result/modules"

step "reading Debian's arm64 cloud kernel"
arm64_begin apt-linux "$work" "http://deb.debian.org/debian $QUIRE_SUITE main" \
    "http://deb.debian.org/debian $QUIRE_SUITE-backports main"
kernel=$(arm64_newest "$KERNEL_PACKAGE")
arm64_unpack "$kernel" "$work/kernel" || arm64_give_up "$kernel"
for package in "${LIBRARY_PACKAGES[@]}"; do
    arm64_unpack "$package" "$work/result/sysroot" || arm64_give_up "$package"
done
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
mv "$work/packages" "$work/result/"
touch "$work/result/complete"
# Another run may have finished the same meanwhile; theirs is as good as ours.
mv -T "$work/result" "$place" 2>/dev/null || [ -e "$place/complete" ]
echo "$place"
