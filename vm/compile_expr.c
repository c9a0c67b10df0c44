/* Expressions. ou_expr leaves a value where it is told to, ou_operand reads locals in place, ou_cond turns conditions into
 * compare-and-jump instructions. Evaluation order is CPython's; a local read in place is copied first when something that is
 * evaluated later may rebind it (only `:=` can). */
#include "vm/compile.h"

static const uint8_t binop_code[] = {
    [BIN_Add] = OP_ADD,       [BIN_Sub] = OP_SUB,       [BIN_Mult] = OP_MUL,  [BIN_MatMult] = OP_MATMUL,
    [BIN_Div] = OP_DIV,       [BIN_Mod] = OP_MOD,       [BIN_Pow] = OP_POW,   [BIN_LShift] = OP_LSHIFT,
    [BIN_RShift] = OP_RSHIFT, [BIN_BitOr] = OP_OR,      [BIN_BitXor] = OP_XOR, [BIN_BitAnd] = OP_AND,
    [BIN_FloorDiv] = OP_FLOORDIV,
};

/* ---- registers ------------------------------------------------------------------------------------------------------- */

int ou_result(Compiler *c, int dst) { return dst == NONE ? ou_push(c) : dst; }

void ou_move(Compiler *c, int dst, int src)
{
    if (dst == src)
        return;
    if (is_temp(src))
        ou_emit(c, is_temp(dst) ? OP_TAKE_T : OP_TAKE, dst, src, 0, 0);
    else
        ou_emit(c, is_temp(dst) ? OP_MOVE_T : OP_MOVE, dst, src, 0, 0);
}

void ou_drop(Compiler *c, int r)
{
    if (is_temp(r))
        ou_emit(c, OP_DROP, r, 0, 0, 0);
}

int ou_load_imm(Compiler *c, Value imm, int dst)
{
    int r = ou_result(c, dst);
    ou_emit(c, is_temp(r) ? OP_LOADP_T : OP_LOADP, r, 0, 0, (int32_t)imm);
    return r;
}

int ou_load_const(Compiler *c, Value v, int dst)
{
    if (v == V_NULL) {
        c->failed = true;
        return ou_result(c, dst);
    }
    if (!is_obj(v) && v < 0x20)
        return ou_load_imm(c, v, dst);
    int r = ou_result(c, dst);
    if (is_small(v) && v_small(v) >= INT32_MIN && v_small(v) <= INT32_MAX)
        ou_emit(c, is_temp(r) ? OP_LOADI_T : OP_LOADI, r, 0, 0, (int32_t)v_small(v));
    else
        ou_emit(c, is_temp(r) ? OP_LOADK_T : OP_LOADK, r, 0, 0, ou_const(c, v));
    return r;
}

/* ---- operands -------------------------------------------------------------------------------------------------------- */

int ou_operand(Compiler *c, const Expr *e)
{
    if (e->kind == EXPR_Name) {
        int r = ou_plain_local(c, e);
        if (r != NONE) {
            AstPos old = c->loc;
            c->loc = e->pos;
            ou_emit_site(c, OP_CHECK, r, 0, 0, 0, cname(c, e->Name.id));
            c->loc = old;
            return r;
        }
    } else if (e->kind == EXPR_NamedExpr) {
        int r = ou_plain_local(c, e->NamedExpr.target);
        if (r != NONE && !ou_forbidden(c, cname(c, e->NamedExpr.target->Name.id), e->NamedExpr.target->pos, CTX_Store)) {
            ou_expr(c, e->NamedExpr.value, r);
            return r;
        }
    }
    return ou_expr(c, e, NONE);
}

int ou_temp(Compiler *c, const Expr *e) { return ou_expr(c, e, NONE); }

bool ou_safe_operand(Compiler *c, int r, const Expr *later)
{
    if (is_temp(r) || !later || !c->unit->scope->has_walrus)
        return true;
    return later->kind == EXPR_Constant || later->kind == EXPR_Name;
}

int ou_operand_before(Compiler *c, const Expr *e, const Expr *later)
{
    int r = ou_operand(c, e);
    if (ou_safe_operand(c, r, later))
        return r;
    int t = ou_push(c);
    ou_move(c, t, r);
    return t;
}

