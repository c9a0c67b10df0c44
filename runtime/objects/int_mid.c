/* Integers of some hundred to some thousand bits, as keys, fractions and factorials have them: the digits of
 * operands and results are few enough for the stack, so nothing is allocated but the result, which keeps its
 * digits behind its Int. Entry points: ou_int_mid_op, which ou_int_op asks between int_wide.c and libtommath,
 * and ou_int_mid_neg. */
#include "runtime/objects/containers.h"
#include "runtime/objects/numbers_impl.h"

typedef unsigned __int128 Wide;

enum { MID = 40, ROOM = 2 * MID + 2 }; /* digits of an operand, of any result */

static int clamp(const mp_digit *d, int n) {
    while (n && !d[n - 1]) n--;
    return n;
}

static Value make(VM *vm, const mp_digit *d, int n, bool neg) {
    n = clamp(d, n);
    if (n <= 2) {
        Wide mag = n > 1 ? (Wide)d[1] << MP_DIGIT_BIT | d[0] : n ? d[0] : 0;
        if (mag <= (Wide)INT64_MAX) return ou_int(vm, neg ? -(int64_t)mag : (int64_t)mag);
        if (neg && mag == (Wide)1 << 63) return ou_int(vm, INT64_MIN);
    }
    Int *o = ou_int_inline_new(vm, n, neg);
    if (o) memcpy(o->u.big.dp, d, (size_t)n * sizeof *d);
    return v_of(o);
}

static int compare_mag(const mp_digit *a, int an, const mp_digit *b, int bn) {
    if (an != bn) return an < bn ? -1 : 1;
    for (int i = an; i-- > 0;)
        if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
    return 0;
}

/* out = a + b, where a is no shorter; gives the length */
static int add_mag(const mp_digit *a, int an, const mp_digit *b, int bn, mp_digit *out) {
    mp_digit carry = 0;
    for (int i = 0; i < an; i++) {
        mp_digit s = a[i] + (i < bn ? b[i] : 0) + carry;
        out[i] = s & MP_MASK;
        carry = s >> MP_DIGIT_BIT;
    }
    out[an] = carry;
    return an + 1;
}

/* out = a - b, where a is no smaller; out may be b */
static int sub_mag(const mp_digit *a, int an, const mp_digit *b, int bn, mp_digit *out) {
    mp_digit borrow = 0;
    for (int i = 0; i < an; i++) {
        mp_digit d = a[i] - (i < bn ? b[i] : 0) - borrow;
        borrow = d >> 63;
        out[i] = d & MP_MASK;
    }
    return an;
}

static Value add(VM *vm, const mp_int *a, const mp_int *b, bool flip) {
    mp_digit out[ROOM];
    bool an = mp_isneg(a), bn = mp_isneg(b) != flip;
    int n, cmp = compare_mag(a->dp, a->used, b->dp, b->used);
    const mp_int *x = cmp < 0 ? b : a, *y = cmp < 0 ? a : b;
    if (an == bn)
        n = add_mag(x->dp, x->used, y->dp, y->used, out);
    else
        n = sub_mag(x->dp, x->used, y->dp, y->used, out);
    return make(vm, out, n, cmp < 0 ? bn : an);
}

/* By columns: 40 products of 120 bits and a carry fit 128. */
static Value multiply(VM *vm, const mp_int *a, const mp_int *b) {
    mp_digit out[ROOM];
    int n = a->used + b->used;
    Wide acc = 0;
    for (int k = 0; k < n - 1; k++) {
        int from = k < b->used ? 0 : k - b->used + 1, to = k < a->used ? k : a->used - 1;
        for (int i = from; i <= to; i++) acc += (Wide)a->dp[i] * b->dp[k - i];
        out[k] = (mp_digit)acc & MP_MASK;
        acc >>= MP_DIGIT_BIT;
    }
    if (n == 0) return v_smallint(0);
    out[n - 1] = (mp_digit)acc;
    return make(vm, out, n, mp_isneg(a) != mp_isneg(b));
}

static void shift_up(const mp_digit *a, int n, int bits, mp_digit *out) /* writes n + 1 digits */
{
    mp_digit carry = 0;
    for (int i = 0; i < n; i++) {
        out[i] = (a[i] << bits | carry) & MP_MASK;
        carry = bits ? a[i] >> (MP_DIGIT_BIT - bits) : 0;
    }
    out[n] = carry;
}

static void shift_down(const mp_digit *a, int n, int bits, mp_digit *out) /* reads n digits */
{
    for (int i = 0; i < n; i++) {
        mp_digit above = i + 1 < n && bits ? a[i + 1] << (MP_DIGIT_BIT - bits) : 0;
        out[i] = (a[i] >> bits | above) & MP_MASK;
    }
}

static void increment(mp_digit *d, int *n) {
    for (int i = 0; i < *n; i++) {
        d[i] = (d[i] + 1) & MP_MASK;
        if (d[i]) return;
    }
    d[(*n)++] = 1;
}

