/* itertools: iterators over iterators. The combinatorial ones are in mod_itertools_comb.c.
 * All share the struct It; a comment at each type says what its values are. */
#include "runtime/objects/numbers_impl.h"
#include "stdlib/itertools.h"

typedef struct State {
    Value keep; /* owns the types */
    Type *tee, *tee_node, *grouper;
} State;
static State *state_of(VM *vm) { return ou_module_record(vm, MOD_itertools, sizeof(State)); }

It *ou_it_new(VM *vm, Type *cls) { return ou_new(vm, cls, 0); }

void ou_it_dealloc(VM *vm, Obj *o)
{
    It *it = (It *)o;
    for (int i = 0; i < IT_VALUES; i++) xrelease(vm, it->v[i]);
    ou_finish_dealloc(vm, o, 0);
}
void ou_it_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    It *it = (It *)o;
    for (int i = 0; i < IT_VALUES; i++) ou_visit(vm, it->v[i], visit, arg);
}
/* Exhausted iterators look like this as well: next functions check what they need. */
void ou_it_clear(VM *vm, Obj *o)
{
    It *it = (It *)o;
    it->done = true;
    for (int i = 0; i < IT_VALUES; i++)
        if (it->v[i] != V_NULL) set_owned(vm, &it->v[i], V_NULL);
}

/* A new object whose first two values are taken over. */
static Value make2(VM *vm, Type *cls, Value a, Value b)
{
    It *it = a == V_NULL || b == V_NULL ? NULL : ou_it_new(vm, cls);
    if (!it) {
        xrelease(vm, a);
        xrelease(vm, b);
        return V_NULL;
    }
    it->v[0] = a;
    it->v[1] = b;
    return v_of(it);
}

/* Keywords are for the __init__ of a subclass. */
static bool check_kw(VM *vm, const Type *cls, const char *name, Tuple *kwnames)
{
    return !kw_given(kwnames) || cls->slots.init != vm->types[T_OBJECT]->slots.init || ou_no_kw(vm, name, kwnames);
}

/* (function, iterable) constructors */
static Value make_fn_iter(VM *vm, Type *cls, const char *name, const Value *args, int n, Tuple *kwnames)
{
    if (!check_kw(vm, cls, name, kwnames)) return V_NULL;
    if (!ou_arg_count(vm, name, n, 2, 2)) return V_NULL;
    Value it = ou_iter(vm, args[1]);
    return it == V_NULL ? V_NULL : make2(vm, cls, retain(args[0]), it);
}

/* ---- count: v[0] the next number, v[1] the step -------------------------------------------------------------------------- */

static bool is_number(VM *vm, Value v)
{
    Type *t = ou_type_of(vm, v);
    return t->slots.to_index || t->slots.to_float || t->slots.to_int || ou_is_a(vm, v, T_COMPLEX);
}

static Value count_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    if (!ou_bind(vm, "count(start=0, step=1)", args, n, kwnames, a)) return V_NULL;
    for (int i = 0; i < 2; i++)
        if (a[i] != V_NULL && !is_number(vm, a[i])) return ou_raise(vm, E_TYPE, "a number is required");
    return make2(vm, cls, a[0] == V_NULL ? v_smallint(0) : retain(a[0]), a[1] == V_NULL ? v_smallint(1) : retain(a[1]));
}
static Value count_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[0] == V_NULL) return V_NULL;
    Value next = are_small(it->v[0], it->v[1]) ? ou_int(vm, v_small(it->v[0]) + v_small(it->v[1]))
                                               : ou_binary(vm, BIN_ADD, it->v[0], it->v[1]);
    if (next == V_NULL) return V_NULL;
    Value v = it->v[0];
    it->v[0] = next;
    return v;
}
static Value count_repr(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[1] == v_smallint(1)) return ou_str_format(vm, "count(%R)", it->v[0]);
    return ou_str_format(vm, "count(%R, %R)", it->v[0], it->v[1]);
}
IT_TYPE(count, "count", count_next, "Return a count object whose .__next__() method returns consecutive values.",
        .slots.repr = count_repr);

/* ---- cycle: v[0] the iterator until it ends, v[1] what came, n[0] the position ------------------------------------------- */

