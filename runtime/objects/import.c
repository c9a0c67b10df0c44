/* Imports: from a dotted name to an initialised module. Entry points: ou_import (the evaluator), ou_import_module (C code).
 * Finding is in import_find.c, `from` in import_from.c, __spec__ in import_spec.c.
 * The one thing to know: a module is in sys.modules before its body runs and is taken out again if the body fails, so that
 * circular imports meet the half-made module instead of running it twice. */
#include "runtime/objects/import.h"

#include <stdlib.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/import_impl.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

/* ---- errors ------------------------------------------------------------------------------------------------------------- */

/* ImportError with its fields; takes msg. The fields are borrowed and may be V_NULL. */
Value ou_raise_import(VM *vm, TypeId err, Value msg, Value name, Value path, Value name_from)
{
    if (msg == V_NULL)
        return V_NULL;
    ou_raise_args(vm, err, &msg, 1);
    release(vm, msg);
    if (ou_exc_matches(vm, E_IMPORT)) {
        ExcImport *e = (ExcImport *)v_obj(vm->exc);
        set_owned(vm, &e->name, name == V_NULL ? V_NULL : retain(name));
        set_owned(vm, &e->path, path == V_NULL ? V_NULL : retain(path));
        set_owned(vm, &e->name_from, name_from == V_NULL ? V_NULL : retain(name_from));
    }
    return V_NULL;
}

static Value raise_not_found(VM *vm, Value name)
{
    return ou_raise_import(vm, E_MODULE_NOT_FOUND, ou_str_format(vm, "No module named %R", name), name, V_NULL, V_NULL);
}

/* ---- loading --------------------------------------------------------------------------------------------------------------------- */

bool ou_import_fill(VM *vm, Dict *ns, Str *name, const Found *f, Value spec, Value filename)
{
    bool ok = ou_dict_set_str(vm, ns, name_of(vm, N_DU_name), v_of(name)) &&
              (ou_dict_get_str(vm, ns, name_of(vm, N_DU_doc)) != V_NULL || ou_dict_set_str(vm, ns, name_of(vm, N_DU_doc), V_NONE)) &&
              ou_dict_set_str(vm, ns, name_of(vm, N_DU_loader), V_NONE) &&
              ou_dict_set_str(vm, ns, name_of(vm, N_DU_spec), spec);
    if (!ok)
        return false;
    Value parent = ou_spec_parent(vm, spec);
    ok = parent != V_NULL && ou_dict_set_str(vm, ns, name_of(vm, N_DU_package), parent);
    xrelease(vm, parent);
    if (ok && f->is_package)
        ok = ou_dict_set_str(vm, ns, name_of(vm, N_DU_path), as_spec(spec)->locations);
    if (ok && f->kind == FOUND_FILE)
        ok = ou_dict_set_str(vm, ns, name_of(vm, N_DU_file), filename) && ou_dict_set_str(vm, ns, name_of(vm, N_DU_cached), V_NONE);
    if (ok && vm->builtins && f->kind != FOUND_NATIVE)
        ok = ou_dict_set_str(vm, ns, name_of(vm, N_DU_builtins), v_of(vm->builtins));
    return ok;
}

Value ou_spec_of_found(VM *vm, Str *name, const Found *f)
{
    Value origin = f->kind == FOUND_FILE     ? retain(f->filename)
                   : f->kind == FOUND_NATIVE ? ou_str_c(vm, "built-in")
                   : f->kind == FOUND_FROZEN ? ou_str_c(vm, "frozen")
                                             : V_NONE;
    if (origin == V_NULL)
        return V_NULL;
    Value spec = ou_spec_new(vm, v_of(name), origin, f->locations, V_NONE);
    release(vm, origin);
    if (spec != V_NULL) {
        as_spec(spec)->has_location = f->kind == FOUND_FILE;
        as_spec(spec)->found = true;
    }
    return spec;
}

/* After a successful body: whatever the body has put into sys.modules under its name is the module. */
static Value loaded_module(VM *vm, Str *name)
{
    Value v = ou_dict_get(vm, vm->modules, v_of(name));
    if (v == V_NULL)
        return vm->exc != V_NULL ? V_NULL : ou_raise_key(vm, v_of(name));
    return retain(v);
}

static void forget_module(VM *vm, Str *name)
{
    Value exc = ou_exc_take(vm);
    if (ou_dict_del(vm, vm->modules, v_of(name)) < 0)
        ou_exc_clear(vm);
    ou_exc_restore(vm, exc);
}

