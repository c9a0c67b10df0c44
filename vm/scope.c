/* The first pass of the compiler: walks the tree, opens a Scope for everything that has names of its own and notes what is
 * done with each name; scope_resolve.c then decides whose variable it is. ou_scope_build is the entry.
 * The errors found here come before all others of the compiler, as in CPython: its messages and positions are kept. */
#include "vm/scope.h"

#include "vm/compile.h"

typedef struct ScopeCell {
    const void *key;
    Scope *scope;
} ScopeCell;

/* ---- tables ---------------------------------------------------------------------------------------------------------- */

static uint32_t pointer_hash(const void *p)
{
    uint64_t x = (uint64_t)(uintptr_t)p * UINT64_C(0x9E3779B97F4A7C15);
    return (uint32_t)(x >> 32);
}

static void map_put(Compiler *c, const void *key, Scope *s)
{
    if (c->nscopes * 2 >= c->scopes_mask) {
        uint32_t mask = c->scopes ? c->scopes_mask * 2 + 1 : 63;
        ScopeCell *cells = ou_c_alloc(c, sizeof(ScopeCell) * ((size_t)mask + 1));
        if (!cells)
            return;
        for (uint32_t i = 0; c->scopes && i <= c->scopes_mask; i++) {
            if (!c->scopes[i].key)
                continue;
            uint32_t h = pointer_hash(c->scopes[i].key) & mask;
            while (cells[h].key)
                h = (h + 1) & mask;
            cells[h] = c->scopes[i];
        }
        c->scopes = cells;
        c->scopes_mask = mask;
    }
    uint32_t h = pointer_hash(key) & c->scopes_mask;
    while (c->scopes[h].key)
        h = (h + 1) & c->scopes_mask;
    c->scopes[h] = (ScopeCell){key, s};
    c->nscopes++;
}

Scope *ou_scope_of(Compiler *c, const void *key)
{
    if (!c->scopes)
        return NULL;
    for (uint32_t h = pointer_hash(key) & c->scopes_mask; c->scopes[h].key; h = (h + 1) & c->scopes_mask)
        if (c->scopes[h].key == key)
            return c->scopes[h].scope;
    return NULL;
}

Symbol *ou_scope_find(const Scope *s, const Str *name)
{
    if (!s->nbuckets)
        return NULL;
    for (Symbol *y = s->table[pointer_hash(name) & (s->nbuckets - 1)]; y; y = y->chain)
        if (y->name == name)
            return y;
    return NULL;
}

static Symbol *symbol(Compiler *c, Scope *s, Str *name)
{
    Symbol *y = ou_scope_find(s, name);
    if (y)
        return y;
    if (s->nsymbols >= s->nbuckets) {
        uint32_t n = s->nbuckets ? s->nbuckets * 2 : 8;
        Symbol **table = ou_c_alloc(c, n * sizeof(Symbol *));
        if (!table)
            return NULL;
        for (Symbol *k = s->first; k; k = k->next) {
            uint32_t h = pointer_hash(k->name) & (n - 1);
            k->chain = table[h];
            table[h] = k;
        }
        s->table = table;
        s->nbuckets = n;
    }
    y = ou_c_alloc(c, sizeof *y);
    if (!y)
        return NULL;
    y->name = name;
    y->scope = s;
    y->owner = y;
    y->reg = -1;
    uint32_t h = pointer_hash(name) & (s->nbuckets - 1);
    y->chain = s->table[h];
    s->table[h] = y;
    if (s->last)
        s->last->next = y;
    else
        s->first = y;
    s->last = y;
    s->nsymbols++;
    return y;
}

static uint32_t flags_of(const Scope *s, const Str *name)
{
    Symbol *y = ou_scope_find(s, name);
    return y ? y->flags : 0;
}

static bool is_comp(const Scope *s) { return s->kind == SCOPE_COMP || s->kind == SCOPE_GENEXPR; }
static bool is_annotation_scope(const Scope *s) { return s->kind == SCOPE_TYPEPARAMS || s->kind == SCOPE_TYPEVALUE; }

