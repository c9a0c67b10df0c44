/* The evaluator: one function that runs script frames, register bytecode by computed goto.
 * Entry: ou_run. vm/opcodes.def says what each instruction does, eval.h how frames are laid out.
 *
 * Rules for whoever edits it:
 * 1. R and pc live in local variables. Before anything that can run script code, raise, allocate or free an object, SAVE()
 *    stores them in the VM. Nothing else changes vm->R for this activation, so they need no reload afterwards.
 * 2. pc stands behind the instruction's first word while it runs: pc[-1] is the instruction; second words are skipped at the end.
 * 3. A consumed temporary is consumed on the error path too. `goto error` unwinds from pc[-1].
 * 4. Store the new value before releasing the old one: the release may run __del__.
 * 5. Guards are always checked: a specialised instruction whose guard fails goes to its generic one's slow path, which may
 *    rewrite it again. Nothing ever needs undoing.
 * 6. Fast paths never call anything; slow paths live in slow.c and call.c.
 * 7. Nobody takes the address of R or pc: both would live in memory (a fifth of the time of call-heavy code). */
#include <math.h>

#include "runtime/objects/dunder.h"
#include "vm/eval.h"

const Ins ou_stubs[5] = {OP_HALT, OP_RETH, OP_RETH_INIT, OP_RETV, OP_NOP};

#if defined(__GNUC__) && !defined(__clang__)
#define HOT __attribute__((optimize("no-gcse")))
#else
#define HOT
#endif
#define LIKELY(x) __builtin_expect(!!(x), 1)
#define UNLIKELY(x) __builtin_expect(!!(x), 0)

#define SAVE() (vm->R = R, vm->pc = pc)
#define A INS_A(i)
#define B INS_B(i)
#define C INS_C(i)
#define D INS_D(i)
#define RELEASE(v)                                                                                                               \
    do {                                                                                                                         \
        Value rel_ = (v);                                                                                                        \
        if (is_obj(rel_) && --v_obj(rel_)->refs == 0) {                                                                          \
            SAVE();                                                                                                              \
            ou_dealloc(vm, v_obj(rel_));                                                                                         \
        }                                                                                                                        \
    } while (0)
#define SET(a, v)                                                                                                                \
    do {                                                                                                                         \
        Value new_ = (v), old_ = R[a];                                                                                           \
        R[a] = new_;                                                                                                             \
        RELEASE(old_);                                                                                                           \
    } while (0)
#define NEXT()                                                                                                                   \
    do {                                                                                                                         \
        i = *pc++;                                                                                                               \
        goto *labels[INS_OP(i)];                                                                                                 \
    } while (0)
#define NEXT2()                                                                                                                  \
    do {                                                                                                                         \
        pc++;                                                                                                                    \
        NEXT();                                                                                                                  \
    } while (0)
#define CASE(name) L_##name:
#define TRY(call)                                                                                                                \
    do {                                                                                                                         \
        SAVE();                                                                                                                  \
        if (UNLIKELY(!(call)))                                                                                                   \
            goto error;                                                                                                          \
    } while (0)
#define GO(call) /* a slow path that may have pushed a frame: vm->R and vm->pc say where to go on */                              \
    do {                                                                                                                         \
        SAVE();                                                                                                                  \
        if (UNLIKELY(!(call)))                                                                                                   \
            goto error;                                                                                                          \
        goto go_on;                                                                                                              \
    } while (0)
#define SLOW_TRUTH(t, call) /* the same, but it may also have found a truth, t */                                                 \
    do {                                                                                                                         \
        SAVE();                                                                                                                  \
        t = (call);                                                                                                              \
        if (UNLIKELY(t < 0))                                                                                                     \
            goto error;                                                                                                          \
        if (t == SLOW_GO)                                                                                                        \
            goto go_on;                                                                                                          \
    } while (0)
#define SLOW(call) /* the same, or it is done here */                                                                            \
    do {                                                                                                                         \
        int done_;                                                                                                               \
        SLOW_TRUTH(done_, call);                                                                                                 \
    } while (0)
#define BACK(dist) /* what a handler of signals raises belongs to the jump, which is inside the try block of its loop */         \
    do {                                                                                                                         \
        if (UNLIKELY(vm->attention)) {                                                                                           \
            SAVE();                                                                                                              \
            if (!ou_safepoint(vm))                                                                                               \
                goto error;                                                                                                      \
        }                                                                                                                        \
        pc += (dist);                                                                                                            \
    } while (0)

static inline int64_t floor_div(int64_t a, int64_t b)
{
    int64_t q = a / b;
    return q - ((a % b != 0) & ((a ^ b) < 0));
}
static inline int64_t floor_mod(int64_t a, int64_t b)
{
    int64_t m = a % b;
    return m + (b & -((m != 0) & ((m ^ b) < 0)));
}

/* Fills the locals behind the arguments. */
static inline void clear_locals(Value *R, const Code *c, unsigned from)
{
    for (unsigned k = from; k < c->nlocals; k++)
        R[k] = V_UNBOUND;
}

