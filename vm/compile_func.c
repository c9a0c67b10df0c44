/* Functions: units of code, parameters and their registers, defaults, annotations, decorators, lambdas, docstrings.
 * Registers of a unit: parameters in the order of co_varnames, the other variables, cells; what does not fit becomes far. */
#include "vm/compile.h"

enum { DECORATORS_MAX = 20 };

/* ---- units ----------------------------------------------------------------------------------------------------------- */

static Str *qualified(Compiler *c, Scope *s, Str *name)
{
    Unit *up = c->unit;
    if (up && up->scope->kind == SCOPE_TYPEPARAMS)
        up = up->up;
    if (!up || !up->up)
        return name;
    if (s->kind == SCOPE_FUNCTION || s->kind == SCOPE_CLASS) {
        Symbol *y = ou_scope_find(up->scope, name);
        if (y && y->kind == SYM_GLOBAL_EXPLICIT)
            return name;
    }
    bool in_class = up->scope->kind == SCOPE_CLASS;
    Value q = ou_str_format(c->vm, in_class ? "%Q.%Q" : "%Q.<locals>.%Q", up->qualname, name);
    return as_str(ou_c_keep(c, q));
}

static uint32_t unit_flags(const Scope *s, uint8_t kind)
{
    if (kind != CODE_FUNCTION)
        return 0;
    uint32_t f = CO_OPTIMIZED | CO_NEWLOCALS;
    bool is_async = s->kind == SCOPE_FUNCTION ? ((const Stmt *)s->key)->kind == STMT_AsyncFunctionDef : s->is_coroutine;
    if (s->is_nested)
        f |= CO_NESTED;
    if (s->has_varargs)
        f |= CO_VARARGS;
    if (s->has_varkw)
        f |= CO_VARKEYWORDS;
    if (s->kind == SCOPE_LAMBDA || s->kind == SCOPE_TYPEPARAMS || s->kind == SCOPE_TYPEVALUE)
        is_async = false;
    if (s->is_generator)
        f |= is_async ? CO_ASYNC_GENERATOR : CO_GENERATOR;
    else if (is_async)
        f |= CO_COROUTINE;
    return f;
}

static void add_name(Compiler *c, Unit *u, Str *name)
{
    if (u->nnamed < u->named_cap || (u->named = ou_c_grow(c, u->named, &u->named_cap, sizeof(Str *))))
        u->named[u->nnamed++] = name;
}

/* Variables of inlined comprehensions get named registers too, so that locals() shows them while they are bound. Those of
 * comprehensions side by side share one. */
static void place_comprehensions(Compiler *c, Unit *u, Scope *s, uint32_t first)
{
    int base = (u->kind == CODE_FUNCTION ? 0 : 1) - u->nfarparams;
    for (Scope *k = s->children; k; k = k->sibling) {
        if (k->kind != SCOPE_COMP)
            continue;
        for (Symbol *y = k->first; y && !c->failed; y = y->next) {
            if (y->kind != SYM_LOCAL || y->is_cell || u->nlocals >= NEAR_LOCALS_MAX)
                continue;
            uint32_t i = first;
            for (bool taken = true; i < u->nnamed; i++) {
                taken = u->named[i] != y->name;
                for (Scope *o = k; !taken && o->kind == SCOPE_COMP; o = o->parent)
                    for (Symbol *z = o->first; z && !taken; z = z->next)
                        taken = z != y && z->is_placed && z->reg == (int)i + base;
                if (!taken)
                    break;
            }
            if (i == u->nnamed) {
                u->nlocals++;
                add_name(c, u, y->name);
            }
            y->reg = (int)i + base;
            y->is_placed = true;
        }
        place_comprehensions(c, u, k, first);
    }
}

