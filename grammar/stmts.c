/* The builders of statements.
 * Entry points: those of grammar.y. A statement ends where its last token that is no NEWLINE, INDENT or
 * DEDENT ends, which is what p->end_line and p->end_col hold when its rule is reduced. */
#include "grammar/build.h"

#include <string.h>

#include "grammar/grammar.h"

static unsigned max2(unsigned a, unsigned b) {
    return a > b ? a : b;
}

static unsigned block_depth(StmtSeq s) {
    unsigned d = 0;
    for (uint32_t i = 0; i < s.n; i++) d = max2(d, s.items[i]->depth);
    return d;
}

static Stmt *new_stmt(Parser *p, AstKind kind, Tok t, unsigned depth) {
    return ou_build_new_stmt(p, kind, t.pos.line, t.pos.col, depth);
}

/* ---- modules and blocks ---- */

static AstMod *new_mod(Parser *p, AstKind kind) {
    AstMod *m = ou_build_alloc(p, sizeof *m);
    if (!m) return NULL;
    m->kind = (uint8_t)kind;
    m->names = p->n_names;
    return m;
}

StmtSeq ou_build_block(Parser *p, List l) {
    StmtSeq s;
    s.items = (Stmt **)ou_ast_list_take(p, l, &s.n);
    return s;
}

void ou_build_module(Parser *p, const List *l) {
    AstMod *m = new_mod(p, MOD_Module);
    if (m && l) m->Module.body = ou_build_block(p, *l);
    p->mod = m;
}

void ou_build_expression(Parser *p, Ex e) {
    AstMod *m = new_mod(p, MOD_Expression);
    if (m) m->Expression.body = e.e;
    p->mod = m;
}

void ou_build_interactive(Parser *p, List l) {
    AstMod *m = new_mod(p, MOD_Interactive);
    if (m) m->Interactive.body = ou_build_block(p, l);
    p->mod = m;
}

bool ou_build_is_compound(const Stmt *s) {
    switch (s->kind) {
    case STMT_FunctionDef:
    case STMT_AsyncFunctionDef:
    case STMT_ClassDef:
    case STMT_For:
    case STMT_AsyncFor:
    case STMT_While:
    case STMT_If:
    case STMT_With:
    case STMT_AsyncWith:
    case STMT_Match:
    case STMT_Try:
    case STMT_TryStar: return true;
    default: return false;
    }
}

void ou_build_too_many(Parser *p, List first, const Stmt *next) {
    const Stmt *s = p->items[first.mark];
    AstPos pos = {s->pos.end_line, s->pos.end_col, s->pos.end_line, s->pos.end_col};
    if (ou_build_is_compound(s))
        ou_build_fail_final(p, next->pos, "invalid syntax");
    else
        ou_build_fail_final(p, pos, "multiple statements found while compiling a single statement");
}

/* ---- expressions and assignments ---- */

Stmt *ou_build_expr_stmt(Parser *p, Ex e) {
    Stmt *s = ou_build_new_stmt(p, STMT_Expr, e.line, e.col, 0);
    s->Expr.value = e.e;
    return s;
}

static bool is_yield(const Expr *e) {
    return (e->kind == EXPR_Yield || e->kind == EXPR_YieldFrom) && !e->in_parens;
}

static void assign_target(Parser *p, Ex e) {
    if (is_yield(e.e))
        ou_build_fail(p, PARSE_SYNTAX, e.e->pos, "assignment to yield expression not possible");
    else
        ou_target(p, e.e, TARGET_ASSIGN);
}

List ou_build_first_target(Parser *p, Ex e) {
    assign_target(p, e);
    return ou_build_first_expr(p, e);
}

void ou_build_next_target(Parser *p, Ex e) {
    assign_target(p, e);
    ou_list_push(p, e.e);
}

Stmt *ou_build_assign(Parser *p, List targets, Ex v) {
    Stmt *s = ou_build_new_stmt(p, STMT_Assign, targets.line, targets.col, 0);
    s->Assign.targets = ou_list_exprs(p, targets);
    s->Assign.value = v.e;
    return s;
}

static bool is_single_target(const Expr *e) {
    return e->kind == EXPR_Name || e->kind == EXPR_Attribute || e->kind == EXPR_Subscript;
}

