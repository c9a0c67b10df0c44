/* Script methods that instructions stand on (__add__, __eq__, __next__, __bool__ ...) run as frames, so that they never recurse
 * on the C stack. The instruction pushes a frame that returns to the stub ANSWER, whose operands say what was asked; ou_answer
 * then does what the instruction does with the result, which may be to ask somebody else.
 * Entries: ou_ask_* from slow.c and misc.c, ou_answer from the evaluator, ou_ask_failed from the unwinder.
 *
 * The one thing to know: while an operator, a comparison or an attribute waits for its answer the operands stay where they are, in
 * the registers of the instruction: the next one to be asked and the error need them. All others have consumed theirs; the frame
 * owns its arguments. The instruction may have been rewritten meanwhile: only A, B and C are sure. */
#include "runtime/objects/dunder.h"
#include "runtime/objects/numbers.h"
#include "vm/code.h"
#include "vm/eval.h"

#define A INS_A(i)
#define B INS_B(i)
#define C INS_C(i)
#define D INS_D(i)

#define STUBS(kind) {OP_ANSWER | (kind) << 8, OP_ANSWER | (kind) << 8 | 1 << 16, OP_ANSWER | (kind) << 8 | 2 << 16}
const Ins ou_ask_stubs[ASK_COUNT][3] = {
    [ASK_OPERATOR] = STUBS(ASK_OPERATOR), [ASK_COMPARE] = STUBS(ASK_COMPARE), [ASK_BOOL] = STUBS(ASK_BOOL),
    [ASK_LEN] = STUBS(ASK_LEN),           [ASK_TRUTH] = STUBS(ASK_TRUTH),     [ASK_ITER] = STUBS(ASK_ITER),
    [ASK_SIZE] = STUBS(ASK_SIZE),         [ASK_NEXT] = STUBS(ASK_NEXT),       [ASK_ATTR] = STUBS(ASK_ATTR),
    [ASK_DONE] = STUBS(ASK_DONE),
};
#define STUB(kind) (&ou_ask_stubs[kind][0])

/* The method of a class made by a script, if it is a function. Borrowed. */
static Value script_method(VM *vm, Value o, NameId name)
{
    if (!is_obj(o))
        return V_NULL;
    Type *t = type_of(vm, o);
    Value f = t->flags & TF_HEAP ? ou_type_lookup(vm, t, name_of(vm, name)) : V_NULL;
    return f != V_NULL && is_exact(f, T_FUNCTION) ? f : V_NULL;
}

/* Pushes a frame of f above what the running one uses. f V_NULL or one whose frame lives in a generator: ASK_C, it is called
 * from C; the arguments are borrowed. */
enum { ASK_RAISED, ASK_PUSHED, ASK_C };
static inline int push(VM *vm, Value *R, const Ins *pc, Value f, const Ins *stub, unsigned n, Value a0, Value a1, Value a2)
{
    if (f == V_NULL)
        return ASK_C;
    Function *fn = as_function(f);
    Code *c = fn->code;
    if (!c->callkey && !ou_code_prepare(vm, c))
        return ASK_RAISED;
    if (c->flags & CO_HEAP_FRAME)
        return ASK_C;
    Value *nR = (frame_is_heap(R) ? vm->top : R + frame_code(R)->nregs) + FRAME_DETACHED;
    retain(f);
    if (nR + c->nregs + n > vm->stack_limit && !ou_stack_check(vm, nR + c->nregs + n)) {
        release(vm, f);
        return ASK_RAISED;
    }
    nR[0] = retain(a0);
    if (n > 1)
        nR[1] = retain(a1);
    if (n > 2)
        nR[2] = retain(a2);
    if (c->callkey == n + 1) {
        for (unsigned k = n; k < c->nlocals; k++)
            nR[k] = V_UNBOUND;
    } else if (!ou_bind_function(vm, fn, nR, (int)n, NULL, nR)) {
        release(vm, f);
        return ASK_RAISED;
    }
    nR[-4] = (Value)(uintptr_t)R;
    nR[-3] = (Value)(uintptr_t)pc;
    nR[-2] = f;
    nR[-1] = make_link(stub, 0);
    vm->R = nR;
    vm->pc = c->code;
    return ASK_PUSHED;
}

