/* BaseException: storage, args, __context__ and its kin, notes, pickling.
 * Entry points: ou_exc_alloc, ou_exc_def_base. The one thing to know: these slots serve every exception class; they know the fields of a
 * layout by their number only. */
#include "runtime/objects/errors_types_impl.h"

#include "runtime/objects/containers.h"
#include "runtime/objects/func.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

/* ---- storage ------------------------------------------------------------------------------------------------------- */

static Value *fields_of(VM *vm, Obj *o, int *n)
{
    Type *t = vm->types[ou_type_of(vm, v_of(o))->struct_id];
    *n = (int)((t->size - sizeof(Exc)) / sizeof(Value));
    return (Value *)((char *)o + sizeof(Exc));
}

void ou_exc_base_clear(VM *vm, Obj *o)
{
    Exc *e = (Exc *)o;
    set_owned(vm, &e->args, retain(vm->empty_tuple));
    set_owned(vm, &e->traceback, V_NONE);
    set_owned(vm, &e->context, V_NONE);
    set_owned(vm, &e->cause, V_NONE);
    int n;
    Value *f = fields_of(vm, o, &n);
    for (int i = 0; i < n; i++)
        set_owned(vm, &f[i], V_NULL);
}

void ou_exc_base_dealloc(VM *vm, Obj *o)
{
    Exc *e = (Exc *)o;
    int n;
    Value *f = fields_of(vm, o, &n);
    for (int i = 0; i < n; i++)
        xrelease(vm, f[i]);
    xrelease(vm, e->args);
    xrelease(vm, e->traceback);
    xrelease(vm, e->cause);
    xrelease(vm, e->context);
    ou_finish_dealloc(vm, o, 0);
}

void ou_exc_base_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Exc *e = (Exc *)o;
    ou_visit(vm, e->args, visit, arg);
    ou_visit(vm, e->traceback, visit, arg);
    ou_visit(vm, e->context, visit, arg);
    ou_visit(vm, e->cause, visit, arg);
    int n;
    Value *f = fields_of(vm, o, &n);
    for (int i = 0; i < n; i++)
        ou_visit(vm, f[i], visit, arg);
}

Value ou_exc_alloc(VM *vm, Type *cls, const Value *args, int n)
{
    Value tuple = n == 0 ? retain(vm->empty_tuple) : ou_tuple_of(vm, args, (size_t)n);
    if (tuple == V_NULL)
        return V_NULL;
    Exc *e = ou_new(vm, cls, 0);
    if (!e) {
        release(vm, tuple);
        return V_NULL;
    }
    e->args = tuple;
    e->traceback = e->context = e->cause = V_NONE;
    return v_of(e);
}

bool ou_exc_set_args(VM *vm, Value self, const Value *args, int n)
{
    Tuple *old = as_tuple(as_exc(self)->args);
    bool same = (int)old->n == n;
    for (int i = 0; same && i < n; i++)
        same = old->items[i] == args[i];
    if (same)
        return true; /* __new__ has just stored them */
    Value tuple = n == 0 ? retain(vm->empty_tuple) : ou_tuple_of(vm, args, (size_t)n);
    if (tuple == V_NULL)
        return false;
    set_owned(vm, &as_exc(self)->args, tuple);
    return true;
}

bool ou_exc_no_kwargs(VM *vm, Value self, Tuple *kwnames)
{
    if (!kwnames || kwnames->n == 0)
        return true;
    ou_raise(vm, E_TYPE, "%T() takes no keyword arguments", self);
    return false;
}

/* ---- BaseException --------------------------------------------------------------------------------------------------- */

Value ou_exc_base_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)kwnames;
    return ou_exc_alloc(vm, cls, args, n);
}

int ou_exc_base_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    return ou_exc_no_kwargs(vm, self, kwnames) && ou_exc_set_args(vm, self, args, n) ? 0 : -1;
}

static Value base_repr(VM *vm, Value self)
{
    Tuple *args = as_tuple(as_exc(self)->args);
    if (args->n == 1)
        return ou_str_format(vm, "%U(%R)", v_of(ou_type_of(vm, self)->name), args->items[0]);
    return ou_str_format(vm, "%U%R", v_of(ou_type_of(vm, self)->name), v_of(args));
}

