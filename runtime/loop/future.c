/* asyncio.Future: state, waiters, results, and the type. Mirrors CPython's Modules/_asynciomodule.c in effect.
 * Entry points for the loop: ou_future_settle schedules every waiter, in order of registration, one ready entry each. */
#include "runtime/loop/loop.h"

#include <stdio.h>

#include "runtime/objects/import.h"
#include "runtime/objects/typing.h"
#include "vm/call.h"

bool ou_is_future(VM *vm, Value v) { return is_exact(v, T_FUTURE) || is_exact(v, T_TASK) || (is_obj(v) && ou_is_a(vm, v, T_FUTURE)); }

FutureExtra *ou_future_extra(VM *vm, Future *f)
{
    if (!f->extra) {
        f->extra = ou_alloc(&vm->heap, sizeof *f->extra);
        if (!f->extra) {
            ou_raise_memory(vm);
            return NULL;
        }
        f->extra->cancel_msg = f->extra->cancelled_exc = f->extra->source = V_NONE;
        f->extra->throw_exc = V_NULL;
        f->extra->traceback = f->extra->name = V_NONE;
    }
    return f->extra;
}

Value ou_future_new(VM *vm, Loop *l)
{
    Future *f = ou_new(vm, vm->types[T_FUTURE], 0);
    if (!f)
        return V_NULL;
    f->result = V_NONE;
    f->loop = l;
    l->h.refs++;
    return v_of(f);
}

/* ---- waiters ---- */

void ou_waiter_free(VM *vm, Loop *l, CallWaiter *w)
{
    Value cb = w->cb, ctx = w->ctx, fut = w->future;
    ou_free(&vm->heap, w, sizeof *w);
    ou_loop_unreserve(l);
    release(vm, cb);
    release(vm, ctx);
    xrelease(vm, fut);
}

static void schedule(VM *vm, Future *f, Waiter *w)
{
    (void)vm;
    if (w->kind == WAIT_TASK) {
        ou_loop_push(f->loop, task_of_waiter(w), ENTRY_TASK);
        return;
    }
    CallWaiter *c = (CallWaiter *)w;
    c->future = retain(v_of(f));
    ou_loop_push(f->loop, c, ENTRY_WAITER);
}

static void append(Future *f, Waiter *w)
{
    w->next = NULL;
    if (f->last)
        f->last->next = w;
    else
        f->first = w;
    f->last = w;
}

static bool add_call(VM *vm, Future *f, uint8_t kind, Value cb, Value ctx, WaiterFn fn, intptr_t data)
{
    CallWaiter *w = ou_alloc0(&vm->heap, sizeof *w);
    if (!w)
        return ou_raise_memory(vm) != V_NULL;
    if (!ou_loop_reserve(vm, f->loop)) {
        ou_free(&vm->heap, w, sizeof *w);
        return false;
    }
    w->w.kind = kind;
    w->cb = retain(cb);
    w->ctx = ctx == V_NULL ? ou_context_copy(vm) : retain(ctx);
    w->fn = fn;
    w->data = data;
    if (future_done(f)) {
        schedule(vm, f, &w->w);
        return true;
    }
    append(f, &w->w);
    return true;
}

bool ou_future_add_native(VM *vm, Future *f, WaiterFn fn, Value owner, intptr_t data)
{
    return add_call(vm, f, WAIT_NATIVE, owner, V_NONE, fn, data);
}
bool ou_future_add_script(VM *vm, Future *f, Value cb, Value ctx) { return add_call(vm, f, WAIT_SCRIPT, cb, ctx, NULL, 0); }

void ou_future_unlink(Future *f, Waiter *w)
{
    Waiter *prev = NULL;
    for (Waiter *p = f->first; p; prev = p, p = p->next) {
        if (p != w)
            continue;
        if (prev)
            prev->next = p->next;
        else
            f->first = p->next;
        if (f->last == p)
            f->last = prev;
        p->next = NULL;
        return;
    }
}

