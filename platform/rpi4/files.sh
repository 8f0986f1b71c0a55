#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Prints the folder with what Debian has for the board: its device tree, U-Boot, and the firmware of its GPU, each taken
# out of Debian's package for arm64, of which nothing is installed. What is there is not fetched again.
set -euo pipefail
# shellcheck source=scripts/common.sh
. "$(dirname "$0")/../../scripts/common.sh"

KERNEL_PACKAGE=linux-image-arm64 # names the package of the newest kernel, which has the device tree
UBOOT_PACKAGE=u-boot-rpi
FIRMWARE_PACKAGE=raspi-firmware
TREE=bcm2711-rpi-4-b.dtb

place=$QUIRE_CACHE/rpi4-$(short_hash <"$0")
if [ -e "$place/complete" ]; then
    echo "$place"
    exit 0
fi

work=$place.work
rm -rf "$work" && mkdir -p "$work/result/firmware"

step "reading Debian's device tree, U-Boot and firmware for the Raspberry Pi 4"
arm64_begin apt-arm64 "$work" "http://deb.debian.org/debian $QUIRE_SUITE main non-free-firmware" \
    "http://deb.debian.org/debian-security $QUIRE_SUITE-security main"
kernel=$(arm64_newest "$KERNEL_PACKAGE")
arm64_unpack "$kernel" "$work/$kernel" "*/$TREE" || arm64_give_up "$kernel"
arm64_unpack "$UBOOT_PACKAGE" "$work/$UBOOT_PACKAGE" || arm64_give_up "$UBOOT_PACKAGE"
find "$work/$kernel" -name "$TREE" -exec cp {} "$work/result/" \;
cp "$work/$UBOOT_PACKAGE/usr/lib/u-boot/rpi_4/u-boot.bin" "$work/result/"
if arm64_unpack "$FIRMWARE_PACKAGE" "$work/$FIRMWARE_PACKAGE" './usr/*'; then
    cp "$work/$FIRMWARE_PACKAGE"/usr/lib/raspi-firmware/{start4.elf,fixup4.dat} "$work/result/firmware/"
    cp "$work/$FIRMWARE_PACKAGE/usr/share/doc/raspi-firmware/copyright" "$work/result/firmware/LICENCE.txt"
else
    step "Debian's $FIRMWARE_PACKAGE cannot be read: images will start on the emulated board, but not on a real one"
fi
mv "$work/packages" "$work/result/"
touch "$work/result/complete"
rm -rf "$place"
mv -T "$work/result" "$place"
rm -rf "$work"
echo "$place"
