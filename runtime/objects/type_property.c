/* property, staticmethod, classmethod, super: the descriptors that scripts write themselves.
 * Entry points for others: ou_staticmethod_new, ou_classmethod_new. */
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

#define GET(fn) static Value fn(VM *vm, Value self)
#define SET(fn) static bool fn(VM *vm, Value self, Value v)

/* Is `v` marked as abstract? 1, 0, -1. */
static int is_abstract(VM *vm, Value v) {
    bool missing;
    if (v == V_NULL || v == V_NONE) return 0;
    Value m = ou_getattr_opt(vm, v, vm->names[N_DU_isabstractmethod], &missing);
    if (m == V_NULL) return missing ? 0 : -1;
    int r = ou_truth(vm, m);
    release(vm, m);
    return r;
}

/* ---- staticmethod, classmethod ----------------------------------------------------------------------- */

static ClassMethod *as_cm(Value v) {
    return (ClassMethod *)v_obj(v);
}

static Value cm_new(VM *vm, TypeId id, Value f) {
    ClassMethod *c = ou_new(vm, vm->types[id], 0);
    if (!c) return V_NULL;
    c->func = retain(f);
    return v_of(c);
}
Value ou_staticmethod_new(VM *vm, Value f) {
    return cm_new(vm, T_STATICMETHOD, f);
}
Value ou_classmethod_new(VM *vm, Value f) {
    return cm_new(vm, T_CLASSMETHOD, f);
}

static void cm_dealloc(VM *vm, Obj *o) {
    xrelease(vm, ((ClassMethod *)o)->func);
    ou_finish_dealloc(vm, o, 0);
}
static void cm_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    ou_visit(vm, ((ClassMethod *)o)->func, visit, arg);
}
static void cm_clear(VM *vm, Obj *o) {
    set_owned(vm, &((ClassMethod *)o)->func, V_NONE);
}

static Value cm_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)args;
    (void)n;
    (void)kwnames;
    ClassMethod *c = ou_new(vm, cls, 0);
    if (c) c->func = V_NONE;
    return v_of(c);
}
static int cm_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    const char *name = ou_is_a(vm, self, T_STATICMETHOD) ? "staticmethod" : "classmethod";
    if (!ou_no_kw(vm, name, kwnames) || !ou_arg_count(vm, name, n, 1, 1)) return -1;
    set_owned(vm, &as_cm(self)->func, retain(args[0]));
    static const NameId copied[] = {N_DU_module, N_DU_name, N_DU_qualname, N_DU_doc};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++) {
        bool missing;
        Value v = ou_getattr_opt(vm, args[0], vm->names[copied[i]], &missing);
        if (v == V_NULL && !missing) return -1;
        if (v == V_NULL) continue;
        bool ok = ou_instance_set(vm, v_obj(self), vm->names[copied[i]], v);
        release(vm, v);
        if (!ok) return -1;
    }
    return 0;
}
static Value static_get(VM *vm, Value self, Value obj, Value cls) {
    (void)vm;
    (void)obj;
    (void)cls;
    return retain(as_cm(self)->func);
}
static Value static_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Value f = retain(as_cm(self)->func);
    Value r = ou_call(vm, f, args, n, kwnames);
    release(vm, f);
    return r;
}
static Value class_get(VM *vm, Value self, Value obj, Value cls) {
    if (cls == V_NULL) cls = v_of(ou_type_of(vm, obj));
    return ou_method_new(vm, as_cm(self)->func, cls);
}
static Value cm_repr(VM *vm, Value self) {
    return ou_str_format(vm, ou_is_a(vm, self, T_STATICMETHOD) ? "<staticmethod(%R)>" : "<classmethod(%R)>",
                         as_cm(self)->func);
}
GET(cm_func) {
    (void)vm;
    return retain(as_cm(self)->func);
}
GET(cm_abstract) {
    int r = is_abstract(vm, as_cm(self)->func);
    return r < 0 ? V_NULL : v_bool(r);
}
/* What is asked of the wrapper and was not copied: its function has it. */
GET(cm_annotations) {
    return ou_getattr(vm, as_cm(self)->func, vm->names[N_DU_annotations]);
}
static const GetSetDef cm_getset[] = {
    {"__func__", cm_func, ou_readonly, NULL},
    {"__wrapped__", cm_func, ou_readonly, NULL},
    {"__isabstractmethod__", cm_abstract, NULL, NULL},
    {"__annotations__", cm_annotations, NULL, NULL},
    {0},
};
#define CM_SLOTS                                                                                         \
    .make = cm_make, .init = cm_init, .dealloc = cm_dealloc, .traverse = cm_traverse, .clear = cm_clear, \
    .repr = cm_repr
