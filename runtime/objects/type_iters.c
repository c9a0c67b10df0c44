/* The iterators of builtins: iter() over __getitem__ and over a callable, reversed, enumerate, zip, map, filter.
 * All of them give V_NULL without an exception at their end. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

Value ou_iter_self(VM *vm, Value self)
{
    (void)vm;
    return retain(self);
}

void ou_seqiter_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((SeqIter *)o)->seq);
    ou_finish_dealloc(vm, o, 0);
}

void ou_seqiter_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((SeqIter *)o)->seq, visit, arg); }

Value ou_seqiter_new(VM *vm, TypeId id, Value seq, int64_t index)
{
    SeqIter *it = ou_new(vm, vm->types[id], 0);
    if (!it) return V_NULL;
    it->seq = retain(seq);
    it->index = index;
    return v_of(it);
}

/* ---- seq_iter: o[0], o[1] ... until IndexError ---------------------------------------------------------------------------- */

static Value seq_iter_next(VM *vm, Value self)
{
    SeqIter *it = (SeqIter *)v_obj(self);
    if (it->seq == V_NULL) return V_NULL;
    Value i = ou_int(vm, it->index), seq = retain(it->seq);
    Value v = i == V_NULL ? V_NULL : ou_getitem(vm, seq, i);
    xrelease(vm, i);
    release(vm, seq);
    if (v != V_NULL) {
        it->index++;
        return v;
    }
    if (ou_exc_matches(vm, E_INDEX) || ou_exc_matches(vm, E_STOP_ITERATION)) {
        ou_exc_clear(vm);
        if (it->seq != V_NULL) set_owned(vm, &it->seq, V_NULL);
    }
    return V_NULL;
}

static Value seq_iter_hint(VM *vm, const Value *args, int n)
{
    (void)n;
    SeqIter *it = (SeqIter *)v_obj(args[0]);
    if (it->seq == V_NULL) return v_smallint(0);
    if (!ou_type_of(vm, it->seq)->slots.len) return V_NOTIMPL;
    int64_t len = ou_len(vm, it->seq);
    if (len < 0) return V_NULL;
    return ou_int(vm, len > it->index ? len - it->index : 0);
}

static const NativeDef seq_iter_methods[] = {
    {"__length_hint__()", seq_iter_hint, "Private method returning an estimate of len(list(it)).", 0},
    SEQITER_METHODS,
    {0}};

const TypeDef ou_type_seq_iter = {.name = "iterator",
                                  .size = sizeof(SeqIter),
                                  .flags = TF_GC | TF_NO_NEW,
                                  .slots = {.dealloc = ou_seqiter_dealloc,
                                            .traverse = ou_seqiter_traverse,
                                            .iter = ou_iter_self,
                                            .next = seq_iter_next},
                                  .methods = seq_iter_methods};

/* ---- two values: call_iter, map, filter, enumerate ------------------------------------------------------------------------- */

typedef struct Pair {
    Obj h;
    Value a, b; /* call_iter: callable, sentinel; filter: function, iterator; enumerate: iterator, next index; map: function, tuple */
} Pair;

static void pair_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((Pair *)o)->a);
    xrelease(vm, ((Pair *)o)->b);
    ou_finish_dealloc(vm, o, 0);
}
static void pair_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((Pair *)o)->a, visit, arg);
    ou_visit(vm, ((Pair *)o)->b, visit, arg);
}
static Value pair_new(VM *vm, Type *cls, Value a, Value b) /* takes a and b over */
{
    Pair *p = a == V_NULL || b == V_NULL ? NULL : ou_new(vm, cls, 0);
    if (!p) {
        xrelease(vm, a);
        xrelease(vm, b);
        return V_NULL;
    }
    p->a = a;
    p->b = b;
    return v_of(p);
}

Value ou_call_iter_new(VM *vm, Value callable, Value sentinel)
{
    return pair_new(vm, vm->types[T_CALL_ITER], retain(callable), retain(sentinel));
}

static Value call_iter_next(VM *vm, Value self)
{
    Pair *p = (Pair *)v_obj(self);
    if (p->a == V_NULL) return V_NULL;
    Value fn = retain(p->a), v = ou_call0(vm, fn);
    release(vm, fn);
    if (v == V_NULL) {
        if (ou_exc_matches(vm, E_STOP_ITERATION)) {
            ou_exc_clear(vm);
            set_owned(vm, &p->a, V_NULL);
            set_owned(vm, &p->b, V_NULL);
        }
        return V_NULL;
    }
    if (p->a == V_NULL) { /* exhausted by the call itself */
        release(vm, v);
        return V_NULL;
    }
    Value sentinel = retain(p->b);
    int eq = ou_eq(vm, sentinel, v);
    release(vm, sentinel);
    if (eq == 0) return v;
    release(vm, v);
    if (eq > 0) {
        set_owned(vm, &p->a, V_NULL);
        set_owned(vm, &p->b, V_NULL);
    }
    return V_NULL;
}

