/* Functions of scripts, the cells of their closures, and bound methods. What a call does is in vm/; here are
 * the objects. Entry points: ou_function_new, ou_cell_new, ou_method_new. The one thing to know: a function
 * that the collector has cleared must still be callable without a crash (a finalizer may hold it), so
 * clearing takes nothing away that the evaluator reads unchecked: cells and dicts break the cycles. */
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

#define FN ((Function *)v_obj(self))
#define GET(fn) static Value fn(VM *vm, Value self)
#define SET(fn) static bool fn(VM *vm, Value self, Value v)

static Value opt(const void *o) {
    return o ? retain(v_of(o)) : V_NONE;
}
static Value opt_value(Value v) {
    return v == V_NULL ? V_NONE : retain(v);
}

Value ou_function_new(VM *vm, Code *code, Dict *globals, Tuple *closure) {
    Function *f = ou_new(vm, vm->types[T_FUNCTION], 0);
    if (!f) return V_NULL;
    f->code = obj_retain(code);
    f->globals = obj_retain(globals);
    f->closure = closure ? obj_retain(closure) : NULL;
    f->name = obj_retain(code->name);
    f->qualname = obj_retain(code->qualname);
    f->doc = retain(code->doc);
    Value module = ou_dict_get_str(vm, globals, vm->names[N_DU_name]);
    f->module = module == V_NULL ? V_NONE : retain(module);
    Value b = ou_dict_get_str(vm, globals, vm->names[N_DU_builtins]);
    Dict *builtins = vm->builtins;
    if (b != V_NULL && is_exact(b, T_DICT))
        builtins = as_dict(b);
    else if (b != V_NULL && is_exact(b, T_MODULE))
        builtins = ((Module *)v_obj(b))->dict;
    f->builtins = obj_retain(builtins);
    return v_of(f);
}

static void function_dealloc(VM *vm, Obj *o) {
    Function *f = (Function *)o;
    obj_xrelease(vm, f->code);
    obj_xrelease(vm, f->globals);
    obj_xrelease(vm, f->builtins);
    obj_xrelease(vm, f->defaults);
    obj_xrelease(vm, f->kwdefaults);
    obj_xrelease(vm, f->closure);
    obj_xrelease(vm, f->name);
    obj_xrelease(vm, f->qualname);
    xrelease(vm, f->module);
    xrelease(vm, f->doc);
    xrelease(vm, f->annotations);
    xrelease(vm, f->type_params);
    ou_finish_dealloc(vm, o, 0);
}

static void function_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    Function *f = (Function *)o;
    ou_visit(vm, v_of(f->globals), visit, arg);
    ou_visit(vm, v_of(f->builtins), visit, arg);
    ou_visit(vm, v_of(f->defaults), visit, arg);
    ou_visit(vm, v_of(f->kwdefaults), visit, arg);
    ou_visit(vm, v_of(f->closure), visit, arg);
    ou_visit(vm, f->module, visit, arg);
    ou_visit(vm, f->doc, visit, arg);
    ou_visit(vm, f->annotations, visit, arg);
    ou_visit(vm, f->type_params, visit, arg);
}

static void function_clear(VM *vm, Obj *o) {
    Function *f = (Function *)o;
    Tuple *defaults = f->defaults;
    Dict *kwdefaults = f->kwdefaults;
    f->defaults = NULL;
    f->kwdefaults = NULL;
    obj_xrelease(vm, defaults);
    obj_xrelease(vm, kwdefaults);
    set_owned(vm, &f->annotations, V_NULL);
    set_owned(vm, &f->type_params, V_NULL);
    set_owned(vm, &f->module, V_NONE);
    set_owned(vm, &f->doc, V_NONE);
}

static Value address_repr(VM *vm, const char *head, Str *name, Value self) {
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, head);
    ou_sb_put(&b, name->data, name->size);
    ou_sb_printf(&b, " at 0x%llx>", (unsigned long long)self);
    return ou_sb_finish(&b);
}
static Value function_repr(VM *vm, Value self) {
    return address_repr(vm, "<function ", FN->qualname, self);
}

