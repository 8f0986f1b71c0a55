#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the boot archive: a cpio archive (newc) of user programs, stripped, byte for byte the same for the same input.

Usage: mkcpio.py [--strip STRIP] ARCHIVE NAME=FILE...
"""

import argparse
import os
import subprocess
import tempfile

MODE_FILE = 0o100755
MODE_DIRECTORY = 0o040755
HEADER_BYTES = 110


def header(inode, mode, links, size, name_size):
    fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0]
    return b"070701" + b"".join(b"%08X" % field for field in fields)


def padded(data):
    return data + bytes(-len(data) % 4)


def entry(inode, name, mode, data):
    name_bytes = os.fsencode(name) + b"\0"
    links = 2 if mode == MODE_DIRECTORY else 1
    return padded(header(inode, mode, links, len(data), len(name_bytes)) + name_bytes) + padded(data)


def archive_of(members):
    """Returns the archive of {name: (mode, content)}, with the directories that the names need."""
    directories = set()
    for name in members:
        while "/" in name:
            name = os.path.dirname(name)
            directories.add(name)
    parts = []
    for name in sorted(directories):
        parts.append(entry(len(parts) + 1, name, MODE_DIRECTORY, b""))
    for name in sorted(members):
        parts.append(entry(len(parts) + 1, name, *members[name]))
    parts.append(entry(0, "TRAILER!!!", 0, b""))
    return b"".join(parts)


def members_of(archive):
    """Returns the files of an archive that this script wrote, as {name: (mode, content)}."""
    members, at = {}, 0
    while True:
        mode, size, name_size = (int(archive[at + 6 + 8 * field:at + 14 + 8 * field], 16) for field in (1, 6, 11))
        name = os.fsdecode(archive[at + HEADER_BYTES:at + HEADER_BYTES + name_size - 1])
        content = at + (HEADER_BYTES + name_size + 3) // 4 * 4
        if name == "TRAILER!!!":
            return members
        if mode != MODE_DIRECTORY:
            members[name] = (mode, archive[content:content + size])
        at = content + (size + 3) // 4 * 4


def stripped(path, strip):
    if strip is None:
        with open(path, "rb") as file:
            return file.read()
    with tempfile.TemporaryDirectory() as directory:
        copy = os.path.join(directory, "stripped")
        subprocess.run([strip, "-o", copy, path], check=True)
        with open(copy, "rb") as file:
            return file.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--strip")
    parser.add_argument("archive")
    parser.add_argument("members", nargs="*")
    options = parser.parse_args()

    members = dict(member.split("=", 1) for member in options.members)
    with open(options.archive, "wb") as file:
        file.write(archive_of({name: (MODE_FILE, stripped(path, options.strip)) for name, path in members.items()}))


if __name__ == "__main__":
    main()