Stmt *ou_build_augassign(Parser *p, Ex t, int op, Ex v) {
    if (is_single_target(t.e))
        ou_target(p, t.e, TARGET_ASSIGN);
    else
        ou_build_fail(p, PARSE_SYNTAX, t.e->pos, "'%s' is an illegal expression for augmented assignment",
                      ou_expr_name(t.e));
    Stmt *s = ou_build_new_stmt(p, STMT_AugAssign, t.line, t.col, 0);
    s->AugAssign.target = t.e;
    s->AugAssign.op = (uint8_t)op;
    s->AugAssign.value = v.e;
    return s;
}

/* At the colon; what is wrong, diagnose.c knows. */
Ex ou_build_ann_target(Parser *p, Ex t) {
    if (is_single_target(t.e))
        ou_target(p, t.e, TARGET_ASSIGN);
    else if (p->look.kind == TK_COLON)
        ou_build_fail_here(p, "invalid syntax");
    return t;
}

Stmt *ou_build_annassign(Parser *p, Ex t, Ex note, const Ex *v) {
    Stmt *s = ou_build_new_stmt(p, STMT_AnnAssign, t.line, t.col, 0);
    s->AnnAssign.target = t.e;
    s->AnnAssign.annotation = note.e;
    s->AnnAssign.value = v ? v->e : NULL;
    s->AnnAssign.simple = t.e->kind == EXPR_Name && !t.e->in_parens;
    return s;
}

/* ---- small statements ---- */

Stmt *ou_build_keyword_stmt(Parser *p, AstKind kind, Tok t) {
    return new_stmt(p, kind, t, 0);
}

Stmt *ou_build_return(Parser *p, Tok t, const Ex *e) {
    Stmt *s = new_stmt(p, STMT_Return, t, 0);
    s->Return.value = e ? e->e : NULL;
    return s;
}

Stmt *ou_build_delete(Parser *p, Tok t, List targets) {
    Stmt *s = new_stmt(p, STMT_Delete, t, 0);
    s->Delete.targets = ou_list_exprs(p, targets);
    for (uint32_t i = 0; i < s->Delete.targets.n; i++)
        ou_target(p, s->Delete.targets.items[i], TARGET_DELETE);
    return s;
}

Stmt *ou_build_raise(Parser *p, Tok t, const Ex *e, const Ex *cause) {
    Stmt *s = new_stmt(p, STMT_Raise, t, 0);
    s->Raise.exc = e ? e->e : NULL;
    s->Raise.cause = cause ? cause->e : NULL;
    return s;
}

Stmt *ou_build_assert(Parser *p, Tok t, Ex e, const Ex *msg) {
    Stmt *s = new_stmt(p, STMT_Assert, t, 0);
    s->Assert.test = e.e;
    s->Assert.msg = msg ? msg->e : NULL;
    return s;
}

List ou_build_first_name(Parser *p, Tok n) {
    return ou_list_first(p, ou_build_name_text(p, n).s, n.pos);
}

void ou_build_next_name(Parser *p, Tok n) {
    ou_list_push(p, ou_build_name_text(p, n).s);
}

Stmt *ou_build_scope_stmt(Parser *p, AstKind kind, Tok t, List names) {
    Stmt *s = new_stmt(p, kind, t, 0);
    IdSeq ids;
    ids.items = (AstStr **)ou_ast_list_take(p, names, &ids.n);
    if (kind == STMT_Global)
        s->Global.names = ids;
    else
        s->Nonlocal.names = ids;
    return s;
}

Stmt *ou_build_type_alias(Parser *p, Tok t, Tok n, TypeParamSeq params, Ex e) {
    Stmt *s = new_stmt(p, STMT_TypeAlias, t, 0);
    s->TypeAlias.name = ou_build_name(p, n).e;
    s->TypeAlias.name->Name.ctx = CTX_Store;
    s->TypeAlias.type_params = params;
    s->TypeAlias.value = e.e;
    return s;
}

/* ---- imports ---- */

/* Room doubles, so that a name of many parts costs no more than its length. */
static bool dotted_put(Parser *p, const char *text, size_t n) {
    if (p->dotted_len + n > p->dotted_cap) {
        size_t cap = (p->dotted_len + n) * 2;
        char *more = ou_build_alloc(p, cap);
        if (!more) return false;
        if (p->dotted_len) memcpy(more, p->dotted, p->dotted_len);
        p->dotted = more;
        p->dotted_cap = cap;
    }
    memcpy(p->dotted + p->dotted_len, text, n);
    p->dotted_len += n;
    return true;
}