static Value load(VM *vm, Str *name, const Found *f)
{
    Value spec = ou_spec_of_found(vm, name, f), module = V_NULL, filename = V_NULL, code = V_NULL, result = V_NULL;
    if (spec == V_NULL)
        return V_NULL;
    if (f->kind == FOUND_NATIVE) {
        module = ou_native_module_make(vm, f->index);
        if (module != V_NULL && ou_import_fill(vm, ((Module *)v_obj(module))->dict, name, f, spec, V_NONE) &&
            ou_dict_set(vm, vm->modules, v_of(name), module))
            result = retain(module);
        goto done;
    }
    filename = f->kind == FOUND_FROZEN ? ou_str_format(vm, "<frozen %U>", v_of(name)) : retain(f->filename);
    module = ou_module_new(vm, name->data, name->size);
    if (filename == V_NULL || module == V_NULL)
        goto done;
    Dict *ns = ((Module *)v_obj(module))->dict;
    if (!ou_import_fill(vm, ns, name, f, spec, filename) || !ou_dict_set(vm, vm->modules, v_of(name), module))
        goto done;
    if (f->kind != FOUND_NAMESPACE) {
        as_spec(spec)->initializing = true;
        code = ou_compile_found(vm, f, filename);
        Value r = code == V_NULL ? V_NULL : ou_exec(vm, as_code(code), ns, V_NULL, NULL);
        as_spec(spec)->initializing = false;
        if (r == V_NULL) {
            forget_module(vm, name);
            goto done;
        }
        release(vm, r);
    }
    result = loaded_module(vm, name);
done:
    release(vm, spec);
    xrelease(vm, module);
    xrelease(vm, filename);
    xrelease(vm, code);
    return result;
}

/* ---- finders that scripts have put on sys.meta_path ------------------------------------------------------------------------------ */

/* Loads through a spec that a script's finder gave: loader.create_module and exec_module. */
static Value load_by_spec(VM *vm, Str *name, Value spec)
{
    Value loader = ou_getattr_c(vm, spec, "loader"), module = V_NULL, result = V_NULL;
    if (loader == V_NULL)
        return V_NULL;
    module = ou_call_method_c(vm, loader, "create_module", &spec, 1);
    if (module == V_NULL && ou_exc_matches(vm, E_ATTRIBUTE)) {
        ou_exc_clear(vm);
        module = V_NONE;
    }
    if (module == V_NONE)
        module = ou_module_new(vm, name->data, name->size);
    if (module == V_NULL)
        goto done;
    Value locations = ou_getattr_c(vm, spec, "submodule_search_locations");
    if (locations == V_NULL)
        ou_exc_clear(vm);
    bool ok = ou_setattr(vm, module, name_of(vm, N_DU_spec), spec) && ou_setattr(vm, module, name_of(vm, N_DU_loader), loader);
    if (ok && locations != V_NULL && locations != V_NONE)
        ok = ou_setattr(vm, module, name_of(vm, N_DU_path), locations);
    const char *dot = strrchr(name->data, '.');
    Value parent = locations != V_NULL && locations != V_NONE
                       ? retain(v_of(name))
                       : ou_str_new(vm, name->data, dot ? (size_t)(dot - name->data) : 0);
    ok = ok && parent != V_NULL && ou_setattr(vm, module, name_of(vm, N_DU_package), parent) &&
         ou_dict_set(vm, vm->modules, v_of(name), module);
    xrelease(vm, parent);
    xrelease(vm, locations);
    if (ok) {
        Value r = ou_call_method_c(vm, loader, "exec_module", &module, 1);
        if (r == V_NULL) {
            forget_module(vm, name);
        } else {
            release(vm, r);
            result = loaded_module(vm, name);
        }
    }
done:
    release(vm, loader);
    xrelease(vm, module);
    return result;
}

/* V_NULL without an exception: no finder knows it. */
static Value ask_finders(VM *vm, Str *name, Value path)
{
    Value list = vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, "meta_path") : V_NULL;
    if (list == V_NULL || !ou_is_a(vm, list, T_LIST) || as_list(list)->n == 0)
        return V_NULL;
    retain(list);
    Value result = V_NULL;
    for (uint32_t i = 0; i < as_list(list)->n && result == V_NULL && vm->exc == V_NULL; i++) {
        Value finder = retain(as_list(list)->items[i]), args[3] = {v_of(name), path, V_NONE};
        Value spec = ou_call_method_c(vm, finder, "find_spec", args, 3);
        release(vm, finder);
        if (spec != V_NULL && spec != V_NONE)
            result = load_by_spec(vm, name, spec);
        xrelease(vm, spec);
    }
    release(vm, list);
    return result;
}

