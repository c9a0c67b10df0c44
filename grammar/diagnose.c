/* Turns a refused token into CPython's SyntaxError: the right message at the right place.
 * Entry point: ou_diagnose, called once the grammar or a builder has failed and p->err holds a plain answer.
 * The source is read again from the start (errors are rare), to know the blocks around the failing line; then
 * the line itself is walked by the functions below and in diagnose_expr.c, which mirror CPython's `invalid_`
 * rules. At last the rest of the file is tokenized, since an unterminated string or bracket further down is
 * the better answer. */
#include "grammar/diagnose.h"
#include "grammar/grammar.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- raising ---- */

static void raise_pos(Diag *d, int kind, AstPos pos, const char *fmt, va_list ap) {
    char msg[256];
    if (d->raised) return;
    d->raised = true;
    vsnprintf(msg, sizeof msg, fmt, ap);
    ou_lex_error_pos(&d->p->lx, kind, pos, "%s", msg);
}

bool ou_diag_raise(Diag *d, uint32_t from, uint32_t to, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    AstPos a = d->t[from].pos, b = d->t[to].pos;
    raise_pos(d, PARSE_SYNTAX, (AstPos){a.line, a.col, b.end_line, b.end_col}, fmt, ap);
    va_end(ap);
    return false;
}

bool ou_diag_raise_from(Diag *d, uint32_t from, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    AstPos a = d->t[from].pos, b = d->t[d->i].pos;
    raise_pos(d, PARSE_SYNTAX, (AstPos){a.line, a.col, b.end_line, b.end_col ? b.end_col - 1 : 0}, fmt, ap);
    va_end(ap);
    return false;
}

int ou_diag_kind(Diag *d) {
    if (d->i > d->far) d->far = d->i;
    int kind = d->t[d->i].kind;
    if (kind == TK_END && d->t[d->i].level) {
        if (!d->raised && d->p->lx.level) ou_lex_unclosed(&d->p->lx);
        d->raised = true;
    }
    return kind;
}

static bool raise_here(Diag *d, int kind, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    bool raised = d->raised;
    raise_pos(d, kind, d->p->look.pos, fmt, ap);
    va_end(ap);
    if (!raised && (d->p->look.kind == TK_END || d->p->look.kind == TK_DEDENT)) d->p->err->end_col = -1;
    if (!raised && d->p->look.kind == TK_DEDENT && d->p->look.start < (uint32_t)(d->p->lx.end - d->p->lx.src))
        d->p->err->col = 0;
    return false;
}

bool ou_diag_raise_here(Diag *d, const char *msg) {
    return raise_here(d, PARSE_SYNTAX, "%s", msg);
}

bool ou_diag_is(const Diag *d, uint32_t i, const char *name) {
    const Tok *t = &d->t[i];
    size_t n = strlen(name);
    return t->kind == TK_NAME && t->end - t->start == n && !memcmp(d->p->lx.src + t->start, name, n);
}

/* ---- targets: the tokens are parsed for real ---- */

static Expr *parse_piece(Diag *d, const Node *n) {
    Parser *p = d->p;
    void *grammar = ou_alloc(p->arena->heap, ou_grammar_size());
    if (!grammar) return NULL;
    Tok look = p->look, end = d->t[n->e];
    ParseError err = *p->err;
    p->failed = p->bad_token = false;
    p->piece = NULL;
    p->n_items = 0;
    ou_grammarInit(grammar, p);
    ou_grammar(grammar, TK_START_PIECE, end);
    for (uint32_t i = n->s; i < n->e && !p->failed; i++) {
        p->look = d->t[i];
        ou_grammar(grammar, d->t[i].kind, d->t[i]);
        p->end_line = d->t[i].pos.end_line;
        p->end_col = d->t[i].pos.end_col;
    }
    p->look = end;
    if (!p->failed) ou_grammar(grammar, TK_END, end);
    if (!p->failed) ou_grammar(grammar, 0, end);
    ou_grammarFinalize(grammar);
    ou_free(p->arena->heap, grammar, ou_grammar_size());
    Expr *e = p->failed ? NULL : p->piece;
    *p->err = err;
    p->failed = true;
    p->look = look;
    return e;
}

