/* _odict: collections.OrderedDict. A dict keeps the order of insertion already; what this adds: keys can be moved to an end,
 * the order counts in comparisons, and filling one goes through the __setitem__ of a subclass. Its iterators notice every
 * change of the keys by the dict's version. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/dict_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

typedef struct OrderedIter {
    DictIter it;
    uint32_t version; /* of the dict when the iterator was made */
    uint8_t what; /* bits of Yields */
    bool backwards;
} OrderedIter;

enum Yields { YIELD_KEY = 1, YIELD_VALUE = 2, YIELD_ITEM = 3 };

typedef struct State {
    Value keep; /* a tuple of the types: they may be needed after the module is gone */
    Type *odict, *iter, *keys, *values, *items;
} State;

static const TypeDef odict_def;

static State *state_of(VM *vm) { return ou_module_record(vm, MOD__odict, sizeof(State)); }

static bool is_odict(VM *vm, Value v)
{
    for (Type *t = is_obj(v) ? ou_type_of(vm, v) : NULL; t; t = t->base)
        if (t->def == &odict_def) return true;
    return false;
}
/* Not of a subclass, whose methods would have to be asked. */
static bool is_plain(VM *vm, Value v) { return ou_type_of(vm, v)->def == &odict_def; }

static bool mutated(VM *vm) { return ou_raise(vm, E_RUNTIME, "OrderedDict mutated during iteration"), false; }

/* ---- iterators and views ------------------------------------------------------------------------------------------------ */

static Value iter_new(VM *vm, Value dict, enum Yields what, bool backwards)
{
    OrderedIter *o = ou_new(vm, state_of(vm)->iter, 0);
    if (!o) return V_NULL;
    Dict *d = as_dict(dict);
    o->it.dict = retain(dict);
    o->version = ou_dict_version(vm, d);
    o->it.pos = backwards ? d->nentries : d->first;
    o->it.left = d->n;
    o->what = (uint8_t)what;
    o->backwards = backwards;
    return v_of(o);
}

static Value iter_next(VM *vm, Value self)
{
    OrderedIter *o = (OrderedIter *)v_obj(self);
    if (o->it.dict == V_NULL) return V_NULL;
    Dict *d = as_dict(o->it.dict);
    if (o->it.left == 0 || ou_dict_version(vm, d) != o->version) {
        if (o->it.left) mutated(vm);
        set_owned(vm, &o->it.dict, V_NULL);
        return V_NULL;
    }
    o->it.left--;
    DictEntry *e;
    do {
        e = &d->entries[o->backwards ? --o->it.pos : o->it.pos++];
    } while (e->key == V_NULL);
    if (o->what != YIELD_ITEM) return retain(o->what == YIELD_KEY ? e->key : e->value);
    Value kv[2] = {e->key, e->value};
    return ou_tuple_of(vm, kv, 2);
}

static const TypeDef iter_def = {
    .name = "odict_iterator",
    .size = sizeof(OrderedIter),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = ou_dict_iter_dealloc, .traverse = ou_dict_iter_traverse, .iter = ou_iter_self, .next = iter_next}};

static Value viewed(Value view) { return ((DictView *)v_obj(view))->dict; }

