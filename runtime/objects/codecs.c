/* Text encodings: str to bytes and back, with CPython's error handlers.
 * Entry points: ou_str_encode, ou_str_decode, ou_str_decode_partial. The one thing to know: a codec walks its input and hands
 * every piece it cannot convert to encode_error or decode_error; these know the handlers, built-in ones and those that scripts
 * registered (a dict in sys.__dict__ under "_codec_errors", search functions under "_codec_search"). */
#include "runtime/objects/codecs.h"

#include <stdlib.h>

#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/strimpl.h"

typedef enum CodecKind {
    UTF8, UTF8_SIG, UTF16, UTF16_LE, UTF16_BE, UTF32, UTF32_LE, UTF32_BE, LATIN1, ASCII, CHARMAP, UNICODE_ESCAPE,
    RAW_UNICODE_ESCAPE, IDNA, PUNYCODE
} CodecKind;

typedef struct Charmap {
    const char *name;
    uint16_t upper[128];
} Charmap;
#include "runtime/objects/charmaps.h"

typedef struct Codec {
    CodecKind kind;
    const char *name;  /* in UnicodeErrors */
    const char *official;
    const Charmap *map;
} Codec;

typedef struct Coding { /* one conversion that is going on */
    VM *vm;
    Codec codec;
    const char *errors; /* NULL: strict */
    Str *text;          /* encoding: the source */
    const char *p;      /* decoding: the source */
    size_t n;
    StrBuf out;
} Coding;

static const struct {
    const char *alias;
    CodecKind kind;
    const char *name, *official;
} aliases[] = {
    {"utf-8", UTF8, "utf-8", "utf-8"},
    {"utf8", UTF8, "utf-8", "utf-8"},
    {"u8", UTF8, "utf-8", "utf-8"},
    {"utf", UTF8, "utf-8", "utf-8"},
    {"cp65001", UTF8, "utf-8", "utf-8"},
    {"ascii", ASCII, "ascii", "ascii"},
    {"us-ascii", ASCII, "ascii", "ascii"},
    {"646", ASCII, "ascii", "ascii"},
    {"ansi-x3.4-1968", ASCII, "ascii", "ascii"},
    {"latin-1", LATIN1, "latin-1", "iso8859-1"},
    {"latin1", LATIN1, "latin-1", "iso8859-1"},
    {"iso-8859-1", LATIN1, "latin-1", "iso8859-1"},
    {"iso8859-1", LATIN1, "latin-1", "iso8859-1"},
    {"8859", LATIN1, "latin-1", "iso8859-1"},
    {"l1", LATIN1, "latin-1", "iso8859-1"},
    {"latin", LATIN1, "latin-1", "iso8859-1"},
    {"cp819", LATIN1, "latin-1", "iso8859-1"},
    {"utf-8-sig", UTF8_SIG, "utf-8", "utf-8-sig"},
    {"utf8-sig", UTF8_SIG, "utf-8", "utf-8-sig"},
    {"utf-16", UTF16, "utf-16", "utf-16"},
    {"utf16", UTF16, "utf-16", "utf-16"},
    {"u16", UTF16, "utf-16", "utf-16"},
    {"utf-16-le", UTF16_LE, "utf-16-le", "utf-16-le"},
    {"utf-16le", UTF16_LE, "utf-16-le", "utf-16-le"},
    {"utf-16-be", UTF16_BE, "utf-16-be", "utf-16-be"},
    {"utf-16be", UTF16_BE, "utf-16-be", "utf-16-be"},
    {"utf-32", UTF32, "utf-32", "utf-32"},
    {"utf32", UTF32, "utf-32", "utf-32"},
    {"u32", UTF32, "utf-32", "utf-32"},
    {"utf-32-le", UTF32_LE, "utf-32-le", "utf-32-le"},
    {"utf-32le", UTF32_LE, "utf-32-le", "utf-32-le"},
    {"utf-32-be", UTF32_BE, "utf-32-be", "utf-32-be"},
    {"utf-32be", UTF32_BE, "utf-32-be", "utf-32-be"},
    {"unicode-escape", UNICODE_ESCAPE, "unicodeescape", "unicode_escape"},
    {"unicodeescape", UNICODE_ESCAPE, "unicodeescape", "unicode_escape"},
    {"raw-unicode-escape", RAW_UNICODE_ESCAPE, "rawunicodeescape", "raw-unicode-escape"},
    {"idna", IDNA, "idna", "idna"},
    {"punycode", PUNYCODE, "punycode", "punycode"},
};
static const char *const charmap_aliases[][2] = {
    {"windows-1250", "cp1250"}, {"windows-1251", "cp1251"}, {"windows-1252", "cp1252"}, {"1252", "cp1252"},
    {"windows-1253", "cp1253"}, {"windows-1254", "cp1254"}, {"437", "cp437"},           {"ibm437", "cp437"},
    {"ibm850", "cp850"},        {"iso-8859-2", "iso8859-2"}, {"latin2", "iso8859-2"},    {"iso-8859-5", "iso8859-5"},
    {"iso-8859-7", "iso8859-7"}, {"iso-8859-9", "iso8859-9"}, {"iso-8859-15", "iso8859-15"}, {"latin9", "iso8859-15"},
    {"latin-9", "iso8859-15"},  {"koi8r", "koi8-r"},        {"macroman", "mac-roman"},   {"macintosh", "mac-roman"},
};

