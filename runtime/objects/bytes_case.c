/* Letters in bytes and bytearray: methods that change their case or ask what all of the bytes are.
 * Entry points: ou_bym_lower and the like, ou_bym_isalpha and the like. The one thing to know: only ASCII counts, whatever the locale. */
#include "runtime/objects/bytesimpl.h"

#include "runtime/base/utf8.h"

static bool is_lower(uint8_t c) { return in_ascii(c, 'a', 'z'); }
static bool is_upper(uint8_t c) { return in_ascii(c, 'A', 'Z'); }
static bool is_alpha(uint8_t c) { return is_lower(c) || is_upper(c); }
static bool is_alnum(uint8_t c) { return is_alpha(c) || byte_is_digit(c); }

typedef enum CaseOp { TO_LOWER, TO_UPPER, TO_SWAP, TO_CAPITAL, TO_TITLE } CaseOp;

static Value change_case(VM *vm, Value self, CaseOp op)
{
    View v = ou_bytes_view(vm, self);
    Value r = ou_bytes_like(vm, self, v.p, v.n);
    if (r == V_NULL || v.n == 0)
        return r;
    char *d = (char *)(uintptr_t)ou_bytes_view(vm, r).p;
    bool after_letter = false;
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = (uint8_t)d[i];
        bool up = op == TO_UPPER || (op == TO_SWAP && is_lower(c)) || (op == TO_CAPITAL && i == 0) || (op == TO_TITLE && !after_letter);
        after_letter = is_alpha(c);
        if (up ? is_lower(c) : is_upper(c))
            d[i] ^= 32;
    }
    return r;
}

#define CASE_METHOD(name, op)                                                                                                     \
    Value ou_bym_##name(VM *vm, const Value *args, int n)                                                                         \
    {                                                                                                                             \
        (void)n;                                                                                                                  \
        return change_case(vm, args[0], op);                                                                                      \
    }
CASE_METHOD(lower, TO_LOWER)
CASE_METHOD(upper, TO_UPPER)
CASE_METHOD(swapcase, TO_SWAP)
CASE_METHOD(capitalize, TO_CAPITAL)
CASE_METHOD(title, TO_TITLE)

#define PREDICATE(name, is)                                                                                                       \
    Value ou_bym_##name(VM *vm, const Value *args, int n)                                                                         \
    {                                                                                                                             \
        (void)n;                                                                                                                  \
        View v = ou_bytes_view(vm, args[0]);                                                                                      \
        for (size_t i = 0; i < v.n; i++)                                                                                          \
            if (!is((uint8_t)v.p[i]))                                                                                             \
                return V_FALSE;                                                                                                   \
        return v_bool(v.n > 0);                                                                                                   \
    }
PREDICATE(isalpha, is_alpha)
PREDICATE(isdigit, byte_is_digit)
PREDICATE(isalnum, is_alnum)
PREDICATE(isspace, byte_is_space)

Value ou_bym_isascii(VM *vm, const Value *args, int n)
{
    (void)n;
    View v = ou_bytes_view(vm, args[0]);
    return v_bool(ou_utf8_ascii_run(v.p, v.n) == v.n);
}

static Value all_cased(VM *vm, Value self, bool (*wrong)(uint8_t), bool (*right)(uint8_t))
{
    View v = ou_bytes_view(vm, self);
    bool seen = false;
    for (size_t i = 0; i < v.n; i++) {
        if (wrong((uint8_t)v.p[i]))
            return V_FALSE;
        seen = seen || right((uint8_t)v.p[i]);
    }
    return v_bool(seen);
}

Value ou_bym_islower(VM *vm, const Value *args, int n)
{
    (void)n;
    return all_cased(vm, args[0], is_upper, is_lower);
}

Value ou_bym_isupper(VM *vm, const Value *args, int n)
{
    (void)n;
    return all_cased(vm, args[0], is_lower, is_upper);
}

Value ou_bym_istitle(VM *vm, const Value *args, int n)
{
    (void)n;
    View v = ou_bytes_view(vm, args[0]);
    bool seen = false, after = false;
    for (size_t i = 0; i < v.n; i++) {
        uint8_t c = (uint8_t)v.p[i];
        if (is_upper(c) ? after : is_lower(c) && !after)
            return V_FALSE;
        after = is_alpha(c);
        seen = seen || after;
    }
    return v_bool(seen);
}
