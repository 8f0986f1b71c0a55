/* SPDX-License-Identifier: MIT */
/*
 * Files: opening, reading, writing, offsets, descriptors, what is known of a file, and the boot archive's files.
 */
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <quire/process.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>
#include <utime.h>

#define LARGE_BYTES 100000
#define PAGE        4096
#define GIB         (1L << 30)

/* A test of a call that must fail: returns -1 with that errno. */
static void refused(long result, int wanted, const char *what)
{
    const int found = errno;
    tap_ok(result == -1 && found == wanted, "%s gives %s", what, strerror(wanted));
    if (result != -1 || found != wanted)
        tap_diag("result %ld, errno %d (%s)", result, found, strerror(found));
}

static int make(const char *path, const char *content)
{
    const int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (file >= 0 && write(file, content, strlen(content)) != (ssize_t)strlen(content))
        tap_diag("writing %s: %s", path, strerror(errno));
    return file;
}

static bool holds(int file, const char *content)
{
    char text[64] = {0};
    return pread(file, text, sizeof(text) - 1, 0) == (ssize_t)strlen(content) && strcmp(text, content) == 0;
}

static void test_open(void)
{
    const int file = make("/tmp/open", "0123456789");

    tap_ok(file > STDERR_FILENO, "open makes a file");
    refused(open("/tmp/open", O_RDWR | O_CREAT | O_EXCL, 0644), EEXIST, "open with O_EXCL of a file that is there");
    refused(open("/tmp/none", O_RDONLY), ENOENT, "open of a file that is not");
    refused(open("", O_RDONLY), ENOENT, "open of nothing");
    refused(open("/tmp/open/under", O_RDONLY), ENOTDIR, "open below a file");
    refused(open("/tmp/open/", O_RDONLY), ENOTDIR, "open of a file with a slash behind it");
    refused(open("/tmp", O_WRONLY), EISDIR, "open of a directory to write");
    refused(open("/tmp/open", O_RDONLY | O_DIRECTORY), ENOTDIR, "open of a file as a directory");
    refused(open("/tmp/open", O_ACCMODE), EINVAL, "open to do nothing");
    const int reader = open("/tmp/open", O_RDONLY);
    refused(write(reader, "x", 1), EBADF, "write to a file open to read");
    const int writer = open("/tmp/open", O_WRONLY);
    char byte;
    refused(read(writer, &byte, 1), EBADF, "read of a file open to write");
    tap_ok(close(reader) == 0 && close(writer) == 0, "close works");
    refused(close(reader), EBADF, "close again");
    refused(read(reader, &byte, 1), EBADF, "read of a closed file");
    tap_equal(open("/tmp/open", O_RDONLY), reader, "the lowest descriptor is used again");
    close(reader);
    close(open("/tmp/open", O_WRONLY | O_TRUNC));
    tap_equal(lseek(file, 0, SEEK_END), 0, "O_TRUNC empties a file");
    close(file);
}

static void test_offsets(void)
{
    char text[16] = {0};
    const int file = make("/tmp/offsets", "0123456789");
    const int copy = dup(file);

    tap_equal(lseek(file, 0, SEEK_CUR), 10, "writing moves the offset");
    tap_equal(lseek(copy, -4, SEEK_END), 6, "a copy of the descriptor can move it");
    tap_ok(read(file, text, 2) == 2 && memcmp(text, "67", 2) == 0, "which moves it for both");
    const int other = open("/tmp/offsets", O_RDWR);
    tap_equal(lseek(other, 0, SEEK_CUR), 0, "another open has its own");
    tap_ok(pread(file, text, 3, 1) == 3 && memcmp(text, "123", 3) == 0, "pread reads anywhere");
    tap_equal(lseek(file, 0, SEEK_CUR), 8, "and moves nothing");
    tap_ok(pwrite(file, "ab", 2, 9) == 2 && holds(file, "012345678ab"), "pwrite makes a file longer");
    tap_equal(read(file, text, sizeof(text)), 3, "read stops at the end");
    tap_equal(read(file, text, sizeof(text)), 0, "and then reads nothing");
    tap_equal(lseek(file, 100, SEEK_SET), 100, "the offset can be behind the end");
    tap_equal(read(file, text, 1), 0, "where there is nothing to read");
    refused(lseek(file, -1, SEEK_SET), EINVAL, "a negative offset");
    refused(lseek(file, 0, 77), EINVAL, "an unknown origin");
    refused(pread(file, text, 1, -1), EINVAL, "pread at a negative offset");
    const int appending = open("/tmp/offsets", O_WRONLY | O_APPEND);
    tap_ok(write(appending, "+", 1) == 1 && holds(file, "012345678ab+"), "O_APPEND writes to the end");
    close(appending);
    close(other);
    close(copy);
    close(file);
}

