/* Comprehensions, for and while. List, set and dict comprehensions are inlined (PEP 709): the collection grows in a
 * temporary of the code around, the variables are hidden locals, unbound again at the end; one that is captured gets a new
 * cell each time. Generator expressions are functions of one parameter, the iterator of the first `for`. */
#include "vm/compile.h"

typedef struct Comp {
    const Expr *e;
    const ComprehensionSeq *gens;
    int acc;  /* the collection, or NONE: yield */
    int it0;  /* the register with the first iterator */
} Comp;

static void element(Compiler *c, const Comp *k)
{
    const Expr *e = k->e;
    int base = c->unit->top;
    if (e->kind == EXPR_DictComp) {
        int key = ou_operand_before(c, e->DictComp.key, e->DictComp.value), v = ou_operand(c, e->DictComp.value);
        c->loc = e->DictComp.key->pos;
        c->loc.end_line = e->DictComp.value->pos.end_line;
        c->loc.end_col = e->DictComp.value->pos.end_col;
        ou_emit(c, OP_DICTADD, k->acc, key, v, 0);
    } else if (e->kind == EXPR_GeneratorExp) {
        int r = ou_operand(c, e->GeneratorExp.elt);
        c->loc = e->GeneratorExp.elt->pos;
        c->unit->top = base;
        int t = ou_push(c);
        ou_emit(c, OP_YIELD, t, r, (c->unit->flags & CO_ASYNC_GENERATOR) != 0, 0);
        ou_drop(c, t);
    } else {
        const Expr *elt = e->kind == EXPR_ListComp ? e->ListComp.elt : e->SetComp.elt;
        int r = ou_operand(c, elt);
        c->loc = elt->pos;
        ou_emit(c, e->kind == EXPR_ListComp ? OP_LISTADD : OP_SETADD, k->acc, r, 0, 0);
    }
    c->unit->top = base;
}

static void generator(Compiler *c, const Comp *k, uint32_t n);

static void inner(Compiler *c, const Comp *k, uint32_t n, int skip)
{
    const Comprehension *g = k->gens->items[n];
    for (uint32_t i = 0; i < g->ifs.n; i++)
        ou_cond(c, g->ifs.items[i], skip, false);
    if (n + 1 < k->gens->n)
        generator(c, k, n + 1);
    else
        element(c, k);
}

/* for x in [y]: an assignment, as CPython does it too. */
static const Expr *single_item(const Comprehension *g)
{
    const ExprSeq *s = g->iter->kind == EXPR_List ? &g->iter->List.elts : g->iter->kind == EXPR_Tuple ? &g->iter->Tuple.elts : NULL;
    return s && s->n == 1 && s->items[0]->kind != EXPR_Starred ? s->items[0] : NULL;
}

static void async_generator(Compiler *c, const Comp *k, uint32_t n)
{
    const Comprehension *g = k->gens->items[n];
    int base = c->unit->top, it = k->it0;
    if (n) {
        int r = ou_operand(c, g->iter);
        c->loc = g->iter->pos;
        c->unit->top = base;
        it = ou_push(c);
        ou_emit(c, OP_GETAITER, it, r, 0, 0);
    }
    int start = ou_label(c), stop = ou_label(c), next = ou_label(c), v = ou_push(c);
    c->loc = k->e->pos; /* of the whole, as CPython does */
    ou_place(c, start);
    int outer = c->unit->handler;
    c->unit->handler = ou_handler(c, stop, v);
    ou_emit(c, OP_GETANEXT, v, it, 0, 0);
    ou_emit(c, OP_AWAIT, v, 0, 0, 0);
    c->unit->handler = outer;
    ou_store(c, g->target, v);
    c->unit->top = v - TEMP0;
    inner(c, k, n, next);
    ou_place(c, next);
    c->loc = g->iter->pos;
    ou_emit(c, OP_LOOP, 0, 0, 0, start);
    ou_place(c, stop);
    ou_emit(c, OP_ENDASYNCFOR, v, 0, 0, 0);
    ou_drop(c, it);
    c->unit->top = base;
}

/* One iteration: the next value goes into the target; exhausted: on to `end`. */
static void next_into(Compiler *c, const Expr *target, int it, int end)
{
    int r = ou_plain_local(c, target);
    if (r != NONE && ou_forbidden(c, cname(c, target->Name.id), target->pos, CTX_Store))
        return;
    if (r != NONE) {
        ou_emit(c, OP_FORITER, it, r, 0, end);
        return;
    }
    int v = ou_push(c);
    ou_emit(c, OP_FORITER, it, v, 0, end);
    ou_store(c, target, v);
    c->unit->top = v - TEMP0;
}

