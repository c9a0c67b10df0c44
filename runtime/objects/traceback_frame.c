/* One traceback entry as text: where, the source lines, and the carets under the failing part, as CPython 3.13 draws them.
 * Entry point: ou_tb_frames. The one thing to know: what the carets look like depends on the syntax of the marked text
 * ("~~^~~" around an operator, "~~^^^" from a call's parenthesis on), so the marked text is parsed again here. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utf8proc.h>

#include "grammar/parse.h"
#include "runtime/base/utf8.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/func.h"
#include "runtime/objects/import.h"
#include "runtime/objects/state.h"
#include "runtime/objects/traceback_impl.h"

/* ---- source text ---------------------------------------------------------------------------------------------------------- */

/* Inputs of a prompt share one name: each is known by its own str object. */
static Value object_key(const Str *s) { return v_smallint((int64_t)((uintptr_t)s >> 4)); }

bool ou_source_remember(VM *vm, Value filename, const char *src, size_t n, bool by_object)
{
    if (vm->source_cache == V_NULL && (vm->source_cache = ou_dict_new(vm)) == V_NULL)
        return false;
    bool valid = true;
    Value text = ou_str_from_bytes(vm, src, n, &valid);
    if (text == V_NULL)
        return !valid && vm->exc == V_NULL; /* not UTF-8: there will be no source lines */
    Value entry = text;
    if (by_object) { /* the name stays, or another would get its address */
        Value both[2] = {text, retain(filename)};
        entry = ou_tuple_take(vm, both, 2);
    }
    bool ok = entry != V_NULL &&
              ou_dict_set(vm, as_dict(vm->source_cache), by_object ? object_key(as_str(filename)) : filename, entry);
    xrelease(vm, entry);
    return ok;
}

/* A source that is no UTF-8 has declared itself Latin-1. */
static void as_utf8(VM *vm, SourceFile *f)
{
    size_t high = 0, at;
    if (ou_utf8_check(f->p, f->n, NULL, &at))
        return;
    for (size_t i = 0; i < f->n; i++)
        high += (unsigned char)f->p[i] >= 0x80;
    char *q = ou_alloc(&vm->heap, f->n + high), *o = q;
    if (!q)
        return;
    for (size_t i = 0; i < f->n; i++) {
        unsigned char c = (unsigned char)f->p[i];
        if (c >= 0x80) {
            *o++ = (char)(0xC0 | c >> 6);
            c = (unsigned char)(0x80 | (c & 0x3F));
        }
        *o++ = (char)c;
    }
    ou_free(&vm->heap, (char *)(uintptr_t)f->p, f->cap);
    f->p = q;
    f->n = f->cap = (size_t)(o - q);
}

static bool load_file(VM *vm, const char *path, SourceFile *f)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    struct stat st;
    bool ok = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size < (1 << 30);
    char *p = ok ? ou_alloc(&vm->heap, (size_t)st.st_size) : NULL;
    size_t n = 0;
    while (p && n < (size_t)st.st_size) {
        ssize_t got = read(fd, p + n, (size_t)st.st_size - n);
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    close(fd);
    f->p = p;
    f->n = n;
    f->cap = p ? (size_t)st.st_size : 0;
    if (p)
        as_utf8(vm, f);
    return p != NULL;
}

static SourceFile *source_of(TbPrinter *t, Str *name)
{
    VM *vm = t->vm;
    for (int i = 0; i < SOURCE_FILES; i++) {
        if (t->files[i].name == v_of(name) ||
            (t->files[i].name != V_NULL && name->data[0] != '<' && ou_str_equal(as_str(t->files[i].name), name)))
            return &t->files[i];
    }
    SourceFile *f = &t->files[t->next_file++ % SOURCE_FILES];
    xrelease(vm, f->name);
    xrelease(vm, f->own);
    if (f->cap)
        ou_free(&vm->heap, (char *)(uintptr_t)f->p, f->cap);
    *f = (SourceFile){.name = retain(v_of(name)), .own = V_NULL};
    Value text = vm->source_cache != V_NULL ? ou_dict_get(vm, as_dict(vm->source_cache), object_key(name)) : V_NULL;
    if (text != V_NULL)
        text = as_tuple(text)->items[0];
    else if (vm->source_cache != V_NULL)
        text = ou_dict_get(vm, as_dict(vm->source_cache), v_of(name));
    size_t len = name->size;
    if (text != V_NULL && is_str(text)) {
        f->own = retain(text);
        f->p = as_str(text)->data;
        f->n = as_str(text)->size;
    } else if (len > 9 && !memcmp(name->data, "<frozen ", 8) && name->data[len - 1] == '>') {
        f->p = ou_frozen_source(name->data + 8, len - 9, &f->n);
    } else if (name->data[0] != '<') {
        load_file(vm, name->data, f);
    }
    return f;
}

