/* The base classes of `_io`: what every file has unless it brings its own (iteration, with, readlines ...), written against the
 * script-visible methods so that classes in scripts inherit it too. */
#include "stdlib/io_impl.h"

#include "runtime/objects/bytes.h"
#include "vm/call.h"

Value ou_io_unsupported(VM *vm, const char *what)
{
    IoState *st = ou_io_state(vm);
    Value msg = st ? ou_str_c(vm, what) : V_NULL;
    if (msg == V_NULL)
        return V_NULL;
    Value e = ou_exc_new(vm, st->unsupported, &msg, 1);
    release(vm, msg);
    if (e != V_NULL) {
        ou_raise_value(vm, e);
        release(vm, e);
    }
    return V_NULL;
}

Value ou_io_closed(VM *vm) { return ou_raise(vm, E_VALUE, "I/O operation on closed file."); }

bool ou_io_own_method(VM *vm, Value self, NameId name)
{
    if (ou_type_of(vm, self)->flags & TF_HEAP)
        return true;
    Value v = ou_instance_get(vm, v_obj(self), name_of(vm, name));
    return v != V_NULL;
}

bool ou_io_size(VM *vm, Value v, int64_t *out)
{
    *out = -1;
    if (v == V_NULL || v == V_NONE)
        return true;
    if (!ou_is_intlike(vm, v) && !ou_type_of(vm, v)->slots.to_index) {
        ou_raise(vm, E_TYPE, "argument should be integer or None, not '%T'", v);
        return false;
    }
    return ou_index_i64(vm, v, out);
}

bool ou_io_newline(VM *vm, Value v, uint8_t *out)
{
    *out = NL_UNIVERSAL;
    if (v == V_NULL || v == V_NONE)
        return true;
    if (!ou_is_a(vm, v, T_STR)) {
        ou_raise(vm, E_TYPE, "newline must be str or None, not %T", v);
        return false;
    }
    static const char *const forms[] = {NULL, "", "\n", "\r", "\r\n"};
    for (int i = NL_EMPTY; i <= NL_CRLF; i++) {
        if (ou_str_eq_c(as_str(v), forms[i])) {
            *out = (uint8_t)i;
            return true;
        }
    }
    ou_raise(vm, E_VALUE, "illegal newline value: %S", v);
    return false;
}

static int closed_state(VM *vm, Value self)
{
    Value c = ou_getattr_c(vm, self, "closed");
    if (c == V_NULL)
        return -1;
    int truth = ou_truth(vm, c);
    release(vm, c);
    return truth;
}

static bool check_open(VM *vm, Value self)
{
    int closed = closed_state(vm, self);
    if (closed > 0)
        ou_io_closed(vm);
    return closed == 0;
}

static Value base_check_closed(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_open(vm, args[0]) ? V_NONE : V_NULL;
}

static Value check_able(VM *vm, Value self, const char *method, const char *message)
{
    Value r = ou_call_method_c(vm, self, method, NULL, 0);
    if (r == V_NULL)
        return V_NULL;
    bool yes = r == V_TRUE;
    release(vm, r);
    return yes ? V_TRUE : ou_io_unsupported(vm, message);
}

static Value base_check_readable(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_able(vm, args[0], "readable", "File or stream is not readable.");
}
static Value base_check_writable(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_able(vm, args[0], "writable", "File or stream is not writable.");
}
static Value base_check_seekable(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_able(vm, args[0], "seekable", "File or stream is not seekable.");
}

static Value base_enter(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_open(vm, args[0]) ? retain(args[0]) : V_NULL;
}

static Value base_exit(VM *vm, const Value *args, int n)
{
    (void)n;
    return ou_call_method(vm, args[0], name_of(vm, N_close), NULL, 0, NULL);
}

/* A class of a script that does not define close(): the flag is an attribute of the instance. */
static Value base_close(VM *vm, const Value *args, int n)
{
    (void)n;
    int closed = closed_state(vm, args[0]);
    if (closed != 0)
        return closed < 0 ? V_NULL : V_NONE;
    Value r = ou_call_method(vm, args[0], name_of(vm, N_flush), NULL, 0, NULL);
    Value exc = r == V_NULL ? ou_exc_take(vm) : V_NULL;
    xrelease(vm, r);
    bool ok = ou_setattr_c(vm, args[0], "__IOBase_closed", V_TRUE);
    if (exc != V_NULL)
        ou_exc_restore(vm, exc);
    return ok && exc == V_NULL ? V_NONE : V_NULL;
}