static Value function_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    return ou_call(vm, self, args, n, kwnames);
}
static Value function_get(VM *vm, Value self, Value obj, Value cls) {
    (void)cls;
    return obj == V_NULL ? retain(self) : ou_method_new(vm, self, obj);
}

/* ---- attributes -------------------------------------------------------------------------------------- */

static bool need_str(VM *vm, Value v, const char *name) {
    if (v != V_NULL && ou_is_a(vm, v, T_STR)) return true;
    ou_raise(vm, E_TYPE, "%s must be set to a string object", name);
    return false;
}
GET(get_name) {
    (void)vm;
    return retain(v_of(FN->name));
}
GET(get_qualname) {
    (void)vm;
    return retain(v_of(FN->qualname));
}
static bool put_str(VM *vm, Str **place, Value v) {
    Str *old = *place;
    *place = as_str(retain(v));
    obj_release(vm, old);
    return true;
}
SET(set_name) {
    return need_str(vm, v, "__name__") && put_str(vm, &FN->name, v);
}
SET(set_qualname) {
    return need_str(vm, v, "__qualname__") && put_str(vm, &FN->qualname, v);
}
GET(get_module) {
    (void)vm;
    return opt_value(FN->module);
}
SET(set_module) {
    set_owned(vm, &FN->module, v == V_NULL ? V_NONE : retain(v));
    return true;
}
GET(get_doc) {
    (void)vm;
    return opt_value(FN->doc);
}
SET(set_doc) {
    set_owned(vm, &FN->doc, v == V_NULL ? V_NONE : retain(v));
    return true;
}
GET(get_defaults) {
    (void)vm;
    return opt(FN->defaults);
}
SET(set_defaults) {
    if (v != V_NULL && v != V_NONE && !ou_is_a(vm, v, T_TUPLE)) {
        ou_raise(vm, E_TYPE, "__defaults__ must be set to a tuple object");
        return false;
    }
    Tuple *old = FN->defaults;
    FN->defaults = v == V_NULL || v == V_NONE ? NULL : as_tuple(retain(v));
    obj_xrelease(vm, old);
    return true;
}
GET(get_kwdefaults) {
    (void)vm;
    return opt(FN->kwdefaults);
}
SET(set_kwdefaults) {
    if (v != V_NULL && v != V_NONE && !ou_is_a(vm, v, T_DICT)) {
        ou_raise(vm, E_TYPE, "__kwdefaults__ must be set to a dict object");
        return false;
    }
    Dict *old = FN->kwdefaults;
    FN->kwdefaults = v == V_NULL || v == V_NONE ? NULL : as_dict(retain(v));
    obj_xrelease(vm, old);
    return true;
}
GET(get_closure) {
    (void)vm;
    return opt(FN->closure);
}
GET(get_globals) {
    (void)vm;
    return retain(v_of(FN->globals));
}
GET(get_builtins) {
    (void)vm;
    return retain(v_of(FN->builtins));
}
GET(get_code) {
    (void)vm;
    return retain(v_of(FN->code));
}
SET(set_code) {
    if (v == V_NULL || !is_exact(v, T_CODE)) {
        ou_raise(vm, E_TYPE, "__code__ must be set to a code object");
        return false;
    }
    uint32_t closure = FN->closure ? FN->closure->n : 0;
    if (as_code(v)->nfree != closure) {
        ou_raise(vm, E_VALUE, "%Q() requires a code object with %d free vars, not %d", FN->name, (int)closure,
                 (int)as_code(v)->nfree);
        return false;
    }
    Code *old = FN->code;
    FN->code = as_code(retain(v));
    obj_release(vm, old);
    return true;
}
GET(get_annotations) {
    Function *f = FN;
    if (f->annotations != V_NULL && is_exact(f->annotations, T_DICT)) return retain(f->annotations);
    Value d = ou_dict_new(vm);
    if (d == V_NULL) return V_NULL;
    if (f->annotations != V_NULL) {
        Tuple *t = as_tuple(f->annotations);
        for (uint32_t i = 0; i + 1 < t->n; i += 2)
            if (!ou_dict_set(vm, as_dict(d), t->items[i], t->items[i + 1])) {
                release(vm, d);
                return V_NULL;
            }
    }
    set_owned(vm, &f->annotations, d);
    return retain(d);
}
SET(set_annotations) {
    if (v != V_NULL && v != V_NONE && !ou_is_a(vm, v, T_DICT)) {
        ou_raise(vm, E_TYPE, "__annotations__ must be set to a dict object");
        return false;
    }
    set_owned(vm, &FN->annotations, v == V_NULL || v == V_NONE ? V_NULL : retain(v));
    return true;
}
GET(get_type_params) {
    return FN->type_params == V_NULL ? ou_tuple_new(vm, 0) : retain(FN->type_params);
}
SET(set_type_params) {
    if (v == V_NULL || !ou_is_a(vm, v, T_TUPLE)) {
        ou_raise(vm, E_TYPE, "__type_params__ must be set to a tuple");
        return false;
    }
    set_owned(vm, &FN->type_params, retain(v));
    return true;
}
static const GetSetDef function_getset[] = {
    {"__name__", get_name, set_name, NULL},
    {"__qualname__", get_qualname, set_qualname, NULL},
    {"__module__", get_module, set_module, NULL},
    {"__doc__", get_doc, set_doc, NULL},
    {"__defaults__", get_defaults, set_defaults, NULL},
    {"__kwdefaults__", get_kwdefaults, set_kwdefaults, NULL},
    {"__closure__", get_closure, ou_readonly, NULL},
    {"__globals__", get_globals, ou_readonly, NULL},
    {"__builtins__", get_builtins, ou_readonly, NULL},
    {"__code__", get_code, set_code, NULL},
    {"__annotations__", get_annotations, set_annotations, NULL},
    {"__type_params__", get_type_params, set_type_params, NULL},
    {0},
};

