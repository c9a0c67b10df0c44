/* operator: the operators as functions, and itemgetter, attrgetter, methodcaller. Every function is also there under its
 * dunder name. */
#include "runtime/objects/containers_impl.h"
#include "stdlib/stdlib.h"
#include "vm/call.h"

/* ---- functions ------------------------------------------------------------------------------------------------------- */

#define BINARY(name, op)                                                                                               \
    static Value op_##name(VM *vm, const Value *a, int n)                                                              \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return ou_binary(vm, op, a[0], a[1]);                                                                          \
    }                                                                                                                  \
    static Value op_i##name(VM *vm, const Value *a, int n)                                                             \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return ou_inplace(vm, op, a[0], a[1]);                                                                         \
    }
BINARY(add, BIN_ADD)
BINARY(sub, BIN_SUB)
BINARY(mul, BIN_MUL)
BINARY(truediv, BIN_DIV)
BINARY(floordiv, BIN_FLOORDIV)
BINARY(mod, BIN_MOD)
BINARY(pow, BIN_POW)
BINARY(lshift, BIN_LSHIFT)
BINARY(rshift, BIN_RSHIFT)
BINARY(and, BIN_AND)
BINARY(or, BIN_OR)
BINARY(xor, BIN_XOR)
BINARY(matmul, BIN_MATMUL)

#define COMPARE(name, op)                                                                                              \
    static Value op_##name(VM *vm, const Value *a, int n)                                                              \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return ou_compare(vm, a[0], a[1], op);                                                                         \
    }
COMPARE(lt, CMP_LT)
COMPARE(le, CMP_LE)
COMPARE(eq, CMP_EQ)
COMPARE(ne, CMP_NE)
COMPARE(gt, CMP_GT)
COMPARE(ge, CMP_GE)

#define UNARY(name, op)                                                                                                \
    static Value op_##name(VM *vm, const Value *a, int n)                                                              \
    {                                                                                                                  \
        (void)n;                                                                                                       \
        return ou_unary(vm, op, a[0]);                                                                                 \
    }
UNARY(neg, UN_NEG)
UNARY(pos, UN_POS)
UNARY(invert, UN_INVERT)
UNARY(abs, UN_ABS)

static Value op_not(VM *vm, const Value *a, int n)
{
    (void)n;
    int t = ou_truth(vm, a[0]);
    return t < 0 ? V_NULL : v_bool(!t);
}
static Value op_truth(VM *vm, const Value *a, int n)
{
    (void)n;
    int t = ou_truth(vm, a[0]);
    return t < 0 ? V_NULL : v_bool(t);
}
static Value op_is(VM *vm, const Value *a, int n)
{
    (void)vm, (void)n;
    return v_bool(a[0] == a[1]);
}
static Value op_is_not(VM *vm, const Value *a, int n)
{
    (void)vm, (void)n;
    return v_bool(a[0] != a[1]);
}
static Value op_index(VM *vm, const Value *a, int n)
{
    (void)n;
    return ou_index(vm, a[0]);
}
static bool concatable(VM *vm, Value v)
{
    Type *t = ou_type_of(vm, v);
    if (t->slots.getitem && (t->flags & (TF_MAPPING | TF_HEAP)) != TF_MAPPING) return true;
    ou_raise(vm, E_TYPE, "'%T' object can't be concatenated", v);
    return false;
}
static Value op_concat(VM *vm, const Value *a, int n)
{
    (void)n;
    return concatable(vm, a[0]) && concatable(vm, a[1]) ? ou_binary(vm, BIN_ADD, a[0], a[1]) : V_NULL;
}
static Value op_iconcat(VM *vm, const Value *a, int n)
{
    (void)n;
    return concatable(vm, a[0]) && concatable(vm, a[1]) ? ou_inplace(vm, BIN_ADD, a[0], a[1]) : V_NULL;
}
static Value op_contains(VM *vm, const Value *a, int n)
{
    (void)n;
    int r = ou_contains(vm, a[0], a[1]);
    return r < 0 ? V_NULL : v_bool(r);
}
static Value op_getitem(VM *vm, const Value *a, int n)
{
    (void)n;
    return ou_getitem(vm, a[0], a[1]);
}
static Value op_setitem(VM *vm, const Value *a, int n)
{
    (void)n;
    return ou_setitem(vm, a[0], a[1], a[2]) ? V_NONE : V_NULL;
}
static Value op_delitem(VM *vm, const Value *a, int n)
{
    (void)n;
    return ou_setitem(vm, a[0], a[1], V_NULL) ? V_NONE : V_NULL;
}