const TypeDef ou_type_staticmethod = {
    .name = "staticmethod",
    .size = offsetof(ClassMethod, tail),
    .flags = TF_GC | TF_DICT | TF_BASE | TF_WEAKREF,
    .slots = {CM_SLOTS, .descr_get = static_get, .call = static_call},
    .getset = cm_getset,
    .doc = "Convert a function to be a static method.",
    .new_sig = "staticmethod(function, /)",
};
const TypeDef ou_type_classmethod = {
    .name = "classmethod",
    .size = offsetof(ClassMethod, tail),
    .flags = TF_GC | TF_DICT | TF_BASE | TF_WEAKREF,
    .slots = {CM_SLOTS, .descr_get = class_get},
    .getset = cm_getset,
    .doc = "Convert a function to be a class method.",
    .new_sig = "classmethod(function, /)",
};

/* ---- property ---------------------------------------------------------------------------------------- */

static Property *as_prop(Value v) {
    return (Property *)v_obj(v);
}
static const char property_sig[] = "property(fget=None, fset=None, fdel=None, doc=None)";

static void prop_dealloc(VM *vm, Obj *o) {
    Property *p = (Property *)o;
    xrelease(vm, p->get);
    xrelease(vm, p->set);
    xrelease(vm, p->del);
    xrelease(vm, p->doc);
    xrelease(vm, p->name);
    ou_finish_dealloc(vm, o, 0);
}
static void prop_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    Property *p = (Property *)o;
    ou_visit(vm, p->get, visit, arg);
    ou_visit(vm, p->set, visit, arg);
    ou_visit(vm, p->del, visit, arg);
    ou_visit(vm, p->doc, visit, arg);
    ou_visit(vm, p->name, visit, arg);
}
static void prop_clear(VM *vm, Obj *o) {
    Property *p = (Property *)o;
    set_owned(vm, &p->get, V_NONE);
    set_owned(vm, &p->set, V_NONE);
    set_owned(vm, &p->del, V_NONE);
    set_owned(vm, &p->doc, V_NONE);
}
static Value prop_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)args;
    (void)n;
    (void)kwnames;
    Property *p = ou_new(vm, cls, 0);
    if (p) p->get = p->set = p->del = p->doc = V_NONE;
    return v_of(p);
}

/* The documentation of a subclass' instance is an attribute of its own: the class' __doc__ would hide the
 * field. Where there is no room for it only a getter's documentation is missed. */
static bool store_doc(VM *vm, Value self, Value doc) {
    Property *p = as_prop(self);
    if (ou_type_of(vm, self)->id == T_PROPERTY) {
        set_owned(vm, &p->doc, retain(doc));
        return true;
    }
    if (ou_setattr(vm, self, vm->names[N_DU_doc], doc)) return true;
    if (p->getter_doc || !ou_exc_matches(vm, E_ATTRIBUTE)) return false;
    ou_exc_clear(vm);
    return true;
}

