/* Type parameters and type aliases: TypeVar, ParamSpec, TypeVarTuple, and what `type X = ...` makes.
 * Entry points: ou_typeparam_new, ou_typealias_new, ou_generic_base. Bounds, defaults and alias values are
 * functions until somebody asks for them (PEP 695); one struct serves the three parameters. */
#include "runtime/objects/typing.h"

#include "runtime/objects/containers_impl.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/import.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

typedef struct TypeParam {
    Obj h;
    Value name;
    Value bound, constraints, dflt;          /* V_NULL: none (or not evaluated yet) */
    Value bound_fn, constraints_fn, dflt_fn; /* V_NULL: none */
    Value module;
    bool covariant, contravariant, infer;
} TypeParam;
typedef struct TypeAlias {
    Obj h;
    Value name, params, value_fn, value, module;
} TypeAlias;

static TypeParam *as_param(Value v) {
    return (TypeParam *)v_obj(v);
}
static TypeAlias *as_ta(Value v) {
    return (TypeAlias *)v_obj(v);
}
#define GET(fn) static Value fn(VM *vm, Value self)

static void param_dealloc(VM *vm, Obj *o) {
    TypeParam *p = (TypeParam *)o;
    Value *all[] = {&p->name,     &p->bound,          &p->constraints, &p->dflt,
                    &p->bound_fn, &p->constraints_fn, &p->dflt_fn,     &p->module};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) xrelease(vm, *all[i]);
    ou_finish_dealloc(vm, o, 0);
}
static void param_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    TypeParam *p = (TypeParam *)o;
    Value *all[] = {&p->bound, &p->constraints, &p->dflt, &p->bound_fn, &p->constraints_fn, &p->dflt_fn};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ou_visit(vm, *all[i], visit, arg);
}
static void param_clear(VM *vm, Obj *o) {
    TypeParam *p = (TypeParam *)o;
    Value *all[] = {&p->bound, &p->constraints, &p->dflt, &p->bound_fn, &p->constraints_fn, &p->dflt_fn};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) set_owned(vm, all[i], V_NULL);
}

static Value calling_module(VM *vm) {
    Dict *g = ou_current_globals(vm);
    Value m = g ? ou_dict_get_str(vm, g, vm->names[N_DU_name]) : V_NULL;
    return m == V_NULL ? V_NONE : retain(m);
}

Value ou_typeparam_new(VM *vm, int kind, Value name, Value bound, Value dflt) {
    static const uint16_t ids[] = {T_TYPEVAR, T_TYPEVAR, T_PARAMSPEC, T_TYPEVARTUPLE};
    TypeParam *p = ou_new(vm, vm->types[ids[kind]], 0);
    if (!p) return V_NULL;
    p->name = retain(name);
    p->infer = true;
    p->module = ou_str_c(vm, "typing"); /* as CPython's do, whose helper for this syntax lives there */
    if (p->module == V_NULL) {
        p->module = V_NONE;
        obj_release(vm, p);
        return V_NULL;
    }
    if (bound != V_NONE && kind == TYPEPARAM_CONSTRAINED)
        p->constraints_fn = retain(bound);
    else if (bound != V_NONE)
        p->bound_fn = retain(bound);
    if (dflt != V_NONE) p->dflt_fn = retain(dflt);
    return v_of(p);
}

/* The value of a lazy field: computed once. V_NULL: none (nothing raised) or raised. Owned. */
static Value lazy(VM *vm, Value *value, Value *fn) {
    if (*value == V_NULL && *fn != V_NULL) {
        Value f = retain(*fn);
        Value v = ou_call0(vm, f);
        release(vm, f);
        if (v == V_NULL) return V_NULL;
        set_owned(vm, value, v);
    }
    return *value == V_NULL ? V_NULL : retain(*value);
}

