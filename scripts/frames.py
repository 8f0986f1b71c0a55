# SPDX-License-Identifier: MIT
"""The host's side of the framed serial line: servers/console/frame.h says what its bytes mean."""

import re

OUTPUT, ERROR, RESULT = 1, 2, 3
STARTED, WANTED = ord("s"), ord("w")
STREAMS = (OUTPUT, ERROR, RESULT)
ANSWER_MAX = 2048

HIGH = 0x8e
CONTROL = 0x90
ANSWER_MARK = b"\x10"
ANSWER_END = b"e"

# Runs of the log, of plain bytes of a stream, and single marks.
PIECE = re.compile(rb"[\x00-\x7f]+|[\x80-\x8d\x8f\x91-\xff]+|[\x8e\x90]")
WITHOUT_HIGH_BIT = bytes(byte & 0x7f for byte in range(256))


class Decoder:
    """Tells the streams and the log apart. The marks may stand at the end of one chunk and mean the next."""

    def __init__(self):
        self.mark = 0
        self.stream = OUTPUT

    def feed(self, data):
        """Yields (what, bytes): what is a stream's number, 0 for the log, or STARTED or WANTED with no bytes."""
        for piece in PIECE.findall(data):
            if piece[0] < 0x80:
                yield 0, piece.replace(b"\r", b"")
                continue
            if self.mark:
                yield from self.marked(piece[0])
                piece = piece[1:]
            if piece in (b"\x8e", b"\x90"):
                self.mark = piece[0]
            elif piece:
                yield self.stream, piece.translate(WITHOUT_HIGH_BIT)

    def marked(self, byte):
        """What the byte behind a mark means."""
        mark, self.mark = self.mark, 0
        if mark == HIGH:
            yield self.stream, bytes([byte])
            return
        code = byte & 0x7f
        if code in STREAMS:
            self.stream = code
        elif code in (STARTED, WANTED):
            yield code, b""
        else:
            yield self.stream, bytes([code])


def answer(data):
    """Returns what goes to the guest as answer to WANTED: at most ANSWER_MAX bytes; none is the end of input."""
    return data.replace(ANSWER_MARK, ANSWER_MARK * 2) + ANSWER_MARK + ANSWER_END
