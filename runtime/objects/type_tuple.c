/* tuple: an immutable row of values in one block. Also the helpers that all sequences share (containers_impl.h).
 * The empty tuple is one object per VM (vm->empty_tuple). The hash is CPython's xxHash variant: the order of sets of tuples
 * can be seen by scripts. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers.h"

/* ---- shared by sequences ------------------------------------------------------------------------------------------ */

int ou_repr_enter(VM *vm, ReprGuard *g, Value o)
{
    for (ReprGuard *p = vm->thread->repr_active; p; p = p->prev)
        if (p->o == v_obj(o)) return 0;
    if (ou_c_deep(vm)) {
        ou_raise_recursion(vm, " while getting the repr of an object");
        return -1;
    }
    vm->c_depth++;
    g->o = v_obj(o);
    g->prev = vm->thread->repr_active;
    vm->thread->repr_active = g;
    return 1;
}

void ou_repr_leave(VM *vm, ReprGuard *g)
{
    vm->c_depth--;
    vm->thread->repr_active = g->prev;
}

int ou_seq_key(VM *vm, Value key, const char *name, int64_t *i)
{
    if (is_small(key)) {
        *i = v_small(key);
        return 1;
    }
    if (is_exact(key, T_SLICE)) return 2;
    if (!ou_type_of(vm, key)->slots.to_index) {
        ou_raise(vm, E_TYPE, "%s indices must be integers or slices, not %T", name, key);
        return 0;
    }
    Value v = ou_index(vm, key);
    if (v == V_NULL) return 0;
    bool fits = ou_int_fits_i64(vm, v, i);
    release(vm, v);
    if (!fits) ou_raise(vm, E_INDEX, "cannot fit '%T' into an index-sized integer", key);
    return fits;
}

static bool bound_index(VM *vm, Value v, int64_t *out)
{
    if (is_small(v) || ou_type_of(vm, v)->slots.to_index) return ou_index_clip(vm, v, out);
    return ou_raise(vm, E_TYPE, "slice indices must be integers or have an __index__ method"), false;
}

static int64_t clip_bound(int64_t i, int64_t len)
{
    if (i < 0) i += len;
    return i < 0 ? 0 : i;
}

bool ou_seq_bounds(VM *vm, Value start, Value stop, int64_t len, int64_t *from, int64_t *to)
{
    int64_t i;
    if (start != V_NULL) {
        if (!bound_index(vm, start, &i)) return false;
        *from = clip_bound(i, len);
    }
    if (stop != V_NULL) {
        if (!bound_index(vm, stop, &i)) return false;
        *to = clip_bound(i, len);
    }
    return true;
}

Value ou_seq_concat_other(VM *vm, Value seq, Value other, const char *name)
{
    Value (*f)(VM *, Value, Value) = ou_type_of(vm, other)->slots.binary[BIN_ADD];
    if (f && f != ou_type_of(vm, seq)->slots.binary[BIN_ADD]) {
        Value r = f(vm, seq, other);
        if (r != V_NOTIMPL) return r;
    }
    return ou_raise(vm, E_TYPE, "can only concatenate %s (not \"%T\") to %s", name, other, name);
}

int ou_seq_repeat_count(VM *vm, Value seq, Value n, Value a, Value b, int64_t *count, Value *result)
{
    if (is_small(n)) {
        *count = v_small(n) < 0 ? 0 : v_small(n);
        return 1;
    }
    Type *t = ou_type_of(vm, n);
    if (!t->slots.to_index) {
        Value (*f)(VM *, Value, Value) = t->slots.binary[BIN_MUL];
        if (n == b && f && f != ou_type_of(vm, seq)->slots.binary[BIN_MUL]) {
            *result = f(vm, a, b);
            if (*result != V_NOTIMPL) return 2;
        }
        /* What has a * of sequences and stands left is the sequence, the other one the count. */
        bool two = n == a && t->slots.binary[BIN_MUL] &&
                   (t->flags & TF_SEQUENCE || ou_is_a(vm, n, T_STR) || ou_is_a(vm, n, T_BYTES) || ou_is_a(vm, n, T_BYTEARRAY));
        ou_raise(vm, E_TYPE, "can't multiply sequence by non-int of type '%T'", two ? b : n);
        return 0;
    }
    Value v = ou_index(vm, n);
    if (v == V_NULL) return 0;
    bool fits = ou_int_fits_i64(vm, v, count);
    release(vm, v);
    if (!fits) {
        ou_raise(vm, E_OVERFLOW, "cannot fit '%T' into an index-sized integer", n);
        return 0;
    }
    if (*count < 0) *count = 0;
    return 1;
}

