/* Making classes: what `class` statements and type(name, bases, namespace) do.
 * Entry points: ou_build_class, ou_type_new, ou_calculate_metaclass, ou_type_set_bases.
 * The order of steps is CPython's, because scripts can watch it: metaclass, __prepare__, body, layout, mro,
 * slots,
 * __set_name__, __init_subclass__. */
#include "runtime/objects/errors.h"
#include "runtime/objects/strimpl.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

/* ---- layout ------------------------------------------------------------------------------------------ */

static bool adds_layout(const Type *t) {
    if (!t->base) return true;
    return t->size != t->base->size || t->nslots != t->base->nslots;
}

const Type *ou_type_solid(const Type *t) {
    while (!adds_layout(t)) t = t->base;
    return t;
}

bool ou_type_best_base(VM *vm, Tuple *bases, Type **out) {
    Type *best = NULL;
    const Type *winner = NULL;
    for (uint32_t i = 0; i < bases->n; i++) {
        if (!ou_is_a(vm, bases->items[i], T_TYPE)) {
            ou_raise(vm, E_TYPE, "bases must be types");
            return false;
        }
        Type *b = (Type *)v_obj(bases->items[i]);
        if (!(b->flags & TF_BASE)) {
            ou_raise(vm, E_TYPE, "type '%.100N' is not an acceptable base type", b);
            return false;
        }
        const Type *solid = ou_type_solid(b);
        if (!winner || (winner != solid && ou_is_subtype(solid, winner))) {
            winner = solid;
            best = b;
        } else if (winner != solid && !ou_is_subtype(winner, solid)) {
            ou_raise(vm, E_TYPE, "multiple bases have instance lay-out conflict");
            return false;
        }
    }
    *out = best;
    return true;
}

/* The member descriptor of slot i among those that t itself adds; NULL: the class has none (any more). */
static Member *own_slot(const Type *t, uint32_t i) {
    uint32_t pos = 0;
    Value key, v;
    while (t->ns && ou_dict_next(t->ns, &pos, &key, &v)) /* a lazy type has no slots */
        if (is_exact(v, T_MEMBER) && ((Member *)v_obj(v))->owner == t && ((Member *)v_obj(v))->index == i)
            return (Member *)v_obj(v);
    return NULL;
}

/* Do instances of two classes look the same in memory? */
static bool same_memory(const Type *a, const Type *b) {
    enum { LAYOUT = TF_DICT | TF_GC | TF_WEAKREF };
    return a->size == b->size && a->tail == b->tail && a->nslots == b->nslots && a->struct_id == b->struct_id &&
           (a->flags & LAYOUT) == (b->flags & LAYOUT);
}

/* The class itself, or the one above from which it has all that its instances consist of. */
static const Type *adds_to_instances(const Type *t) {
    while (t->base && same_memory(t, t->base)) t = t->base;
    return t;
}

bool ou_type_exchangeable(const Type *a, const Type *b) {
    a = adds_to_instances(a);
    b = adds_to_instances(b);
    if (a == b) return true;
    if (!a->base || a->base != b->base || !same_memory(a, b)) return false;
    for (uint32_t i = a->base->nslots; i < a->nslots; i++) {
        const Member *x = own_slot(a, i), *y = own_slot(b, i);
        if (!x || !y || x->name != y->name) return false;
    }
    return true;
}

Value ou_calculate_metaclass(VM *vm, Value meta, Tuple *bases) {
    Type *winner = (Type *)v_obj(meta);
    for (uint32_t i = 0; i < bases->n; i++) {
        Type *t = ou_type_of(vm, bases->items[i]);
        if (ou_is_subtype(winner, t)) continue;
        if (ou_is_subtype(t, winner)) {
            winner = t;
            continue;
        }
        return ou_raise(
            vm, E_TYPE,
            "metaclass conflict: the metaclass of a derived class must be a (non-strict) subclass of "
            "the metaclasses of all its bases");
    }
    return retain(v_of(winner));
}

/* ---- mro --------------------------------------------------------------------------------------------- */

/* What a metaclass's mro() made must consist of classes whose instances t's can stand for. */
static bool check_custom_mro(VM *vm, const Type *t, const List *mro) {
    const Type *solid = ou_type_solid(t);
    for (uint32_t i = 0; i < mro->n; i++) {
        if (!ou_is_a(vm, mro->items[i], T_TYPE)) {
            ou_raise(vm, E_TYPE, "mro() returned a non-class ('%.500T')", mro->items[i]);
            return false;
        }
        const Type *base = (Type *)v_obj(mro->items[i]);
        if (!ou_is_subtype(solid, ou_type_solid(base))) {
            ou_raise(vm, E_TYPE, "mro() returned base with unsuitable layout ('%.500N')", base);
            return false;
        }
    }
    return true;
}

