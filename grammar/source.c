/* From bytes to the text that the lexer reads: encoding, BOM, newlines, the closing newline and NUL.
 * Entry point: ou_source_load. The text lies in the heap, not in the arena; parse.c gives it back. */
#include <stdio.h>
#include <string.h>

#include "grammar/lexer.h"
#include "runtime/base/utf8.h"

static bool plain_error(ParseError *err, const char *msg) {
    *err = (ParseError){.kind = PARSE_SYNTAX, .col = -1};
    snprintf(err->msg, sizeof err->msg, "%s", msg);
    return false;
}

typedef enum Encoding { ENC_UTF8, ENC_LATIN1, ENC_ASCII, ENC_UNKNOWN } Encoding;

/* "Latin_1" and "latin-1" are the same name. */
static Encoding encoding_named(const char *s, size_t n) {
    static const struct {
        const char *name;
        Encoding enc;
    } known[] = {{"utf-8", ENC_UTF8},        {"utf8", ENC_UTF8},        {"utf-8-sig", ENC_UTF8},
                 {"u8", ENC_UTF8},           {"utf", ENC_UTF8},         {"latin-1", ENC_LATIN1},
                 {"latin1", ENC_LATIN1},     {"latin", ENC_LATIN1},     {"l1", ENC_LATIN1},
                 {"iso-8859-1", ENC_LATIN1}, {"iso8859-1", ENC_LATIN1}, {"iso-latin-1", ENC_LATIN1},
                 {"8859", ENC_LATIN1},       {"cp819", ENC_LATIN1},     {"ascii", ENC_ASCII},
                 {"us-ascii", ENC_ASCII},    {"646", ENC_ASCII}};
    char low[32];
    if (n >= sizeof low) return ENC_UNKNOWN;
    for (size_t i = 0; i < n; i++)
        low[i] = s[i] == '_' ? '-' : (char)(s[i] >= 'A' && s[i] <= 'Z' ? s[i] | 32 : s[i]);
    low[n] = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(low, known[i].name)) return known[i].enc;
    /* utf-8-unix and the like, as editors write them */
    if (!strncmp(low, "utf-8-", 6)) return ENC_UTF8;
    if (!strncmp(low, "latin-1-", 8) || !strncmp(low, "iso-8859-1-", 11) || !strncmp(low, "iso-latin-1-", 12))
        return ENC_LATIN1;
    return ENC_UNKNOWN;
}

/* Finds "coding: NAME" in a comment that fills a line; *blank says whether the line holds nothing but a
 * comment. */
static bool cookie_in_line(const char *s, const char *e, bool *blank, const char **name, size_t *len) {
    while (s < e && (*s == ' ' || *s == '\t' || *s == '\f')) s++;
    *blank = s == e || *s == '#' || *s == '\r';
    if (s == e || *s != '#') return false;
    for (; e - s >= 7; s++) {
        if (memcmp(s, "coding", 6) || (s[6] != ':' && s[6] != '=')) continue;
        const char *p = s + 7;
        while (p < e && (*p == ' ' || *p == '\t')) p++;
        *name = p;
        while (p < e && (*p == '-' || *p == '_' || *p == '.' || (*p >= '0' && *p <= '9') ||
                         ((*p | 32) >= 'a' && (*p | 32) <= 'z')))
            p++;
        *len = (size_t)(p - *name);
        if (*len) return true;
    }
    return false;
}

static Encoding find_cookie(const char *s, size_t n, const char **name, size_t *len) {
    const char *end = s + n;
    for (int line = 0; line < 2 && s < end; line++) {
        const char *e = s;
        while (e < end && *e != '\n' && *e != '\r') e++;
        bool blank;
        if (cookie_in_line(s, e, &blank, name, len)) return encoding_named(*name, *len);
        if (!blank) break;
        s = e < end && *e == '\r' && e + 1 < end && e[1] == '\n' ? e + 2 : e + 1;
    }
    *len = 0;
    return ENC_UTF8;
}

static bool is_surrogate(const uchar *p, const uchar *end) {
    return end - p >= 3 && p[0] == 0xED && p[1] >= 0xA0 && p[1] <= 0xBF && (p[2] & 0xC0) == 0x80;
}

/* What a byte that is no UTF-8 stands in: CPython decodes names and the insides of strings one by one, and
 * counts positions from there. */
typedef struct Around {
    const uchar *from, *to;  /* the text that is decoded */
    const uchar *line_start; /* of the line that the error is in */
    const uchar *at;         /* the column to show */
    uint32_t line;
} Around;

