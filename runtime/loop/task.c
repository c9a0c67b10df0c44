/* asyncio.Task: stepping a coroutine, waiting, waking, cancelling. Mirrors task_step_impl of CPython's _asynciomodule.c.
 * ASYNC.md sections 3 and 6 hold the rules; the loop's list of live tasks is the strong reference. */
#include "runtime/loop/loop.h"
#include "runtime/loop/sync.h"

#include "runtime/objects/import.h"

static void push(Task *t) { ou_loop_push(t->f.loop, t, ENTRY_TASK); }

/* What the next step raises; owned. */
static bool set_throw(VM *vm, Task *t, Value exc)
{
    FutureExtra *x = ou_future_extra(vm, &t->f);
    if (!x) {
        release(vm, exc);
        return false;
    }
    if (x->throw_exc != V_NULL)
        release(vm, x->throw_exc);
    x->throw_exc = exc;
    return true;
}

static void unlive(VM *vm, Task *t)
{
    if (list_empty(&t->live))
        return;
    list_remove(&t->live);
    ou_loop_unreserve(t->f.loop);
    release(vm, v_of(t));
}

/* The task is done: settle first, then leave the live list. The finished coroutine stays: reprs and get_coro() show it. */
static void finish(VM *vm, Task *t, uint8_t state, Value result)
{
    t->f.h.refs++;
    if (state == FUT_ERROR) {
        t->f.flags |= FUT_LOG_TRACEBACK;
        ou_future_keep_traceback(vm, &t->f, result);
    }
    ou_future_settle(vm, &t->f, state, result);
    unlive(vm, t);
    release(vm, v_of(t));
}

/* Schedules a step that raises RuntimeError in the coroutine: it yielded something that makes no sense. */
static void bad_yield(VM *vm, Task *t)
{
    Value e = ou_exc_take(vm);
    if (set_throw(vm, t, e))
        push(t);
}

/* A subclass of Future with an add_done_callback of its own is waited for through that. */
static bool plain_future(VM *vm, Value v)
{
    if (is_exact(v, T_FUTURE) || is_exact(v, T_TASK))
        return true;
    return ou_is_future(vm, v) && ou_type_lookup(vm, ou_type_of(vm, v), name_of(vm, N_add_done_callback)) ==
                                      ou_type_lookup(vm, vm->types[T_FUTURE], name_of(vm, N_add_done_callback));
}

