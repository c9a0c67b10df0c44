/* async_generator and the awaitables of its methods: asend(), athrow(), aclose(), and what anext(it, default) returns.
 * `async for` does not come here: the evaluator links the generator's frame to the awaiting one (GETANEXT). These objects drive
 * it from C, and are what scripts see when they call the methods by hand. Mirrors CPython's Objects/genobject.c in effect. */
#include "vm/eval.h"

typedef enum AgenState { AG_INIT, AG_ITER, AG_CLOSED } AgenState;
typedef struct AgenAwaitable { /* asend: value is what is sent; athrow: the tuple of its arguments, V_NULL for aclose() */
    Obj h;
    Value gen, value;
    uint8_t state;
} AgenAwaitable;

static AgenAwaitable *as_aa(Value v) { return (AgenAwaitable *)v_obj(v); }

void ou_agen_hooks(VM *vm, Gen *g)
{
    if (g->flags & GEN_F_HOOKED)
        return;
    g->flags |= GEN_F_HOOKED;
    Value fin = vm->thread->asyncgen_finalizer, first = vm->thread->asyncgen_firstiter;
    if (fin != V_NONE && fin != V_NULL) {
        Dict *d = ou_gen_extra(vm, g);
        if (!d || !ou_dict_set_str(vm, d, name_of(vm, N_finalizer), fin))
            return;
    }
    if (first != V_NONE && first != V_NULL) {
        Value v = ou_call1(vm, first, v_of(g));
        xrelease(vm, v);
    }
}

static Value make_awaitable(VM *vm, TypeId type, Value gen, Value value)
{
    ou_agen_hooks(vm, as_gen(gen));
    if (vm->exc != V_NULL)
        return V_NULL;
    AgenAwaitable *a = ou_new(vm, vm->types[type], 0);
    if (!a)
        return V_NULL;
    a->gen = retain(gen);
    a->value = value == V_NULL ? V_NULL : retain(value);
    return v_of(a);
}

Value ou_async_gen_anext(VM *vm, Value agen) { return make_awaitable(vm, T_ASYNC_GEN_ASEND, agen, V_NONE); }

static Value agen_asend(VM *vm, const Value *args, int n)
{
    (void)n;
    return make_awaitable(vm, T_ASYNC_GEN_ASEND, args[0], args[1]);
}
static Value agen_athrow(VM *vm, const Value *args, int n)
{
    (void)n;
    if (as_tuple(args[1])->n > 1 && !ou_warn(vm, E_DEPRECATION_WARNING, 1,
                          "the (type, exc, tb) signature of athrow() is deprecated, use the single-arg signature instead."))
        return V_NULL;
    return make_awaitable(vm, T_ASYNC_GEN_ATHROW, args[0], args[1]); /* looked at when it is thrown */
}
static Value agen_aclose(VM *vm, const Value *args, int n)
{
    (void)n;
    return make_awaitable(vm, T_ASYNC_GEN_ATHROW, args[0], V_NULL);
}

/* Did the suspended generator yield to its consumer (rather than wait for something)? */
static bool yielded_value(const Gen *g) { return g->inner == g && INS_OP(g->pc[-1]) == OP_YIELD; }

static Value stop_with(VM *vm, Value v) /* v owned */
{
    ou_raise_stop(vm, v);
    release(vm, v);
    return V_NULL;
}

/* What asend's and athrow's send/throw make of a step of the generator. */
static Value after_step(VM *vm, AgenAwaitable *a, GenResult r, Value v)
{
    Gen *g = as_gen(a->gen);
    if (r == GEN_YIELD) {
        if (!yielded_value(g))
            return v;
        g->flags &= ~GEN_F_AG_RUNNING;
        a->state = AG_CLOSED;
        return stop_with(vm, v);
    }
    g->flags &= ~GEN_F_AG_RUNNING;
    a->state = AG_CLOSED;
    if (r == GEN_RETURN) {
        release(vm, v);
        ou_raise_args(vm, E_STOP_ASYNC_ITERATION, NULL, 0);
    }
    return V_NULL;
}

