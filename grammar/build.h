/* What the grammar's actions call: the parser's state and the builders of the tree.
 * Used by grammar.y and the .c files of this folder only. A builder never returns NULL: after a failure
 * (p->failed) it returns the dummy node, so that the reductions of the same step need no checks; parse.c
 * looks at p->failed before the next token. Start positions travel apart from nodes (Ex, Pat), since `(a) +
 * b` starts at a parenthesis that no node covers; a node's end is always the end of the token before the
 * lookahead (p->end_line, p->end_col). */
#ifndef OU_BUILD_H
#define OU_BUILD_H

#include "grammar/lexer.h"

typedef struct Ex {
    Expr *e;
    uint32_t line, col; /* of the first token, parentheses included */
} Ex;

typedef struct Pat {
    Pattern *p;
    uint32_t line, col;
} Pat;

typedef struct Name {
    AstStr *s;
    AstPos pos;
} Name;

typedef struct List {
    uint32_t mark; /* index of the first item on Parser.items */
    uint32_t line, col;
    bool comma; /* ended in a comma */
} List;

typedef struct Parser {
    Arena *arena;
    Lexer lx;
    ParseError *err;
    uint32_t end_line, end_col; /* end of the last token given to the grammar */
    Tok look;                   /* the token being given */
    bool failed;
    bool lexer_failed; /* err is the lexer's */
    bool final;        /* err is right as it stands: diagnose.c has nothing to add */
    bool bad_token;    /* the grammar refused p->look: diagnose.c finds the message */
    ParseMode mode;
    uint32_t flags;
    void **items; /* the item stack, in the heap */
    uint32_t n_items, cap_items;
    AstStr **names; /* open addressing, in the heap */
    uint32_t n_names, cap_names;
    Tok *queue; /* tokens read ahead, in the heap */
    uint32_t queue_head, queue_len, queue_cap;
    bool line_begin;                      /* the next token begins a statement's line */
    bool stmt_begin;                      /* the next token may begin a simple statement */
    bool match_header;                    /* in the header line of a match statement */
    uint8_t indents;                      /* open INDENTs */
    bool match_block[LEX_MAX_INDENT + 1]; /* this indentation level holds cases */
    AstMod *mod;
    char *dotted; /* a dotted name that is being read, once it has a dot; interned when it is complete */
    size_t dotted_len, dotted_cap;
    Expr *piece; /* result of START_PIECE, for diagnose.c */
    union {
        Expr expr;
        Stmt stmt;
        Pattern pattern;
        TypeParam type_param;
        Arguments arguments;
        Arg arg;
    } dummy;
} Parser;

typedef enum ParamKind { PARAM_PLAIN, PARAM_SLASH, PARAM_STAR, PARAM_DSTAR } ParamKind;
enum { ARG_PLAIN, ARG_GENEXP };

