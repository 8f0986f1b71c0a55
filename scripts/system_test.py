#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs one system test on a freshly booted machine and prints its result as TAP.

Either a program of the boot archive, which prints TAP itself, or a session: a file of lines that are typed into the
shell and of texts that must appear in answer, each of which becomes one TAP line.

A test passes only if its plan is complete, no line is "not ok" and the machine ends with status 0; or, where another
status is expected, if the machine ends with that one and nothing else is asked of the program. Anything else, a hang included, ends with "Bail out!" and the last lines that the machine printed.
"""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile

import machine
import session
from console import Console, Silence

TAIL_LINES = 40
TAP_LINE = re.compile(r"^(?:(?:not )?ok\b|1\.\.\d|#(?= |$)|Bail out!)")


class Failure(Exception):
    """The test did not come to a proper end; the text says why."""


class TapReader:
    """Echoes the TAP lines of a machine's output and keeps count of them."""

    def __init__(self):
        self.results = 0
        self.failed = 0
        self.planned = None

    def line(self, text):
        if not TAP_LINE.match(text):
            return
        print(text, flush=True)
        plan = re.match(r"^1\.\.(\d+)", text)
        if plan:
            if self.planned is not None:
                raise Failure("a second plan: two programs printed TAP")
            self.planned = int(plan.group(1))
        elif text.startswith("Bail out!"):
            raise Failure("the program gave up")
        elif not text.startswith("#"):
            self.results += 1
            if text.startswith("not ok") and "# TODO" not in text:
                self.failed += 1

    def finish(self):
        if self.planned is None:
            raise Failure("the program printed no plan")
        if self.planned != self.results:
            raise Failure("%d results where %d were planned" % (self.results, self.planned))


def check_status(console, expected):
    status = console.wait()
    if status == expected:
        return
    name = " (a kernel panic)" if status == machine.PANIC_STATUS else ""
    raise Failure("the machine ended with status %d%s, expected %d" % (status, name, expected))


def run_program(console):
    reader = TapReader()
    try:
        for line in console.lines():
            reader.line(line)
    except Silence:
        raise Failure("time is up: the machine still ran") from None
    reader.finish()
    # Failed lines are a nonzero status too; saying so twice would hide them.
    check_status(console, 1 if reader.failed else 0)
    return reader.failed


def run_to_the_end(console, expected):
    """For a program whose end is the test: a panic, say. It can print no plan that covers its own end."""
    try:
        console.drain()
    except Silence:
        raise Failure("time is up: the machine still ran") from None
    check_status(console, expected)
    print("1..1\nok 1 - the machine ended with status %d" % expected, flush=True)
    return 0


def run_session(console, path, expected):
    failed = session.play(console, path)
    if failed:
        return failed
    try:
        console.drain()
    except Silence:
        raise Failure("time is up: the session is over and the machine still ran") from None
    check_status(console, expected)
    return 0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    machine.add_arguments(parser, memory="128M")
    parser.add_argument("--uboot", action="store_true", help="boot through U-Boot")
    parser.add_argument("--timeout", type=float, default=120, metavar="SECONDS")
    parser.add_argument("--log", metavar="FILE", help="where the machine's whole output goes")
    parser.add_argument("--expect-status", type=int, default=0, metavar="N", help="%d is a panic" %
                        machine.PANIC_STATUS)
    parser.add_argument("--expect-text", action="append", default=[], metavar="REGEX",
                        help="must occur in the output; may be given more than once")
    parser.add_argument("--interactive-script", "--session", dest="session", metavar="FILE")
    parser.add_argument("program", nargs="*")
    options = parser.parse_args()
    if bool(options.session) == bool(options.program):
        parser.error("give a program or a session")
    return options


def check_texts(console, patterns):
    for pattern in patterns:
        if not re.search(pattern, console.text, re.MULTILINE):
            raise Failure("the output lacks /%s/" % pattern)


def main():
    # An outer time limit ends this script with SIGTERM; leave by the normal way then, so that the machine is ended too.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit("system_test.py: ended from outside"))
    options = parse_arguments()
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        log = options.log or os.path.join(directory, "log")
        line = machine.command(options, directory, options.program, exit_with_status=True)
        with Console(line, log, options.timeout) as console:
            try:
                if options.session:
                    failed = run_session(console, options.session, options.expect_status)
                elif options.expect_status != 0:
                    failed = run_to_the_end(console, options.expect_status)
                else:
                    failed = run_program(console)
                check_texts(console, options.expect_text)
            except Failure as failure:
                print("Bail out! %s" % failure, flush=True)
                print("The command was: %s\nThe machine's last lines:" % subprocess.list2cmdline(line),
                      file=sys.stderr)
                print("\n".join(console.text.splitlines()[-TAIL_LINES:]), file=sys.stderr)
                failed = 1
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
