/* The script-visible side of generators and coroutines: generator, coroutine, coroutine_wrapper, and the native coroutine.
 * Their behaviour is in coro.c; here are methods, attributes, destruction. Mirrors CPython's Objects/genobject.c in effect. */
#include <stdio.h>

#include "runtime/objects/import.h"
#include "vm/eval.h"

static const Code *gen_code(const Gen *g) { return is_exact(g->fn, T_FUNCTION) ? as_function(g->fn)->code : NULL; }
static const Code *past_code(VM *vm, const Gen *g) /* of a frame that has ended */
{
    if (g->extra != V_NULL && is_exact(g->extra, T_DICT)) {
        Value v = ou_dict_get_str(vm, as_dict(g->extra), name_of(vm, N_code));
        return v == V_NULL ? NULL : (const Code *)v_obj(v);
    }
    return g->extra != V_NULL && is_exact(g->extra, T_CODE) ? (const Code *)v_obj(g->extra) : NULL;
}

/* The rare things as a dict, which says what ou_gen_drop_fn would: the code, and the names where they are others. */
Dict *ou_gen_extra(VM *vm, Gen *g)
{
    if (g->extra != V_NULL && is_exact(g->extra, T_DICT))
        return as_dict(g->extra);
    Value v = ou_dict_new(vm), code = V_NULL, qualname = V_NULL;
    if (v == V_NULL)
        return NULL;
    Dict *d = as_dict(v);
    bool ok = true;
    if (is_exact(g->fn, T_FUNCTION)) {
        const Function *f = as_function(g->fn);
        code = v_of(f->code);
        if (f->name != f->code->name)
            ok = ou_dict_set_str(vm, d, name_of(vm, N_DU_name), v_of(f->name));
        if (f->qualname != f->code->qualname)
            qualname = v_of(f->qualname);
    } else if (past_code(vm, g)) {
        code = g->extra;
    } else {
        qualname = g->extra;
    }
    ok = ok && (code == V_NULL || ou_dict_set_str(vm, d, name_of(vm, N_code), code)) &&
         (qualname == V_NULL || ou_dict_set_str(vm, d, name_of(vm, N_DU_qualname), qualname));
    if (!ok) {
        release(vm, v);
        return NULL;
    }
    set_owned(vm, &g->extra, v);
    return d;
}

/* ---- names ---- */

static Value name_slot(VM *vm, Gen *g, NameId key)
{
    if (g->extra != V_NULL && is_exact(g->extra, T_DICT)) {
        Value v = ou_dict_get_str(vm, as_dict(g->extra), name_of(vm, key));
        if (v != V_NULL)
            return retain(v);
    }
    if (is_exact(g->fn, T_FUNCTION))
        return retain(v_of(key == N_DU_name ? as_function(g->fn)->name : as_function(g->fn)->qualname));
    const Code *c = past_code(vm, g);
    if (c)
        return retain(v_of(key == N_DU_name ? c->name : c->qualname));
    Value q = g->extra;
    if (q != V_NULL && is_exact(q, T_DICT))
        q = ou_dict_get_str(vm, as_dict(q), name_of(vm, N_DU_qualname));
    if (q == V_NULL || !is_str(q))
        return ou_str_c(vm, "?");
    if (key == N_DU_qualname)
        return retain(q);
    const char *s = as_str(q)->data, *dot = strrchr(s, '.');
    return ou_str_c(vm, dot ? dot + 1 : s);
}

static bool set_name_slot(VM *vm, Gen *g, NameId key, Value v)
{
    if (v == V_NULL || !ou_is_a(vm, v, T_STR)) {
        ou_raise(vm, E_TYPE, "%s must be set to a string object", key == N_DU_name ? "__name__" : "__qualname__");
        return false;
    }
    Dict *d = ou_gen_extra(vm, g);
    return d && ou_dict_set_str(vm, d, name_of(vm, key), v);
}

