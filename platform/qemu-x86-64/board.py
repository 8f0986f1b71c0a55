# SPDX-License-Identifier: MIT
"""How QEMU's PCs are started: microvm, whose disks are where the servers look for them, or q35."""

import os
import sys

QEMU = "qemu-system-x86_64"
HERE = os.path.dirname(os.path.abspath(__file__))
BOARDS = {
    # No PIC, no clock of the host's; the timer that the kernel measures by; transports of virtio's present form.
    "microvm": "microvm,pic=off,pit=on,rtc=off,isa-serial=on,acpi=on,memory-backend=ram",
    "q35": "q35,memory-backend=ram",
}
# The one that is started; the other one is for tests of the kernel alone, as it has its disks on PCI.
BOARD = os.environ.get("QUIRE_PC", "microvm")


def disk_words(number, description):
    """QEMU's words for a disk: FILE, and behind commas `snapshot` (what is written is forgotten at the end), `readonly`,
    or properties of QEMU's virtio-blk-device."""
    path, *words = description.split(",")
    drive, device = "if=none,id=disk%d,format=raw,file=%s" % (number, path), "virtio-blk-device,drive=disk%d" % number
    device += ",bus=virtio-mmio-bus.%d" % number
    for word in words:
        if word in ("snapshot", "readonly"):
            drive += ",%s=on" % word
        else:
            device += "," + word
    return ["-drive", drive, "-device", device]


def check_machine(machine):
    if machine.memory_map or machine.dma_limit or machine.virtualization:
        raise SystemExit("quire: error: this board's memory is as QEMU makes it, and there is no EL2")


def command(machine, build, directory, bootargs):
    """Returns QEMU's command line; see platform/qemu-virt/board.py. QEMU loads the kernel, whatever machine.uboot is."""
    check_machine(machine)
    # The host gives memory when the guest touches it, so a guest may have more than the host.
    line = [QEMU, "-M", BOARDS[BOARD], "-cpu", "max", "-smp", str(machine.smp), "-m", machine.memory,
            "-accel", "tcg,thread=single" if machine.icount else "tcg",
            "-nodefaults", "-no-reboot", "-nic", "none",
            "-object", "memory-backend-ram,id=ram,reserve=off,size=" + machine.memory]
    # A line for bytes is the serial port alone; one for a person has the monitor on it, too, and Ctrl-A keys.
    line += ["-display", "none", "-serial", "stdio" if machine.framed else "mon:stdio"]
    if machine.icount:
        line += ["-icount", "shift=0"]
    if machine.gdb:
        line += ["-s", "-S"]
    line += ["-global", "virtio-mmio.force-legacy=" + ("on" if machine.legacy_virtio else "off")]
    if BOARD == "microvm":
        # The other firmware has its tables where QEMU puts the archive.
        line += ["-bios", "qboot.rom"]
        line += sum((disk_words(number, disk) for number, disk in enumerate(machine.disks)), [])
    line += ["-kernel", os.path.join(build, "quire.img"), "-initrd", machine.archive]
    if bootargs:
        line += ["-append", bootargs]
    if not machine.semihosting:
        return line
    status = os.path.join(directory, "status")
    return [sys.executable, os.path.join(HERE, "exit_status.py"), status] + line + [
        "-chardev", "file,id=status,path=" + status, "-device", "isa-debugcon,iobase=0xf4,chardev=status"]
