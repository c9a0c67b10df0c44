/* Raising, matching and restoring exceptions: the C side of errors.h. The types, their constructors and attributes are in
 * errors_types.c, errors_base.c and errors_fields.c, groups and except* in errors_group.c, tracebacks in traceback.c.
 * The one thing to know: vm->exc owns the pending exception, and whoever raises sets its __context__ from vm->handled. */
#include "runtime/objects/errors.h"

#include <errno.h>
#include <stdarg.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/errors_impl.h"
#include "runtime/objects/func.h"
#include "runtime/objects/import.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

bool ou_is_exception(VM *vm, Value v)
{
    return is_obj(v) && (ou_type_of(vm, v)->flags & TF_EXC) != 0;
}

bool ou_is_exception_class(VM *vm, Value v)
{
    return ou_is_a(vm, v, T_TYPE) && (((Type *)v_obj(v))->flags & TF_EXC) != 0;
}

/* ---- the pending exception ---------------------------------------------------------------------------------------- */

void ou_exc_restore(VM *vm, Value exc)
{
    Value old = vm->exc;
    vm->exc = exc;
    xrelease(vm, old);
}

void ou_exc_clear(VM *vm)
{
    Value old = vm->exc;
    vm->exc = V_NULL;
    xrelease(vm, old);
}

Value ou_exc_take(VM *vm)
{
    Value e = vm->exc;
    vm->exc = V_NULL;
    return e;
}

bool ou_exc_matches(VM *vm, TypeId err)
{
    return vm->exc != V_NULL && ou_is_subtype(ou_type_of(vm, vm->exc), ou_builtin(vm, err));
}

/* Makes `context` the __context__ of exc. The chain of contexts must stay free of cycles: if exc is already somewhere in the
 * chain of `context`, the chain is cut in front of it. The chain may have been made cyclic by a script, hence the slow runner. */
void ou_exc_set_context(VM *vm, Value exc, Value context)
{
    if (context == V_NONE || context == V_NULL || context == exc)
        return;
    Value o = context, slow = context;
    bool advance = false;
    for (uint64_t n = 0;; n++) {
        if (n % 16 == 15)
            ou_charge_later(vm, 1);
        Value next = as_exc(o)->context;
        if (next == V_NONE || next == V_NULL)
            break;
        if (next == exc) {
            set_owned(vm, &as_exc(o)->context, V_NONE);
            break;
        }
        o = next;
        if (o == slow)
            break;
        if (advance)
            slow = as_exc(slow)->context;
        advance = !advance;
    }
    set_owned(vm, &as_exc(exc)->context, retain(context));
}

/* A generator that handles nothing itself is run inside of what its drivers handle. */
Value ou_exc_handled(VM *vm)
{
    Value v = vm->handled;
    for (const Gen *g = vm->root; v == V_NONE && g; g = g->inner)
        v = g->handled;
    return v;
}

Value ou_raise_value(VM *vm, Value exc)
{
    retain(exc);
    Value handled = ou_exc_handled(vm);
    if (is_obj(handled) && handled != V_NULL && handled != exc)
        ou_exc_set_context(vm, exc, handled);
    ou_exc_restore(vm, exc);
    return V_NULL;
}

static Value raise_owned(VM *vm, Value exc)
{
    if (exc != V_NULL && vm->thread->starved) { /* it may be about nothing but that */
        release(vm, exc);
        return ou_raise_memory(vm);
    }
    if (exc != V_NULL) {
        ou_raise_value(vm, exc);
        release(vm, exc);
    }
    return V_NULL;
}

/* ---- raising ---------------------------------------------------------------------------------------------------------- */

Value ou_exc_new(VM *vm, Type *cls, const Value *args, int n)
{
    return ou_call(vm, v_of(cls), args, n, NULL);
}

/* An instance of a built-in class with the one argument msg, without going through the constructor. */
static Value make_simple(VM *vm, TypeId err, const Value *args, int n)
{
    Value e = ou_exc_alloc(vm, ou_builtin(vm, err), args, n);
    if (e != V_NULL && !ou_exc_init_fields(vm, e, args, n, NULL)) {
        release(vm, e);
        return V_NULL;
    }
    return e;
}

Value ou_raise_args(VM *vm, TypeId err, const Value *args, int n)
{
    return raise_owned(vm, make_simple(vm, err, args, n));
}

Value ou_raise(VM *vm, TypeId err, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    Value msg = ou_str_vformat(vm, fmt, ap);
    va_end(ap);
    if (msg == V_NULL)
        return V_NULL;
    Value r = ou_raise_args(vm, err, &msg, 1);
    release(vm, msg);
    return r;
}

Value ou_raise_key(VM *vm, Value key)
{
    return ou_raise_args(vm, E_KEY, &key, 1);
}

Value ou_raise_stop(VM *vm, Value value)
{
    if (value == V_NONE)
        return ou_raise_args(vm, E_STOP_ITERATION, NULL, 0);
    return ou_raise_args(vm, E_STOP_ITERATION, &value, 1);
}

