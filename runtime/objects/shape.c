/* Shapes: which attribute of an instance is in which slot. Instances that got the same attributes in the same
 * order share one. Entry points: ou_shape_root, ou_shape_add, ou_shape_to_dict, ou_shapes_renew. The one
 * thing to know: an inline cache compares nothing but shape ids. So whatever a cache may have concluded from
 * a class ends by giving the shapes of that class new ids (ou_shapes_renew); an id is never used for anything
 * else again. */
#include <string.h>

#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"

enum { INDEX_FROM = 8, SHAPES_MAX = 2000 /* of one type: beyond, its instances are used as dicts */ };

static uint32_t index_size(uint32_t nkeys) {
    uint32_t n = 32;
    while (n < nkeys * 2) n *= 2;
    return n;
}

static uint32_t ptr_hash(const Str *s) {
    return (uint32_t)((uintptr_t)s >> 4) * UINT32_C(2654435761) >> 8;
}

/* Gives s the next id. false: no memory (raised). */
static bool take_id(VM *vm, Shape *s) {
    if (vm->nshapes == vm->shapes_cap) {
        uint32_t cap = vm->shapes_cap * 2;
        Shape **p = ou_realloc(&vm->heap, vm->shapes, vm->shapes_cap * sizeof *p, cap * sizeof *p);
        if (!p) {
            ou_raise_memory(vm);
            return false;
        }
        vm->shapes = p;
        vm->shapes_cap = cap;
    }
    s->id = vm->nshapes;
    vm->shapes[vm->nshapes++] = s;
    return true;
}

static void free_shape(VM *vm, Shape *s) {
    for (uint32_t i = 0; i < s->nkeys; i++) obj_release(vm, s->keys[i]);
    ou_free(&vm->heap, s->keys, s->nkeys * sizeof *s->keys);
    if (s->index) ou_free(&vm->heap, s->index, index_size(s->nkeys));
    ou_free(&vm->heap, s->next, s->next_cap * sizeof *s->next);
    ou_free(&vm->heap, s, sizeof *s);
}

/* A shape with the keys of `parent` (or nothing) and `key` (or nothing); fixed_id: built-in types' own ids.
 * NULL raised. */
static Shape *new_shape(VM *vm, Type *t, const Shape *parent, Str *key, bool fixed_id) {
    uint32_t n = (parent ? parent->nkeys : 0u) + (key ? 1u : 0u);
    Shape *s = ou_alloc0(&vm->heap, sizeof *s);
    if (!s) {
        ou_raise_memory(vm);
        return NULL;
    }
    s->type = t;
    s->parent = (Shape *)(uintptr_t)parent;
    s->no_add = t->tail == 0 || !(t->flags & TF_DICT);
    if (n) {
        s->keys = ou_alloc(&vm->heap, n * sizeof *s->keys);
        if (n > INDEX_FROM) s->index = ou_alloc0(&vm->heap, index_size(n));
        if (!s->keys || (n > INDEX_FROM && !s->index)) {
            ou_free(&vm->heap, s->keys, n * sizeof *s->keys);
            if (s->index) ou_free(&vm->heap, s->index, index_size(n));
            ou_free(&vm->heap, s, sizeof *s);
            ou_raise_memory(vm);
            return NULL;
        }
        for (uint32_t i = 0; i < n; i++) {
            s->keys[i] = parent && i < parent->nkeys ? parent->keys[i] : key;
            (void)obj_retain(s->keys[i]);
            if (s->index) {
                uint32_t mask = index_size(n) - 1, h = ptr_hash(s->keys[i]) & mask;
                while (s->index[h]) h = (h + 1) & mask;
                s->index[h] = (uint8_t)(i + 1);
            }
        }
        s->nkeys = (uint16_t)n;
    }
    if (fixed_id) {
        s->id = t->id;
        vm->shapes[s->id] = s;
    } else if (!take_id(vm, s)) {
        free_shape(vm, s);
        return NULL;
    }
    if (t->root) {
        s->sibling = t->root->sibling;
        t->root->sibling = s;
    }
    t->nshapes++;
    return s;
}

