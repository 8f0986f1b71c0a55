#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures the same operations on Quire and on Linux, in the same machines, and writes what came out.

With `--vs linux` both are measured; with `--vs FILE`, the JSON of an earlier comparison, Quire alone is, and what got slower
is named. There is a table on standard output, a JSON file, and with Linux a page for a browser.
"""

import argparse
import concurrent.futures
import html
import json
import os
import sys
import tempfile
import time

import bench_machine
import machine

CALIBRATIONS = ("calibration", "calibration_after")
# What a run's calibration may be off, and what a figure may grow before it counts as slower.
CALIBRATION_EXPECTED, CALIBRATION_TOLERANCE = 1000.0, 0.05
SLOWER_SHARE = 0.02
# Real time on a machine that others use, too, is worth no more than this.
SLOWER_RATE_SHARE = 0.3
RATE_SUFFIX = "_rate"
WORKERS = 2
DOCUMENT = os.path.join(machine.SOURCE, "docs", "performance.md")
FIGURES = os.path.join(machine.SOURCE, "docs", "bench.json")
MARK_BEGIN, MARK_END = "<!-- figures -->", "<!-- end of figures -->"
BAR_WIDTH, BAR_HEIGHT, LABEL_WIDTH, ROW_HEIGHT = 420, 9, 330, 30
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 900px; padding: 0 1em; color: #1c1917;
       background: #fff; }
h1 { font-size: 1.5em; } h2 { font-size: 1.1em; margin: 1.6em 0 .4em; }
svg { width: 100%; height: auto; } table { border-collapse: collapse; } td, th { padding: .1em 1em .1em 0; text-align: right; }
td:first-child, th:first-child { text-align: left; } .linux { fill: #c2410c; } .quire { fill: #2563a8; }
text { font: 12px system-ui, sans-serif; fill: #1c1917; } .slower td { color: #c2410c; }
@media (prefers-color-scheme: dark) {
  body { background: #1c1917; color: #e7e5e4; } text { fill: #e7e5e4; }
}
"""


def calibration_problem(figures, system):
    """Says why a run that counts instructions is no good; "" if it is."""
    for name in CALIBRATIONS:
        value = figures.get(name)
        if value is None:
            return "%s: the run has no %s" % (system, name)
        if abs(value - CALIBRATION_EXPECTED) > CALIBRATION_TOLERANCE * CALIBRATION_EXPECTED:
            return ("%s: a loop of known length ran %.0f instructions in 1,000 ns (%s): it was not alone on the machine, "
                    "or this emulator counts otherwise" % (system, value, name))
    return ""


def merge(quire, linux, titles):
    """One row an operation, in the order of Quire's output, then what only Linux has: name, title, quire, linux, unit."""
    rows = []
    for name in list(quire) + [name for name in linux if name not in quire]:
        rate = name.endswith(RATE_SUFFIX)
        title = titles.get(name, {}).get("title", name.replace("_", " "))
        rows.append({"name": name, "title": title, "quire": quire.get(name), "linux": linux.get(name),
                     "unit": "operations/s" if rate else "instructions"})
    return rows


def ratio(row):
    """How many times cheaper Quire is; None if one of them has no figure."""
    if not row["quire"] or not row["linux"]:
        return None
    return row["quire"] / row["linux"] if row["unit"] == "operations/s" else row["linux"] / row["quire"]


def number(value):
    if value is None:
        return "-"
    return "{:,.0f}".format(value) if value >= 100 else "{:,.1f}".format(value)


def lines_of_table(rows):
    form = "{:<56} {:>12} {:>12} {:>8}"
    lines = [form.format("operation (instructions)", "Linux", "Quire", "ratio")]
    for row in rows:
        times = ratio(row)
        unit = ", operations/s" if row["unit"] == "operations/s" else ""
        lines.append(form.format(row["title"] + unit, number(row["linux"]), number(row["quire"]),
                                 "-" if times is None else "%.2f" % times))
    return lines


def document(rows, about, text):
    """Returns the document's text with the table between its two marks replaced."""
    lines = ["| operation | Linux | Quire | ratio |", "|---|--:|--:|--:|"]
    for row in rows:
        times = ratio(row)
        unit = ", operations/s" if row["unit"] == "operations/s" else ""
        lines.append("| %s | %s | %s | %s |" % (row["title"] + unit, number(row["linux"]), number(row["quire"]),
                                                "-" if times is None else "%.2f" % times))
    before, _, rest = text.partition(MARK_BEGIN)
    _, _, after = rest.partition(MARK_END)
    return before + MARK_BEGIN + "\n" + about + "\n\n" + "\n".join(lines) + "\n" + MARK_END + after


def slower(rows, previous):
    """Returns (row, figure before) of what has got slower since the earlier comparison."""
    before = {row["name"]: row["quire"] for row in previous["rows"]}
    result = []
    for row in rows:
        old, new = before.get(row["name"]), row["quire"]
        if not old or not new:
            continue
        rate = row["unit"] == "operations/s"
        if new < old * (1 - SLOWER_RATE_SHARE) if rate else new > old * (1 + SLOWER_SHARE):
            result.append((row, old))
    return result


