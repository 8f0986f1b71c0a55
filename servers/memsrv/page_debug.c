/* SPDX-License-Identifier: MIT */
/* Watching pages come and go: poison, and trace events. See page_debug.h, trace.h. */
#include "page_debug.h"

#include <string.h>

#include "fail_alloc.h"
#include "log.h"
#include "trace.h"

#define KEY "quire.page_poison"
/* In private_data of a page that is free and filled: any number that no owner leaves there. */
#define MARK 0x706f69736f6e6564UL

bool page_poison_on;
static uint64_t reports; /* atomic */

void page_debug_init(const char *arguments)
{
    if (!strstr(arguments, KEY))
        return;
    page_poison_on = true;
    log_line("pages are poisoned when they are given back");
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        workers[i].watch |= WATCH_POISON;
    fail_alloc_set_source(&workers[0]); /* the others come here when they are made */
}

uint64_t page_debug_reports(void)
{
    return __atomic_load_n(&reports, __ATOMIC_RELAXED);
}

static void report(const struct page *page, uint64_t offset, uint8_t byte)
{
    uint64_t saved[MSG_BUFFER_WORDS];

    __atomic_fetch_add(&reports, 1, __ATOMIC_RELAXED);
    /* Whoever takes a page may have an answer in the buffer already. */
    memcpy(saved, ipc_buffer()->words, sizeof(saved));
    log_line("page 0x%lx: a write to a free page, +%lu, byte 0x%lx", page_pfn(page), offset, (uint64_t)byte);
    memcpy(ipc_buffer()->words, saved, sizeof(saved));
}

static void check_page(struct page *page)
{
    const uint8_t *const bytes = (const uint8_t *)page_window(page);

    if (page->private_data != MARK)
        return; /* it was free from the start */
    page->private_data = 0;
    for (uint64_t offset = 0; offset < PAGE_SIZE; offset++) {
        if (bytes[offset] != PAGE_POISON_BYTE) {
            report(page, offset, bytes[offset]);
            return;
        }
    }
}

void page_taken(struct memsrv_context *worker, struct page *page, unsigned order)
{
    trace_by(worker, TRACE_PAGE_ALLOC, page_pfn(page), order);
    for (uint64_t i = 0; (worker->watch & WATCH_POISON) && i < 1UL << order; i++)
        check_page(page + i);
}

void page_given(struct memsrv_context *worker, struct page *page, unsigned order)
{
    trace_by(worker, TRACE_PAGE_FREE, page_pfn(page), order);
    for (uint64_t i = 0; (worker->watch & WATCH_POISON) && i < 1UL << order; i++) {
        memset(page_window(page + i), PAGE_POISON_BYTE, PAGE_SIZE);
        page[i].private_data = MARK;
    }
}
