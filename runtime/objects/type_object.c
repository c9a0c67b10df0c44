/* The type `object`: what every class inherits. Also the two attributes that classes give their instances,
 * __dict__ and
 * __weakref__, and the __new__ that built-in types show. */
#include "runtime/objects/errors.h"
#include "runtime/objects/import.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

/* ---- construction ------------------------------------------------------------------------------------ */

static Value raise_abstract(VM *vm, Type *cls) {
    Value set = ou_getattr(vm, v_of(cls), vm->names[N_DU_abstractmethods]);
    Value list = set == V_NULL ? V_NULL : ou_list_from(vm, set);
    xrelease(vm, set);
    if (list == V_NULL || !ou_list_sort(vm, as_list(list), V_NONE, false)) {
        xrelease(vm, list);
        return V_NULL;
    }
    Value sep = ou_str_c(vm, "', '");
    Value joined = sep == V_NULL ? V_NULL : ou_str_join(vm, sep, as_list(list)->items, as_list(list)->n);
    if (joined != V_NULL)
        ou_raise(vm, E_TYPE,
                 "Can't instantiate abstract class %Q without an implementation for abstract method%s '%U'",
                 cls->name, as_list(list)->n > 1 ? "s" : "", joined);
    xrelease(vm, joined);
    xrelease(vm, sep);
    release(vm, list);
    return V_NULL;
}

static bool excess(int n, const Tuple *kwnames) {
    return n > 0 || (kwnames && kwnames->n > 0);
}

Value ou_object_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    (void)args;
    if (excess(n, kwnames)) {
        if (cls->slots.make != ou_object_make)
            return ou_raise(vm, E_TYPE,
                            "object.__new__() takes exactly one argument (the type to instantiate)");
        if (cls->slots.init == ou_object_init)
            return ou_raise(vm, E_TYPE, "%.200N() takes no arguments", cls);
    }
    if (cls->flags & TF_ABSTRACT) return raise_abstract(vm, cls);
    return v_of(ou_new(vm, cls, 0));
}

int ou_object_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    (void)args;
    if (!excess(n, kwnames)) return 0;
    Type *t = ou_type_of(vm, self);
    if (t->slots.init != ou_object_init) {
        ou_raise(vm, E_TYPE, "object.__init__() takes exactly one argument (the instance to initialize)");
        return -1;
    }
    if (t->slots.make == ou_object_make) {
        ou_raise(vm, E_TYPE, "%.200N.__init__() takes exactly one argument (the instance to initialize)", t);
        return -1;
    }
    return 0;
}

/* T.__new__(S, ...) for a built-in T: S must be a subtype whose layout T's constructor makes. */
static Value new_call(VM *vm, const Value *args, int n) {
    (void)n;
    Type *owner = (Type *)v_obj(args[0]);
    Tuple *pos = as_tuple(args[1]);
    Dict *kw = as_dict(args[2]);
    if (pos->n == 0) return ou_raise(vm, E_TYPE, "%N.__new__(): not enough arguments", owner);
    Value c = pos->items[0];
    if (!ou_is_a(vm, c, T_TYPE))
        return ou_raise(vm, E_TYPE, "%N.__new__(X): X is not a type object (%T)", owner, c);
    Type *cls = (Type *)v_obj(c);
    if (!ou_is_subtype(cls, owner))
        return ou_raise(vm, E_TYPE, "%N.__new__(%N): %N is not a subtype of %N", owner, cls, cls, owner);
    const Type *native = cls;
    while (native && (native->flags & TF_HEAP)) native = native->base;
    /* a native class to derive from that adds no data of its own (io.RawIOBase) is made by object */
    bool plain = native && !native->slots.make && (native->flags & TF_BASE) && native->size == owner->size && owner->id == T_OBJECT;
    if (native && native->slots.make != owner->slots.make && !plain)
        return ou_raise(vm, E_TYPE, "%N.__new__(%N) is not safe, use %N.__new__()", owner, cls, native);
    Value buf[16], *all = buf;
    size_t total = pos->n - 1 + kw->n;
    if (total > 16 && !(all = ou_alloc(&vm->heap, total * sizeof *all))) return ou_raise_memory(vm);
    for (uint32_t i = 1; i < pos->n; i++) all[i - 1] = pos->items[i];
    Value names = kw->n ? ou_tuple_new(vm, kw->n) : V_NULL;
    Value r = V_NULL;
    if (!kw->n || names != V_NULL) {
        uint32_t at = 0, i = 0;
        Value key, v;
        while (kw->n && ou_dict_next(kw, &at, &key, &v)) {
            as_tuple(names)->items[i] = retain(key);
            all[pos->n - 1 + i++] = v;
        }
        r = owner->slots.make(vm, cls, all, (int)pos->n - 1, names == V_NULL ? NULL : as_tuple(names));
    }
    xrelease(vm, names);
    if (all != buf) ou_free(&vm->heap, all, total * sizeof *all);
    return r;
}
const NativeDef ou_new_def = {"__new__(*args, **kwargs)", new_call,
                              "Create and return a new object.  See help(type) for accurate signature.", 0};