void ou_tb_files_done(TbPrinter *t)
{
    for (int i = 0; i < SOURCE_FILES; i++) {
        xrelease(t->vm, t->files[i].name);
        xrelease(t->vm, t->files[i].own);
        if (t->files[i].cap)
            ou_free(&t->vm->heap, (char *)(uintptr_t)t->files[i].p, t->files[i].cap);
    }
}

typedef struct Line {
    const char *p;
    size_t n;
} Line;

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* Line `number` (from 1) without trailing white space; false: the file is shorter. */
static bool line_at(const SourceFile *f, uint32_t number, Line *out)
{
    const char *p = f->p, *end = f->p + f->n;
    for (uint32_t i = 1; p && i < number; i++) {
        p = memchr(p, '\n', (size_t)(end - p));
        if (p)
            p++;
    }
    if (!p || p >= end)
        return false;
    const char *nl = memchr(p, '\n', (size_t)(end - p));
    size_t n = (size_t)((nl ? nl : end) - p);
    while (n && is_space(p[n - 1]))
        n--;
    *out = (Line){p, n};
    return true;
}

Value ou_source_line(VM *vm, Value filename, int64_t lineno)
{
    if (!ou_is_a(vm, filename, T_STR) || lineno < 1 || lineno > UINT32_MAX)
        return V_NONE;
    TbPrinter *t = ou_alloc0(&vm->heap, sizeof *t);
    if (!t)
        return ou_raise_memory(vm);
    t->vm = vm;
    Line l;
    Value r = V_NONE;
    SourceFile *f = source_of(t, as_str(filename));
    if (f->p && line_at(f, (uint32_t)lineno, &l)) {
        while (l.n && is_space(*l.p)) {
            l.p++;
            l.n--;
        }
        if (l.n)
            r = ou_str_decode(vm, l.p, l.n, "utf-8", "replace");
    }
    ou_tb_files_done(t);
    ou_free(&vm->heap, t, sizeof *t);
    return r;
}

/* ---- anchors: where the operator, the bracket or the parenthesis is -------------------------------------------------------- */

typedef struct Anchors {
    bool found;
    uint32_t line, col;         /* begin of the part that gets "^"; bytes, relative to the marked text */
    uint32_t end_line, end_col; /* exclusive */
} Anchors;

/* The position at or after (line, col) of the first character that `want` accepts; comments and continuations are skipped. */
static bool next_char(const Line *lines, uint32_t n, uint32_t *line, uint32_t *col, char want)
{
    while (*line < n) {
        const Line *l = &lines[*line];
        while (*col < l->n) {
            char c = l->p[*col];
            if (c == '\\' || c == '#')
                break;
            if (want ? c == want : !is_space(c) && c != ')')
                return true;
            (*col)++;
        }
        (*line)++;
        *col = 0;
    }
    return false;
}

