/* ouro.h - the only installed header: everything a host program needs to run scripts.
 *
 * Rules that hold for all functions:
 * - `ouro_vm *` is the first argument. There is no process-wide state: any number of VMs, one thread in a VM at a time.
 * - What can fail returns an ouro_rc; with OURO_EXC the exception waits on the VM until ouro_exc_take or ouro_report.
 *   Nothing throws or longjmps through host frames.
 * - An ouro_val is a handle, never a pointer. It lives until the scope in which it was made closes (a native function has a
 *   scope of its own); a stale one is OURO_MISUSE. Pins outlive scopes. {0} is "no value".
 * - Strings are UTF-8. Sizes are bytes, times nanoseconds, unless said otherwise.
 * Mirrors, where CPython has a counterpart: Py_Initialize.., PyRun_*, PyObject_*, PyErr_*. */
#ifndef OURO_H
#define OURO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define OURO_API __attribute__((visibility("default")))
#else
#define OURO_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- 1. Types ---- */

typedef struct ouro_vm ouro_vm;   /* one interpreter */
typedef struct ouro_pin ouro_pin; /* a value kept alive beyond scopes */
typedef struct { uint64_t h; } ouro_val;
typedef struct { uint32_t mark; } ouro_scope;

typedef enum ouro_rc {
    OURO_OK = 0,
    OURO_EXC,    /* an exception is pending */
    OURO_NOMEM,  /* no memory even for an exception; the VM is still usable */
    OURO_LIMIT,  /* a budget is spent or ouro_interrupt was called; the exception is pending as well */
    OURO_BUSY,   /* the VM is running on another thread */
    OURO_MISUSE  /* stale handle, wrong VM, bad argument */
} ouro_rc;

/* ---- 2. Configuration: zero means default ---- */

enum { /* capabilities; the default is none */
    OURO_CAP_FS_READ = 1 << 0, OURO_CAP_FS_WRITE = 1 << 1, OURO_CAP_NET = 1 << 2, OURO_CAP_PROCESS = 1 << 3,
    OURO_CAP_ENV = 1 << 4, OURO_CAP_FFI = 1 << 5, OURO_CAP_THREADS = 1 << 6, OURO_CAP_SIGNALS = 1 << 7,
    OURO_CAP_ALL = 0xFF
};

/* Like realloc: old_size 0 allocates, new_size 0 frees. NULL is "no memory". */
typedef void *(*ouro_alloc_fn)(void *ud, void *p, size_t old_size, size_t new_size);
typedef void (*ouro_write_fn)(void *ud, int stream, const char *s, size_t n); /* stream 1 is stdout, 2 is stderr */

typedef struct ouro_limits {
    size_t max_heap;    /* bytes through the allocator; beyond it scripts get MemoryError */
    uint32_t max_depth; /* script frames; default 1000, as sys.getrecursionlimit(); scripts may lower it, and raise it when it is 0 here */
    uint64_t max_steps; /* for each call from the host; 0: no limit */
} ouro_limits;

typedef struct ouro_config {
    size_t struct_size;  /* sizeof(ouro_config), set by ouro_config_init: lets the struct grow */
    void *ud;            /* passed to the hooks */
    ouro_alloc_fn alloc; /* NULL: the C library's */
    ouro_write_fn write; /* NULL: file descriptors 1 and 2 */
    uint32_t caps;       /* OURO_CAP_* */
    ouro_limits limits;
    uint32_t hash_seed;  /* of str hashes; 0: chosen at random */
    int optimize;        /* 1: asserts are left out, __debug__ is False; 2: docstrings, too */
    bool safe_path;      /* sys.path gets no folder of the script, nor "" */
    bool dev_mode;       /* sys.flags.dev_mode: asyncio's debug mode, all warnings */
    const char *options; /* letters of Python's command line: what sys.flags is to show of "dEiIqv"; u: output is not buffered. NULL: none */
    bool *lost_output;   /* set by ouro_close() when what was printed last could not be written; NULL: nobody asks */
    /* For tests: the allocation with this number fails, and so many in a row from there, small blocks that never reach `alloc`
     * included. 0: none. */
    uint64_t fail_alloc, fail_count;
} ouro_config;

OURO_API void ouro_config_init(ouro_config *cfg);
OURO_API ouro_vm *ouro_open(const ouro_config *cfg); /* NULL: no memory. cfg may be NULL; it is copied */
/* Runs atexit functions, flushes the streams, frees every byte. Returns the number of objects that were left over (a bug in
 * Ouro or in a native that kept references; 0 otherwise). */
OURO_API uint64_t ouro_close(ouro_vm *vm);
/* The same for a process that is about to end: all that scripts can notice happens (threads are waited for, atexit functions,
 * finalizers, streams), but the memory is left to the operating system, which is quicker. The VM must not be used again. */