static int prop_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Value a[4];
    if (!ou_bind(vm, property_sig, args, n, kwnames, a)) return -1;
    for (int i = 0; i < 4; i++)
        if (a[i] == V_NULL) a[i] = V_NONE;
    Property *p = as_prop(self);
    set_owned(vm, &p->get, retain(a[0]));
    set_owned(vm, &p->set, retain(a[1]));
    set_owned(vm, &p->del, retain(a[2]));
    set_owned(vm, &p->name, V_NULL);
    p->getter_doc = false;
    Value doc = retain(a[3]);
    if (doc == V_NONE && a[0] != V_NONE) {
        bool missing;
        doc = ou_getattr_opt(vm, a[0], vm->names[N_DU_doc], &missing);
        if (doc == V_NULL && !missing) return -1;
        if (doc == V_NULL) doc = V_NONE;
        p->getter_doc = doc != V_NONE;
    }
    bool ok = store_doc(vm, self, doc);
    release(vm, doc);
    return ok ? 0 : -1;
}

/* The property's name in messages: the one it was bound to, else the getter's. V_NULL: none. Owned. */
static Value prop_name(VM *vm, Value self) {
    Property *p = as_prop(self);
    if (p->name != V_NULL) return retain(p->name);
    bool missing;
    if (p->get == V_NONE) return V_NULL;
    return ou_getattr_opt(vm, p->get, vm->names[N_DU_name], &missing);
}

static Value prop_missing(VM *vm, Value self, Value obj, const char *what) {
    Value name = prop_name(vm, self);
    if (name == V_NULL && vm->exc != V_NULL) return V_NULL;
    Type *t = ou_type_of(vm, obj);
    if (name != V_NULL)
        ou_raise(vm, E_ATTRIBUTE, "property %R of %R object has no %s", name, v_of(t->qualname), what);
    else
        ou_raise(vm, E_ATTRIBUTE, "property of %R object has no %s", v_of(t->qualname), what);
    xrelease(vm, name);
    return V_NULL;
}

static Value prop_get(VM *vm, Value self, Value obj, Value cls) {
    (void)cls;
    if (obj == V_NULL || obj == V_NONE) return retain(self);
    Value f = as_prop(self)->get;
    if (f == V_NONE) return prop_missing(vm, self, obj, "getter");
    retain(f);
    Value r = ou_call1(vm, f, obj);
    release(vm, f);
    return r;
}
static bool prop_set(VM *vm, Value self, Value obj, Value v) {
    Value f = v == V_NULL ? as_prop(self)->del : as_prop(self)->set;
    if (f == V_NONE) {
        prop_missing(vm, self, obj, v == V_NULL ? "deleter" : "setter");
        return false;
    }
    Value args[2] = {obj, v};
    retain(f);
    Value r = ou_call(vm, f, args, v == V_NULL ? 1 : 2, NULL);
    release(vm, f);
    xrelease(vm, r);
    return r != V_NULL;
}

