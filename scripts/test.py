#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds everything and runs every test: the host's, the SDK's and the system's through meson, the checks of the source,
and the other levels of run-time checks. The last line counts every single TAP result of every program.

A program that printed no result, or was cut off, counts as one failure.
Usage: test.py [--platform NAME] [--level N] [--list] [PATTERN]

With another platform than the first it is the system's tests that run there. Without, some of them run on every other
platform besides.
"""

import argparse
import json
import os
import re
import subprocess
import sys

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PLATFORM = "qemu-virt"
OTHER_PLATFORMS = ("rpi4", "qemu-x86-64")
LEVELS = (0, 1, 2, 3)
# What runs with other levels of checks than the chosen one. Figures are measured without checks; the booted machine has
# the time for those of level 2, and some tests are run for them. The deepest are in all host tests, and are too slow for
# the machine: that it can be built with them is all that is tested of it.
LEVEL_SUITES = {0: ("bench",), 2: ("checked",)}
HOST_TESTS = "host-tests" # the build's name for all of their programs, which nothing else needs
RESULT = re.compile(r"^(not ok|ok)\b.*?(?:#\s*(SKIP|TODO)\b.*)?$", re.IGNORECASE)


def say(text):
    print("\033[1mquire:\033[0m " + text, file=sys.stderr, flush=True)


class Count:
    """How many results there were of each kind, and the names of what failed."""

    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.failures = []

    def one(self, good, name):
        self.passed += good
        self.failed += not good
        if not good:
            self.failures.append(name)

    def program(self, name, output, good):
        """Counts a program's TAP lines; good says whether the program as a whole was accepted."""
        results, failed_before = 0, self.failed
        for line in output.splitlines():
            match = RESULT.match(line)
            if not match:
                continue
            results += 1
            directive = (match.group(2) or "").upper()
            if directive:
                self.skipped += 1
            else:
                self.one(match.group(1).lower() == "ok", "%s: %s" % (name, line))
        if results == 0 or (not good and self.failed == failed_before):
            self.one(False, "%s: no result, or cut off" % name)

    def print(self):
        for name in self.failures:
            print("FAILED " + name)
        skipped = ", %d skipped" % self.skipped if self.skipped else ""
        print("%d passed, %d failed%s" % (self.passed, self.failed, skipped), flush=True)


def directory(level, platform=PLATFORM):
    return os.path.join(SOURCE, "build", platform + ("" if level == 1 else "-checks%d" % level))


def build(level, count, platform=PLATFORM, targets=()):
    """Builds one level, and targets besides; its success is a result of its own."""
    status = subprocess.run([os.path.join(SOURCE, "scripts", "build.sh"), platform, str(level), *targets],
                            stdin=subprocess.DEVNULL, check=False)
    count.one(status.returncode == 0, "build for %s with checks at level %d" % (platform, level))
    return status.returncode == 0


def meson_tests(level, suites, pattern, platform=PLATFORM):
    """Returns the names of the tests of these suites that the pattern selects."""
    text = subprocess.run(["meson", "introspect", "--tests", directory(level, platform)], check=True,
                          capture_output=True, text=True).stdout
    chosen = [test for test in json.loads(text)
              if any(suite.split(":")[-1] in suites for suite in test["suite"]) and pattern in test["name"]]
    names = [test["name"] for test in chosen]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        # Meson's harness stops in the middle of its run when it meets the second one.
        sys.exit("quire: error: two tests have the name %s; give one of them another in tests/system/meson.build" % twice[0])
    return names


