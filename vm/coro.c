/* Driving suspended frames: resume, throw, close, the chain of awaits, what a frame may wait for.
 * Entries: ou_gen_resume, ou_gen_throw, ou_gen_close (from C); ou_await_begin (from the evaluator's AWAIT).
 * Resuming goes straight to root->inner; walking the chain happens only for throw(GeneratorExit) and when somebody drives a
 * coroutine in the middle of a chain by hand. The object types are in type_generator.c and type_asyncgen.c. */
#include "vm/eval.h"

static const char *kind_name(const Gen *g)
{
    return g->kind == T_GENERATOR ? "generator" : g->kind == T_COROUTINE ? "coroutine" : "async generator";
}

static bool at_await(const Gen *g) { return g->state == GEN_SUSPENDED && INS_OP(g->pc[-1]) == OP_AWAIT; }

static bool is_gen(Value v)
{
    return is_exact(v, T_GENERATOR) || is_exact(v, T_COROUTINE) || is_exact(v, T_ASYNC_GENERATOR);
}

/* What the suspended frame f waits for: the register that its AWAIT names. */
static Value *await_reg(Gen *f) { return &f->regs[INS_A(f->pc[-1])]; }

Gen *ou_gen_innermost(Gen *g)
{
    while (at_await(g)) {
        Value v = *await_reg(g);
        if (!is_gen(v) || !(as_gen(v)->flags & GEN_F_LINKED) || as_gen(v)->up.awaiter != g)
            break;
        g = as_gen(v);
    }
    return g;
}

static Gen *root_of(Gen *g)
{
    while (g->flags & GEN_F_LINKED)
        g = g->up.awaiter;
    return g;
}

Value ou_gen_awaiting(VM *vm, Gen *g)
{
    (void)vm;
    return at_await(g) ? retain(*await_reg(g)) : V_NONE;
}

/* ---- entering and leaving a drive ---- */

bool ou_gen_enter(VM *vm, Gen *root, Gen **inner)
{
    uint32_t depth = vm->root ? vm->root->depth + 1 : 0;
    if (depth > vm->await_limit) {
        ou_raise_recursion(vm, NULL);
        return false;
    }
    *inner = root->state == GEN_SUSPENDED && root->inner ? root->inner : root;
    root->depth = depth;
    root->inner = vm->root;
    vm->root = root;
    root->flags |= GEN_F_DRIVEN;
    Value own = root->handled;
    root->handled = vm->handled;
    vm->handled = own != V_UNBOUND ? own : V_NONE;
    return true;
}

void ou_gen_leave(VM *vm, Gen *root, bool finished)
{
    Value own = vm->handled;
    vm->handled = root->handled;
    vm->root = root->inner;
    root->inner = finished ? NULL : root;
    root->flags &= ~GEN_F_DRIVEN;
    root->up.ret_R = NULL;
    if (finished) {
        root->handled = V_UNBOUND;
        root->state = GEN_CLOSED;
        release(vm, own);
    } else {
        root->handled = own != V_NONE ? own : V_UNBOUND;
    }
}

/* ---- leaves: what is awaited and is no linked frame ---- */

static GenResult took_stop(VM *vm, Value *out)
{
    if (!ou_exc_matches(vm, E_STOP_ITERATION))
        return GEN_ERROR;
    Value e = ou_exc_take(vm);
    *out = retain(((ExcStopIter *)v_obj(e))->value);
    release(vm, e);
    return GEN_RETURN;
}

static GenResult native_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    if (c->state == GEN_CLOSED) {
        ou_raise(vm, E_RUNTIME, "cannot reuse already awaited coroutine");
        return GEN_ERROR;
    }
    if (c->state == GEN_RUNNING) {
        ou_raise(vm, E_VALUE, "coroutine already executing");
        return GEN_ERROR;
    }
    if (c->state == GEN_CREATED && exc != V_NULL) {
        c->state = GEN_CLOSED;
        ou_raise_value(vm, exc);
        return GEN_ERROR;
    }
    bool first = c->state == GEN_CREATED;
    c->state = first ? GEN_CREATED : GEN_RUNNING;
    c->h.refs++;
    GenResult r = c->kind->step(vm, c, value, exc, out);
    c->state = r == GEN_YIELD ? GEN_SUSPENDED : GEN_CLOSED;
    obj_release(vm, c);
    return r;
}

