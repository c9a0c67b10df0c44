/* contextvars: Context, ContextVar, Token, and the current context of a thread.
 * A context is a map ContextVar -> value: a dict that is copied before writing while it is shared, V_NONE when empty. Copying
 * a context (every task, every call_soon) is one reference. A Context object is made only when a script asks for one; from
 * then on it is what the thread or task holds, so that its changes are seen through the object. Mirrors Python/context.c in effect. */
#include "runtime/loop/loop.h"

#include <stdio.h>

typedef struct Context {
    Obj h;
    Value map;     /* dict or V_NONE */
    bool entered;
} Context;
typedef struct ContextVar {
    Obj h;
    Value name, dflt; /* dflt V_NULL: none */
} ContextVar;
typedef struct Token {
    Obj h;
    Value ctx;        /* the Context or V_NONE: where set() was called (an identity, for reset) */
    Value var, old;   /* old V_NULL: was not set */
    bool used;
} Token;

static Context *as_ctx(Value v) { return (Context *)v_obj(v); }
static ContextVar *as_var(Value v) { return (ContextVar *)v_obj(v); }
static Token *as_token(Value v) { return (Token *)v_obj(v); }

static Value *current_slot(VM *vm)
{
    if (vm->thread->context == V_NULL)
        vm->thread->context = V_NONE;
    return &vm->thread->context;
}

static Value map_of(Value ctx) { return is_exact(ctx, T_CONTEXT) ? as_ctx(ctx)->map : ctx; }

Value ou_context_copy(VM *vm) { return retain(map_of(*current_slot(vm))); }

Value ou_context_swap(VM *vm, Value ctx)
{
    Value *slot = current_slot(vm), old = *slot;
    *slot = ctx;
    return old;
}

static Value new_context(VM *vm, Value map) /* retains map */
{
    Context *c = ou_new(vm, vm->types[T_CONTEXT], 0);
    if (!c)
        return V_NULL;
    c->map = retain(map);
    return v_of(c);
}

Value ou_context_object(VM *vm, Value *slot)
{
    if (!is_exact(*slot, T_CONTEXT)) {
        Value c = new_context(vm, *slot);
        if (c == V_NULL)
            return V_NULL;
        set_owned(vm, slot, c);
    }
    return retain(*slot);
}

bool ou_context_check(VM *vm, Value ctx)
{
    if (is_exact(ctx, T_CONTEXT))
        return true;
    ou_raise(vm, E_TYPE, "an instance of Context is expected, got '%T'", ctx);
    return false;
}

/* The current map, ours alone, to be written to. Borrowed. */
static Dict *writable_map(VM *vm)
{
    Value *slot = current_slot(vm);
    if (is_exact(*slot, T_CONTEXT))
        slot = &as_ctx(*slot)->map;
    if (*slot == V_NONE) {
        Value d = ou_dict_new(vm);
        if (d == V_NULL)
            return NULL;
        *slot = d;
    } else if (v_obj(*slot)->refs > 1) {
        Value d = ou_dict_copy(vm, as_dict(*slot));
        if (d == V_NULL)
            return NULL;
        set_owned(vm, slot, d);
    }
    return as_dict(*slot);
}

static Value lookup(VM *vm, Value map, Value var) /* borrowed; V_NULL absent */
{
    return map == V_NONE ? V_NULL : ou_dict_get(vm, as_dict(map), var);
}

/* ---- ContextVar ---- */

