/* Whose variable is it: after the walk of scope.c, every name of every scope is made a local, a free variable or a global, and
 * every code in between hands the cells of captured variables on. ou_scope_resolve is the entry; errors about nonlocal are
 * found here, after all those of the walk. */
#include "vm/scope.h"

#include "vm/compile.h"

static bool is_annotation_scope(const Scope *s) { return s->kind == SCOPE_TYPEPARAMS || s->kind == SCOPE_TYPEVALUE; }

static void add_free(Compiler *c, Scope *code, Symbol *owner)
{
    if (c->failed || ou_scope_free_index(code, owner) >= 0)
        return;
    if (code->nfree == code->free_cap && !(code->free = ou_c_grow(c, code->free, &code->free_cap, sizeof(Symbol *))))
        return;
    uint32_t i = code->nfree++; /* sorted by name, as co_freevars is */
    while (i > 0 && ou_str_order(code->free[i - 1]->name, owner->name) > 0) {
        code->free[i] = code->free[i - 1];
        i--;
    }
    code->free[i] = owner;
}

int ou_scope_free_index(const Scope *code, const Symbol *owner)
{
    for (uint32_t i = 0; i < code->nfree; i++)
        if (code->free[i] == owner)
            return (int)i;
    return -1;
}

/* The value of `owner` is used in scope s: every code in between hands the cell on. */
static void capture(Compiler *c, Scope *s, Symbol *owner)
{
    Scope *home = owner->scope->code;
    if (owner == owner->scope->class_cell || owner == owner->scope->class_dict)
        owner->is_cell = true; /* also for a comprehension inlined into the class body */
    for (Scope *code = s->code; code != home && !c->failed; code = code->parent->code) {
        owner->is_cell = true;
        add_free(c, code, owner);
    }
}

static Symbol *class_symbol(Compiler *c, Scope *k, Symbol **place, Str *name)
{
    if (!*place) {
        Symbol *y = ou_c_alloc(c, sizeof *y); /* not in the table: the class body itself does not see it */
        if (!y)
            return NULL;
        y->name = name;
        y->scope = k;
        y->owner = y;
        y->kind = SYM_LOCAL;
        y->reg = -1;
        *place = y;
    }
    return *place;
}

/* The symbol that binds the name around scope s, or NULL: a global. */
static Symbol *enclosing(Compiler *c, Scope *s, Str *name, bool nonlocal)
{
    for (Scope *p = s->parent; p && p->kind != SCOPE_MODULE; p = p->parent) {
        if (p->kind == SCOPE_CLASS) {
            if (name == name_of(c->vm, N_DU_class))
                return class_symbol(c, p, &p->class_cell, name);
            continue;
        }
        Symbol *y = ou_scope_find(p, name);
        if (!y)
            continue;
        if (y->flags & DEF_GLOBAL) {
            if (nonlocal)
                continue;
            return NULL;
        }
        if (y->flags & DEF_NONLOCAL)
            continue;
        if (y->flags & DEF_BOUND)
            return y;
    }
    return NULL;
}

static Scope *seen_class(Scope *s)
{
    while (s->kind != SCOPE_CLASS)
        s = s->parent;
    return s;
}

/* A name in an annotation scope that the class around declares global: that decides. */
static bool class_decides(Scope *s, Symbol *y)
{
    Symbol *k = ou_scope_find(seen_class(s), y->name);
    if (k && (k->flags & DEF_GLOBAL))
        y->kind = SYM_GLOBAL_EXPLICIT;
    return y->kind != SYM_NONE;
}

/* In an annotation scope: bound by the class around, so not by the functions around that. */
static bool bound_by_class(Scope *s, const Str *name)
{
    Symbol *k = ou_scope_find(seen_class(s), name);
    return k && (k->flags & DEF_BOUND) && !(k->flags & DEF_NONLOCAL);
}

void ou_scope_resolve(Compiler *c, Scope *s)
{
    for (Symbol *y = s->first; y && !c->failed; y = y->next) {
        if ((y->flags & DEF_GLOBAL) && (y->flags & DEF_NONLOCAL) && !(y->flags & DEF_WALRUS)) {
            ou_c_error(c, y->pos, "name '%Q' is nonlocal and global", y->name);
        } else if (y->flags & DEF_GLOBAL) {
            y->kind = SYM_GLOBAL_EXPLICIT;
        } else if (y->flags & DEF_NONLOCAL) {
            Symbol *o = enclosing(c, s, y->name, true);
            if (!o && !c->failed)
                ou_c_error(c, y->pos, "no binding for nonlocal '%Q' found", y->name);
            else if (o && (o->flags & DEF_TYPE_PARAM))
                ou_c_error(c, y->pos, "nonlocal binding not allowed for type parameter '%Q'", y->name);
            if (c->failed)
                return;
            y->kind = SYM_FREE;
            y->owner = o;
            capture(c, s, o);
        } else if (y->flags & DEF_BOUND) {
            y->kind = SYM_LOCAL;
        } else if (s->sees_class && class_decides(s, y)) {
            continue;
        } else {
            Symbol *o = enclosing(c, s, y->name, false);
            if (o && s->sees_class && !is_annotation_scope(o->scope) && bound_by_class(s, y->name))
                o = NULL;
            if (o && o == o->scope->class_cell && s->code == o->scope) /* a comprehension of the class body: there is no class yet */
                o = NULL;
            y->kind = o ? SYM_FREE : SYM_GLOBAL;
            if (o) {
                y->owner = o;
                capture(c, s, o);
            }
        }
        if (s->sees_class && y->kind != SYM_LOCAL && y->kind != SYM_GLOBAL_EXPLICIT && !c->failed) {
            Scope *k = s;
            while (k->kind != SCOPE_CLASS)
                k = k->parent;
            Symbol *d = class_symbol(c, k, &k->class_dict, name_of(c->vm, N_DU_classdict));
            if (d)
                capture(c, s, d);
        }
    }
    for (Scope *k = s->children; k && !c->failed; k = k->sibling)
        ou_scope_resolve(c, k);
}
