/* The builders' common part (nodes, names, the item stack, errors) and the expressions.
 * Entry points: ou_build_new, ou_build_intern, ou_list_..., and the expression builders named in grammar.y.
 * Every node knows the height of the tree below it, so that a tree too high to walk recursively is refused as
 * it grows. */
#include "grammar/build.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <utf8proc.h>

/* ---- failing ---- */

void ou_build_fail(Parser *p, int kind, AstPos pos, const char *fmt, ...) {
    if (p->failed) return;
    p->failed = true;
    char msg[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    ou_lex_error_pos(&p->lx, kind, pos, "%s", msg);
}

void ou_build_fail_here(Parser *p, const char *msg) {
    ou_build_fail(p, PARSE_SYNTAX, p->look.pos, "%s", msg);
}

void ou_build_fail_final(Parser *p, AstPos pos, const char *msg) {
    ou_build_fail(p, PARSE_SYNTAX, pos, "%s", msg);
    p->final = true;
}

void ou_build_no_memory(Parser *p) {
    if (!p->failed) *p->err = (ParseError){.kind = PARSE_MEMORY};
    p->failed = true;
}

void ou_build_syntax_error(Parser *p, int token) {
    (void)token;
    if (p->failed) return;
    p->failed = p->bad_token = true;
    ou_lex_error_pos(&p->lx, PARSE_SYNTAX, p->look.pos, "invalid syntax");
}

void ou_build_stack_overflow(Parser *p) {
    if (p->failed) return;
    p->failed = true;
    *p->err = (ParseError){.kind = PARSE_MEMORY};
    snprintf(p->err->msg, sizeof p->err->msg, "Parser stack overflowed - Python source too complex to parse");
}

static void too_deep(Parser *p) {
    if (p->failed) return;
    p->failed = true;
    *p->err = (ParseError){.kind = PARSE_RECURSION};
    snprintf(p->err->msg, sizeof p->err->msg, "maximum recursion depth exceeded during compilation");
}

/* ---- nodes ---- */

void *ou_build_alloc(Parser *p, size_t n) {
    void *r = p->failed ? NULL : ou_arena_alloc(p->arena, n);
    if (!r) {
        ou_build_no_memory(p);
        return NULL;
    }
    memset(r, 0, n);
    return r;
}

Expr *ou_build_new(Parser *p, AstKind kind, Ex start, unsigned depth) {
    if (depth >= AST_MAX_DEPTH) too_deep(p);
    Expr *e = ou_build_alloc(p, ou_ast_kind_size(kind));
    if (!e) return &p->dummy.expr;
    e->pos = (AstPos){start.line, start.col, p->end_line, p->end_col};
    e->kind = (uint8_t)kind;
    e->depth = (uint16_t)(depth + 1);
    return e;
}

Stmt *ou_build_new_stmt(Parser *p, AstKind kind, uint32_t line, uint32_t col, unsigned depth) {
    if (depth >= AST_MAX_DEPTH) too_deep(p);
    Stmt *s = ou_build_alloc(p, ou_ast_kind_size(kind));
    if (!s) return &p->dummy.stmt;
    s->pos = (AstPos){line, col, p->end_line, p->end_col};
    s->kind = (uint8_t)kind;
    s->depth = (uint16_t)(depth + 1);
    return s;
}

/* ---- names ---- */

static uint32_t hash_text(const char *s, size_t n) {
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < n; i++) h = (h ^ (uchar)s[i]) * 16777619u;
    return h ^ (h >> 15);
}

static bool grow_names(Parser *p) {
    uint32_t cap = p->cap_names ? p->cap_names * 2 : 128;
    AstStr **t = ou_alloc0(p->arena->heap, cap * sizeof *t);
    if (!t) return false;
    for (uint32_t i = 0; i < p->cap_names; i++) {
        AstStr *s = p->names[i];
        if (!s) continue;
        uint32_t j = s->hash & (cap - 1);
        while (t[j]) j = (j + 1) & (cap - 1);
        t[j] = s;
    }
    ou_free(p->arena->heap, p->names, p->cap_names * sizeof *t);
    p->names = t;
    p->cap_names = cap;
    return true;
}