/* Counts items equal to x, or (first) finds the first one; -1 none, -2 raised. */
static int64_t scan(VM *vm, Value seq, Value x, bool first)
{
    Value it = ou_iter(vm, seq);
    if (it == V_NULL) return -2;
    int64_t count = 0, i = 0, r = -1;
    for (;; i++) {
        Value v = ou_next(vm, it);
        if (v == V_NULL) {
            if (vm->exc) r = -2;
            else if (!first) r = count;
            break;
        }
        int eq = ou_eq(vm, v, x);
        release(vm, v);
        if (eq < 0) {
            r = -2;
            break;
        }
        if (eq && first) {
            r = i;
            break;
        }
        count += eq;
    }
    release(vm, it);
    return r;
}
static Value op_countOf(VM *vm, const Value *a, int n)
{
    (void)n;
    int64_t r = scan(vm, a[0], a[1], false);
    return r < 0 ? V_NULL : ou_int(vm, r);
}
static Value op_indexOf(VM *vm, const Value *a, int n)
{
    (void)n;
    int64_t r = scan(vm, a[0], a[1], true);
    if (r == -1) return ou_raise(vm, E_VALUE, "sequence.index(x): x not in sequence");
    return r < 0 ? V_NULL : ou_int(vm, r);
}
static Value op_length_hint(VM *vm, const Value *a, int n)
{
    int64_t dflt = 0;
    if (n > 1) {
        if (!ou_is_a(vm, a[1], T_INT)) return ou_raise(vm, E_TYPE, "'%T' object cannot be interpreted as an integer", a[1]);
        if (!ou_index_i64(vm, a[1], &dflt)) return V_NULL;
    }
    int64_t r = ou_length_hint(vm, a[0], dflt);
    return r < 0 ? V_NULL : ou_int(vm, r);
}
static Value op_call(VM *vm, const Value *a, int n)
{
    (void)n;
    return ou_call_ex(vm, a[0], as_tuple(a[1]), as_dict(a[2]));
}
static Value op_compare_digest(VM *vm, const Value *a, int n)
{
    (void)n;
    return ou_compare(vm, a[0], a[1], CMP_EQ);
}

/* ---- itemgetter: items is a tuple of keys ------------------------------------------------------------------------------ */

typedef struct Getter {
    Obj h;
    Value items;    /* tuple: keys; attribute paths (tuples of names); methodcaller: (name, arguments...) */
    Value kw;       /* methodcaller: dict or V_NULL; attrgetter: the given texts as a tuple */
} Getter;

static Getter *as_getter(Value v) { return (Getter *)v_obj(v); }

static void getter_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((Getter *)o)->items);
    xrelease(vm, ((Getter *)o)->kw);
    ou_finish_dealloc(vm, o, 0);
}
static void getter_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((Getter *)o)->items, visit, arg);
    ou_visit(vm, ((Getter *)o)->kw, visit, arg);
}
static Value getter_new(VM *vm, Type *cls, Value items, Value kw) /* takes both over; kw may be V_NULL */
{
    Getter *g = items == V_NULL ? NULL : ou_new(vm, cls, 0);
    if (!g) {
        xrelease(vm, items);
        xrelease(vm, kw);
        return V_NULL;
    }
    g->items = items;
    g->kw = kw;
    return v_of(g);
}

