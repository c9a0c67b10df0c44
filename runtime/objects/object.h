/* Types, shapes, slots and the operations that every object has.
 * May be included by objects/, vm/, loop/, stdlib/, api/. Invariants: arguments are borrowed, results are owned; a Value
 * result V_NULL, a NULL pointer, `false` or -1 mean that an exception is pending on the VM (vm->exc). */
#ifndef OU_OBJECT_H
#define OU_OBJECT_H

#include "runtime/objects/value.h"

typedef struct ouro_vm VM;
typedef struct Type Type;
typedef struct Shape Shape;
typedef struct Str Str;
typedef struct Dict Dict;
typedef struct Tuple Tuple;
typedef struct Buffer Buffer;

/* ---- type ids: types.def then errors.def ---------------------------------------------------------------------- */
typedef enum TypeId {
#define TYPE(id, cname, base) T_##id,
#include "runtime/objects/types.def"
#undef TYPE
    T_BUILTIN_COUNT,
    T_ERROR_FIRST = T_BUILTIN_COUNT,
    T_BEFORE_ERRORS = T_BUILTIN_COUNT - 1,
#define ERROR(id, name, parent, layout) E_##id,
#include "runtime/objects/errors.def"
#undef ERROR
    T_COUNT
} TypeId;

/* ---- native functions ------------------------------------------------------------------------------------------ */
/* args[0..n): the receiver first for methods, then the parameters of the signature.
 * - Signature with positional-only parameters alone ("append(self, object, /)" or no parameter): exactly the given
 *   arguments, n is their count (already checked against the minimum and maximum).
 * - Any other signature: n is the number of parameters, in the order of the signature; one that was not given is V_NULL
 *   (defaults in a signature are for humans; the native applies them), "*args" is a tuple, "**kw" a dict (both never V_NULL).
 * Methods do not write `self` in the signature; it is args[0] all the same: "append(object, /)". */
typedef Value (*NativeFn)(VM *vm, const Value *args, int n);

enum {
    ND_STATIC = 1, ND_CLASS = 2, /* staticmethod, classmethod (args[0] is the class) */
    ND_RAW = 4, /* function with *args: a call by position alone passes the arguments as they are, n is ~count then */
    /* With one argument the function gives what that method of the argument returns: the evaluator runs a script method as a frame. */
    ND_LEN = 8, ND_NEXT = 16, ND_ITER = 32, ND_ABS = 64, ND_ASKS = ND_LEN | ND_NEXT | ND_ITER | ND_ABS,
};

typedef struct NativeDef {
    const char *sig; /* "name(a, b=1, /, c=None, *, d=False)" */
    NativeFn fn;
    const char *doc;
    uint32_t flags;
} NativeDef; /* tables end with {0} */

typedef struct GetSetDef {
    const char *name;
    Value (*get)(VM *vm, Value self);
    bool (*set)(VM *vm, Value self, Value v); /* NULL: read-only; v V_NULL: delete */
    const char *doc;
} GetSetDef;

/* ---- slots ------------------------------------------------------------------------------------------------------ */
typedef enum BinOp { /* ORDER: binop */
    BIN_ADD, BIN_SUB, BIN_MUL, BIN_DIV, BIN_FLOORDIV, BIN_MOD, BIN_POW, BIN_LSHIFT, BIN_RSHIFT, BIN_AND, BIN_OR, BIN_XOR,
    BIN_MATMUL, BIN_DIVMOD, BIN_COUNT
} BinOp;
typedef enum UnOp { UN_NEG, UN_POS, UN_INVERT, UN_ABS, UN_COUNT } UnOp;
typedef enum CmpOp { CMP_LT, CMP_LE, CMP_EQ, CMP_NE, CMP_GT, CMP_GE } CmpOp; /* ORDER: cmpop, as CPython's Py_LT.. */

typedef bool (*VisitFn)(VM *vm, Obj *o, void *arg);

/* NULL = not supported (after inheritance at boot / class creation). Binary slots get the operands in source order and are
 * called with either one being of the type; they return V_NOTIMPL when they do not know the other. */
