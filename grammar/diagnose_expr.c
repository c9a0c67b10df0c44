/* Expressions of a refused line: where CPython's parser would stop, and with which message.
 * Entry points: those of diagnose.h. Recursion and work are bounded: beyond, the search is given up and
 * "invalid syntax" stands. */
#include "grammar/diagnose.h"
#include "grammar/grammar.h"

#include <string.h>

enum { MAX_DEPTH = 2000, MAX_STEPS = 20000000 };

#define kind_at(d) ou_diag_kind(d)
#define accept(d, kind) ou_diag_accept(d, kind)

bool ou_diag_accept(Diag *d, int kind) {
    if (ou_diag_kind(d) != kind) return false;
    d->i++;
    return true;
}

static bool enter(Diag *d) {
    if (d->raised || d->depth >= MAX_DEPTH || ou_cstack_below(d->c_floor) || ++d->steps > MAX_STEPS) return false;
    d->depth++;
    return true;
}

static bool leave(Diag *d, bool r) {
    d->depth--;
    return r && !d->raised;
}

/* Tries a matcher without moving or raising. */
static bool quietly(Diag *d, bool (*match)(Diag *, Node *), Node *n) {
    uint32_t i = d->i;
    bool quiet = d->quiet;
    d->quiet = true;
    bool r = match(d, n);
    d->quiet = quiet;
    if (!r) d->i = i;
    return r;
}

const char *ou_diag_name(const Node *n) {
    Expr e;
    memset(&e, 0, sizeof e);
    e.kind = n->kind;
    e.Constant.value.kind = n->constant;
    return ou_expr_name(&e);
}

/* ---- comprehensions ---- */

/* One or more for clauses; *item is the last iterable or condition, *target the last target. */
bool ou_diag_for_clauses(Diag *d, Node *item, Node *target) {
    bool any = false;
    while (!d->raised) {
        uint32_t i = d->i;
        accept(d, TK_ASYNC);
        if (!accept(d, TK_FOR)) {
            d->i = i;
            return any;
        }
        if (!ou_diag_star_targets(d, target)) {
            d->i = i;
            return any;
        }
        if (!accept(d, TK_IN)) {
            if (!d->quiet) ou_diag_raise(d, d->i, d->i, "'in' expected after for-loop variables");
            d->i = i;
            return false;
        }
        if (!d->quiet && !ou_diag_target(d, target, TARGET_FOR)) return false;
        if (!ou_diag_disjunction(d, item)) {
            d->i = i;
            return any;
        }
        while (kind_at(d) == TK_IF) {
            Node cond;
            i = d->i++;
            if (!ou_diag_disjunction(d, &cond)) {
                d->i = i;
                break;
            }
            *item = cond;
        }
        any = true;
    }
    return false;
}

bool ou_diag_at_for(Diag *d) {
    return kind_at(d) == TK_FOR || (kind_at(d) == TK_ASYNC && d->t[d->i + 1].kind == TK_FOR);
}

/* ---- displays ---- */

/* After an element of a display that a for clause follows. */
static bool comprehension_errors(Diag *d, const Node *first, const Node *last, uint32_t commas, int open) {
    Node a, b;
    bool starred = first->kind == EXPR_Starred && !commas;
    if (!ou_diag_at_for(d) || d->quiet || (!starred && (!commas || open == TK_LPAR))) return false;
    uint32_t i = d->i;
    bool ok = ou_diag_for_clauses(d, &a, &b);
    d->i = i;
    if (!ok) return d->raised;
    if (starred)
        ou_diag_raise(d, first->ns, first->ne - 1, "iterable unpacking cannot be used in comprehension");
    else
        ou_diag_raise(d, first->ns, last->ne - 1,
                      "did you forget parentheses around the comprehension target?");
    return true;
}

