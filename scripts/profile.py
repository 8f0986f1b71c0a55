#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tells where the instructions of one row of the benchmark go: by program and function, and in the order that they run.

QEMU logs every instruction of the row (its `exec` log, with one instruction a block), which is read through a pipe as it
is written. Kernel and programs are told apart by address; programs, which share their addresses, by where each of them
left off: it goes on behind its system call, or at the instruction that faulted. A child of a fork can be taken for
another program for as long as nothing of it is known.
"""

import argparse
import array
import bisect
import collections
import dataclasses
import os
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time

import bench_machine
import elf_tools
import flame
import machine
from console import Console, Silence

KERNEL_BASE = 0xffff << 48
TRACE_LINE = re.compile(rb"^Trace 0: 0x[0-9a-f]+ \[[0-9a-f]+/([0-9a-f]+)/", re.MULTILINE)
CHUNK_BYTES = 1 << 20
MONITOR_PAUSE = 0.05
# Of an architecture's tools: how they write a system call, and a call of a function; and the bytes of the former.
CALLS = {"aarch64-linux-gnu-": (re.compile(r"\tsvc\t"), re.compile(r"\tblr?\t"), 4),
         "x86_64-linux-gnu-": (re.compile(r"\tsyscall\b"), re.compile(r"\tcall\b"), 2)}
PROGRAMS = {"kernel": "quire.elf", "root": "root.elf", "memsrv": "sbin-memsrv.elf", "fs": "sbin-fs.elf",
            "pager": "sbin-pager.elf", "blk": "sbin-blk.elf", "console": "sbin-console.elf", "bench": "tests-bench.elf"}


class Program:
    """An ELF file's functions, by address, and where its system calls are."""

    def __init__(self, name, path):
        self.name, self.tools = name, elf_tools.prefix_of(path)
        system_call, branch, self.call_bytes = CALLS[self.tools]
        symbols = []
        for line in self.output("nm", "-n", "--defined-only", path):
            words = line.split()
            if len(words) == 3 and words[1] in "tTwW" and not words[2].startswith("$"):
                symbols.append((int(words[0], 16), words[2].replace(".lto_priv.0", "")))
        self.addresses = [address for address, _ in symbols]
        self.names = [function for _, function in symbols]
        code = self.output("objdump", "-d", "--no-show-raw-insn", path)
        self.calls = {int(line.split(":")[0], 16) for line in code if system_call.search(line)}
        self.branches = {int(line.split(":")[0], 16) for line in code if branch.search(line)}
        self.starts = set(self.addresses)
        self.known = {}

    def output(self, tool, *arguments):
        return subprocess.run([self.tools + tool, *arguments], capture_output=True, text=True, check=True).stdout.splitlines()

    def function_at(self, address):
        if address not in self.known:
            index = bisect.bisect_right(self.addresses, address) - 1
            self.known[address] = self.names[index] if index >= 0 else "?"
        return self.known[address]


class Trace(threading.Thread):
    """Reads the log from a pipe: the addresses of up to `limit` instructions."""

    def __init__(self, path, limit):
        super().__init__()
        self.path, self.limit = path, limit
        self.addresses = array.array("Q")
        self.full = threading.Event()

    def run(self):
        rest = b""
        with open(self.path, "rb") as pipe:
            while chunk := pipe.read(CHUNK_BYTES):
                if self.full.is_set():
                    continue
                rest += chunk
                end = rest.rfind(b"\n") + 1
                self.addresses.extend(int(address, 16) for address in TRACE_LINE.findall(rest[:end]))
                rest = rest[end:]
                if len(self.addresses) >= self.limit:
                    self.full.set()


def record(options):
    """Runs the row; returns the addresses and the instructions that an operation takes, 0 if it did not tell."""
    rows = bench_machine.set_of(options.row)
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        pipe, monitor = os.path.join(directory, "trace"), os.path.join(directory, "monitor")
        os.mkfifo(pipe)
        words = [word for word in rows.words if "=" in word] + [options.row]
        line = bench_machine.Quire(options).command(dataclasses.replace(rows, words=words), directory)
        line[line.index("-nographic"):line.index("-nographic") + 1] = ["-display", "none", "-serial", "stdio"]
        line += ["-monitor", "unix:%s,server,nowait" % monitor, "-D", pipe]
        trace = Trace(pipe, options.limit)
        trace.start()
        with Console(line, os.path.join(directory, "log"), options.timeout) as console, \
                socket.socket(socket.AF_UNIX) as control:
            def command(text):
                control.sendall(text.encode() + b"\n")
                time.sleep(MONITOR_PAUSE)

            if not console.expect("^# calibration", options.timeout):
                sys.exit("quire: error: the benchmark did not start\n" + console.text[-2000:])
            control.connect(monitor)
            command("one-insn-per-tb on")
            command("log exec,nochain")
            running = True
            while running and not trace.full.is_set():
                try:
                    running = console.receive(time.monotonic() + 0.5)
                except Silence:
                    pass
            if running:
                command("log none")
                command("one-insn-per-tb off")
                console.drain()
        trace.join()
        match = re.search(r"^bench %s ([0-9.]+)\s*$" % re.escape(options.row), console.text, re.MULTILINE)
        return trace.addresses, float(match.group(1)) if match else 0.0


