/* int beyond 49 bits, float, complex, and the number text shared with format() and the lexer's constants.
 * May be included by objects/ and above. Every int has one representation: small if it fits, else an Int that holds int64
 * (is_big false) if that fits, else libtommath. */
#ifndef OU_NUMBERS_H
#define OU_NUMBERS_H

#include <tommath.h>

#include "runtime/objects/object.h"

typedef struct Int {
    Obj h;
    bool is_big;
    union {
        int64_t i;
        mp_int big; /* its digits: behind the Int when they are few (int_wide.c), else libtommath's block (accounted in int_big.c) */
    } u;
} Int;
typedef struct Float { /* only for subclasses of float: plain floats are immediate. Read through ou_float_of. */
    Obj h;
    double d;
} Float;
typedef struct Complex {
    Obj h;
    double re, im;
} Complex;

static inline bool is_int(Value v) { return is_small(v) || is_exact(v, T_INT); } /* exact int; bool is none */
bool ou_is_intlike(VM *vm, Value v);                 /* int, bool or a subclass */
Value ou_int(VM *vm, int64_t i);
Value ou_int_u64(VM *vm, uint64_t u);
Value ou_int_from_double(VM *vm, double d);          /* truncates; raises for nan/inf as int(float) */
Value ou_int_parse(VM *vm, const char *digits, size_t n, int base); /* digits without underscores/prefix/sign; for constants */
Value ou_int_from_str(VM *vm, Value s, int base);    /* int("...", base) with its messages */
bool ou_int_i64(VM *vm, Value v, int64_t *out);      /* v an int (or subclass, bool); OverflowError if it does not fit */
bool ou_int_fits_i64(VM *vm, Value v, int64_t *out); /* false without raising */
double ou_int_double(VM *vm, Value v, bool *overflow);
int ou_int_sign(VM *vm, Value v);
Value ou_int_value(VM *vm, Value v);                 /* subclass or bool -> exact int, owned */
Value ou_int_op(VM *vm, BinOp op, Value a, Value b); /* both int-like; any BinOp but MATMUL; DIV is true division */
Value ou_int_pow_mod(VM *vm, Value a, Value b, Value m);
Value ou_int_neg(VM *vm, Value a);
Value ou_int_invert(VM *vm, Value a);
int ou_int_compare(VM *vm, Value a, Value b);        /* -1 0 1; both int-like */
Value ou_int_text(VM *vm, Value v, int base, bool prefix); /* str; honours the 4300 digit limit for base 10 */
bool ou_int_is_even(VM *vm, Value v);
int64_t ou_int_bit_length(VM *vm, Value v);
Value ou_int_from_bytes(VM *vm, const uint8_t *p, size_t n, bool little, bool is_signed);
bool ou_int_to_bytes(VM *vm, Value v, uint8_t *out, size_t n, bool little, bool is_signed);

static inline bool is_float_exact(Value v) { return is_float(v); }
bool ou_is_floatlike(VM *vm, Value v);               /* float or a subclass */
double ou_float_of(VM *vm, Value v);                 /* v floatlike */
bool ou_float_result(VM *vm, Value x, Value v, double *out); /* v is what x.__float__() gave: checks it, warns about subclasses */
Value ou_float_op(VM *vm, BinOp op, double a, double b);
Value ou_complex(VM *vm, double re, double im);
int64_t ou_hash_double(double d, Value self);
int64_t ou_hash_i64(int64_t i);

/* numtext.c (runtime/base/numtext.h) has the text of doubles: ou_double_repr, ou_double_format, ou_double_parse. */

/* format mini-language (format.c): [[fill]align][sign][z][#][0][width][grouping][.precision][type] */
typedef struct FormatSpec {
    uint32_t fill;      /* code point */
    char align;         /* '<' '>' '^' '=' or 0 */
    char sign;          /* '+' '-' ' ' or 0 */
    bool z, alt, zero;
    int64_t width;      /* -1: none */
    char grouping;      /* ',' '_' or 0 */
    int64_t precision;  /* -1: none */
    uint32_t type;      /* code point, 0: none */
} FormatSpec;
bool ou_format_parse(VM *vm, Str *spec, FormatSpec *out, Value self);
Value ou_format_int(VM *vm, Value v, Value spec);
Value ou_format_float(VM *vm, Value v, Value spec);
Value ou_format_complex(VM *vm, Value v, Value spec);
Value ou_format_str(VM *vm, Value v, Value spec);

#endif
