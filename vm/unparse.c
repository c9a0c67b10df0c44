/* An expression back to source text, in the form that CPython gives annotations under `from __future__ import annotations`.
 * ou_unparse is the entry; levels of precedence decide about parentheses. */
#include "runtime/base/numtext.h"
#include "vm/compile.h"

enum {
    PR_TUPLE, PR_TEST, PR_OR, PR_AND, PR_NOT, PR_CMP, PR_EXPR, PR_BOR = PR_EXPR, PR_BXOR, PR_BAND, PR_SHIFT, PR_ARITH,
    PR_TERM, PR_FACTOR, PR_POWER, PR_AWAIT, PR_ATOM
};

typedef struct Out {
    Compiler *c;
    StrBuf b;
} Out;

static void put_expr(Out *o, const Expr *e, int level);

static void text(Out *o, const char *s) { ou_sb_puts(&o->b, s); }
static void id(Out *o, const AstStr *s) { ou_sb_put(&o->b, s->text, s->len); }
static void open_if(Out *o, bool on) { text(o, on ? "(" : ""); }
static void close_if(Out *o, bool on) { text(o, on ? ")" : ""); }

static void list(Out *o, const ExprSeq *s, int level)
{
    for (uint32_t i = 0; i < s->n; i++) {
        if (i)
            text(o, ", ");
        put_expr(o, s->items[i], level);
    }
}

static void constant(Out *o, const AstConst *k)
{
    if (k->kind == CONST_ELLIPSIS) {
        text(o, "...");
        return;
    }
    if ((k->kind == CONST_FLOAT || k->kind == CONST_IMAG) && k->num > 1.7976931348623157e308) {
        text(o, k->kind == CONST_IMAG ? "1e309j" : "1e309"); /* inf is no literal */
        return;
    }
    if (k->u_prefix)
        text(o, "u");
    Value v = ou_const_value(o->c, k);
    if (v == V_NULL || !ou_sb_repr(&o->b, v))
        o->c->failed = true;
    xrelease(o->c->vm, v);
}

static void arg(Out *o, const Arg *a, const char *star, const Expr *dflt, bool *first)
{
    if (!*first)
        text(o, ", ");
    *first = false;
    text(o, star);
    id(o, a->arg);
    if (dflt) {
        text(o, "=");
        put_expr(o, dflt, PR_TEST);
    }
}

static void lambda_args(Out *o, const Arguments *a)
{
    bool first = true;
    uint32_t npos = a->posonlyargs.n + a->args.n;
    for (uint32_t i = 0; i < npos; i++) {
        const Arg *x = i < a->posonlyargs.n ? a->posonlyargs.items[i] : a->args.items[i - a->posonlyargs.n];
        uint32_t from = npos - a->defaults.n;
        arg(o, x, "", i >= from ? a->defaults.items[i - from] : NULL, &first);
        if (a->posonlyargs.n && i + 1 == a->posonlyargs.n)
            text(o, ", /");
    }
    if (a->vararg) {
        arg(o, a->vararg, "*", NULL, &first);
    } else if (a->kwonlyargs.n) {
        text(o, first ? "*" : ", *");
        first = false;
    }
    for (uint32_t i = 0; i < a->kwonlyargs.n; i++)
        arg(o, a->kwonlyargs.items[i], "", a->kw_defaults.items[i], &first);
    if (a->kwarg)
        arg(o, a->kwarg, "**", NULL, &first);
}

static void comp(Out *o, const ComprehensionSeq *gens)
{
    for (uint32_t i = 0; i < gens->n; i++) {
        const Comprehension *g = gens->items[i];
        text(o, g->is_async ? " async for " : " for ");
        put_expr(o, g->target, PR_TUPLE);
        text(o, " in ");
        put_expr(o, g->iter, PR_TEST + 1);
        for (uint32_t k = 0; k < g->ifs.n; k++) {
            text(o, " if ");
            put_expr(o, g->ifs.items[k], PR_TEST + 1);
        }
    }
}

