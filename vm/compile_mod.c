/* ou_compile: source to Code; and what all files of the compiler use: memory, names, errors, warnings.
 * Everything that lives while compiling is in one arena; names are interned once per AstStr. */
#include <stdarg.h>

#include "runtime/objects/import.h"
#include "vm/call.h"
#include "vm/compile.h"

enum { DEPTH_MAX = 30000, DEPTH_BLIND = 1000 };


/* ---- memory ---------------------------------------------------------------------------------------------------------- */

void ou_c_nomem(Compiler *c)
{
    if (!c->failed)
        ou_raise_memory(c->vm);
    c->failed = true;
}

void *ou_c_alloc(Compiler *c, size_t n)
{
    void *p = ou_arena_alloc0(&c->arena, n ? n : 1);
    if (!p)
        ou_c_nomem(c);
    return p;
}

void *ou_c_grow(Compiler *c, void *p, uint32_t *cap, size_t item)
{
    uint32_t n = *cap ? *cap * 2 : 16;
    void *q = ou_arena_extend(&c->arena, p, *cap * item, n * item);
    if (!q)
        ou_c_nomem(c);
    else
        *cap = n;
    return q;
}

bool ou_c_enter(Compiler *c)
{
    if (++c->depth <= (c->vm->c_floor ? DEPTH_MAX : DEPTH_BLIND) && !ou_cstack_below(c->vm->c_floor))
        return true;
    c->depth--;
    if (!c->failed)
        ou_raise_recursion(c->vm, " during compilation");
    c->failed = true;
    return false;
}

/* ---- names: never NULL; after a failure some name stands in ------------------------------------------------------------ */

Value ou_c_keep(Compiler *c, Value v)
{
    if (v == V_NULL) {
        c->failed = true;
        return v_of(c->vm->names[0]);
    }
    if (c->nkeep == c->keep_cap) {
        Value *keep = ou_c_grow(c, c->keep, &c->keep_cap, sizeof(Value));
        if (!keep) {
            release(c->vm, v);
            return v_of(c->vm->names[0]);
        }
        c->keep = keep;
    }
    return c->keep[c->nkeep++] = v;
}

Str *ou_c_name(Compiler *c, const AstStr *s)
{
    Str **place = &c->names[s->id];
    if (!*place && !(*place = ou_intern(c->vm, s->text, s->len))) {
        c->failed = true;
        return c->vm->names[0];
    }
    return *place;
}

Str *ou_c_str(Compiler *c, const char *s)
{
    Str *t = ou_intern_c(c->vm, s);
    return as_str(ou_c_keep(c, t ? v_of(t) : V_NULL));
}

Str *ou_c_mangle(Compiler *c, Scope *s, const AstStr *name)
{
    Str *n = ou_c_name(c, name), *k = s->private_class;
    const char *p = name->text;
    if (s->mangled) {
        bool param = false;
        for (uint32_t i = 0; i < s->mangled->n; i++) {
            const TypeParam *t = s->mangled->items[i];
            param |= name == (t->kind == TYPEPARAM_TypeVar     ? t->TypeVar.name
                              : t->kind == TYPEPARAM_ParamSpec ? t->ParamSpec.name
                                                               : t->TypeVarTuple.name);
        }
        if (!param)
            return n;
    }
    if (!k || name->len < 3 || p[0] != '_' || p[1] != '_' || (p[name->len - 1] == '_' && p[name->len - 2] == '_') ||
        memchr(p, '.', name->len))
        return n;
    size_t skip = 0;
    while (skip < k->size && k->data[skip] == '_')
        skip++;
    if (skip == k->size)
        return n;
    size_t size = 1 + (k->size - skip) + name->len;
    char *text = ou_c_alloc(c, size + 1);
    if (!text)
        return n;
    text[0] = '_';
    memcpy(text + 1, k->data + skip, k->size - skip);
    memcpy(text + 1 + (k->size - skip), p, name->len);
    Str *m = ou_intern(c->vm, text, size);
    return as_str(ou_c_keep(c, m ? v_of(m) : V_NULL));
}

/* ---- errors ---------------------------------------------------------------------------------------------------------- */

