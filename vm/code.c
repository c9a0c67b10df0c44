/* Emission of instructions into a unit, and the finished Code. ou_emit and its kin append; ou_unit_finish lays out.
 * Until then registers are symbolic (code.h) and jumps name labels, so that nothing has to be patched. */
#include "vm/code.h"

#include "vm/compile.h"

/* ---- emission -------------------------------------------------------------------------------------------------------- */

static Ir *append(Compiler *c, OpCode op, int a, int b, int cc, int32_t d)
{
    Unit *u = c->unit;
    if (c->failed || (u->nir == u->ir_cap && !(u->ir = ou_c_grow(c, u->ir, &u->ir_cap, sizeof(Ir)))))
        return NULL;
    Ir *x = &u->ir[u->nir++];
    *x = (Ir){.op = (uint8_t)op, .a = (int16_t)a, .b = (int16_t)b, .c = (int16_t)cc, .d = d, .site = -1,
              .handler = u->handler, .loc = c->loc};
    return x;
}

void ou_emit(Compiler *c, OpCode op, int a, int b, int cc, int32_t d) { append(c, op, a, b, cc, d); }

void ou_emit_site(Compiler *c, OpCode op, int a, int b, int cc, int32_t d, Str *name)
{
    int k = ou_const_str(c, name);
    Ir *x = append(c, op, a, b, cc, d);
    if (x)
        x->site = k;
}

int ou_label(Compiler *c)
{
    Unit *u = c->unit;
    if (c->failed || (u->nlabels == u->labels_cap && !(u->labels = ou_c_grow(c, u->labels, &u->labels_cap, sizeof(int32_t)))))
        return 0;
    u->labels[u->nlabels] = -1;
    return (int)u->nlabels++;
}

void ou_place(Compiler *c, int label)
{
    if (!c->failed)
        c->unit->labels[label] = (int32_t)c->unit->nir;
}

void ou_jump(Compiler *c, int label) { ou_emit(c, OP_JUMP, 0, 0, 0, label); }

int ou_handler(Compiler *c, int label, int reg)
{
    Unit *u = c->unit;
    if (c->failed ||
        (u->nhandlers == u->handlers_cap && !(u->handlers = ou_c_grow(c, u->handlers, &u->handlers_cap, sizeof(IrHandler)))))
        return -1;
    IrHandler *h = &u->handlers[u->nhandlers];
    *h = (IrHandler){label, u->handler, (int16_t)reg,
                     (uint8_t)(u->handler < 0 ? 1 : u->handlers[u->handler].depth + (u->handlers[u->handler].depth < 255))};
    if (reg - TEMP0 + 1 > u->max_top)
        u->max_top = reg - TEMP0 + 1;
    return (int)u->nhandlers++;
}

int ou_push(Compiler *c)
{
    Unit *u = c->unit;
    int r = u->top++;
    if (r > 250 && !c->failed) {
        c->failed = true;
        ou_raise_recursion(c->vm, " during compilation");
    }
    if (u->top > u->max_top)
        u->max_top = u->top;
    return TEMP0 + (r < 900 ? r : 900);
}

int ou_window(const Compiler *c)
{
    int room = REGISTERS - c->unit->nlocals - c->unit->top;
    return room > WINDOW_MAX ? WINDOW_MAX : room < 8 ? 8 : room;
}

int ou_far(Compiler *c, int n)
{
    Unit *u = c->unit;
    int k = u->nfarparams + u->nfarlocals + u->nfarcells + u->nspilled;
    u->nspilled += n;
    if (u->nfar < k + n)
        u->nfar = k + n;
    if (u->nfar > UINT16_MAX - CELL_FAR && !c->failed)
        ou_c_error(c, c->loc, "too many variables in one function");
    return k;
}

void ou_far_done(Compiler *c, int k, int n)
{
    Unit *u = c->unit;
    if (u->nfarparams + u->nfarlocals + u->nfarcells + u->nspilled == k + n) /* else something behind them is still in use */
        u->nspilled -= n;
}

bool ou_hidden_crowded(const Compiler *c)
{
    const Unit *u = c->unit;
    return (u->nlocals >= HIDDEN_MAX || u->nlocals + u->max_top >= REGISTERS) && u->nfree_hidden <= 16 /* for those that must be near */;
}