/* The coroutine yielded v (owned). */
static void wait_for(VM *vm, Task *t, Value v)
{
    if (v == V_NONE) {
        push(t);
        return;
    }
    if (is_exact(v, T_NATIVE_CORO) && ((NativeCoro *)v_obj(v))->wait != WAIT_NONE) {
        /* a native wait, linked already; it stands for the future that asyncio would make */
        set_owned(vm, &t->f.result, v);
        if (t->f.flags & FUT_TASK_MUST_CANCEL && ou_wait_cancel(vm, (NativeCoro *)v_obj(v), t->f.extra ? t->f.extra->cancel_msg : V_NONE))
            t->f.flags &= (uint8_t)~FUT_TASK_MUST_CANCEL;
        return;
    }
    if (v == v_of(t)) {
        ou_raise(vm, E_RUNTIME, "Task cannot await on itself: %R", v_of(t));
        bad_yield(vm, t);
        release(vm, v);
        return;
    }
    if (plain_future(vm, v)) {
        Future *f = as_future(v);
        if (!(f->flags & FUT_BLOCKING)) {
            ou_raise(vm, E_RUNTIME, "yield was used instead of yield from in task %R with %R", v_of(t), v);
            bad_yield(vm, t);
            release(vm, v);
            return;
        }
        f->flags &= (uint8_t)~FUT_BLOCKING;
        if (f->loop != t->f.loop) {
            ou_raise(vm, E_RUNTIME, "Task %R got Future %R attached to a different loop", v_of(t), v);
            bad_yield(vm, t);
            release(vm, v);
            return;
        }
        set_owned(vm, &t->f.result, v);
        if (future_done(f)) {
            push(t);
        } else {
            t->w.next = NULL;
            if (f->last)
                f->last->next = &t->w;
            else
                f->first = &t->w;
            f->last = &t->w;
        }
        if (t->f.flags & FUT_TASK_MUST_CANCEL) {
            FutureExtra *x = t->f.extra;
            int r = ou_future_cancel(vm, v, x ? x->cancel_msg : V_NONE);
            if (r > 0)
                t->f.flags &= (uint8_t)~FUT_TASK_MUST_CANCEL;
            else if (r < 0)
                ou_unraisable(vm, NULL, v_of(t));
        }
        return;
    }
    bool missing;
    Value blocking = ou_getattr_opt(vm, v, name_of(vm, N__asyncio_future_blocking), &missing);
    if (blocking != V_NULL && blocking != V_NONE) { /* a future-like of the script's own */
        int b = ou_truth(vm, blocking);
        release(vm, blocking);
        Value loop = ou_call_method_c(vm, v, "get_loop", NULL, 0);
        if (loop == V_NULL) {
            ou_exc_clear(vm);
            loop = retain(v_of(t->f.loop));
        }
        if (loop != v_of(t->f.loop)) {
            ou_raise(vm, E_RUNTIME, "Task %R got Future %R attached to a different loop", v_of(t), v);
            bad_yield(vm, t);
        } else if (b <= 0) {
            ou_raise(vm, E_RUNTIME, "yield was used instead of yield from in task %R with %R", v_of(t), v);
            bad_yield(vm, t);
        } else if (ou_setattr(vm, v, name_of(vm, N__asyncio_future_blocking), V_FALSE)) {
            Value wake = ou_getattr_c(vm, v_of(t), "_Task__wakeup");
            Value add = wake == V_NULL ? V_NULL : ou_getattr(vm, v, name_of(vm, N_add_done_callback)), r = V_NULL;
            if (add != V_NULL) {
                Str *kw = ou_intern_c(vm, "context");
                Value names = kw ? ou_tuple_of(vm, (Value[]){v_of(kw)}, 1) : V_NULL;
                Value ctx = ou_context_object(vm, &t->ctx);
                Value args[2] = {wake, ctx};
                if (names != V_NULL && ctx != V_NULL)
                    r = ou_call(vm, add, args, 1, as_tuple(names));
                xrelease(vm, ctx);
                xrelease(vm, names);
                if (kw)
                    release(vm, v_of(kw));
            }
            if (r == V_NULL) {
                bad_yield(vm, t);
            } else {
                release(vm, r);
                set_owned(vm, &t->f.result, retain(v));
                if (t->f.flags & FUT_TASK_MUST_CANCEL) {
                    int c = ou_future_cancel(vm, v, t->f.extra ? t->f.extra->cancel_msg : V_NONE);
                    if (c > 0)
                        t->f.flags &= (uint8_t)~FUT_TASK_MUST_CANCEL;
                    else if (c < 0)
                        ou_exc_clear(vm);
                }
            }
            xrelease(vm, add);
            xrelease(vm, wake);
        } else {
            bad_yield(vm, t);
        }
        release(vm, loop);
    } else {
        ou_exc_clear(vm);
        if (is_exact(v, T_GENERATOR))
            ou_raise(vm, E_RUNTIME, "yield was used instead of yield from for generator in task %R with %R", v_of(t), v);
        else
            ou_raise(vm, E_RUNTIME, "Task got bad yield: %R", v);
        bad_yield(vm, t);
    }
    release(vm, v);
}

