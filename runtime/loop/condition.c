/* asyncio.Condition. wait() frees the lock, waits for a notification and takes the lock again in any case, also when it is cancelled, again
 * and again if need be; the last cancellation is raised then (ASYNC.md rule 40). A notification that reached a waiter which ends with an
 * exception is passed on. Taking the lock is a coroutine of its own (`inner`), stepped by the one of wait(). */
#include "runtime/loop/sync.h"
#include "runtime/objects/import.h"

typedef struct Condition {
    Obj h;
    Node waiters;
    Loop *loop; /* owned; NULL until first waited on */
    Value lock;
} Condition;
static Condition *as_cond(Value v) { return (Condition *)v_obj(v); }

enum { WS_INNER = WS_SLOTS, WS_ERROR, COND_SLOTS }; /* V_NONE: not taking the lock yet; what wait() raises at its end, V_NONE */

static Value acquire(VM *vm, Value self)
{
    Value lock = as_cond(self)->lock;
    return ou_is_lock(vm, lock) ? ou_lock_acquire(vm, lock) : ou_call_method_c(vm, lock, "acquire", NULL, 0);
}
static bool free_lock(VM *vm, Value self)
{
    Value lock = as_cond(self)->lock;
    if (ou_is_lock(vm, lock))
        return ou_lock_release(vm, lock);
    Value v = ou_call_method_c(vm, lock, "release", NULL, 0);
    xrelease(vm, v);
    return v != V_NULL;
}
static int is_locked(VM *vm, Value self)
{
    Value lock = as_cond(self)->lock;
    if (ou_is_lock(vm, lock))
        return ou_lock_is_locked(lock);
    Value v = ou_call_method_c(vm, lock, "locked", NULL, 0);
    int t = v == V_NULL ? -1 : ou_truth(vm, v);
    xrelease(vm, v);
    return t;
}
static NativeCoro *waiter_at(Node *n) { return coro_of_wait((Wait *)n, COND_SLOTS); }

static void notify(VM *vm, Condition *c, int64_t n)
{
    for (Node *p = c->waiters.next; n > 0 && p != &c->waiters; p = p->next)
        if (ou_wait_is_pending(waiter_at(p))) {
            n--;
            ou_wait_wake(vm, waiter_at(p));
        }
}

/* One step of what c awaits: the iterator in slots[WS_INNER], which is dropped when it has ended. */
static GenResult inner_step(VM *vm, NativeCoro *c, Value exc, Value *out)
{
    Value inner = retain(c->slots[WS_INNER]);
    GenResult r = ou_await_step(vm, inner, V_NONE, exc, out);
    if (r != GEN_YIELD)
        set_owned(vm, &c->slots[WS_INNER], V_NONE);
    release(vm, inner);
    return r;
}
/* owned awaitable -> slots[WS_INNER] */
static bool set_inner(VM *vm, NativeCoro *c, Value awaitable)
{
    Value it = awaitable == V_NULL ? V_NULL : ou_get_awaitable(vm, awaitable);
    xrelease(vm, awaitable);
    if (it == V_NULL)
        return false;
    set_owned(vm, &c->slots[WS_INNER], it);
    return true;
}

/* ---- wait ---- */

/* The pending exception leaves wait(): one notification too many is harmless, one too few is not. */
static GenResult wait_fails(VM *vm, Condition *cond)
{
    notify(vm, cond, 1);
    return GEN_ERROR;
}

static GenResult wait_first(VM *vm, NativeCoro *c, Value *out)
{
    Value self = c->slots[WS_OWNER];
    Condition *cond = as_cond(self);
    int locked = is_locked(vm, self);
    if (locked == 0)
        ou_raise(vm, E_RUNTIME, "cannot wait on un-acquired lock");
    if (locked <= 0 || !ou_sync_bind(vm, self, &cond->loop) || !free_lock(vm, self))
        return GEN_ERROR;
    return ou_wait_begin(vm, c, &cond->waiters, out);
}

