/* Waiting inside natives (Event, Lock, Semaphore): one kind of waiter for all of them.
 * May be included by loop/ and stdlib/. A Wait is the raw part of a native coroutine. When the coroutine is driven by the
 * current task it is linked into the primitive's list as it is and no future is made (the task holds it in `waiting`); driven in
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

extern const TypeDef ou_event_def, ou_lock_def, ou_semaphore_def;

#endif
