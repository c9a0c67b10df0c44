/* Types: the boot of the built-in ones from their definitions, the mro, versions, destruction.
 * Entry points: ou_types_boot, ou_type_from_def, ou_compute_mro, ou_type_modified. Class statements are in
 * type_new.c. The boot goes in two passes, because making any str, dict or tuple needs those types: first the
 * bare structs of all types with their slots, then names, dicts and mros. */
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

#define TYPE(id, cname, base) extern const TypeDef ou_type_##cname;
#include "runtime/objects/types.def"
#undef TYPE

static const TypeDef *const defs[T_BUILTIN_COUNT] = {
#define TYPE(id, cname, base) &ou_type_##cname,
#include "runtime/objects/types.def"
#undef TYPE
};
static const uint16_t base_ids[T_BUILTIN_COUNT] = {
#define TYPE(id, cname, base) T_##base,
#include "runtime/objects/types.def"
#undef TYPE
};

/* ---- one type from its definition -------------------------------------------------------------------- */

/* Fills in what the base gives. __new__ is not inherited from object by native types: most are made by other
 * means only.
 * __hash__ is inherited together with comparison or not at all. */
static void inherit_slots(Type *t, const Type *base) {
    const Slots *b = &base->slots;
    Value (*make)(VM *, Type *, const Value *, int, Tuple *) = t->slots.make;
    bool unhashable = t->slots.compare && !t->slots.hash;
    SlotFn *to = slot_at(&t->slots, 0);
    for (uint16_t i = 0; i < sizeof(Slots) / sizeof(SlotFn); i++)
        if (!to[i]) to[i] = *slot_at((Slots *)(uintptr_t)b, i);
    if (!make && base->id == T_OBJECT) t->slots.make = NULL;
    if (unhashable) t->slots.hash = ou_hash_not_implemented;
}

enum { INHERITED = TF_GC | TF_DICT | TF_WEAKREF | TF_EXC | TF_SEQUENCE | TF_MAPPING | TF_VAR };

static void place_tail(Type *t) {
    t->tail = 0;
    if (t->flags & TF_DICT) {
        if (t->flags & TF_VAR)
            t->tail = -(int32_t)(sizeof(Tail) + ((t->flags & TF_GC) ? sizeof(GcHead) : 0));
        else
            t->tail = (int32_t)((t->size + 7u) & ~7u);
        t->inline_cap = t->tail > 0; /* for the dict, see ou_shape_root */
    }
}

static void fill_type(VM *vm, Type *t, const TypeDef *def, Type *base) {
    t->def = def;
    t->base = base;
    t->flags = def->flags | TF_IMMUTABLE | (base ? base->flags & INHERITED : 0u);
    t->size = def->size ? def->size : base->size;
    t->slots = def->slots;
    if (t->id == T_STR || t->id == T_BYTES || t->id == T_TUPLE) t->flags |= TF_VAR;
    if (def->flags & TF_NO_NEW) t->slots.make = NULL;
    if (base) inherit_slots(t, base);
    if (def->flags & TF_NO_NEW) t->slots.make = NULL;
    if (t->slots.finalize) t->flags |= TF_DEL;
    if (++vm->next_type_version == 0) vm->next_type_version = 1;
    t->version = vm->next_type_version;
    place_tail(t);
}

/* Memory of a built-in type: lives as long as the VM and is never examined by the collector. */
static Type *bare_type(VM *vm, uint32_t id, const TypeDef *def, Type *base) {
    char *p = ou_alloc0(&vm->heap, sizeof(GcHead) + sizeof(Type));
    if (!p) return NULL;
    Type *t = (Type *)(void *)(p + sizeof(GcHead));
    t->h.refs = 1;
    t->h.shape = T_TYPE;
    t->id = id;
    t->struct_id = id;
    fill_type(vm, t, def, base);
    vm->types[id] = t;
    vm->objects_alive++;
    return ou_shape_root(vm, t) ? t : NULL;
}

static const char *after_dot(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot ? dot + 1 : name;
}

static bool add(VM *vm, Type *t, const char *name, size_t n, Value v) {
    if (v == V_NULL) return false;
    Str *key = ou_intern(vm, name, n);
    bool ok = key && ou_dict_set_str(vm, t->ns, key, v);
    if (key) obj_release(vm, key);
    release(vm, v);
    return ok;
}

