/* The event loop: ready ring, one iteration (ou_loop_run_once, which is CPython's _run_once to the entry), scheduling, and the
 * script type _asyncio.BaseLoop, from which asyncio's loop class derives in script (executors, servers, reports). */
#include "runtime/loop/loop.h"
#include "runtime/loop/io.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "runtime/objects/import.h"
#include "runtime/objects/numbers.h"

/* ---- the ready ring ---- */

static uint32_t ring_count(const Loop *l) { return l->tail_at - l->head; }

bool ou_loop_reserve(VM *vm, Loop *l)
{
    uint32_t cap = l->ring ? l->mask + 1 : 0;
    if (l->reserved + 1 >= cap) {
        uint32_t more = cap ? cap * 2 : 64;
        uint64_t *p = ou_alloc(&vm->heap, more * sizeof *p);
        if (!p)
            return ou_raise_memory(vm) != V_NULL;
        uint32_t n = ring_count(l);
        for (uint32_t k = 0; k < n; k++)
            p[k] = l->ring[(l->head + k) & l->mask];
        ou_free(&vm->heap, l->ring, cap * sizeof *p);
        l->ring = p;
        l->mask = more - 1;
        l->head = 0;
        l->tail_at = n;
    }
    l->reserved++;
    return true;
}

void ou_loop_push(Loop *l, void *p, unsigned tag) { l->ring[l->tail_at++ & l->mask] = (uint64_t)(uintptr_t)p | tag; }

/* ---- handles ---- */

bool ou_loop_check_closed(VM *vm, Loop *l)
{
    if (l->closed)
        ou_raise(vm, E_RUNTIME, "Event loop is closed");
    return !l->closed;
}

static Value soon(VM *vm, Loop *l, Value cb, Value args, Value ctx, HandleFn fn)
{
    Handle *h = ou_handle_new(vm, l, false, cb, args, ctx, fn);
    if (!h)
        return V_NULL;
    h->h.refs++;
    ou_loop_push(l, h, ENTRY_HANDLE);
    return v_of(h);
}

Value ou_io_handle(VM *vm, Loop *l, HandleFn fn, Value owner, Value args, Value cb)
{
    Handle *h = ou_handle_new(vm, l, false, fn ? owner : cb, args, V_NULL, fn);
    return h ? v_of(h) : V_NULL;
}
Value ou_call_soon(VM *vm, Loop *l, Value cb, Value args, Value ctx) { return soon(vm, l, cb, args, ctx, NULL); }
Value ou_call_soon_native(VM *vm, Loop *l, HandleFn fn, Value owner, Value arg) { return soon(vm, l, owner, arg, V_NULL, fn); }

static Value at(VM *vm, Loop *l, double when, Value cb, Value args, Value ctx, HandleFn fn)
{
    Handle *h = ou_handle_new(vm, l, true, cb, args, ctx, fn);
    if (!h)
        return V_NULL;
    h->when = when;
    if (!ou_timer_push(vm, l, h)) {
        release(vm, v_of(h));
        return V_NULL;
    }
    return v_of(h);
}
Value ou_call_at(VM *vm, Loop *l, double when, Value cb, Value args, Value ctx) { return at(vm, l, when, cb, args, ctx, NULL); }
Value ou_call_at_native(VM *vm, Loop *l, double when, HandleFn fn, Value owner, Value arg)
{
    return at(vm, l, when, owner, arg, V_NULL, fn);
}

/* ---- reports ---- */

/* Where the subject of a report was made, if it was in debug mode. */
static Value source_of(VM *vm, Value subject)
{
    Value source = V_NULL;
    if (ou_is_future(vm, subject))
        source = as_future(subject)->extra ? as_future(subject)->extra->source : V_NULL;
    else if (ou_is_a(vm, subject, T_HANDLE))
        source = as_handle(subject)->source;
    return source == V_NONE ? V_NULL : source;
}

void ou_loop_call_exception_handler(VM *vm, Loop *l, const char *message, Value exc, const char *key, Value subject)
{
    Value source = key ? source_of(vm, subject) : V_NULL;
    Value ctx = ou_dict_new(vm), msg = ou_str_c(vm, message), v = V_NULL;
    if (ctx != V_NULL && msg != V_NULL && ou_dict_set_c(vm, as_dict(ctx), "message", msg) &&
        (exc == V_NULL || ou_dict_set_c(vm, as_dict(ctx), "exception", exc)) &&
        (!key || ou_dict_set_c(vm, as_dict(ctx), key, subject)) &&
        (source == V_NULL || ou_dict_set_c(vm, as_dict(ctx), "source_traceback", source)))
        v = ou_call_method_c(vm, v_of(l), "call_exception_handler", &ctx, 1);
    xrelease(vm, ctx);
    xrelease(vm, msg);
    if (v == V_NULL)
        ou_unraisable(vm, "Exception in the loop's exception handler", V_NONE);
    xrelease(vm, v);
}

