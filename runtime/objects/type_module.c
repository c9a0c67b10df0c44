/* Modules: a name and a dict. Entry point: ou_module_new.
 * Attribute access goes to the dict; a missing name is asked of the module's __getattr__ (PEP 562) or, for
 * native modules that make parts of themselves on demand, of lazy_getattr. */
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

#define MOD ((Module *)v_obj(self))

static bool fill(VM *vm, Module *m, Str *name, Value doc) {
    Dict *d = m->dict;
    Str *old = m->name;
    m->name = obj_retain(name);
    obj_xrelease(vm, old);
    return ou_dict_set_str(vm, d, vm->names[N_DU_name], v_of(name)) &&
           ou_dict_set_str(vm, d, vm->names[N_DU_doc], doc) &&
           ou_dict_set_str(vm, d, vm->names[N_DU_package], V_NONE) &&
           ou_dict_set_str(vm, d, vm->names[N_DU_loader], V_NONE) &&
           ou_dict_set_str(vm, d, vm->names[N_DU_spec], V_NONE);
}

static Module *bare(VM *vm, Type *cls) {
    Module *m = ou_new(vm, cls, 0);
    if (!m) return NULL;
    Value d = ou_dict_new(vm);
    if (d == V_NULL) {
        obj_release(vm, m);
        return NULL;
    }
    m->dict = as_dict(d);
    return m;
}

Value ou_module_new(VM *vm, const char *name, size_t n) {
    Str *s = ou_intern(vm, name, n);
    Module *m = s ? bare(vm, vm->types[T_MODULE]) : NULL;
    if (m && !fill(vm, m, s, V_NONE)) {
        obj_release(vm, m);
        m = NULL;
    }
    if (s) obj_release(vm, s);
    return v_of(m);
}

static Value module_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)args;
    (void)n;
    (void)kwnames;
    return v_of(bare(vm, cls));
}

static const char module_sig[] = "module(name, doc=None)";
static int module_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Value a[2];
    if (!ou_bind(vm, module_sig, args, n, kwnames, a)) return -1;
    if (!ou_is_a(vm, a[0], T_STR)) {
        ou_raise(vm, E_TYPE, "module() argument 'name' must be str, not %K", a[0]);
        return -1;
    }
    return fill(vm, MOD, as_str(a[0]), a[1] == V_NULL ? V_NONE : a[1]) ? 0 : -1;
}

static void module_dealloc(VM *vm, Obj *o) {
    Module *m = (Module *)o;
    obj_xrelease(vm, m->dict);
    obj_xrelease(vm, m->name);
    ou_finish_dealloc(vm, o, 0);
}
static void module_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    if (((Module *)o)->dict) visit(vm, (Obj *)((Module *)o)->dict, arg);
}
static void module_clear(VM *vm, Obj *o) {
    if (((Module *)o)->dict) ou_dict_clear(vm, ((Module *)o)->dict);
}

static Value dict_name(VM *vm, Value self) {
    Value n = ou_dict_get_str(vm, MOD->dict, vm->names[N_DU_name]);
    return n != V_NULL && ou_is_a(vm, n, T_STR) ? n : V_NULL;
}

/* One attribute of a spec: owned, V_NONE for what it lacks. */
static Value spec_attr(VM *vm, Value spec, const char *name) {
    bool missing = false;
    Str *s = ou_intern_c(vm, name);
    Value v = s ? ou_getattr_opt(vm, spec, s, &missing) : V_NULL;
    obj_xrelease(vm, s);
    return v == V_NULL && missing ? V_NONE : v;
}

/* No origin: a namespace package, or what a loader of a script has made. */
static Value repr_by_loader(VM *vm, Value spec, Value name) {
    Value loader = spec_attr(vm, spec, "loader"), r = V_NULL, path = V_NULL;
    if (loader == V_NULL) return V_NULL;
    if (strcmp(ou_type_name(vm, loader), "NamespaceLoader") == 0) {
        path = spec_attr(vm, loader, "_path");
        Value list = path == V_NULL ? V_NULL : ou_list_from(vm, path);
        if (list != V_NULL) r = ou_str_format(vm, "<module %R (namespace) from %R>", name, list);
        xrelease(vm, list);
    } else if (loader != V_NONE) {
        r = ou_str_format(vm, "<module %R (%R)>", name, loader);
    } else {
        r = ou_str_format(vm, "<module %R>", name);
    }
    xrelease(vm, path);
    release(vm, loader);
    return r;
}

