/* What errors*.c, traceback.c and traceback_print.c share and nobody else needs.
 * May be included by these files and by ops.c. */
#ifndef OU_ERRORS_IMPL_H
#define OU_ERRORS_IMPL_H

#include "runtime/objects/errors.h"
#include "runtime/objects/str.h"

bool ou_is_exception(VM *vm, Value v);
bool ou_is_exception_class(VM *vm, Value v);
/* An instance with args = (*args) and every other field unset, as BaseException.__new__ makes it. */
Value ou_exc_alloc(VM *vm, Type *cls, const Value *args, int n);
/* The __init__ of the exception's layout (StopIteration.value, SyntaxError.msg ...) without keyword arguments. */
bool ou_exc_init_fields(VM *vm, Value exc, const Value *args, int n, Tuple *kwnames);
/* The parts of a layout's behaviour that live in errors_group.c. */
extern const NativeDef ou_exc_group_methods[];
extern const GetSetDef ou_exc_group_getset[];
Value ou_exc_group_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames);
Value ou_exc_group_str(VM *vm, Value self);
/* suggest.c: the near miss for NameError, AttributeError or ImportError; str, or V_NONE; never raises. */
Value ou_suggest(VM *vm, Value exc, bool frames); /* frames false: as if there were no traceback */
/* A module that a NameError's name stands for in the library: "Did you forget to import 'x'?". */
bool ou_suggest_is_module(VM *vm, Str *name);

#endif
