/* What makes a set of two or compares them: operators and the methods of the same meaning, for set and frozenset.
 * Entry points: ou_set_or and the like, ou_setm_union and the like. The one thing to know: which operand is walked over, and whether
 * a result is built anew or from a copy, decides the order of iteration, so both are CPython's. */
#include "runtime/objects/set_impl.h"

#include "vm/call.h"

/* Results of operators are plain sets or frozensets, also for subclasses. */
static Type *plain_type(VM *vm, Value like) { return vm->types[is_a_fast(vm, like, T_SET) ? T_SET : T_FROZENSET]; }
static Value copy_plain(VM *vm, Value set) { return ou_set_of(vm, plain_type(vm, set), set); }

static Value intersection(VM *vm, Value a, Value b)
{
    if (a == b) return copy_plain(vm, a);
    Value r = ou_set_of(vm, plain_type(vm, a), V_NULL);
    if (r == V_NULL) return V_NULL;
    bool ok = true;
    if (is_anyset(vm, b)) {
        Set *big = as_set(a), *small = as_set(b);
        if (small->n > big->n) {
            big = as_set(b);
            small = as_set(a);
        }
        SetEntry *p;
        for (uint32_t pos = 0; ok && (p = next_entry(small, &pos));) {
            SetEntry e = *p;
            retain(e.key);
            int has = ou_set_has_hashed(vm, big, e.key, e.hash);
            ok = has >= 0 && (!has || ou_set_add_hashed(vm, as_set(r), e.key, e.hash));
            release(vm, e.key);
        }
    } else {
        Value it = ou_iter(vm, b);
        ok = it != V_NULL;
        while (ok) {
            Value x = ou_next(vm, it);
            if (x == V_NULL) {
                ok = vm->exc == V_NULL;
                break;
            }
            int64_t h;
            ok = key_hash(vm, x, &h);
            int has = ok ? ou_set_has_hashed(vm, as_set(a), x, h) : -1;
            ok = has >= 0 && (!has || ou_set_add_hashed(vm, as_set(r), x, h));
            release(vm, x);
        }
        xrelease(vm, it);
    }
    if (ok) return r;
    release(vm, r);
    return V_NULL;
}

static bool difference_update(VM *vm, Value self, Value other)
{
    Set *s = as_set(self);
    if (self == other) {
        ou_set_clear(vm, s);
        return true;
    }
    bool ok = true;
    if (is_anyset(vm, other)) {
        Value o = as_set(other)->n >> 3 > s->n ? intersection(vm, self, other) : retain(other);
        if (o == V_NULL) return false;
        SetEntry *p;
        for (uint32_t pos = 0; ok && (p = next_entry(as_set(o), &pos));) {
            SetEntry e = *p;
            retain(e.key);
            ok = ou_set_discard_hashed(vm, s, e.key, e.hash) >= 0;
            release(vm, e.key);
        }
        release(vm, o);
    } else {
        Value it = ou_iter(vm, other);
        ok = it != V_NULL;
        while (ok) {
            Value x = ou_next(vm, it);
            if (x == V_NULL) {
                ok = vm->exc == V_NULL;
                break;
            }
            int64_t h;
            ok = key_hash(vm, x, &h) && ou_set_discard_hashed(vm, s, x, h) >= 0;
            release(vm, x);
        }
        xrelease(vm, it);
    }
    if (!ok) return false;
    return ou_set_tidy(vm, s);
}

static Value difference(VM *vm, Value a, Value b)
{
    Set *s = as_set(a);
    bool set = is_anyset(vm, b), dict = is_exact(b, T_DICT);
    if ((!set && !dict) || s->n >> 2 > (set ? as_set(b)->n : as_dict(b)->n)) {
        Value r = copy_plain(vm, a);
        if (r == V_NULL || difference_update(vm, r, b)) return r;
        release(vm, r);
        return V_NULL;
    }
    Value r = ou_set_of(vm, plain_type(vm, a), V_NULL);
    if (r == V_NULL) return V_NULL;
    bool ok = true;
    SetEntry *p;
    for (uint32_t pos = 0; ok && (p = next_entry(s, &pos));) {
        SetEntry e = *p;
        retain(e.key);
        int has;
        if (set) {
            has = ou_set_has_hashed(vm, as_set(b), e.key, e.hash);
        } else {
            int64_t at = ou_dict_find(vm, as_dict(b), e.key, e.hash);
            has = at >= 0 ? 1 : (int)at + 1;
        }
        ok = has >= 0 && (has || ou_set_add_hashed(vm, as_set(r), e.key, e.hash));
        release(vm, e.key);
    }
    if (ok) return r;
    release(vm, r);
    return V_NULL;
}

static bool toggle(VM *vm, Set *s, Value key, int64_t hash)
{
    retain(key);
    int had = ou_set_discard_hashed(vm, s, key, hash);
    bool ok = had > 0 || (had == 0 && ou_set_add_hashed(vm, s, key, hash));
    release(vm, key);
    return ok;
}