/* Temporaries from `base` on are free again; the result goes to dst or to the first of them. */
static int settle(Compiler *c, int base, int dst)
{
    c->unit->top = base;
    return ou_result(c, dst);
}

/* For instructions whose destination must be the temporary that they read. */
static int finish_in(Compiler *c, int base, int t, int dst)
{
    c->unit->top = base;
    if (dst != NONE) {
        ou_move(c, dst, t);
        return dst;
    }
    c->unit->top = t - TEMP0 + 1;
    return t;
}

/* ---- operators ------------------------------------------------------------------------------------------------------- */

void ou_binop(Compiler *c, int binop, bool inplace, int dst, int l, const Expr *right, const Expr *whole)
{
    int64_t imm;
    OpCode op = binop_code[binop];
    (void)whole;
    if (binop != BIN_MatMult && ou_fold_small(c, right, INT32_MIN, INT32_MAX, &imm)) {
        ou_emit(c, op - OP_ADD + OP_ADDI, dst, l, inplace, (int32_t)imm);
        return;
    }
    AstPos loc = c->loc;
    int top = c->unit->top;
    int r = ou_operand(c, right);
    c->loc = loc;
    c->unit->top = top;
    ou_emit(c, op, dst, l, r, inplace);
}

static int binary(Compiler *c, const Expr *e, int dst)
{
    int base = c->unit->top;
    int l = ou_operand_before(c, e->BinOp.left, e->BinOp.right);
    c->loc = e->pos;
    int d = dst;
    if (dst == NONE) { /* the result takes the place of the left operand, or of the right one */
        d = TEMP0 + base;
        if (base + 1 > c->unit->max_top)
            c->unit->max_top = base + 1;
    }
    ou_binop(c, e->BinOp.op, false, d, l, e->BinOp.right, e);
    settle(c, base, dst);
    return d;
}

static void warn_is(Compiler *c, const Expr *e, bool negated);

static int unary(Compiler *c, const Expr *e, int dst)
{
    const Expr *x = e->UnaryOp.operand;
    int base = c->unit->top;
    if (e->UnaryOp.op == UNARY_Not && x->kind == EXPR_Compare && x->Compare.ops.n == 1 && x->Compare.ops.items[0] >= CMP_Is) {
        warn_is(c, x, true);
        int l = ou_operand_before(c, x->Compare.left, x->Compare.comparators.items[0]);
        int r = ou_operand(c, x->Compare.comparators.items[0]);
        int d = settle(c, base, dst), op = x->Compare.ops.items[0];
        c->loc = e->pos;
        ou_emit(c, op == CMP_Is || op == CMP_IsNot ? OP_IS : OP_IN, d, l, r, op == CMP_Is || op == CMP_In);
        return d;
    }
    int r = ou_operand(c, x), d = settle(c, base, dst);
    c->loc = e->pos;
    static const uint8_t code[] = {[UNARY_Invert] = OP_INVERT, [UNARY_Not] = OP_NOT, [UNARY_UAdd] = OP_POS, [UNARY_USub] = OP_NEG};
    ou_emit(c, code[e->UnaryOp.op], d, r, 0, 0);
    return d;
}

static const uint8_t compare_code[] = {[CMP_Eq] = OP_EQ, [CMP_NotEq] = OP_NE, [CMP_Lt] = OP_LT,
                                       [CMP_LtE] = OP_LE, [CMP_Gt] = OP_GT, [CMP_GtE] = OP_GE};

static void compare_to(Compiler *c, int op, int d, int l, int r)
{
    if (op < CMP_Is)
        ou_emit(c, compare_code[op], d, l, r, 0);
    else
        ou_emit(c, op == CMP_Is || op == CMP_IsNot ? OP_IS : OP_IN, d, l, r, op == CMP_IsNot || op == CMP_NotIn);
}

static void compare_jump(Compiler *c, int op, int l, int r, int label, bool sense)
{
    if (op < CMP_Is)
        ou_emit(c, compare_code[op] - OP_LT + OP_JLT, l, r, sense, label);
    else
        ou_emit(c, op == CMP_Is || op == CMP_IsNot ? OP_JIS : OP_JIN, l, r, op == CMP_Is || op == CMP_In ? sense : !sense, label);
}