static Value cycle_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (!check_kw(vm, cls, "cycle", kwnames) || !ou_arg_count(vm, "cycle", n, 1, 1)) return V_NULL;
    Value it = ou_iter(vm, args[0]);
    return it == V_NULL ? V_NULL : make2(vm, cls, it, ou_list_new(vm, 0));
}
static Value cycle_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[0] != V_NULL) {
        Value v = ou_next_deep(vm, it->v[0]);
        if (v != V_NULL) {
            if (ou_list_append(vm, as_list(it->v[1]), v)) return v;
            release(vm, v);
            return V_NULL;
        }
        if (vm->exc) return V_NULL;
        set_owned(vm, &it->v[0], V_NULL);
    }
    List *l = it->v[1] == V_NULL ? NULL : as_list(it->v[1]);
    if (!l || !l->n) return V_NULL;
    Value v = l->items[it->n[0]];
    if (++it->n[0] >= l->n) it->n[0] = 0;
    return retain(v);
}
IT_TYPE(cycle, "cycle", cycle_next,
        "Return elements from the iterable until it is exhausted. Then repeat the sequence indefinitely.", .new_sig = NULL);

/* ---- repeat: v[0] the object, n[0] how often, -1 for ever ---------------------------------------------------------------------- */

static Value repeat_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    if (!ou_bind(vm, "repeat(object, times=None)", args, n, kwnames, a)) return V_NULL;
    int64_t times = -1;
    if (a[1] != V_NULL) {
        if (!ou_index_i64(vm, a[1], &times)) return V_NULL;
        if (times < 0) times = 0;
    }
    It *it = ou_it_new(vm, cls);
    if (!it) return V_NULL;
    it->v[0] = retain(a[0]);
    it->n[0] = times;
    return v_of(it);
}
static Value repeat_next(VM *vm, Value self)
{
    (void)vm;
    It *it = as_it(self);
    if (it->n[0] == 0 || it->v[0] == V_NULL) return V_NULL;
    if (it->n[0] > 0) it->n[0]--;
    return retain(it->v[0]);
}
static Value repeat_repr(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->n[0] < 0) return ou_str_format(vm, "repeat(%R)", it->v[0]);
    return ou_str_format(vm, "repeat(%R, %ld)", it->v[0], it->n[0]);
}
static Value repeat_hint(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t left = as_it(args[0])->n[0];
    return left < 0 ? ou_raise(vm, E_TYPE, "len() of unsized object") : ou_int(vm, left);
}
static const NativeDef repeat_methods[] = {
    {"__length_hint__()", repeat_hint, "Private method returning an estimate of len(list(it)).", 0}, {0}};
IT_TYPE(repeat, "repeat", repeat_next,
        "repeat(object [,times]) -> create an iterator which returns the object\nfor the specified number of times.  If not "
        "specified, returns the object\nendlessly.",
        .methods = repeat_methods, .slots.repr = repeat_repr);

/* ---- accumulate: v[0] iterator, v[1] function or V_NULL, v[2] total or V_NULL, v[3] initial until it was given ------------------ */

static Value accumulate_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[3];
    if (!ou_bind(vm, "accumulate(iterable, func=None, *, initial=None)", args, n, kwnames, a)) return V_NULL;
    Value iter = ou_iter(vm, a[0]);
    It *it = iter == V_NULL ? NULL : ou_it_new(vm, cls);
    if (!it) {
        xrelease(vm, iter);
        return V_NULL;
    }
    it->v[0] = iter;
    if (a[1] != V_NULL && a[1] != V_NONE) it->v[1] = retain(a[1]);
    if (a[2] != V_NULL && a[2] != V_NONE) it->v[3] = retain(a[2]);
    return v_of(it);
}
static Value accumulate_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[0] == V_NULL) return V_NULL;
    if (it->v[3] != V_NULL) {
        it->v[2] = it->v[3];
        it->v[3] = V_NULL;
        return retain(it->v[2]);
    }
    Value v = ou_next_deep(vm, it->v[0]);
    if (v == V_NULL) return V_NULL;
    if (it->v[2] == V_NULL) {
        it->v[2] = v;
        return retain(v);
    }
    Value total = retain(it->v[2]);
    Value next = it->v[1] == V_NULL ? ou_binary(vm, BIN_ADD, total, v) : ou_call2(vm, it->v[1], total, v);
    release(vm, total);
    release(vm, v);
    if (next == V_NULL) return V_NULL;
    set_owned(vm, &it->v[2], next);
    return retain(next);
}
IT_TYPE(accumulate, "accumulate", accumulate_next, "Return series of accumulated sums (or other binary function results).", .new_sig = NULL);

/* ---- batched: v[0] iterator, n[0] size, flag strict ----------------------------------------------------------------------------- */

