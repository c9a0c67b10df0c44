/* Classes, and what PEP 695 adds: type parameters, generic classes, type aliases. A class body is code of its own that runs
 * in the namespace R[0]; bounds, defaults and alias values are functions called when somebody asks. */
#include <stdlib.h>
#include <string.h>

#include "vm/compile.h"

static void set_in_namespace(Compiler *c, const char *name, int r)
{
    ou_emit_site(c, OP_SETNAME, r, 0, 0, 0, ou_c_str(c, name));
    c->unit->top = 0;
}

static bool has_annotations(const StmtSeq *s)
{
    for (uint32_t i = 0; i < s->n; i++) {
        const Stmt *x = s->items[i];
        bool found = false;
        switch (x->kind) {
        case STMT_AnnAssign: return true;
        case STMT_For: found = has_annotations(&x->For.body) || has_annotations(&x->For.orelse); break;
        case STMT_AsyncFor: found = has_annotations(&x->AsyncFor.body) || has_annotations(&x->AsyncFor.orelse); break;
        case STMT_While: found = has_annotations(&x->While.body) || has_annotations(&x->While.orelse); break;
        case STMT_If: found = has_annotations(&x->If.body) || has_annotations(&x->If.orelse); break;
        case STMT_With: found = has_annotations(&x->With.body); break;
        case STMT_AsyncWith: found = has_annotations(&x->AsyncWith.body); break;
        case STMT_Match:
            for (uint32_t k = 0; k < x->Match.cases.n; k++)
                found |= has_annotations(&x->Match.cases.items[k]->body);
            break;
        case STMT_Try:
        case STMT_TryStar: {
            bool star = x->kind == STMT_TryStar;
            const HandlerSeq *h = star ? &x->TryStar.handlers : &x->Try.handlers;
            found = has_annotations(star ? &x->TryStar.body : &x->Try.body) ||
                    has_annotations(star ? &x->TryStar.orelse : &x->Try.orelse) ||
                    has_annotations(star ? &x->TryStar.finalbody : &x->Try.finalbody);
            for (uint32_t k = 0; k < h->n; k++)
                found |= has_annotations(&h->items[k]->body);
            break;
        }
        default: break;
        }
        if (found)
            return true;
    }
    return false;
}

/* The beginning of a module or class body: annotations, docstring; the statements. */
void ou_body(Compiler *c, const StmtSeq *body)
{
    if (has_annotations(body))
        ou_emit(c, OP_SETUPANN, 0, 0, 0, 0);
    StmtSeq rest = *body;
    Value doc = ou_docstring(c, body);
    if (doc != V_NULL) {
        c->loc = body->items[0]->pos;
        set_in_namespace(c, "__doc__", ou_load_const(c, doc, NONE));
        rest.items++;
        rest.n--;
    }
    ou_stmts(c, &rest);
}

static int by_text(const void *a, const void *b)
{
    return strcmp((*(Str *const *)a)->data, (*(Str *const *)b)->data);
}

/* __static_attributes__: each name once. */
static Value static_attributes(Compiler *c, Scope *k)
{
    uint32_t n = 0;
    if (k->nstatic)
        qsort(k->static_attrs, k->nstatic, sizeof(Str *), by_text);
    for (uint32_t i = 0; i < k->nstatic; i++)
        if (i == 0 || k->static_attrs[i] != k->static_attrs[n - 1])
            k->static_attrs[n++] = k->static_attrs[i];
    k->nstatic = n;
    Value v = ou_tuple_new(c->vm, n);
    for (uint32_t i = 0; i < n && v != V_NULL; i++)
        as_tuple(v)->items[i] = retain(v_of(k->static_attrs[i]));
    return v;
}

