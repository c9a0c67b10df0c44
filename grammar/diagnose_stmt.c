/* Statements of a refused line: simple statements and the headers of compound ones.
 * Entry point: ou_diag_statement. */
#include "grammar/diagnose.h"
#include "grammar/grammar.h"

#define kind_at(d) ou_diag_kind(d)
#define accept(d, kind) ou_diag_accept(d, kind)

/* ---- simple statements ---- */

static bool is_augassign(int k) {
    return k >= TK_ADDEQ && k <= TK_POWEQ;
}

static bool at_simple_end(Diag *d) {
    int k = kind_at(d);
    return k == TK_NEWLINE || k == TK_SEMI || k == TK_END;
}

/* Expression statements and the assignments. */
static bool assignment(Diag *d) {
    uint32_t s = d->i, i;
    Node a, b;
    const Node none = {0};
    a = b = none;
    /* Look at the whole first: is there an `=`, `:` or augmented operator behind the first expression? */
    if (kind_at(d) == TK_YIELD) {
        if (!ou_diag_yield_or_exprs(d, &a)) return false;
        if (kind_at(d) == TK_ASSIGN)
            return ou_diag_raise(d, s, d->i - 1, "assignment to yield expression not possible");
        if (is_augassign(kind_at(d)))
            return ou_diag_raise(d, s, d->i - 1,
                                 "'yield expression' is an illegal expression for augmented assignment");
        return true;
    }
    /* NAME = value = value: targets that are right are passed over quietly. */
    for (i = s;; i = d->i) {
        d->quiet = true;
        bool target = ou_diag_star_targets(d, &a);
        bool chained = target && kind_at(d) == TK_ASSIGN;
        d->quiet = false;
        d->i = i;
        if (!chained) break;
        if (a.kind != EXPR_Name && !ou_diag_is_target(d, &a, TARGET_ASSIGN)) break;
        d->i = a.e + 1;
    }
    if (i > s) { /* at least one good target */
        if (kind_at(d) == TK_YIELD) {
            if (!ou_diag_yield_or_exprs(d, &a)) return false;
            if (kind_at(d) == TK_ASSIGN)
                return ou_diag_raise(d, a.ns, a.ne - 1, "assignment to yield expression not possible");
            return true;
        }
        if (!ou_diag_star_exprs(d, &a)) return false;
        if (kind_at(d) != TK_ASSIGN) return true;
        return ou_diag_target(d, &a, TARGET_ASSIGN);
    }
    if (!ou_diag_star_named(d, &a)) return false;
    Node first = a;
    i = d->i;
    bool tuple = false;
    while (accept(d, TK_COMMA)) {
        tuple = true;
        if (!ou_diag_star_named(d, &b)) break;
        a.e = d->i;
    }
    /* CPython goes on to further lists that follow without a comma, and may find an error in them. */
    while (tuple && !d->raised && ou_diag_star_named(d, &b))
        while (accept(d, TK_COMMA) && ou_diag_star_named(d, &b))
            ;
    if (tuple) ou_diag_set(&a, s, d->i, EXPR_Tuple);
    if (d->raised) return false;
    int k = kind_at(d);
    if (k == TK_COLON) {
        uint32_t colon = d->i++;
        bool sound = ou_diag_expression(d, &b);
        if (d->raised) return false;
        if (tuple && sound)
            return ou_diag_raise(d, first.ns, first.ne - 1,
                                 "only single target (not tuple) can be annotated");
        if (sound && (first.kind == EXPR_List || first.kind == EXPR_Tuple))
            return ou_diag_raise(d, first.ns, first.ne - 1, "only single target (not %s) can be annotated",
                                 ou_diag_name(&first));
        bool single = first.kind == EXPR_Name || first.kind == EXPR_Attribute || first.kind == EXPR_Subscript;
        if (sound && !single && first.kind != EXPR_Starred)
            return ou_diag_raise(d, first.ns, first.ne - 1, "illegal target for annotation");
        if (!sound) {
            d->i = colon;
            return true;
        }
        if (accept(d, TK_ASSIGN)) return ou_diag_yield_or_exprs(d, &b);
        return true;
    }
    if (k == TK_ASSIGN) return ou_diag_target(d, &a, TARGET_ASSIGN);
    if (is_augassign(k)) {
        bool single = a.kind == EXPR_Name || a.kind == EXPR_Attribute || a.kind == EXPR_Subscript;
        d->i++;
        bool value = ou_diag_yield_or_exprs(d, &b);
        if (!single && value && !d->raised)
            return ou_diag_raise(d, a.ns, a.ne - 1, "'%s' is an illegal expression for augmented assignment",
                                 ou_diag_name(&a));
        return !d->raised;
    }
    return true;
}

