/* Native functions and the descriptors that built-in types are made of: built-in functions and methods,
 * method descriptors, slot wrappers, getset and member descriptors. Entry points: ou_native_new,
 * ou_native_desc_new, ou_getset_new, ou_member_new. One struct, Native, serves five types: what they differ
 * in is where `self` comes from. */
#include "runtime/objects/bind.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

static Native *as_native(Value v) {
    return (Native *)v_obj(v);
}

static bool owns_owner(const Type *owner) {
    return owner && owner->id >= T_COUNT;
}

static Value make(VM *vm, TypeId kind, const NativeDef *def, Value self, Value module, Type *owner) {
    Native *nat = ou_new(vm, vm->types[kind], 0);
    if (!nat) return V_NULL;
    nat->def = def;
    nat->self = self == V_NULL ? V_NULL : retain(self);
    nat->module = module == V_NULL ? V_NULL : retain(module);
    nat->owner = owner;
    if (owns_owner(owner)) (void)obj_retain(owner);
    nat->name_len = (uint16_t)ou_sig_name_len(def->sig);
    ou_sig_scan(nat);
    /* What built-in types consist of lives as long as the VM and leads nowhere: nothing for the collector to
     * look at. */
    if (owner && !owns_owner(owner) && (self == V_NULL || self == v_of(owner))) ou_gc_untrack(vm, &nat->h);
    return v_of(nat);
}

Value ou_native_new(VM *vm, const NativeDef *def, Value self, Value module) {
    return make(vm, T_NATIVE, def, self, module, NULL);
}
Value ou_native_bound(VM *vm, const NativeDef *def, Value self, Type *owner) {
    return make(vm, T_NATIVE, def, self, V_NULL, owner);
}
Value ou_native_desc_new(VM *vm, TypeId kind, const NativeDef *def, Type *owner) {
    return make(vm, kind, def, V_NULL, V_NULL, owner);
}

static void native_dealloc(VM *vm, Obj *o) {
    Native *nat = (Native *)o;
    xrelease(vm, nat->self);
    xrelease(vm, nat->module);
    if (owns_owner(nat->owner)) obj_release(vm, nat->owner);
    ou_sig_free(vm, nat->sig);
    ou_finish_dealloc(vm, o, 0);
}
static void native_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    Native *nat = (Native *)o;
    ou_visit(vm, nat->self, visit, arg);
    ou_visit(vm, nat->module, visit, arg);
    if (owns_owner(nat->owner)) visit(vm, &nat->owner->h, arg);
}

/* ---- texts and attributes ---------------------------------------------------------------------------- */

static Value native_name(VM *vm, Value self) {
    return ou_str_new(vm, as_native(self)->def->sig, as_native(self)->name_len);
}

static Value native_qualname(VM *vm, Value self) {
    Native *nat = as_native(self);
    int len = nat->name_len;
    Type *t = nat->owner;
    if (ou_type_of(vm, self)->id == T_NATIVE && nat->self != V_NULL) {
        t = ou_is_a(vm, nat->self, T_TYPE) ? (Type *)v_obj(nat->self) : ou_type_of(vm, nat->self);
        if (t->id == T_MODULE) t = NULL;
    }
    if (t) return ou_str_format(vm, "%U.%.*s", v_of(t->qualname), len, nat->def->sig);
    return native_name(vm, self);
}

static Value native_doc(VM *vm, Value self) {
    const char *doc = as_native(self)->def->doc;
    return doc ? ou_str_c(vm, doc) : V_NONE;
}

/* "($self, x, /)": the form that inspect understands. */
static Value native_text_signature(VM *vm, Value self) {
    Native *nat = as_native(self);
    const char *p = nat->def->sig + nat->name_len;
    if (*p != '(') return V_NONE;
    bool module = ou_type_of(vm, self)->id == T_NATIVE && !nat->owner;
    const char *first = module ? "$module" : (nat->def->flags & ND_CLASS) ? "$type" : "$self";
    if (nat->def->flags & ND_STATIC) return ou_str_c(vm, p);
    const char *rest = p[1] == ')' ? ", /)" : p + 1;
    bool comma = p[1] != ')';
    if (comma && !strstr(p, ", /") && p[1] != '/') return ou_str_format(vm, "(%s, /, %s", first, rest);
    return ou_str_format(vm, comma ? "(%s, %s" : "(%s%s", first, rest);
}