static bool is_slot(VM *vm, Value obj, Str *name)
{
    Value found = ou_type_lookup(vm, ou_type_of(vm, obj), name);
    return found != V_NULL && is_exact(found, T_MEMBER);
}

/* How messages about a slot that has no value name the class: with its module, unless that is the program. Owned. */
static Value full_name(VM *vm, Type *t)
{
    Value module = ou_type_module_name(vm, t), r;
    ou_exc_clear(vm);
    if (module != V_NULL && is_str(module) && !ou_str_eq_c(as_str(module), "builtins") && !ou_str_eq_c(as_str(module), "__main__"))
        r = ou_str_format(vm, "%U.%U", module, v_of(t->qualname));
    else
        r = retain(v_of(t->qualname));
    xrelease(vm, module);
    return r;
}

Value ou_raise_attr(VM *vm, Value obj, Str *name)
{
    Value msg;
    ModuleSpec *spec;
    if (ou_is_a(vm, obj, T_TYPE))
        msg = ou_str_format(vm, "type object '%N' has no attribute '%U'", v_obj(obj), v_of(name));
    else if (is_exact(obj, T_MODULE) && (spec = ou_module_spec(vm, ((Module *)v_obj(obj))->dict)) && spec->initializing)
        msg = ou_str_format(vm, spec->has_location ? "partially initialized module '%S' from '%S' has no attribute '%U' (most likely due to a circular import)"
                                                   : "partially initialized module '%S' (%S) has no attribute '%U' (most likely due to a circular import)",
                            spec->name, spec->origin, v_of(name));
    else if (is_exact(obj, T_MODULE) && ((Module *)v_obj(obj))->name)
        msg = ou_str_format(vm, "module '%U' has no attribute '%U'", v_of(((Module *)v_obj(obj))->name), v_of(name));
    else if (is_slot(vm, obj, name)) {
        Value cls = full_name(vm, ou_type_of(vm, obj));
        msg = cls == V_NULL ? V_NULL : ou_str_format(vm, "'%U' object has no attribute '%U'", cls, v_of(name));
        xrelease(vm, cls);
    } else
        msg = ou_str_format(vm, "'%T' object has no attribute '%U'", obj, v_of(name));
    if (msg == V_NULL)
        return V_NULL;
    Value e = make_simple(vm, E_ATTRIBUTE, &msg, 1);
    release(vm, msg);
    if (e == V_NULL)
        return V_NULL;
    ExcAttr *a = (ExcAttr *)v_obj(e);
    a->name = retain(v_of(name));
    a->obj = retain(obj);
    return raise_owned(vm, e);
}

/* A path object is shown as the path that it stands for. Owned; V_NULL if filename is none, nothing raised. */
static Value shown_filename(VM *vm, Value filename)
{
    if (!is_obj(filename) || is_str(filename))
        return V_NULL;
    Str *name = ou_intern_c(vm, "__fspath__");
    bool is_path = name && ou_type_lookup(vm, ou_type_of(vm, filename), name) != V_NULL;
    if (name)
        obj_release(vm, name);
    Value path = is_path ? ou_call_method_c(vm, filename, "__fspath__", NULL, 0) : V_NULL;
    if (path == V_NULL && vm->exc != V_NULL)
        ou_exc_clear(vm);
    return path;
}

Value ou_raise_errno(VM *vm, int err, Value filename)
{
    Value args[3], text = ou_str_decode(vm, strerror(err), strlen(strerror(err)), "utf-8", "surrogateescape");
    if (text == V_NULL)
        return V_NULL;
    args[0] = v_smallint(err);
    args[1] = text;
    Value path = filename == V_NULL ? V_NULL : shown_filename(vm, filename);
    args[2] = path == V_NULL ? filename : path;
    Value e = ou_exc_new(vm, ou_builtin(vm, E_OS), args, filename == V_NULL ? 2 : 3);
    release(vm, text);
    xrelease(vm, path);
    return raise_owned(vm, e);
}

/* The object exists since boot, so that raising needs no memory. Its traceback and context of an earlier use go. */
Value ou_raise_memory(VM *vm)
{
    Value e = vm->memory_error;
    vm->thread->starved = false;
    if (e == V_NULL)
        return V_NULL; /* boot itself ran out of memory: its caller gives up anyway */
    if (v_obj(e)->refs == 1) {
        set_owned(vm, &as_exc(e)->traceback, V_NONE);
        set_owned(vm, &as_exc(e)->context, V_NONE);
        set_owned(vm, &as_exc(e)->cause, V_NONE);
        as_exc(e)->suppress_context = false;
    }
    retain(e);
    ou_exc_restore(vm, e);
    return V_NULL;
}

Value ou_raise_recursion(VM *vm, const char *where)
{
    return ou_raise(vm, E_RECURSION, "maximum recursion depth exceeded%s", where ? where : "");
}