/* f(cb, args, debug=loop.get_debug()) */
static Value call_debug(VM *vm, Loop *l, Value f, Value cb, Value args)
{
    Str *kw = ou_intern_c(vm, "debug");
    Value names = kw ? ou_tuple_of(vm, (Value[]){v_of(kw)}, 1) : V_NULL;
    Value v = names == V_NULL ? V_NULL : ou_call(vm, f, (Value[]){cb, args, v_bool(l->debug)}, 2, as_tuple(names));
    xrelease(vm, names);
    if (kw)
        release(vm, v_of(kw));
    return v;
}

/* Is a callback one of the library's own? */
static bool is_library(Value cb)
{
    if (is_exact(cb, T_METHOD))
        cb = ((Method *)v_obj(cb))->func;
    return is_exact(cb, T_FUNCTION) && strncmp(as_function(cb)->code->filename->data, "<frozen ", 8) == 0;
}

/* After an entry failed: true to go on, false when the exception leaves the loop. So does a MemoryError of what the library
 * itself has scheduled: whom it would have woken would wait for ever. */
static bool entry_failed(VM *vm, Loop *l, Value cb, Value args, Value handle, bool native)
{
    if (vm->exc == V_NULL)
        return true;
    if (ou_exc_matches(vm, E_KEYBOARD_INTERRUPT) || ou_exc_matches(vm, E_SYSTEM_EXIT))
        return false;
    if (ou_exc_matches(vm, E_MEMORY) && (native || is_library(cb)))
        return false;
    Value exc = ou_exc_take(vm), text = V_NULL;
    Value f = ou_import_attr(vm, "asyncio.format_helpers", "_format_callback_source");
    if (f != V_NULL)
        text = call_debug(vm, l, f, cb, args);
    ou_exc_clear(vm);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, "Exception in callback ");
    if (text != V_NULL && is_str(text))
        ou_sb_str(&b, text);
    Value msg = ou_sb_finish(&b);
    if (msg != V_NULL)
        ou_loop_call_exception_handler(vm, l, as_str(msg)->data, exc, handle == V_NULL ? NULL : "handle", handle);
    xrelease(vm, f);
    xrelease(vm, text);
    xrelease(vm, msg);
    release(vm, exc);
    if (vm->exc != V_NULL && !ou_exc_matches(vm, E_KEYBOARD_INTERRUPT) && !ou_exc_matches(vm, E_SYSTEM_EXIT))
        ou_exc_clear(vm);
    return vm->exc == V_NULL;
}

/* ---- one iteration ---- */

static double monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double ou_loop_time(VM *vm, Loop *l)
{
    if (!(l->own & LOOP_OWN_TIME))
        return monotonic();
    double d = 0;
    Value v = ou_call_method_c(vm, v_of(l), "time", NULL, 0);
    if (v == V_NULL || !ou_to_double(vm, v, &d))
        ou_unraisable(vm, "Exception in the loop's time()", V_NONE);
    xrelease(vm, v);
    return d;
}

bool ou_handle_run(VM *vm, Handle *h)
{
    bool ok = true;
    Loop *l = h->loop;
    if (!h->cancelled) {
        l->current_handle = h;
        if (h->fn) {
            Value before = ou_context_swap(vm, h->ctx);
            h->fn(vm, h);
            h->ctx = ou_context_swap(vm, before);
        } else {
            Value cb = retain(h->cb), args = retain(h->args);
            Value before = ou_context_swap(vm, h->ctx), v;
            h->ctx = V_NONE;
            v = ou_call(vm, cb, as_tuple(args)->items, (int)as_tuple(args)->n, NULL);
            h->ctx = ou_context_swap(vm, before);
            if (v == V_NULL)
                ok = entry_failed(vm, l, cb, args, v_of(h), false);
            else
                release(vm, v);
            release(vm, cb);
            release(vm, args);
        }
        if (h->fn && vm->exc != V_NULL)
            ok = entry_failed(vm, l, h->cb, vm->empty_tuple, v_of(h), true);
        l->current_handle = NULL;
    }
    return ok;
}
static bool run_handle(VM *vm, Handle *h) /* owns a reference */
{
    h->scheduled = false;
    bool ok = ou_handle_run(vm, h);
    release(vm, v_of(h));
    return ok;
}