static void test_size(void)
{
    struct stat status;
    char byte = 'x';
    const int file = make("/tmp/size", "0123456789");

    tap_ok(ftruncate(file, 4) == 0 && holds(file, "0123"), "ftruncate makes a file shorter");
    tap_ok(ftruncate(file, 2 * PAGE) == 0 && pread(file, &byte, 1, 5) == 1 && byte == 0,
           "and longer, with zeros where it was cut");
    tap_ok(pwrite(file, "end", 3, GIB) == 3 && fstat(file, &status) == 0 && status.st_size == GIB + 3,
           "a file of 1 GiB fits");
    tap_ok(status.st_blocks * 512 == 2 * PAGE, "since holes take no memory");
    tap_ok(pread(file, &byte, 1, GIB / 2) == 1 && byte == 0, "and are full of zeros");
    tap_ok(truncate("/tmp/size", 0) == 0 && fstat(file, &status) == 0 && status.st_size == 0 && status.st_blocks == 0,
           "truncate gives all back");
    refused(ftruncate(file, -1), EINVAL, "a negative size");
    refused(ftruncate(file, INT64_MAX), EFBIG, "an enormous size");
    refused(pwrite(file, "x", 1, INT64_MAX - 1), EFBIG, "writing beyond all bounds");
    refused(truncate("/tmp", 0), EISDIR, "truncate of a directory");
    refused(truncate("/tmp/none", 0), ENOENT, "truncate of nothing");
    close(file);
    const int reader = open("/tmp/size", O_RDONLY);
    tap_ok(ftruncate(reader, 0) == -1 && (errno == EBADF || errno == EINVAL), "a file open to read keeps its size");
    close(reader);
}

/* Bytes that tell where they are. */
static void fill(unsigned char *bytes, size_t count, unsigned seed)
{
    for (size_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)((i * 2654435761u + seed) >> 11);
}

static void test_large(void)
{
    static unsigned char out[LARGE_BYTES], in[LARGE_BYTES];
    const int file = open("/tmp/large", O_RDWR | O_CREAT, 0600);
    struct iovec vector[3] = {{in, 10000}, {in + 10000, 0}, {in + 10000, 30000}};

    fill(out, sizeof(out), 1);
    tap_equal(write(file, out, sizeof(out)), LARGE_BYTES, "a large write is done in full");
    lseek(file, 0, SEEK_SET);
    tap_ok(read(file, in, sizeof(in)) == LARGE_BYTES && memcmp(in, out, sizeof(in)) == 0, "and read again");
    memset(in, 0, sizeof(in));
    lseek(file, 0, SEEK_SET);
    tap_ok(readv(file, vector, 3) == 40000 && memcmp(in, out, 40000) == 0, "readv fills its pieces");
    vector[0] = (struct iovec){out, 7};
    vector[2] = (struct iovec){out + 7, 9};
    lseek(file, 50000, SEEK_SET);
    tap_ok(writev(file, vector, 3) == 16 && pread(file, in, 16, 50000) == 16 && memcmp(in, out, 16) == 0,
           "writev writes them");
    refused(readv(file, vector, -1), EINVAL, "readv of less than nothing");
    close(file);
    unlink("/tmp/large");
}

