/* dict: an insertion-ordered compact table. One block holds the entries in order of insertion and behind them the index, whose
 * cells (1, 2 or 4 bytes) are entry numbers. Views and iterators are in dict_views.c.
 * The one thing to know: comparing keys may run script code that changes the dict, so a lookup retains the key it compares
 * with and starts again when the entry is no longer what it was. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/dict_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

enum { MIN_SIZE = 8, PERTURB_SHIFT = 5 };
#define CELL_EMPTY UINT32_MAX
#define CELL_GONE (UINT32_MAX - 1)
#define FORCE_INLINE static inline __attribute__((always_inline))

/* ---- the table ------------------------------------------------------------------------------------------------------- */

static uint32_t room_of(size_t size) { return (uint32_t)(size * 2 / 3); } /* an index stays at most two thirds full */
static size_t cell_bytes(size_t size) { return size <= 0x100 ? 1 : size <= 0x10000 ? 2 : 4; }
static size_t block_bytes(size_t size) { return room_of(size) * sizeof(DictEntry) + size * cell_bytes(size); }

FORCE_INLINE uint32_t cell_at(const void *index, size_t i, int width)
{
    if (width == 1) {
        uint32_t v = ((const uint8_t *)index)[i];
        return v >= 0xFE ? v | 0xFFFFFF00u : v;
    }
    if (width == 2) {
        uint32_t v = ((const uint16_t *)index)[i];
        return v >= 0xFFFE ? v | 0xFFFF0000u : v;
    }
    return ((const uint32_t *)index)[i];
}

static inline uint32_t cell_get(const Dict *d, size_t i)
{
    return cell_at(d->index, i, d->mask <= 0xFF ? 1 : d->mask <= 0xFFFF ? 2 : 4);
}

static inline void cell_set(Dict *d, size_t i, uint32_t v)
{
    if (d->mask <= 0xFF) ((uint8_t *)d->index)[i] = (uint8_t)v;
    else if (d->mask <= 0xFFFF) ((uint16_t *)d->index)[i] = (uint16_t)v;
    else ((uint32_t *)d->index)[i] = v;
}

static uint32_t fresh_version(VM *vm)
{
    if (++vm->dict_versions == 0) vm->dict_versions = 1;
    return vm->dict_versions;
}

static inline void keys_changed(VM *vm, Dict *d)
{
    if (d->keys_version) d->keys_version = fresh_version(vm);
}

uint32_t ou_dict_version(VM *vm, Dict *d)
{
    if (!d->keys_version) d->keys_version = fresh_version(vm);
    return d->keys_version;
}

static bool key_hash(VM *vm, Value key, int64_t *h)
{
    if (is_str(key)) {
        Str *s = as_str(key);
        *h = s->flags & STR_HASHED ? s->hash : ou_str_hash(vm, s);
        return true;
    }
    if (is_small(key)) {
        int64_t i = v_small(key);
        *h = i == -1 ? -2 : i;
        return true;
    }
    return ou_hash(vm, key, h);
}

enum { FIND_RESTART = -3 };

/* Compares a stored key of the same hash, when neither identity nor the plain cases decided. */
static int64_t compare_slow(VM *vm, Dict *d, uint32_t at, Value key)
{
    DictEntry *entries = d->entries;
    Value own = retain(entries[at].key);
    int eq = ou_eq(vm, own, key);
    bool same = d->entries == entries && at < d->nentries && entries[at].key == own;
    release(vm, own);
    if (eq < 0) return -2;
    if (!same) return FIND_RESTART;
    return eq ? (int64_t)at : -1;
}

