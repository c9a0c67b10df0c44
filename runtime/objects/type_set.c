/* set and frozenset: open addressing with short linear probes.
 * The one thing to know: scripts see the order of iteration, so the probe sequence, the moments and the sizes of growing, the
 * places where deleted entries stay, and the order in which operators build their results are all CPython's. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/dict_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

enum { MIN_SIZE = 8, LINEAR_PROBES = 9, PERTURB_SHIFT = 5 };

typedef struct SetIter {
    Obj h;
    Value set; /* V_NULL once exhausted */
    uint32_t n, pos;
    int64_t left;
} SetIter;

static bool is_live(const SetEntry *e) { return e->key != V_NULL && e->key != V_UNBOUND; }
static bool is_anyset(VM *vm, Value v) { return is_a_fast(vm, v, T_SET) || is_a_fast(vm, v, T_FROZENSET); }

static bool key_hash(VM *vm, Value key, int64_t *h)
{
    if (is_small(key)) {
        int64_t i = v_small(key);
        *h = i == -1 ? -2 : i;
        return true;
    }
    if (is_str(key) && (as_str(key)->flags & STR_HASHED)) {
        *h = as_str(key)->hash;
        return true;
    }
    return ou_hash(vm, key, h);
}

/* Is the stored entry equal to key? 1, 0, -1 raised, 2 the table changed meanwhile: start again. */
static int same_key(VM *vm, Set *s, SetEntry *e, Value key)
{
    if (e->key == key) return 1;
    if (are_small(e->key, key)) return 0;
    if (is_str(e->key) && is_str(key)) {
        const Str *a = as_str(e->key), *b = as_str(key);
        return !(a->flags & b->flags & STR_INTERNED) && ou_str_equal(a, b);
    }
    SetEntry *table = s->table;
    Value own = retain(e->key);
    int eq = ou_eq(vm, own, key);
    bool changed = s->table != table || e->key != own;
    release(vm, own);
    return eq < 0 ? -1 : changed ? 2 : eq;
}

/* The entry of key, or the free one that ends its probe sequence; NULL raised. */
static SetEntry *find(VM *vm, Set *s, Value key, int64_t hash)
{
restart:;
    size_t mask = s->mask, i = (size_t)hash & mask;
    uint64_t perturb = (uint64_t)hash;
    for (;;) {
        SetEntry *e = &s->table[i];
        int probes = i + LINEAR_PROBES <= mask ? LINEAR_PROBES : 0;
        do {
            if (e->key == V_NULL) return e;
            if (e->hash == hash && e->key != V_UNBOUND) {
                int r = same_key(vm, s, e, key);
                if (r == 1) return e;
                if (r < 0) return NULL;
                if (r == 2) goto restart;
            }
            e++;
        } while (probes--);
        perturb >>= PERTURB_SHIFT;
        i = (i * 5 + 1 + perturb) & mask;
    }
}

static void insert_clean(SetEntry *table, size_t mask, Value key, int64_t hash) /* key absent, no deleted entries */
{
    size_t i = (size_t)hash & mask;
    uint64_t perturb = (uint64_t)hash;
    for (;;) {
        SetEntry *e = &table[i];
        int probes = i + LINEAR_PROBES <= mask ? LINEAR_PROBES : 0;
        do {
            if (e->key == V_NULL) {
                e->key = key;
                e->hash = hash;
                return;
            }
            e++;
        } while (probes--);
        perturb >>= PERTURB_SHIFT;
        i = (i * 5 + 1 + perturb) & mask;
    }
}

static bool resize(VM *vm, Set *s, size_t minused)
{
    size_t size = MIN_SIZE;
    while (size <= minused) size <<= 1;
    if (size > UINT32_C(1) << 31) return ou_raise_memory(vm), false;
    SetEntry *old = s->table, copy[MIN_SIZE], *table;
    size_t old_size = (size_t)s->mask + 1;
    if (size == MIN_SIZE) {
        table = s->small;
        if (old == s->small) {
            if (s->fill == s->n) return true;
            memcpy(copy, s->small, sizeof copy);
            old = copy;
        }
        memset(table, 0, sizeof copy);
    } else {
        table = ou_alloc0(&vm->heap, size * sizeof(SetEntry));
        if (!table) return ou_raise_memory(vm), false;
    }
    s->table = table;
    s->mask = (uint32_t)(size - 1);
    s->fill = s->n;
    for (size_t i = 0; i < old_size; i++)
        if (is_live(&old[i])) insert_clean(table, s->mask, old[i].key, old[i].hash);
    if (old != copy && old != s->small) ou_free(&vm->heap, old, old_size * sizeof(SetEntry));
    return true;
}

