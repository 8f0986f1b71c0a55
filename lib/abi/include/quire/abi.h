/* SPDX-License-Identifier: MIT */
/*
 * The kernel's binary interface: system call numbers, capability types and rights, messages, map items, boot
 * information. Everything here is shared by kernel/ and by user space, so it holds constants and plain structures
 * only. docs/abi.md explains the meaning of each; <quire/syscall.h> has the C functions that make the calls.
 *
 * Conventions: addresses are bytes, `pfn` is a physical address divided by 4096, `pages` counts 4 KiB pages, times are
 * nanoseconds since boot (the same clock as clock_now_ns()). A result below zero is a negative errno value.
 */
#ifndef QUIRE_ABI_H
#define QUIRE_ABI_H

#include <stdint.h>

#define PAGE_SHIFT      12
#define PAGE_SIZE       (1UL << PAGE_SHIFT)
#define PAGE_MASK       (~(PAGE_SIZE - 1))
#define HUGE_PAGE_SHIFT 21
#define HUGE_PAGE_SIZE  (1UL << HUGE_PAGE_SHIFT)
#define HUGE_PAGE_ORDER (HUGE_PAGE_SHIFT - PAGE_SHIFT)

/* User addresses are below this; the upper half of the machine's address space is the kernel's. */
#define USER_VA_END (1UL << 47)

/* System calls: the immediate of the trap instruction on AArch64, a register on x86-64. */
enum syscall_number {
    SYS_GETCPU = 0,
    SYS_CALL = 1,
    SYS_REPLY_RECV = 2,
    SYS_RECV = 3,
    SYS_REPLY = 4,
    SYS_SIGNAL = 5,
    SYS_WAIT = 6,
    SYS_YIELD = 7,
    SYS_CAP_COPY = 8,
    SYS_CAP_DELETE = 9,
    SYS_CAP_QUERY = 10,
    SYS_THREAD_CONTROL = 11,
    SYS_OBJECT_CREATE = 12,
    SYS_OBJECT_DESTROY = 13,
    SYS_MAP = 14,
    SYS_UNMAP = 15,
    SYS_PROTECT = 16,
    SYS_HARVEST = 17,
    SYS_ASPACE_CONTROL = 18,
    SYS_IRQ_ACK = 19,
    SYS_SYSTEM = 20,
    SYS_NOTIFICATION_BIND = 21,
    SYS_IRQ_BIND = 22,
    SYS_SHARE = 23,
    SYS_IRQ_MESSAGE = 24,
    SYS_COUNT
};

/* What a capability names. CAP_SLOTS is no capability: it is the donated frame that makes a table longer. */
enum cap_type {
    CAP_NONE = 0,
    CAP_THREAD = 1,
    CAP_ASPACE = 2,
    CAP_ENDPOINT = 3,
    CAP_NOTIFICATION = 4,
    CAP_REPLY = 5,
    CAP_IRQ = 6,
    CAP_TABLE = 7,
    CAP_PHYSICAL = 8,
    CAP_SLOTS = 9,
    CAP_TYPE_COUNT
};

/* Rights. A copy has at most the rights of its source. The meaning of the first three depends on the type. */
#define RIGHT_SEND    0x01u /* endpoint: call; notification: signal; IRQ: acknowledge */
#define RIGHT_RECEIVE 0x02u /* endpoint: receive; notification: wait; reply: receive into and reply */
#define RIGHT_CONTROL 0x04u /* thread, address space, table, IRQ, physical: every other operation */
#define RIGHT_GRANT   0x08u /* endpoint: messages may carry capabilities */
#define RIGHT_COPY    0x10u /* the capability may be copied and sent on */
#define RIGHT_ALL     0x1fu

/* Slots of a table are numbered from 0 through all of its frames; slot 0 is never valid. */
#define SLOTS_PER_FRAME      128u
#define CAP_TABLE_FRAMES_MAX 256u