/* ---- parser-wide (build.c) ---- */
void ou_build_fail(Parser *p, int kind, AstPos pos, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* The same for an error that is found only behind its line. */
void ou_build_fail_final(Parser *p, AstPos pos, const char *msg);
void ou_build_fail_here(Parser *p, const char *msg); /* at the lookahead token */
void ou_build_no_memory(Parser *p);
void ou_build_syntax_error(Parser *p, int token);
void ou_build_stack_overflow(Parser *p);
void *ou_build_alloc(Parser *p, size_t n); /* zeroed; NULL after failing */
AstStr *ou_build_intern(Parser *p, const char *s, size_t n);
Expr *ou_build_new(Parser *p, AstKind kind, Ex start, unsigned depth); /* depth: of the deepest child */
Stmt *ou_build_new_stmt(Parser *p, AstKind kind, uint32_t line, uint32_t col, unsigned depth);
uint32_t ou_list_push(Parser *p, void *item); /* returns its index */
List ou_list_mark(Parser *p, int mark);
List ou_list_empty(Parser *p);
List ou_list_first(Parser *p, void *item, AstPos pos);
void **ou_ast_list_take(Parser *p, List l, uint32_t *n); /* takes the items off the stack, into the arena */
ExprSeq ou_list_exprs(Parser *p, List l);
unsigned ou_seq_depth(ExprSeq s);
static inline Ex ou_ex(Tok t, Expr *e) {
    return (Ex){e, t.pos.line, t.pos.col};
}

/* ---- targets.c ---- */
typedef enum TargetKind { TARGET_ASSIGN, TARGET_FOR, TARGET_DELETE } TargetKind;
bool ou_target(Parser *p, Expr *e, TargetKind kind); /* turns Load into Store or Del, or fails */
const char *ou_expr_name(const Expr *e);             /* "function call": what CPython calls it in errors */

/* ---- modules and statements (stmts.c) ---- */
void ou_build_module(Parser *p, const List *l);
void ou_build_expression(Parser *p, Ex e);
void ou_build_interactive(Parser *p, List l);
void ou_build_too_many(Parser *p, List first, const Stmt *next);
bool ou_build_is_compound(const Stmt *s);
StmtSeq ou_build_block(Parser *p, List l);
Stmt *ou_build_expr_stmt(Parser *p, Ex e);
List ou_build_first_target(Parser *p, Ex e);
void ou_build_next_target(Parser *p, Ex e);
Stmt *ou_build_assign(Parser *p, List targets, Ex v);
Stmt *ou_build_augassign(Parser *p, Ex t, int op, Ex v);
Ex ou_build_ann_target(Parser *p, Ex t);
Stmt *ou_build_annassign(Parser *p, Ex t, Ex note, const Ex *v);
Stmt *ou_build_keyword_stmt(Parser *p, AstKind kind, Tok t);
Stmt *ou_build_return(Parser *p, Tok t, const Ex *e);
Stmt *ou_build_delete(Parser *p, Tok t, List targets);
Stmt *ou_build_raise(Parser *p, Tok t, const Ex *e, const Ex *cause);
Stmt *ou_build_assert(Parser *p, Tok t, Ex e, const Ex *msg);
Stmt *ou_build_scope_stmt(Parser *p, AstKind kind, Tok t, List names);
List ou_build_first_name(Parser *p, Tok n);
void ou_build_next_name(Parser *p, Tok n);
Stmt *ou_build_type_alias(Parser *p, Tok t, Tok n, TypeParamSeq params, Ex e);
Stmt *ou_build_import(Parser *p, Tok t, List names);
Stmt *ou_build_import_from(Parser *p, Tok t, const Name *module, int level, List names);
Name ou_build_name_text(Parser *p, Tok n);
Name ou_build_dotted(Parser *p, Name d, Tok n);
Name ou_build_dotted_done(Parser *p, Name d);
List ou_build_first_alias(Parser *p, Name name, const Tok *as);
int ou_build_alias(Parser *p, Name name, const Tok *as);
List ou_build_import_star(Parser *p, Tok t);
void ou_build_import_comma(Parser *p);
Stmt *ou_build_if(Parser *p, Tok t, Ex test, StmtSeq body, List elifs, StmtSeq orelse);
void ou_build_elif(Parser *p, Tok t, Ex test, StmtSeq body);
Stmt *ou_build_while(Parser *p, Tok t, Ex test, StmtSeq body, StmtSeq orelse);
Stmt *ou_build_for(Parser *p, Tok t, Ex target, Ex iter, StmtSeq body, StmtSeq orelse);
Stmt *ou_build_async(Parser *p, Tok t, Stmt *s);
int ou_build_with_item(Parser *p, Ex e, const Ex *target);
int ou_build_with_other(Parser *p, Ex e);
int ou_build_with_genexp(Parser *p, Ex e, List comps);
Stmt *ou_build_with(Parser *p, Tok t, List items, StmtSeq body);
Stmt *ou_build_with_parens(Parser *p, Tok t, Tok lpar, List items, Tok rpar, StmtSeq body);
Stmt *ou_build_try(Parser *p, Tok t, StmtSeq body, const List *handlers, const StmtSeq *orelse,
                   const StmtSeq *finalbody);
int ou_build_handler(Parser *p, Tok t, const Ex *type, const Tok *name, StmtSeq body, bool star);
Stmt *ou_build_classdef(Parser *p, Tok t, Tok n, TypeParamSeq params, const List *args, StmtSeq body);
Stmt *ou_build_def(Parser *p, Tok t, Tok n, TypeParamSeq params, Arguments *args, Ex returns, StmtSeq body);
Stmt *ou_build_decorated(Parser *p, List decorators, Stmt *s);

/* ---- parameters, arguments, type parameters (params.c) ---- */
Arg *ou_build_arg_name(Parser *p, Tok n, const Ex *note);
int ou_build_param(Parser *p, ParamKind kind, const Tok *mark, Arg *name, const Ex *def);
Arguments *ou_build_params(Parser *p, const List *l);
int ou_build_arg(Parser *p, int kind, Ex e);
int ou_build_arg_genexp(Parser *p, Ex e, List comps);
int ou_build_arg_keyword(Parser *p, Tok op, const Ex *name, Ex v);
void ou_build_take_args(Parser *p, List l, ExprSeq *args, KeywordSeq *keywords, unsigned *depth);
void ou_build_check_args(Parser *p, List l); /* their order */
Ex ou_build_call(Parser *p, Ex f, Tok lpar, List args);
int ou_build_type_var(Parser *p, Tok n, const Ex *bound, const Ex *def);
int ou_build_type_star(Parser *p, AstKind kind, Tok star, Tok n, const Ex *def);
TypeParamSeq ou_build_type_params(Parser *p, List l);

/* ---- expressions (build.c) ---- */
Ex ou_build_name(Parser *p, Tok t);
Ex ou_build_constant(Parser *p, Tok t, ConstKind kind);
Ex ou_build_attribute(Parser *p, Ex e, Tok n);
Ex ou_build_subscript(Parser *p, Ex e, Ex sub);
Ex ou_build_sub_single(Parser *p, Ex e);
Ex ou_build_slice(Parser *p, Ex lower, Tok colon, Ex upper, Ex step);
Ex ou_build_group(Parser *p, Tok lpar, Ex e);
List ou_build_first_expr(Parser *p, Ex e);
Ex ou_build_tuple(Parser *p, List l);
Ex ou_build_display(Parser *p, AstKind kind, Tok open, const List *l);
Ex ou_build_dict(Parser *p, Tok open, const List *l);
List ou_build_dict_item(Parser *p, const Ex *k, Ex v);
Ex ou_build_comp(Parser *p, AstKind kind, Tok open, Ex elt, List comps);
Ex ou_build_dict_comp(Parser *p, Tok open, List item, List comps);
int ou_build_comp_for(Parser *p, Tok t, Ex target, Ex iter, bool is_async);
void ou_build_comp_if(Parser *p, Ex e);
ComprehensionSeq ou_build_take_comps(Parser *p, List l, unsigned *depth);
Ex ou_build_starred(Parser *p, Tok star, Ex e);
Ex ou_build_walrus_target(Parser *p, Ex target, Tok op);
Ex ou_build_walrus(Parser *p, Ex target, Ex v);
Ex ou_build_yield(Parser *p, Tok t, const Ex *e);
Ex ou_build_yield_from(Parser *p, Tok t, Ex e);
Ex ou_build_await(Parser *p, Tok t, Ex e);
Ex ou_build_ifexp(Parser *p, Ex test, Ex body, Ex orelse);
Ex ou_build_lambda(Parser *p, Tok t, Arguments *args, Ex body);
Ex ou_build_boolop(Parser *p, Ex l, int op, Ex r);
Ex ou_build_unary(Parser *p, Tok t, int op, Ex e);
Ex ou_build_compare(Parser *p, Ex l, int op, Ex r);
Ex ou_build_not_equal(Parser *p, Ex l, Tok t, Ex r); /* refuses <> */
Ex ou_build_binop(Parser *p, Ex l, int op, Ex r);

/* ---- literals (strings.c) ---- */
Ex ou_build_number(Parser *p, Tok t);
int ou_build_string(Parser *p, Tok t);
List ou_build_fstring_start(Parser *p, Tok t);
void ou_build_fstring_text(Parser *p, Tok t, bool in_spec);
int ou_build_fstring(Parser *p, List l);
int ou_build_field(Parser *p, Tok open, Ex e, bool debug, Ex conv, Ex spec, Tok close);
Ex ou_build_conversion(Parser *p, Tok bang, Tok n);
Ex ou_build_spec(Parser *p, Tok colon, List l);
Ex ou_build_strings(Parser *p, List l);

/* ---- patterns (patterns.c) ---- */
Stmt *ou_build_match(Parser *p, Tok t, Ex subject, List cases);
int ou_build_case(Parser *p, Tok t, Pat pattern, Ex guard, StmtSeq body);
List ou_build_first_pat(Parser *p, Pat pat);
Pat ou_build_pat_sequence(Parser *p, List l);
Pat ou_build_pat_star(Parser *p, Tok star, Tok n);
Pat ou_build_pat_or(Parser *p, List l);
Pat ou_build_pat_as(Parser *p, Pat pat, Tok n);
Pat ou_build_pat_value(Parser *p, Ex e);
Pat ou_build_pat_singleton(Parser *p, Tok t, ConstKind kind);
Pat ou_build_pat_capture(Parser *p, Tok n);
Pat ou_build_pat_class(Parser *p, Ex cls, List args);
Pat ou_build_pat_brackets(Parser *p, Tok open, const List *l, const Pat *last);
Pat ou_build_pat_group(Parser *p, Tok open, Pat pat);
Pat ou_build_pat_mapping(Parser *p, Tok open, const List *l);
Ex ou_build_pat_minus(Parser *p, Tok minus, Tok n);
Ex ou_build_pat_complex(Parser *p, Ex l, int op, Tok r);
int ou_build_pat_arg(Parser *p, const Tok *name, Pat pat);
int ou_build_pat_item(Parser *p, Ex key, Pat pat);
int ou_build_pat_rest(Parser *p, Tok n);

/* ---- the generated parser ---- */
void ou_grammarInit(void *self, Parser *p);
void ou_grammarFinalize(void *self);
void ou_grammar(void *self, int kind, Tok t);
size_t ou_grammar_size(void);

/* ---- diagnose.c: finds the error that CPython's parser would name; p->failed is set and err may hold a
 * candidate ---- */
void ou_diagnose(Parser *p);

#endif