int ou_shape_find(const Shape *s, const Str *name) {
    if (!s->index) {
        for (uint32_t i = 0; i < s->nkeys; i++)
            if (s->keys[i] == name) return (int)i;
        return -1;
    }
    uint32_t mask = index_size(s->nkeys) - 1;
    for (uint32_t h = ptr_hash(name) & mask; s->index[h]; h = (h + 1) & mask)
        if (s->keys[s->index[h] - 1] == name) return s->index[h] - 1;
    return -1;
}

/* The name by which slot i of a class with __slots__ is found in the shape: that of its descriptor, if the
 * class has not covered it with another attribute; else the empty string, which no attribute lookup asks for.
 */
static Str *slot_key(VM *vm, Type *t, uint32_t i) {
    for (uint32_t k = 0; t->mro && k < t->mro->n; k++) {
        Type *m = (Type *)v_obj(t->mro->items[k]);
        uint32_t pos = 0;
        Value key, v;
        while (m->ns && ou_dict_next(m->ns, &pos, &key, &v)) {
            if (!is_exact(v, T_MEMBER) || ((Member *)v_obj(v))->index != i || !is_exact(key, T_STR)) continue;
            return ou_mro_lookup(vm, t, as_str(key)) == v ? as_str(key) : as_str(vm->empty_str);
        }
    }
    return as_str(vm->empty_str);
}

Shape *ou_shape_root(VM *vm, Type *t) {
    if (t->root) return t->root;
    Shape *s = new_shape(vm, t, NULL, NULL, t->id < T_COUNT);
    if (s && t->id < T_COUNT && t->tail) {
        /* A function is recognised by its shape id, with attributes or without: built-in types begin in dict
         * mode. */
        s->dict_mode = true;
        t->dict_shape = s;
    }
    for (uint32_t i = 0; s && i < t->nslots; i++) {
        Shape *wider = new_shape(vm, t, s, slot_key(vm, t, i), false);
        vm->shapes[s->id] = NULL;
        free_shape(vm, s);
        s = wider;
        if (s) s->parent = NULL;
    }
    t->root = s;
    return s;
}

Shape *ou_shape_add(VM *vm, Shape *s, Str *name) {
    for (uint32_t i = 0; i < s->nnext; i++)
        if (s->next[i]->keys[s->nkeys] == name) return s->next[i];
    if (s->nkeys >= SHAPE_MAX_KEYS || s->type->nshapes >= SHAPES_MAX || s->dict_mode) return NULL;
    if (s->nnext == s->next_cap) {
        uint32_t cap = s->next_cap ? s->next_cap * 2 : 1;
        Shape **p = ou_realloc(&vm->heap, s->next, s->next_cap * sizeof *p, cap * sizeof *p);
        if (!p) {
            ou_raise_memory(vm);
            return NULL;
        }
        s->next = p;
        s->next_cap = cap;
    }
    Shape *n = new_shape(vm, s->type, s, name, false);
    if (n) s->next[s->nnext++] = n;
    return n;
}

Shape *ou_shape_dict(VM *vm, Type *t) {
    if (t->dict_shape) return t->dict_shape;
    Shape *root = ou_shape_root(vm, t);
    Shape *s = root ? new_shape(vm, t, root, NULL, false) : NULL;
    if (s) {
        s->dict_mode = true;
        s->parent = NULL;
        t->dict_shape = s;
    }
    return s;
}

