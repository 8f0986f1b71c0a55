/* SPDX-License-Identifier: MIT */
/*
 * The shell: scripts and what they print, system(), popen(), and the shell as the interpreter of files.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define OUTPUT_BYTES 2000
#define SCRIPT       "/tmp/script.sh"

struct script {
    const char *name, *text, *output;
    int status;
};

static const struct script scripts[] = {
    {"commands and statuses", "echo one; false; echo $?; true; echo $?; (exit 7); echo $?; exit 3", "one\n1\n0\n7\n",
     3},
    {"words and quotes", "a='x  y'; set -- $a \"$a\"; echo $# \"$2\" \\$a '$a'", "3 y $a $a\n", 0},
    {"variables", "x=5; y=${x:-0}${z:-none}${#x}; unset x; echo $y ${x-gone}; f=a.tar.gz; echo ${f%%.*} ${f#*.}",
     "5none1 gone\na tar.gz\n", 0},
    {"arithmetic", "i=0; while [ $i -lt 5 ]; do i=$((i + 1)); s=$((s + i * i)); done; echo $s $((7 % 4)) $((1 << 10))",
     "55 3 1024\n", 0},
    {"pipelines", "echo 'c b a' | (read x y z; echo $z $y $x) | while read w; do echo \"<$w>\"; done", "<a b c>\n", 0},
    {"long pipelines",
     "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i + 1)); done | (n=0; while read l; do n=$((n + 1)); done; "
     "echo $n) | (read n; echo $n)",
     "2000\n", 0},
    {"status of a pipeline", "false | true; echo $?; true | (exit 4); echo $?; ! false; echo $?", "0\n4\n0\n", 0},
    {"redirections",
     "cd /tmp; echo one >f; echo two >>f; while read l; do echo \"[$l]\"; done <f; echo err >&2 2>/dev/null; "
     "exec 5<f; read l <&5; read m <&5; echo $l$m; exec 5<&-; (echo x >&5) 2>/dev/null || echo closed",
     "[one]\n[two]\nonetwo\nclosed\n", 0},
    {"here-documents",
     "n=5; while read l; do echo \"$l!\"; done <<END\nfirst $n\n$((n * n))\nEND\nread v <<'END'\n$n as it "
     "is\nEND\necho $v",
     "first 5!\n25!\n$n as it is\n", 0},
    {"substitution of commands", "x=$(echo a; echo b); echo \"$x\" `echo c`; echo $(echo $(echo deep))",
     "a\nb c\ndeep\n", 0},
    {"functions", "f() { local x=$1; echo in $x; return 6; }; x=out; f arg; echo $? $x", "in arg\n6 out\n", 0},
    {"cases and loops",
     "for f in a.c b.h README; do case $f in *.c|*.h) echo C $f;; [A-Z]*) echo other $f;; esac; done; "
     "until [ \"$n\" = xxx ]; do n=x$n; [ $n = xx ] && continue; echo $n; done",
     "C a.c\nC b.h\nother README\nx\nxxx\n", 0},
    {"files by pattern", "mkdir -p /tmp 2>/dev/null; cd /tmp; : >g1; : >g2; : >g3; echo g?; echo [h]*",
     "g1 g2 g3\n[h]*\n", 0},
    {"background jobs",
     "(exit 5) & a=$!; (exit 6) & b=$!; wait $a; echo $?; wait $b; echo $?; echo x | (read y; echo $y) & wait",
     "5\n6\nx\n", 0},
    {"jobs that run at once", "for i in 1 2 3 4 5 6 7 8; do (exit $i) & done; wait; echo all", "all\n", 0},
    {"traps", "trap 'echo bye' EXIT; trap 'echo usr' USR1; kill -USR1 $$; echo then", "usr\nthen\nbye\n", 0},
    {"signals of children", "/tests/commands sleep & p=$!; kill $p; wait $p; echo $?", "143\n", 0},
    {"stopped children", "/tests/commands sleep & p=$!; kill -STOP $p; kill -CONT $p; kill -KILL $p; wait $p; echo $?",
     "137\n", 0},
    {"programs", "/tests/commands print 1; PATH=/none; commands print 2; echo $?", "printed 1\n127\n", 0},
    {"environment", "export A=1; B=2 /tests/commands variable A B; A=x; /tests/commands variable A B", "1 2\nx -\n", 0},
    {"directory of programs", "cd /tmp; /tests/commands directory; cd /; /tests/commands directory", "/tmp\n/\n", 0},
    {"errors", "set -e; false; echo not here", "", 1},
    {"an unknown command", "nothing_of_that_name", "", 127},
    {"a file that cannot be run", ": >/tmp/plain; /tmp/plain", "", 126},
    {"a syntax error", "if true; then", "", 2},
    {"evaluation", "c='echo a; x=4'; eval \"$c\"; echo $x; . /tmp/sourced.sh; echo $sourced", "a\n4\nyes\n", 0},
    {"test and printf", "[ -d /tmp ] && [ ! -e /none ] && [ 3 -gt 2 ] && printf '%03d|%s|%x\\n' 7 a 255", "007|a|ff\n",
     0},
    {"reading input", "IFS=: read a b c; echo $c $b $a", "z y x\n", 0},
};
#define SCRIPT_COUNT (sizeof(scripts) / sizeof(scripts[0]))

/* --- What programs do that scripts run ---------------------------------------------------------------------------- */

