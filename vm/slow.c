/* The general form of the hot instructions: what runs when no specialised form's guard holds. Each consumes temporaries, stores
 * the result, and rewrites the instruction for the types that it saw (quickening).
 * Entries: ou_slow_*, one per group of instructions; misc.c has the rarer ones. */
#include "runtime/objects/dunder.h"
#include "vm/eval.h"

#define A INS_A(i)
#define B INS_B(i)
#define C INS_C(i)
#define D INS_D(i)

static void respecialise(const Ins *pc, OpCode op) { ins_rewrite(pc - 1, (pc[-1] & ~UINT64_C(255)) | op); }
static void respecialise_d(const Ins *pc, OpCode op, uint32_t d)
{
    ins_rewrite(pc - 1, (pc[-1] & UINT64_C(0xFFFFFF00)) | op | (uint64_t)d << 32);
}

Str *ou_site_name(Value *R, const Ins *pc)
{
    const Code *c = frame_code(R);
    return ou_code_name_at(c, (uint32_t)(pc - 1 - c->code));
}

/* ---- arithmetic ---- */

typedef struct ArithRow {
    uint8_t generic, ii, ii_t, ff, ff_t;
} ArithRow;
static const ArithRow arith[BIN_COUNT] = { /* ORDER: binop; 0: no such form */
    [BIN_ADD] = {OP_ADD, OP_ADD_II, OP_ADD_II_T, OP_ADD_FF, OP_ADD_FF_T},
    [BIN_SUB] = {OP_SUB, OP_SUB_II, OP_SUB_II_T, OP_SUB_FF, OP_SUB_FF_T},
    [BIN_MUL] = {OP_MUL, OP_MUL_II, OP_MUL_II_T, OP_MUL_FF, OP_MUL_FF_T},
    [BIN_DIV] = {OP_DIV, OP_DIV_II, OP_DIV_II, OP_DIV_FF, OP_DIV_FF_T},
    [BIN_FLOORDIV] = {OP_FLOORDIV, OP_FLOORDIV_II, OP_FLOORDIV_II, 0, 0},
    [BIN_MOD] = {OP_MOD, OP_MOD_II, OP_MOD_II, 0, 0},
    [BIN_POW] = {OP_POW, 0, 0, 0, 0},
    [BIN_LSHIFT] = {OP_LSHIFT, OP_LSHIFT_II, OP_LSHIFT_II, 0, 0},
    [BIN_RSHIFT] = {OP_RSHIFT, OP_RSHIFT_II, OP_RSHIFT_II, 0, 0},
    [BIN_AND] = {OP_AND, OP_AND_II, OP_AND_II, 0, 0},
    [BIN_OR] = {OP_OR, OP_OR_II, OP_OR_II, 0, 0},
    [BIN_XOR] = {OP_XOR, OP_XOR_II, OP_XOR_II, 0, 0},
    [BIN_MATMUL] = {OP_MATMUL, 0, 0, 0, 0},
};

BinOp ou_binop_of(Ins i, bool *inplace)
{
    uint8_t op = INS_OP(i);
    *inplace = D & 1;
    if (op >= OP_ADD && op <= OP_MATMUL)
        return (BinOp)(op - OP_ADD);
    if (op == OP_BINARY_F)
        return (BinOp)(D >> 1 & 15);
    if (op >= OP_ADDI && op <= OP_XORI) {
        *inplace = C;
        return (BinOp)(op - OP_ADDI);
    }
    for (int k = 0; k < BIN_DIVMOD; k++)
        if (op == arith[k].ii || op == arith[k].ii_t || op == arith[k].ff || op == arith[k].ff_t)
            return (BinOp)k;
    return BIN_ADD;
}

/* Instances of classes made by scripts have operators that run as frames. */
static bool is_of_class(VM *vm, Value v) { return is_obj(v) && (vm->shapes[v_obj(v)->shape]->type->flags & TF_HEAP); }

/* The operator at pc[-1] becomes its general form again, or one for types. */
static void respecialise_binary(const Ins *pc, uint8_t want, bool inplace)
{
    if (INS_OP(pc[-1]) != want)
        ins_rewrite(pc - 1, (pc[-1] & UINT64_C(0xFFFFFF00)) | want | (uint64_t)inplace << 32);
}

