/* `_warnings`: warn and warn_explicit with the filters, in C because the VM itself warns (ou_warn). The script module `warnings`
 * re-exports them; once it is imported, its filters list and its _showwarnmsg are used.
 * The one thing to know: a warning is shown once per place because the module's __warningregistry__ remembers it; a change of the
 * filters (version) makes all registries forget. */
#include "stdlib/stdlib.h"
#include "vm/call.h"

typedef struct WarningsState {
    Value filters; /* owned list of (action, message, category, module, lineno) */
    Value once, action;
    int64_t version;
} WarningsState;

static bool add_filter(VM *vm, List *l, const char *action, TypeId category, const char *module)
{
    Value items[5] = {ou_str_c(vm, action), V_NONE, retain(v_of(ou_builtin(vm, category))), V_NONE, V_INT0};
    if (module)
        items[3] = ou_str_c(vm, module);
    if (items[0] == V_NULL || items[3] == V_NULL) {
        for (int i = 0; i < 5; i++)
            xrelease(vm, items[i]);
        return false;
    }
    Value t = ou_tuple_take(vm, items, 5);
    return t != V_NULL && ou_list_append_take(vm, l, t);
}

static WarningsState *state(VM *vm)
{
    WarningsState *st = ou_module_record(vm, MOD__warnings, sizeof(WarningsState));
    if (!st || st->filters != V_NULL)
        return st;
    Value filters = ou_list_new(vm, 5);
    if (filters == V_NULL)
        return NULL;
    List *l = as_list(filters);
    bool ok = true;
    if (!vm->dev_mode)
        ok = add_filter(vm, l, "default", E_DEPRECATION_WARNING, "__main__") && add_filter(vm, l, "ignore", E_DEPRECATION_WARNING, NULL) &&
             add_filter(vm, l, "ignore", E_PENDING_DEPRECATION_WARNING, NULL) && add_filter(vm, l, "ignore", E_IMPORT_WARNING, NULL) &&
             add_filter(vm, l, "ignore", E_RESOURCE_WARNING, NULL);
    if (!ok || (st->once = ou_dict_new(vm)) == V_NULL || (st->action = ou_str_c(vm, "default")) == V_NULL) {
        release(vm, filters);
        return NULL;
    }
    st->filters = filters;
    return st;
}

/* An attribute of the script module if it is imported, else V_NULL without an exception. Owned. */
static Value from_script(VM *vm, const char *name)
{
    Value m = ou_dict_get_c(vm, vm->modules, "warnings");
    if (m == V_NULL || m == V_NONE)
        return V_NULL;
    Str *s = ou_intern_c(vm, name);
    if (!s)
        return V_NULL;
    bool missing = false;
    Value v = ou_getattr_opt(vm, m, s, &missing);
    obj_release(vm, s);
    return v;
}

/* ---- filters ----------------------------------------------------------------------------------------------------------------- */

/* None matches all, a str the same text, anything else has match(). 1, 0, -1. */
static int text_matches(VM *vm, Value pattern, Value text)
{
    if (pattern == V_NONE)
        return 1;
    if (is_str(pattern))
        return ou_str_equal(as_str(pattern), as_str(text));
    Value r = ou_call_method_c(vm, pattern, "match", &text, 1);
    if (r == V_NULL)
        return -1;
    int truth = ou_truth(vm, r);
    release(vm, r);
    return truth;
}

/* The action (owned str), or V_NULL raised. */
static Value find_action(VM *vm, WarningsState *st, Value category, Value text, Value module, int64_t lineno)
{
    Value filters = from_script(vm, "filters");
    if (filters == V_NULL) {
        if (vm->exc != V_NULL)
            return V_NULL;
        filters = retain(st->filters);
    }
    Value action = V_NULL;
    if (!ou_is_a(vm, filters, T_LIST))
        ou_raise(vm, E_VALUE, "_warnings.filters must be a list");
    for (uint32_t i = 0; vm->exc == V_NULL && action == V_NULL && i < as_list(filters)->n; i++) {
        Value row = retain(as_list(filters)->items[i]);
        if (!is_exact(row, T_TUPLE) || as_tuple(row)->n != 5) {
            ou_raise(vm, E_VALUE, "_warnings.filters item %d isn't a 5-tuple", (int)i);
        } else {
            Value *f = as_tuple(row)->items;
            int64_t line = 0;
            int ok = text_matches(vm, f[1], text);
            if (ok > 0)
                ok = ou_issubclass(vm, category, f[2]);
            if (ok > 0)
                ok = text_matches(vm, f[3], module);
            if (ok > 0 && ou_index_i64(vm, f[4], &line) && (line == 0 || line == lineno))
                action = retain(f[0]);
        }
        release(vm, row);
    }
    release(vm, filters);
    if (action == V_NULL && vm->exc == V_NULL) {
        action = from_script(vm, "defaultaction");
        if (action == V_NULL && vm->exc == V_NULL)
            action = retain(st->action);
    }
    return action;
}

