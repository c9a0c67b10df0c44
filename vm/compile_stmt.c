/* Statements but for loops, try and with, match and definitions; and the storing into targets. Values are computed straight
 * into the register of a local where that is possible. */
#include "vm/compile.h"

enum { UNPACK_MAX = 120 };

/* ---- targets --------------------------------------------------------------------------------------------------------- */

/* More targets than registers: the items wait in an object of their own. */
static void unpack_far(Compiler *c, const ExprSeq *elts, uint32_t star, int src)
{
    bool starred = star != UINT32_MAX;
    ou_emit(c, OP_UNPACKFAR, src, starred ? (int)star : 0, starred, (int32_t)(starred ? elts->n - star - 1 : elts->n));
    c->unit->top = src - TEMP0 + 1;
    for (uint32_t i = 0; i < elts->n && !c->failed; i++) {
        const Expr *target = elts->items[i];
        int t = ou_push(c);
        ou_emit(c, OP_TAKEFAR, t, src, 0, (int32_t)i);
        ou_store(c, i == star ? target->Starred.value : target, t);
        c->unit->top = src - TEMP0 + 1;
    }
    ou_drop(c, src);
}

static void unpack(Compiler *c, const ExprSeq *elts, int src, AstPos pos)
{
    uint32_t star = UINT32_MAX;
    for (uint32_t i = 0; i < elts->n; i++) {
        if (elts->items[i]->kind != EXPR_Starred)
            continue;
        if (star != UINT32_MAX) {
            ou_c_error(c, pos, "multiple starred expressions in assignment");
            return;
        }
        star = i;
    }
    if (star != UINT32_MAX && star > 255) {
        ou_c_error(c, pos, "too many expressions in star-unpacking assignment");
        return;
    }
    int room = REGISTERS - c->unit->nlocals - c->unit->top;
    if (src != TEMP0 + c->unit->top - 1) { /* the items spread out from here on */
        int t = ou_push(c);
        ou_move(c, t, src);
        src = t;
    }
    c->loc = pos;
    if (elts->n > UNPACK_MAX || (int)elts->n > room) {
        unpack_far(c, elts, star, src);
        return;
    }
    if (star == UINT32_MAX)
        ou_emit(c, OP_UNPACK, src, 0, (int)elts->n, 0);
    else
        ou_emit(c, OP_UNPACKEX, src, (int)star, (int)(elts->n - star - 1), 0);
    c->unit->top = src - TEMP0 + (int)elts->n;
    if (c->unit->top > c->unit->max_top)
        c->unit->max_top = c->unit->top;
    int top = c->unit->top;
    for (uint32_t i = 0; i < elts->n && !c->failed; i++) {
        const Expr *t = elts->items[i];
        ou_store(c, i == star ? t->Starred.value : t, src + (int)i);
        c->unit->top = top;
    }
}

void ou_store(Compiler *c, const Expr *t, int src)
{
    if (c->failed)
        return;
    AstPos old = c->loc;
    int base = c->unit->top;
    switch (t->kind) {
    case EXPR_Name: {
        Str *name = cname(c, t->Name.id);
        c->loc = t->pos;
        if (!ou_forbidden(c, name, t->pos, CTX_Store))
            ou_store_name(c, name, src);
        break;
    }
    case EXPR_Attribute: {
        Str *name = cname(c, t->Attribute.attr);
        int o = ou_operand(c, t->Attribute.value);
        c->loc = ou_attr_pos(t, t->pos);
        if (!ou_forbidden(c, name, t->pos, CTX_Store))
            ou_emit_site(c, OP_SETATTR, o, src, 0, 0, name);
        break;
    }
    case EXPR_Subscript: {
        int o = ou_operand_before(c, t->Subscript.value, t->Subscript.slice), i = ou_operand(c, t->Subscript.slice);
        c->loc = t->pos;
        ou_emit(c, OP_SETITEM, o, i, src, 0);
        break;
    }
    case EXPR_Tuple: unpack(c, &t->Tuple.elts, src, t->pos); break;
    case EXPR_List: unpack(c, &t->List.elts, src, t->pos); break;
    case EXPR_Starred: ou_c_error(c, t->pos, "starred assignment target must be in a list or tuple"); break;
    default: ou_c_error(c, t->pos, "cannot assign to expression"); break;
    }
    c->unit->top = base;
    c->loc = old;
}