/* ---- what instructions do with an answer ---- */

/* Operators and comparisons: consumes the operands, by the letters of opcodes.def. */
static void drop_operands(VM *vm, Value *R, Ins i)
{
    const char *letters = ou_op_info[INS_OP(i)].operands;
    unsigned nl = frame_code(R)->nlocals;
    for (int k = 0; k < 3; k++) {
        uint8_t r = (uint8_t)(i >> (8 + 8 * k));
        if (letters[k] == 'r' && r >= nl)
            release(vm, R[r]);
    }
}

static bool finish(VM *vm, Value *R, const Ins *pc, Value v)
{
    drop_operands(vm, R, pc[-1]);
    if (v == V_NULL)
        return false;
    put(vm, R, INS_A(pc[-1]), v);
    return true;
}

static bool is_jump(Ins i) { return ou_op_info[INS_OP(i)].operands[3] == 'j'; }

/* The instruction has learned a truth: it jumps or stores it. */
static bool decide(VM *vm, Value *R, const Ins *pc, bool t)
{
    Ins i = pc[-1];
    uint8_t op = INS_OP(i);
    if (!is_jump(i)) {
        put(vm, R, A, v_bool(op == OP_NOT ? !t : op == OP_IN ? t != (D != 0) : t));
        return true;
    }
    bool hit;
    switch (op) {
    case OP_JUMPT: hit = t; break;
    case OP_JUMPF: hit = !t; break;
    case OP_JUMPTK:
    case OP_JUMPFK:
        hit = t == (op == OP_JUMPTK);
        if (!hit)
            consume(vm, R, A);
        break;
    default: hit = op >= OP_JLTI && op <= OP_JGEI ? t : op >= OP_JNLTI && op <= OP_JNGEI ? !t : t == (C != 0);
    }
    if (hit) {
        if (D < 0 && vm->attention && !ou_safepoint(vm))
            return false;
        vm->pc = pc + D;
    }
    return true;
}

/* JUMPTK and JUMPFK hold on to what they test. */
static bool undecided(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    if (INS_OP(i) == OP_JUMPTK || INS_OP(i) == OP_JUMPFK)
        consume(vm, R, A);
    return false;
}

bool ou_ask_truth(VM *vm, Value *R, const Ins *pc, Value v)
{
    if (v == V_TRUE || v == V_FALSE)
        return decide(vm, R, pc, v == V_TRUE);
    const Slots *s = &ou_type_of(vm, v)->slots;
    Value f = s->truth ? script_method(vm, v, N_DU_bool) : s->len ? script_method(vm, v, N_DU_len) : V_NULL;
    int t = push(vm, R, pc, f, s->truth ? STUB(ASK_BOOL) : STUB(ASK_LEN), 1, v, 0, 0);
    if (t == ASK_PUSHED) {
        release(vm, v);
        return true;
    }
    t = t == ASK_C ? ou_truth(vm, v) : -1;
    release(vm, v);
    return t < 0 ? undecided(vm, R, pc) : decide(vm, R, pc, t);
}

/* ---- operators ---- */

/* Whom an operator asks, in order: the rules of binary_slots (ops.c) and binary_by_name (slots.c) as one list. */
enum { ASK_LEFT = DUNDER_LEFT, ASK_RIGHT = DUNDER_RIGHT, ASK_INPLACE = DUNDER_INPLACE, SLOT_LEFT, SLOT_RIGHT };

