# SPDX-License-Identifier: MIT
"""Plays a session file: a conversation with the shell, written down line by line.

    # comment
    expect REGEX      the output must match, after the place of the last match; one TAP line
    reject REGEX      what came since the place before the last match must not match; one TAP line
    send TEXT         types the text and Enter
    type TEXT         types the text alone; \\t, \\x03 and the like as in Python
    json EXPRESSION   the next line that is JSON must parse, and the expression of Python be true; `data` is the value,
                      `kept` a dictionary for later ones; one TAP line
    within SECONDS    how long each later expect may wait (100 at first: a machine may stand still for a while)
"""

import json
import re

FIRST_PATIENCE_SECONDS = 100
TESTS = ("expect", "reject", "json")
WORDS = TESTS + ("send", "type", "within")
JSON_LINE = r"^[\[{].*[\]}]\r?\n"


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


def json_holds(console, expression, patience, kept):
    """True if the next line of JSON is some, and makes the expression true."""
    if not console.expect(JSON_LINE, patience):
        return False
    lines = [line.strip() for line in console.text[:console.position].splitlines()]
    line = next(line for line in reversed(lines) if line)
    try:
        # The expression is the session file's, as trusted as this file.
        return bool(eval(expression, {"data": json.loads(line), "kept": kept}))  # pylint: disable=eval-used
    except (ValueError, KeyError, IndexError, TypeError) as error:
        print("# %s: %s in %s" % (type(error).__name__, error, line[:300]))
        return False


def play(console, path):
    """Prints one TAP line for each expect, reject and json, and the plan. Returns how many failed; the first one ends it."""
    steps = read(path)
    planned = sum(word in TESTS for word, _ in steps)
    print("1..%d" % planned, flush=True)
    patience = FIRST_PATIENCE_SECONDS
    done, before, kept = 0, 0, {}
    for word, rest in steps:
        if word == "within":
            patience = float(rest)
        elif word == "send":
            console.send(rest + "\r")
        elif word == "type":
            console.send(rest.encode().decode("unicode_escape"))
        else:
            done += 1
            if word == "json":
                start, good = console.position, json_holds(console, rest, patience, kept)
                before = start
            elif word == "expect":
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