int ou_future_remove_native(VM *vm, Future *f, WaiterFn fn, Value owner)
{
    int n = 0;
    for (Waiter *p = f->first, *next; p; p = next) {
        next = p->next;
        CallWaiter *c = (CallWaiter *)p;
        if (p->kind == WAIT_NATIVE && c->fn == fn && c->cb == owner) {
            ou_future_unlink(f, p);
            ou_waiter_free(vm, f->loop, c);
            n++;
        }
    }
    return n;
}

/* ---- settling ---- */

void ou_future_settle(VM *vm, Future *f, uint8_t state, Value result)
{
    Value old = f->result;
    f->result = result;
    f->state = state;
    Waiter *w = f->first;
    f->first = f->last = NULL;
    while (w) {
        Waiter *next = w->next;
        w->next = NULL;
        schedule(vm, f, w);
        w = next;
    }
    release(vm, old);
}

static const char *state_name(const Future *f)
{
    return f->state == FUT_PENDING ? "PENDING" : f->state == FUT_CANCELLED ? "CANCELLED" : "FINISHED";
}

static bool need_pending(VM *vm, Future *f)
{
    if (f->state == FUT_PENDING)
        return true;
    ou_raise(vm, E_INVALID_STATE, "invalid state");
    return false;
}

bool ou_future_set_result(VM *vm, Future *f, Value v)
{
    if (!need_pending(vm, f))
        return false;
    ou_future_settle(vm, f, FUT_RESULT, retain(v));
    return true;
}

bool ou_future_set_exception(VM *vm, Future *f, Value exc)
{
    if (!need_pending(vm, f))
        return false;
    Value e = ou_exc_normalize(vm, exc);
    if (e == V_NULL) {
        if (ou_exc_matches(vm, E_TYPE)) {
            ou_exc_clear(vm);
            ou_raise(vm, E_TYPE, "invalid exception object");
        }
        return false;
    }
    if (ou_is_a(vm, e, E_STOP_ITERATION)) {
        ou_raise(vm, E_RUNTIME, "StopIteration interacts badly with generators and cannot be raised into a Future");
        Value err = ou_exc_take(vm);
        set_owned(vm, &as_exc(err)->cause, retain(e));
        as_exc(err)->suppress_context = true;
        ou_exc_set_context(vm, err, e);
        release(vm, e);
        e = err;
    }
    f->flags |= FUT_LOG_TRACEBACK;
    ou_future_keep_traceback(vm, f, e);
    ou_future_settle(vm, f, FUT_ERROR, e);
    return true;
}

bool ou_future_cancel_plain(VM *vm, Future *f, Value msg)
{
    f->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
    if (f->state != FUT_PENDING)
        return false;
    if (msg != V_NONE) {
        FutureExtra *x = ou_future_extra(vm, f);
        if (x)
            set_owned(vm, &x->cancel_msg, retain(msg));
    }
    ou_future_settle(vm, f, FUT_CANCELLED, V_NONE);
    return true;
}

int ou_future_cancel(VM *vm, Value fut, Value msg)
{
    if (is_exact(fut, T_FUTURE))
        return ou_future_cancel_plain(vm, as_future(fut), msg);
    if (is_exact(fut, T_TASK))
        return ou_task_cancel(vm, as_task(fut), msg);
    Str *kw = ou_intern_c(vm, "msg");
    Value names = kw ? ou_tuple_of(vm, (Value[]){v_of(kw)}, 1) : V_NULL, v = V_NULL;
    if (names != V_NULL) {
        Value f = ou_getattr(vm, fut, name_of(vm, N_cancel));
        if (f != V_NULL) {
            v = ou_call(vm, f, &msg, 0, as_tuple(names));
            release(vm, f);
        }
    }
    if (kw)
        release(vm, v_of(kw));
    xrelease(vm, names);
    if (v == V_NULL)
        return -1;
    int t = ou_truth(vm, v);
    release(vm, v);
    return t;
}