static GenResult wait_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    if (c->state == GEN_CREATED)
        return wait_first(vm, c, out);
    Value self = c->slots[WS_OWNER];
    Condition *cond = as_cond(self);
    if (c->slots[WS_INNER] == V_NONE) {
        if (!ou_wait_end(vm, c, exc))
            c->slots[WS_ERROR] = ou_exc_take(vm);
        c->wait = WAIT_NONE;
        exc = V_NULL;
    }
    for (;;) {
        if (c->slots[WS_INNER] == V_NONE && !set_inner(vm, c, acquire(vm, self)))
            return wait_fails(vm, cond);
        GenResult r = inner_step(vm, c, exc, out);
        if (r == GEN_YIELD)
            return r;
        if (r == GEN_RETURN)
            break;
        if (!ou_exc_matches(vm, E_CANCELLED))
            return wait_fails(vm, cond);
        set_owned(vm, &c->slots[WS_ERROR], ou_exc_take(vm)); /* keep trying, report the last cancellation afterwards */
        exc = V_NULL;
    }
    if (c->slots[WS_ERROR] != V_NONE) {
        release(vm, *out);
        ou_raise_value(vm, c->slots[WS_ERROR]);
        return wait_fails(vm, cond);
    }
    set_owned(vm, out, V_TRUE);
    return GEN_RETURN;
}
static const NativeKind wait_kind = {"Condition.wait", wait_step, ou_wait_fini, COND_SLOTS, WAIT_WORDS};

static Value c_wait(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &wait_kind, args[0]);
}

/* ---- wait_for: the predicate is in slots[WS_ERROR] ---- */

static GenResult wait_for_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    Value self = c->slots[WS_OWNER];
    for (;;) {
        if (c->slots[WS_INNER] != V_NONE) {
            GenResult r = inner_step(vm, c, exc, out);
            if (r != GEN_RETURN)
                return r;
            release(vm, *out);
            exc = V_NULL;
        }
        Value v = ou_call0(vm, c->slots[WS_ERROR]);
        int t = v == V_NULL ? -1 : ou_truth(vm, v);
        if (t > 0) {
            *out = v;
            return GEN_RETURN;
        }
        xrelease(vm, v);
        if (t < 0 || !set_inner(vm, c, ou_call_method_c(vm, self, "wait", NULL, 0)))
            return GEN_ERROR;
    }
}
static const NativeKind wait_for_kind = {"Condition.wait_for", wait_for_step, NULL, COND_SLOTS, 0};

static Value c_wait_for(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = ou_wait_start(vm, &wait_for_kind, args[0]);
    if (v != V_NULL)
        ((NativeCoro *)v_obj(v))->slots[WS_ERROR] = retain(args[1]);
    return v;
}

/* ---- async with ---- */

static GenResult enter_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    if (c->state == GEN_CREATED && !set_inner(vm, c, ou_call_method_c(vm, c->slots[WS_OWNER], "acquire", NULL, 0)))
        return GEN_ERROR;
    GenResult r = inner_step(vm, c, exc, out);
    if (r == GEN_RETURN)
        set_owned(vm, out, V_NONE);
    return r;
}
static const NativeKind enter_kind = {"_ContextManagerMixin.__aenter__", enter_step, NULL, COND_SLOTS, 0};

static Value c_aenter(VM *vm, const Value *args, int n)
{
    (void)n;
    Value lock = as_cond(args[0])->lock;
    if (is_obj(lock) && ou_type_of(vm, args[0])->def == &ou_condition_def && ou_is_lock(vm, lock))
        return ou_lock_enter(vm, lock);
    return ou_wait_start(vm, &enter_kind, args[0]);
}

/* ---- the rest ---- */

