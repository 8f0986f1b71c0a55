# SPDX-License-Identifier: MIT
"""How QEMU's virt board is started: the command line, and the disk that U-Boot boots from."""

import os
import subprocess

QEMU = "qemu-system-aarch64"
UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
HERE = os.path.dirname(os.path.abspath(__file__))
# QEMU takes a flash bank only in full size; the file is sparse.
FLASH_BYTES = 64 << 20
ENVIRONMENT_BYTES = 0x40000
SECTOR_BYTES = 512


def run_quietly(command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit("quire: error: %s failed:\n%s" % (command[0], result.stdout + result.stderr))


def make_uboot_disk(build, directory, bootargs):
    """Writes disk.img (FAT: kernel, archive, script, arguments) and flash.img (U-Boot's environment) to directory."""
    script = os.path.join(directory, "boot.scr")
    settings = os.path.join(directory, "quire.env")
    disk = os.path.join(directory, "disk.img")
    flash = os.path.join(directory, "flash.img")
    files = [script, settings, os.path.join(build, "quire.img"), os.path.join(build, "boot.cpio")]

    run_quietly(["mkimage", "-A", "arm64", "-T", "script", "-d", os.path.join(HERE, "boot.cmd"), script])
    with open(settings, "w", encoding="ascii") as file:
        file.write("bootargs=%s\n" % bootargs)
    total = sum(os.path.getsize(path) for path in files)
    # Half as much again for the file system's own tables; 8 MiB is a size that FAT16 is happy with.
    sectors = max(8 << 20, total + total // 2) // SECTOR_BYTES
    run_quietly(["mformat", "-C", "-i", disk, "-T", str(sectors), "-h", "16", "-s", "63", "::"])
    run_quietly(["mcopy", "-i", disk] + files + ["::"])

    run_quietly(["mkenvimage", "-s", str(ENVIRONMENT_BYTES), "-o", flash, os.path.join(HERE, "uboot.env")])
    os.truncate(flash, FLASH_BYTES)
    return disk, flash


def command(machine, build, directory, bootargs):
    """Returns QEMU's command line.

    machine has memory (QEMU's notation), smp, gic (2 or 3), virtualization, uboot, gdb, semihosting and icount.
    directory takes the files made for this one run.
    """
    board = "virt,memory-backend=ram,gic-version=%d" % machine.gic
    if machine.virtualization:
        board += ",virtualization=on"
    line = [QEMU, "-M", board, "-cpu", "cortex-a72", "-smp", str(machine.smp), "-m", machine.memory,
            "-nographic", "-no-reboot", "-nic", "none",
            # The host gives memory when the guest touches it, so a guest may have more than the host.
            "-object", "memory-backend-ram,id=ram,reserve=off,size=" + machine.memory]
    if machine.semihosting:
        line += ["-semihosting-config", "enable=on,target=native"]
    if machine.icount:
        line += ["-icount", "shift=0"]
    if machine.gdb:
        line += ["-s", "-S"]
    if machine.uboot:
        disk, flash = make_uboot_disk(build, directory, bootargs)
        line += ["-bios", UBOOT, "-drive", "if=pflash,unit=1,format=raw,file=" + flash,
                 "-drive", "if=none,id=boot,format=raw,readonly=on,file=" + disk,
                 "-device", "virtio-blk-device,drive=boot"]
    else:
        line += ["-kernel", os.path.join(build, "quire.img"), "-initrd", os.path.join(build, "boot.cpio")]
        if bootargs:
            line += ["-append", bootargs]
    return line
