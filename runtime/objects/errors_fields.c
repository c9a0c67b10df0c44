/* The exceptions with many fields: OSError, SyntaxError and the UnicodeErrors.
 * Entry points: ou_exc_def_os and the like, ou_exc_init_fields. The one thing to know: OSError fills its fields in __new__, which also
 * picks the subclass that the errno stands for, unless a subclass overrides __init__ but not __new__. */
#include <errno.h>

#include "runtime/objects/bytes.h"
#include "runtime/objects/containers.h"
#include "runtime/objects/errors_types_impl.h"
#include "runtime/objects/numbers.h"
#include "vm/call.h"

/* What is an index in a C struct of CPython's. */
static bool set_int(VM *vm, Value *field, Value v)
{
    int64_t i;
    if (v == V_NULL || !ou_is_intlike(vm, v))
        return ou_raise(vm, E_TYPE, v == V_NULL ? "can't delete numeric/char attribute" : "an integer is required"), false;
    if (!ou_index_i64(vm, v, &i))
        return false;
    set_owned(vm, field, ou_int(vm, i));
    return true;
}

#define INT_FIELD(layout, field)                                                                                      \
    static Value get_##layout##_##field(VM *vm, Value self)                                                           \
    {                                                                                                                 \
        (void)vm;                                                                                                     \
        Value v = ((layout *)v_obj(self))->field;                                                                     \
        return v == V_NULL ? V_INT0 : retain(v);                                                                      \
    }                                                                                                                 \
    static bool set_##layout##_##field(VM *vm, Value self, Value v)                                                   \
    {                                                                                                                 \
        return set_int(vm, &((layout *)v_obj(self))->field, v);                                                       \
    }

FIELD(ExcOs, err)
FIELD(ExcOs, strerror)
FIELD(ExcOs, filename)
FIELD(ExcOs, filename2)
FIELD(ExcSyntax, msg)
FIELD(ExcSyntax, filename)
FIELD(ExcSyntax, lineno)
FIELD(ExcSyntax, offset)
FIELD(ExcSyntax, text)
FIELD(ExcSyntax, end_lineno)
FIELD(ExcSyntax, end_offset)
FIELD(ExcSyntax, print_file_and_line)
FIELD(ExcUnicode, encoding)
FIELD(ExcUnicode, object)
INT_FIELD(ExcUnicode, start)
INT_FIELD(ExcUnicode, end)
FIELD(ExcUnicode, reason)

/* ---- OSError -------------------------------------------------------------------------------------------------------------- */

static const struct {
    int err;
    TypeId type;
} errno_types[] = {
    {EAGAIN, E_BLOCKING_IO}, {EALREADY, E_BLOCKING_IO}, {EINPROGRESS, E_BLOCKING_IO}, {EPIPE, E_BROKEN_PIPE},
    {ESHUTDOWN, E_BROKEN_PIPE}, {ECHILD, E_CHILD_PROCESS}, {ECONNABORTED, E_CONNECTION_ABORTED},
    {ECONNREFUSED, E_CONNECTION_REFUSED}, {ECONNRESET, E_CONNECTION_RESET}, {EEXIST, E_FILE_EXISTS},
    {ENOENT, E_FILE_NOT_FOUND}, {EISDIR, E_IS_A_DIRECTORY}, {ENOTDIR, E_NOT_A_DIRECTORY}, {EINTR, E_INTERRUPTED},
    {EACCES, E_PERMISSION}, {EPERM, E_PERMISSION}, {ESRCH, E_PROCESS_LOOKUP}, {ETIMEDOUT, E_TIMEOUT},
};

static int os_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
static Value os_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames);

/* A subclass with an __init__ of its own but without __new__ gets its fields only if that calls OSError.__init__. */
static bool os_fields_by_init(const Type *t)
{
    return t->slots.init != os_init && t->slots.make == os_make;
}

static bool os_fill(VM *vm, Value self, const Value *args, int n)
{
    ExcOs *e = (ExcOs *)v_obj(self);
    if (n >= 2 && n <= 5) {
        put(vm, &e->err, args[0]);
        put(vm, &e->strerror, args[1]);
        if (n >= 3 && args[2] != V_NONE) {
            int64_t written;
            if (ou_is_a(vm, self, E_BLOCKING_IO) && ou_is_intlike(vm, args[2]) &&
                ou_int_fits_i64(vm, args[2], &written)) {
                put(vm, &e->written, args[2]);
            } else {
                put(vm, &e->filename, args[2]);
                if (n >= 5 && args[4] != V_NONE)
                    put(vm, &e->filename2, args[4]);
                return ou_exc_set_args(vm, self, args, 2);
            }
        }
    }
    return ou_exc_set_args(vm, self, args, n);
}

