# SPDX-License-Identifier: MIT
"""How QEMU's virt board is started: the command line, and the disk that U-Boot boots from."""

import os

import fdt
from disk import run_quietly

QEMU = "qemu-system-aarch64"
UBOOT = "/usr/lib/u-boot/qemu_arm64/u-boot.bin"
HERE = os.path.dirname(os.path.abspath(__file__))
# QEMU takes a flash bank only in full size; the file is sparse.
FLASH_BYTES = 64 << 20
ENVIRONMENT_BYTES = 0x40000
SECTOR_BYTES = 512
GIBIBYTE = 1 << 30
# Where things go when a machine starts with a device tree of our own.
KERNEL_ADDRESS, STUB_ADDRESS, TREE_ADDRESS, ARCHIVE_ADDRESS = 0x40200000, 0x44000000, 0x45000000, 0x46000000


def make_uboot_disk(build, archive, directory, bootargs):
    """Writes disk.img (FAT: kernel, archive, script, arguments) and flash.img (U-Boot's environment) to directory."""
    script = os.path.join(directory, "boot.scr")
    settings = os.path.join(directory, "quire.env")
    disk = os.path.join(directory, "disk.img")
    flash = os.path.join(directory, "flash.img")
    files = [script, settings, os.path.join(build, "quire.img"), archive]

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


def change_tree(tree, machine, archive_bytes):
    """Gives the tree the memory, and the bus with a limited view of it, that the options ask for."""
    root = fdt.read(tree)
    chosen = next(child for child in root["children"] if child["name"] == "chosen")
    chosen["properties"]["linux,initrd-start"] = fdt.cells(*fdt.wide(ARCHIVE_ADDRESS))
    chosen["properties"]["linux,initrd-end"] = fdt.cells(*fdt.wide(ARCHIVE_ADDRESS + archive_bytes))
    if machine.memory_map:
        memory = next(child for child in root["children"] if child["name"].startswith("memory"))
        numbers = []
        for piece in machine.memory_map.split(","):
            size, base = piece.split("@")
            numbers += fdt.wide(int(base) * GIBIBYTE) + fdt.wide(int(size) * GIBIBYTE)
        memory["properties"]["reg"] = fdt.cells(*numbers)
    if machine.dma_limit:
        # The bus shows all below 4 GiB, at 0xc0000000 of its own; the one below it, whose addresses have PCI's three
        # cells, only what is below the limit.
        limit = machine.dma_limit * GIBIBYTE
        inner = {"name": "pcie", "children": [], "properties": {
            "#address-cells": fdt.cells(3), "#size-cells": fdt.cells(2),
            "dma-ranges": fdt.cells(0x02000000, 0, 0, 0xc0000000, *fdt.wide(limit))}}
        root["children"].append({"name": "soc", "children": [inner], "properties": {
            "compatible": b"simple-bus\0", "#address-cells": fdt.cells(1), "#size-cells": fdt.cells(1),
            "ranges": b"", "dma-ranges": fdt.cells(0xc0000000, 0, 0, 0xfffff000)}})
    return fdt.write(root)


def start_with_tree(line, machine, build, directory):
    """Boots as QEMU does it for a kernel, but with a changed device tree, which it would overwrite."""
    kernel, archive = os.path.join(build, "quire.img"), machine.archive
    tree = os.path.join(directory, "tree.dtb")
    run_quietly([word.replace("virt,", "virt,dumpdtb=%s," % tree, 1) if word.startswith("virt,") else word
                 for word in line])
    with open(tree, "rb") as file:
        changed = change_tree(file.read(), machine, os.path.getsize(archive))
    with open(tree, "wb") as file:
        file.write(changed)
    # ldr x0, tree; ldr x4, kernel; br x4; and the two addresses.
    stub = (0x58000080 | 0x580000a4 << 32, 0xd61f0080, TREE_ADDRESS, KERNEL_ADDRESS)
    words = sum((["-device", "loader,addr=%#x,data=%#x,data-len=8" % (STUB_ADDRESS + 8 * index, word)]
                 for index, word in enumerate(stub)), [])
    for path, address in ((kernel, KERNEL_ADDRESS), (tree, TREE_ADDRESS), (archive, ARCHIVE_ADDRESS)):
        words += ["-device", "loader,file=%s,addr=%#x,force-raw=on" % (path, address)]
    without = [word for index, word in enumerate(line)
               if not {"-kernel", "-initrd", "-append"} & set(line[max(index - 1, 0):index + 1])]
    return without + words + ["-device", "loader,addr=%#x,cpu-num=0" % STUB_ADDRESS]