/* Where a new program finds its first capabilities; whoever spawns it fills these. */
enum standard_slot {
    SLOT_NONE = 0,
    SLOT_TABLE = 1,    /* this program's own capability table */
    SLOT_ASPACE = 2,   /* root and memsrv only */
    SLOT_THREAD = 3,   /* first thread */
    SLOT_PHYSICAL = 4, /* root and memsrv only */
    SLOT_MEMSRV = 5,   /* endpoint of memsrv, badged with this address space */
    SLOT_ROOT = 6,     /* endpoint of root, badged with the process number */
    SLOT_CONSOLE = 7,  /* endpoint of the console server, badged with the process number */
    SLOT_NOTIFICATION = 8,
    SLOT_SERVE = 9,   /* servers: the endpoint to receive from */
    SLOT_REPLY = 10,  /* servers: a first reply object */
    SLOT_IRQ = 11,    /* drivers: their interrupt */
    SLOT_DMA = 12,    /* memsrv's endpoint with the right to memory that devices reach; servers that use devices only */
    SLOT_FS = 13,     /* endpoint of the file server, badged with the process number; servers have none */
    SLOT_BLK = 15,    /* endpoint of the block server; who uses disks, and the first programs. Empty: no disk */
    SLOT_EVENTS = 16, /* the file server: the notification that is bound to SLOT_SERVE, to wake itself */
    SLOT_PAGER = 24,  /* endpoint of the pager; the file server, and the first programs. Empty: no pager */
    SLOT_FIRST_FREE = 32
};

/*
 * Messages. Six words travel in registers, further words (and capabilities) through the IPC buffer: one page that the
 * kernel and the thread share. The tag is: label (operation of a request, or status of a reply) in the upper half,
 * flags in bits 24..31 (set by the kernel alone), capability count in bits 16..18, buffer words in bits 0..8.
 */
#define MSG_REGISTERS    6
#define MSG_BUFFER_WORDS 448u
#define MSG_CAPS_MAX     4u

#define MSG_FLAG_NOTIFICATION 0x01u /* words[0] holds the bits of the endpoint's bound notification */
#define MSG_FLAG_FAULT        0x02u /* a fault; see struct fault_message */

#define MSG_TAG(label, words, caps) ((uint64_t)(uint32_t)(label) << 32 | (uint64_t)(caps) << 16 | (uint64_t)(words))
#define MSG_LABEL(tag)              ((int32_t)((tag) >> 32))
#define MSG_FLAGS(tag)              ((uint32_t)((tag) >> 24) & 0xffu)
#define MSG_CAPS(tag)               ((uint32_t)((tag) >> 16) & 7u)
#define MSG_WORDS(tag)              ((uint32_t)(tag)&0x1ffu)

struct ipc_buffer {
    uint64_t words[MSG_BUFFER_WORDS];
    uint64_t send_slots[MSG_CAPS_MAX];    /* capabilities to send, slots of the sender's table */
    uint64_t receive_slots[MSG_CAPS_MAX]; /* empty slots in which arriving capabilities are put; 0: not wanted */
    uint64_t user[56];                    /* the thread's own */
};
_Static_assert(sizeof(struct ipc_buffer) == PAGE_SIZE, "the IPC buffer is one frame");

/* A message as the C stubs see it; `badge` and `origin` are set by a receive. */
struct message {
    uint64_t tag;
    uint64_t words[MSG_REGISTERS];
    uint64_t badge;
    uint64_t origin; /* identifier of the fault that this request was made for, 0 if none */
};

/* The words of a message with MSG_FLAG_FAULT; the badge is that of the faulting address space's handler. */
struct fault_message {
    uint64_t address;
    uint64_t access; /* FAULT_* and the level in the low half, number of the space's spare tables in the upper half */
    uint64_t instruction;
    uint64_t entry;  /* the entry now at the address, as a harvest returns it; 0 if none */
    uint64_t thread; /* the number of the faulting thread, as its creator chose it */
    uint64_t reserved;
};
_Static_assert(sizeof(struct fault_message) == MSG_REGISTERS * sizeof(uint64_t), "a fault fills the registers");

