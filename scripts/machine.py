# SPDX-License-Identifier: MIT
"""What every script that starts a machine shares: its options, and its command line from the platform's board.py."""

import configparser
import importlib.util
import os
import re
import shutil

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PANIC_STATUS = 101
FATAL_STATUS = 102 # root gave up
COMMAND_LINE_MAX = 1023


def add_arguments(parser, memory="1G"):
    """The options of a machine; where the board has a choice, memory is what it has by default."""
    parser.set_defaults(usual_memory=memory)
    parser.add_argument("--build", required=True, metavar="DIRECTORY", help="build directory")
    parser.add_argument("--platform", default="qemu-virt")
    parser.add_argument("--archive", metavar="FILE", help="another boot archive than the build's boot.cpio; not with U-Boot")
    parser.add_argument("--memory", "--mem", metavar="SIZE", help="128M, 4G ... (default %s, or what the board has)" % memory)
    parser.add_argument("--memory-map", metavar="SIZE@BASE,...",
                        help="the parts of the memory that the device tree tells of, in GiB; not with U-Boot")
    parser.add_argument("--dma-limit", type=int, metavar="GIB",
                        help="some device reaches only what is below; not with U-Boot")
    parser.add_argument("--smp", type=int, default=4, metavar="CORES", help="number of cores (default %(default)s)")
    parser.add_argument("--uart", metavar="ALIAS", help="make the device tree name this one as console, as in serial0")
    parser.add_argument("--gic", type=int, choices=(2, 3), default=3, help="interrupt controller's version")
    parser.add_argument("--virtualization", action="store_true", help="start the kernel at EL2")
    parser.add_argument("--icount", action="store_true", help="one instruction is one nanosecond (needs --smp 1)")
    parser.add_argument("--no-semihosting", action="store_true",
                        help="let the machine end by its own power switch; the exit status says nothing then")
    parser.add_argument("--gdb", action="store_true", help="wait for a debugger on port 1234")
    parser.add_argument("--argument", action="append", default=[], metavar="WORD",
                        help="a word more on the kernel's command line")
    parser.add_argument("--disk", action="append", dest="disks", metavar="FILE[,snapshot][,readonly][,PROPERTY=VALUE]",
                        help="a disk; may be given more than once. `image` is the build's own, as it was built each time")
    parser.add_argument("--legacy-virtio", action="store_true", help="virtio devices are as before version 1.0")
    parser.add_argument("--grant", action="store_true",
                        help="let the program use the kernel as memsrv does (lib/proto/include/proto/grant.h)")


def escaped(words):
    """Returns the words as root reads them from the command line: whatever is in them, they arrive as they are."""
    line = []
    for word in words:
        plain = re.sub(rb"[^A-Za-z0-9_./=:,+@-]", lambda match: b"%%%02x" % match.group()[0], os.fsencode(word))
        # What looks like an argument of the kernel's would end the program's.
        line.append(re.sub("^quire", "%71uire", plain.decode()) or "%-")
    return line


def disk_of(board, build, description):
    """Returns the description of a disk with the build's image in place of the word `image`; a board that makes images of
    its own makes this one, too, and gets the word."""
    path, comma, words = description.partition(",")
    if path == "image":
        if hasattr(board, "make_image"):
            return description
        return os.path.join(build, "disk.img") + ",snapshot" + comma + words
    if not os.path.exists(path):
        raise SystemExit("quire: error: there is no disk '%s'" % path)
    return description


def tool(platform, name):
    """Returns the name of a program that works on the platform's files: one of its compiler's companions."""
    cross = configparser.ConfigParser()
    cross.read(os.path.join(SOURCE, "platform", platform, "cross.ini"))
    return cross["binaries"]["strip"].strip("'")[:-len("strip")] + name


def load_board(platform):
    path = os.path.join(SOURCE, "platform", platform, "board.py")
    if not os.path.exists(path):
        known = sorted(name for name in os.listdir(os.path.join(SOURCE, "platform"))
                       if os.path.exists(os.path.join(SOURCE, "platform", name, "board.py")))
        raise SystemExit("quire: error: there is no platform '%s'; known: %s" % (platform, ", ".join(known)))
    spec = importlib.util.spec_from_file_location("board", path)
    board = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(board)
    return board


def command(options, directory, program, exit_with_status):
    """Returns the emulator's command line.

    options come from add_arguments, plus uboot and, if the serial line is a program's (see frames.py), framed; archive
    names another boot archive than the build's. program is a list of words for root to run, as escaped() makes them,
    empty for the shell. With exit_with_status the emulator's exit status is the program's, or PANIC_STATUS.
    """
    board = load_board(options.platform)
    options.disks = [disk_of(board, options.build, description) for description in options.disks or []]
    if options.memory is None:
        options.memory = getattr(board, "MEMORY", options.usual_memory)
    if shutil.which(board.QEMU) is None:
        raise SystemExit("quire: error: %s is missing; run ./quire setup" % board.QEMU)
    exit_with_status = exit_with_status and not options.no_semihosting
    bootargs = list(options.argument)
    if exit_with_status:
        bootargs.append("quire.exit=semihosting")
    if options.grant:
        bootargs.append("quire.grant=physical")
    options.framed = getattr(options, "framed", False)
    options.archive = getattr(options, "archive", None) or os.path.join(options.build, "boot.cpio")
    if options.framed:
        bootargs.append("quire.console=framed")
    if program:
        # Last, because everything after it on the line belongs to the program.
        bootargs.append("quire.run=" + " ".join(program))
    options.semihosting = exit_with_status
    line = " ".join(bootargs)
    if len(line) > COMMAND_LINE_MAX:
        raise SystemExit("quire: error: the program's arguments are too long by %d bytes" %
                         (len(line) - COMMAND_LINE_MAX))
    return board.command(options, options.build, directory, line)
