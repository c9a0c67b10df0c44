/* bool, and the types of the three other constants: None, NotImplemented, Ellipsis. None of them has heap objects. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers_impl.h"

static Value bool_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    if (kw_given(kwnames) && !ou_no_kw(vm, "bool", kwnames)) return V_NULL;
    if (!ou_arg_count(vm, "bool", n, 0, 1)) return V_NULL;
    int t = n ? ou_truth(vm, args[0]) : 0;
    return t < 0 ? V_NULL : v_bool(t);
}

static Value bool_repr(VM *vm, Value self) { return ou_str_c(vm, self == V_TRUE ? "True" : "False"); }

/* Two bools give a bool; with an int they are ints. */
#define BOOL_BINARY(name, op, sign)                                                                                    \
    static Value bool_##name(VM *vm, Value a, Value b)                                                                 \
    {                                                                                                                  \
        if (is_bool(a) && is_bool(b)) return v_bool((a == V_TRUE)sign(b == V_TRUE));                                   \
        return is_intlike(vm, a) && is_intlike(vm, b) ? ou_int_op(vm, op, a, b) : V_NOTIMPL;                           \
    }
BOOL_BINARY(and, BIN_AND, &)
BOOL_BINARY(or, BIN_OR, |)
BOOL_BINARY(xor, BIN_XOR, ^)

static Value bool_invert(VM *vm, Value self)
{
    if (!ou_warn(vm, E_DEPRECATION_WARNING, 1,
                 "Bitwise inversion '~' on bool is deprecated and will be removed in Python 3.16. This returns the bitwise "
                 "inversion of the underlying int object and is usually not what you expect from the negation of a bool "
                 "object. Use the 'not' operator for boolean negation or ~int(x) for the bitwise inversion of the "
                 "underlying int."))
        return V_NULL;
    return v_smallint(self == V_TRUE ? -2 : -1);
}

const TypeDef ou_type_bool = {
    .name = "bool",
    .flags = TF_MATCH_SELF,
    .slots = {.make = bool_make,
              .repr = bool_repr,
              .binary = {[BIN_AND] = bool_and, [BIN_OR] = bool_or, [BIN_XOR] = bool_xor},
              .unary = {[UN_INVERT] = bool_invert}},
    .doc = "Returns True when the argument is true, False otherwise.\n\nThe builtins True and False are the only two "
           "instances of the class bool.\nThe class bool is a subclass of the class int, and cannot be subclassed.",
    .new_sig = "(object=False, /)"};

/* ---- constants ------------------------------------------------------------------------------------------------------- */

#define CONSTANT_MAKE(cname, text, value)                                                                              \
    static Value cname##_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)                             \
    {                                                                                                                  \
        (void)cls, (void)args;                                                                                         \
        if (n || kw_given(kwnames)) return ou_raise(vm, E_TYPE, text " takes no arguments");                           \
        return value;                                                                                                  \
    }                                                                                                                  \
    static Value cname##_reduce(VM *vm, const Value *args, int n)                                                      \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return ou_repr(vm, args[0]);                                                                                   \
    }                                                                                                                  \
    static const NativeDef cname##_methods[] = {{"__reduce__()", cname##_reduce, NULL, 0}, {0}};
static Value none_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls, (void)args;
    if (n || kw_given(kwnames)) return ou_raise(vm, E_TYPE, "NoneType takes no arguments");
    return V_NONE;
}
CONSTANT_MAKE(notimpl, "NotImplementedType", V_NOTIMPL)
CONSTANT_MAKE(ellipsis, "EllipsisType", V_ELLIPSIS)

static Value none_repr(VM *vm, Value self)
{
    (void)self;
    return ou_str_c(vm, "None");
}
static Value notimpl_repr(VM *vm, Value self)
{
    (void)self;
    return ou_str_c(vm, "NotImplemented");
}
static Value ellipsis_repr(VM *vm, Value self)
{
    (void)self;
    return ou_str_c(vm, "Ellipsis");
}
static int none_truth(VM *vm, Value self)
{
    (void)vm, (void)self;
    return 0;
}
static int notimpl_truth(VM *vm, Value self)
{
    (void)self;
    return ou_warn(vm, E_DEPRECATION_WARNING, 1, "NotImplemented should not be used in a boolean context") ? 1 : -1;
}
static bool none_hash(VM *vm, Value self, int64_t *out)
{
    (void)vm, (void)self;
    *out = INT64_C(0xFCA86420); /* CPython's constant */
    return true;
}

/* The names of these types stand in the types module's namespace. */
const TypeDef ou_type_none = {.name = "NoneType",
                              .slots = {.make = none_make, .repr = none_repr, .truth = none_truth, .hash = none_hash},
                              .doc = "The type of the None singleton."};
const TypeDef ou_type_notimpl = {.name = "NotImplementedType",
                                 .slots = {.make = notimpl_make, .repr = notimpl_repr, .truth = notimpl_truth},
                                 .methods = notimpl_methods,
                                 .doc = "The type of the NotImplemented singleton."};
const TypeDef ou_type_ellipsis = {.name = "ellipsis",
                                  .slots = {.make = ellipsis_make, .repr = ellipsis_repr},
                                  .methods = ellipsis_methods,
                                  .doc = "The type of the Ellipsis singleton."};
