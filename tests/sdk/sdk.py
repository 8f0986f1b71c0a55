# SPDX-License-Identifier: MIT
"""What the tests of the SDK share: the commands under test, and TAP."""

import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
GUEST = os.path.join(HERE, "guest")
QUIRE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "quire")
SHOWN_LINES, SHOWN_CHARACTERS = 20, 400
PATIENCE_SECONDS = 100
os.environ.setdefault("QUIRE_BUILD", os.path.join(os.path.dirname(QUIRE), "build", "qemu-virt"))


class Tap:
    """Prints numbered results, and the plan at the end."""

    def __init__(self):
        self.count, self.failed = 0, 0

    def ok(self, passed, name, *details):
        self.count += 1
        self.failed += not passed
        print("%s %d - %s" % ("ok" if passed else "not ok", self.count, name.replace("#", "\\#")))
        if not passed:
            for line in "\n".join(str(detail) for detail in details).splitlines()[-SHOWN_LINES:]:
                print("# " + line[:SHOWN_CHARACTERS])
        sys.stdout.flush()

    def equal(self, found, wanted, name, *details):
        self.ok(found == wanted, name, "found  %r" % (found,), "wanted %r" % (wanted,), *details)

    def done(self):
        print("1..%d" % self.count)
        sys.exit(1 if self.failed else 0)


def run(command, **options):
    """Runs a command to its end; its output is bytes unless options say otherwise."""
    options.setdefault("stdin", None if "input" in options else subprocess.DEVNULL)
    if options["stdin"] is None:
        del options["stdin"]
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False,
                          timeout=PATIENCE_SECONDS, **options)


def cc(*arguments, **options):
    return run([QUIRE, "cc", *arguments], text=True, **options)


def execute(*arguments, **options):
    return run([QUIRE, "exec", "--mem", "128M", "--smp", "2", *arguments], **options)