/* d stays the first part; the whole is what ou_build_dotted_done returns. */
Name ou_build_dotted(Parser *p, Name d, Tok n) {
    Name last = ou_build_name_text(p, n);
    if (d.s && last.s && (p->dotted_len || dotted_put(p, d.s->text, d.s->len)) && dotted_put(p, ".", 1))
        dotted_put(p, last.s->text, last.s->len);
    return d;
}

Name ou_build_dotted_done(Parser *p, Name d) {
    if (p->dotted_len) d.s = ou_build_intern(p, p->dotted, p->dotted_len);
    p->dotted_len = 0;
    return d;
}

int ou_build_alias(Parser *p, Name name, const Tok *as) {
    Alias *a = ou_build_alloc(p, sizeof *a);
    if (!a) return (int)p->n_items;
    a->pos = (AstPos){name.pos.line, name.pos.col, p->end_line, p->end_col};
    a->name = name.s;
    a->asname = as ? ou_build_name_text(p, *as).s : NULL;
    return (int)ou_list_push(p, a);
}

List ou_build_first_alias(Parser *p, Name name, const Tok *as) {
    return ou_list_mark(p, ou_build_alias(p, name, as));
}

List ou_build_import_star(Parser *p, Tok t) {
    return ou_build_first_alias(p, (Name){ou_build_intern(p, "*", 1), t.pos}, NULL);
}

void ou_build_import_comma(Parser *p) {
    if (p->look.kind == TK_NEWLINE)
        ou_build_fail_here(p, "trailing comma not allowed without surrounding parentheses");
}

Stmt *ou_build_import(Parser *p, Tok t, List names) {
    Stmt *s = new_stmt(p, STMT_Import, t, 0);
    s->Import.names.items = (Alias **)ou_ast_list_take(p, names, &s->Import.names.n);
    return s;
}

Stmt *ou_build_import_from(Parser *p, Tok t, const Name *module, int level, List names) {
    Stmt *s = new_stmt(p, STMT_ImportFrom, t, 0);
    s->ImportFrom.module = module ? module->s : NULL;
    s->ImportFrom.level = level;
    s->ImportFrom.names.items = (Alias **)ou_ast_list_take(p, names, &s->ImportFrom.names.n);
    return s;
}

/* ---- branches and loops ---- */

/* Each elif lies on the stack as an If without its orelse; they are chained from the last to the first. */
void ou_build_elif(Parser *p, Tok t, Ex test, StmtSeq body) {
    Stmt *s = new_stmt(p, STMT_If, t, block_depth(body));
    s->If.test = test.e;
    s->If.body = body;
    ou_list_push(p, s);
}

Stmt *ou_build_if(Parser *p, Tok t, Ex test, StmtSeq body, List elifs, StmtSeq orelse) {
    uint32_t n;
    Stmt **branches = (Stmt **)ou_ast_list_take(p, elifs, &n);
    unsigned below = block_depth(orelse);
    for (uint32_t i = n; i-- > 0;) {
        Stmt *s = branches[i];
        unsigned d = max2(below, block_depth(s->If.body));
        s->If.orelse = orelse;
        s->pos.end_line = p->end_line;
        s->pos.end_col = p->end_col;
        if (d + 1 >= AST_MAX_DEPTH) {
            new_stmt(p, STMT_If, t, d + 1); /* fails */
            break;
        }
        s->depth = (uint16_t)(d + 1);
        below = d + 1;
        orelse = (StmtSeq){1, branches + i};
    }
    Stmt *s = new_stmt(p, STMT_If, t, max2(below, block_depth(body)));
    s->If.test = test.e;
    s->If.body = body;
    s->If.orelse = orelse;
    return s;
}

Stmt *ou_build_while(Parser *p, Tok t, Ex test, StmtSeq body, StmtSeq orelse) {
    Stmt *s = new_stmt(p, STMT_While, t, max2(block_depth(body), block_depth(orelse)));
    s->While.test = test.e;
    s->While.body = body;
    s->While.orelse = orelse;
    return s;
}

