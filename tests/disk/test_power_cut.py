#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Takes the power away from a machine that writes files, and looks whether all is there that it was told is.

QEMU logs each write and each flush of the disk. From the log follows what the disk can hold after any moment: what was written
before the last flush is there; of what was written since, any part, in blocks of 4 KiB. Dozens of moments of one run are
looked at, each time with another part. Besides, QEMU is killed some times. e2fsck must find the file system in order, or
repair it if the superblock does not say that it is, and each file must hold what its notes say was confirmed."""

import argparse
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(SOURCE, "scripts"), os.path.join(SOURCE, "tests", "sdk")]

# pylint: disable=wrong-import-position
import machine  # noqa: E402
import mkdisk  # noqa: E402
from disk import tool  # noqa: E402
from sdk import Tap  # noqa: E402

MIB = 1 << 20
DISK_MIB, SWAP_MIB, SCRATCH_MIB = 24, 2, 2
CUTS, KILLS = 60, 3
PAGE, SECTOR, CELL = 4096, 512, 512
PATIENCE_SECONDS = 200
LOG_MAGIC, LOG_FLUSH, LOG_DISCARD = 0x6A736677736872, 1, 4
NOTE_MAGIC = 0x5155495245435554
MAKE, OVERWRITE, STORE, APPEND, CUT, REMOVE, REPLACE = range(1, 8)
STATE_PLACE, VALID = 1024 + 0x3A, 1


def start(build, disk, folder):
    """Starts the emulator itself, so that it is what is killed."""
    parser = argparse.ArgumentParser()
    machine.add_arguments(parser)
    options = parser.parse_args(["--build", build, "--smp", "2", "--memory", "128M", "--grant", "--disk", disk])
    options.uboot = False
    words = machine.command(options, folder, machine.escaped(["/tests/power_cut"]), True)
    return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def finish(process):
    """Waits for the machine's end; returns what it printed."""
    try:
        return process.communicate(timeout=PATIENCE_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0] + "\nit did not end"


def read_log(path):
    """Returns the (flags, first byte, data) of the log's entries."""
    with open(path, "rb") as file:
        magic, _version, count, sector = struct.unpack("<QQQI", file.read(28))
        assert magic == LOG_MAGIC and sector == SECTOR
        place, entries = sector, []
        for _ in range(count):
            file.seek(place)
            first, sectors, flags, _length = struct.unpack("<QQQQ", file.read(32))
            data = b""
            place += sector
            if not flags & LOG_DISCARD:
                file.seek(place)
                data = file.read(sectors * sector)
                place += sectors * sector
            entries.append((flags, first * sector, data))
    return entries


