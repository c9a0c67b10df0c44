/* complex: two doubles. Arithmetic converts real operands first and follows C's textbook formulas as CPython 3.13 does: division
 * scales by the larger part, small integer powers multiply. */
#include <errno.h>
#include <math.h>

#include "runtime/base/numtext.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers_impl.h"
#include "vm/call.h"

typedef struct C {
    double re, im;
} C;

Value ou_complex(VM *vm, double re, double im)
{
    Complex *c = ou_new(vm, vm->types[T_COMPLEX], 0);
    if (!c) return V_NULL;
    c->re = re;
    c->im = im;
    return v_of(c);
}

static C part(Value v) { return (C){((Complex *)v_obj(v))->re, ((Complex *)v_obj(v))->im}; }

/* 1 got it, 0 no number, -1 raised. */
static int operand(VM *vm, Value v, C *out)
{
    out->im = 0.0;
    if (is_float(v)) {
        out->re = v_double(v);
    } else if (is_intlike(vm, v)) {
        bool over;
        out->re = ou_int_double(vm, v, &over);
        if (over) {
            ou_raise(vm, E_OVERFLOW, "int too large to convert to float");
            return -1;
        }
    } else if (ou_is_floatlike(vm, v)) {
        out->re = ou_float_of(vm, v);
    } else if (is_a_fast(vm, v, T_COMPLEX)) {
        *out = part(v);
    } else {
        return 0;
    }
    return 1;
}

static C multiply(C a, C b) { return (C){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re}; }

static bool quotient(C a, C b, C *r)
{
    double x = fabs(b.re), y = fabs(b.im);
    if (x >= y) {
        if (x == 0.0) return false;
        double ratio = b.im / b.re, d = b.re + b.im * ratio;
        *r = (C){(a.re + a.im * ratio) / d, (a.im - a.re * ratio) / d};
    } else if (y >= x) {
        double ratio = b.re / b.im, d = b.re * ratio + b.im;
        *r = (C){(a.re * ratio + a.im) / d, (a.im * ratio - a.re) / d};
    } else {
        *r = (C){(double)NAN, (double)NAN};
    }
    return true;
}

static C integer_power(C x, long n)
{
    C r = {1.0, 0.0}, p = x;
    for (long mask = 1; mask > 0 && n >= mask; mask <<= 1) {
        if (n & mask) r = multiply(r, p);
        p = multiply(p, p);
    }
    return r;
}

Value ou_complex_pow(VM *vm, double a_re, double a_im, double b_re, double b_im)
{
    C a = {a_re, a_im}, r = {1.0, 0.0};
    if (b_re == 0.0 && b_im == 0.0) return ou_complex(vm, 1.0, 0.0);
    if (a_re == 0.0 && a_im == 0.0) {
        if (b_im != 0.0 || b_re < 0.0) return ou_raise(vm, E_ZERO_DIVISION, "0.0 to a negative or complex power");
        return ou_complex(vm, 0.0, 0.0);
    }
    if (b_im == 0.0 && b_re == floor(b_re) && fabs(b_re) <= 100.0) {
        long n = (long)b_re;
        if (n > 0) r = integer_power(a, n);
        else if (!quotient((C){1.0, 0.0}, integer_power(a, -n), &r))
            return ou_raise(vm, E_ZERO_DIVISION, "0.0 to a negative or complex power");
    } else {
        double abs = hypot(a.re, a.im), len = pow(abs, b_re), at = atan2(a.im, a.re), phase = at * b_re;
        if (b_im != 0.0) {
            len /= exp(at * b_im);
            phase += b_im * log(abs);
        }
        r = (C){len * cos(phase), len * sin(phase)};
    }
    if (isfinite(a_re) && isfinite(a_im) && (isinf(r.re) || isinf(r.im)))
        return ou_raise(vm, E_OVERFLOW, "complex exponentiation");
    return ou_complex(vm, r.re, r.im);
}