static void assign_registers(Compiler *c, Unit *u)
{
    Scope *s = u->scope;
    bool function = u->kind == CODE_FUNCTION;
    if (!function)
        u->nlocals = 1; /* R[0]: the namespace */
    ou_emit(c, OP_MKFAR, FAR_REG, 0, 0, 0); /* comes to life when there are far locals */
    if (!c->failed)
        u->ir[0].dead = true;
    int far = 0, ncells = 0, near_max;
    for (Symbol *y = s->first; y && function; y = y->next)
        ncells += y->kind == SYM_LOCAL && y->is_cell;
    near_max = NEAR_MAX - (ncells < NEAR_CELLS_MAX ? ncells : NEAR_CELLS_MAX);
    if (near_max > NEAR_LOCALS_MAX)
        near_max = NEAR_LOCALS_MAX;
    ncells = 0;
    for (Symbol *y = s->first; y && function; y = y->next) {
        if (y->kind == SYM_LOCAL && (y->flags & DEF_PARAM)) {
            y->reg = u->nlocals < near_max ? u->nlocals++ : FAR0 + far++;
            add_name(c, u, y->name);
        }
    }
    u->nfarparams = far;
    for (Symbol *y = s->first; y && function; y = y->next) {
        if (y->kind != SYM_LOCAL || (y->flags & DEF_PARAM) || y->is_cell)
            continue;
        if (u->nlocals < near_max) {
            y->reg = u->nlocals++;
            add_name(c, u, y->name);
        } else {
            y->reg = FAR0 + far++;
        }
    }
    place_comprehensions(c, u, s, u->nnamed);
    u->nfar = far;
    u->nfarlocals = far - u->nfarparams;
    for (Symbol *y = s->first; y && far; y = y->next)
        if (y->kind == SYM_LOCAL && y->reg >= FAR0 && !(y->flags & DEF_PARAM))
            add_name(c, u, y->name);
    for (Symbol *y = s->first; y && function; y = y->next)
        if (y->kind == SYM_LOCAL && !(y->flags & DEF_PARAM) && y->is_cell)
            y->reg = ncells++ < NEAR_CELLS_MAX ? u->nlocals++ : FAR0 + u->nfar++;
    u->nfarcells = u->nfar - far;
    if (u->nfarparams)
        u->farreg = u->nlocals++;
    if (s->class_cell && s->class_cell->is_cell)
        s->class_cell->reg = u->nlocals++;
    if (s->class_dict && s->class_dict->is_cell)
        s->class_dict->reg = u->nlocals++;
    if (u->nfar > UINT16_MAX - CELL_FAR) {
        ou_c_error(c, c->loc, "too many variables in one function");
        return;
    }
    for (Symbol *y = s->first; y && function; y = y->next)
        if (y->kind == SYM_LOCAL && y->is_cell)
            ou_make_cell(c, y->reg);
    if (s->class_cell && s->class_cell->is_cell)
        ou_emit(c, OP_MKCELL, s->class_cell->reg, 0, 0, 0);
    if (s->class_dict && s->class_dict->is_cell)
        ou_emit(c, OP_MKCELL, s->class_dict->reg, 0, 0, 0);
}

Unit *ou_unit_begin(Compiler *c, Scope *s, Str *name, uint8_t kind, uint32_t line)
{
    Unit *u = c->failed || !s || !name ? NULL : ou_c_alloc(c, sizeof *u);
    if (!u)
        return NULL;
    u->c = c;
    u->scope = s;
    u->name = name;
    u->qualname = qualified(c, s, name);
    u->kind = kind;
    u->firstlineno = line;
    u->handler = -1;
    u->return_reg = NONE;
    u->doc = V_NULL;
    u->flags = unit_flags(s, kind) | (c->future_annotations ? CO_FUTURE_ANNOTATIONS : 0);
    u->can_await = (u->flags & (CO_COROUTINE | CO_ASYNC_GENERATOR)) || s->kind == SCOPE_GENEXPR;
    u->nargs = s->kind == SCOPE_GENEXPR ? 1 : 0;
    u->up = c->unit;
    u->outer_scope = c->scope;
    u->outer_loc = c->loc;
    c->unit = u;
    c->scope = s;
    c->loc = (AstPos){line, 0, line, 0};
    if (s->kind == SCOPE_TYPEPARAMS)
        for (Symbol *y = s->first; y; y = y->next)
            u->nargs = (uint16_t)(u->nargs + ((y->flags & DEF_PARAM) != 0));
    assign_registers(c, u);
    return u;
}