Value ou_future_cancelled_error(VM *vm, Future *f)
{
    FutureExtra *x = f->extra;
    if (x && x->cancelled_exc != V_NONE) {
        Value e = x->cancelled_exc;
        x->cancelled_exc = V_NONE;
        return e;
    }
    Value msg = x ? x->cancel_msg : V_NONE;
    return ou_exc_new(vm, vm->types[E_CANCELLED], &msg, msg == V_NONE ? 0 : 1);
}

void ou_future_keep_traceback(VM *vm, Future *f, Value exc)
{
    Value tb = as_exc(exc)->traceback;
    FutureExtra *x = tb == V_NONE ? NULL : ou_future_extra(vm, f);
    if (x)
        set_owned(vm, &x->traceback, retain(tb));
    else
        ou_exc_clear(vm);
}
/* The exception does not gather a frame for each time that it is fetched: it begins with the traceback that it came with. */
Value ou_future_error(VM *vm, Future *f)
{
    Value tb = V_NONE;
    if (f->extra) {
        tb = f->extra->traceback;
        f->extra->traceback = V_NONE;
    }
    f->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
    set_owned(vm, &as_exc(f->result)->traceback, tb);
    return retain(f->result);
}
static Value raise_owned(VM *vm, Value e)
{
    if (e != V_NULL) {
        ou_raise_value(vm, e);
        release(vm, e);
    }
    return V_NULL;
}

Value ou_future_result(VM *vm, Future *f)
{
    switch (f->state) {
    case FUT_CANCELLED:
        return raise_owned(vm, ou_future_cancelled_error(vm, f));
    case FUT_PENDING:
        return ou_raise(vm, E_INVALID_STATE, "Result is not set.");
    case FUT_ERROR:
        return raise_owned(vm, ou_future_error(vm, f));
    default:
        f->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
        return retain(f->result);
    }
}

Value ou_future_exception(VM *vm, Future *f)
{
    switch (f->state) {
    case FUT_CANCELLED:
        return raise_owned(vm, ou_future_cancelled_error(vm, f));
    case FUT_PENDING:
        return ou_raise(vm, E_INVALID_STATE, "Exception is not set.");
    case FUT_ERROR:
        f->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
        return retain(f->result);
    default:
        f->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
        return V_NONE;
    }
}

/* ---- being awaited ---- */

int ou_future_leaf(VM *vm, Value future, Value value, Value exc, Value *out)
{
    (void)value;
    Future *f = as_future(future);
    if (exc != V_NULL) {
        ou_raise_value(vm, exc);
        return GEN_ERROR;
    }
    if (f->state == FUT_PENDING) {
        if (f->flags & FUT_BLOCKING) {
            ou_raise(vm, E_RUNTIME, "await wasn't used with future");
            return GEN_ERROR;
        }
        f->flags |= FUT_BLOCKING;
        *out = retain(future);
        return GEN_YIELD;
    }
    Value v = ou_future_result(vm, f);
    if (v == V_NULL)
        return GEN_ERROR;
    *out = v;
    return GEN_RETURN;
}

typedef struct FutureIter {
    Obj h;
    Value future; /* V_NONE once exhausted */
} FutureIter;