/* ---- text, identity ---------------------------------------------------------------------------------- */

static Value object_repr(VM *vm, Value self) {
    Value d = ou_type_display(vm, ou_type_of(vm, self));
    if (d == V_NULL) return V_NULL;
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_putc(&b, '<');
    ou_sb_str(&b, d);
    ou_sb_printf(&b, " object at 0x%llx>", (unsigned long long)self);
    release(vm, d);
    return ou_sb_finish(&b);
}

static Value object_str(VM *vm, Value self) {
    return ou_type_of(vm, self)->slots.repr(vm, self);
}

static bool object_hash(VM *vm, Value self, int64_t *out) {
    (void)vm;
    uint64_t h = self >> 4 | self << 60;
    *out = (int64_t)h == -1 ? -2 : (int64_t)h;
    return true;
}

static Value object_compare(VM *vm, Value a, Value b, CmpOp op) {
    if (op == CMP_EQ) return a == b ? V_TRUE : V_NOTIMPL;
    if (op != CMP_NE) return V_NOTIMPL;
    Type *t = ou_type_of(vm, a);
    Value eq = t->slots.compare(vm, a, b, CMP_EQ);
    if (eq == V_NULL || eq == V_NOTIMPL) return eq;
    int r = ou_truth(vm, eq);
    release(vm, eq);
    return r < 0 ? V_NULL : v_bool(!r);
}

static Value object_format(VM *vm, const Value *args, int n) {
    (void)n;
    if (!ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "__format__() argument must be str, not %K", args[1]);
    if (as_str(args[1])->size)
        return ou_raise(vm, E_TYPE, "unsupported format string passed to %.200T.__format__", args[0]);
    return ou_str(vm, args[0]);
}

/* ---- __dict__, __weakref__, __class__ ---------------------------------------------------------------- */

static Value dict_get(VM *vm, Value self) {
    Dict *d = is_obj(self) ? ou_instance_dict(vm, v_obj(self)) : NULL;
    if (d) return retain(v_of(d));
    return vm->exc != V_NULL ? V_NULL : ou_raise_attr(vm, self, vm->names[N_DU_dict]);
}

/* Deleting it empties it, in effect: the next who asks finds a new one. Where the attributes are those of a built-in
 * type it cannot be done. */
static bool dict_set(VM *vm, Value self, Value v) {
    const Type *native = ou_type_of(vm, self);
    while (native->flags & TF_HEAP) native = native->base;
    if (v == V_NULL && (native->flags & TF_DICT)) {
        ou_raise(vm, E_TYPE, "cannot delete __dict__");
        return false;
    }
    if (v != V_NULL && !ou_is_a(vm, v, T_DICT)) {
        ou_raise(vm, E_TYPE, "__dict__ must be set to a dictionary, not a '%.200T'", v);
        return false;
    }
    if (!ou_instance_dict(vm, v_obj(self))) { /* a class or module that also derives from an ordinary class */
        if (vm->exc == V_NULL)
            ou_raise(vm, E_ATTRIBUTE, "attribute '__dict__' of '%T' objects is not writable", self);
        return false;
    }
    Value to = v == V_NULL ? ou_dict_new(vm) : retain(v);
    if (to == V_NULL) return false;
    Type *t = ou_type_of(vm, self);
    set_owned(vm, &tail_of(t, v_obj(self))->slots[t->nslots], to);
    return true;
}
const GetSetDef ou_dict_getset = {"__dict__", dict_get, dict_set, "dictionary for instance variables"};

