/* dict's iterators (forwards and backwards over keys, values, items) and its views, which are live and set-like.
 * An iterator that finds the dict's size changed says so once and is finished. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/dict_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

/* ---- iterators ------------------------------------------------------------------------------------------------------ */

Value ou_dict_iter_new(VM *vm, TypeId id, Dict *d)
{
    DictIter *it = ou_new(vm, vm->types[id], 0);
    if (!it) return V_NULL;
    it->dict = retain(v_of(d));
    it->n = d->n;
    it->left = d->n;
    it->pos = id == T_DICT_REVKEYITER || id == T_DICT_REVVALUEITER || id == T_DICT_REVITEMITER ? d->nentries : 0;
    return v_of(it);
}

/* The next live entry, or NULL: exhausted or raised. */
static DictEntry *advance(VM *vm, DictIter *it, bool backwards)
{
    if (it->dict == V_NULL) return NULL;
    Dict *d = as_dict(it->dict);
    if (d->n != it->n) {
        it->n = UINT32_MAX;
        ou_raise(vm, E_RUNTIME, "dictionary changed size during iteration");
        return NULL;
    }
    if (backwards) {
        uint32_t i = it->pos < d->nentries ? it->pos : d->nentries;
        while (i > 0)
            if (d->entries[--i].key != V_NULL) {
                it->pos = i;
                it->left--;
                return &d->entries[i];
            }
    } else {
        for (uint32_t i = it->pos < d->first ? d->first : it->pos; i < d->nentries; i++) {
            if (d->entries[i].key == V_NULL) continue;
            if (it->left == 0) {
                set_owned(vm, &it->dict, V_NULL);
                ou_raise(vm, E_RUNTIME, "dictionary keys changed during iteration");
                return NULL;
            }
            it->pos = i + 1;
            it->left--;
            return &d->entries[i];
        }
    }
    set_owned(vm, &it->dict, V_NULL);
    return NULL;
}

static Value pair(VM *vm, const DictEntry *e)
{
    Value kv[2] = {e->key, e->value};
    return ou_tuple_of(vm, kv, 2);
}

static Value key_next(VM *vm, Value self)
{
    DictEntry *e = advance(vm, (DictIter *)v_obj(self), false);
    return e ? retain(e->key) : V_NULL;
}
static Value value_next(VM *vm, Value self)
{
    DictEntry *e = advance(vm, (DictIter *)v_obj(self), false);
    return e ? retain(e->value) : V_NULL;
}
static Value item_next(VM *vm, Value self)
{
    DictEntry *e = advance(vm, (DictIter *)v_obj(self), false);
    return e ? pair(vm, e) : V_NULL;
}
int ou_dict_next_item(VM *vm, Value self, Value *out)
{
    DictEntry *e = advance(vm, (DictIter *)v_obj(self), false);
    if (!e) return vm->exc ? -1 : 0;
    out[0] = retain(e->key);
    out[1] = retain(e->value);
    return 1;
}
static Value revkey_next(VM *vm, Value self)
{
    DictEntry *e = advance(vm, (DictIter *)v_obj(self), true);
    return e ? retain(e->key) : V_NULL;
}
static Value revvalue_next(VM *vm, Value self)
{
    DictEntry *e = advance(vm, (DictIter *)v_obj(self), true);
    return e ? retain(e->value) : V_NULL;
}
static Value revitem_next(VM *vm, Value self)
{
    DictEntry *e = advance(vm, (DictIter *)v_obj(self), true);
    return e ? pair(vm, e) : V_NULL;
}

static Value iter_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    DictIter *it = (DictIter *)v_obj(args[0]);
    return v_smallint(it->dict == V_NULL || it->n != as_dict(it->dict)->n ? 0 : it->left);
}

