/* StringIO and BytesIO: files in memory. StringIO keeps its text as UTF-8 with a byte position beside the position in characters;
 * as long as everything is ASCII the two are equal and nothing is searched. */
#include "runtime/objects/bytes.h"
#include "runtime/objects/gc.h"
#include "stdlib/io_impl.h"
#include "vm/call.h"

/* ---- the growing block that both use ------------------------------------------------------------------------------------ */

typedef struct MemFile { /* both types */
    Obj h;
    uint8_t *p;
    size_t n, cap;     /* bytes */
    int64_t pos;       /* BytesIO: bytes; StringIO: characters */
    int64_t chars;     /* StringIO: length in characters */
    int64_t near_pos;  /* StringIO: a position and the byte where it is, not behind the end: where the last access ended */
    size_t near_byte;
    uint8_t newline;
    uint8_t seen;      /* StringIO: SEEN_*, for newlines */
    bool closed;
    uint32_t exports;  /* Views that stand on p: it stays as it is */
} MemFile;
typedef struct View { /* what the memoryviews of getbuffer() stand on; dies with the last of them */
    Obj h;
    Value file;
} View;

static MemFile *self_of(Value v) { return (MemFile *)v_obj(v); }

static bool reserve(VM *vm, MemFile *f, size_t n)
{
    if (n <= f->cap)
        return true;
    size_t cap = f->cap ? f->cap : 64;
    while (cap < n)
        cap += cap / 2 + 64;
    uint8_t *p = ou_realloc(&vm->heap, f->p, f->cap, cap);
    if (!p) {
        ou_raise_memory(vm);
        return false;
    }
    f->p = p;
    f->cap = cap;
    return true;
}

static void mem_dealloc(VM *vm, Obj *o)
{
    MemFile *f = (MemFile *)o;
    ou_free(&vm->heap, f->p, f->cap);
    ou_finish_dealloc(vm, o, 0);
}

static void mem_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    (void)vm;
    (void)o;
    (void)visit;
    (void)arg;
}

static bool check(VM *vm, MemFile *f, const char *end)
{
    if (f->closed)
        ou_raise(vm, E_VALUE, "I/O operation on closed file%s", end);
    return !f->closed;
}

static bool check_exports(VM *vm, const MemFile *f)
{
    if (f->exports)
        ou_raise(vm, E_BUFFER, "Existing exports of data: object cannot be re-sized");
    return !f->exports;
}

static Value mem_get_closed(VM *vm, Value self)
{
    (void)vm;
    return v_bool(self_of(self)->closed);
}

static Value mem_true(VM *vm, const Value *args, int n)
{
    (void)n;
    return check(vm, self_of(args[0]), "") ? V_TRUE : V_NULL;
}

static Value mem_false(VM *vm, const Value *args, int n)
{
    (void)n;
    return check(vm, self_of(args[0]), "") ? V_FALSE : V_NULL;
}

static Value mem_flush(VM *vm, const Value *args, int n)
{
    (void)n;
    return check(vm, self_of(args[0]), "") ? V_NONE : V_NULL;
}

static Value mem_close(VM *vm, const Value *args, int n)
{
    (void)n;
    MemFile *f = self_of(args[0]);
    if (!check_exports(vm, f))
        return V_NULL;
    f->closed = true;
    ou_free(&vm->heap, f->p, f->cap);
    f->p = NULL;
    f->n = f->cap = 0;
    return V_NONE;
}

/* ---- BytesIO ---------------------------------------------------------------------------------------------------------------- */

static bool bytes_put(VM *vm, MemFile *f, const void *p, size_t n)
{
    size_t end = (size_t)f->pos + n;
    if (!reserve(vm, f, end ? end : 1))
        return false;
    if ((size_t)f->pos > f->n)
        memset(f->p + f->n, 0, (size_t)f->pos - f->n);
    memcpy(f->p + f->pos, p, n);
    f->pos += (int64_t)n;
    if (end > f->n)
        f->n = end;
    return true;
}