static bool run_waiter(VM *vm, Loop *l, CallWaiter *w)
{
    bool ok = true;
    if (w->w.kind == WAIT_NATIVE) {
        w->fn(vm, &w->w);
        if (vm->exc != V_NULL)
            ok = entry_failed(vm, l, w->cb, vm->empty_tuple, V_NULL, true);
    } else {
        Value before = ou_context_swap(vm, w->ctx);
        w->ctx = V_NONE;
        Value v = ou_call1(vm, w->cb, w->future);
        w->ctx = ou_context_swap(vm, before);
        if (v == V_NULL) {
            /* The report names a handle, which only now has to exist. */
            Value exc = ou_exc_take(vm), args = ou_tuple_of(vm, &w->future, 1);
            Handle *h = args == V_NULL ? NULL : ou_handle_new(vm, l, false, w->cb, args, V_NULL, NULL);
            ou_exc_restore(vm, exc);
            ok = entry_failed(vm, l, w->cb, args == V_NULL ? vm->empty_tuple : args, h ? v_of(h) : V_NULL, false);
            xrelease(vm, args);
            if (h)
                release(vm, v_of(h));
        } else {
            release(vm, v);
        }
    }
    ou_waiter_free(vm, l, w);
    return ok;
}

static void note_slow(VM *vm, Loop *l, double seconds, Value what)
{
    Value f = ou_import_attr(vm, "asyncio.base_events", "_log_slow"), r = V_NULL;
    if (f != V_NULL)
        r = ou_call3(vm, f, v_of(l), what, v_float(seconds));
    ou_exc_clear(vm);
    xrelease(vm, f);
    xrelease(vm, r);
}

bool ou_loop_run_once(VM *vm, Loop *l, bool block)
{
    if (vm->attention && !ou_safepoint(vm))
        return false;
    if (l->ntimers > 100 && l->ntimers_cancelled * 2 > l->ntimers) {
        ou_timer_rebuild(vm, l);
    } else {
        while (l->ntimers && l->timers[0].h->cancelled) {
            l->ntimers_cancelled--;
            release(vm, v_of(ou_timer_pop(l)));
        }
    }
    if (ring_count(l) == 0 && !l->stopping && block) {
        double timeout = -1;
        if (l->ntimers) {
            timeout = l->timers[0].when - ou_loop_time(vm, l);
            if (timeout < 0)
                timeout = 0;
            else if (timeout > 24 * 3600)
                timeout = 24 * 3600;
        }
        if (timeout != 0 || l->io_handles)
            ou_reactor_poll(vm, l, timeout);
    } else if (l->io_handles && (l->io_dirty || ++l->since_poll >= 64)) {
        ou_reactor_poll(vm, l, 0);
    }
    if (vm->attention && !ou_safepoint(vm))
        return false;
    if (l->ntimers) {
        double end = ou_loop_time(vm, l) + l->clock_resolution;
        while (l->ntimers && l->timers[0].when < end) {
            Handle *h = ou_timer_pop(l);
            if (h->cancelled) {
                l->ntimers_cancelled--;
            }
            ou_loop_push(l, h, ENTRY_HANDLE);
        }
    }
    uint32_t n = ring_count(l);
    l->iteration++;
    for (uint32_t k = 0; k < n; k++) {
        uint64_t e = l->ring[l->head++ & l->mask];
        void *p = (void *)(uintptr_t)(e & ~(uint64_t)ENTRY_MASK);
        bool ok;
        double t0 = l->debug ? ou_loop_time(vm, l) : 0;
        Value what = V_NULL;
        if (l->debug && (e & ENTRY_MASK) != ENTRY_WAITER)
            what = retain(v_of(p));
        switch (e & ENTRY_MASK) {
        case ENTRY_TASK:
            ou_task_run(vm, p);
            ok = vm->exc == V_NULL || entry_failed(vm, l, V_NONE, vm->empty_tuple, V_NULL, false);
            break;
        case ENTRY_HANDLE:
            ok = run_handle(vm, p);
            break;
        default:
            ok = run_waiter(vm, l, p);
        }
        if (l->debug) {
            double dt = ou_loop_time(vm, l) - t0;
            if (ok && what != V_NULL && dt >= l->slow_callback_duration)
                note_slow(vm, l, dt, what);
            xrelease(vm, what);
        }
        if (!ok)
            return false;
    }
    return true;
}

/* ---- the running loop ---- */

Loop *ou_running_loop(VM *vm) { return vm->thread->running_loop; }

Value ou_running_loop_or_raise(VM *vm)
{
    Loop *l = ou_running_loop(vm);
    return l ? v_of(l) : ou_raise(vm, E_RUNTIME, "no running event loop");
}

