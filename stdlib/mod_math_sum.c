/* math's functions of many numbers: fsum (Shewchuk's exact partial sums), sumprod (triple-length accumulation), prod, and the
 * Euclidean norm with a scaled, compensated sum of squares. */
#include "runtime/objects/numbers_impl.h"
#include "stdlib/math_impl.h"
#include "vm/call.h"

/* ---- fsum --------------------------------------------------------------------------------------------------------------- */

Value ou_math_fsum(VM *vm, const Value *args, int n)
{
    (void)n;
    Value it = ou_iter(vm, args[0]);
    if (it == V_NULL) return V_NULL;
    double fixed[32], *p = fixed, special = 0.0, inf_sum = 0.0;
    size_t np = 0, cap = 32;
    Value result = V_NULL;
    for (;;) {
        Value v = ou_next(vm, it);
        if (v == V_NULL) break;
        double x;
        bool ok = ou_to_double(vm, v, &x);
        release(vm, v);
        if (!ok) goto done;
        double given = x;
        size_t w = 0;
        for (size_t i = 0; i < np; i++) { /* x meets every partial; the rounding errors stay as new partials */
            double y = p[i];
            if (fabs(x) < fabs(y)) {
                double t = x;
                x = y;
                y = t;
            }
            double hi = x + y, yr = hi - x, lo = y - yr;
            if (lo != 0.0) p[w++] = lo;
            x = hi;
        }
        np = w;
        if (x != 0.0) {
            if (!isfinite(x)) {
                if (isfinite(given)) {
                    ou_raise(vm, E_OVERFLOW, "intermediate overflow in fsum");
                    goto done;
                }
                if (isinf(given)) inf_sum += given;
                special += given;
                np = 0;
            } else {
                if (np == cap) {
                    double *bigger = ou_alloc(&vm->heap, cap * 2 * sizeof(double));
                    if (!bigger) {
                        ou_raise_memory(vm);
                        goto done;
                    }
                    memcpy(bigger, p, cap * sizeof(double));
                    if (p != fixed) ou_free(&vm->heap, p, cap * sizeof(double));
                    p = bigger;
                    cap *= 2;
                }
                p[np++] = x;
            }
        }
    }
    if (vm->exc) goto done;
    if (special != 0.0) {
        result = inf_sum != inf_sum ? ou_raise(vm, E_VALUE, "-inf + inf in fsum") : v_float(special);
        goto done;
    }
    double hi = 0.0, lo = 0.0;
    if (np > 0) {
        hi = p[--np];
        while (np > 0) {
            double x = hi, y = p[--np];
            hi = x + y;
            double yr = hi - x;
            lo = y - yr;
            if (lo != 0.0) break;
        }
        if (np > 0 && ((lo < 0.0 && p[np - 1] < 0.0) || (lo > 0.0 && p[np - 1] > 0.0))) { /* half-way: look further down */
            double y = lo * 2.0, x = hi + y, yr = x - hi;
            if (y == yr) hi = x;
        }
    }
    result = v_float(hi);
done:
    if (p != fixed) ou_free(&vm->heap, p, cap * sizeof(double));
    release(vm, it);
    return result;
}

/* ---- prod ----------------------------------------------------------------------------------------------------------------- */

Value ou_math_prod(VM *vm, const Value *args, int n)
{
    (void)n;
    Value acc = args[1] == V_NULL ? v_smallint(1) : retain(args[1]);
    Value it = ou_iter(vm, args[0]);
    if (it == V_NULL) {
        release(vm, acc);
        return V_NULL;
    }
    while (acc != V_NULL) {
        Value v = ou_next(vm, it);
        if (v == V_NULL) break;
        Value next = ou_binary(vm, BIN_MUL, acc, v);
        release(vm, v);
        release(vm, acc);
        acc = next;
    }
    release(vm, it);
    if (acc != V_NULL && vm->exc) {
        release(vm, acc);
        return V_NULL;
    }
    return acc;
}

/* ---- sumprod ---------------------------------------------------------------------------------------------------------------- */

typedef struct Triple {
    double hi, lo, tiny;
} Triple;

static void two_sum(double a, double b, double *s, double *err)
{
    *s = a + b;
    double z = *s - a;
    *err = (a - (*s - z)) + (b - z);
}

static Triple add_product(double x, double y, Triple t)
{
    double p = x * y, perr = fma(x, y, -p), s, serr, lo, loerr, mid, miderr;
    two_sum(t.hi, p, &s, &serr);
    two_sum(t.lo, perr, &lo, &loerr);
    two_sum(lo, serr, &mid, &miderr);
    return (Triple){s, mid, t.tiny + loerr + miderr};
}

static double triple_value(Triple t)
{
    double last, lasterr, total, totalerr;
    two_sum(t.lo, t.tiny, &last, &lasterr);
    two_sum(t.hi, last, &total, &totalerr);
    return total + (totalerr + lasterr);
}

static bool as_float_or_int(VM *vm, Value v, double *out)
{
    if (is_float(v)) {
        *out = v_double(v);
        return true;
    }
    if (!is_int(v) && v != V_TRUE && v != V_FALSE) return false;
    bool overflow = false;
    *out = ou_int_double(vm, v, &overflow);
    return !overflow;
}

