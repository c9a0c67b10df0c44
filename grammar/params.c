/* The builders of parameter lists, call arguments and type parameters.
 * Entry points: ou_build_params, ou_build_call, ou_build_take_args, ou_build_type_params. The grammar takes
 * parameters and arguments in any order; the order is checked here, with CPython's messages. */
#include "grammar/build.h"

#include "grammar/grammar.h"

/* ---- parameters ---- */

typedef struct Param {
    ParamKind kind;
    AstPos pos; /* of the marker, or of the name */
    Arg *arg;   /* NULL for a bare marker */
    Expr *def;
} Param;

Arg *ou_build_arg_name(Parser *p, Tok n, const Ex *note) {
    Arg *a = ou_build_alloc(p, sizeof *a);
    if (!a) return &p->dummy.arg;
    a->pos = (AstPos){n.pos.line, n.pos.col, p->end_line, p->end_col};
    a->arg = ou_build_name_text(p, n).s;
    a->annotation = note ? note->e : NULL;
    return a;
}

int ou_build_param(Parser *p, ParamKind kind, const Tok *mark, Arg *name, const Ex *def) {
    Param *m = ou_build_alloc(p, sizeof *m);
    if (!m) return (int)p->n_items;
    m->kind = kind;
    m->pos = mark ? mark->pos : name->pos;
    m->arg = name;
    m->def = def ? def->e : NULL;
    return (int)ou_list_push(p, m);
}

/* Where the parameters divide. */
typedef struct Sections {
    uint32_t slash, star, n_defaults;
    bool has_slash, has_star;
} Sections;

static bool check_order(Parser *p, Param **m, uint32_t n, Sections *s) {
    bool def = false;
    const char *wrong = NULL;
    uint32_t i;
    for (i = 0; i < n && !wrong; i++) {
        Param *q = m[i];
        if (i && m[i - 1]->kind == PARAM_DSTAR)
            wrong = "arguments cannot follow var-keyword argument";
        else if (q->kind == PARAM_SLASH) {
            if (!i)
                wrong = n == 1 ? "invalid syntax" : "at least one argument must precede /";
            else if (s->has_slash)
                wrong = "/ may appear only once";
            else if (s->has_star)
                wrong = "/ must be ahead of *";
            s->has_slash = true;
            s->slash = i;
        } else if (q->kind == PARAM_STAR) {
            if (s->has_star)
                wrong = "* argument may appear only once";
            else if (!q->arg && (i + 1 == n || m[i + 1]->kind == PARAM_DSTAR))
                wrong = "named arguments must follow bare *";
            s->has_star = true;
            s->star = i;
        } else if (q->kind == PARAM_PLAIN && !s->has_star) {
            s->n_defaults += q->def != NULL;
            if (def && !q->def) wrong = "parameter without a default follows parameter with a default";
            def |= q->def != NULL;
        }
    }
    if (wrong && (p->look.kind == TK_RPAR || p->look.kind == TK_COLON))
        ou_build_fail(p, PARSE_SYNTAX, m[i - 1]->pos, "%s", wrong);
    return !wrong;
}

static void fill_args(Parser *p, Param **m, uint32_t from, uint32_t to, ArgSeq *out) {
    if (from >= to) return;
    out->items = ou_build_alloc(p, (to - from) * sizeof *out->items);
    for (uint32_t i = from; out->items && i < to; i++) out->items[out->n++] = m[i]->arg;
}

Arguments *ou_build_params(Parser *p, const List *l) {
    Arguments *a = ou_build_alloc(p, sizeof *a);
    uint32_t n = 0;
    if (!a) return &p->dummy.arguments;
    a->pos = (AstPos){p->end_line, p->end_col, p->end_line, p->end_col};
    if (!l) return a;
    Param **m = (Param **)ou_ast_list_take(p, *l, &n);
    Sections s = {0};
    if (!n || !check_order(p, m, n, &s)) return a;
    a->pos.line = m[0]->pos.line;
    a->pos.col = m[0]->pos.col;
    uint32_t plain_end = n;
    if (m[n - 1]->kind == PARAM_DSTAR) {
        a->kwarg = m[n - 1]->arg;
        plain_end = --n;
    }
    if (s.has_star) {
        plain_end = s.star;
        a->vararg = m[s.star]->arg;
        fill_args(p, m, s.star + 1, n, &a->kwonlyargs);
        uint32_t k = n - s.star - 1;
        if (k) a->kw_defaults.items = ou_build_alloc(p, k * sizeof(Expr *));
        for (uint32_t i = 0; a->kw_defaults.items && i < k; i++)
            a->kw_defaults.items[a->kw_defaults.n++] = m[s.star + 1 + i]->def;
    }
    if (s.has_slash) fill_args(p, m, 0, s.slash, &a->posonlyargs);
    fill_args(p, m, s.has_slash ? s.slash + 1 : 0, plain_end, &a->args);
    if (s.n_defaults) a->defaults.items = ou_build_alloc(p, s.n_defaults * sizeof(Expr *));
    for (uint32_t i = 0; a->defaults.items && i < plain_end; i++)
        if (m[i]->def) a->defaults.items[a->defaults.n++] = m[i]->def;
    return a;
}

/* ---- arguments: on the stack, bit 0 marks a Keyword, bit 1 a generator expression without parentheses ----
 */

int ou_build_arg(Parser *p, int kind, Ex e) {
    (void)kind;
    return (int)ou_list_push(p, e.e);
}

int ou_build_arg_genexp(Parser *p, Ex e, List comps) {
    Tok start = {.pos = {e.line, e.col, 0, 0}};
    Ex g = ou_build_comp(p, EXPR_GeneratorExp, start, e, comps);
    return (int)ou_list_push(p, (char *)g.e + 2);
}

