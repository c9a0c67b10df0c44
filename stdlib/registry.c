/* The table of native modules (modules.def) and the helpers that their init functions use.
 * Entry points: ou_native_module_find and ou_native_module_make for the importer, ou_module_* for the modules. */
#include "runtime/loop/threads.h"
#include "runtime/objects/import.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

#define MODULE(id, name, caps) {name, ou_mod_##id, caps},
const NativeModule ou_native_modules[MOD_COUNT] = {
#include "stdlib/modules.def"
};
#undef MODULE

int ou_native_module_find(const Str *name)
{
    int lo = 0, hi = MOD_COUNT;
    while (lo < hi) {
        int mid = (lo + hi) / 2, c = strcmp(name->data, ou_native_modules[mid].name);
        if (c == 0)
            return strlen(name->data) == name->size ? mid : -1;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return -1;
}

Value ou_native_module_make(VM *vm, int index)
{
    const NativeModule *nm = &ou_native_modules[index];
    if ((vm->caps & nm->caps) != nm->caps)
        return ou_raise(vm, E_IMPORT, "module '%s' is not available: its capability was not granted", nm->name);
    Value m = ou_module_new(vm, nm->name, strlen(nm->name));
    if (m == V_NULL)
        return V_NULL;
    if (!nm->init(vm, (Module *)v_obj(m))) {
        release(vm, m);
        return V_NULL;
    }
    return m;
}

bool ou_module_set(VM *vm, Module *m, const char *name, Value v) { return ou_dict_set_c(vm, m->dict, name, v); }

bool ou_module_take(VM *vm, Module *m, const char *name, Value v)
{
    if (v == V_NULL)
        return false;
    bool ok = ou_dict_set_c(vm, m->dict, name, v);
    release(vm, v);
    return ok;
}

bool ou_module_int(VM *vm, Module *m, const char *name, int64_t i) { return ou_module_take(vm, m, name, ou_int(vm, i)); }

bool ou_module_str(VM *vm, Module *m, const char *name, const char *s) { return ou_module_take(vm, m, name, ou_str_c(vm, s)); }

bool ou_module_add(VM *vm, Module *m, const NativeDef *defs)
{
    for (; defs->sig; defs++) {
        char name[64];
        size_t n = strcspn(defs->sig, "(");
        if (n >= sizeof name)
            n = sizeof name - 1;
        memcpy(name, defs->sig, n);
        name[n] = 0;
        if (!ou_module_take(vm, m, name, ou_native_new(vm, defs, V_NULL, m->name ? v_of(m->name) : V_NULL)))
            return false;
    }
    return true;
}

Type *ou_module_type(VM *vm, Module *m, const TypeDef *def, Type *base)
{
    Type *t = ou_type_from_def(vm, def, base);
    if (!t)
        return NULL;
    const char *dot = strrchr(def->name, '.');
    bool ok = ou_dict_set_c(vm, m->dict, dot ? dot + 1 : def->name, v_of(t));
    obj_release(vm, t);
    return ok ? t : NULL;
}

Value ou_error_class(VM *vm, const char *dotted, TypeId base)
{
    const char *dot = strrchr(dotted, '.');
    Value name = ou_str_c(vm, dot + 1), module = ou_str_new(vm, dotted, (size_t)(dot - dotted)), ns = ou_dict_new(vm);
    Value parent = v_of(ou_builtin(vm, base)), bases = ou_tuple_of(vm, &parent, 1), cls = V_NULL;
    if (name != V_NULL && module != V_NULL && ns != V_NULL && bases != V_NULL &&
        ou_dict_set_str(vm, as_dict(ns), name_of(vm, N_DU_module), module))
        cls = ou_call3(vm, v_of(ou_builtin(vm, T_TYPE)), name, bases, ns);
    xrelease(vm, name);
    xrelease(vm, module);
    xrelease(vm, ns);
    xrelease(vm, bases);
    return cls;
}

bool ou_module_builtin_type(VM *vm, Module *m, const char *name, TypeId id)
{
    return ou_dict_set_c(vm, m->dict, name, v_of(ou_builtin(vm, id)));
}

/* The block's size stands in front of it, so that ou_module_records_free can give it back. */
typedef struct Record {
    size_t size, pad;
} Record;

void *ou_module_record(VM *vm, NativeModuleId id, size_t size)
{
    if (!vm->module_state[id]) {
        if (vm->library_gone) {
            ou_raise(vm, E_IMPORT, "the interpreter is shutting down");
            return NULL;
        }
        Record *r = ou_alloc0(&vm->heap, sizeof(Record) + size);
        if (!r) {
            ou_raise_memory(vm);
            return NULL;
        }
        r->size = sizeof(Record) + size;
        vm->module_state[id] = r + 1;
    }
    return vm->module_state[id];
}

/* How many Values at the beginning of a record the record owns. */
static int owned_values(int id)
{
    switch (id) {
    case MOD_itertools: case MOD__collections: case MOD__functools: case MOD__odict: case MOD__re: case MOD__struct: case MOD__io: case MOD_atexit: case MOD_sys: case MOD_time: case MOD__queue: return 1;
    case MOD_binascii: case MOD__datetime: return 2;
    case MOD__os: return 9;
    case MOD__warnings: case MOD__socket: return 3;
    case MOD__signal: return 66;
    default: return 0;
    }
}

void ou_module_records_free(VM *vm)
{
    for (int i = 0; i < MOD_COUNT; i++) {
        if (vm->module_state[i]) {
            if (i == MOD__datetime) ou_datetime_fini(vm);
            for (int k = 0; k < owned_values(i); k++)
                xrelease(vm, ((Value *)vm->module_state[i])[k]);
            Record *r = (Record *)vm->module_state[i] - 1;
            vm->module_state[i] = NULL;
            ou_free(&vm->heap, r, r->size);
        }
    }
}

bool ou_require_cap(VM *vm, uint32_t cap, const char *what)
{
    if ((vm->caps & cap) == cap || (cap == CAP_ANY_FD && (vm->caps & cap)))
        return true;
    ou_raise(vm, E_PERMISSION, "%s is not allowed here: the host did not grant it", what);
    return false;
}

bool ou_library_boot(VM *vm)
{
    bool ok = ou_import_boot(vm) && ou_sys_boot(vm) && ou_builtins_boot(vm) && ou_import_adopt(vm, "sys") &&
              ou_import_adopt(vm, "builtins") && ou_io_boot(vm) && ou_signals_boot(vm);
    vm->nbuiltins = ok ? vm->builtins->nentries : 0;
    return ok;
}

/* The namespaces are emptied here, while destructors can still run scripts and print; what is left is torn down by state.c. */
void ou_library_fini(VM *vm)
{
    ou_atexit_run(vm);
    ou_threads_fini(vm); /* a function of atexit may have started some */
    ou_io_flush_last(vm);
    ou_signals_fini(vm);
    vm->finalizing = true; /* destructors warn of nothing from here on */
    /* Token.MISSING is of a type made at run time, which only the collector can take down: before the last collection. */
    Dict *token = ou_builtin(vm, T_CONTEXT_TOKEN)->ns;
    Value key = ou_str_c(vm, "MISSING");
    if (key == V_NULL || (token && ou_dict_del(vm, token, key) < 0))
        ou_exc_clear(vm);
    xrelease(vm, key);
}
