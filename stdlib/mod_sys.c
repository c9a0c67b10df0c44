/* The `sys` module: its namespace is vm->sysdict. Entry point: ou_sys_boot. The functions that look at frames and the hooks are in
 * mod_sys_hooks.c.
 * The one thing to know: sys is made at boot, but whatever is costly and rarely read (float_info, stdlib_module_names ...) is made
 * only when somebody asks, by the module's lazy_getattr. */
#include <float.h>
#include <math.h>

#include "ou_config.h"
#include "runtime/objects/frozen.h"
#include "runtime/objects/import.h"
#include "stdlib/sys_impl.h"
#include "vm/call.h"

/* ---- struct sequences ------------------------------------------------------------------------------------------------------ */

static const char *const version_fields[] = {"major", "minor", "micro", "releaselevel", "serial", NULL};
static const char *const flags_fields[] = {
    "debug", "inspect", "interactive", "optimize", "dont_write_bytecode", "no_user_site", "no_site", "ignore_environment", "verbose",
    "bytes_warning", "quiet", "hash_randomization", "isolated", "dev_mode", "utf8_mode", "warn_default_encoding", "safe_path",
    "int_max_str_digits", NULL};
static const char *const float_fields[] = {"max", "max_exp", "max_10_exp", "min", "min_exp", "min_10_exp", "dig", "mant_dig",
                                           "epsilon", "radix", "rounds", NULL};
static const char *const int_fields[] = {"bits_per_digit", "sizeof_digit", "default_max_str_digits", "str_digits_check_threshold",
                                         NULL};
static const char *const hash_fields[] = {"width", "modulus", "inf", "nan", "imag", "algorithm", "hash_bits", "seed_bits", "cutoff",
                                          NULL};
static const char *const thread_fields[] = {"name", "lock", "version", NULL};
static const char *const unraisable_fields[] = {"exc_type", "exc_value", "exc_traceback", "err_msg", "object", NULL};
static const char *const hooks_fields[] = {"firstiter", "finalizer", NULL};

static const StructSeqDef version_def = {"sys.version_info", NULL, version_fields, 5, true};
static const StructSeqDef flags_def = {"sys.flags", NULL, flags_fields, 18, true};
static const StructSeqDef float_def = {"sys.float_info", NULL, float_fields, 11, false};
static const StructSeqDef int_def = {"sys.int_info", NULL, int_fields, 4, false};
static const StructSeqDef hash_def = {"sys.hash_info", NULL, hash_fields, 9, false};
static const StructSeqDef thread_def = {"sys.thread_info", NULL, thread_fields, 3, false};
static const StructSeqDef unraisable_def = {"UnraisableHookArgs", NULL, unraisable_fields, 5, false};
static const StructSeqDef hooks_def = {"asyncgen_hooks", NULL, hooks_fields, 2, false};

/* Makes type and instance; takes the items, any of which may be V_NULL (raised). */
static Value one_of(VM *vm, const StructSeqDef *def, Value *items, int n)
{
    bool ok = true;
    for (int i = 0; i < n; i++)
        ok = ok && items[i] != V_NULL;
    Type *t = ok ? ou_structseq_type(vm, def) : NULL;
    if (!t) {
        for (int i = 0; i < n; i++)
            xrelease(vm, items[i]);
        return V_NULL;
    }
    Value v = ou_structseq_new(vm, t, items);
    obj_release(vm, t);
    return v;
}

static Value make_version(VM *vm)
{
    Value items[5] = {v_smallint(3), v_smallint(13), V_INT0, ou_str_c(vm, "final"), V_INT0};
    return one_of(vm, &version_def, items, 5);
}

static Value given(VM *vm, char letter)
{
    int n = 0;
    for (const char *p = vm->options; *p; p++)
        n += *p == letter;
    return v_smallint(n);
}