typedef struct Slots {
    Value (*make)(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames); /* __new__ */
    int (*init)(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);  /* 0 or -1 */
    void (*dealloc)(VM *vm, Obj *o);      /* releases what it owns; the generic part (tail, memory) is ou_dealloc's */
    void (*traverse)(VM *vm, Obj *o, VisitFn visit, void *arg);
    void (*clear)(VM *vm, Obj *o);        /* breaks cycles: drop references, leave the object valid */
    void (*finalize)(VM *vm, Obj *o);     /* __del__; runs once, may resurrect */
    Value (*repr)(VM *vm, Value self);
    Value (*str)(VM *vm, Value self);
    bool (*hash)(VM *vm, Value self, int64_t *out); /* never -1, as CPython */
    Value (*compare)(VM *vm, Value a, Value b, CmpOp op);
    int (*truth)(VM *vm, Value self);     /* 1, 0 or -1 */
    Value (*call)(VM *vm, Value self, const Value *args, int n, Tuple *kwnames); /* keyword values follow args[n] */
    Value (*iter)(VM *vm, Value self);
    Value (*next)(VM *vm, Value self);    /* V_NULL without a pending exception: exhausted (also StopIteration is fine) */
    Value (*getattr)(VM *vm, Value self, Str *name); /* __getattribute__ */
    bool (*setattr)(VM *vm, Value self, Str *name, Value v); /* v V_NULL: delete */
    Value (*descr_get)(VM *vm, Value self, Value obj, Value cls); /* obj V_NULL: from the class */
    bool (*descr_set)(VM *vm, Value self, Value obj, Value v);    /* v V_NULL: delete; non-NULL makes a data descriptor */
    int64_t (*len)(VM *vm, Value self);   /* -1 on error */
    Value (*getitem)(VM *vm, Value self, Value key);
    bool (*setitem)(VM *vm, Value self, Value key, Value v); /* v V_NULL: delete */
    int (*contains)(VM *vm, Value self, Value x); /* 1, 0 or -1 */
    Value (*binary[BIN_COUNT])(VM *vm, Value a, Value b);
    Value (*inplace[BIN_COUNT])(VM *vm, Value a, Value b);
    Value (*power3)(VM *vm, Value a, Value b, Value c); /* pow(a, b, c) */
    Value (*unary[UN_COUNT])(VM *vm, Value self);
    Value (*to_int)(VM *vm, Value self);
    Value (*to_float)(VM *vm, Value self);
    Value (*to_index)(VM *vm, Value self);
    Value (*await)(VM *vm, Value self);
    Value (*aiter)(VM *vm, Value self);
    Value (*anext)(VM *vm, Value self);
    bool (*buffer)(VM *vm, Value self, Buffer *out, bool writable); /* bytes.h */
} Slots;

/* ---- type definitions and types -------------------------------------------------------------------------------- */
enum {
    TF_GC = 1,            /* tracked by the cycle collector: has traverse (and clear) */
    TF_BASE = 2,          /* may be subclassed */
    TF_HEAP = 4,          /* made by a class statement or type(...) */
    TF_DICT = 8,          /* instances have a tail and so a __dict__ */
    TF_WEAKREF = 16,      /* instances can be weakly referenced */
    TF_ABSTRACT = 32,     /* has __abstractmethods__ */
    TF_SEQUENCE = 64,     /* matches sequence patterns */
    TF_MAPPING = 128,     /* matches mapping patterns */
    TF_NO_NEW = 256,      /* "cannot create 'x' instances" */
    TF_EXC = 512,         /* BaseException or a subclass: struct Exc first */
    TF_IMMUTABLE = 1024,  /* setattr on the class raises */
    TF_DEL = 2048,        /* some class in the mro defines __del__ */
    TF_MATCH_SELF = 4096, /* C(x) matches the subject itself (int, str, ...) */
    TF_METHOD_LIKE = 8192,/* descr_get with an object binds it as first argument: GETMETHOD skips the bound method */
    TF_GETATTR_HOOK = 16384, /* the class defines __getattr__ or __getattribute__ */
    TF_VAR = 32768,       /* a variable part follows the struct (str, bytes, tuple): a tail stands in front of the object then */
    TF_BASETYPE_LAYOUT = 65536, /* heap type that adds to its base's layout (__slots__) */
    TF_RENEWED = 131072,  /* some shape of the type has had more than one id */
    TF_LAZY = 524288,     /* native type whose own attributes have not been asked for yet: ou_type_fill makes them */
    TF_SCRIPTED = 262144, /* native here, a class of a script in CPython: messages name it without its module */
};

typedef struct TypeDef {
    const char *name;       /* "list", "collections.deque": what stands before the last dot is __module__ (builtins if none) */
    uint32_t size;          /* sizeof the C struct (0: the base's) */
    uint32_t flags;
    Slots slots;
    const NativeDef *methods;
    const GetSetDef *getset;
    const char *doc;
    const char *new_sig;    /* signature text of the constructor for help/inspect, may be NULL */
} TypeDef;