bool ou_slow_binary(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    bool inplace;
    BinOp bin = ou_binop_of(i, &inplace);
    Value a = R[B], b = R[C], v;
    unsigned nl = frame_code(R)->nlocals;
    bool temp = A >= nl || A == B || A == C;
    const ArithRow *row = &arith[bin];
    if (are_small(a, b) && row->ii)
        respecialise_binary(pc, temp ? row->ii_t : row->ii, inplace);
    else if (is_float(a) && is_float(b) && row->ff)
        respecialise_binary(pc, temp ? row->ff_t : row->ff, inplace);
    else if (is_of_class(vm, a) && v_obj(a)->shape < UINT32_C(1) << 26)
        ins_rewrite(pc - 1, (i & UINT64_C(0xFFFFFF00)) | OP_BINARY_F | (uint64_t)(v_obj(a)->shape << 5 | bin << 1 | inplace) << 32);
    else
        respecialise_binary(pc, row->generic, inplace);
    if (bin == BIN_ADD && is_str(a) && is_str(b)) {
        /* The left operand may grow in place when nobody else sees it: a dying temporary, or the local that is overwritten. */
        if (B >= nl) {
            v = ou_str_append(vm, a, b);
            if (C >= nl)
                release(vm, b);
        } else if (A == B) {
            R[B] = V_NONE;
            v = ou_str_append(vm, a, b);
            if (C >= nl)
                release(vm, b);
            if (v == V_NULL)
                return false;
            R[A] = v;
            return true;
        } else {
            v = ou_str_concat(vm, a, b);
            if (C >= nl)
                release(vm, b);
        }
    } else if (is_of_class(vm, a) || is_of_class(vm, b)) {
        return ou_ask_operator(vm, R, pc, 0);
    } else {
        v = inplace ? ou_inplace(vm, bin, a, b) : ou_binary(vm, bin, a, b);
        if (B >= nl)
            release(vm, a);
        if (C >= nl)
            release(vm, b);
    }
    if (v == V_NULL)
        return false;
    put(vm, R, A, v);
    return true;
}

bool ou_slow_binary_imm(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    BinOp bin = (BinOp)(INS_OP(i) - OP_ADDI);
    Value a = R[B], b = v_smallint(D);
    Value v;
    if (is_float(a) && bin <= BIN_DIV && !(bin == BIN_DIV && D == 0)) {
        double x = v_double(a), y = (double)D;
        v = v_float_raw(bin == BIN_ADD ? x + y : bin == BIN_SUB ? x - y : bin == BIN_MUL ? x * y : x / y);
    } else if (is_of_class(vm, a)) {
        return ou_ask_operator(vm, R, pc, 0);
    } else {
        v = C ? ou_inplace(vm, bin, a, b) : ou_binary(vm, bin, a, b);
        consume(vm, R, B);
    }
    if (v == V_NULL)
        return false;
    put(vm, R, A, v);
    return true;
}

/* ---- comparison ---- */

bool ou_slow_compare(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    if (is_of_class(vm, R[B]) || is_of_class(vm, R[C]))
        return ou_ask_compare(vm, R, pc, 0);
    Value v = ou_compare(vm, R[B], R[C], (CmpOp)(INS_OP(i) - OP_LT));
    consume(vm, R, B);
    consume(vm, R, C);
    if (v == V_NULL)
        return false;
    put(vm, R, A, v);
    return true;
}

static int compare_truth(VM *vm, Value a, Value b, CmpOp op)
{
    if (is_str(a) && is_str(b)) {
        if (op == CMP_EQ || op == CMP_NE)
            return (a == b || ou_str_equal(as_str(a), as_str(b))) == (op == CMP_EQ);
        int o = ou_str_order(as_str(a), as_str(b));
        return op == CMP_LT ? o < 0 : op == CMP_LE ? o <= 0 : op == CMP_GT ? o > 0 : o >= 0;
    }
    Value v = ou_compare(vm, a, b, op);
    if (v == V_NULL)
        return -1;
    if (v == V_TRUE || v == V_FALSE)
        return v == V_TRUE;
    int t = ou_truth(vm, v);
    release(vm, v);
    return t;
}

