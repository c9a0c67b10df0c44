/* asyncio's Queue, LifoQueue and PriorityQueue. put() wakes a getter but leaves the item in the queue: whoever runs first takes it, and a
 * woken getter that finds nothing waits again, at the end (ASYNC.md rule 41). Unlike elsewhere the waker takes a waiter out of its list.
 *
 * A queue of one of the three types keeps its items here and calls nothing. A subclass that defines one of the methods in `hooks` is
 * `open`: everything goes through the methods then, as in CPython. `_queue` is what the methods work on: a list, or a deque that
 * is only made when somebody asks for it. */
#include <math.h>

#include "runtime/loop/sync.h"
#include "runtime/objects/import.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/typing.h"

enum { WS_ITEM = WS_SLOTS, QUEUE_SLOTS };

typedef struct Queue {
    Obj h;
    Node getters, putters, joiners;
    Loop *loop;       /* owned; NULL until first waited on */
    Value maxsize;    /* as it was given; limit: the same as a number, 0 without bound */
    int64_t limit;
    uint64_t unfinished;
    Value *ring;      /* first in, first out: a power of two of places */
    uint32_t head, n, cap;
    Value items;      /* `_queue` when it is no ring; V_NULL */
    Value push, pop;  /* PriorityQueue: heapq's functions; V_NULL */
    bool is_open, is_shutdown;
} Queue;
static Queue *as_queue(Value v) { return (Queue *)v_obj(v); }

/* ---- the items ---- */

static void drop_ring(VM *vm, Queue *q)
{
    while (q->n) {
        Value v = q->ring[q->head];
        q->head = (q->head + 1) & (q->cap - 1);
        q->n--;
        release(vm, v);
    }
    ou_free(&vm->heap, q->ring, q->cap * sizeof *q->ring);
    q->ring = NULL;
    q->cap = q->head = 0;
}

static bool ring_put(VM *vm, Queue *q, Value v)
{
    if (q->n == q->cap) {
        uint32_t cap = q->cap ? q->cap * 2 : 4;
        Value *p = q->cap > UINT32_MAX / 4 ? NULL : ou_alloc(&vm->heap, cap * sizeof *p);
        if (!p)
            return ou_raise_memory(vm) != V_NULL;
        for (uint32_t k = 0; k < q->n; k++)
            p[k] = q->ring[(q->head + k) & (q->cap - 1)];
        ou_free(&vm->heap, q->ring, q->cap * sizeof *p);
        q->ring = p;
        q->cap = cap;
        q->head = 0;
    }
    q->ring[(q->head + q->n++) & (q->cap - 1)] = retain(v);
    return true;
}

/* deque(items so far) */
static Value new_deque(VM *vm, const Queue *q)
{
    Value f = ou_import_attr(vm, "_collections", "deque"), l = f == V_NULL ? V_NULL : ou_list_new(vm, q ? q->n : 0), d = V_NULL;
    bool ok = l != V_NULL;
    for (uint32_t k = 0; ok && q && k < q->n; k++)
        ok = ou_list_append(vm, as_list(l), q->ring[(q->head + k) & (q->cap - 1)]);
    if (ok)
        d = ou_call1(vm, f, l);
    xrelease(vm, f);
    xrelease(vm, l);
    return d;
}

static Value missing_items(VM *vm, Value self)
{
    return ou_raise(vm, E_ATTRIBUTE, "'%T' object has no attribute '_queue'", self);
}

static int64_t size(VM *vm, Value self)
{
    Queue *q = as_queue(self);
    if (q->items == V_NULL) {
        if (q->is_open)
            return missing_items(vm, self), -1;
        return q->n;
    }
    return is_exact(q->items, T_LIST) ? as_list(q->items)->n : ou_len(vm, q->items);
}

static bool call_item(VM *vm, Value f, Value a, Value b, Value *out)
{
    Value v = b == V_NULL ? ou_call1(vm, f, a) : ou_call2(vm, f, a, b);
    if (out)
        *out = v;
    else
        xrelease(vm, v);
    return v != V_NULL;
}