static int bytesio_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[1];
    MemFile *f = self_of(self);
    if (!ou_bind(vm, "BytesIO(initial_bytes=b'')", args, n, kwnames, a) || !check_exports(vm, f))
        return -1;
    f->n = 0;
    f->pos = 0;
    f->closed = false;
    if (a[0] == V_NULL || a[0] == V_NONE)
        return 0;
    Buffer b;
    if (!ou_buffer_get(vm, a[0], &b, false))
        return -1;
    bool ok = bytes_put(vm, f, b.p, (size_t)b.n);
    ou_buffer_release(vm, &b);
    f->pos = 0;
    return ok ? 0 : -1;
}

static Value mem_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    MemFile *f = ou_new(vm, cls, 0);
    return f ? v_of(f) : V_NULL;
}

static size_t bytes_left(const MemFile *f) { return (size_t)f->pos < f->n ? f->n - (size_t)f->pos : 0; }

static Value bytes_take(VM *vm, MemFile *f, size_t n)
{
    Value r = ou_bytes_new(vm, n ? f->p + f->pos : (uint8_t *)"", n);
    if (r != V_NULL)
        f->pos += (int64_t)n;
    return r;
}

static Value bytesio_read(VM *vm, const Value *args, int n)
{
    MemFile *f = self_of(args[0]);
    int64_t size = -1;
    if (!check(vm, f, ".") || (n > 1 && !ou_io_size(vm, args[1], &size)))
        return V_NULL;
    size_t left = bytes_left(f);
    return bytes_take(vm, f, size >= 0 && (size_t)size < left ? (size_t)size : left);
}

static size_t bytes_line(const MemFile *f, int64_t limit)
{
    size_t left = bytes_left(f);
    if (limit >= 0 && (size_t)limit < left)
        left = (size_t)limit;
    const uint8_t *nl = left ? memchr(f->p + f->pos, '\n', left) : NULL;
    return nl ? (size_t)(nl - (f->p + f->pos)) + 1 : left;
}

static Value bytesio_readline(VM *vm, const Value *args, int n)
{
    MemFile *f = self_of(args[0]);
    int64_t limit = -1;
    if (!check(vm, f, ".") || (n > 1 && !ou_io_size(vm, args[1], &limit)))
        return V_NULL;
    return bytes_take(vm, f, bytes_line(f, limit));
}

static Value bytesio_next(VM *vm, Value self)
{
    MemFile *f = self_of(self);
    if (!check(vm, f, "."))
        return V_NULL;
    size_t n = bytes_line(f, -1);
    return n ? bytes_take(vm, f, n) : V_NULL;
}

static Value bytesio_readinto(VM *vm, const Value *args, int n)
{
    (void)n;
    MemFile *f = self_of(args[0]);
    Buffer b;
    if (!check(vm, f, ".") || !ou_buffer_get(vm, args[1], &b, true))
        return V_NULL;
    size_t got = bytes_left(f);
    if (got > (size_t)b.n)
        got = (size_t)b.n;
    if (got)
        memcpy(b.p, f->p + f->pos, got);
    f->pos += (int64_t)got;
    ou_buffer_release(vm, &b);
    return ou_int(vm, (int64_t)got);
}

static Value bytesio_write(VM *vm, const Value *args, int n)
{
    (void)n;
    MemFile *f = self_of(args[0]);
    Buffer b;
    if (!check(vm, f, ".") || !check_exports(vm, f) || !ou_buffer_get(vm, args[1], &b, false))
        return V_NULL;
    int64_t len = b.n;
    bool ok = len == 0 || bytes_put(vm, f, b.p, (size_t)len);
    ou_buffer_release(vm, &b);
    return ok ? ou_int(vm, len) : V_NULL;
}

static Value bytesio_getvalue(VM *vm, const Value *args, int n)
{
    (void)n;
    MemFile *f = self_of(args[0]);
    return check(vm, f, ".") ? ou_bytes_new(vm, f->n ? f->p : (uint8_t *)"", f->n) : V_NULL;
}

static Value bytesio_getbuffer(VM *vm, const Value *args, int n)
{
    (void)n;
    IoState *st = ou_io_state(vm);
    if (!st || !check(vm, self_of(args[0]), "."))
        return V_NULL;
    View *v = ou_new(vm, st->view, 0);
    if (!v)
        return V_NULL;
    v->file = retain(args[0]);
    self_of(args[0])->exports++;
    Value r = ou_memoryview_new(vm, v_of(v));
    obj_release(vm, v);
    return r;
}

