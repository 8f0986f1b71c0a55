#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds programs that nobody here wrote, unchanged, with ./quire cc, and runs them on Quire: zlib's example and
minigzip, bzip2, lz4 with its own tests, Lua with its own test scripts, SQLite. Their sources come from Debian. What a
program writes is compared with what it writes on this machine, built from the same source, or with what must come out.
Prints TAP. $QUIRE_BUILD names the build.
"""

import bz2
import gzip
import os
import random
import re
import subprocess
import tempfile

import programs
import sdk

ROWS = 10000
# Lua's own scripts that end by themselves and write nothing of addresses, time or environment; with their arguments.
LUA_SCRIPTS = ("bisect", "cf", "echo one two", "factorial", "fibfor", "hello", "sieve", "sort")
LUA_FILTERS = (("table", b"one two\none\n"), ("xd", b"hex dump\n\0\xff"))


def text_like(count):
    """Bytes that compress somewhat, the same at every run."""
    generator = random.Random(1)
    words = [bytes(generator.choices(b"abcdefghijklmnopqrstuvwxyz", k=generator.randint(2, 9))) for _ in range(500)]
    return b" ".join(generator.choices(words, k=count // 6))[:count]


def guest(program, *arguments, **options):
    """Runs a program with its machine's memory; the result has returncode, stdout and stderr."""
    return sdk.run([sdk.QUIRE, "exec", "--mem", "256M", "--smp", "2", "--timeout", "90", *options.pop("files", ()),
                    program, *arguments], **options)


def test_zlib(tap, directory):
    example, minigzip = programs.build_zlib(directory)
    result = guest(example)
    tap.equal((result.returncode, len(result.stdout.splitlines())), (0, 8), "zlib: example runs", result.stdout,
              result.stderr)
    content = text_like(1000000)
    path = os.path.join(directory, "content")
    with open(path, "wb") as file:
        file.write(content)
    result = guest(minigzip, "-c", "/content", files=("--file", path + ":/content"))
    tap.equal(result.returncode, 0, "zlib: minigzip compresses a file of 1,000,000 bytes", result.stderr)
    tap.ok(len(result.stdout) < len(content) / 2 and gzip.decompress(result.stdout) == content,
           "zlib: this machine reads what it made", len(result.stdout))
    result = guest(minigzip, "-d", input=gzip.compress(content))
    tap.ok(result.returncode == 0 and result.stdout == content, "zlib: minigzip reads what this machine made",
           result.stderr, len(result.stdout))


def test_bzip2(tap, directory):
    program, place = programs.build_bzip2(directory)
    for number in (1, 2, 3):
        path = os.path.join(place, "sample%d" % number)
        result = guest(program, "-%d" % number, "-k", "-c", "/sample", files=("--file", path + ".ref:/sample"))
        with open(path + ".ref", "rb") as file:
            reference = file.read()
        tap.ok(result.returncode == 0 and bz2.decompress(result.stdout) == reference,
               "bzip2: compresses its sample %d" % number, result.stderr)
        result = guest(program, "-d", "-c", "/sample.bz2", files=("--file", path + ".bz2:/sample.bz2"))
        tap.ok(result.returncode == 0 and result.stdout == reference, "bzip2: restores its sample %d" % number,
               result.stderr)


def test_lz4(tap, directory):
    program, tests = programs.build_lz4(directory)
    path = os.path.join(directory, "lz4-content")
    with open(path, "wb") as file:
        file.write(text_like(1000000))
    with tempfile.NamedTemporaryFile("w", suffix=".list") as batch:
        batch.write("%s -z -9 -f /in /tmp/small\n%s -t /tmp/small\n%s -d -f /tmp/small /tmp/back\n" % ((program,) * 3))
        batch.writelines("%s %s\n" % pair for pair in tests)
        batch.flush()
        result = sdk.run([sdk.QUIRE, "exec", "--mem", "512M", "--smp", "2", "--timeout", "95", "--file", path + ":/in",
                          "--quiet", "--batch", batch.name])
    results = [line.split(b",")[0] for line in result.stdout.splitlines()]
    for number, name in enumerate(("compresses", "checks", "restores", *[os.path.basename(test[0]) for test in tests]), 1):
        wanted = b"batch %d: status 0" % number
        tap.ok(wanted in results, "lz4: %s" % name, *results, result.stderr)


