/* The cycle collector: trial deletion over the list of tracked objects, as CPython does it: copy the counts, subtract
 * internal references, what stays above zero is reachable.
 * May be included by objects/, vm/, loop/, stdlib/. Invariant: a GcHead stands directly before every object whose type
 * has TF_GC. */
#ifndef OU_GC_H
#define OU_GC_H

#include "runtime/objects/object.h"

/* 16 bytes. `prev` carries GC_* flags in its low bits; while a collection runs, its upper bits hold the copied count of the
 * objects under examination (the list is singly linked then) and are restored afterwards. */
typedef struct GcHead {
    struct GcHead *next;
    uintptr_t prev;
} GcHead;

enum { GC_HAS_WEAKREF = 1, GC_FINALIZED = 2, GC_COLLECTING = 4, GC_FLAGS = 7 };

static inline GcHead *gc_head(const Obj *o) { return (GcHead *)(uintptr_t)o - 1; }
static inline Obj *gc_obj(GcHead *g) { return (Obj *)(g + 1); }

typedef struct Gc {
    GcHead young, old;        /* list heads of tracked objects; survivors of a collection move to old */
    size_t young_count, old_count;
    size_t threshold;         /* gc.set_threshold: young objects that ask for a collection ... */
    size_t trigger;           /* ... at the moment: grows while collections find next to nothing */
    size_t old_at_last_full;  /* a full collection comes when old has grown by a quarter since */
    bool enabled, running, stress;
    uint64_t collections[3], collected[3], uncollectable[3];
    Value callbacks, garbage; /* lists, gc.callbacks and gc.garbage; V_NULL until asked for */
    uint32_t debug;
} Gc;

void ou_gc_init(VM *vm);
int64_t ou_gc_collect(VM *vm, int generation); /* number of unreachable objects found; -1 raised */
void ou_gc_maybe(VM *vm);                      /* at a safepoint: collects if due */
void ou_gc_track(VM *vm, Obj *o);
void ou_gc_untrack(VM *vm, Obj *o);
static inline void ou_visit(VM *vm, Value v, VisitFn visit, void *arg)
{
    if (v != V_NULL && is_obj(v))
        visit(vm, v_obj(v), arg);
}

#endif
