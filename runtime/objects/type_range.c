/* range: start, stop, step and length as ints of any size. Iteration within small ints has an iterator of its own (RangeIter),
 * which the evaluator's for loops read directly. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

typedef struct LongRangeIter {
    Obj h;
    Value next, step, left;
} LongRangeIter;

static Range *as_range(Value v) { return (Range *)v_obj(v); }

static Value zero(void) { return v_smallint(0); }

/* The number of steps from start to stop. */
static Value count_steps(VM *vm, Value start, Value stop, Value step)
{
    if (is_small(start) && is_small(stop) && is_small(step)) {
        int64_t a = v_small(start), b = v_small(stop), s = v_small(step);
        if (s > 0) return ou_int(vm, a < b ? (b - a - 1) / s + 1 : 0);
        return ou_int(vm, a > b ? (a - b - 1) / -s + 1 : 0);
    }
    bool up = ou_int_sign(vm, step) > 0;
    Value lo = up ? start : stop, hi = up ? stop : start;
    if (ou_int_compare(vm, lo, hi) >= 0) return zero();
    Value span = ou_int_op(vm, BIN_SUB, hi, lo);
    Value last = span == V_NULL ? V_NULL : ou_int_op(vm, BIN_SUB, span, v_smallint(1));
    xrelease(vm, span);
    Value size = up ? retain(step) : ou_int_neg(vm, step);
    Value q = last == V_NULL || size == V_NULL ? V_NULL : ou_int_op(vm, BIN_FLOORDIV, last, size);
    xrelease(vm, last);
    xrelease(vm, size);
    Value r = q == V_NULL ? V_NULL : ou_int_op(vm, BIN_ADD, q, v_smallint(1));
    xrelease(vm, q);
    return r;
}

/* Takes the three ints over. */
static Value make_range(VM *vm, Value start, Value stop, Value step)
{
    Value length = start == V_NULL || stop == V_NULL || step == V_NULL ? V_NULL : count_steps(vm, start, stop, step);
    Range *r = length == V_NULL ? NULL : ou_new(vm, vm->types[T_RANGE], 0);
    if (!r) {
        xrelease(vm, start), xrelease(vm, stop), xrelease(vm, step), xrelease(vm, length);
        return V_NULL;
    }
    r->start = start;
    r->stop = stop;
    r->step = step;
    r->length = length;
    return v_of(r);
}

static Value range_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    if (kw_given(kwnames) && !ou_no_kw(vm, "range", kwnames)) return V_NULL;
    if (n == 0) return ou_raise(vm, E_TYPE, "range expected at least 1 argument, got 0");
    if (n > 3) return ou_raise(vm, E_TYPE, "range expected at most 3 arguments, got %d", n);
    Value a[3] = {zero(), V_NULL, v_smallint(1)};
    for (int i = 0; i < n; i++) {
        int at = n == 1 ? 1 : i;
        a[at] = ou_index(vm, args[i]);
        if (a[at] == V_NULL) {
            for (int k = 0; k < i; k++) release(vm, a[k]);
            return V_NULL;
        }
    }
    if (ou_int_sign(vm, a[2]) == 0) {
        for (int k = 0; k < 3; k++) release(vm, a[k]);
        return ou_raise(vm, E_VALUE, "range() arg 3 must not be zero");
    }
    return make_range(vm, a[0], a[1], a[2]);
}

static void range_dealloc(VM *vm, Obj *o)
{
    Range *r = (Range *)o;
    xrelease(vm, r->start), xrelease(vm, r->stop), xrelease(vm, r->step), xrelease(vm, r->length);
    ou_finish_dealloc(vm, o, 0);
}

static Value range_repr(VM *vm, Value self)
{
    Range *r = as_range(self);
    if (r->step == v_smallint(1)) return ou_str_format(vm, "range(%R, %R)", r->start, r->stop);
    return ou_str_format(vm, "range(%R, %R, %R)", r->start, r->stop, r->step);
}

