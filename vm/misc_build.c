/* The instructions that build and take apart: displays, the arguments of a call with stars, f-strings, unpacking.
 * Entry points: the ou_do_ functions of misc.h, called by ou_slow_misc. The rules of eval.c hold: temporaries are consumed on every
 * path, results go to A. */
#include "vm/misc.h"

#define A INS_A(i)
#define B INS_B(i)
#define C INS_C(i)
#define D INS_D(i)

bool ou_do_make_set(VM *vm, Value *R, Ins i)
{
    Value s = ou_set_new(vm, T_SET);
    bool ok = s != V_NULL;
    for (int32_t k = 0; k < D; k++) {
        ok = ok && ou_set_add(vm, as_set(s), R[A + k]);
        release(vm, R[A + k]);
    }
    if (!ok) {
        xrelease(vm, s);
        return false;
    }
    R[A] = s;
    return true;
}

bool ou_do_make_dict(VM *vm, Value *R, Ins i)
{
    Value d = ou_dict_new(vm);
    bool ok = d != V_NULL;
    for (int32_t k = 0; k < D; k++) {
        Value *p = &R[A + 2 * k];
        ok = ok && ou_dict_set(vm, as_dict(d), p[0], p[1]);
        release(vm, p[0]);
        release(vm, p[1]);
    }
    if (!ok) {
        xrelease(vm, d);
        return false;
    }
    R[A] = d;
    return true;
}

bool ou_do_make_str(VM *vm, Value *R, Ins i)
{
    Value v = D == 0 ? retain(vm->empty_str) : ou_str_join(vm, vm->empty_str, &R[A], (size_t)D);
    for (int32_t k = 0; k < D; k++)
        release(vm, R[A + k]);
    if (v == V_NULL)
        return false;
    R[A] = v;
    return true;
}

bool ou_do_make_slice(VM *vm, Value *R, Ins i)
{
    Value v = ou_slice_new(vm, R[A], R[A + 1], C == 3 ? R[A + 2] : V_NONE);
    for (unsigned k = 0; k < C; k++)
        release(vm, R[A + k]);
    if (v == V_NULL)
        return false;
    R[A] = v;
    return true;
}

bool ou_do_list_extend(VM *vm, Value *R, Ins i)
{
    Value src = R[B];
    Type *t = ou_type_of(vm, src);
    bool ok = false;
    if (!t->slots.iter && !t->slots.getitem)
        ou_raise(vm, E_TYPE, "Value after * must be an iterable, not %T", src);
    else
        ok = ou_list_extend(vm, as_list(R[A]), src);
    consume(vm, R, B);
    return ok;
}

/* f(*x): CPython names the function when x is not iterable. */
bool ou_do_star_tuple(VM *vm, Value *R, Ins i)
{
    Value src = R[A];
    if (is_exact(src, T_TUPLE))
        return true;
    Type *t = ou_type_of(vm, src);
    Value v = V_NULL;
    if (!t->slots.iter && !t->slots.getitem) {
        Value text = ou_callee_text(vm, R[B]);
        if (text != V_NULL)
            ou_raise(vm, E_TYPE, "%U argument after * must be an iterable, not %T", text, src);
        xrelease(vm, text);
    } else {
        v = ou_tuple_from(vm, src);
    }
    release(vm, src);
    R[A] = v;
    return v != V_NULL;
}

bool ou_do_dict_update(VM *vm, Value *R, Ins i)
{
    Value src = R[B];
    bool ok = true, missing;
    if (!ou_is_a(vm, src, T_DICT)) {
        Value keys = ou_getattr_opt(vm, src, name_of(vm, N_keys), &missing);
        if (keys == V_NULL) {
            ok = false;
            if (missing)
                ou_raise(vm, E_TYPE, "'%T' object is not a mapping", src);
        }
        xrelease(vm, keys);
    }
    ok = ok && ou_dict_update(vm, as_dict(R[A]), src);
    consume(vm, R, B);
    return ok;
}

static bool raise_repeated(VM *vm, Value callee, Value key)
{
    Value text = ou_callee_text(vm, callee);
    if (text != V_NULL)
        ou_raise(vm, E_TYPE, "%U got multiple values for keyword argument '%S'", text, key);
    xrelease(vm, text);
    return false;
}

/* One keyword argument; v V_NULL: the value is src[k]. CPython takes the KeyError of a __getitem__ for its own. */
static bool merge_item(VM *vm, Value *R, Ins i, Value k, Value v, Value src)
{
    if (ou_dict_get(vm, as_dict(R[A]), k) != V_NULL)
        return raise_repeated(vm, R[C], k);
    if (vm->exc != V_NULL)
        return false;
    v = v != V_NULL ? retain(v) : ou_getitem(vm, src, k);
    if (v == V_NULL && ou_exc_matches(vm, E_KEY)) {
        Value exc = ou_exc_take(vm);
        Tuple *args = as_tuple(as_exc(exc)->args);
        if (args->n == 1)
            raise_repeated(vm, R[C], args->items[0]);
        else
            ou_exc_restore(vm, retain(exc));
        release(vm, exc);
        return false;
    }
    bool ok = v != V_NULL && ou_dict_set(vm, as_dict(R[A]), k, v);
    xrelease(vm, v);
    return ok;
}