static Value os_make(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames)
{
    if (os_fields_by_init(cls))
        return ou_exc_alloc(vm, cls, NULL, 0);
    if (kwnames && kwnames->n)
        return ou_raise(vm, E_TYPE, "%N() takes no keyword arguments", cls);
    if (cls->id == E_OS && n >= 2 && n <= 5 && is_small(args[0])) {
        for (size_t i = 0; i < sizeof errno_types / sizeof *errno_types; i++) {
            if (errno_types[i].err == v_small(args[0])) {
                cls = ou_builtin(vm, errno_types[i].type);
                break;
            }
        }
    }
    Value self = ou_exc_alloc(vm, cls, NULL, 0);
    if (self != V_NULL && !os_fill(vm, self, args, n)) {
        release(vm, self);
        return V_NULL;
    }
    return self;
}

static int os_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (!os_fields_by_init(ou_type_of(vm, self)))
        return 0;
    return ou_exc_no_kwargs(vm, self, kwnames) && os_fill(vm, self, args, n) ? 0 : -1;
}

static Value os_str(VM *vm, Value self)
{
    ExcOs *e = (ExcOs *)v_obj(self);
    Value err = e->err == V_NULL ? V_NONE : e->err, text = e->strerror == V_NULL ? V_NONE : e->strerror;
    if (e->filename != V_NULL && e->filename2 != V_NULL)
        return ou_str_format(vm, "[Errno %S] %S: %R -> %R", err, text, e->filename, e->filename2);
    if (e->filename != V_NULL)
        return ou_str_format(vm, "[Errno %S] %S: %R", err, text, e->filename);
    if (e->err != V_NULL && e->strerror != V_NULL)
        return ou_str_format(vm, "[Errno %S] %S", err, text);
    return ou_exc_base_str(vm, self);
}

static Value os_get_written(VM *vm, Value self)
{
    Value v = ((ExcOs *)v_obj(self))->written;
    if (v == V_NULL)
        return ou_raise(vm, E_ATTRIBUTE, "characters_written");
    return retain(v);
}

static bool os_set_written(VM *vm, Value self, Value v)
{
    ExcOs *e = (ExcOs *)v_obj(self);
    if (v == V_NULL) {
        if (e->written == V_NULL)
            return ou_raise(vm, E_ATTRIBUTE, "characters_written"), false;
        set_owned(vm, &e->written, V_NULL);
        return true;
    }
    Value i = ou_index(vm, v);
    int64_t fits;
    if (i == V_NULL)
        return false;
    if (!ou_int_fits_i64(vm, i, &fits)) {
        release(vm, i);
        return ou_raise(vm, E_VALUE, "cannot fit 'int' into an index-sized integer"), false;
    }
    set_owned(vm, &e->written, i);
    return true;
}

static const GetSetDef os_getset[] = {
    FIELD_ROW(ExcOs, err, "errno"), FIELD_ROW(ExcOs, strerror, "strerror"), FIELD_ROW(ExcOs, filename, "filename"),
    FIELD_ROW(ExcOs, filename2, "filename2"), {"characters_written", os_get_written, os_set_written, NULL}, {0}};

const TypeDef ou_exc_def_os = {
    .name = "OSError", .size = sizeof(ExcOs), .flags = EXC_FLAGS, .getset = os_getset,
    .slots = {.make = os_make, .init = os_init, EXC_STORAGE, .str = os_str}};

/* ---- SyntaxError ---------------------------------------------------------------------------------------------------------- */