static Value native_self(VM *vm, Value self) {
    Native *nat = as_native(self);
    if (nat->self != V_NULL) return retain(nat->self);
    if (nat->module != V_NULL && vm->modules) {
        Value m = ou_dict_get(vm, vm->modules, nat->module);
        if (m != V_NULL) return retain(m);
    }
    return V_NONE;
}

static Value native_module(VM *vm, Value self) {
    (void)vm;
    Value m = as_native(self)->module;
    return m == V_NULL ? V_NONE : retain(m);
}

static Value native_objclass(VM *vm, Value self) {
    Native *nat = as_native(self);
    (void)vm;
    return nat->owner ? retain(v_of(nat->owner)) : V_NONE;
}

static Value native_repr(VM *vm, Value self) {
    Native *nat = as_native(self);
    int len = nat->name_len;
    if (nat->self == V_NULL) return ou_str_format(vm, "<built-in function %.*s>", len, nat->def->sig);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_printf(&b, "<built-in method %.*s of %s object at 0x%llx>", len, nat->def->sig,
                 ou_type_name(vm, nat->self), (unsigned long long)nat->self);
    return ou_sb_finish(&b);
}
static Value method_desc_repr(VM *vm, Value self) {
    Native *nat = as_native(self);
    return ou_str_format(vm, "<method '%.*s' of '%N' objects>", (int)nat->name_len, nat->def->sig,
                         nat->owner);
}
static Value slot_wrapper_repr(VM *vm, Value self) {
    Native *nat = as_native(self);
    return ou_str_format(vm, "<slot wrapper '%.*s' of '%N' objects>", (int)nat->name_len, nat->def->sig,
                         nat->owner);
}

static bool native_hash(VM *vm, Value self, int64_t *out) {
    Native *nat = as_native(self);
    (void)vm;
    *out = (int64_t)((nat->self >> 4) ^ ((uintptr_t)nat->def >> 3));
    if (*out == -1) *out = -2;
    return true;
}
static Value native_compare(VM *vm, Value a, Value b, CmpOp op) {
    (void)vm;
    if ((op != CMP_EQ && op != CMP_NE) || !is_exact(b, T_NATIVE)) return V_NOTIMPL;
    bool eq = as_native(a)->def == as_native(b)->def && as_native(a)->self == as_native(b)->self;
    return v_bool(eq == (op == CMP_EQ));
}

/* Pickling: a function by name, a method through getattr. */
static Value native_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    Native *nat = as_native(args[0]);
    Value name = native_name(vm, args[0]);
    if (name == V_NULL || nat->self == V_NULL) return name;
    Value getattr = vm->builtins ? ou_dict_get_c(vm, vm->builtins, "getattr") : V_NULL;
    Value pair[2] = {nat->self, name}, parts[2];
    parts[0] = getattr == V_NULL ? V_NONE : getattr;
    parts[1] = ou_tuple_of(vm, pair, 2);
    Value r = parts[1] == V_NULL ? V_NULL : ou_tuple_of(vm, parts, 2);
    xrelease(vm, parts[1]);
    release(vm, name);
    return r;
}
static Value desc_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    Value name = native_name(vm, args[0]);
    Value getattr = name != V_NULL && vm->builtins ? ou_dict_get_c(vm, vm->builtins, "getattr") : V_NULL;
    if (getattr == V_NULL) return name;
    Value pair[2] = {v_of(as_native(args[0])->owner), name}, parts[2];
    parts[0] = getattr;
    parts[1] = ou_tuple_of(vm, pair, 2);
    Value r = parts[1] == V_NULL ? V_NULL : ou_tuple_of(vm, parts, 2);
    xrelease(vm, parts[1]);
    release(vm, name);
    return r;
}
static const NativeDef native_methods[] = {{"__reduce__()", native_reduce, NULL, 0}, {0}};
static const NativeDef desc_methods[] = {{"__reduce__()", desc_reduce, NULL, 0}, {0}};

static const GetSetDef native_getset[] = {
    {"__name__", native_name, NULL, NULL},
    {"__qualname__", native_qualname, NULL, NULL},
    {"__doc__", native_doc, NULL, NULL},
    {"__self__", native_self, NULL, NULL},
    {"__module__", native_module, NULL, NULL},
    {"__text_signature__", native_text_signature, NULL, NULL},
    {0},
};
static const GetSetDef desc_getset[] = {
    {"__name__", native_name, NULL, NULL},
    {"__qualname__", native_qualname, NULL, NULL},
    {"__doc__", native_doc, NULL, NULL},
    {"__objclass__", native_objclass, NULL, NULL},
    {"__text_signature__", native_text_signature, NULL, NULL},
    {0},
};

