/* Integers as text and back: str(int), int("..."), hex/oct/bin, constants of the lexer.
 * Powers of two go bit by bit; decimal divides and conquers with powers 10^(18 * 2^j), so that parsing costs what libtommath's
 * multiplication does and printing what its division does, not a division per digit. */
#include <utf8proc.h>

#include "runtime/objects/numbers_impl.h"
#include "runtime/objects/str.h"

enum { CHUNK = 18, LEVELS = 48, BASE_LEVEL = 4 /* below 10^(18 * 2^5) the plain loops win */, PACKED = 40 };
#define TEN18 UINT64_C(1000000000000000000)

typedef struct Powers { /* p[j] = 10^(18 * 2^j) */
    mp_int p[LEVELS];
    int n;
} Powers;

static mp_err powers_up_to(Powers *w, int level)
{
    while (w->n <= level) {
        mp_err e = mp_init(&w->p[w->n]);
        if (e != MP_OKAY) return e;
        if (w->n == 0) {
            if (!ou_mp_set_u64(&w->p[0], TEN18)) e = MP_MEM;
        } else {
            e = mp_sqr(&w->p[w->n - 1], &w->p[w->n]);
        }
        w->n++;
        if (e != MP_OKAY) return e;
    }
    return MP_OKAY;
}

static void powers_drop(Powers *w)
{
    while (w->n) mp_clear(&w->p[--w->n]);
}

/* ---- printing -------------------------------------------------------------------------------------------------------- */

static void put18(char *out, uint64_t u)
{
    static const char pairs[] = "00010203040506070809101112131415161718192021222324252627282930313233343536373839404142434445464748495051"
                                "52535455565758596061626364656667686970717273747576777879808182838485868788899091929394959697989"
                                "9";
    uint32_t halves[2] = {(uint32_t)(u / 1000000000), (uint32_t)(u % 1000000000)};
    for (int h = 0; h < 2; h++, out += 9) {
        uint32_t v = halves[h];
        for (int i = 7; i > 0; i -= 2, v /= 100) memcpy(out + i, pairs + 2 * (v % 100), 2);
        out[0] = (char)('0' + v);
    }
}

/* (*rem * 2^60 + digit) / 10^18, by the reciprocal (Moeller and Granlund 2011); *rem becomes what is left. */
static uint64_t divide18(uint64_t *rem, uint64_t digit)
{
    enum { SHIFT = 4 };
    const uint64_t d = TEN18 << SHIFT, inverse = (uint64_t)(~(unsigned __int128)0 / d);
    unsigned __int128 u = ((unsigned __int128)*rem << MP_DIGIT_BIT | digit) << SHIFT;
    unsigned __int128 q = (unsigned __int128)inverse * (uint64_t)(u >> 64) + u;
    uint64_t top = (uint64_t)(q >> 64) + 1, r = (uint64_t)u - top * d;
    if (r > (uint64_t)q) {
        top--;
        r += d;
    }
    if (r >= d) {
        top++;
        r -= d;
    }
    *rem = r >> SHIFT;
    return top;
}

/* m < 10^width as exactly width digits; destroys m. */
static void print_plain(mp_int *m, char *out, size_t width)
{
    size_t w = width;
    while (w > 0) {
        uint64_t rem = 0;
        for (int i = m->used; i-- > 0;) {
            m->dp[i] = (mp_digit)divide18(&rem, m->dp[i]);
        }
        mp_clamp(m);
        w -= CHUNK;
        put18(out + w, rem);
        if (!m->used) {
            memset(out, '0', w);
            return;
        }
    }
}

static mp_err print_level(Powers *pw, mp_int *m, int level, char *out) /* m < p[level + 1]; destroys m */
{
    size_t width = (size_t)CHUNK << (level + 1);
    if (!m->used) {
        memset(out, '0', width);
        return MP_OKAY;
    }
    if (level <= BASE_LEVEL) {
        print_plain(m, out, width);
        return MP_OKAY;
    }
    mp_int q, r;
    mp_err e = mp_init_multi(&q, &r, NULL);
    if (e != MP_OKAY) return e;
    e = ou_mp_div(m, &pw->p[level], &q, &r);
    if (e == MP_OKAY) e = print_level(pw, &q, level - 1, out);
    if (e == MP_OKAY) e = print_level(pw, &r, level - 1, out + width / 2);
    mp_clear_multi(&q, &r, NULL);
    return e;
}

