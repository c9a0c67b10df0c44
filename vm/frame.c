/* Walking the script frames of the running thread, what depends on the current one (globals, builtins, locals), and their Frame
 * objects. Entries: ou_frame_current, ou_frame_back, ou_frame_object. The walk follows links; where an activation of the evaluator began (a call from
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

bool ou_frame_of_thread(VM *vm, const ThreadState *t, FrameRef *out)
{
    if (t == vm->thread)
        return ou_frame_current(vm, out);
    out->entry = t->entry;
    return fill(out, t->R, t->pc);
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

static bool add_local(VM *vm, Dict *d, Value name, Value v, bool cell)
{
    if (cell && is_exact(v, T_CELL))
        v = ((Cell *)v_obj(v))->v;
    return v == V_UNBOUND || ou_dict_set(vm, d, name, v);
}

/* A parameter that is a cell; a plain variable may hold a cell object as well. */
static bool is_cell_variable(const Code *c, Value name)
{
    for (uint32_t k = 0; c->cellnames && k < c->cellnames->n; k++)
        if (c->cellnames->items[k] == name)
            return true;
    return false;
}

static Value *cell_place(const FrameRef *f, uint32_t k)
{
    uint16_t r = f->fn->code->cellregs[k];
    return r < CELL_FAR ? &f->R[r] : far_place(f, r - CELL_FAR);
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
            if (!add_local(vm, as_dict(d), c->varnames->items[k], v, true)) {
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
        Value *place = local_place(f, k);
        ok = !place || add_local(vm, as_dict(d), name, *place, is_exact(*place, T_CELL) && is_cell_variable(c, name));
    }
    for (uint32_t k = 0; ok && c->cellnames && k < c->cellnames->n; k++) {
        Value *place = cell_place(f, k);
        ok = !place || add_local(vm, as_dict(d), c->cellnames->items[k], *place, true);
    }
    for (uint32_t k = 0; ok && c->freenames && k < c->freenames->n && f->fn->closure; k++)
        ok = add_local(vm, as_dict(d), c->freenames->items[k], f->fn->closure->items[k], true);
    Frame *object = vm->frames.n ? ou_frame_find(vm, f->R) : NULL;
    if (ok && object && object->extra != V_NULL)
        ok = ou_dict_update(vm, as_dict(d), object->extra);
    if (!ok) {
        release(vm, d);
        return V_NULL;
    }
    return d;
}

static bool same_text(Value a, const Str *b)
{
    return a == v_of(b) || (as_str(a)->size == b->size && memcmp(as_str(a)->data, b->data, b->size) == 0);
}

Value *ou_frame_variable(const FrameRef *f, Str *name, bool *in_register)
{
    const Code *c = f->fn->code;
    Value *found = NULL;
    *in_register = true;
    for (uint32_t k = 0; k < c->varnames->n; k++) { /* of variables of one name the one that is bound: a comprehension's */
        if (!same_text(c->varnames->items[k], name))
            continue;
        Value *place = local_place(f, k);
        if (place && (!found || *place != V_UNBOUND))
            found = place;
    }
    if (found && !is_exact(*found, T_CELL))
        return found;
    for (uint32_t k = 0; c->cellnames && k < c->cellnames->n; k++) {
        if (!same_text(c->cellnames->items[k], name))
            continue;
        Value *place = cell_place(f, k);
        *in_register = place && !is_exact(*place, T_CELL); /* the frame has not begun */
        return !place || *in_register ? place : &((Cell *)v_obj(*place))->v;
    }
    *in_register = found != NULL;
    for (uint32_t k = 0; !found && c->freenames && k < c->freenames->n && f->fn->closure; k++)
        if (same_text(c->freenames->items[k], name))
            return &((Cell *)v_obj(f->fn->closure->items[k]))->v;
    return found;
}

Value ou_current_locals(VM *vm)
{
    FrameRef f;
    if (!ou_frame_current(vm, &f))
        return ou_raise(vm, E_SYSTEM, "frame does not exist");
    return ou_frame_locals(vm, &f);
}

/* ---- frame objects --------------------------------------------------------------------------------------------------- */

/* Nothing here costs an activation anything that no script has asked about and that catches no exception. One that has a Frame must
 * not end unnoticed: in its code RETURN is not specialised from then on (`watched`), and looks whether the table knows its registers. */

static uint32_t bucket_of(const Value *R, uint32_t mask) { return (uint32_t)((uintptr_t)R >> 3 ^ (uintptr_t)R >> 11) & mask; }

static void watch(Code *c)
{
    if (c->watched)
        return;
    c->watched = true;
    for (uint32_t i = 0; i < c->ncode; i += ou_op_words[INS_OP(c->code[i])]) {
        uint8_t op = INS_OP(c->code[i]);
        bool value = op == OP_RETURN_S || op == OP_RETURN_G;
        if (value || op == OP_RETURNP_S || op == OP_RETURNP_G)
            c->code[i] = (c->code[i] & ~UINT64_C(255)) | (value ? OP_RETURN : OP_RETURNP);
    }
}