int ou_type_set_mro(VM *vm, Type *t) {
    Value list;
    Type *meta = ou_type_of(vm, v_of(t));
    Value f = meta->id == T_TYPE ? V_NULL : ou_type_lookup(vm, meta, vm->names[N_mro]);
    Tuple *before = t->mro; /* as an address to compare with: mro() may set the bases of this very class */
    if (f != V_NULL && f != ou_type_lookup(vm, vm->types[T_TYPE], vm->names[N_mro])) {
        Value r = ou_call_special(vm, v_of(t), N_mro, NULL, 0, NULL);
        list = r == V_NULL ? V_NULL : ou_list_from(vm, r);
        xrelease(vm, r);
        if (list != V_NULL && !check_custom_mro(vm, t, as_list(list))) {
            release(vm, list);
            return -1;
        }
    } else {
        list = ou_compute_mro(vm, t);
    }
    for (uint32_t i = 0; list != V_NULL && i < as_list(list)->n; i++) {
        Type *above = (Type *)v_obj(as_list(list)->items[i]);
        if ((above->flags & TF_LAZY) && !ou_type_fill(vm, above)) set_owned(vm, &list, V_NULL);
    }
    if (list == V_NULL) return -1;
    if (t->mro != before) { /* then that one stands */
        release(vm, list);
        return 0;
    }
    if (as_list(list)->n == 0) {
        release(vm, list);
        ou_raise(vm, E_TYPE, "type MRO must not be empty");
        return -1;
    }
    Value tuple = ou_tuple_of(vm, as_list(list)->items, as_list(list)->n);
    release(vm, list);
    if (tuple == V_NULL) return -1;
    t->mro = as_tuple(tuple);
    if (before) {
        ou_type_new_version(vm, t);
        obj_release(vm, before);
    }
    return 1;
}

/* New mros for t and all below. `undo` collects class, new mro, old mro (or None). */
static bool renew_mro(VM *vm, Type *t, List *undo) {
    Value old = t->mro ? retain(v_of(t->mro)) : V_NONE;
    int r = ou_type_set_mro(vm, t);
    bool ok = r >= 0;
    if (r > 0)
        ok = ou_list_append(vm, undo, v_of(t)) && ou_list_append(vm, undo, v_of(t->mro)) &&
             ou_list_append(vm, undo, old);
    release(vm, old);
    if (r <= 0 || !ok) return ok;
    Value subs = ou_list_new(vm, t->nsubclasses); /* a copy: mro() may make and lose subclasses */
    ok = subs != V_NULL;
    for (uint32_t i = 0; ok && i < t->nsubclasses; i++)
        ok = ou_list_append(vm, as_list(subs), v_of(t->subclasses[i]));
    for (uint32_t i = 0; ok && i < as_list(subs)->n; i++)
        ok = renew_mro(vm, (Type *)v_obj(as_list(subs)->items[i]), undo);
    xrelease(vm, subs);
    return ok;
}

/* Back to the old mros, except where a class has got a newer one meanwhile. */
static void restore_mros(VM *vm, List *undo) {
    for (uint32_t i = 0; i + 2 < undo->n; i += 3) {
        Type *t = (Type *)v_obj(undo->items[i]);
        if (v_of(t->mro) != undo->items[i + 1]) continue;
        Value old = undo->items[i + 2];
        t->mro = old == V_NONE ? NULL : as_tuple(retain(old));
        ou_type_new_version(vm, t);
        release(vm, undo->items[i + 1]); /* the type's reference: the list has its own */
    }
}

static void update_slots_below(VM *vm, Type *t) {
    ou_slots_update_all(vm, t);
    for (uint32_t i = 0; i < t->nsubclasses; i++) update_slots_below(vm, (Type *)t->subclasses[i]);
}

static bool in_base_chain(const Type *t, const Type *of) {
    while (t && t != of) t = t->base;
    return t != NULL;
}

