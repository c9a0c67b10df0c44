/* Code, functions, cells, methods, modules and the frames of generators and coroutines.
 * May be included by objects/ and above. Structs are open because the evaluator works on them. */
#ifndef OU_FUNC_H
#define OU_FUNC_H

#include "runtime/objects/object.h"

typedef uint64_t Ins; /* op:8 A:8 B:8 C:8 D:32, see vm/opcodes.def */

enum { /* Code.flags; the values of inspect.CO_* */
    CO_OPTIMIZED = 1, CO_NEWLOCALS = 2, CO_VARARGS = 4, CO_VARKEYWORDS = 8, CO_NESTED = 16, CO_GENERATOR = 32,
    CO_COROUTINE = 128, CO_ITERABLE_COROUTINE = 256, CO_ASYNC_GENERATOR = 512, CO_FUTURE_ANNOTATIONS = 0x1000000,
    CO_HEAP_FRAME = CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR, /* the frame lives in the generator object */
};

typedef struct CodeLoc { /* source span of one instruction */
    uint32_t line, end_line;
    uint32_t col, end_col; /* UTF-8 bytes, 0-based; UINT32_MAX: none */
} CodeLoc;
typedef struct CodeHandler { /* exception table: innermost entries first; covers instructions start <= i < end */
    uint32_t start, end, target;
    uint8_t reg;   /* where the unwinder puts the exception (owned) before it goes to target */
    uint8_t depth; /* nesting depth of try blocks, for the verifier */
} CodeHandler;
typedef struct CodeLive { /* a temporary that owns a value while instructions start <= i < end run */
    uint32_t start, end;
    uint32_t id;   /* one number per lifetime: a lifetime with holes has several entries of the same id */
    uint8_t reg;
} CodeLive;
typedef struct CodeSite { /* side data of an instruction that is needed only on a miss: a name, usually */
    uint32_t at;   /* instruction index */
    uint32_t konst; /* index in consts: an interned str, a tuple of keyword names, ... */
} CodeSite;
typedef struct CodeCapture { /* where MKFUNC takes cell i of the new function's closure from */
    uint8_t from_local; /* 1: register `index` of the making frame, 2: its far local `index`, 0: its own closure[index] */
    uint8_t pad;
    uint16_t index;
} CodeCapture;

typedef struct Code {
    Obj h;
    uint32_t flags;
    uint16_t nargs, nposonly, nkwonly; /* nargs counts positional parameters (positional-only included) */
    uint16_t nlocals;   /* registers 0..nlocals-1 are owned locals: parameters (then *args, then **kwargs), the other variables, hidden locals */
    uint16_t nregs;     /* locals + temporaries + call windows; never less than there are parameters */
    uint16_t nfar;      /* what has no register: entries of the Far in the local farreg (0: there is none) */
    uint16_t nfarparams, nfarlocals; /* its first entries: the last parameters, then the last of varnames */
    uint8_t farreg;
    uint16_t nplain;    /* nargs if the function can be called with exactly that many positional arguments and nothing else
                           (no *args, **kwargs, keyword-only), else 0xFFFF */
    uint16_t callkey;   /* evaluator's: nplain + 1 for stack frames, 0 not yet known, 0xFFFF never a plain call */
    uint16_t genkey;    /* the same for heap frames */
    bool watched;       /* RETURNs are not specialised: an activation has, or had, a Frame or has caught something (vm/frame.c) */
    bool returns_none;  /* every return gives None: a constructor call needs no check of __init__'s result */
    uint16_t ncells;    /* parameters/locals that are cells; the compiler emits MKCELL for them */
    uint16_t nfree;     /* captures */
    Ins *code;
    uint32_t ncode;
    uint32_t nconsts, nhandlers, nlive, nsites;
    Value *consts;
    CodeLoc *locs;      /* ncode of them */
    CodeHandler *handlers;
    CodeLive *live;
    CodeSite *sites;    /* sorted by `at` */
    CodeCapture *captures;
    Str *name, *qualname, *filename;
    Tuple *varnames;    /* co_varnames: parameters then locals by name, register order */
    Tuple *cellnames, *freenames;
    uint16_t *cellregs; /* register of each of cellnames; CELL_FAR + k: far local k */
    uint32_t firstlineno;
    Value doc;          /* str or V_NONE */
    const uint8_t *frozen; /* the rest of it, still to be read from the library's read-only data (ou_code_ready); NULL: complete */
    uint32_t frozen_len;
    uint32_t module_kind; /* CODE_FUNCTION, CODE_MODULE, CODE_CLASS, CODE_EXPR */
} Code;
enum { CODE_FUNCTION, CODE_MODULE, CODE_CLASS, CODE_EXPR };
enum { CELL_FAR = 256 };

