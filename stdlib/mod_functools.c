/* _functools: partial, reduce, cmp_to_key and the wrapper behind lru_cache.
 * The cache is a dict from call keys to links of a doubly linked list in order of use; without a bound the dict alone serves. */
#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

/* ---- partial ------------------------------------------------------------------------------------------------------------ */

typedef struct Partial {
    Obj h;
    Value fn, args, kw; /* args a tuple, kw a dict */
} Partial;

static const TypeDef partial_def;

static bool is_partial(VM *vm, Value v)
{
    for (Type *t = is_obj(v) ? ou_type_of(vm, v) : NULL; t; t = t->base)
        if (t->def == &partial_def) return true;
    return false;
}

static Value partial_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (n < 1) return ou_raise(vm, E_TYPE, "type 'partial' takes at least one argument");
    Value fn = args[0], pre = V_NULL, pre_kw = V_NULL;
    if (!ou_type_of(vm, fn)->slots.call) return ou_raise(vm, E_TYPE, "the first argument must be callable");
    if (is_partial(vm, fn)) { /* flattened, unless it carries attributes of its own */
        Partial *p = (Partial *)v_obj(fn);
        Type *t = ou_type_of(vm, fn);
        bool bare = t->def == &partial_def;
        if (bare && t->tail) {
            Shape *s = vm->shapes[v_obj(fn)->shape];
            bare = !s->dict_mode && s->nkeys == 0;
        }
        if (bare) {
            fn = p->fn;
            pre = p->args;
            pre_kw = p->kw;
        }
    }
    uint32_t npre = pre == V_NULL ? 0 : as_tuple(pre)->n;
    Value t = ou_tuple_new(vm, npre + (size_t)(n - 1));
    if (t == V_NULL) return V_NULL;
    for (uint32_t i = 0; i < npre; i++) as_tuple(t)->items[i] = retain(as_tuple(pre)->items[i]);
    for (int i = 1; i < n; i++) as_tuple(t)->items[npre + (uint32_t)i - 1] = retain(args[i]);
    Value kw = pre_kw == V_NULL ? ou_dict_new(vm) : ou_dict_copy(vm, as_dict(pre_kw));
    bool ok = kw != V_NULL;
    for (uint32_t i = 0; ok && kwnames && i < kwnames->n; i++) ok = ou_dict_set(vm, as_dict(kw), kwnames->items[i], args[n + (int)i]);
    Partial *p = ok ? ou_new(vm, cls, 0) : NULL;
    if (!p) {
        release(vm, t);
        xrelease(vm, kw);
        return V_NULL;
    }
    p->fn = retain(fn);
    p->args = t;
    p->kw = kw;
    return v_of(p);
}

static void partial_dealloc(VM *vm, Obj *o)
{
    Partial *p = (Partial *)o;
    xrelease(vm, p->fn), xrelease(vm, p->args), xrelease(vm, p->kw);
    ou_finish_dealloc(vm, o, 0);
}
static void partial_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Partial *p = (Partial *)o;
    ou_visit(vm, p->fn, visit, arg), ou_visit(vm, p->args, visit, arg), ou_visit(vm, p->kw, visit, arg);
}

enum { ARGS_FIXED = 12 };

static Value partial_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Partial *p = (Partial *)v_obj(self);
    Tuple *pre = as_tuple(p->args);
    Dict *kw = as_dict(p->kw);
    uint32_t nkw = kwnames ? kwnames->n : 0;
    retain(self);
    Value r = V_NULL;
    if (kw->n == 0) {
        if (pre->n == 0) {
            r = ou_call(vm, p->fn, args, n, kwnames);
        } else {
            size_t total = pre->n + (size_t)n + nkw;
            Value fixed[ARGS_FIXED], *all = fixed;
            if (total > ARGS_FIXED) all = ou_alloc(&vm->heap, total * sizeof(Value));
            if (all) {
                memcpy(all, pre->items, pre->n * sizeof(Value));
                if (total > pre->n) memcpy(all + pre->n, args, (total - pre->n) * sizeof(Value));
                r = ou_call(vm, p->fn, all, (int)pre->n + n, kwnames);
                if (all != fixed) ou_free(&vm->heap, all, total * sizeof(Value));
            } else {
                ou_raise_memory(vm);
            }
        }
    } else {
        Value all = ou_tuple_new(vm, pre->n + (size_t)n), merged = all == V_NULL ? V_NULL : ou_dict_copy(vm, kw);
        bool ok = merged != V_NULL;
        if (ok) {
            for (uint32_t i = 0; i < pre->n; i++) as_tuple(all)->items[i] = retain(pre->items[i]);
            for (int i = 0; i < n; i++) as_tuple(all)->items[pre->n + (uint32_t)i] = retain(args[i]);
        }
        for (uint32_t i = 0; ok && i < nkw; i++) ok = ou_dict_set(vm, as_dict(merged), kwnames->items[i], args[n + (int)i]);
        if (ok) r = ou_call_ex(vm, p->fn, as_tuple(all), as_dict(merged));
        xrelease(vm, all);
        xrelease(vm, merged);
    }
    release(vm, self);
    return r;
}

