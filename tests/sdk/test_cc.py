#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tests ./quire cc: what it makes of options, sources and build files. Prints TAP. $QUIRE_BUILD names the build."""

import os
import shutil
import tempfile

import sdk

PROBES = (
    ("headers", "#include <stdio.h>\n#include <stdatomic.h>\n#include <limits.h>\n#include <sys/mman.h>\n"
     "#include <unistd.h>\n#include <quire/process.h>\n#include <proto/memsrv_client.h>\nint main(void){return 0;}",
     [], True),
    ("a function of the C library", "char strtod(); int main(void) { return strtod(); }", ["-w"], True),
    ("a function of the mathematics library", "char cos(); int main(void) { return cos(); }", ["-w", "-lm"], True),
    ("a function that is not there", "char forkpty(); int main(void) { return forkpty(); }", ["-w", "-lutil"], False),
    ("a header that is not there", "#include <linux/fs.h>\nint main(void) { return 0; }", [], False),
    ("a header of the host's C library", "#include <gnu/libc-version.h>\nint main(void) { return 0; }", [], False),
    ("the system's name", "#if !defined __quire__ || !defined __aarch64__ || defined __linux__\n#error\n#endif\n"
     "int main(void) { return 0; }", [], True),
    ("libraries that other systems keep apart", "int main(void) { return 0; }",
     ["-pthread", "-lpthread", "-lrt", "-ldl"], True),
    ("options of hardened builds", "int main(int c, char **v) { char b[99]; b[c] = *v[0]; return b[c]; }",
     ["-O2", "-fPIE", "-pie", "-fstack-protector-strong", "-Wl,-z,relro", "-Wl,-z,now"], True),
    ("link-time optimization", "int main(void) { return 0; }", ["-O2", "-flto"], True),
    ("the sizes of types", "int a[sizeof(long) == 8 && sizeof(time_t) == 8 ? 1 : -1]; int main(void) { return a[0]; }",
     ["-include", "time.h"], True),
)


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def kind_of(path):
    """The type and machine of an ELF file, as numbers."""
    with open(path, "rb") as file:
        header = file.read(20)
    return (int.from_bytes(header[16:18], "little"), int.from_bytes(header[18:20], "little"))


def test_probes(tap, directory):
    """As a configure script asks: does this compile and link?"""
    for name, text, options, good in PROBES:
        program = os.path.join(directory, "conftest")
        write(program + ".c", text + "\n")
        result = sdk.cc("-o", "conftest", "conftest.c", *options, cwd=directory)
        tap.ok((result.returncode == 0) == good, "%s: %s" % ("found" if good else "refused", name), result.stderr)
        if os.path.exists(program):
            os.remove(program)


def test_stages(tap, directory):
    source = os.path.join(sdk.GUEST, "shape.c")
    tap.ok("double shape_area" in sdk.cc("-E", source).stdout, "-E preprocesses")
    tap.ok("shape_area:" in sdk.cc("-S", "-o", "-", source).stdout, "-S makes assembly")
    result = sdk.cc("-c", source, "-I", sdk.GUEST, cwd=directory)
    tap.ok(result.returncode == 0 and kind_of(os.path.join(directory, "shape.o")) == (1, 183),
           "-c makes an object beside the caller", result.stderr)
    dependencies = sdk.cc("-MM", source).stdout.replace("\\\n", "").split()
    tap.equal(dependencies[:1] + [os.path.basename(path) for path in dependencies[1:]],
              ["shape.o:", "shape.c", "shape.h"], "-MM lists dependencies")
    text = "int main(void) { return 0; }"
    result = sdk.cc("-x", "c", "-", input=text, cwd=directory)
    tap.ok(result.returncode == 0 and kind_of(os.path.join(directory, "a.out")) == (2, 183),
           "a source from standard input becomes a static a.out", result.stderr)
    result = sdk.cc("-r", "-nostdlib", "-o", "partial.o", "shape.o", cwd=directory)
    tap.ok(result.returncode == 0 and kind_of(os.path.join(directory, "partial.o"))[0] == 1, "-r links partially",
           result.stderr)
    write(os.path.join(directory, "words"), "-O1 -o words.out -x c\n")
    write(os.path.join(directory, "w.c"), text)
    result = sdk.cc("@words", "w.c", cwd=directory)
    tap.ok(result.returncode == 0 and os.path.exists(os.path.join(directory, "words.out")), "@FILE gives options",
           result.stderr)
    result = sdk.cc("-nostdlib", "-o", "bare", "w.c", "-Wl,-emain", cwd=directory)
    tap.ok(result.returncode == 0, "-nostdlib leaves the start file out", result.stderr)