static Value weakref_get(VM *vm, Value self) {
    return ou_weakref_first(vm, v_obj(self));
}
const GetSetDef ou_weakref_getset = {"__weakref__", weakref_get, NULL,
                                     "list of weak references to the object"};

static Value class_get(VM *vm, Value self) {
    return retain(v_of(ou_type_of(vm, self)));
}

static bool class_set(VM *vm, Value self, Value v) {
    if (v == V_NULL) {
        ou_raise(vm, E_TYPE, "can't delete __class__ attribute");
        return false;
    }
    if (!ou_is_a(vm, v, T_TYPE)) {
        ou_raise(vm, E_TYPE, "__class__ must be set to a class, not '%T' object", v);
        return false;
    }
    Type *from = ou_type_of(vm, self), *to = (Type *)v_obj(v);
    bool modules = ou_is_subtype(from, vm->types[T_MODULE]) && ou_is_subtype(to, vm->types[T_MODULE]);
    if (!modules && (!(from->flags & TF_HEAP) || !(to->flags & TF_HEAP))) {
        ou_raise(vm, E_TYPE,
                 "__class__ assignment only supported for mutable types or ModuleType subclasses");
        return false;
    }
    if (!ou_type_exchangeable(from, to)) {
        ou_raise(vm, E_TYPE, "__class__ assignment: '%N' object layout differs from '%N'", to, from);
        return false;
    }
    Obj *o = v_obj(self);
    Shape *s = vm->shapes[o->shape], *ns = ou_shape_root(vm, to);
    if (!ns) return false;
    if (from->tail) {
        /* The same attributes in the same order, as a shape of the new class; else as a dict. */
        for (uint32_t i = from->nslots; ns && !s->dict_mode && i < s->nkeys; i++) {
            if (ns->dict_mode) break;
            Shape *wider = ou_shape_add(vm, ns, s->keys[i]);
            if (!wider && vm->exc != V_NULL) return false;
            ns = wider;
        }
        if (!ns || s->dict_mode) {
            if (!ou_shape_to_dict(vm, o) || !(ns = ou_shape_dict(vm, to))) return false;
        }
    }
    o->shape = ns->id;
    if (to->id >= T_COUNT) (void)obj_retain(to);
    if (from->id >= T_COUNT) obj_release(vm, from);
    return true;
}

/* ---- dir, pickling ----------------------------------------------------------------------------------- */

static Value object_dir(VM *vm, const Value *args, int n) {
    (void)n;
    bool missing;
    Value d = ou_getattr_opt(vm, args[0], vm->names[N_DU_dict], &missing);
    if (d == V_NULL && !missing) return V_NULL;
    Value names = ou_dict_new(vm);
    bool ok = names != V_NULL;
    if (ok && d != V_NULL && ou_is_a(vm, d, T_DICT)) ok = ou_dict_merge(vm, as_dict(names), d, true);
    xrelease(vm, d);
    Value cls = ok ? ou_getattr_opt(vm, args[0], vm->names[N_DU_class], &missing) : V_NULL;
    if (cls != V_NULL && ou_is_a(vm, cls, T_TYPE)) {
        Tuple *mro = ((Type *)v_obj(cls))->mro;
        for (uint32_t i = mro ? mro->n : 0; ok && i-- > 0;) {
            Dict *own = type_dict(vm, (Type *)v_obj(mro->items[i]));
            ok = own && ou_dict_merge(vm, as_dict(names), v_of(own), true);
        }
    }
    xrelease(vm, cls);
    Value list = ok ? ou_list_from(vm, names) : V_NULL;
    xrelease(vm, names);
    return list;
}

