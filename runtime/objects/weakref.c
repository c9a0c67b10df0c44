/* Weak references: ref and proxy objects, and the table that finds an object's references when it dies.
 * Entry points: ou_weakref_new, ou_weakref_object_dies. The table maps addresses to the newest reference;
 * those of one object are linked. An object with GcHead carries a flag, so that all others die without a look
 * into the table. */
#include "runtime/objects/weakref.h"

#include "runtime/objects/containers_impl.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/typeimpl.h"
#include "vm/call.h"

typedef struct WeakCell {
    Obj *target; /* NULL: empty */
    WeakRef *first;
} WeakCell;
struct WeakTable {
    WeakCell *cells;
    uint32_t n, mask;
};

static WeakRef *as_ref(Value v) {
    return (WeakRef *)v_obj(v);
}

/* ---- the table --------------------------------------------------------------------------------------- */

static uint32_t cell_hash(const Obj *o) {
    return (uint32_t)(((uintptr_t)o >> 4) * UINT64_C(0x9E3779B97F4A7C15) >> 32);
}

static WeakCell *find(const struct WeakTable *t, const Obj *o) {
    uint32_t i = cell_hash(o) & t->mask;
    while (t->cells[i].target && t->cells[i].target != o) i = (i + 1) & t->mask;
    return &t->cells[i];
}

static bool grow(VM *vm) {
    struct WeakTable *t = vm->weakrefs;
    uint32_t old = t->cells ? t->mask + 1 : 0, cap = old ? old * 2 : 16;
    WeakCell *cells = t->cells, *fresh = ou_alloc0(&vm->heap, cap * sizeof *fresh);
    if (!fresh) {
        ou_raise_memory(vm);
        return false;
    }
    t->cells = fresh;
    t->mask = cap - 1;
    for (uint32_t i = 0; i < old; i++)
        if (cells[i].target) *find(t, cells[i].target) = cells[i];
    ou_free(&vm->heap, cells, old * sizeof *cells);
    return true;
}

static WeakCell *enter(VM *vm, Obj *o) {
    if (!vm->weakrefs && !(vm->weakrefs = ou_alloc0(&vm->heap, sizeof *vm->weakrefs))) {
        ou_raise_memory(vm);
        return NULL;
    }
    struct WeakTable *t = vm->weakrefs;
    if ((!t->cells || t->n >= t->mask / 4 * 3) && !grow(vm)) return NULL;
    WeakCell *c = find(t, o);
    if (!c->target) {
        c->target = o;
        c->first = NULL;
        t->n++;
    }
    return c;
}

static WeakRef *first_of(VM *vm, const Obj *o) {
    if (!vm->weakrefs || !vm->weakrefs->cells) return NULL;
    WeakCell *c = find(vm->weakrefs, o);
    return c->target ? c->first : NULL;
}

/* Removes o's cell; the following ones move back so that none becomes unreachable. */
static void remove_cell(VM *vm, const Obj *o) {
    struct WeakTable *t = vm->weakrefs;
    uint32_t i = (uint32_t)(find(t, o) - t->cells), hole = i;
    if (!t->cells[i].target) return;
    t->n--;
    for (;;) {
        i = (i + 1) & t->mask;
        if (!t->cells[i].target) break;
        uint32_t home = cell_hash(t->cells[i].target) & t->mask;
        if (((i - home) & t->mask) >= ((i - hole) & t->mask)) {
            t->cells[hole] = t->cells[i];
            hole = i;
        }
    }
    t->cells[hole].target = NULL;
    t->cells[hole].first = NULL;
}

static void set_flag(VM *vm, Obj *o, bool on) {
    if (!(ou_type_of(vm, v_of(o))->flags & TF_GC)) return;
    if (on)
        gc_head(o)->prev |= GC_HAS_WEAKREF;
    else
        gc_head(o)->prev &= ~(uintptr_t)GC_HAS_WEAKREF;
}

static void detach(VM *vm, WeakRef *r) {
    Obj *o = r->target;
    if (!o) return;
    if (r->prev)
        r->prev->next = r->next;
    else if (r->next)
        find(vm->weakrefs, o)->first = r->next;
    else {
        remove_cell(vm, o);
        set_flag(vm, o, false);
    }
    if (r->next) r->next->prev = r->prev;
    r->next = r->prev = NULL;
    r->target = NULL;
}

/* ---- making them ------------------------------------------------------------------------------------- */

static bool can_be_referenced(VM *vm, Value o) {
    if (is_obj(o) && (ou_type_of(vm, o)->flags & TF_WEAKREF)) return true;
    ou_raise(vm, E_TYPE, "cannot create weak reference to '%T' object", o);
    return false;
}

