/* What the files of the evaluator share. May be included by vm/ only.
 *
 * Stack frame: R[-2] function (owned), R[-1] link = return pc (48 bits) + distance to the caller's R (16 bits), then the
 * registers. Arguments are already where the callee wants them: its R is the caller's R + A + 2.
 * Detached frame (called from C or from a heap frame, where no overlap is possible): its link has distance 0 and the address
 * of a stub instruction; R[-4] is the caller's R, R[-3] the caller's pc.
 * Everywhere `pc` points behind the running instruction's first word: pc[-1] is the instruction. */
#ifndef OU_EVAL_H
#define OU_EVAL_H

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/func.h"
#include "runtime/objects/names.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"
#include "vm/coro.h"

typedef enum OpCode {
#define OP(name, words, operands, doc) OP_##name,
#include "vm/opcodes.def"
    OP_COMPILER_END,
    OP_BEFORE_SPECIAL = OP_COMPILER_END - 1,
#include "vm/special.def"
#undef OP
    OP_COUNT
} OpCode;

#define INS_OP(i) ((uint8_t)(i))
#define INS_A(i) ((uint8_t)((i) >> 8))
#define INS_B(i) ((uint8_t)((i) >> 16))
#define INS_C(i) ((uint8_t)((i) >> 24))
#define INS_BC(i) ((uint16_t)((i) >> 16))
#define INS_D(i) ((int32_t)((i) >> 32))

#define LINK_PC UINT64_C(0x0000FFFFFFFFFFFF)
#define LINK_SHIFT 48
enum { STACK_SLACK = 1024, FRAME_DETACHED = 4, SOFT_LIMIT_FIRST = 1900 /* fewer than 1000 frames */ };

static inline Function *frame_fn(const Value *R) { return (Function *)v_obj(R[-2]); }
static inline Code *frame_code(const Value *R) { return frame_fn(R)->code; }
static inline bool frame_is_heap(const Value *R) { return (frame_code(R)->flags & CO_HEAP_FRAME) != 0; }
static inline Gen *gen_of(Value *R) { return (Gen *)((char *)R - offsetof(Gen, regs)); }
static inline uint64_t make_link(const Ins *pc, size_t dist) { return (uint64_t)(uintptr_t)pc | (uint64_t)dist << LINK_SHIFT; }
static inline const Ins *link_pc(Value link) { return (const Ins *)(uintptr_t)(link & LINK_PC); }
static inline bool ins_is(const Ins *pc, OpCode op) { return INS_OP(*pc) == op; }
static inline void ins_rewrite(const Ins *pc, Ins i) { *(Ins *)(uintptr_t)pc = i; }

/* Free stack above the current frame. */
static inline Value *stack_free(VM *vm)
{
    if (!vm->R)
        return vm->top;
    if (frame_is_heap(vm->R))
        return vm->top;
    Value *p = vm->R + frame_code(vm->R)->nregs;
    return p < vm->stack_floor ? vm->stack_floor : p;
}

typedef enum RunResult { RUN_RETURN, RUN_YIELD, RUN_ERROR } RunResult;

extern const Ins ou_stubs[5]; /* HALT, RETH, RETH_INIT, RETV */
enum { STUB_HALT, STUB_RETH, STUB_RETH_INIT, STUB_RETV };

/* eval.c: runs frames from R, pc until the entry frame returns, the generator driven from C suspends or ends, or an exception
 * leaves it. `raise`: start by unwinding vm->exc from there. */
RunResult ou_run(VM *vm, Value *R, const Ins *pc, bool raise, Value *out);

/* unwind.c: finds the handler of vm->exc for the frame R at pc[-1], popping frames. false: the exception leaves this
 * activation of the evaluator. */
bool ou_unwind(VM *vm, Value **R, const Ins **pc);
void ou_release_frame_locals(VM *vm, Value *R, const Code *c);

/* frame.c: an activation ends, its locals are still there: its Frame takes copies if somebody holds it. `leaving`: the traceback entry of
 * the exception that leaves it, or NULL. To be called when the code is watched and frames_watched(). */
void ou_frame_left(VM *vm, Value *R, const Ins *pc, Traceback *leaving);
bool ou_frame_running(VM *vm, const Value *R, FrameRef *ref); /* the activation with these registers, if this thread's stack has it */
void ou_frame_caught(VM *vm, Value *R, Traceback *tb); /* the frame has caught the exception that the entry belongs to */
Frame *ou_frame_find(VM *vm, const Value *R);          /* the live Frame with these registers, borrowed; NULL: none */
static inline bool frames_watched(const VM *vm) { return (vm->frames.n | vm->ncaught) != 0; }

/* bind_args.c: parameters from arguments. src[0..n + kw) are owned and are moved or released in any case; dest may be src. */
bool ou_bind_function(VM *vm, Function *fn, Value *src, int n, Tuple *kwnames, Value *dest);
bool ou_code_prepare(VM *vm, Code *c); /* before the first call: false raised */
extern const uint8_t ou_op_words[OP_COUNT];

