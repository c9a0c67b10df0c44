/* Literals: numbers, strings with their escapes, f-strings with their fields, adjacent literals.
 * Entry points: ou_build_number, ou_build_string, ou_build_field, ou_build_strings. The parts of one literal
 * lie on the item stack as Constant and FormattedValue nodes (or one JoinedStr per f-string) until they are
 * joined. */
#include "grammar/build.h"

#include <stdio.h>
#include <string.h>

#include "runtime/base/numtext.h"
#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"

/* ---- numbers ---- */

enum { MAX_INT_DIGITS = 4300 }; /* sys.set_int_max_str_digits' default */

Ex ou_build_number(Parser *p, Tok t) {
    Ex r = ou_build_constant(p, t, CONST_INT);
    if (p->failed) return r;
    AstConst *c = &r.e->Constant.value;
    const char *s = (const char *)p->lx.src + t.start;
    size_t n = t.end - t.start, len = 0;
    c->base = 10;
    if (n > 2 && s[0] == '0') {
        char kind = s[1] | 32;
        c->base = kind == 'x' ? 16 : kind == 'o' ? 8 : kind == 'b' ? 2 : 10;
    }
    if (c->base != 10) {
        s += 2;
        n -= 2;
    }
    char *text = ou_build_alloc(p, n + 1);
    if (!text) return r;
    bool real = false;
    for (size_t i = 0; i < n; i++) {
        char ch = s[i];
        if (ch == '_') continue;
        text[len++] = ch;
        real |= ch == '.' || (c->base == 10 && (ch | 32) == 'e');
    }
    bool imag = c->base == 10 && (text[len - 1] | 32) == 'j';
    if (imag) text[--len] = 0;
    if (imag || real) {
        c->kind = imag ? CONST_IMAG : CONST_FLOAT;
        ou_double_parse(text, len, &c->num);
        return r;
    }
    text[len] = 0;
    c->text = text;
    c->len = len;
    if (c->base == 10 && len > MAX_INT_DIGITS)
        ou_build_fail(
            p, PARSE_SYNTAX, t.pos,
            "Exceeds the limit (%d digits) for integer string conversion: value has %d digits; use "
            "sys.set_int_max_str_digits() to increase the limit - Consider hexadecimal for huge integer "
            "literals to avoid decimal conversion limits.",
            MAX_INT_DIGITS, (int)len);
    return r;
}

/* ---- escapes ---- */

typedef struct Decoder {
    Parser *p;
    Tok tok; /* blamed for errors and warnings */
    bool in_fstring;
    const uchar *start; /* of the contents */
    bool warned;
} Decoder;

/* Positions in messages count as CPython's decoder sees the text: 10 for every non-ASCII character. */
static int codec_position(const Decoder *d, const uchar *at) {
    int n = 0;
    for (const uchar *q = d->start; q < at; q++) n += *q < 0x80 ? 1 : *q >= 0xC0 ? 10 : 0;
    return n;
}

static bool bad_escape(Decoder *d, const uchar *from, const uchar *to, const char *why) {
    AstPos pos = d->in_fstring ? d->p->look.pos : d->tok.pos;
    ou_build_fail(d->p, PARSE_SYNTAX, pos,
                  "(unicode error) 'unicodeescape' codec can't decode bytes in position %d-%d: %s",
                  codec_position(d, from), codec_position(d, to) - 1, why);
    return false;
}

static bool warn_escape(Decoder *d, const char *msg) {
    Parser *p = d->p;
    if (d->warned || !p->lx.warn) return true;
    d->warned = true;
    const uchar *line = ou_lex_line(&p->lx, d->tok.pos.line);
    const uchar *at = p->lx.src + d->tok.start;
    if (ou_lex_warn(&p->lx, PARSE_WARN_SYNTAX, d->tok.pos.line, line, at, at, msg)) return true;
    p->failed = true;
    return false;
}

