/* The event loop's data: Loop, Handle, Future, Task, waiters, the ready ring. ASYNC.md's layouts and rules.
 * May be included by loop/, stdlib/, api/. The loop knows Futures and suspended frames, never bytecode.
 *
 * The ready ring holds tagged pointers; every entry is exactly one call_soon of asyncio, so that the order of execution is
 * CPython's to the step. Room in the ring is reserved when a task, handle or waiter is made: pushing cannot fail. */
#ifndef OU_LOOP_H
#define OU_LOOP_H

#include <uv.h>

#include "runtime/base/list.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/func.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"
#include "vm/coro.h"

typedef struct Future Future;
typedef struct Task Task;
typedef struct Handle Handle;
typedef struct Waiter Waiter;

/* ---- waiters: who is told when a future is done ---- */
typedef void (*WaiterFn)(VM *vm, Waiter *w); /* its own entry of the ready ring; frees nothing. w->future is the future */
enum { WAIT_TASK, WAIT_SCRIPT, WAIT_NATIVE };
struct Waiter {
    Waiter *next;
    uint64_t kind : 8, id : 56; /* id: of a WAIT_TASK, n of the name "Task-n"; it has no room elsewhere */
    /* WAIT_TASK waiters are embedded in their Task and end here */
};
typedef struct CallWaiter { /* WAIT_SCRIPT (cb, ctx) and WAIT_NATIVE (fn, owner) */
    Waiter w;
    Value future;  /* set (owned) when it is scheduled, V_NULL before */
    Value cb;      /* script callable, or the native's owner object; owned */
    Value ctx;     /* context map or Context it runs in; owned */
    WaiterFn fn;
    intptr_t data;
} CallWaiter;

/* ---- futures ---- */
enum { FUT_PENDING, FUT_CANCELLED, FUT_RESULT, FUT_ERROR }; /* the last two are asyncio's FINISHED */
enum { FUT_LOG_TRACEBACK = 1, FUT_BLOCKING = 2, FUT_CANCEL_MSG = 4, FUT_TASK_MUST_CANCEL = 8, FUT_TASK_NO_LOG = 16, FUT_IN_STEP = 32 };
typedef struct FutureExtra { /* rare things */
    Value cancel_msg;      /* V_NONE */
    Value cancelled_exc;   /* the CancelledError a task ended with, given out once */
    Value source;          /* debug: list of FrameSummary-like tuples where it was created */
    Value throw_exc;       /* tasks: what the next step raises */
    Value name;            /* tasks: the name if it is not Task-n; V_NONE */
    Value traceback;       /* that of the error when it was set; whoever fetches the error first gets it back */
} FutureExtra;
struct Future {
    Obj h;
    Loop *loop;            /* owned reference to its object */
    Value result;          /* value or exception; while pending V_NONE, of a task _fut_waiter: what it waits for */
    Waiter *first, *last;  /* in order of registration */
    FutureExtra *extra;    /* NULL mostly */
    uint8_t state, flags;
    uint16_t pad;
    uint32_t ncancel;      /* tasks: cancelling() */
};
struct Task {
    Future f;
    Waiter w;              /* in the list of the future it waits for */
    Value coro;
    Value ctx;             /* context map (dict or V_NONE) or Context object */
    Node live;             /* in loop->tasks: the strong reference */
};
static inline Future *as_future(Value v) { return (Future *)v_obj(v); }
static inline Task *as_task(Value v) { return (Task *)v_obj(v); }
static inline Task *task_of_waiter(Waiter *w) { return (Task *)((char *)w - offsetof(Task, w)); }

/* ---- handles ---- */
typedef void (*HandleFn)(VM *vm, Handle *h); /* native handles: may raise, which goes to the exception handler */
struct Handle { /* T_HANDLE and T_TIMER_HANDLE */
    Obj h;
    Loop *loop;   /* owned */
    Value cb;     /* callable; for native handles the owner object */
    Value args;   /* tuple, or any Value for native handles */
    Value ctx;
    HandleFn fn;  /* NULL: script callback */
    double when;  /* timers */
    bool cancelled, scheduled, is_timer;
    Value source; /* debug: creation traceback; V_NULL */
    Value shown;  /* debug: the repr of a cancelled one, with its callback and arguments; V_NULL */
};
static inline Handle *as_handle(Value v) { return (Handle *)v_obj(v); }

