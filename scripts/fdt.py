# SPDX-License-Identifier: MIT
"""Flattened device trees: read into nodes, changed, written again. Of the form's version 17.

A node is a dict: {"name": str, "properties": {name: bytes}, "children": [node]}.
"""

import struct

MAGIC = 0xd00dfeed
BEGIN_NODE, END_NODE, PROPERTY, NOP, END = 1, 2, 3, 4, 9


def cells(*values):
    """Bytes of a property of 32-bit cells."""
    return struct.pack(">%dI" % len(values), *values)


def wide(value):
    """The two cells of a 64-bit number."""
    return value >> 32, value & 0xffffffff


def read(data):
    """Returns the root node of a tree that QEMU or Debian wrote; it is believed."""
    magic, _, structure, strings = struct.unpack_from(">4I", data)
    if magic != MAGIC:
        raise ValueError("not a device tree")
    position = structure
    stack, root = [], None
    while True:
        token, = struct.unpack_from(">I", data, position)
        position += 4
        if token == BEGIN_NODE:
            end = data.index(b"\0", position)
            node = {"name": data[position:end].decode(), "properties": {}, "children": []}
            position = end + 4 & ~3
            if stack:
                stack[-1]["children"].append(node)
            else:
                root = node
            stack.append(node)
        elif token == PROPERTY:
            length, name = struct.unpack_from(">2I", data, position)
            position += 8
            end = data.index(b"\0", strings + name)
            stack[-1]["properties"][data[strings + name:end].decode()] = data[position:position + length]
            position = position + length + 3 & ~3
        elif token == END_NODE:
            stack.pop()
        elif token == END:
            return root


def reservations(data):
    """Returns the (address, bytes) pairs that the tree has beside its nodes."""
    position, found = struct.unpack_from(">I", data, 16)[0], []
    while True:
        pair = struct.unpack_from(">2Q", data, position)
        if pair == (0, 0):
            return found
        found.append(pair)
        position += 16


def _node_bytes(node, strings):
    def padded(data):
        return data + b"\0" * (-len(data) % 4)

    out = struct.pack(">I", BEGIN_NODE) + padded(node["name"].encode() + b"\0")
    for name, value in node["properties"].items():
        offset = strings.setdefault(name, sum(len(known) + 1 for known in strings))
        out += struct.pack(">3I", PROPERTY, len(value), offset) + padded(value)
    for child in node["children"]:
        out += _node_bytes(child, strings)
    return out + struct.pack(">I", END_NODE)


def write(root, reserved=()):
    """Returns the tree's bytes; reserved: as reservations() has them."""
    strings = {}
    structure = _node_bytes(root, strings) + struct.pack(">I", END)
    names = b"".join(name.encode() + b"\0" for name in strings)
    reservations_bytes = b"".join(struct.pack(">2Q", *pair) for pair in [*reserved, (0, 0)])
    header = 40
    structure_at = header + len(reservations_bytes)
    strings_at = structure_at + len(structure)
    total = strings_at + len(names)
    return (struct.pack(">10I", MAGIC, total, structure_at, strings_at, header, 17, 16, 0, len(names), len(structure)) +
            reservations_bytes + structure + names)