/* Elements up to [close], the first of which may be matched already; sets n->kind. */
/* A `*` at d->t[s] with no expression behind it. */
static void lone_star(Diag *d, uint32_t s) {
    Node e;
    if (d->quiet || d->raised) return;
    d->i = s + 1;
    if (!ou_diag_expression(d, &e) && !d->raised) ou_diag_raise_here(d, "Invalid star expression");
}

static bool elements(Diag *d, Node *n, uint32_t start, int open, int close, const Node *given) {
    uint32_t commas = 0;
    Node first = {0}, e = {0}, item, target;
    if (given) first = e = *given;
    AstKind plain = open == TK_LSQB ? EXPR_List : open == TK_LBRACE ? EXPR_Set : EXPR_Tuple;
    AstKind comp = open == TK_LSQB ? EXPR_ListComp : open == TK_LBRACE ? EXPR_SetComp : EXPR_GeneratorExp;
    for (;;) {
        if (accept(d, close)) {
            ou_diag_set(n, start, d->i, plain);
            if (open == TK_LPAR && !commas && first.e) {
                bool constant = first.kind == EXPR_Constant;
                n->kind = first.kind;
                n->constant = constant ? first.constant : 0;
                n->parens = true;
                n->ns = first.ns;
                n->ne = first.ne;
                if (first.kind == EXPR_Starred && !d->quiet)
                    return ou_diag_raise(d, first.s, first.e - 1, "cannot use starred expression here");
            }
            return true;
        }
        if (first.e && !commas && ou_diag_at_for(d)) {
            if (comprehension_errors(d, &first, &e, 0, open)) return false;
            if (first.kind == EXPR_Starred || !ou_diag_for_clauses(d, &item, &target) || !accept(d, close))
                return false;
            ou_diag_set(n, start, d->i, comp);
            return true;
        }
        if (first.e) {
            if (ou_diag_at_for(d) && comprehension_errors(d, &first, &e, commas, open)) return false;
            if (!accept(d, TK_COMMA)) return false;
            commas++;
            if (ou_diag_at_for(d)) {
                Node comma = {.ns = d->i - 1, .ne = d->i};
                if (comprehension_errors(d, &first, &comma, commas, open)) return false;
            }
            if (kind_at(d) == close) continue;
        }
        if (open == TK_LPAR && !first.e && kind_at(d) == TK_YIELD) {
            if (!ou_diag_yield_or_exprs(d, &first) || !accept(d, close)) return false;
            ou_diag_set(n, start, d->i, EXPR_Yield);
            n->ns = first.ns;
            n->ne = first.ne;
            n->parens = true;
            return true;
        }
        if (open == TK_LPAR && !first.e && kind_at(d) == TK_DSTAR) {
            uint32_t star = d->i++;
            if (ou_diag_expression(d, &e) && accept(d, close) && !d->quiet)
                ou_diag_raise(d, star, star, "cannot use double starred expression here");
            return false;
        }
        uint32_t s = d->i;
        if (!ou_diag_star_named(d, &e)) {
            if (!first.e && d->t[s].kind == TK_STAR) lone_star(d, s);
            return false;
        }
        if (!first.e) first = e;
    }
}

/* ": value" after a key; raises what is wrong with it. */
static bool dict_value(Diag *d) {
    Node v;
    if (kind_at(d) != TK_COLON) {
        if (!d->quiet) {
            AstPos pos = d->t[d->i - 1].pos; /* the last character of the key */
            pos.line = pos.end_line;
            pos.col = pos.end_col ? pos.end_col - 1 : 0;
            d->raised = true;
            ou_lex_error_pos(&d->p->lx, PARSE_SYNTAX, pos, "':' expected after dictionary key");
            d->p->err->end_col = 0;
        }
        return false;
    }
    uint32_t colon = d->i++;
    if (kind_at(d) == TK_STAR && !d->quiet) {
        uint32_t star = d->i++;
        if (ou_diag_bitor(d, &v) && !d->raised)
            return ou_diag_raise(d, star, d->i - 1, "cannot use a starred expression in a dictionary value");
        return false;
    }
    if ((kind_at(d) == TK_RBRACE || kind_at(d) == TK_COMMA) && !d->quiet)
        return ou_diag_raise(d, colon, colon, "expression expected after dictionary key and ':'");
    return ou_diag_expression(d, &v);
}

