/* Stretches of text that convert without a question: UTF-16, UTF-32, Latin-1 and the maps of 256 characters, both ways.
 * Entry points: ou_codec_encode_run, ou_codec_decode_run. The one thing to know: a run makes room for a block of output at once and
 * stops in front of whatever needs an error handler or more input; the loops in codecs.c and codecs_decode.c deal with that one. */
#include "runtime/base/utf8.h"
#include "runtime/objects/codecs_impl.h"

enum { BLOCK = 4096 }; /* input of one run: what bounds the room that is asked for and not used */

/* How many of the eight bytes at p are ASCII before the first that is not. All loops below convert eight, and keep so many. */
static size_t ascii_of_eight(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    w &= UINT64_C(0x8080808080808080);
    return w ? (size_t)__builtin_ctzll(w) >> 3 : 8;
}

/* Eight ASCII characters as units of two or four bytes, by shifts and masks: gcc 12 makes much slower code of loops. */
static uint64_t spread(uint64_t x) /* four bytes to four units of two */
{
    x = (x | x << 16) & UINT64_C(0x0000FFFF0000FFFF);
    return (x | x << 8) & UINT64_C(0x00FF00FF00FF00FF);
}
static void widen16(char *d, const char *p, bool big)
{
    uint64_t w;
    memcpy(&w, p, 8);
    uint64_t u[2] = {spread(w & 0xFFFFFFFF), spread(w >> 32)};
    if (big) {
        u[0] <<= 8;
        u[1] <<= 8;
    }
    memcpy(d, u, sizeof u);
}
static void widen32(char *d, const char *p, bool big)
{
    for (int i = 0; i < 8; i += 2) {
        uint64_t u = (uint64_t)(uint8_t)p[i] | (uint64_t)(uint8_t)p[i + 1] << 32;
        if (big)
            u <<= 24;
        memcpy(d + 4 * i, &u, 8);
    }
}
static uint64_t narrow(uint64_t u, bool big) /* and back, in the lower half */
{
    if (big)
        u >>= 8;
    u = (u | u >> 8) & UINT64_C(0x0000FFFF0000FFFF);
    return (u | u >> 16) & 0xFFFFFFFF;
}
static char *put16(char *d, uint32_t u, bool big)
{
    uint16_t x = (uint16_t)(big ? u << 8 | u >> 8 : u);
    memcpy(d, &x, 2);
    return d + 2;
}
static char *put32(char *d, uint32_t u, bool big)
{
    if (big)
        u = __builtin_bswap32(u);
    memcpy(d, &u, 4);
    return d + 4;
}
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "units are written in the machine's order");

static bool is_surrogate(uint32_t cp) { return cp >= 0xD800 && cp < 0xE000; }

static char *encode16(char *d, const char **at, const char *end, size_t *count, bool big)
{
    const char *p = *at, *from = p;
    size_t extra = 0; /* bytes that begin no code point */
    while (p < end) {
        if (end - p >= 8 && (uint8_t)*p < 0x80) {
            size_t k = ascii_of_eight(p);
            widen16(d, p, big);
            d += 2 * k;
            p += k;
            if (k == 8)
                continue;
        }
        const char *q = p;
        uint32_t cp = utf8_next(&q);
        if (is_surrogate(cp))
            break;
        if (cp >= 0x10000) {
            d = put16(d, 0xD7C0 + (cp >> 10), big);
            cp = 0xDC00 + (cp & 0x3FF);
        }
        d = put16(d, cp, big);
        extra += (size_t)(q - p) - 1;
        p = q;
    }
    *count = (size_t)(p - from) - extra;
    *at = p;
    return d;
}
static char *encode32(char *d, const char **at, const char *end, size_t *count, bool big)
{
    const char *p = *at, *from = p;
    size_t extra = 0;
    while (p < end) {
        if (end - p >= 8 && (uint8_t)*p < 0x80) {
            size_t k = ascii_of_eight(p);
            widen32(d, p, big);
            d += 4 * k;
            p += k;
            if (k == 8)
                continue;
        }
        const char *q = p;
        uint32_t cp = utf8_next(&q);
        if (is_surrogate(cp))
            break;
        d = put32(d, cp, big);
        extra += (size_t)(q - p) - 1;
        p = q;
    }
    *count = (size_t)(p - from) - extra;
    *at = p;
    return d;
}
static char *encode_latin1(char *d, const char **at, const char *end, size_t *count)
{
    const char *p = *at;
    char *from = d;
    while (p < end) {
        if (end - p >= 8 && (uint8_t)*p < 0x80) {
            size_t k = ascii_of_eight(p);
            memcpy(d, p, 8);
            d += k;
            p += k;
            if (k == 8)
                continue;
        }
        if ((uint8_t)*p < 0x80) {
            *d++ = *p++;
            continue;
        }
        if ((uint8_t)*p > 0xC3)
            break;
        *d++ = (char)((uint8_t)*p << 6 | ((uint8_t)p[1] & 0x3F));
        p += 2;
    }
    *count = (size_t)(d - from);
    *at = p;
    return d;
}

