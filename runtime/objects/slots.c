/* The table that connects dunder names and slots, in both directions.
 * From C to script: `int.__add__` is a slot wrapper that calls the slot of its owner (wrap functions).
 * From script to C: a class that defines a dunder gets a slot function that looks it up and calls it (script
 * functions); ou_slots_update_all decides for each slot. Rows of one slot stand next to each other. */
#include <inttypes.h>

#include "runtime/objects/dunder.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

/* ---- script functions: slots that look up a dunder --------------------------------------------------- */

#define SCRIPT_UNARY(fn, id)                                        \
    static Value fn(VM *vm, Value self) {                           \
        return ou_call_special(vm, self, N_DU_##id, NULL, 0, NULL); \
    }
SCRIPT_UNARY(script_repr, repr)
SCRIPT_UNARY(script_str, str)
SCRIPT_UNARY(script_next, next)
SCRIPT_UNARY(script_neg, neg)
SCRIPT_UNARY(script_pos, pos)
SCRIPT_UNARY(script_invert, invert)
SCRIPT_UNARY(script_abs, abs)
SCRIPT_UNARY(script_int, int)
SCRIPT_UNARY(script_float, float)
SCRIPT_UNARY(script_index, index)
SCRIPT_UNARY(script_await, await)
SCRIPT_UNARY(script_aiter, aiter)
SCRIPT_UNARY(script_anext, anext)

/* None under the name of __iter__ or __contains__ means "explicitly not"; elsewhere it is called, and cannot be. */
static bool is_blocked(VM *vm, Value self, NameId id) {
    return ou_type_lookup(vm, ou_type_of(vm, self), vm->names[id]) == V_NONE;
}

static Value script_iter(VM *vm, Value self) {
    if (is_blocked(vm, self, N_DU_iter)) return ou_raise(vm, E_TYPE, "'%.200T' object is not iterable", self);
    return ou_call_special(vm, self, N_DU_iter, NULL, 0, NULL);
}

bool ou_hash_not_implemented(VM *vm, Value self, int64_t *out) {
    (void)out;
    ou_raise(vm, E_TYPE, "unhashable type: '%.200T'", self);
    return false;
}

static bool script_hash(VM *vm, Value self, int64_t *out) {
    Value v = ou_call_special(vm, self, N_DU_hash, NULL, 0, NULL);
    if (v == V_NULL) return false;
    if (!ou_is_intlike(vm, v)) {
        release(vm, v);
        ou_raise(vm, E_TYPE, "__hash__ method should return an integer");
        return false;
    }
    if (!ou_int_fits_i64(vm, v, out)) {
        Value exact = ou_int_value(vm, v);
        bool ok = exact != V_NULL && ou_hash(vm, exact, out);
        xrelease(vm, exact);
        release(vm, v);
        return ok;
    }
    release(vm, v);
    if (*out == -1) *out = -2;
    return true;
}

const NameId ou_compare_names[6] = {N_DU_lt, N_DU_le, N_DU_eq, N_DU_ne, N_DU_gt, N_DU_ge};

static Value script_compare(VM *vm, Value a, Value b, CmpOp op) {
    return ou_call_or_notimpl(vm, a, ou_compare_names[op], b);
}

int ou_bool_checked(VM *vm, Value v) {
    if (v == V_NULL) return -1;
    if (!is_bool(v)) {
        ou_raise(vm, E_TYPE, "__bool__ should return bool, returned %T", v);
        release(vm, v);
        return -1;
    }
    return v == V_TRUE;
}

static int script_truth(VM *vm, Value self) {
    return ou_bool_checked(vm, ou_call_special(vm, self, N_DU_bool, NULL, 0, NULL));
}

int64_t ou_len_checked(VM *vm, Value v) {
    if (v == V_NULL) return -1;
    if (is_small(v) && v_small(v) >= 0) return v_small(v);
    Value i = ou_index(vm, v);
    release(vm, v);
    if (i == V_NULL) return -1;
    int64_t n = -1;
    if (ou_int_sign(vm, i) < 0) {
        ou_raise(vm, E_VALUE, "__len__() should return >= 0");
    } else if (!ou_int_fits_i64(vm, i, &n)) {
        ou_raise(vm, E_OVERFLOW, "cannot fit '%T' into an index-sized integer", i);
        n = -1;
    }
    release(vm, i);
    return n;
}

static int64_t script_len(VM *vm, Value self) {
    return ou_len_checked(vm, ou_call_special(vm, self, N_DU_len, NULL, 0, NULL));
}

static Value script_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Value f = ou_lookup_special(vm, self, vm->names[N_DU_call]);
    if (f == V_NULL) return vm->exc != V_NULL ? V_NULL : ou_raise_attr(vm, self, vm->names[N_DU_call]);
    /* A __call__ that leads back to itself would recurse without end. */
    if (ou_c_deep(vm)) {
        release(vm, f);
        return ou_raise_recursion(vm, NULL);
    }
    vm->c_depth++;
    Value r = ou_call(vm, f, args, n, kwnames);
    vm->c_depth--;
    release(vm, f);
    return r;
}