static Value make_flags(VM *vm)
{
    Value items[18];
    for (int i = 0; i < 18; i++)
        items[i] = V_INT0;
    static const char letters[] = "dii    Evbq I";
    for (int i = 0; letters[i]; i++)
        if (letters[i] != ' ')
            items[i] = given(vm, letters[i]);
    items[3] = v_smallint(vm->optimize);
    items[4] = items[5] = items[6] = v_smallint(1);
    items[11] = v_smallint(1);
    items[13] = v_bool(vm->dev_mode);
    items[14] = v_smallint(1);
    items[16] = v_bool(vm->safe_path);
    items[17] = v_smallint(vm->int_max_str_digits);
    return one_of(vm, &flags_def, items, 18);
}

static Value make_float_info(VM *vm)
{
    Value items[11] = {v_float(DBL_MAX), v_smallint(DBL_MAX_EXP), v_smallint(DBL_MAX_10_EXP), v_float(DBL_MIN),
                       v_smallint(DBL_MIN_EXP), v_smallint(DBL_MIN_10_EXP), v_smallint(DBL_DIG), v_smallint(DBL_MANT_DIG),
                       v_float(DBL_EPSILON), v_smallint(FLT_RADIX), v_smallint(1)};
    return one_of(vm, &float_def, items, 11);
}

static Value make_int_info(VM *vm)
{
    Value items[4] = {v_smallint(30), v_smallint(4), v_smallint(4300), v_smallint(640)};
    return one_of(vm, &int_def, items, 4);
}

static Value make_hash_info(VM *vm)
{
    Value items[9] = {v_smallint(64), ou_int(vm, (INT64_C(1) << 61) - 1), v_smallint(314159), V_INT0, v_smallint(1000003),
                      ou_str_c(vm, "siphash13"), v_smallint(64), v_smallint(128), V_INT0};
    return one_of(vm, &hash_def, items, 9);
}

static Value make_thread_info(VM *vm)
{
    Value items[3] = {ou_str_c(vm, "pthread"), ou_str_c(vm, "semaphore"), V_NONE};
    return one_of(vm, &thread_def, items, 3);
}

/* ---- namespaces and sets made on request -------------------------------------------------------------------------------------- */

static Value make_implementation(VM *vm)
{
    Value d = ou_dict_new(vm), v = ou_dict_get_c(vm, vm->sysdict, "version_info"), r = V_NULL;
    if (d == V_NULL || v == V_NULL)
        return xrelease(vm, d), V_NULL;
    Value name = ou_str_c(vm, "ouro"), tag = ou_str_c(vm, "ouro-313"), hex = v_smallint(0x030d00f0);
    Value arch = ou_str_c(vm, "x86_64-linux-gnu");
    if (name != V_NULL && tag != V_NULL && arch != V_NULL && ou_dict_set_c(vm, as_dict(d), "name", name) &&
        ou_dict_set_c(vm, as_dict(d), "cache_tag", tag) && ou_dict_set_c(vm, as_dict(d), "version", v) &&
        ou_dict_set_c(vm, as_dict(d), "hexversion", hex) && ou_dict_set_c(vm, as_dict(d), "_multiarch", arch))
        r = ou_call_ex(vm, v_of(ou_builtin(vm, T_NAMESPACE)), as_tuple(vm->empty_tuple), as_dict(d));
    xrelease(vm, name);
    xrelease(vm, tag);
    xrelease(vm, arch);
    release(vm, d);
    return r;
}

static Value make_builtin_names(VM *vm)
{
    Value list = ou_list_new(vm, MOD_COUNT);
    for (int i = 0; list != V_NULL && i < MOD_COUNT; i++) {
        Value s = ou_str_c(vm, ou_native_modules[i].name);
        if (s == V_NULL || !ou_list_append_take(vm, as_list(list), s)) {
            release(vm, list);
            return V_NULL;
        }
    }
    Value t = list == V_NULL ? V_NULL : ou_tuple_from(vm, list);
    xrelease(vm, list);
    return t;
}