Value ou_gen_get_name(VM *vm, Value self) { return name_slot(vm, as_gen(self), N_DU_name); }
Value ou_gen_get_qualname(VM *vm, Value self) { return name_slot(vm, as_gen(self), N_DU_qualname); }
bool ou_gen_set_name(VM *vm, Value self, Value v) { return set_name_slot(vm, as_gen(self), N_DU_name, v); }
bool ou_gen_set_qualname(VM *vm, Value self, Value v) { return set_name_slot(vm, as_gen(self), N_DU_qualname, v); }

Value ou_gen_repr(VM *vm, Value self)
{
    Value q = name_slot(vm, as_gen(self), N_DU_qualname);
    if (q == V_NULL)
        return V_NULL;
    char at[32];
    snprintf(at, sizeof at, "%p", (void *)v_obj(self));
    Value s = ou_str_format(vm, "<%T object %U at %s>", self, q, at);
    release(vm, q);
    return s;
}

/* ---- attributes ---- */

bool ou_gen_is_running(Gen *g)
{
    if (g->state == GEN_RUNNING || (g->flags & GEN_F_DRIVEN))
        return true;
    while (g->flags & GEN_F_LINKED)
        g = g->up.awaiter;
    return (g->flags & GEN_F_DRIVEN) != 0;
}

static Value gen_get_running(VM *vm, Value self)
{
    (void)vm;
    return v_bool(ou_gen_is_running(as_gen(self)));
}
static Value gen_get_suspended(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_gen(self)->state == GEN_SUSPENDED && !ou_gen_is_running(as_gen(self)));
}
Value ou_gen_get_code(VM *vm, Value self)
{
    (void)vm;
    const Code *c = gen_code(as_gen(self));
    if (!c)
        c = past_code(vm, as_gen(self));
    return c ? retain(v_of(c)) : V_NONE;
}
static Value gen_get_awaiting(VM *vm, Value self)
{
    if (ou_gen_is_running(as_gen(self))) /* also when what it waits for runs */
        return V_NONE;
    return ou_gen_awaiting(vm, as_gen(self));
}
Value ou_gen_get_frame(VM *vm, Value self)
{
    Gen *g = as_gen(self);
    const Code *c = gen_code(g);
    if (!c || g->state == GEN_CLOSED)
        return V_NONE;
    FrameRef r;
    if (g->state != GEN_RUNNING || !ou_frame_running(vm, g->regs, &r))
        r = (FrameRef){as_function(g->fn), g->regs, UINT32_MAX, NULL, true};
    return ou_frame_object(vm, &r);
}
static Value coro_get_origin(VM *vm, Value self)
{
    Gen *g = as_gen(self);
    if (g->extra != V_NULL && is_exact(g->extra, T_DICT)) {
        Value v = ou_dict_get_str(vm, as_dict(g->extra), name_of(vm, N_origin));
        if (v != V_NULL)
            return retain(v);
    }
    return V_NONE;
}

void ou_coro_note_origin(VM *vm, Gen *g)
{
    FrameRef f;
    Dict *d = ou_gen_extra(vm, g);
    Value list = ou_list_new(vm, 4);
    uint32_t left = vm->thread->coroutine_origin_depth;
    bool ok = list != V_NULL && d;
    if (ok && ou_frame_current(vm, &f)) {
        do {
            Value t[3] = {v_of(f.fn->code->filename), v_smallint(ou_code_line(f.fn->code, f.pc)), v_of(f.fn->code->name)};
            Value tuple = ou_tuple_of(vm, t, 3);
            ok = tuple != V_NULL && ou_list_append_take(vm, as_list(list), tuple);
        } while (ok && --left && ou_frame_back(vm, &f));
    }
    if (ok) {
        Value t = ou_tuple_of(vm, as_list(list)->items, as_list(list)->n);
        ok = t != V_NULL && ou_dict_set_str(vm, d, name_of(vm, N_origin), t);
        xrelease(vm, t);
    }
    if (!ok)
        ou_exc_clear(vm);
    xrelease(vm, list);
}

/* ---- driving ---- */

