/* float: plain floats are immediate values, only instances of subclasses have heap objects (struct Float). Arithmetic follows
 * CPython's definitions for //, %, divmod and ** at the edges; comparisons with ints are exact. Hex text is at the end. */
#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

#include "runtime/base/numtext.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers_impl.h"
#include "vm/call.h"

bool ou_is_floatlike(VM *vm, Value v) { return is_float(v) || (is_obj(v) && ou_is_a(vm, v, T_FLOAT)); }

double ou_float_of(VM *vm, Value v)
{
    (void)vm;
    return is_float(v) ? v_double(v) : ((Float *)v_obj(v))->d;
}

/* An operand of float arithmetic: 1 got it, 0 it is no number for us, -1 raised (int too large). */
static int operand(VM *vm, Value v, double *out)
{
    if (is_float(v)) {
        *out = v_double(v);
        return 1;
    }
    if (is_small(v)) {
        *out = (double)v_small(v);
        return 1;
    }
    if (is_intlike(vm, v)) {
        bool over;
        *out = ou_int_double(vm, v, &over);
        if (!over) return 1;
        ou_raise(vm, E_OVERFLOW, "int too large to convert to float");
        return -1;
    }
    if (!ou_is_floatlike(vm, v)) return 0;
    *out = ou_float_of(vm, v);
    return 1;
}

/* ---- arithmetic -------------------------------------------------------------------------------------------------------- */

static void divide(double a, double b, double *quotient, double *rest)
{
    double mod = fmod(a, b), div = (a - mod) / b;
    if (mod != 0.0) {
        if ((b < 0) != (mod < 0)) {
            mod += b;
            div -= 1.0;
        }
    } else {
        mod = copysign(0.0, b);
    }
    double q;
    if (div != 0.0) {
        q = floor(div);
        if (div - q > 0.5) q += 1.0;
    } else {
        q = copysign(0.0, a / b);
    }
    *quotient = q;
    *rest = mod;
}

static Value overflow(VM *vm)
{
    Value text = ou_str_c(vm, "Numerical result out of range");
    if (text == V_NULL) return V_NULL;
    Value args[2] = {v_smallint(ERANGE), text};
    ou_raise_args(vm, E_OVERFLOW, args, 2);
    release(vm, text);
    return V_NULL;
}

static Value power(VM *vm, double a, double b)
{
    if (a == 0.0 && b < 0.0 && isfinite(b)) return ou_raise(vm, E_ZERO_DIVISION, "0.0 cannot be raised to a negative power");
    if (a < 0.0 && isfinite(a) && isfinite(b) && b != floor(b)) return ou_complex_pow(vm, a, 0.0, b, 0.0);
    double r = pow(a, b);
    if (isinf(r) && isfinite(a) && isfinite(b)) return overflow(vm);
    return v_float(r);
}

Value ou_float_op(VM *vm, BinOp op, double a, double b)
{
    double q, r;
    switch (op) {
    case BIN_ADD: return v_float(a + b);
    case BIN_SUB: return v_float(a - b);
    case BIN_MUL: return v_float(a * b);
    case BIN_DIV:
        if (b == 0.0) return ou_raise(vm, E_ZERO_DIVISION, "float division by zero");
        return v_float(a / b);
    case BIN_FLOORDIV:
        if (b == 0.0) return ou_raise(vm, E_ZERO_DIVISION, "float floor division by zero");
        divide(a, b, &q, &r);
        return v_float(q);
    case BIN_MOD:
        if (b == 0.0) return ou_raise(vm, E_ZERO_DIVISION, "float modulo by zero");
        r = fmod(a, b);
        if (r != 0.0) {
            if ((b < 0) != (r < 0)) r += b;
        } else {
            r = copysign(0.0, b);
        }
        return v_float(r);
    case BIN_DIVMOD: {
        if (b == 0.0) return ou_raise(vm, E_ZERO_DIVISION, "float divmod()");
        divide(a, b, &q, &r);
        Value qr[2] = {v_float(q), v_float(r)};
        return ou_tuple_take(vm, qr, 2);
    }
    case BIN_POW: return power(vm, a, b);
    default: return V_NOTIMPL;
    }
}

