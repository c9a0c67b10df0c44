/* try in all its forms, with, and the ways out of blocks: return, break, continue.
 * Handlers cost nothing until something is raised: an instruction only remembers which one covers it. A way out runs the
 * cleanup of every block it leaves in place (a final body is compiled once per way out, as in CPython), each piece under
 * the handler that is in force outside of that block. A handler's code begins with the exception in its register; PUSHEXC makes
 * it the handled one (register + 1 keeps the former), POPEXC ends that. */
#include "vm/compile.h"

void ou_block_push(Compiler *c, Block *b, BlockKind kind, int reg)
{
    memset(b, 0, sizeof *b);
    b->up = c->unit->block;
    b->kind = (uint8_t)kind;
    b->reg = (int16_t)reg;
    b->outer = c->unit->handler;
    b->loc = c->loc;
    c->unit->block = b;
}

void ou_block_pop(Compiler *c, Block *b)
{
    c->unit->block = b->up;
    c->unit->handler = b->outer;
}

static void unbind(Compiler *c, Str *name)
{
    if (!name)
        return;
    Symbol *y = ou_symbol(c, name), *o = y ? y->owner : NULL;
    bool local = o && (y->kind == SYM_LOCAL || y->kind == SYM_FREE) && o->scope->code == c->unit->scope && !o->is_cell &&
                 o->reg >= 0 && !is_far(o->reg);
    if (local) { /* None or whatever stands there: it goes, bound or not */
        ou_emit(c, OP_LOADP, o->reg, 0, 0, (int32_t)V_UNBOUND);
        return;
    }
    int t = ou_load_imm(c, V_NONE, NONE);
    ou_store_name(c, name, t);
    c->unit->top--;
    ou_delete_name(c, name);
}

/* exit(None, None, None) for the method in the temporary reg, which is consumed. */
static void call_exit(Compiler *c, int reg, bool is_async, bool at_top)
{
    int base = c->unit->top, fn = reg;
    if (!at_top) {
        fn = ou_push(c);
        ou_emit(c, OP_TAKE_T, fn, reg, 0, 0);
    }
    c->unit->top = fn - TEMP0 + 2;
    for (int i = 0; i < 3; i++)
        ou_load_imm(c, V_NONE, NONE);
    ou_emit(c, OP_CALL, fn, 0, 3, 0);
    if (is_async)
        ou_await_reg(c, fn, 2);
    ou_drop(c, fn);
    c->unit->top = base;
}

void ou_unwind_block(Compiler *c, Block *b)
{
    AstPos loc = c->loc;
    c->unit->block = b->up;
    c->unit->handler = b->outer;
    switch (b->kind) {
    case BLOCK_FOR:
    case BLOCK_VALUE:
    case BLOCK_ASYNC_FOR: ou_drop(c, b->reg); break;
    case BLOCK_FINALLY: {
        bool quiet = c->no_warnings;
        int value = c->unit->return_reg;
        Block v;
        if (value != NONE)
            ou_block_push(c, &v, BLOCK_VALUE, value);
        c->unit->return_reg = NONE;
        c->no_warnings = true;
        ou_stmts(c, b->final);
        c->no_warnings = quiet;
        c->unit->return_reg = value;
        if (value != NONE)
            ou_block_pop(c, &v);
        break;
    }
    case BLOCK_FINALLY_END: ou_emit(c, OP_POPEXC, b->reg, 0, 0, 0); break;
    case BLOCK_HANDLER:
        ou_emit(c, OP_POPEXC, b->reg, 0, 0, 0);
        unbind(c, b->name);
        break;
    case BLOCK_WITH:
    case BLOCK_ASYNC_WITH:
        c->loc = b->loc;
        call_exit(c, b->reg, b->kind == BLOCK_ASYNC_WITH, false);
        break;
    case BLOCK_EXCEPT_STAR:
        ou_c_error(c, loc, "'break', 'continue' and 'return' cannot appear in an except* block");
        break;
    default: break;
    }
    c->loc = loc;
}

