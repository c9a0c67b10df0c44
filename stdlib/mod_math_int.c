/* math's functions of integers: gcd, lcm, isqrt, comb, perm, factorial. Results of any size; 64-bit arguments take plain loops. */
#include "runtime/objects/numbers_impl.h"
#include "stdlib/math_impl.h"

static uint64_t gcd64(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t t = a % b;
        a = b;
        b = t;
    }
    return a;
}

static uint64_t magnitude(int64_t i) { return i < 0 ? -(uint64_t)i : (uint64_t)i; }

static Value gcd2(VM *vm, Value a, Value b) /* ints */
{
    int64_t x, y;
    if (int_i64(a, &x) && int_i64(b, &y)) return ou_int_u64(vm, gcd64(magnitude(x), magnitude(y)));
    IntView va, vb;
    const mp_int *p = ou_int_view(&va, a), *q = ou_int_view(&vb, b);
    uint64_t size = (uint64_t)(p->used > q->used ? p->used : q->used);
    return ou_int_charge(vm, size, size) ? ou_int_gcd(vm, p, q) : V_NULL;
}

static Value absolute(VM *vm, Value v) { return ou_int_sign(vm, v) < 0 ? ou_int_neg(vm, v) : retain(v); }

static Value lcm2(VM *vm, Value a, Value b)
{
    if (ou_int_sign(vm, a) == 0 || ou_int_sign(vm, b) == 0) return v_smallint(0);
    Value g = gcd2(vm, a, b), q = g == V_NULL ? V_NULL : ou_int_op(vm, BIN_FLOORDIV, a, g);
    Value m = q == V_NULL ? V_NULL : ou_int_op(vm, BIN_MUL, q, b), r = m == V_NULL ? V_NULL : absolute(vm, m);
    xrelease(vm, g), xrelease(vm, q), xrelease(vm, m);
    return r;
}

static Value fold(VM *vm, const Value *items, uint32_t n, Value start, Value (*f)(VM *, Value, Value))
{
    Value acc = start;
    for (uint32_t i = 0; acc != V_NULL && i < n; i++) {
        Value x = ou_index(vm, items[i]);
        Value next = x == V_NULL ? V_NULL : f(vm, acc, x);
        xrelease(vm, x);
        release(vm, acc);
        acc = next;
    }
    return acc;
}

/* ND_RAW: a call by position passes the integers themselves and the complement of their count. */
static Value fold_arguments(VM *vm, const Value *args, int n, Value start, Value (*f)(VM *, Value, Value))
{
    if (n < 0) return fold(vm, args, (uint32_t)~n, start, f);
    return fold(vm, as_tuple(args[0])->items, as_tuple(args[0])->n, start, f);
}
Value ou_math_gcd(VM *vm, const Value *args, int n)
{
    if (n == ~2 && are_small(args[0], args[1]))
        return ou_int_u64(vm, gcd64(magnitude(v_small(args[0])), magnitude(v_small(args[1]))));
    return fold_arguments(vm, args, n, v_smallint(0), gcd2);
}
Value ou_math_lcm(VM *vm, const Value *args, int n) { return fold_arguments(vm, args, n, v_smallint(1), lcm2); }

Value ou_math_isqrt(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = ou_index(vm, args[0]), r = V_NULL;
    int64_t i;
    if (v == V_NULL) return V_NULL;
    if (ou_int_sign(vm, v) < 0) {
        ou_raise(vm, E_VALUE, "isqrt() argument must be nonnegative");
    } else if (int_i64(v, &i)) {
        int64_t s = (int64_t)sqrt((double)i);
        while (s > 0 && (s > 3037000499 || s * s > i)) s--;
        while (s + 1 <= 3037000499 && (s + 1) * (s + 1) <= i) s++;
        r = ou_int(vm, s);
    } else {
        IntView w;
        const mp_int *p = ou_int_view(&w, v);
        mp_int m;
        mp_err e = MP_OKAY;
        if (ou_int_charge(vm, (uint64_t)p->used * 16, (uint64_t)p->used)) {
            if ((e = mp_init(&m)) == MP_OKAY) e = mp_sqrt(p, &m);
            r = ou_int_take(vm, &m, e);
        }
    }
    release(vm, v);
    return r;
}

/* lo * (lo + 1) * ... * hi by halves, so that the factors stay of similar size. */
static Value product(VM *vm, int64_t lo, int64_t hi)
{
    if (!ou_charge(vm, 1)) return V_NULL;
    if (hi - lo < 8) {
        Value acc = ou_int(vm, lo);
        for (int64_t i = lo + 1; acc != V_NULL && i <= hi; i++) {
            Value f = ou_int(vm, i), next = f == V_NULL ? V_NULL : ou_int_op(vm, BIN_MUL, acc, f);
            xrelease(vm, f);
            release(vm, acc);
            acc = next;
        }
        return acc;
    }
    int64_t mid = lo + (hi - lo) / 2;
    Value a = product(vm, lo, mid), b = a == V_NULL ? V_NULL : product(vm, mid + 1, hi);
    Value r = b == V_NULL ? V_NULL : ou_int_op(vm, BIN_MUL, a, b);
    xrelease(vm, a);
    xrelease(vm, b);
    return r;
}

static bool room_for(VM *vm, uint64_t factors, uint64_t bits)
{
    uint64_t total;
    return ou_int_room(vm, __builtin_mul_overflow(factors, bits, &total) ? UINT64_MAX : total);
}