def test_lua_own(tap, directory):
    """Lua 5.1 comes with scripts of its own."""
    program, native, place = programs.build_lua(directory, "lua5.1")
    folder = os.path.join(place, "test")
    with tempfile.NamedTemporaryFile("w", suffix=".list") as batch:
        commands = [[line.split()[0] + ".lua", *line.split()[1:]] for line in LUA_SCRIPTS]
        batch.writelines("%s /test/%s\n" % (program, " ".join(command)) for command in commands)
        batch.flush()
        result = sdk.run([sdk.QUIRE, "exec", "--timeout", "95", "--file", folder + ":/test", "--batch", batch.name])
    there = re.split(rb"^batch \d+: status (\d+), .*\n", result.stdout, flags=re.MULTILINE)
    for number, (script, *arguments) in enumerate(commands):
        here = sdk.run([native, "test/" + script, *arguments], cwd=place)
        found = tuple(there[2 * number : 2 * number + 2])
        wanted = here.stdout.replace(b"test/", b"/test/"), b"%d" % here.returncode
        tap.equal(found, wanted, "Lua: its %s" % script, result.stderr)
    for name, given in LUA_FILTERS:
        script = os.path.join(folder, name + ".lua")
        here = sdk.run([native, script], input=given)
        result = guest(program, "/script.lua", files=("--file", script + ":/script.lua"), input=given)
        tap.equal((result.returncode, result.stdout), (here.returncode, here.stdout), "Lua: its %s.lua" % name,
                  result.stderr)


def test_lua(tap, directory):
    program, native, _ = programs.build_lua(directory, "lua5.4")
    script = os.path.join(sdk.GUEST, "library.lua")
    here = sdk.run([native, script, directory])
    there = guest(program, "/library.lua", "/tmp", files=("--file", script + ":/library.lua"))
    tap.equal(here.returncode, 17, "Lua: library.lua comes to its end here", here.stderr)
    tap.equal(there.returncode, 17, "Lua: library.lua comes to its end on Quire", there.stdout, there.stderr)
    for ours, wanted in zip(there.stdout.splitlines(), here.stdout.splitlines()):
        wanted = wanted.replace(os.fsencode(directory), b"/tmp")
        tap.equal(ours, wanted, "Lua: library.lua, %s" % wanted.split(b"\t")[0].decode(errors="replace")[:30])
    tap.equal(len(there.stdout.splitlines()), len(here.stdout.splitlines()), "Lua: library.lua, number of lines")


def sqlite_answers():
    """What the queries of database.sql must answer."""
    rows = {i: i % 17 for i in range(1, ROWS + 1)}
    answers = ["rows|%d|%d|%.1f" % (ROWS, sum(rows), sum(rows) * 1.25)]
    for category in (0, 5, 16):
        own = [i for i in rows if rows[i] == category]
        answers.append("index|%d|%d|%s|%s" % (category, len(own), min(own) * 1.25, max(own) * 1.25))
    kept = [i for i in rows if rows[i] >= 9]
    upper = min(i for i in kept if rows[i] == 16)
    answers.append("within|%d|ITEM-%05d" % (len(kept), upper))
    answers.append("after rollback|%d|item-00001" % ROWS)
    odd = [i for i in rows if i % 2]
    answers += ["join|%d" % sum(1 for i in odd if i + 34 <= ROWS), "vacuum|%d|1" % len(odd), "ok", "wal", "0|0|0",
                "delete", "copy|%d|20001" % (len(odd) + 1), "ok"]
    return answers


def test_sqlite(tap, directory):
    program = programs.build_sqlite(directory)
    with open(os.path.join(sdk.GUEST, "database.sql"), "rb") as file:
        script = file.read()
    result = guest(program, "/tmp/test.db", input=script)
    tap.equal(result.returncode, 0, "SQLite: a script on a database in a file ends well", result.stdout, result.stderr)
    lines = result.stdout.decode(errors="replace").splitlines()
    for answer in sqlite_answers():
        tap.ok(answer in lines, "SQLite: %s" % answer, *lines)
    tap.ok(any("USING INDEX by_category" in line for line in lines), "SQLite: the index is used", *lines)
    result = guest(program, "-batch", input=b"select 6 * 7;\nselect from nothing;\n")
    tap.ok(result.stdout == b"42\n" and result.returncode == 1 and b"error" in result.stderr,
           "SQLite: an error is one", result.stdout, result.stderr)


def main():
    tap = sdk.Tap()
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        for test in (test_zlib, test_bzip2, test_lz4, test_lua_own, test_lua, test_sqlite):
            try:
                test(tap, directory)
            except (programs.Failure, OSError, EOFError, subprocess.TimeoutExpired) as failure:
                tap.ok(False, "%s comes to its end" % test.__name__, failure)
    tap.done()


if __name__ == "__main__":
    main()