FORCE_INLINE int64_t find_width(VM *vm, Dict *d, Value key, int64_t hash, size_t *cell, int width)
{
    uint64_t perturb = (uint64_t)hash;
    size_t mask = d->mask, i = (size_t)hash & mask;
    for (;;) {
        uint32_t at = cell_at(d->index, i, width);
        if (at == CELL_EMPTY) return -1;
        if (at != CELL_GONE) {
            DictEntry *e = &d->entries[at];
            if (e->key == key) {
                *cell = i;
                return at;
            }
            if (e->hash == hash && !are_small(e->key, key)) {
                int64_t r;
                if (is_str(key) && is_str(e->key)) {
                    const Str *a = as_str(key), *b = as_str(e->key);
                    r = !(a->flags & b->flags & STR_INTERNED) && ou_str_equal(a, b) ? (int64_t)at : -1;
                } else {
                    r = compare_slow(vm, d, at, key);
                    if (r >= -1 && cell_at(d->index, i, width) != at) r = FIND_RESTART; /* rebuilt in place */
                }
                if (r != -1) {
                    *cell = i;
                    return r;
                }
            }
        }
        perturb >>= PERTURB_SHIFT;
        i = (i * 5 + perturb + 1) & mask;
    }
}

/* The entry of key and its cell; -1 absent, -2 raised. */
static int64_t find(VM *vm, Dict *d, Value key, int64_t hash, size_t *cell)
{
    int64_t r;
    do {
        if (!d->entries) return -1;
        if (d->mask <= 0xFF) r = find_width(vm, d, key, hash, cell, 1);
        else if (d->mask <= 0xFFFF) r = find_width(vm, d, key, hash, cell, 2);
        else r = find_width(vm, d, key, hash, cell, 4);
    } while (r == FIND_RESTART);
    return r;
}

int64_t ou_dict_find(VM *vm, Dict *d, Value key, int64_t hash)
{
    size_t cell;
    return find(vm, d, key, hash, &cell);
}

static void index_put(Dict *d, int64_t hash, uint32_t entry) /* the key is known to be absent */
{
    uint64_t perturb = (uint64_t)hash;
    size_t mask = d->mask, i = (size_t)hash & mask;
    while (cell_get(d, i) < CELL_GONE) {
        perturb >>= PERTURB_SHIFT;
        i = (i * 5 + perturb + 1) & mask;
    }
    cell_set(d, i, entry);
}

/* Moves the live entries to a table with room for n and reserve behind it. In front of them stay `gap` unused ones; without
 * a gap a table of the right size is reused. */
static bool rebuild(VM *vm, Dict *d, size_t n, uint32_t gap)
{
    size_t size = MIN_SIZE;
    while (room_of(size) < n) size <<= 1;
    if (size > (UINT32_C(1) << 31)) return ou_raise_memory(vm), false;
    DictEntry *old = d->entries, *e = old;
    size_t old_bytes = old ? block_bytes((size_t)d->mask + 1) : 0;
    if (!old || gap || size != (size_t)d->mask + 1) {
        e = ou_alloc(&vm->heap, block_bytes(size));
        if (!e) return ou_raise_memory(vm), false;
    }
    uint32_t w = gap;
    for (uint32_t i = 0; i < gap; i++) e[i].key = e[i].value = V_NULL;
    for (uint32_t i = d->first; i < d->nentries; i++)
        if (old[i].key != V_NULL) e[w++] = old[i];
    d->entries = e;
    d->nentries = w;
    d->first = gap;
    d->cap = room_of(size);
    d->mask = (uint32_t)(size - 1);
    d->index = (char *)e + d->cap * sizeof(DictEntry);
    memset(d->index, 0xFF, size * cell_bytes(size));
    for (uint32_t i = gap; i < w; i++) index_put(d, e[i].hash, i);
    if (old && old != e) ou_free(&vm->heap, old, old_bytes);
    keys_changed(vm, d);
    return true;
}

static bool add_entry(VM *vm, Dict *d, Value key, int64_t hash, Value v) /* absent key; retains both */
{
    if (d->nentries == d->cap && !rebuild(vm, d, d->n ? (size_t)d->n * 2 + 1 : 1, 0)) return false;
    index_put(d, hash, d->nentries);
    DictEntry *e = &d->entries[d->nentries++];
    e->hash = hash;
    e->key = retain(key);
    e->value = retain(v);
    d->n++;
    keys_changed(vm, d);
    return true;
}

/* Gives up the dead entries from n on. Their cells stay CELL_GONE until the next rebuild, so the room shrinks by as many:
 * else a table could lose its last empty cell, and find would never end. */
static void trim(Dict *d, uint32_t n)
{
    d->cap -= d->nentries - n;
    d->nentries = n;
}

