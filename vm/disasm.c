/* Code as text, for people and for golden tests: one line an instruction, then the tables, then the codes inside.
 * Registers: rN a local (with its name where it has one), tN the Nth temporary. ou_code_disassemble is the entry. */
#include "runtime/objects/containers.h"
#include "runtime/objects/str.h"
#include "vm/call.h"
#include "vm/code.h"

static void put_reg(StrBuf *b, const Code *k, int r)
{
    if (r < k->nlocals) {
        ou_sb_printf(b, " r%d", r);
        int first = k->module_kind == CODE_FUNCTION ? 0 : 1; /* R[0] of a module is its namespace */
        uint32_t near = k->varnames ? k->varnames->n - k->nfarlocals : 0; /* with far parameters names and registers differ */
        if (r >= first && k->nfarparams == 0 && (uint32_t)(r - first) < near) {
            ou_sb_putc(b, ':');
            ou_sb_str(b, k->varnames->items[r - first]);
        }
    } else {
        ou_sb_printf(b, " t%d", r - k->nlocals);
    }
}

static void put_const(StrBuf *b, const Code *k, uint32_t i)
{
    if (i >= k->nconsts)
        return;
    Value v = k->consts[i];
    if (is_exact(v, T_CODE)) {
        ou_sb_puts(b, "<code ");
        ou_sb_str(b, v_of(as_code(v)->qualname));
        ou_sb_putc(b, '>');
    } else {
        ou_sb_repr(b, v);
    }
}

static void put_immediate(StrBuf *b, uint32_t d)
{
    static const struct {
        Value v;
        const char *name;
    } names[] = {{V_NONE, "None"}, {V_TRUE, "True"}, {V_FALSE, "False"}, {V_ELLIPSIS, "Ellipsis"},
                 {V_NOTIMPL, "NotImplemented"}, {V_UNBOUND, "unbound"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].v == d)
            ou_sb_printf(b, " %s", names[i].name);
}

static void put_instruction(StrBuf *b, const Code *k, uint32_t i, uint32_t *site)
{
    Ins x = k->code[i];
    const OpInfo *info = &ou_op_info[INS_OP(x)];
    int v[3] = {INS_A(x), INS_B(x), INS_C(x)};
    int32_t d = INS_D(x);
    ou_sb_printf(b, "%5u  %-13s", i, info->name);
    bool immediate = INS_OP(x) >= OP_JLTI && INS_OP(x) <= OP_JNGEI;
    for (int n = 0; n < 3; n++) {
        char l = info->operands[n];
        if (strchr("wrkx", l))
            put_reg(b, k, v[n]);
        else if (l != '-' && l != '$' && !immediate)
            ou_sb_printf(b, " %d", v[n]);
    }
    if (immediate)
        ou_sb_printf(b, " %d", (int16_t)INS_BC(x));
    switch (info->operands[3]) {
    case 'j': ou_sb_printf(b, " -> %d", (int)i + info->words + d); break;
    case 'i': ou_sb_printf(b, " %d", d); break;
    case 'f':
        ou_sb_putc(b, ' ');
        if (k->freenames && (uint32_t)d < k->freenames->n)
            ou_sb_str(b, k->freenames->items[d]);
        break;
    case 'c':
        ou_sb_putc(b, ' ');
        put_const(b, k, (uint32_t)d);
        break;
    case 'u':
        if (INS_OP(x) == OP_LOADP || INS_OP(x) == OP_LOADP_T || INS_OP(x) == OP_RETURNP)
            put_immediate(b, (uint32_t)d);
        else
            ou_sb_printf(b, " %u", (uint32_t)d);
        break;
    default: break;
    }
    while (*site < k->nsites && k->sites[*site].at < i)
        ++*site;
    if (*site < k->nsites && k->sites[*site].at == i) {
        ou_sb_puts(b, " (");
        Value s = k->consts[k->sites[*site].konst];
        if (is_str(s))
            ou_sb_str(b, s);
        ou_sb_putc(b, ')');
    }
    ou_sb_putc(b, '\n');
}

static void put_code(StrBuf *b, const Code *k)
{
    ou_sb_puts(b, "code ");
    ou_sb_str(b, v_of(k->qualname));
    ou_sb_printf(b, ": line %u, %u arguments, %u locals, %u registers, flags %#x\n", k->firstlineno, k->nargs + k->nkwonly,
                 k->nlocals, k->nregs, k->flags);
    uint32_t line = 0, site = 0;
    for (uint32_t i = 0; i < k->ncode;) {
        if (k->locs[i].line != line) {
            line = k->locs[i].line;
            ou_sb_printf(b, "%4u", line);
        } else {
            ou_sb_puts(b, "    ");
        }
        /* quickened instructions are other opcodes with the operands of the ones they came from */
        put_instruction(b, k, i, &site);
        i += ou_op_info[INS_OP(k->code[i])].words;
    }
    for (uint32_t i = 0; i < k->nhandlers; i++) {
        ou_sb_printf(b, "     handler %u..%u -> %u", k->handlers[i].start, k->handlers[i].end, k->handlers[i].target);
        put_reg(b, k, k->handlers[i].reg);
        ou_sb_putc(b, '\n');
    }
    for (uint32_t i = 0; i < k->nconsts; i++) {
        if (is_exact(k->consts[i], T_CODE)) {
            ou_sb_putc(b, '\n');
            put_code(b, as_code(k->consts[i]));
        }
    }
}

Value ou_code_disassemble(VM *vm, Code *code)
{
    StrBuf b;
    ou_sb_init(&b, vm);
    put_code(&b, code);
    return ou_sb_finish(&b);
}
