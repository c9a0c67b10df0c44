/* Tables about the tree's kinds and operators, from ast.def.
 * Entry points: ou_ast_kind_name, ou_ast_kind_size, ou_ast_operator_text. */
#include "grammar/ast.h"

static const char *const kind_names[] = {
#define NODE(sum, name, fields) #name,
#include "grammar/ast.def"
};

#define HOLDER_MOD AstMod
#define HOLDER_STMT Stmt
#define HOLDER_EXPR Expr
#define HOLDER_PATTERN Pattern
#define HOLDER_TYPEPARAM TypeParam
static const uint16_t kind_sizes[] = {
#define NODE(sum, kind, fields) offsetof(HOLDER_##sum, kind) + sizeof(((HOLDER_##sum *)0)->kind),
#include "grammar/ast.def"
};

static const char *const operator_texts[] = {
#define OPERATOR(sum, name, text) text,
#include "grammar/ast.def"
};

const char *ou_ast_kind_name(AstKind kind) {
    return kind_names[kind];
}

size_t ou_ast_kind_size(AstKind kind) {
    return kind_sizes[kind];
}

const char *ou_ast_operator_text(int op) {
    return operator_texts[AST_OP_FIRST_BIN + op];
}

const char *ou_ast_cmp_text(int op) {
    return operator_texts[AST_OP_FIRST_CMP + op];
}
