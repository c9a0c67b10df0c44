/* list: a growable array of values. Sorting is in list_sort.c.
 * The one thing to know: releasing an item may run script code that changes the list, so items are taken out of the array
 * (and the array made consistent) before they are released. */
#include "runtime/base/utf8.h"
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/str.h"

/* ---- storage --------------------------------------------------------------------------------------------------------- */

static bool set_cap(VM *vm, List *l, size_t cap)
{
    if (cap > UINT32_MAX) return ou_raise_memory(vm), false;
    Value *p = ou_realloc(&vm->heap, l->items, (size_t)l->cap * sizeof(Value), cap * sizeof(Value));
    if (!p && cap) return ou_raise_memory(vm), false;
    l->items = p;
    l->cap = (uint32_t)cap;
    return true;
}

static bool grow(VM *vm, List *l, size_t n) /* room for n items, with reserve */
{
    return n <= l->cap || set_cap(vm, l, (n + (n >> 3) + 6) & ~(size_t)3);
}

static void shrink(VM *vm, List *l)
{
    if (l->n == 0) {
        ou_free(&vm->heap, l->items, (size_t)l->cap * sizeof(Value));
        l->items = NULL;
        l->cap = 0;
    } else if (l->n < l->cap / 2 && l->cap > 16) {
        size_t cap = (l->n + (l->n >> 3) + 6) & ~(size_t)3;
        Value *p = ou_realloc(&vm->heap, l->items, (size_t)l->cap * sizeof(Value), cap * sizeof(Value));
        if (p) {
            l->items = p;
            l->cap = (uint32_t)cap;
        }
    }
}

Value ou_list_new(VM *vm, size_t cap)
{
    List *l = ou_new(vm, vm->types[T_LIST], 0);
    if (!l) return V_NULL;
    if (cap && !set_cap(vm, l, cap)) {
        obj_release(vm, l);
        return V_NULL;
    }
    return v_of(l);
}

Value ou_list_of(VM *vm, const Value *items, size_t n)
{
    Value v = ou_list_new(vm, n);
    if (v == V_NULL) return V_NULL;
    List *l = as_list(v);
    for (size_t i = 0; i < n; i++) l->items[i] = retain(items[i]);
    l->n = (uint32_t)n;
    return v;
}

Value ou_list_take(VM *vm, Value *items, size_t n)
{
    Value v = ou_list_new(vm, n);
    if (v == V_NULL) {
        for (size_t i = 0; i < n; i++) release(vm, items[i]);
        return V_NULL;
    }
    if (n) memcpy(as_list(v)->items, items, n * sizeof(Value));
    as_list(v)->n = (uint32_t)n;
    return v;
}

bool ou_list_append(VM *vm, List *l, Value v)
{
    if (l->n == l->cap && !grow(vm, l, (size_t)l->n + 1)) return false;
    l->items[l->n++] = retain(v);
    return true;
}

bool ou_list_append_take(VM *vm, List *l, Value v)
{
    if (l->n == l->cap && !grow(vm, l, (size_t)l->n + 1)) {
        release(vm, v);
        return false;
    }
    l->items[l->n++] = v;
    return true;
}

static bool extend_array(VM *vm, List *l, const Value *items, size_t n)
{
    if (n == 0) return true;
    bool self = items == l->items;
    if (!(l->n == 0 && l->cap < n ? set_cap(vm, l, n) : grow(vm, l, (size_t)l->n + n))) return false;
    if (self) items = l->items;
    for (size_t i = 0; i < n; i++) l->items[l->n + i] = retain(items[i]);
    l->n += (uint32_t)n;
    return true;
}

/* What a list begins with fits exactly; what comes later finds a reserve. */
static bool make_room(VM *vm, List *l, size_t need) { return need <= l->cap || (l->n ? grow(vm, l, need) : set_cap(vm, l, need)); }

static bool extend_text(VM *vm, List *l, const Str *s)
{
    if (!make_room(vm, l, (size_t)l->n + s->length)) return false;
    for (const char *p = s->data, *end = p + s->size; p < end;) {
        Value c = ou_str_char(vm, utf8_next(&p));
        if (c == V_NULL) return false;
        l->items[l->n++] = c;
    }
    return true;
}