static const ExprSeq *display(const Expr *e)
{
    const ExprSeq *s = e->kind == EXPR_Tuple ? &e->Tuple.elts : e->kind == EXPR_List ? &e->List.elts : NULL;
    if (!s || s->n < 2 || s->n > 20)
        return NULL;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->items[i]->kind == EXPR_Starred)
            return NULL;
    return s;
}

/* a, b = x, y without a tuple. When all targets are different locals the last value is computed in place. */
static bool parallel(Compiler *c, const Expr *target, const Expr *value)
{
    const ExprSeq *t = display(target), *v = value->kind == EXPR_Tuple ? display(value) : NULL;
    if (!t || !v || t->n != v->n)
        return false;
    int base = c->unit->top, last = ou_plain_local(c, t->items[t->n - 1]);
    for (uint32_t i = 0; i + 1 < t->n && last != NONE; i++) {
        int r = ou_plain_local(c, t->items[i]);
        if (r == NONE || r == last)
            last = NONE;
    }
    if (c->unit->scope->has_walrus)
        last = NONE;
    for (uint32_t i = 0; i < v->n; i++) {
        if (i + 1 == v->n && last != NONE)
            ou_expr(c, v->items[i], last);
        else
            ou_temp(c, v->items[i]);
    }
    int top = c->unit->top;
    for (uint32_t i = 0; i < t->n && !c->failed; i++) {
        if (i + 1 < t->n || last == NONE)
            ou_store(c, t->items[i], TEMP0 + base + (int)i);
        c->unit->top = top;
    }
    c->unit->top = base;
    return true;
}

static void assign(Compiler *c, const Stmt *s)
{
    const ExprSeq *targets = &s->Assign.targets;
    const Expr *value = s->Assign.value;
    int base = c->unit->top;
    if (targets->n == 1) {
        const Expr *t = targets->items[0];
        int r = ou_plain_local(c, t);
        if (r != NONE && !ou_forbidden(c, cname(c, t->Name.id), t->pos, CTX_Store)) {
            ou_expr(c, value, r);
            return;
        }
        if (parallel(c, t, value))
            return;
        ou_store(c, t, ou_operand_before(c, value, t));
        c->unit->top = base;
        return;
    }
    int v = ou_temp(c, value);
    for (uint32_t i = 0; i + 1 < targets->n; i++) {
        int copy = ou_push(c);
        ou_emit(c, OP_MOVE_T, copy, v, 0, 0);
        ou_store(c, targets->items[i], copy);
        c->unit->top = v - TEMP0 + 1;
    }
    ou_store(c, targets->items[targets->n - 1], v);
    c->unit->top = base;
}

static int copy_of(Compiler *c, int r)
{
    if (!is_temp(r))
        return r;
    int t = ou_push(c);
    ou_emit(c, OP_MOVE_T, t, r, 0, 0);
    return t;
}

