/* The exception types of errors.def: constructors, attributes, texts. Entry point: ou_errors_boot.
 * The one thing to know: behind struct Exc every layout is a row of Values (V_NULL: unset), so freeing, visiting and clearing
 * need only their number, which is (size of the type's struct - sizeof(Exc)) / sizeof(Value). */
#include <errno.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/errors_impl.h"
#include "runtime/objects/func.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

/* ---- storage ------------------------------------------------------------------------------------------------------- */

static Value *fields_of(VM *vm, Obj *o, int *n)
{
    Type *t = vm->types[ou_type_of(vm, v_of(o))->struct_id];
    *n = (int)((t->size - sizeof(Exc)) / sizeof(Value));
    return (Value *)((char *)o + sizeof(Exc));
}

static void exc_clear(VM *vm, Obj *o)
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

static void exc_dealloc(VM *vm, Obj *o)
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

static void exc_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
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

static bool set_args(VM *vm, Value self, const Value *args, int n)
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

static bool no_kwargs(VM *vm, Value self, Tuple *kwnames)
{
    if (!kwnames || kwnames->n == 0)
        return true;
    ou_raise(vm, E_TYPE, "%T() takes no keyword arguments", self);
    return false;
}

static void put(VM *vm, Value *place, Value v) { set_owned(vm, place, retain(v)); }

/* ---- BaseException --------------------------------------------------------------------------------------------------- */

static Value base_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)kwnames;
    return ou_exc_alloc(vm, cls, args, n);
}

static int base_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    return no_kwargs(vm, self, kwnames) && set_args(vm, self, args, n) ? 0 : -1;
}

static Value base_repr(VM *vm, Value self)
{
    Tuple *args = as_tuple(as_exc(self)->args);
    if (args->n == 1)
        return ou_str_format(vm, "%U(%R)", v_of(ou_type_of(vm, self)->name), args->items[0]);
    return ou_str_format(vm, "%U%R", v_of(ou_type_of(vm, self)->name), v_of(args));
}

static Value base_str(VM *vm, Value self)
{
    Tuple *args = as_tuple(as_exc(self)->args);
    if (args->n == 0)
        return retain(vm->empty_str);
    if (args->n == 1)
        return ou_str(vm, args->items[0]);
    return ou_repr(vm, v_of(args));
}

static Value key_str(VM *vm, Value self)
{
    Tuple *args = as_tuple(as_exc(self)->args);
    return args->n == 1 ? ou_repr(vm, args->items[0]) : base_str(vm, self);
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

static Value attr_getstate(VM *vm, const Value *args, int n)
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

/* What is an index in a C struct of CPython's. */
static bool set_int(VM *vm, Value *field, Value v)
{
    int64_t i;
    if (v == V_NULL || !ou_is_intlike(vm, v))
        return ou_raise(vm, E_TYPE, v == V_NULL ? "can't delete numeric/char attribute" : "an integer is required"), false;
    if (!ou_index_i64(vm, v, &i))
        return false;
    set_owned(vm, field, ou_int(vm, i));
    return true;
}

/* ---- plain fields ------------------------------------------------------------------------------------------------------ */

#define FIELD(layout, field)                                                                                         \
    static Value get_##layout##_##field(VM *vm, Value self)                                                           \
    {                                                                                                                 \
        (void)vm;                                                                                                     \
        Value v = ((layout *)v_obj(self))->field;                                                                     \
        return v == V_NULL ? V_NONE : retain(v);                                                                      \
    }                                                                                                                 \
    static bool set_##layout##_##field(VM *vm, Value self, Value v)                                                   \
    {                                                                                                                 \
        set_owned(vm, &((layout *)v_obj(self))->field, v == V_NULL ? V_NULL : retain(v));                             \
        return true;                                                                                                  \
    }
#define INT_FIELD(layout, field)                                                                                      \
    static Value get_##layout##_##field(VM *vm, Value self)                                                           \
    {                                                                                                                 \
        (void)vm;                                                                                                     \
        Value v = ((layout *)v_obj(self))->field;                                                                     \
        return v == V_NULL ? V_INT0 : retain(v);                                                                      \
    }                                                                                                                 \
    static bool set_##layout##_##field(VM *vm, Value self, Value v)                                                   \
    {                                                                                                                 \
        return set_int(vm, &((layout *)v_obj(self))->field, v);                                                       \
    }
#define FIELD_ROW(layout, field, name) {name, get_##layout##_##field, set_##layout##_##field, NULL}

FIELD(ExcStopIter, value)
FIELD(ExcSysExit, code)
FIELD(ExcOs, err)
FIELD(ExcOs, strerror)
FIELD(ExcOs, filename)
FIELD(ExcOs, filename2)
FIELD(ExcSyntax, msg)
FIELD(ExcSyntax, filename)
FIELD(ExcSyntax, lineno)
FIELD(ExcSyntax, offset)
FIELD(ExcSyntax, text)
FIELD(ExcSyntax, end_lineno)
FIELD(ExcSyntax, end_offset)
FIELD(ExcSyntax, print_file_and_line)
FIELD(ExcUnicode, encoding)
FIELD(ExcUnicode, object)
INT_FIELD(ExcUnicode, start)
INT_FIELD(ExcUnicode, end)
FIELD(ExcUnicode, reason)
FIELD(ExcImport, msg)
FIELD(ExcImport, name)
FIELD(ExcImport, path)
FIELD(ExcImport, name_from)
FIELD(ExcName, name)
FIELD(ExcAttr, name)
FIELD(ExcAttr, obj)

/* ---- StopIteration, SystemExit -------------------------------------------------------------------------------------------- */

static int stop_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (base_init(vm, self, args, n, kwnames) < 0)
        return -1;
    put(vm, &((ExcStopIter *)v_obj(self))->value, n > 0 ? args[0] : V_NONE);
    return 0;
}