int ou_hidden_any(Compiler *c)
{
    Unit *u = c->unit;
    if (!ou_hidden_crowded(c))
        return ou_hidden(c);
    return u->nfree_far ? u->free_far[--u->nfree_far] : FAR0 + ou_far(c, 1);
}

int ou_hidden(Compiler *c)
{
    Unit *u = c->unit;
    if (u->nfree_hidden)
        return u->free_hidden[--u->nfree_hidden];
    if (u->nlocals >= 250 && !c->failed)
        ou_c_error(c, c->loc, "too many variables in one function");
    return u->nlocals++;
}

void ou_hidden_done(Compiler *c, int reg)
{
    Unit *u = c->unit;
    int **list = is_far(reg) ? &u->free_far : &u->free_hidden;
    uint32_t *n = is_far(reg) ? &u->nfree_far : &u->nfree_hidden, *cap = is_far(reg) ? &u->free_far_cap : &u->free_hidden_cap;
    if (c->failed || (*n == *cap && !(*list = ou_c_grow(c, *list, cap, sizeof(int)))))
        return;
    (*list)[(*n)++] = reg;
}

int ou_const(Compiler *c, Value v)
{
    Unit *u = c->unit;
    if (v == V_NULL) {
        c->failed = true;
        return 0;
    }
    if (c->failed) {
        release(c->vm, v);
        return 0;
    }
    if (u->nconsts * 2 >= u->const_mask) {
        uint32_t mask = u->const_index ? u->const_mask * 2 + 1 : 31;
        uint32_t *index = ou_c_alloc(c, sizeof(uint32_t) * (mask + 1));
        if (!index) {
            release(c->vm, v);
            return 0;
        }
        for (uint32_t i = 0; i < u->nconsts; i++) {
            uint32_t h = (uint32_t)ou_const_hash(c->vm, u->consts[i]) & mask;
            while (index[h])
                h = (h + 1) & mask;
            index[h] = i + 1;
        }
        u->const_index = index;
        u->const_mask = mask;
    }
    uint32_t h = (uint32_t)ou_const_hash(c->vm, v) & u->const_mask;
    for (; u->const_index[h]; h = (h + 1) & u->const_mask) {
        if (ou_const_same(c->vm, u->consts[u->const_index[h] - 1], v)) {
            release(c->vm, v);
            return (int)u->const_index[h] - 1;
        }
    }
    if (u->nconsts == u->consts_cap && !(u->consts = ou_c_grow(c, u->consts, &u->consts_cap, sizeof(Value)))) {
        u->nconsts = 0;
        release(c->vm, v);
        return 0;
    }
    u->consts[u->nconsts] = v;
    u->const_index[h] = u->nconsts + 1;
    return (int)u->nconsts++;
}

int ou_const_str(Compiler *c, Str *s)
{
    if (!s) {
        c->failed = true;
        return 0;
    }
    return ou_const(c, retain(v_of(s)));
}

/* ---- finishing ------------------------------------------------------------------------------------------------------- */

static uint8_t reg(const Unit *u, int r)
{
    if (r >= FAR0)
        return 0;
    if (r == FAR_REG)
        return (uint8_t)u->farreg;
    return (uint8_t)(r >= TEMP0 ? u->nlocals + (r - TEMP0) : r);
}

/* Which of A, B, C are registers; the others are numbers. */
static void pack(const Unit *u, const Ir *x, Ins *out, int32_t d)
{
    const char *l = ou_op_info[x->op].operands;
    int v[3] = {x->a, x->b, x->c};
    uint8_t f[3];
    for (int i = 0; i < 3; i++)
        f[i] = strchr("wrkx", l[i]) ? reg(u, v[i]) : (uint8_t)v[i];
    *out = (Ins)x->op | (Ins)f[0] << 8 | (Ins)f[1] << 16 | (Ins)f[2] << 24 | (Ins)(uint32_t)d << 32;
}

static void *copy_out(Compiler *c, const void *from, size_t n)
{
    if (!n)
        return NULL;
    void *p = ou_alloc(&c->vm->heap, n);
    if (!p)
        ou_c_nomem(c);
    else if (from)
        memcpy(p, from, n);
    else
        memset(p, 0, n);
    return p;
}

