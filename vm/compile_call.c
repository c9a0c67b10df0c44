/* Calls, f-strings, and the warnings about things that are surely not callable or not subscriptable.
 * A call is a window: function, a free register, then the arguments (vm/opcodes.def); methods get the receiver in front. */
#include "vm/compile.h"

/* ---- warnings -------------------------------------------------------------------------------------------------------- */

static const char *type_of_display(Compiler *c, const Expr *e)
{
    switch (e->kind) {
    case EXPR_Tuple: return "tuple";
    case EXPR_List:
    case EXPR_ListComp: return "list";
    case EXPR_Dict:
    case EXPR_DictComp: return "dict";
    case EXPR_Set:
    case EXPR_SetComp: return "set";
    case EXPR_GeneratorExp: return "generator";
    case EXPR_Lambda: return "function";
    case EXPR_JoinedStr:
    case EXPR_FormattedValue: return "str";
    case EXPR_Constant: {
        Value v = ou_const_value(c, &e->Constant.value);
        const char *name = v == V_NULL ? NULL : ou_type_name(c->vm, v);
        xrelease(c->vm, v);
        return name;
    }
    default: return NULL;
    }
}

static void warn_caller(Compiler *c, const Expr *f)
{
    if (f->kind == EXPR_Lambda)
        return;
    const char *t = type_of_display(c, f);
    if (t)
        ou_c_warn(c, f->pos, "'%s' object is not callable; perhaps you missed a comma?", t);
}

void ou_warn_subscript(Compiler *c, const Expr *e)
{
    const Expr *v = e->Subscript.value, *i = e->Subscript.slice;
    switch (v->kind) {
    case EXPR_Constant: {
        int k = v->Constant.value.kind;
        if (k == CONST_STR || k == CONST_BYTES)
            break;
        ou_c_warn(c, v->pos, "'%s' object is not subscriptable; perhaps you missed a comma?", type_of_display(c, v));
        return;
    }
    case EXPR_Set:
    case EXPR_SetComp:
    case EXPR_GeneratorExp:
    case EXPR_Lambda:
        ou_c_warn(c, v->pos, "'%s' object is not subscriptable; perhaps you missed a comma?", type_of_display(c, v));
        return;
    case EXPR_Tuple:
    case EXPR_List:
    case EXPR_ListComp:
    case EXPR_JoinedStr:
    case EXPR_FormattedValue: break;
    default: return;
    }
    const char *t = type_of_display(c, i);
    if (!t || strcmp(t, "int") == 0 || strcmp(t, "bool") == 0)
        return;
    ou_c_warn(c, v->pos, "%s indices must be integers or slices, not %s; perhaps you missed a comma?",
              type_of_display(c, v), t);
}

/* ---- arguments ------------------------------------------------------------------------------------------------------- */

/* The first keyword that comes again later; kws->n: none. */
static uint32_t first_repeated(Compiler *c, const KeywordSeq *kws)
{
    uint32_t found = kws->n;
    if (!c->seen && !(c->seen = ou_c_alloc(c, c->nnames + 1)))
        return found;
    for (uint32_t i = kws->n; i-- > 0;) {
        if (!kws->items[i]->arg)
            continue;
        bool *seen = &c->seen[kws->items[i]->arg->id];
        if (*seen)
            found = i;
        *seen = true;
    }
    for (uint32_t i = 0; i < kws->n; i++)
        if (kws->items[i]->arg)
            c->seen[kws->items[i]->arg->id] = false;
    return found;
}

static bool check_keywords(Compiler *c, const KeywordSeq *kws)
{
    uint32_t repeated = kws->n > 1 ? first_repeated(c, kws) : kws->n;
    for (uint32_t i = 0; i < kws->n; i++) {
        const Keyword *k = kws->items[i];
        if (!k->arg)
            continue;
        if (ou_forbidden(c, ou_c_name(c, k->arg), k->pos, CTX_Store))
            return false;
        if (i == repeated) {
            uint32_t again = i + 1;
            while (kws->items[again]->arg != k->arg)
                again++;
            ou_c_error(c, kws->items[again]->pos, "keyword argument repeated: %Q", ou_c_name(c, k->arg));
            return false;
        }
    }
    return !c->failed;
}