static bool dict_or_set(Diag *d, Node *n) {
    uint32_t start = d->i - 1;
    Node e = {0}, item, target;
    if (accept(d, TK_RBRACE)) {
        ou_diag_set(n, start, d->i, EXPR_Dict);
        return true;
    }
    int k = kind_at(d);
    if (k == TK_STAR || (k == TK_NAME && d->t[d->i + 1].kind == TK_WALRUS))
        return elements(d, n, start, TK_LBRACE, TK_RBRACE, NULL);
    for (uint32_t items = 0;; items++) {
        uint32_t s = d->i;
        bool unpacking = kind_at(d) == TK_DSTAR;
        if (items && accept(d, TK_RBRACE)) {
            ou_diag_set(n, start, d->i, EXPR_Dict);
            return true;
        }
        if (unpacking) {
            d->i++;
            if (!ou_diag_bitor(d, &e)) return false;
        } else {
            /* A later key is first tried as it stands, so that `c d` lacks a colon, not a comma. */
            if (!(items && !d->quiet && quietly(d, ou_diag_expression, &e)) && !ou_diag_expression(d, &e))
                return false;
            if (!items && kind_at(d) == TK_ASSIGN) {
                d->i = s;
                return elements(d, n, start, TK_LBRACE, TK_RBRACE, NULL);
            }
            if (!items && kind_at(d) != TK_COLON) return elements(d, n, start, TK_LBRACE, TK_RBRACE, &e);
            if (!dict_value(d)) return false;
        }
        if (!items && ou_diag_at_for(d)) {
            if (!ou_diag_for_clauses(d, &item, &target) || !accept(d, TK_RBRACE)) return false;
            if (unpacking)
                return d->quiet
                           ? false
                           : ou_diag_raise(d, s, s, "dict unpacking cannot be used in dict comprehension");
            ou_diag_set(n, start, d->i, EXPR_DictComp);
            return true;
        }
        if (!accept(d, TK_COMMA) && kind_at(d) != TK_RBRACE) return false;
    }
}

/* ---- f-strings ---- */

static bool at_field_end(Diag *d) {
    int k = kind_at(d);
    return k == TK_FBANG || k == TK_FCOLON || k == TK_FRBRACE;
}

/* Messages about the token after the field's parts are not raised inside an unfinished bracket: another error
 * is near. */
static bool field_error(Diag *d, const char *msg) {
    return d->quiet ? false : ou_diag_raise(d, d->i, d->i, "f-string: %s", msg);
}