static Value too_long(VM *vm)
{
    return ou_raise(vm, E_VALUE,
                    "Exceeds the limit (%d digits) for integer string conversion; use sys.set_int_max_str_digits() to "
                    "increase the limit",
                    vm->int_max_str_digits);
}

static Value big_decimal(VM *vm, const mp_int *m)
{
    int64_t bits = mp_count_bits(m);
    int64_t max = vm->int_max_str_digits, low = bits * 30102 / 100000; /* at least so many digits */
    if (max && low > max) return too_long(vm);
    if (!ou_int_charge(vm, (uint64_t)m->used, (uint64_t)m->used)) return V_NULL;
    int level = 0;
    while (((int64_t)CHUNK << (level + 1)) < low + 2) level++;
    size_t width = (size_t)CHUNK << (level + 1);
    char *out = ou_alloc(&vm->heap, width);
    if (!out) return ou_raise_memory(vm);
    Powers pw = {.n = 0};
    mp_int t;
    mp_err e = mp_init_copy(&t, m);
    if (e == MP_OKAY) {
        if (level > BASE_LEVEL) e = powers_up_to(&pw, level);
        if (e == MP_OKAY) e = print_level(&pw, &t, level, out);
        mp_clear(&t);
    }
    powers_drop(&pw);
    Value s = V_NULL;
    if (e == MP_OKAY) {
        size_t skip = 0;
        while (skip + 1 < width && out[skip] == '0') skip++;
        if (max && (int64_t)(width - skip) > max) {
            too_long(vm);
        } else {
            char *p;
            bool neg = mp_isneg(m);
            s = ou_str_ascii(vm, width - skip + neg, &p);
            if (s != V_NULL) {
                if (neg) *p++ = '-';
                memcpy(p, out + skip, width - skip);
            }
        }
    } else {
        ou_raise_memory(vm);
    }
    ou_free(&vm->heap, out, width);
    return s;
}

Value ou_int_text(VM *vm, Value v, int base, bool prefix)
{
    int64_t i;
    bool small = int_i64(v, &i);
    if (base == 10) {
        if (!small) return big_decimal(vm, &((const Int *)v_obj(v))->u.big);
        char t[24], *w = t + sizeof t;
        uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
        do *--w = (char)('0' + u % 10);
        while (u /= 10);
        if (i < 0) *--w = '-';
        return ou_str_new(vm, w, (size_t)(t + sizeof t - w));
    }
    IntView view;
    const mp_int *m = ou_int_view(&view, v);
    int width = base == 2 ? 1 : base == 8 ? 3 : 4;
    int64_t bits = mp_count_bits(m), n = bits ? (bits + width - 1) / width : 1;
    uint64_t mask = (1u << width) - 1;
    bool neg = mp_isneg(m);
    char *p;
    Value s = ou_str_ascii(vm, (size_t)(n + neg + (prefix ? 2 : 0)), &p);
    if (s == V_NULL) return V_NULL;
    if (neg) *p++ = '-';
    if (prefix) {
        *p++ = '0';
        *p++ = base == 2 ? 'b' : base == 8 ? 'o' : 'x';
    }
    if (!bits) *p = '0';
    for (int64_t k = 0, d = 0; bits && k < n; d++) {
        uint64_t digit = m->dp[d];
        for (int j = 0; j < MP_DIGIT_BIT && k < n; j += width, digit >>= width) p[n - 1 - k++] = "0123456789abcdef"[digit & mask];
    }
    return s;
}

/* ---- parsing ------------------------------------------------------------------------------------------------------------ */

/* Values of digits, 1 more: 0 is none. */
static const uint8_t digit_values[256] = {
    ['0'] = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ['A'] = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32,
    33, 34, 35, 36, ['a'] = 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36,
};
static int digit_value(char c)
{
    int v = digit_values[(uint8_t)c];
    return v ? v - 1 : 99;
}

