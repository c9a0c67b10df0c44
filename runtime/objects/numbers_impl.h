/* What the number types share: a libtommath view of any int, results from libtommath, projected sizes.
 * May be included by the number types in objects/ and by stdlib/mod_math*.c, mod_random.c. */
#ifndef OU_NUMBERS_IMPL_H
#define OU_NUMBERS_IMPL_H

#include "runtime/objects/errors.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/state.h"

typedef struct IntView { /* read-only operand for libtommath; small ints live in `d`, nothing is to be cleared */
    mp_int m;
    mp_digit d[2];
} IntView;

const mp_int *ou_int_view(IntView *w, Value v);       /* v int-like */
Value ou_int_take(VM *vm, mp_int *m, mp_err err);     /* the int; m is moved or cleared; err != MP_OKAY: MemoryError */
Value ou_int_inline(VM *vm, const mp_int *m);         /* int_wide.c: a copy of m (beyond 64 bits) without a block; V_NOTIMPL: too long */
Value ou_int_wide_op(VM *vm, BinOp op, Value a, Value b); /* int_wide.c: ints of up to 128 bits; V_NOTIMPL: not this way */
Int *ou_int_inline_new(VM *vm, int digits, bool neg); /* int_wide.c: an Int with room for its digits behind it */
/* int_mid.c: operands of up to 40 digits; V_NOTIMPL: not this way. Divisors are not 0. */
Value ou_int_mid_op(VM *vm, BinOp op, const mp_int *a, const mp_int *b);
Value ou_int_mid_neg(VM *vm, const mp_int *a);
Value ou_int_gcd(VM *vm, const mp_int *p, const mp_int *q); /* int_gcd.c */
/* int_div.c: a digit of a quotient and u[0..n] -= digit * v[0..n), n > 1; v's top bit is set. */
mp_digit ou_digits_step(mp_digit *u, const mp_digit *v, int n);
bool ou_int_room(VM *vm, uint64_t bits);              /* would an int of that size fit? MemoryError */
Value ou_int_subclass(VM *vm, Type *cls, Value v);    /* an instance of cls (subclass of int) with the value of the int v */
double ou_mp_double(const mp_int *m);                 /* correctly rounded; infinity if too large */
int ou_int_cmp_double(VM *vm, Value v, double d);     /* exact; d is not a nan */
/* int(text, base); `shown` is what the message of a ValueError shows. */
Value ou_int_from_text(VM *vm, const char *s, size_t n, int base, Value shown);
/* Strips blanks and turns decimal digits of every script into ASCII ones; out has room for n bytes; the length. */
size_t ou_number_text(const char *s, size_t n, char *out);
bool ou_number_unscore(char *s, size_t *n); /* removes underscores between digits; false: one stands elsewhere */
Value ou_complex_pow(VM *vm, double a_re, double a_im, double b_re, double b_im);
mp_err ou_mp_div(const mp_int *a, const mp_int *b, mp_int *q, mp_int *r); /* int_div.c; truncates, b is not 0 */
bool ou_mp_set_u64(mp_int *m, uint64_t u);            /* m initialised */

/* Counts the product of two sizes (digits of libtommath) against the limit of steps before the work is done. False: raised. */
static inline bool ou_int_charge(VM *vm, uint64_t a, uint64_t b)
{
    uint64_t work;
    if (__builtin_mul_overflow(a, b, &work)) work = UINT64_MAX;
    return work < 1024 || ou_charge(vm, work / 64);
}

/* int, bool or a subclass of int. */
static inline bool is_intlike(VM *vm, Value v)
{
    return is_small(v) || v == V_TRUE || v == V_FALSE || is_exact(v, T_INT) || (is_obj(v) && ou_is_a(vm, v, T_INT));
}

/* The value of an int-like if it fits 64 bits. */
static inline bool int_i64(Value v, int64_t *out)
{
    if (is_small(v)) {
        *out = v_small(v);
        return true;
    }
    if (!is_obj(v)) {
        *out = v == V_TRUE;
        return true;
    }
    const Int *o = (const Int *)v_obj(v);
    if (o->is_big) return false;
    *out = o->u.i;
    return true;
}

#endif
