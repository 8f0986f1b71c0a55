#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Shows how Quire's costs grow: faults with the number of areas and with the machine's memory, the boot and the memory that
the system itself takes with the machine's memory, fork with what the program has touched."""

import argparse
import re
import sys

import bench_machine
import compare
import machine

SIZES = ("128M", "512M", "1G", "4G", "16G")
BOOT = re.compile(r"^# boot: (\d+) instructions")
TIMEOUT = 500


def mebibytes(size):
    return int(size[:-1]) * {"M": 1, "G": 1024}[size[-1]]


def measure(options, words, memory):
    """Returns the figures of one boot, with those of the boot itself."""
    boot = []

    def look(text):
        if match := BOOT.match(text):
            boot.append(float(match.group(1)))

    rows = bench_machine.Set(words, memory, timeout=TIMEOUT)
    figures, problem = bench_machine.run(bench_machine.Quire(options), rows, look)
    problem = problem or compare.calibration_problem(figures, memory)
    if problem or not boot:
        sys.exit("quire: error: " + (problem or "the benchmark did not say what the boot took"))
    return {**figures, "boot": boot[0]}


def print_growth(title, figures, prefix, suffix):
    print("\n" + title)
    for name, value in figures.items():
        if name.startswith(prefix) and name.endswith(suffix):
            amount = int(name[len(prefix):len(name) - len(suffix)])
            print("{:>12,} {:>14,.0f}".format(amount, value))


def print_sizes(sizes):
    """The table for each size, and what the system takes of each GiB more."""
    form = "{:>8} {:>14} {:>16} {:>18} {:>18}"
    print("\nMemory: write fault and boot in instructions; what the system and all that has been started take; and a process")
    print(form.format("memory", "write fault", "boot", "taken, KiB", "process, bytes"))
    for size, figures in sizes.items():
        taken = mebibytes(size) * 1024 - figures["free_memory"]
        print(form.format(size, *("{:,.0f}".format(value) for value in (
            figures["anonymous_write_fault"], figures["boot"], taken, figures["process_memory"]))))
    (small, first), (large, last) = ((size, sizes[size]) for size in (SIZES[0], SIZES[-1]))
    more = mebibytes(large) - mebibytes(small)
    taken = more * 1024 - (last["free_memory"] - first["free_memory"])
    print("Each GiB of memory takes %.0f KiB (%.2f %%) and %s instructions of the boot" %
          (taken * 1024 / more, 100 * taken / 1024 / more, "{:,.0f}".format((last["boot"] - first["boot"]) * 1024 / more)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    machine.add_arguments(parser)
    options = parser.parse_args()
    figures = measure(options, ("scale",), "2G")
    print_growth("Write fault, instructions, by the number of areas", figures, "fault_", "_areas")
    print_growth("fork, instructions, by MiB touched", figures, "fork_", "m")
    sys.stdout.flush()
    print_sizes({size: measure(options, ("size",), size) for size in SIZES})


if __name__ == "__main__":
    main()
