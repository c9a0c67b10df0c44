/* asyncio's Event, Lock and Semaphore, native, and the waiter that they share. The rules are ASYNC.md 36 to 39:
 * a woken waiter stays in the list until its own turn; newcomers queue behind it; one that was cancelled in between passes its
 * turn on. Condition is in condition.c; BoundedSemaphore and Barrier build on these in script
 * (stdlib/asyncio/locks.script). */
#include "runtime/loop/sync.h"

#include <stdio.h>


/* ---- waiters ---- */

/* The task whose frame awaits c, if the native form is possible: it is the one being stepped, and its frames are driven. */
static Task *driving_task(VM *vm)
{
    Value t = vm->thread->current_task;
    if (t == V_NONE || !vm->root)
        return NULL;
    Task *task = as_task(t);
    return task->coro == v_of(vm->root) ? task : NULL;
}

GenResult ou_wait_begin(VM *vm, NativeCoro *c, Node *list, Value *out)
{
    Wait *w = wait_of(c);
    Task *t = driving_task(vm);
    list_init(&w->node);
    if (t) {
        w->task = t;
        c->wait = WAIT_PENDING;
        list_push_back(list, &w->node);
        *out = retain(v_of(c));
        return GEN_YIELD;
    }
    Value lv = ou_running_loop_or_raise(vm);
    Value f = lv == V_NULL ? V_NULL : ou_future_new(vm, as_loop(lv));
    if (f == V_NULL)
        return GEN_ERROR;
    w->task = NULL;
    c->wait = WAIT_PENDING;
    set_owned(vm, &c->slots[WS_EXTRA], f);
    list_push_back(list, &w->node);
    as_future(f)->flags |= FUT_BLOCKING;
    *out = retain(f);
    return GEN_YIELD;
}

static Future *future_of(NativeCoro *c) { return as_future(c->slots[WS_EXTRA]); }

bool ou_wait_is_pending(NativeCoro *c)
{
    return wait_of(c)->task ? c->wait == WAIT_PENDING : future_of(c)->state == FUT_PENDING;
}
bool ou_wait_was_cancelled(NativeCoro *c)
{
    return wait_of(c)->task ? c->wait == WAIT_CANCELLED : future_of(c)->state == FUT_CANCELLED;
}
bool ou_wait_was_woken(NativeCoro *c) { return !ou_wait_is_pending(c) && !ou_wait_was_cancelled(c); }

void ou_wait_wake(VM *vm, NativeCoro *c)
{
    Wait *w = wait_of(c);
    if (w->task) {
        c->wait = WAIT_WOKEN;
        ou_loop_push(w->task->f.loop, w->task, ENTRY_TASK);
    } else {
        ou_future_settle(vm, future_of(c), FUT_RESULT, V_TRUE);
    }
}

bool ou_wait_cancel(VM *vm, NativeCoro *c, Value msg)
{
    if (c->wait != WAIT_PENDING)
        return false;
    c->wait = WAIT_CANCELLED;
    set_owned(vm, &c->slots[WS_EXTRA], retain(msg));
    ou_loop_push(wait_of(c)->task->f.loop, wait_of(c)->task, ENTRY_TASK);
    return true;
}

bool ou_wait_end(VM *vm, NativeCoro *c, Value exc)
{
    Wait *w = wait_of(c);
    list_remove(&w->node);
    if (exc != V_NULL) {
        ou_raise_value(vm, exc);
        return false;
    }
    if (!w->task && c->wait != WAIT_NONE) {
        Value v = ou_future_result(vm, future_of(c));
        if (v == V_NULL)
            return false;
        release(vm, v);
    }
    return true;
}

void ou_wait_fini(VM *vm, NativeCoro *c)
{
    (void)vm;
    if (c->wait != WAIT_NONE)
        list_remove(&wait_of(c)->node);
    c->wait = WAIT_NONE;
}

Value ou_wait_list(VM *vm, Node *list, unsigned nslots)
{
    Value l = ou_list_new(vm, 0);
    for (Node *p = list->next; l != V_NULL && p != list; p = p->next)
        if (!ou_list_append(vm, as_list(l), v_of(coro_of_wait((Wait *)p, nslots)))) {
            release(vm, l);
            l = V_NULL;
        }
    return l;
}