/* The upper half of a map by its characters: places 128 to 255, 0: none, found by hashing. */
typedef struct Reverse {
    const Charmap *map;
    uint8_t at[512];
} Reverse;
static uint32_t hash_of(uint32_t cp) { return (cp * 0x9E3779B1u) >> 23; }
static void reverse_fill(Reverse *r, const Charmap *map)
{
    memset(r->at, 0, sizeof r->at);
    r->map = map;
    for (int i = 0; i < 128; i++) {
        if (map->upper[i] == 0xFFFF)
            continue;
        uint32_t k = hash_of(map->upper[i]);
        while (r->at[k] && map->upper[r->at[k] - 128] != map->upper[i])
            k = (k + 1) & 511;
        if (!r->at[k])
            r->at[k] = (uint8_t)(i + 128);
    }
}
static uint8_t reverse_find(const Reverse *r, uint32_t cp)
{
    uint32_t k = hash_of(cp);
    while (r->at[k] && r->map->upper[r->at[k] - 128] != cp)
        k = (k + 1) & 511;
    return r->at[k];
}
static char *encode_mapped(char *d, const char **at, const char *end, size_t *count, const Charmap *map)
{
    const char *p = *at;
    char *from = d;
    Reverse r;
    reverse_fill(&r, map);
    while (p < end) {
        const char *q = p;
        uint32_t cp = utf8_next(&q);
        uint8_t b = cp < 128 ? (uint8_t)cp : reverse_find(&r, cp);
        if (!b && cp)
            break;
        *d++ = (char)b;
        p = q;
    }
    *count = (size_t)(d - from);
    *at = p;
    return d;
}

size_t ou_codec_encode_run(Coding *c, const char **at, const char *end)
{
    CodecKind k = c->codec.kind;
    size_t n = (size_t)(end - *at), count = 0;
    if (n > BLOCK) { /* not within a code point */
        n = BLOCK;
        while (((*at)[n] & 0xC0) == 0x80)
            n++;
        end = *at + n;
    }
    bool wide = k == UTF32 || k == UTF32_LE || k == UTF32_BE, half = k == UTF16 || k == UTF16_LE || k == UTF16_BE;
    if (!wide && !half && k != LATIN1 && (k != CHARMAP || n < 16))
        return 0;
    char *d = ou_sb_room(&c->out, n * (wide ? 4 : half ? 2 : 1)), *from = d;
    if (!d)
        return 0;
    d = wide   ? encode32(d, at, end, &count, k == UTF32_BE)
        : half ? encode16(d, at, end, &count, k == UTF16_BE)
        : k == LATIN1 ? encode_latin1(d, at, end, &count)
                      : encode_mapped(d, at, end, &count, c->codec.map);
    c->out.n += (size_t)(d - from);
    return count;
}

static char *decode16(char *d, const char **at, const char *end, bool big)
{
    const char *p = *at;
    while (end - p >= 2) {
        while (end - p >= 16) { /* eight ASCII characters */
            uint64_t w[2];
            memcpy(w, p, sizeof w);
            if ((w[0] | w[1]) & (big ? UINT64_C(0x80FF80FF80FF80FF) : UINT64_C(0xFF80FF80FF80FF80)))
                break;
            w[0] = narrow(w[0], big) | narrow(w[1], big) << 32;
            memcpy(d, w, 8);
            d += 8;
            p += 16;
        }
        if (end - p < 2)
            break;
        uint16_t u;
        memcpy(&u, p, 2);
        if (big)
            u = (uint16_t)(u << 8 | u >> 8);
        if (!is_surrogate(u)) {
            d += utf8_put(d, u);
            p += 2;
            continue;
        }
        uint16_t v = 0;
        if (u < 0xDC00 && end - p >= 4)
            memcpy(&v, p + 2, 2);
        if (big)
            v = (uint16_t)(v << 8 | v >> 8);
        if (v < 0xDC00 || v > 0xDFFF)
            break;
        d += utf8_put(d, 0x10000 + ((uint32_t)(u - 0xD800) << 10) + (v - 0xDC00u));
        p += 4;
    }
    *at = p;
    return d;
}
static char *decode32(char *d, const char **at, const char *end, bool big)
{
    const char *p = *at;
    for (; end - p >= 4; p += 4) {
        uint32_t u;
        memcpy(&u, p, 4);
        if (big)
            u = __builtin_bswap32(u);
        if (u > 0x10FFFF || is_surrogate(u))
            break;
        d += utf8_put(d, u);
    }
    *at = p;
    return d;
}
static char *decode_bytes(char *d, const char **at, const char *end, const Charmap *map)
{
    const char *p = *at;
    while (p < end) {
        if (end - p >= 8 && (uint8_t)*p < 0x80) {
            size_t k = ascii_of_eight(p);
            memcpy(d, p, 8);
            d += k;
            p += k;
            if (k == 8)
                continue;
        }
        uint32_t u = (uint8_t)*p, cp = u < 128 || !map ? u : map->upper[u - 128];
        if (map && cp == 0xFFFF)
            break;
        d += utf8_put(d, cp);
        p++;
    }
    *at = p;
    return d;
}

size_t ou_codec_decode_run(Coding *c, size_t from)
{
    CodecKind k = c->codec.kind;
    const char *p = c->p + from, *start = p, *end = c->p + c->n;
    bool wide = k == UTF32_LE || k == UTF32_BE, half = k == UTF16_LE || k == UTF16_BE;
    if (end - p > BLOCK)
        end = p + BLOCK;
    size_t n = (size_t)(end - p);
    char *d = ou_sb_room(&c->out, wide ? n : half ? n / 2 * 3 : n * (k == LATIN1 ? 2 : 3)), *first = d;
    if (!d)
        return 0;
    d = wide ? decode32(d, &p, end, k == UTF32_BE) : half ? decode16(d, &p, end, k == UTF16_BE) : decode_bytes(d, &p, end, c->codec.map);
    c->out.n += (size_t)(d - first);
    return (size_t)(p - start);
}
