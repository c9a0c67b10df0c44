/* Finding out what is wrong with a line that the grammar refused, in CPython's words.
 * Used by diagnose.c (the place), diagnose_stmt.c, diagnose_expr.c and diagnose_args.c only. The latter walk
 * the tokens of one logical line by recursive descent with backtracking, in the order in which CPython's
 * second parse tries its alternatives; a function returns whether it matched and moves d->i, and d->raised
 * stops everything. Nothing here builds a tree. */
#ifndef OU_DIAGNOSE_H
#define OU_DIAGNOSE_H

#include "grammar/build.h"
#include "runtime/base/cstack.h"

typedef struct Diag {
    Parser *p;
    Tok *t; /* the tokens of the logical line; the last is a NEWLINE or END, and t[n] is END again */
    uint32_t n, i;
    uint32_t far;   /* the furthest token looked at */
    int depth;      /* of recursion */
    uintptr_t c_floor; /* where it must end (cstack.h) */
    uint32_t steps; /* expressions tried */
    bool raised;    /* the error is found and stands in p->err */
    bool quiet;     /* do not look for errors, only for extents */
} Diag;

/* What was matched last: tokens [s, e) and what CPython would call it. */
typedef struct Node {
    uint32_t s, e;
    uint32_t ns, ne;  /* the node's own tokens: inside the parentheses of (a) */
    uint8_t kind;     /* EXPR_... */
    uint8_t constant; /* ConstKind of an EXPR_Constant */
    bool parens;
} Node;

static inline void ou_diag_set(Node *n, uint32_t s, uint32_t e, AstKind kind) {
    *n = (Node){.s = s, .e = e, .ns = s, .ne = e, .kind = (uint8_t)kind};
}

int ou_diag_kind(Diag *d); /* of the next token; raises if that is the end of the file inside a bracket */

bool ou_diag_raise(Diag *d, uint32_t from, uint32_t to, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
bool ou_diag_raise_from(Diag *d, uint32_t from, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));                    /* to d->i */
bool ou_diag_raise_here(Diag *d, const char *msg);            /* at the token that stopped the parse */
bool ou_diag_is(const Diag *d, uint32_t i, const char *name); /* token i is this NAME */
const char *ou_diag_name(const Node *n);                      /* "function call" */
/* Parses a node for real and raises if it is no target: "cannot assign to ..." */
bool ou_diag_is_target(Diag *d, const Node *n, TargetKind kind);
bool ou_diag_target(Diag *d, const Node *n, TargetKind kind);

void ou_diag_statement(Diag *d);

bool ou_diag_accept(Diag *d, int kind);
bool ou_diag_at_for(Diag *d);
/* One or more for clauses; *item is the last iterable or condition, *target the last target. */
bool ou_diag_for_clauses(Diag *d, Node *item, Node *target);
bool ou_diag_star_expr(Diag *d, Node *n);
bool ou_diag_expression(Diag *d, Node *n);
bool ou_diag_named(Diag *d, Node *n);
bool ou_diag_disjunction(Diag *d, Node *n);
bool ou_diag_bitor(Diag *d, Node *n);
bool ou_diag_exprs(Diag *d, Node *n);
bool ou_diag_star_exprs(Diag *d, Node *n);
bool ou_diag_star_named(Diag *d, Node *n);
bool ou_diag_star_targets(Diag *d, Node *n); /* a target list up to `in` or `=` */
bool ou_diag_yield_or_exprs(Diag *d, Node *n);
bool ou_diag_arguments(Diag *d); /* up to the closing parenthesis, which stays */
bool ou_diag_params(Diag *d, int close);

#endif
