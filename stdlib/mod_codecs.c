/* The module _codecs: what the module codecs builds on.
 * Entry points: ou_mod__codecs. The one thing to know: registered error handlers and search functions live in sys.__dict__,
 * where codecs.c and codecs_errors.c look them up. */
#include "runtime/objects/bytes.h"
#include "runtime/objects/codecs.h"
#include "stdlib/stdlib.h"

static const char *text(Value v, const char *dflt) { return v == V_NULL || v == V_NONE ? dflt : as_str(v)->data; }

static bool str_args(VM *vm, const Value *args, int from, int to)
{
    for (int i = from; i <= to; i++) {
        if (args[i] != V_NULL && args[i] != V_NONE && !ou_is_a(vm, args[i], T_STR)) {
            ou_raise(vm, E_TYPE, "argument %d must be str, not %K", i + 1, args[i]);
            return false;
        }
    }
    return true;
}

static Value codecs_encode(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!str_args(vm, args, 1, 2))
        return V_NULL;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "encode() argument 1 must be str, not %K", args[0]);
    return ou_str_encode(vm, args[0], text(args[1], "utf-8"), text(args[2], NULL));
}

static Value codecs_decode(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    if (!str_args(vm, args, 1, 2) || !ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    Value r = ou_str_decode(vm, (const char *)b.p, (size_t)b.n, text(args[1], "utf-8"), text(args[2], NULL));
    ou_buffer_release(vm, &b);
    return r;
}

/* decode_partial(data, encoding, errors, final) -> (text, number of bytes used) */
static Value codecs_decode_partial(VM *vm, const Value *args, int n)
{
    (void)n;
    Buffer b;
    int final = args[3] == V_NULL ? 0 : ou_truth(vm, args[3]);
    if (final < 0 || !str_args(vm, args, 1, 2) || !ou_buffer_get(vm, args[0], &b, false))
        return V_NULL;
    size_t used;
    Value s = ou_str_decode_partial(vm, (const char *)b.p, (size_t)b.n, text(args[1], "utf-8"), text(args[2], NULL), final, &used);
    ou_buffer_release(vm, &b);
    if (s == V_NULL)
        return V_NULL;
    Value pair[2] = {s, v_smallint((int64_t)used)};
    return ou_tuple_take(vm, pair, 2);
}

static Value codecs_canonical(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "lookup() argument must be str, not %K", args[0]);
    const char *name = ou_codec_name(as_str(args[0])->data);
    return name ? ou_str_c(vm, name) : V_NONE;
}

/* The object in sys.__dict__ under that name, made by `make` when it is missing. Borrowed. */
static Value registry(VM *vm, const char *name, bool dict)
{
    Value v = ou_dict_get_c(vm, vm->sysdict, name);
    if (v != V_NULL || vm->exc != V_NULL)
        return v;
    v = dict ? ou_dict_new(vm) : ou_list_new(vm, 0);
    if (v == V_NULL)
        return V_NULL;
    bool ok = ou_dict_set_c(vm, vm->sysdict, name, v);
    release(vm, v);
    return ok ? v : V_NULL;
}

static Value codecs_register_error(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "register_error() argument 1 must be str, not %K", args[0]);
    if (!ou_type_of(vm, args[1])->slots.call)
        return ou_raise(vm, E_TYPE, "handler must be callable");
    Value d = registry(vm, "_codec_errors", true);
    return d != V_NULL && ou_dict_set(vm, as_dict(d), args[0], args[1]) ? V_NONE : V_NULL;
}

static Value codecs_registered_error(VM *vm, const Value *args, int n)
{
    (void)n;
    Value d = registry(vm, "_codec_errors", true);
    Value v = d == V_NULL ? V_NULL : ou_dict_get(vm, as_dict(d), args[0]);
    return v != V_NULL ? retain(v) : vm->exc == V_NULL ? V_NONE : V_NULL;
}

static Value codecs_register(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_type_of(vm, args[0])->slots.call)
        return ou_raise(vm, E_TYPE, "argument must be callable");
    Value l = registry(vm, "_codec_search", false);
    return l != V_NULL && ou_list_append(vm, as_list(l), args[0]) ? V_NONE : V_NULL;
}

static Value codecs_search_functions(VM *vm, const Value *args, int n)
{
    (void)args, (void)n;
    Value l = registry(vm, "_codec_search", false);
    return l == V_NULL ? V_NULL : retain(l);
}

static const NativeDef codecs_defs[] = {
    {"encode(obj, encoding='utf-8', errors='strict')", codecs_encode, NULL, 0},
    {"decode(obj, encoding='utf-8', errors='strict')", codecs_decode, NULL, 0},
    {"decode_partial(data, encoding='utf-8', errors='strict', final=False)", codecs_decode_partial, NULL, 0},
    {"canonical(encoding, /)", codecs_canonical, NULL, 0},
    {"register_error(errors, handler, /)", codecs_register_error, NULL, 0},
    {"registered_error(name, /)", codecs_registered_error, NULL, 0},
    {"register(search_function, /)", codecs_register, NULL, 0},
    {"search_functions()", codecs_search_functions, NULL, 0},
    {0}};

bool ou_mod__codecs(VM *vm, Module *m) { return ou_module_add(vm, m, codecs_defs); }
