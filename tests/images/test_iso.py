#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Has a CD's image made as people do, starts PCs with it, one with a BIOS and one with UEFI, and prints TAP.

Usage: test_iso.py BUILD-DIRECTORY PLATFORM
"""

import os
import subprocess
import sys
import tempfile

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(SOURCE, "scripts"))
import machine  # pylint: disable=wrong-import-position
from console import Console, Silence  # pylint: disable=wrong-import-position

# Machines may be slow, and the firmware's time is not in our hands.
SECONDS = 130
UEFI = "/usr/share/OVMF/OVMF_CODE_4M.fd"
ARGUMENTS = "quire.thp=always"
results = []


def check(good, what, details=""):
    results.append(good)
    print("%s %d - %s" % ("ok" if good else "not ok", len(results), what), flush=True)
    if not good:
        print("\n".join("# " + line for line in details.splitlines()[-30:]), flush=True)


def make(build, platform, image, *options):
    return subprocess.run([sys.executable, os.path.join(SOURCE, "scripts", "image.py"), "--build", build, "--platform",
                           platform, "-o", image, *options], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)


def boot(line, log, name):
    """To the shell, to which a few lines are typed, and off again, by the switch that the firmware tells of."""
    with Console(line, log, SECONDS) as console:
        try:
            check(console.expect(r"quire: .* 2 CPUs", SECONDS), name + ": the kernel finds two CPUs", console.text)
            check(console.expect(r"quire> $", SECONDS), name + ": the shell asks", console.text)
            console.send("echo it reads\r")
            check(console.expect(r"^it reads\r?$", SECONDS), name + ": and reads", console.text)
            console.send("disks\r")
            check(console.expect(r"^vda1 .* root$", SECONDS), name + ": there is a disk on PCI", console.text)
            console.send("write /kept on the disk\r")
            console.send("cat /kept\r")
            check(console.expect(r"^on the disk$", SECONDS), name + ": which takes a file", console.text)
            console.send("poweroff\r")
            console.drain()
            check(console.wait() == 0, name + ": the machine is off", console.text)
        except Silence:
            check(False, name + ": time is up", console.text)


def main():
    build, platform = sys.argv[1:3]
    board = machine.load_board(platform)
    print("1..14", flush=True)
    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        image, disk = os.path.join(directory, "quire.iso"), os.path.join(build, "disk.img") + ",snapshot"
        result = make(build, platform, image, "--arguments", ARGUMENTS)
        check(result.returncode == 0, "the image is made", result.stdout)
        for name, firmware in (("BIOS", None), ("UEFI", UEFI)):
            boot(board.iso_command(image, firmware, 2, "512M", [disk]), os.path.join(directory, name), name)
        refused = make(build, platform, image, "--arguments", "a;b")
        check(refused.returncode != 0, "arguments that GRUB would read as its own are refused", refused.stdout)
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
