/* The cycle collector. Entry points: ou_gc_collect, ou_gc_maybe, ou_gc_track.
 * Two lists: young objects are examined when there are many of them, everything when the old ones have grown
 * by a quarter. While a collection examines a set of objects, GcHead.prev holds the count of references from
 * outside of the set, then the link of the list of objects still to be walked: no recursion and no memory is
 * needed. Bit 3 marks what was reached. */
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

enum {
    REACHED = 8,
    COUNT_ONE = 16,
    KEEP = GC_HAS_WEAKREF | GC_FINALIZED,
    THRESHOLD = 10000,
    OLD_MIN = 20000,
    TRIGGER_MAX = 500000
};

static void head_init(GcHead *h) {
    h->next = h;
    h->prev = (uintptr_t)h;
}

static GcHead *prev_of(const GcHead *g) {
    return (GcHead *)(g->prev & ~(uintptr_t)GC_FLAGS);
}
static void set_prev(GcHead *g, GcHead *p) {
    g->prev = (uintptr_t)p | (g->prev & GC_FLAGS);
}

static void append(GcHead *head, GcHead *g) {
    GcHead *last = prev_of(head);
    last->next = g;
    set_prev(g, last);
    g->next = head;
    set_prev(head, g);
}

static void unlink_head(GcHead *g) {
    GcHead *p = prev_of(g);
    p->next = g->next;
    set_prev(g->next, p);
    g->next = NULL;
    g->prev &= GC_FLAGS;
}

/* Moves everything of `from` to the end of `to`. */
static void splice(GcHead *to, GcHead *from) {
    if (from->next == from) return;
    GcHead *first = from->next, *last = prev_of(from), *end = prev_of(to);
    end->next = first;
    set_prev(first, end);
    last->next = to;
    set_prev(to, last);
    head_init(from);
}

void ou_gc_init(VM *vm) {
    Gc *gc = &vm->gc;
    head_init(&gc->young);
    head_init(&gc->old);
    gc->threshold = gc->trigger = THRESHOLD;
    gc->enabled = true;
    gc->callbacks = gc->garbage = V_NULL;
}

/* Which list an object is on is not recorded: the counts are a measure of growth, put right by each
 * collection. */
void ou_gc_track(VM *vm, Obj *o) {
    GcHead *g = gc_head(o);
    if (g->next) return;
    Gc *gc = &vm->gc;
    append(&gc->young, g);
    if (++gc->young_count > gc->trigger || gc->stress)
        if (gc->enabled && !gc->running) ou_attention(vm, ATT_GC);
}

void ou_gc_untrack(VM *vm, Obj *o) {
    GcHead *g = gc_head(o);
    if (!g->next) return;
    unlink_head(g);
    if (vm->gc.young_count) vm->gc.young_count--;
}

/* ---- finding garbage --------------------------------------------------------------------------------- */

static void traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    Shape *s = vm->shapes[o->shape];
    Type *t = s->type;
    if (t->slots.traverse) t->slots.traverse(vm, o, visit, arg);
    if (t->tail) {
        Tail *tail = tail_of(t, o);
        uint32_t n = s->dict_mode ? t->nslots + 1 : s->nkeys;
        for (uint32_t i = 0; tail->slots && i < n; i++) ou_visit(vm, tail->slots[i], visit, arg);
    }
    if (t->id >= T_COUNT) visit(vm, &t->h, arg);
}

static bool is_gc(VM *vm, const Obj *o) {
    return (vm->shapes[o->shape]->type->flags & TF_GC) != 0;
}

static bool visit_subtract(VM *vm, Obj *o, void *arg) {
    (void)arg;
    if (is_gc(vm, o)) {
        GcHead *g = gc_head(o);
        if ((g->prev & GC_COLLECTING) && g->prev >= COUNT_ONE) g->prev -= COUNT_ONE;
    }
    return true;
}

static void push_reached(GcHead *g, GcHead **work) {
    g->prev = (g->prev & GC_FLAGS) | REACHED | (uintptr_t)*work;
    *work = g;
}

