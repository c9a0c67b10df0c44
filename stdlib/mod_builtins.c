/* The functions of the builtins namespace; those that run code (eval, exec, compile, __import__ ...) are in
 * mod_builtins_code.c, print and input in mod_builtins_io.c. Entry point: ou_builtins_boot.
 * The one thing to know: the namespace is vm->builtins, a dict that the module object `builtins` shares. */
#include "stdlib/builtins.h"

#include <math.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/import.h"
#include "vm/call.h"
#include "vm/coro.h"

/* ---- numbers ---------------------------------------------------------------------------------------------------------- */

static Value builtin_abs(VM *vm, const Value *args, int n)
{
    (void)n;
    if (is_small(args[0]) && v_small(args[0]) != SMALL_MIN)
        return v_smallint(v_small(args[0]) < 0 ? -v_small(args[0]) : v_small(args[0]));
    return ou_unary(vm, UN_ABS, args[0]);
}

static Value text_in_base(VM *vm, Value v, int base)
{
    Value i = ou_index(vm, v);
    if (i == V_NULL)
        return V_NULL;
    Value s = ou_int_text(vm, i, base, true);
    release(vm, i);
    return s;
}

static Value builtin_bin(VM *vm, const Value *args, int n) { return (void)n, text_in_base(vm, args[0], 2); }
static Value builtin_oct(VM *vm, const Value *args, int n) { return (void)n, text_in_base(vm, args[0], 8); }
static Value builtin_hex(VM *vm, const Value *args, int n) { return (void)n, text_in_base(vm, args[0], 16); }

static Value builtin_divmod(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_binary(vm, BIN_DIVMOD, args[0], args[1]);
}

static Value builtin_pow(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_power(vm, args[0], args[1], args[2] == V_NULL ? V_NONE : args[2]);
}

static Value builtin_round(VM *vm, const Value *args, int n)
{
    (void)n;
    Value f = ou_lookup_special(vm, args[0], name_of(vm, N_DU_round));
    if (f == V_NULL)
        return vm->exc != V_NULL ? V_NULL : ou_raise(vm, E_TYPE, "type %T doesn't define __round__ method", args[0]);
    bool digits = args[1] != V_NULL && args[1] != V_NONE;
    Value r = ou_call(vm, f, args + 1, digits, NULL);
    release(vm, f);
    return r;
}

static Value builtin_hash(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t h;
    return ou_hash(vm, args[0], &h) ? ou_int(vm, h) : V_NULL;
}

static Value builtin_id(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_int_u64(vm, args[0]);
}

static Value builtin_chr(VM *vm, const Value *args, int n)
{
    (void)n;
    Value i = ou_index(vm, args[0]);
    if (i == V_NULL)
        return V_NULL;
    int64_t c = -1;
    bool fits = ou_int_fits_i64(vm, i, &c);
    release(vm, i);
    if (!fits || c < 0 || c > 0x10FFFF)
        return ou_raise(vm, E_VALUE, "chr() arg not in range(0x110000)");
    return ou_str_char(vm, (uint32_t)c);
}

static Value builtin_ord(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = args[0];
    int64_t len;
    if (ou_is_a(vm, v, T_STR)) {
        len = as_str(v)->length;
        if (len == 1)
            return v_smallint(ou_str_at(vm, as_str(v), 0));
    } else if (ou_is_a(vm, v, T_BYTES)) {
        len = as_bytes(v)->n;
        if (len == 1)
            return v_smallint(as_bytes(v)->data[0]);
    } else if (ou_is_a(vm, v, T_BYTEARRAY)) {
        len = ((ByteArray *)v_obj(v))->n;
        if (len == 1)
            return v_smallint(((ByteArray *)v_obj(v))->data[0]);
    } else {
        return ou_raise(vm, E_TYPE, "ord() expected string of length 1, but %T found", v);
    }
    return ou_raise(vm, E_TYPE, "ord() expected a character, but string of length %ld found", len);
}

/* ---- sum: ints in an int64, then floats with Neumaier's compensation, then anything ------------------------------------- */

