/* Calls: the general CALL instruction, calls from C (ou_call and friends), running code bodies, the stack check.
 * A call to a script function from a script frame pushes a frame and returns to the evaluator's loop; only calls from C
 * recurse on the C stack. */
#include "vm/eval.h"

/* ---- stack and recursion limit ---- */

/* Number of script frames of the running thread, innermost included, at most `enough`. */
static uint32_t count_frames(VM *vm, uint32_t enough)
{
    FrameRef f;
    uint32_t n = 0;
    if (ou_frame_current(vm, &f)) {
        do
            n++;
        while (n < enough && ou_frame_back(vm, &f));
    }
    return n;
}

/* The limit is an address: cheap to test. When it is hit the frames are counted, and the limit moves on as long as there
 * are fewer than sys.getrecursionlimit(): a frame takes two words at least. */
bool ou_stack_check(VM *vm, Value *need)
{
    if (vm->attention && !ou_safepoint(vm))
        return false;
    if (!vm->attention && !vm->stack_limit)
        vm->stack_limit = vm->stack_limit_real;
    if (need <= vm->stack_limit_real)
        return true;
    uint32_t depth = count_frames(vm, vm->recursion_limit);
    Value *end = vm->thread->stack_end - STACK_SLACK;
    if (depth < vm->recursion_limit && need < end) {
        size_t more = (size_t)(vm->recursion_limit - depth) * 2;
        Value *limit = (size_t)(end - need) > more ? need + more : end;
        vm->stack_limit_real = limit;
        if (!vm->attention)
            vm->stack_limit = limit;
        return true;
    }
    ou_stack_limit_reset(vm);
    ou_raise_recursion(vm, NULL);
    return false;
}

void ou_stack_limit_reset(VM *vm)
{
    vm->stack_limit_real = vm->thread->stack;
    if (vm->stack_limit)
        vm->stack_limit = vm->stack_limit_real;
}

/* ---- generators ---- */

Value ou_gen_make(VM *vm, Function *fn)
{
    Code *c = fn->code;
    TypeId id = c->flags & CO_GENERATOR ? T_GENERATOR : c->flags & CO_COROUTINE ? T_COROUTINE : T_ASYNC_GENERATOR;
    if (vm->root && vm->root->depth >= vm->recursion_limit) /* a generator that makes itself anew; those made before may nest */
        return ou_raise_recursion(vm, NULL);
    Gen *g = ou_new(vm, vm->types[id], c->nregs * sizeof(Value));
    if (!g)
        return V_NULL;
    g->handled = V_UNBOUND;
    g->state = GEN_CREATED;
    g->kind = (uint8_t)id;
    g->nregs = c->nregs;
    g->fn = retain(v_of(fn));
    if (vm->thread->coroutine_origin_depth && id == T_COROUTINE)
        ou_coro_note_origin(vm, g);
    return v_of(g);
}

/* A generator object for fn with the owned arguments src bound to it; they are consumed in any case. */
static Value make_bound_gen(VM *vm, Function *fn, Value *src, int n, Tuple *kwnames)
{
    Value g = ou_gen_make(vm, fn);
    if (g == V_NULL) {
        unsigned total = (unsigned)n + (kwnames ? kwnames->n : 0);
        for (unsigned k = 0; k < total; k++)
            release(vm, src[k]);
        return V_NULL;
    }
    Gen *gen = as_gen(g);
    if (!ou_bind_function(vm, fn, src, n, kwnames, gen->regs)) {
        gen->state = GEN_CLOSED; /* its registers own nothing */
        set_owned(vm, &gen->fn, V_NONE);
        release(vm, g);
        return V_NULL;
    }
    return g;
}

/* ---- constructors ---- */

/* The script __init__ of a class whose construction is object.__new__ and then that, or V_NULL. Borrowed. */
static Value plain_init(VM *vm, Value cls)
{
    if (!is_obj(cls) || v_obj(cls)->shape != T_TYPE)
        return V_NULL;
    Type *t = (Type *)v_obj(cls);
    if (!(t->flags & TF_HEAP) || (t->flags & TF_ABSTRACT) || t->struct_id != T_OBJECT || t->slots.make != vm->types[T_OBJECT]->slots.make)
        return V_NULL;
    Value init = ou_type_lookup(vm, t, name_of(vm, N_DU_init));
    if (init == V_NULL || !is_exact(init, T_FUNCTION))
        return V_NULL;
    Code *c = as_function(init)->code;
    if (!c->callkey && !ou_code_prepare(vm, c)) {
        ou_exc_clear(vm); /* the general way will say it again */
        return V_NULL;
    }
    return c->flags & CO_HEAP_FRAME || !c->returns_none ? V_NULL : init;
}