static bool visit_reach(VM *vm, Obj *o, void *arg) {
    if (is_gc(vm, o)) {
        GcHead *g = gc_head(o);
        if ((g->prev & (GC_COLLECTING | REACHED)) == GC_COLLECTING) push_reached(g, arg);
    }
    return true;
}

/* Splits `set`: what is referenced from outside, directly or not, goes to `alive`; the rest stays, marked
 * GC_COLLECTING. Gives the number of those that stay; *survivors counts the others. */
static size_t deduce(VM *vm, GcHead *set, GcHead *alive, size_t *survivors) {
    size_t dead = 0, living = 0;
    for (GcHead *g = set->next; g != set; g = g->next)
        g->prev = (uintptr_t)gc_obj(g)->refs * COUNT_ONE | GC_COLLECTING | (g->prev & KEEP);
    for (GcHead *g = set->next; g != set; g = g->next) traverse(vm, gc_obj(g), visit_subtract, NULL);
    GcHead *work = NULL;
    for (GcHead *g = set->next; g != set; g = g->next)
        if (!(g->prev & REACHED) && g->prev >= COUNT_ONE) {
            push_reached(g, &work);
            while (work) {
                GcHead *w = work;
                work = (GcHead *)(w->prev & ~(uintptr_t)15);
                w->prev &= 15;
                traverse(vm, gc_obj(w), visit_reach, &work);
            }
        }
    GcHead *g = set->next;
    head_init(set);
    while (g != set) {
        GcHead *next = g->next;
        if (g->prev & REACHED) {
            g->prev &= KEEP;
            append(alive, g);
            living++;
        } else {
            dead++;
            g->prev &= KEEP | GC_COLLECTING;
            append(set, g);
        }
        g = next;
    }
    *survivors = living;
    return dead;
}

/* ---- disposing of it --------------------------------------------------------------------------------- */

static void handle_weakrefs(VM *vm, GcHead *set) {
    WeakRef *calls = NULL;
    for (GcHead *g = set->next; g != set; g = g->next)
        if (g->prev & GC_HAS_WEAKREF) ou_weakref_clear_for_gc(vm, gc_obj(g), &calls);
    ou_weakref_run_callbacks(vm, calls);
}

/* True: some finalizer ran, so objects may be alive again. */
static bool run_finalizers(VM *vm, GcHead *set) {
    GcHead seen;
    bool any = false;
    for (GcHead *g = set->next; g != set && !any; g = g->next)
        any = vm->shapes[gc_obj(g)->shape]->type->slots.finalize && !(g->prev & GC_FINALIZED);
    if (!any) return false;
    any = false;
    head_init(&seen);
    while (set->next != set) {
        GcHead *g = set->next;
        Obj *o = gc_obj(g);
        Type *t = vm->shapes[o->shape]->type;
        unlink_head(g);
        append(&seen, g);
        if (!t->slots.finalize || (g->prev & GC_FINALIZED)) continue;
        g->prev |= GC_FINALIZED;
        any = true;
        o->refs++;
        t->slots.finalize(vm, o);
        if (vm->exc != V_NULL) ou_unraisable(vm, NULL, V_NONE);
        release(vm, v_of(o));
    }
    splice(set, &seen);
    return any;
}

static void clear_object(VM *vm, Obj *o) {
    Shape *s = vm->shapes[o->shape];
    Type *t = s->type;
    if (t->slots.clear) t->slots.clear(vm, o);
    s = vm->shapes[o->shape];
    if (t->tail) {
        Tail *tail = tail_of(t, o);
        uint32_t n = s->dict_mode ? t->nslots + 1 : s->nkeys;
        for (uint32_t i = 0; tail->slots && i < n; i++) set_owned(vm, &tail->slots[i], V_UNBOUND);
    }
}

enum { DEBUG_SAVEALL = 32 }; /* gc.set_debug(): what is found is kept in gc.garbage */