/* Parses "(\nTEXT\n)": lines of the tree are two more than those of the text. */
static Anchors find_anchors(VM *vm, const Line *lines, uint32_t n)
{
    Anchors a = {0};
    size_t size = 4;
    for (uint32_t i = 0; i < n; i++)
        size += lines[i].n + 1;
    char *text = ou_alloc(&vm->heap, size);
    if (!text)
        return a;
    char *p = text;
    *p++ = '(';
    *p++ = '\n';
    for (uint32_t i = 0; i < n; i++) {
        memcpy(p, lines[i].p, lines[i].n);
        p += lines[i].n;
        *p++ = '\n';
    }
    *p++ = ')';
    Arena arena;
    ParseError err;
    ou_arena_init(&arena, &vm->heap);
    AstMod *mod = ou_parse(&arena, text, (size_t)(p - text), PARSE_EXEC, PARSE_IS_STR, &err);
    Stmt *s = mod && mod->Module.body.n == 1 ? mod->Module.body.items[0] : NULL;
    if (s && s->kind == STMT_Expr) {
        Expr *e = s->Expr.value;
        if (e->kind == EXPR_BinOp) {
            Expr *l = e->BinOp.left, *r = e->BinOp.right;
            a.line = l->pos.end_line - 2;
            a.col = l->pos.end_col;
            a.found = next_char(lines, n, &a.line, &a.col, 0);
            if (a.found) {
                uint32_t right = a.col + 1;
                if (right < lines[a.line].n && (r->pos.line - 2 > a.line || right < r->pos.col)) {
                    char c = lines[a.line].p[right];
                    if (!is_space(c) && c != '\\' && c != '#')
                        right++;
                }
                a.end_line = a.line;
                a.end_col = right;
            }
        } else if (e->kind == EXPR_Subscript || e->kind == EXPR_Call) {
            Expr *head = e->kind == EXPR_Call ? e->Call.func : e->Subscript.value;
            a.line = head->pos.end_line - 2;
            a.col = head->pos.end_col;
            a.found = next_char(lines, n, &a.line, &a.col, e->kind == EXPR_Call ? '(' : '[');
            a.end_line = e->pos.end_line - 2;
            a.end_col = e->pos.end_col;
        }
    }
    ou_arena_fini(&arena);
    ou_free(&vm->heap, text, size);
    return a;
}

static bool is_call_by_name(const Expr *e) { return e->kind == EXPR_Call && e->Call.func->kind == EXPR_Name; }

/* `return f(...)` and `x = f(...)` whose call is the marked text say nothing new with carets; other targets do get them. */
static bool plain_call_statement(VM *vm, const Line *lines, uint32_t n, uint32_t start, uint32_t end)
{
    size_t size = 0;
    for (uint32_t i = 0; i < n; i++)
        size += lines[i].n + 1;
    char *text = ou_alloc(&vm->heap, size + 1), *p = text;
    if (!text)
        return false;
    for (uint32_t i = 0; i < n; i++) {
        memcpy(p, lines[i].p, lines[i].n);
        p += lines[i].n;
        *p++ = '\n';
    }
    Arena arena;
    ParseError err;
    ou_arena_init(&arena, &vm->heap);
    AstMod *mod = ou_parse(&arena, text, (size_t)(p - text), PARSE_EXEC, PARSE_IS_STR, &err);
    bool plain = false;
    if (mod && mod->Module.body.n > 0) {
        Stmt *s = mod->Module.body.items[0];
        Expr *v = NULL;
        if (s->kind == STMT_Return && s->Return.value && is_call_by_name(s->Return.value))
            v = s->Return.value;
        else if (s->kind == STMT_Assign && s->Assign.value->kind == EXPR_Call && s->Assign.targets.n == 1 &&
                 s->Assign.targets.items[0]->kind == EXPR_Name)
            v = s->Assign.value;
        plain = v && v->pos.line == 1 && v->pos.end_line == n && v->pos.col == start && v->pos.end_col == end;
    }
    ou_arena_fini(&arena);
    ou_free(&vm->heap, text, size + 1);
    return plain;
}

static bool blank(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (!is_space(p[i]))
            return false;
    }
    return true;
}

/* ---- drawing -------------------------------------------------------------------------------------------------------------------- */

typedef struct Drawing {
    Line *lines;
    bool *shown;
    uint32_t n;
    uint32_t start, end; /* bytes: in the first and in the last line */
    bool carets;
    Anchors a;           /* columns relative to the lines */
} Drawing;