OURO_API void ouro_close_at_exit(ouro_vm *vm);
/* Scripts run in steps: a backward jump, a call, an await, an item taken by a native function; natives that work long charge
 * more. The same script makes the same number on every machine. When max_steps are spent the call from the host ends with
 * OURO_LIMIT and a KeyboardInterrupt, which scripts can catch but not get past: it is raised again at every further step.
 * Calls that natives make from within share the steps of the outermost one. New limits hold from the next call on. */
OURO_API void ouro_set_limits(ouro_vm *vm, const ouro_limits *limits);
OURO_API void *ouro_userdata(const ouro_vm *vm); /* cfg.ud */
OURO_API const char *ouro_version(void);         /* "0.1.0" */

/* ---- 3. Scopes and pins ---- */

OURO_API ouro_scope ouro_scope_open(ouro_vm *vm);
OURO_API void ouro_scope_close(ouro_vm *vm, ouro_scope s);
OURO_API ouro_val ouro_scope_escape(ouro_vm *vm, ouro_scope s, ouro_val v); /* closes s, keeps v in the scope around */
OURO_API ouro_pin *ouro_pin_new(ouro_vm *vm, ouro_val v);                   /* NULL: no memory */
OURO_API ouro_val ouro_pin_get(ouro_vm *vm, const ouro_pin *p);
OURO_API void ouro_pin_drop(ouro_vm *vm, ouro_pin *p);

/* ---- 4. Running code ---- */

/* Runs source text in the module __main__; name stands in tracebacks. *out (may be NULL) is the module. */
OURO_API ouro_rc ouro_run(ouro_vm *vm, const char *src, size_t n, const char *name, ouro_val *out);
/* The same for a file: sys.path[0] becomes its folder, __file__ its path. */
OURO_API ouro_rc ouro_run_file(ouro_vm *vm, const char *path, ouro_val *out);
/* `-m`: finds a module or package on sys.path and runs it as __main__. */
OURO_API ouro_rc ouro_run_module(ouro_vm *vm, const char *dotted, ouro_val *out);
/* One statement or expression as at a prompt: an expression's value goes through sys.displayhook. */
OURO_API ouro_rc ouro_run_interactive(ouro_vm *vm, const char *src, size_t n, const char *name);
/* Could more lines complete this text? For prompts. */
OURO_API bool ouro_is_complete(ouro_vm *vm, const char *src, size_t n);
OURO_API ouro_rc ouro_eval(ouro_vm *vm, const char *src, size_t n, const char *name, ouro_val *out); /* one expression */
OURO_API ouro_rc ouro_import(ouro_vm *vm, const char *name, ouro_val *out);
OURO_API ouro_rc ouro_call(ouro_vm *vm, ouro_val fn, int argc, const ouro_val *argv, ouro_val *out);
OURO_API ouro_rc ouro_call_method(ouro_vm *vm, ouro_val self, const char *name, int argc, const ouro_val *argv, ouro_val *out);
OURO_API ouro_rc ouro_set_args(ouro_vm *vm, int argc, const char *const *argv);          /* sys.argv */
OURO_API ouro_rc ouro_add_path(ouro_vm *vm, const char *folder, bool first);             /* sys.path */
OURO_API ouro_rc ouro_disassemble(ouro_vm *vm, const char *src, size_t n, const char *name, ouro_val *text);

/* ---- 5. Values ---- */

OURO_API ouro_val ouro_none(ouro_vm *vm);
OURO_API ouro_val ouro_bool(ouro_vm *vm, bool b);
OURO_API ouro_rc ouro_int(ouro_vm *vm, int64_t i, ouro_val *out);
OURO_API ouro_rc ouro_float(ouro_vm *vm, double d, ouro_val *out);
OURO_API ouro_rc ouro_str(ouro_vm *vm, const char *utf8, size_t n, ouro_val *out); /* OURO_EXC UnicodeDecodeError */
OURO_API ouro_rc ouro_bytes(ouro_vm *vm, const void *p, size_t n, ouro_val *out);
OURO_API ouro_rc ouro_list(ouro_vm *vm, int n, const ouro_val *items, ouro_val *out);
OURO_API ouro_rc ouro_dict(ouro_vm *vm, ouro_val *out);
OURO_API ouro_rc ouro_to_int(ouro_vm *vm, ouro_val v, int64_t *out); /* TypeError, OverflowError */
OURO_API ouro_rc ouro_to_float(ouro_vm *vm, ouro_val v, double *out);
OURO_API ouro_rc ouro_to_str(ouro_vm *vm, ouro_val v, const char **utf8, size_t *n); /* valid as long as the value is; str only */
OURO_API ouro_rc ouro_text(ouro_vm *vm, ouro_val v, ouro_val *out);                  /* str(v) */
OURO_API bool ouro_truthy(ouro_vm *vm, ouro_val v);                                  /* false also when bool(v) raises; the exception is dropped */
OURO_API bool ouro_is_none(ouro_vm *vm, ouro_val v);
OURO_API bool ouro_is(ouro_vm *vm, ouro_val v, const char *type_name); /* isinstance of a builtin type or exception */
OURO_API ouro_rc ouro_get_attr(ouro_vm *vm, ouro_val v, const char *name, ouro_val *out);
OURO_API ouro_rc ouro_set_attr(ouro_vm *vm, ouro_val v, const char *name, ouro_val x);
OURO_API ouro_rc ouro_get_item(ouro_vm *vm, ouro_val v, ouro_val key, ouro_val *out);
OURO_API ouro_rc ouro_set_item(ouro_vm *vm, ouro_val v, ouro_val key, ouro_val x);
OURO_API ouro_rc ouro_iter(ouro_vm *vm, ouro_val v, ouro_val *out);
OURO_API ouro_rc ouro_next(ouro_vm *vm, ouro_val it, ouro_val *out, bool *done);