static Value make_stdlib_names(VM *vm)
{
    Value set = ou_set_new(vm, T_FROZENSET);
    bool ok = set != V_NULL;
    for (size_t i = 0; ok && i < MOD_COUNT + ou_frozen_count; i++) {
        const char *name = i < MOD_COUNT ? ou_native_modules[i].name : ou_frozen_modules[i - MOD_COUNT].name;
        if (strchr(name, '.'))
            continue;
        Value s = ou_str_c(vm, name);
        ok = s != V_NULL && ou_set_add(vm, as_set(set), s);
        xrelease(vm, s);
    }
    if (!ok) {
        xrelease(vm, set);
        return V_NULL;
    }
    return set;
}

/* In script: what few programs touch. */
static const char *const in_script[] = {"breakpointhook", "__breakpointhook__", "call_tracing", "_current_exceptions", "_stdlib_dir",
                                        "__interactivehook__", "_is_interned", "_clear_type_cache", "_clear_internal_caches"};

static const struct {
    const char *name;
    Value (*make)(VM *vm);
} lazy[] = {
    {"flags", make_flags}, {"float_info", make_float_info}, {"int_info", make_int_info}, {"hash_info", make_hash_info},
    {"thread_info", make_thread_info}, {"implementation", make_implementation}, {"builtin_module_names", make_builtin_names},
    {"stdlib_module_names", make_stdlib_names},
};

/* Called when the namespace has no such name; V_NULL without an exception: unknown here, too. */
static Value sys_lazy(VM *vm, Value module, Str *name)
{
    (void)module;
    for (size_t i = 0; i < sizeof lazy / sizeof *lazy; i++) {
        if (ou_str_eq_c(name, lazy[i].name)) {
            Value v = lazy[i].make(vm);
            if (v != V_NULL && !ou_dict_set_str(vm, vm->sysdict, name, v)) {
                release(vm, v);
                return V_NULL;
            }
            return v;
        }
    }
    for (size_t i = 0; i < sizeof in_script / sizeof *in_script; i++) {
        if (!ou_str_eq_c(name, in_script[i]))
            continue;
        Value v = ou_import_attr(vm, "_sysmore", in_script[i]);
        if (v != V_NULL && !ou_dict_set_str(vm, vm->sysdict, name, v)) {
            release(vm, v);
            return V_NULL;
        }
        return v;
    }
    return V_NULL;
}

/* ---- plain functions --------------------------------------------------------------------------------------------------------------- */

static Value sys_exit(VM *vm, const Value *args, int n)
{
    Value status = n ? args[0] : V_NONE;
    if (ou_is_a(vm, status, E_SYSTEM_EXIT))
        return ou_raise_value(vm, status);
    if (ou_is_a(vm, status, T_TUPLE)) /* its items are the arguments */
        return ou_raise_args(vm, E_SYSTEM_EXIT, as_tuple(status)->items, (int)as_tuple(status)->n);
    return ou_raise_args(vm, E_SYSTEM_EXIT, args, status == V_NONE ? 0 : n);
}

static Value sys_getrecursionlimit(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return v_smallint(vm->recursion_limit);
}

static Value sys_setrecursionlimit(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t limit;
    if (!ou_index_i64(vm, args[0], &limit))
        return V_NULL;
    if (limit < 1)
        return ou_raise(vm, E_VALUE, "recursion limit must be greater or equal than 1");
    if (limit > INT32_MAX)
        return ou_raise(vm, E_OVERFLOW, "Python int too large to convert to C int");
    if (vm->budget.depth_max && limit > vm->budget.depth_max)
        return ou_raise(vm, E_VALUE, "recursion limit must not exceed %u, the host's limit", vm->budget.depth_max);
    vm->recursion_limit = (uint32_t)limit;
    ou_stack_limit_reset(vm); /* the next call counts the frames */
    return V_NONE;
}