/* ---- calls and binding ------------------------------------------------------------------------------- */

static Value native_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Native *nat = as_native(self);
    return ou_native_invoke(vm, nat, nat->self, args, n, kwnames);
}

static bool fits(VM *vm, const Native *nat, Value obj) {
    if (ou_is_subtype(ou_type_of(vm, obj), nat->owner)) return true;
    ou_raise(vm, E_TYPE, "descriptor '%.*s' for '%N' objects doesn't apply to a '%T' object",
             (int)nat->name_len, nat->def->sig, nat->owner, obj);
    return false;
}

static Value method_desc_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Native *nat = as_native(self);
    if (n < 1)
        return ou_raise(vm, E_TYPE, "unbound method %U.%.*s() needs an argument", v_of(nat->owner->qualname),
                        (int)nat->name_len, nat->def->sig);
    if (!fits(vm, nat, args[0])) return V_NULL;
    if (nat->pass == PASS_GIVEN && n - 1 >= nat->min && n - 1 <= nat->max && !(kwnames && kwnames->n))
        return nat->def->fn(vm, args, n);
    return ou_native_invoke(vm, nat, args[0], args + 1, n - 1, kwnames);
}

static Value method_desc_get(VM *vm, Value self, Value obj, Value cls) {
    (void)cls;
    if (obj == V_NULL) return retain(self);
    Native *nat = as_native(self);
    return fits(vm, nat, obj) ? ou_native_bound(vm, nat->def, obj, nat->owner) : V_NULL;
}

static Value classmethod_desc_get(VM *vm, Value self, Value obj, Value cls) {
    Native *nat = as_native(self);
    if (cls == V_NULL && obj != V_NULL) cls = v_of(ou_type_of(vm, obj));
    if (!ou_is_a(vm, cls, T_TYPE))
        return ou_raise(vm, E_TYPE, "descriptor '%.*s' for type '%N' needs a type, not a '%T' as arg 2",
                        (int)nat->name_len, nat->def->sig, nat->owner, cls);
    if (!ou_is_subtype((Type *)v_obj(cls), nat->owner))
        return ou_raise(vm, E_TYPE, "descriptor '%.*s' requires a subtype of '%N' but received '%N'",
                        (int)nat->name_len, nat->def->sig, nat->owner, (Type *)v_obj(cls));
    return ou_native_bound(vm, nat->def, cls, nat->owner);
}

static Value classmethod_desc_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Native *nat = as_native(self);
    if (n < 1)
        return ou_raise(vm, E_TYPE, "descriptor '%.*s' of '%N' object needs an argument", (int)nat->name_len,
                        nat->def->sig, nat->owner);
    Value b = classmethod_desc_get(vm, self, V_NULL, args[0]);
    Value r = b == V_NULL ? V_NULL : ou_call(vm, b, args + 1, n - 1, kwnames);
    xrelease(vm, b);
    return r;
}

static Value slot_wrapper_get(VM *vm, Value self, Value obj, Value cls) {
    (void)cls;
    if (obj == V_NULL) return retain(self);
    Native *nat = as_native(self);
    if (!fits(vm, nat, obj)) return V_NULL;
    MethodWrapper *w = ou_new(vm, vm->types[T_METHOD_WRAPPER], 0);
    if (!w) return V_NULL;
    w->wrapper = obj_retain(nat);
    w->self = retain(obj);
    return v_of(w);
}

static Value slot_wrapper_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    return ou_slot_wrapper_call(vm, as_native(self), args, n, kwnames);
}

#define NATIVE_PARTS .size = sizeof(Native)

