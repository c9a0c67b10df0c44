/* The VM: everything that would be a global elsewhere. One struct, no process-wide state.
 * May be included by objects/ and above. One thread at a time is inside a VM: it holds vm->lock (loop/threads.c). */
#ifndef OU_STATE_H
#define OU_STATE_H

#include "runtime/base/alloc.h"
#include "runtime/base/cstack.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/names.h"
#include "runtime/objects/object.h"

typedef struct Loop Loop;
struct Gen;

/* An activation of the evaluator from C, linked for tracebacks and frame walks. */
typedef struct EvalEntry {
    struct EvalEntry *prev;
    Value *R;          /* the frame that was current when C was entered; NULL at the bottom */
    const uint64_t *pc;
} EvalEntry;

/* What belongs to one OS thread running scripts; the running one's hot fields live in the VM and are swapped on hand-over. */
typedef struct ThreadState {
    struct ThreadState *next, *prev;
    Value *stack, *stack_end;
    Value *R, *top, *stack_floor, *stack_limit_real;
    const uint64_t *pc;
    EvalEntry *entry;
    struct Gen *root;
    Value exc, handled;
    uint32_t c_depth;
    uintptr_t c_floor;
    uint64_t ident;
    Loop *running_loop; /* owned; NULL: none */
    Value loop_policy_loop; /* asyncio.set_event_loop of this thread; V_NULL: not set */
    Value context;      /* current contextvars.Context or V_NULL */
    Value current_task; /* borrowed from the loop; V_NONE */
    Value asyncgen_firstiter, asyncgen_finalizer; /* sys.set_asyncgen_hooks; V_NONE */
    uint32_t coroutine_origin_depth;
    Value thread_object; /* threading.Thread or V_NULL */
    struct ReprGuard *repr_active; /* containers_impl.h */
    Value async_exc;     /* raised at the next safepoint; V_NULL */
    bool starved;        /* a lookup ran out of memory: MemoryError in the place of the next exception, or at the next safepoint */
    bool parked;         /* inside a blocking call, without the lock */
} ThreadState;

enum { /* vm->attention: why the next safepoint has to look; any bit also sets vm->stack_limit to NULL */
    ATT_SIGNAL = 1, ATT_GC = 2, ATT_LOCK = 4 /* another thread wants the lock */, ATT_BUDGET = 8, ATT_INTERRUPT = 16,
    ATT_PENDING = 32 /* jobs posted for the main thread */, ATT_STARVED = 64,
};

enum { /* vm->caps: what a host grants, the bits of OURO_CAP_*; the command line grants all */
    CAP_FS_READ = 1, CAP_FS_WRITE = 2, CAP_FILES = 3, CAP_NETWORK = 4, CAP_PROCESS = 8, CAP_ENV = 16, CAP_FFI = 32, CAP_THREADS = 64,
    CAP_SIGNALS = 128, CAP_ALL = 255,
    CAP_ANY_FD = CAP_FILES | CAP_NETWORK | CAP_PROCESS, /* one of them: descriptors by number */
};

struct ouro_vm {
    Heap heap; /* first: &vm->heap == (Heap *)vm */

    /* the running thread's evaluator state */
    Value *R;              /* registers of the current script frame */
    const uint64_t *pc;    /* its next instruction */
    Value *top;            /* free stack above a heap frame's callers (meaningful while a heap frame is current) */
    Value *stack_floor;    /* a call window of the current stack frame that grew beyond its registers ends here */
    Value *stack_limit;    /* calls above it go the slow way; NULL asks for attention */
    Value *stack_limit_real; /* what stack_limit is when nothing asks */
    volatile uint32_t attention;
    struct {               /* of the call from the host that is running; counted while ATT_BUDGET is set */
        uint64_t max;      /* steps for each; 0: no limit */
        uint64_t left;
        uint64_t churned;  /* heap.churned when it was charged last */
        bool on, spent;
        bool interrupted;  /* ouro_interrupt was heard */
        uint32_t nested;   /* calls from the host, the outermost included */
        uint32_t depth_max; /* sys.setrecursionlimit() may not go beyond; 0: no limit */
    } budget;
    Value exc;             /* pending exception, owned; V_NULL */
    Value handled;         /* innermost exception being handled, owned; V_NONE */
    EvalEntry *entry;
    Value ret;             /* value on its way between frames of a chain; V_NONE otherwise */
    uint32_t await_limit;  /* longest chain of awaits */
    struct Gen *root;      /* root of the await chain that is being driven; NULL: none */
    uint32_t c_depth, c_depth_max; /* nesting of C activations that can run script code */
    uintptr_t c_floor;     /* where the running thread's C stack ends for them (cstack.h) */
    uint32_t recursion_limit;      /* sys.getrecursionlimit() */
    uint32_t dealloc_depth;
    Obj *trash;            /* objects whose deallocation was put off, to bound C recursion */
    ThreadState *thread;   /* the running one */
    ThreadState *threads;  /* all; main thread first */
    ThreadState main_thread;

