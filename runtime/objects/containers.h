/* list, tuple, dict, set, range, slice: structs and their C interface.
 * May be included by objects/ and above. Structs are open because the evaluator's fast paths read them. */
#ifndef OU_CONTAINERS_H
#define OU_CONTAINERS_H

#include "runtime/objects/object.h"

struct Tuple {
    Obj h;
    uint32_t n;
    int64_t hash;  /* 0: not computed */
    Value items[];
};
typedef struct List {
    Obj h;
    uint32_t n, cap;
    Value *items;
} List;

static inline Tuple *as_tuple(Value v) { return (Tuple *)v_obj(v); }
static inline List *as_list(Value v) { return (List *)v_obj(v); }
static inline Dict *as_dict(Value v) { return (Dict *)v_obj(v); }

Value ou_tuple_new(VM *vm, size_t n);                     /* items V_NONE: to be overwritten (move values in) */
Value ou_tuple_of(VM *vm, const Value *items, size_t n);  /* retains the items */
Value ou_tuple_take(VM *vm, Value *items, size_t n);      /* moves the items in; on failure they are released */
Value ou_tuple_slice(VM *vm, Tuple *t, size_t from, size_t to);
Value ou_list_new(VM *vm, size_t cap);
Value ou_list_of(VM *vm, const Value *items, size_t n);
Value ou_list_take(VM *vm, Value *items, size_t n);
bool ou_list_append(VM *vm, List *l, Value v);            /* retains v */
bool ou_list_append_take(VM *vm, List *l, Value v);       /* moves v in; on failure it is released */
bool ou_list_extend(VM *vm, List *l, Value iterable);
bool ou_list_insert(VM *vm, List *l, int64_t i, Value v);
void ou_list_remove_at(VM *vm, List *l, size_t i);
bool ou_list_sort(VM *vm, List *l, Value key, bool reverse); /* stable; key V_NONE: none */
Value ou_list_from(VM *vm, Value iterable);               /* list(iterable) */
Value ou_tuple_from(VM *vm, Value iterable);              /* tuple(iterable); an exact tuple is retained */
/* A borrowed view of a list's or tuple's items, or a list made from any iterable (then *own is to be released). */
const Value *ou_seq_items(VM *vm, Value iterable, size_t *n, Value *own, const char *not_iterable_msg);

/* dict: insertion-ordered compact table (entries array + index of 1, 2 or 4 byte cells). */
typedef struct DictEntry {
    int64_t hash;
    Value key;      /* V_NULL: deleted entry */
    Value value;
} DictEntry;
struct Dict {
    Obj h;
    uint32_t n;        /* live entries */
    uint32_t nentries; /* used entries, deleted ones included */
    uint32_t cap;      /* room in entries */
    uint32_t mask;     /* index size - 1 */
    uint32_t keys_version; /* renewed from vm->dict_versions whenever a key is added or removed or entries move, if it is not 0;
                              0: nobody has cached it. Caches hold (version, entry index). */
    uint32_t first;        /* entries before it are deleted: looking for the oldest stays cheap in queues */
    DictEntry *entries; /* followed by the index in the same block; NULL while empty */
    void *index;
};