static bool view_buffer(VM *vm, Value self, Buffer *out, bool writable)
{
    (void)writable;
    MemFile *f = self_of(((View *)v_obj(self))->file);
    if (!f->p && !reserve(vm, f, 1))
        return false;
    *out = (Buffer){.p = f->p, .n = (int64_t)f->n, .owner = retain(self), .readonly = false, .format = "B", .itemsize = 1, .ndim = 1};
    out->shape[0] = (int64_t)f->n;
    out->strides[0] = 1;
    return true;
}

static void view_dealloc(VM *vm, Obj *o)
{
    Value file = ((View *)o)->file;
    if (file != V_NULL)
        self_of(file)->exports--;
    xrelease(vm, file);
    ou_finish_dealloc(vm, o, 0);
}

static void view_traverse(VM *vm, Obj *o, VisitFn visit, void *arg) { ou_visit(vm, ((View *)o)->file, visit, arg); }

const TypeDef ou_io_view_def = {
    .name = "_io._BytesIOBuffer",
    .size = sizeof(View),
    .flags = TF_GC | TF_NO_NEW,
    .slots = {.dealloc = view_dealloc, .traverse = view_traverse, .buffer = view_buffer},
};

static Value bytesio_seek(VM *vm, const Value *args, int n)
{
    MemFile *f = self_of(args[0]);
    int64_t pos, whence = 0;
    if (!check(vm, f, ".") || !ou_index_i64(vm, args[1], &pos) || (n > 2 && !ou_index_i64(vm, args[2], &whence)))
        return V_NULL;
    if (whence == 0 && pos < 0)
        return ou_raise(vm, E_VALUE, "negative seek value %ld", pos);
    if (whence < 0 || whence > 2)
        return ou_raise(vm, E_VALUE, "invalid whence (%ld, should be 0, 1 or 2)", whence);
    int64_t base = whence == 1 ? f->pos : whence == 2 ? (int64_t)f->n : 0;
    if (pos > 0 && base > INT64_MAX - pos)
        return ou_raise(vm, E_OVERFLOW, "new position too large");
    pos += base;
    f->pos = pos < 0 ? 0 : pos;
    return ou_int(vm, f->pos);
}

static Value mem_tell(VM *vm, const Value *args, int n)
{
    (void)n;
    return check(vm, self_of(args[0]), "") ? ou_int(vm, self_of(args[0])->pos) : V_NULL;
}

static Value bytesio_truncate(VM *vm, const Value *args, int n)
{
    MemFile *f = self_of(args[0]);
    int64_t size = f->pos;
    if (!check(vm, f, ".") || !check_exports(vm, f) || (n > 1 && args[1] != V_NONE && !ou_index_i64(vm, args[1], &size)))
        return V_NULL;
    if (size < 0)
        return ou_raise(vm, E_VALUE, "negative size value %ld", size);
    if ((size_t)size < f->n)
        f->n = (size_t)size;
    return ou_int(vm, size);
}

/* ---- copying and pickling: (value, newline of a StringIO, position, attributes or None) */

static Value state_of(VM *vm, Value self, Value value, bool text, const char *newline)
{
    Value parts[4] = {value};
    int n = 1;
    if (value != V_NULL && text)
        parts[n++] = newline ? ou_str_c(vm, newline) : V_NONE;
    parts[n++] = ou_int(vm, self_of(self)->pos);
    Value attrs = value == V_NULL ? V_NULL : ou_getattr(vm, self, name_of(vm, N_DU_dict));
    parts[n++] = attrs != V_NULL && ou_is_a(vm, attrs, T_DICT) && as_dict(attrs)->n ? ou_dict_copy(vm, as_dict(attrs)) : V_NONE;
    xrelease(vm, attrs);
    bool ok = vm->exc == V_NULL;
    if (ok)
        return ou_tuple_take(vm, parts, (size_t)n);
    for (int i = 0; i < n; i++)
        xrelease(vm, parts[i]);
    return V_NULL;
}