Code *ou_unit_end(Compiler *c)
{
    Unit *u = c->unit;
    Code *code = ou_unit_finish(c, u);
    for (uint32_t i = 0; i < u->nconsts; i++)
        release(c->vm, u->consts[i]);
    u->nconsts = 0;
    xrelease(c->vm, u->doc);
    c->unit = u->up;
    c->scope = u->outer_scope;
    c->loc = u->outer_loc;
    return code;
}

int ou_make_function(Compiler *c, Code *code, int a, int flags)
{
    ou_emit(c, OP_MKFUNC, a, 0, flags, ou_const(c, code ? v_of(code) : V_NULL));
    c->unit->top = a - TEMP0;
    return ou_push(c);
}

/* ---- docstrings ------------------------------------------------------------------------------------------------------ */

/* Tabs to columns of eight. */
static void expand_tabs(StrBuf *b, const char *p, size_t n)
{
    size_t col = 0;
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '\t') {
            do
                ou_sb_putc(b, ' ');
            while (++col % 8);
        } else {
            ou_sb_putc(b, p[i]);
            col = p[i] == '\n' || p[i] == '\r' ? 0 : col + (((unsigned char)p[i] & 0xC0) != 0x80);
        }
    }
}

/* The common indentation of all lines but the first goes, and what stands before the first one's text. */
static Value clean_doc(Compiler *c, const char *text, size_t len)
{
    StrBuf tabs, out;
    ou_sb_init(&tabs, c->vm);
    ou_sb_init(&out, c->vm);
    expand_tabs(&tabs, text, len);
    size_t margin = SIZE_MAX, n = tabs.n;
    const char *p = tabs.p;
    for (size_t i = 0; i < n;) {
        if (p[i++] != '\n')
            continue;
        size_t indent = 0;
        while (i < n && p[i] == ' ') {
            i++;
            indent++;
        }
        if (i < n && p[i] != '\n' && indent < margin)
            margin = indent;
    }
    if (margin == SIZE_MAX)
        margin = 0;
    size_t i = 0;
    while (i < n && p[i] == ' ')
        i++;
    while (i < n) {
        size_t from = i;
        while (i < n && p[i] != '\n')
            i++;
        i += i < n;
        ou_sb_put(&out, p + from, i - from);
        for (size_t k = 0; k < margin && i < n && p[i] == ' '; k++)
            i++;
    }
    bool failed = tabs.failed;
    ou_sb_drop(&tabs);
    Value v = ou_sb_finish(&out);
    if (v == V_NULL || failed)
        c->failed = true;
    return v;
}

Value ou_docstring(Compiler *c, const StmtSeq *body)
{
    if (c->optimize > 1 || !body->n || body->items[0]->kind != STMT_Expr || body->items[0]->Expr.value->kind != EXPR_Constant)
        return V_NULL;
    const AstConst *k = &body->items[0]->Expr.value->Constant.value;
    return k->kind == CONST_STR ? clean_doc(c, k->text, k->len) : V_NULL;
}

/* ---- definitions ----------------------------------------------------------------------------------------------------- */

/* Outer decorators that would take too many registers wait in far locals. */
static uint32_t far_decorators(const ExprSeq *d) { return d->n > DECORATORS_MAX ? d->n - DECORATORS_MAX : 0; }

int ou_decorators(Compiler *c, const ExprSeq *d)
{
    uint32_t nfar = far_decorators(d);
    int far = nfar ? ou_far(c, (int)nfar) : 0;
    for (uint32_t i = 0; i < d->n && !c->failed; i++) {
        int t = ou_temp(c, d->items[i]);
        if (i < nfar) {
            ou_emit(c, OP_SETFAR, t, FAR_REG, 0, far + (int)i);
            c->unit->top--;
        } else {
            ou_push(c);
        }
    }
    return far;
}

