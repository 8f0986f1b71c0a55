#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Stops a machine in the kernel with gdb, has scripts/quire_gdb.py show what there is, and prints TAP.

Usage: test_gdb.py BUILD-DIRECTORY
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "scripts"))
import machine  # pylint: disable=wrong-import-position

GDB = "gdb-multiarch"
TIMEOUT_SECONDS = 200
# The file server is the first program whose faults arrive in any number.
STOP = "hbreak fast_fault if thread->aspace->handler.badge == 4"
LOOKS = (
    ("quire cpus", r"^cpu 0: (thread 0xffff[0-9a-f]{12}, number \d+, priority \d+ .* pc 0x[0-9a-f]+|idle)$",
     "what every CPU runs"),
    ("quire threads", r"^0xffff[0-9a-f]{12} pid 4 +number 0 +runnable +cpu \d priority \d+ \(\d+\) pc 0x[0-9a-f]+$",
     "all threads, the one that faulted among them"),
    ("quire thread thread", r"^last fault: address 0x[0-9a-f]+, access 0x[0-9a-f]+, instruction 0x", "a thread"),
    ("quire spaces", r"^0xffff[0-9a-f]{12} pid 0 +identifier \d+ +[1-9]\d* tables .* memsrv: it sees all memory$",
     "all address spaces, memsrv's, too"),
    ("quire space thread->aspace", r"^identifier \d+, \d+ tables and \d+ spare, 1 threads, .* badge 0x4$", "a space"),
    ("quire entry thread->aspace 0x400000", r"^level 0, index   0: 0x[0-9a-f]{16}$", "a translation"),
    ("quire frame thread->aspace->root>>12&0xfffffff", r"^table", "what a frame is"),
    ("quire frame 1", r"^the kernel has no entry for it$", "and that one is no memory"),
    ("quire vmas 4", r"^000000401000-[0-9a-f]{12} r-xp flags 0x[0-9a-f]+ offset 0x[0-9a-f]+ object 0x[0-9a-f]+$",
     "the areas of a process, out of memsrv's memory"),
    ("quire zones", r"^DMA32 +pages 0x40000-0x48000: managed [1-9]\d*, free [1-9]\d*, .*\n +free blocks by order:"
     r"( \d+){11}$", "the zones"),
    ("quire slabs", r"^area +object +\d+ bytes, +\d+ apart; +[1-9]\d* slabs", "memsrv's caches"),
    ("quire vmas 12345", r"memsrv has no space of process 12345", "an error that says what is wrong"),
    ("quire nonsense", r"^quire cpus +what every CPU runs$", "help"),
)


def command_line(build, directory, socket):
    parser = argparse.ArgumentParser()
    machine.add_arguments(parser, memory="128M")
    options = parser.parse_args(["--build", build, "--smp", "2", "--gdb"])
    options.uboot = False
    line = machine.command(options, directory, ["/tests/hello"], True)
    place = line.index("-s")
    return line[:place] + ["-gdb", "unix:%s,server=on,wait=off" % socket] + line[place + 1:]


def run_gdb(build, socket):
    """What gdb printed, cut at the marks that stand before each command's output."""
    words = [GDB, "-nx", "-batch", "-ex", "set confirm off", "-ex", "set width 0", "-ex", "set height 0",
             "-ex", "target remote %s" % socket, "-ex", "source %s/scripts/quire_gdb.py" % SOURCE, "-ex", STOP,
             "-ex", "continue", "-ex", "add-symbol-file %s/sbin-memsrv.elf" % build]
    for number, (command, _, _) in enumerate(LOOKS):
        words += ["-ex", "echo mark %d\\n" % number, "-ex", command]
    # An error ends a batch unless it is asked to go on.
    words += ["-ex", "echo mark end\\n", "-ex", "kill", os.path.join(build, "quire.elf")]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                            text=True, timeout=TIMEOUT_SECONDS, check=False)
    return result.stdout


def main():
    build = os.path.abspath(sys.argv[1])
    if not shutil.which(GDB):
        print("1..0 # SKIP there is no %s" % GDB)
        return 0
    print("1..%d" % (len(LOOKS) + 1), flush=True)
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        socket = os.path.join(directory, "gdb")
        with subprocess.Popen(command_line(build, directory, socket), stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                while not os.path.exists(socket) and process.poll() is None:
                    pass
                output = run_gdb(build, socket)
            finally:
                process.kill()
    stopped = "hit Breakpoint 1, fast_fault" in output
    print("%s 1 - the machine stops at a fault of process 4" % ("ok" if stopped else "not ok"))
    failed = not stopped
    for number, (command, pattern, what) in enumerate(LOOKS):
        part = re.search(r"^mark %d\n(.*?)(?=^mark |\Z)" % number, output, re.MULTILINE | re.DOTALL)
        good = part and re.search(pattern, part.group(1), re.MULTILINE)
        failed = failed or not good
        print("%s %d - %s: %s" % ("ok" if good else "not ok", number + 2, command, what))
        if not good:
            print("\n".join("# " + line for line in (part.group(1) if part else output[-2000:]).splitlines()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
