/* Attribute access: along the mro with the method cache, in instances, through descriptors.
 * Entry points: ou_getattr, ou_setattr, ou_type_lookup, ou_generic_getattr, ou_instance_get,
 * ou_lookup_special. The one thing to know: inside, names are interned, so that they compare by pointer;
 * ou_name_interned makes them so. */
#include "runtime/objects/dunder.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

enum { CACHE_SIZE = 4096 / 4 };

Str *ou_name_interned(VM *vm, Str *name) {
    if (name->flags & STR_INTERNED) return obj_retain(name);
    return ou_intern_str(vm, name);
}

/* ---- lookup along the mro ---------------------------------------------------------------------------- */

/* No memory for a lookup, which cannot raise: what it would have found counts as missing, and a MemoryError waits for the next
 * safepoint, or takes the place of the exception that its absence leads to (errors.c). */
static void starved(VM *vm, Value pending) {
    ou_exc_clear(vm);
    vm->exc = pending;
    vm->thread->starved = true;
    ou_attention(vm, ATT_STARVED);
}

static Dict *dict_for_lookup(VM *vm, Type *t) {
    if (!(t->flags & TF_LAZY)) return t->ns;
    Value pending = vm->exc;
    vm->exc = V_NULL;
    bool ok = ou_type_fill(vm, t);
    if (ok)
        vm->exc = pending;
    else
        starved(vm, pending);
    return t->ns;
}

Value ou_mro_lookup(VM *vm, Type *t, Str *name) {
    if (!t->mro) return t->ns ? ou_dict_get_str(vm, t->ns, name) : V_NULL;
    Tuple *mro = obj_retain(t->mro); /* an odd key of a class's dict may run a script that sets __bases__ */
    Value v = V_NULL;
    for (uint32_t i = 0; i < mro->n && v == V_NULL; i++) {
        Dict *d = dict_for_lookup(vm, (Type *)v_obj(mro->items[i]));
        if (d) v = ou_dict_get_str(vm, d, name);
    }
    obj_release(vm, mro);
    return v;
}

/* The cache keeps its names alive (a dead name's address could be reused) and borrows the values: they change
 * only together with the version. */
Value ou_type_lookup(VM *vm, Type *t, Str *name) {
    if (!(name->flags & STR_INTERNED)) {
        Value pending = vm->exc;
        vm->exc = V_NULL;
        Str *in = ou_intern_str(vm, name);
        if (!in) {
            starved(vm, pending);
            return V_NULL;
        }
        vm->exc = pending;
        Value v = ou_type_lookup(vm, t, in);
        obj_release(vm, in);
        return v;
    }
    uint32_t i = (t->version ^ (uint32_t)((uintptr_t)name >> 4)) & (CACHE_SIZE - 1);
    if (vm->method_cache[i].version == t->version && vm->method_cache[i].name == name)
        return vm->method_cache[i].value;
    Value v = ou_mro_lookup(vm, t, name);
    if (t->version && (v != V_NULL || !vm->thread->starved)) {
        Str *old = vm->method_cache[i].name;
        vm->method_cache[i].version = t->version;
        vm->method_cache[i].name = obj_retain(name);
        vm->method_cache[i].value = v;
        if (old) obj_release(vm, old);
    }
    return v;
}

void ou_method_cache_clear(VM *vm) {
    for (uint32_t i = 0; i < CACHE_SIZE; i++) {
        Str *old = vm->method_cache[i].name;
        vm->method_cache[i].name = NULL;
        vm->method_cache[i].version = 0;
        vm->method_cache[i].value = V_NULL;
        if (old) obj_release(vm, old);
    }
}

Value ou_descr_get(VM *vm, Value descr, Value obj, Value cls) {
    if (!is_obj(descr)) return descr;
    Type *t = vm->shapes[v_obj(descr)->shape]->type;
    if (t->id == T_FUNCTION) return obj == V_NULL ? retain(descr) : ou_method_new(vm, descr, obj);
    if (!t->slots.descr_get) return retain(descr);
    retain(descr);
    Value v = t->slots.descr_get(vm, descr, obj, cls);
    release(vm, descr);
    return v;
}

Value ou_lookup_special(VM *vm, Value o, Str *name) {
    Type *t = ou_type_of(vm, o);
    Value f = ou_type_lookup(vm, t, name);
    if (f == V_NULL) return V_NULL;
    return ou_descr_get(vm, f, o, v_of(t));
}

/* type(self).name(self, *args): without making a bound method where possible. *absent (may be NULL): the
 * class has no such attribute; nothing is raised then. */
