/* `gc`: the script's view of the cycle collector (runtime/objects/gc.h). */
#include "runtime/objects/gc.h"

#include "stdlib/stdlib.h"
#include "vm/call.h"

static Value gc_collect(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t generation = 2;
    if (args[0] != V_NULL && !ou_index_i64(vm, args[0], &generation))
        return V_NULL;
    if (generation < 0 || generation > 2)
        return ou_raise(vm, E_VALUE, "invalid generation");
    int64_t found = ou_gc_collect(vm, (int)generation);
    return found < 0 ? V_NULL : ou_int(vm, found);
}

static Value gc_enable(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    vm->gc.enabled = true;
    return V_NONE;
}

static Value gc_disable(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    vm->gc.enabled = false;
    return V_NONE;
}

static Value gc_isenabled(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return v_bool(vm->gc.enabled);
}

static Value three(VM *vm, int64_t a, int64_t b, int64_t c)
{
    Value items[3] = {v_smallint(a), v_smallint(b), v_smallint(c)};
    return ou_tuple_take(vm, items, 3);
}

static Value gc_get_count(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return three(vm, (int64_t)vm->gc.young_count, 0, 0);
}

/* What scripts have set, for them to read; only the first threshold decides anything here. */
typedef struct GcState {
    bool given;
    int64_t thresholds[3];
    int64_t frozen;
} GcState;

static Value gc_get_threshold(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    GcState *st = ou_module_record(vm, MOD_gc, sizeof *st);
    if (!st)
        return V_NULL;
    return st->given ? three(vm, st->thresholds[0], st->thresholds[1], st->thresholds[2]) : three(vm, (int64_t)vm->gc.threshold, 10, 10);
}

static Value gc_set_threshold(VM *vm, const Value *args, int n)
{
    GcState *st = ou_module_record(vm, MOD_gc, sizeof *st);
    int64_t t[3] = {0, 10, 10};
    if (!st)
        return V_NULL;
    if (st->given)
        memcpy(t, st->thresholds, sizeof t);
    for (int i = 0; i < n; i++)
        if (args[i] != V_NULL && !ou_index_i64(vm, args[i], &t[i]))
            return V_NULL;
    memcpy(st->thresholds, t, sizeof t);
    st->given = true;
    vm->gc.threshold = vm->gc.trigger = t[0] <= 0 ? SIZE_MAX : (size_t)t[0]; /* zero turns collection off */
    return V_NONE;
}

static Value gc_get_stats(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    Value list = ou_list_new(vm, 3);
    for (int i = 0; list != V_NULL && i < 3; i++) {
        Value d = ou_dict_new(vm);
        if (d == V_NULL || !ou_dict_set_c(vm, as_dict(d), "collections", v_smallint((int64_t)vm->gc.collections[i])) ||
            !ou_dict_set_c(vm, as_dict(d), "collected", v_smallint((int64_t)vm->gc.collected[i])) ||
            !ou_dict_set_c(vm, as_dict(d), "uncollectable", v_smallint((int64_t)vm->gc.uncollectable[i])) ||
            !ou_list_append(vm, as_list(list), d)) {
            xrelease(vm, d);
            release(vm, list);
            return V_NULL;
        }
        release(vm, d);
    }
    return list;
}

static bool has_head(VM *vm, Value v) { return is_obj(v) && (ou_type_of(vm, v)->flags & TF_GC) && gc_head(v_obj(v))->next; }

static Value gc_is_tracked(VM *vm, const Value *args, int n)
{
    (void)n;
    return v_bool(has_head(vm, args[0]));
}

static Value gc_is_finalized(VM *vm, const Value *args, int n)
{
    (void)n;
    return v_bool(has_head(vm, args[0]) && (gc_head(v_obj(args[0]))->prev & GC_FINALIZED));
}

/* All tracked objects but the list itself; of the young or of the old ones with first and last 0 or 1. The list grows while
 * the chain is walked, hence the two passes. */