/* The _put and _get of the three types. */
static bool fifo_add(VM *vm, Value self, Value item)
{
    Queue *q = as_queue(self);
    if (q->items == V_NULL)
        return q->is_open ? missing_items(vm, self) != V_NULL : ring_put(vm, q, item);
    Value v = ou_call_method_c(vm, q->items, "append", &item, 1);
    xrelease(vm, v);
    return v != V_NULL;
}
static Value fifo_take(VM *vm, Value self)
{
    Queue *q = as_queue(self);
    if (q->items != V_NULL)
        return ou_call_method_c(vm, q->items, "popleft", NULL, 0);
    if (q->is_open)
        return missing_items(vm, self);
    if (!q->n)
        return ou_raise(vm, E_INDEX, "pop from an empty deque");
    Value v = q->ring[q->head];
    q->head = (q->head + 1) & (q->cap - 1);
    q->n--;
    return v;
}
static bool lifo_add(VM *vm, Value self, Value item)
{
    Queue *q = as_queue(self);
    return q->items != V_NULL && is_exact(q->items, T_LIST) ? ou_list_append(vm, as_list(q->items), item) : fifo_add(vm, self, item);
}
static Value lifo_take(VM *vm, Value self)
{
    Queue *q = as_queue(self);
    return q->items == V_NULL ? missing_items(vm, self) : ou_call_method_c(vm, q->items, "pop", NULL, 0);
}
static bool heap_ready(VM *vm, Value self)
{
    Queue *q = as_queue(self);
    if (q->items == V_NULL)
        return missing_items(vm, self) != V_NULL;
    if (q->push == V_NULL)
        q->push = ou_import_attr(vm, "_heapq", "heappush");
    if (q->pop == V_NULL && q->push != V_NULL)
        q->pop = ou_import_attr(vm, "_heapq", "heappop");
    return q->pop != V_NULL;
}
static bool heap_add(VM *vm, Value self, Value item)
{
    return heap_ready(vm, self) && call_item(vm, as_queue(self)->push, as_queue(self)->items, item, NULL);
}
static Value heap_take(VM *vm, Value self)
{
    Value v = V_NULL;
    if (heap_ready(vm, self))
        call_item(vm, as_queue(self)->pop, as_queue(self)->items, V_NULL, &v);
    return v;
}

/* ---- what all of them do, through the methods where they may be others ---- */

static int truth_of(VM *vm, Value v)
{
    int t = v == V_NULL ? -1 : ou_truth(vm, v);
    xrelease(vm, v);
    return t;
}
static int is_empty(VM *vm, Value self)
{
    if (as_queue(self)->is_open)
        return truth_of(vm, ou_call_method_c(vm, self, "empty", NULL, 0));
    int64_t n = size(vm, self);
    return n < 0 ? -1 : n == 0;
}
static int is_full(VM *vm, Value self)
{
    Queue *q = as_queue(self);
    if (q->is_open)
        return truth_of(vm, ou_call_method_c(vm, self, "full", NULL, 0));
    if (q->limit <= 0)
        return 0;
    int64_t n = size(vm, self);
    return n < 0 ? -1 : n >= q->limit;
}

typedef struct Ops { /* of the native type that a queue is */
    bool (*add)(VM *vm, Value self, Value item);
    Value (*take)(VM *vm, Value self);
} Ops;
static const Ops fifo_ops = {fifo_add, fifo_take}, lifo_ops = {lifo_add, lifo_take}, heap_ops = {heap_add, heap_take};
static const TypeDef *native_def(Type *t)
{
    while (!t->def || (t->def != &ou_queue_def && t->def != &ou_lifo_queue_def && t->def != &ou_priority_queue_def))
        t = t->base;
    return t->def;
}
static const Ops *ops_of(VM *vm, Value self)
{
    const TypeDef *d = native_def(ou_type_of(vm, self));
    return d == &ou_queue_def ? &fifo_ops : d == &ou_lifo_queue_def ? &lifo_ops : &heap_ops;
}

static NativeCoro *waiter_at(Node *n) { return coro_of_wait((Wait *)n, QUEUE_SLOTS); }

