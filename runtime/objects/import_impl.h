/* What import.c, import_spec.c, import_find.c and import_from.c share. May be included by these only. */
#ifndef OU_IMPORT_IMPL_H
#define OU_IMPORT_IMPL_H

#include "runtime/objects/errors.h"
#include "runtime/objects/import.h"
#include "runtime/objects/state.h"


static inline ModuleSpec *as_spec(Value v) { return (ModuleSpec *)v_obj(v); }
Value ou_spec_new(VM *vm, Value name, Value origin, Value locations, Value loader);
Value ou_spec_parent(VM *vm, Value spec); /* the package's name: owned str */

typedef enum FoundKind { FOUND_NOTHING, FOUND_NATIVE, FOUND_FROZEN, FOUND_FILE, FOUND_NAMESPACE } FoundKind;
typedef struct Found {
    FoundKind kind;
    int index;          /* of the native or frozen table */
    bool is_package;
    Value filename;     /* FILE: owned str */
    Value locations;    /* packages: owned list; else V_NONE */
} Found;
/* The library first (natives, frozen scripts), then the path; path V_NONE: sys.path. */
bool ou_find_module(VM *vm, Str *name, Value path, Found *f);
void ou_found_done(VM *vm, Found *f);
Value ou_compile_found(VM *vm, const Found *f, Value filename); /* its Code */

/* ImportError with its fields; takes msg. The fields are borrowed and may be V_NULL. */
Value ou_raise_import(VM *vm, TypeId err, Value msg, Value name, Value path, Value name_from);
Value ou_import_absolute(VM *vm, Str *name); /* the module itself, owned */
/* import_lock.c: a module is imported by one thread at a time. */
typedef struct ImportRun {
    Str *name; /* borrowed */
    ThreadState *thread;
    struct ImportRun *next;
} ImportRun;
bool ou_import_wait(VM *vm, Str *name);                      /* while another thread imports it; false: an exception is pending */
void ou_import_begin(VM *vm, ImportRun *run, Str *name);
void ou_import_end(VM *vm, const ImportRun *run);
Value ou_spec_of_found(VM *vm, Str *name, const Found *f);
/* What a module's namespace holds before its body runs. */
bool ou_import_fill(VM *vm, Dict *ns, Str *name, const Found *f, Value spec, Value filename);
/* Imports the submodules that `from module import a, b` names; nested: the list is the module's __all__. */
bool ou_import_from_list(VM *vm, Value module, Value fromlist, bool nested);

#endif