static Value c_acquire(VM *vm, const Value *args, int n) { return (void)n, acquire(vm, args[0]); }
static Value c_release(VM *vm, const Value *args, int n) { return (void)n, free_lock(vm, args[0]) ? V_NONE : V_NULL; }
static Value c_locked(VM *vm, const Value *args, int n)
{
    (void)n;
    int t = is_locked(vm, args[0]);
    return t < 0 ? V_NULL : v_bool(t);
}
static bool may_notify(VM *vm, Value self)
{
    int locked = is_locked(vm, self);
    if (locked == 0)
        ou_raise(vm, E_RUNTIME, "cannot notify on un-acquired lock");
    return locked > 0;
}
static Value c_notify(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t k = 1;
    if (!may_notify(vm, args[0]) || (args[1] != V_NULL && !ou_index_i64(vm, args[1], &k)))
        return V_NULL;
    notify(vm, as_cond(args[0]), k);
    return V_NONE;
}
static Value c_notify_all(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!may_notify(vm, args[0]))
        return V_NULL;
    notify(vm, as_cond(args[0]), INT64_MAX);
    return V_NONE;
}
static Value cond_repr(VM *vm, Value self)
{
    Value v = ou_call_method_c(vm, self, "locked", NULL, 0);
    int t = v == V_NULL ? -1 : ou_truth(vm, v);
    xrelease(vm, v);
    return t < 0 ? V_NULL : ou_sync_repr(vm, self, t ? "locked" : "unlocked", &as_cond(self)->waiters);
}
static Value get_lock(VM *vm, Value self) { return (void)vm, retain(as_cond(self)->lock); }
static Value get_waiters(VM *vm, Value self) { return ou_wait_list(vm, &as_cond(self)->waiters, COND_SLOTS); }
static Value get_loop(VM *vm, Value self) { return (void)vm, as_cond(self)->loop ? retain(v_of(as_cond(self)->loop)) : V_NONE; }

static bool set_loop(VM *vm, Value self, Value v) { return ou_sync_set_loop(vm, &as_cond(self)->loop, v); }

static Value cond_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Condition *c = ou_new(vm, cls, 0);
    if (!c)
        return V_NULL;
    list_init(&c->waiters);
    c->lock = V_NONE;
    return v_of(c);
}
static int cond_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[1];
    if (!ou_bind(vm, "Condition.__init__(lock=None)", args, n, kwnames, a))
        return -1;
    Value lock = a[0] == V_NULL || a[0] == V_NONE ? V_NULL : retain(a[0]);
    if (lock == V_NULL) {
        Value cls = ou_import_attr(vm, "_asyncio", "Lock");
        lock = cls == V_NULL ? V_NULL : ou_call0(vm, cls);
        xrelease(vm, cls);
    } else {
        static const char *const needed[] = {"locked", "acquire", "release"};
        for (int k = 0; k < 3; k++) {
            Value m = ou_getattr_c(vm, lock, needed[k]);
            xrelease(vm, m);
            if (m == V_NULL) {
                release(vm, lock);
                return -1;
            }
        }
    }
    if (lock == V_NULL)
        return -1;
    set_owned(vm, &as_cond(self)->lock, lock);
    return 0;
}
static void cond_dealloc(VM *vm, Obj *o)
{
    Condition *c = (Condition *)o;
    release(vm, c->lock);
    if (c->loop)
        release(vm, v_of(c->loop));
    ou_finish_dealloc(vm, o, 0);
}
static void cond_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Condition *c = (Condition *)o;
    ou_visit(vm, c->lock, visit, arg);
    if (c->loop)
        visit(vm, &c->loop->h, arg);
}
static const NativeDef cond_methods[] = {
    {"acquire()", c_acquire, NULL, 0},
    {"release()", c_release, NULL, 0},
    {"locked()", c_locked, NULL, 0},
    {"wait()", c_wait, "Frees the lock until notified, and takes it again in any case.", 0},
    {"wait_for(predicate)", c_wait_for, "Waits until predicate() is true; returns its value.", 0},
    {"notify(n=1)", c_notify, "Wakes up to n waiters.", 0},
    {"notify_all()", c_notify_all, NULL, 0},
    {"__aenter__()", c_aenter, NULL, 0},
    {"__aexit__(exc_type, exc, tb, /)", ou_sync_aexit, NULL, 0},
    {0},
};
static const GetSetDef cond_getset[] = {
    {"_lock", get_lock, NULL, NULL}, {"_waiters", get_waiters, NULL, NULL}, {"_loop", get_loop, set_loop, NULL}, {0},
};
const TypeDef ou_condition_def = {
    .name = "asyncio.locks.Condition",
    .size = sizeof(Condition),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = cond_make, .init = cond_init, .dealloc = cond_dealloc, .traverse = cond_traverse, .repr = cond_repr},
    .methods = cond_methods,
    .getset = cond_getset,
    .doc = "Waiting under a lock for something to become true.",
};
