# SPDX-License-Identifier: MIT
"""How QEMU's PCs are started: microvm or q35; and the CD's image, with
which PCs start by themselves."""

import os
import shutil
import sys
import tempfile

import disk

QEMU = "qemu-system-x86_64"
HERE = os.path.dirname(os.path.abspath(__file__))
BOARDS = {
    # No PIC, no clock of the host's; the timer that the kernel measures by; transports of virtio's present form.
    "microvm": "microvm,pic=off,pit=on,rtc=off,isa-serial=on,acpi=on,memory-backend=ram",
    "q35": "q35,memory-backend=ram",
}
FIRST_SLOT = 4 # on PCI
# The one that is started, and its processor, with what it is to lack, as in max,smap=off.
BOARD = os.environ.get("QUIRE_PC", "microvm")
# The emulator's XSAVE and XRSTOR do not look at CR0.TS, so that programs would get at registers that are others': without
# them, FXSAVE is used, and there is no AVX.
CPU = os.environ.get("QUIRE_CPU", "max,xsave=off")


# Where microvm has virtio's transports. QEMU leaves these words out where there is ACPI, which would need an interpreter.
TRANSPORT_BASE, TRANSPORT_BYTES, TRANSPORT_LINE = 0xfeb00000, 0x200, 24
# Not 0: QEMU's interrupt controllers, the second one as well, take their line 0 for line 2.
TRANSPORT_FIRST = 1


def transport_words(count):
    """The words of the command line, in QEMU's own form, that name the transports of so many disks."""
    return ["virtio_mmio.device=%d@%#x:%d" % (TRANSPORT_BYTES, TRANSPORT_BASE + TRANSPORT_BYTES * number, TRANSPORT_LINE + number)
            for number in range(TRANSPORT_FIRST, TRANSPORT_FIRST + count)]


def disk_words(number, description, board):
    """QEMU's words for a disk: FILE, and behind commas `snapshot` (what is written is forgotten at the end), `readonly`,
    or properties of QEMU's virtio-blk-device, or -pci."""
    path, *words = description.split(",")
    drive, device = "if=none,id=disk%d,format=raw,file=%s" % (number, path), "drive=disk%d" % number
    # In the order in which they are found.
    device = "virtio-blk-pci,addr=%#x,%s" % (FIRST_SLOT + number, device) if board == "q35" else \
        "virtio-blk-device,bus=virtio-mmio-bus.%d,%s" % (TRANSPORT_FIRST + number, device)
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
    # Where it counts instructions, QEMU cannot tell the time in a write to a register of the x2APIC.
    cpu = CPU + (",x2apic=off" if machine.icount else "")
    line = [QEMU, "-M", BOARDS[BOARD], "-cpu", cpu, "-smp", str(machine.smp), "-m", machine.memory,
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
        bootargs = " ".join(transport_words(len(machine.disks)) + [bootargs])
    line += sum((disk_words(number, words, BOARD) for number, words in enumerate(machine.disks)), [])
    line += ["-kernel", os.path.join(build, "quire.img"), "-initrd", machine.archive]
    if bootargs:
        line += ["-append", bootargs]
    if not machine.semihosting:
        return line
    status = os.path.join(directory, "status")
    return [sys.executable, os.path.join(HERE, "exit_status.py"), status] + line + [
        "-chardev", "file,id=status,path=" + status, "-device", "isa-debugcon,iobase=0xf4,chardev=status"]


def make_iso(build, archive, image, arguments=""):
    """Writes the image of a CD, or of a USB stick, which starts on PCs with a BIOS and with UEFI: GRUB, kernel, archive."""
    if any(word in arguments for word in "\n;{}|&<>\"'\\$"):
        raise SystemExit("quire: error: GRUB reads its own signs in the arguments: %s" % arguments)
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        grub = os.path.join(directory, "boot", "grub")
        os.makedirs(grub)
        shutil.copy(os.path.join(build, "quire.img"), os.path.join(directory, "boot"))
        shutil.copy(archive, os.path.join(directory, "boot"))
        with open(os.path.join(HERE, "grub.cfg"), encoding="ascii") as file:
            text = file.read().replace("@ARGUMENTS@", arguments)
        with open(os.path.join(grub, "grub.cfg"), "w", encoding="ascii") as file:
            file.write(text)
        disk.run_quietly(["grub-mkrescue", "-o", image, directory, "--", "-volid", "QUIRE"])


def iso_command(image, firmware, smp, memory, disks=()):
    """Returns QEMU's command line for a PC with this CD, and disks on PCI as in machine.disks. firmware: None, QEMU's own BIOS,
    or the path of another with an `_VARS_` beside it for its `_CODE_`."""
    line = [QEMU, "-M", "q35", "-accel", "tcg", "-cpu", CPU, "-smp", str(smp), "-m", memory, "-nodefaults", "-no-reboot",
            "-nic", "none", "-display", "none", "-serial", "stdio", "-cdrom", image, "-boot", "d"]
    line += sum((disk_words(number, words, "q35") for number, words in enumerate(disks)), [])
    if firmware:
        # What is written to the second, the firmware's settings, is forgotten at the end.
        line += ["-drive", "if=pflash,format=raw,unit=0,readonly=on,file=" + firmware,
                 "-drive", "if=pflash,format=raw,unit=1,snapshot=on,file=" + firmware.replace("_CODE_", "_VARS_")]
    return line