static void drop_entry(VM *vm, Dict *d, int64_t at, size_t cell) /* the key and value belong to the caller afterwards */
{
    DictEntry *e = &d->entries[at];
    cell_set(d, cell, CELL_GONE);
    e->key = e->value = V_NULL;
    d->n--;
    if ((uint32_t)at == d->first)
        while (d->first < d->nentries && d->entries[d->first].key == V_NULL) d->first++;
    keys_changed(vm, d);
}

/* ---- the C interface ---------------------------------------------------------------------------------------------------- */

Value ou_dict_new(VM *vm) { return v_of(ou_new(vm, vm->types[T_DICT], 0)); }

Value ou_dict_get(VM *vm, Dict *d, Value key)
{
    int64_t hash;
    if (!key_hash(vm, key, &hash)) return V_NULL;
    size_t cell;
    int64_t at = find(vm, d, key, hash, &cell);
    return at < 0 ? V_NULL : d->entries[at].value;
}

Value ou_dict_get_str(VM *vm, Dict *d, Str *key)
{
    size_t cell;
    int64_t at = find(vm, d, v_of(key), key->flags & STR_HASHED ? key->hash : ou_str_hash(vm, key), &cell);
    return at < 0 ? V_NULL : d->entries[at].value;
}

Value ou_dict_get_c(VM *vm, Dict *d, const char *key)
{
    Str *s = ou_intern_c(vm, key);
    if (!s) return V_NULL;
    Value v = ou_dict_get_str(vm, d, s);
    obj_release(vm, s);
    return v;
}

static bool set_hashed(VM *vm, Dict *d, Value key, int64_t hash, Value v)
{
    size_t cell;
    int64_t at = find(vm, d, key, hash, &cell);
    if (at == -2) return false;
    if (at == -1) return add_entry(vm, d, key, hash, v);
    set_owned(vm, &d->entries[at].value, retain(v));
    return true;
}

bool ou_dict_set(VM *vm, Dict *d, Value key, Value v)
{
    int64_t hash;
    return key_hash(vm, key, &hash) && set_hashed(vm, d, key, hash, v);
}

bool ou_dict_set_str(VM *vm, Dict *d, Str *key, Value v)
{
    return set_hashed(vm, d, v_of(key), key->flags & STR_HASHED ? key->hash : ou_str_hash(vm, key), v);
}

bool ou_dict_set_c(VM *vm, Dict *d, const char *key, Value v)
{
    Str *s = ou_intern_c(vm, key);
    if (!s) return false;
    bool ok = ou_dict_set_str(vm, d, s, v);
    obj_release(vm, s);
    return ok;
}

/* Takes the entry of key out: 1 (key and value are the caller's), 0 absent, -1 raised. */
static int take(VM *vm, Dict *d, Value key, Value *k, Value *v)
{
    int64_t hash;
    size_t cell;
    if (!key_hash(vm, key, &hash)) return -1;
    int64_t at = find(vm, d, key, hash, &cell);
    if (at < 0) return at == -1 ? 0 : -1;
    *k = d->entries[at].key;
    *v = d->entries[at].value;
    drop_entry(vm, d, at, cell);
    return 1;
}

int ou_dict_del(VM *vm, Dict *d, Value key)
{
    Value k, v;
    int r = take(vm, d, key, &k, &v);
    if (r == 1) {
        release(vm, k);
        release(vm, v);
    }
    return r;
}

Value ou_dict_pop(VM *vm, Dict *d, Value key)
{
    Value k, v;
    if (take(vm, d, key, &k, &v) != 1) return V_NULL;
    release(vm, k);
    return v;
}

Value ou_dict_setdefault(VM *vm, Dict *d, Value key, Value dflt)
{
    int64_t hash;
    size_t cell;
    if (!key_hash(vm, key, &hash)) return V_NULL;
    int64_t at = find(vm, d, key, hash, &cell);
    if (at >= 0) return d->entries[at].value;
    return at == -1 && add_entry(vm, d, key, hash, dflt) ? dflt : V_NULL;
}

