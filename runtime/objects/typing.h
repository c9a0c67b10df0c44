/* What PEP 695 syntax makes: called by the evaluator's TYPEPARAM, TYPEALIAS, GENERICBASE (type_alias.c defines them).
 * Arguments borrowed, results owned. */
#ifndef OU_TYPING_H
#define OU_TYPING_H

#include "runtime/objects/object.h"

enum { TYPEPARAM_VAR, TYPEPARAM_CONSTRAINED, TYPEPARAM_PARAMSPEC, TYPEPARAM_TUPLE };
/* bound and dflt: functions without parameters that give the value when it is first asked for, or V_NONE. */
Value ou_typeparam_new(VM *vm, int kind, Value name, Value bound, Value dflt);
Value ou_typealias_new(VM *vm, Value name, Value params, Value value_fn, Value module); /* params a tuple or V_NONE */
Value ou_generic_base(VM *vm, Value params); /* typing.Generic[*params] */
Value ou_generic_alias_new(VM *vm, Value origin, Value args); /* list[int] */

#endif