def who_goes_on(users, left_off, address):
    """The program of which the user-mode instruction at `address` is the next."""
    if left_off.get(address):
        return left_off[address].pop()
    after_call = [user for user in users if address - user.call_bytes in user.calls]
    at_start = [user for user in users if address in user.starts]
    return (after_call or at_start or users[-1:])[0]


def segments(kernel, users, addresses):
    """Yields (program, addresses) of each uninterrupted stay in the kernel or in a program."""
    left_off = collections.defaultdict(list)
    start = 0
    while start < len(addresses):
        in_kernel = addresses[start] >= KERNEL_BASE
        end = start + 1
        while end < len(addresses) and (addresses[end] >= KERNEL_BASE) == in_kernel:
            end += 1
        program = kernel if in_kernel else who_goes_on(users, left_off, addresses[start])
        part = addresses[start:end]
        if not in_kernel:
            left_off[part[-1] + program.call_bytes if part[-1] in program.calls else part[-1]].append(program)
        yield program, part
        start = end


def flame_counts(kernel, parts):
    """Instructions by program and the functions under way, of (program, addresses) in their order."""
    counts, stacks = collections.Counter(), {}
    for program, part in parts:
        stack = stacks.setdefault(program.name, flame.Stacks(program))
        if program is kernel:
            stack.enter()
        for address in part:
            counts[program.name, *stack.at(address)] += 1
    return counts


def describe(program, part):
    """A line about a segment: functions in the order that they run, with their instructions."""
    runs = []
    for address in part:
        function = program.function_at(address)
        if runs and runs[-1][0] == function:
            runs[-1][1] += 1
        else:
            runs.append([function, 1])
    how = "" if program.name == "kernel" else " (call)" if part[-1] in program.calls else " (fault)"
    return "%6d %-8s %s%s" % (len(part), program.name, " ".join("%s:%d" % tuple(run) for run in runs), how)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    machine.add_arguments(parser)
    parser.add_argument("row", help="name of the row")
    parser.add_argument("--limit", type=int, default=8000000, help="instructions to record (default %(default)s)")
    parser.add_argument("--functions", type=int, default=40, help="how many to list (default %(default)s)")
    parser.add_argument("--path", type=int, default=60, help="stays to print in their order (default %(default)s)")
    parser.add_argument("--flame", metavar="FILE", help="write a flame graph, SVG")
    parser.add_argument("--timeout", type=int, default=300)
    options = parser.parse_args()

    programs = [Program(name, os.path.join(options.build, path)) for name, path in PROGRAMS.items()]
    addresses, value = record(options)
    if not addresses:
        sys.exit("quire: error: nothing was recorded; is there a row '%s'?" % options.row)
    # Without the row's result, or in the middle of an operation, figures are shares of what was recorded.
    operations = len(addresses) / value if value else 1.0
    counts, stays = collections.Counter(), []
    for program, part in segments(programs[0], programs[1:], addresses):
        for address, times in collections.Counter(part).items():
            counts[program.name, program.function_at(address)] += times
        stays.append((program, part))
    print("%d instructions recorded, %.1f operations of %.0f" % (len(addresses), operations, value))
    totals = collections.Counter()
    for (name, _), count in counts.items():
        totals[name] += count
    for name, count in totals.most_common():
        print("%10.1f %5.1f %%  %s" % (count / operations, 100 * count / len(addresses), name))
    print("\nFunctions")
    for (name, function), count in counts.most_common(options.functions):
        print("%10.1f %5.1f %%  %-8s %s" % (count / operations, 100 * count / len(addresses), name, function))
    if options.flame:
        with open(options.flame, "w", encoding="utf-8") as file:
            file.write(flame.picture(flame_counts(programs[0], stays), "%s: %.0f instructions" % (options.row, value),
                                     operations))
        print("\nquire: wrote %s" % options.flame)
    print("\nIn order, from the middle on")
    middle = len(stays) // 2
    for program, part in stays[middle:middle + options.path]:
        print(describe(program, part))


if __name__ == "__main__":
    main()