/* A primitive belongs to the loop in which it is first waited on. */
bool ou_sync_bind(VM *vm, Value self, Loop **place)
{
    Loop *l = ou_running_loop(vm);
    if (!l)
        return ou_running_loop_or_raise(vm) != V_NULL;
    if (!*place) {
        *place = l;
        l->h.refs++;
    }
    if (*place != l) {
        ou_raise(vm, E_RUNTIME, "%R is bound to a different event loop", self);
        return false;
    }
    return true;
}

Value ou_sync_repr(VM *vm, Value self, const char *state, Node *waiters)
{
    unsigned n = 0;
    for (Node *p = waiters->next; p && p != waiters; p = p->next)
        n++;
    Value base = ou_builtin(vm, T_OBJECT)->slots.repr(vm, self);
    if (base == V_NULL)
        return V_NULL;
    Str *s = as_str(base);
    Value inner = ou_str_new(vm, s->data + 1, s->size - 2), v = V_NULL; /* without the angle brackets */
    if (inner != V_NULL)
        v = n ? ou_str_format(vm, "<%U [%s, waiters:%d]>", inner, state, (int)n) : ou_str_format(vm, "<%U [%s]>", inner, state);
    xrelease(vm, inner);
    release(vm, base);
    return v;
}

/* What the three begin with. */
typedef struct Sync {
    Obj h;
    Node waiters;
    Loop *loop;    /* owned; NULL until first waited on */
    int64_t value; /* Event: flag, Lock: locked, Semaphore: permits */
} Sync;
static Sync *as_sync(Value v) { return (Sync *)v_obj(v); }

static void sync_dealloc(VM *vm, Obj *o)
{
    Sync *s = (Sync *)o;
    if (s->loop)
        release(vm, v_of(s->loop));
    ou_finish_dealloc(vm, o, 0);
}
static void sync_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    (void)vm;
    Sync *s = (Sync *)o;
    if (s->loop)
        visit(vm, &s->loop->h, arg);
}
static Value sync_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Sync *s = ou_new(vm, cls, 0);
    if (!s)
        return V_NULL;
    list_init(&s->waiters);
    return v_of(s);
}
Value ou_wait_start(VM *vm, const NativeKind *kind, Value owner)
{
    Value v = ou_native_coro_new(vm, kind);
    if (v != V_NULL)
        ((NativeCoro *)v_obj(v))->slots[WS_OWNER] = retain(owner);
    return v;
}
static NativeCoro *waiter_at(Node *n) { return coro_of_wait((Wait *)n, WS_SLOTS); }

int ou_no_args_init(VM *vm, const char *name, int n, Tuple *kwnames)
{
    if (kwnames && kwnames->n)
        ou_raise(vm, E_TYPE, "%s.__init__() got an unexpected keyword argument '%S'", name, kwnames->items[0]);
    else if (n)
        ou_raise(vm, E_TYPE, "%s.__init__() takes 1 positional argument but %d were given", name, n + 1);
    return vm->exc == V_NULL ? 0 : -1;
}

bool ou_sync_set_loop(VM *vm, Loop **place, Value v)
{
    if (v != V_NULL && v != V_NONE && !ou_is_a(vm, v, T_LOOP))
        return ou_raise(vm, E_TYPE, "an event loop or None is expected, got %T", v) != V_NULL;
    Loop *old = *place;
    *place = v == V_NULL || v == V_NONE ? NULL : as_loop(retain(v));
    if (old)
        release(vm, v_of(old));
    return true;
}
static Value sync_get_loop(VM *vm, Value self)
{
    (void)vm;
    return as_sync(self)->loop ? retain(v_of(as_sync(self)->loop)) : V_NONE;
}
static bool sync_set_loop(VM *vm, Value self, Value v) { return ou_sync_set_loop(vm, &as_sync(self)->loop, v); }
static Value sync_waiters(VM *vm, Value self) { return ou_wait_list(vm, &as_sync(self)->waiters, WS_SLOTS); }
static const GetSetDef sync_getset[] = {{"_loop", sync_get_loop, sync_set_loop, NULL}, {"_waiters", sync_waiters, NULL, NULL}, {0}};

