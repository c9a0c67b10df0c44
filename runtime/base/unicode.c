/* Unicode properties: utf8proc's categories and simple mappings, completed by the tables of unicode_data.h.
 * Entry points: unicode.h. The one thing to know: ASCII is decided before any table is touched. */
#include "runtime/base/unicode.h"

#include <stddef.h>
#include <utf8proc.h>

typedef struct UniRange {
    uint32_t first, last;
} UniRange;
typedef struct UniSpecial {
    uint32_t cp;
    uint32_t to[3];
} UniSpecial;

#include "runtime/base/unicode_data.h"

#define LENGTH(a) (sizeof(a) / sizeof *(a))
#define IN(table, c) in_ranges(table, LENGTH(table), c)
#define CAT_BIT(name) (1u << UTF8PROC_CATEGORY_##name)

static bool in_ranges(const UniRange *r, size_t n, uint32_t c)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (c > r[mid].last)
            lo = mid + 1;
        else if (c < r[mid].first)
            hi = mid;
        else
            return true;
    }
    return false;
}

static uint32_t cat_bit(uint32_t c)
{
    /* Unicode 15.1's additions, which a utf8proc for 15.0 does not know. */
    if (c >= 0x2EBF0 && c <= 0x2EE5D)
        return CAT_BIT(LO);
    if ((c >= 0x2FFC && c <= 0x2FFF) || c == 0x31EF)
        return CAT_BIT(SO);
    return 1u << utf8proc_category((utf8proc_int32_t)c);
}

bool ou_uni_is_printable(uint32_t c)
{
    if (c < 0x7F)
        return c >= 0x20;
    return !(cat_bit(c) & (CAT_BIT(CC) | CAT_BIT(CF) | CAT_BIT(CS) | CAT_BIT(CO) | CAT_BIT(CN) | CAT_BIT(ZL) |
                           CAT_BIT(ZP) | CAT_BIT(ZS)));
}