static bool field(Diag *d) {
    Node e;
    static const struct {
        int kind;
        const char *text;
    } empty[] = {{TK_ASSIGN, "valid expression required before '='"},
                 {TK_FBANG, "valid expression required before '!'"},
                 {TK_FCOLON, "valid expression required before ':'"},
                 {TK_FRBRACE, "valid expression required before '}'"}};
    for (int k = 0; k < 4; k++)
        if (kind_at(d) == empty[k].kind) return field_error(d, empty[k].text);
    if (!ou_diag_yield_or_exprs(d, &e)) {
        if (!d->raised && kind_at(d) != TK_END) field_error(d, "expecting a valid expression after '{'");
        return false;
    }
    bool debug = kind_at(d) == TK_ASSIGN;
    if (!debug && !at_field_end(d)) return field_error(d, "expecting '=', or '!', or ':', or '}'");
    d->i += debug;
    if (debug && !at_field_end(d)) return field_error(d, "expecting '!', or ':', or '}'");
    if (accept(d, TK_FBANG)) {
        if (kind_at(d) == TK_FCOLON || kind_at(d) == TK_FRBRACE)
            return field_error(d, "missing conversion character");
        if (kind_at(d) != TK_NAME) return field_error(d, "invalid conversion character");
        const Tok *name = &d->t[d->i];
        const uchar *s = d->p->lx.src + name->start;
        if (name->start != d->t[d->i - 1].end) {
            if (!d->quiet)
                ou_diag_raise(d, d->i - 1, d->i,
                              "f-string: conversion type must come right after the exclamanation mark");
            return false;
        }
        if (name->end - name->start != 1 || !strchr("sra", *s)) {
            if (!d->quiet)
                ou_diag_raise(
                    d, d->i, d->i, "f-string: invalid conversion character '%.*s': expected 's', 'r', or 'a'",
                    (int)(name->end - name->start < 100 ? name->end - name->start : 100), (const char *)s);
            return false;
        }
        d->i++;
        if (kind_at(d) != TK_FCOLON && kind_at(d) != TK_FRBRACE)
            return field_error(d, "expecting ':' or '}'");
    }
    if (accept(d, TK_FCOLON)) {
        for (;;) {
            if (accept(d, TK_FMIDDLE)) continue;
            if (!accept(d, TK_FLBRACE)) break;
            if (!field(d)) return false;
        }
        if (kind_at(d) != TK_FRBRACE) return field_error(d, "expecting '}', or format specs");
    }
    if (!accept(d, TK_FRBRACE)) return field_error(d, "expecting '}'");
    return true;
}

static bool fstring(Diag *d) {
    d->i++;
    for (;;) {
        if (accept(d, TK_FMIDDLE)) continue;
        if (accept(d, TK_FEND)) return true;
        if (!accept(d, TK_FLBRACE) || !enter(d)) return false;
        if (!leave(d, field(d))) return false;
    }
}

/* ---- atoms and primaries ---- */

static bool strings(Diag *d, Node *n) {
    uint32_t s = d->i;
    bool f = false;
    for (;;) {
        if (accept(d, TK_STRING)) continue;
        if (kind_at(d) != TK_FSTART) break;
        f = true;
        if (!fstring(d)) return false;
    }
    ou_diag_set(n, s, d->i, f ? EXPR_JoinedStr : EXPR_Constant);
    n->constant = CONST_STR;
    return true;
}

static bool atom(Diag *d, Node *n) {
    uint32_t s = d->i;
    int k = kind_at(d);
    switch (k) {
    case TK_NAME:
    case TK_MATCH:
    case TK_CASE:
    case TK_TYPE:
        d->i++;
        ou_diag_set(n, s, d->i, EXPR_Name);
        return true;
    case TK_NUMBER:
    case TK_NONE:
    case TK_TRUE:
    case TK_FALSE:
    case TK_ELLIPSIS:
        d->i++;
        ou_diag_set(n, s, d->i, EXPR_Constant);
        n->constant = k == TK_NUMBER  ? CONST_INT
                      : k == TK_NONE  ? CONST_NONE
                      : k == TK_TRUE  ? CONST_TRUE
                      : k == TK_FALSE ? CONST_FALSE
                                      : CONST_ELLIPSIS;
        return true;
    case TK_STRING:
    case TK_FSTART: return strings(d, n);
    case TK_LPAR:
    case TK_LPARW: d->i++; return elements(d, n, s, TK_LPAR, TK_RPAR, NULL);
    case TK_LSQB: d->i++; return elements(d, n, s, TK_LSQB, TK_RSQB, NULL);
    case TK_LBRACE: d->i++; return dict_or_set(d, n);
    default: return false;
    }
}