/* Was it shown already? Otherwise it is remembered. 1, 0, -1. */
static int seen_before(VM *vm, Dict *registry, Value text, Value category, int64_t lineno)
{
    Value items[3] = {text, category, v_smallint(lineno)};
    Value key = ou_tuple_of(vm, items, 3);
    if (key == V_NULL)
        return -1;
    int r = 0;
    Value old = ou_dict_get(vm, registry, key);
    if (old != V_NULL)
        r = ou_truth(vm, old);
    else if (vm->exc != V_NULL)
        r = -1;
    if (r == 0 && !ou_dict_set(vm, registry, key, V_TRUE))
        r = -1;
    release(vm, key);
    return r;
}

static bool refresh(VM *vm, WarningsState *st, Dict *registry)
{
    Value v = ou_dict_get_c(vm, registry, "version");
    if (v == v_smallint(st->version))
        return true;
    ou_dict_clear(vm, registry);
    return ou_dict_set_c(vm, registry, "version", v_smallint(st->version));
}

/* ---- showing ------------------------------------------------------------------------------------------------------------------ */

static void show_text(VM *vm, Value filename, int64_t lineno, Value category, Value text)
{
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_value(&b, filename);
    ou_sb_printf(&b, ":%lld: ", (long long)lineno);
    ou_sb_str(&b, v_of(((Type *)v_obj(category))->name));
    ou_sb_puts(&b, ": ");
    ou_sb_str(&b, text);
    ou_sb_putc(&b, '\n');
    Value line = ou_source_line(vm, filename, lineno);
    if (line != V_NULL && line != V_NONE) {
        ou_sb_puts(&b, "  ");
        ou_sb_str(&b, line);
        ou_sb_putc(&b, '\n');
    }
    xrelease(vm, line);
    Value s = ou_sb_finish(&b);
    if (s != V_NULL)
        ou_stderr_write(vm, as_str(s)->data, as_str(s)->size);
    xrelease(vm, s);
    ou_exc_clear(vm);
}

static bool show(VM *vm, Value message, Value text, Value category, Value filename, int64_t lineno, Value source)
{
    Value fn = from_script(vm, "_showwarnmsg");
    if (fn == V_NULL) {
        if (vm->exc != V_NULL)
            return false;
        show_text(vm, filename, lineno, category, text);
        return true;
    }
    Value cls = from_script(vm, "WarningMessage"), args[7] = {message, category, filename, v_smallint(lineno), V_NONE, V_NONE, source};
    Value msg = V_NULL, r = V_NULL;
    if (cls != V_NULL)
        msg = ou_call(vm, cls, args, 7, NULL);
    else if (vm->exc == V_NULL)
        ou_raise(vm, E_RUNTIME, "unable to get warnings.WarningMessage");
    if (msg != V_NULL)
        r = ou_call1(vm, fn, msg);
    release(vm, fn);
    xrelease(vm, cls);
    xrelease(vm, msg);
    xrelease(vm, r);
    return r != V_NULL;
}

