/* SPDX-License-Identifier: MIT */
/*
 * Processes that stop and go on: what stops with them, what their parents hear, what becomes of signals meanwhile, and of
 * those whom nobody would let go on.
 */
#include <errno.h>
#include <proto/memsrv_client.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "server_state.h"
#include "tap.h"

#define THREADS     3
#define ROUNDS      30
#define MS          1000u
#define PATIENCE_MS 60000

/* What parent and children count in. */
struct shared {
    atomic_uint count, threads[THREADS], handled, late;
    atomic_bool flag;
};
static struct shared *shared;

static const pid_t NOBODY = -1;

/* --- Helpers ------------------------------------------------------------------------------------------------------ */

static bool has_stopped(pid_t child, int signal)
{
    int status = 0;
    return waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status) && WSTOPSIG(status) == signal;
}

static bool goes_on(pid_t child)
{
    int status = 0;
    return waitpid(child, &status, WCONTINUED) == child && WIFCONTINUED(status);
}

static bool has_ended(pid_t child, int wanted)
{
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == wanted;
}

static bool was_killed(pid_t child, int signal)
{
    int status = 0;
    return waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == signal;
}

/* True if a counter does not move for a while, or moves. */
static bool stands(atomic_uint *counter)
{
    const unsigned before = *counter;
    usleep(30 * MS);
    return *counter == before;
}

static bool moves(atomic_uint *counter)
{
    const unsigned before = *counter;
    for (int i = 0; i < PATIENCE_MS; i++) {
        if (*counter != before)
            return true;
        usleep(MS);
    }
    return false;
}

