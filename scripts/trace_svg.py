#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draws the path of one fault through kernel, memsrv, pager and disk, out of a record of trace events.

Usage: trace_svg.py [--fault ID] < RECORD > PICTURE
RECORD is what `trace record` writes, or any text with such a line in it. Without an ID it is the longest fault that a
disk had a part in, or the longest.
"""

import argparse
import html
import json
import sys

LANES = (("program", "#2563a8"), ("memsrv", "#15803d"), ("pager", "#7e22ce"), ("disk", "#c2410c"))
WIDTH, LEFT, TOP, LANE, BAR = 960, 90, 64, 62, 22
LANE_OF = {"kernel": 0, "memsrv": 1, "pager": 2}
SLICE_NAMES = {"mm_page_fault": "the thread waits", "handle_mm_fault": "handle_mm_fault", "block_rq_issue": "transfer",
               "mm_vmscan_direct_reclaim_begin": "reclaim"}


def read_events(text):
    for line in text.splitlines():
        if line.startswith("{") and "traceEvents" in line:
            return [event for event in json.loads(line)["traceEvents"] if event["ph"] != "M"]
    raise SystemExit("there is no record of events in the input")


def fault_of(event):
    return event["args"]["fault"]


def choose(events):
    """The longest fault of those with most lanes."""
    faults = {}
    for event in events:
        if fault_of(event):
            faults.setdefault(fault_of(event), []).append(event)
    whole = {number: some for number, some in faults.items()
             if {"b", "e"} <= {event["ph"] for event in some if event["name"] == "mm_page_fault"}}
    if not whole:
        raise SystemExit("no fault was recorded whole")

    def weight(some):
        return (any(event["name"] == "block_rq_issue" for event in some), some[-1]["ts"] - some[0]["ts"])
    return max(whole, key=lambda number: weight(whole[number]))


def lane_of(event):
    return len(LANES) - 1 if event["name"].startswith("block_rq") else LANE_OF[event["cat"]]


def slices_of(events):
    """(lane, name, start, end) of what takes time, (lane, name, time) of moments."""
    open_slices, slices, moments = {}, [], []
    for event in events:
        key = (event["name"], event.get("id"))
        if event["ph"] == "b":
            open_slices[key] = event["ts"]
        elif event["ph"] == "e" and key in open_slices:
            slices.append((lane_of(event), SLICE_NAMES.get(event["name"], event["name"]), open_slices.pop(key), event["ts"]))
        elif event["ph"] == "i":
            moments.append((lane_of(event), event["name"], event["ts"]))
    return slices, moments


class Scale:
    """Places in the picture: each stretch between two events is drawn by the square root of its length, so that short ones
    can be seen beside long ones."""

    def __init__(self, times):
        self.times = sorted(set(times))
        self.places = [0.0]
        for before, after in zip(self.times, self.times[1:]):
            self.places.append(self.places[-1] + max((after - before) ** 0.5, 0.8))
        factor = (WIDTH - LEFT - 30) / (self.places[-1] or 1)
        self.places = [LEFT + place * factor for place in self.places]

    def __call__(self, time):
        return self.places[self.times.index(time)]


def draw(events, number):
    own = [event for event in events if fault_of(event) == number]
    slices, moments = slices_of(own)
    start = own[0]["ts"]
    place = Scale([event["ts"] for event in own])
    height = TOP + LANE * len(LANES) + 40
    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' %
             (WIDTH, height), '<rect width="100%" height="100%" fill="#fff"/>',
             '<text x="12" y="26" font-size="16">One fault: %.1f µs from the abort until the thread goes on</text>' %
             (max(end for lane, _, _, end in slices if lane == 0) - start),
             '<text x="12" y="46" fill="#57534e">Process %d at address 0x%x. Widths are square roots of times.</text>' %
             (own[0]["args"]["process"], own[0]["args"]["a"])]
    for lane, (name, colour) in enumerate(LANES):
        y = TOP + LANE * lane
        parts.append('<line x1="%d" x2="%d" y1="%d" y2="%d" stroke="#ddd"/>' % (LEFT, WIDTH - 20, y + BAR, y + BAR))
        parts.append('<text x="12" y="%d" fill="%s">%s</text>' % (y + 16, colour, name))
    for lane, name, begin, end in slices:
        y = TOP + LANE * lane
        x, width = place(begin), max(place(end) - place(begin), 2)
        parts.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" rx="3" fill="%s" fill-opacity=".75"/>' %
                     (x, y, width, BAR, LANES[lane][1]))
        label = "%s, %.1f µs" % (name, end - begin)
        inside = width > 7 * len(label)
        parts.append('<text x="%.1f" y="%d" fill="%s">%s</text>' %
                     (x + (6 if inside else 0), y + (15 if inside else BAR + 13), "#fff" if inside else "#333",
                      html.escape(label)))
    for count, (lane, name, time) in enumerate(moments):
        y = TOP + LANE * lane
        parts.append('<circle cx="%.1f" cy="%d" r="4" fill="%s"/>' % (place(time), y + BAR // 2, LANES[lane][1]))
        late = place(time) > WIDTH - 200
        parts.append('<text x="%.1f" y="%d" fill="#333" font-size="10" text-anchor="%s">%s</text>' %
                     (place(time) + (-3 if late else 3), y + BAR + 13 + 11 * (count % 2), "end" if late else "start",
                      html.escape(name)))
    for event in own[1:-1]:
        parts.append('<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" stroke="#0001"/>' %
                     (place(event["ts"]), place(event["ts"]), TOP, height - 40))
    for time in (start, own[-1]["ts"]):
        parts.append('<text x="%.1f" y="%d" text-anchor="%s" fill="#57534e">%.1f µs</text>' %
                     (place(time), height - 14, "start" if time == start else "end", time - start))
    return "\n".join(parts) + "\n</svg>\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fault", type=lambda text: int(text, 0), help="its number")
    options = parser.parse_args()
    events = read_events(sys.stdin.read())
    sys.stdout.write(draw(events, options.fault or choose(events)))


if __name__ == "__main__":
    main()
