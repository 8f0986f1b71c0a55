/* SPDX-License-Identifier: MIT */
/*
 * Parts of the C library that programs from outside use: users, commands, patterns, shared libraries, locks of streams,
 * walks through directories, names of descriptors.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <ftw.h>
#include <glob.h>
#include <grp.h>
#include <pthread.h>
#include <pwd.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static void test_users(void)
{
    struct passwd record, *found;
    struct group group, *found_group;
    gid_t groups[2] = {9, 9};
    char text[64];

    tap_ok(getuid() == 0 && geteuid() == 0 && getgid() == 0 && getegid() == 0, "there is one user");
    tap_ok(getpwuid(0) == getpwnam("root") && strcmp(getpwuid(0)->pw_dir, "/") == 0, "it has a name and a home");
    tap_ok(!getpwuid(1) && !getpwnam("nobody") && !getgrgid(1) && !getgrnam("wheel"), "and nobody else has");
    tap_ok(getpwnam_r("root", &record, text, sizeof(text), &found) == 0 && found == &record && record.pw_uid == 0 &&
               getpwuid_r(7, &record, text, sizeof(text), &found) == 0 && !found,
           "the same into a record of the caller's");
    tap_ok(getgrgid_r(0, &group, text, sizeof(text), &found_group) == 0 && found_group == &group &&
               strcmp(group.gr_mem[0], "root") == 0,
           "the group has one member");
    tap_ok(getgroups(0, NULL) == 1 && getgroups(2, groups) == 1 && groups[0] == 0 && groups[1] == 9, "getgroups");
    tap_ok(getlogin_r(text, 4) == ERANGE && getlogin_r(text, 5) == 0 && strcmp(text, "root") == 0, "getlogin_r");
    tap_ok(setuid(0) == 0 && setgid(0) == 0 && setreuid((uid_t)-1, 0) == 0, "it may become itself");
    errno = 0;
    tap_ok(setuid(1) == -1 && errno == EPERM && seteuid((uid_t)-1) == -1 && setregid(0, 5) == -1, "but nobody else");
}

static void test_usage(void)
{
    struct rusage first, second;

    tap_ok(getrusage(RUSAGE_SELF, &first) == 0 && usleep(20000) == 0 && getrusage(RUSAGE_SELF, &second) == 0 &&
               (second.ru_utime.tv_sec - first.ru_utime.tv_sec) * 1000000L + second.ru_utime.tv_usec -
                       first.ru_utime.tv_usec >=
                   20000,
           "getrusage tells what passes");
    errno = 0;
    tap_ok(getrusage(7, &first) == -1 && errno == EINVAL, "of whom nobody knows is EINVAL");
}

/* What commands do is the test of the shell. */
static void test_commands(void)
{
    char text[8];

    errno = 0;
    tap_ok(!popen("true", "x") && errno == EINVAL, "popen: a mode that is none");
    FILE *first = popen("exit 27", "re");
    FILE *second = popen("exit 27", "r");
    tap_ok(first && second, "two commands");
    if (!first || !second)
        return;
    tap_ok(fcntl(fileno(first), F_GETFD) == FD_CLOEXEC && fcntl(fileno(second), F_GETFD) == 0, "e is FD_CLOEXEC");
    tap_ok(fread(text, 1, sizeof(text), first) == 0 && feof(first), "the pipe ends when the command does");
    const int status = pclose(first);
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 27, "pclose gives its status");
    tap_ok(pclose(second) == status, "that of the other, too");
    errno = 0;
    tap_ok(pclose(stdin) == -1 && errno == ECHILD, "pclose of another stream is ECHILD");
}

static void make(const char *path)
{
    const int file = open(path, O_CREAT | O_WRONLY, 0644);
    if (file >= 0)
        close(file);
}

static void test_patterns(void)
{
    regex_t expression;
    regmatch_t matches[3];
    glob_t found = {0};

    tap_ok(fnmatch("*.[ch]", "file.c", 0) == 0 && fnmatch("*.[ch]", "file.o", 0) == FNM_NOMATCH &&
               fnmatch("*", "a/b", FNM_PATHNAME) == FNM_NOMATCH,
           "fnmatch");
    tap_ok(regcomp(&expression, "([a-z]+)=([0-9]*)", REG_EXTENDED) == 0, "regcomp");
    tap_ok(regexec(&expression, "  key=42;", 3, matches, 0) == 0 && matches[1].rm_so == 2 && matches[1].rm_eo == 5 &&
               matches[2].rm_so == 6 && matches[2].rm_eo == 8,
           "regexec finds the parts");
    tap_ok(regexec(&expression, "nothing", 0, NULL, 0) == REG_NOMATCH, "or nothing");
    regfree(&expression);
    tap_ok(regcomp(&expression, "(", REG_EXTENDED) == REG_EPAREN, "a pattern that is none");
    mkdir("/tmp/patterns", 0755);
    make("/tmp/patterns/b.txt");
    make("/tmp/patterns/a.txt");
    make("/tmp/patterns/c.dat");
    tap_ok(glob("/tmp/patterns/*.txt", 0, NULL, &found) == 0 && found.gl_pathc == 2 &&
               strcmp(found.gl_pathv[0], "/tmp/patterns/a.txt") == 0 &&
               strcmp(found.gl_pathv[1], "/tmp/patterns/b.txt") == 0,
           "glob finds names and sorts them");
    globfree(&found);
}