static Value call_iter_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Pair *p = (Pair *)v_obj(args[0]);
    if (p->a == V_NULL) return ou_iter_call(vm, "iter", ou_tuple_new(vm, 0), ITER_NO_INDEX);
    Value both[2] = {p->a, p->b}, fn = ou_dict_get_c(vm, vm->builtins, "iter");
    Value a = fn == V_NULL ? V_NULL : ou_tuple_of(vm, both, 2);
    if (a == V_NULL) return V_NULL;
    Value parts[2] = {retain(fn), a};
    return ou_tuple_take(vm, parts, 2);
}
static const NativeDef call_iter_methods[] = {
    {"__reduce__()", call_iter_reduce, "Return state information for pickling.", 0}, {0}};

/* (type(self), args[, state]); takes args and state over. */
static Value made_by(VM *vm, Value self, Value args, Value state)
{
    if (args == V_NULL) return V_NULL;
    Value parts[3] = {retain(v_of(ou_type_of(vm, self))), args, state};
    return ou_tuple_take(vm, parts, state == V_NULL ? 2 : 3);
}
/* enumerate and filter: called with the two values again */
static Value pair_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Pair *p = (Pair *)v_obj(args[0]);
    Value both[2] = {p->a, p->b};
    return made_by(vm, args[0], ou_tuple_of(vm, both, 2), V_NULL);
}

const TypeDef ou_type_call_iter = {.name = "callable_iterator",
                                   .size = sizeof(Pair),
                                   .flags = TF_GC | TF_NO_NEW,
                                   .slots = {.dealloc = pair_dealloc,
                                             .traverse = pair_traverse,
                                             .iter = ou_iter_self,
                                             .next = call_iter_next},
                                   .methods = call_iter_methods};

static Value enumerate_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    if (n == 0 && !kw_given(kwnames)) return ou_raise(vm, E_TYPE, "enumerate() missing required argument 'iterable'");
    if (!ou_bind(vm, "enumerate(iterable, start=0)", args, n, kwnames, a)) return V_NULL;
    Value start = a[1] == V_NULL ? v_smallint(0) : ou_index(vm, a[1]);
    if (start == V_NULL) return V_NULL;
    Value it = ou_iter(vm, a[0]);
    return pair_new(vm, cls, it, start);
}

static Value enumerate_next(VM *vm, Value self)
{
    Pair *p = (Pair *)v_obj(self);
    Value v = ou_next_deep(vm, p->a);
    if (v == V_NULL) return V_NULL;
    Value i = p->b, next = is_small(i) && v_small(i) < SMALL_MAX ? i + 1 : ou_int_op(vm, BIN_ADD, i, v_smallint(1));
    if (next == V_NULL) {
        release(vm, v);
        return V_NULL;
    }
    p->b = next; /* the old index moves into the result */
    Value iv[2] = {i, v};
    return ou_tuple_take(vm, iv, 2);
}

static const NativeDef enumerate_methods[] = {{"__reduce__()", pair_reduce, "Return state information for pickling.", 0},
                                              {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS}, {0}};

const TypeDef ou_type_enumerate = {
    .name = "enumerate",
    .size = sizeof(Pair),
    .flags = TF_GC | TF_BASE,
    .slots = {.make = enumerate_make,
              .dealloc = pair_dealloc,
              .traverse = pair_traverse,
              .iter = ou_iter_self,
              .next = enumerate_next},
    .methods = enumerate_methods,
    .doc = "Return an enumerate object.\n\n  iterable\n    an object supporting iteration\n\nThe enumerate object yields "
           "pairs containing a count (from start, which\ndefaults to zero) and a value yielded by the iterable argument.\n\n"
           "enumerate is useful for obtaining an indexed list:\n    (0, seq[0]), (1, seq[1]), (2, seq[2]), ...",
    .new_sig = "(iterable, start=0)"};

static Value filter_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && cls->slots.init == vm->types[T_OBJECT]->slots.init && !ou_no_kw(vm, "filter", kwnames))
        return V_NULL;
    if (!ou_arg_count(vm, "filter", n, 2, 2)) return V_NULL;
    Value it = ou_iter(vm, args[1]);
    return it == V_NULL ? V_NULL : pair_new(vm, cls, retain(args[0]), it);
}

