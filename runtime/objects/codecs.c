/* Text encodings: their names, and str to bytes. Decoding is in codecs_decode.c, the error handlers in codecs_errors.c, punycode and
 * IDNA in codecs_idna.c.
 * Entry points: ou_str_encode, ou_codec_find. The one thing to know: a codec walks its input and hands every piece it cannot convert
 * to ou_codec_encode_error or ou_codec_decode_error. Encodings that are not built in are looked for by the search functions that
 * scripts registered (a list in sys.__dict__ under "_codec_search"). */
#include "runtime/objects/codecs_impl.h"

#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/charmaps.h"

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

bool ou_codec_find(const char *name, Codec *out)
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
    return ou_codec_find(encoding, &c) ? c.official : NULL;
}

/* Asks the registered search functions; which 0: encode, 1: decode. The converted object, of the right type. */
Value ou_codec_search(VM *vm, const char *encoding, int which, Value arg, const char *errors)
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
bool ou_codec_put(Coding *c, uint32_t cp)
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
        i += ou_codec_encode_run(c, &p, end);
        if (p >= end || c->out.failed)
            break;
        const char *q = p;
        uint32_t cp = utf8_next(&q);
        if (ou_codec_put(c, cp)) {
            p = q;
            i++;
            continue;
        }
        /* What cannot be encoded together is reported together, but for surrogates in units. */
        size_t from = i, to = i + 1, mark = c->out.n;
        bool alone = c->codec.kind >= UTF16 && c->codec.kind <= UTF32_BE;
        for (p = q; p < end && !alone; to++) {
            q = p;
            if (ou_codec_put(c, utf8_next(&q)))
                break;
            p = q;
        }
        c->out.n = mark;
        if (!ou_codec_encode_error(c, from, &to, reasons[c->codec.kind]))
            return false;
        p = s->data + ou_str_offset(c->vm, s, (int64_t)to);
        i = to;
    }
    return !c->out.failed;
}

/* Text is UTF-8 already but for surrogates, which stand there as 0xED 0xA0.. to 0xED 0xBF... */
static bool has_surrogate(const Str *t)
{
    const char *end = t->data + t->size;
    for (const char *p = t->data; (p = memchr(p, 0xED, (size_t)(end - p))) != NULL; p++)
        if ((uint8_t)p[1] >= 0xA0)
            return true;
    return false;
}

Value ou_str_encode(VM *vm, Value s, const char *encoding, const char *errors)
{
    Coding c = {.vm = vm, .errors = errors, .text = as_str(s)};
    Str *t = c.text;
    if (!ou_codec_find(encoding, &c.codec))
        return ou_codec_search(vm, encoding, 0, s, errors);
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
        if (has_surrogate(t))
            ok = encode_all(&c);
        else if (k == UTF8)
            return ou_bytes_new(vm, t->data, t->size);
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
        ok = ou_codec_idna_encode(&c);
        break;
    case PUNYCODE:
        ou_codec_puny_encode(&c.out, t->data, t->size);
        break;
    default:
        ok = encode_all(&c);
    }
    Value r = ok && !c.out.failed ? ou_bytes_new(vm, c.out.p, c.out.n) : V_NULL;
    ou_sb_drop(&c.out);
    return r;
}