int ou_slow_jcompare(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    uint8_t op = INS_OP(i);
    Value a = R[A], b = R[B];
    int t;
    if (op == OP_JIN) {
        t = is_of_class(vm, b) ? ou_ask_contains(vm, R, pc, b, a) : -1;
        t = t < 0 ? ou_contains(vm, b, a) : t ? SLOW_GO : SLOW_RAISED;
    } else {
        CmpOp cmp = (CmpOp)(op >= OP_JLT_II && op <= OP_JGE_II   ? op - OP_JLT_II
                            : op >= OP_JLT_FF && op <= OP_JGE_FF ? op - OP_JLT_FF
                                                                 : op - OP_JLT);
        uint8_t want = (uint8_t)(are_small(a, b) ? OP_JLT_II + cmp : is_float(a) && is_float(b) ? OP_JLT_FF + cmp : OP_JLT + cmp);
        if (op != want)
            respecialise(pc, want);
        if (is_of_class(vm, a) || is_of_class(vm, b))
            return ou_ask_compare(vm, R, pc, 0) ? SLOW_GO : SLOW_RAISED;
        t = compare_truth(vm, a, b, cmp);
    }
    consume(vm, R, A);
    consume(vm, R, B);
    return t;
}

int ou_slow_jcompare_imm(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    uint8_t op = INS_OP(i);
    CmpOp cmp = (CmpOp)(op >= OP_JNLTI ? op - OP_JNLTI : op - OP_JLTI);
    Value a = R[A];
    int64_t k = (int16_t)INS_BC(i);
    if (is_float(a)) {
        double x = v_double(a), y = (double)k;
        switch (cmp) {
        case CMP_LT: return x < y;
        case CMP_LE: return x <= y;
        case CMP_EQ: return x == y;
        case CMP_NE: return x != y;
        case CMP_GT: return x > y;
        default: return x >= y;
        }
    }
    if (is_of_class(vm, a))
        return ou_ask_compare(vm, R, pc, 0) ? SLOW_GO : SLOW_RAISED;
    int t = compare_truth(vm, a, v_smallint(k), cmp);
    consume(vm, R, A);
    return t;
}

int ou_slow_truth(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value v = R[A];
    bool keep = INS_OP(i) == OP_JUMPTK || INS_OP(i) == OP_JUMPFK;
    if (is_of_class(vm, v)) {
        if (keep || A < frame_code(R)->nlocals)
            retain(v);
        return ou_ask_truth(vm, R, pc, v) ? SLOW_GO : SLOW_RAISED;
    }
    int t = ou_truth(vm, v);
    if (!keep || t != (INS_OP(i) == OP_JUMPTK))
        consume(vm, R, A);
    return t;
}

/* ---- globals and names ---- */

static void raise_name(VM *vm, Str *name)
{
    ou_raise(vm, E_NAME, "name '%Q' is not defined", name);
    if (vm->exc != V_NULL && ou_is_a(vm, vm->exc, E_NAME))
        set_owned(vm, &((ExcName *)v_obj(vm->exc))->name, retain(v_of(name)));
}

/* The entry of an interned name; -1 absent, -2 raised. */
static int64_t find_entry(VM *vm, Dict *d, Str *name) { return ou_dict_find(vm, d, v_of(name), ou_str_hash(vm, name)); }

/* A global or builtin of the frame's function; rewrites to op_m or op_b when it can be cached. Owned. */
static Value load_global(VM *vm, Value *R, const Ins *pc, Str *name, OpCode op_m, OpCode op_b)
{
    Function *f = frame_fn(R);
    int64_t at = find_entry(vm, f->globals, name);
    if (at >= 0) {
        if (at < 0x10000 && op_m)
            ins_rewrite(pc - 1, (pc[-1] & UINT64_C(0xFF00)) | op_m | (uint64_t)at << 16 | (uint64_t)ou_dict_version(vm, f->globals) << 32);
        return retain(f->globals->entries[at].value);
    }
    if (at == -2)
        return V_NULL;
    at = find_entry(vm, f->builtins, name);
    if (at >= 0) {
        if (op_b) {
            respecialise_d(pc, op_b, ou_dict_version(vm, f->globals));
            ins_rewrite(pc, (Ins)ou_dict_version(vm, f->builtins) | (Ins)at << 32);
        }
        return retain(f->builtins->entries[at].value);
    }
    if (at == -1)
        raise_name(vm, name);
    return V_NULL;
}

bool ou_slow_getglobal(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    bool temp = A >= frame_code(R)->nlocals;
    Value v = load_global(vm, R, pc, ou_site_name(R, pc), temp ? OP_GETGLOBAL_M_T : OP_GETGLOBAL_M, temp ? OP_GETGLOBAL_B_T : OP_GETGLOBAL_B);
    if (v == V_NULL)
        return false;
    put(vm, R, A, v);
    return true;
}

