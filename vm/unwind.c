/* Exceptions leaving frames: the handler tables, the live temporaries, popping stack frames and heap frames.
 * Entry: ou_unwind. Cost is only paid by what is raised; nothing here runs otherwise. */
#include "vm/eval.h"

void ou_exc_here(VM *vm, Value *R, const Ins *pc)
{
    if (ou_exc_add_traceback(vm, vm->exc, R[-2], (uint32_t)(pc - 1 - frame_code(R)->code)))
        ((Traceback *)v_obj(as_exc(vm->exc)->traceback))->R = R;
}

/* Releases the temporaries from register `from` on that are live at `at`. A handler knows exactly those below its own. */
static void release_live(VM *vm, Value *R, const Code *c, uint32_t at, unsigned from)
{
    for (uint32_t k = 0; k < c->nlive; k++) {
        const CodeLive *l = &c->live[k];
        if (l->start > at || at >= l->end || l->reg < from)
            continue;
        Value v = R[l->reg];
        R[l->reg] = V_NONE;
        release(vm, v);
    }
}

void ou_release_frame_locals(VM *vm, Value *R, const Code *c)
{
    for (unsigned k = 0; k < c->nlocals; k++) {
        Value v = R[k];
        R[k] = V_NONE;
        release(vm, v);
    }
}

/* The entry of frame R at the top of the exception's traceback, or NULL. */
static Traceback *entry_of(Value exc, const Value *R)
{
    Value entry = as_exc(exc)->traceback;
    Traceback *tb = entry == V_NULL || entry == V_NONE ? NULL : (Traceback *)v_obj(entry);
    return tb && tb->R == R ? tb : NULL;
}

/* The exception leaves the frame: its locals go to the traceback entry, as CPython's frame object would keep them. They live as long
 * as the entry does, and tb_frame.f_locals shows them. Without memory, or without an entry of this frame, they are released. */
static void leave_frame(VM *vm, Value *R, const Ins *pc, const Code *c, Value exc)
{
    Traceback *tb = entry_of(exc, R);
    unsigned n = c->nlocals;
    if (tb)
        ou_traceback_unlink(vm, tb); /* caught, and raised again */
    if (c->watched && frames_watched(vm)) /* a frame object stands where the exception came from, not where it was raised again */
        ou_frame_left(vm, R, tb && tb->pc < c->ncode ? &c->code[tb->pc + 1] : pc, tb);
    if (tb)
        tb->R = NULL;
    bool any = false;
    for (unsigned k = 0; k < n && !any; k++)
        any = R[k] != V_UNBOUND;
    Value *kept = NULL;
    if (any && tb && tb->frame == V_NULL && tb->func == R[-2] && !tb->locals)
        kept = ou_alloc(&vm->heap, n * sizeof(Value));
    if (!kept) {
        ou_release_frame_locals(vm, R, c);
        if (c->watched && frames_watched(vm)) /* a finalizer has asked for the frame */
            ou_frame_left(vm, R, pc, NULL);
        return;
    }
    for (unsigned k = 0; k < n; k++) {
        kept[k] = R[k];
        R[k] = V_NONE;
    }
    tb->locals = kept;
    tb->nlocals = n;
}

/* Drops what the registers of a suspended frame own; it is closed afterwards. */
void ou_gen_mark_closed(VM *vm, Gen *g)
{
    if (g->state == GEN_CLOSED)
        return;
    const Code *c = as_function(g->fn)->code;
    bool created = g->state == GEN_CREATED;
    if (g->flags & GEN_F_FRAME)
        ou_frame_left(vm, g->regs, created ? NULL : g->pc, NULL);
    g->state = GEN_CLOSED;
    if (!created) {
        uint32_t at = (uint32_t)(g->pc - 1 - c->code);
        if (INS_OP(g->pc[-1]) == OP_AWAIT)
            set_owned(vm, &g->regs[INS_A(g->pc[-1])], V_NONE);
        release_live(vm, g->regs, c, at, 0);
    }
    ou_release_frame_locals(vm, g->regs, c);
    g->inner = NULL;
    if (g->handled != V_UNBOUND)
        set_owned(vm, &g->handled, V_UNBOUND);
    release(vm, ou_gen_drop_fn(g));
}