static Value iter_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    DictIter *it = (DictIter *)v_obj(args[0]), *copy = ou_new(vm, ou_type_of(vm, args[0]), 0);
    if (!copy) return V_NULL;
    copy->dict = it->dict == V_NULL ? V_NULL : retain(it->dict);
    copy->n = it->n;
    copy->pos = it->pos;
    copy->left = it->left;
    return ou_iter_rest(vm, v_of(copy));
}

void ou_dict_iter_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((DictIter *)o)->dict);
    ou_finish_dealloc(vm, o, 0);
}

void ou_dict_iter_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((DictIter *)o)->dict, visit, arg); }

static const NativeDef iter_methods[] = {
    {"__length_hint__()", iter_hint, "Private method returning an estimate of len(list(it)).", 0},
    {"__reduce__()", iter_reduce, "Return state information for pickling.", 0},
    {0}};

#define DICT_ITER(cname, text, fn)                                                                                     \
    const TypeDef ou_type_##cname = {.name = text,                                                                     \
                                     .size = sizeof(DictIter),                                                         \
                                     .flags = TF_GC | TF_NO_NEW,                                                       \
                                     .slots = {.dealloc = ou_dict_iter_dealloc,                                        \
                                               .traverse = ou_dict_iter_traverse,                                      \
                                               .iter = ou_iter_self,                                                   \
                                               .next = fn},                                                            \
                                     .methods = iter_methods}
DICT_ITER(dict_keyiter, "dict_keyiterator", key_next);
DICT_ITER(dict_valueiter, "dict_valueiterator", value_next);
DICT_ITER(dict_itemiter, "dict_itemiterator", item_next);
DICT_ITER(dict_revkeyiter, "dict_reversekeyiterator", revkey_next);
DICT_ITER(dict_revvalueiter, "dict_reversevalueiterator", revvalue_next);
DICT_ITER(dict_revitemiter, "dict_reverseitemiterator", revitem_next);

/* ---- views ------------------------------------------------------------------------------------------------------------- */

Value ou_dict_view_new(VM *vm, Type *t, Value dict)
{
    DictView *v = ou_new(vm, t, 0);
    if (!v) return V_NULL;
    v->dict = retain(dict);
    return v_of(v);
}

static Dict *dict_of(Value view) { return as_dict(((DictView *)v_obj(view))->dict); }

static void view_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((DictView *)o)->dict);
    ou_finish_dealloc(vm, o, 0);
}

static void view_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((DictView *)o)->dict, visit, arg); }

static int64_t view_len(VM *vm, Value self)
{
    (void)vm;
    return dict_of(self)->n;
}

static Value view_repr(VM *vm, Value self)
{
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, self);
    if (entered <= 0) return entered < 0 ? V_NULL : ou_str_c(vm, "...");
    Value l = ou_list_from(vm, self);
    Value r = l == V_NULL ? V_NULL : ou_str_format(vm, "%s(%R)", ou_type_name(vm, self), l);
    xrelease(vm, l);
    ou_repr_leave(vm, &g);
    return r;
}

static Value keys_iter(VM *vm, Value self) { return ou_dict_iter_new(vm, T_DICT_KEYITER, dict_of(self)); }
static Value values_iter(VM *vm, Value self) { return ou_dict_iter_new(vm, T_DICT_VALUEITER, dict_of(self)); }
static Value items_iter(VM *vm, Value self) { return ou_dict_iter_new(vm, T_DICT_ITEMITER, dict_of(self)); }

static Value keys_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_iter_new(vm, T_DICT_REVKEYITER, dict_of(args[0]));
}
static Value values_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_iter_new(vm, T_DICT_REVVALUEITER, dict_of(args[0]));
}
static Value items_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_iter_new(vm, T_DICT_REVITEMITER, dict_of(args[0]));
}

static int keys_contains(VM *vm, Value self, Value x)
{
    Value v = ou_dict_get(vm, dict_of(self), x);
    return v != V_NULL ? 1 : vm->exc ? -1 : 0;
}

