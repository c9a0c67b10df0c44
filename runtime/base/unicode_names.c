/* Names of characters, for \N{...}, unicodedata and the namereplace handler.
 * Entry points: ou_uni_name, ou_uni_lookup. The one thing to know: names are sequences of 16-bit word numbers; a lookup turns
 * the wanted name into word numbers and scans for that sequence, which takes microseconds and needs no index. */
#include <stdio.h>
#include <string.h>

#include "ou_config.h"
#include "runtime/base/unicode.h"

/* Names made of a prefix and the code point in hexadecimal. */
static const struct {
    uint32_t first, last;
    const char *prefix;
} ruled[] = {
    {0x3400, 0x4DBF, "CJK UNIFIED IDEOGRAPH-"},      {0x4E00, 0x9FFF, "CJK UNIFIED IDEOGRAPH-"},
    {0x20000, 0x2A6DF, "CJK UNIFIED IDEOGRAPH-"},    {0x2A700, 0x2B739, "CJK UNIFIED IDEOGRAPH-"},
    {0x2B740, 0x2B81D, "CJK UNIFIED IDEOGRAPH-"},    {0x2B820, 0x2CEA1, "CJK UNIFIED IDEOGRAPH-"},
    {0x2CEB0, 0x2EBE0, "CJK UNIFIED IDEOGRAPH-"},    {0x2EBF0, 0x2EE5D, "CJK UNIFIED IDEOGRAPH-"},
    {0x30000, 0x3134A, "CJK UNIFIED IDEOGRAPH-"},    {0x31350, 0x323AF, "CJK UNIFIED IDEOGRAPH-"},
    {0xF900, 0xFA6D, "CJK COMPATIBILITY IDEOGRAPH-"}, {0xFA70, 0xFAD9, "CJK COMPATIBILITY IDEOGRAPH-"},
    {0x2F800, 0x2FA1D, "CJK COMPATIBILITY IDEOGRAPH-"}, {0x17000, 0x187F7, "TANGUT IDEOGRAPH-"},
    {0x18D00, 0x18D08, "TANGUT IDEOGRAPH-"},         {0x1B170, 0x1B2FB, "NUSHU CHARACTER-"},
    {0x18B00, 0x18CD5, "KHITAN SMALL SCRIPT CHARACTER-"},
};
/* The parts of Hangul syllables. */
static const char *const leads[] = {"G", "GG", "N", "D", "DD", "R", "M", "B", "BB", "S", "SS", "", "J", "JJ", "C", "K", "T", "P", "H"};
static const char *const vowels[] = {"A",  "AE", "YA", "YAE", "EO", "E",  "YEO", "YE", "O",  "WA", "WAE",
                                     "OE", "YO", "U",  "WEO", "WE", "WI", "YU",  "EU", "YI", "I"};
static const char *const trails[] = {"",  "G",  "GG", "GS", "N", "NJ", "NH", "D", "L",  "LG", "LM", "LB", "LS", "LT",
                                     "LP", "LH", "M", "B",  "BS", "S", "SS", "NG", "J", "C",  "K",  "T",  "P",  "H"};

#if OU_UNICODE_NAMES
typedef struct NameRun {
    uint32_t cp, start, count;
} NameRun;
typedef struct NameAlias {
    uint32_t cp, start;
} NameAlias;
#include "runtime/base/unicode_names_data.h"

#define LENGTH(a) (sizeof(a) / sizeof *(a))
enum { NAME_END = 0x8000 };

static size_t put_name(const uint16_t *cell, char *out, size_t size)
{
    size_t n = 0;
    for (;; cell++) {
        uint32_t w = *cell & (NAME_END - 1), len = word_offsets[w + 1] - word_offsets[w];
        if (n + len + 2 > size)
            return 0;
        memcpy(out + n, word_text + word_offsets[w], len);
        n += len;
        if (*cell & NAME_END)
            break;
        out[n++] = ' ';
    }
    out[n] = 0;
    return n;
}

static bool table_name(uint32_t c, char *out, size_t size)
{
    size_t lo = 0, hi = LENGTH(name_runs);
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (name_runs[mid].cp <= c)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == 0 || c - name_runs[lo - 1].cp >= name_runs[lo - 1].count)
        return false;
    const uint16_t *cell = name_cells + name_runs[lo - 1].start;
    for (uint32_t i = c - name_runs[lo - 1].cp; i > 0; i--)
        while (!(*cell++ & NAME_END))
            ;
    return put_name(cell, out, size) > 0;
}