Value ou_exc_base_str(VM *vm, Value self)
{
    Tuple *args = as_tuple(as_exc(self)->args);
    if (args->n == 0)
        return retain(vm->empty_str);
    if (args->n == 1)
        return ou_str(vm, args->items[0]);
    return ou_repr(vm, v_of(args));
}

static Value base_get_args(VM *vm, Value self)
{
    (void)vm;
    return retain(as_exc(self)->args);
}

static bool base_set_args(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_TYPE, "args may not be deleted"), false;
    Value t = ou_tuple_from(vm, v);
    if (t == V_NULL)
        return false;
    set_owned(vm, &as_exc(self)->args, t);
    return true;
}

static Value base_get_traceback(VM *vm, Value self)
{
    (void)vm;
    return retain(as_exc(self)->traceback);
}

static bool base_set_traceback(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_TYPE, "__traceback__ may not be deleted"), false;
    if (v != V_NONE && !is_exact(v, T_TRACEBACK))
        return ou_raise(vm, E_TYPE, "__traceback__ must be a traceback or None"), false;
    put(vm, &as_exc(self)->traceback, v);
    return true;
}

static Value base_get_context(VM *vm, Value self)
{
    (void)vm;
    return retain(as_exc(self)->context);
}

static bool base_set_context(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_TYPE, "__context__ may not be deleted"), false;
    if (v != V_NONE && !ou_is_exception(vm, v))
        return ou_raise(vm, E_TYPE, "exception context must be None or derive from BaseException"), false;
    put(vm, &as_exc(self)->context, v);
    return true;
}

static Value base_get_cause(VM *vm, Value self)
{
    (void)vm;
    return retain(as_exc(self)->cause);
}

static bool base_set_cause(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_TYPE, "__cause__ may not be deleted"), false;
    if (v != V_NONE && !ou_is_exception(vm, v))
        return ou_raise(vm, E_TYPE, "exception cause must be None or derive from BaseException"), false;
    put(vm, &as_exc(self)->cause, v);
    as_exc(self)->suppress_context = true;
    return true;
}

static Value base_get_suppress(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_exc(self)->suppress_context);
}

static bool base_set_suppress(VM *vm, Value self, Value v)
{
    if (v == V_NULL)
        return ou_raise(vm, E_TYPE, "can't delete numeric/char attribute"), false;
    if (!is_bool(v))
        return ou_raise(vm, E_TYPE, "attribute value type must be bool"), false;
    as_exc(self)->suppress_context = v == V_TRUE;
    return true;
}

static Value base_with_traceback(VM *vm, const Value *args, int n)
{
    (void)n;
    return base_set_traceback(vm, args[0], args[1]) ? retain(args[0]) : V_NULL;
}

static Value base_add_note(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "note must be a str, not '%T'", args[1]);
    bool missing = false;
    Value notes = ou_getattr_opt(vm, args[0], name_of(vm, N_DU_notes), &missing);
    if (notes == V_NULL) {
        if (!missing)
            return V_NULL;
        notes = ou_list_new(vm, 1);
        if (notes == V_NULL || !ou_setattr(vm, args[0], name_of(vm, N_DU_notes), notes)) {
            xrelease(vm, notes);
            return V_NULL;
        }
    }
    bool ok;
    if (ou_is_a(vm, notes, T_LIST))
        ok = ou_list_append(vm, as_list(notes), args[1]);
    else
        ok = (ou_raise(vm, E_TYPE, "Cannot add note: __notes__ is not a list"), false);
    release(vm, notes);
    return ok ? V_NONE : V_NULL;
}

/* (type, args) or (type, args, state); state is the instance's __dict__ and, for ImportError and AttributeError, the fields
 * that keyword arguments set. */