bool ou_dict_next(const Dict *d, uint32_t *pos, Value *key, Value *value)
{
    for (uint32_t i = *pos < d->first ? d->first : *pos; i < d->nentries; i++) {
        if (d->entries[i].key == V_NULL) continue;
        *key = d->entries[i].key;
        if (value) *value = d->entries[i].value;
        *pos = i + 1;
        return true;
    }
    *pos = d->nentries;
    return false;
}

bool ou_dict_popitem(VM *vm, Dict *d, bool last, Value *key, Value *value)
{
    (void)vm;
    if (!d->n) return false;
    uint32_t at = last ? d->nentries - 1 : d->first;
    while (d->entries[at].key == V_NULL) at--; /* going backwards; the first is known to live */
    DictEntry *e = &d->entries[at];
    uint64_t perturb = (uint64_t)e->hash;
    size_t i = (size_t)e->hash & d->mask;
    while (cell_get(d, i) != at) {
        perturb >>= PERTURB_SHIFT;
        i = (i * 5 + perturb + 1) & d->mask;
    }
    *key = e->key;
    *value = e->value;
    drop_entry(vm, d, at, i);
    if (last && d->n) trim(d, at);
    return true;
}

bool ou_dict_move_to_end(VM *vm, Dict *d, Value key, bool last)
{
    Value k, v;
    int64_t hash;
    if (!key_hash(vm, key, &hash)) return false;
    int r = take(vm, d, key, &k, &v);
    if (r < 0) return false;
    if (r == 0) return ou_raise_key(vm, key), false;
    bool ok;
    if (last || !d->n) {
        ok = add_entry(vm, d, k, hash, v);
    } else {
        ok = d->first || rebuild(vm, d, (size_t)d->n * 2 + 2, d->n / 2 + 1);
        if (ok) {
            index_put(d, hash, --d->first);
            d->entries[d->first] = (DictEntry){.hash = hash, .key = retain(k), .value = retain(v)};
            d->n++;
            keys_changed(vm, d);
        }
    }
    release(vm, k);
    release(vm, v);
    return ok;
}

static void drop_block(VM *vm, Dict *d)
{
    DictEntry *e = d->entries;
    uint32_t n = d->nentries;
    size_t bytes = e ? block_bytes((size_t)d->mask + 1) : 0;
    d->entries = NULL;
    d->index = NULL;
    d->n = d->nentries = d->first = d->cap = d->mask = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (e[i].key == V_NULL) continue;
        release(vm, e[i].key);
        release(vm, e[i].value);
    }
    if (e) ou_free(&vm->heap, e, bytes);
}

void ou_dict_clear(VM *vm, Dict *d)
{
    keys_changed(vm, d);
    drop_block(vm, d);
}

/* Fills the empty d with what src holds: the block as it is when it is dense, else entry by entry. */
static bool clone_into(VM *vm, Dict *d, Dict *src)
{
    if (!src->n) return true;
    if (src->n + 4 < src->nentries - src->nentries / 4) {
        if (!rebuild(vm, d, src->n, 0)) return false;
        for (uint32_t i = 0; i < src->nentries; i++) {
            DictEntry *e = &src->entries[i];
            if (e->key != V_NULL && !add_entry(vm, d, e->key, e->hash, e->value)) return false;
        }
        return true;
    }
    size_t bytes = block_bytes((size_t)src->mask + 1);
    char *block = ou_alloc(&vm->heap, bytes);
    if (!block) return ou_raise_memory(vm), false;
    memcpy(block, src->entries, bytes);
    d->entries = (DictEntry *)block;
    d->index = block + room_of((size_t)src->mask + 1) * sizeof(DictEntry);
    d->n = src->n;
    d->nentries = src->nentries;
    d->first = src->first;
    d->cap = src->cap;
    d->mask = src->mask;
    for (uint32_t i = 0; i < d->nentries; i++) {
        if (d->entries[i].key == V_NULL) continue;
        retain(d->entries[i].key);
        retain(d->entries[i].value);
    }
    keys_changed(vm, d);
    return true;
}

Value ou_dict_copy(VM *vm, Dict *d)
{
    Value v = ou_dict_new(vm);
    if (v == V_NULL || clone_into(vm, as_dict(v), d)) return v;
    release(vm, v);
    return V_NULL;
}

