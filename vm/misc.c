/* The rarer instructions, one function each by group; more of them in misc_build.c and misc_match.c. Entry point: ou_slow_misc,
 * which dispatches. The rules of eval.c hold: temporaries are consumed on every path, results go to A. */
#include "runtime/objects/import.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/typing.h"
#include "vm/misc.h"

#define A INS_A(i)
#define B INS_B(i)
#define C INS_C(i)
#define D INS_D(i)

/* ---- unbound variables ---- */

static bool raise_unbound(VM *vm, Value *R, const Ins *pc, bool is_free)
{
    Str *name = ou_site_name(R, pc);
    if (is_free)
        ou_raise(vm, E_NAME, "cannot access free variable '%Q' where it is not associated with a value in enclosing scope", name);
    else
        ou_raise(vm, E_UNBOUND_LOCAL, "cannot access local variable '%Q' where it is not associated with a value", name);
    if (is_free && vm->exc != V_NULL && ou_is_a(vm, vm->exc, E_NAME)) /* as CPython: an UnboundLocalError has no name */
        set_owned(vm, &((ExcName *)v_obj(vm->exc))->name, retain(v_of(name)));
    return false;
}

static Cell *free_cell(Value *R, int32_t d) { return (Cell *)v_obj(frame_fn(R)->closure->items[d]); }

static bool get_class_free(VM *vm, Value *R, const Ins *pc, Ins i)
{
    Str *name = ou_site_name(R, pc);
    Value v = V_NULL;
    if (R[0] != V_NONE) {
        if (is_exact(R[0], T_DICT)) {
            v = ou_dict_get_str(vm, as_dict(R[0]), name);
            if (v != V_NULL)
                retain(v);
        } else {
            v = ou_getitem(vm, R[0], v_of(name));
            if (v == V_NULL && !ou_exc_matches(vm, E_KEY))
                return false;
            if (v == V_NULL)
                ou_exc_clear(vm);
        }
    }
    if (v == V_NULL) {
        v = free_cell(R, D)->v;
        if (v == V_UNBOUND)
            return raise_unbound(vm, R, pc, true);
        retain(v);
    }
    put(vm, R, A, v);
    return true;
}

/* ---- functions and classes ---- */

static bool make_function(VM *vm, Value *R, Ins i)
{
    Function *me = frame_fn(R);
    Code *c = as_code(me->code->consts[D]);
    Value closure = V_NULL, f = V_NULL;
    unsigned at = A;
    if (c->nfree) {
        closure = ou_tuple_new(vm, c->nfree);
        if (closure != V_NULL)
            for (unsigned k = 0; k < c->nfree; k++) {
                const CodeCapture *cap = &c->captures[k];
                Value cell = cap->from_local == 1 ? R[cap->index]
                             : cap->from_local    ? ((Far *)v_obj(R[me->code->farreg]))->v[cap->index]
                                                  : me->closure->items[cap->index];
                as_tuple(closure)->items[k] = retain(cell);
            }
    }
    if (!c->nfree || closure != V_NULL)
        f = ou_function_new(vm, c, me->globals, closure == V_NULL ? NULL : as_tuple(closure));
    xrelease(vm, closure);
    Value inputs[4] = {V_NULL, V_NULL, V_NULL, V_NULL};
    for (unsigned k = 0; k < 4; k++)
        if (C & 1u << k)
            inputs[k] = R[at++];
    if (f == V_NULL) {
        for (unsigned k = 0; k < 4; k++)
            xrelease(vm, inputs[k]);
        return false;
    }
    Function *fn = as_function(f);
    if (fn->builtins != me->builtins) {
        Dict *old = fn->builtins;
        fn->builtins = me->builtins;
        me->builtins->h.refs++;
        if (old)
            release(vm, v_of(old));
    }
    fn->defaults = inputs[0] == V_NULL ? NULL : as_tuple(inputs[0]);
    fn->kwdefaults = inputs[1] == V_NULL ? NULL : as_dict(inputs[1]);
    set_owned(vm, &fn->annotations, inputs[2]);
    set_owned(vm, &fn->type_params, inputs[3]);
    R[A] = f;
    return true;
}