static void aug_assign(Compiler *c, const Stmt *s)
{
    const Expr *t = s->AugAssign.target, *value = s->AugAssign.value;
    int op = s->AugAssign.op, base = c->unit->top;
    if (t->kind == EXPR_Name) {
        Str *name = cname(c, t->Name.id);
        int r = ou_plain_local(c, t);
        if (ou_forbidden(c, name, t->pos, CTX_Store))
            return;
        c->loc = t->pos;
        if (r != NONE) {
            int l = ou_operand_before(c, t, value);
            c->loc = s->pos;
            ou_binop(c, op, true, r, l, value, NULL);
        } else {
            int l = ou_load_name(c, name, NONE);
            c->loc = s->pos;
            ou_binop(c, op, true, l, l, value, NULL);
            c->loc = t->pos;
            ou_store_name(c, name, l);
        }
    } else if (t->kind == EXPR_Attribute) {
        Str *name = cname(c, t->Attribute.attr);
        int o = ou_operand_before(c, t->Attribute.value, value), v = copy_of(c, o);
        c->loc = ou_attr_pos(t, t->pos);
        int r = is_temp(v) ? v : ou_push(c);
        ou_emit_site(c, OP_GETATTR, r, v, 0, 0, name);
        c->loc = s->pos;
        ou_binop(c, op, true, r, r, value, NULL);
        c->loc = ou_attr_pos(t, t->pos);
        ou_emit_site(c, OP_SETATTR, o, r, 0, 0, name);
    } else if (t->kind == EXPR_Subscript) {
        int o = ou_operand_before(c, t->Subscript.value, s->AugAssign.value);
        int i = ou_operand_before(c, t->Subscript.slice, value);
        int o1 = copy_of(c, o), i1 = copy_of(c, i);
        c->loc = t->pos;
        int r = is_temp(o1) ? o1 : is_temp(i1) ? i1 : ou_push(c);
        ou_emit(c, OP_GETITEM, r, o1, i1, 0);
        c->unit->top = r - TEMP0 + 1;
        c->loc = s->pos;
        ou_binop(c, op, true, r, r, value, NULL);
        c->loc = t->pos;
        ou_emit(c, OP_SETITEM, o, i, r, 0);
    } else {
        ou_c_error(c, s->pos, "invalid node type for augmented assignment");
    }
    c->unit->top = base;
}

static void ann_assign(Compiler *c, const Stmt *s)
{
    const Expr *t = s->AnnAssign.target, *a = s->AnnAssign.annotation;
    int base = c->unit->top;
    bool in_namespace = c->scope->kind == SCOPE_MODULE || c->scope->kind == SCOPE_CLASS;
    if (t->kind == EXPR_Name && ou_forbidden(c, cname(c, t->Name.id), s->AnnAssign.value ? t->pos : s->pos, CTX_Store))
        return;
    if (t->kind == EXPR_Attribute && ou_forbidden(c, cname(c, t->Attribute.attr), s->AnnAssign.value ? t->pos : s->pos, CTX_Store))
        return;
    if (s->AnnAssign.value) {
        int r = ou_plain_local(c, t);
        if (r != NONE)
            ou_expr(c, s->AnnAssign.value, r);
        else
            ou_store(c, t, ou_operand(c, s->AnnAssign.value));
        c->unit->top = base;
    }
    c->loc = s->pos;
    if (t->kind == EXPR_Name) {
        Str *name = cname(c, t->Name.id);
        if (s->AnnAssign.simple && in_namespace) {
            int v = TEMP0 + c->unit->top;
            ou_annotation(c, a);
            int d = ou_push(c);
            ou_emit_site(c, OP_GETNAME, d, 0, 0, 0, name_of(c->vm, N_DU_annotations));
            int k = ou_load_const(c, retain(v_of(name)), NONE);
            ou_emit(c, OP_SETITEM, d, k, v, 0);
            c->unit->top = base;
            return;
        }
    } else if (t->kind == EXPR_Attribute) {
        if (!s->AnnAssign.value)
            ou_effect_expr(c, t->Attribute.value);
    } else if (t->kind == EXPR_Subscript && !s->AnnAssign.value) {
        ou_effect_expr(c, t->Subscript.value);
        ou_effect_expr(c, t->Subscript.slice);
    }
    if (!s->AnnAssign.simple && in_namespace && !c->future_annotations)
        ou_effect_expr(c, a);
    c->unit->top = base;
}

static void delete(Compiler *c, const Expr *t)
{
    int base = c->unit->top;
    AstPos old = c->loc;
    switch (t->kind) {
    case EXPR_Name:
        c->loc = t->pos;
        if (!ou_forbidden(c, cname(c, t->Name.id), t->pos, CTX_Del))
            ou_delete_name(c, cname(c, t->Name.id));
        break;
    case EXPR_Attribute: {
        int o = ou_operand(c, t->Attribute.value);
        c->loc = ou_attr_pos(t, t->pos);
        ou_emit_site(c, OP_DELATTR, o, 0, 0, 0, cname(c, t->Attribute.attr));
        break;
    }
    case EXPR_Subscript: {
        int o = ou_operand_before(c, t->Subscript.value, t->Subscript.slice), i = ou_operand(c, t->Subscript.slice);
        c->loc = t->pos;
        ou_emit(c, OP_DELITEM, o, i, 0, 0);
        break;
    }
    case EXPR_Tuple:
    case EXPR_List: {
        const ExprSeq *s = t->kind == EXPR_Tuple ? &t->Tuple.elts : &t->List.elts;
        for (uint32_t i = 0; i < s->n && !c->failed; i++)
            delete(c, s->items[i]);
        break;
    }
    default: ou_c_error(c, t->pos, "cannot delete expression"); break;
    }
    c->unit->top = base;
    c->loc = old;
}

