/* _queue: SimpleQueue and Empty. A ring in one block, guarded by the VM's lock; only a get() that has to wait needs more: a mutex and a
 * condition of the queue, taken before the VM's lock is let go of, so that a put() in between cannot be missed. Waiting is in slices, so
 * that Ctrl-C is seen. Nothing here runs script code while the ring is half changed: put() may be called by a __del__ within get(). */
#include <math.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "runtime/loop/threads.h"
#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

enum { FIRST_CAP = 8, KEPT_CAP = 1024 };

typedef struct SimpleQueue {
    Obj h;
    Value *items;
    uint32_t n, cap, head;
    uint32_t waiting;   /* get() calls that wait, or have been woken and are about to look again */
    uint64_t posted;    /* changes with every signal; under m */
    pid_t maker;        /* whose m and c these are; 0: not made yet */
    pthread_mutex_t m;
    pthread_cond_t c;
} SimpleQueue;

typedef struct State {
    Value empty;
} State;

static SimpleQueue *as_queue(Value v) { return (SimpleQueue *)v_obj(v); }
static inline Value *slot(const SimpleQueue *q, uint32_t i) { return &q->items[(q->head + i) & (q->cap - 1)]; }

/* ---- the ring ---- */

static bool grow(VM *vm, SimpleQueue *q)
{
    uint32_t cap = q->cap ? q->cap * 2 : FIRST_CAP;
    Value *p = cap ? ou_alloc(&vm->heap, (size_t)cap * sizeof(Value)) : NULL;
    if (!p)
        return ou_raise_memory(vm) != V_NULL;
    for (uint32_t i = 0; i < q->n; i++)
        p[i] = *slot(q, i);
    ou_free(&vm->heap, q->items, (size_t)q->cap * sizeof(Value));
    q->items = p;
    q->cap = cap;
    q->head = 0;
    return true;
}
static Value take(VM *vm, SimpleQueue *q)
{
    Value v = *slot(q, 0);
    q->head = (q->head + 1) & (q->cap - 1);
    if (--q->n == 0 && q->cap > KEPT_CAP) {
        ou_free(&vm->heap, q->items, (size_t)q->cap * sizeof(Value));
        q->items = NULL;
        q->cap = q->head = 0;
    }
    return v;
}

/* ---- waiting ---- */

static void sync_make(SimpleQueue *q)
{
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&q->m, NULL);
    pthread_cond_init(&q->c, &attr);
    pthread_condattr_destroy(&attr);
    q->maker = getpid();
}
/* In the child of a fork the waiting threads are gone, and one of them may have held the mutex. */
static bool sync_mine(const SimpleQueue *q) { return q->maker == getpid(); }

