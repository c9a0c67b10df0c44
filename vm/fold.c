/* Constants of the source as values, and the folding that CPython's optimiser does: operators on constants with its limits
 * on the size of the result, tuples of constants, subscripts of constants, __debug__. An operation that raises is left for
 * run time. ou_fold is the entry; nothing is remembered, an expression is folded where it is compiled. */
#include "runtime/objects/bytes.h"
#include "runtime/objects/numbers.h"
#include "vm/compile.h"

enum { MAX_INT_BITS = 128, MAX_ITEMS = 256, MAX_STR = 4096 };

static bool name_like(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
            return false;
    return true;
}

Value ou_const_value(Compiler *c, const AstConst *k)
{
    VM *vm = c->vm;
    Value v = V_NONE;
    switch (k->kind) {
    case CONST_NONE: return V_NONE;
    case CONST_TRUE: return V_TRUE;
    case CONST_FALSE: return V_FALSE;
    case CONST_ELLIPSIS: return V_ELLIPSIS;
    case CONST_INT: v = ou_int_parse(vm, k->text, k->len, k->base); break;
    case CONST_FLOAT: return v_float(k->num);
    case CONST_IMAG: v = ou_complex(vm, 0.0, k->num); break;
    case CONST_STR:
        if (name_like(k->text, k->len)) {
            Str *s = ou_intern(vm, k->text, k->len);
            v = s ? v_of(s) : V_NULL;
        } else {
            v = ou_str_new(vm, k->text, k->len);
        }
        break;
    default: v = ou_bytes_new(vm, k->text, k->len); break;
    }
    if (v == V_NULL)
        c->failed = true;
    return v;
}

bool ou_const_same(VM *vm, Value a, Value b)
{
    if (a == b)
        return true;
    if (!is_obj(a) || !is_obj(b) || v_obj(a)->shape != v_obj(b)->shape)
        return false;
    if (is_exact(a, T_STR))
        return ou_str_equal(as_str(a), as_str(b));
    if (is_exact(a, T_BYTES))
        return as_bytes(a)->n == as_bytes(b)->n && memcmp(as_bytes(a)->data, as_bytes(b)->data, as_bytes(a)->n) == 0;
    if (is_exact(a, T_INT))
        return ou_int_compare(vm, a, b) == 0;
    if (is_exact(a, T_COMPLEX)) {
        const Complex *x = (const Complex *)v_obj(a), *y = (const Complex *)v_obj(b);
        return memcmp(&x->re, &y->re, sizeof x->re) == 0 && memcmp(&x->im, &y->im, sizeof x->im) == 0;
    }
    if (is_exact(a, T_TUPLE)) {
        const Tuple *x = as_tuple(a), *y = as_tuple(b);
        if (x->n != y->n)
            return false;
        for (uint32_t i = 0; i < x->n; i++)
            if (!ou_const_same(vm, x->items[i], y->items[i]))
                return false;
        return true;
    }
    return false;
}

uint64_t ou_const_hash(VM *vm, Value v)
{
    uint64_t h = v;
    if (is_exact(v, T_STR)) {
        h = (uint64_t)ou_str_hash(vm, as_str(v));
    } else if (is_exact(v, T_BYTES)) {
        h = 14695981039346656037u;
        for (uint32_t i = 0; i < as_bytes(v)->n; i++)
            h = (h ^ as_bytes(v)->data[i]) * 1099511628211u;
    } else if (is_exact(v, T_TUPLE)) {
        h = 77;
        for (uint32_t i = 0; i < as_tuple(v)->n; i++)
            h = (h ^ ou_const_hash(vm, as_tuple(v)->items[i])) * UINT64_C(0x9E3779B97F4A7C15);
    } else if (is_exact(v, T_INT)) {
        h = (uint64_t)ou_int_bit_length(vm, v);
    } else if (is_exact(v, T_COMPLEX)) {
        const Complex *z = (const Complex *)v_obj(v);
        memcpy(&h, &z->im, sizeof h);
    }
    h *= UINT64_C(0x9E3779B97F4A7C15);
    return h ^ h >> 32;
}

