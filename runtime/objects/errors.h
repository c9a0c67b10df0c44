/* Exceptions: the C structs of their instances, raising, tracebacks.
 * May be included by objects/ and above. The pending exception is vm->exc (owned; V_NULL = none). vm->handled is the
 * innermost exception being handled (owned or V_NONE; inside a generator: by the generator itself, ou_exc_handled looks
 * further): it becomes __context__ of what is raised meanwhile. */
#ifndef OU_ERRORS_H
#define OU_ERRORS_H

#include "runtime/objects/object.h"

typedef struct Exc { /* layout BASE; every exception begins with it */
    Obj h;
    Value args;      /* tuple */
    Value traceback; /* Traceback or V_NONE */
    Value context, cause; /* V_NONE: none */
    bool suppress_context;
} Exc;
typedef struct ExcStopIter { Exc e; Value value; } ExcStopIter;
typedef struct ExcSysExit { Exc e; Value code; } ExcSysExit;
typedef struct ExcOs { Exc e; Value err, strerror, filename, filename2; Value written; } ExcOs; /* V_NULL: unset */
typedef struct ExcSyntax { Exc e; Value msg, filename, lineno, offset, text, end_lineno, end_offset, print_file_and_line; } ExcSyntax;
typedef struct ExcUnicode { Exc e; Value encoding, object, start, end, reason; } ExcUnicode;
typedef struct ExcImport { Exc e; Value msg, name, path, name_from; } ExcImport;
typedef struct ExcName { Exc e; Value name; } ExcName;
typedef struct ExcAttr { Exc e; Value name, obj; } ExcAttr;
typedef struct ExcGroup { Exc e; Value message, excs; } ExcGroup; /* excs: tuple */

typedef struct Traceback { /* one entry; next is the deeper one, as in CPython */
    Obj h;
    Value next;      /* Traceback or V_NONE */
    Value func;      /* Function */
    Value frame;     /* Frame object or V_NULL until asked for */
    Value *R;        /* the frame's registers while it runs; good only while the entry is linked, or the exception on its way */
    struct Traceback *same, **same_at; /* linked in vm->caught: its frame has caught the exception and runs on; same_at NULL: not */
    Value *locals;   /* its registers when the exception left it, nlocals of them, owned; NULL: not left, or nothing to keep */
    uint32_t nlocals;
    uint32_t pc;     /* instruction index in the function's code */
    uint32_t lineno;
} Traceback;

/* Raise with a message; always returns V_NULL so that `return ou_raise(...)` works. Formats: %s C string, %d int, %ld int64_t,
 * %zu size_t, %c, %x, %% and %U a str Value, %R repr of a Value, %S str of a Value, %T type name of a Value, %N a Type *'s name,
 * %Q an Str *'s text, %K as %T but None is "None" (how argument errors name it). Precision %.200s is understood. Sets __context__ from vm->handled. */
Value ou_raise(VM *vm, TypeId err, const char *fmt, ...);
Value ou_raise_value(VM *vm, Value exc);              /* borrowed instance; context set as `raise exc` does */
Value ou_raise_args(VM *vm, TypeId err, const Value *args, int n); /* Err(*args) */
Value ou_raise_key(VM *vm, Value key);                /* KeyError(key) */
Value ou_raise_attr(VM *vm, Value obj, Str *name);    /* AttributeError "'X' object has no attribute 'y'" with name and obj set */
Value ou_raise_stop(VM *vm, Value value);             /* StopIteration(value) */
Value ou_raise_errno(VM *vm, int err, Value filename); /* the OSError subclass; filename V_NULL: none */
Value ou_raise_memory(VM *vm);                        /* the pre-allocated MemoryError */
Value ou_raise_recursion(VM *vm, const char *where);  /* RecursionError "maximum recursion depth exceeded" + where (may be NULL) */
bool ou_exc_matches(VM *vm, TypeId err);              /* is the pending exception of that class? */
void ou_exc_clear(VM *vm);
Value ou_exc_take(VM *vm);                            /* owned; nothing pending afterwards */
void ou_exc_restore(VM *vm, Value exc);               /* takes ownership; replaces what is pending; no context is set */
void ou_exc_set_context(VM *vm, Value exc, Value context); /* breaks cycles as CPython does; context borrowed */
Value ou_exc_new(VM *vm, Type *cls, const Value *args, int n); /* cls(*args) without pending context */
Value ou_exc_normalize(VM *vm, Value cls_or_instance); /* what `raise X` makes of X: an instance, or raises TypeError */
Value ou_exc_handled(VM *vm); /* what sys.exception() returns: borrowed, V_NONE */
void ou_traceback_unlink(VM *vm, Traceback *tb);
bool ou_exc_add_traceback(VM *vm, Value exc, Value func, uint32_t pc); /* prepends a Traceback entry */
static inline Exc *as_exc(Value v) { return (Exc *)v_obj(v); }
/* except matching: 1, 0, -1 (catching classes that do not inherit from BaseException is not allowed) */
int ou_exc_match(VM *vm, Value exc, Value cls);
/* except*: splits exc by cls. *match and *rest are owned or V_NONE. */
bool ou_exc_split_star(VM *vm, Value exc, Value cls, Value *match, Value *rest);
Value ou_exc_prep_reraise_star(VM *vm, Value orig, Value list); /* what the end of an except* raises: exception or V_NONE */
bool ou_warn(VM *vm, TypeId category, int stacklevel, const char *fmt, ...); /* warnings.warn; false: it raised */
bool ou_warn_source(VM *vm, TypeId category, Value source, const char *fmt, ...); /* of an object that nobody has closed */
/* An exception that cannot propagate (a destructor, a callback): reported through sys.unraisablehook; clears vm->exc. */
void ou_unraisable(VM *vm, const char *where, Value obj);

bool ou_errors_boot(VM *vm); /* makes the exception types and vm->memory_error; the types of types.def are there already */

/* traceback_print.c: the text that CPython's default excepthook prints (carets, causes, groups, suggestions). */
Value ou_exc_format(VM *vm, Value exc, bool chain); /* chain false: without causes and carets, as sys.unraisablehook has it */
/* The near miss of a keyword argument among names[from..to): borrowed, NULL: none. */
/* TypeError for the keyword of a native; names are those that it could have been. */
void ou_unexpected_keyword(VM *vm, const char *who, int len, Value key, const Value *names, size_t n);
Str *ou_suggest_tuple(VM *vm, Str *wrong, Tuple *names, unsigned from, unsigned to);
/* Source text of what is compiled from no file ("<string>" of -c; by_object: an input of a prompt, which shares its name with
 * others), so that tracebacks can show its lines. */
Value ou_source_line(VM *vm, Value filename, int64_t lineno); /* without the white space around; V_NONE: not known */
bool ou_source_remember(VM *vm, Value filename, const char *src, size_t n, bool by_object);

#endif
