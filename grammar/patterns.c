/* The builders of match statements and patterns.
 * Entry points: ou_build_match, ou_build_case and the pattern builders of grammar.y. */
#include "grammar/build.h"

static unsigned max2(unsigned a, unsigned b) {
    return a > b ? a : b;
}

static bool is_underscore(const Parser *p, Tok n) {
    return n.end - n.start == 1 && p->lx.src[n.start] == '_';
}

static Pat new_pat(Parser *p, AstKind kind, uint32_t line, uint32_t col, unsigned depth) {
    if (depth >= AST_MAX_DEPTH) ou_build_new(p, EXPR_Name, (Ex){NULL, line, col}, depth); /* fails */
    Pattern *n = ou_build_alloc(p, ou_ast_kind_size(kind));
    if (!n) return (Pat){&p->dummy.pattern, line, col};
    n->pos = (AstPos){line, col, p->end_line, p->end_col};
    n->kind = (uint8_t)kind;
    n->depth = (uint16_t)(depth + 1);
    return (Pat){n, line, col};
}

static unsigned seq_depth(PatternSeq s) {
    unsigned d = 0;
    for (uint32_t i = 0; i < s.n; i++) d = max2(d, s.items[i]->depth);
    return d;
}

Stmt *ou_build_match(Parser *p, Tok t, Ex subject, List cases) {
    MatchCaseSeq s;
    s.items = (MatchCase **)ou_ast_list_take(p, cases, &s.n);
    unsigned d = 0;
    for (uint32_t i = 0; i < s.n; i++)
        for (uint32_t j = 0; j < s.items[i]->body.n; j++) d = max2(d, s.items[i]->body.items[j]->depth);
    Stmt *m = ou_build_new_stmt(p, STMT_Match, t.pos.line, t.pos.col, d);
    m->Match.subject = subject.e;
    m->Match.cases = s;
    return m;
}

int ou_build_case(Parser *p, Tok t, Pat pattern, Ex guard, StmtSeq body) {
    MatchCase *c = ou_build_alloc(p, sizeof *c);
    if (!c) return (int)p->n_items;
    c->pos = (AstPos){t.pos.line, t.pos.col, p->end_line, p->end_col};
    c->pattern = pattern.p;
    c->guard = guard.e;
    c->body = body;
    return (int)ou_list_push(p, c);
}

/* ---- sequences and alternatives ---- */

List ou_build_first_pat(Parser *p, Pat pat) {
    return (List){.mark = ou_list_push(p, pat.p), .line = pat.line, .col = pat.col};
}

static Pat sequence(Parser *p, uint32_t line, uint32_t col, PatternSeq s) {
    Pat r = new_pat(p, PATTERN_MatchSequence, line, col, seq_depth(s));
    r.p->MatchSequence.patterns = s;
    return r;
}

static PatternSeq take(Parser *p, List l) {
    PatternSeq s;
    s.items = (Pattern **)ou_ast_list_take(p, l, &s.n);
    return s;
}

Pat ou_build_pat_sequence(Parser *p, List l) {
    return sequence(p, l.line, l.col, take(p, l));
}

Pat ou_build_pat_brackets(Parser *p, Tok open, const List *l, const Pat *last) {
    PatternSeq s = {0, NULL};
    if (last) {
        uint32_t i = ou_list_push(p, last->p);
        s = take(p, l ? *l : (List){.mark = i});
    } else if (l)
        s = take(p, *l);
    return sequence(p, open.pos.line, open.pos.col, s);
}

Pat ou_build_pat_group(Parser *p, Tok open, Pat pat) {
    (void)p;
    return (Pat){pat.p, open.pos.line, open.pos.col};
}

Pat ou_build_pat_star(Parser *p, Tok star, Tok n) {
    Pat r = new_pat(p, PATTERN_MatchStar, star.pos.line, star.pos.col, 0);
    r.p->MatchStar.name = is_underscore(p, n) ? NULL : ou_build_name_text(p, n).s;
    return r;
}

Pat ou_build_pat_or(Parser *p, List l) {
    if (!p->failed && l.mark + 1 == p->n_items) {
        Pattern *only = p->items[l.mark];
        p->n_items = l.mark;
        return (Pat){only, l.line, l.col};
    }
    PatternSeq s = take(p, l);
    Pat r = new_pat(p, PATTERN_MatchOr, l.line, l.col, seq_depth(s));
    r.p->MatchOr.patterns = s;
    return r;
}

Pat ou_build_pat_as(Parser *p, Pat pat, Tok n) {
    if (is_underscore(p, n)) ou_build_fail(p, PARSE_SYNTAX, n.pos, "cannot use '_' as a target");
    Pat r = new_pat(p, PATTERN_MatchAs, pat.line, pat.col, pat.p->depth);
    r.p->MatchAs.pattern = pat.p;
    r.p->MatchAs.name = ou_build_name_text(p, n).s;
    return r;
}

/* ---- atoms ---- */

Pat ou_build_pat_value(Parser *p, Ex e) {
    Pat r = new_pat(p, PATTERN_MatchValue, e.line, e.col, 0);
    r.p->MatchValue.value = e.e;
    return r;
}