/* ---- simple statements ------------------------------------------------------------------------------------------------ */

static void raise(Compiler *c, const Stmt *s)
{
    int n = 0, t = TEMP0 + c->unit->top;
    if (s->Raise.exc) {
        ou_temp(c, s->Raise.exc);
        n = 1;
        if (s->Raise.cause) {
            ou_temp(c, s->Raise.cause);
            n = 2;
        }
    }
    ou_emit(c, OP_RAISE, n ? t : 0, 0, n, 0);
}

static void assertion(Compiler *c, const Stmt *s)
{
    const Expr *test = s->Assert.test;
    if (test->kind == EXPR_Tuple && test->Tuple.elts.n)
        ou_c_warn(c, s->pos, "assertion is always true, perhaps remove parentheses?");
    if (c->optimize)
        return;
    int end = ou_label(c);
    ou_cond(c, test, end, true);
    int t = ou_push(c);
    ou_emit(c, OP_ASSERTERR, t, 0, 0, 0);
    if (s->Assert.msg) {
        ou_push(c);
        ou_temp(c, s->Assert.msg);
        ou_emit(c, OP_CALL, t, 0, 1, 0);
    }
    c->loc = test->pos;
    ou_emit(c, OP_RAISE, t, 0, 1, 0);
    ou_place(c, end);
}

static void if_stmt(Compiler *c, const Stmt *s)
{
    int orelse = ou_label(c), end = s->If.orelse.n ? ou_label(c) : orelse;
    ou_cond(c, s->If.test, orelse, false);
    ou_stmts(c, &s->If.body);
    if (s->If.orelse.n) {
        ou_jump(c, end);
        ou_place(c, orelse);
        ou_stmts(c, &s->If.orelse);
    }
    ou_place(c, end);
}

/* ---- imports --------------------------------------------------------------------------------------------------------- */

static Str *part(Compiler *c, const char *p, size_t n)
{
    Str *s = ou_intern(c->vm, p, n);
    return as_str(ou_c_keep(c, s ? v_of(s) : V_NULL));
}

static void import_one(Compiler *c, const Alias *a)
{
    const char *p = a->name->text, *end = p + a->name->len, *dot = memchr(p, '.', a->name->len);
    Str *name = ou_c_name(c, a->name);
    int t = ou_load_imm(c, V_NONE, NONE);
    ou_emit(c, OP_IMPORTNAME, t, 0, 0, ou_const_str(c, name));
    Str *as = a->asname ? cname(c, a->asname) : dot ? part(c, p, (size_t)(dot - p)) : cname(c, a->name);
    if (a->asname) { /* import a.b.c as m: m is a.b.c */
        while (dot) {
            const char *from = dot + 1;
            dot = memchr(from, '.', (size_t)(end - from));
            int sub = ou_push(c);
            ou_emit(c, OP_IMPORTFROM, sub, t, 0, ou_const_str(c, part(c, from, (size_t)((dot ? dot : end) - from))));
            ou_drop(c, t);
            ou_emit(c, OP_TAKE_T, t, sub, 0, 0);
            c->unit->top = t - TEMP0 + 1;
        }
    }
    if (!ou_forbidden(c, as, c->loc, CTX_Store))
        ou_store_name(c, as, t);
    c->unit->top = t - TEMP0;
}