static bool is_proxy(Value v) { return is_exact(v, T_WEAKPROXY) || is_exact(v, T_WEAKCALLABLE); }

static bool is_shared(const WeakRef *r) {
    return r->callback == V_NULL && (is_exact(v_of(r), T_WEAKREF) || is_proxy(v_of(r)));
}

static Value make(VM *vm, Type *cls, Value o, Value callback) {
    if (!can_be_referenced(vm, o)) return V_NULL;
    bool plain = callback == V_NULL && cls->id < T_COUNT;
    if (plain) /* one without a callback is shared */
        for (WeakRef *r = first_of(vm, v_obj(o)); r; r = r->next)
            if (r->callback == V_NULL && r->h.shape == cls->root->id && r->h.refs) return retain(v_of(r));
    WeakRef *r = ou_new(vm, cls, 0);
    if (!r) return V_NULL;
    WeakCell *c = enter(vm, v_obj(o));
    if (!c) {
        obj_release(vm, r);
        return V_NULL;
    }
    r->target = v_obj(o);
    r->callback = callback == V_NULL ? V_NULL : retain(callback);
    WeakRef *before = NULL; /* the shared reference comes first, then the shared proxy, then the newest of the others */
    if (!(plain && cls->id == T_WEAKREF))
        for (WeakRef *x = c->first; x && is_shared(x) && !(plain && is_proxy(v_of(x))); x = x->next)
            before = x;
    r->prev = before;
    r->next = before ? before->next : c->first;
    if (r->next) r->next->prev = r;
    if (before)
        before->next = r;
    else
        c->first = r;
    set_flag(vm, v_obj(o), true);
    return v_of(r);
}

Value ou_weakref_new(VM *vm, Value o, Value callback) {
    return make(vm, vm->types[T_WEAKREF], o, callback == V_NONE ? V_NULL : callback);
}
Value ou_weakref_proxy(VM *vm, Value o, Value callback) {
    return make(vm, vm->types[ou_type_of(vm, o)->slots.call ? T_WEAKCALLABLE : T_WEAKPROXY], o, callback == V_NONE ? V_NULL : callback);
}

Value ou_weakref_get(VM *vm, Value ref) {
    (void)vm;
    Obj *o = as_ref(ref)->target;
    return o && o->refs ? retain(v_of(o)) : V_NONE;
}

Value ou_weakref_first(VM *vm, Obj *o) {
    WeakRef *r = first_of(vm, o);
    return r ? retain(v_of(r)) : V_NONE;
}

/* All references to o: a list. */
Value ou_weakref_list(VM *vm, Value o) {
    Value list = ou_list_new(vm, 0);
    if (list == V_NULL || !is_obj(o)) return list;
    for (WeakRef *r = first_of(vm, v_obj(o)); r; r = r->next)
        if (!ou_list_append(vm, as_list(list), v_of(r))) {
            release(vm, list);
            return V_NULL;
        }
    return list;
}

int64_t ou_weakref_count(VM *vm, Value o) {
    int64_t n = 0;
    if (is_obj(o))
        for (WeakRef *r = first_of(vm, v_obj(o)); r; r = r->next) n++;
    return n;
}

/* ---- the end of the target --------------------------------------------------------------------------- */

void ou_weakref_run_callbacks(VM *vm, WeakRef *calls) {
    Value exc = vm->exc;
    vm->exc = V_NULL;
    while (calls) {
        WeakRef *r = calls;
        calls = r->next;
        r->next = NULL;
        Value f = r->callback;
        r->callback = V_NULL;
        Value res = ou_call1(vm, f, v_of(r));
        if (res == V_NULL)
            ou_unraisable(vm, NULL, f);
        else
            release(vm, res);
        release(vm, f);
        obj_release(vm, r);
    }
    vm->exc = exc;
}

/* Clears the references to o; those to be called are retained and put on *calls, the newest first as in
 * CPython. `gc`: of references that are garbage themselves nobody is told. */
static void clear_all(VM *vm, Obj *o, WeakRef **calls, bool gc) {
    WeakRef *r = first_of(vm, o);
    if (!r) return;
    remove_cell(vm, o);
    set_flag(vm, o, false);
    WeakRef **end = calls;
    while (*end) end = &(*end)->next;
    while (r) {
        WeakRef *next = r->next;
        r->next = r->prev = NULL;
        r->target = NULL;
        bool dead = r->h.refs == 0 || (gc && (gc_head(&r->h)->prev & GC_COLLECTING));
        if (r->callback != V_NULL && !dead) {
            *end = obj_retain(r);
            end = &r->next;
        }
        r = next;
    }
}