static Value asend_step(VM *vm, AgenAwaitable *a, Value arg)
{
    Gen *g = as_gen(a->gen);
    if (a->state == AG_CLOSED)
        return ou_raise(vm, E_RUNTIME, "cannot reuse already awaited __anext__()/asend()");
    if (a->state == AG_INIT) {
        if (g->flags & GEN_F_AG_RUNNING) {
            a->state = AG_CLOSED;
            return ou_raise(vm, E_RUNTIME, "anext(): asynchronous generator is already running");
        }
        if (arg == V_NONE)
            arg = a->value;
        a->state = AG_ITER;
        if (g->state == GEN_CLOSED) {
            a->state = AG_CLOSED;
            return ou_raise_args(vm, E_STOP_ASYNC_ITERATION, NULL, 0);
        }
        g->flags |= GEN_F_AG_RUNNING;
    }
    Value v = V_NULL;
    GenResult r = ou_gen_resume(vm, g, arg, &v);
    return after_step(vm, a, r, v);
}

static Value asend_next(VM *vm, Value self) { return asend_step(vm, as_aa(self), V_NONE); }
static Value asend_send(VM *vm, const Value *args, int n)
{
    (void)n;
    return asend_step(vm, as_aa(args[0]), args[1]);
}
static Value asend_throw(VM *vm, const Value *args, int n)
{
    AgenAwaitable *a = as_aa(args[0]);
    Gen *g = as_gen(a->gen);
    if (a->state == AG_CLOSED)
        return ou_raise(vm, E_RUNTIME, "cannot reuse already awaited __anext__()/asend()");
    if (a->state == AG_INIT) {
        if (g->flags & GEN_F_AG_RUNNING) {
            a->state = AG_CLOSED;
            return ou_raise(vm, E_RUNTIME, "anext(): asynchronous generator is already running");
        }
        a->state = AG_ITER;
        g->flags |= GEN_F_AG_RUNNING;
    }
    Value exc = ou_throw_args(vm, args + 1, n - 1), v = V_NULL;
    if (exc == V_NULL)
        return V_NULL;
    GenResult r = ou_gen_throw(vm, g, exc, &v);
    release(vm, exc);
    return after_step(vm, a, r, v);
}
static Value aa_close(VM *vm, const Value *args, int n)
{
    (void)n;
    AgenAwaitable *a = as_aa(args[0]);
    if (a->state == AG_ITER && as_gen(a->gen)->state == GEN_SUSPENDED) {
        Value exc = ou_exc_new(vm, vm->types[E_GENERATOR_EXIT], NULL, 0), v = V_NULL;
        if (exc == V_NULL)
            return V_NULL;
        GenResult r = ou_gen_throw(vm, as_gen(a->gen), exc, &v);
        release(vm, exc);
        v = after_step(vm, a, r, v);
        if (v != V_NULL) {
            release(vm, v);
            return ou_raise(vm, E_RUNTIME, "coroutine ignored GeneratorExit");
        }
        if (!ou_exc_matches(vm, E_STOP_ITERATION) && !ou_exc_matches(vm, E_STOP_ASYNC_ITERATION) && !ou_exc_matches(vm, E_GENERATOR_EXIT))
            return V_NULL;
        ou_exc_clear(vm);
    }
    a->state = AG_CLOSED;
    return V_NONE;
}

/* The end of athrow()/aclose() by an exception: aclose() swallows what means "closed". */
static Value athrow_failed(VM *vm, AgenAwaitable *a)
{
    as_gen(a->gen)->flags &= ~GEN_F_AG_RUNNING;
    a->state = AG_CLOSED;
    if (a->value == V_NULL && (ou_exc_matches(vm, E_STOP_ASYNC_ITERATION) || ou_exc_matches(vm, E_GENERATOR_EXIT))) {
        ou_exc_clear(vm);
        return stop_with(vm, V_NONE);
    }
    return V_NULL;
}

