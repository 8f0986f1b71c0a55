# SPDX-License-Identifier: MIT
"""Commands for gdb-multiarch, attached to `./quire run --gdb`:  source scripts/quire_gdb.py

quire cpus               what every CPU runs
quire thread ADDRESS     a thread: where it is, what it waits for, its last fault
quire space ADDRESS      an address space
quire entry SPACE VA     the translation of a user address, table by table
quire frame PFN          what the frame table says
"""

import gdb

STATES = ("stopped", "runnable", "sending", "receiving", "calling", "waiting", "faulted")
FRAME_TYPES = ("none", "kernel", "user", "table", "object")
OBJECT_TYPES = ("none", "thread", "address space", "endpoint", "notification", "reply", "irq", "table", "physical",
                "slots")
DIRECT_BASE = 0xffff800000000000
ADDRESS_BITS = 0x0000fffffffff000
VALID, TABLE = 1, 2


def value(expression):
    return gdb.parse_and_eval(expression)


def name(names, number):
    return names[number] if number < len(names) else "?%d" % number


def show_cpus():
    for index in range(int(value("machine.cpu_count"))):
        cpu = value("cpus[%d]" % index)
        thread = cpu["current"]
        if not int(thread):
            print("cpu %d: idle" % index)
            continue
        print("cpu %d: thread 0x%x, number %d, priority %d (effective %d), space 0x%x, pc 0x%x" %
              (index, int(thread), thread["number"], thread["priority"], thread["effective"], int(thread["aspace"]),
               thread["context"]["pc"]))


def show_thread(address):
    thread = value("*(struct thread *)%s" % address)
    print("number %d, %s on cpu %d, priority %d (effective %d)" %
          (thread["number"], name(STATES, int(thread["state"])), thread["cpu"], thread["priority"],
           thread["effective"]))
    print("pc 0x%x, sp 0x%x, space 0x%x, table 0x%x" %
          (thread["context"]["pc"], thread["context"]["sp"], int(thread["aspace"]), int(thread["table"])))
    print("waits on 0x%x, reply object 0x%x, member of endpoint 0x%x" %
          (int(thread["waiting_on"]), int(thread["reply"]), int(thread["member"])))
    fault = thread["fault"]
    print("last fault: address 0x%x, access 0x%x, instruction 0x%x, entry 0x%x" %
          (fault["address"], fault["access"], fault["instruction"], fault["entry"]))


def show_space(address):
    space = value("*(struct aspace *)%s" % address)
    print("identifier %d, %d entries, %d tables and %d spare, %d threads, root register 0x%x, handler's badge 0x%x" %
          (space["identifier"], space["entries"], space["table_count"], space["spare_count"], space["users"],
           space["root"], space["handler"]["badge"]))


def show_entry(space, address):
    table = int(value("((struct aspace *)%s)->top" % space))
    address = int(value(address))
    for level in range(4):
        index = address >> (39 - 9 * level) & 511
        entry = int(value("((uint64_t *)0x%x)[%d]" % (table, index)))
        print("level %d, index %3d: 0x%016x" % (level, index, entry))
        if level == 3 or entry & (VALID | TABLE) != VALID | TABLE:
            return
        table = DIRECT_BASE + (entry & ADDRESS_BITS)


def show_frame(pfn):
    frame = value("frames.frames[%s - frames.first]" % pfn)
    kind = int(frame["kind"])
    print("%s%s, count %d" % (name(FRAME_TYPES, int(frame["type"])),
                              " of " + name(OBJECT_TYPES, kind) if kind else "", frame["references"]))


class Quire(gdb.Command):
    __doc__ = __doc__
    ACTIONS = {"cpus": (show_cpus, 0), "thread": (show_thread, 1), "space": (show_space, 1), "entry": (show_entry, 2),
               "frame": (show_frame, 1)}

    def __init__(self):
        super().__init__("quire", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        action, count = self.ACTIONS.get(words[0] if words else "", (None, 0))
        if not action or len(words) != count + 1:
            print(__doc__)
            return
        action(*words[1:])


Quire()