static bool fill_dict(VM *vm, Type *t, const TypeDef *def) {
    for (const NativeDef *d = def->methods; d && d->sig; d++) {
        TypeId kind = (d->flags & ND_CLASS) ? T_CLASSMETHOD_DESC : T_METHOD_DESC;
        Value v;
        if (d->flags & ND_STATIC) {
            Value f = ou_native_bound(vm, d, V_NULL, t);
            v = f == V_NULL ? V_NULL : ou_staticmethod_new(vm, f);
            xrelease(vm, f);
        } else {
            v = ou_native_desc_new(vm, kind, d, t);
        }
        if (!add(vm, t, d->sig, ou_sig_name_len(d->sig), v)) return false;
    }
    for (const GetSetDef *d = def->getset; d && d->name; d++)
        if (!add(vm, t, d->name, strlen(d->name), ou_getset_new(vm, d, t))) return false;
    if (!ou_slots_fill_dict(vm, t)) return false;
    if (def->slots.make && !add(vm, t, "__new__", 7, ou_native_bound(vm, &ou_new_def, v_of(t), t)))
        return false;
    if ((t->flags & TF_DICT) && !(t->base->flags & TF_DICT) &&
        ou_dict_get_str(vm, t->ns, vm->names[N_DU_dict]) == V_NULL && t->id != T_TYPE &&
        !add(vm, t, "__dict__", 8, ou_getset_new(vm, &ou_dict_getset, t)))
        return false;
    return ou_dict_get_str(vm, t->ns, vm->names[N_DU_doc]) != V_NULL ||
           add(vm, t, "__doc__", 7, def->doc ? ou_str_c(vm, def->doc) : V_NONE);
}

/* What a native type defines is made when somebody looks: a program meets a fifth of them. It counts as the library's memory, not
 * against the limit of the script that happens to be the first. */
bool ou_type_fill(VM *vm, Type *t) {
    size_t limit = vm->heap.limit;
    vm->heap.limit = 0;
    t->flags &= ~(uint32_t)TF_LAZY;
    Value d = ou_dict_new(vm);
    t->ns = d == V_NULL ? NULL : as_dict(d);
    bool ok = t->ns && fill_dict(vm, t, t->def);
    if (ok && t->id < T_COUNT) ou_gc_untrack(vm, (Obj *)t->ns); /* lives as long as the VM: nothing for the collector to look at */
    if (!ok) {
        t->ns = NULL;
        t->flags |= TF_LAZY;
        xrelease(vm, d);
    }
    vm->heap.limit = limit;
    return ok;
}

/* Name, bases and mro; the second pass of the boot. */
static bool finish_type(VM *vm, Type *t) {
    const char *name = after_dot(t->def->name);
    t->name = ou_intern_c(vm, name);
    if (!t->name) return false;
    t->qualname = obj_retain(t->name);
    t->flags |= TF_LAZY;
    Value base = v_of(t->base);
    Value bases = t->base ? ou_tuple_of(vm, &base, 1) : ou_tuple_new(vm, 0);
    if (bases == V_NULL) return false;
    t->bases = as_tuple(bases);
    uint32_t n = t->base ? t->base->mro->n : 0;
    Value mro = ou_tuple_new(vm, n + 1);
    if (mro == V_NULL) return false;
    t->mro = as_tuple(mro);
    t->mro->items[0] = retain(v_of(t));
    for (uint32_t i = 0; i < n; i++) t->mro->items[i + 1] = retain(t->base->mro->items[i]);
    if (t->base) ou_type_add_subclass(vm, t->base, t);
    if (t->id < T_COUNT) { /* these live as long as the VM: nothing for the collector to look at */
        ou_gc_untrack(vm, (Obj *)t->bases);
        ou_gc_untrack(vm, (Obj *)t->mro);
    }
    return true;
}

Type *ou_type_boot(VM *vm, TypeId id, const TypeDef *def, Type *base) {
    Type *t = bare_type(vm, (uint32_t)id, def, base);
    return t && finish_type(vm, t) ? t : NULL;
}

bool ou_types_boot(VM *vm) {
    vm->shapes_cap = 1024;
    vm->shapes = ou_alloc0(&vm->heap, vm->shapes_cap * sizeof *vm->shapes);
    if (!vm->shapes) return false;
    vm->nshapes = T_COUNT;
    vm->next_type_id = T_COUNT;
    for (int id = 0; id < T_BUILTIN_COUNT; id++)
        if (!bare_type(vm, (uint32_t)id, defs[id], id ? vm->types[base_ids[id]] : NULL)) return false;
    if (!ou_strings_boot(vm)) return false;
    static const char *const names[N_COUNT] = {
#define NAME(id, text) text,
#include "runtime/objects/names.def"
#undef NAME
    };
    for (int i = 0; i < N_COUNT; i++)
        if (!(vm->names[i] = ou_intern_c(vm, names[i]))) return false;
    for (int id = 0; id < T_BUILTIN_COUNT; id++)
        if (!finish_type(vm, vm->types[id])) return false;
    return true;
}