/* The names of the slots that instances of t have, as copyreg finds them; kept in the class. Borrowed. */
static Value slot_names(VM *vm, Type *t) {
    Str *name = ou_intern_c(vm, "__slotnames__");
    if (!name) return V_NULL;
    Dict *own = type_dict(vm, t);
    Value list = own ? ou_dict_get_str(vm, own, name) : V_NULL;
    obj_release(vm, name);
    if (!own) return V_NULL;
    if (list != V_NULL) {
        if (list == V_NONE || ou_is_a(vm, list, T_LIST)) return list;
        return ou_raise(vm, E_TYPE, "%.200N.__slotnames__ should be a list or None, not %.200T", t, list);
    }
    Value f = ou_import_attr(vm, "copyreg", "_slotnames");
    list = f == V_NULL ? V_NULL : ou_call1(vm, f, v_of(t));
    xrelease(vm, f);
    if (list == V_NULL) return V_NULL;
    if (list != V_NONE && !ou_is_a(vm, list, T_LIST))
        ou_raise(vm, E_TYPE, "copyreg._slotnames didn't return a list or None");
    /* The class has it now, unless it does not let itself be changed: then there are no slots. */
    bool last = is_obj(list) && v_obj(list)->refs == 1;
    release(vm, list);
    return vm->exc != V_NULL ? V_NULL : last ? V_NONE : list;
}

/* Adds the slots that are set to a state: (state, slots). Consumes it. */
static Value with_slots(VM *vm, Value self, Value names, Value state) {
    Value slots = ou_dict_new(vm);
    bool ok = slots != V_NULL;
    names = ok ? ou_list_from(vm, names) : V_NULL;
    ok = names != V_NULL;
    for (uint32_t i = 0; ok && i < as_list(names)->n; i++) {
        bool missing;
        Value key = as_list(names)->items[i];
        Value v = ou_is_a(vm, key, T_STR) ? ou_getattr_opt(vm, self, as_str(key), &missing)
                                          : ou_raise(vm, E_TYPE, "attribute name must be string, not '%.200T'", key);
        ok = v != V_NULL ? ou_dict_set(vm, as_dict(slots), key, v) : vm->exc == V_NULL;
        xrelease(vm, v);
    }
    xrelease(vm, names);
    if (ok && as_dict(slots)->n) {
        Value pair[2] = {state, slots};
        return ou_tuple_take(vm, pair, 2);
    }
    xrelease(vm, slots);
    if (ok) return state;
    release(vm, state);
    return V_NULL;
}

/* The state of the instance dict and of all __slots__: dict, None, or (dict or None, slots). */
static Value default_state(VM *vm, Value self) {
    Type *t = ou_type_of(vm, self);
    bool missing;
    Value state = ou_getattr_opt(vm, self, vm->names[N_DU_dict], &missing);
    if (state == V_NULL && !missing) return V_NULL;
    if (state == V_NULL)
        state = V_NONE;
    else if (is_exact(state, T_DICT)) {
        Value copy = as_dict(state)->n ? ou_dict_copy(vm, as_dict(state)) : V_NONE;
        release(vm, state);
        if ((state = copy) == V_NULL) return V_NULL;
    }
    if (!(t->flags & TF_HEAP)) return state;
    Value names = slot_names(vm, t);
    if (names == V_NULL) {
        release(vm, state);
        return V_NULL;
    }
    return names == V_NONE || as_list(names)->n == 0 ? state : with_slots(vm, self, names, state);
}

static Value object_getstate(VM *vm, const Value *args, int n) {
    (void)n;
    return default_state(vm, args[0]);
}

Value ou_get_state(VM *vm, Value self) {
    Value f = ou_getattr(vm, self, vm->names[N_DU_getstate]);
    if (f == V_NULL) return V_NULL;
    Value r = ou_call0(vm, f);
    release(vm, f);
    return r;
}

