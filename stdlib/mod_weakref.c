/* `_weakref`: the native part of weakref; the collections that stand on it are weakref.script. */
#include "runtime/objects/weakref.h"

#include "stdlib/stdlib.h"

static Value weakref_proxy(VM *vm, const Value *args, int n) {
    return ou_weakref_proxy(vm, args[0], n > 1 ? args[1] : V_NULL);
}

static Value weakref_count(VM *vm, const Value *args, int n) {
    (void)n;
    return v_smallint(ou_weakref_count(vm, args[0]));
}

static Value weakref_refs(VM *vm, const Value *args, int n) {
    (void)n;
    return ou_weakref_list(vm, args[0]);
}

/* del dct[key] if the value there is a dead reference. */
static Value weakref_remove_dead(VM *vm, const Value *args, int n) {
    (void)n;
    if (!ou_is_a(vm, args[0], T_DICT))
        return ou_raise(vm, E_TYPE, "_remove_dead_weakref() argument 1 must be dict, not %K", args[0]);
    Value ref = ou_dict_get(vm, as_dict(args[0]), args[1]);
    if (ref == V_NULL) return vm->exc != V_NULL ? V_NULL : V_NONE;
    if (!ou_is_a(vm, ref, T_WEAKREF)) return ou_raise(vm, E_TYPE, "not a weakref");
    Value o = ou_weakref_get(vm, ref);
    bool dead = o == V_NONE;
    release(vm, o);
    if (dead && ou_dict_del(vm, as_dict(args[0]), args[1]) < 0) return V_NULL;
    return V_NONE;
}

static const NativeDef functions[] = {
    {"proxy(object, callback=None, /)", weakref_proxy,
     "Create a proxy object that weakly references 'object'.", 0},
    {"getweakrefcount(object, /)", weakref_count, "Return the number of weak references to 'object'.", 0},
    {"getweakrefs(object, /)", weakref_refs,
     "Return a list of all weak reference objects pointing to 'object'.", 0},
    {"_remove_dead_weakref(dct, key, /)", weakref_remove_dead,
     "Atomically remove key from dict if it points to a dead weakref.", 0},
    {0},
};

bool ou_mod__weakref(VM *vm, Module *m) {
    return ou_module_add(vm, m, functions) && ou_module_builtin_type(vm, m, "ref", T_WEAKREF) &&
           ou_module_builtin_type(vm, m, "ReferenceType", T_WEAKREF) &&
           ou_module_builtin_type(vm, m, "ProxyType", T_WEAKPROXY) &&
           ou_module_builtin_type(vm, m, "CallableProxyType", T_WEAKCALLABLE);
}