/* Eight decimal digits at once: neighbours are put together three times. */
static uint64_t eight_digits(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    w = (w & UINT64_C(0x0F0F0F0F0F0F0F0F)) * 2561 >> 8;
    w = (w & UINT64_C(0x00FF00FF00FF00FF)) * 6553601 >> 16;
    return (w & UINT64_C(0x0000FFFF0000FFFF)) * UINT64_C(42949672960001) >> 32;
}
static bool are_eight_digits(const char *p)
{
    uint64_t w;
    memcpy(&w, p, 8);
    return ((w & UINT64_C(0xF0F0F0F0F0F0F0F0)) | ((w + UINT64_C(0x0606060606060606)) & UINT64_C(0xF0F0F0F0F0F0F0F0)) >> 4) ==
           UINT64_C(0x3333333333333333);
}

/* Numbers of some hundred digits are put together on the stack. Both give the count of digits of libtommath. */
static int pack_decimal(mp_digit *d, const char *s, size_t n)
{
    int used = 0;
    for (size_t i = 0; i < n;) {
        size_t stop = i ? i + CHUNK : n % CHUNK ? n % CHUNK : CHUNK;
        uint64_t carry = 0;
        for (; i + 8 <= stop; i += 8) carry = carry * 100000000 + eight_digits(s + i);
        for (; i < stop; i++) carry = carry * 10 + (uint64_t)(s[i] - '0');
        for (int k = 0; k < used; k++) {
            unsigned __int128 v = (unsigned __int128)d[k] * TEN18 + carry;
            d[k] = (mp_digit)v & MP_MASK;
            carry = (uint64_t)(v >> MP_DIGIT_BIT);
        }
        if (carry) d[used++] = carry;
    }
    return used;
}
static int pack_bits(mp_digit *d, const char *s, size_t n, int width)
{
    const size_t each = (size_t)(MP_DIGIT_BIT / width);
    int used = 0;
    while (n) {
        size_t k = n < each ? n : each;
        mp_digit v = 0;
        for (size_t i = n - k; i < n; i++) v = v << width | (mp_digit)digit_value(s[i]);
        d[used++] = v;
        n -= k;
    }
    while (used && !d[used - 1]) used--;
    return used;
}
_Static_assert(MP_DIGIT_BIT % 60 == 0, "digits of 1 to 5 bits fill one of libtommath");

static Value packed(VM *vm, const mp_digit *d, int used, bool neg)
{
    if (used <= 1) return ou_int(vm, used ? neg ? -(int64_t)d[0] : (int64_t)d[0] : 0);
    if (used == 2 && d[1] < 16) { /* 64 bits */
        uint64_t u = (uint64_t)d[1] << MP_DIGIT_BIT | d[0];
        if (u <= (uint64_t)INT64_MAX + neg) return ou_int(vm, neg ? (int64_t)-u : (int64_t)u);
    }
    Int *o = ou_int_inline_new(vm, used, neg);
    if (o) memcpy(o->u.big.dp, d, (size_t)used * sizeof *d);
    return v_of(o);
}

static mp_err parse_plain(mp_int *m, const char *s, size_t n, int base)
{
    mp_err e = MP_OKAY;
    mp_zero(m);
    for (size_t i = 0; i < n && e == MP_OKAY;) {
        uint64_t part = 0, scale = 1;
        while (i < n && scale <= TEN18 / 36) {
            part = part * (uint64_t)base + (uint64_t)digit_value(s[i++]);
            scale *= (uint64_t)base;
        }
        e = mp_mul_d(m, (mp_digit)scale, m);
        if (e == MP_OKAY) e = mp_add_d(m, (mp_digit)part, m);
    }
    return e;
}

