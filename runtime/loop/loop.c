/* The event loop: ready ring, reports, scheduling, one iteration (ou_loop_run_once, which is CPython's _run_once to the entry), and
 * which loop runs. Its script type is in loop_type.c. */
#include "runtime/loop/loop.h"
#include "runtime/loop/io.h"

#include <time.h>

#include "runtime/objects/import.h"
#include "runtime/objects/numbers.h"

/* ---- the ready ring ---- */

bool ou_loop_reserve(VM *vm, Loop *l)
{
    uint32_t cap = l->ring ? l->mask + 1 : 0;
    if (l->reserved + 1 >= cap) {
        uint32_t more = cap ? cap * 2 : 64;
        uint64_t *p = ou_alloc(&vm->heap, more * sizeof *p);
        if (!p)
            return ou_raise_memory(vm) != V_NULL;
        uint32_t n = ou_ready_count(l);
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

double ou_monotonic(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double ou_loop_time(VM *vm, Loop *l)
{
    if (!(l->own & LOOP_OWN_TIME))
        return ou_monotonic();
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
    if (ou_ready_count(l) == 0 && !l->stopping && block) {
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
    uint32_t n = ou_ready_count(l);
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

void ou_set_running_loop(VM *vm, Loop *l)
{
    Loop *old = vm->thread->running_loop;
    if (l)
        l->h.refs++;
    vm->thread->running_loop = l;
    if (old)
        release(vm, v_of(old));
}
