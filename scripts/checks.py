#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Checks the source itself and prints TAP: format, both compilers' and the analysers' opinion, generated documents,
and the numbers that the project sets itself. Usage: checks.py BUILD-DIRECTORY [PATTERN] (or --list)
"""

import concurrent.futures
import functools
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDERS = ("clients", "kernel", "lib", "platform", "scripts", "servers", "tests")
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 60
# Folders where the architecture may be asked for: everywhere else there are two files behind one interface.
ARCH_FOLDERS = re.compile(r"^(platform/|(\w+/)+arch/|lib/abi/include/(aarch64|x86_64)/)")
ARCH_CONDITION = re.compile(r"^\s*#\s*(el)?if.*(__aarch64__|__arm__|__x86_64__|__i386__|__riscv|\bARCH_|\bBOARD_)")
# Only gcc knows these; clang is run as a second opinion on the same command line.
GCC_ONLY = ("-fno-aggressive-loop-optimizations", "-Winvalid-pch", "-fsanitize=kernel-address", "--param=asan-globals=0",
            "--param=asan-globals=1", "--param=asan-stack=0", "--param=asan-stack=1", "-fsanitize-address-use-after-scope",
            "-fasan-shadow-offset=0x100000000000", "--param=asan-instrumentation-with-call-threshold=0")


def sources(*endings):
    """Returns the paths, relative to the source folder, of files that end so."""
    found = []
    for folder in FOLDERS:
        for directory, _, names in os.walk(os.path.join(SOURCE, folder)):
            found += [os.path.relpath(os.path.join(directory, name), SOURCE) for name in names
                      if name.endswith(endings)]
    return sorted(found)


def lines_of(path):
    with open(os.path.join(SOURCE, path), encoding="utf-8") as file:
        return file.read().splitlines()


def output_of(command, directory=SOURCE):
    """Runs the command and returns the lines that it printed if it failed, none if it did not."""
    result = subprocess.run(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode == 0:
        return []
    return result.stdout.splitlines() or ["%s ended with status %d" % (command[0], result.returncode)]


def all_outputs(jobs):
    """Runs (command, directory) jobs, as many at a time as there are cores; returns what the failed ones printed."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return [line for lines in pool.map(lambda job: output_of(*job), jobs) for line in lines]


def compilations(build, native):
    """Returns {source path: compile command} of files of ours, for the host or for the target."""
    with open(os.path.join(build, "compile_commands.json"), encoding="utf-8") as file:
        entries = json.load(file)
    found = {}
    for entry in entries:
        path = os.path.relpath(os.path.join(entry["directory"], entry["file"]), SOURCE)
        command = shlex.split(entry["command"])
        cross = "aarch64" in os.path.basename(command[0])
        if path.endswith(".c") and path.startswith(FOLDERS) and cross != native:
            found.setdefault(path, command)
    return found


@functools.lru_cache()
def answer_of(*command):
    """Returns the one line that a compiler prints."""
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def clang_words(command):
    """The same compilation for clang's front end, without output files and with clang's own headers for gcc's."""
    gcc_headers = answer_of(command[0], "-print-file-name=include")
    clang_headers = os.path.join(answer_of("clang", "-print-resource-dir"), "include")
    words, skip = [], False
    for word in command[1:]:
        if skip:
            skip = False
        elif word in ("-o", "-MF", "-MQ"):
            skip = True
        elif word not in GCC_ONLY and word not in ("-MD", "-c"):
            words.append(clang_headers if word == gcc_headers else word)
    return words


def check_format(build):
    """clang-format has nothing to change"""
    files = sources(".c", ".h")
    found = output_of(["clang-format", "--dry-run", "-Werror", "-fno-color-diagnostics"] + files) if files else []
    places = sorted({line.split(":")[0] for line in found if ": error" in line})
    return ["./quire format mends these:"] + places if places else found


def check_second_compiler(build):
    """clang accepts every target file, lock annotations included"""
    jobs = []
    for command in compilations(build, native=False).values():
        words = ["clang", "--target=aarch64-none-elf", "-fsyntax-only", "-Wthread-safety", "-Wno-unknown-warning-option",
                 "-Wno-unused-command-line-argument"] + clang_words(command) + ["-fno-color-diagnostics"]
        jobs.append((words, build))
    return all_outputs(jobs)


