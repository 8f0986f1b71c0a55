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
PARTS = ("kernel", "memsrv", "pager")
MIB_KIB = 1024
BOOT = re.compile(r"^# boot: (\d+) instructions")
TIMEOUT = 500


def mebibytes(size):
    return int(size[:-1]) * {"M": 1, "G": 1024}[size[-1]]


def measure(options, words, memory, disk=False):
    """Returns the figures of one boot, with those of the boot itself."""
    boot = []

    def look(text):
        if match := BOOT.match(text):
            boot.append(float(match.group(1)))

    rows = bench_machine.Set(words, memory, disk=disk, timeout=TIMEOUT)
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


def taken(size, figures):
    """KiB of the machine's memory that programs do not have."""
    return mebibytes(size) * MIB_KIB - figures["free_memory"]


def print_sizes(sizes):
    """The table for each size, and what the system takes of each GiB more, in all and by its parts."""
    form = "{:>8} {:>14} {:>16} {:>14} {:>14} {:>14} {:>14}"
    print("\nMemory: write fault and boot in instructions; KiB that programs do not have, and those of them that the parts have")
    print(form.format("memory", "write fault", "boot", "taken", *PARTS))
    for size, figures in sizes.items():
        print(form.format(size, *("{:,.0f}".format(value) for value in (
            figures["anonymous_write_fault"], figures["boot"], taken(size, figures),
            *(figures[part + "_memory"] for part in PARTS)))))
    small, large = SIZES[0], SIZES[-1]
    gib = (mebibytes(large) - mebibytes(small)) / 1024
    grown = taken(large, sizes[large]) - taken(small, sizes[small])
    print("Each GiB of memory takes %.0f KiB (%.2f %%): %s; and %s instructions of the boot" %
          (grown / gib, grown / gib / MIB_KIB / 1024 * 100,
           ", ".join("%s %.0f" % (part, (sizes[large][part + "_memory"] - sizes[small][part + "_memory"]) / gib)
                     for part in PARTS),
           "{:,.0f}".format((sizes[large]["boot"] - sizes[small]["boot"]) / gib)))
    for size in (small, large):
        figures = sizes[size]
        print("A process that does nothing takes %s bytes with %s of memory: %s" % (
            "{:,.0f}".format(figures["process_memory"]), size,
            ", ".join("%s %s" % (part, "{:,.0f}".format(figures["process_%s_memory" % part])) for part in PARTS)))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    machine.add_arguments(parser)
    options = parser.parse_args()
    figures = measure(options, ("scale",), "2G")
    print_growth("Write fault, instructions, by the number of areas", figures, "fault_", "_areas")
    print_growth("fork, instructions, by MiB touched", figures, "fork_", "m")
    sys.stdout.flush()
    # Without a disk there is no pager.
    print_sizes({size: measure(options, ("size",), size, disk=True) for size in SIZES})


if __name__ == "__main__":
    main()
