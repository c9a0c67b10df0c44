/* asyncio.sleep and gather, native: the two that scripts use most. Their entries in the ready queue are asyncio's to the step
 * (ASYNC.md rules 2, 14, 26, 27). */
#include <math.h>

#include "runtime/loop/combinators.h"
#include "runtime/objects/import.h"
#include "runtime/objects/typing.h"

/* ---- sleep ---- */

enum { SLEEP_DELAY, SLEEP_RESULT, SLEEP_FUTURE, SLEEP_HANDLE, SLEEP_SLOTS };

/* The timer's entry settles the future; the task resumes one iteration later. */
static void wake_sleeper(VM *vm, Handle *h)
{
    Future *f = as_future(h->cb);
    if (!future_done(f))
        ou_future_settle(vm, f, FUT_RESULT, retain(h->args));
}

/* The loop's class has its own idea of call_later or call_at. */
static Value own_timer(VM *vm, Loop *l, Value delay, Value f, Value result)
{
    Value fn = ou_import_attr(vm, "asyncio.futures", "_set_result_unless_cancelled");
    if (fn == V_NULL)
        return V_NULL;
    Value v = ou_call_method_c(vm, v_of(l), "call_later", (Value[]){delay, fn, f, result}, 4);
    release(vm, fn);
    return v;
}

static void cancel_own(VM *vm, Value h)
{
    Value exc = ou_exc_take(vm), v = ou_call_method_c(vm, h, "cancel", NULL, 0);
    if (v == V_NULL)
        ou_unraisable(vm, NULL, h);
    xrelease(vm, v);
    ou_exc_restore(vm, exc);
}

static GenResult sleep_first(VM *vm, NativeCoro *c, Value *out)
{
    double delay;
    Value d = c->slots[SLEEP_DELAY];
    if (!ou_to_double(vm, d, &delay))
        return GEN_ERROR;
    if (delay <= 0) {
        c->slots[SLEEP_FUTURE] = V_NONE;
        *out = V_NONE;
        return GEN_YIELD;
    }
    if (isnan(delay)) {
        ou_raise(vm, E_VALUE, "Invalid delay: NaN (not a number)");
        return GEN_ERROR;
    }
    Value lv = ou_running_loop_or_raise(vm);
    if (lv == V_NULL)
        return GEN_ERROR;
    Loop *l = as_loop(lv);
    Value f = ou_future_new(vm, l);
    if (f == V_NULL)
        return GEN_ERROR;
    c->slots[SLEEP_FUTURE] = f;
    if (!ou_loop_check_closed(vm, l))
        return GEN_ERROR;
    Value h = l->own & (LOOP_OWN_CALL_AT | LOOP_OWN_CALL_LATER)
                  ? own_timer(vm, l, d, f, c->slots[SLEEP_RESULT])
                  : ou_call_at_native(vm, l, ou_loop_time(vm, l) + delay, wake_sleeper, f, c->slots[SLEEP_RESULT]);
    if (h == V_NULL)
        return GEN_ERROR;
    c->slots[SLEEP_HANDLE] = h;
    as_future(f)->flags |= FUT_BLOCKING;
    *out = retain(f);
    return GEN_YIELD;
}

static GenResult sleep_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    if (c->state == GEN_CREATED)
        return sleep_first(vm, c, out);
    Value f = c->slots[SLEEP_FUTURE], h = c->slots[SLEEP_HANDLE];
    bool early = exc == V_NULL && f != V_NONE && !future_done(as_future(f));
    if (h != V_NONE && ou_is_a(vm, h, T_HANDLE))
        ou_handle_cancel(vm, as_handle(h));
    else if (h != V_NONE)
        cancel_own(vm, h);
    if (early) {
        ou_raise(vm, E_RUNTIME, "await wasn't used with future");
        return GEN_ERROR;
    }
    if (exc != V_NULL) {
        ou_raise_value(vm, exc);
        return GEN_ERROR;
    }
    if (f == V_NONE) {
        *out = retain(c->slots[SLEEP_RESULT]);
        return GEN_RETURN;
    }
    Value v = ou_future_result(vm, as_future(f));
    if (v == V_NULL)
        return GEN_ERROR;
    *out = v;
    return GEN_RETURN;
}