/* The right side of a comparison. That of `in` is only looked into: displays of constants become constants. */
static int right_side(Compiler *c, int op, const Expr *e)
{
    const ExprSeq *elts = op < CMP_In ? NULL : e->kind == EXPR_List ? &e->List.elts : e->kind == EXPR_Set ? &e->Set.elts : NULL;
    if (!elts)
        return ou_operand(c, e);
    Value t = ou_tuple_new(c->vm, elts->n);
    for (uint32_t i = 0; i < elts->n && t != V_NULL; i++) {
        Value v = ou_fold(c, elts->items[i]);
        if (v == V_NULL || c->failed) {
            release(c->vm, t);
            return ou_operand(c, e);
        }
        as_tuple(t)->items[i] = v;
    }
    if (e->kind == EXPR_Set && t != V_NULL) {
        Value s = ou_set_from(c->vm, T_FROZENSET, t);
        release(c->vm, t);
        if (s == V_NULL) {
            ou_exc_clear(c->vm);
            return ou_operand(c, e);
        }
        t = s;
    }
    AstPos old = c->loc;
    c->loc = e->pos;
    int r = ou_load_const(c, t, NONE);
    c->loc = old;
    return r;
}

/* negated: `not a is b`, which is `a is not b`. */
static void warn_is(Compiler *c, const Expr *e, bool negated)
{
    const Expr *left = e->Compare.left;
    for (uint32_t i = 0; i < e->Compare.ops.n; i++) {
        const Expr *right = e->Compare.comparators.items[i];
        int op = e->Compare.ops.items[i];
        for (int side = 0; side < 2 && (op == CMP_Is || op == CMP_IsNot); side++) {
            Value v = ou_fold(c, side ? right : left);
            if (v == V_NULL)
                continue;
            bool fine = !is_obj(v) && v < 0x20;
            if (!fine)
                ou_c_warn(c, e->pos, (op == CMP_Is) != negated ? "\"is\" with '%s' literal. Did you mean \"==\"?"
                                                 : "\"is not\" with '%s' literal. Did you mean \"!=\"?",
                          ou_type_name(c->vm, v));
            release(c->vm, v);
            if (!fine)
                return; /* one warning for a chain */
        }
        left = right;
    }
}

/* a < b < c: the middle operands are kept while their left comparison is made. With label NONE the truth goes to the
 * register d (already pushed); else control goes to label if the truth is sense. */
static void chain(Compiler *c, const Expr *e, int d, int label, bool sense)
{
    const CmpOpSeq *ops = &e->Compare.ops;
    const ExprSeq *right = &e->Compare.comparators;
    int base = c->unit->top, end = ou_label(c);
    int l = ou_operand_before(c, e->Compare.left, e);
    for (uint32_t i = 0; i + 1 < ops->n && !c->failed; i++) {
        int m = ou_operand_before(c, right->items[i], e), kept = m;
        if (is_temp(m)) {
            kept = ou_push(c);
            ou_emit(c, OP_MOVE_T, kept, m, 0, 0);
        }
        c->loc = e->pos;
        int fail = is_temp(m) ? ou_label(c) : label != NONE && !sense ? label : end;
        if (label != NONE) {
            compare_jump(c, ops->items[i], l, kept, fail, false);
        } else {
            compare_to(c, ops->items[i], d, l, kept);
            ou_emit(c, OP_JUMPFK, d, 0, 0, fail);
        }
        if (is_temp(m)) {
            int go = ou_label(c);
            ou_jump(c, go);
            ou_place(c, fail);
            ou_drop(c, m);
            ou_jump(c, label != NONE && !sense ? label : end);
            ou_place(c, go);
        }
        l = m;
        if (i > 0 && is_temp(m) && m != TEMP0 + base) { /* a long chain must not climb */
            ou_emit(c, OP_TAKE_T, TEMP0 + base, m, 0, 0);
            l = TEMP0 + base;
        }
        if (is_temp(l))
            c->unit->top = l - TEMP0 + 1;
    }
    int r = right_side(c, ops->items[ops->n - 1], right->items[ops->n - 1]);
    c->loc = e->pos;
    if (label != NONE)
        compare_jump(c, ops->items[ops->n - 1], l, r, label, sense);
    else
        compare_to(c, ops->items[ops->n - 1], d, l, r);
    ou_place(c, end);
    c->unit->top = base;
}

