/* asyncio.TaskGroup. The tasks tell the group of their end by an entry of the ready ring each, the last one wakes __aexit__ (ASYNC.md rule
 * 33). The first error cancels the other tasks and the parent, which is uncancelled at the end of the block; errors are raised in
 * order of completion. Tasks are cancelled in the order in which they were made (CPython: in the order of a set). */
#include "runtime/loop/sync.h"
#include "runtime/objects/import.h"

typedef struct Member {
    Value task; /* owned; V_NULL: it has ended */
    intptr_t id;
} Member;
typedef struct Group {
    Obj h;
    Loop *loop;       /* owned; NULL: not entered yet */
    Value parent;     /* the task of the block, V_NONE */
    Value errors;     /* list; V_NONE once they were raised */
    Value base_error; /* SystemExit or KeyboardInterrupt, V_NONE */
    Member *members;  /* by rising id */
    uint32_t n, cap, alive;
    intptr_t next_id;
    Node waiters;     /* __aexit__ while it waits */
    bool entered, exiting, aborting, parent_cancel_requested;
} Group;
static Group *as_group(Value v) { return (Group *)v_obj(v); }

enum { WS_TYPE = WS_SLOTS, WS_EXC, WS_CANCEL, GROUP_SLOTS }; /* of __aexit__: what the block raised; the cancellation to pass on */

static bool is_base_error(VM *vm, Value e) { return ou_is_a(vm, e, E_SYSTEM_EXIT) || ou_is_a(vm, e, E_KEYBOARD_INTERRUPT); }

/* ---- members ---- */