static int exit_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (base_init(vm, self, args, n, kwnames) < 0)
        return -1;
    put(vm, &((ExcSysExit *)v_obj(self))->code, n == 0 ? V_NONE : n == 1 ? args[0] : as_exc(self)->args);
    return 0;
}

static const GetSetDef stop_getset[] = {FIELD_ROW(ExcStopIter, value, "value"), {0}};
static const GetSetDef exit_getset[] = {FIELD_ROW(ExcSysExit, code, "code"), {0}};

/* ---- keyword arguments of ImportError, NameError, AttributeError ------------------------------------------------------- */

/* Each keyword must be one of names[0..nnames), whose value goes to fields[i]; missing ones are left unset. */
static bool take_keywords(VM *vm, Value self, const Value *kwvalues, Tuple *kwnames, const char *const *names,
                          Value *const *fields, int nnames)
{
    for (int i = 0; i < nnames; i++)
        set_owned(vm, fields[i], V_NULL);
    for (uint32_t k = 0; kwnames && k < kwnames->n; k++) {
        int i = 0;
        while (i < nnames && !ou_str_eq_c(as_str(kwnames->items[k]), names[i]))
            i++;
        if (i == nnames) {
            Type *t = ou_type_of(vm, self);
            const Type *b = vm->types[t->struct_id];
            ou_raise(vm, E_TYPE, "%s() got an unexpected keyword argument '%U'",
                     b->id == E_MODULE_NOT_FOUND ? "ImportError" : b->id == E_UNBOUND_LOCAL ? "NameError" : b->def->name,
                     kwnames->items[k]);
            return false;
        }
        put(vm, fields[i], kwvalues[k]);
    }
    return true;
}

static int import_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    ExcImport *e = (ExcImport *)v_obj(self);
    Value *const fields[] = {&e->name, &e->path, &e->name_from};
    static const char *const names[] = {"name", "path", "name_from"};
    if (!set_args(vm, self, args, n) || !take_keywords(vm, self, args + n, kwnames, names, fields, 3))
        return -1;
    put(vm, &e->msg, n == 1 ? args[0] : V_NONE);
    return 0;
}

static Value import_str(VM *vm, Value self)
{
    ExcImport *e = (ExcImport *)v_obj(self);
    if (e->msg != V_NULL && is_str(e->msg))
        return retain(e->msg);
    return base_str(vm, self);
}