Value ou_math_factorial(VM *vm, const Value *args, int n)
{
    (void)n;
    if (is_small(args[0]) && v_small(args[0]) >= 0 && v_small(args[0]) <= 20) {
        int64_t f = 1;
        for (int64_t i = v_small(args[0]); i > 1; i--) f *= i;
        return ou_int(vm, f);
    }
    if (!is_intlike(vm, args[0]) && !ou_type_of(vm, args[0])->slots.to_index)
        return ou_raise(vm, E_TYPE, "'%T' object cannot be interpreted as an integer", args[0]);
    Value v = ou_index(vm, args[0]);
    if (v == V_NULL) return V_NULL;
    int64_t k;
    int sign = ou_int_sign(vm, v);
    bool fits = int_i64(v, &k);
    release(vm, v);
    if (sign < 0) return ou_raise(vm, E_VALUE, "factorial() not defined for negative values");
    if (!fits) return ou_raise(vm, E_OVERFLOW, "factorial() argument should not exceed %ld", INT64_MAX);
    if (k > 1 && !room_for(vm, (uint64_t)k / 2, (uint64_t)(63 - __builtin_clzll((uint64_t)k)))) return V_NULL;
    return k < 2 ? v_smallint(1) : product(vm, 1, k);
}

/* The two arguments of comb and perm as non-negative ints: owned in out[0], out[1]. */
static bool n_and_k(VM *vm, const Value *args, Value out[2])
{
    out[0] = ou_index(vm, args[0]);
    out[1] = out[0] == V_NULL ? V_NULL : ou_index(vm, args[1]);
    if (out[1] == V_NULL) {
        xrelease(vm, out[0]);
        return false;
    }
    const char *bad = ou_int_sign(vm, out[0]) < 0 ? "n" : ou_int_sign(vm, out[1]) < 0 ? "k" : NULL;
    if (!bad) return true;
    ou_raise(vm, E_VALUE, "%s must be a non-negative integer", bad);
    release(vm, out[0]), release(vm, out[1]);
    return false;
}

/* n * (n - 1) * ... (k factors), each step divided by its number when choosing. */
static Value falling(VM *vm, Value n, int64_t k, bool choose)
{
    int64_t small;
    if (!choose && int_i64(n, &small) && k > 0) return product(vm, small - k + 1, small);
    Value acc = v_smallint(1);
    for (int64_t i = 0; acc != V_NULL && i < k; i++) {
        if (!ou_charge(vm, 1)) {
            release(vm, acc);
            return V_NULL;
        }
        Value step = v_smallint(i), f = ou_int_op(vm, BIN_SUB, n, step);
        Value next = f == V_NULL ? V_NULL : ou_int_op(vm, BIN_MUL, acc, f);
        xrelease(vm, f);
        release(vm, acc);
        acc = next;
        if (choose && acc != V_NULL) {
            next = ou_int_op(vm, BIN_FLOORDIV, acc, v_smallint(i + 1));
            release(vm, acc);
            acc = next;
        }
    }
    return acc;
}

Value ou_math_perm(VM *vm, const Value *args, int n)
{
    if (n < 2 || args[1] == V_NONE) return ou_math_factorial(vm, args, 1);
    Value nk[2], r;
    int64_t k;
    if (!n_and_k(vm, args, nk)) return V_NULL;
    if (ou_int_compare(vm, nk[0], nk[1]) < 0) r = v_smallint(0);
    else if (!int_i64(nk[1], &k)) r = ou_raise(vm, E_OVERFLOW, "k must not exceed %ld", INT64_MAX);
    else if (!room_for(vm, (uint64_t)ou_int_bit_length(vm, nk[0]) / 2, (uint64_t)k)) r = V_NULL;
    else r = k ? falling(vm, nk[0], k, false) : v_smallint(1);
    release(vm, nk[0]), release(vm, nk[1]);
    return r;
}

/* n over k for 0 <= k <= n <= 62: all that is met on the way fits 128 bits, and the result 63. */
static int64_t few_choose(int64_t n, int64_t k)
{
    unsigned __int128 acc = 1;
    if (k > n - k) k = n - k;
    for (int64_t i = 1; i <= k; i++) acc = acc * (uint64_t)(n - k + i) / (uint64_t)i;
    return (int64_t)acc;
}

Value ou_math_comb(VM *vm, const Value *args, int n)
{
    (void)n;
    if (are_small(args[0], args[1]) && v_small(args[1]) >= 0 && v_small(args[0]) >= v_small(args[1]) && v_small(args[0]) <= 62)
        return ou_int(vm, few_choose(v_small(args[0]), v_small(args[1])));
    Value nk[2], r = V_NULL;
    int64_t k;
    if (!n_and_k(vm, args, nk)) return V_NULL;
    if (ou_int_compare(vm, nk[0], nk[1]) < 0) {
        r = v_smallint(0);
    } else {
        Value rest = ou_int_op(vm, BIN_SUB, nk[0], nk[1]);
        if (rest != V_NULL) {
            Value least = ou_int_compare(vm, rest, nk[1]) < 0 ? rest : nk[1];
            if (!int_i64(least, &k)) ou_raise(vm, E_OVERFLOW, "min(n - k, k) must not exceed %ld", INT64_MAX);
            else r = falling(vm, nk[0], k, true);
            release(vm, rest);
        }
    }
    release(vm, nk[0]), release(vm, nk[1]);
    return r;
}