static const NativeKind sleep_kind = {.name = "sleep", .step = sleep_step, .nslots = SLEEP_SLOTS};

Value ou_sleep(VM *vm, Value delay, Value result)
{
    Value v = ou_native_coro_new(vm, &sleep_kind);
    if (v == V_NULL)
        return V_NULL;
    NativeCoro *c = (NativeCoro *)v_obj(v);
    c->slots[SLEEP_DELAY] = retain(delay);
    c->slots[SLEEP_RESULT] = retain(result);
    return v;
}

/* ---- ensure_future ---- */

Value ou_ensure_future(VM *vm, Value aw, Loop *l)
{
    if (ou_is_future(vm, aw)) {
        if (l && as_future(aw)->loop != l)
            return ou_raise(vm, E_VALUE, "The future belongs to a different loop than the one specified as the loop argument");
        return retain(aw);
    }
    if (l && l->task_factory == V_NONE && !(l->own & LOOP_OWN_CREATE_TASK) && !l->closed && ou_is_coroutine_like(vm, aw))
        return ou_task_new(vm, l, aw, V_NONE, V_NULL, false);
    Value f = ou_import_attr(vm, "asyncio.tasks", "_ensure_future");
    if (f == V_NULL)
        return V_NULL;
    Value v = ou_call2(vm, f, aw, l ? v_of(l) : V_NONE);
    release(vm, f);
    return v;
}

/* ---- gather ---- */

typedef struct Gathering {
    Future f;
    Value children; /* list, in argument order, duplicates included */
    uint32_t nfuts, nfinished;
    bool return_exceptions, cancel_requested;
} Gathering;

static void gathering_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((Gathering *)o)->children);
    ou_future_dealloc_parts(vm, (Future *)o);
    ou_finish_dealloc(vm, o, 0);
}
static void gathering_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_future_traverse(vm, o, visit, arg);
    ou_visit(vm, ((Gathering *)o)->children, visit, arg);
}
static Value gathering_cancel(VM *vm, const Value *args, int n)
{
    (void)n;
    Gathering *g = (Gathering *)v_obj(args[0]);
    Value msg = args[1] == V_NULL ? V_NONE : args[1];
    if (future_done(&g->f))
        return V_FALSE;
    bool any = false;
    List *l = as_list(g->children);
    for (uint32_t k = 0; k < l->n; k++) {
        Value c = retain(l->items[k]);
        int r = ou_future_cancel(vm, c, msg);
        release(vm, c);
        if (r < 0)
            return V_NULL;
        any = any || r;
    }
    if (any)
        g->cancel_requested = true;
    return v_bool(any);
}
static const NativeDef gathering_methods[] = {
    {"cancel(msg=None)", gathering_cancel, "Cancels every child that is not done.", 0},
    {0},
};
const TypeDef ou_gathering_def = {
    .name = "asyncio.tasks._GatheringFuture",
    .size = sizeof(Gathering),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_NO_NEW,
    .slots = {.dealloc = gathering_dealloc, .traverse = gathering_traverse},
    .methods = gathering_methods,
};

/* The result of a child as gather(return_exceptions=True) and the success case collect it. Owned. */
static Value child_value(VM *vm, Future *c)
{
    if (c->state == FUT_CANCELLED) {
        Value msg = c->extra ? c->extra->cancel_msg : V_NONE;
        if (msg == V_NONE)
            msg = vm->empty_str;
        return ou_exc_new(vm, vm->types[E_CANCELLED], &msg, 1);
    }
    c->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
    return retain(c->result);
}

/* The gathering ends with e; with what has been raised instead where there is no e, so that its waiter hears of it. Takes e. */
static void gather_fail(VM *vm, Gathering *g, Value e)
{
    if (e == V_NULL)
        e = ou_exc_take(vm);
    ou_future_set_exception(vm, &g->f, e);
    release(vm, e);
}

