/* int: the type, its constructor and methods. Arithmetic is in int_big.c, text in int_text.c.
 * Memory of big ints: libtommath's digits are counted in heap.used from the value's birth (int_big.c) to int_dealloc. */
#include <math.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers_impl.h"
#include "vm/call.h"

/* ---- constructor ------------------------------------------------------------------------------------------------------ */

/* int(x) for what is no text; the result may still be an instance of a subclass. */
static Value from_number(VM *vm, Value x, bool *text)
{
    *text = false;
    if (is_float(x)) return ou_int_from_double(vm, v_double(x));
    Type *t = ou_type_of(vm, x);
    if (t->slots.to_int) {
        Value v = t->slots.to_int(vm, x);
        if (v == V_NULL || is_int(v)) return v;
        if (!is_intlike(vm, v))
            ou_raise(vm, E_TYPE, "__int__ returned non-int (type %T)", v);
        else if (ou_warn(vm, E_DEPRECATION_WARNING, 1,
                         "__int__ returned non-int (type %T).  The ability to return an instance of a strict subclass of int is "
                         "deprecated, and may be removed in a future version of Python.",
                         v))
            return v;
        release(vm, v);
        return V_NULL;
    }
    if (t->slots.to_index) return ou_index(vm, x);
    Value trunc = ou_lookup_special(vm, x, name_of(vm, N_DU_trunc));
    if (trunc != V_NULL) {
        if (!ou_warn(vm, E_DEPRECATION_WARNING, 1, "The delegation of int() to __trunc__ is deprecated.")) {
            release(vm, trunc);
            return V_NULL;
        }
        Value r = ou_call0(vm, trunc);
        release(vm, trunc);
        if (r == V_NULL || is_intlike(vm, r)) return r;
        Value v = ou_index(vm, r);
        if (v == V_NULL) {
            ou_exc_clear(vm);
            ou_raise(vm, E_TYPE, "__trunc__ returned non-Integral (type %T)", r);
        }
        release(vm, r);
        return v;
    }
    *text = vm->exc == V_NULL;
    return V_NULL;
}

static Value from_text(VM *vm, Value x, int base, bool *known)
{
    *known = true;
    if (is_a_fast(vm, x, T_STR)) return ou_int_from_str(vm, x, base);
    if (is_a_fast(vm, x, T_BYTES) || is_a_fast(vm, x, T_BYTEARRAY) || ou_type_of(vm, x)->slots.buffer) {
        if (base != 0 && (base < 2 || base > 36)) return ou_raise(vm, E_VALUE, "int() base must be >= 2 and <= 36, or 0");
        Buffer b;
        if (!ou_buffer_get(vm, x, &b, false)) return V_NULL;
        Value shown = is_a_fast(vm, x, T_BYTES) ? retain(x) : ou_bytes_new(vm, b.p, (size_t)b.n);
        Value v = shown == V_NULL ? V_NULL : ou_int_from_text(vm, (const char *)b.p, (size_t)b.n, base, shown);
        xrelease(vm, shown);
        ou_buffer_release(vm, &b);
        return v;
    }
    *known = false;
    return V_NULL;
}

static Value convert(VM *vm, Value x, Value base)
{
    bool text, known;
    if (base == V_NULL) {
        if (is_int(x)) return retain(x);
        Value v = from_number(vm, x, &text);
        if (v == V_NULL && text) {
            v = from_text(vm, x, 10, &known);
            if (!known)
                return ou_raise(vm, E_TYPE, "int() argument must be a string, a bytes-like object or a real number, not '%T'", x);
        }
        if (v == V_NULL || is_int(v)) return v;
        Value exact = ou_int_value(vm, v);
        release(vm, v);
        return exact;
    }
    int64_t b;
    if (x == V_NULL) return ou_raise(vm, E_TYPE, "int() missing string argument");
    Value bi = ou_index(vm, base);
    if (bi == V_NULL) return V_NULL;
    bool fits = ou_int_fits_i64(vm, bi, &b);
    release(vm, bi);
    if (!fits || b < 0 || b > 36 || b == 1) return ou_raise(vm, E_VALUE, "int() base must be >= 2 and <= 36, or 0");
    if (!is_a_fast(vm, x, T_STR) && !is_a_fast(vm, x, T_BYTES) && !is_a_fast(vm, x, T_BYTEARRAY))
        return ou_raise(vm, E_TYPE, "int() can't convert non-string with explicit base");
    return from_text(vm, x, (int)b, &known);
}