/* One step: resumes the coroutine with None or by raising exc (owned or V_NULL). The caller holds a reference to t. */
static void step(VM *vm, Task *t, Value exc)
{
    if (future_done(&t->f)) {
        xrelease(vm, exc);
        ou_raise(vm, E_INVALID_STATE, "__step(): already done: %R %R", v_of(t), exc == V_NULL ? V_NONE : exc);
        return;
    }
    if (t->f.flags & FUT_TASK_MUST_CANCEL) {
        t->f.flags &= (uint8_t)~FUT_TASK_MUST_CANCEL;
        if (exc == V_NULL || !ou_is_a(vm, exc, E_CANCELLED)) {
            xrelease(vm, exc);
            exc = ou_future_cancelled_error(vm, &t->f);
        }
    }
    set_owned(vm, &t->f.result, V_NONE);
    Value outer_task = vm->thread->current_task;
    Value outer_ctx = ou_context_swap(vm, t->ctx);
    vm->thread->current_task = v_of(t);
    Value coro = t->coro, v = V_NONE;
    GenResult r;
    retain(coro);
    if (is_exact(coro, T_COROUTINE))
        r = exc == V_NULL ? ou_gen_resume(vm, as_gen(coro), V_NONE, &v) : ou_gen_throw(vm, as_gen(coro), exc, &v);
    else
        r = ou_await_step(vm, coro, V_NONE, exc, &v);
    release(vm, coro);
    xrelease(vm, exc);
    t->ctx = ou_context_swap(vm, outer_ctx);
    vm->thread->current_task = outer_task;
    switch (r) {
    case GEN_YIELD:
        wait_for(vm, t, v);
        break;
    case GEN_RETURN:
        if (t->f.flags & FUT_TASK_MUST_CANCEL) {
            t->f.flags &= (uint8_t)~FUT_TASK_MUST_CANCEL;
            release(vm, v);
            finish(vm, t, FUT_CANCELLED, V_NONE);
        } else {
            finish(vm, t, FUT_RESULT, v);
        }
        break;
    default: {
        if (vm->exc == V_NULL)
            ou_raise(vm, E_SYSTEM, "a coroutine failed without an exception");
        Value e = ou_exc_take(vm);
        if (ou_is_a(vm, e, E_CANCELLED)) {
            FutureExtra *x = ou_future_extra(vm, &t->f);
            if (x) {
                set_owned(vm, &x->cancelled_exc, retain(e));
                set_owned(vm, &x->cancel_msg, V_NONE); /* for the first to ask only */
            } else
                ou_exc_clear(vm);
            release(vm, e);
            finish(vm, t, FUT_CANCELLED, V_NONE);
        } else {
            bool leaves = ou_is_a(vm, e, E_KEYBOARD_INTERRUPT) || ou_is_a(vm, e, E_SYSTEM_EXIT);
            if (ou_is_a(vm, e, E_STOP_ITERATION)) { /* set_exception refuses it */
                Value inner = e;
                ou_raise(vm, E_RUNTIME, "coroutine raised StopIteration");
                e = ou_exc_take(vm);
                set_owned(vm, &as_exc(e)->cause, inner);
            }
            retain(e);
            finish(vm, t, FUT_ERROR, e);
            if (leaves)
                ou_exc_restore(vm, e);
            else
                release(vm, e);
        }
    }
    }
}

void ou_task_run(VM *vm, Task *t)
{
    t->f.h.refs++;
    Value exc = V_NULL, waiting = future_done(&t->f) ? V_NONE : t->f.result;
    FutureExtra *x = t->f.extra;
    if (x && x->throw_exc != V_NULL) {
        exc = x->throw_exc;
        x->throw_exc = V_NULL;
    } else if (is_exact(waiting, T_NATIVE_CORO)) {
        NativeCoro *c = (NativeCoro *)v_obj(waiting);
        if (c->wait == WAIT_CANCELLED) {
            Value msg = c->slots[WS_EXTRA];
            exc = ou_exc_new(vm, vm->types[E_CANCELLED], &msg, msg == V_NONE ? 0 : 1);
        }
    } else if (waiting != V_NONE && ou_is_future(vm, waiting)) {
        /* woken: an exception goes in as such; a value is read by the frame that awaits the future */
        Future *f = as_future(waiting);
        if (f->state == FUT_ERROR) {
            exc = ou_future_error(vm, f);
        } else if (f->state == FUT_CANCELLED) {
            exc = ou_future_cancelled_error(vm, f);
        }
    }
    step(vm, t, exc);
    release(vm, v_of(t));
}

/* ---- cancelling ---- */

int ou_task_cancel(VM *vm, Task *t, Value msg)
{
    t->f.flags &= (uint8_t)~FUT_LOG_TRACEBACK;
    if (future_done(&t->f))
        return 0;
    t->f.ncancel++;
    if (t->f.result != V_NONE) {
        Value w = retain(t->f.result);
        int r = is_exact(w, T_NATIVE_CORO) ? ou_wait_cancel(vm, (NativeCoro *)v_obj(w), msg) : ou_future_cancel(vm, w, msg);
        release(vm, w);
        if (r)
            return r;
    }
    t->f.flags |= FUT_TASK_MUST_CANCEL;
    if (msg != V_NONE || t->f.extra) {
        FutureExtra *x = ou_future_extra(vm, &t->f);
        if (!x)
            return -1;
        set_owned(vm, &x->cancel_msg, retain(msg));
    }
    return 1;
}

/* ---- making ---- */

