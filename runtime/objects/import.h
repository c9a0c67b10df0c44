/* Imports: what the evaluator's IMPORT instructions and __import__ call.
 * May be included by objects/ and above. Modules are found in sys.modules, then among the natives (stdlib/modules.def), the
 * frozen scripts (frozen.h) and on sys.path (".script" before ".py"). Arguments borrowed, results owned. */
#ifndef OU_IMPORT_H
#define OU_IMPORT_H

#include "runtime/objects/func.h"
#include "runtime/objects/object.h"

/* `import name` / `from name import ...`: globals (may be NULL) give __package__ for level > 0. fromlist V_NONE or empty: the
 * top package of the dotted name; else the named module, with the submodules named in fromlist imported.
 * Calls builtins.__import__ if a script has replaced it. */
Value ou_import(VM *vm, Str *name, int level, Value fromlist, Dict *globals);
Value ou_import_from(VM *vm, Value module, Str *name);      /* one name of `from module import name` */
bool ou_import_star(VM *vm, Value module, Value mapping);   /* into a dict (or the mapping of a class or exec body) */
Value ou_import_module(VM *vm, const char *dotted);         /* the module itself, as importlib.import_module */
Value ou_import_attr(VM *vm, const char *dotted, const char *attr); /* getattr(import_module(dotted), attr) */
Value ou_import_level(VM *vm, Str *name, int level, Value fromlist, Dict *globals); /* without looking at builtins.__import__ */

/* Runs a file or a module as __main__ (the command line): sets __name__, __file__, __spec__ ... in the given namespace. */
Value ou_import_find_main(VM *vm, const char *dotted, Value *filename); /* `-m`: its Code; *filename owned str */
bool ou_import_boot(VM *vm);  /* sys.modules and the path from OUROPATH; before the first import */

/* The natives' table, provided by stdlib/ (stdlib/registry.c): -1 when there is no such module. */
int ou_native_module_find(const Str *name);
Value ou_native_module_make(VM *vm, int index); /* made and initialised; the caller puts it into sys.modules */

#endif