static int name_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value *const fields[] = {&((ExcName *)v_obj(self))->name};
    static const char *const names[] = {"name"};
    return set_args(vm, self, args, n) && take_keywords(vm, self, args + n, kwnames, names, fields, 1) ? 0 : -1;
}

static int attr_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    ExcAttr *e = (ExcAttr *)v_obj(self);
    Value *const fields[] = {&e->name, &e->obj};
    static const char *const names[] = {"name", "obj"};
    return set_args(vm, self, args, n) && take_keywords(vm, self, args + n, kwnames, names, fields, 2) ? 0 : -1;
}

static const GetSetDef import_getset[] = {
    FIELD_ROW(ExcImport, msg, "msg"), FIELD_ROW(ExcImport, name, "name"), FIELD_ROW(ExcImport, path, "path"),
    FIELD_ROW(ExcImport, name_from, "name_from"), {0}};
static const GetSetDef name_getset[] = {FIELD_ROW(ExcName, name, "name"), {0}};
static const GetSetDef attr_getset[] = {FIELD_ROW(ExcAttr, name, "name"), FIELD_ROW(ExcAttr, obj, "obj"), {0}};
static const NativeDef attr_methods[] = {{"__getstate__()", attr_getstate, NULL, 0}, {0}};

/* ---- OSError -------------------------------------------------------------------------------------------------------------- */

static const struct {
    int err;
    TypeId type;
} errno_types[] = {
    {EAGAIN, E_BLOCKING_IO}, {EALREADY, E_BLOCKING_IO}, {EINPROGRESS, E_BLOCKING_IO}, {EPIPE, E_BROKEN_PIPE},
    {ESHUTDOWN, E_BROKEN_PIPE}, {ECHILD, E_CHILD_PROCESS}, {ECONNABORTED, E_CONNECTION_ABORTED},
    {ECONNREFUSED, E_CONNECTION_REFUSED}, {ECONNRESET, E_CONNECTION_RESET}, {EEXIST, E_FILE_EXISTS},
    {ENOENT, E_FILE_NOT_FOUND}, {EISDIR, E_IS_A_DIRECTORY}, {ENOTDIR, E_NOT_A_DIRECTORY}, {EINTR, E_INTERRUPTED},
    {EACCES, E_PERMISSION}, {EPERM, E_PERMISSION}, {ESRCH, E_PROCESS_LOOKUP}, {ETIMEDOUT, E_TIMEOUT},
};

static int os_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
static Value os_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames);

/* A subclass with an __init__ of its own but without __new__ gets its fields only if that calls OSError.__init__. */
static bool os_fields_by_init(const Type *t)
{
    return t->slots.init != os_init && t->slots.make == os_make;
}

static bool os_fill(VM *vm, Value self, const Value *args, int n)
{
    ExcOs *e = (ExcOs *)v_obj(self);
    if (n >= 2 && n <= 5) {
        put(vm, &e->err, args[0]);
        put(vm, &e->strerror, args[1]);
        if (n >= 3 && args[2] != V_NONE) {
            int64_t written;
            if (ou_is_a(vm, self, E_BLOCKING_IO) && ou_is_intlike(vm, args[2]) &&
                ou_int_fits_i64(vm, args[2], &written)) {
                put(vm, &e->written, args[2]);
            } else {
                put(vm, &e->filename, args[2]);
                if (n >= 5 && args[4] != V_NONE)
                    put(vm, &e->filename2, args[4]);
                return set_args(vm, self, args, 2);
            }
        }
    }
    return set_args(vm, self, args, n);
}

static Value os_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (os_fields_by_init(cls))
        return ou_exc_alloc(vm, cls, NULL, 0);
    if (kwnames && kwnames->n)
        return ou_raise(vm, E_TYPE, "%N() takes no keyword arguments", cls);
    if (cls->id == E_OS && n >= 2 && n <= 5 && is_small(args[0])) {
        for (size_t i = 0; i < sizeof errno_types / sizeof *errno_types; i++) {
            if (errno_types[i].err == v_small(args[0])) {
                cls = ou_builtin(vm, errno_types[i].type);
                break;
            }
        }
    }
    Value self = ou_exc_alloc(vm, cls, NULL, 0);
    if (self != V_NULL && !os_fill(vm, self, args, n)) {
        release(vm, self);
        return V_NULL;
    }
    return self;
}

