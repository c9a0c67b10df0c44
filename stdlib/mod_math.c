/* math: functions of one or two floats, and the module. Integer functions are in mod_math_int.c, sums and norms in
 * mod_math_sum.c. A result that is not finite although the argument was is a domain error or, where the function can grow
 * without bound, a range error. */
#include <float.h>

#include "runtime/objects/numbers_impl.h"
#include "stdlib/math_impl.h"
#include "vm/call.h"

static Value domain_error(VM *vm) { return ou_raise(vm, E_VALUE, "math domain error"); }
static Value range_error(VM *vm) { return ou_raise(vm, E_OVERFLOW, "math range error"); }

static bool arg(VM *vm, Value v, double *out)
{
    if (is_float(v)) {
        *out = v_double(v);
        return true;
    }
    return ou_to_double(vm, v, out);
}

static Value one(VM *vm, Value v, double (*f)(double), bool grows)
{
    double x;
    if (!arg(vm, v, &x)) return V_NULL;
    double r = f(x);
    if (r != r && x == x) return domain_error(vm);
    if (isinf(r) && isfinite(x)) return grows ? range_error(vm) : domain_error(vm);
    return v_float(r);
}

#define ONE(name, fn, grows)                                                                                           \
    static Value math_##name(VM *vm, const Value *a, int n)                                                            \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return one(vm, a[0], fn, grows);                                                                               \
    }
ONE(acos, acos, false)
ONE(acosh, acosh, false)
ONE(asin, asin, false)
ONE(asinh, asinh, false)
ONE(atan, atan, false)
ONE(atanh, atanh, false)
ONE(cbrt, cbrt, false)
ONE(cos, cos, false)
ONE(cosh, cosh, true)
ONE(erf, erf, false)
ONE(erfc, erfc, false)
ONE(exp, exp, true)
ONE(exp2, exp2, true)
ONE(expm1, expm1, true)
ONE(fabs, fabs, false)
ONE(log1p, log1p, false)
ONE(sin, sin, false)
ONE(sinh, sinh, true)
ONE(sqrt, sqrt, false)
ONE(tan, tan, false)
ONE(tanh, tanh, false)

static Value math_gamma(VM *vm, const Value *a, int n)
{
    (void)n;
    double x;
    if (!arg(vm, a[0], &x)) return V_NULL;
    if (x == 0.0) return domain_error(vm);
    return one(vm, a[0], ou_gamma, true);
}
static Value math_lgamma(VM *vm, const Value *a, int n)
{
    (void)n;
    double x;
    if (!arg(vm, a[0], &x)) return V_NULL;
    if (isfinite(x) && x == floor(x) && x <= 0) return domain_error(vm);
    double r = ou_lgamma(x);
    return isinf(r) && isfinite(x) ? range_error(vm) : v_float(r);
}

/* ---- two arguments ----------------------------------------------------------------------------------------------------- */

#define TWO(name, expression)                                                                                          \
    static Value math_##name(VM *vm, const Value *a, int n)                                                            \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        double x, y;                                                                                                   \
        if (!arg(vm, a[0], &x) || !arg(vm, a[1], &y)) return V_NULL;                                                   \
        double r = expression;                                                                                         \
        if (r != r && x == x && y == y) return domain_error(vm);                                                       \
        if (isinf(r) && isfinite(x) && isfinite(y)) return range_error(vm);                                            \
        return v_float(r);                                                                                             \
    }
TWO(atan2, atan2(x, y))
TWO(copysign, copysign(x, y))
TWO(fmod, isinf(y) && isfinite(x) ? x : fmod(x, y))
TWO(remainder, remainder(x, y))

static Value math_pow(VM *vm, const Value *a, int n)
{
    (void)n;
    double x, y;
    if (!arg(vm, a[0], &x) || !arg(vm, a[1], &y)) return V_NULL;
    double r = pow(x, y);
    if (isfinite(x) && isfinite(y)) {
        if (r != r) return domain_error(vm);
        if (isinf(r)) return x == 0.0 ? domain_error(vm) : range_error(vm);
    }
    return v_float(r);
}

