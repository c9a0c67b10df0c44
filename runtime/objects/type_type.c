/* The type `type`: attribute access on classes, calling them, their attributes and methods; isinstance and
 * issubclass. Entry points: ou_type_getattr, ou_type_setattr, ou_type_call, ou_isinstance, ou_issubclass. */
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

/* ---- attributes of classes --------------------------------------------------------------------------- */

Value ou_type_getattr_opt(VM *vm, Value self, Str *name, bool *missing) {
    Type *t = (Type *)v_obj(self), *meta = ou_type_of(vm, self);
    *missing = false;
    Value m = ou_type_lookup(vm, meta, name);
    Type *mt = m != V_NULL && is_obj(m) ? ou_type_of(vm, m) : NULL;
    if (mt && mt->slots.descr_set && mt->slots.descr_get) {
        retain(m);
        Value v = mt->slots.descr_get(vm, m, self, v_of(meta));
        release(vm, m);
        return v;
    }
    if (m != V_NULL) retain(m);
    Value v = ou_type_lookup(vm, t, name);
    if (v != V_NULL)
        v = ou_descr_get(vm, v, V_NULL, self);
    else if (m != V_NULL)
        v = ou_descr_get(vm, m, self, v_of(meta));
    else
        *missing = true;
    xrelease(vm, m);
    return v;
}

static Value raise_missing(VM *vm, Value self, Str *name) {
    ou_raise(vm, E_ATTRIBUTE, "type object '%.50N' has no attribute '%Q'", (Type *)v_obj(self), name);
    if (vm->exc != V_NULL && ou_exc_matches(vm, E_ATTRIBUTE)) {
        ExcAttr *e = (ExcAttr *)v_obj(vm->exc);
        set_owned(vm, &e->name, retain(v_of(name)));
        set_owned(vm, &e->obj, retain(self));
    }
    return V_NULL;
}

Value ou_type_getattr(VM *vm, Value self, Str *name) {
    Str *in = ou_name_interned(vm, name);
    if (!in) return V_NULL;
    bool missing;
    Value v = ou_type_getattr_opt(vm, self, in, &missing);
    if (v == V_NULL && missing) raise_missing(vm, self, in);
    obj_release(vm, in);
    return v;
}

static bool is_data_descr(VM *vm, Value v) {
    return v != V_NULL && is_obj(v) && ou_type_of(vm, v)->slots.descr_set;
}

/* Forms of instructions conclude from slots of an instance's class, but not from these: they are looked for each time. */
static bool slot_is_cached(VM *vm, const Str *name) {
    return name != vm->names[N_DU_new] && name != vm->names[N_DU_init] && name != vm->names[N_DU_repr] &&
           name != vm->names[N_DU_str];
}

/* What inline caches conclude from a class: which function a method call finds, and that no data descriptor stands in the way of an
 * instance's attribute. */
static bool is_concluded_from(VM *vm, Value v) {
    return v != V_NULL && is_obj(v) && ((ou_type_of(vm, v)->flags & TF_METHOD_LIKE) || is_data_descr(vm, v));
}

/* May the class or one below it find such a thing behind t in its order? */
static bool inherits_conclusion(VM *vm, Type *t, Str *name) {
    if (is_concluded_from(vm, ou_type_lookup(vm, t, name))) return true;
    for (uint32_t i = 0; i < t->nsubclasses; i++)
        if (inherits_conclusion(vm, (Type *)t->subclasses[i], name)) return true;
    return false;
}

/* Will caches have concluded what no longer holds once the class has v of that name, or none? Of a name that no cache has used nothing
 * was concluded, and a counter in a class may change as often as it likes. */
static bool change_matters(VM *vm, Type *t, Str *name, Value had, Value v) {
    if (!(name->flags & STR_CACHED_NAME)) return false;
    if (v == V_NULL || is_data_descr(vm, v)) return true; /* what comes to light may be anything */
    return had != V_NULL ? is_concluded_from(vm, had) : inherits_conclusion(vm, t, name);
}