#define FAULT_READ    0x1u
#define FAULT_WRITE   0x2u
#define FAULT_EXECUTE 0x4u
#define FAULT_PRESENT 0x8u /* an entry is there and its rights forbid the access */
#define FAULT_EXCEPTION                                                                                                \
    0x10u                 /* not a memory access: undefined instruction, alignment, breakpoint; entry: raw syndrome */
#define FAULT_KINDS 0xffu /* all of the above, and room for more */
/* Of a fault where no entry was: the level of the table that has none. FAULT_LEVEL_PAGES: other pages of the same
 * HUGE_PAGE_SIZE may be there; less: nothing was in all of it. */
#define FAULT_LEVEL_SHIFT          8
#define FAULT_LEVEL(access)        ((access) >> FAULT_LEVEL_SHIFT & 3u)
#define FAULT_LEVEL_PAGES          3u
#define FAULT_SPARE_TABLES(access) ((access) >> 32)

/* A reply to a fault with label FAULT_RESUME applies its map items and resumes the thread; any other label leaves
 * the thread stopped. Items are pairs of words: up to three in the registers, which a target of 0 ends, then as many
 * buffer words as the tag says. */
#define FAULT_RESUME 0

/*
 * Entries and map items. An entry names a frame and its rights; the kernel translates it to and from what the machine
 * wants. ENTRY_SOFT marks an entry that maps nothing and holds the upper 52 bits for its writer, e.g. a swap slot.
 */
#define ENTRY_READ     0x001UL
#define ENTRY_WRITE    0x002UL
#define ENTRY_EXECUTE  0x004UL
#define ENTRY_DEVICE   0x008UL /* not memory: ordered, uncached */
#define ENTRY_ACCESSED 0x010UL /* map: counted as accessed already */
#define ENTRY_DIRTY    0x020UL /* map: counted as written already; without it the first write is noted by the kernel */
#define ENTRY_SOFT     0x040UL
#define ENTRY_HUGE     0x080UL /* 2 MiB */
#define ENTRY_LAST     0x100UL /* unmap: no other entry maps the frame now */
#define ENTRY_TABLE    0x200UL /* unmap: a table shared with other spaces went; the upper bits count its entries */
#define ENTRY_SHARED   0x400UL /* harvest, fault: something else maps the frame, too, or reaches it by this very table */
#define ENTRY_FLAGS    0xfffUL
#define ENTRY_ADDRESS  0x0000fffffffff000UL

struct map_item {
    uint64_t target; /* user address, with MAP_ITEM_* in the low 12 bits */
    uint64_t entry;
};
#define MAP_ITEM_MAP          0x1UL /* install entry at target; EEXIST if one is there, unless MAP_ITEM_REPLACE */
#define MAP_ITEM_TABLE        0x2UL /* donate the frame entry>>12 as a spare translation table of the space */
#define MAP_ITEM_SOFT         0x3UL /* store a soft entry */
#define MAP_ITEM_PROMOTE      0x4UL /* give the page that is there more rights; EBUSY if something else maps its frame */
#define MAP_ITEM_SOFTEN       0x5UL /* a soft entry in the place of the page that is there, for all who use the table */
#define MAP_ITEM_KIND         0xfUL
#define MAP_ITEM_REPLACE      0x10UL /* the old frame, if any, loses this mapping */
#define MAP_ITEM_IF_READ_ONLY 0x20UL /* with REPLACE: EBUSY if the old entry can be written */
#define MAP_ITEM_IF_SHARED    0x40UL /* with REPLACE: EBUSY if nothing else maps the old frame */
#define MAP_ITEMS_MAX         (MSG_BUFFER_WORDS / 2)

