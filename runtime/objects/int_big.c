/* Integer arithmetic of any size: 64-bit fast paths, libtommath beyond. Text is in int_text.c, the type in type_int.c.
 *
 * libtommath allocates with malloc, behind the VM's heap. So the size of a result is projected and checked before the work
 * (ou_int_room), and the bytes of every big int that becomes a value are added to heap.used until it dies: a script cannot
 * pass its memory limit with integers. */
#include <math.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/numbers_impl.h"

enum { MAX_BITS_LOG2 = 30 }; /* 128 MiB for one int: libtommath counts bits in an int */

/* ---- values ---------------------------------------------------------------------------------------------------------- */

bool ou_is_intlike(VM *vm, Value v) { return is_intlike(vm, v); }

Value ou_int(VM *vm, int64_t i)
{
    if (fits_small(i)) return v_smallint(i);
    Int *o = ou_new(vm, vm->types[T_INT], 0);
    if (o) o->u.i = i;
    return v_of(o);
}

Value ou_int_u64(VM *vm, uint64_t u)
{
    if (u <= INT64_MAX) return ou_int(vm, (int64_t)u);
    mp_int m;
    mp_err e = mp_init_u64(&m, u);
    return ou_int_take(vm, &m, e);
}

bool ou_mp_set_u64(mp_int *m, uint64_t u)
{
    if (mp_grow(m, 2) != MP_OKAY) return false;
    mp_set_u64(m, u);
    return true;
}

const mp_int *ou_int_view(IntView *w, Value v)
{
    int64_t i;
    if (!int_i64(v, &i)) return &((const Int *)v_obj(v))->u.big;
    uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
    w->d[0] = u & MP_MASK;
    w->d[1] = u >> MP_DIGIT_BIT;
    w->m.dp = w->d;
    w->m.alloc = 2;
    w->m.used = w->d[1] ? 2 : w->d[0] ? 1 : 0;
    w->m.sign = i < 0 ? MP_NEG : MP_ZPOS;
    return &w->m;
}

bool ou_int_room(VM *vm, uint64_t bits)
{
    if (bits >> MAX_BITS_LOG2 || (vm->heap.limit && vm->heap.used + bits / 8 > vm->heap.limit)) {
        ou_raise_memory(vm);
        return false;
    }
    return true;
}

static size_t big_bytes(const mp_int *m) { return (size_t)m->alloc * sizeof(mp_digit); }

static Value adopt(VM *vm, Type *cls, mp_int *m)
{
    Value few = cls == vm->types[T_INT] ? ou_int_inline(vm, m) : V_NOTIMPL;
    Int *o = few == V_NOTIMPL ? ou_new(vm, cls, 0) : NULL;
    if (!o) {
        mp_clear(m);
        return few == V_NOTIMPL ? V_NULL : few;
    }
    o->is_big = true;
    o->u.big = *m;
    vm->heap.used += big_bytes(m);
    vm->heap.churned += big_bytes(m);
    return v_of(o);
}

Value ou_int_take(VM *vm, mp_int *m, mp_err err)
{
    if (err != MP_OKAY) {
        mp_clear(m);
        return ou_raise_memory(vm);
    }
    int bits = mp_count_bits(m);
    if (bits <= 63) {
        int64_t i = mp_get_i64(m);
        mp_clear(m);
        return ou_int(vm, i);
    }
    if (bits == 64 && mp_isneg(m) && mp_get_mag_u64(m) == UINT64_C(1) << 63) {
        mp_clear(m);
        return ou_int(vm, INT64_MIN);
    }
    if (m->alloc > m->used + 8 && mp_shrink(m) != MP_OKAY) {
        /* the larger block serves as well */
    }
    return adopt(vm, vm->types[T_INT], m);
}

