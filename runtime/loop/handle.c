/* Handle and TimerHandle: what call_soon and call_at give back. Making, cancelling and comparing them; loop.c runs them. A handle holds
 * a place in the ready ring as long as it lives, so that it can always be pushed. */
#include "runtime/loop/loop.h"

#include "runtime/objects/import.h"

static Handle *blank(VM *vm, Type *cls)
{
    Handle *h = ou_new(vm, cls, 0);
    if (h) {
        h->cb = h->args = h->ctx = V_NONE;
        h->source = h->shown = V_NULL;
    }
    return h;
}

Handle *ou_handle_new(VM *vm, Loop *l, bool timer, Value cb, Value args, Value ctx, HandleFn fn)
{
    Handle *h = blank(vm, vm->types[timer ? T_TIMER_HANDLE : T_HANDLE]);
    if (!h)
        return NULL;
    if (!ou_loop_reserve(vm, l)) {
        release(vm, v_of(h));
        return NULL;
    }
    h->loop = l;
    l->h.refs++;
    h->cb = retain(cb);
    h->args = retain(args);
    h->ctx = ctx == V_NULL || ctx == V_NONE ? ou_context_copy(vm) : retain(ctx);
    h->fn = fn;
    h->is_timer = timer;
    return h;
}

static Value h_repr(VM *vm, Value self)
{
    if (as_handle(self)->shown != V_NULL)
        return retain(as_handle(self)->shown);
    Value f = ou_import_attr(vm, "asyncio.base_futures", "_handle_repr");
    if (f == V_NULL)
        return V_NULL;
    Value v = ou_call1(vm, f, self);
    release(vm, f);
    return v;
}

/* For the loop's reports on slow callbacks: the callback and its arguments are about to go. */
static void keep_shown(VM *vm, Handle *h)
{
    Value pending = vm->exc;
    vm->exc = V_NULL;
    (void)obj_retain(h);
    Value v = h_repr(vm, v_of(h));
    if (v == V_NULL)
        ou_exc_clear(vm);
    else
        set_owned(vm, &h->shown, v);
    obj_release(vm, h);
    vm->exc = pending;
}

void ou_handle_cancel(VM *vm, Handle *h)
{
    if (h->cancelled)
        return;
    h->cancelled = true;
    if (h->is_timer && h->scheduled)
        h->loop->ntimers_cancelled++;
    if (h->loop && h->loop->debug && !h->fn)
        keep_shown(vm, h);
    Value cb = h->cb, args = h->args;
    h->cb = h->args = V_NONE;
    release(vm, cb);
    release(vm, args);
}

/* Handle(callback, args, loop, context=None), TimerHandle(when, callback, args, loop, context=None): made by hand, on no list */
static Value handle_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Handle *h = blank(vm, cls);
    return h ? v_of(h) : V_NULL;
}
static int fill(VM *vm, Handle *h, const Value *a)
{
    if (h->loop || !ou_is_a(vm, a[2], T_LOOP)) {
        ou_raise(vm, E_TYPE, "a Handle needs an event loop, not %T", a[2]);
        return -1;
    }
    Value ctx = a[3] == V_NULL ? V_NONE : a[3], args = V_NONE;
    if ((ctx != V_NONE && !ou_context_check(vm, ctx)) || (args = ou_tuple_from(vm, a[1])) == V_NULL)
        return -1;
    if (!ou_loop_reserve(vm, as_loop(a[2]))) {
        release(vm, args);
        return -1;
    }
    h->loop = as_loop(retain(a[2]));
    h->cb = retain(a[0]);
    h->args = args;
    h->ctx = ctx == V_NONE ? ou_context_copy(vm) : retain(ctx);
    ou_handle_note_source(vm, h);
    return 0;
}
static int handle_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[4];
    return ou_bind(vm, "Handle(callback, args, loop, context=None)", args, n, kwnames, a) ? fill(vm, as_handle(self), a) : -1;
}
static int timer_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[5];
    Handle *h = as_handle(self);
    if (!ou_bind(vm, "TimerHandle(when, callback, args, loop, context=None)", args, n, kwnames, a) || !ou_to_double(vm, a[0], &h->when))
        return -1;
    h->is_timer = true;
    return fill(vm, h, a + 1);
}

void ou_handle_note_source(VM *vm, Handle *h)
{
    if (!h->loop->debug)
        return;
    Value f = ou_import_attr(vm, "asyncio.format_helpers", "extract_stack");
    Value s = f == V_NULL ? V_NULL : ou_call0(vm, f);
    xrelease(vm, f);
    if (s == V_NULL)
        ou_exc_clear(vm);
    h->source = s;
}