static Value athrow_after(VM *vm, AgenAwaitable *a, GenResult r, Value v)
{
    Gen *g = as_gen(a->gen);
    if (r == GEN_YIELD) {
        if (!yielded_value(g))
            return v;
        g->flags &= ~GEN_F_AG_RUNNING;
        a->state = AG_CLOSED;
        if (a->value != V_NULL)
            return stop_with(vm, v);
        release(vm, v);
        return ou_raise(vm, E_RUNTIME, "async generator ignored GeneratorExit");
    }
    if (r == GEN_RETURN) {
        release(vm, v);
        ou_raise_args(vm, E_STOP_ASYNC_ITERATION, NULL, 0);
    }
    return athrow_failed(vm, a);
}

static Value athrow_exception(VM *vm, const Tuple *args)
{
    if (args->n == 0)
        return ou_raise(vm, E_TYPE, "athrow expected at least 1 argument, got 0");
    if (args->n > 3)
        return ou_raise(vm, E_TYPE, "athrow expected at most 3 arguments, got %d", (int)args->n);
    return ou_throw_exc(vm, args->items, (int)args->n);
}

static Value athrow_step(VM *vm, AgenAwaitable *a, Value arg)
{
    Gen *g = as_gen(a->gen);
    Value v = V_NULL;
    GenResult r;
    if (a->state == AG_CLOSED)
        return ou_raise(vm, E_RUNTIME, "cannot reuse already awaited aclose()/athrow()");
    if (g->state == GEN_CLOSED) {
        a->state = AG_CLOSED;
        return stop_with(vm, V_NONE);
    }
    if (a->state == AG_INIT) {
        if (g->flags & GEN_F_AG_RUNNING) {
            a->state = AG_CLOSED;
            return ou_raise(vm, E_RUNTIME, a->value == V_NULL ? "aclose(): asynchronous generator is already running"
                                                              : "athrow(): asynchronous generator is already running");
        }
        if (g->flags & GEN_F_CLOSING) {
            a->state = AG_CLOSED;
            return ou_raise_args(vm, E_STOP_ASYNC_ITERATION, NULL, 0);
        }
        if (arg != V_NONE)
            return ou_raise(vm, E_RUNTIME, "can't send non-None value to a just-started coroutine");
        a->state = AG_ITER;
        g->flags |= GEN_F_AG_RUNNING;
        if (a->value == V_NULL) {
            g->flags |= GEN_F_CLOSING;
            if (g->state == GEN_CREATED) {
                ou_gen_mark_closed(vm, g);
                g->flags &= ~GEN_F_AG_RUNNING;
                a->state = AG_CLOSED;
                return stop_with(vm, V_NONE);
            }
            Value exc = ou_exc_new(vm, vm->types[E_GENERATOR_EXIT], NULL, 0);
            if (exc == V_NULL)
                return V_NULL;
            r = ou_gen_throw(vm, g, exc, &v);
            release(vm, exc);
        } else {
            Value exc = athrow_exception(vm, as_tuple(a->value));
            if (exc == V_NULL)
                return athrow_failed(vm, a);
            r = ou_gen_throw(vm, g, exc, &v);
            release(vm, exc);
        }
    } else {
        r = ou_gen_resume(vm, g, arg, &v);
    }
    return athrow_after(vm, a, r, v);
}

static Value athrow_next(VM *vm, Value self) { return athrow_step(vm, as_aa(self), V_NONE); }
static Value athrow_send(VM *vm, const Value *args, int n)
{
    (void)n;
    return athrow_step(vm, as_aa(args[0]), args[1]);
}
static Value athrow_throw(VM *vm, const Value *args, int n)
{
    AgenAwaitable *a = as_aa(args[0]);
    Gen *g = as_gen(a->gen);
    if (a->state == AG_CLOSED)
        return ou_raise(vm, E_RUNTIME, "cannot reuse already awaited aclose()/athrow()");
    if (a->state == AG_INIT) {
        if (g->flags & GEN_F_AG_RUNNING) {
            a->state = AG_CLOSED;
            return ou_raise(vm, E_RUNTIME, a->value == V_NULL ? "aclose(): asynchronous generator is already running"
                                                              : "athrow(): asynchronous generator is already running");
        }
        a->state = AG_ITER;
        g->flags |= GEN_F_AG_RUNNING;
    }
    Value exc = ou_throw_args(vm, args + 1, n - 1), v = V_NULL;
    if (exc == V_NULL)
        return V_NULL;
    GenResult r = ou_gen_throw(vm, g, exc, &v);
    release(vm, exc);
    return athrow_after(vm, a, r, v);
}