static Value sum_ints(VM *vm, Value it, Value *acc)
{
    int64_t total = 0;
    Value v;
    ou_int_fits_i64(vm, *acc, &total);
    while ((v = ou_next(vm, it)) != V_NULL) {
        int64_t x, r;
        if (is_small(v) && !__builtin_add_overflow(total, v_small(v), &r)) {
            total = r;
            continue;
        }
        if (is_bool(v) || (is_exact(v, T_INT) && ou_int_fits_i64(vm, v, &x))) {
            x = is_bool(v) ? v == V_TRUE : x;
            if (!__builtin_add_overflow(total, x, &r)) {
                total = r;
                release(vm, v);
                continue;
            }
        }
        break;
    }
    *acc = ou_int(vm, total);
    return v;
}

static Value sum_floats(VM *vm, Value it, Value *acc)
{
    double total = v_double(*acc), comp = 0.0;
    Value v;
    while ((v = ou_next(vm, it)) != V_NULL) {
        if (is_float(v)) {
            double x = v_double(v), t = total + x;
            comp += fabs(total) >= fabs(x) ? (total - t) + x : (x - t) + total;
            total = t;
        } else if (is_small(v)) {
            total += (double)v_small(v);
        } else {
            break;
        }
    }
    if (comp != 0.0 && isfinite(comp))
        total += comp;
    *acc = v_float(total);
    return v;
}

static Value builtin_sum(VM *vm, const Value *args, int n)
{
    (void)n;
    Value acc = args[1] == V_NULL ? V_INT0 : args[1];
    Value it = ou_iter(vm, args[0]);
    if (it == V_NULL)
        return V_NULL;
    const char *texts = ou_is_a(vm, acc, T_STR)         ? "strings [use ''.join(seq) instead]"
                        : ou_is_a(vm, acc, T_BYTES)     ? "bytes [use b''.join(seq) instead]"
                        : ou_is_a(vm, acc, T_BYTEARRAY) ? "bytearray [use b''.join(seq) instead]"
                                                        : NULL;
    if (texts) {
        release(vm, it);
        return ou_raise(vm, E_TYPE, "sum() can't sum %s", texts);
    }
    retain(acc);
    for (;;) {
        int64_t x;
        Value v, old = acc;
        if (is_small(acc) || (is_exact(acc, T_INT) && ou_int_fits_i64(vm, acc, &x))) {
            v = sum_ints(vm, it, &acc);
            release(vm, old);
        } else if (is_float(acc)) {
            v = sum_floats(vm, it, &acc);
        } else {
            v = ou_next(vm, it);
        }
        if (acc == V_NULL || v == V_NULL) {
            xrelease(vm, v);
            break;
        }
        old = acc;
        acc = ou_binary(vm, BIN_ADD, acc, v);
        release(vm, v);
        release(vm, old);
        if (acc == V_NULL)
            break;
    }
    release(vm, it);
    if (vm->exc != V_NULL) {
        xrelease(vm, acc);
        return V_NULL;
    }
    return acc;
}

/* ---- min, max, any, all, sorted -------------------------------------------------------------------------------------------- */

static Value min_max(VM *vm, const Value *args, CmpOp op, const char *name)
{
    Tuple *pos = as_tuple(args[0]);
    Value key = args[1] == V_NULL ? V_NONE : args[1], dflt = args[2];
    if (pos->n == 0)
        return ou_raise(vm, E_TYPE, "%s expected at least 1 argument, got 0", name);
    if (pos->n > 1 && dflt != V_NULL)
        return ou_raise(vm, E_TYPE, "Cannot specify a default for %s() with multiple positional arguments", name);
    Value it = ou_iter(vm, pos->n > 1 ? v_of(pos) : pos->items[0]);
    if (it == V_NULL)
        return V_NULL;
    Value best = V_NULL, best_key = V_NULL, v;
    while ((v = ou_next(vm, it)) != V_NULL) {
        Value k = key == V_NONE ? retain(v) : ou_call1(vm, key, v);
        int better = 1;
        if (k == V_NULL) {
            release(vm, v);
            break;
        }
        if (best != V_NULL)
            better = ou_compare_bool(vm, k, best_key, op);
        if (better > 0) {
            set_owned(vm, &best, v);
            set_owned(vm, &best_key, k);
        } else {
            release(vm, v);
            release(vm, k);
            if (better < 0)
                break;
        }
    }
    release(vm, it);
    xrelease(vm, best_key);
    if (vm->exc != V_NULL) {
        xrelease(vm, best);
        return V_NULL;
    }
    if (best == V_NULL)
        return dflt != V_NULL ? retain(dflt) : ou_raise(vm, E_VALUE, "%s() iterable argument is empty", name);
    return best;
}

