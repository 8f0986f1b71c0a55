#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has scripts/report.py run its scenario for a short while, looks at the page, and prints TAP.

Usage: test_report.py BUILD-DIRECTORY
"""

import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PLOTS = ("Free memory by zone", "Cache", "Private memory", "Swap", "Faults a second", "Reclaim")
SECONDS = 3
results = []


def check(good, what):
    results.append(bool(good))
    print("%s %d - %s" % ("ok" if good else "not ok", len(results), what))


def main():
    print("1..6", flush=True)
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        path = os.path.join(directory, "page.html")
        result = subprocess.run([sys.executable, os.path.join(SOURCE, "scripts", "report.py"), "--build", sys.argv[1],
                                 "--smp", "2", "--seconds", str(SECONDS), "-o", path], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        check(result.returncode == 0, "the scenario runs to its end")
        if result.returncode != 0:
            print("\n".join("# " + line for line in result.stdout.splitlines()))
        text = ""
        if os.path.exists(path):
            with open(path, encoding="utf-8") as file:
                text = file.read()
    titles = re.findall(r"<h2>([^<]*)</h2>", text)
    check(len(titles) == len(PLOTS) and all(title.startswith(name) for title, name in zip(titles, PLOTS)),
          "the page has its plots: %s" % ", ".join(titles))
    check(text.count("<svg") == len(PLOTS) and text.count("</svg>") == len(PLOTS), "each is a picture")
    lines = [points.split() for points in re.findall(r'<polyline points="([^"]*)"', text)]
    check(len(lines) >= len(PLOTS) and all(len(line) >= SECONDS * 5 for line in lines), "made of the samples")
    heights = [{point.split(",")[1] for point in line} for line in lines]
    check(sum(len(some) > 3 for some in heights) >= 3, "in which memory comes and goes")
    check(text and "http" not in text and "src=" not in text and "@import" not in text, "it needs no network")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