Value ou_exc_normalize(VM *vm, Value v)
{
    if (ou_is_exception(vm, v))
        return retain(v);
    if (!ou_is_exception_class(vm, v))
        return ou_raise(vm, E_TYPE, "exceptions must derive from BaseException");
    Value e = ou_call0(vm, v);
    if (e != V_NULL && !ou_is_exception(vm, e)) {
        ou_raise(vm, E_TYPE, "calling %R should have returned an instance of BaseException, not %R", v,
                 v_of(ou_type_of(vm, e)));
        release(vm, e);
        return V_NULL;
    }
    return e;
}

bool ou_exc_add_traceback(VM *vm, Value exc, Value func, uint32_t pc)
{
    Traceback *tb = ou_new(vm, ou_builtin(vm, T_TRACEBACK), 0);
    if (!tb)
        return false;
    Exc *e = as_exc(exc);
    tb->next = e->traceback == V_NULL ? V_NONE : e->traceback;
    tb->func = retain(func);
    tb->frame = V_NULL;
    tb->pc = pc;
    tb->lineno = ou_code_line(as_function(func)->code, pc);
    e->traceback = v_of(tb);
    return true;
}

/* ---- matching ----------------------------------------------------------------------------------------------------------- */

static int match_one(VM *vm, Value exc, Value cls)
{
    if (!ou_is_exception_class(vm, cls)) {
        ou_raise(vm, E_TYPE, "catching classes that do not inherit from BaseException is not allowed");
        return -1;
    }
    return ou_is_subtype(ou_type_of(vm, exc), (Type *)v_obj(cls));
}

static int check_all_classes(VM *vm, Value cls)
{
    if (!ou_is_a(vm, cls, T_TUPLE))
        return 1;
    Tuple *t = as_tuple(cls);
    for (uint32_t i = 0; i < t->n; i++) {
        if (!ou_is_exception_class(vm, t->items[i])) {
            ou_raise(vm, E_TYPE, "catching classes that do not inherit from BaseException is not allowed");
            return -1;
        }
    }
    return 1;
}

int ou_exc_match(VM *vm, Value exc, Value cls)
{
    if (!ou_is_a(vm, cls, T_TUPLE))
        return match_one(vm, exc, cls);
    if (check_all_classes(vm, cls) < 0)
        return -1;
    Tuple *t = as_tuple(cls);
    for (uint32_t i = 0; i < t->n; i++) {
        if (ou_is_subtype(ou_type_of(vm, exc), (Type *)v_obj(t->items[i])))
            return 1;
    }
    return 0;
}

/* ---- warnings and what cannot propagate ------------------------------------------------------------------------------- */

static bool warn(VM *vm, TypeId category, int stacklevel, Value source, const char *fmt, va_list ap)
{
    Value msg = ou_str_vformat(vm, fmt, ap);
    if (msg == V_NULL)
        return false;
    Value fn = ou_import_attr(vm, "_warnings", "warn"), r = V_NULL;
    if (fn != V_NULL) {
        Value args[4] = {msg, v_of(ou_builtin(vm, category)), v_smallint(stacklevel), source};
        r = ou_call(vm, fn, args, 4, NULL);
        release(vm, fn);
    }
    release(vm, msg);
    if (r == V_NULL)
        return false;
    release(vm, r);
    return true;
}

bool ou_warn(VM *vm, TypeId category, int stacklevel, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = warn(vm, category, stacklevel, V_NONE, fmt, ap);
    va_end(ap);
    return ok;
}

bool ou_warn_source(VM *vm, TypeId category, Value source, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    bool ok = warn(vm, category, 1, source, fmt, ap);
    va_end(ap);
    return ok;
}

/* Calls sys.unraisablehook(args) with what sys.UnraisableHookArgs makes of the exception. Whatever fails in here is dropped:
 * there is nobody left to tell. */
void ou_unraisable(VM *vm, const char *where, Value obj)
{
    FrameRef f;
    if (vm->exc != V_NULL && as_exc(vm->exc)->traceback == V_NONE && ou_frame_current(vm, &f))
        ou_exc_add_traceback(vm, vm->exc, v_of(f.fn), f.pc); /* raised by C code: the frame that it works for */
    Value exc = ou_exc_take(vm);
    if (exc == V_NULL)
        return;
    Value hook = vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, "unraisablehook") : V_NULL;
    Value cls = vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, "UnraisableHookArgs") : V_NULL;
    if (hook != V_NULL && hook != V_NONE && cls != V_NULL) {
        retain(hook);
        Value msg = where ? ou_str_c(vm, where) : V_NONE;
        Value fields[5] = {retain(v_of(ou_type_of(vm, exc))), retain(exc), retain(as_exc(exc)->traceback),
                           msg == V_NULL ? V_NONE : msg, obj == V_NULL ? V_NONE : retain(obj)};
        Value args = ou_structseq_new(vm, (Type *)v_obj(cls), fields);
        if (args != V_NULL) {
            Value r = ou_call1(vm, hook, args);
            xrelease(vm, r);
            release(vm, args);
        }
        release(vm, hook);
    }
    ou_exc_clear(vm);
    release(vm, exc);
}
