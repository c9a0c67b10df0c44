/* The parser's driver: takes tokens from the lexer, decides what needs more than one token of lookahead, and
 * feeds the grammar. Entry points: ou_parse, ou_parse_warn. Decided here: `match`, `case` and `type` are
 * keywords only where a statement of theirs begins; the parenthesis after `with` is LPARW if its closing
 * partner is followed by a colon. Tokens read ahead wait in a queue. */
#include "grammar/parse.h"

#include <string.h>

#include "grammar/grammar.h"
#include "grammar/build.h"

/* ---- the token queue ---- */

/* The i'th token after the current one; TOK_ERROR and END repeat. */
static const Tok *peek(Parser *p, uint32_t i) {
    while (p->queue_len <= p->queue_head + i) {
        if (p->queue_len > p->queue_head) {
            uint8_t last = p->queue[p->queue_len - 1].kind;
            if (last == TOK_ERROR || last == TK_END) return &p->queue[p->queue_len - 1];
        }
        if (p->queue_len == p->queue_cap) {
            uint32_t cap = p->queue_cap ? p->queue_cap * 2 : 64;
            Tok *q = ou_realloc(p->arena->heap, p->queue, p->queue_cap * sizeof *q, cap * sizeof *q);
            if (!q) {
                ou_build_no_memory(p);
                return NULL;
            }
            p->queue = q;
            p->queue_cap = cap;
        }
        ou_lex_next(&p->lx, &p->queue[p->queue_len++]);
    }
    return &p->queue[p->queue_head + i];
}

static void take(Parser *p, Tok *t) {
    if (p->queue_head == p->queue_len) {
        p->queue_head = p->queue_len = 0;
        ou_lex_next(&p->lx, t);
        return;
    }
    *t = p->queue[p->queue_head++];
}

/* ---- what needs lookahead ---- */

static bool text_is(const Parser *p, const Tok *t, const char *s, size_t n) {
    return t->end - t->start == n && !memcmp(p->lx.src + t->start, s, n);
}

static bool line_ends_in_colon(Parser *p) {
    for (uint32_t i = 0;; i++) {
        const Tok *t = peek(p, i);
        if (!t || t->kind == TOK_ERROR || t->kind == TK_END) return false;
        if (t->kind == TK_NEWLINE) return i && p->queue[p->queue_head + i - 1].kind == TK_COLON;
    }
}

/* Whether `match`, at the start of a line, begins a match statement. */
static bool begins_match(Parser *p) {
    const Tok *t = peek(p, 0);
    switch (t ? t->kind : TK_END) {
    case TK_NAME:
    case TK_NUMBER:
    case TK_STRING:
    case TK_FSTART:
    case TK_NONE:
    case TK_TRUE:
    case TK_FALSE:
    case TK_ELLIPSIS:
    case TK_LBRACE:
    case TK_TILDE:
    case TK_LAMBDA:
    case TK_AWAIT: return true;
    case TK_NOT: t = peek(p, 1); return t && t->kind != TK_IN;
    case TK_LPAR:
    case TK_LSQB:
    case TK_PLUS:
    case TK_MINUS:
    case TK_STAR: return line_ends_in_colon(p);
    default: return false;
    }
}

static int soft_keyword(Parser *p, const Tok *t) {
    const Tok *next;
    if (p->line_begin) {
        if (text_is(p, t, "match", 5) && begins_match(p)) {
            p->match_header = true;
            return TK_MATCH;
        }
        if (text_is(p, t, "case", 4) && p->match_block[p->indents]) return TK_CASE;
    }
    if (text_is(p, t, "type", 4) && (next = peek(p, 0)) && next->kind == TK_NAME) return TK_TYPE;
    return TK_NAME;
}

/* Whether the parenthesis after `with` closes right before a colon. */
static bool with_parens(Parser *p, const Tok *open) {
    for (uint32_t i = 0;; i++) {
        const Tok *t = peek(p, i);
        if (!t || t->kind == TOK_ERROR || t->kind == TK_END) return false;
        if (t->kind == TK_RPAR && t->level < open->level) {
            if (!i) return false; /* with (): an empty tuple, no items */
            t = peek(p, i + 1);
            return t && t->kind == TK_COLON;
        }
    }
}

static void resolve(Parser *p, Tok *t, int before) {
    switch (t->kind) {
    case TK_INDENT:
        p->match_block[++p->indents] = p->match_header;
        p->match_header = false;
        p->line_begin = p->stmt_begin = true;
        return;
    case TK_DEDENT:
        p->indents--;
        __attribute__((fallthrough));
    case TK_NEWLINE: p->line_begin = p->stmt_begin = true; return;
    case TK_NAME:
        if (p->stmt_begin) {
            if (p->line_begin) p->match_header = false;
            t->kind = (uint8_t)soft_keyword(p, t);
        }
        break;
    case TK_LPAR:
        if (before == TK_WITH && with_parens(p, t)) t->kind = TK_LPARW;
        break;
    default:
        if (p->line_begin) p->match_header = false;
    }
    p->line_begin = false;
    p->stmt_begin = t->kind == TK_SEMI || (t->kind == TK_COLON && !t->level);
}