def check_tidy(build):
    """clang-tidy has no complaint about the files that the host tests link"""
    commands = compilations(build, native=True)
    files = sorted(path for path in commands if not path.startswith("tests/"))
    noise = re.compile(r"^(\d+ warnings? (generated|treated)|Suppressed|Use -header-filter)")
    # The path-sensitive analyser gets a tenth of its usual states for a function: with all of them a single file can take
    # minutes, and what it finds it finds early.
    limit = ["--extra-arg=" + word for word in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=20000")]
    with tempfile.TemporaryDirectory() as directory:
        # Without the other builds of the same files.
        with open(os.path.join(directory, "compile_commands.json"), "w", encoding="utf-8") as file:
            json.dump([{"directory": build, "file": os.path.join(SOURCE, path), "arguments": commands[path]}
                       for path in files], file)
        jobs = [(["clang-tidy", "--quiet", "-p", directory, "--extra-arg=-Wno-unknown-warning-option"] + limit + [path],
                 SOURCE) for path in files]
        return [line for line in all_outputs(jobs) if not noise.match(line)]


def check_documents(build):
    """the documents generated from the protocol descriptions are up to date"""
    files = sources(".proto")
    return output_of([sys.executable, "scripts/protogen.py", "--check", "docs"] + files) if files else []


def check_figures(build):
    """docs/performance.md has the figures of both architectures as they were measured, none above its limit"""
    return output_of([sys.executable, "scripts/figures.py", "--check"])


def check_shell(build):
    """shellcheck has no complaint about the scripts"""
    return output_of(["shellcheck", "-x", "quire", ".ci/run"] + sources(".sh"))


def check_python(build):
    """every Python script compiles"""
    problems = []
    for path in sources(".py"):
        try:
            compile("\n".join(lines_of(path)), path, "exec")
        except SyntaxError as error:
            problems.append("%s: %s" % (path, error))
    return problems


def check_file_sizes(build):
    """no file is longer than 600 lines"""
    sizes = {path: len(lines_of(path)) for path in sources(".c", ".h", ".S", ".py", ".sh", ".build", ".ld")}
    return ["%s: %d lines" % (path, size) for path, size in sizes.items() if size > FILE_LINES_MAX]


def check_function_sizes(build):
    """no function is longer than 60 lines"""
    problems = []
    for path in sources(".c"):
        start = None
        for number, line in enumerate(lines_of(path), 1):
            if line == "{":
                start = number
            elif line == "}" and start is not None:
                if number - start - 1 > FUNCTION_LINES_MAX:
                    problems.append("%s:%d: %d lines" % (path, start, number - start - 1))
                start = None
    return problems


def check_arch_conditions(build):
    """shared C asks nowhere for the architecture or the board"""
    return ["%s:%d: %s" % (path, number, line)
            for path in sources(".c", ".h") if not ARCH_FOLDERS.match(path)
            for number, line in enumerate(lines_of(path), 1) if ARCH_CONDITION.match(line)]


def check_licences(build):
    """every source file names its licence at its head"""
    return [path for path in sources(".c", ".h", ".S", ".py", ".sh", ".ld", ".proto", "meson.build")
            if not any("SPDX-License-Identifier: MIT" in line for line in lines_of(path)[:3])]


def table_rows(path, head):
    """Returns the cells of each row of the table in a document whose head begins so, both without its lines."""
    lines = lines_of(path)
    start = next(number for number, line in enumerate(lines) if line.startswith(head)) + 2
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return rows


def difference(what, documented, there):
    """Tells in which names two sets differ."""
    return (["docs/porting.md has %s `%s`, which is not there" % (what, name) for name in sorted(documented - there)] +
            ["docs/porting.md lacks %s `%s`" % (what, name) for name in sorted(there - documented)])


def functions_declared_in(path):
    """The functions that a header of the kernel's declares and does not define."""
    text = re.sub(r"/\*.*?\*/", "", "\n".join(lines_of(path)), flags=re.DOTALL)
    return set(re.findall(r"^(?!struct \w+ *\{|enum|#|ARCH_)[\w(){} *]*?\b(\w+)\([^(){}]*\);", text, re.MULTILINE))


def architecture_text(folder):
    """All sources of an architecture, by path."""
    return {path: "\n".join(lines_of(path)) for path in sources(".c", ".h", ".S") if path.startswith(folder + "/")}


def check_architectures(build):
    """each architecture defines what kernel/include/arch.h declares, and shared code uses nothing else of one"""
    contract = "kernel/include/arch.h"
    declared, named = functions_declared_in(contract), set(re.findall(r"\w+", "\n".join(lines_of(contract))))
    shared = {path: lines_of(path) for path in sources(".c", ".h")
              if re.match(r"kernel/(include/)?\w+\.[ch]$|platform/common/", path) and path != contract}
    problems = ["%s: %s" % (path, line) for path, lines in shared.items() for line in lines
                if re.match(r"#include <arch/", line) and (path, line) != ("kernel/include/thread.h", "#include <arch/context.h>")]
    core = {word for path, lines in shared.items() if path.startswith("kernel/")
            for word in re.findall(r"\w+", re.sub(r"/\*.*?\*/", "", "\n".join(lines), flags=re.DOTALL))}
    for folder in sorted("kernel/arch/" + name for name in os.listdir(os.path.join(SOURCE, "kernel", "arch"))):
        texts = architecture_text(folder)
        every = "\n".join(texts.values())
        problems += ["%s does not define %s()" % (folder, name) for name in sorted(declared)
                     if not re.search(r"\b%s\([^;{}]*\)\s*\{|^%s:" % (name, name), every, re.MULTILINE)]
        headers = "\n".join(text for path, text in texts.items() if "/include/arch/" in path)
        own = set(re.findall(r"^#define (\w+)|^static inline [^(]*?\b(\w+)\(", headers, re.MULTILINE))
        problems += ["%s: %s is used outside, and not in %s" % (folder, name, contract)
                     for name in sorted({name for pair in own for name in pair if name} & core - named)]
    return problems


def check_porting(build):
    """docs/porting.md says what platforms supply, and each of them does"""
    names, problems = re.compile(r"`([\w.]+)(?:\(\))?`"), []
    folder, document = os.path.join(SOURCE, "platform"), "docs/porting.md"
    files = table_rows(document, "| file | what it is |")
    for platform in sorted(set(os.listdir(folder)) - {"common"}):
        documented = {name for row in files if row[2] == "all" or platform in re.split(r",\s*", row[2])
                      for name in names.findall(row[0])}
        there = {name for name in os.listdir(os.path.join(folder, platform)) if name != "__pycache__"}
        problems += difference("for %s" % platform, documented, there)
    groups = table_rows(document, "| group | functions |")
    arch_groups = table_rows(document, "| group | functions of `arch.h` |")
    for header, rows in (("platform.h", groups), ("arch.h", arch_groups)):
        problems += difference("the function", {name for row in rows for name in re.findall(r"`(\w+)\(\)`", row[1])},
                               functions_declared_in("kernel/include/" + header))
    problems += difference("the common file", {name for row in groups for name in names.findall(row[2])},
                           {name for name in os.listdir(os.path.join(folder, "common")) if name.endswith(".c")})
    return problems


def setup_says(directory, tools):
    """Runs setup.sh as a user without root who has just these tools first in PATH; returns its status and words."""
    for name, script in tools.items():
        path = os.path.join(directory, name)
        with open(path, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\n" + script + "\n")
        os.chmod(path, 0o755)
    environment = dict(os.environ, PATH=directory + ":" + os.environ["PATH"], XDG_CACHE_HOME=directory)
    result = subprocess.run(["scripts/setup.sh"], cwd=SOURCE, env=environment, stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return result.returncode, result.stdout


def check_setup(build):
    """setup says what is missing or too old, and how to get it"""
    user = {"id": "echo 1000"}
    cases = (
        ({"qemu-system-aarch64": "echo QEMU emulator version 7.2.11"},
         ("QEMU 8 or later is needed, found: QEMU emulator version 7.2.11", "qemu-system-arm", "apt-get install")),
        ({"qemu-system-aarch64": "exit 127"}, ("QEMU 8 or later is needed, found: none", "Run these as root")),
        ({"dpkg-query": 'case "$*" in *newlib-source*) exit 1;; *) echo installed;; esac'},
         ("missing: newlib-source", "packages are missing", "apt-get install -y --no-install-recommends newlib-source")),
    )
    problems = []
    for tools, wanted in cases:
        with tempfile.TemporaryDirectory(prefix="quire-") as directory:
            status, said = setup_says(directory, {**user, **tools})
        if status == 0:
            problems.append("setup.sh is content although %s" % tools)
        problems += ["setup.sh does not say '%s' but: %s" % (text, said) for text in wanted if text not in said]
    return problems


CHECKS = (check_format, check_second_compiler, check_tidy, check_documents, check_figures, check_shell,
          check_python, check_file_sizes, check_function_sizes, check_arch_conditions, check_licences,
          check_architectures, check_porting,
          check_setup)


def name_of(check):
    return "source: " + check.__doc__


def main():
    if sys.argv[1:] == ["--list"]:
        print("\n".join(name_of(check) for check in CHECKS))
        return
    build = os.path.abspath(sys.argv[1])
    pattern = sys.argv[2] if len(sys.argv) > 2 else ""
    chosen = [check for check in CHECKS if pattern in name_of(check)]
    print("1..%d" % len(chosen), flush=True)
    failed = 0
    for number, check in enumerate(chosen, 1):
        problems = check(build)
        print("%s %d - %s" % ("not ok" if problems else "ok", number, name_of(check)))
        for line in problems[:60]:
            print("# " + line)
        sys.stdout.flush()
        failed += bool(problems)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
