/* Bytes to str.
 * Entry points: ou_str_decode, ou_str_decode_partial. The one thing to know: all decoders go on from *at and stop at the end or, when
 * more may come (not final), before an incomplete sequence. */
#include "runtime/objects/codecs_impl.h"

#include "runtime/base/unicode.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"

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
        if (!ou_codec_decode_error(c, i, &end, reason))
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
        size_t run = ou_codec_decode_run(c, i);
        i += run;
        if (run)
            continue;
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
        if (!ou_codec_decode_error(c, i, &end, reason))
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
        size_t run = ou_codec_decode_run(c, i);
        i += run;
        if (run)
            continue;
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
        if (!ou_codec_decode_error(c, i, &end, reason))
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
        if (c->codec.kind != ASCII) {
            i += ou_codec_decode_run(c, i);
            if (i >= c->n)
                break;
        }
        size_t run = ou_utf8_ascii_run(c->p + i, c->n - i);
        ou_sb_put(&c->out, c->p + i, run);
        i += run;
        for (; i < c->n && (uint8_t)c->p[i] >= 0x80 && !c->out.failed;) {
            uint32_t u = (uint8_t)c->p[i];
            uint32_t cp = c->codec.kind == LATIN1 ? u : c->codec.kind == CHARMAP ? c->codec.map->upper[u - 128] : 0xFFFF;
            size_t end = i + 1;
            if (cp != 0xFFFF)
                ou_sb_cp(&c->out, cp);
            else if (!ou_codec_decode_error(c, i, &end, c->codec.kind == ASCII ? "ordinal not in range(128)" : "character maps to <undefined>"))
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
        if (!ou_codec_decode_error(c, from, &end, reason))
            return false;
        i = end;
    }
    *at = i;
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
    if (!ou_codec_find(encoding, &c.codec)) {
        Value data = ou_bytes_new(vm, p, n);
        if (data == V_NULL)
            return V_NULL;
        Value r = ou_codec_search(vm, encoding, 1, data, errors);
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
        ok = ou_codec_idna_decode(&c, &at);
        break;
    case PUNYCODE:
        ok = ou_codec_puny_decode(&c.out, p, n) || ou_codec_raise(&c, 0, n, "invalid punycode");
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