static Value math_fma(VM *vm, const Value *a, int n)
{
    (void)n;
    double x, y, z;
    if (!arg(vm, a[0], &x) || !arg(vm, a[1], &y) || !arg(vm, a[2], &z)) return V_NULL;
    double r = fma(x, y, z);
    if (isfinite(r)) return v_float(r);
    if (r != r) {
        if (x == x && y == y && z == z) return ou_raise(vm, E_VALUE, "invalid operation in fma");
    } else if (isfinite(x) && isfinite(y) && isfinite(z)) {
        return ou_raise(vm, E_OVERFLOW, "overflow in fma");
    }
    return v_float(r);
}

static Value math_ldexp(VM *vm, const Value *a, int n)
{
    (void)n;
    double x;
    if (!arg(vm, a[0], &x)) return V_NULL;
    if (!is_intlike(vm, a[1])) return ou_raise(vm, E_TYPE, "Expected an int as second argument to ldexp.");
    int64_t e;
    if (!int_i64(a[1], &e)) e = ou_int_sign(vm, a[1]) < 0 ? INT64_MIN : INT64_MAX;
    if (x == 0.0 || !isfinite(x)) return v_float(x);
    if (e > 100000) return range_error(vm);
    double r = e < -100000 ? copysign(0.0, x) : ldexp(x, (int)e);
    return isinf(r) ? range_error(vm) : v_float(r);
}

static Value math_frexp(VM *vm, const Value *a, int n)
{
    (void)n;
    double x;
    if (!arg(vm, a[0], &x)) return V_NULL;
    int e = 0;
    double m = isfinite(x) && x != 0.0 ? frexp(x, &e) : x;
    Value r[2] = {v_float(m), v_smallint(e)};
    return ou_tuple_take(vm, r, 2);
}

static Value math_modf(VM *vm, const Value *a, int n)
{
    (void)n;
    double x, whole;
    if (!arg(vm, a[0], &x)) return V_NULL;
    double frac = modf(x, &whole);
    Value r[2] = {v_float(frac), v_float(whole)};
    return ou_tuple_take(vm, r, 2);
}

/* ---- logarithms: also of ints beyond the doubles ------------------------------------------------------------------------------ */

static Value log_of(VM *vm, Value v, double (*f)(double))
{
    if (is_intlike(vm, v)) {
        if (ou_int_sign(vm, v) <= 0) return domain_error(vm);
        bool over;
        double d = ou_int_double(vm, v, &over);
        if (!over) return v_float(f(d));
        int64_t e = ou_int_bit_length(vm, v) - 64; /* v = m * 2^e */
        Value m = ou_int_op(vm, BIN_RSHIFT, v, v_smallint(e));
        if (m == V_NULL) return V_NULL;
        d = ou_int_double(vm, m, &over);
        release(vm, m);
        return v_float(f(ldexp(d, -64)) + f(2.0) * (double)(e + 64));
    }
    double x;
    if (!arg(vm, v, &x)) return V_NULL;
    if (x != x) return v_float(x);
    if (x <= 0.0) return domain_error(vm);
    return v_float(isinf(x) ? x : f(x));
}

static Value math_log(VM *vm, const Value *a, int n)
{
    Value x = log_of(vm, a[0], log);
    if (x == V_NULL || n < 2) return x;
    Value b = log_of(vm, a[1], log);
    if (b == V_NULL) return V_NULL;
    return ou_float_op(vm, BIN_DIV, v_double(x), v_double(b));
}
static Value math_log2(VM *vm, const Value *a, int n)
{
    (void)n;
    return log_of(vm, a[0], log2);
}
static Value math_log10(VM *vm, const Value *a, int n)
{
    (void)n;
    return log_of(vm, a[0], log10);
}

