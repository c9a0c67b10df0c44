/* TextIOWrapper: text over a byte file (natively, without intermediate objects) or over any object with read and write.
 * The one thing to know: reading decodes whole chunks into `text` (UTF-8, newlines already translated); the bytes of a character
 * that a chunk cuts are carried over to the next. Writing encodes straight into the byte file's buffer. */
#include <strings.h>
#include <unistd.h>

#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "runtime/objects/gc.h"
#include "stdlib/io_impl.h"
#include "vm/call.h"

static TextFile *self_of(Value v) { return (TextFile *)v_obj(v); }

/* ---- options ------------------------------------------------------------------------------------------------------------ */

static int codec_of(const char *name)
{
    char norm[16];
    size_t n = 0;
    for (; *name; name++) {
        if (*name == '-' || *name == '_' || *name == ' ')
            continue;
        if (n + 1 >= sizeof norm)
            return CODEC_OTHER;
        norm[n++] = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
    }
    norm[n] = 0;
    if (!strcmp(norm, "utf8") || !strcmp(norm, "locale") || !strcmp(norm, "u8"))
        return CODEC_UTF8;
    if (!strcmp(norm, "ascii") || !strcmp(norm, "usascii") || !strcmp(norm, "646"))
        return CODEC_ASCII;
    if (!strcmp(norm, "latin1") || !strcmp(norm, "iso88591") || !strcmp(norm, "l1"))
        return CODEC_LATIN1;
    return CODEC_OTHER;
}

static bool set_codec(VM *vm, TextFile *f, Value encoding, Value errors)
{
    Value enc = encoding == V_NULL || encoding == V_NONE ? ou_str_c(vm, "UTF-8") : retain(encoding);
    Value err = errors == V_NULL || errors == V_NONE ? ou_str_c(vm, "strict") : retain(errors);
    bool ok = false;
    if (enc != V_NULL && err != V_NULL) {
        if (!ou_is_a(vm, enc, T_STR))
            ou_raise(vm, E_TYPE, "TextIOWrapper() argument 'encoding' must be str or None, not %T", enc);
        else if (!ou_is_a(vm, err, T_STR))
            ou_raise(vm, E_TYPE, "TextIOWrapper() argument 'errors' must be str or None, not %T", err);
        else
            ok = true;
    }
    if (ok) {
        f->codec = (uint8_t)codec_of(as_str(enc)->data);
        if (f->codec == CODEC_OTHER) { /* raises LookupError for an unknown name */
            Value probe = ou_str_encode(vm, vm->empty_str, as_str(enc)->data, "strict");
            ok = probe != V_NULL;
            xrelease(vm, probe);
        }
    }
    if (!ok) {
        xrelease(vm, enc);
        xrelease(vm, err);
        return false;
    }
    set_owned(vm, &f->encoding, enc);
    set_owned(vm, &f->errors, err);
    return true;
}

static bool text_set(VM *vm, TextFile *f, Value bytes, Value encoding, Value errors, Value newline, bool line_buffering,
                     bool write_through)
{
    uint8_t nl;
    IoState *st = ou_io_state(vm);
    if (!st || !ou_io_newline(vm, newline, &nl) || !set_codec(vm, f, encoding, errors))
        return false;
    f->newline = nl;
    set_owned(vm, &f->newlines_seen, V_NONE);
    f->line_buffering = line_buffering;
    f->write_through = write_through;
    f->telling = true;
    f->text_pos = f->text_end = 0;
    f->ncarry = 0;
    f->pending_cr = f->bom_done = false;
    set_owned(vm, &f->bytes, retain(bytes));
    Type *bt = ou_type_of(vm, bytes);
    f->native = bt == st->reader || bt == st->writer || bt == st->random || bt == st->fileio ? (ByteFile *)v_obj(bytes) : NULL;
    f->made = true;
    if (f->codec == CODEC_OTHER && f->native && !f->native->foreign) { /* no mark in the middle of a file */
        off_t at = lseek(ou_io_fd(f->native), 0, SEEK_CUR);
        f->bom_done = at > 0;
    }
    return true;
}

Value ou_io_textfile_new(VM *vm, Type *type, Value bytes, Value encoding, Value errors, Value newline, bool line_buffering,
                         bool write_through)
{
    TextFile *f = ou_new(vm, type, 0);
    if (!f)
        return V_NULL;
    if (text_set(vm, f, bytes, encoding, errors, newline, line_buffering, write_through))
        return v_of(f);
    obj_release(vm, f);
    return V_NULL;
}

