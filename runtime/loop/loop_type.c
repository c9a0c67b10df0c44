/* The script type _asyncio.BaseLoop, from which asyncio's loop class derives in script (executors, servers, reports), and
 * run_forever(). Entry point: the type's definition at the end. */
#include "runtime/loop/loop.h"
#include "runtime/loop/io.h"

#include <math.h>
#include <stdio.h>

#include "runtime/objects/import.h"
#include "runtime/objects/numbers.h"

/* ---- running ---- */

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
    ou_set_running_loop(vm, l);
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
    ou_set_running_loop(vm, NULL);
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

/* ---- scheduling, settings, hooks ---- */

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
    return v_float(ou_monotonic());
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
    while (ou_ready_count(l)) {
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
    return v_smallint(ou_ready_count(as_loop(self)));
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
    uint32_t n = l->ring ? ou_ready_count(l) : 0;
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
