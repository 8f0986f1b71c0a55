#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests ./quire cc, exec and run on another platform than the first, as people use them. Prints TAP. $QUIRE_BUILD names
the build.

Usage: test_board.py BUILD-DIRECTORY PLATFORM
"""

import os
import sys
import tempfile

import sdk

SOURCE = """#include <stdio.h>
#include <string.h>
#include <unistd.h>
int main(int count, char **words)
{
    char text[100] = "", kept[100] = "";
    FILE *file = fopen("/kept", "w+");
    fgets(text, sizeof(text), stdin);
    if (!file || fputs(text, file) < 0 || fseek(file, 0, SEEK_SET) != 0 || !fgets(kept, sizeof(kept), file))
        return 1;
    printf("%s and %s", words[count - 1], kept);
    fprintf(stderr, "%ld cores", sysconf(_SC_NPROCESSORS_ONLN));
    return 42;
}
"""


def main():
    build, platform = sys.argv[1:3]
    os.environ["QUIRE_BUILD"] = build
    tap = sdk.Tap()
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        source, program = os.path.join(directory, "board.c"), os.path.join(directory, "board")
        with open(source, "w", encoding="utf-8") as file:
            file.write(SOURCE)
        result = sdk.run([sdk.QUIRE, "cc", "--platform", platform, "-Wall", source, "-o", program], text=True)
        tap.equal((result.returncode, result.stderr), (0, ""), "a program is compiled")
        result = sdk.run([sdk.QUIRE, "exec", "--platform", platform, program, "word"], input=b"a line\n")
        tap.equal(result.returncode, 42, "it runs, and its exit status comes back", result.stderr)
        tap.equal((result.stdout, result.stderr), (b"word and a line\n", b"4 cores"),
                  "arguments and input go in, output comes out, and nothing else")
        result = sdk.run([sdk.QUIRE, "exec", "--platform", platform, "--mem", "256M", "--no-disk", program, "less"],
                         input=b"memory\n")
        tap.equal((result.returncode, result.stdout, result.stderr), (42, b"less and memory\n", b"4 cores"),
                  "on a smaller machine without a disk")
        result = sdk.run([sdk.QUIRE, "exec", "--platform", platform, "--smp", "2", program])
        tap.ok(result.returncode != 0 and b"has 4 cores" in result.stderr, "it has no fewer cores", result.stderr)
        # The command of the shell would build first.
        result = sdk.run([sys.executable, os.path.join(os.path.dirname(sdk.QUIRE), "scripts", "run.py"), "--build", build,
                          "--platform", platform, "--", "/tests/hello", "7"])
        tap.ok(result.returncode == 7 and b"Starting kernel" in result.stdout and b"argument 0: '/tests/hello'" in result.stdout,
               "run boots by U-Boot, into a program", result.returncode, result.stdout, result.stderr)
    tap.done()


if __name__ == "__main__":
    main()