static Value text_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    (void)args;
    (void)n;
    (void)kwnames;
    TextFile *f = ou_new(vm, cls, 0);
    return f ? v_of(f) : V_NULL;
}

static int text_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[6];
    TextFile *f = self_of(self);
    if (!ou_bind(vm, "TextIOWrapper(buffer, encoding=None, errors=None, newline=None, line_buffering=False, write_through=False)", args,
                 n, kwnames, a))
        return -1;
    int lb = a[4] == V_NULL ? 0 : ou_truth(vm, a[4]), wt = a[5] == V_NULL ? 0 : ou_truth(vm, a[5]);
    if (lb < 0 || wt < 0 || (f->made && f->bytes != V_NULL && !ou_io_text_flush(vm, f)))
        return -1;
    f->made = false;
    if (a[1] != V_NULL && a[1] != V_NONE && !ou_is_a(vm, a[1], T_STR))
        return ou_raise(vm, E_TYPE, "TextIOWrapper() argument 'encoding' must be str or None, not %T", a[1]), -1;
    if (!text_set(vm, f, a[0], a[1], a[2], a[3], lb, wt))
        return -1;
    if (!f->native) { /* asked for once: whether tell() can be used at all */
        Value r = ou_call_method_c(vm, f->bytes, "seekable", NULL, 0);
        int truth = r == V_NULL ? -1 : ou_truth(vm, r);
        xrelease(vm, r);
        f->made = truth >= 0;
        f->unseekable = truth == 0;
        return truth < 0 ? -1 : 0;
    }
    return 0;
}

/* ---- life ------------------------------------------------------------------------------------------------------------------ */

static bool is_closed(VM *vm, TextFile *f)
{
    if (f->bytes == V_NULL)
        return false;
    if (f->native && !f->native->foreign)
        return ou_io_bytes_closed(vm, f->native) > 0;
    Value c = ou_getattr_c(vm, f->bytes, "closed");
    if (c == V_NULL) {
        ou_exc_clear(vm);
        return false;
    }
    int truth = ou_truth(vm, c);
    release(vm, c);
    return truth > 0;
}

bool ou_io_text_check(VM *vm, TextFile *f)
{
    if (f->bytes == V_NULL || !f->made) {
        ou_raise(vm, E_VALUE, f->made ? "underlying buffer has been detached" : "I/O operation on uninitialized object");
        return false;
    }
    if (is_closed(vm, f)) {
        ou_io_closed(vm);
        return false;
    }
    return true;
}

static bool call_bytes(VM *vm, TextFile *f, const char *method)
{
    Value r = ou_call_method_c(vm, f->bytes, method, NULL, 0);
    xrelease(vm, r);
    return r != V_NULL;
}

/* Hands what was encoded for an object of the script to its write(). */
bool ou_io_text_pending(VM *vm, TextFile *f)
{
    if (f->pend == V_NULL)
        return true;
    Value b = f->pend, r = V_NULL;
    f->pend = V_NULL;
    Value whole = ou_bytes_new(vm, ((ByteArray *)v_obj(b))->data, ((ByteArray *)v_obj(b))->n);
    release(vm, b);
    if (whole != V_NULL)
        r = ou_call_method(vm, f->bytes, name_of(vm, N_write), &whole, 1, NULL);
    xrelease(vm, whole);
    xrelease(vm, r);
    return r != V_NULL;
}

bool ou_io_text_flush(VM *vm, TextFile *f)
{
    if (!ou_io_text_check(vm, f))
        return false;
    return f->native ? ou_io_flush_bytes(vm, f->native) : ou_io_text_pending(vm, f) && call_bytes(vm, f, "flush");
}

static bool text_close(VM *vm, TextFile *f)
{
    if (f->bytes == V_NULL || is_closed(vm, f))
        return true;
    if (f->native)
        return ou_io_close_bytes(vm, f->native);
    bool ok = ou_io_text_pending(vm, f) && call_bytes(vm, f, "flush");
    Value exc = ok ? V_NULL : ou_exc_take(vm);
    bool closed = call_bytes(vm, f, "close");
    if (!ok && closed)
        ou_exc_restore(vm, exc);
    else if (!ok)
        ou_exc_set_context(vm, vm->exc, exc), release(vm, exc);
    return ok && closed;
}