static bool set_name(VM *vm, Task *t, Value name)
{
    Value s = is_str(name) ? retain(name) : ou_str(vm, name);
    FutureExtra *x = s == V_NULL ? NULL : ou_future_extra(vm, &t->f);
    if (!x) {
        xrelease(vm, s);
        return false;
    }
    set_owned(vm, &x->name, s);
    return true;
}

static bool start(VM *vm, Task *t, Loop *l, Value coro, Value name, Value ctx)
{
    t->w.kind = WAIT_TASK;
    t->f.loop = l;
    l->h.refs++;
    t->coro = retain(coro);
    if (is_exact(coro, T_COROUTINE))
        as_gen(coro)->flags |= GEN_F_NO_WARN;
    if (t->ctx != V_NULL)
        release(vm, t->ctx);
    t->ctx = ctx == V_NULL || ctx == V_NONE ? ou_context_copy(vm) : retain(ctx);
    if (name == V_NONE)
        t->w.id = ++vm->id_counter & (UINT64_MAX >> 8);
    else if (!set_name(vm, t, name))
        return false;
    if (!ou_loop_reserve(vm, l))
        return false;
    list_push_back(&l->tasks, &t->live);
    t->f.h.refs++;
    if (l->debug)
        ou_future_note_source(vm, &t->f);
    return vm->exc == V_NULL;
}

/* The first step at once, in the context given, inside whatever is running. */
static void run_eager(VM *vm, Task *t)
{
    t->f.h.refs++;
    step(vm, t, V_NULL);
    if (future_done(&t->f))
        set_owned(vm, &t->coro, V_NONE);
    release(vm, v_of(t));
}

Value ou_task_new(VM *vm, Loop *l, Value coro, Value name, Value ctx, bool eager)
{
    Task *t = ou_new(vm, vm->types[T_TASK], 0);
    if (!t)
        return V_NULL;
    list_init(&t->live);
    t->f.result = t->coro = V_NONE;
    t->ctx = V_NONE;
    if (!start(vm, t, l, coro, name, ctx)) {
        release(vm, v_of(t));
        return V_NULL;
    }
    if (eager) {
        run_eager(vm, t);
        if (vm->exc != V_NULL) {
            release(vm, v_of(t));
            return V_NULL;
        }
    } else {
        push(t);
    }
    return v_of(t);
}

Value ou_create_task(VM *vm, Loop *l, Value coro, Value name, Value ctx)
{
    if (l->task_factory == V_NONE && !(l->own & LOOP_OWN_CREATE_TASK) && is_exact(coro, T_COROUTINE) && !l->closed &&
        (ctx == V_NONE || is_exact(ctx, T_CONTEXT)))
        return ou_task_new(vm, l, coro, name, ctx, false);
    Value m = ou_getattr_c(vm, v_of(l), "create_task");
    if (m == V_NULL)
        return V_NULL;
    Str *kw1 = ou_intern_c(vm, "name"), *kw2 = ou_intern_c(vm, "context");
    Value v = V_NULL;
    if (kw1 && kw2) {
        Value names = ou_tuple_of(vm, (Value[]){v_of(kw1), v_of(kw2)}, ctx == V_NONE ? 1 : 2);
        Value a[3] = {coro, name, ctx};
        if (names != V_NULL)
            v = ou_call(vm, m, a, 1, as_tuple(names));
        xrelease(vm, names);
    }
    if (kw1)
        release(vm, v_of(kw1));
    if (kw2)
        release(vm, v_of(kw2));
    release(vm, m);
    return v;
}

/* The thread's, or one that a script entered by hand. */
Value ou_current_task(VM *vm, Value loop)
{
    Value t = vm->thread->current_task;
    return t != V_NONE && v_of(as_task(t)->f.loop) == loop ? t : as_loop(loop)->entered;
}

static Value task_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Task *t = ou_new(vm, cls, 0);
    if (!t)
        return V_NULL;
    list_init(&t->live);
    t->f.result = t->coro = V_NONE;
    t->ctx = V_NONE;
    return v_of(t);
}

static bool is_coroutine(VM *vm, Value v)
{
    if (ou_is_coroutine_like(vm, v))
        return true;
    if (!is_obj(v))
        return false;
    Value f = ou_import_attr(vm, "asyncio.coroutines", "iscoroutine");
    if (f == V_NULL)
        return false;
    Value r = ou_call1(vm, f, v);
    release(vm, f);
    bool ok = r == V_TRUE;
    xrelease(vm, r);
    return ok;
}