static Value future_await(VM *vm, Value self)
{
    FutureIter *it = ou_new(vm, vm->types[T_FUTURE_ITER], 0);
    if (!it)
        return V_NULL;
    it->future = retain(self);
    return v_of(it);
}
static Value iter_step(VM *vm, FutureIter *it, Value exc)
{
    if (it->future == V_NONE) {
        if (exc != V_NULL)
            ou_raise_value(vm, exc);
        return V_NULL;
    }
    Value out = V_NULL;
    switch (ou_future_leaf(vm, it->future, V_NONE, exc, &out)) {
    case GEN_YIELD:
        return out;
    case GEN_RETURN:
        set_owned(vm, &it->future, V_NONE);
        if (out == V_NONE)
            return V_NULL;
        ou_raise_stop(vm, out);
        release(vm, out);
        return V_NULL;
    default:
        set_owned(vm, &it->future, V_NONE);
        return V_NULL;
    }
}
static Value iter_next(VM *vm, Value self) { return iter_step(vm, (FutureIter *)v_obj(self), V_NULL); }
static Value iter_send(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = iter_step(vm, (FutureIter *)v_obj(args[0]), V_NULL);
    if (v == V_NULL && vm->exc == V_NULL)
        ou_raise_stop(vm, V_NONE);
    return v;
}
static Value iter_throw(VM *vm, const Value *args, int n)
{
    int given = 1;
    while (given < n - 1 && given < 3 && args[given + 1] != V_NULL)
        given++;
    Value e = ou_throw_args(vm, args + 1, given);
    if (e == V_NULL)
        return V_NULL;
    Value v = iter_step(vm, (FutureIter *)v_obj(args[0]), e);
    release(vm, e);
    return v;
}
static Value iter_close(VM *vm, const Value *args, int n)
{
    (void)n;
    set_owned(vm, &((FutureIter *)v_obj(args[0]))->future, V_NONE);
    return V_NONE;
}
static Value self_iter(VM *vm, Value self)
{
    (void)vm;
    return retain(self);
}
static void iter_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((FutureIter *)o)->future);
    ou_finish_dealloc(vm, o, 0);
}
static void iter_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((FutureIter *)o)->future, visit, arg); }
static const NativeDef iter_methods[] = {
    {"send(value, /)", iter_send, NULL, 0},
    {"throw(type, val=, tb=, /)", iter_throw, NULL, 0},
    {"close()", iter_close, NULL, 0},
    {0},
};
const TypeDef ou_type_future_iter = {
    .name = "_asyncio.FutureIter",
    .size = sizeof(FutureIter),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = iter_dealloc, .traverse = iter_traverse, .iter = self_iter, .next = iter_next},
    .methods = iter_methods,
};

/* ---- script methods ---- */

Loop *ou_loop_check(VM *vm, Value loop)
{
    if (loop == V_NULL || ou_is_a(vm, loop, T_LOOP))
        return loop == V_NULL ? NULL : as_loop(loop);
    ou_raise(vm, E_TYPE, "loop must be an event loop, not %T", loop);
    release(vm, loop);
    return NULL;
}

Loop *ou_loop_arg(VM *vm, Value loop)
{
    if (loop != V_NULL && loop != V_NONE)
        return ou_loop_check(vm, retain(loop));
    Loop *l = ou_running_loop(vm);
    if (l)
        return as_loop(retain(v_of(l)));
    Value f = ou_import_attr(vm, "asyncio.events", "get_event_loop");
    l = f == V_NULL ? NULL : ou_loop_check(vm, ou_call0(vm, f));
    xrelease(vm, f);
    return l;
}

static int future_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[1];
    if (!ou_bind(vm, "Future(*, loop=None)", args, n, kwnames, a))
        return -1;
    Loop *loop = ou_loop_arg(vm, a[0]);
    if (!loop)
        return -1;
    Future *f = as_future(self);
    Loop *old = f->loop;
    f->loop = loop;
    if (old)
        release(vm, v_of(old));
    if (f->loop->debug)
        ou_future_note_source(vm, f);
    return 0;
}
static Value future_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Future *f = ou_new(vm, cls, 0);
    if (!f)
        return V_NULL;
    f->result = V_NONE;
    return v_of(f);
}

static bool ready(VM *vm, Value self)
{
    if (as_future(self)->loop)
        return true;
    ou_raise(vm, E_RUNTIME, "Future object is not initialized.");
    return false;
}

static bool alive(VM *vm, Value self)
{
    if (!as_future(self)->loop)
        ou_raise(vm, E_INVALID_STATE, "Future object is not initialized.");
    return as_future(self)->loop != NULL;
}

