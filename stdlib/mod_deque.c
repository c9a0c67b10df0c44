/* collections.deque and its iterators: a ring in one block whose size is a power of two; `state` changes with every change of its
 * length or order, so that iterators notice. Entry points: the three definitions of collections_impl.h. */
#include "runtime/objects/containers_impl.h"
#include "stdlib/collections_impl.h"
#include "vm/call.h"

typedef struct Deque {
    Obj h;
    uint32_t n, cap, head;
    uint32_t state;
    int64_t maxlen; /* -1: none */
    Value *items;
} Deque;

typedef struct DequeIter {
    Obj h;
    Value deque;
    uint32_t state;
    uint32_t left;
    uint32_t at;
} DequeIter;

static bool is_deque(VM *vm, Value v) { return ou_is_native(vm, v, &ou_deque_def); }
static Deque *as_deque(Value v) { return (Deque *)v_obj(v); }

/* ---- the ring --------------------------------------------------------------------------------------------------------- */

static inline Value *slot(const Deque *d, uint32_t i) { return &d->items[(d->head + i) & (d->cap - 1)]; }

static bool grow(VM *vm, Deque *d)
{
    uint32_t cap = d->cap ? d->cap * 2 : 8;
    if (!cap) return ou_raise_memory(vm), false;
    Value *p = ou_alloc(&vm->heap, (size_t)cap * sizeof(Value));
    if (!p) return ou_raise_memory(vm), false;
    for (uint32_t i = 0; i < d->n; i++) p[i] = *slot(d, i);
    ou_free(&vm->heap, d->items, (size_t)d->cap * sizeof(Value));
    d->items = p;
    d->cap = cap;
    d->head = 0;
    return true;
}

static Value take_left(Deque *d)
{
    Value v = *slot(d, 0);
    d->head = (d->head + 1) & (d->cap - 1);
    d->n--;
    d->state++;
    return v;
}
static Value take_right(Deque *d)
{
    d->n--;
    d->state++;
    return *slot(d, d->n);
}

static bool push_right(VM *vm, Deque *d, Value v) /* retains v */
{
    if (d->maxlen == 0) return true;
    if (d->n == d->cap && !grow(vm, d)) return false;
    *slot(d, d->n) = retain(v);
    d->n++;
    d->state++;
    if (d->maxlen >= 0 && d->n > d->maxlen) release(vm, take_left(d));
    return true;
}
static bool push_left(VM *vm, Deque *d, Value v)
{
    if (d->maxlen == 0) return true;
    if (d->n == d->cap && !grow(vm, d)) return false;
    d->head = (d->head - 1) & (d->cap - 1);
    d->n++;
    *slot(d, 0) = retain(v);
    d->state++;
    if (d->maxlen >= 0 && d->n > d->maxlen) release(vm, take_right(d));
    return true;
}

static void clear(VM *vm, Deque *d)
{
    Deque old = *d;
    d->items = NULL;
    d->n = d->cap = d->head = 0;
    d->state++;
    for (uint32_t i = 0; i < old.n; i++) release(vm, *slot(&old, i));
    ou_free(&vm->heap, old.items, (size_t)old.cap * sizeof(Value));
}