static bool dotted_name(Diag *d) {
    if (!accept(d, TK_NAME)) return false;
    while (kind_at(d) == TK_DOT && d->t[d->i + 1].kind == TK_NAME) d->i += 2;
    return true;
}

static bool import_name(Diag *d) {
    uint32_t s = d->i++;
    if (kind_at(d) == TK_NEWLINE)
        return ou_diag_raise_from(d, d->i, "Expected one or more names after 'import'");
    do {
        if (!dotted_name(d)) return false;
        if (kind_at(d) == TK_FROM) {
            uint32_t i = d->i++;
            if (dotted_name(d))
                return ou_diag_raise_from(d, s, "Did you mean to use 'from ... import ...' instead?");
            d->i = i;
            return true;
        }
        if (accept(d, TK_AS) && !accept(d, TK_NAME)) return false;
    } while (accept(d, TK_COMMA));
    return true;
}

static bool import_from(Diag *d) {
    d->i++;
    while (accept(d, TK_DOT) || accept(d, TK_ELLIPSIS))
        ;
    dotted_name(d);
    if (!accept(d, TK_IMPORT) || accept(d, TK_STAR)) return true;
    bool parens = accept(d, TK_LPAR);
    if (kind_at(d) == TK_NEWLINE)
        return ou_diag_raise_from(d, d->i, "Expected one or more names after 'import'");
    while (accept(d, TK_NAME)) {
        if (accept(d, TK_AS) && !accept(d, TK_NAME)) return false;
        if (!accept(d, TK_COMMA)) return true;
        if (!parens && kind_at(d) == TK_NEWLINE)
            return ou_diag_raise_here(d, "trailing comma not allowed without surrounding parentheses");
    }
    return true;
}

static bool type_params(Diag *d) {
    Node e;
    if (!accept(d, TK_LSQB)) return true;
    if (kind_at(d) == TK_RSQB) return ou_diag_raise_from(d, d->i, "Type parameter list cannot be empty");
    while (kind_at(d) != TK_RSQB) {
        int star = kind_at(d);
        if (star == TK_STAR || star == TK_DSTAR) d->i++;
        if (!accept(d, TK_NAME)) return false;
        if (kind_at(d) == TK_COLON) {
            uint32_t colon = d->i++;
            if (!ou_diag_expression(d, &e)) return false;
            if (star == TK_STAR || star == TK_DSTAR)
                return ou_diag_raise_from(d, colon, "cannot use %s with %s",
                                          e.kind == EXPR_Tuple ? "constraints" : "bound",
                                          star == TK_STAR ? "TypeVarTuple" : "ParamSpec");
        }
        if (accept(d, TK_ASSIGN)) {
            if (star == TK_STAR) accept(d, TK_STAR);
            if (!ou_diag_expression(d, &e)) return false;
        }
        if (!accept(d, TK_COMMA)) break;
    }
    return accept(d, TK_RSQB);
}