/* Sets, or with V_NULL deletes, what the class itself has of that (interned) name. */
static bool change_own(VM *vm, Type *t, Str *name, Value v) {
    Value had = ou_dict_get_str(vm, t->ns, name);
    if (had == V_NULL && v == V_NULL) {
        raise_missing(vm, v_of(t), name);
        return false;
    }
    /* First of all, so that nothing is changed without memory for it. */
    if (change_matters(vm, t, name, had, v) && !ou_shapes_renew(vm, t)) return false;
    if (had != V_NULL) retain(had); /* its destruction may look things up: not before everything is in order again */
    bool ok = v == V_NULL ? ou_dict_del(vm, t->ns, v_of(name)) == 1 : ou_dict_set_str(vm, t->ns, name, v);
    ou_type_new_version(vm, t);
    /* What was no slot's descriptor before covers no more of them now than it did. */
    if (had == V_NULL || is_exact(had, T_MEMBER)) ou_shapes_cover_slots(vm, t);
    if (ok && ou_slots_name_changed(vm, t, name) && slot_is_cached(vm, name)) ok = ou_shapes_renew(vm, t);
    /* Objects that stand in other classes may have become data descriptors: nothing that was concluded holds. */
    if (ok && (name == vm->names[N_DU_get] || name == vm->names[N_DU_set] || name == vm->names[N_DU_delete]))
        ok = ou_shapes_renew(vm, vm->types[T_OBJECT]);
    xrelease(vm, had);
    return ok;
}

bool ou_type_setattr(VM *vm, Value self, Str *name_in, Value v) {
    Type *t = (Type *)v_obj(self), *meta = ou_type_of(vm, self);
    if (t->flags & TF_IMMUTABLE) {
        ou_raise(vm, E_TYPE, "cannot set '%Q' attribute of immutable type '%N'", name_in, t);
        return false;
    }
    if (!type_dict(vm, t)) return false;
    Str *name = ou_name_interned(vm, name_in);
    if (!name) return false;
    bool ok = false;
    Value m = ou_type_lookup(vm, meta, name);
    if (is_data_descr(vm, m)) {
        retain(m);
        ok = ou_type_of(vm, m)->slots.descr_set(vm, m, self, v);
        release(vm, m);
        obj_release(vm, name);
        return ok;
    }
    ok = change_own(vm, t, name, v);
    obj_release(vm, name);
    return ok;
}

/* ---- names ------------------------------------------------------------------------------------------- */

Value ou_type_module_name(VM *vm, Type *t) {
    Value v = t->ns && (t->flags & TF_HEAP) ? ou_dict_get_str(vm, t->ns, vm->names[N_DU_module]) : V_NULL;
    if (v != V_NULL) return retain(v);
    if (t->def) {
        const char *dot = strrchr(t->def->name, '.');
        return dot ? v_of(ou_intern(vm, t->def->name, (size_t)(dot - t->def->name))) /* one for all: pickles say it once */
                   : retain(v_of(vm->names[N_builtins]));
    }
    return ou_raise(vm, E_ATTRIBUTE, "__module__");
}

Value ou_type_display(VM *vm, Type *t) {
    Value m = ou_type_module_name(vm, t);
    if (m == V_NULL) {
        ou_exc_clear(vm);
        return retain(v_of(t->qualname));
    }
    Value r;
    if (is_exact(m, T_STR) && !ou_str_eq_c(as_str(m), "builtins"))
        r = ou_str_format(vm, "%U.%U", m, v_of(t->qualname));
    else
        r = retain(v_of(t->qualname));
    release(vm, m);
    return r;
}

static Value type_repr(VM *vm, Value self) {
    Value d = ou_type_display(vm, (Type *)v_obj(self));
    if (d == V_NULL) return V_NULL;
    Value r = ou_str_format(vm, "<class '%U'>", d);
    release(vm, d);
    return r;
}

/* ---- getset ------------------------------------------------------------------------------------------ */

#define SELF ((Type *)v_obj(self))
#define GET(fn) static Value fn(VM *vm, Value self)
#define SET(fn) static bool fn(VM *vm, Value self, Value v)

