/* await, yield, yield from, and the async for statement. A wait is two instructions: GETAWAIT makes the iterator, AWAIT
 * suspends until it is done. */
#include "vm/compile.h"

static bool in_function(const Scope *s)
{
    return s->kind == SCOPE_FUNCTION || s->kind == SCOPE_LAMBDA || s->kind == SCOPE_GENEXPR || s->kind == SCOPE_COMP ||
           s->kind == SCOPE_TYPEPARAMS || s->kind == SCOPE_TYPEVALUE;
}

static bool top_level_await(Compiler *c)
{
    return (c->flags & PYCF_TOP_LEVEL_AWAIT) && c->unit->scope->kind == SCOPE_MODULE;
}

void ou_await_reg(Compiler *c, int t, int how)
{
    ou_emit(c, OP_GETAWAIT, t, t, how, 0);
    ou_emit(c, OP_AWAIT, t, 0, 0, 0);
}

static int into(Compiler *c, int base, int t, int dst)
{
    c->unit->top = base;
    if (dst != NONE) {
        ou_move(c, dst, t);
        return dst;
    }
    c->unit->top = t - TEMP0 + 1;
    return t;
}

int ou_await(Compiler *c, const Expr *e, int dst)
{
    if (!top_level_await(c)) {
        if (!in_function(c->scope))
            ou_c_error(c, e->pos, "'await' outside function");
        else if (!c->unit->can_await && c->scope->kind != SCOPE_COMP)
            ou_c_error(c, e->pos, "'await' outside async function");
    }
    int base = c->unit->top, t = TEMP0 + base, r = ou_operand(c, e->Await.value);
    c->loc = e->pos;
    if (!is_temp(r))
        ou_push(c);
    ou_emit(c, OP_GETAWAIT, t, r, 0, 0);
    ou_emit(c, OP_AWAIT, t, 0, 0, 0);
    return into(c, base, t, dst);
}

int ou_yield(Compiler *c, const Expr *e, int dst)
{
    bool from = e->kind == EXPR_YieldFrom;
    if (!in_function(c->scope)) {
        ou_c_error(c, e->pos, from ? "'yield from' outside function" : "'yield' outside function");
        return ou_result(c, dst);
    }
    int base = c->unit->top, t = TEMP0 + base;
    if (from) {
        if (c->unit->scope->kind == SCOPE_FUNCTION && (c->unit->flags & (CO_COROUTINE | CO_ASYNC_GENERATOR))) {
            ou_c_error(c, e->pos, "'yield from' inside async function");
            return ou_result(c, dst);
        }
        int r = ou_operand(c, e->YieldFrom.value);
        c->loc = e->pos;
        if (!is_temp(r))
            ou_push(c);
        ou_emit(c, OP_GETYIELDFROM, t, r, 0, 0);
        ou_emit(c, OP_AWAIT, t, 0, 0, 0);
        return into(c, base, t, dst);
    }
    int r;
    if (e->Yield.value)
        r = ou_operand(c, e->Yield.value);
    else
        r = ou_load_imm(c, V_NONE, NONE);
    c->loc = e->pos;
    if (!is_temp(r))
        ou_push(c);
    ou_emit(c, OP_YIELD, t, r, (c->unit->flags & CO_ASYNC_GENERATOR) != 0, 0);
    return into(c, base, t, dst);
}

void ou_async_for(Compiler *c, const Stmt *s)
{
    if (!top_level_await(c) && !c->unit->can_await) {
        ou_c_error(c, s->pos, "'async for' outside async function");
        return;
    }
    int base = c->unit->top, it = TEMP0 + base;
    int start = ou_label(c), stop = ou_label(c), end = ou_label(c);
    int r = ou_operand(c, s->AsyncFor.iter);
    c->unit->top = base;
    ou_push(c);
    c->loc = s->AsyncFor.iter->pos;
    ou_emit(c, OP_GETAITER, it, r, 0, 0);
    Block b;
    ou_block_push(c, &b, BLOCK_ASYNC_FOR, it);
    b.brk = end;
    b.cont = start;
    ou_place(c, start);
    int h = ou_handler(c, stop, it + 1), outer = c->unit->handler;
    c->unit->handler = h;
    int v = ou_push(c);
    c->loc = s->pos; /* what the iterator raises is reported for the whole statement, as CPython does */
    ou_emit(c, OP_GETANEXT, v, it, 0, 0);
    ou_emit(c, OP_AWAIT, v, 0, 0, 0);
    c->unit->handler = outer;
    ou_store(c, s->AsyncFor.target, v);
    c->unit->top = base + 1;
    ou_stmts(c, &s->AsyncFor.body);
    c->loc = s->AsyncFor.iter->pos;
    ou_emit(c, OP_LOOP, 0, 0, 0, start);
    ou_block_pop(c, &b);
    ou_place(c, stop);
    ou_emit(c, OP_ENDASYNCFOR, v, 0, 0, 0);
    ou_drop(c, it);
    c->unit->top = base;
    ou_stmts(c, &s->AsyncFor.orelse);
    ou_place(c, end);
}
