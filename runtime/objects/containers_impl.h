/* What the container types share among themselves: index and slice keys, sequence comparison, repr guards.
 * May be included by the container types in objects/ and by natives in stdlib/. Same ownership rules as object.h. */
#ifndef OU_CONTAINERS_IMPL_H
#define OU_CONTAINERS_IMPL_H

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"

/* Objects whose repr is being made, linked through the C stack of the thread: "[...]" for the one that contains itself. */
typedef struct ReprGuard {
    struct ReprGuard *prev;
    Obj *o;
} ReprGuard;
int ou_repr_enter(VM *vm, ReprGuard *g, Value o); /* 1: go on and leave later; 0: o is already active; -1: raised (too deep) */
void ou_repr_leave(VM *vm, ReprGuard *g);

/* A subscript: 1 an integer index (as given, not wrapped), 2 a slice, 0 raised. `name` is for the message. */
int ou_seq_key(VM *vm, Value key, const char *name, int64_t *i);
/* Bounds of .index(x, start, stop): negative values count from the end, everything is clipped; V_NULL keeps the default. */
bool ou_seq_bounds(VM *vm, Value start, Value stop, int64_t len, int64_t *from, int64_t *to);
/* `seq + other` where other is no such sequence: gives other's reflected operator its chance, then raises. */
Value ou_seq_concat_other(VM *vm, Value seq, Value other, const char *name);
/* The count of `seq * n` (0 for negative ones): 1 got it, 0 raised, 2 *result has the answer (maybe V_NOTIMPL or V_NULL). */
int ou_seq_repeat_count(VM *vm, Value seq, Value n, Value a, Value b, int64_t *count, Value *result);
/* "[a, b]": items are read through *items and *n again after every element, because a repr may change the list. */
Value ou_seq_repr(VM *vm, Value self, Value *const *items, const uint32_t *n, const char *open, const char *close);
Value ou_class_getitem(VM *vm, const Value *args, int n); /* the __class_getitem__ of generic built-ins */
Value ou_generic_alias_new(VM *vm, Value origin, Value args); /* type_alias.c */

/* Shared slots of iterators (type_iters.c): the SeqIter struct and "an iterator is its own iter()". */
Value ou_iter_self(VM *vm, Value self);
void ou_seqiter_dealloc(VM *vm, Obj *o);
void ou_seqiter_traverse(VM *vm, Obj *o, VisitFn visit, void *arg);
Value ou_seqiter_new(VM *vm, TypeId id, Value seq, int64_t index);
/* Copies and pickles of iterators (iter_reduce.c). */
#define ITER_NO_INDEX INT64_MIN
Value ou_iter_call(VM *vm, const char *fn, Value arg, int64_t index); /* (builtin fn, (arg,)[, index]); takes arg, V_NULL: raised */
Value ou_iter_rest(VM *vm, Value copy);                 /* iter(list(copy)) as such a tuple; takes the iterator over */
Value ou_seqiter_reduce(VM *vm, const Value *args, int n);
Value ou_seqiter_setstate(VM *vm, const Value *args, int n);
#define SEQITER_METHODS                                                                                                \
    {"__reduce__()", ou_seqiter_reduce, "Return state information for pickling.", 0},                                  \
    {"__setstate__(object, /)", ou_seqiter_setstate, "Set state information for unpickling.", 0}
int ou_dict_next_item(VM *vm, Value self, Value *out); /* ou_next_pair for T_DICT_ITEMITER */
Value ou_call_iter_new(VM *vm, Value callable, Value sentinel); /* iter(callable, sentinel) */
bool ou_order_holds(int64_t a, int64_t b, CmpOp op); /* a op b */

/* slice.indices for a length of any size: three owned ints (type_range.c). */
bool ou_slice_long_indices(VM *vm, Slice *s, Value length, Value out[3]);

static inline bool is_a_fast(VM *vm, Value v, TypeId id) { return is_exact(v, id) || (is_obj(v) && ou_is_a(vm, v, id)); }
/* next(it) from inside of an iterator's own next: a chain of iterators nests C calls. */
static inline Value ou_next_deep(VM *vm, Value it)
{
    if (is_exact(it, T_LIST_ITER)) {
        SeqIter *s = (SeqIter *)v_obj(it);
        if (s->seq != V_NULL && (uint64_t)s->index < as_list(s->seq)->n) return retain(as_list(s->seq)->items[s->index++]);
    }
    if (ou_c_deep(vm)) return ou_raise_recursion(vm, NULL);
    vm->c_depth++;
    Value v = ou_next(vm, it);
    vm->c_depth--;
    return v;
}
static inline bool kw_given(const Tuple *kwnames) { return kwnames && kwnames->n; }

#endif