static bool store_global(VM *vm, Value *R, const Ins *pc, OpCode op_m)
{
    Ins i = pc[-1];
    Dict *d = frame_fn(R)->globals;
    Str *name = ou_site_name(R, pc);
    bool ok = ou_dict_set_str(vm, d, name, R[A]);
    consume(vm, R, A);
    if (!ok)
        return false;
    int64_t at = find_entry(vm, d, name);
    if (at >= 0 && at < 0x10000 && is_exact(v_of(d), T_DICT))
        ins_rewrite(pc - 1, (i & UINT64_C(0xFF00)) | op_m | (uint64_t)at << 16 | (uint64_t)ou_dict_version(vm, d) << 32);
    return true;
}

bool ou_slow_setglobal(VM *vm, Value *R, const Ins *pc) { return store_global(vm, R, pc, OP_SETGLOBAL_M); }

bool ou_slow_getname(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Str *name = ou_site_name(R, pc);
    Value v = V_NULL, ns = R[0];
    bool temp = A >= frame_code(R)->nlocals;
    if (ns == V_NONE) {
        v = load_global(vm, R, pc, name, temp ? OP_GETNAME_M : 0, temp ? OP_GETNAME_B : 0);
    } else {
        if (is_exact(ns, T_DICT)) {
            v = ou_dict_get_str(vm, as_dict(ns), name);
            if (v != V_NULL)
                retain(v);
        } else {
            v = ou_getitem(vm, ns, v_of(name));
            if (v == V_NULL) {
                if (!ou_exc_matches(vm, E_KEY))
                    return false;
                ou_exc_clear(vm);
            }
        }
        if (v == V_NULL)
            v = load_global(vm, R, pc, name, 0, 0);
    }
    if (v == V_NULL)
        return false;
    put(vm, R, A, v);
    return true;
}

bool ou_slow_setname(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value ns = R[0];
    if (ns == V_NONE)
        return store_global(vm, R, pc, OP_SETNAME_M);
    Str *name = ou_site_name(R, pc);
    bool ok = is_exact(ns, T_DICT) ? ou_dict_set_str(vm, as_dict(ns), name, R[A]) : ou_setitem(vm, ns, v_of(name), R[A]);
    consume(vm, R, A);
    return ok;
}

bool ou_slow_delname(VM *vm, Value *R, const Ins *pc)
{
    Value ns = R[0];
    Str *name = ou_site_name(R, pc);
    if (ns == V_NONE || is_exact(ns, T_DICT)) {
        int r = ou_dict_del(vm, ns == V_NONE ? frame_fn(R)->globals : as_dict(ns), v_of(name));
        if (r == 0)
            raise_name(vm, name);
        return r > 0;
    }
    if (ou_setitem(vm, ns, v_of(name), V_NULL))
        return true;
    if (ou_exc_matches(vm, E_KEY)) {
        ou_exc_clear(vm);
        raise_name(vm, name);
    }
    return false;
}

/* ---- attributes ---- */

/* The slot of name in o's own storage if reading it needs no more than that: the class's lookup is the standard one and
 * nothing in the class overrides it. -1 otherwise. */
static int plain_slot(VM *vm, Type *t, Obj *o, Str *name, bool for_set)
{
    if (!t->tail || (for_set ? t->slots.setattr != ou_generic_setattr : t->slots.getattr != ou_generic_getattr))
        return -1;
    const Shape *s = vm->shapes[o->shape];
    if (s->dict_mode)
        return -1;
    int at = ou_shape_find(s, name);
    if (at < 0 || at > 255)
        return -1;
    Value d = ou_type_lookup(vm, t, name);
    bool member = d != V_NULL && is_exact(d, T_MEMBER);
    if (member != ((uint32_t)at < t->nslots)) /* the descriptor of a slot of that name came and went */
        return -1;
    if (d != V_NULL && !member && is_obj(d) && ou_type_of(vm, d)->slots.descr_set)
        return -1;
    return at;
}

/* The site may read the value that o's class gives all instances of its shape under that name: no descriptor, and nothing of
 * their own. */