/* The value of send/throw/next from a GenResult: V_NULL with StopIteration at the end. */
static Value finish(VM *vm, GenResult r, Value v)
{
    if (r == GEN_YIELD)
        return v;
    if (r == GEN_RETURN) {
        ou_raise_stop(vm, v);
        release(vm, v);
    }
    return V_NULL;
}

static Value gen_next(VM *vm, Value self)
{
    Value v;
    GenResult r;
    if (!ou_gen_next_quick(vm, as_gen(self), &r, &v))
        r = ou_gen_resume(vm, as_gen(self), V_NONE, &v);
    if (r == GEN_RETURN && v == V_NONE)
        return V_NULL;
    return finish(vm, r, v);
}

static Value gen_send(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v;
    GenResult r = ou_gen_resume(vm, as_gen(args[0]), args[1], &v);
    return finish(vm, r, v);
}

/* throw(exc) or the old throw(type, value, traceback): an instance, owned. */
Value ou_throw_exc(VM *vm, const Value *args, int n)
{
    Value type = args[0], val = n > 1 ? args[1] : V_NONE, tb = n > 2 ? args[2] : V_NONE;
    Value exc;
    if (tb != V_NONE && !is_exact(tb, T_TRACEBACK))
        return ou_raise(vm, E_TYPE, "throw() third argument must be a traceback object");
    if (is_obj(type) && ou_is_a(vm, type, T_TYPE) && (((Type *)v_obj(type))->flags & TF_EXC)) {
        if (is_obj(val) && ou_is_subtype(ou_type_of(vm, val), (Type *)v_obj(type)))
            exc = retain(val);
        else if (val == V_NONE)
            exc = ou_call0(vm, type);
        else if (is_exact(val, T_TUPLE))
            exc = ou_call(vm, type, as_tuple(val)->items, (int)as_tuple(val)->n, NULL);
        else
            exc = ou_call1(vm, type, val);
        if (exc != V_NULL && !(ou_type_of(vm, exc)->flags & TF_EXC)) { /* a __new__ of its own may give anything */
            ou_raise(vm, E_TYPE, "calling %R should have returned an instance of BaseException, not %R", type,
                     v_of(ou_type_of(vm, exc)));
            release(vm, exc);
            exc = V_NULL;
        }
        if (exc == V_NULL) /* then that is thrown */
            exc = ou_exc_take(vm);
    } else if (is_obj(type) && (ou_type_of(vm, type)->flags & TF_EXC)) {
        if (val != V_NONE)
            return ou_raise(vm, E_TYPE, "instance exception may not have a separate value");
        exc = retain(type);
    } else {
        return ou_raise(vm, E_TYPE, "exceptions must be classes or instances deriving from BaseException, not %T", type);
    }
    if (tb != V_NONE)
        set_owned(vm, &as_exc(exc)->traceback, retain(tb));
    return exc;
}

Value ou_throw_args(VM *vm, const Value *args, int n)
{
    if (n > 1 && !ou_warn(vm, E_DEPRECATION_WARNING, 1,
                          "the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead."))
        return V_NULL;
    return ou_throw_exc(vm, args, n);
}

static Value gen_throw(VM *vm, const Value *args, int n)
{
    Value exc = ou_throw_args(vm, args + 1, n - 1), v;
    if (exc == V_NULL)
        return V_NULL;
    GenResult r = ou_gen_throw(vm, as_gen(args[0]), exc, &v);
    release(vm, exc);
    return finish(vm, r, v);
}

static Value gen_close(VM *vm, const Value *args, int n)
{
    (void)n;
    vm->ret = V_NONE;
    if (!ou_gen_close(vm, as_gen(args[0])))
        return V_NULL;
    Value v = vm->ret;
    vm->ret = V_NONE;
    return v;
}

static Value gen_iter(VM *vm, Value self)
{
    (void)vm;
    return retain(self);
}

/* ---- destruction ---- */

