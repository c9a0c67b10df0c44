/* Names: loading, storing, deleting, by what the symbol table says about them: a register, a cell, the closure, the
 * namespace of a module or class, the globals. A local in a register is checked where it may be unbound; flow.c drops the
 * checks that cannot fail. */
#include "vm/compile.h"

Symbol *ou_symbol(Compiler *c, Str *name)
{
    Symbol *y = ou_scope_find(c->scope, name);
    if (!y && c->scope->kind == SCOPE_CLASS && c->scope->class_cell && c->scope->class_cell->name == name)
        return NULL;
    return y;
}

static bool is_namespace(const Scope *s) { return s->kind == SCOPE_MODULE || s->kind == SCOPE_CLASS; }

/* The symbol whose register in this very code holds the value, or NULL. */
static Symbol *own_symbol(Compiler *c, Symbol *y)
{
    if (!y || (y->kind != SYM_LOCAL && y->kind != SYM_FREE))
        return NULL;
    Symbol *o = y->owner;
    if (o->scope->code != c->unit->scope)
        return NULL;
    if (is_namespace(o->scope) && o != o->scope->class_cell && o != o->scope->class_dict)
        return NULL;
    return o;
}

/* In an annotation scope inside a class: the class's namespace first. */
static int load_through_class(Compiler *c, Symbol *y, Str *name, int dst)
{
    Scope *k = c->scope;
    while (k->kind != SCOPE_CLASS)
        k = k->parent;
    int d = k->class_dict ? ou_scope_free_index(c->unit->scope, k->class_dict) : -1;
    int t = ou_push(c), t1 = ou_push(c), other = ou_label(c), end = ou_label(c);
    ou_load_const(c, retain(v_of(name)), t);
    ou_emit_site(c, OP_GETFREE_T, t1, 0, 0, d, name_of(c->vm, N_DU_classdict));
    ou_emit(c, OP_JIN, t, t1, 0, other);
    ou_emit_site(c, OP_GETFREE_T, t, 0, 0, d, name_of(c->vm, N_DU_classdict));
    ou_load_const(c, retain(v_of(name)), t1);
    ou_emit(c, OP_GETITEM, t, t, t1, 0);
    ou_jump(c, end);
    ou_place(c, other);
    if (y->kind == SYM_FREE)
        ou_emit_site(c, OP_GETFREE_T, t, 0, 0, ou_scope_free_index(c->unit->scope, y->owner), name);
    else
        ou_emit_site(c, OP_GETGLOBAL, t, 0, 0, 0, name);
    ou_place(c, end);
    c->unit->top = t - TEMP0 + 1;
    if (dst != NONE) {
        ou_move(c, dst, t);
        c->unit->top--;
        return dst;
    }
    return t;
}

/* The register with the cell of a symbol: a local, or for a far cell the next temporary, until cell_done. */
static int cell_of(Compiler *c, const Symbol *o)
{
    if (!is_far(o->reg))
        return o->reg;
    int t = ou_push(c);
    ou_emit(c, OP_GETFAR, t, FAR_REG, 0, o->reg - FAR0);
    return t;
}

static void cell_done(Compiler *c, int cell)
{
    if (!is_temp(cell))
        return;
    ou_drop(c, cell);
    c->unit->top--;
}

int ou_load_name(Compiler *c, Str *name, int dst)
{
    if (c->failed)
        return ou_result(c, dst);
    Symbol *y = ou_symbol(c, name), *o = own_symbol(c, y);
    if (o) {
        if (!o->is_cell && !is_far(o->reg)) {
            ou_emit_site(c, OP_CHECK, o->reg, 0, 0, 0, name);
            int r = ou_result(c, dst);
            ou_move(c, r, o->reg);
            return r;
        }
        if (o->is_cell) {
            int r = ou_result(c, dst), cell = cell_of(c, o);
            ou_emit_site(c, is_temp(r) ? OP_GETCELL_T : OP_GETCELL, r, cell, 0, 0, name);
            cell_done(c, cell);
            return r;
        }
        int t = ou_push(c);
        ou_emit(c, OP_GETFAR, t, FAR_REG, 0, o->reg - FAR0);
        ou_emit_site(c, OP_CHECK, t, 0, 0, 0, name);
        if (dst == NONE)
            return t;
        ou_move(c, dst, t);
        c->unit->top--;
        return dst;
    }
    if (y && c->scope->sees_class && (y->kind == SYM_FREE || y->kind == SYM_GLOBAL))
        return load_through_class(c, y, name, dst);
    int r = ou_result(c, dst);
    if (y && y->kind == SYM_FREE) {
        int i = ou_scope_free_index(c->unit->scope, y->owner);
        if (c->scope->kind == SCOPE_CLASS)
            ou_emit_site(c, OP_GETCLASSFREE, r, 0, 0, i, name);
        else
            ou_emit_site(c, is_temp(r) ? OP_GETFREE_T : OP_GETFREE, r, 0, 0, i, name);
        return r;
    }
    bool in_namespace = is_namespace(c->scope) || (c->scope->kind == SCOPE_COMP && c->unit->scope->kind == SCOPE_MODULE);
    ou_emit_site(c, in_namespace && !(y && y->kind == SYM_GLOBAL_EXPLICIT) ? OP_GETNAME : OP_GETGLOBAL, r, 0, 0, 0, name);
    return r;
}

