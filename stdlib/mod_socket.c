/* `_socket`: socket objects. In the making. */
#include "stdlib/stdlib.h"
bool ou_mod__socket(VM *vm, Module *m) { return (void)vm, (void)m, true; }