static bool may_set(VM *vm, Value self, Value v, const char *name) {
    if (SELF->flags & TF_IMMUTABLE) {
        ou_raise(vm, E_TYPE, "cannot set '%s' attribute of immutable type '%N'", name, SELF);
        return false;
    }
    if (v == V_NULL) {
        ou_raise(vm, E_TYPE, "cannot delete '%s' attribute of immutable type '%N'", name, SELF);
        return false;
    }
    return true;
}

GET(get_name) {
    (void)vm;
    return retain(v_of(SELF->name));
}
SET(set_name) {
    if (!may_set(vm, self, v, "__name__")) return false;
    if (!ou_is_a(vm, v, T_STR)) {
        ou_raise(vm, E_TYPE, "can only assign string to %N.__name__, not '%T'", SELF, v);
        return false;
    }
    if (strlen(as_str(v)->data) != as_str(v)->size) {
        ou_raise(vm, E_VALUE, "type name must not contain null characters");
        return false;
    }
    Str *s = ou_intern_str(vm, as_str(v));
    if (!s) return false;
    Str *old = SELF->name;
    SELF->name = s;
    obj_release(vm, old);
    return true;
}
GET(get_qualname) {
    (void)vm;
    return retain(v_of(SELF->qualname));
}
SET(set_qualname) {
    if (!may_set(vm, self, v, "__qualname__")) return false;
    if (!ou_is_a(vm, v, T_STR)) {
        ou_raise(vm, E_TYPE, "can only assign string to %N.__qualname__, not '%T'", SELF, v);
        return false;
    }
    Str *old = SELF->qualname;
    SELF->qualname = as_str(retain(v));
    obj_release(vm, old);
    return true;
}
GET(get_module) {
    return ou_type_module_name(vm, SELF);
}
static bool set_in_dict(VM *vm, Value self, NameId id, Value v) {
    return type_dict(vm, SELF) && change_own(vm, SELF, vm->names[id], v);
}
SET(set_module) {
    return may_set(vm, self, v, "__module__") && set_in_dict(vm, self, N_DU_module, v);
}
GET(get_doc) {
    if (!type_dict(vm, SELF)) return V_NULL;
    Value v = ou_dict_get_str(vm, SELF->ns, vm->names[N_DU_doc]);
    if (v == V_NULL) return V_NONE;
    return ou_descr_get(vm, v, V_NULL, self);
}
SET(set_doc) {
    return may_set(vm, self, v, "__doc__") && set_in_dict(vm, self, N_DU_doc, v);
}
GET(get_bases) {
    (void)vm;
    return retain(v_of(SELF->bases));
}
SET(set_bases) {
    if (!may_set(vm, self, v, "__bases__")) return false;
    if (!ou_is_a(vm, v, T_TUPLE)) {
        ou_raise(vm, E_TYPE, "can only assign tuple to %N.__bases__, not %T", SELF, v);
        return false;
    }
    return ou_type_set_bases(vm, SELF, v);
}
GET(get_base) {
    (void)vm;
    return SELF->base ? retain(v_of(SELF->base)) : V_NONE;
}
GET(get_mro) {
    (void)vm;
    return SELF->mro ? retain(v_of(SELF->mro)) : V_NONE;
}
GET(get_dict) {
    Dict *own = type_dict(vm, SELF);
    return own ? ou_mappingproxy_new(vm, v_of(own)) : V_NULL;
}
GET(get_abstract) {
    bool lazy = SELF->flags & TF_LAZY; /* which has none */
    Value v = lazy || SELF->id == T_TYPE ? V_NULL : ou_dict_get_str(vm, SELF->ns, vm->names[N_DU_abstractmethods]);
    return v == V_NULL ? ou_raise(vm, E_ATTRIBUTE, "__abstractmethods__") : retain(v);
}
SET(set_abstract) {
    Str *name = vm->names[N_DU_abstractmethods];
    if (v == V_NULL) {
        if (!type_dict(vm, SELF)) return false;
        if (ou_dict_get_str(vm, SELF->ns, name) == V_NULL) return ou_raise(vm, E_ATTRIBUTE, "%Q", name), false;
        if (!change_own(vm, SELF, name, V_NULL)) return false;
        SELF->flags &= ~(uint32_t)TF_ABSTRACT;
        return true;
    }
    int truth = ou_truth(vm, v);
    if (truth < 0 || !set_in_dict(vm, self, N_DU_abstractmethods, v)) return false;
    SELF->flags = truth ? SELF->flags | TF_ABSTRACT : SELF->flags & ~(uint32_t)TF_ABSTRACT;
    if (!ou_shapes_renew(vm, SELF)) return false;
    return true;
}
GET(get_annotations) {
    if (!(SELF->flags & TF_HEAP)) return raise_missing(vm, self, vm->names[N_DU_annotations]);
    Value v = ou_dict_get_str(vm, SELF->ns, vm->names[N_DU_annotations]);
    if (v != V_NULL) return ou_descr_get(vm, v, V_NULL, self);
    Value d = ou_dict_new(vm);
    if (d != V_NULL && !set_in_dict(vm, self, N_DU_annotations, d)) {
        release(vm, d);
        return V_NULL;
    }
    return d;
}
SET(set_annotations) {
    if (SELF->flags & TF_IMMUTABLE) return may_set(vm, self, v, "__annotations__");
    return set_in_dict(vm, self, N_DU_annotations, v);
}
GET(get_type_params) {
    bool own = SELF->flags & TF_HEAP; /* `type` itself has this attribute's descriptor in its dict */
    Value v = own ? ou_dict_get_str(vm, SELF->ns, vm->names[N_DU_type_params]) : V_NULL;
    return v == V_NULL ? ou_tuple_new(vm, 0) : retain(v);
}
SET(set_type_params) {
    return may_set(vm, self, v, "__type_params__") && set_in_dict(vm, self, N_DU_type_params, v);
}
GET(get_text_signature) {
    const char *sig = SELF->def ? SELF->def->new_sig : NULL;
    sig = sig ? strchr(sig, '(') : NULL;
    return sig ? ou_str_c(vm, sig) : V_NONE;
}
GET(get_basicsize) {
    (void)vm;
    return v_smallint((int64_t)SELF->size + (SELF->tail ? (int64_t)sizeof(Tail) : 0) + 8);
}
GET(get_itemsize) {
    (void)vm;
    return v_smallint((SELF->flags & TF_VAR) ? (SELF->struct_id == T_TUPLE ? 8 : 1) : 0);
}
GET(get_dictoffset) {
    (void)vm;
    return v_smallint((SELF->flags & TF_DICT) ? -1 : 0);
}
GET(get_weakrefoffset) {
    (void)vm;
    return v_smallint((SELF->flags & TF_WEAKREF) ? 8 : 0);
}
GET(get_flags) {
    (void)vm;
    uint32_t f = SELF->flags;
    int64_t out = 1 << 12; /* READY, and CPython's bits for what we have */
    out |= (f & TF_HEAP) ? 1 << 9 : 0;
    out |= (f & TF_BASE) ? 1 << 10 : 0;
    out |= (f & TF_IMMUTABLE) ? 1 << 8 : 0;
    out |= (f & TF_GC) ? 1 << 14 : 0;
    out |= (f & TF_ABSTRACT) ? 1 << 20 : 0;
    out |= (f & TF_SEQUENCE) ? 1 << 5 : 0;
    out |= (f & TF_MAPPING) ? 1 << 6 : 0;
    return v_smallint(out);
}