/* Leaves all blocks up to and without `stop` and restores the compiler's view: what follows is not reached. */
static void unwind_to(Compiler *c, Block *stop, bool stop_too)
{
    for (Block *b = c->unit->block; b && b != stop && !c->failed; b = b->up)
        ou_unwind_block(c, b);
    if (stop && stop_too)
        ou_unwind_block(c, stop);
}

void ou_return(Compiler *c, const Stmt *s)
{
    uint8_t kind = c->unit->scope->kind;
    const Expr *e = s->Return.value;
    if (kind != SCOPE_FUNCTION && kind != SCOPE_LAMBDA) {
        ou_c_error(c, s->pos, "'return' outside function");
        return;
    }
    if (e && (c->unit->flags & CO_ASYNC_GENERATOR)) {
        ou_c_error(c, s->pos, "'return' with value in async generator");
        return;
    }
    Block *block = c->unit->block;
    int handler = c->unit->handler, r = NONE;
    bool runs = false; /* does some code run between the value and the return? */
    for (Block *b = block; b; b = b->up)
        runs |= b->kind != BLOCK_LOOP && b->kind != BLOCK_TRY;
    Value k = e ? ou_fold(c, e) : V_NONE;
    if (k == V_NULL) {
        r = ou_operand(c, e);
        if (runs && !is_temp(r)) {
            int t = ou_push(c);
            ou_move(c, t, r);
            r = t;
        }
    }
    c->loc = s->pos;
    int outer_value = c->unit->return_reg;
    c->unit->return_reg = r != NONE && is_temp(r) ? r : NONE;
    unwind_to(c, NULL, false);
    c->unit->return_reg = outer_value;
    if (k != V_NULL && !is_obj(k) && k < 0x20) {
        ou_emit(c, OP_RETURNP, 0, 0, 0, (int32_t)k);
    } else {
        if (r == NONE)
            r = ou_load_const(c, k, NONE);
        ou_emit(c, OP_RETURN, r, 0, 0, 0);
    }
    c->unit->block = block;
    c->unit->handler = handler;
}

void ou_break(Compiler *c, const Stmt *s)
{
    bool is_break = s->kind == STMT_Break;
    Block *block = c->unit->block, *loop = block;
    int handler = c->unit->handler;
    while (loop && loop->kind != BLOCK_LOOP && loop->kind != BLOCK_FOR && loop->kind != BLOCK_ASYNC_FOR) {
        if (loop->kind == BLOCK_EXCEPT_STAR) {
            ou_unwind_block(c, loop);
            return;
        }
        loop = loop->up;
    }
    if (!loop) {
        ou_c_error(c, s->pos, is_break ? "'break' outside loop" : "'continue' not properly in loop");
        return;
    }
    int value = c->unit->return_reg;
    c->unit->return_reg = NONE;
    unwind_to(c, loop, is_break);
    c->unit->return_reg = value;
    if (is_break)
        ou_jump(c, loop->brk);
    else
        ou_emit(c, OP_LOOP, 0, 0, 0, loop->cont);
    c->unit->block = block;
    c->unit->handler = handler;
}

/* The end of every handler: the exception in reg (with reg + 1) is no longer handled, the one in reg + 2 goes on. Comes by
 * falling in with a copy of reg in reg + 2, or through the handler `label` that covers the handler's body. */
static void end_handler(Compiler *c, int reg, int label, int outer)
{
    c->unit->handler = outer;
    ou_place(c, label);
    ou_emit(c, OP_POPEXC, reg, 0, 0, 0);
    ou_emit(c, OP_RERAISE, reg + 2, 0, 0, 0);
}