/* registry NULL: nothing is remembered. message: str or a Warning instance. */
static bool warn_at(VM *vm, Value category, Value message, Value filename, int64_t lineno, Value module, Dict *registry, Value source)
{
    WarningsState *st = state(vm);
    if (!st)
        return false;
    Value text, instance = V_NULL, action = V_NULL;
    bool ok = false;
    if (ou_is_a(vm, message, E_WARNING)) {
        text = ou_str(vm, message);
        category = v_of(ou_type_of(vm, message));
        instance = retain(message);
    } else {
        text = ou_is_a(vm, message, T_STR) ? retain(message) : ou_str(vm, message);
        instance = text == V_NULL ? V_NULL : ou_call1(vm, category, message);
    }
    if (text == V_NULL || instance == V_NULL)
        goto done;
    if (registry && !refresh(vm, st, registry))
        goto done;
    if (registry) {
        Value items[3] = {text, category, v_smallint(lineno)}, key = ou_tuple_of(vm, items, 3);
        Value old = key == V_NULL ? V_NULL : ou_dict_get(vm, registry, key);
        int truth = old == V_NULL ? (vm->exc != V_NULL ? -1 : 0) : ou_truth(vm, old);
        xrelease(vm, key);
        if (truth != 0) {
            ok = truth > 0;
            goto done;
        }
    }
    action = find_action(vm, st, category, text, module, lineno);
    if (action == V_NULL)
        goto done;
    if (!is_str(action)) {
        ou_raise(vm, E_TYPE, "action must be a string, not '%T'", action);
        goto done;
    }
    const char *a = as_str(action)->data;
    int seen = 0;
    if (!strcmp(a, "error")) {
        ou_raise_value(vm, instance);
        goto done;
    }
    if (!strcmp(a, "ignore")) {
        ok = true;
        goto done;
    }
    if (!strcmp(a, "once")) {
        Value once = from_script(vm, "onceregistry");
        if (once == V_NULL && vm->exc != V_NULL)
            goto done;
        seen = seen_before(vm, once != V_NULL && ou_is_a(vm, once, T_DICT) ? as_dict(once) : as_dict(st->once), text, category, 0);
        xrelease(vm, once);
    } else if (!strcmp(a, "module")) {
        seen = registry ? seen_before(vm, registry, text, category, 0) : 0;
    } else if (!strcmp(a, "default")) {
        seen = registry ? seen_before(vm, registry, text, category, lineno) : 0;
    } else if (strcmp(a, "always") && strcmp(a, "all")) {
        ou_raise(vm, E_RUNTIME, "Unrecognized action (%R) in warnings.filters:\n %R", action, st->filters);
        goto done;
    }
    if (seen == 0)
        ok = show(vm, instance, text, category, filename, lineno, source);
    else
        ok = seen > 0;
done:
    xrelease(vm, action);
    xrelease(vm, text);
    xrelease(vm, instance);
    return ok;
}

/* ---- warn: where the caller stands ------------------------------------------------------------------------------------------------ */

static bool skipped(Str *filename, Value prefixes)
{
    if (prefixes == V_NULL || prefixes == V_NONE)
        return false;
    Tuple *t = as_tuple(prefixes);
    for (uint32_t i = 0; i < t->n; i++) {
        Str *p = as_str(t->items[i]);
        if (p->size <= filename->size && !memcmp(p->data, filename->data, p->size))
            return true;
    }
    return false;
}

static bool warn_here(VM *vm, Value message, Value category, int64_t stacklevel, Value source, Value prefixes)
{
    FrameRef f;
    bool have = ou_frame_current(vm, &f);
    for (; have && stacklevel > 1; stacklevel--) {
        have = ou_frame_back(vm, &f);
        while (have && skipped(f.fn->code->filename, prefixes))
            have = ou_frame_back(vm, &f);
    }
    Dict *globals = have ? f.fn->globals : vm->sysdict;
    Value filename = have ? retain(v_of(f.fn->code->filename)) : ou_str_c(vm, "<sys>");
    int64_t lineno = have ? ou_code_line(f.fn->code, f.pc) : 0;
    Value registry = ou_dict_get_c(vm, globals, "__warningregistry__");
    Value module = ou_dict_get_str(vm, globals, name_of(vm, N_DU_name));
    module = module != V_NULL && is_str(module) ? retain(module) : ou_str_c(vm, "<string>");
    bool ok = false;
    if (registry == V_NULL) {
        registry = ou_dict_new(vm);
        if (registry != V_NULL && !ou_dict_set_c(vm, globals, "__warningregistry__", registry)) {
            release(vm, registry);
            registry = V_NULL;
        }
    } else {
        retain(registry);
    }
    if (registry != V_NULL && filename != V_NULL && module != V_NULL)
        ok = warn_at(vm, category, message, filename, lineno, module, ou_is_a(vm, registry, T_DICT) ? as_dict(registry) : NULL, source);
    xrelease(vm, registry);
    xrelease(vm, filename);
    xrelease(vm, module);
    return ok;
}

