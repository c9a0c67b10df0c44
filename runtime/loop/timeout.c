/* asyncio.Timeout: cancels the task when the deadline passes and turns that cancellation into TimeoutError at the block's end. Whether it
 * was ours alone is told by the task's count of cancellations: above what it was at the start, somebody else wants it gone too (ASYNC.md
 * rules 31 and 32). No suspension, no timeout: neither end of the block waits. */
#include "runtime/loop/sync.h"
#include "runtime/objects/import.h"
#include "runtime/objects/numbers.h"

enum { AT_START, ACTIVE, EXPIRING, EXPIRED, FINISHED };
static const char *const state_names[] = {"created", "active", "expiring", "expired", "finished"};

typedef struct Timeout {
    Obj h;
    Value when, handler, task; /* V_NONE: none */
    int64_t cancelling;        /* the task's count when the block began */
    uint8_t state;
} Timeout;
static Timeout *as_timeout(Value v) { return (Timeout *)v_obj(v); }

static Value cancel_task(VM *vm, Value task)
{
    if (!is_exact(task, T_TASK))
        return ou_call_method_c(vm, task, "cancel", NULL, 0);
    int r = ou_task_cancel(vm, as_task(task), V_NONE);
    return r < 0 ? V_NULL : v_bool(r);
}
/* task.cancelling(), task.uncancel() */
static bool count_of(VM *vm, Value task, const char *method, int64_t *out)
{
    Value v = ou_call_method_c(vm, task, method, NULL, 0);
    bool ok = v != V_NULL && ou_index_i64(vm, v, out);
    xrelease(vm, v);
    return ok;
}

static Value t_on_timeout(VM *vm, const Value *args, int n)
{
    (void)n;
    Timeout *t = as_timeout(args[0]);
    if (t->state != ACTIVE)
        return V_NONE;
    Value v = cancel_task(vm, t->task);
    if (v == V_NULL)
        return V_NULL;
    release(vm, v);
    t->state = EXPIRING;
    set_owned(vm, &t->handler, V_NONE);
    return V_NONE;
}
static void timer_entry(VM *vm, Handle *h)
{
    Value self = retain(h->cb);
    xrelease(vm, t_on_timeout(vm, &self, 1));
    release(vm, self);
}

static void drop_handler(VM *vm, Timeout *t)
{
    Value h = t->handler;
    t->handler = V_NONE;
    if (h == V_NONE)
        return;
    if (ou_is_a(vm, h, T_HANDLE)) {
        ou_handle_cancel(vm, as_handle(h));
    } else {
        Value exc = ou_exc_take(vm), v = ou_call_method_c(vm, h, "cancel", NULL, 0);
        if (v == V_NULL)
            ou_unraisable(vm, NULL, h);
        xrelease(vm, v);
        ou_exc_restore(vm, exc);
    }
    release(vm, h);
}

static bool reschedule(VM *vm, Value self, Value when)
{
    Timeout *t = as_timeout(self);
    if (t->state != ACTIVE) {
        if (t->state == AT_START)
            return ou_raise(vm, E_RUNTIME, "Timeout has not been entered") != V_NULL;
        return ou_raise(vm, E_RUNTIME, "Cannot change state of %s Timeout", state_names[t->state]) != V_NULL;
    }
    set_owned(vm, &t->when, retain(when));
    drop_handler(vm, t);
    if (when == V_NONE)
        return true;
    Value lv = ou_running_loop_or_raise(vm);
    double at;
    if (lv == V_NULL || !ou_to_double(vm, when, &at))
        return false;
    Loop *l = as_loop(lv);
    bool past = at <= ou_loop_time(vm, l);
    if (!past && l->own & LOOP_OWN_CALL_AT) {
        Value f = ou_getattr_c(vm, self, "_on_timeout");
        t->handler = f == V_NULL ? V_NULL : ou_call_method_c(vm, lv, "call_at", (Value[]){when, f}, 2);
        xrelease(vm, f);
    } else if (ou_loop_check_closed(vm, l)) {
        t->handler = past ? ou_call_soon_native(vm, l, timer_entry, self, V_NONE) : ou_call_at_native(vm, l, at, timer_entry, self, V_NONE);
    } else {
        return false;
    }
    if (t->handler != V_NULL)
        return true;
    t->handler = V_NONE;
    return false;
}