bool ou_list_extend(VM *vm, List *l, Value iterable)
{
    if (is_exact(iterable, T_LIST) || iterable == v_of(l)) return extend_array(vm, l, as_list(iterable)->items, as_list(iterable)->n);
    if (is_exact(iterable, T_TUPLE)) return extend_array(vm, l, as_tuple(iterable)->items, as_tuple(iterable)->n);
    if (is_exact(iterable, T_DICT)) {
        Dict *d = as_dict(iterable);
        if (!make_room(vm, l, (size_t)l->n + d->n)) return false;
        for (uint32_t i = 0; i < d->nentries; i++)
            if (d->entries[i].key != V_NULL) l->items[l->n++] = retain(d->entries[i].key);
        return true;
    }
    if (is_exact(iterable, T_STR)) return extend_text(vm, l, as_str(iterable));
    Value it = ou_iter(vm, iterable);
    if (it == V_NULL) return false;
    int64_t hint = is_exact(iterable, T_GENERATOR) ? 0 : ou_length_hint(vm, iterable, 8);
    bool ok = hint >= 0;
    if (ok && hint > 0 && hint < UINT32_MAX / 2 && !set_cap(vm, l, l->cap > l->n + (uint64_t)hint ? l->cap : l->n + (uint64_t)hint))
        ok = false;
    const Type *native = ou_type_of(vm, it); /* its next() stays what it is */
    if ((native->flags & TF_HEAP) || !native->slots.next) native = NULL;
    while (ok) {
        Value v;
        if (!native) {
            v = ou_next(vm, it);
        } else {
            v = ou_charge(vm, 1) ? native->slots.next(vm, it) : V_NULL;
            if (v != V_NULL && l->n < l->cap) {
                l->items[l->n++] = v;
                continue;
            }
            if (v == V_NULL && vm->exc != V_NULL && ou_exc_matches(vm, E_STOP_ITERATION)) ou_exc_clear(vm);
        }
        if (v == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        ok = ou_list_append_take(vm, l, v);
    }
    release(vm, it);
    if (ok && l->cap > 16 && l->n < l->cap - l->cap / 4) shrink(vm, l);
    return ok;
}

bool ou_list_insert(VM *vm, List *l, int64_t i, Value v)
{
    if (!grow(vm, l, (size_t)l->n + 1)) return false;
    if (i < 0) i += l->n;
    if (i < 0) i = 0;
    if (i > l->n) i = l->n;
    memmove(l->items + i + 1, l->items + i, (l->n - (size_t)i) * sizeof(Value));
    l->items[i] = retain(v);
    l->n++;
    return true;
}

static Value take_at(List *l, size_t i)
{
    Value v = l->items[i];
    l->n--;
    memmove(l->items + i, l->items + i + 1, (l->n - i) * sizeof(Value));
    return v;
}

void ou_list_remove_at(VM *vm, List *l, size_t i)
{
    Value v = take_at(l, i);
    shrink(vm, l);
    release(vm, v);
}

Value ou_list_from(VM *vm, Value iterable)
{
    Value v = ou_list_new(vm, 0);
    if (v == V_NULL) return V_NULL;
    if (ou_list_extend(vm, as_list(v), iterable)) return v;
    release(vm, v);
    return V_NULL;
}

const Value *ou_seq_items(VM *vm, Value iterable, size_t *n, Value *own, const char *not_iterable_msg)
{
    static const Value none[1] = {V_NONE};
    *own = V_NULL;
    if (is_exact(iterable, T_TUPLE)) {
        *n = as_tuple(iterable)->n;
        return as_tuple(iterable)->items;
    }
    Value list = iterable;
    if (!is_exact(iterable, T_LIST)) {
        list = *own = ou_list_from(vm, iterable);
        if (list == V_NULL) {
            if (not_iterable_msg && ou_exc_matches(vm, E_TYPE) && !ou_type_of(vm, iterable)->slots.iter) {
                ou_exc_clear(vm);
                ou_raise(vm, E_TYPE, "%s", not_iterable_msg);
            }
            return NULL;
        }
    }
    *n = as_list(list)->n;
    return as_list(list)->items ? as_list(list)->items : none;
}

/* Replaces items [from, to) by n new ones (owned by the caller, retained here). */
static bool splice(VM *vm, List *l, size_t from, size_t to, const Value *items, size_t n)
{
    size_t gone = to - from, rest = l->n - to;
    Value fixed[8], *old = fixed;
    if (gone > 8 && !(old = ou_alloc(&vm->heap, gone * sizeof(Value)))) return ou_raise_memory(vm), false;
    if (n > gone && !grow(vm, l, (size_t)l->n + n - gone)) {
        if (old != fixed) ou_free(&vm->heap, old, gone * sizeof(Value));
        return false;
    }
    if (gone) memcpy(old, l->items + from, gone * sizeof(Value));
    if (rest && n != gone) memmove(l->items + from + n, l->items + to, rest * sizeof(Value));
    for (size_t i = 0; i < n; i++) l->items[from + i] = retain(items[i]);
    l->n = (uint32_t)(l->n + n - gone);
    if (n < gone) shrink(vm, l);
    for (size_t i = gone; i-- > 0;) release(vm, old[i]);
    if (old != fixed) ou_free(&vm->heap, old, gone * sizeof(Value));
    return true;
}

static void clear_items(VM *vm, List *l)
{
    Value *items = l->items;
    uint32_t n = l->n, cap = l->cap;
    l->items = NULL;
    l->n = l->cap = 0;
    while (n > 0) release(vm, items[--n]);
    ou_free(&vm->heap, items, (size_t)cap * sizeof(Value));
}

/* ---- slots --------------------------------------------------------------------------------------------------------------- */

static Value list_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    return v_of(ou_new(vm, cls, 0));
}