bool ou_type_set_bases(VM *vm, Type *t, Value bases) {
    Tuple *nb = as_tuple(bases);
    Type *best;
    if (nb->n == 0) {
        ou_raise(vm, E_TYPE, "can only assign non-empty tuple to %N.__bases__, not ()", t);
        return false;
    }
    for (uint32_t i = 0; i < nb->n; i++) {
        if (!ou_is_a(vm, nb->items[i], T_TYPE)) {
            ou_raise(vm, E_TYPE, "%N.__bases__ must be tuple of classes, not '%T'", t, nb->items[i]);
            return false;
        }
        /* By both: while mros are computed, `base` is ahead of them. */
        Type *b = (Type *)v_obj(nb->items[i]);
        if (ou_is_subtype(b, t) || in_base_chain(b, t)) {
            ou_raise(vm, E_TYPE, "a __bases__ item causes an inheritance cycle");
            return false;
        }
    }
    if (t->id >= T_COUNT) { /* exceptions with two bases are put together at boot */
        if (!ou_type_best_base(vm, nb, &best)) return false;
        if ((best->flags & TF_GC) != (t->base->flags & TF_GC)) {
            ou_raise(vm, E_TYPE, "__bases__ assignment: '%N' deallocator differs from '%N'", best, t->base);
            return false;
        }
        if (!ou_type_exchangeable(best, t->base)) {
            ou_raise(vm, E_TYPE, "__bases__ assignment: '%N' object layout differs from '%N'", best, t->base);
            return false;
        }
    } else {
        best = t->base;
    }
    Value undo = ou_list_new(vm, 0);
    if (undo == V_NULL) return false;
    Tuple *old = t->bases;
    Type *old_base = t->base;
    t->bases = obj_retain(nb);
    t->base = obj_retain(best);
    bool ok = renew_mro(vm, t, as_list(undo));
    if (ok && t->bases == nb) { /* else mro() has set others, and everything below is done */
        for (uint32_t i = 0; i < old->n; i++) ou_type_remove_subclass((Type *)v_obj(old->items[i]), t);
        for (uint32_t i = 0; i < nb->n && ok; i++)
            ok = ou_type_add_subclass(vm, (Type *)v_obj(nb->items[i]), t);
        if (t->id >= T_COUNT) update_slots_below(vm, t);
    } else if (!ok) {
        restore_mros(vm, as_list(undo));
        if (t->bases == nb) { /* give the new ones back instead of the old */
            t->bases = old;
            t->base = old_base;
            old = nb;
            old_base = best;
        }
    }
    release(vm, undo);
    ou_type_modified(vm, t);
    obj_release(vm, old);
    obj_release(vm, old_base);
    return ok;
}

/* ---- __slots__ --------------------------------------------------------------------------------------- */

typedef struct SlotList {
    Value names;        /* list of mangled names; V_NULL: no __slots__ */
    bool dict, weakref; /* "__dict__", "__weakref__" are among them */
} SlotList;

static bool add_slot(VM *vm, Type *t, Dict *ns, Str *name, SlotList *out) {
    if (ou_str_eq_c(name, "__dict__")) {
        if (out->dict || (t->base->flags & TF_DICT)) {
            ou_raise(vm, E_TYPE, "__dict__ slot disallowed: we already got one");
            return false;
        }
        out->dict = true;
        return true;
    }
    if (ou_str_eq_c(name, "__weakref__")) {
        if (out->weakref || (t->base->flags & TF_WEAKREF)) {
            ou_raise(vm, E_TYPE, "__weakref__ slot disallowed: we already got one");
            return false;
        }
        out->weakref = true;
        return true;
    }
    Value m = ou_str_mangle(vm, t->name, name);
    if (m == V_NULL) return false;
    Str *in = ou_intern_str(vm, as_str(m));
    release(vm, m);
    if (!in) return false;
    bool ok;
    if (ou_dict_get_str(vm, ns, in) != V_NULL && !ou_str_eq_c(in, "__qualname__") &&
        !ou_str_eq_c(in, "__classcell__")) {
        ou_raise(vm, E_VALUE, "%R in __slots__ conflicts with class variable", v_of(in));
        ok = false;
    } else {
        ok = ou_list_append(vm, as_list(out->names), v_of(in));
    }
    obj_release(vm, in);
    return ok;
}

