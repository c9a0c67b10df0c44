/* _collections: deque, defaultdict, and the helpers of the collections package (_count_elements, _tuplegetter).
 * A deque is a ring in one block whose size is a power of two; `state` changes with every change of its length or order, so
 * that iterators notice. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/dict_impl.h"
#include "stdlib/stdlib.h"
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

typedef struct DefaultDict {
    Dict d;
    Value factory;
} DefaultDict;

typedef struct TupleGetter { /* the property of a namedtuple's field */
    Obj h;
    int64_t index;
    Value doc;
} TupleGetter;

typedef struct State {
    Value keep; /* a tuple of the types: they may be needed after the module is gone */
    Type *deque, *iter, *reviter, *defaultdict;
} State;

static const TypeDef deque_def, defaultdict_def;

static State *state_of(VM *vm) { return ou_module_record(vm, MOD__collections, sizeof(State)); }

static bool is_kind(VM *vm, Value v, const TypeDef *def)
{
    if (!is_obj(v)) return false;
    for (Type *t = ou_type_of(vm, v); t; t = t->base)
        if (t->def == def) return true;
    return false;
}
static bool is_deque(VM *vm, Value v) { return is_kind(vm, v, &deque_def); }
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
    if (t->def == &deque_def) {
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
    State *s = state_of(vm);
    return s ? iter_new(vm, s->iter, self) : V_NULL;
}
static Value deque_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    State *s = state_of(vm);
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

static const TypeDef deque_def = {.name = "collections.deque",
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
    if (d->state != it->state) {
        it->left = 0;
        set_owned(vm, &it->deque, V_NULL);
        return mutated(vm);
    }
    if (!it->left) {
        set_owned(vm, &it->deque, V_NULL);
        return V_NULL;
    }
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
static const TypeDef iter_def = {
    .name = "collections._deque_iterator",
    .size = sizeof(DequeIter),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = iter_dealloc, .traverse = iter_traverse, .iter = ou_iter_self, .next = iter_next},
    .methods = iter_methods};
static const TypeDef reviter_def = {
    .name = "collections._deque_reverse_iterator",
    .size = sizeof(DequeIter),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = iter_dealloc, .traverse = iter_traverse, .iter = ou_iter_self, .next = reviter_next},
    .methods = iter_methods};

/* ---- defaultdict -------------------------------------------------------------------------------------------------------------- */

static Value dd_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    DefaultDict *d = ou_new(vm, cls, 0);
    if (d) d->factory = V_NONE;
    return v_of(d);
}

static int dd_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    DefaultDict *d = (DefaultDict *)v_obj(self);
    if (n > 0) {
        if (args[0] != V_NONE && !ou_type_of(vm, args[0])->slots.call)
            return ou_raise(vm, E_TYPE, "first argument must be callable or None"), -1;
        set_owned(vm, &d->factory, retain(args[0]));
        args++, n--;
    }
    return vm->types[T_DICT]->slots.init(vm, self, args, n, kwnames);
}

static void dd_dealloc(VM *vm, Obj *o)
{
    Value f = ((DefaultDict *)o)->factory;
    ((DefaultDict *)o)->factory = V_NULL;
    xrelease(vm, f);
    vm->types[T_DICT]->slots.dealloc(vm, o);
}
static void dd_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((DefaultDict *)o)->factory, visit, arg);
    vm->types[T_DICT]->slots.traverse(vm, o, visit, arg);
}
static void dd_clear(VM *vm, Obj *o)
{
    set_owned(vm, &((DefaultDict *)o)->factory, V_NONE);
    vm->types[T_DICT]->slots.clear(vm, o);
}

static Value dd_repr(VM *vm, Value self)
{
    DefaultDict *d = (DefaultDict *)v_obj(self);
    Value items = vm->types[T_DICT]->slots.repr(vm, self), fn = V_NULL, r = V_NULL;
    if (items == V_NULL) return V_NULL;
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, d->factory); /* a factory bound to the dict itself */
    if (entered == 0) fn = ou_str_c(vm, "...");
    if (entered > 0) {
        fn = ou_repr(vm, d->factory);
        ou_repr_leave(vm, &g);
    }
    if (fn != V_NULL) r = ou_str_format(vm, "%Q(%U, %U)", ou_type_of(vm, self)->name, fn, items);
    xrelease(vm, fn);
    release(vm, items);
    return r;
}

static Value make_missing(VM *vm, Value self, Value key)
{
    DefaultDict *d = (DefaultDict *)v_obj(self);
    if (d->factory == V_NONE) return ou_raise_key(vm, key);
    Value fn = retain(d->factory), v = ou_call0(vm, fn);
    release(vm, fn);
    if (v == V_NULL) return V_NULL;
    if (is_exact(self, T_DICT) || !ou_type_of(vm, self)->def) {
        if (ou_setitem(vm, self, key, v)) return v;
    } else if (ou_dict_set(vm, &d->d, key, v)) {
        return v;
    }
    release(vm, v);
    return V_NULL;
}