static bool one_arg(VM *vm, const char *name, int n, Tuple *kwnames)
{
    if (kw_given(kwnames)) return ou_no_kw(vm, name, kwnames);
    if (n == 1) return true;
    ou_raise(vm, E_TYPE, "%s expected 1 argument, got %d", name, n);
    return false;
}

static Value itemgetter_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && !ou_no_kw(vm, "itemgetter", kwnames)) return V_NULL;
    if (n < 1) return ou_raise(vm, E_TYPE, "itemgetter expected 1 argument, got 0");
    return getter_new(vm, cls, ou_tuple_of(vm, args, (size_t)n), V_NULL);
}

static Value itemgetter_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (!one_arg(vm, "itemgetter", n, kwnames)) return V_NULL;
    Tuple *keys = as_tuple(as_getter(self)->items);
    Value obj = args[0];
    if (keys->n == 1) {
        Value key = keys->items[0];
        if (is_small(key) && is_exact(obj, T_TUPLE) && (uint64_t)v_small(key) < as_tuple(obj)->n)
            return retain(as_tuple(obj)->items[v_small(key)]);
        return ou_getitem(vm, obj, key);
    }
    Value t = ou_tuple_new(vm, keys->n);
    for (uint32_t i = 0; t != V_NULL && i < keys->n; i++) {
        Value v = ou_getitem(vm, obj, keys->items[i]);
        if (v == V_NULL) {
            release(vm, t);
            return V_NULL;
        }
        as_tuple(t)->items[i] = v;
    }
    return t;
}

/* "operator.itemgetter(1, 2)" from a tuple of things whose reprs are shown. */
static Value getter_text(VM *vm, Value self, Tuple *items, Value kw)
{
    ReprGuard g;
    int entered = ou_repr_enter(vm, &g, self);
    if (entered < 0) return V_NULL;
    Str *name = ou_type_of(vm, self)->name;
    if (!entered) return ou_str_format(vm, "operator.%Q(...)", name);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, "operator.");
    ou_sb_str(&b, v_of(name));
    ou_sb_putc(&b, '(');
    bool ok = true;
    for (uint32_t i = 0; ok && i < items->n; i++) {
        if (i) ou_sb_puts(&b, ", ");
        ok = ou_sb_repr(&b, items->items[i]);
    }
    uint32_t pos = 0;
    Value k, v;
    while (ok && kw != V_NULL && ou_dict_next(as_dict(kw), &pos, &k, &v)) {
        ou_sb_puts(&b, ", ");
        ou_sb_str(&b, k);
        ou_sb_putc(&b, '=');
        ok = ou_sb_repr(&b, v);
    }
    ou_sb_putc(&b, ')');
    ou_repr_leave(vm, &g);
    if (ok) return ou_sb_finish(&b);
    ou_sb_drop(&b);
    return V_NULL;
}
static Value itemgetter_repr(VM *vm, Value self) { return getter_text(vm, self, as_tuple(as_getter(self)->items), V_NULL); }

static Value type_and_args(VM *vm, Value self, Value args)
{
    if (args == V_NULL) return V_NULL;
    Value pair[2] = {retain(v_of(ou_type_of(vm, self))), args};
    return ou_tuple_take(vm, pair, 2);
}
static Value itemgetter_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    return type_and_args(vm, args[0], retain(as_getter(args[0])->items));
}
static const NativeDef itemgetter_methods[] = {{"__reduce__()", itemgetter_reduce, "Return state information for pickling", 0}, {0}};