static int os_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (!os_fields_by_init(ou_type_of(vm, self)))
        return 0;
    return no_kwargs(vm, self, kwnames) && os_fill(vm, self, args, n) ? 0 : -1;
}

static Value os_str(VM *vm, Value self)
{
    ExcOs *e = (ExcOs *)v_obj(self);
    Value err = e->err == V_NULL ? V_NONE : e->err, text = e->strerror == V_NULL ? V_NONE : e->strerror;
    if (e->filename != V_NULL && e->filename2 != V_NULL)
        return ou_str_format(vm, "[Errno %S] %S: %R -> %R", err, text, e->filename, e->filename2);
    if (e->filename != V_NULL)
        return ou_str_format(vm, "[Errno %S] %S: %R", err, text, e->filename);
    if (e->err != V_NULL && e->strerror != V_NULL)
        return ou_str_format(vm, "[Errno %S] %S", err, text);
    return base_str(vm, self);
}

static Value os_get_written(VM *vm, Value self)
{
    Value v = ((ExcOs *)v_obj(self))->written;
    if (v == V_NULL)
        return ou_raise(vm, E_ATTRIBUTE, "characters_written");
    return retain(v);
}

static bool os_set_written(VM *vm, Value self, Value v)
{
    ExcOs *e = (ExcOs *)v_obj(self);
    if (v == V_NULL) {
        if (e->written == V_NULL)
            return ou_raise(vm, E_ATTRIBUTE, "characters_written"), false;
        set_owned(vm, &e->written, V_NULL);
        return true;
    }
    Value i = ou_index(vm, v);
    int64_t fits;
    if (i == V_NULL)
        return false;
    if (!ou_int_fits_i64(vm, i, &fits)) {
        release(vm, i);
        return ou_raise(vm, E_VALUE, "cannot fit 'int' into an index-sized integer"), false;
    }
    set_owned(vm, &e->written, i);
    return true;
}

static const GetSetDef os_getset[] = {
    FIELD_ROW(ExcOs, err, "errno"), FIELD_ROW(ExcOs, strerror, "strerror"), FIELD_ROW(ExcOs, filename, "filename"),
    FIELD_ROW(ExcOs, filename2, "filename2"), {"characters_written", os_get_written, os_set_written, NULL}, {0}};

/* ---- SyntaxError ---------------------------------------------------------------------------------------------------------- */

static int syntax_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (base_init(vm, self, args, n, kwnames) < 0)
        return -1;
    ExcSyntax *e = (ExcSyntax *)v_obj(self);
    if (n >= 1)
        put(vm, &e->msg, args[0]);
    if (n != 2)
        return 0;
    Value info = ou_tuple_from(vm, args[1]);
    if (info == V_NULL)
        return -1;
    Tuple *t = as_tuple(info);
    int r = -1;
    if (t->n < 4 || t->n > 6) {
        ou_raise(vm, E_TYPE, "function takes at %s %d arguments (%d given)", t->n < 4 ? "least" : "most", t->n < 4 ? 4 : 6,
                 (int)t->n);
    } else if (t->n == 5) {
        ou_raise(vm, E_TYPE, "end_offset must be provided when end_lineno is provided");
    } else {
        put(vm, &e->filename, t->items[0]);
        put(vm, &e->lineno, t->items[1]);
        put(vm, &e->offset, t->items[2]);
        put(vm, &e->text, t->items[3]);
        if (t->n == 6) {
            put(vm, &e->end_lineno, t->items[4]);
            put(vm, &e->end_offset, t->items[5]);
        }
        r = 0;
    }
    release(vm, info);
    return r;
}

static Value syntax_str(VM *vm, Value self)
{
    ExcSyntax *e = (ExcSyntax *)v_obj(self);
    Value msg = e->msg == V_NULL ? V_NONE : e->msg;
    bool has_name = e->filename != V_NULL && is_str(e->filename), has_line = e->lineno != V_NULL && is_int(e->lineno);
    const char *base = NULL;
    if (has_name) {
        base = strrchr(as_str(e->filename)->data, '/');
        base = base ? base + 1 : as_str(e->filename)->data;
    }
    if (has_name && has_line)
        return ou_str_format(vm, "%S (%s, line %S)", msg, base, e->lineno);
    if (has_name)
        return ou_str_format(vm, "%S (%s)", msg, base);
    if (has_line)
        return ou_str_format(vm, "%S (line %S)", msg, e->lineno);
    return ou_str(vm, msg);
}

