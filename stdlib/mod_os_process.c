/* The part of `_os` about processes, the environment and the machine, and the constants. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <sys/random.h>
#include <sys/times.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/import.h"
#include "stdlib/io.h"
#include "stdlib/os_impl.h"
#include "vm/call.h"

extern char **environ;

static bool processes(VM *vm) { return ou_require_cap(vm, CAP_PROCESS, "using processes"); }

/* ---- processes ----------------------------------------------------------------------------------------------------------------- */

static Value os_fork(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    if (!processes(vm))
        return V_NULL;
    if (vm->finalizing)
        return ou_raise(vm, E_PYTHON_FINALIZATION, "can't fork at interpreter shutdown");
    pid_t pid = fork();
    if (pid == 0) {
        ou_threads_after_fork(vm);
        ou_import_forked(vm);
        ou_io_after_fork(vm);
    }
    return pid < 0 ? ou_raise_errno(vm, errno, V_NULL) : v_smallint(pid);
}

static Value os_waitpid(VM *vm, const Value *args, int n)
{
    (void)n;
    int pid, options, status = 0, err = 0;
    if (!processes(vm) || !ou_os_int(vm, args[0], &pid) || !ou_os_int(vm, args[1], &options))
        return V_NULL;
    pid_t got;
    do {
        ou_blocking_begin(vm);
        got = waitpid(pid, &status, options);
        err = errno;
        ou_blocking_end(vm);
    } while (got < 0 && err == EINTR && ou_safepoint(vm));
    if (got < 0)
        return vm->exc != V_NULL ? V_NULL : ou_raise_errno(vm, err, V_NULL);
    Value v[2] = {v_smallint(got), v_smallint(status)};
    return ou_tuple_take(vm, v, 2);
}

static Value os_wait(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value a[2] = {v_smallint(-1), V_INT0};
    return os_waitpid(vm, a, 2);
}

static Value os_exit_now(VM *vm, const Value *args, int n)
{
    (void)n;
    int status;
    if (!ou_os_int(vm, args[0], &status) || !processes(vm))
        return V_NULL;
    _exit(status);
}