/* ---- by absolute name ----------------------------------------------------------------------------------------------------------------- */

/* What a dot counts for: a thousand end the recursion, before the names of all parents, one in each activation, fill the memory. */
enum { DOT_DEPTH = 20 };

/* The parent package (owned, in *parent) and its __path__ (owned). */
static bool import_parent(VM *vm, Str *name, size_t parent_len, Value *parent, Value *path)
{
    Value pname = ou_str_new(vm, name->data, parent_len);
    if (pname == V_NULL)
        return false;
    Value there = ou_dict_get(vm, vm->modules, pname);
    *parent = V_NONE; /* None there: blocked, "not a package" */
    if (there != V_NONE && ou_c_deep(vm)) {
        *parent = ou_raise_recursion(vm, NULL);
    } else if (there != V_NONE) {
        vm->c_depth += DOT_DEPTH;
        *parent = ou_import_absolute(vm, as_str(pname));
        vm->c_depth -= DOT_DEPTH;
    }
    if (*parent == V_NULL) {
        release(vm, pname);
        return false;
    }
    bool missing = false;
    *path = ou_getattr_opt(vm, *parent, name_of(vm, N_DU_path), &missing);
    if (*path == V_NULL && missing && ou_dict_get(vm, vm->modules, v_of(name)) != V_NULL)
        *path = V_NONE; /* no package, but its body has put the name into sys.modules: os.path */
    else if (*path == V_NULL && missing)
        ou_raise_import(vm, E_MODULE_NOT_FOUND, ou_str_format(vm, "No module named %R; %R is not a package", v_of(name), pname),
                     v_of(name), V_NULL, V_NULL);
    release(vm, pname);
    if (*path == V_NULL) {
        release(vm, *parent);
        return false;
    }
    return true;
}

static Value import_missing(VM *vm, Str *name)
{
    const char *dot = strrchr(name->data, '.');
    Value parent = V_NULL, path = V_NONE;
    if (dot) {
        if (!import_parent(vm, name, (size_t)(dot - name->data), &parent, &path))
            return V_NULL;
        Value found = ou_dict_get(vm, vm->modules, v_of(name)); /* the parent may have imported it */
        if (found != V_NULL && found != V_NONE) {
            retain(found);
            release(vm, parent);
            release(vm, path);
            return found;
        }
    }
    Value module = ask_finders(vm, name, path);
    if (module == V_NULL && vm->exc == V_NULL) {
        Found f;
        if (ou_find_module(vm, name, path, &f)) {
            module = f.kind == FOUND_NOTHING ? raise_not_found(vm, v_of(name)) : load(vm, name, &f);
            ou_found_done(vm, &f);
        }
    }
    if (module != V_NULL && parent != V_NULL) {
        Str *child = ou_intern_c(vm, dot + 1);
        if (!child || !ou_setattr(vm, parent, child, module)) {
            release(vm, module);
            module = V_NULL;
        }
        if (child)
            obj_release(vm, child);
    }
    xrelease(vm, parent);
    release(vm, path);
    return module;
}

/* The module itself (owned). Recursion, by dots and in module bodies, is bounded by vm->c_depth_max. */
Value ou_import_absolute(VM *vm, Str *name)
{
    if (vm->library_gone)
        return ou_raise(vm, E_IMPORT, "sys.meta_path is None, Python is likely shutting down");
    if (vm->imports && !ou_import_wait(vm, name))
        return V_NULL;
    Value found = ou_dict_get(vm, vm->modules, v_of(name));
    if (found == V_NONE)
        return ou_raise_import(vm, E_MODULE_NOT_FOUND, ou_str_format(vm, "import of %U halted; None in sys.modules", v_of(name)),
                            v_of(name), V_NULL, V_NULL);
    if (found != V_NULL)
        return retain(found);
    if (vm->exc != V_NULL)
        return V_NULL;
    ImportRun run;
    ou_import_begin(vm, &run, name);
    Value module = import_missing(vm, name);
    ou_import_end(vm, &run);
    return module;
}

/* ---- relative names --------------------------------------------------------------------------------------------------------------------- */