static Value var_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    if (!ou_bind(vm, "ContextVar(name, /, *, default=None)", args, n, kwnames, a))
        return V_NULL;
    if (!ou_is_a(vm, a[0], T_STR))
        return ou_raise(vm, E_TYPE, "context variable name must be a str");
    ContextVar *v = ou_new(vm, cls, 0);
    if (!v)
        return V_NULL;
    v->name = retain(a[0]);
    v->dflt = a[1] == V_NULL ? V_NULL : retain(a[1]);
    return v_of(v);
}
static Value var_get(VM *vm, const Value *args, int n)
{
    Value v = lookup(vm, map_of(*current_slot(vm)), args[0]);
    if (v != V_NULL)
        return retain(v);
    if (vm->exc != V_NULL)
        return V_NULL;
    if (n > 1)
        return retain(args[1]);
    if (as_var(args[0])->dflt != V_NULL)
        return retain(as_var(args[0])->dflt);
    return ou_raise_args(vm, E_LOOKUP, args, 1);
}
static Value var_set(VM *vm, const Value *args, int n)
{
    (void)n;
    Token *t = ou_new(vm, vm->types[T_CONTEXT_TOKEN], 0);
    if (!t)
        return V_NULL;
    t->var = retain(args[0]);
    t->ctx = V_NONE;
    t->old = V_NULL;
    Value old = lookup(vm, map_of(*current_slot(vm)), args[0]);
    if (old != V_NULL)
        t->old = retain(old);
    Value *slot = current_slot(vm);
    t->ctx = ou_context_object(vm, slot);
    Dict *d = t->ctx == V_NULL ? NULL : writable_map(vm);
    if (!d || !ou_dict_set(vm, d, args[0], args[1])) {
        if (t->ctx == V_NULL)
            t->ctx = V_NONE;
        release(vm, v_of(t));
        return V_NULL;
    }
    return v_of(t);
}
static Value token_repr(VM *vm, Value self);
static Value var_reset(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!is_exact(args[1], T_CONTEXT_TOKEN))
        return ou_raise(vm, E_TYPE, "expected an instance of Token, got %R", args[1]);
    Token *t = as_token(args[1]);
    if (t->used)
        return ou_raise(vm, E_RUNTIME, "%R has already been used once", args[1]);
    if (t->var != args[0])
        return ou_raise(vm, E_VALUE, "%R was created by a different ContextVar", args[1]);
    if (t->ctx != *current_slot(vm))
        return ou_raise(vm, E_VALUE, "%R was created in a different Context", args[1]);
    t->used = true;
    Dict *d = writable_map(vm);
    if (!d)
        return V_NULL;
    if (t->old == V_NULL)
        return ou_dict_del(vm, d, args[0]) < 0 ? V_NULL : V_NONE;
    return ou_dict_set(vm, d, args[0], t->old) ? V_NONE : V_NULL;
}
static Value var_repr(VM *vm, Value self)
{
    char at[32];
    snprintf(at, sizeof at, "%p", (void *)v_obj(self));
    if (as_var(self)->dflt != V_NULL)
        return ou_str_format(vm, "<ContextVar name=%R default=%R at %s>", as_var(self)->name, as_var(self)->dflt, at);
    return ou_str_format(vm, "<ContextVar name=%R at %s>", as_var(self)->name, at);
}
static Value var_name(VM *vm, Value self)
{
    (void)vm;
    return retain(as_var(self)->name);
}
static Value class_item(VM *vm, const Value *args, int n)
{
    (void)n;
    (void)vm;
    return retain(args[0]);
}
static void var_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((ContextVar *)o)->name);
    xrelease(vm, ((ContextVar *)o)->dflt);
    ou_finish_dealloc(vm, o, 0);
}
static void var_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((ContextVar *)o)->name, visit, arg);
    ou_visit(vm, ((ContextVar *)o)->dflt, visit, arg);
}
static const NativeDef var_methods[] = {
    {"get(default=None, /)", var_get, "The value in the current context, else the default given here or at creation.", 0},
    {"set(value, /)", var_set, "Sets the value in the current context; the Token undoes it.", 0},
    {"reset(token, /)", var_reset, "Undoes a set().", 0},
    {"__class_getitem__(item, /)", class_item, NULL, ND_CLASS},
    {0},
};
static const GetSetDef var_getset[] = {{"name", var_name, NULL, NULL}, {0}};
const TypeDef ou_type_contextvar = {
    .name = "_contextvars.ContextVar",
    .size = sizeof(ContextVar),
    .flags = TF_GC,
    .slots = {.make = var_make, .dealloc = var_dealloc, .traverse = var_traverse, .repr = var_repr},
    .methods = var_methods,
    .getset = var_getset,
};

/* ---- Token ---- */

static Value token_repr(VM *vm, Value self)
{
    char at[32];
    snprintf(at, sizeof at, "%p", (void *)v_obj(self));
    return ou_str_format(vm, "<Token%s var=%R at %s>", as_token(self)->used ? " used" : "", as_token(self)->var, at);
}
static Value token_var(VM *vm, Value self)
{
    (void)vm;
    return retain(as_token(self)->var);
}
static Value token_old(VM *vm, Value self)
{
    if (as_token(self)->old != V_NULL)
        return retain(as_token(self)->old);
    return ou_getattr_c(vm, v_of(ou_type_of(vm, self)), "MISSING");
}
static void token_dealloc(VM *vm, Obj *o)
{
    Token *t = (Token *)o;
    xrelease(vm, t->ctx);
    xrelease(vm, t->var);
    xrelease(vm, t->old);
    ou_finish_dealloc(vm, o, 0);
}
static void token_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Token *t = (Token *)o;
    ou_visit(vm, t->ctx, visit, arg);
    ou_visit(vm, t->var, visit, arg);
    ou_visit(vm, t->old, visit, arg);
}
static const GetSetDef token_getset[] = {{"var", token_var, NULL, NULL}, {"old_value", token_old, NULL, NULL}, {0}};
const TypeDef ou_type_context_token = {
    .name = "_contextvars.Token",
    .size = sizeof(Token),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = token_dealloc, .traverse = token_traverse, .repr = token_repr},
    .getset = token_getset,
};

/* ---- Context ---- */

static Value ctx_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    (void)args;
    if (n || kwnames)
        return ou_raise(vm, E_TYPE, "Context() does not accept any arguments");
    return new_context(vm, V_NONE);
}