static int items_contains(VM *vm, Value self, Value x)
{
    if (!is_a_fast(vm, x, T_TUPLE) || as_tuple(x)->n != 2) return 0;
    Value v = ou_dict_get(vm, dict_of(self), as_tuple(x)->items[0]);
    if (v == V_NULL) return vm->exc ? -1 : 0;
    retain(v);
    int eq = ou_eq(vm, v, as_tuple(x)->items[1]);
    release(vm, v);
    return eq;
}

static bool is_set_view(VM *vm, Value v) { return is_a_fast(vm, v, T_DICT_KEYS) || is_a_fast(vm, v, T_DICT_ITEMS); }
static bool is_setlike(VM *vm, Value v)
{
    return is_set_view(vm, v) || is_a_fast(vm, v, T_SET) || is_a_fast(vm, v, T_FROZENSET);
}

/* Are all items of `a` in `b`? */
static int all_in(VM *vm, Value a, Value b)
{
    Value it = ou_iter(vm, a);
    if (it == V_NULL) return -1;
    int r = 1;
    while (r == 1) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            if (vm->exc) r = -1;
            break;
        }
        r = ou_contains(vm, b, x);
        release(vm, x);
    }
    release(vm, it);
    return r;
}

static Value view_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!is_set_view(vm, a) || !is_setlike(vm, b)) return V_NOTIMPL;
    int64_t x = view_len(vm, a), y = ou_len(vm, b);
    if (y < 0) return V_NULL;
    int r = 0;
    switch (op) {
    case CMP_EQ:
    case CMP_NE: r = x == y ? all_in(vm, a, b) : 0; break;
    case CMP_LT: r = x < y ? all_in(vm, a, b) : 0; break;
    case CMP_LE: r = x <= y ? all_in(vm, a, b) : 0; break;
    case CMP_GT: r = x > y ? all_in(vm, b, a) : 0; break;
    case CMP_GE: r = x >= y ? all_in(vm, b, a) : 0; break;
    }
    return r < 0 ? V_NULL : v_bool(op == CMP_NE ? !r : r);
}

static bool discard_all(VM *vm, Set *s, Value other)
{
    Value it = ou_iter(vm, other);
    if (it == V_NULL) return false;
    bool ok = true;
    while (ok) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        ok = ou_set_discard(vm, s, x) >= 0;
        release(vm, x);
    }
    release(vm, it);
    return ok;
}

static Value view_sub(VM *vm, Value a, Value b)
{
    if (!is_set_view(vm, a) && !is_set_view(vm, b)) return V_NOTIMPL;
    Value s = ou_set_from(vm, T_SET, a);
    if (s == V_NULL || discard_all(vm, as_set(s), b)) return s;
    release(vm, s);
    return V_NULL;
}

static Value view_or(VM *vm, Value a, Value b)
{
    Value s = ou_set_from(vm, T_SET, a);
    if (s == V_NULL || ou_set_update(vm, as_set(s), b)) return s;
    release(vm, s);
    return V_NULL;
}

static Value view_and(VM *vm, Value a, Value b)
{
    if (!is_set_view(vm, a)) { /* reflected: the other operand is any iterable */
        Value t = a;
        a = b;
        b = t;
    }
    if (is_set_view(vm, b) && view_len(vm, b) > view_len(vm, a)) {
        Value t = a;
        a = b;
        b = t;
    }
    Value s = ou_set_new(vm, T_SET), it = s == V_NULL ? V_NULL : ou_iter(vm, b);
    bool ok = it != V_NULL;
    while (ok) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        int has = ou_contains(vm, a, x);
        ok = has >= 0 && (!has || ou_set_add(vm, as_set(s), x));
        release(vm, x);
    }
    xrelease(vm, it);
    if (ok) return s;
    xrelease(vm, s);
    return V_NULL;
}