Value ou_int_subclass(VM *vm, Type *cls, Value v)
{
    int64_t i;
    if (int_i64(v, &i)) {
        Int *o = ou_new(vm, cls, 0);
        if (o) o->u.i = i;
        return v_of(o);
    }
    mp_int m;
    if (mp_init_copy(&m, &((const Int *)v_obj(v))->u.big) != MP_OKAY) return ou_raise_memory(vm);
    return adopt(vm, cls, &m);
}

Value ou_int_value(VM *vm, Value v)
{
    if (is_int(v)) return retain(v);
    int64_t i;
    if (int_i64(v, &i)) return ou_int(vm, i);
    mp_int m;
    mp_err e = mp_init_copy(&m, &((const Int *)v_obj(v))->u.big);
    return e == MP_OKAY ? ou_int_take(vm, &m, e) : ou_raise_memory(vm);
}

bool ou_int_fits_i64(VM *vm, Value v, int64_t *out)
{
    (void)vm;
    return int_i64(v, out);
}

bool ou_int_i64(VM *vm, Value v, int64_t *out)
{
    if (int_i64(v, out)) return true;
    ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C ssize_t");
    return false;
}

int ou_int_sign(VM *vm, Value v)
{
    (void)vm;
    int64_t i;
    if (int_i64(v, &i)) return (i > 0) - (i < 0);
    return mp_isneg(&((const Int *)v_obj(v))->u.big) ? -1 : 1;
}

bool ou_int_is_even(VM *vm, Value v)
{
    (void)vm;
    int64_t i;
    if (int_i64(v, &i)) return !(i & 1);
    return mp_iseven(&((const Int *)v_obj(v))->u.big);
}

int64_t ou_int_bit_length(VM *vm, Value v)
{
    (void)vm;
    int64_t i;
    if (!int_i64(v, &i)) return mp_count_bits(&((const Int *)v_obj(v))->u.big);
    uint64_t u = i < 0 ? -(uint64_t)i : (uint64_t)i;
    return u ? 64 - __builtin_clzll(u) : 0;
}

int ou_int_compare(VM *vm, Value a, Value b)
{
    (void)vm;
    int64_t x, y;
    if (int_i64(a, &x) && int_i64(b, &y)) return (x > y) - (x < y);
    IntView va, vb;
    mp_ord o = mp_cmp(ou_int_view(&va, a), ou_int_view(&vb, b));
    return o == MP_LT ? -1 : o == MP_GT;
}

/* ---- doubles ----------------------------------------------------------------------------------------------------------- */

/* The top 64 bits of |m| (m has more than 64), the lowest one set if anything below is lost; *shift: their weight. */
static uint64_t top_bits(const mp_int *m, int *shift)
{
    int bits = mp_count_bits(m);
    *shift = bits - 64;
    uint64_t top = 0;
    int have = 0, i = m->used - 1;
    for (; i >= 0 && have < 64; i--) {
        int n = i == m->used - 1 ? bits - i * MP_DIGIT_BIT : MP_DIGIT_BIT; /* bits in this digit */
        int take = n < 64 - have ? n : 64 - have;
        uint64_t part = m->dp[i] >> (n - take);
        top = take == 64 ? part : top << take | part;
        have += take;
        if (take < n && (m->dp[i] & ((UINT64_C(1) << (n - take)) - 1))) top |= 1;
    }
    for (; i >= 0 && !(top & 1); i--)
        if (m->dp[i]) top |= 1;
    return top;
}

double ou_mp_double(const mp_int *m)
{
    double d;
    if (mp_count_bits(m) <= 64) {
        d = (double)mp_get_mag_u64(m);
    } else {
        int shift;
        uint64_t top = top_bits(m, &shift);
        d = shift > 1000 ? (double)INFINITY : ldexp((double)top, shift); /* one rounding: in the conversion */
    }
    return mp_isneg(m) ? -d : d;
}

double ou_int_double(VM *vm, Value v, bool *overflow)
{
    (void)vm;
    int64_t i;
    if (int_i64(v, &i)) {
        if (overflow) *overflow = false;
        return (double)i;
    }
    double d = ou_mp_double(&((const Int *)v_obj(v))->u.big);
    if (overflow) *overflow = isinf(d);
    return d;
}