Value ou_loop_call(VM *vm, Value cb, const Value *args, int n, Value *ctx)
{
    Value before = ou_context_swap(vm, *ctx);
    Value v = ou_call(vm, cb, args, n, NULL);
    *ctx = ou_context_swap(vm, before);
    return v;
}

/* run(callable, *args, **kwargs) */
static Value ctx_run(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *rest = as_tuple(args[2]);
    Context *c = as_ctx(args[0]);
    if (c->entered)
        return ou_raise(vm, E_RUNTIME, "cannot enter context: %R is already entered", args[0]);
    c->entered = true;
    Value before = ou_context_swap(vm, retain(args[0]));
    Value v = ou_call_ex(vm, args[1], rest, as_dict(args[3]));
    release(vm, ou_context_swap(vm, before));
    c->entered = false;
    return v;
}
static Value ctx_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return new_context(vm, as_ctx(args[0])->map);
}
static bool check_var(VM *vm, Value key)
{
    if (is_exact(key, T_CONTEXTVAR))
        return true;
    ou_raise(vm, E_TYPE, "a ContextVar key was expected, got %R", key);
    return false;
}
static Value ctx_getitem(VM *vm, Value self, Value key)
{
    if (!check_var(vm, key))
        return V_NULL;
    Value v = lookup(vm, as_ctx(self)->map, key);
    return v != V_NULL ? retain(v) : vm->exc != V_NULL ? V_NULL : ou_raise_key(vm, key);
}
static int ctx_contains(VM *vm, Value self, Value key)
{
    if (!check_var(vm, key))
        return -1;
    Value v = lookup(vm, as_ctx(self)->map, key);
    return v != V_NULL ? 1 : vm->exc != V_NULL ? -1 : 0;
}
static int64_t ctx_len(VM *vm, Value self)
{
    (void)vm;
    return as_ctx(self)->map == V_NONE ? 0 : as_dict(as_ctx(self)->map)->n;
}
static Value map_or_empty(VM *vm, Value self)
{
    Value m = as_ctx(self)->map;
    return m == V_NONE ? ou_dict_new(vm) : retain(m);
}
static Value via_dict(VM *vm, Value self, const char *method, const Value *args, int n)
{
    Value m = map_or_empty(vm, self);
    if (m == V_NULL)
        return V_NULL;
    Value v = ou_call_method_c(vm, m, method, args, n);
    release(vm, m);
    return v;
}
static Value ctx_get(VM *vm, const Value *args, int n)
{
    return check_var(vm, args[1]) ? via_dict(vm, args[0], "get", args + 1, n - 1) : V_NULL;
}
static Value ctx_keys(VM *vm, const Value *args, int n)
{
    (void)n;
    return via_dict(vm, args[0], "keys", NULL, 0);
}
static Value ctx_values(VM *vm, const Value *args, int n)
{
    (void)n;
    return via_dict(vm, args[0], "values", NULL, 0);
}
static Value ctx_items(VM *vm, const Value *args, int n)
{
    (void)n;
    return via_dict(vm, args[0], "items", NULL, 0);
}
static Value ctx_iter(VM *vm, Value self)
{
    Value m = map_or_empty(vm, self);
    if (m == V_NULL)
        return V_NULL;
    Value it = ou_iter(vm, m);
    release(vm, m);
    return it;
}
static Value ctx_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if ((op != CMP_EQ && op != CMP_NE) || !is_exact(a, T_CONTEXT) || !is_exact(b, T_CONTEXT))
        return V_NOTIMPL;
    Value x = map_or_empty(vm, a), y = map_or_empty(vm, b), v = V_NULL;
    if (x != V_NULL && y != V_NULL)
        v = ou_compare(vm, x, y, op);
    xrelease(vm, x);
    xrelease(vm, y);
    return v;
}
static void ctx_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((Context *)o)->map);
    ou_finish_dealloc(vm, o, 0);
}
static void ctx_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((Context *)o)->map, visit, arg); }
static void ctx_clear(VM *vm, Obj *o) { set_owned(vm, &((Context *)o)->map, V_NONE); }
static const NativeDef ctx_methods[] = {
    {"run(callable, *args, **kwargs)", ctx_run, "Calls callable in this context.", 0},
    {"copy()", ctx_copy, NULL, 0},
    {"get(key, default=None, /)", ctx_get, NULL, 0},
    {"keys()", ctx_keys, NULL, 0},
    {"values()", ctx_values, NULL, 0},
    {"items()", ctx_items, NULL, 0},
    {0},
};
const TypeDef ou_type_context = {
    .name = "_contextvars.Context",
    .size = sizeof(Context),
    .flags = TF_GC | TF_WEAKREF | TF_MAPPING,
    .slots = {.make = ctx_make, .dealloc = ctx_dealloc, .traverse = ctx_traverse, .clear = ctx_clear, .getitem = ctx_getitem,
              .contains = ctx_contains, .len = ctx_len, .iter = ctx_iter, .compare = ctx_compare},
    .methods = ctx_methods,
};
