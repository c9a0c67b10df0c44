/* _collections: defaultdict and the helpers of the collections package (_count_elements, _tuplegetter). The deque is in
 * mod_deque.c. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/dict_impl.h"
#include "stdlib/collections_impl.h"
#include "vm/call.h"

typedef struct DefaultDict {
    Dict d;
    Value factory;
} DefaultDict;

typedef struct TupleGetter { /* the property of a namedtuple's field */
    Obj h;
    int64_t index;
    Value doc;
} TupleGetter;

static const TypeDef defaultdict_def;

/* ---- defaultdict -------------------------------------------------------------------------------------------------------------- */

static Value dd_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    DefaultDict *d = ou_new(vm, cls, 0);
    if (d) d->factory = V_NONE;
    return v_of(d);
}

static int dd_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    DefaultDict *d = (DefaultDict *)v_obj(self);
    if (n > 0) {
        if (args[0] != V_NONE && !ou_type_of(vm, args[0])->slots.call)
            return ou_raise(vm, E_TYPE, "first argument must be callable or None"), -1;
        set_owned(vm, &d->factory, retain(args[0]));
        args++, n--;
    }
    return vm->types[T_DICT]->slots.init(vm, self, args, n, kwnames);
}

static void dd_dealloc(VM *vm, Obj *o)
{
    Value f = ((DefaultDict *)o)->factory;
    ((DefaultDict *)o)->factory = V_NULL;
    xrelease(vm, f);
    vm->types[T_DICT]->slots.dealloc(vm, o);
}
static void dd_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((DefaultDict *)o)->factory, visit, arg);
    vm->types[T_DICT]->slots.traverse(vm, o, visit, arg);
}
static void dd_clear(VM *vm, Obj *o)
{
    set_owned(vm, &((DefaultDict *)o)->factory, V_NONE);
    vm->types[T_DICT]->slots.clear(vm, o);
}

static Value dd_repr(VM *vm, Value self)
{
    DefaultDict *d = (DefaultDict *)v_obj(self);
    Value items = vm->types[T_DICT]->slots.repr(vm, self), fn = V_NULL, r = V_NULL;
    if (items == V_NULL) return V_NULL;
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, d->factory); /* a factory bound to the dict itself */
    if (entered == 0) fn = ou_str_c(vm, "...");
    if (entered > 0) {
        fn = ou_repr(vm, d->factory);
        ou_repr_leave(vm, &g);
    }
    if (fn != V_NULL) r = ou_str_format(vm, "%Q(%U, %U)", ou_type_of(vm, self)->name, fn, items);
    xrelease(vm, fn);
    release(vm, items);
    return r;
}

static Value make_missing(VM *vm, Value self, Value key)
{
    DefaultDict *d = (DefaultDict *)v_obj(self);
    if (d->factory == V_NONE) return ou_raise_key(vm, key);
    Value fn = retain(d->factory), v = ou_call0(vm, fn);
    release(vm, fn);
    if (v == V_NULL) return V_NULL;
    if (is_exact(self, T_DICT) || !ou_type_of(vm, self)->def) {
        if (ou_setitem(vm, self, key, v)) return v;
    } else if (ou_dict_set(vm, &d->d, key, v)) {
        return v;
    }
    release(vm, v);
    return V_NULL;
}

static Value dd_getitem(VM *vm, Value self, Value key)
{
    Value v = ou_dict_get(vm, as_dict(self), key);
    if (v != V_NULL) return retain(v);
    if (vm->exc) return V_NULL;
    if (ou_type_of(vm, self)->def == &defaultdict_def) return make_missing(vm, self, key);
    return vm->types[T_DICT]->slots.getitem(vm, self, key); /* __missing__ may have been overridden */
}

static Value dd_missing(VM *vm, const Value *args, int n)
{
    (void)n;
    return make_missing(vm, args[0], args[1]);
}

static Value dd_copy_of(VM *vm, Value self)
{
    Value args[2] = {((DefaultDict *)v_obj(self))->factory, self};
    return ou_call(vm, v_of(ou_type_of(vm, self)), args, 2, NULL);
}
static Value dd_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return dd_copy_of(vm, args[0]);
}

