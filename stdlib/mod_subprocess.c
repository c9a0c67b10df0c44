/* `_subprocess`: starting a program. fork_exec does everything between fork and exec in C, so that nothing of the VM runs in
 * the child; what fails there comes back through a pipe as (errno, where). pidfd_open lets the event loop wait for a child. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/loop/threads.h"
#include "stdlib/fspath.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

typedef struct Plan { /* what the child needs, all of it made before the fork */
    char **argv, **paths, **env; /* NULL-terminated; env NULL: inherit */
    int nargv, npaths, nenv;
    char *cwd;
    int fds[3];    /* become 0, 1, 2; -1: inherit */
    int *keep;
    int nkeep;
    int error_out;
    bool close_fds, new_session, restore_signals;
    int64_t group; /* process group; -1: none */
} Plan;

static char **strings(VM *vm, Value list, int *count)
{
    size_t n;
    Value own = V_NULL;
    const Value *items = ou_seq_items(vm, list, &n, &own, "a sequence is expected");
    if (!items && n)
        return NULL;
    if (vm->exc != V_NULL)
        return NULL;
    char **out = calloc(n + 1, sizeof *out);
    bool ok = out != NULL || ou_raise_memory(vm) != V_NULL;
    for (size_t k = 0; ok && k < n; k++) {
        FsPath p;
        ok = ou_fspath_get(vm, items[k], "exec", &p);
        if (ok) {
            out[k] = strdup(p.p);
            ok = out[k] || ou_raise_memory(vm) != V_NULL;
            ou_fspath_done(vm, &p);
        }
    }
    xrelease(vm, own);
    *count = (int)n;
    if (ok)
        return out;
    for (size_t k = 0; out && k < n; k++)
        free(out[k]);
    free(out);
    return NULL;
}
static void free_strings(char **p, int n)
{
    for (int k = 0; p && k < n; k++)
        free(p[k]);
    free(p);
}

static bool kept(const Plan *p, int fd)
{
    for (int k = 0; k < p->nkeep; k++)
        if (p->keep[k] == fd)
            return true;
    return fd == p->error_out;
}

static void close_others(const Plan *p)
{
    long most = sysconf(_SC_OPEN_MAX);
    int limit = most > 0 && most < 65536 ? (int)most : 65536, from = 3;
    for (;;) { /* whole ranges between those that stay */
        int next = limit;
        for (int k = 0; k < p->nkeep; k++)
            if (p->keep[k] >= from && p->keep[k] < next)
                next = p->keep[k];
        if (p->error_out >= from && p->error_out < next)
            next = p->error_out;
#ifdef SYS_close_range
        if (next > from && syscall(SYS_close_range, (unsigned)from, (unsigned)(next == limit ? ~0u : (unsigned)next - 1), 0) == 0)
            ;
        else
#endif
            for (int fd = from; fd < next; fd++)
                if (!kept(p, fd))
                    close(fd);
        if (next == limit)
            return;
        from = next + 1;
    }
}

static _Noreturn void child(const Plan *p)
{
    int fds[3] = {p->fds[0], p->fds[1], p->fds[2]};
    char where = 'e';
    for (int k = 0; k < 3; k++) /* out of the way of 0..2 first */
        if (fds[k] >= 0 && fds[k] < 3 && fds[k] != k && (fds[k] = fcntl(fds[k], F_DUPFD, 3)) < 0)
            goto failed;
    for (int k = 0; k < 3; k++) {
        if (fds[k] == k) {
            int flags = fcntl(k, F_GETFD);
            if (flags < 0 || fcntl(k, F_SETFD, flags & ~FD_CLOEXEC) < 0)
                goto failed;
        } else if (fds[k] >= 0 && dup2(fds[k], k) < 0) {
            goto failed;
        }
    }
    if (p->cwd && chdir(p->cwd) < 0) {
        where = 'c';
        goto failed;
    }
    if (p->restore_signals) {
        signal(SIGPIPE, SIG_DFL);
        signal(SIGXFSZ, SIG_DFL);
    }
    if (p->new_session)
        setsid();
    if (p->group >= 0 && setpgid(0, (pid_t)p->group) < 0)
        goto failed;
    for (int k = 0; k < p->nkeep; k++) {
        int flags = fcntl(p->keep[k], F_GETFD);
        if (flags >= 0)
            fcntl(p->keep[k], F_SETFD, flags & ~FD_CLOEXEC);
    }
    if (p->close_fds)
        close_others(p);
    int saved = ENOENT;
    for (int k = 0; p->paths[k]; k++) {
        if (p->env)
            execve(p->paths[k], p->argv, p->env);
        else
            execv(p->paths[k], p->argv);
        if (errno != ENOENT && errno != ENOTDIR)
            saved = errno;
    }
    errno = saved;
failed:;
    int message[2] = {errno, where};
    ssize_t put = write(p->error_out, message, sizeof message);
    (void)put;
    _exit(255);
}