/* Attributes of instances: at byte offset type->tail of the object (negative, in front of GcHead, for TF_VAR types, with
 * inline_cap 0). A struct that holds its Tail itself gives offsetof(X, tail) as TypeDef.size. `slots` points to the inline area right behind the tail
 * (capacity chosen from type->inline_cap when the object was made) or to a block of its own once it has grown.
 * Shape mode: slots[i] is the value of shape->keys[i]. Dict mode (shape->dict_mode): slots[type->nslots] is the __dict__. */
typedef struct Tail {
    Value *slots;
    uint32_t cap;        /* capacity of slots */
    uint32_t inline_cap; /* capacity of the inline area: tells whether slots is a block of its own, and the object's size */
} Tail;

typedef struct Instance { /* an instance of a class whose built-in base is object */
    Obj h;
    Tail tail;
} Instance;

struct Type {
    Obj h;                  /* its own shape tells the metaclass */
    uint32_t id;            /* TypeId for built-in ones, T_COUNT and up (unique) for heap types */
    uint32_t flags;
    uint32_t size;          /* of the C struct without tail */
    int32_t tail;           /* byte offset of the Tail, 0 = instances have none */
    uint32_t nslots;        /* from __slots__, inherited ones included: they take the first places of the shape */
    uint32_t inline_cap;    /* how many attributes the next instance gets room for: grows with what instances use */
    uint32_t version;       /* changes whenever a lookup through this type could change; 0 never occurs */
    uint32_t struct_id;     /* TypeId of the nearest built-in base: which C struct instances begin with */
    Type *base;             /* best base (decides the C struct); NULL for object */
    Tuple *bases, *mro;
    Dict *ns;               /* own attributes; NULL while TF_LAZY: type_dict() is the way to it */
    Str *name, *qualname;
    Str *shown;             /* heap types that stand for native ones: what messages call them, "datetime.date"; else NULL */
    Shape *root;            /* shape of a fresh instance */
    Shape *dict_shape;      /* shape of instances in dict mode; NULL: none yet */
    uint32_t nshapes;       /* too many: instances go to dict mode */
    const TypeDef *def;     /* NULL for heap types */
    Slots slots;
    Obj **subclasses;       /* borrowed; a dying subclass removes itself */
    uint32_t nsubclasses, subclasses_cap;
    void *native_data;      /* for host-defined types (api/) */
};

struct Shape {
    uint32_t id;
    uint16_t nkeys;
    bool dict_mode;
    bool no_add;            /* class with __slots__ and without __dict__ */
    Type *type;             /* borrowed: the type owns its shapes */
    Shape *parent;
    Str **keys;             /* nkeys interned names, owned (each shape has its own array) */
    uint8_t *index;         /* hash index of keys when nkeys > 8, else NULL */
    Shape **next;           /* transitions: the shape after adding a key */
    uint32_t nnext, next_cap;
    Shape *sibling;         /* all shapes of a type in a list, for teardown */
    Shape *renewed;         /* set when the class changed: what stale instances move to (see shape.c) */
};
enum { SHAPE_MAX_KEYS = 120 }; /* more attributes: the instance goes to dict mode */

/* ---- reference counts ------------------------------------------------------------------------------------------- */
void ou_dealloc(VM *vm, Obj *o); /* the count reached zero */

static inline Value retain(Value v)
{
    if (is_obj(v))
        v_obj(v)->refs++;
    return v;
}
static inline void release(VM *vm, Value v)
{
    if (is_obj(v) && --v_obj(v)->refs == 0)
        ou_dealloc(vm, v_obj(v));
}
static inline void xrelease(VM *vm, Value v) /* v may be V_NULL */
{
    if (v != V_NULL)
        release(vm, v);
}
#define obj_retain(o) ((o)->h.refs++, (o))
#define obj_release(vm, o) release((vm), v_of(o))
#define obj_xrelease(vm, o) xrelease((vm), v_of(o))

/* Stores an owned value into an owning place and releases the old one afterwards (it may run script code). */
static inline void set_owned(VM *vm, Value *place, Value v)
{
    Value old = *place;
    *place = v;
    xrelease(vm, old);
}

/* ---- allocation (object.c) -------------------------------------------------------------------------------------- */
/* Instances of types with id >= T_COUNT (heap types, native types of modules) own a reference to their type: ou_new takes it,
 * ou_free_object gives it back. Who makes instances without ou_new does the same. */
/* A zeroed object of a built-in type with one reference, its tail (if the type has one) ready and empty. Raises MemoryError.
 * TF_GC objects are tracked at once: fill the fields before anything else can run. `extra` bytes follow the struct. */