/* The few formats that the compiler's messages use: %s, %d, %Q (Str *), %R (repr of a Value). */
static Value message(VM *vm, const char *fmt, va_list ap)
{
    StrBuf b;
    ou_sb_init(&b, vm);
    for (; *fmt; fmt++) {
        if (*fmt != '%' || !fmt[1]) {
            ou_sb_putc(&b, *fmt);
            continue;
        }
        switch (*++fmt) {
        case 's': ou_sb_puts(&b, va_arg(ap, const char *)); break;
        case 'd': ou_sb_printf(&b, "%d", va_arg(ap, int)); break;
        case 'Q': ou_sb_str(&b, v_of(va_arg(ap, Str *))); break;
        case 'R': ou_sb_repr(&b, va_arg(ap, Value)); break;
        default: ou_sb_putc(&b, *fmt); break;
        }
    }
    return ou_sb_finish(&b);
}

static const char *line_of(Compiler *c, uint32_t line, size_t *n)
{
    const char *p = c->src, *end = c->src + c->src_len;
    for (uint32_t i = 1; i < line && p; i++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        p = nl ? nl + 1 : NULL;
    }
    if (!p)
        return NULL;
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    *n = (size_t)((nl ? nl + 1 : end) - p);
    return p;
}

/* A column in bytes from 0 as one in characters from 1. */
static Value column(Compiler *c, uint32_t line, uint32_t col)
{
    size_t n = 0, k = 1;
    const char *p = line_of(c, line, &n);
    if (!p)
        return v_smallint((int64_t)col + 1);
    for (size_t i = 0; i < col && i < n; i++)
        k += ((unsigned char)p[i] & 0xC0) != 0x80;
    return v_smallint((int64_t)k);
}

static void raise_syntax(Compiler *c, TypeId type, Value msg, Value lineno, Value col, Value text, Value end_line, Value end_col)
{
    VM *vm = c->vm;
    Value where[6] = {c->filename, lineno, col, text, end_line, end_col};
    Value args[2] = {msg, V_NULL};
    if (msg != V_NULL)
        args[1] = ou_tuple_of(vm, where, end_line == V_NONE ? 4 : 6);
    if (args[1] != V_NULL) {
        ou_raise_args(vm, type, args, 2);
        release(vm, args[1]);
    }
    c->failed = true;
}

static bool is_file(Compiler *c)
{
    Str *f = as_str(c->filename);
    return f->size && f->data[0] != '<';
}

void ou_c_error(Compiler *c, AstPos pos, const char *fmt, ...)
{
    if (c->failed)
        return;
    va_list ap;
    va_start(ap, fmt);
    Value msg = message(c->vm, fmt, ap), text = V_NONE;
    va_end(ap);
    size_t n;
    const char *p = is_file(c) ? line_of(c, pos.line, &n) : NULL;
    if (p && msg != V_NULL) {
        bool valid;
        text = ou_str_from_bytes(c->vm, p, n, &valid);
        if (text == V_NULL) {
            ou_exc_clear(c->vm);
            text = V_NONE;
        }
    }
    raise_syntax(c, E_SYNTAX, msg, v_smallint(pos.line), column(c, pos.line, pos.col), text, v_smallint(pos.end_line),
                 pos.end_col == UINT32_MAX ? V_NONE : column(c, pos.end_line, pos.end_col));
    xrelease(c->vm, msg);
    release(c->vm, text);
}

/* warnings.warn_explicit; a warning that became an exception is a SyntaxError at its place. */
static bool warn_at(Compiler *c, TypeId category, Value msg, uint32_t line)
{
    VM *vm = c->vm;
    Value warn = ou_import_attr(vm, "warnings", "warn_explicit");
    if (warn == V_NULL) { /* a core without the module: nobody would see it */
        ou_exc_clear(vm);
        return true;
    }
    Value args[4] = {msg, v_of(ou_builtin(vm, category)), c->filename, v_smallint(line)};
    Value r = ou_call(vm, warn, args, 4, NULL);
    release(vm, warn);
    xrelease(vm, r);
    return r != V_NULL;
}

bool ou_c_warn(Compiler *c, AstPos pos, const char *fmt, ...)
{
    if (c->failed || c->no_warnings)
        return !c->failed;
    va_list ap;
    va_start(ap, fmt);
    Value msg = message(c->vm, fmt, ap);
    va_end(ap);
    if (msg == V_NULL) {
        c->failed = true;
        return false;
    }
    if (!warn_at(c, E_SYNTAX_WARNING, msg, pos.line)) {
        if (ou_exc_matches(c->vm, E_SYNTAX_WARNING)) {
            ou_exc_clear(c->vm);
            ou_c_error(c, pos, "%Q", as_str(msg));
        }
        c->failed = true;
    }
    release(c->vm, msg);
    return !c->failed;
}

/* ---- parsing --------------------------------------------------------------------------------------------------------- */