static size_t grown(const Set *s) { return s->n > 50000 ? (size_t)s->n * 2 : (size_t)s->n * 4; }

static bool add_hashed(VM *vm, Set *s, Value key, int64_t hash)
{
    SetEntry *e = find(vm, s, key, hash);
    if (!e) return false;
    if (e->key != V_NULL) return true;
    e->key = retain(key);
    e->hash = hash;
    s->fill++;
    s->n++;
    return (size_t)s->fill * 5 < (size_t)s->mask * 3 || resize(vm, s, grown(s));
}

static int has_hashed(VM *vm, Set *s, Value key, int64_t hash)
{
    SetEntry *e = find(vm, s, key, hash);
    return e ? e->key != V_NULL : -1;
}

static int discard_hashed(VM *vm, Set *s, Value key, int64_t hash)
{
    SetEntry *e = find(vm, s, key, hash);
    if (!e || e->key == V_NULL) return e ? 0 : -1;
    Value old = e->key;
    e->key = V_UNBOUND;
    e->hash = -1;
    s->n--;
    release(vm, old);
    return 1;
}

static void clear_all(VM *vm, Set *s)
{
    SetEntry *table = s->table, copy[MIN_SIZE];
    size_t size = (size_t)s->mask + 1;
    if (!s->fill && table == s->small) return;
    if (table == s->small) {
        memcpy(copy, table, sizeof copy);
        table = copy;
    }
    memset(s->small, 0, sizeof s->small);
    s->table = s->small;
    s->mask = MIN_SIZE - 1;
    s->n = s->fill = 0;
    s->hash = -1;
    for (size_t i = 0; i < size; i++)
        if (is_live(&table[i])) release(vm, table[i].key);
    if (table != copy) ou_free(&vm->heap, table, size * sizeof(SetEntry));
}

/* ---- the C interface ------------------------------------------------------------------------------------------------- */

static Set *new_set(VM *vm, Type *cls)
{
    Set *s = ou_new(vm, cls, 0);
    if (!s) return NULL;
    s->table = s->small;
    s->mask = MIN_SIZE - 1;
    s->hash = -1;
    return s;
}

Value ou_set_new(VM *vm, TypeId id) { return v_of(new_set(vm, vm->types[id])); }

/* The hash under which x is looked for: a set, which has none, is looked for as the frozenset that equals it. */
static bool hash_of_set(VM *vm, Value self, int64_t *out);
static bool lookup_hash(VM *vm, Value x, int64_t *h)
{
    if (key_hash(vm, x, h)) return true;
    if (!is_a_fast(vm, x, T_SET) || !ou_exc_matches(vm, E_TYPE)) return false;
    ou_exc_clear(vm);
    return hash_of_set(vm, x, h);
}

bool ou_set_add(VM *vm, Set *s, Value key)
{
    int64_t h;
    return key_hash(vm, key, &h) && add_hashed(vm, s, key, h);
}

int ou_set_has(VM *vm, Set *s, Value key)
{
    int64_t h;
    return lookup_hash(vm, key, &h) ? has_hashed(vm, s, key, h) : -1;
}

int ou_set_discard(VM *vm, Set *s, Value key)
{
    int64_t h;
    return lookup_hash(vm, key, &h) ? discard_hashed(vm, s, key, h) : -1;
}

static SetEntry *next_entry(const Set *s, uint32_t *pos)
{
    while (*pos <= s->mask) {
        SetEntry *e = &s->table[(*pos)++];
        if (is_live(e)) return e;
    }
    return NULL;
}

bool ou_set_next(const Set *s, uint32_t *pos, Value *key)
{
    SetEntry *e = next_entry(s, pos);
    if (e) *key = e->key;
    return e != NULL;
}