Frame *ou_frame_find(VM *vm, const Value *R)
{
    if (!vm->frames.n)
        return NULL;
    Frame *f = vm->frames.buckets[bucket_of(R, vm->frames.mask)];
    while (f && f->R != R)
        f = f->next;
    return f;
}

static bool table_room(VM *vm)
{
    uint32_t mask = vm->frames.buckets ? vm->frames.mask * 2 + 1 : 15;
    if (vm->frames.buckets && vm->frames.n <= vm->frames.mask)
        return true;
    Frame **b = ou_alloc0(&vm->heap, (mask + 1) * sizeof *b);
    if (!b)
        return vm->frames.buckets != NULL; /* longer chains will do */
    for (uint32_t i = 0; vm->frames.buckets && i <= vm->frames.mask; i++) {
        for (Frame *f = vm->frames.buckets[i], *next; f; f = next) {
            next = f->next;
            uint32_t k = bucket_of(f->R, mask);
            f->next = b[k];
            b[k] = f;
        }
    }
    if (vm->frames.buckets)
        ou_free(&vm->heap, vm->frames.buckets, (vm->frames.mask + 1) * sizeof *b);
    vm->frames.buckets = b;
    vm->frames.mask = mask;
    return true;
}

static void table_remove(VM *vm, Frame *f)
{
    Frame **at = &vm->frames.buckets[bucket_of(f->R, vm->frames.mask)];
    while (*at != f)
        at = &(*at)->next;
    *at = f->next;
    vm->frames.n--;
    f->next = NULL;
    f->live = false;
}

void ou_frames_fini(VM *vm)
{
    for (uint32_t i = 0; vm->frames.buckets && i <= vm->frames.mask; i++) {
        while (vm->frames.buckets[i]) {
            Frame *f = vm->frames.buckets[i];
            table_remove(vm, f);
            f->R = NULL;
            release(vm, v_of(f));
        }
    }
    if (vm->frames.buckets)
        ou_free(&vm->heap, vm->frames.buckets, (vm->frames.mask + 1) * sizeof(Frame *));
    vm->frames.buckets = NULL;
}

/* Into the table. The activation must still come to its RETURN, or to ou_frame_left in another way. Borrowed; NULL raised. */
static Frame *make_live(VM *vm, const FrameRef *r)
{
    Frame *f = table_room(vm) ? ou_frame_new(vm, v_of(r->fn), r->pc) : NULL;
    if (!f) {
        if (vm->exc == V_NULL)
            ou_raise_memory(vm);
        return NULL;
    }
    f->R = r->R;
    f->live = true;
    f->is_heap = r->is_heap;
    set_owned(vm, &f->back, V_NULL);
    uint32_t b = bucket_of(r->R, vm->frames.mask);
    f->next = vm->frames.buckets[b];
    vm->frames.buckets[b] = f;
    vm->frames.n++;
    watch(r->fn->code);
    if (r->is_heap)
        gen_of(r->R)->flags |= GEN_F_FRAME;
    return f;
}

static void copy_locals(VM *vm, Frame *f, const Value *R)
{
    const Code *c = as_function(f->func)->code;
    uint32_t n = c->nlocals ? c->nlocals : 1; /* none: f_locals still shows free variables */
    f->R = ou_alloc(&vm->heap, n * sizeof(Value));
    f->nown = f->R ? n : 0;
    for (uint32_t k = 0; k < f->nown; k++)
        f->R[k] = k < c->nlocals ? retain(R[k]) : V_NONE;
}

/* Is the activation at its end already, its locals being released? A finalizer asks. */
static bool is_returning(VM *vm, const FrameRef *r)
{
    if (r->is_heap && gen_of(r->R)->state != GEN_RUNNING)
        return false;
    if (vm->R != r->R && r->pc >= r->fn->code->ncode)
        return true; /* nobody knows */
    uint8_t op = INS_OP(vm->R == r->R ? vm->pc[-1] : r->fn->code->code[r->pc]);
    return op == OP_RETURN || op == OP_RETURNP || (op >= OP_RETURN_S && op <= OP_RETURNP_G);
}

Value ou_frame_object(VM *vm, const FrameRef *r)
{
    Frame *f = ou_frame_find(vm, r->R);
    if (!f && is_returning(vm, r)) { /* it would end unnoticed: what is left of it */
        f = ou_frame_new(vm, v_of(r->fn), r->pc);
        if (f)
            copy_locals(vm, f, r->R);
        return f ? v_of(f) : V_NULL;
    }
    if (!f)
        f = make_live(vm, r);
    return f ? retain(v_of(f)) : V_NULL; /* the other reference is the table's */
}

Value ou_frame_elsewhere(VM *vm, FrameRef r)
{
    Frame *first = NULL, *last = NULL;
    do {
        Frame *f = ou_frame_new(vm, v_of(r.fn), r.pc);
        if (!f) {
            if (first)
                obj_release(vm, first);
            return V_NULL;
        }
        if (last)
            set_owned(vm, &last->back, v_of(f));
        else
            first = f;
        last = f;
    } while (ou_frame_back(vm, &r));
    return v_of(first);
}

