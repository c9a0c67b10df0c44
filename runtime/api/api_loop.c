/* The VM's loop for hosts: run to completion, or poll from the host's own loop.
 * The loop is asyncio's own object (asyncio.new_event_loop()), made on first use and kept in vm->main_loop. */
#include "runtime/api/api.h"
#include "runtime/loop/loop.h"
#include "runtime/objects/import.h"

static Loop *host_loop(VM *vm)
{
    if (vm->main_loop)
        return vm->main_loop;
    Value f = ou_import_attr(vm, "asyncio.events", "new_event_loop");
    Value l = f == V_NULL ? V_NULL : ou_call0(vm, f);
    xrelease(vm, f);
    vm->main_loop = ou_loop_check(vm, l);
    return vm->main_loop;
}

/* While the host polls, the loop is the running one: tasks may ask for it. */
static Loop *enter(VM *vm, Loop *l)
{
    Loop *old = vm->thread->running_loop;
    vm->thread->running_loop = l;
    l->running = true;
    l->thread_ident = vm->thread->ident;
    return old;
}
static void leave(VM *vm, Loop *l, Loop *old)
{
    vm->thread->running_loop = old;
    l->running = false;
    l->thread_ident = 0;
    l->stopping = false;
}

ouro_rc ouro_spawn(ouro_vm *vm, ouro_val coro, const char *name, ouro_val *task)
{
    Value c = ou_api_get(vm, coro);
    if (c == V_NULL)
        return OURO_MISUSE;
    ou_api_enter(vm);
    Loop *l = host_loop(vm);
    Value n = V_NULL, t = V_NULL;
    if (l && !ou_is_coroutine_like(vm, c))
        ou_raise(vm, E_TYPE, "a coroutine was expected, got %R", c);
    else if (l)
        n = name ? ou_str_c(vm, name) : V_NONE;
    if (n != V_NULL)
        t = ou_task_new(vm, l, c, n, V_NULL, false);
    xrelease(vm, n);
    return ou_api_leave(vm, ou_api_give(vm, t, task));
}

ouro_rc ouro_loop_run(ouro_vm *vm, ouro_val awaitable, ouro_val *out)
{
    Value a = ou_api_get(vm, awaitable);
    if (a == V_NULL)
        return OURO_MISUSE;
    ou_api_enter(vm);
    Loop *l = host_loop(vm);
    return ou_api_leave(vm, ou_api_give(vm, l ? ou_call_method_c(vm, v_of(l), "run_until_complete", &a, 1) : V_NULL, out));
}

static uint32_t ready_count(const Loop *l) { return l->tail_at - l->head; }

ouro_rc ouro_loop_poll(ouro_vm *vm, int64_t budget_nanos, ouro_loop_info *info)
{
    ou_api_enter(vm);
    Loop *l = host_loop(vm);
    if (l && vm->thread->running_loop) {
        ou_raise(vm, E_RUNTIME, "ouro_loop_poll called while a loop is running");
        l = NULL;
    }
    if (!l)
        return ou_api_leave(vm, OURO_EXC);
    Loop *old = enter(vm, l);
    double end = ou_loop_time(vm, l) + (double)budget_nanos * 1e-9;
    bool ok;
    l->io_dirty = true; /* the host asks: look at the descriptors now */
    do
        ok = ou_loop_run_once(vm, l, false);
    while (ok && ready_count(l) && budget_nanos > 0 && ou_loop_time(vm, l) < end);
    leave(vm, l, old);
    if (info) {
        uint32_t waiting = 0;
        for (Node *p = l->tasks.next; p != &l->tasks; p = p->next)
            waiting++;
        info->ready = ready_count(l);
        info->waiting = waiting;
        info->alive = info->ready || waiting || l->ntimers || l->io_handles;
        info->next_nanos = -1;
        if (info->ready)
            info->next_nanos = 0;
        else if (l->ntimers) {
            double dt = l->timers[0].when - ou_loop_time(vm, l);
            info->next_nanos = dt > 0 ? (int64_t)(dt * 1e9) : 0;
        }
    }
    return ou_api_leave(vm, ou_api_rc(vm, ok));
}

ouro_rc ouro_result(ouro_vm *vm, ouro_val fut, bool *done, ouro_val *out)
{
    Value f = ou_api_get(vm, fut);
    if (f == V_NULL || !ou_is_future(vm, f))
        return OURO_MISUSE;
    *done = future_done(as_future(f));
    ou_api_enter(vm);
    return ou_api_leave(vm, *done ? ou_api_give(vm, ou_future_result(vm, as_future(f)), out) : OURO_OK);
}

void ou_api_loop_close(VM *vm)
{
    if (!vm->main_loop)
        return;
    Value l = v_of(vm->main_loop), r;
    vm->main_loop = NULL;
    Value f = ou_import_attr(vm, "asyncio.runners", "_cancel_all_tasks");
    r = f == V_NULL ? V_NULL : ou_call1(vm, f, l);
    xrelease(vm, f);
    xrelease(vm, r);
    if (vm->exc != V_NULL)
        ou_unraisable(vm, NULL, l);
    r = ou_call_method_c(vm, l, "close", NULL, 0);
    if (r == V_NULL)
        ou_unraisable(vm, NULL, l);
    xrelease(vm, r);
    release(vm, l);
}