static bool super_attr(VM *vm, Value *R, const Ins *pc, Ins i)
{
    Value super = R[A], cls = R[A + 1], self = R[A + 2];
    Str *name = ou_site_name(R, pc);
    Value v = V_NULL;
    bool method = false, done = false;
    if (super != v_of(vm->types[T_SUPER])) { /* a global of that name, perhaps one that looks at its caller's frame */
        Value s = ou_call0(vm, super);
        v = s == V_NULL ? V_NULL : ou_getattr(vm, s, name);
        xrelease(vm, s);
        done = true;
    } else if (cls == V_UNBOUND || self == V_UNBOUND) {
        ou_raise(vm, E_RUNTIME, cls == V_UNBOUND ? "super(): empty __class__ cell" : "super(): arg[0] deleted");
        done = true;
    } else if (ou_is_a(vm, cls, T_TYPE)) {
        Type *t = ou_type_of(vm, self), *start = (Type *)v_obj(cls);
        if (ou_is_subtype(t, start) && name != name_of(vm, N_DU_class)) {
            uint32_t k = 0;
            Tuple *mro = obj_retain(t->mro); /* odd keys of a class's dict may run scripts */
            while (k < mro->n && mro->items[k] != cls)
                k++;
            for (k++; k < mro->n && !done; k++) {
                Dict *own = type_dict(vm, (Type *)v_obj(mro->items[k]));
                if (!own) {
                    done = true;
                    break;
                }
                Value d = ou_dict_get_str(vm, own, name);
                if (d == V_NULL)
                    continue;
                done = true;
                Type *dt = ou_type_of(vm, d);
                if (C && (is_exact(d, T_FUNCTION) || (is_exact(d, T_METHOD_DESC) && ou_is_subtype(t, ((Native *)v_obj(d))->owner)))) {
                    v = retain(d);
                    method = true;
                } else {
                    retain(d);
                    v = dt->slots.descr_get ? dt->slots.descr_get(vm, d, self, v_of(t)) : retain(d);
                    release(vm, d);
                }
            }
            obj_release(vm, mro);
        }
    }
    if (!done) {
        Value s = ou_call2(vm, v_of(vm->types[T_SUPER]), cls, self);
        if (s != V_NULL) {
            v = ou_getattr(vm, s, name);
            release(vm, s);
        }
    }
    release(vm, super);
    release(vm, cls);
    if (v == V_NULL || !method)
        release(vm, self);
    if (v == V_NULL)
        return false;
    R[A] = v;
    if (C)
        R[A + 2] = method ? self : V_UNBOUND;
    return true;
}

/* ---- exceptions ---- */

bool ou_do_raise(VM *vm, Value *R, Ins i)
{
    if (C == 0) {
        Value handled = ou_exc_handled(vm);
        if (handled == V_NONE) {
            ou_raise(vm, E_RUNTIME, "No active exception to reraise");
            return false;
        }
        ou_exc_restore(vm, retain(handled));
        return true;
    }
    Value exc = ou_exc_normalize(vm, R[A]);
    release(vm, R[A]);
    if (C == 2) {
        Value cause = R[A + 1];
        if (exc != V_NULL) {
            if (cause == V_NONE) {
                set_owned(vm, &as_exc(exc)->cause, V_NONE);
                as_exc(exc)->suppress_context = true;
            } else {
                bool is_class = is_obj(cause) && ou_is_a(vm, cause, T_TYPE);
                if (!((is_class ? (Type *)v_obj(cause) : ou_type_of(vm, cause))->flags & TF_EXC)) {
                    ou_raise(vm, E_TYPE, "exception causes must derive from BaseException");
                    release(vm, exc);
                    exc = V_NULL;
                } else {
                    Value made = ou_exc_normalize(vm, cause);
                    if (made == V_NULL) {
                        release(vm, exc);
                        exc = V_NULL;
                    } else {
                        set_owned(vm, &as_exc(exc)->cause, made);
                        as_exc(exc)->suppress_context = true;
                    }
                }
            }
        }
        release(vm, cause);
    }
    if (exc != V_NULL) {
        ou_raise_value(vm, exc);
        release(vm, exc);
    }
    return false;
}