static int list_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    List *l = as_list(self);
    if (kw_given(kwnames) && ou_type_of(vm, self)->slots.make == vm->types[T_LIST]->slots.make && !ou_no_kw(vm, "list", kwnames))
        return -1;
    if (!ou_arg_count(vm, "list", n, 0, 1)) return -1;
    if (l->n) clear_items(vm, l);
    return n == 0 || ou_list_extend(vm, l, args[0]) ? 0 : -1;
}

static void list_dealloc(VM *vm, Obj *o)
{
    if (((List *)o)->items) clear_items(vm, (List *)o);
    ou_finish_dealloc(vm, o, 0);
}

static void list_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    List *l = (List *)o;
    for (uint32_t i = 0; i < l->n; i++) ou_visit(vm, l->items[i], visit, arg);
}

static void list_clear_slot(VM *vm, Obj *o) { clear_items(vm, (List *)o); }

static Value list_repr(VM *vm, Value self)
{
    List *l = as_list(self);
    if (l->n == 0) return ou_str_c(vm, "[]");
    return ou_seq_repr(vm, self, &l->items, &l->n, "[", "]");
}

static Value list_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!is_a_fast(vm, a, T_LIST) || !is_a_fast(vm, b, T_LIST)) return V_NOTIMPL;
    List *x = as_list(a), *y = as_list(b);
    if (x->n != y->n && (op == CMP_EQ || op == CMP_NE)) return v_bool(op == CMP_NE);
    if (ou_c_deep(vm)) return ou_raise_recursion(vm, " in comparison");
    vm->c_depth++;
    retain(a), retain(b); /* the lists' owners may be changed by an __eq__ */
    uint32_t i = 0;
    Value r = V_NULL, p = V_NONE, q = V_NONE;
    for (; i < x->n && i < y->n; i++) {
        p = x->items[i], q = y->items[i];
        if (p == q && (is_small(p) || is_obj(p))) continue;
        retain(p), retain(q);
        int eq = ou_eq(vm, p, q);
        if (eq <= 0) {
            if (eq == 0 && (i >= x->n || i >= y->n)) r = v_bool(ou_order_holds(x->n, y->n, op)); /* __eq__ shortened one */
            else if (eq == 0) r = op == CMP_EQ || op == CMP_NE ? v_bool(op == CMP_NE) : ou_compare(vm, p, q, op);
            release(vm, p), release(vm, q);
            goto done;
        }
        release(vm, p), release(vm, q);
    }
    r = v_bool(ou_order_holds(x->n, y->n, op));