static Value int_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[2] = {V_NULL, V_NULL}, v;
    if (n > 2) return ou_raise(vm, E_TYPE, "int expected at most 2 arguments, got %d", n);
    if (n == 1 && !kw_given(kwnames)) a[0] = args[0];
    else if (!ou_bind(vm, "int(x=0, /, base=10)", args, n, kwnames, a)) return V_NULL;
    if (a[0] == V_NULL && a[1] == V_NULL) v = v_smallint(0);
    else v = convert(vm, a[0], a[1]);
    if (v == V_NULL || cls == vm->types[T_INT]) return v;
    Value own = ou_int_subclass(vm, cls, v);
    release(vm, v);
    return own;
}

static void int_dealloc(VM *vm, Obj *o)
{
    Int *v = (Int *)o;
    if (v->is_big && v->u.big.dp == (mp_digit *)(v + 1)) {
        ou_finish_dealloc(vm, o, (size_t)v->u.big.alloc * sizeof(mp_digit));
        return;
    }
    if (v->is_big) {
        vm->heap.used -= (size_t)v->u.big.alloc * sizeof(mp_digit);
        mp_clear(&v->u.big);
    }
    ou_finish_dealloc(vm, o, 0);
}

/* ---- slots --------------------------------------------------------------------------------------------------------------- */

#define INT_BINARY(name, op)                                                                                           \
    static Value int_##name(VM *vm, Value a, Value b)                                                                  \
    {                                                                                                                  \
        return is_intlike(vm, a) && is_intlike(vm, b) ? ou_int_op(vm, op, a, b) : V_NOTIMPL;                           \
    }
INT_BINARY(add, BIN_ADD)
INT_BINARY(sub, BIN_SUB)
INT_BINARY(mul, BIN_MUL)
INT_BINARY(truediv, BIN_DIV)
INT_BINARY(floordiv, BIN_FLOORDIV)
INT_BINARY(mod, BIN_MOD)
INT_BINARY(divmod, BIN_DIVMOD)
INT_BINARY(pow, BIN_POW)
INT_BINARY(lshift, BIN_LSHIFT)
INT_BINARY(rshift, BIN_RSHIFT)
INT_BINARY(and, BIN_AND)
INT_BINARY(or, BIN_OR)
INT_BINARY(xor, BIN_XOR)

static Value int_power3(VM *vm, Value a, Value b, Value c)
{
    if (!is_intlike(vm, a) || !is_intlike(vm, b) || (c != V_NONE && !is_intlike(vm, c))) return V_NOTIMPL;
    return c == V_NONE ? ou_int_op(vm, BIN_POW, a, b) : ou_int_pow_mod(vm, a, b, c);
}

static Value int_abs(VM *vm, Value self) { return ou_int_sign(vm, self) < 0 ? ou_int_neg(vm, self) : ou_int_value(vm, self); }

static Value int_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!is_intlike(vm, a) || !is_intlike(vm, b)) return V_NOTIMPL;
    return v_bool(ou_order_holds(ou_int_compare(vm, a, b), 0, op));
}

int64_t ou_hash_i64(int64_t i)
{
    const uint64_t p = (UINT64_C(1) << 61) - 1;
    uint64_t u = (i < 0 ? -(uint64_t)i : (uint64_t)i) % p;
    int64_t h = i < 0 ? -(int64_t)u : (int64_t)u;
    return h == -1 ? -2 : h;
}

