/* SPDX-License-Identifier: MIT */
/*
 * The ways into the kernel, and what a program may have set before it takes one of them: flags, GS, a step that is told of only
 * behind the instruction. The kernel neither goes wrong nor forgets; what a program must not do is a signal.
 */
#include "../../system/tap.h"

#include <arch/instructions.h>
#include <quire/abi.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

#define FLAG_TRAP      (1UL << 8)
#define FLAG_DIRECTION (1UL << 10)
#define FLAG_NESTED    (1UL << 14)
#define FLAG_ALIGNMENT (1UL << 18)
#define ROUNDS         200u
#define PAGE           4096UL
#define UMIP           (1u << 2) /* leaf 7, ecx */
#define NOT_CANONICAL  (1UL << 62)
#define KERNELS        0xffff800000000000UL
#define INT_BYTES      16u
#define INTERRUPTS     256u
#define BREAKPOINT     3u
#define OVERFLOW       4u
#define YIELD          "7"
_Static_assert(SYS_YIELD == 7, "YIELD");

/* Flags `set` are set around system calls and a write to *page; returns those that were set at the end. */
uint64_t with_flags(uint64_t set, volatile char *page);
/* The same with GS at `base`; returns where GS is at the end. */
uint64_t with_gs(uint64_t base, volatile char *page);
/* With the trap flag: nothing, a system call, and both of SYSCALL and INT3 behind a load of SS. */
void step_nothing(void);
void step_call(void);
void step_stack_call(void);
void step_stack_break(void);
void step_unasked(void);
/* INT 0 and so on, INT_BYTES each. */
extern const char interrupts[];

__asm__(".text\n"
        ".macro call_and_touch\n\t"
        "mov $100, %r8d\n"
        "1: mov $" YIELD ", %eax\n\t"
        "syscall\n\t"
        "dec %r8d\n\t"
        "jnz 1b\n\t"
        "movb $1, (%rbx)\n\t"
        "mov $10000, %ecx\n"
        "2: dec %ecx\n\t"
        "jnz 2b\n\t"
        ".endm\n"
        "with_flags:\n\t"
        "push %rbx\n\t"
        "mov %rsi, %rbx\n\t"
        "pushfq\n\t"
        "pop %r9\n\t"
        "mov %r9, %r10\n\t"
        "or %rdi, %r10\n\t"
        "push %r10\n\t"
        "popfq\n\t"
        "call_and_touch\n\t"
        "pushfq\n\t"
        "pop %rax\n\t"
        "push %r9\n\t"
        "popfq\n\t"
        "pop %rbx\n\t"
        "ret\n"
        "with_gs:\n\t"
        "push %rbx\n\t"
        "mov %rsi, %rbx\n\t"
        "rdgsbase %r9\n\t"
        "wrgsbase %rdi\n\t"
        "call_and_touch\n\t"
        "rdgsbase %rax\n\t"
        "wrgsbase %r9\n\t"
        "pop %rbx\n\t"
        "ret\n"
        ".macro set_trap\n\t"
        "mov %ss, %ecx\n\t"
        "mov $" YIELD ", %eax\n\t"
        "pushfq\n\t"
        "orq $0x100, (%rsp)\n\t"
        "popfq\n\t"
        ".endm\n"
        "step_nothing: set_trap\n\t"
        "nop\n\t"
        "ret\n"
        "step_call: set_trap\n\t"
        "syscall\n\t"
        "nop\n\t"
        "ret\n"
        "step_stack_call: pushfq\n\t"
        "orq $0x100, (%rsp)\n\t"
        "mov %ss, %ecx\n\t"
        "mov $" YIELD ", %eax\n\t"
        "popfq\n\t"
        "mov %ecx, %ss\n\t"
        "syscall\n\t"
        "nop\n\t"
        "ret\n"
        "step_stack_break: pushfq\n\t"
        "orq $0x100, (%rsp)\n\t"
        "mov %ss, %ecx\n\t"
        "popfq\n\t"
        "mov %ecx, %ss\n\t"
        "int3\n\t"
        "ret\n"
        "step_unasked: .byte 0xf1\n\t"
        "ret\n"
        ".balign 16\n"
        "interrupts: .set number, 0\n\t"
        ".rept 256\n\t"
        ".balign 16\n\t"
        ".byte 0xcd, number\n\t"
        "ret\n\t"
        ".set number, number + 1\n\t"
        ".endr\n");

static sigjmp_buf jump;
static volatile int caught;

static void leave(int number)
{
    caught = number;
    siglongjmp(jump, 1);
}

static void act(int number, void (*handler)(int))
{
    const struct sigaction action = {.sa_handler = handler};
    (void)sigaction(number, &action, NULL);
}