def disk_words(number, bus, description):
    """QEMU's words for a disk at a place among the virtio buses: FILE, and behind commas `snapshot` (what is written is forgotten at the end), `readonly`,
    `log=FILE` (writes and flushes are logged as QEMU's blklogwrites does), or properties of QEMU's virtio-blk-device."""
    path, *words = description.split(",")
    drive, device = "if=none,id=disk%d,format=raw,file=%s" % (number, path), "virtio-blk-device,drive=disk%d" % number
    # Left to itself QEMU takes the buses from the last one down, and the first disk would be the last.
    device += ",bus=virtio-mmio-bus.%d" % bus
    for word in words:
        if word in ("snapshot", "readonly"):
            drive += ",%s=on" % word
        elif word.startswith("log="):
            drive = ("if=none,id=disk%d,driver=blklogwrites,file.driver=raw,file.file.driver=file,file.file.filename=%s,"
                     "log.driver=file,log.filename=%s,log-super-update-interval=1" % (number, path, word[4:]))
        else:
            device += "," + word
    return ["-drive", drive, "-device", device]


def command(machine, build, directory, bootargs):
    """Returns QEMU's command line.

    machine has memory (QEMU's notation), memory_map, dma_limit, smp, gic (2 or 3), virtualization, uboot, gdb,
    semihosting, icount, disks (see disk_words), legacy_virtio, framed (the serial line carries bytes for a program, not for a person) and archive (path of the
    boot archive).
    directory takes the files made for this one run.
    """
    board = "virt,memory-backend=ram,gic-version=%d" % machine.gic
    if machine.virtualization:
        board += ",virtualization=on"
    line = [QEMU, "-M", board, "-cpu", "cortex-a72", "-smp", str(machine.smp), "-m", machine.memory,
            "-no-reboot", "-nic", "none",
            # The host gives memory when the guest touches it, so a guest may have more than the host.
            "-object", "memory-backend-ram,id=ram,reserve=off,size=" + machine.memory]
    # A line for bytes is the serial port alone; one for a person has the monitor on it, too, and Ctrl-A keys.
    line += ["-display", "none", "-monitor", "none", "-serial", "stdio"] if machine.framed else ["-nographic"]
    if machine.semihosting:
        line += ["-semihosting-config", "enable=on,target=native"]
    if machine.icount:
        line += ["-icount", "shift=0"]
    if machine.gdb:
        line += ["-s", "-S"]
    line += ["-global", "virtio-mmio.force-legacy=" + ("on" if machine.legacy_virtio else "off")]
    # The first device is the one that U-Boot boots from.
    first = 1 if machine.uboot else 0
    disks = sum((disk_words(number, first + number, disk) for number, disk in enumerate(machine.disks)), [])
    if machine.uboot:
        disk, flash = make_uboot_disk(build, machine.archive, directory, bootargs)
        line += ["-bios", UBOOT, "-drive", "if=pflash,unit=1,format=raw,file=" + flash,
                 "-drive", "if=none,id=boot,format=raw,readonly=on,file=" + disk,
                 "-device", "virtio-blk-device,drive=boot,bus=virtio-mmio-bus.0,serial=boot"] + disks
    else:
        line += disks
        line += ["-kernel", os.path.join(build, "quire.img"), "-initrd", machine.archive]
        if bootargs:
            line += ["-append", bootargs]
        if machine.memory_map or machine.dma_limit:
            line = start_with_tree(line, machine, build, directory)
    return line
