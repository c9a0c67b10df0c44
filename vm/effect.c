/* What each instruction does to registers: derived from the operand letters of opcodes.def, and for windows from their
 * doc lines. Flow analysis, verifier and disassembler stand on ou_effect and ou_op_info. */
#include "vm/code.h"

const OpInfo ou_op_info[OP_COUNT] = {
#define OP(name, nwords, ops, text) {#name, ops, text, nwords},
#include "vm/opcodes.def"
#include "vm/special.def"
#undef OP
};

static void use(Effect *e, int r) { e->use[e->nuse++] = (int16_t)r; }
static void keep(Effect *e, int r) { e->keep[e->nkeep++] = (int16_t)r; }
static void def(Effect *e, int r) { e->def[e->ndef++] = (int16_t)r; }
static void run(Effect *e, int from, int n)
{
    e->run_from = (int16_t)from;
    e->run_n = (int16_t)n;
}
static void def_run(Effect *e, int from, int n)
{
    e->def_from = (int16_t)from;
    e->def_n = (int16_t)n;
}

static int bits(int flags)
{
    int n = 0;
    for (; flags; flags &= flags - 1)
        n++;
    return n;
}

static void by_letters(OpCode op, const int *operands, Effect *e)
{
    const char *l = ou_op_info[op].operands;
    for (int i = 0; i < 3; i++) {
        if (l[i] == 'r')
            use(e, operands[i]);
        else if (l[i] == 'k')
            keep(e, operands[i]);
        else if (l[i] == 'w')
            def(e, operands[i]);
    }
}

void ou_effect(OpCode op, int a, int b, int cc, int32_t d, Effect *e)
{
    memset(e, 0, sizeof *e);
    e->jump_use = e->fall_use = e->fall_def = -1;
    e->jumps = ou_op_info[op].operands[3] == 'j';
    int operands[3] = {a, b, cc};
    switch (op) {
    case OP_GETMETHOD:
        use(e, b);
        def(e, a);
        def(e, a + 2);
        return;
    case OP_MKSLICE:
        run(e, a, cc);
        def(e, a);
        return;
    case OP_SUPERATTR:
        run(e, a, 3);
        def(e, a);
        if (cc)
            def(e, a + 2);
        return;
    case OP_UNPACK:
        use(e, a);
        def_run(e, a, cc);
        return;
    case OP_UNPACKEX:
        use(e, a);
        def_run(e, a, b + 1 + cc);
        return;
    case OP_MKTUPLE:
    case OP_MKLIST:
    case OP_MKSET:
    case OP_MKSTR:
        run(e, a, d);
        def(e, a);
        return;
    case OP_MKDICT:
        run(e, a, 2 * d);
        def(e, a);
        return;
    case OP_MKFUNC:
        run(e, a, bits(cc));
        def(e, a);
        return;
    case OP_CALL:
    case OP_CALLKW:
        use(e, a);
        run(e, a + 2, cc);
        def(e, a);
        return;
    case OP_CALLM:
    case OP_CALLMKW:
        use(e, a);
        run(e, a + 2, cc + 1);
        def(e, a);
        return;
    case OP_CALLEX:
        use(e, a);
        run(e, a + 2, cc ? 2 : 1);
        def(e, a);
        return;
    case OP_RAISE:
        run(e, a, cc);
        e->ends = true;
        return;
    case OP_PUSHEXC:
        keep(e, a);
        def(e, a + 1);
        return;
    case OP_POPEXC: run(e, a, 2); return;
    case OP_EGMATCH:
    case OP_EGRERAISE:
        keep(e, a);
        use(e, b);
        def(e, b);
        return;
    case OP_WITHENTER:
        use(e, a);
        def_run(e, a, 2);
        return;
    case OP_WITHEXC:
        keep(e, b);
        keep(e, cc);
        def(e, a);
        def_run(e, a + 2, 3);
        return;
    case OP_LISTTUPLE:
        if (cc)
            keep(e, b);
        use(e, a);
        def(e, a);
        return;
    case OP_AWAIT:
    case OP_UNPACKFAR:
    case OP_IMPORTNAME:
    case OP_GENERICBASE:
        use(e, a);
        def(e, a);
        return;
    case OP_TYPEPARAM:
    case OP_TYPEALIAS:
        run(e, a, 3);
        def(e, a);
        return;
    case OP_MATCHCLASS:
        keep(e, b);
        run(e, cc, 2);
        def(e, a);
        return;
    case OP_FORMAT:
        run(e, b, d ? 2 : 0);
        if (!d)
            use(e, b);
        def(e, a);
        return;
    case OP_FORITER:
        keep(e, a);
        e->jump_use = (int16_t)a;
        e->fall_def = (int16_t)b;
        return;
    case OP_JUMPTK:
    case OP_JUMPFK:
        keep(e, a);
        e->fall_use = (int16_t)a;
        return;
    case OP_JUMP:
    case OP_LOOP: e->ends = true; return;
    case OP_RETURN:
    case OP_RERAISE:
        use(e, a);
        e->ends = true;
        return;
    case OP_RETURNP: e->ends = true; return;
    default: by_letters(op, operands, e); return;
    }
}
