/* The part of `_os` about users, groups, sessions, priorities, scheduling and what sysconf() knows. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stdlib/os_impl.h"
#include "vm/call.h"

static bool processes(VM *vm) { return ou_require_cap(vm, CAP_PROCESS, "using processes"); }

static Value done(VM *vm, int r) { return r < 0 ? ou_raise_errno(vm, errno, V_NULL) : V_NONE; }
static Value number(VM *vm, int64_t r) { return r < 0 ? ou_raise_errno(vm, errno, V_NULL) : ou_int(vm, r); }

/* A user or group id: -1 stays "leave it". */
static bool id_arg(VM *vm, Value v, const char *kind, uint32_t *out)
{
    int64_t i;
    if (!ou_is_intlike(vm, v) && !ou_type_of(vm, v)->slots.to_index)
        return ou_raise(vm, E_TYPE, "%s should be integer, not %T", kind, v) != V_NULL;
    if (!ou_index_i64(vm, v, &i)) {
        if (ou_exc_matches(vm, E_OVERFLOW)) {
            ou_exc_clear(vm);
            ou_raise(vm, E_OVERFLOW, "%s is greater than maximum", kind);
        }
        return false;
    }
    if (i < -1 || i > UINT32_MAX)
        return ou_raise(vm, E_OVERFLOW, i < 0 ? "%s is less than minimum" : "%s is greater than maximum", kind) != V_NULL;
    *out = (uint32_t)i;
    return true;
}

/* ---- users and groups ------------------------------------------------------------------------------------------------------ */

#define SET_IDS(name, count, kind, call)                                                                              \
    static Value os_##name(VM *vm, const Value *args, int n)                                                          \
    {                                                                                                                 \
        (void)n;                                                                                                      \
        uint32_t id[3] = {0};                                                                                         \
        if (!processes(vm))                                                                                           \
            return V_NULL;                                                                                            \
        for (int i = 0; i < (count); i++)                                                                             \
            if (!id_arg(vm, args[i], kind, &id[i]))                                                                   \
                return V_NULL;                                                                                        \
        return done(vm, call);                                                                                        \
    }
SET_IDS(setuid, 1, "uid", setuid(id[0]))
SET_IDS(seteuid, 1, "uid", seteuid(id[0]))
SET_IDS(setgid, 1, "gid", setgid(id[0]))
SET_IDS(setegid, 1, "gid", setegid(id[0]))
SET_IDS(setreuid, 2, "uid", setreuid(id[0], id[1]))
SET_IDS(setregid, 2, "gid", setregid(id[0], id[1]))
SET_IDS(setresuid, 3, "uid", setresuid(id[0], id[1], id[2]))
SET_IDS(setresgid, 3, "gid", setresgid(id[0], id[1], id[2]))