static Value dict_iter(VM *vm, Value self) { return ou_dict_iter_new(vm, T_DICT_KEYITER, as_dict(self)); }
static Value dict_getitem(VM *vm, Value self, Value key);

bool ou_dict_is_plain(VM *vm, Value v)
{
    if (is_exact(v, T_DICT)) return true;
    if (!is_obj(v) || !ou_is_a(vm, v, T_DICT)) return false;
    Type *t = ou_type_of(vm, v);
    /* OrderedDict's own iterator gives the keys in the same order. */
    return (t->slots.iter == dict_iter || t->def) && t->slots.getitem == dict_getitem;
}

static bool merge_dict(VM *vm, Dict *d, Dict *src, bool override)
{
    if (d == src || !src->n) return true;
    if (!d->n && !d->entries) return clone_into(vm, d, src);
    uint32_t n = src->n;
    retain(v_of(src));
    bool ok = true;
    for (uint32_t i = 0; ok && i < src->nentries; i++) {
        DictEntry e = src->entries[i];
        if (e.key == V_NULL) continue;
        retain(e.key), retain(e.value);
        if (override) {
            ok = set_hashed(vm, d, e.key, e.hash, e.value);
        } else {
            size_t cell;
            int64_t at = find(vm, d, e.key, e.hash, &cell);
            ok = at == -1 ? add_entry(vm, d, e.key, e.hash, e.value) : at >= 0;
        }
        release(vm, e.key), release(vm, e.value);
        if (ok && src->n != n) ok = false, ou_raise(vm, E_RUNTIME, "dict mutated during update");
    }
    release(vm, v_of(src));
    return ok;
}

bool ou_dict_merge(VM *vm, Dict *d, Value mapping, bool override)
{
    if (is_exact(mapping, T_DICT) ||
        (is_obj(mapping) && ou_is_a(vm, mapping, T_DICT) && ou_type_of(vm, mapping)->slots.iter == dict_iter))
        return merge_dict(vm, d, as_dict(mapping), override);
    Value keys = ou_call_method(vm, mapping, name_of(vm, N_keys), NULL, 0, NULL);
    if (keys == V_NULL) return false;
    Value it = ou_iter(vm, keys);
    release(vm, keys);
    if (it == V_NULL) return false;
    bool ok = true;
    while (ok) {
        Value k = ou_next(vm, it);
        if (k == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        bool skip = false;
        if (!override) {
            int64_t hash;
            ok = key_hash(vm, k, &hash);
            int64_t at = ok ? ou_dict_find(vm, d, k, hash) : -2;
            ok = at != -2;
            skip = at >= 0;
        }
        if (ok && !skip) {
            Value v = ou_getitem(vm, mapping, k);
            ok = v != V_NULL && ou_dict_set(vm, d, k, v);
            xrelease(vm, v);
        }
        release(vm, k);
    }
    release(vm, it);
    return ok;
}

static bool update_from_pairs(VM *vm, Dict *d, Value pairs)
{
    Value it = ou_iter(vm, pairs);
    if (it == V_NULL) return false;
    bool ok = true;
    for (size_t i = 0; ok; i++) {
        Value item = ou_next(vm, it);
        if (item == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        size_t n;
        Value own;
        const Value *kv = ou_seq_items(vm, item, &n, &own, NULL);
        if (!kv) {
            if (ou_exc_matches(vm, E_TYPE)) {
                ou_exc_clear(vm);
                ou_raise(vm, E_TYPE, "cannot convert dictionary update sequence element #%zu to a sequence", i);
            }
            ok = false;
        } else if (n != 2) {
            ou_raise(vm, E_VALUE, "dictionary update sequence element #%zu has length %zu; 2 is required", i, n);
            ok = false;
        } else {
            Value k = retain(kv[0]), v = retain(kv[1]);
            ok = ou_dict_set(vm, d, k, v);
            release(vm, k), release(vm, v);
        }
        xrelease(vm, own);
        release(vm, item);
    }
    release(vm, it);
    return ok;
}

bool ou_dict_update(VM *vm, Dict *d, Value other)
{
    if (is_exact(other, T_DICT)) return merge_dict(vm, d, as_dict(other), true);
    bool missing = false;
    Value keys = ou_getattr_opt(vm, other, name_of(vm, N_keys), &missing);
    if (keys == V_NULL) return missing && update_from_pairs(vm, d, other);
    release(vm, keys);
    return ou_dict_merge(vm, d, other, true);
}

/* ---- slots ----------------------------------------------------------------------------------------------------------------- */

static Value dict_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args, (void)n, (void)kwnames;
    return v_of(ou_new(vm, cls, 0));
}

static bool update_args(VM *vm, Dict *d, const char *name, const Value *args, int n, Tuple *kwnames)
{
    if (!ou_arg_count(vm, name, n, 0, 1)) return false;
    if (n && !ou_dict_update(vm, d, args[0])) return false;
    for (uint32_t i = 0; kwnames && i < kwnames->n; i++)
        if (!ou_dict_set(vm, d, kwnames->items[i], args[n + (int)i])) return false;
    return true;
}

static int dict_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    return update_args(vm, as_dict(self), "dict", args, n, kwnames) ? 0 : -1;
}