static bool extend(VM *vm, Deque *d, Value iterable, bool left)
{
    Value src = iterable, own = V_NULL;
    if (src == v_of(d) && (own = src = ou_list_from(vm, src)) == V_NULL) return false;
    Value it = ou_iter(vm, src);
    xrelease(vm, own);
    if (it == V_NULL) return false;
    bool ok = true;
    while (ok) {
        Value v = ou_next(vm, it);
        if (v == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        ok = left ? push_left(vm, d, v) : push_right(vm, d, v);
        release(vm, v);
    }
    release(vm, it);
    return ok;
}

static void rotate(Deque *d, int64_t k) /* to the right */
{
    if (d->n < 2) return;
    k %= d->n;
    if (k < 0) k += d->n;
    d->state++;
    if (k <= d->n / 2) {
        for (; k > 0; k--) {
            Value v = *slot(d, d->n - 1);
            d->head = (d->head - 1) & (d->cap - 1);
            *slot(d, 0) = v;
        }
    } else {
        for (k = d->n - k; k > 0; k--) {
            Value v = *slot(d, 0);
            d->head = (d->head + 1) & (d->cap - 1);
            *slot(d, d->n - 1) = v;
        }
    }
}

static Value remove_at(Deque *d, uint32_t i)
{
    Value v = *slot(d, i);
    if (i < d->n / 2) {
        for (; i > 0; i--) *slot(d, i) = *slot(d, i - 1);
        d->head = (d->head + 1) & (d->cap - 1);
    } else {
        for (; i + 1 < d->n; i++) *slot(d, i) = *slot(d, i + 1);
    }
    d->n--;
    d->state++;
    return v;
}

/* ---- deque: slots --------------------------------------------------------------------------------------------------------- */

static Value deque_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    Deque *d = ou_new(vm, cls, 0);
    if (d) d->maxlen = -1;
    return v_of(d);
}

static int deque_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Deque *d = as_deque(self);
    Value a[2];
    if (!ou_bind(vm, "deque(iterable=(), maxlen=None)", args, n, kwnames, a)) return -1;
    int64_t maxlen = -1;
    if (a[1] != V_NULL && a[1] != V_NONE) {
        if (!ou_is_a(vm, a[1], T_INT)) return ou_raise(vm, E_TYPE, "an integer is required"), -1;
        if (!ou_index_i64(vm, a[1], &maxlen)) return -1;
        if (maxlen < 0) return ou_raise(vm, E_VALUE, "maxlen must be non-negative"), -1;
    }
    d->maxlen = maxlen;
    clear(vm, d);
    return a[0] == V_NULL || extend(vm, d, a[0], false) ? 0 : -1;
}

static void deque_dealloc(VM *vm, Obj *o)
{
    clear(vm, (Deque *)o);
    ou_finish_dealloc(vm, o, 0);
}
static void deque_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Deque *d = (Deque *)o;
    for (uint32_t i = 0; i < d->n; i++) ou_visit(vm, *slot(d, i), visit, arg);
}
static void deque_clear_slot(VM *vm, Obj *o) { clear(vm, (Deque *)o); }

static Value deque_repr(VM *vm, Value self)
{
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, self);
    if (entered <= 0) return entered < 0 ? V_NULL : ou_str_c(vm, "[...]");
    Value l = ou_list_from(vm, self), r = V_NULL;
    Str *name = ou_type_of(vm, self)->name;
    if (l != V_NULL) {
        if (as_deque(self)->maxlen >= 0) r = ou_str_format(vm, "%Q(%R, maxlen=%ld)", name, l, as_deque(self)->maxlen);
        else r = ou_str_format(vm, "%Q(%R)", name, l);
        release(vm, l);
    }
    ou_repr_leave(vm, &g);
    return r;
}

static Value deque_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!is_deque(vm, a) || !is_deque(vm, b)) return V_NOTIMPL;
    if ((op == CMP_EQ || op == CMP_NE) && as_deque(a)->n != as_deque(b)->n) return v_bool(op == CMP_NE);
    Value x = ou_list_from(vm, a), y = x == V_NULL ? V_NULL : ou_list_from(vm, b);
    Value r = y == V_NULL ? V_NULL : ou_compare(vm, x, y, op);
    xrelease(vm, x);
    xrelease(vm, y);
    return r;
}

static int64_t deque_len(VM *vm, Value self)
{
    (void)vm;
    return as_deque(self)->n;
}