Value ou_ctor_instance(VM *vm, Value cls, unsigned n, Value *base, Value *init)
{
    Value f = plain_init(vm, cls);
    if (f == V_NULL || as_function(f)->code->callkey != n + 2 || base + as_function(f)->code->nregs > vm->stack_limit)
        return V_NULL;
    *init = f;
    void *o = ou_new(vm, (Type *)v_obj(cls), 0);
    return o ? v_of(o) : V_NULL;
}

/* ---- the general call ---- */

static int store_result(VM *vm, Value *R, unsigned a, Value v)
{
    (void)vm;
    R[a] = v;
    return v == V_NULL ? CALL_ERROR : CALL_DONE;
}

static void release_all(VM *vm, Value *p, unsigned n)
{
    for (unsigned k = 0; k < n; k++)
        release(vm, p[k]);
}

/* The window w may be in R or (heap callers, when it had to be changed) on the free stack; the result goes to R[a].
 * `kind`: OP_CALL or OP_CALLM when the instruction at pc[-1] may be specialised, else 0. */
static int call_in_window(VM *vm, Value *R, const Ins *pc, unsigned a, Value *w, unsigned n, Tuple *kwnames, int kind, Value **nR)
{
    bool heap = frame_is_heap(R);
    unsigned nkw = kwnames ? kwnames->n : 0, npos = n - nkw;
    Value *scratch = heap ? vm->top + 2 : NULL;
    Value *saved_top = vm->top;
    for (;;) {
        Value f = w[0];
        if (is_exact(f, T_FUNCTION)) {
            Function *fn = as_function(f);
            Code *c = fn->code;
            if (!c->callkey && !ou_code_prepare(vm, c)) {
                release_all(vm, w + 2, n);
                release(vm, f);
                return CALL_ERROR;
            }
            Value *base = heap ? vm->top + FRAME_DETACHED : w + 2;
            if (base + c->nregs + n > vm->stack_limit && !ou_stack_check(vm, base + c->nregs + n)) {
                release_all(vm, w + 2, n);
                release(vm, f);
                return CALL_ERROR;
            }
            if (c->flags & CO_HEAP_FRAME) {
                if (kind && !kwnames && c->genkey == npos + 1)
                    ins_rewrite(pc - 1, (pc[-1] & ~UINT64_C(255)) | (kind == OP_CALL ? OP_CALL_G : OP_CALLM_G));
                Value g = make_bound_gen(vm, fn, w + 2, (int)npos, kwnames);
                R[a] = g;
                release(vm, f);
                return g == V_NULL ? CALL_ERROR : CALL_DONE;
            }
            if (kind && !kwnames && c->callkey == npos + 1)
                ins_rewrite(pc - 1, (pc[-1] & ~UINT64_C(255)) |
                                        (kind == OP_CALL ? (heap ? OP_CALL_H : OP_CALL_S) : (heap ? OP_CALLM_H : OP_CALLM_S)));
            if (!ou_bind_function(vm, fn, w + 2, (int)npos, kwnames, base)) {
                release(vm, f);
                return CALL_ERROR;
            }
            if (heap) {
                base[-4] = (Value)(uintptr_t)R;
                base[-3] = (Value)(uintptr_t)pc;
                base[-2] = f;
                base[-1] = make_link(&ou_stubs[STUB_RETH], 0);
            } else {
                base[-2] = f;
                base[-1] = make_link(pc, (size_t)(base - R));
            }
            *nR = base;
            return CALL_FRAME;
        }
        if (is_exact(f, T_METHOD)) {
            Method *m = (Method *)v_obj(f);
            if (heap && w != scratch) {
                memcpy(scratch + 2, w + 2, n * sizeof(Value));
                w = scratch;
            }
            memmove(w + 3, w + 2, n * sizeof(Value));
            w[2] = retain(m->self);
            w[0] = retain(m->func);
            release(vm, f);
            n++;
            npos++;
            kind = 0;
            continue;
        }
        bool native = is_exact(f, T_NATIVE) || is_exact(f, T_METHOD_DESC);
        Type *t = ou_type_of(vm, f);
        Value own = !native && t->flags & TF_HEAP ? ou_type_lookup(vm, t, name_of(vm, N_DU_call)) : V_NULL;
        if (own != V_NULL && is_exact(own, T_FUNCTION)) { /* an instance with a script __call__ */
            if (heap && w != scratch) {
                memcpy(scratch + 2, w + 2, n * sizeof(Value));
                w = scratch;
            }
            memmove(w + 3, w + 2, n * sizeof(Value));
            w[2] = f;
            w[0] = retain(own);
            n++;
            npos++;
            kind = 0;
            continue;
        }
        Value init;
        if (!native && (init = plain_init(vm, f)) != V_NULL) {
            Function *fn = as_function(init);
            Code *c = fn->code;
            Value *base = heap ? vm->top + FRAME_DETACHED : w + 3;
            if (base + c->nregs + n + 1 > vm->stack_limit && !ou_stack_check(vm, base + c->nregs + n + 1)) {
                release_all(vm, w + 2, n);
                release(vm, f);
                return CALL_ERROR;
            }
            void *inst = ou_new(vm, (Type *)v_obj(f), 0);
            if (!inst) {
                release_all(vm, w + 2, n);
                release(vm, f);
                return CALL_ERROR;
            }
            if (kind == OP_CALL && !kwnames && !heap && c->callkey == npos + 2)
                ins_rewrite(pc - 1, (pc[-1] & ~UINT64_C(255)) | OP_CALL_I);
            memmove(base + 1, w + 2, n * sizeof(Value));
            base[0] = retain(v_of(inst));
            retain(init);
            if (!ou_bind_function(vm, fn, base, (int)npos + 1, kwnames, base)) {
                release(vm, v_of(inst));
                release(vm, init);
                release(vm, f);
                return CALL_ERROR;
            }
            R[a] = v_of(inst);
            base[-2] = init;
            if (heap) {
                base[-4] = (Value)(uintptr_t)R;
                base[-3] = (Value)(uintptr_t)pc;
                base[-1] = make_link(&ou_stubs[STUB_RETH_INIT], 0);
            } else {
                base[-1] = make_link(pc, (size_t)(base - R));
            }
            release(vm, f);
            *nR = base;
            return CALL_FRAME;
        }
        if (vm->attention && !ou_safepoint(vm)) {
            release_all(vm, w + 2, n);
            release(vm, f);
            return CALL_ERROR;
        }
        /* The callee is C: what it runs must not overwrite a window that has grown. */
        Value *saved_floor = vm->stack_floor;
        if (w == scratch)
            vm->top = w + 2 + n + 1;
        else if (!heap)
            vm->stack_floor = w + 2 + n + 1;
        Value v;
        if (is_exact(f, T_NATIVE) || is_exact(f, T_METHOD_DESC)) {
            Native *nf = (Native *)v_obj(f);
            bool method = v_obj(f)->shape == T_METHOD_DESC;
            unsigned given = method ? npos - 1 : npos;
            if (nf->pass != PASS_BOUND && !nkw && nf->self == V_NULL && (!method || (npos > 0 && kind == OP_CALLM)) && given >= nf->min && given <= nf->max) {
                if (kind)
                    ins_rewrite(pc - 1, (pc[-1] & ~UINT64_C(255)) | (method ? OP_CALLM_N : kind != OP_CALL ? OP_CALLM : npos == 1 && (nf->def->flags & ND_ASKS) ? OP_CALL_A : OP_CALL_N));
                v = nf->pass == PASS_GIVEN ? nf->def->fn(vm, w + 2, (int)npos) : ou_native_pass(vm, nf, w + 2 + method, (int)given, method);
            } else {
                v = ou_call(vm, f, w + 2, (int)npos, kwnames);
            }
        } else {
            v = ou_call(vm, f, w + 2, (int)npos, kwnames);
        }
        vm->top = saved_top;
        vm->stack_floor = saved_floor;
        release_all(vm, w + 2, n);
        release(vm, f);
        return store_result(vm, R, a, v);
    }
}

