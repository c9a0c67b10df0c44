/* The re2c scanner: one token of ordinary text, by its longest match.
 * Entry point: ou_lex_scan. It knows no indentation, brackets or f-strings (lexer.c does) and stops at the NUL that ends the
 * text. A number here is only a candidate: lexer.c looks at what follows it. */
#include "grammar/lexer.h"

#include "grammar/grammar.h"

int ou_lex_scan(const uchar **cur)
{
    const uchar *YYCURSOR = *cur, *YYMARKER;
    (void)YYMARKER;
#define RETURN(kind)     \
    do {                 \
        *cur = YYCURSOR; \
        return (kind);   \
    } while (0)
    /*!re2c
    re2c:define:YYCTYPE = uchar;
    re2c:yyfill:enable = 0;

    digits = [0-9] ("_"? [0-9])*;
    exponent = [eE] [+-]? digits;
    number = "0" [xX] ("_"? [0-9a-fA-F])+ | "0" [oO] ("_"? [0-7])+ | "0" [bB] ("_"? [01])+
           | digits | digits? "." digits exponent? | digits "." exponent? | digits exponent;
    prefix = [uU] | [bB] [rR]? | [rR] [bB]? | [fF] [rR]? | [rR] [fF];

    number [jJ]? { RETURN(SCAN_NUMBER); }
    prefix? ["']  { RETURN(SCAN_STRING); }

    "False" { RETURN(TK_FALSE); }
    "None" { RETURN(TK_NONE); }
    "True" { RETURN(TK_TRUE); }
    "and" { RETURN(TK_AND); }
    "as" { RETURN(TK_AS); }
    "assert" { RETURN(TK_ASSERT); }
    "async" { RETURN(TK_ASYNC); }
    "await" { RETURN(TK_AWAIT); }
    "break" { RETURN(TK_BREAK); }
    "class" { RETURN(TK_CLASS); }
    "continue" { RETURN(TK_CONTINUE); }
    "def" { RETURN(TK_DEF); }
    "del" { RETURN(TK_DEL); }
    "elif" { RETURN(TK_ELIF); }
    "else" { RETURN(TK_ELSE); }
    "except" { RETURN(TK_EXCEPT); }
    "finally" { RETURN(TK_FINALLY); }
    "for" { RETURN(TK_FOR); }
    "from" { RETURN(TK_FROM); }
    "global" { RETURN(TK_GLOBAL); }
    "if" { RETURN(TK_IF); }
    "import" { RETURN(TK_IMPORT); }
    "in" { RETURN(TK_IN); }
    "is" { RETURN(TK_IS); }
    "lambda" { RETURN(TK_LAMBDA); }
    "nonlocal" { RETURN(TK_NONLOCAL); }
    "not" { RETURN(TK_NOT); }
    "or" { RETURN(TK_OR); }
    "pass" { RETURN(TK_PASS); }
    "raise" { RETURN(TK_RAISE); }
    "return" { RETURN(TK_RETURN); }
    "try" { RETURN(TK_TRY); }
    "while" { RETURN(TK_WHILE); }
    "with" { RETURN(TK_WITH); }
    "yield" { RETURN(TK_YIELD); }
    [A-Za-z_] [A-Za-z0-9_]* { RETURN(TK_NAME); }
    [A-Za-z_]? [A-Za-z0-9_]* [\x80-\xff] { RETURN(SCAN_UNICODE); }

    "(" { RETURN(TK_LPAR); }
    ")" { RETURN(TK_RPAR); }
    "[" { RETURN(TK_LSQB); }
    "]" { RETURN(TK_RSQB); }
    "{" { RETURN(TK_LBRACE); }
    "}" { RETURN(TK_RBRACE); }
    "." { RETURN(TK_DOT); }
    "..." { RETURN(TK_ELLIPSIS); }
    "," { RETURN(TK_COMMA); }
    ":" { RETURN(TK_COLON); }
    ":=" { RETURN(TK_WALRUS); }
    ";" { RETURN(TK_SEMI); }
    "@" { RETURN(TK_AT); }
    "=" { RETURN(TK_ASSIGN); }
    "->" { RETURN(TK_ARROW); }
    "+" { RETURN(TK_PLUS); }
    "-" { RETURN(TK_MINUS); }
    "*" { RETURN(TK_STAR); }
    "/" { RETURN(TK_SLASH); }
    "//" { RETURN(TK_DSLASH); }
    "%" { RETURN(TK_PERCENT); }
    "**" { RETURN(TK_DSTAR); }
    "<<" { RETURN(TK_LSHIFT); }
    ">>" { RETURN(TK_RSHIFT); }
    "&" { RETURN(TK_AMPER); }
    "|" { RETURN(TK_BAR); }
    "^" { RETURN(TK_CARET); }
    "~" { RETURN(TK_TILDE); }
    "==" { RETURN(TK_EQ); }
    "!=" | "<>" { RETURN(TK_NE); }
    "<" { RETURN(TK_LT); }
    "<=" { RETURN(TK_LE); }
    ">" { RETURN(TK_GT); }
    ">=" { RETURN(TK_GE); }
    "+=" { RETURN(TK_ADDEQ); }
    "-=" { RETURN(TK_SUBEQ); }
    "*=" { RETURN(TK_MULEQ); }
    "/=" { RETURN(TK_DIVEQ); }
    "//=" { RETURN(TK_FLOOREQ); }
    "%=" { RETURN(TK_MODEQ); }
    "@=" { RETURN(TK_MATEQ); }
    "&=" { RETURN(TK_ANDEQ); }
    "|=" { RETURN(TK_OREQ); }
    "^=" { RETURN(TK_XOREQ); }
    "<<=" { RETURN(TK_LSHEQ); }
    ">>=" { RETURN(TK_RSHEQ); }
    "**=" { RETURN(TK_POWEQ); }
    "!" { RETURN(TK_BADCHAR); }

    "\n" { RETURN(SCAN_NEWLINE); }
    "\\" { RETURN(SCAN_BACKSLASH); }
    "#" [^\n\x00]* { RETURN(SCAN_COMMENT); }
    "\x00" { RETURN(SCAN_END); }
    * { RETURN(SCAN_OTHER); }
    */
}