static void fstring_parts(Out *o, StrBuf *body, const Expr *e, bool spec);

static void fstring_value(Out *o, StrBuf *body, const Expr *e)
{
    Out inner = {.c = o->c};
    ou_sb_init(&inner.b, o->c->vm);
    put_expr(&inner, e->FormattedValue.value, PR_TEST + 1);
    ou_sb_puts(body, inner.b.n && inner.b.p[0] == '{' ? "{ " : "{");
    ou_sb_put(body, inner.b.p, inner.b.n);
    ou_sb_drop(&inner.b);
    if (e->FormattedValue.conversion > 0) {
        ou_sb_putc(body, '!');
        ou_sb_putc(body, (char)e->FormattedValue.conversion);
    }
    if (e->FormattedValue.format_spec) {
        ou_sb_putc(body, ':');
        fstring_parts(o, body, e->FormattedValue.format_spec, true);
    }
    ou_sb_putc(body, '}');
}

static void fstring_parts(Out *o, StrBuf *body, const Expr *e, bool spec)
{
    (void)spec;
    if (e->kind == EXPR_Constant) {
        const AstConst *k = &e->Constant.value;
        for (size_t i = 0; i < k->len; i++) {
            ou_sb_putc(body, k->text[i]);
            if (k->text[i] == '{' || k->text[i] == '}')
                ou_sb_putc(body, k->text[i]);
        }
    } else if (e->kind == EXPR_FormattedValue) {
        fstring_value(o, body, e);
    } else {
        for (uint32_t i = 0; i < e->JoinedStr.values.n; i++)
            fstring_parts(o, body, e->JoinedStr.values.items[i], spec);
    }
}

static void fstring(Out *o, const Expr *e)
{
    StrBuf body;
    ou_sb_init(&body, o->c->vm);
    fstring_parts(o, &body, e, false);
    Value s = ou_sb_finish(&body);
    text(o, "f");
    if (s == V_NULL || !ou_sb_repr(&o->b, s))
        o->c->failed = true;
    xrelease(o->c->vm, s);
}

static void binary(Out *o, const Expr *e, int level)
{
    static const struct {
        const char *text;
        int level;
        bool right;
    } ops[] = {
        [BIN_Add] = {" + ", PR_ARITH, false},    [BIN_Sub] = {" - ", PR_ARITH, false},   [BIN_Mult] = {" * ", PR_TERM, false},
        [BIN_MatMult] = {" @ ", PR_TERM, false}, [BIN_Div] = {" / ", PR_TERM, false},    [BIN_Mod] = {" % ", PR_TERM, false},
        [BIN_LShift] = {" << ", PR_SHIFT, false}, [BIN_RShift] = {" >> ", PR_SHIFT, false}, [BIN_BitOr] = {" | ", PR_BOR, false},
        [BIN_BitXor] = {" ^ ", PR_BXOR, false},  [BIN_BitAnd] = {" & ", PR_BAND, false}, [BIN_FloorDiv] = {" // ", PR_TERM, false},
        [BIN_Pow] = {" ** ", PR_POWER, true},
    };
    int mine = ops[e->BinOp.op].level;
    bool right = ops[e->BinOp.op].right;
    open_if(o, level > mine);
    put_expr(o, e->BinOp.left, mine + right);
    text(o, ops[e->BinOp.op].text);
    put_expr(o, e->BinOp.right, mine + !right);
    close_if(o, level > mine);
}