/* Jumps to the next live instruction are dropped; says how many words are left. */
static uint32_t layout(Unit *u, uint32_t *at)
{
    for (uint32_t i = 0; i < u->nir; i++) {
        if (u->ir[i].dead || u->ir[i].op != OP_JUMP)
            continue;
        uint32_t n = i + 1;
        while (n < u->nir && u->ir[n].dead)
            n++;
        int32_t t = u->labels[u->ir[i].d];
        if (t > (int32_t)i && t <= (int32_t)n)
            u->ir[i].dead = true;
    }
    uint32_t w = 0;
    for (uint32_t i = 0; i < u->nir; i++) {
        at[i] = w;
        if (!u->ir[i].dead)
            w += ou_op_info[u->ir[i].op].words;
    }
    at[u->nir] = w;
    return w;
}

static void fill_code(Compiler *c, Unit *u, Code *code, const uint32_t *at)
{
    uint32_t nsites = 0;
    bool none_only = true;
    for (uint32_t i = 0; i < u->nir; i++)
        nsites += !u->ir[i].dead && u->ir[i].site >= 0;
    code->code = copy_out(c, NULL, sizeof(Ins) * code->ncode);
    code->locs = copy_out(c, NULL, sizeof(CodeLoc) * code->ncode);
    code->sites = copy_out(c, NULL, sizeof(CodeSite) * nsites);
    code->nsites = nsites;
    if (c->failed)
        return;
    uint32_t s = 0;
    for (uint32_t i = 0; i < u->nir; i++) {
        const Ir *x = &u->ir[i];
        if (x->dead)
            continue;
        uint8_t words = ou_op_info[x->op].words;
        int32_t d = x->d;
        if (ou_op_info[x->op].operands[3] == 'j')
            d = (int32_t)at[u->labels[x->d]] - (int32_t)(at[i] + words);
        pack(u, x, &code->code[at[i]], d);
        if (x->op == OP_LOADK || x->op == OP_LOADK_T)
            code->code[at[i] + 1] = u->consts[x->d];
        if (x->op == OP_RETURN || (x->op == OP_RETURNP && (uint32_t)x->d != (uint32_t)V_NONE))
            none_only = false;
        if (x->site >= 0)
            code->sites[s++] = (CodeSite){at[i], (uint32_t)x->site};
        for (uint8_t k = 0; k < words; k++)
            code->locs[at[i] + k] = (CodeLoc){x->loc.line, x->loc.end_line, x->loc.col, x->loc.end_col};
    }
    code->returns_none = none_only;
}

static bool covered(const Unit *u, int32_t h, int32_t by)
{
    while (h >= 0 && h != by)
        h = u->handlers[h].parent;
    return h == by;
}

/* One entry per unbroken run of instructions, deeper handlers first. */
static void fill_handlers(Compiler *c, Unit *u, Code *code, const uint32_t *at)
{
    if (!u->nhandlers)
        return;
    CodeHandler *out = NULL;
    uint32_t n = 0, cap = 0;
    uint32_t *first = ou_c_alloc(c, sizeof(uint32_t) * u->nhandlers), *last = ou_c_alloc(c, sizeof(uint32_t) * u->nhandlers);
    if (!first || !last)
        return;
    uint8_t deepest = 0;
    for (uint32_t i = 0; i < u->nir; i++) {
        if (u->ir[i].dead)
            continue;
        for (int32_t h = u->ir[i].handler; h >= 0; h = u->handlers[h].parent) {
            if (!last[h])
                first[h] = i;
            last[h] = i + 1;
            if (u->handlers[h].depth > deepest)
                deepest = u->handlers[h].depth;
        }
    }
    for (int depth = deepest; depth > 0; depth--) {
        for (uint32_t h = 0; h < u->nhandlers; h++) {
            if (u->handlers[h].depth != depth || !last[h])
                continue;
            for (uint32_t i = first[h]; i < last[h];) {
                uint32_t from = i;
                uint32_t live = 0;
                while (i < last[h] && (u->ir[i].dead || covered(u, u->ir[i].handler, (int32_t)h)))
                    live += !u->ir[i++].dead;
                if (live) {
                    if (n == cap && !(out = ou_c_grow(c, out, &cap, sizeof(CodeHandler))))
                        return;
                    out[n++] = (CodeHandler){at[from], at[i], at[u->labels[u->handlers[h].label]],
                                             reg(u, u->handlers[h].reg), u->handlers[h].depth};
                }
                while (i < last[h] && (u->ir[i].dead || !covered(u, u->ir[i].handler, (int32_t)h)))
                    i++;
            }
        }
    }
    code->handlers = copy_out(c, out, sizeof(CodeHandler) * n);
    code->nhandlers = code->handlers ? n : 0;
}

