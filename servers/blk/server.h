/* SPDX-License-Identifier: MIT */
/*
 * The block server's state, and what its files offer each other. One thread does everything.
 *
 * A request is in exactly one place: free, in its disk's queue, in a slot of the device, or, when it has ended, in its
 * session's list until that collects it.
 */
#ifndef BLK_SERVER_H
#define BLK_SERVER_H

#include <base/list.h>
#include <block/partition.h>
#include <proto/blk_dispatch.h>
#include <proto/blk_start.h>

#include "sd_card.h"
#include "virtio_blk.h"

_Static_assert(SECTOR_BYTES == BLK_SECTOR_BYTES && BLK_PAGE_SECTORS * SECTOR_BYTES == PAGE_SIZE, "units agree");
_Static_assert(BLK_REQUEST_PAGES + 2 == VIRTQUEUE_SEGMENTS_MAX, "a request is a header, its pages and a status");

#define SESSIONS_MAX 8u
#define WAITERS_MAX  16u
#define REQUESTS_MAX (SESSIONS_MAX * BLK_SESSION_REQUESTS + WAITERS_MAX)
#define VOLUMES_MAX  (BLK_DISKS_MAX * (1 + PARTITIONS_MAX))

/* Requests of a program that come and go while others of it are on their way. */
struct session {
    uint64_t pid;    /* 0: nobody's */
    uint64_t number; /* what the program knows it by; 0: the program has ended, and some of its requests have not */
    uint64_t notification, bits;
    unsigned count;    /* requests, the ended ones included */
    struct list ended; /* struct request, in the order of their ends */
    bool news;         /* a request has ended, and the program has not been told */
};

struct request {
    struct list link;
    struct session *session; /* NULL: a caller waits, held by `reply` */
    uint64_t reply;
    uint64_t pid; /* of who asked */
    uint64_t tag;
    uint64_t operation; /* BLK_READ, BLK_WRITE, BLK_FLUSH */
    uint64_t sector;    /* of the disk */
    uint64_t count;     /* sectors */
    bool on_its_way;    /* it has not ended */
    uint64_t deadline;  /* ns: when it has been with the device for too long */
    int status;         /* when it has ended */
    uint64_t frames[BLK_REQUEST_PAGES];
};

/* What the device sees of a request besides its pages. */
struct request_frame {
    struct virtio_blk_header header;
    uint8_t status;
    uint8_t unused[15];
};

/* Memory of a disk that the device sees, in one piece. */
struct disk_memory {
    struct virtqueue_memory queue;
    struct request_frame frames[VIRTQUEUE_SLOTS_MAX];
    _Alignas(4096) uint8_t page[4096]; /* for the partition table */
};

/* What tests have injected. */
struct injection {
    uint64_t fault; /* BLK_FAULT_* */
    uint64_t operations;
    uint64_t first, end; /* sectors of the disk */
};

struct disk;

/* A kind of disk. What is said to end with an error has EIO, unless it says another. */
struct disk_kind {
    const char *name;      /* of such disks, before their letter or number */
    const char *separator; /* between that and a partition's number */
    char first;            /* the first one's letter or number */
    size_t memory_bytes;   /* that a disk needs in one piece, seen by the device */

    /* Resets the device, which uses nobody's memory then, and sets it to work. Sets the disk's sectors, block_bytes,
     * read_only and cached. ENXIO: there is none, and nothing is wrong. */
    int (*start)(struct disk *disk);

    /* Whether give() may be called. */
    bool (*has_room)(const struct disk *disk);

    /* Gives the device a request and puts it into a slot; several, then notify(). An error: the request goes nowhere. */
    int (*give)(struct disk *disk, struct request *request);
    void (*notify)(struct disk *disk);

    /* Withdraws the interrupt and does what it asks for. False: the device says that it is broken. */
    bool (*acknowledge)(struct disk *disk);

    /* Takes a request that the device has done with out of its slot. 1: there was one, and *status is how it ended; 0:
     * none; EIO: the device says what cannot be. */
    int (*take)(struct disk *disk, struct request **request, int *status);

    /* Resets the device for good; an error: it may go on using memory. */
    int (*stop)(struct disk *disk);

    /* While the server starts: reads up to a page of sectors, or the serial number into `text` of
     * VIRTIO_BLK_SERIAL_BYTES + 1. ETIMEDOUT: the disk is broken then. */
    int (*read_now)(struct disk *disk, uint64_t sector, uint32_t count, void *bytes);
    int (*read_serial)(struct disk *disk, char *text);
};
extern const struct disk_kind virtio_kind, sd_kind;

