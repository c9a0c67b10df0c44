/* The lexer around the scanner: indentation, brackets, strings, f-string nesting, and what may follow a
 * number. Entry points: ou_lex_next, ou_lex_error. It decides nothing that needs the grammar; soft keywords
 * and the parentheses of `with` are parse.c's. Messages and columns are CPython's: an error's column is that
 * of the last character read. */
#include "grammar/lexer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "grammar/grammar.h"
#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"

/* ---- errors ---- */

static int chars(const uchar *from, const uchar *to) {
    int n = 0;
    for (; from < to; from++) n += (*from & 0xC0) != 0x80;
    return n;
}

static void error_text(Lexer *lx, const uchar *line_start) {
    const uchar *e = line_start;
    while (e < lx->end && *e != '\n') e++;
    size_t n = (size_t)(e - line_start);
    if (n > 1000 && n > (size_t)lx->err->col + 200) n = (size_t)lx->err->col + 200;
    while (n && (line_start[n] & 0xC0) == 0x80) n--;
    lx->err->text = ou_arena_copy(lx->arena, (const char *)line_start, n);
    lx->err->text_len = lx->err->text ? n : 0;
    lx->err->text_is_bare = lx->implied_newline && lx->exact_end && e + 1 >= lx->end;
}

static void format_message(ParseError *err, const char *fmt, va_list ap) {
    int n = vsnprintf(err->msg, sizeof err->msg, fmt, ap);
    if (n >= (int)sizeof err->msg) {
        n = sizeof err->msg - 1;
        while (n && ((uchar)err->msg[n - 1] & 0xC0) == 0x80) n--;
        if (n && (uchar)err->msg[n - 1] >= 0xC0) n--;
        err->msg[n] = 0;
    }
}

bool ou_lex_error(Lexer *lx, int kind, uint32_t line, const uchar *line_start, const uchar *at,
                  const uchar *to, const char *fmt, ...) {
    ParseError *err = lx->err;
    va_list ap;
    va_start(ap, fmt);
    format_message(err, fmt, ap);
    va_end(ap);
    err->kind = (uint8_t)kind;
    err->incomplete = false;
    err->line = err->end_line = (int)line;
    err->col = chars(line_start, at) + 1;
    err->end_col = to ? chars(line_start, to) + 1 : -1;
    error_text(lx, line_start);
    return false;
}

const uchar *ou_lex_line(const Lexer *lx, uint32_t line) {
    const uchar *p = lx->src;
    while (--line && p < lx->end) {
        const uchar *q = memchr(p, '\n', (size_t)(lx->end - p));
        p = q ? q + 1 : lx->end;
    }
    return p;
}

bool ou_lex_error_pos(Lexer *lx, int kind, AstPos pos, const char *fmt, ...) {
    ParseError *err = lx->err;
    va_list ap;
    va_start(ap, fmt);
    format_message(err, fmt, ap);
    va_end(ap);
    err->kind = (uint8_t)kind;
    err->incomplete = false;
    const uchar *s = ou_lex_line(lx, pos.line), *e = ou_lex_line(lx, pos.end_line);
    err->line = (int)pos.line;
    err->end_line = (int)pos.end_line;
    err->col = chars(s, s + pos.col) + 1;
    if (e != s) { /* CPython counts the end's columns in the first line */
        const uchar *eol = s;
        while (eol < lx->end && *eol != '\n') eol++;
        if (pos.end_col > (size_t)(eol - s)) pos.end_col = (uint32_t)(eol - s);
    }
    err->end_col = chars(s, s + pos.end_col) + 1;
    error_text(lx, s);
    return false;
}

void ou_lex_no_memory(Lexer *lx) {
    if (lx->err->kind == PARSE_OK) *lx->err = (ParseError){.kind = PARSE_MEMORY};
}

bool ou_lex_warn(Lexer *lx, ParseWarning kind, uint32_t line, const uchar *line_start, const uchar *at,
                 const uchar *to, const char *msg) {
    int col = chars(line_start, at) + 1, end_col = chars(line_start, to) + 1;
    if (!lx->warn || lx->warn(lx->warn_ud, kind, msg, (int)line, col, (int)line, end_col)) return true;
    ou_lex_error(lx, PARSE_WARNED, line, line_start, at, to, "%s", msg);
    return false;
}

