/* SPDX-License-Identifier: MIT */
/*
 * The file server's memory for host tests: counted, so that leaks show, and able to fail.
 */
#ifndef UNIT_FS_MEMORY_H
#define UNIT_FS_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#define FS_MEMORY_NEVER_FAIL UINT64_MAX

struct fs_test_memory {
    uint64_t calls;  /* of fs_allocate() and fs_page_get() */
    uint64_t blocks; /* not given back */
    uint64_t pages;
    uint64_t fail_at;      /* the call that fails, counted from 0 */
    unsigned fail_percent; /* of all calls that fail */
    bool failed;           /* some call has; the test clears it */
};
extern struct fs_test_memory fs_test_memory;

#endif