/* ---- function(code, globals, ...) -------------------------------------------------------------------- */

static const char function_sig[] =
    "function(code, globals, name=None, argdefs=None, closure=None, kwdefaults=None)";

static bool check_closure(VM *vm, Code *code, Value closure) {
    if (code->nfree == 0 && closure == V_NONE) return true;
    if (!ou_is_a(vm, closure, T_TUPLE)) {
        if (code->nfree && closure == V_NONE)
            ou_raise(vm, E_TYPE, "arg 5 (closure) must be tuple");
        else
            ou_raise(vm, E_TYPE, "arg 5 (closure) must be None or tuple");
        return false;
    }
    Tuple *t = as_tuple(closure);
    if (t->n != code->nfree) {
        ou_raise(vm, E_VALUE, "%Q requires closure of length %d, not %d", code->name, (int)code->nfree,
                 (int)t->n);
        return false;
    }
    for (uint32_t i = 0; i < t->n; i++)
        if (!is_exact(t->items[i], T_CELL)) {
            ou_raise(vm, E_TYPE, "arg 5 (closure) expected cell, found %T", t->items[i]);
            return false;
        }
    return true;
}

static Value function_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)cls;
    Value a[6];
    if (!ou_bind(vm, function_sig, args, n, kwnames, a)) return V_NULL;
    for (int i = 2; i < 6; i++)
        if (a[i] == V_NULL) a[i] = V_NONE;
    if (!is_exact(a[0], T_CODE))
        return ou_raise(vm, E_TYPE, "function() argument 'code' must be code, not %K", a[0]);
    if (!ou_is_a(vm, a[1], T_DICT))
        return ou_raise(vm, E_TYPE, "function() argument 'globals' must be dict, not %K", a[1]);
    if (a[2] != V_NONE && !ou_is_a(vm, a[2], T_STR))
        return ou_raise(vm, E_TYPE, "arg 3 (name) must be None or string");
    if (a[3] != V_NONE && !ou_is_a(vm, a[3], T_TUPLE))
        return ou_raise(vm, E_TYPE, "arg 4 (defaults) must be None or tuple");
    if (a[5] != V_NONE && !ou_is_a(vm, a[5], T_DICT))
        return ou_raise(vm, E_TYPE, "arg 6 (kwdefaults) must be None or dict");
    Code *code = as_code(a[0]);
    if (!check_closure(vm, code, a[4])) return V_NULL;
    Value self = ou_function_new(vm, code, as_dict(a[1]), a[4] == V_NONE ? NULL : as_tuple(a[4]));
    if (self == V_NULL) return V_NULL;
    if (a[2] != V_NONE) put_str(vm, &FN->name, a[2]);
    if (a[3] != V_NONE) FN->defaults = as_tuple(retain(a[3]));
    if (a[5] != V_NONE) FN->kwdefaults = as_dict(retain(a[5]));
    return self;
}