/* start + i * step for 0 <= i < length */
static Value item(VM *vm, Value start, Value step, Value i)
{
    if (is_small(start) && is_small(step) && is_small(i)) {
        int64_t m;
        if (!__builtin_mul_overflow(v_small(i), v_small(step), &m) && !__builtin_add_overflow(m, v_small(start), &m))
            return ou_int(vm, m);
    }
    Value m = ou_int_op(vm, BIN_MUL, i, step);
    Value r = m == V_NULL ? V_NULL : ou_int_op(vm, BIN_ADD, start, m);
    xrelease(vm, m);
    return r;
}

static int64_t range_len(VM *vm, Value self)
{
    int64_t n;
    if (ou_int_fits_i64(vm, as_range(self)->length, &n)) return n;
    ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C ssize_t");
    return -1;
}

static int range_truth(VM *vm, Value self)
{
    (void)vm;
    return as_range(self)->length != zero();
}

static Value slice_part(VM *vm, Value v)
{
    if (is_small(v)) return v;
    if (ou_type_of(vm, v)->slots.to_index) return ou_index(vm, v);
    return ou_raise(vm, E_TYPE, "slice indices must be integers or None or have an __index__ method");
}

bool ou_slice_long_indices(VM *vm, Slice *s, Value length, Value out[3])
{
    Value step = s->step == V_NONE ? v_smallint(1) : slice_part(vm, s->step);
    if (step == V_NULL) return false;
    int sign = ou_int_sign(vm, step);
    if (sign == 0) {
        ou_raise(vm, E_VALUE, "slice step cannot be zero");
        return false;
    }
    Value lower = sign < 0 ? v_smallint(-1) : zero();
    Value upper = sign < 0 ? ou_int_op(vm, BIN_SUB, length, v_smallint(1)) : retain(length);
    Value given[2] = {s->start, s->stop};
    out[0] = out[1] = V_NULL;
    out[2] = step;
    bool ok = upper != V_NULL;
    for (int i = 0; ok && i < 2; i++) {
        if (given[i] == V_NONE) {
            out[i] = retain((i == 0) == (sign < 0) ? upper : lower);
            continue;
        }
        Value v = slice_part(vm, given[i]);
        if (v != V_NULL && ou_int_sign(vm, v) < 0) {
            Value w = ou_int_op(vm, BIN_ADD, v, length);
            release(vm, v);
            v = w;
            if (v != V_NULL && ou_int_compare(vm, v, lower) < 0) {
                release(vm, v);
                v = lower;
            }
        } else if (v != V_NULL && ou_int_compare(vm, v, upper) > 0) {
            release(vm, v);
            v = retain(upper);
        }
        out[i] = v;
        ok = v != V_NULL;
    }
    xrelease(vm, upper);
    if (!ok)
        for (int i = 0; i < 3; i++) xrelease(vm, out[i]);
    return ok;
}

static Value range_getitem(VM *vm, Value self, Value key)
{
    Range *r = as_range(self);
    if (is_exact(key, T_SLICE)) {
        Value idx[3];
        if (!ou_slice_long_indices(vm, (Slice *)v_obj(key), r->length, idx)) return V_NULL;
        Value start = item(vm, r->start, r->step, idx[0]), stop = item(vm, r->start, r->step, idx[1]);
        Value step = ou_int_op(vm, BIN_MUL, r->step, idx[2]);
        for (int i = 0; i < 3; i++) release(vm, idx[i]);
        return make_range(vm, start, stop, step);
    }
    if (!is_small(key) && !ou_type_of(vm, key)->slots.to_index)
        return ou_raise(vm, E_TYPE, "range indices must be integers or slices, not %T", key);
    Value i = ou_index(vm, key);
    if (i == V_NULL) return V_NULL;
    if (ou_int_sign(vm, i) < 0) {
        Value w = ou_int_op(vm, BIN_ADD, i, r->length);
        release(vm, i);
        if (w == V_NULL) return V_NULL;
        i = w;
    }
    Value v = V_NULL;
    if (ou_int_sign(vm, i) < 0 || ou_int_compare(vm, i, r->length) >= 0) ou_raise(vm, E_INDEX, "range object index out of range");
    else v = item(vm, r->start, r->step, i);
    release(vm, i);
    return v;
}