static int divide_mag(const mp_int *a, const mp_int *b, mp_digit *q, int *qn, mp_digit *r) {
    int n = b->used, m = a->used - n;
    *qn = 0;
    if (m < 0) {
        memcpy(r, a->dp, (size_t)a->used * sizeof *r);
        return a->used;
    }
    if (n == 1) {
        mp_digit rem = 0, d = b->dp[0];
        for (int i = a->used; i-- > 0;) {
            Wide w = (Wide)rem << MP_DIGIT_BIT | a->dp[i];
            q[i] = (mp_digit)(w / d);
            rem = (mp_digit)(w - (Wide)q[i] * d);
        }
        *qn = clamp(q, a->used);
        r[0] = rem;
        return rem != 0;
    }
    mp_digit u[ROOM], v[ROOM];
    int shift = __builtin_clzll(b->dp[n - 1]) - (64 - MP_DIGIT_BIT);
    shift_up(b->dp, n, shift, v);
    shift_up(a->dp, a->used, shift, u);
    for (int j = m; j >= 0; j--) q[j] = ou_digits_step(u + j, v, n);
    *qn = clamp(q, m + 1);
    shift_down(u, n, shift, r);
    return clamp(r, n);
}

static Value divide(VM *vm, BinOp op, const mp_int *a, const mp_int *b) {
    mp_digit q[ROOM], r[ROOM];
    bool neg = mp_isneg(a) != mp_isneg(b);
    int qn, rn = divide_mag(a, b, q, &qn, r);
    if (rn && neg) { /* floor */
        increment(q, &qn);
        rn = clamp(r, sub_mag(b->dp, b->used, r, rn, r));
    }
    if (op == BIN_FLOORDIV) return make(vm, q, qn, neg);
    if (op == BIN_MOD) return make(vm, r, rn, mp_isneg(b));
    Value qr[2] = {make(vm, q, qn, neg), V_NULL};
    if (qr[0] == V_NULL) return V_NULL;
    if ((qr[1] = make(vm, r, rn, mp_isneg(b))) != V_NULL) return ou_tuple_take(vm, qr, 2);
    release(vm, qr[0]);
    return V_NULL;
}

static Value shift_left(VM *vm, const mp_int *a, mp_digit by) {
    if (by > MID * MP_DIGIT_BIT) return V_NOTIMPL;
    mp_digit out[ROOM];
    int whole = (int)by / MP_DIGIT_BIT;
    memset(out, 0, (size_t)whole * sizeof *out);
    shift_up(a->dp, a->used, (int)by % MP_DIGIT_BIT, out + whole);
    return make(vm, out, whole + a->used + 1, mp_isneg(a));
}

static Value shift_right(VM *vm, const mp_int *a, mp_digit by) {
    mp_digit out[ROOM], lost = 0;
    if (by >= (mp_digit)a->used * MP_DIGIT_BIT) return v_smallint(mp_isneg(a) ? -1 : 0);
    int whole = (int)by / MP_DIGIT_BIT, bits = (int)by % MP_DIGIT_BIT, n = a->used - whole;
    shift_down(a->dp + whole, n, bits, out);
    if (mp_isneg(a)) { /* floor */
        for (int i = 0; i < whole; i++) lost |= a->dp[i];
        lost |= a->dp[whole] & (((mp_digit)1 << bits) - 1);
        if (lost) increment(out, &n);
    }
    return make(vm, out, n, mp_isneg(a));
}

static Value bitwise(VM *vm, BinOp op, const mp_int *a, const mp_int *b) {
    if (mp_isneg(a) || mp_isneg(b)) return V_NOTIMPL;
    mp_digit out[ROOM];
    const mp_int *x = a->used < b->used ? b : a, *y = x == a ? b : a;
    for (int i = 0; i < x->used; i++) {
        mp_digit d = i < y->used ? y->dp[i] : 0;
        out[i] = op == BIN_AND ? x->dp[i] & d : op == BIN_OR ? x->dp[i] | d : x->dp[i] ^ d;
    }
    return make(vm, out, x->used, false);
}

Value ou_int_mid_op(VM *vm, BinOp op, const mp_int *a, const mp_int *b) {
    if (a->used > MID || b->used > MID) return V_NOTIMPL;
    switch (op) {
    case BIN_ADD: return add(vm, a, b, false);
    case BIN_SUB: return add(vm, a, b, true);
    case BIN_AND:
    case BIN_OR:
    case BIN_XOR: return bitwise(vm, op, a, b);
    case BIN_LSHIFT:
        return b->used > 1 || mp_isneg(b) ? V_NOTIMPL : shift_left(vm, a, b->used ? b->dp[0] : 0);
    case BIN_RSHIFT:
        return b->used > 1 || mp_isneg(b) ? V_NOTIMPL : shift_right(vm, a, b->used ? b->dp[0] : 0);
    default: break;
    }
    if (!ou_int_charge(vm, (uint64_t)a->used, (uint64_t)b->used)) return V_NULL;
    return op == BIN_MUL ? multiply(vm, a, b) : divide(vm, op, a, b);
}

Value ou_int_mid_neg(VM *vm, const mp_int *a) {
    return a->used > MID ? V_NOTIMPL : make(vm, a->dp, a->used, !mp_isneg(a));
}