static bool simple_statement(Diag *d) {
    Node e;
    switch (kind_at(d)) {
    case TK_RETURN: d->i++; return at_simple_end(d) || ou_diag_star_exprs(d, &e);
    case TK_IMPORT: return import_name(d);
    case TK_FROM: return import_from(d);
    case TK_RAISE:
        d->i++;
        if (at_simple_end(d)) return true;
        if (!ou_diag_expression(d, &e)) return false;
        return !accept(d, TK_FROM) || ou_diag_expression(d, &e);
    case TK_DEL:
        d->i++;
        if (!ou_diag_star_exprs(d, &e)) return false;
        return !at_simple_end(d) || ou_diag_target(d, &e, TARGET_DELETE);
    case TK_ASSERT:
        d->i++;
        if (!ou_diag_expression(d, &e)) return false;
        return !accept(d, TK_COMMA) || ou_diag_expression(d, &e);
    case TK_PASS:
    case TK_BREAK:
    case TK_CONTINUE: d->i++; return true;
    case TK_GLOBAL:
    case TK_NONLOCAL:
        d->i++;
        do
            if (!accept(d, TK_NAME)) return false;
        while (accept(d, TK_COMMA));
        return true;
    default:
        if (ou_diag_is(d, d->i, "type") && d->t[d->i + 1].kind == TK_NAME) {
            uint32_t i = d->i;
            d->i += 2;
            if (type_params(d) && accept(d, TK_ASSIGN)) return ou_diag_expression(d, &e);
            d->i = i;
            if (d->raised) return false;
        }
        return assignment(d);
    }
}

static void simple_statements(Diag *d) {
    while (!d->raised && !at_simple_end(d))
        if (!simple_statement(d) || !accept(d, TK_SEMI)) return;
}

/* ---- compound statements: their headers ---- */

/* After a header's parts: a colon, or the message that it is missing. */
static void header_end(Diag *d, bool forced) {
    if (d->raised) return;
    if (kind_at(d) == TK_COLON) {
        d->i++;
        simple_statements(d);
        return;
    }
    if (forced)
        ou_diag_raise(d, d->i, d->i, "expected ':'");
    else if (kind_at(d) == TK_NEWLINE)
        ou_diag_raise_here(d, "expected ':'");
}

static void for_header(Diag *d) {
    Node t, e;
    uint32_t s = ++d->i;
    bool targets = ou_diag_star_targets(d, &t);
    if (d->raised) return;
    if (!targets || kind_at(d) != TK_IN) {
        uint32_t i = d->i;
        d->i = s;
        if (ou_diag_star_exprs(d, &e) && !d->raised) ou_diag_target(d, &e, TARGET_FOR);
        d->i = i;
        return;
    }
    if (!ou_diag_target(d, &t, TARGET_FOR)) return;
    d->i++;
    if (ou_diag_star_exprs(d, &e)) header_end(d, false);
}

/* Items of a with statement; false when something else stands there. */
static bool with_items(Diag *d, int close) {
    Node e, t;
    for (;;) {
        if (!ou_diag_expression(d, &e)) return false;
        if (accept(d, TK_AS)) {
            uint32_t s = d->i;
            bool star = accept(d, TK_STAR);
            if (!ou_diag_expression(d, &t)) return false;
            t.s = s;
            if (star) t.kind = EXPR_Starred;
            int k = kind_at(d);
            if ((k == TK_COMMA || k == TK_RPAR || k == TK_COLON) && !ou_diag_target(d, &t, TARGET_ASSIGN))
                return false;
        }
        if (!accept(d, TK_COMMA)) return true;
        if (kind_at(d) == close) return true;
    }
}

static void with_header(Diag *d) {
    uint32_t s = ++d->i;
    if (kind_at(d) == TK_LPAR || kind_at(d) == TK_LPARW) {
        d->i++;
        if (with_items(d, TK_RPAR) && accept(d, TK_RPAR) &&
            (kind_at(d) == TK_COLON || kind_at(d) == TK_NEWLINE)) {
            if (kind_at(d) == TK_NEWLINE) ou_diag_raise(d, d->i, d->i, "expected ':'");
            header_end(d, false);
            return;
        }
        d->i = s;
    }
    if (!d->raised && with_items(d, TK_COLON)) header_end(d, false);
    if (!d->raised && d->t[s].kind == TK_LPAR && d->t[d->far].start > d->p->look.start)
        ou_diag_raise(d, d->far, d->far, "invalid syntax"); /* the grammar had to decide at the parenthesis */
}