static bool slices(Diag *d) {
    Node e;
    if (kind_at(d) == TK_RSQB) return false;
    while (kind_at(d) != TK_RSQB) {
        if (kind_at(d) == TK_STAR) {
            uint32_t s = d->i++;
            if (!ou_diag_expression(d, &e)) {
                lone_star(d, s);
                return false;
            }
        } else {
            bool any = kind_at(d) != TK_COLON;
            if (any && !ou_diag_named(d, &e)) return false;
            for (int colons = 0; colons < 2 && accept(d, TK_COLON); colons++) {
                int k = kind_at(d);
                if (k != TK_COLON && k != TK_COMMA && k != TK_RSQB && !ou_diag_expression(d, &e))
                    return false;
            }
        }
        if (!accept(d, TK_COMMA)) break;
    }
    return kind_at(d) == TK_RSQB;
}

/* f(*a for a in b), with d->i behind the parenthesis: raises. */
static void starred_generator(Diag *d) {
    uint32_t s = d->i;
    Node n, e;
    if (!d->quiet && accept(d, TK_STAR) && quietly(d, ou_diag_expression, &e)) {
        ou_diag_set(&n, s, d->i, EXPR_Starred);
        comprehension_errors(d, &n, &n, 0, TK_LPAR);
    }
    d->i = s;
}

static bool primary(Diag *d, Node *n) {
    uint32_t s = d->i;
    if (!atom(d, n)) return false;
    while (!d->raised) {
        uint32_t i = d->i;
        switch (kind_at(d)) {
        case TK_DOT:
            d->i++;
            if (kind_at(d) != TK_NAME) {
                d->i = i;
                return true;
            }
            d->i++;
            ou_diag_set(n, s, d->i, EXPR_Attribute);
            break;
        case TK_LPAR:
        case TK_LPARW:
            d->i++;
            starred_generator(d);
            if (d->raised || !ou_diag_arguments(d) || !accept(d, TK_RPAR)) {
                d->i = i;
                return !d->raised;
            }
            ou_diag_set(n, s, d->i, EXPR_Call);
            break;
        case TK_LSQB:
            d->i++;
            if (!slices(d)) {
                d->i = i;
                return !d->raised;
            }
            d->i++;
            ou_diag_set(n, s, d->i, EXPR_Subscript);
            break;
        default: return true;
        }
    }
    return false;
}

/* ---- operators ---- */

/* Signs, await and a primary; `**` is one of the binary operators here, since only extents matter. */
static bool operand(Diag *d, Node *n);

/* `a + not b`, or `- not b` ([sign]): raises, with the `not` at d->i. */
static void negated_operand(Diag *d, bool sign) {
    uint32_t s = d->i;
    Node n;
    while (accept(d, TK_NOT))
        ;
    if (!d->quiet && (sign ? operand(d, &n) : ou_diag_bitor(d, &n)) && !d->raised)
        ou_diag_raise(d, s, d->i - 1, "'not' after an operator must be parenthesized");
    d->i = s;
}

static bool operand(Diag *d, Node *n) {
    uint32_t s = d->i;
    bool sign = false, wait = false;
    while (kind_at(d) == TK_PLUS || kind_at(d) == TK_MINUS || kind_at(d) == TK_TILDE) {
        d->i++;
        sign = true;
    }
    if (sign && kind_at(d) == TK_NOT) negated_operand(d, true);
    wait = accept(d, TK_AWAIT);
    if (!primary(d, n)) {
        d->i = s;
        return false;
    }
    if (sign)
        ou_diag_set(n, s, d->i, EXPR_UnaryOp);
    else if (wait)
        ou_diag_set(n, s, d->i, EXPR_Await);
    return true;
}

static bool is_binary(int k) {
    switch (k) {
    case TK_BAR:
    case TK_CARET:
    case TK_AMPER:
    case TK_LSHIFT:
    case TK_RSHIFT:
    case TK_PLUS:
    case TK_MINUS:
    case TK_STAR:
    case TK_SLASH:
    case TK_DSLASH:
    case TK_PERCENT:
    case TK_AT:
    case TK_DSTAR: return true;
    default: return false;
    }
}