static bool parse_warning(void *ud, ParseWarning kind, const char *text, int line, int col, int end_line, int end_col)
{
    Compiler *c = ud;
    (void)col;
    (void)end_line;
    (void)end_col;
    Value msg = ou_str_c(c->vm, text);
    if (msg == V_NULL)
        return false;
    TypeId category = kind == PARSE_WARN_SYNTAX ? E_SYNTAX_WARNING : E_DEPRECATION_WARNING;
    bool ok = warn_at(c, category, msg, (uint32_t)line);
    if (!ok && ou_exc_matches(c->vm, category)) {
        ou_exc_clear(c->vm);
        raise_syntax(c, E_SYNTAX, msg, v_smallint(line), v_smallint(col), V_NONE, v_smallint(end_line), v_smallint(end_col));
    }
    release(c->vm, msg);
    return ok;
}

static void raise_with_file(Compiler *c, const char *msg)
{
    const char *place = strstr(msg, "%s");
    ou_raise(c->vm, E_SYNTAX, "%.*s%U%s", (int)(place - msg), msg, c->filename, place + 2);
}

static void parse_failed(Compiler *c, const ParseError *e, uint32_t flags)
{
    VM *vm = c->vm;
    c->failed = true;
    if (e->kind == PARSE_WARNED)
        return;
    if (e->kind == PARSE_MEMORY && !e->msg[0]) {
        ou_raise_memory(vm);
        return;
    }
    if (e->kind == PARSE_MEMORY || e->kind == PARSE_RECURSION) {
        ou_raise(vm, e->kind == PARSE_MEMORY ? E_MEMORY : E_RECURSION, "%s", e->msg);
        return;
    }
    TypeId type = e->kind == PARSE_INDENTATION ? E_INDENTATION : e->kind == PARSE_TAB ? E_TAB : E_SYNTAX;
    bool incomplete = e->incomplete && (flags & PYCF_INCOMPLETE);
    if (incomplete)
        type = E_INCOMPLETE_INPUT;
    Value msg = ou_str_c(vm, incomplete ? "incomplete input" : e->msg), text = V_NONE;
    if (e->text) {
        bool valid;
        text = ou_str_from_bytes(vm, e->text, e->text_len, &valid);
        if (text == V_NULL) {
            ou_exc_clear(vm);
            text = V_NONE;
        } else if (!e->text_is_bare && strncmp(e->msg, "unterminated string", 19) != 0) {
            /* Python's line has its newline, but for these */
            Value line = ou_str_format(vm, "%U\n", text);
            release(vm, text);
            text = line == V_NULL ? V_NONE : line;
        }
    }
    bool placed = e->end_line > 0 || e->text;
    if (e->names_file)
        raise_with_file(c, e->msg);
    else if (e->line < 0)
        ou_raise(vm, type, "%s", e->msg);
    else
        raise_syntax(c, type, msg, v_smallint(e->line), v_smallint(e->col), text,
                     placed ? v_smallint(e->end_line) : V_NONE, placed ? v_smallint(e->end_col) : V_NONE);
    xrelease(vm, msg);
    release(vm, text);
}

/* ---- __future__ ------------------------------------------------------------------------------------------------------ */

static void future_features(Compiler *c, const StmtSeq *body)
{
    static const char *const known[] = {"nested_scopes", "generators",       "division",       "absolute_import",
                                        "with_statement", "print_function", "unicode_literals", "barry_as_FLUFL",
                                        "generator_stop", "annotations"};
    for (uint32_t i = 0; i < body->n && !c->failed; i++) {
        const Stmt *s = body->items[i];
        if (s->kind == STMT_Expr && i == 0 && s->Expr.value->kind == EXPR_Constant && s->Expr.value->Constant.value.kind == CONST_STR)
            continue;
        if (s->kind != STMT_ImportFrom || !s->ImportFrom.module || s->ImportFrom.level ||
            strcmp(s->ImportFrom.module->text, "__future__") != 0)
            return;
        for (uint32_t k = 0; k < s->ImportFrom.names.n; k++) {
            const char *name = s->ImportFrom.names.items[k]->name->text;
            bool found = false;
            for (size_t j = 0; j < sizeof known / sizeof known[0]; j++)
                found |= strcmp(known[j], name) == 0;
            if (strcmp(name, "annotations") == 0)
                c->future_annotations = true;
            AstPos pos = s->pos;
            pos.end_line = pos.line;
            pos.end_col = UINT32_MAX; /* unknown */
            if (strcmp(name, "braces") == 0)
                ou_c_error(c, pos, "not a chance");
            else if (!found)
                ou_c_error(c, pos, "future feature %s is not defined", name);
        }
        c->future_line = s->pos.line;
        c->future_col = s->pos.col;
    }
}