/* What unmap and harvest put in the buffer: one for each entry found. */
struct map_result {
    uint64_t address;
    uint64_t entry;
};
#define UNMAP_KEEP_SOFT 0x1u /* soft entries stay */
/* With the rights of SYS_PROTECT: pages that something else maps, too, do not get ENTRY_WRITE. */
#define PROTECT_IF_LAST 0x1000UL

/* SYS_THREAD_CONTROL operations; arguments in this order after the capability and the operation. */
enum thread_operation {
    THREAD_CONFIGURE = 0,  /* aspace slot, table slot, IPC buffer pfn, IPC buffer address, number */
    THREAD_START = 1,      /* instruction pointer, stack pointer, argument */
    THREAD_STOP = 2,       /* EAGAIN: it runs on another CPU, which was told; ask again */
    THREAD_RESUME = 3,     /* makes a stopped thread run on from where it was */
    THREAD_PRIORITY = 4,   /* 0 (lowest) .. 63, at most the caller's own */
    THREAD_AFFINITY = 5,   /* bit mask of CPUs, at least one of them present */
    THREAD_READ = 6,       /* registers into the caller's IPC buffer: struct thread_registers */
    THREAD_WRITE = 7,      /* registers from the caller's IPC buffer; the thread must be stopped */
    THREAD_SET_EVENT = 8,  /* notification slot (0: none), bits signalled when the thread stops on a fault */
    THREAD_INFO = 9,       /* struct thread_info into the caller's IPC buffer */
    THREAD_INTERRUPT = 10, /* as STOP, for a signal; EBUSY: a server works for it, or a fault has stopped it */
    THREAD_OPERATION_COUNT
};
#define PRIORITY_COUNT 64u

#define GENERAL_REGISTERS 31u

struct thread_registers {
    uint64_t general[GENERAL_REGISTERS]; /* as <quire/arch/syscall.h> numbers them; what the machine has not is 0 */
    uint64_t stack_pointer;
    uint64_t instruction_pointer;
    uint64_t flags; /* only the condition flags can be set */
    uint64_t tls;
};

enum thread_state {
    THREAD_STATE_STOPPED = 0,
    THREAD_STATE_RUNNABLE = 1, /* or running */
    THREAD_STATE_SENDING = 2,  /* queued at an endpoint */
    THREAD_STATE_RECEIVING = 3,
    THREAD_STATE_CALLING = 4, /* received; waits for the reply */
    THREAD_STATE_WAITING = 5, /* at a notification */
    THREAD_STATE_FAULTED = 6, /* stopped by a fault that nobody took, or whose handler said so */
};

struct thread_info {
    uint64_t state; /* enum thread_state */
    uint64_t priority, effective_priority;
    uint64_t cpu;
    uint64_t number;
    uint64_t run_time;          /* ns that it has had a CPU, with what servers did for it there in its name */
    struct fault_message fault; /* last fault */
};

/* SYS_ASPACE_CONTROL operations. */
enum aspace_operation {
    ASPACE_SET_HANDLER = 0, /* endpoint slot (0: none), badge */
    ASPACE_TAKE_TABLES = 1, /* how many at most: pfns of spare tables, now plain frames, into words[]; returns count */
    ASPACE_INFO = 2,        /* returns spare tables; second result: tables in use, without the top one */
    ASPACE_OPERATION_COUNT
};

