/* What the files of _collections share: mod_collections.c, mod_deque.c. */
#ifndef OU_COLLECTIONS_IMPL_H
#define OU_COLLECTIONS_IMPL_H

#include "stdlib/stdlib.h"

typedef struct CollectionTypes {
    Value keep; /* a tuple of the types: they may be needed after the module is gone */
    Type *deque, *iter, *reviter, *defaultdict;
} CollectionTypes;

/* NULL: raised. */
static inline CollectionTypes *ou_collection_types(VM *vm) { return ou_module_record(vm, MOD__collections, sizeof(CollectionTypes)); }

/* Is v of that native type, or of a class derived from it? */
static inline bool ou_is_native(VM *vm, Value v, const TypeDef *def)
{
    if (!is_obj(v)) return false;
    for (Type *t = ou_type_of(vm, v); t; t = t->base)
        if (t->def == def) return true;
    return false;
}

extern const TypeDef ou_deque_def, ou_deque_iter_def, ou_deque_reviter_def; /* mod_deque.c */

#endif
