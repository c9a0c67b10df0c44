/* What traceback_print.c and traceback_frame.c share. May be included by these two only. */
#ifndef OU_TRACEBACK_IMPL_H
#define OU_TRACEBACK_IMPL_H

#include "runtime/objects/errors.h"
#include "runtime/objects/str.h"

enum { SOURCE_FILES = 4 };
typedef struct SourceFile {
    Value name;     /* owned str; V_NULL: free row */
    const char *p;
    size_t n, cap;  /* cap 0: the text is not ours */
    Value own;      /* what keeps p alive, or V_NULL */
} SourceFile;

typedef struct TbPrinter {
    VM *vm;
    StrBuf out;
    Value seen;     /* list: exceptions whose chain has been followed */
    int depth;      /* of exception groups */
    bool need_close;
    bool at_line_start;
    bool no_carets; /* unraisable exceptions are shown without */
    SourceFile files[SOURCE_FILES];
    int next_file;
} TbPrinter;

/* Text goes out through these: inside a group, every line gets its margin. */
void ou_tb_put(TbPrinter *t, const char *s, size_t n);
void ou_tb_puts(TbPrinter *t, const char *s);
void ou_tb_frames(TbPrinter *t, Value traceback); /* all entries of a traceback */
void ou_tb_files_done(TbPrinter *t);

#endif