const TypeDef ou_type_native = {
    .name = "builtin_function_or_method",
    NATIVE_PARTS,
    .flags = TF_GC | TF_WEAKREF,
    .slots = {.dealloc = native_dealloc,
              .traverse = native_traverse,
              .repr = native_repr,
              .hash = native_hash,
              .compare = native_compare,
              .call = native_call},
    .methods = native_methods,
    .getset = native_getset,
};
const TypeDef ou_type_method_desc = {
    .name = "method_descriptor",
    NATIVE_PARTS,
    .flags = TF_GC | TF_METHOD_LIKE,
    .slots = {.dealloc = native_dealloc,
              .traverse = native_traverse,
              .repr = method_desc_repr,
              .call = method_desc_call,
              .descr_get = method_desc_get},
    .methods = desc_methods,
    .getset = desc_getset,
};
const TypeDef ou_type_classmethod_desc = {
    .name = "classmethod_descriptor",
    NATIVE_PARTS,
    .flags = TF_GC,
    .slots = {.dealloc = native_dealloc,
              .traverse = native_traverse,
              .repr = method_desc_repr,
              .call = classmethod_desc_call,
              .descr_get = classmethod_desc_get},
    .methods = desc_methods,
    .getset = desc_getset,
};
const TypeDef ou_type_slot_wrapper = {
    .name = "wrapper_descriptor",
    NATIVE_PARTS,
    .flags = TF_GC | TF_METHOD_LIKE,
    .slots = {.dealloc = native_dealloc,
              .traverse = native_traverse,
              .repr = slot_wrapper_repr,
              .call = slot_wrapper_call,
              .descr_get = slot_wrapper_get},
    .methods = desc_methods,
    .getset = desc_getset,
};

/* ---- method-wrapper: a slot wrapper bound to an object ----------------------------------------------- */

static void wrapper_dealloc(VM *vm, Obj *o) {
    MethodWrapper *w = (MethodWrapper *)o;
    obj_release(vm, w->wrapper);
    release(vm, w->self);
    ou_finish_dealloc(vm, o, 0);
}
static void wrapper_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    MethodWrapper *w = (MethodWrapper *)o;
    if (w->wrapper) visit(vm, &w->wrapper->h, arg);
    ou_visit(vm, w->self, visit, arg);
}
static Value wrapper_repr(VM *vm, Value self) {
    MethodWrapper *w = (MethodWrapper *)v_obj(self);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_printf(&b, "<method-wrapper '%.*s' of %s object at 0x%llx>", (int)w->wrapper->name_len,
                 w->wrapper->def->sig, ou_type_name(vm, w->self), (unsigned long long)w->self);
    return ou_sb_finish(&b);
}
static Value wrapper_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    MethodWrapper *w = (MethodWrapper *)v_obj(self);
    int total = n + (kwnames ? (int)kwnames->n : 0);
    Value fixed[16], *buf = fixed;
    if (total + 1 > 16 && !(buf = ou_alloc(&vm->heap, (size_t)(total + 1) * sizeof *buf)))
        return ou_raise_memory(vm);
    buf[0] = w->self;
    for (int i = 0; i < total; i++) buf[i + 1] = args[i];
    Value r = ou_slot_wrapper_call(vm, w->wrapper, buf, n + 1, kwnames);
    if (buf != fixed) ou_free(&vm->heap, buf, (size_t)(total + 1) * sizeof *buf);
    return r;
}
static Value wrapper_compare(VM *vm, Value a, Value b, CmpOp op) {
    (void)vm;
    if ((op != CMP_EQ && op != CMP_NE) || !is_exact(b, T_METHOD_WRAPPER)) return V_NOTIMPL;
    MethodWrapper *x = (MethodWrapper *)v_obj(a), *y = (MethodWrapper *)v_obj(b);
    return v_bool((x->wrapper == y->wrapper && x->self == y->self) == (op == CMP_EQ));
}
static bool wrapper_hash(VM *vm, Value self, int64_t *out) {
    MethodWrapper *w = (MethodWrapper *)v_obj(self);
    (void)vm;
    *out = (int64_t)((w->self >> 4) ^ ((uintptr_t)w->wrapper >> 3));
    if (*out == -1) *out = -2;
    return true;
}
#define WRAPPED v_of(((MethodWrapper *)v_obj(self))->wrapper)
static Value wrapper_name(VM *vm, Value self) {
    return native_name(vm, WRAPPED);
}
static Value wrapper_qualname(VM *vm, Value self) {
    return native_qualname(vm, WRAPPED);
}
static Value wrapper_doc(VM *vm, Value self) {
    return native_doc(vm, WRAPPED);
}
static Value wrapper_objclass(VM *vm, Value self) {
    return native_objclass(vm, WRAPPED);
}
static Value wrapper_text_signature(VM *vm, Value self) {
    return native_text_signature(vm, WRAPPED);
}
static Value wrapper_self(VM *vm, Value self) {
    (void)vm;
    return retain(((MethodWrapper *)v_obj(self))->self);
}
static Value wrapper_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    MethodWrapper *w = (MethodWrapper *)v_obj(args[0]);
    Value name = native_name(vm, v_of(w->wrapper));
    Value getattr = name != V_NULL && vm->builtins ? ou_dict_get_c(vm, vm->builtins, "getattr") : V_NULL;
    if (getattr == V_NULL) return name;
    Value pair[2] = {w->self, name}, parts[2];
    parts[0] = getattr;
    parts[1] = ou_tuple_of(vm, pair, 2);
    Value r = parts[1] == V_NULL ? V_NULL : ou_tuple_of(vm, parts, 2);
    xrelease(vm, parts[1]);
    release(vm, name);
    return r;
}
static const NativeDef wrapper_methods[] = {{"__reduce__()", wrapper_reduce, NULL, 0}, {0}};
static const GetSetDef wrapper_getset[] = {
    {"__self__", wrapper_self, NULL, NULL},
    {"__name__", wrapper_name, NULL, NULL},
    {"__qualname__", wrapper_qualname, NULL, NULL},
    {"__doc__", wrapper_doc, NULL, NULL},
    {"__objclass__", wrapper_objclass, NULL, NULL},
    {"__text_signature__", wrapper_text_signature, NULL, NULL},
    {0},
};
const TypeDef ou_type_method_wrapper = {
    .name = "method-wrapper",
    .size = sizeof(MethodWrapper),
    .flags = TF_GC,
    .slots = {.dealloc = wrapper_dealloc,
              .traverse = wrapper_traverse,
              .repr = wrapper_repr,
              .call = wrapper_call,
              .compare = wrapper_compare,
              .hash = wrapper_hash},
    .methods = wrapper_methods,
    .getset = wrapper_getset,
};

