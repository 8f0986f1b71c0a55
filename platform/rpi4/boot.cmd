# SPDX-License-Identifier: MIT
#
# U-Boot script of the Raspberry Pi 4: reads the kernel, its arguments and the boot archive from the card that the script
# came from, and starts the kernel with the device tree that the firmware handed to U-Boot.

setenv initrd_high 0xffffffffffffffff
setenv bootargs
if test -z "${devtype}"; then setenv devtype mmc; fi
if test -z "${devnum}"; then setenv devnum 0; fi
setenv where ${devtype} ${devnum}:1
load ${where} 0x06000000 quire.env && env import -t 0x06000000 ${filesize} bootargs
load ${where} 0x00400000 quire.img || reset
load ${where} 0x08000000 boot.cpio || reset
booti 0x00400000 0x08000000:${filesize} ${fdtcontroladdr}
echo "Quire did not start"
reset