static void cache_class_value(VM *vm, const Ins *pc, Type *t, Obj *o, Str *name)
{
    const Shape *s = vm->shapes[o->shape];
    if (t->slots.getattr != ou_generic_getattr || s->dict_mode)
        return;
    Value d = ou_type_lookup(vm, t, name);
    if (d == V_NULL)
        return;
    if (is_exact(d, T_PROPERTY)) { /* a data descriptor: it comes before what instances hold */
        Value get = ((Property *)v_obj(d))->get;
        if (is_exact(get, T_FUNCTION) && (as_function(get)->code->callkey || ou_code_prepare(vm, as_function(get)->code)) &&
            as_function(get)->code->callkey == 2) {
            name->flags |= STR_CACHED_NAME;
            respecialise_d(pc, OP_GETATTR_P, o->shape);
            ins_rewrite(pc, d);
        }
        return;
    }
    if (t->tail && ou_shape_find(s, name) >= 0)
        return;
    if (ou_type_of(vm, d)->slots.descr_get)
        return;
    for (uint32_t k = 0; k < t->mro->n && k < 256; k++) {
        Dict *own = type_dict(vm, (Type *)v_obj(t->mro->items[k]));
        int64_t at = own ? find_entry(vm, own, name) : -2;
        if (at == -2) {
            ou_exc_clear(vm);
            return;
        }
        if (at < 0)
            continue;
        if (at < 1 << 24) {
            respecialise_d(pc, OP_GETATTR_C, o->shape);
            ins_rewrite(pc, (Ins)t->version << 32 | (Ins)k << 24 | (Ins)at);
        }
        return;
    }
}

/* ---- sites that see several shapes ---- */

/* An instruction holds what it found out about one shape; the table holds what sites found out about the others. */
typedef struct PolySite {
    const Ins *pc;
    uint32_t shape;
    uint32_t slot;
    uint64_t word; /* a slot's tail; for a method the function; a descriptor */
} PolySite;
enum { POLY_SITES = 256 };
static const uint32_t POLY_DESCR = UINT32_MAX; /* slot: a native data descriptor of the class answers */

static PolySite *poly_entry(VM *vm, const Ins *pc, uint32_t shape)
{
    return vm->poly ? &vm->poly[(((uintptr_t)pc >> 3) ^ shape * 31) % POLY_SITES] : NULL;
}
static PolySite *poly_find(VM *vm, const Ins *pc, Value o)
{
    PolySite *e = poly_entry(vm, pc, v_obj(o)->shape);
    return e && e->pc == pc && e->shape == v_obj(o)->shape ? e : NULL;
}
static void poly_add(VM *vm, const Ins *pc, uint32_t shape, uint32_t slot, uint64_t word)
{
    if (!vm->poly && !(vm->poly = ou_alloc0(&vm->heap, POLY_SITES * sizeof(PolySite))))
        return;
    *poly_entry(vm, pc, shape) = (PolySite){pc, shape, slot, word};
}

void ou_poly_forget(VM *vm)
{
    if (vm->poly)
        memset(vm->poly, 0, POLY_SITES * sizeof(PolySite));
}

void ou_poly_fini(VM *vm)
{
    ou_free(&vm->heap, vm->poly, vm->poly ? POLY_SITES * sizeof(PolySite) : 0);
    vm->poly = NULL;
}

static bool is_own_slot(uint8_t op) { return op == OP_GETATTR_S || op == OP_GETATTR_S_T; }

/* Native data descriptors (o.__class__, cls.__name__, the fields of named tuples) come before everything else: the site remembers
 * them for the shape. */
static void remember_descriptor(VM *vm, const Ins *pc, Type *t, Obj *o, Str *name)
{
    if ((t->slots.getattr != ou_generic_getattr && t->slots.getattr != vm->types[T_TYPE]->slots.getattr) || (t->flags & TF_GETATTR_HOOK) ||
        vm->shapes[o->shape]->dict_mode)
        return;
    Value d = ou_type_lookup(vm, t, name);
    if (d == V_NULL || !is_obj(d) || is_exact(d, T_PROPERTY) || is_exact(d, T_MEMBER))
        return;
    const Type *dt = ou_type_of(vm, d);
    if ((dt->flags & TF_HEAP) || !dt->slots.descr_set || !dt->slots.descr_get)
        return;
    name->flags |= STR_CACHED_NAME;
    poly_add(vm, pc, o->shape, POLY_DESCR, d);
}
static Value ask_descriptor(VM *vm, const PolySite *e, Value o)
{
    Value d = retain((Value)e->word);
    Value v = ou_type_of(vm, d)->slots.descr_get(vm, d, o, v_of(ou_type_of(vm, o)));
    release(vm, d);
    return v;
}