/* ---- rounding -------------------------------------------------------------------------------------------------------------------- */

static Value rounded(VM *vm, Value v, NameId name, double (*f)(double))
{
    if (is_float(v)) return ou_int_from_double(vm, f(v_double(v)));
    if (is_int(v)) return retain(v);
    { /* a subclass of float may say otherwise */
        Value m = ou_lookup_special(vm, v, name_of(vm, name));
        if (m != V_NULL) {
            Value r = ou_call0(vm, m);
            release(vm, m);
            return r;
        }
        if (vm->exc) return V_NULL;
    }
    double x;
    return arg(vm, v, &x) ? ou_int_from_double(vm, f(x)) : V_NULL;
}
static Value math_ceil(VM *vm, const Value *a, int n)
{
    (void)n;
    return rounded(vm, a[0], N_DU_ceil, ceil);
}
static Value math_floor(VM *vm, const Value *a, int n)
{
    (void)n;
    return rounded(vm, a[0], N_DU_floor, floor);
}
static Value math_trunc(VM *vm, const Value *a, int n)
{
    (void)n;
    if (is_float(a[0])) return ou_int_from_double(vm, v_double(a[0]));
    Value m = ou_lookup_special(vm, a[0], name_of(vm, N_DU_trunc));
    if (m == V_NULL) return vm->exc ? V_NULL : ou_raise(vm, E_TYPE, "type %T doesn't define __trunc__ method", a[0]);
    Value r = ou_call0(vm, m);
    release(vm, m);
    return r;
}

/* ---- predicates and neighbours -------------------------------------------------------------------------------------------------------- */

#define TEST(name, expression)                                                                                         \
    static Value math_##name(VM *vm, const Value *a, int n)                                                            \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        double x;                                                                                                      \
        return arg(vm, a[0], &x) ? v_bool(expression) : V_NULL;                                                        \
    }
TEST(isfinite, isfinite(x))
TEST(isinf, isinf(x))
TEST(isnan, x != x)

static Value math_isclose(VM *vm, const Value *a, int n)
{
    (void)n;
    double x, y, rel = 1e-9, abs = 0.0;
    if (!arg(vm, a[0], &x) || !arg(vm, a[1], &y) || (a[2] != V_NULL && !arg(vm, a[2], &rel)) ||
        (a[3] != V_NULL && !arg(vm, a[3], &abs)))
        return V_NULL;
    if (rel < 0.0 || abs < 0.0) return ou_raise(vm, E_VALUE, "tolerances must be non-negative");
    if (x == y) return V_TRUE;
    if (isinf(x) || isinf(y)) return V_FALSE;
    double diff = fabs(y - x);
    return v_bool(diff <= fabs(rel * y) || diff <= fabs(rel * x) || diff <= abs);
}

static Value math_ulp(VM *vm, const Value *a, int n)
{
    (void)n;
    double x;
    if (!arg(vm, a[0], &x)) return V_NULL;
    if (x != x) return v_float(x);
    x = fabs(x);
    if (isinf(x)) return v_float(x);
    double up = nextafter(x, (double)INFINITY);
    return v_float(isinf(up) ? x - nextafter(x, -(double)INFINITY) : up - x);
}