static Value param_repr(VM *vm, Value self) {
    TypeParam *p = as_param(self);
    if (p->infer || is_exact(self, T_TYPEVARTUPLE)) return ou_str(vm, p->name);
    return ou_str_format(vm, "%c%U", p->covariant ? '+' : p->contravariant ? '-' : '~', p->name);
}

GET(param_name) {
    (void)vm;
    return retain(as_param(self)->name);
}
GET(param_module) {
    (void)vm;
    return retain(as_param(self)->module);
}
GET(param_bound) {
    Value v = lazy(vm, &as_param(self)->bound, &as_param(self)->bound_fn);
    return v == V_NULL && vm->exc == V_NULL ? V_NONE : v;
}
GET(param_constraints) {
    Value v = lazy(vm, &as_param(self)->constraints, &as_param(self)->constraints_fn);
    return v == V_NULL && vm->exc == V_NULL ? ou_tuple_new(vm, 0) : v;
}
GET(param_default) {
    Value v = lazy(vm, &as_param(self)->dflt, &as_param(self)->dflt_fn);
    return v == V_NULL && vm->exc == V_NULL ? ou_import_attr(vm, "_typing", "NoDefault") : v;
}
GET(param_covariant) {
    (void)vm;
    return v_bool(as_param(self)->covariant);
}
GET(param_contravariant) {
    (void)vm;
    return v_bool(as_param(self)->contravariant);
}
GET(param_infer) {
    (void)vm;
    return v_bool(as_param(self)->infer);
}

static bool has_default(const TypeParam *p) {
    return p->dflt != V_NULL || p->dflt_fn != V_NULL;
}
static Value param_has_default(VM *vm, const Value *args, int n) {
    (void)vm;
    (void)n;
    return v_bool(has_default(as_param(args[0])));
}
/* What typing.script says about replacing a parameter. */
static Value ask_typing(VM *vm, const char *name, const Value *args, int n) {
    Value f = ou_import_attr(vm, "typing", name);
    Value r = f == V_NULL ? V_NULL : ou_call(vm, f, args, n, NULL);
    xrelease(vm, f);
    return r;
}
static Value typevar_subst(VM *vm, const Value *args, int n) {
    if (ou_is_a(vm, args[1], T_TYPE)) { /* a class will do, unless it is one of two of typing's */
        Str *name = ((Type *)v_obj(args[1]))->name;
        if (!ou_str_eq_c(name, "Generic") && !ou_str_eq_c(name, "Protocol")) return retain(args[1]);
    }
    return ask_typing(vm, "_typevar_subst", args, n);
}
static Value paramspec_subst(VM *vm, const Value *args, int n) {
    return ask_typing(vm, "_paramspec_subst", args, n);
}
static Value vartuple_subst(VM *vm, const Value *args, int n) {
    (void)args;
    (void)n;
    return ou_raise(vm, E_TYPE, "Substitution of bare TypeVarTuple is not supported");
}
static Value paramspec_prepare(VM *vm, const Value *args, int n) {
    return ask_typing(vm, "_paramspec_prepare_subst", args, n);
}
static Value vartuple_prepare(VM *vm, const Value *args, int n) {
    return ask_typing(vm, "_typevartuple_prepare_subst", args, n);
}
/* Called with the alias and the arguments so far: fills in the default where there are too few. */
static Value param_prepare(VM *vm, const Value *args, int n) {
    (void)n;
    TypeParam *p = as_param(args[0]);
    Str *s = ou_intern_c(vm, "__parameters__");
    Value params = s ? ou_getattr(vm, args[1], s) : V_NULL;
    obj_xrelease(vm, s);
    if (params == V_NULL) return V_NULL;
    uint32_t at = 0;
    Tuple *t = as_tuple(params);
    while (at < t->n && t->items[at] != args[0]) at++;
    release(vm, params);
    Tuple *given = as_tuple(args[2]);
    if (given->n != at) return retain(args[2]);
    if (!has_default(p)) {
        if (!is_exact(args[0], T_TYPEVAR)) return retain(args[2]);
        return ou_raise(vm, E_TYPE, "Too few arguments for %R; actual %d, expected at least %d", args[1], (int)at,
                        (int)at + 1);
    }
    Value d = lazy(vm, &p->dflt, &p->dflt_fn);
    Value list = d == V_NULL ? V_NULL : ou_list_of(vm, given->items, given->n);
    Value r = V_NULL;
    if (list != V_NULL && ou_list_append(vm, as_list(list), d))
        r = ou_tuple_of(vm, as_list(list)->items, as_list(list)->n);
    xrelease(vm, list);
    xrelease(vm, d);
    return r;
}
static Value param_or(VM *vm, Value a, Value b) {
    Value args[2] = {a, b};
    return ask_typing(vm, "_make_union", args, 2);
}
static Value alias_or(VM *vm, Value a, Value b) {
    return ou_union_of(vm, a, b);
}
static Value param_mro_entries(VM *vm, const Value *args, int n) {
    (void)n;
    return ou_raise(vm, E_TYPE, "Cannot subclass an instance of %Q", ou_type_of(vm, args[0])->name);
}
static Value param_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    return ou_str(vm, as_param(args[0])->name);
}

