/* SPDX-License-Identifier: MIT */
/*
 * What all kernel objects have in common: a header with the type and the list of capabilities that name the object.
 * Objects live in donated frames, several of one type in a frame; frame.h counts them. Lock: the kernel lock, for
 * every field of every object.
 */
#ifndef KERNEL_OBJECT_H
#define KERNEL_OBJECT_H

#include <stdint.h>

#include <quire/abi.h>

struct cap;

struct object {
    struct cap *caps; /* every capability to this object, linked through cap.next */
    uint32_t type;    /* enum cap_type; CAP_NONE: this place of the frame is empty */
    uint32_t reserved;
};

#endif