static void set_running(VM *vm, Loop *l)
{
    Loop *old = vm->thread->running_loop;
    if (l)
        l->h.refs++;
    vm->thread->running_loop = l;
    if (old)
        release(vm, v_of(old));
}

static Value hook(VM *vm, Loop *l, const char *name)
{
    Str *s = ou_intern_c(vm, name);
    bool missing;
    Value v = s ? ou_getattr_opt(vm, v_of(l), s, &missing) : V_NULL;
    if (s)
        release(vm, v_of(s));
    ou_exc_clear(vm);
    return v == V_NULL ? V_NONE : v;
}

static Value l_run_forever(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *l = as_loop(args[0]);
    if (!ou_loop_check_closed(vm, l))
        return V_NULL;
    if (l->running)
        return ou_raise(vm, E_RUNTIME, "This event loop is already running");
    if (ou_running_loop(vm))
        return ou_raise(vm, E_RUNTIME, "Cannot run the event loop while another loop is running");
    Value old_first = vm->thread->asyncgen_firstiter, old_fin = vm->thread->asyncgen_finalizer;
    vm->thread->asyncgen_firstiter = hook(vm, l, "_asyncgen_firstiter_hook");
    vm->thread->asyncgen_finalizer = hook(vm, l, "_asyncgen_finalizer_hook");
    uint32_t old_origin = vm->thread->coroutine_origin_depth;
    if (l->debug)
        vm->thread->coroutine_origin_depth = 10;
    l->h.refs++;
    l->running = true;
    l->thread_ident = vm->thread->ident;
    set_running(vm, l);
    bool ok = true;
    do {
        if (l->own & LOOP_OWN_RUN_ONCE) {
            Value v = ou_call_method_c(vm, v_of(l), "_run_once", NULL, 0);
            ok = v != V_NULL;
            xrelease(vm, v);
        } else {
            ok = ou_loop_run_once(vm, l, true);
        }
    } while (ok && !l->stopping);
    l->stopping = false;
    l->running = false;
    l->thread_ident = 0;
    Value pending = ou_exc_take(vm);
    set_running(vm, NULL);
    set_owned(vm, &vm->thread->asyncgen_firstiter, old_first);
    set_owned(vm, &vm->thread->asyncgen_finalizer, old_fin);
    vm->thread->coroutine_origin_depth = old_origin;
    release(vm, v_of(l));
    if (pending != V_NULL) {
        ou_exc_restore(vm, pending);
        return V_NULL;
    }
    return ok ? V_NONE : V_NULL;
}

/* ---- script methods ---- */