class Model:
    """What files hold by the notes: a version for each cell; and which of them may be in between."""

    def __init__(self):
        self.files, self.pending = {}, None

    def read(self, page):
        magic, _number, done, action, file, first, end, version = struct.unpack_from("<8Q", page)
        if magic != NOTE_MAGIC:
            return False
        if not done:
            self.pending = (action, file, first, end, version)
            return True
        self.pending = None
        old = self.files.get(file, [])
        if action == REMOVE:
            self.files.pop(file)
        elif action == CUT:
            self.files[file] = old[:end]
        else:
            kept = [] if action == REPLACE else old
            self.files[file] = kept[:first] + [version] * (end - first) + kept[end:]
        return True

    def wrong(self, folder):
        """What the files in a folder lack of what they must hold; an empty list: nothing."""
        found = []
        action, changing, first, end, version = self.pending or (0, None, 0, 0, 0)
        for file, versions in self.files.items():
            try:
                with open(os.path.join(folder, "file%d" % file), "rb") as source:
                    content = source.read()
            except FileNotFoundError:
                if not (file == changing and action == REMOVE):
                    found.append("file%d is not there; in between: %s" % (file, self.pending))
                continue
            if file != changing:
                if len(content) != len(versions) * CELL:
                    found.append("file%d has %d bytes, not %d" % (file, len(content), len(versions) * CELL))
                found += self.cells(file, content, [{wanted} for wanted in versions])
            elif action in (OVERWRITE, STORE, APPEND):
                allowed = [{wanted, version} if first <= i < end else {wanted} for i, wanted in enumerate(versions)]
                found += self.cells(file, content, allowed)
            elif action == CUT:
                found += self.cells(file, content, [{wanted} for wanted in versions[:end]])
        return found

    @staticmethod
    def cells(file, content, allowed):
        for i, versions in enumerate(allowed):
            cell = content[i * CELL:(i + 1) * CELL]
            if not any(cell == struct.pack("<Q", file << 48 | version << 16 | i) * (CELL // 8) for version in versions):
                return ["cell %d of file%d is none of version %s but %s" % (i, file, sorted(versions), cell[:8].hex())]
        return []


def check(part, folder, model):
    """Has e2fsck look at a file system and compares its files; returns what is wrong."""
    with open(part, "rb") as file:
        file.seek(STATE_PLACE)
        in_order = struct.unpack("<H", file.read(2))[0] & VALID
    result = subprocess.run([tool("e2fsck"), "-fn" if in_order else "-fy", part], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, check=False)
    if result.returncode > (0 if in_order else 1):
        return ["e2fsck, %s order: %d" % ("in" if in_order else "not in", result.returncode), result.stdout]
    files = os.path.join(folder, "files")
    shutil.rmtree(files, ignore_errors=True)
    os.mkdir(files)
    subprocess.run([tool("debugfs"), "-R", "rdump /cut %s" % files, part], stdin=subprocess.DEVNULL, capture_output=True,
                   check=False)
    return model.wrong(os.path.join(files, "cut"))


def write_blocks(image, place, data, chance):
    """Writes the blocks of a write that have reached the disk."""
    for offset in range(0, len(data), PAGE):
        if chance():
            image[place + offset:place + offset + PAGE] = data[offset:offset + PAGE]


def cut_everywhere(tap, entries, image, root, scratch, folder):
    """Looks at moments of the logged run, in order."""
    rng = random.Random(4711)
    notes = [i for i, (_flags, place, data) in enumerate(entries) if scratch <= place and data]
    moments = sorted(rng.sample(range(notes[0], len(entries) + 1), min(CUTS, len(entries) - notes[0])))
    model, waiting, done, part = Model(), [], 0, os.path.join(folder, "part")
    for moment in moments:
        for flags, place, data in entries[done:moment]:
            if flags & LOG_FLUSH:
                for settled in waiting:
                    write_blocks(image, *settled, lambda: True)
                waiting = []
            if data and place >= scratch:
                model.read(data)
            elif data:
                waiting.append((place, data))
        done = moment
        after, part_kept = bytearray(image), rng.choice((0, 0.5, 0.5, 0.9, 1))
        for place, data in waiting:
            write_blocks(after, place, data, lambda: rng.random() < part_kept)
        with open(part, "wb") as file:
            file.write(after[root:scratch - SWAP_MIB * MIB])
        wrong = check(part, folder, model)
        tap.ok(not wrong, "the power goes after %d of %d writes, %d of them not flushed" % (moment, len(entries), len(waiting)),
               "\n".join(wrong))


def notes_of(disk, scratch):
    """The model that the notes on the disk make, and how many they are."""
    model, count = Model(), 0
    with open(disk, "rb") as file:
        file.seek(scratch)
        while model.read(file.read(PAGE).ljust(64, b"\0")):
            count += 1
    return model, count


def kill_one(tap, build, disk, root, scratch, folder, notes):
    """Kills QEMU when there are so many notes, or when the program is done with fewer."""
    process = start(build, disk, folder)
    end = time.monotonic() + PATIENCE_SECONDS
    while process.poll() is None and notes_of(disk, scratch)[1] < notes and time.monotonic() < end:
        time.sleep(0.002)
    process.kill()
    output = process.communicate()[0]
    model, count = notes_of(disk, scratch)
    part = os.path.join(folder, "part")
    with open(disk, "rb") as source, open(part, "wb") as target:
        source.seek(root)
        target.write(source.read(scratch - SWAP_MIB * MIB - root))
    wrong = check(part, folder, model)
    tap.ok(count >= notes and not wrong, "the machine is killed after %d notes" % notes, output, "\n".join(wrong))


def main():
    build, tap = os.environ["QUIRE_BUILD"], Tap()
    with tempfile.TemporaryDirectory(prefix="quire-") as folder:
        disk, log = os.path.join(folder, "disk"), os.path.join(folder, "log")
        mkdisk.make_disk(disk, DISK_MIB, SWAP_MIB, SCRATCH_MIB)
        root, scratch = MIB, (DISK_MIB - 1 - SCRATCH_MIB) * MIB
        fresh = open(disk, "rb").read()
        open(log, "wb").close()
        process = start(build, disk + ",log=" + log, folder)
        output = finish(process)
        tap.ok(process.returncode == 0, "a machine writes files", output)
        if process.returncode == 0:
            cut_everywhere(tap, read_log(log), bytearray(fresh), root, scratch, folder)
        for number in range(KILLS):
            with open(disk, "wb") as file:
                file.write(fresh)
            kill_one(tap, build, disk, root, scratch, folder, 10 + 47 * number)
    tap.done()


if __name__ == "__main__":
    main()