int ou_call_slow(VM *vm, Value *R, const Ins *pc, unsigned a, unsigned n, Tuple *kwnames, Value **nR)
{
    return call_in_window(vm, R, pc, a, &R[a], n, kwnames, OP_CALL, nR);
}

int ou_callm_slow(VM *vm, Value *R, const Ins *pc, unsigned a, unsigned n, Tuple *kwnames, Value **nR)
{
    Value *w = &R[a];
    if (w[2] != V_UNBOUND)
        return call_in_window(vm, R, pc, a, w, n + 1, kwnames, OP_CALLM, nR);
    memmove(w + 2, w + 3, n * sizeof(Value));
    return call_in_window(vm, R, pc, a, w, n, kwnames, 0, nR);
}

/* A callable's name as messages show it: "f()". */
Value ou_callee_text(VM *vm, Value f)
{
    bool missing;
    Value q = ou_getattr_opt(vm, f, name_of(vm, N_DU_qualname), &missing);
    if (q == V_NULL) {
        ou_exc_clear(vm);
        return ou_str(vm, f);
    }
    Value m = ou_getattr_opt(vm, f, name_of(vm, N_DU_module), &missing);
    ou_exc_clear(vm);
    Value text;
    if (m != V_NULL && is_str(m) && !ou_str_eq_c(as_str(m), "builtins"))
        text = ou_str_format(vm, "%U.%S()", m, q);
    else
        text = ou_str_format(vm, "%S()", q);
    xrelease(vm, m);
    release(vm, q);
    return text;
}