static Value add_up(VM *vm, Value total, Value x) /* takes both over */
{
    Value r = total == V_NULL || x == V_NULL ? V_NULL : ou_binary(vm, BIN_ADD, total, x);
    xrelease(vm, total);
    xrelease(vm, x);
    return r;
}

Value ou_math_sumprod(VM *vm, const Value *args, int n)
{
    (void)n;
    Value pi = ou_iter(vm, args[0]), qi = pi == V_NULL ? V_NULL : ou_iter(vm, args[1]), total = v_smallint(0);
    if (qi == V_NULL) {
        xrelease(vm, pi);
        return V_NULL;
    }
    Triple t = {0.0, 0.0, 0.0};
    /* Leading pairs of ints are added up as ints, then pairs with a float in triple length, until something else comes. */
    bool ints = true, triples = true, floats = false;
    while (total != V_NULL) {
        Value p = ou_next(vm, pi), q = vm->exc ? V_NULL : ou_next(vm, qi);
        if (p == V_NULL || q == V_NULL) {
            if (!vm->exc && p != q) ou_raise(vm, E_VALUE, "Inputs are not the same length");
            xrelease(vm, p);
            xrelease(vm, q);
            break;
        }
        ints = ints && is_int(p) && is_int(q);
        double x, y;
        if (triples && !ints) {
            if ((is_float(p) || is_float(q)) && as_float_or_int(vm, p, &x) && as_float_or_int(vm, q, &y)) {
                Triple next = add_product(x, y, t);
                if (isfinite(next.hi)) {
                    t = next;
                    floats = true;
                    release(vm, p);
                    release(vm, q);
                    continue;
                }
            }
            triples = false;
            if (floats) total = add_up(vm, total, v_float(triple_value(t)));
            floats = false;
        }
        total = add_up(vm, total, ou_binary(vm, BIN_MUL, p, q));
        release(vm, p);
        release(vm, q);
    }
    if (total != V_NULL && floats && !vm->exc) total = add_up(vm, total, v_float(triple_value(t)));
    release(vm, pi);
    release(vm, qi);
    if (total != V_NULL && vm->exc) {
        release(vm, total);
        return V_NULL;
    }
    return total;
}

/* ---- norms -------------------------------------------------------------------------------------------------------------------- */

/* The length of the vector x[0..n) of magnitudes: scaled by a power of two, squares summed exactly in two doubles, and the
 * square root corrected once. */
static double norm(const double *x, size_t n)
{
    double max = 0.0;
    bool nan = false;
    for (size_t i = 0; i < n; i++) {
        if (isinf(x[i])) return (double)INFINITY;
        if (x[i] != x[i]) nan = true;
        else if (x[i] > max) max = x[i];
    }
    if (nan) return (double)NAN;
    if (max == 0.0 || n == 0) return max;
    if (n == 1) return max;
    int e;
    frexp(max, &e);
    double csum = 0.0, frac = 0.0;
    for (size_t i = 0; i < n; i++) {
        double v = ldexp(x[i], -e), p = v * v, perr = fma(v, v, -p), s, serr;
        two_sum(csum, p, &s, &serr);
        csum = s;
        frac += perr + serr;
    }
    double h = sqrt(csum + frac);
    double p = -h * h, perr = fma(-h, h, -p), s, serr;
    two_sum(csum, p, &s, &serr);
    double rest = s + (frac + perr + serr);
    return ldexp(h + rest / (2.0 * h), e);
}

Value ou_math_hypot(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *t = as_tuple(args[0]);
    double fixed[16], *x = fixed;
    if (t->n > 16 && !(x = ou_alloc(&vm->heap, t->n * sizeof(double)))) return ou_raise_memory(vm);
    bool ok = true;
    for (uint32_t i = 0; ok && i < t->n; i++) {
        ok = ou_to_double(vm, t->items[i], &x[i]);
        x[i] = fabs(x[i]);
    }
    Value r = ok ? v_float(norm(x, t->n)) : V_NULL;
    if (x != fixed) ou_free(&vm->heap, x, t->n * sizeof(double));
    return r;
}

Value ou_math_dist(VM *vm, const Value *args, int n)
{
    (void)n;
    Value p = ou_tuple_from(vm, args[0]), q = p == V_NULL ? V_NULL : ou_tuple_from(vm, args[1]), r = V_NULL;
    if (q == V_NULL) {
        xrelease(vm, p);
        return V_NULL;
    }
    uint32_t len = as_tuple(p)->n;
    double fixed[16], *x = fixed;
    if (len != as_tuple(q)->n) {
        ou_raise(vm, E_VALUE, "both points must have the same number of dimensions");
    } else if (len > 16 && !(x = ou_alloc(&vm->heap, len * sizeof(double)))) {
        ou_raise_memory(vm);
        x = fixed;
    } else {
        bool ok = true;
        for (uint32_t i = 0; ok && i < len; i++) {
            double a, b;
            ok = ou_to_double(vm, as_tuple(p)->items[i], &a) && ou_to_double(vm, as_tuple(q)->items[i], &b);
            if (ok) x[i] = fabs(a - b);
        }
        if (ok) r = v_float(norm(x, len));
        if (x != fixed) ou_free(&vm->heap, x, len * sizeof(double));
    }
    release(vm, p);
    release(vm, q);
    return r;
}