bool ou_frame_running(VM *vm, const Value *R, FrameRef *ref)
{
    if (!ou_frame_current(vm, ref))
        return false;
    while (ref->R != R)
        if (!ou_frame_back(vm, ref))
            return false;
    return true;
}

static void stands_at(Frame *f, uint32_t pc)
{
    f->pc = pc;
    f->lineno = ou_code_line(as_function(f->func)->code, pc);
}

bool ou_frame_here(VM *vm, Frame *f)
{
    FrameRef ref;
    if (!f->live)
        return false;
    Gen *g = f->is_heap ? gen_of(f->R) : NULL;
    if (!g || ou_gen_is_running(g)) {
        if (!ou_frame_running(vm, f->R, &ref))
            return false; /* of another thread */
        stands_at(f, ref.pc);
        return true;
    }
    stands_at(f, g->state == GEN_CREATED ? OU_PC_NOT_BEGUN : (uint32_t)(g->pc - 1 - as_function(f->func)->code->code));
    return false;
}

static bool caller_of(VM *vm, const Frame *f, FrameRef *ref)
{
    if (f->is_heap && !ou_gen_is_running(gen_of(f->R)))
        return false;
    *ref = (FrameRef){as_function(f->func), f->R, 0, NULL, f->is_heap};
    return ou_frame_back(vm, ref) || (ou_frame_running(vm, f->R, ref) && ou_frame_back(vm, ref));
}

Value ou_frame_caller(VM *vm, Frame *f)
{
    FrameRef ref;
    if (f->back != V_NULL)
        return retain(f->back);
    if (!caller_of(vm, f, &ref))
        return V_NONE;
    Value back = ou_frame_object(vm, &ref);
    if (back != V_NULL && !f->is_heap) /* what resumes a generator changes */
        f->back = retain(back);
    return back;
}

/* The Frame goes on without its activation: with the locals as they are now, and the caller's Frame, which is live still. */
static void detach(VM *vm, Frame *f, const Value *R, const Ins *pc)
{
    const Code *c = as_function(f->func)->code;
    Value back = ou_frame_caller(vm, f);
    if (back == V_NULL)
        ou_exc_clear(vm);
    set_owned(vm, &f->back, back == V_NULL ? V_NONE : back);
    stands_at(f, pc ? (uint32_t)(pc - 1 - c->code) : OU_PC_NOT_BEGUN);
    table_remove(vm, f);
    copy_locals(vm, f, R);
}

static Traceback *caught_by(VM *vm, const Value *R)
{
    Traceback *tb = vm->caught[bucket_of(R, 63)];
    while (tb && tb->R != R)
        tb = tb->same;
    return tb;
}

void ou_frame_left(VM *vm, Value *R, const Ins *pc, Traceback *leaving)
{
    Value pending = ou_exc_take(vm);
    Frame *f = ou_frame_find(vm, R);
    for (Traceback *tb; (tb = caught_by(vm, R)) != NULL;) {
        tb->h.refs++;
        ou_traceback_unlink(vm, tb);
        tb->R = NULL;
        if (!f) {
            FrameRef ref = {frame_fn(R), R, 0, NULL, frame_is_heap(R)};
            f = make_live(vm, &ref);
        }
        if (!f)
            ou_exc_clear(vm);
        else if (tb->frame == V_NULL)
            tb->frame = retain(v_of(f));
        obj_release(vm, tb);
    }
    if (f) {
        if (leaving && leaving->frame == V_NULL)
            leaving->frame = retain(v_of(f));
        if (f->h.refs > 1) {
            detach(vm, f, R, pc);
        } else {
            table_remove(vm, f);
            f->R = NULL;
        }
        set_owned(vm, &f->kept, V_NULL);
        release(vm, v_of(f));
    }
    if (pending != V_NULL)
        ou_exc_restore(vm, pending);
}

void ou_frame_caught(VM *vm, Value *R, Traceback *tb)
{
    Traceback **at = &vm->caught[bucket_of(R, 63)];
    tb->same = *at;
    tb->same_at = at;
    if (tb->same)
        tb->same->same_at = &tb->same;
    *at = tb;
    vm->ncaught++;
    watch(frame_code(R));
    if (frame_is_heap(R))
        gen_of(R)->flags |= GEN_F_FRAME;
}

bool ou_frame_clear(VM *vm, Frame *f)
{
    if (f->live) {
        Gen *g = f->is_heap ? gen_of(f->R) : NULL;
        if (!g || ou_gen_is_running(g))
            return ou_raise(vm, E_RUNTIME, "cannot clear an executing frame"), false;
        if (g->state == GEN_SUSPENDED)
            return ou_raise(vm, E_RUNTIME, "cannot clear a suspended frame"), false;
        return ou_gen_close(vm, g);
    }
    Value *own = f->R;
    uint32_t n = f->nown;
    f->R = NULL;
    f->nown = 0;
    for (uint32_t k = 0; k < n; k++)
        release(vm, own[k]);
    ou_free(&vm->heap, own, n * sizeof(Value));
    set_owned(vm, &f->extra, V_NULL);
    return true;
}

/* ---- safepoints ------------------------------------------------------------------------------------------------------ */

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
