/* _thread: OS threads, locks, RLock, thread-local storage. threading.script builds on it. Mirrors CPython's Modules/_threadmodule.c
 * in effect. A lock that is waited for releases the VM's lock; waiting is in slices so that Ctrl-C is seen. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "runtime/loop/threads.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

#define TIMEOUT_MAX 9223372036.0

typedef struct LockObj {
    Obj h;
    pthread_mutex_t m;
    pthread_cond_t c;
    bool held, made;
    uint64_t owner;  /* RLock */
    uint64_t count;  /* RLock */
    bool reentrant;
} LockObj;

static LockObj *as_lock(Value v) { return (LockObj *)v_obj(v); }
static uint64_t me(void) { return (uint64_t)pthread_self(); }

static Value lock_new(VM *vm, Type *cls, bool reentrant)
{
    LockObj *k = ou_new(vm, cls, 0);
    if (!k)
        return V_NULL;
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&k->m, NULL);
    pthread_cond_init(&k->c, &attr);
    pthread_condattr_destroy(&attr);
    k->made = true;
    k->reentrant = reentrant;
    return v_of(k);
}
static Value lock_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    if (n || kwnames)
        return ou_raise(vm, E_TYPE, "lock() takes no arguments");
    return lock_new(vm, cls, false);
}
static Value rlock_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    return lock_new(vm, cls, true);
}
static void lock_dealloc(VM *vm, Obj *o)
{
    LockObj *k = (LockObj *)o;
    if (k->made) {
        pthread_mutex_destroy(&k->m);
        pthread_cond_destroy(&k->c);
    }
    ou_finish_dealloc(vm, o, 0);
}

enum { UNINTERRUPTED = -2 };
/* 1 got it, 0 timed out, -1 raised (Ctrl-C). timeout < 0: without limit. */
static int lock_acquire(VM *vm, LockObj *k, double timeout)
{
    pthread_mutex_lock(&k->m);
    bool got = !k->held;
    if (got)
        k->held = true;
    pthread_mutex_unlock(&k->m);
    if (got || timeout == 0)
        return got;
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    double limit = (double)end.tv_sec + (double)end.tv_nsec * 1e-9 + timeout;
    k->h.refs++;
    for (;;) {
        ou_blocking_begin(vm);
        pthread_mutex_lock(&k->m);
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        double now = (double)t.tv_sec + (double)t.tv_nsec * 1e-9, until = now + 0.05;
        if (timeout >= 0 && until > limit)
            until = limit;
        t.tv_sec = (time_t)until;
        t.tv_nsec = (long)((until - (double)t.tv_sec) * 1e9);
        while (k->held && pthread_cond_timedwait(&k->c, &k->m, &t) == 0)
            ;
        got = !k->held;
        if (got)
            k->held = true;
        pthread_mutex_unlock(&k->m);
        ou_blocking_end(vm);
        if (got)
            break;
        if (timeout >= 0 && until >= limit)
            break;
        if (timeout != UNINTERRUPTED && vm->attention && !ou_safepoint(vm)) {
            release(vm, v_of(k));
            return -1;
        }
    }
    release(vm, v_of(k));
    return got;
}
static void lock_free(LockObj *k)
{
    pthread_mutex_lock(&k->m);
    k->held = false;
    pthread_cond_signal(&k->c);
    pthread_mutex_unlock(&k->m);
}