static bool collect_slots(VM *vm, Type *t, Dict *ns, SlotList *out) {
    Value slots = ou_dict_get_str(vm, ns, vm->names[N_DU_slots]);
    out->names = V_NULL;
    out->dict = out->weakref = false;
    if (slots == V_NULL) return true;
    Value list;
    if (ou_is_a(vm, slots, T_STR))
        list = ou_list_of(vm, &slots, 1);
    else
        list = ou_list_from(vm, slots);
    if (list == V_NULL) return false;
    out->names = ou_list_new(vm, as_list(list)->n);
    bool ok = out->names != V_NULL;
    if (ok && as_list(list)->n && (t->flags & TF_VAR || t->struct_id == T_INT) && t->struct_id != T_STR) {
        ou_raise(vm, E_TYPE, "nonempty __slots__ not supported for subtype of '%N'", t->base);
        ok = false;
    }
    for (uint32_t i = 0; ok && i < as_list(list)->n; i++) {
        Value s = as_list(list)->items[i];
        if (!ou_is_a(vm, s, T_STR)) {
            ou_raise(vm, E_TYPE, "__slots__ items must be strings, not '%.200T'", s);
            ok = false;
        } else if (ou_strm_isidentifier(vm, &s, 1) != V_TRUE) {
            ou_raise(vm, E_TYPE, "__slots__ must be identifiers");
            ok = false;
        } else {
            ok = add_slot(vm, t, ns, as_str(s), out);
        }
    }
    release(vm, list);
    /* In order of their names: classes with the same slots in another order have the same layout. */
    ok = ok && ou_list_sort(vm, as_list(out->names), V_NONE, false);
    if (!ok && out->names != V_NULL) {
        release(vm, out->names);
        out->names = V_NULL;
    }
    return ok;
}

static bool dict_add(VM *vm, Dict *d, Str *name, Value v) {
    bool ok = v != V_NULL && ou_dict_set_str(vm, d, name, v);
    xrelease(vm, v);
    return ok;
}

/* Size, flags and tail of instances, and the descriptors that reach into it. */
static bool lay_out(VM *vm, Type *t, SlotList *slots) {
    Type *base = t->base;
    t->nslots = base->nslots;
    bool had_dict = (base->flags & TF_DICT) != 0, want_dict = slots->names == V_NULL || slots->dict;
    bool had_weak = (base->flags & TF_WEAKREF) != 0, want_weak = slots->names == V_NULL || slots->weakref;
    for (uint32_t i = 0; i < t->bases->n; i++) { /* secondary bases may bring them in */
        uint32_t f = ((Type *)v_obj(t->bases->items[i]))->flags;
        want_dict = want_dict || (f & TF_DICT);
        want_weak = want_weak || (f & TF_WEAKREF);
    }
    bool own_storage =
        t->struct_id == T_TYPE || t->struct_id == T_MODULE; /* their structs hold a dict of their own */
    if (own_storage) want_dict = had_dict;
    if (want_dict) t->flags |= TF_DICT;
    if (want_weak) t->flags |= TF_WEAKREF;
    uint32_t n = slots->names == V_NULL ? 0 : as_list(slots->names)->n;
    for (uint32_t i = 0; i < n; i++) {
        Str *name = as_str(as_list(slots->names)->items[i]);
        if (!dict_add(vm, t->ns, name, ou_member_new(vm, name, t, t->nslots + i))) return false;
    }
    t->nslots += n;
    if (t->nslots || (want_dict && !own_storage)) {
        if (base->tail)
            t->tail = base->tail;
        else if (t->flags & TF_VAR)
            t->tail = -(int32_t)(sizeof(Tail) + sizeof(GcHead));
        else
            t->tail = (int32_t)((t->size + 7u) & ~7u);
    }
    t->inline_cap = t->tail > 0 ? t->nslots + (want_dict && !own_storage ? 2u : 0u) : 0;
    if (base->inline_cap > t->inline_cap && t->tail > 0) t->inline_cap = base->inline_cap;
    if (!own_storage && want_dict && !had_dict && ou_dict_get_str(vm, t->ns, vm->names[N_DU_dict]) == V_NULL &&
        !dict_add(vm, t->ns, vm->names[N_DU_dict], ou_getset_new(vm, &ou_dict_getset, t)))
        return false;
    if (want_weak && !had_weak && ou_dict_get_str(vm, t->ns, vm->names[N_DU_weakref]) == V_NULL &&
        !dict_add(vm, t->ns, vm->names[N_DU_weakref], ou_getset_new(vm, &ou_weakref_getset, t)))
        return false;
    return true;
}

/* ---- the namespace ----------------------------------------------------------------------------------- */