static bool check_callback(VM *vm, Loop *l, Value cb, const char *method)
{
    if (!l->debug)
        return true;
    if (ou_is_coroutine_like(vm, cb) || (is_exact(cb, T_FUNCTION) && (as_function(cb)->code->flags & CO_COROUTINE))) {
        ou_raise(vm, E_TYPE, "coroutines cannot be used with %s()", method);
        return false;
    }
    if (!ou_type_of(vm, cb)->slots.call) {
        ou_raise(vm, E_TYPE, "a callable object was expected by %s(), got %R", method, cb);
        return false;
    }
    return true;
}
static bool check_thread(VM *vm, Loop *l)
{
    if (!l->debug || !l->thread_ident || l->thread_ident == vm->thread->ident)
        return true;
    ou_raise(vm, E_RUNTIME, "Non-thread-safe operation invoked on an event loop other than the current one");
    return false;
}
static bool context_arg(VM *vm, Value *ctx)
{
    if (*ctx == V_NONE)
        *ctx = V_NULL;
    return *ctx == V_NULL || ou_context_check(vm, *ctx);
}
static Value noted(VM *vm, Loop *l, Value handle)
{
    if (handle != V_NULL && l->debug)
        ou_handle_note_source(vm, as_handle(handle));
    return handle;
}
/* call_soon(callback, *args, context=None) */
static Value l_call_soon(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *l = as_loop(args[0]);
    Value ctx = args[3];
    if (!ou_loop_check_closed(vm, l) || !check_thread(vm, l) || !check_callback(vm, l, args[1], "call_soon") || !context_arg(vm, &ctx))
        return V_NULL;
    return noted(vm, l, ou_call_soon(vm, l, args[1], args[2], ctx));
}
static Value l_call_soon_threadsafe(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *l = as_loop(args[0]);
    Value ctx = args[3];
    if (!ou_loop_check_closed(vm, l) || !check_callback(vm, l, args[1], "call_soon_threadsafe") || !context_arg(vm, &ctx))
        return V_NULL;
    Value h = noted(vm, l, ou_call_soon(vm, l, args[1], args[2], ctx));
    if (h != V_NULL)
        ou_reactor_wake(l);
    return h;
}
/* self.call_at(when, callback, *args, context=ctx) of a loop that has its own */
static Value own_call_at(VM *vm, Loop *l, double when, Value cb, Value args, Value ctx)
{
    uint32_t n = as_tuple(args)->n;
    Str *kw = ou_intern_c(vm, "context");
    Value names = kw ? ou_tuple_of(vm, (Value[]){v_of(kw)}, 1) : V_NULL, m = ou_getattr_c(vm, v_of(l), "call_at"), v = V_NULL;
    Value *a = ou_alloc(&vm->heap, (n + 3) * sizeof *a);
    if (!a && vm->exc == V_NULL)
        ou_raise_memory(vm);
    if (a && m != V_NULL && names != V_NULL) {
        a[0] = v_float(when);
        a[1] = cb;
        memcpy(a + 2, as_tuple(args)->items, n * sizeof *a);
        a[n + 2] = ctx == V_NULL ? V_NONE : ctx;
        v = ou_call(vm, m, a, (int)n + 2, as_tuple(names));
    }
    ou_free(&vm->heap, a, (n + 3) * sizeof *a);
    xrelease(vm, m);
    xrelease(vm, names);
    if (kw)
        release(vm, v_of(kw));
    return v;
}
/* call_later(delay, callback, *args, context=None) */
static Value l_call_later(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *l = as_loop(args[0]);
    Value ctx = args[4];
    double delay;
    if (args[1] == V_NONE)
        return ou_raise(vm, E_TYPE, "delay must not be None");
    if (!ou_to_double(vm, args[1], &delay) || !ou_loop_check_closed(vm, l) || !check_thread(vm, l) ||
        !check_callback(vm, l, args[2], "call_later") || !context_arg(vm, &ctx))
        return V_NULL;
    double when = ou_loop_time(vm, l) + delay;
    return l->own & LOOP_OWN_CALL_AT ? own_call_at(vm, l, when, args[2], args[3], ctx)
                                     : noted(vm, l, ou_call_at(vm, l, when, args[2], args[3], ctx));
}
static Value l_call_at(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *l = as_loop(args[0]);
    Value ctx = args[4];
    double when;
    if (args[1] == V_NONE)
        return ou_raise(vm, E_TYPE, "when cannot be None");
    if (!ou_to_double(vm, args[1], &when) || !ou_loop_check_closed(vm, l) || !check_thread(vm, l) ||
        !check_callback(vm, l, args[2], "call_at") || !context_arg(vm, &ctx))
        return V_NULL;
    return noted(vm, l, ou_call_at(vm, l, when, args[2], args[3], ctx));
}
static Value l_time(VM *vm, const Value *args, int n)
{
    (void)n;
    (void)vm;
    (void)args;
    return v_float(monotonic());
}
static Value l_create_future(VM *vm, const Value *args, int n)
{
    (void)n;
    Value f = ou_future_new(vm, as_loop(args[0]));
    if (f != V_NULL && as_loop(args[0])->debug)
        ou_future_note_source(vm, as_future(f));
    return f;
}
/* create_task(coro, *, name=None, context=None) */
static Value l_create_task(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *l = as_loop(args[0]);
    Value name = args[2] == V_NULL ? V_NONE : args[2], ctx = args[3] == V_NULL ? V_NONE : args[3];
    if (!ou_loop_check_closed(vm, l))
        return V_NULL;
    if (l->task_factory != V_NONE) {
        Value v;
        if (ctx == V_NONE) {
            v = ou_call2(vm, l->task_factory, args[0], args[1]);
        } else {
            Str *kw = ou_intern_c(vm, "context");
            Value names = kw ? ou_tuple_of(vm, (Value[]){v_of(kw)}, 1) : V_NULL;
            Value a[3] = {args[0], args[1], ctx};
            v = names == V_NULL ? V_NULL : ou_call(vm, l->task_factory, a, 2, as_tuple(names));
            xrelease(vm, names);
            if (kw)
                release(vm, v_of(kw));
        }
        if (v != V_NULL && name != V_NONE) {
            bool missing;
            Str *s = ou_intern_c(vm, "set_name");
            Value set = s ? ou_getattr_opt(vm, v, s, &missing) : V_NULL;
            if (s)
                release(vm, v_of(s));
            if (set != V_NULL) {
                Value r = ou_call1(vm, set, name);
                release(vm, set);
                xrelease(vm, r);
            }
            if (vm->exc != V_NULL) {
                release(vm, v);
                return V_NULL;
            }
        }
        return v;
    }
    if (!is_exact(args[1], T_COROUTINE) && !ou_is_coroutine_like(vm, args[1])) {
        /* the constructor knows the other kinds of coroutines, and the message */
        Str *kws[3] = {ou_intern_c(vm, "loop"), ou_intern_c(vm, "name"), ou_intern_c(vm, "context")};
        Value v = V_NULL;
        if (kws[0] && kws[1] && kws[2]) {
            Value names = ou_tuple_of(vm, (Value[]){v_of(kws[0]), v_of(kws[1]), v_of(kws[2])}, 3);
            Value a[4] = {args[1], args[0], name, ctx};
            if (names != V_NULL)
                v = ou_call(vm, v_of(vm->types[T_TASK]), a, 1, as_tuple(names));
            xrelease(vm, names);
        }
        for (int k = 0; k < 3; k++)
            if (kws[k])
                release(vm, v_of(kws[k]));
        return v;
    }
    if (ctx != V_NONE && !ou_context_check(vm, ctx))
        return V_NULL;
    return ou_task_new(vm, l, args[1], name, ctx, false);
}
static Value l_stop(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    as_loop(args[0])->stopping = true;
    return V_NONE;
}
static void drop_pending(VM *vm, Loop *l)
{
    while (ring_count(l)) {
        uint64_t e = l->ring[l->head++ & l->mask];
        void *p = (void *)(uintptr_t)(e & ~(uint64_t)ENTRY_MASK);
        if ((e & ENTRY_MASK) == ENTRY_HANDLE)
            release(vm, v_of(p));
        else if ((e & ENTRY_MASK) == ENTRY_WAITER)
            ou_waiter_free(vm, l, p);
    }
    while (l->ntimers)
        release(vm, v_of(ou_timer_pop(l)));
}
static Value l_close(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *l = as_loop(args[0]);
    if (l->running)
        return ou_raise(vm, E_RUNTIME, "Cannot close a running event loop");
    if (l->closed)
        return V_NONE;
    l->closed = true;
    drop_pending(vm, l);
    ou_io_release_all(vm, l);
    ou_reactor_fini(vm, l);
    /* tasks that will never run again: the loop lets go of them */
    while (!list_empty(&l->tasks)) {
        Task *t = (Task *)((char *)l->tasks.next - offsetof(Task, live));
        list_remove(&t->live);
        ou_loop_unreserve(l);
        release(vm, v_of(t));
    }
    return V_NONE;
}
static Value l_is_running(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_loop(args[0])->running);
}
static Value l_is_closed(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_loop(args[0])->closed);
}
static Value l_get_debug(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_loop(args[0])->debug);
}
static Value l_set_debug(VM *vm, const Value *args, int n)
{
    (void)n;
    int t = ou_truth(vm, args[1]);
    if (t < 0)
        return V_NULL;
    as_loop(args[0])->debug = t;
    if (as_loop(args[0])->running)
        vm->thread->coroutine_origin_depth = t ? 10 : 0;
    return V_NONE;
}
static Value l_get_exception_handler(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return retain(as_loop(args[0])->exception_handler);
}
static Value l_set_exception_handler(VM *vm, const Value *args, int n)
{
    (void)n;
    if (args[1] != V_NONE && !ou_type_of(vm, args[1])->slots.call)
        return ou_raise(vm, E_TYPE, "A callable object or None is expected, got %R", args[1]);
    set_owned(vm, &as_loop(args[0])->exception_handler, retain(args[1]));
    return V_NONE;
}
static Value l_get_task_factory(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return retain(as_loop(args[0])->task_factory);
}
static Value l_set_task_factory(VM *vm, const Value *args, int n)
{
    (void)n;
    if (args[1] != V_NONE && !ou_type_of(vm, args[1])->slots.call)
        return ou_raise(vm, E_TYPE, "task factory must be a callable or None");
    set_owned(vm, &as_loop(args[0])->task_factory, retain(args[1]));
    return V_NONE;
}
static Value l_run_once(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_loop_run_once(vm, as_loop(args[0]), true) ? V_NONE : V_NULL;
}
/* The same without waiting: for loops that bring their own clock. */
static Value l_poll_once(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_loop_run_once(vm, as_loop(args[0]), false) ? V_NONE : V_NULL;
}
static Value l_check_closed(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_loop_check_closed(vm, as_loop(args[0])) ? V_NONE : V_NULL;
}
static Value l_tasks(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *l = as_loop(args[0]);
    Value list = ou_list_new(vm, 8);
    for (Node *p = l->tasks.next; list != V_NULL && p != &l->tasks; p = p->next) {
        Task *t = (Task *)((char *)p - offsetof(Task, live));
        if (!ou_list_append(vm, as_list(list), v_of(t))) {
            release(vm, list);
            list = V_NULL;
        }
    }
    return list;
}

