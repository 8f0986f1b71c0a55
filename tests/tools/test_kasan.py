#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has the build of memsrv that looks at each access find faults that were planted, and names in what it says; prints TAP.

Usage: test_kasan.py BUILD-DIRECTORY
"""

import os
import re
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "scripts"))
import symbolise  # pylint: disable=wrong-import-position

REPORTS = (("slab-out-of-bounds", "plant_out_of_bounds"), ("use-after-free", "plant_use_after_free"))
results = []


def check(good, what):
    results.append(bool(good))
    print("%s %d - %s" % ("ok" if good else "not ok", len(results), what))


def main():
    build = sys.argv[1]
    print("1..%d" % (2 + 2 * len(REPORTS)), flush=True)
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        log = os.path.join(directory, "log")
        result = subprocess.run([sys.executable, os.path.join(SOURCE, "scripts", "system_test.py"), "--build", build, "--smp",
                                 "2", "--memory", "256M", "--timeout", "200", "--log", log, "--", "/tests/planted", "kasan",
                                 "quire.grant=physical", "quire.kasan"], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        with open(log, encoding="utf-8", errors="replace") as file:
            text = symbolise.symbolise(os.path.join(build, "sbin-memsrv-kasan.elf"), file.read())
    check(result.returncode == 0, "memsrv finds each planted fault once")
    for kind, function in REPORTS:
        found = re.search(r"^.*KASAN: %s at 0x[0-9a-f]+ %s \(plant\.c:\d+\)" % (kind, function), text, re.MULTILINE)
        check(found, "%s is reported, in %s" % (kind, function))
        tail = text[found.end():] if found else ""
        check(re.search(r"KASAN: read of size \d at 0x[0-9a-f]+\s.*KASAN: record of cache area, \d+ bytes at 0x[0-9a-f]+\s"
                        r".*KASAN: +allocated at 0x[0-9a-f]+ \w+ \(\w+\.[ch]:\d+\)", tail, re.DOTALL),
              "with the record, and who took it")
    check(text.count("KASAN: slab") + text.count("KASAN: use") == len(REPORTS), "and nothing else is")
    if not all(results):
        print("\n".join("# " + line for line in (result.stdout + text).splitlines()[-40:]))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