static bool index_of(VM *vm, Deque *d, Value key, int64_t *i)
{
    if (!is_small(key) && !ou_type_of(vm, key)->slots.to_index)
        return ou_raise(vm, E_TYPE, "sequence index must be integer, not '%T'", key), false;
    int64_t k;
    int kind = ou_seq_key(vm, key, "deque", &k);
    if (kind != 1) return kind == 2 ? (ou_raise(vm, E_TYPE, "sequence index must be integer, not 'slice'"), false) : false;
    if (k < 0) k += d->n;
    if (k < 0 || k >= d->n) return ou_raise(vm, E_INDEX, "deque index out of range"), false;
    *i = k;
    return true;
}

static Value deque_getitem(VM *vm, Value self, Value key)
{
    int64_t i;
    return index_of(vm, as_deque(self), key, &i) ? retain(*slot(as_deque(self), (uint32_t)i)) : V_NULL;
}

static bool deque_setitem(VM *vm, Value self, Value key, Value v)
{
    Deque *d = as_deque(self);
    int64_t i;
    if (!index_of(vm, d, key, &i)) return false;
    if (v == V_NULL) {
        release(vm, remove_at(d, (uint32_t)i));
    } else {
        set_owned(vm, slot(d, (uint32_t)i), retain(v));
    }
    return true;
}

static Value mutated(VM *vm) { return ou_raise(vm, E_RUNTIME, "deque mutated during iteration"); }

/* The first index of x in [from, to), -1 none, -2 raised. */
static int64_t find(VM *vm, Deque *d, Value x, int64_t from, int64_t to)
{
    uint32_t state = d->state;
    for (int64_t i = from; i < to && i < d->n; i++) {
        Value v = retain(*slot(d, (uint32_t)i));
        int eq = ou_eq(vm, v, x);
        release(vm, v);
        if (eq) return eq < 0 ? -2 : i;
        if (d->state != state) {
            mutated(vm);
            return -2;
        }
    }
    return -1;
}

static int deque_contains(VM *vm, Value self, Value x)
{
    int64_t i = find(vm, as_deque(self), x, 0, INT64_MAX);
    return i >= 0 ? 1 : (int)i + 1;
}

static Value copy(VM *vm, Value self)
{
    Type *t = ou_type_of(vm, self);
    Deque *d = as_deque(self);
    if (t->def == &ou_deque_def) {
        Value r = deque_make(vm, t, NULL, 0, NULL);
        if (r == V_NULL) return V_NULL;
        as_deque(r)->maxlen = d->maxlen;
        if (extend(vm, as_deque(r), self, false)) return r;
        release(vm, r);
        return V_NULL;
    }
    Value args[2] = {self, ou_int(vm, d->maxlen)};
    Value r = args[1] == V_NULL ? V_NULL : ou_call(vm, v_of(t), args, d->maxlen >= 0 ? 2 : 1, NULL);
    xrelease(vm, args[1]);
    return r;
}

static Value deque_add(VM *vm, Value a, Value b)
{
    if (!is_deque(vm, a)) return V_NOTIMPL;
    if (!is_deque(vm, b)) return ou_raise(vm, E_TYPE, "can only concatenate deque (not \"%T\") to deque", b);
    Value r = copy(vm, a);
    if (r == V_NULL || extend(vm, as_deque(r), b, false)) return r;
    release(vm, r);
    return V_NULL;
}
static Value deque_iadd(VM *vm, Value a, Value b) { return extend(vm, as_deque(a), b, false) ? retain(a) : V_NULL; }

static bool repeat(VM *vm, Deque *d, int64_t count)
{
    if (count == 0) {
        clear(vm, d);
        return true;
    }
    uint32_t n = d->n;
    if (n && count > UINT32_MAX / n) return ou_raise_memory(vm), false;
    if (d->maxlen >= 0 && n && (uint64_t)count * n > (uint64_t)d->maxlen + n) count = d->maxlen / n + 2;
    Value l = ou_list_from(vm, v_of(d));
    bool ok = l != V_NULL;
    for (int64_t k = 1; ok && k < count; k++)
        for (uint32_t i = 0; ok && i < n; i++) ok = push_right(vm, d, as_list(l)->items[i]);
    xrelease(vm, l);
    return ok;
}