/* Fails with the column of the character before `upto`, as CPython's tokenizer does; end column as CPython's,
 * too. */
#define FAIL_AT(lx, t, upto, ...)                                                            \
    do {                                                                                     \
        const uchar *at_ = (upto);                                                           \
        while (at_ > (lx)->line_start && ((at_[-1] & 0xC0) == 0x80)) at_--;                  \
        if (at_ > (lx)->line_start) at_--;                                                   \
        ou_lex_error(lx, PARSE_SYNTAX, (lx)->line, (lx)->line_start, at_, at_, __VA_ARGS__); \
        (t)->kind = TOK_ERROR;                                                               \
        return;                                                                              \
    } while (0)

static void finish(Lexer *lx, Tok *t, int kind, const uchar *start) {
    t->kind = (uint8_t)kind;
    t->level = lx->level;
    t->start = (uint32_t)(start - lx->src);
    t->end = (uint32_t)(lx->cur - lx->src);
    t->pos = (AstPos){lx->line, (uint32_t)(start - lx->line_start), lx->line,
                      (uint32_t)(lx->cur - lx->line_start)};
    lx->last = (uint8_t)kind;
}

/* ---- indentation ---- */

static void fail_indent(Lexer *lx, Tok *t, int kind, const uchar *at, const char *msg) {
    ou_lex_error(lx, kind, lx->line, lx->line_start, at, NULL, "%s", msg);
    t->kind = TOK_ERROR;
}

/* "'(' was never closed", of the innermost bracket that is open now. */
void ou_lex_unclosed(Lexer *lx) {
    uint32_t line = lx->brackets[lx->level - 1].line, col = lx->brackets[lx->level - 1].col;
    const uchar *s = ou_lex_line(lx, line);
    ou_lex_error(lx, PARSE_SYNTAX, line, s, s + col, NULL, "'%c' was never closed",
                 lx->brackets[lx->level - 1].open);
    lx->err->end_col = 0;
    lx->err->incomplete = true;
}

/* A backslash at lx->cur joins lines: moves to the next line, or fails. */
static bool join_line(Lexer *lx, Tok *t) {
    const uchar *p = lx->cur + 1;
    if (*p != '\n') {
        ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, p, NULL,
                     "unexpected character after line continuation character");
        lx->err->end_col = 0;
        t->kind = TOK_ERROR;
        return false;
    }
    if (p + 1 >= lx->end) {
        if (lx->implied_newline && lx->exact_end) {
            ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, lx->cur, NULL,
                         "unexpected character after line continuation character");
            lx->err->end_col = 0;
            t->kind = TOK_ERROR;
            return false;
        }
        ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, p, NULL, "unexpected EOF while parsing");
        lx->err->incomplete = true;
        t->kind = TOK_ERROR;
        return false;
    }
    lx->cur = p + 1;
    lx->line++;
    lx->line_start = lx->cur;
    return true;
}

bool ou_lex_ends_in_empty_line(const Lexer *lx) {
    const uchar *e = lx->end;
    if (!lx->implied_newline || e == lx->src) return true;
    for (e--; e > lx->src && (e[-1] == ' ' || e[-1] == '\t' || e[-1] == '\f');) e--;
    return e == lx->src || e[-1] == '\n';
}