static Value batched_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[3];
    int64_t size;
    if (!ou_bind(vm, "batched(iterable, n, *, strict=False)", args, n, kwnames, a)) return V_NULL;
    int strict = a[2] == V_NULL ? 0 : ou_truth(vm, a[2]);
    if (strict < 0 || !ou_index_i64(vm, a[1], &size)) return V_NULL;
    if (size < 1) return ou_raise(vm, E_VALUE, "n must be at least one");
    Value iter = ou_iter(vm, a[0]);
    It *it = iter == V_NULL ? NULL : ou_it_new(vm, cls);
    if (!it) {
        xrelease(vm, iter);
        return V_NULL;
    }
    it->v[0] = iter;
    it->n[0] = size;
    it->flag = strict;
    return v_of(it);
}
enum { FEW = 16 };
static Value batch_of_few(VM *vm, It *it)
{
    Value items[FEW], r = V_NULL;
    int64_t want = it->n[0], got = 0;
    while (got < want && (items[got] = ou_next_deep(vm, it->v[0])) != V_NULL) got++;
    if (got == want) return ou_tuple_take(vm, items, (size_t)got);
    if (!vm->exc && got) {
        if (it->flag) ou_raise(vm, E_VALUE, "batched(): incomplete batch");
        else r = ou_tuple_of(vm, items, (size_t)got);
    }
    it->done = true;
    for (int64_t i = 0; i < got; i++) release(vm, items[i]);
    set_owned(vm, &it->v[0], V_NULL);
    return r;
}
static Value batched_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[0] == V_NULL || it->done) return V_NULL;
    if (it->n[0] <= FEW) return batch_of_few(vm, it);
    Value l = ou_list_new(vm, it->n[0] < 256 ? (size_t)it->n[0] : 0);
    if (l == V_NULL) return V_NULL;
    while (as_list(l)->n < it->n[0]) {
        Value v = ou_next_deep(vm, it->v[0]);
        if (v == V_NULL) break;
        if (!ou_list_append_take(vm, as_list(l), v)) break;
    }
    Value r = V_NULL;
    uint32_t got = as_list(l)->n;
    if (!vm->exc && got) {
        if (got < it->n[0] && it->flag) ou_raise(vm, E_VALUE, "batched(): incomplete batch");
        else r = ou_tuple_of(vm, as_list(l)->items, got);
    }
    if (got < it->n[0]) {
        it->done = true;
        set_owned(vm, &it->v[0], V_NULL);
    }
    release(vm, l);
    return r;
}
IT_TYPE(batched, "batched", batched_next,
        "Batch data into tuples of length n. The last batch may be shorter than n.\n\nLoops over the input iterable and "
        "accumulates data into tuples\nup to size n.  The input is consumed lazily, just enough to\nfill a batch.  The result "
        "is yielded as soon as a batch is full\nor when the input iterable is exhausted.", .new_sig = NULL);

/* ---- chain: v[0] iterator over the iterables, v[1] the active one ----------------------------------------------------------------- */

static Value chain_of(VM *vm, Type *cls, Value iterables) /* takes iterables over */
{
    Value outer = iterables == V_NULL ? V_NULL : ou_iter(vm, iterables);
    xrelease(vm, iterables);
    It *it = outer == V_NULL ? NULL : ou_it_new(vm, cls);
    if (!it) {
        xrelease(vm, outer);
        return V_NULL;
    }
    it->v[0] = outer;
    return v_of(it);
}
static Value chain_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (!check_kw(vm, cls, "chain", kwnames)) return V_NULL;
    return chain_of(vm, cls, ou_tuple_of(vm, args, (size_t)n));
}
static Value chain_from_iterable(VM *vm, const Value *args, int n)
{
    (void)n;
    return chain_of(vm, (Type *)v_obj(args[0]), retain(args[1]));
}
static Value chain_next(VM *vm, Value self)
{
    It *it = as_it(self);
    while (it->v[0] != V_NULL) {
        if (it->v[1] == V_NULL) {
            Value iterable = ou_next_deep(vm, it->v[0]);
            Value inner = iterable == V_NULL ? V_NULL : ou_iter(vm, iterable);
            xrelease(vm, iterable);
            if (inner == V_NULL) {
                if (it->v[0] != V_NULL) set_owned(vm, &it->v[0], V_NULL);
                return V_NULL;
            }
            it->v[1] = inner;
        }
        Value v = ou_next_deep(vm, it->v[1]);
        if (v != V_NULL || vm->exc) return v;
        set_owned(vm, &it->v[1], V_NULL);
    }
    return V_NULL;
}
static const NativeDef chain_methods[] = {
    {"from_iterable(iterable, /)", chain_from_iterable, "Alternative chain() constructor taking a single iterable argument that evaluates lazily.", ND_CLASS},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};
