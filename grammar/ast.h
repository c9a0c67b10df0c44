/* The AST: Python 3.13's `ast` module node for node, as tagged structs in an arena. Included by the compiler.
 * ast.def declares the nodes; a field is reached as `e->BinOp.left`, a kind is `EXPR_BinOp`, an operator
 * `BIN_Add`. A node is immutable once parsed and allocated only as large as its kind needs: never copy one by
 * assignment. Fields named O... in ast.def may be NULL. Two AstStr of one parse are the same name if and only
 * if they are the same pointer. Private names are not mangled here. */
#ifndef OU_AST_H
#define OU_AST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct AstStr {
    uint32_t len;  /* bytes */
    uint32_t id;   /* 0, 1, 2 ... in order of first appearance in this parse */
    uint32_t hash; /* ou_ast_hash of the text: for tables, not Python's hash */
    bool is_ascii;
    char text[]; /* UTF-8, NFKC, NUL-terminated */
} AstStr;

typedef struct AstPos {
    uint32_t line, col;         /* line from 1; column from 0 in UTF-8 bytes */
    uint32_t end_line, end_col; /* the end is exclusive */
} AstPos;

typedef enum ConstKind {
    CONST_NONE,
    CONST_TRUE,
    CONST_FALSE,
    CONST_ELLIPSIS,
    CONST_INT,   /* text: the digits of `base`, neither prefix nor underscores */
    CONST_FLOAT, /* num */
    CONST_IMAG,  /* num: the imaginary part of a complex */
    CONST_STR,   /* text: UTF-8; a lone surrogate stands as its three bytes (WTF-8) */
    CONST_BYTES, /* text: the bytes */
} ConstKind;

typedef struct AstConst {
    uint8_t kind;  /* ConstKind */
    uint8_t base;  /* 2, 8, 10, 16 for CONST_INT */
    bool u_prefix; /* u'...': the Constant's kind is 'u' */
    bool is_ascii; /* CONST_STR: no byte above 127 */
    size_t len;
    const char *text; /* NUL-terminated, but may contain NULs */
    double num;
} AstConst;

typedef struct Expr Expr;
typedef struct Stmt Stmt;
typedef struct Pattern Pattern;
typedef struct TypeParam TypeParam;
typedef struct Comprehension Comprehension;
typedef struct ExceptHandler ExceptHandler;
typedef struct Arguments Arguments;
typedef struct Arg Arg;
typedef struct Keyword Keyword;
typedef struct Alias Alias;
typedef struct WithItem WithItem;
typedef struct MatchCase MatchCase;

/* Sequences: n items; items may be NULL when n is 0. */
#define AST_SEQ(Name, Item) \
    typedef struct Name {   \
        uint32_t n;         \
        Item *items;        \
    } Name
AST_SEQ(ExprSeq, Expr *);
AST_SEQ(StmtSeq, Stmt *);
AST_SEQ(PatternSeq, Pattern *);
AST_SEQ(TypeParamSeq, TypeParam *);
AST_SEQ(ComprehensionSeq, Comprehension *);
AST_SEQ(HandlerSeq, ExceptHandler *);
AST_SEQ(ArgSeq, Arg *);
AST_SEQ(KeywordSeq, Keyword *);
AST_SEQ(AliasSeq, Alias *);
AST_SEQ(WithItemSeq, WithItem *);
AST_SEQ(MatchCaseSeq, MatchCase *);
AST_SEQ(IdSeq, AstStr *);
AST_SEQ(CmpOpSeq, uint8_t);
#undef AST_SEQ

/* The field types of ast.def. */
typedef AstStr *AstF_ID, *AstF_OID;
typedef Expr *AstF_EXPR, *AstF_OEXPR;
typedef Pattern *AstF_PATTERN, *AstF_OPATTERN;
typedef Arguments *AstF_ARGUMENTS;
typedef Arg *AstF_OARG;
typedef AstConst AstF_CONST;
typedef int AstF_INT;
typedef char AstF_NONE;
typedef uint8_t AstF_BINOP, AstF_UNARYOP, AstF_BOOLOP, AstF_CTX;
typedef CmpOpSeq AstF_CMPOPS;
typedef IdSeq AstF_IDS;
typedef ExprSeq AstF_EXPRS, AstF_OEXPRS;
typedef StmtSeq AstF_STMTS;
typedef PatternSeq AstF_PATTERNS;
typedef TypeParamSeq AstF_TYPEPARAMS;
typedef ComprehensionSeq AstF_COMPREHENSIONS;
typedef HandlerSeq AstF_HANDLERS;
typedef ArgSeq AstF_ARGS;
typedef KeywordSeq AstF_KEYWORDS;
typedef AliasSeq AstF_ALIASES;
typedef WithItemSeq AstF_WITHITEMS;
typedef MatchCaseSeq AstF_MATCHCASES;

