/* The types set and frozenset and their iterator: construction, repr, hash, and the tables of slots and methods. The table is in
 * set_table.c, operators and what combines two sets in set_ops.c.
 * Entry points: ou_type_set, ou_type_frozenset, ou_type_set_iter. The one thing to know: the hash of a frozenset, and of a set that is
 * looked for in another one, depends on the hashes of its elements only, not on their order. */
#include "runtime/objects/set_impl.h"

#include "runtime/objects/numbers.h"
#include "vm/call.h"

typedef struct SetIter {
    Obj h;
    Value set; /* V_NULL once exhausted */
    uint32_t n, pos;
    int64_t left;
} SetIter;

/* ---- slots ------------------------------------------------------------------------------------------------------------------ */

static Value set_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    return v_of(ou_set_make(vm, cls));
}

static int set_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && !ou_no_kw(vm, "set", kwnames)) return -1;
    if (!ou_arg_count(vm, "set", n, 0, 1)) return -1;
    ou_set_clear(vm, as_set(self));
    return n == 0 || ou_set_update(vm, as_set(self), args[0]) ? 0 : -1;
}

static Value frozenset_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    Type *plain = vm->types[T_FROZENSET];
    if (kw_given(kwnames) && cls->slots.init == plain->slots.init) {
        ou_no_kw(vm, "frozenset", kwnames);
        return V_NULL;
    }
    if (!ou_arg_count(vm, "frozenset", n, 0, 1)) return V_NULL;
    if (cls != plain) return ou_set_of(vm, cls, n ? args[0] : V_NULL);
    if (n && is_exact(args[0], T_FROZENSET)) return retain(args[0]);
    Value s = ou_set_of(vm, cls, n ? args[0] : V_NULL);
    if (s == V_NULL || as_set(s)->n) return s;
    if (vm->empty_frozenset == V_NULL) vm->empty_frozenset = retain(s);
    release(vm, s);
    return retain(vm->empty_frozenset);
}

static void set_dealloc(VM *vm, Obj *o)
{
    if (((Set *)o)->table) ou_set_clear(vm, (Set *)o);
    ou_finish_dealloc(vm, o, 0);
}

static void set_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Set *s = (Set *)o;
    for (uint32_t i = 0; s->table && i <= s->mask; i++)
        if (is_live(&s->table[i])) ou_visit(vm, s->table[i].key, visit, arg);
}

static void set_clear_slot(VM *vm, Obj *o) { ou_set_clear(vm, (Set *)o); }

static Value set_repr(VM *vm, Value self)
{
    const char *name = ou_type_name(vm, self);
    if (!as_set(self)->n) return ou_str_format(vm, "%s()", name);
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, self);
    if (entered <= 0) return entered < 0 ? V_NULL : ou_str_format(vm, "%s(...)", name);
    Value l = ou_list_from(vm, self), r = V_NULL;
    if (l != V_NULL) {
        StrBuf b;
        ou_sb_init(&b, vm);
        if (!is_exact(self, T_SET)) {
            ou_sb_puts(&b, name);
            ou_sb_putc(&b, '(');
        }
        ou_sb_putc(&b, '{');
        bool ok = true;
        for (uint32_t i = 0; ok && i < as_list(l)->n; i++) {
            if (i) ou_sb_put(&b, ", ", 2);
            ok = ou_sb_repr(&b, as_list(l)->items[i]);
        }
        ou_sb_putc(&b, '}');
        if (!is_exact(self, T_SET)) ou_sb_putc(&b, ')');
        if (ok) r = ou_sb_finish(&b);
        else ou_sb_drop(&b);
        release(vm, l);
    }
    ou_repr_leave(vm, &g);
    return r;
}

static bool frozenset_hash(VM *vm, Value self, int64_t *out)
{
    ou_set_hash(vm, self, out);
    as_set(self)->hash = *out;
    return true;
}

static int64_t set_len(VM *vm, Value self)
{
    (void)vm;
    return as_set(self)->n;
}

static Value set_iter(VM *vm, Value self)
{
    SetIter *it = ou_new(vm, vm->types[T_SET_ITER], 0);
    if (!it) return V_NULL;
    it->set = retain(self);
    it->n = as_set(self)->n;
    it->left = it->n;
    return v_of(it);
}

/* ---- methods -------------------------------------------------------------------------------------------------------- */

static Value set_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    ou_set_clear(vm, as_set(args[0]));
    return V_NONE;
}

static Value set_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Value l = ou_list_from(vm, args[0]);
    if (l == V_NULL) return V_NULL;
    Value a = ou_tuple_take(vm, &l, 1);
    if (a == V_NULL) return V_NULL;
    Value state = ou_get_state(vm, args[0]);
    if (state == V_NULL) {
        release(vm, a);
        return V_NULL;
    }
    Value r[3] = {retain(v_of(ou_type_of(vm, args[0]))), a, state};
    return ou_tuple_take(vm, r, 3);
}