/* max(a, b): no key, no default. The arguments are the caller's registers, so a comparison cannot take them away. */
static Value best_of(VM *vm, const Value *args, int n, CmpOp op)
{
    Value best = args[0];
    for (int k = 1; k < n; k++) {
        int better = ou_compare_bool(vm, args[k], best, op);
        if (better < 0)
            return V_NULL;
        if (better)
            best = args[k];
    }
    return retain(best);
}

static Value min_max_call(VM *vm, const Value *args, int n, CmpOp op, const char *name)
{
    if (n >= 0)
        return min_max(vm, args, op, name);
    n = ~n;
    if (n > 1)
        return best_of(vm, args, n, op);
    Value bound[3] = {ou_tuple_of(vm, args, (size_t)n), V_NULL, V_NULL};
    if (bound[0] == V_NULL)
        return V_NULL;
    Value v = min_max(vm, bound, op, name);
    release(vm, bound[0]);
    return v;
}

static Value builtin_min(VM *vm, const Value *args, int n) { return min_max_call(vm, args, n, CMP_LT, "min"); }
static Value builtin_max(VM *vm, const Value *args, int n) { return min_max_call(vm, args, n, CMP_GT, "max"); }

static Value any_all(VM *vm, Value iterable, int stop)
{
    Value it = ou_iter(vm, iterable), v;
    if (it == V_NULL)
        return V_NULL;
    while ((v = ou_next(vm, it)) != V_NULL) {
        int truth = ou_truth(vm, v);
        release(vm, v);
        if (truth < 0)
            break;
        if (truth == stop) {
            release(vm, it);
            return v_bool(stop);
        }
    }
    release(vm, it);
    return vm->exc != V_NULL ? V_NULL : v_bool(!stop);
}

static Value builtin_any(VM *vm, const Value *args, int n) { return (void)n, any_all(vm, args[0], 1); }
static Value builtin_all(VM *vm, const Value *args, int n) { return (void)n, any_all(vm, args[0], 0); }

static Value builtin_sorted(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *given = as_tuple(args[0]);
    if (given->n != 1)
        return ou_raise(vm, E_TYPE, "sorted expected 1 argument, got %d", (int)given->n);
    int reverse = args[2] == V_NULL ? 0 : ou_truth(vm, args[2]);
    if (reverse < 0)
        return V_NULL;
    Value list = ou_list_from(vm, given->items[0]);
    if (list == V_NULL)
        return V_NULL;
    if (!ou_list_sort(vm, as_list(list), args[1] == V_NULL ? V_NONE : args[1], reverse)) {
        release(vm, list);
        return V_NULL;
    }
    return list;
}

/* ---- iteration ------------------------------------------------------------------------------------------------------------------- */

static Value builtin_iter(VM *vm, const Value *args, int n)
{
    if (n == 1)
        return ou_iter(vm, args[0]);
    if (!ou_type_of(vm, args[0])->slots.call)
        return ou_raise(vm, E_TYPE, "iter(v, w): v must be callable");
    return ou_call_iter_new(vm, args[0], args[1]);
}

static Value builtin_next(VM *vm, const Value *args, int n)
{
    Type *t = ou_type_of(vm, args[0]);
    if (!t->slots.next)
        return ou_raise(vm, E_TYPE, "'%T' object is not an iterator", args[0]);
    Value v = t->slots.next(vm, args[0]);
    if (v != V_NULL)
        return v;
    if (n == 1)
        return vm->exc != V_NULL ? V_NULL : ou_raise_stop(vm, V_NONE);
    if (vm->exc != V_NULL) {
        if (!ou_exc_matches(vm, E_STOP_ITERATION))
            return V_NULL;
        ou_exc_clear(vm);
    }
    return retain(args[1]);
}

static Value builtin_aiter(VM *vm, const Value *args, int n)
{
    (void)n;
    Type *t = ou_type_of(vm, args[0]);
    if (!t->slots.aiter)
        return ou_raise(vm, E_TYPE, "'%T' object is not an async iterable", args[0]);
    Value it = t->slots.aiter(vm, args[0]);
    if (it != V_NULL && !ou_type_of(vm, it)->slots.anext) {
        ou_raise(vm, E_TYPE, "aiter() returned not an async iterator of type '%T'", it);
        release(vm, it);
        return V_NULL;
    }
    return it;
}

