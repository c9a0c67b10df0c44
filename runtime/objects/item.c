/* Single items in native layout, as memoryview and struct read and write them, and half-precision floats.
 * Entry points: ou_item_size, ou_item_load, ou_item_store, ou_half_load, ou_half_store. The one thing to know: pointers may be
 * unaligned, so everything goes through memcpy. */
#include <math.h>
#include <sys/types.h>

#include "runtime/objects/bytesimpl.h"

int ou_item_size(char f)
{
    switch (f) {
    case 'c': case 'b': case 'B': case '?':
        return 1;
    case 'h': case 'H': case 'e':
        return 2;
    case 'i': case 'I': case 'f':
        return 4;
    case 'l': case 'L':
        return (int)sizeof(long);
    case 'q': case 'Q': case 'd':
        return 8;
    case 'n': case 'N':
        return (int)sizeof(size_t);
    case 'P':
        return (int)sizeof(void *);
    default:
        return 0;
    }
}

double ou_half_load(uint16_t h)
{
    int e = h >> 10 & 31;
    double m = h & 1023, v;
    if (e == 31)
        v = m != 0 ? NAN : INFINITY;
    else
        v = e == 0 ? ldexp(m, -24) : ldexp(m + 1024, e - 25);
    return h & 0x8000 ? -v : v;
}

bool ou_half_store(double d, uint16_t *out)
{
    uint16_t sign = signbit(d) ? 0x8000 : 0;
    d = fabs(d);
    if (isnan(d)) {
        *out = sign | 0x7E00;
        return true;
    }
    if (isinf(d)) {
        *out = sign | 0x7C00;
        return true;
    }
    int e;
    double m = frexp(d, &e); /* d = m * 2^e, 0.5 <= m < 1 */
    if (d == 0) {
        *out = sign;
        return true;
    }
    /* nearbyint rounds halves to even; the carry into the exponent is what makes 65520 overflow. */
    uint32_t bits = e < -13 ? (uint32_t)nearbyint(ldexp(d, 24)) : (uint32_t)nearbyint(ldexp(m, 11)) - 1024 + ((uint32_t)(e + 14) << 10);
    if (bits >= 0x7C00)
        return false;
    *out = sign | (uint16_t)bits;
    return true;
}

Value ou_item_load(VM *vm, char f, const uint8_t *p)
{
#define LOAD(type, make)                                                                                               \
    {                                                                                                                  \
        type x;                                                                                                        \
        memcpy(&x, p, sizeof x);                                                                                       \
        return make;                                                                                                   \
    }
    switch (f) {
    case 'c':
        return ou_bytes_new(vm, p, 1);
    case 'b':
        LOAD(int8_t, v_smallint(x))
    case 'B':
        return v_smallint(*p);
    case '?':
        return v_bool(*p != 0);
    case 'h':
        LOAD(int16_t, v_smallint(x))
    case 'H':
        LOAD(uint16_t, v_smallint(x))
    case 'i':
        LOAD(int32_t, v_smallint(x))
    case 'I':
        LOAD(uint32_t, v_smallint(x))
    case 'l':
        LOAD(long, ou_int(vm, x))
    case 'L':
        LOAD(unsigned long, ou_int_u64(vm, x))
    case 'q':
        LOAD(int64_t, ou_int(vm, x))
    case 'Q':
        LOAD(uint64_t, ou_int_u64(vm, x))
    case 'n':
        LOAD(ssize_t, ou_int(vm, x))
    case 'N':
        LOAD(size_t, ou_int_u64(vm, x))
    case 'P':
        LOAD(void *, ou_int_u64(vm, (uint64_t)(uintptr_t)x))
    case 'e':
        LOAD(uint16_t, v_float(ou_half_load(x)))
    case 'f':
        LOAD(float, v_float((double)x))
    case 'd':
        LOAD(double, v_float(x))
    default:
        return ou_raise(vm, E_NOT_IMPLEMENTED, "memoryview: format %c not supported", f);
    }
#undef LOAD
}

bool ou_item_store(VM *vm, char f, uint8_t *p, Value v)
{
    if (f == 'c') {
        if (!ou_is_bytes(vm, v))
            goto bad_type;
        if (as_bytes(v)->n != 1)
            goto bad_value;
        *p = as_bytes(v)->data[0];
        return true;
    }
    if (f == '?') {
        int t = ou_truth(vm, v);
        *p = t > 0;
        return t >= 0;
    }
    if (f == 'e' || f == 'f' || f == 'd') {
        double d;
        uint16_t h;
        if (!ou_to_double(vm, v, &d)) {
            if (!ou_exc_matches(vm, E_TYPE))
                return false;
            ou_exc_clear(vm);
            goto bad_type;
        }
        if (f == 'd') {
            memcpy(p, &d, 8);
        } else if (f == 'f') {
            float x = (float)d;
            if (isinf(x) && !isinf(d)) {
                ou_raise(vm, E_OVERFLOW, "float too large to pack with f format");
                return false;
            }
            memcpy(p, &x, 4);
        } else {
            if (!ou_half_store(d, &h)) {
                ou_raise(vm, E_OVERFLOW, "float too large to pack with e format");
                return false;
            }
            memcpy(p, &h, 2);
        }
        return true;
    }
    if (!is_bool(v) && !ou_type_of(vm, v)->slots.to_index)
        goto bad_type;
    Value index = ou_index(vm, v);
    if (index == V_NULL)
        return false;
    int n = ou_item_size(f);
    bool is_signed = strchr("bhilqn", f) != NULL, fits = n && ou_int_to_bytes(vm, index, p, (size_t)n, true, is_signed);
    release(vm, index);
    if (fits)
        return true;
    if (!n)
        ou_raise(vm, E_NOT_IMPLEMENTED, "memoryview: format %c not supported", f);
    if (!n || !ou_exc_matches(vm, E_OVERFLOW))
        return false;
    ou_exc_clear(vm);
bad_value:
    ou_raise(vm, E_VALUE, "memoryview: invalid value for format '%c'", f);
    return false;
bad_type:
    ou_raise(vm, E_TYPE, "memoryview: invalid type for format '%c'", f);
    return false;
}
