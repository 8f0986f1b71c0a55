#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes the image of a board's disk, card or CD, complete: boot loader, kernel, boot archive, file systems."""

import argparse
import os
import re
import sys

import machine

UNITS = {"M": 1 << 20, "G": 1 << 30}


def bytes_of(text):
    match = re.fullmatch(r"(\d+)([MG])", text)
    if not match:
        raise argparse.ArgumentTypeError("a size as in 256M or 4G")
    return int(match.group(1)) * UNITS[match.group(2)]


def main():
    parser = argparse.ArgumentParser(prog="quire image", description=__doc__, allow_abbrev=False)
    parser.add_argument("--build", required=True, metavar="DIRECTORY", help="build directory")
    parser.add_argument("--platform", required=True)
    parser.add_argument("-o", "--output", required=True, metavar="FILE")
    parser.add_argument("--size", type=bytes_of, metavar="SIZE")
    parser.add_argument("--arguments", default="", help="the kernel's command line")
    options = parser.parse_args()

    board = machine.load_board(options.platform)
    archive = os.path.join(options.build, "boot.cpio")
    if hasattr(board, "make_image"):
        board.make_image(options.build, archive, options.output, options.size or board.CARD_BYTES, options.arguments)
    elif not hasattr(board, "make_iso"):
        sys.exit("quire: error: %s has no image of its own; ./quire run makes what it needs" % options.platform)
    elif options.size:
        sys.exit("quire: error: the image of %s is as large as what is in it" % options.platform)
    else:
        board.make_iso(options.build, archive, options.output, options.arguments)
    print("quire: %s: %d MiB" % (options.output, os.path.getsize(options.output) >> 20), file=sys.stderr)


if __name__ == "__main__":
    main()
