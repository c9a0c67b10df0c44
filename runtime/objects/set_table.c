/* The table of set and frozenset: open addressing with short linear probes.
 * Entry points: ou_set_add, ou_set_has, ou_set_discard, ou_set_next, ou_set_update. The one thing to know: scripts see the order of
 * iteration, so the probe sequence, the moments and the sizes of growing, and the places where deleted entries stay are all
 * CPython's. */
#include "runtime/objects/set_impl.h"

#include "vm/call.h"

enum { MIN_SIZE = 8, LINEAR_PROBES = 9, PERTURB_SHIFT = 5 };

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

bool ou_set_add_hashed(VM *vm, Set *s, Value key, int64_t hash)
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

int ou_set_has_hashed(VM *vm, Set *s, Value key, int64_t hash)
{
    SetEntry *e = find(vm, s, key, hash);
    return e ? e->key != V_NULL : -1;
}

int ou_set_discard_hashed(VM *vm, Set *s, Value key, int64_t hash)
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

bool ou_set_tidy(VM *vm, Set *s) { return s->fill - s->n <= s->mask / 4 || resize(vm, s, grown(s)); }

void ou_set_clear(VM *vm, Set *s)
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

Set *ou_set_make(VM *vm, Type *cls)
{
    Set *s = ou_new(vm, cls, 0);
    if (!s) return NULL;
    s->table = s->small;
    s->mask = MIN_SIZE - 1;
    s->hash = -1;
    return s;
}

Value ou_set_new(VM *vm, TypeId id) { return v_of(ou_set_make(vm, vm->types[id])); }

static uint64_t shuffle_bits(uint64_t h) { return ((h ^ UINT64_C(89869747)) ^ (h << 16)) * UINT64_C(3644798167); }

bool ou_set_hash(VM *vm, Value self, int64_t *out)
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

/* The hash under which x is looked for: a set, which has none, is looked for as the frozenset that equals it. */
static bool lookup_hash(VM *vm, Value x, int64_t *h)
{
    if (key_hash(vm, x, h)) return true;
    if (!is_a_fast(vm, x, T_SET) || !ou_exc_matches(vm, E_TYPE)) return false;
    ou_exc_clear(vm);
    return ou_set_hash(vm, x, h);
}

bool ou_set_add(VM *vm, Set *s, Value key)
{
    int64_t h;
    return key_hash(vm, key, &h) && ou_set_add_hashed(vm, s, key, h);
}

int ou_set_has(VM *vm, Set *s, Value key)
{
    int64_t h;
    return lookup_hash(vm, key, &h) ? ou_set_has_hashed(vm, s, key, h) : -1;
}

int ou_set_discard(VM *vm, Set *s, Value key)
{
    int64_t h;
    return lookup_hash(vm, key, &h) ? ou_set_discard_hashed(vm, s, key, h) : -1;
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
        bool ok = ou_set_add_hashed(vm, s, e.key, e.hash);
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
            bool ok = ou_set_add_hashed(vm, s, e.key, e.hash);
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

Value ou_set_of(VM *vm, Type *cls, Value iterable)
{
    Set *s = ou_set_make(vm, cls);
    if (!s || iterable == V_NULL || ou_set_update(vm, s, iterable)) return v_of(s);
    obj_release(vm, s);
    return V_NULL;
}

Value ou_set_from(VM *vm, TypeId id, Value iterable) { return ou_set_of(vm, vm->types[id], iterable); }

/* ---- slots and methods for one element: here, so that the search is inlined into them ------------------------------- */

int ou_set_contains(VM *vm, Value self, Value x) { return ou_set_has(vm, as_set(self), x); }

Value ou_setm_add(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_set_add(vm, as_set(args[0]), args[1]) ? V_NONE : V_NULL;
}
Value ou_setm_discard(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_set_discard(vm, as_set(args[0]), args[1]) >= 0 ? V_NONE : V_NULL;
}
Value ou_setm_remove(VM *vm, const Value *args, int n)
{
    (void)n;
    int r = ou_set_discard(vm, as_set(args[0]), args[1]);
    if (r == 0) ou_raise_key(vm, args[1]);
    return r > 0 ? V_NONE : V_NULL;
}
Value ou_setm_pop(VM *vm, const Value *args, int n)
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
