#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Boots Quire on this terminal: to the shell, or to one program whose exit status becomes this command's."""

import argparse
import subprocess
import sys
import tempfile

import machine


def main():
    parser = argparse.ArgumentParser(prog="quire run", description=__doc__, allow_abbrev=False)
    machine.add_arguments(parser)
    parser.add_argument("--kernel-boot", action="store_true", help="let QEMU load the kernel, without U-Boot")
    parser.add_argument("program", nargs="*", help="program of the boot archive, with its arguments, after --")
    options = parser.parse_args()
    options.uboot = not (options.kernel_boot or options.gdb or options.icount)

    with tempfile.TemporaryDirectory(prefix="quire-") as directory:
        line = machine.command(options, directory, machine.escaped(options.program), bool(options.program))
        if options.gdb:
            print("quire: waiting for a debugger; in another terminal:\n"
                  "  gdb-multiarch -ex 'target remote :1234' %s/quire.elf" % options.build, file=sys.stderr)
        print("quire: booting %s, %s, %d cores; Ctrl-A x ends the machine" %
              (options.platform, options.memory, options.smp), file=sys.stderr, flush=True)
        try:
            status = subprocess.run(line, check=False).returncode
        except KeyboardInterrupt:
            status = 130
    sys.exit(status if status >= 0 else 128 - status)


if __name__ == "__main__":
    main()