static bool merge(VM *vm, Set *s, Set *other)
{
    if (s == other || !other->n) return true;
    if (((size_t)s->fill + other->n) * 5 >= (size_t)s->mask * 3 && !resize(vm, s, ((size_t)s->n + other->n) * 2))
        return false;
    if (s->fill == 0) {
        bool same = s->mask == other->mask && other->fill == other->n;
        if (same) memcpy(s->table, other->table, ((size_t)s->mask + 1) * sizeof(SetEntry));
        for (uint32_t i = 0; i <= other->mask; i++) {
            SetEntry *e = &other->table[i];
            if (!is_live(e)) continue;
            retain(e->key);
            if (!same) insert_clean(s->table, s->mask, e->key, e->hash);
        }
        s->fill = s->n = other->n;
        return true;
    }
    for (uint32_t i = 0; i <= other->mask; i++) {
        SetEntry e = other->table[i];
        if (!is_live(&e)) continue;
        retain(e.key);
        bool ok = add_hashed(vm, s, e.key, e.hash);
        release(vm, e.key);
        if (!ok) return false;
    }
    return true;
}

bool ou_set_update(VM *vm, Set *s, Value iterable)
{
    if (is_anyset(vm, iterable)) {
        retain(iterable);
        bool merged = merge(vm, s, as_set(iterable));
        release(vm, iterable);
        return merged;
    }
    if (is_exact(iterable, T_DICT)) {
        Dict *d = as_dict(iterable);
        if (((size_t)s->fill + d->n) * 5 >= (size_t)s->mask * 3 && !resize(vm, s, ((size_t)s->n + d->n) * 2)) return false;
        for (uint32_t i = 0; i < d->nentries; i++) {
            DictEntry e = d->entries[i];
            if (e.key == V_NULL) continue;
            retain(e.key);
            bool ok = add_hashed(vm, s, e.key, e.hash);
            release(vm, e.key);
            if (!ok) return false;
        }
        return true;
    }
    Value it = ou_iter(vm, iterable);
    if (it == V_NULL) return false;
    bool ok = true;
    while (ok) {
        Value x = ou_next(vm, it);
        if (x == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        ok = ou_set_add(vm, s, x);
        release(vm, x);
    }
    release(vm, it);
    return ok;
}

static Value set_of(VM *vm, Type *cls, Value iterable)
{
    Set *s = new_set(vm, cls);
    if (!s || iterable == V_NULL || ou_set_update(vm, s, iterable)) return v_of(s);
    obj_release(vm, s);
    return V_NULL;
}

Value ou_set_from(VM *vm, TypeId id, Value iterable) { return set_of(vm, vm->types[id], iterable); }

/* Results of operators are plain sets or frozensets, also for subclasses. */
static Type *plain_type(VM *vm, Value like) { return vm->types[is_a_fast(vm, like, T_SET) ? T_SET : T_FROZENSET]; }

static Value copy_plain(VM *vm, Value set) { return set_of(vm, plain_type(vm, set), set); }

/* ---- building results in CPython's order --------------------------------------------------------------------------------- */

static Value intersection(VM *vm, Value a, Value b)
{
    if (a == b) return copy_plain(vm, a);
    Value r = set_of(vm, plain_type(vm, a), V_NULL);
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
            int has = has_hashed(vm, big, e.key, e.hash);
            ok = has >= 0 && (!has || add_hashed(vm, as_set(r), e.key, e.hash));
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
            int has = ok ? has_hashed(vm, as_set(a), x, h) : -1;
            ok = has >= 0 && (!has || add_hashed(vm, as_set(r), x, h));
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
        clear_all(vm, s);
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
            ok = discard_hashed(vm, s, e.key, e.hash) >= 0;
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
            ok = key_hash(vm, x, &h) && discard_hashed(vm, s, x, h) >= 0;
            release(vm, x);
        }
        xrelease(vm, it);
    }
    if (!ok) return false;
    return s->fill - s->n <= s->mask / 4 || resize(vm, s, grown(s));
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
    Value r = set_of(vm, plain_type(vm, a), V_NULL);
    if (r == V_NULL) return V_NULL;
    bool ok = true;
    SetEntry *p;
    for (uint32_t pos = 0; ok && (p = next_entry(s, &pos));) {
        SetEntry e = *p;
        retain(e.key);
        int has;
        if (set) {
            has = has_hashed(vm, as_set(b), e.key, e.hash);
        } else {
            int64_t at = ou_dict_find(vm, as_dict(b), e.key, e.hash);
            has = at >= 0 ? 1 : (int)at + 1;
        }
        ok = has >= 0 && (has || add_hashed(vm, as_set(r), e.key, e.hash));
        release(vm, e.key);
    }
    if (ok) return r;
    release(vm, r);
    return V_NULL;
}