/* Attribute of a class: the getters are callables without binding. */
static const TypeDef itemgetter_def = {
    .name = "operator.itemgetter",
    .size = sizeof(Getter),
    .flags = TF_GC,
    .slots = {.make = itemgetter_make,
              .dealloc = getter_dealloc,
              .traverse = getter_traverse,
              .repr = itemgetter_repr,
              .call = itemgetter_call},
    .methods = itemgetter_methods,
    .new_sig = "(item, /, *items)",
    .doc = "Return a callable object that fetches the given item(s) from its operand.\nAfter f = itemgetter(2), the call f(r) "
           "returns r[2].\nAfter g = itemgetter(2, 5, 3), the call g(r) returns (r[2], r[5], r[3])"};

/* ---- attrgetter: items is a tuple of paths (tuples of interned names), kw the texts ---------------------------------------- */

static Value split_path(VM *vm, Str *s)
{
    Value l = ou_list_new(vm, 1);
    const char *p = s->data, *end = p + s->size;
    while (l != V_NULL) {
        const char *dot = memchr(p, '.', (size_t)(end - p));
        Str *name = ou_intern(vm, p, (size_t)((dot ? dot : end) - p));
        if (!name || !ou_list_append_take(vm, as_list(l), v_of(name))) {
            release(vm, l);
            return V_NULL;
        }
        if (!dot) break;
        p = dot + 1;
    }
    Value t = l == V_NULL ? V_NULL : ou_tuple_from(vm, l);
    xrelease(vm, l);
    return t;
}

static Value attrgetter_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (kw_given(kwnames) && !ou_no_kw(vm, "attrgetter", kwnames)) return V_NULL;
    if (n < 1) return ou_raise(vm, E_TYPE, "attrgetter expected 1 argument, got 0");
    Value paths = ou_tuple_new(vm, (size_t)n);
    for (int i = 0; paths != V_NULL && i < n; i++) {
        Value path = V_NULL;
        if (!is_a_fast(vm, args[i], T_STR)) ou_raise(vm, E_TYPE, "attribute name must be a string");
        else path = split_path(vm, as_str(args[i]));
        if (path == V_NULL) {
            release(vm, paths);
            return V_NULL;
        }
        as_tuple(paths)->items[i] = path;
    }
    return getter_new(vm, cls, paths, paths == V_NULL ? V_NULL : ou_tuple_of(vm, args, (size_t)n));
}

static Value follow(VM *vm, Value obj, Tuple *path)
{
    Value v = retain(obj);
    for (uint32_t i = 0; v != V_NULL && i < path->n; i++) {
        Value next = ou_getattr(vm, v, as_str(path->items[i]));
        release(vm, v);
        v = next;
    }
    return v;
}

static Value attrgetter_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (!one_arg(vm, "attrgetter", n, kwnames)) return V_NULL;
    Tuple *paths = as_tuple(as_getter(self)->items);
    if (paths->n == 1) return follow(vm, args[0], as_tuple(paths->items[0]));
    Value t = ou_tuple_new(vm, paths->n);
    for (uint32_t i = 0; t != V_NULL && i < paths->n; i++) {
        Value v = follow(vm, args[0], as_tuple(paths->items[i]));
        if (v == V_NULL) {
            release(vm, t);
            return V_NULL;
        }
        as_tuple(t)->items[i] = v;
    }
    return t;
}
static Value attrgetter_repr(VM *vm, Value self) { return getter_text(vm, self, as_tuple(as_getter(self)->kw), V_NULL); }
static Value attrgetter_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    return type_and_args(vm, args[0], retain(as_getter(args[0])->kw));
}
static const NativeDef attrgetter_methods[] = {{"__reduce__()", attrgetter_reduce, "Return state information for pickling", 0}, {0}};
static const TypeDef attrgetter_def = {
    .name = "operator.attrgetter",
    .size = sizeof(Getter),
    .flags = TF_GC,
    .slots = {.make = attrgetter_make,
              .dealloc = getter_dealloc,
              .traverse = getter_traverse,
              .repr = attrgetter_repr,
              .call = attrgetter_call},
    .methods = attrgetter_methods,
    .new_sig = "(attr, /, *attrs)",
    .doc = "Return a callable object that fetches the given attribute(s) from its operand.\nAfter f = attrgetter('name'), the "
           "call f(r) returns r.name.\nAfter g = attrgetter('name', 'date'), the call g(r) returns (r.name, r.date).\nAfter h = "
           "attrgetter('name.first', 'name.last'), the call h(r) returns\n(r.name.first, r.name.last)."};