static const GetSetDef syntax_getset[] = {
    FIELD_ROW(ExcSyntax, msg, "msg"),
    FIELD_ROW(ExcSyntax, filename, "filename"),
    FIELD_ROW(ExcSyntax, lineno, "lineno"),
    FIELD_ROW(ExcSyntax, offset, "offset"),
    FIELD_ROW(ExcSyntax, text, "text"),
    FIELD_ROW(ExcSyntax, end_lineno, "end_lineno"),
    FIELD_ROW(ExcSyntax, end_offset, "end_offset"),
    FIELD_ROW(ExcSyntax, print_file_and_line, "print_file_and_line"),
    {0},
};

/* ---- UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError --------------------------------------------------------- */

static int unicode_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (base_init(vm, self, args, n, kwnames) < 0)
        return -1;
    TypeId id = (TypeId)ou_type_of(vm, self)->struct_id;
    int first = id == E_UNICODE_TRANSLATE ? 1 : 0, want = 5 - first; /* translate: no encoding */
    if (n != want) {
        ou_raise(vm, E_TYPE, "function takes exactly %d arguments (%d given)", want, n);
        return -1;
    }
    const Value *a = args - first; /* a[0] encoding, a[1] object, a[2] start, a[3] end, a[4] reason */
    ExcUnicode *e = (ExcUnicode *)v_obj(self);
    Value object;
    if (!first && !ou_is_a(vm, a[0], T_STR)) {
        ou_raise(vm, E_TYPE, "argument 1 must be str, not %K", a[0]);
        return -1;
    }
    if (id == E_UNICODE_DECODE && !ou_is_a(vm, a[1], T_BYTES)) {
        Buffer b;
        if (!ou_buffer_get(vm, a[1], &b, false))
            return -1;
        object = ou_bytes_new(vm, b.p, (size_t)b.n);
        ou_buffer_release(vm, &b);
        if (object == V_NULL)
            return -1;
    } else if (id != E_UNICODE_DECODE && !ou_is_a(vm, a[1], T_STR)) {
        ou_raise(vm, E_TYPE, "argument %d must be str, not %K", 2 - first, a[1]);
        return -1;
    } else {
        object = retain(a[1]);
    }
    Value start = ou_index(vm, a[2]), end = start == V_NULL ? V_NULL : ou_index(vm, a[3]);
    if (end == V_NULL || !ou_is_a(vm, a[4], T_STR)) {
        if (end != V_NULL)
            ou_raise(vm, E_TYPE, "argument %d must be str, not %K", 5 - first, a[4]);
        release(vm, object);
        xrelease(vm, start);
        xrelease(vm, end);
        return -1;
    }
    if (!first)
        put(vm, &e->encoding, a[0]);
    set_owned(vm, &e->object, object);
    set_owned(vm, &e->start, start);
    set_owned(vm, &e->end, end);
    put(vm, &e->reason, a[4]);
    return 0;
}

