/* The parser's door: bytes in, an AST in the caller's arena out, or a description of the syntax error.
 * May be included by everybody above grammar/. Nothing here runs script code or touches a VM. */
#ifndef OU_PARSE_H
#define OU_PARSE_H

#include "grammar/ast.h"
#include "runtime/base/arena.h"

typedef enum ParseMode { PARSE_EXEC, PARSE_EVAL, PARSE_SINGLE } ParseMode;

enum {
    PARSE_IS_STR = 1,            /* the source is a str's UTF-8: no BOM or coding cookie is looked for */
    PARSE_DONT_IMPLY_DEDENT = 2, /* PARSE_SINGLE: a compound statement is only over after an empty line; the
                                  * text is the lines typed so far, joined by newlines (for REPLs) */
    PARSE_SURROGATES = 4,        /* lone surrogates (WTF-8) are let through instead of refused */
    PARSE_FROM_FILE = 8,         /* the text of a file that is run: Python words some errors about its bytes differently */
};

typedef enum ParseErrorKind {
    PARSE_OK,
    PARSE_SYNTAX,      /* SyntaxError */
    PARSE_INDENTATION, /* IndentationError */
    PARSE_TAB,         /* TabError */
    PARSE_MEMORY,      /* MemoryError; msg is empty when the allocator failed */
    PARSE_RECURSION,   /* RecursionError */
    PARSE_WARNED,      /* the warning callback returned false: its own exception stands */
} ParseErrorKind;

typedef struct ParseError {
    uint8_t kind;
    bool incomplete; /* more input could make this valid: a REPL asks for another line */
    char msg[256];   /* UTF-8, cut at a character's boundary when longer */
    int line, col;   /* from 1; columns count characters; 0 or less = unknown, line -1 = no place at all */
    int end_line, end_col; /* exclusive; 0 or less = unknown */
    /* The line of the source that `line` names, for SyntaxError.text: in the arena, UTF-8, with no newline.
     */
    const char *text;
    size_t text_len;
    bool text_is_bare; /* there is no newline behind that line, and none is taken for granted */
    bool names_file;   /* msg has a %s for the file's name */
} ParseError;

typedef enum ParseWarning { PARSE_WARN_SYNTAX, PARSE_WARN_DEPRECATION } ParseWarning;
/* Returns false to stop the parse (the warning was turned into an error). Columns as in ParseError. */
typedef bool (*ParseWarnFn)(void *ud, ParseWarning kind, const char *msg, int line, int col, int end_line,
                            int end_col);

/* NULL on error, with *err filled. The tree does not point into [src]. */
AstMod *ou_parse(Arena *a, const char *src, size_t n, ParseMode mode, uint32_t flags, ParseError *err);
AstMod *ou_parse_warn(Arena *a, const char *src, size_t n, ParseMode mode, uint32_t flags, ParseWarnFn warn,
                      void *ud, ParseError *err);

/* Appends ast.dump(tree) as CPython 3.13 prints it to a sink; with positions it is
 * ast.dump(tree, include_attributes=True). False when the sink refused. */
typedef bool (*AstDumpFn)(void *ud, const char *s, size_t n);
bool ou_ast_dump(const AstMod *mod, bool positions, AstDumpFn sink, void *ud);

#endif