static Value self_iter(VM *vm, Value self)
{
    (void)vm;
    return retain(self);
}
static void aa_dealloc(VM *vm, Obj *o)
{
    AgenAwaitable *a = (AgenAwaitable *)o;
    xrelease(vm, a->gen);
    xrelease(vm, a->value);
    ou_finish_dealloc(vm, o, 0);
}
static void aa_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((AgenAwaitable *)o)->gen, visit, arg);
    ou_visit(vm, ((AgenAwaitable *)o)->value, visit, arg);
}
static void aa_finalize(VM *vm, Obj *o)
{
    AgenAwaitable *a = (AgenAwaitable *)o;
    if (a->state != AG_INIT || a->gen == V_NULL)
        return;
    Value pending = ou_exc_take(vm);
    bool is_send = o->shape == T_ASYNC_GEN_ASEND;
    Value q = ou_getattr(vm, a->gen, name_of(vm, N_DU_qualname));
    if (q == V_NULL || !ou_warn(vm, E_RUNTIME_WARNING, 1, "coroutine method '%s' of '%U' was never awaited",
                                is_send ? "asend" : a->value == V_NULL ? "aclose" : "athrow", q))
        ou_unraisable(vm, NULL, V_NONE);
    xrelease(vm, q);
    a->state = AG_CLOSED;
    if (pending != V_NULL)
        ou_exc_restore(vm, pending);
}

static const NativeDef asend_methods[] = {
    {"send(value, /)", asend_send, NULL, 0},
    {"throw(typ, val=None, tb=None, /)", asend_throw, NULL, 0},
    {"close()", aa_close, NULL, 0},
    {0},
};
static const NativeDef athrow_methods[] = {
    {"send(value, /)", athrow_send, NULL, 0},
    {"throw(typ, val=None, tb=None, /)", athrow_throw, NULL, 0},
    {"close()", aa_close, NULL, 0},
    {0},
};
const TypeDef ou_type_async_gen_asend = {
    .name = "async_generator_asend",
    .size = sizeof(AgenAwaitable),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = aa_dealloc, .traverse = aa_traverse, .finalize = aa_finalize, .iter = self_iter, .next = asend_next, .await = self_iter},
    .methods = asend_methods,
};
const TypeDef ou_type_async_gen_athrow = {
    .name = "async_generator_athrow",
    .size = sizeof(AgenAwaitable),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = aa_dealloc, .traverse = aa_traverse, .finalize = aa_finalize, .iter = self_iter, .next = athrow_next, .await = self_iter},
    .methods = athrow_methods,
};

/* ---- async_generator ---- */

static Value agen_get_running(VM *vm, Value self)
{
    (void)vm;
    return v_bool((as_gen(self)->flags & GEN_F_AG_RUNNING) != 0);
}
static Value agen_get_suspended(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_gen(self)->state == GEN_SUSPENDED && !ou_gen_is_running(as_gen(self)));
}
static Value agen_get_await(VM *vm, Value self)
{
    return as_gen(self)->state == GEN_SUSPENDED ? ou_gen_awaiting(vm, as_gen(self)) : V_NONE;
}
static Value agen_get_name(VM *vm, Value self) { return ou_gen_get_name(vm, self); }
static Value agen_get_qualname(VM *vm, Value self) { return ou_gen_get_qualname(vm, self); }