GenResult ou_leaf_step(VM *vm, Value leaf, Value value, Value exc, Value *out)
{
    if (is_exact(leaf, T_FUTURE) || is_exact(leaf, T_TASK))
        return (GenResult)vm->future_leaf(vm, leaf, value, exc, out);
    if (is_exact(leaf, T_NATIVE_CORO))
        return native_step(vm, (NativeCoro *)v_obj(leaf), value, exc, out);
    Type *t = ou_type_of(vm, leaf);
    Value v;
    if (exc == V_NULL) {
        if (is_exact(leaf, T_GENERATOR) || is_exact(leaf, T_COROUTINE)) {
            Gen *g = as_gen(leaf);
            if (g->state == GEN_CLOSED) {
                if (g->kind == T_COROUTINE) {
                    ou_raise(vm, E_RUNTIME, "cannot reuse already awaited coroutine");
                    return GEN_ERROR;
                }
                *out = V_NONE;
                return GEN_RETURN;
            }
            return ou_gen_resume(vm, g, value, out);
        }
        if (value == V_NONE && t->slots.next) {
            v = t->slots.next(vm, leaf);
            if (v == V_NULL && vm->exc == V_NULL) {
                *out = V_NONE;
                return GEN_RETURN;
            }
        } else {
            v = ou_call_method(vm, leaf, name_of(vm, N_send), &value, 1, NULL);
        }
    } else {
        if (is_gen(leaf) && as_gen(leaf)->state != GEN_CLOSED)
            return ou_gen_throw(vm, as_gen(leaf), exc, out);
        bool missing;
        if (ou_is_a(vm, exc, E_GENERATOR_EXIT)) {
            Value close = ou_getattr_opt(vm, leaf, name_of(vm, N_close), &missing);
            if (close != V_NULL) {
                v = ou_call0(vm, close);
                release(vm, close);
                if (v == V_NULL)
                    return GEN_ERROR;
                release(vm, v);
            } else if (!missing) {
                ou_unraisable(vm, NULL, leaf);
            }
            ou_raise_value(vm, exc);
            return GEN_ERROR;
        }
        Value m = ou_getattr_opt(vm, leaf, name_of(vm, N_throw), &missing);
        if (m == V_NULL) {
            if (missing)
                ou_raise_value(vm, exc);
            return GEN_ERROR;
        }
        v = ou_call1(vm, m, exc);
        release(vm, m);
    }
    if (v == V_NULL)
        return took_stop(vm, out);
    *out = v;
    return GEN_YIELD;
}

GenResult ou_await_step(VM *vm, Value iterator, Value value, Value exc, Value *out)
{
    return ou_leaf_step(vm, iterator, value, exc, out);
}

/* ---- driving from C ---- */

/* throw(): the context is what the generator itself handles, not what its driver does. */
static void raise_inside(VM *vm, Value exc)
{
    if (vm->handled != V_NONE && vm->handled != exc)
        ou_exc_set_context(vm, exc, vm->handled);
    ou_exc_restore(vm, retain(exc));
}