static Value sys_getrefcount(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)n;
    return v_smallint(is_obj(args[0]) ? (int64_t)v_obj(args[0])->refs : INT64_C(4294967295));
}

static Value sys_getsizeof(VM *vm, const Value *args, int n)
{
    (void)n;
    Value f = ou_lookup_special(vm, args[0], name_of(vm, N_DU_sizeof)), r = V_NULL;
    if (f != V_NULL) {
        r = ou_call0(vm, f);
        release(vm, f);
        int64_t size;
        if (r != V_NULL && ou_index_i64(vm, r, &size)) {
            if (size >= 0)
                return r;
            ou_raise(vm, E_VALUE, "__sizeof__() should return >= 0");
        }
        xrelease(vm, r);
    } else if (vm->exc == V_NULL) {
        ou_raise(vm, E_TYPE, "Type %T doesn't define __sizeof__", args[0]);
    }
    if (args[1] != V_NULL && ou_exc_matches(vm, E_TYPE)) {
        ou_exc_clear(vm);
        return retain(args[1]);
    }
    return V_NULL;
}

static Value sys_intern(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "intern() argument must be str, not %K", args[0]);
    if (!is_str(args[0]))
        return ou_raise(vm, E_TYPE, "can't intern %T", args[0]);
    Str *s = ou_intern_str(vm, as_str(args[0]));
    return s ? v_of(s) : V_NULL;
}

static Value text(VM *vm, const char *s) { return ou_str_c(vm, s); }
static Value sys_getdefaultencoding(VM *vm, const Value *args, int n) { return (void)args, (void)n, text(vm, "utf-8"); }
static Value sys_getfilesystemencoding(VM *vm, const Value *args, int n) { return (void)args, (void)n, text(vm, "utf-8"); }
static Value sys_getfilesystemencodeerrors(VM *vm, const Value *args, int n)
{
    return (void)args, (void)n, text(vm, "surrogateescape");
}

static Value sys_get_int_max_str_digits(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return v_smallint(vm->int_max_str_digits);
}

static Value sys_set_int_max_str_digits(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t digits;
    if (!ou_index_i64(vm, args[0], &digits))
        return V_NULL;
    if (digits != 0 && (digits < 640 || digits > INT32_MAX))
        return ou_raise(vm, E_VALUE, "maxdigits must be 0 or larger than 640");
    vm->int_max_str_digits = (int)digits;
    return V_NONE;
}

typedef struct SysState {
    Value audit_hooks; /* list, or V_NULL */
    double switch_interval; /* what was set, and does nothing; 0: nothing was */
} SysState;

static Value sys_getswitchinterval(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    SysState *st = ou_module_record(vm, MOD_sys, sizeof *st);
    return !st ? V_NULL : v_float(st->switch_interval > 0 ? st->switch_interval : 0.005);
}

static Value sys_setswitchinterval(VM *vm, const Value *args, int n)
{
    (void)n;
    SysState *st = ou_module_record(vm, MOD_sys, sizeof *st);
    double v;
    if (!st || !ou_to_double(vm, args[0], &v))
        return V_NULL;
    if (!(v > 0))
        return ou_raise(vm, E_VALUE, "switch interval must be strictly positive");
    st->switch_interval = v;
    return V_NONE;
}

static Value sys_is_finalizing(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return v_bool(vm->finalizing);
}

static Value sys_none(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)args;
    (void)n;
    return V_NONE;
}

static Value sys_true(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)args;
    (void)n;
    return V_TRUE;
}

static Value sys_false(VM *vm, const Value *args, int n)
{
    (void)vm;
    (void)args;
    (void)n;
    return V_FALSE;
}

static Value sys_getallocatedblocks(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_int(vm, (int64_t)vm->objects_alive);
}

