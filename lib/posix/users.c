/* SPDX-License-Identifier: MIT */
/*
 * The one user that there is, and its group. Requests to become another fail.
 */
#include "internal.h"

#include <grp.h>
#include <pwd.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define THE_NAME "root"

static char name[] = THE_NAME, no_password[] = "", home[] = "/", shell[] = "/bin/shell";
static char *members[] = {name, NULL};
static struct passwd the_user = {
    .pw_name = name,
    .pw_passwd = no_password,
    .pw_comment = no_password,
    .pw_gecos = no_password,
    .pw_dir = home,
    .pw_shell = shell,
};
static struct group the_group = {.gr_name = name, .gr_passwd = no_password, .gr_mem = members};

uid_t getuid(void)
{
    return 0;
}

uid_t geteuid(void)
{
    return 0;
}

gid_t getgid(void)
{
    return 0;
}

gid_t getegid(void)
{
    return 0;
}

/* One identifier, user's or group's; (as for setreuid) -1 asks for no change. */
static int become(int identifier, bool may_keep)
{
    return (int)posix_result(identifier == 0 || (may_keep && identifier == -1) ? 0 : -EPERM);
}

int setuid(uid_t user)
{
    return become((short)user, false);
}

int seteuid(uid_t user)
{
    return become((short)user, false);
}

int setreuid(uid_t real, uid_t effective)
{
    return become((short)real, true) | become((short)effective, true);
}

int setgid(gid_t group)
{
    return become((short)group, false);
}

int setegid(gid_t group)
{
    return become((short)group, false);
}

int setregid(gid_t real, gid_t effective)
{
    return become((short)real, true) | become((short)effective, true);
}

int issetugid(void)
{
    return 0;
}

int getgroups(int capacity, gid_t groups[])
{
    if (capacity < 0)
        return (int)posix_result(-EINVAL);
    if (capacity > 0)
        groups[0] = 0;
    return 1;
}

int getlogin_r(char *text, size_t bytes)
{
    if (bytes < sizeof(THE_NAME))
        return ERANGE;
    memcpy(text, THE_NAME, sizeof(THE_NAME));
    return 0;
}

char *getlogin(void)
{
    return name;
}

/* Errors are for trouble on the way: that there is nobody of that name is none. */
struct passwd *getpwuid(uid_t user)
{
    return user == 0 ? &the_user : NULL;
}

struct passwd *getpwnam(const char *wanted)
{
    return strcmp(wanted, THE_NAME) == 0 ? &the_user : NULL;
}

struct group *getgrgid(gid_t group)
{
    return group == 0 ? &the_group : NULL;
}

struct group *getgrnam(const char *wanted)
{
    return strcmp(wanted, THE_NAME) == 0 ? &the_group : NULL;
}

/* What is told never changes, so a record of the caller's may point at the library's texts. */
static int tell_user(const struct passwd *found, struct passwd *record, struct passwd **result)
{
    if (found)
        *record = *found;
    *result = found ? record : NULL;
    return 0;
}

static int tell_group(const struct group *found, struct group *record, struct group **result)
{
    if (found)
        *record = *found;
    *result = found ? record : NULL;
    return 0;
}

int getpwuid_r(uid_t user, struct passwd *record, char *buffer, size_t bytes, struct passwd **result)
{
    (void)buffer;
    (void)bytes;
    return tell_user(getpwuid(user), record, result);
}

int getpwnam_r(const char *wanted, struct passwd *record, char *buffer, size_t bytes, struct passwd **result)
{
    (void)buffer;
    (void)bytes;
    return tell_user(getpwnam(wanted), record, result);
}

int getgrgid_r(gid_t group, struct group *record, char *buffer, size_t bytes, struct group **result)
{
    (void)buffer;
    (void)bytes;
    return tell_group(getgrgid(group), record, result);
}

int getgrnam_r(const char *wanted, struct group *record, char *buffer, size_t bytes, struct group **result)
{
    (void)buffer;
    (void)bytes;
    return tell_group(getgrnam(wanted), record, result);
}