static void generator(Compiler *c, const Comp *k, uint32_t n)
{
    const Comprehension *g = k->gens->items[n];
    if (g->is_async) {
        async_generator(c, k, n);
        return;
    }
    int base = c->unit->top, it = k->it0;
    const Expr *one = n ? single_item(g) : NULL;
    if (one) {
        int end = ou_label(c), r = ou_operand(c, one);
        ou_store(c, g->target, r);
        c->unit->top = base;
        inner(c, k, n, end);
        ou_place(c, end);
        return;
    }
    if (n) {
        int r = ou_operand(c, g->iter);
        c->loc = g->iter->pos;
        c->unit->top = base;
        it = ou_push(c);
        ou_emit(c, OP_GETITER, it, r, 0, 0);
    }
    int start = ou_label(c), end = ou_label(c), next = ou_label(c);
    ou_place(c, start);
    c->loc = g->iter->pos;
    next_into(c, g->target, it, end);
    inner(c, k, n, next); /* only LOOP jumps back: a safepoint */
    ou_place(c, next);
    c->loc = k->e->pos;
    ou_emit(c, OP_LOOP, 0, 0, 0, start);
    ou_place(c, end);
    c->unit->top = base;
}

static const ComprehensionSeq *generators(const Expr *e)
{
    switch (e->kind) {
    case EXPR_ListComp: return &e->ListComp.generators;
    case EXPR_SetComp: return &e->SetComp.generators;
    case EXPR_DictComp: return &e->DictComp.generators;
    default: return &e->GeneratorExp.generators;
    }
}

static int generator_expression(Compiler *c, const Expr *e, Scope *s, int dst)
{
    const ComprehensionSeq *gens = generators(e);
    int base = c->unit->top, fn = ou_push(c);
    Unit *u = ou_unit_begin(c, s, ou_c_str(c, "<genexpr>"), CODE_FUNCTION, e->pos.line);
    if (!u)
        return fn;
    Comp k = {.e = e, .gens = gens, .acc = NONE, .it0 = ou_push(c)};
    AstPos loc = c->loc;
    c->loc = e->pos;
    ou_emit(c, OP_MOVE_T, k.it0, 0, 0, 0); /* the loop consumes its iterator; the parameter .0 keeps it until the generator ends */
    generator(c, &k, 0);
    c->loc = e->pos;
    ou_emit(c, OP_RETURNP, 0, 0, 0, (int32_t)V_NONE);
    Code *code = ou_unit_end(c);
    c->loc = loc;
    ou_make_function(c, code, fn, 0);
    ou_push(c);
    int arg = ou_push(c);
    c->unit->top = arg - TEMP0;
    int r = ou_operand(c, gens->items[0]->iter);
    c->loc = gens->items[0]->iter->pos;
    ou_emit(c, gens->items[0]->is_async ? OP_GETAITER : OP_GETITER, arg, r, 0, 0);
    c->loc = e->pos;
    ou_emit(c, OP_CALL, fn, 0, 1, 0);
    c->unit->top = base;
    if (dst != NONE) {
        ou_move(c, dst, fn);
        return dst;
    }
    return ou_push(c);
}

/* Which registers the variables of an inlined comprehension live in; given back by leave. */
static void enter(Compiler *c, Scope *s)
{
    for (Symbol *y = s->first; y; y = y->next) {
        if (y->kind != SYM_LOCAL)
            continue;
        if (!y->is_placed)
            y->reg = ou_hidden_any(c);
        if (y->is_cell)
            ou_make_cell(c, y->reg);
    }
}

static void leave(Compiler *c, Scope *s)
{
    for (Symbol *y = s->first; y; y = y->next)
        if (y->kind == SYM_LOCAL)
            ou_empty(c, y->reg);
}

static void give_back(Compiler *c, Scope *s)
{
    for (Symbol *y = s->first; y; y = y->next)
        if (y->kind == SYM_LOCAL && !y->is_placed)
            ou_hidden_done(c, y->reg);
}