static void except_clauses(Compiler *c, const HandlerSeq *handlers, int reg, int end, int outer)
{
    int cleanup = ou_label(c);
    c->unit->top = reg - TEMP0;
    ou_push(c);
    ou_push(c);
    ou_emit(c, OP_PUSHEXC, reg, 0, 0, 0);
    int inside = ou_handler(c, cleanup, reg + 2);
    bool catches_all = false;
    for (uint32_t i = 0; i < handlers->n && !c->failed; i++) {
        const ExceptHandler *h = handlers->items[i];
        int next = ou_label(c), base = c->unit->top;
        c->loc = h->pos;
        c->unit->handler = inside;
        if (h->type) {
            int t = ou_operand(c, h->type);
            c->loc = h->pos; /* the whole clause, as CPython does */
            ou_emit(c, OP_EXCMATCH, reg, t, 0, next);
            c->unit->top = base;
        } else if (i + 1 < handlers->n) {
            ou_c_error(c, h->pos, "default 'except:' must be last");
            return;
        } else {
            catches_all = true;
        }
        Str *name = h->name ? cname(c, h->name) : NULL;
        c->loc = h->pos;
        if (name) {
            if (ou_forbidden(c, name, h->pos, CTX_Store))
                return;
            int t = ou_push(c);
            ou_emit(c, OP_MOVE_T, t, reg, 0, 0);
            ou_store_name(c, name, t);
            c->unit->top = base;
        }
        Block b;
        ou_block_push(c, &b, BLOCK_HANDLER, reg);
        b.outer = outer;
        b.name = name;
        int named = ou_label(c);
        if (name)
            c->unit->handler = ou_handler(c, named, reg + 2);
        ou_stmts(c, &h->body);
        c->loc = h->pos;
        ou_block_pop(c, &b);
        ou_emit(c, OP_POPEXC, reg, 0, 0, 0);
        unbind(c, name);
        ou_jump(c, end);
        if (name) {
            ou_place(c, named);
            c->unit->handler = inside;
            c->unit->top = reg - TEMP0 + 3;
            unbind(c, name);
            c->unit->handler = outer;
            ou_emit(c, OP_POPEXC, reg, 0, 0, 0);
            ou_emit(c, OP_RERAISE, reg + 2, 0, 0, 0);
            c->unit->top = base;
        }
        ou_place(c, next);
    }
    if (!catches_all) {
        ou_push(c);
        c->unit->handler = outer;
        ou_emit(c, OP_MOVE_T, reg + 2, reg, 0, 0);
    }
    end_handler(c, reg, cleanup, outer);
    c->unit->top = reg - TEMP0;
}