static Value partial_repr(VM *vm, Value self)
{
    Partial *p = (Partial *)v_obj(self);
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, self);
    if (entered <= 0) return entered < 0 ? V_NULL : ou_str_c(vm, "...");
    StrBuf b;
    ou_sb_init(&b, vm);
    Type *t = ou_type_of(vm, self);
    if (t->def == &partial_def) {
        ou_sb_puts(&b, "functools.partial(");
    } else {
        Value module = ou_getattr(vm, v_of(t), name_of(vm, N_DU_module));
        if (module != V_NULL && is_str(module)) {
            ou_sb_str(&b, module);
            ou_sb_putc(&b, '.');
        }
        if (module == V_NULL) ou_exc_clear(vm);
        xrelease(vm, module);
        ou_sb_str(&b, v_of(t->qualname));
        ou_sb_putc(&b, '(');
    }
    bool ok = ou_sb_repr(&b, p->fn);
    for (uint32_t i = 0; ok && i < as_tuple(p->args)->n; i++) {
        ou_sb_puts(&b, ", ");
        ok = ou_sb_repr(&b, as_tuple(p->args)->items[i]);
    }
    uint32_t pos = 0;
    Value k, v;
    while (ok && ou_dict_next(as_dict(p->kw), &pos, &k, &v)) {
        ou_sb_puts(&b, ", ");
        retain(k), retain(v);
        ok = ou_sb_value(&b, k);
        ou_sb_putc(&b, '=');
        ok = ok && ou_sb_repr(&b, v);
        release(vm, k), release(vm, v);
    }
    ou_sb_putc(&b, ')');
    ou_repr_leave(vm, &g);
    if (ok) return ou_sb_finish(&b);
    ou_sb_drop(&b);
    return V_NULL;
}

static Value partial_get_fn(VM *vm, Value self)
{
    (void)vm;
    return retain(((Partial *)v_obj(self))->fn);
}
static Value partial_get_args(VM *vm, Value self)
{
    (void)vm;
    return retain(((Partial *)v_obj(self))->args);
}
static Value partial_get_kw(VM *vm, Value self)
{
    (void)vm;
    return retain(((Partial *)v_obj(self))->kw);
}
static Value partial_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Partial *p = (Partial *)v_obj(args[0]);
    Dict *d = ou_instance_dict(vm, v_obj(args[0]));
    if (!d && vm->exc) ou_exc_clear(vm);
    Value state[4] = {p->fn, p->args, p->kw, d && d->n ? v_of(d) : V_NONE};
    Value a = ou_tuple_of(vm, &p->fn, 1), st = a == V_NULL ? V_NULL : ou_tuple_of(vm, state, 4);
    if (st == V_NULL) {
        xrelease(vm, a);
        return V_NULL;
    }
    Value r[3] = {retain(v_of(ou_type_of(vm, args[0]))), a, st};
    return ou_tuple_take(vm, r, 3);
}
static Value partial_setstate(VM *vm, const Value *args, int n)
{
    (void)n;
    Partial *p = (Partial *)v_obj(args[0]);
    Tuple *s = is_a_fast(vm, args[1], T_TUPLE) ? as_tuple(args[1]) : NULL;
    if (!s || s->n != 4 || !ou_type_of(vm, s->items[0])->slots.call || !is_a_fast(vm, s->items[1], T_TUPLE) ||
        (s->items[2] != V_NONE && !is_a_fast(vm, s->items[2], T_DICT)))
        return ou_raise(vm, E_TYPE, "invalid partial state");
    Value own = is_exact(s->items[1], T_TUPLE) ? retain(s->items[1]) : ou_tuple_from(vm, s->items[1]);
    if (own == V_NULL) return V_NULL;
    Value kw = s->items[2];
    kw = kw == V_NONE ? ou_dict_new(vm) : is_exact(kw, T_DICT) ? retain(kw) : ou_dict_copy(vm, as_dict(kw));
    Value dict = kw == V_NULL ? V_NULL : s->items[3] == V_NONE ? ou_dict_new(vm) : retain(s->items[3]);
    if (dict == V_NULL || !ou_setattr(vm, args[0], name_of(vm, N_DU_dict), dict)) {
        release(vm, own);
        xrelease(vm, kw);
        xrelease(vm, dict);
        return V_NULL;
    }
    release(vm, dict);
    set_owned(vm, &p->fn, retain(s->items[0]));
    set_owned(vm, &p->args, own);
    set_owned(vm, &p->kw, kw);
    return V_NONE;
}