static bool int_hash(VM *vm, Value self, int64_t *out)
{
    (void)vm;
    int64_t i;
    if (int_i64(self, &i)) {
        *out = ou_hash_i64(i);
        return true;
    }
    const mp_int *m = &((const Int *)v_obj(self))->u.big;
    const uint64_t p = (UINT64_C(1) << 61) - 1;
    uint64_t h = 0;
    for (int k = m->used; k-- > 0;) h = (uint64_t)(((unsigned __int128)h << MP_DIGIT_BIT | m->dp[k]) % p);
    *out = mp_isneg(m) ? -(int64_t)h : (int64_t)h;
    if (*out == -1) *out = -2;
    return true;
}

static Value int_repr(VM *vm, Value self) { return ou_int_text(vm, self, 10, false); }
static int int_truth(VM *vm, Value self) { return ou_int_sign(vm, self) != 0; }

static Value int_to_float(VM *vm, Value self)
{
    bool over;
    double d = ou_int_double(vm, self, &over);
    return over ? ou_raise(vm, E_OVERFLOW, "int too large to convert to float") : v_float(d);
}

/* ---- methods ----------------------------------------------------------------------------------------------------------------- */

static Value int_bit_length(VM *vm, const Value *args, int n)
{
    (void)n;
    return v_smallint(ou_int_bit_length(vm, args[0]));
}

static Value int_bit_count(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    IntView w;
    const mp_int *m = ou_int_view(&w, args[0]);
    int64_t count = 0;
    for (int i = 0; i < m->used; i++) count += __builtin_popcountll(m->dp[i]);
    return v_smallint(count);
}

static bool byte_order(VM *vm, const char *who, Value v, bool *little)
{
    *little = false;
    if (v == V_NULL) return true;
    if (!is_a_fast(vm, v, T_STR)) {
        ou_raise(vm, E_TYPE, "%s() argument 'byteorder' must be str, not %K", who, v);
        return false;
    }
    *little = ou_str_eq_c(as_str(v), "little");
    if (*little || ou_str_eq_c(as_str(v), "big")) return true;
    ou_raise(vm, E_VALUE, "byteorder must be either 'little' or 'big'");
    return false;
}

static Value int_to_bytes(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t len = 1;
    bool little;
    if (args[1] != V_NULL && !ou_index_i64(vm, args[1], &len)) return V_NULL;
    if (!byte_order(vm, "to_bytes", args[2], &little)) return V_NULL;
    int is_signed = args[3] == V_NULL ? 0 : ou_truth(vm, args[3]);
    if (is_signed < 0) return V_NULL;
    if (len < 0) return ou_raise(vm, E_VALUE, "length argument must be non-negative");
    if (len >= UINT32_MAX) return ou_raise_memory(vm);
    Value b = ou_bytes_new(vm, NULL, (size_t)len);
    if (b == V_NULL) return V_NULL;
    if (ou_int_to_bytes(vm, args[0], as_bytes(b)->data, (size_t)len, little, is_signed)) return b;
    release(vm, b);
    return V_NULL;
}

static Value int_from_bytes(VM *vm, const Value *args, int n)
{
    (void)n;
    bool little;
    if (!byte_order(vm, "from_bytes", args[2], &little)) return V_NULL;
    int is_signed = args[3] == V_NULL ? 0 : ou_truth(vm, args[3]);
    if (is_signed < 0) return V_NULL;
    Value src = args[1], own = V_NULL, v = V_NULL;
    if (!ou_type_of(vm, src)->slots.buffer) {
        if (is_a_fast(vm, src, T_STR)) return ou_raise(vm, E_TYPE, "cannot convert '%T' object to bytes", src);
        Type *t = ou_type_of(vm, src);
        Value m = t->slots.iter || t->slots.getitem ? V_NULL : ou_lookup_special(vm, src, name_of(vm, N_DU_bytes));
        if (m == V_NULL && !t->slots.iter && !t->slots.getitem)
            return vm->exc ? V_NULL : ou_raise(vm, E_TYPE, "cannot convert '%T' object to bytes", src);
        xrelease(vm, m);
        own = src = ou_call1(vm, v_of(vm->types[T_BYTES]), args[1]);
        if (own == V_NULL) return V_NULL;
    }
    Buffer b;
    if (ou_buffer_get(vm, src, &b, false)) {
        v = ou_int_from_bytes(vm, b.p, (size_t)b.n, little, is_signed);
        ou_buffer_release(vm, &b);
    }
    xrelease(vm, own);
    if (v == V_NULL || args[0] == v_of(vm->types[T_INT])) return v;
    Value r = ou_call1(vm, args[0], v);
    release(vm, v);
    return r;
}