def run_meson(level, suites, pattern, count, platform=PLATFORM):
    names = meson_tests(level, suites, pattern, platform)
    if not names:
        return
    say("running %d test programs (%s, %s, checks at level %d)" % (len(names), platform, " and ".join(suites), level))
    log_base = "quire-" + "-".join(suites)
    log = os.path.join(directory(level, platform), "meson-logs", log_base + ".json")
    if os.path.exists(log):
        os.remove(log)
    subprocess.run(["meson", "test", "-C", directory(level, platform), "--no-rebuild", "--print-errorlogs",
                    "--logbase", log_base] + names, stdin=subprocess.DEVNULL, check=False)
    ran = set()
    if os.path.exists(log):
        with open(log, encoding="utf-8") as file:
            for line in file:
                entry = json.loads(line)
                name = entry["name"].split(" / ")[-1]
                ran.add(name)
                count.program(name, entry.get("stdout", ""), entry["result"] in ("OK", "SKIP", "EXPECTEDFAIL"))
    for name in names:
        if name not in ran:
            count.one(False, "%s: did not run" % name)


def check_names():
    return subprocess.run([sys.executable, "scripts/checks.py", "--list"], cwd=SOURCE, check=True,
                          capture_output=True, text=True).stdout.splitlines()


def run_checks(pattern, count, level):
    if not any(pattern in name for name in check_names()):
        return
    say("checking the source")
    process = subprocess.Popen([sys.executable, "scripts/checks.py", directory(level), pattern], cwd=SOURCE,
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    output = []
    for line in process.stdout:
        print(line, end="", flush=True)
        output.append(line)
    count.program("source", "".join(output), process.wait() == 0)


def others_names(level, pattern):
    """Returns {other platform: names of its tests that run besides}."""
    return {platform: meson_tests(level, ("representative",), pattern, platform) for platform in OTHER_PLATFORMS}


def all_names(level):
    names = meson_tests(level, ("host", "sdk", "system", "bench", "checked"), "") + check_names()
    return names + sum(others_names(level, "").values(), [])


def run_level(level, pattern, count):
    """Builds another level than the chosen one, and runs what is for that level."""
    if not build(level, count):
        return
    if level in LEVEL_SUITES:
        run_meson(level, LEVEL_SUITES[level], pattern, count)


def run_everything(level, pattern, count):
    run_meson(level, ("host",), pattern, count)
    run_checks(pattern, count, level)
    run_meson(level, ("sdk",), pattern, count)
    run_meson(level, ("system",) + {0: ("bench",), 2: ("checked",)}.get(level, ()), pattern, count)
    for platform in OTHER_PLATFORMS:
        run_meson(level, ("representative",), pattern, count, platform)
    for other in LEVELS:
        # With a pattern only what no run of the chosen level covers.
        if other != level and (not pattern or (other in (0, 2) and meson_tests(level, LEVEL_SUITES[other], pattern))):
            run_level(other, pattern, count)


def choose(options, names):
    """Lists the names, or makes sure that the pattern selects one. True: that was all."""
    names = [name for name in names if options.pattern in name]
    if not names:
        sys.exit("quire: error: no test has '%s' in its name; ./quire test --list shows them all" % options.pattern)
    if options.list:
        print("\n".join(names))
    return options.list


def test_platform(options, count):
    """The system's tests on another platform."""
    suites = ("system", "checked") if options.level == 2 else ("system",)
    if not build(options.level, count, options.platform):
        return
    if not choose(options, meson_tests(options.level, suites, "", options.platform)):
        run_meson(options.level, suites, options.pattern, count, options.platform)


def test_all(options, count):
    # The other platforms' builds are small, and their tests' names are wanted.
    if not all([build(options.level, count, targets=[HOST_TESTS])] + [build(options.level, count, other) for other in OTHER_PLATFORMS]):
        return
    if not choose(options, all_names(options.level)):
        run_everything(options.level, options.pattern, count)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--level", type=int, choices=LEVELS, default=1)
    parser.add_argument("--platform", default=PLATFORM)
    parser.add_argument("--list", action="store_true", help="print the names of all tests and run none")
    parser.add_argument("pattern", nargs="?", default="")
    options = parser.parse_args()

    count = Count()
    (test_all if options.platform == PLATFORM else test_platform)(options, count)
    if not options.list:
        count.print()
    sys.exit(1 if count.failed else 0)


if __name__ == "__main__":
    main()