/* ---- getset descriptors ------------------------------------------------------------------------------ */

static GetSet *as_getset(Value v) {
    return (GetSet *)v_obj(v);
}

Value ou_getset_new(VM *vm, const GetSetDef *def, Type *owner) {
    GetSet *g = ou_new(vm, vm->types[T_GETSET], 0);
    if (!g) return V_NULL;
    g->def = def;
    g->owner = owner;
    if (owns_owner(owner))
        (void)obj_retain(owner);
    else
        ou_gc_untrack(vm, &g->h);
    return v_of(g);
}
bool ou_readonly(VM *vm, Value self, Value v) {
    (void)self;
    (void)v;
    ou_raise(vm, E_ATTRIBUTE, "readonly attribute");
    return false;
}
static void getset_dealloc(VM *vm, Obj *o) {
    if (owns_owner(((GetSet *)o)->owner)) obj_release(vm, ((GetSet *)o)->owner);
    ou_finish_dealloc(vm, o, 0);
}
static void getset_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    if (owns_owner(((GetSet *)o)->owner)) visit(vm, &((GetSet *)o)->owner->h, arg);
}
static bool applies(VM *vm, const char *name, Type *owner, Value obj) {
    if (ou_is_subtype(ou_type_of(vm, obj), owner)) return true;
    ou_raise(vm, E_TYPE, "descriptor '%s' for '%N' objects doesn't apply to a '%T' object", name, owner, obj);
    return false;
}
static Value getset_get(VM *vm, Value self, Value obj, Value cls) {
    GetSet *g = as_getset(self);
    (void)cls;
    if (obj == V_NULL) return retain(self);
    if (!applies(vm, g->def->name, g->owner, obj)) return V_NULL;
    return g->def->get(vm, obj);
}
static bool getset_set(VM *vm, Value self, Value obj, Value v) {
    GetSet *g = as_getset(self);
    if (!applies(vm, g->def->name, g->owner, obj)) return false;
    if (g->def->set) return g->def->set(vm, obj, v);
    ou_raise(vm, E_ATTRIBUTE, "attribute '%s' of '%N' objects is not writable", g->def->name, g->owner);
    return false;
}
static Value getset_repr(VM *vm, Value self) {
    return ou_str_format(vm, "<attribute '%s' of '%N' objects>", as_getset(self)->def->name,
                         as_getset(self)->owner);
}
static Value getset_name(VM *vm, Value self) {
    return ou_str_c(vm, as_getset(self)->def->name);
}
static Value getset_qualname(VM *vm, Value self) {
    return ou_str_format(vm, "%U.%s", v_of(as_getset(self)->owner->qualname), as_getset(self)->def->name);
}
static Value getset_doc(VM *vm, Value self) {
    const char *doc = as_getset(self)->def->doc;
    return doc ? ou_str_c(vm, doc) : V_NONE;
}
static Value getset_objclass(VM *vm, Value self) {
    (void)vm;
    return retain(v_of(as_getset(self)->owner));
}
static const GetSetDef getset_getset[] = {
    {"__name__", getset_name, NULL, NULL},
    {"__qualname__", getset_qualname, NULL, NULL},
    {"__doc__", getset_doc, NULL, NULL},
    {"__objclass__", getset_objclass, NULL, NULL},
    {0},
};
const TypeDef ou_type_getset = {
    .name = "getset_descriptor",
    .size = sizeof(GetSet),
    .flags = TF_GC,
    .slots = {.dealloc = getset_dealloc,
              .traverse = getset_traverse,
              .repr = getset_repr,
              .descr_get = getset_get,
              .descr_set = getset_set},
    .getset = getset_getset,
};

