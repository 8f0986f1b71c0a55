/* SPDX-License-Identifier: MIT */
/*
 * Thread-local variables: their first values are a segment of the program's file, found through the file's own header,
 * which the linker places in the first segment.
 */
#include "internal.h"

#include <arch/thread_pointer.h>
#include <elf.h>
#include <string.h>

/* Weak, because a program that is no ELF file in memory (a flat image) has no such header. */
extern const char __ehdr_start[] __attribute__((weak));

static const Elf64_Phdr *tls_segment(void)
{
    const Elf64_Ehdr *header = (const Elf64_Ehdr *)__ehdr_start;
    if (!header)
        return NULL;
    const Elf64_Phdr *segments = (const Elf64_Phdr *)(__ehdr_start + header->e_phoff);
    for (unsigned index = 0; index < header->e_phnum; index++) {
        if (segments[index].p_type == PT_TLS)
            return &segments[index];
    }
    return NULL;
}

static size_t alignment_of(const Elf64_Phdr *segment)
{
    return segment->p_align ? segment->p_align : 1;
}

size_t tls_bytes(void)
{
    const Elf64_Phdr *segment = tls_segment();
    if (!segment)
        return 0;
    /* More alignment than a block has: make the block look too large. */
    if (segment->p_align > TLS_ALIGNMENT_MAX)
        return SIZE_MAX;
    return tls_block_bytes(segment->p_memsz, alignment_of(segment));
}

void tls_place(void *block)
{
    const Elf64_Phdr *segment = tls_segment();
    if (!segment)
        return;
    char *variables = (char *)block + tls_variables_offset(segment->p_memsz, alignment_of(segment));
    char *pointer = (char *)block + tls_pointer_offset(segment->p_memsz, alignment_of(segment));
    memcpy(variables, (const void *)(uintptr_t)segment->p_vaddr, segment->p_filesz);
    memset(variables + segment->p_filesz, 0, segment->p_memsz - segment->p_filesz);
    tls_begin_header(pointer);
    thread_pointer_set(pointer);
}