static bool add_member(VM *vm, Group *g, Value task)
{
    if (g->n == g->cap && g->alive <= g->n / 2) {
        uint32_t n = 0;
        for (uint32_t k = 0; k < g->n; k++)
            if (g->members[k].task != V_NULL)
                g->members[n++] = g->members[k];
        g->n = n;
    }
    if (g->n == g->cap) {
        uint32_t cap = g->cap ? g->cap * 2 : 8;
        Member *p = ou_realloc(&vm->heap, g->members, g->cap * sizeof *p, cap * sizeof *p);
        if (!p)
            return ou_raise_memory(vm) != V_NULL;
        g->members = p;
        g->cap = cap;
    }
    g->members[g->n++] = (Member){retain(task), g->next_id++};
    g->alive++;
    return true;
}
static void drop_member(VM *vm, Group *g, Member *m)
{
    Value task = m->task;
    m->task = V_NULL;
    g->alive--;
    if (!g->alive)
        g->n = 0;
    release(vm, task);
}
static Member *member_by_id(Group *g, intptr_t id)
{
    uint32_t lo = 0, hi = g->n;
    while (lo < hi) {
        uint32_t mid = (lo + hi) / 2;
        if (g->members[mid].id < id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < g->n && g->members[lo].id == id && g->members[lo].task != V_NULL ? &g->members[lo] : NULL;
}
static Member *member_of(Group *g, Value task)
{
    for (uint32_t k = 0; k < g->n; k++)
        if (g->members[k].task == task)
            return &g->members[k];
    return NULL;
}

static int truth_of_call(VM *vm, Value task, const char *method)
{
    Value v = ou_call_method_c(vm, task, method, NULL, 0);
    int t = v == V_NULL ? -1 : ou_truth(vm, v);
    xrelease(vm, v);
    return t;
}
static int is_done(VM *vm, Value task)
{
    return is_exact(task, T_TASK) ? future_done(as_future(task)) : truth_of_call(vm, task, "done");
}
static bool cancel(VM *vm, Value task)
{
    return (is_exact(task, T_TASK) ? ou_task_cancel(vm, as_task(task), V_NONE) : truth_of_call(vm, task, "cancel")) >= 0;
}
static bool abort_all(VM *vm, Group *g)
{
    g->aborting = true;
    intptr_t end = g->next_id;
    for (uint32_t k = 0; k < g->n && g->members[k].id < end; k++) {
        if (g->members[k].task == V_NULL)
            continue;
        Value t = retain(g->members[k].task);
        int done = is_done(vm, t);
        bool ok = done > 0 || (done == 0 && cancel(vm, t));
        release(vm, t);
        if (!ok)
            return false;
    }
    return true;
}

static bool report_late(VM *vm, Group *g, Value task, Value exc)
{
    Value msg = ou_str_format(vm, "Task %R has errored out but its parent task %S is already completed", task, g->parent);
    Value ctx = msg == V_NULL ? V_NULL : ou_dict_new(vm), v = V_NULL;
    if (ctx != V_NULL && ou_dict_set_c(vm, as_dict(ctx), "message", msg) && ou_dict_set_c(vm, as_dict(ctx), "exception", exc) &&
        ou_dict_set_c(vm, as_dict(ctx), "task", task))
        v = ou_call_method_c(vm, v_of(g->loop), "call_exception_handler", &ctx, 1);
    xrelease(vm, msg);
    xrelease(vm, ctx);
    xrelease(vm, v);
    return v != V_NULL;
}

static bool add_error(VM *vm, Group *g, Value exc)
{
    if (!is_exact(g->errors, T_LIST)) /* raised already */
        return ou_raise(vm, E_ATTRIBUTE, "'NoneType' object has no attribute 'append'") != V_NULL;
    return ou_list_append(vm, as_list(g->errors), exc);
}

/* A task has ended and failed with exc. */
static bool failed(VM *vm, Group *g, Value task, Value exc)
{
    if (!add_error(vm, g, exc))
        return false;
    if (g->base_error == V_NONE && is_base_error(vm, exc))
        g->base_error = retain(exc);
    int done = is_done(vm, g->parent);
    if (done)
        return done > 0 && report_late(vm, g, task, exc);
    if (g->aborting || g->parent_cancel_requested)
        return true;
    /* The first failure: cancel the other tasks, and the parent, which may be waiting for anything in its block. */
    if (!abort_all(vm, g))
        return false;
    g->parent_cancel_requested = true;
    return cancel(vm, g->parent);
}

/* task has ended; m is its place */
static bool ended(VM *vm, Group *g, Value task, Member *m)
{
    if (m)
        drop_member(vm, g, m);
    if (!g->alive && !list_empty(&g->waiters)) {
        NativeCoro *c = coro_of_wait((Wait *)g->waiters.next, GROUP_SLOTS);
        if (ou_wait_is_pending(c))
            ou_wait_wake(vm, c);
    }
    if (is_exact(task, T_TASK)) {
        Future *f = as_future(task);
        if (f->state != FUT_ERROR)
            return true;
        f->flags &= (uint8_t)~FUT_LOG_TRACEBACK;
        return failed(vm, g, task, f->result);
    }
    int cancelled = truth_of_call(vm, task, "cancelled");
    if (cancelled)
        return cancelled > 0;
    Value exc = ou_call_method_c(vm, task, "exception", NULL, 0);
    bool ok = exc != V_NULL && (exc == V_NONE || failed(vm, g, task, exc));
    xrelease(vm, exc);
    return ok;
}
static void member_entry(VM *vm, Waiter *w)
{
    CallWaiter *c = (CallWaiter *)w;
    Group *g = as_group(c->cb);
    ended(vm, g, c->future, member_by_id(g, c->data));
}
static Value g_on_task_done(VM *vm, const Value *args, int n)
{
    (void)n;
    Group *g = as_group(args[0]);
    Value task = retain(args[1]);
    bool ok = ended(vm, g, task, member_of(g, task));
    release(vm, task);
    return ok ? V_NONE : V_NULL;
}

/* ---- create_task ---- */

static Value refuse(VM *vm, Value self, Value coro, const char *why)
{
    Value v = ou_call_method_c(vm, coro, "close", NULL, 0);
    if (v == V_NULL)
        return V_NULL;
    release(vm, v);
    return ou_raise(vm, E_RUNTIME, "TaskGroup %R %s", self, why);
}
static Value g_create_task(VM *vm, const Value *args, int n)
{
    (void)n;
    Value self = args[0], coro = args[1];
    Group *g = as_group(self);
    if (!g->entered)
        return refuse(vm, self, coro, "has not been entered");
    if (g->exiting && !g->alive)
        return refuse(vm, self, coro, "is finished");
    if (g->aborting)
        return refuse(vm, self, coro, "is shutting down");
    Value task = ou_create_task(vm, g->loop, coro, args[2] == V_NULL ? V_NONE : args[2], args[3] == V_NULL ? V_NONE : args[3]);
    if (task == V_NULL)
        return V_NULL;
    int done = is_done(vm, task);
    bool ok = done >= 0;
    if (done > 0) {
        ok = ended(vm, g, task, NULL);
    } else if (ok && (ok = add_member(vm, g, task))) {
        if (is_exact(task, T_TASK)) {
            ok = ou_future_add_native(vm, as_future(task), member_entry, self, g->next_id - 1);
        } else {
            Value f = ou_getattr_c(vm, self, "_on_task_done"), v = f == V_NULL ? V_NULL : ou_call_method_c(vm, task, "add_done_callback", &f, 1);
            ok = v != V_NULL;
            xrelease(vm, f);
            xrelease(vm, v);
        }
    }
    if (ok)
        return task;
    Member *m = done == 0 ? member_of(g, task) : NULL;
    if (m) { /* nobody would tell the group of its end */
        Value exc = ou_exc_take(vm);
        drop_member(vm, g, m);
        if (!cancel(vm, task))
            ou_exc_clear(vm);
        ou_exc_restore(vm, exc);
    }
    release(vm, task);
    return V_NULL;
}

/* ---- async with ---- */

static GenResult enter_step(VM *vm, NativeCoro *c, Value value, Value exc, Value *out)
{
    (void)value;
    (void)exc;
    Value self = c->slots[WS_OWNER];
    Group *g = as_group(self);
    if (g->entered) {
        ou_raise(vm, E_RUNTIME, "TaskGroup %R has already been entered", self);
        return GEN_ERROR;
    }
    if (!g->loop) {
        Value lv = ou_running_loop_or_raise(vm);
        if (lv == V_NULL)
            return GEN_ERROR;
        g->loop = as_loop(retain(lv));
    }
    set_owned(vm, &g->parent, retain(ou_current_task(vm, v_of(g->loop))));
    if (g->parent == V_NONE) {
        ou_raise(vm, E_RUNTIME, "TaskGroup %R cannot determine the parent task", self);
        return GEN_ERROR;
    }
    g->entered = true;
    *out = retain(self);
    return GEN_RETURN;
}
static const NativeKind enter_kind = {"TaskGroup.__aenter__", enter_step, NULL, WS_SLOTS, 0};

/* task.uncancel(); -1 raised */
static int64_t uncancel(VM *vm, Value task)
{
    int64_t left = -1;
    Value v = ou_call_method_c(vm, task, "uncancel", NULL, 0);
    if (v == V_NULL || !ou_index_i64(vm, v, &left))
        left = -1;
    xrelease(vm, v);
    return left;
}

static GenResult raise_errors(VM *vm, Group *g)
{
    /* A parent that was cancelled as well stays so: the next await raises it. */
    int cancelling = truth_of_call(vm, g->parent, "cancelling");
    if (cancelling < 0 || (cancelling && (uncancel(vm, g->parent) < 0 || !cancel(vm, g->parent))))
        return GEN_ERROR;
    Value msg = ou_str_c(vm, "unhandled errors in a TaskGroup"), e = V_NULL;
    if (msg != V_NULL)
        e = ou_call2(vm, v_of(vm->types[E_BASE_EXCEPTION_GROUP]), msg, g->errors);
    xrelease(vm, msg);
    set_owned(vm, &g->errors, V_NONE);
    if (e != V_NULL) {
        ou_raise_value(vm, e);
        as_exc(e)->suppress_context = true; /* from None */
        release(vm, e);
    }
    return GEN_ERROR;
}

/* All tasks have ended. */
static GenResult leave(VM *vm, NativeCoro *c, Value *out)
{
    Group *g = as_group(c->slots[WS_OWNER]);
    if (g->base_error != V_NONE) {
        ou_raise_value(vm, g->base_error);
        return GEN_ERROR;
    }
    /* The cancellation that the group itself asked for does not count: when it was the only one, it is over. */
    if (g->parent_cancel_requested) {
        int64_t left = uncancel(vm, g->parent);
        if (left < 0)
            return GEN_ERROR;
        if (left == 0)
            set_owned(vm, &c->slots[WS_CANCEL], V_NONE);
    }
    bool errors = is_exact(g->errors, T_LIST) && as_list(g->errors)->n;
    if (c->slots[WS_CANCEL] != V_NONE && !errors) {
        ou_raise_value(vm, c->slots[WS_CANCEL]);
        return GEN_ERROR;
    }
    Value exc = c->slots[WS_EXC];
    if (c->slots[WS_TYPE] != V_NONE && !ou_is_a(vm, exc, E_CANCELLED)) {
        if (!add_error(vm, g, exc))
            return GEN_ERROR;
        errors = true;
    }
    if (errors)
        return raise_errors(vm, g);
    *out = V_NONE;
    return GEN_RETURN;
}

static GenResult exit_step(VM *vm, NativeCoro *c, Value value, Value thrown, Value *out)
{
    (void)value;
    Group *g = as_group(c->slots[WS_OWNER]);
    if (c->state == GEN_CREATED) {
        Value exc = c->slots[WS_EXC];
        g->exiting = true;
        if (exc != V_NONE && g->base_error == V_NONE && is_base_error(vm, exc))
            g->base_error = retain(exc);
        if (exc != V_NONE && ou_is_a(vm, exc, E_CANCELLED))
            c->slots[WS_CANCEL] = retain(exc);
        /* The block failed, or was cancelled from outside: so are the tasks. */
        if (c->slots[WS_TYPE] != V_NONE && !g->aborting && !abort_all(vm, g))
            return GEN_ERROR;
    } else if (!ou_wait_end(vm, c, thrown)) {
        if (!ou_exc_matches(vm, E_CANCELLED))
            return GEN_ERROR;
        Value e = ou_exc_take(vm);
        bool ok = true;
        if (!g->aborting) { /* somebody cancels the parent while it waits here: pass it on to the tasks */
            set_owned(vm, &c->slots[WS_CANCEL], retain(e));
            ok = abort_all(vm, g);
        }
        release(vm, e);
        if (!ok)
            return GEN_ERROR;
    }
    return g->alive ? ou_wait_begin(vm, c, &g->waiters, out) : leave(vm, c, out);
}
static const NativeKind exit_kind = {"TaskGroup.__aexit__", exit_step, ou_wait_fini, GROUP_SLOTS, WAIT_WORDS};

static Value g_aenter(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_wait_start(vm, &enter_kind, args[0]);
}
static Value g_aexit(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = ou_wait_start(vm, &exit_kind, args[0]);
    if (v != V_NULL) {
        NativeCoro *c = (NativeCoro *)v_obj(v);
        c->slots[WS_TYPE] = retain(args[1]);
        c->slots[WS_EXC] = retain(args[2]);
    }
    return v;
}

/* ---- the type ---- */

static Value group_repr(VM *vm, Value self)
{
    Group *g = as_group(self);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, "<TaskGroup");
    if (g->alive)
        ou_sb_printf(&b, " tasks=%u", g->alive);
    if (is_exact(g->errors, T_LIST) && as_list(g->errors)->n)
        ou_sb_printf(&b, " errors=%u", as_list(g->errors)->n);
    ou_sb_puts(&b, g->aborting ? " cancelling>" : g->entered ? " entered>" : ">");
    return ou_sb_finish(&b);
}
static Value get_tasks(VM *vm, Value self)
{
    Group *g = as_group(self);
    Value l = ou_list_new(vm, g->alive);
    for (uint32_t k = 0; l != V_NULL && k < g->n; k++)
        if (g->members[k].task != V_NULL && !ou_list_append(vm, as_list(l), g->members[k].task)) {
            release(vm, l);
            l = V_NULL;
        }
    Value set = l == V_NULL ? V_NULL : ou_call1(vm, v_of(vm->types[T_SET]), l);
    xrelease(vm, l);
    return set;
}
static Value get_errors(VM *vm, Value self) { return (void)vm, retain(as_group(self)->errors); }
static Value get_parent(VM *vm, Value self) { return (void)vm, retain(as_group(self)->parent); }
static Value get_loop(VM *vm, Value self) { return (void)vm, as_group(self)->loop ? retain(v_of(as_group(self)->loop)) : V_NONE; }

static Value group_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    Group *g = ou_new(vm, cls, 0);
    if (!g)
        return V_NULL;
    list_init(&g->waiters);
    g->parent = g->base_error = g->errors = V_NONE;
    g->errors = ou_list_new(vm, 0);
    if (g->errors == V_NULL) {
        g->errors = V_NONE;
        release(vm, v_of(g));
        return V_NULL;
    }
    return v_of(g);
}
static int group_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    (void)self;
    (void)args;
    return ou_no_args_init(vm, "TaskGroup", n, kwnames);
}
static void drop_members(VM *vm, Group *g)
{
    Member *m = g->members;
    uint32_t n = g->n, cap = g->cap;
    g->members = NULL;
    g->n = g->cap = g->alive = 0;
    for (uint32_t k = 0; k < n; k++)
        xrelease(vm, m[k].task);
    ou_free(&vm->heap, m, cap * sizeof *m);
}
static void group_dealloc(VM *vm, Obj *o)
{
    Group *g = (Group *)o;
    drop_members(vm, g);
    release(vm, g->parent);
    release(vm, g->errors);
    release(vm, g->base_error);
    if (g->loop)
        release(vm, v_of(g->loop));
    ou_finish_dealloc(vm, o, 0);
}
static void group_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Group *g = (Group *)o;
    for (uint32_t k = 0; k < g->n; k++)
        ou_visit(vm, g->members[k].task, visit, arg);
    ou_visit(vm, g->parent, visit, arg);
    ou_visit(vm, g->errors, visit, arg);
    ou_visit(vm, g->base_error, visit, arg);
    if (g->loop)
        visit(vm, &g->loop->h, arg);
}
static void group_clear(VM *vm, Obj *o)
{
    Group *g = (Group *)o;
    drop_members(vm, g);
    set_owned(vm, &g->parent, V_NONE);
    set_owned(vm, &g->errors, V_NONE);
    set_owned(vm, &g->base_error, V_NONE);
}
static const NativeDef group_methods[] = {
    {"create_task(coro, *, name=None, context=None)", g_create_task, "A task of this group.", 0},
    {"_on_task_done(task)", g_on_task_done, NULL, 0},
    {"__aenter__()", g_aenter, NULL, 0},
    {"__aexit__(et, exc, tb)", g_aexit, NULL, 0},
    {0},
};
static const GetSetDef group_getset[] = {
    {"_tasks", get_tasks, NULL, NULL}, {"_errors", get_errors, NULL, NULL}, {"_parent_task", get_parent, NULL, NULL}, {"_loop", get_loop, NULL, NULL}, {0},
};
const TypeDef ou_task_group_def = {
    .name = "asyncio.taskgroups.TaskGroup",
    .size = sizeof(Group),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_SCRIPTED,
    .slots = {.make = group_make, .init = group_init, .dealloc = group_dealloc, .traverse = group_traverse, .clear = group_clear, .repr = group_repr},
    .methods = group_methods,
    .getset = group_getset,
    .doc = "`async with TaskGroup() as tg`: waits for every task made by tg.create_task(); when one fails the others are cancelled\n"
           "and the errors are raised together as an ExceptionGroup.",
};