static Value dd_or(VM *vm, Value a, Value b)
{
    bool left = ou_is_native(vm, a, &defaultdict_def);
    Value self = left ? a : b, other = left ? b : a;
    if (!is_a_fast(vm, other, T_DICT)) return V_NOTIMPL;
    Value r;
    if (left) {
        r = dd_copy_of(vm, self);
    } else {
        Value args[2] = {((DefaultDict *)v_obj(self))->factory, other};
        r = ou_call(vm, v_of(ou_type_of(vm, self)), args, 2, NULL);
    }
    if (r == V_NULL || ou_dict_update(vm, as_dict(r), b)) return r;
    release(vm, r);
    return V_NULL;
}

static Value dd_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    DefaultDict *d = (DefaultDict *)v_obj(args[0]);
    Value a = d->factory == V_NONE ? ou_tuple_new(vm, 0) : ou_tuple_of(vm, &d->factory, 1);
    Value items = a == V_NULL ? V_NULL : ou_call_method_c(vm, args[0], "items", NULL, 0);
    Value it = items == V_NULL ? V_NULL : ou_iter(vm, items);
    xrelease(vm, items);
    if (it == V_NULL) {
        xrelease(vm, a);
        return V_NULL;
    }
    Value r[5] = {retain(v_of(ou_type_of(vm, args[0]))), a, V_NONE, V_NONE, it};
    return ou_tuple_take(vm, r, 5);
}

static Value get_factory(VM *vm, Value self)
{
    (void)vm;
    return retain(((DefaultDict *)v_obj(self))->factory);
}
static bool set_factory(VM *vm, Value self, Value v)
{
    set_owned(vm, &((DefaultDict *)v_obj(self))->factory, v == V_NULL ? V_NONE : retain(v));
    return true;
}

static const NativeDef dd_methods[] = {
    {"__missing__(key, /)", dd_missing, "__missing__(key) # Called by __getitem__ for missing key.", 0},
    {"copy()", dd_copy, "D.copy() -> a shallow copy of D.", 0},
    {"__copy__()", dd_copy, "D.copy() -> a shallow copy of D.", 0},
    {"__reduce__()", dd_reduce, "Return state information for pickling.", 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};
static const GetSetDef dd_getset[] = {
    {"default_factory", get_factory, set_factory, "Factory for default value called by __missing__()."}, {0}};

static const TypeDef defaultdict_def = {
    .name = "collections.defaultdict",
    .size = sizeof(DefaultDict),
    .flags = TF_GC | TF_BASE | TF_MAPPING,
    .slots = {.make = dd_make,
              .init = dd_init,
              .dealloc = dd_dealloc,
              .traverse = dd_traverse,
              .clear = dd_clear,
              .repr = dd_repr,
              .getitem = dd_getitem,
              .binary = {[BIN_OR] = dd_or}},
    .methods = dd_methods,
    .getset = dd_getset,
    .doc = "defaultdict(default_factory=None, /, [...]) --> dict with default factory\n\nThe default factory is called without "
           "arguments to produce\na new value when a key is not present, in __getitem__ only.\nA defaultdict compares equal to a "
           "dict with the same items.\nAll remaining arguments are treated the same as if they were\npassed to the dict "
           "constructor, including keyword arguments."};

/* ---- _tuplegetter --------------------------------------------------------------------------------------------------------------- */

static Value tg_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    int64_t i;
    if (!ou_no_kw(vm, "_tuplegetter", kwnames) || !ou_arg_count(vm, "_tuplegetter", n, 2, 2) ||
        !ou_index_i64(vm, args[0], &i))
        return V_NULL;
    TupleGetter *g = ou_new(vm, cls, 0);
    if (!g) return V_NULL;
    g->index = i;
    g->doc = retain(args[1]);
    return v_of(g);
}
static void tg_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((TupleGetter *)o)->doc);
    ou_finish_dealloc(vm, o, 0);
}
static void tg_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((TupleGetter *)o)->doc, visit, arg); }
static Value tg_get(VM *vm, Value self, Value obj, Value cls)
{
    (void)cls;
    TupleGetter *g = (TupleGetter *)v_obj(self);
    if (obj == V_NULL || obj == V_NONE) return retain(self);
    if (!is_a_fast(vm, obj, T_TUPLE))
        return ou_raise(vm, E_TYPE, "descriptor for index '%d' for tuple subclasses doesn't apply to '%T' object", (int)g->index, obj);
    if (g->index < 0 || g->index >= as_tuple(obj)->n) return ou_raise(vm, E_INDEX, "tuple index out of range");
    return retain(as_tuple(obj)->items[g->index]);
}
static bool tg_set(VM *vm, Value self, Value obj, Value v)
{
    (void)self, (void)obj;
    ou_raise(vm, E_ATTRIBUTE, v == V_NULL ? "can't delete attribute" : "can't set attribute");
    return false;
}
static Value tg_repr(VM *vm, Value self)
{
    TupleGetter *g = (TupleGetter *)v_obj(self);
    return ou_str_format(vm, "_tuplegetter(%ld, %R)", g->index, g->doc);
}
static Value tg_get_doc(VM *vm, Value self)
{
    (void)vm;
    return retain(((TupleGetter *)v_obj(self))->doc);
}
static bool tg_set_doc(VM *vm, Value self, Value v)
{
    set_owned(vm, &((TupleGetter *)v_obj(self))->doc, v == V_NULL ? V_NONE : retain(v));
    return true;
}
static const GetSetDef tg_getset[] = {{"__doc__", tg_get_doc, tg_set_doc, NULL}, {0}};
static const TypeDef tuplegetter_def = {.name = "collections._tuplegetter",
                                        .size = sizeof(TupleGetter),
                                        .flags = TF_GC,
                                        .slots = {.make = tg_make,
                                                  .dealloc = tg_dealloc,
                                                  .traverse = tg_traverse,
                                                  .repr = tg_repr,
                                                  .descr_get = tg_get,
                                                  .descr_set = tg_set},
                                        .getset = tg_getset};

