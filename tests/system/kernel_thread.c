/* SPDX-License-Identifier: MIT */
/* Threads: stopping, registers, affinity, FP state, and who runs when. */
#include <arch/instructions.h>
#include <quire/thread.h>
#include <stdatomic.h>

#include "kernel_spin.h"
#include "kernel_test.h"

#define PRIORITY_OWN 16u

static struct spinner spinners[8];

static long control(uint64_t thread, enum thread_operation operation, uint64_t a, uint64_t b)
{
    return sys_thread_control(thread, operation, a, b, 0, 0, 0);
}

/* True if the spinner counts on within 10 ms. */
#define PATIENCE_NS (20000 * NS_PER_MS)

/* A virtual CPU may have to wait for its host. */
static bool makes_progress(const struct spinner *spinner)
{
    const uint64_t before = spinner->count, end = now_ns() + PATIENCE_NS;
    while (spinner->count == before && now_ns() < end)
        sleep_ns(NS_PER_MS);
    return spinner->count != before;
}

static bool stands(const struct spinner *spinner)
{
    const uint64_t before = spinner->count;
    sleep_ns(10 * NS_PER_MS);
    return spinner->count == before;
}

static void test_stop(void)
{
    struct spinner *spinner = &spinners[0];

    spinner_start(spinner, ~0UL, 8);
    const uint64_t slot = thread_slot(spinner->thread);
    for (unsigned round = 0; round < 20; round++) {
        CHECK(makes_progress(spinner));
        CHECK_EQ(thread_look(slot).state, THREAD_STATE_RUNNABLE);
        CHECK_EQ(control(slot, THREAD_READ, 0, 0), -EBUSY);
        CHECK_EQ(control(slot, THREAD_WRITE, 0, 0), -EBUSY);
        CHECK_EQ(control(slot, THREAD_RESUME, 0, 0), -EBUSY);
        CHECK_EQ(control(slot, THREAD_START, 0, 0), -EBUSY);
        CHECK_EQ(thread_stop(slot), 0);
        CHECK_EQ(thread_look(slot).state, THREAD_STATE_STOPPED);
        CHECK(stands(spinner));
        CHECK_EQ(thread_stop(slot), 0);
        CHECK_EQ(control(slot, THREAD_RESUME, 0, 0), 0);
    }
    spinner_end(spinner);
}

/* A thread that stops itself goes on when it is resumed. */
static int stop_myself(void *argument)
{
    const struct spinner *self = argument;
    return (int)control(thread_slot(self->thread), THREAD_STOP, 0, 0) + 5;
}

static void test_stop_self(void)
{
    static struct spinner self;
    int result = 0;

    CHECK_EQ(thread_create(&self.thread, stop_myself, &self), 0);
    CHECK(thread_reaches(thread_slot(self.thread), THREAD_STATE_STOPPED));
    CHECK_EQ(control(thread_slot(self.thread), THREAD_RESUME, 0, 0), 0);
    CHECK_EQ(thread_join(self.thread, &result), 0);
    CHECK_EQ(result, 5);
}

static void test_registers(void)
{
    struct thread *thread;
    struct thread_registers *registers = (struct thread_registers *)ipc_buffer()->words;
    int result = 0;

    MUST(thread_create(&thread, wait_in_registers, NULL));
    const uint64_t slot = thread_slot(thread);
    sleep_ns(20 * NS_PER_MS);
    CHECK_EQ(thread_stop(slot), 0);
    CHECK_EQ(control(slot, THREAD_READ, 0, 0), 0);
    CHECK_EQ(registers->general[0], 0);
    for (unsigned i = 1; i <= REGISTERS_FILLED; i++)
        CHECK_EQ(registers->general[i], i + 1000);
    CHECK_EQ(registers->flags, FLAGS_IN_LOOP);
    CHECK(registers->instruction_pointer - (uint64_t)wait_in_registers < 512);
    CHECK(registers->stack_pointer != 0);
    const uint64_t tls = registers->tls;
    /* Out of the loop, with another result; of the flags it may set those of conditions alone. */
    registers->general[0] = 1;
    registers->general[1] = 70000;
    registers->general[REGISTERS_FILLED] = 5;
    registers->flags = UINT64_MAX;
    registers->tls = tls ^ 0x123450;
    CHECK_EQ(control(slot, THREAD_WRITE, 0, 0), 0);
    CHECK_EQ(control(slot, THREAD_READ, 0, 0), 0);
    CHECK_EQ(registers->flags, FLAGS_ALL);
    CHECK_EQ(registers->general[REGISTERS_FILLED], 5);
    CHECK_EQ(registers->tls, tls ^ 0x123450);
    registers->tls = tls;
    CHECK_EQ(control(slot, THREAD_WRITE, 0, 0), 0);
    CHECK_EQ(control(slot, THREAD_RESUME, 0, 0), 0);
    CHECK_EQ(thread_join(thread, &result), 0);
    CHECK_EQ(result, 70000 + 1 + 5);
}