static int call_ex(VM *vm, Value *R, const Ins *pc, unsigned a, bool has_kw, Value **nR)
{
    Value *w = &R[a];
    Value f = w[0], args = w[2], kw = has_kw ? w[3] : V_NULL;
    uint32_t npos = as_tuple(args)->n, nkw = kw != V_NULL ? as_dict(kw)->n : 0;
    Value names = V_NULL;
    bool heap = frame_is_heap(R);
    int r = CALL_ERROR;
    if (nkw) {
        names = ou_tuple_new(vm, nkw);
        if (names == V_NULL)
            goto drop;
        uint32_t pos = 0, k = 0;
        Value key, v;
        while (ou_dict_next(as_dict(kw), &pos, &key, &v)) {
            if (!ou_is_a(vm, key, T_STR)) {
                ou_raise(vm, E_TYPE, "keywords must be strings");
                goto drop;
            }
            set_owned(vm, &as_tuple(names)->items[k++], retain(key));
        }
    }
    /* Few arguments: into the window, so that a script function gets its frame without recursion. */
    Value *top = heap ? vm->top + 2 : w;
    if (npos + nkw < 200 && top + 8 + npos + nkw < vm->thread->stack_end - STACK_SLACK / 2) {
        Value *d = top + 2;
        uint32_t k = 0;
        for (; k < npos; k++)
            d[k] = retain(as_tuple(args)->items[k]);
        if (nkw) {
            uint32_t pos = 0;
            Value key, v;
            while (ou_dict_next(as_dict(kw), &pos, &key, &v))
                d[k++] = retain(v);
        }
        top[0] = f;
        release(vm, args);
        xrelease(vm, kw);
        if (heap) { /* the window is on the free stack: call_in_window treats it as its scratch */
            r = call_in_window(vm, R, pc, a, top, npos + nkw, names == V_NULL ? NULL : as_tuple(names), 0, nR);
        } else {
            r = call_in_window(vm, R, pc, a, w, npos + nkw, names == V_NULL ? NULL : as_tuple(names), 0, nR);
        }
        xrelease(vm, names);
        return r;
    }
    r = store_result(vm, R, a, ou_call_ex(vm, f, as_tuple(args), kw == V_NULL ? NULL : as_dict(kw)));
drop:
    xrelease(vm, names);
    release(vm, args);
    xrelease(vm, kw);
    release(vm, f);
    return r;
}

int ou_call_rare(VM *vm, Value *R, const Ins *pc, Value **nR)
{
    Ins i = pc[-1];
    unsigned a = INS_A(i), n = INS_C(i);
    switch (INS_OP(i)) {
    case OP_CALLKW:
        return call_in_window(vm, R, pc, a, &R[a], n, as_tuple(frame_code(R)->consts[INS_D(i)]), 0, nR);
    case OP_CALLMKW: {
        Value *w = &R[a];
        Tuple *kwnames = as_tuple(frame_code(R)->consts[INS_D(i)]);
        if (w[2] != V_UNBOUND)
            return call_in_window(vm, R, pc, a, w, n + 1, kwnames, 0, nR);
        memmove(w + 2, w + 3, n * sizeof(Value));
        return call_in_window(vm, R, pc, a, w, n, kwnames, 0, nR);
    }
    default:
        return call_ex(vm, R, pc, a, n != 0, nR);
    }
}