static Value builtin_anext(VM *vm, const Value *args, int n)
{
    Type *t = ou_type_of(vm, args[0]);
    if (!t->slots.anext)
        return ou_raise(vm, E_TYPE, "'%T' object is not an async iterator", args[0]);
    Value aw = t->slots.anext(vm, args[0]);
    if (aw == V_NULL || n == 1)
        return aw;
    Value r = ou_anext_default(vm, aw, args[1]);
    release(vm, aw);
    return r;
}

static Value builtin_len(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t len = ou_len(vm, args[0]);
    return len < 0 ? V_NULL : ou_int(vm, len);
}

/* ---- objects ---------------------------------------------------------------------------------------------------------------------- */

static Value builtin_repr(VM *vm, const Value *args, int n) { return (void)n, ou_repr(vm, args[0]); }
static Value builtin_ascii(VM *vm, const Value *args, int n) { return (void)n, ou_ascii(vm, args[0]); }

static Value builtin_format(VM *vm, const Value *args, int n)
{
    if (n > 1 && !ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "format() argument 2 must be str, not %K", args[1]);
    return ou_format(vm, args[0], n > 1 ? args[1] : vm->empty_str);
}

static Value builtin_callable(VM *vm, const Value *args, int n)
{
    (void)n;
    return v_bool(ou_type_of(vm, args[0])->slots.call != NULL);
}

static Value builtin_isinstance(VM *vm, const Value *args, int n)
{
    (void)n;
    int r = ou_isinstance(vm, args[0], args[1]);
    return r < 0 ? V_NULL : v_bool(r);
}

static Value builtin_issubclass(VM *vm, const Value *args, int n)
{
    (void)n;
    int r = ou_issubclass(vm, args[0], args[1]);
    return r < 0 ? V_NULL : v_bool(r);
}

/* Interned, owned; NULL raised. */
static Str *attr_name(VM *vm, Value v)
{
    if (!ou_is_a(vm, v, T_STR)) {
        ou_raise(vm, E_TYPE, "attribute name must be string, not '%T'", v);
        return NULL;
    }
    return ou_intern_str(vm, as_str(v));
}

static Value builtin_getattr(VM *vm, const Value *args, int n)
{
    Str *name = attr_name(vm, args[1]);
    if (!name)
        return V_NULL;
    bool missing = false;
    Value v = n == 2 ? ou_getattr(vm, args[0], name) : ou_getattr_opt(vm, args[0], name, &missing);
    obj_release(vm, name);
    return v == V_NULL && missing ? retain(args[2]) : v;
}

static Value builtin_hasattr(VM *vm, const Value *args, int n)
{
    (void)n;
    Str *name = attr_name(vm, args[1]);
    if (!name)
        return V_NULL;
    bool missing = false;
    Value v = ou_getattr_opt(vm, args[0], name, &missing);
    obj_release(vm, name);
    if (v == V_NULL)
        return missing ? V_FALSE : V_NULL;
    release(vm, v);
    return V_TRUE;
}

static Value builtin_setattr(VM *vm, const Value *args, int n)
{
    (void)n;
    Str *name = attr_name(vm, args[1]);
    bool ok = name && ou_setattr(vm, args[0], name, args[2]);
    if (name)
        obj_release(vm, name);
    return ok ? V_NONE : V_NULL;
}

static Value builtin_delattr(VM *vm, const Value *args, int n)
{
    (void)n;
    Str *name = attr_name(vm, args[1]);
    bool ok = name && ou_setattr(vm, args[0], name, V_NULL);
    if (name)
        obj_release(vm, name);
    return ok ? V_NONE : V_NULL;
}

static Value sorted_names(VM *vm, Value iterable)
{
    Value list = iterable == V_NULL ? V_NULL : ou_list_from(vm, iterable);
    xrelease(vm, iterable);
    if (list != V_NULL && !ou_list_sort(vm, as_list(list), V_NONE, false)) {
        release(vm, list);
        return V_NULL;
    }
    return list;
}