/* call.c */
bool ou_stack_check(VM *vm, Value *need); /* slow way of "need > stack_limit": attention, recursion limit; false: raised */
Value ou_gen_make(VM *vm, Function *fn);  /* a fresh generator object of fn's kind, registers unset */
void ou_coro_note_origin(VM *vm, Gen *g); /* sys.set_coroutine_origin_tracking_depth: remembers the stack */
Value ou_callee_text(VM *vm, Value f);    /* "f()" for messages */
enum { CALL_ERROR, CALL_DONE, CALL_FRAME, CALL_AGAIN };
/* The general CALL (window at R[a], n arguments, then keyword values for kwnames). CALL_FRAME: *nR is a new frame ready to run;
 * CALL_AGAIN: the instruction was rewritten, nothing is consumed; CALL_DONE: the result is stored. */
int ou_call_slow(VM *vm, Value *R, const Ins *pc, unsigned a, unsigned n, Tuple *kwnames, Value **nR);
int ou_callm_slow(VM *vm, Value *R, const Ins *pc, unsigned a, unsigned n, Tuple *kwnames, Value **nR);
int ou_call_rare(VM *vm, Value *R, const Ins *pc, Value **nR); /* CALLKW, CALLMKW, CALLEX */
/* For CALL_I: a new instance of cls if its construction is "allocate, then plain script __init__ of n arguments that returns
 * None" and the stack has room for its frame at base; V_NULL without exception: it is not. *init is borrowed. */
Value ou_ctor_instance(VM *vm, Value cls, unsigned n, Value *base, Value *init);
bool ou_do_raise(VM *vm, Value *R, Ins i); /* true: what was being handled is raised again, its traceback stays */
void ou_exc_here(VM *vm, Value *R, const Ins *pc); /* adds the traceback entry of the running instruction to vm->exc */

/* coro.c */
enum { AWAIT_ERROR, AWAIT_VALUE, AWAIT_FRAME, AWAIT_SUSPEND, AWAIT_THROW };
/* AWAIT of anything but a fresh coroutine: see eval.c. vm->ret carries the yielded value or what a child frame is sent. */
int ou_await_begin(VM *vm, Value *R, const Ins *pc, Gen **child);
void ou_agen_done(VM *vm, Value child); /* an asend/athrow object or the generator itself: its value was delivered */
GenResult ou_leaf_step(VM *vm, Value leaf, Value value, Value exc, Value *out);
void ou_gen_mark_closed(VM *vm, Gen *g);
bool ou_gen_enter(VM *vm, Gen *root, Gen **inner); /* start driving: depth check, links vm->root, swaps vm->handled; false: raised */
bool ou_gen_next_quick(VM *vm, Gen *g, GenResult *result, Value *out);
void ou_gen_leave(VM *vm, Gen *root, bool finished); /* the reverse; finished: marks it closed */
void ou_agen_hooks(VM *vm, Gen *g);
Value ou_async_gen_anext(VM *vm, Value agen);

/* type_generator.c: shared with type_asyncgen.c */
Value ou_gen_repr(VM *vm, Value self);
bool ou_gen_is_running(Gen *g);
Value ou_gen_get_name(VM *vm, Value self);
Value ou_gen_get_qualname(VM *vm, Value self);
bool ou_gen_set_name(VM *vm, Value self, Value v);
bool ou_gen_set_qualname(VM *vm, Value self, Value v);
Value ou_gen_get_code(VM *vm, Value self);
Value ou_gen_get_frame(VM *vm, Value self);
void ou_gen_finalize_slot(VM *vm, Obj *o);
void ou_gen_dealloc(VM *vm, Obj *o);
void ou_gen_traverse(VM *vm, Obj *o, VisitFn visit, void *arg);
void ou_gen_clear(VM *vm, Obj *o);

/* dunder.c: what a frame that an instruction has pushed was asked (A of its stub ANSWER; B: the step). Each function that returns
 * true has left in vm->R and vm->pc where to go on; false: raised. */
extern const Ins ou_ask_stubs[][3];
enum {
    ASK_OPERATOR, /* a value or NotImplemented */
    ASK_COMPARE,
    ASK_BOOL,     /* __bool__ */
    ASK_LEN,      /* __len__, for the truth of it */
    ASK_TRUTH,    /* anything: its truth counts */
    ASK_SIZE,     /* __len__, for builtin len */
    ASK_ITER,     /* an iterator */
    ASK_NEXT,     /* the next item; StopIteration ends the loop */
    ASK_ATTR,     /* __getattr__, __getattribute__: the attribute */
    ASK_DONE,     /* nothing */
    ASK_COUNT
};
bool ou_ask_operator(VM *vm, Value *R, const Ins *pc, unsigned at);
bool ou_ask_compare(VM *vm, Value *R, const Ins *pc, unsigned at);
bool ou_ask_truth(VM *vm, Value *R, const Ins *pc, Value v); /* takes v */
/* 1: the frame is pushed, the caller consumes the operands and goes on there; 0: raised; -1: no script method, ask from C. */
int ou_ask_unary(VM *vm, Value *R, const Ins *pc, Value o, NameId name);
int ou_ask_iter(VM *vm, Value *R, const Ins *pc, Value o);
int ou_ask_next(VM *vm, Value *R, const Ins *pc, Value it);
int ou_ask_contains(VM *vm, Value *R, const Ins *pc, Value o, Value x);
int ou_ask_setitem(VM *vm, Value *R, const Ins *pc, Value o, Value k, Value v); /* v V_NULL: __delitem__ */
int ou_ask_native(VM *vm, Value *R, const Ins *pc, uint32_t flags, Value x);     /* what a builtin of ND_ASKS asks */
int ou_ask_setattr(VM *vm, Value *R, const Ins *pc, Value o, Str *name, Value v); /* v V_NULL: __delattr__ */
/* The attribute of an object whose class may have attribute hooks: 1 (o stays in its register for now), 0 or, from C, -1 and *v. */
int ou_ask_getattr(VM *vm, Value *R, const Ins *pc, Value o, Str *name, Value *v);
bool ou_answer(VM *vm, Value *R, const Ins *pc, Ins stub, Value v);             /* takes v */
/* vm->exc has left a frame that the instruction at (*pc)[-1] had pushed. true: that was an answer, *pc says where to go on. */
bool ou_ask_failed(VM *vm, Value *R, const Ins **pc, Ins stub);