/* Resumes the root: with a value, or (exc not V_NULL) by raising exc at the innermost frame. */
static GenResult drive_root(VM *vm, Gen *root, Value value, Value exc, Value *out)
{
    if (ou_c_deep(vm)) {
        ou_raise_recursion(vm, NULL);
        return GEN_ERROR;
    }
    EvalEntry e = {vm->entry, vm->R, vm->pc};
    Value *saved_top = vm->top;
    vm->top = stack_free(vm);
    Gen *f;
    if (!ou_gen_enter(vm, root, &f)) {
        vm->top = saved_top;
        return GEN_ERROR;
    }
    root->h.refs++;
    root->up.ret_R = NULL;
    vm->entry = &e;
    vm->c_depth++;
    RunResult r;
    Value v = V_NONE;
    const Code *c = as_function(f->fn)->code;
    if (f->state == GEN_CREATED) {
        f->state = GEN_RUNNING;
        r = ou_run(vm, f->regs, c->code, false, &v);
    } else {
        Value *R = f->regs;
        const Ins *pc = f->pc;
        bool raise = false, suspended = false;
        vm->R = R;
        vm->pc = pc;
        if (INS_OP(pc[-1]) == OP_YIELD) {
            if (exc == V_NULL)
                R[INS_A(pc[-1])] = retain(value);
            else
                raise_inside(vm, exc), raise = true;
        } else {
            Value leaf = *await_reg(f), own = vm->handled;
            if (exc != V_NULL) /* throw() goes to the leaf before the frame goes on: what that handles is out of sight */
                vm->handled = V_NONE;
            GenResult step = ou_leaf_step(vm, leaf, value, exc, &v);
            vm->handled = own;
            if (step == GEN_ERROR && exc != V_NULL && own != V_NONE && vm->exc != own)
                ou_exc_set_context(vm, vm->exc, own);
            switch (step) {
            case GEN_RETURN:
                R[INS_A(pc[-1])] = v;
                release(vm, leaf);
                break;
            case GEN_YIELD:
                suspended = true;
                break;
            default:
                R[INS_A(pc[-1])] = V_NONE;
                release(vm, leaf);
                raise = true;
            }
        }
        if (suspended) {
            ou_gen_leave(vm, root, false);
            root->inner = f;
            r = RUN_YIELD;
        } else {
            f->state = GEN_RUNNING;
            r = ou_run(vm, R, pc, raise, &v);
        }
    }
    vm->c_depth--;
    vm->entry = e.prev;
    vm->R = e.R;
    vm->pc = e.pc;
    vm->top = saved_top;
    obj_release(vm, root);
    *out = v;
    return r == RUN_RETURN ? GEN_RETURN : r == RUN_YIELD ? GEN_YIELD : GEN_ERROR;
}

/* A frame in the middle of a chain, driven from outside: for the time being it is a root of its own. */
static GenResult drive_middle(VM *vm, Gen *m, Value value, Value exc, Value *out)
{
    Gen *w = m->up.awaiter, *top = root_of(m);
    if (top->flags & GEN_F_DRIVEN) {
        ou_raise(vm, E_VALUE, "%s already executing", kind_name(m));
        return GEN_ERROR;
    }
    m->flags &= ~GEN_F_LINKED;
    m->up.ret_R = NULL;
    m->inner = ou_gen_innermost(m);
    m->h.refs++;
    w->h.refs++;
    GenResult r = drive_root(vm, m, value, exc, out);
    if (m->state != GEN_CLOSED && w->state != GEN_CLOSED && at_await(w) && *await_reg(w) == v_of(m)) {
        m->flags |= GEN_F_LINKED;
        m->up.awaiter = w;
        top->inner = m->inner ? m->inner : m;
    } else if (top->state == GEN_SUSPENDED) {
        top->inner = w;
    }
    obj_release(vm, m);
    obj_release(vm, w);
    return r;
}

static GenResult drive(VM *vm, Gen *g, Value value, Value exc, Value *out)
{
    if (g->state == GEN_RUNNING || (g->flags & GEN_F_DRIVEN)) {
        ou_raise(vm, E_VALUE, "%s already executing", kind_name(g));
        return GEN_ERROR;
    }
    return g->flags & GEN_F_LINKED ? drive_middle(vm, g, value, exc, out) : drive_root(vm, g, value, exc, out);
}