static const GetSetDef type_getset[] = {
    {"__name__", get_name, set_name, NULL},
    {"__qualname__", get_qualname, set_qualname, NULL},
    {"__module__", get_module, set_module, NULL},
    {"__doc__", get_doc, set_doc, NULL},
    {"__bases__", get_bases, set_bases, NULL},
    {"__base__", get_base, NULL, NULL},
    {"__mro__", get_mro, NULL, NULL},
    {"__dict__", get_dict, NULL, NULL},
    {"__abstractmethods__", get_abstract, set_abstract, NULL},
    {"__annotations__", get_annotations, set_annotations, NULL},
    {"__type_params__", get_type_params, set_type_params, NULL},
    {"__text_signature__", get_text_signature, NULL, NULL},
    {"__basicsize__", get_basicsize, NULL, NULL},
    {"__itemsize__", get_itemsize, NULL, NULL},
    {"__dictoffset__", get_dictoffset, NULL, NULL},
    {"__weakrefoffset__", get_weakrefoffset, NULL, NULL},
    {"__flags__", get_flags, NULL, NULL},
    {0},
};

/* ---- isinstance, issubclass -------------------------------------------------------------------------- */

static Value bases_of(VM *vm, Value cls) {
    bool missing;
    Value b = ou_getattr_opt(vm, cls, vm->names[N_DU_bases], &missing);
    if (b != V_NULL && !ou_is_a(vm, b, T_TUPLE)) {
        release(vm, b);
        return V_NULL;
    }
    return b;
}