void *ou_new(VM *vm, Type *type, size_t extra);
void ou_free_object(VM *vm, Obj *o, size_t extra); /* the memory itself, with GcHead; for types with their own var part */
/* Slots.dealloc ends by calling this: releases the tail and frees the memory. `extra` as it was given to ou_new. */
void ou_finish_dealloc(VM *vm, Obj *o, size_t extra);

/* ---- type tests --------------------------------------------------------------------------------------------------- */
Type *ou_type_of(VM *vm, Value v);                     /* borrowed */
static inline bool is_exact(Value v, TypeId id) { return is_obj(v) && v_obj(v)->shape == (uint32_t)id; }
bool ou_is_subtype(const Type *t, const Type *of);     /* by mro, no hooks */
bool ou_is_a(VM *vm, Value v, TypeId id);              /* instance of a built-in type or of a subclass */
int ou_isinstance(VM *vm, Value v, Value cls);         /* with __instancecheck__, tuples, unions; 1, 0, -1 */
int ou_issubclass(VM *vm, Value cls, Value of);
const char *ou_tp_name(const Type *t);
const char *ou_type_name(VM *vm, Value v);             /* tp_name as CPython's messages show it; lives as long as the type */
Type *ou_builtin(VM *vm, TypeId id);

/* ---- attributes (attr.c) -------------------------------------------------------------------------------------------- */
Value ou_getattr(VM *vm, Value o, Str *name);
Value ou_getattr_opt(VM *vm, Value o, Str *name, bool *missing); /* V_NULL with *missing: no exception pending */
bool ou_setattr(VM *vm, Value o, Str *name, Value v);            /* v V_NULL deletes */
Value ou_getattr_c(VM *vm, Value o, const char *name);
bool ou_setattr_c(VM *vm, Value o, const char *name, Value v);
Value ou_type_lookup(VM *vm, Type *t, Str *name);                /* along the mro, borrowed; V_NULL: absent, nothing raised */
Value ou_lookup_special(VM *vm, Value o, Str *name);             /* dunder on the type, bound, owned; V_NULL: absent or raised (check vm->exc) */
Value ou_generic_getattr(VM *vm, Value o, Str *name);            /* object.__getattribute__ */
bool ou_generic_setattr(VM *vm, Value o, Str *name, Value v);
/* Instance storage only (no descriptors). get: borrowed or V_NULL. */
Value ou_instance_get(VM *vm, Obj *o, Str *name);
bool ou_instance_set(VM *vm, Obj *o, Str *name, Value v);        /* v V_NULL deletes; absent: KeyError-like false without raising */
Dict *ou_instance_dict(VM *vm, Obj *o);                          /* materialises __dict__ (dict mode); borrowed; NULL raised or no dict */
Value ou_super_getattr(VM *vm, Value type, Value obj, Str *name); /* super(type, obj).name without making the super object */
static inline Tail *tail_of(const Type *t, Obj *o) { return (Tail *)((char *)o + t->tail); }

/* ---- shapes (shape.c) --------------------------------------------------------------------------------------------- */
Shape *ou_shape_root(VM *vm, Type *t);                           /* made on first use */
int ou_shape_find(const Shape *s, const Str *interned);          /* slot index or -1 */
Shape *ou_shape_add(VM *vm, Shape *s, Str *interned);            /* the shape after adding; NULL: full (go to dict mode) or no memory */
bool ou_shape_to_dict(VM *vm, Obj *o);                           /* moves the instance to dict mode */
/* A class attribute changed in a way that inline caches may have seen: gives every instance of t and its subclasses a new shape. */
bool ou_shapes_renew(VM *vm, Type *t);
void ou_shapes_cover_slots(VM *vm, Type *t); /* attributes of the class have changed: slots whose descriptor is not found any more lose their name */