/* The position of the int x, owned; V_NULL without an exception: it is not in r. */
static Value position(VM *vm, Range *r, Value x)
{
    bool up = ou_int_sign(vm, r->step) > 0;
    if (up ? ou_int_compare(vm, x, r->start) < 0 || ou_int_compare(vm, x, r->stop) >= 0
           : ou_int_compare(vm, x, r->start) > 0 || ou_int_compare(vm, x, r->stop) <= 0)
        return V_NULL;
    Value off = ou_int_op(vm, BIN_SUB, x, r->start);
    Value rest = off == V_NULL ? V_NULL : ou_int_op(vm, BIN_MOD, off, r->step);
    Value q = V_NULL;
    if (rest != V_NULL && ou_int_sign(vm, rest) == 0) q = ou_int_op(vm, BIN_FLOORDIV, off, r->step);
    xrelease(vm, off);
    xrelease(vm, rest);
    return q;
}

static bool is_plain_int(Value v) { return is_int(v) || is_bool(v); }

static int range_contains(VM *vm, Value self, Value x)
{
    if (is_plain_int(x)) {
        Value p = position(vm, as_range(self), x);
        if (p == V_NULL) return vm->exc ? -1 : 0;
        release(vm, p);
        return 1;
    }
    Value it = ou_iter(vm, self);
    int r = it == V_NULL ? -1 : 0;
    while (r == 0) {
        Value v = ou_next(vm, it);
        if (v == V_NULL) {
            if (vm->exc) r = -1;
            break;
        }
        r = ou_eq(vm, v, x);
        release(vm, v);
    }
    xrelease(vm, it);
    return r;
}

static Value range_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if ((op != CMP_EQ && op != CMP_NE) || !is_exact(a, T_RANGE) || !is_exact(b, T_RANGE)) return V_NOTIMPL;
    Range *x = as_range(a), *y = as_range(b);
    bool eq = ou_int_compare(vm, x->length, y->length) == 0;
    if (eq && x->length != zero()) {
        eq = ou_int_compare(vm, x->start, y->start) == 0;
        if (eq && x->length != v_smallint(1)) eq = ou_int_compare(vm, x->step, y->step) == 0;
    }
    return v_bool(eq == (op == CMP_EQ));
}

static bool range_hash(VM *vm, Value self, int64_t *out)
{
    Range *r = as_range(self);
    Value parts[3] = {r->length, V_NONE, V_NONE};
    if (r->length != zero()) {
        parts[1] = r->start;
        if (r->length != v_smallint(1)) parts[2] = r->step;
    }
    Value t = ou_tuple_of(vm, parts, 3);
    bool ok = t != V_NULL && ou_hash(vm, t, out);
    xrelease(vm, t);
    return ok;
}

/* An iterator over start, start + step ... of `length` items; takes the values over. */
static Value iterate(VM *vm, Value start, Value step, Value length)
{
    if (start == V_NULL || step == V_NULL || length == V_NULL) {
        xrelease(vm, start), xrelease(vm, step), xrelease(vm, length);
        return V_NULL;
    }
    int64_t last;
    if (is_small(start) && is_small(step) && is_small(length) &&
        !__builtin_mul_overflow(v_small(step), v_small(length), &last) &&
        !__builtin_add_overflow(last, v_small(start), &last) && fits_small(last)) {
        RangeIter *it = ou_new(vm, vm->types[T_RANGE_ITER], 0);
        if (!it) return V_NULL;
        it->next = v_small(start);
        it->step = v_small(step);
        it->left = (uint64_t)v_small(length);
        return v_of(it);
    }
    LongRangeIter *it = ou_new(vm, vm->types[T_LONGRANGE_ITER], 0);
    if (!it) {
        release(vm, start), release(vm, step), release(vm, length);
        return V_NULL;
    }
    it->next = start;
    it->step = step;
    it->left = length;
    return v_of(it);
}

static Value range_iter(VM *vm, Value self)
{
    Range *r = as_range(self);
    return iterate(vm, retain(r->start), retain(r->step), retain(r->length));
}

static Value range_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    Range *r = as_range(args[0]);
    Value last = ou_int_op(vm, BIN_SUB, r->length, v_smallint(1));
    Value start = last == V_NULL ? V_NULL : item(vm, r->start, r->step, last);
    xrelease(vm, last);
    return iterate(vm, start, ou_int_neg(vm, r->step), retain(r->length));
}

