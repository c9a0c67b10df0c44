/* Expressions that turn out to be targets: a, b = ...; for x in ...; del x; with e as x.
 * Entry points: ou_target, ou_expr_name. Recursion is bounded by the depth of brackets. */
#include "grammar/build.h"

const char *ou_expr_name(const Expr *e) {
    switch (e->kind) {
    case EXPR_Attribute: return "attribute";
    case EXPR_Subscript: return "subscript";
    case EXPR_Starred: return "starred";
    case EXPR_Name: return "name";
    case EXPR_List: return "list";
    case EXPR_Tuple: return "tuple";
    case EXPR_Lambda: return "lambda";
    case EXPR_Call: return "function call";
    case EXPR_BoolOp:
    case EXPR_BinOp:
    case EXPR_UnaryOp: return "expression";
    case EXPR_GeneratorExp: return "generator expression";
    case EXPR_Yield:
    case EXPR_YieldFrom: return "yield expression";
    case EXPR_Await: return "await expression";
    case EXPR_ListComp: return "list comprehension";
    case EXPR_SetComp: return "set comprehension";
    case EXPR_DictComp: return "dict comprehension";
    case EXPR_Dict: return "dict literal";
    case EXPR_Set: return "set display";
    case EXPR_JoinedStr:
    case EXPR_FormattedValue: return "f-string expression";
    case EXPR_Compare: return "comparison";
    case EXPR_IfExp: return "conditional expression";
    case EXPR_NamedExpr: return "named expression";
    case EXPR_Constant:
        switch (e->Constant.value.kind) {
        case CONST_NONE: return "None";
        case CONST_TRUE: return "True";
        case CONST_FALSE: return "False";
        case CONST_ELLIPSIS: return "ellipsis";
        default: return "literal";
        }
    default: return "expression";
    }
}

static bool refuse(Parser *p, const Expr *e, TargetKind kind) {
    ou_build_fail(p, PARSE_SYNTAX, e->pos, kind == TARGET_DELETE ? "cannot delete %s" : "cannot assign to %s",
                  ou_expr_name(e));
    return false;
}

bool ou_target(Parser *p, Expr *e, TargetKind kind) {
    uint8_t ctx = kind == TARGET_DELETE ? CTX_Del : CTX_Store;
    if (p->failed) return false;
    switch (e->kind) {
    case EXPR_Name: e->Name.ctx = ctx; return true;
    case EXPR_Attribute: e->Attribute.ctx = ctx; return true;
    case EXPR_Subscript: e->Subscript.ctx = ctx; return true;
    case EXPR_Starred:
        if (kind == TARGET_DELETE) return refuse(p, e, kind);
        e->Starred.ctx = ctx;
        return ou_target(p, e->Starred.value, kind);
    case EXPR_Tuple:
    case EXPR_List: {
        ExprSeq s = e->kind == EXPR_Tuple ? e->Tuple.elts : e->List.elts;
        if (e->kind == EXPR_Tuple)
            e->Tuple.ctx = ctx;
        else
            e->List.ctx = ctx;
        for (uint32_t i = 0; i < s.n; i++)
            if (!ou_target(p, s.items[i], kind)) return false;
        return true;
    }
    default: return refuse(p, e, kind);
    }
}
