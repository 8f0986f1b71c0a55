/* SPDX-License-Identifier: MIT */
/*
 * Programs in files that a program has written: what may be executed, scripts, damage, and what becomes of a program
 * whose file goes. The program writes copies of itself and becomes them with a word that says what to do.
 */
#include <errno.h>
#include <fcntl.h>
#include <proto/memsrv_client.h>
#include <proto/root_client.h>
#include <quire/clock.h>
#include <quire/process.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "server_state.h"
#include "tap.h"

#define SELF        "/tests/program_files"
#define COPY        "/tmp/copy"
#define SCRIPT      "/tmp/script"
#define FAILED      100 /* a child's status: exec failed with this and errno */
#define DAMAGES     150
#define HEAD_BYTES  512u
#define ROUNDS      12
#define MINUTE_NS   60000000000UL
#define HEADER_SIZE 64u

/* --- What a copy does --------------------------------------------------------------------------------------------- */

static int initialized[4] = {1, 2, 3, 4};
static char zeroed[20000];

/* Memory begins as the file has it, and with zeros behind that. */
static int image(void)
{
    for (size_t i = 0; i < sizeof(zeroed); i++)
        if (zeroed[i])
            return 1;
    for (int i = 0; i < 4; i++)
        if (initialized[i] != i + 1)
            return 2;
    memset(zeroed, 1, sizeof(zeroed));
    initialized[0] = 9;
    return 0;
}

/* Uses no descriptor and stays for a minute. */
static int nap(void)
{
    clock_sleep_until(clock_now_ns() + MINUTE_NS);
    return 0;
}

/* Says that it runs, and goes on when the other end has done what it wants to. */
static int stay(char **words)
{
    char byte = 'r';

    if (write(atoi(words[0]), &byte, 1) != 1 || read(atoi(words[1]), &byte, 1) != 1)
        return 1;
    /* A page of code that was not there before. */
    return (int)strtol("17", NULL, 10) + image();
}

/* The arguments are these, joined. */
static int arguments(int count, char **words)
{
    char joined[200] = "";

    for (int i = 0; i < count; i++)
        (void)snprintf(joined + strlen(joined), sizeof(joined) - strlen(joined), "%s|", words[i]);
    return strcmp(joined, getenv("WANTED")) == 0 ? 0 : 1;
}

static int child(int count, char **words)
{
    if (getenv("WANTED"))
        return arguments(count, words);
    if (count > 1 && strcmp(words[1], "image") == 0)
        return image();
    if (count > 1 && strcmp(words[1], "nap") == 0)
        return nap();
    if (count > 3 && strcmp(words[1], "stay") == 0)
        return stay(words + 2);
    return count > 2 && strcmp(words[1], "status") == 0 ? atoi(words[2]) : 99;
}

/* --- Helpers ------------------------------------------------------------------------------------------------------ */

static int result_of(pid_t pid)
{
    int status = -1;

    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* Forks a child that becomes the program of a path. */
static int run(const char *path, char *const words[])
{
    const pid_t pid = fork();

    if (pid == 0) {
        (void)execv(path, words);
        _exit(FAILED + errno);
    }
    return result_of(pid);
}

static bool write_file(const char *path, const void *content, size_t bytes, mode_t mode)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const bool written = file >= 0 && write(file, content, bytes) == (ssize_t)bytes && fchmod(file, mode) == 0;

    close(file);
    return written;
}

static char *self;
static size_t self_bytes;

/* This program's file, all of it. */
static bool read_self(void)
{
    struct stat status;
    const int file = open(SELF, O_RDONLY);

    if (file < 0 || fstat(file, &status) < 0)
        return false;
    self_bytes = (size_t)status.st_size;
    self = malloc(self_bytes);
    const bool got = self && read(file, self, self_bytes) == (ssize_t)self_bytes;
    close(file);
    return got;
}

static bool write_script(const char *path, const char *text)
{
    return write_file(path, text, strlen(text), 0755);
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static void test_copy(void)
{
    char *words[] = {"copy", "image", NULL}, *status[] = {"copy", "status", "41", NULL};

    tap_ok(write_file(COPY, self, self_bytes, 0755), "a program is written");
    tap_equal(run(COPY, words), 0, "and executed: data and zeros are in their places");
    tap_equal(run(COPY, words), 0, "what it wrote to its memory is not in the file");
    (void)chdir("/tmp");
    tap_equal(run("copy", status), 41, "a relative path");
    tap_equal(process_run((const char *[]){COPY, "status", "42", NULL}), 42, "it is spawned");
    tap_ok(symlink("copy", "/tmp/link") == 0, "a symbolic link");
    tap_equal(run("/tmp/link", status), 41, "leads to it");
    const int file = open(COPY, O_RDONLY | O_CLOEXEC);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)fexecve(file, status, (char *[]){NULL});
        _exit(FAILED + errno);
    }
    tap_equal(result_of(pid), 41, "fexecve");
    tap_ok(fexecve(250, status, NULL) == -1 && errno == EBADF, "fexecve of a descriptor that is not open");
    close(file);
}