#define COMPLEX_BINARY(name, result)                                                                                   \
    static Value complex_##name(VM *vm, Value a, Value b)                                                              \
    {                                                                                                                  \
        C x, y;                                                                                                        \
        int got = operand(vm, a, &x);                                                                                  \
        if (got > 0) got = operand(vm, b, &y);                                                                         \
        if (got <= 0) return got ? V_NULL : V_NOTIMPL;                                                                 \
        result                                                                                                         \
    }
COMPLEX_BINARY(add, return ou_complex(vm, x.re + y.re, x.im + y.im);)
COMPLEX_BINARY(sub, return ou_complex(vm, x.re - y.re, x.im - y.im);)
COMPLEX_BINARY(mul, C r = multiply(x, y); return ou_complex(vm, r.re, r.im);)
COMPLEX_BINARY(div, C r; if (!quotient(x, y, &r)) return ou_raise(vm, E_ZERO_DIVISION, "complex division by zero");
               return ou_complex(vm, r.re, r.im);)
COMPLEX_BINARY(pow, return ou_complex_pow(vm, x.re, x.im, y.re, y.im);)

static Value complex_power3(VM *vm, Value a, Value b, Value c)
{
    return c == V_NONE ? complex_pow(vm, a, b) : ou_raise(vm, E_VALUE, "complex modulo");
}

static Value complex_neg(VM *vm, Value self) { return ou_complex(vm, -part(self).re, -part(self).im); }
static Value complex_pos(VM *vm, Value self)
{
    return is_exact(self, T_COMPLEX) ? retain(self) : ou_complex(vm, part(self).re, part(self).im);
}
static Value complex_abs(VM *vm, Value self)
{
    C c = part(self);
    double r = hypot(c.re, c.im);
    if (isinf(r) && isfinite(c.re) && isfinite(c.im)) return ou_raise(vm, E_OVERFLOW, "absolute value too large");
    return v_float(r);
}

static Value complex_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (op != CMP_EQ && op != CMP_NE) return V_NOTIMPL;
    if (!is_a_fast(vm, a, T_COMPLEX)) {
        Value t = a;
        a = b;
        b = t;
    }
    C x = part(a);
    bool eq;
    if (is_a_fast(vm, b, T_COMPLEX)) eq = x.re == part(b).re && x.im == part(b).im;
    else if (ou_is_floatlike(vm, b)) eq = x.re == ou_float_of(vm, b) && x.im == 0.0;
    else if (is_intlike(vm, b)) eq = x.im == 0.0 && x.re == x.re && ou_int_cmp_double(vm, b, x.re) == 0;
    else return V_NOTIMPL;
    return v_bool(eq == (op == CMP_EQ));
}

static bool complex_hash(VM *vm, Value self, int64_t *out)
{
    (void)vm;
    C c = part(self);
    int64_t h = (int64_t)((uint64_t)ou_hash_double(c.re, self) + UINT64_C(1000003) * (uint64_t)ou_hash_double(c.im, self));
    *out = h == -1 ? -2 : h;
    return true;
}

static int complex_truth(VM *vm, Value self)
{
    (void)vm;
    return part(self).re != 0.0 || part(self).im != 0.0;
}

static Value complex_repr(VM *vm, Value self)
{
    C c = part(self);
    NumText re, im;
    bool lone = c.re == 0.0 && !signbit(c.re);
    if (!ou_double_format(&vm->heap, c.re, 'r', 0, 0, &re) || !ou_double_format(&vm->heap, c.im, 'r', 0, lone ? 0 : DBL_PLUS, &im))
        return ou_raise_memory(vm); /* neither is long: nothing to release */
    return lone ? ou_str_format(vm, "%sj", im.p) : ou_str_format(vm, "(%s%sj)", re.p, im.p);
}

/* ---- constructor ------------------------------------------------------------------------------------------------------- */