static Value dd_getitem(VM *vm, Value self, Value key)
{
    Value v = ou_dict_get(vm, as_dict(self), key);
    if (v != V_NULL) return retain(v);
    if (vm->exc) return V_NULL;
    if (ou_type_of(vm, self)->def == &defaultdict_def) return make_missing(vm, self, key);
    return vm->types[T_DICT]->slots.getitem(vm, self, key); /* __missing__ may have been overridden */
}

static Value dd_missing(VM *vm, const Value *args, int n)
{
    (void)n;
    return make_missing(vm, args[0], args[1]);
}

static Value dd_copy_of(VM *vm, Value self)
{
    Value args[2] = {((DefaultDict *)v_obj(self))->factory, self};
    return ou_call(vm, v_of(ou_type_of(vm, self)), args, 2, NULL);
}
static Value dd_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return dd_copy_of(vm, args[0]);
}

static Value dd_or(VM *vm, Value a, Value b)
{
    bool left = is_kind(vm, a, &defaultdict_def);
    Value self = left ? a : b, other = left ? b : a;
    if (!is_a_fast(vm, other, T_DICT)) return V_NOTIMPL;
    Value r;
    if (left) {
        r = dd_copy_of(vm, self);
    } else {
        Value args[2] = {((DefaultDict *)v_obj(self))->factory, other};
        r = ou_call(vm, v_of(ou_type_of(vm, self)), args, 2, NULL);
    }
    if (r == V_NULL || ou_dict_update(vm, as_dict(r), b)) return r;
    release(vm, r);
    return V_NULL;
}

static Value dd_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    DefaultDict *d = (DefaultDict *)v_obj(args[0]);
    Value a = d->factory == V_NONE ? ou_tuple_new(vm, 0) : ou_tuple_of(vm, &d->factory, 1);
    Value items = a == V_NULL ? V_NULL : ou_call_method_c(vm, args[0], "items", NULL, 0);
    Value it = items == V_NULL ? V_NULL : ou_iter(vm, items);
    xrelease(vm, items);
    if (it == V_NULL) {
        xrelease(vm, a);
        return V_NULL;
    }
    Value r[5] = {retain(v_of(ou_type_of(vm, args[0]))), a, V_NONE, V_NONE, it};
    return ou_tuple_take(vm, r, 5);
}

static Value get_factory(VM *vm, Value self)
{
    (void)vm;
    return retain(((DefaultDict *)v_obj(self))->factory);
}
static bool set_factory(VM *vm, Value self, Value v)
{
    set_owned(vm, &((DefaultDict *)v_obj(self))->factory, v == V_NULL ? V_NONE : retain(v));
    return true;
}

static const NativeDef dd_methods[] = {
    {"__missing__(key, /)", dd_missing, "__missing__(key) # Called by __getitem__ for missing key.", 0},
    {"copy()", dd_copy, "D.copy() -> a shallow copy of D.", 0},
    {"__copy__()", dd_copy, "D.copy() -> a shallow copy of D.", 0},
    {"__reduce__()", dd_reduce, "Return state information for pickling.", 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};
static const GetSetDef dd_getset[] = {
    {"default_factory", get_factory, set_factory, "Factory for default value called by __missing__()."}, {0}};

static const TypeDef defaultdict_def = {
    .name = "collections.defaultdict",
    .size = sizeof(DefaultDict),
    .flags = TF_GC | TF_BASE | TF_MAPPING,
    .slots = {.make = dd_make,
              .init = dd_init,
              .dealloc = dd_dealloc,
              .traverse = dd_traverse,
              .clear = dd_clear,
              .repr = dd_repr,
              .getitem = dd_getitem,
              .binary = {[BIN_OR] = dd_or}},
    .methods = dd_methods,
    .getset = dd_getset,
    .doc = "defaultdict(default_factory=None, /, [...]) --> dict with default factory\n\nThe default factory is called without "
           "arguments to produce\na new value when a key is not present, in __getitem__ only.\nA defaultdict compares equal to a "
           "dict with the same items.\nAll remaining arguments are treated the same as if they were\npassed to the dict "
           "constructor, including keyword arguments."};

/* ---- _tuplegetter --------------------------------------------------------------------------------------------------------------- */

static Value tg_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    int64_t i;
    if (!ou_no_kw(vm, "_tuplegetter", kwnames) || !ou_arg_count(vm, "_tuplegetter", n, 2, 2) ||
        !ou_index_i64(vm, args[0], &i))
        return V_NULL;
    TupleGetter *g = ou_new(vm, cls, 0);
    if (!g) return V_NULL;
    g->index = i;
    g->doc = retain(args[1]);
    return v_of(g);
}
static void tg_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((TupleGetter *)o)->doc);
    ou_finish_dealloc(vm, o, 0);
}
static void tg_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((TupleGetter *)o)->doc, visit, arg); }
static Value tg_get(VM *vm, Value self, Value obj, Value cls)
{
    (void)cls;
    TupleGetter *g = (TupleGetter *)v_obj(self);
    if (obj == V_NULL || obj == V_NONE) return retain(self);
    if (!is_a_fast(vm, obj, T_TUPLE))
        return ou_raise(vm, E_TYPE, "descriptor for index '%d' for tuple subclasses doesn't apply to '%T' object", (int)g->index, obj);
    if (g->index < 0 || g->index >= as_tuple(obj)->n) return ou_raise(vm, E_INDEX, "tuple index out of range");
    return retain(as_tuple(obj)->items[g->index]);
}
static bool tg_set(VM *vm, Value self, Value obj, Value v)
{
    (void)self, (void)obj;
    ou_raise(vm, E_ATTRIBUTE, v == V_NULL ? "can't delete attribute" : "can't set attribute");
    return false;
}
static Value tg_repr(VM *vm, Value self)
{
    TupleGetter *g = (TupleGetter *)v_obj(self);
    return ou_str_format(vm, "_tuplegetter(%ld, %R)", g->index, g->doc);
}
static Value tg_get_doc(VM *vm, Value self)
{
    (void)vm;
    return retain(((TupleGetter *)v_obj(self))->doc);
}
static bool tg_set_doc(VM *vm, Value self, Value v)
{
    set_owned(vm, &((TupleGetter *)v_obj(self))->doc, v == V_NULL ? V_NONE : retain(v));
    return true;
}
static const GetSetDef tg_getset[] = {{"__doc__", tg_get_doc, tg_set_doc, NULL}, {0}};
static const TypeDef tuplegetter_def = {.name = "collections._tuplegetter",
                                        .size = sizeof(TupleGetter),
                                        .flags = TF_GC,
                                        .slots = {.make = tg_make,
                                                  .dealloc = tg_dealloc,
                                                  .traverse = tg_traverse,
                                                  .repr = tg_repr,
                                                  .descr_get = tg_get,
                                                  .descr_set = tg_set},
                                        .getset = tg_getset};

