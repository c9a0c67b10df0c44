/* The lexer: source text to tokens, with indentation, brackets and f-string nesting.
 * Used by parse.c and diagnose.c only. A Lexer is a value: copying it saves a position that may be resumed.
 */
#ifndef OU_LEXER_H
#define OU_LEXER_H

#include "grammar/parse.h"

typedef unsigned char uchar;

enum {
    LEX_MAX_INDENT = 100, /* as CPython's tokenizer */
    LEX_MAX_BRACKETS = 200,
    LEX_MAX_FSTRINGS = 150,
    LEX_MAX_FIELDS = 3, /* fields nested in one f-string's format specs */
    TOK_ERROR = 255,    /* Lexer.err says what */
};

/* A token: what it is and where. Offsets are into Lexer.src. */
typedef struct Tok {
    uint8_t kind;   /* TK_... of grammar.y, or TOK_ERROR */
    bool non_ascii; /* NAME: has bytes above 127 */
    uint8_t level;  /* open brackets after this token */
    uint8_t prefix; /* STR_... flags of a string or f-string start */
    uint32_t start, end;
    AstPos pos;
} Tok;

enum {
    STR_RAW = 1,
    STR_BYTES = 2,
    STR_FORMAT = 4,
    STR_UNICODE = 8,
    STR_TRIPLE = 16,
    STR_ESCAPES = 32,
    STR_DOUBLE = 64
};

typedef struct LexFString {
    uint32_t start;                 /* of the prefix */
    uint32_t line;                  /* of the prefix */
    uint32_t line_start;            /* offset of that line */
    uint8_t prefix;                 /* STR_... */
    bool in_field;                  /* inside {...}: ordinary tokens; otherwise literal text */
    uint8_t fields;                 /* {...} now open */
    uint8_t levels[LEX_MAX_FIELDS]; /* bracket level inside each */
} LexFString;

typedef struct Lexer {
    uchar *text; /* what src points to: in the heap, text_size bytes */
    size_t text_size;
    const uchar *src, *cur,
        *end;      /* *end is NUL; the byte before it is a newline unless the source is empty */
    uint32_t line; /* number of the line at cur */
    const uchar *line_start;
    bool at_line_start;   /* the next token decides the indentation */
    bool implied_newline; /* the last newline is not in the source */
    bool exact_end;       /* that newline does not count: the text is an expression or a single statement */
    bool single;          /* PARSE_SINGLE with PARSE_DONT_IMPLY_DEDENT */
    uint8_t last;         /* kind of the last token */
    int pending;          /* INDENT (+) or DEDENTs (-) still to be given */
    uint8_t indents, level, fstrings;
    uint32_t indent_col[LEX_MAX_INDENT], indent_alt[LEX_MAX_INDENT]; /* tabs to 8, tabs to 1 */
    struct {
        uchar open;
        uint32_t line, col;
    } brackets[LEX_MAX_BRACKETS];
    LexFString *fstack; /* LEX_MAX_FSTRINGS of them, allocated at the first f-string */
    Arena *arena;
    ParseWarnFn warn;
    void *warn_ud;
    ParseError *err;
} Lexer;

/* Prepares the text of a Lexer whose arena and err are set: decodes (cookie, BOM), translates newlines,
 * refuses NULs and bad UTF-8, appends a newline. */
bool ou_source_load(Lexer *lx, const char *src, size_t n, uint32_t flags);

/* The next token; kind TOK_ERROR with lx->err filled when there is none. */
void ou_lex_next(Lexer *lx, Tok *out);

/* Whether the last of the source's lines, joined by newlines, is empty: where a block ends in a REPL. */
bool ou_lex_ends_in_empty_line(const Lexer *lx);

/* One token of ordinary text at *cur, which is no blank: a TK_... or a SCAN_...; moves *cur behind it. */
enum {
    SCAN_STRING = 240,
    SCAN_NUMBER,
    SCAN_UNICODE,
    SCAN_NEWLINE,
    SCAN_END,
    SCAN_BACKSLASH,
    SCAN_COMMENT,
    SCAN_OTHER
};
int ou_lex_scan(const uchar **cur);

/* Fills lx->err; columns are given in bytes from the line's start and turned into characters. Returns false.
 */
bool ou_lex_error(Lexer *lx, int kind, uint32_t line, const uchar *line_start, const uchar *at,
                  const uchar *to, const char *fmt, ...) __attribute__((format(printf, 7, 8)));
bool ou_lex_error_pos(Lexer *lx, int kind, AstPos pos, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void ou_lex_no_memory(Lexer *lx);
void ou_lex_unclosed(Lexer *lx); /* "'(' was never closed", of the innermost bracket that is open now */
/* Start of the [line]'th line of the source; lines as the lexer counts them. */
const uchar *ou_lex_line(const Lexer *lx, uint32_t line);
bool ou_lex_warn(Lexer *lx, ParseWarning kind, uint32_t line, const uchar *line_start, const uchar *at,
                 const uchar *to, const char *msg);

#endif