static void wake_next(VM *vm, Node *waiters)
{
    while (!list_empty(waiters)) {
        Node *p = waiters->next;
        list_remove(p);
        if (ou_wait_is_pending(waiter_at(p))) {
            ou_wait_wake(vm, waiter_at(p));
            return;
        }
    }
}
static void wake_all(VM *vm, Node *waiters)
{
    while (!list_empty(waiters))
        wake_next(vm, waiters);
}
static void no_more_unfinished(VM *vm, Queue *q)
{
    for (Node *p = q->joiners.next; p != &q->joiners; p = p->next)
        if (ou_wait_is_pending(waiter_at(p)))
            ou_wait_wake(vm, waiter_at(p));
}

static Value raise_class(VM *vm, const char *name)
{
    Value cls = ou_import_attr(vm, "asyncio.queues", name), e = cls == V_NULL ? V_NULL : ou_call0(vm, cls);
    if (e != V_NULL)
        ou_raise_value(vm, e);
    xrelease(vm, cls);
    xrelease(vm, e);
    return V_NULL;
}

static Value put_nowait(VM *vm, Value self, Value item)
{
    Queue *q = as_queue(self);
    if (q->is_shutdown)
        return raise_class(vm, "QueueShutDown");
    int full = is_full(vm, self);
    if (full)
        return full < 0 ? V_NULL : raise_class(vm, "QueueFull");
    if (q->is_open) {
        Value v = ou_call_method_c(vm, self, "_put", &item, 1);
        if (v == V_NULL)
            return V_NULL;
        release(vm, v);
    } else if (!ops_of(vm, self)->add(vm, self, item)) {
        return V_NULL;
    }
    q->unfinished++;
    wake_next(vm, &q->getters);
    return V_NONE;
}
static Value take(VM *vm, Value self)
{
    return as_queue(self)->is_open ? ou_call_method_c(vm, self, "_get", NULL, 0) : ops_of(vm, self)->take(vm, self);
}
static Value get_nowait(VM *vm, Value self)
{
    Queue *q = as_queue(self);
    int empty = is_empty(vm, self);
    if (empty)
        return empty < 0 ? V_NULL : raise_class(vm, q->is_shutdown ? "QueueShutDown" : "QueueEmpty");
    Value v = take(vm, self);
    if (v != V_NULL)
        wake_next(vm, &q->putters);
    return v;
}

/* ---- waiting ---- */

/* At the turn of a waiter: false with its exception pending. One that was woken and is cancelled now wakes another in its place, if there
 * is something for it (`none` says that there is not). */
static bool waited(VM *vm, NativeCoro *c, Value exc, Node *waiters, int (*none)(VM *vm, Value self))
{
    if (c->state == GEN_CREATED)
        return true;
    bool woken = ou_wait_was_woken(c);
    if (ou_wait_end(vm, c, exc))
        return true;
    if (!wait_of(c)->task)
        ou_future_cancel_plain(vm, as_future(c->slots[WS_EXTRA]), V_NONE);
    if (woken) {
        Value e = ou_exc_take(vm);
        int no = none(vm, c->slots[WS_OWNER]);
        if (no < 0) {
            Value raised = ou_exc_take(vm);
            ou_exc_set_context(vm, raised, e);
            release(vm, e);
            e = raised;
        } else if (!no) {
            wake_next(vm, waiters);
        }
        ou_exc_restore(vm, e);
    }
    return false;
}

/* GEN_RETURN: go on; GEN_YIELD: it waits; GEN_ERROR */
static GenResult wait_while(VM *vm, NativeCoro *c, Value exc, Node *waiters, int (*none)(VM *vm, Value self), Value *out)
{
    Value self = c->slots[WS_OWNER];
    if (!waited(vm, c, exc, waiters, none))
        return GEN_ERROR;
    int no = none(vm, self);
    if (no <= 0)
        return no < 0 ? GEN_ERROR : GEN_RETURN;
    if (as_queue(self)->is_shutdown) {
        raise_class(vm, "QueueShutDown");
        return GEN_ERROR;
    }
    return ou_sync_bind(vm, self, &as_queue(self)->loop) ? ou_wait_begin(vm, c, waiters, out) : GEN_ERROR;
}

