# SPDX-License-Identifier: MIT
"""Commands for gdb-multiarch, attached to `./quire run --gdb`:  source scripts/quire_gdb.py

quire cpus               what every CPU runs
quire threads            all threads
quire thread ADDRESS     a thread: where it is, what it waits for, its last fault
quire spaces             all address spaces
quire space ADDRESS      an address space
quire entry SPACE VA     the translation of a user address, table by table
quire frame PFN          what the frame table says

With memsrv's symbols (add-symbol-file build/.../sbin-memsrv.elf), whatever runs now:

quire vmas PID           the memory areas of a process
quire zones              zones of memory, with their free blocks
quire slabs              memsrv's caches of objects

All of them want the machine stopped in the kernel, where all memory can be seen.
"""

import struct

import gdb

STATES = ("stopped", "runnable", "sending", "receiving", "calling", "waiting", "faulted")
FRAME_TYPES = ("none", "kernel", "user", "table", "object")
OBJECT_TYPES = ("none", "thread", "address space", "endpoint", "notification", "reply", "irq", "table", "physical",
                "slots")
FRAME_OBJECT, OBJECT_THREAD, OBJECT_SPACE = 4, 1, 2
DIRECT_BASE = 0xffff800000000000
WINDOW_BASE, WINDOW_SIZE = 0x400000000000, 0x8000000000
ADDRESS_BITS = 0x0000fffffffff000
VALID, TABLE = 1, 2
PAGE_SIZE, HUGE_PAGE_SIZE = 4096, 2 << 20
THREAD_STRIDE, SPACE_STRIDE = 1344, 256
FRAME_SECTION = 1 << 15


def value(expression):
    return gdb.parse_and_eval(expression)


def name(names, number):
    return names[number] if number < len(names) else "?%d" % number


# --- The kernel's objects ----------------------------------------------------------------------------------------