AstStr *ou_build_intern(Parser *p, const char *s, size_t n) {
    uint32_t h = hash_text(s, n), i;
    if (p->n_names * 2 >= p->cap_names && !grow_names(p)) goto fail;
    for (i = h & (p->cap_names - 1); p->names[i]; i = (i + 1) & (p->cap_names - 1)) {
        AstStr *t = p->names[i];
        if (t->hash == h && t->len == n && !memcmp(t->text, s, n)) return t;
    }
    AstStr *t = ou_build_alloc(p, sizeof *t + n + 1);
    if (!t) goto fail;
    t->len = (uint32_t)n;
    t->id = p->n_names++;
    t->hash = h;
    t->is_ascii = true;
    for (size_t j = 0; j < n; j++) t->is_ascii &= (uchar)s[j] < 128;
    memcpy(t->text, s, n);
    p->names[i] = t;
    return t;
fail:
    ou_build_no_memory(p);
    return NULL;
}

/* An identifier with non-ASCII characters: its NFKC form. */
static AstStr *intern_nfkc(Parser *p, const uchar *s, size_t n) {
    const utf8proc_option_t options = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT;
    utf8proc_ssize_t need = utf8proc_decompose(s, (utf8proc_ssize_t)n, NULL, 0, options);
    if (need < 0) return ou_build_intern(p, (const char *)s, n);
    utf8proc_int32_t *buf = ou_build_alloc(p, ((size_t)need + 1) * sizeof *buf);
    if (!buf) return NULL;
    utf8proc_decompose(s, (utf8proc_ssize_t)n, buf, need, options);
    utf8proc_ssize_t len = utf8proc_reencode(buf, need, options);
    return ou_build_intern(p, (const char *)buf, len < 0 ? 0 : (size_t)len);
}

Name ou_build_name_text(Parser *p, Tok n) {
    const uchar *s = p->lx.src + n.start;
    size_t len = n.end - n.start;
    AstStr *str = n.non_ascii ? intern_nfkc(p, s, len) : ou_build_intern(p, (const char *)s, len);
    return (Name){str, n.pos};
}

/* ---- the item stack ---- */

uint32_t ou_list_push(Parser *p, void *item) {
    if (p->n_items == p->cap_items) {
        uint32_t cap = p->cap_items ? p->cap_items * 2 : 256;
        void **q = ou_realloc(p->arena->heap, p->items, p->cap_items * sizeof *q, cap * sizeof *q);
        if (!q) {
            ou_build_no_memory(p);
            return p->n_items;
        }
        p->items = q;
        p->cap_items = cap;
    }
    p->items[p->n_items] = item;
    return p->n_items++;
}

List ou_list_mark(Parser *p, int mark) {
    (void)p;
    return (List){.mark = (uint32_t)mark};
}

List ou_list_empty(Parser *p) {
    return (List){.mark = p->n_items};
}

List ou_list_first(Parser *p, void *item, AstPos pos) {
    return (List){.mark = ou_list_push(p, item), .line = pos.line, .col = pos.col};
}

void **ou_ast_list_take(Parser *p, List l, uint32_t *n) {
    *n = 0;
    if (p->failed || l.mark >= p->n_items) return NULL;
    uint32_t count = p->n_items - l.mark;
    void **items = ou_arena_alloc(p->arena, count * sizeof *items);
    if (!items) {
        ou_build_no_memory(p);
        return NULL;
    }
    memcpy(items, p->items + l.mark, count * sizeof *items);
    p->n_items = l.mark;
    *n = count;
    return items;
}