static GenResult put_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    Value self = c->slots[WS_OWNER];
    GenResult r = wait_while(vm, c, exc, &as_queue(self)->putters, is_full, out);
    if (r != GEN_RETURN)
        return r;
    *out = as_queue(self)->is_open ? ou_call_method_c(vm, self, "put_nowait", &c->slots[WS_ITEM], 1) : put_nowait(vm, self, c->slots[WS_ITEM]);
    return *out == V_NULL ? GEN_ERROR : GEN_RETURN;
}
static const NativeKind put_kind = {"Queue.put", put_step, ou_wait_fini, QUEUE_SLOTS, WAIT_WORDS};

static GenResult get_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    Value self = c->slots[WS_OWNER];
    GenResult r = wait_while(vm, c, exc, &as_queue(self)->getters, is_empty, out);
    if (r != GEN_RETURN)
        return r;
    *out = as_queue(self)->is_open ? ou_call_method_c(vm, self, "get_nowait", NULL, 0) : get_nowait(vm, self);
    return *out == V_NULL ? GEN_ERROR : GEN_RETURN;
}
static const NativeKind get_kind = {"Queue.get", get_step, ou_wait_fini, QUEUE_SLOTS, WAIT_WORDS};

static GenResult join_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    Queue *q = as_queue(c->slots[WS_OWNER]);
    *out = V_NONE;
    if (c->state != GEN_CREATED)
        return ou_wait_end(vm, c, exc) ? GEN_RETURN : GEN_ERROR;
    if (!q->unfinished)
        return GEN_RETURN;
    return ou_sync_bind(vm, c->slots[WS_OWNER], &q->loop) ? ou_wait_begin(vm, c, &q->joiners, out) : GEN_ERROR;
}
static const NativeKind join_kind = {"Queue.join", join_step, ou_wait_fini, QUEUE_SLOTS, WAIT_WORDS};

/* ---- methods ---- */

static Value q_put(VM *vm, const Value *args, int n)
{
    (void)n;
    Value c = ou_wait_start(vm, &put_kind, args[0]);
    if (c != V_NULL)
        ((NativeCoro *)v_obj(c))->slots[WS_ITEM] = retain(args[1]);
    return c;
}
static Value q_get(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &get_kind, args[0]);
}
static Value q_join(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &join_kind, args[0]);
}
static Value q_put_nowait(VM *vm, const Value *args, int n)
{
    (void)n;
    return put_nowait(vm, args[0], args[1]);
}
static Value q_get_nowait(VM *vm, const Value *args, int n)
{
    (void)n;
    return get_nowait(vm, args[0]);
}
static Value q_qsize(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t k = size(vm, args[0]);
    return k < 0 ? V_NULL : v_smallint(k);
}
static Value q_empty(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t k = size(vm, args[0]);
    return k < 0 ? V_NULL : v_bool(k == 0);
}
static Value q_full(VM *vm, const Value *args, int n)
{
    (void)n;
    Queue *q = as_queue(args[0]);
    if (q->limit <= 0)
        return V_FALSE;
    int64_t k;
    if (q->is_open) {
        Value v = ou_call_method_c(vm, args[0], "qsize", NULL, 0);
        bool ok = v != V_NULL && ou_index_i64(vm, v, &k);
        xrelease(vm, v);
        if (!ok)
            return V_NULL;
    } else {
        k = size(vm, args[0]);
    }
    return k < 0 && vm->exc != V_NULL ? V_NULL : v_bool(k >= q->limit);
}
static Value q_task_done(VM *vm, const Value *args, int n)
{
    (void)n;
    Queue *q = as_queue(args[0]);
    if (!q->unfinished)
        return ou_raise(vm, E_VALUE, "task_done() called too many times");
    if (!--q->unfinished)
        no_more_unfinished(vm, q);
    return V_NONE;
}
static Value q_shutdown(VM *vm, const Value *args, int n)
{
    (void)n;
    Queue *q = as_queue(args[0]);
    int immediate = args[1] == V_NULL ? 0 : ou_truth(vm, args[1]);
    if (immediate < 0)
        return V_NULL;
    q->is_shutdown = true;
    if (immediate) {
        int empty;
        while (!(empty = is_empty(vm, args[0]))) {
            Value v = take(vm, args[0]);
            if (v == V_NULL)
                return V_NULL;
            release(vm, v);
            if (q->unfinished)
                q->unfinished--;
        }
        if (empty < 0)
            return V_NULL;
        if (!q->unfinished)
            no_more_unfinished(vm, q);
    }
    wake_all(vm, &q->getters);
    wake_all(vm, &q->putters);
    return V_NONE;
}