static Value os_kill(VM *vm, const Value *args, int n)
{
    (void)n;
    int pid, sig;
    if (!processes(vm) || !ou_os_int(vm, args[0], &pid) || !ou_os_int(vm, args[1], &sig))
        return V_NULL;
    if (kill(pid, sig) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    return ou_safepoint(vm) ? V_NONE : V_NULL; /* a signal to ourselves is handled here */
}

static Value os_abort(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    if (!processes(vm))
        return V_NULL;
    abort();
}

static Value os_system(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath p;
    if (!processes(vm) || !ou_fspath_get(vm, args[0], NULL, &p))
        return V_NULL;
    ou_blocking_begin(vm);
    int r = system(p.p);
    ou_blocking_end(vm);
    ou_fspath_done(vm, &p);
    return v_smallint(r);
}

/* A NULL-terminated array of C strings from a list or tuple of paths; `owners` keeps the texts alive. */
static char **c_strings(VM *vm, Value seq, const char *what, bool is_env, Value *owners, size_t *cap)
{
    size_t n;
    Value own = V_NULL;
    if (!ou_is_a(vm, seq, T_TUPLE) && !ou_is_a(vm, seq, T_LIST)) {
        ou_raise(vm, E_TYPE, "%s must be a tuple or list", what);
        return NULL;
    }
    const Value *items = ou_seq_items(vm, seq, &n, &own, "argv must be a tuple or list");
    if (n == 0 && !is_env) {
        xrelease(vm, own);
        ou_raise(vm, E_VALUE, "%s must not be empty", what);
        return NULL;
    }
    *owners = ou_list_new(vm, n);
    *cap = (n + 1) * sizeof(char *);
    char **v = *owners == V_NULL || (n && !items) ? NULL : ou_alloc0(&vm->heap, *cap);
    for (size_t i = 0; v && i < n; i++) {
        FsPath p;
        if (!ou_fspath_get(vm, items[i], NULL, &p) || !ou_list_append_take(vm, as_list(*owners), p.own)) {
            ou_free(&vm->heap, v, *cap);
            v = NULL;
            break;
        }
        v[i] = (char *)(uintptr_t)p.p;
        if (i == 0 && !is_env && !*p.p) {
            ou_raise(vm, E_VALUE, "%s first element cannot be empty", what);
            ou_free(&vm->heap, v, *cap);
            v = NULL;
        }
    }
    xrelease(vm, own);
    if (!v && vm->exc == V_NULL)
        ou_raise_memory(vm);
    return v;
}

/* "name=value" as bytes. */
static Value env_entry(VM *vm, Value name, Value value)
{
    FsPath k, v;
    Value r = V_NULL;
    if (!ou_fspath_get(vm, name, NULL, &k))
        return V_NULL;
    if (!*k.p || strchr(k.p, '='))
        ou_raise(vm, E_VALUE, "illegal environment variable name");
    else if (ou_fspath_get(vm, value, NULL, &v)) {
        size_t n = strlen(k.p), m = strlen(v.p);
        r = ou_bytes_new(vm, NULL, n + 1 + m);
        if (r != V_NULL) {
            memcpy(as_bytes(r)->data, k.p, n);
            as_bytes(r)->data[n] = '=';
            memcpy(as_bytes(r)->data + n + 1, v.p, m);
        }
        ou_fspath_done(vm, &v);
    }
    ou_fspath_done(vm, &k);
    return r;
}

static Value env_list(VM *vm, Value mapping)
{
    if (!ou_type_of(vm, mapping)->slots.getitem)
        return ou_raise(vm, E_TYPE, "execve: environment must be a mapping object");
    Value items = ou_call_method_c(vm, mapping, "items", NULL, 0), list = V_NULL, it = V_NULL, pair;
    if (items == V_NULL || (it = ou_iter(vm, items)) == V_NULL || (list = ou_list_new(vm, 0)) == V_NULL)
        goto done;
    while ((pair = ou_next(vm, it)) != V_NULL) {
        Value s = is_exact(pair, T_TUPLE) && as_tuple(pair)->n == 2 ? env_entry(vm, as_tuple(pair)->items[0], as_tuple(pair)->items[1])
                                                                    : ou_raise(vm, E_TYPE, "env.items() must give pairs");
        release(vm, pair);
        if (s == V_NULL || !ou_list_append_take(vm, as_list(list), s))
            break;
    }
    if (vm->exc != V_NULL) {
        release(vm, list);
        list = V_NULL;
    }
done:
    xrelease(vm, it);
    xrelease(vm, items);
    return list;
}

static Value exec_with(VM *vm, Value path, Value argv, Value env)
{
    FsPath p = {0};
    int fd = -1;
    bool numbered = env != V_NULL && ou_is_intlike(vm, path);
    if (!processes(vm) || (numbered ? !ou_os_int(vm, path, &fd) : !ou_fspath_get(vm, path, env == V_NULL ? "execv" : "execve", &p)))
        return V_NULL;
    Value owners = V_NULL, env_owners = V_NULL, envs = V_NULL;
    size_t cap = 0, env_cap = 0;
    char **a = c_strings(vm, argv, env == V_NULL ? "execv() arg 2" : "execve: argv", false, &owners, &cap), **e = NULL;
    if (a && env != V_NULL && (envs = env_list(vm, env)) != V_NULL)
        e = c_strings(vm, envs, "env", true, &env_owners, &env_cap);
    if (a && (env == V_NULL || e)) {
        if (numbered)
            fexecve(fd, a, e);
        else if (e)
            execve(p.p, a, e);
        else
            execv(p.p, a);
        ou_raise_errno(vm, errno, path);
    }
    ou_free(&vm->heap, a, cap);
    ou_free(&vm->heap, e, env_cap);
    xrelease(vm, owners);
    xrelease(vm, env_owners);
    xrelease(vm, envs);
    if (!numbered)
        ou_fspath_done(vm, &p);
    return V_NULL;
}

static Value os_execv(VM *vm, const Value *args, int n) { return (void)n, exec_with(vm, args[0], args[1], V_NULL); }
static Value os_execve(VM *vm, const Value *args, int n) { return (void)n, exec_with(vm, args[0], args[1], args[2]); }

#define IDENTITY(name, call)                                                                                          \
    static Value os_##name(VM *vm, const Value *args, int n) { return (void)args, (void)n, ou_int(vm, (int64_t)call()); }
IDENTITY(getpid, getpid)
IDENTITY(getppid, getppid)
IDENTITY(getuid, getuid)
IDENTITY(geteuid, geteuid)
IDENTITY(getgid, getgid)
IDENTITY(getegid, getegid)
IDENTITY(getpgrp, getpgrp)

static Value os_setsid(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    if (!processes(vm))
        return V_NULL;
    return setsid() < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
}

#define STATUS(name, macro, wrap)                                                                                     \
    static Value os_##name(VM *vm, const Value *args, int n)                                                          \
    {                                                                                                                 \
        (void)n;                                                                                                      \
        int status;                                                                                                   \
        return ou_os_int(vm, args[0], &status) ? wrap(macro(status)) : V_NULL;                                        \
    }
STATUS(WIFEXITED, WIFEXITED, v_bool)
STATUS(WEXITSTATUS, WEXITSTATUS, v_smallint)
STATUS(WIFSIGNALED, WIFSIGNALED, v_bool)
STATUS(WTERMSIG, WTERMSIG, v_smallint)
STATUS(WIFSTOPPED, WIFSTOPPED, v_bool)
STATUS(WSTOPSIG, WSTOPSIG, v_smallint)
STATUS(WIFCONTINUED, WIFCONTINUED, v_bool)
STATUS(WCOREDUMP, WCOREDUMP, v_bool)

static Value os_waitstatus_to_exitcode(VM *vm, const Value *args, int n)
{
    (void)n;
    int status;
    if (!ou_os_int(vm, args[0], &status))
        return V_NULL;
    if (WIFEXITED(status))
        return v_smallint(WEXITSTATUS(status));
    if (WIFSIGNALED(status))
        return v_smallint(-WTERMSIG(status));
    return ou_raise(vm, E_VALUE, WIFSTOPPED(status) ? "process stopped by delivery of signal %d" : "invalid wait status: %d",
                    WIFSTOPPED(status) ? WSTOPSIG(status) : status);
}

/* ---- the machine ----------------------------------------------------------------------------------------------------------------- */

static Value os_urandom(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t size;
    if (!ou_index_i64(vm, args[0], &size))
        return V_NULL;
    if (size < 0)
        return ou_raise(vm, E_VALUE, "negative argument not allowed");
    Value b = ou_bytes_new(vm, NULL, (size_t)size);
    if (b == V_NULL)
        return V_NULL;
    for (size_t done = 0; done < (size_t)size;) {
        ssize_t got = getrandom(as_bytes(b)->data + done, (size_t)size - done, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            release(vm, b);
            return ou_raise_errno(vm, errno, V_NULL);
        }
        done += (size_t)got;
    }
    return b;
}

static Value os_cpu_count(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)args;
    (void)n;
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? V_NONE : v_smallint(count);
}