/* Functions under these names become class or static methods by themselves. */
static bool wrap_implicit(VM *vm, Dict *d, Str *name, bool to_static) {
    Value f = ou_dict_get_str(vm, d, name);
    if (f == V_NULL || !is_exact(f, T_FUNCTION)) return true;
    return dict_add(vm, d, name, to_static ? ou_staticmethod_new(vm, f) : ou_classmethod_new(vm, f));
}

static bool take_name(VM *vm, Type *t) {
    Value q = ou_dict_get_str(vm, t->ns, vm->names[N_DU_qualname]);
    if (q == V_NULL) {
        t->qualname = obj_retain(t->name);
        return true;
    }
    if (!ou_is_a(vm, q, T_STR)) {
        ou_raise(vm, E_TYPE, "type __qualname__ must be a str, not %T", q);
        return false;
    }
    t->qualname = as_str(retain(q));
    return ou_dict_del(vm, t->ns, v_of(vm->names[N_DU_qualname])) >= 0;
}

static bool fill_namespace(VM *vm, Type *t) {
    Dict *d = t->ns;
    if (!take_name(vm, t)) return false;
    if (ou_dict_get_str(vm, d, vm->names[N_DU_module]) == V_NULL) {
        Dict *g = ou_current_globals(vm);
        Value m = g ? ou_dict_get_str(vm, g, vm->names[N_DU_name]) : V_NULL;
        if (m != V_NULL && !ou_dict_set_str(vm, d, vm->names[N_DU_module], m)) return false;
    }
    /* Equality without a hash of its own makes instances unhashable. */
    if (ou_dict_get_str(vm, d, vm->names[N_DU_eq]) != V_NULL &&
        ou_dict_get_str(vm, d, vm->names[N_DU_hash]) == V_NULL &&
        !ou_dict_set_str(vm, d, vm->names[N_DU_hash], V_NONE))
        return false;
    return wrap_implicit(vm, d, vm->names[N_DU_new], true) &&
           wrap_implicit(vm, d, vm->names[N_DU_init_subclass], false) &&
           wrap_implicit(vm, d, vm->names[N_DU_class_getitem], false);
}

/* The cell that the methods' `__class__` and super() read. */
static bool fill_class_cell(VM *vm, Type *t, Str *name, Value v) {
    Value cell = ou_dict_get_str(vm, t->ns, name);
    if (cell == V_NULL) return true;
    if (!is_exact(cell, T_CELL)) {
        ou_raise(vm, E_TYPE, "%Q must be a nonlocal cell, not <class '%T'>", name, cell);
        return false;
    }
    set_owned(vm, &((Cell *)v_obj(cell))->v, retain(v));
    return ou_dict_del(vm, t->ns, v_of(name)) >= 0;
}

static bool warn_odd_keys(VM *vm, Type *t) {
    uint32_t pos = 0;
    Value key, v;
    while (ou_dict_next(t->ns, &pos, &key, &v)) {
        if (ou_is_a(vm, key, T_STR)) continue;
        return ou_warn(vm, E_RUNTIME_WARNING, 1, "non-string key in the __dict__ of class %.200N", t);
    }
    return true;
}

/* ---- __set_name__ and __init_subclass__ -------------------------------------------------------------- */

static bool set_names(VM *vm, Type *t) {
    Value copy = ou_dict_copy(vm, t->ns);
    if (copy == V_NULL) return false;
    uint32_t pos = 0;
    Value key, v;
    bool ok = true;
    while (ok && ou_dict_next(as_dict(copy), &pos, &key, &v)) {
        if (!is_obj(v) || is_exact(v, T_FUNCTION) || is_exact(v, T_STR)) continue;
        Value args[2] = {v_of(t), key};
        bool absent;
        Value r = ou_call_special(vm, v, N_DU_set_name, args, 2, &absent);
        if (absent) continue;
        if (r == V_NULL) {
            Value exc = ou_exc_take(vm);
            Value note = ou_str_format(vm, "Error calling __set_name__ on '%.100T' instance %R in '%.100N'",
                                       v, key, t);
            if (note != V_NULL) {
                Value added = ou_call_method_c(vm, exc, "add_note", &note, 1);
                xrelease(vm, added);
                release(vm, note);
            }
            ou_exc_clear(vm);
            ou_exc_restore(vm, exc);
            ok = false;
        } else {
            release(vm, r);
        }
    }
    release(vm, copy);
    return ok;
}

