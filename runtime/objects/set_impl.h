/* What set_table.c, set_ops.c and type_set.c share. May be included by these only.
 * Everything named ou_setm_x is the native behind set.x. Whoever walks over a table retains the key before anything that may run
 * script code, and reads the table afresh afterwards. */
#ifndef OU_SET_IMPL_H
#define OU_SET_IMPL_H

#include "runtime/objects/containers_impl.h"

static inline bool is_live(const SetEntry *e) { return e->key != V_NULL && e->key != V_UNBOUND; }
static inline bool is_anyset(VM *vm, Value v) { return is_a_fast(vm, v, T_SET) || is_a_fast(vm, v, T_FROZENSET); }

static inline bool key_hash(VM *vm, Value key, int64_t *h)
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

static inline SetEntry *next_entry(const Set *s, uint32_t *pos)
{
    while (*pos <= s->mask) {
        SetEntry *e = &s->table[(*pos)++];
        if (is_live(e)) return e;
    }
    return NULL;
}

/* set_table.c */
Set *ou_set_make(VM *vm, Type *cls);                /* an empty one */
Value ou_set_of(VM *vm, Type *cls, Value iterable); /* iterable V_NULL: an empty one */
bool ou_set_add_hashed(VM *vm, Set *s, Value key, int64_t hash);
int ou_set_has_hashed(VM *vm, Set *s, Value key, int64_t hash);     /* 1, 0, -1 raised */
int ou_set_discard_hashed(VM *vm, Set *s, Value key, int64_t hash); /* as well */
bool ou_set_tidy(VM *vm, Set *s);                   /* makes the table anew where many entries were deleted */
void ou_set_clear(VM *vm, Set *s);
bool ou_set_hash(VM *vm, Value self, int64_t *out); /* as of a frozenset */
int ou_set_contains(VM *vm, Value self, Value x);

typedef Value SetMethod(VM *vm, const Value *args, int n);
SetMethod ou_setm_add, ou_setm_discard, ou_setm_remove, ou_setm_pop;

/* set_ops.c */
typedef Value SetOperator(VM *vm, Value a, Value b);
SetOperator ou_set_or, ou_set_and, ou_set_sub, ou_set_xor, ou_set_ior, ou_set_iand, ou_set_isub, ou_set_ixor;
Value ou_set_compare(VM *vm, Value a, Value b, CmpOp op);
SetMethod ou_setm_copy, ou_setm_union, ou_setm_intersection, ou_setm_difference, ou_setm_symmetric_difference, ou_setm_update,
    ou_setm_intersection_update, ou_setm_difference_update, ou_setm_symmetric_difference_update, ou_setm_issubset,
    ou_setm_issuperset, ou_setm_isdisjoint;

#endif