def frames():
    """(pfn, references, type, kind) of every frame that the kernel has an entry for."""
    inferior = gdb.selected_inferior()
    for section in range(int(value("frames.end")) // FRAME_SECTION + 1):
        entries = int(value("frames.sections[%d]" % section))
        if not entries:
            continue
        data = bytes(inferior.read_memory(entries, FRAME_SECTION * 8))
        for index, (references, kind_of, kind, _) in enumerate(struct.iter_unpack("<IBBH", data)):
            yield section * FRAME_SECTION + index, references, kind_of, kind


def objects(kind, stride, type_name):
    """The objects of a kind: those in frames of it whose header says that they are there."""
    pointer = gdb.lookup_type(type_name).pointer()
    for pfn, references, frame_type, frame_kind in frames():
        if frame_type != FRAME_OBJECT or frame_kind != kind or not references:
            continue
        for place in range(PAGE_SIZE // stride):
            thing = gdb.Value(DIRECT_BASE + pfn * PAGE_SIZE + place * stride).cast(pointer).dereference()
            if int(thing["header"]["type"]) == kind:
                yield thing


def badge_of(space):
    return int(space["handler"]["badge"]) if int(space.address) else 0


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


def show_threads():
    for thread in objects(OBJECT_THREAD, THREAD_STRIDE, "struct thread"):
        space = thread["aspace"]
        pid = badge_of(space.dereference()) if int(space) else 0
        print("0x%x pid %-4d number %-3d %-9s cpu %d priority %2d (%2d) pc 0x%x" %
              (int(thread.address), pid, thread["number"], name(STATES, int(thread["state"])), thread["cpu"],
               thread["priority"], thread["effective"], thread["context"]["pc"]))


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


def show_spaces():
    for space in objects(OBJECT_SPACE, SPACE_STRIDE, "struct aspace"):
        print("0x%x pid %-4d identifier %-4d %4d tables %3d spare %3d threads%s" %
              (int(space.address), badge_of(space), space["identifier"], space["table_count"], space["spare_count"],
               space["users"], ", memsrv: it sees all memory" if int(space["window"]) else ""))


def show_space(address):
    space = value("*(struct aspace *)%s" % address)
    print("identifier %d, %d tables and %d spare, %d threads, root register 0x%x, handler's badge 0x%x" %
          (space["identifier"], space["table_count"], space["spare_count"], space["users"], space["root"],
           space["handler"]["badge"]))


def walk(top, address):
    """(level, index, entry) of each table on the way to a user address."""
    table = top
    for level in range(4):
        index = address >> (39 - 9 * level) & 511
        entry = int(value("((uint64_t *)0x%x)[%d]" % (table, index)))
        yield level, index, entry
        if level == 3 or entry & (VALID | TABLE) != VALID | TABLE:
            return
        table = DIRECT_BASE + (entry & ADDRESS_BITS)


def show_entry(space, address):
    for level, index, entry in walk(int(value("((struct aspace *)%s)->top" % space)), int(value(address))):
        print("level %d, index %3d: 0x%016x" % (level, index, entry))


def show_frame(pfn):
    number = int(value(pfn))
    section = int(value("frames.sections[%d]" % (number // FRAME_SECTION)))
    if not section:
        print("the kernel has no entry for it")
        return
    frame = value("frames.sections[%d][%d]" % (number // FRAME_SECTION, number % FRAME_SECTION))
    kind = int(frame["kind"])
    print("%s%s, count %d" % (name(FRAME_TYPES, int(frame["type"])),
                              " of " + name(OBJECT_TYPES, kind) if kind else "", frame["references"]))


# --- memsrv's structures, by way of its own translations -----------------------------------------------------------

class Memsrv:
    """memsrv's memory, as its translations show it: it need not be what runs now."""

    def __init__(self):
        self.top = next((int(space["top"]) for space in objects(OBJECT_SPACE, SPACE_STRIDE, "struct aspace")
                         if int(space["window"])), 0)
        if not self.top:
            raise gdb.GdbError("there is no space of memsrv")

    def physical(self, address):
        if WINDOW_BASE <= address < WINDOW_BASE + WINDOW_SIZE:
            return address - WINDOW_BASE
        level, _, entry = list(walk(self.top, address))[-1]
        if not entry & VALID or level < 2:
            raise gdb.GdbError("memsrv has nothing at 0x%x" % address)
        size = PAGE_SIZE if level == 3 else HUGE_PAGE_SIZE
        return (entry & ADDRESS_BITS & ~(size - 1)) + address % size

    def read(self, address, size):
        data = b""
        while len(data) < size:
            part = min(size - len(data), PAGE_SIZE - address % PAGE_SIZE)
            data += bytes(gdb.selected_inferior().read_memory(DIRECT_BASE + self.physical(address), part))
            address += part
        return data

    def value(self, address, kind):
        return gdb.Value(self.read(address, kind.sizeof), kind)

    def variable(self, expression):
        """A variable of memsrv's, or a part of one."""
        kind = gdb.lookup_static_symbol(expression) or gdb.lookup_global_symbol(expression)
        if not kind:
            raise gdb.GdbError("no symbol %s: add-symbol-file build/.../sbin-memsrv.elf first" % expression)
        # The linker's optimiser may have given a static variable another name, under which alone it has an address.
        for candidate in (expression, expression + ".lto_priv", expression + ".lto_priv.0"):
            try:
                return int(value("(long)&'%s'" % candidate)), kind.type
            except gdb.error:
                continue
        raise gdb.GdbError("%s has no address" % expression)

    def text(self, address):
        data = b""
        while len(data) < 64 and b"\0" not in data:
            data += self.read(address + len(data), 1)
        return data.split(b"\0")[0].decode("ascii", "replace")


def offset(kind, *fields):
    place = 0
    for field in fields:
        member = kind[field]
        place += member.bitpos // 8
        kind = member.type.strip_typedefs()
    return place


def find_space(memsrv, pid):
    base, kind = memsrv.variable("spaces")
    element = kind.target()
    for index in range(kind.range()[1] + 1):
        address = base + index * element.sizeof
        number = struct.unpack("<Q", memsrv.read(address + offset(element, "pid"), 8))[0]
        if number == pid:
            return address, element
    raise gdb.GdbError("memsrv has no space of process %d" % pid)


def show_vmas(pid):
    memsrv = Memsrv()
    address, space = find_space(memsrv, int(value(pid)))
    area = gdb.lookup_type("struct vma")
    head = address + offset(space, "areas", "areas")
    link = struct.unpack("<Q", memsrv.read(head, 8))[0]
    while link != head:
        vma = memsrv.value(link - offset(area, "link"), area)
        flags = int(vma["flags"])
        print("%012x-%012x %s%s%s%s flags 0x%06x offset 0x%x object 0x%x" %
              (vma["start"], vma["end"], "r" if flags & 1 else "-", "w" if flags & 2 else "-",
               "x" if flags & 4 else "-", "s" if flags & 8 else "p", flags, vma["offset"], int(vma["object"])))
        link = int(vma["link"]["next"])


def show_zones():
    memsrv = Memsrv()
    base, kind = memsrv.variable("zones")
    element = kind.target()
    for index in range(kind.range()[1] + 1):
        zone = memsrv.value(base + index * element.sizeof, element)
        if not int(zone["managed_pages"]):
            continue
        print("%-6s pages 0x%x-0x%x: managed %d, free %d, deferred %d, min %d, low %d, high %d" %
              (memsrv.text(int(zone["name"])), zone["start_pfn"], zone["end_pfn"], zone["managed_pages"],
               zone["free_pages"], zone["deferred_pages"], zone["watermarks"][0], zone["watermarks"][1],
               zone["watermarks"][2]))
        areas = zone["free_areas"]
        print("       free blocks by order: " +
              " ".join(str(sum(int(areas[order]["count"][migrate]) for migrate in range(3))) for order in range(11)))


def show_slabs():
    memsrv = Memsrv()
    base, array = memsrv.variable("caches")
    kind = gdb.lookup_type("struct kmem_cache")
    for address in struct.unpack("<%dQ" % (array.range()[1] + 1), memsrv.read(base, array.sizeof)):
        if not address:
            break
        cache = memsrv.value(address, kind)
        print("%-20s object %5d bytes, %5d apart; %4d slabs, %5d pages, room for %6d objects, %d failures, %d reports" %
              (memsrv.text(int(cache["name"])), cache["object_size"], cache["size"], cache["slabs"], cache["pages"],
               cache["objects_total"], cache["failures"], cache["reports"]))


class Quire(gdb.Command):
    __doc__ = __doc__
    ACTIONS = {"cpus": (show_cpus, 0), "threads": (show_threads, 0), "thread": (show_thread, 1),
               "spaces": (show_spaces, 0), "space": (show_space, 1), "entry": (show_entry, 2),
               "frame": (show_frame, 1), "vmas": (show_vmas, 1), "zones": (show_zones, 0), "slabs": (show_slabs, 0)}

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
