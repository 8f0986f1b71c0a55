# SPDX-License-Identifier: MIT
"""Runs a scenario of memory pressure and writes a page with plots of it, which needs nothing but a browser."""

import argparse
import html
import json
import os
import sys
import tempfile

import machine
from console import Console, Silence

PROGRAM = "/tests/report_load"
SAMPLES_A_SECOND = 10
MARK = "sample "
WIDTH, HEIGHT = 860, 220
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 26
COLOURS = ("#2563a8", "#c2410c", "#15803d", "#7e22ce", "#a16207", "#be185d")
STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 900px; padding: 0 1em; color: #1c1917;
       background: #fff; }
h1 { font-size: 1.5em; } h2 { font-size: 1.1em; margin: 1.6em 0 .2em; } p { margin: .2em 0 .6em; color: #57534e; }
svg { width: 100%; height: auto; } table { border-collapse: collapse; } td { padding: .1em 1.2em .1em 0; }
.key { display: inline-block; width: .8em; height: .8em; margin: 0 .3em 0 1em; }
text { font: 11px system-ui, sans-serif; fill: #57534e; }
@media (prefers-color-scheme: dark) {
  body { background: #1c1917; color: #e7e5e4; } p, text { color: #a8a29e; fill: #a8a29e; }
}
"""


def sample_of(line):
    """The sample that a line holds, or None. The kernel's log may come into the middle of one: that is lost."""
    if not line.startswith(MARK):
        return None
    try:
        return json.loads(line[len(MARK):])
    except ValueError:
        return None


def collect(options):
    """The samples that the scenario prints; an error ends the script."""
    options.uboot = False
    options.grant = True
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        line = machine.command(options, directory, [PROGRAM, str(options.seconds * SAMPLES_A_SECOND)], True)
        with Console(line, os.path.join(directory, "log"), options.timeout) as console:
            try:
                samples = [sample for sample in map(sample_of, console.lines()) if sample]
                status = console.wait()
            except Silence:
                raise SystemExit("quire: error: time is up: the scenario still ran") from None
            if status != 0 or len(samples) < 3:
                print("\n".join(console.text.splitlines()[-20:]), file=sys.stderr)
                raise SystemExit("quire: error: the scenario ended with status %d" % status)
    return samples


def levels(samples, names, unit=1024):
    """Lines of figures as they are."""
    return [(name, [(s["ms"] / 1000, s[name] / unit) for s in samples]) for name in names]


def rates(samples, names):
    """Lines of counters, a second."""
    lines = []
    for name in names:
        points = []
        for before, after in zip(samples, samples[1:]):
            seconds = (after["ms"] - before["ms"]) / 1000
            if seconds > 0:
                points.append((after["ms"] / 1000, (after[name] - before[name]) / seconds))
        lines.append((name, points))
    return lines


def zone_lines(samples):
    lines = []
    for zone in samples[0]["zones"]:
        lines.append(("free, " + zone, [(s["ms"] / 1000, s["zones"][zone]["free"] / 1024) for s in samples]))
        for mark in ("high", "min"):
            lines.append(("%s watermark, %s" % (mark, zone),
                          [(s["ms"] / 1000, s["zones"][zone][mark] / 1024) for s in samples]))
    return lines


def round_up(value):
    """The next 1, 2 or 5 times a power of ten."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if value <= factor * step:
                return factor * step
        step *= 10


def plot(lines):
    """An SVG picture of lines, and their key."""
    end = max((x for _, points in lines for x, _ in points), default=1) or 1
    top = round_up(max((y for _, points in lines for _, y in points), default=1) or 1)

    def place(x, y):
        return (LEFT + x / end * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM))

    parts = ['<svg viewBox="0 0 %d %d" role="img">' % (WIDTH, HEIGHT)]
    for step in range(5):
        _, y = place(0, top * step / 4)
        parts.append('<line x1="%d" x2="%d" y1="%.1f" y2="%.1f" stroke="#8886" stroke-width="1"/>' %
                     (LEFT, WIDTH - RIGHT, y, y))
        parts.append('<text x="%d" y="%.1f" text-anchor="end">%g</text>' % (LEFT - 6, y + 4, top * step / 4))
    for step in range(6):
        x, y = place(end * step / 5, 0)
        parts.append('<text x="%.1f" y="%.1f" text-anchor="middle">%.1f s</text>' % (x, y + 17, end * step / 5))
    for number, (_, points) in enumerate(lines):
        path = " ".join("%.1f,%.1f" % place(x, y) for x, y in points)
        parts.append('<polyline points="%s" fill="none" stroke="%s" stroke-width="1.8"/>' %
                     (path, COLOURS[number % len(COLOURS)]))
    parts.append("</svg>")
    key = "".join('<span class="key" style="background:%s"></span>%s' %
                  (COLOURS[number % len(COLOURS)], html.escape(name)) for number, (name, _) in enumerate(lines))
    return "".join(parts) + "<div>%s</div>" % key


def page(samples, options):
    last, first = samples[-1], samples[0]
    sections = (
        ("Free memory by zone, MiB", "Reclaim begins when it falls below the low watermark.", zone_lines(samples)),
        ("Cache, MiB", "Pages of files, and those that are to be written.", levels(samples, ("Cached", "Dirty"))),
        ("Private memory, MiB", "What programs have for themselves.", levels(samples, ("AnonPages", "PageTables"))),
        ("Swap, MiB", "Of all swap areas.", [("used", [(s["ms"] / 1000, (s["SwapTotal"] - s["SwapFree"]) / 1024)
                                                       for s in samples])]),
        ("Faults a second", "Major ones waited for the pager.", rates(samples, ("pgfault", "pgmajfault"))),
        ("Reclaim, pages a second", "Looked at, and freed.", rates(samples, ("pgscan", "pgsteal"))),
    )
    rows = "".join("<tr><td>%s</td><td>%s</td></tr>" % (html.escape(name), html.escape(str(value))) for name, value in (
        ("machine", "%s, %d cores, %d MiB" % (options.platform, options.smp, first["MemTotal"] // 1024)),
        ("time", "%.1f s, %d samples" % (last["ms"] / 1000, len(samples))),
        ("faults", last["pgfault"] - first["pgfault"]), ("major faults", last["pgmajfault"] - first["pgmajfault"]),
        ("pages reclaimed", last["pgsteal"] - first["pgsteal"]), ("processes ended", last["oom_kill"])))
    body = "".join("<h2>%s</h2><p>%s</p>%s" % (html.escape(title), html.escape(text), plot(lines))
                   for title, text, lines in sections)
    return ('<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>Quire: memory under pressure</title>'
            "<style>%s</style></head><body><h1>Memory under pressure</h1><p>One program reads through a mapping of a disk "
            "larger than memory, another takes private memory and gives it back.</p><table>%s</table>%s</body></html>\n" %
            (STYLE, rows, body))


def main():
    parser = argparse.ArgumentParser(prog="quire report", description=__doc__, allow_abbrev=False)
    machine.add_arguments(parser, memory="128M")
    parser.add_argument("--seconds", type=int, default=20, help="how long the scenario runs (default %(default)s)")
    parser.add_argument("--timeout", type=float, default=600, metavar="SECONDS", help="when to give up")
    parser.add_argument("-o", "--output", default="report.html", metavar="FILE", help="default %(default)s")
    options = parser.parse_args()
    if not 1 <= options.seconds <= 600:
        parser.error("1 to 600 seconds")
    options.disks = options.disks or [os.path.join(options.build, "tests", "system", "paged.img") + ",snapshot"]
    samples = collect(options)
    with open(options.output, "w", encoding="utf-8") as file:
        file.write(page(samples, options))
    print("quire: %d samples are plotted in %s" % (len(samples), options.output))


if __name__ == "__main__":
    main()