static bool plain_args(const Compiler *c, const ExprSeq *args, const KeywordSeq *kws, int nextra)
{
    if (args->n + kws->n + (uint32_t)nextra > (uint32_t)ou_window(c))
        return false;
    for (uint32_t i = 0; i < args->n; i++)
        if (args->items[i]->kind == EXPR_Starred)
            return false;
    for (uint32_t i = 0; i < kws->n; i++)
        if (!kws->items[i]->arg)
            return false;
    return true;
}

static int keyword_names(Compiler *c, const KeywordSeq *kws)
{
    Value names = ou_tuple_new(c->vm, kws->n);
    if (names == V_NULL) {
        c->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < kws->n; i++) {
        Str *s = ou_c_name(c, kws->items[i]->arg); /* not mangled, though parameters are */
        if (s)
            as_tuple(names)->items[i] = retain(v_of(s));
    }
    return ou_const(c, names);
}

static bool single_star(const ExprSeq *args, int nextra)
{
    return nextra == 0 && args->n == 1 && args->items[0]->kind == EXPR_Starred;
}

/* fn + 2 = tuple of the positional arguments; nextra of them stand there already. */
static void star_args(Compiler *c, int fn, int nextra, const ExprSeq *args)
{
    AstPos loc = c->loc;
    int list = fn + 2;
    if (single_star(args, nextra)) { /* made a tuple when the keywords have been evaluated */
        ou_temp(c, args->items[0]->Starred.value);
        c->loc = loc;
        return;
    }
    uint32_t i = 0, most = (uint32_t)ou_window(c) / 2;
    while (i < args->n && i < most && args->items[i]->kind != EXPR_Starred)
        ou_temp(c, args->items[i++]);
    c->loc = loc;
    if (nextra + (int)i == 0)
        ou_push(c);
    bool whole = i == args->n;
    ou_emit(c, whole ? OP_MKTUPLE : OP_MKLIST, list, 0, 0, nextra + (int)i);
    c->unit->top = list - TEMP0 + 1;
    for (; i < args->n && !c->failed; i++) {
        const Expr *x = args->items[i];
        bool star = x->kind == EXPR_Starred;
        int r = ou_operand(c, star ? x->Starred.value : x);
        c->loc = loc;
        ou_emit(c, star ? OP_LISTEXTEND : OP_LISTADD, list, r, 0, 0);
        c->unit->top = list - TEMP0 + 1;
    }
    if (!whole)
        ou_emit(c, OP_LISTTUPLE, list, 0, 0, 0);
}

/* fn + 3 = dict of the keyword arguments. */
static void star_keywords(Compiler *c, int fn, const KeywordSeq *kws)
{
    AstPos loc = c->loc;
    int dict = fn + 3;
    uint32_t most = (uint32_t)ou_window(c) / 2;
    bool made = false;
    for (uint32_t i = 0; i < kws->n && !c->failed;) {
        int at = made ? ou_push(c) : dict;
        c->unit->top = at - TEMP0;
        uint32_t n = 0;
        for (; i < kws->n && kws->items[i]->arg && n < most; i++, n++) {
            c->loc = loc;
            ou_load_const(c, retain(v_of(ou_c_name(c, kws->items[i]->arg))), NONE);
            ou_temp(c, kws->items[i]->value);
        }
        c->loc = loc;
        if (n || !made) {
            if (!n)
                ou_push(c);
            ou_emit(c, OP_MKDICT, at, 0, 0, (int32_t)n);
        }
        if (made && n)
            ou_emit(c, OP_DICTMERGE, dict, at, fn, 0);
        made = true;
        c->unit->top = dict - TEMP0 + 1;
        if (i < kws->n && !kws->items[i]->arg) {
            int r = ou_operand(c, kws->items[i++]->value);
            c->loc = loc;
            ou_emit(c, OP_DICTMERGE, dict, r, fn, 0);
            c->unit->top = dict - TEMP0 + 1;
        }
    }
}