/* For things that behave as classes without being types. */
static int abstract_issubclass(VM *vm, Value derived, Value cls) {
    if (derived == cls) return 1;
    Value bases = bases_of(vm, derived);
    if (bases == V_NULL) return vm->exc != V_NULL ? -1 : 0;
    int r = 0;
    if (ou_c_deep(vm)) { /* __bases__ may be computed, without end */
        ou_raise_recursion(vm, " in __issubclass__");
        r = -1;
    }
    vm->c_depth++;
    for (uint32_t i = 0; r == 0 && i < as_tuple(bases)->n; i++)
        r = abstract_issubclass(vm, as_tuple(bases)->items[i], cls);
    vm->c_depth--;
    release(vm, bases);
    return r;
}

static int real_issubclass(VM *vm, Value derived, Value cls) {
    if (ou_is_a(vm, cls, T_TYPE) && ou_is_a(vm, derived, T_TYPE))
        return ou_is_subtype((Type *)v_obj(derived), (Type *)v_obj(cls));
    Value b = bases_of(vm, derived);
    if (b == V_NULL) {
        if (vm->exc == V_NULL) ou_raise(vm, E_TYPE, "issubclass() arg 1 must be a class");
        return -1;
    }
    release(vm, b);
    b = bases_of(vm, cls);
    if (b == V_NULL) {
        if (vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, "issubclass() arg 2 must be a class, a tuple of classes, or a union");
        return -1;
    }
    release(vm, b);
    return abstract_issubclass(vm, derived, cls);
}

static int real_isinstance(VM *vm, Value v, Value cls) {
    bool missing;
    if (ou_is_a(vm, cls, T_TYPE)) {
        Type *t = ou_type_of(vm, v);
        if (ou_is_subtype(t, (Type *)v_obj(cls))) return 1;
        if (t->slots.getattr == ou_generic_getattr && !(t->flags & TF_HEAP)) return 0;
        Value c = ou_getattr_opt(vm, v, vm->names[N_DU_class], &missing);
        if (c == V_NULL) return missing ? 0 : -1;
        int r = c != v_of(t) && ou_is_a(vm, c, T_TYPE) && ou_is_subtype((Type *)v_obj(c), (Type *)v_obj(cls));
        release(vm, c);
        return r;
    }
    Value b = bases_of(vm, cls);
    if (b == V_NULL) {
        if (vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, "isinstance() arg 2 must be a type, a tuple of types, or a union");
        return -1;
    }
    release(vm, b);
    Value c = ou_getattr_opt(vm, v, vm->names[N_DU_class], &missing);
    if (c == V_NULL) return missing ? 0 : -1;
    int r = abstract_issubclass(vm, c, cls);
    release(vm, c);
    return r;
}