/* With a note of where the coroutine was made it is the library that says so. */
static bool warn_unawaited(VM *vm, Gen *g)
{
    Value origin = coro_get_origin(vm, v_of(g));
    bool ok = false;
    if (origin != V_NONE) {
        Value f = ou_import_attr(vm, "warnings", "_warn_unawaited_coroutine");
        Value r = f == V_NULL ? V_NULL : ou_call1(vm, f, v_of(g));
        ok = r != V_NULL;
        xrelease(vm, r);
        xrelease(vm, f);
    } else {
        Value q = name_slot(vm, g, N_DU_qualname);
        ok = q != V_NULL && ou_warn(vm, E_RUNTIME_WARNING, 1, "coroutine '%U' was never awaited", q);
        xrelease(vm, q);
    }
    release(vm, origin);
    return ok;
}

/* A suspended frame that is dropped runs its finally blocks; a coroutine that never ran is worth a warning. */
void ou_gen_finalize(VM *vm, Gen *g)
{
    if (g->state == GEN_CLOSED || (g->flags & GEN_F_FINALIZED))
        return;
    Value pending = ou_exc_take(vm);
    g->flags |= GEN_F_FINALIZED;
    if (g->kind == T_ASYNC_GENERATOR && g->state == GEN_SUSPENDED && (g->flags & GEN_F_HOOKED)) {
        Value hook = V_NULL;
        if (g->extra != V_NULL && is_exact(g->extra, T_DICT))
            hook = ou_dict_get_str(vm, as_dict(g->extra), name_of(vm, N_finalizer));
        if (hook != V_NULL && hook != V_NONE && !(g->flags & GEN_F_CLOSING)) {
            Value v = ou_call1(vm, hook, v_of(g));
            if (v == V_NULL)
                ou_unraisable(vm, NULL, v_of(g));
            else
                release(vm, v);
            g->flags &= ~GEN_F_FINALIZED;
            goto done;
        }
    }
    if (g->kind == T_COROUTINE && g->state == GEN_CREATED && !(g->flags & GEN_F_NO_WARN)) {
        if (!warn_unawaited(vm, g))
            ou_unraisable(vm, NULL, v_of(g));
    }
    g->flags &= ~GEN_F_LINKED;
    if (g->state == GEN_SUSPENDED || g->state == GEN_CREATED) {
        if (!ou_gen_close(vm, g))
            ou_unraisable(vm, NULL, v_of(g));
        set_owned(vm, &vm->ret, V_NONE);
    }
done:
    if (pending != V_NULL)
        ou_exc_restore(vm, pending);
}

void ou_gen_finalize_slot(VM *vm, Obj *o) { ou_gen_finalize(vm, (Gen *)o); }


void ou_gen_dealloc(VM *vm, Obj *o)
{
    Gen *g = (Gen *)o;
    if (g->state != GEN_CLOSED && is_exact(g->fn, T_FUNCTION)) {
        g->flags &= ~GEN_F_LINKED;
        ou_gen_mark_closed(vm, g);
    }
    xrelease(vm, g->fn);
    xrelease(vm, g->extra);
    g->extra = V_NULL;
    g->fn = V_NONE;
    ou_finish_dealloc(vm, o, (size_t)g->nregs * sizeof(Value));
}

void ou_gen_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Gen *g = (Gen *)o;
    ou_visit(vm, g->extra, visit, arg);
    const Code *c = gen_code(g);
    if (!c || g->state == GEN_CLOSED)
        return;
    ou_visit(vm, g->fn, visit, arg);
    if (g->state == GEN_RUNNING || (g->flags & GEN_F_DRIVEN))
        return; /* its registers are in use: what they hold counts as held from outside */
    Frame *f = g->flags & GEN_F_FRAME ? ou_frame_find(vm, g->regs) : NULL;
    if (f)
        ou_visit(vm, v_of(f), visit, arg);
    for (unsigned k = 0; k < c->nlocals; k++)
        ou_visit(vm, g->regs[k], visit, arg);
    if (g->state != GEN_SUSPENDED)
        return;
    uint32_t at = (uint32_t)(g->pc - 1 - c->code);
    for (uint32_t k = 0; k < c->nlive; k++)
        if (c->live[k].start <= at && at < c->live[k].end)
            ou_visit(vm, g->regs[c->live[k].reg], visit, arg);
    if (INS_OP(g->pc[-1]) == OP_AWAIT)
        ou_visit(vm, g->regs[INS_A(g->pc[-1])], visit, arg);
    if (g->handled != V_UNBOUND)
        ou_visit(vm, g->handled, visit, arg);
}