/* fork_exec(args, paths, env, cwd, stdin, stdout, stderr, close_fds, pass_fds, new_session, restore_signals, group):
 * (pid, errno, where) */
static Value fork_exec(VM *vm, const Value *args, int n)
{
    (void)n;
    Plan p = {.error_out = -1, .fds = {-1, -1, -1}};
    int64_t fd;
    int failure[2] = {0, 0}, report[2] = {-1, -1}, flag;
    pid_t pid = -1;
    Value own = V_NULL, result = V_NULL;
    size_t nkeep = 0;
    if (!ou_require_cap(vm, CAP_PROCESS, "starting processes"))
        return V_NULL;
    if (!(p.argv = strings(vm, args[0], &p.nargv)) || !(p.paths = strings(vm, args[1], &p.npaths)) ||
        (args[2] != V_NONE && !(p.env = strings(vm, args[2], &p.nenv))))
        goto done;
    if (args[3] != V_NONE) {
        FsPath path;
        if (!ou_fspath_get(vm, args[3], "chdir", &path))
            goto done;
        p.cwd = strdup(path.p);
        ou_fspath_done(vm, &path);
    }
    for (int k = 0; k < 3; k++) {
        if (!ou_index_i64(vm, args[4 + k], &fd))
            goto done;
        p.fds[k] = (int)fd;
    }
    if ((flag = ou_truth(vm, args[7])) < 0)
        goto done;
    p.close_fds = flag;
    const Value *keep = ou_seq_items(vm, args[8], &nkeep, &own, "pass_fds must be a sequence");
    if (vm->exc != V_NULL)
        goto done;
    if (!(p.keep = calloc(nkeep + 1, sizeof *p.keep))) {
        ou_raise_memory(vm);
        goto done;
    }
    for (size_t k = 0; k < nkeep; k++) {
        if (!ou_index_i64(vm, keep[k], &fd))
            goto done;
        p.keep[p.nkeep++] = (int)fd;
    }
    if ((flag = ou_truth(vm, args[9])) < 0)
        goto done;
    p.new_session = flag;
    if ((flag = ou_truth(vm, args[10])) < 0 || !ou_index_i64(vm, args[11], &p.group))
        goto done;
    p.restore_signals = flag;
    if (pipe2(report, O_CLOEXEC) < 0) {
        ou_raise_errno(vm, errno, V_NULL);
        goto done;
    }
    while (report[1] < 3) { /* it must survive the child's dup2 to 0..2 */
        int up = fcntl(report[1], F_DUPFD_CLOEXEC, 3);
        if (up < 0)
            break;
        close(report[1]);
        report[1] = up;
    }
    p.error_out = report[1];
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* no handler of this process may run in the child */
    pid = fork();
    if (pid == 0) {
        for (int sig = 1; sig < NSIG; sig++) {
            struct sigaction sa;
            if (sigaction(sig, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN && sa.sa_handler != SIG_DFL)
                signal(sig, SIG_DFL);
        }
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        child(&p);
    }
    int err = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(report[1]);
    report[1] = -1;
    if (pid < 0) {
        ou_raise_errno(vm, err, V_NULL);
        goto done;
    }
    ssize_t got;
    ou_blocking_begin(vm);
    do
        got = read(report[0], failure, sizeof failure);
    while (got < 0 && errno == EINTR);
    if (got == (ssize_t)sizeof failure)
        while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
            ;
    else
        failure[0] = 0;
    ou_blocking_end(vm);
    Value v[3] = {v_smallint(pid), v_smallint(failure[0]), v_bool(failure[1] == 'c')};
    result = ou_tuple_take(vm, v, 3);
done:
    if (report[0] >= 0)
        close(report[0]);
    if (report[1] >= 0)
        close(report[1]);
    xrelease(vm, own);
    free_strings(p.argv, p.nargv);
    free_strings(p.paths, p.npaths);
    free_strings(p.env, p.nenv);
    free(p.cwd);
    free(p.keep);
    return result;
}

static Value pidfd_open_(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t pid;
    if (!ou_index_i64(vm, args[0], &pid))
        return V_NULL;
    long fd = syscall(SYS_pidfd_open, (pid_t)pid, 0);
    return fd < 0 ? ou_raise_errno(vm, errno, V_NULL) : v_smallint(fd);
}

static const NativeDef functions[] = {
    {"fork_exec(args, paths, env, cwd, stdin, stdout, stderr, close_fds, pass_fds, new_session, restore_signals, group, /)",
     fork_exec, "Starts a program: (pid, errno, whether the folder was at fault).", 0},
    {"pidfd_open(pid, /)", pidfd_open_, "A descriptor that can be read when the process has ended.", 0},
    {0},
};

bool ou_mod__subprocess(VM *vm, Module *m) { return ou_module_add(vm, m, functions); }