static void star_clauses(Compiler *c, const HandlerSeq *handlers, int reg, int end, int outer)
{
    int cleanup = ou_label(c), list = reg + 2, rest = reg + 3, match = reg + 4, raised = reg + 6;
    c->unit->top = reg - TEMP0;
    for (int i = 0; i < 4; i++)
        ou_push(c);
    ou_emit(c, OP_PUSHEXC, reg, 0, 0, 0);
    int inside = ou_handler(c, cleanup, reg + 2);
    c->unit->handler = inside;
    ou_emit(c, OP_MKLIST, list, 0, 0, 0);
    ou_emit(c, OP_MOVE_T, rest, reg, 0, 0);
    for (uint32_t i = 0; i < handlers->n && !c->failed; i++) {
        const ExceptHandler *h = handlers->items[i];
        int next = ou_label(c), none = ou_label(c), failed = ou_label(c);
        c->unit->top = match - TEMP0;
        c->loc = h->pos;
        c->unit->handler = inside;
        ou_temp(c, h->type);
        c->loc = h->pos;
        ou_emit(c, OP_EGMATCH, rest, match, 0, 0);
        int copy = ou_push(c);
        ou_emit(c, OP_MOVE_T, copy, match, 0, 0);
        ou_emit(c, OP_JNONE, copy, 0, 1, none);
        ou_emit(c, OP_PUSHEXC, match, 0, 0, 0); /* the matching part is what sys.exception() sees */
        ou_push(c);
        c->unit->handler = ou_handler(c, failed, raised);
        Str *name = h->name ? cname(c, h->name) : NULL;
        c->loc = h->pos;
        if (name && !ou_forbidden(c, name, h->pos, CTX_Store)) {
            c->unit->top = raised - TEMP0;
            int t = ou_push(c);
            ou_emit(c, OP_MOVE_T, t, match, 0, 0);
            ou_store_name(c, name, t);
        }
        c->unit->top = raised - TEMP0;
        Block b;
        ou_block_push(c, &b, BLOCK_EXCEPT_STAR, reg);
        ou_stmts(c, &h->body);
        ou_block_pop(c, &b);
        c->loc = h->pos;
        c->unit->handler = inside;
        ou_emit(c, OP_POPEXC, match, 0, 0, 0);
        unbind(c, name);
        ou_jump(c, next);
        ou_place(c, failed);
        c->unit->top = raised - TEMP0 + 1;
        ou_emit(c, OP_POPEXC, match, 0, 0, 0);
        unbind(c, name);
        ou_emit(c, OP_LISTADD, list, raised, 0, 0);
        ou_jump(c, next);
        ou_place(c, none);
        ou_drop(c, match);
        ou_place(c, next);
    }
    c->unit->handler = inside;
    ou_emit(c, OP_LISTADD, list, rest, 0, 0);
    ou_emit(c, OP_EGRERAISE, reg, list, 0, 0);
    int done = ou_label(c);
    ou_emit(c, OP_MOVE_T, rest, list, 0, 0);
    c->unit->handler = outer;
    ou_emit(c, OP_JNONE, rest, 0, 1, done);
    end_handler(c, reg, cleanup, outer);
    ou_place(c, done);
    ou_drop(c, list);
    ou_emit(c, OP_POPEXC, reg, 0, 0, 0);
    ou_jump(c, end);
    c->unit->top = reg - TEMP0;
}

static void try_except(Compiler *c, const StmtSeq *body, const HandlerSeq *handlers, const StmtSeq *orelse, bool star)
{
    int outer = c->unit->handler, caught = ou_label(c), end = ou_label(c), reg = TEMP0 + c->unit->top;
    Block b;
    ou_block_push(c, &b, BLOCK_TRY, reg);
    c->unit->handler = ou_handler(c, caught, reg);
    ou_stmts(c, body);
    ou_block_pop(c, &b);
    ou_stmts(c, orelse);
    ou_jump(c, end);
    ou_place(c, caught);
    if (star)
        star_clauses(c, handlers, reg, end, outer);
    else
        except_clauses(c, handlers, reg, end, outer);
    c->unit->handler = outer;
    ou_place(c, end);
}

static void try_finally(Compiler *c, const StmtSeq *body, const HandlerSeq *handlers, const StmtSeq *orelse,
                        const StmtSeq *final, bool star)
{
    int outer = c->unit->handler, caught = ou_label(c), end = ou_label(c), cleanup = ou_label(c), base = c->unit->top;
    int reg = TEMP0 + base;
    Block b;
    ou_block_push(c, &b, BLOCK_FINALLY, reg);
    b.final = final;
    c->unit->handler = ou_handler(c, caught, reg);
    if (handlers->n)
        try_except(c, body, handlers, orelse, star);
    else
        ou_stmts(c, body);
    ou_block_pop(c, &b);
    ou_stmts(c, final);
    ou_jump(c, end);
    ou_place(c, caught);
    bool quiet = c->no_warnings;
    c->no_warnings = true;
    ou_push(c);
    ou_push(c);
    ou_emit(c, OP_PUSHEXC, reg, 0, 0, 0);
    ou_block_push(c, &b, BLOCK_FINALLY_END, reg);
    c->unit->handler = ou_handler(c, cleanup, reg + 2);
    ou_stmts(c, final);
    ou_block_pop(c, &b);
    c->no_warnings = quiet;
    ou_push(c);
    ou_emit(c, OP_MOVE_T, reg + 2, reg, 0, 0);
    end_handler(c, reg, cleanup, outer);
    c->unit->top = base;
    ou_place(c, end);
}