static Scope *scope_open(Compiler *c, ScopeKind kind, const void *key, uint32_t line)
{
    Scope *s = ou_c_alloc(c, sizeof *s), *up = c->scope;
    if (!s)
        return NULL;
    s->kind = kind;
    s->key = key;
    s->parent = up;
    s->first_line = line;
    s->code = kind == SCOPE_COMP ? up->code : s;
    if (up) {
        s->private_class = up->private_class;
        s->mangled = up->mangled;
        s->comp_iter_expr = up->comp_iter_expr;
        s->is_nested = up->is_nested || (up->kind != SCOPE_MODULE && up->kind != SCOPE_CLASS);
        if (up->last_child)
            up->last_child->sibling = s;
        else
            up->children = s;
        up->last_child = s;
        if (kind == SCOPE_TYPEPARAMS || kind == SCOPE_TYPEVALUE)
            s->sees_class = up->kind == SCOPE_CLASS || (is_annotation_scope(up) && up->sees_class);
    }
    map_put(c, key, s);
    c->scope = s;
    return s;
}

static void add_def(Compiler *c, Scope *s, Str *name, uint32_t flags, AstPos pos)
{
    if (c->failed)
        return;
    Symbol *y = symbol(c, s, name);
    if (!y)
        return;
    if ((flags & DEF_PARAM) && (y->flags & DEF_PARAM)) {
        ou_c_error(c, pos, "duplicate argument '%Q' in function definition", name);
        return;
    }
    if ((flags & DEF_TYPE_PARAM) && (y->flags & DEF_TYPE_PARAM)) {
        ou_c_error(c, pos, "duplicate type parameter '%Q'", name);
        return;
    }
    if (s->comp_iter_target && (flags & DEF_LOCAL)) {
        if (y->flags & (DEF_GLOBAL | DEF_NONLOCAL)) {
            ou_c_error(c, pos, "comprehension inner loop cannot rebind assignment expression target '%Q'", name);
            return;
        }
        flags |= DEF_COMP_ITER;
    }
    y->flags |= flags;
    if ((flags & DEF_GLOBAL) && s != c->module_scope) { /* the module's own code then means the global too, even with locals */
        Symbol *m = symbol(c, c->module_scope, name);
        if (m)
            m->flags |= DEF_GLOBAL;
    }
    if (flags & (DEF_GLOBAL | DEF_NONLOCAL))
        if (!y->pos.line)
            y->pos = pos;
}

static void def(Compiler *c, const AstStr *name, uint32_t flags, AstPos pos)
{
    Str *n = ou_c_mangle(c, c->scope, name);
    if (n)
        add_def(c, c->scope, n, flags, pos);
}

/* ---- the walk -------------------------------------------------------------------------------------------------------- */

static void expr(Compiler *c, const Expr *e);
static void stmts(Compiler *c, const StmtSeq *s);

static void exprs(Compiler *c, const ExprSeq *s)
{
    for (uint32_t i = 0; i < s->n && !c->failed; i++)
        if (s->items[i])
            expr(c, s->items[i]);
}

/* Expressions that change the flow have no place in lazily evaluated scopes. */
static bool annotation_block(Compiler *c, const char *what, AstPos pos)
{
    if (c->scope->kind == SCOPE_TYPEVALUE)
        ou_c_error(c, pos, "%s cannot be used within %s", what, c->scope->type_what);
    else if (c->scope->kind == SCOPE_TYPEPARAMS)
        ou_c_error(c, pos, "%s cannot be used within the definition of a generic", what);
    return c->failed;
}

static void walrus_in_comp(Compiler *c, const Expr *target)
{
    Str *name = ou_c_mangle(c, c->scope, target->Name.id);
    if (!name)
        return;
    for (Scope *s = c->scope; s; s = s->parent) {
        if (is_comp(s)) {
            if (flags_of(s, name) & DEF_COMP_ITER) {
                ou_c_error(c, target->pos, "assignment expression cannot rebind comprehension iteration variable '%Q'",
                           ou_c_name(c, target->Name.id));
                return;
            }
            continue;
        }
        switch (s->kind) {
        case SCOPE_MODULE:
            add_def(c, c->scope, name, DEF_GLOBAL, target->pos);
            add_def(c, s, name, DEF_GLOBAL, target->pos);
            return;
        case SCOPE_CLASS:
            ou_c_error(c, target->pos, "assignment expression within a comprehension cannot be used in a class body");
            return;
        case SCOPE_TYPEPARAMS:
            ou_c_error(c, target->pos,
                       "assignment expression within a comprehension cannot be used within the definition of a generic");
            return;
        case SCOPE_TYPEVALUE:
            ou_c_error(c, target->pos, "assignment expression within a comprehension cannot be used in %s", s->type_what);
            return;
        default:
            s->has_walrus = true;
            add_def(c, c->scope, name, flags_of(s, name) & DEF_GLOBAL ? DEF_GLOBAL : DEF_NONLOCAL, target->pos);
            add_def(c, s, name, DEF_LOCAL, target->pos);
            return;
        }
    }
}