const TypeDef ou_type_function = {
    .name = "function",
    .size = offsetof(Function, tail),
    .flags = TF_GC | TF_DICT | TF_WEAKREF | TF_METHOD_LIKE,
    .slots = {.make = function_make,
              .dealloc = function_dealloc,
              .traverse = function_traverse,
              .clear = function_clear,
              .repr = function_repr,
              .call = function_call,
              .descr_get = function_get},
    .getset = function_getset,
    .doc = "Create a function object.",
    .new_sig = function_sig,
};

/* ---- far locals --------------------------------------------------------------------------------------- */

Value ou_far_new(VM *vm, uint32_t n) {
    Far *f = ou_new(vm, vm->types[T_FAR], n * sizeof(Value));
    if (!f) return V_NULL;
    f->n = n;
    for (uint32_t k = 0; k < n; k++) f->v[k] = V_UNBOUND;
    return v_of(f);
}
static void far_dealloc(VM *vm, Obj *o) {
    Far *f = (Far *)o;
    for (uint32_t k = 0; k < f->n; k++) release(vm, f->v[k]);
    ou_finish_dealloc(vm, o, f->n * sizeof(Value));
}
static void far_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    Far *f = (Far *)o;
    for (uint32_t k = 0; k < f->n; k++) ou_visit(vm, f->v[k], visit, arg);
}
static void far_clear(VM *vm, Obj *o) {
    Far *f = (Far *)o;
    for (uint32_t k = 0; k < f->n; k++) set_owned(vm, &f->v[k], V_UNBOUND);
}
const TypeDef ou_type_far = {
    .name = "far_locals",
    .size = sizeof(Far),
    .flags = TF_GC,
    .slots = {.dealloc = far_dealloc, .traverse = far_traverse, .clear = far_clear},
};

/* ---- cells ------------------------------------------------------------------------------------------- */