static void test_refused(void)
{
    char *words[] = {"copy", "status", "1", NULL};

    (void)chmod(COPY, 0644);
    tap_equal(run(COPY, words), FAILED + EACCES, "a file that nobody may execute");
    (void)chmod(COPY, 0001);
    tap_equal(run(COPY, words), 1, "one that others may");
    tap_equal(run("/tmp", words), FAILED + EACCES, "a directory");
    tap_equal(run("/dev/null", words), FAILED + EACCES, "a device");
    tap_equal(run("/tmp/none", words), FAILED + ENOENT, "nothing");
    tap_equal(run(COPY "/x", words), FAILED + ENOTDIR, "a file as a directory");
    tap_ok(write_file(SCRIPT, "", 0, 0755), "an empty file");
    tap_equal(run(SCRIPT, words), FAILED + ENOEXEC, "is no program");
    tap_ok(write_script(SCRIPT, "echo hello\n"), "a text");
    tap_equal(run(SCRIPT, words), FAILED + ENOEXEC, "is none either");
    tap_ok(write_file(SCRIPT, self, 40, 0755), "the beginning of a header");
    tap_equal(run(SCRIPT, words), FAILED + ENOEXEC, "is none");
    tap_ok(write_file(SCRIPT, self, 5000, 0755), "a program that is cut off");
    tap_equal(run(SCRIPT, words), FAILED + ENOEXEC, "is none");
    tap_equal(process_run((const char *[]){SCRIPT, NULL}), -ENOEXEC, "nor is it spawned");
}

static int run_wanting(const char *path, char *const words[], const char *wanted)
{
    setenv("WANTED", wanted, 1);
    const int result = run(path, words);
    unsetenv("WANTED");
    return result;
}

static void test_scripts(void)
{
    char *words[] = {"name", "one", "two", NULL};
    char path[32], text[64];

    tap_ok(write_script(SCRIPT, "#!" COPY "\nrest\n"), "a script");
    tap_equal(run_wanting(SCRIPT, words, COPY "|" SCRIPT "|one|two|"), 0, "its interpreter, its path, its arguments");
    tap_ok(write_script(SCRIPT, "#! \t" COPY "  -a  b c \t\nrest\n"), "with an argument");
    tap_equal(run_wanting(SCRIPT, words, COPY "|-a  b c|" SCRIPT "|one|two|"), 0, "which is all of the line");
    tap_ok(write_script(SCRIPT, "#!" COPY), "without an end of line");
    tap_equal(run_wanting(SCRIPT, words, COPY "|" SCRIPT "|one|two|"), 0, "the end of the file is one");
    tap_ok(write_script(SCRIPT, "#!/tmp/none\n"), "an interpreter that is not there");
    tap_equal(run(SCRIPT, words), FAILED + ENOENT, "is nothing");
    tap_ok(write_script(SCRIPT, "#!  \n"), "no interpreter");
    tap_equal(run(SCRIPT, words), FAILED + ENOEXEC, "is no program");
    (void)write_script("/tmp/s0", "#!" COPY " x\n");
    for (int i = 1; i <= 5; i++) {
        (void)snprintf(path, sizeof(path), "/tmp/s%d", i);
        (void)snprintf(text, sizeof(text), "#!/tmp/s%d\n", i - 1);
        (void)write_script(path, text);
    }
    tap_equal(run_wanting("/tmp/s1", words, COPY "|x|/tmp/s0|/tmp/s1|one|two|"), 0, "a script of a script");
    tap_equal(run_wanting("/tmp/s4", words, COPY "|x|/tmp/s0|/tmp/s1|/tmp/s2|/tmp/s3|/tmp/s4|one|two|"), 0,
              "five scripts");
    tap_equal(run("/tmp/s5", words), FAILED + ELOOP, "six are too many");
}

static void test_closing(void)
{
    int ends[2];
    char byte;

    tap_ok(pipe(ends) == 0 && fcntl(ends[1], F_SETFD, FD_CLOEXEC) == 0, "a pipe for this program alone");
    const pid_t pid = fork();
    if (pid == 0) {
        (void)execl(COPY, "copy", "nap", (char *)NULL);
        _exit(FAILED + errno);
    }
    close(ends[1]);
    const uint64_t start = clock_now_ns();
    tap_ok(read(ends[0], &byte, 1) == 0 && clock_now_ns() - start < MINUTE_NS,
           "exec closes its end, though the program never looks at a descriptor");
    tap_ok(kill(pid, SIGKILL) == 0 && result_of(pid) == 1000 + SIGKILL, "which still runs then");
    close(ends[0]);
}