Value ou_getattr_before_hook(VM *vm, Value self, Str *name, Value *hook_out) {
    *hook_out = V_NULL;
    Type *t = ou_type_of(vm, self);
    Value base = ou_type_lookup(vm, t, vm->names[N_DU_getattribute]);
    Value hook = ou_type_lookup(vm, t, vm->names[N_DU_getattr]);
    if (hook != V_NULL) retain(hook);
    Value v = V_NULL;
    bool missing = false;
    if (is_exact(base, T_SLOT_WRAPPER)) {
        Type *owner = ((Native *)v_obj(base))->owner;
        if (owner->slots.getattr == ou_generic_getattr) {
            Str *in = ou_name_interned(vm, name);
            if (in) {
                v = ou_generic_lookup(vm, self, in, &missing);
                obj_release(vm, in);
            }
        } else {
            v = owner->slots.getattr(vm, self, name);
        }
    } else {
        Value arg = v_of(name);
        v = ou_call_special(vm, self, N_DU_getattribute, &arg, 1, NULL);
    }
    if (v == V_NULL && !missing && hook != V_NULL && ou_exc_matches(vm, E_ATTRIBUTE)) {
        ou_exc_clear(vm);
        missing = true;
    }
    if (missing && hook == V_NULL) ou_raise_attr(vm, self, name);
    if (missing)
        *hook_out = hook;
    else if (hook != V_NULL)
        release(vm, hook);
    return v;
}

static Value script_getattr(VM *vm, Value self, Str *name) {
    Value hook, v = ou_getattr_before_hook(vm, self, name, &hook);
    if (hook == V_NULL) return v;
    Value arg = v_of(name);
    v = ou_call_special(vm, self, N_DU_getattr, &arg, 1, NULL);
    release(vm, hook);
    return v;
}

static bool drop(VM *vm, Value v) {
    if (v == V_NULL) return false;
    release(vm, v);
    return true;
}

static bool script_setattr(VM *vm, Value self, Str *name, Value v) {
    Value args[2] = {v_of(name), v};
    return drop(vm, v == V_NULL ? ou_call_special(vm, self, N_DU_delattr, args, 1, NULL)
                                : ou_call_special(vm, self, N_DU_setattr, args, 2, NULL));
}

static Value script_descr_get(VM *vm, Value self, Value obj, Value cls) {
    Value args[2] = {obj == V_NULL ? V_NONE : obj, cls == V_NULL ? V_NONE : cls};
    bool absent;
    Value v = ou_call_special(vm, self, N_DU_get, args, 2, &absent);
    return absent ? retain(self) : v;
}

static bool script_descr_set(VM *vm, Value self, Value obj, Value v) {
    Value args[2] = {obj, v};
    return drop(vm, v == V_NULL ? ou_call_special(vm, self, N_DU_delete, args, 1, NULL)
                                : ou_call_special(vm, self, N_DU_set, args, 2, NULL));
}

static Value script_getitem(VM *vm, Value self, Value key) {
    return ou_call_special(vm, self, N_DU_getitem, &key, 1, NULL);
}

static bool script_setitem(VM *vm, Value self, Value key, Value v) {
    Value args[2] = {key, v};
    return drop(vm, v == V_NULL ? ou_call_special(vm, self, N_DU_delitem, args, 1, NULL)
                                : ou_call_special(vm, self, N_DU_setitem, args, 2, NULL));
}

static int script_contains(VM *vm, Value self, Value x) {
    if (is_blocked(vm, self, N_DU_contains)) {
        ou_raise(vm, E_TYPE, "'%.200T' object is not a container", self);
        return -1;
    }
    Value v = ou_call_special(vm, self, N_DU_contains, &x, 1, NULL);
    if (v == V_NULL) return -1;
    int r = ou_truth(vm, v);
    release(vm, v);
    return r;
}

static Value script_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    Value f = ou_getattr(vm, v_of(cls), vm->names[N_DU_new]);
    if (f == V_NULL) return V_NULL;
    int total = n + (kwnames ? (int)kwnames->n : 0);
    Value fixed[16], *buf = fixed;
    if (total + 1 > 16 && !(buf = ou_alloc(&vm->heap, (size_t)(total + 1) * sizeof *buf))) {
        release(vm, f);
        return ou_raise_memory(vm);
    }
    buf[0] = v_of(cls);
    for (int i = 0; i < total; i++) buf[i + 1] = args[i];
    Value r = ou_call(vm, f, buf, n + 1, kwnames);
    if (buf != fixed) ou_free(&vm->heap, buf, (size_t)(total + 1) * sizeof *buf);
    release(vm, f);
    return r;
}

