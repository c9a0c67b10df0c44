/* Imports: from a dotted name to an initialised module. Entry points: ou_import (the evaluator), ou_import_from, ou_import_star,
 * ou_import_module (C code).
 * The one thing to know: a module is in sys.modules before its body runs and is taken out again if the body fails, so that
 * circular imports meet the half-made module instead of running it twice. */
#include "runtime/objects/import.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/frozen.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

enum { IMPORT_CAP_FILES = 1, IMPORT_CAP_ENV = 8 }; /* of stdlib/stdlib.h, which is above this layer */

/* ---- __spec__ ------------------------------------------------------------------------------------------------------- */

static ModuleSpec *as_spec(Value v) { return (ModuleSpec *)v_obj(v); }

static void spec_dealloc(VM *vm, Obj *o)
{
    ModuleSpec *s = (ModuleSpec *)o;
    xrelease(vm, s->name);
    xrelease(vm, s->origin);
    xrelease(vm, s->locations);
    xrelease(vm, s->loader);
    xrelease(vm, s->cached);
    ou_finish_dealloc(vm, o, 0);
}

static void spec_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ModuleSpec *s = (ModuleSpec *)o;
    ou_visit(vm, s->locations, visit, arg);
    ou_visit(vm, s->loader, visit, arg);
}

static void spec_clear(VM *vm, Obj *o)
{
    set_owned(vm, &((ModuleSpec *)o)->locations, V_NONE);
    set_owned(vm, &((ModuleSpec *)o)->loader, V_NONE);
}

static Value spec_new(VM *vm, Value name, Value origin, Value locations, Value loader)
{
    ModuleSpec *s = ou_new(vm, vm->module_spec, 0);
    if (!s)
        return V_NULL;
    s->name = retain(name);
    s->origin = retain(origin);
    s->locations = retain(locations);
    s->loader = retain(loader);
    s->cached = V_NONE;
    return v_of(s);
}

static Value spec_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    Value a[5];
    if (!ou_bind(vm, "ModuleSpec(name, loader, *, origin=None, loader_state=None, is_package=None)", args, n, kwnames, a))
        return V_NULL;
    Value locations = V_NONE;
    if (a[4] != V_NULL) {
        int truth = ou_truth(vm, a[4]);
        if (truth < 0 || (truth && (locations = ou_list_new(vm, 0)) == V_NULL))
            return V_NULL;
    }
    Value s = spec_new(vm, a[0], a[2] == V_NULL ? V_NONE : a[2], locations, a[1]);
    release(vm, locations);
    return s;
}

static Value spec_repr(VM *vm, Value self)
{
    ModuleSpec *s = as_spec(self);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, "ModuleSpec(name=");
    ou_sb_repr(&b, s->name);
    ou_sb_puts(&b, ", loader=");
    ou_sb_repr(&b, s->loader);
    if (s->origin != V_NONE) {
        ou_sb_puts(&b, ", origin=");
        ou_sb_repr(&b, s->origin);
    }
    if (s->locations != V_NONE) {
        ou_sb_puts(&b, ", submodule_search_locations=");
        ou_sb_repr(&b, s->locations);
    }
    ou_sb_putc(&b, ')');
    if (vm->exc != V_NULL) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    return ou_sb_finish(&b);
}

#define SPEC_FIELD(field)                                                                                             \
    static Value spec_get_##field(VM *vm, Value self)                                                                 \
    {                                                                                                                 \
        (void)vm;                                                                                                     \
        return retain(as_spec(self)->field);                                                                          \
    }                                                                                                                 \
    static bool spec_set_##field(VM *vm, Value self, Value v)                                                         \
    {                                                                                                                 \
        set_owned(vm, &as_spec(self)->field, v == V_NULL ? V_NONE : retain(v));                                       \
        return true;                                                                                                  \
    }
SPEC_FIELD(name)
SPEC_FIELD(origin)
SPEC_FIELD(locations)
SPEC_FIELD(loader)
SPEC_FIELD(cached)

