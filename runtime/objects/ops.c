/* The operations of the language on any value: arithmetic, comparison, subscripts, iteration, texts. Entry points: the section
 * "operations on any value" of object.h.
 * The one thing to know: each begins with the cheap cases (small ints, floats, exact types) and then follows CPython's rules
 * for which operand is asked first, which scripts can observe. */
#include <math.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/dunder.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/errors_impl.h"
#include "runtime/objects/func.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

/* Native recursion (nested lists being compared, reprs) is bounded like calls into scripts. */
static bool enter(VM *vm, const char *where)
{
    if (ou_c_deep(vm)) {
        ou_raise_recursion(vm, where);
        return false;
    }
    vm->c_depth++;
    return true;
}
static void leave(VM *vm) { vm->c_depth--; }

/* ---- texts ---------------------------------------------------------------------------------------------------------- */

static Value must_be_str(VM *vm, Value r, const char *dunder)
{
    if (r == V_NULL || is_str(r) || ou_is_a(vm, r, T_STR))
        return r;
    ou_raise(vm, E_TYPE, "%s returned non-string (type %T)", dunder, r);
    release(vm, r);
    return V_NULL;
}

Value ou_repr(VM *vm, Value v)
{
    if (is_str(v))
        return ou_str_repr(vm, as_str(v));
    Type *t = ou_type_of(vm, v);
    if (!t->slots.repr)
        return ou_str_format(vm, "<%N object at 0x%zx>", t, (size_t)v);
    if (!enter(vm, " while getting the repr of an object"))
        return V_NULL;
    retain(v);
    Value r = must_be_str(vm, t->slots.repr(vm, v), "__repr__");
    release(vm, v);
    leave(vm);
    return r;
}

Value ou_str(VM *vm, Value v)
{
    if (is_str(v))
        return retain(v);
    Type *t = ou_type_of(vm, v);
    if (!t->slots.str)
        return ou_repr(vm, v);
    if (!enter(vm, " while getting the str of an object"))
        return V_NULL;
    retain(v);
    Value r = must_be_str(vm, t->slots.str(vm, v), "__str__");
    release(vm, v);
    leave(vm);
    return r;
}

Value ou_ascii(VM *vm, Value v)
{
    Value r = ou_repr(vm, v);
    if (r == V_NULL)
        return V_NULL;
    Value text = ou_str_to_ascii(vm, r);
    release(vm, r);
    return text;
}

Value ou_format(VM *vm, Value v, Value spec)
{
    bool plain = is_str(spec) && as_str(spec)->size == 0;
    if (is_str(v))
        return plain ? retain(v) : ou_format_str(vm, v, spec);
    if (is_small(v) || is_exact(v, T_INT))
        return plain ? ou_str(vm, v) : ou_format_int(vm, v, spec);
    if (is_float(v))
        return plain ? ou_str(vm, v) : ou_format_float(vm, v, spec);
    Value f = ou_lookup_special(vm, v, name_of(vm, N_DU_format));
    if (f == V_NULL) {
        if (vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, "Type %T doesn't define __format__", v);
        return V_NULL;
    }
    Value r = ou_call1(vm, f, spec);
    release(vm, f);
    if (r != V_NULL && !ou_is_a(vm, r, T_STR)) {
        ou_raise(vm, E_TYPE, "__format__ must return a str, not %T", r);
        release(vm, r);
        return V_NULL;
    }
    return r;
}

/* ---- hash, truth --------------------------------------------------------------------------------------------------------- */

bool ou_hash(VM *vm, Value v, int64_t *out)
{
    if (is_str(v)) {
        *out = ou_str_hash(vm, as_str(v));
        return true;
    }
    if (is_small(v)) {
        *out = ou_hash_i64(v_small(v));
        return true;
    }
    if (is_float(v)) {
        *out = ou_hash_double(v_double(v), v);
        return true;
    }
    Type *t = ou_type_of(vm, v);
    if (!t->slots.hash) {
        ou_raise(vm, E_TYPE, "unhashable type: '%T'", v);
        return false;
    }
    if (!enter(vm, NULL))
        return false;
    bool ok = t->slots.hash(vm, v, out);
    leave(vm);
    return ok;
}