static bool toggle(VM *vm, Set *s, Value key, int64_t hash)
{
    retain(key);
    int had = discard_hashed(vm, s, key, hash);
    bool ok = had > 0 || (had == 0 && add_hashed(vm, s, key, hash));
    release(vm, key);
    return ok;
}

static bool symmetric_update(VM *vm, Value self, Value other)
{
    Set *s = as_set(self);
    if (self == other) {
        clear_all(vm, s);
        return true;
    }
    if (is_exact(other, T_DICT)) {
        Dict *d = as_dict(other);
        for (uint32_t i = 0; i < d->nentries; i++)
            if (d->entries[i].key != V_NULL && !toggle(vm, s, d->entries[i].key, d->entries[i].hash)) return false;
        return true;
    }
    Value o = is_anyset(vm, other) ? retain(other) : set_of(vm, plain_type(vm, self), other);
    if (o == V_NULL) return false;
    bool ok = true;
    SetEntry *e;
    for (uint32_t pos = 0; ok && (e = next_entry(as_set(o), &pos));) ok = toggle(vm, s, e->key, e->hash);
    release(vm, o);
    return ok;
}

static Value symmetric_difference(VM *vm, Value a, Value b)
{
    Value r = set_of(vm, plain_type(vm, a), b);
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

/* ---- slots ------------------------------------------------------------------------------------------------------------------ */

static Value set_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    return v_of(new_set(vm, cls));
}

static int set_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && !ou_no_kw(vm, "set", kwnames)) return -1;
    if (!ou_arg_count(vm, "set", n, 0, 1)) return -1;
    clear_all(vm, as_set(self));
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
    if (cls != plain) return set_of(vm, cls, n ? args[0] : V_NULL);
    if (n && is_exact(args[0], T_FROZENSET)) return retain(args[0]);
    Value s = set_of(vm, cls, n ? args[0] : V_NULL);
    if (s == V_NULL || as_set(s)->n) return s;
    if (vm->empty_frozenset == V_NULL) vm->empty_frozenset = retain(s);
    release(vm, s);
    return retain(vm->empty_frozenset);
}

static void set_dealloc(VM *vm, Obj *o)
{
    if (((Set *)o)->table) clear_all(vm, (Set *)o);
    ou_finish_dealloc(vm, o, 0);
}

static void set_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Set *s = (Set *)o;
    for (uint32_t i = 0; s->table && i <= s->mask; i++)
        if (is_live(&s->table[i])) ou_visit(vm, s->table[i].key, visit, arg);
}

static void set_clear_slot(VM *vm, Obj *o) { clear_all(vm, (Set *)o); }

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

static uint64_t shuffle_bits(uint64_t h) { return ((h ^ UINT64_C(89869747)) ^ (h << 16)) * UINT64_C(3644798167); }

static bool hash_of_set(VM *vm, Value self, int64_t *out)
{
    (void)vm;
    Set *s = as_set(self);
    if (s->hash != -1) {
        *out = s->hash;
        return true;
    }
    uint64_t h = 0;
    for (uint32_t i = 0; i <= s->mask; i++)
        if (is_live(&s->table[i])) h ^= shuffle_bits((uint64_t)s->table[i].hash);
    h ^= ((uint64_t)s->n + 1) * UINT64_C(1927868237);
    h ^= (h >> 11) ^ (h >> 25);
    h = h * 69069 + UINT64_C(907133923);
    *out = h == UINT64_MAX ? 590923713 : (int64_t)h;
    return true;
}

static bool frozenset_hash(VM *vm, Value self, int64_t *out)
{
    hash_of_set(vm, self, out);
    as_set(self)->hash = *out;
    return true;
}

static int is_subset(VM *vm, Value a, Value b)
{
    if (as_set(a)->n > as_set(b)->n) return 0;
    SetEntry *p;
    for (uint32_t pos = 0; (p = next_entry(as_set(a), &pos));) {
        SetEntry e = *p;
        retain(e.key);
        int has = has_hashed(vm, as_set(b), e.key, e.hash);
        release(vm, e.key);
        if (has <= 0) return has;
    }
    return 1;
}