static Value unicode_str(VM *vm, Value self)
{
    ExcUnicode *e = (ExcUnicode *)v_obj(self);
    if (e->object == V_NULL)
        return retain(vm->empty_str);
    TypeId id = (TypeId)ou_type_of(vm, self)->struct_id;
    int64_t start = 0, end = 0, len;
    bool decode = id == E_UNICODE_DECODE, translate = id == E_UNICODE_TRANSLATE;
    ou_int_fits_i64(vm, e->start, &start);
    ou_int_fits_i64(vm, e->end, &end);
    if (!ou_is_a(vm, e->object, decode ? T_BYTES : T_STR)) /* scripts may assign anything */
        return ou_raise(vm, E_TYPE, "object attribute must be %s", decode ? "bytes" : "unicode");
    len = decode ? (int64_t)as_bytes(e->object)->n : (int64_t)as_str(e->object)->length;
    Value enc = e->encoding == V_NULL ? V_NONE : e->encoding, why = e->reason == V_NULL ? V_NONE : e->reason;
    if (start >= 0 && start < len && end == start + 1) {
        if (decode)
            return ou_str_format(vm, "'%S' codec can't decode byte 0x%02x in position %ld: %S", enc,
                                 (int)as_bytes(e->object)->data[start], start, why);
        uint32_t c = ou_str_at(vm, as_str(e->object), start);
        char esc[16];
        snprintf(esc, sizeof esc, c <= 0xFF ? "\\x%02x" : c <= 0xFFFF ? "\\u%04x" : "\\U%08x", c);
        if (translate)
            return ou_str_format(vm, "can't translate character '%s' in position %ld: %S", esc, start, why);
        return ou_str_format(vm, "'%S' codec can't encode character '%s' in position %ld: %S", enc, esc, start, why);
    }
    if (translate)
        return ou_str_format(vm, "can't translate characters in position %ld-%ld: %S", start, end - 1, why);
    return ou_str_format(vm, "'%S' codec can't %s in position %ld-%ld: %S", enc,
                         decode ? "decode bytes" : "encode characters", start, end - 1, why);
}

static const GetSetDef unicode_getset[] = {
    FIELD_ROW(ExcUnicode, encoding, "encoding"), FIELD_ROW(ExcUnicode, object, "object"), FIELD_ROW(ExcUnicode, start, "start"),
    FIELD_ROW(ExcUnicode, end, "end"),           FIELD_ROW(ExcUnicode, reason, "reason"), {0}};

bool ou_exc_init_fields(VM *vm, Value exc, const Value *args, int n, Tuple *kwnames)
{
    Type *t = ou_type_of(vm, exc);
    if (t->id == E_OS || ou_is_subtype(t, ou_builtin(vm, E_OS)))
        return os_fill(vm, exc, args, n);
    const Type *b = vm->types[t->struct_id];
    return b->slots.init == base_init || b->slots.init(vm, exc, args, n, kwnames) == 0;
}

/* ---- the tables ----------------------------------------------------------------------------------------------------------------- */

#define FLAGS (TF_GC | TF_BASE | TF_DICT | TF_EXC | TF_IMMUTABLE)
#define LAYOUT(cname, type, make_fn, init_fn)                                                                         \
    .name = (cname), .size = sizeof(type), .flags = FLAGS,                                                            \
    .slots = {.make = (make_fn), .init = (init_fn), .dealloc = exc_dealloc, .traverse = exc_traverse, .clear = exc_clear}

/* Every class, with all that a class can inherit left out; those that bring something follow. */
static const TypeDef plain[] = {
#define ERROR(id, cname, parent, layout) {.name = #cname, .flags = FLAGS},
#include "runtime/objects/errors.def"
#undef ERROR
};

static const TypeDef def_base = {
    .name = "BaseException", .size = sizeof(Exc), .flags = FLAGS, .methods = base_methods, .getset = base_getset,
    .doc = "Common base class for all exceptions",
    .slots = {.make = base_make, .init = base_init, .dealloc = exc_dealloc, .traverse = exc_traverse, .clear = exc_clear,
              .repr = base_repr, .str = base_str}};
static const TypeDef def_group = {
    .name = "BaseExceptionGroup", .size = sizeof(ExcGroup), .flags = FLAGS | TF_WEAKREF, .methods = ou_exc_group_methods,
    .getset = ou_exc_group_getset, .doc = "A combination of multiple unrelated exceptions.",
    .slots = {.make = ou_exc_group_make, .init = base_init, .dealloc = exc_dealloc, .traverse = exc_traverse,
              .clear = exc_clear, .str = ou_exc_group_str}};
static const TypeDef def_stop = {LAYOUT("StopIteration", ExcStopIter, base_make, stop_init), .getset = stop_getset};
static const TypeDef def_exit = {LAYOUT("SystemExit", ExcSysExit, base_make, exit_init), .getset = exit_getset};
static const TypeDef def_name = {LAYOUT("NameError", ExcName, base_make, name_init), .getset = name_getset};
static const TypeDef def_attr = {LAYOUT("AttributeError", ExcAttr, base_make, attr_init), .getset = attr_getset,
                                 .methods = attr_methods};