static Value repr_by_spec(VM *vm, Value spec) {
    Value name = spec_attr(vm, spec, "name"), origin = V_NULL, r = V_NULL;
    if (name == V_NONE) name = ou_str_c(vm, "?");
    if (name != V_NULL && (origin = spec_attr(vm, spec, "origin")) == V_NONE) {
        r = repr_by_loader(vm, spec, name);
    } else if (origin != V_NULL) {
        Value located = spec_attr(vm, spec, "has_location");
        int truth = located == V_NULL ? -1 : ou_truth(vm, located);
        if (truth >= 0)
            r = ou_str_format(vm, truth ? "<module %R from %R>" : "<module %R (%S)>", name, origin);
        xrelease(vm, located);
    }
    xrelease(vm, name);
    xrelease(vm, origin);
    return r;
}

static Value own_or_null(Value v) {
    return v == V_NULL ? v : retain(v);
}

static Value module_repr(VM *vm, Value self) {
    Dict *d = MOD->dict;
    Value spec = ou_dict_get_str(vm, d, vm->names[N_DU_spec]), r;
    int known = spec == V_NULL ? 0 : ou_truth(vm, retain(spec));
    if (known != 0) {
        r = known > 0 ? repr_by_spec(vm, spec) : V_NULL;
        release(vm, spec);
        return r;
    }
    xrelease(vm, spec);
    Value name = own_or_null(ou_dict_get_str(vm, d, vm->names[N_DU_name]));
    Value file = own_or_null(ou_dict_get_str(vm, d, vm->names[N_DU_file]));
    Value loader = own_or_null(ou_dict_get_str(vm, d, vm->names[N_DU_loader]));
    if (name == V_NULL) name = ou_str_c(vm, "?");
    if (name == V_NULL)
        r = V_NULL;
    else if (file != V_NULL)
        r = ou_str_format(vm, "<module %R from %R>", name, file);
    else if (loader != V_NULL && loader != V_NONE)
        r = ou_str_format(vm, "<module %R (%R)>", name, loader);
    else
        r = ou_str_format(vm, "<module %R>", name);
    xrelease(vm, name);
    xrelease(vm, file);
    xrelease(vm, loader);
    return r;
}

static bool is_initializing(VM *vm, Value self) {
    Value spec = ou_dict_get_str(vm, MOD->dict, vm->names[N_DU_spec]);
    if (spec == V_NULL || spec == V_NONE) return false;
    Str *name = ou_intern_c(vm, "_initializing");
    bool missing;
    Value v = name ? ou_getattr_opt(vm, spec, name, &missing) : V_NULL;
    obj_xrelease(vm, name);
    if (v == V_NULL) {
        ou_exc_clear(vm);
        return false;
    }
    bool r = v == V_TRUE;
    release(vm, v);
    return r;
}

static Value raise_missing(VM *vm, Value self, Str *name) {
    Value mod = dict_name(vm, self), file = ou_dict_get_str(vm, MOD->dict, vm->names[N_DU_file]);
    if (mod == V_NULL)
        ou_raise(vm, E_ATTRIBUTE, "module has no attribute '%Q'", name);
    else if (is_initializing(vm, self) && file != V_NULL && ou_is_a(vm, file, T_STR))
        ou_raise(vm, E_ATTRIBUTE,
                 "partially initialized module '%U' from '%U' has no attribute '%Q' (most likely due to a "
                 "circular import)",
                 mod, file, name);
    else if (is_initializing(vm, self))
        ou_raise(
            vm, E_ATTRIBUTE,
            "partially initialized module '%U' has no attribute '%Q' (most likely due to a circular import)",
            mod, name);
    else
        ou_raise(vm, E_ATTRIBUTE, "module '%U' has no attribute '%Q'", mod, name);
    if (vm->exc != V_NULL && ou_exc_matches(vm, E_ATTRIBUTE)) {
        ExcAttr *e = (ExcAttr *)v_obj(vm->exc);
        set_owned(vm, &e->name, retain(v_of(name)));
        set_owned(vm, &e->obj, retain(self));
    }
    return V_NULL;
}