/* The package that a relative import starts from: owned str. */
static Value package_of(VM *vm, Dict *globals)
{
    Value package = globals ? ou_dict_get_str(vm, globals, name_of(vm, N_DU_package)) : V_NULL;
    if (package != V_NULL && package != V_NONE) {
        if (!ou_is_a(vm, package, T_STR))
            return ou_raise(vm, E_TYPE, "package must be a string");
        return retain(package);
    }
    ModuleSpec *spec = ou_module_spec(vm, globals);
    if (spec)
        return ou_spec_parent(vm, v_of(spec));
    Value name = globals ? ou_dict_get_str(vm, globals, name_of(vm, N_DU_name)) : V_NULL;
    if (name == V_NULL)
        return ou_raise(vm, E_KEY, "'__name__' not in globals");
    if (!ou_is_a(vm, name, T_STR))
        return ou_raise(vm, E_TYPE, "__name__ must be a string");
    if (ou_dict_get_str(vm, globals, name_of(vm, N_DU_path)) != V_NULL)
        return retain(name);
    const char *p = as_str(name)->data, *dot = strrchr(p, '.');
    return ou_str_new(vm, p, dot ? (size_t)(dot - p) : 0);
}

static Value resolve(VM *vm, Str *name, int level, Dict *globals)
{
    Value package = package_of(vm, globals);
    if (package == V_NULL)
        return V_NULL;
    const char *p = as_str(package)->data;
    size_t n = as_str(package)->size;
    if (n == 0) {
        release(vm, package);
        return ou_raise(vm, E_IMPORT, "attempted relative import with no known parent package");
    }
    for (int i = 1; i < level; i++) {
        while (n && p[n - 1] != '.')
            n--;
        if (n == 0) {
            release(vm, package);
            return ou_raise(vm, E_IMPORT, "attempted relative import beyond top-level package");
        }
        n--;
    }
    Value base = ou_str_new(vm, p, n);
    release(vm, package);
    if (base == V_NULL || name->size == 0)
        return base;
    Value full = ou_str_format(vm, "%U.%U", base, v_of(name));
    release(vm, base);
    return full;
}

/* ---- entry points ---------------------------------------------------------------------------------------------------------------------------- */

Value ou_import_level(VM *vm, Str *name, int level, Value fromlist, Dict *globals)
{
    if (level < 0)
        return ou_raise(vm, E_VALUE, "level must be >= 0");
    if (level == 0 && name->size == 0)
        return ou_raise(vm, E_VALUE, "Empty module name");
    Value full = level > 0 ? resolve(vm, name, level, globals) : retain(v_of(name));
    if (full == V_NULL)
        return V_NULL;
    Value module = ou_import_absolute(vm, as_str(full));
    int from = 0;
    if (module != V_NULL) {
        from = fromlist == V_NULL ? 0 : ou_truth(vm, fromlist);
        if (from < 0) {
            release(vm, module);
            module = V_NULL;
        }
    }
    if (module != V_NULL && from) {
        bool missing = false;
        Value path = ou_getattr_opt(vm, module, name_of(vm, N_DU_path), &missing);
        bool ok = path != V_NULL ? ou_import_from_list(vm, module, fromlist, false) : missing;
        xrelease(vm, path);
        if (!ok) {
            release(vm, module);
            module = V_NULL;
        }
    } else if (module != V_NULL) {
        /* `import a.b.c` binds a; __import__("b.c", level=1) gives pkg.b. */
        const char *dot = strchr(name->data, '.');
        if (dot) {
            size_t cut = name->size - (size_t)(dot - name->data);
            Value top = ou_str_new(vm, as_str(full)->data, as_str(full)->size - cut);
            release(vm, module);
            module = top == V_NULL ? V_NULL : ou_import_absolute(vm, as_str(top));
            xrelease(vm, top);
        }
    }
    release(vm, full);
    return module;
}

Value ou_import(VM *vm, Str *name, int level, Value fromlist, Dict *globals)
{
    /* The namespace's own builtins decide: exec() in a dict without __import__ cannot import. */
    Value b = globals ? ou_dict_get_str(vm, globals, name_of(vm, N_DU_builtins)) : V_NULL;
    if (b != V_NULL && is_exact(b, T_MODULE))
        b = v_of(((Module *)v_obj(b))->dict);
    Dict *builtins = b != V_NULL && ou_is_a(vm, b, T_DICT) ? as_dict(b) : vm->builtins;
    Value f = builtins ? ou_dict_get_str(vm, builtins, name_of(vm, N_DU_import)) : V_NULL;
    if (f == V_NULL)
        return ou_raise(vm, E_IMPORT, "__import__ not found");
    if (is_exact(f, T_NATIVE) && strncmp(((Native *)v_obj(f))->def->sig, "__import__(", 11) == 0)
        return ou_import_level(vm, name, level, fromlist, globals);
    Value args[5] = {v_of(name), globals ? v_of(globals) : V_NONE, V_NONE, fromlist, v_smallint(level)};
    retain(f);
    Value r = ou_call(vm, f, args, 5, NULL);
    release(vm, f);
    return r;
}

