# SPDX-License-Identifier: MIT
"""How the Raspberry Pi 4 is emulated, and how its SD card is made.

QEMU plays the processor but not the GPU, whose firmware starts a real board. What it would do is done here: U-Boot and
the device tree are taken from the card and put into memory, and the tree is told how much memory there is.
"""

import os
import re
import subprocess
import tempfile

import disk
import fdt

QEMU = "qemu-system-aarch64"
HERE = os.path.dirname(os.path.abspath(__file__))
CORES, MEMORY = 4, "2G"
TREE = "bcm2711-rpi-4-b.dtb"
# What QEMU does not have, and would complain about.
NOT_EMULATED = (b"brcm,bcm2711-pcie", b"brcm,bcm2711-rng200", b"brcm,bcm2711-thermal", b"brcm,bcm2711-genet-v5")
CARD_CONTROLLERS = (b"brcm,bcm2835-sdhci", b"brcm,bcm2711-emmc2")
ENVIRONMENT_BYTES = 0x4000
SEED_BYTES = 64
# Memory as the board has it: QEMU tells of what is below the GPU's part of the first GiB, and leaves it to the firmware
# to tell of what is above.
LOWER_BYTES, UPPER_BASE = 960 << 20, 1 << 30
MEMORY_BYTES_MIN, MEMORY_BYTES = 128 << 20, 2 << 30
# The card: what is at its start is left to whoever wants it; the rest is /.
CARD_BYTES_MIN, CARD_BYTES = 256 << 20, 256 << 20
BOOT_START, BOOT_BYTES, SWAP_BYTES = 1 << 20, 64 << 20, 64 << 20


def debian_files():
    """Returns the folder with what comes from Debian; see files.sh."""
    result = subprocess.run([os.path.join(HERE, "files.sh")], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                            check=False)
    if result.returncode != 0:
        raise SystemExit(1)
    return result.stdout.strip()


def boot_files(build, archive, directory, bootargs):
    """Returns {name on the card: path} for the boot partition; what is made for it goes to the directory."""
    debian = debian_files()
    script, arguments, environment = (os.path.join(directory, name) for name in ("boot.scr", "quire.env", "uboot.env"))
    disk.run_quietly(["mkimage", "-A", "arm64", "-T", "script", "-d", os.path.join(HERE, "boot.cmd"), script])
    disk.run_quietly(["mkenvimage", "-s", str(ENVIRONMENT_BYTES), "-o", environment, os.path.join(HERE, "uboot.env")])
    with open(arguments, "w", encoding="ascii") as file:
        file.write("bootargs=%s\n" % bootargs)
    paths = [os.path.join(HERE, "config.txt"), os.path.join(debian, "u-boot.bin"), os.path.join(debian, TREE),
             script, arguments, environment, os.path.join(build, "quire.img")]
    firmware = os.path.join(debian, "firmware")
    paths += [os.path.join(firmware, name) for name in sorted(os.listdir(firmware))]
    files = {os.path.basename(path): path for path in paths}
    files["boot.cpio"] = archive
    return files


def make_image(build, archive, image, size=CARD_BYTES, bootargs=""):
    """Writes an SD card's image: the boot partition, / and swap. size: bytes, a power of two."""
    if size < CARD_BYTES_MIN or size & size - 1:
        raise SystemExit("quire: error: a card has %d MiB or more, and a power of two" % (CARD_BYTES_MIN >> 20))
    root_start = BOOT_START + BOOT_BYTES
    swap_start = size - SWAP_BYTES
    with open(image, "wb") as file:
        file.truncate(size)
    disk.write_table(image, [(disk.FAT32_LBA, BOOT_START, BOOT_BYTES, True),
                             (disk.LINUX, root_start, swap_start - root_start, False),
                             (disk.LINUX_SWAP, swap_start, SWAP_BYTES, False)])
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        disk.fill_fat(image, BOOT_START, BOOT_BYTES, boot_files(build, archive, directory, bootargs))
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        disk.unpack_archive(archive, directory)
        disk.fill_ext2(image, root_start, swap_start - root_start, directory)
    disk.fill_swap(image, swap_start, SWAP_BYTES)


def memory_bytes(text):
    return int(text[:-1]) << {"M": 20, "G": 30}[text[-1]]


def limit_memory(root, reserved, size):
    """Has the tree tell of `size` bytes of memory in all, as the firmware does if config.txt has `total_mem`. What is
    below the GPU's part is QEMU's to tell of, so what is too much of that is reserved."""
    if size < LOWER_BYTES:
        reserved.append((size, LOWER_BYTES - size))
    if size > UPPER_BASE:
        # By this name, because QEMU replaces nodes that are called memory.
        root["children"].append({"name": "upper-memory@%x" % UPPER_BASE, "children": [], "properties": {
            "device_type": b"memory\0", "reg": fdt.cells(*fdt.wide(UPPER_BASE), size - UPPER_BASE)}})


