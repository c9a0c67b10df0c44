/* Generators, coroutines, async generators as suspendable frames: what the loop and the natives do with them.
 * May be included by vm/, loop/, stdlib/, api/. Arguments borrowed, results owned. */
#ifndef OU_CORO_H
#define OU_CORO_H

#include "runtime/objects/func.h"

typedef enum GenResult {
    GEN_RETURN, /* finished: *out is the return value */
    GEN_YIELD,  /* suspended: *out is what it yielded (for a task: a future, None ... ; V_UNBOUND: a native wait was linked) */
    GEN_ERROR,  /* finished with the pending exception */
} GenResult;

/* Resumes root frame g with a value (borrowed), O(1) in the depth of its await chain. For `first` use V_NONE. */
GenResult ou_gen_resume(VM *vm, Gen *g, Value value, Value *out);
/* Resumes by raising exc (borrowed instance) at the innermost suspension point. */
GenResult ou_gen_throw(VM *vm, Gen *g, Value exc, Value *out);
/* gen.close(): GeneratorExit at the suspension; true when closed, false with a pending exception. */
bool ou_gen_close(VM *vm, Gen *g);
/* Called by dealloc of a suspended generator: runs its finally blocks; for coroutines warns "was never awaited". */
void ou_gen_finalize(VM *vm, Gen *g);

/* The awaitable protocol: coroutine -> itself, else __await__'s iterator, with CPython's TypeErrors. Owned. */
Value ou_get_awaitable(VM *vm, Value o);
bool ou_is_coroutine_like(VM *vm, Value o); /* coroutine, or generator with CO_ITERABLE_COROUTINE, or a native coroutine */

/* anext(it, default): awaits `awaitable`, StopAsyncIteration becomes the default. Owned. */
Value ou_anext_default(VM *vm, Value awaitable, Value dflt);
/* The frame that is suspended innermost, or g itself; what it waits for (owned, V_NONE). For cr_await and task dumps. */
Gen *ou_gen_innermost(Gen *g);
Value ou_gen_awaiting(VM *vm, Gen *g);

/* Native waits (loop/): a native coroutine object is awaited by a frame like any leaf: the evaluator calls these.
 * step: resumed with value or exception (one of them V_NULL). Returns as GenResult; GEN_YIELD with *out = what to yield. */
typedef struct NativeCoro NativeCoro;
typedef GenResult (*NativeStep)(VM *vm, NativeCoro *c, Value value, Value exc, Value *out);
typedef struct NativeKind { /* constant: what all coroutines of a native function share */
    const char *name;     /* qualname, e.g. "Event.wait" */
    NativeStep step;
    void (*fini)(VM *vm, NativeCoro *c); /* unlinks what it linked; NULL: nothing to do */
    uint8_t nslots, nraw; /* owned Values; words behind them that the kind uses as it likes */
} NativeKind;
struct NativeCoro { /* type T_NATIVE_CORO: script sees a coroutine */
    Obj h;
    const NativeKind *kind;
    uint8_t state;      /* GEN_CREATED ... GEN_CLOSED */
    uint8_t wait;       /* WAIT_NONE ... (loop/sync.c): a wait that a task is linked into without a future */
    bool no_warn;       /* do not warn when it was never awaited */
    Value slots[];      /* kind->nslots Values, V_NONE at first, then kind->nraw words, 0 at first */
};
Value ou_native_coro_new(VM *vm, const NativeKind *kind);
/* For natives that await something inside their step (wait_for, acquire ...): drive an awaitable iterator one step. */
GenResult ou_await_step(VM *vm, Value iterator, Value value, Value exc, Value *out);

#endif