/* At the start of a logical line: skips blank lines, compares the indentation and sets lx->pending. */
static bool indentation(Lexer *lx, Tok *t) {
    uint32_t col, alt, joined_col, joined_alt;
    for (;;) {
        col = alt = joined_col = joined_alt = 0;
        for (;;) {
            uchar c = *lx->cur;
            if (c == ' ')
                col++, alt++;
            else if (c == '\t')
                col = (col / 8 + 1) * 8, alt++;
            else if (c == '\f')
                col = alt = 0;
            else if (c == '\\') {
                joined_col = joined_col ? joined_col : col;
                joined_alt = joined_alt ? joined_alt : alt;
                if (!join_line(lx, t)) return false;
                continue;
            } else
                break;
            lx->cur++;
        }
        if (*lx->cur == '#')
            while (*lx->cur != '\n' && *lx->cur) lx->cur++;
        if (*lx->cur == '\n') {
            lx->cur++;
            lx->line++;
            lx->line_start = lx->cur;
            continue;
        }
        break;
    }
    if (joined_col) col = joined_col, alt = joined_alt;
    if (lx->cur >= lx->end) {
        if (lx->single && lx->indents && !ou_lex_ends_in_empty_line(lx)) {
            fail_indent(lx, t, PARSE_SYNTAX, lx->cur, "incomplete input");
            lx->err->incomplete = true;
            return false;
        }
        col = alt = 0;
    }
    uint32_t top = lx->indents ? lx->indent_col[lx->indents - 1] : 0;
    uint32_t top_alt = lx->indents ? lx->indent_alt[lx->indents - 1] : 0;
    static const char mixed[] = "inconsistent use of tabs and spaces in indentation";
    if (col == top) {
        if (alt != top_alt) goto tabs;
    } else if (col > top) {
        if (alt <= top_alt) goto tabs;
        if (lx->indents + 1 >= LEX_MAX_INDENT) {
            fail_indent(lx, t, PARSE_INDENTATION, lx->cur, "too many levels of indentation");
            return false;
        }
        lx->indent_col[lx->indents] = col;
        lx->indent_alt[lx->indents++] = alt;
        lx->pending = 1;
    } else {
        while (lx->indents && col < lx->indent_col[lx->indents - 1]) {
            lx->indents--;
            lx->pending--;
        }
        top = lx->indents ? lx->indent_col[lx->indents - 1] : 0;
        top_alt = lx->indents ? lx->indent_alt[lx->indents - 1] : 0;
        if (col != top) {
            const uchar *e = lx->cur;
            while (*e != '\n' && *e) e++;
            fail_indent(lx, t, PARSE_INDENTATION, e, "unindent does not match any outer indentation level");
            return false;
        }
        if (alt != top_alt) goto tabs;
    }
    return true;
tabs:
    fail_indent(lx, t, PARSE_TAB, lx->line_start, mixed);
    lx->err->end_col = 0;
    return false;
}

/* ---- names and numbers ---- */

static bool is_name_char(uchar c) {
    return c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c >= 128;
}

/* A name with bytes above 127: takes all of it, or fails at the first character that no name may have. */
static void lex_unicode_name(Lexer *lx, Tok *t, const uchar *start) {
    const uchar *e = start;
    while (is_name_char(*e)) e++;
    for (const uchar *p = start; p < e;) {
        uint32_t c;
        const char *q = (const char *)p;
        c = utf8_next(&q);
        const uchar *next = (const uchar *)q;
        if (p == start ? !ou_uni_is_id_start(c) : !ou_uni_is_id_continue(c)) {
            lx->cur = next;
            if (ou_uni_is_printable(c))
                FAIL_AT(lx, t, next, "invalid character '%.*s' (U+%04X)", (int)(next - p), (const char *)p,
                        c);
            FAIL_AT(lx, t, next, "invalid non-printable character U+%04X", c);
        }
        p = next;
    }
    lx->cur = e;
    finish(lx, t, TK_NAME, start);
    t->non_ascii = true;
}

/* Digits with underscores between them, from *p: true when well-formed, *p behind them; false at a lone
 * underscore. */
static bool digit_run(const uchar **p, const char *set) {
    for (;;) {
        if (!**p || !strchr(set, **p)) return true;
        while (**p && strchr(set, **p)) ++*p;
        if (**p != '_') return true;
        ++*p;
        if (!**p || !strchr(set, **p)) return false;
    }
}

/* Nothing that could belong to a name may follow a number, but for a keyword (warned about). */
static bool after_number(Lexer *lx, Tok *t, const uchar *start, const uchar *p, const char *kind) {
    static const char *const keywords[] = {"and", "else", "for", "if", "in", "is", "not", "or"};
    bool keyword = false;
    for (int i = 0; i < 8 && !keyword; i++) {
        size_t n = strlen(keywords[i]);
        keyword = !strncmp((const char *)p, keywords[i], i == 4 || i == 5 || i == 3 || i == 7 ? 2 : n);
    }
    char msg[64];
    snprintf(msg, sizeof msg, "invalid %s literal", kind);
    if (keyword) {
        if (ou_lex_warn(lx, PARSE_WARN_SYNTAX, lx->line, lx->line_start, start, p, msg)) {
            lx->cur = p;
            finish(lx, t, TK_NUMBER, start);
        } else
            t->kind = TOK_ERROR;
        return true;
    }
    if (is_name_char(*p)) {
        if (*p >= 128) { /* a wrong character is told about first */
            uint32_t c;
            const char *q = (const char *)p;
            c = utf8_next(&q);
            if (!ou_uni_is_id_continue(c)) {
                lex_unicode_name(lx, t, p);
                return true;
            }
        }
        const uchar *at = p > lx->line_start ? p - 1 : p;
        ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, at, at, "%s", msg);
        t->kind = TOK_ERROR;
        return true;
    }
    lx->cur = p;
    finish(lx, t, TK_NUMBER, start);
    return true;
}