static void fill_live(Compiler *c, Unit *u, Code *code, const uint32_t *at, const FlowLive *live, uint32_t n)
{
    CodeLive *out = ou_c_alloc(c, sizeof(CodeLive) * (n + 1));
    uint32_t k = 0;
    for (uint32_t i = 0; out && i < n; i++) {
        uint32_t from = at[live[i].start], to = at[live[i].end];
        if (from < to)
            out[k++] = (CodeLive){from, to, live[i].id, (uint8_t)(u->nlocals + live[i].reg)};
    }
    code->live = out ? copy_out(c, out, sizeof(CodeLive) * k) : NULL;
    code->nlive = code->live ? k : 0;
}

static Tuple *names_tuple(Compiler *c, Str *const *names, uint32_t n)
{
    Value t = ou_tuple_new(c->vm, n);
    if (t == V_NULL) {
        c->failed = true;
        return NULL;
    }
    for (uint32_t i = 0; i < n; i++)
        as_tuple(t)->items[i] = retain(v_of(names[i]));
    return as_tuple(t);
}

static Tuple *symbols_tuple(Compiler *c, Symbol *const *syms, uint32_t n)
{
    Str **names = ou_c_alloc(c, sizeof(Str *) * (n + 1));
    for (uint32_t i = 0; names && i < n; i++)
        names[i] = syms[i]->name;
    return names ? names_tuple(c, names, n) : NULL;
}

/* varnames, cellnames, freenames and the places that the closure is taken from. */
static void fill_names(Compiler *c, Unit *u, Code *code)
{
    Scope *s = u->scope;
    uint32_t ncells = 0;
    Symbol **cells = ou_c_alloc(c, sizeof(Symbol *) * (s->nsymbols + 3));
    if (!cells)
        return;
    for (Symbol *y = s->first; y; y = y->next)
        if (y->kind == SYM_LOCAL && y->is_cell && y->reg >= 0)
            cells[ncells++] = y;
    if (s->class_cell && s->class_cell->is_cell)
        cells[ncells++] = s->class_cell;
    if (s->class_dict && s->class_dict->is_cell)
        cells[ncells++] = s->class_dict;
    code->varnames = names_tuple(c, u->named, u->nnamed);
    code->cellnames = symbols_tuple(c, cells, ncells);
    code->freenames = symbols_tuple(c, s->free, s->nfree);
    code->cellregs = copy_out(c, NULL, sizeof(uint16_t) * ncells);
    code->captures = copy_out(c, NULL, sizeof(CodeCapture) * s->nfree);
    code->ncells = (uint16_t)(code->cellregs ? ncells : 0);
    code->nfree = (uint16_t)(code->captures ? s->nfree : 0);
    if (c->failed)
        return;
    for (uint32_t i = 0; i < ncells; i++)
        code->cellregs[i] = (uint16_t)(is_far(cells[i]->reg) ? cells[i]->reg - FAR0 + CELL_FAR : cells[i]->reg);
    Scope *home = s->parent ? s->parent->code : NULL;
    for (uint32_t i = 0; i < s->nfree; i++) {
        bool local = s->free[i]->scope->code == home, far = local && is_far(s->free[i]->reg);
        int index = far ? s->free[i]->reg - FAR0 : local ? s->free[i]->reg : ou_scope_free_index(home, s->free[i]);
        code->captures[i] = (CodeCapture){far ? 2 : local, 0, (uint16_t)index};
    }
}

static Str *hold(Str *s)
{
    s->h.refs++;
    return s;
}