ExprSeq ou_list_exprs(Parser *p, List l) {
    ExprSeq s;
    s.items = (Expr **)ou_ast_list_take(p, l, &s.n);
    return s;
}

unsigned ou_seq_depth(ExprSeq s) {
    unsigned d = 0;
    for (uint32_t i = 0; i < s.n; i++)
        if (s.items[i] && s.items[i]->depth > d) d = s.items[i]->depth;
    return d;
}

/* ---- expressions ---- */

static unsigned max2(unsigned a, unsigned b) {
    return a > b ? a : b;
}

static Ex at(Ex start, Expr *e) {
    start.e = e;
    return start;
}

Ex ou_build_name(Parser *p, Tok t) {
    AstStr *id = ou_build_name_text(p, t).s;
    Ex r = ou_ex(t, NULL);
    r.e = ou_build_new(p, EXPR_Name, r, 0);
    r.e->pos.end_line = t.pos.end_line;
    r.e->pos.end_col = t.pos.end_col;
    r.e->Name.id = id;
    return r;
}

Ex ou_build_constant(Parser *p, Tok t, ConstKind kind) {
    Ex r = ou_ex(t, NULL);
    r.e = ou_build_new(p, EXPR_Constant, r, 0);
    r.e->pos = t.pos;
    r.e->Constant.value.kind = (uint8_t)kind;
    return r;
}

Ex ou_build_attribute(Parser *p, Ex e, Tok n) {
    Expr *r = ou_build_new(p, EXPR_Attribute, e, e.e->depth);
    r->Attribute.value = e.e;
    r->Attribute.attr = ou_build_name_text(p, n).s;
    return at(e, r);
}

Ex ou_build_subscript(Parser *p, Ex e, Ex sub) {
    Expr *r = ou_build_new(p, EXPR_Subscript, e, max2(e.e->depth, sub.e->depth));
    r->Subscript.value = e.e;
    r->Subscript.slice = sub.e;
    return at(e, r);
}

/* a[*b] is a[(*b,)]. */
Ex ou_build_sub_single(Parser *p, Ex e) {
    if (e.e->kind != EXPR_Starred) return e;
    List l = ou_build_first_expr(p, e);
    return ou_build_tuple(p, l);
}

Ex ou_build_slice(Parser *p, Ex lower, Tok colon, Ex upper, Ex step) {
    Ex start = lower.e ? lower : ou_ex(colon, NULL);
    unsigned d = lower.e ? lower.e->depth : 0;
    d = max2(d, upper.e ? upper.e->depth : 0);
    d = max2(d, step.e ? step.e->depth : 0);
    Expr *r = ou_build_new(p, EXPR_Slice, start, d);
    r->Slice.lower = lower.e;
    r->Slice.upper = upper.e;
    r->Slice.step = step.e;
    return at(start, r);
}

Ex ou_build_group(Parser *p, Tok lpar, Ex e) {
    if (e.e->kind == EXPR_Starred)
        ou_build_fail(p, PARSE_SYNTAX, e.e->pos, "cannot use starred expression here");
    e.e->in_parens = true;
    return ou_ex(lpar, e.e);
}

List ou_build_first_expr(Parser *p, Ex e) {
    return (List){.mark = ou_list_push(p, e.e), .line = e.line, .col = e.col};
}

static Ex sequence(Parser *p, AstKind kind, Ex start, ExprSeq s) {
    Expr *r = ou_build_new(p, kind, start, ou_seq_depth(s));
    if (kind == EXPR_Set)
        r->Set.elts = s;
    else if (kind == EXPR_List)
        r->List.elts = s;
    else
        r->Tuple.elts = s;
    return at(start, r);
}

Ex ou_build_tuple(Parser *p, List l) {
    ExprSeq s = ou_list_exprs(p, l);
    return sequence(p, EXPR_Tuple, (Ex){NULL, l.line, l.col}, s);
}