bool ou_shape_to_dict(VM *vm, Obj *o) {
    Shape *s = vm->shapes[o->shape];
    Type *t = s->type;
    if (s->dict_mode) return true;
    Shape *to = ou_shape_dict(vm, t);
    if (!to) return false;
    Value d = ou_dict_new(vm);
    if (d == V_NULL) return false;
    Tail *tail = tail_of(t, o);
    if (tail->cap <= t->nslots) {
        uint32_t cap = t->nslots + 1;
        Value *p = ou_alloc(&vm->heap, cap * sizeof *p);
        if (!p) {
            release(vm, d);
            ou_raise_memory(vm);
            return false;
        }
        if (t->nslots) memcpy(p, tail->slots, t->nslots * sizeof *p);
        if (tail->slots && tail->slots != (Value *)(tail + 1))
            ou_free(&vm->heap, tail->slots, tail->cap * sizeof *p);
        tail->slots = p;
        tail->cap = cap;
    }
    for (uint32_t i = t->nslots; i < s->nkeys; i++)
        if (tail->slots[i] != V_UNBOUND && !ou_dict_set_str(vm, as_dict(d), s->keys[i], tail->slots[i])) {
            release(vm, d);
            return false;
        }
    for (uint32_t i = t->nslots; i < s->nkeys; i++)
        if (is_obj(tail->slots[i]))
            v_obj(tail->slots[i])->refs--; /* the dict has its own reference: never the last */
    tail->slots[t->nslots] = d;
    o->shape = to->id;
    return true;
}

static void rebuild_index(Shape *s) {
    uint32_t size = index_size(s->nkeys);
    memset(s->index, 0, size);
    for (uint32_t i = 0; i < s->nkeys; i++) {
        uint32_t h = ptr_hash(s->keys[i]) & (size - 1);
        while (s->index[h]) h = (h + 1) & (size - 1);
        s->index[h] = (uint8_t)(i + 1);
    }
}

static bool is_covered(VM *vm, Type *t, Str *key, uint32_t slot) {
    Value v = ou_type_lookup(vm, t, key);
    return v == V_NULL || !is_exact(v, T_MEMBER) || ((Member *)v_obj(v))->index != slot;
}

void ou_shapes_cover_slots(VM *vm, Type *t) {
    for (uint32_t i = 0; t->root && i < t->nslots; i++) {
        Str *key = t->root->keys[i], *none = as_str(vm->empty_str);
        if (key == none || !is_covered(vm, t, key, i)) continue;
        for (Shape *s = t->root; s; s = s->sibling) {
            if (s->keys[i] != key) continue;
            s->keys[i] = obj_retain(none);
            obj_release(vm, key);
            if (s->index) rebuild_index(s);
        }
    }
    for (uint32_t i = 0; i < t->nsubclasses; i++) ou_shapes_cover_slots(vm, (Type *)t->subclasses[i]);
}

/* ---- renewal ----------------------------------------------------------------------------------------- */

static bool has_instances(const Type *t) {
    if (t->root) return true;
    for (uint32_t i = 0; i < t->nsubclasses; i++)
        if (has_instances((Type *)t->subclasses[i])) return true;
    return false;
}

/* New ids for all shapes of t and of its subclasses. The old ids keep leading to the shape: an object that
 * the walk cannot see must not lose its type. */
static bool renew_ids(VM *vm, Type *t) {
    if (t->root && t->id >= T_COUNT) { /* the ids of built-in types stay: the classes below them are meant */
        for (Shape *s = t->root; s; s = s->sibling)
            if (!take_id(vm, s)) return false;
        t->flags |= TF_RENEWED;
    }
    for (uint32_t i = 0; i < t->nsubclasses; i++)
        if (!renew_ids(vm, (Type *)t->subclasses[i])) return false;
    return true;
}

bool ou_shapes_renew(VM *vm, Type *t) {
    if (!has_instances(t)) return true;
    bool ok = renew_ids(vm, t);
    GcHead *heads[2] = {&vm->gc.young, &vm->gc.old};
    for (int i = 0; i < 2; i++)
        for (GcHead *g = heads[i]->next; g != heads[i]; g = g->next) {
            Obj *o = gc_obj(g);
            o->shape = vm->shapes[o->shape]->id;
        }
    return ok;
}

/* Called when t dies: no instance is left. */
void ou_shapes_free(VM *vm, Type *t) {
    if (t->flags & TF_RENEWED)
        for (uint32_t i = T_COUNT; i < vm->nshapes; i++)
            if (vm->shapes[i] && vm->shapes[i]->type == t) vm->shapes[i] = NULL;
    for (Shape *s = t->root; s;) {
        Shape *next = s->sibling;
        vm->shapes[s->id] = NULL;
        free_shape(vm, s);
        s = next;
    }
    t->root = t->dict_shape = NULL;
}