/* ---- Event ---- */

static GenResult event_wait_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    Sync *e = as_sync(c->slots[WS_OWNER]);
    if (c->state == GEN_CREATED) {
        if (e->value) {
            *out = V_TRUE;
            return GEN_RETURN;
        }
        return ou_sync_bind(vm, c->slots[WS_OWNER], &e->loop) ? ou_wait_begin(vm, c, &e->waiters, out) : GEN_ERROR;
    }
    if (!ou_wait_end(vm, c, exc))
        return GEN_ERROR;
    *out = V_TRUE;
    return GEN_RETURN;
}
static const NativeKind event_wait_kind = {"Event.wait", event_wait_step, ou_wait_fini, WS_SLOTS, WAIT_WORDS};

static int event_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    (void)self;
    (void)args;
    return ou_no_args_init(vm, "Event", n, kwnames);
}
static Value event_wait(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &event_wait_kind, args[0]);
}
static Value event_set(VM *vm, const Value *args, int n)
{
    (void)n;
    Sync *e = as_sync(args[0]);
    if (!e->value) {
        e->value = 1;
        for (Node *p = e->waiters.next; p != &e->waiters; p = p->next)
            if (ou_wait_is_pending(waiter_at(p)))
                ou_wait_wake(vm, waiter_at(p));
    }
    return V_NONE;
}
static Value event_clear(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    as_sync(args[0])->value = 0;
    return V_NONE;
}
static Value event_is_set(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_sync(args[0])->value != 0);
}
static Value event_repr(VM *vm, Value self) { return ou_sync_repr(vm, self, as_sync(self)->value ? "set" : "unset", &as_sync(self)->waiters); }
static const NativeDef event_methods[] = {
    {"wait()", event_wait, "Returns True, at once if the flag is up.", 0},
    {"set()", event_set, "Raises the flag and wakes every waiter.", 0},
    {"clear()", event_clear, NULL, 0},
    {"is_set()", event_is_set, NULL, 0},
    {0},
};
const TypeDef ou_event_def = {
    .name = "asyncio.locks.Event",
    .size = sizeof(Sync),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = sync_make, .init = event_init, .dealloc = sync_dealloc, .traverse = sync_traverse, .repr = event_repr},
    .methods = event_methods,
    .getset = sync_getset,
};

/* ---- Lock ---- */

static void lock_wake_first(VM *vm, Sync *l)
{
    if (list_empty(&l->waiters))
        return;
    NativeCoro *c = waiter_at(l->waiters.next);
    if (ou_wait_is_pending(c))
        ou_wait_wake(vm, c);
}
static GenResult lock_acquire_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    Sync *l = as_sync(c->slots[WS_OWNER]);
    *out = V_TRUE;
    if (c->state == GEN_CREATED) {
        bool queue = l->value != 0;
        for (Node *p = l->waiters.next; !queue && p != &l->waiters; p = p->next)
            queue = !ou_wait_was_cancelled(waiter_at(p));
        if (!queue) {
            l->value = 1;
            return GEN_RETURN;
        }
        return ou_sync_bind(vm, c->slots[WS_OWNER], &l->loop) ? ou_wait_begin(vm, c, &l->waiters, out) : GEN_ERROR;
    }
    if (!ou_wait_end(vm, c, exc)) {
        /* Perhaps woken already: then somebody else has to be. */
        if (!l->value && ou_exc_matches(vm, E_CANCELLED))
            lock_wake_first(vm, l);
        return GEN_ERROR;
    }
    l->value = 1;
    return GEN_RETURN;
}
static const NativeKind lock_acquire_kind = {"Lock.acquire", lock_acquire_step, ou_wait_fini, WS_SLOTS, WAIT_WORDS};
static GenResult lock_enter_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    GenResult r = lock_acquire_step(vm, c, value, exc, out);
    if (r == GEN_RETURN)
        *out = V_NONE;
    return r;
}
static const NativeKind lock_enter_kind = {"_ContextManagerMixin.__aenter__", lock_enter_step, ou_wait_fini, WS_SLOTS, WAIT_WORDS};