#define FLOAT_BINARY(name, op)                                                                                         \
    static Value float_##name(VM *vm, Value a, Value b)                                                                \
    {                                                                                                                  \
        double x, y;                                                                                                   \
        int got = operand(vm, a, &x);                                                                                  \
        if (got > 0) got = operand(vm, b, &y);                                                                         \
        return got > 0 ? ou_float_op(vm, op, x, y) : got ? V_NULL : V_NOTIMPL;                                         \
    }
FLOAT_BINARY(add, BIN_ADD)
FLOAT_BINARY(sub, BIN_SUB)
FLOAT_BINARY(mul, BIN_MUL)
FLOAT_BINARY(truediv, BIN_DIV)
FLOAT_BINARY(floordiv, BIN_FLOORDIV)
FLOAT_BINARY(mod, BIN_MOD)
FLOAT_BINARY(divmod, BIN_DIVMOD)
FLOAT_BINARY(pow, BIN_POW)

static Value float_power3(VM *vm, Value a, Value b, Value c)
{
    if (c == V_NONE) return float_pow(vm, a, b);
    return ou_raise(vm, E_TYPE, "pow() 3rd argument not allowed unless all arguments are integers");
}

static Value float_neg(VM *vm, Value self) { return v_float(-ou_float_of(vm, self)); }
static Value float_pos(VM *vm, Value self) { return is_float(self) ? self : v_float(ou_float_of(vm, self)); }
static Value float_abs(VM *vm, Value self) { return v_float(fabs(ou_float_of(vm, self))); }

static bool holds(double a, double b, CmpOp op)
{
    switch (op) {
    case CMP_LT: return a < b;
    case CMP_LE: return a <= b;
    case CMP_EQ: return a == b;
    case CMP_NE: return a != b;
    case CMP_GT: return a > b;
    default: return a >= b;
    }
}

static Value float_compare(VM *vm, Value a, Value b, CmpOp op)
{
    bool fa = ou_is_floatlike(vm, a), fb = ou_is_floatlike(vm, b);
    if (fa && fb) return v_bool(holds(ou_float_of(vm, a), ou_float_of(vm, b), op));
    Value f = fa ? a : b, i = fa ? b : a;
    if (!is_intlike(vm, i) || !ou_is_floatlike(vm, f)) return V_NOTIMPL;
    double d = ou_float_of(vm, f);
    if (d != d) return v_bool(op == CMP_NE);
    int c = ou_int_cmp_double(vm, i, d);
    return v_bool(ou_order_holds(fa ? -c : c, 0, op));
}

int64_t ou_hash_double(double d, Value self)
{
    const int bits = 61;
    const uint64_t p = (UINT64_C(1) << bits) - 1;
    if (d != d) return (int64_t)(self * UINT64_C(0x9E3779B97F4A7C15) >> 4); /* a nan equals nothing but itself: by identity, as in CPython */
    if (isinf(d)) return d > 0 ? 314159 : -314159;
    if (d > -1e15 && d < 1e15 && d == (double)(int64_t)d) return ou_hash_i64((int64_t)d);
    int e;
    double m = frexp(fabs(d), &e);
    uint64_t x = 0;
    while (m != 0.0) { /* 28 bits at a time, modulo 2^61 - 1 */
        x = (x << 28 & p) | x >> (bits - 28);
        m *= 268435456.0;
        e -= 28;
        uint64_t y = (uint64_t)m;
        m -= (double)y;
        x += y;
        if (x >= p) x -= p;
    }
    e = e >= 0 ? e % bits : bits - 1 - (-1 - e) % bits;
    x = (x << e & p) | x >> (bits - e);
    int64_t h = d < 0 ? -(int64_t)x : (int64_t)x;
    return h == -1 ? -2 : h;
}

static bool float_hash(VM *vm, Value self, int64_t *out)
{
    *out = ou_hash_double(ou_float_of(vm, self), self);
    return true;
}

static Value float_repr(VM *vm, Value self)
{
    char buf[DOUBLE_REPR_MAX];
    return ou_str_new(vm, buf, ou_double_repr(ou_float_of(vm, self), buf));
}