/* The signal that a child is ended by that calls `function`; 0: it was none. */
static int ended_by(void (*function)(void))
{
    int status = -1;
    const pid_t child = fork();

    if (child == 0) {
        function();
        _exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child)
        return -1;
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void test_flags(void)
{
    static const struct {
        uint64_t flag;
        const char *name;
    } flags[] = {{FLAG_DIRECTION, "direction"}, {FLAG_NESTED, "nested task"}, {FLAG_ALIGNMENT, "alignment"}};
    char *memory = mmap(NULL, ROUNDS * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        bool kept = memory != MAP_FAILED;
        for (unsigned round = 0; round < ROUNDS / 4 && kept; round++) {
            volatile char *page = memory + (i * (ROUNDS / 4) + round) * PAGE;
            kept = (with_flags(flags[i].flag, page) & flags[i].flag) && *page == 1;
        }
        tap_ok(kept, "the %s flag is the program's, in calls, faults and interrupts", flags[i].name);
    }
    bool good = memory != MAP_FAILED;
    for (unsigned round = 0; round < ROUNDS / 4 && good; round++) {
        volatile char *page = memory + (3 * (ROUNDS / 4) + round) * PAGE;
        /* A switch sets GS to where the kernel says. */
        (void)with_gs(KERNELS + round * PAGE, page);
        good = *page == 1;
    }
    tap_ok(good, "GS at an address of the kernel's is of no use");
}

static void test_steps(void)
{
    tap_equal(ended_by(step_nothing), SIGTRAP, "a step is told of");
    tap_equal(ended_by(step_call), SIGTRAP, "behind a system call, too");
    tap_equal(ended_by(step_stack_call), SIGTRAP, "and one that comes right after a load of SS");
    tap_equal(ended_by(step_stack_break), SIGTRAP, "and so is a breakpoint there");
    tap_equal(ended_by(step_unasked), SIGTRAP, "and the exception that is made by hand");
}

/* What a handler of SIGSEGV, SIGILL and SIGTRAP is told when `code` is called; 0: nothing. */
static int told_of(const void *code)
{
    act(SIGSEGV, leave);
    act(SIGILL, leave);
    act(SIGTRAP, leave);
    caught = 0;
    if (sigsetjmp(jump, 1) == 0)
        ((void (*)(void))(uintptr_t)code)();
    act(SIGSEGV, SIG_DFL);
    act(SIGILL, SIG_DFL);
    act(SIGTRAP, SIG_DFL);
    return caught;
}

static void test_interrupts(void)
{
    unsigned wrong = 0;

    for (unsigned number = 0; number < INTERRUPTS; number++) {
        const int told = told_of(interrupts + number * INT_BYTES);
        const bool allowed = number == BREAKPOINT || number == OVERFLOW;
        if (allowed ? told == SIGSEGV && number == BREAKPOINT : told != SIGSEGV) {
            tap_diag("INT %u: signal %d", number, told);
            wrong++;
        }
    }
    tap_equal(wrong, 0, "software interrupts are refused");
}

/* Each instruction as a function of its own. */
#define PRIVILEGED(X)                                                                                                  \
    X(halt, "hlt")                                                                                                     \
    X(mask, "cli")                                                                                                     \
    X(port_in, "in $0x70, %al")                                                                                        \
    X(port_out, "mov $0xcf9, %edx\n\tout %al, %dx")                                                                    \
    X(tables, "mov %rax, %cr3")                                                                                        \
    X(control, "mov %cr4, %rax")                                                                                       \
    X(debug, "mov %rax, %dr7")                                                                                         \
    X(model_write, "mov $0xc0000082, %ecx\n\twrmsr")                                                                   \
    X(model_read, "mov $0xc0000082, %ecx\n\trdmsr")                                                                    \
    X(counter, "xor %ecx, %ecx\n\trdpmc")                                                                              \
    X(translation, "invlpg (%rsp)")                                                                                    \
    X(swap, "swapgs")                                                                                                  \
    X(leave_kernel, "sysretq")                                                                                         \
    X(task, "clts")                                                                                                    \
    X(components, "xor %ecx, %ecx\n\txor %edx, %edx\n\tmov $3, %eax\n\txsetbv")                                        \
    X(access, "stac")                                                                                                  \
    X(far_return, "push $8\n\tlea 1f(%rip), %rax\n\tpush %rax\n\tlretq\n1:")                                           \
    X(kernel_return, "mov %rsp, %rcx\n\tpush $0x10\n\tpush %rcx\n\tpushfq\n\tpush $8\n\tlea 1f(%rip), %rax\n\t"        \
                     "push %rax\n\tiretq\n1:")
#define TELLING(X)                                                                                                     \
    X(descriptors, "sgdt -32(%rsp)")                                                                                   \
    X(gates, "sidt -32(%rsp)")                                                                                         \
    X(local, "sldt %ax")                                                                                               \
    X(task_register, "str %ax")                                                                                        \
    X(status, "smsw %ax")
#define FUNCTION(name, text)                                                                                           \
    void privileged_##name(void);                                                                                      \
    __asm__(".text\nprivileged_" #name ": " text "\n\tret\n");
#define ENTRY(name, text) {privileged_##name, #name},

PRIVILEGED(FUNCTION)
TELLING(FUNCTION)

struct privileged {
    void (*function)(void);
    const char *name;
};

static void refused(const struct privileged *all, unsigned count, const char *what)
{
    unsigned wrong = 0;

    for (unsigned i = 0; i < count; i++) {
        const int told = told_of((const void *)(uintptr_t)all[i].function);
        if (told != SIGSEGV && told != SIGILL) {
            tap_diag("%s: signal %d", all[i].name, told);
            wrong++;
        }
    }
    tap_equal(wrong, 0, "%s", what);
}

static void test_privileged(void)
{
    static const struct privileged privileged[] = {PRIVILEGED(ENTRY)};
    static const struct privileged telling[] = {TELLING(ENTRY)};
    unsigned a = 7, b, c = 0, d;

    refused(privileged, sizeof(privileged) / sizeof(privileged[0]), "privileged instructions are refused");
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
    if (c & UMIP)
        refused(telling, sizeof(telling) / sizeof(telling[0]), "and those that tell where the kernel's tables are");
    else
        tap_skip("no UMIP", "instructions that tell where the kernel's tables are");
}

static uint64_t elsewhere;

static void go_elsewhere(int number, siginfo_t *information, void *context)
{
    (void)number, (void)information;
    ((ucontext_t *)context)->uc_mcontext.pc = elsewhere;
}

static void return_elsewhere(void)
{
    const struct sigaction action = {.sa_sigaction = go_elsewhere, .sa_flags = SA_SIGINFO};
    (void)sigaction(SIGUSR1, &action, NULL);
    (void)raise(SIGUSR1);
}

/* A system call whose next instruction has no canonical address, if a program can have memory there. */
static void call_at_end(void)
{
    char *last = mmap((void *)(USER_VA_END - PAGE), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    if (last == MAP_FAILED)
        (void)raise(SIGSEGV);
    last[PAGE - 2] = 0x0f;
    last[PAGE - 1] = 0x05;
    __asm__ volatile("jmp *%0" ::"r"(last + PAGE - 2), "a"(SYS_YIELD));
}

static void test_addresses(void)
{
    elsewhere = NOT_CANONICAL;
    tap_equal(ended_by(return_elsewhere), SIGSEGV, "a handler cannot return to an address that is not canonical");
    elsewhere = KERNELS;
    tap_equal(ended_by(return_elsewhere), SIGSEGV, "nor to the kernel's");
    elsewhere = USER_VA_END;
    tap_equal(ended_by(return_elsewhere), SIGSEGV, "nor to the first that is not a user's");
    tap_equal(ended_by(call_at_end), SIGSEGV, "nor can a system call");
}

static void change_registers(int number)
{
    (void)number;
    __asm__ volatile("vpcmpeqd %%xmm7, %%xmm7, %%xmm7\n\tvinsertf128 $1, %%xmm7, %%ymm7, %%ymm7" ::: "xmm7");
    caught++;
}

static void test_handler(void)
{
    uint64_t upper = 0;
    unsigned wrong = 0;

    if (!has_avx()) {
        tap_skip("no AVX", "handlers leave all of AVX's registers alone");
        return;
    }
    act(SIGUSR1, change_registers);
    caught = 0;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        __asm__ volatile("movq %0, %%xmm7\n\tvinsertf128 $1, %%xmm7, %%ymm7, %%ymm7" ::"r"(round) : "xmm7");
        (void)raise(SIGUSR1);
        __asm__ volatile("vextractf128 $1, %%ymm7, %%xmm7\n\tmovq %%xmm7, %0\n\tvzeroupper" : "=r"(upper)::"xmm7");
        wrong += upper != round;
    }
    tap_ok(caught == ROUNDS && wrong == 0, "handlers leave all of AVX's registers alone");
}

/* For test_nmi.py: is to be interrupted with a GS that is not its own, and comes to no end. */
static _Noreturn void spin(void)
{
    (void)puts("# spinning");
    (void)fflush(stdout);
    for (;;)
        __asm__ volatile("wrgsbase %0" ::"r"(KERNELS));
}

int main(int argument_count, char **arguments)
{
    if (argument_count > 1 && strcmp(arguments[1], "spin") == 0)
        spin();
    tap_plan(4 + 5 + 1 + 2 + 4 + 1);
    test_flags();
    test_steps();
    test_interrupts();
    test_privileged();
    test_addresses();
    test_handler();
    return tap_done();
}
