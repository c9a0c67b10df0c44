/* `from module import ...`: submodules named in the list, single names, and the star. */
#include "runtime/objects/import_impl.h"

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"

bool ou_import_from_list(VM *vm, Value module, Value fromlist, bool nested)
{
    size_t n;
    Value own = V_NULL;
    const Value *items = ou_seq_items(vm, fromlist, &n, &own, "from list must be iterable");
    if (!items && vm->exc != V_NULL)
        return false;
    bool ok = true;
    bool missing = false;
    Value mname = ou_getattr_opt(vm, module, name_of(vm, N_DU_name), &missing);
    if (mname == V_NULL) {
        xrelease(vm, own);
        return missing;
    }
    for (size_t i = 0; ok && i < n; i++) {
        Value x = items[i];
        if (!ou_is_a(vm, x, T_STR)) {
            ou_raise(vm, E_TYPE, nested ? "Item in %U.__all__ must be str, not %T" : "Item in ``from list'' must be str, not %T",
                     nested ? mname : x, x);
            ok = false;
        } else if (ou_str_eq_c(as_str(x), "*")) {
            Value all = nested ? V_NULL : ou_getattr_opt(vm, module, name_of(vm, N_DU_all), &missing);
            if (all != V_NULL) {
                ok = ou_import_from_list(vm, module, all, true);
                release(vm, all);
            } else {
                ok = nested || missing;
            }
        } else {
            Str *name = ou_intern_str(vm, as_str(x));
            Value v = name ? ou_getattr_opt(vm, module, name, &missing) : V_NULL;
            if (v != V_NULL) {
                release(vm, v);
            } else if (!name || !missing) {
                ok = false;
            } else {
                Value full = ou_str_format(vm, "%S.%U", mname, x);
                Value sub = full == V_NULL ? V_NULL : ou_import_absolute(vm, as_str(full));
                if (sub == V_NULL && full != V_NULL && ou_exc_matches(vm, E_MODULE_NOT_FOUND)) {
                    /* Only "there is no such submodule" is fine: the name's absence is reported by IMPORT_FROM. */
                    Value which = ((ExcImport *)v_obj(vm->exc))->name;
                    if (which != V_NULL && is_str(which) && ou_str_equal(as_str(which), as_str(full)))
                        ou_exc_clear(vm);
                }
                ok = vm->exc == V_NULL;
                xrelease(vm, sub);
                xrelease(vm, full);
            }
            if (name)
                obj_release(vm, name);
        }
    }
    release(vm, mname);
    xrelease(vm, own);
    return ok;
}

Value ou_import_from(VM *vm, Value module, Str *name)
{
    bool missing = false;
    Value v = ou_getattr_opt(vm, module, name, &missing);
    if (v != V_NULL || !missing)
        return v;
    Value mname = ou_getattr_opt(vm, module, name_of(vm, N_DU_name), &missing);
    if (mname == V_NULL && !missing)
        return V_NULL;
    if (mname != V_NULL && is_str(mname)) {
        /* A submodule that is being imported in a circle is in sys.modules but not yet an attribute. */
        Value full = ou_str_format(vm, "%U.%U", mname, v_of(name));
        v = full == V_NULL ? V_NULL : ou_dict_get(vm, vm->modules, full);
        xrelease(vm, full);
        if (v != V_NULL || vm->exc != V_NULL) {
            release(vm, mname);
            return v == V_NULL ? V_NULL : retain(v);
        }
    }
    Dict *ns = is_exact(module, T_MODULE) ? ((Module *)v_obj(module))->dict : NULL;
    ModuleSpec *spec = ou_module_spec(vm, ns);
    Value origin = V_NULL;
    if (spec && spec->has_location)
        origin = spec->origin;
    else if (ns)
        origin = ou_dict_get_str(vm, ns, name_of(vm, N_DU_file));
    Value shown = mname != V_NULL ? retain(mname) : ou_str_c(vm, "<unknown module name>"), msg = V_NULL;
    if (shown != V_NULL) {
        if (origin != V_NULL && is_str(origin))
            msg = ou_str_format(vm,
                                spec && spec->initializing ? "cannot import name %R from partially initialized module %R "
                                                             "(most likely due to a circular import) (%S)"
                                                           : "cannot import name %R from %R (%S)",
                                v_of(name), shown, origin);
        else
            msg = ou_str_format(vm,
                                spec && spec->initializing ? "cannot import name %R from partially initialized module %R "
                                                             "(most likely due to a circular import) (unknown location)"
                                                           : "cannot import name %R from %R (unknown location)",
                                v_of(name), shown);
    }
    if (origin != V_NULL)
        retain(origin);
    ou_raise_import(vm, E_IMPORT, msg, shown, origin, v_of(name));
    xrelease(vm, origin);
    xrelease(vm, shown);
    xrelease(vm, mname);
    return V_NULL;
}

static bool star_set(VM *vm, Value module, Value mapping, Value key)
{
    Str *name = ou_intern_str(vm, as_str(key));
    Value v = name ? ou_getattr(vm, module, name) : V_NULL;
    bool ok = v != V_NULL;
    if (ok)
        ok = is_exact(mapping, T_DICT) ? ou_dict_set_str(vm, as_dict(mapping), name, v) : ou_setitem(vm, mapping, v_of(name), v);
    xrelease(vm, v);
    if (name)
        obj_release(vm, name);
    return ok;
}

bool ou_import_star(VM *vm, Value module, Value mapping)
{
    bool missing = false, skip_private = false;
    Value names = ou_getattr_opt(vm, module, name_of(vm, N_DU_all), &missing);
    if (names == V_NULL) {
        if (!missing)
            return false;
        Value d = ou_getattr_opt(vm, module, name_of(vm, N_DU_dict), &missing);
        if (d == V_NULL) {
            if (missing)
                ou_raise(vm, E_IMPORT, "from-import-* object has no __dict__ and no __all__");
            return false;
        }
        names = ou_list_from(vm, d);
        release(vm, d);
        skip_private = true;
        if (names == V_NULL)
            return false;
    }
    size_t n;
    Value own = V_NULL;
    const Value *items = ou_seq_items(vm, names, &n, &own, "__all__ must be iterable");
    bool ok = items || vm->exc == V_NULL;
    for (size_t i = 0; ok && i < n; i++) {
        if (!ou_is_a(vm, items[i], T_STR)) {
            Value mname = ou_getattr(vm, module, name_of(vm, N_DU_name));
            if (mname != V_NULL)
                ou_raise(vm, E_TYPE, skip_private ? "Key in %S.__dict__ must be str, not %T" : "Item in %S.__all__ must be str, not %T",
                         mname, items[i]);
            xrelease(vm, mname);
            ok = false;
        } else if (!skip_private || as_str(items[i])->data[0] != '_') {
            ok = star_set(vm, module, mapping, items[i]);
        }
    }
    xrelease(vm, own);
    release(vm, names);
    return ok;
}