static Value f_result(VM *vm, const Value *args, int n)
{
    (void)n;
    return alive(vm, args[0]) ? ou_future_result(vm, as_future(args[0])) : V_NULL;
}
static Value f_exception(VM *vm, const Value *args, int n)
{
    (void)n;
    return alive(vm, args[0]) ? ou_future_exception(vm, as_future(args[0])) : V_NULL;
}
static Value f_set_result(VM *vm, const Value *args, int n)
{
    (void)n;
    return ready(vm, args[0]) && ou_future_set_result(vm, as_future(args[0]), args[1]) ? V_NONE : V_NULL;
}
static Value f_set_exception(VM *vm, const Value *args, int n)
{
    (void)n;
    return ready(vm, args[0]) && ou_future_set_exception(vm, as_future(args[0]), args[1]) ? V_NONE : V_NULL;
}
static Value f_cancel(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ready(vm, args[0]))
        return V_NULL;
    return v_bool(ou_future_cancel_plain(vm, as_future(args[0]), args[1] == V_NULL ? V_NONE : args[1]));
}
static Value f_cancelled(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_future(args[0])->state == FUT_CANCELLED);
}
static Value f_done(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_future(args[0])->state != FUT_PENDING);
}
static Value f_get_loop(VM *vm, const Value *args, int n)
{
    (void)n;
    return ready(vm, args[0]) ? retain(v_of(as_future(args[0])->loop)) : V_NULL;
}
static Value f_add_done_callback(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ready(vm, args[0]))
        return V_NULL;
    Value ctx = args[2];
    if (ctx != V_NULL && ctx != V_NONE && !ou_context_check(vm, ctx))
        return V_NULL;
    return ou_future_add_script(vm, as_future(args[0]), args[1], ctx == V_NONE ? V_NULL : ctx) ? V_NONE : V_NULL;
}
static Value f_remove_done_callback(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ready(vm, args[0]))
        return V_NULL;
    Future *f = as_future(args[0]);
    int64_t removed = 0;
    /* A comparison may run script code that changes the list: begin again after each removal. */
    for (bool again = true; again;) {
        again = false;
        for (Waiter *p = f->first; p; p = p->next) {
            CallWaiter *c = (CallWaiter *)p;
            if (p->kind != WAIT_SCRIPT)
                continue;
            int eq = ou_eq(vm, c->cb, args[1]);
            if (eq < 0)
                return V_NULL;
            if (eq) {
                ou_future_unlink(f, p);
                ou_waiter_free(vm, f->loop, c);
                removed++;
                again = true;
                break;
            }
        }
    }
    return v_smallint(removed);
}
static Value f_make_cancelled_error(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_future_cancelled_error(vm, as_future(args[0]));
}
static Value f_class_item(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_generic_alias_new(vm, args[0], args[1]);
}

const NativeDef ou_future_methods[] = {
    {"result()", f_result, "The result, or raises the exception; InvalidStateError while pending.", 0},
    {"exception()", f_exception, "The exception or None; InvalidStateError while pending.", 0},
    {"set_result(result, /)", f_set_result, "Marks the future done with a result.", 0},
    {"set_exception(exception, /)", f_set_exception, "Marks the future done with an exception.", 0},
    {"add_done_callback(fn, /, *, context=None)", f_add_done_callback, "Calls fn(future) through call_soon when done.", 0},
    {"remove_done_callback(fn, /)", f_remove_done_callback, "Removes all equal callbacks; returns how many.", 0},
    {"cancel(msg=None)", f_cancel, "Cancels if not done; true if so.", 0},
    {"cancelled()", f_cancelled, NULL, 0},
    {"done()", f_done, NULL, 0},
    {"get_loop()", f_get_loop, NULL, 0},
    {"_make_cancelled_error()", f_make_cancelled_error, NULL, 0},
    {"__class_getitem__(item, /)", f_class_item, NULL, ND_CLASS},
    {0},
};