/* As a class attribute a partial is left alone, which is going to change: found on an instance it says so. */
static Value partial_get(VM *vm, Value self, Value obj, Value cls)
{
    (void)cls;
    if (obj != V_NULL && obj != V_NONE &&
        !ou_warn(vm, E_FUTURE_WARNING, 1, "functools.partial will be a method descriptor in future Python versions; "
                                          "wrap it in staticmethod() if you want to preserve the old behavior"))
        return V_NULL;
    return retain(self);
}

static const NativeDef partial_methods[] = {
    {"__reduce__()", partial_reduce, NULL, 0},
    {"__setstate__(state, /)", partial_setstate, NULL, 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};
static const GetSetDef partial_getset[] = {
    {"func", partial_get_fn, NULL, "function object to use in future partial calls"},
    {"args", partial_get_args, NULL, "tuple of arguments to future partial calls"},
    {"keywords", partial_get_kw, NULL, "dictionary of keyword arguments to future partial calls"},
    {0}};
static const TypeDef partial_def = {.name = "functools.partial",
                                    .size = sizeof(Partial),
                                    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,
                                    .slots = {.make = partial_make,
                                              .dealloc = partial_dealloc,
                                              .traverse = partial_traverse,
                                              .repr = partial_repr,
                                              .call = partial_call,
                                              .descr_get = partial_get},
                                    .methods = partial_methods,
                                    .getset = partial_getset,
                                    .doc = "Create a new function with partial application of the given arguments and keywords."};

/* ---- reduce ---------------------------------------------------------------------------------------------------------------- */

static Value reduce(VM *vm, const Value *args, int n)
{
    Value it = ou_iter(vm, args[1]);
    if (it == V_NULL) {
        if (ou_exc_matches(vm, E_TYPE)) {
            ou_exc_clear(vm);
            ou_raise(vm, E_TYPE, "reduce() arg 2 must support iteration");
        }
        return V_NULL;
    }
    Value acc = n > 2 ? retain(args[2]) : ou_next(vm, it);
    if (acc == V_NULL && !vm->exc) ou_raise(vm, E_TYPE, "reduce() of empty iterable with no initial value");
    while (acc != V_NULL) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            if (vm->exc) {
                release(vm, acc);
                acc = V_NULL;
            }
            break;
        }
        Value next = ou_call2(vm, args[0], acc, x);
        release(vm, x);
        release(vm, acc);
        acc = next;
    }
    release(vm, it);
    return acc;
}

/* ---- cmp_to_key --------------------------------------------------------------------------------------------------------------- */

typedef struct Key {
    Obj h;
    Value cmp, obj; /* obj V_NULL: the callable that makes keys */
} Key;

static const TypeDef key_def;