/* Registers that nobody has set are all zero, and such a thread runs as any other: to its first fault. */
static void test_never_started(void)
{
    static struct space space;
    static struct child child;
    struct thread_registers *registers = (struct thread_registers *)ipc_buffer()->words;

    space_new(&space);
    child_new(&child, &space, 0, 8);
    CHECK_EQ(control(child.thread, THREAD_READ, 0, 0), 0);
    CHECK(registers->instruction_pointer == 0 && registers->stack_pointer == 0 && registers->flags == 0);
    CHECK_EQ(control(child.thread, THREAD_RESUME, 0, 0), 0);
    CHECK(thread_reaches(child.thread, THREAD_STATE_FAULTED));
    CHECK_EQ(thread_look(child.thread).fault.address, 0);
    CHECK_EQ(thread_look(child.thread).fault.access & (FAULT_EXECUTE | FAULT_PRESENT), FAULT_EXECUTE);
    child_end(&child);
    space_end(&space);
}

static void test_refusals(void)
{
    const uint64_t thread = object_new(CAP_THREAD), endpoint = object_new(CAP_ENDPOINT);
    const uint64_t weak = capability_new(thread, RIGHT_SEND, 0);

    CHECK_EQ(control(thread, THREAD_START, 0, 0), -EINVAL);
    CHECK_EQ(control(thread, THREAD_RESUME, 0, 0), -EINVAL);
    CHECK_EQ(control(thread, THREAD_OPERATION_COUNT, 0, 0), -ENOSYS);
    CHECK_EQ(control(thread, (enum thread_operation)INT32_MAX, 0, 0), -ENOSYS);
    CHECK_EQ(control(thread, THREAD_PRIORITY, PRIORITY_COUNT, 0), -EINVAL);
    CHECK_EQ(control(thread, THREAD_PRIORITY, UINT64_MAX, 0), -EINVAL);
    CHECK_EQ(control(thread, THREAD_PRIORITY, PRIORITY_OWN + 1, 0), -EPERM);
    CHECK_EQ(control(thread, THREAD_PRIORITY, PRIORITY_OWN, 0), 0);
    CHECK_EQ(control(thread, THREAD_AFFINITY, 0, 0), -EINVAL);
    CHECK_EQ(control(thread, THREAD_AFFINITY, 1UL << 40, 0), -EINVAL);
    CHECK_EQ(control(thread, THREAD_SET_EVENT, endpoint, 1), -EBADF);
    CHECK_EQ(control(endpoint, THREAD_INFO, 0, 0), -EBADF);
    CHECK_EQ(control(weak, THREAD_INFO, 0, 0), -EPERM);
    CHECK_EQ(sys_thread_control(thread, THREAD_CONFIGURE, endpoint, SLOT_TABLE, 0, 0, 0), -EBADF);
    CHECK_EQ(sys_object_destroy(SLOT_PHYSICAL, SLOT_THREAD, NULL), -EDEADLK);
    CHECK_EQ(sys_trap0(SYS_COUNT), -ENOSYS);
    CHECK_EQ(sys_trap0(0xffff), -ENOSYS);
    slot_free(weak);
    object_end(thread), object_end(endpoint);
}

/* True if both threads come to where they belong. */
static bool both_arrive(const struct spinner *spinner, unsigned own, unsigned other)
{
    const uint64_t end = now_ns() + PATIENCE_NS;
    while (sys_getcpu() != own || spinner->cpu != other) {
        if (now_ns() > end)
            return false;
        sleep_ns(NS_PER_MS);
    }
    return true;
}