/* "1+2j", "(3j)", "-j" ...; s has no blanks around it and no underscores. */
static bool parse(const char *s, size_t n, C *out)
{
    bool paren = n > 0 && s[0] == '(';
    if (paren) {
        if (s[n - 1] != ')') return false;
        s++, n -= 2;
        while (n && *s == ' ') s++, n--;
        while (n && s[n - 1] == ' ') n--;
    }
    if (!n) return false;
    C c = {0.0, 0.0};
    double d;
    size_t k = ou_double_scan(s, n, &d);
    size_t i = k;
    if (k) {
        if (i == n) {
            out->re = d;
            out->im = 0.0;
            return true;
        }
        if (s[i] == 'j' || s[i] == 'J') {
            out->re = 0.0;
            out->im = d;
            return i + 1 == n;
        }
        c.re = d;
        if (s[i] != '+' && s[i] != '-') return false;
    }
    size_t m = ou_double_scan(s + i, n - i, &d);
    if (m) {
        c.im = d;
        i += m;
    } else { /* "j", "+j", "-j" */
        c.im = 1.0;
        if (s[i] == '+' || s[i] == '-') c.im = s[i++] == '-' ? -1.0 : 1.0;
    }
    *out = c;
    return i + 1 == n && (s[i] == 'j' || s[i] == 'J');
}

static bool from_text(VM *vm, Value v, C *out)
{
    Str *s = as_str(v);
    char fixed[128], *t = fixed;
    if (s->size > sizeof fixed && !(t = ou_alloc(&vm->heap, s->size))) return ou_raise_memory(vm), false;
    size_t len = ou_number_text(s->data, s->size, t);
    bool plain = ou_number_unscore(t, &len), ok = plain && parse(t, len, out);
    if (t != fixed) ou_free(&vm->heap, t, s->size);
    if (!plain) ou_raise(vm, E_VALUE, "could not convert string to complex: %R", v);
    else if (!ok) ou_raise(vm, E_VALUE, "complex() arg is a malformed string");
    return ok;
}

/* What an object's __complex__ says: 1 got it, 0 it has none, -1 raised. */
static int special(VM *vm, Value v, C *out)
{
    Value m = ou_lookup_special(vm, v, name_of(vm, N_DU_complex));
    if (m == V_NULL) return vm->exc ? -1 : 0;
    Value r = ou_call0(vm, m);
    release(vm, m);
    if (r == V_NULL) return -1;
    bool ok = is_a_fast(vm, r, T_COMPLEX);
    if (ok) *out = part(r);
    if (ok && !is_exact(r, T_COMPLEX))
        ok = ou_warn(vm, E_DEPRECATION_WARNING, 1,
                     "__complex__ returned non-complex (type %T).  The ability to return an instance of a strict subclass of complex "
                     "is deprecated, and may be removed in a future version of Python.",
                     r);
    else if (!ok) ou_raise(vm, E_TYPE, "__complex__ returned non-complex (type %T)", r);
    release(vm, r);
    return ok ? 1 : -1;
}

static int number(VM *vm, Value v, C *out, bool *is_complex)
{
    *is_complex = false;
    if (is_a_fast(vm, v, T_COMPLEX)) {
        *out = part(v);
        *is_complex = true;
        return 1;
    }
    Type *t = ou_type_of(vm, v);
    if (!t->slots.to_float && !t->slots.to_index) return 0;
    out->im = 0.0;
    return ou_to_double(vm, v, &out->re) ? 1 : -1;
}

