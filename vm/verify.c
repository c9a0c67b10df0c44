/* Checks of a finished Code against opcodes.def: what flow.c cannot see because it works before registers and jumps have
 * their numbers. Debug builds check every Code; so does loading one from frozen bytecode. */
#include "vm/code.h"

static bool starts(const Code *k, const uint8_t *first, uint32_t at) { return at < k->ncode && (first[at >> 3] >> (at & 7) & 1); }

static const char *check_instruction(const Code *k, uint32_t i, const uint8_t *first)
{
    Ins x = k->code[i];
    const OpInfo *info = &ou_op_info[INS_OP(x)];
    int32_t d = INS_D(x);
    int v[3] = {INS_A(x), INS_B(x), INS_C(x)};
    for (int n = 0; n < 3; n++)
        if (strchr("wrkx", info->operands[n]) && v[n] >= k->nregs)
            return "a register is out of range";
    switch (info->operands[3]) {
    case 'c':
        if ((uint32_t)d >= k->nconsts)
            return "a constant is out of range";
        break;
    case 'f':
        if ((uint32_t)d >= k->nfree)
            return "a free variable is out of range";
        break;
    case 'j': {
        int64_t to = (int64_t)i + info->words + d;
        if (to < 0 || to >= k->ncode || !starts(k, first, (uint32_t)to))
            return "a jump leads out of the code";
        if ((INS_OP(x) == OP_LOOP) != (d < 0))
            return "only LOOP jumps backward";
        break;
    }
    default: break;
    }
    Effect e;
    ou_effect(INS_OP(x), v[0], v[1], v[2], d, &e);
    if (e.run_from + e.run_n > k->nregs || e.def_from + e.def_n > k->nregs)
        return "a window is out of range";
    bool far = INS_OP(x) == OP_GETFAR || INS_OP(x) == OP_SETFAR || INS_OP(x) == OP_TAKEFAR;
    if (far && v[1] == k->farreg && k->nfar && (uint32_t)d >= k->nfar) /* in others UNPACKFAR has left so many */
        return "a far local is out of range";
    if ((INS_OP(x) == OP_LOADK || INS_OP(x) == OP_LOADK_T) && k->code[i + 1] != k->consts[d])
        return "the word behind LOADK is not its constant";
    static const uint8_t locals_only[] = {OP_LOADK, OP_LOADI, OP_LOADP, OP_MOVE, OP_TAKE, OP_MKFAR, OP_DELLOCAL};
    static const uint8_t temps_only[] = {OP_LOADK_T, OP_LOADI_T, OP_LOADP_T, OP_MOVE_T, OP_TAKE_T, OP_DROP, OP_GETFAR, OP_TAKEFAR};
    for (size_t n = 0; n < sizeof locals_only; n++)
        if (INS_OP(x) == locals_only[n] && v[0] >= k->nlocals)
            return "A is no local";
    for (size_t n = 0; n < sizeof temps_only; n++)
        if (INS_OP(x) == temps_only[n] && v[0] < k->nlocals)
            return "A is no temporary";
    return NULL;
}

static const char *check_tables(const Code *k, const uint8_t *first, uint32_t *at)
{
    for (uint32_t i = 0; i < k->nsites; i++) {
        *at = k->sites[i].at;
        if (!starts(k, first, k->sites[i].at) || (i && k->sites[i].at <= k->sites[i - 1].at))
            return "a site is misplaced";
        if (k->sites[i].konst >= k->nconsts)
            return "a site's constant is out of range";
    }
    for (uint32_t i = 0; i < k->nhandlers; i++) {
        const CodeHandler *h = &k->handlers[i];
        *at = h->start;
        if (h->start >= h->end || h->end > k->ncode || !starts(k, first, h->target))
            return "a handler is misplaced";
        if (h->reg < k->nlocals || h->reg >= k->nregs)
            return "a handler's register is no temporary";
        if (h->target >= h->start && h->target < h->end)
            return "a handler covers its own beginning";
        if (i && h->depth > k->handlers[i - 1].depth)
            return "an inner handler comes after an outer one";
    }
    for (uint32_t i = 0; i < k->nlive; i++) {
        *at = k->live[i].start;
        if (k->live[i].start >= k->live[i].end || k->live[i].end > k->ncode || k->live[i].reg < k->nlocals ||
            k->live[i].reg >= k->nregs)
            return "a live entry is out of range";
    }
    for (uint32_t i = 0; i < k->ncells; i++)
        if (k->cellregs[i] < CELL_FAR ? k->cellregs[i] >= k->nlocals : k->cellregs[i] - CELL_FAR >= k->nfar)
            return "a cell is no local";
    return NULL;
}

const char *ou_code_verify(const Code *k, uint32_t *at)
{
    static const uint8_t ends[] = {OP_JUMP, OP_LOOP, OP_RETURN, OP_RETURNP, OP_RAISE, OP_RERAISE};
    uint8_t small[512] = {0}, *first = small;
    *at = 0;
    if (!k->ncode || k->nlocals > k->nregs)
        return "there is no code";
    if (k->ncode > sizeof small * 8)
        return NULL; /* very long code is checked in pieces nowhere: what makes it is checked by all the short code */
    bool ended = false;
    for (uint32_t i = 0; i < k->ncode;) {
        uint8_t op = INS_OP(k->code[i]);
        *at = i;
        if (op >= OP_COMPILER_END)
            return "an unknown instruction";
        first[i >> 3] |= (uint8_t)(1 << (i & 7));
        ended = memchr(ends, op, sizeof ends) != NULL;
        i += ou_op_info[op].words;
        if (i > k->ncode)
            return "an instruction is cut off";
    }
    if (!ended)
        return "control runs off the end";
    for (uint32_t i = 0; i < k->ncode; i += ou_op_info[INS_OP(k->code[i])].words) {
        *at = i;
        const char *wrong = check_instruction(k, i, first);
        if (wrong)
            return wrong;
    }
    return check_tables(k, first, at);
}