/* ---- the whole ------------------------------------------------------------------------------------------------------- */

static Code *module_code(Compiler *c)
{
    uint8_t kind = c->mod->kind == MOD_Expression ? CODE_EXPR : CODE_MODULE;
    Unit *u = ou_unit_begin(c, c->module_scope, ou_c_str(c, "<module>"), kind, 1);
    if (!u)
        return NULL;
    if ((c->flags & PYCF_TOP_LEVEL_AWAIT) && c->module_scope->is_coroutine)
        u->flags |= c->module_scope->is_generator ? CO_ASYNC_GENERATOR : CO_COROUTINE;
    if (c->mod->kind == MOD_Expression) {
        const Expr *e = c->mod->Expression.body;
        c->loc = e->pos;
        int r = ou_operand(c, e);
        ou_emit(c, OP_RETURN, r, 0, 0, 0);
    } else {
        c->interactive = c->mod->kind == MOD_Interactive;
        if (c->interactive)
            ou_stmts(c, &c->mod->Interactive.body);
        else
            ou_body(c, &c->mod->Module.body);
        ou_emit(c, OP_RETURNP, 0, 0, 0, (int32_t)V_NONE);
    }
    return ou_unit_end(c);
}

static Code *compile_source(Compiler *c, ParseMode mode, uint32_t flags)
{
    ParseError err;
    memset(&err, 0, sizeof err);
    uint32_t pflags = (flags & 0x800 ? PARSE_IS_STR : 0) | (flags & PYCF_DONT_IMPLY_DEDENT ? PARSE_DONT_IMPLY_DEDENT : 0) |
                      (flags & COMPILE_FROM_FILE ? PARSE_FROM_FILE : 0);
    c->mod = ou_parse_warn(&c->arena, c->src, c->src_len, mode, pflags, parse_warning, c, &err);
    if (!c->mod) {
        parse_failed(c, &err, flags);
        return NULL;
    }
    c->nnames = c->mod->names + 1;
    c->names = ou_c_alloc(c, sizeof(Str *) * c->nnames);
    c->generic_base = ou_c_alloc(c, sizeof(AstStr) + 16);
    if (c->failed)
        return NULL;
    c->generic_base->id = c->nnames - 1;
    c->generic_base->len = 13;
    memcpy(c->generic_base->text, ".generic_base", 14);
    c->future_annotations = (flags & CO_FUTURE_ANNOTATIONS) != 0;
    if (c->mod->kind != MOD_Expression)
        future_features(c, c->mod->kind == MOD_Module ? &c->mod->Module.body : &c->mod->Interactive.body);
    if (c->failed || !ou_scope_build(c, c->mod))
        return NULL;
    c->scope = NULL;
    return module_code(c);
}

Value ou_compile(VM *vm, const char *src, size_t n, Value filename, const char *mode, uint32_t flags)
{
    Compiler *c = ou_alloc0(&vm->heap, sizeof *c);
    if (!c)
        return ou_raise_memory(vm);
    ou_arena_init(&c->arena, &vm->heap);
    c->vm = vm;
    c->src = src;
    c->src_len = n;
    c->filename = filename;
    c->optimize = flags >> COMPILE_OPTIMIZE ? (int)(flags >> COMPILE_OPTIMIZE) - 1 : vm->optimize;
    flags &= (UINT32_C(1) << COMPILE_OPTIMIZE) - 1;
    c->flags = flags;
    ParseMode pm = strcmp(mode, "eval") == 0 ? PARSE_EVAL : strcmp(mode, "single") == 0 ? PARSE_SINGLE : PARSE_EXEC;
    Code *code = compile_source(c, pm, flags);
    if (c->failed && code) {
        obj_release(vm, code);
        code = NULL;
    }
    for (uint32_t i = 0; c->names && i < c->nnames; i++)
        if (c->names[i])
            obj_release(vm, c->names[i]);
    for (uint32_t i = 0; i < c->nkeep; i++)
        release(vm, c->keep[i]);
    ou_arena_fini(&c->arena);
    ou_free(&vm->heap, c, sizeof *c);
    if (!code && vm->exc == V_NULL)
        return ou_raise(vm, E_SYSTEM, "compilation failed without an exception");
    return code ? v_of(code) : V_NULL;
}