Type *ou_type_from_def(VM *vm, const TypeDef *def, Type *base) {
    Type *t = ou_new(vm, vm->types[T_TYPE], 0);
    if (!t) return NULL;
    if (!base) base = vm->types[T_OBJECT];
    t->id = vm->next_type_id++;
    fill_type(vm, t, def, base);
    (void)obj_retain(base);
    t->struct_id = base->struct_id;
    if (!finish_type(vm, t) || !ou_shape_root(vm, t)) {
        obj_release(vm, t);
        return NULL;
    }
    return t;
}

/* ---- subclasses, versions ---------------------------------------------------------------------------- */

bool ou_type_add_subclass(VM *vm, Type *base, Type *t) {
    if (base->nsubclasses == base->subclasses_cap) {
        uint32_t cap = base->subclasses_cap ? base->subclasses_cap * 2 : 4;
        Obj **p = ou_realloc(&vm->heap, base->subclasses, base->subclasses_cap * sizeof *p, cap * sizeof *p);
        if (!p) {
            ou_raise_memory(vm);
            return false;
        }
        base->subclasses = p;
        base->subclasses_cap = cap;
    }
    base->subclasses[base->nsubclasses++] = &t->h;
    return true;
}

void ou_type_remove_subclass(Type *base, Type *t) {
    for (uint32_t i = 0; i < base->nsubclasses; i++)
        if (base->subclasses[i] == &t->h) {
            memmove(base->subclasses + i, base->subclasses + i + 1,
                    (base->nsubclasses - i - 1) * sizeof(Obj *));
            base->nsubclasses--;
            return;
        }
}

void ou_type_new_version(VM *vm, Type *t) {
    if (++vm->next_type_version == 0) vm->next_type_version = 1;
    t->version = vm->next_type_version;
    for (uint32_t i = 0; i < t->nsubclasses; i++) ou_type_new_version(vm, (Type *)t->subclasses[i]);
}

void ou_type_modified(VM *vm, Type *t) {
    ou_type_new_version(vm, t);
    ou_shapes_cover_slots(vm, t);
    if (!ou_shapes_renew(vm, t)) ou_exc_clear(vm);
}

/* ---- mro (C3) ---------------------------------------------------------------------------------------- */

static bool in_tail(const Tuple *t, uint32_t from, Value v) {
    for (uint32_t i = from + 1; i < t->n; i++)
        if (t->items[i] == v) return true;
    return false;
}

static Value mro_conflict(VM *vm, Tuple **seqs, uint32_t *pos, uint32_t n) {
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, "Cannot create a consistent method resolution order (MRO) for bases ");
    bool first = true;
    for (uint32_t i = 0; i < n; i++) {
        if (pos[i] >= seqs[i]->n) continue;
        Value head = seqs[i]->items[pos[i]];
        bool seen = false;
        for (uint32_t k = 0; k < i; k++)
            seen = seen || (pos[k] < seqs[k]->n && seqs[k]->items[pos[k]] == head);
        if (seen) continue;
        if (!first) ou_sb_puts(&b, ", ");
        first = false;
        ou_sb_puts(&b, ((Type *)v_obj(head))->name->data);
    }
    Value msg = ou_sb_finish(&b);
    if (msg != V_NULL) {
        ou_raise(vm, E_TYPE, "%U", msg);
        release(vm, msg);
    }
    return V_NULL;
}

Value ou_compute_mro(VM *vm, Type *t) {
    uint32_t nb = t->bases->n, total = 1;
    for (uint32_t i = 0; i < nb; i++)
        if (!((Type *)v_obj(t->bases->items[i]))->mro)
            return ou_raise(vm, E_TYPE, "Cannot extend an incomplete type '%.100N'",
                            (Type *)v_obj(t->bases->items[i]));
    for (uint32_t i = 0; i < nb; i++) total += ((Type *)v_obj(t->bases->items[i]))->mro->n;
    size_t bytes = (nb + 1) * (sizeof(Tuple *) + sizeof(uint32_t));
    char *mem = ou_alloc0(&vm->heap, bytes);
    Value out = mem ? ou_list_new(vm, total) : ou_raise_memory(vm);
    if (out == V_NULL) {
        ou_free(&vm->heap, mem, bytes);
        return V_NULL;
    }
    Tuple **seqs = (Tuple **)(void *)mem;
    uint32_t *pos = (uint32_t *)(void *)(mem + (nb + 1) * sizeof(Tuple *));
    for (uint32_t i = 0; i < nb; i++) seqs[i] = ((Type *)v_obj(t->bases->items[i]))->mro;
    seqs[nb] = t->bases;
    bool ok = ou_list_append(vm, as_list(out), v_of(t));
    for (uint32_t i = 0; ok && i < nb; i++)
        for (uint32_t k = i + 1; ok && k < nb; k++)
            if (t->bases->items[i] == t->bases->items[k]) {
                ou_raise(vm, E_TYPE, "duplicate base class %N", (Type *)v_obj(t->bases->items[i]));
                ok = false;
            }
    while (ok) {
        Value pick = V_NULL;
        bool left = false;
        for (uint32_t i = 0; i <= nb && pick == V_NULL; i++) {
            if (pos[i] >= seqs[i]->n) continue;
            left = true;
            Value cand = seqs[i]->items[pos[i]];
            bool blocked = false;
            for (uint32_t k = 0; k <= nb && !blocked; k++) blocked = in_tail(seqs[k], pos[k], cand);
            if (!blocked) pick = cand;
        }
        if (!left) break;
        if (pick == V_NULL) {
            mro_conflict(vm, seqs, pos, nb + 1);
            ok = false;
            break;
        }
        ok = ou_list_append(vm, as_list(out), pick);
        for (uint32_t i = 0; i <= nb; i++)
            if (pos[i] < seqs[i]->n && seqs[i]->items[pos[i]] == pick) pos[i]++;
    }
    ou_free(&vm->heap, mem, bytes);
    if (!ok) {
        release(vm, out);
        return V_NULL;
    }
    return out;
}