static Value base_get_closed(VM *vm, Value self)
{
    Str *name = ou_intern_c(vm, "__IOBase_closed");
    bool missing = false;
    Value v = name ? ou_getattr_opt(vm, self, name, &missing) : V_NULL;
    if (name)
        obj_release(vm, name);
    if (v == V_NULL)
        return missing ? V_FALSE : V_NULL;
    release(vm, v);
    return V_TRUE;
}

static Value base_flush(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_open(vm, args[0]) ? V_NONE : V_NULL;
}

static Value base_false(VM *vm, const Value *args, int n)
{
    (void)n;
    return check_open(vm, args[0]) ? V_FALSE : V_NULL;
}

#define UNSUPPORTED(fn, text)                                                                                         \
    static Value fn(VM *vm, const Value *args, int n)                                                                 \
    {                                                                                                                 \
        (void)args;                                                                                                   \
        (void)n;                                                                                                      \
        return ou_io_unsupported(vm, text);                                                                           \
    }
UNSUPPORTED(base_fileno, "fileno")
UNSUPPORTED(base_seek, "seek")
UNSUPPORTED(base_truncate, "truncate")
UNSUPPORTED(base_detach, "detach")
UNSUPPORTED(base_read, "read")
UNSUPPORTED(base_read1, "read1")
UNSUPPORTED(base_readline_unsupported, "readline")
UNSUPPORTED(base_write, "write")

static Value base_tell(VM *vm, const Value *args, int n)
{
    (void)n;
    Value a[2] = {V_INT0, v_smallint(1)};
    return ou_call_method_c(vm, args[0], "seek", a, 2);
}

/* Byte by byte through read(1): what a script class that only has read() gets. */
static Value base_readline(VM *vm, const Value *args, int n)
{
    int64_t limit = -1;
    if (n > 1 && !ou_io_size(vm, args[1], &limit))
        return V_NULL;
    Value out = ou_bytearray_new(vm, "", 0);
    if (out == V_NULL)
        return V_NULL;
    Value one = v_smallint(1), result = V_NULL;
    bool ok = true;
    while (limit < 0 || (int64_t)((ByteArray *)v_obj(out))->n < limit) {
        Value b = ou_call_method(vm, args[0], name_of(vm, N_read), &one, 1, NULL);
        if (b == V_NULL) {
            ok = false;
            break;
        }
        if (!ou_is_a(vm, b, T_BYTES)) {
            ou_raise(vm, E_OS, "read() should have returned a bytes object, not '%T'", b);
            release(vm, b);
            ok = false;
            break;
        }
        uint32_t got = as_bytes(b)->n;
        bool nl = got && as_bytes(b)->data[got - 1] == '\n';
        Value r = got ? ou_inplace(vm, BIN_ADD, out, b) : V_NULL;
        release(vm, b);
        if (!got)
            break;
        if (r == V_NULL) {
            ok = false;
            break;
        }
        release(vm, r);
        if (nl)
            break;
    }
    if (ok)
        result = ou_bytes_new(vm, ((ByteArray *)v_obj(out))->data, ((ByteArray *)v_obj(out))->n);
    release(vm, out);
    return result;
}

static Value base_readlines(VM *vm, const Value *args, int n)
{
    int64_t hint = -1, total = 0;
    if (n > 1 && !ou_io_size(vm, args[1], &hint))
        return V_NULL;
    Value list = ou_list_new(vm, 0), it = list == V_NULL ? V_NULL : ou_iter(vm, args[0]), line;
    if (it == V_NULL) {
        xrelease(vm, list);
        return V_NULL;
    }
    while ((line = ou_next(vm, it)) != V_NULL) {
        int64_t len = hint > 0 ? ou_len(vm, line) : 0;
        if (len < 0) {
            release(vm, line);
            break;
        }
        total += len;
        if (!ou_list_append_take(vm, as_list(list), line) || (hint > 0 && total > hint))
            break;
    }
    release(vm, it);
    if (vm->exc != V_NULL) {
        release(vm, list);
        return V_NULL;
    }
    return list;
}

static Value base_writelines(VM *vm, const Value *args, int n)
{
    (void)n;
    if (!check_open(vm, args[0]))
        return V_NULL;
    Value it = ou_iter(vm, args[1]), line;
    if (it == V_NULL)
        return V_NULL;
    while ((line = ou_next(vm, it)) != V_NULL) {
        Value r = ou_call_method(vm, args[0], name_of(vm, N_write), &line, 1, NULL);
        release(vm, line);
        if (r == V_NULL)
            break;
        release(vm, r);
    }
    release(vm, it);
    return vm->exc == V_NULL ? V_NONE : V_NULL;
}