done:
    vm->c_depth--;
    release(vm, a), release(vm, b);
    return r;
}

static int64_t list_len(VM *vm, Value self)
{
    (void)vm;
    return as_list(self)->n;
}

static Value list_getitem(VM *vm, Value self, Value key)
{
    List *l = as_list(self);
    int64_t i;
    int kind = ou_seq_key(vm, key, "list", &i);
    if (kind == 0) return V_NULL;
    if (kind == 1) {
        if (i < 0) i += l->n;
        if (i < 0 || i >= l->n) return ou_raise(vm, E_INDEX, "list index out of range");
        return retain(l->items[i]);
    }
    int64_t start, stop, step, count;
    if (!ou_slice_bounds(vm, key, &start, &stop, &step)) return V_NULL;
    count = ou_slice_fit(l->n, &start, &stop, step);
    if (step == 1) return ou_list_of(vm, l->items + start, (size_t)count);
    Value r = ou_list_new(vm, (size_t)count);
    if (r == V_NULL) return V_NULL;
    for (int64_t k = 0; k < count; k++, start += step) as_list(r)->items[k] = retain(l->items[start]);
    as_list(r)->n = (uint32_t)count;
    return r;
}

static bool delete_stepped(VM *vm, List *l, int64_t start, int64_t step, int64_t count)
{
    if (count <= 0) return true;
    if (step < 0) {
        start += step * (count - 1);
        step = -step;
    }
    Value *gone = ou_alloc(&vm->heap, (size_t)count * sizeof(Value));
    if (!gone) return ou_raise_memory(vm), false;
    int64_t w = start, next = start, k = 0;
    for (int64_t r = start; r < l->n; r++) {
        if (k < count && r == next) {
            gone[k++] = l->items[r];
            next += step;
        } else {
            l->items[w++] = l->items[r];
        }
    }
    l->n -= (uint32_t)count;
    shrink(vm, l);
    for (int64_t i = 0; i < count; i++) release(vm, gone[i]);
    ou_free(&vm->heap, gone, (size_t)count * sizeof(Value));
    return true;
}

static bool set_slice(VM *vm, List *l, Value key, Value v)
{
    int64_t start, stop, step, count;
    if (!ou_slice_bounds(vm, key, &start, &stop, &step)) return false;
    if (v == V_NULL) {
        count = ou_slice_fit(l->n, &start, &stop, step);
        if (step == 1) return splice(vm, l, (size_t)start, (size_t)(start + count), NULL, 0);
        return delete_stepped(vm, l, start, step, count);
    }
    Value own;
    size_t n;
    const Value *items;
    if (is_exact(v, T_LIST) && as_list(v) == l) {
        own = ou_list_of(vm, l->items, l->n);
        if (own == V_NULL) return false;
        items = as_list(own)->items;
        n = l->n;
    } else {
        items = ou_seq_items(vm, v, &n, &own, "must assign iterable to extended slice");
        if (!items) return false;
        if (own == V_NULL) own = retain(v);
    }
    count = ou_slice_fit(l->n, &start, &stop, step); /* the iterator may have changed the list */
    bool ok = true;
    if (step == 1) {
        ok = splice(vm, l, (size_t)start, (size_t)(start + count), items, n);
    } else if ((int64_t)n != count) {
        ou_raise(vm, E_VALUE, "attempt to assign sequence of size %zu to extended slice of size %ld", n, count);
        ok = false;
    } else if (count) {
        Value *old = ou_alloc(&vm->heap, n * sizeof(Value));
        ok = old != NULL;
        if (!ok) ou_raise_memory(vm);
        for (size_t i = 0; ok && i < n; i++, start += step) {
            old[i] = l->items[start];
            l->items[start] = retain(items[i]);
        }
        for (size_t i = 0; ok && i < n; i++) release(vm, old[i]);
        ou_free(&vm->heap, old, n * sizeof(Value));
    }
    release(vm, own);
    return ok;
}

