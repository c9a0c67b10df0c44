/* The VM's lock and its threads. One thread at a time runs script code; it lets go of the lock in blocking calls, and at a
 * safepoint when another one has waited for an interval (the waiter asks through ATT_LOCK). */
#include "runtime/loop/threads.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "runtime/objects/errors.h"
#include "vm/call.h"

enum { SWITCH_NANOS = 5 * 1000 * 1000 };

struct Lock {
    pthread_mutex_t m;
    pthread_cond_t free_cond;   /* the lock became free */
    pthread_cond_t taken_cond;  /* somebody else took it after a forced release */
    bool held;
    uint32_t waiting;
    uint32_t ending;            /* threads past their last script code that still touch this struct */
    uint64_t takes;
};

static void lock_init(struct Lock *k)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&k->m, NULL);
    pthread_cond_init(&k->free_cond, &attr);
    pthread_cond_init(&k->taken_cond, &attr);
    pthread_condattr_destroy(&attr);
    k->held = true;
}

static bool lock_make(VM *vm)
{
    if (vm->lock)
        return true;
    struct Lock *k = ou_alloc0(&vm->heap, sizeof *k);
    if (!k)
        return ou_raise_memory(vm) != V_NULL;
    lock_init(k);
    vm->lock = k;
    return true;
}

static void acquire(VM *vm, ThreadState *t)
{
    struct Lock *k = vm->lock;
    pthread_mutex_lock(&k->m);
    k->waiting++;
    while (k->held) {
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        ts.tv_nsec += SWITCH_NANOS;
        if (ts.tv_nsec >= 1000000000) {
            ts.tv_sec++;
            ts.tv_nsec -= 1000000000;
        }
        uint64_t seen = k->takes;
        if (pthread_cond_timedwait(&k->free_cond, &k->m, &ts) == ETIMEDOUT && k->held && k->takes == seen)
            ou_attention(vm, ATT_LOCK);
    }
    k->waiting--;
    k->held = true;
    k->takes++;
    pthread_cond_broadcast(&k->taken_cond);
    pthread_mutex_unlock(&k->m);
    ou_thread_load(vm, t);
}

static void unlock(VM *vm)
{
    struct Lock *k = vm->lock;
    pthread_mutex_lock(&k->m);
    k->held = false;
    pthread_cond_signal(&k->free_cond);
    pthread_mutex_unlock(&k->m);
}

/* While the lock is released the thread must find its own state again: it is kept in a thread-specific place, which is not
 * state of the VM. */
void ou_blocking_begin(VM *vm)
{
    if (!vm->lock)
        return;
    ou_thread_save(vm);
    vm->thread->parked = true;
    unlock(vm);
}

static ThreadState *mine(VM *vm)
{
    uint64_t id = (uint64_t)pthread_self();
    for (ThreadState *t = vm->threads; t; t = t->next)
        if (t->ident == id)
            return t;
    return &vm->main_thread;
}

void ou_blocking_end(VM *vm)
{
    struct Lock *k = vm->lock;
    if (!k)
        return;
    pthread_mutex_lock(&k->m); /* the list of threads changes only under the lock or this mutex */
    ThreadState *t = mine(vm);
    pthread_mutex_unlock(&k->m);
    acquire(vm, t);
    t->parked = false;
}

static void nap(VM *vm)
{
    const struct timespec moment = {0, 1000000};
    ou_blocking_begin(vm);
    nanosleep(&moment, NULL);
    ou_blocking_end(vm);
}

/* At a safepoint: somebody waits. Lets go and makes sure that another thread had its turn. */
static void yield_lock(VM *vm)
{
    struct Lock *k = vm->lock;
    if (!k)
        return;
    ThreadState *t = vm->thread;
    pthread_mutex_lock(&k->m);
    bool wanted = k->waiting > 0;
    pthread_mutex_unlock(&k->m);
    if (!wanted)
        return;
    ou_thread_save(vm);
    pthread_mutex_lock(&k->m);
    uint64_t seen = k->takes;
    k->held = false;
    pthread_cond_signal(&k->free_cond);
    while (k->takes == seen && k->waiting > 0)
        pthread_cond_wait(&k->taken_cond, &k->m);
    pthread_mutex_unlock(&k->m);
    acquire(vm, t);
}

static bool on_attention(VM *vm, uint32_t why)
{
    if (why & ATT_LOCK)
        yield_lock(vm);
    if (why & (ATT_INTERRUPT | ATT_SIGNAL)) {
        if (vm->thread != &vm->main_thread) {
            ou_attention(vm, why & (ATT_INTERRUPT | ATT_SIGNAL)); /* for the main thread */
            if (!(why & ATT_LOCK))
                yield_lock(vm);
        } else if (vm->on_signals) {
            if (!vm->on_signals(vm, why))
                return false;
        } else if (why & ATT_INTERRUPT) {
            ou_raise_args(vm, E_KEYBOARD_INTERRUPT, NULL, 0);
            return false;
        }
    }
    if (vm->thread->async_exc != V_NULL) {
        Value e = vm->thread->async_exc;
        vm->thread->async_exc = V_NULL;
        ou_raise_value(vm, e);
        release(vm, e);
        return false;
    }
    return true;
}