/* After the value was set. */
static Value take_state(VM *vm, Value self, Value pos, Value attrs, const char *nth)
{
    int64_t at;
    if (!ou_index_i64(vm, pos, &at))
        return V_NULL;
    if (at < 0)
        return ou_raise(vm, E_VALUE, "position value cannot be negative");
    self_of(self)->pos = at;
    if (attrs == V_NONE)
        return V_NONE;
    if (!ou_is_a(vm, attrs, T_DICT))
        return ou_raise(vm, E_TYPE, "%s item of state should be a dict, got a %.200T", nth, attrs);
    Value own = ou_getattr(vm, self, name_of(vm, N_DU_dict));
    bool ok = own != V_NULL && ou_is_a(vm, own, T_DICT) && ou_dict_merge(vm, as_dict(own), attrs, true);
    xrelease(vm, own);
    return ok ? V_NONE : V_NULL;
}

static Tuple *state_tuple(VM *vm, Value self, Value state, uint32_t n)
{
    if (ou_is_a(vm, state, T_TUPLE) && as_tuple(state)->n >= n)
        return as_tuple(state);
    ou_raise(vm, E_TYPE, "%.200T.__setstate__ argument should be %d-tuple, got %.200T", self, (int)n, state);
    return NULL;
}

static Value bytesio_getstate(VM *vm, const Value *args, int n) { return state_of(vm, args[0], bytesio_getvalue(vm, args, n), false, NULL); }

static Value bytesio_setstate(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *t = check(vm, self_of(args[0]), ".") ? state_tuple(vm, args[0], args[1], 3) : NULL;
    if (!t || bytesio_init(vm, args[0], t->items, 1, NULL) < 0)
        return V_NULL;
    return take_state(vm, args[0], t->items[1], t->items[2], "third");
}

static const NativeDef bytesio_methods[] = {
    {"__getstate__()", bytesio_getstate, NULL, 0},
    {"__setstate__(state, /)", bytesio_setstate, NULL, 0},
    {"read(size=-1, /)", bytesio_read, NULL, 0},
    {"read1(size=-1, /)", bytesio_read, NULL, 0},
    {"readline(size=-1, /)", bytesio_readline, NULL, 0},
    {"readinto(buffer, /)", bytesio_readinto, NULL, 0},
    {"readinto1(buffer, /)", bytesio_readinto, NULL, 0},
    {"write(b, /)", bytesio_write, NULL, 0},
    {"getvalue()", bytesio_getvalue, NULL, 0},
    {"getbuffer()", bytesio_getbuffer, NULL, 0},
    {"seek(pos, whence=0, /)", bytesio_seek, NULL, 0},
    {"tell()", mem_tell, NULL, 0},
    {"truncate(size=None, /)", bytesio_truncate, NULL, 0},
    {"close()", mem_close, NULL, 0},
    {"flush()", mem_flush, NULL, 0},
    {"isatty()", mem_false, NULL, 0},
    {"readable()", mem_true, NULL, 0},
    {"writable()", mem_true, NULL, 0},
    {"seekable()", mem_true, NULL, 0},
    {0},
};
static const GetSetDef bytesio_getset[] = {{"closed", mem_get_closed, NULL, NULL}, {0}};

const TypeDef ou_io_bytesio_def = {
    .name = "_io.BytesIO",
    .size = sizeof(MemFile),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,
    .slots = {.make = mem_make, .init = bytesio_init, .dealloc = mem_dealloc, .traverse = mem_traverse, .next = bytesio_next},
    .methods = bytesio_methods,
    .getset = bytesio_getset,
    .doc = "Buffered I/O implementation using an in-memory bytes buffer.",
};

/* ---- StringIO ------------------------------------------------------------------------------------------------------------------ */

static bool all_ascii(const MemFile *f) { return (int64_t)f->n == f->chars; }

static size_t skip_chars(const MemFile *f, size_t from, int64_t count)
{
    if (all_ascii(f))
        return count < (int64_t)(f->n - from) ? from + (size_t)count : f->n;
    while (count-- > 0 && from < f->n) {
        uint8_t c = f->p[from];
        from += c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    }
    return from;
}

