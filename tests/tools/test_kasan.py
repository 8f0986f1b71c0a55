#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots the servers in which each access is looked at: ordinary programs run on them and nothing is found; faults that were
planted are all found, with names in what is said. Prints TAP.

Usage: test_kasan.py BUILD-DIRECTORY
"""

import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(SOURCE, "scripts"))
import symbolise  # pylint: disable=wrong-import-position

SECONDS = 170
PLACE = r"\w+ \(\w+\.[chS]:\d+\)$"
# In memsrv, and what is said of the address.
RECORD = r"KASAN: record of cache area, \d+ bytes at 0x[0-9a-f]+\n(.*\n)*?memsrv: KASAN: +allocated at 0x[0-9a-f]+ " + PLACE
MEMSRV = (("slab-out-of-bounds", "plant_out_of_bounds", RECORD), ("use-after-free", "plant_use_after_free", RECORD))
# In each of the others.
SERVERS = ("blk", "console", "fs", "pager")
BLOCK = r"KASAN: block of 100 bytes at 0x[0-9a-f]+\n(.*\n)*?%%s: KASAN: +%s at 0x[0-9a-f]+ plant_%s \(plant\.c:\d+\)$"
FRAME = r"KASAN: variables of the frame: 1 \d+ 100 \d+ local"
VARIABLE = r"KASAN: variable variable of .*plant\.c, 100 bytes at "
OTHERS = (("heap-out-of-bounds", "plant_heap_out_of_bounds", BLOCK % ("allocated", "heap_out_of_bounds")),
          ("use-after-free", "plant_use_after_free", BLOCK % ("freed", "use_after_free")),
          ("double-free", "plant_double_free", BLOCK % ("freed", "double_free")),
          ("stack-out-of-bounds", "plant_stack_out_of_bounds", FRAME),
          ("stack-use-after-scope", "plant_stack_after_scope", FRAME),
          ("global-out-of-bounds", "plant_global_out_of_bounds", VARIABLE),
          ("global-out-of-bounds", "plant_text_out_of_bounds", VARIABLE))
REPORT = re.compile(r"^\w+: KASAN: [a-z-]+ at 0x", re.MULTILINE)
results = []


def check(good, what):
    results.append(bool(good))
    print("%s %d - %s" % ("ok" if good else "not ok", len(results), what), flush=True)


def boot(build, words):
    """Returns whether the machine's test passed, and its log with names."""
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        log = os.path.join(directory, "log")
        result = subprocess.run([sys.executable, os.path.join(SOURCE, "scripts", "system_test.py"), "--build", build, "--archive",
                                 os.path.join(build, "boot-kasan.cpio"), "--smp", "2", "--memory", "256M", "--disk", "image",
                                 "--timeout", str(SECONDS), "--log", log] + words, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        with open(log, encoding="utf-8", errors="replace") as file:
            text = symbolise.symbolise(build, file.read().replace("\r", ""))
    if result.returncode != 0:
        print("\n".join("# " + line for line in (result.stdout + text).splitlines()[-60:]))
    return result.returncode == 0, text


def check_reports(text, server, expected):
    """Each server's lines are in order; those of others may be between them."""
    lines = "\n".join(line for line in text.splitlines() if line.startswith(server + ": KASAN: "))
    for kind, function, explained in expected:
        found = re.search(r"^\w+: KASAN: %s at 0x[0-9a-f]+ %s \(plant\.c:\d+\)$" % (kind, function), lines, re.MULTILINE)
        tail = lines[found.end():] if found else ""
        end = REPORT.search(tail)
        tail = tail[:end.start()] if end else tail
        explained = explained % server if "%s" in explained else explained
        check(found and re.search(explained, tail, re.MULTILINE), "%s: %s is found in %s, and what it is about" %
              (server, kind, function))
    before = len(results)
    check(len(REPORT.findall(lines)) == len(expected), "%s: nothing else is" % server)
    if not all(results[before - len(expected):]):
        print("\n".join("# " + line for line in lines.splitlines()))


def main():
    build = sys.argv[1]
    print("1..%d" % (3 + len(MEMSRV) + 1 + len(SERVERS) * (len(OTHERS) + 1)), flush=True)
    good, text = boot(build, ["--session", os.path.join(HERE, "kasan.session")])
    check(good, "programs run as on the usual servers")
    check(not re.search("KASAN", text), "and no access is wrong")
    good, text = boot(build, ["--argument", "quire.kasan_plant", "--", "/tests/planted", "kasan", "quire.grant=physical"])
    check(good, "memsrv finds each planted fault once")
    check_reports(text, "memsrv", MEMSRV)
    for server in SERVERS:
        check_reports(text, server, OTHERS)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