static uint64_t tuple_size(Value v)
{
    if (!is_exact(v, T_TUPLE))
        return 1;
    uint64_t n = 1;
    for (uint32_t i = 0; i < as_tuple(v)->n; i++)
        n += tuple_size(as_tuple(v)->items[i]);
    return n;
}

static bool multiply_fits(VM *vm, Value a, Value b)
{
    if (is_int(a) && is_int(b))
        return ou_int_bit_length(vm, a) + ou_int_bit_length(vm, b) <= MAX_INT_BITS;
    Value seq = is_int(a) ? b : a, count = is_int(a) ? a : b;
    if (!is_int(count))
        return true;
    int64_t n = 0;
    bool small = ou_int_fits_i64(vm, count, &n);
    if (is_exact(seq, T_TUPLE)) {
        uint32_t size = as_tuple(seq)->n;
        return !size || (small && n >= 0 && n <= MAX_ITEMS / size && (uint64_t)n * tuple_size(seq) <= MAX_STR);
    }
    uint32_t size = is_exact(seq, T_STR) ? as_str(seq)->length : is_exact(seq, T_BYTES) ? as_bytes(seq)->n : 0;
    return !size || (small && n >= 0 && n <= MAX_STR / size);
}

static bool fits(VM *vm, int op, Value a, Value b)
{
    switch (op) {
    case BIN_Mult: return multiply_fits(vm, a, b);
    case BIN_Pow:
        if (is_int(a) && is_int(b) && ou_int_sign(vm, b) > 0) {
            int64_t bits = ou_int_bit_length(vm, a), n;
            return ou_int_fits_i64(vm, b, &n) && (bits == 0 || n <= MAX_INT_BITS / bits);
        }
        return true;
    case BIN_LShift:
        if (is_int(a) && is_int(b) && ou_int_sign(vm, a) && ou_int_sign(vm, b)) {
            int64_t n;
            return ou_int_fits_i64(vm, b, &n) && n <= MAX_INT_BITS - ou_int_bit_length(vm, a);
        }
        return true;
    case BIN_Mod: return !is_exact(a, T_STR) && !is_exact(a, T_BYTES);
    case BIN_MatMult: return false;
    default: return true;
    }
}

static BinOp operator_of(int op)
{
    static const uint8_t map[] = {
        [BIN_Add] = BIN_ADD,       [BIN_Sub] = BIN_SUB,       [BIN_Mult] = BIN_MUL,   [BIN_MatMult] = BIN_MATMUL,
        [BIN_Div] = BIN_DIV,       [BIN_Mod] = BIN_MOD,       [BIN_Pow] = BIN_POW,    [BIN_LShift] = BIN_LSHIFT,
        [BIN_RShift] = BIN_RSHIFT, [BIN_BitOr] = BIN_OR,      [BIN_BitXor] = BIN_XOR, [BIN_BitAnd] = BIN_AND,
        [BIN_FloorDiv] = BIN_FLOORDIV,
    };
    return (BinOp)map[op];
}

static Value attempted(Compiler *c, Value v)
{
    if (v == V_NULL) {
        if (ou_exc_matches(c->vm, E_MEMORY))
            c->failed = true;
        else
            ou_exc_clear(c->vm);
    }
    return v;
}

static Value fold_binary(Compiler *c, const Expr *e)
{
    Value b = ou_fold(c, e->BinOp.right);
    if (b == V_NULL)
        return V_NULL;
    Value a = ou_fold(c, e->BinOp.left), r = V_NULL;
    if (a != V_NULL && fits(c->vm, e->BinOp.op, a, b)) {
        r = attempted(c, ou_binary(c->vm, operator_of(e->BinOp.op), a, b));
        if (r != V_NULL && is_exact(r, T_STR) && as_str(r)->size > MAX_STR) {
            release(c->vm, r);
            r = V_NULL;
        }
    }
    xrelease(c->vm, a);
    release(c->vm, b);
    return r;
}

