/* The part of `sys` that looks at running code: exc_info, frames, the hooks for what nobody catches, async generator hooks. */
#include "runtime/objects/errors_impl.h"
#include "stdlib/sys_impl.h"
#include "vm/call.h"

/* ---- exceptions ------------------------------------------------------------------------------------------------------------ */

static Value handled(VM *vm)
{
    Value v = ou_exc_handled(vm);
    return v != V_NULL && ou_is_exception(vm, v) ? v : V_NONE;
}

static Value sys_exc_info(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value e = handled(vm), items[3] = {V_NONE, V_NONE, V_NONE};
    if (e != V_NONE) {
        items[0] = v_of(ou_type_of(vm, e));
        items[1] = e;
        items[2] = as_exc(e)->traceback;
    }
    return ou_tuple_of(vm, items, 3);
}

static Value sys_exception(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return retain(handled(vm));
}

static Value sys_excepthook(VM *vm, const Value *args, int n)
{
    (void)n;
    Value exc = args[1];
    if (!ou_is_exception(vm, exc)) { /* told where it would have been shown */
        Value text = ou_str_format(vm, "TypeError: print_exception(): Exception expected for value, %T found\n", exc);
        if (text == V_NULL)
            return V_NULL;
        ou_stderr_write(vm, as_str(text)->data, as_str(text)->size);
        release(vm, text);
        return V_NONE;
    }
    if (args[2] != V_NONE && is_exact(args[2], T_TRACEBACK) && as_exc(exc)->traceback == V_NONE)
        set_owned(vm, &as_exc(exc)->traceback, retain(args[2]));
    Value s = ou_exc_format(vm, exc, true);
    if (s == V_NULL)
        return V_NULL;
    ou_io_flush_std(vm); /* what was printed before comes before the traceback */
    ou_stderr_write(vm, as_str(s)->data, as_str(s)->size);
    release(vm, s);
    return V_NONE;
}

/* args: UnraisableHookArgs or anything with the same attributes. */
static Value sys_unraisablehook(VM *vm, const Value *args, int n)
{
    (void)n;
    Value msg = ou_getattr_c(vm, args[0], "err_msg"), obj = msg == V_NULL ? V_NULL : ou_getattr_c(vm, args[0], "object");
    Value exc = obj == V_NULL ? V_NULL : ou_getattr_c(vm, args[0], "exc_value");
    if (exc != V_NULL) {
        StrBuf b;
        ou_sb_init(&b, vm);
        if (obj != V_NONE) {
            if (msg != V_NONE)
                ou_sb_value(&b, msg);
            else
                ou_sb_puts(&b, "Exception ignored in");
            ou_sb_puts(&b, ": ");
            if (!ou_sb_repr(&b, obj)) {
                ou_exc_clear(vm);
                ou_sb_puts(&b, "<object repr() failed>");
            }
            ou_sb_putc(&b, '\n');
        } else if (msg != V_NONE) {
            ou_sb_value(&b, msg);
            ou_sb_puts(&b, ":\n");
        }
        Value s = exc == V_NONE ? V_NULL : ou_exc_format(vm, exc, false);
        if (s != V_NULL) {
            ou_sb_str(&b, s);
            release(vm, s);
        } else {
            ou_exc_clear(vm);
        }
        Value out = ou_sb_finish(&b);
        if (out != V_NULL)
            ou_stderr_write(vm, as_str(out)->data, as_str(out)->size);
        xrelease(vm, out);
    }
    xrelease(vm, msg);
    xrelease(vm, obj);
    xrelease(vm, exc);
    return vm->exc != V_NULL ? V_NULL : V_NONE;
}

static Value sys_displayhook(VM *vm, const Value *args, int n)
{
    (void)n;
    if (args[0] == V_NONE)
        return V_NONE;
    Value s = ou_repr(vm, args[0]);
    bool ok = s != V_NULL && ou_dict_set_str(vm, vm->builtins, name_of(vm, N_DOT_LAST_VALUE), V_NONE) &&
              ou_stdout_write(vm, as_str(s)->data, as_str(s)->size) && ou_stdout_write(vm, "\n", 1) &&
              ou_dict_set_str(vm, vm->builtins, name_of(vm, N_DOT_LAST_VALUE), args[0]);
    xrelease(vm, s);
    return ok ? V_NONE : V_NULL;
}

/* For traceback: the name that a NameError, AttributeError or ImportError may have meant, or None. */
static Value sys_suggestion(VM *vm, const Value *args, int n)
{
    (void)n;
    int frames = args[1] == V_NULL ? 1 : ou_truth(vm, args[1]);
    return frames < 0 ? V_NULL : ou_is_exception(vm, args[0]) ? ou_suggest(vm, args[0], frames) : V_NONE;
}

/* ---- frames ------------------------------------------------------------------------------------------------------------------- */

static bool skip_frames(VM *vm, const Value *args, int n, FrameRef *f)
{
    int64_t depth = 0;
    if (n > 0 && !ou_index_i64(vm, args[0], &depth))
        return false;
    bool ok = ou_frame_current(vm, f);
    while (ok && depth-- > 0)
        ok = ou_frame_back(vm, f);
    if (!ok)
        ou_raise(vm, E_VALUE, "call stack is not deep enough");
    return ok;
}