static bool set_items(VM *vm, Queue *q, Value owned)
{
    if (owned == V_NULL)
        return false;
    drop_ring(vm, q);
    Value old = q->items;
    q->items = owned;
    xrelease(vm, old);
    return true;
}
static Value fifo_init(VM *vm, const Value *args, int n)
{
    (void)n;
    Queue *q = as_queue(args[0]);
    if (q->is_open)
        return set_items(vm, q, new_deque(vm, NULL)) ? V_NONE : V_NULL;
    drop_ring(vm, q);
    set_owned(vm, &q->items, V_NULL);
    return V_NONE;
}
static Value list_init_(VM *vm, const Value *args, int n)
{
    (void)n;
    return set_items(vm, as_queue(args[0]), ou_list_new(vm, 0)) ? V_NONE : V_NULL;
}
#define PUT_GET(kind)                                                                                                            \
    static Value kind##_put(VM *vm, const Value *args, int n) { return (void)n, kind##_add(vm, args[0], args[1]) ? V_NONE : V_NULL; } \
    static Value kind##_get(VM *vm, const Value *args, int n) { return (void)n, kind##_take(vm, args[0]); }
PUT_GET(fifo)
PUT_GET(lifo)
PUT_GET(heap)

static unsigned count(const Node *list)
{
    unsigned n = 0;
    for (const Node *p = list->next; p && p != list; p = p->next)
        n++;
    return n;
}
static Value get_items(VM *vm, Value self)
{
    Queue *q = as_queue(self);
    if (q->items == V_NULL && q->is_open)
        return missing_items(vm, self);
    if (q->items == V_NULL && !set_items(vm, q, new_deque(vm, q)))
        return V_NULL;
    return retain(q->items);
}
static bool assign_items(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return missing_items(vm, self) != V_NULL;
    return set_items(vm, as_queue(self), retain(v));
}
/* What repr() and str() show behind the name. */
static Value q_format(VM *vm, const Value *args, int n)
{
    (void)n;
    Queue *q = as_queue(args[0]);
    StrBuf b;
    ou_sb_init(&b, vm);
    Value max = ou_repr(vm, q->maxsize), items = V_NULL, list = V_NULL, text = V_NULL;
    bool ok = max != V_NULL;
    if (ok) {
        ou_sb_puts(&b, "maxsize=");
        ou_sb_str(&b, max);
    }
    if (ok && (q->items != V_NULL || q->n)) {
        int some = (items = get_items(vm, args[0])) == V_NULL ? -1 : ou_truth(vm, items);
        ok = some >= 0;
        if (some > 0) {
            list = ou_list_from(vm, items);
            text = list == V_NULL ? V_NULL : ou_repr(vm, list);
            ok = text != V_NULL;
            if (ok) {
                ou_sb_puts(&b, " _queue=");
                ou_sb_str(&b, text);
            }
        }
    }
    const struct {
        const char *before;
        uint64_t n;
        const char *after;
    } parts[] = {{" _getters[", count(&q->getters), "]"}, {" _putters[", count(&q->putters), "]"}, {" tasks=", q->unfinished, ""}};
    for (size_t k = 0; k < 3; k++)
        if (parts[k].n)
            ou_sb_printf(&b, "%s%lu%s", parts[k].before, (unsigned long)parts[k].n, parts[k].after);
    if (q->is_shutdown)
        ou_sb_puts(&b, " shutdown");
    xrelease(vm, max);
    xrelease(vm, items);
    xrelease(vm, list);
    xrelease(vm, text);
    if (!ok) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    return ou_sb_finish(&b);
}
static Value named(VM *vm, Value self, const char *at)
{
    Value f = ou_call_method_c(vm, self, "_format", NULL, 0);
    Value s = f == V_NULL ? V_NULL : ou_str_format(vm, "<%U%s %S>", v_of(ou_type_of(vm, self)->name), at, f);
    xrelease(vm, f);
    return s;
}
static Value queue_repr(VM *vm, Value self)
{
    char at[32];
    snprintf(at, sizeof at, " at %#zx", (size_t)v_obj(self));
    return named(vm, self, at);
}
static Value queue_str(VM *vm, Value self) { return named(vm, self, ""); }
static Value q_class_item(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_generic_alias_new(vm, args[0], args[1]);
}

