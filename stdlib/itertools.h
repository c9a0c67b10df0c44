/* What the two files of itertools share: one struct for all its iterators. May be included by stdlib/mod_itertools*.c.
 * Invariant: every Value of `v` is owned or V_NULL. */
#ifndef OU_ITERTOOLS_H
#define OU_ITERTOOLS_H

#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

enum { IT_VALUES = 6 };
typedef struct It {
    Obj h;
    Value v[IT_VALUES];
    int64_t n[4];
    bool flag, done, busy;
} It;

static inline It *as_it(Value v) { return (It *)v_obj(v); }
static inline Tuple *tuple_at(It *it, int i) { return as_tuple(it->v[i]); }

It *ou_it_new(VM *vm, Type *cls);
void ou_it_dealloc(VM *vm, Obj *o);
void ou_it_traverse(VM *vm, Obj *o, VisitFn visit, void *arg);
void ou_it_clear(VM *vm, Obj *o);

#define IT_TYPE(cname, text, next_fn, docs, ...)                                                                       \
    const TypeDef ou_itertools_##cname = {.name = "itertools." text,                                                   \
                                          .size = sizeof(It),                                                          \
                                          .flags = TF_GC | TF_BASE,                                                    \
                                          .slots = {.make = cname##_make,                                              \
                                                    .dealloc = ou_it_dealloc,                                          \
                                                    .traverse = ou_it_traverse,                                        \
                                                    .clear = ou_it_clear,                                              \
                                                    .iter = ou_iter_self,                                              \
                                                    .next = next_fn},                                                  \
                                          .doc = docs,                                                                 \
                                          __VA_ARGS__}

extern const TypeDef ou_itertools_product, ou_itertools_combinations, ou_itertools_combinations_wr, ou_itertools_permutations;

#endif
