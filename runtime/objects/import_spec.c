/* The type of __spec__. Entry points: ou_spec_new, ou_module_spec. */
#include "runtime/objects/import_impl.h"

#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/call.h"

static void spec_dealloc(VM *vm, Obj *o)
{
    ModuleSpec *s = (ModuleSpec *)o;
    xrelease(vm, s->name);
    xrelease(vm, s->origin);
    xrelease(vm, s->locations);
    xrelease(vm, s->loader_given);
    xrelease(vm, s->cached);
    ou_finish_dealloc(vm, o, 0);
}

static void spec_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ModuleSpec *s = (ModuleSpec *)o;
    ou_visit(vm, s->locations, visit, arg);
    ou_visit(vm, s->loader_given, visit, arg);
}

static void spec_clear(VM *vm, Obj *o)
{
    set_owned(vm, &((ModuleSpec *)o)->locations, V_NONE);
    set_owned(vm, &((ModuleSpec *)o)->loader_given, V_NONE);
}

Value ou_spec_new(VM *vm, Value name, Value origin, Value locations, Value loader)
{
    ModuleSpec *s = ou_new(vm, vm->module_spec, 0);
    if (!s)
        return V_NULL;
    s->name = retain(name);
    s->origin = retain(origin);
    s->locations = retain(locations);
    s->loader_given = retain(loader);
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
    Value s = ou_spec_new(vm, a[0], a[2] == V_NULL ? V_NONE : a[2], locations, a[1]);
    release(vm, locations);
    return s;
}

static bool spec_set_loader(VM *vm, Value self, Value v)
{
    as_spec(self)->found = false;
    set_owned(vm, &as_spec(self)->loader_given, v == V_NULL ? V_NONE : retain(v));
    return true;
}

/* The modules that the importer itself has found have loaders only when somebody asks. */
static Value spec_get_loader(VM *vm, Value self)
{
    ModuleSpec *s = as_spec(self);
    if (s->loader_given == V_NONE && s->found && !vm->finalizing) {
        s->found = false; /* importing importlib asks again */
        Value f = ou_import_attr(vm, "importlib.util", "_loader_of"), loader = f == V_NULL ? V_NULL : ou_call1(vm, f, self);
        s->found = true;
        xrelease(vm, f);
        if (loader == V_NULL)
            return V_NULL;
        set_owned(vm, &s->loader_given, loader);
    }
    return retain(s->loader_given);
}

static Value spec_repr(VM *vm, Value self)
{
    ModuleSpec *s = as_spec(self);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, "ModuleSpec(name=");
    ou_sb_repr(&b, s->name);
    ou_sb_puts(&b, ", loader=");
    Value loader = spec_get_loader(vm, self);
    if (loader != V_NULL)
        ou_sb_repr(&b, loader);
    xrelease(vm, loader);
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
SPEC_FIELD(cached)

Value ou_spec_parent(VM *vm, Value self)
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
    {"parent", ou_spec_parent, NULL, NULL},
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