/* ---- 6. Errors ---- */

/* Raises type_name(message): a builtin exception's name. printf formats. Returns OURO_EXC for `return ouro_raise(...)`. */
OURO_API ouro_rc ouro_raise(ouro_vm *vm, const char *type_name, const char *fmt, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;
OURO_API ouro_rc ouro_raise_val(ouro_vm *vm, ouro_val exc);
OURO_API bool ouro_exc_pending(const ouro_vm *vm);
OURO_API ouro_rc ouro_exc_take(ouro_vm *vm, ouro_val *exc); /* clears it; OURO_MISUSE when nothing is pending */
OURO_API bool ouro_exc_is(ouro_vm *vm, ouro_val exc, const char *type_name);
OURO_API ouro_rc ouro_exc_format(ouro_vm *vm, ouro_val exc, ouro_val *text); /* what an uncaught exception prints */
/* Takes the pending exception the way the command line ends a program: SystemExit gives its status, anything else is shown
 * through sys.excepthook. Returns the exit status (0 when nothing was pending, 130 after KeyboardInterrupt). */
OURO_API int ouro_report(ouro_vm *vm);

/* ---- 7. Native functions ---- */

typedef struct ouro_args {
    int argc;             /* number of parameters of the signature */
    const ouro_val *argv; /* in its order; {0}: not given; a *args is a tuple, a **kw a dict */
    void *data;           /* the row's */
} ouro_args;
typedef ouro_rc (*ouro_fn)(ouro_vm *vm, const ouro_args *args, ouro_val *ret); /* *ret starts as None */

typedef struct ouro_def {
    const char *sig; /* "read(path, n=-1, /, *, mode='r')"; must outlive the VM */
    ouro_fn fn;
    uint32_t caps;   /* the row is absent unless the VM has all of these */
    const char *doc;
    void *data;
} ouro_def;          /* tables end with {0} */

/* Makes a module that scripts can import. rows must outlive the VM. */
OURO_API ouro_rc ouro_module(ouro_vm *vm, const char *name, const ouro_def *rows);

/* ---- 8. The loop ---- */

typedef struct ouro_loop_info {
    bool alive;         /* something is left that can ever run */
    int64_t next_nanos; /* 0: call again now, -1: only I/O or another thread can make work, else the time to the next timer */
    uint32_t ready, waiting;
} ouro_loop_info;

/* Schedules a coroutine on the VM's own loop (made on first use). */
OURO_API ouro_rc ouro_spawn(ouro_vm *vm, ouro_val coro, const char *name, ouro_val *task);
/* Runs the loop until the coroutine, task or future is done; *out is its result. */
OURO_API ouro_rc ouro_loop_run(ouro_vm *vm, ouro_val awaitable, ouro_val *out);
/* Runs iterations of the loop without blocking until nothing is ready or budget_nanos are over (0: one iteration). */
OURO_API ouro_rc ouro_loop_poll(ouro_vm *vm, int64_t budget_nanos, ouro_loop_info *info);
/* Done? Then its result, or OURO_EXC with its exception. */
OURO_API ouro_rc ouro_result(ouro_vm *vm, ouro_val fut, bool *done, ouro_val *out);

/* KeyboardInterrupt at the next safepoint, or the handler that a script has set for SIGINT; ignoring the signal does not help against it.
 * Any thread, async-signal-safe. */
OURO_API void ouro_interrupt(ouro_vm *vm);
typedef struct ouro_stats {
    size_t heap, heap_peak; /* bytes */
    uint64_t objects;       /* alive */
    uint64_t allocations;   /* so far */
    uint64_t steps;         /* of the call from the host that runs or ran last; 0 without limits.max_steps */
} ouro_stats;
OURO_API void ouro_get_stats(const ouro_vm *vm, ouro_stats *out);

#ifdef __cplusplus
}
#endif
#endif