static Value int_ratio(VM *vm, const Value *args, int n)
{
    (void)n;
    Value r[2] = {ou_int_value(vm, args[0]), v_smallint(1)};
    return r[0] == V_NULL ? V_NULL : ou_tuple_take(vm, r, 2);
}

static Value int_same(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_int_value(vm, args[0]);
}

static Value int_is_integer(VM *vm, const Value *args, int n)
{
    (void)vm, (void)args, (void)n;
    return V_TRUE;
}

/* Rounds to a multiple of 10^-ndigits, ties to even. */
static Value int_round(VM *vm, const Value *args, int n)
{
    if (n < 2) return ou_int_value(vm, args[0]);
    Value nd = ou_index(vm, args[1]);
    if (nd == V_NULL) return V_NULL;
    Value self = ou_int_value(vm, args[0]), r = V_NULL;
    int64_t digits;
    if (self == V_NULL || ou_int_sign(vm, nd) >= 0) {
        release(vm, nd);
        return self;
    }
    if (!ou_int_fits_i64(vm, nd, &digits) || -digits > ou_int_bit_length(vm, self) / 3 + 2) { /* less than half a unit */
        release(vm, nd);
        release(vm, self);
        return v_smallint(0);
    }
    Value unit = ou_int_op(vm, BIN_POW, v_smallint(10), v_smallint(-digits));
    Value qr = unit == V_NULL ? V_NULL : ou_int_op(vm, BIN_DIVMOD, self, unit);
    if (qr != V_NULL) {
        Value q = as_tuple(qr)->items[0], rest = as_tuple(qr)->items[1];
        Value twice = ou_int_op(vm, BIN_LSHIFT, rest, v_smallint(1));
        Value base = twice == V_NULL ? V_NULL : ou_int_op(vm, BIN_SUB, self, rest);
        if (base != V_NULL) {
            int c = ou_int_compare(vm, twice, unit);
            r = c > 0 || (c == 0 && !ou_int_is_even(vm, q)) ? ou_int_op(vm, BIN_ADD, base, unit) : retain(base);
        }
        xrelease(vm, twice);
        xrelease(vm, base);
        release(vm, qr);
    }
    xrelease(vm, unit);
    release(vm, self);
    release(vm, nd);
    return r;
}

static Value int_format(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_a_fast(vm, args[1], T_STR)) return ou_raise(vm, E_TYPE, "__format__() argument must be str, not %K", args[1]);
    return ou_format_int(vm, args[0], args[1]);
}

static Value int_getnewargs(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = ou_int_value(vm, args[0]);
    return v == V_NULL ? V_NULL : ou_tuple_take(vm, &v, 1);
}

static Value int_sizeof(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t digits = (ou_int_bit_length(vm, args[0]) + 29) / 30;
    return v_smallint(24 + 4 * (digits ? digits : 1));
}

static Value get_one(VM *vm, Value self)
{
    (void)vm, (void)self;
    return v_smallint(1);
}
static Value get_zero(VM *vm, Value self)
{
    (void)vm, (void)self;
    return v_smallint(0);
}