static void iterable(Compiler *c, const Expr *e)
{
    Scope *s = c->scope;
    bool old = s->comp_iter_expr;
    s->comp_iter_expr = true;
    expr(c, e);
    s->comp_iter_expr = old;
}

static void comp_target(Compiler *c, const Expr *target)
{
    c->scope->comp_iter_target = true;
    expr(c, target);
    c->scope->comp_iter_target = false;
}

static void comprehension(Compiler *c, const Expr *e, const ComprehensionSeq *gens, const Expr *key, const Expr *value)
{
    Scope *up = c->scope;
    iterable(c, gens->items[0]->iter);
    Scope *s = scope_open(c, e->kind == EXPR_GeneratorExp ? SCOPE_GENEXPR : SCOPE_COMP, e, e->pos.line);
    if (!s)
        return;
    s->comp_kind = e->kind;
    s->is_generator = e->kind == EXPR_GeneratorExp;
    if (s->is_generator)
        add_def(c, s, ou_c_str(c, ".0"), DEF_PARAM, e->pos);
    for (uint32_t i = 0; i < gens->n && !c->failed; i++) {
        const Comprehension *g = gens->items[i];
        if (g->is_async)
            s->is_coroutine = true;
        comp_target(c, g->target);
        if (i > 0)
            iterable(c, g->iter);
        exprs(c, &g->ifs);
    }
    if (key)
        expr(c, key);
    expr(c, value);
    c->scope = up;
    if (s->is_coroutine && s->kind == SCOPE_COMP)
        up->is_coroutine = true;
}

static void arg(Compiler *c, const Arg *a)
{
    if (a)
        def(c, a->arg, DEF_PARAM, a->pos);
}

static void params(Compiler *c, const Arguments *a)
{
    for (uint32_t i = 0; i < a->posonlyargs.n; i++)
        arg(c, a->posonlyargs.items[i]);
    for (uint32_t i = 0; i < a->args.n; i++)
        arg(c, a->args.items[i]);
    for (uint32_t i = 0; i < a->kwonlyargs.n; i++)
        arg(c, a->kwonlyargs.items[i]);
    arg(c, a->vararg);
    arg(c, a->kwarg);
    c->scope->has_varargs = a->vararg != NULL;
    c->scope->has_varkw = a->kwarg != NULL;
}

static void annotation(Compiler *c, const Expr *e)
{
    if (!e)
        return;
    if (!c->future_annotations) {
        expr(c, e);
        return;
    }
    /* Never evaluated: walked for its errors only, then forgotten. */
    Scope *up = c->scope, *last = up->last_child;
    Scope *s = scope_open(c, SCOPE_TYPEVALUE, e, e->pos.line);
    if (!s)
        return;
    s->type_what = "an annotation";
    expr(c, e);
    c->scope = up;
    up->last_child = last;
    if (last)
        last->sibling = NULL;
    else
        up->children = NULL;
}

static void annotations(Compiler *c, const Arguments *a, const Expr *returns)
{
    const ArgSeq *seqs[] = {&a->posonlyargs, &a->args, &a->kwonlyargs};
    for (int k = 0; k < 3; k++) {
        if (k == 2 && a->vararg)
            annotation(c, a->vararg->annotation);
        if (k == 2 && a->kwarg)
            annotation(c, a->kwarg->annotation);
        for (uint32_t i = 0; i < seqs[k]->n; i++)
            annotation(c, seqs[k]->items[i]->annotation);
    }
    annotation(c, returns);
}

static void type_value(Compiler *c, const void *key, const Expr *e, const char *what)
{
    if (!e)
        return;
    Scope *up = c->scope, *s = scope_open(c, SCOPE_TYPEVALUE, key, e->pos.line);
    if (!s)
        return;
    s->type_what = what;
    expr(c, e);
    c->scope = up;
}

