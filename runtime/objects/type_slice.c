/* slice: three values, and the one place where a slice meets a length (ou_slice_fit). */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers.h"

static Slice *as_slice(Value v) { return (Slice *)v_obj(v); }

Value ou_slice_new(VM *vm, Value start, Value stop, Value step)
{
    Slice *s = ou_new(vm, vm->types[T_SLICE], 0);
    if (!s) return V_NULL;
    s->start = retain(start);
    s->stop = retain(stop);
    s->step = retain(step);
    return v_of(s);
}

static bool bound(VM *vm, Value v, int64_t *out)
{
    if (is_small(v)) {
        *out = v_small(v);
        return true;
    }
    if (!ou_type_of(vm, v)->slots.to_index)
        return ou_raise(vm, E_TYPE, "slice indices must be integers or None or have an __index__ method"), false;
    return ou_index_clip(vm, v, out);
}

bool ou_slice_bounds(VM *vm, Value slice, int64_t *start, int64_t *stop, int64_t *step)
{
    Slice *s = as_slice(slice);
    *step = 1;
    if (s->step != V_NONE) {
        if (!bound(vm, s->step, step)) return false;
        if (*step == 0) return ou_raise(vm, E_VALUE, "slice step cannot be zero"), false;
        if (*step < -INT64_MAX) *step = -INT64_MAX; /* so that it can be negated */
    }
    bool down = *step < 0;
    *start = down ? INT64_MAX : 0;
    *stop = down ? INT64_MIN : INT64_MAX;
    if (s->start != V_NONE && !bound(vm, s->start, start)) return false;
    return s->stop == V_NONE || bound(vm, s->stop, stop);
}

int64_t ou_slice_fit(int64_t len, int64_t *start, int64_t *stop, int64_t step)
{
    bool down = step < 0;
    if (*start < 0) {
        *start += len;
        if (*start < 0) *start = down ? -1 : 0;
    } else if (*start >= len) {
        *start = down ? len - 1 : len;
    }
    if (*stop < 0) {
        *stop += len;
        if (*stop < 0) *stop = down ? -1 : 0;
    } else if (*stop >= len) {
        *stop = down ? len - 1 : len;
    }
    if (down) return *stop < *start ? (*start - *stop - 1) / -step + 1 : 0;
    return *start < *stop ? (*stop - *start - 1) / step + 1 : 0;
}

bool ou_slice_unpack(VM *vm, Value slice, int64_t len, int64_t *start, int64_t *stop, int64_t *step, int64_t *count)
{
    if (!ou_slice_bounds(vm, slice, start, stop, step)) return false;
    *count = ou_slice_fit(len, start, stop, *step);
    return true;
}

static Value slice_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    if (kw_given(kwnames) && !ou_no_kw(vm, "slice", kwnames)) return V_NULL;
    if (!ou_arg_count(vm, "slice", n, 1, 3)) return V_NULL;
    if (n == 1) return ou_slice_new(vm, V_NONE, args[0], V_NONE);
    return ou_slice_new(vm, args[0], args[1], n > 2 ? args[2] : V_NONE);
}

static void slice_dealloc(VM *vm, Obj *o)
{
    Slice *s = (Slice *)o;
    xrelease(vm, s->step), xrelease(vm, s->start), xrelease(vm, s->stop);
    ou_finish_dealloc(vm, o, 0);
}

static void slice_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Slice *s = (Slice *)o;
    ou_visit(vm, s->start, visit, arg);
    ou_visit(vm, s->stop, visit, arg);
    ou_visit(vm, s->step, visit, arg);
}

static Value slice_repr(VM *vm, Value self)
{
    Slice *s = as_slice(self);
    return ou_str_format(vm, "slice(%R, %R, %R)", s->start, s->stop, s->step);
}

static Value parts(VM *vm, Value self)
{
    Value p[3] = {as_slice(self)->start, as_slice(self)->stop, as_slice(self)->step};
    return ou_tuple_of(vm, p, 3);
}

static Value slice_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!is_exact(a, T_SLICE) || !is_exact(b, T_SLICE)) return V_NOTIMPL;
    Value x = parts(vm, a), y = x == V_NULL ? V_NULL : parts(vm, b);
    Value r = y == V_NULL ? V_NULL : ou_compare(vm, x, y, op);
    xrelease(vm, x);
    xrelease(vm, y);
    return r;
}

static bool slice_hash(VM *vm, Value self, int64_t *out)
{
    Slice *s = as_slice(self);
    Value p[3] = {s->start, s->stop, s->step};
    uint64_t acc = UINT64_C(2870177450012600261);
    for (int i = 0; i < 3; i++) { /* as the tuple's, without its length */
        int64_t lane;
        if (!ou_hash(vm, p[i], &lane)) return false;
        acc += (uint64_t)lane * UINT64_C(14029467366897019727);
        acc = (acc << 31 | acc >> 33) * UINT64_C(11400714785074694791);
    }
    *out = acc == UINT64_MAX ? 1546275796 : (int64_t)acc;
    return true;
}

static Value slice_indices(VM *vm, const Value *args, int n)
{
    (void)n;
    Value len = ou_index(vm, args[1]), r[3];
    if (len == V_NULL) return V_NULL;
    bool ok = ou_int_sign(vm, len) >= 0;
    if (!ok) ou_raise(vm, E_VALUE, "length should not be negative");
    ok = ok && ou_slice_long_indices(vm, as_slice(args[0]), len, r);
    release(vm, len);
    return ok ? ou_tuple_take(vm, r, 3) : V_NULL;
}

static Value slice_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Value t = parts(vm, args[0]);
    if (t == V_NULL) return V_NULL;
    Value pair[2] = {retain(v_of(vm->types[T_SLICE])), t};
    return ou_tuple_take(vm, pair, 2);
}

static Value get_start(VM *vm, Value self)
{
    (void)vm;
    return retain(as_slice(self)->start);
}
static Value get_stop(VM *vm, Value self)
{
    (void)vm;
    return retain(as_slice(self)->stop);
}
static Value get_step(VM *vm, Value self)
{
    (void)vm;
    return retain(as_slice(self)->step);
}

static const NativeDef slice_methods[] = {
    {"indices(len, /)", slice_indices, "S.indices(len) -> (start, stop, stride)\n\nAssuming a sequence of length len, calculate the start and stop\nindices, and the stride length of the extended slice described by\nS. Out of bounds indices are clipped in a manner consistent with the\nhandling of normal slices.", 0},
    {"__reduce__()", slice_reduce, "Return state information for pickling.", 0},
    {0}};
static const GetSetDef slice_getset[] = {
    {"start", get_start, NULL, NULL}, {"stop", get_stop, NULL, NULL}, {"step", get_step, NULL, NULL}, {0}};

const TypeDef ou_type_slice = {.name = "slice",
                               .size = sizeof(Slice),
                               .flags = TF_GC,
                               .slots = {.make = slice_make,
                                         .dealloc = slice_dealloc,
                                         .traverse = slice_traverse,
                                         .repr = slice_repr,
                                         .hash = slice_hash,
                                         .compare = slice_compare},
                               .methods = slice_methods,
                               .getset = slice_getset,
                               .doc = "slice(stop)\nslice(start, stop[, step])\n\nCreate a slice object.  This is used for "
                                      "extended slicing (e.g. a[0:10:2])."};