static Value deque_mul(VM *vm, Value a, Value b)
{
    Value seq = is_deque(vm, a) ? a : b, result;
    int64_t count;
    int got = ou_seq_repeat_count(vm, seq, seq == a ? b : a, a, b, &count, &result);
    if (got != 1) return got ? result : V_NULL;
    Value r = copy(vm, seq);
    if (r == V_NULL || repeat(vm, as_deque(r), count)) return r;
    release(vm, r);
    return V_NULL;
}
static Value deque_imul(VM *vm, Value a, Value b)
{
    Value result;
    int64_t count;
    int got = ou_seq_repeat_count(vm, a, b, a, b, &count, &result);
    if (got != 1) return got ? result : V_NULL;
    return repeat(vm, as_deque(a), count) ? retain(a) : V_NULL;
}

/* ---- deque: methods -------------------------------------------------------------------------------------------------------- */

static Value deque_append(VM *vm, const Value *args, int n)
{
    (void)n;
    return push_right(vm, as_deque(args[0]), args[1]) ? V_NONE : V_NULL;
}
static Value deque_appendleft(VM *vm, const Value *args, int n)
{
    (void)n;
    return push_left(vm, as_deque(args[0]), args[1]) ? V_NONE : V_NULL;
}
static Value deque_extend(VM *vm, const Value *args, int n)
{
    (void)n;
    return extend(vm, as_deque(args[0]), args[1], false) ? V_NONE : V_NULL;
}
static Value deque_extendleft(VM *vm, const Value *args, int n)
{
    (void)n;
    return extend(vm, as_deque(args[0]), args[1], true) ? V_NONE : V_NULL;
}
static Value deque_pop(VM *vm, const Value *args, int n)
{
    (void)n;
    return as_deque(args[0])->n ? take_right(as_deque(args[0])) : ou_raise(vm, E_INDEX, "pop from an empty deque");
}
static Value deque_popleft(VM *vm, const Value *args, int n)
{
    (void)n;
    return as_deque(args[0])->n ? take_left(as_deque(args[0])) : ou_raise(vm, E_INDEX, "pop from an empty deque");
}
static Value deque_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    clear(vm, as_deque(args[0]));
    return V_NONE;
}
static Value deque_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return copy(vm, args[0]);
}
static Value deque_rotate(VM *vm, const Value *args, int n)
{
    int64_t k = 1;
    if (n > 1 && !ou_index_i64(vm, args[1], &k)) return V_NULL;
    rotate(as_deque(args[0]), k);
    return V_NONE;
}
static Value deque_reverse(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    Deque *d = as_deque(args[0]);
    for (uint32_t i = 0; i < d->n / 2; i++) {
        Value t = *slot(d, i);
        *slot(d, i) = *slot(d, d->n - 1 - i);
        *slot(d, d->n - 1 - i) = t;
    }
    return V_NONE;
}
static Value deque_count(VM *vm, const Value *args, int n)
{
    (void)n;
    Deque *d = as_deque(args[0]);
    uint32_t state = d->state;
    int64_t count = 0, i = -1;
    while ((i = find(vm, d, args[1], i + 1, INT64_MAX)) >= 0) {
        if (d->state != state) return mutated(vm);
        count++;
    }
    return i == -2 ? V_NULL : v_smallint(count);
}
static Value deque_index(VM *vm, const Value *args, int n)
{
    Deque *d = as_deque(args[0]);
    int64_t from = 0, to = INT64_MAX;
    if (!ou_seq_bounds(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, d->n, &from, &to)) return V_NULL;
    int64_t i = find(vm, d, args[1], from, to);
    if (i == -2) return V_NULL;
    return i >= 0 ? v_smallint(i) : ou_raise(vm, E_VALUE, "%R is not in deque", args[1]);
}
static Value deque_insert(VM *vm, const Value *args, int n)
{
    (void)n;
    Deque *d = as_deque(args[0]);
    int64_t i;
    if (!ou_index_i64(vm, args[1], &i)) return V_NULL;
    if (d->maxlen == d->n) return ou_raise(vm, E_INDEX, "deque already at its maximum size");
    if (i >= d->n) return push_right(vm, d, args[2]) ? V_NONE : V_NULL;
    if (i <= -(int64_t)d->n || i == 0) return push_left(vm, d, args[2]) ? V_NONE : V_NULL;
    rotate(d, -i);
    bool ok = i < 0 ? push_right(vm, d, args[2]) : push_left(vm, d, args[2]);
    rotate(d, i);
    return ok ? V_NONE : V_NULL;
}
static Value deque_remove(VM *vm, const Value *args, int n)
{
    (void)n;
    Deque *d = as_deque(args[0]);
    uint32_t state = d->state;
    int64_t i = find(vm, d, args[1], 0, INT64_MAX);
    if (i == -2 && (d->state == state || !ou_exc_matches(vm, E_RUNTIME))) return V_NULL;
    if (d->state != state) {
        if (i == -2) ou_exc_clear(vm);
        return ou_raise(vm, E_INDEX, "deque mutated during iteration");
    }
    if (i < 0) return ou_raise(vm, E_VALUE, "%R is not in deque", args[1]);
    release(vm, remove_at(d, (uint32_t)i));
    return V_NONE;
}
static Value deque_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Deque *d = as_deque(args[0]);
    Value inner[2] = {vm->empty_tuple, ou_int(vm, d->maxlen)};
    Value state = inner[1] == V_NULL ? V_NULL : ou_get_state(vm, args[0]);
    Value a = state == V_NULL ? V_NULL : ou_tuple_of(vm, inner, d->maxlen >= 0 ? 2 : 0);
    Value it = a == V_NULL ? V_NULL : ou_iter(vm, args[0]);
    xrelease(vm, inner[1]);
    if (it == V_NULL) {
        xrelease(vm, state);
        xrelease(vm, a);
        return V_NULL;
    }
    Value r[4] = {retain(v_of(ou_type_of(vm, args[0]))), a, state, it};
    return ou_tuple_take(vm, r, 4);
}

