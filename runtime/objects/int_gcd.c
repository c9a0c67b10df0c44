/* The greatest common divisor of big integers by Lehmer's method (Knuth, The Art of Computer
 * Programming 4.5.2, algorithm L): the leading 60 bits of both decide on some twenty steps of Euclid's at
 * once. Entry point: ou_int_gcd. */
#include "runtime/objects/numbers_impl.h"

typedef __int128 Signed;

typedef struct Steps { /* what some steps make of a and b: linear combinations of them */
    int64_t a, b, c, d;
    int count;
} Steps;

static uint64_t leading(const mp_int *m, int n,
                        int shift) /* the bits of digits n - 1 and n - 2 above the low ones */
{
    uint64_t hi = m->used >= n ? m->dp[n - 1] << shift : 0, lo = m->used >= n - 1 ? m->dp[n - 2] : 0;
    return hi | (shift ? lo >> (MP_DIGIT_BIT - shift) : 0);
}

/* The steps that are the same whatever the bits below are. */
static Steps find_steps(const mp_int *a, const mp_int *b) {
    int n = a->used, shift = __builtin_clzll(a->dp[n - 1]) - (64 - MP_DIGIT_BIT);
    int64_t x = (int64_t)leading(a, n, shift), y = (int64_t)leading(b, n, shift);
    Steps s = {1, 0, 0, 1, 0};
    while (y != s.c) {
        int64_t q = (x + (s.a - 1)) / (y - s.c), u = s.b + q * s.d, t = x - q * y;
        if (u > t) break;
        x = y;
        y = t;
        t = s.a + q * s.c;
        s.a = s.d;
        s.b = s.c;
        s.c = u;
        s.d = t;
        s.count++;
    }
    return s;
}

static mp_err apply(const Steps *s, mp_int *a, mp_int *b) {
    int n = a->used;
    mp_err e = mp_grow(b, n);
    if (e != MP_OKAY) return e;
    for (int i = b->used; i < n; i++) b->dp[i] = 0;
    Signed x = 0, y = 0;
    for (int i = 0; i < n; i++) {
        Signed p = (Signed)a->dp[i], q = (Signed)b->dp[i];
        if (s->count & 1) {
            x += s->a * q - s->b * p;
            y += s->d * p - s->c * q;
        } else {
            x += s->a * p - s->b * q;
            y += s->d * q - s->c * p;
        }
        a->dp[i] = (mp_digit)x & MP_MASK;
        b->dp[i] = (mp_digit)y & MP_MASK;
        x >>= MP_DIGIT_BIT;
        y >>= MP_DIGIT_BIT;
    }
    b->used = n;
    mp_clamp(a);
    mp_clamp(b);
    return MP_OKAY;
}

static mp_digit last_steps(const mp_int *a, mp_digit b) {
    mp_digit x = b, y = 0;
    for (int i = a->used; i-- > 0;) y = (mp_digit)(((unsigned __int128)y << MP_DIGIT_BIT | a->dp[i]) % b);
    while (y) {
        mp_digit t = x % y;
        x = y;
        y = t;
    }
    return x;
}

Value ou_int_gcd(VM *vm, const mp_int *p, const mp_int *q) {
    mp_int a, b, quo;
    mp_err e = mp_init_multi(&a, &b, &quo, NULL);
    if (e != MP_OKAY) return ou_raise_memory(vm);
    bool swap = mp_cmp_mag(p, q) == MP_LT;
    if ((e = mp_abs(swap ? q : p, &a)) == MP_OKAY) e = mp_abs(swap ? p : q, &b);
    while (e == MP_OKAY && b.used > 1) {
        Steps s = find_steps(&a, &b);
        if (s.count) {
            e = apply(&s, &a, &b);
        } else if ((e = ou_mp_div(&a, &b, &quo, &a)) == MP_OKAY) {
            mp_exch(&a, &b);
        }
    }
    if (e == MP_OKAY && b.used) mp_set(&a, last_steps(&a, b.dp[0]));
    mp_clear_multi(&b, &quo, NULL);
    return ou_int_take(vm, &a, e);
}