static void text_dealloc(VM *vm, Obj *o)
{
    TextFile *f = (TextFile *)o;
    if (f->bytes != V_NULL) {
        Value exc = ou_exc_take(vm);
        if (f->native ? f->native->h.refs == 1 && !text_close(vm, f) : !text_close(vm, f))
            ou_exc_clear(vm);
        vm->exc = exc;
    }
    ou_free(&vm->heap, f->text, f->text_cap);
    xrelease(vm, f->pend);
    xrelease(vm, f->bytes);
    xrelease(vm, f->encoding);
    xrelease(vm, f->errors);
    xrelease(vm, f->mode);
    xrelease(vm, f->newlines_seen);
    ou_finish_dealloc(vm, o, 0);
}

static void text_traverse(VM *vm, Obj *o, VisitFn visit, void *arg)
{
    ou_visit(vm, ((TextFile *)o)->bytes, visit, arg);
}

TextFile *ou_io_plain_text(VM *vm, Value file)
{
    IoState *st = vm->module_state[MOD__io];
    if (!st || !is_obj(file) || ou_type_of(vm, file) != st->text)
        return NULL;
    TextFile *f = self_of(file);
    return f->native && !f->native->closed && f->native->writable ? f : NULL;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------------ */

static bool put_bytes(VM *vm, TextFile *f, const void *p, size_t n)
{
    if (f->native)
        return ou_io_write_bytes(vm, f->native, p, n);
    if (f->pend != V_NULL && ((ByteArray *)v_obj(f->pend))->n + n > IO_CHUNK && !ou_io_text_pending(vm, f))
        return false;
    Value more = ou_bytearray_new(vm, p, n), r = more;
    if (more != V_NULL && f->pend != V_NULL) {
        r = ou_inplace(vm, BIN_ADD, f->pend, more);
        xrelease(vm, r);
        release(vm, more);
    } else {
        f->pend = more;
    }
    return r != V_NULL && (((ByteArray *)v_obj(f->pend))->n < IO_CHUNK || ou_io_text_pending(vm, f));
}

/* Text without newline translation. */
static bool put_text(VM *vm, TextFile *f, const char *s, size_t n, bool ascii)
{
    if (ascii && f->codec != CODEC_OTHER)
        return put_bytes(vm, f, s, n);
    if (f->codec == CODEC_UTF8) {
        const char *p = s, *end = s + n;
        while ((p = memchr(p, 0xED, (size_t)(end - p))) && (uint8_t)p[1] < 0xA0) /* lone surrogates need the error handler */
            p++;
        if (!p)
            return put_bytes(vm, f, s, n);
    }
    Value str = ou_str_new(vm, s, n);
    if (str == V_NULL)
        return false;
    Value b = ou_str_encode(vm, str, as_str(f->encoding)->data, as_str(f->errors)->data);
    release(vm, str);
    if (b == V_NULL)
        return false;
    const uint8_t *p = as_bytes(b)->data;
    size_t len = as_bytes(b)->n;
    /* The mark of UTF-16 and its like belongs to the first text only. */
    size_t mark = 0;
    if (f->codec == CODEC_OTHER && f->bom_done) {
        if (len >= 4 && ((p[0] == 0xFF && p[1] == 0xFE && !p[2] && !p[3]) || (!p[0] && !p[1] && p[2] == 0xFE && p[3] == 0xFF)))
            mark = 4;
        else if (len >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF)))
            mark = 2;
        else if (len >= 3 && p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF && !strncasecmp(as_str(f->encoding)->data, "utf", 3))
            mark = 3;
    }
    f->bom_done = true;
    bool ok = put_bytes(vm, f, p + mark, len - mark);
    release(vm, b);
    return ok;
}

