/* A bump arena over a Heap: many small allocations that die together (an AST, a compilation).
 * May be included by everybody. Failure is sticky: once an allocation failed, `failed` stays set and every
 * later allocation returns NULL, so that a builder may check once at the end, provided it never follows a
 * NULL. */
#ifndef OU_ARENA_H
#define OU_ARENA_H

#include "runtime/base/alloc.h"

typedef struct ArenaBlock {
    struct ArenaBlock *next;
    size_t size; /* of the whole block, this header included */
} ArenaBlock;

typedef struct Arena {
    char *cur, *end; /* free room of the newest block */
    Heap *heap;
    ArenaBlock *blocks;
    size_t next_size; /* of the next block; doubles up to a bound */
    size_t total;     /* bytes taken from the heap */
    bool failed;
} Arena;

void ou_arena_init(Arena *a, Heap *h);
void ou_arena_fini(Arena *a);

void *ou_arena_grow(Arena *a, size_t n); /* the slow path of ou_arena_alloc */

/* 8-aligned, not zeroed; NULL on failure. */
static inline void *ou_arena_alloc(Arena *a, size_t n) {
    if (n > SIZE_MAX / 2) return ou_arena_grow(a, n);
    n = (n + 7) & ~(size_t)7;
    if ((size_t)(a->end - a->cur) < n) return ou_arena_grow(a, n);
    void *p = a->cur;
    a->cur += n;
    return p;
}

void *ou_arena_alloc0(Arena *a, size_t n);              /* zeroed */
char *ou_arena_copy(Arena *a, const char *s, size_t n); /* a NUL-terminated copy of n bytes */
void *ou_arena_extend(Arena *a, void *p, size_t old_size,
                      size_t new_size); /* in place when newest, else moved */

#endif