IT_TYPE(chain, "chain", chain_next,
        "Return a chain object whose .__next__() method returns elements from the\nfirst iterable until it is exhausted, then "
        "elements from the next\niterable, until all of the iterables are exhausted.",
        .methods = chain_methods);

/* ---- compress: v[0] data, v[1] selectors ----------------------------------------------------------------------------------------------- */

static Value compress_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    if (!ou_bind(vm, "compress(data, selectors)", args, n, kwnames, a)) return V_NULL;
    Value data = ou_iter(vm, a[0]);
    return data == V_NULL ? V_NULL : make2(vm, cls, data, ou_iter(vm, a[1]));
}
static Value compress_next(VM *vm, Value self)
{
    It *it = as_it(self);
    while (it->v[0] != V_NULL) {
        Value d = ou_next_deep(vm, it->v[0]), s = d == V_NULL ? V_NULL : ou_next_deep(vm, it->v[1]);
        int keep = s == V_NULL ? -1 : ou_truth(vm, s);
        xrelease(vm, s);
        if (keep > 0) return d;
        xrelease(vm, d);
        if (keep < 0) return V_NULL;
    }
    return V_NULL;
}
IT_TYPE(compress, "compress", compress_next, "Return data elements corresponding to true selector elements.", .new_sig = NULL);

/* ---- dropwhile, takewhile, filterfalse, starmap: v[0] function, v[1] iterator -------------------------------------------------------------- */

static int predicate(VM *vm, Value fn, Value v)
{
    Value r = ou_call1(vm, fn, v);
    int t = r == V_NULL ? -1 : ou_truth(vm, r);
    xrelease(vm, r);
    return t;
}

static Value dropwhile_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    return make_fn_iter(vm, cls, "dropwhile", args, n, kwnames);
}
static Value dropwhile_next(VM *vm, Value self)
{
    It *it = as_it(self);
    while (it->v[1] != V_NULL) {
        Value v = ou_next_deep(vm, it->v[1]);
        if (v == V_NULL || it->flag) return v;
        int drop = predicate(vm, it->v[0], v);
        if (drop == 0) {
            it->flag = true;
            return v;
        }
        release(vm, v);
        if (drop < 0) return V_NULL;
    }
    return V_NULL;
}
IT_TYPE(dropwhile, "dropwhile", dropwhile_next,
        "Drop items from the iterable while predicate(item) is true.\n\nAfterwards, return every element until the iterable is "
        "exhausted.", .new_sig = NULL);

static Value takewhile_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    return make_fn_iter(vm, cls, "takewhile", args, n, kwnames);
}
static Value takewhile_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->done || it->v[1] == V_NULL) return V_NULL;
    Value v = ou_next_deep(vm, it->v[1]);
    if (v == V_NULL) return V_NULL;
    int take = predicate(vm, it->v[0], v);
    if (take > 0) return v;
    release(vm, v);
    if (take == 0) it->done = true;
    return V_NULL;
}
IT_TYPE(takewhile, "takewhile", takewhile_next,
        "Return successive entries from an iterable as long as the predicate evaluates to true for each entry.", .new_sig = NULL);

static Value filterfalse_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    return make_fn_iter(vm, cls, "filterfalse", args, n, kwnames);
}
static Value filterfalse_next(VM *vm, Value self)
{
    It *it = as_it(self);
    while (it->v[1] != V_NULL) {
        Value v = ou_next_deep(vm, it->v[1]);
        if (v == V_NULL) return V_NULL;
        bool plain = it->v[0] == V_NONE || it->v[0] == v_of(vm->types[T_BOOL]);
        int drop = plain ? ou_truth(vm, v) : predicate(vm, it->v[0], v);
        if (drop == 0) return v;
        release(vm, v);
        if (drop < 0) return V_NULL;
    }
    return V_NULL;
}
IT_TYPE(filterfalse, "filterfalse", filterfalse_next,
        "Return those items of iterable for which function(item) is false.\n\nIf function is None, return the items that are "
        "false.", .new_sig = NULL);