static Value os_process_cpu_count(VM *vm, const Value *args, int n)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return v_smallint(CPU_COUNT(&set));
    return os_cpu_count(vm, args, n);
}

static Value os_sched_getaffinity(VM *vm, const Value *args, int n)
{
    (void)n;
    int pid;
    cpu_set_t set;
    if (!ou_os_int(vm, args[0], &pid))
        return V_NULL;
    if (sched_getaffinity(pid, sizeof set, &set) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    Value s = ou_set_new(vm, T_SET);
    for (int i = 0; s != V_NULL && i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &set) && !ou_set_add(vm, as_set(s), v_smallint(i))) {
            release(vm, s);
            return V_NULL;
        }
    }
    return s;
}

static Value os_sched_yield(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    ou_blocking_begin(vm);
    sched_yield();
    ou_blocking_end(vm);
    return V_NONE;
}

static Value os_strerror(VM *vm, const Value *args, int n)
{
    (void)n;
    int code;
    if (!ou_os_int(vm, args[0], &code))
        return V_NULL;
    const char *s = strerror(code);
    return ou_fs_decode(vm, s, strlen(s));
}

static Value os_times(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    struct tms t;
    OsState *os = ou_os_state(vm);
    if (!os)
        return V_NULL;
    clock_t elapsed = times(&t);
    double hz = (double)sysconf(_SC_CLK_TCK);
    Value v[5] = {v_float((double)t.tms_utime / hz), v_float((double)t.tms_stime / hz), v_float((double)t.tms_cutime / hz),
                  v_float((double)t.tms_cstime / hz), v_float((double)elapsed / hz)};
    return ou_structseq_new(vm, (Type *)v_obj(os->times_result), v);
}

