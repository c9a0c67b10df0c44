/* _asyncio and _contextvars: what asyncio's script part and contextvars import. The types live in runtime/loop/. */
#include "runtime/loop/combinators.h"
#include "runtime/loop/io.h"
#include "runtime/loop/loop.h"
#include "runtime/loop/sync.h"
#include "runtime/objects/import.h"
#include "stdlib/stdlib.h"

static Value get_running_loop(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value l = ou_running_loop_or_raise(vm);
    return l == V_NULL ? V_NULL : retain(l);
}
static Value get_running_loop_opt(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Loop *l = ou_running_loop(vm);
    return l ? retain(v_of(l)) : V_NONE;
}
static Value set_running_loop(VM *vm, const Value *args, int n)
{
    (void)n;
    Loop *old = vm->thread->running_loop;
    if (args[0] != V_NONE && !ou_is_a(vm, args[0], T_LOOP))
        return ou_raise(vm, E_TYPE, "an event loop or None is expected, got %T", args[0]);
    vm->thread->running_loop = args[0] == V_NONE ? NULL : as_loop(retain(args[0]));
    if (old)
        release(vm, v_of(old));
    return V_NONE;
}
static Value get_policy_loop(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value v = vm->thread->loop_policy_loop;
    return v == V_NULL ? V_FALSE : retain(v); /* False: none was set, so the main thread may make one */
}
static Value set_policy_loop(VM *vm, const Value *args, int n)
{
    (void)n;
    set_owned(vm, &vm->thread->loop_policy_loop, retain(args[0]));
    return V_NONE;
}
static Value sleep_(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_sleep(vm, args[0], args[1] == V_NULL ? V_NONE : args[1]);
}
/* gather(*coros_or_futures, return_exceptions=False) */
static Value gather(VM *vm, const Value *args, int n)
{
    (void)n;
    int re = args[1] == V_NULL ? 0 : ou_truth(vm, args[1]);
    if (re < 0)
        return V_NULL;
    return ou_gather(vm, as_tuple(args[0])->items, (int)as_tuple(args[0])->n, re != 0);
}
static Value ensure_future(VM *vm, const Value *args, int n)
{
    (void)n;
    Value loop = args[1];
    Loop *l = loop != V_NULL && loop != V_NONE ? as_loop(loop) : NULL;
    if (!l && !ou_is_future(vm, args[0]))
        l = ou_running_loop(vm);
    return ou_ensure_future(vm, args[0], l);
}
static Value current_task(VM *vm, const Value *args, int n)
{
    Value loop = n > 0 && args[0] != V_NULL && args[0] != V_NONE ? args[0] : ou_running_loop_or_raise(vm);
    if (loop == V_NULL)
        return V_NULL;
    return ou_is_a(vm, loop, T_LOOP) ? retain(ou_current_task(vm, loop)) : V_NONE;
}
static bool is_loop(VM *vm, Value v)
{
    if (!ou_is_a(vm, v, T_LOOP))
        return ou_raise(vm, E_TYPE, "an event loop is expected, got %T", v) != V_NULL;
    return true;
}
static Value enter_task(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_loop(vm, args[0]))
        return V_NULL;
    Value t = ou_current_task(vm, args[0]);
    if (t != V_NONE)
        return ou_raise(vm, E_RUNTIME, "Cannot enter into task %R while another task %R is being executed.", args[1], t);
    set_owned(vm, &as_loop(args[0])->entered, retain(args[1]));
    return V_NONE;
}
static Value leave_task(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_loop(vm, args[0]))
        return V_NULL;
    Value t = ou_current_task(vm, args[0]);
    if (t != args[1])
        return ou_raise(vm, E_RUNTIME, "Leaving task %R does not match the current task %R.", args[1], t);
    if (t == as_loop(args[0])->entered)
        set_owned(vm, &as_loop(args[0])->entered, V_NONE);
    else
        vm->thread->current_task = V_NONE;
    return V_NONE;
}
static Value swap_current_task(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_loop(vm, args[0]))
        return V_NULL;
    Value old = retain(ou_current_task(vm, args[0]));
    if (old == vm->thread->current_task)
        vm->thread->current_task = V_NONE;
    set_owned(vm, &as_loop(args[0])->entered, retain(args[1]));
    return old;
}
static Value create_task(VM *vm, const Value *args, int n)
{
    (void)n;
    Value lv = ou_running_loop_or_raise(vm);
    if (lv == V_NULL)
        return V_NULL;
    return ou_create_task(vm, as_loop(lv), args[0], args[1] == V_NULL ? V_NONE : args[1], args[2] == V_NULL ? V_NONE : args[2]);
}
static Value timeout_(VM *vm, const Value *args, int n)
{
    (void)n;
    Value cls = ou_import_attr(vm, "_asyncio", "Timeout");
    if (cls == V_NULL)
        return V_NULL;
    Value v = ou_timeout_new(vm, (Type *)v_obj(cls), args[0]);
    release(vm, cls);
    return v;
}
static Value is_native_coroutine(VM *vm, const Value *args, int n)
{
    (void)n;
    return v_bool(ou_is_coroutine_like(vm, args[0]));
}
static Value await_chain(VM *vm, const Value *args, int n)
{
    (void)n;
    Value l = ou_list_new(vm, 4), c = retain(args[0]);
    while (l != V_NULL && (is_exact(c, T_COROUTINE) || is_exact(c, T_GENERATOR) || is_exact(c, T_ASYNC_GENERATOR))) {
        if (!ou_list_append(vm, as_list(l), c)) {
            release(vm, l);
            l = V_NULL;
            break;
        }
        Value next = ou_gen_awaiting(vm, as_gen(c));
        release(vm, c);
        c = next;
    }
    release(vm, c);
    return l;
}

