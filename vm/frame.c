/* Walking the script frames of the running thread, and what depends on the current one: globals, builtins, locals.
 * Entries: ou_frame_current, ou_frame_back. The walk follows links; where an activation of the evaluator began (a call from
 * C, a generator resumed from C) it goes on with the frame that was current then. */
#include "vm/eval.h"

static bool fill(FrameRef *f, Value *R, const Ins *pc)
{
    if (!R || !is_exact(R[-2], T_FUNCTION))
        return false;
    f->fn = frame_fn(R);
    f->R = R;
    f->pc = (uint32_t)(pc - 1 - f->fn->code->code);
    f->is_heap = frame_is_heap(R);
    return true;
}

bool ou_frame_current(VM *vm, FrameRef *out)
{
    out->entry = vm->entry;
    return fill(out, vm->R, vm->pc);
}

bool ou_frame_back(VM *vm, FrameRef *f)
{
    (void)vm;
    Value *R = f->R;
    if (f->is_heap) {
        Gen *g = gen_of(R);
        if (g->flags & GEN_F_LINKED)
            return fill(f, g->up.awaiter->regs, g->up.awaiter->pc);
        if ((g->flags & GEN_F_DRIVEN) && g->up.ret_R)
            return fill(f, g->up.ret_R, g->ret_pc);
    } else {
        Value link = R[-1];
        if (link >> LINK_SHIFT)
            return fill(f, R - (link >> LINK_SHIFT), link_pc(link));
        if (INS_OP(*link_pc(link)) != OP_HALT)
            return fill(f, (Value *)(uintptr_t)R[-4], (const Ins *)(uintptr_t)R[-3]);
    }
    while (f->entry) {
        EvalEntry *e = f->entry;
        f->entry = e->prev;
        if (e->R)
            return fill(f, e->R, e->pc);
    }
    return false;
}

Dict *ou_current_globals(VM *vm)
{
    FrameRef f;
    return ou_frame_current(vm, &f) ? f.fn->globals : NULL;
}

Dict *ou_current_builtins(VM *vm)
{
    FrameRef f;
    return ou_frame_current(vm, &f) ? f.fn->builtins : vm->builtins;
}

static Value *far_place(const FrameRef *f, uint32_t k)
{
    Value far = f->R[f->fn->code->farreg];
    return is_obj(far) && is_exact(far, T_FAR) ? &((Far *)v_obj(far))->v[k] : NULL; /* NULL: the frame has not begun */
}

/* Where the variable varnames[k] of a function is: near parameters, far ones; near others, far ones. */
static Value *local_place(const FrameRef *f, uint32_t k)
{
    const Code *c = f->fn->code;
    uint32_t params = (uint32_t)c->nargs + c->nkwonly + !!(c->flags & CO_VARARGS) + !!(c->flags & CO_VARKEYWORDS);
    uint32_t near = params - c->nfarparams, others = c->varnames->n - c->nfarlocals - params;
    if (k < near)
        return &f->R[k];
    if (k >= params && k - params < others)
        return &f->R[k - c->nfarparams];
    return far_place(f, k < params ? k - near : c->nfarparams + (k - params - others));
}

static bool add_local(VM *vm, Dict *d, Value name, Value v)
{
    if (is_exact(v, T_CELL))
        v = ((Cell *)v_obj(v))->v;
    return v == V_UNBOUND || ou_dict_set(vm, d, name, v);
}

Value ou_frame_locals(VM *vm, const FrameRef *f)
{
    Code *c = f->fn->code;
    if (c->module_kind != CODE_FUNCTION) {
        Value ns = f->R[0], d = V_NULL;
        ns = ns == V_NONE || ns == V_UNBOUND ? v_of(f->fn->globals) : ns;
        for (uint32_t k = 0; k < c->varnames->n; k++) { /* inside a comprehension: a copy that shows its variables */
            Value v = f->R[1 + k];
            if (v == V_UNBOUND)
                continue;
            if (d == V_NULL && ((d = ou_dict_new(vm)) == V_NULL || !ou_dict_update(vm, as_dict(d), ns))) {
                xrelease(vm, d);
                return V_NULL;
            }
            if (!add_local(vm, as_dict(d), c->varnames->items[k], v)) {
                release(vm, d);
                return V_NULL;
            }
        }
        return d != V_NULL ? d : retain(ns);
    }
    Value d = ou_dict_new(vm);
    if (d == V_NULL)
        return V_NULL;
    bool ok = true;
    for (uint32_t k = 0; ok && k < c->varnames->n; k++) {
        Value name = c->varnames->items[k];
        if (ou_str_eq_c(as_str(name), ".0"))
            continue;
        Value *place = local_place(f, k);
        ok = !place || add_local(vm, as_dict(d), name, *place);
    }
    for (uint32_t k = 0; ok && c->cellnames && k < c->cellnames->n; k++) {
        Value *place = c->cellregs[k] < CELL_FAR ? &f->R[c->cellregs[k]] : far_place(f, c->cellregs[k] - CELL_FAR);
        ok = !place || add_local(vm, as_dict(d), c->cellnames->items[k], *place);
    }
    for (uint32_t k = 0; ok && c->freenames && k < c->freenames->n && f->fn->closure; k++)
        ok = add_local(vm, as_dict(d), c->freenames->items[k], f->fn->closure->items[k]);
    if (!ok) {
        release(vm, d);
        return V_NULL;
    }
    return d;
}

Value ou_current_locals(VM *vm)
{
    FrameRef f;
    if (!ou_frame_current(vm, &f))
        return ou_raise(vm, E_SYSTEM, "frame does not exist");
    return ou_frame_locals(vm, &f);
}

/* Everything that can ask for attention; see ATT_*. The loop's part (signals, the VM's lock) hangs on vm->on_attention. */
bool ou_safepoint(VM *vm)
{
    uint32_t why = __atomic_exchange_n(&vm->attention, 0, __ATOMIC_RELAXED);
    vm->stack_limit = vm->stack_limit_real;
    if ((why & ATT_BUDGET) && vm->budget.on) /* for as long as the call from the host lasts, in whatever runs below, too */
        ou_attention(vm, ATT_BUDGET);
    if (why & ATT_GC)
        ou_gc_maybe(vm);
    if ((why & ATT_INTERRUPT) && vm->thread == &vm->main_thread)
        vm->budget.interrupted = true;
    if ((why & ~(uint32_t)(ATT_GC | ATT_BUDGET)) && vm->on_attention && !vm->on_attention(vm, why))
        return false;
    if ((why & ATT_BUDGET) && !ou_budget_step(vm))
        return false;
    if (vm->thread->starved) {
        ou_raise_memory(vm);
        return false;
    }
    if (vm->thread->async_exc != V_NULL) {
        Value e = vm->thread->async_exc;
        vm->thread->async_exc = V_NULL;
        ou_raise_value(vm, e);
        release(vm, e);
        return false;
    }
    return true;
}