static int float_truth(VM *vm, Value self) { return ou_float_of(vm, self) != 0.0; }
static Value float_to_int(VM *vm, Value self) { return ou_int_from_double(vm, ou_float_of(vm, self)); }
static Value float_to_float(VM *vm, Value self) { return v_float(ou_float_of(vm, self)); }

/* ---- constructor ----------------------------------------------------------------------------------------------------------- */

bool ou_number_unscore(char *s, size_t *n)
{
    if (!memchr(s, '_', *n)) return true;
    size_t w = 0;
    for (size_t i = 0; i < *n; i++) {
        if (s[i] != '_') {
            s[w++] = s[i];
            continue;
        }
        if (i == 0 || i + 1 == *n || s[i - 1] < '0' || s[i - 1] > '9' || s[i + 1] < '0' || s[i + 1] > '9') return false;
    }
    *n = w;
    return true;
}

/* A nan that is no other's twin: `float("nan")` makes a new object in CPython, and containers look at identity before they compare.
 * The payload is a number, small enough for the negated one to stay below the tag of ints. */
static Value new_nan(VM *vm, bool negative)
{
    uint64_t payload = ++vm->nan_counter & ((UINT64_C(1) << 40) - 1);
    return (negative ? UINT64_C(0xFFF8000000000000) : UINT64_C(0x7FF8000000000000)) + payload + V_DBL;
}

static Value from_text(VM *vm, const char *s, size_t n, Value shown)
{
    char fixed[128], *t = fixed;
    if (n > sizeof fixed && !(t = ou_alloc(&vm->heap, n))) return ou_raise_memory(vm);
    size_t len = ou_number_text(s, n, t);
    double d = 0;
    bool ok = ou_number_unscore(t, &len) && ou_double_parse(t, len, &d);
    if (t != fixed) ou_free(&vm->heap, t, n);
    if (!ok) return ou_raise(vm, E_VALUE, "could not convert string to float: %R", shown);
    return d == d ? v_float(d) : new_nan(vm, signbit(d) != 0);
}

static Value float_convert(VM *vm, Value x)
{
    if (is_float(x)) return x;
    if (is_a_fast(vm, x, T_STR)) return from_text(vm, as_str(x)->data, as_str(x)->size, x);
    Type *t = ou_type_of(vm, x);
    if (t->slots.to_float) {
        Value v = t->slots.to_float(vm, x);
        if (v == V_NULL || is_float(v)) return v;
        double d;
        bool ok = ou_float_result(vm, x, v, &d);
        release(vm, v);
        return ok ? v_float(d) : V_NULL;
    }
    if (t->slots.to_index) {
        Value i = ou_index(vm, x);
        if (i == V_NULL) return V_NULL;
        bool over;
        double d = ou_int_double(vm, i, &over);
        release(vm, i);
        return over ? ou_raise(vm, E_OVERFLOW, "int too large to convert to float") : v_float(d);
    }
    if (t->slots.buffer) {
        Buffer b;
        if (!ou_buffer_get(vm, x, &b, false)) return V_NULL;
        Value r = from_text(vm, (const char *)b.p, (size_t)b.n, x);
        ou_buffer_release(vm, &b);
        return r;
    }
    return ou_raise(vm, E_TYPE, "float() argument must be a string or a real number, not '%T'", x);
}

static Value float_subclass(VM *vm, Type *cls, Value v)
{
    if (v == V_NULL || cls == vm->types[T_FLOAT]) return v;
    Float *f = ou_new(vm, cls, 0);
    if (f) f->d = v_double(v);
    return v_of(f);
}

static Value float_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && cls->slots.init == vm->types[T_FLOAT]->slots.init) {
        ou_no_kw(vm, "float", kwnames);
        return V_NULL;
    }
    if (!ou_arg_count(vm, "float", n, 0, 1)) return V_NULL;
    return float_subclass(vm, cls, n ? float_convert(vm, args[0]) : v_float(0.0));
}

/* ---- methods ------------------------------------------------------------------------------------------------------------------- */