static bool call_init_subclass(VM *vm, Type *t, const Value *kwargs, Tuple *kwnames) {
    Value b = ou_super_getattr(vm, v_of(t), v_of(t), vm->names[N_DU_init_subclass]);
    if (b == V_NULL) return false;
    Value r = ou_call(vm, b, kwargs, 0, kwnames);
    release(vm, b);
    if (r == V_NULL) return false;
    release(vm, r);
    return true;
}

/* ---- type(name, bases, namespace) -------------------------------------------------------------------- */

enum { COLLECTION = TF_SEQUENCE | TF_MAPPING, FROM_BASE = TF_EXC | TF_MATCH_SELF | TF_VAR | TF_DICT | TF_WEAKREF };

/* The abstract classes of collections.abc say with CPython's flag bits which patterns their instances match. */
static bool take_collection_flags(VM *vm, Type *t) {
    if (ou_type_of(vm, v_of(t))->id == T_TYPE) return true;
    Str *name = ou_intern_c(vm, "__abc_tpflags__");
    if (!name) return false;
    Value v = ou_dict_get_str(vm, t->ns, name);
    bool ok = true;
    if (v != V_NULL && is_small(v)) {
        if (v_small(v) & 1 << 5) t->flags |= TF_SEQUENCE;
        if (v_small(v) & 1 << 6) t->flags |= TF_MAPPING;
        ok = ou_dict_del(vm, t->ns, v_of(name)) >= 0;
    }
    obj_release(vm, name);
    return ok;
}

void ou_type_share_patterns(const Type *from, Type *t) {
    uint32_t f = from->flags & COLLECTION;
    if (!f || t->flags & TF_IMMUTABLE || (t->flags & COLLECTION) == f) return;
    t->flags = (t->flags & ~(uint32_t)COLLECTION) | f;
    for (uint32_t i = 0; i < t->nsubclasses; i++) ou_type_share_patterns(from, (Type *)t->subclasses[i]);
}

static bool set_up(VM *vm, Type *t, Tuple *bases, Dict *ns) {
    Type *base;
    if (!ou_type_best_base(vm, bases, &base)) return false;
    t->base = obj_retain(base);
    t->bases = obj_retain(bases);
    t->id = vm->next_type_id++;
    t->struct_id = base->struct_id;
    t->size = base->size;
    t->flags = TF_HEAP | TF_BASE | TF_GC | (base->flags & FROM_BASE);
    Value d = ou_dict_copy(vm, ns);
    if (d == V_NULL) return false;
    t->ns = as_dict(d);
    SlotList slots;
    if (!take_collection_flags(vm, t) || !collect_slots(vm, t, ns, &slots)) return false;
    bool ok = fill_namespace(vm, t) && fill_class_cell(vm, t, vm->names[N_DU_classcell], v_of(t)) &&
              fill_class_cell(vm, t, vm->names[N_DU_classdictcell], v_of(t->ns)) &&
              lay_out(vm, t, &slots);
    xrelease(vm, slots.names);
    if (!ok) return false;
    if (ou_dict_get_str(vm, t->ns, vm->names[N_DU_doc]) == V_NULL &&
        !ou_dict_set_str(vm, t->ns, vm->names[N_DU_doc], V_NONE))
        return false;
    if (ou_type_set_mro(vm, t) < 0) return false;
    t->slots = base->slots;
    ou_slots_update_all(vm, t);
    for (uint32_t i = 1; i < t->mro->n; i++) {
        uint32_t f = ((Type *)v_obj(t->mro->items[i]))->flags;
        t->flags |= f & TF_EXC;
        if (!(t->flags & COLLECTION)) t->flags |= f & COLLECTION; /* the first one says what patterns it matches */
    }
    for (uint32_t i = 0; t->bases == bases && i < bases->n; i++) /* else mro() has set __bases__ */
        if (!ou_type_add_subclass(vm, (Type *)v_obj(bases->items[i]), t)) return false;
    ou_type_new_version(vm, t);
    return warn_odd_keys(vm, t);
}