static int compare(Compiler *c, const Expr *e, int dst)
{
    warn_is(c, e, false);
    int base = c->unit->top;
    if (e->Compare.ops.n == 1) {
        int op = e->Compare.ops.items[0];
        const Expr *right = e->Compare.comparators.items[0];
        int l = ou_operand_before(c, e->Compare.left, right);
        int r = right_side(c, op, right);
        int d = settle(c, base, dst);
        c->loc = e->pos;
        compare_to(c, op, d, l, r);
        return d;
    }
    int t = ou_push(c);
    chain(c, e, t, NONE, false);
    return finish_in(c, base, t, dst);
}

static int boolop(Compiler *c, const Expr *e, int dst)
{
    int base = c->unit->top, end = ou_label(c), t = TEMP0 + base;
    const ExprSeq *v = &e->BoolOp.values;
    for (uint32_t i = 0; i < v->n && !c->failed; i++) {
        c->unit->top = base;
        ou_temp(c, v->items[i]);
        c->loc = i + 1 < v->n ? e->pos : v->items[i]->pos;
        if (i + 1 < v->n)
            ou_emit(c, e->BoolOp.op == BOOL_And ? OP_JUMPFK : OP_JUMPTK, t, 0, 0, end);
    }
    ou_place(c, end);
    return finish_in(c, base, t, dst);
}

static int if_expr(Compiler *c, const Expr *e, int dst)
{
    int t = ou_fold_truth(c, e->IfExp.test);
    if (t >= 0)
        return ou_expr(c, t ? e->IfExp.body : e->IfExp.orelse, dst);
    int base = c->unit->top, orelse = ou_label(c), end = ou_label(c);
    ou_cond(c, e->IfExp.test, orelse, false);
    int r = ou_expr(c, e->IfExp.body, dst);
    ou_jump(c, end);
    ou_place(c, orelse);
    c->unit->top = base;
    ou_expr(c, e->IfExp.orelse, dst);
    ou_place(c, end);
    return r;
}

static void cond_compare(Compiler *c, const Expr *e, int label, bool sense, bool negated)
{
    warn_is(c, e, negated);
    if (e->Compare.ops.n > 1) {
        chain(c, e, NONE, label, sense);
        return;
    }
    int base = c->unit->top, op = e->Compare.ops.items[0];
    const Expr *right = e->Compare.comparators.items[0];
    int64_t imm;
    int l = ou_operand_before(c, e->Compare.left, right);
    if ((op == CMP_Is || op == CMP_IsNot) && right->kind == EXPR_Constant && right->Constant.value.kind == CONST_NONE) {
        c->loc = e->pos;
        ou_emit(c, OP_JNONE, l, 0, op == CMP_Is ? sense : !sense, label);
    } else if (op < CMP_Is && ou_fold_small(c, right, INT16_MIN, INT16_MAX, &imm)) {
        c->loc = e->pos;
        ou_emit(c, compare_code[op] - OP_LT + (sense ? OP_JLTI : OP_JNLTI), l, (int)(imm & 0xFF), (int)(imm >> 8 & 0xFF), label);
    } else {
        int r = right_side(c, op, right);
        c->loc = e->pos;
        compare_jump(c, op, l, r, label, sense);
    }
    c->unit->top = base;
}