static bool timeout_arg(VM *vm, Value blocking, Value timeout, double *out)
{
    int b = blocking == V_NULL ? 1 : ou_truth(vm, blocking);
    double t = -1;
    if (b < 0 || (timeout != V_NULL && !ou_to_double(vm, timeout, &t)))
        return false;
    if (!b && t != -1)
        return ou_raise(vm, E_VALUE, "can't specify a timeout for a non-blocking call") != V_NULL;
    if (t < 0 && t != -1)
        return ou_raise(vm, E_VALUE, "timeout value must be a non-negative number") != V_NULL;
    if (t > TIMEOUT_MAX)
        return ou_raise(vm, E_OVERFLOW, "timestamp out of range for platform time_t") != V_NULL;
    *out = b ? t : 0;
    return true;
}
static Value k_acquire(VM *vm, const Value *args, int n)
{
    (void)n;
    LockObj *k = as_lock(args[0]);
    double t;
    if (!timeout_arg(vm, args[1], args[2], &t))
        return V_NULL;
    if (k->reentrant && k->held && k->owner == me()) {
        k->count++;
        return V_TRUE;
    }
    int r = lock_acquire(vm, k, t);
    if (r < 0)
        return V_NULL;
    if (r && k->reentrant) {
        k->owner = me();
        k->count = 1;
    }
    return v_bool(r);
}
static Value k_release(VM *vm, const Value *args, int n)
{
    (void)n;
    LockObj *k = as_lock(args[0]);
    if (k->reentrant) {
        if (!k->held || k->owner != me())
            return ou_raise(vm, E_RUNTIME, "cannot release un-acquired lock");
        if (--k->count)
            return V_NONE;
        k->owner = 0;
    } else if (!k->held) {
        return ou_raise(vm, E_RUNTIME, "release unlocked lock");
    }
    lock_free(k);
    return V_NONE;
}
static Value k_enter(VM *vm, const Value *args, int n)
{
    (void)n;
    Value a[3] = {args[0], V_NULL, V_NULL};
    return k_acquire(vm, a, 3);
}
static Value k_exit(VM *vm, const Value *args, int n)
{
    (void)n;
    return k_release(vm, args, 1);
}
static Value k_locked(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_lock(args[0])->held);
}
static Value k_is_owned(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_lock(args[0])->held && as_lock(args[0])->owner == me());
}
static Value k_recursion_count(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    LockObj *k = as_lock(args[0]);
    return v_smallint(k->owner == me() ? (int64_t)k->count : 0);
}
static Value k_release_save(VM *vm, const Value *args, int n)
{
    (void)n;
    LockObj *k = as_lock(args[0]);
    if (!k->held)
        return ou_raise(vm, E_RUNTIME, "cannot release un-acquired lock");
    Value t[2] = {v_smallint((int64_t)k->count), ou_int_u64(vm, k->owner)};
    Value v = ou_tuple_of(vm, t, 2);
    release(vm, t[1]);
    if (v == V_NULL)
        return V_NULL;
    k->count = 0;
    k->owner = 0;
    lock_free(k);
    return v;
}
/* For Condition.wait(): whatever interrupts, the lock is held afterwards. */
static Value k_acquire_restore(VM *vm, const Value *args, int n)
{
    (void)n;
    LockObj *k = as_lock(args[0]);
    int64_t count;
    if (!is_exact(args[1], T_TUPLE) || !ou_index_i64(vm, as_tuple(args[1])->items[0], &count))
        return V_NULL;
    lock_acquire(vm, k, UNINTERRUPTED);
    k->count = (uint64_t)count;
    k->owner = k->reentrant ? me() : 0;
    return V_NONE;
}
static Value lock_repr(VM *vm, Value self)
{
    LockObj *k = as_lock(self);
    if (k->reentrant)
        return ou_str_format(vm, "<%s _thread.RLock object owner=%ld count=%ld at 0x%x>", k->held ? "locked" : "unlocked", (int64_t)k->owner,
                             (int64_t)k->count, (unsigned)self);
    return ou_str_format(vm, "<%s _thread.lock object at 0x%x>", k->held ? "locked" : "unlocked", (unsigned)self);
}
/* In the child of a fork: nobody holds it, whatever the threads of the parent were doing. */
static Value k_reinit(VM *vm, const Value *args, int n)
{
    (void)n;
    (void)vm;
    LockObj *k = as_lock(args[0]);
    pthread_mutex_init(&k->m, NULL);
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&k->c, &attr);
    pthread_condattr_destroy(&attr);
    k->held = false;
    k->owner = k->count = 0;
    return V_NONE;
}
static const NativeDef lock_methods[] = {
    {"acquire(blocking=True, timeout=-1)", k_acquire, NULL, 0},
    {"acquire_lock(blocking=True, timeout=-1)", k_acquire, NULL, 0},
    {"release()", k_release, NULL, 0},
    {"release_lock()", k_release, NULL, 0},
    {"locked()", k_locked, NULL, 0},
    {"locked_lock()", k_locked, NULL, 0},
    {"_at_fork_reinit()", k_reinit, NULL, 0},
    {"_release_save()", k_release_save, NULL, 0},
    {"_acquire_restore(state, /)", k_acquire_restore, NULL, 0},
    {"__enter__()", k_enter, NULL, 0},
    {"__exit__(type, value, traceback, /)", k_exit, NULL, 0},
    {0},
};
static const NativeDef rlock_methods[] = {
    {"acquire(blocking=True, timeout=-1)", k_acquire, NULL, 0},
    {"release()", k_release, NULL, 0},
    {"__enter__()", k_enter, NULL, 0},
    {"__exit__(type, value, traceback, /)", k_exit, NULL, 0},
    {"_at_fork_reinit()", k_reinit, NULL, 0},
    {"_is_owned()", k_is_owned, NULL, 0},
    {"_recursion_count()", k_recursion_count, NULL, 0},
    {"_release_save()", k_release_save, NULL, 0},
    {"_acquire_restore(state, /)", k_acquire_restore, NULL, 0},
    {0},
};
static const TypeDef lock_def = {
    .name = "_thread.lock",
    .size = sizeof(LockObj),
    .flags = TF_GC | TF_WEAKREF,
    .slots = {.make = lock_make, .dealloc = lock_dealloc, .repr = lock_repr},
    .methods = lock_methods,
};
static const TypeDef rlock_def = {
    .name = "_thread.RLock",
    .size = sizeof(LockObj),
    .flags = TF_GC | TF_BASE | TF_WEAKREF,
    .slots = {.make = rlock_make, .dealloc = lock_dealloc, .repr = lock_repr},
    .methods = rlock_methods,
};

