/* What the files of the object core share: descriptor objects, the slot table, type creation.
 * May be included by runtime/objects/ only. Arguments are borrowed, results are owned, as everywhere. */
#ifndef OU_TYPEIMPL_H
#define OU_TYPEIMPL_H

#include "runtime/objects/containers.h"
#include "runtime/objects/func.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/object.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"

/* ---- descriptors ---------------------------------------------------------------------------------------------------- */
typedef struct GetSet { /* T_GETSET: an attribute computed by C code */
    Obj h;
    const GetSetDef *def;
    Type *owner; /* borrowed for built-in types, owned else */
} GetSet;
typedef struct Member { /* T_MEMBER: one of __slots__ */
    Obj h;
    Str *name;
    Type *owner; /* owned */
    uint32_t index; /* place among the slots, or with MEMBER_ITEM an item of a struct sequence */
} Member;
#define MEMBER_ITEM UINT32_C(0x80000000)
typedef struct MethodWrapper { /* T_METHOD_WRAPPER: a slot wrapper bound to an object */
    Obj h;
    Native *wrapper;
    Value self;
} MethodWrapper;
typedef struct ClassMethod { /* T_STATICMETHOD and T_CLASSMETHOD */
    Obj h;
    Value func;
    Tail tail;
} ClassMethod;

/* ---- slots.c ---------------------------------------------------------------------------------------------------------- */
typedef struct SlotDef SlotDef;
/* Calls the slot of `owner` for the dunder of `d` with args[0] = self. */
typedef Value (*SlotWrapFn)(VM *vm, const SlotDef *d, Type *owner, const Value *args, int n, Tuple *kwnames);
struct SlotDef {
    NativeDef def;     /* first: a SLOT_WRAPPER's Native.def points here */
    NameId name;
    uint16_t offset;   /* in Slots, in pointers */
    uint16_t arg;      /* CmpOp, BinOp ...: what the wrapper needs to know */
    void (*script)(void); /* the slot function that looks the dunder up */
    SlotWrapFn wrap;
};
typedef void (*SlotFn)(void);
extern const SlotDef ou_slot_defs[];
static inline SlotFn *slot_at(Slots *s, uint16_t offset) { return (SlotFn *)(void *)s + offset; }

bool ou_slots_fill_dict(VM *vm, Type *t);            /* slot wrappers of t's own slots into its dict */
void ou_slots_update_all(VM *vm, Type *t);           /* from the dunders along the mro */
bool ou_slots_name_changed(VM *vm, Type *t, Str *name); /* after t.name = x; false: no dunder of a slot */
Value ou_slot_wrapper_call(VM *vm, Native *nat, const Value *args, int n, Tuple *kwnames);

/* ---- shape.c ---- */
void ou_shapes_free(VM *vm, Type *t);               /* when t dies */
Shape *ou_shape_dict(VM *vm, Type *t);              /* of instances in dict mode */

/* ---- attr.c ------------------------------------------------------------------------------------------------------------ */
Str *ou_name_interned(VM *vm, Str *name);            /* owned; NULL raised */
Value ou_mro_lookup(VM *vm, Type *t, Str *name);     /* without the cache; borrowed */
Value ou_generic_lookup(VM *vm, Value o, Str *name, bool *missing);
Value ou_descr_get(VM *vm, Value descr, Value obj, Value cls); /* obj V_NULL: from the class; not a descriptor: itself */
Value ou_call_special(VM *vm, Value self, NameId name, const Value *args, int n, bool *absent);
void ou_method_cache_clear(VM *vm);

/* ---- type.c, type_new.c, type_type.c, type_object.c ---------------------------------------------------------------------- */
bool ou_types_boot(VM *vm);
void ou_types_clear(VM *vm);                          /* at the end: what the built-in types hold */
void ou_types_fini(VM *vm);                           /* the types themselves, when no object is left */
bool ou_type_add_subclass(VM *vm, Type *base, Type *t);
void ou_type_remove_subclass(Type *base, Type *t);
void ou_type_new_version(VM *vm, Type *t);            /* and its subclasses */
Value ou_compute_mro(VM *vm, Type *t);                /* a list */
int ou_type_set_mro(VM *vm, Type *t);                 /* computes it (metaclass.mro() included) and stores it; 0: meanwhile somebody
                                                       * else did; -1 raised */
/* May instances of one class become instances of the other, a class with one base get the other? compatible_for_assignment() of
 * CPython's typeobject.c. */
bool ou_type_exchangeable(const Type *a, const Type *b);
bool ou_type_set_bases(VM *vm, Type *t, Value bases); /* C.__bases__ = bases */
bool ou_type_best_base(VM *vm, Tuple *bases, Type **out);
const Type *ou_type_solid(const Type *t);             /* the nearest type that decides the memory layout */
void ou_type_traverse(VM *vm, Obj *o, VisitFn visit, void *arg);
void ou_type_clear(VM *vm, Obj *o);
void ou_type_dealloc(VM *vm, Obj *o);
Value ou_type_getattr(VM *vm, Value self, Str *name);
Value ou_type_getattr_opt(VM *vm, Value self, Str *name, bool *missing);
bool ou_type_setattr(VM *vm, Value self, Str *name, Value v);
Value ou_type_call(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
Value ou_type_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames);
int ou_type_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
Value ou_object_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames);
int ou_object_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
extern const NativeDef ou_new_def;                    /* __new__ of built-in types, bound to the type */
extern const GetSetDef ou_dict_getset, ou_weakref_getset;
Value ou_type_module_name(VM *vm, Type *t);               /* __module__: owned; V_NULL raised */
Value ou_type_display(VM *vm, Type *t);               /* "mod.C.D", without "builtins."; a str */

/* ---- type_function.c, type_property.c, type_alias.c ------------------------------------------------------------------------ */
Value ou_native_desc_new(VM *vm, TypeId kind, const NativeDef *def, Type *owner);
Value ou_native_bound(VM *vm, const NativeDef *def, Value self, Type *owner);
bool ou_readonly(VM *vm, Value self, Value v);         /* GetSetDef.set of what CPython keeps in a C struct: "readonly attribute" */
Value ou_getset_new(VM *vm, const GetSetDef *def, Type *owner);
Value ou_member_new(VM *vm, Str *name, Type *owner, uint32_t index);
Value ou_staticmethod_new(VM *vm, Value f);
Value ou_classmethod_new(VM *vm, Value f);
size_t ou_sig_name_len(const char *sig);
Value ou_union_of(VM *vm, Value a, Value b);          /* a | b for types; V_NOTIMPL if one is none */
Value ou_mappingproxy_new(VM *vm, Value mapping);

/* ---- weakref.c ------------------------------------------------------------------------------------------------------------ */
Value ou_weakref_first(VM *vm, Obj *o);               /* o.__weakref__: a reference or None */
void ou_weakref_object_dies(VM *vm, Obj *o);          /* clears the references to o and runs their callbacks */
/* For the collector: clears the references to o; those with a callback that live on are retained and pushed on *calls. */
typedef struct WeakRef {
    Obj h;
    Obj *target;          /* borrowed; NULL: dead */
    Value callback;       /* V_NULL: none */
    struct WeakRef *next, *prev; /* of the same target */
    int64_t hash;
    bool hashed;
} WeakRef;
void ou_weakref_clear_for_gc(VM *vm, Obj *o, WeakRef **calls);
void ou_weakref_run_callbacks(VM *vm, WeakRef *calls);
void ou_weakrefs_fini(VM *vm);

#endif