static void type_params(Compiler *c, const TypeParamSeq *tp)
{
    bool had_default = false;
    for (uint32_t i = 0; i < tp->n && !c->failed; i++) {
        const TypeParam *t = tp->items[i];
        const AstStr *name;
        const Expr *dflt;
        const void *key;
        const char *what;
        if (t->kind == TYPEPARAM_TypeVar) {
            name = t->TypeVar.name;
            dflt = t->TypeVar.default_value;
            key = &t->TypeVar.default_value;
            what = "a TypeVar default";
        } else if (t->kind == TYPEPARAM_ParamSpec) {
            name = t->ParamSpec.name;
            dflt = t->ParamSpec.default_value;
            key = &t->ParamSpec.default_value;
            what = "a ParamSpec default";
        } else {
            name = t->TypeVarTuple.name;
            dflt = t->TypeVarTuple.default_value;
            key = &t->TypeVarTuple.default_value;
            what = "a TypeVarTuple default";
        }
        Str *n = ou_c_mangle(c, c->scope, name);
        if (!n || ou_forbidden(c, n, t->pos, CTX_Store))
            return;
        add_def(c, c->scope, n, DEF_TYPE_PARAM | DEF_LOCAL, t->pos);
        if (t->kind == TYPEPARAM_TypeVar && t->TypeVar.bound)
            type_value(c, &t->TypeVar.bound, t->TypeVar.bound,
                       t->TypeVar.bound->kind == EXPR_Tuple ? "a TypeVar constraint" : "a TypeVar bound");
        if (dflt)
            had_default = true;
        else if (had_default)
            ou_c_error(c, t->pos, "non-default type parameter '%Q' follows default type parameter", n);
        type_value(c, key, dflt, what);
    }
}

static void expr_comp_attr(Compiler *c, const Expr *e)
{
    if (e->Attribute.ctx != CTX_Store || e->Attribute.value->kind != EXPR_Name ||
        strcmp(e->Attribute.value->Name.id->text, "self") != 0)
        return;
    Scope *s = c->scope;
    while (s && s->kind != SCOPE_CLASS)
        s = s->parent;
    if (!s)
        return;
    Str *n = ou_c_name(c, e->Attribute.attr);
    if (s->nstatic && s->static_attrs[s->nstatic - 1] == n)
        return;
    if (s->nstatic == s->static_cap && !(s->static_attrs = ou_c_grow(c, s->static_attrs, &s->static_cap, sizeof(Str *))))
        return;
    s->static_attrs[s->nstatic++] = n;
}

static void name_expr(Compiler *c, const Expr *e)
{
    uint8_t ctx = e->Name.ctx;
    def(c, e->Name.id, ctx == CTX_Load ? DEF_USE : ctx == CTX_Del ? DEF_LOCAL | DEF_DELETED : DEF_LOCAL, e->pos);
    Scope *s = c->scope->code;
    if (ctx == CTX_Load && (s->kind == SCOPE_FUNCTION || s->kind == SCOPE_LAMBDA || s->kind == SCOPE_GENEXPR) &&
        strcmp(e->Name.id->text, "super") == 0)
        add_def(c, c->scope, name_of(c->vm, N_DU_class), DEF_USE, e->pos);
}

static void yield_expr(Compiler *c, const Expr *e)
{
    Scope *s = c->scope;
    if (annotation_block(c, "yield expression", e->pos))
        return;
    if (e->kind == EXPR_Yield ? e->Yield.value != NULL : true)
        expr(c, e->kind == EXPR_Yield ? e->Yield.value : e->YieldFrom.value);
    s->is_generator = true;
    if (is_comp(s)) {
        const char *what = s->comp_kind == EXPR_ListComp  ? "list comprehension"
                           : s->comp_kind == EXPR_SetComp ? "set comprehension"
                           : s->comp_kind == EXPR_DictComp ? "dict comprehension"
                                                           : "generator expression";
        ou_c_error(c, e->pos, "'yield' inside %s", what);
    }
}

static void lambda_expr(Compiler *c, const Expr *e)
{
    exprs(c, &e->Lambda.args->defaults);
    exprs(c, &e->Lambda.args->kw_defaults);
    Scope *up = c->scope;
    if (!scope_open(c, SCOPE_LAMBDA, e, e->pos.line))
        return;
    params(c, e->Lambda.args);
    expr(c, e->Lambda.body);
    c->scope = up;
}