/* A child in a group of its own that counts for ever, as fast as it can or with sleeps. */
static pid_t counting_child(bool sleeps)
{
    const pid_t child = fork();

    if (child == 0) {
        (void)setpgid(0, 0);
        for (;;) {
            shared->count++;
            if (sleeps)
                usleep(MS);
        }
    }
    (void)setpgid(child, child);
    (void)moves(&shared->count);
    return child;
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void test_stop(int signal, const char *name, bool sleeps)
{
    const pid_t child = counting_child(sleeps);
    int status;

    (void)kill(child, signal);
    tap_ok(has_stopped(child, signal), "%s stops a child that %s", name, sleeps ? "sleeps" : "runs");
    tap_ok(stands(&shared->count), "which does nothing any more");
    tap_ok(waitpid(child, &status, WUNTRACED | WNOHANG) == 0, "news are told once");
    (void)kill(child, SIGCONT);
    tap_ok(goes_on(child) && moves(&shared->count), "SIGCONT lets it go on");
    (void)kill(child, SIGKILL);
    tap_ok(was_killed(child, SIGKILL), "until it ends");
}

static void *count_in(void *counter)
{
    for (;;) {
        (*(atomic_uint *)counter)++;
        if (counter == &shared->threads[0])
            usleep(MS);
    }
    return NULL;
}

static void test_threads(void)
{
    const pid_t child = fork();
    bool all = true;

    if (child == 0) {
        pthread_t thread;
        for (int i = 0; i < THREADS; i++)
            (void)pthread_create(&thread, NULL, count_in, &shared->threads[i]);
        for (;;)
            pause();
    }
    for (int i = 0; i < THREADS; i++)
        all &= moves(&shared->threads[i]);
    (void)kill(child, SIGSTOP);
    tap_ok(all && has_stopped(child, SIGSTOP), "a child with threads stops");
    for (int i = 0; i < THREADS; i++)
        all &= stands(&shared->threads[i]);
    tap_ok(all, "with all of them");
    (void)kill(child, SIGCONT);
    all = goes_on(child);
    for (int i = 0; i < THREADS; i++)
        all &= moves(&shared->threads[i]);
    tap_ok(all, "and goes on with all of them");
    (void)kill(child, SIGSTOP);
    (void)kill(child, SIGKILL);
    tap_ok(was_killed(child, SIGKILL), "a child that stops can be killed");
}

static void test_itself(void)
{
    pid_t child = fork();

    if (child == 0) {
        (void)raise(SIGSTOP);
        shared->count = 1000;
        _exit(3);
    }
    shared->count = 0;
    tap_ok(has_stopped(child, SIGSTOP) && shared->count == 0, "who stops itself does so before it goes on");
    (void)kill(child, SIGCONT);
    tap_ok(has_ended(child, 3) && shared->count == 1000, "and goes on where it was");
}

static void interrupted(int signal)
{
    shared->handled |= 1u << signal;
}

/* A call that waits is not interrupted by stopping and going on. */
static void test_calls(void)
{
    int ends[2];
    char byte = 0;

    (void)pipe(ends);
    pid_t child = fork();
    if (child == 0)
        _exit(read(ends[0], &byte, 1) == 1 ? byte : 99);
    usleep(20 * MS);
    (void)kill(child, SIGSTOP);
    tap_ok(has_stopped(child, SIGSTOP), "a child that reads a pipe stops");
    (void)write(ends[1], "\7", 1);
    usleep(10 * MS);
    (void)kill(child, SIGCONT);
    tap_ok(has_ended(child, 7), "and reads on what came meanwhile");
    close(ends[0]);
    close(ends[1]);
    child = fork();
    if (child == 0) {
        struct timespec start, end;
        (void)clock_gettime(CLOCK_MONOTONIC, &start);
        const int result = usleep(100 * MS);
        (void)clock_gettime(CLOCK_MONOTONIC, &end);
        _exit(result == 0 && (end.tv_sec - start.tv_sec) * 1000 + (end.tv_nsec - start.tv_nsec) / 1000000 >= 99 ? 1
                                                                                                                : 2);
    }
    usleep(10 * MS);
    (void)kill(child, SIGSTOP);
    (void)has_stopped(child, SIGSTOP);
    (void)kill(child, SIGCONT);
    tap_ok(goes_on(child) && has_ended(child, 1), "a sleep is as long as it was to be");
}

static void test_signals(void)
{
    const pid_t child = fork();

    if (child == 0) {
        struct sigaction action = {.sa_handler = interrupted};
        (void)sigaction(SIGUSR1, &action, NULL);
        (void)sigaction(SIGCONT, &action, NULL);
        shared->flag = true;
        while (!(shared->handled & 1u << SIGCONT) || !(shared->handled & 1u << SIGUSR1))
            usleep(MS);
        _exit(5);
    }
    while (!shared->flag)
        usleep(MS);
    (void)kill(child, SIGSTOP);
    (void)has_stopped(child, SIGSTOP);
    (void)kill(child, SIGUSR1);
    usleep(20 * MS);
    tap_equal(shared->handled, 0, "a signal for a child that has stopped waits");
    (void)kill(child, SIGCONT);
    tap_ok(has_ended(child, 5), "until it goes on, and so does its handler of SIGCONT");
    pid_t other = counting_child(true);
    (void)kill(other, SIGSTOP);
    (void)has_stopped(other, SIGSTOP);
    (void)kill(other, SIGTERM);
    tap_ok(waitpid(other, NULL, WNOHANG) == 0, "so does a signal that will end it");
    (void)kill(other, SIGCONT);
    tap_ok(was_killed(other, SIGTERM), "which it does then");
}

static void test_masks(void)
{
    shared->flag = false;
    const pid_t child = fork();
    if (child == 0) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, SIGTSTP);
        (void)setpgid(0, 0);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        shared->flag = true;
        while (shared->flag)
            usleep(MS);
        (void)sigpending(&set);
        shared->late = sigismember(&set, SIGTSTP);
        (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
        _exit(6);
    }
    while (!shared->flag)
        usleep(MS);
    (void)kill(child, SIGTSTP);
    usleep(10 * MS);
    tap_ok(waitpid(child, NULL, WUNTRACED | WNOHANG) == 0, "SIGTSTP can be blocked");
    (void)kill(child, SIGCONT);
    shared->flag = false;
    tap_ok(has_ended(child, 6) && shared->late == 0, "and is pending no more when SIGCONT comes");
}

static siginfo_t last_news;
static atomic_int news_count;

static void note_child(int signal, siginfo_t *information, void *context)
{
    (void)signal;
    (void)context;
    last_news = *information;
    news_count++;
}

static bool hears(pid_t child, int code, int status)
{
    for (int i = 0; i < PATIENCE_MS && news_count == 0; i++)
        usleep(MS);
    news_count = 0;
    return last_news.si_code == code && last_news.si_pid == child && last_news.si_status == status;
}