static Value three(VM *vm, int r, uint32_t a, uint32_t b, uint32_t c)
{
    if (r < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    Value v[3] = {ou_int(vm, a), ou_int(vm, b), ou_int(vm, c)};
    return ou_tuple_take(vm, v, 3);
}
static Value os_getresuid(VM *vm, const Value *args, int n)
{
    uid_t id[3] = {0};
    (void)args;
    (void)n;
    int r = getresuid(&id[0], &id[1], &id[2]);
    return three(vm, r, id[0], id[1], id[2]);
}
static Value os_getresgid(VM *vm, const Value *args, int n)
{
    gid_t id[3] = {0};
    (void)args;
    (void)n;
    int r = getresgid(&id[0], &id[1], &id[2]);
    return three(vm, r, id[0], id[1], id[2]);
}

static Value group_list(VM *vm, const gid_t *ids, int count)
{
    Value list = ou_list_new(vm, (size_t)count);
    for (int i = 0; list != V_NULL && i < count; i++) {
        if (!ou_list_append_take(vm, as_list(list), ou_int(vm, ids[i]))) {
            release(vm, list);
            return V_NULL;
        }
    }
    return list;
}

static Value os_getgroups(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    int count = getgroups(0, NULL);
    gid_t *ids = count < 0 ? NULL : ou_alloc(&vm->heap, ((size_t)count + 1) * sizeof *ids);
    if (!ids)
        return count < 0 ? ou_raise_errno(vm, errno, V_NULL) : ou_raise_memory(vm);
    int got = getgroups(count, ids);
    Value list = got < 0 ? ou_raise_errno(vm, errno, V_NULL) : group_list(vm, ids, got);
    ou_free(&vm->heap, ids, ((size_t)count + 1) * sizeof *ids);
    return list;
}

static Value os_setgroups(VM *vm, const Value *args, int n)
{
    (void)n;
    size_t count;
    Value own = V_NULL, r = V_NULL;
    if (!processes(vm))
        return V_NULL;
    const Value *items = ou_seq_items(vm, args[0], &count, &own, "setgroups argument must be a sequence");
    gid_t *ids = vm->exc != V_NULL ? NULL : ou_alloc(&vm->heap, (count + 1) * sizeof *ids);
    if (!ids) {
        xrelease(vm, own);
        return vm->exc == V_NULL ? ou_raise_memory(vm) : V_NULL;
    }
    bool ok = true;
    for (size_t i = 0; ok && i < count; i++)
        ok = id_arg(vm, items[i], "gid", &ids[i]);
    if (ok && count > NGROUPS_MAX)
        ou_raise(vm, E_VALUE, "too many groups");
    else if (ok)
        r = done(vm, setgroups(count, ids));
    ou_free(&vm->heap, ids, (count + 1) * sizeof *ids);
    xrelease(vm, own);
    return r;
}

static Value os_getgrouplist(VM *vm, const Value *args, int n)
{
    (void)n;
    uint32_t gid;
    FsPath user;
    if (!id_arg(vm, args[1], "gid", &gid) || !ou_fspath_get(vm, args[0], NULL, &user))
        return V_NULL;
    gid_t ids[1024];
    int count = (int)(sizeof ids / sizeof *ids);
    int r = getgrouplist(user.p, gid, ids, &count);
    ou_fspath_done(vm, &user);
    return r < 0 ? ou_raise_errno(vm, ERANGE, V_NULL) : group_list(vm, ids, count);
}

static Value os_initgroups(VM *vm, const Value *args, int n)
{
    (void)n;
    uint32_t gid;
    FsPath user;
    if (!processes(vm) || !id_arg(vm, args[1], "gid", &gid) || !ou_fspath_get(vm, args[0], NULL, &user))
        return V_NULL;
    int r = initgroups(user.p, gid), err = errno;
    ou_fspath_done(vm, &user);
    return r < 0 ? ou_raise_errno(vm, err, V_NULL) : V_NONE;
}

static Value os_getlogin(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    char name[256];
    int err = getlogin_r(name, sizeof name);
    return err ? ou_raise_errno(vm, err, V_NULL) : ou_fs_decode(vm, name, strlen(name));
}

/* ---- process groups and signals to them ---------------------------------------------------------------------------------------- */

#define PID_CALL(name, call)                                                                                          \
    static Value os_##name(VM *vm, const Value *args, int n)                                                          \
    {                                                                                                                 \
        (void)n;                                                                                                      \
        int a;                                                                                                        \
        return ou_os_int(vm, args[0], &a) ? number(vm, call(a)) : V_NULL;                                             \
    }
PID_CALL(getpgid, getpgid)
PID_CALL(getsid, getsid)
PID_CALL(tcgetpgrp, tcgetpgrp)

static Value os_setpgid(VM *vm, const Value *args, int n)
{
    (void)n;
    int a, b;
    return processes(vm) && ou_os_int(vm, args[0], &a) && ou_os_int(vm, args[1], &b) ? done(vm, setpgid(a, b)) : V_NULL;
}
static Value os_setpgrp(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return processes(vm) ? done(vm, setpgid(0, 0)) : V_NULL;
}
static Value os_tcsetpgrp(VM *vm, const Value *args, int n)
{
    (void)n;
    int a, b;
    return processes(vm) && ou_os_int(vm, args[0], &a) && ou_os_int(vm, args[1], &b) ? done(vm, tcsetpgrp(a, b)) : V_NULL;
}
static Value os_killpg(VM *vm, const Value *args, int n)
{
    (void)n;
    int pgid, sig;
    if (!processes(vm) || !ou_os_int(vm, args[0], &pgid) || !ou_os_int(vm, args[1], &sig))
        return V_NULL;
    if (killpg(pgid, sig) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    return ou_safepoint(vm) ? V_NONE : V_NULL;
}

static Value os_pidfd_open(VM *vm, const Value *args, int n)
{
    (void)n;
    int pid, flags = 0;
    if (!processes(vm) || !ou_os_int(vm, args[0], &pid) || (args[1] != V_NULL && !ou_os_int(vm, args[1], &flags)))
        return V_NULL;
    return number(vm, syscall(SYS_pidfd_open, pid, flags));
}

static Value os_waitid(VM *vm, const Value *args, int n)
{
    (void)n;
    int type, id, options, err = 0, r;
    siginfo_t info = {0};
    OsState *os = ou_os_state(vm);
    if (!os || !processes(vm) || !ou_os_int(vm, args[0], &type) || !ou_os_int(vm, args[1], &id) || !ou_os_int(vm, args[2], &options))
        return V_NULL;
    do {
        ou_blocking_begin(vm);
        r = waitid((idtype_t)type, (id_t)id, &info, options);
        err = errno;
        ou_blocking_end(vm);
    } while (r < 0 && err == EINTR && ou_safepoint(vm));
    if (r < 0)
        return vm->exc != V_NULL ? V_NULL : ou_raise_errno(vm, err, V_NULL);
    if (info.si_pid == 0)
        return V_NONE;
    Value v[5] = {v_smallint(info.si_pid), ou_int(vm, info.si_uid), v_smallint(info.si_signo), v_smallint(info.si_status),
                  v_smallint(info.si_code)};
    return ou_structseq_new(vm, (Type *)v_obj(os->waitid_result), v);
}

/* ---- priorities and scheduling --------------------------------------------------------------------------------------------------- */

static Value os_nice(VM *vm, const Value *args, int n)
{
    (void)n;
    int by;
    if (!processes(vm) || !ou_os_int(vm, args[0], &by))
        return V_NULL;
    errno = 0;
    int r = nice(by);
    return r == -1 && errno ? ou_raise_errno(vm, errno, V_NULL) : v_smallint(r);
}
static Value os_getpriority(VM *vm, const Value *args, int n)
{
    (void)n;
    int which, who;
    if (!ou_os_int(vm, args[0], &which) || !ou_os_int(vm, args[1], &who))
        return V_NULL;
    errno = 0;
    int r = getpriority((__priority_which_t)which, (id_t)who);
    return r == -1 && errno ? ou_raise_errno(vm, errno, V_NULL) : v_smallint(r);
}
static Value os_setpriority(VM *vm, const Value *args, int n)
{
    (void)n;
    int which, who, priority;
    if (!processes(vm) || !ou_os_int(vm, args[0], &which) || !ou_os_int(vm, args[1], &who) || !ou_os_int(vm, args[2], &priority))
        return V_NULL;
    return done(vm, setpriority((__priority_which_t)which, (id_t)who, priority));
}
PID_CALL(sched_get_priority_min, sched_get_priority_min)
PID_CALL(sched_get_priority_max, sched_get_priority_max)
PID_CALL(sched_getscheduler, sched_getscheduler)

static Value os_sched_getparam(VM *vm, const Value *args, int n)
{
    (void)n;
    int pid;
    struct sched_param p;
    OsState *os = ou_os_state(vm);
    if (!os || !ou_os_int(vm, args[0], &pid))
        return V_NULL;
    if (sched_getparam(pid, &p) < 0)
        return ou_raise_errno(vm, errno, V_NULL);
    Value v[1] = {v_smallint(p.sched_priority)};
    return ou_structseq_new(vm, (Type *)v_obj(os->sched_param), v);
}

static Value os_sched_setaffinity(VM *vm, const Value *args, int n)
{
    (void)n;
    int pid;
    cpu_set_t set;
    CPU_ZERO(&set);
    if (!processes(vm) || !ou_os_int(vm, args[0], &pid))
        return V_NULL;
    Value it = ou_iter(vm, args[1]), item;
    if (it == V_NULL)
        return V_NULL;
    while ((item = ou_next(vm, it)) != V_NULL) {
        int cpu = 0;
        if (ou_os_int(vm, item, &cpu) && cpu < 0)
            ou_raise(vm, E_VALUE, "negative CPU number");
        else if (vm->exc == V_NULL && cpu < CPU_SETSIZE)
            CPU_SET(cpu, &set);
        release(vm, item);
        if (vm->exc != V_NULL)
            break;
    }
    release(vm, it);
    return vm->exc != V_NULL ? V_NULL : done(vm, sched_setaffinity(pid, sizeof set, &set));
}

/* ---- limits and names of the system ------------------------------------------------------------------------------------------------ */

typedef struct ConfName {
    const char *name;
    int value;
} ConfName;
#define S(name) {"SC_" #name, _SC_##name}
static const ConfName sysconf_names[] = {
    S(ARG_MAX), S(CHILD_MAX), S(CLK_TCK), S(HOST_NAME_MAX), S(IOV_MAX), S(LOGIN_NAME_MAX), S(NGROUPS_MAX), S(NPROCESSORS_CONF),
    S(NPROCESSORS_ONLN), S(OPEN_MAX), S(PAGESIZE), S(PAGE_SIZE), S(PHYS_PAGES), S(AVPHYS_PAGES), S(STREAM_MAX), S(SYMLOOP_MAX),
    S(TTY_NAME_MAX), S(TZNAME_MAX), S(VERSION), S(LINE_MAX), S(RE_DUP_MAX), S(SEM_NSEMS_MAX), S(SEM_VALUE_MAX), S(THREAD_KEYS_MAX),
    S(THREAD_STACK_MIN), S(THREAD_THREADS_MAX), S(GETPW_R_SIZE_MAX), S(GETGR_R_SIZE_MAX), S(MONOTONIC_CLOCK), S(JOB_CONTROL),
    S(SAVED_IDS), S(REALTIME_SIGNALS), S(TIMERS), S(ATEXIT_MAX), S(INT_MAX), S(CHAR_BIT),
    {NULL, 0},
};
#undef S
#define P(name) {"PC_" #name, _PC_##name}
static const ConfName pathconf_names[] = {
    P(CHOWN_RESTRICTED), P(LINK_MAX), P(MAX_CANON), P(MAX_INPUT), P(NAME_MAX), P(NO_TRUNC), P(PATH_MAX), P(PIPE_BUF), P(VDISABLE),
    P(SYNC_IO), P(ASYNC_IO), P(PRIO_IO), P(FILESIZEBITS), P(SYMLINK_MAX), P(ALLOC_SIZE_MIN), P(REC_XFER_ALIGN),
    {NULL, 0},
};
#undef P
#define C(name) {"CS_" #name, _CS_##name}
static const ConfName confstr_names[] = {C(PATH), C(GNU_LIBC_VERSION), C(GNU_LIBPTHREAD_VERSION), {NULL, 0}};
#undef C

static bool conf_arg(VM *vm, Value v, const ConfName *names, int *out)
{
    if (!is_str(v)) {
        if (ou_is_intlike(vm, v))
            return ou_os_int(vm, v, out);
        return ou_raise(vm, E_TYPE, "configuration names must be strings or integers") != V_NULL;
    }
    for (; names->name; names++) {
        if (ou_str_eq_c(as_str(v), names->name)) {
            *out = names->value;
            return true;
        }
    }
    return ou_raise(vm, E_VALUE, "unrecognized configuration name") != V_NULL;
}

static Value conf_number(VM *vm, int64_t r, Value shown)
{
    return r == -1 && errno ? ou_raise_errno(vm, errno, shown) : ou_int(vm, r);
}
static Value os_sysconf(VM *vm, const Value *args, int n)
{
    (void)n;
    int name;
    if (!conf_arg(vm, args[0], sysconf_names, &name))
        return V_NULL;
    errno = 0;
    long r = sysconf(name);
    return conf_number(vm, r, V_NULL);
}
static Value os_pathconf(VM *vm, const Value *args, int n)
{
    (void)n;
    int name, fd = -1;
    FsPath p = {0};
    bool numbered = ou_is_intlike(vm, args[0]);
    if (!conf_arg(vm, args[1], pathconf_names, &name) ||
        (numbered ? !ou_os_int(vm, args[0], &fd) : !ou_fspath_get(vm, args[0], "pathconf", &p)))
        return V_NULL;
    errno = 0;
    long r = numbered ? fpathconf(fd, name) : pathconf(p.p, name);
    int err = errno;
    if (!numbered)
        ou_fspath_done(vm, &p);
    errno = err;
    return conf_number(vm, r, numbered ? V_NULL : args[0]);
}
static Value os_confstr(VM *vm, const Value *args, int n)
{
    (void)n;
    int name;
    char text[512];
    if (!conf_arg(vm, args[0], confstr_names, &name))
        return V_NULL;
    errno = 0;
    size_t len = confstr(name, text, sizeof text);
    if (len == 0)
        return errno ? ou_raise_errno(vm, errno, V_NULL) : V_NONE;
    return ou_fs_decode(vm, text, strlen(text));
}

const NativeDef ou_os_unix[] = {
    {"setuid(uid, /)", os_setuid, NULL, 0},
    {"seteuid(euid, /)", os_seteuid, NULL, 0},
    {"setgid(gid, /)", os_setgid, NULL, 0},
    {"setegid(egid, /)", os_setegid, NULL, 0},
    {"setreuid(ruid, euid, /)", os_setreuid, NULL, 0},
    {"setregid(rgid, egid, /)", os_setregid, NULL, 0},
    {"setresuid(ruid, euid, suid, /)", os_setresuid, NULL, 0},
    {"setresgid(rgid, egid, sgid, /)", os_setresgid, NULL, 0},
    {"getresuid()", os_getresuid, NULL, 0},
    {"getresgid()", os_getresgid, NULL, 0},
    {"getgroups()", os_getgroups, NULL, 0},
    {"setgroups(groups, /)", os_setgroups, NULL, 0},
    {"getgrouplist(user, group, /)", os_getgrouplist, NULL, 0},
    {"initgroups(username, gid, /)", os_initgroups, NULL, 0},
    {"getlogin()", os_getlogin, NULL, 0},
    {"getpgid(pid)", os_getpgid, NULL, 0},
    {"getsid(pid, /)", os_getsid, NULL, 0},
    {"setpgid(pid, pgrp, /)", os_setpgid, NULL, 0},
    {"setpgrp()", os_setpgrp, NULL, 0},
    {"tcgetpgrp(fd, /)", os_tcgetpgrp, NULL, 0},
    {"tcsetpgrp(fd, pgid, /)", os_tcsetpgrp, NULL, 0},
    {"killpg(pgid, signal, /)", os_killpg, NULL, 0},
    {"pidfd_open(pid, flags=0)", os_pidfd_open, NULL, 0},
    {"waitid(idtype, id, options, /)", os_waitid, NULL, 0},
    {"nice(increment, /)", os_nice, NULL, 0},
    {"getpriority(which, who)", os_getpriority, NULL, 0},
    {"setpriority(which, who, priority)", os_setpriority, NULL, 0},
    {"sched_get_priority_min(policy)", os_sched_get_priority_min, NULL, 0},
    {"sched_get_priority_max(policy)", os_sched_get_priority_max, NULL, 0},
    {"sched_getscheduler(pid, /)", os_sched_getscheduler, NULL, 0},
    {"sched_getparam(pid, /)", os_sched_getparam, NULL, 0},
    {"sched_setaffinity(pid, mask, /)", os_sched_setaffinity, NULL, 0},
    {"sysconf(name, /)", os_sysconf, NULL, 0},
    {"pathconf(path, name)", os_pathconf, NULL, 0},
    {"fpathconf(fd, name, /)", os_pathconf, NULL, 0},
    {"confstr(name, /)", os_confstr, NULL, 0},
    {0},
};

/* ---- types and tables ------------------------------------------------------------------------------------------------------------- */

static const char *const waitid_fields[] = {"si_pid", "si_uid", "si_signo", "si_status", "si_code", NULL};
static const StructSeqDef waitid_def = {"posix.waitid_result", NULL, waitid_fields, 5, false};
static const char *const param_fields[] = {"sched_priority", NULL};
static const StructSeqDef param_def = {"posix.sched_param", NULL, param_fields, 1, false};

static bool add_type(VM *vm, Module *m, const StructSeqDef *def, const char *name, Value *place)
{
    if (*place == V_NULL) {
        Type *t = ou_structseq_type(vm, def);
        if (!t)
            return false;
        *place = v_of(t);
    }
    return ou_module_set(vm, m, name, *place);
}

static bool add_names(VM *vm, Module *m, const char *name, const ConfName *names)
{
    Value d = ou_dict_new(vm);
    bool ok = d != V_NULL;
    for (; ok && names->name; names++)
        ok = ou_dict_set_c(vm, as_dict(d), names->name, v_smallint(names->value));
    ok = ok && ou_module_set(vm, m, name, d);
    xrelease(vm, d);
    return ok;
}

bool ou_os_unix_types(VM *vm, Module *m)
{
    OsState *os = ou_os_state(vm);
    return os && add_type(vm, m, &waitid_def, "waitid_result", &os->waitid_result) &&
           add_type(vm, m, &param_def, "sched_param", &os->sched_param) && add_names(vm, m, "sysconf_names", sysconf_names) &&
           add_names(vm, m, "pathconf_names", pathconf_names) && add_names(vm, m, "confstr_names", confstr_names);
}