static void key_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((Key *)o)->cmp);
    xrelease(vm, ((Key *)o)->obj);
    ou_finish_dealloc(vm, o, 0);
}
static void key_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((Key *)o)->cmp, visit, arg);
    ou_visit(vm, ((Key *)o)->obj, visit, arg);
}
static Value key_new(VM *vm, Type *t, Value cmp, Value obj)
{
    Key *k = ou_new(vm, t, 0);
    if (!k) return V_NULL;
    k->cmp = retain(cmp);
    if (obj != V_NULL) k->obj = retain(obj);
    return v_of(k);
}
static Value key_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value obj[1];
    if (!ou_bind(vm, "K(obj)", args, n, kwnames, obj)) return V_NULL;
    return key_new(vm, ou_type_of(vm, self), ((Key *)v_obj(self))->cmp, obj[0]);
}
static Value key_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (ou_type_of(vm, a)->def != &key_def || !is_obj(b) || ou_type_of(vm, b)->def != &key_def)
        return ou_raise(vm, E_TYPE, "other argument must be K instance");
    Key *x = (Key *)v_obj(a), *y = (Key *)v_obj(b);
    if (x->obj == V_NULL || y->obj == V_NULL) return ou_raise(vm, E_ATTRIBUTE, "object");
    Value r = ou_call2(vm, x->cmp, x->obj, y->obj);
    if (r == V_NULL) return V_NULL;
    Value answer = ou_compare(vm, r, v_smallint(0), op);
    release(vm, r);
    return answer;
}
static Value key_get_obj(VM *vm, Value self)
{
    Value v = ((Key *)v_obj(self))->obj;
    return v == V_NULL ? ou_raise(vm, E_ATTRIBUTE, "obj") : retain(v);
}
static const GetSetDef key_getset[] = {{"obj", key_get_obj, NULL, "Value wrapped by a key function."}, {0}};
static const TypeDef key_def = {
    .name = "functools.KeyWrapper",
    .size = sizeof(Key),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = key_dealloc, .traverse = key_traverse, .call = key_call, .compare = key_compare},
    .getset = key_getset};

typedef struct State {
    Value keep; /* owns key */
    Type *key;
} State;
static State *state_of(VM *vm) { return ou_module_record(vm, MOD__functools, sizeof(State)); }

static Value cmp_to_key(VM *vm, const Value *args, int n)
{
    (void)n;
    State *s = state_of(vm);
    return s ? key_new(vm, s->key, args[0], V_NULL) : V_NULL;
}

/* ---- lru_cache ------------------------------------------------------------------------------------------------------------------- */

typedef struct Link { /* one cached call; the cache's ring of links owns it */
    struct Link *next, *prev;
    Value key, result;
} Link;

typedef struct Cache {
    Obj h;
    Value fn, dict, info_type; /* dict: key -> result (unbounded) or key -> address of its Link as an int */
    int64_t maxsize;           /* -1 unbounded, 0 no caching */
    uint64_t hits, misses;
    bool typed;
    Link ring; /* oldest at ring.next */
} Cache;

static void unlink_it(Link *l)
{
    l->prev->next = l->next;
    l->next->prev = l->prev;
}
static void link_newest(Cache *c, Link *l)
{
    l->prev = c->ring.prev;
    l->next = &c->ring;
    c->ring.prev->next = l;
    c->ring.prev = l;
}

static Value link_value(VM *vm, Link *l) { return ou_int(vm, (int64_t)(uintptr_t)l); }
static Link *link_of(Value v)
{
    int64_t i = is_small(v) ? v_small(v) : ((Int *)v_obj(v))->u.i;
    return (Link *)(uintptr_t)i;
}

static void drop_all(VM *vm, Cache *c)
{
    Link *l = c->ring.next;
    c->ring.next = c->ring.prev = &c->ring;
    while (l && l != &c->ring) {
        Link *next = l->next;
        release(vm, l->key);
        release(vm, l->result);
        ou_free(&vm->heap, l, sizeof *l);
        l = next;
    }
}