/* ou_gen_resume for the commonest case, next() of a generator that stands at a yield of its own; false: it is another. */
bool ou_gen_next_quick(VM *vm, Gen *g, GenResult *result, Value *out)
{
    uint32_t depth = vm->root ? vm->root->depth + 1 : 0;
    if (g->state != GEN_SUSPENDED || g->inner != g || (g->flags & (GEN_F_LINKED | GEN_F_DRIVEN)) || g->handled != V_UNBOUND ||
        INS_OP(g->pc[-1]) != OP_YIELD || ou_c_deep(vm) || depth > vm->recursion_limit)
        return false;
    EvalEntry e = {vm->entry, vm->R, vm->pc};
    Value *saved_top = vm->top;
    vm->top = stack_free(vm);
    g->depth = depth;
    g->inner = vm->root;
    vm->root = g;
    g->flags |= GEN_F_DRIVEN;
    g->handled = vm->handled;
    vm->handled = V_NONE;
    g->h.refs++;
    g->up.ret_R = NULL;
    vm->entry = &e;
    vm->c_depth++;
    g->regs[INS_A(g->pc[-1])] = V_NONE;
    g->state = GEN_RUNNING;
    RunResult r = ou_run(vm, g->regs, g->pc, false, out);
    vm->c_depth--;
    vm->entry = e.prev;
    vm->R = e.R;
    vm->pc = e.pc;
    vm->top = saved_top;
    obj_release(vm, g);
    *result = r == RUN_RETURN ? GEN_RETURN : r == RUN_YIELD ? GEN_YIELD : GEN_ERROR;
    return true;
}

GenResult ou_gen_resume(VM *vm, Gen *g, Value value, Value *out)
{
    if (g->state == GEN_CLOSED) {
        if (g->kind == T_COROUTINE) {
            ou_raise(vm, E_RUNTIME, "cannot reuse already awaited coroutine");
            return GEN_ERROR;
        }
        *out = V_NONE;
        return GEN_RETURN;
    }
    if (g->state == GEN_CREATED && value != V_NONE) {
        ou_raise(vm, E_TYPE, "can't send non-None value to a just-started %s", kind_name(g));
        return GEN_ERROR;
    }
    return drive(vm, g, value, V_NULL, out);
}

/* GeneratorExit does not go to the innermost frame: every frame below g is closed first, from the inside out, then it is
 * raised in g. When a close fails, that failure is raised in the awaiter instead. *exc: what is to be raised in g (owned). */
static void close_inner(VM *vm, Gen *g, Value *exc)
{
    Gen *f = ou_gen_innermost(g);
    while (f != g) {
        Gen *w = f->up.awaiter;
        f->h.refs++;
        f->flags &= ~GEN_F_LINKED;
        f->up.ret_R = NULL;
        f->inner = f;
        bool ok;
        Value failure = V_NULL;
        if (*exc != V_NULL && !ou_is_a(vm, *exc, E_GENERATOR_EXIT)) { /* a deeper close failed: raised here */
            Value out;
            GenResult r = drive_root(vm, f, V_NULL, *exc, &out);
            ok = r != GEN_ERROR;
            if (ok)
                release(vm, out);
        } else {
            ok = ou_gen_close(vm, f);
        }
        if (!ok)
            failure = ou_exc_take(vm);
        Value *reg = await_reg(w);
        if (*reg == v_of(f)) {
            *reg = V_NONE;
            obj_release(vm, f);
        }
        if (failure != V_NULL)
            set_owned(vm, exc, failure);
        obj_release(vm, f);
        f = w;
    }
    if (!(g->flags & GEN_F_LINKED))
        g->inner = g;
}

GenResult ou_gen_throw(VM *vm, Gen *g, Value exc, Value *out)
{
    if (g->state == GEN_CLOSED) {
        if (g->kind == T_COROUTINE)
            ou_raise(vm, E_RUNTIME, "cannot reuse already awaited coroutine");
        else
            ou_exc_restore(vm, retain(exc));
        return GEN_ERROR;
    }
    if (g->state == GEN_CREATED) {
        Value fn = retain(g->fn);
        ou_gen_mark_closed(vm, g);
        ou_exc_restore(vm, retain(exc));
        if (vm->exc != V_NULL)
            ou_exc_add_traceback(vm, vm->exc, fn, OU_PC_NOT_BEGUN);
        release(vm, fn);
        return GEN_ERROR;
    }
    Value e = retain(exc);
    if (g->state == GEN_SUSPENDED && !(g->flags & GEN_F_DRIVEN) && ou_is_a(vm, exc, E_GENERATOR_EXIT))
        close_inner(vm, g, &e);
    GenResult r = drive(vm, g, V_NULL, e, out);
    release(vm, e);
    return r;
}