static bool call_audit_hooks(VM *vm, Value event, Value args)
{
    SysState *st = vm->module_state[MOD_sys];
    if (!st || st->audit_hooks == V_NULL)
        return true;
    List *l = as_list(st->audit_hooks);
    for (uint32_t i = 0; i < l->n; i++) {
        Value hook = retain(l->items[i]), r = ou_call2(vm, hook, event, args);
        release(vm, hook);
        if (r == V_NULL)
            return false;
        release(vm, r);
    }
    return true;
}

static Value sys_audit(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!ou_is_a(vm, args[0], T_STR))
        return ou_raise(vm, E_TYPE, "expected str for argument 'event', not %T", args[0]);
    return call_audit_hooks(vm, args[0], args[1]) ? V_NONE : V_NULL;
}

/* A hook that is there may keep another one out by raising. */
static Value sys_addaudithook(VM *vm, const Value *args, int n)
{
    (void)n;
    SysState *st = ou_module_record(vm, MOD_sys, sizeof *st);
    Value event = st ? ou_str_c(vm, "sys.addaudithook") : V_NULL, none = event == V_NULL ? V_NULL : ou_tuple_of(vm, NULL, 0);
    bool ok = none != V_NULL && call_audit_hooks(vm, event, none);
    xrelease(vm, event);
    xrelease(vm, none);
    if (!ok && (!st || !ou_exc_matches(vm, E_EXCEPTION)))
        return V_NULL;
    ou_exc_clear(vm);
    if (!ok)
        return V_NONE;
    if (st->audit_hooks == V_NULL && (st->audit_hooks = ou_list_new(vm, 0)) == V_NULL)
        return V_NULL;
    return ou_list_append(vm, as_list(st->audit_hooks), args[0]) ? V_NONE : V_NULL;
}

static const NativeDef functions[] = {
    {"exit(status=None, /)", sys_exit, "Exit the interpreter by raising SystemExit(status).", 0},
    {"getrecursionlimit()", sys_getrecursionlimit, NULL, 0},
    {"setrecursionlimit(limit, /)", sys_setrecursionlimit, NULL, 0},
    {"getrefcount(object, /)", sys_getrefcount, NULL, 0},
    {"getsizeof(object, default=None)", sys_getsizeof, NULL, 0},
    {"intern(string, /)", sys_intern, NULL, 0},
    {"getdefaultencoding()", sys_getdefaultencoding, NULL, 0},
    {"getfilesystemencoding()", sys_getfilesystemencoding, NULL, 0},
    {"getfilesystemencodeerrors()", sys_getfilesystemencodeerrors, NULL, 0},
    {"get_int_max_str_digits()", sys_get_int_max_str_digits, NULL, 0},
    {"set_int_max_str_digits(maxdigits)", sys_set_int_max_str_digits, NULL, 0},
    {"getswitchinterval()", sys_getswitchinterval, NULL, 0},
    {"setswitchinterval(interval, /)", sys_setswitchinterval, NULL, 0},
    {"is_finalizing()", sys_is_finalizing, NULL, 0},
    {"audit(event, /, *args)", sys_audit, NULL, 0},
    {"addaudithook(hook)", sys_addaudithook, NULL, 0},
    {"_is_gil_enabled()", sys_true, NULL, 0},
    {"is_stack_trampoline_active()", sys_false, NULL, 0},
    {"getallocatedblocks()", sys_getallocatedblocks, NULL, 0},
    {"gettrace()", sys_none, NULL, 0},
    {"getprofile()", sys_none, NULL, 0},
    {0},
};

/* ---- boot ----------------------------------------------------------------------------------------------------------------------------- */