/* _lru_cache_wrapper(user_function, maxsize, typed, cache_info_type) */
static Value cache_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Value a[4];
    if (!ou_bind(vm, "_lru_cache_wrapper(user_function, maxsize, typed, cache_info_type)", args, n, kwnames, a)) return V_NULL;
    if (!ou_type_of(vm, a[0])->slots.call) return ou_raise(vm, E_TYPE, "the first argument must be callable");
    int64_t maxsize = -1;
    if (a[1] != V_NONE) {
        if (!is_small(a[1]) && !ou_type_of(vm, a[1])->slots.to_index) return ou_raise(vm, E_TYPE, "maxsize should be integer or None");
        if (!ou_index_i64(vm, a[1], &maxsize)) return V_NULL;
        if (maxsize < 0) maxsize = 0;
    }
    int typed = ou_truth(vm, a[2]);
    if (typed < 0) return V_NULL;
    Value dict = ou_dict_new(vm);
    Cache *c = dict == V_NULL ? NULL : ou_new(vm, cls, 0);
    if (!c) {
        xrelease(vm, dict);
        return V_NULL;
    }
    c->ring.next = c->ring.prev = &c->ring;
    c->fn = retain(a[0]);
    c->dict = dict;
    c->info_type = retain(a[3]);
    c->maxsize = maxsize;
    c->typed = typed;
    return v_of(c);
}

static void cache_dealloc(VM *vm, Obj *o)
{
    Cache *c = (Cache *)o;
    xrelease(vm, c->dict);
    if (c->ring.next) drop_all(vm, c);
    xrelease(vm, c->fn);
    xrelease(vm, c->info_type);
    ou_finish_dealloc(vm, o, 0);
}
static void cache_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Cache *c = (Cache *)o;
    ou_visit(vm, c->fn, visit, arg), ou_visit(vm, c->dict, visit, arg), ou_visit(vm, c->info_type, visit, arg);
    for (Link *l = c->ring.next; l && l != &c->ring; l = l->next) {
        ou_visit(vm, l->key, visit, arg);
        ou_visit(vm, l->result, visit, arg);
    }
}
static void empty_cache(VM *vm, Cache *c)
{
    if (c->dict != V_NULL) ou_dict_clear(vm, as_dict(c->dict));
    drop_all(vm, c);
}
static void cache_clear_slot(VM *vm, Obj *o) { empty_cache(vm, (Cache *)o); }

/* The key of a call: the argument itself if it is one int or str, else a tuple. */
static Value make_key(VM *vm, Cache *c, const Value *args, int n, Tuple *kwnames)
{
    uint32_t nkw = kwnames ? kwnames->n : 0;
    if (!nkw && !c->typed && n == 1 && (is_int(args[0]) || is_str(args[0]))) return retain(args[0]);
    size_t total = (size_t)n + (nkw ? 1 + 2 * (size_t)nkw : 0) + (c->typed ? (size_t)n + nkw : 0);
    Value t = ou_tuple_new(vm, total);
    if (t == V_NULL) return V_NULL;
    Value *w = as_tuple(t)->items;
    for (int i = 0; i < n; i++) *w++ = retain(args[i]);
    if (nkw) {
        *w++ = retain(v_of(ou_type_of(vm, v_of(c)))); /* a mark that nobody passes */
        for (uint32_t i = 0; i < nkw; i++) {
            *w++ = retain(kwnames->items[i]);
            *w++ = retain(args[n + (int)i]);
        }
    }
    if (c->typed)
        for (uint32_t i = 0; i < (uint32_t)n + nkw; i++) *w++ = retain(v_of(ou_type_of(vm, args[i])));
    return t;
}

static bool remember(VM *vm, Cache *c, Value key, Value result)
{
    Link *l = NULL;
    if ((int64_t)as_dict(c->dict)->n >= c->maxsize && c->ring.next != &c->ring) {
        l = c->ring.next; /* reuse the oldest; its old contents die last, they may run script code */
        unlink_it(l);
        Value old_key = l->key, old_result = l->result;
        l->key = retain(key);
        l->result = retain(result);
        link_newest(c, l);
        bool ok = ou_dict_del(vm, as_dict(c->dict), old_key) >= 0;
        release(vm, old_key);
        release(vm, old_result);
        if (!ok) {
            unlink_it(l);
            release(vm, l->key), release(vm, l->result);
            ou_free(&vm->heap, l, sizeof *l);
            return false;
        }
    } else {
        l = ou_alloc(&vm->heap, sizeof *l);
        if (!l) return ou_raise_memory(vm), false;
        l->key = retain(key);
        l->result = retain(result);
        link_newest(c, l);
    }
    Value lv = link_value(vm, l);
    bool ok = lv != V_NULL && ou_dict_set(vm, as_dict(c->dict), key, lv);
    xrelease(vm, lv);
    if (!ok) {
        unlink_it(l);
        release(vm, l->key), release(vm, l->result);
        ou_free(&vm->heap, l, sizeof *l);
    }
    return ok;
}

