/* itertools' combinatorics: product, combinations, combinations_with_replacement, permutations.
 * v[0] is the pool (a tuple; for product a tuple of tuples), v[1] a list of indices, v[2] the cycles of permutations. The
 * first call of next gives the initial indices as they are. */
#include "stdlib/itertools.h"

static Value index_list(VM *vm, int64_t n, bool count_up)
{
    Value l = ou_list_new(vm, (size_t)n);
    if (l == V_NULL) return V_NULL;
    for (int64_t i = 0; i < n; i++) as_list(l)->items[i] = v_smallint(count_up ? i : 0);
    as_list(l)->n = (uint32_t)n;
    return l;
}

static int64_t get(const List *l, int64_t i) { return v_small(l->items[i]); }
static void put(List *l, int64_t i, int64_t x) { l->items[i] = v_smallint(x); }

static Value finish(It *it)
{
    it->done = true;
    return V_NULL;
}

/* The items of the pool at the first r indices. */
static Value pick(VM *vm, It *it)
{
    int64_t r = it->n[0];
    Value t = ou_tuple_new(vm, (size_t)r);
    if (t == V_NULL) return V_NULL;
    const List *idx = as_list(it->v[1]);
    for (int64_t i = 0; i < r; i++) as_tuple(t)->items[i] = retain(tuple_at(it, 0)->items[get(idx, i)]);
    return t;
}

static bool choose_args(VM *vm, const char *sig, const Value *args, int n, Tuple *kwnames, Value *pool, int64_t *r, bool optional)
{
    Value a[2];
    if (!ou_bind(vm, sig, args, n, kwnames, a)) return false;
    *pool = ou_tuple_from(vm, a[0]);
    if (*pool == V_NULL) return false;
    *r = as_tuple(*pool)->n;
    if (optional && (a[1] == V_NULL || a[1] == V_NONE)) return true;
    if (optional && !ou_is_a(vm, a[1], T_INT)) {
        ou_raise(vm, E_TYPE, "Expected int as r");
    } else if (ou_index_i64(vm, a[1], r)) {
        if (*r >= 0) return true;
        ou_raise(vm, E_VALUE, "r must be non-negative");
    }
    release(vm, *pool);
    return false;
}

static Value choose_new(VM *vm, Type *cls, Value pool, int64_t r, int64_t indices, bool count_up, bool impossible)
{
    It *it = ou_it_new(vm, cls);
    if (!it) {
        release(vm, pool);
        return V_NULL;
    }
    it->v[0] = pool;
    it->n[0] = r;
    it->done = impossible;
    if (impossible) indices = 0;
    it->v[1] = index_list(vm, indices, count_up);
    if (it->v[1] != V_NULL) return v_of(it);
    obj_release(vm, it);
    return V_NULL;
}

/* ---- product -------------------------------------------------------------------------------------------------------------- */

static Value product_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    int64_t repeat = 1;
    for (uint32_t i = 0; kwnames && i < kwnames->n; i++) {
        if (!ou_str_eq_c(as_str(kwnames->items[i]), "repeat"))
            return ou_raise(vm, E_TYPE, "product() got an unexpected keyword argument '%U'", kwnames->items[i]);
        if (!ou_index_i64(vm, args[n + (int)i], &repeat)) return V_NULL;
        if (repeat < 0) return ou_raise(vm, E_VALUE, "repeat argument cannot be negative");
    }
    if (n && repeat > UINT32_MAX / n) return ou_raise(vm, E_OVERFLOW, "repeat argument too large");
    int64_t total = n * repeat;
    It *it = ou_it_new(vm, cls);
    if (!it) return V_NULL;
    it->v[0] = ou_tuple_new(vm, (size_t)total);
    bool ok = it->v[0] != V_NULL;
    for (int i = 0; ok && i < n; i++) {
        Value pool = repeat ? ou_tuple_from(vm, args[i]) : ou_tuple_new(vm, 0);
        ok = pool != V_NULL;
        for (int64_t k = 0; ok && k < repeat; k++) tuple_at(it, 0)->items[k * n + i] = retain(pool);
        if (ok && repeat && as_tuple(pool)->n == 0) it->done = true;
        xrelease(vm, pool);
    }
    if (ok) ok = (it->v[1] = index_list(vm, total, false)) != V_NULL;
    if (ok) return v_of(it);
    obj_release(vm, it);
    return V_NULL;
}

static Value product_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->done) return V_NULL;
    Tuple *pools = tuple_at(it, 0);
    List *idx = as_list(it->v[1]);
    if (it->flag) {
        int64_t i = (int64_t)pools->n - 1;
        for (; i >= 0; i--) {
            int64_t next = get(idx, i) + 1;
            if (next < as_tuple(pools->items[i])->n) {
                put(idx, i, next);
                break;
            }
            put(idx, i, 0);
        }
        if (i < 0) return finish(it);
    }
    it->flag = true;
    Value t = ou_tuple_new(vm, pools->n);
    if (t == V_NULL) return V_NULL;
    for (uint32_t i = 0; i < pools->n; i++) as_tuple(t)->items[i] = retain(as_tuple(pools->items[i])->items[get(idx, i)]);
    return t;
}