void ou_weakref_object_dies(VM *vm, Obj *o) {
    WeakRef *calls = NULL;
    clear_all(vm, o, &calls, false);
    if (calls) ou_weakref_run_callbacks(vm, calls);
}

void ou_weakref_clear_for_gc(VM *vm, Obj *o, WeakRef **calls) {
    clear_all(vm, o, calls, true);
}

void ou_weakrefs_fini(VM *vm) {
    if (!vm->weakrefs) return;
    if (vm->weakrefs->cells)
        ou_free(&vm->heap, vm->weakrefs->cells, (vm->weakrefs->mask + 1) * sizeof(WeakCell));
    ou_free(&vm->heap, vm->weakrefs, sizeof *vm->weakrefs);
    vm->weakrefs = NULL;
}

/* ---- ref --------------------------------------------------------------------------------------------- */

static void ref_dealloc(VM *vm, Obj *o) {
    WeakRef *r = (WeakRef *)o;
    detach(vm, r);
    xrelease(vm, r->callback);
    ou_finish_dealloc(vm, o, 0);
}
static void ref_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) {
    ou_visit(vm, ((WeakRef *)o)->callback, visit, arg);
}
static void ref_clear(VM *vm, Obj *o) {
    detach(vm, (WeakRef *)o);
    set_owned(vm, &((WeakRef *)o)->callback, V_NULL);
}
static Value ref_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames) {
    if (cls->id < T_COUNT && !ou_no_kw(vm, "ref", kwnames)) return V_NULL;
    if (!ou_arg_count(vm, "__new__", n, 1, cls->id < T_COUNT ? 2 : -1)) return V_NULL;
    return make(vm, cls, args[0], n > 1 && args[1] != V_NONE ? args[1] : V_NULL);
}
static int ref_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    (void)self;
    (void)args;
    return ou_no_kw(vm, "ref", kwnames) && ou_arg_count(vm, "__init__", n, 1, 2) ? 0 : -1;
}
static Value ref_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    (void)args;
    if (n || (kwnames && kwnames->n))
        return n ? ou_raise(vm, E_TYPE, "weakref expected 0 arguments, got %d", n)
                 : ou_raise(vm, E_TYPE, "weakref() takes no keyword arguments");
    return ou_weakref_get(vm, self);
}
static bool ref_hash(VM *vm, Value self, int64_t *out) {
    WeakRef *r = as_ref(self);
    if (!r->hashed) {
        Value o = ou_weakref_get(vm, self);
        if (o == V_NONE) {
            ou_raise(vm, E_TYPE, "weak object has gone away");
            return false;
        }
        bool ok = ou_hash(vm, o, &r->hash);
        release(vm, o);
        if (!ok) return false;
        r->hashed = true;
    }
    *out = r->hash;
    return true;
}
static Value ref_compare(VM *vm, Value a, Value b, CmpOp op) {
    if ((op != CMP_EQ && op != CMP_NE) || !ou_is_a(vm, b, T_WEAKREF)) return V_NOTIMPL;
    Value x = ou_weakref_get(vm, a), y = ou_weakref_get(vm, b);
    Value r = x == V_NONE || y == V_NONE ? v_bool((a == b) == (op == CMP_EQ)) : ou_compare(vm, x, y, op);
    release(vm, x);
    release(vm, y);
    return r;
}
static Value ref_repr(VM *vm, Value self) {
    StrBuf b;
    ou_sb_init(&b, vm);
    Value o = ou_weakref_get(vm, self);
    const char *kind = ou_is_a(vm, self, T_WEAKREF) ? "weakref" : "weakproxy";
    ou_sb_printf(&b, "<%s at 0x%llx; ", kind, (unsigned long long)self);
    if (o == V_NONE) {
        ou_sb_puts(&b, "dead>");
    } else {
        ou_sb_printf(&b, "to '%s' at 0x%llx", ou_type_name(vm, o), (unsigned long long)o);
        bool missing = true;
        Value name =
            ou_is_a(vm, self, T_WEAKREF) ? ou_getattr_opt(vm, o, vm->names[N_DU_name], &missing) : V_NULL;
        if (name != V_NULL && ou_is_a(vm, name, T_STR)) {
            ou_sb_puts(&b, " (");
            ou_sb_str(&b, name);
            ou_sb_puts(&b, ")");
        }
        xrelease(vm, name);
        ou_exc_clear(vm);
        ou_sb_puts(&b, ">");
    }
    release(vm, o);
    return ou_sb_finish(&b);
}
static Value ref_callback(VM *vm, Value self) {
    (void)vm;
    Value f = as_ref(self)->callback;
    return f == V_NULL ? V_NONE : retain(f);
}
static Value ref_class_getitem(VM *vm, const Value *args, int n) {
    (void)n;
    return ou_generic_alias_new(vm, args[0], args[1]);
}
static const NativeDef ref_methods[] = {
    {"__class_getitem__(item, /)", ref_class_getitem, "See PEP 585", ND_CLASS},
    {0},
};
static const GetSetDef ref_getset[] = {{"__callback__", ref_callback, NULL, NULL}, {0}};
const TypeDef ou_type_weakref = {
    .name = "weakref.ReferenceType",
    .size = sizeof(WeakRef),
    .flags = TF_GC | TF_BASE,
    .slots = {.make = ref_make,
              .init = ref_init,
              .dealloc = ref_dealloc,
              .traverse = ref_traverse,
              .clear = ref_clear,
              .repr = ref_repr,
              .hash = ref_hash,
              .compare = ref_compare,
              .call = ref_call},
    .methods = ref_methods,
    .getset = ref_getset,
};