/* ---- constructors ------------------------------------------------------------------------------------ */

static const char typevar_sig[] = "TypeVar(name, *constraints, bound=None, default=None, covariant=False, "
                                  "contravariant=False, infer_variance=False)";
static const char paramspec_sig[] = "ParamSpec(name, *, bound=None, default=None, covariant=False, "
                                    "contravariant=False, infer_variance=False)";
static const char vartuple_sig[] = "TypeVarTuple(name, *, default=None)";

static bool flag(VM *vm, Value v, bool *out) {
    int r = v == V_NULL ? 0 : ou_truth(vm, v);
    *out = r > 0;
    return r >= 0;
}

static bool is_no_default(VM *vm, Value v) {
    return v == V_NULL || strcmp(ou_type_name(vm, v), "typing.NoDefaultType") == 0;
}

static Value param_build(VM *vm, Type *cls, Value name, Value bound, Value constraints, Value dflt,
                         const Value *flags) {
    if (!ou_is_a(vm, name, T_STR))
        return ou_raise(vm, E_TYPE, "%N() argument 'name' must be str, not %K", cls, name);
    bool co = false, contra = false, infer = false;
    if (flags && (!flag(vm, flags[0], &co) || !flag(vm, flags[1], &contra) || !flag(vm, flags[2], &infer)))
        return V_NULL;
    if (co && contra) return ou_raise(vm, E_VALUE, "Bivariant types are not supported.");
    if (infer && (co || contra))
        return ou_raise(vm, E_VALUE, "Variance cannot be specified with infer_variance.");
    TypeParam *p = ou_new(vm, cls, 0);
    if (!p) return V_NULL;
    p->name = retain(name);
    p->module = calling_module(vm);
    p->covariant = co;
    p->contravariant = contra;
    p->infer = infer;
    if (bound != V_NULL && bound != V_NONE) p->bound = retain(bound);
    if (constraints != V_NULL && as_tuple(constraints)->n) p->constraints = retain(constraints);
    if (!is_no_default(vm, dflt)) p->dflt = retain(dflt);
    return v_of(p);
}
/* A type, or a string that stands for one. */
static Value type_check(VM *vm, Value v, const char *msg) {
    if (ou_is_a(vm, v, T_TYPE)) return retain(v);
    Value args[2] = {v, ou_str_c(vm, msg)};
    Value r = args[1] == V_NULL ? V_NULL : ask_typing(vm, "_type_check", args, 2);
    xrelease(vm, args[1]);
    return r;
}
static Value typevar_checked(VM *vm, Type *cls, Value *a) {
    Value bound = a[2] == V_NULL || a[2] == V_NONE ? V_NONE : type_check(vm, a[2], "Bound must be a type.");
    Value r = bound == V_NULL ? V_NULL : param_build(vm, cls, a[0], bound, a[1], a[3], a + 4);
    xrelease(vm, bound);
    return r;
}
static Value typevar_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value a[7];
    if (!ou_bind(vm, typevar_sig, args, n, kwnames, a)) return V_NULL;
    Value r = V_NULL;
    if (as_tuple(a[1])->n == 1)
        ou_raise(vm, E_TYPE, "A single constraint is not allowed");
    else if (as_tuple(a[1])->n && a[2] != V_NULL && a[2] != V_NONE)
        ou_raise(vm, E_TYPE, "Constraints cannot be combined with bound=...");
    else
        r = typevar_checked(vm, cls, a);
    ou_bind_done(vm, typevar_sig, a);
    return r;
}
static Value paramspec_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value a[6];
    if (!ou_bind(vm, paramspec_sig, args, n, kwnames, a)) return V_NULL;
    return param_build(vm, cls, a[0], a[1], V_NULL, a[2], a + 3);
}
static Value vartuple_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value a[2];
    if (!ou_bind(vm, vartuple_sig, args, n, kwnames, a)) return V_NULL;
    return param_build(vm, cls, a[0], V_NULL, V_NULL, a[1], NULL);
}