static int find_word(const char *p, size_t n)
{
    size_t lo = 0, hi = LENGTH(word_offsets) - 1;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const char *w = word_text + word_offsets[mid];
        size_t len = word_offsets[mid + 1] - word_offsets[mid];
        int c = memcmp(w, p, len < n ? len : n);
        if (c == 0 && len == n)
            return (int)mid;
        if (c < 0 || (c == 0 && len < n))
            lo = mid + 1;
        else
            hi = mid;
    }
    return -1;
}

static int table_lookup(const char *name, size_t n, uint32_t out[4])
{
    uint16_t want[24];
    size_t k = 0;
    const char *end = name + n;
    for (;;) {
        const char *sp = memchr(name, ' ', (size_t)(end - name));
        int w = find_word(name, (size_t)((sp ? sp : end) - name));
        if (w < 0 || k == 24)
            return 0;
        want[k++] = (uint16_t)w;
        if (!sp)
            break;
        name = sp + 1;
    }
    want[k - 1] |= NAME_END;
    for (size_t r = 0; r < LENGTH(name_runs); r++) {
        const uint16_t *cell = name_cells + name_runs[r].start;
        for (uint32_t i = 0; i < name_runs[r].count; i++) {
            const uint16_t *from = cell;
            while (!(*cell++ & NAME_END))
                ;
            if ((size_t)(cell - from) == k && memcmp(from, want, k * sizeof *want) == 0) {
                out[0] = name_runs[r].cp + i;
                return 1;
            }
        }
    }
    for (size_t i = 0; i < LENGTH(name_aliases); i++) {
        size_t start = name_aliases[i].start;
        if (k <= LENGTH(name_cells) - start && memcmp(name_cells + start, want, k * sizeof *want) == 0) {
            out[0] = name_aliases[i].cp;
            return 1;
        }
    }
    return 0;
}
#else
static bool table_name(uint32_t c, char *out, size_t size)
{
    (void)c, (void)out, (void)size;
    return false;
}
static int table_lookup(const char *name, size_t n, uint32_t out[4])
{
    (void)name, (void)n, (void)out;
    return 0;
}
#endif

bool ou_uni_name(uint32_t c, char *out, size_t size)
{
    if (c >= 0xAC00 && c <= 0xD7A3) {
        uint32_t i = c - 0xAC00;
        snprintf(out, size, "HANGUL SYLLABLE %s%s%s", leads[i / 588], vowels[i / 28 % 21], trails[i % 28]);
        return true;
    }
    for (size_t i = 0; i < sizeof ruled / sizeof *ruled; i++) {
        if (c >= ruled[i].first && c <= ruled[i].last) {
            snprintf(out, size, "%s%X", ruled[i].prefix, (unsigned)c);
            return true;
        }
    }
    return table_name(c, out, size);
}

/* The longest of the parts that *p begins with. */
static int take_part(const char **p, const char *end, const char *const *parts, int count)
{
    int best = -1;
    size_t best_len = 0;
    for (int i = 0; i < count; i++) {
        size_t len = strlen(parts[i]);
        if ((best < 0 || len > best_len) && (size_t)(end - *p) >= len && memcmp(*p, parts[i], len) == 0) {
            best = i;
            best_len = len;
        }
    }
    *p += best_len;
    return best;
}

int ou_uni_lookup(const char *name, size_t n, uint32_t out[4])
{
    char up[96];
    if (n == 0 || n >= sizeof up)
        return 0;
    for (size_t i = 0; i < n; i++)
        up[i] = name[i] >= 'a' && name[i] <= 'z' ? (char)(name[i] - 32) : name[i];
    up[n] = 0;
    if (strncmp(up, "HANGUL SYLLABLE ", 16) == 0) {
        const char *p = up + 16, *end = up + n;
        int l = take_part(&p, end, leads, 19), v = take_part(&p, end, vowels, 21), t = take_part(&p, end, trails, 28);
        if (l < 0 || v < 0 || t < 0 || p != end)
            return 0;
        out[0] = 0xAC00u + (uint32_t)((l * 21 + v) * 28 + t);
        return 1;
    }
    for (size_t i = 0; i < sizeof ruled / sizeof *ruled; i++) {
        size_t len = strlen(ruled[i].prefix);
        if (n > len && memcmp(up, ruled[i].prefix, len) == 0) {
            unsigned c = 0, used = 0;
            if (sscanf(up + len, "%X%n", &c, (int *)&used) == 1 && used == n - len && c >= ruled[i].first && c <= ruled[i].last) {
                out[0] = c;
                return 1;
            }
        }
    }
    return table_lookup(up, n, out);
}