static Code *class_code(Compiler *c, const Stmt *s, uint32_t line)
{
    Scope *k = ou_scope_of(c, s);
    Unit *u = ou_unit_begin(c, k, ou_c_name(c, s->ClassDef.name), CODE_CLASS, line);
    if (!u)
        return NULL;
    int t = ou_push(c);
    ou_emit_site(c, OP_GETNAME, t, 0, 0, 0, ou_c_str(c, "__name__"));
    set_in_namespace(c, "__module__", t);
    set_in_namespace(c, "__qualname__", ou_load_const(c, retain(v_of(u->qualname)), NONE));
    set_in_namespace(c, "__firstlineno__", ou_load_const(c, v_smallint(line), NONE));
    if (s->ClassDef.type_params.n)
        set_in_namespace(c, "__type_params__", ou_load_name(c, ou_c_str(c, ".type_params"), NONE));
    if (k->class_dict && k->class_dict->is_cell) {
        t = ou_push(c);
        ou_emit(c, OP_MOVE_T, t, 0, 0, 0);
        ou_emit(c, OP_SETCELL, k->class_dict->reg, t, 0, 0);
        c->unit->top = 0;
    }
    ou_body(c, &s->ClassDef.body);
    c->loc = (AstPos){line, 0, line, 0};
    set_in_namespace(c, "__static_attributes__", ou_load_const(c, static_attributes(c, k), NONE));
    if (k->class_dict && k->class_dict->is_cell) {
        t = ou_push(c);
        ou_emit(c, OP_MOVE_T, t, k->class_dict->reg, 0, 0);
        set_in_namespace(c, "__classdictcell__", t);
    }
    if (k->class_cell && k->class_cell->is_cell) {
        t = ou_push(c);
        ou_emit(c, OP_MOVE_T, t, k->class_cell->reg, 0, 0);
        set_in_namespace(c, "__classcell__", t);
        t = ou_push(c);
        ou_emit(c, OP_MOVE_T, t, k->class_cell->reg, 0, 0);
        ou_emit(c, OP_RETURN, t, 0, 0, 0);
    } else {
        ou_emit(c, OP_RETURNP, 0, 0, 0, (int32_t)V_NONE);
    }
    return ou_unit_end(c);
}

/* __build_class__(body, name, *bases, **keywords), in the next temporary. */
static int class_call(Compiler *c, const Stmt *s, uint32_t line, const ExprSeq *bases)
{
    int fn = ou_push(c);
    ou_emit(c, OP_BUILDCLASS, fn, 0, 0, 0);
    ou_push(c);
    Code *code = class_code(c, s, line);
    ou_make_function(c, code, fn + 2, 0);
    ou_load_const(c, retain(v_of(ou_c_name(c, s->ClassDef.name))), NONE);
    ou_call_args(c, fn, 2, bases, &s->ClassDef.keywords, false);
    return fn;
}

static int generic_class(Compiler *c, const Stmt *s, uint32_t line)
{
    const TypeParamSeq *tp = &s->ClassDef.type_params;
    Str *name = as_str(ou_c_keep(c, ou_str_format(c->vm, "<generic parameters of %Q>", ou_c_name(c, s->ClassDef.name))));
    int fn = ou_push(c);
    if (!ou_unit_begin(c, ou_scope_of(c, tp), name, CODE_FUNCTION, line))
        return fn;
    c->loc = s->pos;
    int t = ou_type_params(c, tp), copy = ou_push(c);
    ou_emit(c, OP_MOVE_T, copy, t, 0, 0);
    ou_store_name(c, ou_c_str(c, ".type_params"), copy);
    ou_emit(c, OP_GENERICBASE, t, 0, 0, 0);
    ou_store_name(c, ou_c_str(c, ".generic_base"), t);
    c->unit->top = 0;
    ExprSeq bases = {s->ClassDef.bases.n + 1, ou_c_alloc(c, sizeof(Expr *) * (s->ClassDef.bases.n + 1))};
    Expr *base = ou_c_alloc(c, sizeof(Expr));
    if (base && bases.items) {
        base->kind = EXPR_Name;
        base->pos = s->pos;
        base->Name.id = c->generic_base;
        base->Name.ctx = CTX_Load;
        for (uint32_t i = 0; i < s->ClassDef.bases.n; i++)
            bases.items[i] = s->ClassDef.bases.items[i];
        bases.items[s->ClassDef.bases.n] = base;
        int r = class_call(c, s, line, &bases);
        ou_emit(c, OP_RETURN, r, 0, 0, 0);
    }
    Code *code = ou_unit_end(c);
    ou_make_function(c, code, fn, 0);
    ou_push(c);
    ou_emit(c, OP_CALL, fn, 0, 0, 0);
    c->unit->top = fn - TEMP0 + 1;
    return fn;
}

void ou_class_def(Compiler *c, const Stmt *s)
{
    const ExprSeq *d = &s->ClassDef.decorator_list;
    int base = c->unit->top;
    if (ou_forbidden(c, ou_c_name(c, s->ClassDef.name), s->pos, CTX_Store))
        return;
    uint32_t line = d->n ? d->items[0]->pos.line : s->pos.line;
    int far = ou_decorators(c, d);
    c->loc = s->pos;
    int r = s->ClassDef.type_params.n ? generic_class(c, s, line) : class_call(c, s, line, &s->ClassDef.bases);
    r = ou_decorate(c, d, far, r);
    c->loc = s->pos;
    ou_store_name(c, cname(c, s->ClassDef.name), r);
    c->unit->top = base;
}

/* ---- type parameters and aliases ------------------------------------------------------------------------------------- */