Value ou_dict_new(VM *vm);
Value ou_dict_get(VM *vm, Dict *d, Value key);                 /* borrowed; V_NULL: absent (vm->exc unset) or raised */
Value ou_dict_get_str(VM *vm, Dict *d, Str *key);              /* interned key: no error possible; borrowed */
Value ou_dict_get_c(VM *vm, Dict *d, const char *key);
bool ou_dict_set(VM *vm, Dict *d, Value key, Value v);         /* retains both */
bool ou_dict_set_str(VM *vm, Dict *d, Str *key, Value v);
bool ou_dict_set_c(VM *vm, Dict *d, const char *key, Value v);
int ou_dict_del(VM *vm, Dict *d, Value key);                   /* 1 removed, 0 absent (nothing raised), -1 raised */
Value ou_dict_pop(VM *vm, Dict *d, Value key);                 /* owned; V_NULL: absent or raised */
Value ou_dict_setdefault(VM *vm, Dict *d, Value key, Value dflt); /* borrowed */
int64_t ou_dict_find(VM *vm, Dict *d, Value key, int64_t hash); /* entry index, -1 absent, -2 raised */
uint32_t ou_dict_version(VM *vm, Dict *d);                     /* gives it a keys_version if it has none */
bool ou_dict_next(const Dict *d, uint32_t *pos, Value *key, Value *value); /* borrowed; start with *pos = 0 */
bool ou_dict_update(VM *vm, Dict *d, Value other);             /* mapping or iterable of pairs */
bool ou_dict_merge(VM *vm, Dict *d, Value mapping, bool override);
Value ou_dict_copy(VM *vm, Dict *d);
void ou_dict_clear(VM *vm, Dict *d);
bool ou_dict_is_plain(VM *vm, Value v);                        /* dict or subclass without own __getitem__/__iter__ */

/* set and frozenset: open addressing with CPython's probe sequence and growth, so that the order of iteration is CPython's
 * for elements whose hash is (ints, floats, tuples of them, None is not). */
typedef struct SetEntry {
    int64_t hash;
    Value key; /* V_NULL: never used; V_UNBOUND: deleted */
} SetEntry;
typedef struct Set {
    Obj h;
    uint32_t n, fill, mask;
    int64_t hash;  /* frozenset's, -1: not computed */
    uint32_t finger;
    SetEntry *table; /* points to small while mask is 7 */
    SetEntry small[8];
} Set;
static inline Set *as_set(Value v) { return (Set *)v_obj(v); }
Value ou_set_new(VM *vm, TypeId id);                 /* T_SET or T_FROZENSET */
Value ou_set_from(VM *vm, TypeId id, Value iterable);
bool ou_set_add(VM *vm, Set *s, Value key);
int ou_set_has(VM *vm, Set *s, Value key);           /* 1, 0, -1 */
int ou_set_discard(VM *vm, Set *s, Value key);       /* 1 removed, 0 absent, -1 */
bool ou_set_update(VM *vm, Set *s, Value iterable);
bool ou_set_next(const Set *s, uint32_t *pos, Value *key); /* borrowed */

typedef struct Range {
    Obj h;
    Value start, stop, step, length; /* ints */
} Range;
typedef struct RangeIter { /* all within small ints */
    Obj h;
    int64_t next, step;
    uint64_t left;
} RangeIter;
typedef struct Slice {
    Obj h;
    Value start, stop, step;
} Slice;
Value ou_slice_new(VM *vm, Value start, Value stop, Value step); /* retains */
/* slice.indices for a sequence of that length; count is the number of items. The bounds' __index__ may run a script that changes
 * the sequence: for one that can, ask for the bounds first and fit them to the length that it has afterwards. */
bool ou_slice_bounds(VM *vm, Value slice, int64_t *start, int64_t *stop, int64_t *step);
int64_t ou_slice_fit(int64_t len, int64_t *start, int64_t *stop, int64_t step); /* the count */
bool ou_slice_unpack(VM *vm, Value slice, int64_t len, int64_t *start, int64_t *stop, int64_t *step, int64_t *count);

Value ou_call_iter_new(VM *vm, Value callable, Value sentinel); /* iter(callable, sentinel), type_iters.c */
/* enumerate, zip of two, dict items: they can hand out their pairs without a tuple. 1: out[0], out[1] owned; 0: exhausted; -1: raised. */
bool ou_is_pair_iter(Value it);
int ou_next_pair(VM *vm, Value it, Value *out);
typedef struct SeqIter { /* list_iter, tuple_iter, seq_iter, ... */
    Obj h;
    Value seq;     /* V_NULL once exhausted */
    int64_t index;
} SeqIter;

#endif