/* An integer-valued double as an int of any size. */
static mp_err set_double(mp_int *m, double d)
{
    int e;
    double f = frexp(fabs(d), &e); /* |d| = f * 2^e */
    mp_set_u64(m, (uint64_t)ldexp(f, 53));
    e -= 53;
    mp_err err = e >= 0 ? mp_mul_2d(m, e, m) : mp_div_2d(m, -e, m, NULL);
    if (err == MP_OKAY && d < 0) err = mp_neg(m, m);
    return err;
}

Value ou_int_from_double(VM *vm, double d)
{
    if (d != d) return ou_raise(vm, E_VALUE, "cannot convert float NaN to integer");
    if (isinf(d)) return ou_raise(vm, E_OVERFLOW, "cannot convert float infinity to integer");
    if (d > -9.2e18 && d < 9.2e18) return ou_int(vm, (int64_t)d);
    mp_int m;
    if (mp_init_size(&m, 20) != MP_OKAY) return ou_raise_memory(vm);
    return ou_int_take(vm, &m, set_double(&m, d));
}

int ou_int_cmp_double(VM *vm, Value v, double d)
{
    int64_t i;
    if (isinf(d)) return d > 0 ? -1 : 1;
    bool small = int_i64(v, &i);
    if (d > -9.2e18 && d < 9.2e18) {
        if (!small) return ou_int_sign(vm, v);
        int64_t t = (int64_t)d;
        if (i != t) return i < t ? -1 : 1;
        double frac = d - (double)t;
        return frac > 0 ? -1 : frac < 0;
    }
    mp_int m;
    if (mp_init_size(&m, 20) != MP_OKAY) return 0;
    int r = 0;
    if (set_double(&m, d) == MP_OKAY) {
        IntView w;
        mp_ord o = mp_cmp(ou_int_view(&w, v), &m);
        r = o == MP_LT ? -1 : o == MP_GT;
    }
    mp_clear(&m);
    return r;
}

/* a / b, rounded once: the quotient to 62 or 63 bits with a sticky last bit, then scaled. */
static Value true_divide(VM *vm, Value a, Value b)
{
    int64_t x, y;
    if (ou_int_sign(vm, b) == 0) return ou_raise(vm, E_ZERO_DIVISION, "division by zero");
    const int64_t exact = INT64_C(1) << 53;
    if (int_i64(a, &x) && int_i64(b, &y) && x >= -exact && x <= exact && y >= -exact && y <= exact)
        return v_float((double)x / (double)y);
    IntView va, vb;
    const mp_int *p = ou_int_view(&va, a), *q = ou_int_view(&vb, b);
    bool neg = mp_isneg(p) != mp_isneg(q);
    if (p->used == 0) return v_float(neg ? -0.0 : 0.0);
    int64_t diff = (int64_t)mp_count_bits(p) - mp_count_bits(q);
    if (diff > 1025) return ou_raise(vm, E_OVERFLOW, "integer division result too large for a float");
    if (diff < -1080) return v_float(neg ? -0.0 : 0.0);
    int shift = 62 - (int)diff; /* the quotient of (p << shift) / q has 62 or 63 bits */
    mp_int n, quo, rem;
    if (mp_init_multi(&n, &quo, &rem, NULL) != MP_OKAY) return ou_raise_memory(vm);
    mp_err e = MP_OKAY;
    if (shift >= 0) {
        e = mp_mul_2d(p, shift, &n);
        if (e == MP_OKAY) e = ou_mp_div(&n, q, &quo, &rem);
    } else {
        e = mp_mul_2d(q, -shift, &n);
        if (e == MP_OKAY) e = ou_mp_div(p, &n, &quo, &rem);
    }
    uint64_t m = e == MP_OKAY ? mp_get_mag_u64(&quo) : 0;
    if (rem.used) m |= 1;
    mp_clear_multi(&n, &quo, &rem, NULL);
    if (e != MP_OKAY) return ou_raise_memory(vm);
    int drop = shift - 1074, bits = 64 - __builtin_clzll(m);
    if (drop > bits - 53) { /* subnormal result: round where its last bit is */
        if (drop > 63) return v_float(neg ? -0.0 : 0.0); /* less than half of the smallest */
        uint64_t half = UINT64_C(1) << (drop - 1), rest = m & ((half << 1) - 1);
        m >>= drop;
        if (rest > half || (rest == half && (m & 1))) m++;
        shift = 1074;
    }
    double d = ldexp((double)m, -shift);
    if (isinf(d)) return ou_raise(vm, E_OVERFLOW, "integer division result too large for a float");
    return v_float(neg ? -d : d);
}