/* ---- async with ---- */

enum { TS_SELF, TS_EXC, TS_SLOTS };

static GenResult enter_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    (void)exc;
    Value self = c->slots[TS_SELF], lv;
    Timeout *t = as_timeout(self);
    if (t->state != AT_START) {
        ou_raise(vm, E_RUNTIME, "Timeout has already been entered");
        return GEN_ERROR;
    }
    if ((lv = ou_running_loop_or_raise(vm)) == V_NULL)
        return GEN_ERROR;
    Value task = ou_current_task(vm, lv);
    if (task == V_NONE) {
        ou_raise(vm, E_RUNTIME, "Timeout should be used inside a task");
        return GEN_ERROR;
    }
    t->state = ACTIVE;
    set_owned(vm, &t->task, retain(task));
    if (is_exact(task, T_TASK))
        t->cancelling = as_task(task)->f.ncancel;
    else if (!count_of(vm, task, "cancelling", &t->cancelling))
        return GEN_ERROR;
    if (!reschedule(vm, self, t->when))
        return GEN_ERROR;
    *out = retain(self);
    return GEN_RETURN;
}
static const NativeKind enter_kind = {"Timeout.__aenter__", enter_step, NULL, TS_SLOTS, 0};

/* An exception that came of our cancellation says so: its context becomes a TimeoutError. */
static bool mark_causes(VM *vm, Value exc)
{
    for (Value e = exc; as_exc(e)->context != V_NONE; e = as_exc(e)->context) {
        Value c = as_exc(e)->context;
        if (!ou_is_a(vm, c, E_CANCELLED))
            continue;
        Value late = ou_exc_new(vm, vm->types[E_TIMEOUT], NULL, 0);
        if (late == V_NULL)
            return false;
        set_owned(vm, &as_exc(late)->context, retain(c));
        set_owned(vm, &as_exc(late)->cause, retain(c));
        as_exc(late)->suppress_context = true;
        set_owned(vm, &as_exc(e)->context, late);
        break;
    }
    return true;
}
static bool mark_group(VM *vm, Value exc)
{
    if (!mark_causes(vm, exc))
        return false;
    if (!ou_is_a(vm, exc, E_EXCEPTION_GROUP))
        return true;
    Value all = ou_getattr_c(vm, exc, "exceptions");
    bool ok = all != V_NULL;
    for (uint32_t k = 0; ok && is_exact(all, T_TUPLE) && k < as_tuple(all)->n; k++)
        ok = mark_causes(vm, as_tuple(all)->items[k]);
    xrelease(vm, all);
    return ok;
}

static GenResult exit_step(VM *vm, NativeCoro *c, Value value, Value thrown, Value *out)
{
    (void)value;
    (void)thrown;
    Timeout *t = as_timeout(c->slots[TS_SELF]);
    Value exc = c->slots[TS_EXC];
    *out = V_NONE;
    drop_handler(vm, t);
    if (t->state == ACTIVE)
        t->state = FINISHED;
    if (t->state != EXPIRING)
        return GEN_RETURN;
    t->state = EXPIRED;
    int64_t left;
    if (!count_of(vm, t->task, "uncancel", &left))
        return GEN_ERROR;
    if (left > t->cancelling || exc == V_NONE)
        return GEN_RETURN;
    if (!ou_is_a(vm, exc, E_CANCELLED))
        return mark_group(vm, exc) ? GEN_RETURN : GEN_ERROR;
    Value e = ou_exc_new(vm, vm->types[E_TIMEOUT], NULL, 0);
    if (e != V_NULL) {
        set_owned(vm, &as_exc(e)->cause, retain(exc));
        as_exc(e)->suppress_context = true;
        ou_raise_value(vm, e);
        release(vm, e);
    }
    return GEN_ERROR;
}
static const NativeKind exit_kind = {"Timeout.__aexit__", exit_step, NULL, TS_SLOTS, 0};

