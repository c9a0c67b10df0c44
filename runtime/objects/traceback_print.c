/* The text of an uncaught exception, as CPython 3.13 prints it: chains of causes and contexts, groups as trees, syntax errors,
 * notes, suggestions. Entry point: ou_exc_format. The one thing to know: formatting calls into scripts (__str__, __notes__), so
 * every failure in here is swallowed and shown as "<exception str() failed>". */
#include <stdio.h>

#include "runtime/objects/containers.h"
#include "runtime/objects/errors_impl.h"
#include "runtime/objects/numbers.h"
#include "runtime/objects/state.h"
#include "runtime/objects/traceback_impl.h"
#include "vm/call.h"

enum { GROUP_WIDTH = 15, GROUP_DEPTH = 10 };

/* ---- output ------------------------------------------------------------------------------------------------------------------ */

static void margin(TbPrinter *t, char c)
{
    for (int i = 0; i < 2 * t->depth; i++)
        ou_sb_putc(&t->out, ' ');
    if (t->depth && c) {
        ou_sb_putc(&t->out, c);
        ou_sb_putc(&t->out, ' ');
    }
}

void ou_tb_put(TbPrinter *t, const char *s, size_t n)
{
    const char *end = s + n;
    while (s < end) {
        if (t->at_line_start)
            margin(t, '|');
        const char *nl = memchr(s, '\n', (size_t)(end - s));
        size_t part = nl ? (size_t)(nl - s) + 1 : (size_t)(end - s);
        ou_sb_put(&t->out, s, part);
        t->at_line_start = nl != NULL;
        s += part;
    }
}

void ou_tb_puts(TbPrinter *t, const char *s) { ou_tb_put(t, s, strlen(s)); }

static void put_value(TbPrinter *t, Value s) { ou_tb_put(t, as_str(s)->data, as_str(s)->size); }

/* str(v) or repr(v), or the text that says that this failed; owned. V_NULL only without memory. */
static Value safe_text(VM *vm, Value v, bool repr, const char *what)
{
    Value s = repr ? ou_repr(vm, v) : ou_str(vm, v);
    if (s == V_NULL) {
        ou_exc_clear(vm);
        s = ou_str_format(vm, "<%s %s() failed>", what, repr ? "repr" : "str");
    }
    return s;
}

static Value attr(VM *vm, Value o, const char *name)
{
    Value v = ou_getattr_c(vm, o, name);
    if (v == V_NULL)
        ou_exc_clear(vm);
    return v;
}

/* ---- the line "Type: message" --------------------------------------------------------------------------------------------------- */

static void put_type_name(TbPrinter *t, Value exc)
{
    VM *vm = t->vm;
    Value cls = v_of(ou_type_of(vm, exc)), module = attr(vm, cls, "__module__"), name = attr(vm, cls, "__qualname__");
    if (module == V_NULL || !is_str(module))
        ou_tb_puts(t, "<unknown>.");
    else if (!ou_str_eq_c(as_str(module), "builtins") && !ou_str_eq_c(as_str(module), "__main__")) {
        put_value(t, module);
        ou_tb_puts(t, ".");
    }
    if (name != V_NULL && is_str(name))
        put_value(t, name);
    else
        ou_tb_puts(t, "<unknown>");
    xrelease(vm, module);
    xrelease(vm, name);
}

static void put_suggestion(TbPrinter *t, Value exc)
{
    VM *vm = t->vm;
    bool is_name = ou_is_a(vm, exc, E_NAME);
    if (!is_name && !ou_is_a(vm, exc, E_ATTRIBUTE) && !ou_is_a(vm, exc, E_IMPORT))
        return;
    Value s = ou_suggest(vm, exc, true);
    bool found = s != V_NONE;
    if (found) {
        ou_tb_puts(t, ". Did you mean: '");
        put_value(t, s);
        ou_tb_puts(t, "'?");
        release(vm, s);
    }
    Value name = is_name ? ((ExcName *)v_obj(exc))->name : V_NULL;
    if (name != V_NULL && is_str(name) && ou_suggest_is_module(vm, as_str(name))) {
        ou_tb_puts(t, found ? " Or did you forget to import '" : ". Did you forget to import '");
        put_value(t, name);
        ou_tb_puts(t, "'?");
    }
}

