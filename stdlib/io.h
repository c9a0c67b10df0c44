/* The native file objects of `_io`, as far as print(), input(), sys and the loop need them.
 * May be included by stdlib/ and api/. A TextFile owns its byte file; both are closed when they die. */
#ifndef OU_STDLIB_IO_H
#define OU_STDLIB_IO_H

#include "stdlib/stdlib.h"

typedef struct ByteFile { /* _io.FileIO, _io.BufferedReader, _io.BufferedWriter, _io.BufferedRandom */
    Obj h;
    int fd;                /* -1: closed or detached */
    bool readable, writable, seekable, seek_known, raw, append, closefd, closed, finalizing;
    bool made;             /* __init__ has run and detach() has not */
    bool detached;
    bool below;            /* another file stands on it, and closes it when it dies */
    bool foreign;          /* base is no plain FileIO: its methods do the work */
    Value base;            /* the raw file below a buffered one, if somebody has seen it; else V_NULL and fd is our own */
    Value name;            /* what open() was given; V_NULL: the base's */
    Value mode;            /* str; V_NULL: the base's */
    uint64_t user;         /* the thread that is in a call with buf while flushing is set */
    uint32_t epoch;        /* IoState.forks at that time: a thread that was lost in a fork does not come back */
    uint8_t *buf;          /* read-ahead or pending writes, never both */
    uint32_t cap, pos, end; /* read: buf[pos..end) is unread; write: buf[0..end) is pending (pos 0) */
    bool writing;
    struct Turn *queue;    /* the threads that wait for it, in their order */
    bool flushing;         /* a thread is in read() or write() with buf; others may only append behind what is written */
    uint8_t busy;          /* threads in a system call with buf: it must stay where it is */
} ByteFile;

typedef struct TextFile { /* _io.TextIOWrapper */
    Obj h;
    Value bytes;           /* ByteFile, or any object with read/write (buffer=) */
    ByteFile *native;      /* bytes when it is a ByteFile, else NULL */
    Value encoding, errors; /* str */
    Value mode;            /* str or V_NULL */
    Value pend;            /* bytearray: encoded and not yet written, for bytes that are no ByteFile; or V_NULL */
    uint8_t codec;         /* CODEC_* */
    uint8_t newline;       /* NL_* */
    bool line_buffering, write_through, utf8_strict, telling, bom_done;
    bool made;             /* __init__ has run */
    bool unseekable, unreadable, unwritable, has_read1; /* what an object that is no ByteFile said of itself */
    bool reading;          /* something was decoded since the last seek */
    bool in_repr;
    char *text;            /* decoded and not yet read: UTF-8, newlines translated */
    size_t text_cap, text_pos, text_end;
    char carry[8];         /* bytes of an incomplete character at the end of what was read */
    uint8_t ncarry;
    bool pending_cr, eof;
    Value newlines_seen;
} TextFile;

void ou_io_after_fork(VM *vm); /* in the child */
/* The file if it is a native text file whose methods nobody has overridden, open for writing; else NULL. */
TextFile *ou_io_plain_text(VM *vm, Value file);
bool ou_io_text_write(VM *vm, TextFile *f, const char *utf8, size_t n);
bool ou_io_text_flush(VM *vm, TextFile *f);
Value ou_io_open(VM *vm, const Value *args, int n); /* the eight parameters of open() */
extern const NativeDef ou_io_open_def;
/* One line of sys.stdin without its newline, for input(); V_NULL raised (EOFError at the end). */
Value ou_io_text_readline(VM *vm, TextFile *f);

#endif