static bool symmetric_update(VM *vm, Value self, Value other)
{
    Set *s = as_set(self);
    if (self == other) {
        ou_set_clear(vm, s);
        return true;
    }
    if (is_exact(other, T_DICT)) {
        Dict *d = as_dict(other);
        for (uint32_t i = 0; i < d->nentries; i++)
            if (d->entries[i].key != V_NULL && !toggle(vm, s, d->entries[i].key, d->entries[i].hash)) return false;
        return true;
    }
    Value o = is_anyset(vm, other) ? retain(other) : ou_set_of(vm, plain_type(vm, self), other);
    if (o == V_NULL) return false;
    bool ok = true;
    SetEntry *e;
    for (uint32_t pos = 0; ok && (e = next_entry(as_set(o), &pos));) ok = toggle(vm, s, e->key, e->hash);
    release(vm, o);
    return ok;
}

static Value symmetric_difference(VM *vm, Value a, Value b)
{
    Value r = ou_set_of(vm, plain_type(vm, a), b);
    if (r == V_NULL || symmetric_update(vm, r, a)) return r;
    release(vm, r);
    return V_NULL;
}

static void swap_bodies(Set *a, Set *b)
{
    Set t = *a;
    bool a_small = a->table == a->small, b_small = b->table == b->small;
    a->n = b->n, a->fill = b->fill, a->mask = b->mask;
    a->table = b_small ? a->small : b->table;
    memcpy(a->small, b->small, sizeof a->small);
    b->n = t.n, b->fill = t.fill, b->mask = t.mask;
    b->table = a_small ? b->small : t.table;
    memcpy(b->small, t.small, sizeof b->small);
    a->hash = b->hash = -1;
}

/* ---- comparison ----------------------------------------------------------------------------------------------------- */

static int is_subset(VM *vm, Value a, Value b)
{
    if (as_set(a)->n > as_set(b)->n) return 0;
    SetEntry *p;
    for (uint32_t pos = 0; (p = next_entry(as_set(a), &pos));) {
        SetEntry e = *p;
        retain(e.key);
        int has = ou_set_has_hashed(vm, as_set(b), e.key, e.hash);
        release(vm, e.key);
        if (has <= 0) return has;
    }
    return 1;
}

Value ou_set_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if (!is_anyset(vm, a) || !is_anyset(vm, b)) return V_NOTIMPL;
    uint32_t x = as_set(a)->n, y = as_set(b)->n;
    int r = 0;
    switch (op) {
    case CMP_EQ:
    case CMP_NE:
        if (x == y && (as_set(a)->hash == -1 || as_set(b)->hash == -1 || as_set(a)->hash == as_set(b)->hash))
            r = is_subset(vm, a, b);
        break;
    case CMP_LE: r = is_subset(vm, a, b); break;
    case CMP_LT: r = x < y ? is_subset(vm, a, b) : 0; break;
    case CMP_GE: r = is_subset(vm, b, a); break;
    case CMP_GT: r = x > y ? is_subset(vm, b, a) : 0; break;
    }
    return r < 0 ? V_NULL : v_bool(op == CMP_NE ? !r : r);
}

/* ---- operators ------------------------------------------------------------------------------------------------------ */

Value ou_set_or(VM *vm, Value a, Value b)
{
    if (!is_anyset(vm, a) || !is_anyset(vm, b)) return V_NOTIMPL;
    Value r = copy_plain(vm, a);
    if (r == V_NULL || a == b || ou_set_update(vm, as_set(r), b)) return r;
    release(vm, r);
    return V_NULL;
}
Value ou_set_and(VM *vm, Value a, Value b)
{
    return is_anyset(vm, a) && is_anyset(vm, b) ? intersection(vm, a, b) : V_NOTIMPL;
}
Value ou_set_sub(VM *vm, Value a, Value b)
{
    return is_anyset(vm, a) && is_anyset(vm, b) ? difference(vm, a, b) : V_NOTIMPL;
}
Value ou_set_xor(VM *vm, Value a, Value b)
{
    return is_anyset(vm, a) && is_anyset(vm, b) ? symmetric_difference(vm, a, b) : V_NOTIMPL;
}

static Value done(VM *vm, bool ok, Value self)
{
    (void)vm;
    return ok ? retain(self) : V_NULL;
}

static bool intersection_update(VM *vm, Value self, Value other)
{
    Value r = intersection(vm, self, other);
    if (r == V_NULL) return false;
    swap_bodies(as_set(self), as_set(r));
    release(vm, r);
    return true;
}