static const NativeDef agen_methods[] = {
    {"asend(value, /)", agen_asend, "An awaitable that sends a value into the generator.", 0},
    {"athrow(*args)", agen_athrow, "An awaitable that raises an exception inside.", 0},
    {"aclose()", agen_aclose, "An awaitable that closes the generator.", 0},
    {0},
};
static const GetSetDef agen_getset[] = {
    {"__name__", agen_get_name, ou_gen_set_name, NULL},  {"__qualname__", agen_get_qualname, ou_gen_set_qualname, NULL},
    {"ag_await", agen_get_await, NULL, NULL},            {"ag_running", agen_get_running, NULL, NULL},
    {"ag_suspended", agen_get_suspended, NULL, NULL},    {"ag_frame", ou_gen_get_frame, NULL, NULL},
    {"ag_code", ou_gen_get_code, NULL, NULL},            {0},
};
const TypeDef ou_type_async_generator = {
    .name = "async_generator",
    .size = sizeof(Gen),
    .flags = TF_GC | TF_NO_NEW | TF_WEAKREF,
    .slots = {.dealloc = ou_gen_dealloc, .traverse = ou_gen_traverse, .clear = ou_gen_clear, .finalize = ou_gen_finalize_slot,
              .repr = ou_gen_repr, .aiter = self_iter, .anext = ou_async_gen_anext},
    .methods = agen_methods,
    .getset = agen_getset,
};

/* ---- anext(it, default) ---- */

typedef struct AnextAwaitable {
    Obj h;
    Value awaitable, it, dflt; /* it: the awaitable's iterator, V_NULL until first driven */
} AnextAwaitable;

Value ou_anext_default(VM *vm, Value awaitable, Value dflt)
{
    AnextAwaitable *a = ou_new(vm, vm->types[T_ANEXT_AWAITABLE], 0);
    if (!a)
        return V_NULL;
    a->awaitable = retain(awaitable);
    a->it = V_NULL;
    a->dflt = retain(dflt);
    return v_of(a);
}

static Value anext_step(VM *vm, Value self, Value value, Value exc)
{
    AnextAwaitable *a = (AnextAwaitable *)v_obj(self);
    Value v = V_NULL;
    if (a->it == V_NULL) {
        Value it = ou_get_awaitable(vm, a->awaitable);
        if (it == V_NULL)
            return V_NULL;
        a->it = it;
    }
    switch (ou_leaf_step(vm, a->it, value, exc, &v)) {
    case GEN_YIELD:
        return v;
    case GEN_RETURN:
        return stop_with(vm, v);
    default:
        if (!ou_exc_matches(vm, E_STOP_ASYNC_ITERATION))
            return V_NULL;
        ou_exc_clear(vm);
        return ou_raise_stop(vm, a->dflt);
    }
}
static Value anext_next(VM *vm, Value self) { return anext_step(vm, self, V_NONE, V_NULL); }
static Value anext_send(VM *vm, const Value *args, int n)
{
    (void)n;
    return anext_step(vm, args[0], args[1], V_NULL);
}
static Value anext_throw(VM *vm, const Value *args, int n)
{
    Value exc = ou_throw_args(vm, args + 1, n - 1);
    if (exc == V_NULL)
        return V_NULL;
    Value v = anext_step(vm, args[0], V_NULL, exc);
    release(vm, exc);
    return v;
}
static Value anext_close(VM *vm, const Value *args, int n)
{
    (void)n;
    AnextAwaitable *a = (AnextAwaitable *)v_obj(args[0]);
    return a->it == V_NULL ? V_NONE : ou_call_method(vm, a->it, name_of(vm, N_close), NULL, 0, NULL);
}
static void anext_dealloc(VM *vm, Obj *o)
{
    AnextAwaitable *a = (AnextAwaitable *)o;
    xrelease(vm, a->awaitable);
    xrelease(vm, a->it);
    xrelease(vm, a->dflt);
    ou_finish_dealloc(vm, o, 0);
}
static void anext_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    AnextAwaitable *a = (AnextAwaitable *)o;
    ou_visit(vm, a->awaitable, visit, arg);
    ou_visit(vm, a->it, visit, arg);
    ou_visit(vm, a->dflt, visit, arg);
}
static const NativeDef anext_methods[] = {
    {"send(value, /)", anext_send, NULL, 0},
    {"throw(typ, val=None, tb=None, /)", anext_throw, NULL, 0},
    {"close()", anext_close, NULL, 0},
    {0},
};
const TypeDef ou_type_anext_awaitable = {
    .name = "anext_awaitable",
    .size = sizeof(AnextAwaitable),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = anext_dealloc, .traverse = anext_traverse, .iter = self_iter, .next = anext_next, .await = self_iter},
    .methods = anext_methods,
};