static int syntax_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (ou_exc_base_init(vm, self, args, n, kwnames) < 0)
        return -1;
    ExcSyntax *e = (ExcSyntax *)v_obj(self);
    if (n >= 1)
        put(vm, &e->msg, args[0]);
    if (n != 2)
        return 0;
    Value info = ou_tuple_from(vm, args[1]);
    if (info == V_NULL)
        return -1;
    Tuple *t = as_tuple(info);
    int r = -1;
    if (t->n < 4 || t->n > 6) {
        ou_raise(vm, E_TYPE, "function takes at %s %d arguments (%d given)", t->n < 4 ? "least" : "most", t->n < 4 ? 4 : 6,
                 (int)t->n);
    } else if (t->n == 5) {
        ou_raise(vm, E_TYPE, "end_offset must be provided when end_lineno is provided");
    } else {
        put(vm, &e->filename, t->items[0]);
        put(vm, &e->lineno, t->items[1]);
        put(vm, &e->offset, t->items[2]);
        put(vm, &e->text, t->items[3]);
        if (t->n == 6) {
            put(vm, &e->end_lineno, t->items[4]);
            put(vm, &e->end_offset, t->items[5]);
        }
        r = 0;
    }
    release(vm, info);
    return r;
}

static Value syntax_str(VM *vm, Value self)
{
    ExcSyntax *e = (ExcSyntax *)v_obj(self);
    Value msg = e->msg == V_NULL ? V_NONE : e->msg;
    bool has_name = e->filename != V_NULL && is_str(e->filename), has_line = e->lineno != V_NULL && is_int(e->lineno);
    const char *base = NULL;
    if (has_name) {
        base = strrchr(as_str(e->filename)->data, '/');
        base = base ? base + 1 : as_str(e->filename)->data;
    }
    if (has_name && has_line)
        return ou_str_format(vm, "%S (%s, line %S)", msg, base, e->lineno);
    if (has_name)
        return ou_str_format(vm, "%S (%s)", msg, base);
    if (has_line)
        return ou_str_format(vm, "%S (line %S)", msg, e->lineno);
    return ou_str(vm, msg);
}

static const GetSetDef syntax_getset[] = {
    FIELD_ROW(ExcSyntax, msg, "msg"),
    FIELD_ROW(ExcSyntax, filename, "filename"),
    FIELD_ROW(ExcSyntax, lineno, "lineno"),
    FIELD_ROW(ExcSyntax, offset, "offset"),
    FIELD_ROW(ExcSyntax, text, "text"),
    FIELD_ROW(ExcSyntax, end_lineno, "end_lineno"),
    FIELD_ROW(ExcSyntax, end_offset, "end_offset"),
    FIELD_ROW(ExcSyntax, print_file_and_line, "print_file_and_line"),
    {0},
};

const TypeDef ou_exc_def_syntax = {
    .name = "SyntaxError", .size = sizeof(ExcSyntax), .flags = EXC_FLAGS, .getset = syntax_getset,
    .slots = {.make = ou_exc_base_make, .init = syntax_init, EXC_STORAGE, .str = syntax_str}};

/* ---- UnicodeDecodeError, UnicodeEncodeError, UnicodeTranslateError --------------------------------------------------------- */

static int unicode_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames)
{
    if (ou_exc_base_init(vm, self, args, n, kwnames) < 0)
        return -1;
    TypeId id = (TypeId)ou_type_of(vm, self)->struct_id;
    int first = id == E_UNICODE_TRANSLATE ? 1 : 0, want = 5 - first; /* translate: no encoding */
    if (n != want) {
        ou_raise(vm, E_TYPE, "function takes exactly %d arguments (%d given)", want, n);
        return -1;
    }
    const Value *a = args - first; /* a[0] encoding, a[1] object, a[2] start, a[3] end, a[4] reason */
    ExcUnicode *e = (ExcUnicode *)v_obj(self);
    Value object;
    if (!first && !ou_is_a(vm, a[0], T_STR)) {
        ou_raise(vm, E_TYPE, "argument 1 must be str, not %K", a[0]);
        return -1;
    }
    if (id == E_UNICODE_DECODE && !ou_is_a(vm, a[1], T_BYTES)) {
        Buffer b;
        if (!ou_buffer_get(vm, a[1], &b, false))
            return -1;
        object = ou_bytes_new(vm, b.p, (size_t)b.n);
        ou_buffer_release(vm, &b);
        if (object == V_NULL)
            return -1;
    } else if (id != E_UNICODE_DECODE && !ou_is_a(vm, a[1], T_STR)) {
        ou_raise(vm, E_TYPE, "argument %d must be str, not %K", 2 - first, a[1]);
        return -1;
    } else {
        object = retain(a[1]);
    }
    Value start = ou_index(vm, a[2]), end = start == V_NULL ? V_NULL : ou_index(vm, a[3]);
    if (end == V_NULL || !ou_is_a(vm, a[4], T_STR)) {
        if (end != V_NULL)
            ou_raise(vm, E_TYPE, "argument %d must be str, not %K", 5 - first, a[4]);
        release(vm, object);
        xrelease(vm, start);
        xrelease(vm, end);
        return -1;
    }
    if (!first)
        put(vm, &e->encoding, a[0]);
    set_owned(vm, &e->object, object);
    set_owned(vm, &e->start, start);
    set_owned(vm, &e->end, end);
    put(vm, &e->reason, a[4]);
    return 0;
}