int ou_decorate(Compiler *c, const ExprSeq *d, int far, int value)
{
    AstPos loc = c->loc;
    uint32_t nfar = far_decorators(d);
    for (uint32_t i = d->n; i-- > nfar;) {
        value -= 2;
        c->loc = d->items[i]->pos;
        ou_emit(c, OP_CALL, value, 0, 1, 0);
    }
    if (nfar && c->unit->max_top < value - TEMP0 + 3)
        c->unit->max_top = value - TEMP0 + 3;
    for (uint32_t i = nfar; i-- > 0;) {
        c->loc = d->items[i]->pos;
        ou_emit(c, OP_TAKE_T, value + 2, value, 0, 0);
        ou_emit(c, OP_TAKEFAR, value, FAR_REG, 0, far + (int)i);
        ou_emit(c, OP_CALL, value, 0, 1, 0);
    }
    if (nfar)
        ou_far_done(c, far, (int)nfar);
    c->unit->top = value - TEMP0 + 1;
    c->loc = loc;
    return value;
}

void ou_annotation(Compiler *c, const Expr *e)
{
    if (c->future_annotations) {
        AstPos loc = c->loc;
        c->loc = e->pos;
        ou_load_const(c, ou_unparse(c, e), NONE);
        c->loc = loc;
    } else if (e->kind == EXPR_Starred) { /* *args: *Ts */
        int t = ou_temp(c, e->Starred.value);
        c->loc = e->pos;
        ou_emit(c, OP_UNPACK, t, 0, 1, 0);
    } else {
        ou_temp(c, e);
    }
}

static int defaults(Compiler *c, const Arguments *a)
{
    int flags = 0;
    if (a->defaults.n) {
        Value k = ou_tuple_new(c->vm, a->defaults.n);
        for (uint32_t i = 0; i < a->defaults.n && k != V_NULL; i++) {
            Value v = ou_fold(c, a->defaults.items[i]);
            if (v == V_NULL) {
                release(c->vm, k);
                k = V_NULL;
                break;
            }
            as_tuple(k)->items[i] = v;
        }
        if (k != V_NULL)
            ou_load_const(c, k, NONE);
        else
            ou_build(c, &a->defaults, OP_MKTUPLE, NONE);
        flags |= 1;
    }
    int dict = TEMP0 + c->unit->top, n = 0, most = ou_window(c) / 2;
    bool made = false;
    for (uint32_t i = 0; i < a->kwonlyargs.n && !c->failed; i++) {
        if (!a->kw_defaults.items[i])
            continue;
        ou_load_const(c, retain(v_of(cname(c, a->kwonlyargs.items[i]->arg))), NONE);
        ou_temp(c, a->kw_defaults.items[i]);
        if (made)
            ou_emit(c, OP_DICTADD, dict, dict + 1, dict + 2, 0);
        else if (++n == most)
            ou_emit(c, OP_MKDICT, dict, 0, 0, n);
        made = n == most;
        if (made)
            c->unit->top = dict - TEMP0 + 1;
        flags |= 2;
    }
    if (flags & 2 && !made)
        ou_emit(c, OP_MKDICT, dict, 0, 0, n);
    if (flags & 2)
        c->unit->top = dict - TEMP0 + 1;
    return flags;
}

typedef struct AnnSeq { /* the tuple of names and values, begun in a window and continued as a list when it is long */
    int at, most, n;
    bool list;
} AnnSeq;

static void add_annotation(Compiler *c, AnnSeq *q, Str *name, const Expr *e)
{
    if (!e || !name)
        return;
    if (!q->list && q->n >= q->most) {
        ou_emit(c, OP_MKLIST, q->at, 0, 0, q->n);
        c->unit->top = q->at - TEMP0 + 1;
        q->list = true;
    }
    int a = ou_load_const(c, retain(v_of(name)), NONE);
    if (q->list) {
        ou_emit(c, OP_LISTADD, q->at, a, 0, 0);
        c->unit->top = q->at - TEMP0 + 1;
    }
    ou_annotation(c, e);
    if (q->list) {
        ou_emit(c, OP_LISTADD, q->at, a, 0, 0);
        c->unit->top = q->at - TEMP0 + 1;
    }
    q->n += 2;
}