static int hex_value(uchar c) {
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

/* \N{...}, \xXX, \uXXXX, \UXXXXXXXX; *ps stands behind the letter, [from] at the backslash. */
static bool wide_escape(Decoder *d, const uchar *from, const uchar **ps, const uchar *e, uint32_t *out) {
    const uchar *s = *ps;
    uchar kind = s[-1];
    if (kind == 'N') {
        if (s >= e || *s != '{') return bad_escape(d, from, s, "malformed \\N character escape");
        const uchar *close = ++s;
        while (close < e && *close != '}') close++;
        if (close >= e || close == s) return bad_escape(d, from, close, "malformed \\N character escape");
        uint32_t c[4];
        if (ou_uni_lookup((const char *)s, (size_t)(close - s), c) != 1)
            return bad_escape(d, from, close + 1, "unknown Unicode character name");
        *out = c[0];
        *ps = close + 1;
        return true;
    }
    int want = kind == 'x' ? 2 : kind == 'u' ? 4 : 8;
    uint32_t c = 0;
    for (int i = 0; i < want; i++, s++) {
        int h = s < e ? hex_value(*s) : -1;
        if (h < 0)
            return bad_escape(d, from, s,
                              kind == 'x'   ? "truncated \\xXX escape"
                              : kind == 'u' ? "truncated \\uXXXX escape"
                                            : "truncated \\UXXXXXXXX escape");
        c = c << 4 | (uint32_t)h;
    }
    if (c > 0x10FFFF) return bad_escape(d, from, s, "illegal Unicode character");
    *out = c;
    *ps = s;
    return true;
}

/* Decodes [s, e) into [o]; the result is never longer than the source. Returns its end, or NULL. */
static char *decode_escapes(Decoder *d, const uchar *s, const uchar *e, char *o, bool bytes) {
    static const char simple[] = "\\'\"abfnrtv", values[] = "\\'\"\a\b\f\n\r\t\v";
    while (s < e) {
        if (*s != '\\') {
            *o++ = (char)*s++;
            continue;
        }
        const uchar *from = s++;
        uchar c = s < e ? *s++ : '\\';
        const char *known = c ? strchr(simple, c) : NULL;
        if (c == '\n') continue;
        if (known)
            *o++ = values[known - simple];
        else if (c >= '0' && c <= '7') {
            uint32_t v = (uint32_t)(c - '0');
            for (int i = 0; i < 2 && s < e && *s >= '0' && *s <= '7'; i++) v = v * 8 + (uint32_t)(*s++ - '0');
            if (v > 0377) {
                char msg[64];
                snprintf(msg, sizeof msg, "invalid octal escape sequence '%.4s'", (const char *)from);
                if (!warn_escape(d, msg)) return NULL;
            }
            if (bytes)
                *o++ = (char)v;
            else
                o += utf8_put(o, v);
        } else if (c == 'x' && bytes) {
            if (e - s < 2 || hex_value(s[0]) < 0 || hex_value(s[1]) < 0) {
                ou_build_fail(d->p, PARSE_SYNTAX, d->tok.pos,
                              "(value error) invalid \\x escape at position %d", (int)(from - d->start));
                return NULL;
            }
            *o++ = (char)(hex_value(s[0]) << 4 | hex_value(s[1]));
            s += 2;
        } else if ((c == 'x' || c == 'u' || c == 'U' || c == 'N') && !bytes) {
            uint32_t v = 0;
            if (!wide_escape(d, from, &s, e, &v)) return NULL;
            o += utf8_put(o, v);
        } else {
            if (c < 0x80) {
                char msg[64];
                snprintf(msg, sizeof msg, "invalid escape sequence '\\%c'", c);
                if (!(d->in_fstring && (c == '{' || c == '}')) && !warn_escape(d, msg)) return NULL;
            }
            *o++ = '\\';
            *o++ = (char)c;
        }
    }
    return o;
}

/* A Constant node's text from the contents [s, e) of a literal. */
static void set_text(Decoder *d, Expr *node, const uchar *s, const uchar *e, unsigned prefix) {
    Parser *p = d->p;
    size_t n = (size_t)(e - s);
    if (p->failed) return;
    AstConst *c = &node->Constant.value;
    char *text = ou_arena_alloc(p->arena, n + 1), *end;
    if (!text) {
        ou_build_no_memory(p);
        return;
    }
    d->start = s;
    if ((prefix & STR_ESCAPES) && !(prefix & STR_RAW)) {
        end = decode_escapes(d, s, e, text, prefix & STR_BYTES);
        if (!end) return;
    } else {
        memcpy(text, s, n);
        end = text + n;
    }
    *end = 0;
    c->kind = prefix & STR_BYTES ? CONST_BYTES : CONST_STR;
    c->text = text;
    c->len = (size_t)(end - text);
    c->u_prefix = prefix & STR_UNICODE;
    c->is_ascii = true;
    for (size_t i = 0; i < c->len; i++)
        if ((uchar)text[i] >= 0x80) {
            c->is_ascii = false;
            break;
        }
}

int ou_build_string(Parser *p, Tok t) {
    Expr *e = ou_build_constant(p, t, CONST_STR).e;
    const uchar *s = p->lx.src + t.start, *end = p->lx.src + t.end;
    while (*s != '\'' && *s != '"') s++;
    int q = t.prefix & STR_TRIPLE ? 3 : 1;
    s += q;
    end -= q;
    if (t.prefix & STR_BYTES)
        for (const uchar *b = s; b < end; b++)
            if (*b >= 0x80) {
                ou_build_fail(p, PARSE_SYNTAX, t.pos, "bytes can only contain ASCII literal characters");
                break;
            }
    Decoder d = {.p = p, .tok = t};
    set_text(&d, e, s, end, t.prefix);
    return (int)ou_list_push(p, e);
}

/* ---- f-strings ---- */

List ou_build_fstring_start(Parser *p, Tok t) {
    return (List){.mark = p->n_items, .line = t.pos.line, .col = t.pos.col};
}

void ou_build_fstring_text(Parser *p, Tok t, bool in_spec) {
    Expr *e = ou_build_constant(p, t, CONST_STR).e;
    const uchar *s = p->lx.src + t.start, *end = p->lx.src + t.end;
    uchar *copy = NULL;
    if ((t.prefix & STR_DOUBLE) && !in_spec && !p->failed) {
        copy = ou_build_alloc(p, (size_t)(end - s));
        if (!copy) return;
        uchar *o = copy;
        while (s < end) {
            if ((*s == '{' || *s == '}') && s + 1 < end && s[1] == *s) s++;
            *o++ = *s++;
        }
        s = copy;
        end = o;
    }
    Decoder d = {.p = p, .tok = t, .in_fstring = true};
    set_text(&d, e, s, end, t.prefix & ~(unsigned)STR_UNICODE);
    ou_list_push(p, e);
}

/* Joins the parts from l.mark on: adjacent texts become one Constant, empty ones disappear. */
static Expr *join_parts(Parser *p, List l, Ex start) {
    uint32_t n, k = 0;
    Expr **parts = (Expr **)ou_ast_list_take(p, l, &n);
    unsigned depth = 0;
    for (uint32_t i = 0; i < n && !p->failed;) {
        Expr *e = parts[i++];
        if (e->kind == EXPR_Constant) {
            uint32_t last = i;
            size_t len = e->Constant.value.len;
            while (last < n && parts[last]->kind == EXPR_Constant) len += parts[last++]->Constant.value.len;
            if (last > i) {
                char *text = ou_build_alloc(p, len + 1), *o = text;
                if (!text) break;
                bool is_ascii = true;
                for (uint32_t j = i - 1; j < last; j++) {
                    const AstConst *c = &parts[j]->Constant.value;
                    memcpy(o, c->text, c->len);
                    o += c->len;
                    is_ascii &= c->is_ascii;
                }
                e->Constant.value.text = text;
                e->Constant.value.len = len;
                e->Constant.value.is_ascii = is_ascii;
                e->pos.end_line = parts[last - 1]->pos.end_line;
                e->pos.end_col = parts[last - 1]->pos.end_col;
            }
            i = last;
            if (!len) continue;
        }
        if (e->depth > depth) depth = e->depth;
        parts[k++] = e;
    }
    Expr *r = ou_build_new(p, EXPR_JoinedStr, start, depth);
    r->JoinedStr.values = (ExprSeq){k, parts};
    return r;
}

int ou_build_fstring(Parser *p, List l) {
    Expr *e = join_parts(p, l, (Ex){NULL, l.line, l.col});
    return (int)ou_list_push(p, e);
}

/* A conversion is a Name at its letter, until the field is built. */
Ex ou_build_conversion(Parser *p, Tok bang, Tok n) {
    const uchar *s = p->lx.src + n.start;
    if (bang.end != n.start)
        ou_build_fail(p, PARSE_SYNTAX, (AstPos){bang.pos.line, bang.pos.col, n.pos.end_line, n.pos.end_col},
                      "f-string: conversion type must come right after the exclamanation mark");
    else if (n.end - n.start != 1 || !strchr("sra", *s))
        ou_build_fail(p, PARSE_SYNTAX, n.pos,
                      "f-string: invalid conversion character '%.*s': expected 's', 'r', or 'a'",
                      (int)(n.end - n.start < 100 ? n.end - n.start : 100), (const char *)s);
    Ex r = ou_build_name(p, n);
    r.line = bang.pos.line;
    r.col = bang.pos.col;
    return r;
}

Ex ou_build_spec(Parser *p, Tok colon, List l) {
    Ex r = ou_ex(colon, NULL);
    r.e = join_parts(p, l, r);
    return r;
}

/* {expr=}: the text of the expression up to where [end] stands, comments left out. */
static void push_debug_text(Parser *p, Tok open, const uchar *end, AstPos end_pos) {
    const uchar *s = p->lx.src + open.end;
    Expr *e = ou_build_new(p, EXPR_Constant, (Ex){NULL, open.pos.line, open.pos.col + 1}, 0);
    e->pos.end_line = end_pos.line;
    e->pos.end_col = end_pos.col;
    char *text = ou_build_alloc(p, (size_t)(end - s) + 1), *o = text;
    if (!text) return;
    uchar quote = 0;
    while (s < end) {
        if (quote ? *s == quote : *s == '\'' || *s == '"') quote = quote ? 0 : *s;
        if (*s == '#' && !quote) {
            while (s < end && *s != '\n') s++;
            continue;
        }
        *o++ = (char)*s++;
    }
    AstConst *c = &e->Constant.value;
    *c = (AstConst){.kind = CONST_STR, .is_ascii = true, .text = text, .len = (size_t)(o - text)};
    for (size_t i = 0; i < c->len; i++) c->is_ascii &= (uchar)text[i] < 0x80;
    ou_list_push(p, e);
}

static const uchar *offset_of(Parser *p, uint32_t line, uint32_t col, Tok open) {
    const uchar *s = p->lx.src + open.start - open.pos.col;
    for (uint32_t i = open.pos.line; i < line; i++)
        s = (const uchar *)memchr(s, '\n', (size_t)(p->lx.end - s)) + 1;
    return s + col;
}

int ou_build_field(Parser *p, Tok open, Ex e, bool debug, Ex conv, Ex spec, Tok close) {
    uint32_t first = p->n_items;
    if (p->failed) return (int)first;
    if (debug) {
        AstPos end = close.pos;
        if (conv.e)
            end = (AstPos){conv.line, conv.col, 0, 0};
        else if (spec.e)
            end = (AstPos){spec.line, spec.col, 0, 0};
        push_debug_text(p, open, offset_of(p, end.line, end.col, open), end);
    }
    unsigned d = e.e->depth;
    if (spec.e && spec.e->depth > d) d = spec.e->depth;
    Expr *r = ou_build_new(p, EXPR_FormattedValue, ou_ex(open, NULL), d);
    r->FormattedValue.value = e.e;
    r->FormattedValue.conversion = conv.e ? conv.e->Name.id->text[0] : debug && !spec.e ? 'r' : -1;
    r->FormattedValue.format_spec = spec.e;
    ou_list_push(p, r);
    return (int)first;
}

/* ---- adjacent literals ---- */

static Ex join_bytes(Parser *p, Expr **parts, uint32_t n, Ex start) {
    size_t len = 0;
    for (uint32_t i = 0; i < n; i++) len += parts[i]->Constant.value.len;
    start.e = ou_build_new(p, EXPR_Constant, start, 0);
    char *text = ou_build_alloc(p, len + 1);
    AstConst *c = &start.e->Constant.value;
    *c = parts[0]->Constant.value;
    if (!text) return start;
    c->text = text;
    c->len = len;
    for (uint32_t i = 0; i < n; i++) {
        const AstConst *q = &parts[i]->Constant.value;
        memcpy(text, q->text, q->len);
        text += q->len;
        c->is_ascii &= q->is_ascii;
    }
    return start;
}

Ex ou_build_strings(Parser *p, List l) {
    uint32_t n;
    Expr **parts = (Expr **)ou_ast_list_take(p, l, &n);
    if (p->failed || !n) return (Ex){&p->dummy.expr, p->end_line, 0};
    Ex start = {parts[0], parts[0]->pos.line, parts[0]->pos.col};
    if (n == 1) return start;
    uint32_t bytes = 0, joined = 0;
    for (uint32_t i = 0; i < n; i++) {
        joined += parts[i]->kind == EXPR_JoinedStr;
        bytes += parts[i]->kind == EXPR_Constant && parts[i]->Constant.value.kind == CONST_BYTES;
    }
    if (bytes && bytes < n) {
        ou_build_fail_here(p, "cannot mix bytes and nonbytes literals");
        return start;
    }
    if (!joined) return join_bytes(p, parts, n, start);
    List flat = ou_list_empty(p);
    for (uint32_t i = 0; i < n; i++) {
        if (parts[i]->kind != EXPR_JoinedStr) {
            ou_list_push(p, parts[i]);
            continue;
        }
        ExprSeq s = parts[i]->JoinedStr.values;
        for (uint32_t j = 0; j < s.n; j++) ou_list_push(p, s.items[j]);
    }
    start.e = join_parts(p, flat, start);
    return start;
}