#define VIEW(kind, yields)                                                                                             \
    static Value kind##_iter(VM *vm, Value self) { return iter_new(vm, viewed(self), yields, false); }                 \
    static Value kind##_reversed(VM *vm, const Value *args, int n)                                                     \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return iter_new(vm, viewed(args[0]), yields, true);                                                            \
    }                                                                                                                  \
    static const NativeDef kind##_methods[] = {{"__reversed__()", kind##_reversed, NULL, 0}, {0}};                     \
    static const TypeDef kind##_def = {.name = "odict_" #kind,                                                         \
                                       .size = sizeof(DictView),                                                       \
                                       .flags = TF_GC | TF_NO_NEW,                                                     \
                                       .slots = {.iter = kind##_iter},                                                 \
                                       .methods = kind##_methods}
VIEW(keys, YIELD_KEY);
VIEW(values, YIELD_VALUE);
VIEW(items, YIELD_ITEM);

/* ---- filling ------------------------------------------------------------------------------------------------------------ */

static bool put(VM *vm, Value self, Value key, Value v)
{
    return is_plain(vm, self) ? ou_dict_set(vm, as_dict(self), key, v) : ou_setitem(vm, self, key, v);
}

static bool put_pair(VM *vm, Value self, Value pair)
{
    Value it = ou_iter(vm, pair), kv[3];
    if (it == V_NULL) return false;
    int n = 0;
    while (n < 3 && (kv[n] = ou_next(vm, it)) != V_NULL) n++;
    release(vm, it);
    bool ok = !vm->exc;
    if (ok && n < 2)
        ok = (ou_raise(vm, E_VALUE, "need more than %d value%s to unpack", n, n == 1 ? "" : "s"), false);
    else if (ok && n > 2)
        ok = (ou_raise(vm, E_VALUE, "too many values to unpack (expected 2)"), false);
    else if (ok)
        ok = put(vm, self, kv[0], kv[1]);
    while (n > 0) release(vm, kv[--n]);
    return ok;
}

/* Every item of `from`: a pair, or with a mapping a key whose value is looked up there. */
static bool put_all(VM *vm, Value self, Value from, Value mapping)
{
    Value it = ou_iter(vm, from);
    bool ok = it != V_NULL;
    while (ok) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        if (mapping == V_NULL) {
            ok = put_pair(vm, self, x);
        } else {
            Value v = ou_getitem(vm, mapping, x);
            ok = v != V_NULL && put(vm, self, x, v);
            xrelease(vm, v);
        }
        release(vm, x);
    }
    xrelease(vm, it);
    return ok;
}

static bool put_dict(VM *vm, Value self, Value dict)
{
    if (is_plain(vm, self)) return ou_dict_update(vm, as_dict(self), dict);
    Value copy = ou_dict_copy(vm, as_dict(dict)), k, v;
    bool ok = copy != V_NULL;
    for (uint32_t pos = 0; ok && ou_dict_next(as_dict(copy), &pos, &k, &v);) ok = put(vm, self, k, v);
    xrelease(vm, copy);
    return ok;
}

static bool update_from(VM *vm, Value self, Value other)
{
    if (is_exact(other, T_DICT) || (is_plain(vm, other) && is_plain(vm, self))) return put_dict(vm, self, other);
    bool missing = false;
    Value method = ou_getattr_opt(vm, other, name_of(vm, N_keys), &missing);
    bool keys = method != V_NULL;
    if (!keys && missing) {
        Str *name = ou_intern_c(vm, "items");
        if (!name) return false;
        method = ou_getattr_opt(vm, other, name, &missing);
        release(vm, v_of(name));
    }
    if (method == V_NULL) return missing && put_all(vm, self, other, V_NULL);
    Value from = ou_call0(vm, method);
    release(vm, method);
    bool ok = from != V_NULL && put_all(vm, self, from, keys ? other : V_NULL);
    xrelease(vm, from);
    return ok;
}

static Value odict_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    return v_of(ou_new(vm, cls, 0));
}

static int odict_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (n > 1) return ou_raise(vm, E_TYPE, "expected at most 1 arguments, got %d", n), -1;
    if (n && !update_from(vm, self, args[0])) return -1;
    for (uint32_t i = 0; kwnames && i < kwnames->n; i++)
        if (!put(vm, self, kwnames->items[i], args[n + (int)i])) return -1;
    return 0;
}

static Value odict_update(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *pos = as_tuple(args[1]);
    if (pos->n > 1)
        return ou_raise(vm, E_TYPE, "update() takes at most 1 positional argument (%u given)", pos->n);
    if (pos->n && !update_from(vm, args[0], pos->items[0])) return V_NULL;
    return put_dict(vm, args[0], args[2]) ? V_NONE : V_NULL;
}

/* ---- slots -------------------------------------------------------------------------------------------------------------- */

static Value odict_iter(VM *vm, Value self) { return iter_new(vm, self, YIELD_KEY, false); }

static Value odict_repr(VM *vm, Value self)
{
    Str *name = ou_type_of(vm, self)->name;
    if (!as_dict(self)->n) return ou_str_format(vm, "%Q()", name);
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, self);
    if (entered <= 0) return entered < 0 ? V_NULL : ou_str_c(vm, "...");
    Value r = V_NULL;
    Value plain = is_plain(vm, self) ? ou_dict_copy(vm, as_dict(self)) : ou_call1(vm, v_of(ou_builtin(vm, T_DICT)), self);
    if (plain != V_NULL) r = ou_str_format(vm, "%Q(%R)", name, plain);
    xrelease(vm, plain);
    ou_repr_leave(vm, &g);
    return r;
}

