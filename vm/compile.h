/* The compiler: AST to Code. What its files share; may be included by the compiler's files only.
 * Failure is sticky: once c->failed is set (the exception is pending on the VM) everything returns quickly and emits
 * nothing, so that callers check at the end only. Registers: see code.h. An expression compiled with dst NONE leaves its
 * value in the next temporary; with a local as dst it is the last instruction that writes it. */
#ifndef OU_COMPILE_H
#define OU_COMPILE_H

#include "grammar/parse.h"
#include "runtime/base/arena.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/errors.h"
#include "runtime/objects/state.h"
#include "runtime/objects/str.h"
#include "vm/code.h"
#include "vm/scope.h"

enum { NONE = -1 };
enum { /* flags of compile() */
    PYCF_DONT_IMPLY_DEDENT = 0x200, PYCF_TOP_LEVEL_AWAIT = 0x2000, PYCF_INCOMPLETE = 0x4000,
};

struct Compiler {
    VM *vm;
    Arena arena;
    const AstMod *mod;
    const char *src;
    size_t src_len;
    Value filename;      /* borrowed */
    Str **names;         /* interned by AstStr id; owned */
    uint32_t nnames;
    bool *seen;          /* by AstStr id; NULL before the first use, all false between uses: to find repeated names in long lists */
    Value *keep;         /* further Values that live as long as the compilation */
    uint32_t nkeep, keep_cap;
    struct ScopeCell *scopes; /* AST node -> Scope */
    uint32_t scopes_mask, nscopes;
    Scope *module_scope;
    Scope *scope;        /* the scope whose names are being compiled (or walked) */
    Unit *unit;          /* the code being made */
    AstPos loc;          /* source span of what is emitted */
    uint32_t flags;
    int optimize;        /* 0, 1, 2 */
    bool failed;
    bool future_annotations;
    bool interactive;
    bool no_warnings;    /* inside a second copy of a final body */
    AstStr *generic_base; /* the name ".generic_base" */
    uint32_t future_line, future_col; /* of the last `from __future__` at the top */
    int depth;           /* of C recursion */
};

/* ---- errors and names (compile_mod.c) ---- */
void ou_c_error(Compiler *c, AstPos pos, const char *fmt, ...);  /* SyntaxError; formats as ou_raise */
bool ou_c_warn(Compiler *c, AstPos pos, const char *fmt, ...);   /* SyntaxWarning */
void ou_c_nomem(Compiler *c);
void *ou_c_alloc(Compiler *c, size_t n);                         /* zeroed; NULL: failed */
void *ou_c_grow(Compiler *c, void *p, uint32_t *cap, size_t item); /* doubles an arena array */
Str *ou_c_name(Compiler *c, const AstStr *s);                    /* interned, borrowed */
Str *ou_c_mangle(Compiler *c, Scope *s, const AstStr *name);     /* with private names mangled */
Str *ou_c_str(Compiler *c, const char *s);                       /* interned, kept alive, borrowed */
Value ou_c_keep(Compiler *c, Value v);                           /* takes v over until the end */
bool ou_c_enter(Compiler *c);                                    /* recursion check; pairs with depth-- */

static inline Str *cname(Compiler *c, const AstStr *s) { return ou_c_mangle(c, c->scope, s); }

/* ---- constants (fold.c) ---- */
Value ou_const_value(Compiler *c, const AstConst *k);            /* owned */
Value ou_fold(Compiler *c, const Expr *e);                       /* owned; V_NULL: not a constant (or failed) */
bool ou_const_same(VM *vm, Value a, Value b);                    /* the same constant: type, value and sign */
uint64_t ou_const_hash(VM *vm, Value v);
int ou_fold_truth(Compiler *c, const Expr *e);                   /* 1, 0, -1: not known */
bool ou_fold_small(Compiler *c, const Expr *e, int64_t min, int64_t max, int64_t *out); /* an int constant in that range */

