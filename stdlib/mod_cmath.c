/* cmath: functions of complex numbers, on the C library's <complex.h>. A result that is not finite although the argument was is
 * a domain error where it is undefined and a range error where it is too large. */
#include <complex.h>
#include <math.h>

#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

typedef double complex Z;

static Z z_of(double re, double im)
{
    union {
        Z z;
        double part[2];
    } u;
    u.part[0] = re;
    u.part[1] = im;
    return u.z;
}

static bool arg(VM *vm, Value v, Z *out)
{
    if (is_a_fast(vm, v, T_COMPLEX)) {
        const Complex *c = (const Complex *)v_obj(v);
        *out = z_of(c->re, c->im);
        return true;
    }
    if (!is_float(v) && !is_intlike(vm, v)) {
        Value m = ou_lookup_special(vm, v, name_of(vm, N_DU_complex));
        if (m != V_NULL) {
            Value r = ou_call0(vm, m);
            release(vm, m);
            if (r == V_NULL) return false;
            bool ok = is_a_fast(vm, r, T_COMPLEX);
            if (ok) *out = z_of(((Complex *)v_obj(r))->re, ((Complex *)v_obj(r))->im);
            if (ok && !is_exact(r, T_COMPLEX))
                ok = ou_warn(vm, E_DEPRECATION_WARNING, 1,
                             "__complex__ returned non-complex (type %T).  The ability to return an instance of a strict subclass "
                             "of complex is deprecated, and may be removed in a future version of Python.",
                             r);
            else if (!ok) ou_raise(vm, E_TYPE, "__complex__ returned non-complex (type %T)", r);
            release(vm, r);
            return ok;
        }
        if (vm->exc) return false;
    }
    double d;
    if (!ou_to_double(vm, v, &d)) return false;
    *out = z_of(d, 0.0);
    return true;
}

static bool finite_z(Z z) { return isfinite(creal(z)) && isfinite(cimag(z)); }
static Value domain_error(VM *vm) { return ou_raise(vm, E_VALUE, "math domain error"); }
static Value range_error(VM *vm) { return ou_raise(vm, E_OVERFLOW, "math range error"); }

static Value one(VM *vm, Value v, Z (*f)(Z))
{
    Z z;
    if (!arg(vm, v, &z)) return V_NULL;
    Z r = f(z);
    if (finite_z(z) && !finite_z(r)) return isnan(creal(r)) && isnan(cimag(r)) ? domain_error(vm) : range_error(vm);
    return ou_complex(vm, creal(r), cimag(r));
}

#define ONE(name, fn)                                                                                                  \
    static Value cmath_##name(VM *vm, const Value *a, int n)                                                           \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return one(vm, a[0], fn);                                                                                      \
    }
ONE(acos, cacos)
ONE(acosh, cacosh)
ONE(asin, casin)
ONE(asinh, casinh)
ONE(cos, ccos)
ONE(cosh, ccosh)
ONE(exp, cexp)
ONE(sin, csin)
ONE(sinh, csinh)
ONE(sqrt, csqrt)
ONE(tan, ctan)
ONE(tanh, ctanh)

/* atan and atanh have poles at +-i and +-1. */
static Value cmath_atan(VM *vm, const Value *a, int n)
{
    (void)n;
    Z z;
    if (!arg(vm, a[0], &z)) return V_NULL;
    if (creal(z) == 0.0 && fabs(cimag(z)) == 1.0) return domain_error(vm);
    return one(vm, a[0], catan);
}
static Value cmath_atanh(VM *vm, const Value *a, int n)
{
    (void)n;
    Z z;
    if (!arg(vm, a[0], &z)) return V_NULL;
    if (cimag(z) == 0.0 && fabs(creal(z)) == 1.0) return domain_error(vm);
    return one(vm, a[0], catanh);
}

static bool log_of(VM *vm, Value v, Z *out)
{
    Z z;
    if (!arg(vm, v, &z)) return false;
    if (creal(z) == 0.0 && cimag(z) == 0.0) return domain_error(vm), false;
    *out = clog(z);
    return true;
}
static Value cmath_log(VM *vm, const Value *a, int n)
{
    Z x, b;
    if (!log_of(vm, a[0], &x)) return V_NULL;
    if (n < 2) return ou_complex(vm, creal(x), cimag(x));
    if (!log_of(vm, a[1], &b)) return V_NULL;
    Value p = ou_complex(vm, creal(x), cimag(x)), q = p == V_NULL ? V_NULL : ou_complex(vm, creal(b), cimag(b));
    Value r = q == V_NULL ? V_NULL : ou_binary(vm, BIN_DIV, p, q);
    xrelease(vm, p);
    xrelease(vm, q);
    return r;
}
static Value cmath_log10(VM *vm, const Value *a, int n)
{
    (void)n;
    const double ln10 = 2.302585092994045684;
    Z x;
    return log_of(vm, a[0], &x) ? ou_complex(vm, creal(x) / ln10, cimag(x) / ln10) : V_NULL;
}

