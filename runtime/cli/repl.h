/* The prompt. May be included by runtime/cli only. */
#ifndef OU_REPL_H
#define OU_REPL_H

#include "runtime/api/ouro.h"

int repl_run(ouro_vm *vm); /* reads standard input to its end; the exit status */

#endif