Value ou_set_ior(VM *vm, Value a, Value b)
{
    return is_anyset(vm, b) ? done(vm, ou_set_update(vm, as_set(a), b), a) : V_NOTIMPL;
}
Value ou_set_iand(VM *vm, Value a, Value b)
{
    return is_anyset(vm, b) ? done(vm, intersection_update(vm, a, b), a) : V_NOTIMPL;
}
Value ou_set_isub(VM *vm, Value a, Value b)
{
    return is_anyset(vm, b) ? done(vm, difference_update(vm, a, b), a) : V_NOTIMPL;
}
Value ou_set_ixor(VM *vm, Value a, Value b)
{
    return is_anyset(vm, b) ? done(vm, symmetric_update(vm, a, b), a) : V_NOTIMPL;
}

/* ---- methods -------------------------------------------------------------------------------------------------------- */

Value ou_setm_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return is_exact(args[0], T_FROZENSET) ? retain(args[0]) : copy_plain(vm, args[0]);
}
Value ou_setm_union(VM *vm, const Value *args, int n)
{
    (void)n;
    Value r = copy_plain(vm, args[0]);
    Tuple *others = as_tuple(args[1]);
    for (uint32_t i = 0; r != V_NULL && i < others->n; i++) {
        if (others->items[i] == args[0] || ou_set_update(vm, as_set(r), others->items[i])) continue;
        release(vm, r);
        return V_NULL;
    }
    return r;
}
Value ou_setm_intersection(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *others = as_tuple(args[1]);
    if (!others->n) return copy_plain(vm, args[0]);
    Value r = retain(args[0]);
    for (uint32_t i = 0; r != V_NULL && i < others->n; i++) {
        Value next = intersection(vm, r, others->items[i]);
        release(vm, r);
        r = next;
    }
    return r;
}
Value ou_setm_difference(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *others = as_tuple(args[1]);
    if (!others->n) return copy_plain(vm, args[0]);
    Value r = difference(vm, args[0], others->items[0]);
    for (uint32_t i = 1; r != V_NULL && i < others->n; i++) {
        if (difference_update(vm, r, others->items[i])) continue;
        release(vm, r);
        return V_NULL;
    }
    return r;
}
Value ou_setm_symmetric_difference(VM *vm, const Value *args, int n)
{
    (void)n;
    return symmetric_difference(vm, args[0], args[1]);
}
Value ou_setm_update(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *others = as_tuple(args[1]);
    for (uint32_t i = 0; i < others->n; i++)
        if (!ou_set_update(vm, as_set(args[0]), others->items[i])) return V_NULL;
    return V_NONE;
}
Value ou_setm_intersection_update(VM *vm, const Value *args, int n)
{
    Value r = ou_setm_intersection(vm, args, n);
    if (r == V_NULL) return V_NULL;
    if (r != args[0]) swap_bodies(as_set(args[0]), as_set(r));
    release(vm, r);
    return V_NONE;
}
Value ou_setm_difference_update(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *others = as_tuple(args[1]);
    for (uint32_t i = 0; i < others->n; i++)
        if (!difference_update(vm, args[0], others->items[i])) return V_NULL;
    return V_NONE;
}
Value ou_setm_symmetric_difference_update(VM *vm, const Value *args, int n)
{
    (void)n;
    return symmetric_update(vm, args[0], args[1]) ? V_NONE : V_NULL;
}

Value ou_setm_issubset(VM *vm, const Value *args, int n)
{
    (void)n;
    int r;
    if (is_anyset(vm, args[1])) {
        r = is_subset(vm, args[0], args[1]);
    } else {
        Value both = intersection(vm, args[0], args[1]);
        r = both == V_NULL ? -1 : as_set(both)->n == as_set(args[0])->n;
        xrelease(vm, both);
    }
    return r < 0 ? V_NULL : v_bool(r);
}

/* Calls `has` for the items of any iterable until it is not `want`: 1 all were, 0 one was not, -1 raised. */
static int all_items(VM *vm, Set *s, Value iterable, int want)
{
    Value it = ou_iter(vm, iterable);
    if (it == V_NULL) return -1;
    int r = 1;
    while (r == 1) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            if (vm->exc) r = -1;
            break;
        }
        int64_t h;
        int has = key_hash(vm, x, &h) ? ou_set_has_hashed(vm, s, x, h) : -1;
        release(vm, x);
        r = has < 0 ? -1 : has == want;
    }
    release(vm, it);
    return r;
}

Value ou_setm_issuperset(VM *vm, const Value *args, int n)
{
    (void)n;
    int r = is_anyset(vm, args[1]) ? is_subset(vm, args[1], args[0]) : all_items(vm, as_set(args[0]), args[1], 1);
    return r < 0 ? V_NULL : v_bool(r);
}

Value ou_setm_isdisjoint(VM *vm, const Value *args, int n)
{
    (void)n;
    Value a = args[0], b = args[1];
    if (a == b) return v_bool(as_set(a)->n == 0);
    if (is_anyset(vm, b) && as_set(b)->n > as_set(a)->n) {
        b = args[0];
        a = args[1];
    }
    int r = all_items(vm, as_set(a), b, 0);
    return r < 0 ? V_NULL : v_bool(r);
}
