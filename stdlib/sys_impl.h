/* What the files of `sys` share. May be included by stdlib/mod_sys*.c only. */
#ifndef OU_STDLIB_SYS_IMPL_H
#define OU_STDLIB_SYS_IMPL_H

#include "stdlib/stdlib.h"

extern const NativeDef ou_sys_hooks[]; /* mod_sys_hooks.c: excepthook, _getframe, asyncgen hooks ... */
bool ou_sys_hooks_fill(VM *vm, Module *m);

#endif