static Value os_uname(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    struct utsname u;
    OsState *os = ou_os_state(vm);
    if (!os)
        return V_NULL;
    if (uname(&u) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    Value v[5] = {ou_str_c(vm, u.sysname), ou_str_c(vm, u.nodename), ou_str_c(vm, u.release), ou_str_c(vm, u.version),
                  ou_str_c(vm, u.machine)};
    return ou_structseq_new(vm, (Type *)v_obj(os->uname_result), v);
}

static Value os_getloadavg(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    double load[3];
    if (getloadavg(load, 3) != 3)
        return ou_raise(vm, E_OS, "Load averages are unobtainable");
    Value v[3] = {v_float(load[0]), v_float(load[1]), v_float(load[2])};
    return ou_tuple_take(vm, v, 3);
}

/* ---- environment ---------------------------------------------------------------------------------------------------------------------- */

static Value os_putenv(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath k, v;
    if (!ou_require_cap(vm, CAP_ENV, "changing the environment") || !ou_fspath_get(vm, args[0], NULL, &k))
        return V_NULL;
    if (!ou_fspath_get(vm, args[1], NULL, &v)) {
        ou_fspath_done(vm, &k);
        return V_NULL;
    }
    int r = strchr(k.p, '=') ? (errno = EINVAL, -2) : setenv(k.p, v.p, 1), err = errno;
    ou_fspath_done(vm, &k);
    ou_fspath_done(vm, &v);
    if (r == -2)
        return ou_raise(vm, E_VALUE, "illegal environment variable name");
    return r < 0 ? ou_raise_errno(vm, err, V_NULL) : V_NONE;
}

static Value os_unsetenv(VM *vm, const Value *args, int n)
{
    (void)n;
    FsPath k;
    if (!ou_require_cap(vm, CAP_ENV, "changing the environment") || !ou_fspath_get(vm, args[0], NULL, &k))
        return V_NULL;
    int r = unsetenv(k.p), err = errno;
    ou_fspath_done(vm, &k);
    return r < 0 ? ou_raise_errno(vm, err, V_NULL) : V_NONE;
}

bool ou_os_environ(VM *vm, Module *m)
{
    Value d = ou_dict_new(vm);
    bool ok = d != V_NULL;
    for (char **e = (vm->caps & CAP_ENV) ? environ : NULL; ok && e && *e; e++) {
        const char *eq = strchr(*e, '=');
        if (!eq || eq == *e)
            continue;
        Value k = ou_fs_decode(vm, *e, (size_t)(eq - *e)), v = ou_fs_decode(vm, eq + 1, strlen(eq + 1));
        ok = k != V_NULL && v != V_NULL && (ou_dict_get(vm, as_dict(d), k) != V_NULL || ou_dict_set(vm, as_dict(d), k, v));
        xrelease(vm, k);
        xrelease(vm, v);
    }
    ok = ok && ou_module_set(vm, m, "environ", d);
    xrelease(vm, d);
    return ok;
}

const NativeDef ou_os_process[] = {
    {"fork()", os_fork, NULL, 0},
    {"wait()", os_wait, NULL, 0},
    {"waitpid(pid, options, /)", os_waitpid, NULL, 0},
    {"_exit(status)", os_exit_now, NULL, 0},
    {"abort()", os_abort, NULL, 0},
    {"kill(pid, signal, /)", os_kill, NULL, 0},
    {"system(command)", os_system, NULL, 0},
    {"execv(path, argv, /)", os_execv, NULL, 0},
    {"execve(path, argv, env)", os_execve, NULL, 0},
    {"getpid()", os_getpid, NULL, 0},
    {"getppid()", os_getppid, NULL, 0},
    {"getuid()", os_getuid, NULL, 0},
    {"geteuid()", os_geteuid, NULL, 0},
    {"getgid()", os_getgid, NULL, 0},
    {"getegid()", os_getegid, NULL, 0},
    {"getpgrp()", os_getpgrp, NULL, 0},
    {"setsid()", os_setsid, NULL, 0},
    {"WIFEXITED(status)", os_WIFEXITED, NULL, 0},
    {"WEXITSTATUS(status)", os_WEXITSTATUS, NULL, 0},
    {"WIFSIGNALED(status)", os_WIFSIGNALED, NULL, 0},
    {"WTERMSIG(status)", os_WTERMSIG, NULL, 0},
    {"WIFSTOPPED(status)", os_WIFSTOPPED, NULL, 0},
    {"WSTOPSIG(status)", os_WSTOPSIG, NULL, 0},
    {"WIFCONTINUED(status)", os_WIFCONTINUED, NULL, 0},
    {"WCOREDUMP(status)", os_WCOREDUMP, NULL, 0},
    {"waitstatus_to_exitcode(status)", os_waitstatus_to_exitcode, NULL, 0},
    {"urandom(size, /)", os_urandom, NULL, 0},
    {"cpu_count()", os_cpu_count, NULL, 0},
    {"process_cpu_count()", os_process_cpu_count, NULL, 0},
    {"sched_getaffinity(pid, /)", os_sched_getaffinity, NULL, 0},
    {"sched_yield()", os_sched_yield, NULL, 0},
    {"strerror(code, /)", os_strerror, NULL, 0},
    {"times()", os_times, NULL, 0},
    {"uname()", os_uname, NULL, 0},
    {"getloadavg()", os_getloadavg, NULL, 0},
    {"putenv(name, value, /)", os_putenv, NULL, 0},
    {"unsetenv(name, /)", os_unsetenv, NULL, 0},
    {0},
};

bool ou_os_constants(VM *vm, Module *m)
{
    static const struct {
        const char *name;
        int value;
    } constants[] = {
#define C(name) {#name, name}
        C(O_RDONLY), C(O_WRONLY), C(O_RDWR), C(O_APPEND), C(O_CREAT), C(O_EXCL), C(O_TRUNC), C(O_NONBLOCK), C(O_CLOEXEC), C(O_SYNC),
        C(O_DSYNC), C(O_NOFOLLOW), C(O_DIRECTORY), C(O_NOCTTY), C(F_OK), C(R_OK), C(W_OK), C(X_OK), C(WNOHANG), C(WUNTRACED),
        C(WCONTINUED), C(SEEK_SET), C(SEEK_CUR), C(SEEK_END), {"EX_OK", 0}, {"EX_USAGE", 64}, {"EX_DATAERR", 65},
        {"EX_NOINPUT", 66}, {"EX_UNAVAILABLE", 69}, {"EX_SOFTWARE", 70}, {"EX_OSERR", 71}, {"EX_OSFILE", 72}, {"EX_CANTCREAT", 73},
        {"EX_IOERR", 74}, {"EX_TEMPFAIL", 75}, {"EX_PROTOCOL", 76}, {"EX_NOPERM", 77}, {"EX_CONFIG", 78}, {"EX_NOUSER", 67},
        {"EX_NOHOST", 68}, C(O_ACCMODE), C(O_ASYNC), C(O_DIRECT), C(O_NDELAY), C(O_NOATIME), C(O_PATH), C(O_RSYNC),
        C(O_TMPFILE), C(O_FSYNC), {"O_LARGEFILE", 0}, C(F_LOCK), C(F_TEST), C(F_TLOCK), C(F_ULOCK), {"SEEK_DATA", 3},
        {"SEEK_HOLE", 4}, C(CLD_CONTINUED), C(CLD_DUMPED), C(CLD_EXITED), C(CLD_KILLED), C(CLD_STOPPED), C(CLD_TRAPPED),
        C(WEXITED), C(WNOWAIT), C(WSTOPPED), {"P_ALL", 0}, {"P_PID", 1}, {"P_PGID", 2}, {"P_PIDFD", 3}, C(EFD_CLOEXEC),
        C(EFD_NONBLOCK), C(EFD_SEMAPHORE), C(GRND_NONBLOCK), C(GRND_RANDOM), C(MFD_ALLOW_SEALING), C(MFD_CLOEXEC), C(MFD_HUGETLB),
        C(NGROUPS_MAX), C(TMP_MAX), C(POSIX_FADV_DONTNEED), C(POSIX_FADV_NOREUSE), C(POSIX_FADV_NORMAL), C(POSIX_FADV_RANDOM),
        C(POSIX_FADV_SEQUENTIAL), C(POSIX_FADV_WILLNEED), C(PRIO_PGRP), C(PRIO_PROCESS), C(PRIO_USER), C(SCHED_BATCH),
        C(SCHED_FIFO), C(SCHED_IDLE), C(SCHED_OTHER), C(SCHED_RESET_ON_FORK), C(SCHED_RR), C(ST_APPEND), C(ST_MANDLOCK),
        C(ST_NOATIME), C(ST_NODEV), C(ST_NODIRATIME), C(ST_NOEXEC), C(ST_NOSUID), C(ST_RDONLY), C(ST_RELATIME),
        C(ST_SYNCHRONOUS), C(ST_WRITE), C(RTLD_DEEPBIND), C(RTLD_GLOBAL), C(RTLD_LAZY), C(RTLD_LOCAL), C(RTLD_NODELETE),
        C(RTLD_NOLOAD), C(RTLD_NOW), C(RWF_APPEND), C(RWF_DSYNC), C(RWF_HIPRI), C(RWF_NOWAIT), C(RWF_SYNC), C(XATTR_CREATE),
        C(XATTR_REPLACE), {"XATTR_SIZE_MAX", 65536},
    };
    for (size_t i = 0; i < sizeof constants / sizeof *constants; i++) {
        if (!ou_module_int(vm, m, constants[i].name, constants[i].value))
            return false;
    }
    return true;
}