/* ---- operations on any value (ops.c) ------------------------------------------------------------------------------ */
Value ou_repr(VM *vm, Value v);
Value ou_str(VM *vm, Value v);                                   /* always a str */
Value ou_ascii(VM *vm, Value v);
Value ou_format(VM *vm, Value v, Value spec);                    /* format(v, spec); spec a str */
bool ou_hash(VM *vm, Value v, int64_t *out);
int ou_truth(VM *vm, Value v);                                   /* 1, 0, -1 */
Value ou_compare(VM *vm, Value a, Value b, CmpOp op);            /* any value, as the operator */
int ou_compare_bool(VM *vm, Value a, Value b, CmpOp op);         /* identity shortcut for EQ/NE as containers do; 1, 0, -1 */
int ou_eq(VM *vm, Value a, Value b);                             /* ou_compare_bool(EQ) */
Value ou_binary(VM *vm, BinOp op, Value a, Value b);
Value ou_inplace(VM *vm, BinOp op, Value a, Value b);
Value ou_unary(VM *vm, UnOp op, Value a);
Value ou_power(VM *vm, Value a, Value b, Value mod);             /* mod V_NONE: none */
Value ou_getitem(VM *vm, Value o, Value key);                    /* with __class_getitem__ */
bool ou_setitem(VM *vm, Value o, Value key, Value v);            /* v V_NULL deletes */
int ou_contains(VM *vm, Value container, Value x);               /* falls back to iteration; 1, 0, -1 */
int64_t ou_len(VM *vm, Value o);                                 /* -1 raised */
int64_t ou_length_hint(VM *vm, Value o, int64_t dflt);           /* -1 raised */
Value ou_iter(VM *vm, Value o);
Value ou_next(VM *vm, Value it);                                 /* V_NULL with vm->exc unset: exhausted (StopIteration is taken) */
Value ou_get_state(VM *vm, Value self);                       /* self.__getstate__() */
Value ou_index(VM *vm, Value v);                                 /* operator.index */
bool ou_index_i64(VM *vm, Value v, int64_t *out);                /* OverflowError "Python int too large to convert to C ssize_t" */
bool ou_index_clip(VM *vm, Value v, int64_t *out);               /* clips instead; for slices */
bool ou_to_double(VM *vm, Value v, double *out);                 /* float() rules without str */

/* ---- natives and binding (bind.c) -------------------------------------------------------------------------------------- */
Value ou_native_new(VM *vm, const NativeDef *def, Value self, Value module); /* a builtin function bound to self (V_NULL: none) */
/* Binds args/kwnames to the parameters of `sig` for code that is not called through a NativeDef (Slots.make, Slots.init, ...):
 * out has room for all parameters; star-args and star-star-kw entries are new references that the caller releases with ou_bind_done. The rest is borrowed. */
bool ou_bind(VM *vm, const char *sig, const Value *args, int n, Tuple *kwnames, Value *out);
void ou_bind_done(VM *vm, const char *sig, Value *out);
/* "X() takes no keyword arguments" / no arguments checks */
bool ou_no_kw(VM *vm, const char *fname, Tuple *kwnames);
bool ou_arg_count(VM *vm, const char *fname, int n, int min, int max);

/* ---- types at run time (type.c) ------------------------------------------------------------------------------------------- */
bool ou_type_fill(VM *vm, Type *t);                               /* makes what a TF_LAZY type defines; false: MemoryError raised, and it stays lazy */
/* The own attributes of a type, borrowed; never NULL but while a type is taken down, or raised MemoryError. */
static inline Dict *type_dict(VM *vm, Type *t) { return (t->flags & TF_LAZY) && !ou_type_fill(vm, t) ? NULL : t->ns; }
Type *ou_type_from_def(VM *vm, const TypeDef *def, Type *base);  /* a native type of a stdlib module (own shape id >= T_COUNT); owned */
Value ou_type_new(VM *vm, Type *meta, Str *name, Tuple *bases, Dict *ns, const Value *kwargs, Tuple *kwnames);
Value ou_build_class(VM *vm, const Value *args, int n, Tuple *kwnames); /* __build_class__ */
void ou_type_modified(VM *vm, Type *t);                          /* after changing t->ns or t->bases */
Value ou_calculate_metaclass(VM *vm, Value meta, Tuple *bases);
void ou_type_share_patterns(const Type *from, Type *t);           /* t and its subclasses match the patterns that `from` matches */
extern Value (*const ou_slot_script_binary[BIN_COUNT])(VM *vm, Value a, Value b); /* slots of classes with a script __add__ ... */
bool ou_hash_not_implemented(VM *vm, Value self, int64_t *out); /* Slots.hash of unhashable types */
/* At boot only: makes vm->types[id] from def (ids of types.def and errors.def; shape id = type id). errors_types.c calls it for E_*. */
Type *ou_type_boot(VM *vm, TypeId id, const TypeDef *def, Type *base);

/* ---- struct sequences (type_alias.c): time.struct_time, os.stat_result, sys.version_info ... ------------------------------ */
typedef struct StructSeqDef {
    const char *name;          /* "time.struct_time" */
    const char *doc;
    const char *const *fields; /* NULL-terminated; all of them are attributes */
    int visible;               /* so many are items of the tuple: len() */
    bool no_new;               /* cannot be made by scripts: sys.flags */
} StructSeqDef;
Type *ou_structseq_type(VM *vm, const StructSeqDef *def);         /* owned */
Value ou_structseq_new(VM *vm, Type *t, Value *items);            /* moves all fields in; on failure they are released */

#endif