/* type(self)(get, set, del, doc) with one part replaced. */
static Value prop_copy(VM *vm, Value self, Value get, Value set, Value del) {
    Property *p = as_prop(self);
    Value args[4] = {get == V_NULL ? p->get : get, set == V_NULL ? p->set : set, del == V_NULL ? p->del : del,
                     V_NONE};
    if (!(p->getter_doc && args[0] != V_NONE)) args[3] = p->doc;
    Value r = ou_call(vm, v_of(ou_type_of(vm, self)), args, 4, NULL);
    if (r != V_NULL && ou_is_a(vm, r, T_PROPERTY) && p->name != V_NULL)
        set_owned(vm, &as_prop(r)->name, retain(p->name));
    return r;
}
static Value prop_getter(VM *vm, const Value *args, int n) {
    (void)n;
    return prop_copy(vm, args[0], args[1], V_NULL, V_NULL);
}
static Value prop_setter(VM *vm, const Value *args, int n) {
    (void)n;
    return prop_copy(vm, args[0], V_NULL, args[1], V_NULL);
}
static Value prop_deleter(VM *vm, const Value *args, int n) {
    (void)n;
    return prop_copy(vm, args[0], V_NULL, V_NULL, args[1]);
}
static Value prop_set_name(VM *vm, const Value *args, int n) {
    (void)n;
    Tuple *given = as_tuple(args[1]);
    if (given->n != 2)
        return ou_raise(vm, E_TYPE, "__set_name__() takes 2 positional arguments but %d were given", (int)given->n);
    set_owned(vm, &as_prop(args[0])->name, retain(given->items[1]));
    return V_NONE;
}
GET(prop_fget) {
    (void)vm;
    return retain(as_prop(self)->get);
}
GET(prop_fset) {
    (void)vm;
    return retain(as_prop(self)->set);
}
GET(prop_fdel) {
    (void)vm;
    return retain(as_prop(self)->del);
}
GET(prop_doc) {
    (void)vm;
    return retain(as_prop(self)->doc);
}
SET(prop_set_doc) {
    set_owned(vm, &as_prop(self)->doc, v == V_NULL ? V_NONE : retain(v));
    return true;
}
GET(prop_get_name) {
    Value name = prop_name(vm, self);
    return name == V_NULL && vm->exc == V_NULL ? ou_raise_attr(vm, self, vm->names[N_DU_name]) : name;
}
SET(prop_put_name) {
    set_owned(vm, &as_prop(self)->name, v == V_NULL ? V_NULL : retain(v));
    return true;
}
GET(prop_abstract) {
    Value parts[3] = {as_prop(self)->get, as_prop(self)->set, as_prop(self)->del};
    for (int i = 0; i < 3; i++) {
        int r = is_abstract(vm, parts[i]);
        if (r) return r < 0 ? V_NULL : V_TRUE;
    }
    return V_FALSE;
}
static const NativeDef prop_methods[] = {
    {"getter(fget, /)", prop_getter, "Descriptor to obtain a copy of the property with a different getter.",
     0},
    {"setter(fset, /)", prop_setter, "Descriptor to obtain a copy of the property with a different setter.",
     0},
    {"deleter(fdel, /)", prop_deleter,
     "Descriptor to obtain a copy of the property with a different deleter.", 0},
    {"__set_name__(*args)", prop_set_name, "Method to set name of a property.", 0},
    {0},
};
static const GetSetDef prop_getset[] = {
    {"fget", prop_fget, ou_readonly, NULL},
    {"fset", prop_fset, ou_readonly, NULL},
    {"fdel", prop_fdel, ou_readonly, NULL},
    {"__doc__", prop_doc, prop_set_doc, NULL},
    {"__name__", prop_get_name, prop_put_name, NULL},
    {"__isabstractmethod__", prop_abstract, NULL, NULL},
    {0},
};
const TypeDef ou_type_property = {
    .name = "property",
    .size = sizeof(Property),
    .flags = TF_GC | TF_BASE,
    .slots = {.make = prop_make,
              .init = prop_init,
              .dealloc = prop_dealloc,
              .traverse = prop_traverse,
              .clear = prop_clear,
              .descr_get = prop_get,
              .descr_set = prop_set},
    .methods = prop_methods,
    .getset = prop_getset,
    .doc = "Property attribute.",
    .new_sig = property_sig,
};

/* ---- super ------------------------------------------------------------------------------------------- */

typedef struct Super {
    Obj h;
    Value type, obj, obj_type; /* V_NULL: unbound */
} Super;
static Super *as_super(Value v) {
    return (Super *)v_obj(v);
}

static void super_dealloc(VM *vm, Obj *o) {
    xrelease(vm, ((Super *)o)->type);
    xrelease(vm, ((Super *)o)->obj);
    xrelease(vm, ((Super *)o)->obj_type);
    ou_finish_dealloc(vm, o, 0);
}
static void super_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    ou_visit(vm, ((Super *)o)->type, visit, arg);
    ou_visit(vm, ((Super *)o)->obj, visit, arg);
    ou_visit(vm, ((Super *)o)->obj_type, visit, arg);
}