/* Starts a copy that waits for a byte, does something to its file, and lets it go on. */
static int change_under(bool unlinks)
{
    int up[2], down[2];
    char names[2][12], byte = 'g';

    (void)write_file(COPY, self, self_bytes, 0755);
    if (pipe(up) < 0 || pipe(down) < 0)
        return -1;
    (void)snprintf(names[0], sizeof(names[0]), "%d", up[1]);
    (void)snprintf(names[1], sizeof(names[1]), "%d", down[0]);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)execl(COPY, "copy", "stay", names[0], names[1], (char *)NULL);
        _exit(FAILED + errno);
    }
    if (read(up[0], &byte, 1) != 1 || (unlinks ? unlink(COPY) : truncate(COPY, 0)) < 0)
        return -1;
    (void)!write(down[1], &byte, 1);
    for (int i = 0; i < 2; i++) {
        close(up[i]);
        close(down[i]);
    }
    return result_of(pid);
}

static void test_damage(void)
{
    char *words[] = {"copy", "image", NULL};
    char *damaged = malloc(self_bytes);
    unsigned state = 1;
    int refused = 0;

    if (!damaged)
        return;
    for (int i = 0; i < DAMAGES; i++) {
        memcpy(damaged, self, self_bytes);
        for (int bytes = 0; bytes < 1 + i % 3; bytes++) {
            state = state * 1103515245 + 12345;
            damaged[(state >> 8) % (HEADER_SIZE + 5 * 56)] = (char)(state >> 24);
        }
        (void)write_file(COPY, damaged, self_bytes, 0755);
        refused += run(COPY, words) == FAILED + ENOEXEC;
    }
    tap_ok(refused > DAMAGES / 4, "%d of %d damaged headers are refused, others run or end themselves", refused,
           DAMAGES);
    free(damaged);
    (void)write_file(COPY, self, self_bytes, 0755);
    tap_equal(run(COPY, words), 0, "and the whole one runs");
}

static void test_requests(void)
{
    struct root_program_image image = {.strings = (uint64_t)SELF,
                                       .bytes = sizeof(SELF),
                                       .arguments = 1,
                                       .head = (uint64_t)self,
                                       .head_bytes = HEAD_BYTES,
                                       .object = 1UL << 40,
                                       .size = self_bytes};
    uint64_t pid;

    tap_equal(root_spawn_object(SLOT_ROOT, &image, 0, &pid), -EINVAL, "no image");
    tap_equal(root_spawn_object(SLOT_ROOT, (struct root_program_image[2]){image, image}, 2, &pid), -EINVAL, "two");
    tap_equal(root_spawn_object(SLOT_ROOT, &image, 1, &pid), -ENOENT, "an object that the caller has not");
    image.head = 8;
    tap_equal(root_spawn_object(SLOT_ROOT, &image, 1, &pid), -EFAULT, "a head that is not there");
    image.head_bytes = ROOT_PROGRAM_HEAD_MAX + 1;
    tap_equal(root_spawn_object(SLOT_ROOT, &image, 1, &pid), -EINVAL, "one that is too long");
    image.head_bytes = 0;
    tap_equal(root_exec_object(SLOT_ROOT, 0, &image, 1), -ENOEXEC, "none");
    image.head = (uint64_t)self;
    image.head_bytes = HEAD_BYTES;
    image.size = HEAD_BYTES - 1;
    tap_equal(root_exec_object(SLOT_ROOT, 0, &image, 1), -ENOEXEC, "a head that is longer than its file");
    image.strings = 8;
    image.size = self_bytes;
    tap_equal(root_exec_object(SLOT_ROOT, 0, &image, 1), -EFAULT, "strings that are not there");
    image.strings = (uint64_t)SELF;
    tap_equal(memsrv_object_memory_create(SLOT_MEMSRV, 0, &image.object), 0, "an object without the file's bytes");
    tap_equal(root_spawn_object(SLOT_ROOT, &image, 1, &pid), -ENOMEM, "is no program's");
    (void)!memsrv_object_memory_release(SLOT_MEMSRV, image.object);
}

static void test_leaks(void)
{
    char *words[] = {"copy", "status", "3", NULL}, *bad[] = {SCRIPT, NULL};
    uint64_t before = 0;
    bool ended = true;

    for (int i = 0; i < ROUNDS; i++) {
        if (i == 2)
            before = free_pages();
        ended &= run(COPY, words) == 3 && run(SCRIPT, bad) == FAILED + ENOEXEC;
    }
    tap_ok(ended, "%d programs", ROUNDS);
    tap_ok(free_pages() + 8 >= before, "no memory is lost");
    tap_ok(memsrv_is_sound(), "memsrv's structures hold");
}

int main(int count, char **words)
{
    if (count > 1 || getenv("WANTED"))
        return child(count, words);
    tap_plan(58);
    tap_ok(read_self(), "the program reads its own file");
    test_copy();
    test_refused();
    test_scripts();
    test_closing();
    tap_equal(change_under(true), 17, "a program goes on when its file has no name any more");
    tap_equal(change_under(false), 1000 + SIGBUS, "it ends when its file's content goes");
    test_damage();
    test_requests();
    test_leaks();
    (void)unlink(COPY);
    return tap_done();
}