static Value range_count(VM *vm, const Value *args, int n)
{
    (void)n;
    if (is_plain_int(args[1])) {
        int has = range_contains(vm, args[0], args[1]);
        return has < 0 ? V_NULL : v_smallint(has);
    }
    Value it = ou_iter(vm, args[0]);
    int64_t count = 0;
    while (it != V_NULL) {
        Value v = ou_next(vm, it);
        if (v == V_NULL) break;
        int eq = ou_eq(vm, v, args[1]);
        release(vm, v);
        if (eq < 0) break;
        count += eq;
    }
    xrelease(vm, it);
    return vm->exc ? V_NULL : v_smallint(count);
}

static Value range_index(VM *vm, const Value *args, int n)
{
    (void)n;
    if (is_plain_int(args[1])) {
        Value p = position(vm, as_range(args[0]), args[1]);
        if (p != V_NULL || vm->exc) return p;
    } else {
        Value it = ou_iter(vm, args[0]);
        for (int64_t i = 0; it != V_NULL; i++) {
            Value v = ou_next(vm, it);
            if (v == V_NULL) break;
            int eq = ou_eq(vm, v, args[1]);
            release(vm, v);
            if (eq < 0) break;
            if (eq) {
                release(vm, it);
                return v_smallint(i);
            }
        }
        xrelease(vm, it);
        if (vm->exc) return V_NULL;
        return ou_raise(vm, E_VALUE, "sequence.index(x): x not in sequence");
    }
    return ou_raise(vm, E_VALUE, "%R is not in range", args[1]);
}

static Value get_start(VM *vm, Value self)
{
    (void)vm;
    return retain(as_range(self)->start);
}
static Value get_stop(VM *vm, Value self)
{
    (void)vm;
    return retain(as_range(self)->stop);
}
static Value get_step(VM *vm, Value self)
{
    (void)vm;
    return retain(as_range(self)->step);
}

static Value range_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Range *r = as_range(args[0]);
    Value parts[3] = {r->start, r->stop, r->step};
    Value t = ou_tuple_of(vm, parts, 3);
    if (t == V_NULL) return V_NULL;
    Value pair[2] = {retain(v_of(vm->types[T_RANGE])), t};
    return ou_tuple_take(vm, pair, 2);
}

static const NativeDef range_methods[] = {
    {"count(value, /)", range_count, "rangeobject.count(value) -> integer -- return number of occurrences of value", 0},
    {"index(value, /)", range_index, "rangeobject.index(value) -> integer -- return index of value.\nRaise ValueError if the value is not present.", 0},
    {"__reversed__()", range_reversed, "Return a reverse iterator.", 0},
    {"__reduce__()", range_reduce, NULL, 0},
    {0}};
static const GetSetDef range_getset[] = {
    {"start", get_start, NULL, NULL}, {"stop", get_stop, NULL, NULL}, {"step", get_step, NULL, NULL}, {0}};

const TypeDef ou_type_range = {
    .name = "range",
    .size = sizeof(Range),
    .flags = TF_SEQUENCE,
    .slots = {.make = range_make,
              .dealloc = range_dealloc,
              .repr = range_repr,
              .hash = range_hash,
              .compare = range_compare,
              .truth = range_truth,
              .len = range_len,
              .getitem = range_getitem,
              .contains = range_contains,
              .iter = range_iter},
    .methods = range_methods,
    .getset = range_getset,
    .doc = "range(stop) -> range object\nrange(start, stop[, step]) -> range object\n\n"
           "Return an object that produces a sequence of integers from start (inclusive)\n"
           "to stop (exclusive) by step."};

/* ---- iterators ------------------------------------------------------------------------------------------------------------ */