struct disk {
    const struct disk_kind *kind;
    unsigned number;
    unsigned place; /* among those of its kind */
    uint64_t irq_slot;
    bool broken; /* it has been reset, and all requests fail */
    bool absent; /* a reader without a card */
    uint64_t sectors;
    uint32_t block_bytes;
    bool read_only, cached;
    union {
        struct {
            const struct virtio_transport *transport;
            struct virtio_blk device;
            struct virtqueue queue;
        };
        struct sd_card card;
    };
    union {
        void *shared; /* memory that the device sees */
        struct disk_memory *memory;
    };
    uint64_t physical;         /* of the memory */
    struct list waiting;       /* struct request: not given to the device yet */
    struct list held;          /* struct request: by an injected fault */
    struct list lost;          /* struct request: the same, and the device is said to have them */
    struct virtio_place where; /* SD: the registers alone */
    struct request *slots[VIRTQUEUE_SLOTS_MAX];
    struct injection injection;
    struct blk_counts counts;
};

struct volume {
    struct disk *disk;
    struct blk_volume record;
};

struct blk_context {
    struct disk disks[BLK_DISKS_MAX];
    unsigned disk_count;
    struct volume volumes[VOLUMES_MAX]; /* their ids are one more than their places */
    unsigned volume_count;
    struct session sessions[SESSIONS_MAX];
    uint64_t next_session;
    struct request requests[REQUESTS_MAX];
    struct list free_requests;
    bool settling;     /* a program has ended, and requests of it have not */
    uint64_t reply;    /* holds the caller of the request in hand */
    uint64_t arriving; /* empty slot for a notification that comes with a message */
    uint64_t spare_replies[WAITERS_MAX];
    size_t spare_count;
};

/* --- start.c --- */

/* Starts the server and the disk of each argument; one that cannot be used is logged and left out. Ends the program if the server
 * itself cannot start. */
void server_start(struct blk_context *context, int argument_count, char **arguments);

/* --- disk.c --- */

/* Starts a disk, of which kind, transport and place are known. A negative errno: it is of no use. */
PROTO_MUST_CHECK int disk_start(struct disk *disk);

/* Takes a request, which ends later or, if the disk is broken, before this returns. */
void disk_submit(struct blk_context *context, struct disk *disk, struct request *request);

/* Gives the device what waits, as far as it has room. After one or more disk_submit(). */
void disk_run(struct blk_context *context, struct disk *disk);

/* Takes what the device has done with. */
void disk_interrupt(struct blk_context *context, struct disk *disk);

/* Ends what a device has had for too long, and resets the device. To be called every now and then. */
void disk_check_patience(struct blk_context *context, struct disk *disk);

/* Injects a fault; requests that were held go on. */
void disk_inject(struct blk_context *context, struct disk *disk, const struct injection *injection);

/* Writes a line about the disk into the log. */
void disk_say(const struct disk *disk, const char *text);

/* Reads sectors while the server starts: nothing else is on its way. 0, EIO, or ETIMEDOUT: the disk is broken then. */
PROTO_MUST_CHECK int disk_read_now(struct disk *disk, uint64_t sector, uint32_t count, void *bytes);

/* --- volumes.c --- */

/* Makes the volumes of a disk that was started: itself, and its partitions. */
void volumes_add(struct blk_context *context, struct disk *disk);

/* The volume of a number; NULL: none. */
struct volume *volume_find(struct blk_context *context, uint64_t id);

/* --- request.c --- */

/* Takes a free request; NULL: none. */
struct request *request_new(struct blk_context *context);

/* A request has ended: its session, or the caller that waits, gets to know. It is not in any list. */
void request_end(struct blk_context *context, struct request *request, int status);

/* Gives a request back that is in no list. */
void request_free(struct blk_context *context, struct request *request);

/* True if requests of the program have not ended. */
PROTO_MUST_CHECK bool requests_on_their_way(const struct blk_context *context, uint64_t pid);

/* True if the page frames are what a request of so many sectors needs. */
PROTO_MUST_CHECK bool frames_are_right(const uint64_t *frames, size_t count, uint64_t sectors);

/* Checks where and how a request goes, all but its page frames. EINVAL, ENXIO, EROFS as the protocol has them. */
PROTO_MUST_CHECK int transfer_check(const struct volume *volume, const struct blk_transfer *transfer);

/* Makes a request out of what was checked. */
void request_fill(struct request *request, const struct volume *volume, const struct blk_transfer *transfer,
                  const uint64_t *frames);

/* --- session.c --- */

/* Process number of who sent a message. */
static inline uint64_t caller_of(const struct message *request)
{
    return request->badge & ~BADGE_RIGHTS;
}

/* Tells the sessions that have news. */
void sessions_tell(struct blk_context *context);

/* Makes what belongs to programs that have ended nobody's, as soon as no device uses their memory. */
void programs_settle(struct blk_context *context);

#endif
