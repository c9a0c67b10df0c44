/* Waiting inside natives (Event, Lock, Semaphore, Condition, the queues, TaskGroup): one kind of waiter for all of them.
 * May be included by loop/ and stdlib/. A Wait is the raw part of a native coroutine. When the coroutine is driven by the
 * current task it is linked into the primitive's list as it is and no future is made (the task holds it in `result`); driven in
 * any other way (by hand, as a task's own coroutine) it waits on a real Future, as asyncio's would (ASYNC.md section 7).
 * Either way a waiter is PENDING, then WOKEN or CANCELLED, and stays in its list until its own turn. */
#ifndef OU_SYNC_H
#define OU_SYNC_H

#include "runtime/loop/loop.h"

enum { WAIT_NONE, WAIT_PENDING, WAIT_WOKEN, WAIT_CANCELLED }; /* NativeCoro.wait */
enum { WS_OWNER, WS_EXTRA, WS_SLOTS, WAIT_WORDS = 3 };        /* slots: the primitive; message, future or item */

typedef struct Wait {
    Node node;
    Task *task; /* borrowed; NULL: waits on the future in slots[WS_EXTRA] */
} Wait;

static inline Wait *wait_of(NativeCoro *c) { return (Wait *)&c->slots[c->kind->nslots]; }
static inline NativeCoro *coro_of_wait(Wait *w, unsigned nslots)
{
    return (NativeCoro *)((char *)w - offsetof(NativeCoro, slots) - nslots * sizeof(Value));
}

/* Links c at the end of the list and says what to yield. GEN_YIELD, or GEN_ERROR raised. */
GenResult ou_wait_begin(VM *vm, NativeCoro *c, Node *list, Value *out);
/* At the waiter's turn: takes it out of its list. 1 woken normally, 0 an exception is pending (exc, or the cancellation). */
bool ou_wait_end(VM *vm, NativeCoro *c, Value exc);
bool ou_wait_is_pending(NativeCoro *c);
bool ou_wait_was_woken(NativeCoro *c); /* done and not cancelled */
bool ou_wait_was_cancelled(NativeCoro *c);
void ou_wait_wake(VM *vm, NativeCoro *c);              /* pending -> woken */
bool ou_wait_cancel(VM *vm, NativeCoro *c, Value msg); /* Task.cancel on a native wait; false: it is done already */
void ou_wait_fini(VM *vm, NativeCoro *c);
Value ou_wait_start(VM *vm, const NativeKind *kind, Value owner);           /* a coroutine with owner in its first slot */
Value ou_wait_list(VM *vm, Node *list, unsigned nslots);                   /* the coroutines that wait in a list */

/* What primitives have in common. */
bool ou_sync_bind(VM *vm, Value self, Loop **place);                       /* it belongs to the loop in which it is first waited on */
bool ou_sync_set_loop(VM *vm, Loop **place, Value v);                      /* `_loop` by script; V_NONE: none */
Value ou_sync_repr(VM *vm, Value self, const char *state, Node *waiters);
Value ou_sync_aexit(VM *vm, const Value *args, int n);                     /* __aexit__ by self.release() */
int ou_no_args_init(VM *vm, const char *name, int n, Tuple *kwnames);

/* A Lock of this module itself, no subclass: what Condition needs of it. */
bool ou_is_lock(VM *vm, Value v);
Value ou_lock_acquire(VM *vm, Value lock);                                 /* coroutines: True; None */
Value ou_lock_enter(VM *vm, Value lock);
bool ou_lock_release(VM *vm, Value lock);
bool ou_lock_is_locked(Value lock);

/* timeout.c */
Value ou_timeout_new(VM *vm, Type *cls, Value delay);                      /* asyncio.timeout(delay) */

extern const TypeDef ou_event_def, ou_lock_def, ou_semaphore_def, ou_condition_def, ou_queue_def, ou_lifo_queue_def, ou_priority_queue_def,
    ou_task_group_def, ou_timeout_def;

#endif
