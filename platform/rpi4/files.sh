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

state=$QUIRE_CACHE/apt-arm64
work=$place.work
rm -rf "$work" && mkdir -p "$state" "$work/result/firmware"
{
    echo "deb [arch=arm64 signed-by=$QUIRE_KEYRING] http://deb.debian.org/debian $QUIRE_SUITE main non-free-firmware"
    echo "deb [arch=arm64 signed-by=$QUIRE_KEYRING] http://deb.debian.org/debian-security $QUIRE_SUITE-security main"
} >"$state/sources.list"
# What is installed here does not matter to packages of another machine.
foreign=(-o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::status=/dev/null)

# Unpacks the arm64 package $1 into $work/$1, whole or only what matches the pattern $2. False: it cannot be had.
unpack() {
    local package=$1 pattern=${2:-*}
    mkdir -p "$work/$package"
    (cd "$work" && apt_apart "$state" "${foreign[@]}" download "$package" >>"$work/log" 2>&1) || return 1
    dpkg-deb --fsys-tarfile "$work/${package}"_*.deb | tar -x -C "$work/$package" --wildcards "$pattern" &&
        basename "$work/${package}"_*.deb >>"$work/result/packages"
}

give_up() {
    fail "$1 cannot be read from Debian; the end of apt's messages:" "$(tail -3 "$work/log")" \
        "Check the network, then run the same command again."
}

step "reading Debian's device tree, U-Boot and firmware for the Raspberry Pi 4"
apt_apart "$state" "${foreign[@]}" update >"$work/log" 2>&1 || give_up "the list of arm64 packages"
kernel=$(apt-cache -o Dir::Etc::sourcelist="$state/sources.list" -o Dir::Etc::sourceparts=/dev/null \
    -o Dir::State::lists="$state/lists" -o Dir::Cache="$state" "${foreign[@]}" show "$KERNEL_PACKAGE" |
    sed -n 's/^Depends: \([^ ,]*\).*/\1/p' | head -1)
[ -n "$kernel" ] || give_up "$KERNEL_PACKAGE"
unpack "$kernel" "*/$TREE" || give_up "$kernel"
unpack "$UBOOT_PACKAGE" || give_up "$UBOOT_PACKAGE"
find "$work/$kernel" -name "$TREE" -exec cp {} "$work/result/" \;
cp "$work/$UBOOT_PACKAGE/usr/lib/u-boot/rpi_4/u-boot.bin" "$work/result/"
if unpack "$FIRMWARE_PACKAGE" './usr/*'; then
    cp "$work/$FIRMWARE_PACKAGE"/usr/lib/raspi-firmware/{start4.elf,fixup4.dat} "$work/result/firmware/"
    cp "$work/$FIRMWARE_PACKAGE/usr/share/doc/raspi-firmware/copyright" "$work/result/firmware/LICENCE.txt"
else
    step "Debian's $FIRMWARE_PACKAGE cannot be read: images will start on the emulated board, but not on a real one"
fi
touch "$work/result/complete"
rm -rf "$place"
mv -T "$work/result" "$place"
rm -rf "$work"
echo "$place"