Value ou_call_special(VM *vm, Value self, NameId id, const Value *args, int n, bool *absent) {
    Type *t = ou_type_of(vm, self);
    Value f = ou_type_lookup(vm, t, vm->names[id]);
    if (absent) *absent = f == V_NULL;
    if (f == V_NULL) {
        if (!absent) ou_raise(vm, E_ATTRIBUTE, "%Q", vm->names[id]);
        return V_NULL;
    }
    Value r;
    if (is_obj(f) && (vm->shapes[v_obj(f)->shape]->type->flags & TF_METHOD_LIKE)) {
        Value buf[8];
        buf[0] = self;
        for (int i = 0; i < n; i++) buf[i + 1] = args[i];
        retain(f);
        retain(self);
        r = ou_call(vm, f, buf, n + 1, NULL);
        release(vm, self);
        release(vm, f);
        return r;
    }
    Value b = ou_descr_get(vm, f, self, v_of(t));
    if (b == V_NULL) return V_NULL;
    r = ou_call(vm, b, args, n, NULL);
    release(vm, b);
    return r;
}

/* ---- instance storage -------------------------------------------------------------------------------- */

Value ou_instance_get(VM *vm, Obj *o, Str *name) {
    Shape *s = vm->shapes[o->shape];
    Type *t = s->type;
    if (!t->tail) return V_NULL;
    Tail *tail = tail_of(t, o);
    if (s->dict_mode) {
        Value d = tail->slots[t->nslots];
        return d == V_UNBOUND ? V_NULL : ou_dict_get_str(vm, as_dict(d), name);
    }
    int i = ou_shape_find(s, name);
    if (i < (int)t->nslots || tail->slots[i] == V_UNBOUND) return V_NULL;
    return tail->slots[i];
}

/* Room for one more slot; remembers for the next instances how much this class needs. */
static bool grow_tail(VM *vm, Type *t, Tail *tail, uint32_t used) {
    if (used + 1 > t->inline_cap && t->tail > 0) t->inline_cap = used + 1;
    if (used < tail->cap) return true;
    uint32_t cap = tail->cap < 4 ? 4 : tail->cap * 2;
    Value *p;
    if (tail->slots && tail->slots != (Value *)(tail + 1)) {
        p = ou_realloc(&vm->heap, tail->slots, tail->cap * sizeof *p, cap * sizeof *p);
    } else {
        p = ou_alloc(&vm->heap, cap * sizeof *p);
        if (p && used) memcpy(p, tail->slots, used * sizeof *p);
    }
    if (!p) {
        ou_raise_memory(vm);
        return false;
    }
    tail->slots = p;
    tail->cap = cap;
    return true;
}

Dict *ou_instance_dict(VM *vm, Obj *o) {
    Type *t = vm->shapes[o->shape]->type;
    if (!t->tail || !(t->flags & TF_DICT) || !ou_shape_to_dict(vm, o)) return NULL;
    Value *d = &tail_of(t, o)->slots[t->nslots];
    if (*d == V_UNBOUND) {
        Value fresh = ou_dict_new(vm);
        if (fresh == V_NULL) return NULL;
        *d = fresh;
    }
    return as_dict(*d);
}

bool ou_instance_set(VM *vm, Obj *o, Str *name, Value v) {
    Shape *s = vm->shapes[o->shape];
    Type *t = s->type;
    if (!t->tail || !(t->flags & TF_DICT)) return false;
    Tail *tail = tail_of(t, o);
    if (!s->dict_mode) {
        int i = ou_shape_find(s, name);
        if (i >= (int)t->nslots && v != V_NULL) {
            Value old = tail->slots[i];
            tail->slots[i] = retain(v);
            release(vm, old);
            return true;
        }
        if (i < (int)t->nslots && v == V_NULL) return false;
        if (v != V_NULL) {
            Shape *to = ou_shape_add(vm, s, name);
            if (!to && vm->exc != V_NULL) return false;
            if (to) {
                if (!grow_tail(vm, t, tail, s->nkeys)) return false;
                tail->slots[s->nkeys] = retain(v);
                o->shape = to->id;
                return true;
            }
        }
    }
    Dict *d = ou_instance_dict(vm, o);
    if (!d) return false;
    if (v == V_NULL) return ou_dict_del(vm, d, v_of(name)) == 1;
    return ou_dict_set_str(vm, d, name, v);
}

/* ---- object.__getattribute__, __setattr__, __delattr__ ----------------------------------------------- */

Value ou_generic_lookup(VM *vm, Value o, Str *name, bool *missing) {
    *missing = false;
    Type *t = ou_type_of(vm, o);
    Value v = ou_type_lookup(vm, t, name);
    Type *vt = NULL;
    if (v != V_NULL && is_obj(v)) {
        vt = vm->shapes[v_obj(v)->shape]->type;
        if (vt->slots.descr_set && vt->slots.descr_get) {
            retain(v);
            Value r = vt->slots.descr_get(vm, v, o, v_of(t));
            release(vm, v);
            return r;
        }
    }
    if (t->tail && is_obj(o)) {
        /* An odd key of the instance's dict may run a script that takes away what the class had. */
        bool odd = vm->shapes[v_obj(o)->shape]->dict_mode;
        Value before = vm->exc;
        if (odd && v != V_NULL) retain(v);
        Value i = ou_instance_get(vm, v_obj(o), name);
        if (i != V_NULL) retain(i);
        bool done = i != V_NULL || vm->exc != before;
        if (odd && v != V_NULL) {
            if (!done) i = ou_descr_get(vm, v, o, v_of(ou_type_of(vm, o)));
            release(vm, v);
            return i;
        }
        if (done) return i;
    }
    if (v == V_NULL) {
        *missing = true;
        return V_NULL;
    }
    if (!vt) return v;
    return ou_descr_get(vm, v, o, v_of(t));
}