/* steps neighbours from x towards y, counted on the ordered integers that the bits of doubles make. */
static Value math_nextafter(VM *vm, const Value *a, int n)
{
    (void)n;
    double x, y;
    if (!arg(vm, a[0], &x) || !arg(vm, a[1], &y)) return V_NULL;
    if (a[2] == V_NULL || a[2] == V_NONE) return v_float(nextafter(x, y));
    Value sv = ou_index(vm, a[2]);
    if (sv == V_NULL) return V_NULL;
    int64_t s;
    int sign = ou_int_sign(vm, sv);
    bool fits = int_i64(sv, &s);
    release(vm, sv);
    if (sign < 0) return ou_raise(vm, E_VALUE, "steps must be a non-negative integer");
    uint64_t steps = fits ? (uint64_t)s : UINT64_MAX;
    if (steps == 0 || x != x) return v_float(x);
    if (y != y) return v_float(y);
    int64_t i, j;
    memcpy(&i, &x, 8);
    memcpy(&j, &y, 8);
    int64_t from = i < 0 ? -(i & INT64_MAX) : i, to = j < 0 ? -(j & INT64_MAX) : j;
    uint64_t gap = from < to ? (uint64_t)to - (uint64_t)from : (uint64_t)from - (uint64_t)to;
    if (gap == 0 || steps >= gap) return v_float(y);
    int64_t at = from < to ? (int64_t)((uint64_t)from + steps) : (int64_t)((uint64_t)from - steps);
    double r;
    uint64_t bits = at < 0 ? (uint64_t)-at | UINT64_C(1) << 63 : (uint64_t)at;
    if (at == 0 && from < 0) bits = UINT64_C(1) << 63;
    memcpy(&r, &bits, 8);
    return v_float(r);
}

static const double PI = 3.14159265358979323846, E = 2.71828182845904523536;

static Value math_degrees(VM *vm, const Value *a, int n)
{
    (void)n;
    double x;
    return arg(vm, a[0], &x) ? v_float(x * (180.0 / PI)) : V_NULL;
}
static Value math_radians(VM *vm, const Value *a, int n)
{
    (void)n;
    double x;
    return arg(vm, a[0], &x) ? v_float(x * (PI / 180.0)) : V_NULL;
}

