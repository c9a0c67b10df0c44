/* Sorting lists: a stable merge sort that uses the runs it finds (Munro and Wild's powersort merge policy, galloping merges
 * after Peters). Entry point: ou_list_sort.
 * Keys that are all small ints, all floats or all str are compared without any call; one inlined copy of the algorithm exists
 * for each of these cases. While a comparison runs script code the list is empty, and a failing comparison leaves a
 * permutation of the items. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

enum { KIND_INT, KIND_FLOAT, KIND_STR, KIND_ANY };
enum { MIN_RUN = 24, GALLOP_AFTER = 7, MAX_RUNS = 72 };

typedef struct Run {
    size_t start, len;
    int power;
} Run;

typedef struct Sorter {
    VM *vm;
    Value *k, *v;   /* keys; values that move along with them, or NULL */
    Value *tk, *tv; /* scratch: half the length */
    size_t n;
    bool failed;
    Run runs[MAX_RUNS];
    int nruns;
} Sorter;

#define FORCE_INLINE static inline __attribute__((always_inline))

static inline bool str_less(const Str *x, const Str *y)
{
    uint32_t n = x->size < y->size ? x->size : y->size;
    int c = memcmp(x->data, y->data, n); /* UTF-8 orders like code points */
    return c ? c < 0 : x->size < y->size;
}

/* Tuples whose deciding items are plain: 1, 0, or -1 if the general comparison has to decide. */
static int tuple_less(const Tuple *x, const Tuple *y)
{
    uint32_t n = x->n < y->n ? x->n : y->n;
    for (uint32_t i = 0; i < n; i++) {
        Value a = x->items[i], b = y->items[i];
        if (are_small(a, b)) {
            if (a != b) return a < b;
        } else if (is_str(a) && is_str(b)) {
            if (a != b && !ou_str_equal(as_str(a), as_str(b))) return str_less(as_str(a), as_str(b));
        } else if (is_float(a) && is_float(b)) {
            double p = v_double(a), q = v_double(b);
            if (a != b && p != q) return p < q;
        } else if (a != b) {
            return -1;
        }
    }
    return x->n < y->n;
}

/* a < b; after a failure everything counts as "not less", so that loops end quickly. */
FORCE_INLINE bool less(Sorter *s, Value a, Value b, int kind)
{
    if (kind == KIND_INT) return a < b; /* the excess encoding keeps the order */
    if (kind == KIND_FLOAT) return v_double(a) < v_double(b);
    if (kind == KIND_STR) return str_less(as_str(a), as_str(b));
    if (s->failed) return false;
    if (are_small(a, b)) return a < b;
    int r = -1;
    if (is_exact(a, T_TUPLE) && is_exact(b, T_TUPLE)) r = tuple_less(as_tuple(a), as_tuple(b));
    if (r < 0) r = ou_compare_bool(s->vm, a, b, CMP_LT);
    if (r < 0) s->failed = true;
    return r > 0;
}

FORCE_INLINE void put(Sorter *s, size_t to, size_t from)
{
    s->k[to] = s->k[from];
    if (s->v) s->v[to] = s->v[from];
}

static void reverse_range(Value *p, size_t from, size_t to)
{
    while (from + 1 < to) {
        Value t = p[from];
        p[from++] = p[--to];
        p[to] = t;
    }
}

/* The length of the run at `from`, made ascending. */
FORCE_INLINE size_t find_run(Sorter *s, size_t from, int kind)
{
    size_t i = from + 1;
    if (i >= s->n) return 1;
    if (less(s, s->k[i], s->k[i - 1], kind)) {
        for (i++; i < s->n && less(s, s->k[i], s->k[i - 1], kind); i++) {
        }
        reverse_range(s->k, from, i);
        if (s->v) reverse_range(s->v, from, i);
    } else {
        for (i++; i < s->n && !less(s, s->k[i], s->k[i - 1], kind); i++)
            if (s->failed) break;
    }
    return i - from;
}

/* Sorts [from, to), whose first `sorted` items are in order already, by binary insertion. */
FORCE_INLINE void insertion(Sorter *s, size_t from, size_t to, size_t sorted, int kind)
{
    for (size_t i = from + sorted; i < to && !s->failed; i++) {
        Value k = s->k[i], v = s->v ? s->v[i] : V_NONE;
        size_t lo = from, hi = i;
        while (lo < hi) {
            size_t mid = lo + (hi - lo) / 2;
            if (less(s, k, s->k[mid], kind)) hi = mid;
            else lo = mid + 1;
        }
        if (s->failed) return;
        memmove(s->k + lo + 1, s->k + lo, (i - lo) * sizeof(Value));
        s->k[lo] = k;
        if (s->v) {
            memmove(s->v + lo + 1, s->v + lo, (i - lo) * sizeof(Value));
            s->v[lo] = v;
        }
    }
}

/* In the ascending p[0..n): how many items are less than x (right false) or not greater than x (right true), searching
 * exponentially from the front or from the back. */