static const NativeDef loop_methods[] = {
    {"call_soon(callback, *args, context=None)", l_call_soon, "Runs the callback in the next iteration.", 0},
    {"call_soon_threadsafe(callback, *args, context=None)", l_call_soon_threadsafe, "The same from any thread.", 0},
    {"call_later(delay, callback, *args, context=None)", l_call_later, "Runs the callback after delay seconds.", 0},
    {"call_at(when, callback, *args, context=None)", l_call_at, "Runs the callback at a time of loop.time().", 0},
    {"time()", l_time, "Seconds of a monotonic clock.", 0},
    {"create_future()", l_create_future, NULL, 0},
    {"create_task(coro, *, name=None, context=None)", l_create_task, NULL, 0},
    {"run_forever()", l_run_forever, "Runs until stop() is called.", 0},
    {"stop()", l_stop, "Ends run_forever() after this iteration.", 0},
    {"_close()", l_close, NULL, 0},
    {"is_running()", l_is_running, NULL, 0},
    {"is_closed()", l_is_closed, NULL, 0},
    {"get_debug()", l_get_debug, NULL, 0},
    {"set_debug(enabled, /)", l_set_debug, NULL, 0},
    {"get_exception_handler()", l_get_exception_handler, NULL, 0},
    {"set_exception_handler(handler, /)", l_set_exception_handler, NULL, 0},
    {"get_task_factory()", l_get_task_factory, NULL, 0},
    {"set_task_factory(factory, /)", l_set_task_factory, NULL, 0},
    {"_run_once()", l_run_once, NULL, 0},
    {"_poll_once()", l_poll_once, NULL, 0},
    {"_check_closed()", l_check_closed, NULL, 0},
    OU_IO_METHODS
    {"_all_tasks()", l_tasks, "The live tasks, in order of creation.", 0},
    {0},
};