static void test_affinity(void)
{
    struct spinner *spinner = &spinners[0];

    spinner_start(spinner, ~0UL, 8);
    for (unsigned round = 0; round < 3 * cpu_count(); round++) {
        const unsigned cpu = round % cpu_count();
        /* Itself, and a thread that runs elsewhere. */
        pin(SLOT_THREAD, 1UL << cpu);
        pin(thread_slot(spinner->thread), 1UL << (cpu + 1) % cpu_count());
        CHECK(both_arrive(spinner, cpu, (cpu + 1) % cpu_count()));
        CHECK(makes_progress(spinner));
        CHECK_EQ(sys_getcpu(), cpu);
    }
    for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
        const uint64_t end = now_ns() + PATIENCE_NS;
        pin(SLOT_THREAD, 1UL << cpu);
        while (sys_getcpu() != (long)cpu && now_ns() < end)
            continue;
        CHECK_EQ(sys_getcpu(), cpu);
    }
    pin(SLOT_THREAD, ~0UL);
    spinner_end(spinner);
}

/* Two threads on one CPU that yield to each other take turns. */
static atomic_uint last_turn, repeated;
static atomic_bool both_started;

static int take_turns(void *argument)
{
    const unsigned self = (unsigned)(uint64_t)argument;

    while (!atomic_load(&both_started))
        (void)sys_yield();
    for (unsigned round = 0; round < 2000; round++) {
        if (atomic_exchange(&last_turn, self) == self)
            atomic_fetch_add(&repeated, 1);
        (void)sys_yield();
    }
    return 0;
}

static void test_yield(void)
{
    struct thread *threads[2];

    atomic_store(&repeated, 0);
    atomic_store(&both_started, false);
    for (uint64_t i = 0; i < 2; i++) {
        MUST(thread_create(&threads[i], take_turns, (void *)(i + 1)));
        pin(thread_slot(threads[i]), 1);
    }
    sleep_ns(10 * NS_PER_MS);
    atomic_store(&both_started, true);
    for (unsigned i = 0; i < 2; i++)
        CHECK_EQ(thread_join(threads[i], NULL), 0);
    /* The end of a slice lets the other run once more now and then. */
    CHECK(atomic_load(&repeated) < 200);
}

#define FP_THREADS 5u
#define FP_ROUNDS  400u

struct fp_thread {
    struct thread *thread;
    uint64_t pattern, wrong;
    atomic_bool done;
};
static struct fp_thread fp_threads[FP_THREADS];

static int keep_fp(void *argument)
{
    struct fp_thread *self = argument;

    for (unsigned round = 0; round < FP_ROUNDS; round++)
        self->wrong |= fp_keep(self->pattern + round, round % 3 ? 1 : 0, 20000);
    atomic_store(&self->done, true);
    return 0;
}

/* More FP threads than CPUs, which yield, are preempted and are moved about. */
static void test_fp(void)
{
    bool done = false;

    for (unsigned i = 0; i < FP_THREADS; i++) {
        fp_threads[i].pattern = 0x0123456789abcdefUL * (i + 1);
        fp_threads[i].wrong = 0;
        atomic_store(&fp_threads[i].done, false);
        MUST(thread_create(&fp_threads[i].thread, keep_fp, &fp_threads[i]));
    }
    for (unsigned round = 0; !done; round++) {
        done = true;
        for (unsigned i = 0; i < FP_THREADS; i++) {
            const uint64_t cpus = (round + i) % 4 == 3 ? ~0UL : 1UL << (round + i / 2) % cpu_count();
            pin(thread_slot(fp_threads[i].thread), cpus);
            done = done && atomic_load(&fp_threads[i].done);
        }
        sleep_ns(3 * NS_PER_MS);
    }
    for (unsigned i = 0; i < FP_THREADS; i++) {
        CHECK_EQ(thread_join(fp_threads[i].thread, NULL), 0);
        CHECK_EQ(fp_threads[i].wrong, 0);
    }
}

/* A new thread finds nothing of others in its FP registers. */
static void test_fp_fresh(void)
{
    static struct fp_thread self;
    struct thread *thread;
    int result = 1;

    (void)fp_keep(0xdeadbeefdeadbeefUL, 0, 1);
    for (unsigned i = 0; i < 8; i++) {
        MUST(thread_create(&thread, fp_any_set, &self));
        CHECK_EQ(thread_join(thread, &result), 0);
        CHECK_EQ(result, 0);
    }
}