static int same_order(VM *vm, Dict *a, Dict *b)
{
    uint32_t i = 0, j = 0, va = ou_dict_version(vm, a), vb = ou_dict_version(vm, b);
    Value x, y, v;
    while (ou_dict_next(a, &i, &x, &v) && ou_dict_next(b, &j, &y, &v)) {
        retain(x), retain(y);
        int eq = ou_eq(vm, x, y);
        release(vm, x), release(vm, y);
        if (eq <= 0) return eq;
        if (ou_dict_version(vm, a) != va || ou_dict_version(vm, b) != vb) return mutated(vm), -1;
    }
    return 1;
}

static Value odict_compare(VM *vm, Value a, Value b, CmpOp op)
{
    Value r = vm->types[T_DICT]->slots.compare(vm, a, b, op);
    if (r != v_bool(op == CMP_EQ) || !is_odict(vm, a) || !is_odict(vm, b)) return r;
    int eq = same_order(vm, as_dict(a), as_dict(b));
    return eq < 0 ? V_NULL : v_bool((op == CMP_EQ) == (eq == 1));
}

static Value odict_or(VM *vm, Value a, Value b)
{
    if (!is_a_fast(vm, a, T_DICT) || !is_a_fast(vm, b, T_DICT)) return V_NOTIMPL;
    Value r = ou_call1(vm, v_of(ou_type_of(vm, is_odict(vm, a) ? a : b)), a);
    if (r == V_NULL || update_from(vm, r, b)) return r;
    release(vm, r);
    return V_NULL;
}
static Value odict_ior(VM *vm, Value a, Value b) { return update_from(vm, a, b) ? retain(a) : V_NULL; }

/* ---- methods ------------------------------------------------------------------------------------------------------------ */

static Value odict_move_to_end(VM *vm, const Value *args, int n)
{
    (void)n;
    int last = args[2] != V_NULL ? ou_truth(vm, args[2]) : 1;
    if (last < 0) return V_NULL;
    return ou_dict_move_to_end(vm, as_dict(args[0]), args[1], last) ? V_NONE : V_NULL;
}

static Value odict_popitem(VM *vm, const Value *args, int n)
{
    (void)n;
    int last = args[1] != V_NULL ? ou_truth(vm, args[1]) : 1;
    Value kv[2];
    if (last < 0) return V_NULL;
    if (!ou_dict_popitem(vm, as_dict(args[0]), last, &kv[0], &kv[1])) return ou_raise(vm, E_KEY, "dictionary is empty");
    return ou_tuple_take(vm, kv, 2);
}

static Value odict_pop(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = ou_dict_pop(vm, as_dict(args[0]), args[1]);
    if (v != V_NULL || vm->exc) return v;
    return args[2] != V_NULL ? retain(args[2]) : ou_raise_key(vm, args[1]);
}

static Value odict_setdefault(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = args[2] != V_NULL ? args[2] : V_NONE;
    if (is_plain(vm, args[0])) {
        v = ou_dict_setdefault(vm, as_dict(args[0]), args[1], v);
        return v == V_NULL ? v : retain(v);
    }
    int has = ou_contains(vm, args[0], args[1]);
    if (has) return has < 0 ? V_NULL : ou_getitem(vm, args[0], args[1]);
    return ou_setitem(vm, args[0], args[1], v) ? retain(v) : V_NULL;
}

static Value odict_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    Value r = ou_call0(vm, v_of(ou_type_of(vm, args[0])));
    if (r == V_NULL) return V_NULL;
    Dict *d = as_dict(args[0]);
    uint32_t version = ou_dict_version(vm, d);
    bool plain = is_plain(vm, args[0]), ok = true;
    Value k, v;
    for (uint32_t pos = 0; ok && ou_dict_next(d, &pos, &k, &v);) {
        retain(k);
        v = plain ? retain(v) : ou_getitem(vm, args[0], k);
        ok = v != V_NULL && put(vm, r, k, v);
        release(vm, k);
        xrelease(vm, v);
        if (ok && ou_dict_version(vm, d) != version) ok = mutated(vm);
    }
    if (ok) return r;
    release(vm, r);
    return V_NULL;
}