static Value spec_get_parent(VM *vm, Value self)
{
    ModuleSpec *s = as_spec(self);
    if (!is_str(s->name) || s->locations != V_NONE)
        return retain(s->name);
    const char *p = as_str(s->name)->data, *dot = strrchr(p, '.');
    return ou_str_new(vm, p, dot ? (size_t)(dot - p) : 0);
}

static Value spec_get_initializing(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_spec(self)->initializing);
}

static bool spec_set_initializing(VM *vm, Value self, Value v)
{
    int truth = v == V_NULL ? 0 : ou_truth(vm, v);
    as_spec(self)->initializing = truth > 0;
    return truth >= 0;
}

static Value spec_get_has_location(VM *vm, Value self)
{
    (void)vm;
    return v_bool(as_spec(self)->has_location);
}

static bool spec_set_has_location(VM *vm, Value self, Value v)
{
    int truth = v == V_NULL ? 0 : ou_truth(vm, v);
    as_spec(self)->has_location = truth > 0;
    return truth >= 0;
}

static const GetSetDef spec_getset[] = {
    {"name", spec_get_name, spec_set_name, NULL},
    {"origin", spec_get_origin, spec_set_origin, NULL},
    {"submodule_search_locations", spec_get_locations, spec_set_locations, NULL},
    {"loader", spec_get_loader, spec_set_loader, NULL},
    {"cached", spec_get_cached, spec_set_cached, NULL},
    {"parent", spec_get_parent, NULL, NULL},
    {"_initializing", spec_get_initializing, spec_set_initializing, NULL},
    {"has_location", spec_get_has_location, spec_set_has_location, NULL},
    {0},
};

const TypeDef ou_module_spec_def = {
    .name = "importlib.machinery.ModuleSpec",
    .size = sizeof(ModuleSpec),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_IMMUTABLE,
    .slots = {.make = spec_make, .dealloc = spec_dealloc, .traverse = spec_traverse, .clear = spec_clear, .repr = spec_repr},
    .getset = spec_getset,
};

ModuleSpec *ou_module_spec(VM *vm, Dict *ns)
{
    Value v = ns ? ou_dict_get_str(vm, ns, name_of(vm, N_DU_spec)) : V_NULL;
    return v != V_NULL && is_obj(v) && ou_is_subtype(ou_type_of(vm, v), vm->module_spec) ? as_spec(v) : NULL;
}

/* ---- errors ------------------------------------------------------------------------------------------------------------- */

/* ImportError with its fields; takes msg. The fields are borrowed and may be V_NULL. */
static Value raise_import(VM *vm, TypeId err, Value msg, Value name, Value path, Value name_from)
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
    return raise_import(vm, E_MODULE_NOT_FOUND, ou_str_format(vm, "No module named %R", name), name, V_NULL, V_NULL);
}

/* ---- finding --------------------------------------------------------------------------------------------------------------- */

typedef enum FoundKind { FOUND_NOTHING, FOUND_NATIVE, FOUND_FROZEN, FOUND_FILE, FOUND_NAMESPACE } FoundKind;
typedef struct Found {
    FoundKind kind;
    int index;          /* of the native or frozen table */
    bool is_package;
    Value filename;     /* FILE: owned str */
    Value locations;    /* packages: owned list; else V_NONE */
} Found;

static void found_done(VM *vm, Found *f)
{
    release(vm, f->filename);
    release(vm, f->locations);
}

static int find_frozen(const char *name, size_t n)
{
    size_t lo = 0, hi = ou_frozen_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        const char *m = ou_frozen_modules[mid].name;
        int c = strncmp(name, m, n);
        if (c == 0)
            c = m[n] ? -1 : 0;
        if (c == 0)
            return (int)mid;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return -1;
}

const char *ou_frozen_source(const char *name, size_t n, size_t *len)
{
    int i = find_frozen(name, n);
    if (i < 0)
        return NULL;
    *len = ou_frozen_modules[i].source_len;
    return ou_frozen_modules[i].source;
}