bool ou_io_text_write(VM *vm, TextFile *f, const char *s, size_t n)
{
    bool ascii = true, nl = false;
    for (size_t i = 0; i < n; i++) {
        if ((uint8_t)s[i] >= 0x80)
            ascii = false;
        else if (s[i] == '\n' || s[i] == '\r')
            nl = true;
    }
    bool ok = true;
    if (nl && (f->newline == NL_CR || f->newline == NL_CRLF)) {
        const char *end = s + n;
        while (ok && s < end) {
            const char *p = memchr(s, '\n', (size_t)(end - s));
            size_t part = (size_t)((p ? p : end) - s);
            ok = (part == 0 || put_text(vm, f, s, part, ascii)) &&
                 (!p || put_text(vm, f, f->newline == NL_CR ? "\r" : "\r\n", f->newline == NL_CR ? 1 : 2, true));
            s += part + (p ? 1 : 0);
        }
    } else if (n) {
        ok = put_text(vm, f, s, n, ascii);
    }
    if (ok && f->write_through)
        ok = f->native ? ou_io_flush_bytes(vm, f->native) : ou_io_text_pending(vm, f);
    if (ok && nl && f->line_buffering)
        ok = f->native ? ou_io_flush_bytes(vm, f->native) : ou_io_text_pending(vm, f) && call_bytes(vm, f, "flush");
    return ok;
}

static bool check_writable(VM *vm, TextFile *f)
{
    if (!ou_io_text_check(vm, f))
        return false;
    if (f->native && !f->native->writable) {
        ou_io_unsupported(vm, "not writable");
        return false;
    }
    return true;
}

static Value text_write(VM *vm, const Value *args, int n)
{
    (void)n;
    TextFile *f = self_of(args[0]);
    if (!ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "write() argument must be str, not %K", args[1]);
    if (!check_writable(vm, f))
        return V_NULL;
    f->text_pos = f->text_end = 0; /* what was read ahead is behind us now */
    f->ncarry = 0;
    Str *s = as_str(args[1]);
    return ou_io_text_write(vm, f, s->data, s->size) ? v_smallint(s->length) : V_NULL;
}

/* ---- reading -------------------------------------------------------------------------------------------------------------------- */

static bool room(VM *vm, TextFile *f, size_t more)
{
    if (f->text_pos == f->text_end) {
        f->text_pos = f->text_end = 0;
    } else if (f->text_pos > f->text_cap / 2) {
        memmove(f->text, f->text + f->text_pos, f->text_end - f->text_pos);
        f->text_end -= f->text_pos;
        f->text_pos = 0;
    }
    if (f->text_end + more <= f->text_cap)
        return true;
    size_t cap = f->text_cap ? f->text_cap * 2 : IO_CHUNK;
    while (cap < f->text_end + more)
        cap *= 2;
    char *p = ou_realloc(&vm->heap, f->text, f->text_cap, cap);
    if (!p) {
        ou_raise_memory(vm);
        return false;
    }
    f->text = p;
    f->text_cap = cap;
    return true;
}

/* Appends decoded text. In universal mode a "\r" at the end of a chunk waits: it may be half of "\r\n". */
static bool take_text(VM *vm, TextFile *f, const char *s, size_t n, bool final)
{
    if (!room(vm, f, n + 2))
        return false;
    if (f->newline == NL_LF || f->newline == NL_CR || f->newline == NL_CRLF) {
        memcpy(f->text + f->text_end, s, n);
        f->text_end += n;
        return true;
    }
    bool translate = f->newline == NL_UNIVERSAL;
    int seen = is_small(f->newlines_seen) ? (int)v_small(f->newlines_seen) : 0;
    char *out = f->text + f->text_end;
    const char *end = s + n;
    if (f->pending_cr && (n || final)) {
        f->pending_cr = false;
        if (n && *s == '\n') {
            seen |= SEEN_CRLF;
            if (!translate)
                *out++ = '\r';
            *out++ = '\n';
            s++;
        } else {
            seen |= SEEN_CR;
            *out++ = translate ? '\n' : '\r';
        }
    }
    if (!memchr(s, '\r', (size_t)(end - s))) {
        if (!(seen & SEEN_LF) && memchr(s, '\n', (size_t)(end - s)))
            seen |= SEEN_LF;
        memcpy(out, s, (size_t)(end - s));
        out += end - s;
        s = end;
    }
    while (s < end) {
        if (*s != '\r') {
            if (*s == '\n')
                seen |= SEEN_LF;
            *out++ = *s++;
        } else if (s + 1 == end && !final) {
            f->pending_cr = true;
            s++;
        } else if (s + 1 < end && s[1] == '\n') {
            seen |= SEEN_CRLF;
            if (!translate)
                *out++ = '\r';
            *out++ = '\n';
            s += 2;
        } else {
            seen |= SEEN_CR;
            *out++ = translate ? '\n' : '\r';
            s++;
        }
    }
    f->text_end = (size_t)(out - f->text);
    if (seen)
        set_owned(vm, &f->newlines_seen, v_smallint(seen));
    return true;
}

