/* Writing through a TextIOWrapper.
 * Entry points: ou_io_text_write, ou_io_text_flush, ou_io_plain_text. The one thing to know: text is encoded straight into the buffer of
 * a native byte file; for any other object it gathers in `pend` until ou_io_text_pending hands that to its write(). */
#include "stdlib/io_impl.h"

#include "runtime/base/utf8.h"
#include "runtime/objects/bytes.h"
#include "vm/call.h"

bool ou_io_text_call(VM *vm, TextFile *f, const char *method)
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
    return f->native ? ou_io_flush_bytes(vm, f->native) : ou_io_text_pending(vm, f) && ou_io_text_call(vm, f, "flush");
}

TextFile *ou_io_plain_text(VM *vm, Value file)
{
    IoState *st = vm->module_state[MOD__io];
    if (!st || !is_obj(file) || ou_type_of(vm, file) != st->text)
        return NULL;
    TextFile *f = as_textfile(file);
    return f->native && !f->native->closed && f->native->writable ? f : NULL;
}

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
        ok = f->native ? ou_io_flush_bytes(vm, f->native) : ou_io_text_pending(vm, f) && ou_io_text_call(vm, f, "flush");
    return ok;
}

static bool check_writable(VM *vm, TextFile *f)
{
    if (!ou_io_text_check(vm, f))
        return false;
    if (f->native ? !f->native->writable : f->unwritable) {
        ou_io_unsupported(vm, "not writable");
        return false;
    }
    return true;
}

Value ou_io_textm_write(VM *vm, const Value *args, int n)
{
    (void)n;
    TextFile *f = as_textfile(args[0]);
    if (!ou_is_a(vm, args[1], T_STR))
        return ou_raise(vm, E_TYPE, "write() argument must be str, not %K", args[1]);
    if (!check_writable(vm, f))
        return V_NULL;
    if (!f->unseekable && f->telling) { /* what was read ahead is behind us now; in a conversation it is still to come */
        f->text_pos = f->text_end = 0;
        f->ncarry = 0;
        f->reading = false;
    }
    Str *s = as_str(args[1]);
    return ou_io_text_write(vm, f, s->data, s->size) ? v_smallint(s->length) : V_NULL;
}