static void dict_dealloc(VM *vm, Obj *o)
{
    drop_block(vm, (Dict *)o);
    ou_finish_dealloc(vm, o, 0);
}

static void dict_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    Dict *d = (Dict *)o;
    for (uint32_t i = 0; i < d->nentries; i++) {
        if (d->entries[i].key == V_NULL) continue;
        ou_visit(vm, d->entries[i].key, visit, arg);
        ou_visit(vm, d->entries[i].value, visit, arg);
    }
}

static void dict_clear_slot(VM *vm, Obj *o) { ou_dict_clear(vm, (Dict *)o); }

static Value dict_repr(VM *vm, Value self)
{
    Dict *d = as_dict(self);
    if (!d->n) return ou_str_c(vm, "{}");
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, self);
    if (entered <= 0) return entered < 0 ? V_NULL : ou_str_c(vm, "{...}");
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_putc(&b, '{');
    uint32_t pos = 0;
    Value k, v;
    bool ok = true;
    for (bool first = true; ok && ou_dict_next(d, &pos, &k, &v); first = false) {
        if (!first) ou_sb_put(&b, ", ", 2);
        retain(k), retain(v);
        ok = ou_sb_repr(&b, k);
        ou_sb_put(&b, ": ", 2);
        ok = ok && ou_sb_repr(&b, v);
        release(vm, k), release(vm, v);
    }
    ou_repr_leave(vm, &g);
    if (!ok) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    ou_sb_putc(&b, '}');
    return ou_sb_finish(&b);
}

static int dicts_equal(VM *vm, Dict *a, Dict *b)
{
    if (a->n != b->n) return 0;
    for (uint32_t i = 0; i < a->nentries; i++) {
        DictEntry e = a->entries[i];
        if (e.key == V_NULL) continue;
        retain(e.key), retain(e.value);
        int64_t at = ou_dict_find(vm, b, e.key, e.hash);
        int eq = at == -1 ? 0 : -1;
        if (at >= 0) {
            Value other = retain(b->entries[at].value);
            eq = ou_eq(vm, e.value, other);
            release(vm, other);
        }
        release(vm, e.key), release(vm, e.value);
        if (eq <= 0) return eq;
    }
    return 1;
}

static Value dict_compare(VM *vm, Value a, Value b, CmpOp op)
{
    if ((op != CMP_EQ && op != CMP_NE) || !is_a_fast(vm, a, T_DICT) || !is_a_fast(vm, b, T_DICT)) return V_NOTIMPL;
    if (ou_c_deep(vm)) return ou_raise_recursion(vm, " in comparison");
    vm->c_depth++;
    retain(a), retain(b);
    int eq = dicts_equal(vm, as_dict(a), as_dict(b));
    release(vm, a), release(vm, b);
    vm->c_depth--;
    return eq < 0 ? V_NULL : v_bool((op == CMP_EQ) == (eq == 1));
}

