/* What the files of `_json` share. May be included by stdlib/mod_json*.c only. */
#ifndef OU_STDLIB_JSON_IMPL_H
#define OU_STDLIB_JSON_IMPL_H

#include "stdlib/stdlib.h"

Value ou_json_dumps(VM *vm, const Value *args, int n); /* mod_json_write.c */

#endif