static bool list_setitem(VM *vm, Value self, Value key, Value v)
{
    List *l = as_list(self);
    int64_t i;
    int kind = ou_seq_key(vm, key, "list", &i);
    if (kind != 1) return kind == 2 && set_slice(vm, l, key, v);
    if (i < 0) i += l->n;
    if (i < 0 || i >= l->n) return ou_raise(vm, E_INDEX, "list assignment index out of range"), false;
    if (v == V_NULL) ou_list_remove_at(vm, l, (size_t)i);
    else set_owned(vm, &l->items[i], retain(v));
    return true;
}

/* The index of the first item equal to x in [from, to), -1 none, -2 raised. */
static int64_t find(VM *vm, List *l, Value x, int64_t from, int64_t to)
{
    for (int64_t i = from; i < to && i < l->n; i++) {
        Value v = l->items[i];
        if (v == x && (is_small(v) || is_obj(v))) return i;
        if (are_small(v, x)) continue;
        retain(v);
        int eq = ou_eq(vm, v, x);
        release(vm, v);
        if (eq) return eq < 0 ? -2 : i;
    }
    return -1;
}

static int list_contains(VM *vm, Value self, Value x)
{
    int64_t i = find(vm, as_list(self), x, 0, INT64_MAX);
    return i >= 0 ? 1 : (int)i + 1;
}

static Value list_add(VM *vm, Value a, Value b)
{
    if (!is_a_fast(vm, a, T_LIST)) return V_NOTIMPL;
    if (!is_a_fast(vm, b, T_LIST)) return ou_seq_concat_other(vm, a, b, "list");
    List *x = as_list(a), *y = as_list(b);
    Value r = ou_list_new(vm, (size_t)x->n + y->n);
    if (r == V_NULL) return V_NULL;
    extend_array(vm, as_list(r), x->items, x->n);
    extend_array(vm, as_list(r), y->items, y->n);
    return r;
}

static Value list_iadd(VM *vm, Value a, Value b)
{
    return ou_list_extend(vm, as_list(a), b) ? retain(a) : V_NULL;
}

static Value list_mul(VM *vm, Value a, Value b)
{
    Value seq = is_a_fast(vm, a, T_LIST) ? a : b, result;
    List *l = as_list(seq);
    int64_t count;
    int got = ou_seq_repeat_count(vm, seq, seq == a ? b : a, a, b, &count, &result);
    if (got != 1) return got ? result : V_NULL;
    if (l->n == 0 || count == 0) return ou_list_new(vm, 0);
    if (count > UINT32_MAX / l->n) return ou_raise_memory(vm);
    size_t total = (size_t)count * l->n;
    Value r = ou_list_new(vm, total);
    if (r == V_NULL) return V_NULL;
    Value *w = as_list(r)->items;
    for (uint32_t k = 0; k < l->n; k++) {
        w[k] = l->items[k];
        if (is_obj(w[k])) v_obj(w[k])->refs += (uint32_t)count;
    }
    for (size_t done = l->n; done < total;) {
        size_t step = done < total - done ? done : total - done;
        memcpy(w + done, w, step * sizeof(Value));
        done += step;
    }
    as_list(r)->n = (uint32_t)total;
    return r;
}

static Value list_imul(VM *vm, Value a, Value b)
{
    List *l = as_list(a);
    int64_t count;
    Value result;
    int got = ou_seq_repeat_count(vm, a, b, a, b, &count, &result);
    if (got != 1) return got ? result : V_NULL;
    uint32_t n = l->n;
    if (count == 0) {
        clear_items(vm, l);
    } else if (n && count > 1) {
        if (count > UINT32_MAX / n || !grow(vm, l, (size_t)n * (size_t)count)) return vm->exc ? V_NULL : ou_raise_memory(vm);
        for (int64_t k = 1; k < count; k++)
            for (uint32_t i = 0; i < n; i++) l->items[l->n++] = retain(l->items[i]);
    }
    return retain(a);
}

/* ---- methods ---------------------------------------------------------------------------------------------------------------- */

static Value list_append(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_list_append(vm, as_list(args[0]), args[1]) ? V_NONE : V_NULL;
}