Value ou_type_new(VM *vm, Type *meta, Str *name, Tuple *bases, Dict *ns, const Value *kwargs,
                  Tuple *kwnames) {
    Value object = v_of(vm->types[T_OBJECT]);
    Value b = bases->n ? retain(v_of(bases)) : ou_tuple_of(vm, &object, 1);
    if (b == V_NULL) return V_NULL;
    if (strlen(name->data) != name->size) {
        release(vm, b);
        return ou_raise(vm, E_VALUE, "type name must not contain null characters");
    }
    Type *t = ou_new(vm, meta, 0);
    if (!t) {
        release(vm, b);
        return V_NULL;
    }
    t->name = ou_intern_str(vm, name);
    bool ok = t->name && set_up(vm, t, as_tuple(b), ns) && set_names(vm, t) &&
              call_init_subclass(vm, t, kwargs, kwnames);
    release(vm, b);
    if (!ok) {
        obj_release(vm, t);
        return V_NULL;
    }
    return v_of(t);
}

/* ---- class statements -------------------------------------------------------------------------------- */

/* Replaces bases that are no types through their __mro_entries__. Owned; the same tuple if nothing changed.
 */
static Value resolve_bases(VM *vm, Value bases) {
    Tuple *b = as_tuple(bases);
    Value list = V_NULL;
    for (uint32_t i = 0; i < b->n; i++) {
        Value base = b->items[i], entries = V_NULL;
        bool missing = true;
        if (!ou_is_a(vm, base, T_TYPE)) {
            Value f = ou_getattr_opt(vm, base, vm->names[N_DU_mro_entries], &missing);
            if (f == V_NULL && !missing) goto fail;
            if (f != V_NULL) {
                entries = ou_call1(vm, f, bases);
                release(vm, f);
                if (entries == V_NULL) goto fail;
                if (!ou_is_a(vm, entries, T_TUPLE)) {
                    release(vm, entries);
                    ou_raise(vm, E_TYPE, "__mro_entries__ must return a tuple");
                    goto fail;
                }
            }
        }
        if (entries != V_NULL && list == V_NULL && (list = ou_list_of(vm, b->items, i)) == V_NULL) {
            release(vm, entries);
            return V_NULL;
        }
        bool ok = true;
        if (entries != V_NULL) {
            ok = ou_list_extend(vm, as_list(list), entries);
            release(vm, entries);
        } else if (list != V_NULL) {
            ok = ou_list_append(vm, as_list(list), base);
        }
        if (!ok) goto fail;
    }
    if (list == V_NULL) return retain(bases);
    Value t = ou_tuple_of(vm, as_list(list)->items, as_list(list)->n);
    release(vm, list);
    return t;
fail:
    xrelease(vm, list);
    return V_NULL;
}

typedef struct ClassParts {
    Value bases, meta, ns;
    Value *args;    /* room for the three arguments of a metaclass, then the borrowed values of kwnames */
    Tuple *kwnames; /* without `metaclass`; NULL: none. Owned */
    uint32_t nkw, room;
} ClassParts;
enum { CLASS_HEAD = 3 };

static bool split_keywords(VM *vm, ClassParts *p, const Value *values, Tuple *kwnames) {
    uint32_t n = kwnames ? kwnames->n : 0;
    p->args = ou_alloc(&vm->heap, (CLASS_HEAD + n) * sizeof(Value));
    if (!p->args) {
        ou_raise_memory(vm);
        return false;
    }
    p->room = n;
    Value names = n ? ou_tuple_new(vm, n) : V_NULL;
    if (n && names == V_NULL) return false;
    for (uint32_t i = 0; i < n; i++) {
        if (ou_str_eq_c(as_str(kwnames->items[i]), "metaclass")) {
            p->meta = retain(values[i]);
            continue;
        }
        as_tuple(names)->items[p->nkw] = retain(kwnames->items[i]);
        p->args[CLASS_HEAD + p->nkw++] = values[i];
    }
    if (p->nkw == n) {
        p->kwnames = n ? as_tuple(names) : NULL;
        return true;
    }
    Value fewer = p->nkw ? ou_tuple_of(vm, as_tuple(names)->items, p->nkw) : V_NULL;
    release(vm, names);
    if (p->nkw && fewer == V_NULL) return false;
    p->kwnames = p->nkw ? as_tuple(fewer) : NULL;
    return true;
}

static bool pick_metaclass(VM *vm, ClassParts *p) {
    Tuple *bases = as_tuple(p->bases);
    if (p->meta == V_NULL)
        p->meta = retain(bases->n ? v_of(ou_type_of(vm, bases->items[0])) : v_of(vm->types[T_TYPE]));
    if (!ou_is_a(vm, p->meta, T_TYPE)) return true;
    Value m = ou_calculate_metaclass(vm, p->meta, bases);
    if (m == V_NULL) return false;
    set_owned(vm, &p->meta, m);
    return true;
}