/* The part of [e] that cannot be a target, or NULL. */
static const Expr *invalid_target(const Expr *e, TargetKind kind) {
    switch (e->kind) {
    case EXPR_Name:
    case EXPR_Attribute:
    case EXPR_Subscript: return NULL;
    case EXPR_Starred: return kind == TARGET_DELETE ? e : invalid_target(e->Starred.value, kind);
    case EXPR_Compare: /* for x in y: the parser took `x in y` for one expression */
        if (kind != TARGET_FOR) return e;
        return e->Compare.ops.items[0] == CMP_In ? invalid_target(e->Compare.left, kind) : NULL;
    case EXPR_Tuple:
    case EXPR_List: {
        ExprSeq s = e->kind == EXPR_Tuple ? e->Tuple.elts : e->List.elts;
        for (uint32_t i = 0; i < s.n; i++) {
            const Expr *bad = invalid_target(s.items[i], kind);
            if (bad) return bad;
        }
        return NULL;
    }
    default: return e;
    }
}

bool ou_diag_is_target(Diag *d, const Node *n, TargetKind kind) {
    const Expr *e = parse_piece(d, n);
    return e && !invalid_target(e, kind);
}

bool ou_diag_target(Diag *d, const Node *n, TargetKind kind) {
    if (d->raised) return false;
    if (n->kind == EXPR_Name && n->e == n->s + 1) return true;
    const Expr *e = parse_piece(d, n);
    const Expr *bad = e ? invalid_target(e, kind) : NULL;
    if (!bad) return true;
    d->raised = true;
    return ou_lex_error_pos(&d->p->lx, PARSE_SYNTAX, bad->pos,
                            kind == TARGET_DELETE ? "cannot delete %s" : "cannot assign to %s",
                            ou_expr_name(bad));
}

/* ---- blocks ---- */

/* What a block's header is called; the line number of its keyword follows. */
static const char *block_name(const Diag *d, const Tok *t, const Tok *next) {
    switch (t->kind) {
    case TK_IF: return "'if' statement";
    case TK_ELIF: return "'elif' statement";
    case TK_ELSE: return "'else' statement";
    case TK_FOR: return "'for' statement";
    case TK_WHILE: return "'while' statement";
    case TK_WITH: return "'with' statement";
    case TK_TRY: return "'try' statement";
    case TK_EXCEPT: return next->kind == TK_STAR ? "'except*' statement" : "'except' statement";
    case TK_FINALLY: return "'finally' statement";
    case TK_DEF: return "function definition";
    case TK_CLASS: return "class definition";
    case TK_ASYNC: return block_name(d, next, next);
    default: {
        const uchar *s = d->p->lx.src + t->start;
        if (t->kind == TK_NAME && t->end - t->start == 5 && !memcmp(s, "match", 5))
            return "'match' statement";
        if (t->kind == TK_NAME && t->end - t->start == 4 && !memcmp(s, "case", 4)) return "'case' statement";
        return NULL;
    }
    }
}

/* The source read again up to the failing line. */
typedef struct Context {
    Tok first[LEX_MAX_INDENT + 1]; /* first token of the last logical line at each indentation */
    Tok prev[LEX_MAX_INDENT + 1];  /* and of the one before it */
    Tok before[2];                 /* of the logical line before the failing one */
    bool before_colon;             /* it ended in a colon */
    uint32_t indents;
    bool lexer_failed; /* the lexer gave up in that line */
    bool indented;     /* the failing line begins a block */
    bool found;        /* the failing line is there: not the end of the file */
} Context;

static bool push_token(Diag *d, uint32_t *cap, Tok t) {
    if (d->n + 2 > *cap) {
        uint32_t c = *cap ? *cap * 2 : 256;
        Tok *q = ou_realloc(d->p->arena->heap, d->t, *cap * sizeof *q, c * sizeof *q);
        if (!q) return false;
        d->t = q;
        *cap = c;
    }
    d->t[d->n++] = t;
    return true;
}

static void restart(Lexer *lx) {
    lx->cur = lx->line_start = lx->src;
    lx->line = 1;
    lx->at_line_start = true;
    lx->pending = 0;
    lx->indents = lx->level = lx->fstrings = 0;
    lx->warn = NULL;
}