static void expr(Compiler *c, const Expr *e)
{
    if (c->failed || !ou_c_enter(c))
        return;
    switch (e->kind) {
    case EXPR_BoolOp: exprs(c, &e->BoolOp.values); break;
    case EXPR_NamedExpr:
        if (annotation_block(c, "named expression", e->pos))
            break;
        if (c->scope->comp_iter_expr) {
            ou_c_error(c, e->pos, "assignment expression cannot be used in a comprehension iterable expression");
            break;
        }
        if (is_comp(c->scope))
            walrus_in_comp(c, e->NamedExpr.target);
        else
            c->scope->code->has_walrus = true;
        expr(c, e->NamedExpr.value);
        if (is_comp(c->scope))
            def(c, e->NamedExpr.target->Name.id, DEF_WALRUS, e->NamedExpr.target->pos);
        else
            expr(c, e->NamedExpr.target);
        break;
    case EXPR_BinOp:
        expr(c, e->BinOp.left);
        expr(c, e->BinOp.right);
        break;
    case EXPR_UnaryOp: expr(c, e->UnaryOp.operand); break;
    case EXPR_Lambda: lambda_expr(c, e); break;
    case EXPR_IfExp:
        expr(c, e->IfExp.test);
        expr(c, e->IfExp.body);
        expr(c, e->IfExp.orelse);
        break;
    case EXPR_Dict:
        exprs(c, &e->Dict.keys);
        exprs(c, &e->Dict.values);
        break;
    case EXPR_Set: exprs(c, &e->Set.elts); break;
    case EXPR_ListComp: comprehension(c, e, &e->ListComp.generators, NULL, e->ListComp.elt); break;
    case EXPR_SetComp: comprehension(c, e, &e->SetComp.generators, NULL, e->SetComp.elt); break;
    case EXPR_DictComp: comprehension(c, e, &e->DictComp.generators, e->DictComp.key, e->DictComp.value); break;
    case EXPR_GeneratorExp: comprehension(c, e, &e->GeneratorExp.generators, NULL, e->GeneratorExp.elt); break;
    case EXPR_Await:
        if (annotation_block(c, "await expression", e->pos))
            break;
        expr(c, e->Await.value);
        c->scope->is_coroutine = true;
        break;
    case EXPR_Yield:
    case EXPR_YieldFrom: yield_expr(c, e); break;
    case EXPR_Compare:
        expr(c, e->Compare.left);
        exprs(c, &e->Compare.comparators);
        break;
    case EXPR_Call:
        expr(c, e->Call.func);
        exprs(c, &e->Call.args);
        for (uint32_t i = 0; i < e->Call.keywords.n && !c->failed; i++)
            expr(c, e->Call.keywords.items[i]->value);
        break;
    case EXPR_FormattedValue:
        expr(c, e->FormattedValue.value);
        if (e->FormattedValue.format_spec)
            expr(c, e->FormattedValue.format_spec);
        break;
    case EXPR_JoinedStr: exprs(c, &e->JoinedStr.values); break;
    case EXPR_Attribute:
        expr_comp_attr(c, e);
        expr(c, e->Attribute.value);
        break;
    case EXPR_Subscript:
        expr(c, e->Subscript.value);
        expr(c, e->Subscript.slice);
        break;
    case EXPR_Starred: expr(c, e->Starred.value); break;
    case EXPR_Name: name_expr(c, e); break;
    case EXPR_List: exprs(c, &e->List.elts); break;
    case EXPR_Tuple: exprs(c, &e->Tuple.elts); break;
    case EXPR_Slice:
        if (e->Slice.lower)
            expr(c, e->Slice.lower);
        if (e->Slice.upper)
            expr(c, e->Slice.upper);
        if (e->Slice.step)
            expr(c, e->Slice.step);
        break;
    default: break;
    }
    c->depth--;
}

static void pattern(Compiler *c, const Pattern *p)
{
    if (c->failed || !ou_c_enter(c))
        return;
    const PatternSeq *subs = NULL;
    switch (p->kind) {
    case PATTERN_MatchValue: expr(c, p->MatchValue.value); break;
    case PATTERN_MatchSequence: subs = &p->MatchSequence.patterns; break;
    case PATTERN_MatchMapping:
        exprs(c, &p->MatchMapping.keys);
        subs = &p->MatchMapping.patterns;
        if (p->MatchMapping.rest)
            def(c, p->MatchMapping.rest, DEF_LOCAL, p->pos);
        break;
    case PATTERN_MatchClass:
        expr(c, p->MatchClass.cls);
        for (uint32_t i = 0; i < p->MatchClass.patterns.n; i++)
            pattern(c, p->MatchClass.patterns.items[i]);
        subs = &p->MatchClass.kwd_patterns;
        break;
    case PATTERN_MatchStar:
        if (p->MatchStar.name)
            def(c, p->MatchStar.name, DEF_LOCAL, p->pos);
        break;
    case PATTERN_MatchAs:
        if (p->MatchAs.pattern)
            pattern(c, p->MatchAs.pattern);
        if (p->MatchAs.name)
            def(c, p->MatchAs.name, DEF_LOCAL, p->pos);
        break;
    case PATTERN_MatchOr: subs = &p->MatchOr.patterns; break;
    default: break;
    }
    for (uint32_t i = 0; subs && i < subs->n; i++)
        pattern(c, subs->items[i]);
    c->depth--;
}