static int check(VM *vm, Value v, Value cls, bool instance, int depth) {
    if (instance && v_of(ou_type_of(vm, v)) == cls) return 1;
    Type *meta = ou_type_of(vm, cls);
    if (meta->id == T_TYPE) return instance ? real_isinstance(vm, v, cls) : real_issubclass(vm, v, cls);
    if (meta->struct_id == T_TUPLE) {
        if (depth > 200) {
            ou_raise_recursion(vm, instance ? " in __instancecheck__" : " in __subclasscheck__");
            return -1;
        }
        int r = 0;
        for (uint32_t i = 0; r == 0 && i < as_tuple(cls)->n; i++)
            r = check(vm, v, as_tuple(cls)->items[i], instance, depth + 1);
        return r;
    }
    bool absent;
    Value res = ou_call_special(vm, cls, instance ? N_DU_instancecheck : N_DU_subclasscheck, &v, 1, &absent);
    if (absent) return instance ? real_isinstance(vm, v, cls) : real_issubclass(vm, v, cls);
    if (res == V_NULL) return -1;
    int r = ou_truth(vm, res);
    release(vm, res);
    return r;
}

int ou_isinstance(VM *vm, Value v, Value cls) {
    return check(vm, v, cls, true, 0);
}
int ou_issubclass(VM *vm, Value cls, Value of) {
    return check(vm, cls, of, false, 0);
}

/* ---- methods ----------------------------------------------------------------------------------------- */

static Value type_instancecheck(VM *vm, const Value *args, int n) {
    (void)n;
    int r = real_isinstance(vm, args[1], args[0]);
    return r < 0 ? V_NULL : v_bool(r);
}
static Value type_subclasscheck(VM *vm, const Value *args, int n) {
    (void)n;
    int r = real_issubclass(vm, args[1], args[0]);
    return r < 0 ? V_NULL : v_bool(r);
}
static Value type_mro(VM *vm, const Value *args, int n) {
    (void)n;
    return ou_compute_mro(vm, (Type *)v_obj(args[0]));
}
static Value type_subclasses(VM *vm, const Value *args, int n) {
    (void)n;
    Type *t = (Type *)v_obj(args[0]);
    Value list = ou_list_new(vm, t->nsubclasses);
    for (uint32_t i = 0; list != V_NULL && i < t->nsubclasses; i++)
        if (!ou_list_append(vm, as_list(list), v_of(t->subclasses[i]))) {
            release(vm, list);
            return V_NULL;
        }
    return list;
}
static Value type_prepare(VM *vm, const Value *args, int n) {
    (void)args;
    (void)n;
    return ou_dict_new(vm);
}
static Value type_dir(VM *vm, const Value *args, int n) {
    (void)n;
    Type *t = (Type *)v_obj(args[0]);
    Value d = ou_dict_new(vm);
    for (uint32_t i = t->mro ? t->mro->n : 0; d != V_NULL && i-- > 0;) {
        Dict *own = type_dict(vm, (Type *)v_obj(t->mro->items[i]));
        if (!own || !ou_dict_merge(vm, as_dict(d), v_of(own), true)) {
            release(vm, d);
            return V_NULL;
        }
    }
    Value list = d == V_NULL ? V_NULL : ou_list_from(vm, d);
    xrelease(vm, d);
    return list;
}
static Value type_sizeof(VM *vm, const Value *args, int n) {
    (void)n;
    (void)vm;
    return v_smallint((int64_t)sizeof(Type) + (((Type *)v_obj(args[0]))->nsubclasses * 8));
}

static const NativeDef type_methods[] = {
    {"mro()", type_mro, "Return a type's method resolution order.", 0},
    {"__subclasses__()", type_subclasses, "Return a list of immediate subclasses.", 0},
    {"__prepare__(*args, **kwargs)", type_prepare, "Create the namespace for the class statement.", ND_CLASS},
    {"__instancecheck__(instance, /)", type_instancecheck, "Check if an object is an instance.", 0},
    {"__subclasscheck__(subclass, /)", type_subclasscheck, "Check if a class is a subclass.", 0},
    {"__dir__()", type_dir, "Specialized __dir__ implementation for types.", 0},
    {"__sizeof__()", type_sizeof, "Return memory consumption of the type object.", 0},
    {0},
};

/* ---- calling ----------------------------------------------------------------------------------------- */