static Value odict_fromkeys(VM *vm, const Value *args, int n)
{
    (void)n;
    Value v = args[2] != V_NULL ? args[2] : V_NONE, r = ou_call0(vm, args[0]), it = r == V_NULL ? V_NULL : ou_iter(vm, args[1]);
    bool ok = it != V_NULL;
    while (ok) {
        Value k = ou_next(vm, it);
        if (k == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        ok = ou_setitem(vm, r, k, v);
        release(vm, k);
    }
    xrelease(vm, it);
    if (ok) return r;
    xrelease(vm, r);
    return V_NULL;
}

static Value odict_keys(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_view_new(vm, state_of(vm)->keys, args[0]);
}
static Value odict_values(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_view_new(vm, state_of(vm)->values, args[0]);
}
static Value odict_items(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_view_new(vm, state_of(vm)->items, args[0]);
}
static Value odict_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    return iter_new(vm, args[0], YIELD_KEY, true);
}

static Value odict_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Value state = ou_call_method_c(vm, args[0], "__getstate__", NULL, 0);
    Value items = state == V_NULL ? V_NULL : ou_call_method_c(vm, args[0], "items", NULL, 0);
    Value it = items == V_NULL ? V_NULL : ou_iter(vm, items), a = it == V_NULL ? V_NULL : ou_tuple_new(vm, 0);
    xrelease(vm, items);
    if (a == V_NULL) {
        xrelease(vm, state);
        xrelease(vm, it);
        return V_NULL;
    }
    Value r[5] = {retain(v_of(ou_type_of(vm, args[0]))), a, state, V_NONE, it};
    return ou_tuple_take(vm, r, 5);
}

static const NativeDef odict_methods[] = {
    {"move_to_end(key, last=True)", odict_move_to_end, "Move an existing element to the end (or beginning if last is false).\n\nRaise KeyError if the element does not exist.", 0},
    {"popitem(last=True)", odict_popitem, "Remove and return a (key, value) pair from the dictionary.\n\nPairs are returned in LIFO order if last is true or FIFO order if false.", 0},
    {"pop(key, default=<unrepresentable>)", odict_pop, "od.pop(key[,default]) -> v, remove specified key and return the corresponding value.\n\nIf the key is not found, return the default if given; otherwise,\nraise a KeyError.", 0},
    {"setdefault(key, default=None)", odict_setdefault, "Insert key with a value of default if key is not in the dictionary.\n\nReturn the value for key if key is in the dictionary, else default.", 0},
    {"update(*args, **kwargs)", odict_update, "D.update([E, ]**F) -> None.  Update D from mapping/iterable E and F.", 0},
    {"keys()", odict_keys, NULL, 0},
    {"values()", odict_values, NULL, 0},
    {"items()", odict_items, NULL, 0},
    {"copy()", odict_copy, "od.copy() -> a shallow copy of od", 0},
    {"fromkeys(iterable, value=None)", odict_fromkeys, "Create a new ordered dictionary with keys from iterable and values set to value.", ND_CLASS},
    {"__reversed__()", odict_reversed, "od.__reversed__() <==> reversed(od)", 0},
    {"__reduce__()", odict_reduce, "Return state information for pickling", 0},
    {0}};

static const TypeDef odict_def = {
    .name = "collections.OrderedDict",
    .size = sizeof(Dict),
    .flags = TF_GC | TF_BASE | TF_MAPPING | TF_DICT | TF_WEAKREF,
    .slots = {.make = odict_make,
              .init = odict_init,
              .repr = odict_repr,
              .compare = odict_compare,
              .iter = odict_iter,
              .binary = {[BIN_OR] = odict_or},
              .inplace = {[BIN_OR] = odict_ior}},
    .methods = odict_methods,
    .doc = "Dictionary that remembers insertion order"};

bool ou_mod__odict(VM *vm, Module *m)
{
    State *s = state_of(vm);
    bool ok = s && (s->odict = ou_module_type(vm, m, &odict_def, vm->types[T_DICT])) &&
              (s->iter = ou_module_type(vm, m, &iter_def, NULL)) &&
              (s->keys = ou_module_type(vm, m, &keys_def, ou_builtin(vm, T_DICT_KEYS))) &&
              (s->values = ou_module_type(vm, m, &values_def, ou_builtin(vm, T_DICT_VALUES))) &&
              (s->items = ou_module_type(vm, m, &items_def, ou_builtin(vm, T_DICT_ITEMS)));
    if (!ok) return false;
    Value types[5] = {v_of(s->odict), v_of(s->iter), v_of(s->keys), v_of(s->values), v_of(s->items)};
    set_owned(vm, &s->keep, ou_tuple_of(vm, types, 5));
    return s->keep != V_NULL;
}