/* ---- threads ---- */

typedef struct Job {
    Value fn, args, kwargs; /* kwargs V_NULL: none */
} Job;

static void locals_forget(VM *vm);

static void run_job(VM *vm, void *p)
{
    Job j = *(Job *)p;
    ou_free(&vm->heap, p, sizeof(Job));
    Value v = ou_call_ex(vm, j.fn, as_tuple(j.args), j.kwargs == V_NULL ? NULL : as_dict(j.kwargs));
    if (v == V_NULL) {
        if (ou_exc_matches(vm, E_SYSTEM_EXIT))
            ou_exc_clear(vm);
        else
            ou_unraisable_of(vm, "Exception ignored in thread started by %R", j.fn);
    }
    xrelease(vm, v);
    locals_forget(vm);
    release(vm, j.fn);
    release(vm, j.args);
    xrelease(vm, j.kwargs);
}
static Value start_new_thread(VM *vm, const Value *args, int n)
{
    if (!ou_require_cap(vm, CAP_THREADS, "starting threads"))
        return V_NULL;
    if (!ou_type_of(vm, args[0])->slots.call)
        return ou_raise(vm, E_TYPE, "first arg must be callable");
    if (!is_exact(args[1], T_TUPLE))
        return ou_raise(vm, E_TYPE, "2nd arg must be a tuple");
    if (n > 2 && !is_exact(args[2], T_DICT))
        return ou_raise(vm, E_TYPE, "optional 3rd arg must be a dictionary");
    if (vm->finalizing)
        return ou_raise(vm, E_PYTHON_FINALIZATION, "can't create new thread at interpreter shutdown");
    Job *j = ou_alloc(&vm->heap, sizeof *j);
    if (!j)
        return ou_raise_memory(vm);
    *j = (Job){retain(args[0]), retain(args[1]), n > 2 ? retain(args[2]) : V_NULL};
    uint64_t id = ou_thread_start(vm, run_job, j);
    if (!id) {
        release(vm, j->fn);
        release(vm, j->args);
        xrelease(vm, j->kwargs);
        ou_free(&vm->heap, j, sizeof *j);
        return V_NULL;
    }
    return ou_int_u64(vm, id);
}
static Value get_ident(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_int_u64(vm, me());
}
static Value get_native_id(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_int(vm, syscall(SYS_gettid));
}
static Value allocate_lock(VM *vm, const Value *args, int n);
static Value thread_count(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return v_smallint(ou_thread_count(vm) - 1);
}
static Value interrupt_main(VM *vm, const Value *args, int n)
{
    if (!ou_signal_simulate(vm, n > 0 ? args[0] : v_smallint(SIGINT)))
        return V_NULL;
    return ou_safepoint(vm) ? V_NONE : V_NULL; /* from the main thread itself: now */
}
typedef struct Local Local;
typedef struct ThreadModule {
    Type *lock;
    Local *locals;      /* all thread-local objects */
    int64_t stack_size; /* what scripts have asked for; frames are not on that stack */
} ThreadModule;
static ThreadModule *state(VM *vm) { return ou_module_record(vm, MOD__thread, sizeof(ThreadModule)); }