static bool with_enter(VM *vm, Value *R, Ins i)
{
    Value mgr = R[A];
    bool is_async = C != 0;
    Value enter = ou_lookup_special(vm, mgr, name_of(vm, is_async ? N_DU_aenter : N_DU_enter)), exit = V_NULL;
    const char *what = is_async ? "asynchronous context manager" : "context manager";
    if (enter == V_NULL) {
        if (vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, "'%T' object does not support the %s protocol", mgr, what);
    } else {
        exit = ou_lookup_special(vm, mgr, name_of(vm, is_async ? N_DU_aexit : N_DU_exit));
        if (exit == V_NULL && vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, "'%T' object does not support the %s protocol (missed %s method)", mgr, what,
                     is_async ? "__aexit__" : "__exit__");
    }
    release(vm, mgr);
    if (exit == V_NULL) {
        xrelease(vm, enter);
        return false;
    }
    R[A] = exit;
    R[A + 1] = enter;
    return true;
}

/* ---- coroutines ---- */

static bool get_await(VM *vm, Value *R, Ins i)
{
    Value o = R[B];
    Value it = V_NULL;
    if (C != 0 && !ou_is_coroutine_like(vm, o) && !is_exact(o, T_FUTURE) && !is_exact(o, T_TASK) && !ou_type_of(vm, o)->slots.await)
        ou_raise(vm, E_TYPE, "'async with' received an object from %s that does not implement __await__: %T",
                 C == 1 ? "__aenter__" : "__aexit__", o);
    else
        it = ou_get_awaitable(vm, o);
    if (it != V_NULL && is_exact(it, T_COROUTINE)) {
        Gen *g = as_gen(it);
        if (g->state == GEN_SUSPENDED) {
            ou_raise(vm, E_RUNTIME, "coroutine is being awaited already");
            release(vm, it);
            it = V_NULL;
        }
    }
    consume(vm, R, B);
    if (it == V_NULL)
        return false;
    put(vm, R, A, it);
    return true;
}

static bool get_yield_from(VM *vm, Value *R, Ins i)
{
    Value o = R[B], it = V_NULL;
    if (ou_is_coroutine_like(vm, o) && !is_exact(o, T_GENERATOR)) {
        if (frame_code(R)->flags & (CO_COROUTINE | CO_ITERABLE_COROUTINE))
            it = retain(o);
        else
            ou_raise(vm, E_TYPE, "cannot 'yield from' a coroutine object in a non-coroutine generator");
    } else if (is_exact(o, T_GENERATOR)) {
        it = retain(o);
    } else {
        it = ou_iter(vm, o);
    }
    consume(vm, R, B);
    if (it == V_NULL)
        return false;
    put(vm, R, A, it);
    return true;
}

static bool get_aiter(VM *vm, Value *R, Ins i)
{
    Value o = R[B], it = V_NULL;
    Type *t = ou_type_of(vm, o);
    if (!t->slots.aiter) {
        ou_raise(vm, E_TYPE, "'async for' requires an object with __aiter__ method, got %T", o);
    } else {
        it = t->slots.aiter(vm, o);
        if (it != V_NULL && !ou_type_of(vm, it)->slots.anext) {
            ou_raise(vm, E_TYPE, "'async for' received an object from __aiter__ that does not implement __anext__: %T", it);
            release(vm, it);
            it = V_NULL;
        }
    }
    consume(vm, R, B);
    if (it == V_NULL)
        return false;
    put(vm, R, A, it);
    return true;
}