/* The operators behind which CPython looks for a `not`. */
static bool takes_no_not(int op) {
    return op == TK_PLUS || op == TK_MINUS || op == TK_STAR || op == TK_SLASH || op == TK_PERCENT ||
           op == TK_DSLASH || op == TK_AT;
}

bool ou_diag_bitor(Diag *d, Node *n) {
    uint32_t s = d->i;
    Node r;
    if (!enter(d)) return false;
    if (!operand(d, n)) return leave(d, false);
    while (is_binary(kind_at(d))) {
        int op = kind_at(d);
        uint32_t i = d->i++;
        if (kind_at(d) == TK_NOT && takes_no_not(op)) negated_operand(d, false);
        if (!operand(d, &r)) {
            d->i = i;
            break;
        }
        ou_diag_set(n, s, d->i, EXPR_BinOp);
    }
    return leave(d, true);
}

static bool comparison_operator(Diag *d) {
    switch (kind_at(d)) {
    case TK_EQ:
    case TK_LT:
    case TK_LE:
    case TK_GT:
    case TK_GE:
    case TK_IN: d->i++; return true;
    case TK_NE:
        if (d->p->lx.src[d->t[d->i].start] == '<') return false;
        d->i++;
        return true;
    case TK_IS:
        d->i++;
        accept(d, TK_NOT);
        return true;
    case TK_NOT:
        if (d->t[d->i + 1].kind != TK_IN) return false;
        d->i += 2;
        return true;
    default: return false;
    }
}

bool ou_diag_disjunction(Diag *d, Node *n) {
    uint32_t s = d->i;
    bool joined = false;
    if (!enter(d)) return false;
    for (uint32_t last = s;;) {
        bool negated = false;
        while (accept(d, TK_NOT)) negated = true;
        if (!ou_diag_bitor(d, n)) {
            d->i = last;
            if (last == s) return leave(d, false);
            break;
        }
        for (;;) {
            uint32_t i = d->i;
            Node r;
            if (!comparison_operator(d)) break;
            if (!ou_diag_bitor(d, &r)) {
                d->i = i;
                break;
            }
            ou_diag_set(n, s, d->i, EXPR_Compare);
        }
        if (negated) ou_diag_set(n, s, d->i, EXPR_UnaryOp);
        last = d->i;
        if (d->raised || (kind_at(d) != TK_AND && kind_at(d) != TK_OR)) break;
        d->i++;
        joined = true;
    }
    if (joined && n->s != s)
        ou_diag_set(n, s, d->i, EXPR_BoolOp);
    else if (joined)
        n->kind = EXPR_BoolOp;
    return leave(d, true);
}

static bool is_legacy(const Diag *d, const Node *n) {
    return n->kind == EXPR_Name && !n->parens &&
           (ou_diag_is(d, n->s, "print") || ou_diag_is(d, n->s, "exec"));
}

/* CPython compares as many characters as the name has: c, ca and cas are taken for `case`, too. */
static bool is_soft_keyword(const Diag *d, uint32_t i) {
    static const char *const words[] = {"match", "case", "type", "_"};
    const Tok *t = &d->t[i];
    for (int w = 0; w < 4; w++)
        if (t->kind == TK_NAME &&
            !strncmp(words[w], (const char *)d->p->lx.src + t->start, t->end - t->start))
            return true;
    return false;
}