static bool within_anchors(const Drawing *d, uint32_t line, uint32_t col)
{
    const Anchors *a = &d->a;
    return a->found && (line > a->line || (line == a->line && col >= a->col)) &&
           (line < a->end_line || (line == a->end_line && col < a->end_col));
}

static void draw_line(TbPrinter *t, const Drawing *d, uint32_t i)
{
    const Line *l = &d->lines[i];
    ou_tb_puts(t, "    ");
    ou_tb_put(t, l->p, l->n);
    ou_tb_puts(t, "\n");
    if (!d->carets)
        return;
    uint32_t indent = 0, stop = i + 1 == d->n ? d->end : (uint32_t)l->n;
    while (indent < l->n && is_space(l->p[indent]))
        indent++;
    ou_tb_puts(t, "    ");
    for (uint32_t col = 0; col < stop && col < l->n;) {
        utf8proc_int32_t cp = 0;
        utf8proc_ssize_t len = utf8proc_iterate((const utf8proc_uint8_t *)l->p + col, (utf8proc_ssize_t)(l->n - col), &cp);
        if (len <= 0)
            len = 1;
        const char *mark = col < indent || (i == 0 && col < d->start) ? " "
                           : !d->a.found || within_anchors(d, i, col) ? "^"
                                                                      : "~";
        ou_tb_puts(t, mark);
        if (cp >= 0x1100 && utf8proc_charwidth(cp) == 2)
            ou_tb_puts(t, mark);
        col += (uint32_t)len;
    }
    ou_tb_puts(t, "\n");
}

/* Lines worth showing: the first, the last, and those around the anchors. */
static void mark_around(bool *shown, uint32_t n, uint32_t line)
{
    for (int64_t i = (int64_t)line - 1; i <= (int64_t)line + 1; i++) {
        if (i >= 0 && i < (int64_t)n)
            shown[i] = true;
    }
}

static void draw(TbPrinter *t, const Drawing *d)
{
    bool *shown = d->shown;
    shown[0] = shown[d->n - 1] = true;
    if (d->a.found) {
        mark_around(shown, d->n, d->a.line);
        mark_around(shown, d->n, d->a.end_line);
    }
    uint32_t last = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        if (!shown[i])
            continue;
        if (i && i - last == 2) {
            draw_line(t, d, i - 1);
        } else if (i && i - last > 2) {
            char buf[48];
            snprintf(buf, sizeof buf, "    ...<%u lines>...\n", i - last - 1);
            ou_tb_puts(t, buf);
        }
        draw_line(t, d, i);
        last = i;
    }
}

/* Takes the white space that all lines begin with off them. */
static uint32_t dedent(Drawing *d)
{
    const Line *model = NULL;
    size_t common = 0;
    for (uint32_t i = 0; i < d->n; i++) {
        const Line *l = &d->lines[i];
        if (l->n == 0)
            continue;
        size_t k = 0;
        while (k < l->n && (l->p[k] == ' ' || l->p[k] == '\t') && (!model || (k < common && l->p[k] == model->p[k])))
            k++;
        common = k;
        if (!model)
            model = l;
    }
    for (uint32_t i = 0; i < d->n; i++) {
        size_t cut = common < d->lines[i].n ? common : d->lines[i].n;
        d->lines[i].p += cut;
        d->lines[i].n -= cut;
    }
    return (uint32_t)common;
}

static uint32_t minus(uint32_t a, uint32_t b) { return a > b ? a - b : 0; }

static void free_drawing(TbPrinter *t, Drawing *d)
{
    if (!d)
        return;
    ou_free(&t->vm->heap, d->lines, d->n * sizeof *d->lines);
    ou_free(&t->vm->heap, d->shown, d->n * sizeof *d->shown);
    ou_free(&t->vm->heap, d, sizeof *d);
}