/* Arguments for cls.__new__: *out_args a tuple, or None if the class does not say; *out_kw a dict or V_NULL. */
static bool new_arguments(VM *vm, Value self, Value *out_args, Value *out_kw) {
    Str *name = ou_intern_c(vm, "__getnewargs_ex__");
    if (!name) return false;
    *out_kw = V_NULL;
    Value f = ou_lookup_special(vm, self, name);
    obj_release(vm, name);
    if (f != V_NULL) {
        Value pair = ou_call0(vm, f);
        release(vm, f);
        if (pair == V_NULL) return false;
        if (!ou_is_a(vm, pair, T_TUPLE) || as_tuple(pair)->n != 2 ||
            !ou_is_a(vm, as_tuple(pair)->items[0], T_TUPLE) ||
            !ou_is_a(vm, as_tuple(pair)->items[1], T_DICT)) {
            ou_raise(vm, E_TYPE,
                     "__getnewargs_ex__ should return a tuple of length 2 with a tuple and a dict");
            release(vm, pair);
            return false;
        }
        *out_args = retain(as_tuple(pair)->items[0]);
        *out_kw = retain(as_tuple(pair)->items[1]);
        release(vm, pair);
        return true;
    }
    if (vm->exc != V_NULL || !(name = ou_intern_c(vm, "__getnewargs__"))) return false;
    f = ou_lookup_special(vm, self, name);
    obj_release(vm, name);
    if (f == V_NULL) {
        *out_args = V_NONE;
        return vm->exc == V_NULL;
    }
    *out_args = ou_call0(vm, f);
    release(vm, f);
    if (*out_args != V_NULL && !ou_is_a(vm, *out_args, T_TUPLE)) {
        ou_raise(vm, E_TYPE, "__getnewargs__ should return a tuple, not '%.200T'", *out_args);
        release(vm, *out_args);
        return false;
    }
    return *out_args != V_NULL;
}

static Value iterator_of(VM *vm, Value self, TypeId id, const char *method) {
    if (!ou_is_a(vm, self, id)) return V_NONE;
    if (!method) return ou_iter(vm, self);
    Value items = ou_call_method_c(vm, self, method, NULL, 0);
    Value it = items == V_NULL ? V_NULL : ou_iter(vm, items);
    xrelease(vm, items);
    return it;
}

/* Protocol 2 and up: (copyreg.__newobj__, (cls, *args), state, listitems, dictitems). */
static Value reduce_newobj(VM *vm, Value self) {
    Type *t = ou_type_of(vm, self);
    Value args = V_NULL, kw = V_NULL;
    if (!t->slots.make) return ou_raise(vm, E_TYPE, "cannot pickle '%.200T' object", self);
    if (!new_arguments(vm, self, &args, &kw)) return V_NULL;
    bool ex = kw != V_NULL && as_dict(kw)->n;
    Value parts[5] = {V_NULL, V_NULL, V_NULL, V_NULL, V_NULL};
    if (args == V_NONE) { /* no arguments for __new__: then what a C struct holds must come with the state or the items */
        const Type *native = t;
        while (native->flags & TF_HEAP) native = native->base;
        Value own = ou_type_lookup(vm, t, vm->names[N_DU_getstate]);
        if (native->size > sizeof(Obj) && native->struct_id != T_LIST && native->struct_id != T_DICT &&
            own == ou_type_lookup(vm, vm->types[T_OBJECT], vm->names[N_DU_getstate]))
            return ou_raise(vm, E_TYPE,
                            native->id == T_MEMORYVIEW || native->id == T_CODE ? "cannot pickle %.200T objects"
                                                                               : "cannot pickle '%.200T' object",
                            self);
        if ((args = ou_tuple_new(vm, 0)) == V_NULL) return V_NULL;
    }
    parts[0] = ou_import_attr(vm, "copyreg", ex ? "__newobj_ex__" : "__newobj__");
    if (parts[0] == V_NULL) goto fail;
    if (ex) {
        Value three[3] = {v_of(t), args, kw};
        parts[1] = ou_tuple_of(vm, three, 3);
    } else {
        parts[1] = ou_tuple_new(vm, as_tuple(args)->n + 1);
        for (uint32_t i = 0; parts[1] != V_NULL && i <= as_tuple(args)->n; i++)
            as_tuple(parts[1])->items[i] = retain(i ? as_tuple(args)->items[i - 1] : v_of(t));
    }
    if (parts[1] == V_NULL || (parts[2] = ou_get_state(vm, self)) == V_NULL) goto fail;
    if ((parts[3] = iterator_of(vm, self, T_LIST, NULL)) == V_NULL ||
        (parts[4] = iterator_of(vm, self, T_DICT, "items")) == V_NULL)
        goto fail;
    release(vm, args);
    xrelease(vm, kw);
    return ou_tuple_take(vm, parts, 5);
fail:
    for (int i = 0; i < 5; i++) xrelease(vm, parts[i]);
    release(vm, args);
    xrelease(vm, kw);
    return V_NULL;
}

