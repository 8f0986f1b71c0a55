# SPDX-License-Identifier: MIT
"""Reads protocol descriptions (lib/proto/NAME.proto) for protogen.py.

A description is a list of lines; `#` begins a comment. `protocol NAME` comes first, then in any order:

    doc TEXT                        about the protocol, or the record or operation above it; several lines join
    const NAME = NUMBER TEXT        becomes PROTOCOL_NAME
    record NAME                     becomes struct PROTOCOL_NAME
      field NAME u64|i64|u64[N]|char[N] TEXT
    op NAME = NUMBER                becomes PROTOCOL_NAME() for clients, PROTOCOL_handle_NAME() for the server
      right any|privileged|dma      who may ask; any if it is not said
      in NAME u64|i64 TEXT
      out NAME u64|i64 TEXT
      data in|out NAME [record RECORD] TEXT
      cap in|out NAME
      error ERRNO TEXT
"""

import re

REGISTERS = 6
CAPS_MAX = 4
DATA_MAX = 3584
C_TYPES = {"u64": "uint64_t", "i64": "int64_t"}
RIGHTS = ("any", "privileged", "dma")
RESERVED = ("context", "endpoint", "m", "request", "result")  # the generated functions' own names


class DescriptionError(Exception):
    """A line that makes no sense, with its place."""


class Record:
    def __init__(self, name):
        self.name, self.doc, self.fields = name, [], []

    def bytes(self):
        return sum(size for _, _, size, _ in self.fields)


class Operation:
    def __init__(self, name, number):
        self.name, self.number, self.doc, self.right = name, number, [], "any"
        self.inputs, self.outputs, self.errors = [], [], []
        self.caps = {"in": [], "out": []}
        self.data = {"in": None, "out": None}  # (name, record or None)
        self.data_doc = {"in": "", "out": ""}

    def request_words(self):
        return len(self.inputs) + sum(1 for way in ("in", "out") if self.data[way])

    def reply_words(self):
        return len(self.outputs) + (1 if self.data["out"] else 0)


class Protocol:
    def __init__(self, name):
        self.name, self.doc, self.constants, self.records, self.operations = name, [], [], [], []

    def record(self, name):
        return next((r for r in self.records if r.name == name), None)


def output_name(operation, name):
    """Outputs whose name is an input's get a suffix."""
    taken = [n for n, _, _ in operation.inputs] + [d[0] for d in operation.data.values() if d]
    return name + "_out" if name in taken else name


# --- Reading -----------------------------------------------------------------------------------------------------

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*$")
FIELD_TYPE = re.compile(r"(u64|i64|char)(?:\[(\d+)\])?$")


def identifier(word):
    if not IDENTIFIER.match(word) or word in RESERVED:
        raise DescriptionError(f"'{word}' is not a name (lower case, digits, underscores), or one that is taken")
    return word


def parse_field(words):
    name, kind, text = identifier(words[0]), FIELD_TYPE.match(words[1]), " ".join(words[2:])
    if not kind or (kind[1] == "char" and not kind[2]):
        raise DescriptionError(f"'{words[1]}' is not the type of a field")
    count = int(kind[2] or 1)
    size = count * (1 if kind[1] == "char" else 8)
    if size % 8:
        raise DescriptionError(f"field {name}: a multiple of 8 bytes, so that records have no holes")
    declaration = C_TYPES.get(kind[1], kind[1]) + " " + name + (f"[{count}]" if kind[2] else "")
    return name, declaration, size, text