int ou_build_arg_keyword(Parser *p, Tok op, const Ex *name, Ex v) {
    Keyword *k = ou_build_alloc(p, sizeof *k);
    if (!k) return (int)p->n_items;
    k->pos = (AstPos){op.pos.line, op.pos.col, p->end_line, p->end_col};
    k->value = v.e;
    if (name) {
        AstPos range = {name->line, name->col, op.pos.end_line, op.pos.end_col};
        k->pos.line = name->line;
        k->pos.col = name->col;
        const Expr *e = name->e;
        if (e->kind == EXPR_Name && !e->in_parens)
            k->arg = e->Name.id;
        else if (e->kind == EXPR_Constant && e->Constant.value.kind <= CONST_FALSE && !e->in_parens)
            ou_build_fail(p, PARSE_SYNTAX, range, "cannot assign to %s", ou_expr_name(e));
        else
            ou_build_fail(p, PARSE_SYNTAX, range,
                          "expression cannot contain assignment, perhaps you meant \"==\"?");
    }
    return (int)ou_list_push(p, (char *)k + 1);
}

void ou_build_check_args(Parser *p, List l) {
    bool keyword = false, unpacked = false;
    if (p->look.kind != TK_RPAR) return;
    for (uint32_t i = l.mark; i < p->n_items && !p->failed; i++) {
        char *it = p->items[i];
        unsigned tag = (unsigned)((uintptr_t)it & 3);
        if (tag & 1) {
            keyword = true;
            unpacked |= !((Keyword *)(it - 1))->arg;
            continue;
        }
        const Expr *e = (Expr *)(it - tag);
        if ((tag & 2) && (p->n_items - l.mark > 1 || l.comma))
            ou_build_fail(p, PARSE_SYNTAX, e->pos, "Generator expression must be parenthesized");
        else if (unpacked && e->kind == EXPR_Starred)
            ou_build_fail(p, PARSE_SYNTAX, e->pos,
                          "iterable argument unpacking follows keyword argument unpacking");
        else if (keyword && e->kind != EXPR_Starred)
            ou_build_fail_here(p, unpacked ? "positional argument follows keyword argument unpacking"
                                           : "positional argument follows keyword argument");
    }
}

void ou_build_take_args(Parser *p, List l, ExprSeq *args, KeywordSeq *keywords, unsigned *depth) {
    uint32_t n, kw = 0;
    char **items = (char **)ou_ast_list_take(p, l, &n);
    for (uint32_t i = 0; i < n; i++) kw += (uintptr_t)items[i] & 1;
    Keyword **ks = kw ? ou_build_alloc(p, kw * sizeof *ks) : NULL;
    if (kw && !ks) return;
    Expr **es = (Expr **)items;
    uint32_t n_es = 0, n_ks = 0;
    for (uint32_t i = 0; i < n; i++) {
        char *it = items[i];
        if ((uintptr_t)it & 1) {
            Keyword *k = (Keyword *)(it - 1);
            ks[n_ks++] = k;
            if (k->value->depth > *depth) *depth = k->value->depth;
            continue;
        }
        if ((uintptr_t)it & 2) it -= 2;
        Expr *e = (Expr *)it;
        if (e->depth > *depth) *depth = e->depth;
        es[n_es++] = e;
    }
    *args = (ExprSeq){n_es, es};
    *keywords = (KeywordSeq){n_ks, ks};
}

Ex ou_build_call(Parser *p, Ex f, Tok lpar, List args) {
    ExprSeq es = {0, NULL};
    KeywordSeq ks = {0, NULL};
    unsigned d = f.e->depth;
    if (p->n_items == args.mark + 1 && ((uintptr_t)p->items[args.mark] & 2) && !args.comma) {
        /* The call's parentheses are the generator expression's. */
        Expr *g = (Expr *)((char *)p->items[args.mark] - 2);
        g->pos = (AstPos){lpar.pos.line, lpar.pos.col, p->end_line, p->end_col};
    }
    ou_build_take_args(p, args, &es, &ks, &d);
    Expr *r = ou_build_new(p, EXPR_Call, f, d);
    r->Call.func = f.e;
    r->Call.args = es;
    r->Call.keywords = ks;
    f.e = r;
    return f;
}

/* ---- type parameters ---- */

static TypeParam *new_type_param(Parser *p, AstKind kind, Tok start) {
    TypeParam *t = ou_build_alloc(p, ou_ast_kind_size(kind));
    if (!t) return &p->dummy.type_param;
    t->kind = (uint8_t)kind;
    t->pos = (AstPos){start.pos.line, start.pos.col, p->end_line, p->end_col};
    return t;
}

int ou_build_type_var(Parser *p, Tok n, const Ex *bound, const Ex *def) {
    TypeParam *t = new_type_param(p, TYPEPARAM_TypeVar, n);
    t->TypeVar.name = ou_build_name_text(p, n).s;
    t->TypeVar.bound = bound ? bound->e : NULL;
    t->TypeVar.default_value = def ? def->e : NULL;
    return (int)ou_list_push(p, t);
}

/* TypeVarTuple and ParamSpec have the same fields. */
int ou_build_type_star(Parser *p, AstKind kind, Tok star, Tok n, const Ex *def) {
    TypeParam *t = new_type_param(p, kind, star);
    t->ParamSpec.name = ou_build_name_text(p, n).s;
    t->ParamSpec.default_value = def ? def->e : NULL;
    return (int)ou_list_push(p, t);
}

TypeParamSeq ou_build_type_params(Parser *p, List l) {
    TypeParamSeq s;
    s.items = (TypeParam **)ou_ast_list_take(p, l, &s.n);
    return s;
}