Value ou_seq_repr(VM *vm, Value self, Value *const *items, const uint32_t *n, const char *open, const char *close)
{
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, self);
    if (entered < 0) return V_NULL;
    if (!entered) return ou_str_format(vm, "%s...%s", open, close);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, open);
    bool ok = true;
    for (uint32_t i = 0; ok && i < *n; i++) {
        if (i) ou_sb_put(&b, ", ", 2);
        Value v = retain((*items)[i]);
        ok = ou_sb_repr(&b, v);
        release(vm, v);
    }
    ou_repr_leave(vm, &g);
    if (!ok) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    if (*n == 1 && open[0] == '(') ou_sb_putc(&b, ',');
    ou_sb_puts(&b, close);
    return ou_sb_finish(&b);
}

Value ou_class_getitem(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_generic_alias_new(vm, args[0], args[1]);
}

/* ---- making tuples -------------------------------------------------------------------------------------------------- */

/* Tuples are made and dropped all the time, so exact ones do without ou_new. One that leads to nothing the collector looks
 * at (numbers, strings, other such tuples) is never tracked; tracking is the caller's, once the items are there. */
static Tuple *alloc_exact(VM *vm, size_t n)
{
    char *p = n > UINT32_MAX ? NULL : ou_alloc(&vm->heap, sizeof(GcHead) + sizeof(Tuple) + n * sizeof(Value));
    if (!p) {
        ou_raise_memory(vm);
        return NULL;
    }
    memset(p, 0, sizeof(GcHead));
    Tuple *t = (Tuple *)(void *)(p + sizeof(GcHead));
    t->h.refs = 1;
    t->h.shape = T_TUPLE;
    t->n = (uint32_t)n;
    t->hash = 0;
    vm->objects_alive++;
    return t;
}

static bool leads_somewhere(VM *vm, const Value *items, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_obj(items[i])) continue;
        Obj *o = v_obj(items[i]);
        if (o->shape == T_STR || o->shape == T_INT) continue;
        if (o->shape == T_TUPLE ? gc_head(o)->next != NULL : (vm->shapes[o->shape]->type->flags & TF_GC) != 0) return true;
    }
    return false;
}

static Tuple *alloc_tuple(VM *vm, Type *cls, size_t n)
{
    if (n > UINT32_MAX) {
        ou_raise_memory(vm);
        return NULL;
    }
    Tuple *t = ou_new(vm, cls, n * sizeof(Value));
    if (t) t->n = (uint32_t)n;
    return t;
}

static Value empty(VM *vm)
{
    if (vm->empty_tuple == V_NULL) {
        Tuple *t = alloc_exact(vm, 0);
        if (!t) return V_NULL;
        vm->empty_tuple = v_of(t);
    }
    return retain(vm->empty_tuple);
}

Value ou_tuple_new(VM *vm, size_t n)
{
    if (n == 0) return empty(vm);
    Tuple *t = alloc_exact(vm, n);
    if (!t) return V_NULL;
    for (size_t i = 0; i < n; i++) t->items[i] = V_NONE;
    ou_gc_track(vm, &t->h);
    return v_of(t);
}

Value ou_tuple_of(VM *vm, const Value *items, size_t n)
{
    if (n == 0) return empty(vm);
    Tuple *t = alloc_exact(vm, n);
    if (!t) return V_NULL;
    for (size_t i = 0; i < n; i++) t->items[i] = retain(items[i]);
    if (leads_somewhere(vm, items, n)) ou_gc_track(vm, &t->h);
    return v_of(t);
}