    Gc gc;
    Shape **shapes;        /* by id */
    uint32_t nshapes, shapes_cap;
    Type *types[T_COUNT];
    uint32_t next_type_id, next_type_version, dict_versions;
    Str *names[N_COUNT];   /* interned well-known names, names.def */
    Str *latin1[256];      /* one-character strings */
    struct { Str **cells; uint32_t n, fill, mask; } interned;
    Value empty_tuple, empty_str, empty_bytes, empty_frozenset;
    Value memory_error;    /* pre-allocated */
    Value main_module;
    Dict *modules;         /* sys.modules */
    Dict *builtins;        /* namespace of builtins */
    uint32_t nbuiltins;    /* its first entries, those from the boot */
    Dict *sysdict;         /* namespace of sys */
    struct { uint32_t version; Str *name; Value value; } method_cache[4096 / 4]; /* type attribute lookups, borrowed */
    struct WeakTable *weakrefs;
    struct { struct Frame **buckets; uint32_t mask, n; } frames; /* live Frames by their registers; it owns them (vm/frame.c) */
    struct Traceback *caught[64]; /* entries whose frames have caught the exception and still run, by registers; borrowed */
    uint32_t ncaught;
    struct PolySite *poly;  /* attribute sites that see several shapes (vm/slow.c); NULL until there is one */
    struct SigTable *sigs;  /* parsed signatures of ou_bind */
    void *module_state[64]; /* per native module, index from stdlib/modules.def; freed by its fini */
    uint32_t seed;          /* string hash seed */
    uint64_t id_counter;    /* task names and the like */
    uint64_t nan_counter;   /* nans made of text, see type_float.c */
    bool finalizing;
    bool library_gone;      /* finalizing, and the modules' records are freed: nothing can be imported */
    bool debug;             /* origin tracking */
    bool dev_mode;
    bool *lost_output;      /* to set when the last flush of stdout fails; NULL */
    char options[32];       /* letters of the command line that sys.flags shows */
    bool safe_path;         /* no folder of the script, no "" on sys.path */
    uint8_t optimize;       /* 1: no asserts, __debug__ is False; 2: no docstrings either */
    int int_max_str_digits;
    Value interrupt_exc;
    uint64_t objects_alive; /* counted in debug and leak-check builds and always cheap: ou_new/ou_free_object */
    struct Lock *lock;      /* the VM's lock, loop/threads.c */
    struct ApiState *api;   /* handles, pins, config: runtime/api */
    Loop *main_loop;
    Type *module_spec;      /* type of __spec__, import.c */
    struct ImportRun *imports;       /* modules that are being imported, and ... */
    struct ImportWait *import_waits; /* ... threads that wait for them (import_lock.c) */
    Value source_cache;     /* dict: file name -> source text of what was compiled from no file (traceback_print.c); V_NULL: none */
    Value argv, path;       /* borrowed into sys */
    void (*write)(void *ud, int stream, const char *s, size_t n); /* stdout/stderr sink for hosts; NULL: file descriptors */
    void *write_ud;
    uint32_t caps;
    bool verbose_leaks;
    /* upward doors of the loop, set when it is loaded (vm/ may not include loop/) */
    void *volatile interrupt_wake; /* uv_async_t to send to when a signal arrives while the loop waits */
    uint32_t waking;        /* threads that are about to send to it: atomic */
    bool (*on_signals)(VM *vm, uint32_t why); /* signal handlers of scripts (stdlib/mod_signal.c); false: raised */
    void (*nap)(VM *vm); /* lets other threads have the VM for a moment */
    bool (*on_attention)(VM *vm, uint32_t why); /* handles every ATT_* but GC; false: raised */
    int (*future_leaf)(VM *vm, Value future, Value value, Value exc, Value *out); /* GenResult of awaiting a Future */
};