IT_TYPE(product, "product", product_next,
        "Cartesian product of input iterables.  Equivalent to nested for-loops.\n\nFor example, product(A, B) returns the same "
        "as:  ((x,y) for x in A for y in B).", .new_sig = NULL);

/* ---- combinations ---------------------------------------------------------------------------------------------------------------- */

static Value combinations_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value pool;
    int64_t r;
    if (!choose_args(vm, "combinations(iterable, r)", args, n, kwnames, &pool, &r, false)) return V_NULL;
    return choose_new(vm, cls, pool, r, r, true, r > as_tuple(pool)->n);
}

static Value combinations_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->done) return V_NULL;
    if (it->flag) {
        List *idx = as_list(it->v[1]);
        int64_t r = it->n[0], n = tuple_at(it, 0)->n, i = r - 1;
        while (i >= 0 && get(idx, i) == i + n - r) i--;
        if (i < 0) return finish(it);
        put(idx, i, get(idx, i) + 1);
        for (i++; i < r; i++) put(idx, i, get(idx, i - 1) + 1);
    }
    it->flag = true;
    return pick(vm, it);
}

IT_TYPE(combinations, "combinations", combinations_next,
        "Return successive r-length combinations of elements in the iterable.\n\ncombinations(range(4), 3) --> (0,1,2), "
        "(0,1,3), (0,2,3), (1,2,3)", .new_sig = NULL);

static Value combinations_wr_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value pool;
    int64_t r;
    if (!choose_args(vm, "combinations_with_replacement(iterable, r)", args, n, kwnames, &pool, &r, false)) return V_NULL;
    return choose_new(vm, cls, pool, r, r, false, as_tuple(pool)->n == 0 && r > 0);
}

static Value combinations_wr_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->done) return V_NULL;
    if (it->flag) {
        List *idx = as_list(it->v[1]);
        int64_t r = it->n[0], n = tuple_at(it, 0)->n, i = r - 1;
        while (i >= 0 && get(idx, i) == n - 1) i--;
        if (i < 0) return finish(it);
        int64_t x = get(idx, i) + 1;
        for (; i < r; i++) put(idx, i, x);
    }
    it->flag = true;
    return pick(vm, it);
}

IT_TYPE(combinations_wr, "combinations_with_replacement", combinations_wr_next,
        "Return successive r-length combinations of elements in the iterable allowing individual elements to have successive "
        "repeats.\n\ncombinations_with_replacement('ABC', 2) --> ('A','A'), ('A','B'), ('A','C'), ('B','B'), ('B','C'), "
        "('C','C')", .new_sig = NULL);

/* ---- permutations ----------------------------------------------------------------------------------------------------------------- */

static Value permutations_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value pool;
    int64_t r;
    if (!choose_args(vm, "permutations(iterable, r=None)", args, n, kwnames, &pool, &r, true)) return V_NULL;
    int64_t size = as_tuple(pool)->n;
    Value v = choose_new(vm, cls, pool, r, size, true, r > size);
    if (v == V_NULL) return V_NULL;
    It *it = as_it(v);
    it->v[2] = index_list(vm, it->done ? 0 : r, true);
    if (it->v[2] == V_NULL) {
        release(vm, v);
        return V_NULL;
    }
    for (int64_t i = 0; !it->done && i < r; i++) put(as_list(it->v[2]), i, size - i);
    return v;
}

static Value permutations_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->done) return V_NULL;
    if (it->flag) {
        List *idx = as_list(it->v[1]), *cycles = as_list(it->v[2]);
        int64_t n = tuple_at(it, 0)->n, i = it->n[0] - 1;
        for (; i >= 0; i--) {
            int64_t c = get(cycles, i) - 1;
            if (c == 0) { /* rotate the tail back */
                Value first = idx->items[i];
                memmove(idx->items + i, idx->items + i + 1, (size_t)(n - i - 1) * sizeof(Value));
                idx->items[n - 1] = first;
                put(cycles, i, n - i);
            } else {
                put(cycles, i, c);
                Value t = idx->items[i];
                idx->items[i] = idx->items[n - c];
                idx->items[n - c] = t;
                break;
            }
        }
        if (i < 0) return finish(it);
    }
    it->flag = true;
    return pick(vm, it);
}

IT_TYPE(permutations, "permutations", permutations_next,
        "Return successive r-length permutations of elements in the iterable.\n\npermutations(range(3), 2) --> (0,1), (0,2), "
        "(1,0), (1,2), (2,0), (2,1)", .new_sig = NULL);