Ex ou_build_display(Parser *p, AstKind kind, Tok open, const List *l) {
    ExprSeq s = {0, NULL};
    if (l) s = ou_list_exprs(p, *l);
    return sequence(p, kind, ou_ex(open, NULL), s);
}

/* Dict items lie on the stack as key, value, key, value ...; a NULL key stands for `**`. */
List ou_build_dict_item(Parser *p, const Ex *k, Ex v) {
    List l = ou_list_mark(p, (int)ou_list_push(p, k ? k->e : NULL));
    ou_list_push(p, v.e);
    return l;
}

Ex ou_build_dict(Parser *p, Tok open, const List *l) {
    uint32_t n = 0;
    Expr **items = NULL;
    if (l) items = (Expr **)ou_ast_list_take(p, *l, &n);
    ExprSeq both = {n, items};
    Ex r = ou_ex(open, NULL);
    r.e = ou_build_new(p, EXPR_Dict, r, ou_seq_depth(both));
    if (!n) return r;
    Expr **keys = ou_build_alloc(p, n / 2 * sizeof *keys);
    if (!keys) return r;
    for (uint32_t i = 0; i < n / 2; i++) {
        keys[i] = items[2 * i];
        items[i] = items[2 * i + 1];
    }
    r.e->Dict.keys = (ExprSeq){n / 2, keys};
    r.e->Dict.values = (ExprSeq){n / 2, items};
    return r;
}

/* ---- comprehensions: Comprehension pointers on the stack, each followed by its conditions, tagged by bit 0
 * ---- */

int ou_build_comp_for(Parser *p, Tok t, Ex target, Ex iter, bool is_async) {
    Comprehension *c = ou_build_alloc(p, sizeof *c);
    if (!c) return (int)p->n_items;
    c->pos = (AstPos){t.pos.line, t.pos.col, p->end_line, p->end_col};
    c->target = target.e;
    c->iter = iter.e;
    c->is_async = is_async;
    return (int)ou_list_push(p, c);
}

void ou_build_comp_if(Parser *p, Ex e) {
    ou_list_push(p, (char *)e.e + 1);
}

ComprehensionSeq ou_build_take_comps(Parser *p, List l, unsigned *depth) {
    uint32_t n;
    char **items = (char **)ou_ast_list_take(p, l, &n);
    ComprehensionSeq s = {0, (Comprehension **)items};
    for (uint32_t i = 0; i < n;) {
        Comprehension *c = (Comprehension *)items[i];
        uint32_t ifs = 0;
        while (i + 1 + ifs < n && ((uintptr_t)items[i + 1 + ifs] & 1)) ifs++;
        if (ifs) {
            c->ifs.items = ou_build_alloc(p, ifs * sizeof(Expr *));
            if (!c->ifs.items) return (ComprehensionSeq){0, NULL};
            for (uint32_t j = 0; j < ifs; j++) c->ifs.items[j] = (Expr *)(items[i + 1 + j] - 1);
            c->ifs.n = ifs;
            *depth = max2(*depth, ou_seq_depth(c->ifs));
        }
        *depth = max2(*depth, max2(c->target->depth, c->iter->depth));
        s.items[s.n++] = c;
        i += 1 + ifs;
    }
    return s;
}

Ex ou_build_comp(Parser *p, AstKind kind, Tok open, Ex elt, List comps) {
    if (elt.e->kind == EXPR_Starred)
        ou_build_fail(p, PARSE_SYNTAX, elt.e->pos, "iterable unpacking cannot be used in comprehension");
    unsigned d = elt.e->depth;
    ComprehensionSeq s = ou_build_take_comps(p, comps, &d);
    Ex r = ou_ex(open, NULL);
    r.e = ou_build_new(p, kind, r, d);
    if (kind == EXPR_ListComp) {
        r.e->ListComp.elt = elt.e;
        r.e->ListComp.generators = s;
    } else if (kind == EXPR_SetComp) {
        r.e->SetComp.elt = elt.e;
        r.e->SetComp.generators = s;
    } else {
        r.e->GeneratorExp.elt = elt.e;
        r.e->GeneratorExp.generators = s;
    }
    return r;
}