/* How many bytes at the end of p are the beginning of a character that is not complete yet. */
static size_t incomplete_tail(const uint8_t *p, size_t n)
{
    for (size_t k = 1; k <= 3 && k <= n; k++) {
        uint8_t c = p[n - k];
        if (c < 0x80)
            return 0;
        if (c >= 0xC0) {
            size_t need = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
            return need > k ? k : 0;
        }
    }
    return 0;
}

static bool decode_chunk(VM *vm, TextFile *f, const uint8_t *p, size_t n, bool final)
{
    uint8_t *joined = NULL;
    size_t total = n;
    if (f->ncarry && n) {
        total = n + f->ncarry;
        joined = ou_alloc(&vm->heap, total);
        if (!joined)
            return ou_raise_memory(vm), false;
        memcpy(joined, f->carry, f->ncarry);
        memcpy(joined + f->ncarry, p, n);
        p = joined;
        f->ncarry = 0;
    } else if (f->ncarry && final) {
        p = (uint8_t *)f->carry;
        total = f->ncarry;
        f->ncarry = 0;
    }
    size_t use = total;
    if (f->codec == CODEC_UTF8 && !final) {
        size_t tail = incomplete_tail(p, total);
        memcpy(f->carry, p + total - tail, tail);
        f->ncarry = (uint8_t)tail;
        use = total - tail;
    }
    bool ok;
    Value s = ou_str_decode(vm, (const char *)p, use, as_str(f->encoding)->data, as_str(f->errors)->data);
    ok = s != V_NULL && take_text(vm, f, as_str(s)->data, as_str(s)->size, final);
    xrelease(vm, s);
    if (joined)
        ou_free(&vm->heap, joined, total);
    return ok;
}

/* 1 got something, 0 end, -1 raised. all: everything that is left. */
static int more_text(VM *vm, TextFile *f, bool all)
{
    size_t before = f->text_end - f->text_pos;
    if (f->native && !all && f->codec != CODEC_OTHER) {
        ByteFile *b = f->native;
        if (b->pos == b->end || b->writing) {
            int64_t got = ou_io_fill(vm, b);
            if (got == -1)
                return -1;
        }
        size_t n = b->writing ? 0 : b->end - b->pos;
        if (n == 0)
            return decode_chunk(vm, f, NULL, 0, true) ? f->text_end - f->text_pos > before : -1;
        const uint8_t *p = b->buf + b->pos;
        b->pos = b->end; /* decoding cannot touch the byte buffer */
        return decode_chunk(vm, f, p, n, false) ? 1 : -1;
    }
    Value size = v_smallint(all || f->codec == CODEC_OTHER ? -1 : IO_CHUNK);
    bool whole = v_small(size) < 0;
    Value chunk = ou_call_method_c(vm, f->bytes, "read", &size, 1);
    if (chunk == V_NULL)
        return -1;
    Buffer b;
    if (chunk == V_NONE) {
        return 0;
    }
    if (!ou_buffer_get(vm, chunk, &b, false)) {
        ou_exc_clear(vm);
        ou_raise(vm, E_TYPE, "underlying read() should have returned a bytes-like object, not '%T'", chunk);
        release(vm, chunk);
        return -1;
    }
    size_t got = (size_t)b.n;
    bool ok = decode_chunk(vm, f, b.p, got, whole || got == 0);
    ou_buffer_release(vm, &b);
    release(vm, chunk);
    return !ok ? -1 : f->text_end - f->text_pos > before || (got > 0 && !whole);
}

static bool check_readable(VM *vm, TextFile *f)
{
    if (!ou_io_text_check(vm, f))
        return false;
    if (f->native && !f->native->readable) {
        ou_io_unsupported(vm, "not readable");
        return false;
    }
    return ou_io_text_pending(vm, f);
}

static Value take_str(VM *vm, TextFile *f, size_t n)
{
    Value s = ou_str_new(vm, f->text + f->text_pos, n);
    if (s != V_NULL)
        f->text_pos += n;
    return s;
}