static int lock_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    (void)self;
    (void)args;
    return ou_no_args_init(vm, "Lock", n, kwnames);
}
static Value lock_acquire(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &lock_acquire_kind, args[0]);
}
static Value lock_aenter(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &lock_enter_kind, args[0]);
}
static Value lock_release(VM *vm, const Value *args, int n)
{
    (void)n;
    Sync *l = as_sync(args[0]);
    if (!l->value)
        return ou_raise(vm, E_RUNTIME, "Lock is not acquired.");
    l->value = 0;
    lock_wake_first(vm, l);
    return V_NONE;
}
static Value lock_locked(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_sync(args[0])->value != 0);
}
/* Calls release(), which a subclass may have overridden. Of a plain lock without a bound method in between: what frees a lock must
 * not fail for want of memory, or whoever waits for it waits for ever. */
static Value call_release(VM *vm, Value self)
{
    Type *t = ou_type_of(vm, self);
    bool plain = !(t->flags & TF_HEAP) && ou_instance_get(vm, v_obj(self), name_of(vm, N_release)) == V_NULL;
    Value f = plain ? ou_type_lookup(vm, t, name_of(vm, N_release)) : V_NULL;
    return f == V_NULL ? ou_call_method(vm, self, name_of(vm, N_release), NULL, 0, NULL) : ou_call1(vm, f, self);
}
/* __aexit__ of Lock and Semaphore: frees it when it is awaited. */
static GenResult aexit_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    if (exc != V_NULL) {
        ou_raise_value(vm, exc);
        return GEN_ERROR;
    }
    Value v = call_release(vm, c->slots[WS_OWNER]);
    if (v == V_NULL)
        return GEN_ERROR;
    release(vm, v);
    *out = V_NONE;
    return GEN_RETURN;
}
static const NativeKind aexit_kind = {"_ContextManagerMixin.__aexit__", aexit_step, NULL, 1, 0};
Value ou_sync_aexit(VM *vm, const Value *args, int n)
{
    (void)n;
    Value coro = ou_wait_start(vm, &aexit_kind, args[0]);
    if (coro == V_NULL) { /* no memory for what would give it back: it must not stay taken */
        Value exc = ou_exc_take(vm), v = call_release(vm, args[0]);
        if (v == V_NULL)
            ou_exc_clear(vm);
        xrelease(vm, v);
        ou_exc_restore(vm, exc);
    }
    return coro;
}
static Value lock_repr(VM *vm, Value self) { return ou_sync_repr(vm, self, as_sync(self)->value ? "locked" : "unlocked", &as_sync(self)->waiters); }
static const NativeDef lock_methods[] = {
    {"acquire()", lock_acquire, "Waits until the lock is free, takes it, returns True.", 0},
    {"release()", lock_release, "Frees the lock and wakes the first waiter.", 0},
    {"locked()", lock_locked, NULL, 0},
    {"__aenter__()", lock_aenter, NULL, 0},
    {"__aexit__(exc_type, exc, tb, /)", ou_sync_aexit, NULL, 0},
    {0},
};
const TypeDef ou_lock_def = {
    .name = "asyncio.locks.Lock",
    .size = sizeof(Sync),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = sync_make, .init = lock_init, .dealloc = sync_dealloc, .traverse = sync_traverse, .repr = lock_repr},
    .methods = lock_methods,
    .getset = sync_getset,
};

bool ou_is_lock(VM *vm, Value v) { return is_obj(v) && ou_type_of(vm, v)->def == &ou_lock_def; }
Value ou_lock_acquire(VM *vm, Value lock) { return ou_wait_start(vm, &lock_acquire_kind, lock); }
Value ou_lock_enter(VM *vm, Value lock) { return ou_wait_start(vm, &lock_enter_kind, lock); }
bool ou_lock_is_locked(Value lock) { return as_sync(lock)->value != 0; }
bool ou_lock_release(VM *vm, Value lock) { return lock_release(vm, &lock, 1) != V_NULL; }

/* ---- Semaphore ---- */

