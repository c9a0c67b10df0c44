/* The instructions of the match statement: keys, rests, attributes of class patterns.
 * Entry points: the ou_do_ functions of misc.h, called by ou_slow_misc, under the rules of eval.c. */
#include "vm/misc.h"

#define A INS_A(i)
#define B INS_B(i)
#define C INS_C(i)

bool ou_do_match_keys(VM *vm, Value *R, Ins i)
{
    Value subject = R[B], keys = R[C];
    uint32_t n = as_tuple(keys)->n;
    Value values = V_NULL, get = V_NULL, seen = V_NULL, out = V_NULL, dummy = V_NULL;
    if (n == 0) {
        put(vm, R, A, retain(vm->empty_tuple));
        return true;
    }
    values = ou_tuple_new(vm, n);
    seen = ou_set_new(vm, T_SET);
    get = ou_getattr(vm, subject, name_of(vm, N_get));
    if (values == V_NULL || seen == V_NULL || get == V_NULL)
        goto done;
    dummy = ou_list_new(vm, 0); /* an object that no mapping holds */
    if (dummy == V_NULL)
        goto done;
    for (uint32_t k = 0; k < n; k++) {
        Value key = as_tuple(keys)->items[k];
        int dup = ou_set_has(vm, as_set(seen), key);
        if (dup > 0)
            ou_raise(vm, E_VALUE, "mapping pattern checks duplicate key (%R)", key);
        if (dup || !ou_set_add(vm, as_set(seen), key))
            goto done;
        Value v = ou_call2(vm, get, key, dummy);
        if (v == V_NULL)
            goto done;
        if (v == dummy) {
            release(vm, v);
            out = V_NONE;
            goto done;
        }
        set_owned(vm, &as_tuple(values)->items[k], v);
    }
    out = retain(values);
done:
    xrelease(vm, values);
    xrelease(vm, seen);
    xrelease(vm, get);
    xrelease(vm, dummy);
    if (out == V_NULL)
        return false;
    put(vm, R, A, out);
    return true;
}

bool ou_do_match_rest(VM *vm, Value *R, Ins i)
{
    Value d = ou_dict_new(vm);
    if (d == V_NULL)
        return false;
    bool ok = ou_dict_update(vm, as_dict(d), R[B]);
    Tuple *keys = as_tuple(R[C]);
    for (uint32_t k = 0; ok && k < keys->n; k++)
        ok = ou_dict_del(vm, as_dict(d), keys->items[k]) >= 0;
    if (!ok) {
        release(vm, d);
        return false;
    }
    put(vm, R, A, d);
    return true;
}

/* One attribute of a class pattern: 1 got it (owned), 0 the subject has none, -1 raised. */
static int match_attr(VM *vm, Value subject, Type *cls, Value name, Value seen, Value *out)
{
    int dup = ou_set_has(vm, as_set(seen), name);
    if (dup > 0)
        ou_raise(vm, E_TYPE, "%N() got multiple sub-patterns for attribute %R", cls, name);
    if (dup || !ou_set_add(vm, as_set(seen), name))
        return -1;
    bool missing;
    *out = ou_getattr_opt(vm, subject, as_str(name), &missing);
    return *out != V_NULL ? 1 : missing ? 0 : -1;
}

Value ou_do_match_class_values(VM *vm, Value subject, Value cls, Tuple *kw, unsigned npos)
{
    if (!ou_is_a(vm, cls, T_TYPE))
        return ou_raise(vm, E_TYPE, "called match pattern must be a class");
    Type *t = (Type *)v_obj(cls);
    int is = ou_isinstance(vm, subject, cls);
    if (is <= 0)
        return is < 0 ? V_NULL : V_NONE;
    Value values = ou_tuple_new(vm, npos + kw->n), seen = ou_set_new(vm, T_SET), out = V_NULL;
    if (values == V_NULL || seen == V_NULL)
        goto done;
    Value *items = as_tuple(values)->items;
    if (npos) {
        bool missing;
        Value args = ou_getattr_opt(vm, cls, name_of(vm, N_DU_match_args), &missing);
        if (args == V_NULL) {
            if (!missing)
                goto done;
            bool self = false;
            for (Type *b = t; b; b = b->base)
                self = self || (b->flags & TF_MATCH_SELF);
            unsigned allowed = self ? 1 : 0;
            if (npos > allowed) {
                ou_raise(vm, E_TYPE, "%N() accepts %d positional sub-pattern%s (%d given)", t, (int)allowed, allowed == 1 ? "" : "s", (int)npos);
                goto done;
            }
            items[0] = retain(subject);
        } else {
            if (!is_exact(args, T_TUPLE)) {
                ou_raise(vm, E_TYPE, "%N.__match_args__ must be a tuple (got %T)", t, args);
                release(vm, args);
                goto done;
            }
            if (npos > as_tuple(args)->n) {
                uint32_t n = as_tuple(args)->n;
                ou_raise(vm, E_TYPE, "%N() accepts %d positional sub-pattern%s (%d given)", t, (int)n, n == 1 ? "" : "s", (int)npos);
                release(vm, args);
                goto done;
            }
            for (unsigned k = 0; k < npos; k++) {
                Value name = as_tuple(args)->items[k], v;
                int got = -1;
                if (!is_str(name))
                    ou_raise(vm, E_TYPE, "__match_args__ elements must be strings (got %T)", name);
                else
                    got = match_attr(vm, subject, t, name, seen, &v);
                if (got <= 0) {
                    out = got < 0 ? V_NULL : V_NONE;
                    release(vm, args);
                    goto done;
                }
                items[k] = v;
            }
            release(vm, args);
        }
    }
    for (uint32_t k = 0; k < kw->n; k++) {
        Value v;
        int got = match_attr(vm, subject, t, kw->items[k], seen, &v);
        if (got <= 0) {
            out = got < 0 ? V_NULL : V_NONE;
            goto done;
        }
        items[npos + k] = v;
    }
    out = retain(values);
done:
    xrelease(vm, values);
    xrelease(vm, seen);
    return out;
}

/* Is v a sequence (or a mapping) for patterns? Its class has inherited the flag or got it by registration with an abstract
 * class of collections.abc. */
bool ou_do_match_collection(VM *vm, Value v, bool sequence)
{
    return (ou_type_of(vm, v)->flags & (sequence ? TF_SEQUENCE : TF_MAPPING)) != 0;
}
