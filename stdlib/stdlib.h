/* What a native module of the library is made of, and the list of them all.
 * May be included by stdlib/ and api/. A module is a row of modules.def and a function `bool ou_mod_NAME(VM *, Module *)`
 * that fills the namespace; what it must remember hangs off vm->module_state[MOD_NAME] (or better: off its objects). */
#ifndef OU_STDLIB_H
#define OU_STDLIB_H

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/func.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/object.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"

typedef enum NativeModuleId {
#define MODULE(id, name, caps) MOD_##id,
#include "stdlib/modules.def"
#undef MODULE
    MOD_COUNT
} NativeModuleId;

typedef struct NativeModule {
    const char *name;                  /* dotted */
    bool (*init)(VM *vm, Module *m);
    uint32_t caps;                     /* all of them must be granted, else the import fails with ImportError */
} NativeModule;
extern const NativeModule ou_native_modules[MOD_COUNT];

#define MODULE(id, name, caps) bool ou_mod_##id(VM *vm, Module *m);
#include "stdlib/modules.def"
#undef MODULE

/* Helpers for init functions. All return false (exception pending) when memory is short. */
bool ou_module_add(VM *vm, Module *m, const NativeDef *defs);                 /* functions; table ends with {0} */
bool ou_module_set(VM *vm, Module *m, const char *name, Value v);             /* retains v */
bool ou_module_take(VM *vm, Module *m, const char *name, Value v);            /* owns v; V_NULL: false, so that calls nest */
bool ou_module_int(VM *vm, Module *m, const char *name, int64_t i);
bool ou_module_str(VM *vm, Module *m, const char *name, const char *s);
/* Makes the type (base NULL: object), adds it under its name (what follows the last dot) and returns it borrowed; NULL on failure. */
Type *ou_module_type(VM *vm, Module *m, const TypeDef *def, Type *base);
/* An exception class "module.name" over a built-in one, owned. */
Value ou_error_class(VM *vm, const char *dotted, TypeId base);
bool ou_module_builtin_type(VM *vm, Module *m, const char *name, TypeId id);
/* A per-VM record of a native module, zeroed, made on first use and freed with the VM; NULL: no memory (raised). */
void *ou_module_record(VM *vm, NativeModuleId id, size_t size);

bool ou_require_cap(VM *vm, uint32_t cap, const char *what); /* PermissionError "... is not allowed" when not granted */

/* mod_io.c: the standard streams and what print() and the command line need. */
bool ou_io_boot(VM *vm);        /* sys.stdin, sys.stdout, sys.stderr */
void ou_io_unbuffered(VM *vm);  /* what is printed goes out at once */
void ou_io_flush_std(VM *vm);   /* errors are dropped */
void ou_io_flush_last(VM *vm);  /* at exit: what could not be written is told on stderr */
/* Writes to sys.stderr if it is usable, else to file descriptor 2; never raises, keeps what is pending. */
void ou_stderr_write(VM *vm, const char *s, size_t n);
bool ou_stdout_write(VM *vm, const char *s, size_t n); /* through sys.stdout */

bool ou_builtins_boot(VM *vm);  /* fills vm->builtins; types and exceptions are there already */
bool ou_sys_boot(VM *vm);       /* fills vm->sysdict */
bool ou_signals_boot(VM *vm);   /* Ctrl-C is KeyboardInterrupt, if the host granted CAP_SIGNALS */
void ou_signals_fini(VM *vm);
bool ou_signal_simulate(VM *vm, Value number); /* as if it had come; nothing without a handler of a script */
void ou_unraisable_of(VM *vm, const char *fmt, Value what); /* ou_unraisable with the text that fmt, with one %R, makes */
void ou_datetime_fini(VM *vm);    /* takes the cycles of its classes apart; the module has been imported */
void ou_atexit_run(VM *vm);     /* atexit callbacks, last registered first */

#endif