void ou_cond(Compiler *c, const Expr *e, int label, bool sense)
{
    if (c->failed || !ou_c_enter(c))
        return;
    AstPos old = c->loc;
    int base = c->unit->top;
    int known = ou_fold_truth(c, e);
    if (known >= 0) {
        c->loc = e->pos;
        if ((known == 1) == sense)
            ou_jump(c, label);
    } else if (e->kind == EXPR_UnaryOp && e->UnaryOp.op == UNARY_Not) {
        const Expr *x = e->UnaryOp.operand;
        if (x->kind == EXPR_Compare && x->Compare.ops.n == 1)
            cond_compare(c, x, label, !sense, true);
        else
            ou_cond(c, x, label, !sense);
    } else if (e->kind == EXPR_BoolOp) {
        const ExprSeq *v = &e->BoolOp.values;
        bool is_or = e->BoolOp.op == BOOL_Or;
        int skip = is_or == sense ? label : ou_label(c); /* where an early decision leads */
        for (uint32_t i = 0; i + 1 < v->n; i++)
            ou_cond(c, v->items[i], skip, is_or);
        ou_cond(c, v->items[v->n - 1], label, sense);
        if (skip != label)
            ou_place(c, skip);
    } else if (e->kind == EXPR_Compare) {
        cond_compare(c, e, label, sense, false);
    } else if (e->kind == EXPR_IfExp) {
        int orelse = ou_label(c), end = ou_label(c);
        ou_cond(c, e->IfExp.test, orelse, false);
        ou_cond(c, e->IfExp.body, label, sense);
        ou_jump(c, end);
        ou_place(c, orelse);
        ou_cond(c, e->IfExp.orelse, label, sense);
        ou_place(c, end);
    } else {
        int r = ou_operand(c, e);
        c->loc = e->pos;
        ou_emit(c, sense ? OP_JUMPT : OP_JUMPF, r, 0, 0, label);
    }
    c->unit->top = base;
    c->loc = old;
    c->depth--;
}

/* ---- displays -------------------------------------------------------------------------------------------------------- */

static Value const_items(Compiler *c, const ExprSeq *s)
{
    Value t = ou_tuple_new(c->vm, s->n);
    if (t == V_NULL) {
        c->failed = true;
        return V_NULL;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        Value v = s->items[i]->kind == EXPR_Constant || s->items[i]->kind == EXPR_UnaryOp || s->items[i]->kind == EXPR_Tuple
                      ? ou_fold(c, s->items[i])
                      : V_NULL;
        if (v == V_NULL) {
            release(c->vm, t);
            return V_NULL;
        }
        as_tuple(t)->items[i] = v;
    }
    return t;
}

int ou_build(Compiler *c, const ExprSeq *elts, OpCode op, int dst)
{
    int base = c->unit->top;
    AstPos loc = c->loc;
    bool starred = false;
    for (uint32_t i = 0; i < elts->n; i++)
        starred |= elts->items[i]->kind == EXPR_Starred;
    int t = TEMP0 + base;
    if (!starred && op != OP_MKTUPLE && elts->n >= (op == OP_MKSET ? 3 : 6)) {
        Value k = const_items(c, elts);
        if (k != V_NULL && op == OP_MKSET) {
            Value s = ou_set_from(c->vm, T_FROZENSET, k);
            release(c->vm, k);
            k = s;
            if (k == V_NULL)
                ou_exc_clear(c->vm);
        }
        if (k != V_NULL) {
            ou_push(c);
            ou_emit(c, op, t, 0, 0, 0);
            int r = ou_load_const(c, k, NONE);
            ou_emit(c, op == OP_MKSET ? OP_SETUPDATE : OP_LISTEXTEND, t, r, 0, 0);
            return finish_in(c, base, t, dst);
        }
    }
    if (!starred && elts->n <= (uint32_t)ou_window(c)) {
        for (uint32_t i = 0; i < elts->n; i++)
            ou_temp(c, elts->items[i]);
        c->loc = loc;
        if (!elts->n)
            ou_push(c);
        ou_emit(c, op, t, 0, 0, (int32_t)elts->n);
        return finish_in(c, base, t, dst);
    }
    OpCode make = op == OP_MKSET ? OP_MKSET : OP_MKLIST, add = op == OP_MKSET ? OP_SETADD : OP_LISTADD;
    uint32_t i = 0, most = (uint32_t)ou_window(c) / 2;
    while (i < elts->n && i < most && elts->items[i]->kind != EXPR_Starred)
        ou_temp(c, elts->items[i++]);
    c->loc = loc;
    if (!i)
        ou_push(c);
    ou_emit(c, make, t, 0, 0, (int32_t)i);
    for (; i < elts->n && !c->failed; i++) {
        const Expr *x = elts->items[i];
        c->unit->top = base + 1;
        bool star = x->kind == EXPR_Starred;
        int r = ou_operand(c, star ? x->Starred.value : x);
        c->loc = loc;
        ou_emit(c, star ? (op == OP_MKSET ? OP_SETUPDATE : OP_LISTEXTEND) : add, t, r, 0, 0);
    }
    c->loc = loc;
    if (op == OP_MKTUPLE)
        ou_emit(c, OP_LISTTUPLE, t, 0, 0, 0);
    return finish_in(c, base, t, dst);
}

