/* OS threads under the VM's lock. May be included by loop/, stdlib/, api/.
 * The lock exists once a second thread is about to start; until then taking and releasing it is nothing. */
#ifndef OU_THREADS_H
#define OU_THREADS_H

#include "runtime/objects/state.h"

bool ou_threads_boot(VM *vm);               /* main thread's ident, the attention hook */
void ou_threads_fini(VM *vm);
/* Runs body(vm, arg) on a new OS thread that holds the lock and has a ThreadState of its own. 0: failed (raised), else its ident. */
uint64_t ou_thread_start(VM *vm, void (*body)(VM *vm, void *arg), void *arg);
void ou_blocking_begin(VM *vm);             /* releases the lock: nothing of the VM may be touched ... */
void ou_blocking_end(VM *vm);               /* ... until here */
void ou_threads_after_fork(VM *vm);         /* in the child: the other threads are gone */
void ou_interrupt_main(VM *vm);             /* KeyboardInterrupt in the main thread */
uint32_t ou_thread_count(const VM *vm);

#endif
