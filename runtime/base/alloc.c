/* The allocator: free lists by size class over bump chunks, everything else from the host.
 * Entry points: ou_alloc, ou_realloc, ou_free. Small blocks (up to HEAP_SMALL_MAX bytes) never go back to the
 * host before ou_heap_fini: their chunks are shared by many. Under AddressSanitizer every block comes from
 * the host, so that the sanitizer sees each one. */
#include "runtime/base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* The first chunk holds what a VM needs to be there (BOOT_BYTES of it), and a small script. */
enum { CHUNK_MIN = 256 * 1024, CHUNK_MAX = 1024 * 1024, CHUNK_HEAD = 16, BOOT_BYTES = 192 * 1024 };

typedef struct Chunk {
    struct Chunk *next;
    size_t size;
} Chunk;

static void *libc_alloc(void *ud, void *p, size_t old_size, size_t new_size) {
    (void)ud;
    (void)old_size;
    if (new_size == 0) {
        free(p);
        return NULL;
    }
    return realloc(p, new_size);
}

void ou_heap_init(Heap *h, HeapAllocFn fn, void *ud) {
    memset(h, 0, sizeof *h);
    h->fn = fn ? fn : libc_alloc;
    h->ud = ud;
}

void ou_heap_fini(Heap *h) {
    Chunk *c = h->chunks;
    while (c) {
        Chunk *next = c->next;
        h->fn(h->ud, c, c->size, 0);
        c = next;
    }
    memset(h->classes, 0, sizeof h->classes);
    h->chunks = NULL;
    h->chunk = h->chunk_end = NULL;
}

/* Is this allocation, the next one, to fail? Counts it. `limit - 1` wraps to "no limit" for 0. */
static bool refuse(Heap *h, size_t n) {
    h->count++;
    if (h->fail_at && h->count >= h->fail_at && h->count - h->fail_at < (h->fail_n ? h->fail_n : 1)) return true;
    return n > h->limit - 1 || h->used > h->limit - 1 - n;
}

static void account(Heap *h, size_t n) {
    h->used += n;
    if (n > HEAP_SMALL_MAX) h->churned += n;
    if (h->used > h->peak) h->peak = h->used;
}

/* Has the system find the pages that the boot will touch anyway in one call, not in a page fault each: cheaper by half. Where
 * there is no such call they come one by one. */
static void populate(char *p, size_t n) {
#if defined(MADV_POPULATE_WRITE)
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = ((uintptr_t)p + page - 1) & ~(page - 1);
    (void)madvise((void *)from, ((uintptr_t)p + n - from) & ~(page - 1), MADV_POPULATE_WRITE);
#else
    (void)p, (void)n;
#endif
}

/* What is left of the bump area becomes a free block of its class before a new chunk is taken. */
static void *from_chunk(Heap *h, size_t n) {
    if ((size_t)(h->chunk_end - h->chunk) < n) {
        size_t rest = (size_t)(h->chunk_end - h->chunk);
        if (rest >= 16) {
            HeapFree *f = (HeapFree *)(void *)h->chunk;
            f->next = h->classes[rest / 16];
            h->classes[rest / 16] = f;
        }
        size_t size = CHUNK_MIN;
        if (h->chunks) size = ((Chunk *)h->chunks)->size * 2;
        if (size > CHUNK_MAX) size = CHUNK_MAX;
        Chunk *c = h->fn(h->ud, NULL, 0, size);
        h->chunk = h->chunk_end = NULL;
        if (!c) return NULL;
        if (!h->chunks && h->fn == libc_alloc) populate((char *)c, BOOT_BYTES);
        c->next = h->chunks;
        c->size = size;
        h->chunks = c;
        h->chunk = (char *)c + CHUNK_HEAD;
        h->chunk_end = (char *)c + size;
    }
    void *p = h->chunk;
    h->chunk += n;
    return p;
}

void *ou_alloc(Heap *h, size_t n) {
    if (n > SIZE_MAX - 16) return NULL;
    n = n ? (n + 15) & ~(size_t)15 : 16;
    if (refuse(h, n)) return NULL;
    void *p;
    if (!HEAP_PLAIN && n <= HEAP_SMALL_MAX) {
        HeapFree *f = h->classes[n / 16];
        if (f) {
            h->classes[n / 16] = f->next;
            p = f;
        } else if (!(p = from_chunk(h, n))) {
            return NULL;
        }
    } else if (!(p = h->fn(h->ud, NULL, 0, n))) {
        return NULL;
    }
    account(h, n);
    return p;
}

void *ou_alloc0(Heap *h, size_t n) {
    void *p = ou_alloc(h, n);
    if (p) memset(p, 0, n);
    return p;
}

void ou_free(Heap *h, void *p, size_t n) {
    if (!p) return;
    n = n ? (n + 15) & ~(size_t)15 : 16;
    h->used -= n;
    if (!HEAP_PLAIN && n <= HEAP_SMALL_MAX) {
        HeapFree *f = p;
        f->next = h->classes[n / 16];
        h->classes[n / 16] = f;
    } else {
        h->fn(h->ud, p, n, 0);
    }
}

void *ou_realloc(Heap *h, void *p, size_t old_size, size_t new_size) {
    if (!p) return ou_alloc(h, new_size);
    if (new_size > SIZE_MAX - 16) return NULL;
    size_t o = old_size ? (old_size + 15) & ~(size_t)15 : 16;
    size_t n = new_size ? (new_size + 15) & ~(size_t)15 : 16;
    if (o == n) return p;
    if (o > HEAP_SMALL_MAX && n > HEAP_SMALL_MAX) {
        h->used -= o;
        bool no = refuse(h, n);
        h->used += o;
        if (no) return NULL;
        void *q = h->fn(h->ud, p, o, n);
        if (!q) return NULL;
        h->used -= o;
        account(h, n);
        return q;
    }
    void *q = ou_alloc(h, new_size);
    if (!q) return NULL;
    memcpy(q, p, old_size < new_size ? old_size : new_size);
    ou_free(h, p, old_size);
    return q;
}