static void call(Out *o, const Expr *e)
{
    put_expr(o, e->Call.func, PR_ATOM);
    if (e->Call.args.n == 1 && !e->Call.keywords.n && e->Call.args.items[0]->kind == EXPR_GeneratorExp) {
        put_expr(o, e->Call.args.items[0], PR_TEST);
        return;
    }
    text(o, "(");
    list(o, &e->Call.args, PR_TEST);
    for (uint32_t i = 0; i < e->Call.keywords.n; i++) {
        const Keyword *k = e->Call.keywords.items[i];
        if (i || e->Call.args.n)
            text(o, ", ");
        if (k->arg) {
            id(o, k->arg);
            text(o, "=");
        } else {
            text(o, "**");
        }
        put_expr(o, k->value, PR_TEST);
    }
    text(o, ")");
}

static void compare(Out *o, const Expr *e, int level)
{
    open_if(o, level > PR_CMP);
    put_expr(o, e->Compare.left, PR_CMP + 1);
    for (uint32_t i = 0; i < e->Compare.ops.n; i++) {
        text(o, " ");
        text(o, ou_ast_cmp_text(e->Compare.ops.items[i]));
        text(o, " ");
        put_expr(o, e->Compare.comparators.items[i], PR_CMP + 1);
    }
    close_if(o, level > PR_CMP);
}

static void dict(Out *o, const Expr *e)
{
    text(o, "{");
    for (uint32_t i = 0; i < e->Dict.values.n; i++) {
        if (i)
            text(o, ", ");
        if (e->Dict.keys.items[i]) {
            put_expr(o, e->Dict.keys.items[i], PR_TEST);
            text(o, ": ");
            put_expr(o, e->Dict.values.items[i], PR_TEST);
        } else {
            text(o, "**");
            put_expr(o, e->Dict.values.items[i], PR_EXPR);
        }
    }
    text(o, "}");
}

static void slice_part(Out *o, const Expr *e)
{
    if (e)
        put_expr(o, e, PR_TEST);
}