static bool find_codec(const char *name, Codec *out)
{
    char norm[32];
    size_t n = 0;
    for (; name[n] && n < sizeof norm - 1; n++) {
        char c = name[n];
        norm[n] = c == '_' || c == ' ' ? '-' : (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
    }
    if (name[n])
        return false;
    norm[n] = 0;
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        if (strcmp(norm, aliases[i].alias) == 0) {
            *out = (Codec){aliases[i].kind, aliases[i].name, aliases[i].official, NULL};
            return true;
        }
    }
    const char *map = norm;
    for (size_t i = 0; i < sizeof charmap_aliases / sizeof *charmap_aliases; i++)
        if (strcmp(norm, charmap_aliases[i][0]) == 0)
            map = charmap_aliases[i][1];
    for (size_t i = 0; i < sizeof charmaps / sizeof *charmaps; i++) {
        if (strcmp(map, charmaps[i].name) == 0) {
            *out = (Codec){CHARMAP, "charmap", charmaps[i].name, &charmaps[i]};
            return true;
        }
    }
    return false;
}

const char *ou_codec_name(const char *encoding)
{
    Codec c;
    return find_codec(encoding, &c) ? c.official : NULL;
}

/* ---- error handlers ---------------------------------------------------------------------------------------------------------------- */

typedef enum Handler {
    STRICT, IGNORE, REPLACE, BACKSLASH, SURROGATE_ESCAPE, SURROGATE_PASS, XML, NAME, REGISTERED
} Handler;

static Handler handler_of(const char *errors)
{
    static const char *const names[] = {"strict", "ignore", "replace", "backslashreplace", "surrogateescape", "surrogatepass",
                                        "xmlcharrefreplace", "namereplace"};
    if (!errors)
        return STRICT;
    for (int i = 0; i < REGISTERED; i++)
        if (strcmp(errors, names[i]) == 0)
            return (Handler)i;
    return REGISTERED;
}

static Value registered(VM *vm, const char *errors) /* borrowed */
{
    Value d = ou_dict_get_c(vm, vm->sysdict, "_codec_errors");
    return d == V_NULL || !is_exact(d, T_DICT) ? V_NULL : ou_dict_get_c(vm, as_dict(d), errors);
}

bool ou_codec_errors_known(VM *vm, const char *errors)
{
    return handler_of(errors) != REGISTERED || registered(vm, errors) != V_NULL;
}

static bool raise_error(Coding *c, size_t start, size_t end, const char *reason)
{
    VM *vm = c->vm;
    Value args[5] = {ou_str_c(vm, c->codec.name), V_NULL, v_smallint((int64_t)start), v_smallint((int64_t)end),
                     ou_str_c(vm, reason)};
    args[1] = c->text ? ou_str_exact(vm, v_of(c->text)) : ou_bytes_new(vm, c->p, c->n);
    if (args[0] != V_NULL && args[1] != V_NULL && args[4] != V_NULL)
        ou_raise_args(vm, c->text ? E_UNICODE_ENCODE : E_UNICODE_DECODE, args, 5);
    xrelease(vm, args[0]);
    xrelease(vm, args[1]);
    xrelease(vm, args[4]);
    return false;
}

/* Calls a registered handler. *pos gets where to go on; the replacement (str or bytes) is returned, owned. */
static Value call_handler(Coding *c, size_t start, size_t end, const char *reason, size_t len, size_t *pos)
{
    VM *vm = c->vm;
    Value f = registered(vm, c->errors);
    if (f == V_NULL)
        return ou_raise(vm, E_LOOKUP, "unknown error handler name '%s'", c->errors);
    raise_error(c, start, end, reason);
    Value exc = ou_exc_take(vm);
    f = retain(f);
    Value r = ou_call1(vm, f, exc);
    release(vm, f);
    release(vm, exc);
    if (r == V_NULL)
        return V_NULL;
    Value text = is_exact(r, T_TUPLE) && as_tuple(r)->n == 2 ? as_tuple(r)->items[0] : V_NULL;
    int64_t at = 0;
    bool is_text = text != V_NULL && (ou_is_a(vm, text, T_STR) || (c->text && ou_is_a(vm, text, T_BYTES)));
    if (!is_text || !ou_is_intlike(vm, as_tuple(r)->items[1]) || !ou_int_i64(vm, as_tuple(r)->items[1], &at)) {
        if (vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, c->text ? "encoding error handler must return (str/bytes, int) tuple"
                                         : "decoding error handler must return (str, int) tuple");
        release(vm, r);
        return V_NULL;
    }
    if (at < 0)
        at += (int64_t)len;
    if (at < 0 || at > (int64_t)len) {
        release(vm, r);
        return ou_raise(vm, E_INDEX, "position %ld from error handler out of bounds", at);
    }
    *pos = (size_t)at;
    retain(text);
    release(vm, r);
    return text;
}