static Value text_read(VM *vm, const Value *args, int n)
{
    TextFile *f = self_of(args[0]);
    int64_t size = -1;
    if (!check_readable(vm, f) || (n > 1 && !ou_io_size(vm, args[1], &size)))
        return V_NULL;
    if (size < 0) {
        if (more_text(vm, f, true) < 0)
            return V_NULL;
        return take_str(vm, f, f->text_end - f->text_pos);
    }
    size_t at = 0;
    int64_t count = 0;
    while (count < size) {
        while (f->text_pos + at < f->text_end && count < size) {
            uint8_t c = (uint8_t)f->text[f->text_pos + at];
            at += c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
            count++;
        }
        if (count == size)
            break;
        int got = more_text(vm, f, false);
        if (got < 0)
            return V_NULL;
        if (got == 0)
            break;
    }
    return take_str(vm, f, at);
}

/* Where the first line of p[0..n) ends (its newline included), or 0. *scanned: nothing before it need be looked at again. */
static size_t line_end(const TextFile *f, const char *p, size_t n, size_t *scanned, bool eof)
{
    size_t i = *scanned;
    if (f->newline == NL_UNIVERSAL || f->newline == NL_LF) {
        const char *q = memchr(p + i, '\n', n - i);
        *scanned = n;
        return q ? (size_t)(q - p) + 1 : 0;
    }
    for (; i < n; i++) {
        if (p[i] == '\n' && f->newline == NL_EMPTY)
            return i + 1;
        if (p[i] != '\r')
            continue;
        if (f->newline == NL_CR)
            return i + 1;
        if (i + 1 == n && !eof)
            break;
        if (i + 1 < n && p[i + 1] == '\n')
            return i + 2;
        if (f->newline == NL_EMPTY)
            return i + 1;
    }
    *scanned = i;
    return 0;
}

static Value read_line(VM *vm, TextFile *f, int64_t limit)
{
    size_t scanned = 0, end = 0;
    bool eof = false;
    for (;;) {
        size_t have = f->text_end - f->text_pos;
        if (have > scanned || eof) {
            end = line_end(f, f->text + f->text_pos, have, &scanned, eof);
            if (end)
                break;
        }
        if (eof) {
            end = have;
            break;
        }
        if (limit >= 0 && (int64_t)have > limit * 4)
            break;
        int got = more_text(vm, f, false);
        if (got < 0)
            return V_NULL;
        eof = got == 0;
    }
    if (limit >= 0) {
        size_t at = 0, have = end ? end : f->text_end - f->text_pos;
        for (int64_t k = 0; k < limit && at < have; k++) {
            uint8_t c = (uint8_t)f->text[f->text_pos + at];
            at += c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        }
        end = at;
    }
    return take_str(vm, f, end);
}

Value ou_io_text_readline(VM *vm, TextFile *f) { return check_readable(vm, f) ? read_line(vm, f, -1) : V_NULL; }

static Value text_readline(VM *vm, const Value *args, int n)
{
    TextFile *f = self_of(args[0]);
    int64_t limit = -1;
    if (n > 1 && !ou_io_size(vm, args[1], &limit))
        return V_NULL;
    return check_readable(vm, f) ? read_line(vm, f, limit) : V_NULL;
}

static Value text_next(VM *vm, Value self)
{
    TextFile *f = self_of(self);
    Value line = V_NULL;
    if (ou_type_of(vm, self)->flags & TF_HEAP) { /* a subclass may have a readline() of its own */
        line = ou_call_method(vm, self, name_of(vm, N_readline), NULL, 0, NULL);
        if (line != V_NULL && !ou_is_a(vm, line, T_STR)) {
            ou_raise(vm, E_OS, "readline() should have returned a str object, not '%T'", line);
            release(vm, line);
            return V_NULL;
        }
    } else if (check_readable(vm, f)) {
        f->telling = false;
        line = read_line(vm, f, -1);
    }
    if (line != V_NULL && as_str(line)->size == 0) {
        f->telling = true;
        release(vm, line);
        return V_NULL;
    }
    return line;
}

/* ---- the rest -------------------------------------------------------------------------------------------------------------------------- */

static Value text_flush(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_io_text_flush(vm, self_of(args[0])) ? V_NONE : V_NULL;
}

static Value text_close_method(VM *vm, const Value *args, int n)
{
    (void)n;
    return text_close(vm, self_of(args[0])) ? V_NONE : V_NULL;
}