static void test_descriptors(void)
{
    const int file = make("/tmp/descriptors", "x");

    tap_equal(dup2(file, 77), 77, "dup2 gives the descriptor that is wanted");
    tap_equal(dup2(file, file), file, "also if that is the same");
    refused(dup2(99, 5), EBADF, "dup2 of a closed one");
    refused(dup2(file, -1), EBADF, "dup2 to none");
    refused(dup2(file, OPEN_MAX), EBADF, "dup2 to one that cannot be");
    tap_equal(fcntl(file, F_DUPFD, 100), 100, "F_DUPFD looks from a number on");
    refused(fcntl(file, F_DUPFD, OPEN_MAX), EINVAL, "F_DUPFD from where there is none");
    tap_equal(fcntl(file, F_GETFD), 0, "FD_CLOEXEC is not set");
    tap_ok(fcntl(file, F_SETFD, FD_CLOEXEC) == 0 && fcntl(file, F_GETFD) == FD_CLOEXEC, "and can be");
    tap_equal(fcntl(77, F_GETFD), 0, "for one descriptor alone");
    const int other = fcntl(file, F_DUPFD_CLOEXEC, 0);
    tap_equal(fcntl(other, F_GETFD), FD_CLOEXEC, "F_DUPFD_CLOEXEC sets it");
    tap_equal(fcntl(file, F_GETFL), O_RDWR, "F_GETFL tells how a file was opened");
    tap_ok(fcntl(file, F_SETFL, O_APPEND | O_NONBLOCK) == 0 && fcntl(77, F_GETFL) == (O_RDWR | O_APPEND | O_NONBLOCK),
           "F_SETFL holds for all copies");
    refused(fcntl(file, 12345), EINVAL, "an unknown command");
    tap_ok(isatty(file) == 0 && errno == ENOTTY, "a file is no terminal");
    tap_equal(sysconf(_SC_OPEN_MAX), OPEN_MAX, "sysconf tells how many there can be");
    int opened = 0;
    while (open("/tmp/descriptors", O_RDONLY) >= 0)
        opened++;
    tap_equal(errno, EMFILE, "which then can be opened");
    for (int descriptor = 3; descriptor < OPEN_MAX; descriptor++)
        close(descriptor);
    tap_ok(opened > OPEN_MAX - 10, "and no more");
}

