/* Weak references from C. May be included by objects/ and above. A reference does not keep its target; ou_weakref_get gives an
 * owned value, V_NONE once the target is gone. */
#ifndef OU_WEAKREF_H
#define OU_WEAKREF_H

#include "runtime/objects/object.h"

Value ou_weakref_new(VM *vm, Value o, Value callback);   /* callback V_NONE or V_NULL: none. TypeError if o cannot be referenced */
Value ou_weakref_proxy(VM *vm, Value o, Value callback);
Value ou_weakref_get(VM *vm, Value ref);
Value ou_weakref_list(VM *vm, Value o);                  /* list of the references to o */
int64_t ou_weakref_count(VM *vm, Value o);

#endif