FORCE_INLINE size_t gallop(Sorter *s, const Value *p, size_t n, Value x, bool right, bool from_back, int kind)
{
#define BEFORE(i) (right ? !less(s, x, p[i], kind) : less(s, p[i], x, kind))
    size_t lo = 0, hi = n, step = 1;
    if (!from_back) {
        while (lo + step - 1 < n && BEFORE(lo + step - 1)) {
            if (s->failed) return 0;
            lo += step;
            step <<= 1;
        }
        if (lo + step - 1 < n) hi = lo + step - 1;
    } else {
        while (hi >= step && !BEFORE(hi - step)) {
            if (s->failed) return 0;
            hi -= step;
            step <<= 1;
        }
        if (hi >= step) lo = hi - step + 1;
    }
    while (lo < hi && !s->failed) {
        size_t mid = lo + (hi - lo) / 2;
        if (BEFORE(mid)) lo = mid + 1;
        else hi = mid;
    }
    return lo;
#undef BEFORE
}

static void copy_out(Sorter *s, size_t from, size_t n)
{
    memcpy(s->tk, s->k + from, n * sizeof(Value));
    if (s->v) memcpy(s->tv, s->v + from, n * sizeof(Value));
}
static void copy_in(Sorter *s, size_t to, size_t from, size_t n)
{
    memcpy(s->k + to, s->tk + from, n * sizeof(Value));
    if (s->v) memcpy(s->v + to, s->tv + from, n * sizeof(Value));
}
static void shift(Sorter *s, size_t to, size_t from, size_t n)
{
    memmove(s->k + to, s->k + from, n * sizeof(Value));
    if (s->v) memmove(s->v + to, s->v + from, n * sizeof(Value));
}

/* Merges [a, b) and [b, c) with the left part in the scratch, writing forwards. */
FORCE_INLINE void merge_low(Sorter *s, size_t a, size_t b, size_t c, int kind)
{
    size_t n = b - a, i = 0, j = b, w = a;
    copy_out(s, a, n);
    size_t wins_left = 0, wins_right = 0;
    while (i < n && j < c && !s->failed) {
        if (less(s, s->k[j], s->tk[i], kind)) {
            put(s, w++, j++);
            wins_right++;
            wins_left = 0;
        } else {
            s->k[w] = s->tk[i];
            if (s->v) s->v[w] = s->tv[i];
            w++, i++;
            wins_left++;
            wins_right = 0;
        }
        if (wins_left >= GALLOP_AFTER && i < n && j < c) {
            size_t m = gallop(s, s->tk + i, n - i, s->k[j], true, false, kind);
            if (!s->failed) {
                copy_in(s, w, i, m);
                w += m, i += m;
            }
            wins_left = 0;
        } else if (wins_right >= GALLOP_AFTER && i < n && j < c) {
            size_t m = gallop(s, s->k + j, c - j, s->tk[i], false, false, kind);
            if (!s->failed) {
                shift(s, w, j, m);
                w += m, j += m;
            }
            wins_right = 0;
        }
    }
    if (i < n) copy_in(s, w, i, n - i); /* also after a failure: the gap is exactly as long */
}

/* The mirror image: the right part in the scratch, writing backwards. */
FORCE_INLINE void merge_high(Sorter *s, size_t a, size_t b, size_t c, int kind)
{
    size_t j = c - b, i = b, w = c; /* left items [a, i), scratch items [0, j) are still to be placed */
    copy_out(s, b, j);
    size_t wins_left = 0, wins_right = 0;
    while (i > a && j > 0 && !s->failed) {
        if (less(s, s->tk[j - 1], s->k[i - 1], kind)) {
            put(s, --w, --i);
            wins_left++;
            wins_right = 0;
        } else {
            if (s->failed) break;
            w--, j--;
            s->k[w] = s->tk[j];
            if (s->v) s->v[w] = s->tv[j];
            wins_right++;
            wins_left = 0;
        }
        if (wins_left >= GALLOP_AFTER && i > a && j > 0) {
            size_t keep = gallop(s, s->k + a, i - a, s->tk[j - 1], true, true, kind), m = i - a - keep;
            if (!s->failed) {
                shift(s, w - m, i - m, m);
                w -= m, i -= m;
            }
            wins_left = 0;
        } else if (wins_right >= GALLOP_AFTER && i > a && j > 0) {
            size_t keep = gallop(s, s->tk, j, s->k[i - 1], false, true, kind), m = j - keep;
            if (!s->failed) {
                w -= m, j -= m;
                copy_in(s, w, j, m);
            }
            wins_right = 0;
        }
    }
    if (j > 0) copy_in(s, w - j, 0, j);
}

FORCE_INLINE void merge(Sorter *s, Run *x, const Run *y, int kind)
{
    size_t a = x->start, b = y->start, c = y->start + y->len;
    x->len += y->len;
    a += gallop(s, s->k + a, b - a, s->k[b], true, false, kind);
    if (s->failed || a == b) return;
    c = b + gallop(s, s->k + b, c - b, s->k[b - 1], false, true, kind);
    if (s->failed || c == b) return;
    if (b - a <= c - b) merge_low(s, a, b, c, kind);
    else merge_high(s, a, b, c, kind);
}