static void test_status(void)
{
    struct timespec times[2] = {{.tv_sec = 1000, .tv_nsec = 5}, {.tv_sec = 2000, .tv_nsec = 6}};
    struct stat status, same;
    const int file = make("/tmp/status", "abc");

    tap_ok(fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 3 && status.st_nlink == 1,
           "fstat tells type, size and links");
    tap_ok(stat("/tmp/status", &same) == 0 && same.st_ino == status.st_ino && same.st_dev == status.st_dev,
           "stat tells the same of its path");
    tap_equal(status.st_mode & 07777, 0644, "permissions are those asked for");
    tap_ok(chmod("/tmp/status", 0400) == 0 && fchmod(file, 04711) == 0 && fstat(file, &status) == 0 &&
               (status.st_mode & 07777) == 04711,
           "chmod and fchmod set them");
    umask(077);
    close(open("/tmp/masked", O_CREAT | O_WRONLY, 0666));
    tap_ok(stat("/tmp/masked", &same) == 0 && (same.st_mode & 07777) == 0600, "umask takes some away");
    tap_equal(umask(022), 077, "umask tells the last one");
    tap_ok(access("/tmp/masked", R_OK | W_OK) == 0, "the file may be read and written");
    refused(access("/tmp/masked", X_OK), EACCES, "access to execute it");
    refused(access("/tmp/none", F_OK), ENOENT, "access to nothing");
    tap_ok(futimens(file, times) == 0 && fstat(file, &status) == 0 && status.st_atim.tv_sec == 1000 &&
               status.st_atim.tv_nsec == 5 && status.st_mtim.tv_sec == 2000 && status.st_mtim.tv_nsec == 6,
           "futimens sets the times");
    const struct utimbuf old = {.actime = 1, .modtime = 2};
    tap_ok(utime("/tmp/status", &old) == 0 && stat("/tmp/status", &status) == 0 && status.st_atime == 1 &&
               status.st_mtime == 2,
           "utime does");
    times[0].tv_nsec = UTIME_OMIT;
    times[1].tv_nsec = UTIME_NOW;
    tap_ok(utimensat(AT_FDCWD, "/tmp/status", times, 0) == 0 && stat("/tmp/status", &status) == 0 &&
               status.st_atime == 1 && status.st_mtim.tv_nsec == status.st_ctim.tv_nsec,
           "one can be left alone, the other be now");
    times[0].tv_nsec = 2000000000;
    refused(futimens(file, times), EINVAL, "a time that is none");
    tap_ok(chown("/tmp/status", 5, (gid_t)-1) == 0 && stat("/tmp/status", &status) == 0 && status.st_uid == 5 &&
               status.st_gid == 0,
           "chown sets the owner");
    const struct timespec before = status.st_mtim;
    write(file, "x", 1);
    tap_ok(fstat(file, &status) == 0 &&
               (status.st_mtim.tv_sec > before.tv_sec || status.st_mtim.tv_nsec > before.tv_nsec),
           "writing changes the time");
    refused(stat("/tmp/none", &status), ENOENT, "stat of nothing");
    tap_ok(fsync(file) == 0 && fdatasync(file) == 0, "there is nothing to wait for");
    close(file);
}

/* Locks of this program and of a child that tries the same. */
static void test_locks(void)
{
    const char *child[] = {"/tests/files", "lock", NULL};
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    const int file = make("/tmp/locks", "0123456789");

    tap_equal(fcntl(file, F_SETLK, &lock), 0, "a range of a file can be locked");
    tap_equal(process_run(child), 1, "which keeps another program from it");
    tap_equal(fcntl(file, F_GETLK, &lock), 0, "F_GETLK tells");
    tap_equal(lock.l_type, F_UNLCK, "that the own lock is not in the way");
    lock = (struct flock){.l_type = F_UNLCK, .l_whence = SEEK_END, .l_start = 0, .l_len = 5};
    tap_equal(fcntl(file, F_SETLK, &lock), 0, "a part of it can be unlocked");
    lock = (struct flock){.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = -1};
    refused(fcntl(file, F_SETLK, &lock), EINVAL, "a lock before the file");
    close(dup(file));
    tap_equal(process_run(child), 0, "closing any descriptor unlocks the file");
    close(file);
}

/* Tries to lock what the parent has locked: 0, or 1 if it is told so. */
static int child_lock(void)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 15, .l_len = 1};
    const int file = open("/tmp/locks", O_RDWR);

    if (fcntl(file, F_SETLK, &lock) == 0)
        return 0;
    if (errno != EAGAIN || fcntl(file, F_GETLK, &lock) < 0)
        return 2;
    return lock.l_type == F_WRLCK && lock.l_start == 10 && lock.l_len == 10 && lock.l_pid != getpid() ? 1 : 3;
}

static void test_archive(void)
{
    char text[4] = {0};
    struct stat status;
    const int file = open("/tests/hello", O_RDONLY);

    tap_ok(file >= 0 && fstat(file, &status) == 0 && status.st_size > PAGE && (status.st_mode & S_IXUSR),
           "the boot archive's programs are files");
    tap_ok(read(file, text, 4) == 4 && memcmp(text, "\177ELF", 4) == 0, "that can be read");
    static char whole[1 << 20];
    lseek(file, 0, SEEK_SET);
    tap_equal(read(file, whole, sizeof(whole)), status.st_size, "to their end");
    tap_ok(access("/bin/shell", X_OK) == 0 && access("/sbin/fs", X_OK) == 0, "and be asked about");
    close(file);
    const int copy = open("/tests/hello", O_RDWR);
    tap_ok(pwrite(copy, "x", 1, 0) == 1 && pread(copy, text, 4, 0) == 4 && memcmp(text, "xELF", 4) == 0,
           "writing changes the file");
    close(copy);
    tap_equal(process_run((const char *[]){"/tests/hello", NULL}), -ENOEXEC, "which is no program any more");
    tap_equal(process_run((const char *[]){"hello", NULL}), 0, "and not the archive");
}