/* The slow way through a number, taken when something odd follows the scanner's match: finds the error. */
static void lex_number_slowly(Lexer *lx, Tok *t, const uchar *start) {
    static const char dec[] = "0123456789";
    const uchar *p = start;
    if (*p == '0' && (p[1] | 32) >= 'b' && ((p[1] | 32) == 'x' || (p[1] | 32) == 'o' || (p[1] | 32) == 'b')) {
        bool hex = (p[1] | 32) == 'x', oct = (p[1] | 32) == 'o';
        const char *set = hex ? "0123456789abcdefABCDEF" : oct ? "01234567" : "01";
        const char *kind = hex ? "hexadecimal" : oct ? "octal" : "binary";
        p += 2;
        do {
            if (*p == '_') p++;
            if (!*p || !strchr(set, *p)) {
                if (*p >= '0' && *p <= '9')
                    FAIL_AT(lx, t, p + 1, "invalid digit '%c' in %s literal", *p, kind);
                FAIL_AT(lx, t, p, "invalid %s literal", kind);
            }
            while (*p && strchr(set, *p)) p++;
        } while (*p == '_');
        if (*p >= '0' && *p <= '9') FAIL_AT(lx, t, p + 1, "invalid digit '%c' in %s literal", *p, kind);
        after_number(lx, t, start, p, kind);
        return;
    }
    bool zeros = false;
    if (*p == '0') {
        while (*p == '0' || (*p == '_' && p[1] == '0')) p++;
        if (*p == '_') {
            if (!(p[1] >= '0' && p[1] <= '9')) FAIL_AT(lx, t, p + 1, "invalid decimal literal");
            p++;
        }
        const uchar *zeros_end = p;
        if (!digit_run(&p, dec)) FAIL_AT(lx, t, p, "invalid decimal literal");
        zeros = p > zeros_end;
        if (zeros && *p != '.' && (*p | 32) != 'e' && (*p | 32) != 'j') {
            ou_lex_error(
                lx, PARSE_SYNTAX, lx->line, lx->line_start, start, zeros_end,
                "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal "
                "integers");
            t->kind = TOK_ERROR;
            return;
        }
    } else if (!digit_run(&p, dec))
        FAIL_AT(lx, t, p, "invalid decimal literal");
    if (*p == '.') {
        p++;
        if (!digit_run(&p, dec)) FAIL_AT(lx, t, p, "invalid decimal literal");
    }
    if ((*p | 32) == 'e') {
        const uchar *e = p++;
        if (*p == '+' || *p == '-') {
            p++;
            if (!(*p >= '0' && *p <= '9')) FAIL_AT(lx, t, p, "invalid decimal literal");
        } else if (!(*p >= '0' && *p <= '9')) {
            after_number(lx, t, start, e, "decimal");
            return;
        }
        if (!digit_run(&p, dec)) FAIL_AT(lx, t, p, "invalid decimal literal");
    }
    if ((*p | 32) == 'j') {
        p++;
        after_number(lx, t, start, p, "imaginary");
        return;
    }
    after_number(lx, t, start, p, "decimal");
}

static void lex_number(Lexer *lx, Tok *t, const uchar *start) {
    const uchar *e = lx->cur;
    bool octal_like = *start == '0' && e - start > 1 && start[1] != '.' &&
                      !((start[1] | 32) >= 'b' && (start[1] | 32) <= 'x');
    if (is_name_char(*e) || octal_like)
        lex_number_slowly(lx, t, start);
    else
        finish(lx, t, TK_NUMBER, start);
}

/* ---- strings ---- */