/* ---- arithmetic -------------------------------------------------------------------------------------------------------------- */

static Value divide_i64(VM *vm, BinOp op, int64_t x, int64_t y)
{
    if (y == -1) { /* INT64_MIN / -1 is the one that overflows */
        if (op == BIN_MOD) return v_smallint(0);
        if (x != INT64_MIN) {
            if (op == BIN_FLOORDIV) return ou_int(vm, -x);
            Value r[2] = {ou_int(vm, -x), v_smallint(0)};
            return r[0] == V_NULL ? V_NULL : ou_tuple_take(vm, r, 2);
        }
        return V_NOTIMPL;
    }
    int64_t q = x / y, r = x % y;
    if (r != 0 && (r < 0) != (y < 0)) {
        q--;
        r += y;
    }
    if (op == BIN_FLOORDIV) return ou_int(vm, q);
    if (op == BIN_MOD) return ou_int(vm, r);
    Value qr[2] = {ou_int(vm, q), ou_int(vm, r)};
    return qr[0] == V_NULL || qr[1] == V_NULL ? V_NULL : ou_tuple_take(vm, qr, 2);
}

static Value divide_big(VM *vm, BinOp op, const mp_int *a, const mp_int *b)
{
    mp_int q, r;
    if (mp_init_multi(&q, &r, NULL) != MP_OKAY) return ou_raise_memory(vm);
    mp_err e = ou_mp_div(a, b, &q, &r);
    if (e == MP_OKAY && r.used && mp_isneg(&r) != mp_isneg(b)) { /* floor instead of truncation */
        e = mp_sub_d(&q, 1, &q);
        if (e == MP_OKAY) e = mp_add(&r, b, &r);
    }
    if (op == BIN_FLOORDIV) {
        mp_clear(&r);
        return ou_int_take(vm, &q, e);
    }
    if (op == BIN_MOD) {
        mp_clear(&q);
        return ou_int_take(vm, &r, e);
    }
    Value qr[2];
    qr[0] = ou_int_take(vm, &q, e);
    qr[1] = qr[0] == V_NULL ? V_NULL : ou_int_take(vm, &r, e);
    if (qr[1] != V_NULL) return ou_tuple_take(vm, qr, 2);
    if (qr[0] == V_NULL) mp_clear(&r);
    xrelease(vm, qr[0]);
    return V_NULL;
}

static Value shift_left(VM *vm, Value a, Value b)
{
    int64_t x, n;
    if (ou_int_sign(vm, b) < 0) return ou_raise(vm, E_VALUE, "negative shift count");
    if (ou_int_sign(vm, a) == 0) return v_smallint(0);
    if (!int_i64(b, &n)) return ou_raise(vm, E_OVERFLOW, "too many digits in integer");
    if (int_i64(a, &x) && n < 62) {
        int64_t r = (int64_t)((uint64_t)x << n);
        if (r >> n == x) return ou_int(vm, r);
    }
    if ((uint64_t)n >> MAX_BITS_LOG2) return ou_raise_memory(vm);
    if (!ou_int_room(vm, (uint64_t)ou_int_bit_length(vm, a) + (uint64_t)n)) return V_NULL;
    IntView w;
    mp_int r;
    mp_err e = mp_init(&r);
    const mp_int *m = ou_int_view(&w, a);
    if (e == MP_OKAY) e = mp_mul_2d(m, (int)n, &r);
    return ou_int_take(vm, &r, e);
}

