# SPDX-License-Identifier: MIT
"""The benchmark's machines: which rows run together and on what, with Quire on it or Linux."""

import copy
import dataclasses
import glob
import os
import re
import subprocess
import tempfile

import machine
import mkcpio
import mkdisk
from console import Console, Silence

PROGRAM = "/tests/bench"
# Where memory lies decides how many translation tables it takes: chance would show in the figures.
FIXED = "quire.randomize=0"
LINUX_WORDS = "console=ttyAMA0 loglevel=4 norandmaps panic=-1 rdinit=" + PROGRAM
CROSS = "aarch64-linux-gnu-"
RESULT = re.compile(r"^bench (\S+) ([0-9.]+)\s*$")
STATUS = re.compile(r"^bench-status (\d+)\s*$")
# The program's disk, in MiB: a file larger than memory, and room for a working set that is.
DISK_SIZE, SWAP_SIZE = 640, 256


@dataclasses.dataclass(frozen=True)
class Set:
    """Rows that run together: the program's words, and the machine for them."""
    words: tuple
    memory: str
    cores: int = 1
    icount: bool = True
    disk: bool = False
    timeout: int = 400


MEMORY = Set(("memory",), "1G")
DISK = Set(("disk", "memory=64"), "64M", disk=True)
SCAN = Set(("scan", "memory=64"), "64M", disk=True, timeout=500)
SWAP = Set(("swap", "memory=64"), "64M", disk=True, timeout=500)
STORM = Set(("storm",), "1G", cores=4)
RATE = Set(("storm", "rate"), "1G", cores=4, icount=False)
SETS = (MEMORY, DISK, SCAN, SWAP, STORM, RATE)
NAMES = {"disk_": DISK, "reclaim_": DISK, "scan_": SCAN, "swap_": SWAP, "fault_storm_": STORM}


def set_of(row):
    """The set whose machine a row needs."""
    return next((rows for prefix, rows in NAMES.items() if row.startswith(prefix)), MEMORY)


def with_machine(options, rows):
    """Options like these for the set's machine; the disk, if it has one, is the caller's."""
    result = copy.copy(options)
    result.uboot, result.icount, result.smp, result.memory = False, rows.icount, rows.cores, rows.memory
    # The grant is for the partner that the benchmark gives an address space of its own.
    result.grant = True
    return result


def make_disk(directory):
    path = os.path.join(directory, "bench.img")
    mkdisk.make_disk(path, DISK_SIZE, SWAP_SIZE, 0)
    return path + ",snapshot"


class Quire:
    """Quire with the benchmark, from a build directory."""

    name = "Quire"

    def __init__(self, options):
        self.options = options

    def command(self, rows, directory):
        options = with_machine(self.options, rows)
        options.disks = [make_disk(directory)] if rows.disk else []
        return machine.command(options, directory, [PROGRAM, *rows.words, FIXED], exit_with_status=True)


class Linux:
    """Debian's Linux with the benchmark as its only program, on the machines that Quire has."""

    name = "Linux"

    def __init__(self, options, directory):
        self.options = options
        place = subprocess.run([os.path.join(machine.SOURCE, "scripts", "linux.sh")], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.strip()
        self.kernel = os.path.join(place, "kernel")
        with open(os.path.join(place, "packages"), encoding="utf-8") as file:
            self.package = file.readline().strip()
        self.archive = os.path.join(directory, "linux.cpio")
        self.build(place, directory)

    def build(self, place, directory):
        program = os.path.join(directory, "bench")
        folder = os.path.join(machine.SOURCE, "tests", "bench")
        sources = [path for path in sorted(glob.glob(folder + "/*.c")) if not path.endswith("port_quire.c")]
        subprocess.run([CROSS + "gcc", "-std=gnu17", "-Wall", "-Wextra", "-Werror", "-O2", "-static",
                        "--sysroot=" + os.path.join(place, "sysroot"),
                        "-I" + os.path.join(machine.SOURCE, "tests", "arch", "aarch64", "include"), "-o", program]
                       + sources, check=True)
        members = {PROGRAM.lstrip("/"): (mkcpio.MODE_FILE, mkcpio.stripped(program, CROSS + "strip"))}
        for path in glob.glob(os.path.join(place, "modules", "*")):
            with open(path, "rb") as file:
                members["modules/" + os.path.basename(path)] = (mkcpio.MODE_FILE, file.read())
        with open(self.archive, "wb") as file:
            file.write(mkcpio.archive_of(members))

    def command(self, rows, directory):
        options = with_machine(self.options, rows)
        options.disks = [make_disk(directory)] if rows.disk else []
        options.archive = self.archive
        line = machine.command(options, directory, [PROGRAM], exit_with_status=True)
        line[line.index("-kernel") + 1] = self.kernel
        line[line.index("-append") + 1] = " ".join([LINUX_WORDS] + ["BENCH_DISK=1"] * rows.disk + ["--", *rows.words])
        return line


def run(system, rows, show=lambda text: None):
    """Boots the system for the rows. Returns {name: value} in the order of the output, and what went wrong or ""."""
    figures, status = {}, None
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        line = system.command(rows, directory)
        with Console(line, os.path.join(directory, "log"), rows.timeout) as console:
            try:
                for text in console.lines():
                    if text.startswith("# "):
                        show(text)
                    if match := RESULT.match(text):
                        figures[match.group(1)] = float(match.group(2))
                    if match := STATUS.match(text):
                        status = int(match.group(1))
                ended = console.wait()
                # A machine that runs Linux has no status of its own.
                status = ended if status is None else status
            except Silence:
                status = "none: time is up"
        last = "\n".join(console.text.splitlines()[-40:])
    if status == 0 and figures:
        return figures, ""
    return figures, "the benchmark (%s) on %s ended with status %s\n%s" % (" ".join(rows.words), system.name, status, last)
