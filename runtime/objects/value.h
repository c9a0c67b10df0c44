/* A value: 64 bits, NaN-boxed, pointer-favoured (the layout that measured best, see docs/internals.md).
 * May be included by everybody above runtime/base. Pure functions, no VM needed.
 *
 *   0x0000 pppppppppppp            object pointer: 16-aligned, below 2^48, bit 1 clear
 *   0x02 06 0A 0E 12 16            None False True NotImplemented unbound Ellipsis: bit 1 set, so never an object
 *   double bits + 2^49             0x0002... to 0xFFFA... (NaNs: canonical by v_float, or float("nan")'s own)
 *   0xFFFE000000000000 + 2^48 + i  small int i, -2^48 <= i < 2^48, excess encoding (keeps the order, finds overflow)
 *
 * The all-zero word V_NULL is never a script value: as a result it means "failed, the exception is pending", as an
 * argument "not given". is_obj(V_NULL) is true, so registers and slots hold V_UNBOUND, never V_NULL. */
#ifndef OU_VALUE_H
#define OU_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint64_t Value;

/* Every heap object begins with this. `shape` indexes vm->shapes; the first ids are the built-in types' own (the exact
 * type test is one compare with a constant). Objects of types with TF_GC have a GcHead (gc.h) in front. */
typedef struct Obj {
    uint32_t refs;
    uint32_t shape;
} Obj;

#define V_TAG UINT64_C(0xFFFE000000000000)
#define V_INT0 (V_TAG + (UINT64_C(1) << 48)) /* the small int 0 */
#define V_NOTOBJ (V_TAG | 2)
#define V_DBL (UINT64_C(1) << 49)

#define V_NULL UINT64_C(0)
#define V_NONE UINT64_C(0x02)
#define V_FALSE UINT64_C(0x06)
#define V_TRUE UINT64_C(0x0A)
#define V_NOTIMPL UINT64_C(0x0E)
#define V_UNBOUND UINT64_C(0x12)
#define V_ELLIPSIS UINT64_C(0x16)

#define SMALL_MIN (-(INT64_C(1) << 48))
#define SMALL_MAX ((INT64_C(1) << 48) - 1)

static inline bool is_obj(Value v) { return (v & V_NOTOBJ) == 0; }
static inline bool is_small(Value v) { return v >= V_TAG; }
static inline bool are_small(Value a, Value b) { return (a & b) >= V_TAG; }
static inline bool is_float(Value v) { return v - V_DBL < V_TAG - V_DBL; }
static inline bool is_bool(Value v) { return (v | 0x0C) == 0x0E && v != V_NOTIMPL && v != V_NONE; }

static inline Obj *v_obj(Value v) { return (Obj *)(uintptr_t)v; }
static inline Value v_of(const void *o) { return (Value)(uintptr_t)o; }
static inline int64_t v_small(Value v) { return (int64_t)(v - V_INT0); }
static inline bool fits_small(int64_t i) { return (uint64_t)i - (uint64_t)SMALL_MIN < (UINT64_C(1) << 49); }
static inline Value v_smallint(int64_t i) { return (Value)i + V_INT0; } /* i must fit */
static inline Value v_bool(bool b) { return b ? V_TRUE : V_FALSE; }

static inline double v_double(Value v) {
    double d;
    v -= V_DBL;
    memcpy(&d, &v, 8);
    return d;
}
static inline Value v_float_raw(double d) { /* d came out of arithmetic: its NaN is the hardware's, which is canonical */
    Value v;
    memcpy(&v, &d, 8);
    return v + V_DBL;
}
static inline Value v_float(double d) { /* d may be any bit pattern (struct, ctypes, host) */
    if (d != d) {
        bool neg = __builtin_signbit(d);
        return (neg ? UINT64_C(0xFFF8000000000000) : UINT64_C(0x7FF8000000000000)) + V_DBL;
    }
    return v_float_raw(d);
}

#endif