static int script_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    Value f = ou_lookup_special(vm, self, vm->names[N_DU_init]);
    if (f == V_NULL) return -1;
    Value r = ou_call(vm, f, args, n, kwnames);
    release(vm, f);
    if (r == V_NULL) return -1;
    if (r != V_NONE) {
        ou_raise(vm, E_TYPE, "__init__() should return None, not '%.200T'", r);
        release(vm, r);
        return -1;
    }
    return 0;
}

static void script_finalize(VM *vm, Obj *o) {
    Value f = ou_lookup_special(vm, v_of(o), vm->names[N_DU_del]);
    if (f == V_NULL) return;
    Value r = ou_call(vm, f, NULL, 0, NULL);
    if (r == V_NULL) /* named by the function, not by the method bound to the dying object */
        ou_unraisable(vm, NULL, is_exact(f, T_METHOD) ? ((Method *)v_obj(f))->func : f);
    else
        release(vm, r);
    release(vm, f);
}

const NameId ou_operator_names[BIN_COUNT][3] = {
    /* ORDER: binop */
    {N_DU_add, N_DU_radd, N_DU_iadd},
    {N_DU_sub, N_DU_rsub, N_DU_isub},
    {N_DU_mul, N_DU_rmul, N_DU_imul},
    {N_DU_truediv, N_DU_rtruediv, N_DU_itruediv},
    {N_DU_floordiv, N_DU_rfloordiv, N_DU_ifloordiv},
    {N_DU_mod, N_DU_rmod, N_DU_imod},
    {N_DU_pow, N_DU_rpow, N_DU_ipow},
    {N_DU_lshift, N_DU_rlshift, N_DU_ilshift},
    {N_DU_rshift, N_DU_rrshift, N_DU_irshift},
    {N_DU_and, N_DU_rand, N_DU_iand},
    {N_DU_or, N_DU_ror, N_DU_ior},
    {N_DU_xor, N_DU_rxor, N_DU_ixor},
    {N_DU_matmul, N_DU_rmatmul, N_DU_imatmul},
    {N_DU_divmod, N_DU_rdivmod, N_DU_divmod /* there is none */},
};

Value ou_call_or_notimpl(VM *vm, Value self, NameId id, Value arg) {
    bool absent;
    Value v = ou_call_special(vm, self, id, &arg, 1, &absent);
    return absent ? V_NOTIMPL : v;
}

bool ou_is_overloaded(VM *vm, Type *ta, Type *tb, NameId id) {
    Value fb = ou_type_lookup(vm, tb, vm->names[id]);
    return fb != V_NULL && fb != ou_type_lookup(vm, ta, vm->names[id]);
}

static Value binary_by_name(VM *vm, Value a, Value b, BinOp op) {
    Type *ta = ou_type_of(vm, a), *tb = ou_type_of(vm, b);
    Value (*fn)(VM *, Value, Value) = ou_slot_script_binary[op];
    NameId id = ou_operator_names[op][DUNDER_LEFT], rid = ou_operator_names[op][DUNDER_RIGHT];
    bool other = ta != tb && tb->slots.binary[op] == fn;
    if (ta->slots.binary[op] == fn) {
        if (other && ou_is_subtype(tb, ta) && ou_is_overloaded(vm, ta, tb, rid)) {
            Value r = ou_call_or_notimpl(vm, b, rid, a);
            if (r != V_NOTIMPL) return r;
            other = false;
        }
        Value r = ou_call_or_notimpl(vm, a, id, b);
        if (r != V_NOTIMPL || ta == tb) return r;
    }
    return other ? ou_call_or_notimpl(vm, b, rid, a) : V_NOTIMPL;
}

#define EACH_BINOP(X)                                                                                       \
    X(ADD, add)                                                                                             \
    X(SUB, sub) X(MUL, mul) X(DIV, truediv) X(FLOORDIV, floordiv) X(MOD, mod) X(POW, pow) X(LSHIFT, lshift) \
        X(RSHIFT, rshift) X(AND, and) X(OR, or) X(XOR, xor) X(MATMUL, matmul) X(DIVMOD, divmod)
#define EACH_INPLACE(X)                                                                         \
    X(ADD, iadd)                                                                                \
    X(SUB, isub) X(MUL, imul) X(DIV, itruediv) X(FLOORDIV, ifloordiv) X(MOD, imod) X(POW, ipow) \
        X(LSHIFT, ilshift) X(RSHIFT, irshift) X(AND, iand) X(OR, ior) X(XOR, ixor) X(MATMUL, imatmul)