static Value call_with(VM *vm, Value f, const Value *head, int n, const ClassParts *p) {
    Value *args = p->args + CLASS_HEAD - n;
    memcpy(args, head, (size_t)n * sizeof(Value));
    return ou_call(vm, f, args, n, p->kwnames);
}

static bool prepare(VM *vm, ClassParts *p, Value name) {
    if (p->meta == v_of(vm->types[T_TYPE])) {
        p->ns = ou_dict_new(vm);
        return p->ns != V_NULL;
    }
    bool missing;
    Value f = ou_getattr_opt(vm, p->meta, vm->names[N_DU_prepare], &missing);
    if (f == V_NULL && !missing) return false;
    if (f == V_NULL) {
        p->ns = ou_dict_new(vm);
    } else {
        Value head[2] = {name, p->bases};
        p->ns = call_with(vm, f, head, 2, p);
        release(vm, f);
    }
    if (p->ns == V_NULL) return false;
    if (!ou_type_of(vm, p->ns)->slots.getitem) {
        bool is_type = ou_is_a(vm, p->meta, T_TYPE);
        if (is_type)
            ou_raise(vm, E_TYPE, "%.200N.__prepare__() must return a mapping, not %.200T",
                     (Type *)v_obj(p->meta), p->ns);
        else
            ou_raise(vm, E_TYPE, "<metaclass>.__prepare__() must return a mapping, not %.200T", p->ns);
        return false;
    }
    return true;
}

static Value make_class(VM *vm, ClassParts *p, Value func, Value name, Value orig_bases) {
    Function *fn = as_function(func);
    Value cell = ou_exec(vm, fn->code, fn->globals, p->ns, fn->closure);
    if (cell == V_NULL) return V_NULL;
    Value cls = V_NULL;
    if (p->bases == orig_bases || ou_setitem(vm, p->ns, v_of(vm->names[N_DU_orig_bases]), orig_bases)) {
        /* The namespace's cell, to see afterwards that type.__new__ was given it. */
        if (!is_exact(cell, T_CELL) && is_exact(p->ns, T_DICT)) {
            Value c = ou_dict_get_str(vm, as_dict(p->ns), vm->names[N_DU_classcell]);
            if (c != V_NULL) set_owned(vm, &cell, retain(c));
        }
        Value head[3] = {name, p->bases, p->ns};
        cls = call_with(vm, p->meta, head, 3, p);
    }
    if (cls != V_NULL && ou_is_a(vm, cls, T_TYPE) && is_exact(cell, T_CELL)) {
        Value in = ((Cell *)v_obj(cell))->v;
        if (in == V_UNBOUND) {
            ou_raise(vm, E_RUNTIME,
                     "__class__ not set defining %R as %R. Was __classcell__ propagated to type.__new__?",
                     name, cls);
            release(vm, cls);
            cls = V_NULL;
        } else if (in != cls) {
            ou_raise(vm, E_TYPE, "__class__ set to %R defining %R as %R", in, name, cls);
            release(vm, cls);
            cls = V_NULL;
        }
    }
    release(vm, cell);
    return cls;
}

Value ou_build_class(VM *vm, const Value *args, int n, Tuple *kwnames) {
    if (n < 2) return ou_raise(vm, E_TYPE, "__build_class__: not enough arguments");
    if (!is_exact(args[0], T_FUNCTION))
        return ou_raise(vm, E_TYPE, "__build_class__: func must be a function");
    if (!ou_is_a(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "__build_class__: name is not a string");
    ClassParts p = {V_NULL, V_NULL, V_NULL, NULL, NULL, 0, 0};
    Value cls = V_NULL;
    Value orig = ou_tuple_of(vm, args + 2, (size_t)(n - 2));
    if (orig == V_NULL) return V_NULL;
    p.bases = resolve_bases(vm, orig);
    if (p.bases != V_NULL && split_keywords(vm, &p, args + n, kwnames) && pick_metaclass(vm, &p) &&
        prepare(vm, &p, args[1]))
        cls = make_class(vm, &p, args[0], args[1], orig);
    xrelease(vm, p.ns);
    xrelease(vm, p.meta);
    xrelease(vm, p.bases);
    if (p.kwnames) obj_release(vm, p.kwnames);
    if (p.args) ou_free(&vm->heap, p.args, (CLASS_HEAD + p.room) * sizeof(Value));
    release(vm, orig);
    return cls;
}