static Value float_is_integer(VM *vm, const Value *args, int n)
{
    (void)n;
    double d = ou_float_of(vm, args[0]);
    return v_bool(isfinite(d) && floor(d) == d);
}

static Value float_conjugate(VM *vm, const Value *args, int n)
{
    (void)n;
    return float_pos(vm, args[0]);
}

static Value float_trunc(VM *vm, const Value *args, int n)
{
    (void)n;
    return float_to_int(vm, args[0]);
}
static Value float_floor(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_int_from_double(vm, floor(ou_float_of(vm, args[0])));
}
static Value float_ceil(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_int_from_double(vm, ceil(ou_float_of(vm, args[0])));
}

static Value float_ratio(VM *vm, const Value *args, int n)
{
    (void)n;
    double d = ou_float_of(vm, args[0]);
    if (d != d) return ou_raise(vm, E_VALUE, "cannot convert NaN to integer ratio");
    if (isinf(d)) return ou_raise(vm, E_OVERFLOW, "cannot convert Infinity to integer ratio");
    int e;
    double m = frexp(d, &e);
    for (int i = 0; i < 300 && m != floor(m); i++) {
        m *= 2.0;
        e--;
    }
    Value r[2] = {ou_int_from_double(vm, m), v_smallint(1)};
    if (r[0] == V_NULL) return V_NULL;
    int at = e > 0 ? 0 : 1;
    Value shifted = ou_int_op(vm, BIN_LSHIFT, r[at], v_smallint(e > 0 ? e : -e));
    if (shifted == V_NULL) {
        release(vm, r[0]);
        return V_NULL;
    }
    release(vm, r[at]);
    r[at] = shifted;
    return ou_tuple_take(vm, r, 2);
}

/* Rounds |d| to a multiple of 10^k, k > 0: ties to even, decided on the exact value. */
static Value round_left(VM *vm, double d, int k)
{
    double whole, frac = modf(fabs(d), &whole);
    Value i = ou_int_from_double(vm, whole), unit = ou_int_op(vm, BIN_POW, v_smallint(10), v_smallint(k)), r = V_NULL;
    Value qr = i == V_NULL || unit == V_NULL ? V_NULL : ou_int_op(vm, BIN_DIVMOD, i, unit);
    if (qr != V_NULL) {
        Value q = as_tuple(qr)->items[0], twice = ou_int_op(vm, BIN_LSHIFT, as_tuple(qr)->items[1], v_smallint(1));
        if (twice != V_NULL) {
            int c = ou_int_compare(vm, twice, unit);
            bool up = c > 0 || (c == 0 && (frac > 0 || !ou_int_is_even(vm, q)));
            Value q2 = ou_int_op(vm, BIN_ADD, q, v_smallint(up));
            Value whole_r = q2 == V_NULL ? V_NULL : ou_int_op(vm, BIN_MUL, q2, unit);
            if (whole_r != V_NULL) {
                bool over;
                double a = ou_int_double(vm, whole_r, &over);
                r = over ? ou_raise(vm, E_OVERFLOW, "rounded value too large to represent") : v_float(copysign(a, d));
            }
            xrelease(vm, q2);
            xrelease(vm, whole_r);
            release(vm, twice);
        }
        release(vm, qr);
    }
    xrelease(vm, i);
    xrelease(vm, unit);
    return r;
}

static Value float_round(VM *vm, const Value *args, int n)
{
    double d = ou_float_of(vm, args[0]);
    if (n < 2 || args[1] == V_NONE) return ou_int_from_double(vm, nearbyint(d)); /* the default mode: ties to even */
    int64_t digits;
    if (!is_small(args[1]) && !ou_type_of(vm, args[1])->slots.to_index)
        return ou_raise(vm, E_TYPE, "'%T' object cannot be interpreted as an integer", args[1]);
    if (!ou_index_clip(vm, args[1], &digits)) return V_NULL;
    if (!isfinite(d) || digits > 323) return v_float(d);
    if (digits < -308) return v_float(0.0 * d);
    if (digits < 0) return round_left(vm, d, (int)-digits);
    NumText t;
    if (!ou_double_format(&vm->heap, d, 'f', (int)digits, 0, &t)) return ou_raise_memory(vm);
    double r = d;
    ou_double_parse(t.p, t.n, &r); /* printf rounds the exact value, ties to even */
    ou_numtext_drop(&vm->heap, &t);
    return isinf(r) ? ou_raise(vm, E_OVERFLOW, "rounded value too large to represent") : v_float(r);
}