static Value stack_size(VM *vm, const Value *args, int n)
{
    int64_t size = 0;
    ThreadModule *s = state(vm);
    if (!s || (n > 0 && !ou_index_i64(vm, args[0], &size)))
        return V_NULL;
    if (size < 0)
        return ou_raise(vm, E_VALUE, "size must be 0 or a positive value");
    if (size > 0 && size < 32768)
        return ou_raise(vm, E_VALUE, "size not valid: %ld bytes", size);
    int64_t before = s->stack_size;
    if (n > 0)
        s->stack_size = size;
    return ou_int(vm, before);
}
static Value always(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)args;
    (void)n;
    return V_TRUE;
}
static Value thread_exit(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_raise_args(vm, E_SYSTEM_EXIT, NULL, 0);
}
static Value main_ident(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_int_u64(vm, vm->main_thread.ident);
}

/* ---- local ---- */

struct Local { /* every thread sees a namespace of its own: {ident: dict}; it is dropped when the thread ends */
    Obj h;
    Value dicts, args, kwargs;
    Local *next, *prev; /* in ThreadModule.locals */
};
static Local *as_local(Value v) { return (Local *)v_obj(v); }

static Value local_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if ((n || kwnames) && ou_type_lookup(vm, cls, name_of(vm, N_DU_init)) == ou_type_lookup(vm, ou_builtin(vm, T_OBJECT), name_of(vm, N_DU_init)))
        return ou_raise(vm, E_TYPE, "Initialization arguments are not supported");
    ThreadModule *s = state(vm);
    Local *l = s ? ou_new(vm, cls, 0) : NULL;
    if (!l)
        return V_NULL;
    l->kwargs = V_NULL;
    l->next = s->locals;
    if (l->next)
        l->next->prev = l;
    s->locals = l;
    l->args = ou_tuple_of(vm, args, (size_t)n);
    l->dicts = l->args == V_NULL ? V_NULL : ou_dict_new(vm);
    bool ok = l->dicts != V_NULL;
    if (ok && kwnames) {
        l->kwargs = ou_dict_new(vm);
        ok = l->kwargs != V_NULL;
        for (uint32_t k = 0; ok && k < kwnames->n; k++)
            ok = ou_dict_set(vm, as_dict(l->kwargs), kwnames->items[k], args[(uint32_t)n + k]);
    }
    /* the making thread's namespace exists from the start: __init__ runs for it by the ordinary constructor */
    if (ok) {
        Value d = ou_dict_new(vm), id = ou_int_u64(vm, me());
        ok = d != V_NULL && id != V_NULL && ou_dict_set(vm, as_dict(l->dicts), id, d);
        xrelease(vm, d);
        xrelease(vm, id);
    }
    if (!ok) {
        release(vm, v_of(l));
        return V_NULL;
    }
    return v_of(l);
}
/* The thread ends: its namespaces go. Dropping one may run script code, so the list is gone through anew each time. */
static void locals_forget(VM *vm)
{
    ThreadModule *s = vm->module_state[MOD__thread];
    Value id = s && s->locals ? ou_int_u64(vm, me()) : V_NULL;
    for (Local *l = id == V_NULL ? NULL : s->locals; l;) {
        Value d = l->dicts == V_NULL ? V_NULL : ou_dict_get(vm, as_dict(l->dicts), id);
        if (d == V_NULL) {
            l = l->next;
            continue;
        }
        retain(d);
        ou_dict_del(vm, as_dict(l->dicts), id);
        release(vm, d);
        l = s->locals;
    }
    ou_exc_clear(vm);
    xrelease(vm, id);
}
static Dict *local_dict(VM *vm, Value self) /* borrowed; NULL raised */
{
    Local *l = as_local(self);
    Value id = ou_int_u64(vm, me());
    if (id == V_NULL)
        return NULL;
    Value d = ou_dict_get(vm, as_dict(l->dicts), id);
    if (d == V_NULL && vm->exc == V_NULL) {
        Value fresh = ou_dict_new(vm);
        if (fresh != V_NULL && ou_dict_set(vm, as_dict(l->dicts), id, fresh)) {
            d = fresh;
            Value init = ou_lookup_special(vm, self, name_of(vm, N_DU_init)), r = V_NULL;
            if (init != V_NULL)
                r = ou_call_ex(vm, init, as_tuple(l->args), l->kwargs == V_NULL ? NULL : as_dict(l->kwargs));
            xrelease(vm, init);
            xrelease(vm, r);
            if (r == V_NULL) {
                ou_dict_del(vm, as_dict(l->dicts), id);
                d = V_NULL;
            }
        }
        xrelease(vm, fresh);
    }
    release(vm, id);
    return d == V_NULL ? NULL : as_dict(d);
}
static Value local_getattr(VM *vm, Value self, Str *name)
{
    Dict *d = local_dict(vm, self);
    if (!d)
        return V_NULL;
    if (ou_str_eq_c(name, "__dict__"))
        return retain(v_of(d));
    Value v = ou_type_lookup(vm, ou_type_of(vm, self), name);
    if (v != V_NULL && ou_type_of(vm, v)->slots.descr_set)
        return ou_generic_getattr(vm, self, name);
    Value own = ou_dict_get(vm, d, v_of(name));
    if (own != V_NULL)
        return retain(own);
    return ou_generic_getattr(vm, self, name);
}
static bool local_setattr(VM *vm, Value self, Str *name, Value v)
{
    Dict *d = local_dict(vm, self);
    if (!d)
        return false;
    if (ou_str_eq_c(name, "__dict__"))
        return ou_raise(vm, E_ATTRIBUTE, "'%T' object attribute '__dict__' is read-only", self) != V_NULL;
    Value t = ou_type_lookup(vm, ou_type_of(vm, self), name);
    if (t != V_NULL && ou_type_of(vm, t)->slots.descr_set)
        return ou_generic_setattr(vm, self, name, v);
    if (v != V_NULL)
        return ou_dict_set(vm, d, v_of(name), v);
    int r = ou_dict_del(vm, d, v_of(name));
    if (r == 0)
        ou_raise_attr(vm, self, name);
    return r > 0;
}
static void local_dealloc(VM *vm, Obj *o)
{
    Local *l = (Local *)o;
    ThreadModule *s = vm->module_state[MOD__thread];
    if (l->next)
        l->next->prev = l->prev;
    if (l->prev)
        l->prev->next = l->next;
    else if (s && s->locals == l)
        s->locals = l->next;
    xrelease(vm, l->dicts);
    xrelease(vm, l->args);
    xrelease(vm, l->kwargs);
    ou_finish_dealloc(vm, o, 0);
}
static void local_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Local *l = (Local *)o;
    ou_visit(vm, l->dicts, visit, arg);
    ou_visit(vm, l->args, visit, arg);
    ou_visit(vm, l->kwargs, visit, arg);
}
static const TypeDef local_def = {
    .name = "_thread._local",
    .size = sizeof(Local),
    .flags = TF_GC | TF_BASE | TF_WEAKREF,
    .slots = {.make = local_make, .dealloc = local_dealloc, .traverse = local_traverse, .getattr = local_getattr, .setattr = local_setattr},
};