static unsigned plan_operator(VM *vm, BinOp op, bool inplace, Value a, Value b, uint8_t *steps)
{
    Type *ta = type_of(vm, a), *tb = type_of(vm, b);
    Value (*script)(VM *, Value, Value) = ou_slot_script_binary[op];
    Value (*fa)(VM *, Value, Value) = ta->slots.binary[op];
    Value (*fb)(VM *, Value, Value) = ta == tb ? NULL : tb->slots.binary[op];
    unsigned n = 0;
    if (inplace && ta->slots.inplace[op]) {
        if (ou_right_before_inplace(op, ta, tb)) {
            steps[0] = ASK_RIGHT;
            steps[1] = ASK_INPLACE;
            return 2;
        }
        steps[n++] = ASK_INPLACE;
    }
    uint8_t left = fa == script ? ASK_LEFT : SLOT_LEFT, right = fb == script ? ASK_RIGHT : SLOT_RIGHT;
    if ((fa == fb && fa != script) || (inplace && op == BIN_MUL && ou_left_decides(vm, ta, tb)))
        fb = NULL;
    if (fa && fb && ou_is_subtype(tb, ta) && (fa != fb || ou_is_overloaded(vm, ta, tb, ou_operator_names[op][DUNDER_RIGHT]))) {
        steps[n++] = right;
        steps[n++] = left;
        return n;
    }
    if (fa)
        steps[n++] = left;
    if (fb)
        steps[n++] = right;
    return n;
}

bool ou_ask_operator(VM *vm, Value *R, const Ins *pc, unsigned at)
{
    Ins i = pc[-1];
    bool imm = INS_OP(i) >= OP_ADDI && INS_OP(i) <= OP_XORI, inplace;
    BinOp op = ou_binop_of(i, &inplace);
    Value a = R[B], b = imm ? v_smallint(D) : R[C], v;
    uint8_t steps[3];
    for (; at < plan_operator(vm, op, inplace, a, b, steps); at++) { /* anew: scripts may give objects another class */
        uint8_t who = steps[at];
        if (who >= SLOT_LEFT) {
            v = ou_type_of(vm, who == SLOT_LEFT ? a : b)->slots.binary[op](vm, a, b);
        } else {
            Value self = who == ASK_RIGHT ? b : a, other = who == ASK_RIGHT ? a : b;
            NameId name = ou_operator_names[op][who];
            switch (push(vm, R, pc, script_method(vm, self, name), &ou_ask_stubs[ASK_OPERATOR][at], 2, self, other, 0)) {
            case ASK_PUSHED: return true;
            case ASK_C:
                v = who == ASK_INPLACE ? ou_type_of(vm, a)->slots.inplace[op](vm, a, b) : ou_call_or_notimpl(vm, self, name, other);
                break;
            default: v = V_NULL;
            }
        }
        if (v != V_NOTIMPL)
            return finish(vm, R, pc, v);
    }
    return finish(vm, R, pc, ou_operator_error(vm, op, inplace, a, b));
}

/* ---- comparisons ---- */

static CmpOp cmp_of(uint8_t op)
{
    static const uint8_t first[] = {OP_LT, OP_JLT, OP_JLTI, OP_JNLTI, OP_JLT_II, OP_JLT_FF};
    for (unsigned k = 0; k < sizeof first; k++)
        if (op >= first[k] && op < first[k] + 6)
            return (CmpOp)(op - first[k]);
    return CMP_EQ;
}

static bool compared(VM *vm, Value *R, const Ins *pc, Value v)
{
    if (!is_jump(pc[-1]))
        return finish(vm, R, pc, v);
    drop_operands(vm, R, pc[-1]);
    return v != V_NULL && ou_ask_truth(vm, R, pc, v);
}