static bool sema_is_locked(Sync *s)
{
    if (s->value == 0)
        return true;
    for (Node *p = s->waiters.next; p != &s->waiters; p = p->next)
        if (!ou_wait_was_cancelled(waiter_at(p)))
            return true;
    return false;
}
static bool sema_wake_next(VM *vm, Sync *s)
{
    for (Node *p = s->waiters.next; p != &s->waiters; p = p->next)
        if (ou_wait_is_pending(waiter_at(p))) {
            s->value--;
            ou_wait_wake(vm, waiter_at(p));
            return true;
        }
    return false;
}
static GenResult sema_acquire_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    Sync *s = as_sync(c->slots[WS_OWNER]);
    *out = V_TRUE;
    if (c->state == GEN_CREATED) {
        if (!sema_is_locked(s)) {
            s->value--;
            return GEN_RETURN;
        }
        return ou_sync_bind(vm, c->slots[WS_OWNER], &s->loop) ? ou_wait_begin(vm, c, &s->waiters, out) : GEN_ERROR;
    }
    bool woken = ou_wait_was_woken(c);
    bool ok = ou_wait_end(vm, c, exc);
    if (!ok && woken && ou_exc_matches(vm, E_CANCELLED))
        s->value++; /* the permit that woke us goes back */
    while (s->value > 0 && sema_wake_next(vm, s))
        ;
    return ok ? GEN_RETURN : GEN_ERROR;
}
static const NativeKind sema_acquire_kind = {"Semaphore.acquire", sema_acquire_step, ou_wait_fini, WS_SLOTS, WAIT_WORDS};
static GenResult sema_enter_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    GenResult r = sema_acquire_step(vm, c, value, exc, out);
    if (r == GEN_RETURN)
        *out = V_NONE;
    return r;
}
static const NativeKind sema_enter_kind = {"_ContextManagerMixin.__aenter__", sema_enter_step, ou_wait_fini, WS_SLOTS, WAIT_WORDS};

static int sema_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[1];
    int64_t v = 1;
    if (!ou_bind(vm, "Semaphore.__init__(value=1)", args, n, kwnames, a) || (a[0] != V_NULL && !ou_index_i64(vm, a[0], &v)))
        return -1;
    if (v < 0) {
        ou_raise(vm, E_VALUE, "Semaphore initial value must be >= 0");
        return -1;
    }
    as_sync(self)->value = v;
    return 0;
}
static Value sema_acquire(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &sema_acquire_kind, args[0]);
}
static Value sema_aenter(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &sema_enter_kind, args[0]);
}
static Value sema_release(VM *vm, const Value *args, int n)
{
    (void)n;
    as_sync(args[0])->value++;
    sema_wake_next(vm, as_sync(args[0]));
    return V_NONE;
}
static Value sema_locked(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(sema_is_locked(as_sync(args[0])));
}
static Value sema_value(VM *vm, Value self) { return (void)vm, v_smallint(as_sync(self)->value); }
static Value sema_repr(VM *vm, Value self)
{
    char state[64] = "locked";
    if (!sema_is_locked(as_sync(self)))
        snprintf(state, sizeof state, "unlocked, value:%lld", (long long)as_sync(self)->value);
    return ou_sync_repr(vm, self, state, &as_sync(self)->waiters);
}
static const NativeDef sema_methods[] = {
    {"acquire()", sema_acquire, "Takes a permit, waiting for one if need be; returns True.", 0},
    {"release()", sema_release, "Gives a permit back and wakes the next waiter.", 0},
    {"locked()", sema_locked, "Would acquire() have to wait?", 0},
    {"__aenter__()", sema_aenter, NULL, 0},
    {"__aexit__(exc_type, exc, tb, /)", ou_sync_aexit, NULL, 0},
    {0},
};
static const GetSetDef sema_getset[] = {{"_value", sema_value, NULL, NULL}, {"_loop", sync_get_loop, sync_set_loop, NULL},
                                         {"_waiters", sync_waiters, NULL, NULL}, {0}};
const TypeDef ou_semaphore_def = {
    .name = "asyncio.locks.Semaphore",
    .size = sizeof(Sync),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = sync_make, .init = sema_init, .dealloc = sync_dealloc, .traverse = sync_traverse, .repr = sema_repr},
    .methods = sema_methods,
    .getset = sema_getset,
};