static int64_t count_chars(const uint8_t *p, size_t n)
{
    int64_t k = 0;
    for (size_t i = 0; i < n; i++)
        k += (p[i] & 0xC0) != 0x80;
    return k;
}

/* Byte offset of the position; it may lie behind the end, then it is the end. Appending needs no search, nor does going on where
 * the last access ended. */
static size_t byte_pos(const MemFile *f)
{
    if (f->pos >= f->chars)
        return f->n;
    bool behind = f->pos >= f->near_pos;
    return skip_chars(f, behind ? f->near_byte : 0, behind ? f->pos - f->near_pos : f->pos);
}

static void ended_at(MemFile *f, size_t byte)
{
    f->near_pos = f->pos;
    f->near_byte = byte;
}

static bool string_put(VM *vm, MemFile *f, const char *s, size_t n, int64_t chars)
{
    if (f->pos > f->chars) { /* a gap: filled with NULs */
        size_t gap = (size_t)(f->pos - f->chars);
        if (!reserve(vm, f, f->n + gap))
            return false;
        memset(f->p + f->n, 0, gap);
        f->n += gap;
        f->chars = f->pos;
    }
    size_t from = byte_pos(f), to = f->pos + chars >= f->chars ? f->n : skip_chars(f, from, chars);
    int64_t replaced = to == f->n ? f->chars - f->pos : chars;
    if (!reserve(vm, f, f->n - (to - from) + n + 1))
        return false;
    memmove(f->p + from + n, f->p + to, f->n - to);
    memcpy(f->p + from, s, n);
    f->n = f->n - (to - from) + n;
    f->chars += chars - replaced;
    f->pos += chars;
    ended_at(f, from + n);
    return true;
}

static void note_newlines(MemFile *f, const Str *s)
{
    for (size_t i = 0; i < s->size; i++) {
        if (s->data[i] == '\n') {
            f->seen |= SEEN_LF;
        } else if (s->data[i] == '\r') {
            bool crlf = i + 1 < s->size && s->data[i + 1] == '\n';
            f->seen |= crlf ? SEEN_CRLF : SEEN_CR;
            i += crlf;
        }
    }
}

/* Newlines are translated when text comes in, as TextIOWrapper does on reading (None) or writing (CR, CRLF). */
static bool string_write(VM *vm, MemFile *f, Str *s)
{
    if (f->newline == NL_UNIVERSAL || f->newline == NL_EMPTY)
        note_newlines(f, s);
    if (f->newline == NL_LF || f->newline == NL_EMPTY ||
        !memchr(s->data, f->newline == NL_UNIVERSAL ? '\r' : '\n', s->size))
        return string_put(vm, f, s->data, s->size, s->length);
    StrBuf b;
    ou_sb_init(&b, vm);
    for (size_t i = 0; i < s->size; i++) {
        char c = s->data[i];
        if (f->newline == NL_UNIVERSAL && c == '\r') {
            ou_sb_putc(&b, '\n');
            if (i + 1 < s->size && s->data[i + 1] == '\n')
                i++;
        } else if (f->newline == NL_CR && c == '\n') {
            ou_sb_putc(&b, '\r');
        } else if (f->newline == NL_CRLF && c == '\n') {
            ou_sb_put(&b, "\r\n", 2);
        } else {
            ou_sb_putc(&b, c);
        }
    }
    bool ok = !b.failed && string_put(vm, f, b.p, b.n, count_chars((uint8_t *)b.p, b.n));
    ou_sb_drop(&b);
    return ok;
}

static int stringio_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[2];
    MemFile *f = self_of(self);
    if (!ou_bind(vm, "StringIO(initial_value='', newline='\\n')", args, n, kwnames, a))
        return -1;
    f->n = f->near_byte = 0;
    f->chars = f->pos = f->near_pos = 0;
    f->closed = false;
    f->newline = NL_LF;
    f->seen = 0;
    if (a[1] != V_NULL && !ou_io_newline(vm, a[1], &f->newline))
        return -1;
    if (a[0] == V_NULL || a[0] == V_NONE)
        return 0;
    if (!ou_is_a(vm, a[0], T_STR)) {
        ou_raise(vm, E_TYPE, "initial_value must be str or None, not %T", a[0]);
        return -1;
    }
    bool ok = string_write(vm, f, as_str(a[0]));
    f->pos = 0;
    return ok ? 0 : -1;
}