Value ou_cell_new(VM *vm, Value v) {
    Cell *c = ou_new(vm, vm->types[T_CELL], 0);
    if (!c) return V_NULL;
    c->v = retain(v);
    return v_of(c);
}
static void cell_dealloc(VM *vm, Obj *o) {
    xrelease(vm, ((Cell *)o)->v);
    ou_finish_dealloc(vm, o, 0);
}
static void cell_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    ou_visit(vm, ((Cell *)o)->v, visit, arg);
}
static void cell_clear(VM *vm, Obj *o) {
    set_owned(vm, &((Cell *)o)->v, V_UNBOUND);
}
static Value cell_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)cls;
    if (!ou_no_kw(vm, "cell", kwnames) || !ou_arg_count(vm, "cell", n, 0, 1)) return V_NULL;
    return ou_cell_new(vm, n ? args[0] : V_UNBOUND);
}
static Value cell_repr(VM *vm, Value self) {
    Value v = ((Cell *)v_obj(self))->v;
    StrBuf b;
    ou_sb_init(&b, vm);
    if (v == V_UNBOUND)
        ou_sb_printf(&b, "<cell at 0x%llx: empty>", (unsigned long long)self);
    else
        ou_sb_printf(&b, "<cell at 0x%llx: %s object at 0x%llx>", (unsigned long long)self,
                     ou_type_name(vm, v), (unsigned long long)v);
    return ou_sb_finish(&b);
}
static Value cell_compare(VM *vm, Value a, Value b, CmpOp op) {
    if (!is_exact(b, T_CELL)) return V_NOTIMPL;
    Value x = ((Cell *)v_obj(a))->v, y = ((Cell *)v_obj(b))->v;
    if (x != V_UNBOUND && y != V_UNBOUND) return ou_compare(vm, x, y, op);
    return ou_compare(vm, v_smallint(x != V_UNBOUND), v_smallint(y != V_UNBOUND), op);
}
GET(cell_contents) {
    Value v = ((Cell *)v_obj(self))->v;
    return v == V_UNBOUND ? ou_raise(vm, E_VALUE, "Cell is empty") : retain(v);
}
SET(cell_set_contents) {
    set_owned(vm, &((Cell *)v_obj(self))->v, v == V_NULL ? V_UNBOUND : retain(v));
    return true;
}
static const GetSetDef cell_getset[] = {{"cell_contents", cell_contents, cell_set_contents, NULL}, {0}};
const TypeDef ou_type_cell = {
    .name = "cell",
    .size = sizeof(Cell),
    .flags = TF_GC,
    .slots = {.make = cell_make,
              .dealloc = cell_dealloc,
              .traverse = cell_traverse,
              .clear = cell_clear,
              .repr = cell_repr,
              .compare = cell_compare},
    .getset = cell_getset,
    .doc = "Create a new cell object.",
};

/* ---- bound methods ----------------------------------------------------------------------------------- */

#define METHOD ((Method *)v_obj(self))