static Value shift_right(VM *vm, Value a, Value b)
{
    int64_t x, n;
    if (ou_int_sign(vm, b) < 0) return ou_raise(vm, E_VALUE, "negative shift count");
    if (int_i64(b, &n)) {
        if (int_i64(a, &x)) return ou_int(vm, x >> (n > 63 ? 63 : n));
        if (n < INT32_MAX) {
            IntView w;
            mp_int r;
            mp_err e = mp_init(&r);
            if (e == MP_OKAY) e = mp_signed_rsh(ou_int_view(&w, a), (int)n, &r);
            return ou_int_take(vm, &r, e);
        }
    }
    return v_smallint(ou_int_sign(vm, a) < 0 ? -1 : 0);
}

static Value power(VM *vm, Value a, Value b)
{
    if (ou_int_sign(vm, b) < 0) {
        bool over_a, over_b;
        double x = ou_int_double(vm, a, &over_a), y = ou_int_double(vm, b, &over_b);
        if (over_a || over_b) return ou_raise(vm, E_OVERFLOW, "int too large to convert to float");
        return ou_float_op(vm, BIN_POW, x, y);
    }
    int64_t x, n;
    bool small = int_i64(a, &x);
    if (small && (x == 0 || x == 1)) return v_smallint(ou_int_sign(vm, b) == 0 ? 1 : x);
    if (small && x == -1) return v_smallint(ou_int_is_even(vm, b) ? 1 : -1);
    if (!int_i64(b, &n)) return ou_raise_memory(vm);
    if (small) { /* while it fits 64 bits */
        int64_t r = 1, base = x, k = n;
        bool over = false;
        while (k && !over) {
            if (k & 1) over = __builtin_mul_overflow(r, base, &r);
            k >>= 1;
            if (k && !over) over = __builtin_mul_overflow(base, base, &base);
        }
        if (!over) return ou_int(vm, r);
    }
    int64_t bits = ou_int_bit_length(vm, a);
    if (n > INT64_MAX / bits || !ou_int_room(vm, (uint64_t)(bits - 1) * (uint64_t)n + 1)) return vm->exc ? V_NULL : ou_raise_memory(vm);
    if (small && x == 2) return shift_left(vm, v_smallint(1), b);
    IntView w;
    const mp_int *m = ou_int_view(&w, a);
    mp_int r;
    mp_err e = mp_init_copy(&r, m);
    for (int i = 62 - __builtin_clzll((uint64_t)n); i >= 0 && e == MP_OKAY; i--) {
        if (!ou_int_charge(vm, (uint64_t)r.used, (uint64_t)r.used)) {
            mp_clear(&r);
            return V_NULL;
        }
        e = mp_sqr(&r, &r);
        if (e == MP_OKAY && (n >> i & 1)) e = mp_mul(&r, m, &r);
    }
    return ou_int_take(vm, &r, e);
}