#define X(op, n)                                        \
    static Value script_##n(VM *vm, Value a, Value b) { \
        return binary_by_name(vm, a, b, BIN_##op);      \
    }
EACH_BINOP(X)
#undef X
#define X(op, n)                                        \
    static Value script_##n(VM *vm, Value a, Value b) { \
        return ou_call_or_notimpl(vm, a, N_DU_##n, b);     \
    }
EACH_INPLACE(X)
#undef X
#define X(op, n) script_##n,
Value (*const ou_slot_script_binary[BIN_COUNT])(VM *, Value, Value) = {EACH_BINOP(X)};
#undef X

static Value script_power3(VM *vm, Value a, Value b, Value c) {
    Value args[2] = {b, c};
    if (c == V_NONE) return binary_by_name(vm, a, b, BIN_POW);
    bool absent;
    Value v = ou_call_special(vm, a, N_DU_pow, args, 2, &absent);
    return absent ? V_NOTIMPL : v;
}

/* ---- wrap functions: dunders of built-in types that call a slot -------------------------------------- */

static bool count_is(VM *vm, int n, int min, int max) {
    if (n - 1 >= min && n - 1 <= max) return true;
    int want = n - 1 < min ? min : max;
    ou_raise(vm, E_TYPE, "%sexpected %s%d argument%s, got %d",
             max > 1 ? " " : "", /* the name of the function is empty there */
             min == max    ? ""
             : n - 1 < min ? "at least "
                           : "at most ",
             want, want == 1 ? "" : "s", n - 1);
    return false;
}

#define SLOT(type, d, owner) ((type)(*slot_at(&(owner)->slots, (d)->offset)))
#define WRAP(fn) \
    static Value fn(VM *vm, const SlotDef *d, Type *owner, const Value *args, int n, Tuple *kwnames)
#define NO_KW ((void)kwnames)

typedef Value (*UnaryFn)(VM *, Value);
typedef Value (*BinaryFn)(VM *, Value, Value);