static void child_done(VM *vm, Gathering *g, Future *c)
{
    g->nfinished++;
    if (future_done(&g->f)) {
        if (c->state != FUT_CANCELLED)
            c->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
        return;
    }
    if (!g->return_exceptions) {
        if (c->state == FUT_CANCELLED) {
            gather_fail(vm, g, ou_future_cancelled_error(vm, c));
            return;
        }
        if (c->state == FUT_ERROR) {
            c->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
            ou_future_set_exception(vm, &g->f, c->result);
            return;
        }
    }
    if (g->nfinished < g->nfuts)
        return;
    if (g->cancel_requested) {
        List *all = as_list(g->children); /* asyncio asks the last one, however it ended */
        gather_fail(vm, g, ou_future_cancelled_error(vm, as_future(all->items[all->n - 1])));
        return;
    }
    List *l = as_list(g->children);
    Value out = ou_list_new(vm, l->n);
    for (uint32_t k = 0; out != V_NULL && k < l->n; k++) {
        Value v = child_value(vm, as_future(l->items[k]));
        if (v == V_NULL || !ou_list_append_take(vm, as_list(out), v)) {
            release(vm, out);
            out = V_NULL;
        }
    }
    if (out == V_NULL) {
        gather_fail(vm, g, V_NULL);
        return;
    }
    ou_future_set_result(vm, &g->f, out);
    release(vm, out);
}

static void child_entry(VM *vm, Waiter *w)
{
    CallWaiter *c = (CallWaiter *)w;
    child_done(vm, (Gathering *)v_obj(c->cb), as_future(c->future));
}

Value ou_gather(VM *vm, const Value *aws, int n, bool return_exceptions)
{
    if (n == 0) {
        Loop *l = ou_loop_arg(vm, V_NONE);
        Value list = l ? ou_list_new(vm, 0) : V_NULL, f = list == V_NULL ? V_NULL : ou_future_new(vm, l);
        if (f != V_NULL)
            ou_future_set_result(vm, as_future(f), list);
        xrelease(vm, list);
        if (l)
            release(vm, v_of(l));
        return f;
    }
    Loop *l = ou_running_loop(vm);
    Value children = ou_list_new(vm, (size_t)n), seen = ou_dict_new(vm), done = ou_list_new(vm, 0);
    Value type = ou_import_attr(vm, "_asyncio", "_GatheringFuture"), result = V_NULL;
    Gathering *g = NULL;
    if (children == V_NULL || seen == V_NULL || done == V_NULL || type == V_NULL)
        goto out;
    if (!ou_is_a(vm, type, T_TYPE) || ((Type *)v_obj(type))->def != &ou_gathering_def) { /* a script has put something else there */
        ou_raise(vm, E_TYPE, "_GatheringFuture is %R", type);
        goto out;
    }
    g = ou_new(vm, (Type *)v_obj(type), 0);
    if (!g)
        goto out;
    g->f.result = V_NONE;
    g->children = retain(children);
    g->return_exceptions = return_exceptions;
    for (int k = 0; k < n; k++) {
        Value have = ou_dict_get(vm, as_dict(seen), aws[k]), fut;
        if (have != V_NULL) {
            if (!ou_list_append(vm, as_list(children), have))
                goto out;
            continue;
        }
        if (vm->exc != V_NULL)
            goto out;
        fut = ou_ensure_future(vm, aws[k], l);
        if (fut == V_NULL)
            goto out;
        if (!l)
            l = as_future(fut)->loop;
        if (!g->f.loop) {
            g->f.loop = l;
            l->h.refs++;
        }
        if (fut != aws[k])
            as_future(fut)->flags |= FUT_TASK_NO_LOG;
        g->nfuts++;
        bool ok = ou_dict_set(vm, as_dict(seen), aws[k], fut) && ou_list_append(vm, as_list(children), fut);
        if (ok)
            ok = future_done(as_future(fut)) ? ou_list_append(vm, as_list(done), fut)
                                             : ou_future_add_native(vm, as_future(fut), child_entry, v_of(g), 0);
        release(vm, fut);
        if (!ok)
            goto out;
    }
    for (uint32_t k = 0; k < as_list(done)->n; k++)
        child_done(vm, g, as_future(as_list(done)->items[k]));
    if (vm->exc == V_NULL)
        result = retain(v_of(g));
out:
    if (g)
        release(vm, v_of(g));
    xrelease(vm, children);
    xrelease(vm, seen);
    xrelease(vm, done);
    xrelease(vm, type);
    return result;
}
