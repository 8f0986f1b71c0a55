# SPDX-License-Identifier: MIT
"""Cuts a line into words as the shell on Quire does (clients/shell/split.h)."""

import re

PART = re.compile(r"""'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)""")


def split(line):
    """Returns the words of the line; # at the start of one begins a comment. ValueError: a quote is not closed."""
    words, at = [], 0
    while True:
        at += len(line[at:]) - len(line[at:].lstrip())
        if at == len(line) or line[at] == "#":
            return words
        word = ""
        while at < len(line) and not line[at].isspace():
            part = PART.match(line, at)
            if not part:
                raise ValueError("a quote is not closed" if line[at] != "\\" else "a backslash ends the line")
            single, double, single_character, plain = part.groups()
            if double is not None:
                word += re.sub(r'\\(["\\])', r"\1", double)
            else:
                word += single if single is not None else single_character or plain
            at = part.end()
        words.append(word)