static mp_err parse_level(Powers *pw, mp_int *m, const char *s, size_t n)
{
    if (n <= (size_t)CHUNK << (BASE_LEVEL + 1)) return parse_plain(m, s, n, 10);
    int level = 0;
    while ((size_t)CHUNK << (level + 1) < n) level++;
    size_t low = (size_t)CHUNK << level;
    mp_int lo;
    mp_err e = powers_up_to(pw, level);
    if (e != MP_OKAY || (e = mp_init(&lo)) != MP_OKAY) return e;
    e = parse_level(pw, m, s, n - low);
    if (e == MP_OKAY) e = mp_mul(m, &pw->p[level], m);
    if (e == MP_OKAY) e = parse_level(pw, &lo, s + n - low, low);
    if (e == MP_OKAY) e = mp_add(m, &lo, m);
    mp_clear(&lo);
    return e;
}

static mp_err parse_bits(mp_int *m, const char *s, size_t n, int width)
{
    mp_err e = mp_grow(m, (int)(n * (size_t)width / MP_DIGIT_BIT + 1));
    if (e != MP_OKAY) return e;
    mp_zero(m);
    m->used = pack_bits(m->dp, s, n, width);
    return MP_OKAY;
}

static Value parse(VM *vm, const char *s, size_t n, int base, bool neg)
{
    while (n > 1 && *s == '0') s++, n--;
    if (n <= 11) {
        int64_t v = 0;
        for (size_t i = 0; i < n; i++) v = v * base + digit_value(s[i]);
        return ou_int(vm, neg ? -v : v);
    }
    if (!ou_int_room(vm, (uint64_t)n * 6) || ((base & (base - 1)) && !ou_int_charge(vm, n / CHUNK, n / CHUNK))) return V_NULL;
    int width = base == 2 ? 1 : base == 4 ? 2 : base == 8 ? 3 : base == 16 ? 4 : base == 32 ? 5 : 0;
    mp_digit few[PACKED];
    if (base == 10 && n <= (size_t)CHUNK * PACKED) return packed(vm, few, pack_decimal(few, s, n), neg);
    if (width && n <= MP_DIGIT_BIT / (size_t)width * PACKED) return packed(vm, few, pack_bits(few, s, n, width), neg);
    mp_int m;
    mp_err e = mp_init(&m);
    if (e != MP_OKAY) return ou_raise_memory(vm);
    if (width) {
        e = parse_bits(&m, s, n, width);
    } else if (base == 10) {
        Powers pw = {.n = 0};
        e = parse_level(&pw, &m, s, n);
        powers_drop(&pw);
    } else {
        e = parse_plain(&m, s, n, base);
    }
    if (e == MP_OKAY && neg) e = mp_neg(&m, &m);
    return ou_int_take(vm, &m, e);
}

static bool too_many_digits(VM *vm, size_t n, int base)
{
    if (!vm->int_max_str_digits || (base & (base - 1)) == 0 || n <= (size_t)vm->int_max_str_digits) return false;
    ou_raise(vm, E_VALUE,
             "Exceeds the limit (%d digits) for integer string conversion: value has %zu digits; use "
             "sys.set_int_max_str_digits() to increase the limit",
             vm->int_max_str_digits, n);
    return true;
}

Value ou_int_parse(VM *vm, const char *digits, size_t n, int base)
{
    return too_many_digits(vm, n, base) ? V_NULL : parse(vm, digits, n, base, false);
}

/* The value of a decimal digit of any script, or -1: digits of a script are ten neighbours, the first is zero. */
static int decimal_value(utf8proc_int32_t cp)
{
    if (utf8proc_category(cp) != UTF8PROC_CATEGORY_ND) return -1;
    utf8proc_int32_t first = cp;
    while (first > 0 && utf8proc_category(first - 1) == UTF8PROC_CATEGORY_ND) first--;
    return (cp - first) % 10;
}

