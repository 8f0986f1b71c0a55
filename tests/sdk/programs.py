# SPDX-License-Identifier: MIT
"""Programs that nobody here wrote: fetches their sources as Debian has them and builds them, unchanged, with ./quire cc.

Sources are kept outside the build folder, under their version; programs are built anew in a folder of the caller's.
"""

import os
import shutil
import subprocess

import sdk

SOURCE = os.path.dirname(sdk.QUIRE)
CACHE = os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "quire", "programs")
CC = sdk.QUIRE + " cc"
BUILD_SECONDS = 900


class Failure(Exception):
    """A step that did not succeed; the argument is the end of its output."""


def step(directory, *command, **variables):
    """Runs one command of a build in a folder."""
    result = subprocess.run(command, cwd=directory, env={**os.environ, **variables}, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=BUILD_SECONDS)
    if result.returncode != 0:
        raise Failure("%s: status %d\n%s" % (" ".join(command)[:200], result.returncode,
                                             result.stdout.decode(errors="replace")[-2000:]))
    return result.stdout.decode(errors="replace")


def fetched(package):
    """Returns the folder with the source of Debian's newest version of a package, or of the one that is kept when the
    network is not there.
    """
    output = step(SOURCE, "bash", "-c", 'set -euo pipefail; . scripts/common.sh; kept_source "$1"', "bash", package)
    return output.splitlines()[-1]


def cross_prefix():
    """What the names of the tools begin with that go with ./quire cc."""
    return "x86_64-linux-gnu-" if sdk.cc("-dumpmachine").stdout.startswith("x86_64") else "aarch64-linux-gnu-"


def copy_of(package, directory):
    """A copy of a package's source, with its times, in which a build may do as it likes."""
    place = os.path.join(directory, package)
    shutil.copytree(fetched(package), place, symlinks=True)
    return place


def build_zlib(directory):
    place = copy_of("zlib", directory)
    step(place, "./configure", "--static", CC=CC)
    step(place, "make", "CC=" + CC, *["%s=%s%s" % (name, cross_prefix(), name.lower()) for name in ("AR", "RANLIB")],
         "example", "minigzip")
    return [os.path.join(place, name) for name in ("example", "minigzip")]


def build_lua(directory, package):
    """Returns the program for Quire, one for this machine from the same source, and the source.
    Debian's rules write the one header that is missing in the same way.
    """
    place = copy_of(package, directory)
    source = os.path.join(place, "src")
    with open(os.path.join(source, package + "-deb-multiarch.h"), "w", encoding="ascii") as file:
        file.write('#define DEB_HOST_MULTIARCH "none"\n')
    names = [name for name in sorted(os.listdir(source))
             if name.endswith(".c") and name not in ("luac.c", "print.c")]
    step(source, sdk.QUIRE, "cc", "-O2", "-o", "lua", *names, "-lm")
    step(source, "gcc", "-O1", "-o", "lua.native", *names, "-lm")
    return os.path.join(source, "lua"), os.path.join(source, "lua.native"), place


def build_sqlite(directory):
    """The amalgamation is made by the source's own configure, with a shell around it."""
    place = copy_of("sqlite3", directory)
    step(place, "./configure")
    step(place, "make", "sqlite3.c", "shell.c")
    step(place, sdk.QUIRE, "cc", "-O1", "-o", "sqlite3", "sqlite3.c", "shell.c", "-lm", "-lpthread", "-ldl")
    return os.path.join(place, "sqlite3")


def build_bzip2(directory):
    """Debian's Makefile would make a shared library, too."""
    place = copy_of("bzip2", directory)
    names = ("bzip2", "blocksort", "huffman", "crctable", "randtable", "compress", "decompress", "bzlib")
    step(place, sdk.QUIRE, "cc", "-O2", "-o", "bzip2.quire", *[name + ".c" for name in names])
    return os.path.join(place, "bzip2.quire"), place


def build_lz4(directory):
    """Returns the program, and lz4's own tests with their arguments."""
    place = copy_of("lz4", directory)

    def sources(folder):
        return [os.path.join(folder, name) for name in sorted(os.listdir(os.path.join(place, folder)))
                if name.endswith(".c")]

    step(place, sdk.QUIRE, "cc", "-O2", "-Ilib", "-o", "lz4.quire", *sources("lib"), *sources("programs"))
    tests = []
    for name, arguments in (("fuzzer", "-i5 -s1"), ("frametest", "-i5 -s1")):
        program = os.path.join(place, name)
        step(place, sdk.QUIRE, "cc", "-O2", "-Ilib", "-Iprograms", "-DXXH_NAMESPACE=LZ4_", "-o", program,
             "tests/%s.c" % name, *sources("lib"))
        tests.append((program, arguments))
    return os.path.join(place, "lz4.quire"), tests
