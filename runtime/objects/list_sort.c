/* Sorting lists: a stable merge sort that uses the runs it finds (Munro and Wild's powersort merge policy, galloping merges
 * after Peters, as CPython's Objects/listsort.txt describes it). Entry point: ou_list_sort. Scripts see each comparison, so these are
 * CPython's, one by one.
 * Keys that are all small ints, all floats or all str are compared without any call; one inlined copy of the algorithm exists
 * for each of these cases. While a comparison runs script code the list is empty, and a failing comparison leaves a
 * permutation of the items. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

enum { KIND_INT, KIND_FLOAT, KIND_STR, KIND_ANY };
enum { MIN_GALLOP = 7, MAX_RUNS = 72 };

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
    size_t min_gallop; /* wins in a row before it gallops: adapts to the data */
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

static void reverse_both(Sorter *s, size_t from, size_t to)
{
    reverse_range(s->k, from, to);
    if (s->v) reverse_range(s->v, from, to);
}

/* The length of the run at `from`, made ascending. A descending run may hold equal items: each stretch of them is turned round by
 * itself first, so that all keep their order in the end. */
FORCE_INLINE size_t find_run(Sorter *s, size_t from, int kind)
{
#define NEXT_SMALLER less(s, s->k[i], s->k[i - 1], kind)
    size_t i = from + 1, equal = 0;
    while (i < s->n && !NEXT_SMALLER && !s->failed) i++;
    if (i >= s->n || s->failed) return i - from;
    if (i > from + 1) {
        if (less(s, s->k[from], s->k[i - 1], kind) || s->failed) return i - from;
        reverse_both(s, from, i); /* all equal so far */
    }
    for (i++; i < s->n; i++) {
        if (NEXT_SMALLER) {
            if (equal) reverse_both(s, i - equal - 1, i);
            equal = 0;
        } else if (s->failed || less(s, s->k[i - 1], s->k[i], kind)) {
            break;
        } else {
            equal++;
        }
    }
    if (s->failed) return i - from;
    if (equal) reverse_both(s, i - equal - 1, i);
    reverse_both(s, from, i);
    while (i < s->n && !s->failed && !NEXT_SMALLER) i++;
    return i - from;
#undef NEXT_SMALLER
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

/* In the ascending p[0..n): how many items are less than x (gallop_left) or not greater than x (gallop_right), searching
 * exponentially from the item `hint` on. */
FORCE_INLINE size_t gallop_left(Sorter *s, Value x, const Value *p, size_t n, size_t hint, int kind)
{
    size_t near = 0, far = 1, low, high; /* distances from the hint */
    if (less(s, p[hint], x, kind)) {
        size_t most = n - hint;
        while (far < most && less(s, p[hint + far], x, kind)) near = far, far = 2 * far + 1;
        low = hint + near + 1;
        high = hint + (far < most ? far : most);
    } else {
        size_t most = hint + 1;
        while (far < most && !less(s, p[hint - far], x, kind)) near = far, far = 2 * far + 1;
        low = hint + 1 - (far < most ? far : most);
        high = hint - near;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (less(s, p[mid], x, kind)) low = mid + 1;
        else high = mid;
    }
    return high;
}

FORCE_INLINE size_t gallop_right(Sorter *s, Value x, const Value *p, size_t n, size_t hint, int kind)
{
    size_t near = 0, far = 1, low, high;
    if (less(s, x, p[hint], kind)) {
        size_t most = hint + 1;
        while (far < most && less(s, x, p[hint - far], kind)) near = far, far = 2 * far + 1;
        low = hint + 1 - (far < most ? far : most);
        high = hint - near;
    } else {
        size_t most = n - hint;
        while (far < most && !less(s, x, p[hint + far], kind)) near = far, far = 2 * far + 1;
        low = hint + near + 1;
        high = hint + (far < most ? far : most);
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (less(s, x, p[mid], kind)) high = mid;
        else low = mid + 1;
    }
    return high;
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

FORCE_INLINE void put_back(Sorter *s, size_t to, size_t from)
{
    s->k[to] = s->tk[from];
    if (s->v) s->v[to] = s->tv[from];
}

/* Merges [a, b) and [b, c), of which the first item comes first and the last of [a, b) last, with the left part in the scratch, writing
 * forwards. What is written and what is still to be read leave a gap as long as what is left in the scratch, also after a failure. */
FORCE_INLINE void merge_low(Sorter *s, size_t a, size_t b, size_t c, int kind)
{
    size_t n = b - a, i = 0, j = b, w = a;
    copy_out(s, a, n);
    put(s, w++, j++);
    if (j == c) goto done;
    if (n == 1) goto last;
    for (;;) {
        size_t left = 0, right = 0; /* won in a row; found by galloping */
        for (;;) {
            if (less(s, s->k[j], s->tk[i], kind)) {
                put(s, w++, j++);
                right++, left = 0;
                if (j == c) goto done;
                if (right >= s->min_gallop) break;
            } else {
                if (s->failed) goto done;
                put_back(s, w++, i++);
                left++, right = 0;
                if (n - i == 1) goto last;
                if (left >= s->min_gallop) break;
            }
        }
        s->min_gallop++;
        do {
            s->min_gallop -= s->min_gallop > 1;
            left = gallop_right(s, s->k[j], s->tk + i, n - i, 0, kind);
            if (s->failed) goto done;
            copy_in(s, w, i, left);
            w += left, i += left;
            if (n - i == 1) goto last;
            if (n == i) goto done;
            put(s, w++, j++);
            if (j == c) goto done;
            right = gallop_left(s, s->tk[i], s->k + j, c - j, 0, kind);
            if (s->failed) goto done;
            shift(s, w, j, right);
            w += right, j += right;
            if (j == c) goto done;
            put_back(s, w++, i++);
            if (n - i == 1) goto last;
        } while (left >= MIN_GALLOP || right >= MIN_GALLOP);
        s->min_gallop++;
    }
last: /* it belongs behind all of the right part */
    shift(s, w, j, c - j);
    w += c - j;
done:
    copy_in(s, w, i, n - i);
}

/* The mirror image: the right part in the scratch, writing backwards. */
FORCE_INLINE void merge_high(Sorter *s, size_t a, size_t b, size_t c, int kind)
{
    size_t j = c - b, i = b, w = c; /* left items [a, i), scratch items [0, j) are still to be placed */
    copy_out(s, b, j);
    put(s, --w, --i);
    if (i == a) goto done;
    if (j == 1) goto last;
    for (;;) {
        size_t left = 0, right = 0;
        for (;;) {
            if (less(s, s->tk[j - 1], s->k[i - 1], kind)) {
                put(s, --w, --i);
                left++, right = 0;
                if (i == a) goto done;
                if (left >= s->min_gallop) break;
            } else {
                if (s->failed) goto done;
                put_back(s, --w, --j);
                right++, left = 0;
                if (j == 1) goto last;
                if (right >= s->min_gallop) break;
            }
        }
        s->min_gallop++;
        do {
            s->min_gallop -= s->min_gallop > 1;
            left = i - a - gallop_right(s, s->tk[j - 1], s->k + a, i - a, i - a - 1, kind);
            if (s->failed) goto done;
            w -= left, i -= left;
            shift(s, w, i, left);
            if (i == a) goto done;
            put_back(s, --w, --j);
            if (j == 1) goto last;
            right = j - gallop_left(s, s->k[i - 1], s->tk, j, j - 1, kind);
            if (s->failed) goto done;
            w -= right, j -= right;
            copy_in(s, w, j, right);
            if (j == 1) goto last;
            if (j == 0) goto done;
            put(s, --w, --i);
            if (i == a) goto done;
        } while (left >= MIN_GALLOP || right >= MIN_GALLOP);
        s->min_gallop++;
    }
last: /* it belongs in front of all of the left part */
    w -= i - a;
    shift(s, w, a, i - a);
done:
    copy_in(s, w - j, 0, j);
}

/* Run x and the one behind it become one. */
FORCE_INLINE void merge(Sorter *s, int x, int kind)
{
    Run *r = s->runs + x;
    size_t a = r[0].start, b = r[1].start, c = b + r[1].len;
    r[0].len += r[1].len;
    s->nruns--;
    if (x + 1 < s->nruns) r[1] = r[2];
    a += gallop_right(s, s->k[b], s->k + a, b - a, 0, kind);
    if (s->failed || a == b) return;
    c = b + gallop_left(s, s->k[b - 1], s->k + b, c - b, c - b - 1, kind);
    if (s->failed || c == b) return;
    if (b - a <= c - b) merge_low(s, a, b, c, kind);
    else merge_high(s, a, b, c, kind);
}

/* Runs shorter than that are made longer; the whole is then that many runs times a power of two, or a little less. */
static size_t least_run(size_t n)
{
    size_t rest = 0;
    for (; n >= 64; n >>= 1) rest |= n & 1;
    return n + rest;
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
    size_t at = 0, least = least_run(s->n);
    while (at < s->n && !s->failed) {
        size_t len = find_run(s, at, kind);
        if (s->failed) return;
        if (len < least) {
            size_t to = s->n - at < least ? s->n : at + least;
            insertion(s, at, to, len, kind);
            len = to - at;
        }
        Run r = {at, len, 0};
        if (s->nruns) {
            Run *top = &s->runs[s->nruns - 1];
            int power = node_power(top->start, top->len, len, s->n);
            while (s->nruns > 1 && s->runs[s->nruns - 2].power > power && !s->failed) merge(s, s->nruns - 2, kind);
            s->runs[s->nruns - 1].power = power;
        }
        s->runs[s->nruns++] = r;
        at += len;
    }
    while (s->nruns > 1 && !s->failed) {
        int x = s->nruns - 2;
        merge(s, x > 0 && s->runs[x - 1].len < s->runs[x + 1].len ? x - 1 : x, kind);
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
    s.min_gallop = MIN_GALLOP;
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