Stmt *ou_build_for(Parser *p, Tok t, Ex target, Ex iter, StmtSeq body, StmtSeq orelse) {
    Stmt *s = new_stmt(p, STMT_For, t, max2(block_depth(body), block_depth(orelse)));
    s->For.target = target.e;
    s->For.iter = iter.e;
    s->For.body = body;
    s->For.orelse = orelse;
    return s;
}

/* The async statements have the fields of the plain ones. */
Stmt *ou_build_async(Parser *p, Tok t, Stmt *s) {
    (void)p;
    s->kind = s->kind == STMT_For    ? STMT_AsyncFor
              : s->kind == STMT_With ? STMT_AsyncWith
                                     : STMT_AsyncFunctionDef;
    s->pos.line = t.pos.line;
    s->pos.col = t.pos.col;
    return s;
}

/* ---- with: items on the stack; bit 0 marks what is an expression but no item, bit 1 a generator expression
 * ---- */

static int push_item(Parser *p, Ex e, const Ex *target, unsigned tag) {
    WithItem *w = ou_build_alloc(p, sizeof *w);
    if (!w) return (int)p->n_items;
    w->pos = (AstPos){e.line, e.col, p->end_line, p->end_col};
    w->context_expr = e.e;
    w->optional_vars = target ? target->e : NULL;
    if (target) ou_target(p, target->e, TARGET_ASSIGN);
    return (int)ou_list_push(p, (char *)w + tag);
}

int ou_build_with_item(Parser *p, Ex e, const Ex *target) {
    return push_item(p, e, target, 0);
}

int ou_build_with_other(Parser *p, Ex e) {
    return push_item(p, e, NULL, 1);
}

int ou_build_with_genexp(Parser *p, Ex e, List comps) {
    Tok start = {.pos = {e.line, e.col, 0, 0}};
    return push_item(p, ou_build_comp(p, EXPR_GeneratorExp, start, e, comps), NULL, 3);
}

Stmt *ou_build_with(Parser *p, Tok t, List items, StmtSeq body) {
    Stmt *s = new_stmt(p, STMT_With, t, block_depth(body));
    s->With.items.items = (WithItem **)ou_ast_list_take(p, items, &s->With.items.n);
    s->With.body = body;
    return s;
}

Stmt *ou_build_with_parens(Parser *p, Tok t, Tok lpar, List items, Tok rpar, StmtSeq body) {
    uint32_t n, others = 0, targets = 0;
    char **tagged = (char **)ou_ast_list_take(p, items, &n);
    Stmt *s = new_stmt(p, STMT_With, t, block_depth(body));
    s->With.body = body;
    WithItem **w = (WithItem **)tagged;
    unsigned first_tag = n ? (unsigned)((uintptr_t)tagged[0] & 3) : 0;
    for (uint32_t i = 0; i < n; i++) {
        unsigned tag = (unsigned)((uintptr_t)tagged[i] & 3);
        if ((tag & 2) && n > 1) {
            ou_build_fail_final(p, ((WithItem *)(tagged[i] - tag))->pos, "invalid syntax");
            return s;
        }
        others += tag != 0;
        w[i] = (WithItem *)(tagged[i] - tag);
        targets += w[i]->optional_vars != NULL;
    }
    s->With.items.n = n;
    s->With.items.items = w;
    if (!others || !n) return s;
    if (targets) {
        ou_build_fail_final(p, w[0]->pos, "invalid syntax");
        return s;
    }
    Expr *e = w[0]->context_expr;
    AstPos pos = {lpar.pos.line, lpar.pos.col, rpar.pos.end_line, rpar.pos.end_col};
    if (n > 1 || items.comma) {
        for (uint32_t i = 0; i < n; i++) ou_list_push(p, w[i]->context_expr);
        e = ou_build_tuple(p, (List){.mark = p->n_items - n, .line = pos.line, .col = pos.col}).e;
        e->pos = pos;
    } else if (first_tag & 2)
        e->pos = pos;
    else if (e->kind == EXPR_Starred)
        ou_build_fail_final(p, e->pos, "cannot use starred expression here");
    w[0]->context_expr = e;
    w[0]->pos = pos;
    s->With.items.n = 1;
    return s;
}

/* ---- try: handlers on the stack, bit 0 marks `except*` ---- */