int ou_truth(VM *vm, Value v)
{
    if (v == V_TRUE)
        return 1;
    if (v == V_FALSE || v == V_NONE)
        return 0;
    if (is_small(v))
        return v != V_INT0;
    if (is_float(v))
        return v_double(v) != 0.0;
    Type *t = ou_type_of(vm, v);
    if (t->slots.truth)
        return t->slots.truth(vm, v);
    if (t->slots.len) {
        int64_t n = t->slots.len(vm, v);
        return n < 0 ? -1 : n > 0;
    }
    return 1;
}

/* ---- comparison ----------------------------------------------------------------------------------------------------------- */

const CmpOp ou_compare_swapped[6] = {CMP_GT, CMP_GE, CMP_EQ, CMP_NE, CMP_LT, CMP_LE};
static const char *const cmp_text[] = {"<", "<=", "==", "!=", ">", ">="};

static Value cmp_result(CmpOp op, bool lt, bool eq)
{
    switch (op) {
    case CMP_LT: return v_bool(lt);
    case CMP_LE: return v_bool(lt || eq);
    case CMP_EQ: return v_bool(eq);
    case CMP_NE: return v_bool(!eq);
    case CMP_GT: return v_bool(!lt && !eq);
    default: return v_bool(!lt);
    }
}

static Value compare_doubles(double a, double b, CmpOp op)
{
    switch (op) {
    case CMP_LT: return v_bool(a < b);
    case CMP_LE: return v_bool(a <= b);
    case CMP_EQ: return v_bool(a == b);
    case CMP_NE: return v_bool(a != b);
    case CMP_GT: return v_bool(a > b);
    default: return v_bool(a >= b);
    }
}

Value ou_compare_unknown(VM *vm, Value a, Value b, CmpOp op)
{
    if (op == CMP_EQ)
        return v_bool(a == b);
    if (op == CMP_NE)
        return v_bool(a != b);
    return ou_raise(vm, E_TYPE, "'%s' not supported between instances of '%T' and '%T'", cmp_text[op], a, b);
}

/* a and b are retained by the caller. */
static Value compare_slots(VM *vm, Value a, Value b, CmpOp op)
{
    Type *ta = ou_type_of(vm, a), *tb = ou_type_of(vm, b);
    bool tried = false;
    Value r;
    if (ta != tb && tb->slots.compare && ou_is_subtype(tb, ta)) {
        tried = true;
        r = tb->slots.compare(vm, b, a, ou_compare_swapped[op]);
        if (r != V_NOTIMPL)
            return r;
    }
    if (ta->slots.compare) {
        r = ta->slots.compare(vm, a, b, op);
        if (r != V_NOTIMPL)
            return r;
    }
    if (!tried && tb->slots.compare) {
        r = tb->slots.compare(vm, b, a, ou_compare_swapped[op]);
        if (r != V_NOTIMPL)
            return r;
    }
    return ou_compare_unknown(vm, a, b, op);
}

Value ou_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (are_small(a, b))
        return cmp_result(op, a < b, a == b);
    if (is_float(a) && is_float(b))
        return compare_doubles(v_double(a), v_double(b), op);
    if (is_float(a) && is_small(b))
        return compare_doubles(v_double(a), (double)v_small(b), op);
    if (is_small(a) && is_float(b))
        return compare_doubles((double)v_small(a), v_double(b), op);
    if (is_str(a) && is_str(b)) {
        if (op == CMP_EQ || op == CMP_NE)
            return v_bool((a == b || ou_str_equal(as_str(a), as_str(b))) == (op == CMP_EQ));
        int c = ou_str_order(as_str(a), as_str(b));
        return cmp_result(op, c < 0, c == 0);
    }
    if (!enter(vm, " in comparison"))
        return V_NULL;
    retain(a);
    retain(b);
    Value r = compare_slots(vm, a, b, op);
    release(vm, a);
    release(vm, b);
    leave(vm);
    return r;
}