static bool in_name(uchar c) {
    return c >= 0x80 || c == '_' || (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

static Around around(const Lexer *lx, const uchar *bad) {
    Around a = {.line_start = lx->src, .line = 1};
    const uchar *p = lx->src;
    while (p < lx->end) {
        const uchar *token = p;
        while (in_name(*p)) p++;
        if (*p == '#')
            while (*p && *p != '\n') p++;
        if (p > token) {
            a.from = token;
            a.to = p;
            a.at = bad;
            if (bad < p) return a;
        }
        if (*p == '\'' || *p == '"') {
            uchar quote = *p;
            bool triple = p[1] == quote && p[2] == quote;
            const uchar *line_start = a.line_start;
            uint32_t line = a.line;
            p += triple ? 3 : 1;
            a.from = p;
            while (p < lx->end && (*p != quote || (triple && (p[1] != quote || p[2] != quote)))) {
                if (*p == '\\' && p + 1 < lx->end) p++;
                if (*p == '\n') {
                    if (!triple && p[-1] != '\\') break;
                    line_start = p + 1;
                    line++;
                }
                p++;
            }
            a.to = p;
            a.at = token;
            if (bad < p) return a;
            a.line_start = line_start;
            a.line = line;
            if (*p == quote) p += triple ? 3 : 1;
        } else if (p == token && *p++ == '\n') {
            a.line++;
            a.line_start = p;
        }
    }
    a.from = a.at = bad;
    a.to = lx->end;
    return a;
}

static bool check_utf8(Lexer *lx, uint32_t flags) {
    const uchar *p = lx->src;
    size_t at;
    while (!ou_utf8_check((const char *)p, (size_t)(lx->end - p), NULL, &at)) {
        p += at;
        if ((flags & PARSE_SURROGATES) && is_surrogate(p, lx->end)) {
            p += 3;
            continue;
        }
        if (flags & PARSE_FROM_FILE) {
            int line = 1;
            for (const uchar *q = lx->src; q < p; q++) line += *q == '\n';
            plain_error(lx->err, "");
            snprintf(lx->err->msg, sizeof lx->err->msg,
                     "Non-UTF-8 code starting with '\\x%02x' in file %%s on line %d, but no encoding declared; "
                     "see https://peps.python.org/pep-0263/ for details",
                     *p, line);
            lx->err->line = -1;
            lx->err->names_file = true;
            return false;
        }
        uint32_t cp;
        int bad = 1;
        const char *why = "invalid start byte";
        Around a = around(lx, p);
        ou_utf8_decode((const char *)p, (size_t)(a.to - p), &cp, &bad, &why);
        int pos = (int)(p - a.from);
        if (bad > 1)
            ou_lex_error(lx, PARSE_SYNTAX, a.line, a.line_start, a.at, NULL,
                         "(unicode error) 'utf-8' codec can't decode bytes in position %d-%d: %s", pos,
                         pos + bad - 1, why);
        else
            ou_lex_error(lx, PARSE_SYNTAX, a.line, a.line_start, a.at, NULL,
                         "(unicode error) 'utf-8' codec can't decode byte 0x%02x in position %d: %s", *p, pos,
                         why);
        lx->err->text = NULL; /* it is no text */
        lx->err->text_len = 0;
        return false;
    }
    return true;
}

/* Copies with every newline as '\n'; Latin-1 becomes UTF-8. [out] has room for 2n bytes if latin1, else n. */
static size_t copy_text(uchar *out, const uchar *s, size_t n, bool latin1) {
    uchar *o = out;
    if (!latin1 && !memchr(s, '\r', n)) {
        memcpy(out, s, n);
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        uchar c = s[i];
        if (c == '\r') {
            *o++ = '\n';
            if (i + 1 < n && s[i + 1] == '\n') i++;
        } else if (latin1 && c >= 0x80) {
            *o++ = (uchar)(0xC0 | c >> 6);
            *o++ = (uchar)(0x80 | (c & 0x3F));
        } else
            *o++ = c;
    }
    return (size_t)(o - out);
}

bool ou_source_load(Lexer *lx, const char *src, size_t n, uint32_t flags) {
    ParseError *err = lx->err;
    if (memchr(src, 0, n)) {
        plain_error(err, flags & PARSE_IS_STR ? "source code string cannot contain null bytes"
                                              : "source code cannot contain null bytes");
        err->line = -1;
        return false;
    }
    Encoding enc = ENC_UTF8;
    bool cookie = false, bom = !(flags & PARSE_IS_STR) && n >= 3 && !memcmp(src, "\xEF\xBB\xBF", 3);
    if (bom) {
        src += 3;
        n -= 3;
    }
    if (!(flags & PARSE_IS_STR)) {
        const char *name;
        size_t len;
        enc = find_cookie(src, n, &name, &len);
        cookie = len > 0;
        /* With a BOM, CPython takes the name utf-8 only; utf8 is refused. */
        bool other = bom && len && (enc != ENC_UTF8 || len < 5 || (name[3] != '-' && name[3] != '_'));
        if (enc == ENC_UNKNOWN || other) {
            plain_error(err, "");
            snprintf(err->msg, sizeof err->msg,
                     other                     ? "encoding problem: %.*s with BOM"
                     : flags & PARSE_FROM_FILE ? "encoding problem: %.*s"
                                               : "unknown encoding: %.*s",
                     (int)(len < 100 ? len : 100), name);
            if (flags & PARSE_FROM_FILE) err->line = -1;
            return false;
        }
    }
    if (n > UINT32_MAX / 4) {
        *err = (ParseError){.kind = PARSE_MEMORY};
        return false;
    }
    lx->text_size = (enc == ENC_LATIN1 ? 2 * n : n) + 2;
    lx->text = ou_alloc(lx->arena->heap, lx->text_size);
    if (!lx->text) {
        *err = (ParseError){.kind = PARSE_MEMORY};
        return false;
    }
    size_t m = n ? copy_text(lx->text, (const uchar *)src, n, enc == ENC_LATIN1) : 0;
    if (m && lx->text[m - 1] != '\n') {
        lx->text[m++] = '\n';
        lx->implied_newline = true;
    }
    lx->text[m] = 0;
    lx->src = lx->cur = lx->line_start = lx->text;
    lx->end = lx->text + m;
    lx->line = 1;
    lx->at_line_start = true;
    if (enc == ENC_ASCII)
        for (const uchar *p = lx->src; p < lx->end; p++)
            if (*p >= 0x80) {
                plain_error(err, "");
                snprintf(err->msg, sizeof err->msg,
                         "'ascii' codec can't decode byte 0x%02x in position %d: ordinal not in "
                         "range(128)",
                         *p, (int)(p - lx->src));
                return false;
            }
    if (bom || cookie) flags &= ~(uint32_t)PARSE_FROM_FILE; /* an encoding is declared */
    return enc != ENC_UTF8 || check_utf8(lx, flags);
}