static Value set_compare(VM *vm, Value a, Value b, CmpOp op)
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

static int64_t set_len(VM *vm, Value self)
{
    (void)vm;
    return as_set(self)->n;
}
static int set_contains(VM *vm, Value self, Value x) { return ou_set_has(vm, as_set(self), x); }

static Value set_or(VM *vm, Value a, Value b)
{
    if (!is_anyset(vm, a) || !is_anyset(vm, b)) return V_NOTIMPL;
    Value r = copy_plain(vm, a);
    if (r == V_NULL || a == b || ou_set_update(vm, as_set(r), b)) return r;
    release(vm, r);
    return V_NULL;
}
static Value set_and(VM *vm, Value a, Value b)
{
    return is_anyset(vm, a) && is_anyset(vm, b) ? intersection(vm, a, b) : V_NOTIMPL;
}
static Value set_sub(VM *vm, Value a, Value b)
{
    return is_anyset(vm, a) && is_anyset(vm, b) ? difference(vm, a, b) : V_NOTIMPL;
}
static Value set_xor(VM *vm, Value a, Value b)
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

static Value set_ior(VM *vm, Value a, Value b)
{
    return is_anyset(vm, b) ? done(vm, ou_set_update(vm, as_set(a), b), a) : V_NOTIMPL;
}
static Value set_iand(VM *vm, Value a, Value b)
{
    return is_anyset(vm, b) ? done(vm, intersection_update(vm, a, b), a) : V_NOTIMPL;
}
static Value set_isub(VM *vm, Value a, Value b)
{
    return is_anyset(vm, b) ? done(vm, difference_update(vm, a, b), a) : V_NOTIMPL;
}
static Value set_ixor(VM *vm, Value a, Value b)
{
    return is_anyset(vm, b) ? done(vm, symmetric_update(vm, a, b), a) : V_NOTIMPL;
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

/* ---- methods ---------------------------------------------------------------------------------------------------------------- */

static Value set_add(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_set_add(vm, as_set(args[0]), args[1]) ? V_NONE : V_NULL;
}
static Value set_discard(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_set_discard(vm, as_set(args[0]), args[1]) >= 0 ? V_NONE : V_NULL;
}
static Value set_remove(VM *vm, const Value *args, int n)
{
    (void)n;
    int r = ou_set_discard(vm, as_set(args[0]), args[1]);
    if (r == 0) ou_raise_key(vm, args[1]);
    return r > 0 ? V_NONE : V_NULL;
}
static Value set_pop(VM *vm, const Value *args, int n)
{
    (void)n;
    Set *s = as_set(args[0]);
    if (!s->n) return ou_raise(vm, E_KEY, "pop from an empty set");
    uint32_t i = s->finger & s->mask;
    while (!is_live(&s->table[i])) i = i == s->mask ? 0 : i + 1;
    Value key = s->table[i].key;
    s->table[i].key = V_UNBOUND;
    s->table[i].hash = -1;
    s->n--;
    s->finger = i + 1;
    return key;
}
static Value set_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    clear_all(vm, as_set(args[0]));
    return V_NONE;
}
static Value set_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return is_exact(args[0], T_FROZENSET) ? retain(args[0]) : copy_plain(vm, args[0]);
}
static Value set_union(VM *vm, const Value *args, int n)
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
static Value set_intersection(VM *vm, const Value *args, int n)
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
static Value set_difference(VM *vm, const Value *args, int n)
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
static Value set_symmetric_difference(VM *vm, const Value *args, int n)
{
    (void)n;
    return symmetric_difference(vm, args[0], args[1]);
}
static Value set_update(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *others = as_tuple(args[1]);
    for (uint32_t i = 0; i < others->n; i++)
        if (!ou_set_update(vm, as_set(args[0]), others->items[i])) return V_NULL;
    return V_NONE;
}
static Value set_intersection_update(VM *vm, const Value *args, int n)
{
    Value r = set_intersection(vm, args, n);
    if (r == V_NULL) return V_NULL;
    if (r != args[0]) swap_bodies(as_set(args[0]), as_set(r));
    release(vm, r);
    return V_NONE;
}
static Value set_difference_update(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *others = as_tuple(args[1]);
    for (uint32_t i = 0; i < others->n; i++)
        if (!difference_update(vm, args[0], others->items[i])) return V_NULL;
    return V_NONE;
}
static Value set_symmetric_difference_update(VM *vm, const Value *args, int n)
{
    (void)n;
    return symmetric_update(vm, args[0], args[1]) ? V_NONE : V_NULL;
}