/* In place in a register, for instructions that have no other form. */
static int in_register(Compiler *c, int src)
{
    if (!is_far(src))
        return src;
    int t = ou_push(c);
    ou_emit(c, OP_GETFAR, t, FAR_REG, 0, src - FAR0);
    return t;
}

static void store_name(Compiler *c, Str *name, int src)
{
    Symbol *y = ou_symbol(c, name), *o = own_symbol(c, y);
    if (o) {
        if (o->is_cell) {
            int cell = cell_of(c, o);
            ou_emit(c, OP_SETCELL, cell, src, 0, 0);
            cell_done(c, cell);
        } else if (is_far(o->reg)) {
            ou_emit(c, OP_SETFAR, src, FAR_REG, 0, o->reg - FAR0);
        } else {
            ou_move(c, o->reg, src);
        }
        return;
    }
    if (y && y->kind == SYM_FREE) {
        ou_emit_site(c, OP_SETFREE, src, 0, 0, ou_scope_free_index(c->unit->scope, y->owner), name);
        return;
    }
    bool in_namespace = is_namespace(c->scope) || (c->scope->kind == SCOPE_COMP && c->unit->scope->kind == SCOPE_MODULE);
    ou_emit_site(c, in_namespace && !(y && y->kind == SYM_GLOBAL_EXPLICIT) ? OP_SETNAME : OP_SETGLOBAL, src, 0, 0, 0, name);
}

void ou_store_name(Compiler *c, Str *name, int src)
{
    if (c->failed)
        return;
    int top = c->unit->top;
    store_name(c, name, in_register(c, src));
    c->unit->top = top;
}

/* Unbinds a local, near or far. */
void ou_empty(Compiler *c, int reg)
{
    if (!is_far(reg)) {
        ou_emit(c, OP_LOADP, reg, 0, 0, (int32_t)V_UNBOUND);
        return;
    }
    int t = ou_load_imm(c, V_UNBOUND, NONE);
    ou_emit(c, OP_SETFAR, t, FAR_REG, 0, reg - FAR0);
    c->unit->top--;
}

/* A new cell for what a local holds, near or far. */
void ou_make_cell(Compiler *c, int reg)
{
    if (!is_far(reg)) {
        ou_emit(c, OP_MKCELL, reg, 0, 0, 0);
        return;
    }
    int t = ou_push(c);
    ou_emit(c, OP_TAKEFAR, t, FAR_REG, 0, reg - FAR0);
    ou_emit(c, OP_MKCELL, t, 0, 0, 0);
    ou_emit(c, OP_SETFAR, t, FAR_REG, 0, reg - FAR0);
    c->unit->top--;
}

void ou_delete_name(Compiler *c, Str *name)
{
    if (c->failed)
        return;
    Symbol *y = ou_symbol(c, name), *o = own_symbol(c, y);
    if (o) {
        if (o->is_cell) {
            int cell = cell_of(c, o);
            ou_emit_site(c, OP_DELCELL, cell, 0, 0, 0, name);
            cell_done(c, cell);
        } else if (is_far(o->reg)) {
            int t = ou_push(c);
            ou_emit(c, OP_GETFAR, t, FAR_REG, 0, o->reg - FAR0);
            ou_emit_site(c, OP_CHECK, t, 0, 0, 0, name);
            ou_drop(c, t);
            c->unit->top--;
            ou_empty(c, o->reg);
        } else {
            ou_emit_site(c, OP_DELLOCAL, o->reg, 0, 0, 0, name);
        }
        return;
    }
    if (y && y->kind == SYM_FREE) {
        ou_emit_site(c, OP_DELFREE, 0, 0, 0, ou_scope_free_index(c->unit->scope, y->owner), name);
        return;
    }
    bool in_namespace = is_namespace(c->scope) || (c->scope->kind == SCOPE_COMP && c->unit->scope->kind == SCOPE_MODULE);
    ou_emit_site(c, in_namespace && !(y && y->kind == SYM_GLOBAL_EXPLICIT) ? OP_DELNAME : OP_DELGLOBAL, 0, 0, 0, 0, name);
}

int ou_plain_local(Compiler *c, const Expr *e)
{
    if (e->kind != EXPR_Name || c->failed)
        return NONE;
    Str *name = cname(c, e->Name.id);
    Symbol *o = name ? own_symbol(c, ou_symbol(c, name)) : NULL;
    return o && !o->is_cell && !is_far(o->reg) ? o->reg : NONE;
}

bool ou_forbidden(Compiler *c, const Str *name, AstPos pos, uint8_t ctx)
{
    if (ctx == CTX_Load || name != name_of(c->vm, N_DU_debug))
        return c->failed;
    ou_c_error(c, pos, ctx == CTX_Store ? "cannot assign to __debug__" : "cannot delete __debug__");
    return true;
}