/* ---- the types ---- */

static const char *const hooks[] = {"_init", "_put", "_get", "qsize", "empty", "full", "put_nowait", "get_nowait"};

static Value queue_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Queue *q = ou_new(vm, cls, 0);
    if (!q)
        return V_NULL;
    list_init(&q->getters);
    list_init(&q->putters);
    list_init(&q->joiners);
    q->maxsize = v_smallint(0);
    q->items = q->push = q->pop = V_NULL;
    Type *native = cls;
    while (!native->def || native->def != native_def(cls))
        native = native->base;
    for (size_t k = 0; cls != native && !q->is_open && k < sizeof hooks / sizeof *hooks; k++) {
        Str *s = ou_intern_c(vm, hooks[k]);
        q->is_open = s && ou_type_lookup(vm, cls, s) != ou_type_lookup(vm, native, s);
        if (s)
            release(vm, v_of(s));
    }
    if (vm->exc != V_NULL) {
        release(vm, v_of(q));
        return V_NULL;
    }
    return v_of(q);
}
static bool set_maxsize(VM *vm, Queue *q, Value v)
{
    double d = 0;
    if (is_small(v))
        q->limit = v_small(v);
    else if (!ou_to_double(vm, v, &d))
        return false;
    else /* qsize() >= 2.5 is qsize() >= 3; no size reaches what is too large */
        q->limit = !(d > 0) || d > 1e15 ? 0 : (int64_t)ceil(d);
    set_owned(vm, &q->maxsize, retain(v));
    return true;
}
static int queue_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Queue *q = as_queue(self);
    Value a[1];
    if (!ou_bind(vm, "Queue.__init__(maxsize=0)", args, n, kwnames, a) || !set_maxsize(vm, q, a[0] == V_NULL ? v_smallint(0) : a[0]))
        return -1;
    if (!q->is_open && native_def(ou_type_of(vm, self)) == &ou_queue_def)
        return fifo_init(vm, &self, 1) == V_NULL ? -1 : 0;
    Value v = ou_call_method_c(vm, self, "_init", &q->maxsize, 1);
    xrelease(vm, v);
    return v == V_NULL ? -1 : 0;
}
static void queue_dealloc(VM *vm, Obj *o)
{
    Queue *q = (Queue *)o;
    drop_ring(vm, q);
    xrelease(vm, q->items);
    xrelease(vm, q->push);
    xrelease(vm, q->pop);
    xrelease(vm, q->maxsize);
    q->items = q->push = q->pop = q->maxsize = V_NULL;
    if (q->loop)
        release(vm, v_of(q->loop));
    ou_finish_dealloc(vm, o, 0);
}
static void queue_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Queue *q = (Queue *)o;
    for (uint32_t k = 0; k < q->n; k++)
        ou_visit(vm, q->ring[(q->head + k) & (q->cap - 1)], visit, arg);
    ou_visit(vm, q->items, visit, arg);
    ou_visit(vm, q->push, visit, arg);
    ou_visit(vm, q->pop, visit, arg);
    ou_visit(vm, q->maxsize, visit, arg);
    if (q->loop)
        visit(vm, &q->loop->h, arg);
}
static void queue_clear(VM *vm, Obj *o)
{
    Queue *q = (Queue *)o;
    drop_ring(vm, q);
    Value old = q->items;
    q->items = V_NULL;
    xrelease(vm, old);
}