static Value view_xor(VM *vm, Value a, Value b)
{
    Value s = ou_set_from(vm, T_SET, a), other = s == V_NULL ? V_NULL : ou_set_from(vm, T_SET, b); /* b may repeat itself */
    Value it = other == V_NULL ? V_NULL : ou_iter(vm, other);
    xrelease(vm, other);
    bool ok = it != V_NULL;
    while (ok) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        int had = ou_set_discard(vm, as_set(s), x);
        ok = had > 0 || (had == 0 && ou_set_add(vm, as_set(s), x));
        release(vm, x);
    }
    xrelease(vm, it);
    if (ok) return s;
    xrelease(vm, s);
    return V_NULL;
}

static Value view_isdisjoint(VM *vm, const Value *args, int n)
{
    (void)n;
    Value small = args[1], big = args[0];
    if (is_setlike(vm, small)) {
        int64_t len = ou_len(vm, small);
        if (len < 0) return V_NULL;
        if (len > view_len(vm, big)) {
            small = args[0];
            big = args[1];
        }
    }
    Value it = ou_iter(vm, small);
    if (it == V_NULL) return V_NULL;
    int has = 0;
    while (!has) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            if (vm->exc) has = -1;
            break;
        }
        has = ou_contains(vm, big, x);
        release(vm, x);
    }
    release(vm, it);
    return has < 0 ? V_NULL : v_bool(!has);
}

static Value view_mapping(VM *vm, Value self) { return ou_mappingproxy_new(vm, ((DictView *)v_obj(self))->dict); }

static const GetSetDef view_getset[] = {{"mapping", view_mapping, NULL, "dictionary that this view refers to"}, {0}};

#define DISJOINT {"isdisjoint(other, /)", view_isdisjoint, "Return True if the view and the given iterable have a null intersection.", 0}
static const NativeDef keys_methods[] = {
    DISJOINT, {"__reversed__()", keys_reversed, "Return a reverse iterator over the dict keys.", 0}, {0}};
static const NativeDef items_methods[] = {
    DISJOINT, {"__reversed__()", items_reversed, "Return a reverse iterator over the dict items.", 0}, {0}};
static const NativeDef values_methods[] = {
    {"__reversed__()", values_reversed, "Return a reverse iterator over the dict values.", 0}, {0}};

#define SET_OPS .binary = {[BIN_SUB] = view_sub, [BIN_AND] = view_and, [BIN_OR] = view_or, [BIN_XOR] = view_xor}
const TypeDef ou_type_dict_keys = {.name = "dict_keys",
                                   .size = sizeof(DictView),
                                   .flags = TF_GC | TF_NO_NEW,
                                   .slots = {.dealloc = view_dealloc,
                                             .traverse = view_traverse,
                                             .repr = view_repr,
                                             .compare = view_compare,
                                             .len = view_len,
                                             .contains = keys_contains,
                                             .iter = keys_iter,
                                             SET_OPS},
                                   .methods = keys_methods,
                                   .getset = view_getset};
const TypeDef ou_type_dict_items = {.name = "dict_items",
                                    .size = sizeof(DictView),
                                    .flags = TF_GC | TF_NO_NEW,
                                    .slots = {.dealloc = view_dealloc,
                                              .traverse = view_traverse,
                                              .repr = view_repr,
                                              .compare = view_compare,
                                              .len = view_len,
                                              .contains = items_contains,
                                              .iter = items_iter,
                                              SET_OPS},
                                    .methods = items_methods,
                                    .getset = view_getset};
const TypeDef ou_type_dict_values = {.name = "dict_values",
                                     .size = sizeof(DictView),
                                     .flags = TF_GC | TF_NO_NEW,
                                     .slots = {.dealloc = view_dealloc,
                                               .traverse = view_traverse,
                                               .repr = view_repr,
                                               .len = view_len,
                                               .iter = values_iter},
                                     .methods = values_methods,
                                     .getset = view_getset};
