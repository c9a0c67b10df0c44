/* Counting, checking and searching UTF-8 text, and the hash of byte strings.
 * Entry points: see utf8.h. The one thing to know: searches work on bytes, which is right for UTF-8 because no code
 * point's bytes occur inside another's. */
#include "runtime/base/utf8.h"

#include <string.h>

size_t ou_utf8_ascii_run(const char *p, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w;
        memcpy(&w, p + i, 8);
        if (w & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < n && (uint8_t)p[i] < 0x80)
        i++;
    return i;
}

/* How many of up to 255 * 8 bytes are of the form 10xxxxxx: a counter in each of eight lanes. */
static size_t count_tails(const char *p, size_t words)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), even = UINT64_C(0x00FF00FF00FF00FF);
    uint64_t lanes = 0;
    for (size_t i = 0; i < words; i++) {
        uint64_t w;
        memcpy(&w, p + 8 * i, 8);
        lanes += w >> 7 & ~(w >> 6) & ones;
    }
    lanes = (lanes & even) + (lanes >> 8 & even);
    return (size_t)((lanes * UINT64_C(0x0001000100010001)) >> 48);
}

size_t ou_utf8_count(const char *p, size_t n)
{
    size_t count = n, i = 0;
    while (n - i >= 8) {
        size_t words = (n - i) / 8 < 255 ? (n - i) / 8 : 255;
        count -= count_tails(p + i, words);
        i += 8 * words;
    }
    for (; i < n; i++)
        count -= ((uint8_t)p[i] & 0xC0) == 0x80;
    return count;
}

int ou_utf8_decode(const char *p, size_t n, uint32_t *cp, int *bad, const char **reason)
{
    const uint8_t *s = (const uint8_t *)p;
    uint32_t c = s[0];
    if (c < 0x80) {
        *cp = c;
        return 1;
    }
    *bad = 1;
    *reason = "invalid start byte";
    if (c < 0xC2 || c > 0xF4)
        return 0;
    int need = c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    /* The second byte's range excludes overlong forms, surrogates and what lies above U+10FFFF. */
    uint32_t lo = c == 0xE0 ? 0xA0 : c == 0xF0 ? 0x90 : 0x80;
    uint32_t hi = c == 0xED ? 0x9F : c == 0xF4 ? 0x8F : 0xBF;
    uint32_t v = c & (0x7Fu >> need);
    for (int i = 1; i < need; i++) {
        if ((size_t)i >= n) {
            *bad = i;
            *reason = "unexpected end of data";
            return 0;
        }
        if (s[i] < lo || s[i] > hi) {
            *bad = i;
            *reason = "invalid continuation byte";
            return 0;
        }
        lo = 0x80;
        hi = 0xBF;
        v = v << 6 | (s[i] & 0x3F);
    }
    *cp = v;
    return need;
}

bool ou_utf8_check(const char *p, size_t n, size_t *count, size_t *at)
{
    size_t i = 0, k = 0;
    while (i < n) {
        size_t run = ou_utf8_ascii_run(p + i, n - i);
        i += run;
        k += run;
        while (i < n && (uint8_t)p[i] >= 0x80) {
            uint32_t cp;
            int bad;
            const char *reason;
            int len = ou_utf8_decode(p + i, n - i, &cp, &bad, &reason);
            if (!len) {
                if (at)
                    *at = i;
                return false;
            }
            i += (size_t)len;
            k++;
        }
    }
    if (count)
        *count = k;
    return true;
}

const char *ou_mem_find(const char *h, size_t n, const char *needle, size_t m)
{
    if (m == 0)
        return h;
    if (n < m)
        return NULL;
    if (m == 1)
        return memchr(h, (uint8_t)needle[0], n);
    return memmem(h, n, needle, m);
}

const char *ou_mem_rfind(const char *h, size_t n, const char *needle, size_t m)
{
    if (n < m)
        return NULL;
    if (m == 0)
        return h + n;
    if (m == 1)
        return memrchr(h, (uint8_t)needle[0], n);
    /* Horspool from the right: the skip table is by the window's first byte. */
    uint8_t first = (uint8_t)needle[0];
    size_t skip[256];
    for (int i = 0; i < 256; i++)
        skip[i] = m;
    for (size_t i = m - 1; i > 0; i--)
        skip[(uint8_t)needle[i]] = i;
    const char *p = h + n - m;
    for (;;) {
        uint8_t c = (uint8_t)*p;
        if (c == first && memcmp(p, needle, m) == 0)
            return p;
        size_t step = skip[c];
        if ((size_t)(p - h) < step)
            return NULL;
        p -= step;
    }
}

size_t ou_mem_count(const char *h, size_t n, const char *needle, size_t m, size_t max)
{
    size_t k = 0;
    const char *end = h + n;
    if (m == 1 && max >= n) { /* one byte may be everywhere: no search from hit to hit */
        for (size_t i = 0; i < n; i++)
            k += h[i] == *needle;
        return k;
    }
    while (k < max) {
        const char *p = ou_mem_find(h, (size_t)(end - h), needle, m);
        if (!p)
            break;
        k++;
        h = p + m;
    }
    return k;
}

uint64_t ou_mem_hash(const void *data, size_t n, uint64_t seed)
{
    /* Multiply-and-fold over eight bytes at a time; the seed keeps table orders unpredictable from outside. */
    const uint64_t k = UINT64_C(0x9E3779B97F4A7C15);
    const char *p = data;
    uint64_t h = (seed + n) * k ^ seed << 32;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = (h ^ w) * k;
        h ^= h >> 29;
    }
    uint64_t w = 0;
    for (size_t i = 0; i < n; i++)
        w |= (uint64_t)(uint8_t)p[i] << 8 * i;
    h = (h ^ w) * k;
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}