static const NativeDef functions[] = {
    {"start_new_thread(function, args, kwargs={}, /)", start_new_thread, NULL, 0},
    {"start_new(function, args, kwargs={}, /)", start_new_thread, NULL, 0},
    {"get_ident()", get_ident, NULL, 0},
    {"get_native_id()", get_native_id, NULL, 0},
    {"_get_main_thread_ident()", main_ident, NULL, 0},
    {"allocate_lock()", allocate_lock, NULL, 0},
    {"allocate()", allocate_lock, NULL, 0},
    {"_count()", thread_count, NULL, 0},
    {"interrupt_main(signum=2, /)", interrupt_main, NULL, 0},
    {"stack_size(size=0, /)", stack_size, NULL, 0},
    {"exit()", thread_exit, NULL, 0},
    {"exit_thread()", thread_exit, NULL, 0},
    {"daemon_threads_allowed()", always, NULL, 0},
    {"_is_main_interpreter()", always, NULL, 0},
    {0},
};

static const char *const hook_fields[] = {"exc_type", "exc_value", "exc_traceback", "thread", NULL};
static const StructSeqDef hook_args_def = {"_thread._ExceptHookArgs", NULL, hook_fields, 4, false};

static Value allocate_lock(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    ThreadModule *s = state(vm);
    return s ? lock_new(vm, s->lock, false) : V_NULL;
}

bool ou_mod__thread(VM *vm, Module *m)
{
    ThreadModule *s = state(vm);
    if (!s)
        return false;
    Type *hook_args = ou_structseq_type(vm, &hook_args_def);
    if (!hook_args || !ou_module_take(vm, m, "_ExceptHookArgs", v_of(hook_args)))
        return false;
    s->lock = ou_module_type(vm, m, &lock_def, NULL);
    return s->lock && ou_module_set(vm, m, "LockType", v_of(s->lock)) && ou_module_type(vm, m, &rlock_def, NULL) &&
           ou_module_type(vm, m, &local_def, NULL) && ou_module_add(vm, m, functions) &&
           ou_module_set(vm, m, "error", v_of(ou_builtin(vm, E_RUNTIME))) && ou_module_take(vm, m, "TIMEOUT_MAX", v_float(TIMEOUT_MAX));
}
