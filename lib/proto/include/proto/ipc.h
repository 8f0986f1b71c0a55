/* SPDX-License-Identifier: MIT */
/*
 * What the generated stubs and dispatchers of all protocols share: the rules by which a description in lib/proto
 * becomes a message.
 *
 * Request: label = operation; the inputs in order in the registers, then the number of bytes of `data in` or the
 * capacity for `data out`, if the operation has them; the bytes themselves in the words of the IPC buffer.
 * Reply: label = 0 or a negative errno; the outputs in order, then the number of bytes of `data out`.
 */
#ifndef PROTO_IPC_H
#define PROTO_IPC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <proto/pids.h>
#include <quire/syscall.h>

#define PROTO_MUST_CHECK __attribute__((warn_unused_result))

/* In a badge: the caller may use operations that are `right privileged`. Root alone has such an endpoint. */
#define BADGE_PRIVILEGED (1UL << 63)

/* In a badge: the caller may use operations that are `right dma`: it may have memory that devices reach, and name page
 * frames for them to read and write. There is nothing between a device and memory, so whoever has this is trusted. */
#define BADGE_DMA (1UL << 62)

/* What a badge says of its caller besides its process number. */
#define BADGE_RIGHTS (BADGE_PRIVILEGED | BADGE_DMA)

/* Bytes that one message carries at most. */
#define PROTO_DATA_MAX (MSG_BUFFER_WORDS * sizeof(uint64_t))
_Static_assert(PROTO_DATA_MAX == 3584, "docs and servers say 3584");

/* What a dispatcher tells the loop that called it. A handler returns PROTO_PARKED, too, when it has kept the caller. */
#define PROTO_REPLY  0 /* the message now holds the reply */
#define PROTO_PARKED 1 /* no reply now: the caller was parked, or is gone */

/* Words that hold `bytes` bytes. */
static inline uint64_t proto_words(uint64_t bytes)
{
    return (bytes + sizeof(uint64_t) - 1) / sizeof(uint64_t);
}

/* The status in reply *m of a call that returned `result`: 0 or a negative errno. */
static inline int proto_status(long result, const struct message *m)
{
    if (result < 0)
        return (int)result;
    return MSG_LABEL(m->tag) > 0 ? -EPROTO : MSG_LABEL(m->tag);
}

/* True if *m carries `bytes` bytes of data in as many words as they need. */
static inline bool proto_data_fits(const struct message *m, uint64_t bytes)
{
    return bytes <= PROTO_DATA_MAX && MSG_WORDS(m->tag) == proto_words(bytes);
}

/* Deletes the capabilities that arrived with a request that is refused. */
static inline void proto_discard_caps(const struct message *m)
{
    for (uint32_t i = 0; i < MSG_CAPS(m->tag) && i < MSG_CAPS_MAX; i++) {
        if (ipc_buffer()->receive_slots[i] != SLOT_NONE) {
            long ignored = sys_cap_delete(SLOT_TABLE, ipc_buffer()->receive_slots[i]);
            (void)ignored; /* fails only if the slot is empty, which is what is wanted */
        }
    }
}

/* Makes *m a refusal with a negative errno. */
static inline void proto_refuse(struct message *m, int status)
{
    proto_discard_caps(m);
    m->tag = MSG_TAG(status, 0, 0);
    memset(m->words, 0, sizeof(m->words));
}

#endif