static Value cache_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Cache *c = (Cache *)v_obj(self);
    retain(self);
    Value r = V_NULL, key = V_NULL;
    if (c->maxsize == 0) {
        c->misses++;
        r = ou_call(vm, c->fn, args, n, kwnames);
        goto done;
    }
    key = make_key(vm, c, args, n, kwnames);
    if (key == V_NULL) goto done;
    Value found = ou_dict_get(vm, as_dict(c->dict), key);
    if (found != V_NULL) {
        c->hits++;
        if (c->maxsize < 0) {
            r = retain(found);
        } else {
            Link *l = link_of(found);
            unlink_it(l);
            link_newest(c, l);
            r = retain(l->result);
        }
        goto done;
    }
    if (vm->exc) goto done;
    c->misses++;
    r = ou_call(vm, c->fn, args, n, kwnames);
    if (r == V_NULL) goto done;
    bool ok = true;
    if (c->maxsize < 0) {
        ok = ou_dict_set(vm, as_dict(c->dict), key, r);
    } else if (ou_dict_get(vm, as_dict(c->dict), key) == V_NULL) { /* the call may have cached the same key itself */
        ok = !vm->exc && remember(vm, c, key, r);
    }
    if (!ok) {
        release(vm, r);
        r = V_NULL;
    }
done:
    xrelease(vm, key);
    release(vm, self);
    return r;
}

static Value cache_info(VM *vm, const Value *args, int n)
{
    (void)n;
    Cache *c = (Cache *)v_obj(args[0]);
    Value a[4] = {ou_int_u64(vm, c->hits), ou_int_u64(vm, c->misses), c->maxsize < 0 ? V_NONE : ou_int(vm, c->maxsize),
                  v_smallint(as_dict(c->dict)->n)};
    return ou_call(vm, c->info_type, a, 4, NULL);
}
static Value cache_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    Cache *c = (Cache *)v_obj(args[0]);
    c->hits = c->misses = 0;
    empty_cache(vm, c);
    return V_NONE;
}
static Value cache_same(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    return retain(args[0]);
}
static Value cache_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_getattr(vm, args[0], name_of(vm, N_DU_qualname));
}
static Value cache_descr_get(VM *vm, Value self, Value obj, Value cls)
{
    (void)cls;
    return obj == V_NULL || obj == V_NONE ? retain(self) : ou_method_new(vm, self, obj);
}

static const NativeDef cache_methods[] = {
    {"cache_info()", cache_info, "Report cache statistics", 0},
    {"cache_clear()", cache_clear, "Clear the cache and cache statistics", 0},
    {"__copy__()", cache_same, NULL, 0},
    {"__deepcopy__(memo, /)", cache_same, NULL, 0},
    {"__reduce__()", cache_reduce, NULL, 0},
    {0}};
static const TypeDef cache_def = {.name = "functools._lru_cache_wrapper",
                                  .size = sizeof(Cache),
                                  .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF | TF_METHOD_LIKE,
                                  .slots = {.make = cache_make,
                                            .dealloc = cache_dealloc,
                                            .traverse = cache_traverse,
                                            .clear = cache_clear_slot,
                                            .call = cache_call,
                                            .descr_get = cache_descr_get},
                                  .methods = cache_methods};

static const NativeDef functions[] = {
    {"reduce(function, iterable, initial=<functools initial>, /)", reduce, "Apply a function of two arguments cumulatively to the items of an iterable, from left to right.", 0},
    {"cmp_to_key(mycmp)", cmp_to_key, "Convert a cmp= function into a key= function.", 0},
    {0}};

bool ou_mod__functools(VM *vm, Module *m)
{
    State *s = state_of(vm);
    if (!s) return false;
    bool ok = (s->key = ou_module_type(vm, m, &key_def, NULL)) && ou_module_type(vm, m, &partial_def, NULL) &&
           ou_module_type(vm, m, &cache_def, NULL) && ou_module_add(vm, m, functions);
    if (ok) set_owned(vm, &s->keep, retain(v_of(s->key)));
    return ok;
}