bool ou_uni_is_space(uint32_t c)
{
    if (c < 0x80)
        return c == 0x20 || (c >= 9 && c <= 13) || (c >= 0x1C && c <= 0x1F);
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

bool ou_uni_is_linebreak(uint32_t c)
{
    return (c >= 10 && c <= 13) || (c >= 0x1C && c <= 0x1E) || c == 0x85 || c == 0x2028 || c == 0x2029;
}

bool ou_uni_is_alpha(uint32_t c)
{
    if (c < 0x80)
        return (c | 32) >= 'a' && (c | 32) <= 'z';
    return (cat_bit(c) & (CAT_BIT(LU) | CAT_BIT(LL) | CAT_BIT(LT) | CAT_BIT(LM) | CAT_BIT(LO))) != 0;
}

bool ou_uni_is_decimal(uint32_t c)
{
    if (c < 0x80)
        return c >= '0' && c <= '9';
    return cat_bit(c) == CAT_BIT(ND);
}

bool ou_uni_is_digit(uint32_t c) { return ou_uni_is_decimal(c) || (c >= 0x80 && IN(other_digit, c)); }

bool ou_uni_is_numeric(uint32_t c)
{
    if (c < 0x80)
        return c >= '0' && c <= '9';
    return (cat_bit(c) & (CAT_BIT(ND) | CAT_BIT(NL) | CAT_BIT(NO))) || IN(other_numeric, c);
}

bool ou_uni_is_alnum(uint32_t c) { return ou_uni_is_alpha(c) || ou_uni_is_numeric(c); }

bool ou_uni_is_lower(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z';
    return cat_bit(c) == CAT_BIT(LL) || IN(other_lower, c);
}

bool ou_uni_is_upper(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z';
    return cat_bit(c) == CAT_BIT(LU) || IN(other_upper, c);
}

bool ou_uni_is_title(uint32_t c) { return c >= 0x80 && cat_bit(c) == CAT_BIT(LT); }

bool ou_uni_is_cased(uint32_t c) { return ou_uni_is_lower(c) || ou_uni_is_upper(c) || ou_uni_is_title(c); }

bool ou_uni_is_case_ignorable(uint32_t c)
{
    switch (c) { /* Word_Break MidLetter, MidNumLet and Single_Quote */
    case 0x27: case 0x2E: case 0x3A: case 0xB7: case 0x387: case 0x55F: case 0x5F4: case 0x2018: case 0x2019: case 0x2024:
    case 0x2027: case 0xFE13: case 0xFE52: case 0xFE55: case 0xFF07: case 0xFF0E: case 0xFF1A:
        return true;
    default:
        return (cat_bit(c) & (CAT_BIT(MN) | CAT_BIT(ME) | CAT_BIT(CF) | CAT_BIT(LM) | CAT_BIT(SK))) != 0;
    }
}

bool ou_uni_is_id_start(uint32_t c)
{
    if (c < 0x80)
        return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
    if (cat_bit(c) & (CAT_BIT(LU) | CAT_BIT(LL) | CAT_BIT(LT) | CAT_BIT(LM) | CAT_BIT(LO) | CAT_BIT(NL)))
        return !IN(not_id_start, c);
    return IN(other_id_start, c);
}

bool ou_uni_is_id_continue(uint32_t c)
{
    if (c < 0x80)
        return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_' || (c >= '0' && c <= '9');
    if (cat_bit(c) & (CAT_BIT(LU) | CAT_BIT(LL) | CAT_BIT(LT) | CAT_BIT(LM) | CAT_BIT(LO) | CAT_BIT(NL) | CAT_BIT(MN) |
                      CAT_BIT(MC) | CAT_BIT(ND) | CAT_BIT(PC)))
        return !IN(not_id_continue, c);
    return IN(other_id_continue, c);
}

int ou_uni_decimal(uint32_t c)
{
    if (c < 0x80)
        return c >= '0' && c <= '9' ? (int)(c - '0') : -1;
    size_t lo = 0, hi = LENGTH(decimal_zeros); /* the last zero that is not above c */
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (decimal_zeros[mid] <= c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo > 0 && c - decimal_zeros[lo - 1] < 10 ? (int)(c - decimal_zeros[lo - 1]) : -1;
}

uint32_t ou_uni_lower1(uint32_t c)
{
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    return (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
}

uint32_t ou_uni_upper1(uint32_t c)
{
    if (c < 0x80)
        return c >= 'a' && c <= 'z' ? c - 32 : c;
    return (uint32_t)utf8proc_toupper((utf8proc_int32_t)c);
}

static int special(const UniSpecial *t, size_t n, uint32_t c, uint32_t out[4])
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (t[mid].cp < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == n || t[lo].cp != c)
        return 0;
    int k = 0;
    while (k < 3 && t[lo].to[k]) {
        out[k] = t[lo].to[k];
        k++;
    }
    return k;
}

int ou_uni_lower(uint32_t c, uint32_t out[4])
{
    if (c == 0x130) { /* the only one whose lower case is longer */
        out[0] = 'i';
        out[1] = 0x307;
        return 2;
    }
    out[0] = ou_uni_lower1(c);
    return 1;
}

int ou_uni_upper(uint32_t c, uint32_t out[4])
{
    if (c >= 0x80) {
        int k = special(special_upper, LENGTH(special_upper), c, out);
        if (k)
            return k;
    }
    out[0] = ou_uni_upper1(c);
    return 1;
}

int ou_uni_title(uint32_t c, uint32_t out[4])
{
    if (c >= 0x80) {
        int k = special(special_title, LENGTH(special_title), c, out);
        if (k)
            return k;
        out[0] = (uint32_t)utf8proc_totitle((utf8proc_int32_t)c);
        return 1;
    }
    out[0] = ou_uni_upper1(c);
    return 1;
}

int ou_uni_fold(uint32_t c, uint32_t out[4])
{
    if (c < 0x80) {
        out[0] = c >= 'A' && c <= 'Z' ? c + 32 : c;
        return 1;
    }
    utf8proc_int32_t to[4];
    int boundclass = 0;
    utf8proc_ssize_t n = utf8proc_decompose_char((utf8proc_int32_t)c, to, 4, UTF8PROC_CASEFOLD, &boundclass);
    if (n < 1 || n > 4) {
        out[0] = c;
        return 1;
    }
    for (int i = 0; i < n; i++)
        out[i] = (uint32_t)to[i];
    return (int)n;
}