Ex ou_build_dict_comp(Parser *p, Tok open, List item, List comps) {
    unsigned d = 0;
    ComprehensionSeq s = ou_build_take_comps(p, comps, &d);
    uint32_t n;
    Expr **kv = (Expr **)ou_ast_list_take(p, item, &n);
    Ex r = ou_ex(open, &p->dummy.expr);
    if (n != 2) return r;
    if (!kv[0]) {
        ou_build_fail(p, PARSE_SYNTAX, kv[1]->pos, "dict unpacking cannot be used in dict comprehension");
        return r;
    }
    r.e = ou_build_new(p, EXPR_DictComp, r, max2(d, max2(kv[0]->depth, kv[1]->depth)));
    r.e->DictComp.key = kv[0];
    r.e->DictComp.value = kv[1];
    r.e->DictComp.generators = s;
    return r;
}

/* ---- operators ---- */

Ex ou_build_starred(Parser *p, Tok star, Ex e) {
    Ex r = ou_ex(star, NULL);
    r.e = ou_build_new(p, EXPR_Starred, r, e.e->depth);
    r.e->Starred.value = e.e;
    return r;
}

/* What is wrong with the target, diagnose.c knows. */
Ex ou_build_walrus_target(Parser *p, Ex target, Tok op) {
    if (target.e->kind != EXPR_Name || target.e->in_parens)
        ou_build_fail(p, PARSE_SYNTAX, op.pos, "invalid syntax");
    else
        target.e->Name.ctx = CTX_Store;
    return target;
}

Ex ou_build_walrus(Parser *p, Ex target, Ex v) {
    Expr *r = ou_build_new(p, EXPR_NamedExpr, target, max2(1, v.e->depth));
    r->NamedExpr.target = target.e;
    r->NamedExpr.value = v.e;
    return at(target, r);
}

Ex ou_build_yield(Parser *p, Tok t, const Ex *e) {
    Ex r = ou_ex(t, NULL);
    r.e = ou_build_new(p, EXPR_Yield, r, e ? e->e->depth : 0);
    r.e->Yield.value = e ? e->e : NULL;
    return r;
}

Ex ou_build_yield_from(Parser *p, Tok t, Ex e) {
    Ex r = ou_ex(t, NULL);
    r.e = ou_build_new(p, EXPR_YieldFrom, r, e.e->depth);
    r.e->YieldFrom.value = e.e;
    return r;
}

Ex ou_build_await(Parser *p, Tok t, Ex e) {
    Ex r = ou_ex(t, NULL);
    r.e = ou_build_new(p, EXPR_Await, r, e.e->depth);
    r.e->Await.value = e.e;
    return r;
}

Ex ou_build_ifexp(Parser *p, Ex test, Ex body, Ex orelse) {
    Expr *r = ou_build_new(p, EXPR_IfExp, body, max2(test.e->depth, max2(body.e->depth, orelse.e->depth)));
    r->IfExp.test = test.e;
    r->IfExp.body = body.e;
    r->IfExp.orelse = orelse.e;
    return at(body, r);
}

Ex ou_build_lambda(Parser *p, Tok t, Arguments *args, Ex body) {
    Ex r = ou_ex(t, NULL);
    unsigned d = max2(ou_seq_depth(args->defaults), ou_seq_depth(args->kw_defaults));
    r.e = ou_build_new(p, EXPR_Lambda, r, max2(d, body.e->depth));
    r.e->Lambda.args = args;
    r.e->Lambda.body = body.e;
    return r;
}

/* a and b and c is one BoolOp, a < b < c one Compare: a left operand of the same kind grows if it stood in no
 * parentheses. Growth is in place while the items are the arena's newest, and doubles otherwise. */