/* ---- calls from C ---- */

static Value run_detached(VM *vm, Function *fn, const Value *args, int n, Tuple *kwnames)
{
    Code *c = fn->code;
    unsigned total = (unsigned)n + (kwnames ? kwnames->n : 0);
    if (ou_c_deep(vm))
        return ou_raise_recursion(vm, NULL);
    EvalEntry e = {vm->entry, vm->R, vm->pc};
    Value *base = stack_free(vm) + FRAME_DETACHED, *saved_top = vm->top;
    if (base + c->nregs + total > vm->stack_limit && !ou_stack_check(vm, base + c->nregs + total))
        return V_NULL;
    for (unsigned k = 0; k < total; k++)
        base[k] = retain(args[k]);
    if (!ou_bind_function(vm, fn, base, n, kwnames, base))
        return V_NULL;
    base[-4] = (Value)(uintptr_t)vm->R;
    base[-3] = (Value)(uintptr_t)vm->pc;
    base[-2] = retain(v_of(fn));
    base[-1] = make_link(&ou_stubs[STUB_HALT], 0);
    vm->entry = &e;
    vm->c_depth++;
    Value out;
    RunResult r = ou_run(vm, base, c->code, false, &out);
    vm->c_depth--;
    vm->entry = e.prev;
    vm->R = e.R;
    vm->pc = e.pc;
    vm->top = saved_top;
    return r == RUN_ERROR ? V_NULL : out;
}

static Value call_function(VM *vm, Function *fn, const Value *args, int n, Tuple *kwnames)
{
    Code *c = fn->code;
    if (!c->callkey && !ou_code_prepare(vm, c))
        return V_NULL;
    if (!(c->flags & CO_HEAP_FRAME))
        return run_detached(vm, fn, args, n, kwnames);
    unsigned total = (unsigned)n + (kwnames ? kwnames->n : 0);
    Value fixed[16], *in = total <= 16 ? fixed : ou_alloc(&vm->heap, total * sizeof(Value));
    if (!in)
        return ou_raise_memory(vm);
    for (unsigned k = 0; k < total; k++)
        in[k] = retain(args[k]);
    Value g = make_bound_gen(vm, fn, in, n, kwnames);
    if (in != fixed)
        ou_free(&vm->heap, in, total * sizeof(Value));
    return g;
}

Value ou_call(VM *vm, Value f, const Value *args, int n, Tuple *kwnames)
{
    if (is_exact(f, T_FUNCTION))
        return call_function(vm, as_function(f), args, n, kwnames);
    if (is_exact(f, T_METHOD)) {
        Method *m = (Method *)v_obj(f);
        unsigned total = (unsigned)n + (kwnames ? kwnames->n : 0);
        Value fixed[16], *in = total < 16 ? fixed : ou_alloc(&vm->heap, (total + 1) * sizeof(Value));
        if (!in)
            return ou_raise_memory(vm);
        in[0] = m->self;
        if (total)
            memcpy(in + 1, args, total * sizeof(Value));
        retain(f);
        Value v = ou_call(vm, m->func, in, n + 1, kwnames);
        release(vm, f);
        if (in != fixed)
            ou_free(&vm->heap, in, (total + 1) * sizeof(Value));
        return v;
    }
    Type *t = ou_type_of(vm, f);
    if (!t->slots.call)
        return ou_raise(vm, E_TYPE, "'%T' object is not callable", f);
    if (ou_c_deep(vm))
        return ou_raise_recursion(vm, " while calling a Python object");
    vm->c_depth++;
    retain(f);
    Value v = t->slots.call(vm, f, args, n, kwnames);
    vm->c_depth--;
    release(vm, f);
    return v;
}

Value ou_call2(VM *vm, Value f, Value a, Value b)
{
    Value args[2] = {a, b};
    return ou_call(vm, f, args, 2, NULL);
}