static Value list_extend(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_list_extend(vm, as_list(args[0]), args[1]) ? V_NONE : V_NULL;
}

static Value list_insert(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t i;
    if (!ou_index_i64(vm, args[1], &i)) return V_NULL;
    return ou_list_insert(vm, as_list(args[0]), i, args[2]) ? V_NONE : V_NULL;
}

static Value list_pop(VM *vm, const Value *args, int n)
{
    List *l = as_list(args[0]);
    int64_t i = -1;
    if (n > 1 && !ou_index_i64(vm, args[1], &i)) return V_NULL;
    if (l->n == 0) return ou_raise(vm, E_INDEX, "pop from empty list");
    if (i < 0) i += l->n;
    if (i < 0 || i >= l->n) return ou_raise(vm, E_INDEX, "pop index out of range");
    Value v = take_at(l, (size_t)i);
    if (l->n < l->cap / 2) shrink(vm, l);
    return v;
}

static Value list_remove(VM *vm, const Value *args, int n)
{
    (void)n;
    List *l = as_list(args[0]);
    int64_t i = find(vm, l, args[1], 0, INT64_MAX);
    if (i == -2) return V_NULL;
    if (i < 0) return ou_raise(vm, E_VALUE, "list.remove(x): x not in list");
    if (i < l->n) ou_list_remove_at(vm, l, (size_t)i);
    return V_NONE;
}

static Value list_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    clear_items(vm, as_list(args[0]));
    return V_NONE;
}

static Value list_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_list_of(vm, as_list(args[0])->items, as_list(args[0])->n);
}

static Value list_index(VM *vm, const Value *args, int n)
{
    List *l = as_list(args[0]);
    int64_t from = 0, to = INT64_MAX;
    if (!ou_seq_bounds(vm, n > 2 ? args[2] : V_NULL, n > 3 ? args[3] : V_NULL, l->n, &from, &to)) return V_NULL;
    int64_t i = find(vm, l, args[1], from, to);
    if (i == -2) return V_NULL;
    return i >= 0 ? v_smallint(i) : ou_raise(vm, E_VALUE, "%R is not in list", args[1]);
}

static Value list_count(VM *vm, const Value *args, int n)
{
    (void)n;
    List *l = as_list(args[0]);
    int64_t count = 0, i = -1;
    while ((i = find(vm, l, args[1], i + 1, INT64_MAX)) >= 0) count++;
    return i == -2 ? V_NULL : v_smallint(count);
}

static Value list_reverse(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    List *l = as_list(args[0]);
    for (uint32_t i = 0, j = l->n; i + 1 < j; i++) {
        Value t = l->items[i];
        l->items[i] = l->items[--j];
        l->items[j] = t;
    }
    return V_NONE;
}

static Value list_sort(VM *vm, const Value *args, int n)
{
    (void)n;
    int reverse = args[2] == V_NULL ? 0 : ou_truth(vm, args[2]);
    if (reverse < 0) return V_NULL;
    return ou_list_sort(vm, as_list(args[0]), args[1] == V_NULL ? V_NONE : args[1], reverse) ? V_NONE : V_NULL;
}

static Value list_iter(VM *vm, Value self) { return ou_seqiter_new(vm, T_LIST_ITER, self, 0); }

static Value list_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_seqiter_new(vm, T_LIST_REVITER, args[0], (int64_t)as_list(args[0])->n - 1);
}