static void put_message(TbPrinter *t, Value exc)
{
    put_type_name(t, exc);
    Value s = safe_text(t->vm, exc, false, "exception");
    if (s != V_NULL) {
        StrBuf *b = &t->out;
        size_t before = b->n;
        if (as_str(s)->size) {
            ou_tb_puts(t, ": ");
            put_value(t, s);
        } else {
            ou_tb_puts(t, ": ");
        }
        size_t with = b->n;
        put_suggestion(t, exc);
        if (as_str(s)->size == 0 && b->n == with && !b->failed)
            b->n = before; /* nothing follows the colon */
        release(t->vm, s);
    }
    ou_tb_puts(t, "\n");
}

/* ---- syntax errors ---------------------------------------------------------------------------------------------------------------- */

static bool small_of(Value v, int64_t *out)
{
    if (v == V_NULL || !is_small(v))
        return false;
    *out = v_small(v);
    return true;
}

static void repeat(TbPrinter *t, const char *s, int64_t n)
{
    while (n-- > 0)
        ou_tb_puts(t, s);
}

static void put_syntax_text(TbPrinter *t, ExcSyntax *e)
{
    VM *vm = t->vm;
    Str *text = as_str(e->text);
    int64_t len = text->length, rlen = len, spaces = 0;
    while (rlen && ou_str_at(vm, text, rlen - 1) == '\n')
        rlen--;
    while (spaces < rlen) {
        uint32_t c = ou_str_at(vm, text, spaces);
        if (c != ' ' && c != '\n' && c != '\f')
            break;
        spaces++;
    }
    size_t from = ou_str_offset(vm, text, spaces), to = ou_str_offset(vm, text, rlen);
    ou_tb_puts(t, "    ");
    ou_tb_put(t, text->data + from, to - from);
    ou_tb_puts(t, "\n");
    int64_t offset, end, line = -1, end_line = -1;
    if (!small_of(e->offset, &offset))
        return;
    bool has_line = small_of(e->lineno, &line), has_end_line = small_of(e->end_lineno, &end_line);
    if (has_line == has_end_line && line == end_line) {
        if (!small_of(e->end_offset, &end) || end == 0)
            end = offset;
    } else {
        end = rlen + 1;
    }
    if (offset > rlen + 1)
        offset = rlen + 1;
    if (rlen && end > rlen + 1)
        end = rlen + 1;
    if (offset >= end || end < 0)
        end = offset + 1;
    int64_t col = offset - 1 - spaces, end_col = end - 1 - spaces;
    if (col < 0)
        return;
    ou_tb_puts(t, "    ");
    for (int64_t i = 0; i < col; i++) {
        uint32_t c = spaces + i < rlen ? ou_str_at(vm, text, spaces + i) : ' ';
        ou_tb_puts(t, c == '\t' ? "\t" : " ");
    }
    repeat(t, "^", end_col - col);
    ou_tb_puts(t, "\n");
}

static void put_syntax_error(TbPrinter *t, Value exc)
{
    VM *vm = t->vm;
    ExcSyntax *e = (ExcSyntax *)v_obj(exc);
    bool has_name = e->filename != V_NULL && e->filename != V_NONE, has_line = e->lineno != V_NULL && e->lineno != V_NONE;
    Value name = has_name ? safe_text(vm, e->filename, false, "filename") : ou_str_c(vm, "<string>");
    if (has_line) {
        Value line = safe_text(vm, e->lineno, false, "lineno");
        if (name != V_NULL && line != V_NULL) {
            ou_tb_puts(t, "  File \"");
            put_value(t, name);
            ou_tb_puts(t, "\", line ");
            put_value(t, line);
            ou_tb_puts(t, "\n");
        }
        xrelease(vm, line);
    }
    if (e->text != V_NULL && is_str(e->text))
        put_syntax_text(t, e);
    put_type_name(t, exc);
    ou_tb_puts(t, ": ");
    Value msg = e->msg == V_NULL || e->msg == V_NONE ? ou_str_c(vm, "<no detail available>") : safe_text(vm, e->msg, false, "msg");
    if (msg != V_NULL)
        put_value(t, msg);
    if (has_name && !has_line && name != V_NULL) {
        ou_tb_puts(t, " (");
        put_value(t, name);
        ou_tb_puts(t, ")");
    }
    ou_tb_puts(t, "\n");
    xrelease(vm, msg);
    xrelease(vm, name);
}