static Value tracked(VM *vm, int first, int last)
{
    Value list = ou_list_new(vm, vm->gc.young_count + vm->gc.old_count + 16);
    if (list == V_NULL)
        return V_NULL;
    GcHead *heads[2] = {&vm->gc.young, &vm->gc.old};
    for (int i = first; i <= last; i++) {
        for (GcHead *g = heads[i]->next; g && g != heads[i]; g = g->next) {
            if (gc_obj(g) != v_obj(list) && gc_obj(g)->refs && !ou_list_append(vm, as_list(list), v_of(gc_obj(g)))) {
                release(vm, list);
                return V_NULL;
            }
        }
    }
    return list;
}

static Value gc_get_objects(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t generation;
    if (args[0] == V_NULL || args[0] == V_NONE)
        return tracked(vm, 0, 1);
    if (!ou_index_i64(vm, args[0], &generation))
        return V_NULL;
    if (generation < 0)
        return ou_raise(vm, E_VALUE, "generation parameter cannot be negative");
    if (generation > 2)
        return ou_raise(vm, E_VALUE, "generation parameter must be less than the number of available generations (3)");
    return generation == 1 ? ou_list_new(vm, 0) : tracked(vm, generation == 2, generation == 2); /* there are two */
}

static bool collect_referent(VM *vm, Obj *o, void *arg) { return ou_list_append(vm, arg, v_of(o)); }

/* Containers hold numbers themselves, which no traversal sees. */
static bool add_plain(VM *vm, List *list, Value v)
{
    return v == V_NULL || is_obj(v) || v == V_UNBOUND || ou_list_append_take(vm, list, retain(v));
}

static bool plain_referents(VM *vm, Value v, List *list)
{
    bool ok = true;
    if (is_exact(v, T_TUPLE))
        for (uint32_t i = 0; ok && i < as_tuple(v)->n; i++)
            ok = add_plain(vm, list, as_tuple(v)->items[i]);
    else if (is_exact(v, T_LIST))
        for (uint32_t i = 0; ok && i < as_list(v)->n; i++)
            ok = add_plain(vm, list, as_list(v)->items[i]);
    else if (is_exact(v, T_DICT)) {
        uint32_t pos = 0;
        Value key, value;
        while (ok && ou_dict_next(as_dict(v), &pos, &key, &value))
            ok = add_plain(vm, list, key) && add_plain(vm, list, value);
    }
    return ok;
}

static Value gc_get_referents(VM *vm, const Value *args, int n)
{
    (void)n;
    Value list = ou_list_new(vm, 0);
    Tuple *t = as_tuple(args[0]);
    for (uint32_t i = 0; list != V_NULL && i < t->n; i++) {
        Type *type = ou_type_of(vm, t->items[i]);
        if (is_obj(t->items[i]) && type->slots.traverse)
            type->slots.traverse(vm, v_obj(t->items[i]), collect_referent, as_list(list));
        if (!plain_referents(vm, t->items[i], as_list(list))) {
            release(vm, list);
            return V_NULL;
        }
    }
    return list;
}

typedef struct Search {
    Tuple *wanted;
    bool found;
} Search;

static bool match_referent(VM *vm, Obj *o, void *arg)
{
    (void)vm;
    Search *s = arg;
    for (uint32_t i = 0; i < s->wanted->n; i++) {
        if (s->wanted->items[i] == v_of(o))
            s->found = true;
    }
    return true;
}

static Value gc_get_referrers(VM *vm, const Value *args, int n)
{
    (void)n;
    Value all = tracked(vm, 0, 1), list = all == V_NULL ? V_NULL : ou_list_new(vm, 0);
    for (uint32_t i = 0; list != V_NULL && i < as_list(all)->n; i++) {
        Value v = as_list(all)->items[i];
        Type *type = ou_type_of(vm, v);
        Search s = {as_tuple(args[0]), false};
        if (v != args[0] && v != all && v != list && type->slots.traverse)
            type->slots.traverse(vm, v_obj(v), match_referent, &s);
        if (s.found && !ou_list_append(vm, as_list(list), v)) {
            release(vm, list);
            list = V_NULL;
        }
    }
    xrelease(vm, all);
    return list;
}

