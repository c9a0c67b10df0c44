/* `_imp`: what importlib needs of the importer (runtime/objects/import.h). */
#include "runtime/objects/import.h"
#include "stdlib/stdlib.h"

static Value imp_find_spec(VM *vm, const Value *args, int n)
{
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "find_spec() argument 1 must be str, not %K", args[0]);
    return ou_import_find_spec(vm, as_str(args[0]), n > 1 ? args[1] : V_NONE);
}

static Value imp_import_module(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "module name must be str, not %T", args[0]);
    if (as_str(args[0])->size == 0)
        return ou_raise(vm, E_VALUE, "Empty module name");
    return ou_import_module(vm, as_str(args[0])->data);
}

static Value imp_reload(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_import_reload(vm, args[0]);
}

static Value imp_lock_held(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)args;
    (void)n;
    return V_FALSE;
}

static Value imp_is_builtin(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "is_builtin() argument must be str, not %K", args[0]);
    return v_smallint(ou_native_module_find(as_str(args[0])) >= 0);
}

static Value imp_is_frozen(VM *vm, const Value *args, int n)
{
    (void)n;
    size_t len;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "is_frozen() argument must be str, not %K", args[0]);
    return v_bool(ou_frozen_source(as_str(args[0])->data, as_str(args[0])->size, &len) != NULL);
}

/* The source text of a frozen module, or None. */
static Value imp_frozen_source(VM *vm, const Value *args, int n)
{
    (void)n;
    size_t len;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "frozen_source() argument must be str, not %K", args[0]);
    const char *s = ou_frozen_source(as_str(args[0])->data, as_str(args[0])->size, &len);
    return s ? ou_str_new(vm, s, len) : V_NONE;
}

/* The text of a program that came from no file ("<string>" of -c), or None. */
static Value imp_remembered_source(VM *vm, const Value *args, int n)
{
    (void)n;
    Value text = vm->source_cache != V_NULL ? ou_dict_get(vm, as_dict(vm->source_cache), args[0]) : V_NULL;
    return text != V_NULL && is_str(text) ? retain(text) : vm->exc != V_NULL ? V_NULL : V_NONE;
}

static const NativeDef functions[] = {
    {"find_spec(name, path=None, /)", imp_find_spec, "A ModuleSpec for the module, or None.", 0},
    {"import_module(name, /)", imp_import_module, "The module of that absolute name.", 0},
    {"reload(module, /)", imp_reload, "Run the module's code again in its namespace.", 0},
    {"lock_held()", imp_lock_held, NULL, 0},
    {"is_builtin(name, /)", imp_is_builtin, NULL, 0},
    {"is_frozen(name, /)", imp_is_frozen, NULL, 0},
    {"frozen_source(name, /)", imp_frozen_source, NULL, 0},
    {"remembered_source(filename, /)", imp_remembered_source, NULL, 0},
    {0},
};

bool ou_mod__imp(VM *vm, Module *m)
{
    return ou_module_add(vm, m, functions) && ou_module_set(vm, m, "ModuleSpec", v_of(vm->module_spec));
}
