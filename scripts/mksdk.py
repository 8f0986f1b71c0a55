#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lays the SDK down: headers, libraries, start file and compiler that make programs for Quire.

    bin/TARGET-gcc              the compiler, and its usual companions under the same prefix
    include/                    Quire's own headers     newlib/include/    the C library's
    lib/                        crt0.o, libposix.a, libc.a, libm.a, libgcc.a, quire.specs

The folder is whole at every moment: a new one takes the place of the last. It can be moved, but the compiler's own
headers stay where the compiler is.
"""

import argparse
import os
import shutil
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))
# For each architecture: its name as a target, the linker's words for it, and the compiler's choices that come first.
TARGETS = {
    "aarch64": ("aarch64-none-elf", "-EL -maarch64linux", "-mcpu=cortex-a72 -mno-outline-atomics"),
    # The frame of a signal begins at the stack pointer, so nothing lives below that.
    "x86_64": ("x86_64-elf", "-m elf_x86_64", "-march=x86-64 -mno-red-zone -fcf-protection=none"),
}
TOOLS = ("ar", "as", "ld", "nm", "objcopy", "objdump", "ranlib", "readelf", "size", "strings", "strip")
C_LIBRARIES = ("libc.a", "libm.a")
# Libraries that build files name everywhere; what they hold elsewhere is in libposix, or is not there at all.
EMPTY_LIBRARIES = ("libpthread.a", "librt.a", "libdl.a", "libutil.a")


def run(*command):
    subprocess.run(command, check=True)


def output_of(*command):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def copy_headers(folders, destination):
    """Copies *.h below the folders; returns the paths that were read."""
    read = []
    for folder in folders:
        for directory, below, names in os.walk(folder):
            below[:] = [name for name in below if os.path.join(directory, name) not in folders]
            headers = [os.path.join(directory, name) for name in names if name.endswith(".h")]
            place = os.path.join(destination, os.path.relpath(directory, folder))
            if headers:
                os.makedirs(place, exist_ok=True)
            for header in headers:
                shutil.copy(header, place)
            read += headers
    return read


def make_libraries(options, place):
    os.makedirs(place)
    # The build's archives only point at their members.
    run(options.cc, "-r", "-nostdlib", "-o", os.path.join(place, "crt0.o"),
        "-Wl,--whole-archive", options.crt0, "-Wl,--no-whole-archive")
    run(options.ar, "rcs", os.path.join(place, "libposix.a"), *output_of(options.ar, "t", options.posix).splitlines())
    for name in C_LIBRARIES:
        shutil.copy(os.path.join(options.newlib, "lib", name), place)
    shutil.copy(output_of(options.cc, "-print-libgcc-file-name"), place)
    for name in EMPTY_LIBRARIES:
        run(options.ar, "rcs", os.path.join(place, name))


def make_specs(options, place):
    with open(os.path.join(HERE, "sdk", "quire.specs.in"), encoding="utf-8") as file:
        text = file.read()
    with open(os.path.join(place, "quire.specs"), "w", encoding="utf-8") as file:
        text = text.replace("@COMPILER_INCLUDE@", output_of(options.cc, "-print-file-name=include"))
        file.write(text.replace("@LINKER@", TARGETS[options.arch][1]))


def make_commands(options, place):
    os.makedirs(place)
    target, _, choices = TARGETS[options.arch]
    compiler = os.path.join(place, target + "-gcc")
    with open(os.path.join(HERE, "sdk", "cc.sh"), encoding="utf-8") as file:
        text = file.read()
    with open(compiler, "w", encoding="utf-8") as file:
        file.write(text.replace("@TARGET@", target).replace("@CC@", os.path.basename(options.cc))
                   .replace("@CHOICES@", choices))
    os.chmod(compiler, 0o755)
    os.symlink(target + "-gcc", os.path.join(place, target + "-cc"))
    for tool in TOOLS:
        path = shutil.which(os.path.basename(options.cc).replace("gcc", tool))
        if path:
            os.symlink(path, os.path.join(place, target + "-" + tool))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("arch", "cc", "ar", "newlib", "posix", "crt0", "stamp", "depfile"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--headers", action="append", default=[], metavar="FOLDER")
    parser.add_argument("sdk")
    options = parser.parse_args()

    work, old = options.sdk + ".new", options.sdk + ".old"
    for folder in (work, old):
        shutil.rmtree(folder, ignore_errors=True)
    headers = copy_headers(options.headers, os.path.join(work, "include"))
    shutil.copytree(os.path.join(options.newlib, "include"), os.path.join(work, "newlib", "include"))
    make_libraries(options, os.path.join(work, "lib"))
    make_specs(options, os.path.join(work, "lib"))
    make_commands(options, os.path.join(work, "bin"))
    if os.path.exists(options.sdk):
        os.rename(options.sdk, old)
    os.rename(work, options.sdk)
    shutil.rmtree(old, ignore_errors=True)

    with open(options.depfile, "w", encoding="utf-8") as file:
        file.write("%s: %s\n" % (options.stamp, " ".join(path.replace(" ", "\\ ") for path in headers)))
    with open(options.stamp, "w", encoding="utf-8"):
        pass


if __name__ == "__main__":
    main()