static bool is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_dir(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static Value path_str(VM *vm, const char *p)
{
    return ou_str_decode(vm, p, strlen(p), "utf-8", "surrogateescape");
}

/* Looks for `tail` in one folder. False: an exception is pending. */
static bool find_in_folder(VM *vm, const char *folder, const char *tail, Found *f, Value namespaces)
{
    static const char *const forms[] = {"/__init__.script", "/__init__.py", ".script", ".py"};
    char buf[4096];
    int n = snprintf(buf, sizeof buf, "%s%s%s", folder, *folder && folder[strlen(folder) - 1] != '/' ? "/" : "", tail);
    if (n < 0 || n + 20 > (int)sizeof buf)
        return true;
    bool dir = is_dir(buf);
    for (int i = dir ? 0 : 2; i < 4; i++) {
        strcpy(buf + n, forms[i]);
        if (!is_file(buf))
            continue;
        f->kind = FOUND_FILE;
        f->filename = path_str(vm, buf);
        if (f->filename == V_NULL) {
            f->filename = V_NONE;
            return false;
        }
        if (i < 2) {
            f->is_package = true;
            buf[n] = 0;
            Value p = path_str(vm, buf);
            Value list = p == V_NULL ? V_NULL : ou_list_of(vm, &p, 1);
            xrelease(vm, p);
            if (list == V_NULL)
                return false;
            f->locations = list;
        }
        return true;
    }
    if (dir) {
        buf[n] = 0;
        Value p = path_str(vm, buf);
        return p != V_NULL && ou_list_append_take(vm, as_list(namespaces), p);
    }
    return true;
}

static bool find_on_path(VM *vm, Value path, const char *tail, Found *f)
{
    size_t n;
    Value own = V_NULL;
    const Value *entries = ou_seq_items(vm, path, &n, &own, "module path must be iterable");
    if (!entries && vm->exc != V_NULL)
        return false;
    Value namespaces = ou_list_new(vm, 0);
    bool ok = namespaces != V_NULL;
    for (size_t i = 0; ok && i < n && f->kind == FOUND_NOTHING; i++) {
        if (!is_str(entries[i]))
            continue;
        Value bytes = ou_str_encode(vm, entries[i], "utf-8", "surrogateescape");
        if (bytes == V_NULL) {
            ok = false;
            break;
        }
        const Value keep = retain(entries[i]);
        ok = find_in_folder(vm, as_str(entries[i])->data, tail, f, namespaces);
        release(vm, keep);
        release(vm, bytes);
    }
    if (ok && f->kind == FOUND_NOTHING && as_list(namespaces)->n) {
        f->kind = FOUND_NAMESPACE;
        f->is_package = true;
        f->locations = retain(namespaces);
    }
    xrelease(vm, namespaces);
    xrelease(vm, own);
    return ok;
}

/* The library first (natives, frozen scripts), then the path; path V_NONE: sys.path. */
static bool find(VM *vm, Str *name, Value path, Found *f)
{
    *f = (Found){FOUND_NOTHING, -1, false, V_NONE, V_NONE};
    const char *dot = strrchr(name->data, '.'), *tail = dot ? dot + 1 : name->data;
    if ((f->index = ou_native_module_find(name)) >= 0) {
        f->kind = FOUND_NATIVE;
        return true;
    }
    if ((f->index = find_frozen(name->data, name->size)) >= 0) {
        f->kind = FOUND_FROZEN;
        f->is_package = ou_frozen_modules[f->index].is_package;
        if (f->is_package) {
            f->locations = ou_list_new(vm, 0);
            if (f->locations == V_NULL) {
                f->locations = V_NONE;
                return false;
            }
        }
        return true;
    }
    if (!(vm->caps & IMPORT_CAP_FILES) || memchr(name->data, 0, name->size) || strchr(tail, '/'))
        return true;
    if (path == V_NONE)
        path = vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, "path") : V_NULL;
    if (path == V_NULL || path == V_NONE)
        return true;
    retain(path);
    bool ok = find_on_path(vm, path, tail, f);
    release(vm, path);
    if (!ok)
        found_done(vm, f);
    return ok;
}

