/* The text of doubles: see numtext.h.
 *
 * printf and strtod of the C library round correctly for every precision, so they do the hard part; what they lack is the
 * shortest repr (found by trying 15, 16 and 17 digits) and independence of the locale: whatever character stands between
 * the digits becomes a point, and parsing goes through the "C" locale after a fast path that is exact by construction. */
#include "runtime/base/numtext.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__APPLE__)
#include <xlocale.h>
#endif

static const double POW10[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                               1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* The C library's strtod in the "C" locale; s is NUL-terminated and well formed. */
static double strtod_c(const char *s)
{
    locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0); /* glibc hands out a static object */
    if (!c) return strtod(s, NULL);
    double d = strtod_l(s, NULL, c);
    freelocale(c);
    return d;
}

/* m * 10^e, exactly rounded if both are small enough for one IEEE operation (Clinger's fast path). */
static bool scale_exact(uint64_t m, int e, double *out)
{
    if (m > (UINT64_C(1) << 53) || e < -22 || e > 22) return false;
    double d = (double)m;
    *out = e < 0 ? d / POW10[-e] : d * POW10[e];
    return true;
}

size_t ou_double_scan(const char *s, size_t n, double *out)
{
    size_t i = 0;
    bool neg = false;
    if (i < n && (s[i] == '+' || s[i] == '-')) neg = s[i++] == '-';
    static const char *const words[] = {"infinity", "inf", "nan"};
    for (int w = 0; w < 3; w++) {
        size_t len = strlen(words[w]), k = 0;
        if (n - i < len) continue;
        while (k < len && (s[i + k] | 0x20) == words[w][k]) k++;
        if (k < len) continue;
        double d = w == 2 ? (double)NAN : (double)INFINITY;
        *out = neg ? -d : d;
        return i + len;
    }
    size_t first = i;
    uint64_t m = 0;
    int ndigits = 0, dropped = 0, scale = 0;
    bool any = false, point = false;
    for (; i < n; i++) {
        if (s[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (!is_digit(s[i])) break;
        any = true;
        if (ndigits < 19) {
            m = m * 10 + (uint64_t)(s[i] - '0');
            ndigits += m != 0;
            scale -= point;
        } else {
            dropped |= s[i] != '0';
            scale += !point;
        }
    }
    if (!any) return 0;
    size_t end = i;
    long e10 = 0;
    if (i < n && (s[i] == 'e' || s[i] == 'E')) {
        size_t k = i + 1;
        bool eneg = false;
        if (k < n && (s[k] == '+' || s[k] == '-')) eneg = s[k++] == '-';
        if (k < n && is_digit(s[k])) {
            for (; k < n && is_digit(s[k]); k++)
                if (e10 < 100000000) e10 = e10 * 10 + (s[k] - '0');
            if (eneg) e10 = -e10;
            end = k;
        }
    }
    double d;
    if (m == 0 && !dropped) {
        d = 0.0;
    } else if (dropped || e10 > 100000 || e10 < -100000 || !scale_exact(m, (int)e10 + scale, &d)) {
        char fixed[128], *t = fixed;
        size_t len = end - first;
        if (len >= sizeof fixed && !(t = malloc(len + 1))) {
            t = fixed; /* out of memory: the first digits decide, which is as good as it gets */
            snprintf(fixed, sizeof fixed, "%llue%ld", (unsigned long long)m, e10 + scale);
        } else {
            memcpy(t, s + first, len);
            t[len] = 0;
        }
        d = strtod_c(t);
        if (t != fixed) free(t);
    }
    *out = neg ? -d : d;
    return end;
}

bool ou_double_parse(const char *s, size_t n, double *out) { return n > 0 && ou_double_scan(s, n, out) == n; }

/* printf may have used the locale's decimal point, which may even be several bytes long. */
static size_t fix_point(char *s, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (is_digit(c) || c == '-' || c == '+') continue;
        if (c == 'e' || c == 'E') return n;
        if (c == '.') return n;
        size_t k = i + 1;
        while (k < n && !is_digit(s[k]) && s[k] != 'e' && s[k] != 'E') k++;
        s[i] = '.';
        memmove(s + i + 1, s + k, n - k + 1);
        return n - (k - i - 1);
    }
    return n;
}

/* Digits and exponent of d > 0 from "%.*e": returns the number of digits without trailing zeros; value = 0.DIGITS * 10^*point. */
static int digits_of(double d, int ndigits, char *digits, int *point)
{
    char t[48];
    snprintf(t, sizeof t, "%.*e", ndigits - 1, d);
    int k = 0;
    const char *p = t;
    for (; *p && *p != 'e'; p++)
        if (is_digit(*p)) digits[k++] = *p;
    *point = atoi(p + 1) + 1;
    while (k > 1 && digits[k - 1] == '0') k--;
    digits[k] = 0;
    return k;
}

static bool round_trips(const char *digits, int k, int point, double d)
{
    uint64_t m = 0;
    for (int i = 0; i < k; i++) m = m * 10 + (uint64_t)(digits[i] - '0');
    double back;
    if (!scale_exact(m, point - k, &back)) {
        char t[48];
        snprintf(t, sizeof t, "%se%d", digits, point - k);
        back = strtod_c(t);
    }
    return back == d;
}

#if LDBL_MANT_DIG >= 64
/* The shortest digits by one multiplication in extended precision: v = d * 10^k with 17 digits before the point is known to
 * +-ERR, and so is whether a candidate of 15 or 16 digits lies within half a unit in the last place of d. 0: too close to tell
 * (a percent of all), or out of range. */
static int shortest_fast(double d, char *digits, int *point)
{
    static const long double ten[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,
                                      1e10L, 1e11L, 1e12L, 1e13L, 1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L,
                                      1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L}; /* all exact */
    const double err = 1.0 / 64;
    int e2;
    if (frexp(d, &e2) == 0.5) return 0; /* the two half gaps differ */
    int p = (int)((e2 - 1) * 0.30102999566398120 + 40) - 40 + 1, k = 17 - p;
    for (int tries = 0;; tries++) {
        if (k < -27 || k > 27 || tries == 3) return 0;
        long double probe = k >= 0 ? (long double)d * ten[k] : (long double)d / ten[-k];
        if (probe >= 1e17L) k--;
        else if (probe < 1e16L) k++;
        else break;
    }
    long double v = k >= 0 ? (long double)d * ten[k] : (long double)d / ten[-k];
    double half = (double)(k >= 0 ? ldexpl(ten[k], e2 - 54) : ldexpl(1 / ten[-k], e2 - 54));
    uint64_t whole = (uint64_t)v;
    double frac = (double)(v - (long double)whole);
    uint64_t n = 0;
    int width = 17;
    for (uint64_t unit = 100; unit >= 10; unit /= 10) {
        uint64_t low = whole % unit;
        double below = (double)low + frac, delta = below;
        n = whole / unit;
        if (fabs(below - (double)unit / 2) < err) return 0;
        if (below > (double)unit / 2) {
            n++;
            delta = (double)unit - below;
        }
        if (fabs(delta - half) < err) return 0;
        if (delta < half) {
            width = unit == 100 ? 15 : 16;
            break;
        }
    }
    if (width == 17) {
        if (fabs(frac - 0.5) < err) return 0;
        n = whole + (frac > 0.5);
    }
    *point = 17 - k;
    char t[24] = "";
    int len = 0;
    for (; n; n /= 10) t[len++] = (char)('0' + n % 10);
    if (len > width) *point += 1; /* 99..9 was rounded up */
    int first = 0;
    while (t[first] == '0') first++;
    int count = len - first;
    for (int i = 0; i < count; i++) digits[i] = t[len - 1 - i];
    digits[count] = 0;
    return count;
}
#else
static int shortest_fast(double d, char *digits, int *point)
{
    (void)d, (void)digits, (void)point;
    return 0;
}
#endif

/* The shortest digits that read back as d, the nearest to d among those. */
static int shortest(double d, char *digits, int *point)
{
    /* 15 digits always survive decimal -> double -> decimal, so a shorter candidate shows as trailing zeros; subnormals have
     * fewer significant bits and are tried from one digit up. */
    int from = d < 2.2250738585072014e-308 ? 1 : 15;
    int k = from == 1 ? 0 : shortest_fast(d, digits, point);
    if (k) return k;
    for (int p = from; p <= 17; p++) {
        k = digits_of(d, p, digits, point);
        if (p == 17 || round_trips(digits, k, *point, d)) return k;
        int exponent;
        if (p == 16 && frexp(d, &exponent) == 0.5 && (k < 16 || digits[15] != '9')) {
            /* A power of two: the gap below is half the gap above, so the next decimal up may fit although it is further. */
            while (k < 16) digits[k++] = '0';
            digits[15]++;
            digits[16] = 0;
            if (round_trips(digits, k, *point, d)) return k;
        }
    }
    return k;
}

size_t ou_double_repr(double d, char buf[DOUBLE_REPR_MAX])
{
    char *w = buf;
    if (d != d) {
        memcpy(buf, "nan", 4);
        return 3;
    }
    if (signbit(d)) {
        *w++ = '-';
        d = -d;
    }
    if (isinf(d)) {
        memcpy(w, "inf", 4);
        return (size_t)(w + 3 - buf);
    }
    if (d < 1e15 && d == (double)(int64_t)d) {
        uint64_t i = (uint64_t)d;
        char t[24];
        int k = 0;
        do t[k++] = (char)('0' + i % 10);
        while (i /= 10);
        while (k) *w++ = t[--k];
        memcpy(w, ".0", 3);
        return (size_t)(w + 2 - buf);
    }
    char digits[24];
    int point, k = shortest(d, digits, &point);
    if (point > -4 && point <= 16) {
        if (point <= 0) {
            *w++ = '0';
            *w++ = '.';
            for (int i = point; i < 0; i++) *w++ = '0';
            memcpy(w, digits, (size_t)k);
            w += k;
        } else {
            for (int i = 0; i < point; i++) *w++ = i < k ? digits[i] : '0';
            *w++ = '.';
            if (k <= point) *w++ = '0';
            for (int i = point; i < k; i++) *w++ = digits[i];
        }
    } else {
        *w++ = digits[0];
        if (k > 1) *w++ = '.';
        for (int i = 1; i < k; i++) *w++ = digits[i];
        w += snprintf(w, 8, "e%+03d", point - 1);
    }
    *w = 0;
    return (size_t)(w - buf);
}

static bool reserve(Heap *h, NumText *t, size_t cap)
{
    t->p = t->fixed;
    t->cap = sizeof t->fixed;
    if (cap <= sizeof t->fixed) return true;
    t->cap = cap;
    t->p = ou_alloc(h, cap);
    if (t->p) return true;
    t->p = t->fixed;
    t->cap = sizeof t->fixed;
    return false;
}

void ou_numtext_drop(Heap *h, NumText *t)
{
    if (t->p != t->fixed) ou_free(h, t->p, t->cap);
    t->p = t->fixed;
}

static bool all_zero(const char *s, size_t n)
{
    for (size_t i = 0; i < n && s[i] != 'e' && s[i] != 'E'; i++)
        if (is_digit(s[i]) && s[i] != '0') return false;
    return true;
}

/* 'g' that leaves room for ".0": numbers with as many digits before the point as the precision allows go to the exponent form
 * already. Writes that form and returns its length, or 0 if plain 'g' is right. */
static size_t short_exponent(double a, int precision, unsigned flags, char *out)
{
    if (precision == 0) precision = 1;
    size_t n = (size_t)sprintf(out, flags & DBL_ALT ? "%#.*e" : "%.*e", precision - 1, a), e = n;
    while (out[--e] != 'e') {
    }
    if (atoi(out + e + 1) != precision - 1) return 0;
    size_t keep = e;
    if (!(flags & DBL_ALT) && precision > 1) {
        while (out[keep - 1] == '0') keep--;
        if (!is_digit(out[keep - 1])) keep--;
    }
    memmove(out + keep, out + e, n - e + 1);
    return n - (e - keep);
}

#if LDBL_MANT_DIG >= 64
/* "%.*f" of a small number with few digits: an integer after one multiplication, unless that is too near to a tie. */
static size_t fixed_fast(double a, int precision, char *out)
{
    static const long double ten[] = {1e0L, 1e1L, 1e2L, 1e3L, 1e4L, 1e5L, 1e6L, 1e7L, 1e8L, 1e9L};
    if (precision > 9) return 0;
    long double v = (long double)a * ten[precision];
    if (v >= 4503599627370496.0L) return 0; /* 2^52: the error is below 2^-12 */
    uint64_t n = (uint64_t)v;
    double frac = (double)(v - (long double)n);
    if (fabs(frac - 0.5) < 1.0 / 1024) return 0;
    n += frac > 0.5;
    char t[24];
    int k = 0;
    while (n || k <= precision) {
        t[k++] = (char)('0' + n % 10);
        n /= 10;
    }
    size_t w = 0;
    while (k > precision) out[w++] = t[--k];
    if (precision) out[w++] = '.';
    while (k > 0) out[w++] = t[--k];
    out[w] = 0;
    return w;
}
#else
static size_t fixed_fast(double a, int precision, char *out)
{
    (void)a, (void)precision, (void)out;
    return 0;
}
#endif

bool ou_double_format(Heap *h, double d, char type, int precision, unsigned flags, NumText *out)
{
    if (precision < 0) precision = 6;
    size_t room = 32;
    if (type != 'r') room += (size_t)precision;
    if ((type == 'f' || type == 'F') && fabs(d) >= 1e10) room += 310;
    if (!reserve(h, out, room)) return false;
    char *p = out->p + 1; /* one place for a sign */
    size_t n;
    bool neg = signbit(d) && d == d, upper = type >= 'A' && type <= 'Z';
    if (d != d || isinf(d)) {
        memcpy(p, d != d ? (upper ? "NAN" : "nan") : (upper ? "INF" : "inf"), 4);
        n = 3;
    } else {
        double a = fabs(d);
        if (type == 'r') {
            n = ou_double_repr(a, p);
            if (!(flags & DBL_DOT_0) && n > 2 && p[n - 1] == '0' && p[n - 2] == '.') n -= flags & DBL_ALT ? 1 : 2;
            else if ((flags & DBL_ALT) && !memchr(p, '.', n)) { /* 1e+16 -> 1.e+16 */
                char *e = memchr(p, 'e', n);
                size_t at = e ? (size_t)(e - p) : n;
                memmove(p + at + 1, p + at, n - at);
                p[at] = '.';
                n++;
            }
        } else if (type == 'g' && (flags & DBL_DOT_0) && (n = short_exponent(a, precision, flags, p)) > 0) {
            n = fix_point(p, n);
        } else if ((type == 'f' || type == 'F') && !(flags & (DBL_ALT | DBL_DOT_0)) && (n = fixed_fast(a, precision, p)) > 0) {
            /* done */
        } else {
            char fmt[8] = {'%'};
            size_t k = 1;
            if (flags & DBL_ALT) fmt[k++] = '#';
            fmt[k++] = '.';
            fmt[k++] = '*';
            fmt[k] = type;
            n = (size_t)snprintf(p, out->cap - 1, fmt, precision, a);
            n = fix_point(p, n);
            if ((flags & DBL_DOT_0) && !memchr(p, '.', n) && !memchr(p, 'e', n) && !memchr(p, 'E', n)) {
                p[n++] = '.';
                p[n++] = '0';
            }
        }
        if ((flags & DBL_Z) && neg && all_zero(p, n)) neg = false;
    }
    p[n] = 0;
    if (neg || (flags & (DBL_PLUS | DBL_SPACE))) {
        out->p[0] = neg ? '-' : flags & DBL_PLUS ? '+' : ' ';
        n++;
    } else {
        memmove(out->p, p, n + 1);
    }
    out->n = n;
    return true;
}