static const NativeDef int_methods[] = {
    {"bit_length()", int_bit_length, "Number of bits necessary to represent self in binary.\n\n>>> bin(37)\n'0b100101'\n>>> (37).bit_length()\n6", 0},
    {"bit_count()", int_bit_count, "Number of ones in the binary representation of the absolute value of self.", 0},
    {"to_bytes(length=1, byteorder='big', *, signed=False)", int_to_bytes, "Return an array of bytes representing an integer.", 0},
    {"from_bytes(bytes, byteorder='big', *, signed=False)", int_from_bytes, "Return the integer represented by the given array of bytes.", ND_CLASS},
    {"as_integer_ratio()", int_ratio, "Return a pair of integers, whose ratio is equal to the original int.\n\nThe ratio is in lowest terms and has a positive denominator.", 0},
    {"conjugate()", int_same, "Returns self, the complex conjugate of any int.", 0},
    {"is_integer()", int_is_integer, "Returns True. Exists for duck type compatibility with float.is_integer.", 0},
    {"__trunc__()", int_same, "Truncating an Integral returns itself.", 0},
    {"__floor__()", int_same, "Flooring an Integral returns itself.", 0},
    {"__ceil__()", int_same, "Ceiling of an Integral returns itself.", 0},
    {"__round__(ndigits=None, /)", int_round, "Rounding an Integral returns itself.\n\nRounding with an ndigits argument also returns an integer.", 0},
    {"__format__(format_spec, /)", int_format, "Convert to a string according to format_spec.", 0},
    {"__getnewargs__()", int_getnewargs, NULL, 0},
    {"__sizeof__()", int_sizeof, "Returns size in memory, in bytes.", 0},
    {0}};
static const GetSetDef int_getset[] = {
    {"real", ou_int_value, NULL, "the real part of a complex number"},
    {"imag", get_zero, NULL, "the imaginary part of a complex number"},
    {"numerator", ou_int_value, NULL, "the numerator of a rational number in lowest terms"},
    {"denominator", get_one, NULL, "the denominator of a rational number in lowest terms"},
    {0}};

const TypeDef ou_type_int = {
    .name = "int",
    .size = sizeof(Int),
    .flags = TF_BASE | TF_MATCH_SELF,
    .slots = {.make = int_make,
              .dealloc = int_dealloc,
              .repr = int_repr,
              .hash = int_hash,
              .compare = int_compare,
              .truth = int_truth,
              .binary = {[BIN_ADD] = int_add,
                         [BIN_SUB] = int_sub,
                         [BIN_MUL] = int_mul,
                         [BIN_DIV] = int_truediv,
                         [BIN_FLOORDIV] = int_floordiv,
                         [BIN_MOD] = int_mod,
                         [BIN_POW] = int_pow,
                         [BIN_LSHIFT] = int_lshift,
                         [BIN_RSHIFT] = int_rshift,
                         [BIN_AND] = int_and,
                         [BIN_OR] = int_or,
                         [BIN_XOR] = int_xor,
                         [BIN_DIVMOD] = int_divmod},
              .power3 = int_power3,
              .unary = {[UN_NEG] = ou_int_neg, [UN_POS] = ou_int_value, [UN_INVERT] = ou_int_invert, [UN_ABS] = int_abs},
              .to_int = ou_int_value,
              .to_float = int_to_float,
              .to_index = ou_int_value},
    .methods = int_methods,
    .getset = int_getset,
    .doc = "int([x]) -> integer\nint(x, base=10) -> integer\n\n"
           "Convert a number or string to an integer, or return 0 if no arguments\n"
           "are given.  If x is a number, return x.__int__().  For floating-point\n"
           "numbers, this truncates towards zero.\n\n"
           "If x is not a number or if base is given, then x must be a string,\n"
           "bytes, or bytearray instance representing an integer literal in the\n"
           "given base.  The literal can be preceded by '+' or '-' and be surrounded\n"
           "by whitespace.  The base defaults to 10.  Valid bases are 0 and 2-36.\n"
           "Base 0 means to interpret the base from the string as an integer literal.\n"
           ">>> int('0b100', base=0)\n4"};