static int task_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[5];
    if (!ou_bind(vm, "Task(coro, *, loop=None, name=None, context=None, eager_start=False)", args, n, kwnames, a))
        return -1;
    Task *t = as_task(self);
    if (t->f.loop) { /* it may be waiting, scheduled, running */
        ou_raise(vm, E_RUNTIME, "Task object is initialized already");
        return -1;
    }
    Loop *l = ou_loop_arg(vm, a[1]);
    if (!l)
        return -1;
    int eager = -1;
    if (!is_coroutine(vm, a[0])) {
        if (vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, "a coroutine was expected, got %R", a[0]);
    } else if (a[3] == V_NULL || a[3] == V_NONE || ou_context_check(vm, a[3])) {
        eager = a[4] == V_NULL ? 0 : ou_truth(vm, a[4]);
    }
    bool ok = eager >= 0 && start(vm, t, l, a[0], a[2] == V_NULL ? V_NONE : a[2], a[3] == V_NULL ? V_NULL : a[3]);
    if (ok && eager && l->running) {
        run_eager(vm, t);
        ok = vm->exc == V_NULL;
    } else if (ok) {
        push(t);
    }
    release(vm, v_of(l));
    return ok ? 0 : -1;
}

/* ---- script methods ---- */

static Value t_cancel(VM *vm, const Value *args, int n)
{
    (void)n;
    int r = ou_task_cancel(vm, as_task(args[0]), args[1] == V_NULL ? V_NONE : args[1]);
    return r < 0 ? V_NULL : v_bool(r);
}
static Value t_cancelling(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_smallint(as_task(args[0])->f.ncancel);
}
static Value t_uncancel(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    Task *t = as_task(args[0]);
    if (t->f.ncancel > 0 && --t->f.ncancel == 0)
        t->f.flags &= (uint8_t)~FUT_TASK_MUST_CANCEL;
    return v_smallint(t->f.ncancel);
}
static Value task_name(VM *vm, Task *t)
{
    FutureExtra *x = t->f.extra;
    return x && x->name != V_NONE ? retain(x->name) : ou_str_format(vm, "Task-%ld", (long)t->w.id);
}
static Value t_get_name(VM *vm, const Value *args, int n)
{
    (void)n;
    return task_name(vm, as_task(args[0]));
}
static Value t_set_name(VM *vm, const Value *args, int n)
{
    (void)n;
    return set_name(vm, as_task(args[0]), args[1]) ? V_NONE : V_NULL;
}
static Value t_get_coro(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return retain(as_task(args[0])->coro);
}
static Value t_get_context(VM *vm, const Value *args, int n)
{
    (void)n;
    Task *t = as_task(args[0]);
    /* while it runs its context is the thread's current one */
    return ou_context_object(vm, vm->thread->current_task == args[0] ? &vm->thread->context : &t->ctx);
}
static Value t_set_result(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_raise(vm, E_RUNTIME, "Task does not support set_result operation");
}
static Value t_set_exception(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_raise(vm, E_RUNTIME, "Task does not support set_exception operation");
}
static Value t_wakeup(VM *vm, const Value *args, int n)
{
    (void)n;
    Task *t = as_task(args[0]);
    Value r = ou_call_method(vm, args[1], name_of(vm, N_result), NULL, 0, NULL), exc = V_NULL;
    if (r == V_NULL)
        exc = ou_exc_take(vm);
    else
        release(vm, r);
    step(vm, t, exc);
    return vm->exc == V_NULL ? V_NONE : V_NULL;
}
static Value call_base_tasks(VM *vm, const char *name, const Value *args, int n)
{
    Value f = ou_import_attr(vm, "asyncio.base_tasks", name);
    if (f == V_NULL)
        return V_NULL;
    Value v = ou_call(vm, f, args, n, NULL);
    release(vm, f);
    return v;
}
static Value t_get_stack(VM *vm, const Value *args, int n)
{
    (void)n;
    Value a[2] = {args[0], args[1] == V_NULL ? V_NONE : args[1]};
    return call_base_tasks(vm, "_task_get_stack", a, 2);
}
static Value t_print_stack(VM *vm, const Value *args, int n)
{
    (void)n;
    Value a[3] = {args[0], args[1] == V_NULL ? V_NONE : args[1], args[2] == V_NULL ? V_NONE : args[2]};
    return call_base_tasks(vm, "_task_print_stack", a, 3);
}
static const NativeDef task_methods[] = {
    {"cancel(msg=None)", t_cancel, "Requests cancellation: CancelledError is raised in the coroutine at its next turn.", 0},
    {"cancelling()", t_cancelling, "Number of cancel() calls less uncancel() calls.", 0},
    {"uncancel()", t_uncancel, NULL, 0},
    {"get_name()", t_get_name, NULL, 0},
    {"set_name(value, /)", t_set_name, NULL, 0},
    {"get_coro()", t_get_coro, NULL, 0},
    {"get_context()", t_get_context, NULL, 0},
    {"set_result(result, /)", t_set_result, NULL, 0},
    {"set_exception(exception, /)", t_set_exception, NULL, 0},
    {"get_stack(*, limit=None)", t_get_stack, NULL, 0},
    {"print_stack(*, limit=None, file=None)", t_print_stack, NULL, 0},
    {"_Task__wakeup(future, /)", t_wakeup, NULL, 0},
    {0},
};
static Value get_must_cancel(VM *vm, Value self)
{
    (void)vm;
    return v_bool((as_task(self)->f.flags & FUT_TASK_MUST_CANCEL) != 0);
}
static Value get_fut_waiter(VM *vm, Value self)
{
    (void)vm;
    return future_done(as_future(self)) ? V_NONE : retain(as_future(self)->result);
}
static Value get_coro(VM *vm, Value self)
{
    (void)vm;
    return retain(as_task(self)->coro);
}
static Value get_num_cancels(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(as_task(self)->f.ncancel);
}
static Value get_log_pending(VM *vm, Value self)
{
    (void)vm;
    return v_bool(!(as_task(self)->f.flags & FUT_TASK_NO_LOG));
}
static bool set_log_pending(VM *vm, Value self, Value v)
{
    int t = v == V_NULL ? 0 : ou_truth(vm, v);
    if (t < 0)
        return false;
    Future *f = as_future(self);
    f->flags = (uint8_t)(t ? f->flags & ~FUT_TASK_NO_LOG : f->flags | FUT_TASK_NO_LOG);
    return true;
}
static const GetSetDef task_getset[] = {
    {"_must_cancel", get_must_cancel, NULL, NULL},
    {"_fut_waiter", get_fut_waiter, NULL, NULL},
    {"_coro", get_coro, NULL, NULL},
    {"_num_cancels_requested", get_num_cancels, NULL, NULL},
    {"_log_destroy_pending", get_log_pending, set_log_pending, NULL},
    {0},
};