Value ou_call3(VM *vm, Value f, Value a, Value b, Value c)
{
    Value args[3] = {a, b, c};
    return ou_call(vm, f, args, 3, NULL);
}

Value ou_call_ex(VM *vm, Value f, Tuple *args, Dict *kwargs)
{
    uint32_t nkw = kwargs ? kwargs->n : 0, n = args->n;
    if (!nkw) {
        args->h.refs++;
        Value v = ou_call(vm, f, args->items, (int)n, NULL);
        obj_release(vm, args);
        return v;
    }
    size_t bytes = ((size_t)n + nkw) * sizeof(Value);
    Value *in = ou_alloc(&vm->heap, bytes);
    Value names = in ? ou_tuple_new(vm, nkw) : ou_raise_memory(vm);
    if (names == V_NULL) {
        ou_free(&vm->heap, in, bytes);
        return V_NULL;
    }
    uint32_t pos = 0, k = 0;
    Value key, v, result = V_NULL;
    bool ok = true;
    for (uint32_t j = 0; j < n; j++)
        in[j] = retain(args->items[j]);
    while (ou_dict_next(kwargs, &pos, &key, &v)) {
        ok = ok && ou_is_a(vm, key, T_STR);
        as_tuple(names)->items[k] = retain(key);
        in[n + k++] = retain(v);
    }
    if (ok)
        result = ou_call(vm, f, in, (int)n, as_tuple(names));
    else
        ou_raise(vm, E_TYPE, "keywords must be strings");
    for (uint32_t j = 0; j < n + nkw; j++)
        release(vm, in[j]);
    ou_free(&vm->heap, in, bytes);
    release(vm, names);
    return result;
}

Value ou_call_method(VM *vm, Value self, Str *name, const Value *args, int n, Tuple *kwnames)
{
    Value f = ou_getattr(vm, self, name);
    if (f == V_NULL)
        return V_NULL;
    Value v = ou_call(vm, f, args, n, kwnames);
    release(vm, f);
    return v;
}

Value ou_call_method_c(VM *vm, Value self, const char *name, const Value *args, int n)
{
    Str *s = ou_intern_c(vm, name);
    if (!s)
        return V_NULL;
    Value v = ou_call_method(vm, self, s, args, n, NULL);
    obj_release(vm, s);
    return v;
}

/* ---- code bodies ---- */

Value ou_exec(VM *vm, Code *code, Dict *globals, Value locals, Tuple *closure)
{
    Value fv = ou_function_new(vm, code, globals, closure);
    if (fv == V_NULL)
        return V_NULL;
    if (!code->callkey && !ou_code_prepare(vm, code)) {
        release(vm, fv);
        return V_NULL;
    }
    Value out = V_NULL, ns = locals == V_NULL || locals == v_of(globals) ? V_NONE : locals;
    if (code->flags & CO_HEAP_FRAME) { /* top-level await: the caller drives it */
        out = ou_gen_make(vm, as_function(fv));
        if (out != V_NULL) {
            Gen *g = as_gen(out);
            for (unsigned k = 0; k < code->nlocals; k++)
                g->regs[k] = V_UNBOUND;
            g->regs[0] = retain(ns);
        }
        release(vm, fv);
        return out;
    }
    if (ou_c_deep(vm)) {
        release(vm, fv);
        return ou_raise_recursion(vm, NULL);
    }
    EvalEntry e = {vm->entry, vm->R, vm->pc};
    Value *base = stack_free(vm) + FRAME_DETACHED, *saved_top = vm->top;
    if (base + code->nregs > vm->stack_limit && !ou_stack_check(vm, base + code->nregs)) {
        release(vm, fv);
        return V_NULL;
    }
    for (unsigned k = 0; k < code->nlocals; k++)
        base[k] = V_UNBOUND;
    base[0] = retain(ns);
    base[-4] = (Value)(uintptr_t)vm->R;
    base[-3] = (Value)(uintptr_t)vm->pc;
    base[-2] = fv;
    base[-1] = make_link(&ou_stubs[STUB_HALT], 0);
    vm->entry = &e;
    vm->c_depth++;
    RunResult r = ou_run(vm, base, code->code, false, &out);
    vm->c_depth--;
    vm->entry = e.prev;
    vm->R = e.R;
    vm->pc = e.pc;
    vm->top = saved_top;
    return r == RUN_ERROR ? V_NULL : out;
}
