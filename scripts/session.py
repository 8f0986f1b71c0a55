# SPDX-License-Identifier: MIT
"""Plays a session file: a conversation with the shell, written down line by line.

    # comment
    expect REGEX      the output must match, after the place of the last match; one TAP line
    reject REGEX      what came since the place before the last match must not match; one TAP line
    send TEXT         types the text and Enter
    type TEXT         types the text alone; \\t, \\x03 and the like as in Python
    within SECONDS    how long each later expect may wait (100 at first: a machine may stand still for a while)
"""

import re

FIRST_PATIENCE_SECONDS = 100
WORDS = ("expect", "reject", "send", "type", "within")


def read(path):
    """Returns the (word, rest) pairs of the file."""
    steps = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            line = line.rstrip("\n")
            if not line.strip() or line.startswith("#"):
                continue
            word, _, rest = line.partition(" ")
            if word not in WORDS:
                raise SystemExit("%s:%d: unknown word '%s'" % (path, number, word))
            steps.append((word, rest))
    return steps


def play(console, path):
    """Prints one TAP line for each expect and reject, and the plan. Returns how many failed; the first one ends it."""
    steps = read(path)
    planned = sum(word in ("expect", "reject") for word, _ in steps)
    print("1..%d" % planned, flush=True)
    patience = FIRST_PATIENCE_SECONDS
    done, before = 0, 0
    for word, rest in steps:
        if word == "within":
            patience = float(rest)
        elif word == "send":
            console.send(rest + "\r")
        elif word == "type":
            console.send(rest.encode().decode("unicode_escape"))
        else:
            done += 1
            if word == "expect":
                start, good = console.position, console.expect(rest, patience)
                before = start
            else:
                good = not re.search(rest, console.text[before:console.position], re.MULTILINE)
            print("%s %d - %s %s" % ("ok" if good else "not ok", done, word, rest.replace("#", "\\#")), flush=True)
            if not good:
                shown = console.text[before:].splitlines()[-20:]
                print("\n".join("# " + line for line in shown), flush=True)
                for missing in range(done + 1, planned + 1):
                    print("not ok %d - not reached" % missing)
                return planned - done + 1
    return 0
