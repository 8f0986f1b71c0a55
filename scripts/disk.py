# SPDX-License-Identifier: MIT
"""Disk images: a partition table in the form that every firmware reads, and what is in the partitions."""

import os
import shutil
import struct
import subprocess

import mkcpio
import mkdisk

SECTOR_BYTES = 512
MIBIBYTE = 1 << 20
FAT32_LBA, LINUX, LINUX_SWAP = 0x0c, 0x83, 0x82


def run_quietly(command):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit("quire: error: %s failed:\n%s" % (command[0], result.stdout + result.stderr))
    return result.stdout


def tool(name):
    """File system tools are in folders that not every user's PATH has."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") or name


def write_table(image, partitions):
    """Writes the partition table: (type, first byte, bytes, active) each, at most four, whole sectors."""
    table = b""
    for kind, start, size, active in partitions:
        # Cylinders, heads and sectors say nothing; only the numbers of sectors count.
        table += struct.pack("<B3sB3sII", 0x80 if active else 0, b"\xfe\xff\xff", kind, b"\xfe\xff\xff",
                             start // SECTOR_BYTES, size // SECTOR_BYTES)
    with open(image, "r+b") as file:
        file.seek(446)
        file.write(table.ljust(64, b"\0") + b"\x55\xaa")


def read_table(image):
    """Returns the (type, first byte, bytes, active) of the partitions that are there."""
    with open(image, "rb") as file:
        sector = file.read(SECTOR_BYTES)
    if sector[510:] != b"\x55\xaa":
        raise ValueError("no partition table")
    entries = [struct.unpack_from("<B3xB3xII", sector, 446 + 16 * index) for index in range(4)]
    return [(kind, start * SECTOR_BYTES, count * SECTOR_BYTES, active == 0x80)
            for active, kind, start, count in entries if kind]


def fill_fat(image, start, size, files):
    """Makes a FAT32 file system there, with these {name: path of the content} in its top folder."""
    where = "%s@@%d" % (image, start)
    run_quietly(["mformat", "-i", where, "-F", "-T", str(size // SECTOR_BYTES), "-h", "255", "-s", "63",
                 "-H", str(start // SECTOR_BYTES), "-v", "QUIRE", "::"])
    for name, path in files.items():
        run_quietly(["mcopy", "-i", where, path, "::" + name])


def partition_at(label, start, size):
    return mkdisk.Partition(label, None, start // SECTOR_BYTES, size // SECTOR_BYTES)


def fill_ext2(image, start, size, folder):
    """Makes an ext2 file system there, with what is in the folder, all of it root's."""
    mkdisk.make_file_system(image, partition_at("root", start, size), folder)


def fill_swap(image, start, size):
    with open(image, "r+b") as file:
        mkdisk.write_swap(file, partition_at("swap", start, size))


def unpack_archive(archive, folder):
    """Unpacks the boot archive into the folder."""
    with open(archive, "rb") as file:
        members = mkcpio.members_of(file.read())
    for name, (mode, content) in members.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, mode & 0o777)