/* ---- the loop ---- */
enum { ENTRY_HANDLE, ENTRY_TASK, ENTRY_WAITER, ENTRY_MASK = 7 };
typedef struct TimerEntry {
    double when;
    Handle *h; /* owned */
} TimerEntry;

enum { LOOP_OWN_TIME = 1, LOOP_OWN_CALL_AT = 2, LOOP_OWN_CALL_LATER = 4, LOOP_OWN_RUN_ONCE = 8, LOOP_OWN_CREATE_TASK = 16 };
struct Loop {
    Obj h;
    uint64_t *ring;          /* power of two */
    uint32_t head, tail_at, mask, reserved;
    TimerEntry *timers;      /* heapq order */
    uint32_t ntimers, timers_cap, ntimers_cancelled;
    Node tasks;              /* live tasks, creation order */
    bool running, stopping, closed, debug;
    uint8_t own;             /* LOOP_OWN_...: what its class defines itself, so that natives have to ask it */
    uint64_t thread_ident;   /* of the running thread; 0 */
    uint64_t iteration;
    double slow_callback_duration, clock_resolution;
    Value exception_handler, task_factory;  /* V_NONE */
    Value default_executor;
    Value entered;           /* _enter_task() by script: the task that runs in this loop; V_NONE */
    Handle *current_handle;  /* for source tracebacks */
    /* libuv: made on first need */
    uv_loop_t *uv;
    uv_timer_t *uv_timer;
    uv_async_t *uv_async;
    uint32_t io_handles;     /* active I/O handles: the reactor has to be polled */
    bool io_dirty;           /* an I/O call was made since the last poll, or that found something */
    uint32_t since_poll;
    volatile uint32_t woken; /* set by other threads together with uv_async_send */
    struct Watcher **watch;  /* by descriptor (io.h); NULL: not watched */
    uint32_t nwatch;
    uint8_t *scratch;        /* what transports read into; NULL: not needed yet */
    VM *vm;
};
static inline Loop *as_loop(Value v) { return (Loop *)v_obj(v); }

/* loop.c */
bool ou_loop_reserve(VM *vm, Loop *l);      /* one more entry may be pushed; raises MemoryError */
static inline void ou_loop_unreserve(Loop *l) { l->reserved--; }
void ou_loop_push(Loop *l, void *p, unsigned tag);
Loop *ou_loop_check(VM *vm, Value loop);    /* takes loop (V_NULL: NULL); NULL: raised, it is none */
Loop *ou_loop_arg(VM *vm, Value loop);      /* of loop=None arguments: owned; NULL: raised */
bool ou_loop_check_closed(VM *vm, Loop *l); /* false: RuntimeError 'Event loop is closed' */
Value ou_call_soon(VM *vm, Loop *l, Value cb, Value args, Value ctx);         /* Handle; ctx V_NULL: a copy of the current one */
Value ou_call_soon_native(VM *vm, Loop *l, HandleFn fn, Value owner, Value arg); /* Handle */
Value ou_call_at_native(VM *vm, Loop *l, double when, HandleFn fn, Value owner, Value arg);
Value ou_call_at(VM *vm, Loop *l, double when, Value cb, Value args, Value ctx);
bool ou_handle_run(VM *vm, Handle *h);      /* unless it was cancelled; false: an exception leaves the loop */
double ou_monotonic(void); /* seconds */
double ou_loop_time(VM *vm, Loop *l);
void ou_set_running_loop(VM *vm, Loop *l); /* of the calling thread; NULL: none */
static inline uint32_t ou_ready_count(const Loop *l) { return l->tail_at - l->head; }
bool ou_loop_run_once(VM *vm, Loop *l, bool block); /* one iteration; false: an exception leaves the loop */
void ou_loop_call_exception_handler(VM *vm, Loop *l, const char *message, Value exc, const char *key, Value subject);
Loop *ou_running_loop(VM *vm);              /* borrowed; NULL: none */
Value ou_running_loop_or_raise(VM *vm);     /* borrowed; RuntimeError 'no running event loop' */
Value ou_loop_call(VM *vm, Value cb, const Value *args, int n, Value *ctx); /* calls in a context (context.c) */

/* handle.c */
Handle *ou_handle_new(VM *vm, Loop *l, bool timer, Value cb, Value args, Value ctx, HandleFn fn); /* ctx V_NULL: a copy */
void ou_handle_cancel(VM *vm, Handle *h);
void ou_handle_note_source(VM *vm, Handle *h); /* debug mode: where it was made */