/* Operators: BIN_Add, UNARY_Not, BOOL_And, CMP_NotIn, CTX_Load ... each sum counts from 0. */
enum {
#define OPERATOR(sum, name, text) AST_OP_##sum##_##name,
#include "grammar/ast.def"
};
enum {
#define OPERATOR(sum, name, text) sum##_##name = AST_OP_##sum##_##name - AST_OP_FIRST_##sum,
#define AST_OP_FIRST_BIN AST_OP_BIN_Add
#define AST_OP_FIRST_UNARY AST_OP_UNARY_Invert
#define AST_OP_FIRST_BOOL AST_OP_BOOL_And
#define AST_OP_FIRST_CMP AST_OP_CMP_Eq
#define AST_OP_FIRST_CTX AST_OP_CTX_Load
#include "grammar/ast.def"
};

/* Kinds: EXPR_BinOp, STMT_If, PATTERN_MatchOr, TYPEPARAM_TypeVar, MOD_Module; unique over all sums. */
typedef enum AstKind {
#define NODE(sum, name, fields) sum##_##name,
#include "grammar/ast.def"
    AST_KINDS
} AstKind;

#define AST_ONLY_MOD(name, fields)
#define AST_ONLY_STMT(name, fields)
#define AST_ONLY_EXPR(name, fields)
#define AST_ONLY_PATTERN(name, fields)
#define AST_ONLY_TYPEPARAM(name, fields)
#define AST_MEMBER(name, fields) \
    struct Ast##name {           \
        fields                   \
    } name;

struct Expr {
    AstPos pos;
    uint8_t kind;
    bool in_parens; /* written in parentheses of its own (a tuple's belong to the tuple) */
    uint16_t depth; /* height of the tree below: bounded by AST_MAX_DEPTH */
    union {
#undef AST_ONLY_EXPR
#define AST_ONLY_EXPR AST_MEMBER
#define NODE(sum, name, fields) AST_ONLY_##sum(name, fields)
#define F(type, name) AstF_##type name;
#include "grammar/ast.def"
#undef AST_ONLY_EXPR
#define AST_ONLY_EXPR(name, fields)
    };
};

struct Stmt {
    AstPos pos;
    uint8_t kind;
    uint16_t depth;
    union {
#undef AST_ONLY_STMT
#define AST_ONLY_STMT AST_MEMBER
#define NODE(sum, name, fields) AST_ONLY_##sum(name, fields)
#define F(type, name) AstF_##type name;
#include "grammar/ast.def"
#undef AST_ONLY_STMT
#define AST_ONLY_STMT(name, fields)
    };
};

struct Pattern {
    AstPos pos;
    uint8_t kind;
    uint16_t depth;
    union {
#undef AST_ONLY_PATTERN
#define AST_ONLY_PATTERN AST_MEMBER
#define NODE(sum, name, fields) AST_ONLY_##sum(name, fields)
#define F(type, name) AstF_##type name;
#include "grammar/ast.def"
#undef AST_ONLY_PATTERN
#define AST_ONLY_PATTERN(name, fields)
    };
};

struct TypeParam {
    AstPos pos;
    uint8_t kind;
    union {
#undef AST_ONLY_TYPEPARAM
#define AST_ONLY_TYPEPARAM AST_MEMBER
#define NODE(sum, name, fields) AST_ONLY_##sum(name, fields)
#define F(type, name) AstF_##type name;
#include "grammar/ast.def"
#undef AST_ONLY_TYPEPARAM
#define AST_ONLY_TYPEPARAM(name, fields)
    };
};

typedef struct AstMod {
    uint8_t kind;
    uint32_t names; /* how many AstStr there are: ids are below this */
    union {
#undef AST_ONLY_MOD
#define AST_ONLY_MOD AST_MEMBER
#define NODE(sum, name, fields) AST_ONLY_##sum(name, fields)
#define F(type, name) AstF_##type name;
#include "grammar/ast.def"
#undef AST_ONLY_MOD
    };
} AstMod;

/* comprehension, arguments, withitem and match_case carry a position too, though Python's do not. */
#define PLAIN(type, name, fields) \
    struct type {                 \
        AstPos pos;               \
        fields                    \
    };
#define F(type, name) AstF_##type name;
#include "grammar/ast.def"

#undef AST_ONLY_STMT
#undef AST_ONLY_EXPR
#undef AST_ONLY_PATTERN
#undef AST_ONLY_TYPEPARAM
#undef AST_MEMBER

/* No path from the root to a leaf is longer than this, so that walking the tree recursively is safe:
 * expressions nest at most this deep, and so do statements and patterns (counted apart). */
enum { AST_MAX_DEPTH = 10000 };

const char *ou_ast_kind_name(AstKind kind); /* "BinOp" */
size_t ou_ast_kind_size(AstKind kind);      /* bytes that a node of this kind takes */
const char *ou_ast_operator_text(int op);   /* of a BIN_...: "+" */
const char *ou_ast_cmp_text(int op);        /* of a CMP_...: "not in" */

#endif