/* PEP 479: StopIteration may not leave a generator. */
static void convert_stop(VM *vm, Gen *g)
{
    const char *what = g->kind == T_GENERATOR ? "generator" : g->kind == T_COROUTINE ? "coroutine" : "async generator";
    const char *stop = NULL;
    if (ou_exc_matches(vm, E_STOP_ITERATION))
        stop = "StopIteration";
    else if (g->kind == T_ASYNC_GENERATOR && ou_exc_matches(vm, E_STOP_ASYNC_ITERATION))
        stop = "StopAsyncIteration";
    if (!stop)
        return;
    Value old = ou_exc_take(vm);
    ou_raise(vm, E_RUNTIME, "%s raised %s", what, stop);
    Value exc = vm->exc;
    if (is_obj(exc) && exc != old && ou_is_a(vm, exc, E_RUNTIME)) {
        set_owned(vm, &as_exc(exc)->cause, retain(old));
        as_exc(exc)->suppress_context = true;
        ou_exc_set_context(vm, exc, old);
    }
    release(vm, old);
}

bool ou_unwind(VM *vm, Value **Rp, const Ins **pcp)
{
    Value *R = *Rp;
    const Ins *pc = *pcp;
    for (;;) {
        const Code *c = frame_code(R);
        uint32_t at = (uint32_t)(pc - 1 - c->code);
        Value exc = vm->exc;
        vm->R = R;
        vm->pc = pc;
        for (uint32_t k = 0; k < c->nhandlers; k++) {
            const CodeHandler *h = &c->handlers[k];
            if (at < h->start || at >= h->end)
                continue;
            Traceback *tb = entry_of(exc, R);
            if (tb && !tb->same_at)
                ou_frame_caught(vm, R, tb);
            vm->exc = V_NULL; /* deallocations must not see it */
            release_live(vm, R, c, at, h->reg);
            R[h->reg] = exc;
            *Rp = R;
            *pcp = c->code + h->target;
            return true;
        }
        vm->exc = V_NULL;
        release_live(vm, R, c, at, 0);
        leave_frame(vm, R, pc, c, exc);
        vm->exc = exc;
        if (c->flags & CO_HEAP_FRAME) {
            Gen *g = gen_of(R);
            convert_stop(vm, g);
            exc = vm->exc;
            vm->exc = V_NULL;
            if (g->flags & GEN_F_LINKED) {
                Gen *w = g->up.awaiter;
                g->up.awaiter = NULL;
                g->flags &= ~(GEN_F_LINKED | GEN_F_AG_RUNNING);
                g->state = GEN_CLOSED;
                Value fn = ou_gen_drop_fn(g);
                R = w->regs;
                pc = w->pc;
                w->state = GEN_RUNNING;
                vm->R = R;
                vm->pc = pc;
                release(vm, fn);
                release(vm, R[INS_A(pc[-1])]); /* the child: AWAIT consumes it */
            } else {
                Value *ret_R = g->up.ret_R;
                const Ins *ret_pc = g->ret_pc;
                ou_gen_leave(vm, g, true);
                Value fn = ou_gen_drop_fn(g);
                if (!ret_R) {
                    vm->R = NULL;
                    release(vm, fn);
                    vm->exc = exc;
                    return false;
                }
                R = ret_R;
                pc = ret_pc;
                vm->R = R;
                vm->pc = pc;
                release(vm, fn);
            }
            vm->exc = exc;
        } else {
            Value fn = R[-2], link = R[-1];
            size_t dist = link >> LINK_SHIFT;
            Value inst = V_NULL;
            Ins stub_ins = OP_NOP;
            vm->exc = V_NULL;
            if (dist == 0) {
                uint8_t stub = INS_OP(*link_pc(link));
                if (stub == OP_HALT) {
                    vm->R = (Value *)(uintptr_t)R[-4];
                    vm->pc = (const Ins *)(uintptr_t)R[-3];
                    vm->top = R - FRAME_DETACHED;
                    release(vm, fn);
                    vm->exc = exc;
                    return false;
                }
                stub_ins = *link_pc(link);
                vm->top = R - FRAME_DETACHED;
                pc = (const Ins *)(uintptr_t)R[-3];
                R = (Value *)(uintptr_t)R[-4];
                if (stub == OP_RETH_INIT)
                    inst = R[INS_A(pc[-1])];
            } else {
                R -= dist;
                pc = link_pc(link);
                if (INS_A(pc[-1]) + 3u == dist) /* __init__ of a new instance */
                    inst = R[INS_A(pc[-1])];
            }
            vm->R = R;
            vm->pc = pc;
            release(vm, fn);
            xrelease(vm, inst);
            vm->exc = exc;
            if (INS_OP(stub_ins) == OP_ANSWER && ou_ask_failed(vm, R, &pc, stub_ins)) {
                *Rp = R;
                *pcp = pc;
                return true;
            }
        }
        ou_exc_here(vm, R, pc);
    }
}