static bool get_anext(VM *vm, Value *R, Ins i)
{
    Value o = R[B];
    if (is_exact(o, T_ASYNC_GENERATOR)) { /* fused with the AWAIT that follows: the generator itself is linked */
        Gen *g = as_gen(o);
        if (!(g->flags & GEN_F_HOOKED))
            ou_agen_hooks(vm, g);
        if (vm->exc != V_NULL)
            return false;
        R[A] = retain(o);
        return true;
    }
    Type *t = ou_type_of(vm, o);
    if (!t->slots.anext)
        return ou_raise(vm, E_TYPE, "'async for' requires an iterator with __anext__ method, got %T", o), false;
    Value a = t->slots.anext(vm, o);
    if (a == V_NULL)
        return false;
    Value it = ou_get_awaitable(vm, a);
    if (it == V_NULL) {
        Value cause = ou_exc_take(vm);
        ou_raise(vm, E_TYPE, "'async for' received an invalid object from __anext__: %T", a);
        if (vm->exc != V_NULL) {
            set_owned(vm, &as_exc(vm->exc)->cause, retain(cause));
            as_exc(vm->exc)->suppress_context = true;
            ou_exc_set_context(vm, vm->exc, cause);
        }
        release(vm, cause);
    }
    release(vm, a);
    if (it == V_NULL)
        return false;
    R[A] = it;
    return true;
}

/* ---- the dispatcher ---- */

static bool store(VM *vm, Value *R, uint8_t a, Value v)
{
    if (v == V_NULL)
        return false;
    put(vm, R, a, v);
    return true;
}