static Value starmap_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    return make_fn_iter(vm, cls, "starmap", args, n, kwnames);
}
static Value starmap_next(VM *vm, Value self)
{
    It *it = as_it(self);
    Value v = it->v[1] == V_NULL ? V_NULL : ou_next_deep(vm, it->v[1]);
    if (v == V_NULL) return V_NULL;
    Value t = ou_tuple_from(vm, v);
    release(vm, v);
    if (t == V_NULL) return V_NULL;
    Value r = ou_call(vm, it->v[0], as_tuple(t)->items, (int)as_tuple(t)->n, NULL);
    release(vm, t);
    return r;
}
IT_TYPE(starmap, "starmap", starmap_next,
        "Return an iterator whose values are returned from the function evaluated with an argument tuple taken from the given "
        "sequence.", .new_sig = NULL);

/* ---- pairwise: v[0] iterator, v[1] the previous item ------------------------------------------------------------------------------------------ */

static Value pairwise_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (!check_kw(vm, cls, "pairwise", kwnames) || !ou_arg_count(vm, "pairwise", n, 1, 1)) return V_NULL;
    Value iter = ou_iter(vm, args[0]);
    It *it = iter == V_NULL ? NULL : ou_it_new(vm, cls);
    if (!it) {
        xrelease(vm, iter);
        return V_NULL;
    }
    it->v[0] = iter;
    return v_of(it);
}
static Value pairwise_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[0] == V_NULL) return V_NULL;
    if (it->v[1] == V_NULL) {
        Value first = ou_next_deep(vm, it->v[0]);
        if (first == V_NULL) {
            if (it->v[0] != V_NULL) set_owned(vm, &it->v[0], V_NULL);
            return V_NULL;
        }
        set_owned(vm, &it->v[1], first);
        if (it->v[0] == V_NULL) return V_NULL;
    }
    Value old = retain(it->v[1]), v = ou_next_deep(vm, it->v[0]);
    if (v == V_NULL) {
        if (it->v[0] != V_NULL) set_owned(vm, &it->v[0], V_NULL);
        if (it->v[1] != V_NULL) set_owned(vm, &it->v[1], V_NULL);
        release(vm, old);
        return V_NULL;
    }
    set_owned(vm, &it->v[1], retain(v));
    Value pair[2] = {old, v};
    return ou_tuple_take(vm, pair, 2);
}
IT_TYPE(pairwise, "pairwise", pairwise_next,
        "Return an iterator of overlapping pairs taken from the input iterator.\n\n    s -> (s0,s1), (s1,s2), (s2, s3), ...", .new_sig = NULL);

/* ---- islice: v[0] iterator, n[0] next index wanted, n[1] stop (-1: none), n[2] step, n[3] index reached -------------------------------------- */

static bool bound(VM *vm, Value v, int64_t dflt, int64_t *out)
{
    *out = dflt;
    if (v == V_NONE) return true;
    if (!is_small(v) && !ou_type_of(vm, v)->slots.to_index) return false;
    if (ou_index_i64(vm, v, out)) return *out >= 0;
    if (vm->exc) ou_exc_clear(vm);
    return false;
}

static Value islice_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (!check_kw(vm, cls, "islice", kwnames) || !ou_arg_count(vm, "islice", n, 2, 4)) return V_NULL;
    int64_t start = 0, stop = -1, by = 1;
    if (n == 2) {
        if (!bound(vm, args[1], -1, &stop))
            return ou_raise(vm, E_VALUE, "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
    } else {
        if (!bound(vm, args[2], -1, &stop))
            return ou_raise(vm, E_VALUE, "Stop argument for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
        if (!bound(vm, args[1], 0, &start))
            return ou_raise(vm, E_VALUE, "Indices for islice() must be None or an integer: 0 <= x <= sys.maxsize.");
    }
    if (n == 4 && (!bound(vm, args[3], 1, &by) || by < 1))
        return ou_raise(vm, E_VALUE, "Step for islice() must be a positive integer or None.");
    Value iter = ou_iter(vm, args[0]);
    It *it = iter == V_NULL ? NULL : ou_it_new(vm, cls);
    if (!it) {
        xrelease(vm, iter);
        return V_NULL;
    }
    it->v[0] = iter;
    it->n[0] = start;
    it->n[1] = stop;
    it->n[2] = by;
    return v_of(it);
}
static Value islice_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[0] == V_NULL) return V_NULL;
    int64_t stop = it->n[1];
    while (it->n[3] < it->n[0] && (stop < 0 || it->n[3] < stop)) {
        Value v = ou_next_deep(vm, it->v[0]);
        if (v == V_NULL) goto ended;
        release(vm, v);
        it->n[3]++;
    }
    if (stop >= 0 && it->n[3] >= stop) goto ended;
    Value v = ou_next_deep(vm, it->v[0]);
    if (v == V_NULL) goto ended;
    it->n[3]++;
    if (__builtin_add_overflow(it->n[0], it->n[2], &it->n[0])) it->n[0] = INT64_MAX;
    if (stop >= 0 && it->n[0] > stop) it->n[0] = stop;
    return v;