static void test_preemption(void)
{
    uint64_t worst = 0;

    pin(SLOT_THREAD, 1);
    for (unsigned i = 0; i < 3; i++)
        spinner_start(&spinners[i], 1, 8);
    for (unsigned i = 0; i < 20; i++) {
        const uint64_t deadline = now_ns() + 3 * NS_PER_MS;
        uint64_t bits;
        CHECK_EQ(sys_wait(SLOT_NONE, deadline, &bits), -ETIMEDOUT);
        if (now_ns() - deadline > worst)
            worst = now_ns() - deadline;
    }
    CHECK(worst < 100 * NS_PER_MS);
    /* While this thread wants to run, lower ones do not. */
    const uint64_t before = spinners[0].count + spinners[1].count + spinners[2].count;
    const uint64_t end = now_ns() + 20 * NS_PER_MS;
    while (now_ns() < end)
        (void)sys_yield();
    CHECK_EQ(spinners[0].count + spinners[1].count + spinners[2].count, before);
    for (unsigned i = 0; i < 3; i++)
        spinner_end(&spinners[i]);
    pin(SLOT_THREAD, ~0UL);
}

/* True if the threads have done alike much since `counts`. */
static bool are_alike(const uint64_t counts[3])
{
    uint64_t least = UINT64_MAX, most = 0;

    for (unsigned i = 0; i < 3; i++) {
        const uint64_t count = spinners[i].count - counts[i];
        least = count < least ? count : least;
        most = count > most ? count : most;
    }
    return least > 0 && most < 2 * least;
}

static void test_round_robin(void)
{
    const uint64_t end = now_ns() + PATIENCE_NS;
    uint64_t counts[3];

    pin(SLOT_THREAD, 1);
    for (unsigned i = 0; i < 3; i++)
        spinner_start(&spinners[i], 1, 8);
    for (unsigned i = 0; i < 3; i++)
        counts[i] = spinners[i].count;
    /* The host takes the time that it is away from one of them, which evens out. */
    do {
        sleep_ns(300 * NS_PER_MS);
    } while (!are_alike(counts) && now_ns() < end);
    CHECK(are_alike(counts));
    for (unsigned i = 0; i < 3; i++)
        spinner_end(&spinners[i]);
    pin(SLOT_THREAD, ~0UL);
}

static uint64_t cpus_of_spinners(void)
{
    uint64_t cpus = 0;

    for (unsigned i = 0; i < cpu_count(); i++)
        cpus |= 1UL << spinners[i].cpu;
    return cpus;
}

/* Nobody waits for a CPU while another that he may use idles. */
static void test_spread(void)
{
    const uint64_t all = (1UL << cpu_count()) - 1;

    for (unsigned i = 0; i < cpu_count(); i++)
        spinner_start(&spinners[i], ~0UL, 8);
    /* All on one CPU, then let loose. */
    for (unsigned i = 0; i < cpu_count(); i++)
        pin(thread_slot(spinners[i].thread), 1);
    sleep_ns(20 * NS_PER_MS);
    for (unsigned i = 0; i < cpu_count(); i++)
        pin(thread_slot(spinners[i].thread), ~0UL);
    const uint64_t end = now_ns() + PATIENCE_NS;
    while (cpus_of_spinners() != all && now_ns() < end)
        sleep_ns(20 * NS_PER_MS);
    CHECK_EQ(cpus_of_spinners(), all);
    for (unsigned i = 0; i < cpu_count(); i++)
        spinner_end(&spinners[i]);
}

int main(int count, char **arguments)
{
    static const struct kernel_test tests[] = {
        {"a thread stops, wherever it runs, and goes on when resumed", test_stop},
        {"a thread can stop itself", test_stop_self},
        {"the registers of a stopped thread are read and written", test_registers},
        {"a thread that is resumed and was never started is harmless", test_never_started},
        {"what cannot be done to a thread is refused", test_refusals},
        {"a thread runs where its affinity says, at once", test_affinity},
        {"threads that yield take turns", test_yield},
        {"FP registers are kept through preemption and migration", test_fp},
        {"a new thread's FP registers are empty", test_fp_fresh},
        {"lower threads cannot hold up a higher one", test_preemption},
        {"equals share the CPU", test_round_robin},
        {"threads spread over the CPUs that they may use", test_spread},
    };
    return kernel_tests_run(tests, sizeof(tests) / sizeof(tests[0]), count > 1 ? arguments[1] : NULL);
}