/* ---- proxy: every operation goes to the target ------------------------------------------------------- */

/* The target of v if it is a proxy, else v itself; owned. V_NULL: it is gone (raised). */
static Value target(VM *vm, Value v) {
    if (!is_proxy(v)) return retain(v);
    Value o = ou_weakref_get(vm, v);
    return o == V_NONE ? ou_raise(vm, E_REFERENCE, "weakly-referenced object no longer exists") : o;
}

#define TARGET(fail)            \
    Value o = target(vm, self); \
    if (o == V_NULL) return fail

static Value proxy_str(VM *vm, Value self) {
    TARGET(V_NULL);
    Value r = ou_str(vm, o);
    release(vm, o);
    return r;
}
static Value proxy_compare(VM *vm, Value a, Value b, CmpOp op) {
    Value x = target(vm, a), y = x == V_NULL ? V_NULL : target(vm, b);
    Value r = y == V_NULL ? V_NULL : ou_compare(vm, x, y, op);
    xrelease(vm, x);
    xrelease(vm, y);
    return r;
}
static int proxy_truth(VM *vm, Value self) {
    TARGET(-1);
    int r = ou_truth(vm, o);
    release(vm, o);
    return r;
}
static Value proxy_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames) {
    TARGET(V_NULL);
    Value r = ou_call(vm, o, args, n, kwnames);
    release(vm, o);
    return r;
}
static Value proxy_iter(VM *vm, Value self) {
    TARGET(V_NULL);
    Value r = ou_iter(vm, o);
    release(vm, o);
    return r;
}
static Value proxy_next(VM *vm, Value self) {
    TARGET(V_NULL);
    Value r;
    if (!ou_type_of(vm, o)->slots.next)
        r = ou_raise(vm, E_TYPE, "Weakref proxy referenced a non-iterator '%.200T' object", o);
    else
        r = ou_next(vm, o);
    release(vm, o);
    return r;
}
static Value proxy_getattr(VM *vm, Value self, Str *name) {
    TARGET(V_NULL);
    Value r = ou_getattr(vm, o, name);
    release(vm, o);
    return r;
}
static bool proxy_setattr(VM *vm, Value self, Str *name, Value v) {
    TARGET(false);
    bool r = ou_setattr(vm, o, name, v);
    release(vm, o);
    return r;
}
static int64_t proxy_len(VM *vm, Value self) {
    TARGET(-1);
    int64_t r = ou_len(vm, o);
    release(vm, o);
    return r;
}
static Value proxy_getitem(VM *vm, Value self, Value key) {
    TARGET(V_NULL);
    Value r = ou_getitem(vm, o, key);
    release(vm, o);
    return r;
}
static bool proxy_setitem(VM *vm, Value self, Value key, Value v) {
    TARGET(false);
    bool r = ou_setitem(vm, o, key, v);
    release(vm, o);
    return r;
}
static int proxy_contains(VM *vm, Value self, Value x) {
    TARGET(-1);
    int r = ou_contains(vm, o, x);
    release(vm, o);
    return r;
}
static Value proxy_index(VM *vm, Value self) {
    TARGET(V_NULL);
    Value r = ou_index(vm, o);
    release(vm, o);
    return r;
}
static Value proxy_int(VM *vm, Value self) {
    TARGET(V_NULL);
    Value r = ou_call1(vm, v_of(vm->types[T_INT]), o);
    release(vm, o);
    return r;
}
static Value proxy_float(VM *vm, Value self) {
    TARGET(V_NULL);
    Value r = ou_call1(vm, v_of(vm->types[T_FLOAT]), o);
    release(vm, o);
    return r;
}
#define EACH_BINOP(X)                                                                                \
    X(ADD)                                                                                           \
    X(SUB) X(MUL) X(DIV) X(FLOORDIV) X(MOD) X(POW) X(LSHIFT) X(RSHIFT) X(AND) X(OR) X(XOR) X(MATMUL) \
        X(DIVMOD)