WRAP(wrap_unary) {
    NO_KW;
    return count_is(vm, n, 0, 0) ? SLOT(UnaryFn, d, owner)(vm, args[0]) : V_NULL;
}
WRAP(wrap_next) {
    NO_KW;
    if (!count_is(vm, n, 0, 0)) return V_NULL;
    Value v = SLOT(UnaryFn, d, owner)(vm, args[0]);
    return v == V_NULL && vm->exc == V_NULL ? ou_raise_stop(vm, V_NONE) : v;
}
/* What a sequence's * repeats by must be an integer, told before the slot looks at it. */
static bool repeats(const SlotDef *d, const Type *owner) {
    return d->arg == BIN_MUL && owner->slots.len && !(owner->flags & TF_HEAP);
}
static Value wrap_repeat(VM *vm, const SlotDef *d, Type *owner, const Value *args, int n) {
    if (n != 2) return ou_raise(vm, E_TYPE, " expected 1 argument, got %d", n - 1);
    Value count = ou_index(vm, args[1]);
    if (count == V_NULL) return V_NULL;
    Value r = SLOT(BinaryFn, d, owner)(vm, args[0], count);
    release(vm, count);
    return r;
}
WRAP(wrap_binary) {
    NO_KW;
    if (repeats(d, owner)) return wrap_repeat(vm, d, owner, args, n);
    return count_is(vm, n, 1, 1) ? SLOT(BinaryFn, d, owner)(vm, args[0], args[1]) : V_NULL;
}
WRAP(wrap_binary_r) {
    NO_KW;
    if (repeats(d, owner)) return wrap_repeat(vm, d, owner, args, n);
    return count_is(vm, n, 1, 1) ? SLOT(BinaryFn, d, owner)(vm, args[1], args[0]) : V_NULL;
}
WRAP(wrap_pow) {
    NO_KW;
    if (!count_is(vm, n, 1, 2)) return V_NULL;
    if (n == 3 && args[2] != V_NONE && owner->slots.power3)
        return owner->slots.power3(vm, args[0], args[1], args[2]);
    return SLOT(BinaryFn, d, owner)(vm, args[0], args[1]);
}
WRAP(wrap_compare) {
    NO_KW;
    if (!count_is(vm, n, 1, 1)) return V_NULL;
    return SLOT(Value(*)(VM *, Value, Value, CmpOp), d, owner)(vm, args[0], args[1], (CmpOp)d->arg);
}
WRAP(wrap_hash) {
    NO_KW;
    int64_t h;
    if (!count_is(vm, n, 0, 0) || !SLOT(bool (*)(VM *, Value, int64_t *), d, owner)(vm, args[0], &h))
        return V_NULL;
    return ou_int(vm, h);
}
WRAP(wrap_truth) {
    NO_KW;
    if (!count_is(vm, n, 0, 0)) return V_NULL;
    int r = SLOT(int (*)(VM *, Value), d, owner)(vm, args[0]);
    return r < 0 ? V_NULL : v_bool(r);
}
WRAP(wrap_len) {
    NO_KW;
    if (!count_is(vm, n, 0, 0)) return V_NULL;
    int64_t r = SLOT(int64_t(*)(VM *, Value), d, owner)(vm, args[0]);
    return r < 0 ? V_NULL : ou_int(vm, r);
}
WRAP(wrap_call) {
    return SLOT(Value(*)(VM *, Value, const Value *, int, Tuple *), d, owner)(vm, args[0], args + 1, n - 1,
                                                                              kwnames);
}
static bool name_arg(VM *vm, Value v) {
    if (ou_is_a(vm, v, T_STR)) return true;
    ou_raise(vm, E_TYPE, "attribute name must be string, not '%.200T'", v);
    return false;
}
WRAP(wrap_getattr) {
    NO_KW;
    if (!count_is(vm, n, 1, 1) || !name_arg(vm, args[1])) return V_NULL;
    return SLOT(Value(*)(VM *, Value, Str *), d, owner)(vm, args[0], as_str(args[1]));
}
WRAP(wrap_setattr) {
    NO_KW;
    int want = d->arg ? 1 : 2;
    if (!count_is(vm, n, want, want) || !name_arg(vm, args[1])) return V_NULL;
    if (owner->id == T_OBJECT && ou_is_a(vm, args[0], T_TYPE))
        return ou_raise(vm, E_TYPE, "can't apply this %s to type object",
                        d->arg ? "__delattr__" : "__setattr__");
    bool ok = SLOT(bool (*)(VM *, Value, Str *, Value), d, owner)(vm, args[0], as_str(args[1]),
                                                                  d->arg ? V_NULL : args[2]);
    return ok ? V_NONE : V_NULL;
}
WRAP(wrap_descr_get) {
    NO_KW;
    if (!count_is(vm, n, 1, 2)) return V_NULL;
    Value obj = args[1] == V_NONE ? V_NULL : args[1], cls = n > 2 && args[2] != V_NONE ? args[2] : V_NULL;
    if (obj == V_NULL && cls == V_NULL) return ou_raise(vm, E_TYPE, "__get__(None, None) is invalid");
    return SLOT(Value(*)(VM *, Value, Value, Value), d, owner)(vm, args[0], obj, cls);
}
WRAP(wrap_descr_set) {
    NO_KW;
    int want = d->arg ? 1 : 2;
    if (!count_is(vm, n, want, want)) return V_NULL;
    bool ok =
        SLOT(bool (*)(VM *, Value, Value, Value), d, owner)(vm, args[0], args[1], d->arg ? V_NULL : args[2]);
    return ok ? V_NONE : V_NULL;
}
WRAP(wrap_setitem) {
    NO_KW;
    int want = d->arg ? 1 : 2;
    if (!count_is(vm, n, want, want)) return V_NULL;
    bool ok =
        SLOT(bool (*)(VM *, Value, Value, Value), d, owner)(vm, args[0], args[1], d->arg ? V_NULL : args[2]);
    return ok ? V_NONE : V_NULL;
}
WRAP(wrap_contains) {
    NO_KW;
    if (!count_is(vm, n, 1, 1)) return V_NULL;
    int r = SLOT(int (*)(VM *, Value, Value), d, owner)(vm, args[0], args[1]);
    return r < 0 ? V_NULL : v_bool(r);
}
WRAP(wrap_init) {
    int r = SLOT(int (*)(VM *, Value, const Value *, int, Tuple *), d, owner)(vm, args[0], args + 1, n - 1,
                                                                              kwnames);
    return r < 0 ? V_NULL : V_NONE;
}
WRAP(wrap_del) {
    NO_KW;
    if (!count_is(vm, n, 0, 0)) return V_NULL;
    SLOT(void (*)(VM *, Obj *), d, owner)(vm, v_obj(args[0]));
    return V_NONE;
}

/* ---- the table --------------------------------------------------------------------------------------- */

