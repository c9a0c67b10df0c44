/* The type TextIOWrapper: text over a byte file (natively, without intermediate objects) or over any object with read and write.
 * Here are its options, its life and its attributes; see mod_io_text_read.c, mod_io_text_write.c and, for tell and seek, mod_io_seek.c.
 * Entry points: ou_io_textfile_new, ou_io_text_check, ou_io_text_def. The one thing to know: `native` is the byte file if it is one of
 * ours, and then no script code runs between it and the text. */
#include <strings.h>
#include <unistd.h>

#include "runtime/objects/gc.h"
#include "stdlib/io_impl.h"
#include "vm/call.h"

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

static bool find_mark(VM *vm, TextFile *f);

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
    f->pending_cr = f->bom_done = f->reading = false;
    if (f->native && v_of(f->native) != bytes)
        f->native->below = false;
    set_owned(vm, &f->bytes, retain(bytes));
    Type *bt = ou_type_of(vm, bytes);
    f->native = bt == st->reader || bt == st->writer || bt == st->random || bt == st->fileio ? (ByteFile *)v_obj(bytes) : NULL;
    if (f->native)
        f->native->below = true;
    f->made = true;
    return !f->native || f->native->foreign || find_mark(vm, f);
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

/* Is what comes next written at the beginning? Only there a mark belongs. False: raised. */
static bool find_mark(VM *vm, TextFile *f)
{
    if (f->codec != CODEC_OTHER || f->unseekable || f->unwritable)
        return true;
    if (f->native && !f->native->foreign) {
        f->bom_done = lseek(ou_io_fd(f->native), 0, SEEK_CUR) > 0;
        return true;
    }
    Value pos = ou_call_method_c(vm, f->bytes, "tell", NULL, 0);
    int truth = pos == V_NULL ? -1 : ou_truth(vm, pos);
    xrelease(vm, pos);
    f->bom_done = truth > 0;
    return truth >= 0;
}

/* Asked for once, as what cannot be read has no decoder, and tell() may be of no use at all. */
static bool ask_abilities(VM *vm, TextFile *f)
{
    static const char *const methods[] = {"readable", "writable", "seekable"};
    bool *const negative[] = {&f->unreadable, &f->unwritable, &f->unseekable};
    for (int i = 0; i < 3; i++) {
        Value r = ou_call_method_c(vm, f->bytes, methods[i], NULL, 0);
        int truth = r == V_NULL ? -1 : ou_truth(vm, r);
        xrelease(vm, r);
        if (truth < 0)
            return false;
        *negative[i] = !truth;
    }
    Str *name = ou_intern_c(vm, "read1");
    bool missing = false;
    Value v = name ? ou_getattr_opt(vm, f->bytes, name, &missing) : V_NULL;
    if (name)
        obj_release(vm, name);
    f->has_read1 = v != V_NULL;
    xrelease(vm, v);
    return (v != V_NULL || missing) && find_mark(vm, f);
}

static int text_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    Value a[6];
    TextFile *f = as_textfile(self);
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
    f->unseekable = f->unreadable = f->unwritable = false;
    return f->native || (f->made = ask_abilities(vm, f)) ? 0 : -1;
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

/* own_flush: the object may have a flush() that is not the native one. */
static bool text_close(VM *vm, TextFile *f, bool own_flush)
{
    if (f->bytes == V_NULL || is_closed(vm, f))
        return true;
    ByteFile *b = f->native;
    if (!own_flush && b && !ou_io_own_method(vm, f->bytes, N_flush) && !ou_io_own_method(vm, f->bytes, N_close))
        return ou_io_close_bytes(vm, b);
    bool ok;
    if (own_flush) {
        Value r = ou_call_method(vm, v_of(f), name_of(vm, N_flush), NULL, 0, NULL);
        xrelease(vm, r);
        ok = r != V_NULL;
    } else {
        ok = ou_io_text_pending(vm, f) && ou_io_text_call(vm, f, "flush");
    }
    Value exc = ok ? V_NULL : ou_exc_take(vm);
    bool closed = f->bytes == V_NULL || ou_io_text_call(vm, f, "close");
    if (!ok && closed)
        ou_exc_restore(vm, exc);
    else if (!ok)
        ou_exc_set_context(vm, vm->exc, exc), release(vm, exc);
    return ok && closed;
}

static void text_finalize(VM *vm, Obj *o)
{
    TextFile *f = (TextFile *)o;
    bool open = f->made && f->bytes != V_NULL;
    if ((ou_type_of(vm, v_of(o))->flags & TF_HEAP) || (open && !is_closed(vm, f)))
        ou_io_last_close(vm, v_of(o), open ? f->native : NULL);
}