static Value reduce(VM *vm, Value self, int64_t protocol) {
    if (protocol >= 2) return reduce_newobj(vm, self);
    Value f = ou_import_attr(vm, "copyreg", "_reduce_ex");
    if (f == V_NULL) return V_NULL;
    Value r = ou_call2(vm, f, self, v_smallint(protocol));
    release(vm, f);
    return r;
}

static Value object_reduce(VM *vm, const Value *args, int n) {
    (void)n;
    return reduce(vm, args[0], 0);
}

static Value object_reduce_ex(VM *vm, const Value *args, int n) {
    (void)n;
    int64_t protocol;
    if (!ou_index_i64(vm, args[1], &protocol)) return V_NULL;
    Str *name = vm->names[N_DU_reduce];
    Value f = ou_type_lookup(vm, ou_type_of(vm, args[0]), name);
    if (f != ou_type_lookup(vm, vm->types[T_OBJECT], name)) {
        Value b = ou_getattr(vm, args[0], name);
        Value r = b == V_NULL ? V_NULL : ou_call0(vm, b);
        xrelease(vm, b);
        return r;
    }
    return reduce(vm, args[0], protocol);
}

static Value object_sizeof(VM *vm, const Value *args, int n) {
    (void)n;
    Type *t = ou_type_of(vm, args[0]);
    int64_t size = (int64_t)t->size;
    if (t->tail && is_obj(args[0])) size += (int64_t)sizeof(Tail) + tail_of(t, v_obj(args[0]))->cap * 8;
    return v_smallint(size);
}

static Value object_init_subclass(VM *vm, const Value *args, int n) {
    (void)args;
    (void)n;
    (void)vm;
    return V_NONE;
}
static Value object_subclasshook(VM *vm, const Value *args, int n) {
    (void)vm;
    (void)args;
    (void)n;
    return V_NOTIMPL;
}

static const NativeDef object_methods[] = {
    {"__format__(format_spec, /)", object_format, "Default object formatter.", 0},
    {"__dir__()", object_dir, "Default dir() implementation.", 0},
    {"__getstate__()", object_getstate, "Helper for pickle.", 0},
    {"__reduce__()", object_reduce, "Helper for pickle.", 0},
    {"__reduce_ex__(protocol, /)", object_reduce_ex, "Helper for pickle.", 0},
    {"__sizeof__()", object_sizeof, "Size of object in memory, in bytes.", 0},
    {"__init_subclass__()", object_init_subclass, "This method is called when a class is subclassed.",
     ND_CLASS},
    {"__subclasshook__(object, /)", object_subclasshook,
     "Abstract classes can override this to customize issubclass().", ND_CLASS},
    {0},
};
static const GetSetDef object_getset[] = {
    {"__class__", class_get, class_set, "the object's class"},
    {0},
};

const TypeDef ou_type_object = {
    .name = "object",
    .size = sizeof(Obj),
    .flags = TF_BASE,
    .slots = {.make = ou_object_make,
              .init = ou_object_init,
              .repr = object_repr,
              .str = object_str,
              .hash = object_hash,
              .compare = object_compare,
              .getattr = ou_generic_getattr,
              .setattr = ou_generic_setattr},
    .methods = object_methods,
    .getset = object_getset,
    .doc = "The base class of the class hierarchy.\n\nWhen called, it accepts no arguments and returns a new "
           "featureless\n"
           "instance that has no instance attributes and cannot be given any.\n",
    .new_sig = "object()",
};
