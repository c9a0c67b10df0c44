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

Value ou_import_reload(VM *vm, Value module); /* importlib.reload: the module as sys.modules has it afterwards */
/* importlib.util.find_spec: a ModuleSpec or V_NONE. path V_NONE: sys.path. */
Value ou_import_find_spec(VM *vm, Str *name, Value path);
/* Source text of a frozen module's code object ("<frozen NAME>"), for tracebacks; NULL: no such module. */
const char *ou_frozen_source(const char *name, size_t n, size_t *len);
/* `-m`: finds the module, or the __main__ of a package, fills ns as the namespace of __main__ and gives its Code; *filename (owned
 * str) is where it came from. In `folder` (a list; V_NONE: sys.path) it is the __main__ of a folder that is run like a script.
 * What cannot be found or run is an ImportError without a traceback. */
Value ou_import_main(VM *vm, const char *dotted, Value folder, Dict *ns, Value *filename);
bool ou_import_adopt(VM *vm, const char *dotted); /* gives a module made at boot its __spec__ */
void ou_import_forked(VM *vm);   /* in a child process: the other threads, and what they were importing, are gone */
bool ou_import_boot(VM *vm);  /* sys.modules and the path from OUROPATH; before the first import */

/* What __spec__ is. `initializing` while the module's body runs: an attribute missing then is probably a circular import. */
typedef struct ModuleSpec {
    Obj h;
    Value name, origin, locations, loader_given, cached; /* owned; V_NONE: none; locations: list */
    bool initializing, has_location;
    bool found; /* by the importer: its loader is made when somebody asks */
} ModuleSpec;
ModuleSpec *ou_module_spec(VM *vm, Dict *ns); /* borrowed; NULL: the module has none of ours */
extern const TypeDef ou_module_spec_def;

/* The natives' table, provided by stdlib/ (stdlib/registry.c): -1 when there is no such module. */
int ou_native_module_find(const Str *name);
Value ou_native_module_make(VM *vm, int index); /* made and initialised; the caller puts it into sys.modules */
void ou_module_records_free(VM *vm);            /* at the end of the VM: what ou_module_record gave out */

#endif