typedef struct Start {
    VM *vm;
    ThreadState *t;
    void (*body)(VM *vm, void *arg);
    void *arg;
} Start;

static void *thread_main(void *p)
{
    Start s = *(Start *)p;
    VM *vm = s.vm;
    s.t->ident = (uint64_t)pthread_self();
    s.t->c_floor = ou_cstack_floor();
    acquire(vm, s.t);
    ou_free(&vm->heap, p, sizeof(Start));
    s.body(vm, s.arg);
    ou_exc_clear(vm);
    ThreadState *t = s.t;
    set_owned(vm, &t->context, V_NULL);
    set_owned(vm, &t->thread_object, V_NULL);
    set_owned(vm, &t->loop_policy_loop, V_NULL);
    set_owned(vm, &t->async_exc, V_NULL);
    struct Lock *k = vm->lock;
    __atomic_fetch_add(&k->ending, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_lock(&k->m);
    if (t->prev)
        t->prev->next = t->next;
    if (t->next)
        t->next->prev = t->prev;
    pthread_mutex_unlock(&k->m);
    ou_thread_stack_free(vm, t);
    ou_free(&vm->heap, t, sizeof *t);
    pthread_mutex_lock(&k->m);
    k->held = false;
    pthread_cond_signal(&k->free_cond);
    pthread_mutex_unlock(&k->m);
    __atomic_fetch_sub(&k->ending, 1, __ATOMIC_SEQ_CST); /* the last touch: ou_threads_fini may free it now */
    return NULL;
}

uint64_t ou_thread_start(VM *vm, void (*body)(VM *vm, void *arg), void *arg)
{
    if (!lock_make(vm))
        return 0;
    ThreadState *t = ou_alloc0(&vm->heap, sizeof *t);
    Start *s = ou_alloc(&vm->heap, sizeof *s);
    if (!t || !s || !ou_thread_stack_make(vm, t)) {
        ou_free(&vm->heap, t, sizeof *t);
        ou_free(&vm->heap, s, sizeof *s);
        ou_raise_memory(vm);
        return 0;
    }
    *s = (Start){vm, t, body, arg};
    struct Lock *k = vm->lock;
    pthread_mutex_lock(&k->m);
    t->prev = &vm->main_thread;
    t->next = vm->main_thread.next;
    if (t->next)
        t->next->prev = t;
    vm->main_thread.next = t;
    pthread_mutex_unlock(&k->m);
    pthread_t id;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 8u << 20);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    int rc = pthread_create(&id, &attr, thread_main, s);
    pthread_attr_destroy(&attr);
    if (rc != 0) {
        pthread_mutex_lock(&k->m);
        t->prev->next = t->next;
        if (t->next)
            t->next->prev = t->prev;
        pthread_mutex_unlock(&k->m);
        ou_thread_stack_free(vm, t);
        ou_free(&vm->heap, t, sizeof *t);
        ou_free(&vm->heap, s, sizeof *s);
        ou_raise(vm, E_RUNTIME, "can't start new thread");
        return 0;
    }
    return (uint64_t)id;
}

void ou_interrupt_main(VM *vm)
{
    ou_attention(vm, ATT_INTERRUPT);
    __atomic_fetch_add(&vm->waking, 1, __ATOMIC_SEQ_CST); /* the loop is not closed meanwhile */
    uv_async_t *a = vm->interrupt_wake;
    if (a)
        uv_async_send(a);
    __atomic_fetch_sub(&vm->waking, 1, __ATOMIC_SEQ_CST);
}

/* The forking thread is the only one left. The states of the others stay in memory, for what they hold is not known to be whole. */
void ou_threads_after_fork(VM *vm)
{
    struct Lock *k = vm->lock;
    ThreadState *mine = vm->thread, *main = &vm->main_thread;
    Loop *running = mine->running_loop; /* the parent runs it: the child may begin one of its own */
    mine->running_loop = NULL;
    if (running)
        release(vm, v_of(running));
    set_owned(vm, &mine->loop_policy_loop, V_NULL);
    if (!k)
        return;
    lock_init(k);
    k->waiting = k->ending = 0;
    main->prev = NULL;
    main->next = mine == main ? NULL : mine;
    if (mine != main) {
        mine->prev = main;
        mine->next = NULL;
    }
}

uint32_t ou_thread_count(const VM *vm)
{
    uint32_t n = 0;
    for (const ThreadState *t = vm->threads; t; t = t->next)
        n++;
    return n;
}

bool ou_threads_boot(VM *vm)
{
    vm->main_thread.ident = (uint64_t)pthread_self();
    vm->on_attention = on_attention;
    vm->nap = nap;
    return true;
}

void ou_threads_fini(VM *vm)
{
    struct Lock *k = vm->lock;
    if (!k)
        return;
    if (vm->main_thread.next)
        return; /* daemon threads are still there: their lock stays */
    while (__atomic_load_n(&k->ending, __ATOMIC_SEQ_CST))
        sched_yield();
    pthread_mutex_destroy(&k->m);
    pthread_cond_destroy(&k->free_cond);
    pthread_cond_destroy(&k->taken_cond);
    ou_free(&vm->heap, k, sizeof *k);
    vm->lock = NULL;
}
