/* `atexit`: functions that run when the VM ends, last registered first. The list hangs off the VM, not off the module. */
#include "stdlib/stdlib.h"
#include "vm/call.h"

typedef struct AtexitState {
    Value list; /* owned; of (function, args, kwargs) */
} AtexitState;

static List *callbacks(VM *vm)
{
    AtexitState *st = ou_module_record(vm, MOD_atexit, sizeof(AtexitState));
    if (!st)
        return NULL;
    if (st->list == V_NULL)
        st->list = ou_list_new(vm, 0);
    return st->list == V_NULL ? NULL : as_list(st->list);
}

static Value atexit_register(VM *vm, const Value *args, int n)
{
    (void)n;
    List *l = callbacks(vm);
    if (!l)
        return V_NULL;
    if (!ou_type_of(vm, args[0])->slots.call)
        return ou_raise(vm, E_TYPE, "the first argument must be callable");
    Value row = ou_tuple_of(vm, args, 3);
    return row != V_NULL && ou_list_append_take(vm, l, row) ? retain(args[0]) : V_NULL;
}

static Value atexit_unregister(VM *vm, const Value *args, int n)
{
    (void)n;
    List *l = callbacks(vm);
    if (!l)
        return V_NULL;
    for (uint32_t i = l->n; i > 0; i--) {
        if (i > l->n) /* an __eq__ has changed the list */
            continue;
        Value row = retain(l->items[i - 1]);
        int eq = ou_eq(vm, as_tuple(row)->items[0], args[0]);
        if (eq > 0 && i <= l->n && l->items[i - 1] == row)
            ou_list_remove_at(vm, l, i - 1);
        release(vm, row);
        if (eq < 0)
            return V_NULL;
    }
    return V_NONE;
}

void ou_unraisable_of(VM *vm, const char *fmt, Value what)
{
    Value exc = ou_exc_take(vm), text = ou_str_format(vm, fmt, what);
    ou_exc_clear(vm);
    ou_exc_restore(vm, exc);
    ou_unraisable(vm, text == V_NULL ? "Exception ignored" : as_str(text)->data, V_NULL);
    xrelease(vm, text);
}

void ou_atexit_run(VM *vm)
{
    AtexitState *st = vm->module_state[MOD_atexit];
    while (st && st->list != V_NULL && as_list(st->list)->n) {
        List *l = as_list(st->list);
        Value row = retain(l->items[l->n - 1]);
        ou_list_remove_at(vm, l, l->n - 1);
        Tuple *t = as_tuple(row);
        Value r = ou_call_ex(vm, t->items[0], as_tuple(t->items[1]), as_dict(t->items[2]));
        if (r == V_NULL) {
            if (ou_exc_matches(vm, E_SYSTEM_EXIT))
                ou_exc_clear(vm);
            else
                ou_unraisable_of(vm, "Exception ignored in atexit callback %R", t->items[0]);
        }
        xrelease(vm, r);
        release(vm, row);
    }
}

static Value atexit_run(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    ou_atexit_run(vm);
    return V_NONE;
}

static Value atexit_clear(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    List *l = callbacks(vm);
    if (!l)
        return V_NULL;
    while (l->n)
        ou_list_remove_at(vm, l, l->n - 1);
    return V_NONE;
}

static Value atexit_count(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    List *l = callbacks(vm);
    return l ? v_smallint(l->n) : V_NULL;
}

static const NativeDef functions[] = {
    {"register(func, /, *args, **kwargs)", atexit_register, "Register a function to be executed at termination.", 0},
    {"unregister(func, /)", atexit_unregister, "Unregister an exit function.", 0},
    {"_run_exitfuncs()", atexit_run, NULL, 0},
    {"_clear()", atexit_clear, NULL, 0},
    {"_ncallbacks()", atexit_count, NULL, 0},
    {0},
};

bool ou_mod_atexit(VM *vm, Module *m) { return ou_module_add(vm, m, functions); }