static Value complex_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    if (!ou_bind(vm, "complex(real=0, imag=0)", args, n, kwnames, a)) return V_NULL;
    C re = {0.0, 0.0}, im = {0.0, 0.0};
    bool re_complex = false, im_complex = false;
    if (a[0] != V_NULL && a[1] == V_NULL && is_exact(a[0], T_COMPLEX) && cls == vm->types[T_COMPLEX]) return retain(a[0]);
    if (a[0] != V_NULL && is_a_fast(vm, a[0], T_STR)) {
        if (a[1] != V_NULL) return ou_raise(vm, E_TYPE, "complex() can't take second arg if first is a string");
        if (!from_text(vm, a[0], &re)) return V_NULL;
    } else {
        if (a[1] != V_NULL && is_a_fast(vm, a[1], T_STR)) return ou_raise(vm, E_TYPE, "complex() second arg can't be a string");
        if (a[0] != V_NULL) {
            int got = is_exact(a[0], T_COMPLEX) ? 0 : special(vm, a[0], &re);
            if (got > 0) re_complex = true;
            if (got == 0) got = number(vm, a[0], &re, &re_complex);
            if (got < 0) return V_NULL;
            if (!got) return ou_raise(vm, E_TYPE, "complex() first argument must be a string or a number, not '%T'", a[0]);
        }
        if (a[1] != V_NULL) {
            int got = number(vm, a[1], &im, &im_complex);
            if (got < 0) return V_NULL;
            if (!got) return ou_raise(vm, E_TYPE, "complex() second argument must be a number, not '%T'", a[1]);
        }
        C r = re; /* re + im * 1j; signs of zeros survive as long as the arguments are real */
        if (a[1] != V_NULL) {
            r.im = im.re;
            if (im_complex) r.re = re.re - im.im;
            if (re_complex) r.im += re.im;
        }
        re = r;
    }
    if (cls == vm->types[T_COMPLEX]) return ou_complex(vm, re.re, re.im);
    Complex *c = ou_new(vm, cls, 0);
    if (!c) return V_NULL;
    c->re = re.re;
    c->im = re.im;
    return v_of(c);
}

/* ---- methods -------------------------------------------------------------------------------------------------------------- */

static Value complex_conjugate(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_complex(vm, part(args[0]).re, -part(args[0]).im);
}
static Value complex_complex(VM *vm, const Value *args, int n)
{
    (void)n;
    return complex_pos(vm, args[0]);
}
static Value complex_format(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_a_fast(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "__format__() argument must be str, not %K", args[1]);
    return ou_format_complex(vm, args[0], args[1]);
}
static Value complex_getnewargs(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v[2] = {v_float(part(args[0]).re), v_float(part(args[0]).im)};
    return ou_tuple_take(vm, v, 2);
}
static Value get_real(VM *vm, Value self)
{
    (void)vm;
    return v_float(part(self).re);
}
static Value get_imag(VM *vm, Value self)
{
    (void)vm;
    return v_float(part(self).im);
}

static const NativeDef complex_methods[] = {
    {"conjugate()", complex_conjugate, "Return the complex conjugate of its argument. (3-4j).conjugate() == 3+4j.", 0},
    {"__complex__()", complex_complex, "Convert this value to exact type complex.", 0},
    {"__format__(format_spec, /)", complex_format, "Convert to a string according to format_spec.", 0},
    {"__getnewargs__()", complex_getnewargs, NULL, 0},
    {0}};
static const GetSetDef complex_getset[] = {{"real", get_real, NULL, "the real part of a complex number"},
                                           {"imag", get_imag, NULL, "the imaginary part of a complex number"},
                                           {0}};

const TypeDef ou_type_complex = {
    .name = "complex",
    .size = sizeof(Complex),
    .flags = TF_BASE,
    .slots = {.make = complex_make,
              .repr = complex_repr,
              .hash = complex_hash,
              .compare = complex_compare,
              .truth = complex_truth,
              .binary = {[BIN_ADD] = complex_add,
                         [BIN_SUB] = complex_sub,
                         [BIN_MUL] = complex_mul,
                         [BIN_DIV] = complex_div,
                         [BIN_POW] = complex_pow},
              .power3 = complex_power3,
              .unary = {[UN_NEG] = complex_neg, [UN_POS] = complex_pos, [UN_ABS] = complex_abs}},
    .methods = complex_methods,
    .getset = complex_getset,
    .doc = "Create a complex number from a string or numbers.\n\nIf a string is given, parse it as a complex number.\nIf a "
           "single number is given, convert it to a complex number.\nIf the 'real' or 'imag' arguments are given, create a "
           "complex number\nwith the specified real and imaginary components.",
    .new_sig = "(real=0, imag=0)"};