static Value range_iter_next(VM *vm, Value self)
{
    (void)vm;
    RangeIter *it = (RangeIter *)v_obj(self);
    if (!it->left) return V_NULL;
    it->left--;
    Value v = v_smallint(it->next);
    it->next += it->step;
    return v;
}
static Value range_iter_hint(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_int_u64(vm, ((RangeIter *)v_obj(args[0]))->left);
}
static Value range_iter_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    RangeIter *it = (RangeIter *)v_obj(args[0]);
    Value r = make_range(vm, ou_int(vm, it->next), ou_int(vm, it->next + it->step * (int64_t)it->left), ou_int(vm, it->step));
    if (r == V_NULL) return V_NULL;
    Value a = ou_tuple_take(vm, &r, 1), fn = ou_dict_get_c(vm, vm->builtins, "iter");
    if (a == V_NULL || fn == V_NULL) return V_NULL;
    Value parts[3] = {retain(fn), a, V_NONE};
    return ou_tuple_take(vm, parts, 3);
}
static Value range_iter_setstate(VM *vm, const Value *args, int n)
{
    (void)n;
    RangeIter *it = (RangeIter *)v_obj(args[0]);
    int64_t i;
    if (!ou_index_i64(vm, args[1], &i)) return V_NULL;
    uint64_t skip = i < 0 ? 0 : (uint64_t)i < it->left ? (uint64_t)i : it->left;
    it->next += it->step * (int64_t)skip;
    it->left -= skip;
    return V_NONE;
}

static const NativeDef range_iter_methods[] = {
    {"__length_hint__()", range_iter_hint, "Private method returning an estimate of len(list(it)).", 0},
    {"__reduce__()", range_iter_reduce, "Return state information for pickling.", 0},
    {"__setstate__(object, /)", range_iter_setstate, "Set state information for unpickling.", 0},
    {0}};

const TypeDef ou_type_range_iter = {.name = "range_iterator",
                                    .size = sizeof(RangeIter),
                                    .flags = TF_NO_NEW,
                                    .slots = {.iter = ou_iter_self, .next = range_iter_next},
                                    .methods = range_iter_methods};

static void longrange_dealloc(VM *vm, Obj *o)
{
    LongRangeIter *it = (LongRangeIter *)o;
    xrelease(vm, it->next), xrelease(vm, it->step), xrelease(vm, it->left);
    ou_finish_dealloc(vm, o, 0);
}
static Value longrange_next(VM *vm, Value self)
{
    LongRangeIter *it = (LongRangeIter *)v_obj(self);
    if (ou_int_sign(vm, it->left) <= 0) return V_NULL;
    Value next = ou_int_op(vm, BIN_ADD, it->next, it->step);
    if (next == V_NULL) return V_NULL;
    Value left = ou_int_op(vm, BIN_SUB, it->left, v_smallint(1));
    if (left == V_NULL) {
        release(vm, next);
        return V_NULL;
    }
    set_owned(vm, &it->left, left);
    Value v = it->next;
    it->next = next;
    return v;
}
static Value longrange_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return retain(((LongRangeIter *)v_obj(args[0]))->left);
}
static Value longrange_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    LongRangeIter *it = (LongRangeIter *)v_obj(args[0]);
    Value fn = ou_dict_get_c(vm, vm->builtins, "iter");
    Value span = fn == V_NULL ? V_NULL : ou_int_op(vm, BIN_MUL, it->left, it->step);
    Value stop = span == V_NULL ? V_NULL : ou_int_op(vm, BIN_ADD, it->next, span);
    Value r = stop == V_NULL ? V_NULL : make_range(vm, retain(it->next), stop, retain(it->step));
    Value a = r == V_NULL ? V_NULL : ou_tuple_take(vm, &r, 1);
    xrelease(vm, span);
    if (a == V_NULL) return V_NULL;
    Value parts[3] = {retain(fn), a, V_NONE};
    return ou_tuple_take(vm, parts, 3);
}
static const NativeDef longrange_methods[] = {
    {"__reduce__()", longrange_reduce, "Return state information for pickling.", 0},
    {"__length_hint__()", longrange_hint, "Private method returning an estimate of len(list(it)).", 0}, {0}};

const TypeDef ou_type_longrange_iter = {
    .name = "longrange_iterator",
    .size = sizeof(LongRangeIter),
    .flags = TF_NO_NEW,
    .slots = {.dealloc = longrange_dealloc, .iter = ou_iter_self, .next = longrange_next},
    .methods = longrange_methods};
