/* The arguments of calls and the parameters of functions in a refused line.
 * Entry points: ou_diag_arguments, ou_diag_params. */
#include "grammar/diagnose.h"
#include "grammar/grammar.h"

#define kind_at(d) ou_diag_kind(d)
#define accept(d, kind) ou_diag_accept(d, kind)

/* ---- calls ---- */

/* One argument; *genexp when for clauses follow without parentheses. */
static bool argument(Diag *d, uint32_t *keyword, bool *unpacked, uint32_t args, Node *last) {
    uint32_t s = d->i;
    Node e, item, target;
    int k = kind_at(d);
    if (k == TK_STAR) {
        d->i++;
        if (!ou_diag_expression(d, &e)) {
            if (!d->raised && !d->quiet) ou_diag_raise_here(d, "Invalid star expression");
            return false;
        }
        if (kind_at(d) == TK_ASSIGN && !d->quiet) {
            d->i++;
            if (ou_diag_expression(d, &e))
                ou_diag_raise(d, s, d->i - 1, "cannot assign to iterable argument unpacking");
            return false;
        }
        ou_diag_set(last, s, d->i, EXPR_Starred);
        return true;
    }
    if (k == TK_DSTAR) {
        d->i++;
        if (!ou_diag_expression(d, &e)) return false;
        if (kind_at(d) == TK_ASSIGN && !d->quiet) {
            d->i++;
            if (ou_diag_expression(d, &e))
                ou_diag_raise(d, s, d->i - 1, "cannot assign to keyword argument unpacking");
            return false;
        }
        ++*keyword;
        *unpacked = true;
        ou_diag_set(last, s, d->i, EXPR_Dict);
        return true;
    }
    if (d->t[s + 1].kind == TK_ASSIGN && (k == TK_TRUE || k == TK_FALSE || k == TK_NONE)) {
        if (!d->quiet)
            ou_diag_raise(d, s, s + 1, "cannot assign to %s",
                          k == TK_TRUE    ? "True"
                          : k == TK_FALSE ? "False"
                                          : "None");
        return false;
    }
    if (k == TK_NAME && d->t[s + 1].kind == TK_ASSIGN) {
        d->i = s + 2;
        if ((kind_at(d) == TK_COMMA || kind_at(d) == TK_RPAR) && !d->quiet)
            return ou_diag_raise(d, s, s + 1, "expected argument value expression");
        if (!ou_diag_expression(d, &e)) return false;
        if (ou_diag_at_for(d) && !d->quiet && ou_diag_for_clauses(d, &item, &target))
            ou_diag_raise(d, s, s + 1, "invalid syntax. Maybe you meant '==' or ':=' instead of '='?");
        ++*keyword;
        ou_diag_set(last, s, d->i, EXPR_Name);
        return !d->raised;
    }
    if (k == TK_NAME && d->t[s + 1].kind == TK_WALRUS) {
        d->i = s + 2;
        if (!ou_diag_expression(d, &e)) return false;
    } else {
        if (!ou_diag_expression(d, &e)) return false;
        if (kind_at(d) == TK_ASSIGN && !d->quiet)
            return ou_diag_raise(d, e.ns, d->i,
                                 "expression cannot contain assignment, perhaps you meant \"==\"?");
    }
    ou_diag_set(last, s, d->i, e.kind);
    if (ou_diag_at_for(d)) {
        if (!ou_diag_for_clauses(d, &item, &target)) return false;
        if (args || kind_at(d) != TK_RPAR) {
            if (!d->quiet && (args || kind_at(d) == TK_COMMA))
                ou_diag_raise(d, e.ns, item.ne - 1, "Generator expression must be parenthesized");
            return false;
        }
    }
    return true;
}

