/* libuv under the loop: waiting with a deadline, being woken from other threads. Callbacks of libuv only append ready entries;
 * they run while the VM's lock is held: with other script threads about, the wait itself happens in poll(2) on libuv's
 * backend descriptor with the lock released, and uv_run only collects. */
#include "runtime/loop/loop.h"
#include "runtime/loop/threads.h"

#include <math.h>
#include <poll.h>
#include <sched.h>

/* uv_run() runs what is due before it polls: when the timer has fired there, it must not wait for something else any more. */
static void on_timer(uv_timer_t *t) { uv_stop(t->loop); }
static void on_async(uv_async_t *a) { (void)a; }

bool ou_reactor_init(VM *vm, Loop *l)
{
    if (l->uv)
        return true;
    l->uv = ou_alloc0(&vm->heap, sizeof *l->uv);
    l->uv_timer = ou_alloc0(&vm->heap, sizeof *l->uv_timer);
    l->uv_async = ou_alloc0(&vm->heap, sizeof *l->uv_async);
    if (!l->uv || !l->uv_timer || !l->uv_async || uv_loop_init(l->uv) != 0) {
        ou_free(&vm->heap, l->uv, sizeof *l->uv);
        ou_free(&vm->heap, l->uv_timer, sizeof *l->uv_timer);
        ou_free(&vm->heap, l->uv_async, sizeof *l->uv_async);
        l->uv = NULL;
        l->uv_timer = NULL;
        l->uv_async = NULL;
        return ou_raise_memory(vm) != V_NULL;
    }
    l->uv->data = l;
    uv_timer_init(l->uv, l->uv_timer);
    uv_async_init(l->uv, l->uv_async, on_async);
    return true;
}

void ou_reactor_wake(Loop *l)
{
    if (l->uv_async)
        uv_async_send(l->uv_async);
}

static bool other_threads(const VM *vm) { return vm->threads && vm->threads->next; }

void ou_reactor_poll(VM *vm, Loop *l, double timeout)
{
    if (!ou_reactor_init(vm, l)) {
        ou_exc_clear(vm);
        return;
    }
    l->io_dirty = false;
    l->since_poll = 0;
    if (timeout == 0) {
        uv_run(l->uv, UV_RUN_NOWAIT);
        return;
    }
    uint64_t ms = timeout < 0 ? 0 : (uint64_t)ceil(timeout * 1e3);
    vm->interrupt_wake = l->uv_async;
    if (!other_threads(vm)) {
        if (timeout > 0) {
            uv_update_time(l->uv);
            uv_timer_start(l->uv_timer, on_timer, ms, 0);
        }
        if (!ou_wanted(vm))
            uv_run(l->uv, UV_RUN_ONCE);
        uv_timer_stop(l->uv_timer);
    } else {
        uv_run(l->uv, UV_RUN_NOWAIT); /* tells the kernel of new watchers */
        if (l->tail_at == l->head && !ou_wanted(vm)) {
            struct pollfd p = {.fd = uv_backend_fd(l->uv), .events = POLLIN};
            int wait = timeout < 0 ? -1 : (int)ms;
            int own = uv_backend_timeout(l->uv);
            if (own >= 0 && (wait < 0 || own < wait))
                wait = own;
            ou_blocking_begin(vm);
            poll(&p, 1, wait);
            ou_blocking_end(vm);
            uv_run(l->uv, UV_RUN_NOWAIT);
        }
    }
    vm->interrupt_wake = NULL;
}

static void close_walk(uv_handle_t *h, void *arg)
{
    (void)arg;
    if (!uv_is_closing(h))
        uv_close(h, NULL);
}

void ou_reactor_fini(VM *vm, Loop *l)
{
    if (!l->uv)
        return;
    while (__atomic_load_n(&vm->waking, __ATOMIC_SEQ_CST))
        sched_yield();
    uv_walk(l->uv, close_walk, NULL);
    while (uv_run(l->uv, UV_RUN_DEFAULT) != 0)
        ;
    uv_loop_close(l->uv);
    ou_free(&vm->heap, l->uv, sizeof *l->uv);
    ou_free(&vm->heap, l->uv_timer, sizeof *l->uv_timer);
    ou_free(&vm->heap, l->uv_async, sizeof *l->uv_async);
    l->uv = NULL;
    l->uv_timer = NULL;
    l->uv_async = NULL;
}
