/* What the files of the builtins namespace share. May be included by stdlib/mod_builtins*.c only. */
#ifndef OU_STDLIB_BUILTINS_H
#define OU_STDLIB_BUILTINS_H

#include "stdlib/stdlib.h"

extern const NativeDef ou_builtins_code[]; /* eval, exec, compile, globals, locals, __import__, __build_class__ */
extern const NativeDef ou_builtins_io[];   /* print, input, open, help */

#endif
