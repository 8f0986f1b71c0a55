/* SPDX-License-Identifier: MIT */
/*
 * Memory faults as signals: what handlers are told of them, how they go on, and what ends the program.
 */
#include <arch/instructions.h>
#include <errno.h>
#include <proto/memsrv_client.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define PAGE   4096UL
#define ROUNDS 1000

static sigjmp_buf jump;
static siginfo_t told;
static volatile sig_atomic_t count, on_stack;
static char *stack;

static void leave(int signal, siginfo_t *information, void *context)
{
    char here;

    (void)signal, (void)context;
    told = *information;
    count++;
    on_stack = &here > stack && &here < stack + SIGSTKSZ;
    siglongjmp(jump, 1);
}

static void catch (int signal, void (*handler)(int, siginfo_t *, void *), int flags)
{
    const struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    (void)sigaction(signal, &action, NULL);
}

static char *map(unsigned long pages, int protection)
{
    return mmap(NULL, pages * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static int end_of(pid_t child)
{
    int status = -1;

    (void)waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static volatile unsigned long zero; /* what the compiler cannot know */

static char *at(unsigned long address)
{
    return (char *)(address + zero);
}

/* --- Kinds of access ---------------------------------------------------------------------------------------------- */

static void read_byte(char *address)
{
    (void)*(volatile char *)address;
}

static void write_byte(char *address)
{
    *(volatile char *)address = 1;
}

static void execute(char *address)
{
    ((void (*)(void))address)();
}

static void expect(void (*touch)(char *), char *address, int signal, int code, const char *what)
{
    memset(&told, 0, sizeof(told));
    if (sigsetjmp(jump, 1) == 0)
        touch(address);
    tap_ok(told.si_signo == signal && told.si_code == code && told.si_addr == address, "%s", what);
    if (told.si_addr != address || told.si_code != code)
        tap_diag("signal %d, code %d, address %p instead of %p", told.si_signo, told.si_code, told.si_addr,
                 (void *)address);
}

static void test_kinds(void)
{
    char *hole = map(3, PROT_READ | PROT_WRITE), *readable = map(1, PROT_READ), *nothing = map(1, PROT_NONE);

    (void)munmap(hole + PAGE, PAGE);
    catch (SIGSEGV, leave, 0);
    expect(read_byte, hole + PAGE + 123, SIGSEGV, SEGV_MAPERR, "reading where nothing is mapped");
    expect(write_byte, hole + PAGE + 4095, SIGSEGV, SEGV_MAPERR, "writing where nothing is mapped");
    expect(execute, hole + PAGE + 8, SIGSEGV, SEGV_MAPERR, "executing where nothing is mapped");
    expect(read_byte, at(0), SIGSEGV, SEGV_MAPERR, "a null pointer");
    expect(read_byte, (char *)0xffff800000001000, SIGSEGV, SEGV_MAPERR, "the kernel's memory");
    if (sigsetjmp(jump, 1) == 0) {
        told.si_signo = 0;
        read_byte(at(1UL << 62));
    }
    tap_equal(told.si_signo, SIGSEGV, "an address that no page can have");
    expect(write_byte, readable + 77, SIGSEGV, SEGV_ACCERR, "writing to what is for reading");
    read_byte(readable);
    expect(write_byte, readable + 78, SIGSEGV, SEGV_ACCERR, "the same when the page is there");
    expect(read_byte, nothing + 5, SIGSEGV, SEGV_ACCERR, "reading what is for nothing");
    expect(execute, hole + 16, SIGSEGV, SEGV_ACCERR, "executing data");
    expect(write_byte, (char *)expect, SIGSEGV, SEGV_ACCERR, "writing to code");
}

static void undefined(char *address)
{
    (void)address;
    INSTRUCTION_UNDEFINED();
}

static void test_exceptions(void)
{
    catch (SIGILL, leave, 0);
    catch (SIGTRAP, leave, 0);
    memset(&told, 0, sizeof(told));
    if (sigsetjmp(jump, 1) == 0)
        undefined(NULL);
    tap_ok(told.si_signo == SIGILL && told.si_code == ILL_ILLOPC && told.si_addr != NULL, "an undefined instruction");
    if (sigsetjmp(jump, 1) == 0)
        INSTRUCTION_BREAK();
    tap_ok(told.si_signo == SIGTRAP && told.si_code == TRAP_BRKPT, "a breakpoint");
}

/* Past the last page of what a memory object holds. */
static void test_bus(void)
{
    uint64_t object = 0, address = 0;

    catch (SIGBUS, leave, 0);
    bool mapped = memsrv_object_memory_create(SLOT_MEMSRV, PAGE, &object) == 0 &&
                  memsrv_map_object(SLOT_MEMSRV, 0, 3 * PAGE, MEMSRV_PROTECT_READ | MEMSRV_PROTECT_WRITE,
                                    MEMSRV_MAP_SHARED, object, 0, &address) == 0;
    tap_ok(mapped, "an object that is shorter than its mapping");
    if (!mapped)
        return;
    char *memory = (char *)address;
    write_byte(memory + PAGE - 1);
    expect(read_byte, memory + PAGE + 9, SIGBUS, BUS_ADRERR, "reading past the end of an object");
    expect(write_byte, memory + 2 * PAGE, SIGBUS, BUS_ADRERR, "writing past the end of an object");
    tap_ok(memsrv_object_memory_resize(SLOT_MEMSRV, object, 0) == 0, "the object is cut off");
    expect(write_byte, memory + 5, SIGBUS, BUS_ADRERR, "writing what was cut off");
}

/* --- Going on ----------------------------------------------------------------------------------------------------- */

static char *guarded;

static void unprotect(int signal, siginfo_t *information, void *context)
{
    (void)signal, (void)context;
    count++;
    (void)mprotect((char *)((unsigned long)information->si_addr & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE);
}

static void skip(int signal, siginfo_t *information, void *context)
{
    ucontext_t *registers = context;

    (void)signal, (void)information;
    registers->uc_mcontext.pc += LOAD_BYTES;
    registers->uc_mcontext.regs[0] = 4711;
    count++;
}

static void test_going_on(void)
{
    bool all = true;
    unsigned long value;

    guarded = map(100, PROT_NONE);
    catch (SIGSEGV, unprotect, 0);
    count = 0;
    for (int i = 0; i < 100; i++)
        guarded[i * PAGE + 8] = (char)i;
    for (int i = 0; i < 100; i++)
        all &= guarded[i * PAGE + 8] == (char)i;
    tap_ok(all && count == 100, "a handler makes memory accessible, 100 pages one by one");
    catch (SIGSEGV, skip, 0);
    count = 0;
    INSTRUCTION_LOAD_NOTHING(value);
    tap_ok(value == 4711 && count == 1, "a handler passes over an instruction and gives its result");
    catch (SIGSEGV, leave, 0);
    count = 0;
    for (volatile int i = 0; i < ROUNDS; i++)
        if (sigsetjmp(jump, 1) == 0)
            write_byte(at(8));
    tap_ok(count == ROUNDS, "%d jumps out of the handler", ROUNDS);
}

/* --- Stacks ------------------------------------------------------------------------------------------------------- */

__attribute__((noinline)) static unsigned recurse(unsigned depth)
{
    volatile char block[1024];

    block[0] = (char)depth;
    if (zero)
        return 0;
    return recurse(depth + 1) + (unsigned)block[0];
}

static void *overflow_in_thread(void *argument)
{
    stack_t alternative = {.ss_sp = argument, .ss_size = SIGSTKSZ};

    (void)sigaltstack(&alternative, NULL);
    if (sigsetjmp(jump, 1) == 0)
        return (void *)(long)recurse(0);
    return (void *)1234L;
}

static void test_stacks(void)
{
    stack_t alternative = {.ss_size = SIGSTKSZ}, old;
    void *result = NULL;
    pthread_t thread;

    stack = malloc(SIGSTKSZ);
    alternative.ss_sp = stack;
    tap_ok(sigaltstack(NULL, &old) == 0 && (old.ss_flags & SS_DISABLE), "there is no alternative stack at first");
    tap_ok(sigaltstack(&alternative, NULL) == 0 && sigaltstack(NULL, &old) == 0 && old.ss_sp == stack &&
               old.ss_size == SIGSTKSZ && old.ss_flags == 0,
           "an alternative stack");
    catch (SIGSEGV, leave, SA_ONSTACK);
    count = 0;
    for (volatile int i = 0; i < 5; i++)
        if (sigsetjmp(jump, 1) == 0)
            (void)recurse(0);
    tap_ok(count == 5 && on_stack, "a stack overflow is handled there, again and again");
    stack = malloc(SIGSTKSZ);
    tap_ok(pthread_create(&thread, NULL, overflow_in_thread, stack) == 0 && pthread_join(thread, &result) == 0,
           "a thread whose stack overflows");
    tap_ok((long)result == 1234 && on_stack && told.si_code == SEGV_ACCERR, "handles that on its own one");
    const pid_t child = fork();
    if (child == 0) {
        alternative.ss_flags = SS_DISABLE;
        (void)sigaltstack(&alternative, NULL);
        catch (SIGSEGV, leave, 0);
        _exit((int)recurse(0));
    }
    tap_equal(end_of(child), 1000 + SIGSEGV, "without one, the program ends");
}

/* --- Ends --------------------------------------------------------------------------------------------------------- */

static void fault_again(int signal, siginfo_t *information, void *context)
{
    (void)signal, (void)information, (void)context;
    write_byte(at(16));
}

static int end_as(int which)
{
    const pid_t child = fork();
    sigset_t set;

    if (child == 0) {
        catch (SIGSEGV, which == 1 ? fault_again : leave, 0);
        if (which == 0)
            (void)signal(SIGSEGV, SIG_DFL);
        if (which == 2)
            (void)signal(SIGSEGV, SIG_IGN);
        sigemptyset(&set);
        sigaddset(&set, SIGSEGV);
        if (which == 3)
            (void)sigprocmask(SIG_BLOCK, &set, NULL);
        write_byte(at(16));
        _exit(1);
    }
    return end_of(child);
}

static void *fault_in_thread(void *argument)
{
    unsigned long faults = 0;

    for (int i = 0; i < 200; i++) {
        *(volatile char *)((char *)argument + PAGE * (unsigned)i) = 1;
        faults++;
    }
    return (void *)faults;
}

static void test_threads(void)
{
    pthread_t threads[4];
    unsigned long sum = 0;
    void *result;

    catch (SIGSEGV, unprotect, 0);
    count = 0;
    for (int i = 0; i < 4; i++)
        (void)pthread_create(&threads[i], NULL, fault_in_thread, map(200, PROT_NONE));
    for (int i = 0; i < 4; i++) {
        (void)pthread_join(threads[i], &result);
        sum += (unsigned long)result;
    }
    tap_equal((long)sum, 800, "four threads that fault at once");
}

int main(void)
{
    tap_plan(32);
    test_kinds();
    test_exceptions();
    test_bus();
    test_going_on();
    test_stacks();
    tap_equal(end_as(0), 1000 + SIGSEGV, "a fault that is not caught ends the program");
    tap_equal(end_as(1), 1000 + SIGSEGV, "and so does one in its own handler");
    tap_equal(end_as(2), 1000 + SIGSEGV, "and one that is ignored");
    tap_equal(end_as(3), 1000 + SIGSEGV, "and one that is blocked");
    test_threads();
    return tap_done();
}