#define COMMON_METHODS                                                                                                 \
    {"copy()", ou_setm_copy, "Return a shallow copy of a set.", 0},                                                        \
        {"union(*others)", ou_setm_union, "Return a new set with elements from the set and all others.", 0},               \
        {"intersection(*others)", ou_setm_intersection, "Return a new set with elements common to the set and all others.", 0}, \
        {"difference(*others)", ou_setm_difference, "Return a new set with elements in the set that are not in the others.", 0}, \
        {"symmetric_difference(other, /)", ou_setm_symmetric_difference,                                                   \
         "Return a new set with elements in either the set or other but not both.", 0},                                \
        {"issubset(other, /)", ou_setm_issubset, "Report whether another set contains this set.", 0},                      \
        {"issuperset(other, /)", ou_setm_issuperset, "Report whether this set contains another set.", 0},                  \
        {"isdisjoint(other, /)", ou_setm_isdisjoint, "Return True if two sets have a null intersection.", 0},              \
        {"__reduce__()", set_reduce, "Return state information for pickling.", 0},                                     \
    {                                                                                                                  \
        "__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS                                      \
    }

static const NativeDef set_methods[] = {
    {"add(object, /)", ou_setm_add, "Add an element to a set.\n\nThis has no effect if the element is already present.", 0},
    {"discard(object, /)", ou_setm_discard, "Remove an element from a set if it is a member.\n\nUnlike set.remove(), the discard() method does not raise\nan exception when an element is missing from the set.", 0},
    {"remove(object, /)", ou_setm_remove, "Remove an element from a set; it must be a member.\n\nIf the element is not a member, raise a KeyError.", 0},
    {"pop()", ou_setm_pop, "Remove and return an arbitrary set element.\n\nRaises KeyError if the set is empty.", 0},
    {"clear()", set_clear, "Remove all elements from this set.", 0},
    {"update(*others)", ou_setm_update, "Update the set, adding elements from all others.", 0},
    {"intersection_update(*others)", ou_setm_intersection_update, "Update the set, keeping only elements found in it and all others.", 0},
    {"difference_update(*others)", ou_setm_difference_update, "Update the set, removing elements found in others.", 0},
    {"symmetric_difference_update(other, /)", ou_setm_symmetric_difference_update, "Update the set, keeping only elements found in either set, but not in both.", 0},
    COMMON_METHODS,
    {0}};
static const NativeDef frozenset_methods[] = {COMMON_METHODS, {0}};

#define COMMON_SLOTS                                                                                                   \
    .dealloc = set_dealloc, .traverse = set_traverse, .repr = set_repr, .compare = ou_set_compare, .len = set_len,        \
    .contains = ou_set_contains, .iter = set_iter,                                                                        \
    .binary = {[BIN_OR] = ou_set_or, [BIN_AND] = ou_set_and, [BIN_SUB] = ou_set_sub, [BIN_XOR] = ou_set_xor}

const TypeDef ou_type_set = {
    .name = "set",
    .size = sizeof(Set),
    .flags = TF_GC | TF_BASE | TF_WEAKREF | TF_MATCH_SELF,
    .slots = {.make = set_make,
              .init = set_init,
              .clear = set_clear_slot,
              COMMON_SLOTS,
              .inplace = {[BIN_OR] = ou_set_ior, [BIN_AND] = ou_set_iand, [BIN_SUB] = ou_set_isub, [BIN_XOR] = ou_set_ixor}},
    .methods = set_methods,
    .doc = "Build an unordered collection of unique elements."};
const TypeDef ou_type_frozenset = {
    .name = "frozenset",
    .size = sizeof(Set),
    .flags = TF_GC | TF_BASE | TF_WEAKREF | TF_MATCH_SELF,
    .slots = {.make = frozenset_make, .hash = frozenset_hash, COMMON_SLOTS},
    .methods = frozenset_methods,
    .doc = "Build an immutable unordered collection of unique elements."};

/* ---- iterator ----------------------------------------------------------------------------------------------------------------- */

static Value set_iter_next(VM *vm, Value self)
{
    SetIter *it = (SetIter *)v_obj(self);
    if (it->set == V_NULL) return V_NULL;
    Set *s = as_set(it->set);
    if (s->n != it->n) {
        it->n = UINT32_MAX;
        return ou_raise(vm, E_RUNTIME, "Set changed size during iteration");
    }
    SetEntry *e = next_entry(s, &it->pos);
    if (e) {
        it->left--;
        return retain(e->key);
    }
    set_owned(vm, &it->set, V_NULL);
    return V_NULL;
}

static Value set_iter_hint(VM *vm, const Value *args, int n)
{
    (void)vm, (void)n;
    SetIter *it = (SetIter *)v_obj(args[0]);
    return v_smallint(it->set == V_NULL || it->n != as_set(it->set)->n ? 0 : it->left);
}

static Value set_iter_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    SetIter *it = (SetIter *)v_obj(args[0]), *copy = ou_new(vm, ou_type_of(vm, args[0]), 0);
    if (!copy) return V_NULL;
    copy->set = it->set == V_NULL ? V_NULL : retain(it->set);
    copy->n = it->n;
    copy->pos = it->pos;
    copy->left = it->left;
    return ou_iter_rest(vm, v_of(copy));
}

static void set_iter_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((SetIter *)o)->set);
    ou_finish_dealloc(vm, o, 0);
}
static void set_iter_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((SetIter *)o)->set, visit, arg); }

static const NativeDef set_iter_methods[] = {
    {"__length_hint__()", set_iter_hint, "Private method returning an estimate of len(list(it)).", 0},
    {"__reduce__()", set_iter_reduce, "Return state information for pickling.", 0},
    {0}};

const TypeDef ou_type_set_iter = {.name = "set_iterator",
                                  .size = sizeof(SetIter),
                                  .flags = TF_GC | TF_NO_NEW,
                                  .slots = {.dealloc = set_iter_dealloc,
                                            .traverse = set_iter_traverse,
                                            .iter = ou_iter_self,
                                            .next = set_iter_next},
                                  .methods = set_iter_methods};