static void test_libraries(void)
{
    tap_ok(!dlerror() && !dlopen("libc.so", RTLD_NOW), "dlopen finds nothing");
    tap_ok(dlerror() && !dlerror(), "dlerror tells why, once");
}

static void *try_stream(void *stream)
{
    return ftrylockfile(stream) == 0 ? stream : NULL;
}

static void test_streams(void)
{
    pthread_t thread;
    void *result = stdout;

    flockfile(stderr);
    flockfile(stderr);
    funlockfile(stderr);
    tap_ok(pthread_create(&thread, NULL, try_stream, stderr) == 0 && pthread_join(thread, &result) == 0 && !result,
           "a locked stream is locked to other threads");
    funlockfile(stderr);
    tap_ok(ftrylockfile(stderr) == 0, "and free when it was unlocked as often");
    funlockfile(stderr);
}

/* --- Walks -------------------------------------------------------------------------------------------------------- */

static char walked[200];

static int note_walk(const char *path, const struct stat *status, int type, struct FTW *place)
{
    (void)status;
    (void)snprintf(walked + strlen(walked), sizeof(walked) - strlen(walked), "%s:%d:%d ", path + place->base, type,
                   place->level);
    return strcmp(path + place->base, "stop") == 0 ? 17 : 0;
}

static int note_file(const char *path, const struct stat *status, int type)
{
    (void)snprintf(walked + strlen(walked), sizeof(walked) - strlen(walked), "%s:%d:%d ", path, type,
                   S_ISDIR(status->st_mode));
    return 0;
}

static const char *walk(int flags)
{
    walked[0] = '\0';
    return nftw("/tmp/walk", note_walk, 4, flags) == 0 ? walked : "failed";
}

static void test_walks(void)
{
    (void)mkdir("/tmp/walk", 0755);
    (void)mkdir("/tmp/walk/b", 0755);
    close(open("/tmp/walk/a", O_WRONLY | O_CREAT, 0644));
    close(open("/tmp/walk/b/c", O_WRONLY | O_CREAT, 0644));
    (void)symlink("none", "/tmp/walk/d");
    tap_ok(strcmp(walk(0), "walk:1:0 a:0:1 b:1:1 c:0:2 d:6:1 ") == 0, "nftw: directories before what is in them");
    tap_ok(strcmp(walk(FTW_DEPTH | FTW_PHYS), "a:0:1 c:0:2 b:5:1 d:4:1 walk:5:0 ") == 0, "or after it");
    walked[0] = '\0';
    tap_ok(ftw("/tmp/walk/b", note_file, 1) == 0 && strcmp(walked, "/tmp/walk/b:1:1 /tmp/walk/b/c:0:0 ") == 0, "ftw");
    close(open("/tmp/walk/b/stop", O_WRONLY | O_CREAT, 0644));
    tap_ok(nftw("/tmp/walk", note_walk, 1, 0) == 17, "the function ends the walk");
    tap_ok(nftw("/tmp/none", note_walk, 1, 0) == -1 && errno == ENOENT, "nothing to walk through");
}

/* --- Names of descriptors, and vectors at offsets ------------------------------------------------------------------ */

static void test_names(void)
{
    char name[32], first[3] = "", second[3] = "";
    const struct iovec parts[] = {{first, 2}, {second, 2}};
    const int file = open("/tmp/named", O_RDWR | O_CREAT | O_TRUNC, 0644);

    tap_ok(write(file, "abcdef", 6) == 6 && preadv(file, parts, 2, 1) == 4 && strcmp(first, "bc") == 0 &&
               strcmp(second, "de") == 0 && pwritev(file, parts, 2, 0) == 4 && pread(file, name, 6, 0) == 6 &&
               memcmp(name, "bcdeef", 6) == 0,
           "preadv and pwritev");
    (void)snprintf(name, sizeof(name), "/dev/fd/%d", file);
    const int same = open(name, O_RDONLY);
    tap_ok(same > file && lseek(file, 3, SEEK_SET) == 3 && lseek(same, 0, SEEK_CUR) == 3, "/dev/fd is the descriptor");
    tap_ok(open("/dev/fd/200", O_RDONLY) == -1 && errno == EBADF, "if it is open");
    const int standard = open("/dev/stdout", O_WRONLY);
    tap_ok(standard > 2 && isatty(standard) == isatty(1), "/dev/stdout is descriptor 1");
    close(standard);
    close(same);
    close(file);
    tap_ok(pathconf("/tmp", _PC_NAME_MAX) == 255 && fpathconf(1, _PC_PIPE_BUF) >= 512, "limits of paths");
    errno = 0;
    tap_ok(pathconf("/none", _PC_NAME_MAX) == -1 && errno == ENOENT && pathconf("/", 9999) == -1 && errno == EINVAL,
           "and what has none");
    tap_ok(sysconf(_SC_ARG_MAX) == 131072 && sysconf(_SC_JOB_CONTROL) > 0, "sysconf");
    tap_ok(mkfifo("/tmp/fifo", 0644) == -1 && errno == ENOSYS, "what is missing says so");
    tap_ok(sizeof(ino_t) == 8 && sizeof(dev_t) == 8 && sizeof(uid_t) == 4, "numbers of files are wide");
}

int main(void)
{
    tap_plan(42);
    test_users();
    test_usage();
    test_commands();
    test_patterns();
    test_libraries();
    test_streams();
    test_walks();
    test_names();
    return tap_done();
}