void ou_gen_clear(VM *vm, Obj *o)
{
    Gen *g = (Gen *)o;
    if (g->state == GEN_SUSPENDED && !(g->flags & (GEN_F_DRIVEN | GEN_F_LINKED)))
        ou_gen_mark_closed(vm, g);
}

/* send/throw by hand on what is no frame: it must not take the frame that happens to run for its awaiter (a native wait
 * looks at vm->root to see who drives it). */
static GenResult step_by_hand(VM *vm, Value leaf, Value value, Value exc, Value *out)
{
    Gen *root = vm->root;
    vm->root = NULL;
    GenResult r = ou_leaf_step(vm, leaf, value, exc, out);
    vm->root = root;
    return r;
}

/* ---- the types ---- */

static const NativeDef generator_methods[] = {
    {"send(value, /)", gen_send, "Resume with a value sent into the generator.", 0},
    {"throw(typ, val=None, tb=None, /)", gen_throw, "Raise an exception where the generator is suspended.", 0},
    {"close()", gen_close, "Raise GeneratorExit inside the generator.", 0},
    {0},
};
static const GetSetDef generator_getset[] = {
    {"__name__", ou_gen_get_name, ou_gen_set_name, NULL},       {"__qualname__", ou_gen_get_qualname, ou_gen_set_qualname, NULL},
    {"gi_yieldfrom", gen_get_awaiting, NULL, NULL},       {"gi_running", gen_get_running, NULL, NULL},
    {"gi_suspended", gen_get_suspended, NULL, NULL},      {"gi_frame", ou_gen_get_frame, NULL, NULL},
    {"gi_code", ou_gen_get_code, NULL, NULL},             {0},
};
static const GetSetDef coroutine_getset[] = {
    {"__name__", ou_gen_get_name, ou_gen_set_name, NULL},       {"__qualname__", ou_gen_get_qualname, ou_gen_set_qualname, NULL},
    {"cr_await", gen_get_awaiting, NULL, NULL},           {"cr_running", gen_get_running, NULL, NULL},
    {"cr_suspended", gen_get_suspended, NULL, NULL},      {"cr_frame", ou_gen_get_frame, NULL, NULL},
    {"cr_code", ou_gen_get_code, NULL, NULL},             {"cr_origin", coro_get_origin, NULL, NULL},
    {0},
};

typedef struct CoroWrapper {
    Obj h;
    Value coro;
} CoroWrapper;

static Value coroutine_await(VM *vm, Value self)
{
    CoroWrapper *w = ou_new(vm, vm->types[T_COROUTINE_WRAPPER], 0);
    if (!w)
        return V_NULL;
    w->coro = retain(self);
    return v_of(w);
}

static const NativeDef coroutine_methods[] = {
    {"send(value, /)", gen_send, "Resume with a value sent into the coroutine.", 0},
    {"throw(typ, val=None, tb=None, /)", gen_throw, "Raise an exception where the coroutine is suspended.", 0},
    {"close()", gen_close, "Raise GeneratorExit inside the coroutine.", 0},
    {0},
};