/* The variables of a frame that has too many for its registers, and what was put away of a very deep expression. */
typedef struct Far {
    Obj h;
    uint32_t n;
    Value v[]; /* V_UNBOUND: empty */
} Far;
Value ou_far_new(VM *vm, uint32_t n);

typedef struct Cell {
    Obj h;
    Value v; /* V_UNBOUND: empty */
} Cell;

typedef struct Function {
    Obj h;
    Code *code;
    Dict *globals;
    Dict *builtins;
    Tuple *defaults;     /* NULL: none */
    Dict *kwdefaults;    /* NULL: none */
    Tuple *closure;      /* of Cells; NULL: none */
    Str *name, *qualname;
    Value module, doc, annotations; /* annotations: V_NULL none, dict, or a tuple (name, value, ...) made a dict on request */
    Value type_params;   /* tuple or V_NULL */
    Tail tail;           /* __dict__ */
} Function;

typedef struct Method { /* bound method */
    Obj h;
    Value func, self;
} Method;

enum {
    PASS_BOUND,  /* the signature has to be bound: *args, **kw, or a keyword is required */
    PASS_GIVEN,  /* positional-only parameters: the arguments as they are */
    PASS_PADDED, /* the arguments, then V_NULL up to `total` */
    PASS_RAW,    /* ND_RAW */
};
typedef struct Native { /* builtin_function_or_method, and the unbound method descriptors in type dicts */
    Obj h;
    const NativeDef *def;
    Value self;          /* V_NULL: none */
    Value module;        /* str or V_NULL */
    Type *owner;         /* METHOD_DESC, CLASSMETHOD_DESC, SLOT_WRAPPER: the type it belongs to; borrowed for built-in, owned else */
    uint8_t min, max;    /* positional counts without the receiver, unless `pass` is PASS_BOUND */
    uint8_t pass;        /* PASS_*: what a call by position alone hands to def->fn */
    uint8_t total;       /* PASS_PADDED: parameters in all */
    uint16_t name_len;   /* of def->sig */
    struct Sig *sig;     /* the parsed signature, made on the first call that needs it (bind.c) */
} Native;
/* Calls a native with a parsed argument list; `self` (V_NULL: none) goes in front of the bound arguments. */
Value ou_native_invoke(VM *vm, Native *nat, Value self, const Value *args, int n, Tuple *kwnames);
/* The same for PASS_PADDED and PASS_RAW with min..max arguments by position; shift: 1 if the receiver stands at args[-1], else 0. */
Value ou_native_pass(VM *vm, const Native *nat, const Value *args, int n, int shift);

typedef struct Module {
    Obj h;
    Dict *dict;
    Str *name;
    Value (*lazy_getattr)(VM *vm, Value module, Str *name); /* NULL usually */
} Module;

/* A generator, coroutine or async generator IS its frame (ASYNC.md section 2). `fn`, `link` are R[-2], R[-1] of the evaluator.
 * A chain of awaits is linked through `awaiter`; its first frame is the root, which somebody drives: a task, send(), a for
 * loop. Resuming the root goes straight to `inner`, so the depth of the chain plays no part. */