static Value string_take(VM *vm, MemFile *f, size_t from, size_t to)
{
    Value r = ou_str_new(vm, to > from ? (char *)f->p + from : "", to - from);
    if (r != V_NULL && to > from) {
        f->pos += as_str(r)->length;
        ended_at(f, to);
    }
    return r;
}

static Value stringio_read(VM *vm, const Value *args, int n)
{
    MemFile *f = self_of(args[0]);
    int64_t size = -1;
    if (!check(vm, f, "") || (n > 1 && !ou_io_size(vm, args[1], &size)))
        return V_NULL;
    size_t from = byte_pos(f);
    return string_take(vm, f, from, size < 0 ? f->n : skip_chars(f, from, size));
}

static size_t string_line(const MemFile *f, size_t from, int64_t limit)
{
    size_t end = f->n;
    for (size_t i = from; i < f->n; i++) {
        uint8_t c = f->p[i];
        bool crlf = c == '\r' && i + 1 < f->n && f->p[i + 1] == '\n';
        if (c == '\n' && f->newline != NL_CR && f->newline != NL_CRLF) {
            end = i + 1;
            break;
        }
        if (c == '\r' && ((f->newline == NL_CR) || (f->newline == NL_EMPTY && !crlf))) {
            end = i + 1;
            break;
        }
        if (crlf && (f->newline == NL_CRLF || f->newline == NL_EMPTY)) {
            end = i + 2;
            break;
        }
    }
    if (limit >= 0) {
        size_t cut = skip_chars(f, from, limit);
        if (cut < end)
            end = cut;
    }
    return end;
}

static Value stringio_readline(VM *vm, const Value *args, int n)
{
    MemFile *f = self_of(args[0]);
    int64_t limit = -1;
    if (!check(vm, f, "") || (n > 1 && !ou_io_size(vm, args[1], &limit)))
        return V_NULL;
    size_t from = byte_pos(f);
    return string_take(vm, f, from, string_line(f, from, limit));
}

static Value stringio_next(VM *vm, Value self)
{
    MemFile *f = self_of(self);
    if (!check(vm, f, ""))
        return V_NULL;
    size_t from = byte_pos(f), to = string_line(f, from, -1);
    return to > from ? string_take(vm, f, from, to) : V_NULL;
}

static Value stringio_write(VM *vm, const Value *args, int n)
{
    (void)n;
    MemFile *f = self_of(args[0]);
    if (!ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "string argument expected, got '%T'", args[1]);
    if (!check(vm, f, ""))
        return V_NULL;
    Str *s = as_str(args[1]);
    return s->size == 0 || string_write(vm, f, s) ? v_smallint(s->length) : V_NULL;
}

static Value stringio_getvalue(VM *vm, const Value *args, int n)
{
    (void)n;
    MemFile *f = self_of(args[0]);
    return check(vm, f, "") ? ou_str_new(vm, f->n ? (char *)f->p : "", f->n) : V_NULL;
}

static Value stringio_seek(VM *vm, const Value *args, int n)
{
    MemFile *f = self_of(args[0]);
    int64_t pos, whence = 0;
    if (!check(vm, f, "") || !ou_index_i64(vm, args[1], &pos) || (n > 2 && !ou_index_i64(vm, args[2], &whence)))
        return V_NULL;
    if (whence < 0 || whence > 2)
        return ou_raise(vm, E_VALUE, "Invalid whence (%ld, should be 0, 1 or 2)", whence);
    if (whence == 0 && pos < 0)
        return ou_raise(vm, E_VALUE, "Negative seek position %ld", pos);
    if (whence != 0 && pos != 0)
        return ou_raise(vm, E_OS, "Can't do nonzero cur-relative seeks");
    f->pos = whence == 0 ? pos : whence == 1 ? f->pos : f->chars;
    return ou_int(vm, f->pos);
}

