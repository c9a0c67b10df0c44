/* From bytes to the text that the lexer reads: encoding, BOM, newlines, the closing newline and NUL.
 * Entry point: ou_source_load. The text lies in the heap, not in the arena; parse.c gives it back. */
#include <stdio.h>
#include <string.h>

#include "grammar/lexer.h"
#include "runtime/base/utf8.h"

static bool plain_error(ParseError *err, const char *msg) {
    *err = (ParseError){.kind = PARSE_SYNTAX};
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

static bool check_utf8(Lexer *lx, uint32_t flags) {
    const uchar *p = lx->src;
    size_t at;
    while (!ou_utf8_check((const char *)p, (size_t)(lx->end - p), NULL, &at)) {
        p += at;
        if ((flags & PARSE_SURROGATES) && is_surrogate(p, lx->end)) {
            p += 3;
            continue;
        }
        uint32_t cp, line = 1;
        int bad;
        const char *why = "invalid start byte";
        ou_utf8_decode((const char *)p, (size_t)(lx->end - p), &cp, &bad, &why);
        const uchar *start = lx->src;
        for (const uchar *q = start; q < p; q++)
            if (*q == '\n') {
                line++;
                start = q + 1;
            }
        ou_lex_error(lx, PARSE_SYNTAX, line, start, p, NULL,
                     "(unicode error) 'utf-8' codec can't decode byte 0x%02x in position %d: %s", *p,
                     (int)(p - start), why);
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
    if (memchr(src, 0, n))
        return plain_error(err, flags & PARSE_IS_STR ? "source code string cannot contain null bytes"
                                                     : "source code cannot contain null bytes");
    Encoding enc = ENC_UTF8;
    bool bom = !(flags & PARSE_IS_STR) && n >= 3 && !memcmp(src, "\xEF\xBB\xBF", 3);
    if (bom) {
        src += 3;
        n -= 3;
    }
    if (!(flags & PARSE_IS_STR)) {
        const char *name;
        size_t len;
        enc = find_cookie(src, n, &name, &len);
        /* With a BOM, CPython takes the name utf-8 only; utf8 is refused. */
        bool other = bom && len && (enc != ENC_UTF8 || len < 5 || (name[3] != '-' && name[3] != '_'));
        if (enc == ENC_UNKNOWN || other) {
            plain_error(err, "");
            snprintf(err->msg, sizeof err->msg,
                     other ? "encoding problem: %.*s with BOM" : "unknown encoding: %.*s",
                     (int)(len < 100 ? len : 100), name);
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
                snprintf(
                    err->msg, sizeof err->msg,
                    "(unicode error) 'ascii' codec can't decode byte 0x%02x in position %d: ordinal not in "
                    "range(128)",
                    *p, (int)(p - lx->src));
                return false;
            }
    return enc != ENC_UTF8 || check_utf8(lx, flags);
}