/* ---- notes ---------------------------------------------------------------------------------------------------------------------------- */

static void put_lines(TbPrinter *t, Value s)
{
    if (s == V_NULL)
        return;
    if (as_str(s)->size == 0 && t->depth) /* an empty note is an empty line */
        margin(t, '|');
    put_value(t, s);
    t->at_line_start = false;
    ou_sb_putc(&t->out, '\n');
    t->at_line_start = true;
    release(t->vm, s);
}

static void put_notes(TbPrinter *t, Value exc)
{
    VM *vm = t->vm;
    bool missing = false;
    Value notes = ou_getattr_opt(vm, exc, name_of(vm, N_DU_notes), &missing);
    if (notes == V_NULL) {
        if (!missing) {
            Value e = ou_exc_take(vm), s = safe_text(vm, e, true, "__notes__");
            ou_tb_puts(t, "Ignored error getting __notes__: ");
            put_lines(t, s);
            release(vm, e);
        }
        return;
    }
    if (notes == V_NONE)
        return;
    if (ou_is_a(vm, notes, T_LIST) || ou_is_a(vm, notes, T_TUPLE)) {
        size_t n;
        Value own = V_NULL;
        const Value *items = ou_seq_items(vm, notes, &n, &own, "");
        Value copy = items ? ou_tuple_of(vm, items, n) : V_NULL; /* a note's __str__ may change the list */
        for (uint32_t i = 0; copy != V_NULL && i < as_tuple(copy)->n; i++)
            put_lines(t, safe_text(vm, as_tuple(copy)->items[i], false, "note"));
        xrelease(vm, copy);
        xrelease(vm, own);
    } else {
        put_lines(t, safe_text(vm, notes, true, "__notes__"));
    }
    release(vm, notes);
}

/* ---- one exception, groups, chains ------------------------------------------------------------------------------------------------------- */

static void put_chain(TbPrinter *t, Value exc, bool chain);

static void put_exception_only(TbPrinter *t, Value exc)
{
    if (ou_is_a(t->vm, exc, E_SYNTAX))
        put_syntax_error(t, exc);
    else
        put_message(t, exc);
    put_notes(t, exc);
}

/* The entries to show, as many of the innermost as sys.tracebacklimit allows; V_NONE: none. Borrowed. */
static Value shown_entries(TbPrinter *t, Value exc)
{
    VM *vm = t->vm;
    Value tb = as_exc(exc)->traceback, limit = vm->sysdict ? ou_dict_get_c(vm, vm->sysdict, "tracebacklimit") : V_NULL;
    int64_t most, depth = 0;
    if (limit == V_NULL || !ou_is_intlike(vm, limit))
        return tb;
    if (!ou_int_fits_i64(vm, limit, &most))
        return ou_int_sign(vm, limit) < 0 ? V_NONE : tb;
    if (most <= 0)
        return V_NONE;
    for (Value v = tb; v != V_NONE; v = ((Traceback *)v_obj(v))->next)
        depth++;
    for (; depth > most; depth--)
        tb = ((Traceback *)v_obj(tb))->next;
    return tb;
}