static Value text_detach(VM *vm, const Value *args, int n)
{
    (void)n;
    TextFile *f = self_of(args[0]);
    if (!ou_io_text_check(vm, f) || !ou_io_text_flush(vm, f))
        return V_NULL;
    Value b = f->bytes;
    f->bytes = V_NULL;
    f->native = NULL;
    f->made = true;
    return b;
}

static Value forward(VM *vm, TextFile *f, const char *method)
{
    return ou_io_text_check(vm, f) ? ou_call_method_c(vm, f->bytes, method, NULL, 0) : V_NULL;
}

static Value text_fileno(VM *vm, const Value *args, int n)
{
    (void)n;
    TextFile *f = self_of(args[0]);
    if (f->native && f->bytes != V_NULL && ou_io_bytes_closed(vm, f->native) > 0)
        return ou_raise(vm, E_VALUE, "I/O operation on closed file");
    return forward(vm, f, "fileno");
}
static Value text_isatty(VM *vm, const Value *args, int n) { return (void)n, forward(vm, self_of(args[0]), "isatty"); }
static Value text_readable(VM *vm, const Value *args, int n) { return (void)n, forward(vm, self_of(args[0]), "readable"); }
static Value text_writable(VM *vm, const Value *args, int n) { return (void)n, forward(vm, self_of(args[0]), "writable"); }
static Value text_seekable(VM *vm, const Value *args, int n) { return (void)n, forward(vm, self_of(args[0]), "seekable"); }

static Value text_reconfigure(VM *vm, const Value *args, int n)
{
    (void)n;
    TextFile *f = self_of(args[0]);
    const Value *a = args + 1; /* encoding, errors, newline, line_buffering, write_through */
    if (!ou_io_text_check(vm, f))
        return V_NULL;
    uint8_t nl = f->newline;
    if (a[2] != V_NULL && !ou_io_newline(vm, a[2], &nl))
        return V_NULL;
    int lb = a[3] == V_NULL || a[3] == V_NONE ? f->line_buffering : ou_truth(vm, a[3]);
    int wt = a[4] == V_NULL || a[4] == V_NONE ? f->write_through : ou_truth(vm, a[4]);
    if (lb < 0 || wt < 0 || (f->native && f->native->writable && !ou_io_text_flush(vm, f)))
        return V_NULL;
    bool enc = a[0] != V_NULL && a[0] != V_NONE, err = a[1] != V_NULL && a[1] != V_NONE;
    if (enc && f->text_end > f->text_pos)
        return ou_io_unsupported(vm, "It is not possible to set the encoding or newline of stream after the first read");
    if ((enc || err) && !set_codec(vm, f, enc ? a[0] : f->encoding, err ? a[1] : enc ? V_NONE : f->errors))
        return V_NULL;
    f->newline = nl;
    f->line_buffering = lb;
    f->write_through = wt;
    return V_NONE;
}

static bool initialized(VM *vm, Value self)
{
    if (self_of(self)->made)
        return true;
    ou_raise(vm, E_VALUE, "I/O operation on uninitialized object");
    return false;
}

#define BOOL_GETTER(field)                                                                                            \
    static Value text_get_##field(VM *vm, Value self)                                                                 \
    {                                                                                                                 \
        return initialized(vm, self) ? v_bool(self_of(self)->field) : V_NULL;                                         \
    }
BOOL_GETTER(line_buffering)
BOOL_GETTER(write_through)

static Value text_get_encoding(VM *vm, Value self)
{
    return initialized(vm, self) ? retain(self_of(self)->encoding) : V_NULL;
}
static Value text_get_errors(VM *vm, Value self)
{
    return initialized(vm, self) ? retain(self_of(self)->errors) : V_NULL;
}
static Value text_get_buffer(VM *vm, Value self)
{
    TextFile *f = self_of(self);
    if (!initialized(vm, self))
        return V_NULL;
    return f->bytes == V_NULL ? ou_raise(vm, E_VALUE, "underlying buffer has been detached") : retain(f->bytes);
}
static Value text_get_name(VM *vm, Value self)
{
    TextFile *f = self_of(self);
    if (!initialized(vm, self))
        return V_NULL;
    return f->bytes == V_NULL ? ou_raise(vm, E_VALUE, "underlying buffer has been detached") : ou_getattr_c(vm, f->bytes, "name");
}
static Value text_get_mode(VM *vm, Value self)
{
    TextFile *f = self_of(self);
    return f->mode == V_NULL ? ou_raise_attr(vm, self, name_of(vm, N_mode)) : retain(f->mode);
}
static bool text_set_mode(VM *vm, Value self, Value v)
{
    set_owned(vm, &self_of(self)->mode, v == V_NULL ? V_NULL : retain(v));
    return true;
}
static Value text_get_closed(VM *vm, Value self)
{
    TextFile *f = self_of(self);
    if (!initialized(vm, self))
        return V_NULL;
    return f->bytes == V_NULL ? ou_raise(vm, E_VALUE, "underlying buffer has been detached") : v_bool(is_closed(vm, f));
}