/* The input bytes start..*end cannot be decoded. Appends what the handler says; *end becomes where to go on. */
static bool decode_error(Coding *c, size_t start, size_t *end, const char *reason)
{
    const uint8_t *p = (const uint8_t *)c->p;
    switch (handler_of(c->errors)) {
    case STRICT:
        return raise_error(c, start, *end, reason);
    case IGNORE:
        return true;
    case REPLACE:
        ou_sb_cp(&c->out, 0xFFFD);
        return true;
    case BACKSLASH:
        for (size_t i = start; i < *end; i++)
            ou_sb_printf(&c->out, "\\x%02x", p[i]);
        return true;
    case SURROGATE_ESCAPE: {
        size_t i = start;
        for (; i < *end && i < start + 4 && p[i] >= 0x80; i++)
            ou_sb_cp(&c->out, 0xDC00u + p[i]);
        if (i == start)
            return raise_error(c, start, *end, reason);
        *end = i;
        return true;
    }
    case SURROGATE_PASS: {
        uint32_t cp = 0;
        size_t k = 0;
        if (c->codec.kind <= UTF8_SIG && start + 3 <= c->n && p[start] == 0xED && p[start + 1] >= 0xA0 && p[start + 1] < 0xC0 &&
            (p[start + 2] & 0xC0) == 0x80) {
            cp = 0xD000u | (p[start + 1] & 0x3Fu) << 6 | (p[start + 2] & 0x3Fu);
            k = 3;
        } else if (c->codec.kind >= UTF16 && c->codec.kind <= UTF16_BE && start + 2 <= c->n) {
            cp = c->codec.kind == UTF16_BE ? (uint32_t)p[start] << 8 | p[start + 1] : (uint32_t)p[start + 1] << 8 | p[start];
            k = 2;
        } else if (c->codec.kind >= UTF32 && c->codec.kind <= UTF32_BE && start + 4 <= c->n) {
            cp = c->codec.kind == UTF32_BE ? (uint32_t)p[start + 2] << 8 | p[start + 3] : (uint32_t)p[start + 1] << 8 | p[start];
            k = 4;
        }
        if (cp < 0xD800 || cp > 0xDFFF)
            return raise_error(c, start, *end, reason);
        ou_sb_cp(&c->out, cp);
        *end = start + k;
        return true;
    }
    case REGISTERED: {
        Value v = call_handler(c, start, *end, reason, c->n, end);
        if (v == V_NULL)
            return false;
        ou_sb_str(&c->out, v);
        release(c->vm, v);
        return !c->out.failed;
    }
    default:
        ou_raise(c->vm, E_TYPE, "don't know how to handle UnicodeDecodeError in error callback");
        return false;
    }
}

static bool put_encoded(Coding *c, uint32_t cp);

static void put_encoded_text(Coding *c, const char *s)
{
    while (*s)
        put_encoded(c, (uint8_t)*s++);
}