static Value filter_next(VM *vm, Value self)
{
    Pair *p = (Pair *)v_obj(self);
    for (;;) {
        Value v = ou_next_deep(vm, p->b);
        if (v == V_NULL) return V_NULL;
        int keep;
        if (p->a == V_NONE || p->a == v_of(vm->types[T_BOOL])) {
            keep = ou_truth(vm, v);
        } else {
            Value r = ou_call1(vm, p->a, v);
            keep = r == V_NULL ? -1 : r == V_TRUE ? 1 : r == V_FALSE ? 0 : ou_truth(vm, r);
            xrelease(vm, r);
        }
        if (keep > 0) return v;
        release(vm, v);
        if (keep < 0) return V_NULL;
    }
}

static const NativeDef filter_methods[] = {{"__reduce__()", pair_reduce, "Return state information for pickling.", 0}, {0}};

const TypeDef ou_type_filter = {
    .name = "filter",
    .size = sizeof(Pair),
    .flags = TF_GC | TF_BASE,
    .slots = {.make = filter_make, .dealloc = pair_dealloc, .traverse = pair_traverse, .iter = ou_iter_self, .next = filter_next},
    .methods = filter_methods,
    .doc = "Return an iterator yielding those items of iterable for which function(item)\nis true. If function is None, "
           "return the items that are true."};

/* ---- zip, map: a row of iterators ------------------------------------------------------------------------------------------- */

/* A tuple of iter(x) for the arguments. zip names the one that is no iterable. */
static Value iterators(VM *vm, const Value *args, int n, const char *zip_name)
{
    Value t = ou_tuple_new(vm, (size_t)n);
    for (int i = 0; t != V_NULL && i < n; i++) {
        Value it = ou_iter(vm, args[i]);
        if (it == V_NULL) {
            release(vm, t);
            if (zip_name && ou_exc_matches(vm, E_TYPE) && !ou_type_of(vm, args[i])->slots.iter) {
                ou_exc_clear(vm);
                ou_raise(vm, E_TYPE, "'%T' object is not iterable", args[i]);
            }
            return V_NULL;
        }
        as_tuple(t)->items[i] = it;
    }
    return t;
}

static Value map_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && cls->slots.init == vm->types[T_OBJECT]->slots.init && !ou_no_kw(vm, "map", kwnames))
        return V_NULL;
    if (n < 2) return ou_raise(vm, E_TYPE, "map() must have at least two arguments.");
    Value its = iterators(vm, args + 1, n - 1, NULL);
    return its == V_NULL ? V_NULL : pair_new(vm, cls, retain(args[0]), its);
}

enum { ROW_FIXED = 8 };

static Value map_next(VM *vm, Value self)
{
    Pair *p = (Pair *)v_obj(self);
    Tuple *its = as_tuple(p->b);
    if (its->n == 1) {
        Value v = ou_next_deep(vm, its->items[0]);
        if (v == V_NULL) return V_NULL;
        Value r = ou_call1(vm, p->a, v);
        release(vm, v);
        return r;
    }
    Value fixed[ROW_FIXED], *row = fixed, r = V_NULL;
    uint32_t n = 0;
    if (its->n > ROW_FIXED && !(row = ou_alloc(&vm->heap, its->n * sizeof(Value)))) return ou_raise_memory(vm);
    while (n < its->n && (row[n] = ou_next_deep(vm, its->items[n])) != V_NULL) n++;
    if (n == its->n) r = ou_call(vm, p->a, row, (int)n, NULL);
    for (uint32_t i = 0; i < n; i++) release(vm, row[i]);
    if (row != fixed) ou_free(&vm->heap, row, its->n * sizeof(Value));
    return r;
}

static Value map_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Pair *p = (Pair *)v_obj(args[0]);
    Tuple *its = as_tuple(p->b);
    Value t = ou_tuple_new(vm, (size_t)its->n + 1);
    if (t == V_NULL) return V_NULL;
    as_tuple(t)->items[0] = retain(p->a);
    for (uint32_t i = 0; i < its->n; i++) as_tuple(t)->items[i + 1] = retain(its->items[i]);
    return made_by(vm, args[0], t, V_NULL);
}
static const NativeDef map_methods[] = {{"__reduce__()", map_reduce, "Return state information for pickling.", 0}, {0}};

const TypeDef ou_type_map = {
    .name = "map",
    .size = sizeof(Pair),
    .flags = TF_GC | TF_BASE,
    .slots = {.make = map_make, .dealloc = pair_dealloc, .traverse = pair_traverse, .iter = ou_iter_self, .next = map_next},
    .methods = map_methods,
    .doc = "Make an iterator that computes the function using arguments from\neach of the iterables.  Stops when the "
           "shortest iterable is exhausted."};

