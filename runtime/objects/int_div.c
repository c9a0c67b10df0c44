/* Long division of libtommath integers (Knuth, The Art of Computer Programming 4.3.1, algorithm D) on its 60-bit digits. The
 * library's own shifts and allocates at every digit of the quotient; this one touches each digit once.
 * Entry point: ou_mp_div, which truncates like mp_div, and ou_digits_step. */
#include "runtime/objects/numbers_impl.h"

typedef unsigned __int128 Wide;

static mp_err divide_by_digit(const mp_int *a, mp_digit b, mp_int *q, mp_digit *rest)
{
    mp_err e = mp_grow(q, a->used);
    if (e != MP_OKAY) return e;
    uint64_t rem = 0;
    for (int i = a->used; i-- > 0;) {
        Wide w = (Wide)rem << MP_DIGIT_BIT | a->dp[i];
        q->dp[i] = (mp_digit)(w / b);
        rem = (uint64_t)(w % b);
    }
    for (int i = a->used; i < q->used; i++) q->dp[i] = 0;
    q->used = a->used;
    *rest = rem;
    return MP_OKAY;
}

/* One digit of the quotient: u[0..n] -= digit * v[0..n), where v's top bit is set. */
mp_digit ou_digits_step(mp_digit *u, const mp_digit *v, int n)
{
    Wide num = (Wide)u[n] << MP_DIGIT_BIT | u[n - 1];
    uint64_t guess = u[n] >= v[n - 1] ? MP_MASK : (uint64_t)(num / v[n - 1]);
    Wide rest = num - (Wide)guess * v[n - 1];
    while (rest >> MP_DIGIT_BIT == 0 && (Wide)guess * v[n - 2] > (rest << MP_DIGIT_BIT | u[n - 2])) {
        guess--;
        rest += v[n - 1];
    }
    uint64_t carry = 0, borrow = 0;
    for (int i = 0; i < n; i++) {
        Wide p = (Wide)guess * v[i] + carry;
        carry = (uint64_t)(p >> MP_DIGIT_BIT);
        uint64_t t = u[i] - ((uint64_t)p & MP_MASK) - borrow;
        borrow = t >> 63;
        u[i] = t & MP_MASK;
    }
    uint64_t t = u[n] - carry - borrow;
    u[n] = t & MP_MASK;
    if (t >> 63) { /* one too many: add v back */
        guess--;
        carry = 0;
        for (int i = 0; i < n; i++) {
            uint64_t s = u[i] + v[i] + carry;
            u[i] = s & MP_MASK;
            carry = s >> MP_DIGIT_BIT;
        }
        u[n] = (u[n] + carry) & MP_MASK;
    }
    return guess;
}

mp_err ou_mp_div(const mp_int *a, const mp_int *b, mp_int *q, mp_int *r)
{
    mp_int u, v, quo;
    mp_err e;
    if (mp_cmp_mag(a, b) == MP_LT) {
        if ((e = mp_copy(a, r)) == MP_OKAY) mp_zero(q);
        return e;
    }
    mp_sign sign = a->sign == b->sign ? MP_ZPOS : MP_NEG, rest_sign = a->sign;
    int n = b->used, m = a->used - n;
    if ((e = mp_init_multi(&u, &v, &quo, NULL)) != MP_OKAY) return e;
    if (n == 1) {
        mp_digit rest;
        e = divide_by_digit(a, b->dp[0], &quo, &rest);
        if (e == MP_OKAY) mp_set(&u, rest);
    } else {
        int shift = MP_DIGIT_BIT - (mp_count_bits(b) - (n - 1) * MP_DIGIT_BIT);
        if ((e = mp_mul_2d(b, shift, &v)) == MP_OKAY && (e = mp_mul_2d(a, shift, &u)) == MP_OKAY &&
            (e = mp_grow(&u, a->used + 1)) == MP_OKAY && (e = mp_grow(&quo, m + 1)) == MP_OKAY) {
            for (int i = u.used; i <= a->used; i++) u.dp[i] = 0;
            for (int j = m; j >= 0; j--) quo.dp[j] = ou_digits_step(u.dp + j, v.dp, n);
            quo.used = m + 1;
            u.used = n;
            mp_clamp(&u);
            e = mp_div_2d(&u, shift, &u, NULL);
        }
    }
    if (e == MP_OKAY) {
        mp_clamp(&quo);
        quo.sign = quo.used ? sign : MP_ZPOS;
        u.sign = u.used ? rest_sign : MP_ZPOS;
        mp_exch(&quo, q);
        mp_exch(&u, r);
    }
    mp_clear_multi(&u, &v, &quo, NULL);
    return e;
}