ended:
    if (it->v[0] != V_NULL) set_owned(vm, &it->v[0], V_NULL);
    return V_NULL;
}
IT_TYPE(islice, "islice", islice_next,
        "islice(iterable, stop) --> islice object\nislice(iterable, start, stop[, step]) --> islice object\n\n"
        "Return an iterator whose next() method returns selected values from an\niterable.", .new_sig = NULL);

/* ---- groupby: v[0] iterator, v[1] key function or None, v[2] current key, v[3] current value, v[4] key of the group handed out;
 *      n[0] address of the newest _grouper, which alone may go on --------------------------------------------------------------------------- */

static Value groupby_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    if (!ou_bind(vm, "groupby(iterable, key=None)", args, n, kwnames, a)) return V_NULL;
    Value iter = ou_iter(vm, a[0]);
    return iter == V_NULL ? V_NULL : make2(vm, cls, iter, a[1] == V_NULL ? V_NONE : retain(a[1]));
}

static bool groupby_step(VM *vm, It *it)
{
    if (it->v[0] == V_NULL) return false;
    Value v = ou_next_deep(vm, it->v[0]);
    if (v == V_NULL) return false;
    Value key = it->v[1] == V_NONE ? retain(v) : ou_call1(vm, it->v[1], v);
    if (key == V_NULL) {
        release(vm, v);
        return false;
    }
    set_owned(vm, &it->v[3], v);
    set_owned(vm, &it->v[2], key);
    return true;
}

static Value groupby_next(VM *vm, Value self)
{
    It *it = as_it(self);
    it->n[0] = 0;
    for (;;) { /* skip what is left of the current group */
        if (it->v[2] != V_NULL) {
            if (it->v[4] == V_NULL) break;
            Value old = retain(it->v[4]), cur = retain(it->v[2]);
            int eq = ou_eq(vm, old, cur);
            release(vm, old);
            release(vm, cur);
            if (eq < 0) return V_NULL;
            if (eq == 0) break;
        }
        if (!groupby_step(vm, it)) return V_NULL;
    }
    set_owned(vm, &it->v[4], retain(it->v[2]));
    State *s = state_of(vm);
    It *g = s ? ou_it_new(vm, s->grouper) : NULL;
    if (!g) return V_NULL;
    g->v[0] = retain(self);
    g->v[1] = retain(it->v[4]);
    it->n[0] = (int64_t)(uintptr_t)g;
    Value pair[2] = {retain(it->v[2]), v_of(g)};
    return ou_tuple_take(vm, pair, 2);
}
IT_TYPE(groupby, "groupby", groupby_next,
        "make an iterator that returns consecutive keys and groups from the iterable\n\n  iterable\n    Elements to divide into "
        "groups according to the key function.\n  key\n    A function for computing the group category for each element.\n    "
        "If the key function is not specified or is None, the element itself\n    is used for grouping.", .new_sig = NULL);

static Value grouper_next(VM *vm, Value self)
{
    It *g = as_it(self);
    if (g->v[0] == V_NULL) return V_NULL;
    It *it = as_it(g->v[0]);
    if (it->n[0] != (int64_t)(uintptr_t)g) return V_NULL;
    if (it->v[3] == V_NULL && !groupby_step(vm, it)) return V_NULL;
    Value want = retain(g->v[1]), cur = retain(it->v[2]);
    int eq = ou_eq(vm, want, cur);
    release(vm, want);
    release(vm, cur);
    if (eq <= 0) return V_NULL;
    Value v = it->v[3];
    it->v[3] = V_NULL;
    return v;
}
static const TypeDef grouper_def = {.name = "itertools._grouper",
                                    .size = sizeof(It),
                                    .flags = TF_GC | TF_NO_NEW,
                                    .slots = {.dealloc = ou_it_dealloc,
                                              .traverse = ou_it_traverse,
                                              .clear = ou_it_clear,
                                              .iter = ou_iter_self,
                                              .next = grouper_next}};

/* ---- tee: v[0] the source node shared by all: its v[0] is the iterator; v[1] the node to read next. A node holds its item in
 *      v[0] (V_NULL: not fetched yet) and the following node in v[1] ---------------------------------------------------------------------------- */