void ou_io_last_close(VM *vm, Value self, const ByteFile *under)
{
    Value exc = ou_exc_take(vm);
    bool heap = ou_type_of(vm, self)->flags & TF_HEAP;
    if (!heap || closed_state(vm, self) == 0) {
        bool has_fd = under && !under->foreign && ou_io_fd(under) >= 0, owned = has_fd && ou_io_closefd(under);
        if (owned && !vm->finalizing && !ou_warn_source(vm, E_RESOURCE_WARNING, self, "unclosed file %R", self)) {
            if (ou_exc_matches(vm, E_WARNING))
                ou_unraisable(vm, NULL, self);
            ou_exc_clear(vm);
        }
        Value r = ou_call_method(vm, self, name_of(vm, N_close), NULL, 0, NULL);
        if (r == V_NULL && !(has_fd && !owned && vm->finalizing)) /* that sys.stdout lost output has been told */
            ou_unraisable(vm, NULL, self);
        xrelease(vm, r);
    }
    ou_exc_clear(vm);
    vm->exc = exc;
}

/* An object of a script's class; native files have finalizers of their own. */
static void base_finalize(VM *vm, Obj *o)
{
    if (ou_type_of(vm, v_of(o))->flags & TF_HEAP)
        ou_io_last_close(vm, v_of(o), NULL);
}

static Value base_iter(VM *vm, Value self) { return check_open(vm, self) ? retain(self) : V_NULL; }

static Value base_next(VM *vm, Value self)
{
    Value line = ou_call_method(vm, self, name_of(vm, N_readline), NULL, 0, NULL);
    if (line == V_NULL)
        return V_NULL;
    int64_t len = ou_len(vm, line);
    if (len <= 0) {
        release(vm, line);
        return V_NULL;
    }
    return line;
}

static const NativeDef base_methods[] = {
    {"__enter__()", base_enter, NULL, 0},
    {"__exit__(*args)", base_exit, NULL, 0},
    {"_checkClosed(msg=None, /)", base_check_closed, NULL, 0},
    {"_checkReadable(msg=None, /)", base_check_readable, NULL, 0},
    {"_checkWritable(msg=None, /)", base_check_writable, NULL, 0},
    {"_checkSeekable(msg=None, /)", base_check_seekable, NULL, 0},
    {"close()", base_close, NULL, 0},
    {"flush()", base_flush, NULL, 0},
    {"fileno()", base_fileno, NULL, 0},
    {"isatty()", base_false, NULL, 0},
    {"readable()", base_false, NULL, 0},
    {"writable()", base_false, NULL, 0},
    {"seekable()", base_false, NULL, 0},
    {"seek(offset, whence=0, /)", base_seek, NULL, 0},
    {"tell()", base_tell, NULL, 0},
    {"truncate(size=None, /)", base_truncate, NULL, 0},
    {"readline(size=-1, /)", base_readline, NULL, 0},
    {"readlines(hint=-1, /)", base_readlines, NULL, 0},
    {"writelines(lines, /)", base_writelines, NULL, 0},
    {0},
};
static const GetSetDef base_getset[] = {{"closed", base_get_closed, NULL, NULL}, {0}};

/* RawIOBase: read() in terms of readinto(). */
static Value raw_readall(VM *vm, const Value *args, int n)
{
    (void)n;
    Value out = ou_bytearray_new(vm, "", 0), size = v_smallint(IO_BUFFER), result = V_NULL;
    while (out != V_NULL) {
        Value b = ou_call_method(vm, args[0], name_of(vm, N_read), &size, 1, NULL);
        if (b == V_NULL)
            break;
        if (b == V_NONE && ((ByteArray *)v_obj(out))->n == 0) {
            result = V_NONE; /* it would block */
            break;
        }
        if (b != V_NONE && !ou_is_a(vm, b, T_BYTES)) {
            release(vm, b);
            ou_raise(vm, E_TYPE, "read() should return bytes");
            break;
        }
        if (b == V_NONE || as_bytes(b)->n == 0) {
            release(vm, b);
            result = ou_bytes_new(vm, ((ByteArray *)v_obj(out))->data, ((ByteArray *)v_obj(out))->n);
            break;
        }
        Value r = ou_inplace(vm, BIN_ADD, out, b);
        release(vm, b);
        if (r == V_NULL)
            break;
        release(vm, r);
    }
    xrelease(vm, out);
    return result;
}