static Value get_blocking(VM *vm, Value self)
{
    (void)vm;
    return v_bool((as_future(self)->flags & FUT_BLOCKING) != 0);
}
static bool set_blocking(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_ATTRIBUTE, "cannot delete attribute") != V_NULL;
    int t = ou_truth(vm, v);
    if (t < 0)
        return false;
    Future *f = as_future(self);
    f->flags = (uint8_t)(t ? f->flags | FUT_BLOCKING : f->flags & ~FUT_BLOCKING);
    return true;
}
static Value get_loop(VM *vm, Value self)
{
    (void)vm;
    return as_future(self)->loop ? retain(v_of(as_future(self)->loop)) : V_NONE;
}
static Value get_state(VM *vm, Value self) { return ou_str_c(vm, state_name(as_future(self))); }
static Value get_callbacks(VM *vm, Value self)
{
    Future *f = as_future(self);
    if (!f->first)
        return V_NONE;
    Value l = ou_list_new(vm, 2);
    for (Waiter *w = f->first; l != V_NULL && w; w = w->next) {
        CallWaiter *c = (CallWaiter *)w;
        Value t[2] = {w->kind == WAIT_TASK ? v_of(task_of_waiter(w)) : c->cb, w->kind == WAIT_TASK ? V_NONE : c->ctx};
        Value pair = ou_tuple_of(vm, t, 2);
        if (pair == V_NULL || !ou_list_append_take(vm, as_list(l), pair)) {
            release(vm, l);
            l = V_NULL;
        }
    }
    return l;
}
static Value get_result(VM *vm, Value self)
{
    (void)vm;
    Future *f = as_future(self);
    return f->state == FUT_RESULT ? retain(f->result) : V_NONE;
}
static Value get_exception(VM *vm, Value self)
{
    (void)vm;
    Future *f = as_future(self);
    return f->state == FUT_ERROR ? retain(f->result) : V_NONE;
}
static Value get_log_traceback(VM *vm, Value self)
{
    (void)vm;
    return v_bool((as_future(self)->flags & FUT_LOG_TRACEBACK) != 0);
}
static bool set_log_traceback(VM *vm, Value self, Value v)
{
    int t = v == V_NULL ? -1 : ou_truth(vm, v);
    if (v == V_NULL)
        ou_raise(vm, E_ATTRIBUTE, "cannot delete attribute");
    if (t < 0)
        return false;
    if (t)
        return ou_raise(vm, E_VALUE, "_log_traceback can only be set to False") != V_NULL;
    as_future(self)->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
    return true;
}
static Value get_cancel_message(VM *vm, Value self)
{
    (void)vm;
    FutureExtra *x = as_future(self)->extra;
    return x ? retain(x->cancel_msg) : V_NONE;
}
static bool set_cancel_message(VM *vm, Value self, Value v)
{
    FutureExtra *x = ou_future_extra(vm, as_future(self));
    if (!x)
        return false;
    set_owned(vm, &x->cancel_msg, v == V_NULL ? V_NONE : retain(v));
    return true;
}
static Value get_source(VM *vm, Value self)
{
    (void)vm;
    FutureExtra *x = as_future(self)->extra;
    return x ? retain(x->source) : V_NONE;
}

const GetSetDef ou_future_getset[] = {
    {"_asyncio_future_blocking", get_blocking, set_blocking, NULL},
    {"_loop", get_loop, NULL, NULL},
    {"_state", get_state, NULL, NULL},
    {"_callbacks", get_callbacks, NULL, NULL},
    {"_result", get_result, NULL, NULL},
    {"_exception", get_exception, NULL, NULL},
    {"_log_traceback", get_log_traceback, set_log_traceback, NULL},
    {"_cancel_message", get_cancel_message, set_cancel_message, NULL},
    {"_source_traceback", get_source, NULL, NULL},
    {0},
};