static const NativeDef paramspec_methods[] = {
    {"__typing_subst__(arg, /)", paramspec_subst, NULL, 0},
    {"__typing_prepare_subst__(alias, args, /)", paramspec_prepare, NULL, 0},
    {"has_default()", param_has_default, NULL, 0},
    {"__mro_entries__(bases, /)", param_mro_entries, NULL, 0},
    {"__reduce__()", param_reduce, NULL, 0},
    {0},
};
static const NativeDef typevar_methods[] = {
    {"__typing_subst__(arg, /)", typevar_subst, NULL, 0},
    {"__typing_prepare_subst__(alias, args, /)", param_prepare, NULL, 0},
    {"has_default()", param_has_default, NULL, 0},
    {"__mro_entries__(bases, /)", param_mro_entries, NULL, 0},
    {"__reduce__()", param_reduce, NULL, 0},
    {0},
};
static const NativeDef vartuple_methods[] = {
    {"__typing_subst__(arg, /)", vartuple_subst, NULL, 0},
    {"__typing_prepare_subst__(alias, args, /)", vartuple_prepare, NULL, 0},
    {"has_default()", param_has_default, NULL, 0},
    {"__mro_entries__(bases, /)", param_mro_entries, NULL, 0},
    {"__reduce__()", param_reduce, NULL, 0},
    {0},
};
static const GetSetDef typevar_getset[] = {
    {"__name__", param_name, NULL, NULL},
    {"__module__", param_module, NULL, NULL},
    {"__bound__", param_bound, NULL, NULL},
    {"__constraints__", param_constraints, NULL, NULL},
    {"__default__", param_default, NULL, NULL},
    {"__covariant__", param_covariant, NULL, NULL},
    {"__contravariant__", param_contravariant, NULL, NULL},
    {"__infer_variance__", param_infer, NULL, NULL},
    {0},
};
GET(paramspec_args) {
    Value f = ou_import_attr(vm, "_typing", "ParamSpecArgs");
    Value r = f == V_NULL ? V_NULL : ou_call1(vm, f, self);
    xrelease(vm, f);
    return r;
}
GET(paramspec_kwargs) {
    Value f = ou_import_attr(vm, "_typing", "ParamSpecKwargs");
    Value r = f == V_NULL ? V_NULL : ou_call1(vm, f, self);
    xrelease(vm, f);
    return r;
}
static const GetSetDef paramspec_getset[] = {
    {"__name__", param_name, NULL, NULL},
    {"__module__", param_module, NULL, NULL},
    {"__bound__", param_bound, NULL, NULL},
    {"__default__", param_default, NULL, NULL},
    {"__covariant__", param_covariant, NULL, NULL},
    {"__contravariant__", param_contravariant, NULL, NULL},
    {"__infer_variance__", param_infer, NULL, NULL},
    {"args", paramspec_args, NULL, NULL},
    {"kwargs", paramspec_kwargs, NULL, NULL},
    {0},
};
static const GetSetDef vartuple_getset[] = {
    {"__name__", param_name, NULL, NULL},
    {"__module__", param_module, NULL, NULL},
    {"__default__", param_default, NULL, NULL},
    {0},
};
/* *Ts: one Unpack[Ts]. */
static Value vartuple_iter(VM *vm, Value self) {
    Value unpack = ou_import_attr(vm, "typing", "Unpack");
    Value item = unpack == V_NULL ? V_NULL : ou_getitem(vm, unpack, self);
    xrelease(vm, unpack);
    Value t = item == V_NULL ? V_NULL : ou_tuple_take(vm, &item, 1);
    Value it = t == V_NULL ? V_NULL : ou_iter(vm, t);
    xrelease(vm, t);
    return it;
}
#define PARAM_SLOTS \
    .dealloc = param_dealloc, .traverse = param_traverse, .clear = param_clear, .repr = param_repr
