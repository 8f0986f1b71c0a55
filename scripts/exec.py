#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a program on a booted machine of its own: standard input, output and error are this command's, and so is the
exit status.

PROGRAM is a file on this side, or else a program of the boot archive. Status 124: time was up; 126 and 127: the program
could not be started; 128 + N: signal N ended it; 101 and 102: the system itself came to an end, and said why on standard
error.
"""

import argparse
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import frames
import machine
import mkcpio
import words

CHUNK_BYTES = 65536
# root only speaks of what went wrong.
TROUBLE = re.compile(rb"^root: ", re.MULTILINE)
NAME_MAX = 255
ELF_EXECUTABLE = b"\x02\x00"
BATCH_PROGRAM = "/bin/batch"
STATUS_TIME_UP, STATUS_NO_PROGRAM, STATUS_NOT_FOUND = 124, 126, 127
STATUS_INTERRUPTED, STATUS_PIPE = 130, 141


class Refusal(Exception):
    """The command cannot be run; arguments are the text and this command's exit status."""


class Files:
    """What the machine finds in its boot archive: the build's programs, and files of this side."""

    def __init__(self, build, platform):
        self.strip = machine.tool(platform, "strip")
        self.kernel = os.path.join(build, "quire.elf")
        with open(os.path.join(build, "boot.cpio"), "rb") as file:
            self.members = mkcpio.members_of(file.read())
        self.origins = {}

    def add(self, origin, name, content=None):
        """Puts a file, or everything below a folder, at a path of the guest."""
        name = os.path.normpath("/" + name).lstrip("/")
        if os.path.isdir(origin):
            for entry in sorted(os.listdir(origin)):
                self.add(os.path.join(origin, entry), name + "/" + entry)
            return
        if not name or len(os.fsencode(name)) > NAME_MAX:
            raise Refusal("'%s' is no name for a file on Quire" % name, 2)
        if self.origins.setdefault(name, os.path.realpath(origin)) != os.path.realpath(origin):
            raise Refusal("'%s' and '%s' would both be /%s on Quire" % (self.origins[name], origin, name), 2)
        try:
            if content is None:
                with open(origin, "rb") as file:
                    content = file.read()
            mode = mkcpio.MODE_FILE if os.access(origin, os.X_OK) else mkcpio.MODE_FILE & ~0o111
        except OSError as error:
            raise Refusal("%s: %s" % (origin, error.strerror), 2) from None
        self.members[name] = (mode, content)

    def program(self, word):
        """Returns the guest's name of the program that a command's first word means, adding it if it is a file here."""
        name = os.path.normpath("/" + word).lstrip("/")
        if name in self.origins:
            return "/" + name
        if os.path.isfile(word):
            self.check_program(word)
            name = "bin/" + os.path.basename(word)
            self.add(word, name, mkcpio.stripped(word, self.strip))
            return "/" + name
        if name in self.members or ("/" not in word and {"bin/" + word, "tests/" + word} & set(self.members)):
            return word
        raise Refusal("%s: no such program, neither a file here nor in the boot archive" % word, STATUS_NOT_FOUND)

    def check_program(self, path):
        """Tells at once what root would only find out on the booted machine."""
        with open(path, "rb") as file, open(self.kernel, "rb") as kernel:
            header, own = file.read(20), kernel.read(20)
        if header[:4] != own[:4] or header[16:18] != ELF_EXECUTABLE or header[18:20] != own[18:20]:
            raise Refusal("%s: not a program for Quire; ./quire cc makes them" % path, STATUS_NO_PROGRAM)

    def write(self, path):
        with open(path, "wb") as file:
            file.write(mkcpio.archive_of(self.members))


class Batch:
    """The commands of a file, one a line, and what became of them."""

    def __init__(self, path, files):
        self.lines, self.commands, self.results = [], [], []
        with (sys.stdin if path == "-" else open(path, encoding="utf-8", errors="surrogateescape")) as file:
            for number, line in enumerate(file, 1):
                try:
                    command = words.split(line)
                except ValueError as error:
                    raise Refusal("%s:%d: %s" % (path, number, error), 2) from None
                if command:
                    self.lines.append(shlex.join(command))
                    self.commands.append(self.resolved(command, files))

    @staticmethod
    def resolved(command, files):
        """The words of a command for the guest. A program that is not there is for the guest to find."""
        try:
            return [files.program(command[0])] + command[1:]
        except Refusal as refusal:
            if refusal.args[1] == STATUS_NOT_FOUND:
                return command
            raise

    def list(self):
        """The list as the batch program reads it."""
        blocks = [b"".join(os.fsencode(word) + b"\0" for word in command) for command in self.commands]
        return b"".join(b"%d\n%s" % (len(block), block) for block in blocks)

    def result(self, line):
        """Takes a line of the result stream; returns the text that tells of it."""
        number, status, took = (int(word) for word in line.split())
        self.results.append(status)
        return "batch %d: status %d, %.3f s: %s\n" % (number, status, took / 1e9, self.lines[number - 1])

    def missing(self):
        return "".join("batch %d: no result: %s\n" % (number + 1, self.lines[number])
                       for number in range(len(self.results), len(self.lines)))