static int64_t dict_len(VM *vm, Value self)
{
    (void)vm;
    return as_dict(self)->n;
}

static Value dict_getitem(VM *vm, Value self, Value key)
{
    Value v = ou_dict_get(vm, as_dict(self), key);
    if (v != V_NULL) return retain(v);
    if (vm->exc) return V_NULL;
    if (!is_exact(self, T_DICT)) {
        Value missing = ou_lookup_special(vm, self, name_of(vm, N_DU_missing));
        if (missing != V_NULL) {
            Value r = ou_call1(vm, missing, key);
            release(vm, missing);
            return r;
        }
        if (vm->exc) return V_NULL;
    }
    return ou_raise_key(vm, key);
}

static bool dict_setitem(VM *vm, Value self, Value key, Value v)
{
    if (v != V_NULL) return ou_dict_set(vm, as_dict(self), key, v);
    int r = ou_dict_del(vm, as_dict(self), key);
    if (r == 0) ou_raise_key(vm, key);
    return r == 1;
}

static int dict_contains(VM *vm, Value self, Value key)
{
    Value v = ou_dict_get(vm, as_dict(self), key);
    return v != V_NULL ? 1 : vm->exc ? -1 : 0;
}

static Value dict_or(VM *vm, Value a, Value b)
{
    if (!is_a_fast(vm, a, T_DICT) || !is_a_fast(vm, b, T_DICT)) return V_NOTIMPL;
    Value r = ou_dict_copy(vm, as_dict(a));
    if (r != V_NULL && !ou_dict_update(vm, as_dict(r), b)) {
        release(vm, r);
        return V_NULL;
    }
    return r;
}

static Value dict_ior(VM *vm, Value a, Value b) { return ou_dict_update(vm, as_dict(a), b) ? retain(a) : V_NULL; }

/* ---- methods ----------------------------------------------------------------------------------------------------------------- */

static Value dict_get(VM *vm, const Value *args, int n)
{
    Value v = ou_dict_get(vm, as_dict(args[0]), args[1]);
    if (v == V_NULL) {
        if (vm->exc) return V_NULL;
        v = n > 2 ? args[2] : V_NONE;
    }
    return retain(v);
}

static Value dict_setdefault(VM *vm, const Value *args, int n)
{
    Value v = ou_dict_setdefault(vm, as_dict(args[0]), args[1], n > 2 ? args[2] : V_NONE);
    return v == V_NULL ? v : retain(v);
}

static Value dict_pop(VM *vm, const Value *args, int n)
{
    Value v = ou_dict_pop(vm, as_dict(args[0]), args[1]);
    if (v != V_NULL || vm->exc) return v;
    return n > 2 ? retain(args[2]) : ou_raise_key(vm, args[1]);
}

static Value dict_popitem(VM *vm, const Value *args, int n)
{
    (void)n;
    Value kv[2];
    if (!ou_dict_popitem(vm, as_dict(args[0]), true, &kv[0], &kv[1]))
        return ou_raise(vm, E_KEY, "popitem(): dictionary is empty");
    return ou_tuple_take(vm, kv, 2);
}

static Value dict_update(VM *vm, const Value *args, int n)
{
    (void)n;
    Dict *d = as_dict(args[0]);
    Tuple *pos = as_tuple(args[1]);
    if (!update_args(vm, d, "update", pos->items, (int)pos->n, NULL)) return V_NULL;
    return ou_dict_merge(vm, d, args[2], true) ? V_NONE : V_NULL;
}

static Value dict_clear(VM *vm, const Value *args, int n)
{
    (void)n;
    ou_dict_clear(vm, as_dict(args[0]));
    return V_NONE;
}

static Value dict_copy(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_copy(vm, as_dict(args[0]));
}

static Value dict_keys(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_view_new(vm, vm->types[T_DICT_KEYS], args[0]);
}
static Value dict_values(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_view_new(vm, vm->types[T_DICT_VALUES], args[0]);
}
static Value dict_items(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_view_new(vm, vm->types[T_DICT_ITEMS], args[0]);
}
static Value dict_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_dict_iter_new(vm, T_DICT_REVKEYITER, as_dict(args[0]));
}