int ou_build_handler(Parser *p, Tok t, const Ex *type, const Tok *name, StmtSeq body, bool star) {
    ExceptHandler *h = ou_build_alloc(p, sizeof *h);
    if (!h) return (int)p->n_items;
    h->pos = (AstPos){t.pos.line, t.pos.col, p->end_line, p->end_col};
    h->type = type ? type->e : NULL;
    h->name = name ? ou_build_name_text(p, *name).s : NULL;
    h->body = body;
    return (int)ou_list_push(p, (char *)h + star);
}

/* Where `except`, or `except *`, stands. */
static AstPos except_keyword(const Parser *p, const ExceptHandler *h, bool star) {
    AstPos pos = h->pos;
    const uchar *line = ou_lex_line(&p->lx, pos.line), *e = line + pos.col + 6;
    while (star && e < p->lx.end && e[-1] != '*') e++;
    pos.end_line = pos.line;
    pos.end_col = (uint32_t)(e - line);
    return pos;
}

Stmt *ou_build_try(Parser *p, Tok t, StmtSeq body, const List *handlers, const StmtSeq *orelse,
                   const StmtSeq *finalbody) {
    uint32_t n = 0;
    char **tagged = NULL;
    unsigned d = block_depth(body);
    bool star = false;
    if (handlers) tagged = (char **)ou_ast_list_take(p, *handlers, &n);
    for (uint32_t i = 0; i < n; i++) {
        bool s = (uintptr_t)tagged[i] & 1;
        tagged[i] -= s;
        const ExceptHandler *h = (ExceptHandler *)tagged[i];
        if (i && s != star)
            ou_build_fail_final(p, except_keyword(p, h, s),
                                "cannot have both 'except' and 'except*' on the same 'try'");
        star = s;
        d = max2(d, block_depth(h->body));
    }
    if (orelse) d = max2(d, block_depth(*orelse));
    if (finalbody) d = max2(d, block_depth(*finalbody));
    Stmt *s = new_stmt(p, star ? STMT_TryStar : STMT_Try, t, d); /* the two have the same fields */
    s->Try.body = body;
    s->Try.handlers = (HandlerSeq){n, (ExceptHandler **)tagged};
    if (orelse) s->Try.orelse = *orelse;
    if (finalbody) s->Try.finalbody = *finalbody;
    return s;
}

/* ---- definitions ---- */

/* The `for` of a generator expression. */
static AstPos first_for(const Expr *g) {
    AstPos pos = g->GeneratorExp.generators.n ? g->GeneratorExp.generators.items[0]->pos : g->pos;
    pos.end_line = pos.line;
    pos.end_col = pos.col + 3;
    return pos;
}

Stmt *ou_build_classdef(Parser *p, Tok t, Tok n, TypeParamSeq params, const List *args, StmtSeq body) {
    Stmt *s = new_stmt(p, STMT_ClassDef, t, block_depth(body));
    unsigned d = 0;
    for (uint32_t i = args ? args->mark : 0; args && i < p->n_items; i++) {
        const Expr *g = (Expr *)((char *)p->items[i] - 2);
        if ((uintptr_t)p->items[i] & 2) /* only a call takes one without parentheses */
            ou_build_fail_final(p, first_for(g), "invalid syntax");
    }
    if (args) ou_build_take_args(p, *args, &s->ClassDef.bases, &s->ClassDef.keywords, &d);
    s->ClassDef.name = ou_build_name_text(p, n).s;
    s->ClassDef.body = body;
    s->ClassDef.type_params = params;
    return s;
}

Stmt *ou_build_def(Parser *p, Tok t, Tok n, TypeParamSeq params, Arguments *args, Ex returns, StmtSeq body) {
    Stmt *s = new_stmt(p, STMT_FunctionDef, t, block_depth(body));
    s->FunctionDef.name = ou_build_name_text(p, n).s;
    s->FunctionDef.args = args;
    s->FunctionDef.body = body;
    s->FunctionDef.returns = returns.e;
    s->FunctionDef.type_params = params;
    return s;
}

Stmt *ou_build_decorated(Parser *p, List decorators, Stmt *s) {
    ExprSeq d = ou_list_exprs(p, decorators);
    if (s->kind == STMT_ClassDef)
        s->ClassDef.decorator_list = d;
    else /* AsyncFunctionDef has the same fields */
        s->FunctionDef.decorator_list = d;
    return s;
}