def test_questions(tap, directory):
    tap.equal(sdk.cc("-dumpmachine").stdout, "aarch64-none-elf\n", "-dumpmachine names the target")
    folder = os.path.join(os.environ["QUIRE_BUILD"], "sdk", "lib")
    for name in ("libc.a", "libposix.a", "crt0.o"):
        found = sdk.cc("-print-file-name=" + name).stdout.strip()
        tap.ok(os.path.samefile(found, os.path.join(folder, name)), "-print-file-name finds " + name, found)
    result = sdk.cc("-v")
    tap.ok(result.returncode == 0 and "gcc version" in result.stderr, "-v tells the version")
    result = sdk.cc("-shared", "-fPIC", "-o", "no.so", os.path.join(sdk.GUEST, "shape.c"), cwd=directory)
    tap.ok(result.returncode != 0 and "no shared libraries" in result.stderr, "-shared is refused", result.stderr)
    result = sdk.cc("-c", "broken.c", cwd=directory)
    tap.ok(result.returncode == 1, "a source that is not there is an error")


def test_make(tap, directory):
    """A make build in a copy of the folder, with the compiler by both of its names."""
    bin_folder = os.path.join(os.environ["QUIRE_BUILD"], "sdk", "bin")
    path = bin_folder + ":" + os.environ["PATH"]
    prefix = "aarch64-none-elf-"
    for name, compiler, tools in (("./quire cc", sdk.QUIRE + " cc", os.path.join(bin_folder, prefix)),
                                  ("the compiler in PATH", prefix + "gcc", prefix)):
        folder = tempfile.mkdtemp(dir=directory)
        for source in ("main.c", "shape.c", "shape.h", "Makefile"):
            shutil.copy(os.path.join(sdk.GUEST, source), folder)
        command = ["make", "-j2", "CC=" + compiler, "AR=%sar" % tools, "RANLIB=%sranlib" % tools]
        result = sdk.run(command, cwd=folder, text=True, env=dict(os.environ, PATH=path))
        tap.ok(result.returncode == 0 and os.path.exists(os.path.join(folder, "circle")), "make builds with " + name,
               result.stdout + result.stderr)
        result = sdk.execute(os.path.join(folder, "circle"), "2", text=True)
        tap.equal((result.returncode, result.stdout), (0, "area 12.566371\n"), "what make built runs", result.stderr)


def test_moved(tap, directory):
    """The SDK is looked for beside its compiler, whatever the path."""
    place = os.path.join(directory, "elsewhere with a space")
    shutil.copytree(os.path.join(os.environ["QUIRE_BUILD"], "sdk"), place, symlinks=True)
    link = os.path.join(directory, "link")
    os.symlink(os.path.join(place, "bin", "aarch64-none-elf-gcc"), link)
    write(os.path.join(directory, "w.c"), "#include <stdio.h>\nint main(void) { return puts(\"moved\") < 0; }\n")
    result = sdk.run([link, "-v", "-o", "moved", "w.c"], cwd=directory, text=True)
    tap.ok(result.returncode == 0 and os.path.join(os.environ["QUIRE_BUILD"], "sdk") not in result.stderr,
           "a copy of the SDK stands by itself", result.stderr)


def main():
    tap = sdk.Tap()
    for test in (test_probes, test_stages, test_questions, test_make, test_moved):
        with tempfile.TemporaryDirectory(prefix="quire-") as directory:
            test(tap, directory)
    tap.done()


if __name__ == "__main__":
    main()