Value ou_int_op(VM *vm, BinOp op, Value a, Value b)
{
    int64_t x, y, r;
    bool small = int_i64(a, &x) && int_i64(b, &y);
    switch (op) {
    case BIN_ADD:
        if (small && !__builtin_add_overflow(x, y, &r)) return ou_int(vm, r);
        break;
    case BIN_SUB:
        if (small && !__builtin_sub_overflow(x, y, &r)) return ou_int(vm, r);
        break;
    case BIN_MUL:
        if (small && !__builtin_mul_overflow(x, y, &r)) return ou_int(vm, r);
        break;
    case BIN_AND:
        if (small) return ou_int(vm, x & y);
        break;
    case BIN_OR:
        if (small) return ou_int(vm, x | y);
        break;
    case BIN_XOR:
        if (small) return ou_int(vm, x ^ y);
        break;
    case BIN_FLOORDIV:
    case BIN_MOD:
    case BIN_DIVMOD:
        if (ou_int_sign(vm, b) == 0)
            return ou_raise(vm, E_ZERO_DIVISION, op == BIN_MOD ? "integer modulo by zero" : "integer division or modulo by zero");
        if (small) {
            Value v = divide_i64(vm, op, x, y);
            if (v != V_NOTIMPL) return v;
        }
        break;
    case BIN_DIV: return true_divide(vm, a, b);
    case BIN_LSHIFT:
    case BIN_RSHIFT:
        break;
    case BIN_POW: return power(vm, a, b);
    default: return V_NOTIMPL;
    }
    Value wide = ou_int_wide_op(vm, op, a, b);
    if (wide != V_NOTIMPL) return wide;
    IntView va, vb;
    const mp_int *p = ou_int_view(&va, a), *q = ou_int_view(&vb, b);
    Value mid = ou_int_mid_op(vm, op, p, q);
    if (mid != V_NOTIMPL) return mid;
    if (op == BIN_LSHIFT) return shift_left(vm, a, b);
    if (op == BIN_RSHIFT) return shift_right(vm, a, b);
    if (op == BIN_MUL || op == BIN_FLOORDIV || op == BIN_MOD || op == BIN_DIVMOD) {
        if (!ou_int_charge(vm, (uint64_t)p->used, (uint64_t)q->used)) return V_NULL;
        if (op != BIN_MUL) return divide_big(vm, op, p, q);
        if (!ou_int_room(vm, ((uint64_t)p->used + (uint64_t)q->used) * MP_DIGIT_BIT)) return V_NULL;
    }
    mp_int m;
    mp_err e = mp_init_size(&m, (p->used > q->used ? p->used : q->used) + 1);
    if (e != MP_OKAY) return ou_raise_memory(vm);
    switch (op) {
    case BIN_ADD: e = mp_add(p, q, &m); break;
    case BIN_SUB: e = mp_sub(p, q, &m); break;
    case BIN_MUL: e = p == q ? mp_sqr(p, &m) : mp_mul(p, q, &m); break;
    case BIN_AND: e = mp_and(p, q, &m); break;
    case BIN_OR: e = mp_or(p, q, &m); break;
    default: e = mp_xor(p, q, &m); break;
    }
    return ou_int_take(vm, &m, e);
}

/* The inverse of a modulo m > 0 by the extended Euclidean algorithm; MP_VAL: there is none. */
static mp_err inverse(const mp_int *a, const mp_int *m, mp_int *out)
{
    mp_int r0, r1, s0, s1, q, t;
    mp_err e = mp_init_multi(&r0, &r1, &s0, &s1, &q, &t, NULL);
    if (e != MP_OKAY) return e;
    if ((e = mp_copy(m, &r0)) == MP_OKAY && (e = mp_mod(a, m, &r1)) == MP_OKAY) mp_set(&s1, 1);
    while (e == MP_OKAY && r1.used) {
        if ((e = ou_mp_div(&r0, &r1, &q, &t)) != MP_OKAY) break;
        mp_exch(&r0, &r1);
        mp_exch(&r1, &t);
        if ((e = mp_mul(&q, &s1, &t)) != MP_OKAY || (e = mp_sub(&s0, &t, &t)) != MP_OKAY) break;
        mp_exch(&s0, &s1);
        mp_exch(&s1, &t);
    }
    if (e == MP_OKAY) e = mp_cmp_d(&r0, 1) == MP_EQ ? mp_mod(&s0, m, out) : MP_VAL;
    mp_clear_multi(&r0, &r1, &s0, &s1, &q, &t, NULL);
    return e;
}