void ou_try(Compiler *c, const Stmt *s)
{
    if (s->Try.finalbody.n)
        try_finally(c, &s->Try.body, &s->Try.handlers, &s->Try.orelse, &s->Try.finalbody, false);
    else
        try_except(c, &s->Try.body, &s->Try.handlers, &s->Try.orelse, false);
}

void ou_try_star(Compiler *c, const Stmt *s)
{
    if (s->TryStar.finalbody.n)
        try_finally(c, &s->TryStar.body, &s->TryStar.handlers, &s->TryStar.orelse, &s->TryStar.finalbody, true);
    else
        try_except(c, &s->TryStar.body, &s->TryStar.handlers, &s->TryStar.orelse, true);
}

/* ---- with ------------------------------------------------------------------------------------------------------------ */

void ou_with(Compiler *c, const Stmt *s, uint32_t i)
{
    bool is_async = s->kind == STMT_AsyncWith;
    const WithItemSeq *items = is_async ? &s->AsyncWith.items : &s->With.items;
    const StmtSeq *body = is_async ? &s->AsyncWith.body : &s->With.body;
    const WithItem *item = items->items[i];
    bool top_await = (c->flags & PYCF_TOP_LEVEL_AWAIT) && c->unit->scope->kind == SCOPE_MODULE;
    if (is_async && !top_await && !c->unit->can_await) {
        ou_c_error(c, s->pos, "'async with' outside async function");
        return;
    }
    int base = c->unit->top, outer = c->unit->handler;
    int caught = ou_label(c), end = ou_label(c), cleanup = ou_label(c), suppress = ou_label(c);
    int t = ou_temp(c, item->context_expr), v = ou_push(c), exc = v;
    c->loc = item->context_expr->pos;
    ou_emit(c, OP_WITHENTER, t, 0, is_async, 0);
    ou_push(c); /* the free register of the call */
    ou_emit(c, OP_CALL, v, 0, 0, 0);
    c->unit->top = v - TEMP0 + 1;
    if (is_async)
        ou_await_reg(c, v, 1);
    Block b;
    ou_block_push(c, &b, is_async ? BLOCK_ASYNC_WITH : BLOCK_WITH, t);
    c->unit->handler = ou_handler(c, caught, exc);
    if (item->optional_vars)
        ou_store(c, item->optional_vars, v);
    else
        ou_drop(c, v);
    c->unit->top = v - TEMP0;
    if (i + 1 < items->n)
        ou_with(c, s, i + 1);
    else
        ou_stmts(c, body);
    ou_block_pop(c, &b);
    c->loc = item->context_expr->pos;
    c->unit->top = t - TEMP0 + 1;
    call_exit(c, t, is_async, true);
    ou_jump(c, end);

    ou_place(c, caught);
    c->unit->top = exc - TEMP0 + 2;
    ou_emit(c, OP_PUSHEXC, exc, 0, 0, 0);
    c->unit->handler = ou_handler(c, cleanup, exc + 2);
    int fn = ou_push(c);
    for (int k = 0; k < 4; k++)
        ou_push(c);
    ou_emit(c, OP_WITHEXC, fn, t, exc, 0);
    ou_emit(c, OP_CALL, fn, 0, 3, 0);
    if (is_async)
        ou_await_reg(c, fn, 2);
    ou_emit(c, OP_JUMPT, fn, 0, 0, suppress);
    c->unit->handler = outer;
    ou_emit(c, OP_MOVE_T, exc + 2, exc, 0, 0);
    end_handler(c, exc, cleanup, outer);
    ou_place(c, suppress);
    ou_emit(c, OP_POPEXC, exc, 0, 0, 0);
    ou_drop(c, t);
    c->unit->top = base;
    ou_place(c, end);
}