/* None, one of "\r", "\n", "\r\n", or a tuple of those seen, in this order. */
static Value text_get_newlines(VM *vm, Value self)
{
    TextFile *f = self_of(self);
    static const char *const forms[] = {"\r", "\n", "\r\n"};
    static const int bits[] = {SEEN_CR, SEEN_LF, SEEN_CRLF};
    if (!is_small(f->newlines_seen))
        return V_NONE;
    Value found[3];
    int n = 0, seen = (int)v_small(f->newlines_seen);
    for (int i = 0; i < 3; i++) {
        if ((seen & bits[i]) && (found[n++] = ou_str_c(vm, forms[i])) == V_NULL)
            return V_NULL;
    }
    return n == 1 ? found[0] : ou_tuple_take(vm, found, (size_t)n);
}

static Value text_repr(VM *vm, Value self)
{
    TextFile *f = self_of(self);
    Value name = V_NULL;
    if (!initialized(vm, self))
        return V_NULL;
    if (f->bytes != V_NULL) {
        name = ou_getattr_c(vm, f->bytes, "name");
        if (name == V_NULL)
            ou_exc_clear(vm);
    }
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_puts(&b, "<_io.TextIOWrapper");
    if (name != V_NULL) {
        ou_sb_puts(&b, " name=");
        ou_sb_repr(&b, name);
        release(vm, name);
    }
    if (f->mode != V_NULL) {
        ou_sb_puts(&b, " mode=");
        ou_sb_repr(&b, f->mode);
    }
    ou_sb_puts(&b, " encoding=");
    ou_sb_repr(&b, f->encoding);
    ou_sb_putc(&b, '>');
    return ou_sb_finish(&b);
}

static const NativeDef text_methods[] = {
    {"read(size=-1, /)", text_read, NULL, 0},
    {"readline(size=-1, /)", text_readline, NULL, 0},
    {"write(text, /)", text_write, NULL, 0},
    {"flush()", text_flush, NULL, 0},
    {"close()", text_close_method, NULL, 0},
    {"detach()", text_detach, NULL, 0},
    {"seek(cookie, whence=0, /)", ou_io_text_seek, NULL, 0},
    {"tell()", ou_io_text_tell, NULL, 0},
    {"truncate(pos=None, /)", ou_io_text_truncate, NULL, 0},
    {"fileno()", text_fileno, NULL, 0},
    {"isatty()", text_isatty, NULL, 0},
    {"readable()", text_readable, NULL, 0},
    {"writable()", text_writable, NULL, 0},
    {"seekable()", text_seekable, NULL, 0},
    {"reconfigure(*, encoding=None, errors=None, newline=None, line_buffering=None, write_through=None)", text_reconfigure, NULL, 0},
    {0},
};
static const GetSetDef text_getset[] = {
    {"encoding", text_get_encoding, NULL, NULL},
    {"errors", text_get_errors, NULL, NULL},
    {"buffer", text_get_buffer, NULL, NULL},
    {"name", text_get_name, NULL, NULL},
    {"mode", text_get_mode, text_set_mode, NULL},
    {"closed", text_get_closed, NULL, NULL},
    {"newlines", text_get_newlines, NULL, NULL},
    {"line_buffering", text_get_line_buffering, NULL, NULL},
    {"write_through", text_get_write_through, NULL, NULL},
    {0},
};

const TypeDef ou_io_text_def = {
    .name = "_io.TextIOWrapper",
    .size = sizeof(TextFile),
    .flags = TF_GC | TF_BASE | TF_DICT | TF_WEAKREF,
    .slots = {.make = text_make, .init = text_init, .dealloc = text_dealloc, .traverse = text_traverse, .repr = text_repr,
              .next = text_next},
    .methods = text_methods,
    .getset = text_getset,
    .doc = "Character and line based layer over a BufferedIOBase object, buffer.",
};