/* clang-format off */
#define AT(field) (uint16_t)(offsetof(Slots, field) / sizeof(SlotFn))
#define ROW(id, sig, slot, arg, script, wrap, doc) {{sig, NULL, doc, 0}, N_DU_##id, AT(slot), arg, (SlotFn)(script), wrap},
#define UNARY(id, slot, doc) ROW(id, "__" #id "__()", slot, 0, script_##id, wrap_unary, doc)
#define CMP(id, op, sym) ROW(id, "__" #id "__(value, /)", compare, op, script_compare, wrap_compare, "Return self" sym "value.")
#define BIN(op, id, rid, sym)                                                                                       \
    ROW(id, "__" #id "__(value, /)", binary[op], op, script_##id, wrap_binary, "Return self" sym "value.")           \
    ROW(rid, "__" #rid "__(value, /)", binary[op], op, script_##id, wrap_binary_r, "Return value" sym "self.")
#define INPLACE(op, id, sym) \
    ROW(id, "__" #id "__(value, /)", inplace[op], op, script_##id, wrap_binary, "Return self" sym "value.")

const SlotDef ou_slot_defs[] = {
    UNARY(repr, repr, "Return repr(self).")
    ROW(hash, "__hash__()", hash, 0, script_hash, wrap_hash, "Return hash(self).")
    ROW(call, "__call__(*args, **kwargs)", call, 0, script_call, wrap_call, "Call self as a function.")
    UNARY(str, str, "Return str(self).")
    ROW(getattribute, "__getattribute__(name, /)", getattr, 0, script_getattr, wrap_getattr, "Return getattr(self, name).")
    ROW(getattr, "__getattr__(name, /)", getattr, 0, script_getattr, NULL, NULL)
    ROW(setattr, "__setattr__(name, value, /)", setattr, 0, script_setattr, wrap_setattr, "Implement setattr(self, name, value).")
    ROW(delattr, "__delattr__(name, /)", setattr, 1, script_setattr, wrap_setattr, "Implement delattr(self, name).")
    CMP(lt, CMP_LT, "<") CMP(le, CMP_LE, "<=") CMP(eq, CMP_EQ, "==") CMP(ne, CMP_NE, "!=") CMP(gt, CMP_GT, ">")
    CMP(ge, CMP_GE, ">=")
    ROW(iter, "__iter__()", iter, 0, script_iter, wrap_unary, "Implement iter(self).")
    ROW(next, "__next__()", next, 0, script_next, wrap_next, "Implement next(self).")
    ROW(get, "__get__(instance, owner=None, /)", descr_get, 0, script_descr_get, wrap_descr_get,
        "Return an attribute of instance, which is of type owner.")
    ROW(set, "__set__(instance, value, /)", descr_set, 0, script_descr_set, wrap_descr_set, "Set an attribute of instance to value.")
    ROW(delete, "__delete__(instance, /)", descr_set, 1, script_descr_set, wrap_descr_set, "Delete an attribute of instance.")
    ROW(init, "__init__(*args, **kwargs)", init, 0, script_init, wrap_init,
        "Initialize self.  See help(type(self)) for accurate signature.")
    ROW(new, "__new__(*args, **kwargs)", make, 0, script_make, NULL, NULL)
    ROW(del, "__del__()", finalize, 0, script_finalize, wrap_del, "Called when the instance is about to be destroyed.")
    ROW(await, "__await__()", await, 0, script_await, wrap_unary, "Return an iterator to be used in await expression.")
    ROW(aiter, "__aiter__()", aiter, 0, script_aiter, wrap_unary,
        "Return an awaitable, that resolves in asynchronous iterator.")
    ROW(anext, "__anext__()", anext, 0, script_anext, wrap_unary, "Return a value or raise StopAsyncIteration.")
    BIN(BIN_ADD, add, radd, "+") BIN(BIN_SUB, sub, rsub, "-") BIN(BIN_MUL, mul, rmul, "*") BIN(BIN_MOD, mod, rmod, "%")
    BIN(BIN_DIVMOD, divmod, rdivmod, " divmod ")
    ROW(pow, "__pow__(value, mod=None, /)", binary[BIN_POW], BIN_POW, script_pow, wrap_pow, "Return pow(self, value, mod).")
    ROW(rpow, "__rpow__(value, mod=None, /)", binary[BIN_POW], BIN_POW, script_pow, wrap_binary_r, "Return pow(value, self, mod).")
    UNARY(neg, unary[UN_NEG], "-self") UNARY(pos, unary[UN_POS], "+self") UNARY(abs, unary[UN_ABS], "abs(self)")
    ROW(bool, "__bool__()", truth, 0, script_truth, wrap_truth, "True if self else False")
    UNARY(invert, unary[UN_INVERT], "~self")
    BIN(BIN_LSHIFT, lshift, rlshift, "<<") BIN(BIN_RSHIFT, rshift, rrshift, ">>") BIN(BIN_AND, and, rand, "&")
    BIN(BIN_XOR, xor, rxor, "^") BIN(BIN_OR, or, ror, "|")
    UNARY(int, to_int, "int(self)") UNARY(float, to_float, "float(self)")
    INPLACE(BIN_ADD, iadd, "+=") INPLACE(BIN_SUB, isub, "-=") INPLACE(BIN_MUL, imul, "*=") INPLACE(BIN_MOD, imod, "%=")
    INPLACE(BIN_POW, ipow, "**=") INPLACE(BIN_LSHIFT, ilshift, "<<=") INPLACE(BIN_RSHIFT, irshift, ">>=")
    INPLACE(BIN_AND, iand, "&=") INPLACE(BIN_XOR, ixor, "^=") INPLACE(BIN_OR, ior, "|=")
    BIN(BIN_FLOORDIV, floordiv, rfloordiv, "//") BIN(BIN_DIV, truediv, rtruediv, "/")
    INPLACE(BIN_FLOORDIV, ifloordiv, "//=") INPLACE(BIN_DIV, itruediv, "/=")
    ROW(index, "__index__()", to_index, 0, script_index, wrap_unary,
        "Return self converted to an integer, if self is suitable for use as an index into a list.")
    BIN(BIN_MATMUL, matmul, rmatmul, "@") INPLACE(BIN_MATMUL, imatmul, "@=")
    ROW(len, "__len__()", len, 0, script_len, wrap_len, "Return len(self).")
    ROW(getitem, "__getitem__(key, /)", getitem, 0, script_getitem, wrap_binary, "Return self[key].")
    ROW(setitem, "__setitem__(key, value, /)", setitem, 0, script_setitem, wrap_setitem, "Set self[key] to value.")
    ROW(delitem, "__delitem__(key, /)", setitem, 1, script_setitem, wrap_setitem, "Delete self[key].")
    ROW(contains, "__contains__(key, /)", contains, 0, script_contains, wrap_contains, "Return bool(key in self).")
    {{NULL, NULL, NULL, 0}, N_COUNT, 0xFFFF, 0, NULL, NULL},
};
/* clang-format on */

Value ou_slot_wrapper_call(VM *vm, Native *nat, const Value *args, int n, Tuple *kwnames) {
    const SlotDef *d = (const SlotDef *)nat->def;
    int name_len = (int)nat->name_len;
    if (n < 1)
        return ou_raise(vm, E_TYPE, "descriptor '%.*s' of '%N' object needs an argument", name_len,
                        d->def.sig, nat->owner);
    if (!ou_is_subtype(ou_type_of(vm, args[0]), nat->owner))
        return ou_raise(vm, E_TYPE, "descriptor '%.*s' requires a '%N' object but received a '%T'", name_len,
                        d->def.sig, nat->owner, args[0]);
    if (kwnames && kwnames->n && d->wrap != wrap_call && d->wrap != wrap_init)
        return ou_raise(vm, E_TYPE, "wrapper %.*s() takes no keyword arguments", name_len, d->def.sig);
    return d->wrap(vm, d, nat->owner, args, n, kwnames);
}

/* ---- slots to dict ----------------------------------------------------------------------------------- */

/* Concatenation and repetition of sequences are not reflected in CPython: their types have no __radd__. */
static bool is_omitted(const Type *t, const SlotDef *d) {
    if (d->name != N_DU_radd) return false;
    return t->id == T_LIST || t->id == T_TUPLE || t->id == T_STR || t->id == T_BYTES || t->id == T_BYTEARRAY;
}

bool ou_slots_fill_dict(VM *vm, Type *t) {
    Slots own = t->def->slots;
    for (const SlotDef *d = ou_slot_defs; d->def.sig; d++) {
        if (!d->wrap || !*slot_at(&own, d->offset) || is_omitted(t, d)) continue;
        Str *name = vm->names[d->name];
        if (ou_dict_get_str(vm, t->ns, name) != V_NULL) continue;
        Value w = d->name == N_DU_hash && own.hash == ou_hash_not_implemented
                      ? V_NONE
                      : ou_native_desc_new(vm, T_SLOT_WRAPPER, &d->def, t);
        if (w == V_NULL) return false;
        bool ok = ou_dict_set_str(vm, t->ns, name, w);
        release(vm, w);
        if (!ok) return false;
    }
    if (own.compare && !own.hash && ou_dict_get_str(vm, t->ns, vm->names[N_DU_hash]) == V_NULL)
        return ou_dict_set_str(vm, t->ns, vm->names[N_DU_hash], V_NONE);
    return true;
}

/* ---- dict to slots ----------------------------------------------------------------------------------- */

/* The `__new__` of a built-in type, as found by lookup: its slot can be used directly. */
static SlotFn native_make(VM *vm, Value v) {
    (void)vm;
    if (!is_exact(v, T_NATIVE)) return NULL;
    Native *nat = (Native *)v_obj(v);
    return nat->def == &ou_new_def ? (SlotFn)((Type *)v_obj(nat->self))->slots.make : NULL;
}

static void update_group(VM *vm, Type *t, const SlotDef *d) {
    uint16_t offset = d->offset;
    SlotFn specific = NULL, script = d->script;
    bool generic = false;
    for (; d->offset == offset; d++) {
        Value v = ou_mro_lookup(vm, t, vm->names[d->name]);
        if (v == V_NULL) continue;
        SlotFn f = NULL;
        if (d->name == N_DU_hash && v == V_NONE) {
            f = (SlotFn)ou_hash_not_implemented;
        } else if (d->name == N_DU_new) {
            f = native_make(vm, v);
        } else if (is_exact(v, T_SLOT_WRAPPER)) {
            Native *nat = (Native *)v_obj(v);
            if (nat->def == &d->def && ou_is_subtype(t, nat->owner)) f = *slot_at(&nat->owner->slots, offset);
        }
        if (!f || (specific && specific != f)) generic = true;
        specific = f;
    }
    *slot_at(&t->slots, offset) = generic ? script : specific;
}

/* Slots that follow from others, or have no dunder, and flags that the evaluator reads. */
static void update_derived(Type *t) {
    if (t->slots.binary[BIN_POW] == script_pow)
        t->slots.power3 = script_power3;
    else if (t->base)
        t->slots.power3 = t->base->slots.power3;
    t->flags &= ~(uint32_t)(TF_DEL | TF_GETATTR_HOOK);
    if (t->slots.finalize) t->flags |= TF_DEL;
    if (t->slots.getattr == script_getattr) t->flags |= TF_GETATTR_HOOK;
}

/* Can a slot be found by names alone? Only interned ones are compared. */
static bool plain_names(const Type *t) {
    for (uint32_t i = 0; i < t->ns->nentries; i++) {
        Value key = t->ns->entries[i].key;
        if (key != V_NULL && (!is_str(key) || !(as_str(key)->flags & STR_INTERNED))) return false;
    }
    return true;
}

/* Does t inherit all that its base has, in the base's order, with other classes put in between? Then only their names and its
 * own can change a slot. (The slots of built-in types come from C; those of object, type, struct sequences and the exceptions
 * are known to be what their names say.) */
static bool extends_base(VM *vm, Type *t) {
    const Tuple *mro = t->mro, *above = t->base ? t->base->mro : NULL;
    if (!above) return false;
    if (!(t->base->flags & (TF_HEAP | TF_EXC)) && t->base->id != T_OBJECT && t->base->id != T_TYPE &&
        t->base->id != T_STRUCTSEQ)
        return false;
    size_t found = 0;
    for (size_t i = 0; i < mro->n; i++) {
        if (found < above->n && mro->items[i] == above->items[found]) {
            found++;
            continue;
        }
        Type *between = (Type *)v_obj(mro->items[i]);
        if (!type_dict(vm, between) || !plain_names(between)) return false;
    }
    return found == above->n;
}

static void update_named(VM *vm, Type *t, const Dict *names) {
    for (uint32_t i = 0; i < names->nentries; i++) {
        Value key = names->entries[i].key;
        if (key == V_NULL || as_str(key)->data[0] != '_') continue;
        const SlotDef *group = ou_slot_defs;
        for (const SlotDef *d = ou_slot_defs; d->def.sig; d++) {
            if (d->offset != group->offset) group = d;
            if (vm->names[d->name] == as_str(key)) update_group(vm, t, group);
        }
    }
}

static void update_extended(VM *vm, Type *t) {
    const Tuple *mro = t->mro, *above = t->base->mro;
    for (const SlotDef *d = ou_slot_defs; d->def.sig; d++) *slot_at(&t->slots, d->offset) = *slot_at(&t->base->slots, d->offset);
    for (size_t i = 0, found = 0; i < mro->n; i++) {
        if (found < above->n && mro->items[i] == above->items[found])
            found++;
        else
            update_named(vm, t, ((Type *)v_obj(mro->items[i]))->ns);
    }
}

void ou_slots_update_all(VM *vm, Type *t) {
    if (extends_base(vm, t)) {
        update_extended(vm, t);
        update_derived(t);
        return;
    }
    const SlotDef *d = ou_slot_defs;
    while (d->def.sig) {
        update_group(vm, t, d);
        uint16_t offset = d->offset;
        while (d->offset == offset) d++;
    }
    update_derived(t);
}

static void update_name(VM *vm, Type *t, const SlotDef *group) {
    update_group(vm, t, group);
    update_derived(t);
    for (uint32_t i = 0; i < t->nsubclasses; i++) update_name(vm, (Type *)t->subclasses[i], group);
}

bool ou_slots_name_changed(VM *vm, Type *t, Str *name) {
    if (name->size < 5 || name->data[0] != '_' || name->data[1] != '_') return false;
    for (const SlotDef *d = ou_slot_defs; d->def.sig; d++)
        if (vm->names[d->name] == name) {
            while (d > ou_slot_defs && d[-1].offset == d->offset) d--;
            update_name(vm, t, d);
            return true;
        }
    return false;
}