bool ou_ask_compare(VM *vm, Value *R, const Ins *pc, unsigned at)
{
    Ins i = pc[-1];
    uint8_t opcode = INS_OP(i);
    CmpOp op = cmp_of(opcode);
    bool value = opcode >= OP_LT && opcode <= OP_GE, imm = opcode >= OP_JLTI && opcode <= OP_JNGEI;
    Value a = value ? R[B] : R[A], b = value ? R[C] : imm ? v_smallint((int16_t)INS_BC(i)) : R[B];
    for (; at < 2; at++) {
        Type *ta = type_of(vm, a), *tb = type_of(vm, b);
        bool right = (ta != tb && tb->slots.compare && ou_is_subtype(tb, ta)) == (at == 0);
        Value self = right ? b : a, other = right ? a : b, v;
        CmpOp question = right ? ou_compare_swapped[op] : op;
        const Slots *s = right ? &tb->slots : &ta->slots;
        if (!s->compare)
            continue;
        switch (push(vm, R, pc, script_method(vm, self, ou_compare_names[question]), &ou_ask_stubs[ASK_COMPARE][at], 2, self, other, 0)) {
        case ASK_PUSHED: return true;
        case ASK_C: v = s->compare(vm, self, other, question); break;
        default: v = V_NULL;
        }
        if (v != V_NOTIMPL)
            return compared(vm, R, pc, v);
    }
    return compared(vm, R, pc, ou_compare_unknown(vm, a, b, op));
}

/* ---- the others: 1 the frame is pushed, 0 raised, -1 there is no script method: from C ---- */

static int asked(int r) { return r == ASK_C ? -1 : r; }

int ou_ask_unary(VM *vm, Value *R, const Ins *pc, Value o, NameId name)
{
    return asked(push(vm, R, pc, script_method(vm, o, name), &ou_stubs[STUB_RETV], 1, o, 0, 0));
}

int ou_ask_iter(VM *vm, Value *R, const Ins *pc, Value o)
{
    return asked(push(vm, R, pc, script_method(vm, o, N_DU_iter), STUB(ASK_ITER), 1, o, 0, 0));
}

int ou_ask_next(VM *vm, Value *R, const Ins *pc, Value it)
{
    return asked(push(vm, R, pc, script_method(vm, it, N_DU_next), STUB(ASK_NEXT), 1, it, 0, 0));
}

int ou_ask_contains(VM *vm, Value *R, const Ins *pc, Value o, Value x)
{
    return asked(push(vm, R, pc, script_method(vm, o, N_DU_contains), STUB(ASK_TRUTH), 2, o, x, 0));
}

int ou_ask_setitem(VM *vm, Value *R, const Ins *pc, Value o, Value k, Value v)
{
    if (v == V_NULL)
        return asked(push(vm, R, pc, script_method(vm, o, N_DU_delitem), STUB(ASK_DONE), 2, o, k, 0));
    return asked(push(vm, R, pc, script_method(vm, o, N_DU_setitem), STUB(ASK_DONE), 3, o, k, v));
}

int ou_ask_native(VM *vm, Value *R, const Ins *pc, uint32_t flags, Value x)
{
    switch (flags & ND_ASKS) {
    case ND_LEN: return asked(push(vm, R, pc, script_method(vm, x, N_DU_len), STUB(ASK_SIZE), 1, x, 0, 0));
    case ND_NEXT: return ou_ask_unary(vm, R, pc, x, N_DU_next);
    case ND_ITER: return ou_ask_iter(vm, R, pc, x);
    default: return ou_ask_unary(vm, R, pc, x, N_DU_abs);
    }
}

int ou_ask_setattr(VM *vm, Value *R, const Ins *pc, Value o, Str *name, Value v)
{
    if (v == V_NULL)
        return asked(push(vm, R, pc, script_method(vm, o, N_DU_delattr), STUB(ASK_DONE), 2, o, v_of(name), 0));
    return asked(push(vm, R, pc, script_method(vm, o, N_DU_setattr), STUB(ASK_DONE), 3, o, v_of(name), v));
}