static void function_def(Compiler *c, const Stmt *s)
{
    bool is_async = s->kind == STMT_AsyncFunctionDef;
    const AstStr *name = is_async ? s->AsyncFunctionDef.name : s->FunctionDef.name;
    const Arguments *args = is_async ? s->AsyncFunctionDef.args : s->FunctionDef.args;
    const StmtSeq *body = is_async ? &s->AsyncFunctionDef.body : &s->FunctionDef.body;
    const ExprSeq *decorators = is_async ? &s->AsyncFunctionDef.decorator_list : &s->FunctionDef.decorator_list;
    const Expr *returns = is_async ? s->AsyncFunctionDef.returns : s->FunctionDef.returns;
    const TypeParamSeq *tp = is_async ? &s->AsyncFunctionDef.type_params : &s->FunctionDef.type_params;
    def(c, name, DEF_LOCAL, s->pos);
    exprs(c, decorators);
    exprs(c, &args->defaults);
    exprs(c, &args->kw_defaults);
    Scope *up = c->scope;
    if (tp->n) {
        Scope *t = scope_open(c, SCOPE_TYPEPARAMS, tp, s->pos.line);
        if (!t)
            return;
        bool kwdefaults = false;
        for (uint32_t i = 0; i < args->kw_defaults.n; i++)
            kwdefaults |= args->kw_defaults.items[i] != NULL;
        if (args->defaults.n)
            add_def(c, t, ou_c_str(c, ".defaults"), DEF_PARAM, s->pos);
        if (kwdefaults)
            add_def(c, t, ou_c_str(c, ".kwdefaults"), DEF_PARAM, s->pos);
        type_params(c, tp);
    }
    annotations(c, args, returns);
    Scope *f = c->failed ? NULL : scope_open(c, SCOPE_FUNCTION, s, s->pos.line);
    if (!f)
        return;
    f->is_coroutine = is_async;
    params(c, args);
    stmts(c, body);
    c->scope = up;
}

static void class_def(Compiler *c, const Stmt *s)
{
    def(c, s->ClassDef.name, DEF_LOCAL, s->pos);
    exprs(c, &s->ClassDef.decorator_list);
    Scope *up = c->scope;
    Str *private_class = ou_c_name(c, s->ClassDef.name);
    if (s->ClassDef.type_params.n) {
        Scope *t = scope_open(c, SCOPE_TYPEPARAMS, &s->ClassDef.type_params, s->pos.line);
        if (!t)
            return;
        t->private_class = private_class;
        t->mangled = &s->ClassDef.type_params;
        add_def(c, t, ou_c_str(c, ".type_params"), DEF_LOCAL, s->pos);
        add_def(c, t, ou_c_str(c, ".generic_base"), DEF_LOCAL, s->pos);
        type_params(c, &s->ClassDef.type_params);
    }
    exprs(c, &s->ClassDef.bases);
    for (uint32_t i = 0; i < s->ClassDef.keywords.n; i++)
        expr(c, s->ClassDef.keywords.items[i]->value);
    Scope *k = c->failed ? NULL : scope_open(c, SCOPE_CLASS, s, s->pos.line);
    if (!k)
        return;
    k->private_class = private_class;
    k->mangled = NULL;
    if (s->ClassDef.type_params.n)
        add_def(c, k, ou_c_str(c, ".type_params"), DEF_USE, s->pos);
    stmts(c, &s->ClassDef.body);
    c->scope = up;
}