static Value fold_unary(Compiler *c, const Expr *e)
{
    Value a = ou_fold(c, e->UnaryOp.operand), r = V_NULL;
    if (a == V_NULL)
        return V_NULL;
    switch (e->UnaryOp.op) {
    case UNARY_Not: {
        int t = ou_truth(c->vm, a);
        r = t < 0 ? V_NULL : v_bool(!t);
        break;
    }
    case UNARY_Invert:
        if (!is_bool(a))
            r = ou_unary(c->vm, UN_INVERT, a);
        break;
    case UNARY_UAdd: r = ou_unary(c->vm, UN_POS, a); break;
    default: r = ou_unary(c->vm, UN_NEG, a); break;
    }
    release(c->vm, a);
    return r == V_NULL && c->vm->exc == V_NULL ? V_NULL : attempted(c, r);
}

static Value fold_tuple(Compiler *c, const ExprSeq *s)
{
    for (uint32_t i = 0; i < s->n; i++) { /* most tuples show at once that they are no constant */
        int k = s->items[i]->kind;
        if (k != EXPR_Constant && k != EXPR_Tuple && k != EXPR_UnaryOp && k != EXPR_BinOp && k != EXPR_Subscript)
            return V_NULL;
    }
    Value t = ou_tuple_new(c->vm, s->n);
    if (t == V_NULL) {
        c->failed = true;
        return V_NULL;
    }
    for (uint32_t i = 0; i < s->n; i++) {
        Value v = ou_fold(c, s->items[i]);
        if (v == V_NULL) {
            release(c->vm, t);
            return V_NULL;
        }
        as_tuple(t)->items[i] = v;
    }
    return t;
}

static Value fold_subscript(Compiler *c, const Expr *e)
{
    if (e->Subscript.ctx != CTX_Load || e->Subscript.slice->kind == EXPR_Slice)
        return V_NULL;
    Value i = ou_fold(c, e->Subscript.slice);
    if (i == V_NULL)
        return V_NULL;
    Value a = ou_fold(c, e->Subscript.value), r = V_NULL;
    if (a != V_NULL && (is_exact(a, T_STR) || is_exact(a, T_BYTES) || is_exact(a, T_TUPLE)))
        r = attempted(c, ou_getitem(c->vm, a, i));
    xrelease(c->vm, a);
    release(c->vm, i);
    return r;
}

Value ou_fold(Compiler *c, const Expr *e)
{
    if (c->failed || !ou_c_enter(c))
        return V_NULL;
    Value v = V_NULL;
    switch (e->kind) {
    case EXPR_Constant:
        v = ou_const_value(c, &e->Constant.value);
        break;
    case EXPR_Name:
        if (e->Name.ctx == CTX_Load && e->Name.id->len == 9 && strcmp(e->Name.id->text, "__debug__") == 0)
            v = v_bool(!c->optimize);
        break;
    case EXPR_BinOp: v = fold_binary(c, e); break;
    case EXPR_UnaryOp: v = fold_unary(c, e); break;
    case EXPR_Tuple:
        if (e->Tuple.ctx == CTX_Load)
            v = fold_tuple(c, &e->Tuple.elts);
        break;
    case EXPR_Subscript: v = fold_subscript(c, e); break;
    default: break;
    }
    c->depth--;
    return v;
}

int ou_fold_truth(Compiler *c, const Expr *e)
{
    Value v = ou_fold(c, e);
    if (v == V_NULL)
        return -1;
    int t = ou_truth(c->vm, v);
    release(c->vm, v);
    return t;
}

bool ou_fold_small(Compiler *c, const Expr *e, int64_t min, int64_t max, int64_t *out)
{
    if (e->kind != EXPR_Constant && e->kind != EXPR_UnaryOp && e->kind != EXPR_BinOp)
        return false;
    Value v = ou_fold(c, e);
    if (v == V_NULL)
        return false;
    bool ok = is_small(v) && v_small(v) >= min && v_small(v) <= max;
    if (ok)
        *out = v_small(v);
    release(c->vm, v);
    return ok;
}