/* Fills d->t with the logical line in which the refused token lies. False when memory fails. */
static bool read_line(Diag *d, Context *c, uint32_t *cap) {
    Lexer *lx = &d->p->lx;
    Tok t;
    bool begin = true, past = false;
    uint32_t at = d->p->look.start;
    restart(lx);
    for (;;) {
        ou_lex_next(lx, &t);
        if (t.kind == TOK_ERROR || t.kind == TK_END) {
            c->lexer_failed = t.kind == TOK_ERROR;
            t.kind = TK_END;
            t.level = c->lexer_failed ? 0 : lx->level;
            break;
        }
        if (begin && t.kind != TK_INDENT && t.kind != TK_DEDENT) {
            begin = false;
            d->n = 0;
            c->prev[c->indents] = c->first[c->indents];
            c->first[c->indents] = t;
        }
        if (t.kind == TK_INDENT) {
            c->first[++c->indents].kind = 0;
            c->indented = true;
        } else if (t.kind == TK_DEDENT) {
            c->indents--;
        } else {
            if (!push_token(d, cap, t)) return false;
            past |= t.start >= at;
        }
        if (t.kind == TK_NEWLINE) {
            if (past) break;
            begin = true;
            c->indented = false;
            c->before_colon = d->n > 1 && d->t[d->n - 2].kind == TK_COLON;
            c->before[0] = d->t[0];
            c->before[1] = d->t[d->n > 1 ? 1 : 0];
        }
    }
    if (!d->n || d->t[d->n - 1].kind != TK_NEWLINE || !past) {
        if (begin) d->n = 0;
        c->found = !begin;
        t.kind = TK_END;
        if (!push_token(d, cap, t)) return false;
    } else
        c->found = true;
    d->t[d->n] = d->t[d->n - 1];
    d->t[d->n].kind = TK_END;
    return true;
}

/* Errors of the place where a line begins: a missing or unexpected block. */
static void block_errors(Diag *d, const Context *c) {
    Parser *p = d->p;
    const Tok *look = &p->look;
    if (look->kind != TK_INDENT && !c->indented && c->before_colon &&
        (look->start == d->t[0].start || look->kind == TK_DEDENT || look->kind == TK_END)) {
        const char *name = block_name(d, &c->before[0], &c->before[1]);
        const Tok *key = c->before[0].kind == TK_ASYNC ? &c->before[1] : &c->before[0];
        if (name) {
            if (look->kind == TK_DEDENT && d->t[0].kind != TK_END) p->look = d->t[0];
            raise_here(d, PARSE_INDENTATION, "expected an indented block after %s on line %u", name,
                       (unsigned)key->pos.line);
            return;
        }
    }
    uint32_t level = p->indents + (look->kind == TK_DEDENT);
    const Tok *head = level <= LEX_MAX_INDENT ? &c->prev[level] : look;
    if (!c->found || look->kind == TK_DEDENT) head = &c->first[level];
    if (look->kind == TK_INDENT) head = &c->first[level - 1];
    if (head->kind == TK_TRY && (!c->found || look->kind == TK_DEDENT || head->start < look->start)) {
        raise_here(d, PARSE_SYNTAX, "expected 'except' or 'finally' block");
        if (look->kind == TK_INDENT) {
            p->err->end_col = -1;
            p->err->col--;
        }
        return;
    }
    if (look->kind == TK_INDENT || look->kind == TK_DEDENT) {
        raise_here(d, PARSE_INDENTATION,
                   look->kind == TK_INDENT ? "unexpected indent" : "unexpected unindent");
        p->err->end_col = -1;
        p->err->col -= look->kind == TK_INDENT; /* CPython counts from its last blank */
        return;
    }
}

/* Whether the lexer's error is one that CPython's tokenizer raises by itself, and so beats the parser's. */
static bool beats_parser(const ParseError *e) {
    return e->kind == PARSE_SYNTAX && strcmp(e->msg, "unexpected EOF while parsing") &&
           strcmp(e->msg, "unexpected character after line continuation character");
}

/* Lexes on to the end of the file: an error of the lexer is better than what stands, and so is an open
 * bracket of an earlier line. */