static void except_header(Diag *d) {
    Node a, b;
    d->i++;
    bool star = accept(d, TK_STAR);
    if (star && (kind_at(d) == TK_NEWLINE || kind_at(d) == TK_COLON)) {
        ou_diag_raise_here(d, "expected one or more exception types");
        return;
    }
    if (kind_at(d) != TK_COLON && kind_at(d) != TK_NEWLINE) {
        if (!ou_diag_expression(d, &a)) return;
        if (accept(d, TK_COMMA)) {
            bool more = ou_diag_star_exprs(d, &b);
            if (d->raised || !more) return;
            if (accept(d, TK_AS)) accept(d, TK_NAME);
            if (kind_at(d) == TK_COLON)
                ou_diag_raise_from(d, a.s, "multiple exception types must be parenthesized");
            return;
        }
        if (accept(d, TK_AS) && !accept(d, TK_NAME)) return;
    }
    header_end(d, false);
}

static void def_header(Diag *d) {
    Node e;
    d->i++;
    if (!accept(d, TK_NAME)) return;
    uint32_t i = d->i;
    if (!type_params(d)) d->i = i;
    if (!d->raised && !accept(d, TK_LPAR)) {
        ou_diag_raise(d, d->i, d->i, "expected '('");
        return;
    }
    if (!ou_diag_params(d, TK_RPAR) || !accept(d, TK_RPAR)) return;
    uint32_t arrow = d->i;
    if (accept(d, TK_ARROW) && !ou_diag_expression(d, &e)) d->i = arrow;
    header_end(d, true);
}

static void class_header(Diag *d) {
    d->i++;
    if (!accept(d, TK_NAME) || !type_params(d)) return;
    if (accept(d, TK_LPAR) && (!ou_diag_arguments(d) || !accept(d, TK_RPAR))) return;
    header_end(d, false);
}

/* ---- match ---- */

static bool pattern(Diag *d);

static bool closed_pattern(Diag *d) {
    Node e;
    int k = kind_at(d), close = k == TK_LPAR ? TK_RPAR : k == TK_LSQB ? TK_RSQB : TK_RBRACE;
    switch (k) {
    case TK_LPAR:
    case TK_LSQB:
    case TK_LBRACE:
        if (++d->depth > LEX_MAX_BRACKETS) return false;
        d->i++;
        while (kind_at(d) != close) {
            if (accept(d, TK_STAR) || accept(d, TK_DSTAR)) {
                if (!accept(d, TK_NAME)) return false;
            } else {
                if (!pattern(d)) return false;
                if (k == TK_LBRACE && (!accept(d, TK_COLON) || !pattern(d))) return false;
            }
            if (!accept(d, TK_COMMA)) break;
        }
        d->depth--;
        return accept(d, close);
    case TK_NAME:
        d->i++;
        while (kind_at(d) == TK_DOT && d->t[d->i + 1].kind == TK_NAME) d->i += 2;
        if (accept(d, TK_LPAR)) {
            uint32_t from = 0, to = 0;
            bool keyword = false;
            while (kind_at(d) != TK_RPAR) {
                uint32_t s = d->i;
                if (d->t[s].kind == TK_NAME && d->t[s + 1].kind == TK_ASSIGN) {
                    if (from) break;
                    keyword = true;
                    d->i += 2;
                    if (!pattern(d)) return false;
                } else {
                    if (!pattern(d)) {
                        if (from && !d->raised) break;
                        return false;
                    }
                    if (keyword) {
                        from = from ? from : s;
                        to = d->i - 1;
                    }
                }
                if (!accept(d, TK_COMMA)) break;
            }
            if (from) return ou_diag_raise(d, from, to, "positional patterns follow keyword patterns");
            return accept(d, TK_RPAR);
        }
        return true;
    default: {
        bool quiet = d->quiet;
        d->quiet = true;
        bool r;
        if (k == TK_NONE || k == TK_TRUE || k == TK_FALSE) {
            d->i++;
            r = true;
        } else if (k == TK_STRING || k == TK_FSTART || k == TK_NUMBER || k == TK_MINUS) {
            accept(d, TK_MINUS);
            if (kind_at(d) == TK_NUMBER) {
                d->i++;
                r = true;
                if ((kind_at(d) == TK_PLUS || kind_at(d) == TK_MINUS) && d->t[d->i + 1].kind == TK_NUMBER)
                    d->i += 2;
            } else {
                while (kind_at(d) == TK_STRING) d->i++;
                r = kind_at(d) != TK_FSTART || ou_diag_bitor(d, &e);
            }
        } else
            r = false;
        d->quiet = quiet;
        return r;
    }
    }
}