static void arg_annotations(Compiler *c, AnnSeq *q, const ArgSeq *s)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (s->items[i]->annotation)
            add_annotation(c, q, cname(c, s->items[i]->arg), s->items[i]->annotation);
}

static int annotations(Compiler *c, const Arguments *a, const Expr *returns)
{
    AnnSeq q = {TEMP0 + c->unit->top, ou_window(c), 0, false};
    arg_annotations(c, &q, &a->posonlyargs);
    arg_annotations(c, &q, &a->args);
    if (a->vararg && a->vararg->annotation)
        add_annotation(c, &q, cname(c, a->vararg->arg), a->vararg->annotation);
    arg_annotations(c, &q, &a->kwonlyargs);
    if (a->kwarg && a->kwarg->annotation)
        add_annotation(c, &q, cname(c, a->kwarg->arg), a->kwarg->annotation);
    if (returns)
        add_annotation(c, &q, ou_c_str(c, "return"), returns);
    if (!q.n)
        return 0;
    ou_emit(c, q.list ? OP_LISTTUPLE : OP_MKTUPLE, q.at, 0, 0, q.list ? 0 : q.n);
    c->unit->top = q.at - TEMP0 + 1;
    return 4;
}

static void signature(Unit *u, const Arguments *a)
{
    u->nposonly = (uint16_t)a->posonlyargs.n;
    u->nargs = (uint16_t)(a->posonlyargs.n + a->args.n);
    u->nkwonly = (uint16_t)a->kwonlyargs.n;
}

static bool check_args(Compiler *c, const Arguments *a)
{
    const ArgSeq *seqs[] = {&a->posonlyargs, &a->args, &a->kwonlyargs};
    for (int k = 0; k < 3; k++)
        for (uint32_t i = 0; i < seqs[k]->n; i++)
            if (ou_forbidden(c, ou_c_name(c, seqs[k]->items[i]->arg), seqs[k]->items[i]->pos, CTX_Store))
                return false;
    if (a->vararg && ou_forbidden(c, ou_c_name(c, a->vararg->arg), a->vararg->pos, CTX_Store))
        return false;
    return !(a->kwarg && ou_forbidden(c, ou_c_name(c, a->kwarg->arg), a->kwarg->pos, CTX_Store));
}

typedef struct FuncDef { /* def and async def alike */
    const AstStr *name;
    const Arguments *args;
    const StmtSeq *body;
    const ExprSeq *decorators;
    const Expr *returns;
    const TypeParamSeq *tp;
} FuncDef;

static FuncDef parts(const Stmt *s)
{
    if (s->kind == STMT_FunctionDef)
        return (FuncDef){s->FunctionDef.name, s->FunctionDef.args, &s->FunctionDef.body, &s->FunctionDef.decorator_list,
                         s->FunctionDef.returns, &s->FunctionDef.type_params};
    return (FuncDef){s->AsyncFunctionDef.name, s->AsyncFunctionDef.args, &s->AsyncFunctionDef.body,
                     &s->AsyncFunctionDef.decorator_list, s->AsyncFunctionDef.returns, &s->AsyncFunctionDef.type_params};
}

static Code *function_code(Compiler *c, const Stmt *s, const FuncDef *f, uint32_t line)
{
    Unit *u = ou_unit_begin(c, ou_scope_of(c, s), ou_c_name(c, f->name), CODE_FUNCTION, line);
    if (!u)
        return NULL;
    signature(u, f->args);
    u->doc = ou_docstring(c, f->body);
    StmtSeq rest = *f->body;
    if (u->doc != V_NULL) {
        rest.items++;
        rest.n--;
    }
    ou_stmts(c, &rest);
    ou_emit(c, OP_RETURNP, 0, 0, 0, (int32_t)V_NONE);
    return ou_unit_end(c);
}