Value ou_tuple_take(VM *vm, Value *items, size_t n)
{
    if (n == 0) return empty(vm);
    Tuple *t = alloc_exact(vm, n);
    if (!t) {
        for (size_t i = 0; i < n; i++) release(vm, items[i]);
        return V_NULL;
    }
    memcpy(t->items, items, n * sizeof(Value));
    if (leads_somewhere(vm, items, n)) ou_gc_track(vm, &t->h);
    return v_of(t);
}

Value ou_tuple_slice(VM *vm, Tuple *t, size_t from, size_t to)
{
    if (from == 0 && to >= t->n && is_exact(v_of(t), T_TUPLE)) return retain(v_of(t));
    if (to > t->n) to = t->n;
    return ou_tuple_of(vm, t->items + from, from < to ? to - from : 0);
}

Value ou_tuple_from(VM *vm, Value iterable)
{
    if (is_exact(iterable, T_TUPLE)) return retain(iterable);
    if (is_exact(iterable, T_LIST)) return ou_tuple_of(vm, as_list(iterable)->items, as_list(iterable)->n);
    Value l = ou_list_from(vm, iterable);
    if (l == V_NULL) return V_NULL;
    Value t = ou_tuple_of(vm, as_list(l)->items, as_list(l)->n);
    release(vm, l);
    return t;
}

static Value tuple_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && cls->slots.init == vm->types[T_TUPLE]->slots.init) {
        ou_no_kw(vm, "tuple", kwnames);
        return V_NULL;
    }
    if (!ou_arg_count(vm, "tuple", n, 0, 1)) return V_NULL;
    Value t = n ? ou_tuple_from(vm, args[0]) : empty(vm);
    if (t == V_NULL || cls == vm->types[T_TUPLE]) return t;
    Tuple *own = alloc_tuple(vm, cls, as_tuple(t)->n);
    if (own)
        for (uint32_t i = 0; i < own->n; i++) own->items[i] = retain(as_tuple(t)->items[i]);
    release(vm, t);
    return v_of(own);
}

static void tuple_dealloc(VM *vm, Obj *o)
{
    Tuple *t = (Tuple *)o;
    size_t extra = t->n * sizeof(Value);
    for (uint32_t i = t->n; i-- > 0;) xrelease(vm, t->items[i]); /* the last one first, as lists do */
    if (o->shape == T_TUPLE) {
        if (gc_head(o)->next) ou_gc_untrack(vm, o);
        vm->objects_alive--;
        ou_free(&vm->heap, gc_head(o), sizeof(GcHead) + sizeof(Tuple) + extra);
        return;
    }
    ou_finish_dealloc(vm, o, extra);
}

static void tuple_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Tuple *t = (Tuple *)o;
    for (uint32_t i = 0; i < t->n; i++) ou_visit(vm, t->items[i], visit, arg);
}

/* ---- operations ------------------------------------------------------------------------------------------------------ */

static Value tuple_repr(VM *vm, Value self)
{
    Tuple *t = as_tuple(self);
    Value *items = t->items;
    return ou_seq_repr(vm, self, &items, &t->n, "(", ")");
}

static inline uint64_t rotl(uint64_t x, int k) { return x << k | x >> (64 - k); }

static bool tuple_hash(VM *vm, Value self, int64_t *out)
{
    Tuple *t = as_tuple(self);
    if (t->hash) {
        *out = t->hash;
        return true;
    }
    const uint64_t p1 = UINT64_C(11400714785074694791), p2 = UINT64_C(14029467366897019727),
                   p5 = UINT64_C(2870177450012600261);
    uint64_t acc = p5;
    for (uint32_t i = 0; i < t->n; i++) {
        int64_t lane;
        if (!ou_hash(vm, t->items[i], &lane)) return false;
        acc = rotl(acc + (uint64_t)lane * p2, 31) * p1;
    }
    acc += t->n ^ (p5 ^ UINT64_C(3527539));
    *out = acc == UINT64_MAX ? 1546275796 : (int64_t)acc;
    t->hash = *out;
    return true;
}

bool ou_order_holds(int64_t a, int64_t b, CmpOp op)
{
    switch (op) {
    case CMP_LT: return a < b;
    case CMP_LE: return a <= b;
    case CMP_EQ: return a == b;
    case CMP_NE: return a != b;
    case CMP_GT: return a > b;
    default: return a >= b;
    }
}