static void import_from(Compiler *c, const Stmt *s)
{
    const AliasSeq *names = &s->ImportFrom.names;
    const AstStr *module = s->ImportFrom.module;
    if (s->ImportFrom.level == 0 && module && strcmp(module->text, "__future__") == 0 &&
        (s->pos.line > c->future_line || (s->pos.line == c->future_line && s->pos.col > c->future_col))) {
        ou_c_error(c, s->pos, "from __future__ imports must occur at the beginning of the file");
        return;
    }
    Value list = ou_tuple_new(c->vm, names->n);
    for (uint32_t i = 0; i < names->n && list != V_NULL; i++)
        as_tuple(list)->items[i] = retain(v_of(ou_c_name(c, names->items[i]->name)));
    int t = ou_load_const(c, list, NONE);
    ou_emit(c, OP_IMPORTNAME, t, 0, s->ImportFrom.level, ou_const_str(c, module ? ou_c_name(c, module) : ou_c_str(c, "")));
    if (names->n == 1 && strcmp(names->items[0]->name->text, "*") == 0) {
        ou_emit(c, OP_IMPORTSTAR, t, 0, 0, 0);
        c->unit->top = t - TEMP0;
        return;
    }
    for (uint32_t i = 0; i < names->n && !c->failed; i++) {
        const Alias *a = names->items[i];
        int v = ou_push(c);
        ou_emit(c, OP_IMPORTFROM, v, t, 0, ou_const_str(c, ou_c_name(c, a->name)));
        Str *as = cname(c, a->asname ? a->asname : a->name);
        if (!ou_forbidden(c, as, c->loc, CTX_Store))
            ou_store_name(c, as, v);
        c->unit->top = t - TEMP0 + 1;
    }
    ou_drop(c, t);
    c->unit->top = t - TEMP0;
}

/* ---- dispatch -------------------------------------------------------------------------------------------------------- */

static void expr_stmt(Compiler *c, const Stmt *s)
{
    if (c->interactive && c->unit->scope->kind == SCOPE_MODULE) {
        int r = ou_operand(c, s->Expr.value);
        ou_emit(c, OP_PRINTEXPR, r, 0, 0, 0);
        return;
    }
    ou_effect_expr(c, s->Expr.value);
}

void ou_stmt(Compiler *c, const Stmt *s)
{
    if (c->failed || !ou_c_enter(c))
        return;
    int base = c->unit->top;
    c->loc = s->pos;
    switch (s->kind) {
    case STMT_FunctionDef:
    case STMT_AsyncFunctionDef: ou_function_def(c, s); break;
    case STMT_ClassDef: ou_class_def(c, s); break;
    case STMT_Return: ou_return(c, s); break;
    case STMT_Delete:
        for (uint32_t i = 0; i < s->Delete.targets.n && !c->failed; i++)
            delete(c, s->Delete.targets.items[i]);
        break;
    case STMT_Assign: assign(c, s); break;
    case STMT_TypeAlias: ou_type_alias(c, s); break;
    case STMT_AugAssign: aug_assign(c, s); break;
    case STMT_AnnAssign: ann_assign(c, s); break;
    case STMT_For: ou_for(c, s); break;
    case STMT_AsyncFor: ou_async_for(c, s); break;
    case STMT_While: ou_while(c, s); break;
    case STMT_If: if_stmt(c, s); break;
    case STMT_With:
    case STMT_AsyncWith: ou_with(c, s, 0); break;
    case STMT_Match: ou_match(c, s); break;
    case STMT_Raise: raise(c, s); break;
    case STMT_Try: ou_try(c, s); break;
    case STMT_TryStar: ou_try_star(c, s); break;
    case STMT_Assert: assertion(c, s); break;
    case STMT_Import:
        for (uint32_t i = 0; i < s->Import.names.n && !c->failed; i++)
            import_one(c, s->Import.names.items[i]);
        break;
    case STMT_ImportFrom: import_from(c, s); break;
    case STMT_Expr: expr_stmt(c, s); break;
    case STMT_Break:
    case STMT_Continue: ou_break(c, s); break;
    default: break; /* global, nonlocal, pass */
    }
    c->unit->top = base;
    c->depth--;
}

void ou_stmts(Compiler *c, const StmtSeq *s)
{
    for (uint32_t i = 0; i < s->n && !c->failed; i++)
        ou_stmt(c, s->items[i]);
}