/* slow.c: the general form of instructions; they consume temporaries, store the result and may rewrite the instruction.
 * false: raised. Those marked + leave in vm->R and vm->pc where to go on: here or in a frame that they have pushed. */
enum { SLOW_RAISED = -1, SLOW_FALSE, SLOW_TRUE, SLOW_GO /* where vm->R and vm->pc say */ };
BinOp ou_binop_of(Ins i, bool *inplace); /* ADD .. MATMUL, ADDI .. XORI and their special forms */
bool ou_slow_binary(VM *vm, Value *R, const Ins *pc);     /* + */
bool ou_slow_binary_imm(VM *vm, Value *R, const Ins *pc); /* + */
bool ou_slow_compare(VM *vm, Value *R, const Ins *pc);    /* + */
int ou_slow_jcompare(VM *vm, Value *R, const Ins *pc);    /* SLOW_*: truth of the comparison */
int ou_slow_jcompare_imm(VM *vm, Value *R, const Ins *pc);
bool ou_slow_getglobal(VM *vm, Value *R, const Ins *pc);
bool ou_slow_setglobal(VM *vm, Value *R, const Ins *pc);
bool ou_slow_getname(VM *vm, Value *R, const Ins *pc);
bool ou_slow_setname(VM *vm, Value *R, const Ins *pc);
bool ou_slow_delname(VM *vm, Value *R, const Ins *pc);
int ou_slow_getattr(VM *vm, Value *R, const Ins *pc);      /* SLOW_*, but SLOW_FALSE */
int ou_slow_setattr(VM *vm, Value *R, const Ins *pc);
int ou_slow_getmethod(VM *vm, Value *R, const Ins *pc);
bool ou_slow_getitem(VM *vm, Value *R, const Ins *pc);
bool ou_slow_setitem(VM *vm, Value *R, const Ins *pc);     /* + */
int ou_slow_foriter(VM *vm, Value *R, const Ins *pc);      /* SLOW_*: value stored; exhausted, the iterator is released */
int ou_slow_truth(VM *vm, Value *R, const Ins *pc);        /* SLOW_*: of JUMPT .. JUMPFK */
bool ou_slow_unpack(VM *vm, Value *R, const Ins *pc);
bool ou_slow_misc(VM *vm, Value *R, const Ins *pc);        /* + every rarer instruction */
void ou_poly_fini(VM *vm);
void ou_poly_forget(VM *vm); /* code is freed: its addresses may be used again */
Str *ou_site_name(Value *R, const Ins *pc);                /* name of the instruction at pc[-1] */

Dict *ou_gen_extra(VM *vm, Gen *g); /* Gen.extra as a dict: name, qualname, code, origin, finalizer. Borrowed; NULL: raised */
/* A frame that has ended lets go of its function, but remembers its code, or where the function was renamed the name that its
 * repr shows. The caller releases the result. */
static inline Value ou_gen_drop_fn(Gen *g)
{
    Value fn = g->fn;
    g->fn = V_NONE;
    if (g->extra == V_NULL && is_exact(fn, T_FUNCTION)) {
        const Function *f = as_function(fn);
        g->extra = retain(f->qualname == f->code->qualname && f->name == f->code->name ? v_of(f->code) : v_of(f->qualname));
    }
    return fn;
}

/* ou_type_of, without a call for objects. */
static inline Type *type_of(VM *vm, Value v) { return is_obj(v) ? vm->shapes[v_obj(v)->shape]->type : ou_type_of(vm, v); }

static inline void put(VM *vm, Value *R, uint8_t a, Value v) /* write a register of either kind */
{
    if (a < frame_code(R)->nlocals) {
        Value old = R[a];
        R[a] = v;
        release(vm, old);
    } else {
        R[a] = v;
    }
}
static inline void consume(VM *vm, Value *R, uint8_t r)
{
    if (r >= frame_code(R)->nlocals)
        release(vm, R[r]);
}

#endif