static Value get_maxlen(VM *vm, Value self)
{
    (void)vm;
    return as_deque(self)->maxlen < 0 ? V_NONE : ou_int(vm, as_deque(self)->maxlen);
}

static Value iter_new(VM *vm, Type *t, Value deque)
{
    DequeIter *it = ou_new(vm, t, 0);
    if (!it) return V_NULL;
    it->deque = retain(deque);
    it->state = as_deque(deque)->state;
    it->left = as_deque(deque)->n;
    return v_of(it);
}
static Value deque_iter(VM *vm, Value self)
{
    CollectionTypes *s = ou_collection_types(vm);
    return s ? iter_new(vm, s->iter, self) : V_NULL;
}
static Value deque_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    CollectionTypes *s = ou_collection_types(vm);
    return s ? iter_new(vm, s->reviter, args[0]) : V_NULL;
}

static const NativeDef deque_methods[] = {
    {"append(x, /)", deque_append, "Add an element to the right side of the deque.", 0},
    {"appendleft(x, /)", deque_appendleft, "Add an element to the left side of the deque.", 0},
    {"pop()", deque_pop, "Remove and return the rightmost element.", 0},
    {"popleft()", deque_popleft, "Remove and return the leftmost element.", 0},
    {"extend(iterable, /)", deque_extend, "Extend the right side of the deque with elements from the iterable.", 0},
    {"extendleft(iterable, /)", deque_extendleft, "Extend the left side of the deque with elements from the iterable.", 0},
    {"clear()", deque_clear, "Remove all elements from the deque.", 0},
    {"copy()", deque_copy, "Return a shallow copy of a deque.", 0},
    {"__copy__()", deque_copy, "Return a shallow copy of a deque.", 0},
    {"count(value, /)", deque_count, "Return number of occurrences of value.", 0},
    {"index(value, start=0, stop=None, /)", deque_index, "Return first index of value.\n\nRaises ValueError if the value is not present.", 0},
    {"insert(index, value, /)", deque_insert, "Insert value before index.", 0},
    {"remove(value, /)", deque_remove, "Remove first occurrence of value.", 0},
    {"reverse()", deque_reverse, "Reverse *IN PLACE*.", 0},
    {"rotate(n=1, /)", deque_rotate, "Rotate the deque n steps to the right.  If n is negative, rotates left.", 0},
    {"__reversed__()", deque_reversed, "Return a reverse iterator over the deque.", 0},
    {"__reduce__()", deque_reduce, "Return state information for pickling.", 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};
static const GetSetDef deque_getset[] = {{"maxlen", get_maxlen, NULL, "maximum size of a deque or None if unbounded"}, {0}};

const TypeDef ou_deque_def = {.name = "collections.deque",
                                  .size = sizeof(Deque),
                                  .flags = TF_GC | TF_BASE | TF_WEAKREF | TF_SEQUENCE,
                                  .slots = {.make = deque_make,
                                            .init = deque_init,
                                            .dealloc = deque_dealloc,
                                            .traverse = deque_traverse,
                                            .clear = deque_clear_slot,
                                            .repr = deque_repr,
                                            .compare = deque_compare,
                                            .len = deque_len,
                                            .getitem = deque_getitem,
                                            .setitem = deque_setitem,
                                            .contains = deque_contains,
                                            .iter = deque_iter,
                                            .binary = {[BIN_ADD] = deque_add, [BIN_MUL] = deque_mul},
                                            .inplace = {[BIN_ADD] = deque_iadd, [BIN_MUL] = deque_imul}},
                                  .methods = deque_methods,
                                  .getset = deque_getset,
                                  .doc = "A list-like sequence optimized for data accesses near its endpoints."};

/* ---- iterators of deque ---------------------------------------------------------------------------------------------------- */

static Value step(VM *vm, Value self, bool backwards)
{
    DequeIter *it = (DequeIter *)v_obj(self);
    if (it->deque == V_NULL) return V_NULL;
    Deque *d = as_deque(it->deque);
    if (backwards && !it->left) return V_NULL; /* forwards, changes are noticed even at the end */
    if (d->state != it->state) {
        it->left = 0;
        return mutated(vm);
    }
    if (!it->left) return V_NULL;
    it->left--;
    uint32_t i = it->at++;
    return retain(*slot(d, backwards ? d->n - 1 - i : i));
}
static Value iter_next(VM *vm, Value self) { return step(vm, self, false); }
static Value reviter_next(VM *vm, Value self) { return step(vm, self, true); }
static Value iter_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return v_smallint(((DequeIter *)v_obj(args[0]))->left);
}
static void iter_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((DequeIter *)o)->deque);
    ou_finish_dealloc(vm, o, 0);
}
static void iter_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((DequeIter *)o)->deque, visit, arg); }
static const NativeDef iter_methods[] = {
    {"__length_hint__()", iter_hint, "Private method returning an estimate of len(list(it)).", 0}, {0}};
const TypeDef ou_deque_iter_def = {
    .name = "collections._deque_iterator",
    .size = sizeof(DequeIter),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = iter_dealloc, .traverse = iter_traverse, .iter = ou_iter_self, .next = iter_next},
    .methods = iter_methods};
const TypeDef ou_deque_reviter_def = {
    .name = "collections._deque_reverse_iterator",
    .size = sizeof(DequeIter),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = iter_dealloc, .traverse = iter_traverse, .iter = ou_iter_self, .next = reviter_next},
    .methods = iter_methods};