static Value l_get_slow(VM *vm, Value self)
{
    (void)vm;
    return v_float(as_loop(self)->slow_callback_duration);
}
static bool l_set_slow(VM *vm, Value self, Value v)
{
    double d;
    if (v == V_NULL || !ou_to_double(vm, v, &d))
        return false;
    as_loop(self)->slow_callback_duration = d;
    return true;
}
static Value l_get_thread(VM *vm, Value self)
{
    uint64_t id = as_loop(self)->thread_ident;
    return id ? ou_int_u64(vm, id) : V_NONE;
}
static Value l_get_iteration(VM *vm, Value self) { return ou_int_u64(vm, as_loop(self)->iteration); }
static Value l_get_executor(VM *vm, Value self)
{
    (void)vm;
    return retain(as_loop(self)->default_executor);
}
static bool l_set_executor(VM *vm, Value self, Value v)
{
    set_owned(vm, &as_loop(self)->default_executor, v == V_NULL ? V_NONE : retain(v));
    return true;
}
static Value l_get_stopping(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_loop(self)->stopping);
}
static Value l_get_clock_resolution(VM *vm, Value self)
{
    (void)vm;
    return v_float(as_loop(self)->clock_resolution);
}
static bool l_set_clock_resolution(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_ATTRIBUTE, "_clock_resolution") != V_NULL;
    return ou_to_double(vm, v, &as_loop(self)->clock_resolution);
}
static Value l_get_ready(VM *vm, Value self)
{
    (void)vm;
    return v_smallint(ring_count(as_loop(self)));
}
static const GetSetDef loop_getset[] = {
    {"slow_callback_duration", l_get_slow, l_set_slow, NULL},
    {"_thread_id", l_get_thread, NULL, NULL},
    {"_iteration", l_get_iteration, NULL, NULL},
    {"_default_executor", l_get_executor, l_set_executor, NULL},
    {"_stopping", l_get_stopping, NULL, NULL},
    {"_clock_resolution", l_get_clock_resolution, l_set_clock_resolution, NULL},
    {"_ready_count", l_get_ready, NULL, NULL},
    {0},
};