/* reactor.c */
bool ou_reactor_init(VM *vm, Loop *l);      /* makes l->uv if there is none */
void ou_reactor_poll(VM *vm, Loop *l, double timeout); /* seconds; 0 do not wait, < 0 without limit; releases the VM's lock while waiting */
void ou_reactor_wake(Loop *l);              /* any thread */
void ou_reactor_fini(VM *vm, Loop *l);

/* timers.c: heapq's exact steps */
bool ou_timer_push(VM *vm, Loop *l, Handle *h);
Handle *ou_timer_pop(Loop *l);              /* the reference goes to the caller */
void ou_timer_rebuild(VM *vm, Loop *l);     /* without the cancelled ones */

/* future.c */
Value ou_future_new(VM *vm, Loop *l);
bool ou_future_set_result(VM *vm, Future *f, Value v);       /* InvalidStateError when done */
bool ou_future_set_exception(VM *vm, Future *f, Value exc);
void ou_future_settle(VM *vm, Future *f, uint8_t state, Value result_owned); /* unchecked */
int ou_future_cancel(VM *vm, Value fut, Value msg);          /* any future-like: 1, 0, -1 raised */
bool ou_future_cancel_plain(VM *vm, Future *f, Value msg);   /* Future.cancel */
Value ou_future_result(VM *vm, Future *f);                   /* owned or raised; marks it retrieved */
Value ou_future_exception(VM *vm, Future *f);                /* exception or V_NONE, CancelledError raised */
Value ou_future_cancelled_error(VM *vm, Future *f);          /* a CancelledError instance, owned */
bool ou_future_add_native(VM *vm, Future *f, WaiterFn fn, Value owner, intptr_t data);
bool ou_future_add_script(VM *vm, Future *f, Value cb, Value ctx);
Value ou_future_error(VM *vm, Future *f);                     /* the exception of a FUT_ERROR, owned, marked as retrieved */
void ou_future_keep_traceback(VM *vm, Future *f, Value exc);
int ou_future_remove_native(VM *vm, Future *f, WaiterFn fn, Value owner);
void ou_future_unlink(Future *f, Waiter *w);
FutureExtra *ou_future_extra(VM *vm, Future *f);             /* NULL raised */
bool ou_is_future(VM *vm, Value v);                          /* Future, Task or a subclass of them */
int ou_future_leaf(VM *vm, Value future, Value value, Value exc, Value *out);
static inline bool future_done(const Future *f) { return f->state != FUT_PENDING; }
void ou_waiter_free(VM *vm, Loop *l, CallWaiter *w);
Value ou_future_repr(VM *vm, Value self);
void ou_future_dealloc_parts(VM *vm, Future *f);
void ou_future_traverse(VM *vm, Obj *o, VisitFn visit, void *arg);
void ou_future_note_source(VM *vm, Future *f); /* debug mode: where it was made */
extern const NativeDef ou_future_methods[];
extern const GetSetDef ou_future_getset[];

/* task.c */
Value ou_task_new(VM *vm, Loop *l, Value coro, Value name, Value ctx, bool eager); /* name V_NONE: "Task-n"; ctx V_NULL: a copy */
void ou_task_run(VM *vm, Task *t);          /* an ENTRY_TASK of the ring */
int ou_task_cancel(VM *vm, Task *t, Value msg);
Value ou_create_task(VM *vm, Loop *l, Value coro, Value name, Value ctx); /* l.create_task(coro, name=name[, context=ctx]); V_NONE: none */
Value ou_current_task(VM *vm, Value loop);  /* borrowed; V_NONE: none */
Value ou_ensure_future(VM *vm, Value awaitable, Loop *l); /* asyncio.ensure_future */

/* context.c: the current context is thread->context: V_NONE or a dict (an unnamed one, copied before it is written to when it
 * is shared), or a Context object. */
Value ou_context_copy(VM *vm);              /* what a new task or handle keeps: owned map */
Value ou_context_swap(VM *vm, Value ctx);   /* makes ctx (owned) current, gives back the one before (owned) */
Value ou_context_object(VM *vm, Value *slot); /* the Context object standing for the context in *slot; owned */
bool ou_context_check(VM *vm, Value ctx);   /* a Context or raises TypeError */

/* combinators.c */
Value ou_gather(VM *vm, const Value *aws, int n, bool return_exceptions);


#endif
