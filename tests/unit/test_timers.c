/* The timer heap against heapq: the orders below are what CPython's heapq gives for the same pushes, pops and
 * heapify of entries that compare by deadline only. Equal deadlines are the point: scripts can see their order. */
#include "runtime/loop/loop.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/import.h"
#include "runtime/objects/state.h"
#include "tests/unit/check.h"
#include "vm/call.h"

static void never(VM *vm, Handle *h) { (void)vm, (void)h; }

/* Schedules entry [id] at [when]; its id travels in the handle's argument. The heap owns it. */
static void push(VM *vm, Loop *l, double when, int id)
{
    Value h = ou_call_at_native(vm, l, when, never, V_NONE, v_smallint(id));
    CHECK(h != V_NULL);
    xrelease(vm, h);
}

static int pop(VM *vm, Loop *l)
{
    Handle *h = ou_timer_pop(l);
    int id = (int)v_small(h->args);
    CHECK(!h->scheduled);
    release(vm, v_of(h));
    return id;
}

static void expect_order(VM *vm, Loop *l, const int *want, uint32_t n)
{
    CHECK(l->ntimers == n);
    bool same = true;
    for (uint32_t k = 0; l->ntimers; k++) {
        int id = pop(vm, l);
        same = same && k < n && id == want[k];
    }
    CHECK(same);
}

static const double mixed[] = {3, 1, 2, 1, 3, 2, 1, 1, 2, 3, 1, 2};

static void test_order(VM *vm, Loop *l)
{
    static const int equal[] = {0, 2, 6, 5, 7, 4, 1, 3};
    for (int k = 0; k < 8; k++) push(vm, l, 5, k);
    expect_order(vm, l, equal, 8);
    static const int by_deadline[] = {1, 6, 3, 10, 7, 2, 11, 5, 8, 4, 0, 9};
    for (int k = 0; k < 12; k++) push(vm, l, mixed[k], k);
    expect_order(vm, l, by_deadline, 12);
}

/* What the loop does when more than half of many timers are cancelled: the heap is made anew of the others. */
static void test_rebuild(VM *vm, Loop *l)
{
    static const int kept[] = {7, 1, 10, 6, 2, 5, 9, 4};
    for (int k = 0; k < 12; k++) push(vm, l, mixed[k], k);
    for (uint32_t k = 0; k < l->ntimers; k++) {
        int id = (int)v_small(l->timers[k].h->args);
        if (id == 0 || id == 3 || id == 8 || id == 11) l->timers[k].h->cancelled = true;
    }
    ou_timer_rebuild(vm, l);
    CHECK(l->ntimers_cancelled == 0);
    expect_order(vm, l, kept, 8);
    for (int k = 0; k < 3; k++) {
        push(vm, l, k, k);
        l->timers[l->ntimers - 1].h->cancelled = true;
    }
    ou_timer_rebuild(vm, l);
    CHECK(l->ntimers == 0);
}

static void test_many(VM *vm, Loop *l)
{
    uint32_t sum = 0;
    for (int k = 0; k < 200; k++) push(vm, l, k * 7919 % 13, k);
    for (int k = 0; k < 50; k++) sum = sum * 31 + (uint32_t)pop(vm, l);
    for (int k = 200; k < 300; k++) push(vm, l, k * 7919 % 13, k);
    while (l->ntimers) sum = sum * 31 + (uint32_t)pop(vm, l);
    CHECK(sum == 0x6b0ea416u);
}

int main(void)
{
    VM *vm = ou_vm_new(NULL, NULL, 0);
    CHECK(vm != NULL);
    if (!vm) return finish_checks();
    Value asyncio = ou_import_module(vm, "asyncio");
    Value loop = asyncio == V_NULL ? V_NULL : ou_call_method_c(vm, asyncio, "new_event_loop", NULL, 0);
    CHECK(loop != V_NULL);
    if (loop != V_NULL) {
        Loop *l = as_loop(loop);
        test_order(vm, l);
        test_rebuild(vm, l);
        test_many(vm, l);
        xrelease(vm, ou_call_method_c(vm, loop, "close", NULL, 0));
        release(vm, loop);
    }
    xrelease(vm, asyncio);
    VmLeaks leaks;
    ou_vm_free_report(vm, &leaks);
    CHECK(leaks.objects == 0 && leaks.bytes == 0);
    return finish_checks();
}