static const NativeDef functions[] = {
    {"get_running_loop()", get_running_loop, "The running event loop; RuntimeError if there is none.", 0},
    {"_get_running_loop()", get_running_loop_opt, NULL, 0},
    {"_set_running_loop(loop, /)", set_running_loop, NULL, 0},
    {"_get_policy_loop()", get_policy_loop, NULL, 0},
    {"_set_policy_loop(loop, /)", set_policy_loop, NULL, 0},
    {"sleep(delay, result=None)", sleep_, "Coroutine that completes after a given time (in seconds).", 0},
    {"gather(*coros_or_futures, return_exceptions=False)", gather, NULL, 0},
    {"ensure_future(coro_or_future, *, loop=None)", ensure_future, NULL, 0},
    {"current_task(loop=None)", current_task, NULL, 0},
    {"_enter_task(loop, task)", enter_task, NULL, 0},
    {"_leave_task(loop, task)", leave_task, NULL, 0},
    {"_swap_current_task(loop, task)", swap_current_task, NULL, 0},
    {"create_task(coro, *, name=None, context=None)", create_task, NULL, 0},
    {"timeout(delay)", timeout_, "`async with timeout(seconds)`: TimeoutError if the block takes longer; None never.", 0},
    {"_is_native_coroutine(obj, /)", is_native_coroutine, NULL, 0},
    {"_await_chain(coro, /)", await_chain, "The coroutine, what it awaits, what that awaits ... as far as they are frames.", 0},
    {0},
};

static bool add_queues(VM *vm, Module *m)
{
    Type *base = ou_module_type(vm, m, &ou_queue_def, NULL);
    return base && ou_module_type(vm, m, &ou_lifo_queue_def, base) && ou_module_type(vm, m, &ou_priority_queue_def, base);
}

bool ou_mod__asyncio(VM *vm, Module *m)
{
    vm->future_leaf = ou_future_leaf;
    return ou_module_add(vm, m, functions) && ou_module_builtin_type(vm, m, "Future", T_FUTURE) &&
           ou_module_builtin_type(vm, m, "Task", T_TASK) && ou_module_builtin_type(vm, m, "Handle", T_HANDLE) &&
           ou_module_builtin_type(vm, m, "TimerHandle", T_TIMER_HANDLE) && ou_module_builtin_type(vm, m, "BaseLoop", T_LOOP) &&
           ou_module_builtin_type(vm, m, "CancelledError", E_CANCELLED) &&
           ou_module_builtin_type(vm, m, "InvalidStateError", E_INVALID_STATE) &&
           ou_module_type(vm, m, &ou_gathering_def, ou_builtin(vm, T_FUTURE)) && ou_module_type(vm, m, &ou_event_def, NULL) &&
           ou_module_type(vm, m, &ou_lock_def, NULL) && ou_module_type(vm, m, &ou_semaphore_def, NULL) &&
           ou_module_type(vm, m, &ou_condition_def, NULL) && add_queues(vm, m) && ou_module_type(vm, m, &ou_task_group_def, NULL) &&
           ou_module_type(vm, m, &ou_timeout_def, NULL) && ou_module_type(vm, m, &ou_stream_transport_def, NULL) != NULL;
}

/* ---- _contextvars ---- */

static Value copy_context(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value map = ou_context_copy(vm);
    Value c = ou_context_object(vm, &map); /* a fresh Context around the map */
    release(vm, map);
    return c;
}
static const NativeDef context_functions[] = {
    {"copy_context()", copy_context, "A copy of the current context.", 0},
    {0},
};
static Value missing_repr(VM *vm, Value self)
{
    (void)self;
    return ou_str_c(vm, "<Token.MISSING>");
}
static const TypeDef missing_def = {.name = "_contextvars.Token.MISSING", .size = sizeof(Obj), .flags = TF_NO_NEW, .slots = {.repr = missing_repr}};

bool ou_mod__contextvars(VM *vm, Module *m)
{
    Type *t = ou_type_from_def(vm, &missing_def, ou_builtin(vm, T_OBJECT));
    Dict *token = type_dict(vm, ou_builtin(vm, T_CONTEXT_TOKEN));
    void *missing = t && token ? ou_new(vm, t, 0) : NULL;
    bool ok = missing && ou_module_add(vm, m, context_functions) && ou_module_builtin_type(vm, m, "Context", T_CONTEXT) &&
              ou_module_builtin_type(vm, m, "ContextVar", T_CONTEXTVAR) && ou_module_builtin_type(vm, m, "Token", T_CONTEXT_TOKEN) &&
              ou_dict_set_c(vm, token, "MISSING", v_of(missing));
    if (missing)
        release(vm, v_of(missing));
    if (t)
        release(vm, v_of(t));
    return ok;
}
