# SPDX-License-Identifier: MIT
"""An emulated machine's serial line: what it prints, line by line or awaited by pattern, under one time limit."""

import os
import re
import select
import subprocess
import time
import tty

CHUNK_BYTES = 65536
GRACE_SECONDS = 5


class Silence(Exception):
    """The time limit passed before what was awaited appeared."""


class Console:
    """Starts the machine on a terminal of its own; leaving the with block ends it, whatever happened."""

    def __init__(self, command, log_path, timeout):
        self.deadline = time.monotonic() + timeout
        self.text = ""
        self.position = 0
        self.status = None
        self.log = open(log_path, "wb")  # pylint: disable=consider-using-with
        self.terminal, terminal_of_machine = os.openpty()
        tty.setraw(terminal_of_machine)
        # The outer limit is for the case that this script is killed and cannot end the machine itself.
        guarded = ["timeout", "--kill-after=%d" % GRACE_SECONDS, str(timeout + 4 * GRACE_SECONDS)] + command
        self.process = subprocess.Popen(guarded, stdin=terminal_of_machine, stdout=terminal_of_machine,
                                        stderr=terminal_of_machine, start_new_session=True)
        os.close(terminal_of_machine)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        os.close(self.terminal)
        self.log.close()

    def receive(self, deadline):
        """Adds output to self.text. False: the machine has ended and all of its output is there."""
        ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
        if not ready:
            raise Silence()
        try:
            data = os.read(self.terminal, CHUNK_BYTES)
        except OSError:
            # The machine closed its side.
            return False
        self.log.write(data)
        self.log.flush()
        self.text += data.decode("utf-8", "replace").replace("\r", "")
        return bool(data)

    def lines(self):
        """Yields each finished line, and at the end what stands after the last one."""
        while True:
            end = self.text.find("\n", self.position)
            if end >= 0:
                line = self.text[self.position:end]
                self.position = end + 1
                yield line
            elif not self.receive(self.deadline):
                if self.position < len(self.text):
                    yield self.text[self.position:]
                return

    def expect(self, pattern, seconds):
        """Waits for the pattern in what comes after the last match. False: it did not come in time."""
        deadline = min(self.deadline, time.monotonic() + seconds)
        compiled = re.compile(pattern, re.MULTILINE)
        while True:
            match = compiled.search(self.text, self.position)
            if match:
                self.position = match.end()
                return True
            try:
                if not self.receive(deadline):
                    return False
            except Silence:
                return False

    def send(self, text):
        os.write(self.terminal, text.encode())

    def drain(self):
        while self.receive(self.deadline):
            pass

    def wait(self):
        """Returns the exit status; call after the output has ended. A signal's number counts as negative."""
        self.status = self.process.wait(GRACE_SECONDS)
        return self.status
