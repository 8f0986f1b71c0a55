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


def header(inode, mode, links, size, name_size):
    fields = [inode, mode, 0, 0, links, 0, size, 0, 0, 0, 0, name_size, 0]
    return b"070701" + b"".join(b"%08X" % field for field in fields)


def padded(data):
    return data + bytes(-len(data) % 4)


def entry(inode, name, mode, data):
    name_bytes = name.encode() + b"\0"
    links = 2 if mode == MODE_DIRECTORY else 1
    return padded(header(inode, mode, links, len(data), len(name_bytes)) + name_bytes) + padded(data)


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
    directories = sorted({os.path.dirname(name) for name in members} - {""})
    parts = []
    for name in directories:
        parts.append(entry(len(parts) + 1, name, MODE_DIRECTORY, b""))
    for name in sorted(members):
        parts.append(entry(len(parts) + 1, name, MODE_FILE, stripped(members[name], options.strip)))
    parts.append(entry(0, "TRAILER!!!", 0, b""))
    with open(options.archive, "wb") as file:
        file.write(b"".join(parts))


if __name__ == "__main__":
    main()