/* base ** exponent % mod in machine words, base < mod; the exponent has so many bits. */
static uint64_t power_words(uint64_t base, const mp_digit *exponent, int bits, uint64_t mod)
{
    uint64_t acc = 1 % mod;
    for (int i = bits - 1; i >= 0; i--) {
        bool one = exponent[i / MP_DIGIT_BIT] >> (i % MP_DIGIT_BIT) & 1;
        if (mod <= UINT32_MAX) {
            acc = acc * acc % mod;
            if (one) acc = acc * base % mod;
        } else {
            acc = (uint64_t)((unsigned __int128)acc * acc % mod);
            if (one) acc = (uint64_t)((unsigned __int128)acc * base % mod);
        }
    }
    return acc;
}

Value ou_int_pow_mod(VM *vm, Value a, Value b, Value m)
{
    if (ou_int_sign(vm, m) == 0) return ou_raise(vm, E_VALUE, "pow() 3rd argument cannot be 0");
    int64_t sa, sb, sm;
    if (int_i64(a, &sa) && int_i64(b, &sb) && int_i64(m, &sm) && sb >= 0 && sm > 0) {
        sa %= sm;
        return ou_int(vm, (int64_t)power_words((uint64_t)(sa < 0 ? sa + sm : sa), (const mp_digit[]){(mp_digit)sb & MP_MASK, (mp_digit)sb >> MP_DIGIT_BIT}, 64 - __builtin_clzll((uint64_t)sb | 1), (uint64_t)sm));
    }
    IntView va, vb, vm_;
    const mp_int *p = ou_int_view(&va, a), *n = ou_int_view(&vb, b), *q = ou_int_view(&vm_, m);
    if (!ou_int_charge(vm, (uint64_t)p->used, (uint64_t)q->used)) return V_NULL;
    uint64_t bits = (uint64_t)mp_count_bits(n) + (mp_isneg(n) ? MP_DIGIT_BIT : 0), size = (uint64_t)q->used;
    if (size * size > UINT64_MAX / (bits + 1) || !ou_int_charge(vm, bits + 1, size * size)) return vm->exc ? V_NULL : ou_raise_memory(vm);
    mp_int base, mod, r, t;
    if (mp_init_multi(&base, &mod, &r, &t, NULL) != MP_OKAY) return ou_raise_memory(vm);
    mp_err e = mp_abs(q, &mod);
    if (e == MP_OKAY) e = mp_mod(p, &mod, &base);
    if (e == MP_OKAY && mp_isneg(n)) e = inverse(&base, &mod, &base);
    if (e == MP_VAL) {
        mp_clear_multi(&base, &mod, &r, &t, NULL);
        return ou_raise(vm, E_VALUE, "base is not invertible for the given modulus");
    }
    if (e == MP_OKAY && mp_cmp_d(&mod, 1) == MP_EQ) {
        mp_zero(&r);
    } else if (e == MP_OKAY && mp_count_bits(&mod) <= 64) {
        if (!ou_mp_set_u64(&r, power_words(mp_get_mag_u64(&base), n->dp, mp_count_bits(n), mp_get_mag_u64(&mod)))) e = MP_MEM;
    } else if (e == MP_OKAY) {
        if ((e = mp_abs(n, &t)) == MP_OKAY) e = mp_exptmod(&base, &t, &mod, &r);
    }
    if (e == MP_OKAY && mp_isneg(q) && r.used) e = mp_sub(&r, &mod, &r); /* the result has the modulus' sign */
    mp_clear_multi(&base, &mod, &t, NULL);
    return ou_int_take(vm, &r, e);
}

Value ou_int_neg(VM *vm, Value a)
{
    int64_t x;
    if (int_i64(a, &x) && x != INT64_MIN) return ou_int(vm, -x);
    IntView w;
    const mp_int *m = ou_int_view(&w, a);
    Value mid = ou_int_mid_neg(vm, m);
    if (mid != V_NOTIMPL) return mid;
    mp_int r;
    mp_err e = mp_init(&r);
    if (e == MP_OKAY) e = mp_neg(m, &r);
    return ou_int_take(vm, &r, e);
}