static const NativeDef list_methods[] = {
    {"append(object, /)", list_append, "Append object to the end of the list.", 0},
    {"extend(iterable, /)", list_extend, "Extend list by appending elements from the iterable.", 0},
    {"insert(index, object, /)", list_insert, "Insert object before index.", 0},
    {"pop(index=-1, /)", list_pop, "Remove and return item at index (default last).\n\nRaises IndexError if list is empty or index is out of range.", 0},
    {"remove(value, /)", list_remove, "Remove first occurrence of value.\n\nRaises ValueError if the value is not present.", 0},
    {"clear()", list_clear, "Remove all items from list.", 0},
    {"copy()", list_copy, "Return a shallow copy of the list.", 0},
    {"index(value, start=0, stop=sys.maxsize, /)", list_index, "Return first index of value.\n\nRaises ValueError if the value is not present.", 0},
    {"count(value, /)", list_count, "Return number of occurrences of value.", 0},
    {"reverse()", list_reverse, "Reverse *IN PLACE*.", 0},
    {"sort(*, key=None, reverse=False)", list_sort, "Sort the list in ascending order and return None. The sort is in-place and stable.", 0},
    {"__reversed__()", list_reversed, "Return a reverse iterator over the list.", 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};

const TypeDef ou_type_list = {
    .name = "list",
    .size = sizeof(List),
    .flags = TF_GC | TF_BASE | TF_SEQUENCE | TF_MATCH_SELF,
    .slots = {.make = list_make,
              .init = list_init,
              .dealloc = list_dealloc,
              .traverse = list_traverse,
              .clear = list_clear_slot,
              .repr = list_repr,
              .compare = list_compare,
              .len = list_len,
              .getitem = list_getitem,
              .setitem = list_setitem,
              .contains = list_contains,
              .iter = list_iter,
              .binary = {[BIN_ADD] = list_add, [BIN_MUL] = list_mul},
              .inplace = {[BIN_ADD] = list_iadd, [BIN_MUL] = list_imul}},
    .methods = list_methods,
    .doc = "Built-in mutable sequence.\n\nIf no argument is given, the constructor creates a new empty list.\n"
           "The argument must be an iterable if specified.",
    .new_sig = "(iterable=(), /)"};

/* ---- iterators ---------------------------------------------------------------------------------------------------------------- */

static Value list_iter_next(VM *vm, Value self)
{
    SeqIter *it = (SeqIter *)v_obj(self);
    if (it->seq == V_NULL) return V_NULL;
    List *l = as_list(it->seq);
    if (it->index < l->n) return retain(l->items[it->index++]);
    set_owned(vm, &it->seq, V_NULL);
    return V_NULL;
}

static Value list_iter_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    SeqIter *it = (SeqIter *)v_obj(args[0]);
    int64_t left = it->seq == V_NULL ? 0 : (int64_t)as_list(it->seq)->n - it->index;
    return v_smallint(left < 0 ? 0 : left);
}

static Value list_reviter_next(VM *vm, Value self)
{
    SeqIter *it = (SeqIter *)v_obj(self);
    if (it->seq == V_NULL) return V_NULL;
    List *l = as_list(it->seq);
    if (it->index >= 0 && it->index < l->n) return retain(l->items[it->index--]);
    set_owned(vm, &it->seq, V_NULL);
    return V_NULL;
}

static Value list_reviter_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    SeqIter *it = (SeqIter *)v_obj(args[0]);
    return v_smallint(it->seq == V_NULL || it->index >= as_list(it->seq)->n ? 0 : it->index + 1);
}

static const NativeDef list_iter_methods[] = {
    {"__length_hint__()", list_iter_hint, "Private method returning an estimate of len(list(it)).", 0},
    SEQITER_METHODS,
    {0}};
static const NativeDef list_reviter_methods[] = {
    {"__length_hint__()", list_reviter_hint, "Private method returning an estimate of len(list(it)).", 0},
    SEQITER_METHODS,
    {0}};

const TypeDef ou_type_list_iter = {.name = "list_iterator",
                                   .size = sizeof(SeqIter),
                                   .flags = TF_GC | TF_NO_NEW,
                                   .slots = {.dealloc = ou_seqiter_dealloc,
                                             .traverse = ou_seqiter_traverse,
                                             .iter = ou_iter_self,
                                             .next = list_iter_next},
                                   .methods = list_iter_methods};
const TypeDef ou_type_list_reviter = {.name = "list_reverseiterator",
                                      .size = sizeof(SeqIter),
                                      .flags = TF_GC | TF_NO_NEW,
                                      .slots = {.dealloc = ou_seqiter_dealloc,
                                                .traverse = ou_seqiter_traverse,
                                                .iter = ou_iter_self,
                                                .next = list_reviter_next},
                                      .methods = list_reviter_methods};