static void global_stmt(Compiler *c, const IdSeq *names, bool is_global, AstPos pos)
{
    const char *what = is_global ? "global" : "nonlocal";
    if (!is_global && c->scope->kind == SCOPE_MODULE) {
        ou_c_error(c, pos, "nonlocal declaration not allowed at module level");
        return;
    }
    for (uint32_t i = 0; i < names->n && !c->failed; i++) {
        Str *n = ou_c_mangle(c, c->scope, names->items[i]);
        if (!n)
            return;
        uint32_t f = flags_of(c->scope, n);
        if (f & DEF_PARAM)
            ou_c_error(c, pos, "name '%Q' is parameter and %s", n, what);
        else if (f & DEF_USE)
            ou_c_error(c, pos, "name '%Q' is used prior to %s declaration", n, what);
        else if (f & DEF_ANNOT)
            ou_c_error(c, pos, "annotated name '%Q' can't be %s", n, what);
        else if (f & DEF_LOCAL)
            ou_c_error(c, pos, "name '%Q' is assigned to before %s declaration", n, what);
        add_def(c, c->scope, n, is_global ? DEF_GLOBAL : DEF_NONLOCAL, pos);
    }
}

static void alias(Compiler *c, const Alias *a, bool is_import)
{
    if (a->asname) {
        def(c, a->asname, DEF_IMPORT, a->pos);
        return;
    }
    if (a->name->len == 1 && a->name->text[0] == '*') {
        if (c->scope->kind != SCOPE_MODULE)
            ou_c_error(c, a->pos, "import * only allowed at module level");
        return;
    }
    const char *dot = is_import ? memchr(a->name->text, '.', a->name->len) : NULL;
    if (!dot) {
        def(c, a->name, DEF_IMPORT, a->pos);
        return;
    }
    Value v = v_of(ou_intern(c->vm, a->name->text, (size_t)(dot - a->name->text)));
    if (v == V_NULL)
        c->failed = true;
    else
        add_def(c, c->scope, as_str(ou_c_keep(c, v)), DEF_IMPORT, a->pos);
}

static void ann_assign(Compiler *c, const Stmt *s)
{
    const Expr *t = s->AnnAssign.target;
    if (t->kind == EXPR_Name) {
        Str *n = ou_c_mangle(c, c->scope, t->Name.id);
        if (!n)
            return;
        uint32_t f = flags_of(c->scope, n);
        if ((f & (DEF_GLOBAL | DEF_NONLOCAL)) && c->scope->kind != SCOPE_MODULE && s->AnnAssign.simple) {
            ou_c_error(c, s->pos, "annotated name '%Q' can't be %s", n, f & DEF_GLOBAL ? "global" : "nonlocal");
            return;
        }
        if (s->AnnAssign.simple)
            add_def(c, c->scope, n, DEF_ANNOT | DEF_LOCAL, t->pos);
        else if (s->AnnAssign.value)
            add_def(c, c->scope, n, DEF_LOCAL, t->pos);
    } else {
        expr(c, t);
    }
    annotation(c, s->AnnAssign.annotation);
    if (s->AnnAssign.value)
        expr(c, s->AnnAssign.value);
}

static void try_stmt(Compiler *c, const StmtSeq *body, const HandlerSeq *handlers, const StmtSeq *orelse,
                     const StmtSeq *final)
{
    stmts(c, body);
    for (uint32_t i = 0; i < handlers->n && !c->failed; i++) {
        const ExceptHandler *h = handlers->items[i];
        if (h->type)
            expr(c, h->type);
        if (h->name)
            def(c, h->name, DEF_LOCAL, h->pos);
        stmts(c, &h->body);
    }
    stmts(c, orelse);
    stmts(c, final);
}

static void with_items(Compiler *c, const WithItemSeq *items)
{
    for (uint32_t i = 0; i < items->n && !c->failed; i++) {
        expr(c, items->items[i]->context_expr);
        if (items->items[i]->optional_vars)
            expr(c, items->items[i]->optional_vars);
    }
}

static void type_alias(Compiler *c, const Stmt *s)
{
    expr(c, s->TypeAlias.name);
    Scope *up = c->scope;
    if (s->TypeAlias.type_params.n) {
        if (!scope_open(c, SCOPE_TYPEPARAMS, &s->TypeAlias.type_params, s->pos.line))
            return;
        type_params(c, &s->TypeAlias.type_params);
    }
    type_value(c, &s->TypeAlias.value, s->TypeAlias.value, "a type alias");
    c->scope = up;
}