void ou_call_args(Compiler *c, int fn, int nextra, const ExprSeq *args, const KeywordSeq *kws, bool method)
{
    AstPos loc = c->loc;
    if (!check_keywords(c, kws))
        return;
    if (plain_args(c, args, kws, nextra)) {
        for (uint32_t i = 0; i < args->n; i++)
            ou_temp(c, args->items[i]);
        for (uint32_t i = 0; i < kws->n; i++)
            ou_temp(c, kws->items[i]->value);
        c->loc = loc;
        int n = nextra + (int)(args->n + kws->n);
        if (kws->n)
            ou_emit(c, method ? OP_CALLMKW : OP_CALLKW, fn, 0, n, keyword_names(c, kws));
        else
            ou_emit(c, method ? OP_CALLM : OP_CALL, fn, 0, n, 0);
    } else {
        star_args(c, fn, nextra, args);
        if (kws->n)
            star_keywords(c, fn, kws);
        c->loc = loc;
        if (single_star(args, nextra))
            ou_emit(c, OP_LISTTUPLE, fn + 2, fn, 1, 0);
        ou_emit(c, OP_CALLEX, fn, 0, kws->n != 0, 0);
    }
    c->unit->top = fn - TEMP0 + 1;
}

int ou_call_expr(Compiler *c, const Expr *e, int dst)
{
    const Expr *f = e->Call.func;
    int base = c->unit->top;
    warn_caller(c, f);
    if (!check_keywords(c, &e->Call.keywords))
        return ou_result(c, dst);
    int fn;
    if (f->kind == EXPR_Attribute && plain_args(c, &e->Call.args, &e->Call.keywords, 0)) {
        fn = ou_super_method(c, f);
        if (fn == NONE) {
            int o = ou_operand(c, f->Attribute.value);
            fn = is_temp(o) ? o : ou_push(c);
            c->loc = ou_attr_pos(f, f->pos);
            ou_push(c);
            ou_push(c);
            ou_emit_site(c, OP_GETMETHOD, fn, o, 0, 0, cname(c, f->Attribute.attr));
        } else {
            ou_push(c);
            ou_push(c);
        }
        c->loc = ou_attr_pos(f, e->pos);
        ou_call_args(c, fn, 0, &e->Call.args, &e->Call.keywords, true);
    } else {
        fn = ou_temp(c, f);
        ou_push(c);
        c->loc = e->pos;
        ou_call_args(c, fn, 0, &e->Call.args, &e->Call.keywords, false);
    }
    c->unit->top = base;
    if (dst != NONE) {
        ou_move(c, dst, fn);
        return dst;
    }
    return ou_push(c);
}

/* ---- f-strings ------------------------------------------------------------------------------------------------------- */

static int formatted(Compiler *c, const Expr *e, int dst)
{
    int base = c->unit->top;
    int conversion = e->FormattedValue.conversion < 0 ? 0 : e->FormattedValue.conversion;
    int r, spec = e->FormattedValue.format_spec != NULL;
    if (spec) {
        r = ou_temp(c, e->FormattedValue.value);
        ou_temp(c, e->FormattedValue.format_spec);
    } else {
        r = ou_operand(c, e->FormattedValue.value);
    }
    c->loc = e->pos;
    c->unit->top = base;
    int d = ou_result(c, dst);
    ou_emit(c, OP_FORMAT, d, r, conversion, spec);
    return d;
}

int ou_fstring(Compiler *c, const Expr *e, int dst)
{
    if (e->kind == EXPR_FormattedValue)
        return formatted(c, e, dst);
    const ExprSeq *v = &e->JoinedStr.values;
    if (v->n == 1 && (v->items[0]->kind == EXPR_FormattedValue || v->items[0]->kind == EXPR_Constant))
        return ou_expr(c, v->items[0], dst);
    int base = c->unit->top, t = TEMP0 + base, n = 0, most = ou_window(c);
    for (uint32_t i = 0; i < v->n && !c->failed; i++) {
        ou_temp(c, v->items[i]);
        if (++n == most) {
            c->loc = e->pos;
            ou_emit(c, OP_MKSTR, t, 0, 0, n);
            c->unit->top = base + 1;
            n = 1;
        }
    }
    c->loc = e->pos;
    if (!n)
        ou_push(c);
    ou_emit(c, OP_MKSTR, t, 0, 0, n);
    c->unit->top = base;
    if (dst != NONE) {
        ou_move(c, dst, t);
        return dst;
    }
    return ou_push(c);
}
