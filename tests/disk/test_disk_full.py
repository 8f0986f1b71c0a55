#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has a small disk filled; e2fsck finds it in order afterwards."""

import os
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(SOURCE, "scripts"), os.path.join(SOURCE, "tests", "sdk")]

# pylint: disable=wrong-import-position
import mkdisk  # noqa: E402
from disk import tool  # noqa: E402
from sdk import Tap  # noqa: E402

MIB = 1 << 20
DISK_MIB = 12
PATIENCE_SECONDS = 120


def run(build, disk, cores):
    words = [sys.executable, os.path.join(SOURCE, "scripts", "system_test.py"), "--build", build, "--smp", str(cores),
             "--memory", "128M", "--timeout", str(PATIENCE_SECONDS), "--disk", disk, "--", "/tests/disk_full",
             "quire.grant=physical"]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr, result.returncode == 0


def fsck(disk, folder):
    part = os.path.join(folder, "part")
    with open(disk, "rb") as source, open(part, "wb") as target:
        source.seek(MIB)
        target.write(source.read((DISK_MIB - 2) * MIB))
    result = subprocess.run([tool("e2fsck"), "-fn", part], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            check=False)
    return result.stdout + result.stderr, result.returncode == 0


def main():
    build, tap = os.environ["QUIRE_BUILD"], Tap()
    with tempfile.TemporaryDirectory(prefix="quire-") as folder:
        disk = os.path.join(folder, "disk")
        for cores in (4, 1):
            mkdisk.make_disk(disk, DISK_MIB, 0, 0)
            output, passed = run(build, disk, cores)
            tap.ok(passed, "a disk is filled, %d CPUs" % cores, output)
            said, in_order = fsck(disk, folder)
            tap.ok(in_order, "it is in order", said)
    tap.done()


if __name__ == "__main__":
    main()