static Value gc_get_debug(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return v_smallint(vm->gc.debug);
}

static Value gc_set_debug(VM *vm, const Value *args, int n)
{
    (void)n;
    int64_t flags;
    if (!ou_index_i64(vm, args[0], &flags))
        return V_NULL;
    vm->gc.debug = (uint32_t)flags;
    return V_NONE;
}

/* Freezing is counted only: nothing is gained here from setting objects apart. */
static Value gc_freeze(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    GcState *st = ou_module_record(vm, MOD_gc, sizeof *st);
    Value all = st ? tracked(vm, 0, 1) : V_NULL;
    if (all == V_NULL)
        return V_NULL;
    st->frozen = as_list(all)->n;
    release(vm, all);
    return V_NONE;
}
static Value gc_unfreeze(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    GcState *st = ou_module_record(vm, MOD_gc, sizeof *st);
    if (!st)
        return V_NULL;
    st->frozen = 0;
    return V_NONE;
}
static Value gc_get_freeze_count(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    GcState *st = ou_module_record(vm, MOD_gc, sizeof *st);
    return st ? ou_int(vm, st->frozen) : V_NULL;
}

static const NativeDef functions[] = {
    {"collect(generation=2)", gc_collect, "Run the garbage collector; the number of unreachable objects.", 0},
    {"enable()", gc_enable, NULL, 0},
    {"disable()", gc_disable, NULL, 0},
    {"isenabled()", gc_isenabled, NULL, 0},
    {"get_count()", gc_get_count, NULL, 0},
    {"get_threshold()", gc_get_threshold, NULL, 0},
    {"set_threshold(threshold0, threshold1=10, threshold2=10, /)", gc_set_threshold, NULL, 0},
    {"get_stats()", gc_get_stats, NULL, 0},
    {"is_tracked(obj, /)", gc_is_tracked, NULL, 0},
    {"is_finalized(obj, /)", gc_is_finalized, NULL, 0},
    {"get_objects(generation=None)", gc_get_objects, NULL, 0},
    {"get_referents(*objs)", gc_get_referents, NULL, 0},
    {"get_referrers(*objs)", gc_get_referrers, NULL, 0},
    {"freeze()", gc_freeze, NULL, 0},
    {"unfreeze()", gc_unfreeze, NULL, 0},
    {"get_freeze_count()", gc_get_freeze_count, NULL, 0},
    {"get_debug()", gc_get_debug, NULL, 0},
    {"set_debug(flags, /)", gc_set_debug, NULL, 0},
    {0},
};

bool ou_mod_gc(VM *vm, Module *m)
{
    if (vm->gc.callbacks == V_NULL)
        vm->gc.callbacks = ou_list_new(vm, 0);
    if (vm->gc.garbage == V_NULL)
        vm->gc.garbage = ou_list_new(vm, 0);
    return vm->gc.callbacks != V_NULL && vm->gc.garbage != V_NULL && ou_module_add(vm, m, functions) &&
           ou_module_set(vm, m, "callbacks", vm->gc.callbacks) && ou_module_set(vm, m, "garbage", vm->gc.garbage) &&
           ou_module_int(vm, m, "DEBUG_STATS", 1) && ou_module_int(vm, m, "DEBUG_COLLECTABLE", 2) &&
           ou_module_int(vm, m, "DEBUG_UNCOLLECTABLE", 4) && ou_module_int(vm, m, "DEBUG_SAVEALL", 32) &&
           ou_module_int(vm, m, "DEBUG_LEAK", 38);
}
