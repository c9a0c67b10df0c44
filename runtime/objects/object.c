/* Making and destroying objects: memory layout, destruction with finalizers and weak references, bounded C
 * recursion. Entry points: ou_new, ou_dealloc, ou_finish_dealloc. One block holds, in this order: Tail (types
 * with a variable part only), GcHead (TF_GC), the C struct, the extra bytes, and the Tail with its inline
 * slots (all other types that have one). */
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"

enum {
    DEALLOC_DEPTH_MAX = 100
}; /* deeper destruction of containers is put off: a long list chain must not use up the stack */

static size_t front_size(const Type *t) {
    return ((t->flags & TF_GC) ? sizeof(GcHead) : 0) + (t->tail < 0 ? sizeof(Tail) : 0);
}

static size_t body_size(const Type *t, size_t extra, uint32_t inline_cap) {
    if (t->tail > 0) return (size_t)t->tail + sizeof(Tail) + (size_t)inline_cap * sizeof(Value);
    return t->size + extra;
}

void *ou_new(VM *vm, Type *t, size_t extra) {
    Shape *root = t->root ? t->root : ou_shape_root(vm, t);
    if (!root) return NULL;
    uint32_t cap = t->tail > 0 ? t->inline_cap : 0;
    size_t front = front_size(t), body = body_size(t, extra, cap);
    char *p = extra > SIZE_MAX / 4 ? NULL : ou_alloc(&vm->heap, front + body);
    if (!p) {
        ou_raise_memory(vm);
        return NULL;
    }
    memset(p, 0, front + body);
    Obj *o = (Obj *)(void *)(p + front);
    o->refs = 1;
    o->shape = root->id;
    if (t->tail) {
        Tail *tail = tail_of(t, o);
        tail->slots = t->tail > 0 ? (Value *)(tail + 1) : NULL;
        tail->cap = tail->inline_cap = cap;
        if (root->dict_mode) tail->slots[0] = V_UNBOUND; /* the dict, until somebody asks for it */
        if (t->nslots) {
            if (t->nslots > cap) {
                tail->slots = ou_alloc(&vm->heap, t->nslots * sizeof(Value));
                if (!tail->slots) {
                    ou_free(&vm->heap, p, front + body);
                    ou_raise_memory(vm);
                    return NULL;
                }
                tail->cap = t->nslots;
            }
            for (uint32_t i = 0; i < t->nslots; i++) tail->slots[i] = V_UNBOUND;
        }
    }
    if (t->id >= T_COUNT) t->h.refs++;
    vm->objects_alive++;
    if (t->flags & TF_GC) ou_gc_track(vm, o);
    return o;
}

void ou_free_object(VM *vm, Obj *o, size_t extra) {
    Type *t = vm->shapes[o->shape]->type;
    uint32_t cap = t->tail > 0 ? tail_of(t, o)->inline_cap : 0;
    size_t front = front_size(t), body = body_size(t, extra, cap);
    if (t->flags & TF_GC) ou_gc_untrack(vm, o);
    vm->objects_alive--;
    ou_free(&vm->heap, (char *)o - front, front + body);
    if (t->id >= T_COUNT) obj_release(vm, t);
}

/* Releases what the tail holds and leaves it empty. */
static void drop_tail(VM *vm, Type *t, Obj *o) {
    Tail *tail = tail_of(t, o);
    Shape *s = vm->shapes[o->shape];
    uint32_t n = s->dict_mode ? t->nslots + 1 : s->nkeys;
    Value *slots = tail->slots;
    bool own = slots && slots != (Value *)(tail + 1);
    if (!slots) n = 0;
    for (uint32_t i = 0; i < n; i++) release(vm, slots[i]);
    if (own) ou_free(&vm->heap, slots, tail->cap * sizeof(Value));
}

void ou_finish_dealloc(VM *vm, Obj *o, size_t extra) {
    Type *t = vm->shapes[o->shape]->type;
    if (t->tail) drop_tail(vm, t, o);
    ou_free_object(vm, o, extra);
}