class Run:
    """One machine from its start to its end."""

    def __init__(self, options, batch):
        self.options = options
        self.batch = batch
        self.started = options.log
        self.log = b""
        self.line_open = False
        self.result_line = b""
        self.typed = [batch.list(), b""] if batch else []
        self.process = None

    def show(self, file, data):
        while data:
            data = data[os.write(file, data):]

    def output(self, stream, data):
        if self.options.quiet:
            return
        self.show(1 if stream == frames.OUTPUT else 2, data)
        if stream == frames.OUTPUT:
            self.line_open = not data.endswith(b"\n")

    def output_log(self, data):
        if not self.started:
            self.log += data
        elif not self.options.quiet:
            self.show(2, data)

    def output_kept_log(self, status):
        """The log from before the console server said that it runs, which a program may not have waited for."""
        trouble = TROUBLE.search(self.log)
        if status in (machine.PANIC_STATUS, machine.FATAL_STATUS) or status < 0:
            self.show(2, self.log)
        elif trouble:
            self.show(2, self.log[trouble.start():])

    def output_result(self, data):
        self.result_line += data
        while self.batch and b"\n" in self.result_line:
            line, _, self.result_line = self.result_line.partition(b"\n")
            text = self.batch.result(line.decode()).encode(errors="surrogateescape")
            self.show(1, (b"\n" if self.line_open else b"") + text)
            self.line_open = False

    def answer(self):
        """Gives the guest the next piece of its input."""
        if self.typed:
            data = self.typed[0][:frames.ANSWER_MAX]
            self.typed[0] = self.typed[0][frames.ANSWER_MAX:]
            if not self.typed[0]:
                self.typed.pop(0)
        else:
            try:
                data = os.read(0, frames.ANSWER_MAX)
            except OSError:
                data = b""
        try:
            self.process.stdin.write(frames.answer(data))
            self.process.stdin.flush()
        except BrokenPipeError:
            pass # the machine has just ended

    def handle(self, what, data):
        if what == 0:
            self.output_log(data)
        elif what == frames.RESULT:
            self.output_result(data)
        elif what in frames.STREAMS:
            self.output(what, data)
        elif what == frames.STARTED:
            self.started = True

    def serve(self):
        """Passes bytes until the machine has ended. False: time was up."""
        deadline = time.monotonic() + self.options.timeout if self.options.timeout else None
        decoder, wanted = frames.Decoder(), False
        while True:
            sources = [self.process.stdout] + ([0] if wanted and not self.typed else [])
            rest = max(0, deadline - time.monotonic()) if deadline else None
            ready = [] if wanted and self.typed else select.select(sources, [], [], rest)[0]
            if deadline and time.monotonic() >= deadline:
                return False
            if self.process.stdout in ready:
                data = os.read(self.process.stdout.fileno(), CHUNK_BYTES)
                if not data:
                    return True
                for what, piece in decoder.feed(data):
                    wanted = wanted or what == frames.WANTED
                    self.handle(what, piece)
            elif wanted:
                self.answer()
                wanted = False

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def run(self, line):
        """Returns the exit status."""
        # Whatever ends this script ends the machine.
        self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL"] + line, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, start_new_session=True)
        try:
            in_time = self.serve()
            if in_time:
                self.process.wait()
        finally:
            self.end()
        if not in_time:
            print("quire: error: time is up after %g s" % self.options.timeout, file=sys.stderr)
            return STATUS_TIME_UP
        status = self.process.returncode
        self.output_kept_log(status)
        return status if status >= 0 else 128 - status


def parse_arguments():
    parser = argparse.ArgumentParser(prog="quire exec", description=__doc__, allow_abbrev=False,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    machine.add_arguments(parser)
    parser.add_argument("--timeout", type=float, metavar="SECONDS", help="end the machine after this time, status 124")
    parser.add_argument("--file", action="append", default=[], metavar="HOST:GUEST",
                        help="a file or folder of this side, and its path in the boot archive")
    parser.add_argument("--batch", metavar="FILE", help="run the commands of a file in one boot; - is standard input")
    parser.add_argument("--quiet", action="store_true", help="with --batch: show results only")
    parser.add_argument("--log", action="store_true", help="show the system's log from the start, on standard error")
    parser.add_argument("--no-disk", action="store_true", help="a machine without a disk")
    parser.add_argument("program", nargs=argparse.REMAINDER, metavar="PROGRAM [ARGUMENT]...")
    options = parser.parse_args()
    options.uboot, options.framed = False, True
    options.disks = [] if options.no_disk else options.disks or ["image"]
    if options.program[:1] == ["--"]:
        options.program.pop(0)
    if bool(options.batch) == bool(options.program):
        parser.error("give a program or --batch")
    if options.quiet and not options.batch:
        parser.error("--quiet is for --batch")
    return options


def execute(options):
    """Returns the exit status."""
    files = Files(options.build, options.platform)
    for pair in options.file:
        origin, colon, name = pair.rpartition(":")
        if not colon:
            raise Refusal("--file needs HOST:GUEST, not '%s'" % pair, 2)
        files.add(origin, name)
    batch = Batch(options.batch, files) if options.batch else None
    if batch and not batch.commands:
        return 0
    program = [BATCH_PROGRAM] if batch else [files.program(options.program[0])] + options.program[1:]
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        options.archive = os.path.join(directory, "boot.cpio")
        files.write(options.archive)
        line = machine.command(options, directory, machine.escaped(program), exit_with_status=True)
        run = Run(options, batch)
        try:
            status = run.run(line)
        except BrokenPipeError:
            return STATUS_PIPE
    if not batch:
        return status
    run.show(1, batch.missing().encode(errors="surrogateescape"))
    return status or int(any(batch.results))


def open_standard_files():
    """Makes sure that 0, 1 and 2 are open, so that no other file takes their place."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def main():
    open_standard_files()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    options = parse_arguments()
    try:
        status = execute(options)
    except Refusal as refusal:
        print("quire: error: %s" % refusal.args[0], file=sys.stderr)
        status = refusal.args[1]
    except KeyboardInterrupt:
        status = STATUS_INTERRUPTED
    sys.exit(status)


if __name__ == "__main__":
    main()