static void check_rest(Parser *p, const ParseError *found, uint32_t err_line) {
    Lexer *lx = &p->lx;
    Tok t;
    p->err->kind = PARSE_OK;
    do ou_lex_next(lx, &t);
    while (t.kind != TK_END && t.kind != TOK_ERROR);
    if (t.kind == TOK_ERROR && beats_parser(p->err)) return;
    if (lx->level && err_line > lx->brackets[lx->level - 1].line)
        ou_lex_unclosed(lx);
    else
        *p->err = *found;
}

/* A token at the end of the file is shown behind the last line. */
static void move_from_end(Parser *p) {
    Tok *t = &p->look;
    const Lexer *lx = &p->lx;
    if (t->start < (uint32_t)(lx->end - lx->src) || t->pos.line < 2) return;
    const uchar *e = lx->end - 1, *s = e;
    while (s > lx->src && s[-1] != '\n') s--;
    t->pos.line = t->pos.end_line = t->pos.line - 1;
    t->pos.col = t->pos.end_col = (uint32_t)(e - s);
}

/* Whether there is a token at all; comments are none. */
static bool has_text(const Parser *p) {
    return p->end_line > 0;
}

static bool inside_fstring(const Diag *d, uint32_t at) {
    int depth = 0;
    for (uint32_t i = 0; i < d->n && d->t[i].start < at; i++)
        depth += (d->t[i].kind == TK_FSTART) - (d->t[i].kind == TK_FEND);
    return depth > 0;
}

static bool opens_statement(int k) {
    return k != TK_ELIF && k != TK_ELSE && k != TK_EXCEPT && k != TK_FINALLY;
}

static void diagnose(Diag *d, Context *c, ParseError plain, bool bad_token) {
    Parser *p = d->p;
    Tok look = p->look;
    bool at_end = look.kind == TK_END, at_start = bad_token && (at_end || look.start == d->t[0].start);
    Lexer after = p->lx; /* behind the line: what check_rest goes on from */
    ParseError lexer_error = *p->err;
    plain.incomplete = bad_token && look.start >= (uint32_t)(p->lx.end - p->lx.src) && has_text(p);
    move_from_end(p);
    if (at_end && after.level) {
        ou_lex_unclosed(&p->lx);
        return;
    }
    if (bad_token && (at_start || look.kind == TK_INDENT || look.kind == TK_DEDENT)) block_errors(d, c);
    if (look.kind == TK_INDENT && d->raised &&
        p->err->msg[0] == 'u') /* unexpected indent: nothing beats it */
        return;
    if (p->mode == PARSE_EVAL) { /* an expression is all there may be, and only in the first line */
        Node e;
        if (!d->raised && !at_start) ou_diag_exprs(d, &e);
    } else if (!d->raised && (!at_start || opens_statement(d->t[0].kind)))
        ou_diag_statement(d);
    ParseError found = d->raised ? *p->err : plain;
    if (!d->raised && at_end) {
        *p->err = plain;
        ou_lex_error_pos(&p->lx, PARSE_SYNTAX, p->look.pos, "invalid syntax");
        found = *p->err;
        found.col = found.end_col = 0;
    }
    found.incomplete = plain.incomplete;
    p->lx = after;
    if (inside_fstring(d, look.start)) /* CPython reads no further from there */
        *p->err = found;
    else if (c->lexer_failed && beats_parser(&lexer_error))
        *p->err = lexer_error;
    else
        check_rest(p, &found, look.pos.line);
}

void ou_diagnose(Parser *p) {
    ParseError plain = *p->err;
    bool bad_token = p->bad_token;
    if (plain.kind != PARSE_SYNTAX || p->final) return;
    Diag d = {.p = p, .c_floor = ou_cstack_floor()};
    Context *c = ou_alloc0(p->arena->heap, sizeof *c);
    uint32_t cap = 0;
    if (c && read_line(&d, c, &cap))
        diagnose(&d, c, plain, bad_token);
    else
        *p->err = (ParseError){.kind = PARSE_MEMORY};
    ou_free(p->arena->heap, d.t, cap * sizeof *d.t);
    ou_free(p->arena->heap, c, sizeof *c);
}
