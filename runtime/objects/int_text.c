/* Integers as text and back: str(int), int("..."), hex/oct/bin, constants of the lexer.
 * Powers of two go bit by bit; decimal divides and conquers with powers 10^(18 * 2^j), so that parsing costs what libtommath's
 * multiplication does and printing what its division does, not a division per digit. */
#include <utf8proc.h>

#include "runtime/objects/numbers_impl.h"
#include "runtime/objects/str.h"

enum { CHUNK = 18, LEVELS = 48, BASE_LEVEL = 4 /* below 10^(18 * 2^5) the plain loops win */ };
static const uint64_t TEN18 = UINT64_C(1000000000000000000);

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
    for (int i = CHUNK; i-- > 0; u /= 10) out[i] = (char)('0' + u % 10);
}

/* m < 10^width as exactly width digits; destroys m. */
static void print_plain(mp_int *m, char *out, size_t width)
{
    size_t w = width;
    while (w > 0) {
        uint64_t rem = 0;
        for (int i = m->used; i-- > 0;) {
            unsigned __int128 v = (unsigned __int128)rem << MP_DIGIT_BIT | m->dp[i];
            m->dp[i] = (mp_digit)(v / TEN18);
            rem = (uint64_t)(v % TEN18);
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

static unsigned digit_at(const mp_int *m, int64_t bit, int width)
{
    int64_t d = bit / MP_DIGIT_BIT;
    int off = (int)(bit % MP_DIGIT_BIT);
    uint64_t v = m->dp[d] >> off;
    if (off + width > MP_DIGIT_BIT && d + 1 < m->used) v |= m->dp[d + 1] << (MP_DIGIT_BIT - off);
    return (unsigned)(v & ((1u << width) - 1));
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
    for (int64_t k = 0; bits && k < n; k++) p[n - 1 - k] = "0123456789abcdef"[digit_at(m, k * width, width)];
    return s;
}

/* ---- parsing ------------------------------------------------------------------------------------------------------------ */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'z') return c - 'a' + 10;
    if (c >= 'A' && c <= 'Z') return c - 'A' + 10;
    return 99;
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
    for (size_t k = 0; k < n; k++) {
        size_t bit = k * (size_t)width, d = bit / MP_DIGIT_BIT, off = bit % MP_DIGIT_BIT;
        uint64_t v = (uint64_t)digit_value(s[n - 1 - k]);
        m->dp[d] |= v << off & MP_MASK;
        if (off + (size_t)width > MP_DIGIT_BIT && v >> (MP_DIGIT_BIT - off)) m->dp[d + 1] |= v >> (MP_DIGIT_BIT - off);
    }
    m->used = (int)((n * (size_t)width + MP_DIGIT_BIT - 1) / MP_DIGIT_BIT);
    mp_clamp(m);
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
    mp_int m;
    mp_err e = mp_init(&m);
    if (e != MP_OKAY) return ou_raise_memory(vm);
    int width = base == 2 ? 1 : base == 4 ? 2 : base == 8 ? 3 : base == 16 ? 4 : base == 32 ? 5 : 0;
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

static bool is_space(utf8proc_int32_t cp)
{
    if (cp < 128) return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 28 && cp <= 31);
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
            if (leading && is_space(c)) continue;
            out[w++] = is_space(c) ? ' ' : (char)c;
            if (!is_space(c)) keep = w;
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

Value ou_int_from_text(VM *vm, const char *s, size_t n, int base, Value shown)
{
    char fixed[256], *t = fixed;
    if (n > sizeof fixed / 2 && !(t = ou_alloc(&vm->heap, 2 * n))) return ou_raise_memory(vm);
    size_t len = ou_number_text(s, n, t);
    Value v = literal(vm, t, len, base, t + (n > sizeof fixed / 2 ? n : sizeof fixed / 2));
    if (t != fixed) ou_free(&vm->heap, t, 2 * n);
    if (v == V_NOTIMPL) return ou_raise(vm, E_VALUE, "invalid literal for int() with base %d: %R", base, shown);
    return v;
}

Value ou_int_from_str(VM *vm, Value s, int base)
{
    if (base != 0 && (base < 2 || base > 36)) return ou_raise(vm, E_VALUE, "int() base must be >= 2 and <= 36, or 0");
    return ou_int_from_text(vm, as_str(s)->data, as_str(s)->size, base, s);
}