static int dict_display(Compiler *c, const Expr *e, int dst)
{
    const ExprSeq *keys = &e->Dict.keys, *values = &e->Dict.values;
    int base = c->unit->top, t = TEMP0 + base;
    uint32_t i = 0, most = (uint32_t)ou_window(c) / 2;
    for (; i < keys->n && i < most && keys->items[i] && !c->failed; i++) {
        ou_temp(c, keys->items[i]);
        ou_temp(c, values->items[i]);
    }
    c->loc = e->pos;
    if (!i)
        ou_push(c);
    ou_emit(c, OP_MKDICT, t, 0, 0, (int32_t)i);
    for (; i < keys->n && !c->failed; i++) {
        c->unit->top = base + 1;
        if (keys->items[i]) {
            int k = ou_operand_before(c, keys->items[i], values->items[i]), v = ou_operand(c, values->items[i]);
            c->loc = e->pos;
            ou_emit(c, OP_DICTADD, t, k, v, 0);
        } else {
            int v = ou_operand(c, values->items[i]);
            c->loc = e->pos;
            ou_emit(c, OP_DICTUPDATE, t, v, 0, 0);
        }
    }
    return finish_in(c, base, t, dst);
}

static int slice(Compiler *c, const Expr *e, int dst)
{
    int base = c->unit->top, t = TEMP0 + base;
    const Expr *parts[] = {e->Slice.lower, e->Slice.upper, e->Slice.step};
    int n = e->Slice.step ? 3 : 2;
    for (int i = 0; i < n; i++) {
        c->loc = e->pos;
        if (parts[i])
            ou_temp(c, parts[i]);
        else
            ou_load_imm(c, V_NONE, NONE);
    }
    c->loc = e->pos;
    ou_emit(c, OP_MKSLICE, t, 0, n, 0);
    return finish_in(c, base, t, dst);
}

/* ---- attributes, subscripts, the rest -------------------------------------------------------------------------------- */

/* A chain over several lines is reported from the line of its attribute's name on. */
AstPos ou_attr_pos(const Expr *attr, AstPos pos)
{
    if (pos.line == attr->pos.end_line)
        return pos;
    pos.line = attr->pos.end_line;
    if (attr->Attribute.attr->len <= attr->pos.end_col)
        pos.col = attr->pos.end_col - attr->Attribute.attr->len;
    else
        pos.col = pos.end_col = UINT32_MAX;
    return pos;
}

static bool zero_arg_super(Compiler *c, const Expr *e)
{
    if (e->kind != EXPR_Call || e->Call.args.n || e->Call.keywords.n || e->Call.func->kind != EXPR_Name ||
        strcmp(e->Call.func->Name.id->text, "super") != 0 || c->scope->kind != SCOPE_FUNCTION || c->unit->nargs == 0)
        return false;
    Str *super = cname(c, e->Call.func->Name.id);
    Symbol *y = ou_scope_find(c->scope, super);
    Symbol *k = ou_scope_find(c->scope, name_of(c->vm, N_DU_class)), *self = c->unit->scope->first;
    while (self && !(self->flags & DEF_PARAM))
        self = self->next;
    return self && !(self->flags & DEF_DELETED) && y && y->kind == SYM_GLOBAL && k && k->kind == SYM_FREE &&
           k->owner->scope->code != c->unit->scope;
}