/* "<Future finished result=3>", by asyncio.base_futures in script: it is rare and long. */
Value ou_future_repr(VM *vm, Value self)
{
    Value f = ou_import_attr(vm, "asyncio.base_futures", ou_is_a(vm, self, T_TASK) ? "_task_repr" : "_future_repr");
    if (f == V_NULL)
        return V_NULL;
    Value v = ou_call1(vm, f, self);
    release(vm, f);
    return v;
}

/* ---- destruction ---- */

/* An exception that nobody has asked for is reported when the last reference goes. */
static void future_finalize(VM *vm, Obj *o)
{
    Future *f = (Future *)o;
    if (!(f->flags & FUT_LOG_TRACEBACK) || f->state != FUT_ERROR || !f->loop)
        return;
    f->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
    Value pending = ou_exc_take(vm);
    char msg[256];
    snprintf(msg, sizeof msg, "%s exception was never retrieved", ou_type_name(vm, v_of(f)));
    const char *dot = strrchr(msg, '.');
    ou_loop_call_exception_handler(vm, f->loop, dot ? dot + 1 : msg, f->result, "future", v_of(f));
    if (pending != V_NULL)
        ou_exc_restore(vm, pending);
}

void ou_future_dealloc_parts(VM *vm, Future *f)
{
    for (Waiter *w = f->first, *next; w; w = next) {
        next = w->next;
        if (w->kind != WAIT_TASK)
            ou_waiter_free(vm, f->loop, (CallWaiter *)w);
    }
    f->first = f->last = NULL;
    if (f->extra) {
        FutureExtra *x = f->extra;
        f->extra = NULL;
        release(vm, x->cancel_msg);
        release(vm, x->cancelled_exc);
        release(vm, x->source);
        xrelease(vm, x->throw_exc);
        release(vm, x->traceback);
        release(vm, x->name);
        ou_free(&vm->heap, x, sizeof *x);
    }
    Value r = f->result;
    f->result = V_NONE;
    if (r != V_NULL)
        release(vm, r);
    if (f->loop) {
        Loop *l = f->loop;
        f->loop = NULL;
        release(vm, v_of(l));
    }
}

static void future_dealloc(VM *vm, Obj *o)
{
    ou_future_dealloc_parts(vm, (Future *)o);
    ou_finish_dealloc(vm, o, 0);
}

void ou_future_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Future *f = (Future *)o;
    if (f->result != V_NULL)
        ou_visit(vm, f->result, visit, arg);
    if (f->loop)
        visit(vm, &f->loop->h, arg);
    for (Waiter *w = f->first; w; w = w->next)
        if (w->kind != WAIT_TASK) {
            ou_visit(vm, ((CallWaiter *)w)->cb, visit, arg);
            ou_visit(vm, ((CallWaiter *)w)->ctx, visit, arg);
        }
    if (f->extra) {
        ou_visit(vm, f->extra->cancel_msg, visit, arg);
        ou_visit(vm, f->extra->cancelled_exc, visit, arg);
        ou_visit(vm, f->extra->source, visit, arg);
        ou_visit(vm, f->extra->throw_exc, visit, arg);
        ou_visit(vm, f->extra->traceback, visit, arg);
        ou_visit(vm, f->extra->name, visit, arg);
    }
}

static void future_clear(VM *vm, Obj *o)
{
    Future *f = (Future *)o;
    for (Waiter *w = f->first, *next; w; w = next) {
        next = w->next;
        if (w->kind != WAIT_TASK) {
            ou_future_unlink(f, w);
            ou_waiter_free(vm, f->loop, (CallWaiter *)w);
        }
    }
    if (f->state != FUT_ERROR)
        set_owned(vm, &f->result, V_NONE);
}

const TypeDef ou_type_future = {
    .name = "_asyncio.Future",
    .size = sizeof(Future),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,
    .slots = {.make = future_make, .init = future_init, .dealloc = future_dealloc, .traverse = ou_future_traverse, .clear = future_clear,
              .finalize = future_finalize, .repr = ou_future_repr, .iter = future_await, .await = future_await},
    .methods = ou_future_methods,
    .getset = ou_future_getset,
};
