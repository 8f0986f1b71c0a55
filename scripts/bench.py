#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures instructions per operation and shows them beside the figures kept in docs/, of the platform's architecture.

The benchmark (tests/bench) runs with -icount shift=0, where one instruction takes one nanosecond of the machine's time,
so figures are the same on every host. It prints a line "bench NAME VALUE" for each operation, and remarks, such as its
calibration, which are shown as they are. What is kept for each name is in figures.py. A figure over its limit is a failure.
"""

import argparse
import sys

import bench_machine
import compare
import figures as kept_figures
import machine
from figures import number


def measure(options, sets):
    """Returns {name: value} in the order of the output, and the output's last lines where something went wrong."""
    figures = {}
    for rows in sets:
        part, problem = bench_machine.run(bench_machine.Quire(options), rows, lambda text: print(text, flush=True))
        if problem:
            return {}, problem
        problem = compare.calibration_problem(part, "Quire")
        if problem:
            return {}, problem
        figures.update((name, value) for name, value in part.items() if name not in compare.CALIBRATIONS)
    return figures, ""


def save(kept, figures, architecture):
    for name, value in figures.items():
        kept.setdefault(name, {})["measured"] = round(value)
        if architecture == kept_figures.FIRST:
            kept[name].setdefault("title", name.replace("_", " "))
    kept_figures.save(kept, architecture)
    kept_figures.write()


def print_table(figures, kept, titles):
    row = "{:<52} {:>10} {:>10} {:>9} {:>10} {:>10} {:>10}"
    print("Instructions per operation")
    print(row.format("operation", "now", "last", "change", "Linux", "goal", "limit"))
    for name, value in figures.items():
        entry = kept.get(name, {})
        last = entry.get("measured")
        change = "-" if not last else "{:+.1f} %".format(100 * (value - last) / last)
        print(row.format(titles.get(name, {}).get("title", name), number(value), number(last), change, number(entry.get("linux")),
                         number(entry.get("goal")), number(entry.get("limit"))))


def print_tap(figures, kept):
    """One line for each limit: it holds, and what it limits was measured. Returns how many failed."""
    limits = [(name, entry["limit"]) for name, entry in kept.items() if "limit" in entry]
    print("1..%d" % (len(limits) + 1))
    print("ok 1 - the benchmark ran")
    failed = 0
    for index, (name, limit) in enumerate(limits, 2):
        value = figures.get(name)
        good = value is not None and value <= limit
        failed += not good
        print("%s %d - %s takes %s instructions, limit %s" %
              ("ok" if good else "not ok", index, name, number(value), number(limit)))
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    machine.add_arguments(parser)
    parser.add_argument("--update", action="store_true", help="keep what was measured")
    parser.add_argument("--tap", action="store_true", help="print TAP, one line for each limit")
    options = parser.parse_args()

    architecture = kept_figures.architecture_of(options.platform)
    kept = kept_figures.load(architecture)
    if not options.tap:
        print("quire: measuring", file=sys.stderr, flush=True)
    figures, problem = measure(options, [bench_machine.MEMORY])
    if problem:
        sys.exit("Bail out! " + problem if options.tap else "quire: error: " + problem)
    if options.tap:
        sys.exit(1 if print_tap(figures, kept) else 0)
    print_table(figures, kept, kept_figures.load())
    over = [name for name, value in figures.items() if value > kept.get(name, {}).get("limit", value)]
    if options.update:
        save(kept, figures, architecture)
    if over:
        sys.exit("quire: error: over the limit: " + ", ".join(over))


if __name__ == "__main__":
    main()