/* super().name: super, the class and self in a window of three, then SUPERATTR. */
static int super_attr(Compiler *c, const Expr *e, bool for_call)
{
    int t = ou_push(c), cls = ou_push(c), t1 = ou_push(c);
    const Expr *call = e->Attribute.value;
    c->loc = call->Call.func->pos;
    ou_load_name(c, cname(c, call->Call.func->Name.id), t);
    c->loc = call->pos;
    ou_load_name(c, name_of(c->vm, N_DU_class), cls);
    for (Symbol *y = c->unit->scope->first; y; y = y->next) {
        if (!(y->flags & DEF_PARAM))
            continue; /* the first one in order of definition is the first argument */
        if (y->is_cell) {
            ou_emit_site(c, OP_GETCELL_T, t1, y->reg, 0, 0, y->name);
        } else {
            ou_emit_site(c, OP_CHECK, y->reg, 0, 0, 0, y->name);
            ou_emit(c, OP_MOVE_T, t1, y->reg, 0, 0);
        }
        break;
    }
    c->loc = e->pos;
    ou_emit_site(c, OP_SUPERATTR, t, 0, for_call, 0, cname(c, e->Attribute.attr));
    c->unit->top = t - TEMP0 + 1;
    return t;
}

int ou_super_method(Compiler *c, const Expr *attr)
{
    return zero_arg_super(c, attr->Attribute.value) ? super_attr(c, attr, true) : NONE;
}

static int attribute(Compiler *c, const Expr *e, int dst)
{
    int base = c->unit->top;
    Str *name = cname(c, e->Attribute.attr);
    if (zero_arg_super(c, e->Attribute.value))
        return finish_in(c, base, super_attr(c, e, false), dst);
    int o = ou_operand(c, e->Attribute.value);
    c->loc = ou_attr_pos(e, e->pos);
    if (is_temp(o)) {
        ou_emit_site(c, OP_GETATTR, o, o, 0, 0, name);
        return finish_in(c, base, o, dst);
    }
    int d = settle(c, base, dst);
    ou_emit_site(c, OP_GETATTR, d, o, 0, 0, name);
    return d;
}

static int subscript(Compiler *c, const Expr *e, int dst)
{
    ou_warn_subscript(c, e);
    int base = c->unit->top;
    int o = ou_operand_before(c, e->Subscript.value, e->Subscript.slice);
    int i = e->Subscript.slice->kind == EXPR_Slice ? slice(c, e->Subscript.slice, NONE) : ou_operand(c, e->Subscript.slice);
    c->loc = e->pos;
    if (is_temp(o)) {
        ou_emit(c, OP_GETITEM, o, o, i, 0);
        return finish_in(c, base, o, dst);
    }
    int d = settle(c, base, dst);
    ou_emit(c, OP_GETITEM, d, o, i, 0);
    return d;
}

static int named_expr(Compiler *c, const Expr *e, int dst)
{
    const Expr *target = e->NamedExpr.target;
    Str *name = cname(c, target->Name.id);
    if (!name || ou_forbidden(c, name, target->pos, CTX_Store))
        return ou_result(c, dst);
    int r = ou_plain_local(c, target);
    if (r != NONE) {
        ou_expr(c, e->NamedExpr.value, r);
        int d = ou_result(c, dst);
        ou_move(c, d, r);
        return d;
    }
    int base = c->unit->top, t = ou_temp(c, e->NamedExpr.value), copy = ou_push(c);
    c->loc = e->pos;
    ou_emit(c, OP_MOVE_T, copy, t, 0, 0);
    ou_store_name(c, name, copy);
    return finish_in(c, base, t, dst);
}

void ou_effect_expr(Compiler *c, const Expr *e)
{
    int base = c->unit->top;
    Value k = e->kind == EXPR_Constant ? V_NONE : V_NULL;
    if (k == V_NULL) {
        int r = ou_operand(c, e);
        ou_drop(c, r);
    }
    c->unit->top = base;
}