/* The code points start..*end (text positions) cannot be encoded; as decode_error. */
static bool encode_error(Coding *c, size_t start, size_t *end, const char *reason)
{
    Handler h = handler_of(c->errors);
    VM *vm = c->vm;
    char b[48];
    if (h == STRICT)
        return raise_error(c, start, *end, reason);
    if (h == IGNORE)
        return true;
    if (h == REGISTERED) {
        Value v = call_handler(c, start, *end, reason, c->text->length, end);
        if (v == V_NULL)
            return false;
        bool ok = true;
        if (ou_is_a(vm, v, T_BYTES))
            ou_sb_put(&c->out, (const char *)as_bytes(v)->data, as_bytes(v)->n);
        else
            for (const char *p = as_str(v)->data, *e = p + as_str(v)->size; ok && p < e;)
                if (!put_encoded(c, utf8_next(&p)))
                    ok = raise_error(c, start, *end, reason);
        release(vm, v);
        return ok;
    }
    const char *p = c->text->data + ou_str_offset(vm, c->text, (int64_t)start);
    for (size_t i = start; i < *end; i++) {
        uint32_t cp = utf8_next(&p);
        switch (h) {
        case REPLACE:
            put_encoded_text(c, "?");
            break;
        case XML:
            snprintf(b, sizeof b, "&#%u;", (unsigned)cp);
            put_encoded_text(c, b);
            break;
        case SURROGATE_ESCAPE:
            if (cp < 0xDC80 || cp > 0xDCFF)
                return raise_error(c, start, *end, reason);
            ou_sb_putc(&c->out, (char)(cp - 0xDC00));
            break;
        case SURROGATE_PASS:
            if (cp < 0xD800 || cp > 0xDFFF || c->codec.kind > UTF32_BE)
                return raise_error(c, start, *end, reason);
            if (c->codec.kind <= UTF8_SIG) {
                ou_sb_cp(&c->out, cp);
            } else {
                bool big = c->codec.kind == UTF16_BE || c->codec.kind == UTF32_BE;
                char lo = (char)cp, hi = (char)(cp >> 8);
                if (c->codec.kind > UTF16_BE && big)
                    ou_sb_put(&c->out, "\0", 2);
                ou_sb_putc(&c->out, big ? hi : lo);
                ou_sb_putc(&c->out, big ? lo : hi);
                if (c->codec.kind > UTF16_BE && !big)
                    ou_sb_put(&c->out, "\0", 2);
            }
            break;
        default: {
            char name[120];
            if (h == NAME && ou_uni_name(cp, name, sizeof name)) {
                put_encoded_text(c, "\\N{");
                put_encoded_text(c, name);
                put_encoded_text(c, "}");
                break;
            }
            snprintf(b, sizeof b, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
            put_encoded_text(c, b);
        }
        }
    }
    return !c->out.failed;
}

/* ---- encoding ------------------------------------------------------------------------------------------------------------------------- */

static int charmap_index(const Charmap *m, uint32_t cp)
{
    if (cp < 128)
        return (int)cp;
    for (int i = 0; i < 128; i++)
        if (m->upper[i] == cp && cp != 0xFFFF)
            return i + 128;
    return -1;
}

static void put_unit(StrBuf *b, uint32_t u, int size, bool big)
{
    for (int i = 0; i < size; i++)
        ou_sb_putc(b, (char)(u >> 8 * (big ? size - 1 - i : i)));
}

/* Appends one code point; false: it has no place in this encoding (nothing raised). */
static bool put_encoded(Coding *c, uint32_t cp)
{
    StrBuf *b = &c->out;
    bool big = c->codec.kind == UTF16_BE || c->codec.kind == UTF32_BE, surrogate = cp >= 0xD800 && cp < 0xE000;
    int i;
    switch (c->codec.kind) {
    case ASCII:
        if (cp >= 128)
            return false;
        ou_sb_putc(b, (char)cp);
        return true;
    case LATIN1:
        if (cp >= 256)
            return false;
        ou_sb_putc(b, (char)cp);
        return true;
    case CHARMAP:
        i = charmap_index(c->codec.map, cp);
        if (i < 0)
            return false;
        ou_sb_putc(b, (char)i);
        return true;
    case UTF16: case UTF16_LE: case UTF16_BE:
        if (surrogate)
            return false;
        if (cp >= 0x10000) {
            put_unit(b, 0xD7C0 + (cp >> 10), 2, big);
            cp = 0xDC00 + (cp & 0x3FF);
        }
        put_unit(b, cp, 2, big);
        return true;
    case UTF32: case UTF32_LE: case UTF32_BE:
        if (surrogate)
            return false;
        put_unit(b, cp, 4, big);
        return true;
    default:
        if (surrogate)
            return false;
        ou_sb_cp(b, cp);
        return true;
    }
}

static void escape_text(Coding *c, bool raw)
{
    StrBuf *b = &c->out;
    for (const char *p = c->text->data, *end = p + c->text->size; p < end && !b->failed;) {
        uint32_t cp = utf8_next(&p);
        if (raw) {
            if (cp < 256)
                ou_sb_putc(b, (char)cp);
            else
                ou_sb_printf(b, cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
        } else if (cp == '\\') {
            ou_sb_puts(b, "\\\\");
        } else if (cp == '\n' || cp == '\r' || cp == '\t') {
            ou_sb_puts(b, cp == '\n' ? "\\n" : cp == '\r' ? "\\r" : "\\t");
        } else if (cp >= 32 && cp < 127) {
            ou_sb_putc(b, (char)cp);
        } else {
            ou_sb_printf(b, cp < 0x100 ? "\\x%02x" : cp < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)cp);
        }
    }
}

static bool encode_all(Coding *c)
{
    static const char *const reasons[] = {
        [UTF8] = "surrogates not allowed",     [UTF8_SIG] = "surrogates not allowed", [UTF16] = "surrogates not allowed",
        [UTF16_LE] = "surrogates not allowed", [UTF16_BE] = "surrogates not allowed", [UTF32] = "surrogates not allowed",
        [UTF32_LE] = "surrogates not allowed", [UTF32_BE] = "surrogates not allowed", [LATIN1] = "ordinal not in range(256)",
        [ASCII] = "ordinal not in range(128)", [CHARMAP] = "character maps to <undefined>",
    };
    Str *s = c->text;
    const char *p = s->data, *end = p + s->size;
    size_t i = 0;
    while (p < end && !c->out.failed) {
        const char *q = p;
        uint32_t cp = utf8_next(&q);
        if (put_encoded(c, cp)) {
            p = q;
            i++;
            continue;
        }
        /* What cannot be encoded together is reported together. */
        size_t from = i, to = i + 1, mark = c->out.n;
        for (p = q; p < end; to++) {
            q = p;
            if (put_encoded(c, utf8_next(&q)))
                break;
            p = q;
        }
        c->out.n = mark;
        if (!encode_error(c, from, &to, reasons[c->codec.kind]))
            return false;
        p = s->data + ou_str_offset(c->vm, s, (int64_t)to);
        i = to;
    }
    return !c->out.failed;
}

/* ---- punycode and IDNA -------------------------------------------------------------------------------------------------------------------
 * RFC 3492, with its names for the constants. */

static uint32_t puny_adapt(uint32_t delta, uint32_t count, bool first)
{
    uint32_t k = 0;
    delta = first ? delta / 700 : delta / 2;
    delta += delta / count;
    for (; delta > 455; k += 36)
        delta /= 35;
    return k + 36 * delta / (delta + 38);
}

static void puny_encode(StrBuf *b, const char *s, size_t size)
{
    const char *end = s + size;
    uint32_t basic = 0, done, n = 128, bias = 72, delta = 0, total = 0;
    for (const char *p = s; p < end;) {
        uint32_t cp = utf8_next(&p);
        total++;
        if (cp < 128) {
            ou_sb_putc(b, (char)cp);
            basic++;
        }
    }
    if (basic)
        ou_sb_putc(b, '-');
    for (done = basic; done < total && !b->failed; delta++, n++) {
        uint32_t m = UINT32_MAX;
        for (const char *p = s; p < end;) {
            uint32_t cp = utf8_next(&p);
            if (cp >= n && cp < m)
                m = cp;
        }
        delta += (m - n) * (done + 1);
        n = m;
        for (const char *p = s; p < end;) {
            uint32_t cp = utf8_next(&p);
            if (cp < n)
                delta++;
            if (cp != n)
                continue;
            uint32_t q = delta;
            for (uint32_t k = 36;; k += 36) {
                uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
                if (q < t)
                    break;
                uint32_t d = t + (q - t) % (36 - t);
                ou_sb_putc(b, (char)(d < 26 ? 'a' + d : '0' + d - 26));
                q = (q - t) / (36 - t);
            }
            ou_sb_putc(b, (char)(q < 26 ? 'a' + q : '0' + q - 26));
            bias = puny_adapt(delta, done + 1, done == basic);
            delta = 0;
            done++;
        }
    }
}

/* Appends the decoded text; false: malformed (nothing raised) or no memory. */
static bool puny_decode(StrBuf *b, const char *s, size_t size)
{
    size_t at = 0, cut = 0, n_out = 0, cap = size + 1;
    uint32_t *out = ou_alloc(&b->vm->heap, cap * sizeof *out);
    if (!out)
        return false;
    for (size_t i = 0; i < size; i++)
        if (s[i] == '-')
            cut = i;
    for (; n_out < cut; n_out++)
        out[n_out] = (uint8_t)s[n_out];
    at = cut ? cut + 1 : 0;
    uint32_t n = 128, i = 0, bias = 72;
    bool ok = true;
    while (ok && at < size) {
        uint32_t old = i, w = 1;
        for (uint32_t k = 36; ok; k += 36) {
            int c = at < size ? s[at++] : -1;
            uint32_t d = c >= 'a' && c <= 'z'   ? (uint32_t)(c - 'a')
                         : c >= 'A' && c <= 'Z' ? (uint32_t)(c - 'A')
                         : c >= '0' && c <= '9' ? (uint32_t)(c - '0' + 26)
                                                : 99;
            ok = d < 36 && d <= (UINT32_MAX - i) / w;
            if (!ok)
                break;
            i += d * w;
            uint32_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
            if (d < t)
                break;
            ok = w <= UINT32_MAX / (36 - t);
            w *= 36 - t;
        }
        if (!ok)
            break;
        uint32_t count = (uint32_t)n_out + 1;
        bias = puny_adapt(i - old, count, old == 0);
        n += i / count;
        i %= count;
        ok = n <= 0x10FFFF && n_out < cap;
        if (!ok)
            break;
        memmove(out + i + 1, out + i, (n_out - i) * sizeof *out);
        out[i++] = n;
        n_out++;
    }
    for (size_t k = 0; ok && k < n_out; k++)
        ou_sb_cp(b, out[k]);
    ou_free(&b->vm->heap, out, cap * sizeof *out);
    return ok && !b->failed;
}

/* Host names label by label: those beyond ASCII are folded and written in punycode. */
static bool idna_encode(Coding *c)
{
    const char *p = c->text->data, *end = p + c->text->size;
    while (p <= end) {
        const char *q = p, *dot = NULL;
        bool ascii = true;
        while (q < end) {
            dot = q;
            uint32_t cp = utf8_next(&q);
            if (cp == '.' || cp == 0x3002 || cp == 0xFF0E || cp == 0xFF61)
                break;
            ascii = ascii && cp < 128;
            dot = NULL;
        }
        const char *stop = dot ? dot : q;
        size_t start = c->out.n;
        if (ascii) {
            ou_sb_put(&c->out, p, (size_t)(stop - p));
        } else {
            StrBuf folded;
            ou_sb_init(&folded, c->vm);
            for (const char *r = p; r < stop;) {
                uint32_t to[4];
                int k = ou_uni_fold(utf8_next(&r), to);
                for (int i = 0; i < k; i++)
                    ou_sb_cp(&folded, to[i]);
            }
            ou_sb_puts(&c->out, "xn--");
            if (!folded.failed)
                puny_encode(&c->out, folded.p, folded.n);
            ou_sb_drop(&folded);
        }
        size_t len = c->out.n - start;
        if (c->out.failed)
            return false;
        if (len > 63 || (len == 0 && dot)) {
            size_t at = (size_t)ou_str_pos(c->vm, c->text, (size_t)(p - c->text->data));
            return raise_error(c, at, at + 1, len ? "label too long" : "label empty");
        }
        if (!dot)
            break;
        ou_sb_putc(&c->out, '.');
        p = q;
    }
    return true;
}

static Value search_codec(VM *vm, const char *encoding, int which, Value arg, const char *errors);

Value ou_str_encode(VM *vm, Value s, const char *encoding, const char *errors)
{
    Coding c = {.vm = vm, .errors = errors, .text = as_str(s)};
    Str *t = c.text;
    if (!find_codec(encoding, &c.codec))
        return search_codec(vm, encoding, 0, s, errors);
    CodecKind k = c.codec.kind;
    if (str_is_ascii(t) && (k == UTF8 || k == ASCII || k == LATIN1 || k == CHARMAP))
        return ou_bytes_new(vm, t->data, t->size);
    ou_sb_init(&c.out, vm);
    bool ok = true;
    switch (k) {
    case UTF8_SIG:
        ou_sb_put(&c.out, "\xEF\xBB\xBF", 3);
        __attribute__((fallthrough));
    case UTF8:
        /* The text is UTF-8 already; only surrogates (0xED 0xA0..) need a closer look. */
        if (!ou_utf8_check(t->data, t->size, NULL, NULL))
            ok = encode_all(&c);
        else
            ou_sb_put(&c.out, t->data, t->size);
        break;
    case UTF16:
        put_unit(&c.out, 0xFEFF, 2, false);
        ok = encode_all(&c);
        break;
    case UTF32:
        put_unit(&c.out, 0xFEFF, 4, false);
        ok = encode_all(&c);
        break;
    case UNICODE_ESCAPE:
    case RAW_UNICODE_ESCAPE:
        escape_text(&c, k == RAW_UNICODE_ESCAPE);
        break;
    case IDNA:
        ok = idna_encode(&c);
        break;
    case PUNYCODE:
        puny_encode(&c.out, t->data, t->size);
        break;
    default:
        ok = encode_all(&c);
    }
    Value r = ok && !c.out.failed ? ou_bytes_new(vm, c.out.p, c.out.n) : V_NULL;
    ou_sb_drop(&c.out);
    return r;
}

/* ---- decoding ------------------------------------------------------------------------------------------------------------------------------ */

/* All decoders: go on from *at, stop at the end or (not final) before an incomplete sequence. */

static bool decode_utf8(Coding *c, size_t *at, bool final)
{
    size_t i = *at;
    while (i < c->n && !c->out.failed) {
        size_t k = 0;
        if (ou_utf8_check(c->p + i, c->n - i, NULL, &k))
            k = c->n - i;
        ou_sb_put(&c->out, c->p + i, k);
        i += k;
        if (i >= c->n)
            break;
        uint32_t cp;
        int bad;
        const char *reason;
        if (ou_utf8_decode(c->p + i, c->n - i, &cp, &bad, &reason))
            continue;
        if (!final && reason[0] == 'u') /* unexpected end of data */
            break;
        size_t end = i + (size_t)bad;
        if (!decode_error(c, i, &end, reason))
            return false;
        i = end;
    }
    *at = i;
    return !c->out.failed;
}

static bool decode_utf16(Coding *c, size_t *at, bool final)
{
    const uint8_t *p = (const uint8_t *)c->p;
    bool big = c->codec.kind == UTF16_BE;
    size_t i = *at;
    while (i < c->n && !c->out.failed) {
        const char *reason = NULL;
        size_t end = i + 2;
        if (c->n - i < 2) {
            if (!final)
                break;
            reason = "truncated data";
            end = c->n;
        } else {
            uint32_t u = big ? (uint32_t)p[i] << 8 | p[i + 1] : (uint32_t)p[i + 1] << 8 | p[i];
            if (u < 0xD800 || u > 0xDFFF) {
                ou_sb_cp(&c->out, u);
                i += 2;
                continue;
            }
            if (u >= 0xDC00) {
                reason = "illegal encoding";
            } else if (c->n - i < 4) {
                if (!final)
                    break;
                reason = "unexpected end of data";
                end = c->n;
            } else {
                uint32_t v = big ? (uint32_t)p[i + 2] << 8 | p[i + 3] : (uint32_t)p[i + 3] << 8 | p[i + 2];
                if (v >= 0xDC00 && v <= 0xDFFF) {
                    ou_sb_cp(&c->out, 0x10000 + ((u - 0xD800) << 10) + (v - 0xDC00));
                    i += 4;
                    continue;
                }
                reason = "illegal UTF-16 surrogate";
            }
        }
        if (!decode_error(c, i, &end, reason))
            return false;
        i = end;
    }
    *at = i;
    return !c->out.failed;
}

static bool decode_utf32(Coding *c, size_t *at, bool final)
{
    const uint8_t *p = (const uint8_t *)c->p;
    bool big = c->codec.kind == UTF32_BE;
    size_t i = *at;
    while (i < c->n && !c->out.failed) {
        const char *reason;
        size_t end = i + 4;
        if (c->n - i < 4) {
            if (!final)
                break;
            reason = "truncated data";
            end = c->n;
        } else {
            uint32_t u = 0;
            for (int k = 0; k < 4; k++)
                u |= (uint32_t)p[i + (size_t)k] << 8 * (big ? 3 - k : k);
            if (u <= 0x10FFFF && (u < 0xD800 || u > 0xDFFF)) {
                ou_sb_cp(&c->out, u);
                i += 4;
                continue;
            }
            reason = u > 0x10FFFF ? "code point not in range(0x110000)"
                                  : "code point in surrogate code point range(0xd800, 0xe000)";
        }
        if (!decode_error(c, i, &end, reason))
            return false;
        i = end;
    }
    *at = i;
    return !c->out.failed;
}

static bool decode_bytewise(Coding *c, size_t *at)
{
    size_t i = *at;
    while (i < c->n && !c->out.failed) {
        size_t run = ou_utf8_ascii_run(c->p + i, c->n - i);
        ou_sb_put(&c->out, c->p + i, run);
        i += run;
        for (; i < c->n && (uint8_t)c->p[i] >= 0x80 && !c->out.failed;) {
            uint32_t u = (uint8_t)c->p[i];
            uint32_t cp = c->codec.kind == LATIN1 ? u : c->codec.kind == CHARMAP ? c->codec.map->upper[u - 128] : 0xFFFF;
            size_t end = i + 1;
            if (cp != 0xFFFF)
                ou_sb_cp(&c->out, cp);
            else if (!decode_error(c, i, &end, c->codec.kind == ASCII ? "ordinal not in range(128)" : "character maps to <undefined>"))
                return false;
            i = end;
        }
    }
    *at = i;
    return !c->out.failed;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool decode_escapes(Coding *c, size_t *at, bool raw, bool final)
{
    const char *s = c->p;
    size_t i = *at;
    while (i < c->n && !c->out.failed) {
        if (s[i] != '\\') {
            ou_sb_cp(&c->out, (uint8_t)s[i++]);
            continue;
        }
        size_t from = i, end;
        char e = i + 1 < c->n ? s[i + 1] : 0;
        const char *reason = NULL;
        if (raw && e != 'u' && e != 'U') {
            if (i + 1 >= c->n && !final)
                break;
            ou_sb_putc(&c->out, s[i++]);
            if (i < c->n)
                ou_sb_cp(&c->out, (uint8_t)s[i++]);
            continue;
        }
        if (i + 1 >= c->n) {
            if (!final)
                break;
            reason = "\\ at end of string";
            end = c->n;
        } else if (e == 'x' || e == 'u' || e == 'U') {
            size_t want = e == 'x' ? 2 : e == 'u' ? 4 : 8, k = 0;
            uint32_t cp = 0;
            while (k < want && i + 2 + k < c->n && hex_digit(s[i + 2 + k]) >= 0)
                cp = cp << 4 | (uint32_t)hex_digit(s[i + 2 + k++]);
            end = i + 2 + k;
            if (k < want) {
                if (!final && end >= c->n)
                    break;
                reason = e == 'x' ? "truncated \\xXX escape" : e == 'u' ? "truncated \\uXXXX escape" : "truncated \\UXXXXXXXX escape";
            } else if (cp > 0x10FFFF) {
                reason = raw ? "\\Uxxxxxxxx out of range" : "illegal Unicode character";
            } else {
                ou_sb_cp(&c->out, cp);
                i = end;
                continue;
            }
        } else if (e == 'N') {
            const char *close = i + 2 < c->n && s[i + 2] == '{' ? memchr(s + i, '}', c->n - i) : NULL;
            uint32_t cp[4];
            int k = 0;
            if (!close) {
                reason = "malformed \\N character escape";
                end = i + 2 < c->n && s[i + 2] == '{' ? c->n - 1 + (c->n - 1 == i + 2) : i + 2;
                if (end > i + 2 && end < c->n)
                    end = c->n;
                end = end > i + 3 ? c->n : end;
            } else {
                end = (size_t)(close - s) + 1;
                k = ou_uni_lookup(s + i + 3, (size_t)(close - s) - i - 3, cp);
                if (k == 1) {
                    ou_sb_cp(&c->out, cp[0]);
                    i = end;
                    continue;
                }
                reason = "unknown Unicode character name";
            }
        } else if (e >= '0' && e <= '7') {
            uint32_t cp = 0;
            end = i + 1;
            for (int k = 0; k < 3 && end < c->n && s[end] >= '0' && s[end] <= '7'; k++)
                cp = cp * 8 + (uint32_t)(s[end++] - '0');
            ou_sb_cp(&c->out, cp);
            i = end;
            continue;
        } else {
            static const char from_c[] = "\n\\'\"bfnrtva", to_c[] = "\0\\'\"\b\f\n\r\t\v\a";
            const char *q = memchr(from_c, e, sizeof from_c - 1);
            if (!q) {
                ou_sb_putc(&c->out, '\\');
                ou_sb_cp(&c->out, (uint8_t)e);
            } else if (e != '\n') {
                ou_sb_putc(&c->out, to_c[q - from_c]);
            }
            i += 2;
            continue;
        }
        if (!decode_error(c, from, &end, reason))
            return false;
        i = end;
    }
    *at = i;
    return !c->out.failed;
}

static bool decode_idna(Coding *c, size_t *at)
{
    for (size_t i = *at; i < c->n; i++) {
        if ((uint8_t)c->p[i] >= 0x80) {
            size_t end = i + 1;
            return decode_error(c, i, &end, "ordinal not in range(128)");
        }
    }
    size_t i = *at;
    for (;;) {
        const char *dot = memchr(c->p + i, '.', c->n - i);
        size_t end = dot ? (size_t)(dot - c->p) : c->n;
        bool puny = end - i > 4 && strncmp(c->p + i, "xn--", 4) == 0;
        if (!puny)
            ou_sb_put(&c->out, c->p + i, end - i);
        else if (!puny_decode(&c->out, c->p + i + 4, end - i - 4))
            return raise_error(c, i, end, "Invalid character U+002d");
        if (!dot)
            break;
        ou_sb_putc(&c->out, '.');
        i = end + 1;
    }
    *at = c->n;
    return !c->out.failed;
}

/* Takes the byte order mark and settles the byte order. False: too little data to know. */
static bool byte_order(Coding *c, size_t *at, bool final)
{
    bool wide = c->codec.kind == UTF32;
    size_t k = wide ? 4 : 2;
    const uint8_t *p = (const uint8_t *)c->p;
    if (c->n < k && !final)
        return false;
    bool little = c->n >= k && (wide ? memcmp(p, "\xFF\xFE\0", 4) : memcmp(p, "\xFF\xFE", 2)) == 0;
    bool big = c->n >= k && (wide ? memcmp(p, "\0\0\xFE\xFF", 4) : memcmp(p, "\xFE\xFF", 2)) == 0;
    if (little || big)
        *at = k;
    c->codec.kind = wide ? (big ? UTF32_BE : UTF32_LE) : (big ? UTF16_BE : UTF16_LE);
    c->codec.name = wide ? (big ? "utf-32-be" : "utf-32-le") : (big ? "utf-16-be" : "utf-16-le");
    return true;
}

Value ou_str_decode_partial(VM *vm, const char *p, size_t n, const char *encoding, const char *errors, bool final, size_t *consumed)
{
    Coding c = {.vm = vm, .errors = errors, .p = p, .n = n};
    *consumed = n;
    if (!find_codec(encoding, &c.codec)) {
        Value data = ou_bytes_new(vm, p, n);
        if (data == V_NULL)
            return V_NULL;
        Value r = search_codec(vm, encoding, 1, data, errors);
        release(vm, data);
        return r;
    }
    size_t count, at = 0;
    CodecKind k = c.codec.kind;
    if (k == UTF8 && ou_utf8_check(p, n, &count, NULL))
        return ou_str_counted(vm, p, n, count);
    ou_sb_init(&c.out, vm);
    bool ok = true;
    if ((k == UTF16 || k == UTF32) && !byte_order(&c, &at, final)) {
        *consumed = 0;
        return ou_str_new(vm, "", 0);
    }
    switch (c.codec.kind) {
    case UTF8_SIG:
        if (n < 3 && !final && memcmp(p, "\xEF\xBB\xBF", n) == 0)
            break;
        if (n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0)
            at = 3;
        __attribute__((fallthrough));
    case UTF8:
        ok = decode_utf8(&c, &at, final);
        break;
    case UTF16: case UTF16_LE: case UTF16_BE:
        ok = decode_utf16(&c, &at, final);
        break;
    case UTF32: case UTF32_LE: case UTF32_BE:
        ok = decode_utf32(&c, &at, final);
        break;
    case UNICODE_ESCAPE: case RAW_UNICODE_ESCAPE:
        ok = decode_escapes(&c, &at, c.codec.kind == RAW_UNICODE_ESCAPE, final);
        break;
    case IDNA:
        ok = decode_idna(&c, &at);
        break;
    case PUNYCODE:
        ok = puny_decode(&c.out, p, n) || raise_error(&c, 0, n, "invalid punycode");
        at = n;
        break;
    default:
        ok = decode_bytewise(&c, &at);
    }
    *consumed = at;
    if (ok)
        return ou_sb_finish(&c.out);
    ou_sb_drop(&c.out);
    if (vm->exc == V_NULL)
        ou_raise_memory(vm);
    return V_NULL;
}

Value ou_str_decode(VM *vm, const char *p, size_t n, const char *encoding, const char *errors)
{
    size_t consumed;
    return ou_str_decode_partial(vm, p, n, encoding, errors, true, &consumed);
}

/* ---- codecs of scripts -------------------------------------------------------------------------------------------------------------------- */

/* Asks the registered search functions; which 0: encode, 1: decode. The converted object, of the right type. */
static Value search_codec(VM *vm, const char *encoding, int which, Value arg, const char *errors)
{
    Value list = ou_dict_get_c(vm, vm->sysdict, "_codec_search");
    Value name = ou_str_c(vm, encoding), info = V_NONE;
    if (name == V_NULL)
        return V_NULL;
    if (list != V_NULL && is_exact(list, T_LIST)) {
        retain(list);
        for (uint32_t i = 0; i < as_list(list)->n && info == V_NONE; i++) {
            Value f = retain(as_list(list)->items[i]);
            info = ou_call1(vm, f, name);
            release(vm, f);
        }
        release(vm, list);
    }
    release(vm, name);
    if (info == V_NULL)
        return V_NULL;
    if (info == V_NONE)
        return ou_raise(vm, E_LOOKUP, "unknown encoding: %s", encoding);
    Value f = ou_is_a(vm, info, T_TUPLE) && as_tuple(info)->n >= 2 ? retain(as_tuple(info)->items[which]) : V_NULL;
    release(vm, info);
    if (f == V_NULL)
        return ou_raise(vm, E_TYPE, "codec search functions must return 4-tuples");
    Value err = ou_str_c(vm, errors ? errors : "strict");
    Value r = err == V_NULL ? V_NULL : ou_call2(vm, f, arg, err);
    xrelease(vm, err);
    release(vm, f);
    if (r == V_NULL)
        return V_NULL;
    Value out = is_exact(r, T_TUPLE) && as_tuple(r)->n == 2 ? retain(as_tuple(r)->items[0]) : V_NULL;
    release(vm, r);
    if (out == V_NULL)
        return ou_raise(vm, E_TYPE, "%s must return a tuple (object, integer)", which ? "decoder" : "encoder");
    if (!ou_is_a(vm, out, which ? T_STR : T_BYTES)) {
        ou_raise(vm, E_TYPE, "'%s' %s returned '%T' instead of '%s'; use codecs.%s() to %s to arbitrary types", encoding,
                 which ? "decoder" : "encoder", out, which ? "str" : "bytes", which ? "decode" : "encode",
                 which ? "decode" : "encode");
        release(vm, out);
        return V_NULL;
    }
    return out;
}