/* ---- members: what __slots__ makes ------------------------------------------------------------------- */

static Member *as_member(Value v) {
    return (Member *)v_obj(v);
}

Value ou_member_new(VM *vm, Str *name, Type *owner, uint32_t index) {
    Member *m = ou_new(vm, vm->types[T_MEMBER], 0);
    if (!m) return V_NULL;
    m->name = obj_retain(name);
    m->owner = obj_retain(owner);
    m->index = index;
    return v_of(m);
}
static void member_dealloc(VM *vm, Obj *o) {
    Member *m = (Member *)o;
    obj_release(vm, m->name);
    obj_release(vm, m->owner);
    ou_finish_dealloc(vm, o, 0);
}
static void member_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    if (((Member *)o)->owner) visit(vm, &((Member *)o)->owner->h, arg);
}
static Value member_get(VM *vm, Value self, Value obj, Value cls) {
    Member *m = as_member(self);
    (void)cls;
    if (obj == V_NULL) return retain(self);
    if (!applies(vm, m->name->data, m->owner, obj)) return V_NULL;
    if (m->index & MEMBER_ITEM) return retain(as_tuple(obj)->items[m->index & ~MEMBER_ITEM]);
    Value v = tail_of(ou_type_of(vm, obj), v_obj(obj))->slots[m->index];
    return v == V_UNBOUND ? ou_raise_attr(vm, obj, m->name) : retain(v);
}
static bool member_set(VM *vm, Value self, Value obj, Value v) {
    Member *m = as_member(self);
    if (!applies(vm, m->name->data, m->owner, obj)) return false;
    if (m->index & MEMBER_ITEM) {
        ou_raise(vm, E_ATTRIBUTE, "readonly attribute");
        return false;
    }
    Value *place = &tail_of(ou_type_of(vm, obj), v_obj(obj))->slots[m->index];
    if (v == V_NULL && *place == V_UNBOUND) {
        ou_raise(vm, E_ATTRIBUTE, "%Q", m->name);
        return false;
    }
    set_owned(vm, place, v == V_NULL ? V_UNBOUND : retain(v));
    return true;
}
static Value member_repr(VM *vm, Value self) {
    return ou_str_format(vm, "<member '%Q' of '%N' objects>", as_member(self)->name, as_member(self)->owner);
}
static Value member_name(VM *vm, Value self) {
    (void)vm;
    return retain(v_of(as_member(self)->name));
}
static Value member_qualname(VM *vm, Value self) {
    return ou_str_format(vm, "%U.%Q", v_of(as_member(self)->owner->qualname), as_member(self)->name);
}
static Value member_objclass(VM *vm, Value self) {
    (void)vm;
    return retain(v_of(as_member(self)->owner));
}
static Value member_doc(VM *vm, Value self) {
    (void)vm;
    (void)self;
    return V_NONE;
}
static const GetSetDef member_getset[] = {
    {"__name__", member_name, NULL, NULL},
    {"__qualname__", member_qualname, NULL, NULL},
    {"__objclass__", member_objclass, NULL, NULL},
    {"__doc__", member_doc, NULL, NULL},
    {0},
};
const TypeDef ou_type_member = {
    .name = "member_descriptor",
    .size = sizeof(Member),
    .flags = TF_GC,
    .slots = {.dealloc = member_dealloc,
              .traverse = member_traverse,
              .repr = member_repr,
              .descr_get = member_get,
              .descr_set = member_set},
    .getset = member_getset,
};