static Value tuple_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!is_a_fast(vm, a, T_TUPLE) || !is_a_fast(vm, b, T_TUPLE)) return V_NOTIMPL;
    Tuple *x = as_tuple(a), *y = as_tuple(b);
    if (ou_c_deep(vm)) return ou_raise_recursion(vm, " in comparison");
    vm->c_depth++;
    uint32_t i = 0;
    Value r;
    for (; i < x->n && i < y->n; i++) {
        if (x->items[i] == y->items[i] && (is_small(x->items[i]) || is_obj(x->items[i]))) continue;
        int eq = ou_eq(vm, x->items[i], y->items[i]);
        if (eq < 0) {
            r = V_NULL;
            goto done;
        }
        if (!eq) break;
    }
    if (i >= x->n || i >= y->n) r = v_bool(ou_order_holds(x->n, y->n, op));
    else if (op == CMP_EQ || op == CMP_NE) r = v_bool(op == CMP_NE);
    else r = ou_compare(vm, x->items[i], y->items[i], op);
done:
    vm->c_depth--;
    return r;
}

static int64_t tuple_len(VM *vm, Value self)
{
    (void)vm;
    return as_tuple(self)->n;
}

static Value tuple_getitem(VM *vm, Value self, Value key)
{
    Tuple *t = as_tuple(self);
    int64_t i;
    int kind = ou_seq_key(vm, key, "tuple", &i);
    if (kind == 0) return V_NULL;
    if (kind == 1) {
        if (i < 0) i += t->n;
        if (i < 0 || i >= t->n) return ou_raise(vm, E_INDEX, "tuple index out of range");
        return retain(t->items[i]);
    }
    int64_t start, stop, step, count;
    if (!ou_slice_unpack(vm, key, t->n, &start, &stop, &step, &count)) return V_NULL;
    if (step == 1) return ou_tuple_slice(vm, t, (size_t)start, (size_t)(start + count));
    Value r = ou_tuple_new(vm, (size_t)count);
    if (r == V_NULL) return V_NULL;
    for (int64_t k = 0; k < count; k++, start += step) as_tuple(r)->items[k] = retain(t->items[start]);
    return r;
}

static int tuple_contains(VM *vm, Value self, Value x)
{
    Tuple *t = as_tuple(self);
    for (uint32_t i = 0; i < t->n; i++) {
        int eq = ou_eq(vm, t->items[i], x);
        if (eq) return eq;
    }
    return 0;
}

static Value tuple_add(VM *vm, Value a, Value b)
{
    if (!is_a_fast(vm, a, T_TUPLE)) return V_NOTIMPL;
    if (!is_a_fast(vm, b, T_TUPLE)) return ou_seq_concat_other(vm, a, b, "tuple");
    Tuple *x = as_tuple(a), *y = as_tuple(b);
    if (y->n == 0 && is_exact(a, T_TUPLE)) return retain(a);
    if (x->n == 0 && is_exact(b, T_TUPLE)) return retain(b);
    if (x->n + y->n == 0) return empty(vm);
    Tuple *r = alloc_exact(vm, (size_t)x->n + y->n);
    if (!r) return V_NULL;
    for (uint32_t i = 0; i < x->n; i++) r->items[i] = retain(x->items[i]);
    for (uint32_t i = 0; i < y->n; i++) r->items[x->n + i] = retain(y->items[i]);
    if (leads_somewhere(vm, r->items, r->n)) ou_gc_track(vm, &r->h);
    return v_of(r);
}

static Value tuple_mul(VM *vm, Value a, Value b)
{
    Value seq = is_a_fast(vm, a, T_TUPLE) ? a : b, result;
    Tuple *t = as_tuple(seq);
    int64_t count;
    int got = ou_seq_repeat_count(vm, seq, seq == a ? b : a, a, b, &count, &result);
    if (got != 1) return got ? result : V_NULL;
    if (count == 1 && is_exact(seq, T_TUPLE)) return retain(seq);
    if (count == 0 || t->n == 0) return empty(vm);
    if (count > UINT32_MAX / t->n) return ou_raise_memory(vm);
    Tuple *r = alloc_exact(vm, (size_t)count * t->n);
    if (!r) return V_NULL;
    ou_gc_track(vm, &r->h);
    for (uint32_t i = 0, k = 0; i < r->n; i++, k = k + 1 == t->n ? 0 : k + 1) r->items[i] = retain(t->items[k]);
    return v_of(r);
}

