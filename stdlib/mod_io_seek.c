/* Positions in text files: tell(), seek(), truncate() of TextIOWrapper. The one thing to know: what was decoded and not read yet is
 * encoded again to see how many bytes it stands for. */
#include <unistd.h>

#include "runtime/objects/bytes.h"
#include "stdlib/io_impl.h"
#include "vm/call.h"

static bool flush_below(VM *vm, TextFile *f)
{
    Value r = ou_call_method(vm, f->bytes, name_of(vm, N_flush), NULL, 0, NULL);
    xrelease(vm, r);
    return r != V_NULL;
}

/* The bytes that stand for the decoded but unread text. Exact unless a file mixes kinds of newlines. */
static bool unread_bytes(VM *vm, TextFile *f, int64_t *out)
{
    int64_t n = f->ncarry + f->pending_cr;
    if (f->text_end > f->text_pos) {
        Value s = ou_str_new(vm, f->text + f->text_pos, f->text_end - f->text_pos);
        Value b = s == V_NULL ? V_NULL : ou_str_encode(vm, s, as_str(f->encoding)->data, as_str(f->errors)->data);
        xrelease(vm, s);
        if (b == V_NULL)
            return false;
        n += as_bytes(b)->n;
        release(vm, b);
        if (f->newline == NL_UNIVERSAL && is_small(f->newlines_seen) && v_small(f->newlines_seen) == SEEN_CRLF) {
            for (size_t i = f->text_pos; i < f->text_end; i++)
                n += f->text[i] == '\n';
        }
    }
    *out = n;
    return true;
}

Value ou_io_text_tell(VM *vm, const Value *args, int n)
{
    (void)n;
    TextFile *f = as_textfile(args[0]);
    int64_t pos, unread;
    if (!ou_io_text_check(vm, f))
        return V_NULL;
    if (f->unseekable || (f->native && !f->native->foreign && lseek(ou_io_fd(f->native), 0, SEEK_CUR) < 0))
        return ou_io_unsupported(vm, "underlying stream is not seekable");
    if (!f->telling)
        return ou_raise(vm, E_OS, "telling position disabled by next() call");
    if (!ou_io_text_pending(vm, f) || (!f->native && !flush_below(vm, f)) || !unread_bytes(vm, f, &unread))
        return V_NULL;
    if (f->native) {
        if (!ou_io_tell_bytes(vm, f->native, &pos))
            return V_NULL;
    } else {
        Value r = ou_call_method_c(vm, f->bytes, "tell", NULL, 0);
        bool ok = r != V_NULL && ou_index_i64(vm, r, &pos);
        xrelease(vm, r);
        if (!ok)
            return V_NULL;
    }
    return ou_int(vm, pos - unread);
}

Value ou_io_text_seek(VM *vm, const Value *args, int n)
{
    TextFile *f = as_textfile(args[0]);
    int64_t offset, whence = 0, pos = 0;
    if (!ou_io_text_check(vm, f) || !ou_index_i64(vm, args[1], &offset) || (n > 2 && !ou_index_i64(vm, args[2], &whence)))
        return V_NULL;
    if (f->unseekable)
        return ou_io_unsupported(vm, "underlying stream is not seekable");
    if (whence == 1) {
        if (offset != 0)
            return ou_io_unsupported(vm, "can't do nonzero cur-relative seeks");
        return ou_io_text_tell(vm, args, 1);
    }
    if (whence == 2 && offset != 0)
        return ou_io_unsupported(vm, "can't do nonzero end-relative seeks");
    if (whence != 0 && whence != 2)
        return ou_raise(vm, E_VALUE, "invalid whence (%ld, should be 0, 1 or 2)", whence);
    if (offset < 0)
        return ou_raise(vm, E_VALUE, "negative seek position %ld", offset);
    if (!ou_io_text_pending(vm, f) || (!f->native && !flush_below(vm, f)))
        return V_NULL;
    if (f->native) {
        if (!ou_io_seek_bytes(vm, f->native, offset, (int)whence, &pos))
            return V_NULL;
    } else {
        Value a[2] = {args[1], v_smallint(whence)};
        Value r = ou_call_method_c(vm, f->bytes, "seek", a, 2);
        bool ok = r != V_NULL && ou_index_i64(vm, r, &pos);
        xrelease(vm, r);
        if (!ok)
            return V_NULL;
    }
    f->text_pos = f->text_end = 0;
    f->ncarry = 0;
    f->pending_cr = f->reading = false;
    f->bom_done = pos != 0;
    return ou_int(vm, pos);
}

Value ou_io_text_truncate(VM *vm, const Value *args, int n)
{
    TextFile *f = as_textfile(args[0]);
    if (!ou_io_text_check(vm, f) || !ou_io_text_flush(vm, f))
        return V_NULL;
    Value pos = n > 1 && args[1] != V_NONE ? retain(args[1]) : ou_io_text_tell(vm, args, 1);
    if (pos == V_NULL)
        return V_NULL;
    Value r = ou_call_method_c(vm, f->bytes, "truncate", &pos, 1);
    release(vm, pos);
    return r;
}