Value ou_type_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Type *t = (Type *)v_obj(self);
    if (t->id == T_TYPE && n == 1)
        return ou_no_kw(vm, "type", kwnames) ? retain(v_of(ou_type_of(vm, args[0]))) : V_NULL;
    if (!t->slots.make) {
        Value name = t->def ? ou_str_c(vm, t->def->name) : ou_type_display(vm, t);
        if (name != V_NULL) ou_raise(vm, E_TYPE, "cannot create '%.100U' instances", name);
        xrelease(vm, name);
        return V_NULL;
    }
    Value o = t->slots.make(vm, t, args, n, kwnames);
    if (o == V_NULL) return V_NULL;
    Type *ot = ou_type_of(vm, o);
    if (ot != t && !ou_is_subtype(ot, t)) return o;
    if (ot->slots.init && ot->slots.init(vm, o, args, n, kwnames) < 0) {
        release(vm, o);
        return V_NULL;
    }
    return o;
}

Value ou_type_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    if (cls->id == T_TYPE && n == 1 && !(kwnames && kwnames->n)) return retain(v_of(ou_type_of(vm, args[0])));
    if (n != 3)
        return cls->id == T_TYPE
                   ? ou_raise(vm, E_TYPE, "type() takes 1 or 3 arguments")
                   : ou_raise(vm, E_TYPE, "type.__new__() takes exactly 3 arguments (%d given)", n);
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "type.__new__() argument 1 must be str, not %K", args[0]);
    if (!ou_is_a(vm, args[1], T_TUPLE))
        return ou_raise(vm, E_TYPE, "type.__new__() argument 2 must be tuple, not %K", args[1]);
    if (!ou_is_a(vm, args[2], T_DICT))
        return ou_raise(vm, E_TYPE, "type.__new__() argument 3 must be dict, not %K", args[2]);
    Tuple *bases = as_tuple(args[1]);
    for (uint32_t i = 0; i < bases->n; i++) {
        if (ou_is_a(vm, bases->items[i], T_TYPE)) continue;
        bool missing;
        Value f = ou_getattr_opt(vm, bases->items[i], vm->names[N_DU_mro_entries], &missing);
        if (f != V_NULL) {
            release(vm, f);
            return ou_raise(vm, E_TYPE, "type() doesn't support MRO entry resolution; use types.new_class()");
        }
        if (!missing) return V_NULL;
    }
    Value meta = ou_calculate_metaclass(vm, v_of(cls), bases);
    if (meta == V_NULL) return V_NULL;
    Type *winner = (Type *)v_obj(meta);
    Value r;
    if (winner != cls && winner->slots.make != ou_type_make)
        r = winner->slots.make(vm, winner, args, n, kwnames);
    else
        r = ou_type_new(vm, winner, as_str(args[0]), bases, as_dict(args[2]), args + n, kwnames);
    release(vm, meta);
    return r;
}

int ou_type_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    (void)self;
    (void)args;
    if (kwnames && kwnames->n && n == 1) {
        ou_raise(vm, E_TYPE, "type.__init__() takes no keyword arguments");
        return -1;
    }
    if (n != 1 && n != 3) {
        ou_raise(vm, E_TYPE, "type.__init__() takes 1 or 3 arguments");
        return -1;
    }
    return 0;
}

/* X | Y */
static Value type_or(VM *vm, Value a, Value b) {
    return ou_union_of(vm, a, b);
}

const TypeDef ou_type_type = {
    .name = "type",
    .size = sizeof(Type),
    .flags = TF_GC | TF_BASE | TF_WEAKREF,
    .slots = {.make = ou_type_make,
              .init = ou_type_init,
              .dealloc = ou_type_dealloc,
              .traverse = ou_type_traverse,
              .clear = ou_type_clear,
              .repr = type_repr,
              .call = ou_type_call,
              .getattr = ou_type_getattr,
              .setattr = ou_type_setattr,
              .binary[BIN_OR] = type_or},
    .methods = type_methods,
    .getset = type_getset,
    .doc = "type(object) -> the object's type\ntype(name, bases, dict, **kwds) -> a new type",
};