/* Whose mro super(type, obj) walks: obj itself if it is a class below type, else obj's class. Owned. */
static Value super_check(VM *vm, Type *type, Value obj) {
    if (ou_is_a(vm, obj, T_TYPE) && ou_is_subtype((Type *)v_obj(obj), type)) return retain(obj);
    Type *t = ou_type_of(vm, obj);
    if (ou_is_subtype(t, type)) return retain(v_of(t));
    bool missing;
    Value c = ou_getattr_opt(vm, obj, vm->names[N_DU_class], &missing);
    if (c == V_NULL && !missing) return V_NULL;
    if (c != V_NULL && ou_is_a(vm, c, T_TYPE) && ou_is_subtype((Type *)v_obj(c), type)) return c;
    xrelease(vm, c);
    if (ou_is_a(vm, obj, T_TYPE))
        return ou_raise(vm, E_TYPE,
                        "super(type, obj): obj (type %N) is not an instance or subtype of type (%N).",
                        (Type *)v_obj(obj), type);
    return ou_raise(vm, E_TYPE,
                    "super(type, obj): obj (instance of %T) is not an instance or subtype of type (%N).", obj,
                    type);
}

/* super() without arguments: __class__ and the first argument of the running function. Borrowed. */
static bool super_from_frame(VM *vm, Value *type, Value *obj) {
    FrameRef f;
    if (!ou_frame_current(vm, &f)) {
        ou_raise(vm, E_RUNTIME, "super(): no current frame");
        return false;
    }
    Code *c = f.fn->code;
    if (c->nargs == 0 && !(c->flags & CO_VARARGS)) {
        ou_raise(vm, E_RUNTIME, "super(): no arguments");
        return false;
    }
    Value first = f.R[0];
    if (c->nargs == 0 && is_exact(first, T_TUPLE)) {
        ou_raise(vm, E_RUNTIME, "super(): no arguments");
        return false;
    }
    if (is_exact(first, T_CELL)) first = ((Cell *)v_obj(first))->v;
    if (first == V_UNBOUND || first == V_NULL) {
        ou_raise(vm, E_RUNTIME, "super(): arg[0] deleted");
        return false;
    }
    *obj = first;
    for (uint32_t i = 0; c->freenames && f.fn->closure && i < c->freenames->n; i++) {
        if (c->freenames->items[i] != v_of(vm->names[N_DU_class])) continue;
        Value cell = f.fn->closure->items[i];
        Value t = is_exact(cell, T_CELL) ? ((Cell *)v_obj(cell))->v : V_UNBOUND;
        if (t == V_UNBOUND) {
            ou_raise(vm, E_RUNTIME, "super(): empty __class__ cell");
            return false;
        }
        if (!ou_is_a(vm, t, T_TYPE)) {
            ou_raise(vm, E_RUNTIME, "super(): __class__ is not a type (%T)", t);
            return false;
        }
        *type = t;
        return true;
    }
    ou_raise(vm, E_RUNTIME, "super(): __class__ cell not found");
    return false;
}

static Value super_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)args;
    (void)n;
    (void)kwnames;
    return v_of(ou_new(vm, cls, 0));
}
static int super_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    if (!ou_no_kw(vm, "super", kwnames) || !ou_arg_count(vm, "super", n, 0, 2)) return -1;
    Value type = n > 0 ? args[0] : V_NULL, obj = n > 1 && args[1] != V_NONE ? args[1] : V_NULL,
          obj_type = V_NULL;
    if (n == 0 && !super_from_frame(vm, &type, &obj)) return -1;
    if (!ou_is_a(vm, type, T_TYPE)) {
        ou_raise(vm, E_TYPE, "super() argument 1 must be a type, not %K", type);
        return -1;
    }
    if (obj != V_NULL && (obj_type = super_check(vm, (Type *)v_obj(type), obj)) == V_NULL) return -1;
    Super *s = as_super(self);
    set_owned(vm, &s->type, retain(type));
    set_owned(vm, &s->obj, obj == V_NULL ? V_NULL : retain(obj));
    set_owned(vm, &s->obj_type, obj_type);
    return 0;
}

