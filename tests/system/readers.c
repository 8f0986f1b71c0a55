/* SPDX-License-Identifier: MIT */
/*
 * Ends while many of its threads wait for input: what they leave behind at the console server must not matter.
 */
#include <proto/console_client.h>
#include <quire/clock.h>
#include <quire/thread.h>
#include <stdio.h>

#define READERS 20

static int wait_for_input(void *argument)
{
    char input[16];
    size_t bytes;

    (void)argument;
    return console_read(SLOT_CONSOLE, input, sizeof(input), &bytes);
}

int main(void)
{
    struct thread *thread;

    for (int index = 0; index < READERS; index++) {
        if (thread_create(&thread, wait_for_input, NULL) < 0)
            return 1;
    }
    clock_sleep_until(clock_now_ns() + NS_PER_SECOND / 10);
    printf("readers: %d wait\n", READERS);
    return 0;
}
