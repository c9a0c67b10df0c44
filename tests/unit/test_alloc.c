/* The heap: alignment, reuse of freed blocks, accounting, the limit, injected failures, and the arena and list on it. */
#include "runtime/base/alloc.h"
#include "runtime/base/arena.h"
#include "runtime/base/list.h"
#include "tests/unit/check.h"
#include <stdlib.h>

typedef struct Host {
    size_t bytes, blocks;
} Host;

static void *host_alloc(void *ud, void *p, size_t old_size, size_t new_size)
{
    Host *h = ud;
    if (p == NULL) old_size = 0;
    if (new_size == 0) {
        if (p != NULL) {
            h->bytes -= old_size;
            h->blocks--;
        }
        free(p);
        return NULL;
    }
    void *q = realloc(p, new_size);
    if (q != NULL) {
        h->bytes += new_size - old_size;
        h->blocks += p == NULL;
    }
    return q;
}

static void test_sizes(void)
{
    Host host = {0, 0};
    Heap h;
    ou_heap_init(&h, host_alloc, &host);
    enum { N = 3000 };
    static const size_t sizes[] = {1, 8, 15, 16, 17, 100, 1008, 1024, 1025, 4096, 100000};
    unsigned char *p[N];
    size_t used = h.used;
    for (size_t i = 0; i < N; i++) {
        size_t n = sizes[i % 11];
        p[i] = ou_alloc(&h, n);
        CHECK(p[i] != NULL && ((uintptr_t)p[i] & 15) == 0);
        memset(p[i], (int)(i & 255), n);
    }
    CHECK(h.used > used);
    bool intact = true;
    for (size_t i = 0; i < N; i++)
        for (size_t j = 0; j < sizes[i % 11]; j += 37) intact = intact && p[i][j] == (unsigned char)i;
    CHECK(intact);
    for (size_t i = 0; i < N; i += 2) ou_free(&h, p[i], sizes[i % 11]);
    for (size_t i = 0; i < N; i += 2) {
        p[i] = ou_alloc0(&h, sizes[i % 11]);
        CHECK(p[i] != NULL && p[i][0] == 0 && p[i][sizes[i % 11] - 1] == 0);
    }
    for (size_t i = 0; i < N; i++) ou_free(&h, p[i], sizes[i % 11]);
    CHECK(h.used == used);
    CHECK(h.peak > used);
    ou_free(&h, NULL, 5);
    ou_heap_fini(&h);
    CHECK(host.bytes == 0 && host.blocks == 0);
}

static void test_realloc(void)
{
    Heap h;
    ou_heap_init(&h, NULL, NULL);
    size_t old = 0, n = 1;
    char *p = NULL;
    for (; n < 3000000; n = n * 3 / 2 + 1) {
        char *q = ou_realloc(&h, p, old, n);
        CHECK(q != NULL);
        for (size_t i = 0; i < old && i < 100; i++) CHECK(q[i] == (char)i);
        for (size_t i = 0; i < n && i < 100; i++) q[i] = (char)i;
        p = q;
        old = n;
    }
    p = ou_realloc(&h, p, old, 10);
    CHECK(p != NULL && p[9] == 9);
    ou_free(&h, p, 10);
    CHECK(h.used == 0);
    ou_heap_fini(&h);
}

static void test_limit_and_failures(void)
{
    Heap h;
    ou_heap_init(&h, NULL, NULL);
    h.limit = h.used + 100000;
    CHECK(ou_alloc(&h, 1 << 20) == NULL);
    CHECK(ou_alloc(&h, SIZE_MAX - 100) == NULL);
    void *p = ou_alloc(&h, 50000);
    CHECK(p != NULL);
    CHECK(ou_realloc(&h, p, 50000, 1 << 20) == NULL); /* the old block stays */
    memset(p, 1, 50000);
    CHECK(ou_alloc(&h, 60000) == NULL);
    ou_free(&h, p, 50000);
    CHECK((p = ou_alloc(&h, 60000)) != NULL);
    ou_free(&h, p, 60000);
    h.limit = 0;
    h.fail_at = h.count + 3;
    h.fail_n = UINT64_MAX;
    void *a = ou_alloc(&h, 10), *b = ou_alloc(&h, 10), *c = ou_alloc(&h, 10), *d = ou_alloc(&h, 10);
    CHECK(a != NULL && b != NULL && c == NULL && d == NULL); /* the third, and with fail_n all after it */
    h.fail_at = 0;
    h.fail_n = 0;
    CHECK((c = ou_alloc(&h, 10)) != NULL);
    ou_free(&h, a, 10);
    ou_free(&h, b, 10);
    ou_free(&h, c, 10);
    CHECK(h.used == 0);
    ou_heap_fini(&h);
}

static void test_arena(void)
{
    Heap h;
    ou_heap_init(&h, NULL, NULL);
    Arena a;
    ou_arena_init(&a, &h);
    char *first = ou_arena_copy(&a, "hello", 5);
    CHECK(first != NULL && strcmp(first, "hello") == 0);
    for (int i = 0; i < 10000; i++) {
        char *p = ou_arena_alloc(&a, (size_t)(i % 300) + 1);
        CHECK(p != NULL && ((uintptr_t)p & 7) == 0);
        p[i % 300] = 'x';
    }
    CHECK(strcmp(first, "hello") == 0);
    char *z = ou_arena_alloc0(&a, 5000);
    CHECK(z != NULL && z[0] == 0 && z[4999] == 0);
    char *e = ou_arena_alloc(&a, 16);
    memcpy(e, "0123456789abcdef", 16);
    char *bigger = ou_arena_extend(&a, e, 16, 64);
    CHECK(bigger == e); /* the newest grows in place */
    ou_arena_alloc(&a, 8);
    bigger = ou_arena_extend(&a, e, 64, 100000);
    CHECK(bigger != NULL && bigger != e && memcmp(bigger, "0123456789abcdef", 16) == 0);
    CHECK(!a.failed && ou_arena_alloc(&a, SIZE_MAX) == NULL && a.failed);
    CHECK(ou_arena_alloc(&a, 1 << 20) == NULL); /* sticky */
    ou_arena_fini(&a);
    CHECK(h.used == 0);
    ou_arena_init(&a, &h);
    h.fail_at = h.count + 1;
    CHECK(ou_arena_alloc(&a, 8) == NULL && a.failed);
    ou_arena_fini(&a);
    CHECK(h.used == 0);
    ou_heap_fini(&h);
}

static void test_list(void)
{
    Node head, n[5];
    list_init(&head);
    CHECK(list_empty(&head));
    for (int i = 0; i < 5; i++) list_push_back(&head, &n[i]);
    list_remove(&n[2]);
    list_push_front(&head, &n[2]);
    list_remove(&n[2]);
    list_remove(&n[2]); /* unlinked twice is harmless */
    list_push_front(&head, &n[2]);
    static const int order[] = {2, 0, 1, 3, 4};
    int i = 0;
    for (Node *p = head.next; p != &head; p = p->next) CHECK(p == &n[order[i++]]);
    CHECK(i == 5 && head.prev == &n[4]);
    for (i = 0; i < 5; i++) list_remove(&n[i]);
    CHECK(list_empty(&head));
}

int main(void)
{
    test_sizes();
    test_realloc();
    test_limit_and_failures();
    test_arena();
    test_list();
    return finish_checks();
}