/* `a b` and `print a`, found when another expression follows the one just matched. */
static bool juxtaposed(Diag *d, const Node *a) {
    Node b;
    uint32_t i = d->i;
    const Tok *t = d->t;
    bool prefix = t[a->s].kind == TK_NAME && t[a->s + 1].kind == TK_STRING;
    if (!prefix && !is_soft_keyword(d, a->s) && quietly(d, ou_diag_expression, &b)) {
        uint32_t end = d->i;
        if (!is_legacy(d, a) && t[end - 1].level) {
            ou_diag_raise(d, a->ns, b.ne - 1, "invalid syntax. Perhaps you forgot a comma?");
            return true;
        }
    }
    d->i = i;
    /* print x: CPython looks at what follows any name, and may find the error in there. */
    Node name_only = *a;
    ou_diag_set(&name_only, a->s, a->s + 1, t[a->s].kind == TK_NAME ? EXPR_Name : EXPR_Tuple);
    bool legacy = is_legacy(d, &name_only) && t[a->s + 1].kind != TK_LPAR;
    if (legacy) d->i = a->s + 1; /* `print [a]` would do as a subscript */
    if ((legacy || (a->kind == EXPR_Name && a->e == a->s + 1 && kind_at(d) != TK_LPAR)) &&
        ou_diag_star_exprs(d, &b) && legacy) {
        Tok name = t[a->s];
        int n = (int)(name.end - name.start);
        const char *s = (const char *)d->p->lx.src + name.start;
        ou_diag_raise(d, a->s, b.ne - 1, "Missing parentheses in call to '%.*s'. Did you mean %.*s(...)?", n,
                      s, n, s);
        return true;
    }
    d->i = i;
    return d->raised;
}

static bool lambda(Diag *d, Node *n) {
    uint32_t s = d->i++;
    Node body;
    if (!ou_diag_params(d, TK_COLON)) return false;
    if (kind_at(d) == TK_FCOLON && !d->quiet) {
        uint32_t colon = d->i;
        ou_diag_raise(d, s, colon, "f-string: lambda expressions are not allowed without parentheses");
        return false;
    }
    if (!accept(d, TK_COLON) || !ou_diag_expression(d, &body)) return false;
    ou_diag_set(n, s, d->i, EXPR_Lambda);
    return true;
}

bool ou_diag_expression(Diag *d, Node *n) {
    uint32_t s = d->i;
    bool choice = false;
    if (!enter(d)) return false;
    for (;;) {
        if (kind_at(d) == TK_LAMBDA) {
            if (!lambda(d, n)) {
                d->i = s;
                return leave(d, false);
            }
            break;
        }
        Node a, b;
        if (!ou_diag_disjunction(d, &a)) {
            if (!choice) d->i = s;
            return leave(d, false);
        }
        *n = a;
        if (!d->quiet && juxtaposed(d, &a)) return leave(d, false);
        uint32_t i = d->i;
        if (!accept(d, TK_IF)) break;
        if (!ou_diag_disjunction(d, &b)) {
            d->i = i;
            break;
        }
        if (kind_at(d) != TK_ELSE) {
            if (kind_at(d) != TK_COLON && kind_at(d) != TK_FCOLON && !d->quiet)
                ou_diag_raise(d, a.ns, b.ne - 1, "expected 'else' after 'if' expression");
            d->i = i;
            break;
        }
        d->i++;
        choice = true;
        /* The rest after `else` is one more expression: once around the loop. */
    }
    if (choice) ou_diag_set(n, s, d->i, EXPR_IfExp);
    return leave(d, !d->raised);
}

/* Whether the expression at [s] begins with a list, a tuple or a generator expression. */
static bool starts_with_sequence(Diag *d, uint32_t s) {
    Node n;
    uint32_t i = d->i;
    d->i = s;
    bool r = quietly(d, atom, &n) && !n.parens;
    d->i = i;
    return r && (n.kind == EXPR_List || n.kind == EXPR_Tuple || n.kind == EXPR_GeneratorExp);
}