/* SYS_SYSTEM operations; all need CAP_PHYSICAL. */
enum system_operation {
    SYSTEM_POWER_OFF = 0, /* exit status (seen by an emulator) */
    SYSTEM_RESET = 1,
    SYSTEM_LOG = 2,          /* bytes (at most 3584) of the caller's buffer to the kernel's log device */
    SYSTEM_WINDOW = 3,       /* aspace slot: shows there, at WINDOW_BASE + physical address, every user frame */
    SYSTEM_FRAME_INFO = 4,   /* pfn: returns enum frame_type; second result: references */
    SYSTEM_KERNEL_CHECK = 5, /* part: checks it; returns 1: there is a next part, 0: that was all, EINVAL: broken */
    SYSTEM_TRACE = 6,        /* 1: events are written down from now on, 0: no more */
    SYSTEM_TRACE_READ =
        7, /* cpu, cursor: events from there on into the buffer; returns how many; second: next cursor */
    SYSTEM_FRAME_HOLD = 8, /* pfn: one reference more to a user frame, as if something mapped it; EBUSY: it is held */
    SYSTEM_FRAME_DROP = 9, /* pfn: takes that away; second result: references left; EINVAL: it is not held */
    SYSTEM_LOAD =
        10, /* lowest priority | highest << 8: of each CPU, how many queues of those have a thread that could run,
                        and whether one is running, added up; 0: nobody of these priorities could go on */
    SYSTEM_OPERATION_COUNT
};

/* Where memsrv sees all memory that it may touch. The kernel takes a frame out of it while the frame is its own. */
#define WINDOW_BASE 0x400000000000UL
#define WINDOW_SIZE 0x8000000000UL /* 512 GiB of physical addresses */

enum frame_type {
    FRAME_NONE = 0,   /* no memory there */
    FRAME_KERNEL = 1, /* the kernel's own since boot */
    FRAME_USER = 2,   /* free, or mapped: references count the mappings */
    FRAME_TABLE = 3,  /* translation table of some level: references count the entries in use */
    FRAME_OBJECT = 4, /* kernel objects of one type: references count the objects */
};

/* Objects of a type in one frame; `index` of SYS_OBJECT_CREATE is below this. */
#define OBJECTS_PER_FRAME_THREAD 3u
#define OBJECTS_PER_FRAME_ASPACE 16u
#define OBJECTS_PER_FRAME_SMALL  32u /* endpoint, notification, reply, IRQ */
#define OBJECTS_PER_FRAME_TABLE  1u

/* Boot information: one page that root finds mapped, read-only, at BOOT_INFO_ADDRESS. */
#define BOOT_INFO_ADDRESS  0x10000UL
#define BOOT_INFO_MAGIC    0x6572697571UL
#define BOOT_REGIONS_MAX   64u
#define BOOT_ARGUMENTS_MAX 1024u
#define BOOT_DRIVER_MAX    16u

enum boot_region_kind {
    BOOT_REGION_FREE = 1,     /* user frames that nobody uses */
    BOOT_REGION_KERNEL = 2,   /* image, frame table, tables */
    BOOT_REGION_ROOT = 3,     /* user frames that hold root's image, stack and tables */
    BOOT_REGION_ARCHIVE = 4,  /* user frames: the boot archive */
    BOOT_REGION_TREE = 5,     /* user frames: the device tree */
    BOOT_REGION_RESERVED = 6, /* the firmware's: never touched */
};

struct boot_region {
    uint64_t base, size; /* bytes, page-aligned */
    uint64_t kind;
};

struct boot_info {
    uint64_t magic;
    uint64_t cpu_count;
    uint64_t timer_frequency;            /* Hz of the counter that user space reads */
    uint64_t archive_base, archive_size; /* physical, bytes, exact */
    uint64_t tree_base, tree_size;
    uint64_t console_base, console_irq;   /* the UART of the tree's chosen node; its registers are on one page */
    char console_driver[BOOT_DRIVER_MAX]; /* what it is: the name of the console server's driver */
    uint64_t root_first_free_slot;
    uint64_t region_count;
    struct boot_region regions[BOOT_REGIONS_MAX];
    char arguments[BOOT_ARGUMENTS_MAX]; /* kernel command line, zero-terminated */
};
_Static_assert(sizeof(struct boot_info) <= PAGE_SIZE, "boot information is one page");

/* Deadlines of SYS_WAIT. */
#define DEADLINE_POLL  0UL
#define DEADLINE_NEVER UINT64_MAX

#endif