const TypeDef ou_type_generator = {
    .name = "generator",
    .size = sizeof(Gen),
    .flags = TF_GC | TF_NO_NEW | TF_WEAKREF,
    .slots = {.dealloc = ou_gen_dealloc, .traverse = ou_gen_traverse, .clear = ou_gen_clear, .finalize = ou_gen_finalize_slot,
              .repr = ou_gen_repr, .iter = gen_iter, .next = gen_next},
    .methods = generator_methods,
    .getset = generator_getset,
};
const TypeDef ou_type_coroutine = {
    .name = "coroutine",
    .size = sizeof(Gen),
    .flags = TF_GC | TF_NO_NEW | TF_WEAKREF,
    .slots = {.dealloc = ou_gen_dealloc, .traverse = ou_gen_traverse, .clear = ou_gen_clear, .finalize = ou_gen_finalize_slot,
              .repr = ou_gen_repr, .await = coroutine_await},
    .methods = coroutine_methods,
    .getset = coroutine_getset,
};

static void wrapper_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((CoroWrapper *)o)->coro);
    ou_finish_dealloc(vm, o, 0);
}
static void wrapper_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((CoroWrapper *)o)->coro, visit, arg); }
static Value wrapper_next(VM *vm, Value self)
{
    Value v;
    GenResult r = step_by_hand(vm, ((CoroWrapper *)v_obj(self))->coro, V_NONE, V_NULL, &v);
    return finish(vm, r, v);
}
static Value wrapper_send(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v;
    GenResult r = step_by_hand(vm, ((CoroWrapper *)v_obj(args[0]))->coro, args[1], V_NULL, &v);
    return finish(vm, r, v);
}
static Value wrapper_throw(VM *vm, const Value *args, int n)
{
    Value exc = ou_throw_args(vm, args + 1, n - 1), v;
    if (exc == V_NULL)
        return V_NULL;
    GenResult r = step_by_hand(vm, ((CoroWrapper *)v_obj(args[0]))->coro, V_NULL, exc, &v);
    release(vm, exc);
    return finish(vm, r, v);
}
static Value wrapper_close(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_call_method(vm, ((CoroWrapper *)v_obj(args[0]))->coro, name_of(vm, N_close), NULL, 0, NULL);
}
static const NativeDef wrapper_methods[] = {
    {"send(value, /)", wrapper_send, NULL, 0},
    {"throw(typ, val=None, tb=None, /)", wrapper_throw, NULL, 0},
    {"close()", wrapper_close, NULL, 0},
    {0},
};
const TypeDef ou_type_coroutine_wrapper = {
    .name = "coroutine_wrapper",
    .size = sizeof(CoroWrapper),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = wrapper_dealloc, .traverse = wrapper_traverse, .iter = gen_iter, .next = wrapper_next},
    .methods = wrapper_methods,
};

/* ---- native coroutines ---- */

Value ou_native_coro_new(VM *vm, const NativeKind *kind)
{
    NativeCoro *c = ou_new(vm, vm->types[T_NATIVE_CORO], (size_t)(kind->nslots + kind->nraw) * sizeof(Value));
    if (!c)
        return V_NULL;
    c->kind = kind;
    for (int k = 0; k < kind->nslots; k++)
        c->slots[k] = V_NONE;
    return v_of(c);
}