bool ou_diag_arguments(Diag *d) {
    uint32_t args = 0, keywords = 0, comma = 0;
    bool unpacked = false, misplaced = false, unpacked_first = false;
    while (kind_at(d) != TK_RPAR) {
        Node last = {0};
        uint32_t before = keywords, s = d->i;
        if (kind_at(d) == TK_STAR && unpacked && !d->quiet) {
            Node e;
            d->i++;
            if (!ou_diag_expression(d, &e))
                return !d->raised && ou_diag_raise_here(d, "Invalid star expression");
            return ou_diag_raise(d, comma, d->i > s + 1 ? d->i - 1 : s,
                                 "iterable argument unpacking follows keyword argument unpacking");
        }
        if (!argument(d, &keywords, &unpacked, args, &last)) return false;
        args++;
        if (before && before == keywords && last.kind != EXPR_Starred && !misplaced) {
            misplaced = true;
            unpacked_first = unpacked;
        }
        if (!accept(d, TK_COMMA)) break;
        comma = d->i - 1;
    }
    if (kind_at(d) != TK_RPAR) return false;
    if (misplaced && !d->quiet)
        return ou_diag_raise(d, d->i, d->i,
                             unpacked_first ? "positional argument follows keyword argument unpacking"
                                            : "positional argument follows keyword argument");
    return true;
}

/* ---- parameters ---- */

bool ou_diag_params(Diag *d, int close) {
    bool lambda_list = close == TK_COLON, star = false, dstar = false, slash = false, def = false;
    uint32_t count = 0;
    Node e;
    for (;; count++) {
        int k = kind_at(d);
        uint32_t s = d->i;
        const char *wrong = NULL;
        uint32_t here = 0; /* the token to blame instead */
        if (k == close || (lambda_list && k == TK_FCOLON)) return true;
        if (dstar && (k == TK_NAME || k == TK_STAR || k == TK_DSTAR || k == TK_SLASH))
            wrong = "arguments cannot follow var-keyword argument";
        else if (k == TK_SLASH) {
            wrong = slash                                       ? "/ may appear only once"
                    : star                                      ? "/ must be ahead of *"
                    : !count && d->t[d->i + 1].kind == TK_COMMA ? "at least one argument must precede /"
                                                                : NULL;
            slash = true;
            d->i++;
            if (!wrong && kind_at(d) == TK_STAR) {
                s = d->i;
                wrong = "expected comma between / and *";
            }
        } else if (k == TK_STAR) {
            d->i++;
            int next = kind_at(d);
            if (star)
                wrong = "* argument may appear only once";
            else if (next == close ||
                     (next == TK_COMMA && (d->t[d->i + 1].kind == close || d->t[d->i + 1].kind == TK_DSTAR)))
                wrong = "named arguments must follow bare *",
                here = lambda_list ? d->i + (next == TK_COMMA) : 0;
            star = true;
            if (!wrong && next == TK_NAME) goto name;
        } else if (k == TK_DSTAR) {
            d->i++;
            dstar = true;
            if (kind_at(d) != TK_NAME) return false;
            goto name;
        } else if (k == TK_NAME) {
        name:
            d->i++;
            bool starred = d->t[d->i].kind == TK_COLON && d->t[d->i + 1].kind == TK_STAR; /* *args: *Ts */
            if (!lambda_list && accept(d, TK_COLON) && !ou_diag_star_expr(d, &e)) return false;
            if (kind_at(d) == TK_ASSIGN) {
                uint32_t eq = d->i++;
                if (starred) return false;
                if (k != TK_NAME) {
                    s = eq;
                    wrong = k == TK_STAR ? "var-positional argument cannot have default value"
                                         : "var-keyword argument cannot have default value";
                } else if (kind_at(d) == close || kind_at(d) == TK_COMMA) {
                    s = eq;
                    wrong = "expected default value expression";
                } else if (!ou_diag_expression(d, &e))
                    return false;
                def = true;
            } else if (k == TK_NAME && def && !star && (kind_at(d) == TK_COMMA || kind_at(d) == close))
                wrong = "parameter without a default follows parameter with a default";
        } else if (k == TK_LPAR) {
            uint32_t i = d->i + 1;
            while (d->t[i].kind == TK_NAME && d->t[i + 1].kind == TK_COMMA) i += 2;
            i += d->t[i].kind == TK_NAME;
            if (d->t[i].kind == TK_RPAR && i > d->i + 1 && !d->quiet)
                return ou_diag_raise(d, s, i,
                                     lambda_list ? "Lambda expression parameters cannot be parenthesized"
                                                 : "Function parameters cannot be parenthesized");
            return false;
        } else
            return false;
        if (here && !d->quiet) return ou_diag_raise(d, here, here, "%s", wrong);
        if (wrong && !d->quiet) return ou_diag_raise(d, s, s, "%s", wrong);
        if (wrong) return false;
        if (!accept(d, TK_COMMA)) return kind_at(d) == close || (lambda_list && kind_at(d) == TK_FCOLON);
    }
}
