/* The one allocator interface: size-class free lists, byte accounting, a limit, failure injection.
 * May be included by everybody. A Heap belongs to one VM (or one unit test); it is never shared between
 * threads without the VM's lock. All sizes are in bytes; every block is 16-aligned. */
#ifndef OU_ALLOC_H
#define OU_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Host allocator: old_size 0 = allocate, new_size 0 = free; like `ouro_alloc_fn` of the public header. */
typedef void *(*HeapAllocFn)(void *ud, void *p, size_t old_size, size_t new_size);

/* 1: every block comes from the host's allocator, for AddressSanitizer to see it. */
#if defined(__SANITIZE_ADDRESS__)
#define HEAP_PLAIN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HEAP_PLAIN 1
#endif
#endif
#if !defined(HEAP_PLAIN)
#define HEAP_PLAIN 0
#endif

enum { HEAP_CLASSES = 64, HEAP_SMALL_MAX = 1024 }; /* size classes are multiples of 16: 16, 32 ... 1024 */

typedef struct HeapFree {
    struct HeapFree *next;
} HeapFree;

typedef struct Heap {
    HeapFree *classes[HEAP_CLASSES + 1]; /* index = rounded size / 16 */
    char *chunk, *chunk_end;             /* bump area that feeds the classes */
    void *chunks;                        /* all chunks, for teardown */
    size_t used, peak, limit;            /* bytes handed out; limit 0 = none */
    uint64_t count;                      /* allocations made so far */
    uint64_t churned;                    /* bytes of all blocks above HEAP_SMALL_MAX ever asked for: a measure of work */
    uint64_t fail_at;                    /* the allocation with this number fails (0 = never) */
    uint64_t fail_n;                     /* and so many in a row from there; 0 counts as 1 */
    HeapAllocFn fn;
    void *ud;
} Heap;

void ou_heap_init(Heap *h, HeapAllocFn fn, void *ud); /* fn NULL: the C library's */
void ou_heap_fini(Heap *h);                           /* gives every chunk back */

/* NULL on failure (limit, injection, host); nothing is raised here: the caller raises MemoryError. */
void *ou_alloc(Heap *h, size_t n);
void *ou_alloc0(Heap *h, size_t n); /* zeroed */
void *ou_realloc(Heap *h, void *p, size_t old_size, size_t new_size);
void ou_free(Heap *h, void *p, size_t n); /* p may be NULL */

#endif