static void put_expr(Out *o, const Expr *e, int level)
{
    if (o->c->failed || !ou_c_enter(o->c))
        return;
    switch (e->kind) {
    case EXPR_BoolOp: {
        bool is_and = e->BoolOp.op == BOOL_And;
        int mine = is_and ? PR_AND : PR_OR;
        open_if(o, level > mine);
        for (uint32_t i = 0; i < e->BoolOp.values.n; i++) {
            if (i)
                text(o, is_and ? " and " : " or ");
            put_expr(o, e->BoolOp.values.items[i], mine + 1);
        }
        close_if(o, level > mine);
        break;
    }
    case EXPR_NamedExpr:
        open_if(o, level > PR_TUPLE);
        put_expr(o, e->NamedExpr.target, PR_ATOM);
        text(o, " := ");
        put_expr(o, e->NamedExpr.value, PR_ATOM);
        close_if(o, level > PR_TUPLE);
        break;
    case EXPR_BinOp: binary(o, e, level); break;
    case EXPR_UnaryOp: {
        int mine = e->UnaryOp.op == UNARY_Not ? PR_NOT : PR_FACTOR;
        static const char *const ops[] = {[UNARY_Invert] = "~", [UNARY_Not] = "not ", [UNARY_UAdd] = "+", [UNARY_USub] = "-"};
        open_if(o, level > mine);
        text(o, ops[e->UnaryOp.op]);
        put_expr(o, e->UnaryOp.operand, mine);
        close_if(o, level > mine);
        break;
    }
    case EXPR_Lambda: {
        const Arguments *a = e->Lambda.args;
        open_if(o, level > PR_TEST);
        text(o, a->args.n || a->posonlyargs.n || a->kwonlyargs.n || a->vararg || a->kwarg ? "lambda " : "lambda");
        lambda_args(o, a);
        text(o, ": ");
        put_expr(o, e->Lambda.body, PR_TEST);
        close_if(o, level > PR_TEST);
        break;
    }
    case EXPR_IfExp:
        open_if(o, level > PR_TEST);
        put_expr(o, e->IfExp.body, PR_TEST + 1);
        text(o, " if ");
        put_expr(o, e->IfExp.test, PR_TEST + 1);
        text(o, " else ");
        put_expr(o, e->IfExp.orelse, PR_TEST);
        close_if(o, level > PR_TEST);
        break;
    case EXPR_Dict: dict(o, e); break;
    case EXPR_Set:
        text(o, "{");
        list(o, &e->Set.elts, PR_TEST);
        text(o, "}");
        break;
    case EXPR_ListComp:
        text(o, "[");
        put_expr(o, e->ListComp.elt, PR_TEST);
        comp(o, &e->ListComp.generators);
        text(o, "]");
        break;
    case EXPR_SetComp:
        text(o, "{");
        put_expr(o, e->SetComp.elt, PR_TEST);
        comp(o, &e->SetComp.generators);
        text(o, "}");
        break;
    case EXPR_DictComp:
        text(o, "{");
        put_expr(o, e->DictComp.key, PR_TEST);
        text(o, ": ");
        put_expr(o, e->DictComp.value, PR_TEST);
        comp(o, &e->DictComp.generators);
        text(o, "}");
        break;
    case EXPR_GeneratorExp:
        text(o, "(");
        put_expr(o, e->GeneratorExp.elt, PR_TEST);
        comp(o, &e->GeneratorExp.generators);
        text(o, ")");
        break;
    case EXPR_Await:
        open_if(o, level > PR_AWAIT);
        text(o, "await ");
        put_expr(o, e->Await.value, PR_ATOM);
        close_if(o, level > PR_AWAIT);
        break;
    case EXPR_Yield:
        text(o, e->Yield.value ? "(yield " : "(yield");
        if (e->Yield.value)
            put_expr(o, e->Yield.value, PR_TUPLE);
        text(o, ")");
        break;
    case EXPR_YieldFrom:
        text(o, "(yield from ");
        put_expr(o, e->YieldFrom.value, PR_TEST);
        text(o, ")");
        break;
    case EXPR_Compare: compare(o, e, level); break;
    case EXPR_Call: call(o, e); break;
    case EXPR_FormattedValue:
    case EXPR_JoinedStr: fstring(o, e); break;
    case EXPR_Constant: constant(o, &e->Constant.value); break;
    case EXPR_Attribute:
        put_expr(o, e->Attribute.value, PR_ATOM);
        text(o, e->Attribute.value->kind == EXPR_Constant && e->Attribute.value->Constant.value.kind == CONST_INT ? " ." : ".");
        id(o, e->Attribute.attr);
        break;
    case EXPR_Subscript:
        put_expr(o, e->Subscript.value, PR_ATOM);
        text(o, "[");
        put_expr(o, e->Subscript.slice, PR_TUPLE);
        text(o, "]");
        break;
    case EXPR_Starred:
        text(o, "*");
        put_expr(o, e->Starred.value, PR_EXPR);
        break;
    case EXPR_Name: id(o, e->Name.id); break;
    case EXPR_List:
        text(o, "[");
        list(o, &e->List.elts, PR_TEST);
        text(o, "]");
        break;
    case EXPR_Tuple: {
        const ExprSeq *s = &e->Tuple.elts;
        open_if(o, level > PR_TUPLE || !s->n);
        list(o, s, PR_TEST);
        text(o, s->n == 1 ? "," : "");
        close_if(o, level > PR_TUPLE || !s->n);
        break;
    }
    case EXPR_Slice:
        slice_part(o, e->Slice.lower);
        text(o, ":");
        slice_part(o, e->Slice.upper);
        if (e->Slice.step) {
            text(o, ":");
            slice_part(o, e->Slice.step);
        }
        break;
    default: break;
    }
    o->c->depth--;
}

Value ou_unparse(Compiler *c, const Expr *e)
{
    Out o = {.c = c};
    ou_sb_init(&o.b, c->vm);
    put_expr(&o, e, PR_TEST);
    Value v = ou_sb_finish(&o.b);
    if (v == V_NULL)
        c->failed = true;
    return v;
}
