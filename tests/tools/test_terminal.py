#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Uses the shell as a person does, in a terminal of tmux's, and prints TAP: what counts is what is on the screen.

Usage: test_terminal.py BUILD-DIRECTORY
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
COLUMNS, ROWS = 140, 50
PATIENCE_SECONDS = 100
POLL_SECONDS = 0.1
PROMPT = r"^quire> *$"


class Terminal:
    """A screen of tmux's own server, on which a command runs; leaving the with block ends both."""

    def __init__(self, directory, command):
        # A name for the socket of its own: several may run at once.
        self.tmux = ["tmux", "-S", os.path.join(directory, "socket"), "-f", "/dev/null"]
        self.call("new-session", "-d", "-x", str(COLUMNS), "-y", str(ROWS), "-c", SOURCE, "cat")
        self.call("set-option", "-g", "remain-on-exit", "on")
        self.call("respawn-pane", "-k", "-c", SOURCE, command)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        subprocess.run(self.tmux + ["kill-server"], check=False, capture_output=True)

    def call(self, *words):
        return subprocess.run(self.tmux + list(words), check=True, capture_output=True, text=True).stdout

    def keys(self, *keys):
        """Keys by tmux's names; what is none is typed as it is."""
        self.call("send-keys", *keys)

    def screen(self):
        return self.call("capture-pane", "-p").rstrip()

    def wait(self, pattern):
        """True when the pattern is on the screen; False if it does not come."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not re.search(pattern, self.screen(), re.MULTILINE):
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def wait_prompt(self):
        """True when the last line is an empty prompt."""
        return self.wait(PROMPT[:-1] + r"\Z")

    def wait_other(self, before):
        """True when the screen is not what it was."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.screen() == before:
            if time.monotonic() > deadline:
                return False
            time.sleep(POLL_SECONDS)
        return True


def conversation(terminal):
    """Yields (what is tried, whether it was so)."""
    keys, wait = terminal.keys, terminal.wait
    yield "the machine starts, and says so", wait(r"^quire: 256 MiB, 2 CPUs$")
    yield "there is a prompt", terminal.wait_prompt()
    keys("help", "Enter")
    yield "help lists the commands", wait(r"^Any other word runs the program") and terminal.wait_prompt()
    keys("C-l")
    yield "^L clears the screen", wait(r"\A" + PROMPT[1:-1] + r"\Z")
    keys("budd", "Tab")
    yield "Tab completes a command", wait(r"^quire> buddyinfo$")
    keys("Enter")
    yield "which is carried out", wait(r"^Node 0, zone ") and terminal.wait_prompt()
    keys("ecxo one", *["Left"] * 6, "Delete", "h", "C-e", " two", *["Left"] * 3, "BSpace", "_")
    yield "a line is edited in its middle", wait(r"^quire> echo one_two$")
    keys("Home", "X", "End", "Y")
    yield "Home and End go to its ends", wait(r"^quire> Xecho one_twoY$")
    keys("C-u")
    yield "and it is emptied", terminal.wait_prompt()
    keys("sysctl vm.overcommit_memory", "Enter")
    yield "a setting is shown", wait(r"^vm.overcommit_memory = 0$") and terminal.wait_prompt()
    keys("Up")
    yield "Up recalls the last line", wait(r"^quire> sysctl vm.overcommit_memory\Z")
    keys("Up")
    yield "and the one before", wait(r"^quire> buddyinfo\Z")
    keys("Down")
    yield "Down goes back", wait(r"^quire> sysctl vm.overcommit_memory\Z")
    keys("C-c")
    yield "^C drops the line", terminal.wait_prompt()
    keys("top 1", "Enter")
    yield "top takes the screen", wait(r"\A *PID +RSS KiB .* %CPU +TIME NAME$") and wait(r"[0-9]\.[0-9]{2} shell$")
    shown = terminal.screen()
    yield "shows it anew", terminal.wait_other(shown) and wait(r"\A *PID +RSS KiB")
    keys("q")
    yield "and leaves with q", terminal.wait_prompt()
    keys("C-l", "vmstat 1", "Enter")
    yield "vmstat adds lines", wait(r"^ +free +cache .*\n( +[0-9]+.*\n){2}")
    keys("q")
    yield "until a key is pressed", terminal.wait_prompt()
    keys("C-l", "sh", "Enter")
    yield "another shell has the terminal", wait(r"^# *\Z")
    keys("read word; echo got $word", "Enter", "something", "Enter")
    yield "it reads lines", wait(r"^got something\n# *\Z")
    keys("read word", "Enter")
    yield "it waits for a line", wait(r"^# read word\Z")
    keys("C-c")
    yield "^C ends that, and there is a prompt", wait(r"\^C\n+# *\Z")
    keys("echo still here", "Enter")
    yield "at which the next line is carried out", wait(r"^still here\n# *\Z")
    keys("echo busy; while :; do :; done", "Enter")
    yield "it is busy", wait(r"^busy\Z")
    keys("C-c")
    yield "^C ends that, too", wait(r"^busy\n\^C\n+# *\Z")
    keys("C-d")
    yield "^D ends the shell", terminal.wait_prompt()


def main():
    build = os.path.abspath(sys.argv[1])
    if not shutil.which("tmux"):
        print("1..0 # SKIP there is no tmux")
        return 0
    # What `./quire run` starts when everything has been built.
    command = "exec python3 scripts/run.py --build '%s' --memory 256M --smp 2" % build
    if build == os.path.join(SOURCE, "build", "qemu-virt"):
        command = "exec ./quire run --mem 256M --smp 2"
    failures = number = 0
    with tempfile.TemporaryDirectory(prefix="quire-terminal-") as directory, Terminal(directory, command) as terminal:
        for number, (what, good) in enumerate(conversation(terminal), 1):
            print("%s %d - %s" % ("ok" if good else "not ok", number, what), flush=True)
            if not good:
                print("\n".join("# " + line for line in terminal.screen().splitlines()), flush=True)
                failures += 1
                break
    print("1..%d" % number)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