typedef struct Zip {
    Obj h;
    Value its; /* tuple of iterators; V_NULL: finished for good */
    bool strict;
} Zip;

static Value zip_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    int strict = 0;
    if (kw_given(kwnames)) {
        Type *plain = vm->types[T_ZIP];
        for (uint32_t i = 0; i < kwnames->n; i++) {
            if (ou_str_eq_c(as_str(kwnames->items[i]), "strict")) {
                strict = ou_truth(vm, args[n + (int)i]);
                if (strict < 0) return V_NULL;
            } else if (cls == plain || cls->slots.init == plain->slots.init) {
                Value known = ou_str_c(vm, "strict");
                if (known != V_NULL)
                    ou_unexpected_keyword(vm, "zip", 3, kwnames->items[i], &known, 1);
                xrelease(vm, known);
                return V_NULL;
            }
        }
    }
    Value its = iterators(vm, args, n, "zip");
    if (its == V_NULL) return V_NULL;
    Zip *z = ou_new(vm, cls, 0);
    if (!z) {
        release(vm, its);
        return V_NULL;
    }
    z->its = its;
    z->strict = strict;
    return v_of(z);
}

static void zip_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((Zip *)o)->its);
    ou_finish_dealloc(vm, o, 0);
}
static void zip_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((Zip *)o)->its, visit, arg); }

static Value strict_end(VM *vm, Zip *z, uint32_t ended)
{
    Tuple *its = as_tuple(z->its);
    if (vm->exc) return V_NULL;
    if (ended > 0) {
        const char *plural = ended == 1 ? " " : "s 1-";
        return ou_raise(vm, E_VALUE, "zip() argument %d is shorter than argument%s%d", (int)ended + 1, plural, (int)ended);
    }
    for (uint32_t i = 1; i < its->n; i++) {
        Value v = ou_next_deep(vm, its->items[i]);
        if (v == V_NULL) {
            if (vm->exc) return V_NULL;
            continue;
        }
        release(vm, v);
        const char *plural = i == 1 ? " " : "s 1-";
        return ou_raise(vm, E_VALUE, "zip() argument %d is longer than argument%s%d", (int)i + 1, plural, (int)i);
    }
    return V_NULL;
}

static Value zip_next(VM *vm, Value self)
{
    Zip *z = (Zip *)v_obj(self);
    Tuple *its = as_tuple(z->its);
    if (its->n == 0) return V_NULL;
    Value fixed[ROW_FIXED], *row = fixed, r = V_NULL;
    uint32_t n = 0;
    if (its->n > ROW_FIXED && !(row = ou_alloc(&vm->heap, its->n * sizeof(Value)))) return ou_raise_memory(vm);
    while (n < its->n && (row[n] = ou_next_deep(vm, its->items[n])) != V_NULL) n++;
    if (n == its->n) {
        r = ou_tuple_take(vm, row, n);
    } else {
        for (uint32_t i = 0; i < n; i++) release(vm, row[i]);
        if (z->strict) strict_end(vm, z, n);
    }
    if (row != fixed) ou_free(&vm->heap, row, its->n * sizeof(Value));
    return r;
}

static Value zip_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Zip *z = (Zip *)v_obj(args[0]);
    return made_by(vm, args[0], retain(z->its), z->strict ? V_TRUE : V_NULL);
}
static Value zip_setstate(VM *vm, const Value *args, int n)
{
    (void)n;
    int strict = ou_truth(vm, args[1]);
    if (strict < 0) return V_NULL;
    ((Zip *)v_obj(args[0]))->strict = strict;
    return V_NONE;
}
static const NativeDef zip_methods[] = {{"__reduce__()", zip_reduce, "Return state information for pickling.", 0},
                                        {"__setstate__(object, /)", zip_setstate, "Set state information for unpickling.", 0},
                                        {0}};

const TypeDef ou_type_zip = {
    .name = "zip",
    .size = sizeof(Zip),
    .flags = TF_GC | TF_BASE,
    .slots = {.make = zip_make, .dealloc = zip_dealloc, .traverse = zip_traverse, .iter = ou_iter_self, .next = zip_next},
    .methods = zip_methods,
    .doc = "The zip object yields n-length tuples, where n is the number of iterables\npassed as positional arguments to "
           "zip().  The i-th element in every tuple\ncomes from the i-th iterable argument to zip().  This continues until "
           "the\nshortest argument is exhausted.\n\nIf strict is true and one of the arguments is exhausted before the "
           "others,\nraise a ValueError."};

/* ---- pairs ------------------------------------------------------------------------------------------------------------------- */