#define X(op)                                                              \
    static Value proxy_bin_##op(VM *vm, Value a, Value b) {                \
        Value x = target(vm, a), y = x == V_NULL ? V_NULL : target(vm, b); \
        Value r = y == V_NULL ? V_NULL : ou_binary(vm, BIN_##op, x, y);    \
        xrelease(vm, x);                                                   \
        xrelease(vm, y);                                                   \
        return r;                                                          \
    }
EACH_BINOP(X)
#undef X
#define EACH_INPLACE(X) \
    X(ADD) X(SUB) X(MUL) X(DIV) X(FLOORDIV) X(MOD) X(POW) X(LSHIFT) X(RSHIFT) X(AND) X(OR) X(XOR) X(MATMUL)
#define X(op)                                                              \
    static Value proxy_inplace_##op(VM *vm, Value a, Value b) {            \
        Value x = target(vm, a), y = x == V_NULL ? V_NULL : target(vm, b); \
        Value r = y == V_NULL ? V_NULL : ou_inplace(vm, BIN_##op, x, y);   \
        xrelease(vm, x);                                                   \
        xrelease(vm, y);                                                   \
        return r;                                                          \
    }
EACH_INPLACE(X)
#undef X
#define UNARY(op)                                    \
    static Value proxy_un_##op(VM *vm, Value self) { \
        TARGET(V_NULL);                              \
        Value r = ou_unary(vm, UN_##op, o);          \
        release(vm, o);                              \
        return r;                                    \
    }
UNARY(NEG)
UNARY(POS)
UNARY(INVERT)
UNARY(ABS)
static Value proxy_bytes(VM *vm, const Value *args, int n) {
    (void)n;
    Value o = target(vm, args[0]);
    if (o == V_NULL) return V_NULL;
    Value r = ou_call_method_c(vm, o, "__bytes__", NULL, 0);
    release(vm, o);
    return r;
}
static Value proxy_reversed(VM *vm, const Value *args, int n) {
    (void)n;
    Value o = target(vm, args[0]);
    if (o == V_NULL) return V_NULL;
    Value r = ou_call_method_c(vm, o, "__reversed__", NULL, 0);
    release(vm, o);
    return r;
}
static const NativeDef proxy_methods[] = {
    {"__bytes__()", proxy_bytes, NULL, 0}, {"__reversed__()", proxy_reversed, NULL, 0}, {0}};
#define X(op) [BIN_##op] = proxy_bin_##op,
#define Y(op) [BIN_##op] = proxy_inplace_##op,
#define PROXY_SLOTS                                                                                    \
    .dealloc = ref_dealloc, .traverse = ref_traverse, .clear = ref_clear, .repr = ref_repr,            \
    .str = proxy_str, .hash = ou_hash_not_implemented, .compare = proxy_compare, .truth = proxy_truth, \
    .iter = proxy_iter, .next = proxy_next, .getattr = proxy_getattr, .setattr = proxy_setattr,        \
    .len = proxy_len, .getitem = proxy_getitem, .setitem = proxy_setitem, .contains = proxy_contains,  \
    .binary = {EACH_BINOP(X)}, .inplace = {EACH_INPLACE(Y)},                                           \
    .unary = {[UN_NEG] = proxy_un_NEG,                                                                 \
              [UN_POS] = proxy_un_POS,                                                                 \
              [UN_INVERT] = proxy_un_INVERT,                                                           \
              [UN_ABS] = proxy_un_ABS},                                                                \
    .to_int = proxy_int, .to_float = proxy_float, .to_index = proxy_index
const TypeDef ou_type_weakproxy = {.name = "weakref.ProxyType",
                                   .size = sizeof(WeakRef),
                                   .flags = TF_GC,
                                   .slots = {PROXY_SLOTS},
                                   .methods = proxy_methods};
const TypeDef ou_type_weakcallable = {.name = "weakref.CallableProxyType",
                                      .size = sizeof(WeakRef),
                                      .flags = TF_GC,
                                      .slots = {PROXY_SLOTS, .call = proxy_call},
                                      .methods = proxy_methods};
#undef PROXY_SLOTS
#undef X
#undef Y