/* Does a subclass define this method of the loop itself? */
static bool overrides(VM *vm, Type *cls, const char *name)
{
    Str *s = ou_intern_c(vm, name);
    bool own = s && ou_type_lookup(vm, cls, s) != ou_type_lookup(vm, ou_builtin(vm, T_LOOP), s);
    if (s)
        release(vm, v_of(s));
    return own;
}
static Value loop_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Loop *l = ou_new(vm, cls, 0);
    if (!l)
        return V_NULL;
    list_init(&l->tasks);
    l->exception_handler = l->task_factory = l->default_executor = l->entered = V_NONE;
    l->slow_callback_duration = 0.1;
    l->clock_resolution = 1e-9;
    l->own = (uint8_t)((overrides(vm, cls, "time") ? LOOP_OWN_TIME : 0) | (overrides(vm, cls, "call_at") ? LOOP_OWN_CALL_AT : 0) |
                       (overrides(vm, cls, "call_later") ? LOOP_OWN_CALL_LATER : 0) |
                       (overrides(vm, cls, "_run_once") ? LOOP_OWN_RUN_ONCE : 0) | (overrides(vm, cls, "create_task") ? LOOP_OWN_CREATE_TASK : 0));
    l->vm = vm;
    l->reserved = 1;
    if (!ou_loop_reserve(vm, l)) {
        release(vm, v_of(l));
        return V_NULL;
    }
    return v_of(l);
}
static int loop_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    (void)vm;
    (void)self;
    (void)args;
    (void)n;
    (void)kwnames;
    return 0;
}
static void loop_dealloc(VM *vm, Obj *o)
{
    Loop *l = (Loop *)o;
    if (l->ring)
        drop_pending(vm, l);
    ou_io_release_all(vm, l);
    ou_reactor_fini(vm, l);
    ou_free(&vm->heap, l->watch, l->nwatch * sizeof *l->watch);
    ou_free(&vm->heap, l->scratch, l->scratch ? OU_SCRATCH : 0);
    release(vm, l->exception_handler);
    release(vm, l->task_factory);
    release(vm, l->default_executor);
    release(vm, l->entered);
    if (l->ring)
        ou_free(&vm->heap, l->ring, (l->mask + 1) * sizeof *l->ring);
    ou_free(&vm->heap, l->timers, l->timers_cap * sizeof *l->timers);
    ou_finish_dealloc(vm, o, 0);
}
static void loop_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Loop *l = (Loop *)o;
    ou_visit(vm, l->exception_handler, visit, arg);
    ou_visit(vm, l->task_factory, visit, arg);
    ou_visit(vm, l->default_executor, visit, arg);
    ou_visit(vm, l->entered, visit, arg);
    ou_io_traverse(vm, l, visit, arg);
    for (uint32_t k = 0; k < l->ntimers; k++)
        visit(vm, &l->timers[k].h->h, arg);
    uint32_t n = l->ring ? ring_count(l) : 0;
    for (uint32_t k = 0; k < n; k++) {
        uint64_t e = l->ring[(l->head + k) & l->mask];
        void *p = (void *)(uintptr_t)(e & ~(uint64_t)ENTRY_MASK);
        if ((e & ENTRY_MASK) == ENTRY_HANDLE)
            visit(vm, p, arg);
        else if ((e & ENTRY_MASK) == ENTRY_WAITER) {
            ou_visit(vm, ((CallWaiter *)p)->cb, visit, arg);
            ou_visit(vm, ((CallWaiter *)p)->ctx, visit, arg);
            ou_visit(vm, ((CallWaiter *)p)->future, visit, arg);
        }
    }
    for (Node *p = l->tasks.next; p && p != &l->tasks; p = p->next)
        visit(vm, &((Task *)((char *)p - offsetof(Task, live)))->f.h, arg);
}
static void loop_clear(VM *vm, Obj *o)
{
    Loop *l = (Loop *)o;
    drop_pending(vm, l);
    ou_io_release_all(vm, l);
    while (!list_empty(&l->tasks)) {
        Task *t = (Task *)((char *)l->tasks.next - offsetof(Task, live));
        list_remove(&t->live);
        ou_loop_unreserve(l);
        release(vm, v_of(t));
    }
    set_owned(vm, &l->exception_handler, V_NONE);
    set_owned(vm, &l->default_executor, V_NONE);
    set_owned(vm, &l->entered, V_NONE);
}
const TypeDef ou_type_loop = {
    .name = "_asyncio.BaseLoop",
    .size = sizeof(Loop),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,
    .slots = {.make = loop_make, .init = loop_init, .dealloc = loop_dealloc, .traverse = loop_traverse, .clear = loop_clear},
    .methods = loop_methods,
    .getset = loop_getset,
};

void ou_future_note_source(VM *vm, Future *f)
{
    Value fn = ou_import_attr(vm, "asyncio.format_helpers", "extract_stack");
    Value s = fn == V_NULL ? V_NULL : ou_call0(vm, fn);
    xrelease(vm, fn);
    FutureExtra *x = s == V_NULL ? NULL : ou_future_extra(vm, f);
    if (x)
        set_owned(vm, &x->source, s);
    else
        xrelease(vm, s);
    ou_exc_clear(vm);
}