bool ou_is_pair_iter(Value it)
{
    if (is_exact(it, T_ZIP)) {
        Zip *z = (Zip *)v_obj(it);
        return !z->strict && as_tuple(z->its)->n == 2;
    }
    return is_exact(it, T_ENUMERATE) || is_exact(it, T_DICT_ITEMITER);
}

int ou_next_pair(VM *vm, Value it, Value *out)
{
    Value a, b;
    switch (v_obj(it)->shape) {
    case T_DICT_ITEMITER: return ou_dict_next_item(vm, it, out);
    case T_ZIP: {
        Tuple *its = as_tuple(((Zip *)v_obj(it))->its);
        if ((a = ou_next_deep(vm, its->items[0])) == V_NULL) break;
        if ((b = ou_next_deep(vm, its->items[1])) != V_NULL) {
            out[0] = a;
            out[1] = b;
            return 1;
        }
        release(vm, a);
        break;
    }
    default: {
        Pair *p = (Pair *)v_obj(it);
        if ((b = ou_next_deep(vm, p->a)) == V_NULL) break;
        a = p->b;
        Value next = is_small(a) && v_small(a) < SMALL_MAX ? a + 1 : ou_int_op(vm, BIN_ADD, a, v_smallint(1));
        if (next == V_NULL) {
            release(vm, b);
            break;
        }
        p->b = next; /* the old index moves into the result */
        out[0] = a;
        out[1] = b;
        return 1;
    }
    }
    return vm->exc ? -1 : 0;
}

/* ---- reversed ----------------------------------------------------------------------------------------------------------------- */

static Value reversed_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && !ou_no_kw(vm, "reversed", kwnames)) return V_NULL;
    if (!ou_arg_count(vm, "reversed", n, 1, 1)) return V_NULL;
    Value m = ou_lookup_special(vm, args[0], name_of(vm, N_DU_reversed));
    if (m == V_NONE) return ou_raise(vm, E_TYPE, "'%T' object is not reversible", args[0]);
    if (m != V_NULL) {
        Value r = ou_call0(vm, m);
        release(vm, m);
        return r;
    }
    if (vm->exc) return V_NULL;
    Type *t = ou_type_of(vm, args[0]);
    if (!t->slots.getitem || !t->slots.len || (t->flags & (TF_MAPPING | TF_HEAP)) == TF_MAPPING)
        return ou_raise(vm, E_TYPE, "'%T' object is not reversible", args[0]);
    int64_t len = ou_len(vm, args[0]);
    if (len < 0) return V_NULL;
    SeqIter *it = ou_new(vm, cls, 0);
    if (!it) return V_NULL;
    it->seq = retain(args[0]);
    it->index = len - 1;
    return v_of(it);
}

static Value reversed_next(VM *vm, Value self)
{
    SeqIter *it = (SeqIter *)v_obj(self);
    if (it->seq == V_NULL) return V_NULL;
    if (it->index >= 0) {
        Value seq = retain(it->seq), i = ou_int(vm, it->index);
        Value v = i == V_NULL ? V_NULL : ou_getitem(vm, seq, i);
        xrelease(vm, i);
        release(vm, seq);
        if (v != V_NULL) {
            it->index--;
            return v;
        }
        if (!ou_exc_matches(vm, E_INDEX) && !ou_exc_matches(vm, E_STOP_ITERATION)) return V_NULL;
        ou_exc_clear(vm);
    }
    it->index = -1;
    if (it->seq != V_NULL) set_owned(vm, &it->seq, V_NULL);
    return V_NULL;
}

static Value reversed_hint(VM *vm, const Value *args, int n)
{
    (void)n;
    SeqIter *it = (SeqIter *)v_obj(args[0]);
    if (it->seq == V_NULL) return v_smallint(0);
    int64_t len = ou_len(vm, it->seq);
    if (len < 0) return V_NULL;
    return ou_int(vm, len < it->index + 1 ? 0 : it->index + 1);
}

static const NativeDef reversed_methods[] = {
    {"__length_hint__()", reversed_hint, "Private method returning an estimate of len(list(it)).", 0},
    SEQITER_METHODS,
    {0}};

const TypeDef ou_type_reversed = {.name = "reversed",
                                  .size = sizeof(SeqIter),
                                  .flags = TF_GC | TF_BASE,
                                  .slots = {.make = reversed_make,
                                            .dealloc = ou_seqiter_dealloc,
                                            .traverse = ou_seqiter_traverse,
                                            .iter = ou_iter_self,
                                            .next = reversed_next},
                                  .methods = reversed_methods,
                                  .doc = "Return a reverse iterator over the values of the given sequence."};