/* Powersort: the depth of the boundary between two neighbouring runs in an ideal merge tree over [0, n). */
static int node_power(size_t s1, size_t n1, size_t n2, size_t n)
{
    int result = 0;
    uint64_t a = 2 * (uint64_t)s1 + n1, b = a + n1 + n2;
    for (;;) {
        result++;
        if (a >= n) a -= n, b -= n;
        else if (b >= n) return result;
        a <<= 1, b <<= 1;
    }
}

FORCE_INLINE void sort_all(Sorter *s, int kind)
{
    size_t at = 0;
    while (at < s->n && !s->failed) {
        size_t len = find_run(s, at, kind);
        if (s->failed) return;
        if (len < MIN_RUN && at + len < s->n) {
            size_t to = at + MIN_RUN < s->n ? at + MIN_RUN : s->n;
            insertion(s, at, to, len, kind);
            len = to - at;
        }
        Run r = {at, len, 0};
        if (s->nruns) {
            Run *top = &s->runs[s->nruns - 1];
            int power = node_power(top->start, top->len, len, s->n);
            while (s->nruns > 1 && s->runs[s->nruns - 2].power > power && !s->failed) {
                merge(s, &s->runs[s->nruns - 2], &s->runs[s->nruns - 1], kind);
                s->nruns--;
            }
            s->runs[s->nruns - 1].power = power;
        }
        s->runs[s->nruns++] = r;
        at += len;
    }
    while (s->nruns > 1 && !s->failed) {
        merge(s, &s->runs[s->nruns - 2], &s->runs[s->nruns - 1], kind);
        s->nruns--;
    }
}

static void sort_ints(Sorter *s) { sort_all(s, KIND_INT); }
static void sort_floats(Sorter *s) { sort_all(s, KIND_FLOAT); }
static void sort_strs(Sorter *s) { sort_all(s, KIND_STR); }
static void sort_any(Sorter *s) { sort_all(s, KIND_ANY); }

static int kind_of(const Value *k, size_t n)
{
    Value v = k[0];
    int kind = is_small(v) ? KIND_INT : is_float(v) ? KIND_FLOAT : is_str(v) ? KIND_STR : KIND_ANY;
    for (size_t i = 1; i < n; i++) {
        v = k[i];
        if (kind == KIND_INT ? !is_small(v) : kind == KIND_FLOAT ? !is_float(v) : !is_str(v)) return KIND_ANY;
    }
    return kind;
}

/* Sorts keys (and vals along with them). False: a comparison raised. */
static bool sort_arrays(VM *vm, Value *keys, Value *vals, size_t n)
{
    if (n < 2) return true;
    size_t half = n / 2 + 1, bytes = half * sizeof(Value) * (vals ? 2 : 1);
    Sorter s;
    s.vm = vm;
    s.k = keys;
    s.v = vals;
    s.n = n;
    s.nruns = 0;
    s.failed = false;
    s.tk = ou_alloc(&vm->heap, bytes);
    if (!s.tk) return ou_raise_memory(vm), false;
    s.tv = vals ? s.tk + half : NULL;
    switch (kind_of(keys, n)) {
    case KIND_INT: sort_ints(&s); break;
    case KIND_FLOAT: sort_floats(&s); break;
    case KIND_STR: sort_strs(&s); break;
    default: sort_any(&s); break;
    }
    ou_free(&vm->heap, s.tk, bytes);
    return !s.failed;
}

bool ou_list_sort(VM *vm, List *l, Value key, bool reverse)
{
    Value *items = l->items, *keys = NULL;
    uint32_t n = l->n, cap = l->cap;
    bool ok = true;
    l->items = NULL; /* scripts that run meanwhile see an empty list */
    l->n = l->cap = 0;
    retain(v_of(l));
    if (key != V_NONE && n) {
        keys = ou_alloc(&vm->heap, n * sizeof(Value));
        if (!keys) ok = false, ou_raise_memory(vm);
        uint32_t made = 0;
        for (; ok && made < n; made++) {
            keys[made] = ou_call1(vm, key, items[made]);
            if (keys[made] == V_NULL) {
                ok = false;
                break;
            }
        }
        if (!ok && keys)
            while (made) release(vm, keys[--made]);
    }
    if (ok && n) {
        if (reverse) { /* equal items keep their order */
            reverse_range(items, 0, n);
            if (keys) reverse_range(keys, 0, n);
        }
        ok = sort_arrays(vm, keys ? keys : items, keys ? items : NULL, n);
        if (reverse) reverse_range(items, 0, n);
        if (keys)
            for (uint32_t i = 0; i < n; i++) release(vm, keys[i]);
    }
    if (keys) ou_free(&vm->heap, keys, n * sizeof(Value));
    Value *other = l->items;
    uint32_t other_n = l->n, other_cap = l->cap;
    l->items = items;
    l->n = n;
    l->cap = cap;
    if (other || other_cap) {
        if (ok) ok = false, ou_raise(vm, E_VALUE, "list modified during sort");
        for (uint32_t i = 0; i < other_n; i++) release(vm, other[i]);
        ou_free(&vm->heap, other, other_cap * sizeof(Value));
    }
    obj_release(vm, l);
    return ok;
}