Pat ou_build_pat_singleton(Parser *p, Tok t, ConstKind kind) {
    Pat r = new_pat(p, PATTERN_MatchSingleton, t.pos.line, t.pos.col, 0);
    r.p->MatchSingleton.value.kind = (uint8_t)kind;
    return r;
}

Pat ou_build_pat_capture(Parser *p, Tok n) {
    Pat r = new_pat(p, PATTERN_MatchAs, n.pos.line, n.pos.col, 0);
    r.p->MatchAs.name = is_underscore(p, n) ? NULL : ou_build_name_text(p, n).s;
    return r;
}

Ex ou_build_pat_minus(Parser *p, Tok minus, Tok n) {
    Ex r = ou_build_unary(p, minus, UNARY_USub, ou_build_number(p, n));
    r.e->pos.end_line = n.pos.end_line; /* the lookahead may be further on */
    r.e->pos.end_col = n.pos.end_col;
    return r;
}

Ex ou_build_pat_complex(Parser *p, Ex l, int op, Tok r) {
    Ex right = ou_build_number(p, r);
    const Expr *left = l.e->kind == EXPR_UnaryOp ? l.e->UnaryOp.operand : l.e;
    if (left && left->kind == EXPR_Constant && left->Constant.value.kind == CONST_IMAG)
        ou_build_fail(p, PARSE_SYNTAX, left->pos, "real number required in complex literal");
    else if (right.e->Constant.value.kind != CONST_IMAG)
        ou_build_fail(p, PARSE_SYNTAX, right.e->pos, "imaginary number required in complex literal");
    return ou_build_binop(p, l, op, right);
}

/* ---- classes: (name or NULL, pattern) pairs on the stack ---- */

int ou_build_pat_arg(Parser *p, const Tok *name, Pat pat) {
    uint32_t i = ou_list_push(p, name ? ou_build_name_text(p, *name).s : NULL);
    ou_list_push(p, pat.p);
    return (int)i;
}

Pat ou_build_pat_class(Parser *p, Ex cls, List args) {
    uint32_t n, positional = 0;
    void **items = ou_ast_list_take(p, args, &n);
    unsigned d = 0;
    while (positional < n && !items[positional]) positional += 2;
    for (uint32_t i = 0; i < n; i += 2) {
        d = max2(d, ((Pattern *)items[i + 1])->depth);
        if (i > positional && !items[i]) {
            uint32_t last = i;
            while (last + 2 < n && !items[last + 2]) last += 2;
            AstPos a = ((Pattern *)items[i + 1])->pos, b = ((Pattern *)items[last + 1])->pos;
            ou_build_fail(p, PARSE_SYNTAX, (AstPos){a.line, a.col, b.end_line, b.end_col},
                          "positional patterns follow keyword patterns");
        }
    }
    Pat r = new_pat(p, PATTERN_MatchClass, cls.line, cls.col, d);
    r.p->MatchClass.cls = cls.e;
    if (!n) return r;
    void **out = ou_build_alloc(p, n * sizeof *out);
    if (!out) return r;
    for (uint32_t i = 0; i < n / 2; i++) {
        out[i] = items[2 * i];
        out[n / 2 + i] = items[2 * i + 1];
    }
    uint32_t pos = positional / 2, kw = n / 2 - pos;
    Pattern **pats = (Pattern **)(out + n / 2);
    r.p->MatchClass.patterns = (PatternSeq){pos, pats};
    r.p->MatchClass.kwd_attrs = (IdSeq){kw, (AstStr **)(out + pos)};
    r.p->MatchClass.kwd_patterns = (PatternSeq){kw, pats + pos};
    return r;
}

/* ---- mappings: (key, pattern) pairs on the stack; (NULL, name) is the rest ---- */

int ou_build_pat_item(Parser *p, Ex key, Pat pat) {
    uint32_t i = ou_list_push(p, key.e);
    ou_list_push(p, pat.p);
    return (int)i;
}

int ou_build_pat_rest(Parser *p, Tok n) {
    if (is_underscore(p, n)) ou_build_fail(p, PARSE_SYNTAX, n.pos, "invalid syntax");
    uint32_t i = ou_list_push(p, NULL);
    ou_list_push(p, ou_build_name_text(p, n).s);
    return (int)i;
}

Pat ou_build_pat_mapping(Parser *p, Tok open, const List *l) {
    uint32_t n = 0, k = 0;
    void **items = NULL;
    if (l) items = ou_ast_list_take(p, *l, &n);
    void **out = n ? ou_build_alloc(p, n * sizeof *out) : NULL;
    AstStr *rest = NULL;
    unsigned d = 0;
    for (uint32_t i = 0; out && i < n; i += 2) {
        if (!items[i]) {
            rest = items[i + 1];
            continue;
        }
        out[k] = items[i];
        out[n / 2 + k++] = items[i + 1];
        d = max2(d, ((Pattern *)items[i + 1])->depth);
    }
    Pat r = new_pat(p, PATTERN_MatchMapping, open.pos.line, open.pos.col, d);
    r.p->MatchMapping.keys = (ExprSeq){k, (Expr **)out};
    r.p->MatchMapping.patterns = (PatternSeq){k, out ? (Pattern **)(out + n / 2) : NULL};
    r.p->MatchMapping.rest = rest;
    return r;
}