static Value check_category(VM *vm, Value message, Value category)
{
    if (ou_is_a(vm, message, E_WARNING))
        return v_of(ou_type_of(vm, message));
    if (category == V_NULL || category == V_NONE)
        return v_of(ou_builtin(vm, E_USER_WARNING));
    if (!ou_is_a(vm, category, T_TYPE) || !ou_is_subtype((Type *)v_obj(category), ou_builtin(vm, E_WARNING)))
        return ou_raise(vm, E_TYPE, "category must be a Warning subclass, not '%T'", category);
    return category;
}

static Value warnings_warn(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t stacklevel = 1;
    Value category = check_category(vm, args[0], args[1]);
    if (category == V_NULL || (args[2] != V_NULL && !ou_index_i64(vm, args[2], &stacklevel)))
        return V_NULL;
    if (args[4] != V_NULL) {
        bool ok = is_exact(args[4], T_TUPLE);
        for (uint32_t i = 0; ok && i < as_tuple(args[4])->n; i++)
            ok = is_str(as_tuple(args[4])->items[i]);
        if (!ok)
            return ou_raise(vm, E_TYPE, "warn() argument 'skip_file_prefixes' must be tuple, not %T", args[4]);
        if (as_tuple(args[4])->n && stacklevel < 2)
            stacklevel = 2;
    }
    return warn_here(vm, args[0], category, stacklevel, args[3] == V_NULL ? V_NONE : args[3], args[4]) ? V_NONE : V_NULL;
}

static Value warnings_warn_explicit(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t lineno;
    Value category = check_category(vm, args[0], args[1]);
    if (category == V_NULL || !ou_index_i64(vm, args[3], &lineno))
        return V_NULL;
    if (args[6] != V_NULL && args[6] != V_NONE && !ou_is_a(vm, args[6], T_DICT))
        return ou_raise(vm, E_TYPE, "module_globals must be a dict, not '%T'", args[6]);
    Value module = args[4] == V_NULL || args[4] == V_NONE ? V_NULL : args[4];
    if (module == V_NULL) { /* the file's name without its ending */
        if (!ou_is_a(vm, args[2], T_STR))
            return ou_raise(vm, E_TYPE, "warn_explicit() argument 'filename' must be str, not %K", args[2]);
        Str *s = as_str(args[2]);
        size_t cut = s->size > 3 && !strcmp(s->data + s->size - 3, ".py") ? 3 : s->size > 7 && !strcmp(s->data + s->size - 7, ".script") ? 7 : 0;
        module = s->size == 0 ? ou_str_c(vm, "<unknown>") : ou_str_sub(vm, s, 0, s->size - cut);
        if (module == V_NULL)
            return V_NULL;
    } else {
        retain(module);
    }
    Dict *registry = args[5] != V_NULL && ou_is_a(vm, args[5], T_DICT) ? as_dict(args[5]) : NULL;
    bool ok = warn_at(vm, category, args[0], args[2], lineno, module, registry, args[7] == V_NULL ? V_NONE : args[7]);
    release(vm, module);
    return ok ? V_NONE : V_NULL;
}

static Value warnings_mutated(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    WarningsState *st = state(vm);
    if (!st)
        return V_NULL;
    st->version++;
    return V_NONE;
}

static const NativeDef functions[] = {
    {"warn(message, category=None, stacklevel=1, source=None, *, skip_file_prefixes=())", warnings_warn,
     "Issue a warning, or maybe ignore it or raise an exception.", 0},
    {"warn_explicit(message, category, filename, lineno, module=None, registry=None, module_globals=None, source=None)",
     warnings_warn_explicit, "Issue a warning, or maybe ignore it or raise an exception.", 0},
    {"_filters_mutated()", warnings_mutated, NULL, 0},
    {"_filters_mutated_lock_held()", warnings_mutated, NULL, 0},
    {0},
};

bool ou_mod__warnings(VM *vm, Module *m)
{
    WarningsState *st = state(vm);
    return st && ou_module_add(vm, m, functions) && ou_module_set(vm, m, "filters", st->filters) &&
           ou_module_set(vm, m, "_onceregistry", st->once) && ou_module_set(vm, m, "_defaultaction", st->action);
}