int ou_ask_getattr(VM *vm, Value *R, const Ins *pc, Value o, Str *name, Value *v)
{
    Type *t = type_of(vm, o);
    Value hook = V_NULL, own = V_NULL;
    int r = ASK_C;
    if (t->flags & TF_GETATTR_HOOK) {
        hook = ou_type_lookup(vm, t, name_of(vm, N_DU_getattr));
        own = script_method(vm, o, N_DU_getattribute);
    }
    if (hook == V_NULL || own != V_NULL || !is_exact(hook, T_FUNCTION)) {
        if (hook == V_NULL) /* with both, an AttributeError of __getattribute__ leads to __getattr__: from C */
            r = push(vm, R, pc, own, STUB(ASK_ATTR), 2, o, v_of(name), 0);
        if (r == ASK_C)
            *v = ou_getattr(vm, o, name);
        return asked(r);
    }
    *v = ou_getattr_before_hook(vm, o, name, &hook);
    if (hook == V_NULL) {
        if (*v == V_NULL)
            ou_note_attribute(vm, o, name);
        return -1;
    }
    r = push(vm, R, pc, hook, STUB(ASK_ATTR), 2, o, v_of(name), 0);
    if (r == ASK_C)
        *v = ou_call2(vm, hook, o, v_of(name));
    release(vm, hook);
    if (r == ASK_C && *v == V_NULL)
        ou_note_attribute(vm, o, name);
    return asked(r);
}

/* ---- the answer ---- */

bool ou_answer(VM *vm, Value *R, const Ins *pc, Ins stub, Value v)
{
    Ins i = pc[-1];
    int64_t n;
    switch (INS_A(stub)) {
    case ASK_OPERATOR: return v == V_NOTIMPL ? ou_ask_operator(vm, R, pc, INS_B(stub) + 1u) : finish(vm, R, pc, v);
    case ASK_COMPARE: return v == V_NOTIMPL ? ou_ask_compare(vm, R, pc, INS_B(stub) + 1u) : compared(vm, R, pc, v);
    case ASK_BOOL:
        n = ou_bool_checked(vm, v);
        return n < 0 ? undecided(vm, R, pc) : decide(vm, R, pc, n);
    case ASK_LEN:
        n = ou_len_checked(vm, v);
        return n < 0 ? undecided(vm, R, pc) : decide(vm, R, pc, n > 0);
    case ASK_TRUTH: return ou_ask_truth(vm, R, pc, v);
    case ASK_SIZE:
        n = ou_len_checked(vm, v);
        v = n < 0 ? V_NULL : ou_int(vm, n);
        if (v != V_NULL)
            R[A] = v;
        return v != V_NULL;
    case ASK_ITER:
        v = ou_iter_checked(vm, v);
        if (v == V_NULL)
            return false;
        put(vm, R, A, v);
        return true;
    case ASK_NEXT: put(vm, R, B, v); return true;
    case ASK_ATTR:
        consume(vm, R, B);
        put(vm, R, A, v);
        vm->pc = pc + ou_op_words[INS_OP(i)] - 1;
        return true;
    default: /* ASK_DONE */
        release(vm, v);
        vm->pc = pc + ou_op_words[INS_OP(i)] - 1;
        return true;
    }
}

bool ou_ask_failed(VM *vm, Value *R, const Ins **pcp, Ins stub)
{
    Ins i = (*pcp)[-1];
    Value exc = vm->exc;
    switch (INS_A(stub)) {
    case ASK_NEXT:
        if (!ou_exc_matches(vm, E_STOP_ITERATION))
            return false;
        ou_exc_clear(vm);
        release(vm, R[A]);
        *pcp += D;
        return true;
    case ASK_ATTR:
        ou_note_attribute(vm, R[B], ou_site_name(R, *pcp));
        vm->exc = V_NULL;
        consume(vm, R, B);
        break;
    case ASK_OPERATOR:
    case ASK_COMPARE:
        vm->exc = V_NULL; /* deallocations must not see it */
        drop_operands(vm, R, i);
        break;
    case ASK_BOOL:
    case ASK_LEN:
        vm->exc = V_NULL;
        undecided(vm, R, *pcp);
        break;
    default: return false;
    }
    vm->exc = exc;
    return false;
}