static Value builtin_dir(VM *vm, const Value *args, int n)
{
    if (n == 0) {
        Value locals = ou_current_locals(vm);
        if (locals != V_NULL && !ou_is_a(vm, locals, T_DICT)) {
            Value keys = ou_call_method_c(vm, locals, "keys", NULL, 0);
            release(vm, locals);
            locals = keys;
        }
        return sorted_names(vm, locals);
    }
    Value f = ou_lookup_special(vm, args[0], name_of(vm, N_DU_dir));
    if (f == V_NULL)
        return vm->exc != V_NULL ? V_NULL : ou_raise(vm, E_TYPE, "object does not provide __dir__");
    Value names = ou_call0(vm, f);
    release(vm, f);
    return sorted_names(vm, names);
}

static Value builtin_vars(VM *vm, const Value *args, int n)
{
    if (n == 0)
        return ou_current_locals(vm);
    bool missing = false;
    Value d = ou_getattr_opt(vm, args[0], name_of(vm, N_DU_dict), &missing);
    if (d == V_NULL && missing)
        ou_raise(vm, E_TYPE, "vars() argument must have __dict__ attribute");
    return d;
}

/* What exit and quit are: `exit` typed at a prompt prints how to leave, exit() raises SystemExit. */
static Value builtin_exit(VM *vm, const Value *args, int n)
{
    return ou_raise_args(vm, E_SYSTEM_EXIT, args, n);
}

static const NativeDef functions[] = {
    {"abs(x, /)", builtin_abs, "Return the absolute value of the argument.", ND_ABS},
    {"aiter(async_iterable, /)", builtin_aiter, "Return an AsyncIterator for an AsyncIterable object.", 0},
    {"all(iterable, /)", builtin_all, "Return True if bool(x) is True for all values x in the iterable.", 0},
    {"anext(aiterator, default=None, /)", builtin_anext, "Return the next item from the async iterator.", 0},
    {"any(iterable, /)", builtin_any, "Return True if bool(x) is True for any x in the iterable.", 0},
    {"ascii(obj, /)", builtin_ascii, "Return an ASCII-only representation of an object.", 0},
    {"bin(number, /)", builtin_bin, "Return the binary representation of an integer.", 0},
    {"callable(obj, /)", builtin_callable, "Return whether the object is callable.", 0},
    {"chr(i, /)", builtin_chr, "Return a Unicode string of one character with ordinal i.", 0},
    {"delattr(obj, name, /)", builtin_delattr, "Deletes the named attribute from the given object.", 0},
    {"dir(object=None, /)", builtin_dir, "The names in the current scope, or the attributes of the object.", 0},
    {"divmod(x, y, /)", builtin_divmod, "Return the tuple (x//y, x%y).", 0},
    {"exit(code=None, /)", builtin_exit, "Leave the program: raises SystemExit(code).", 0},
    {"format(value, format_spec='', /)", builtin_format, "Return value.__format__(format_spec).", 0},
    {"getattr(object, name, default=None, /)", builtin_getattr, "Get a named attribute from an object.", 0},
    {"hasattr(obj, name, /)", builtin_hasattr, "Return whether the object has an attribute with the given name.", 0},
    {"hash(obj, /)", builtin_hash, "Return the hash value for the given object.", 0},
    {"hex(number, /)", builtin_hex, "Return the hexadecimal representation of an integer.", 0},
    {"id(obj, /)", builtin_id, "Return the identity of an object.", 0},
    {"isinstance(obj, class_or_tuple, /)", builtin_isinstance,
     "Return whether an object is an instance of a class or of a subclass thereof.", 0},
    {"issubclass(cls, class_or_tuple, /)", builtin_issubclass, "Return whether 'cls' is derived from another class or is the same class.",
     0},
    {"iter(object, sentinel=None, /)", builtin_iter, "Get an iterator from an object.", ND_ITER},
    {"len(obj, /)", builtin_len, "Return the number of items in a container.", ND_LEN},
    {"max(*args, key=None, default=None)", builtin_max, "The biggest item.", ND_RAW},
    {"min(*args, key=None, default=None)", builtin_min, "The smallest item.", ND_RAW},
    {"next(iterator, default=None, /)", builtin_next, "Return the next item from the iterator.", ND_NEXT},
    {"oct(number, /)", builtin_oct, "Return the octal representation of an integer.", 0},
    {"ord(c, /)", builtin_ord, "Return the Unicode code point for a one-character string.", 0},
    {"pow(base, exp, mod=None)", builtin_pow, "base**exp, or base**exp % mod.", 0},
    {"quit(code=None, /)", builtin_exit, "Leave the program: raises SystemExit(code).", 0},
    {"repr(obj, /)", builtin_repr, "Return the canonical string representation of the object.", 0},
    {"round(number, ndigits=None)", builtin_round, "Round a number to a given precision in decimal digits.", 0},
    {"setattr(obj, name, value, /)", builtin_setattr, "Sets the named attribute on the given object to the specified value.", 0},
    {"sorted(*iterable, key=None, reverse=False)", builtin_sorted,
     "Return a new list containing all items from the iterable in ascending order.", 0},
    {"sum(iterable, /, start=0)", builtin_sum, "Return the sum of a 'start' value plus an iterable of numbers", 0},
    {"vars(object=None, /)", builtin_vars, "The __dict__ of the object, or locals().", 0},
    {0},
};

