/* The timer heap: heapq's siftdown and siftup step by step, because equal deadlines come out in the order in which that
 * algorithm leaves them, and scripts can see it (interleaving/timer_equal_deadline). Mirrors CPython's Lib/heapq.py in effect. */
#include "runtime/loop/loop.h"

static void siftdown(TimerEntry *h, uint32_t start, uint32_t pos)
{
    TimerEntry item = h[pos];
    while (pos > start) {
        uint32_t parent = (pos - 1) >> 1;
        if (!(item.when < h[parent].when))
            break;
        h[pos] = h[parent];
        pos = parent;
    }
    h[pos] = item;
}

static void siftup(TimerEntry *h, uint32_t n, uint32_t pos)
{
    uint32_t start = pos;
    TimerEntry item = h[pos];
    uint32_t child = 2 * pos + 1;
    while (child < n) {
        uint32_t right = child + 1;
        if (right < n && !(h[child].when < h[right].when))
            child = right;
        h[pos] = h[child];
        pos = child;
        child = 2 * pos + 1;
    }
    h[pos] = item;
    siftdown(h, start, pos);
}

bool ou_timer_push(VM *vm, Loop *l, Handle *h)
{
    if (l->ntimers == l->timers_cap) {
        uint32_t cap = l->timers_cap ? l->timers_cap * 2 : 16;
        TimerEntry *p = ou_realloc(&vm->heap, l->timers, l->timers_cap * sizeof *p, cap * sizeof *p);
        if (!p)
            return ou_raise_memory(vm) != V_NULL;
        l->timers = p;
        l->timers_cap = cap;
    }
    l->timers[l->ntimers] = (TimerEntry){h->when, h};
    h->h.refs++;
    h->scheduled = true;
    siftdown(l->timers, 0, l->ntimers++);
    return true;
}

Handle *ou_timer_pop(Loop *l)
{
    Handle *h = l->timers[0].h;
    TimerEntry last = l->timers[--l->ntimers];
    if (l->ntimers) {
        l->timers[0] = last;
        siftup(l->timers, l->ntimers, 0);
    }
    h->scheduled = false;
    return h;
}

void ou_timer_rebuild(VM *vm, Loop *l)
{
    /* Live ones to the front; the dead behind them are released last, when the heap is whole again. */
    uint32_t n = 0, old = l->ntimers;
    for (uint32_t k = 0; k < old; k++) {
        if (l->timers[k].h->cancelled)
            continue;
        TimerEntry e = l->timers[k];
        l->timers[k] = l->timers[n];
        l->timers[n++] = e;
    }
    l->ntimers = n;
    l->ntimers_cancelled = 0;
    for (uint32_t k = n / 2; k-- > 0;)
        siftup(l->timers, n, k);
    /* Releasing a cancelled handle frees no script object: cancel() dropped callback and arguments. */
    for (uint32_t k = n; k < old; k++) {
        l->timers[k].h->scheduled = false;
        release(vm, v_of(l->timers[k].h));
    }
}