static Value set_issubset(VM *vm, const Value *args, int n)
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
        int has = key_hash(vm, x, &h) ? has_hashed(vm, s, x, h) : -1;
        release(vm, x);
        r = has < 0 ? -1 : has == want;
    }
    release(vm, it);
    return r;
}

static Value set_issuperset(VM *vm, const Value *args, int n)
{
    (void)n;
    int r = is_anyset(vm, args[1]) ? is_subset(vm, args[1], args[0]) : all_items(vm, as_set(args[0]), args[1], 1);
    return r < 0 ? V_NULL : v_bool(r);
}

static Value set_isdisjoint(VM *vm, const Value *args, int n)
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
    {"copy()", set_copy, "Return a shallow copy of a set.", 0},                                                        \
        {"union(*others)", set_union, "Return a new set with elements from the set and all others.", 0},               \
        {"intersection(*others)", set_intersection, "Return a new set with elements common to the set and all others.", 0}, \
        {"difference(*others)", set_difference, "Return a new set with elements in the set that are not in the others.", 0}, \
        {"symmetric_difference(other, /)", set_symmetric_difference,                                                   \
         "Return a new set with elements in either the set or other but not both.", 0},                                \
        {"issubset(other, /)", set_issubset, "Report whether another set contains this set.", 0},                      \
        {"issuperset(other, /)", set_issuperset, "Report whether this set contains another set.", 0},                  \
        {"isdisjoint(other, /)", set_isdisjoint, "Return True if two sets have a null intersection.", 0},              \
        {"__reduce__()", set_reduce, "Return state information for pickling.", 0},                                     \
    {                                                                                                                  \
        "__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS                                      \
    }

static const NativeDef set_methods[] = {
    {"add(object, /)", set_add, "Add an element to a set.\n\nThis has no effect if the element is already present.", 0},
    {"discard(object, /)", set_discard, "Remove an element from a set if it is a member.\n\nUnlike set.remove(), the discard() method does not raise\nan exception when an element is missing from the set.", 0},
    {"remove(object, /)", set_remove, "Remove an element from a set; it must be a member.\n\nIf the element is not a member, raise a KeyError.", 0},
    {"pop()", set_pop, "Remove and return an arbitrary set element.\n\nRaises KeyError if the set is empty.", 0},
    {"clear()", set_clear, "Remove all elements from this set.", 0},
    {"update(*others)", set_update, "Update the set, adding elements from all others.", 0},
    {"intersection_update(*others)", set_intersection_update, "Update the set, keeping only elements found in it and all others.", 0},
    {"difference_update(*others)", set_difference_update, "Update the set, removing elements found in others.", 0},
    {"symmetric_difference_update(other, /)", set_symmetric_difference_update, "Update the set, keeping only elements found in either set, but not in both.", 0},
    COMMON_METHODS,
    {0}};
static const NativeDef frozenset_methods[] = {COMMON_METHODS, {0}};

#define COMMON_SLOTS                                                                                                   \
    .dealloc = set_dealloc, .traverse = set_traverse, .repr = set_repr, .compare = set_compare, .len = set_len,        \
    .contains = set_contains, .iter = set_iter,                                                                        \
    .binary = {[BIN_OR] = set_or, [BIN_AND] = set_and, [BIN_SUB] = set_sub, [BIN_XOR] = set_xor}

const TypeDef ou_type_set = {
    .name = "set",
    .size = sizeof(Set),
    .flags = TF_GC | TF_BASE | TF_WEAKREF | TF_MATCH_SELF,
    .slots = {.make = set_make,
              .init = set_init,
              .clear = set_clear_slot,
              COMMON_SLOTS,
              .inplace = {[BIN_OR] = set_ior, [BIN_AND] = set_iand, [BIN_SUB] = set_isub, [BIN_XOR] = set_ixor}},
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