Value ou_method_new(VM *vm, Value func, Value self) {
    Method *m = ou_new(vm, vm->types[T_METHOD], 0);
    if (!m) return V_NULL;
    m->func = retain(func);
    m->self = retain(self);
    return v_of(m);
}
static void method_dealloc(VM *vm, Obj *o) {
    release(vm, ((Method *)o)->func);
    release(vm, ((Method *)o)->self);
    ou_finish_dealloc(vm, o, 0);
}
static void method_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    ou_visit(vm, ((Method *)o)->func, visit, arg);
    ou_visit(vm, ((Method *)o)->self, visit, arg);
}
static Value method_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)cls;
    if (!ou_no_kw(vm, "method", kwnames) || !ou_arg_count(vm, "method", n, 2, 2)) return V_NULL;
    if (!ou_type_of(vm, args[0])->slots.call) return ou_raise(vm, E_TYPE, "first argument must be callable");
    if (args[1] == V_NONE) return ou_raise(vm, E_TYPE, "instance must not be None");
    return ou_method_new(vm, args[0], args[1]);
}
static Value method_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    int total = n + (kwnames ? (int)kwnames->n : 0);
    Value fixed[16], *buf = fixed;
    if (total + 1 > 16 && !(buf = ou_alloc(&vm->heap, (size_t)(total + 1) * sizeof *buf)))
        return ou_raise_memory(vm);
    Value func = retain(METHOD->func);
    buf[0] = retain(METHOD->self);
    for (int i = 0; i < total; i++) buf[i + 1] = args[i];
    Value r = ou_call(vm, func, buf, n + 1, kwnames);
    release(vm, buf[0]);
    release(vm, func);
    if (buf != fixed) ou_free(&vm->heap, buf, (size_t)(total + 1) * sizeof *buf);
    return r;
}
/* What a method has not itself is asked of its function. */
static Value method_getattr(VM *vm, Value self, Str *name) {
    Str *in = ou_name_interned(vm, name);
    if (!in) return V_NULL;
    bool missing;
    Value v;
    if (in == vm->names[N_DU_doc]) {
        v = ou_getattr(vm, METHOD->func, in);
    } else {
        v = ou_generic_lookup(vm, self, in, &missing);
        if (v == V_NULL && missing) v = ou_getattr(vm, METHOD->func, in);
    }
    obj_release(vm, in);
    return v;
}
static Value method_repr(VM *vm, Value self) {
    bool missing;
    Value name = ou_getattr_opt(vm, METHOD->func, vm->names[N_DU_qualname], &missing);
    if (name == V_NULL && missing) name = ou_getattr_opt(vm, METHOD->func, vm->names[N_DU_name], &missing);
    if (name == V_NULL && !missing) return V_NULL;
    Value r = name != V_NULL && ou_is_a(vm, name, T_STR)
                  ? ou_str_format(vm, "<bound method %U of %R>", name, METHOD->self)
                  : ou_str_format(vm, "<bound method ? of %R>", METHOD->self);
    xrelease(vm, name);
    return r;
}
static Value method_compare(VM *vm, Value a, Value b, CmpOp op) {
    if ((op != CMP_EQ && op != CMP_NE) || !is_exact(b, T_METHOD)) return V_NOTIMPL;
    Method *x = (Method *)v_obj(a), *y = (Method *)v_obj(b);
    int eq = x->self == y->self ? ou_eq(vm, x->func, y->func) : 0;
    return eq < 0 ? V_NULL : v_bool((eq == 1) == (op == CMP_EQ));
}
static bool method_hash(VM *vm, Value self, int64_t *out) {
    int64_t f;
    if (!ou_hash(vm, METHOD->func, &f)) return false;
    *out = (int64_t)((METHOD->self >> 4) ^ (uint64_t)f);
    if (*out == -1) *out = -2;
    return true;
}
static Value method_get(VM *vm, Value self, Value obj, Value cls) {
    (void)vm;
    (void)obj;
    (void)cls;
    return retain(self);
}
GET(method_func) {
    (void)vm;
    return retain(METHOD->func);
}
GET(method_self) {
    (void)vm;
    return retain(METHOD->self);
}
GET(method_name) {
    return ou_getattr(vm, METHOD->func, vm->names[N_DU_name]);
}
GET(method_qualname) {
    return ou_getattr(vm, METHOD->func, vm->names[N_DU_qualname]);
}
static const GetSetDef method_getset[] = {
    {"__func__", method_func, ou_readonly, "the function (or other callable) implementing a method"},
    {"__self__", method_self, ou_readonly, "the instance to which a method is bound"},
    {"__name__", method_name, NULL, NULL},
    {"__qualname__", method_qualname, NULL, NULL},
    {0},
};
static Value method_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    Value name = method_name(vm, args[0]);
    Value getattr = vm->builtins ? ou_dict_get_c(vm, vm->builtins, "getattr") : V_NULL;
    if (name == V_NULL || getattr == V_NULL) return name;
    Value pair[2] = {((Method *)v_obj(args[0]))->self, name}, parts[2];
    parts[0] = getattr;
    parts[1] = ou_tuple_of(vm, pair, 2);
    Value r = parts[1] == V_NULL ? V_NULL : ou_tuple_of(vm, parts, 2);
    xrelease(vm, parts[1]);
    release(vm, name);
    return r;
}
static const NativeDef method_methods[] = {{"__reduce__()", method_reduce, NULL, 0}, {0}};
const TypeDef ou_type_method = {
    .name = "method",
    .size = sizeof(Method),
    .flags = TF_GC | TF_WEAKREF,
    .slots = {.make = method_make,
              .dealloc = method_dealloc,
              .traverse = method_traverse,
              .repr = method_repr,
              .hash = method_hash,
              .compare = method_compare,
              .call = method_call,
              .getattr = method_getattr,
              .descr_get = method_get},
    .methods = method_methods,
    .getset = method_getset,
    .doc = "Create a bound instance method object.",
};