static const NativeDef functions[] = {
    {"acos(x, /)", math_acos, "Return the arc cosine (measured in radians) of x.", 0},
    {"acosh(x, /)", math_acosh, "Return the inverse hyperbolic cosine of x.", 0},
    {"asin(x, /)", math_asin, "Return the arc sine (measured in radians) of x.", 0},
    {"asinh(x, /)", math_asinh, "Return the inverse hyperbolic sine of x.", 0},
    {"atan(x, /)", math_atan, "Return the arc tangent (measured in radians) of x.", 0},
    {"atan2(y, x, /)", math_atan2, "Return the arc tangent (measured in radians) of y/x.", 0},
    {"atanh(x, /)", math_atanh, "Return the inverse hyperbolic tangent of x.", 0},
    {"cbrt(x, /)", math_cbrt, "Return the cube root of x.", 0},
    {"ceil(x, /)", math_ceil, "Return the ceiling of x as an Integral.", 0},
    {"comb(n, k, /)", ou_math_comb, "Number of ways to choose k items from n items without repetition and without order.", 0},
    {"copysign(x, y, /)", math_copysign, "Return a float with the magnitude (absolute value) of x but the sign of y.", 0},
    {"cos(x, /)", math_cos, "Return the cosine of x (measured in radians).", 0},
    {"cosh(x, /)", math_cosh, "Return the hyperbolic cosine of x.", 0},
    {"degrees(x, /)", math_degrees, "Convert angle x from radians to degrees.", 0},
    {"dist(p, q, /)", ou_math_dist, "Return the Euclidean distance between two points p and q.", 0},
    {"erf(x, /)", math_erf, "Error function at x.", 0},
    {"erfc(x, /)", math_erfc, "Complementary error function at x.", 0},
    {"exp(x, /)", math_exp, "Return e raised to the power of x.", 0},
    {"exp2(x, /)", math_exp2, "Return 2 raised to the power of x.", 0},
    {"expm1(x, /)", math_expm1, "Return exp(x)-1.", 0},
    {"fabs(x, /)", math_fabs, "Return the absolute value of the float x.", 0},
    {"factorial(n, /)", ou_math_factorial, "Find n!.", 0},
    {"floor(x, /)", math_floor, "Return the floor of x as an Integral.", 0},
    {"fma(x, y, z, /)", math_fma, "Fused multiply-add operation.", 0},
    {"fmod(x, y, /)", math_fmod, "Return fmod(x, y), according to platform C.", 0},
    {"frexp(x, /)", math_frexp, "Return the mantissa and exponent of x, as pair (m, e).", 0},
    {"fsum(seq, /)", ou_math_fsum, "Return an accurate floating-point sum of values in the iterable seq.", 0},
    {"gamma(x, /)", math_gamma, "Gamma function at x.", 0},
    {"gcd(*integers)", ou_math_gcd, "Greatest Common Divisor.", ND_RAW},
    {"hypot(*coordinates)", ou_math_hypot, "Multidimensional Euclidean distance from the origin to a point.", 0},
    {"isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0)", math_isclose, "Determine whether two floating-point numbers are close in value.", 0},
    {"isfinite(x, /)", math_isfinite, "Return True if x is neither an infinity nor a NaN, and False otherwise.", 0},
    {"isinf(x, /)", math_isinf, "Return True if x is a positive or negative infinity, and False otherwise.", 0},
    {"isnan(x, /)", math_isnan, "Return True if x is a NaN (not a number), and False otherwise.", 0},
    {"isqrt(n, /)", ou_math_isqrt, "Return the integer part of the square root of the input.", 0},
    {"lcm(*integers)", ou_math_lcm, "Least Common Multiple.", ND_RAW},
    {"ldexp(x, i, /)", math_ldexp, "Return x * (2**i).", 0},
    {"lgamma(x, /)", math_lgamma, "Natural logarithm of absolute value of Gamma function at x.", 0},
    {"log(x, base=math.e, /)", math_log, "log(x, [base=math.e])\nReturn the logarithm of x to the given base.", 0},
    {"log10(x, /)", math_log10, "Return the base 10 logarithm of x.", 0},
    {"log1p(x, /)", math_log1p, "Return the natural logarithm of 1+x (base e).", 0},
    {"log2(x, /)", math_log2, "Return the base 2 logarithm of x.", 0},
    {"modf(x, /)", math_modf, "Return the fractional and integer parts of x.", 0},
    {"nextafter(x, y, /, *, steps=None)", math_nextafter, "Return the floating-point value the given number of steps after x towards y.", 0},
    {"perm(n, k=None, /)", ou_math_perm, "Number of ways to choose k items from n items without repetition and with order.", 0},
    {"pow(x, y, /)", math_pow, "Return x**y (x to the power of y).", 0},
    {"prod(iterable, /, *, start=1)", ou_math_prod, "Calculate the product of all the elements in the input iterable.", 0},
    {"radians(x, /)", math_radians, "Convert angle x from degrees to radians.", 0},
    {"remainder(x, y, /)", math_remainder, "Difference between x and the closest integer multiple of y.", 0},
    {"sin(x, /)", math_sin, "Return the sine of x (measured in radians).", 0},
    {"sinh(x, /)", math_sinh, "Return the hyperbolic sine of x.", 0},
    {"sqrt(x, /)", math_sqrt, "Return the square root of x.", 0},
    {"sumprod(p, q, /)", ou_math_sumprod, "Return the sum of products of values from two iterables p and q.", 0},
    {"tan(x, /)", math_tan, "Return the tangent of x (measured in radians).", 0},
    {"tanh(x, /)", math_tanh, "Return the hyperbolic tangent of x.", 0},
    {"trunc(x, /)", math_trunc, "Truncates the Real x to the nearest Integral toward 0.", 0},
    {"ulp(x, /)", math_ulp, "Return the value of the least significant bit of the float x.", 0},
    {0}};

bool ou_mod_math(VM *vm, Module *m)
{
    return ou_module_add(vm, m, functions) && ou_module_set(vm, m, "pi", v_float(PI)) &&
           ou_module_set(vm, m, "e", v_float(E)) && ou_module_set(vm, m, "tau", v_float(2 * PI)) &&
           ou_module_set(vm, m, "inf", v_float((double)INFINITY)) && ou_module_set(vm, m, "nan", v_float((double)NAN));
}