static bool fill_lists(VM *vm, Module *m)
{
    if (vm->argv == V_NULL || !is_obj(vm->argv)) {
        Value empty = ou_str_c(vm, "");
        vm->argv = empty == V_NULL ? V_NULL : ou_list_of(vm, &empty, 1);
        xrelease(vm, empty);
    }
    return vm->argv != V_NULL && ou_module_set(vm, m, "argv", vm->argv) && ou_module_set(vm, m, "path", vm->path) &&
           ou_module_set(vm, m, "modules", v_of(vm->modules)) && ou_module_set(vm, m, "orig_argv", vm->argv) &&
           ou_module_take(vm, m, "meta_path", ou_list_new(vm, 0)) && ou_module_take(vm, m, "path_hooks", ou_list_new(vm, 0)) &&
           ou_module_take(vm, m, "path_importer_cache", ou_dict_new(vm)) &&
           ou_module_take(vm, m, "warnoptions", ou_list_new(vm, 0)) && ou_module_take(vm, m, "_xoptions", ou_dict_new(vm));
}

static bool fill_constants(VM *vm, Module *m)
{
#if defined(__clang__)
    const char *version = "3.13.0 (Ouro " OU_VERSION ") [Clang " __clang_version__ "]";
#else
    const char *version = "3.13.0 (Ouro " OU_VERSION ") [GCC " __VERSION__ "]";
#endif
    static const char *const texts[][2] = {
        {"byteorder", "little"}, {"platform", "linux"}, {"executable", ""}, {"prefix", "/usr"}, {"exec_prefix", "/usr"},
        {"base_prefix", "/usr"}, {"base_exec_prefix", "/usr"}, {"platlibdir", "lib"}, {"float_repr_style", "short"},
        {"abiflags", ""}, {"copyright", "Ouro is free software under the MIT licence."},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        if (!ou_module_str(vm, m, texts[i][0], texts[i][1]))
            return false;
    }
    return ou_module_str(vm, m, "version", version) && ou_module_take(vm, m, "version_info", make_version(vm)) &&
           ou_module_int(vm, m, "hexversion", 0x030d00f0) && ou_module_int(vm, m, "api_version", 1013) &&
           ou_module_int(vm, m, "maxsize", INT64_MAX) && ou_module_int(vm, m, "maxunicode", 0x10FFFF) &&
           ou_module_set(vm, m, "dont_write_bytecode", V_TRUE) && ou_module_set(vm, m, "pycache_prefix", V_NONE);
}

static bool fill_types(VM *vm, Module *m)
{
    Type *t = ou_structseq_type(vm, &unraisable_def);
    if (!t || !ou_module_take(vm, m, "UnraisableHookArgs", v_of(t)))
        return false;
    t = ou_structseq_type(vm, &hooks_def);
    return t && ou_module_take(vm, m, "_asyncgen_hooks", v_of(t));
}

bool ou_sys_boot(VM *vm)
{
    Value v = ou_module_new(vm, "sys", 3);
    if (v == V_NULL)
        return false;
    Module *m = (Module *)v_obj(v);
    m->lazy_getattr = sys_lazy;
    if (vm->sysdict) {
        Dict *old = m->dict;
        bool merged = ou_dict_merge(vm, vm->sysdict, v_of(old), true);
        m->dict = obj_retain(vm->sysdict);
        obj_release(vm, old);
        if (!merged) {
            release(vm, v);
            return false;
        }
    } else {
        vm->sysdict = obj_retain(m->dict);
    }
    if (!vm->int_max_str_digits)
        vm->int_max_str_digits = 4300;
    bool ok = ou_module_add(vm, m, functions) && ou_module_add(vm, m, ou_sys_hooks) && fill_lists(vm, m) && fill_constants(vm, m) &&
              fill_types(vm, m) && ou_sys_hooks_fill(vm, m) && ou_dict_set_c(vm, vm->modules, "sys", v);
    release(vm, v);
    return ok;
}

/* Reached only when a script has removed the module from sys.modules: it gets the namespace back. */
bool ou_mod_sys(VM *vm, Module *m)
{
    Dict *old = m->dict;
    m->dict = obj_retain(vm->sysdict);
    m->lazy_getattr = sys_lazy;
    obj_release(vm, old);
    return true;
}