int ou_comp(Compiler *c, const Expr *e, int dst)
{
    Scope *s = ou_scope_of(c, e);
    if (!s)
        return ou_result(c, dst);
    bool top_await = (c->flags & PYCF_TOP_LEVEL_AWAIT) && c->unit->scope->kind == SCOPE_MODULE;
    if (s->is_coroutine && s->kind == SCOPE_COMP && !c->unit->can_await && !top_await && c->scope->kind != SCOPE_COMP) {
        ou_c_error(c, e->pos, "asynchronous comprehension outside of an asynchronous function");
        return ou_result(c, dst);
    }
    if (e->kind == EXPR_GeneratorExp)
        return generator_expression(c, e, s, dst);
    const ComprehensionSeq *gens = generators(e);
    const Comprehension *g = gens->items[0];
    int base = c->unit->top, acc = ou_push(c), it = ou_push(c);
    c->unit->top = it - TEMP0;
    int r = ou_operand(c, g->iter);
    c->loc = g->iter->pos;
    c->unit->top = base + 2;
    ou_emit(c, g->is_async ? OP_GETAITER : OP_GETITER, it, r, 0, 0);
    c->loc = e->pos;
    Scope *up = c->scope;
    c->scope = s;
    enter(c, s);
    ou_emit(c, e->kind == EXPR_ListComp ? OP_MKLIST : e->kind == EXPR_SetComp ? OP_MKSET : OP_MKDICT, acc, 0, 0, 0);
    int outer = c->unit->handler, failed = outer >= 0 ? ou_label(c) : NONE;
    if (failed != NONE) /* somebody in this code catches: the variables must be gone then */
        c->unit->handler = ou_handler(c, failed, acc);
    Comp k = {.e = e, .gens = gens, .acc = acc, .it0 = it};
    generator(c, &k, 0);
    c->unit->handler = outer;
    c->loc = e->pos;
    leave(c, s);
    if (failed != NONE) {
        int end = ou_label(c);
        ou_jump(c, end);
        ou_place(c, failed);
        leave(c, s);
        ou_emit(c, OP_RERAISE, acc, 0, 0, 0);
        ou_place(c, end);
    }
    give_back(c, s);
    c->scope = up;
    c->unit->top = base;
    if (dst != NONE) {
        ou_move(c, dst, acc);
        return dst;
    }
    return ou_push(c);
}

/* ---- loops ----------------------------------------------------------------------------------------------------------- */

void ou_for(Compiler *c, const Stmt *s)
{
    int base = c->unit->top, it = TEMP0 + base;
    int start = ou_label(c), end = ou_label(c), orelse = ou_label(c);
    const Expr *iter = s->For.iter;
    int r = NONE;
    if (iter->kind == EXPR_List) { /* for x in [1, 2]: a constant tuple will do */
        Value k = ou_tuple_new(c->vm, iter->List.elts.n);
        for (uint32_t i = 0; i < iter->List.elts.n && k != V_NULL; i++) {
            Value v = ou_fold(c, iter->List.elts.items[i]);
            if (v == V_NULL) {
                release(c->vm, k);
                k = V_NULL;
                break;
            }
            as_tuple(k)->items[i] = v;
        }
        if (k == V_NULL && c->vm->exc != V_NULL)
            c->failed = true;
        c->loc = iter->pos;
        if (k != V_NULL)
            r = ou_load_const(c, k, NONE);
    }
    if (r == NONE)
        r = ou_operand(c, iter);
    c->unit->top = base;
    ou_push(c);
    c->loc = iter->pos;
    ou_emit(c, OP_GETITER, it, r, 0, 0);
    Block b;
    ou_block_push(c, &b, BLOCK_FOR, it);
    b.brk = end;
    b.cont = start;
    ou_place(c, start);
    next_into(c, s->For.target, it, orelse);
    c->unit->top = base + 1;
    ou_stmts(c, &s->For.body);
    c->loc = iter->pos;
    ou_emit(c, OP_LOOP, 0, 0, 0, start);
    ou_block_pop(c, &b);
    c->unit->top = base;
    ou_place(c, orelse);
    ou_stmts(c, &s->For.orelse);
    ou_place(c, end);
}

void ou_while(Compiler *c, const Stmt *s)
{
    int start = ou_label(c), end = ou_label(c), orelse = ou_label(c);
    Block b;
    ou_block_push(c, &b, BLOCK_LOOP, NONE);
    b.brk = end;
    b.cont = start;
    ou_place(c, start);
    ou_cond(c, s->While.test, orelse, false);
    ou_stmts(c, &s->While.body);
    c->loc = s->pos;
    ou_emit(c, OP_LOOP, 0, 0, 0, start);
    ou_block_pop(c, &b);
    ou_place(c, orelse);
    ou_stmts(c, &s->While.orelse);
    ou_place(c, end);
}