static Value float_format(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_a_fast(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "__format__() argument must be str, not %K", args[1]);
    return ou_format_float(vm, args[0], args[1]);
}

static Value float_getnewargs(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = float_pos(vm, args[0]);
    return ou_tuple_take(vm, &v, 1);
}

static Value float_getformat(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_a_fast(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "__getformat__() argument must be str, not %K", args[1]);
    if (!ou_str_eq_c(as_str(args[1]), "double") && !ou_str_eq_c(as_str(args[1]), "float"))
        return ou_raise(vm, E_VALUE, "__getformat__() argument 1 must be 'double' or 'float'");
    const uint16_t one = 1;
    return ou_str_c(vm, *(const uint8_t *)&one ? "IEEE, little-endian" : "IEEE, big-endian");
}

/* ---- hexadecimal text -------------------------------------------------------------------------------------------------------------- */

static Value float_hex(VM *vm, const Value *args, int n)
{
    (void)n;
    double d = ou_float_of(vm, args[0]);
    if (!isfinite(d)) return float_repr(vm, args[0]);
    const char *sign = signbit(d) ? "-" : "";
    if (d == 0.0) return ou_str_format(vm, "%s0x0.0p+0", sign);
    uint64_t u;
    memcpy(&u, &d, 8);
    int e = (int)(u >> 52 & 0x7FF);
    char t[48];
    snprintf(t, sizeof t, "%s0x%d.%013llxp%+d", sign, e != 0, (unsigned long long)(u & ((UINT64_C(1) << 52) - 1)),
             e ? e - 1023 : -1022);
    return ou_str_c(vm, t);
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* 1 parsed, 0 malformed, -1 too large. */
static int parse_hex(const char *s, size_t n, double *out)
{
    size_t i = 0;
    while (i < n && (s[i] == ' ' || (s[i] >= 9 && s[i] <= 13))) i++;
    while (n > i && (s[n - 1] == ' ' || (s[n - 1] >= 9 && s[n - 1] <= 13))) n--;
    double special;
    if (i < n) { /* inf and nan, but no decimal number */
        size_t k = i + (s[i] == '+' || s[i] == '-');
        if (k < n && ((s[k] | 0x20) == 'i' || (s[k] | 0x20) == 'n')) {
            if (!ou_double_parse(s + i, n - i, &special)) return 0;
            *out = special;
            return 1;
        }
    }
    bool neg = false;
    if (i < n && (s[i] == '+' || s[i] == '-')) neg = s[i++] == '-';
    if (i + 1 < n && s[i] == '0' && (s[i + 1] | 0x20) == 'x') i += 2;
    uint64_t m = 0;
    int64_t exp = 0;
    bool any = false, point = false, sticky = false;
    for (; i < n; i++) {
        if (s[i] == '.' && !point) {
            point = true;
            continue;
        }
        int h = hex_value(s[i]);
        if (h < 0) break;
        any = true;
        if (m >> 59 == 0) {
            m = m << 4 | (uint64_t)h;
            if (point) exp -= 4;
        } else {
            sticky |= h != 0;
            if (!point) exp += 4;
        }
    }
    if (!any) return 0;
    if (i < n && (s[i] | 0x20) == 'p') {
        i++;
        bool eneg = false;
        if (i < n && (s[i] == '+' || s[i] == '-')) eneg = s[i++] == '-';
        if (i >= n) return 0;
        int64_t e = 0;
        for (; i < n && s[i] >= '0' && s[i] <= '9'; i++)
            if (e < INT64_C(1) << 40) e = e * 10 + (s[i] - '0');
        exp += eneg ? -e : e;
    }
    if (i != n) return 0;
    if (m == 0) {
        *out = neg ? -0.0 : 0.0;
        return 1;
    }
    int bits = 64 - __builtin_clzll(m);
    if (exp + bits > 1100) return -1;
    int64_t drop = bits - 53; /* bits below the last one that the result keeps */
    if (-1074 - exp > drop) drop = -1074 - exp;
    if (drop > 64) {
        *out = neg ? -0.0 : 0.0;
        return 1;
    }
    if (drop > 0) {
        uint64_t half = UINT64_C(1) << (drop - 1), rest = drop == 64 ? m : m & ((half << 1) - 1);
        m = drop == 64 ? 0 : m >> drop;
        if (rest > half || (rest == half && (sticky || (m & 1)))) m++;
        exp += drop;
    }
    double d = ldexp((double)m, (int)exp);
    if (isinf(d)) return -1;
    *out = neg ? -d : d;
    return 1;
}

static Value float_fromhex(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_a_fast(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "bad argument type for built-in operation");
    double d;
    int r = parse_hex(as_str(args[1])->data, as_str(args[1])->size, &d);
    if (r == 0) return ou_raise(vm, E_VALUE, "invalid hexadecimal floating-point string");
    if (r < 0) return ou_raise(vm, E_OVERFLOW, "hexadecimal value too large to represent as a float");
    if (args[0] == v_of(vm->types[T_FLOAT])) return v_float(d);
    return ou_call1(vm, args[0], v_float(d));
}

static Value get_imag(VM *vm, Value self)
{
    (void)vm, (void)self;
    return v_float(0.0);
}

static const NativeDef float_methods[] = {
    {"is_integer()", float_is_integer, "Return True if the float is an integer.", 0},
    {"conjugate()", float_conjugate, "Return self, the complex conjugate of any float.", 0},
    {"as_integer_ratio()", float_ratio, "Return a pair of integers, whose ratio is exactly equal to the original float.", 0},
    {"hex()", float_hex, "Return a hexadecimal representation of a floating-point number.\n\n>>> (-0.1).hex()\n'-0x1.999999999999ap-4'\n>>> 3.14159.hex()\n'0x1.921f9f01b866ep+1'", 0},
    {"fromhex(string, /)", float_fromhex, "Create a floating-point number from a hexadecimal string.", ND_CLASS},
    {"__trunc__()", float_trunc, "Return the Integral closest to x between 0 and x.", 0},
    {"__floor__()", float_floor, "Return the floor as an Integral.", 0},
    {"__ceil__()", float_ceil, "Return the ceiling as an Integral.", 0},
    {"__round__(ndigits=None, /)", float_round, "Return the Integral closest to x, rounding half toward even.\n\nWhen an argument is passed, work like built-in round(x, ndigits).", 0},
    {"__format__(format_spec, /)", float_format, "Formats the float according to format_spec.", 0},
    {"__getnewargs__()", float_getnewargs, NULL, 0},
    {"__getformat__(typestr, /)", float_getformat, "You probably don't want to use this function.", ND_CLASS},
    {0}};
static const GetSetDef float_getset[] = {{"real", float_pos, NULL, "the real part of a complex number"},
                                         {"imag", get_imag, NULL, "the imaginary part of a complex number"},
                                         {0}};

const TypeDef ou_type_float = {
    .name = "float",
    .size = sizeof(Float),
    .flags = TF_BASE | TF_MATCH_SELF,
    .slots = {.make = float_make,
              .repr = float_repr,
              .hash = float_hash,
              .compare = float_compare,
              .truth = float_truth,
              .binary = {[BIN_ADD] = float_add,
                         [BIN_SUB] = float_sub,
                         [BIN_MUL] = float_mul,
                         [BIN_DIV] = float_truediv,
                         [BIN_FLOORDIV] = float_floordiv,
                         [BIN_MOD] = float_mod,
                         [BIN_POW] = float_pow,
                         [BIN_DIVMOD] = float_divmod},
              .power3 = float_power3,
              .unary = {[UN_NEG] = float_neg, [UN_POS] = float_pos, [UN_ABS] = float_abs},
              .to_int = float_to_int,
              .to_float = float_to_float},
    .methods = float_methods,
    .getset = float_getset,
    .doc = "Convert a string or number to a floating-point number, if possible.",
    .new_sig = "(x=0, /)"};