/* ---- functions ------------------------------------------------------------------------------------------------------------------- */

/* _count_elements(mapping, iterable): mapping[x] += 1 for each x, missing ones count from 0. */
static Value count_elements(VM *vm, const Value *args, int n)
{
    (void)n;
    Value map = args[0], it = ou_iter(vm, args[1]);
    if (it == V_NULL) return V_NULL;
    /* a subclass with its own get or __setitem__ sees every step */
    Type *t = ou_type_of(vm, map);
    Type *dict = vm->types[T_DICT];
    bool fast = is_a_fast(vm, map, T_DICT);
    if (fast && t != dict) {
        Str *get = name_of(vm, N_get), *set = name_of(vm, N_DU_setitem);
        fast = ou_type_lookup(vm, t, get) == ou_type_lookup(vm, dict, get) &&
               ou_type_lookup(vm, t, set) == ou_type_lookup(vm, dict, set);
    }
    bool ok = true;
    while (ok) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        Value old;
        if (fast) {
            int64_t h;
            ok = ou_hash(vm, x, &h);
            int64_t at = ok ? ou_dict_find(vm, as_dict(map), x, h) : -2;
            ok = at != -2;
            if (ok && at >= 0 && is_small(as_dict(map)->entries[at].value)) {
                Value *place = &as_dict(map)->entries[at].value;
                *place = ou_int(vm, v_small(*place) + 1);
                release(vm, x);
                continue;
            }
            old = at >= 0 ? retain(as_dict(map)->entries[at].value) : ok ? v_smallint(0) : V_NULL;
        } else {
            Value a[2] = {x, v_smallint(0)};
            old = ou_call_method(vm, map, name_of(vm, N_get), a, 2, NULL);
        }
        Value sum = old == V_NULL ? V_NULL : ou_binary(vm, BIN_ADD, old, v_smallint(1));
        ok = sum != V_NULL && (fast ? ou_dict_set(vm, as_dict(map), x, sum) : ou_setitem(vm, map, x, sum));
        xrelease(vm, old);
        xrelease(vm, sum);
        release(vm, x);
    }
    release(vm, it);
    return ok ? V_NONE : V_NULL;
}

static const NativeDef functions[] = {
    {"_count_elements(mapping, iterable, /)", count_elements, "Count elements in the iterable, updating the mapping", 0},
    {0}};

bool ou_mod__collections(VM *vm, Module *m)
{
    State *s = state_of(vm);
    bool ok = s && (s->deque = ou_module_type(vm, m, &deque_def, NULL)) &&
           (s->defaultdict = ou_module_type(vm, m, &defaultdict_def, vm->types[T_DICT])) &&
           (s->iter = ou_module_type(vm, m, &iter_def, NULL)) && (s->reviter = ou_module_type(vm, m, &reviter_def, NULL)) &&
              ou_module_type(vm, m, &tuplegetter_def, NULL) && ou_module_add(vm, m, functions);
    if (!ok) return false;
    Value types[4] = {v_of(s->deque), v_of(s->defaultdict), v_of(s->iter), v_of(s->reviter)};
    set_owned(vm, &s->keep, ou_tuple_of(vm, types, 4));
    return s->keep != V_NULL;
}