static void text_dealloc(VM *vm, Obj *o)
{
    TextFile *f = (TextFile *)o;
    if (f->native && f->native->h.refs > 1) {
        f->native->below = false;
    } else if (f->native && f->bytes != V_NULL && !f->native->foreign) { /* the finalizer has been here, but perhaps not closed it */
        Value exc = ou_exc_take(vm);
        if (!ou_io_close_bytes(vm, f->native))
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

/* ---- the rest -------------------------------------------------------------------------------------------------------------------------- */

static Value text_flush(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_io_text_flush(vm, as_textfile(args[0])) ? V_NONE : V_NULL;
}

static Value text_close_method(VM *vm, const Value *args, int n)
{
    (void)n;
    return text_close(vm, as_textfile(args[0]), ou_io_own_method(vm, args[0], N_flush)) ? V_NONE : V_NULL;
}

static Value text_detach(VM *vm, const Value *args, int n)
{
    (void)n;
    TextFile *f = as_textfile(args[0]);
    if (!ou_io_text_check(vm, f) || !ou_io_text_flush(vm, f))
        return V_NULL;
    Value b = f->bytes;
    if (f->native)
        f->native->below = false;
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
    TextFile *f = as_textfile(args[0]);
    if (f->native && f->bytes != V_NULL && ou_io_bytes_closed(vm, f->native) > 0)
        return ou_raise(vm, E_VALUE, "I/O operation on closed file");
    return forward(vm, f, "fileno");
}
static Value text_isatty(VM *vm, const Value *args, int n) { return (void)n, forward(vm, as_textfile(args[0]), "isatty"); }
static Value text_readable(VM *vm, const Value *args, int n) { return (void)n, forward(vm, as_textfile(args[0]), "readable"); }
static Value text_writable(VM *vm, const Value *args, int n) { return (void)n, forward(vm, as_textfile(args[0]), "writable"); }
static Value text_seekable(VM *vm, const Value *args, int n) { return (void)n, forward(vm, as_textfile(args[0]), "seekable"); }

static Value text_reconfigure(VM *vm, const Value *args, int n)
{
    (void)n;
    TextFile *f = as_textfile(args[0]);
    const Value *a = args + 1; /* encoding, errors, newline, line_buffering, write_through */
    if (!ou_io_text_check(vm, f))
        return V_NULL;
    uint8_t nl = f->newline;
    if (a[2] != V_NULL && !ou_io_newline(vm, a[2], &nl))
        return V_NULL;
    int lb = a[3] == V_NULL || a[3] == V_NONE ? f->line_buffering : ou_truth(vm, a[3]);
    int wt = a[4] == V_NULL || a[4] == V_NONE ? f->write_through : ou_truth(vm, a[4]);
    bool enc = a[0] != V_NULL && a[0] != V_NONE, err = a[1] != V_NULL && a[1] != V_NONE;
    if (lb < 0 || wt < 0)
        return V_NULL;
    if (f->reading && (enc || err || a[2] != V_NULL))
        return ou_io_unsupported(vm, "It is not possible to set the encoding or newline of stream after the first read");
    if (!(f->native && !f->native->writable) && !ou_io_text_flush(vm, f))
        return V_NULL;
    if ((enc || err) && !set_codec(vm, f, enc ? a[0] : f->encoding, err ? a[1] : enc ? V_NONE : f->errors))
        return V_NULL;
    if (enc && !find_mark(vm, f))
        return V_NULL;
    f->newline = nl;
    f->line_buffering = lb;
    f->write_through = wt;
    return V_NONE;
}

static bool initialized(VM *vm, Value self)
{
    if (as_textfile(self)->made)
        return true;
    ou_raise(vm, E_VALUE, "I/O operation on uninitialized object");
    return false;
}

#define BOOL_GETTER(field)                                                                                            \
    static Value text_get_##field(VM *vm, Value self)                                                                 \
    {                                                                                                                 \
        return initialized(vm, self) ? v_bool(as_textfile(self)->field) : V_NULL;                                         \
    }
BOOL_GETTER(line_buffering)
BOOL_GETTER(write_through)

static Value text_get_encoding(VM *vm, Value self)
{
    return initialized(vm, self) ? retain(as_textfile(self)->encoding) : V_NULL;
}
static Value text_get_errors(VM *vm, Value self)
{
    return initialized(vm, self) ? retain(as_textfile(self)->errors) : V_NULL;
}
static Value text_get_buffer(VM *vm, Value self)
{
    TextFile *f = as_textfile(self);
    if (!initialized(vm, self))
        return V_NULL;
    return f->bytes == V_NULL ? ou_raise(vm, E_VALUE, "underlying buffer has been detached") : retain(f->bytes);
}
static Value text_get_name(VM *vm, Value self)
{
    TextFile *f = as_textfile(self);
    if (!initialized(vm, self))
        return V_NULL;
    return f->bytes == V_NULL ? ou_raise(vm, E_VALUE, "underlying buffer has been detached") : ou_getattr_c(vm, f->bytes, "name");
}
static Value text_get_mode(VM *vm, Value self)
{
    TextFile *f = as_textfile(self);
    return f->mode == V_NULL ? ou_raise_attr(vm, self, name_of(vm, N_mode)) : retain(f->mode);
}
static bool text_set_mode(VM *vm, Value self, Value v)
{
    set_owned(vm, &as_textfile(self)->mode, v == V_NULL ? V_NULL : retain(v));
    return true;
}
static Value text_get_closed(VM *vm, Value self)
{
    TextFile *f = as_textfile(self);
    if (!initialized(vm, self))
        return V_NULL;
    return f->bytes == V_NULL ? ou_raise(vm, E_VALUE, "underlying buffer has been detached") : v_bool(is_closed(vm, f));
}

/* None, one of "\r", "\n", "\r\n", or a tuple of those seen, in this order. */
Value ou_io_newlines(VM *vm, int seen)
{
    static const char *const forms[] = {"\r", "\n", "\r\n"};
    static const int bits[] = {SEEN_CR, SEEN_LF, SEEN_CRLF};
    if (!seen)
        return V_NONE;
    Value found[3];
    int n = 0;
    for (int i = 0; i < 3; i++) {
        if ((seen & bits[i]) && (found[n++] = ou_str_c(vm, forms[i])) == V_NULL)
            return V_NULL;
    }
    return n == 1 ? found[0] : ou_tuple_take(vm, found, (size_t)n);
}

static Value text_get_newlines(VM *vm, Value self)
{
    Value seen = as_textfile(self)->newlines_seen;
    return ou_io_newlines(vm, is_small(seen) ? (int)v_small(seen) : 0);
}

/* " name=..." if there is such an attribute. */
static bool repr_attr(VM *vm, StrBuf *b, Value self, const char *name)
{
    Value v = ou_getattr_c(vm, self, name);
    if (v == V_NULL) {
        if (!ou_exc_matches(vm, E_ATTRIBUTE) && !ou_exc_matches(vm, E_VALUE))
            return false;
        ou_exc_clear(vm);
        return true;
    }
    ou_sb_printf(b, " %s=", name);
    bool ok = ou_sb_repr(b, v);
    release(vm, v);
    return ok;
}

static Value text_repr(VM *vm, Value self)
{
    TextFile *f = as_textfile(self);
    if (!initialized(vm, self))
        return V_NULL;
    const Type *t = ou_type_of(vm, self);
    const char *type = t->flags & TF_HEAP ? t->name->data : "_io.TextIOWrapper";
    if (f->in_repr)
        return ou_raise(vm, E_RUNTIME, "reentrant call inside %s.__repr__", type);
    StrBuf b;
    ou_sb_init(&b, vm);
    ou_sb_printf(&b, "<%s", type);
    f->in_repr = true;
    bool ok = repr_attr(vm, &b, self, "name") && repr_attr(vm, &b, self, "mode");
    f->in_repr = false;
    if (!ok) {
        ou_sb_drop(&b);
        return V_NULL;
    }
    ou_sb_puts(&b, " encoding=");
    ou_sb_repr(&b, f->encoding);
    ou_sb_putc(&b, '>');
    return ou_sb_finish(&b);
}

static const NativeDef text_methods[] = {
    {"read(size=-1, /)", ou_io_textm_read, NULL, 0},
    {"readline(size=-1, /)", ou_io_textm_readline, NULL, 0},
    {"write(text, /)", ou_io_textm_write, NULL, 0},
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
    .slots = {.make = text_make, .init = text_init, .dealloc = text_dealloc, .traverse = text_traverse, .finalize = text_finalize, .repr = text_repr,
              .next = ou_io_text_next},
    .methods = text_methods,
    .getset = text_getset,
    .doc = "Character and line based layer over a BufferedIOBase object, buffer.",
};
