#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Makes a disk image: a GPT with an ext2 file system (label `root`), a swap partition (`swap`) and one for tests
(`scratch`). The file is sparse.

Usage: mkdisk.py [--size MIB] [--swap MIB] [--scratch MIB] [--folder DIRECTORY] FILE
"""

import argparse
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import uuid
import zlib

SECTOR = 512
MIB = 1 << 20
ENTRY_COUNT, ENTRY_BYTES = 128, 128
ENTRY_SECTORS = ENTRY_COUNT * ENTRY_BYTES // SECTOR
ALIGNMENT_SECTORS = MIB // SECTOR
BLOCK_BYTES = 4096
# What partitions hold, as Linux's `fdisk` names it: data, swap.
TYPE_DATA = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
TYPE_SWAP = uuid.UUID("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f")
# Names of things that have no other; all GUIDs of the image are made from it.
NAMESPACE = uuid.UUID("5b0f5d1c-6d0c-4a55-9b5e-2f3f1f6a7e11")
FOLDERS = ("bin", "dev", "etc", "home", "lib", "mnt", "proc", "root", "sbin", "tmp", "usr", "var", "var/tmp")


def guid(name):
    return uuid.uuid5(NAMESPACE, name)


class Partition:
    def __init__(self, label, kind, first, sectors):
        self.label, self.kind, self.first, self.sectors = label, kind, first, sectors

    def entry(self):
        return struct.pack("<16s16sQQQ72s", self.kind.bytes_le, guid(self.label).bytes_le, self.first,
                           self.first + self.sectors - 1, 0, self.label.encode("utf-16-le"))


def place(sizes, total):
    """Returns partitions for (label, type, MiB or None for what is left), one behind the other."""
    free = total // ALIGNMENT_SECTORS - 2 - sum(size or 0 for _, _, size in sizes)
    if free < 1:
        sys.exit("mkdisk: the disk is too small for its partitions")
    partitions, first = [], ALIGNMENT_SECTORS
    for label, kind, size in sizes:
        sectors = (free if size is None else size) * ALIGNMENT_SECTORS
        if sectors:
            partitions.append(Partition(label, kind, first, sectors))
        first += sectors
    return partitions


def protective_record(total):
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xee, b"\xff\xff\xff", 1, min(total - 1, 0xffffffff))
    return bytes(446) + entry + bytes(48) + b"\x55\xaa"


def header(total, entries, own, other, table):
    fields = struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, 0, 0, own, other, 2 + ENTRY_SECTORS,
                         total - 2 - ENTRY_SECTORS, guid("disk").bytes_le, table, ENTRY_COUNT, ENTRY_BYTES,
                         zlib.crc32(entries))
    return fields[:16] + struct.pack("<I", zlib.crc32(fields)) + fields[20:]


def write_table(file, partitions, total):
    entries = b"".join(partition.entry() for partition in partitions).ljust(ENTRY_COUNT * ENTRY_BYTES, b"\0")
    backup = total - 1 - ENTRY_SECTORS
    for sector, data in ((0, protective_record(total)), (1, header(total, entries, 1, total - 1, 2)), (2, entries),
                         (backup, entries), (total - 1, header(total, entries, total - 1, 1, backup))):
        file.seek(sector * SECTOR)
        file.write(data)


def find_mke2fs():
    tool = shutil.which("mke2fs") or shutil.which("mke2fs", path="/usr/sbin:/sbin")
    if not tool:
        sys.exit("mkdisk: mke2fs is missing; run ./quire setup")
    return tool


def make_file_system(path, partition, folder):
    """Writes an ext2 file system with the usual folders, and the content of `folder` if there is one."""
    with tempfile.TemporaryDirectory(prefix="quire-") as work:
        content = os.path.join(work, "content")
        if folder:
            shutil.copytree(folder, content, symlinks=True)
        for name in FOLDERS:
            os.makedirs(os.path.join(content, name), exist_ok=True)
        os.chmod(os.path.join(content, "tmp"), 0o1777)
        os.chmod(os.path.join(content, "var/tmp"), 0o1777)
        offset = partition.first * SECTOR
        words = [find_mke2fs(), "-q", "-F", "-t", "ext2", "-b", str(BLOCK_BYTES), "-L", partition.label, "-U",
                 str(guid("file system")), "-E", "offset=%d,root_owner=0:0" % offset, "-d",
                 content, path, "%dk" % (partition.sectors * SECTOR // 1024)]
        result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        if result.returncode != 0:
            sys.exit("mkdisk: mke2fs failed:\n" + result.stdout + result.stderr)


def write_swap(file, partition):
    """The head of a swap area, as Linux's mkswap writes it (version 1, pages of 4 KiB)."""
    page = bytearray(BLOCK_BYTES)
    struct.pack_into("<III", page, 1024, 1, partition.sectors * SECTOR // BLOCK_BYTES - 1, 0)
    page[1036:1052] = guid("swap area").bytes
    page[1052:1068] = b"swap".ljust(16, b"\0")
    page[-10:] = b"SWAPSPACE2"
    file.seek(partition.first * SECTOR)
    file.write(page)


def make_disk(path, size, swap, scratch, folder=None):
    """Makes the image, of `size` MiB; a partition of 0 MiB is left out."""
    total = size * ALIGNMENT_SECTORS
    partitions = place([("root", TYPE_DATA, None), ("swap", TYPE_SWAP, swap), ("scratch", TYPE_DATA, scratch)], total)
    # Complete or not there at all: whoever finds the file may use it.
    work = path + ".%d" % os.getpid()
    try:
        with open(work, "wb") as file:
            file.truncate(total * SECTOR)
        make_file_system(work, partitions[0], folder)
        with open(work, "r+b") as file:
            write_table(file, partitions, total)
            for partition in partitions:
                if partition.kind == TYPE_SWAP:
                    write_swap(file, partition)
        os.replace(work, path)
    finally:
        if os.path.exists(work):
            os.remove(work)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1024, metavar="MIB")
    parser.add_argument("--swap", type=int, default=256, metavar="MIB")
    parser.add_argument("--scratch", type=int, default=0, metavar="MIB")
    parser.add_argument("--folder", metavar="DIRECTORY", help="what the file system holds")
    parser.add_argument("file")
    options = parser.parse_args()
    make_disk(options.file, options.size, options.swap, options.scratch, options.folder)


if __name__ == "__main__":
    main()
