#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The benchmark's figures that are kept in docs/, a file for each architecture, and the table of them all in
docs/performance.md.

docs/bench.json has the titles of all rows, and what was measured on qemu-virt: title, measured, and where they exist linux,
goal and limit. docs/bench-x86_64.json has measured and limit of the same rows on qemu-x86-64.

Usage: figures.py --check   says what in the document is not as the files have it
       figures.py --write   mends it
"""

import configparser
import json
import os
import sys

import machine

DOCS = os.path.join(machine.SOURCE, "docs")
DOCUMENT = os.path.join(DOCS, "performance.md")
FIRST = "aarch64"
FILES = {FIRST: "bench.json", "x86_64": "bench-x86_64.json"}
MARK_BEGIN, MARK_END = "<!-- architectures -->", "<!-- end of architectures -->"


def architecture_of(platform):
    cross = configparser.ConfigParser()
    cross.read(os.path.join(machine.SOURCE, "platform", platform, "cross.ini"))
    return cross["host_machine"]["cpu_family"].strip("'")


def load(architecture=FIRST):
    """Returns {name: {"measured": ..., ...}} of an architecture, in the order of the file."""
    path = os.path.join(DOCS, FILES[architecture])
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def save(kept, architecture=FIRST):
    with open(os.path.join(DOCS, FILES[architecture]), "w", encoding="utf-8") as file:
        json.dump(kept, file, indent=2)
        file.write("\n")


def number(value):
    return "-" if value is None else "{:,}".format(round(value))


def table():
    """The table's lines: all rows that every architecture has a figure of."""
    kept = {architecture: load(architecture) for architecture in FILES}
    lines = ["| operation | %s |" % " | ".join(FILES), "|---|" + "--:|" * len(FILES)]
    for name, entry in kept[FIRST].items():
        values = [kept[architecture].get(name, {}).get("measured") for architecture in FILES]
        if None not in values:
            lines.append("| %s | %s |" % (entry["title"], " | ".join(map(number, values))))
    return lines


def document():
    """Returns the document's text as it is, and with the table as it should be."""
    with open(DOCUMENT, encoding="utf-8") as file:
        text = file.read()
    before, begin, rest = text.partition(MARK_BEGIN)
    _, end, after = rest.partition(MARK_END)
    if not begin or not end:
        sys.exit("docs/performance.md lacks '%s' or '%s'" % (MARK_BEGIN, MARK_END))
    return text, before + begin + "\n" + "\n".join(table()) + "\n" + end + after


def write():
    text = document()[1]
    with open(DOCUMENT, "w", encoding="utf-8") as file:
        file.write(text)


def problems():
    """What is wrong with the files and the document, a line each."""
    found = ["docs/%s has a row '%s' without a title in docs/%s" % (FILES[architecture], name, FILES[FIRST])
             for architecture in FILES for name in load(architecture) if "title" not in load().get(name, {})]
    found += ["docs/%s: '%s' was measured above its limit" % (FILES[architecture], name)
              for architecture in FILES for name, entry in load(architecture).items()
              if entry.get("measured", 0) > entry.get("limit", entry.get("measured", 0))]
    if not found:
        text, wanted = document()
        found = ["scripts/figures.py --write mends docs/performance.md"] if text != wanted else []
    return found


def main():
    if sys.argv[1:] == ["--write"]:
        write()
    elif sys.argv[1:] == ["--check"]:
        found = problems()
        print("\n".join(found), end="\n" if found else "")
        sys.exit(1 if found else 0)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