static uint8_t string_prefix(const uchar **p) {
    uint8_t flags = 0;
    for (;; ++*p) switch (**p | 32) {
        case 'r': flags |= STR_RAW; break;
        case 'b': flags |= STR_BYTES; break;
        case 'f': flags |= STR_FORMAT; break;
        case 'u': flags |= STR_UNICODE; break;
        default:
            if (**p == '"') flags |= STR_DOUBLE;
            if ((*p)[1] == **p && (*p)[2] == **p) flags |= STR_TRIPLE;
            return flags;
        }
}

static void unterminated(Lexer *lx, Tok *t, const uchar *start, const Lexer *at_start, uint8_t prefix,
                         bool escaped) {
    uint32_t now = lx->line;
    if (lx->fstrings) { /* in f'{...', a quote like the f-string's own means that the brace is missing */
        const LexFString *f = &lx->fstack[lx->fstrings - 1];
        if (((f->prefix ^ prefix) & (STR_TRIPLE | STR_DOUBLE)) == 0) {
            const uchar *q = start;
            while (*q != '\'' && *q != '"') q++;
            ou_lex_error(lx, PARSE_SYNTAX, at_start->line, at_start->line_start, q, q,
                         "f-string: expecting '}'");
            t->kind = TOK_ERROR;
            return;
        }
    }
    if (prefix & STR_TRIPLE) {
        if (lx->implied_newline || now > 1) now--;
        ou_lex_error(lx, PARSE_SYNTAX, at_start->line, at_start->line_start, start, start,
                     "unterminated triple-quoted string literal (detected at line %u)", (unsigned)now);
        lx->err->incomplete = true;
    } else
        ou_lex_error(lx, PARSE_SYNTAX, at_start->line, at_start->line_start, start, start,
                     "unterminated string literal (detected at line %u)%s", (unsigned)now,
                     escaped ? "; perhaps you escaped the end quote?" : "");
    t->kind = TOK_ERROR;
}

/* The line and line start of a token's first character, for tokens that go over several lines. */
static void lex_string(Lexer *lx, Tok *t, const uchar *start) {
    const uchar *p = start;
    uint8_t flags = string_prefix(&p);
    uchar quote = *p;
    if (flags & STR_FORMAT) {
        if (!lx->fstack) {
            lx->fstack = ou_arena_alloc(lx->arena, sizeof(LexFString) * LEX_MAX_FSTRINGS);
            if (!lx->fstack) {
                ou_lex_no_memory(lx);
                t->kind = TOK_ERROR;
                return;
            }
        }
        lx->cur = p + (flags & STR_TRIPLE ? 3 : 1);
        if (lx->fstrings + 1 >= LEX_MAX_FSTRINGS) FAIL_AT(lx, t, lx->cur, "too many nested f-strings");
        LexFString *f = &lx->fstack[lx->fstrings++];
        *f = (LexFString){.start = (uint32_t)(start - lx->src),
                          .line = lx->line,
                          .line_start = (uint32_t)(lx->line_start - lx->src),
                          .prefix = flags};
        finish(lx, t, TK_FSTART, start);
        t->prefix = flags;
        return;
    }
    Lexer at_start = {.line = lx->line, .line_start = lx->line_start};
    bool escaped_quote = false;
    if (flags & STR_TRIPLE) {
        for (p += 3;; p++) {
            if (*p == quote && p[1] == quote && p[2] == quote) break;
            if (*p == '\\') {
                flags |= STR_ESCAPES;
                p++;
            }
            if (*p == '\n') {
                lx->line++;
                lx->line_start = p + 1;
            } else if (p >= lx->end) {
                unterminated(lx, t, start, &at_start, flags, false);
                return;
            }
        }
        p += 3;
    } else {
        for (p++; *p != quote; p++) {
            if (*p == '\\') {
                flags |= STR_ESCAPES;
                p++;
                escaped_quote |= *p == quote;
                if (*p == '\n') {
                    lx->line++;
                    lx->line_start = p + 1;
                    if (p + 1 >= lx->end) {
                        lx->line--;
                        unterminated(lx, t, start, &at_start, flags, escaped_quote);
                        lx->err->incomplete = true;
                        return;
                    }
                }
            } else if (*p == '\n' || p >= lx->end) {
                unterminated(lx, t, start, &at_start, flags, escaped_quote);
                return;
            }
        }
        p++;
    }
    lx->cur = p;
    finish(lx, t, TK_STRING, start);
    t->pos.line = at_start.line;
    t->pos.col = (uint32_t)(start - at_start.line_start);
    t->prefix = flags;
}