static Value unicode_str(VM *vm, Value self)
{
    ExcUnicode *e = (ExcUnicode *)v_obj(self);
    if (e->object == V_NULL)
        return retain(vm->empty_str);
    TypeId id = (TypeId)ou_type_of(vm, self)->struct_id;
    int64_t start = 0, end = 0, len;
    bool decode = id == E_UNICODE_DECODE, translate = id == E_UNICODE_TRANSLATE;
    ou_int_fits_i64(vm, e->start, &start);
    ou_int_fits_i64(vm, e->end, &end);
    if (!ou_is_a(vm, e->object, decode ? T_BYTES : T_STR)) /* scripts may assign anything */
        return ou_raise(vm, E_TYPE, "object attribute must be %s", decode ? "bytes" : "unicode");
    len = decode ? (int64_t)as_bytes(e->object)->n : (int64_t)as_str(e->object)->length;
    Value enc = e->encoding == V_NULL ? V_NONE : e->encoding, why = e->reason == V_NULL ? V_NONE : e->reason;
    if (start >= 0 && start < len && end == start + 1) {
        if (decode)
            return ou_str_format(vm, "'%S' codec can't decode byte 0x%02x in position %ld: %S", enc,
                                 (int)as_bytes(e->object)->data[start], start, why);
        uint32_t c = ou_str_at(vm, as_str(e->object), start);
        char esc[16];
        snprintf(esc, sizeof esc, c <= 0xFF ? "\\x%02x" : c <= 0xFFFF ? "\\u%04x" : "\\U%08x", c);
        if (translate)
            return ou_str_format(vm, "can't translate character '%s' in position %ld: %S", esc, start, why);
        return ou_str_format(vm, "'%S' codec can't encode character '%s' in position %ld: %S", enc, esc, start, why);
    }
    if (translate)
        return ou_str_format(vm, "can't translate characters in position %ld-%ld: %S", start, end - 1, why);
    return ou_str_format(vm, "'%S' codec can't %s in position %ld-%ld: %S", enc,
                         decode ? "decode bytes" : "encode characters", start, end - 1, why);
}

static const GetSetDef unicode_getset[] = {
    FIELD_ROW(ExcUnicode, encoding, "encoding"), FIELD_ROW(ExcUnicode, object, "object"), FIELD_ROW(ExcUnicode, start, "start"),
    FIELD_ROW(ExcUnicode, end, "end"),           FIELD_ROW(ExcUnicode, reason, "reason"), {0}};

#define UNICODE(cname)                                                                                                \
    {.name = (cname), .size = sizeof(ExcUnicode), .flags = EXC_FLAGS, .getset = unicode_getset,                       \
     .slots = {.make = ou_exc_base_make, .init = unicode_init, EXC_STORAGE, .str = unicode_str}}
const TypeDef ou_exc_def_decode = UNICODE("UnicodeDecodeError");
const TypeDef ou_exc_def_encode = UNICODE("UnicodeEncodeError");
const TypeDef ou_exc_def_translate = UNICODE("UnicodeTranslateError");

bool ou_exc_init_fields(VM *vm, Value exc, const Value *args, int n, Tuple *kwnames)
{
    Type *t = ou_type_of(vm, exc);
    if (t->id == E_OS || ou_is_subtype(t, ou_builtin(vm, E_OS)))
        return os_fill(vm, exc, args, n);
    const Type *b = vm->types[t->struct_id];
    return b->slots.init == ou_exc_base_init || b->slots.init(vm, exc, args, n, kwnames) == 0;
}