static Value dict_fromkeys(VM *vm, const Value *args, int n)
{
    Value v = n > 2 ? args[2] : V_NONE, d = ou_call0(vm, args[0]);
    if (d == V_NULL) return V_NULL;
    bool exact = is_exact(d, T_DICT);
    if (exact && is_exact(args[1], T_DICT)) { /* hashes are known */
        Dict *src = as_dict(args[1]), *to = as_dict(d);
        bool full = !src->n || to->n || rebuild(vm, to, src->n, 0);
        for (uint32_t i = src->first; full && i < src->nentries; i++) {
            Value key = src->entries[i].key;
            if (key == V_NULL) continue;
            retain(key);
            full = set_hashed(vm, to, key, src->entries[i].hash, v);
            release(vm, key);
        }
        if (full) return d;
        release(vm, d);
        return V_NULL;
    }
    Value it = ou_iter(vm, args[1]);
    bool ok = it != V_NULL;
    while (ok) {
        Value k = ou_next(vm, it);
        if (k == V_NULL) {
            ok = vm->exc == V_NULL;
            break;
        }
        ok = exact ? ou_dict_set(vm, as_dict(d), k, v) : ou_setitem(vm, d, k, v);
        release(vm, k);
    }
    xrelease(vm, it);
    if (ok) return d;
    release(vm, d);
    return V_NULL;
}

static const NativeDef dict_methods[] = {
    {"get(key, default=None, /)", dict_get, "Return the value for key if key is in the dictionary, else default.", 0},
    {"setdefault(key, default=None, /)", dict_setdefault, "Insert key with a value of default if key is not in the dictionary.\n\nReturn the value for key if key is in the dictionary, else default.", 0},
    {"pop(key, default=<unrepresentable>, /)", dict_pop, "D.pop(k[,d]) -> v, remove specified key and return the corresponding value.\n\nIf the key is not found, return the default if given; otherwise,\nraise a KeyError.", 0},
    {"popitem()", dict_popitem, "Remove and return a (key, value) pair as a 2-tuple.\n\nPairs are returned in LIFO (last-in, first-out) order.\nRaises KeyError if the dict is empty.", 0},
    {"keys()", dict_keys, "Return a set-like object providing a view on the dict's keys.", 0},
    {"items()", dict_items, "Return a set-like object providing a view on the dict's items.", 0},
    {"values()", dict_values, "Return an object providing a view on the dict's values.", 0},
    {"update(*args, **kwargs)", dict_update, "D.update([E, ]**F) -> None.  Update D from mapping/iterable E and F.", 0},
    {"fromkeys(iterable, value=None, /)", dict_fromkeys, "Create a new dictionary with keys from iterable and values set to value.", ND_CLASS},
    {"clear()", dict_clear, "Remove all items from the dict.", 0},
    {"copy()", dict_copy, "Return a shallow copy of the dict.", 0},
    {"__reversed__()", dict_reversed, "Return a reverse iterator over the dict keys.", 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};

const TypeDef ou_type_dict = {
    .name = "dict",
    .size = sizeof(Dict),
    .flags = TF_GC | TF_BASE | TF_MAPPING | TF_MATCH_SELF,
    .slots = {.make = dict_make,
              .init = dict_init,
              .dealloc = dict_dealloc,
              .traverse = dict_traverse,
              .clear = dict_clear_slot,
              .repr = dict_repr,
              .compare = dict_compare,
              .len = dict_len,
              .getitem = dict_getitem,
              .setitem = dict_setitem,
              .contains = dict_contains,
              .iter = dict_iter,
              .binary = {[BIN_OR] = dict_or},
              .inplace = {[BIN_OR] = dict_ior}},
    .methods = dict_methods,
    .doc = "dict() -> new empty dictionary\n"
           "dict(mapping) -> new dictionary initialized from a mapping object's\n    (key, value) pairs\n"
           "dict(iterable) -> new dictionary initialized as if via:\n    d = {}\n    for k, v in iterable:\n        d[k] = v\n"
           "dict(**kwargs) -> new dictionary initialized with the name=value pairs\n"
           "    in the keyword argument list.  For example:  dict(one=1, two=2)"};