static Value stringio_truncate(VM *vm, const Value *args, int n)
{
    MemFile *f = self_of(args[0]);
    int64_t size = f->pos;
    if (!check(vm, f, "") || (n > 1 && args[1] != V_NONE && !ou_index_i64(vm, args[1], &size)))
        return V_NULL;
    if (size < 0)
        return ou_raise(vm, E_VALUE, "Negative size value %ld", size);
    if (size < f->chars) {
        f->n = skip_chars(f, 0, size);
        f->chars = size;
        f->near_pos = 0;
        f->near_byte = 0;
    }
    return ou_int(vm, size);
}

static Value stringio_getstate(VM *vm, const Value *args, int n)
{
    uint8_t nl = self_of(args[0])->newline;
    return state_of(vm, args[0], stringio_getvalue(vm, args, n), true,
                    nl == NL_CR      ? "\r"
                    : nl == NL_CRLF  ? "\r\n"
                    : nl == NL_EMPTY ? ""
                    : nl == NL_LF    ? "\n"
                                     : NULL);
}

static Value stringio_setstate(VM *vm, const Value *args, int n)
{
    (void)n;
    Tuple *t = check(vm, self_of(args[0]), "") ? state_tuple(vm, args[0], args[1], 4) : NULL;
    if (!t)
        return V_NULL;
    Value start[2] = {vm->empty_str, t->items[1]};
    MemFile *f = self_of(args[0]);
    if (stringio_init(vm, args[0], start, 2, NULL) < 0)
        return V_NULL;
    if (!ou_is_a(vm, t->items[0], T_STR))
        return ou_raise(vm, E_TYPE, "initial_value must be str or None, not %T", t->items[0]);
    Str *s = as_str(t->items[0]); /* its newlines were translated when it came in the first time */
    if (s->size && !string_put(vm, f, s->data, s->size, s->length))
        return V_NULL;
    return take_state(vm, args[0], t->items[2], t->items[3], "fourth");
}

static Value stringio_none(VM *vm, Value self) { return check(vm, self_of(self), "") ? V_NONE : V_NULL; }
static Value stringio_newlines(VM *vm, Value self) { return check(vm, self_of(self), "") ? ou_io_newlines(vm, self_of(self)->seen) : V_NULL; }
static Value stringio_line_buffering(VM *vm, Value self) { return check(vm, self_of(self), "") ? V_FALSE : V_NULL; }

static const NativeDef stringio_methods[] = {
    {"__getstate__()", stringio_getstate, NULL, 0},
    {"__setstate__(state, /)", stringio_setstate, NULL, 0},
    {"read(size=-1, /)", stringio_read, NULL, 0},
    {"readline(size=-1, /)", stringio_readline, NULL, 0},
    {"write(s, /)", stringio_write, NULL, 0},
    {"getvalue()", stringio_getvalue, NULL, 0},
    {"seek(pos, whence=0, /)", stringio_seek, NULL, 0},
    {"tell()", mem_tell, NULL, 0},
    {"truncate(pos=None, /)", stringio_truncate, NULL, 0},
    {"close()", mem_close, NULL, 0},
    {"flush()", mem_flush, NULL, 0},
    {"isatty()", mem_false, NULL, 0},
    {"readable()", mem_true, NULL, 0},
    {"writable()", mem_true, NULL, 0},
    {"seekable()", mem_true, NULL, 0},
    {0},
};
static const GetSetDef stringio_getset[] = {
    {"closed", mem_get_closed, NULL, NULL}, {"newlines", stringio_newlines, NULL, NULL}, {"encoding", stringio_none, NULL, NULL},
    {"errors", stringio_none, NULL, NULL}, {"line_buffering", stringio_line_buffering, NULL, NULL}, {0}};

const TypeDef ou_io_stringio_def = {
    .name = "_io.StringIO",
    .size = sizeof(MemFile),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,
    .slots = {.make = mem_make, .init = stringio_init, .dealloc = mem_dealloc, .traverse = mem_traverse, .next = stringio_next},
    .methods = stringio_methods,
    .getset = stringio_getset,
    .doc = "Text I/O implementation using an in-memory buffer.",
};