/* ---- the parts of `type` that the collector and destruction use -------------------------------------- */

void ou_type_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    Type *t = (Type *)o;
    if (t->base) visit(vm, &t->base->h, arg);
    Obj *parts[] = {(Obj *)t->bases, (Obj *)t->mro, (Obj *)t->ns};
    for (int i = 0; i < 3; i++)
        if (parts[i]) visit(vm, parts[i], arg);
}

void ou_type_clear(VM *vm, Obj *o) {
    Type *t = (Type *)o;
    t->version = 0;
    t->flags &= ~(uint32_t)TF_LAZY;
    if (t->ns) ou_dict_clear(vm, t->ns);
    /* The mro goes when the instances are gone; its reference to the type itself is what would keep the cycle
     * alive. */
    Tuple *mro = t->mro;
    t->mro = NULL;
    if (mro) obj_release(vm, mro);
}

void ou_type_dealloc(VM *vm, Obj *o) {
    Type *t = (Type *)o;
    if (t->bases)
        for (uint32_t i = 0; i < t->bases->n; i++)
            ou_type_remove_subclass((Type *)v_obj(t->bases->items[i]), t);
    ou_shapes_free(vm, t);
    Tuple *bases = t->bases, *mro = t->mro;
    Dict *dict = t->ns;
    Type *base = t->base;
    t->flags &= ~(uint32_t)TF_LAZY;
    t->bases = t->mro = NULL;
    t->ns = NULL;
    if (t->subclasses) ou_free(&vm->heap, t->subclasses, t->subclasses_cap * sizeof *t->subclasses);
    t->subclasses = NULL;
    t->nsubclasses = 0;
    if (bases) obj_release(vm, bases);
    if (mro) obj_release(vm, mro);
    if (dict) obj_release(vm, dict);
    if (t->name) obj_release(vm, t->name);
    if (t->qualname) obj_release(vm, t->qualname);
    if (t->shown) obj_release(vm, t->shown);
    if (base) obj_release(vm, base);
    ou_finish_dealloc(vm, o, 0);
}

/* ---- teardown ---------------------------------------------------------------------------------------- */

/* Empties the built-in types (their dicts hold functions made at boot). The structs stay: objects may still
 * die after it. */
void ou_types_clear(VM *vm) {
    for (int id = T_COUNT - 1; id >= 0; id--) {
        Type *t = vm->types[id];
        if (!t) continue;
        t->version = 0;
        t->flags &= ~(uint32_t)TF_LAZY;
        Tuple *bases = t->bases, *mro = t->mro;
        Dict *dict = t->ns;
        Str *name = t->name, *qualname = t->qualname;
        t->bases = t->mro = NULL;
        t->ns = NULL;
        t->name = t->qualname = NULL;
        if (dict) obj_release(vm, dict);
        if (mro) obj_release(vm, mro);
        if (bases) obj_release(vm, bases);
        if (name) obj_release(vm, name);
        if (qualname) obj_release(vm, qualname);
    }
}

void ou_types_fini(VM *vm) {
    for (int id = T_COUNT - 1; id >= 0; id--) {
        Type *t = vm->types[id];
        if (!t) continue;
        ou_shapes_free(vm, t);
        if (t->subclasses) ou_free(&vm->heap, t->subclasses, t->subclasses_cap * sizeof *t->subclasses);
        ou_free(&vm->heap, gc_head(&t->h), sizeof(GcHead) + sizeof(Type));
        vm->types[id] = NULL;
        vm->objects_alive--;
    }
    ou_free(&vm->heap, vm->shapes, vm->shapes_cap * sizeof *vm->shapes);
    vm->shapes = NULL;
    vm->nshapes = vm->shapes_cap = 0;
}
