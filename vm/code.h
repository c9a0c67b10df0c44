/* Building a Code: instructions as the compiler emits them, and what becomes of them.
 * May be included by the compiler's files only.
 * While a unit is compiled its temporaries are numbered TEMP0 + k (a stack: the lowest free one is `top`), locals from 0,
 * far locals FAR0 + k. Jumps name labels. ou_unit_finish drops what cannot be reached, finds out which temporaries and
 * locals hold a value where (flow.c), renumbers, resolves and packs. */
#ifndef OU_CODE_H
#define OU_CODE_H

#include "grammar/ast.h"
#include "runtime/objects/func.h"
#include "vm/eval.h"
#include "vm/scope.h"

enum { FAR_REG = 999 /* the local with the far ones */, TEMP0 = 1000, FAR0 = 2000, NEAR_LOCALS_MAX = 150, WINDOW_MAX = 60 };
enum { SPILL_FROM = 170 /* locals and temporaries */, NEAR_MAX = 160 /* locals and cells */, NEAR_CELLS_MAX = 60, HIDDEN_MAX = 175 };
enum { REGISTERS = 240 /* of 256: room for the windows of a few operands */ };
enum { SPILL = 1 }; /* C of a SETFAR or TAKEFAR that puts a temporary away or takes it back: left out when it holds nothing */

typedef struct Ir {
    uint8_t op;
    bool dead;
    int16_t a, b, c;
    int32_t d;       /* a label's number for jumps */
    int32_t site;    /* constant index of the `sites` entry, -1: none */
    int32_t handler; /* innermost handler that covers it, -1: none */
    AstPos loc;
} Ir;
typedef struct IrHandler {
    int32_t label;  /* where the handler begins */
    int32_t parent; /* the handler around, -1 */
    int16_t reg;    /* temporary that gets the exception */
    uint8_t depth;
} IrHandler;

typedef enum BlockKind {
    BLOCK_LOOP,           /* while */
    BLOCK_FOR,            /* drops its iterator on exit */
    BLOCK_ASYNC_FOR,
    BLOCK_TRY,            /* try body with except clauses: only a handler */
    BLOCK_FINALLY,        /* try body: the final body runs on exit */
    BLOCK_FINALLY_END,    /* final body while an exception passes */
    BLOCK_HANDLER,        /* except body; unbinds its name on exit */
    BLOCK_WITH,
    BLOCK_ASYNC_WITH,
    BLOCK_EXCEPT_STAR,
    BLOCK_VALUE,          /* a return's value, while a final body runs: dropped on exit */
} BlockKind;
typedef struct Block {
    struct Block *up;
    uint8_t kind;
    int16_t reg;         /* iterator, exit method, exception window */
    int32_t outer;       /* handler that is in force outside */
    int32_t brk, cont;   /* labels of a loop */
    const StmtSeq *final;
    Str *name;           /* BLOCK_HANDLER: the variable to unbind, or NULL */
    AstPos loc;          /* of the with item */
} Block;

typedef struct Unit {
    struct Unit *up;
    Scope *scope;
    Compiler *c;
    Ir *ir;
    uint32_t nir, ir_cap;
    int32_t *labels; /* instruction index, -1 while unbound */
    uint32_t nlabels, labels_cap;
    IrHandler *handlers;
    uint32_t nhandlers, handlers_cap;
    int32_t handler; /* the current innermost one */
    Value *consts;   /* owned */
    uint32_t nconsts, consts_cap;
    uint32_t *const_index; /* hash table of const numbers + 1 */
    uint32_t const_mask;
    int nlocals, nfar, top, max_top;
    int farreg, nfarparams, nfarlocals, nfarcells, nspilled; /* far entries by use; nfar is the largest number at any time */
    Str **named;     /* names of the locals from R[0] on (modules and classes: R[1]): parameters, variables, then those of
                        comprehensions; behind them the far ones */
    uint32_t nnamed, named_cap;
    int *free_hidden, *free_far; /* hidden locals that may be used again */
    uint32_t nfree_hidden, free_hidden_cap, nfree_far, free_far_cap;
    Block *block;
    int return_reg;  /* while a return leaves blocks: its value, or -1 */
    Str *name, *qualname;
    uint32_t flags, firstlineno;
    uint16_t nargs, nposonly, nkwonly;
    Value doc;       /* owned */
    uint8_t kind;    /* CODE_FUNCTION ... */
    bool can_await;  /* coroutine, async generator, or top-level await */
    Scope *outer_scope; /* what c->scope and c->loc were */
    AstPos outer_loc;
} Unit;

/* ---- emission (code.c); all of it does nothing once the compilation has failed ---- */
void ou_emit(Compiler *c, OpCode op, int a, int b, int cc, int32_t d);
void ou_emit_site(Compiler *c, OpCode op, int a, int b, int cc, int32_t d, Str *name);
int ou_label(Compiler *c);
void ou_place(Compiler *c, int label);
void ou_jump(Compiler *c, int label);                        /* forward */
int ou_handler(Compiler *c, int label, int reg);             /* a new handler inside the current one; not yet in force */
int ou_const(Compiler *c, Value v);                          /* takes v over; its index */
int ou_const_str(Compiler *c, Str *s);                       /* borrowed */
int ou_push(Compiler *c);                                    /* the lowest free temporary */
int ou_hidden(Compiler *c);                                  /* a hidden local; give it back with ou_hidden_done */
int ou_hidden_any(Compiler *c);                              /* a hidden local, near or, when crowded, far */
bool ou_hidden_crowded(const Compiler *c);
void ou_hidden_done(Compiler *c, int reg);
int ou_far(Compiler *c, int n);                              /* n far entries in a row; the first */
void ou_far_done(Compiler *c, int k, int n);
int ou_window(const Compiler *c); /* the most values to take from temporaries in a row here; longer sequences are made in pieces */
static inline bool is_temp(int r) { return r >= TEMP0 && r < FAR0; }
static inline bool is_far(int r) { return r >= FAR0; }

/* ---- finishing ---- */
Code *ou_unit_finish(Compiler *c, Unit *u);                  /* owned; NULL: raised */

/* flow.c: unreachable instructions are marked dead, needless CHECKs too; fills the live table (instruction numbers). */
typedef struct FlowLive {
    uint32_t start, end, id;
    int16_t reg;
} FlowLive;
bool ou_flow(Compiler *c, Unit *u, FlowLive **live, uint32_t *nlive);

/* effect.c: what an instruction does to registers, from the operand letters and the windows' doc lines. */
typedef struct Effect {
    int16_t use[8];   /* read and, if a temporary, consumed */
    int16_t keep[4];  /* read only */
    int16_t def[4];   /* written */
    int16_t run_from, run_n;         /* a window of consumed temporaries besides */
    int16_t def_from, def_n;         /* a window of written temporaries besides */
    int16_t jump_use;  /* consumed when the instruction jumps */
    int16_t fall_use;  /* consumed when it does not */
    int16_t fall_def;  /* written when it does not jump */
    uint8_t nuse, nkeep, ndef;
    bool ends;         /* control never goes on to the next instruction */
    bool jumps;        /* D is a jump distance */
} Effect;
typedef struct OpInfo {
    const char *name, *operands, *doc;
    uint8_t words;
} OpInfo;
extern const OpInfo ou_op_info[OP_COUNT];
void ou_effect(OpCode op, int a, int b, int cc, int32_t d, Effect *out);

/* verify.c: a message about the first thing wrong with a finished Code, or NULL. */
const char *ou_code_verify(const Code *code, uint32_t *at);

#endif