static bool open_bracket(Lexer *lx, Tok *t, const uchar *at) {
    if (lx->level >= LEX_MAX_BRACKETS) {
        const uchar *a = at;
        ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, a, a, "too many nested parentheses");
        t->kind = TOK_ERROR;
        return false;
    }
    lx->brackets[lx->level].open = *at;
    lx->brackets[lx->level].line = lx->line;
    lx->brackets[lx->level].col = (uint32_t)(at - lx->line_start);
    lx->level++;
    return true;
}

/* Literal text of an f-string up to its next field or its end. */
static void lex_fstring_text(Lexer *lx, Tok *t) {
    LexFString *f = &lx->fstack[lx->fstrings - 1];
    uchar quote = f->prefix & STR_DOUBLE ? '"' : '\'';
    bool triple = f->prefix & STR_TRIPLE, raw = f->prefix & STR_RAW, spec = f->fields > 0, named = false;
    const uchar *start = lx->cur, *p = start;
    AstPos begin = {.line = lx->line, .col = (uint32_t)(start - lx->line_start)};
    uint8_t flags = f->prefix & (STR_RAW | STR_TRIPLE);
    for (;; p++) {
        uchar c = *p;
        if (c == quote && (!triple || (p[1] == quote && p[2] == quote))) break;
        if (c == '\n' && !triple && spec) {
            f->in_field = true; /* the spec ends here; a closing brace must follow */
            break;
        }
        if (p >= lx->end || (c == '\n' && !triple)) {
            uint32_t now = lx->line;
            if (p >= lx->end && now > 1) now--;
            const uchar *fs = lx->src + f->start;
            ou_lex_error(lx, PARSE_SYNTAX, f->line, lx->src + f->line_start, fs, fs,
                         triple ? "unterminated triple-quoted f-string literal (detected at line %u)"
                                : "unterminated f-string literal (detected at line %u)",
                         (unsigned)now);
            lx->err->incomplete = triple;
            t->kind = TOK_ERROR;
            return;
        }
        if (c == '\n') {
            lx->line++;
            lx->line_start = p + 1;
        } else if (c == '{') {
            if (named) continue;
            if (p[1] != '{' || spec) break;
            flags |= STR_DOUBLE;
            p++;
        } else if (c == '}') {
            if (named) {
                named = false;
                continue;
            }
            if (spec) {
                f->in_field = true;
                break;
            }
            if (p[1] != '}') FAIL_AT(lx, t, p + 1, "f-string: single '}' is not allowed");
            flags |= STR_DOUBLE;
            p++;
        } else if (c == '\\') {
            flags |= STR_ESCAPES;
            uchar next = p[1];
            if (next == '{' || next == '}') {
                if (!raw) {
                    char msg[48];
                    snprintf(msg, sizeof msg, "invalid escape sequence '\\%c'", next);
                    if (!ou_lex_warn(lx, PARSE_WARN_SYNTAX, lx->line, lx->line_start, p, p + 2, msg)) {
                        t->kind = TOK_ERROR;
                        return;
                    }
                }
                continue;
            }
            if (p + 1 >= lx->end) continue;
            p++;
            if (next == 'N' && !raw && p[1] == '{') {
                named = true;
                p++;
            } else if (next == '\n') {
                lx->line++;
                lx->line_start = p + 1;
            }
        }
    }
    lx->cur = p;
    if (p > start) {
        finish(lx, t, TK_FMIDDLE, start);
        t->pos.line = begin.line;
        t->pos.col = begin.col;
        t->prefix = flags;
        return;
    }
    if (f->in_field) { /* nothing before the closing brace or newline of a format spec */
        ou_lex_next(lx, t);
        return;
    }
    if (*p == '{') {
        if (f->fields >= LEX_MAX_FIELDS) FAIL_AT(lx, t, p, "f-string: expressions nested too deeply");
        if (!open_bracket(lx, t, p)) return;
        f->levels[f->fields++] = lx->level;
        f->in_field = true;
        lx->cur = p + 1;
        finish(lx, t, TK_FLBRACE, p);
        return;
    }
    lx->cur = p + (triple ? 3 : 1);
    /* An unfinished field takes its bracket along. */
    while (f->fields) lx->level = f->levels[--f->fields] - 1;
    lx->fstrings--;
    finish(lx, t, TK_FEND, p);
}