static Value t_aenter(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &enter_kind, args[0]);
}
static Value t_aexit(VM *vm, const Value *args, int n)
{
    (void)n;
    Value c = ou_wait_start(vm, &exit_kind, args[0]);
    if (c != V_NULL)
        ((NativeCoro *)v_obj(c))->slots[TS_EXC] = retain(args[2]);
    return c;
}

/* ---- the type ---- */

static Value t_when(VM *vm, const Value *args, int n) { return (void)vm, (void)n, retain(as_timeout(args[0])->when); }
static Value t_expired(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    uint8_t s = as_timeout(args[0])->state;
    return v_bool(s == EXPIRING || s == EXPIRED);
}
static Value t_reschedule(VM *vm, const Value *args, int n)
{
    (void)n;
    return reschedule(vm, args[0], args[1]) ? V_NONE : V_NULL;
}
static Value timeout_repr(VM *vm, Value self)
{
    Timeout *t = as_timeout(self);
    if (t->state != ACTIVE)
        return ou_str_format(vm, "<Timeout [%s]>", state_names[t->state]);
    Value when = retain(t->when);
    if (when != V_NONE) {
        Value f = ou_import_attr(vm, "builtins", "round");
        set_owned(vm, &when, f == V_NULL ? V_NULL : ou_call2(vm, f, t->when, v_smallint(3)));
        xrelease(vm, f);
    }
    Value s = when == V_NULL ? V_NULL : ou_str_format(vm, "<Timeout [active] when=%S>", when);
    xrelease(vm, when);
    return s;
}
static Value timeout_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Timeout *t = ou_new(vm, cls, 0);
    if (!t)
        return V_NULL;
    t->when = t->handler = t->task = V_NONE;
    return v_of(t);
}
static int timeout_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[1];
    if (!ou_bind(vm, "Timeout.__init__(when)", args, n, kwnames, a))
        return -1;
    set_owned(vm, &as_timeout(self)->when, retain(a[0]));
    return 0;
}
static void timeout_dealloc(VM *vm, Obj *o)
{
    Timeout *t = (Timeout *)o;
    release(vm, t->when);
    release(vm, t->handler);
    release(vm, t->task);
    ou_finish_dealloc(vm, o, 0);
}
static void timeout_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Timeout *t = (Timeout *)o;
    ou_visit(vm, t->when, visit, arg);
    ou_visit(vm, t->handler, visit, arg);
    ou_visit(vm, t->task, visit, arg);
}
static void timeout_clear(VM *vm, Obj *o)
{
    Timeout *t = (Timeout *)o;
    set_owned(vm, &t->handler, V_NONE);
    set_owned(vm, &t->task, V_NONE);
}
static const NativeDef timeout_methods[] = {
    {"when()", t_when, "The deadline on the loop's clock, or None.", 0},
    {"reschedule(when)", t_reschedule, "Moves the deadline; None takes it away.", 0},
    {"expired()", t_expired, "Did the deadline pass while the block ran?", 0},
    {"_on_timeout()", t_on_timeout, NULL, 0},
    {"__aenter__()", t_aenter, NULL, 0},
    {"__aexit__(exc_type, exc_val, exc_tb)", t_aexit, NULL, 0},
    {0},
};
const TypeDef ou_timeout_def = {
    .name = "asyncio.timeouts.Timeout",
    .size = sizeof(Timeout),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = timeout_make, .init = timeout_init, .dealloc = timeout_dealloc, .traverse = timeout_traverse, .clear = timeout_clear,
              .repr = timeout_repr},
    .methods = timeout_methods,
    .doc = "Cancels the block when its deadline passes and turns that cancellation into TimeoutError at the block's end.",
};

Value ou_timeout_new(VM *vm, Type *cls, Value delay)
{
    Value lv = ou_running_loop_or_raise(vm);
    double d = 0;
    if (lv == V_NULL || (delay != V_NONE && !ou_to_double(vm, delay, &d)))
        return V_NULL;
    Value t = timeout_make(vm, cls, NULL, 0, NULL);
    if (t != V_NULL && delay != V_NONE)
        as_timeout(t)->when = v_float(ou_loop_time(vm, as_loop(lv)) + d);
    return t;
}