static void source_lines(TbPrinter *t, Str *filename, uint32_t lineno, const CodeLoc *loc)
{
    SourceFile *f = source_of(t, filename);
    Line first;
    if (!f->p || lineno == 0 || !line_at(f, lineno, &first))
        return;
    Drawing *d = ou_alloc0(&t->vm->heap, sizeof *d);
    bool spans = loc && !t->no_carets && loc->line == lineno && loc->col != UINT32_MAX && loc->end_col != UINT32_MAX &&
                 loc->end_line >= lineno;
    if (d && spans) {
        d->n = loc->end_line - lineno + 1;
        d->lines = ou_alloc(&t->vm->heap, d->n * sizeof *d->lines);
        d->shown = ou_alloc0(&t->vm->heap, d->n * sizeof *d->shown);
    }
    if (!d || !d->lines || !d->shown) {
        while (first.n && is_space(*first.p)) {
            first.p++;
            first.n--;
        }
        if (first.n) {
            ou_tb_puts(t, "    ");
            ou_tb_put(t, first.p, first.n);
            ou_tb_puts(t, "\n");
        }
        free_drawing(t, d);
        return;
    }
    bool any = false;
    for (uint32_t i = 0; i < d->n; i++) {
        if (!line_at(f, lineno + i, &d->lines[i]))
            d->lines[i] = (Line){"", 0};
        any = any || d->lines[i].n;
    }
    if (any) {
        uint32_t cut = dedent(d);
        Line *last = &d->lines[d->n - 1];
        d->start = minus(loc->col, cut);
        d->end = minus(loc->end_col, cut);
        if (d->start > d->lines[0].n)
            d->start = (uint32_t)d->lines[0].n;
        if (d->end > last->n)
            d->end = (uint32_t)last->n;
        if (d->n > 1 || d->start < d->end) {
            Line first_saved = d->lines[0], last_saved = *last;
            last->n = d->end; /* the marked text alone */
            d->lines[0].p += d->start;
            d->lines[0].n -= d->start;
            d->a = find_anchors(t->vm, d->lines, d->n);
            *last = last_saved;
            d->lines[0] = first_saved;
        }
        if (d->a.found) {
            if (d->a.line == 0)
                d->a.col += d->start;
            if (d->a.end_line == 0)
                d->a.end_col += d->start;
        }
        d->carets = !plain_call_statement(t->vm, d->lines, d->n, d->start, d->end) &&
                    (d->a.found || !blank(d->lines[0].p, d->start) || !blank(last->p + d->end, last->n - d->end));
        draw(t, d);
    }
    free_drawing(t, d);
}

/* ---- all entries --------------------------------------------------------------------------------------------------------------------- */

enum { REPEATS_SHOWN = 3 };

static void repeated(TbPrinter *t, uint32_t count)
{
    if (count <= REPEATS_SHOWN)
        return;
    char buf[80];
    snprintf(buf, sizeof buf, "  [Previous line repeated %u more time%s]\n", count - REPEATS_SHOWN,
             count - REPEATS_SHOWN > 1 ? "s" : "");
    ou_tb_puts(t, buf);
}

void ou_tb_frames(TbPrinter *t, Value traceback)
{
    Code *last = NULL;
    uint32_t last_line = 0, count = 0;
    for (Value v = traceback; v != V_NULL && v != V_NONE; v = ((Traceback *)v_obj(v))->next) {
        Traceback *tb = (Traceback *)v_obj(v);
        Code *c = as_function(tb->func)->code;
        bool same = last && last_line == tb->lineno && ou_str_equal(last->filename, c->filename) && ou_str_equal(last->name, c->name);
        if (!same) {
            repeated(t, count);
            count = 0;
            last = c;
            last_line = tb->lineno;
        }
        if (++count > REPEATS_SHOWN)
            continue;
        char buf[32];
        snprintf(buf, sizeof buf, "\", line %u, in ", tb->lineno);
        ou_tb_puts(t, "  File \"");
        ou_tb_put(t, c->filename->data, c->filename->size);
        ou_tb_puts(t, buf);
        ou_tb_put(t, c->name->data, c->name->size);
        ou_tb_puts(t, "\n");
        source_lines(t, c->filename, tb->lineno, tb->pc < c->ncode ? &c->locs[tb->pc] : NULL);
    }
    repeated(t, count);
}