enum { GEN_CREATED, GEN_SUSPENDED, GEN_RUNNING, GEN_CLOSED };
typedef struct Gen {
    Obj h;
    union {
        struct Gen *awaiter; /* GEN_F_LINKED: who awaits me (its register owns me) */
        Value *ret_R;        /* else, while driven: the resuming script frame; NULL: resumed from C */
    } up;
    struct Gen *inner;    /* a suspended root: the innermost suspended frame (maybe itself); a driven root: the root driven before */
    Value handled;        /* a suspended root: the exception being handled inside (owned) or V_UNBOUND; driven: the driver's */
    uint8_t state;        /* GEN_*; a frame that awaits a linked frame is GEN_SUSPENDED */
    uint8_t kind;         /* T_GENERATOR, T_COROUTINE, T_ASYNC_GENERATOR */
    uint16_t nregs;       /* size of regs: the function may be gone when it is freed */
    uint32_t depth : 24;  /* nesting of drives and awaits, for the recursion limit */
    uint32_t flags : 8;   /* GEN_F_* */
    const Ins *pc;        /* the instruction after the YIELD/AWAIT it is suspended at */
    Value extra;          /* rare things: a dict of name/qualname/origin/hooks, or V_NULL */
    Value fn;             /* R[-2]: Function, owned; V_NONE once it is closed */
    const Ins *ret_pc;    /* R[-1]: driven by a script frame: its pc */
    Value regs[];         /* code->nregs */
} Gen;
enum { GEN_F_HOOKED = 1 /* async generator: firstiter hook was called */, GEN_F_CLOSING = 2, GEN_F_AG_RUNNING = 4,
       GEN_F_NO_WARN = 8,
       GEN_F_LINKED = 16, GEN_F_DRIVEN = 32, GEN_F_FINALIZED = 64, GEN_F_FRAME = 128 /* has a Frame, or a traceback whose frame it is */ };

/* What scripts see of an activation. While that runs (or is suspended) the VM's table holds its Frame, by R; when it ends the Frame, if
 * somebody else holds it, keeps copies of the locals (ou_frame_left). */
typedef struct Frame {
    Obj h;
    Value func;         /* Function */
    Value back;         /* Frame or V_NONE; V_NULL: live, and not asked for yet */
    Value extra;        /* dict of what f_locals was given beyond the variables; V_NULL */
    Value kept;         /* list: what f_locals has replaced, which the running instruction may still be reading; V_NULL */
    Value trace;        /* f_trace; V_NULL: None */
    Value *R;           /* live: its registers; else copies, nown of them, or NULL */
    struct Frame *next; /* in the table */
    uint32_t pc, lineno; /* where it was left */
    uint32_t nown;
    bool live, is_heap;
    bool no_trace_lines, trace_opcodes;
} Frame;

typedef struct Property {
    Obj h;
    Value get, set, del, doc; /* V_NONE: none */
    Value name;               /* V_NULL: not known */
    bool getter_doc;
} Property;

static inline Function *as_function(Value v) { return (Function *)v_obj(v); }
static inline Code *as_code(Value v) { return (Code *)v_obj(v); }
static inline Gen *as_gen(Value v) { return (Gen *)v_obj(v); }

Value ou_function_new(VM *vm, Code *code, Dict *globals, Tuple *closure); /* retains all */
Value ou_method_new(VM *vm, Value func, Value self);                      /* retains both */
Value ou_cell_new(VM *vm, Value v);                                       /* retains v */
Value ou_module_new(VM *vm, const char *name, size_t n);
#define OU_PC_NOT_BEGUN UINT32_MAX /* the pc of a generator's frame before its first step: its line is that of the def */
Frame *ou_frame_new(VM *vm, Value func, uint32_t pc);                      /* not live, without locals; NULL raised */
void ou_code_free_arrays(VM *vm, Code *code);                               /* vm/code.c: consts and all arrays, for the dealloc */
Code *ou_code_copy(VM *vm, Code *c);                                    /* NULL raised */
uint32_t ou_code_line(const Code *c, uint32_t pc);
Str *ou_code_name_at(const Code *c, uint32_t at);                         /* through sites; borrowed */

#endif