static int child(char **words)
{
    char path[100];

    if (strcmp(words[0], "print") == 0)
        return printf("printed %s\n", words[1]) < 0;
    if (strcmp(words[0], "variable") == 0)
        return printf("%s %s\n", getenv(words[1]), getenv(words[2]) ? getenv(words[2]) : "-") < 0;
    if (strcmp(words[0], "directory") == 0)
        return puts(getcwd(path, sizeof(path))) < 0;
    if (strcmp(words[0], "sleep") == 0)
        return (int)sleep(100);
    return 99;
}

/* --- Rows --------------------------------------------------------------------------------------------------------- */

static bool write_file(const char *path, const char *text, mode_t mode)
{
    const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const bool written =
        file >= 0 && write(file, text, strlen(text)) == (ssize_t)strlen(text) && fchmod(file, mode) == 0;

    close(file);
    return written;
}

/* Runs `sh -c TEXT` or `sh PATH`, and compares. */
static void run_script(const struct script *script)
{
    char output[OUTPUT_BYTES + 1] = "";
    int up[2], down[2], status = -1;
    size_t length = 0;
    ssize_t got;

    if (pipe(up) < 0 || pipe(down) < 0)
        return;
    /* It may end before it has read anything. */
    (void)signal(SIGPIPE, SIG_IGN);
    const pid_t pid = fork();
    if (pid == 0) {
        (void)signal(SIGPIPE, SIG_DFL);
        (void)dup2(down[0], 0);
        (void)dup2(up[1], 1);
        for (int i = 0; i < 2; i++) {
            close(up[i]);
            close(down[i]);
        }
        const int errors = open("/dev/null", O_WRONLY);
        (void)dup2(errors, 2);
        close(errors);
        (void)execl("/bin/sh", "sh", "-c", script->text, (char *)NULL);
        _exit(250);
    }
    close(up[1]);
    close(down[0]);
    (void)!write(down[1], "x:y:z\n", 6);
    close(down[1]);
    (void)signal(SIGPIPE, SIG_DFL);
    while (length < OUTPUT_BYTES && (got = read(up[0], output + length, OUTPUT_BYTES - length)) > 0)
        length += (size_t)got;
    close(up[0]);
    (void)waitpid(pid, &status, 0);
    const bool good = WIFEXITED(status) && WEXITSTATUS(status) == script->status && strcmp(output, script->output) == 0;
    tap_ok(good, "%s", script->name);
    if (!good)
        tap_diag("status 0x%x, output: %s", (unsigned)status, output);
}

static void test_files(void)
{
    int status;

    tap_ok(write_file(SCRIPT, "#!/bin/sh -u\necho $0 $# $1 >/tmp/said\nexit 21\n", 0755), "a script in a file");
    status = system(SCRIPT " arg");
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 21, "is run by its name");
    status = system("read l </tmp/said; [ \"$l\" = '" SCRIPT " 1 arg' ]");
    tap_equal(status, 0, "with its path and its argument");
    tap_ok(write_file(SCRIPT, "exit 22\n", 0755), "a script that does not name its interpreter");
    const pid_t pid = fork();
    if (pid == 0) {
        (void)execlp(SCRIPT, SCRIPT, (char *)NULL);
        _exit(99);
    }
    tap_ok(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 22,
           "is the shell's for execlp");
}

static void on_child(int signal)
{
    (void)signal;
}

static void test_system(void)
{
    sigset_t before, after;
    struct sigaction action;
    int status;

    tap_ok(system(NULL) != 0, "there is a shell");
    tap_equal(system("exit 0"), 0, "a command that succeeds");
    status = system("exit 9");
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 9, "one that fails");
    status = system("kill -TERM $$");
    tap_ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM, "one that a signal ends");
    status = system("nothing_of_that_name 2>/dev/null");
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 127, "one that is not there");
    (void)signal(SIGINT, SIG_DFL);
    (void)signal(SIGCHLD, on_child);
    (void)sigprocmask(SIG_BLOCK, NULL, &before);
    status = system("kill -INT $PPID; exit 4");
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 4, "interrupts are put off while it runs");
    (void)sigprocmask(SIG_BLOCK, NULL, &after);
    (void)sigaction(SIGINT, NULL, &action);
    tap_ok(before == after && action.sa_handler == SIG_DFL, "afterwards all is as it was");
    (void)signal(SIGCHLD, SIG_DFL);
}

static void test_popen(void)
{
    char line[100] = "";
    FILE *stream = popen("echo out; exit 5", "r");

    tap_ok(stream && fgets(line, sizeof(line), stream) && strcmp(line, "out\n") == 0, "popen reads a command's output");
    int status = stream ? pclose(stream) : -1;
    tap_ok(WIFEXITED(status) && WEXITSTATUS(status) == 5, "pclose tells its status");
    stream = popen("read l; [ \"$l\" = in ]", "w");
    tap_ok(stream && fputs("in\n", stream) >= 0 && pclose(stream) == 0, "popen writes a command's input");
    tap_ok(waitpid(-1, NULL, 0) == -1 && errno == ECHILD, "no child is left");
}

int main(int count, char **words)
{
    if (count > 1)
        return child(words + 1);
    tap_plan((int)SCRIPT_COUNT + 16);
    (void)write_file("/tmp/sourced.sh", "sourced=yes\n", 0644);
    for (size_t i = 0; i < SCRIPT_COUNT; i++)
        run_script(&scripts[i]);
    test_files();
    test_system();
    test_popen();
    return tap_done();
}