/* ---- methodcaller: items is (name, arguments...), kw the keyword arguments ---------------------------------------------------- */

static Value methodcaller_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (n < 1) return ou_raise(vm, E_TYPE, "methodcaller needs at least one argument, the method name");
    if (!is_a_fast(vm, args[0], T_STR)) return ou_raise(vm, E_TYPE, "method name must be a string");
    Value items = ou_tuple_of(vm, args, (size_t)n), kw = V_NULL;
    Str *name = items == V_NULL ? NULL : ou_intern_str(vm, as_str(args[0]));
    bool ok = name != NULL;
    if (ok) set_owned(vm, &as_tuple(items)->items[0], v_of(name));
    if (ok && kw_given(kwnames)) {
        kw = ou_dict_new(vm);
        ok = kw != V_NULL;
        for (uint32_t i = 0; ok && i < kwnames->n; i++) ok = ou_dict_set(vm, as_dict(kw), kwnames->items[i], args[n + (int)i]);
    }
    if (ok) return getter_new(vm, cls, items, kw);
    xrelease(vm, items);
    xrelease(vm, kw);
    return V_NULL;
}

static Value methodcaller_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (!one_arg(vm, "methodcaller", n, kwnames)) return V_NULL;
    Getter *g = as_getter(self);
    Tuple *items = as_tuple(g->items);
    if (g->kw == V_NULL)
        return ou_call_method(vm, args[0], as_str(items->items[0]), items->items + 1, (int)items->n - 1, NULL);
    Value fn = ou_getattr(vm, args[0], as_str(items->items[0]));
    Value rest = fn == V_NULL ? V_NULL : ou_tuple_of(vm, items->items + 1, items->n - 1);
    Value r = rest == V_NULL ? V_NULL : ou_call_ex(vm, fn, as_tuple(rest), as_dict(g->kw));
    xrelease(vm, fn);
    xrelease(vm, rest);
    return r;
}
static Value methodcaller_repr(VM *vm, Value self)
{
    return getter_text(vm, self, as_tuple(as_getter(self)->items), as_getter(self)->kw);
}
static Value methodcaller_reduce(VM *vm, const Value *args, int n)
{
    (void)n;
    Getter *g = as_getter(args[0]);
    if (g->kw == V_NULL) return type_and_args(vm, args[0], retain(g->items));
    /* partial(methodcaller, name, **kw)(*args), as CPython pickles it */
    Value imp = ou_dict_get_c(vm, vm->builtins, "__import__"), name = ou_str_c(vm, "functools");
    Value functools = imp == V_NULL || name == V_NULL ? V_NULL : ou_call1(vm, imp, name);
    xrelease(vm, name);
    Value partial = functools == V_NULL ? V_NULL : ou_getattr_c(vm, functools, "partial");
    xrelease(vm, functools);
    Tuple *items = as_tuple(g->items);
    Value head[2] = {v_of(ou_type_of(vm, args[0])), items->items[0]};
    Value a = partial == V_NULL ? V_NULL : ou_tuple_of(vm, head, 2);
    Value made = a == V_NULL ? V_NULL : ou_call_ex(vm, partial, as_tuple(a), as_dict(g->kw));
    xrelease(vm, a);
    xrelease(vm, partial);
    if (made == V_NULL) return V_NULL;
    Value pair[2] = {made, ou_tuple_of(vm, items->items + 1, items->n - 1)};
    if (pair[1] == V_NULL) {
        release(vm, made);
        return V_NULL;
    }
    return ou_tuple_take(vm, pair, 2);
}
static const NativeDef methodcaller_methods[] = {{"__reduce__()", methodcaller_reduce, "Return state information for pickling", 0}, {0}};
static const TypeDef methodcaller_def = {
    .name = "operator.methodcaller",
    .size = sizeof(Getter),
    .flags = TF_GC,
    .slots = {.make = methodcaller_make,
              .dealloc = getter_dealloc,
              .traverse = getter_traverse,
              .repr = methodcaller_repr,
              .call = methodcaller_call},
    .methods = methodcaller_methods,
    .new_sig = "(name, /, *args, **kwargs)",
    .doc = "Return a callable object that calls the given method on its operand.\nAfter f = methodcaller('name'), the call f(r) "
           "returns r.name().\nAfter g = methodcaller('name', 'date', foo=1), the call g(r) returns\nr.name('date', foo=1)."};