static const TypeDef def_import = {
    .name = "ImportError", .size = sizeof(ExcImport), .flags = FLAGS, .getset = import_getset,
    .slots = {.make = base_make, .init = import_init, .dealloc = exc_dealloc, .traverse = exc_traverse, .clear = exc_clear,
              .str = import_str}};
static const TypeDef def_os = {
    .name = "OSError", .size = sizeof(ExcOs), .flags = FLAGS, .getset = os_getset,
    .slots = {.make = os_make, .init = os_init, .dealloc = exc_dealloc, .traverse = exc_traverse, .clear = exc_clear,
              .str = os_str}};
static const TypeDef def_syntax = {
    .name = "SyntaxError", .size = sizeof(ExcSyntax), .flags = FLAGS, .getset = syntax_getset,
    .slots = {.make = base_make, .init = syntax_init, .dealloc = exc_dealloc, .traverse = exc_traverse, .clear = exc_clear,
              .str = syntax_str}};
#define UNICODE(cname)                                                                                                \
    {.name = (cname), .size = sizeof(ExcUnicode), .flags = FLAGS, .getset = unicode_getset,                           \
     .slots = {.make = base_make, .init = unicode_init, .dealloc = exc_dealloc, .traverse = exc_traverse,             \
               .clear = exc_clear, .str = unicode_str}}
static const TypeDef def_decode = UNICODE("UnicodeDecodeError");
static const TypeDef def_encode = UNICODE("UnicodeEncodeError");
static const TypeDef def_translate = UNICODE("UnicodeTranslateError");
static const TypeDef def_key = {.name = "KeyError", .flags = FLAGS, .slots = {.str = key_str}};
static const TypeDef def_cancelled = {.name = "asyncio.exceptions.CancelledError", .flags = FLAGS};
static const TypeDef def_invalid_state = {.name = "asyncio.exceptions.InvalidStateError", .flags = FLAGS};

static const struct {
    TypeId id;
    const TypeDef *def;
} special[] = {
    {E_BASE_EXCEPTION, &def_base}, {E_BASE_EXCEPTION_GROUP, &def_group}, {E_STOP_ITERATION, &def_stop},
    {E_SYSTEM_EXIT, &def_exit}, {E_NAME, &def_name}, {E_ATTRIBUTE, &def_attr}, {E_IMPORT, &def_import}, {E_OS, &def_os},
    {E_SYNTAX, &def_syntax}, {E_UNICODE_DECODE, &def_decode}, {E_UNICODE_ENCODE, &def_encode},
    {E_UNICODE_TRANSLATE, &def_translate}, {E_KEY, &def_key}, {E_CANCELLED, &def_cancelled},
    {E_INVALID_STATE, &def_invalid_state},
};

#define E_OBJECT T_OBJECT
static const uint16_t parents[] = {
#define ERROR(id, cname, parent, layout) E_##parent,
#include "runtime/objects/errors.def"
#undef ERROR
};

bool ou_errors_boot(VM *vm)
{
    for (int id = T_ERROR_FIRST; id < T_COUNT; id++) {
        const TypeDef *def = &plain[id - T_ERROR_FIRST];
        for (size_t i = 0; i < sizeof special / sizeof *special; i++) {
            if ((int)special[i].id == id)
                def = special[i].def;
        }
        if (!ou_type_boot(vm, (TypeId)id, def, vm->types[parents[id - T_ERROR_FIRST]]))
            return false;
    }
    Value bases[2] = {v_of(vm->types[E_BASE_EXCEPTION_GROUP]), v_of(vm->types[E_EXCEPTION])};
    Value tuple = ou_tuple_of(vm, bases, 2);
    bool ok = tuple != V_NULL && ou_type_set_bases(vm, vm->types[E_EXCEPTION_GROUP], tuple);
    xrelease(vm, tuple);
    if (!ok)
        return false;
    vm->memory_error = ou_exc_alloc(vm, ou_builtin(vm, E_MEMORY), NULL, 0);
    return vm->memory_error != V_NULL;
}