/* MKFUNC with everything; the function is in the temporary that is returned. tp: register of the type parameters or NONE. */
static int function_object(Compiler *c, const Stmt *s, const FuncDef *f, uint32_t line, int flags, int a, int tp)
{
    flags |= annotations(c, f->args, f->returns);
    if (tp != NONE) {
        int t = ou_push(c);
        ou_move(c, t, tp);
        flags |= 8;
    }
    Code *code = function_code(c, s, f, line);
    return ou_make_function(c, code, a, flags);
}

static int generic_function(Compiler *c, const Stmt *s, const FuncDef *f, uint32_t line)
{
    Str *name = as_str(ou_c_keep(c, ou_str_format(c->vm, "<generic parameters of %Q>", ou_c_name(c, f->name))));
    int fn = ou_push(c);
    ou_push(c);
    int flags = defaults(c, f->args), top = c->unit->top;
    Unit *u = ou_unit_begin(c, ou_scope_of(c, f->tp), name, CODE_FUNCTION, line);
    if (!u)
        return fn;
    c->loc = s->pos;
    int tp = ou_type_params(c, f->tp), a = TEMP0 + c->unit->top, param = 0;
    for (int bit = 1; bit <= 2; bit <<= 1) {
        if (!(flags & bit))
            continue;
        int t = ou_push(c);
        ou_move(c, t, param++);
    }
    int r = function_object(c, s, f, line, flags, a, tp);
    ou_emit(c, OP_RETURN, r, 0, 0, 0);
    Code *code = ou_unit_end(c);
    c->unit->top = top;
    ou_make_function(c, code, fn, 0);
    ou_emit(c, OP_CALL, fn, 0, (flags & 1) + (flags >> 1 & 1), 0);
    c->unit->top = fn - TEMP0 + 1;
    return fn;
}

void ou_function_def(Compiler *c, const Stmt *s)
{
    FuncDef f = parts(s);
    int base = c->unit->top;
    if (ou_forbidden(c, ou_c_name(c, f.name), s->pos, CTX_Store) || !check_args(c, f.args))
        return;
    uint32_t line = f.decorators->n ? f.decorators->items[0]->pos.line : s->pos.line;
    int far = ou_decorators(c, f.decorators), r;
    c->loc = s->pos;
    if (f.tp->n) {
        r = generic_function(c, s, &f, line);
    } else {
        int a = TEMP0 + c->unit->top;
        int flags = defaults(c, f.args);
        r = function_object(c, s, &f, line, flags, a, NONE);
    }
    r = ou_decorate(c, f.decorators, far, r);
    c->loc = s->pos;
    ou_store_name(c, cname(c, f.name), r);
    c->unit->top = base;
}

int ou_lambda(Compiler *c, const Expr *e, int dst)
{
    int base = c->unit->top, a = TEMP0 + base;
    if (!check_args(c, e->Lambda.args))
        return ou_result(c, dst);
    int flags = defaults(c, e->Lambda.args);
    Unit *u = ou_unit_begin(c, ou_scope_of(c, e), ou_c_str(c, "<lambda>"), CODE_FUNCTION, e->pos.line);
    if (!u)
        return ou_result(c, dst);
    signature(u, e->Lambda.args);
    Value k = ou_fold(c, e->Lambda.body);
    c->loc = e->Lambda.body->pos;
    if (k != V_NULL && !is_obj(k) && k < 0x20) {
        ou_emit(c, OP_RETURNP, 0, 0, 0, (int32_t)k);
    } else {
        int r = ou_operand(c, e->Lambda.body);
        ou_emit(c, OP_RETURN, r, 0, 0, 0);
    }
    xrelease(c->vm, k);
    Code *code = ou_unit_end(c);
    c->loc = e->pos;
    ou_make_function(c, code, a, flags);
    c->unit->top = base;
    if (dst != NONE) {
        ou_move(c, dst, a);
        return dst;
    }
    return ou_push(c);
}
