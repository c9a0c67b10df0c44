/* Values between host and scripts: making, reading, attributes, items, errors. */
#include <stdarg.h>
#include <stdio.h>

#include "runtime/api/api.h"
#include "runtime/objects/bytes.h"

#define ARG(name, handle)                                                                                                        \
    Value name = ou_api_get(vm, handle);                                                                                         \
    if (name == V_NULL)                                                                                                          \
    return OURO_MISUSE

ouro_val ouro_none(ouro_vm *vm)
{
    ouro_val out = {0};
    ou_api_give(vm, V_NONE, &out);
    return out;
}

ouro_val ouro_bool(ouro_vm *vm, bool b)
{
    ouro_val out = {0};
    ou_api_give(vm, v_bool(b), &out);
    return out;
}

ouro_rc ouro_int(ouro_vm *vm, int64_t i, ouro_val *out) { return ou_api_give(vm, ou_int(vm, i), out); }
ouro_rc ouro_float(ouro_vm *vm, double d, ouro_val *out) { return ou_api_give(vm, v_float(d), out); }
ouro_rc ouro_bytes(ouro_vm *vm, const void *p, size_t n, ouro_val *out) { return ou_api_give(vm, ou_bytes_new(vm, p, n), out); }
ouro_rc ouro_dict(ouro_vm *vm, ouro_val *out) { return ou_api_give(vm, ou_dict_new(vm), out); }

ouro_rc ouro_str(ouro_vm *vm, const char *utf8, size_t n, ouro_val *out)
{
    return ou_api_give(vm, ou_str_decode(vm, utf8, n, "utf-8", "strict"), out);
}

ouro_rc ouro_list(ouro_vm *vm, int n, const ouro_val *items, ouro_val *out)
{
    Value l = ou_list_new(vm, n > 0 ? (size_t)n : 0);
    for (int k = 0; l != V_NULL && k < n; k++) {
        Value v = ou_api_get(vm, items[k]);
        if (v == V_NULL) {
            release(vm, l);
            return OURO_MISUSE;
        }
        if (!ou_list_append(vm, as_list(l), v)) {
            release(vm, l);
            l = V_NULL;
        }
    }
    return ou_api_give(vm, l, out);
}

ouro_rc ouro_to_int(ouro_vm *vm, ouro_val v, int64_t *out)
{
    ARG(x, v);
    ou_api_enter(vm);
    Value i = ou_index(vm, x);
    bool ok = i != V_NULL && ou_int_i64(vm, i, out);
    xrelease(vm, i);
    return ou_api_leave(vm, ou_api_rc(vm, ok));
}

ouro_rc ouro_to_float(ouro_vm *vm, ouro_val v, double *out)
{
    ARG(x, v);
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_rc(vm, ou_to_double(vm, x, out)));
}

ouro_rc ouro_to_str(ouro_vm *vm, ouro_val v, const char **utf8, size_t *n)
{
    ARG(x, v);
    if (!ou_is_a(vm, x, T_STR)) {
        ou_raise(vm, E_TYPE, "expected str, got %T", x);
        return OURO_EXC;
    }
    *utf8 = as_str(x)->data;
    *n = as_str(x)->size;
    return OURO_OK;
}

ouro_rc ouro_text(ouro_vm *vm, ouro_val v, ouro_val *out)
{
    ARG(x, v);
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_give(vm, ou_str(vm, x), out));
}

bool ouro_truthy(ouro_vm *vm, ouro_val v)
{
    Value x = ou_api_get(vm, v);
    if (x == V_NULL)
        return false;
    ou_api_enter(vm);
    int t = ou_truth(vm, x);
    ou_api_leave_quiet(vm);
    if (t < 0)
        ou_exc_clear(vm);
    return t > 0;
}

bool ouro_is_none(ouro_vm *vm, ouro_val v) { return ou_api_get(vm, v) == V_NONE; }

