/* The exception types of errors.def: the table of all, and the small layouts (StopIteration, SystemExit, ImportError, NameError,
 * AttributeError). BaseException is in errors_base.c, those with many fields are in errors_fields.c.
 * Entry point: ou_errors_boot. The one thing to know: a class inherits the slots of its base, so only a class that brings something of
 * its own has a TypeDef with more than a name. */
#include "runtime/objects/errors_types_impl.h"

#include "runtime/objects/containers.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

FIELD(ExcStopIter, value)
FIELD(ExcSysExit, code)

FIELD(ExcImport, msg)
FIELD(ExcImport, name)
FIELD(ExcImport, path)
FIELD(ExcImport, name_from)
FIELD(ExcName, name)
FIELD(ExcAttr, name)
FIELD(ExcAttr, obj)

static Value key_str(VM *vm, Value self)
{
    Tuple *args = as_tuple(as_exc(self)->args);
    return args->n == 1 ? ou_repr(vm, args->items[0]) : ou_exc_base_str(vm, self);
}

/* ---- StopIteration, SystemExit -------------------------------------------------------------------------------------------- */

static int stop_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (ou_exc_base_init(vm, self, args, n, kwnames) < 0)
        return -1;
    put(vm, &((ExcStopIter *)v_obj(self))->value, n > 0 ? args[0] : V_NONE);
    return 0;
}

static int exit_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (ou_exc_base_init(vm, self, args, n, kwnames) < 0)
        return -1;
    put(vm, &((ExcSysExit *)v_obj(self))->code, n == 0 ? V_NONE : n == 1 ? args[0] : as_exc(self)->args);
    return 0;
}

static const GetSetDef stop_getset[] = {FIELD_ROW(ExcStopIter, value, "value"), {0}};
static const GetSetDef exit_getset[] = {FIELD_ROW(ExcSysExit, code, "code"), {0}};

/* ---- keyword arguments of ImportError, NameError, AttributeError ------------------------------------------------------- */

enum { KEYWORDS_MAX = 3 };

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
            const char *who = b->id == E_MODULE_NOT_FOUND ? "ImportError" : b->id == E_UNBOUND_LOCAL ? "NameError" : b->def->name;
            Value known[KEYWORDS_MAX] = {V_NULL};
            int nknown = 0;
            while (nknown < nnames && (known[nknown] = ou_str_c(vm, names[nknown])) != V_NULL)
                nknown++;
            if (nknown == nnames)
                ou_unexpected_keyword(vm, who, (int)strlen(who), kwnames->items[k], known, (size_t)nnames);
            while (nknown > 0)
                release(vm, known[--nknown]);
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
    if (!ou_exc_set_args(vm, self, args, n) || !take_keywords(vm, self, args + n, kwnames, names, fields, 3))
        return -1;
    put(vm, &e->msg, n == 1 ? args[0] : V_NONE);
    return 0;
}

static Value import_str(VM *vm, Value self)
{
    ExcImport *e = (ExcImport *)v_obj(self);
    if (e->msg != V_NULL && is_str(e->msg))
        return retain(e->msg);
    return ou_exc_base_str(vm, self);
}

static int name_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value *const fields[] = {&((ExcName *)v_obj(self))->name};
    static const char *const names[] = {"name"};
    return ou_exc_set_args(vm, self, args, n) && take_keywords(vm, self, args + n, kwnames, names, fields, 1) ? 0 : -1;
}

static int attr_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    ExcAttr *e = (ExcAttr *)v_obj(self);
    Value *const fields[] = {&e->name, &e->obj};
    static const char *const names[] = {"name", "obj"};
    return ou_exc_set_args(vm, self, args, n) && take_keywords(vm, self, args + n, kwnames, names, fields, 2) ? 0 : -1;
}

static const GetSetDef import_getset[] = {
    FIELD_ROW(ExcImport, msg, "msg"), FIELD_ROW(ExcImport, name, "name"), FIELD_ROW(ExcImport, path, "path"),
    FIELD_ROW(ExcImport, name_from, "name_from"), {0}};
static const GetSetDef name_getset[] = {FIELD_ROW(ExcName, name, "name"), {0}};
static const GetSetDef attr_getset[] = {FIELD_ROW(ExcAttr, name, "name"), FIELD_ROW(ExcAttr, obj, "obj"), {0}};
static const NativeDef attr_methods[] = {{"__getstate__()", ou_exc_attr_getstate, NULL, 0}, {0}};

/* ---- the tables ----------------------------------------------------------------------------------------------------------------- */

/* Every class, with all that a class can inherit left out; those that bring something follow. */
static const TypeDef plain[] = {
#define ERROR(id, cname, parent, layout) {.name = #cname, .flags = EXC_FLAGS},
#include "runtime/objects/errors.def"
#undef ERROR
};

static const TypeDef def_group = {
    .name = "BaseExceptionGroup", .size = sizeof(ExcGroup), .flags = EXC_FLAGS | TF_WEAKREF, .methods = ou_exc_group_methods,
    .getset = ou_exc_group_getset, .doc = "A combination of multiple unrelated exceptions.",
    .slots = {.make = ou_exc_group_make, .init = ou_exc_base_init, EXC_STORAGE, .str = ou_exc_group_str}};
static const TypeDef def_stop = {EXC_LAYOUT("StopIteration", ExcStopIter, ou_exc_base_make, stop_init), .getset = stop_getset};
static const TypeDef def_exit = {EXC_LAYOUT("SystemExit", ExcSysExit, ou_exc_base_make, exit_init), .getset = exit_getset};
static const TypeDef def_name = {EXC_LAYOUT("NameError", ExcName, ou_exc_base_make, name_init), .getset = name_getset};
static const TypeDef def_attr = {EXC_LAYOUT("AttributeError", ExcAttr, ou_exc_base_make, attr_init), .getset = attr_getset,
                                 .methods = attr_methods};
static const TypeDef def_import = {
    .name = "ImportError", .size = sizeof(ExcImport), .flags = EXC_FLAGS, .getset = import_getset,
    .slots = {.make = ou_exc_base_make, .init = import_init, EXC_STORAGE, .str = import_str}};

static const TypeDef def_key = {.name = "KeyError", .flags = EXC_FLAGS, .slots = {.str = key_str}};
static const TypeDef def_cancelled = {.name = "asyncio.exceptions.CancelledError", .flags = EXC_FLAGS};
static const TypeDef def_invalid_state = {.name = "asyncio.exceptions.InvalidStateError", .flags = EXC_FLAGS};

static const struct {
    TypeId id;
    const TypeDef *def;
} special[] = {
    {E_BASE_EXCEPTION, &ou_exc_def_base}, {E_BASE_EXCEPTION_GROUP, &def_group}, {E_STOP_ITERATION, &def_stop},
    {E_SYSTEM_EXIT, &def_exit}, {E_NAME, &def_name}, {E_ATTRIBUTE, &def_attr}, {E_IMPORT, &def_import}, {E_OS, &ou_exc_def_os},
    {E_SYNTAX, &ou_exc_def_syntax}, {E_UNICODE_DECODE, &ou_exc_def_decode}, {E_UNICODE_ENCODE, &ou_exc_def_encode},
    {E_UNICODE_TRANSLATE, &ou_exc_def_translate}, {E_KEY, &def_key}, {E_CANCELLED, &def_cancelled},
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