/* ---- the loop ---- */

static void feed(Parser *p, void *grammar, int kind, Tok t) {
    p->look = t;
    ou_grammar(grammar, kind, t);
}

static void run(Parser *p, void *grammar) {
    static const int starts[] = {TK_START_FILE, TK_START_EVAL, TK_START_SINGLE};
    Tok t = {0};
    int before = 0;
    feed(p, grammar, starts[p->mode], t);
    while (!p->failed) {
        take(p, &t);
        if (t.kind == TOK_ERROR) {
            p->failed = p->lexer_failed = true;
            if (p->err->kind == PARSE_OK) *p->err = (ParseError){.kind = PARSE_MEMORY};
            if (p->err->incomplete && p->lx.level && !strcmp(p->err->msg, "unexpected EOF while parsing"))
                ou_lex_unclosed(&p->lx);
            return;
        }
        resolve(p, &t, before);
        if (p->failed) return;
        feed(p, grammar, t.kind, t);
        if (p->lx.err->kind == PARSE_WARNED) p->failed = true;
        if (t.kind == TK_END) break;
        before = t.kind;
        if (t.kind != TK_NEWLINE && t.kind != TK_INDENT && t.kind != TK_DEDENT) {
            p->end_line = t.pos.end_line;
            p->end_col = t.pos.end_col;
        }
    }
    if (!p->failed) ou_grammar(grammar, 0, t);
}

/* `if x: pass`, compiled as a single statement, lacks the newline that ends it: refuses it. */
static bool ends_in_clause(Lexer *lx, const AstMod *mod) {
    if (!lx->implied_newline || !lx->exact_end || !ou_build_is_compound(mod->Interactive.body.items[0]))
        return false;
    const uchar *s = lx->end - 1;
    uint32_t line = 1;
    while (s > lx->src && s[-1] != '\n') s--;
    if (*s == ' ' || *s == '\t' || *s == '\f' || *s == '#') return false; /* the end of an indented block */
    for (const uchar *q = lx->src; q < s; q++) line += *q == '\n';
    ou_lex_error(lx, PARSE_SYNTAX, line, s, s, NULL, "invalid syntax");
    lx->err->col = lx->err->end_col = 0;
    return true;
}

AstMod *ou_parse_warn(Arena *a, const char *src, size_t n, ParseMode mode, uint32_t flags, ParseWarnFn warn,
                      void *ud, ParseError *err) {
    *err = (ParseError){.kind = PARSE_OK};
    Heap *h = a->heap;
    Parser *p = ou_alloc0(h, sizeof *p);
    void *grammar = ou_alloc(h, ou_grammar_size());
    AstMod *mod = NULL;
    if (!p || !grammar) goto no_memory;
    p->arena = a;
    p->err = err;
    p->mode = mode;
    p->flags = flags;
    p->line_begin = p->stmt_begin = true;
    p->lx.arena = a;
    p->lx.err = err;
    p->lx.warn = warn;
    p->lx.warn_ud = ud;
    p->lx.exact_end = mode != PARSE_EXEC && !(flags & PARSE_DONT_IMPLY_DEDENT);
    p->lx.single = mode == PARSE_SINGLE && (flags & PARSE_DONT_IMPLY_DEDENT);
    if (ou_source_load(&p->lx, src, n, flags)) {
        ou_grammarInit(grammar, p);
        run(p, grammar);
        ou_grammarFinalize(grammar);
        if (p->failed && !p->lexer_failed) ou_diagnose(p);
        if (!p->failed && !a->failed) mod = p->mod;
        if (mod && p->lx.single && ou_build_is_compound(mod->Interactive.body.items[0]) &&
            !ou_lex_ends_in_empty_line(&p->lx)) {
            ou_lex_error_pos(&p->lx, PARSE_SYNTAX, p->look.pos, "incomplete input");
            err->incomplete = true;
            mod = NULL;
        }
        if (mod && mode == PARSE_SINGLE && ends_in_clause(&p->lx, mod)) mod = NULL;
        if (mod) mod->names = p->n_names;
        if (!mod && !n && err->kind == PARSE_SYNTAX) { /* no line at all */
            err->line = err->col = err->end_line = err->end_col = 0;
            err->text = "";
            err->text_len = 0;
            err->text_is_bare = true;
        }
    }
    ou_free(h, p->lx.text, p->lx.text_size);
    ou_free(h, p->items, p->cap_items * sizeof *p->items);
    ou_free(h, p->names, p->cap_names * sizeof *p->names);
    ou_free(h, p->queue, p->queue_cap * sizeof *p->queue);
no_memory:
    if (!mod && err->kind == PARSE_OK) err->kind = PARSE_MEMORY;
    ou_free(h, grammar, ou_grammar_size());
    ou_free(h, p, sizeof *p);
    return mod;
}

AstMod *ou_parse(Arena *a, const char *src, size_t n, ParseMode mode, uint32_t flags, ParseError *err) {
    return ou_parse_warn(a, src, n, mode, flags, NULL, NULL, err);
}