/* ---- module ---------------------------------------------------------------------------------------------------------------------- */

static const NativeDef functions[] = {
    {"add(a, b, /)", op_add, "Same as a + b.", 0},
    {"sub(a, b, /)", op_sub, "Same as a - b.", 0},
    {"mul(a, b, /)", op_mul, "Same as a * b.", 0},
    {"truediv(a, b, /)", op_truediv, "Same as a / b.", 0},
    {"floordiv(a, b, /)", op_floordiv, "Same as a // b.", 0},
    {"mod(a, b, /)", op_mod, "Same as a % b.", 0},
    {"pow(a, b, /)", op_pow, "Same as a ** b.", 0},
    {"lshift(a, b, /)", op_lshift, "Same as a << b.", 0},
    {"rshift(a, b, /)", op_rshift, "Same as a >> b.", 0},
    {"and_(a, b, /)", op_and, "Same as a & b.", 0},
    {"or_(a, b, /)", op_or, "Same as a | b.", 0},
    {"xor(a, b, /)", op_xor, "Same as a ^ b.", 0},
    {"matmul(a, b, /)", op_matmul, "Same as a @ b.", 0},
    {"concat(a, b, /)", op_concat, "Same as a + b, for a and b sequences.", 0},
    {"iadd(a, b, /)", op_iadd, "Same as a += b.", 0},
    {"isub(a, b, /)", op_isub, "Same as a -= b.", 0},
    {"imul(a, b, /)", op_imul, "Same as a *= b.", 0},
    {"itruediv(a, b, /)", op_itruediv, "Same as a /= b.", 0},
    {"ifloordiv(a, b, /)", op_ifloordiv, "Same as a //= b.", 0},
    {"imod(a, b, /)", op_imod, "Same as a %= b.", 0},
    {"ipow(a, b, /)", op_ipow, "Same as a **= b.", 0},
    {"ilshift(a, b, /)", op_ilshift, "Same as a <<= b.", 0},
    {"irshift(a, b, /)", op_irshift, "Same as a >>= b.", 0},
    {"iand(a, b, /)", op_iand, "Same as a &= b.", 0},
    {"ior(a, b, /)", op_ior, "Same as a |= b.", 0},
    {"ixor(a, b, /)", op_ixor, "Same as a ^= b.", 0},
    {"imatmul(a, b, /)", op_imatmul, "Same as a @= b.", 0},
    {"iconcat(a, b, /)", op_iconcat, "Same as a += b, for a and b sequences.", 0},
    {"lt(a, b, /)", op_lt, "Same as a < b.", 0},
    {"le(a, b, /)", op_le, "Same as a <= b.", 0},
    {"eq(a, b, /)", op_eq, "Same as a == b.", 0},
    {"ne(a, b, /)", op_ne, "Same as a != b.", 0},
    {"gt(a, b, /)", op_gt, "Same as a > b.", 0},
    {"ge(a, b, /)", op_ge, "Same as a >= b.", 0},
    {"neg(a, /)", op_neg, "Same as -a.", 0},
    {"pos(a, /)", op_pos, "Same as +a.", 0},
    {"invert(a, /)", op_invert, "Same as ~a.", 0},
    {"inv(a, /)", op_invert, "Same as ~a.", 0},
    {"abs(a, /)", op_abs, "Same as abs(a).", 0},
    {"not_(a, /)", op_not, "Same as not a.", 0},
    {"truth(a, /)", op_truth, "Return True if a is true, False otherwise.", 0},
    {"is_(a, b, /)", op_is, "Same as a is b.", 0},
    {"is_not(a, b, /)", op_is_not, "Same as a is not b.", 0},
    {"index(a, /)", op_index, "Same as a.__index__()", 0},
    {"contains(a, b, /)", op_contains, "Same as b in a (note reversed operands).", 0},
    {"getitem(a, b, /)", op_getitem, "Same as a[b].", 0},
    {"setitem(a, b, c, /)", op_setitem, "Same as a[b] = c.", 0},
    {"delitem(a, b, /)", op_delitem, "Same as del a[b].", 0},
    {"countOf(a, b, /)", op_countOf, "Return the number of items in a which are, or which equal, b.", 0},
    {"indexOf(a, b, /)", op_indexOf, "Return the first index of b in a.", 0},
    {"length_hint(obj, default=0, /)", op_length_hint, "Return an estimate of the number of items in obj.", 0},
    {"call(obj, /, *args, **kwargs)", op_call, "Same as obj(*args, **kwargs).", 0},
    {"_compare_digest(a, b, /)", op_compare_digest, "Return 'a == b'.", 0},
    {0}};