int ou_slow_getattr(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value o = R[B];
    if ((INS_OP(i) == OP_GETATTR || is_own_slot(INS_OP(i))) && is_obj(o)) {
        const PolySite *e = poly_find(vm, pc, o);
        Value v = V_UNBOUND;
        if (e && e->slot == POLY_DESCR) {
            v = ask_descriptor(vm, e, o);
            if (v == V_NULL) {
                ou_note_attribute(vm, o, ou_site_name(R, pc));
                consume(vm, R, B);
                return SLOW_RAISED;
            }
        } else if (e) {
            v = ((Tail *)((char *)v_obj(o) + e->word))->slots[e->slot];
            if (v != V_UNBOUND)
                retain(v);
        }
        if (v != V_UNBOUND) {
            consume(vm, R, B);
            put(vm, R, A, v);
            return SLOW_TRUE;
        }
    }
    Str *name = ou_site_name(R, pc);
    if (is_exact(o, T_MODULE)) {
        Dict *d = ((Module *)v_obj(o))->dict;
        int64_t at = find_entry(vm, d, name);
        if (at >= 0) {
            respecialise_d(pc, OP_GETATTR_M, ou_dict_version(vm, d));
            ins_rewrite(pc, (Ins)at);
        }
    } else if (is_obj(o)) {
        Type *t = ou_type_of(vm, o);
        int at = plain_slot(vm, t, v_obj(o), name, false);
        if (at < 0) {
            cache_class_value(vm, pc, t, v_obj(o), name);
            if (INS_OP(pc[-1]) == OP_GETATTR || is_own_slot(INS_OP(pc[-1])))
                remember_descriptor(vm, pc, t, v_obj(o), name);
        } else {
            name->flags |= STR_CACHED_NAME;
            bool temp = A >= frame_code(R)->nlocals && A != B;
            if (is_own_slot(INS_OP(i)))
                poly_add(vm, pc, v_obj(o)->shape, (uint32_t)at, (uint64_t)(int64_t)t->tail);
            ins_rewrite(pc - 1, (i & UINT64_C(0xFFFF00)) | (temp ? OP_GETATTR_S_T : OP_GETATTR_S) | (uint64_t)at << 24 |
                                    (uint64_t)v_obj(o)->shape << 32);
            ins_rewrite(pc, t->tail);
        }
    }
    Value v = V_NULL;
    int r = ou_ask_getattr(vm, R, pc, o, name, &v);
    if (r > 0)
        return SLOW_GO;
    consume(vm, R, B);
    if (v == V_NULL)
        return SLOW_RAISED;
    put(vm, R, A, v);
    return SLOW_TRUE;
}

int ou_slow_setattr(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value o = R[A];
    Str *name = ou_site_name(R, pc);
    bool ok;
    if (is_obj(o)) {
        Type *t = ou_type_of(vm, o);
        Obj *p = v_obj(o);
        int at = plain_slot(vm, t, p, name, true);
        if (at >= 0) {
            name->flags |= STR_CACHED_NAME;
            ins_rewrite(pc - 1, (i & UINT64_C(0xFFFF00)) | OP_SETATTR_S | (uint64_t)at << 24 | (uint64_t)p->shape << 32);
            ins_rewrite(pc, t->tail);
        }
        int r = t->flags & TF_HEAP && t->slots.setattr != ou_generic_setattr ? ou_ask_setattr(vm, R, pc, o, name, R[B]) : -1;
        if (r >= 0) {
            consume(vm, R, B);
            consume(vm, R, A);
            return r ? SLOW_GO : SLOW_RAISED;
        }
        uint32_t before = p->shape;
        uint16_t nkeys = vm->shapes[before]->nkeys;
        ok = ou_setattr(vm, o, name, R[B]);
        uint32_t after = p->shape;
        if (ok && at < 0 && after != before && t->tail == offsetof(Instance, tail) && t->slots.setattr == ou_generic_setattr && nkeys < 255) {
            const Shape *s = vm->shapes[after];
            if (s->type == t && !s->dict_mode && s->nkeys == nkeys + 1 && s->keys[nkeys] == name && s->parent && s->parent->id == before &&
                ou_type_lookup(vm, t, name) == V_NULL) {
                name->flags |= STR_CACHED_NAME;
                ins_rewrite(pc - 1, (i & UINT64_C(0xFFFF00)) | OP_SETATTR_A | (uint64_t)nkeys << 24 | (uint64_t)before << 32);
                ins_rewrite(pc, after);
            }
        }
    } else {
        ok = ou_setattr(vm, o, name, R[B]);
    }
    consume(vm, R, B);
    consume(vm, R, A);
    return ok ? SLOW_TRUE : SLOW_RAISED;
}

