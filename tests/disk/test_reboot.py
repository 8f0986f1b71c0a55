#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes files to a disk, starts the machine anew, and finds them; e2fsck looks at the disk after each end."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(SOURCE, "scripts"), os.path.join(SOURCE, "tests", "sdk")]

# pylint: disable=wrong-import-position
import mkdisk  # noqa: E402
from sdk import Tap  # noqa: E402

DISK_MIB, SWAP_MIB = 64, 8
MIB = 1 << 20
PATIENCE_SECONDS = 120


def boot(build, disk, phase):
    """Runs the program on a machine with the disk; returns what it printed and whether it was content."""
    words = [sys.executable, os.path.join(SOURCE, "scripts", "system_test.py"), "--build", build, "--smp", "2",
             "--memory", "128M", "--timeout", str(PATIENCE_SECONDS), "--disk", disk, "--", "/tests/disk_files", phase]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr, result.returncode == 0


def fsck(disk, folder):
    """Has e2fsck look at the root partition; returns what it says and whether all is in order."""
    part = os.path.join(folder, "part")
    tool = shutil.which("e2fsck") or shutil.which("e2fsck", path="/usr/sbin:/sbin")
    with open(disk, "rb") as source, open(part, "wb") as target:
        source.seek(MIB)
        shutil.copyfileobj(source, target)
    os.truncate(part, (DISK_MIB - SWAP_MIB - 2) * MIB)
    result = subprocess.run([tool, "-fn", part], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr, result.returncode == 0


def main():
    build = os.environ["QUIRE_BUILD"]
    tap = Tap()
    with tempfile.TemporaryDirectory(prefix="quire-") as folder:
        disk = os.path.join(folder, "disk")
        mkdisk.make_disk(disk, DISK_MIB, SWAP_MIB, 0)
        for phase in ("write", "verify"):
            output, passed = boot(build, disk, phase)
            tap.ok(passed, "disk_files %s" % phase, output)
            said, in_order = fsck(disk, folder)
            # A file that was open without a name is in the chain of orphans, which e2fsck only follows to repair.
            orphans = re.findall(r"Deleted inode|orphan", said)
            tap.ok(in_order or (phase == "write" and orphans), "the disk is in order", said)
    tap.done()


if __name__ == "__main__":
    main()