static Expr **grow_seq(Parser *p, ExprSeq s, Expr *e) {
    uint32_t n = s.n;
    if ((n & (n - 1)) == 0) { /* a power of two: full */
        Expr **items = ou_build_alloc(p, 2 * n * sizeof *items);
        if (!items) return NULL;
        memcpy(items, s.items, n * sizeof *items);
        s.items = items;
    }
    s.items[n] = e;
    return s.items;
}

Ex ou_build_boolop(Parser *p, Ex l, int op, Ex r) {
    Expr *e = l.e;
    if (e->kind == EXPR_BoolOp && e->BoolOp.op == op && !e->in_parens && !p->failed) {
        Expr **items = grow_seq(p, e->BoolOp.values, r.e);
        if (!items) return l;
        e->BoolOp.values.items = items;
        e->BoolOp.values.n++;
        e->pos.end_line = p->end_line;
        e->pos.end_col = p->end_col;
        if (r.e->depth >= e->depth) e->depth = r.e->depth + 1;
        return l;
    }
    Expr **items = ou_build_alloc(p, 2 * sizeof *items);
    Expr *n = ou_build_new(p, EXPR_BoolOp, l, max2(e->depth, r.e->depth));
    if (items) {
        items[0] = e;
        items[1] = r.e;
        n->BoolOp.op = (uint8_t)op;
        n->BoolOp.values = (ExprSeq){2, items};
    }
    return at(l, n);
}

Ex ou_build_unary(Parser *p, Tok t, int op, Ex e) {
    Ex r = ou_ex(t, NULL);
    r.e = ou_build_new(p, EXPR_UnaryOp, r, e.e->depth);
    r.e->UnaryOp.op = (uint8_t)op;
    r.e->UnaryOp.operand = e.e;
    return r;
}

Ex ou_build_compare(Parser *p, Ex l, int op, Ex r) {
    Expr *e = l.e;
    if (e->kind == EXPR_Compare && !e->in_parens && !p->failed) {
        uint32_t n = e->Compare.comparators.n;
        Expr **items = grow_seq(p, e->Compare.comparators, r.e);
        uint8_t *ops = e->Compare.ops.items;
        if ((n & (n - 1)) == 0) {
            ops = ou_build_alloc(p, 2 * n);
            if (ops) memcpy(ops, e->Compare.ops.items, n);
        }
        if (!items || !ops) return l;
        ops[n] = (uint8_t)op;
        e->Compare.comparators = (ExprSeq){n + 1, items};
        e->Compare.ops = (CmpOpSeq){n + 1, ops};
        e->pos.end_line = p->end_line;
        e->pos.end_col = p->end_col;
        if (r.e->depth >= e->depth) e->depth = r.e->depth + 1;
        return l;
    }
    Expr **items = ou_build_alloc(p, sizeof *items);
    uint8_t *ops = ou_build_alloc(p, 1);
    Expr *n = ou_build_new(p, EXPR_Compare, l, max2(e->depth, r.e->depth));
    if (items && ops) {
        items[0] = r.e;
        ops[0] = (uint8_t)op;
        n->Compare.left = e;
        n->Compare.ops = (CmpOpSeq){1, ops};
        n->Compare.comparators = (ExprSeq){1, items};
    }
    return at(l, n);
}

Ex ou_build_not_equal(Parser *p, Ex l, Tok t, Ex r) {
    if (p->lx.src[t.start] == '<') ou_build_fail(p, PARSE_SYNTAX, t.pos, "invalid syntax");
    return ou_build_compare(p, l, CMP_NotEq, r);
}

Ex ou_build_binop(Parser *p, Ex l, int op, Ex r) {
    Expr *e = ou_build_new(p, EXPR_BinOp, l, max2(l.e->depth, r.e->depth));
    e->BinOp.left = l.e;
    e->BinOp.op = (uint8_t)op;
    e->BinOp.right = r.e;
    return at(l, e);
}