Value ou_generic_getattr(VM *vm, Value o, Str *name) {
    Str *in = ou_name_interned(vm, name);
    if (!in) return V_NULL;
    bool missing;
    Value v = ou_generic_lookup(vm, o, in, &missing);
    if (v == V_NULL && missing) ou_raise_attr(vm, o, in);
    obj_release(vm, in);
    return v;
}

static bool raise_attr_fmt(VM *vm, Value o, Str *name, const char *fmt) {
    ou_raise(vm, E_ATTRIBUTE, fmt, o, name);
    if (vm->exc != V_NULL && ou_exc_matches(vm, E_ATTRIBUTE)) {
        ExcAttr *e = (ExcAttr *)v_obj(vm->exc);
        set_owned(vm, &e->name, retain(v_of(name)));
        set_owned(vm, &e->obj, retain(o));
    }
    return false;
}

static bool generic_set(VM *vm, Value o, Str *name, Value v) {
    Type *t = ou_type_of(vm, o);
    Value d = ou_type_lookup(vm, t, name);
    if (d != V_NULL && is_obj(d)) {
        Type *dt = vm->shapes[v_obj(d)->shape]->type;
        if (dt->slots.descr_set) {
            retain(d);
            bool ok = dt->slots.descr_set(vm, d, o, v);
            release(vm, d);
            return ok;
        }
    }
    if (t->tail && (t->flags & TF_DICT) && is_obj(o)) {
        if (ou_instance_set(vm, v_obj(o), name, v)) return true;
        if (vm->exc == V_NULL) ou_raise_attr(vm, o, name);
        return false;
    }
    if (d == V_NULL)
        return raise_attr_fmt(
            vm, o, name,
            t->slots.setattr == ou_generic_setattr
                ? "'%T' object has no attribute '%Q' and no __dict__ for setting new attributes"
                : "'%T' object has no attribute '%Q'");
    return raise_attr_fmt(vm, o, name, "'%T' object attribute '%Q' is read-only");
}

bool ou_generic_setattr(VM *vm, Value o, Str *name, Value v) {
    Str *in = ou_name_interned(vm, name);
    if (!in) return false;
    bool ok = generic_set(vm, o, in, v);
    obj_release(vm, in);
    return ok;
}

/* ---- any object -------------------------------------------------------------------------------------- */

/* An AttributeError of a script's __getattr__ that says nothing about what was looked for learns it here. */
void ou_note_attribute(VM *vm, Value o, Str *name) {
    if (!ou_exc_matches(vm, E_ATTRIBUTE)) return;
    ExcAttr *e = (ExcAttr *)v_obj(vm->exc);
    if (e->name != V_NULL || e->obj != V_NULL) return;
    e->name = retain(v_of(name));
    e->obj = retain(o);
}

Value ou_getattr(VM *vm, Value o, Str *name) {
    Type *t = ou_type_of(vm, o);
    Value v = t->slots.getattr(vm, o, name);
    if (v == V_NULL) ou_note_attribute(vm, o, name);
    return v;
}

Value ou_getattr_opt(VM *vm, Value o, Str *name, bool *missing) {
    Type *t = ou_type_of(vm, o);
    Value v;
    if (t->slots.getattr == ou_generic_getattr || t->slots.getattr == ou_type_getattr) {
        Str *in = ou_name_interned(vm, name);
        *missing = false;
        if (!in) return V_NULL;
        v = t->slots.getattr == ou_type_getattr ? ou_type_getattr_opt(vm, o, in, missing)
                                                : ou_generic_lookup(vm, o, in, missing);
        obj_release(vm, in);
        if (v != V_NULL || *missing) return v;
    } else {
        v = t->slots.getattr(vm, o, name);
    }
    *missing = false;
    if (v == V_NULL && ou_exc_matches(vm, E_ATTRIBUTE)) {
        ou_exc_clear(vm);
        *missing = true;
    }
    return v;
}

bool ou_setattr(VM *vm, Value o, Str *name, Value v) {
    Type *t = ou_type_of(vm, o);
    if (!t->slots.setattr) {
        ou_raise_attr(vm, o, name);
        return false;
    }
    return t->slots.setattr(vm, o, name, v);
}

Value ou_getattr_c(VM *vm, Value o, const char *name) {
    Str *s = ou_intern_c(vm, name);
    if (!s) return V_NULL;
    Value v = ou_getattr(vm, o, s);
    obj_release(vm, s);
    return v;
}

bool ou_setattr_c(VM *vm, Value o, const char *name, Value v) {
    Str *s = ou_intern_c(vm, name);
    if (!s) return false;
    bool ok = ou_setattr(vm, o, s, v);
    obj_release(vm, s);
    return ok;
}