TypeId ou_api_type(const char *name)
{
    static const struct {
        const char *name;
        TypeId id;
    } rows[] = {
        {"object", T_OBJECT}, {"type", T_TYPE},     {"int", T_INT},     {"bool", T_BOOL},           {"float", T_FLOAT},
        {"str", T_STR},       {"bytes", T_BYTES},   {"tuple", T_TUPLE}, {"list", T_LIST},           {"dict", T_DICT},
        {"set", T_SET},       {"NoneType", T_NONE}, {"complex", T_COMPLEX}, {"bytearray", T_BYTEARRAY}, {"frozenset", T_FROZENSET},
        {"function", T_FUNCTION}, {"coroutine", T_COROUTINE}, {"generator", T_GENERATOR}, {"module", T_MODULE},
        {"Future", T_FUTURE}, {"Task", T_TASK},
#define ERROR(id, name, parent, layout) {#name, E_##id},
#include "runtime/objects/errors.def"
#undef ERROR
    };
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        if (strcmp(rows[k].name, name) == 0)
            return rows[k].id;
    return T_COUNT;
}

bool ouro_is(ouro_vm *vm, ouro_val v, const char *type_name)
{
    Value x = ou_api_get(vm, v);
    TypeId id = ou_api_type(type_name);
    return x != V_NULL && id != T_COUNT && ou_is_a(vm, x, id);
}

ouro_rc ouro_get_attr(ouro_vm *vm, ouro_val v, const char *name, ouro_val *out)
{
    ARG(x, v);
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_give(vm, ou_getattr_c(vm, x, name), out));
}

ouro_rc ouro_set_attr(ouro_vm *vm, ouro_val v, const char *name, ouro_val x)
{
    ARG(o, v);
    ARG(y, x);
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_rc(vm, ou_setattr_c(vm, o, name, y)));
}

ouro_rc ouro_get_item(ouro_vm *vm, ouro_val v, ouro_val key, ouro_val *out)
{
    ARG(o, v);
    ARG(k, key);
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_give(vm, ou_getitem(vm, o, k), out));
}

ouro_rc ouro_set_item(ouro_vm *vm, ouro_val v, ouro_val key, ouro_val x)
{
    ARG(o, v);
    ARG(k, key);
    ARG(y, x);
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_rc(vm, ou_setitem(vm, o, k, y)));
}

ouro_rc ouro_iter(ouro_vm *vm, ouro_val v, ouro_val *out)
{
    ARG(o, v);
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_give(vm, ou_iter(vm, o), out));
}

ouro_rc ouro_next(ouro_vm *vm, ouro_val it, ouro_val *out, bool *done)
{
    ARG(o, it);
    ou_api_enter(vm);
    Value v = ou_next(vm, o);
    *done = v == V_NULL && vm->exc == V_NULL;
    return ou_api_leave(vm, *done ? OURO_OK : ou_api_give(vm, v, out));
}

/* ---- errors ---- */

ouro_rc ouro_raise(ouro_vm *vm, const char *type_name, const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    TypeId id = ou_api_type(type_name);
    ou_raise(vm, id < T_ERROR_FIRST || id == T_COUNT ? E_RUNTIME : id, "%s", text);
    return OURO_EXC;
}

ouro_rc ouro_raise_val(ouro_vm *vm, ouro_val exc)
{
    ARG(x, exc);
    ou_api_enter(vm);
    Value e = ou_exc_normalize(vm, x);
    if (e != V_NULL) {
        ou_raise_value(vm, e);
        release(vm, e);
    }
    return ou_api_leave(vm, OURO_EXC);
}

bool ouro_exc_pending(const ouro_vm *vm) { return vm->exc != V_NULL; }

ouro_rc ouro_exc_take(ouro_vm *vm, ouro_val *exc)
{
    if (vm->exc == V_NULL)
        return OURO_MISUSE;
    return ou_api_give(vm, ou_exc_take(vm), exc);
}

bool ouro_exc_is(ouro_vm *vm, ouro_val exc, const char *type_name) { return ouro_is(vm, exc, type_name); }

ouro_rc ouro_exc_format(ouro_vm *vm, ouro_val exc, ouro_val *text)
{
    ARG(x, exc);
    if (!ou_is_a(vm, x, E_BASE_EXCEPTION))
        return OURO_MISUSE;
    ou_api_enter(vm);
    return ou_api_leave(vm, ou_api_give(vm, ou_exc_format(vm, x, true), text));
}