static void wake(SimpleQueue *q)
{
    if (!sync_mine(q)) {
        q->waiting = 0;
        return;
    }
    pthread_mutex_lock(&q->m);
    q->posted++;
    pthread_cond_signal(&q->c);
    pthread_mutex_unlock(&q->m);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Until there is something: 1; 0: the time is over; -1: raised. limit < 0: none. The caller keeps q alive. */
static int wait_for_item(VM *vm, SimpleQueue *q, double limit)
{
    if (!sync_mine(q)) {
        sync_make(q);
        q->waiting = 0;
    }
    int r = 1;
    q->waiting++;
    while (!q->n) {
        double until = now() + 0.05;
        if (limit >= 0 && until > limit)
            until = limit;
        struct timespec t = {.tv_sec = (time_t)until};
        t.tv_nsec = (long)((until - (double)t.tv_sec) * 1e9);
        pthread_mutex_lock(&q->m);
        uint64_t seen = q->posted;
        ou_blocking_begin(vm);
        while (q->posted == seen && pthread_cond_timedwait(&q->c, &q->m, &t) == 0)
            ;
        pthread_mutex_unlock(&q->m);
        ou_blocking_end(vm);
        if (vm->attention && !ou_safepoint(vm)) {
            r = -1;
            break;
        }
        if (!q->n && limit >= 0 && now() >= limit) {
            r = 0;
            break;
        }
    }
    if (q->waiting)
        q->waiting--;
    if (r < 0 && q->n && q->waiting) /* the signal that this one used up */
        wake(q);
    return r;
}

/* ---- methods ---- */

static Value raise_empty(VM *vm)
{
    State *s = ou_module_record(vm, MOD__queue, sizeof(State));
    Value e = s && s->empty != V_NULL ? ou_exc_new(vm, (Type *)v_obj(s->empty), NULL, 0) : V_NULL;
    if (e == V_NULL)
        return V_NULL;
    ou_raise_value(vm, e);
    release(vm, e);
    return V_NULL;
}

static Value q_put(VM *vm, const Value *args, int n)
{
    (void)n;
    SimpleQueue *q = as_queue(args[0]);
    if (q->n == q->cap && !grow(vm, q))
        return V_NULL;
    *slot(q, q->n) = retain(args[1]);
    q->n++;
    if (q->waiting)
        wake(q);
    return V_NONE;
}

/* The moment at which a timeout is over. */
static bool limit_of(VM *vm, Value timeout, double *limit)
{
    double s;
    if (ou_is_floatlike(vm, timeout)) {
        s = ou_float_of(vm, timeout);
        if (isnan(s))
            return ou_raise(vm, E_VALUE, "Invalid value NaN (not a number)") != V_NULL;
        if (fabs(s) >= 9223372036.854775)
            return ou_raise(vm, E_OVERFLOW, "timestamp out of range for platform time_t") != V_NULL;
    } else {
        int64_t i;
        Value x = ou_index(vm, timeout);
        if (x == V_NULL)
            return false;
        bool fits = ou_int_fits_i64(vm, x, &i) && i <= INT64_C(9223372036) && i >= -INT64_C(9223372036);
        release(vm, x);
        if (!fits)
            return ou_raise(vm, E_OVERFLOW, "timestamp too large to convert to C PyTime_t") != V_NULL;
        s = (double)i;
    }
    if (s < 0)
        return ou_raise(vm, E_VALUE, "'timeout' must be a non-negative number") != V_NULL;
    *limit = now() + s;
    return true;
}

static Value q_get(VM *vm, const Value *args, int n)
{
    (void)n;
    SimpleQueue *q = as_queue(args[0]);
    int block = args[1] == V_NULL ? 1 : ou_truth(vm, args[1]);
    double limit = -1;
    if (block < 0 || (block && args[2] != V_NULL && args[2] != V_NONE && !limit_of(vm, args[2], &limit)))
        return V_NULL;
    if (q->n)
        return take(vm, q);
    if (!block)
        return raise_empty(vm);
    retain(args[0]);
    int r = wait_for_item(vm, q, limit);
    Value v = r > 0 ? take(vm, q) : r == 0 ? raise_empty(vm) : V_NULL;
    release(vm, v_of(q));
    return v;
}
static Value q_get_nowait(VM *vm, const Value *args, int n)
{
    (void)n;
    SimpleQueue *q = as_queue(args[0]);
    return q->n ? take(vm, q) : raise_empty(vm);
}
static Value q_empty(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return v_bool(as_queue(args[0])->n == 0);
}
static Value q_size(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return v_smallint(as_queue(args[0])->n);
}

/* ---- the type ---- */

static Value queue_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    if (n || kwnames) {
        Str *init = name_of(vm, N_DU_init);
        if (ou_type_lookup(vm, cls, init) == ou_type_lookup(vm, ou_builtin(vm, T_OBJECT), init))
            return ou_raise(vm, E_TYPE, "SimpleQueue() takes no %s arguments", kwnames ? "keyword" : "positional");
    }
    return v_of(ou_new(vm, cls, 0));
}
static void queue_clear(VM *vm, Obj *o)
{
    SimpleQueue *q = (SimpleQueue *)o, old = *q;
    q->items = NULL;
    q->n = q->cap = q->head = 0;
    for (uint32_t i = 0; i < old.n; i++)
        release(vm, *slot(&old, i));
    ou_free(&vm->heap, old.items, (size_t)old.cap * sizeof(Value));
}
static void queue_dealloc(VM *vm, Obj *o)
{
    SimpleQueue *q = (SimpleQueue *)o;
    queue_clear(vm, o);
    if (q->maker && sync_mine(q)) {
        pthread_mutex_destroy(&q->m);
        pthread_cond_destroy(&q->c);
    }
    ou_finish_dealloc(vm, o, 0);
}
static void queue_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    SimpleQueue *q = (SimpleQueue *)o;
    for (uint32_t i = 0; i < q->n; i++)
        ou_visit(vm, *slot(q, i), visit, arg);
}
static const NativeDef methods[] = {
    {"put(item, block=True, timeout=None)", q_put, "Put the item on the queue.", 0},
    {"put_nowait(item)", q_put, "Put an item into the queue without blocking.", 0},
    {"get(block=True, timeout=None)", q_get, "Remove and return an item from the queue.", 0},
    {"get_nowait()", q_get_nowait, "Remove and return an item from the queue without blocking.", 0},
    {"empty()", q_empty, "Return True if the queue is empty, False otherwise.", 0},
    {"qsize()", q_size, "Return the approximate size of the queue.", 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0},
};
static const TypeDef queue_def = {
    .name = "_queue.SimpleQueue",
    .size = sizeof(SimpleQueue),
    .flags = TF_GC | TF_BASE | TF_WEAKREF,
    .slots = {.make = queue_make, .dealloc = queue_dealloc, .traverse = queue_traverse, .clear = queue_clear},
    .methods = methods,
    .doc = "Simple, unbounded, reentrant FIFO queue.",
};

bool ou_mod__queue(VM *vm, Module *m)
{
    State *s = ou_module_record(vm, MOD__queue, sizeof(State));
    if (!s || (s->empty == V_NULL && (s->empty = ou_error_class(vm, "_queue.Empty", E_EXCEPTION)) == V_NULL))
        return false;
    return ou_module_set(vm, m, "Empty", s->empty) && ou_module_type(vm, m, &queue_def, NULL);
}