static bool has_handler(const Gen *g)
{
    const Code *c = as_function(g->fn)->code;
    uint32_t at = (uint32_t)(g->pc - 1 - c->code);
    for (uint32_t k = 0; k < c->nhandlers; k++)
        if (c->handlers[k].start <= at && at < c->handlers[k].end)
            return true;
    return false;
}

bool ou_gen_close(VM *vm, Gen *g)
{
    if (g->state == GEN_CLOSED)
        return true;
    if (g->state == GEN_CREATED || (g->state == GEN_SUSPENDED && !(g->flags & (GEN_F_LINKED | GEN_F_DRIVEN)) && !at_await(g) && !has_handler(g))) {
        ou_gen_mark_closed(vm, g);
        return true;
    }
    Value exc = ou_exc_new(vm, vm->types[E_GENERATOR_EXIT], NULL, 0), out;
    if (exc == V_NULL)
        return false;
    GenResult r = ou_gen_throw(vm, g, exc, &out);
    release(vm, exc);
    if (r == GEN_YIELD) {
        release(vm, out);
        /* whoever awaits an async generator closes what asend() gave it, which calls itself a coroutine */
        ou_raise(vm, E_RUNTIME, "%s ignored GeneratorExit", g->kind == T_ASYNC_GENERATOR ? "coroutine" : kind_name(g));
        return false;
    }
    if (r == GEN_RETURN) {
        set_owned(vm, &vm->ret, out); /* generator.close() returns it */
        return true;
    }
    if (ou_exc_matches(vm, E_GENERATOR_EXIT) || ou_exc_matches(vm, E_STOP_ITERATION)) {
        ou_exc_clear(vm);
        return true;
    }
    return false;
}

/* ---- AWAIT ---- */

static int leaf_result(VM *vm, Value *R, const Ins *pc, GenResult r, Value v)
{
    Value *reg = &R[INS_A(pc[-1])];
    Value leaf = *reg;
    switch (r) {
    case GEN_RETURN:
        *reg = v;
        release(vm, leaf);
        return AWAIT_VALUE;
    case GEN_YIELD:
        vm->ret = v;
        return AWAIT_SUSPEND;
    default:
        *reg = V_NONE;
        release(vm, leaf);
        return AWAIT_ERROR;
    }
}

static void link_frame(Gen *child, Gen *me, const Ins *pc)
{
    child->up.awaiter = me;
    child->flags |= GEN_F_LINKED;
    child->depth = me->depth + 1;
    me->pc = pc;
    me->state = GEN_SUSPENDED;
}