/* ---- functions ------------------------------------------------------------------------------------------------------------------- */

/* _count_elements(mapping, iterable): mapping[x] += 1 for each x, missing ones count from 0. */
static Value count_elements(VM *vm, const Value *args, int n)
{
    (void)n;
    Value map = args[0], it = ou_iter(vm, args[1]);
    if (it == V_NULL) return V_NULL;
    /* a subclass with its own get or __setitem__ sees every step */
    Type *t = ou_type_of(vm, map);
    Type *dict = vm->types[T_DICT];
    bool fast = is_a_fast(vm, map, T_DICT);
    if (fast && t != dict) {
        Str *get = name_of(vm, N_get), *set = name_of(vm, N_DU_setitem);
        fast = ou_type_lookup(vm, t, get) == ou_type_lookup(vm, dict, get) &&
               ou_type_lookup(vm, t, set) == ou_type_lookup(vm, dict, set);
    }
    bool ok = true;
    while (ok) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        Value old;
        if (fast) {
            int64_t h;
            ok = ou_hash(vm, x, &h);
            int64_t at = ok ? ou_dict_find(vm, as_dict(map), x, h) : -2;
            ok = at != -2;
            if (ok && at >= 0 && is_small(as_dict(map)->entries[at].value)) {
                Value *place = &as_dict(map)->entries[at].value;
                *place = ou_int(vm, v_small(*place) + 1);
                release(vm, x);
                continue;
            }
            old = at >= 0 ? retain(as_dict(map)->entries[at].value) : ok ? v_smallint(0) : V_NULL;
        } else {
            Value a[2] = {x, v_smallint(0)};
            old = ou_call_method(vm, map, name_of(vm, N_get), a, 2, NULL);
        }
        Value sum = old == V_NULL ? V_NULL : ou_binary(vm, BIN_ADD, old, v_smallint(1));
        ok = sum != V_NULL && (fast ? ou_dict_set(vm, as_dict(map), x, sum) : ou_setitem(vm, map, x, sum));
        xrelease(vm, old);
        xrelease(vm, sum);
        release(vm, x);
    }
    release(vm, it);
    return ok ? V_NONE : V_NULL;
}

static const NativeDef functions[] = {
    {"_count_elements(mapping, iterable, /)", count_elements, "Count elements in the iterable, updating the mapping", 0},
    {0}};

bool ou_mod__collections(VM *vm, Module *m)
{
    CollectionTypes *s = ou_collection_types(vm);
    bool ok = s && (s->deque = ou_module_type(vm, m, &ou_deque_def, NULL)) &&
           (s->defaultdict = ou_module_type(vm, m, &defaultdict_def, vm->types[T_DICT])) &&
           (s->iter = ou_module_type(vm, m, &ou_deque_iter_def, NULL)) && (s->reviter = ou_module_type(vm, m, &ou_deque_reviter_def, NULL)) &&
              ou_module_type(vm, m, &tuplegetter_def, NULL) && ou_module_add(vm, m, functions);
    if (!ok) return false;
    Value types[4] = {v_of(s->deque), v_of(s->defaultdict), v_of(s->iter), v_of(s->reviter)};
    set_owned(vm, &s->keep, ou_tuple_of(vm, types, 4));
    return s->keep != V_NULL;
}