/* ---- expressions (compile_expr.c) ---- */
int ou_expr(Compiler *c, const Expr *e, int dst);                /* the register of the result */
int ou_operand(Compiler *c, const Expr *e);                      /* a local in place, else a temporary */
int ou_temp(Compiler *c, const Expr *e);                         /* always into the next temporary */
void ou_cond(Compiler *c, const Expr *e, int label, bool sense); /* jump to label if the truth of e is sense */
void ou_effect_expr(Compiler *c, const Expr *e);                 /* for its effects only */
int ou_result(Compiler *c, int dst);                             /* dst, or the next temporary */
int ou_load_const(Compiler *c, Value v, int dst);                /* takes v over */
int ou_load_imm(Compiler *c, Value imm, int dst);                /* None, True, unbound ... */
int ou_load_name(Compiler *c, Str *name, int dst);
void ou_store_name(Compiler *c, Str *name, int src);             /* consumes src if a temporary */
void ou_delete_name(Compiler *c, Str *name);
void ou_move(Compiler *c, int dst, int src);                     /* MOVE or TAKE as fits; dst NONE: push */
void ou_drop(Compiler *c, int r);                                /* release the temporary r (if it is one) */
bool ou_safe_operand(Compiler *c, int r, const Expr *later);     /* may r be read after `later` was evaluated? */
int ou_operand_before(Compiler *c, const Expr *e, const Expr *later); /* an operand that `later` cannot change */
int ou_build(Compiler *c, const ExprSeq *elts, OpCode op, int dst); /* MKTUPLE, MKLIST, MKSET */
int ou_super_method(Compiler *c, const Expr *attr);               /* super().name as a method in a window, or NONE */
bool ou_forbidden(Compiler *c, const Str *name, AstPos pos, uint8_t ctx);
void ou_binop(Compiler *c, int binop, bool inplace, int dst, int l, const Expr *right, const Expr *whole);
Symbol *ou_symbol(Compiler *c, Str *name);
void ou_empty(Compiler *c, int reg);                             /* unbinds a local, near or far */
void ou_make_cell(Compiler *c, int reg);                         /* puts what a local holds, near or far, into a new cell */
int ou_plain_local(Compiler *c, const Expr *e);                  /* register of a Name that is a near local, or NONE */
AstPos ou_attr_pos(const Expr *attr, AstPos pos);

/* ---- calls (compile_call.c) ---- */
int ou_call_expr(Compiler *c, const Expr *e, int dst);
/* The arguments of a call whose function stands in the temporary fn (args from fn + 2 + nself); the result is in fn. */
void ou_call_args(Compiler *c, int fn, int nextra, const ExprSeq *args, const KeywordSeq *kws, bool method);
void ou_warn_subscript(Compiler *c, const Expr *e);
int ou_fstring(Compiler *c, const Expr *e, int dst);

/* ---- targets and statements (compile_stmt.c) ---- */
void ou_store(Compiler *c, const Expr *target, int src);         /* consumes src if a temporary */
void ou_stmts(Compiler *c, const StmtSeq *s);
void ou_stmt(Compiler *c, const Stmt *s);

/* ---- try, with (compile_try.c) ---- */
void ou_try(Compiler *c, const Stmt *s);
void ou_try_star(Compiler *c, const Stmt *s);
void ou_with(Compiler *c, const Stmt *s, uint32_t i);
void ou_unwind_block(Compiler *c, Block *b);                     /* leaves b: cleanup code; sets handler and block to b's outside */
void ou_return(Compiler *c, const Stmt *s);
void ou_break(Compiler *c, const Stmt *s);
void ou_block_push(Compiler *c, Block *b, BlockKind kind, int reg);
void ou_block_pop(Compiler *c, Block *b);

/* ---- comprehensions, loops and await (compile_comp.c, compile_async.c) ---- */
int ou_comp(Compiler *c, const Expr *e, int dst);
void ou_for(Compiler *c, const Stmt *s);
void ou_async_for(Compiler *c, const Stmt *s);
void ou_while(Compiler *c, const Stmt *s);
int ou_await(Compiler *c, const Expr *e, int dst);
int ou_yield(Compiler *c, const Expr *e, int dst);
void ou_await_reg(Compiler *c, int t, int how);                  /* GETAWAIT, AWAIT on the temporary t */

/* ---- match (compile_match.c) ---- */
void ou_match(Compiler *c, const Stmt *s);

/* ---- functions and classes (compile_func.c, compile_class.c) ---- */
Unit *ou_unit_begin(Compiler *c, Scope *s, Str *name, uint8_t kind, uint32_t line);
Code *ou_unit_end(Compiler *c);                                  /* finishes c->unit and goes back to the one around */
void ou_function_def(Compiler *c, const Stmt *s);
int ou_lambda(Compiler *c, const Expr *e, int dst);
int ou_make_function(Compiler *c, Code *code, int a, int flags); /* MKFUNC with what stands from a on; takes code over */
int ou_decorators(Compiler *c, const ExprSeq *d);                /* pushes them; `far` of ou_decorate */
int ou_decorate(Compiler *c, const ExprSeq *d, int far, int value); /* calls them, innermost first; where the result is */
void ou_body(Compiler *c, const StmtSeq *body);                   /* of a module or class: annotations, docstring, statements */
void ou_class_def(Compiler *c, const Stmt *s);
void ou_type_alias(Compiler *c, const Stmt *s);
int ou_type_params(Compiler *c, const TypeParamSeq *tp);         /* binds them and leaves the tuple in a temporary */
Value ou_docstring(Compiler *c, const StmtSeq *body);            /* owned str, or V_NULL when there is none */
Value ou_unparse(Compiler *c, const Expr *e);                    /* owned str: the text of an annotation (unparse.c) */
void ou_annotation(Compiler *c, const Expr *e);                  /* its value, or its text, in the next temporary */

#endif
