/* Integers of up to 128 bits, as hashes, checksums and random generators make them: two machine words, no libtommath, no malloc.
 * Entry points: ou_int_wide_op, which ou_int_op asks before it falls back to libtommath, and ou_int_inline.
 * The one thing to know: a value beyond 64 bits keeps up to INLINE_DIGITS digits behind its Int; u.big.dp points there. */
#include "runtime/objects/containers.h"
#include "runtime/objects/numbers_impl.h"

typedef unsigned __int128 Wide;
typedef struct WideInt {
    Wide mag;
    bool neg;
} WideInt;

enum { INLINE_DIGITS = 3, TOP_BITS = 128 - 2 * MP_DIGIT_BIT };

static int wide_bits(Wide w)
{
    uint64_t hi = (uint64_t)(w >> 64), lo = (uint64_t)w;
    return hi ? 128 - __builtin_clzll(hi) : lo ? 64 - __builtin_clzll(lo) : 0;
}

static bool wide_of(Value v, WideInt *out)
{
    int64_t i;
    if (int_i64(v, &i)) {
        out->neg = i < 0;
        out->mag = i < 0 ? -(uint64_t)i : (uint64_t)i;
        return true;
    }
    const mp_int *m = &((const Int *)v_obj(v))->u.big;
    if (m->used > 3 || (m->used == 3 && m->dp[2] >> TOP_BITS)) return false;
    out->neg = mp_isneg(m);
    out->mag = m->used == 3 ? (Wide)m->dp[2] << (2 * MP_DIGIT_BIT) : 0;
    if (m->used > 1) out->mag |= (Wide)m->dp[1] << MP_DIGIT_BIT;
    out->mag |= m->dp[0];
    return true;
}

Int *ou_int_inline_new(VM *vm, int digits, bool neg)
{
    Int *o = ou_new(vm, vm->types[T_INT], (size_t)digits * sizeof(mp_digit));
    if (!o) return NULL;
    o->is_big = true;
    o->u.big.dp = (mp_digit *)(o + 1);
    o->u.big.used = o->u.big.alloc = digits;
    o->u.big.sign = neg ? MP_NEG : MP_ZPOS;
    return o;
}

Value ou_int_inline(VM *vm, const mp_int *m)
{
    if (m->used > INLINE_DIGITS) return V_NOTIMPL;
    Int *o = ou_int_inline_new(vm, m->used, mp_isneg(m));
    if (o) memcpy(o->u.big.dp, m->dp, (size_t)m->used * sizeof(mp_digit));
    return v_of(o);
}

static Value make(VM *vm, Wide mag, bool neg)
{
    if (mag <= (Wide)INT64_MAX) return ou_int(vm, neg ? -(int64_t)mag : (int64_t)mag);
    if (neg && mag == (Wide)1 << 63) return ou_int(vm, INT64_MIN);
    Int *o = ou_int_inline_new(vm, mag >> (2 * MP_DIGIT_BIT) ? 3 : 2, neg);
    if (!o) return V_NULL;
    o->u.big.dp[0] = (mp_digit)mag & MP_MASK;
    o->u.big.dp[1] = (mp_digit)(mag >> MP_DIGIT_BIT) & MP_MASK;
    if (o->u.big.used == 3) o->u.big.dp[2] = (mp_digit)(mag >> (2 * MP_DIGIT_BIT));
    return v_of(o);
}

static Value add(VM *vm, WideInt a, WideInt b)
{
    if (a.neg == b.neg) {
        Wide sum = a.mag + b.mag;
        return sum < a.mag ? V_NOTIMPL : make(vm, sum, a.neg);
    }
    return a.mag >= b.mag ? make(vm, a.mag - b.mag, a.neg) : make(vm, b.mag - a.mag, b.neg);
}

static Value bitwise(VM *vm, BinOp op, WideInt a, WideInt b)
{
    if ((a.neg && a.mag >> 127) || (b.neg && b.mag >> 127)) return V_NOTIMPL;
    Wide x = a.neg ? -a.mag : a.mag, y = b.neg ? -b.mag : b.mag; /* two's complement, but for a sign beyond bit 127 */
    Wide r = op == BIN_AND ? x & y : op == BIN_OR ? x | y : x ^ y;
    bool neg = op == BIN_AND ? a.neg && b.neg : op == BIN_OR ? a.neg || b.neg : a.neg != b.neg;
    if (neg && !(r >> 127)) return V_NOTIMPL;
    return make(vm, neg ? -r : r, neg);
}

static Value divide(VM *vm, BinOp op, WideInt a, WideInt b)
{
    Wide q, r;
    if (b.mag & (b.mag - 1)) {
        q = a.mag / b.mag;
        r = a.mag - q * b.mag;
    } else { /* a power of two, as in "modulo 2**64" */
        q = a.mag >> (wide_bits(b.mag) - 1);
        r = a.mag & (b.mag - 1);
    }
    bool neg = a.neg != b.neg;
    if (r && neg) { /* floor */
        q++;
        r = b.mag - r;
    }
    if (op == BIN_FLOORDIV) return make(vm, q, neg);
    if (op == BIN_MOD) return make(vm, r, b.neg);
    Value qr[2] = {make(vm, q, neg), V_NULL};
    if (qr[0] == V_NULL) return V_NULL;
    qr[1] = make(vm, r, b.neg);
    if (qr[1] != V_NULL) return ou_tuple_take(vm, qr, 2);
    release(vm, qr[0]);
    return V_NULL;
}

Value ou_int_wide_op(VM *vm, BinOp op, Value va, Value vb)
{
    WideInt a, b;
    if (!wide_of(va, &a) || !wide_of(vb, &b)) return V_NOTIMPL;
    switch (op) {
    case BIN_ADD: return add(vm, a, b);
    case BIN_SUB: b.neg = !b.neg; return add(vm, a, b);
    case BIN_MUL: return wide_bits(a.mag) + wide_bits(b.mag) <= 128 ? make(vm, a.mag * b.mag, a.neg != b.neg) : V_NOTIMPL;
    case BIN_AND:
    case BIN_OR:
    case BIN_XOR: return bitwise(vm, op, a, b);
    case BIN_FLOORDIV:
    case BIN_MOD:
    case BIN_DIVMOD: return b.mag ? divide(vm, op, a, b) : V_NOTIMPL;
    case BIN_LSHIFT:
        if (b.neg || b.mag > 127 || wide_bits(a.mag) + (int)b.mag > 128) return V_NOTIMPL;
        return make(vm, a.mag << (int)b.mag, a.neg);
    case BIN_RSHIFT:
        if (b.neg || b.mag > 127) return V_NOTIMPL;
        if (!a.neg) return make(vm, a.mag >> (int)b.mag, false);
        return make(vm, ((a.mag - 1) >> (int)b.mag) + 1, true);
    default: return V_NOTIMPL;
    }
}