/* ---- loading --------------------------------------------------------------------------------------------------------------------- */

static char *read_file(VM *vm, const char *path, size_t *size_out, size_t *cap_out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    size_t n = 0, cap = 0;
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size > 0)
        cap = (size_t)st.st_size + 1;
    else
        cap = 4096;
    char *p = ou_alloc(&vm->heap, cap);
    while (p) {
        if (n + 1 >= cap) {
            size_t bigger = cap * 2;
            char *q = ou_realloc(&vm->heap, p, cap, bigger);
            if (!q) {
                ou_free(&vm->heap, p, cap);
                p = NULL;
                break;
            }
            p = q;
            cap = bigger;
        }
        ssize_t got = read(fd, p + n, cap - n - 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            int err = errno;
            ou_free(&vm->heap, p, cap);
            close(fd);
            errno = err;
            return NULL;
        }
        if (got == 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    if (!p) {
        ou_raise_memory(vm);
        return NULL;
    }
    p[n] = 0;
    *size_out = n;
    *cap_out = cap;
    return p;
}

static Value compile_found(VM *vm, const Found *f, Value filename)
{
    if (f->kind == FOUND_FROZEN) {
        const FrozenModule *z = &ou_frozen_modules[f->index];
        Value ready = z->code ? ou_code_load(vm, z->code, z->code_len) : V_NULL;
        if (ready != V_NULL || vm->exc != V_NULL)
            return ready;
        return ou_compile(vm, z->source, z->source_len, filename, "exec", 0);
    }
    size_t n, cap;
    char *src = read_file(vm, as_str(filename)->data, &n, &cap);
    if (!src)
        return vm->exc != V_NULL ? V_NULL : ou_raise_errno(vm, errno, filename);
    Value code = ou_compile(vm, src, n, filename, "exec", 0);
    ou_free(&vm->heap, src, cap);
    return code;
}

static bool fill_namespace(VM *vm, Dict *ns, Str *name, const Found *f, Value spec, Value filename)
{
    bool ok = ou_dict_set_str(vm, ns, name_of(vm, N_DU_name), v_of(name)) &&
              (ou_dict_get_str(vm, ns, name_of(vm, N_DU_doc)) != V_NULL || ou_dict_set_str(vm, ns, name_of(vm, N_DU_doc), V_NONE)) &&
              ou_dict_set_str(vm, ns, name_of(vm, N_DU_loader), V_NONE) &&
              ou_dict_set_str(vm, ns, name_of(vm, N_DU_spec), spec);
    if (!ok)
        return false;
    Value parent = spec_get_parent(vm, spec);
    ok = parent != V_NULL && ou_dict_set_str(vm, ns, name_of(vm, N_DU_package), parent);
    xrelease(vm, parent);
    if (ok && f->is_package)
        ok = ou_dict_set_str(vm, ns, name_of(vm, N_DU_path), as_spec(spec)->locations);
    if (ok && f->kind == FOUND_FILE)
        ok = ou_dict_set_str(vm, ns, name_of(vm, N_DU_file), filename);
    if (ok && vm->builtins && f->kind != FOUND_NATIVE)
        ok = ou_dict_set_str(vm, ns, name_of(vm, N_DU_builtins), v_of(vm->builtins));
    return ok;
}

static Value spec_of_found(VM *vm, Str *name, const Found *f)
{
    Value origin = f->kind == FOUND_FILE     ? retain(f->filename)
                   : f->kind == FOUND_NATIVE ? ou_str_c(vm, "built-in")
                   : f->kind == FOUND_FROZEN ? ou_str_c(vm, "frozen")
                                             : V_NONE;
    if (origin == V_NULL)
        return V_NULL;
    Value spec = spec_new(vm, v_of(name), origin, f->locations, V_NONE);
    release(vm, origin);
    if (spec != V_NULL)
        as_spec(spec)->has_location = f->kind == FOUND_FILE;
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
    Value spec = spec_of_found(vm, name, f), module = V_NULL, filename = V_NULL, code = V_NULL, result = V_NULL;
    if (spec == V_NULL)
        return V_NULL;
    if (f->kind == FOUND_NATIVE) {
        module = ou_native_module_make(vm, f->index);
        if (module != V_NULL && fill_namespace(vm, ((Module *)v_obj(module))->dict, name, f, spec, V_NONE) &&
            ou_dict_set(vm, vm->modules, v_of(name), module))
            result = retain(module);
        goto done;
    }
    filename = f->kind == FOUND_FROZEN ? ou_str_format(vm, "<frozen %U>", v_of(name)) : retain(f->filename);
    module = ou_module_new(vm, name->data, name->size);
    if (filename == V_NULL || module == V_NULL)
        goto done;
    Dict *ns = ((Module *)v_obj(module))->dict;
    if (!fill_namespace(vm, ns, name, f, spec, filename) || !ou_dict_set(vm, vm->modules, v_of(name), module))
        goto done;
    if (f->kind != FOUND_NAMESPACE) {
        as_spec(spec)->initializing = true;
        code = compile_found(vm, f, filename);
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

static Value import_absolute(VM *vm, Str *name);

/* The parent package (owned, in *parent) and its __path__ (owned). */
static bool import_parent(VM *vm, Str *name, size_t parent_len, Value *parent, Value *path)
{
    Value pname = ou_str_new(vm, name->data, parent_len);
    if (pname == V_NULL)
        return false;
    Value there = ou_dict_get(vm, vm->modules, pname);
    *parent = there == V_NONE ? V_NONE : import_absolute(vm, as_str(pname)); /* None there: blocked, "not a package" */
    if (*parent == V_NULL) {
        release(vm, pname);
        return false;
    }
    bool missing = false;
    *path = ou_getattr_opt(vm, *parent, name_of(vm, N_DU_path), &missing);
    if (*path == V_NULL && missing && ou_dict_get(vm, vm->modules, v_of(name)) != V_NULL)
        *path = V_NONE; /* no package, but its body has put the name into sys.modules: os.path */
    else if (*path == V_NULL && missing)
        raise_import(vm, E_MODULE_NOT_FOUND, ou_str_format(vm, "No module named %R; %R is not a package", v_of(name), pname),
                     v_of(name), V_NULL, V_NULL);
    release(vm, pname);
    if (*path == V_NULL) {
        release(vm, *parent);
        return false;
    }
    return true;
}

/* The module itself (owned). Recursion is bounded by the number of dots and by ou_call's depth limit in module bodies. */
static Value import_absolute(VM *vm, Str *name)
{
    Value found = ou_dict_get(vm, vm->modules, v_of(name));
    if (found == V_NONE)
        return raise_import(vm, E_MODULE_NOT_FOUND, ou_str_format(vm, "import of %U halted; None in sys.modules", v_of(name)),
                            v_of(name), V_NULL, V_NULL);
    if (found != V_NULL)
        return retain(found);
    if (vm->exc != V_NULL)
        return V_NULL;
    const char *dot = strrchr(name->data, '.');
    Value parent = V_NULL, path = V_NONE;
    if (dot) {
        if (!import_parent(vm, name, (size_t)(dot - name->data), &parent, &path))
            return V_NULL;
        found = ou_dict_get(vm, vm->modules, v_of(name)); /* the parent may have imported it */
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
        if (find(vm, name, path, &f)) {
            module = f.kind == FOUND_NOTHING ? raise_not_found(vm, v_of(name)) : load(vm, name, &f);
            found_done(vm, &f);
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
        return spec_get_parent(vm, v_of(spec));
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

/* ---- from lists ---------------------------------------------------------------------------------------------------------------------------- */

static bool import_from_list(VM *vm, Value module, Value fromlist, bool nested)
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
                ok = import_from_list(vm, module, all, true);
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
                Value sub = full == V_NULL ? V_NULL : import_absolute(vm, as_str(full));
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
    Value module = import_absolute(vm, as_str(full));
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
        bool ok = path != V_NULL ? import_from_list(vm, module, fromlist, false) : missing;
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
            module = top == V_NULL ? V_NULL : import_absolute(vm, as_str(top));
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
    Value m = import_absolute(vm, as_str(name));
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
    raise_import(vm, E_IMPORT, msg, shown, origin, v_of(name));
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
               find(vm, as_str(name), path, &f)) {
        if (f.kind == FOUND_NOTHING) {
            raise_import(vm, E_MODULE_NOT_FOUND, ou_str_format(vm, "spec not found for the module %R", name), name, V_NULL, V_NULL);
        } else if (f.kind == FOUND_NATIVE || f.kind == FOUND_NAMESPACE) {
            result = retain(module);
        } else {
            Value spec = spec_of_found(vm, as_str(name), &f), code = V_NULL;
            Value file = f.kind == FOUND_FROZEN ? ou_str_format(vm, "<frozen %U>", name) : retain(f.filename);
            if (spec != V_NULL && file != V_NULL && fill_namespace(vm, ns, as_str(name), &f, spec, file) &&
                (code = compile_found(vm, &f, file)) != V_NULL) {
                Value r = ou_exec(vm, as_code(code), ns, V_NULL, NULL);
                if (r != V_NULL)
                    result = loaded_module(vm, as_str(name));
                xrelease(vm, r);
            }
            xrelease(vm, code);
            xrelease(vm, spec);
            xrelease(vm, file);
        }
        found_done(vm, &f);
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
        spec = spec_of_found(vm, as_str(name), &f);
        ok = spec != V_NULL && fill_namespace(vm, ((Module *)v_obj(m))->dict, as_str(name), &f, spec, V_NONE);
    }
    xrelease(vm, spec);
    xrelease(vm, name);
    return ok;
}

Value ou_import_find_spec(VM *vm, Str *name, Value path)
{
    Found f;
    if (!find(vm, name, path, &f))
        return V_NULL;
    Value spec = f.kind == FOUND_NOTHING ? V_NONE : spec_of_found(vm, name, &f);
    found_done(vm, &f);
    return spec;
}

Value ou_import_find_main(VM *vm, const char *dotted, Value *filename)
{
    Value name = ou_str_c(vm, dotted), code = V_NULL, parent = V_NULL, path = V_NONE;
    if (name == V_NULL)
        return V_NULL;
    for (int round = 0; round < 2; round++) {
        const char *dot = strrchr(as_str(name)->data, '.');
        if (dot && !import_parent(vm, as_str(name), (size_t)(dot - as_str(name)->data), &parent, &path))
            break;
        Found f;
        bool ok = find(vm, as_str(name), path, &f);
        xrelease(vm, parent);
        release(vm, path);
        parent = V_NULL;
        path = V_NONE;
        if (!ok)
            break;
        if (f.is_package && round == 0) {
            Value sub = ou_str_format(vm, "%U.__main__", name);
            found_done(vm, &f);
            release(vm, name);
            name = sub;
            if (name == V_NULL)
                return V_NULL;
            continue;
        }
        if (f.kind == FOUND_FILE || f.kind == FOUND_FROZEN) {
            *filename = f.kind == FOUND_FILE ? retain(f.filename) : ou_str_format(vm, "<frozen %U>", name);
            if (*filename != V_NULL)
                code = compile_found(vm, &f, *filename);
            if (code == V_NULL)
                xrelease(vm, *filename);
        } else if (f.kind == FOUND_NATIVE) {
            ou_raise(vm, E_IMPORT, "No code object available for %U", name);
        } else if (round == 1) {
            ou_raise(vm, E_IMPORT, "No module named %U; '%s' is a package and cannot be directly executed", name, dotted);
        } else {
            ou_raise(vm, E_IMPORT, "No module named %U", name);
        }
        found_done(vm, &f);
        break;
    }
    release(vm, name);
    return code;
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
    const char *env = (vm->caps & IMPORT_CAP_ENV) ? getenv("OUROPATH") : NULL;
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
