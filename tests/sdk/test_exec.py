#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests ./quire exec: what goes in and comes out of programs on a booted machine. Prints TAP. $QUIRE_BUILD names the
build.
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time

import sdk

sys.path.insert(0, os.path.join(os.path.dirname(sdk.QUIRE), "scripts"))
import words # pylint: disable=wrong-import-position

EVERY_BYTE = bytes(range(256))
AWKWARD = ["two words", "", " ", "-x", "--mem", "%41", "%", "tab\there", "line\nbreak", "'single'", '"double"',
           "back\\slash", "$HOME `id` ;&|<>", "\u00e4\u20ac", "quire.exit=no", "a=b,c:d", "*?[x]", "\x01\x7f\x1b[1m"]
# Enough for several pieces of input, and with every byte that means something on the line.
MUCH = b"".join(bytes([i % 256, 0x10, 0x65, 0x90, 0x8e, i // 256]) for i in range(3000))
BOOTS_TIMED = 3
LINES = (
    ("", []), ("# only a comment", []), ("  a  b\t c  ", ["a", "b", "c"]), ("a#b #c", ["a#b"]),
    ("'a b'\"c d\"e\\ f", ["a bc de f"]), ("'' \"\"", ["", ""]), (r'"\"\\\n" \# \\', ['"\\\\n', "#", "\\"]),
    ("'#' \"'\"", ["#", "'"]), ("'a", None), ("\"a\\\"", None), ("a\\", None),
)


def test_status(tap, program):
    for status in (0, 3, 255):
        tap.equal(sdk.execute(program, "status", str(status)).returncode, status, "exit status %d" % status)
    result = sdk.execute(program, "segv")
    tap.equal(result.returncode, 128 + signal.SIGSEGV, "a memory fault is 128 + SIGSEGV")
    tap.ok(b"SEGV address 0x8" in result.stderr, "the fault is reported on standard error", result.stderr)
    tap.equal(sdk.execute(program, "abort").returncode, 128 + signal.SIGABRT, "abort() is 128 + SIGABRT")
    tap.equal(sdk.execute("no-such-program").returncode, 127, "a program that is not there is 127")
    tap.equal(sdk.execute(sdk.QUIRE).returncode, 126, "a file that is no program is 126")
    tap.equal(sdk.execute("tests/hello", "7").returncode, 7, "a program of the boot archive runs")


def test_streams(tap, program):
    result = sdk.execute(program, "streams")
    tap.equal(result.stdout, b"out 0\nout 1\nout 2\nend of out", "standard output has its own lines alone")
    tap.equal(result.stderr, b"err 0\nerr 1\nerr 2\nend of err", "standard error has its own lines alone")
    result = sdk.execute(program, "bytes", "1")
    tap.equal((result.stdout, result.stderr), (EVERY_BYTE, b""), "every byte comes out of standard output as it is")
    result = sdk.execute(program, "bytes", "2")
    tap.equal((result.stdout, result.stderr), (b"", EVERY_BYTE), "every byte comes out of standard error as it is")
    tap.equal(sdk.execute(program, "terminals").stdout, b"0 0 0\n", "there is no terminal")
    result = sdk.execute("--log", program, "streams")
    tap.ok(b"memsrv: " in result.stderr and b"memsrv" not in result.stdout, "--log shows the log, on standard error")


def test_arguments(tap, program):
    result = sdk.execute(program, "arguments", *AWKWARD)
    tap.equal(result.stdout, b"".join(os.fsencode(word) + b"\0" for word in AWKWARD),
              "arguments arrive whatever is in them", result.stderr)
    result = sdk.execute(program, "arguments", "x" * 2000)
    tap.ok(result.returncode == 1 and b"too long" in result.stderr, "arguments that are too long are refused",
           result.stderr)
    for line, wanted in LINES:
        try:
            found = words.split(line)
        except ValueError:
            found = None
        tap.equal(found, wanted, "words of %r" % line)


def test_input(tap, program):
    tap.equal(sdk.execute(program, "cat", input=b"one\ntwo").stdout, b"one\ntwo", "standard input comes from a pipe")
    result = sdk.execute(program, "cat")
    tap.equal((result.returncode, result.stdout), (0, b""), "an empty standard input ends at once")
    with tempfile.TemporaryFile() as file:
        file.write(MUCH)
        file.seek(0)
        result = sdk.execute(program, "cat", stdin=file)
    tap.ok(result.stdout == MUCH, "%d bytes of a file go in and come out" % len(MUCH), len(result.stdout))
    command = [sdk.QUIRE, "exec", program, "cat"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        process.stdin.write(b"question\n")
        process.stdin.flush()
        time.sleep(1)
        process.stdin.close()
        tap.equal(process.stdout.read(), b"question\n", "input may come late")
    result = sdk.execute(program, "status", "4", input=MUCH * 10)
    tap.equal(result.returncode, 4, "a program need not read its input")


def test_files(tap, program, directory):
    data = os.path.join(directory, "data")
    os.makedirs(os.path.join(data, "deep"))
    for name in ("a", "deep/b"):
        with open(os.path.join(data, name), "w", encoding="ascii") as file:
            file.write(name)
    result = sdk.execute("--file", program + ":own/renamed", "/own/renamed", "status", "6")
    tap.equal(result.returncode, 6, "--file puts a program where it is told", result.stderr)
    result = sdk.execute("--file", data + ":/data", program, "arguments", "/data/deep/b")
    tap.equal((result.returncode, result.stdout), (0, b"/data/deep/b\0"), "--file takes a folder", result.stderr)
    for name, pair in (("without a guest's path", "nothing"), ("of a file that is not there", data + "/missing:/x"),
                       ("without a name", program + ":/")):
        result = sdk.execute("--file", pair, program)
        tap.ok(result.returncode == 2 and b"quire: error" in result.stderr, "--file %s is refused" % name,
               result.stderr)


def test_time(tap, program):
    start = time.monotonic()
    result = sdk.execute("--timeout", "2", program, "forever")
    took = time.monotonic() - start
    tap.equal((result.returncode, result.stdout), (124, b"for ever\n"), "time up is 124, and output until then is kept")
    tap.ok(b"time is up" in result.stderr, "time up is said on standard error", result.stderr)
    tap.ok(2 <= took < 60, "--timeout ends the machine", took)
    times = []
    for _ in range(BOOTS_TIMED):
        start = time.monotonic()
        sdk.execute(program, "status", "0")
        times.append(time.monotonic() - start)
    tap.ok(min(times) < 5, "a machine boots, runs a small program and is gone within 5 s", times)
    print("# boot and exit took %s s" % ", ".join("%.2f" % took for took in times))


def test_end_from_outside(tap, program):
    """Whatever ends the command ends the machine."""
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)):
        with subprocess.Popen([sdk.QUIRE, "exec", program, "forever"], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            process.stdout.readline()
            process.send_signal(number)
            # The emulator has the same standard error, which is only over when both have ended.
            ready = select.select([process.stderr], [], [], sdk.PATIENCE_SECONDS)[0]
            ended = ready and process.stderr.read() == b"" and process.wait(sdk.PATIENCE_SECONDS)
        tap.equal(ended, status, "%s ends machine and command, status %d" % (number.name, status))


def test_batch(tap, program, directory):
    listed = os.path.join(directory, "list")
    with open(listed, "w", encoding="utf-8") as file:
        file.write("# five commands\n%s status 3\n\n%s arguments 'a b' \"\"  # two arguments\n%s segv\n"
                   "  no-such-program x\n%s cat\n" % ((program,) * 4))
    result = sdk.execute("--batch", listed, input=b"for cat")
    lines = result.stdout.splitlines()
    tap.equal(result.returncode, 1, "a batch with failures ends with 1", result.stderr)
    found = [line.split(b",")[0] for line in lines if line.startswith(b"batch ")]
    wanted = [b"batch %d: status %d" % pair for pair in ((1, 3), (2, 0), (3, 139), (4, 127), (5, 0))]
    tap.equal(found, wanted, "each command has its result, one that crashes and one that is not there included")
    tap.equal([line for line in lines if not line.startswith(b"batch ")], [b"a b\0\0", b"for cat"],
              "their output is there, and input reaches them")
    tap.ok(lines and lines[-1].startswith(b"batch 5") and lines[0].startswith(b"batch 1"),
           "output comes before its result", *lines)
    result = sdk.execute("--batch", listed, "--quiet")
    tap.equal(([line.split(b",")[0] for line in result.stdout.splitlines()], result.stderr), (wanted, b""),
              "--quiet shows results alone")
    result = sdk.execute("--batch", "-", input=("%s status 0\n" % program).encode())
    tap.equal(result.returncode, 0, "a batch from standard input, all of it good, ends with 0", result.stderr)
    endless = "%s forever\n%s status 0\n" % (program, program)
    result = sdk.execute("--timeout", "3", "--batch", "-", input=endless.encode())
    tap.equal((result.returncode, result.stdout.count(b"no result: ")), (124, 2), "time up in a batch is 124")
    many = b"".join(b"%s status %d\n" % (program.encode(), number % 7) for number in range(100))
    result = sdk.execute("--quiet", "--batch", "-", input=many)
    tap.equal([int(line.split()[3].rstrip(b",")) for line in result.stdout.splitlines()],
              [number % 7 for number in range(100)], "a hundred commands in one boot", result.stderr)
    result = sdk.execute("--batch", "-", input=b"tests/hello 'x\n")
    tap.ok(result.returncode == 2 and b"-:1:" in result.stderr, "a line that is wrong is named", result.stderr)


def main():
    tap = sdk.Tap()
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        program = os.path.join(directory, "actions")
        result = sdk.cc("-Wall", "-Wextra", "-Werror", "-O2", os.path.join(sdk.GUEST, "actions.c"), "-o", program)
        tap.equal(result.returncode, 0, "the test program is built", result.stderr)
        if result.returncode != 0:
            tap.done()
        test_status(tap, program)
        test_streams(tap, program)
        test_arguments(tap, program)
        test_input(tap, program)
        test_files(tap, program, directory)
        test_time(tap, program)
        test_end_from_outside(tap, program)
        test_batch(tap, program, directory)
    tap.done()


if __name__ == "__main__":
    main()