static Value tuple_index(VM *vm, const Value *args, int n)
{
    Tuple *t = as_tuple(args[0]);
    int64_t from = 0, to = t->n;
    if (!ou_seq_bounds(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, t->n, &from, &to)) return V_NULL;
    for (int64_t i = from; i < to && i < t->n; i++) {
        int eq = ou_eq(vm, t->items[i], args[1]);
        if (eq < 0) return V_NULL;
        if (eq) return v_smallint(i);
    }
    return ou_raise(vm, E_VALUE, "tuple.index(x): x not in tuple");
}

static Value tuple_count(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *t = as_tuple(args[0]);
    int64_t count = 0;
    for (uint32_t i = 0; i < t->n; i++) {
        int eq = ou_eq(vm, t->items[i], args[1]);
        if (eq < 0) return V_NULL;
        count += eq;
    }
    return v_smallint(count);
}

static Value tuple_getnewargs(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *t = as_tuple(args[0]);
    Value own = ou_tuple_of(vm, t->items, t->n);
    return own == V_NULL ? V_NULL : ou_tuple_take(vm, &own, 1);
}

static Value tuple_iter(VM *vm, Value self)
{
    return ou_seqiter_new(vm, T_TUPLE_ITER, self, 0);
}

static Value tuple_iter_next(VM *vm, Value self)
{
    SeqIter *it = (SeqIter *)v_obj(self);
    if (it->seq == V_NULL) return V_NULL;
    Tuple *t = as_tuple(it->seq);
    if (it->index < t->n) return retain(t->items[it->index++]);
    set_owned(vm, &it->seq, V_NULL);
    return V_NULL;
}

static const NativeDef tuple_methods[] = {
    {"index(value, start=0, stop=sys.maxsize, /)", tuple_index, "Return first index of value.\n\nRaises ValueError if the value is not present.", 0},
    {"count(value, /)", tuple_count, "Return number of occurrences of value.", 0},
    {"__getnewargs__()", tuple_getnewargs, NULL, 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};

const TypeDef ou_type_tuple = {
    .name = "tuple",
    .size = sizeof(Tuple),
    .flags = TF_GC | TF_BASE | TF_SEQUENCE | TF_MATCH_SELF,
    .slots = {.make = tuple_make,
              .dealloc = tuple_dealloc,
              .traverse = tuple_traverse,
              .repr = tuple_repr,
              .hash = tuple_hash,
              .compare = tuple_compare,
              .len = tuple_len,
              .getitem = tuple_getitem,
              .contains = tuple_contains,
              .iter = tuple_iter,
              .binary = {[BIN_ADD] = tuple_add, [BIN_MUL] = tuple_mul}},
    .methods = tuple_methods,
    .doc = "Built-in immutable sequence.\n\nIf no argument is given, the constructor returns an empty tuple.\n"
           "If iterable is specified the tuple is initialized from iterable's items.\n\n"
           "If the argument is a tuple, the return value is the same object.",
    .new_sig = "(iterable=(), /)"};

/* ---- iterators over list, tuple and anything with __getitem__ share the struct (type_iters.c, type_list.c) ----------- */

static Value tuple_iter_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    SeqIter *it = (SeqIter *)v_obj(args[0]);
    return v_smallint(it->seq == V_NULL ? 0 : as_tuple(it->seq)->n - it->index);
}

static const NativeDef tuple_iter_methods[] = {
    {"__length_hint__()", tuple_iter_hint, "Private method returning an estimate of len(list(it)).", 0},
    SEQITER_METHODS,
    {0}};

const TypeDef ou_type_tuple_iter = {.name = "tuple_iterator",
                                    .size = sizeof(SeqIter),
                                    .flags = TF_GC | TF_NO_NEW,
                                    .slots = {.dealloc = ou_seqiter_dealloc,
                                              .traverse = ou_seqiter_traverse,
                                              .iter = ou_iter_self,
                                              .next = tuple_iter_next},
                                    .methods = tuple_iter_methods};
