/* UTF-8 and its generalisation to lone surrogates (WTF-8: U+D800..DFFF as three bytes each).
 * May be included by everybody. The inline functions trust their input; ou_utf8_check is what makes bytes trustworthy. */
#ifndef OU_UTF8_H
#define OU_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The code point at *p, which is moved behind it. */
static inline uint32_t utf8_next(const char **p)
{
    const uint8_t *s = (const uint8_t *)*p;
    uint32_t c = s[0];
    if (c < 0x80) {
        *p += 1;
        return c;
    }
    if (c < 0xE0) {
        *p += 2;
        return (c & 0x1F) << 6 | (s[1] & 0x3F);
    }
    if (c < 0xF0) {
        *p += 3;
        return (c & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    }
    *p += 4;
    return (c & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 | (uint32_t)(s[2] & 0x3F) << 6 | (s[3] & 0x3F);
}

/* The code point that ends before *p, which is moved to its start. */
static inline uint32_t utf8_prev(const char **p)
{
    do
        --*p;
    while (((uint8_t)**p & 0xC0) == 0x80);
    const char *q = *p;
    return utf8_next(&q);
}

static inline size_t utf8_len(uint32_t cp) { return cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4; }

static inline size_t utf8_put(char *d, uint32_t cp) /* number of bytes written, at most 4 */
{
    if (cp < 0x80) {
        d[0] = (char)cp;
        return 1;
    }
    if (cp < 0x800) {
        d[0] = (char)(0xC0 | cp >> 6);
        d[1] = (char)(0x80 | (cp & 0x3F));
        return 2;
    }
    if (cp < 0x10000) {
        d[0] = (char)(0xE0 | cp >> 12);
        d[1] = (char)(0x80 | (cp >> 6 & 0x3F));
        d[2] = (char)(0x80 | (cp & 0x3F));
        return 3;
    }
    d[0] = (char)(0xF0 | cp >> 18);
    d[1] = (char)(0x80 | (cp >> 12 & 0x3F));
    d[2] = (char)(0x80 | (cp >> 6 & 0x3F));
    d[3] = (char)(0x80 | (cp & 0x3F));
    return 4;
}

size_t ou_utf8_count(const char *p, size_t n);     /* code points in valid text */
size_t ou_utf8_ascii_run(const char *p, size_t n); /* bytes below 0x80 at the start */
/* One code point from untrusted bytes: its length, or 0 when p does not begin a strict UTF-8 sequence. *bad is then the
 * number of bytes that are wrong together (what one replacement character stands for), *reason CPython's words. */
int ou_utf8_decode(const char *p, size_t n, uint32_t *cp, int *bad, const char **reason);
/* Strict UTF-8? Counts code points meanwhile; on false *at is the offset of the first wrong byte. Out pointers may be NULL. */
bool ou_utf8_check(const char *p, size_t n, size_t *count, size_t *at);
const char *ou_mem_find(const char *h, size_t n, const char *needle, size_t m);  /* first occurrence or NULL */
const char *ou_mem_rfind(const char *h, size_t n, const char *needle, size_t m); /* last occurrence or NULL */
size_t ou_mem_count(const char *h, size_t n, const char *needle, size_t m, size_t max); /* without overlaps; m > 0 */
uint64_t ou_mem_hash(const void *p, size_t n, uint64_t seed);

#endif