static void put_group(TbPrinter *t, Value exc, bool chain)
{
    bool top = t->depth == 0;
    char buf[80];
    if (t->depth > GROUP_DEPTH) {
        snprintf(buf, sizeof buf, "... (max_group_depth is %d)\n", GROUP_DEPTH);
        ou_tb_puts(t, buf);
        return;
    }
    if (top)
        t->depth++;
    Value tb = shown_entries(t, exc);
    if (tb != V_NONE) {
        margin(t, top ? '+' : '|');
        t->at_line_start = false;
        ou_tb_puts(t, "Exception Group Traceback (most recent call last):\n");
        ou_tb_frames(t, tb);
    }
    put_exception_only(t, exc);
    Tuple *excs = as_tuple(((ExcGroup *)v_obj(exc))->excs);
    uint32_t n = excs->n <= GROUP_WIDTH ? excs->n : GROUP_WIDTH + 1;
    t->need_close = false;
    for (uint32_t i = 0; i < n; i++) {
        bool last = i + 1 == n, cut = i >= GROUP_WIDTH;
        if (last)
            t->need_close = true; /* a nested group's own closing line may serve for this one too */
        margin(t, 0);
        if (cut)
            snprintf(buf, sizeof buf, "%s+---------------- ... ----------------\n", i == 0 ? "+-" : "  ");
        else
            snprintf(buf, sizeof buf, "%s+---------------- %u ----------------\n", i == 0 ? "+-" : "  ", i + 1);
        ou_sb_puts(&t->out, buf);
        t->at_line_start = true;
        t->depth++;
        if (cut) {
            uint32_t more = excs->n - GROUP_WIDTH;
            snprintf(buf, sizeof buf, "and %u more exception%s\n", more, more > 1 ? "s" : "");
            ou_tb_puts(t, buf);
        } else {
            put_chain(t, excs->items[i], chain);
        }
        if (last && t->need_close) {
            margin(t, 0);
            ou_sb_puts(&t->out, "+------------------------------------\n");
            t->need_close = false;
        }
        t->depth--;
    }
    if (top)
        t->depth = 0;
}

static void put_one(TbPrinter *t, Value exc, bool chain)
{
    if (ou_is_a(t->vm, exc, E_BASE_EXCEPTION_GROUP)) {
        put_group(t, exc, chain);
        return;
    }
    Value tb = shown_entries(t, exc);
    if (tb != V_NONE) {
        ou_tb_puts(t, "Traceback (most recent call last):\n");
        ou_tb_frames(t, tb);
    }
    put_exception_only(t, exc);
}

static bool was_seen(TbPrinter *t, Value exc)
{
    List *l = as_list(t->seen);
    for (uint32_t i = 0; i < l->n; i++) {
        if (l->items[i] == exc)
            return true;
    }
    return !ou_list_append(t->vm, l, exc);
}

/* The oldest cause first. chain false: only the exception itself. */
static void put_chain(TbPrinter *t, Value exc, bool chain)
{
    VM *vm = t->vm;
    if (ou_c_deep(vm))
        return;
    vm->c_depth++;
    Value list = ou_list_of(vm, &exc, 1);
    bool known = was_seen(t, exc);
    (void)known;
    while (list != V_NULL && chain) {
        List *l = as_list(list);
        Exc *e = as_exc(l->items[l->n - 1]);
        Value next = V_NULL;
        if (e->cause != V_NONE && e->cause != V_NULL && !was_seen(t, e->cause))
            next = e->cause;
        else if (e->context != V_NONE && e->context != V_NULL && !e->suppress_context && !was_seen(t, e->context))
            next = e->context;
        if (next == V_NULL || !ou_list_append(vm, l, next))
            break;
    }
    for (uint32_t i = list == V_NULL ? 0 : as_list(list)->n; i > 0; i--) {
        Value e = as_list(list)->items[i - 1];
        put_one(t, e, chain);
        if (i > 1) {
            Value newer = as_list(list)->items[i - 2];
            ou_tb_puts(t, as_exc(newer)->cause == e
                              ? "\nThe above exception was the direct cause of the following exception:\n\n"
                              : "\nDuring handling of the above exception, another exception occurred:\n\n");
        }
    }
    xrelease(vm, list);
    vm->c_depth--;
}

Value ou_exc_format(VM *vm, Value exc, bool chain)
{
    TbPrinter *t = ou_alloc0(&vm->heap, sizeof *t);
    if (!t)
        return ou_raise_memory(vm);
    Value pending = ou_exc_take(vm);
    t->vm = vm;
    t->at_line_start = true;
    t->no_carets = !chain;
    ou_sb_init(&t->out, vm);
    retain(exc);
    t->seen = ou_list_new(vm, 4);
    if (t->seen != V_NULL)
        put_chain(t, exc, chain);
    xrelease(vm, t->seen);
    ou_tb_files_done(t);
    ou_exc_clear(vm);
    Value s = ou_sb_finish(&t->out);
    ou_free(&vm->heap, t, sizeof *t);
    release(vm, exc);
    if (pending != V_NULL)
        ou_exc_restore(vm, pending);
    return s;
}