static void task_dealloc(VM *vm, Obj *o)
{
    Task *t = (Task *)o;
    Value waiting = future_done(&t->f) ? V_NONE : t->f.result;
    if (is_exact(waiting, T_NATIVE_CORO))
        ou_wait_fini(vm, (NativeCoro *)v_obj(waiting)); /* somebody may still hold it: it must not wake us */
    else if (waiting != V_NONE && ou_is_future(vm, waiting))
        ou_future_unlink(as_future(waiting), &t->w);
    xrelease(vm, t->coro);
    xrelease(vm, t->ctx);
    t->coro = t->ctx = V_NONE;
    ou_future_dealloc_parts(vm, &t->f);
    ou_finish_dealloc(vm, o, 0);
}
static void task_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Task *t = (Task *)o;
    ou_future_traverse(vm, o, visit, arg);
    ou_visit(vm, t->coro, visit, arg);
    ou_visit(vm, t->ctx, visit, arg);
}
static void task_clear(VM *vm, Obj *o)
{
    Task *t = (Task *)o;
    if (!list_empty(&t->live))
        return;
    if (!future_done(&t->f)) {
        if (t->f.result != V_NONE && ou_is_future(vm, t->f.result))
            ou_future_unlink(as_future(t->f.result), &t->w);
        set_owned(vm, &t->f.result, V_NONE);
    }
    set_owned(vm, &t->coro, V_NONE);
    set_owned(vm, &t->ctx, V_NONE);
}

const TypeDef ou_type_task = {
    .name = "_asyncio.Task",
    .size = sizeof(Task),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,
    .slots = {.make = task_make, .init = task_init, .dealloc = task_dealloc, .traverse = task_traverse, .clear = task_clear, .repr = ou_future_repr},
    .methods = task_methods,
    .getset = task_getset,
};