int ou_slow_getmethod(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value o = R[B];
    if (INS_OP(i) == OP_GETMETHOD_S && is_obj(o)) {
        const PolySite *e = poly_find(vm, pc, o);
        if (e) {
            if (B < frame_code(R)->nlocals)
                retain(o);
            R[A] = retain(e->word);
            R[A + 2] = o;
            return SLOW_TRUE;
        }
    }
    Str *name = ou_site_name(R, pc);
    Type *t = ou_type_of(vm, o);
    if (t->slots.getattr == ou_generic_getattr && !is_exact(o, T_MODULE)) {
        Value f = ou_type_lookup(vm, t, name);
        if (f != V_NULL && (is_exact(f, T_FUNCTION) || (is_exact(f, T_METHOD_DESC) && ou_is_subtype(t, ((Native *)v_obj(f))->owner)))) {
            bool own = false;
            if (t->tail && is_obj(o))
                own = ou_instance_get(vm, v_obj(o), name) != V_NULL;
            if (!own) {
                if (is_obj(o) && !vm->shapes[v_obj(o)->shape]->dict_mode) {
                    name->flags |= STR_CACHED_NAME;
                    if (INS_OP(i) == OP_GETMETHOD_S)
                        poly_add(vm, pc, v_obj(o)->shape, 0, f);
                    respecialise_d(pc, OP_GETMETHOD_S, v_obj(o)->shape);
                    ins_rewrite(pc, f);
                }
                if (B < frame_code(R)->nlocals)
                    retain(o);
                R[A] = retain(f);
                R[A + 2] = o;
                return SLOW_TRUE;
            }
        }
    } else if (is_exact(o, T_MODULE)) {
        Dict *d = ((Module *)v_obj(o))->dict;
        int64_t at = find_entry(vm, d, name);
        if (at >= 0) {
            respecialise_d(pc, OP_GETMETHOD_M, ou_dict_version(vm, d));
            ins_rewrite(pc, (Ins)at);
        }
    }
    Value v = V_NULL;
    int r = ou_ask_getattr(vm, R, pc, o, name, &v);
    R[A + 2] = V_UNBOUND;
    if (r > 0)
        return SLOW_GO;
    consume(vm, R, B);
    if (v == V_NULL)
        return SLOW_RAISED;
    R[A] = v;
    return SLOW_TRUE;
}

/* ---- items ---- */

/* Is o[k] a plain call of a script __getitem__? */
static bool plain_getitem(VM *vm, Value o)
{
    if (!is_obj(o))
        return false;
    Type *t = ou_type_of(vm, o);
    Value f = t->flags & TF_HEAP ? ou_type_lookup(vm, t, name_of(vm, N_DU_getitem)) : V_NULL;
    if (f == V_NULL || !is_exact(f, T_FUNCTION) || v_obj(o)->shape > INT32_MAX)
        return false;
    Code *c = as_function(f)->code;
    if (!c->callkey && !ou_code_prepare(vm, c)) {
        ou_exc_clear(vm);
        return false;
    }
    return c->callkey == 3;
}

bool ou_slow_getitem(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value o = R[B], k = R[C];
    uint8_t want = OP_GETITEM;
    if (is_small(k) && is_exact(o, T_LIST))
        want = OP_GETITEM_LI;
    else if (is_small(k) && is_exact(o, T_TUPLE))
        want = OP_GETITEM_TI;
    else if (is_exact(o, T_DICT))
        want = OP_GETITEM_D;
    else if (plain_getitem(vm, o))
        want = OP_GETITEM_F;
    if (want == OP_GETITEM_F)
        respecialise_d(pc, want, v_obj(o)->shape);
    else if (INS_OP(i) != want)
        respecialise(pc, want);
    Value v = ou_getitem(vm, o, k);
    consume(vm, R, B);
    consume(vm, R, C);
    if (v == V_NULL)
        return false;
    put(vm, R, A, v);
    return true;
}