static void native_finalize(VM *vm, Obj *o)
{
    NativeCoro *c = (NativeCoro *)o;
    Value pending = ou_exc_take(vm);
    if (c->state == GEN_CREATED && !c->no_warn && !ou_warn(vm, E_RUNTIME_WARNING, 1, "coroutine '%s' was never awaited", c->kind->name))
        ou_unraisable(vm, NULL, v_of(c));
    if (c->state == GEN_SUSPENDED) { /* let it undo what it linked */
        Value exc = ou_exc_new(vm, vm->types[E_GENERATOR_EXIT], NULL, 0), v = V_NULL;
        if (exc != V_NULL && ou_leaf_step(vm, v_of(c), V_NULL, exc, &v) != GEN_ERROR)
            xrelease(vm, v);
        xrelease(vm, exc);
        ou_exc_clear(vm);
        c->state = GEN_CLOSED;
    }
    if (pending != V_NULL)
        ou_exc_restore(vm, pending);
}
static void native_dealloc(VM *vm, Obj *o)
{
    NativeCoro *c = (NativeCoro *)o;
    const NativeKind *kind = c->kind;
    if (kind && kind->fini)
        kind->fini(vm, c);
    for (unsigned k = 0; kind && k < kind->nslots; k++)
        xrelease(vm, c->slots[k]);
    ou_finish_dealloc(vm, o, kind ? (size_t)(kind->nslots + kind->nraw) * sizeof(Value) : 0);
}
static void native_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    NativeCoro *c = (NativeCoro *)o;
    for (unsigned k = 0; c->kind && k < c->kind->nslots; k++)
        ou_visit(vm, c->slots[k], visit, arg);
}
static Value native_repr(VM *vm, Value self)
{
    char at[32];
    snprintf(at, sizeof at, "%p", (void *)v_obj(self));
    return ou_str_format(vm, "<coroutine object %s at %s>", ((NativeCoro *)v_obj(self))->kind->name, at);
}
static Value native_send(VM *vm, const Value *args, int n)
{
    (void)n;
    NativeCoro *c = (NativeCoro *)v_obj(args[0]);
    Value v;
    if (c->state == GEN_CREATED && args[1] != V_NONE)
        return ou_raise(vm, E_TYPE, "can't send non-None value to a just-started coroutine");
    GenResult r = step_by_hand(vm, args[0], args[1], V_NULL, &v);
    return finish(vm, r, v);
}
static Value native_throw(VM *vm, const Value *args, int n)
{
    Value exc = ou_throw_args(vm, args + 1, n - 1), v;
    if (exc == V_NULL)
        return V_NULL;
    GenResult r = step_by_hand(vm, args[0], V_NULL, exc, &v);
    release(vm, exc);
    return finish(vm, r, v);
}
static Value native_close(VM *vm, const Value *args, int n)
{
    (void)n;
    NativeCoro *c = (NativeCoro *)v_obj(args[0]);
    if (c->state == GEN_SUSPENDED)
        native_finalize(vm, v_obj(args[0]));
    c->state = GEN_CLOSED;
    return V_NONE;
}
static Value native_get_name(VM *vm, Value self)
{
    const char *s = ((NativeCoro *)v_obj(self))->kind->name, *dot = strrchr(s, '.');
    return ou_str_c(vm, dot ? dot + 1 : s);
}
static Value native_get_qualname(VM *vm, Value self) { return ou_str_c(vm, ((NativeCoro *)v_obj(self))->kind->name); }
static Value native_get_none(VM *vm, Value self)
{
    (void)vm;
    (void)self;
    return V_NONE;
}
static Value native_get_running(VM *vm, Value self)
{
    (void)vm;
    return v_bool(((NativeCoro *)v_obj(self))->state == GEN_RUNNING);
}
static Value native_get_suspended(VM *vm, Value self)
{
    (void)vm;
    return v_bool(((NativeCoro *)v_obj(self))->state == GEN_SUSPENDED);
}
static const NativeDef native_methods[] = {
    {"send(value, /)", native_send, NULL, 0},
    {"throw(typ, val=None, tb=None, /)", native_throw, NULL, 0},
    {"close()", native_close, NULL, 0},
    {0},
};
static const GetSetDef native_getset[] = {
    {"__name__", native_get_name, NULL, NULL},        {"__qualname__", native_get_qualname, NULL, NULL},
    {"cr_await", native_get_none, NULL, NULL},        {"cr_running", native_get_running, NULL, NULL},
    {"cr_suspended", native_get_suspended, NULL, NULL}, {"cr_frame", native_get_none, NULL, NULL},
    {"cr_code", native_get_none, NULL, NULL},         {"cr_origin", native_get_none, NULL, NULL},
    {0},
};
const TypeDef ou_type_native_coro = {
    .name = "coroutine",
    .size = sizeof(NativeCoro),
    .flags = TF_GC | TF_NO_NEW | TF_WEAKREF,
    .slots = {.dealloc = native_dealloc, .traverse = native_traverse, .finalize = native_finalize, .repr = native_repr,
              .await = coroutine_await},
    .methods = native_methods,
    .getset = native_getset,
};
