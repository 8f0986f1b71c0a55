# SPDX-License-Identifier: MIT
#
# U-Boot script of QEMU's virt board: reads the kernel, the boot archive and the kernel's arguments from the disk and
# starts the kernel with the device tree that QEMU handed to U-Boot.

setenv initrd_high 0xffffffffffffffff
setenv fdt_high
load virtio 0 ${kernel_addr_r} quire.img || reset
load virtio 0 ${fdt_addr_r} quire.env || reset
env import -t ${fdt_addr_r} ${filesize} bootargs
load virtio 0 ${ramdisk_addr_r} boot.cpio || reset
booti ${kernel_addr_r} ${ramdisk_addr_r}:${filesize} ${fdtcontroladdr}
echo "Quire did not start"
reset