int ou_await_begin(VM *vm, Value *R, const Ins *pc, Gen **out)
{
    Value *reg = &R[INS_A(pc[-1])], o = *reg, v;
    Gen *me = gen_of(R);
    *out = NULL;
    if (!is_gen(o)) {
        GenResult r = ou_leaf_step(vm, o, V_NONE, V_NULL, &v);
        return leaf_result(vm, R, pc, r, v);
    }
    Gen *g = as_gen(o);
    if (me->depth + 1u > vm->await_limit) {
        ou_raise_recursion(vm, NULL);
        goto fail;
    }
    if (g->kind == T_ASYNC_GENERATOR) { /* fused __anext__() */
        if (g->flags & GEN_F_AG_RUNNING) {
            ou_raise(vm, E_RUNTIME, "anext(): asynchronous generator is already running");
            goto fail;
        }
        if (g->state == GEN_CLOSED || (g->flags & GEN_F_CLOSING)) {
            ou_raise_args(vm, E_STOP_ASYNC_ITERATION, NULL, 0);
            goto fail;
        }
        g->flags |= GEN_F_AG_RUNNING;
        link_frame(g, me, pc);
        vm->ret = V_NONE;
        *out = g;
        return AWAIT_FRAME;
    }
    if (g->kind == T_COROUTINE) {
        if (g->state == GEN_RUNNING || (root_of(g)->flags & GEN_F_DRIVEN && g->state != GEN_CREATED))
            ou_raise(vm, g->state == GEN_RUNNING ? E_VALUE : E_RUNTIME,
                     g->state == GEN_RUNNING ? "coroutine already executing" : "coroutine is being awaited already");
        else if (g->state == GEN_CLOSED)
            ou_raise(vm, E_RUNTIME, "cannot reuse already awaited coroutine");
        else if (g->state == GEN_SUSPENDED && at_await(g))
            ou_raise(vm, E_RUNTIME, "coroutine is being awaited already");
        if (vm->exc != V_NULL)
            goto fail;
    }
    if (g->state == GEN_CLOSED) {
        *reg = V_NONE;
        release(vm, o);
        return AWAIT_VALUE;
    }
    if (g->state == GEN_RUNNING || (root_of(g)->flags & GEN_F_DRIVEN)) {
        ou_raise(vm, E_VALUE, "%s already executing", kind_name(g));
        goto fail;
    }
    if (g->flags & GEN_F_LINKED) { /* a suspended frame waits for this generator too: it stays linked there */
        GenResult r = ou_leaf_step(vm, o, V_NONE, V_NULL, &v);
        return leaf_result(vm, R, pc, r, v);
    }
    if (g->state == GEN_CREATED) {
        link_frame(g, me, pc);
        *out = g;
        return AWAIT_FRAME;
    }
    /* a generator that was iterated before: go on where it stands */
    Gen *f = g->inner ? g->inner : g;
    link_frame(g, me, pc);
    g->inner = NULL;
    *out = f;
    vm->ret = V_NONE;
    if (INS_OP(f->pc[-1]) == OP_YIELD)
        return AWAIT_FRAME;
    vm->R = f->regs;
    vm->pc = f->pc;
    GenResult step = ou_leaf_step(vm, *await_reg(f), V_NONE, V_NULL, &v);
    switch (leaf_result(vm, f->regs, f->pc, step, v)) {
    case AWAIT_VALUE:
        vm->ret = *await_reg(f);
        return AWAIT_FRAME;
    case AWAIT_SUSPEND:
        return AWAIT_SUSPEND;
    default:
        return AWAIT_THROW;
    }
fail:
    *reg = V_NONE;
    release(vm, o);
    return AWAIT_ERROR;
}

void ou_agen_done(VM *vm, Value child)
{
    (void)vm;
    if (is_exact(child, T_ASYNC_GENERATOR))
        as_gen(child)->flags &= ~GEN_F_AG_RUNNING;
}

/* ---- the awaitable protocol ---- */

bool ou_is_coroutine_like(VM *vm, Value o)
{
    (void)vm;
    if (is_exact(o, T_COROUTINE) || is_exact(o, T_NATIVE_CORO))
        return true;
    return is_exact(o, T_GENERATOR) && is_exact(as_gen(o)->fn, T_FUNCTION) &&
           (as_function(as_gen(o)->fn)->code->flags & CO_ITERABLE_COROUTINE);
}

Value ou_get_awaitable(VM *vm, Value o)
{
    if (ou_is_coroutine_like(vm, o) || is_exact(o, T_FUTURE) || is_exact(o, T_TASK))
        return retain(o);
    Type *t = ou_type_of(vm, o);
    if (!t->slots.await)
        return ou_raise(vm, E_TYPE, "object %T can't be used in 'await' expression", o);
    Value it = t->slots.await(vm, o);
    if (it == V_NULL)
        return V_NULL;
    if (is_exact(it, T_FUTURE) || is_exact(it, T_TASK)) /* a Future may stand for its own iterator */
        return it;
    if (ou_is_coroutine_like(vm, it)) {
        release(vm, it);
        return ou_raise(vm, E_TYPE, "__await__() returned a coroutine");
    }
    if (!ou_type_of(vm, it)->slots.next && !is_exact(it, T_GENERATOR)) {
        ou_raise(vm, E_TYPE, "__await__() returned non-iterator of type '%T'", it);
        release(vm, it);
        return V_NULL;
    }
    return it;
}
