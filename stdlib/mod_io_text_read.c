/* Reading through a TextIOWrapper.
 * Entry points: ou_io_text_readline, ou_io_textm_read. The one thing to know: whole chunks are decoded into `text` (UTF-8, newlines already
 * translated); the bytes of a character that a chunk cuts are carried over to the next. */
#include "stdlib/io_impl.h"

#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "vm/call.h"

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
    f->reading = true;
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
    Value chunk = ou_call_method_c(vm, f->bytes, !whole && f->has_read1 ? "read1" : "read", &size, 1);
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
    if (f->native ? !f->native->readable : f->unreadable) {
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

Value ou_io_textm_read(VM *vm, const Value *args, int n)
{
    TextFile *f = as_textfile(args[0]);
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

Value ou_io_textm_readline(VM *vm, const Value *args, int n)
{
    TextFile *f = as_textfile(args[0]);
    int64_t limit = -1;
    if (n > 1 && !ou_io_size(vm, args[1], &limit))
        return V_NULL;
    return check_readable(vm, f) ? read_line(vm, f, limit) : V_NULL;
}

Value ou_io_text_next(VM *vm, Value self)
{
    TextFile *f = as_textfile(self);
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