static Value h_run(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_handle_run(vm, as_handle(args[0])) ? V_NONE : V_NULL;
}
static Value h_cancel(VM *vm, const Value *args, int n)
{
    (void)n;
    ou_handle_cancel(vm, as_handle(args[0]));
    return V_NONE;
}
static Value h_cancelled(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_bool(as_handle(args[0])->cancelled);
}
static Value h_when(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_float(as_handle(args[0])->when);
}
static Value h_get_context(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_context_object(vm, &as_handle(args[0])->ctx);
}
static Value h_callback(VM *vm, Value self)
{
    (void)vm;
    return retain(as_handle(self)->cb);
}
static Value h_args(VM *vm, Value self)
{
    (void)vm;
    return retain(as_handle(self)->args);
}
static Value h_flag(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_handle(self)->cancelled);
}
static Value h_when_attr(VM *vm, Value self)
{
    (void)vm;
    return v_float(as_handle(self)->when);
}
static Value h_scheduled(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_handle(self)->scheduled);
}
static Value h_loop(VM *vm, Value self)
{
    (void)vm;
    Handle *h = as_handle(self);
    return h->loop ? retain(v_of(h->loop)) : V_NONE;
}
static Value h_source(VM *vm, Value self)
{
    (void)vm;
    Value s = as_handle(self)->source;
    return s == V_NULL ? V_NONE : retain(s);
}
static Value h_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!ou_is_a(vm, a, T_TIMER_HANDLE) || !ou_is_a(vm, b, T_TIMER_HANDLE))
        return op == CMP_EQ ? (a == b ? V_TRUE : V_NOTIMPL) : op == CMP_NE ? (a == b ? V_FALSE : V_NOTIMPL) : V_NOTIMPL;
    double x = as_handle(a)->when, y = as_handle(b)->when;
    Handle *p = as_handle(a), *q = as_handle(b);
    bool same = p == q || (x == y && p->cb == q->cb && p->args == q->args && p->cancelled == q->cancelled);
    switch (op) {
    case CMP_LT: return v_bool(x < y);
    case CMP_LE: return v_bool(x < y || same);
    case CMP_EQ: return v_bool(same);
    case CMP_NE: return v_bool(!same);
    case CMP_GT: return v_bool(x > y);
    default: return v_bool(x > y || same);
    }
}
static bool h_hash(VM *vm, Value self, int64_t *out)
{
    (void)vm;
    *out = (int64_t)(self >> 4);
    return true;
}
static void handle_dealloc(VM *vm, Obj *o)
{
    Handle *h = (Handle *)o;
    release(vm, h->cb);
    release(vm, h->args);
    release(vm, h->ctx);
    xrelease(vm, h->source);
    xrelease(vm, h->shown);
    if (h->loop) {
        ou_loop_unreserve(h->loop);
        release(vm, v_of(h->loop));
    }
    ou_finish_dealloc(vm, o, 0);
}
static void handle_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Handle *h = (Handle *)o;
    ou_visit(vm, h->cb, visit, arg);
    ou_visit(vm, h->args, visit, arg);
    ou_visit(vm, h->ctx, visit, arg);
    ou_visit(vm, h->source, visit, arg);
    if (h->loop)
        visit(vm, &h->loop->h, arg);
}
static const NativeDef handle_methods[] = {
    {"_run()", h_run, NULL, 0},
    {"cancel()", h_cancel, NULL, 0},
    {"cancelled()", h_cancelled, NULL, 0},
    {"get_context()", h_get_context, NULL, 0},
    {0},
};
static const NativeDef timer_methods[] = {
    {"when()", h_when, "The time it is due, on the loop's clock.", 0},
    {0},
};
static const GetSetDef handle_getset[] = {
    {"_callback", h_callback, NULL, NULL}, {"_args", h_args, NULL, NULL},     {"_cancelled", h_flag, NULL, NULL},
    {"_loop", h_loop, NULL, NULL},         {"_source_traceback", h_source, NULL, NULL}, {0},
};
static const GetSetDef timer_getset[] = {{"_when", h_when_attr, NULL, NULL}, {"_scheduled", h_scheduled, NULL, NULL}, {0}};
const TypeDef ou_type_handle = {
    .name = "asyncio.events.Handle",
    .size = sizeof(Handle),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = handle_make, .init = handle_init, .dealloc = handle_dealloc, .traverse = handle_traverse, .repr = h_repr},
    .methods = handle_methods,
    .getset = handle_getset,
};
const TypeDef ou_type_timer_handle = {
    .name = "asyncio.events.TimerHandle",
    .size = sizeof(Handle),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = handle_make, .init = timer_init, .dealloc = handle_dealloc, .traverse = handle_traverse, .repr = h_repr,
              .compare = h_compare, .hash = h_hash},
    .methods = timer_methods,
    .getset = timer_getset,
};