static Value sys_getframe(VM *vm, const Value *args, int n)
{
    FrameRef f;
    if (!skip_frames(vm, args, n, &f))
        return V_NULL;
    return ou_frame_object(vm, &f);
}

/* {identifier: the innermost Frame} of the threads that run scripts. */
static Value sys_current_frames(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value dict = ou_dict_new(vm);
    for (const ThreadState *t = vm->threads; dict != V_NULL && t; t = t->next) {
        FrameRef f;
        if (!ou_frame_of_thread(vm, t, &f))
            continue;
        Value key = ou_int_u64(vm, t->ident), frame = V_NULL;
        if (key != V_NULL)
            frame = t == vm->thread ? ou_frame_object(vm, &f) : ou_frame_elsewhere(vm, f);
        if (frame == V_NULL || !ou_dict_set(vm, as_dict(dict), key, frame)) {
            release(vm, dict);
            dict = V_NULL;
        }
        xrelease(vm, key);
        xrelease(vm, frame);
    }
    return dict;
}

static Value sys_getframemodulename(VM *vm, const Value *args, int n)
{
    (void)n;
    FrameRef f;
    int64_t depth = 0;
    if (args[0] != V_NULL && !ou_index_i64(vm, args[0], &depth))
        return V_NULL;
    bool ok = ou_frame_current(vm, &f);
    while (ok && depth-- > 0)
        ok = ou_frame_back(vm, &f);
    if (!ok)
        return V_NONE;
    Value name = ou_dict_get_str(vm, f.fn->globals, name_of(vm, N_DU_name));
    return name == V_NULL ? V_NONE : retain(name);
}

/* ---- coroutines ------------------------------------------------------------------------------------------------------------------ */

static Value sys_get_asyncgen_hooks(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value t = ou_dict_get_c(vm, vm->sysdict, "_asyncgen_hooks");
    if (t == V_NULL)
        return ou_raise(vm, E_RUNTIME, "sys._asyncgen_hooks is gone");
    Value a = vm->thread->asyncgen_firstiter, b = vm->thread->asyncgen_finalizer;
    Value items[2] = {a == V_NULL ? V_NONE : retain(a), b == V_NULL ? V_NONE : retain(b)};
    return ou_structseq_new(vm, (Type *)v_obj(t), items);
}

static Value sys_set_asyncgen_hooks(VM *vm, const Value *args, int n)
{
    (void)n;
    static const char *const names[] = {"firstiter", "finalizer"};
    for (int i = 0; i < 2; i++) {
        if (args[i] != V_NULL && args[i] != V_NONE && !ou_type_of(vm, args[i])->slots.call)
            return ou_raise(vm, E_TYPE, "callable %s expected, got %T", names[i], args[i]);
    }
    if (args[0] != V_NULL)
        set_owned(vm, &vm->thread->asyncgen_firstiter, retain(args[0]));
    if (args[1] != V_NULL)
        set_owned(vm, &vm->thread->asyncgen_finalizer, retain(args[1]));
    return V_NONE;
}

static Value sys_get_origin_depth(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return v_smallint(vm->thread->coroutine_origin_depth);
}

static Value sys_set_origin_depth(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t depth;
    if (!ou_index_i64(vm, args[0], &depth))
        return V_NULL;
    if (depth < 0)
        return ou_raise(vm, E_VALUE, "depth must be >= 0");
    vm->thread->coroutine_origin_depth = depth > UINT32_MAX ? UINT32_MAX : (uint32_t)depth;
    return V_NONE;
}

static const NativeDef default_hooks[] = {
    {"excepthook(exctype, value, traceback, /)", sys_excepthook, "Handle an exception by displaying it with a traceback on sys.stderr.",
     0},
    {"displayhook(object, /)", sys_displayhook, "Print an object to sys.stdout and also save it in builtins._", 0},
    {"unraisablehook(unraisable, /)", sys_unraisablehook, "Handle an unraisable exception.", 0},
    {0},
};

const NativeDef ou_sys_hooks[] = {
    {"exc_info()", sys_exc_info, "Return current exception information: (type, value, traceback).", 0},
    {"exception()", sys_exception, "Return the current exception.", 0},
    {"_suggestion(exception, frames=True, /)", sys_suggestion, NULL, 0},
    {"_getframe(depth=0, /)", sys_getframe, NULL, 0},
    {"_current_frames()", sys_current_frames, NULL, 0},
    {"_getframemodulename(depth=0)", sys_getframemodulename, NULL, 0},
    {"get_asyncgen_hooks()", sys_get_asyncgen_hooks, NULL, 0},
    {"set_asyncgen_hooks(firstiter=None, finalizer=None)", sys_set_asyncgen_hooks, NULL, 0},
    {"get_coroutine_origin_tracking_depth()", sys_get_origin_depth, NULL, 0},
    {"set_coroutine_origin_tracking_depth(depth)", sys_set_origin_depth, NULL, 0},
    {0},
};

bool ou_sys_hooks_fill(VM *vm, Module *m)
{
    static const char *const saved[] = {"__excepthook__", "__displayhook__", "__unraisablehook__"};
    static const char *const names[] = {"excepthook", "displayhook", "unraisablehook"};
    if (!ou_module_add(vm, m, default_hooks))
        return false;
    for (int i = 0; i < 3; i++) {
        if (!ou_module_set(vm, m, saved[i], ou_dict_get_c(vm, m->dict, names[i])))
            return false;
    }
    return true;
}