static Value tee_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[1] == V_NULL) return V_NULL;
    It *node = as_it(it->v[1]);
    if (node->v[0] == V_NULL) {
        It *source = as_it(it->v[0]);
        if (source->busy) return ou_raise(vm, E_RUNTIME, "cannot re-enter the tee iterator");
        if (source->v[0] == V_NULL) return V_NULL;
        source->busy = true;
        Value v = ou_next_deep(vm, source->v[0]);
        source->busy = false;
        if (v == V_NULL) return V_NULL;
        It *next = ou_it_new(vm, ou_type_of(vm, v_of(node)));
        if (!next) {
            release(vm, v);
            return V_NULL;
        }
        node->v[0] = v;
        node->v[1] = v_of(next);
    }
    Value v = retain(node->v[0]);
    set_owned(vm, &it->v[1], retain(node->v[1]));
    return v;
}

static Value tee_copy_of(VM *vm, Value tee)
{
    It *it = as_it(tee);
    State *s = state_of(vm);
    return s ? make2(vm, s->tee, retain(it->v[0]), retain(it->v[1])) : V_NULL;
}

/* A tee over any iterable; over a tee it shares that one's future. */
static Value tee_over(VM *vm, Value iterable)
{
    State *s = state_of(vm);
    Value iter = s ? ou_iter(vm, iterable) : V_NULL;
    if (iter == V_NULL) return V_NULL;
    if (is_obj(iter) && ou_type_of(vm, iter) == s->tee) {
        Value t = tee_copy_of(vm, iter);
        release(vm, iter);
        return t;
    }
    It *source = ou_it_new(vm, s->tee_node);
    if (!source) {
        release(vm, iter);
        return V_NULL;
    }
    source->v[0] = iter;
    return make2(vm, s->tee, v_of(source), v_of(ou_it_new(vm, s->tee_node)));
}

static Value tee_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    if ((kw_given(kwnames) && !ou_no_kw(vm, "_tee", kwnames)) || !ou_arg_count(vm, "_tee", n, 1, 1)) return V_NULL;
    return tee_over(vm, args[0]);
}
static Value tee_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return tee_copy_of(vm, args[0]);
}
static const NativeDef tee_methods[] = {{"__copy__()", tee_copy, "Returns an independent iterator.", 0}, {0}};
static const TypeDef tee_def = {.name = "itertools._tee",
                                .size = sizeof(It),
                                .flags = TF_GC | TF_WEAKREF,
                                .slots = {.make = tee_make,
                                          .dealloc = ou_it_dealloc,
                                          .traverse = ou_it_traverse,
                                          .clear = ou_it_clear,
                                          .iter = ou_iter_self,
                                          .next = tee_next},
                                .methods = tee_methods,
                                .doc = "Iterator wrapped to make it copyable."};
/* A long list of nodes must not be freed recursively: each node that dies takes over its successor's while it is the last owner. */
static void node_dealloc(VM *vm, Obj *o)
{
    It *node = (It *)o;
    xrelease(vm, node->v[0]);
    Value next = node->v[1];
    while (next != V_NULL && v_obj(next)->refs == 1) {
        It *n = as_it(next);
        Value after = n->v[1];
        n->v[1] = V_NULL;
        release(vm, next);
        next = after;
    }
    xrelease(vm, next);
    ou_finish_dealloc(vm, o, 0);
}
static const TypeDef tee_node_def = {
    .name = "itertools._tee_dataobject",
    .size = sizeof(It),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = node_dealloc, .traverse = ou_it_traverse, .clear = ou_it_clear}};

static Value tee(VM *vm, const Value *args, int n)
{
    int64_t count = 2;
    if (n > 1 && !ou_index_i64(vm, args[1], &count)) return V_NULL;
    if (count < 0) return ou_raise(vm, E_VALUE, "n must be >= 0");
    if (count == 0) return ou_tuple_new(vm, 0);
    /* An iterator that can be copied, a tee too, is the first one itself. */
    Value first = ou_iter(vm, args[0]), copy = V_NULL, t = V_NULL;
    Str *name = first == V_NULL ? NULL : ou_intern_c(vm, "__copy__");
    bool missing = false, ok = name != NULL;
    if (ok && (copy = ou_getattr_opt(vm, first, name, &missing)) == V_NULL && (ok = missing)) {
        Value shared = tee_over(vm, first);
        release(vm, first);
        first = shared;
        ok = first != V_NULL && (copy = ou_getattr(vm, first, name)) != V_NULL;
    }
    obj_xrelease(vm, name);
    if (ok && (t = ou_tuple_new(vm, (size_t)count)) != V_NULL) as_tuple(t)->items[0] = retain(first);
    for (int64_t i = 1; t != V_NULL && i < count; i++) {
        Value one = ou_call0(vm, copy);
        if (one == V_NULL) {
            release(vm, t);
            t = V_NULL;
            break;
        }
        as_tuple(t)->items[i] = one;
    }
    xrelease(vm, first);
    xrelease(vm, copy);
    return t;
}