static void test_devices(void)
{
    struct stat status;
    char text[8] = "abc";
    const int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);
    const int terminal = open("/dev/tty", O_RDWR);

    tap_ok(write(null, text, 3) == 3 && read(null, text, 3) == 0, "/dev/null takes all and gives nothing");
    tap_ok(read(zero, text, 3) == 3 && text[0] == 0 && text[2] == 0, "/dev/zero gives zeros");
    tap_ok(fstat(null, &status) == 0 && S_ISCHR(status.st_mode), "they are devices");
    tap_ok(isatty(terminal) == 1 && write(terminal, "# to the terminal\n", 18) == 18, "/dev/tty is the terminal");
    const int full = open("/dev/full", O_WRONLY);
    refused(write(full, text, 1), ENOSPC, "write to /dev/full");
    refused(pread(terminal, text, 1, 0), ESPIPE, "pread from the terminal");
    close(null);
    close(zero);
    close(full);
    close(terminal);
}

static void test_stdio(void)
{
    char line[32];
    struct statvfs volume;
    FILE *stream = fopen("/tmp/stdio", "w+");

    tap_ok(stream && fprintf(stream, "one %d\ntwo\n", 1) == 10 && fflush(stream) == 0, "stdio writes files");
    rewind(stream);
    tap_ok(fgets(line, sizeof(line), stream) && strcmp(line, "one 1\n") == 0, "and reads them");
    tap_ok(fseek(stream, -2, SEEK_END) == 0 && fgetc(stream) == 'o' && ftell(stream) == 9, "and moves in them");
    fclose(stream);
    stream = fopen("/tmp/stdio", "a");
    tap_ok(stream && fputs("three\n", stream) >= 0 && fclose(stream) == 0, "and appends");
    tap_ok(fopen("/tmp/none", "r") == NULL && errno == ENOENT, "a file that is not there cannot be read");
    stream = tmpfile();
    tap_ok(stream && fputs("text", stream) >= 0 && fseek(stream, 0, SEEK_SET) == 0 && fgetc(stream) == 't',
           "tmpfile works");
    fclose(stream);
    char name[] = "/tmp/nameXXXXXX";
    const int file = mkstemp(name);
    tap_ok(file >= 0 && strcmp(name, "/tmp/nameXXXXXX") != 0 && unlink(name) == 0, "mkstemp makes a file");
    close(file);
    /* Output to a file and back to the terminal. */
    fflush(stdout);
    const int saved = dup(STDOUT_FILENO);
    dup2(open("/tmp/output", O_WRONLY | O_CREAT, 0644), STDOUT_FILENO);
    printf("into the file\n");
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    const int output = open("/tmp/output", O_RDONLY);
    tap_ok(holds(output, "into the file\n"), "standard output can be a file");
    close(output);
    tap_ok(statvfs("/tmp", &volume) == 0 && volume.f_bsize == PAGE && volume.f_bfree > 0 &&
               volume.f_blocks > volume.f_bfree,
           "statvfs tells how full it is");
}

int main(int argument_count, char **arguments)
{
    (void)arguments;
    if (argument_count > 1)
        return child_lock();
    tap_plan(16 + 15 + 12 + 6 + 18 + 17 + 7 + 6 + 6 + 9);
    test_open();
    test_offsets();
    test_size();
    test_large();
    test_descriptors();
    test_status();
    test_locks();
    test_archive();
    test_devices();
    test_stdio();
    return tap_done();
}