static int expr(Compiler *c, const Expr *e, int dst)
{
    switch (e->kind) {
    case EXPR_Constant: {
        c->loc = e->pos;
        Value v = ou_const_value(c, &e->Constant.value);
        return ou_load_const(c, v, dst);
    }
    case EXPR_BinOp:
    case EXPR_UnaryOp:
    case EXPR_Tuple:
    case EXPR_Subscript: {
        Value v = ou_fold(c, e);
        if (v != V_NULL) {
            c->loc = e->pos;
            return ou_load_const(c, v, dst);
        }
        break;
    }
    default: break;
    }
    c->loc = e->pos;
    switch (e->kind) {
    case EXPR_BoolOp: return boolop(c, e, dst);
    case EXPR_NamedExpr: return named_expr(c, e, dst);
    case EXPR_BinOp: return binary(c, e, dst);
    case EXPR_UnaryOp: return unary(c, e, dst);
    case EXPR_Lambda: return ou_lambda(c, e, dst);
    case EXPR_IfExp: return if_expr(c, e, dst);
    case EXPR_Dict: return dict_display(c, e, dst);
    case EXPR_Set: return ou_build(c, &e->Set.elts, OP_MKSET, dst);
    case EXPR_ListComp:
    case EXPR_SetComp:
    case EXPR_DictComp:
    case EXPR_GeneratorExp: return ou_comp(c, e, dst);
    case EXPR_Await: return ou_await(c, e, dst);
    case EXPR_Yield:
    case EXPR_YieldFrom: return ou_yield(c, e, dst);
    case EXPR_Compare: return compare(c, e, dst);
    case EXPR_Call: return ou_call_expr(c, e, dst);
    case EXPR_FormattedValue:
    case EXPR_JoinedStr: return ou_fstring(c, e, dst);
    case EXPR_Attribute: return attribute(c, e, dst);
    case EXPR_Subscript: return subscript(c, e, dst);
    case EXPR_Starred: ou_c_error(c, e->pos, "can't use starred expression here"); return ou_result(c, dst);
    case EXPR_Name:
        if (strcmp(e->Name.id->text, "__debug__") == 0)
            return ou_load_imm(c, v_bool(!c->optimize), dst);
        return ou_load_name(c, cname(c, e->Name.id), dst);
    case EXPR_List: return ou_build(c, &e->List.elts, OP_MKLIST, dst);
    case EXPR_Tuple: return ou_build(c, &e->Tuple.elts, OP_MKTUPLE, dst);
    case EXPR_Slice: return slice(c, e, dst);
    default: return ou_result(c, dst);
    }
}

/* A deep expression runs out of registers: those of the temporaries that only the expression around uses are lent to the inner one.
 * What a handler counts on stays. Which of them hold anything is known later (flow.c). */
static int crowded(const Unit *u, const Expr *e)
{
    if (u->nlocals + u->top <= SPILL_FROM || e->kind == EXPR_Name || e->kind == EXPR_Constant)
        return 0;
    int base = u->handler >= 0 ? u->handlers[u->handler].reg - TEMP0 : 0;
    return u->top - base > 8 ? u->top - base : 0;
}

static int expr_elsewhere(Compiler *c, const Expr *e, int dst, int n)
{
    Unit *u = c->unit;
    int first = u->top - n, from = ou_far(c, n + 1);
    for (int k = 0; k < n; k++)
        ou_emit(c, OP_SETFAR, TEMP0 + first + k, FAR_REG, SPILL, from + k);
    u->top = first;
    int r = expr(c, e, dst);
    if (dst == NONE)
        ou_emit(c, OP_SETFAR, r, FAR_REG, 0, from + n);
    u->top = first + n;
    for (int k = 0; k < n; k++)
        ou_emit(c, OP_TAKEFAR, TEMP0 + first + k, FAR_REG, SPILL, from + k);
    if (dst == NONE) {
        r = ou_push(c);
        ou_emit(c, OP_TAKEFAR, r, FAR_REG, 0, from + n);
    }
    ou_far_done(c, from, n + 1);
    return r;
}

int ou_expr(Compiler *c, const Expr *e, int dst)
{
    if (c->failed || !ou_c_enter(c))
        return ou_result(c, dst);
    AstPos old = c->loc;
    int away = crowded(c->unit, e);
    int r = away ? expr_elsewhere(c, e, dst, away) : expr(c, e, dst);
    c->loc = old;
    c->depth--;
    return r;
}