static bool is_blank(char c) { return c == ' ' || (c >= 9 && c <= 13); }
static bool is_space(utf8proc_int32_t cp)
{
    if (cp < 128) return is_blank((char)cp); /* the separators 28 to 31 are none here */
    return cp == 0x85 || cp == 0xA0 || cp == 0x1680 || (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 ||
           cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

size_t ou_number_text(const char *s, size_t n, char *out)
{
    size_t w = 0, i = 0;
    bool leading = true;
    size_t keep = 0; /* length without trailing blanks */
    while (i < n) {
        unsigned char c = (unsigned char)s[i];
        if (c < 128) {
            i++;
            bool blank = is_blank((char)c);
            if (leading && blank) continue;
            out[w++] = blank ? ' ' : (char)c;
            if (!blank) keep = w;
        } else {
            utf8proc_int32_t cp;
            utf8proc_ssize_t k = utf8proc_iterate((const utf8proc_uint8_t *)s + i, (utf8proc_ssize_t)(n - i), &cp);
            if (k <= 0) k = 1, cp = 0xFFFD;
            i += (size_t)k;
            if (leading && is_space(cp)) continue;
            int d = decimal_value(cp);
            out[w++] = is_space(cp) ? ' ' : d >= 0 ? (char)('0' + d) : '?';
            if (!is_space(cp)) keep = w;
        }
        leading = false;
    }
    return keep;
}

/* int(text, base) for blank-free ASCII text: V_NOTIMPL if it is no literal. */
static Value literal(VM *vm, const char *s, size_t n, int base, char *scratch)
{
    size_t i = 0;
    bool neg = false;
    if (i < n && (s[i] == '+' || s[i] == '-')) neg = s[i++] == '-';
    bool prefixed = false, zero_only = false;
    if (i + 1 < n && s[i] == '0') {
        int c = s[i + 1] | 0x20, b = c == 'x' ? 16 : c == 'o' ? 8 : c == 'b' ? 2 : 0;
        if (b && (base == 0 || base == b)) {
            base = b;
            prefixed = true;
            i += 2;
        }
    }
    if (base == 0) {
        zero_only = i < n && s[i] == '0'; /* "010" is no literal, "00" is */
        base = 10;
    }
    if (prefixed && i < n && s[i] == '_') i++;
    size_t w = 0;
    bool last_digit = false;
    for (; i < n; i++) {
        if (s[i] == '_') {
            if (!last_digit) return V_NOTIMPL;
            last_digit = false;
            continue;
        }
        int d = digit_value(s[i]);
        if (d >= base || (zero_only && d != 0)) return V_NOTIMPL;
        last_digit = true;
        scratch[w++] = s[i];
    }
    if (!last_digit) return V_NOTIMPL;
    if (too_many_digits(vm, w, base)) return V_NULL;
    return parse(vm, scratch, w, base, neg);
}

/* The usual: a sign, digits, blanks of ASCII around. V_NOTIMPL: anything else. */
static Value plain(VM *vm, const char *s, size_t n, int base)
{
    while (n && is_blank(s[n - 1])) n--;
    while (n && is_blank(*s)) s++, n--;
    bool neg = n && *s == '-';
    if (n && (*s == '-' || *s == '+')) s++, n--;
    if (!n || base == 0) return V_NOTIMPL;
    size_t i = 0;
    if (base == 10)
        while (n - i >= 8 && are_eight_digits(s + i)) i += 8;
    for (; i < n; i++)
        if (digit_value(s[i]) >= base) return V_NOTIMPL;
    return too_many_digits(vm, n, base) ? V_NULL : parse(vm, s, n, base, neg);
}

Value ou_int_from_text(VM *vm, const char *s, size_t n, int base, Value shown)
{
    Value v = plain(vm, s, n, base);
    if (v != V_NOTIMPL) return v;
    char fixed[256], *t = fixed;
    if (n > sizeof fixed / 2 && !(t = ou_alloc(&vm->heap, 2 * n))) return ou_raise_memory(vm);
    size_t len = ou_number_text(s, n, t);
    v = literal(vm, t, len, base, t + (n > sizeof fixed / 2 ? n : sizeof fixed / 2));
    if (t != fixed) ou_free(&vm->heap, t, 2 * n);
    if (v == V_NOTIMPL) return ou_raise(vm, E_VALUE, "invalid literal for int() with base %d: %R", base, shown);
    return v;
}

Value ou_int_from_str(VM *vm, Value s, int base)
{
    if (base != 0 && (base < 2 || base > 36)) return ou_raise(vm, E_VALUE, "int() base must be >= 2 and <= 36, or 0");
    return ou_int_from_text(vm, as_str(s)->data, as_str(s)->size, base, s);
}