def remove_devices(node, compatible):
    """Takes the devices whose drivers have these names out of the tree."""
    node["children"] = [child for child in node["children"]
                        if not child["properties"].get("compatible", b"").startswith(compatible)]
    for child in node["children"]:
        remove_devices(child, compatible)


def prepared_tree(tree, path, machine, has_card):
    """Writes the tree as the firmware hands it over; machine.uart, if given, is the alias of the one that is the console."""
    with open(tree, "rb") as file:
        data = file.read()
    root, reserved = fdt.read(data), fdt.reservations(data)
    chosen = next(child for child in root["children"] if child["name"] == "chosen")
    chosen["properties"]["rng-seed"] = os.urandom(SEED_BYTES)
    if machine.uart:
        chosen["properties"]["stdout-path"] = machine.uart.encode() + b"\0"
    limit_memory(root, reserved, memory_bytes(machine.memory))
    # Without a card there is no controller either: otherwise all of them would have to be asked whether there is one.
    remove_devices(root, NOT_EMULATED if has_card else NOT_EMULATED + CARD_CONTROLLERS)
    with open(path, "wb") as file:
        file.write(fdt.write(root, reserved))


def check_machine(machine):
    if machine.smp != CORES:
        raise SystemExit("quire: error: the Raspberry Pi 4 has %d cores" % CORES)
    size = memory_bytes(machine.memory)
    if not MEMORY_BYTES_MIN <= size <= MEMORY_BYTES or LOWER_BYTES < size < UPPER_BASE:
        raise SystemExit("quire: error: the Raspberry Pi 4 that QEMU knows has %s, of which the device tree may tell of "
                         "%d to %d MiB, 1G or more" % (MEMORY, MEMORY_BYTES_MIN >> 20, LOWER_BYTES >> 20))
    if machine.virtualization or machine.memory_map or machine.dma_limit:
        raise SystemExit("quire: error: the Raspberry Pi 4 is as it is: it starts at EL2, and its memory is where it is")


def serial_lines(machine, uart):
    """The mini UART, which Debian's tree has as console, is QEMU's second line, the PL011 its first."""
    lines = ["-serial", "stdio"] if machine.framed else ["-serial", "mon:stdio"]
    other = ["-serial", "null"]
    return ["-display", "none", "-monitor", "none"] + (lines + other if uart == "serial0" else other + lines)


def card_of(machine, build, directory, bootargs):
    """Returns the path of the machine's card, and its options for QEMU. The card is made if it is `image` (which a size
    may follow, as in image,size=4G), and otherwise the user's own."""
    if len(machine.disks) > 1:
        raise SystemExit("quire: error: the Raspberry Pi 4 has one card")
    path, *words = (machine.disks or ["image"])[0].split(",")
    sizes = [word for word in words if re.fullmatch(r"size=\d+G", word)]
    words = [word for word in words if word not in sizes]
    if set(words) - {"snapshot", "readonly"} or (sizes and path != "image"):
        raise SystemExit("quire: error: a card is a file, snapshot or readonly, and nothing more")
    if path == "image":
        path = os.path.join(directory, "sd.img")
        size = int(sizes[0][5:-1]) << 30 if sizes else CARD_BYTES
        make_image(build, machine.archive, path, size, bootargs)
    elif machine.uboot and bootargs:
        raise SystemExit("quire: error: the kernel's arguments are on the card; use --kernel-boot")
    return path, "".join(",%s=on" % word for word in words)


def take_from_card(card, directory):
    """Does what the firmware does first."""
    start = disk.read_table(card)[0][1]
    for name in ("u-boot.bin", TREE):
        disk.run_quietly(["mcopy", "-n", "-i", "%s@@%d" % (card, start), "::" + name, directory])


def command(machine, build, directory, bootargs):
    """Returns QEMU's command line; see platform/qemu-virt/board.py. machine.uart may name another console (serial0)."""
    check_machine(machine)
    tree = os.path.join(directory, "tree.dtb")
    line = [QEMU, "-M", "raspi4b", "-smp", str(CORES), "-m", MEMORY, "-dtb", tree] + serial_lines(machine, machine.uart)
    # Where the board's own power switch is what matters, a reset must not look like it.
    line += [] if machine.no_semihosting else ["-no-reboot"]
    if machine.semihosting:
        line += ["-semihosting-config", "enable=on,target=native"]
    if machine.icount:
        line += ["-icount", "shift=0"]
    if machine.gdb:
        line += ["-s", "-S"]
    if machine.uboot or machine.disks:
        card, words = card_of(machine, build, directory, bootargs)
        line += ["-drive", "if=sd,format=raw,file=%s%s" % (card, words)]
    if machine.uboot:
        take_from_card(card, directory)
        prepared_tree(os.path.join(directory, TREE), tree, machine, True)
        return line + ["-kernel", os.path.join(directory, "u-boot.bin")]
    prepared_tree(os.path.join(debian_files(), TREE), tree, machine, bool(machine.disks))
    line += ["-kernel", os.path.join(build, "quire.img"), "-initrd", machine.archive]
    return line + (["-append", bootargs] if bootargs else [])