def parse_operation_line(protocol, operation, words):
    """One line inside an operation."""
    key = words[0]
    if key == "right" and len(words) == 2 and words[1] in RIGHTS:
        operation.right = words[1]
    elif key in ("in", "out") and len(words) >= 3 and words[2] in C_TYPES:
        target = operation.inputs if key == "in" else operation.outputs
        target.append((identifier(words[1]), C_TYPES[words[2]], " ".join(words[3:])))
    elif key == "data" and words[1] in ("in", "out") and len(words) >= 3:
        record, text = None, words[3:]
        if text[:1] == ["record"]:
            record, text = protocol.record(text[1]), text[2:]
            if not record:
                raise DescriptionError(f"no record '{words[4]}' above this line")
        if operation.data[words[1]]:
            raise DescriptionError(f"a second data {words[1]}")
        operation.data[words[1]] = (identifier(words[2]), record)
        operation.data_doc[words[1]] = " ".join(text) or f"at most {DATA_MAX} bytes"
    elif key == "cap" and len(words) == 3 and words[1] in ("in", "out"):
        operation.caps[words[1]].append(identifier(words[2]))
    elif key == "error" and len(words) >= 3 and re.match(r"E[A-Z0-9]+$", words[1]):
        operation.errors.append((words[1], " ".join(words[2:])))
    else:
        raise DescriptionError(f"'{' '.join(words)}' is not a line of an operation")


def parse_line(protocol, current, words):
    """Handles one line; returns what later lines belong to: a protocol, a record or an operation."""
    key = words[0]
    if key == "doc":
        current.doc.append(" ".join(words[1:]))
    elif key == "const" and len(words) >= 5 and words[2] == "=":
        protocol.constants.append((words[1], int(words[3], 0), " ".join(words[4:])))
    elif key == "record" and len(words) == 2:
        current = Record(identifier(words[1]))
        protocol.records.append(current)
    elif key == "field" and len(words) >= 3 and isinstance(current, Record):
        current.fields.append(parse_field(words[1:]))
    elif key == "op" and len(words) == 4 and words[2] == "=":
        current = Operation(identifier(words[1]), int(words[3], 0))
        protocol.operations.append(current)
    elif isinstance(current, Operation):
        parse_operation_line(protocol, current, words)
    else:
        raise DescriptionError(f"'{' '.join(words)}' does not belong here")
    return current


def check(protocol):
    """What only the whole description can tell."""
    for kind, names in (("operation", [o.name for o in protocol.operations]),
                        ("operation number", [o.number for o in protocol.operations]),
                        ("record", [r.name for r in protocol.records]),
                        ("constant", [c[0] for c in protocol.constants])):
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise DescriptionError(f"{kind} {sorted(twice)[0]} appears twice")
    for record in protocol.records:
        if not record.fields or record.bytes() > DATA_MAX:
            raise DescriptionError(f"record {record.name}: 1 to {DATA_MAX} bytes")
    for operation in protocol.operations:
        if operation.number <= 0 or operation.number > 0x7FFFFFFF:
            raise DescriptionError(f"op {operation.name}: the number is a positive 32-bit integer")
        if not operation.doc:
            raise DescriptionError(f"op {operation.name}: no doc")
        if max(operation.request_words(), operation.reply_words()) > REGISTERS:
            raise DescriptionError(f"op {operation.name}: more than {REGISTERS} words")
        names = [name for name, _, _ in operation.inputs] + operation.caps["in"] + operation.caps["out"]
        names += [data[0] for data in operation.data.values() if data]
        names += [output_name(operation, name) for name, _, _ in operation.outputs]
        if len(set(names)) != len(names):
            raise DescriptionError(f"op {operation.name}: two things of one name")
        if max(len(operation.caps["in"]), len(operation.caps["out"])) > CAPS_MAX:
            raise DescriptionError(f"op {operation.name}: more than {CAPS_MAX} capabilities")


def parse(path):
    protocol = current = None
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words = line.split("#")[0].split()
        if not words:
            continue
        try:
            if protocol is None:
                if words[0] != "protocol" or len(words) != 2:
                    raise DescriptionError("the first line is `protocol NAME`")
                protocol = current = Protocol(identifier(words[1]))
            else:
                current = parse_line(protocol, current, words)
        except (DescriptionError, ValueError, IndexError) as error:
            raise DescriptionError(f"{path}:{number}: {error}") from error
    if protocol is None:
        raise DescriptionError(f"{path}: empty")
    try:
        check(protocol)
    except DescriptionError as error:
        raise DescriptionError(f"{path}: {error}") from error
    return protocol