Code *ou_unit_finish(Compiler *c, Unit *u)
{
    FlowLive *live = NULL;
    uint32_t nlive = 0;
    if (u->nfar && !c->failed) { /* the first instruction waits for this */
        if (!u->nfarparams) {
            u->farreg = u->nlocals++;
            u->ir[0].d = u->nfar;
        }
        u->ir[0].dead = u->nfarparams != 0;
    }
    if (c->failed || !ou_flow(c, u, &live, &nlive))
        return NULL;
    if (u->nlocals + u->max_top + 2 > 256) {
        c->failed = true;
        ou_raise_recursion(c->vm, " during compilation");
        return NULL;
    }
    uint32_t *at = ou_c_alloc(c, sizeof(uint32_t) * (u->nir + 1));
    Code *code = at ? ou_new(c->vm, ou_builtin(c->vm, T_CODE), 0) : NULL;
    if (!code) {
        c->failed = true;
        return NULL;
    }
    code->doc = u->doc == V_NULL ? V_NONE : u->doc;
    u->doc = V_NULL;
    code->name = hold(u->name);
    code->qualname = hold(u->qualname);
    code->filename = hold(as_str(c->filename));
    code->flags = u->flags;
    code->firstlineno = u->firstlineno;
    code->module_kind = u->kind;
    code->nargs = u->nargs;
    code->nposonly = u->nposonly;
    code->nkwonly = u->nkwonly;
    code->nlocals = (uint16_t)u->nlocals;
    code->nfar = (uint16_t)u->nfar;
    code->nfarparams = (uint16_t)u->nfarparams;
    code->nfarlocals = (uint16_t)u->nfarlocals;
    code->farreg = (uint8_t)u->farreg;
    int nparams = u->nargs + u->nkwonly + 2, nregs = u->nlocals + u->max_top + 2;
    code->nregs = (uint16_t)(u->nfarparams && nparams > nregs ? nparams : nregs);
    code->nplain = u->nkwonly || u->nfarparams || (u->flags & (CO_VARARGS | CO_VARKEYWORDS)) ? 0xFFFF : u->nargs;
    code->ncode = layout(u, at);
    fill_names(c, u, code);
    fill_code(c, u, code, at);
    fill_handlers(c, u, code, at);
    fill_live(c, u, code, at, live, nlive);
    code->consts = copy_out(c, u->consts, sizeof(Value) * u->nconsts);
    if (code->consts || !u->nconsts) {
        code->nconsts = u->nconsts;
        u->nconsts = 0; /* they are the code's now */
    }
    if (c->failed) {
        obj_release(c->vm, code);
        return NULL;
    }
#if !defined(NDEBUG)
    uint32_t where = 0;
    const char *wrong = ou_code_verify(code, &where);
    if (wrong) {
        c->failed = true;
        ou_raise(c->vm, E_SYSTEM, "compiler: %s at %d of %Q", wrong, (int)where, code->qualname);
        obj_release(c->vm, code);
        return NULL;
    }
#endif
    return code;
}

void ou_code_free_arrays(VM *vm, Code *code)
{
    Heap *h = &vm->heap;
    ou_poly_forget(vm);
    for (uint32_t i = 0; i < code->nconsts; i++)
        release(vm, code->consts[i]);
    ou_free(h, code->consts, sizeof(Value) * code->nconsts);
    ou_free(h, code->code, sizeof(Ins) * code->ncode);
    ou_free(h, code->locs, sizeof(CodeLoc) * code->ncode);
    ou_free(h, code->handlers, sizeof(CodeHandler) * code->nhandlers);
    ou_free(h, code->live, sizeof(CodeLive) * code->nlive);
    ou_free(h, code->sites, sizeof(CodeSite) * code->nsites);
    ou_free(h, code->captures, sizeof(CodeCapture) * code->nfree);
    ou_free(h, code->cellregs, sizeof(uint16_t) * code->ncells);
    code->consts = NULL;
    code->code = NULL;
    code->locs = NULL;
    code->handlers = NULL;
    code->live = NULL;
    code->sites = NULL;
    code->captures = NULL;
    code->cellregs = NULL;
    code->nconsts = code->ncode = code->nhandlers = code->nlive = code->nsites = 0;
    code->nfree = code->ncells = 0;
}