Value ou_import_module(VM *vm, const char *dotted)
{
    Value name = ou_str_c(vm, dotted);
    if (name == V_NULL)
        return V_NULL;
    Value m = ou_import_absolute(vm, as_str(name));
    release(vm, name);
    return m;
}

Value ou_import_attr(VM *vm, const char *dotted, const char *attr)
{
    Value m = ou_import_module(vm, dotted);
    if (m == V_NULL)
        return V_NULL;
    Value v = ou_getattr_c(vm, m, attr);
    release(vm, m);
    return v;
}

Value ou_import_reload(VM *vm, Value module)
{
    if (!is_exact(module, T_MODULE))
        return ou_raise(vm, E_TYPE, "reload() argument must be a module");
    Dict *ns = ((Module *)v_obj(module))->dict;
    Value name = ou_getattr(vm, module, name_of(vm, N_DU_name)), path = V_NONE, parent = V_NULL, result = V_NULL;
    if (name == V_NULL)
        return V_NULL;
    const char *dot = is_str(name) ? strrchr(as_str(name)->data, '.') : NULL;
    Found f;
    if (!is_str(name)) {
        ou_raise(vm, E_TYPE, "module name must be a string");
    } else if ((!dot || import_parent(vm, as_str(name), (size_t)(dot - as_str(name)->data), &parent, &path)) &&
               ou_find_module(vm, as_str(name), path, &f)) {
        if (f.kind == FOUND_NOTHING) {
            ou_raise_import(vm, E_MODULE_NOT_FOUND, ou_str_format(vm, "spec not found for the module %R", name), name, V_NULL, V_NULL);
        } else if (f.kind == FOUND_NATIVE || f.kind == FOUND_NAMESPACE) {
            result = retain(module);
        } else {
            Value spec = ou_spec_of_found(vm, as_str(name), &f), code = V_NULL;
            Value file = f.kind == FOUND_FROZEN ? ou_str_format(vm, "<frozen %U>", name) : retain(f.filename);
            if (spec != V_NULL && file != V_NULL && ou_import_fill(vm, ns, as_str(name), &f, spec, file) &&
                (code = ou_compile_found(vm, &f, file)) != V_NULL) {
                Value r = ou_exec(vm, as_code(code), ns, V_NULL, NULL);
                if (r != V_NULL)
                    result = loaded_module(vm, as_str(name));
                xrelease(vm, r);
            }
            xrelease(vm, code);
            xrelease(vm, spec);
            xrelease(vm, file);
        }
        ou_found_done(vm, &f);
    }
    xrelease(vm, parent);
    release(vm, path);
    release(vm, name);
    return result;
}

/* sys and builtins are made at boot, without the importer: they get their spec afterwards. */
bool ou_import_adopt(VM *vm, const char *dotted)
{
    Value name = ou_str_c(vm, dotted), m = name == V_NULL ? V_NULL : ou_dict_get(vm, vm->modules, name), spec = V_NULL;
    bool ok = false;
    if (m != V_NULL && is_exact(m, T_MODULE)) {
        Found f = {FOUND_NATIVE, -1, false, V_NONE, V_NONE};
        spec = ou_spec_of_found(vm, as_str(name), &f);
        ok = spec != V_NULL && ou_import_fill(vm, ((Module *)v_obj(m))->dict, as_str(name), &f, spec, V_NONE);
    }
    xrelease(vm, spec);
    xrelease(vm, name);
    return ok;
}

bool ou_import_boot(VM *vm)
{
    if (!vm->modules) {
        Value d = ou_dict_new(vm);
        if (d == V_NULL)
            return false;
        vm->modules = as_dict(d);
    }
    if (!vm->module_spec && !(vm->module_spec = ou_type_from_def(vm, &ou_module_spec_def, NULL)))
        return false;
    if (vm->path == V_NULL || !is_exact(vm->path, T_LIST)) {
        vm->path = ou_list_new(vm, 0);
        if (vm->path == V_NULL)
            return false;
    }
    const char *env = (vm->caps & CAP_ENV) ? getenv("OUROPATH") : NULL;
    while (env && *env) {
        size_t n = strcspn(env, ":");
        if (n) {
            Value s = ou_str_decode(vm, env, n, "utf-8", "surrogateescape");
            if (s == V_NULL || !ou_list_append_take(vm, as_list(vm->path), s))
                return false;
        }
        env += n + (env[n] == ':');
    }
    return true;
}