static Value cmath_phase(VM *vm, const Value *a, int n)
{
    (void)n;
    Z z;
    return arg(vm, a[0], &z) ? v_float(atan2(cimag(z), creal(z))) : V_NULL;
}
static Value cmath_polar(VM *vm, const Value *a, int n)
{
    (void)n;
    Z z;
    if (!arg(vm, a[0], &z)) return V_NULL;
    double r = hypot(creal(z), cimag(z));
    if (isinf(r) && finite_z(z)) return range_error(vm);
    Value pair[2] = {v_float(r), v_float(atan2(cimag(z), creal(z)))};
    return ou_tuple_take(vm, pair, 2);
}
static Value cmath_rect(VM *vm, const Value *a, int n)
{
    (void)n;
    double r, phi;
    if (!ou_to_double(vm, a[0], &r) || !ou_to_double(vm, a[1], &phi)) return V_NULL;
    if (r == 0.0) return ou_complex(vm, 0.0, 0.0);
    if (isinf(phi) && r == r) return domain_error(vm);
    if (phi == 0.0) return ou_complex(vm, r, r * phi);
    return ou_complex(vm, r * cos(phi), r * sin(phi));
}

#define TEST(name, expression)                                                                                         \
    static Value cmath_##name(VM *vm, const Value *a, int n)                                                           \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        Z z;                                                                                                           \
        return arg(vm, a[0], &z) ? v_bool(expression) : V_NULL;                                                        \
    }
TEST(isfinite, finite_z(z))
TEST(isinf, isinf(creal(z)) || isinf(cimag(z)))
TEST(isnan, isnan(creal(z)) || isnan(cimag(z)))

static Value cmath_isclose(VM *vm, const Value *a, int n)
{
    (void)n;
    Z x, y;
    double rel = 1e-9, abs = 0.0;
    if (!arg(vm, a[0], &x) || !arg(vm, a[1], &y) || (a[2] != V_NULL && !ou_to_double(vm, a[2], &rel)) ||
        (a[3] != V_NULL && !ou_to_double(vm, a[3], &abs)))
        return V_NULL;
    if (rel < 0.0 || abs < 0.0) return ou_raise(vm, E_VALUE, "tolerances must be non-negative");
    if (creal(x) == creal(y) && cimag(x) == cimag(y)) return V_TRUE;
    if (isinf(creal(x)) || isinf(cimag(x)) || isinf(creal(y)) || isinf(cimag(y))) return V_FALSE;
    double diff = hypot(creal(x) - creal(y), cimag(x) - cimag(y));
    return v_bool(diff <= rel * hypot(creal(y), cimag(y)) || diff <= rel * hypot(creal(x), cimag(x)) || diff <= abs);
}

static const NativeDef functions[] = {
    {"acos(z, /)", cmath_acos, "Return the arc cosine of z.", 0},
    {"acosh(z, /)", cmath_acosh, "Return the inverse hyperbolic cosine of z.", 0},
    {"asin(z, /)", cmath_asin, "Return the arc sine of z.", 0},
    {"asinh(z, /)", cmath_asinh, "Return the inverse hyperbolic sine of z.", 0},
    {"atan(z, /)", cmath_atan, "Return the arc tangent of z.", 0},
    {"atanh(z, /)", cmath_atanh, "Return the inverse hyperbolic tangent of z.", 0},
    {"cos(z, /)", cmath_cos, "Return the cosine of z.", 0},
    {"cosh(z, /)", cmath_cosh, "Return the hyperbolic cosine of z.", 0},
    {"exp(z, /)", cmath_exp, "Return the exponential value e**z.", 0},
    {"isclose(a, b, *, rel_tol=1e-09, abs_tol=0.0)", cmath_isclose, "Determine whether two complex numbers are close in value.", 0},
    {"isfinite(z, /)", cmath_isfinite, "Return True if both the real and imaginary parts of z are finite, else False.", 0},
    {"isinf(z, /)", cmath_isinf, "Checks if the real or imaginary part of z is infinite.", 0},
    {"isnan(z, /)", cmath_isnan, "Checks if the real or imaginary part of z not a number (NaN).", 0},
    {"log(z, base=<unrepresentable>, /)", cmath_log, "log(z[, base]) -> the logarithm of z to the given base.", 0},
    {"log10(z, /)", cmath_log10, "Return the base-10 logarithm of z.", 0},
    {"phase(z, /)", cmath_phase, "Return argument, also known as the phase angle, of a complex.", 0},
    {"polar(z, /)", cmath_polar, "Convert a complex from rectangular coordinates to polar coordinates.", 0},
    {"rect(r, phi, /)", cmath_rect, "Convert from polar coordinates to rectangular coordinates.", 0},
    {"sin(z, /)", cmath_sin, "Return the sine of z.", 0},
    {"sinh(z, /)", cmath_sinh, "Return the hyperbolic sine of z.", 0},
    {"sqrt(z, /)", cmath_sqrt, "Return the square root of z.", 0},
    {"tan(z, /)", cmath_tan, "Return the tangent of z.", 0},
    {"tanh(z, /)", cmath_tanh, "Return the hyperbolic tangent of z.", 0},
    {0}};

bool ou_mod_cmath(VM *vm, Module *m)
{
    const double pi = 3.14159265358979323846;
    return ou_module_add(vm, m, functions) && ou_module_set(vm, m, "pi", v_float(pi)) &&
           ou_module_set(vm, m, "e", v_float(2.71828182845904523536)) && ou_module_set(vm, m, "tau", v_float(2 * pi)) &&
           ou_module_set(vm, m, "inf", v_float((double)INFINITY)) && ou_module_set(vm, m, "nan", v_float((double)NAN)) &&
           ou_module_take(vm, m, "infj", ou_complex(vm, 0.0, (double)INFINITY)) &&
           ou_module_take(vm, m, "nanj", ou_complex(vm, 0.0, (double)NAN));
}