/* A mapping that is no dict: its keys() may name one twice. */
static bool merge_mapping(VM *vm, Value *R, Ins i, Value src)
{
    bool missing = false;
    Value f = ou_getattr_opt(vm, src, name_of(vm, N_keys), &missing);
    if (f == V_NULL && missing) {
        Value text = ou_callee_text(vm, R[C]);
        if (text != V_NULL)
            ou_raise(vm, E_TYPE, "%U argument after ** must be a mapping, not %T", text, src);
        xrelease(vm, text);
    }
    Value keys = f == V_NULL ? V_NULL : ou_call0(vm, f), list = keys == V_NULL ? V_NULL : ou_list_from(vm, keys);
    if (list == V_NULL && keys != V_NULL && ou_exc_matches(vm, E_TYPE) && !ou_type_of(vm, keys)->slots.iter) {
        ou_exc_clear(vm);
        ou_raise(vm, E_TYPE, "%T.keys() returned a non-iterable (type %T)", src, keys);
    }
    bool ok = list != V_NULL;
    for (uint32_t k = 0; ok && k < as_list(list)->n; k++)
        ok = merge_item(vm, R, i, as_list(list)->items[k], V_NULL, src);
    xrelease(vm, f);
    xrelease(vm, keys);
    xrelease(vm, list);
    return ok;
}

bool ou_do_dict_merge(VM *vm, Value *R, Ins i)
{
    Value src = retain(R[B]);
    bool ok = true;
    if (ou_is_a(vm, src, T_DICT) && ou_type_of(vm, src)->slots.iter == ou_builtin(vm, T_DICT)->slots.iter) {
        uint32_t pos = 0;
        Value k, v;
        while (ok && ou_dict_next(as_dict(src), &pos, &k, &v))
            ok = merge_item(vm, R, i, k, v, src);
    } else {
        ok = merge_mapping(vm, R, i, src);
    }
    release(vm, src);
    consume(vm, R, B);
    return ok;
}

bool ou_do_format_value(VM *vm, Value *R, Ins i)
{
    Value v = R[B], spec = D ? R[B + 1] : V_NULL;
    Value t = v;
    switch (C) {
    case 's': t = ou_str(vm, v); break;
    case 'r': t = ou_repr(vm, v); break;
    case 'a': t = ou_ascii(vm, v); break;
    default: retain(t);
    }
    Value out = V_NULL;
    if (t != V_NULL) {
        if (spec == V_NULL && is_str(t))
            out = retain(t);
        else
            out = ou_format(vm, t, spec == V_NULL ? vm->empty_str : spec);
    }
    xrelease(vm, t);
    consume(vm, R, B);
    if (spec != V_NULL)
        release(vm, spec);
    if (out == V_NULL)
        return false;
    put(vm, R, A, out);
    return true;
}

/* The items of R[A], which is released, as a list; with a star at least n of them, else exactly n. V_NULL raised. */
static Value unpack_list(VM *vm, Value *R, unsigned a, uint32_t n, bool star)
{
    Value o = R[a], list = V_NULL;
    Type *t = ou_type_of(vm, o);
    if (!t->slots.iter && !t->slots.getitem)
        ou_raise(vm, E_TYPE, "cannot unpack non-iterable %T object", o);
    else if (is_exact(o, T_LIST) || is_exact(o, T_TUPLE))
        list = ou_list_from(vm, o);
    else {
        Value it = ou_iter(vm, o); /* by its iterator: the object itself is not asked for its length */
        if (it != V_NULL && star)
            list = ou_list_from(vm, it);
        else if (it != V_NULL)
            list = ou_list_of(vm, NULL, 0);
        for (uint32_t k = 0; !star && list != V_NULL && k <= n; k++) { /* no further than it takes to see that there are too many */
            Value v = ou_next(vm, it);
            bool ok = v != V_NULL ? ou_list_append(vm, as_list(list), v) : vm->exc == V_NULL;
            xrelease(vm, v);
            if (!ok) {
                release(vm, list);
                list = V_NULL;
            } else if (v == V_NULL) {
                break;
            }
        }
        xrelease(vm, it);
    }
    release(vm, o);
    if (list == V_NULL)
        return V_NULL;
    uint32_t got = as_list(list)->n;
    if (got < n)
        ou_raise(vm, E_VALUE, star ? "not enough values to unpack (expected at least %d, got %d)"
                                   : "not enough values to unpack (expected %d, got %d)", (int)n, (int)got);
    else if (got > n && !star)
        ou_raise(vm, E_VALUE, "too many values to unpack (expected %d)", (int)n);
    else
        return list;
    release(vm, list);
    return V_NULL;
}

/* `before` items, the list between, `after` items. */
static bool spread(VM *vm, const List *l, uint32_t before, uint32_t after, Value *out)
{
    Value mid = ou_list_of(vm, l->items + before, l->n - before - after);
    if (mid == V_NULL)
        return false;
    for (uint32_t k = 0; k < before; k++)
        out[k] = retain(l->items[k]);
    out[before] = mid;
    for (uint32_t k = 0; k < after; k++)
        out[before + 1 + k] = retain(l->items[l->n - after + k]);
    return true;
}

bool ou_do_unpack_ex(VM *vm, Value *R, Ins i)
{
    Value list = unpack_list(vm, R, A, (uint32_t)B + C, true);
    bool ok = list != V_NULL && spread(vm, as_list(list), B, C, R + A);
    xrelease(vm, list);
    return ok;
}

bool ou_do_unpack_far(VM *vm, Value *R, Ins i)
{
    uint32_t n = (uint32_t)D;
    Value list = unpack_list(vm, R, A, C ? B + n : n, C), far = V_NULL;
    bool ok = list != V_NULL && (far = ou_far_new(vm, C ? B + 1 + n : n)) != V_NULL;
    Value *v = ok ? ((Far *)v_obj(far))->v : NULL;
    if (ok && C)
        ok = spread(vm, as_list(list), B, n, v);
    for (uint32_t k = 0; ok && !C && k < n; k++)
        v[k] = retain(as_list(list)->items[k]);
    xrelease(vm, list);
    if (ok)
        R[A] = far;
    else
        xrelease(vm, far);
    return ok;
}