/* What follows `type` in the mro of obj_type. Owned; V_NULL with *missing or raised. */
static Value super_lookup(VM *vm, Type *type, Value obj, Type *start, Str *name, bool *missing) {
    *missing = false;
    if (!start->mro) { /* it is being computed */
        *missing = true;
        return V_NULL;
    }
    Tuple *mro = obj_retain(start->mro); /* odd keys of a class's dict may run scripts */
    uint32_t i = 0;
    Value v = V_NULL;
    while (i < mro->n && mro->items[i] != v_of(type)) i++;
    for (i++; i < mro->n && v == V_NULL; i++) {
        Type *t = (Type *)v_obj(mro->items[i]);
        Dict *d = type_dict(vm, t);
        v = d ? ou_dict_get_str(vm, d, name) : V_NULL;
    }
    *missing = v == V_NULL;
    if (v != V_NULL) v = ou_descr_get(vm, v, obj == v_of(start) ? V_NULL : obj, v_of(start));
    obj_release(vm, mro);
    return v;
}

Value ou_super_getattr(VM *vm, Value type, Value obj, Str *name) {
    if (!ou_is_a(vm, type, T_TYPE))
        return ou_raise(vm, E_TYPE, "super() argument 1 must be a type, not %K", type);
    Value start = super_check(vm, (Type *)v_obj(type), obj);
    if (start == V_NULL) return V_NULL;
    bool missing = true;
    Value v = V_NULL;
    if (name != vm->names[N_DU_class])
        v = super_lookup(vm, (Type *)v_obj(type), obj, (Type *)v_obj(start), name, &missing);
    release(vm, start);
    if (v != V_NULL || !missing) return v;
    Value args[2] = {type, obj}; /* the general way: also for the message */
    Value s = ou_call(vm, v_of(vm->types[T_SUPER]), args, 2, NULL);
    if (s == V_NULL) return V_NULL;
    v = ou_getattr(vm, s, name);
    release(vm, s);
    return v;
}

static Value super_getattr(VM *vm, Value self, Str *name) {
    Super *s = as_super(self);
    Str *in = ou_name_interned(vm, name);
    if (!in) return V_NULL;
    bool missing = true;
    Value v = V_NULL;
    if (s->obj_type != V_NULL && in != vm->names[N_DU_class])
        v = super_lookup(vm, (Type *)v_obj(s->type), s->obj, (Type *)v_obj(s->obj_type), in, &missing);
    if (v == V_NULL && missing) v = ou_generic_getattr(vm, self, in);
    obj_release(vm, in);
    return v;
}
static Value super_get(VM *vm, Value self, Value obj, Value cls) {
    (void)cls;
    Super *s = as_super(self);
    if (obj == V_NULL || obj == V_NONE || s->obj != V_NULL) return retain(self);
    Value args[2] = {s->type, obj};
    return ou_call(vm, v_of(ou_type_of(vm, self)), args, 2, NULL);
}
static Value super_repr(VM *vm, Value self) {
    Super *s = as_super(self);
    const char *type = s->type == V_NULL ? "NULL" : ((Type *)v_obj(s->type))->name->data;
    if (s->obj_type == V_NULL) return ou_str_format(vm, "<super: <class '%s'>, NULL>", type);
    return ou_str_format(vm, "<super: <class '%s'>, <%s object>>", type,
                         ((Type *)v_obj(s->obj_type))->name->data);
}
static Value opt(Value v) {
    return v == V_NULL ? V_NONE : retain(v);
}
GET(super_thisclass) {
    (void)vm;
    return opt(as_super(self)->type);
}
GET(super_self) {
    (void)vm;
    return opt(as_super(self)->obj);
}
GET(super_self_class) {
    (void)vm;
    return opt(as_super(self)->obj_type);
}
static const GetSetDef super_getset[] = {
    {"__thisclass__", super_thisclass, ou_readonly, "the class invoking super()"},
    {"__self__", super_self, ou_readonly, "the instance invoking super(); may be None"},
    {"__self_class__", super_self_class, ou_readonly,
     "the type of the instance invoking super(); may be None"},
    {0},
};
const TypeDef ou_type_super = {
    .name = "super",
    .size = sizeof(Super),
    .flags = TF_GC | TF_BASE,
    .slots = {.make = super_make,
              .init = super_init,
              .dealloc = super_dealloc,
              .traverse = super_traverse,
              .repr = super_repr,
              .getattr = super_getattr,
              .descr_get = super_get},
    .getset = super_getset,
    .doc = "super() -> same as super(__class__, <first argument>)",
};