const TypeDef ou_type_typevar = {
    .name = "typing.TypeVar",
    .size = sizeof(TypeParam),
    .flags = TF_GC | TF_DICT | TF_WEAKREF,
    .slots = {PARAM_SLOTS, .make = typevar_make, .binary[BIN_OR] = param_or},
    .methods = typevar_methods,
    .getset = typevar_getset,
    .doc = "Type variable.",
};
const TypeDef ou_type_paramspec = {
    .name = "typing.ParamSpec",
    .size = sizeof(TypeParam),
    .flags = TF_GC | TF_DICT | TF_WEAKREF,
    .slots = {PARAM_SLOTS, .make = paramspec_make, .binary[BIN_OR] = param_or},
    .methods = paramspec_methods,
    .getset = paramspec_getset,
    .doc = "Parameter specification variable.",
};
const TypeDef ou_type_typevartuple = {
    .name = "typing.TypeVarTuple",
    .size = sizeof(TypeParam),
    .flags = TF_GC | TF_DICT | TF_WEAKREF,
    .slots = {PARAM_SLOTS, .make = vartuple_make, .iter = vartuple_iter},
    .methods = vartuple_methods,
    .getset = vartuple_getset,
    .doc = "A specialized form of type variable that enables variadic generics.",
};

/* ---- type X = ... ------------------------------------------------------------------------------------ */

