/* Modules that are looked for without being imported: find_spec, and what `-m` and a folder on the command line run.
 * Entry points: ou_import_find_spec, ou_import_main. */
#include "runtime/objects/import_impl.h"

#include <string.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"

Value ou_import_find_spec(VM *vm, Str *name, Value path)
{
    Found f;
    if (!ou_find_module(vm, name, path, &f))
        return V_NULL;
    Value spec = f.kind == FOUND_NOTHING ? V_NONE : ou_spec_of_found(vm, name, &f);
    ou_found_done(vm, &f);
    return spec;
}

/* The pending exception becomes the reason why the specification was not found. */
static void wrap_reason(VM *vm, Value name)
{
    Value exc = ou_exc_take(vm);
    Value type = ou_str_c(vm, ou_type_name(vm, exc));
    if (type != V_NULL) {
        Str *s = as_str(name);
        Value msg = ou_str_format(vm, "Error while finding module specification for %R (%U: %S)", name, type, exc);
        if (msg != V_NULL && s->size > 3 && memcmp(s->data + s->size - 3, ".py", 3) == 0) {
            Value stem = ou_str_new(vm, s->data, s->size - 3), plain = msg;
            msg = stem == V_NULL ? V_NULL
                                 : ou_str_format(vm, "%U. Try using '%U' instead of '%U' as the module name.", plain, stem, name);
            release(vm, plain);
            xrelease(vm, stem);
        }
        ou_raise_import(vm, E_IMPORT, msg, V_NULL, V_NULL, V_NULL);
        release(vm, type);
    }
    release(vm, exc);
}

/* Is the pending exception the absence of `name` or of a package above it, not a failure inside of one? */
static bool absent(VM *vm, Value name)
{
    if (!ou_exc_matches(vm, E_IMPORT))
        return false;
    Value which = ((ExcImport *)v_obj(vm->exc))->name;
    if (which == V_NULL || !is_str(which))
        return false;
    Str *w = as_str(which), *n = as_str(name);
    return w->size <= n->size && memcmp(w->data, n->data, w->size) == 0 && (w->size == n->size || n->data[w->size] == '.');
}

/* Imports what stands before the last dot; its __path__, owned. V_NONE when there is no dot. */
static Value parent_path(VM *vm, Value name)
{
    const char *p = as_str(name)->data, *dot = strrchr(p, '.');
    if (!dot)
        return V_NONE;
    Value pname = ou_str_new(vm, p, (size_t)(dot - p)), path = V_NULL;
    Value parent = pname == V_NULL ? V_NULL : ou_import_absolute(vm, as_str(pname));
    if (parent != V_NULL) {
        bool missing = false;
        path = ou_getattr_opt(vm, parent, name_of(vm, N_DU_path), &missing);
        if (path == V_NULL && missing) {
            ou_raise_import(vm, E_MODULE_NOT_FOUND,
                            ou_str_format(vm, "__path__ attribute not found on %R while trying to find %R", pname, name), name, V_NULL,
                            V_NULL);
            wrap_reason(vm, name);
        }
        release(vm, parent);
    } else if (pname != V_NULL && absent(vm, pname)) {
        wrap_reason(vm, name);
    }
    xrelease(vm, pname);
    return path;
}

static Value main_code(VM *vm, Value name, const Found *f, Dict *ns, Value *filename)
{
    *filename = f->kind == FOUND_FILE ? retain(f->filename) : ou_str_format(vm, "<frozen %U>", name);
    Value spec = *filename == V_NULL ? V_NULL : ou_spec_of_found(vm, as_str(name), f), code = V_NULL;
    Value builtins = ou_dict_get_str(vm, ns, name_of(vm, N_DU_builtins)); /* of __main__ it is the module, not its dict */
    if (builtins != V_NULL)
        retain(builtins);
    if (spec != V_NULL && ou_import_fill(vm, ns, as_str(name), f, spec, *filename) &&
        ou_dict_set_str(vm, ns, name_of(vm, N_DU_name), v_of(name_of(vm, N_DU_main))) &&
        (builtins == V_NULL || ou_dict_set_str(vm, ns, name_of(vm, N_DU_builtins), builtins)))
        code = ou_compile_found(vm, f, *filename);
    xrelease(vm, builtins);
    xrelease(vm, spec);
    if (code == V_NULL)
        xrelease(vm, *filename);
    return code;
}

static Value refuse(VM *vm, const char *fmt, Value a, Value b)
{
    return ou_raise_import(vm, E_IMPORT, ou_str_format(vm, fmt, a, b), V_NULL, V_NULL, V_NULL);
}

/* Of a package the __main__ is run; `of` is the package then, V_NONE before. */
static Value find_main(VM *vm, Value name, Value of, Value folder, Dict *ns, Value *filename)
{
    Value path = folder != V_NONE ? retain(folder) : parent_path(vm, name), code = V_NULL;
    Found f;
    if (path == V_NULL)
        return V_NULL;
    bool ok = ou_find_module(vm, as_str(name), path, &f);
    release(vm, path);
    if (!ok)
        return V_NULL;
    if (f.is_package && of == V_NONE) {
        Value sub = ou_str_format(vm, "%U.__main__", name);
        if (sub != V_NULL)
            code = find_main(vm, sub, name, V_NONE, ns, filename);
        xrelease(vm, sub);
    } else if (f.kind == FOUND_FILE || f.kind == FOUND_FROZEN) {
        if (f.is_package)
            refuse(vm, "Cannot use package as __main__ module; %R is a package and cannot be directly executed", of, V_NONE);
        else
            code = main_code(vm, name, &f, ns, filename);
    } else if (f.kind == FOUND_NATIVE) {
        refuse(vm, "No code object available for %U", name, V_NONE);
    } else if (folder != V_NONE) {
        refuse(vm, "can't find '__main__' module in %R", as_list(folder)->items[0], V_NONE);
    } else {
        refuse(vm, of == V_NONE ? "No module named %U" : "No module named %U; %R is a package and cannot be directly executed", name, of);
    }
    ou_found_done(vm, &f);
    return code;
}

Value ou_import_main(VM *vm, const char *dotted, Value folder, Dict *ns, Value *filename)
{
    Value name = ou_str_decode(vm, dotted, strlen(dotted), "utf-8", "surrogateescape"), code;
    if (name == V_NULL)
        return V_NULL;
    if (dotted[0] == 0)
        code = refuse(vm, "No module named ", V_NONE, V_NONE);
    else if (dotted[0] == '.')
        code = refuse(vm, "Relative module names not supported", V_NONE, V_NONE);
    else
        code = find_main(vm, name, V_NONE, folder, ns, filename);
    release(vm, name);
    return code;
}