static Value lookup(VM *vm, Value self, Str *name) {
    bool missing;
    Type *t = ou_type_of(vm, self);
    Value own = ou_type_lookup(vm, t, name);
    bool data = own != V_NULL && is_obj(own) && ou_type_of(vm, own)->slots.descr_set;
    Value v = data ? V_NULL : ou_dict_get_str(vm, MOD->dict, name);
    if (v != V_NULL) return retain(v);
    v = ou_generic_lookup(vm, self, name, &missing);
    if (v != V_NULL) return v;
    if (!missing) { /* a property of a subclass that refuses counts as missing, too */
        if (!ou_exc_matches(vm, E_ATTRIBUTE)) return V_NULL;
        ou_exc_clear(vm);
    }
    if (MOD->lazy_getattr) {
        v = MOD->lazy_getattr(vm, self, name);
        if (v != V_NULL || vm->exc != V_NULL) return v;
    }
    Value hook = ou_dict_get_str(vm, MOD->dict, vm->names[N_DU_getattr]);
    if (hook == V_NULL) return raise_missing(vm, self, name);
    retain(hook);
    v = ou_call1(vm, hook, v_of(name));
    release(vm, hook);
    return v;
}

static Value module_getattr(VM *vm, Value self, Str *name) {
    Str *in = ou_name_interned(vm, name);
    if (!in) return V_NULL;
    Value v = lookup(vm, self, in);
    obj_release(vm, in);
    return v;
}

static bool module_setattr(VM *vm, Value self, Str *name, Value v) {
    Str *in = ou_name_interned(vm, name);
    if (!in) return false;
    bool ok;
    Value own = ou_type_lookup(vm, ou_type_of(vm, self), in);
    if (own != V_NULL && is_obj(own) && ou_type_of(vm, own)->slots.descr_set) {
        ok = ou_generic_setattr(vm, self, in, v);
    } else if (v != V_NULL) {
        ok = ou_dict_set_str(vm, MOD->dict, in, v);
    } else {
        int r = ou_dict_del(vm, MOD->dict, v_of(in));
        if (r == 0) raise_missing(vm, self, in);
        ok = r == 1;
    }
    obj_release(vm, in);
    return ok;
}

static Value get_dict(VM *vm, Value self) {
    (void)vm;
    return retain(v_of(MOD->dict));
}
static Value get_annotations(VM *vm, Value self) {
    Value v = ou_dict_get_str(vm, MOD->dict, vm->names[N_DU_annotations]);
    if (v != V_NULL) return retain(v);
    v = ou_dict_new(vm);
    if (v != V_NULL && !ou_dict_set_str(vm, MOD->dict, vm->names[N_DU_annotations], v)) {
        release(vm, v);
        return V_NULL;
    }
    return v;
}
static bool set_annotations(VM *vm, Value self, Value v) {
    Str *name = vm->names[N_DU_annotations];
    if (v != V_NULL) return ou_dict_set_str(vm, MOD->dict, name, v);
    int r = ou_dict_del(vm, MOD->dict, v_of(name));
    if (r == 0) raise_missing(vm, self, name);
    return r == 1;
}
static Value module_dir(VM *vm, const Value *args, int n) {
    (void)n;
    Dict *d = ((Module *)v_obj(args[0]))->dict;
    Value f = ou_dict_get_str(vm, d, vm->names[N_DU_dir]);
    if (f == V_NULL) return ou_list_from(vm, v_of(d));
    retain(f);
    Value r = ou_call0(vm, f);
    release(vm, f);
    return r;
}

static const NativeDef module_methods[] = {{"__dir__()", module_dir, "__dir__() -> list", 0}, {0}};
static const GetSetDef module_getset[] = {
    {"__dict__", get_dict, NULL, NULL},
    {"__annotations__", get_annotations, set_annotations, NULL},
    {0},
};
const TypeDef ou_type_module = {
    .name = "module",
    .size = sizeof(Module),
    .flags = TF_GC | TF_BASE | TF_WEAKREF,
    .slots = {.make = module_make,
              .init = module_init,
              .dealloc = module_dealloc,
              .traverse = module_traverse,
              .clear = module_clear,
              .repr = module_repr,
              .getattr = module_getattr,
              .setattr = module_setattr},
    .methods = module_methods,
    .getset = module_getset,
    .doc = "Create a module object.",
    .new_sig = module_sig,
};
