#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots Quire on this terminal: to the shell, or to one program whose exit status becomes this command's."""

import argparse
import os
import subprocess
import sys
import tempfile

import machine
import mkdisk


# A new disk of the user's, in MiB.
DISK_SIZE, SWAP_SIZE = 1024, 256


def make_disk(options, path):
    board = machine.load_board(options.platform)
    if hasattr(board, "make_image"):
        board.make_image(options.build, os.path.join(options.build, "boot.cpio"), path)
    else:
        mkdisk.make_disk(path, DISK_SIZE, SWAP_SIZE, 0)


def prepare_disks(options):
    """The user's disks, made if they are not there; or the build's, of which nothing is kept."""
    if options.no_disk:
        return []
    for description in options.disks or []:
        path = description.split(",")[0]
        if path != "image" and not os.path.exists(path):
            print("quire: making the disk %s" % path, file=sys.stderr)
            make_disk(options, path)
    return options.disks or ["image"]


def main():
    parser = argparse.ArgumentParser(prog="quire run", description=__doc__, allow_abbrev=False)
    machine.add_arguments(parser)
    parser.add_argument("--kernel-boot", action="store_true", help="let QEMU load the kernel, without U-Boot")
    parser.add_argument("--no-disk", action="store_true", help="a machine without a disk")
    parser.add_argument("program", nargs="*", help="program of the boot archive, with its arguments, after --")
    options = parser.parse_args()
    options.disks = prepare_disks(options)
    options.uboot = not (options.kernel_boot or options.gdb or options.icount)

    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        line = machine.command(options, directory, machine.escaped(options.program), bool(options.program))
        if options.gdb:
            print("quire: waiting for a debugger; in another terminal:\n"
                  "  gdb-multiarch -ex 'target remote :1234' %s/quire.elf" % options.build, file=sys.stderr)
        print("quire: booting %s, %s, %d cores; Ctrl-A x ends the machine" %
              (options.platform, options.memory, options.smp), file=sys.stderr, flush=True)
        try:
            status = subprocess.run(line, check=False).returncode
        except KeyboardInterrupt:
            status = 130
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