static void delete_all(VM *vm, GcHead *set, GcHead *survivors) {
    while (set->next != set) {
        GcHead *g = set->next;
        Obj *o = gc_obj(g);
        g->prev &= ~(uintptr_t)GC_COLLECTING;
        if (vm->gc.debug & DEBUG_SAVEALL && vm->gc.garbage != V_NULL) {
            unlink_head(g);
            append(survivors, g);
            if (!ou_list_append(vm, as_list(vm->gc.garbage), v_of(o))) ou_exc_clear(vm);
            continue;
        }
        o->refs++;
        clear_object(vm, o);
        if (vm->exc != V_NULL) ou_unraisable(vm, NULL, V_NONE);
        if (o->refs > 1 && g->next &&
            set->next == g) { /* still held, by something that goes later or not at all */
            unlink_head(g);
            append(survivors, g);
        }
        release(vm, v_of(o));
    }
}

static void call_callbacks(VM *vm, const char *phase, int generation, int64_t collected) {
    Gc *gc = &vm->gc;
    if (gc->callbacks == V_NULL || as_list(gc->callbacks)->n == 0) return;
    Value info = ou_dict_new(vm), name = ou_str_c(vm, phase);
    if (info != V_NULL && name != V_NULL &&
        ou_dict_set_c(vm, as_dict(info), "generation", v_smallint(generation)) &&
        ou_dict_set_c(vm, as_dict(info), "collected", v_smallint(collected)) &&
        ou_dict_set_c(vm, as_dict(info), "uncollectable", v_smallint(0)))
        for (uint32_t i = 0; i < as_list(gc->callbacks)->n; i++) {
            Value f = retain(as_list(gc->callbacks)->items[i]);
            Value r = ou_call2(vm, f, name, info);
            if (r == V_NULL)
                ou_unraisable(vm, NULL, f);
            else
                release(vm, r);
            release(vm, f);
        }
    xrelease(vm, info);
    xrelease(vm, name);
    ou_exc_clear(vm);
}

int64_t ou_gc_collect(VM *vm, int generation) {
    Gc *gc = &vm->gc;
    if (gc->running) return 0;
    gc->running = true;
    Value exc = vm->exc;
    vm->exc = V_NULL;
    call_callbacks(vm, "start", generation, 0);

    GcHead set, alive;
    head_init(&set);
    head_init(&alive);
    splice(&set, &gc->young);
    if (generation >= 2) splice(&set, &gc->old);
    size_t survivors, revived;
    int64_t found = (int64_t)deduce(vm, &set, &alive, &survivors);
    splice(&gc->old, &alive);
    gc->young_count = 0;
    if (found) {
        handle_weakrefs(vm, &set);
        if (run_finalizers(vm, &set)) {
            found = (int64_t)deduce(vm, &set, &alive, &revived);
            splice(&gc->old, &alive);
        }
        delete_all(vm, &set, &alive);
        splice(&gc->old, &alive);
    }
    gc->old_count = generation >= 2 ? survivors : gc->old_count + survivors;
    if (generation >= 2) gc->old_at_last_full = survivors;
    int g = generation > 2 ? 2 : generation;
    gc->collections[g]++;
    gc->collected[g] += (uint64_t)found;
    call_callbacks(vm, "stop", generation, found);
    vm->exc = exc;
    gc->running = false;
    return found;
}

void ou_gc_maybe(VM *vm) {
    Gc *gc = &vm->gc;
    if (!gc->enabled || gc->running) return;
    if (gc->stress) {
        ou_gc_collect(vm, 2);
        return;
    }
    if (gc->young_count <= gc->trigger) return;
    bool full = gc->old_count > OLD_MIN && gc->old_count > 2 * gc->old_at_last_full;
    size_t young = gc->young_count;
    int64_t found = ou_gc_collect(vm, full ? 2 : 0);
    /* A program that builds much and drops it without cycles should not pay for looking again and again. */
    if (found >= 0 && (uint64_t)found * 32 < young) {
        if (gc->trigger < TRIGGER_MAX) gc->trigger *= 2;
    } else if (gc->trigger / 2 >= gc->threshold) {
        gc->trigger /= 2;
    }
}
