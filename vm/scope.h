/* The symbol table: which scope every name of a module belongs to, decided before any code is made.
 * May be included by the compiler's files only. Everything lives in the compilation's arena; names are interned Str,
 * already mangled, kept alive by the compiler. List, set and dict comprehensions are scopes without code of their own
 * (PEP 709): their variables are registers of the code around them, `code` points to the scope that has it. */
#ifndef OU_SCOPE_H
#define OU_SCOPE_H

#include "grammar/ast.h"
#include "runtime/objects/str.h"

typedef struct Compiler Compiler;

typedef enum ScopeKind {
    SCOPE_MODULE,
    SCOPE_CLASS,
    SCOPE_FUNCTION,
    SCOPE_LAMBDA,
    SCOPE_GENEXPR,
    SCOPE_COMP,       /* inlined */
    SCOPE_TYPEPARAMS, /* PEP 695: holds the type parameters of a def, class or type statement */
    SCOPE_TYPEVALUE,  /* the function that gives a bound, a default, or the value of a type alias */
} ScopeKind;

enum { /* Symbol.flags: what the source does with the name in this scope */
    DEF_LOCAL = 1, DEF_PARAM = 2, DEF_GLOBAL = 4, DEF_NONLOCAL = 8, DEF_USE = 16, DEF_ANNOT = 32, DEF_IMPORT = 64,
    DEF_COMP_ITER = 128, DEF_TYPE_PARAM = 256, DEF_WALRUS = 512, DEF_DELETED = 1024,
    DEF_BOUND = DEF_LOCAL | DEF_PARAM | DEF_IMPORT | DEF_TYPE_PARAM,
};
typedef enum SymbolKind { SYM_NONE, SYM_LOCAL, SYM_FREE, SYM_GLOBAL, SYM_GLOBAL_EXPLICIT } SymbolKind;

typedef struct Symbol {
    Str *name;
    struct Scope *scope;
    struct Symbol *owner; /* SYM_FREE: the symbol that holds the value; else itself */
    struct Symbol *chain; /* hash chain */
    struct Symbol *next;  /* in order of first appearance */
    uint32_t flags;
    uint8_t kind;         /* SymbolKind */
    bool is_cell;         /* SYM_LOCAL: captured by another code */
    bool is_placed;       /* of a comprehension: reg is fixed, not a hidden local that comes and goes */
    int reg;              /* register of the value or of the cell; -1: none yet; far locals: FAR0 + index */
    AstPos pos;           /* of the global or nonlocal statement */
} Symbol;

typedef struct Scope {
    struct Scope *parent;
    struct Scope *code;    /* the scope whose code this one is part of */
    struct Scope *sibling, *children, *last_child;
    const void *key;       /* the AST node */
    Symbol **table;        /* nsymbols hashed over nbuckets */
    uint32_t nsymbols, nbuckets;
    Symbol *first, *last;
    Symbol **free;         /* the owners of the free variables of this code, sorted by name */
    uint32_t nfree, free_cap;
    uint32_t first_line;
    uint8_t kind;          /* ScopeKind */
    bool is_generator, is_coroutine, is_async_comp, is_nested;
    bool returns_value;
    bool has_varargs, has_varkw;
    bool sees_class;       /* an annotation scope right inside a class: names are looked up in the class first */
    bool needs_classdict;  /* a class with such a scope */
    bool comp_iter_expr;   /* while the first pass is inside a comprehension's iterable */
    bool comp_iter_target;
    uint8_t comp_kind;     /* SCOPE_COMP, SCOPE_GENEXPR: EXPR_ListComp ... */
    bool has_walrus;       /* some expression of this code assigns a local */
    const char *type_what; /* SCOPE_TYPEVALUE: "a TypeVar bound" ..., for messages */
    Str *private_class;    /* the class whose private names are mangled here */
    const TypeParamSeq *mangled; /* around a generic class: only the names of its type parameters are */
    Symbol *class_cell, *class_dict; /* SCOPE_CLASS: __class__ and __classdict__, when captured */
    Str **static_attrs;    /* SCOPE_CLASS: names assigned as self.x in its methods, as often as they are */
    uint32_t nstatic, static_cap;
} Scope;

bool ou_scope_build(Compiler *c, const AstMod *mod);    /* fills c->module_scope; false: a SyntaxError is pending */
void ou_scope_resolve(Compiler *c, Scope *s);            /* scope_resolve.c: the scope and all inside it */
Scope *ou_scope_of(Compiler *c, const void *key);       /* the scope that an AST node opened */
Symbol *ou_scope_find(const Scope *s, const Str *name); /* NULL: the name does not occur in s */
int ou_scope_free_index(const Scope *code, const Symbol *owner); /* -1: not free there */

#endif