static Value get_maxsize(VM *vm, Value self) { return (void)vm, retain(as_queue(self)->maxsize); }
static bool assign_maxsize(VM *vm, Value self, Value v) 
{
    return v == V_NULL ? ou_raise(vm, E_ATTRIBUTE, "_maxsize") != V_NULL : set_maxsize(vm, as_queue(self), v);
}
static Value get_unfinished(VM *vm, Value self) { return (void)vm, v_smallint((int64_t)as_queue(self)->unfinished); }
static bool set_unfinished(VM *vm, Value self, Value v)
{
    int64_t n;
    if (v == V_NULL)
        return ou_raise(vm, E_ATTRIBUTE, "_unfinished_tasks") != V_NULL;
    if (!ou_index_i64(vm, v, &n))
        return false;
    as_queue(self)->unfinished = n < 0 ? 0 : (uint64_t)n;
    return true;
}
static bool set_loop(VM *vm, Value self, Value v) { return ou_sync_set_loop(vm, &as_queue(self)->loop, v); }
static Value get_shutdown(VM *vm, Value self) { return (void)vm, v_bool(as_queue(self)->is_shutdown); }
static Value get_loop(VM *vm, Value self) { return (void)vm, as_queue(self)->loop ? retain(v_of(as_queue(self)->loop)) : V_NONE; }
static Value get_getters(VM *vm, Value self) { return ou_wait_list(vm, &as_queue(self)->getters, QUEUE_SLOTS); }
static Value get_putters(VM *vm, Value self) { return ou_wait_list(vm, &as_queue(self)->putters, QUEUE_SLOTS); }

static const NativeDef queue_methods[] = {
    {"put(item)", q_put, "Adds an item, waiting for room.", 0},
    {"put_nowait(item)", q_put_nowait, "Adds an item or raises QueueFull.", 0},
    {"get()", q_get, "Takes an item, waiting for one.", 0},
    {"get_nowait()", q_get_nowait, "Takes an item or raises QueueEmpty.", 0},
    {"qsize()", q_qsize, NULL, 0},
    {"empty()", q_empty, NULL, 0},
    {"full()", q_full, NULL, 0},
    {"task_done()", q_task_done, "One of the items that were taken has been dealt with.", 0},
    {"join()", q_join, "Waits until every item has been dealt with.", 0},
    {"shutdown(immediate=False)", q_shutdown, "No more puts; gets until it is empty, or (immediate) none either.", 0},
    {"_init(maxsize)", fifo_init, NULL, 0},
    {"_put(item)", fifo_put, NULL, 0},
    {"_get()", fifo_get, NULL, 0},
    {"_format()", q_format, NULL, 0},
    {"__class_getitem__(item, /)", q_class_item, NULL, ND_CLASS},
    {0},
};
static const GetSetDef queue_getset[] = {
    {"maxsize", get_maxsize, NULL, NULL},
    {"_maxsize", get_maxsize, assign_maxsize, NULL},
    {"_queue", get_items, assign_items, NULL},
    {"_unfinished_tasks", get_unfinished, set_unfinished, NULL},
    {"_is_shutdown", get_shutdown, NULL, NULL},
    {"_loop", get_loop, set_loop, NULL},
    {"_getters", get_getters, NULL, NULL},
    {"_putters", get_putters, NULL, NULL},
    {0},
};
const TypeDef ou_queue_def = {
    .name = "asyncio.queues.Queue",
    .size = sizeof(Queue),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = queue_make, .init = queue_init, .dealloc = queue_dealloc, .traverse = queue_traverse, .clear = queue_clear,
              .repr = queue_repr, .str = queue_str},
    .methods = queue_methods,
    .getset = queue_getset,
    .doc = "First in, first out; maxsize <= 0 means without bound.",
};
static const NativeDef lifo_methods[] = {
    {"_init(maxsize)", list_init_, NULL, 0},
    {"_put(item)", lifo_put, NULL, 0},
    {"_get()", lifo_get, NULL, 0},
    {0},
};
const TypeDef ou_lifo_queue_def = {
    .name = "asyncio.queues.LifoQueue",
    .size = sizeof(Queue),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = queue_make, .init = queue_init, .dealloc = queue_dealloc, .traverse = queue_traverse, .clear = queue_clear},
    .methods = lifo_methods,
    .doc = "Last in, first out.",
};
static const NativeDef heap_methods[] = {
    {"_init(maxsize)", list_init_, NULL, 0},
    {"_put(item)", heap_put, NULL, 0},
    {"_get()", heap_get, NULL, 0},
    {0},
};
const TypeDef ou_priority_queue_def = {
    .name = "asyncio.queues.PriorityQueue",
    .size = sizeof(Queue),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = queue_make, .init = queue_init, .dealloc = queue_dealloc, .traverse = queue_traverse, .clear = queue_clear},
    .methods = heap_methods,
    .doc = "Smallest item first.",
};