bool ou_slow_misc(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value v;
    bool ok;
    int t;
    switch (INS_OP(i)) {
    case OP_CHECK:
    case OP_DELLOCAL:
    case OP_GETCELL:
    case OP_GETCELL_T:
        return raise_unbound(vm, R, pc, false);
    case OP_GETFREE:
    case OP_GETFREE_T:
        return raise_unbound(vm, R, pc, true);
    case OP_DELCELL: {
        Cell *c = (Cell *)v_obj(R[A]);
        if (c->v == V_UNBOUND)
            return raise_unbound(vm, R, pc, false);
        set_owned(vm, &c->v, V_UNBOUND);
        return true;
    }
    case OP_DELFREE: {
        Cell *c = free_cell(R, D);
        if (c->v == V_UNBOUND)
            return raise_unbound(vm, R, pc, true);
        set_owned(vm, &c->v, V_UNBOUND);
        return true;
    }
    case OP_MKCELL:
        v = ou_cell_new(vm, R[A]);
        if (v == V_NULL)
            return false;
        release(vm, R[A]);
        R[A] = v;
        return true;
    case OP_TAKEFAR: {
        Value *place = &((Far *)v_obj(R[INS_B(i)]))->v[(uint32_t)INS_D(i)];
        R[A] = *place;
        *place = V_UNBOUND;
        return true;
    }
    case OP_MKFAR:
        if (R[A] != V_UNBOUND)
            return true;
        v = ou_far_new(vm, (uint32_t)INS_D(i));
        if (v != V_NULL)
            R[A] = v;
        return v != V_NULL;
    case OP_GETCLASSFREE:
        return get_class_free(vm, R, pc, i);
    case OP_DELGLOBAL: {
        Str *name = ou_site_name(R, pc);
        t = ou_dict_del(vm, frame_fn(R)->globals, v_of(name));
        if (t == 0)
            ou_raise(vm, E_NAME, "name '%Q' is not defined", name);
        return t > 0;
    }
    case OP_DELATTR:
        t = ou_ask_setattr(vm, R, pc, R[A], ou_site_name(R, pc), V_NULL);
        ok = t < 0 ? ou_setattr(vm, R[A], ou_site_name(R, pc), V_NULL) : t;
        consume(vm, R, A);
        return ok;
    case OP_DELITEM:
        t = ou_ask_setitem(vm, R, pc, R[A], R[B], V_NULL);
        ok = t < 0 ? ou_setitem(vm, R[A], R[B], V_NULL) : t;
        consume(vm, R, B);
        consume(vm, R, A);
        return ok;
    case OP_MKSLICE:
        return ou_do_make_slice(vm, R, i);
    case OP_SUPERATTR:
        return super_attr(vm, R, pc, i);
    case OP_NEG:
    case OP_POS:
    case OP_INVERT:
        if (is_float(R[B]) && INS_OP(i) == OP_NEG)
            v = v_float(-v_double(R[B]));
        else if ((t = ou_ask_unary(vm, R, pc, R[B], INS_OP(i) == OP_NEG ? N_DU_neg : INS_OP(i) == OP_POS ? N_DU_pos : N_DU_invert)) >= 0)
            return consume(vm, R, B), t;
        else
            v = ou_unary(vm, INS_OP(i) == OP_NEG ? UN_NEG : INS_OP(i) == OP_POS ? UN_POS : UN_INVERT, R[B]);
        consume(vm, R, B);
        return store(vm, R, A, v);
    case OP_NOT:
        return ou_ask_truth(vm, R, pc, B < frame_code(R)->nlocals ? retain(R[B]) : R[B]);
    case OP_IN:
        t = ou_ask_contains(vm, R, pc, R[C], R[B]);
        bool pushed = t >= 0;
        if (!pushed)
            t = ou_contains(vm, R[C], R[B]);
        consume(vm, R, B);
        consume(vm, R, C);
        if (pushed)
            return t;
        return t >= 0 && store(vm, R, A, v_bool(t != (D != 0)));
    case OP_GETITER:
        t = ou_ask_iter(vm, R, pc, R[B]);
        if (t >= 0)
            return consume(vm, R, B), t;
        v = ou_iter(vm, R[B]);
        consume(vm, R, B);
        return store(vm, R, A, v);
    case OP_UNPACKEX:
        return ou_do_unpack_ex(vm, R, i);
    case OP_UNPACKFAR:
        return ou_do_unpack_far(vm, R, i);
    case OP_MKSET:
        return ou_do_make_set(vm, R, i);
    case OP_MKDICT:
        return ou_do_make_dict(vm, R, i);
    case OP_MKSTR:
        return ou_do_make_str(vm, R, i);
    case OP_LISTEXTEND:
        return ou_do_list_extend(vm, R, i);
    case OP_SETADD:
        ok = ou_set_add(vm, as_set(R[A]), R[B]);
        consume(vm, R, B);
        return ok;
    case OP_SETUPDATE:
        ok = ou_set_update(vm, as_set(R[A]), R[B]);
        consume(vm, R, B);
        return ok;
    case OP_DICTADD:
        ok = ou_dict_set(vm, as_dict(R[A]), R[B], R[C]);
        consume(vm, R, B);
        consume(vm, R, C);
        return ok;
    case OP_DICTUPDATE:
        return ou_do_dict_update(vm, R, i);
    case OP_DICTMERGE:
        return ou_do_dict_merge(vm, R, i);
    case OP_LISTTUPLE:
        if (C)
            return ou_do_star_tuple(vm, R, i);
        v = ou_tuple_of(vm, as_list(R[A])->items, as_list(R[A])->n);
        release(vm, R[A]);
        R[A] = v;
        return v != V_NULL;
    case OP_FORMAT:
        return ou_do_format_value(vm, R, i);
    case OP_MKFUNC:
        return make_function(vm, R, i);
    case OP_BUILDCLASS:
        v = ou_dict_get_str(vm, frame_fn(R)->builtins, name_of(vm, N_DU_build_class));
        if (v == V_NULL)
            return ou_raise(vm, E_NAME, "__build_class__ not found"), false;
        return store(vm, R, A, retain(v));
    case OP_PUSHEXC:
        R[A + 1] = vm->handled;
        vm->handled = retain(R[A]);
        return true;
    case OP_POPEXC: {
        Value old = vm->handled, exc = R[A];
        vm->handled = R[A + 1];
        release(vm, old);
        release(vm, exc);
        return true;
    }
    case OP_EGMATCH: {
        Value match, rest, cls = R[B], exc = R[A];
        ok = ou_exc_split_star(vm, exc, cls, &match, &rest);
        release(vm, cls);
        if (!ok)
            return false;
        R[A] = rest;
        R[B] = match;
        release(vm, exc);
        if (match != V_NONE)
            set_owned(vm, &vm->handled, retain(match));
        return true;
    }
    case OP_EGRERAISE: {
        Value list = R[B];
        v = ou_exc_prep_reraise_star(vm, R[A], list);
        release(vm, list);
        R[B] = v;
        return v != V_NULL;
    }
    case OP_WITHENTER:
        return with_enter(vm, R, i);
    case OP_WITHEXC:
        R[A] = retain(R[B]);
        R[A + 2] = retain(v_of(ou_type_of(vm, R[C])));
        R[A + 3] = retain(R[C]);
        R[A + 4] = retain(as_exc(R[C])->traceback);
        return true;
    case OP_ASSERTERR:
        return store(vm, R, A, retain(v_of(vm->types[E_ASSERTION])));
    case OP_GETAWAIT:
        return get_await(vm, R, i);
    case OP_GETYIELDFROM:
        return get_yield_from(vm, R, i);
    case OP_GETAITER:
        return get_aiter(vm, R, i);
    case OP_GETANEXT:
        return get_anext(vm, R, i);
    case OP_IMPORTNAME:
        v = ou_import(vm, as_str(frame_code(R)->consts[D]), C, R[A], frame_fn(R)->globals);
        release(vm, R[A]);
        R[A] = v;
        return v != V_NULL;
    case OP_IMPORTFROM:
        return store(vm, R, A, ou_import_from(vm, R[B], as_str(frame_code(R)->consts[D])));
    case OP_IMPORTSTAR:
        ok = ou_import_star(vm, R[A], R[0] == V_NONE ? v_of(frame_fn(R)->globals) : R[0]);
        consume(vm, R, A);
        return ok;
    case OP_MATCHSEQ:
    case OP_MATCHMAP:
        return store(vm, R, A, v_bool(ou_do_match_collection(vm, R[B], INS_OP(i) == OP_MATCHSEQ)));
    case OP_MATCHLEN: {
        int64_t n = ou_len(vm, R[B]);
        return n >= 0 && store(vm, R, A, ou_int(vm, n));
    }
    case OP_MATCHKEYS:
        return ou_do_match_keys(vm, R, i);
    case OP_MATCHREST:
        return ou_do_match_rest(vm, R, i);
    case OP_MATCHCLASS: {
        Value cls = R[C], kw = R[C + 1];
        v = ou_do_match_class_values(vm, R[B], cls, as_tuple(kw), (unsigned)D);
        release(vm, cls);
        release(vm, kw);
        return store(vm, R, A, v);
    }
    case OP_SETUPANN: {
        Str *name = name_of(vm, N_DU_annotations);
        Value ns = R[0] == V_NONE ? v_of(frame_fn(R)->globals) : R[0];
        if (is_exact(ns, T_DICT)) {
            if (ou_dict_get_str(vm, as_dict(ns), name) != V_NULL)
                return true;
        } else { /* asked by item: a mapping need not know `in` */
            v = ou_getitem(vm, ns, v_of(name));
            if (v != V_NULL || !ou_exc_matches(vm, E_KEY)) {
                xrelease(vm, v);
                return v != V_NULL;
            }
            ou_exc_clear(vm);
        }
        v = ou_dict_new(vm);
        ok = v != V_NULL && ou_setitem(vm, ns, v_of(name), v);
        xrelease(vm, v);
        return ok;
    }
    case OP_PRINTEXPR: {
        Value hook = ou_dict_get_str(vm, vm->sysdict, name_of(vm, N_displayhook));
        v = hook == V_NULL ? ou_raise(vm, E_RUNTIME, "lost sys.displayhook") : ou_call1(vm, hook, R[A]);
        consume(vm, R, A);
        xrelease(vm, v);
        return v != V_NULL;
    }
    case OP_TYPEPARAM:
        v = ou_typeparam_new(vm, C, R[A], R[A + 1], R[A + 2]);
        for (unsigned k = 0; k < 3; k++)
            release(vm, R[A + k]);
        R[A] = v;
        return v != V_NULL;
    case OP_TYPEALIAS: {
        Value module = ou_dict_get_str(vm, frame_fn(R)->globals, name_of(vm, N_DU_name));
        v = ou_typealias_new(vm, R[A], R[A + 1], R[A + 2], module == V_NULL ? V_NONE : module);
        for (unsigned k = 0; k < 3; k++)
            release(vm, R[A + k]);
        R[A] = v;
        return v != V_NULL;
    }
    case OP_GENERICBASE:
        v = ou_generic_base(vm, R[A]);
        release(vm, R[A]);
        R[A] = v;
        return v != V_NULL;
    default:
        ou_raise(vm, E_SYSTEM, "unknown opcode %d", INS_OP(i));
        return false;
    }
}