/* x := y, and what a lone `=` in its place is told. */
bool ou_diag_named(Diag *d, Node *n) {
    uint32_t s = d->i, after;
    Node b;
    if (!enter(d)) return false;
    if (kind_at(d) == TK_NAME && d->t[d->i + 1].kind == TK_WALRUS) {
        d->i += 2;
        if (ou_diag_expression(d, &b)) {
            ou_diag_set(n, s, d->i, EXPR_NamedExpr);
            return leave(d, true);
        }
        d->i = s;
    }
    if (!ou_diag_expression(d, n)) {
        d->i = s;
        return leave(d, false);
    }
    after = d->i;
    if (kind_at(d) == TK_WALRUS) {
        d->i++;
        if (!d->quiet && ou_diag_expression(d, &b))
            ou_diag_raise(d, n->ns, n->ne - 1, "cannot use assignment expressions with %s", ou_diag_name(n));
        d->i = s;
        return leave(d, false);
    }
    if (kind_at(d) == TK_ASSIGN && !d->quiet) {
        Node a;
        d->i = s;
        /* The left side must be a bitwise_or as a whole. */
        int k = d->t[s].kind;
        bool excluded = k == TK_TRUE || k == TK_NONE || k == TK_FALSE || starts_with_sequence(d, s);
        if (!excluded && quietly(d, ou_diag_bitor, &a) && d->i == after) {
            d->i = after + 1;
            bool value = ou_diag_bitor(d, &b);
            if (value && kind_at(d) != TK_ASSIGN && kind_at(d) != TK_WALRUS) {
                if (a.kind == EXPR_Name && !a.parens)
                    ou_diag_raise(d, s, b.ne - 1,
                                  "invalid syntax. Maybe you meant '==' or ':=' instead of '='?");
                else
                    ou_diag_raise(d, a.ns, a.ne - 1,
                                  "cannot assign to %s here. Maybe you meant '==' instead of '='?",
                                  ou_diag_name(&a));
            }
        }
        d->i = after;
    }
    return leave(d, true);
}

bool ou_diag_star_named(Diag *d, Node *n) {
    uint32_t s = d->i;
    if (!accept(d, TK_STAR)) return ou_diag_named(d, n);
    if (!ou_diag_bitor(d, n)) {
        d->i = s;
        return false;
    }
    ou_diag_set(n, s, d->i, EXPR_Starred);
    return true;
}

bool ou_diag_star_expr(Diag *d, Node *n) {
    if (kind_at(d) == TK_STAR) return ou_diag_star_named(d, n);
    return ou_diag_expression(d, n);
}

bool ou_diag_exprs(Diag *d, Node *n) {
    do
        if (!ou_diag_expression(d, n)) return false;
    while (accept(d, TK_COMMA));
    return true;
}

bool ou_diag_star_exprs(Diag *d, Node *n) {
    uint32_t s = d->i;
    Node e;
    if (!ou_diag_star_expr(d, n)) return false;
    if (kind_at(d) != TK_COMMA) return true;
    while (accept(d, TK_COMMA))
        if (!ou_diag_star_expr(d, &e)) break;
    ou_diag_set(n, s, d->i, EXPR_Tuple);
    return !d->raised;
}

bool ou_diag_star_targets(Diag *d, Node *n) {
    uint32_t s = d->i;
    bool tuple = false;
    Node e;
    for (;;) {
        uint32_t i = d->i;
        bool star = accept(d, TK_STAR);
        if (!ou_diag_bitor(d, &e)) {
            d->i = i;
            break;
        }
        if (!tuple) {
            *n = e;
            if (star) ou_diag_set(n, s, d->i, EXPR_Starred);
        }
        if (!accept(d, TK_COMMA)) break;
        tuple = true;
    }
    if (tuple) ou_diag_set(n, s, d->i, EXPR_Tuple);
    return d->i > s && !d->raised;
}

bool ou_diag_yield_or_exprs(Diag *d, Node *n) {
    uint32_t s = d->i;
    Node e;
    if (!accept(d, TK_YIELD)) return ou_diag_star_exprs(d, n);
    if (accept(d, TK_FROM)) {
        if (!ou_diag_expression(d, &e)) return false;
    } else if (!ou_diag_star_exprs(d, &e) && d->raised)
        return false;
    ou_diag_set(n, s, d->i, EXPR_Yield);
    return true;
}