static bool pattern(Diag *d) {
    Node e;
    do
        if (!closed_pattern(d)) return false;
    while (accept(d, TK_BAR));
    if (!accept(d, TK_AS)) return true;
    if (ou_diag_is(d, d->i, "_")) return ou_diag_raise(d, d->i, d->i, "cannot use '_' as a target");
    if (accept(d, TK_NAME)) return true;
    uint32_t s = d->i;
    if (ou_diag_expression(d, &e)) return ou_diag_raise(d, s, d->i - 1, "invalid pattern target");
    return false;
}

static void case_header(Diag *d) {
    Node e;
    uint32_t s = ++d->i;
    do {
        int k = kind_at(d);
        if (d->i > s && (k == TK_COLON || k == TK_IF || k == TK_NEWLINE)) break;
        if (accept(d, TK_STAR)) {
            if (!accept(d, TK_NAME)) return;
        } else if (!pattern(d))
            return;
    } while (accept(d, TK_COMMA));
    if (accept(d, TK_IF) && !ou_diag_named(d, &e)) return;
    header_end(d, false);
}

static bool match_header(Diag *d) {
    uint32_t s = d->i++;
    Node e;
    bool ok = ou_diag_star_named(d, &e);
    while (ok && accept(d, TK_COMMA))
        if (!ou_diag_star_named(d, &e)) break;
    if (d->raised) return true;
    if (ok && kind_at(d) == TK_NEWLINE && d->t[s + 1].kind != TK_LPAR && d->t[s + 1].kind != TK_LSQB)
        return header_end(d, false), true;
    d->i = s;
    return false;
}

/* ---- a logical line ---- */

void ou_diag_statement(Diag *d) {
    Node e;
    uint32_t s = d->i;
    switch (kind_at(d)) {
    case TK_IF:
    case TK_ELIF:
    case TK_WHILE:
        d->i++;
        if (ou_diag_named(d, &e)) header_end(d, false);
        return;
    case TK_ELSE:
    case TK_TRY:
    case TK_FINALLY:
        d->i++;
        header_end(d, true);
        return;
    case TK_ASYNC:
        d->i++;
        if (kind_at(d) == TK_FOR || kind_at(d) == TK_WITH || kind_at(d) == TK_DEF) ou_diag_statement(d);
        return;
    case TK_FOR: for_header(d); return;
    case TK_WITH: with_header(d); return;
    case TK_EXCEPT: except_header(d); return;
    case TK_DEF: def_header(d); return;
    case TK_CLASS: class_header(d); return;
    case TK_AT:
        d->i++;
        ou_diag_named(d, &e);
        return;
    default:
        if ((d->t[s].kind == TK_CASE || ou_diag_is(d, s, "case")) && d->p->match_block[d->p->indents]) {
            case_header(d);
            return;
        }
        if ((ou_diag_is(d, s, "match")) && match_header(d)) return;
        if (!d->raised) simple_statements(d);
    }
}