static Value state_of(VM *vm, Value self)
{
    Dict *d = NULL;
    Type *t = ou_type_of(vm, self);
    Obj *o = v_obj(self);
    bool has = t->tail && (vm->shapes[o->shape]->nkeys > t->nslots || vm->shapes[o->shape]->dict_mode);
    if (has && !(d = ou_instance_dict(vm, o)))
        return V_NULL;
    Value extra = V_NULL;
    TypeId sid = (TypeId)t->struct_id;
    bool import = sid == E_IMPORT || sid == E_MODULE_NOT_FOUND, attr = sid == E_ATTRIBUTE;
    if (import || attr) {
        extra = d ? ou_dict_copy(vm, d) : ou_dict_new(vm);
        if (extra == V_NULL)
            return V_NULL;
        Dict *x = as_dict(extra);
        bool ok = true;
        if (import) {
            ExcImport *e = (ExcImport *)o;
            ok = (e->name == V_NULL || ou_dict_set_c(vm, x, "name", e->name)) &&
                 (e->path == V_NULL || ou_dict_set_c(vm, x, "path", e->path)) &&
                 (e->name_from == V_NULL || ou_dict_set_c(vm, x, "name_from", e->name_from));
        } else {
            ExcAttr *e = (ExcAttr *)o;
            ok = (e->name == V_NULL || ou_dict_set_c(vm, x, "name", e->name)) &&
                 ou_dict_set_c(vm, x, "args", e->e.args);
        }
        if (!ok) {
            release(vm, extra);
            return V_NULL;
        }
        if (x->n == 0) {
            release(vm, extra);
            return V_NONE;
        }
        return extra;
    }
    return d && d->n ? retain(v_of(d)) : V_NONE;
}

static Value os_reduce_args(VM *vm, Value self)
{
    ExcOs *e = (ExcOs *)v_obj(self);
    Tuple *args = as_tuple(e->e.args);
    if (args->n != 2 || e->filename == V_NULL || e->filename == V_NONE)
        return retain(e->e.args);
    Value items[5] = {args->items[0], args->items[1], e->filename, V_NONE, e->filename2};
    return ou_tuple_of(vm, items, e->filename2 == V_NULL ? 3 : 5);
}

static Value base_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Value self = args[0];
    Value state = state_of(vm, self);
    if (state == V_NULL)
        return V_NULL;
    bool is_os = ou_is_a(vm, self, E_OS);
    Value items[3] = {retain(v_of(ou_type_of(vm, self))), is_os ? os_reduce_args(vm, self) : retain(as_exc(self)->args), state};
    if (items[1] == V_NULL) {
        release(vm, items[0]);
        release(vm, state);
        return V_NULL;
    }
    return ou_tuple_take(vm, items, state == V_NONE ? 2 : 3);
}

Value ou_exc_attr_getstate(VM *vm, const Value *args, int n)
{
    (void)n;
    return state_of(vm, args[0]);
}

static Value base_setstate(VM *vm, const Value *args, int n)
{
    (void)n;
    if (args[1] == V_NONE)
        return V_NONE;
    if (!ou_is_a(vm, args[1], T_DICT))
        return ou_raise(vm, E_TYPE, "state is not a dictionary");
    Value copy = ou_dict_copy(vm, as_dict(args[1]));
    if (copy == V_NULL)
        return V_NULL;
    uint32_t pos = 0;
    Value key, v, result = V_NONE;
    while (ou_dict_next(as_dict(copy), &pos, &key, &v)) {
        Str *name = ou_is_a(vm, key, T_STR) ? ou_intern_str(vm, as_str(key)) : NULL;
        if (!name && vm->exc == V_NULL)
            ou_raise(vm, E_TYPE, "attribute name must be string, not '%T'", key);
        bool ok = name && ou_setattr(vm, args[0], name, v);
        if (name)
            obj_release(vm, name);
        if (!ok) {
            result = V_NULL;
            break;
        }
    }
    release(vm, copy);
    return result;
}

static const NativeDef base_methods[] = {
    {"with_traceback(object, /)", base_with_traceback, "Set self.__traceback__ to tb and return self.", 0},
    {"add_note(object, /)", base_add_note, "Add a note to the exception", 0},
    {"__reduce__()", base_reduce, NULL, 0},
    {"__setstate__(object, /)", base_setstate, NULL, 0},
    {0},
};
static const GetSetDef base_getset[] = {
    {"args", base_get_args, base_set_args, NULL},
    {"__traceback__", base_get_traceback, base_set_traceback, NULL},
    {"__context__", base_get_context, base_set_context, NULL},
    {"__cause__", base_get_cause, base_set_cause, NULL},
    {"__suppress_context__", base_get_suppress, base_set_suppress, NULL},
    {0},
};

const TypeDef ou_exc_def_base = {
    .name = "BaseException", .size = sizeof(Exc), .flags = EXC_FLAGS, .methods = base_methods, .getset = base_getset,
    .doc = "Common base class for all exceptions",
    .slots = {.make = ou_exc_base_make, .init = ou_exc_base_init, EXC_STORAGE, .repr = base_repr, .str = ou_exc_base_str}};