/* A function without parameters that gives the value of an expression, or None when there is none. */
static void thunk(Compiler *c, const void *key, const Expr *e, Str *name)
{
    if (!e) {
        ou_load_imm(c, V_NONE, NONE);
        return;
    }
    int t = ou_push(c);
    if (!ou_unit_begin(c, ou_scope_of(c, key), name, CODE_FUNCTION, e->pos.line))
        return;
    c->loc = e->pos;
    int r;
    if (e->kind == EXPR_Starred) { /* a TypeVarTuple's default */
        r = ou_temp(c, e->Starred.value);
        ou_emit(c, OP_UNPACK, r, 0, 1, 0);
    } else {
        r = ou_operand(c, e);
    }
    ou_emit(c, OP_RETURN, r, 0, 0, 0);
    Code *code = ou_unit_end(c);
    ou_make_function(c, code, t, 0);
}

int ou_type_params(Compiler *c, const TypeParamSeq *tp)
{
    int first = TEMP0 + c->unit->top;
    bool list = tp->n > (uint32_t)ou_window(c);
    if (list)
        ou_emit(c, OP_MKLIST, ou_push(c), 0, 0, 0);
    for (uint32_t i = 0; i < tp->n && !c->failed; i++) {
        const TypeParam *p = tp->items[i];
        c->loc = p->pos;
        const AstStr *id = p->kind == TYPEPARAM_TypeVar     ? p->TypeVar.name
                           : p->kind == TYPEPARAM_ParamSpec ? p->ParamSpec.name
                                                            : p->TypeVarTuple.name;
        Str *name = ou_c_name(c, id);
        int kind = p->kind == TYPEPARAM_ParamSpec ? 2 : p->kind == TYPEPARAM_TypeVarTuple ? 3 : 0;
        int a = ou_load_const(c, retain(v_of(name)), NONE);
        if (p->kind == TYPEPARAM_TypeVar) {
            kind = p->TypeVar.bound && p->TypeVar.bound->kind == EXPR_Tuple;
            thunk(c, &p->TypeVar.bound, p->TypeVar.bound, name);
            thunk(c, &p->TypeVar.default_value, p->TypeVar.default_value, name);
        } else {
            thunk(c, NULL, NULL, name);
            if (kind == 2)
                thunk(c, &p->ParamSpec.default_value, p->ParamSpec.default_value, name);
            else
                thunk(c, &p->TypeVarTuple.default_value, p->TypeVarTuple.default_value, name);
        }
        ou_emit(c, OP_TYPEPARAM, a, 0, kind, 0);
        c->unit->top = a - TEMP0 + 1;
        int copy = ou_push(c);
        ou_emit(c, OP_MOVE_T, copy, a, 0, 0);
        ou_store_name(c, cname(c, id), copy);
        c->unit->top--;
        if (list) {
            ou_emit(c, OP_LISTADD, first, a, 0, 0);
            c->unit->top--;
        }
    }
    ou_emit(c, list ? OP_LISTTUPLE : OP_MKTUPLE, first, 0, 0, list ? 0 : (int32_t)tp->n);
    c->unit->top = first - TEMP0 + 1;
    return first;
}

static int alias_object(Compiler *c, const Stmt *s, int tp)
{
    Str *name = ou_c_name(c, s->TypeAlias.name->Name.id);
    int a = ou_load_const(c, retain(v_of(name)), NONE);
    if (tp == NONE) {
        ou_load_imm(c, V_NONE, NONE);
    } else {
        int t = ou_push(c);
        ou_move(c, t, tp);
    }
    thunk(c, &s->TypeAlias.value, s->TypeAlias.value, name);
    ou_emit(c, OP_TYPEALIAS, a, 0, 0, 0);
    c->unit->top = a - TEMP0 + 1;
    return a;
}

void ou_type_alias(Compiler *c, const Stmt *s)
{
    const TypeParamSeq *tp = &s->TypeAlias.type_params;
    int base = c->unit->top, r;
    c->loc = s->pos;
    if (ou_forbidden(c, cname(c, s->TypeAlias.name->Name.id), s->pos, CTX_Store))
        return;
    if (tp->n) {
        Str *name = ou_c_name(c, s->TypeAlias.name->Name.id);
        name = as_str(ou_c_keep(c, ou_str_format(c->vm, "<generic parameters of %Q>", name)));
        r = ou_push(c);
        if (!ou_unit_begin(c, ou_scope_of(c, tp), name, CODE_FUNCTION, s->pos.line))
            return;
        c->loc = s->pos;
        int t = alias_object(c, s, ou_type_params(c, tp));
        ou_emit(c, OP_RETURN, t, 0, 0, 0);
        Code *code = ou_unit_end(c);
        ou_make_function(c, code, r, 0);
        ou_push(c);
        ou_emit(c, OP_CALL, r, 0, 0, 0);
    } else {
        r = alias_object(c, s, NONE);
    }
    ou_store(c, s->TypeAlias.name, r);
    c->unit->top = base;
}