static void test_news(void)
{
    struct sigaction action = {.sa_sigaction = note_child, .sa_flags = SA_SIGINFO | SA_RESTART};
    siginfo_t news;

    (void)sigaction(SIGCHLD, &action, NULL);
    const pid_t child = counting_child(true);
    (void)kill(child, SIGSTOP);
    tap_ok(hears(child, CLD_STOPPED, SIGSTOP), "SIGCHLD tells of a child that has stopped");
    tap_ok(waitid(P_PID, (id_t)child, &news, WSTOPPED | WNOWAIT) == 0 && news.si_code == CLD_STOPPED &&
               news.si_status == SIGSTOP && waitid(P_PID, (id_t)child, &news, WSTOPPED) == 0 &&
               news.si_code == CLD_STOPPED,
           "so does waitid");
    (void)kill(child, SIGCONT);
    tap_ok(hears(child, CLD_CONTINUED, SIGCONT), "SIGCHLD tells that it goes on");
    tap_ok(waitid(P_ALL, 0, &news, WCONTINUED) == 0 && news.si_code == CLD_CONTINUED && news.si_pid == child,
           "so does waitid");
    action.sa_flags |= SA_NOCLDSTOP;
    (void)sigaction(SIGCHLD, &action, NULL);
    (void)kill(child, SIGSTOP);
    (void)has_stopped(child, SIGSTOP);
    (void)kill(child, SIGCONT);
    (void)goes_on(child);
    tap_equal(news_count, 0, "with SA_NOCLDSTOP there is no signal");
    (void)kill(child, SIGKILL);
    tap_ok(hears(child, CLD_KILLED, SIGKILL) && was_killed(child, SIGKILL), "but of its end");
    (void)signal(SIGCHLD, SIG_DFL);
}

static void test_orphans(void)
{
    int status;
    pid_t child = fork();

    /* Its parent is in its own group, and that group's other members have parents outside of the session. */
    if (child == 0) {
        (void)raise(SIGTSTP);
        (void)raise(SIGTTIN);
        _exit(8);
    }
    tap_ok(waitpid(child, &status, WUNTRACED) == child && WIFEXITED(status) && WEXITSTATUS(status) == 8,
           "the terminal's signals stop nobody in an orphaned group");
    shared->handled = 0;
    shared->flag = false;
    child = fork();
    if (child == 0) {
        const pid_t grandchild = fork();
        if (grandchild == 0) {
            (void)setpgid(0, 0);
            (void)signal(SIGHUP, interrupted);
            (void)raise(SIGSTOP);
            shared->late = shared->handled;
            shared->flag = true;
            _exit(0);
        }
        _exit(has_stopped(grandchild, SIGSTOP) ? 9 : 10);
    }
    tap_ok(has_ended(child, 9), "a parent ends whose child has stopped");
    for (int i = 0; i < PATIENCE_MS && !shared->flag; i++)
        usleep(MS);
    tap_ok(shared->flag && shared->late == 1u << SIGHUP, "the child hears SIGHUP, then goes on");
}

static void test_many(void)
{
    const pid_t child = counting_child(false);
    bool good = true;

    for (int i = 0; i < ROUNDS; i++) {
        (void)kill(child, SIGSTOP);
        if (i % 2)
            good &= has_stopped(child, SIGSTOP);
        (void)kill(child, SIGCONT);
        if (i % 2)
            good &= goes_on(child);
    }
    tap_ok(good && moves(&shared->count), "%d times", ROUNDS);
    (void)kill(child, SIGKILL);
    tap_ok(was_killed(child, SIGKILL), "and killed");
    tap_ok(waitpid(NOBODY, NULL, 0) == -1 && errno == ECHILD, "nobody is left");
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

int main(void)
{
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    tap_plan(48);
    test_stop(SIGSTOP, "SIGSTOP", false);
    test_stop(SIGSTOP, "SIGSTOP", true);
    test_stop(SIGTSTP, "SIGTSTP", false);
    test_stop(SIGTTIN, "SIGTTIN", true);
    test_threads();
    test_itself();
    test_calls();
    test_signals();
    test_masks();
    test_news();
    test_orphans();
    test_many();
    return tap_done();
}