/* ---- tokens ---- */

static bool close_bracket(Lexer *lx, Tok *t, const uchar *at) {
    uchar c = *at;
    LexFString *f = lx->fstrings ? &lx->fstack[lx->fstrings - 1] : NULL;
    if (!lx->level) {
        ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, at, at, "unmatched '%c'", c);
        t->kind = TOK_ERROR;
        return false;
    }
    lx->level--;
    uchar open = lx->brackets[lx->level].open;
    uint32_t line = lx->brackets[lx->level].line;
    if (c == (open == '(' ? ')' : open + 2)) return true;
    if (f && f->fields && f->levels[f->fields - 1] == lx->level + 1)
        ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, at, at, "f-string: unmatched '%c'", c);
    else if (line != lx->line)
        ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, at, at,
                     "closing parenthesis '%c' does not match opening parenthesis '%c' on line %u", c, open,
                     (unsigned)line);
    else
        ou_lex_error(lx, PARSE_SYNTAX, lx->line, lx->line_start, at, at,
                     "closing parenthesis '%c' does not match opening parenthesis '%c'", c, open);
    t->kind = TOK_ERROR;
    return false;
}

/* The operators that mean something else at the top level of an f-string's field. */
static int field_operator(Lexer *lx, LexFString *f, const uchar *start, int kind) {
    switch (kind) {
    case TK_COLON:
    case TK_WALRUS:
        lx->cur = start + 1;
        f->in_field = false;
        return TK_FCOLON;
    case TK_BADCHAR: return *start == '!' ? TK_FBANG : kind;
    default: return kind;
    }
}

void ou_lex_next(Lexer *lx, Tok *t) {
    t->non_ascii = false;
    t->prefix = 0;
    LexFString *f = lx->fstrings ? &lx->fstack[lx->fstrings - 1] : NULL;
    if (f && !f->in_field) {
        lex_fstring_text(lx, t);
        return;
    }
    if (lx->at_line_start) {
        lx->at_line_start = false;
        if (!indentation(lx, t)) return;
    }
    if (lx->pending) {
        int kind = lx->pending > 0 ? TK_INDENT : TK_DEDENT;
        lx->pending += lx->pending > 0 ? -1 : 1;
        finish(lx, t, kind, lx->cur);
        return;
    }
    for (;;) {
        while (*lx->cur == ' ' || *lx->cur == '\t' || *lx->cur == '\f') lx->cur++;
        const uchar *start = lx->cur;
        int kind = ou_lex_scan(&lx->cur);
        switch (kind) {
        case SCAN_COMMENT: continue;
        case SCAN_NEWLINE:
            if (lx->level) {
                lx->line++;
                lx->line_start = lx->cur;
                continue;
            }
            finish(lx, t, TK_NEWLINE, start);
            lx->line++;
            lx->line_start = lx->cur;
            lx->at_line_start = true;
            return;
        case SCAN_BACKSLASH:
            lx->cur = start;
            if (!join_line(lx, t)) return;
            continue;
        case SCAN_END:
            lx->cur = start;
            finish(lx, t, TK_END, start);
            return;
        case SCAN_STRING: lex_string(lx, t, start); return;
        case SCAN_NUMBER: lex_number(lx, t, start); return;
        case SCAN_UNICODE: lex_unicode_name(lx, t, start); return;
        case SCAN_OTHER:
            if (*start < 32 || *start == 127)
                FAIL_AT(lx, t, start + 1, "invalid non-printable character U+%04X", *start);
            kind = TK_BADCHAR;
            break;
        case TK_LPAR:
        case TK_LSQB:
        case TK_LBRACE:
            if (!open_bracket(lx, t, start)) return;
            break;
        case TK_RPAR:
        case TK_RSQB:
        case TK_RBRACE:
            if (!close_bracket(lx, t, start)) return;
            if (f && kind == TK_RBRACE && f->fields && f->levels[f->fields - 1] == lx->level + 1) {
                kind = TK_FRBRACE;
                f->fields--;
                f->in_field = false;
            }
            break;
        default:
            if (f && f->fields && f->levels[f->fields - 1] == lx->level)
                kind = field_operator(lx, f, start, kind);
        }
        finish(lx, t, kind, start);
        return;
    }
}
