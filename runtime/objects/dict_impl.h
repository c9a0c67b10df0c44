/* What dict shares with its views and with collections: iterators, views, ordered operations.
 * May be included by objects/, stdlib/mod_collections.c and stdlib/mod_odict.c. Same ownership rules as object.h. */
#ifndef OU_DICT_IMPL_H
#define OU_DICT_IMPL_H

#include "runtime/objects/containers.h"

typedef struct DictIter {
    Obj h;
    Value dict;    /* V_NULL once exhausted */
    uint32_t n;    /* size of the dict when the iterator was made; UINT32_MAX: it changed, which was reported */
    uint32_t pos;  /* entry to look at next; reversed: entries before it are left */
    int64_t left;
} DictIter;
typedef struct DictView {
    Obj h;
    Value dict; /* a dict or subclass */
} DictView;

Value ou_dict_iter_new(VM *vm, TypeId id, Dict *d);
void ou_dict_iter_dealloc(VM *vm, Obj *o); /* also for other iterators that begin with a DictIter */
void ou_dict_iter_traverse(VM *vm, Obj *o, VisitFn visit, void *arg);
Value ou_dict_view_new(VM *vm, Type *t, Value dict);
bool ou_dict_popitem(VM *vm, Dict *d, bool last, Value *key, Value *value); /* owned; false: empty, nothing raised */
Value ou_mappingproxy_new(VM *vm, Value mapping);                            /* mappingproxy.c */
bool ou_dict_move_to_end(VM *vm, Dict *d, Value key, bool last);           /* KeyError if absent */

#endif
