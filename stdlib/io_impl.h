/* What the files of `_io` share. May be included by stdlib/mod_io*.c only. */
#ifndef OU_STDLIB_IO_IMPL_H
#define OU_STDLIB_IO_IMPL_H

#include "stdlib/io.h"

/* The types, per VM; borrowed: the module's namespace and the record's `module` keep them alive. */
typedef struct IoState {
    Value module; /* owned: the module object, so that the types outlive `del sys.modules["_io"]` */
    Type *iobase, *rawbase, *bufbase, *textbase;
    Type *fileio, *reader, *writer, *random, *text, *stringio, *bytesio, *view;
    Type *unsupported;
    uint32_t forks; /* how often this process is a fork's child */
} IoState;
IoState *ou_io_state(VM *vm); /* NULL: raised */

enum { IO_BUFFER = 8192, IO_CHUNK = 8192 };
enum { CODEC_UTF8, CODEC_ASCII, CODEC_LATIN1, CODEC_OTHER };
enum { NL_UNIVERSAL /* None */, NL_EMPTY, NL_LF, NL_CR, NL_CRLF };

extern const TypeDef ou_io_iobase_def, ou_io_rawbase_def, ou_io_bufbase_def, ou_io_textbase_def, ou_io_fileio_def, ou_io_reader_def,
    ou_io_writer_def, ou_io_random_def, ou_io_text_def, ou_io_stringio_def, ou_io_bytesio_def, ou_io_view_def;

/* mod_io_base.c */
Value ou_io_unsupported(VM *vm, const char *what); /* raises io.UnsupportedOperation */
Value ou_io_closed(VM *vm);                        /* raises "I/O operation on closed file." */
/* A size argument: not given, None or negative: -1. */
bool ou_io_size(VM *vm, Value v, int64_t *out);

/* Is that method of a native file perhaps not the native one: of a subclass, or put into the object? */
bool ou_io_own_method(VM *vm, Value self, NameId name);

/* A file that nobody has closed dies: ResourceWarning if `under` (or NULL) has a descriptor to close, and close(); an error of that is
 * told by sys.unraisablehook. */
void ou_io_last_close(VM *vm, Value self, const ByteFile *under);

/* mod_io_raw.c: what a byte file stands on. Sizes and positions: -1 raised, -2 would block. */
int ou_io_fd(const ByteFile *f);
bool ou_io_closefd(const ByteFile *f);
bool ou_io_attach(VM *vm, ByteFile *f, Value raw); /* f buffers that raw file from now on */
int ou_io_bytes_closed(VM *vm, const ByteFile *f); /* 1, 0, -1 raised */
ssize_t ou_io_raw_read(VM *vm, ByteFile *f, void *p, size_t n);
ssize_t ou_io_raw_write(VM *vm, ByteFile *f, const void *p, size_t n);
int64_t ou_io_raw_seek(VM *vm, ByteFile *f, int64_t offset, int whence);
bool ou_io_raw_close(VM *vm, ByteFile *f);
Value ou_io_raw_ask(VM *vm, ByteFile *f, const char *method); /* base.method() */
Value ou_io_blank(VM *vm, Type *cls, const Value *args, int n, Tuple *kwnames); /* __new__ of all byte files */
int ou_io_fileio_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
int ou_io_reader_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
int ou_io_writer_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);
int ou_io_random_init(VM *vm, Value self, const Value *args, int n, Tuple *kwnames);

/* mod_io_bytes.c */
Value ou_io_bytefile_new(VM *vm, Type *type, int fd, Value name, Value mode, bool closefd);
bool ou_io_flush_bytes(VM *vm, ByteFile *f);
bool ou_io_write_bytes(VM *vm, ByteFile *f, const uint8_t *p, size_t n);
int64_t ou_io_fill(VM *vm, ByteFile *f);           /* more read-ahead: bytes got, 0 end, -1 raised */
bool ou_io_seek_bytes(VM *vm, ByteFile *f, int64_t offset, int whence, int64_t *pos);
bool ou_io_close_bytes(VM *vm, ByteFile *f);
bool ou_io_tell_bytes(VM *vm, ByteFile *f, int64_t *pos);

/* mod_io_text.c */
Value ou_io_textfile_new(VM *vm, Type *type, Value bytes, Value encoding, Value errors, Value newline, bool line_buffering,
                         bool write_through);
bool ou_io_newline(VM *vm, Value v, uint8_t *out);
bool ou_io_text_check(VM *vm, TextFile *f);   /* ready, not detached, not closed */
enum { SEEN_LF = 1, SEEN_CR = 2, SEEN_CRLF = 4 }; /* newlines_seen */
Value ou_io_newlines(VM *vm, int seen);       /* as the attribute of that name */
static inline TextFile *as_textfile(Value v) { return (TextFile *)v_obj(v); }

/* mod_io_text_write.c; ou_io_textm_x is the native behind TextIOWrapper.x */
bool ou_io_text_call(VM *vm, TextFile *f, const char *method); /* of what is below */
bool ou_io_text_pending(VM *vm, TextFile *f); /* what was encoded goes to the write() of an object of the script */
Value ou_io_textm_write(VM *vm, const Value *args, int n);

/* mod_io_text_read.c */
Value ou_io_textm_read(VM *vm, const Value *args, int n);
Value ou_io_textm_readline(VM *vm, const Value *args, int n);
Value ou_io_text_next(VM *vm, Value self); /* the slot */

/* mod_io_seek.c */
Value ou_io_text_tell(VM *vm, const Value *args, int n);
Value ou_io_text_seek(VM *vm, const Value *args, int n);
Value ou_io_text_truncate(VM *vm, const Value *args, int n);

#endif
