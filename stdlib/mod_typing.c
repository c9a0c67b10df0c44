/* `_typing`: the type parameters that the [T] syntax makes, and Generic. What Generic does when it is
 * subscripted or subclassed is written in typing.script, so that the syntax costs nothing until a class uses
 * it. */
#include "runtime/objects/import.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

/* ---- Generic
 * ----------------------------------------------------------------------------------------------------------------
 */

static Value generic_class_getitem(VM *vm, const Value *args, int n) {
    (void)n;
    Value f = ou_import_attr(vm, "typing", "_generic_class_getitem");
    Value r = f == V_NULL ? V_NULL : ou_call2(vm, f, args[0], args[1]);
    xrelease(vm, f);
    return r;
}

static Value generic_init_subclass(VM *vm, const Value *args, int n) {
    (void)n;
    Value f = ou_import_attr(vm, "typing", "_generic_init_subclass");
    if (f == V_NULL) return V_NULL;
    Tuple *rest = as_tuple(args[1]);
    Value all = ou_tuple_new(vm, rest->n + 1);
    if (all == V_NULL) {
        release(vm, f);
        return V_NULL;
    }
    as_tuple(all)->items[0] = retain(args[0]);
    for (uint32_t i = 0; i < rest->n; i++) as_tuple(all)->items[i + 1] = retain(rest->items[i]);
    Value r = ou_call_ex(vm, f, as_tuple(all), as_dict(args[2]));
    release(vm, all);
    release(vm, f);
    return r;
}

static const NativeDef generic_methods[] = {
    {"__class_getitem__(args, /)", generic_class_getitem, "Parameterizes a generic class.", ND_CLASS},
    {"__init_subclass__(*args, **kwargs)", generic_init_subclass, "Function to initialize subclasses.",
     ND_CLASS},
    {0},
};

static const TypeDef generic_def = {
    .name = "typing.Generic",
    .flags = TF_BASE,
    .methods = generic_methods,
    .doc = "Abstract base class for generic types.",
};

/* ---- NoDefault
 * -----------------------------------------------------------------------------------------------------------------
 */

static Value no_default_repr(VM *vm, Value self) {
    (void)self;
    return ou_str_c(vm, "typing.NoDefault");
}
static Value no_default_reduce(VM *vm, const Value *args, int n) {
    (void)args;
    (void)n;
    return ou_str_c(vm, "NoDefault");
}
static const NativeDef no_default_methods[] = {{"__reduce__()", no_default_reduce, NULL, 0}, {0}};
static const TypeDef no_default_def = {
    .name = "typing.NoDefaultType",
    .slots = {.repr = no_default_repr},
    .methods = no_default_methods,
    .doc = "The type of the NoDefault singleton.",
};

/* ---- P.args, P.kwargs
 * ------------------------------------------------------------------------------------------------------------
 */

typedef struct SpecPart {
    Obj h;
    Value origin;
} SpecPart;

static Value part_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value a[1];
    if (!ou_bind(vm, "ParamSpecArgs(origin)", args, n, kwnames, a)) return V_NULL;
    SpecPart *p = ou_new(vm, cls, 0);
    if (p) p->origin = retain(a[0]);
    return v_of(p);
}
static int part_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    (void)vm;
    (void)self;
    (void)args;
    (void)n;
    (void)kwnames;
    return 0;
}
static void part_dealloc(VM *vm, Obj *o) {
    xrelease(vm, ((SpecPart *)o)->origin);
    ou_finish_dealloc(vm, o, 0);
}
static void part_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    ou_visit(vm, ((SpecPart *)o)->origin, visit, arg);
}
static Value part_repr(VM *vm, Value self) {
    Value origin = ((SpecPart *)v_obj(self))->origin;
    bool args = strcmp(ou_type_name(vm, self), "typing.ParamSpecArgs") == 0;
    if (is_exact(origin, T_PARAMSPEC)) { /* by its bare name, which its own repr has a variance mark before */
        Value name = ou_getattr_c(vm, origin, "__name__");
        Value r = name == V_NULL ? V_NULL : ou_str_format(vm, args ? "%S.args" : "%S.kwargs", name);
        xrelease(vm, name);
        return r;
    }
    return ou_str_format(vm, args ? "%R.args" : "%R.kwargs", origin);
}
static Value part_compare(VM *vm, Value a, Value b, CmpOp op) {
    if ((op != CMP_EQ && op != CMP_NE) || ou_type_of(vm, a) != ou_type_of(vm, b)) return V_NOTIMPL;
    return ou_compare(vm, ((SpecPart *)v_obj(a))->origin, ((SpecPart *)v_obj(b))->origin, op);
}
static bool part_hash(VM *vm, Value self, int64_t *out) {
    return ou_hash(vm, ((SpecPart *)v_obj(self))->origin, out);
}
static Value part_origin(VM *vm, Value self) {
    (void)vm;
    return retain(((SpecPart *)v_obj(self))->origin);
}
static Value part_mro_entries(VM *vm, const Value *args, int n) {
    (void)n;
    return ou_raise(vm, E_TYPE, "Cannot subclass an instance of %Q", ou_type_of(vm, args[0])->name);
}
static const NativeDef part_methods[] = {{"__mro_entries__(bases, /)", part_mro_entries, NULL, 0}, {0}};
static const GetSetDef part_getset[] = {{"__origin__", part_origin, NULL, NULL}, {0}};
#define PART(text)                                              \
    {                                                           \
        .name = text, .size = sizeof(SpecPart), .flags = TF_GC, \
        .slots = {.make = part_make,                            \
                  .init = part_init,                            \
                  .dealloc = part_dealloc,                      \
                  .traverse = part_traverse,                    \
                  .repr = part_repr,                            \
                  .compare = part_compare,                      \
                  .hash = part_hash},                           \
        .methods = part_methods, .getset = part_getset          \
    }
static const TypeDef args_def = PART("typing.ParamSpecArgs");
static const TypeDef kwargs_def = PART("typing.ParamSpecKwargs");

bool ou_mod__typing(VM *vm, Module *m) {
    Type *generic = ou_module_type(vm, m, &generic_def, NULL);
    Type *none = ou_module_type(vm, m, &no_default_def, NULL);
    if (!generic || !none || !ou_module_take(vm, m, "NoDefault", v_of(ou_new(vm, none, 0)))) return false;
    /* Instances are made as plain objects are, but by object.__new__: the __new__ of a class behind Generic in
     * an MRO is not hidden. */
    generic->slots.make = ou_builtin(vm, T_OBJECT)->slots.make;
    return ou_module_type(vm, m, &args_def, NULL) && ou_module_type(vm, m, &kwargs_def, NULL) &&
           ou_module_builtin_type(vm, m, "TypeVar", T_TYPEVAR) &&
           ou_module_builtin_type(vm, m, "ParamSpec", T_PARAMSPEC) &&
           ou_module_builtin_type(vm, m, "TypeVarTuple", T_TYPEVARTUPLE) &&
           ou_module_builtin_type(vm, m, "TypeAliasType", T_TYPEALIAS);
}