Value ou_int_invert(VM *vm, Value a)
{
    int64_t x;
    if (int_i64(a, &x)) return ou_int(vm, ~x);
    IntView w;
    mp_int r;
    mp_err e = mp_init(&r);
    if (e == MP_OKAY) e = mp_complement(ou_int_view(&w, a), &r);
    return ou_int_take(vm, &r, e);
}

/* ---- bytes ------------------------------------------------------------------------------------------------------------------ */

/* The 8 bytes from byte `at` on as a number; what lies behind the end is 0. */
static uint64_t load8(const uint8_t *p, size_t n, size_t at, bool little)
{
    uint64_t u = 0;
    if (at + 8 <= n) {
        memcpy(&u, little ? p + at : p + n - at - 8, 8);
        return little == (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__) ? u : __builtin_bswap64(u);
    }
    for (size_t i = at; i < n; i++) u |= (uint64_t)p[little ? i : n - 1 - i] << (8 * (i - at));
    return u;
}

Value ou_int_from_bytes(VM *vm, const uint8_t *p, size_t n, bool little, bool is_signed)
{
    bool neg = is_signed && n && (little ? p[n - 1] : p[0]) & 0x80;
    if (n <= 8) {
        uint64_t u = neg && n < 8 ? ~UINT64_C(0) << (8 * n) : 0;
        u |= load8(p, n, 0, little);
        return is_signed ? ou_int(vm, (int64_t)u) : ou_int_u64(vm, u);
    }
    if (!ou_int_room(vm, (uint64_t)n * 8)) return V_NULL;
    mp_int m, t;
    mp_err e = mp_init_size(&m, (int)((n * 8 + MP_DIGIT_BIT - 1) / MP_DIGIT_BIT));
    if (e != MP_OKAY) return ou_raise_memory(vm);
    for (size_t bit = 0; bit < n * 8; bit += MP_DIGIT_BIT) /* a digit and the bits before it are at most 64 */
        m.dp[m.used++] = (mp_digit)(load8(p, n, bit / 8, little) >> bit % 8) & MP_MASK;
    mp_clamp(&m);
    if (neg && (e = mp_init(&t)) == MP_OKAY) {
        if ((e = mp_2expt(&t, (int)(n * 8))) == MP_OKAY) e = mp_sub(&m, &t, &m);
        mp_clear(&t);
    }
    return ou_int_take(vm, &m, e);
}

bool ou_int_to_bytes(VM *vm, Value v, uint8_t *out, size_t n, bool little, bool is_signed)
{
    bool neg = ou_int_sign(vm, v) < 0;
    if (neg && !is_signed) {
        ou_raise(vm, E_OVERFLOW, "can't convert negative int to unsigned");
        return false;
    }
    Value x = neg ? ou_int_invert(vm, v) : retain(v); /* -v - 1: the complement's bits are v's */
    if (x == V_NULL) return false;
    int64_t bits = ou_int_bit_length(vm, x) + is_signed;
    if (ou_int_sign(vm, v) == 0) bits = 0;
    bool ok = (uint64_t)bits <= (uint64_t)n * 8;
    if (!ok) ou_raise(vm, E_OVERFLOW, "int too big to convert");
    IntView w;
    const mp_int *m = ou_int_view(&w, x);
    uint8_t flip = neg ? 0xFF : 0;
    unsigned __int128 window = 0; /* bits that are not written yet */
    int held = 0, d = 0;
    for (size_t i = 0; ok && i < n; i++, window >>= 8, held -= 8) {
        if (held < 8) {
            window |= (unsigned __int128)(d < m->used ? m->dp[d] : 0) << held;
            held += MP_DIGIT_BIT;
            d++;
        }
        out[little ? i : n - 1 - i] = (uint8_t)window ^ flip;
    }
    release(vm, x);
    return ok;
}