static void stmt(Compiler *c, const Stmt *s)
{
    if (c->failed || !ou_c_enter(c))
        return;
    switch (s->kind) {
    case STMT_FunctionDef:
    case STMT_AsyncFunctionDef: function_def(c, s); break;
    case STMT_ClassDef: class_def(c, s); break;
    case STMT_Return:
        if (s->Return.value) {
            expr(c, s->Return.value);
            c->scope->returns_value = true;
        }
        break;
    case STMT_Delete: exprs(c, &s->Delete.targets); break;
    case STMT_Assign:
        exprs(c, &s->Assign.targets);
        expr(c, s->Assign.value);
        break;
    case STMT_TypeAlias: type_alias(c, s); break;
    case STMT_AugAssign:
        if (s->AugAssign.target->kind == EXPR_Attribute) /* self.x += 1 does not name a static attribute */
            expr(c, s->AugAssign.target->Attribute.value);
        else
            expr(c, s->AugAssign.target);
        expr(c, s->AugAssign.value);
        break;
    case STMT_AnnAssign: ann_assign(c, s); break;
    case STMT_For:
        expr(c, s->For.target);
        expr(c, s->For.iter);
        stmts(c, &s->For.body);
        stmts(c, &s->For.orelse);
        break;
    case STMT_AsyncFor:
        expr(c, s->AsyncFor.target);
        expr(c, s->AsyncFor.iter);
        stmts(c, &s->AsyncFor.body);
        stmts(c, &s->AsyncFor.orelse);
        break;
    case STMT_While:
        expr(c, s->While.test);
        stmts(c, &s->While.body);
        stmts(c, &s->While.orelse);
        break;
    case STMT_If:
        expr(c, s->If.test);
        stmts(c, &s->If.body);
        stmts(c, &s->If.orelse);
        break;
    case STMT_With:
        with_items(c, &s->With.items);
        stmts(c, &s->With.body);
        break;
    case STMT_AsyncWith:
        with_items(c, &s->AsyncWith.items);
        stmts(c, &s->AsyncWith.body);
        break;
    case STMT_Match:
        expr(c, s->Match.subject);
        for (uint32_t i = 0; i < s->Match.cases.n && !c->failed; i++) {
            const MatchCase *m = s->Match.cases.items[i];
            pattern(c, m->pattern);
            if (m->guard)
                expr(c, m->guard);
            stmts(c, &m->body);
        }
        break;
    case STMT_Raise:
        if (s->Raise.exc)
            expr(c, s->Raise.exc);
        if (s->Raise.cause)
            expr(c, s->Raise.cause);
        break;
    case STMT_Try: try_stmt(c, &s->Try.body, &s->Try.handlers, &s->Try.orelse, &s->Try.finalbody); break;
    case STMT_TryStar:
        try_stmt(c, &s->TryStar.body, &s->TryStar.handlers, &s->TryStar.orelse, &s->TryStar.finalbody);
        break;
    case STMT_Assert:
        expr(c, s->Assert.test);
        if (s->Assert.msg)
            expr(c, s->Assert.msg);
        break;
    case STMT_Import:
        for (uint32_t i = 0; i < s->Import.names.n; i++)
            alias(c, s->Import.names.items[i], true);
        break;
    case STMT_ImportFrom:
        for (uint32_t i = 0; i < s->ImportFrom.names.n; i++)
            alias(c, s->ImportFrom.names.items[i], false);
        break;
    case STMT_Global: global_stmt(c, &s->Global.names, true, s->pos); break;
    case STMT_Nonlocal: global_stmt(c, &s->Nonlocal.names, false, s->pos); break;
    case STMT_Expr: expr(c, s->Expr.value); break;
    default: break;
    }
    c->depth--;
}

static void stmts(Compiler *c, const StmtSeq *s)
{
    for (uint32_t i = 0; i < s->n && !c->failed; i++)
        stmt(c, s->items[i]);
}

/* ---- the whole --------------------------------------------------------------------------------------------------------- */

bool ou_scope_build(Compiler *c, const AstMod *mod)
{
    Scope *s = scope_open(c, SCOPE_MODULE, mod, 1);
    if (!s)
        return false;
    c->module_scope = s; /* add_def reaches it from everywhere */
    if (mod->kind == MOD_Expression)
        expr(c, mod->Expression.body);
    else
        stmts(c, mod->kind == MOD_Module ? &mod->Module.body : &mod->Interactive.body);
    if (!c->failed)
        ou_scope_resolve(c, s);
    return !c->failed;
}