HOT RunResult ou_run(VM *vm, Value *R, const Ins *pc, bool raise, Value *out)
{
    static const void *const labels[OP_COUNT] = {
#define OP(name, words, operands, doc) [OP_##name] = &&L_##name,
#include "vm/opcodes.def"
#include "vm/special.def"
#undef OP
    };
    Ins i;
    if (raise)
        goto error;
    NEXT();

    CASE(NOP) NEXT();

    /* ---- constants and moves ---- */
    CASE(LOADK)
    {
        SET(A, retain(*pc));
        NEXT2();
    }
    CASE(LOADK_T)
    {
        R[A] = retain(*pc);
        NEXT2();
    }
    CASE(LOADI)
    {
        SET(A, v_smallint(D));
        NEXT();
    }
    CASE(LOADI_T)
    {
        R[A] = v_smallint(D);
        NEXT();
    }
    CASE(LOADP)
    {
        SET(A, (uint32_t)D);
        NEXT();
    }
    CASE(LOADP_T)
    {
        R[A] = (uint32_t)D;
        NEXT();
    }
    CASE(MOVE)
    {
        SET(A, retain(R[B]));
        NEXT();
    }
    CASE(MOVE_T)
    {
        R[A] = retain(R[B]);
        NEXT();
    }
    CASE(TAKE)
    {
        SET(A, R[B]);
        NEXT();
    }
    CASE(TAKE_T)
    {
        R[A] = R[B];
        NEXT();
    }
    CASE(DROP)
    {
        RELEASE(R[A]);
        NEXT();
    }
    CASE(GETFAR)
    {
        R[A] = retain(((Far *)v_obj(R[B]))->v[(uint32_t)D]);
        NEXT();
    }
    CASE(SETFAR)
    {
        Value v = A < frame_code(R)->nlocals ? retain(R[A]) : R[A];
        Value *place = &((Far *)v_obj(R[B]))->v[(uint32_t)D], old = *place;
        *place = v;
        RELEASE(old);
        NEXT();
    }
    CASE(CHECK)
    {
        if (UNLIKELY(R[A] == V_UNBOUND)) {
            TRY(ou_slow_misc(vm, R, pc));
        }
        NEXT();
    }
    CASE(DELLOCAL)
    {
        if (UNLIKELY(R[A] == V_UNBOUND)) {
            TRY(ou_slow_misc(vm, R, pc));
        }
        SET(A, V_UNBOUND);
        NEXT();
    }

    /* ---- cells, free variables ---- */
    CASE(GETCELL)
    {
        Value v = ((Cell *)v_obj(R[B]))->v;
        if (UNLIKELY(v == V_UNBOUND)) {
            TRY(ou_slow_misc(vm, R, pc));
        } else {
            SET(A, retain(v));
        }
        NEXT();
    }
    CASE(GETCELL_T)
    {
        Value v = ((Cell *)v_obj(R[B]))->v;
        if (UNLIKELY(v == V_UNBOUND)) {
            TRY(ou_slow_misc(vm, R, pc));
        } else {
            R[A] = retain(v);
        }
        NEXT();
    }
    CASE(SETCELL)
    {
        Cell *c = (Cell *)v_obj(R[A]);
        Value old = c->v;
        c->v = B < frame_code(R)->nlocals ? retain(R[B]) : R[B];
        RELEASE(old);
        NEXT();
    }
    CASE(GETFREE)
    {
        Value v = ((Cell *)v_obj(frame_fn(R)->closure->items[D]))->v;
        if (UNLIKELY(v == V_UNBOUND)) {
            TRY(ou_slow_misc(vm, R, pc));
        } else {
            SET(A, retain(v));
        }
        NEXT();
    }
    CASE(GETFREE_T)
    {
        Value v = ((Cell *)v_obj(frame_fn(R)->closure->items[D]))->v;
        if (UNLIKELY(v == V_UNBOUND)) {
            TRY(ou_slow_misc(vm, R, pc));
        } else {
            R[A] = retain(v);
        }
        NEXT();
    }
    CASE(SETFREE)
    {
        Cell *c = (Cell *)v_obj(frame_fn(R)->closure->items[D]);
        Value old = c->v;
        c->v = A < frame_code(R)->nlocals ? retain(R[A]) : R[A];
        RELEASE(old);
        NEXT();
    }

    /* ---- globals and names ---- */
#define GLOBAL_M(store)                                                                                                          \
    {                                                                                                                            \
        Dict *d = frame_fn(R)->globals;                                                                                          \
        if (UNLIKELY(d->keys_version != (uint32_t)D))                                                                            \
            goto slow_getglobal;                                                                                                 \
        store(A, retain(d->entries[INS_BC(i)].value));                                                                           \
        NEXT2();                                                                                                                 \
    }
#define GLOBAL_B(store)                                                                                                          \
    {                                                                                                                            \
        Function *f = frame_fn(R);                                                                                               \
        uint64_t w = *pc;                                                                                                        \
        if (UNLIKELY(f->globals->keys_version != (uint32_t)D || f->builtins->keys_version != (uint32_t)w))                       \
            goto slow_getglobal;                                                                                                 \
        store(A, retain(f->builtins->entries[w >> 32].value));                                                                   \
        NEXT2();                                                                                                                 \
    }
#define STORE_T(a, v) R[a] = (v)
    CASE(GETGLOBAL_M) GLOBAL_M(SET)
    CASE(GETGLOBAL_M_T) GLOBAL_M(STORE_T)
    CASE(GETGLOBAL_B) GLOBAL_B(SET)
    CASE(GETGLOBAL_B_T) GLOBAL_B(STORE_T)
    CASE(GETGLOBAL)
slow_getglobal:
    TRY(ou_slow_getglobal(vm, R, pc));
    NEXT2();
    CASE(SETGLOBAL_M)
    {
        Dict *d = frame_fn(R)->globals;
        if (UNLIKELY(d->keys_version != (uint32_t)D))
            goto slow_setglobal;
        DictEntry *e = &d->entries[INS_BC(i)];
        Value old = e->value;
        e->value = A < frame_code(R)->nlocals ? retain(R[A]) : R[A];
        RELEASE(old);
        NEXT2();
    }
    CASE(SETGLOBAL)
slow_setglobal:
    TRY(ou_slow_setglobal(vm, R, pc));
    NEXT2();
    CASE(GETNAME_M)
    {
        Dict *d = frame_fn(R)->globals;
        if (UNLIKELY(R[0] != V_NONE || d->keys_version != (uint32_t)D))
            goto slow_getname;
        Value v = retain(d->entries[INS_BC(i)].value);
        if (A == 0)
            goto slow_getname;
        R[A] = v;
        NEXT2();
    }
    CASE(GETNAME_B)
    {
        Function *f = frame_fn(R);
        uint64_t w = *pc;
        if (UNLIKELY(R[0] != V_NONE || f->globals->keys_version != (uint32_t)D || f->builtins->keys_version != (uint32_t)w))
            goto slow_getname;
        R[A] = retain(f->builtins->entries[w >> 32].value);
        NEXT2();
    }
    CASE(GETNAME)
slow_getname:
    TRY(ou_slow_getname(vm, R, pc));
    NEXT2();
    CASE(SETNAME_M)
    {
        Dict *d = frame_fn(R)->globals;
        if (UNLIKELY(R[0] != V_NONE || d->keys_version != (uint32_t)D))
            goto slow_setname;
        DictEntry *e = &d->entries[INS_BC(i)];
        Value old = e->value;
        e->value = A < frame_code(R)->nlocals ? retain(R[A]) : R[A];
        RELEASE(old);
        NEXT2();
    }
    CASE(SETNAME)
slow_setname:
    TRY(ou_slow_setname(vm, R, pc));
    NEXT2();
    CASE(DELNAME)
    TRY(ou_slow_delname(vm, R, pc));
    NEXT();

    /* ---- attributes ---- */
    CASE(GETATTR_S)
    {
        Value o = R[B];
        if (UNLIKELY(!is_obj(o) || v_obj(o)->shape != (uint32_t)D))
            goto slow_getattr;
        Value v = ((Tail *)((char *)v_obj(o) + *pc))->slots[C];
        if (UNLIKELY(v == V_UNBOUND))
            goto slow_getattr;
        SET(A, retain(v));
        NEXT2();
    }
    CASE(GETATTR_S_T)
    {
        Value o = R[B];
        if (UNLIKELY(!is_obj(o) || v_obj(o)->shape != (uint32_t)D))
            goto slow_getattr;
        Value v = ((Tail *)((char *)v_obj(o) + *pc))->slots[C];
        if (UNLIKELY(v == V_UNBOUND))
            goto slow_getattr;
        R[A] = retain(v);
        NEXT2();
    }
    CASE(GETATTR_C)
    {
        Value o = R[B];
        if (UNLIKELY(!is_obj(o) || v_obj(o)->shape != (uint32_t)D))
            goto slow_getattr;
        const Type *t = vm->shapes[D]->type;
        uint64_t w = *pc;
        if (UNLIKELY(t->version != w >> 32))
            goto slow_getattr;
        Value v = retain(((Type *)v_obj(t->mro->items[w >> 24 & 255]))->ns->entries[w & 0xFFFFFF].value);
        if (A != B && A >= frame_code(R)->nlocals)
            R[A] = v;
        else
            SET(A, v);
        NEXT2();
    }
/* A frame above everything that the running one uses, for a function that an instruction other than a call runs: it returns
 * through a stub. The arguments are stored by `args` at nR[0], ..., then the frame is entered. */
#define PUSH_VALUE_FRAME(f_, n_, stub, slow, args)                                                                                     \
    do {                                                                                                                         \
        Code *c_ = as_function(f_)->code;                                                                                        \
        Value *nR = (frame_is_heap(R) ? vm->top : R + frame_code(R)->nregs) + FRAME_DETACHED;                                    \
        if (UNLIKELY(c_->callkey != (n_) + 1 || nR + c_->nregs > vm->stack_limit))                                               \
            goto slow;                                                                                                           \
        args;                                                                                                                    \
        nR[-4] = (Value)(uintptr_t)R;                                                                                            \
        nR[-3] = (Value)(uintptr_t)pc;                                                                                           \
        nR[-2] = retain(f_);                                                                                                     \
        nR[-1] = make_link((stub), 0);                                                                             \
        clear_locals(nR, c_, (n_));                                                                                              \
        R = nR;                                                                                                                  \
        pc = c_->code;                                                                                                           \
        NEXT();                                                                                                                  \
    } while (0)
    CASE(GETATTR_P)
    {
        Value o = R[B];
        if (UNLIKELY(!is_obj(o) || v_obj(o)->shape != (uint32_t)D))
            goto slow_getattr;
        Value f = ((Property *)v_obj(*pc))->get;
        if (UNLIKELY(!is_exact(f, T_FUNCTION)))
            goto slow_getattr;
        PUSH_VALUE_FRAME(f, 1u, &ou_stubs[STUB_RETV], slow_getattr, nR[0] = B < frame_code(R)->nlocals ? retain(o) : o);
    }
    CASE(GETATTR_M)
    {
        Value o = R[B];
        if (UNLIKELY(!is_exact(o, T_MODULE)))
            goto slow_getattr;
        Dict *d = ((Module *)v_obj(o))->dict;
        if (UNLIKELY(d->keys_version != (uint32_t)D))
            goto slow_getattr;
        Value v = retain(d->entries[*pc].value);
        if (A != B && A >= frame_code(R)->nlocals)
            R[A] = v;
        else
            SET(A, v);
        NEXT2();
    }
    CASE(GETATTR)
slow_getattr:
    SLOW(ou_slow_getattr(vm, R, pc));
    NEXT2();
    CASE(SETATTR_S)
    {
        Value o = R[A];
        if (UNLIKELY(!is_obj(o) || v_obj(o)->shape != (uint32_t)D))
            goto slow_setattr;
        Value *p = &((Tail *)((char *)v_obj(o) + *pc))->slots[C];
        Value old = *p;
        unsigned nl = frame_code(R)->nlocals;
        *p = B < nl ? retain(R[B]) : R[B];
        RELEASE(old);
        if (A >= nl)
            RELEASE(o);
        NEXT2();
    }
    CASE(SETATTR_A)
    {
        Value o = R[A];
        if (UNLIKELY(!is_obj(o) || v_obj(o)->shape != (uint32_t)D))
            goto slow_setattr;
        Instance *in = (Instance *)v_obj(o);
        if (UNLIKELY(C >= in->tail.cap))
            goto slow_setattr;
        unsigned nl = frame_code(R)->nlocals;
        in->tail.slots[C] = B < nl ? retain(R[B]) : R[B];
        in->h.shape = (uint32_t)*pc;
        if (A >= nl)
            RELEASE(o);
        NEXT2();
    }
    CASE(SETATTR)
slow_setattr:
    SLOW(ou_slow_setattr(vm, R, pc));
    NEXT2();
    CASE(GETMETHOD_S)
    {
        Value o = R[B];
        if (UNLIKELY(!is_obj(o) || v_obj(o)->shape != (uint32_t)D))
            goto slow_getmethod;
        if (A != B)
            v_obj(o)->refs++;
        R[A + 2] = o;
        R[A] = retain(*pc);
        NEXT2();
    }
    CASE(GETMETHOD_M)
    {
        Value o = R[B];
        if (UNLIKELY(!is_exact(o, T_MODULE)))
            goto slow_getmethod;
        Dict *d = ((Module *)v_obj(o))->dict;
        if (UNLIKELY(d->keys_version != (uint32_t)D))
            goto slow_getmethod;
        Value v = retain(d->entries[*pc].value);
        R[A + 2] = V_UNBOUND;
        if (A == B)
            SET(A, v);
        else
            R[A] = v;
        NEXT2();
    }
    CASE(GETMETHOD)
slow_getmethod:
    SLOW(ou_slow_getmethod(vm, R, pc));
    NEXT2();

    /* ---- items ---- */
    CASE(GETITEM_LI)
    {
        Value o = R[B], k = R[C];
        if (UNLIKELY(!is_exact(o, T_LIST) || !is_small(k)))
            goto slow_getitem;
        List *l = as_list(o);
        uint64_t x = (uint64_t)v_small(k);
        if (UNLIKELY(x >= l->n)) {
            x += l->n;
            if (x >= l->n)
                goto slow_getitem;
        }
        Value v = retain(l->items[x]);
        unsigned nl = frame_code(R)->nlocals;
        if (A < nl || A == B)
            SET(A, v);
        else
            R[A] = v;
        if (UNLIKELY(B >= nl && A != B))
            RELEASE(o);
        NEXT();
    }
    CASE(GETITEM_TI)
    {
        Value o = R[B], k = R[C];
        if (UNLIKELY(!is_exact(o, T_TUPLE) || !is_small(k)))
            goto slow_getitem;
        Tuple *t = as_tuple(o);
        uint64_t x = (uint64_t)v_small(k);
        if (UNLIKELY(x >= t->n)) {
            x += t->n;
            if (x >= t->n)
                goto slow_getitem;
        }
        Value v = retain(t->items[x]);
        unsigned nl = frame_code(R)->nlocals;
        if (A < nl || A == B)
            SET(A, v);
        else
            R[A] = v;
        if (UNLIKELY(B >= nl && A != B))
            RELEASE(o);
        NEXT();
    }
    CASE(GETITEM_D)
    {
        Value o = R[B], k = R[C];
        if (UNLIKELY(!is_exact(o, T_DICT)))
            goto slow_getitem;
        SAVE();
        retain(o);
        Value v = ou_dict_get(vm, as_dict(o), k);
        if (UNLIKELY(v == V_NULL)) {
            release(vm, o);
            if (vm->exc != V_NULL) {
                consume(vm, R, B);
                consume(vm, R, C);
                goto error;
            }
            goto slow_getitem;
        }
        retain(v);
        unsigned nl = frame_code(R)->nlocals;
        if (C >= nl)
            RELEASE(k);
        if (B >= nl)
            RELEASE(o);
        if (A < nl)
            SET(A, v);
        else
            R[A] = v;
        RELEASE(o);
        NEXT();
    }
    CASE(GETITEM_F)
    {
        Value o = R[B];
        if (UNLIKELY(!is_obj(o) || v_obj(o)->shape != (uint32_t)D))
            goto slow_getitem;
        Value f = ou_type_lookup(vm, vm->shapes[D]->type, name_of(vm, N_DU_getitem));
        if (UNLIKELY(f == V_NULL || !is_exact(f, T_FUNCTION)))
            goto slow_getitem;
        unsigned nl = frame_code(R)->nlocals;
        PUSH_VALUE_FRAME(f, 2u, &ou_stubs[STUB_RETV], slow_getitem, nR[0] = B < nl ? retain(o) : o; nR[1] = C < nl ? retain(R[C]) : R[C]);
    }
    CASE(GETITEM)
slow_getitem:
    TRY(ou_slow_getitem(vm, R, pc));
    NEXT();
    CASE(SETITEM_LI)
    {
        Value o = R[A], k = R[B];
        if (UNLIKELY(!is_exact(o, T_LIST) || !is_small(k)))
            goto slow_setitem;
        List *l = as_list(o);
        uint64_t x = (uint64_t)v_small(k);
        if (UNLIKELY(x >= l->n)) {
            x += l->n;
            if (x >= l->n)
                goto slow_setitem;
        }
        unsigned nl = frame_code(R)->nlocals;
        Value old = l->items[x];
        l->items[x] = C < nl ? retain(R[C]) : R[C];
        RELEASE(old);
        if (A >= nl)
            RELEASE(o);
        NEXT();
    }
    CASE(SETITEM_D)
    {
        Value o = R[A];
        if (UNLIKELY(!is_exact(o, T_DICT)))
            goto slow_setitem;
        SAVE();
        bool ok = ou_dict_set(vm, as_dict(o), R[B], R[C]);
        consume(vm, R, B);
        consume(vm, R, C);
        consume(vm, R, A);
        if (UNLIKELY(!ok))
            goto error;
        NEXT();
    }
    CASE(SETITEM)
slow_setitem:
    GO(ou_slow_setitem(vm, R, pc));

    /* ---- arithmetic ---- */
#define INT2(name, body)                                                                                                         \
    CASE(name)                                                                                                                   \
    {                                                                                                                            \
        Value a = R[B], b = R[C];                                                                                                \
        if (UNLIKELY(!are_small(a, b)))                                                                                          \
            goto slow_binary;                                                                                                    \
        body                                                                                                                     \
    }
#define STORE_INT(v)                                                                                                             \
    do {                                                                                                                         \
        Value o_ = R[A];                                                                                                         \
        R[A] = (v);                                                                                                              \
        if (UNLIKELY(is_obj(o_)) && A < frame_code(R)->nlocals)                                                                  \
            RELEASE(o_);                                                                                                         \
    } while (0)
    INT2(ADD_II, {
        Value r = a + (b - V_INT0);
        if (UNLIKELY(r < V_TAG))
            goto slow_binary;
        SET(A, r);
        NEXT();
    })
    INT2(ADD_II_T, {
        Value r = a + (b - V_INT0);
        if (UNLIKELY(r < V_TAG))
            goto slow_binary;
        R[A] = r;
        NEXT();
    })
    INT2(SUB_II, {
        Value r = a - (b - V_INT0);
        if (UNLIKELY(r < V_TAG))
            goto slow_binary;
        SET(A, r);
        NEXT();
    })
    INT2(SUB_II_T, {
        Value r = a - (b - V_INT0);
        if (UNLIKELY(r < V_TAG))
            goto slow_binary;
        R[A] = r;
        NEXT();
    })
#define MUL_BODY(store)                                                                                                          \
    {                                                                                                                            \
        int64_t r;                                                                                                               \
        if (UNLIKELY(__builtin_mul_overflow(v_small(a), v_small(b), &r) || !fits_small(r)))                                      \
            goto slow_binary;                                                                                                    \
        store(A, v_smallint(r));                                                                                                 \
        NEXT();                                                                                                                  \
    }
    INT2(MUL_II, MUL_BODY(SET))
    INT2(MUL_II_T, MUL_BODY(STORE_T))
    INT2(AND_II, {
        STORE_INT(v_smallint(v_small(a) & v_small(b)));
        NEXT();
    })
    INT2(OR_II, {
        STORE_INT(v_smallint(v_small(a) | v_small(b)));
        NEXT();
    })
    INT2(XOR_II, {
        STORE_INT(v_smallint(v_small(a) ^ v_small(b)));
        NEXT();
    })
    INT2(LSHIFT_II, {
        int64_t x = v_small(a);
        uint64_t s = (uint64_t)v_small(b);
        if (UNLIKELY(s > 48))
            goto slow_binary;
        int64_t r = (int64_t)((uint64_t)x << s);
        if (UNLIKELY((r >> s) != x || !fits_small(r)))
            goto slow_binary;
        STORE_INT(v_smallint(r));
        NEXT();
    })
    INT2(RSHIFT_II, {
        uint64_t s = (uint64_t)v_small(b);
        if (UNLIKELY(s > 63)) {
            if ((int64_t)s < 0)
                goto slow_binary;
            s = 63;
        }
        STORE_INT(v_smallint(v_small(a) >> s));
        NEXT();
    })
    INT2(FLOORDIV_II, {
        int64_t y = v_small(b);
        if (UNLIKELY(y == 0))
            goto slow_binary;
        int64_t r = floor_div(v_small(a), y);
        if (UNLIKELY(!fits_small(r)))
            goto slow_binary;
        STORE_INT(v_smallint(r));
        NEXT();
    })
    INT2(MOD_II, {
        int64_t y = v_small(b);
        if (UNLIKELY(y == 0))
            goto slow_binary;
        STORE_INT(v_smallint(floor_mod(v_small(a), y)));
        NEXT();
    })
    INT2(DIV_II, {
        int64_t y = v_small(b);
        if (UNLIKELY(y == 0))
            goto slow_binary;
        STORE_INT(v_float_raw((double)v_small(a) / (double)y));
        NEXT();
    })
#define FLT2(name, expr, store)                                                                                                  \
    CASE(name)                                                                                                                   \
    {                                                                                                                            \
        Value av = R[B], bv = R[C];                                                                                              \
        if (UNLIKELY(!is_float(av) || !is_float(bv)))                                                                            \
            goto slow_binary;                                                                                                    \
        double a = v_double(av), b = v_double(bv);                                                                               \
        store(A, v_float_raw(expr));                                                                                             \
        NEXT();                                                                                                                  \
    }
    FLT2(ADD_FF, a + b, SET)
    FLT2(ADD_FF_T, a + b, STORE_T)
    FLT2(SUB_FF, a - b, SET)
    FLT2(SUB_FF_T, a - b, STORE_T)
    FLT2(MUL_FF, a *b, SET)
    FLT2(MUL_FF_T, a *b, STORE_T)
#define FDIV(name, store)                                                                                                        \
    CASE(name)                                                                                                                   \
    {                                                                                                                            \
        Value av = R[B], bv = R[C];                                                                                              \
        if (UNLIKELY(!is_float(av) || !is_float(bv)))                                                                            \
            goto slow_binary;                                                                                                    \
        double a = v_double(av), b = v_double(bv);                                                                               \
        if (UNLIKELY(b == 0))                                                                                                    \
            goto slow_binary;                                                                                                    \
        store(A, v_float_raw(a / b));                                                                                            \
        NEXT();                                                                                                                  \
    }
    FDIV(DIV_FF, SET)
    FDIV(DIV_FF_T, STORE_T)
    CASE(BINARY_F) /* the left operand is asked first: the right one is of the same class, or of none that a script made */
    {
        Value a = R[B], b = R[C];
        if (UNLIKELY(!is_obj(a) || v_obj(a)->shape != (uint32_t)D >> 5))
            goto slow_binary;
        Type *t = vm->shapes[v_obj(a)->shape]->type;
        if (is_obj(b)) {
            const Type *tb = vm->shapes[v_obj(b)->shape]->type;
            if (UNLIKELY(tb != t && (tb->flags & TF_HEAP)))
                goto slow_binary;
        }
        unsigned op = (unsigned)D >> 1 & 15;
        NameId name = ou_operator_names[op][(D & 1) && t->slots.inplace[op] ? DUNDER_INPLACE : DUNDER_LEFT];
        Value f = ou_type_lookup(vm, t, name_of(vm, name));
        if (UNLIKELY(f == V_NULL || !is_exact(f, T_FUNCTION)))
            goto slow_binary;
        PUSH_VALUE_FRAME(f, 2u, ou_ask_stubs[ASK_OPERATOR], slow_binary, nR[0] = retain(a); nR[1] = retain(b));
    }
    CASE(ADD)
    CASE(SUB)
    CASE(MUL)
    CASE(DIV)
    CASE(FLOORDIV)
    CASE(MOD)
    CASE(POW)
    CASE(LSHIFT)
    CASE(RSHIFT)
    CASE(AND)
    CASE(OR)
    CASE(XOR)
    CASE(MATMUL)
slow_binary:
    GO(ou_slow_binary(vm, R, pc));
go_on:
    R = vm->R;
    pc = vm->pc;
    NEXT();

#define INTK(name, body)                                                                                                         \
    CASE(name)                                                                                                                   \
    {                                                                                                                            \
        Value a = R[B];                                                                                                          \
        if (UNLIKELY(!is_small(a)))                                                                                              \
            goto slow_binary_imm;                                                                                                \
        body                                                                                                                     \
    }
    INTK(ADDI, {
        Value r = a + (Value)(int64_t)D;
        if (UNLIKELY(r < V_TAG))
            goto slow_binary_imm;
        STORE_INT(r);
        NEXT();
    })
    INTK(SUBI, {
        Value r = a - (Value)(int64_t)D;
        if (UNLIKELY(r < V_TAG))
            goto slow_binary_imm;
        STORE_INT(r);
        NEXT();
    })
    INTK(MULI, {
        int64_t r;
        if (UNLIKELY(__builtin_mul_overflow(v_small(a), (int64_t)D, &r) || !fits_small(r)))
            goto slow_binary_imm;
        STORE_INT(v_smallint(r));
        NEXT();
    })
    INTK(FLOORDIVI, {
        if (UNLIKELY(D == 0))
            goto slow_binary_imm;
        int64_t r = floor_div(v_small(a), D);
        if (UNLIKELY(!fits_small(r)))
            goto slow_binary_imm;
        STORE_INT(v_smallint(r));
        NEXT();
    })
    INTK(MODI, {
        if (UNLIKELY(D == 0))
            goto slow_binary_imm;
        STORE_INT(v_smallint(floor_mod(v_small(a), D)));
        NEXT();
    })
    INTK(DIVI, {
        if (UNLIKELY(D == 0))
            goto slow_binary_imm;
        STORE_INT(v_float_raw((double)v_small(a) / (double)D));
        NEXT();
    })
    INTK(ANDI, {
        STORE_INT(v_smallint(v_small(a) & D));
        NEXT();
    })
    INTK(ORI, {
        STORE_INT(v_smallint(v_small(a) | D));
        NEXT();
    })
    INTK(XORI, {
        STORE_INT(v_smallint(v_small(a) ^ D));
        NEXT();
    })
    INTK(LSHIFTI, {
        int64_t x = v_small(a);
        if (UNLIKELY((uint32_t)D > 48))
            goto slow_binary_imm;
        int64_t r = (int64_t)((uint64_t)x << D);
        if (UNLIKELY((r >> D) != x || !fits_small(r)))
            goto slow_binary_imm;
        STORE_INT(v_smallint(r));
        NEXT();
    })
    INTK(RSHIFTI, {
        if (UNLIKELY((uint32_t)D > 63))
            goto slow_binary_imm;
        STORE_INT(v_smallint(v_small(a) >> D));
        NEXT();
    })
    CASE(POWI)
slow_binary_imm:
    GO(ou_slow_binary_imm(vm, R, pc));

    CASE(NOT)
    {
        Value v = R[B];
        if (v == V_TRUE || v == V_FALSE) {
            Value r = v == V_TRUE ? V_FALSE : V_TRUE;
            STORE_INT(r);
            NEXT();
        }
        GO(ou_slow_misc(vm, R, pc));
    }

    /* ---- comparison ---- */
#define COMPARE(name, op)                                                                                                        \
    CASE(name)                                                                                                                   \
    {                                                                                                                            \
        Value a = R[B], b = R[C];                                                                                                \
        if (LIKELY(are_small(a, b))) {                                                                                           \
            STORE_INT(v_bool(a op b));                                                                                           \
            NEXT();                                                                                                              \
        }                                                                                                                        \
        if (is_float(a) && is_float(b)) {                                                                                        \
            STORE_INT(v_bool(v_double(a) op v_double(b)));                                                                       \
            NEXT();                                                                                                              \
        }                                                                                                                        \
        GO(ou_slow_compare(vm, R, pc));                                                                                          \
    }
    COMPARE(LT, <)
    COMPARE(LE, <=)
    COMPARE(EQ, ==)
    COMPARE(NE, !=)
    COMPARE(GT, >)
    COMPARE(GE, >=)
    CASE(IS)
    {
        Value a = R[B], b = R[C];
        Value r = v_bool((a == b) != (D != 0));
        unsigned nl = frame_code(R)->nlocals;
        if (B >= nl)
            RELEASE(a);
        if (C >= nl)
            RELEASE(b);
        if (A < nl)
            SET(A, r);
        else
            R[A] = r;
        NEXT();
    }

    /* ---- jumps ---- */
    CASE(JUMP)
    {
        pc += D;
        NEXT();
    }
    CASE(LOOP)
    {
        BACK(D);
        NEXT();
    }
#define JUMP_TRUTH(name, want)                                                                                                   \
    CASE(name)                                                                                                                   \
    {                                                                                                                            \
        Value v = R[A];                                                                                                          \
        int t;                                                                                                                   \
        if (v == V_TRUE)                                                                                                         \
            t = 1;                                                                                                               \
        else if (v == V_FALSE || v == V_NONE)                                                                                    \
            t = 0;                                                                                                               \
        else if (is_small(v))                                                                                                    \
            t = v != V_INT0;                                                                                                     \
        else {                                                                                                                   \
            SLOW_TRUTH(t, ou_slow_truth(vm, R, pc));                                                                             \
        }                                                                                                                        \
        if (t == want) {                                                                                                         \
            if (D < 0)                                                                                                           \
                BACK(D);                                                                                                         \
            else                                                                                                                 \
                pc += D;                                                                                                         \
        }                                                                                                                        \
        NEXT();                                                                                                                  \
    }
    JUMP_TRUTH(JUMPT, 1)
    JUMP_TRUTH(JUMPF, 0)
#define JUMP_KEEP(name, want)                                                                                                    \
    CASE(name)                                                                                                                   \
    {                                                                                                                            \
        Value v = R[A];                                                                                                          \
        int t = v == V_TRUE ? 1 : v == V_FALSE || v == V_NONE ? 0 : -1;                                                          \
        if (t < 0)                                                                                                               \
            SLOW_TRUTH(t, ou_slow_truth(vm, R, pc));                                                                             \
        if (t == want)                                                                                                           \
            pc += D;                                                                                                             \
        NEXT();                                                                                                                  \
    }
    JUMP_KEEP(JUMPTK, 1)
    JUMP_KEEP(JUMPFK, 0)
    CASE(JNONE)
    {
        Value v = R[A];
        bool hit = (v == V_NONE) == C;
        if (is_obj(v) && A >= frame_code(R)->nlocals)
            RELEASE(v);
        if (hit) {
            if (D < 0)
                BACK(D);
            else
                pc += D;
        }
        NEXT();
    }
    CASE(JIS)
    {
        Value a = R[A], b = R[B];
        bool hit = (a == b) == C;
        unsigned nl = frame_code(R)->nlocals;
        if (A >= nl)
            RELEASE(a);
        if (B >= nl)
            RELEASE(b);
        if (hit) {
            if (D < 0)
                BACK(D);
            else
                pc += D;
        }
        NEXT();
    }
#define JUMP_BY(t)                                                                                                               \
    do {                                                                                                                         \
        if ((t) == C) {                                                                                                          \
            if (UNLIKELY(D < 0))                                                                                                 \
                BACK(D);                                                                                                         \
            else                                                                                                                 \
                pc += D;                                                                                                         \
        }                                                                                                                        \
        NEXT();                                                                                                                  \
    } while (0)
#define JCMP(name, op)                                                                                                           \
    CASE(name##_II)                                                                                                              \
    {                                                                                                                            \
        Value a = R[A], b = R[B];                                                                                                \
        if (UNLIKELY(!are_small(a, b)))                                                                                          \
            goto slow_jcompare;                                                                                                  \
        JUMP_BY(a op b);                                                                                                         \
    }                                                                                                                            \
    CASE(name##_FF)                                                                                                              \
    {                                                                                                                            \
        Value a = R[A], b = R[B];                                                                                                \
        if (UNLIKELY(!is_float(a) || !is_float(b)))                                                                              \
            goto slow_jcompare;                                                                                                  \
        JUMP_BY(v_double(a) op v_double(b));                                                                                     \
    }
    JCMP(JLT, <)
    JCMP(JLE, <=)
    JCMP(JEQ, ==)
    JCMP(JNE, !=)
    JCMP(JGT, >)
    JCMP(JGE, >=)
    CASE(JLT)
    CASE(JLE)
    CASE(JEQ)
    CASE(JNE)
    CASE(JGT)
    CASE(JGE)
    CASE(JIN)
slow_jcompare:
{
    int t;
    SLOW_TRUTH(t, ou_slow_jcompare(vm, R, pc));
    JUMP_BY(t);
}
#define IMM ((Value)(int64_t)(int16_t)INS_BC(i) + V_INT0)
#define JCMPI(name, op, want)                                                                                                    \
    CASE(name)                                                                                                                   \
    {                                                                                                                            \
        Value a = R[A];                                                                                                          \
        int t;                                                                                                                   \
        if (LIKELY(is_small(a)))                                                                                                 \
            t = a op IMM;                                                                                                        \
        else {                                                                                                                   \
            SLOW_TRUTH(t, ou_slow_jcompare_imm(vm, R, pc));                                                                      \
        }                                                                                                                        \
        if (t == want) {                                                                                                         \
            if (UNLIKELY(D < 0))                                                                                                 \
                BACK(D);                                                                                                         \
            else                                                                                                                 \
                pc += D;                                                                                                         \
        }                                                                                                                        \
        NEXT();                                                                                                                  \
    }
    JCMPI(JLTI, <, 1)
    JCMPI(JLEI, <=, 1)
    JCMPI(JEQI, ==, 1)
    JCMPI(JNEI, !=, 1)
    JCMPI(JGTI, >, 1)
    JCMPI(JGEI, >=, 1)
    JCMPI(JNLTI, <, 0)
    JCMPI(JNLEI, <=, 0)
    JCMPI(JNEQI, ==, 0)
    JCMPI(JNNEI, !=, 0)
    JCMPI(JNGTI, >, 0)
    JCMPI(JNGEI, >=, 0)

    /* ---- iteration ---- */
    CASE(FORITER_R)
    {
        Value it = R[A];
        if (UNLIKELY(!is_exact(it, T_RANGE_ITER)))
            goto slow_foriter;
        RangeIter *r = (RangeIter *)v_obj(it);
        if (UNLIKELY(r->left == 0)) {
            RELEASE(it);
            pc += D;
            NEXT();
        }
        r->left--;
        Value v = v_smallint(r->next);
        r->next += r->step;
        Value old = R[B];
        R[B] = v;
        if (UNLIKELY(is_obj(old)) && B < frame_code(R)->nlocals)
            RELEASE(old);
        NEXT();
    }
    CASE(FORITER_L)
    {
        Value it = R[A];
        if (UNLIKELY(!is_exact(it, T_LIST_ITER)))
            goto slow_foriter;
        SeqIter *s = (SeqIter *)v_obj(it);
        if (UNLIKELY(s->seq == V_NULL || (uint64_t)s->index >= as_list(s->seq)->n))
            goto slow_foriter;
        Value v = retain(as_list(s->seq)->items[s->index++]);
        if (B < frame_code(R)->nlocals)
            SET(B, v);
        else
            R[B] = v;
        NEXT();
    }
    CASE(FORITER_T)
    {
        Value it = R[A];
        if (UNLIKELY(!is_exact(it, T_TUPLE_ITER)))
            goto slow_foriter;
        SeqIter *s = (SeqIter *)v_obj(it);
        if (UNLIKELY(s->seq == V_NULL || (uint64_t)s->index >= as_tuple(s->seq)->n))
            goto slow_foriter;
        Value v = retain(as_tuple(s->seq)->items[s->index++]);
        if (B < frame_code(R)->nlocals)
            SET(B, v);
        else
            R[B] = v;
        NEXT();
    }
    CASE(FORITER_G)
    {
        Value it = R[A];
        if (UNLIKELY(!is_exact(it, T_GENERATOR)))
            goto slow_foriter;
        Gen *g = as_gen(it), *f;
        if (LIKELY(g->state == GEN_SUSPENDED && g->inner == g && !(g->flags & (GEN_F_LINKED | GEN_F_DRIVEN)) && g->handled == V_UNBOUND &&
                   INS_OP(g->pc[-1]) == OP_YIELD)) { /* ou_gen_enter for the common case */
            uint32_t depth = vm->root ? vm->root->depth + 1 : 0;
            if (LIKELY(depth <= vm->recursion_limit)) {
                if (!frame_is_heap(R))
                    vm->top = R + frame_code(R)->nregs;
                g->depth = depth;
                g->inner = vm->root;
                vm->root = g;
                g->flags |= GEN_F_DRIVEN;
                g->handled = vm->handled;
                vm->handled = V_NONE;
                g->up.ret_R = R;
                g->ret_pc = pc;
                g->state = GEN_RUNNING;
                R = g->regs;
                pc = g->pc;
                R[INS_A(pc[-1])] = V_NONE;
                NEXT();
            }
        }
        if (UNLIKELY(g->state > GEN_SUSPENDED || (g->flags & (GEN_F_LINKED | GEN_F_DRIVEN))))
            goto slow_foriter;
        f = g->state == GEN_SUSPENDED ? g->inner : g;
        /* A leaf that is no frame must be asked first, from C. */
        if (UNLIKELY(f->state == GEN_SUSPENDED && INS_OP(f->pc[-1]) != OP_YIELD))
            goto slow_foriter;
        SAVE();
        if (!frame_is_heap(R))
            vm->top = R + frame_code(R)->nregs;
        if (UNLIKELY(!ou_gen_enter(vm, g, &f)))
            goto error;
        g->up.ret_R = R;
        g->ret_pc = pc;
        if (f->state == GEN_SUSPENDED) {
            R = f->regs;
            pc = f->pc;
            R[INS_A(pc[-1])] = V_NONE;
        } else {
            R = f->regs;
            pc = frame_code(R)->code;
        }
        f->state = GEN_RUNNING;
        NEXT();
    }
    CASE(FORITER_P)
    {
        Value it = R[A];
        if (UNLIKELY(!ou_is_pair_iter(it)))
            goto slow_foriter;
        SAVE();
        int t = ou_next_pair(vm, it, &R[B]);
        if (UNLIKELY(t <= 0)) {
            if (t < 0)
                goto error;
            RELEASE(it);
            pc += D;
            NEXT();
        }
        NEXT2(); /* the UNPACK is done */
    }
    CASE(FORITER)
slow_foriter:
{
    int t;
    SLOW_TRUTH(t, ou_slow_foriter(vm, R, pc));
    if (t == 0)
        pc += D;
    NEXT();
}
    CASE(UNPACK_T)
    {
        Value o = R[A];
        if (UNLIKELY(!is_exact(o, T_TUPLE) || as_tuple(o)->n != C))
            goto slow_unpack;
        Tuple *t = as_tuple(o);
        if (t->h.refs == 1) {
            for (unsigned k = 0; k < C; k++) {
                R[A + k] = t->items[k];
                t->items[k] = V_NONE;
            }
        } else {
            for (unsigned k = 0; k < C; k++)
                R[A + k] = retain(t->items[k]);
        }
        RELEASE(o);
        NEXT();
    }
    CASE(UNPACK)
slow_unpack:
    TRY(ou_slow_unpack(vm, R, pc));
    NEXT();

    /* ---- building ---- */
    CASE(MKTUPLE)
    {
        SAVE();
        Value v = ou_tuple_take(vm, &R[A], (size_t)D);
        if (UNLIKELY(v == V_NULL))
            goto error;
        R[A] = v;
        NEXT();
    }
    CASE(MKLIST)
    {
        SAVE();
        Value v = ou_list_take(vm, &R[A], (size_t)D);
        if (UNLIKELY(v == V_NULL))
            goto error;
        R[A] = v;
        NEXT();
    }
    CASE(LISTADD)
    {
        List *l = as_list(R[A]);
        Value v = B < frame_code(R)->nlocals ? retain(R[B]) : R[B];
        if (LIKELY(l->n < l->cap)) {
            l->items[l->n++] = v;
        } else {
            TRY(ou_list_append_take(vm, l, v));
        }
        NEXT();
    }

    /* ---- calls ---- */
#define PUSH_STACK_FRAME(code_, nR_, dist_)                                                                                      \
    do {                                                                                                                         \
        Value *newR = (nR_);                                                                                                     \
        newR[-1] = make_link(pc, (dist_));                                                                                       \
        for (unsigned k_ = (code_)->nargs; k_ < (code_)->nlocals; k_++)                                                          \
            newR[k_] = V_UNBOUND;                                                                                                \
        R = newR;                                                                                                                \
        pc = (code_)->code;                                                                                                      \
        NEXT();                                                                                                                  \
    } while (0)

    CASE(CALL_S)
    {
        Value f = R[A];
        if (UNLIKELY(!is_exact(f, T_FUNCTION)))
            goto slow_call;
        Code *c = as_function(f)->code;
        Value *nR = R + A + 2;
        if (UNLIKELY(c->callkey != C + 1))
            goto slow_call;
        if (UNLIKELY(nR + c->nregs > vm->stack_limit))
            goto slow_call;
        PUSH_STACK_FRAME(c, nR, A + 2);
    }
    CASE(CALLM_S)
    {
        Value f = R[A];
        if (UNLIKELY(!is_exact(f, T_FUNCTION) || R[A + 2] == V_UNBOUND))
            goto slow_callm;
        Code *c = as_function(f)->code;
        Value *nR = R + A + 2;
        if (UNLIKELY(c->callkey != C + 2))
            goto slow_callm;
        if (UNLIKELY(nR + c->nregs > vm->stack_limit))
            goto slow_callm;
        PUSH_STACK_FRAME(c, nR, A + 2);
    }
#define CALL_FROM_HEAP(label, extra)                                                                                             \
    {                                                                                                                            \
        Value f = R[A];                                                                                                          \
        unsigned n = C + (extra);                                                                                                \
        if (UNLIKELY(!is_exact(f, T_FUNCTION) || ((extra) && R[A + 2] == V_UNBOUND)))                                            \
            goto label;                                                                                                          \
        Code *c = as_function(f)->code;                                                                                          \
        Value *nR = vm->top + FRAME_DETACHED;                                                                                    \
        if (UNLIKELY(c->callkey != n + 1 || nR + c->nregs > vm->stack_limit))                                                    \
            goto label;                                                                                                          \
        nR[-4] = (Value)(uintptr_t)R;                                                                                            \
        nR[-3] = (Value)(uintptr_t)pc;                                                                                           \
        nR[-2] = f;                                                                                                              \
        for (unsigned k = 0; k < n; k++)                                                                                         \
            nR[k] = R[A + 2 + k];                                                                                                \
        nR[-1] = make_link(&ou_stubs[STUB_RETH], 0);                                                                             \
        for (unsigned k = n; k < c->nlocals; k++)                                                                                \
            nR[k] = V_UNBOUND;                                                                                                   \
        R = nR;                                                                                                                  \
        pc = c->code;                                                                                                            \
        NEXT();                                                                                                                  \
    }
    CASE(CALL_H) CALL_FROM_HEAP(slow_call, 0)
    CASE(CALLM_H) CALL_FROM_HEAP(slow_callm, 1)
#define CALL_GENERATOR(label, extra)                                                                                             \
    {                                                                                                                            \
        Value f = R[A];                                                                                                          \
        unsigned n = C + (extra);                                                                                                \
        if (UNLIKELY(!is_exact(f, T_FUNCTION) || ((extra) && R[A + 2] == V_UNBOUND)))                                            \
            goto label;                                                                                                          \
        Code *c = as_function(f)->code;                                                                                          \
        if (UNLIKELY(c->genkey != n + 1))                                                                                        \
            goto label;                                                                                                          \
        SAVE();                                                                                                                  \
        Value g = ou_gen_make(vm, as_function(f));                                                                               \
        if (UNLIKELY(g == V_NULL)) {                                                                                             \
            for (unsigned k = 0; k < n; k++)                                                                                     \
                release(vm, R[A + 2 + k]);                                                                                       \
            release(vm, f);                                                                                                      \
            goto error;                                                                                                          \
        }                                                                                                                        \
        Value *r = as_gen(g)->regs;                                                                                              \
        for (unsigned k = 0; k < n; k++)                                                                                         \
            r[k] = R[A + 2 + k];                                                                                                 \
        clear_locals(r, c, n);                                                                                                   \
        R[A] = g;                                                                                                                \
        RELEASE(f);                                                                                                              \
        NEXT();                                                                                                                  \
    }
    CASE(CALL_G) CALL_GENERATOR(slow_call, 0)
    CASE(CALLM_G) CALL_GENERATOR(slow_callm, 1)
    CASE(CALL_N)
    {
        Value f = R[A];
        if (UNLIKELY(!is_exact(f, T_NATIVE)))
            goto slow_call;
        Native *nf = (Native *)v_obj(f);
        if (UNLIKELY(nf->pass == PASS_BOUND || nf->self != V_NULL || C < nf->min || C > nf->max || vm->attention))
            goto slow_call;
        SAVE();
        Value v = LIKELY(nf->pass == PASS_GIVEN) ? nf->def->fn(vm, &R[A + 2], C) : ou_native_pass(vm, nf, &R[A + 2], C, 0);
        for (unsigned k = 0; k < C; k++)
            release(vm, R[A + 2 + k]);
        R[A] = v;
        RELEASE(f);
        if (UNLIKELY(v == V_NULL))
            goto error;
        NEXT();
    }
    CASE(CALL_A)
    {
        Value f = R[A], x = R[A + 2];
        if (UNLIKELY(!is_exact(f, T_NATIVE) || C != 1 || !is_obj(x)))
            goto L_CALL_N;
        uint32_t flags = ((Native *)v_obj(f))->def->flags;
        if ((flags & ND_LEN) && v_obj(x)->shape == T_LIST) {
            R[A] = v_smallint(as_list(x)->n);
            RELEASE(x);
            RELEASE(f);
            NEXT();
        }
        if ((flags & ND_ASKS) && (vm->shapes[v_obj(x)->shape]->type->flags & TF_HEAP)) {
            SAVE();
            int r = ou_ask_native(vm, R, pc, flags, x);
            if (r >= 0) {
                release(vm, x);
                release(vm, f);
                if (UNLIKELY(!r))
                    goto error;
                goto go_on;
            }
        }
        goto L_CALL_N;
    }
    CASE(CALLM_N)
    {
        Value f = R[A];
        if (UNLIKELY(!is_exact(f, T_METHOD_DESC) || R[A + 2] == V_UNBOUND))
            goto slow_callm;
        Native *nf = (Native *)v_obj(f);
        if (UNLIKELY(nf->pass == PASS_BOUND || C < nf->min || C > nf->max))
            goto slow_callm;
        SAVE();
        Value v = LIKELY(nf->pass == PASS_GIVEN) ? nf->def->fn(vm, &R[A + 2], C + 1) : ou_native_pass(vm, nf, &R[A + 3], C, 1);
        for (unsigned k = 0; k <= C; k++)
            release(vm, R[A + 2 + k]);
        R[A] = v;
        RELEASE(f);
        if (UNLIKELY(v == V_NULL))
            goto error;
        NEXT();
    }
    CASE(CALL_I)
    {
        /* C(args): the instance goes to R[A] and, as self, to R[A+3]; __init__ to R[A+1]; its None falls into R[A+1]. */
        Value cls = R[A];
        if (UNLIKELY(!is_obj(cls)))
            goto slow_call;
        SAVE();
        Value init;
        Value inst = ou_ctor_instance(vm, cls, C, R + A + 3, &init);
        if (UNLIKELY(inst == V_NULL)) {
            if (vm->exc != V_NULL) {
                for (unsigned k = 0; k < C; k++)
                    release(vm, R[A + 2 + k]);
                release(vm, cls);
                goto error;
            }
            goto slow_call;
        }
        Code *c = as_function(init)->code;
        Value *nR = R + A + 3;
        for (unsigned k = C; k-- > 0;)
            nR[k + 1] = R[A + 2 + k];
        R[A] = inst;
        nR[-2] = retain(init);
        nR[0] = retain(inst);
        nR[-1] = make_link(pc, A + 3);
        for (unsigned k = c->nargs; k < c->nlocals; k++)
            nR[k] = V_UNBOUND;
        R = nR;
        pc = c->code;
        RELEASE(cls);
        NEXT();
    }
    CASE(CALL)
slow_call:
{
    SAVE();
    Value *nR;
    switch (ou_call_slow(vm, R, pc, A, C, NULL, &nR)) {
    case CALL_DONE:
        NEXT();
    case CALL_FRAME:
        R = nR;
        pc = frame_code(R)->code;
        NEXT();
    case CALL_AGAIN:
        pc--;
        NEXT();
    default:
        goto error;
    }
}
    CASE(CALLM)
slow_callm:
{
    SAVE();
    Value *nR;
    switch (ou_callm_slow(vm, R, pc, A, C, NULL, &nR)) {
    case CALL_DONE:
        NEXT();
    case CALL_FRAME:
        R = nR;
        pc = frame_code(R)->code;
        NEXT();
    case CALL_AGAIN:
        pc--;
        NEXT();
    default:
        goto error;
    }
}
    CASE(CALLKW)
    CASE(CALLMKW)
    CASE(CALLEX)
    {
        SAVE();
        Value *nR;
        switch (ou_call_rare(vm, R, pc, &nR)) {
        case CALL_DONE:
            NEXT();
        case CALL_FRAME:
            R = nR;
            pc = frame_code(R)->code;
            NEXT();
        default:
            goto error;
        }
    }

    /* ---- return ---- */
#define SWEEP_LOCALS()                                                                                                           \
    do {                                                                                                                         \
        const Code *c_ = frame_code(R);                                                                                          \
        for (Value *p_ = R, *e_ = R + c_->nlocals; p_ < e_; p_++) {                                                              \
            Value l_ = *p_;                                                                                                      \
            if (is_obj(l_)) {                                                                                                    \
                *p_ = V_NONE;                                                                                                    \
                if (--v_obj(l_)->refs == 0) {                                                                                    \
                    SAVE();                                                                                                      \
                    ou_dealloc(vm, v_obj(l_));                                                                                   \
                }                                                                                                                \
            }                                                                                                                    \
        }                                                                                                                        \
    } while (0)
    Value result;
    CASE(RETURN)
    {
        if (UNLIKELY(frame_code(R)->watched)) {
            SAVE();
            if (frames_watched(vm))
                ou_frame_left(vm, R, pc, NULL);
            result = R[A];
            R[A] = V_NONE;
            if (frame_is_heap(R))
                goto do_return_gen;
            goto do_return;
        }
        ins_rewrite(pc - 1, (i & ~UINT64_C(255)) | (frame_is_heap(R) ? OP_RETURN_G : OP_RETURN_S));
        pc--;
        NEXT();
    }
    CASE(RETURNP)
    {
        if (UNLIKELY(frame_code(R)->watched)) {
            SAVE();
            if (frames_watched(vm))
                ou_frame_left(vm, R, pc, NULL);
            result = (uint32_t)D;
            if (frame_is_heap(R))
                goto do_return_gen;
            goto do_return;
        }
        ins_rewrite(pc - 1, (i & ~UINT64_C(255)) | (frame_is_heap(R) ? OP_RETURNP_G : OP_RETURNP_S));
        pc--;
        NEXT();
    }
    CASE(RETURNP_S)
    result = (uint32_t)D;
    goto do_return;
    CASE(RETURN_S)
    result = R[A];
    R[A] = V_NONE;
do_return:
{
    SWEEP_LOCALS();
    Value fn = R[-2], link = R[-1];
    R[-2] = result;
    R -= link >> LINK_SHIFT;
    pc = link_pc(link);
    RELEASE(fn);
    NEXT();
}
    CASE(HALT)
    {
        *out = R[-2];
        return RUN_RETURN;
    }
    CASE(RETH)
    {
        Value v = R[-2];
        Value *callerR = (Value *)(uintptr_t)R[-4];
        pc = (const Ins *)(uintptr_t)R[-3];
        vm->top = R - FRAME_DETACHED;
        R = callerR;
        R[INS_A(pc[-1])] = v;
        NEXT();
    }
    CASE(RETH_INIT)
    {
        Value *callerR = (Value *)(uintptr_t)R[-4];
        pc = (const Ins *)(uintptr_t)R[-3];
        vm->top = R - FRAME_DETACHED;
        R = callerR;
        NEXT();
    }
    CASE(RETV)
    {
        Value v = R[-2];
        pc = (const Ins *)(uintptr_t)R[-3];
        vm->top = R - FRAME_DETACHED;
        R = (Value *)(uintptr_t)R[-4];
        i = pc[-1];
        pc += ou_op_words[INS_OP(i)] - 1;
        if (A < frame_code(R)->nlocals)
            SET(A, v);
        else
            R[A] = v;
        NEXT();
    }
    CASE(ANSWER)
    {
        Value v = R[-2];
        pc = (const Ins *)(uintptr_t)R[-3];
        vm->top = R - FRAME_DETACHED;
        R = (Value *)(uintptr_t)R[-4];
        Ins stub = i;
        i = pc[-1];
        if (LIKELY(v != V_NOTIMPL)) { /* ou_answer for the most frequent */
            unsigned nl = frame_code(R)->nlocals;
            if (INS_A(stub) == ASK_NEXT) {
                if (B < nl)
                    SET(B, v);
                else
                    R[B] = v;
                NEXT();
            }
            if (INS_A(stub) == ASK_OPERATOR && !(INS_OP(i) >= OP_ADDI && INS_OP(i) <= OP_XORI)) {
                Value a = B < nl ? V_NONE : R[B], b = C < nl ? V_NONE : R[C];
                if (A < nl)
                    SET(A, v);
                else
                    R[A] = v;
                RELEASE(a);
                RELEASE(b);
                NEXT();
            }
        }
        GO(ou_answer(vm, R, pc, stub, v));
    }
    CASE(RETURNP_G)
    result = (uint32_t)D;
    goto do_return_gen;
    CASE(RETURN_G)
    result = R[A];
    R[A] = V_NONE;
do_return_gen:
{
    Gen *g = gen_of(R);
    SWEEP_LOCALS();
    if (g->flags & GEN_F_LINKED) {
        Gen *w = g->up.awaiter;
        SAVE();
        g->state = GEN_CLOSED;
        g->up.awaiter = NULL;
        g->flags &= ~GEN_F_LINKED;
        bool agen = g->kind == T_ASYNC_GENERATOR;
        Value fn = ou_gen_drop_fn(g);
        R = w->regs;
        pc = w->pc;
        w->state = GEN_RUNNING;
        SAVE();
        Value *dest = &R[INS_A(pc[-1])];
        Value child = *dest;
        if (agen) {
            release(vm, fn);
            ou_agen_done(vm, child);
            release(vm, child);
            ou_raise_args(vm, E_STOP_ASYNC_ITERATION, NULL, 0);
            goto error;
        }
        *dest = result;
        release(vm, fn);
        RELEASE(child);
        NEXT();
    }
    /* a root: back to its driver */
    Value *ret_R = g->up.ret_R;
    const Ins *ret_pc = g->ret_pc;
    SAVE();
    ou_gen_leave(vm, g, true);
    Value fn = ou_gen_drop_fn(g);
    if (ret_R) {
        R = ret_R;
        pc = ret_pc;
        SAVE();
        release(vm, fn);
        release(vm, result);
        i = pc[-1];
        RELEASE(R[A]); /* FORITER: the exhausted generator */
        pc += D;
        NEXT();
    }
    *out = result;
    vm->R = NULL;
    release(vm, fn);
    return RUN_RETURN;
}

    /* ---- generators and coroutines ---- */
    CASE(YIELD)
    {
        Gen *g = gen_of(R);
        Value v = B < frame_code(R)->nlocals ? retain(R[B]) : R[B];
        g->pc = pc;
        g->state = GEN_SUSPENDED;
        if (C && (g->flags & GEN_F_LINKED)) { /* async generator: the value is the result of the consumer's await */
            Gen *w = g->up.awaiter;
            g->up.awaiter = NULL;
            g->flags &= ~GEN_F_LINKED;
            g->inner = g;
            R = w->regs;
            pc = w->pc;
            w->state = GEN_RUNNING;
            Value *dest = &R[INS_A(pc[-1])];
            Value child = *dest;
            *dest = v;
            SAVE();
            ou_agen_done(vm, child);
            release(vm, child);
            NEXT();
        }
        if (LIKELY(vm->root == g && vm->handled == V_NONE && !C)) { /* ou_gen_leave, likewise */
            Value *to = g->up.ret_R;
            vm->root = g->inner;
            g->inner = g;
            g->flags &= ~GEN_F_DRIVEN;
            g->up.ret_R = NULL;
            vm->handled = g->handled;
            g->handled = V_UNBOUND;
            if (!to) {
                *out = v;
                return RUN_YIELD;
            }
            R = to;
            pc = g->ret_pc;
            i = pc[-1]; /* FORITER A B */
            if (B < frame_code(R)->nlocals)
                SET(B, v);
            else
                R[B] = v;
            NEXT();
        }
        result = v;
        goto suspend;
    }
suspend: /* the frame of R (g->pc, g->state are set) yields `result` to the driver of the root */
{
    Gen *root = vm->root;
    Value *ret_R = root->up.ret_R;
    const Ins *ret_pc = root->ret_pc;
    Gen *g = gen_of(R);
    ou_gen_leave(vm, root, false);
    root->inner = g;
    if (ret_R) {
        R = ret_R;
        pc = ret_pc;
        i = pc[-1]; /* FORITER A B */
        if (B < frame_code(R)->nlocals)
            SET(B, result);
        else
            R[B] = result;
        NEXT();
    }
    *out = result;
    return RUN_YIELD;
}
    CASE(GETAWAIT)
    {
        Value o = R[B];
        if (is_exact(o, T_COROUTINE) && A == B) {
            Gen *c = as_gen(o);
            if (LIKELY(c->state == GEN_CREATED))
                NEXT();
        }
        TRY(ou_slow_misc(vm, R, pc));
        NEXT();
    }
    CASE(AWAIT)
    {
        Value o = R[A];
        Gen *g = gen_of(R);
        if (LIKELY(is_exact(o, T_COROUTINE) && as_gen(o)->state == GEN_CREATED)) {
            Gen *child = as_gen(o);
            child->depth = g->depth + 1;
            if (UNLIKELY(child->depth > vm->await_limit || vm->attention)) {
                SAVE();
                if (child->depth > vm->await_limit)
                    ou_raise_recursion(vm, NULL);
                else if (ou_safepoint(vm))
                    goto link_child;
                release(vm, o);
                goto error;
            }
        link_child:
            child->up.awaiter = g;
            child->flags |= GEN_F_LINKED;
            child->state = GEN_RUNNING;
            g->pc = pc;
            g->state = GEN_SUSPENDED;
            R = child->regs;
            pc = frame_code(R)->code;
            NEXT();
        }
        SAVE();
        Gen *child;
        switch (ou_await_begin(vm, R, pc, &child)) {
        case AWAIT_VALUE: /* R[A] is the result */
            NEXT();
        case AWAIT_FRAME: /* child was linked to g: continue in it */
            R = child->regs;
            if (child->state == GEN_CREATED) {
                pc = frame_code(R)->code;
            } else {
                pc = child->pc;
                R[INS_A(pc[-1])] = vm->ret;
                vm->ret = V_NONE;
            }
            child->state = GEN_RUNNING;
            NEXT();
        case AWAIT_SUSPEND:
            if (child) { /* a generator that was linked as it stood, waiting for something itself */
                R = child->regs;
            } else {
                g->pc = pc;
                g->state = GEN_SUSPENDED;
            }
            result = vm->ret;
            vm->ret = V_NONE;
            goto suspend;
        case AWAIT_THROW: /* linked to a child frame that has to raise vm->exc */
            R = child->regs;
            pc = child->pc;
            child->state = GEN_RUNNING;
            goto error;
        default:
            goto error;
        }
    }

    /* ---- everything else ---- */
    CASE(GETITER)
    CASE(DELCELL)
    CASE(DELFREE)
    CASE(MKCELL)
    CASE(TAKEFAR)
    CASE(MKFAR)
    CASE(GETCLASSFREE)
    CASE(DELGLOBAL)
    CASE(DELATTR)
    CASE(DELITEM)
    CASE(MKSLICE)
    CASE(SUPERATTR)
    CASE(NEG)
    CASE(POS)
    CASE(INVERT)
    CASE(IN)
    CASE(UNPACKEX)
    CASE(UNPACKFAR)
    CASE(MKSET)
    CASE(MKDICT)
    CASE(MKSTR)
    CASE(LISTEXTEND)
    CASE(SETADD)
    CASE(SETUPDATE)
    CASE(DICTADD)
    CASE(DICTUPDATE)
    CASE(DICTMERGE)
    CASE(LISTTUPLE)
    CASE(FORMAT)
    CASE(MKFUNC)
    CASE(BUILDCLASS)
    CASE(PUSHEXC)
    CASE(POPEXC)
    CASE(EGMATCH)
    CASE(EGRERAISE)
    CASE(WITHENTER)
    CASE(WITHEXC)
    CASE(ASSERTERR)
    CASE(GETYIELDFROM)
    CASE(GETAITER)
    CASE(GETANEXT)
    CASE(IMPORTNAME)
    CASE(IMPORTFROM)
    CASE(IMPORTSTAR)
    CASE(MATCHSEQ)
    CASE(MATCHMAP)
    CASE(MATCHLEN)
    CASE(MATCHKEYS)
    CASE(MATCHREST)
    CASE(MATCHCLASS)
    CASE(SETUPANN)
    CASE(PRINTEXPR)
    CASE(TYPEPARAM)
    CASE(TYPEALIAS)
    CASE(GENERICBASE)
    GO(ou_slow_misc(vm, R, pc));
    CASE(RAISE)
    {
        SAVE();
        if (ou_do_raise(vm, R, i))
            goto reraise;
        goto error;
    }
    CASE(RERAISE)
    {
        SAVE();
        Value e = A < frame_code(R)->nlocals ? retain(R[A]) : R[A];
        ou_exc_restore(vm, e);
        goto reraise;
    }
    CASE(ENDASYNCFOR)
    {
        SAVE();
        Value e = R[A];
        if (ou_is_a(vm, e, E_STOP_ASYNC_ITERATION)) {
            release(vm, e);
            NEXT();
        }
        ou_exc_restore(vm, e);
        goto reraise;
    }
    CASE(EXCMATCH)
    {
        SAVE();
        Value cls = R[B];
        int t = ou_exc_match(vm, R[A], cls);
        consume(vm, R, B);
        if (UNLIKELY(t < 0))
            goto error;
        if (!t)
            pc += D;
        NEXT();
    }

error: /* an exception raised by pc[-1] of this frame, or by what it called */
    SAVE();
    if (vm->exc == V_NULL)
        ou_raise(vm, E_SYSTEM, "a native function failed without setting an exception");
    ou_exc_here(vm, R, pc);
reraise:
    SAVE();
    {
        Value *to_R = R; /* copies: R and pc must stay in registers */
        const Ins *to_pc = pc;
        if (!ou_unwind(vm, &to_R, &to_pc)) {
            *out = V_NULL;
            return RUN_ERROR;
        }
        R = to_R;
        pc = to_pc;
    }
    NEXT();
}