/* Runs o's finalizer. True: it made o live again. */
static bool finalize(VM *vm, Type *t, Obj *o) {
    if (t->flags & TF_GC) {
        GcHead *g = gc_head(o);
        if (g->prev & GC_FINALIZED) return false;
        g->prev |= GC_FINALIZED;
    }
    Value exc = vm->exc;
    vm->exc = V_NULL;
    o->refs = 1;
    t->slots.finalize(vm, o);
    if (vm->exc != V_NULL) ou_unraisable(vm, NULL, V_NONE);
    vm->exc = exc;
    return --o->refs > 0;
}

static void dealloc_now(VM *vm, Obj *o) {
    Type *t = vm->shapes[o->shape]->type;
    if (t->slots.finalize && finalize(vm, t, o)) {
        if ((t->flags & TF_GC) && gc_head(o)->next == NULL) ou_gc_track(vm, o); /* it had been put off */
        return;
    }
    t = vm->shapes[o->shape]->type; /* the finalizer may have changed the class */
    if (t->flags & TF_GC) {
        ou_gc_untrack(vm, o); /* first: a callback may run the collector */
        if (gc_head(o)->prev & GC_HAS_WEAKREF) ou_weakref_object_dies(vm, o);
    } else if ((t->flags & TF_WEAKREF) && vm->weakrefs) {
        ou_weakref_object_dies(vm, o);
    }
    if (t->slots.dealloc) {
        if (t->tail && (t->flags & (TF_HEAP | TF_EXC))) { /* its attributes go before what the built-in base holds */
            drop_tail(vm, t, o);
            tail_of(t, o)->slots = NULL;
        }
        t->slots.dealloc(vm, o);
    } else
        ou_finish_dealloc(vm, o, 0);
}

void ou_dealloc(VM *vm, Obj *o) {
    if (!(vm->shapes[o->shape]->type->flags & TF_GC)) {
        dealloc_now(vm, o);
        return;
    }
    if (vm->dealloc_depth >= DEALLOC_DEPTH_MAX) {
        ou_gc_untrack(vm, o);
        gc_head(o)->prev = (gc_head(o)->prev & GC_FLAGS) | (uintptr_t)vm->trash;
        vm->trash = o;
        return;
    }
    vm->dealloc_depth++;
    dealloc_now(vm, o);
    if (vm->dealloc_depth == DEALLOC_DEPTH_MAX / 2) {
        /* Half way up again: what was put off goes now, one after the other, with the other half as room. */
        while (vm->trash) {
            Obj *next = vm->trash;
            vm->trash = (Obj *)(gc_head(next)->prev & ~(uintptr_t)GC_FLAGS);
            gc_head(next)->prev &= GC_FLAGS;
            dealloc_now(vm, next);
        }
    }
    vm->dealloc_depth--;
}

/* ---- type tests -------------------------------------------------------------------------------------- */

Type *ou_type_of(VM *vm, Value v) {
    if (is_obj(v)) return vm->shapes[v_obj(v)->shape]->type;
    if (is_small(v)) return vm->types[T_INT];
    if (is_float(v)) return vm->types[T_FLOAT];
    switch (v) {
    case V_TRUE:
    case V_FALSE: return vm->types[T_BOOL];
    case V_NOTIMPL: return vm->types[T_NOTIMPL];
    case V_ELLIPSIS: return vm->types[T_ELLIPSIS];
    default: return vm->types[T_NONE];
    }
}

Type *ou_builtin(VM *vm, TypeId id) {
    return vm->types[id];
}

bool ou_is_subtype(const Type *t, const Type *of) {
    if (t == of) return true;
    if (!t->mro) { /* while its mro is being computed */
        for (; t; t = t->base)
            if (t == of) return true;
        return false;
    }
    for (uint32_t i = 0; i < t->mro->n; i++)
        if (t->mro->items[i] == v_of(of)) return true;
    return false;
}

bool ou_is_a(VM *vm, Value v, TypeId id) {
    Type *t = ou_type_of(vm, v);
    return t->id == (uint32_t)id || (t->id >= (uint32_t)T_BUILTIN_COUNT && ou_is_subtype(t, vm->types[id])) ||
           (t->base && t->base->id != T_OBJECT && ou_is_subtype(t, vm->types[id]));
}

const char *ou_tp_name(const Type *t) {
    return t->def && !(t->flags & TF_SCRIPTED) ? t->def->name : t->shown ? t->shown->data : t->name->data;
}

const char *ou_type_name(VM *vm, Value v) { return ou_tp_name(ou_type_of(vm, v)); }
