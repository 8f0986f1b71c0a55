#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests what scripts/compare.py, scripts/bench_machine.py and scripts/flame.py make of what a benchmark left, without a
machine; prints TAP."""

import os
import sys
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts"))

import bench_machine
import compare
import flame

GOOD = {"calibration": 999.0, "calibration_after": 1001.0}
results = []


def check(good, what):
    results.append(bool(good))
    print("%s %d - %s" % ("ok" if good else "not ok", len(results), what))


class Printer:
    """In place of a system: a program that prints."""

    name = "printer"

    def __init__(self, script):
        self.script = script

    def command(self, rows, directory):
        return ["sh", "-c", self.script]


def output_of(script, timeout=20):
    return bench_machine.run(Printer(script), bench_machine.Set(("words",), "1G", timeout=timeout))


def check_runs():
    figures, problem = output_of("echo 'bench a 1.5'; echo 'noise bench b 2'; echo 'bench b 20.0'")
    check(figures == {"a": 1.5, "b": 20.0} and not problem, "figures are read from lines, and from nothing else")
    _, problem = output_of("echo 'bench a 1.5'; echo 'bench-status 1'")
    check("status 1" in problem, "a status that the program prints counts")
    _, problem = output_of("echo 'bench a 1.5'; exit 3")
    check("status 3" in problem, "so does the machine's own")
    _, problem = output_of("exit 0")
    check(problem, "a run without figures is none")
    _, problem = output_of("echo 'bench a 1.5'; exec sleep 100", timeout=1)
    check("time is up" in problem, "a run that does not end is none")


def check_calibration():
    check(not compare.calibration_problem(GOOD, "x"), "a calibration within the tolerance is good")
    for name in GOOD:
        for value in (940.0, 1060.0):
            check(compare.calibration_problem({**GOOD, name: value}, "x"), "%s of %g is refused" % (name, value))
        without = {key: value for key, value in GOOD.items() if key != name}
        check(compare.calibration_problem(without, "x"), "a run without %s is refused" % name)


def check_rows():
    quire = {"a": 100.0, "b_rate": 300.0, "c": 5.0}
    linux = {"a": 250.0, "b_rate": 100.0, "d": 7.0}
    rows = compare.merge(quire, linux, {"a": {"title": "title <of> a"}})
    check([row["name"] for row in rows] == ["a", "b_rate", "c", "d"], "rows of both sides are merged in order")
    check(rows[0]["title"] == "title <of> a" and rows[2]["title"] == "c", "rows have titles")
    check([compare.ratio(row) for row in rows] == [2.5, 3.0, None, None], "ratios tell how many times better Quire is")
    lines = compare.lines_of_table(rows)
    check(len(lines) == 5 and lines[1].split()[-3:] == ["250", "100", "2.50"], "the table has them")
    page = compare.page(rows, "about <it>")
    check("title &lt;of&gt; a" in page and "about &lt;it&gt;" in page and "http" not in page,
          "the page quotes what it shows and needs no network")
    text = compare.document(rows, "about", "before %s\nold\n%s after" % (compare.MARK_BEGIN, compare.MARK_END))
    check(text.startswith("before ") and text.endswith(" after") and "old" not in text and "| 250 | 100 | 2.50 |" in text,
          "the document has the table in the place of the last one")
    bars = xml.etree.ElementTree.fromstring(compare.chart(rows))
    widths = [float(bar.get("width")) for bar in bars.iter("rect")]
    check(len(widths) == 4 and widths[0] == 2.5 * widths[1] and widths[3] == 3 * widths[2],
          "bars are as long as figures are large")
    return rows


def check_slower(rows):
    def named(**changes):
        changed = [{**row, "quire": changes.get(row["name"], row["quire"])} for row in rows]
        return [row["name"] for row, _ in compare.slower(changed, {"rows": rows})]

    check(named() == [], "nothing is slower than itself")
    check(named(a=101.0, b_rate=250.0) == [], "small differences are none")
    check(named(a=110.0) == ["a"], "more instructions are slower")
    check(named(b_rate=100.0) == ["b_rate"], "fewer operations a second are slower")
    check(named(a=50.0, b_rate=900.0) == [], "better is not slower")


class Code:
    """A program of three functions of 16 bytes each; `outer` calls at 4 and 8, `middle` jumps to `inner` at its end."""

    starts, branches, calls = {0, 16, 32}, {4, 8}, set()

    @staticmethod
    def function_at(address):
        return ("outer", "middle", "inner")[address // 16]


def check_flame():
    stacks = flame.Stacks(Code)
    seen = ["/".join(stacks.at(address)) for address in (0, 4, 16, 20, 8, 16, 28, 32, 12)]
    check(seen == ["outer", "outer", "outer/middle", "outer/middle", "outer", "outer/middle", "outer/middle", "outer/inner",
                   "outer"], "calls, returns and last jumps are told apart")
    stacks.enter()
    check(stacks.at(20) == ["middle"], "a function whose caller is not known stands alone")
    counts = {("a", "f"): 30, ("a", "f", "g"): 50, ("b",): 20}
    tree = flame.tree_of(counts)
    check(tree[0] == 100 and tree[1]["a"][0] == 80 and tree[1]["a"][1]["f"][1]["g"][0] == 50,
          "what is called counts for its callers")
    picture = xml.etree.ElementTree.fromstring(flame.picture(counts, "x <y>", 10.0))
    widths = {group[0].text.split(":")[0]: float(group[1].get("width")) for group in picture if group.tag.endswith("}g")}
    check(widths == {"a": 959.5, "a > f": 959.5, "a > f > g": 599.5, "b": 239.5}, "the picture has them as wide as they are")


def main():
    check_runs()
    check_calibration()
    check_slower(check_rows())
    check_flame()
    print("1..%d" % len(results))
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
