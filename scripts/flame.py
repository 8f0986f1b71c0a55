# SPDX-License-Identifier: MIT
"""Flame graphs: pictures of where instructions go, callers below what they call, each as wide as what it and all above it
take."""

import html
import zlib

WIDTH, LAYER, MARGIN = 1200, 17, 10
# What is narrower, in pixels, is left out; and text that has no room.
NARROWEST, CHARACTER = 0.4, 6.6
STYLE = "text { font: 11px monospace; fill: #1c1917; } rect:hover { stroke: #1c1917; }"


class Stacks:
    """Follows who called whom in one program, from the instructions that ran. What cannot be known is healed: a function that
    goes on without having been seen to begin stands alone."""

    def __init__(self, program):
        self.program = program
        self.stack = []
        self.last = None

    def at(self, address):
        """Takes the next instruction; returns the functions that are under way, the outermost first."""
        function = self.program.function_at(address)
        called = self.last in self.program.branches
        self.last = address
        if self.stack and self.stack[-1] == function and not (called and address in self.program.starts):
            return self.stack
        if address in self.program.starts:
            # A jump to the start of a function is its caller's last deed.
            self.stack = (self.stack if called else self.stack[:-1]) + [function]
        elif function in self.stack:
            index = len(self.stack) - 1 - self.stack[::-1].index(function)
            self.stack = self.stack[:index + 1]
        else:
            self.stack = [function]
        return self.stack

    def enter(self):
        """The program was entered from below, by an exception: nothing of it is under way."""
        self.stack, self.last = [], None


def tree_of(counts):
    """{(outermost, ..., function): instructions} as a tree: [instructions in all, {name: tree}]."""
    root = [0, {}]
    for path, count in counts.items():
        node = root
        node[0] += count
        for name in path:
            node = node[1].setdefault(name, [0, {}])
            node[0] += count
    return root


def depth_of(node):
    return 1 + max((depth_of(child) for child in node[1].values()), default=0)


def colour(name, depth):
    """Warm, and the same for the same name everywhere."""
    mixed = zlib.crc32(name.encode())
    if depth == 0:
        return "#a8c5e8"
    return "rgb(%d,%d,%d)" % (225 + mixed % 30, 120 + (mixed >> 8) % 100, 60 + (mixed >> 16) % 50)


def draw(parts, node, names, left, scale, depth, height, operations):
    for name, child in sorted(node[1].items(), key=lambda item: -item[1][0]):
        width = child[0] * scale
        if width >= NARROWEST:
            top = height - MARGIN - (depth + 1) * LAYER
            parts.append('<g><title>%s: %s instructions, %.1f %%</title>' %
                         (html.escape(" > ".join(names + [name])), "{:,.1f}".format(child[0] / operations),
                          100 * width / WIDTH))
            parts.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="1" fill="%s"/>' %
                         (left, top, max(width - 0.5, 0.2), LAYER - 1, colour(name, depth)))
            shown = name[:max(0, int((width - 4) / CHARACTER))]
            if len(shown) >= min(3, len(name)):
                parts.append('<text x="%.1f" y="%d">%s</text>' % (left + 2, top + LAYER - 5, html.escape(shown)))
            parts.append("</g>")
            draw(parts, child, names + [name], left, scale, depth + 1, height, operations)
        left += width


def picture(counts, title, operations=1.0):
    """Returns the SVG file of {(outermost, ..., function): instructions}, which are those of so many operations."""
    root = tree_of(counts)
    height = depth_of(root) * LAYER + 2 * MARGIN + 12
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d"><style>%s</style>' %
             (WIDTH, height, WIDTH, height, STYLE),
             '<rect width="%d" height="%d" fill="#fffdf8"/><text x="4" y="14">%s</text>' %
             (WIDTH, height, html.escape(title))]
    draw(parts, root, [], 0.0, WIDTH / max(root[0], 1), 0, height, operations)
    return "\n".join(parts) + "\n</svg>\n"