def chart(rows):
    """An SVG picture: two bars an operation, the longer one as long as all longer ones."""
    drawn = [row for row in rows if row["quire"] and row["linux"]]
    height = ROW_HEIGHT * len(drawn)
    parts = ['<svg viewBox="0 0 %d %d" role="img">' % (LABEL_WIDTH + BAR_WIDTH + 110, height)]
    for index, row in enumerate(drawn):
        top, longest = index * ROW_HEIGHT, max(row["quire"], row["linux"])
        parts.append('<text x="%d" y="%d" text-anchor="end">%s</text>' %
                     (LABEL_WIDTH - 8, top + 16, html.escape(row["title"])))
        for place, name in enumerate(("linux", "quire")):
            width = BAR_WIDTH * row[name] / longest
            y = top + 3 + place * (BAR_HEIGHT + 2)
            parts.append('<rect class="%s" x="%d" y="%d" width="%.1f" height="%d"/>' %
                         (name, LABEL_WIDTH, y, max(width, 1), BAR_HEIGHT))
            parts.append('<text x="%.1f" y="%d" font-size="10">%s</text>' %
                         (LABEL_WIDTH + width + 5, y + BAR_HEIGHT, number(row[name])))
    parts.append("</svg>")
    return "".join(parts)


def page(rows, about):
    """The page: text, bars and table, nothing from elsewhere."""
    cells = []
    for row in rows:
        times = ratio(row)
        cells.append('<tr%s><td>%s</td><td>%s</td><td>%s</td><td>%s</td></tr>' %
                     (' class="slower"' if times is not None and times < 1 else "", html.escape(row["title"]),
                      number(row["linux"]), number(row["quire"]), "-" if times is None else "%.2f" % times))
    counted = [row for row in rows if row["unit"] == "instructions"]
    timed = [row for row in rows if row["unit"] != "instructions"]
    return ('<!DOCTYPE html>\n<html lang="en"><meta charset="utf-8"><title>Quire and Linux</title><style>%s</style>\n'
            '<h1>Quire and Linux</h1><p>%s</p><p>Orange: Linux, blue: Quire.</p>\n'
            '<h2>Instructions an operation: less is better</h2>%s\n'
            '<h2>Operations a second of real time: more is better</h2>%s\n'
            '<h2>Figures</h2><table><tr><th>operation</th><th>Linux</th><th>Quire</th><th>ratio</th></tr>%s</table></html>\n'
            % (STYLE, html.escape(about), chart(counted), chart(timed), "\n".join(cells)))


def measure(systems, sets):
    """Returns {name of system: figures}, or ends with what went wrong. The sets that count run side by side."""
    results = {system.name: {} for system in systems}

    def one(job):
        system, rows = job
        began = time.monotonic()
        figures, problem = bench_machine.run(system, rows)
        problem = problem or (calibration_problem(figures, system.name) if rows.icount else "")
        print("quire: %s: %s, %.0f s" % (system.name, " ".join(rows.words), time.monotonic() - began), file=sys.stderr)
        return system, rows, figures, problem

    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        done = list(pool.map(one, [(system, rows) for rows in sets if rows.icount for system in systems]))
    # What is measured in real time gets the host for itself.
    done += [one((system, rows)) for rows in sets if not rows.icount for system in systems]
    problems = [problem for _, _, _, problem in done if problem]
    if problems:
        sys.exit("quire: error: " + "\n".join(problems))
    for system, rows, figures, _ in done:
        kept = results[system.name]
        if "calibration" in figures and rows.icount:
            kept.setdefault("calibration", figures["calibration"])
        kept.update((name, value) for name, value in figures.items() if name not in CALIBRATIONS)
    return results


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    print("quire: wrote %s" % path, file=sys.stderr)


def keep(rows, about, figures):
    """Puts the table into the document, and Linux's figures beside the benchmark's own."""
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    write(DOCUMENT, document(rows, about, text))
    for row in rows:
        if row["name"] in figures and row["linux"] and row["unit"] == "instructions":
            figures[row["name"]]["linux"] = round(row["linux"])
    write(FIGURES, json.dumps(figures, indent=2) + "\n")


def compare_with_linux(options, titles):
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        linux = bench_machine.Linux(options, directory)
        results = measure([linux, bench_machine.Quire(options)], bench_machine.SETS)
        rows = merge(results["Quire"], results["Linux"], titles)
    about = "%s, and Quire, in the same emulated machines, cortex-a72." % linux.package
    print("\n".join(lines_of_table(rows)))
    write(options.output + ".json", json.dumps({"about": about, "rows": rows}, indent=1) + "\n")
    write(options.output + ".html", page(rows, about))
    if options.update:
        keep(rows, about, titles)
    missing = [row["name"] for row in rows if row["quire"] is None or row["linux"] is None]
    if missing:
        sys.exit("quire: error: not measured on both sides: " + ", ".join(missing))


def compare_with_previous(options, titles):
    with open(options.vs, encoding="utf-8") as file:
        previous = json.load(file)
    results = measure([bench_machine.Quire(options)], bench_machine.SETS)
    linux = {row["name"]: row["linux"] for row in previous["rows"] if row["linux"] is not None}
    rows = merge(results["Quire"], linux, titles)
    print("\n".join(lines_of_table(rows)))
    write(options.output + ".json", json.dumps({"about": previous["about"], "rows": rows}, indent=1) + "\n")
    worse = slower(rows, previous)
    print("\n" + ("Slower than before" if worse else "Nothing is slower than before"))
    for row, old in worse:
        print("%s: %s, before %s" % (row["title"], number(row["quire"]), number(old)))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    machine.add_arguments(parser)
    parser.add_argument("--vs", required=True, metavar="linux|FILE", help="what to compare with")
    parser.add_argument("--output", default="bench", metavar="NAME",
                        help="write NAME.json and NAME.html (default %(default)s)")
    parser.add_argument("--update", action="store_true", help="keep what was measured with Linux in docs/")
    options = parser.parse_args()
    with open(FIGURES, encoding="utf-8") as file:
        titles = json.load(file)
    if options.vs == "linux":
        compare_with_linux(options, titles)
    else:
        compare_with_previous(options, titles)


if __name__ == "__main__":
    main()
