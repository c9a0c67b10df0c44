/* The prompt of the command line. For main.c only. */
#ifndef OU_CLI_REPL_H
#define OU_CLI_REPL_H

#include <stdbool.h>

#include "runtime/api/ouro.h"

int repl_run(ouro_vm *vm, bool greet);        /* reads and runs until the end of input; the exit status */
void repl_show(ouro_vm *vm, ouro_val exc);    /* an exception that does not end the program; sys.last_exc and its kin */

#endif
