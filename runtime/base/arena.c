/* The arena's slow paths: new blocks, copies, growth in place.
 * Entry points: ou_arena_init, ou_arena_grow, ou_arena_fini. A block is never given back before the arena
 * ends; a request larger than a block gets a block of its own, behind the newest, so that the newest keeps
 * its free room. */
#include "runtime/base/arena.h"

#include <string.h>

enum { FIRST_BLOCK = 4096, LARGEST_BLOCK = 1 << 20, HEAD = (sizeof(ArenaBlock) + 15) & ~15 };

void ou_arena_init(Arena *a, Heap *h) {
    *a = (Arena){.heap = h, .next_size = FIRST_BLOCK};
}

void ou_arena_fini(Arena *a) {
    for (ArenaBlock *b = a->blocks; b;) {
        ArenaBlock *next = b->next;
        ou_free(a->heap, b, b->size);
        b = next;
    }
    ou_arena_init(a, a->heap);
}

static ArenaBlock *new_block(Arena *a, size_t size) {
    ArenaBlock *b = a->failed ? NULL : ou_alloc(a->heap, size);
    if (!b) {
        a->failed = true;
        a->cur = a->end = NULL;
        return NULL;
    }
    b->size = size;
    a->total += size;
    return b;
}

void *ou_arena_grow(Arena *a, size_t n) {
    if (n > SIZE_MAX / 2) {
        a->failed = true;
        a->cur = a->end = NULL;
        return NULL;
    }
    n = (n + 7) & ~(size_t)7;
    if (n > a->next_size / 4) {
        ArenaBlock *b = new_block(a, n + HEAD);
        if (!b) return NULL;
        b->next = a->blocks ? a->blocks->next : NULL;
        if (a->blocks)
            a->blocks->next = b;
        else
            a->blocks = b;
        return (char *)b + HEAD;
    }
    ArenaBlock *b = new_block(a, a->next_size);
    if (!b) return NULL;
    b->next = a->blocks;
    a->blocks = b;
    if (a->next_size < LARGEST_BLOCK) a->next_size *= 2;
    a->cur = (char *)b + HEAD + n;
    a->end = (char *)b + b->size;
    return (char *)b + HEAD;
}

void *ou_arena_alloc0(Arena *a, size_t n) {
    void *p = ou_arena_alloc(a, n);
    if (p) memset(p, 0, n);
    return p;
}

char *ou_arena_copy(Arena *a, const char *s, size_t n) {
    char *p = ou_arena_alloc(a, n + 1);
    if (!p) return NULL;
    if (n) memcpy(p, s, n);
    p[n] = 0;
    return p;
}

void *ou_arena_extend(Arena *a, void *p, size_t old_size, size_t new_size) {
    size_t have = (old_size + 7) & ~(size_t)7;
    if (p && (char *)p + have == a->cur && new_size < SIZE_MAX / 2) {
        size_t want = (new_size + 7) & ~(size_t)7;
        if (want <= have) return p;
        if ((size_t)(a->end - a->cur) >= want - have) {
            a->cur += want - have;
            return p;
        }
    }
    void *q = ou_arena_alloc(a, new_size);
    if (q && old_size) memcpy(q, p, old_size < new_size ? old_size : new_size);
    return q;
}