/* ---- zip_longest: v[0] tuple of iterators (None once exhausted), v[1] fill value, n[0] active ones --------------------------------------------- */

static Value zip_longest_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value fill = V_NONE;
    for (uint32_t i = 0; kwnames && i < kwnames->n; i++) {
        if (!ou_str_eq_c(as_str(kwnames->items[i]), "fillvalue"))
            return ou_raise(vm, E_TYPE, "zip_longest() got an unexpected keyword argument");
        fill = args[n + (int)i];
    }
    Value its = ou_tuple_new(vm, (size_t)n);
    for (int i = 0; its != V_NULL && i < n; i++) {
        Value one = ou_iter(vm, args[i]);
        if (one == V_NULL) {
            release(vm, its);
            return V_NULL;
        }
        as_tuple(its)->items[i] = one;
    }
    Value v = its == V_NULL ? V_NULL : make2(vm, cls, its, retain(fill));
    if (v != V_NULL) as_it(v)->n[0] = n;
    return v;
}
static Value zip_longest_next(VM *vm, Value self)
{
    It *it = as_it(self);
    if (it->v[0] == V_NULL || it->n[0] == 0) return V_NULL;
    Tuple *its = tuple_at(it, 0);
    Value row = ou_tuple_new(vm, its->n);
    if (row == V_NULL) return V_NULL;
    for (uint32_t i = 0; i < its->n; i++) {
        Value v = its->items[i] == V_NONE ? V_NULL : ou_next_deep(vm, its->items[i]);
        if (v == V_NULL) {
            if (vm->exc || (its->items[i] != V_NONE && --it->n[0] == 0)) {
                it->n[0] = 0;
                release(vm, row);
                return V_NULL;
            }
            if (its->items[i] != V_NONE) set_owned(vm, &its->items[i], V_NONE);
            v = retain(it->v[1]);
        }
        as_tuple(row)->items[i] = v;
    }
    return row;
}
IT_TYPE(zip_longest, "zip_longest", zip_longest_next,
        "Return a zip_longest object whose .__next__() method returns a tuple where\nthe i-th element comes from the i-th "
        "iterable argument.  The .__next__()\nmethod continues until the longest iterable in the argument sequence\nis "
        "exhausted and then it raises StopIteration.  When the shorter iterables\nare exhausted, the fillvalue is substituted "
        "in their place.  The fillvalue\ndefaults to None or can be specified by a keyword argument.", .new_sig = NULL);

/* ---- module ---------------------------------------------------------------------------------------------------------------------------------------- */

static const NativeDef functions[] = {{"tee(iterable, n=2, /)", tee, "Returns a tuple of n independent iterators.", 0}, {0}};

bool ou_mod_itertools(VM *vm, Module *m)
{
    static const TypeDef *const plain[] = {
        &ou_itertools_count,     &ou_itertools_cycle,     &ou_itertools_repeat,       &ou_itertools_accumulate,
        &ou_itertools_batched,   &ou_itertools_chain,     &ou_itertools_compress,     &ou_itertools_dropwhile,
        &ou_itertools_takewhile, &ou_itertools_starmap,   &ou_itertools_filterfalse,  &ou_itertools_pairwise,
        &ou_itertools_islice,    &ou_itertools_groupby,   &ou_itertools_zip_longest,  &ou_itertools_product,
        &ou_itertools_combinations, &ou_itertools_combinations_wr, &ou_itertools_permutations};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        if (!ou_module_type(vm, m, plain[i], NULL)) return false;
    State *s = state_of(vm);
    bool ok = s && (s->tee = ou_module_type(vm, m, &tee_def, NULL)) && (s->tee_node = ou_module_type(vm, m, &tee_node_def, NULL)) &&
              (s->grouper = ou_module_type(vm, m, &grouper_def, NULL)) && ou_module_add(vm, m, functions);
    if (!ok) return false;
    Value types[3] = {v_of(s->tee), v_of(s->tee_node), v_of(s->grouper)};
    set_owned(vm, &s->keep, ou_tuple_of(vm, types, 3));
    return s->keep != V_NULL;
}