Value ou_typealias_new(VM *vm, Value name, Value params, Value value_fn, Value module) {
    TypeAlias *t = ou_new(vm, vm->types[T_TYPEALIAS], 0);
    if (!t) return V_NULL;
    t->name = retain(name);
    t->params = params == V_NONE || params == V_NULL ? V_NULL : retain(params);
    t->value_fn = value_fn == V_NULL ? V_NULL : retain(value_fn);
    t->module = module == V_NULL ? V_NONE : retain(module);
    return v_of(t);
}
static void ta_dealloc(VM *vm, Obj *o) {
    TypeAlias *t = (TypeAlias *)o;
    xrelease(vm, t->name);
    xrelease(vm, t->params);
    xrelease(vm, t->value_fn);
    xrelease(vm, t->value);
    xrelease(vm, t->module);
    ou_finish_dealloc(vm, o, 0);
}
static void ta_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    TypeAlias *t = (TypeAlias *)o;
    ou_visit(vm, t->params, visit, arg);
    ou_visit(vm, t->value_fn, visit, arg);
    ou_visit(vm, t->value, visit, arg);
}
static void ta_clear(VM *vm, Obj *o) {
    TypeAlias *t = (TypeAlias *)o;
    set_owned(vm, &t->params, V_NULL);
    set_owned(vm, &t->value_fn, V_NULL);
    set_owned(vm, &t->value, V_NULL);
}
static const char typealias_sig[] = "TypeAliasType(name, value, *, type_params=())";
static Value ta_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)cls;
    Value a[3];
    if (!ou_bind(vm, typealias_sig, args, n, kwnames, a)) return V_NULL;
    if (!ou_is_a(vm, a[0], T_STR))
        return ou_raise(vm, E_TYPE, "typealias() argument 'name' must be str, not %K", a[0]);
    if (a[2] != V_NULL && !ou_is_a(vm, a[2], T_TUPLE))
        return ou_raise(vm, E_TYPE, "type_params must be a tuple");
    Value module = calling_module(vm);
    Value r =
        ou_typealias_new(vm, a[0], a[2] == V_NULL || as_tuple(a[2])->n == 0 ? V_NULL : a[2], V_NULL, module);
    release(vm, module);
    if (r != V_NULL) as_ta(r)->value = retain(a[1]);
    return r;
}
static Value ta_repr(VM *vm, Value self) {
    return ou_str(vm, as_ta(self)->name);
}
static Value ta_getitem(VM *vm, Value self, Value key) {
    if (as_ta(self)->params == V_NULL)
        return ou_raise(vm, E_TYPE, "Only generic type aliases are subscriptable");
    return ou_generic_alias_new(vm, self, key);
}
static Value ta_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    return ou_str(vm, as_ta(args[0])->name);
}
GET(ta_name) {
    (void)vm;
    return retain(as_ta(self)->name);
}
GET(ta_module) {
    (void)vm;
    return retain(as_ta(self)->module);
}
GET(ta_params) {
    return as_ta(self)->params == V_NULL ? ou_tuple_new(vm, 0) : retain(as_ta(self)->params);
}
GET(ta_value) {
    Value v = lazy(vm, &as_ta(self)->value, &as_ta(self)->value_fn);
    return v == V_NULL && vm->exc == V_NULL ? V_NONE : v;
}
static const NativeDef ta_methods[] = {{"__reduce__()", ta_reduce, NULL, 0}, {0}};
static const GetSetDef ta_getset[] = {
    {"__name__", ta_name, NULL, NULL},          {"__module__", ta_module, NULL, NULL},
    {"__type_params__", ta_params, NULL, NULL}, {"__parameters__", ta_params, NULL, NULL},
    {"__value__", ta_value, NULL, NULL},        {0},
};
const TypeDef ou_type_typealias = {
    .name = "typing.TypeAliasType",
    .size = sizeof(TypeAlias),
    .flags = TF_GC | TF_WEAKREF,
    .slots = {.make = ta_make,
              .dealloc = ta_dealloc,
              .traverse = ta_traverse,
              .clear = ta_clear,
              .repr = ta_repr,
              .getitem = ta_getitem,
              .binary[BIN_OR] = alias_or},
    .methods = ta_methods,
    .getset = ta_getset,
    .doc = "Type alias.",
};

Value ou_generic_base(VM *vm, Value params) {
    Value generic = ou_import_attr(vm, "_typing", "Generic");
    if (generic == V_NULL) return V_NULL;
    /* A TypeVarTuple stands unpacked among the parameters of Generic. */
    Value list = ou_list_new(vm, 0);
    bool ok = list != V_NULL;
    for (uint32_t i = 0; ok && i < as_tuple(params)->n; i++) {
        Value p = as_tuple(params)->items[i];
        ok = is_exact(p, T_TYPEVARTUPLE) ? ou_list_extend(vm, as_list(list), p)
                                         : ou_list_append(vm, as_list(list), p);
    }
    Value key = ok ? ou_tuple_of(vm, as_list(list)->items, as_list(list)->n) : V_NULL;
    Value r = key == V_NULL ? V_NULL : ou_getitem(vm, generic, key);
    xrelease(vm, key);
    xrelease(vm, list);
    release(vm, generic);
    return r;
}