static Value raw_read(VM *vm, const Value *args, int n)
{
    int64_t size = -1;
    if (n > 1 && !ou_io_size(vm, args[1], &size))
        return V_NULL;
    if (size < 0)
        return ou_call_method_c(vm, args[0], "readall", NULL, 0);
    Value buf = ou_bytearray_new(vm, NULL, (size_t)size);
    if (buf == V_NULL)
        return V_NULL;
    memset(((ByteArray *)v_obj(buf))->data, 0, (size_t)size);
    Value r = ou_call_method_c(vm, args[0], "readinto", &buf, 1), result = V_NULL;
    int64_t got;
    if (r == V_NONE)
        result = V_NONE;
    else if (r != V_NULL && ou_index_i64(vm, r, &got)) {
        ByteArray *b = (ByteArray *)v_obj(buf);
        result = ou_bytes_new(vm, b->data, got < 0 ? 0 : got > (int64_t)b->n ? b->n : (size_t)got);
    }
    xrelease(vm, r);
    release(vm, buf);
    return result;
}

static Value raw_not_implemented(VM *vm, const Value *args, int n)
{
    (void)args;
    (void)n;
    return ou_raise_args(vm, E_NOT_IMPLEMENTED, NULL, 0);
}

static const NativeDef raw_methods[] = {
    {"read(size=-1, /)", raw_read, NULL, 0},
    {"readall()", raw_readall, NULL, 0},
    {"readinto(buffer, /)", raw_not_implemented, NULL, 0},
    {"write(b, /)", raw_not_implemented, NULL, 0},
    {0},
};

/* BufferedIOBase: readinto() in terms of read(). */
static Value buf_read_into(VM *vm, const Value *args, const char *method)
{
    Buffer b;
    if (!ou_buffer_get(vm, args[1], &b, true))
        return V_NULL;
    Value size = ou_int(vm, b.n), data = size == V_NULL ? V_NULL : ou_call_method_c(vm, args[0], method, &size, 1);
    Value result = V_NULL;
    if (data != V_NULL && !ou_is_a(vm, data, T_BYTES)) {
        ou_raise(vm, E_TYPE, "read() should return bytes");
    } else if (data != V_NULL) {
        int64_t got = as_bytes(data)->n;
        if (got > b.n) {
            ou_raise(vm, E_VALUE, "read() returned too much data: %ld bytes requested, %ld returned", (int64_t)b.n, got);
        } else {
            memcpy(b.p, as_bytes(data)->data, (size_t)got);
            result = v_smallint(got);
        }
    }
    xrelease(vm, size);
    xrelease(vm, data);
    ou_buffer_release(vm, &b);
    return result;
}

static Value buf_readinto(VM *vm, const Value *args, int n) { return (void)n, buf_read_into(vm, args, "read"); }
static Value buf_readinto1(VM *vm, const Value *args, int n) { return (void)n, buf_read_into(vm, args, "read1"); }

static const NativeDef buf_methods[] = {
    {"detach()", base_detach, NULL, 0},       {"read(size=-1, /)", base_read, NULL, 0},
    {"read1(size=-1, /)", base_read1, NULL, 0}, {"readinto(buffer, /)", buf_readinto, NULL, 0},
    {"readinto1(buffer, /)", buf_readinto1, NULL, 0}, {"write(b, /)", base_write, NULL, 0}, {0}};

static Value text_none(VM *vm, Value self)
{
    (void)vm;
    (void)self;
    return V_NONE;
}

static const NativeDef text_methods[] = {
    {"detach()", base_detach, NULL, 0}, {"read(size=-1, /)", base_read, NULL, 0},
    {"readline(size=-1, /)", base_readline_unsupported, NULL, 0}, {"write(s, /)", base_write, NULL, 0}, {0}};
static const GetSetDef text_getset[] = {
    {"encoding", text_none, NULL, NULL}, {"newlines", text_none, NULL, NULL}, {"errors", text_none, NULL, NULL}, {0}};

#define BASE_FLAGS (TF_GC | TF_BASE | TF_DICT | TF_WEAKREF)
const TypeDef ou_io_iobase_def = {.name = "_io._IOBase", .flags = BASE_FLAGS, .methods = base_methods, .getset = base_getset,
                                  .slots = {.finalize = base_finalize, .iter = base_iter, .next = base_next}};
const TypeDef ou_io_rawbase_def = {.name = "_io._RawIOBase", .flags = BASE_FLAGS, .methods = raw_methods};
const TypeDef ou_io_bufbase_def = {.name = "_io._BufferedIOBase", .flags = BASE_FLAGS, .methods = buf_methods};
const TypeDef ou_io_textbase_def = {.name = "_io._TextIOBase", .flags = BASE_FLAGS, .methods = text_methods, .getset = text_getset};