/* stdlib/registry.c, called by ou_vm_new once the types are there and by ou_vm_free_report while the VM still runs scripts:
 * sys.modules, builtins, sys, the standard streams; atexit callbacks, flushing, the modules. */
bool ou_library_boot(VM *vm);
void ou_library_fini(VM *vm);

typedef struct VmSetup {
    HeapAllocFn fn; /* NULL: the C library's */
    void *ud;
    uint32_t caps, hash_seed;   /* seed 0: at random */
    uint64_t fail_at, fail_n;   /* Heap */
} VmSetup;
VM *ou_vm_open(const VmSetup *setup);                   /* boots types, builtins, sys; NULL: no memory */
VM *ou_vm_new(HeapAllocFn fn, void *ud, uint32_t caps); /* the same with defaults */
void ou_vm_free(VM *vm);                                /* tears everything down; leaks are counted in *vm->... and reported through ou_vm_leaks */
void ou_vm_end(VM *vm);                                 /* the part of it that scripts can notice; the memory stays, the VM is of no more use */
typedef struct VmLeaks { uint64_t objects, bytes, frames, handles; } VmLeaks;
void ou_vm_free_report(VM *vm, VmLeaks *out);           /* as ou_vm_free, and says what was left */

/* Hand-over between threads: what the evaluator keeps in the VM for the running one. stack_limit itself is derived. */
static inline void ou_thread_save(VM *vm)
{
    ThreadState *t = vm->thread;
    t->R = vm->R, t->top = vm->top, t->stack_floor = vm->stack_floor, t->stack_limit_real = vm->stack_limit_real;
    t->pc = vm->pc, t->entry = vm->entry, t->root = vm->root, t->exc = vm->exc, t->handled = vm->handled, t->c_depth = vm->c_depth;
}
static inline void ou_thread_load(VM *vm, ThreadState *t)
{
    vm->thread = t;
    vm->R = t->R, vm->top = t->top, vm->stack_floor = t->stack_floor, vm->stack_limit_real = t->stack_limit_real;
    vm->pc = t->pc, vm->entry = t->entry, vm->root = t->root, vm->exc = t->exc, vm->handled = t->handled, vm->c_depth = t->c_depth;
    vm->c_floor = t->c_floor;
    vm->stack_limit = vm->attention ? NULL : vm->stack_limit_real;
}

/* Is the next C activation one too many? Recursion in C that a script can drive asks, and raises RecursionError. */
static inline bool ou_c_deep(const VM *vm) { return vm->c_depth >= vm->c_depth_max || ou_cstack_below(vm->c_floor); }

/* Asks the running thread to look at `why` at its next safepoint. Async-signal-safe, any thread. */
static inline void ou_attention(VM *vm, uint32_t why)
{
    __atomic_fetch_or(&vm->attention, why, __ATOMIC_RELAXED);
    __atomic_store_n(&vm->stack_limit, NULL, __ATOMIC_RELAXED);
}

/* The limit of steps (budget.c). ou_charge is for natives whose work has no bound known beforehand: it counts steps against
 * the limit and notices ouro_interrupt and signals, but neither collects nor lets other threads run. False: raised. */
bool ou_charge_slow(VM *vm, uint64_t steps);
static inline bool ou_charge(VM *vm, uint64_t steps)
{
    return !(vm->attention & (ATT_BUDGET | ATT_INTERRUPT | ATT_SIGNAL)) || ou_charge_slow(vm, steps);
}
/* The same where nothing may be raised: the next safepoint does. */
static inline void ou_charge_later(VM *vm, uint64_t steps) { vm->budget.left -= steps < vm->budget.left ? steps : vm->budget.left; }
void ou_budget_begin(VM *vm); /* the outermost call from the host begins, ends */
void ou_budget_end(VM *vm);
bool ou_budget_step(VM *vm);  /* at a safepoint; false: raised */

/* May the thread wait, or does somebody want it? A limit of steps is no reason. */
static inline bool ou_wanted(const VM *vm) { return (vm->attention & ~(uint32_t)ATT_BUDGET) != 0; }

static inline Str *name_of(VM *vm, NameId id) { return vm->names[id]; } /* borrowed */

#endif