/* Functions without a dunder name of their own. */
static bool has_dunder(const char *name)
{
    static const char *const without[] = {"truth", "is_", "is_not", "countOf", "indexOf", "length_hint", "_compare_digest"};
    for (size_t i = 0; i < sizeof without / sizeof *without; i++)
        if (strcmp(name, without[i]) == 0) return false;
    return true;
}

/* __all__: the functions and the three types, not what has a dunder name. */
static bool add_name(VM *vm, Value all, const char *name, size_t n)
{
    Value v = ou_str_new(vm, name, n);
    return v != V_NULL && ou_list_append_take(vm, as_list(all), v);
}
static Value public_names(VM *vm)
{
    static const char *const types[] = {"attrgetter", "itemgetter", "methodcaller"};
    Value all = ou_list_new(vm, 0);
    bool ok = all != V_NULL;
    for (const NativeDef *d = functions; ok && d->sig; d++)
        if (d->sig[0] != '_') ok = add_name(vm, all, d->sig, (size_t)(strchr(d->sig, '(') - d->sig));
    for (size_t i = 0; ok && i < 3; i++) ok = add_name(vm, all, types[i], strlen(types[i]));
    if (ok) return all;
    xrelease(vm, all);
    return V_NULL;
}

bool ou_mod_operator(VM *vm, Module *m)
{
    if (!ou_module_add(vm, m, functions) || !ou_module_type(vm, m, &itemgetter_def, NULL) ||
        !ou_module_type(vm, m, &attrgetter_def, NULL) || !ou_module_type(vm, m, &methodcaller_def, NULL) ||
        !ou_module_take(vm, m, "__all__", public_names(vm)))
        return false;
    for (const NativeDef *d = functions; d->sig; d++) {
        char name[32], dunder[40];
        size_t n = (size_t)(strchr(d->sig, '(') - d->sig);
        memcpy(name, d->sig, n);
        name[n] = 0;
        if (!has_dunder(name)) continue;
        Value fn = ou_dict_get_c(vm, m->dict, name);
        if (name[n - 1] == '_') n--;
        memcpy(dunder, "__", 2);
        memcpy(dunder + 2, name, n);
        memcpy(dunder + 2 + n, "__", 3);
        if (fn == V_NULL || !ou_module_set(vm, m, dunder, fn)) return false;
    }
    return true;
}