bool ou_slow_setitem(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value o = R[A], k = R[B];
    uint8_t want = is_small(k) && is_exact(o, T_LIST) ? OP_SETITEM_LI : is_exact(o, T_DICT) ? OP_SETITEM_D : OP_SETITEM;
    if (INS_OP(i) != want)
        respecialise(pc, want);
    int r = is_of_class(vm, o) ? ou_ask_setitem(vm, R, pc, o, k, R[C]) : -1;
    bool ok = r < 0 ? ou_setitem(vm, o, k, R[C]) : r;
    consume(vm, R, C);
    consume(vm, R, B);
    consume(vm, R, A);
    return ok;
}

/* ---- iteration ---- */

int ou_slow_foriter(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value it = R[A];
    uint8_t op = INS_OP(i), want = OP_FORITER;
    if (is_obj(it)) {
        switch (v_obj(it)->shape) {
        case T_RANGE_ITER: want = OP_FORITER_R; break;
        case T_LIST_ITER: want = OP_FORITER_L; break;
        case T_TUPLE_ITER: want = OP_FORITER_T; break;
        case T_GENERATOR: want = OP_FORITER_G; break;
        default:
            if ((INS_OP(*pc) == OP_UNPACK || INS_OP(*pc) == OP_UNPACK_T) && INS_A(*pc) == B && INS_C(*pc) == 2 && ou_is_pair_iter(it))
                want = OP_FORITER_P;
        }
    }
    if (op != want) {
        respecialise(pc, want);
        if (want == OP_FORITER_G || want == OP_FORITER_P) {
            vm->pc = pc - 1; /* run that */
            return SLOW_GO;
        }
    }
    if (is_of_class(vm, it)) {
        int r = ou_ask_next(vm, R, pc, it);
        if (r >= 0)
            return r ? SLOW_GO : SLOW_RAISED;
    }
    Type *t = ou_type_of(vm, it);
    if (!t->slots.next) {
        ou_raise(vm, E_TYPE, "'%T' object is not an iterator", it);
        return -1;
    }
    Value v = t->slots.next(vm, it);
    if (v == V_NULL) {
        if (vm->exc != V_NULL) {
            if (!ou_exc_matches(vm, E_STOP_ITERATION))
                return -1;
            ou_exc_clear(vm);
        }
        release(vm, it);
        return 0;
    }
    put(vm, R, B, v);
    return 1;
}

bool ou_slow_unpack(VM *vm, Value *R, const Ins *pc)
{
    Ins i = pc[-1];
    Value o = R[A];
    unsigned n = C, got = 0;
    if (is_exact(o, T_TUPLE) && as_tuple(o)->n == n && INS_OP(i) == OP_UNPACK)
        respecialise(pc, OP_UNPACK_T);
    if (is_exact(o, T_TUPLE) || is_exact(o, T_LIST)) {
        uint32_t have = is_exact(o, T_TUPLE) ? as_tuple(o)->n : as_list(o)->n;
        const Value *items = is_exact(o, T_TUPLE) ? as_tuple(o)->items : as_list(o)->items;
        if (have == n) {
            for (unsigned k = 0; k < n; k++)
                R[A + k] = retain(items[k]);
            release(vm, o);
            return true;
        }
        if (have > n)
            ou_raise(vm, E_VALUE, "too many values to unpack (expected %d)", (int)n);
        else
            ou_raise(vm, E_VALUE, "not enough values to unpack (expected %d, got %d)", (int)n, (int)have);
        release(vm, o);
        return false;
    }
    Type *t = ou_type_of(vm, o);
    if (!t->slots.iter && !t->slots.getitem) {
        ou_raise(vm, E_TYPE, "cannot unpack non-iterable %T object", o);
        release(vm, o);
        return false;
    }
    Value it = ou_iter(vm, o);
    release(vm, o);
    if (it == V_NULL)
        return false;
    while (got < n) {
        Value v = ou_next(vm, it);
        if (v == V_NULL) {
            if (vm->exc == V_NULL)
                ou_raise(vm, E_VALUE, "not enough values to unpack (expected %d, got %d)", (int)n, (int)got);
            goto fail;
        }
        R[A + got++] = v;
    }
    Value more = ou_next(vm, it);
    if (more != V_NULL) {
        release(vm, more);
        ou_raise(vm, E_VALUE, "too many values to unpack (expected %d)", (int)n);
        goto fail;
    }
    if (vm->exc != V_NULL)
        goto fail;
    release(vm, it);
    return true;
fail:
    for (unsigned k = 0; k < got; k++)
        release(vm, R[A + k]);
    release(vm, it);
    return false;
}