int ou_compare_bool(VM *vm, Value a, Value b, CmpOp op)
{
    if (a == b && (op == CMP_EQ || op == CMP_NE))
        return op == CMP_EQ;
    Value r = ou_compare(vm, a, b, op);
    if (r == V_NULL)
        return -1;
    int truth = ou_truth(vm, r);
    release(vm, r);
    return truth;
}

int ou_eq(VM *vm, Value a, Value b)
{
    if (a == b)
        return 1;
    if (is_str(a) && is_str(b))
        return ou_str_equal(as_str(a), as_str(b));
    return ou_compare_bool(vm, a, b, CMP_EQ);
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------------------ */

static const char *const bin_text[BIN_COUNT] = { /* ORDER: binop */
    "+", "-", "*", "/", "//", "%", "** or pow()", "<<", ">>", "&", "|", "^", "@", "divmod()"};
static const char *const inplace_text[BIN_COUNT] = {"+=", "-=", "*=", "/=", "//=", "%=", "**=", "<<=", ">>=", "&=", "|=",
                                                    "^=", "@=", "divmod()"};

/* V_NOTIMPL when nobody knows. A subclass on the right is asked first; a slot that both share is asked once: it handles both
 * sides itself. */
static Value binary_slots(VM *vm, BinOp op, Value a, Value b)
{
    Type *ta = ou_type_of(vm, a), *tb = ou_type_of(vm, b);
    Value (*fa)(VM *, Value, Value) = ta->slots.binary[op];
    Value (*fb)(VM *, Value, Value) = ta == tb ? NULL : tb->slots.binary[op];
    if (fa == fb)
        fb = NULL;
    Value r;
    if (fa) {
        if (fb && ou_is_subtype(tb, ta)) {
            r = fb(vm, a, b);
            if (r != V_NOTIMPL)
                return r;
            fb = NULL;
        }
        r = fa(vm, a, b);
        if (r != V_NOTIMPL)
            return r;
    }
    return fb ? fb(vm, a, b) : V_NOTIMPL;
}

Value ou_operator_error(VM *vm, BinOp op, bool inplace, Value a, Value b)
{
    const char *text = inplace ? inplace_text[op] : bin_text[op];
    if (op == BIN_RSHIFT && is_exact(a, T_NATIVE) && strncmp(((Native *)v_obj(a))->def->sig, "print(", 6) == 0)
        return ou_raise(vm, E_TYPE,
                        "unsupported operand type(s) for %s: '%T' and '%T'. Did you mean \"print(<message>, "
                        "file=<output_stream>)\"?",
                        text, a, b);
    return ou_raise(vm, E_TYPE, "unsupported operand type(s) for %s: '%T' and '%T'", text, a, b);
}

/* A float and a small int: the int is exact as a double. */
static bool mixed_float(BinOp op, Value a, Value b, Value *out)
{
    double x, y;
    if (is_float(a) && is_small(b))
        x = v_double(a), y = (double)v_small(b);
    else if (is_small(a) && is_float(b))
        x = (double)v_small(a), y = v_double(b);
    else
        return false;
    switch (op) {
    case BIN_ADD: *out = v_float(x + y); return true;
    case BIN_SUB: *out = v_float(x - y); return true;
    case BIN_MUL: *out = v_float(x * y); return true;
    case BIN_DIV:
        if (y == 0.0)
            return false;
        *out = v_float(x / y);
        return true;
    default: return false;
    }
}

static bool fast_binary(VM *vm, BinOp op, Value a, Value b, Value *out)
{
    if (are_small(a, b)) {
        int64_t x = v_small(a), y = v_small(b), r;
        switch (op) {
        case BIN_ADD: r = x + y; break;
        case BIN_SUB: r = x - y; break;
        case BIN_MUL:
            if (__builtin_mul_overflow(x, y, &r))
                goto ints;
            break;
        case BIN_AND: r = x & y; break;
        case BIN_OR: r = x | y; break;
        case BIN_XOR: r = x ^ y; break;
        default: goto ints;
        }
        if (!fits_small(r))
            goto ints;
        *out = v_smallint(r);
        return true;
    }
    if (is_float(a) && is_float(b)) {
        double x = v_double(a), y = v_double(b);
        switch (op) {
        case BIN_ADD: *out = v_float(x + y); return true;
        case BIN_SUB: *out = v_float(x - y); return true;
        case BIN_MUL: *out = v_float(x * y); return true;
        case BIN_DIV:
            if (y == 0.0)
                return false;
            *out = v_float(x / y);
            return true;
        default: return false;
        }
    }
ints:
    if (is_int(a) && is_int(b) && op != BIN_MATMUL) {
        *out = ou_int_op(vm, op, a, b);
        return true;
    }
    return mixed_float(op, a, b, out);
}

Value ou_binary(VM *vm, BinOp op, Value a, Value b)
{
    Value r;
    if (fast_binary(vm, op, a, b, &r))
        return r;
    retain(a);
    retain(b);
    r = binary_slots(vm, op, a, b);
    if (r == V_NOTIMPL)
        r = ou_operator_error(vm, op, false, a, b);
    release(vm, a);
    release(vm, b);
    return r;
}

bool ou_right_before_inplace(BinOp op, const Type *ta, const Type *tb)
{
    return (op == BIN_ADD || op == BIN_MUL) && !(ta->flags & TF_HEAP) && tb->slots.binary[op] == ou_slot_script_binary[op];
}

/* Is multiplication by an int all that it does with `*`? */
static bool only_repeats(VM *vm, const Type *t)
{
    static const TypeId ids[] = {T_LIST, T_TUPLE, T_STR, T_BYTES, T_BYTEARRAY};
    for (size_t i = 0; i < sizeof ids / sizeof ids[0]; i++)
        if (t->slots.binary[BIN_MUL] == vm->types[ids[i]]->slots.binary[BIN_MUL])
            return true;
    return false;
}

bool ou_left_decides(VM *vm, const Type *ta, const Type *tb)
{
    return ((ta->flags & TF_HEAP) || ta->slots.getitem || ta->slots.len || ta->slots.contains) && !only_repeats(vm, ta) && only_repeats(vm, tb);
}

Value ou_inplace(VM *vm, BinOp op, Value a, Value b)
{
    Value r;
    if (fast_binary(vm, op, a, b, &r))
        return r;
    retain(a);
    retain(b);
    Type *ta = ou_type_of(vm, a);
    r = V_NOTIMPL;
    if (ta->slots.inplace[op]) {
        if (ou_right_before_inplace(op, ta, ou_type_of(vm, b)))
            r = ou_slot_script_binary[op](vm, a, b);
        if (r == V_NOTIMPL)
            r = ta->slots.inplace[op](vm, a, b);
    }
    if (r == V_NOTIMPL && op == BIN_MUL && ou_left_decides(vm, ta, ou_type_of(vm, b)))
        r = ta->slots.binary[op] ? ta->slots.binary[op](vm, a, b) : V_NOTIMPL;
    else if (r == V_NOTIMPL)
        r = binary_slots(vm, op, a, b);
    if (r == V_NOTIMPL)
        r = ou_operator_error(vm, op, true, a, b);
    release(vm, a);
    release(vm, b);
    return r;
}

Value ou_unary(VM *vm, UnOp op, Value a)
{
    if (is_float(a) && op != UN_INVERT) {
        double d = v_double(a);
        return op == UN_NEG ? v_float(-d) : op == UN_ABS ? v_float(fabs(d)) : a;
    }
    Type *t = ou_type_of(vm, a);
    if (t->slots.unary[op]) {
        retain(a);
        Value r = t->slots.unary[op](vm, a);
        release(vm, a);
        return r;
    }
    if (op == UN_ABS)
        return ou_raise(vm, E_TYPE, "bad operand type for abs(): '%T'", a);
    return ou_raise(vm, E_TYPE, "bad operand type for unary %s: '%T'", op == UN_NEG ? "-" : op == UN_POS ? "+" : "~", a);
}

Value ou_power(VM *vm, Value a, Value b, Value mod)
{
    if (mod == V_NONE || mod == V_NULL)
        return ou_binary(vm, BIN_POW, a, b);
    Type *types[3] = {ou_type_of(vm, a), ou_type_of(vm, b), ou_type_of(vm, mod)};
    Value (*tried[3])(VM *, Value, Value, Value) = {NULL, NULL, NULL};
    int order[3] = {0, 1, 2};
    if (types[0] != types[1] && types[1]->slots.power3 && ou_is_subtype(types[1], types[0])) {
        order[0] = 1;
        order[1] = 0;
    }
    Value r = V_NOTIMPL;
    retain(a);
    retain(b);
    retain(mod);
    for (int i = 0; i < 3 && r == V_NOTIMPL; i++) {
        Value (*f)(VM *, Value, Value, Value) = types[order[i]]->slots.power3;
        if (!f || f == tried[0] || f == tried[1])
            continue;
        tried[i] = f;
        r = f(vm, a, b, mod);
    }
    if (r == V_NOTIMPL)
        r = ou_raise(vm, E_TYPE, "unsupported operand type(s) for ** or pow(): '%T', '%T', '%T'", a, b, mod);
    release(vm, a);
    release(vm, b);
    release(vm, mod);
    return r;
}

/* ---- subscripts ---------------------------------------------------------------------------------------------------------------- */

Value ou_getitem(VM *vm, Value o, Value key)
{
    Type *t = ou_type_of(vm, o);
    if (t->slots.getitem) {
        retain(o);
        Value r = t->slots.getitem(vm, o, key);
        release(vm, o);
        return r;
    }
    if (ou_is_a(vm, o, T_TYPE)) {
        if (v_obj(o) == &ou_builtin(vm, T_TYPE)->h)
            return ou_generic_alias_new(vm, o, key);
        bool missing = false;
        Value f = ou_getattr_opt(vm, o, name_of(vm, N_DU_class_getitem), &missing);
        if (f != V_NULL) {
            Value r = f == V_NONE ? V_NULL : ou_call1(vm, f, key);
            bool none = f == V_NONE;
            release(vm, f);
            if (!none)
                return r;
        } else if (!missing) {
            return V_NULL;
        }
        return ou_raise(vm, E_TYPE, "type '%N' is not subscriptable", v_obj(o));
    }
    return ou_raise(vm, E_TYPE, "'%T' object is not subscriptable", o);
}

bool ou_setitem(VM *vm, Value o, Value key, Value v)
{
    Type *t = ou_type_of(vm, o);
    if (t->slots.setitem) {
        retain(o);
        bool ok = t->slots.setitem(vm, o, key, v);
        release(vm, o);
        return ok;
    }
    /* CPython has two texts: by index from something like a sequence, and else. */
    bool by_index = (is_small(key) || ou_type_of(vm, key)->slots.to_index) && ((t->flags & TF_HEAP) || t->slots.len || t->slots.contains);
    ou_raise(vm, E_TYPE, v != V_NULL ? "'%T' object does not support item assignment"
                         : by_index  ? "'%T' object doesn't support item deletion"
                                     : "'%T' object does not support item deletion",
             o);
    return false;
}

int ou_contains(VM *vm, Value container, Value x)
{
    Type *t = ou_type_of(vm, container);
    if (t->slots.contains) {
        retain(container);
        int r = t->slots.contains(vm, container, x);
        release(vm, container);
        return r;
    }
    Value it = ou_iter(vm, container);
    if (it == V_NULL) {
        if (ou_exc_matches(vm, E_TYPE) && !t->slots.iter) {
            ou_exc_clear(vm);
            ou_raise(vm, E_TYPE, "argument of type '%T' is not iterable", container);
        }
        return -1;
    }
    int r = 0;
    while (r == 0) {
        Value v = ou_next(vm, it);
        if (v == V_NULL) {
            r = vm->exc == V_NULL ? 0 : -1;
            break;
        }
        r = v == x ? 1 : ou_compare_bool(vm, v, x, CMP_EQ);
        release(vm, v);
    }
    release(vm, it);
    return r;
}

/* ---- length and iteration --------------------------------------------------------------------------------------------------------- */

int64_t ou_len(VM *vm, Value o)
{
    Type *t = ou_type_of(vm, o);
    if (t->slots.len)
        return t->slots.len(vm, o);
    ou_raise(vm, E_TYPE, "object of type '%T' has no len()", o);
    return -1;
}

int64_t ou_length_hint(VM *vm, Value o, int64_t dflt)
{
    Type *t = ou_type_of(vm, o);
    if (t->slots.len) {
        int64_t n = t->slots.len(vm, o);
        if (n >= 0)
            return n;
        if (!ou_exc_matches(vm, E_TYPE))
            return -1;
        ou_exc_clear(vm);
    }
    Value f = ou_lookup_special(vm, o, name_of(vm, N_DU_length_hint));
    if (f == V_NULL)
        return vm->exc == V_NULL ? dflt : -1;
    Value r = ou_call0(vm, f);
    release(vm, f);
    if (r == V_NULL) {
        if (!ou_exc_matches(vm, E_TYPE))
            return -1;
        ou_exc_clear(vm);
        return dflt;
    }
    int64_t n = -1;
    if (r == V_NOTIMPL)
        return dflt;
    if (!ou_is_intlike(vm, r))
        ou_raise(vm, E_TYPE, "__length_hint__ must be an integer, not %T", r);
    else if (ou_int_i64(vm, r, &n) && n < 0)
        ou_raise(vm, E_VALUE, "__length_hint__() should return >= 0");
    release(vm, r);
    return vm->exc == V_NULL ? n : -1;
}

Value ou_iter_checked(VM *vm, Value it)
{
    if (it == V_NULL || ou_type_of(vm, it)->slots.next)
        return it;
    ou_raise(vm, E_TYPE, "iter() returned non-iterator of type '%T'", it);
    release(vm, it);
    return V_NULL;
}

Value ou_iter(VM *vm, Value o)
{
    Type *t = ou_type_of(vm, o);
    if (t->slots.iter) {
        retain(o);
        Value it = t->slots.iter(vm, o);
        release(vm, o);
        return ou_iter_checked(vm, it);
    }
    if (t->slots.getitem && (t->flags & (TF_HEAP | TF_SEQUENCE))) {
        SeqIter *it = ou_new(vm, ou_builtin(vm, T_SEQ_ITER), 0);
        if (!it)
            return V_NULL;
        it->seq = retain(o);
        return v_of(it);
    }
    return ou_raise(vm, E_TYPE, "'%T' object is not iterable", o);
}

Value ou_next(VM *vm, Value it)
{
    if (is_exact(it, T_LIST_ITER)) {
        SeqIter *s = (SeqIter *)v_obj(it);
        if (s->seq != V_NULL && (uint64_t)s->index < as_list(s->seq)->n)
            return retain(as_list(s->seq)->items[s->index++]);
    } else if (is_exact(it, T_RANGE_ITER)) {
        RangeIter *r = (RangeIter *)v_obj(it);
        if (r->left) {
            r->left--;
            Value v = v_smallint(r->next);
            r->next += r->step;
            return v;
        }
    }
    Type *t = ou_type_of(vm, it);
    if (!t->slots.next)
        return ou_raise(vm, E_TYPE, "'%T' object is not an iterator", it);
    if (!ou_charge(vm, 1))
        return V_NULL;
    Value v = t->slots.next(vm, it);
    if (v == V_NULL && vm->exc != V_NULL && ou_exc_matches(vm, E_STOP_ITERATION))
        ou_exc_clear(vm);
    return v;
}

/* ---- conversions ------------------------------------------------------------------------------------------------------------------- */

Value ou_index(VM *vm, Value v)
{
    if (is_int(v))
        return retain(v);
    if (ou_is_intlike(vm, v))
        return ou_int_value(vm, v);
    Type *t = ou_type_of(vm, v);
    if (!t->slots.to_index)
        return ou_raise(vm, E_TYPE, "'%T' object cannot be interpreted as an integer", v);
    Value r = t->slots.to_index(vm, v);
    if (r == V_NULL || is_int(r))
        return r;
    if (!ou_is_intlike(vm, r)) {
        ou_raise(vm, E_TYPE, "__index__ returned non-int (type %T)", r);
        release(vm, r);
        return V_NULL;
    }
    if (!ou_warn(vm, E_DEPRECATION_WARNING, 1,
                 "__index__ returned non-int (type %T).  The ability to return an instance of a strict subclass of int is "
                 "deprecated, and may be removed in a future version of Python.",
                 r)) {
        release(vm, r);
        return V_NULL;
    }
    Value exact = ou_int_value(vm, r);
    release(vm, r);
    return exact;
}

bool ou_index_i64(VM *vm, Value v, int64_t *out)
{
    if (is_small(v)) {
        *out = v_small(v);
        return true;
    }
    Value i = ou_index(vm, v);
    if (i == V_NULL)
        return false;
    bool ok = ou_int_fits_i64(vm, i, out);
    release(vm, i);
    if (!ok)
        ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C ssize_t");
    return ok;
}

bool ou_index_clip(VM *vm, Value v, int64_t *out)
{
    if (is_small(v)) {
        *out = v_small(v);
        return true;
    }
    Value i = ou_index(vm, v);
    if (i == V_NULL)
        return false;
    if (!ou_int_fits_i64(vm, i, out))
        *out = ou_int_sign(vm, i) < 0 ? INT64_MIN : INT64_MAX;
    release(vm, i);
    return true;
}

bool ou_float_result(VM *vm, Value x, Value v, double *out)
{
    if (!ou_is_floatlike(vm, v)) {
        ou_raise(vm, E_TYPE, "%T.__float__ returned non-float (type %T)", x, v);
        return false;
    }
    *out = ou_float_of(vm, v);
    return is_float(v) || ou_warn(vm, E_DEPRECATION_WARNING, 1,
                                  "%T.__float__ returned non-float (type %T).  The ability to return an instance of a strict "
                                  "subclass of float is deprecated, and may be removed in a future version of Python.",
                                  x, v);
}

bool ou_to_double(VM *vm, Value v, double *out)
{
    if (is_float(v)) {
        *out = v_double(v);
        return true;
    }
    if (is_small(v)) {
        *out = (double)v_small(v);
        return true;
    }
    if (ou_is_floatlike(vm, v)) {
        *out = ou_float_of(vm, v);
        return true;
    }
    Type *t = ou_type_of(vm, v);
    if (t->slots.to_float && !ou_is_intlike(vm, v)) {
        Value r = t->slots.to_float(vm, v);
        if (r == V_NULL)
            return false;
        bool ok = ou_float_result(vm, v, r, out);
        release(vm, r);
        return ok;
    }
    if (!t->slots.to_index && !ou_is_intlike(vm, v)) {
        ou_raise(vm, E_TYPE, "must be real number, not %T", v);
        return false;
    }
    Value i = ou_index(vm, v);
    if (i == V_NULL)
        return false;
    bool overflow = false;
    *out = ou_int_double(vm, i, &overflow);
    release(vm, i);
    if (overflow)
        ou_raise(vm, E_OVERFLOW, "int too large to convert to float");
    return !overflow;
}
