/* mappingproxy: a read-only view of any mapping (type.__dict__, types.MappingProxyType). Every operation goes through to the
 * mapping; there is no way to change it from here. */
#include "runtime/objects/containers_impl.h"
#include "runtime/objects/dict_impl.h"
#include "vm/call.h"

typedef struct Proxy {
    Obj h;
    Value mapping;
} Proxy;

static Value target(Value self) { return ((Proxy *)v_obj(self))->mapping; }
static Value unwrap(Value v) { return is_exact(v, T_MAPPINGPROXY) ? target(v) : v; }

Value ou_mappingproxy_new(VM *vm, Value mapping)
{
    Proxy *p = ou_new(vm, vm->types[T_MAPPINGPROXY], 0);
    if (!p) return V_NULL;
    p->mapping = retain(mapping);
    return v_of(p);
}

static Value proxy_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)cls;
    Value m[1];
    if (!ou_bind(vm, "mappingproxy(mapping)", args, n, kwnames, m)) return V_NULL;
    Type *t = ou_type_of(vm, m[0]);
    if (!t->slots.getitem || is_a_fast(vm, m[0], T_LIST) || is_a_fast(vm, m[0], T_TUPLE))
        return ou_raise(vm, E_TYPE, "mappingproxy() argument must be a mapping, not %T", m[0]);
    return ou_mappingproxy_new(vm, m[0]);
}

static void proxy_dealloc(VM *vm, Obj *o)
{
    xrelease(vm, ((Proxy *)o)->mapping);
    ou_finish_dealloc(vm, o, 0);
}
static void proxy_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((Proxy *)o)->mapping, visit, arg); }

static Value proxy_repr(VM *vm, Value self) { return ou_str_format(vm, "mappingproxy(%R)", target(self)); }
static Value proxy_str(VM *vm, Value self) { return ou_str(vm, target(self)); }
static bool proxy_hash(VM *vm, Value self, int64_t *out) { return ou_hash(vm, target(self), out); }
static Value proxy_compare(VM *vm, Value a, Value b, CmpOp op) { return ou_compare(vm, unwrap(a), unwrap(b), op); }
static int64_t proxy_len(VM *vm, Value self) { return ou_len(vm, target(self)); }
static Value proxy_getitem(VM *vm, Value self, Value key) { return ou_getitem(vm, target(self), key); }
static int proxy_contains(VM *vm, Value self, Value key) { return ou_contains(vm, target(self), key); }
static Value proxy_iter(VM *vm, Value self) { return ou_iter(vm, target(self)); }
static Value proxy_or(VM *vm, Value a, Value b) { return ou_binary(vm, BIN_OR, unwrap(a), unwrap(b)); }
static Value proxy_ior(VM *vm, Value a, Value b)
{
    (void)b;
    return ou_raise(vm, E_TYPE, "'|=' is not supported by %T; use '|' instead", a);
}

#define FORWARD(name)                                                                                                  \
    static Value proxy_##name(VM *vm, const Value *args, int n)                                                        \
    {                                                                                                                  \
        return ou_call_method_c(vm, target(args[0]), #name, args + 1, n - 1);                                          \
    }
FORWARD(keys)
FORWARD(values)
FORWARD(items)
FORWARD(copy)
static Value proxy_get(VM *vm, const Value *args, int n)
{
    Value a[2] = {args[1], n > 2 ? args[2] : V_NONE};
    return ou_call_method_c(vm, target(args[0]), "get", a, 2);
}
static Value proxy_reversed(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_call_method_c(vm, target(args[0]), "__reversed__", NULL, 0);
}

static const NativeDef proxy_methods[] = {
    {"get(key, default=None, /)", proxy_get, "Return the value for key if key is in the mapping, else default.", 0},
    {"keys()", proxy_keys, "a set-like object providing a view on the underlying mapping's keys", 0},
    {"values()", proxy_values, "an object providing a view on the underlying mapping's values", 0},
    {"items()", proxy_items, "a set-like object providing a view on the underlying mapping's items", 0},
    {"copy()", proxy_copy, "a shallow copy of the underlying mapping", 0},
    {"__reversed__()", proxy_reversed, "reverse iterator", 0},
    {"__class_getitem__(object, /)", ou_class_getitem, "See PEP 585", ND_CLASS},
    {0}};

const TypeDef ou_type_mappingproxy = {.name = "mappingproxy",
                                      .size = sizeof(Proxy),
                                      .flags = TF_GC | TF_MAPPING,
                                      .slots = {.make = proxy_make,
                                                .dealloc = proxy_dealloc,
                                                .traverse = proxy_traverse,
                                                .repr = proxy_repr,
                                                .str = proxy_str,
                                                .hash = proxy_hash,
                                                .compare = proxy_compare,
                                                .len = proxy_len,
                                                .getitem = proxy_getitem,
                                                .contains = proxy_contains,
                                                .iter = proxy_iter,
                                                .binary = {[BIN_OR] = proxy_or},
                                                .inplace = {[BIN_OR] = proxy_ior}},
                                      .methods = proxy_methods,
                                      .doc = "Read-only proxy of a mapping."};