static const struct {
    const char *name;
    TypeId id;
} types[] = {
    {"bool", T_BOOL}, {"bytearray", T_BYTEARRAY}, {"bytes", T_BYTES}, {"classmethod", T_CLASSMETHOD},
    {"complex", T_COMPLEX}, {"dict", T_DICT}, {"enumerate", T_ENUMERATE}, {"filter", T_FILTER}, {"float", T_FLOAT},
    {"frozenset", T_FROZENSET}, {"int", T_INT}, {"list", T_LIST}, {"map", T_MAP}, {"memoryview", T_MEMORYVIEW},
    {"object", T_OBJECT}, {"property", T_PROPERTY}, {"range", T_RANGE}, {"reversed", T_REVERSED}, {"set", T_SET},
    {"slice", T_SLICE}, {"staticmethod", T_STATICMETHOD}, {"str", T_STR}, {"super", T_SUPER}, {"tuple", T_TUPLE},
    {"type", T_TYPE}, {"zip", T_ZIP}, {"EnvironmentError", E_OS}, {"IOError", E_OS},
#define ERROR(id, name, parent, layout) {#name, E_##id},
#include "runtime/objects/errors.def"
#undef ERROR
};

bool ou_builtins_boot(VM *vm)
{
    Value v = ou_module_new(vm, "builtins", 8);
    if (v == V_NULL)
        return false;
    Module *m = (Module *)v_obj(v);
    if (vm->builtins) { /* state.c may have put things there already */
        if (!ou_dict_merge(vm, vm->builtins, v_of(m->dict), true)) {
            release(vm, v);
            return false;
        }
        Dict *old = m->dict;
        m->dict = obj_retain(vm->builtins);
        obj_release(vm, old);
    } else {
        vm->builtins = obj_retain(m->dict);
    }
    bool ok = ou_module_add(vm, m, functions) && ou_module_add(vm, m, ou_builtins_code) && ou_module_add(vm, m, ou_builtins_io) &&
              ou_module_set(vm, m, "None", V_NONE) && ou_module_set(vm, m, "True", V_TRUE) &&
              ou_module_set(vm, m, "False", V_FALSE) && ou_module_set(vm, m, "Ellipsis", V_ELLIPSIS) &&
              ou_module_set(vm, m, "NotImplemented", V_NOTIMPL) && ou_module_set(vm, m, "__debug__", V_TRUE) &&
              ou_module_str(vm, m, "__doc__", "Built-in functions, types, exceptions, and other objects.");
    for (size_t i = 0; ok && i < sizeof types / sizeof *types; i++) {
        if (types[i].id != E_CANCELLED && types[i].id != E_INVALID_STATE)
            ok = ou_module_set(vm, m, types[i].name, v_of(ou_builtin(vm, types[i].id)));
    }
    ok = ok && ou_dict_set_c(vm, vm->modules, "builtins", v);
    release(vm, v);
    return ok;
}

/* Reached only when a script has removed the module from sys.modules: it gets the namespace back. */
bool ou_mod_builtins(VM *vm, Module *m)
{
    Dict *old = m->dict;
    m->dict = obj_retain(vm->builtins);
    obj_release(vm, old);
    return true;
}
