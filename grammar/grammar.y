/* The grammar of Python 3.13, LALR(1) without a conflict (the build fails on one).
 *
 * Actions are one call long; build.c, strings.c, params.c, patterns.c and targets.c do the work. Where Python is not LALR(1) this
 * grammar takes more than Python and a builder refuses the rest: targets are parsed as expressions, keyword
 * arguments as `expr = expr`, parameters as a list of anything a parameter list may hold. The lexer's driver (parse.c)
 * has decided the soft keywords and marks the parenthesis of `with (...) :` as LPARW.
 *
 * Sequences live on the parser's item stack: a nonterminal of type List only names where its first item lies. Inner
 * sequences are always taken off before the outer ones grow, since LR reductions nest.
 */
%name ou_grammar
%token_prefix TK_
%token_type {Tok}
%extra_context {Parser *p}
%stack_size 6000
%stack_overflow { ou_build_stack_overflow(p); }
%syntax_error { ou_build_syntax_error(p, yymajor); }
%start_symbol input

%include {
#include "grammar/build.h"

#define YYNOERRORRECOVERY 1
#pragma GCC diagnostic ignored "-Wunused-variable" /* of the template */
#pragma GCC diagnostic ignored "-Wunused-parameter"
}

/* Some tokens have no rule that names them: the lexer makes them so that an error may point at them. */
%token BADCHAR.

%type expr {Ex}
%type named {Ex}
%type walrus {Ex}
%type anntarget {Ex}
%type starnamed {Ex}
%type starexpr {Ex}
%type starexprs {Ex}
%type exprs {Ex}
%type exprhead {List}
%type rhs {Ex}
%type disj {Ex}
%type bitor {Ex}
%type primary {Ex}
%type yieldexpr {Ex}
%type titem {Ex}
%type tlist {Ex}
%type ftarget {Ex}
%type optexpr {Ex}
%type sub {Ex}
%type subs {Ex}
%type strings {List}
%type fstr {List}
%type ffield {int}
%type fspec {Ex}
%type fspecs {List}
%type debug {int}
%type conv {Ex}
%type sehead {List}
%type nhead {List}
%type nlist {List}
%type thead {List}
%type shead {List}
%type args {List}
%type arglist {List}
%type arg {int}
%type dlist {List}
%type ditem {List}
%type comps {List}
%type params {Arguments *}
%type paramlist {List}
%type param {int}
%type lparams {Arguments *}
%type lparamlist {List}
%type lparam {int}
%type pname {Arg *}
%type lname {Arg *}
%type tparams {TypeParamSeq}
%type tparamlist {List}
%type tparam {int}
%type block {StmtSeq}
%type optelse {StmtSeq}
%type stmts {List}
%type line {List}
%type single {List}
%type simples {List}
%type simple {Stmt *}
%type compound {Stmt *}
%type defclass {Stmt *}
%type asyncable {Stmt *}
%type returns {Ex}
%type decos {List}
%type elifs {List}
%type handlers {List}
%type handler {int}
%type witems {List}
%type witem {int}
%type wlist {List}
%type wwalrus {Ex}
%type wcore {List}
%type welem {int}
%type targets {List}
%type augop {int}
%type names {List}
%type dotted {Name}
%type module {Name}
%type dots {int}
%type aliases {List}
%type alias {int}
%type dottedas {List}
%type cases {List}
%type guard {Ex}
%type pat {Pat}
%type pats {Pat}
%type mspat {Pat}
%type alternatives {Pat}
%type phead {List}
%type orpat {List}
%type closed {Pat}
%type pattr {Ex}
%type pnum {Ex}
%type pkey {Ex}
%type pargs {List}
%type parglist {List}
%type parg {int}
%type pmap {List}
%type prest {List}
%type pmapitem {int}

%left OR.
%left AND.
%right NOT.
%left IN IS LT LE GT GE EQ NE.
%left BAR.
%left CARET.
%left AMPER.
%left LSHIFT RSHIFT.
%left PLUS MINUS.
%left STAR SLASH DSLASH PERCENT AT.
%right TILDE.
%right DSTAR.

%code {
size_t ou_grammar_size(void)
{
    return sizeof(yyParser);
}
}

/* ---- files, lines, blocks ---- */

input ::= START_FILE END. { ou_build_module(p, NULL); }
input ::= START_FILE stmts(S) END. { ou_build_module(p, &S); }
input ::= START_EVAL exprs(E) END. { ou_build_expression(p, E); }
input ::= START_EVAL exprs(E) NEWLINE END. { ou_build_expression(p, E); }
input ::= START_SINGLE single(S) END. { ou_build_interactive(p, S); }
input ::= START_PIECE starexprs(E) END. { p->piece = E.e; }

single(A) ::= line(A).
single(A) ::= compound(S). { A = ou_list_first(p, S, S->pos); }
single(A) ::= single(A) line(L). { ou_build_too_many(p, A, p->items[L.mark]); }
single(A) ::= single(A) compound(S). { ou_build_too_many(p, A, S); }

stmts(A) ::= line(A).
stmts(A) ::= compound(S). { A = ou_list_first(p, S, S->pos); }
stmts(A) ::= stmts(A) line.
stmts(A) ::= stmts(A) compound(S). { ou_list_push(p, S); }

line(A) ::= simples(A) NEWLINE.
line(A) ::= simples(A) SEMI NEWLINE.
simples(A) ::= simple(S). { A = ou_list_first(p, S, S->pos); }
simples(A) ::= simples(A) SEMI simple(S). { ou_list_push(p, S); }

block(A) ::= line(L). { A = ou_build_block(p, L); }
block(A) ::= NEWLINE INDENT stmts(L) DEDENT. { A = ou_build_block(p, L); }

/* ---- simple statements ---- */

simple(A) ::= rhs(E). { A = ou_build_expr_stmt(p, E); }
simple(A) ::= targets(T) rhs(V). { A = ou_build_assign(p, T, V); }
simple(A) ::= rhs(T) augop(O) rhs(V). { A = ou_build_augassign(p, T, O, V); }
anntarget(A) ::= starexprs(E). { A = ou_build_ann_target(p, E); }
simple(A) ::= anntarget(T) COLON expr(N). { A = ou_build_annassign(p, T, N, NULL); }
simple(A) ::= anntarget(T) COLON expr(N) ASSIGN rhs(V). { A = ou_build_annassign(p, T, N, &V); }
targets(A) ::= rhs(E) ASSIGN. { A = ou_build_first_target(p, E); }
targets(A) ::= targets(A) rhs(E) ASSIGN. { ou_build_next_target(p, E); }

augop(A) ::= ADDEQ. { A = BIN_Add; }
augop(A) ::= SUBEQ. { A = BIN_Sub; }
augop(A) ::= MULEQ. { A = BIN_Mult; }
augop(A) ::= DIVEQ. { A = BIN_Div; }
augop(A) ::= FLOOREQ. { A = BIN_FloorDiv; }
augop(A) ::= MODEQ. { A = BIN_Mod; }
augop(A) ::= MATEQ. { A = BIN_MatMult; }
augop(A) ::= ANDEQ. { A = BIN_BitAnd; }
augop(A) ::= OREQ. { A = BIN_BitOr; }
augop(A) ::= XOREQ. { A = BIN_BitXor; }
augop(A) ::= LSHEQ. { A = BIN_LShift; }
augop(A) ::= RSHEQ. { A = BIN_RShift; }
augop(A) ::= POWEQ. { A = BIN_Pow; }

simple(A) ::= PASS(T). { A = ou_build_keyword_stmt(p, STMT_Pass, T); }
simple(A) ::= BREAK(T). { A = ou_build_keyword_stmt(p, STMT_Break, T); }
simple(A) ::= CONTINUE(T). { A = ou_build_keyword_stmt(p, STMT_Continue, T); }
simple(A) ::= RETURN(T). { A = ou_build_return(p, T, NULL); }
simple(A) ::= RETURN(T) starexprs(E). { A = ou_build_return(p, T, &E); }
simple(A) ::= DEL(T) titem(E). { A = ou_build_delete(p, T, ou_build_first_expr(p, E)); }
simple(A) ::= DEL(T) thead(L). { A = ou_build_delete(p, T, L); }
simple(A) ::= DEL(T) thead(L) titem(E). { ou_list_push(p, E.e); A = ou_build_delete(p, T, L); }
simple(A) ::= RAISE(T). { A = ou_build_raise(p, T, NULL, NULL); }
simple(A) ::= RAISE(T) expr(E). { A = ou_build_raise(p, T, &E, NULL); }
simple(A) ::= RAISE(T) expr(E) FROM expr(C). { A = ou_build_raise(p, T, &E, &C); }
simple(A) ::= ASSERT(T) expr(E). { A = ou_build_assert(p, T, E, NULL); }
simple(A) ::= ASSERT(T) expr(E) COMMA expr(M). { A = ou_build_assert(p, T, E, &M); }
simple(A) ::= GLOBAL(T) names(N). { A = ou_build_scope_stmt(p, STMT_Global, T, N); }
simple(A) ::= NONLOCAL(T) names(N). { A = ou_build_scope_stmt(p, STMT_Nonlocal, T, N); }
names(A) ::= NAME(N). { A = ou_build_first_name(p, N); }
names(A) ::= names(A) COMMA NAME(N). { ou_build_next_name(p, N); }

simple(A) ::= TYPE(T) NAME(N) tparams(P) ASSIGN expr(E). { A = ou_build_type_alias(p, T, N, P, E); }

simple(A) ::= IMPORT(T) dottedas(L). { A = ou_build_import(p, T, L); }
simple(A) ::= FROM(T) module(M) IMPORT aliases(L). { A = ou_build_import_from(p, T, &M, 0, L); }
simple(A) ::= FROM(T) dots(D) module(M) IMPORT aliases(L). { A = ou_build_import_from(p, T, &M, D, L); }
simple(A) ::= FROM(T) dots(D) IMPORT aliases(L). { A = ou_build_import_from(p, T, NULL, D, L); }
dots(A) ::= DOT. { A = 1; }
dots(A) ::= ELLIPSIS. { A = 3; }
dots(A) ::= dots(B) DOT. { A = B + 1; }
dots(A) ::= dots(B) ELLIPSIS. { A = B + 3; }
dotted(A) ::= NAME(N). { A = ou_build_name_text(p, N); }
dotted(A) ::= dotted(D) DOT NAME(N). { A = ou_build_dotted(p, D, N); }
module(A) ::= dotted(D). { A = ou_build_dotted_done(p, D); }
dottedas(A) ::= module(D). { A = ou_build_first_alias(p, D, NULL); }
dottedas(A) ::= module(D) AS NAME(N). { A = ou_build_first_alias(p, D, &N); }
dottedas(A) ::= dottedas(A) COMMA module(D). { ou_build_alias(p, D, NULL); }
dottedas(A) ::= dottedas(A) COMMA module(D) AS NAME(N). { ou_build_alias(p, D, &N); }
aliases(A) ::= STAR(T). { A = ou_build_import_star(p, T); }
aliases(A) ::= names_as(A).
aliases(A) ::= names_as(A) COMMA. { ou_build_import_comma(p); }
aliases(A) ::= LPAR names_as(L) RPAR. { A = L; }
aliases(A) ::= LPAR names_as(L) COMMA RPAR. { A = L; }
%type names_as {List}
names_as(A) ::= alias(M). { A = ou_list_mark(p, M); }
names_as(A) ::= names_as(A) COMMA alias.
alias(A) ::= NAME(N). { A = ou_build_alias(p, ou_build_name_text(p, N), NULL); }
alias(A) ::= NAME(N) AS NAME(M). { A = ou_build_alias(p, ou_build_name_text(p, N), &M); }

/* ---- compound statements ---- */

compound(A) ::= IF(T) named(E) COLON block(B) elifs(L) optelse(O). { A = ou_build_if(p, T, E, B, L, O); }
elifs(A) ::= . { A = ou_list_empty(p); }
elifs(A) ::= elifs(A) ELIF(T) named(E) COLON block(B). { ou_build_elif(p, T, E, B); }
optelse(A) ::= . { A = (StmtSeq){0, NULL}; }
optelse(A) ::= ELSE COLON block(B). { A = B; }
compound(A) ::= WHILE(T) named(E) COLON block(B) optelse(O). { A = ou_build_while(p, T, E, B, O); }
compound(A) ::= asyncable(A).
compound(A) ::= ASYNC(T) asyncable(S). { A = ou_build_async(p, T, S); }
asyncable(A) ::= FOR(T) ftarget(V) IN starexprs(E) COLON block(B) optelse(O). { A = ou_build_for(p, T, V, E, B, O); }
asyncable(A) ::= WITH(T) witems(L) COLON block(B). { A = ou_build_with(p, T, L, B); }
asyncable(A) ::= WITH(T) LPARW(P) wlist(L) RPAR(Q) COLON block(B). { A = ou_build_with_parens(p, T, P, L, Q, B); }

witems(A) ::= witem(M). { A = ou_list_mark(p, M); }
witems(A) ::= witems(A) COMMA witem.
witem(A) ::= expr(E). { A = ou_build_with_item(p, E, NULL); }
witem(A) ::= expr(E) AS titem(V). { A = ou_build_with_item(p, E, &V); }
/* What `with (...):` may hold: items, or any parenthesised expression. */
wlist(A) ::= wcore(A).
wlist(A) ::= wcore(A) COMMA. { A.comma = true; }
wlist(A) ::= yieldexpr(E). { A = ou_list_mark(p, ou_build_with_other(p, E)); }
wcore(A) ::= welem(M). { A = ou_list_mark(p, M); }
wcore(A) ::= wcore(A) COMMA welem.
welem(A) ::= witem(A).
welem(A) ::= wwalrus(E). { A = ou_build_with_other(p, E); }
welem(A) ::= expr(E) comps(L). { A = ou_build_with_genexp(p, E, L); }
welem(A) ::= wwalrus(E) comps(L). { A = ou_build_with_genexp(p, E, L); }
wwalrus(A) ::= walrus(E) expr(V). { A = ou_build_walrus(p, E, V); }
welem(A) ::= STAR(T) bitor(E). { A = ou_build_with_other(p, ou_build_starred(p, T, E)); }


compound(A) ::= TRY(T) COLON block(B) FINALLY COLON block(F). { A = ou_build_try(p, T, B, NULL, NULL, &F); }
compound(A) ::= TRY(T) COLON block(B) handlers(H) optelse(O). { A = ou_build_try(p, T, B, &H, &O, NULL); }
compound(A) ::= TRY(T) COLON block(B) handlers(H) optelse(O) FINALLY COLON block(F). { A = ou_build_try(p, T, B, &H, &O, &F); }
handlers(A) ::= handler(M). { A = ou_list_mark(p, M); }
handlers(A) ::= handlers(A) handler.
handler(A) ::= EXCEPT(T) COLON block(B). { A = ou_build_handler(p, T, NULL, NULL, B, false); }
handler(A) ::= EXCEPT(T) expr(E) COLON block(B). { A = ou_build_handler(p, T, &E, NULL, B, false); }
handler(A) ::= EXCEPT(T) expr(E) AS NAME(N) COLON block(B). { A = ou_build_handler(p, T, &E, &N, B, false); }
handler(A) ::= EXCEPT(T) STAR expr(E) COLON block(B). { A = ou_build_handler(p, T, &E, NULL, B, true); }
handler(A) ::= EXCEPT(T) STAR expr(E) AS NAME(N) COLON block(B). { A = ou_build_handler(p, T, &E, &N, B, true); }

compound(A) ::= decos(D) defclass(S). { A = ou_build_decorated(p, D, S); }
compound(A) ::= CLASS(T) NAME(N) tparams(P) COLON block(B). { A = ou_build_classdef(p, T, N, P, NULL, B); }
compound(A) ::= CLASS(T) NAME(N) tparams(P) LPAR args(G) RPAR COLON block(B). { A = ou_build_classdef(p, T, N, P, &G, B); }
defclass(A) ::= CLASS(T) NAME(N) tparams(P) COLON block(B). { A = ou_build_classdef(p, T, N, P, NULL, B); }
defclass(A) ::= CLASS(T) NAME(N) tparams(P) LPAR args(G) RPAR COLON block(B). { A = ou_build_classdef(p, T, N, P, &G, B); }
defclass(A) ::= def(A).
defclass(A) ::= ASYNC(T) def(S). { A = ou_build_async(p, T, S); }
asyncable(A) ::= def(A).
%type def {Stmt *}
def(A) ::= DEF(T) NAME(N) tparams(P) LPAR params(G) RPAR returns(R) COLON block(B). { A = ou_build_def(p, T, N, P, G, R, B); }
returns(A) ::= . { A = (Ex){0}; }
returns(A) ::= ARROW expr(E). { A = E; }
decos(A) ::= AT named(E) NEWLINE. { A = ou_list_first(p, E.e, E.e->pos); }
decos(A) ::= decos(A) AT named(E) NEWLINE. { ou_list_push(p, E.e); }

params(A) ::= . { A = ou_build_params(p, NULL); }
params(A) ::= paramlist(L). { A = ou_build_params(p, &L); }
params(A) ::= paramlist(L) COMMA. { A = ou_build_params(p, &L); }
paramlist(A) ::= param(M). { A = ou_list_mark(p, M); }
paramlist(A) ::= paramlist(A) COMMA param.
param(A) ::= pname(N). { A = ou_build_param(p, PARAM_PLAIN, NULL, N, NULL); }
param(A) ::= pname(N) ASSIGN expr(D). { A = ou_build_param(p, PARAM_PLAIN, NULL, N, &D); }
param(A) ::= SLASH(S). { A = ou_build_param(p, PARAM_SLASH, &S, NULL, NULL); }
param(A) ::= STAR(S). { A = ou_build_param(p, PARAM_STAR, &S, NULL, NULL); }
param(A) ::= STAR(S) NAME(N). { A = ou_build_param(p, PARAM_STAR, &S, ou_build_arg_name(p, N, NULL), NULL); }
param(A) ::= STAR(S) NAME(N) COLON starexpr(T). { A = ou_build_param(p, PARAM_STAR, &S, ou_build_arg_name(p, N, &T), NULL); }
param(A) ::= DSTAR(S) pname(N). { A = ou_build_param(p, PARAM_DSTAR, &S, N, NULL); }
pname(A) ::= NAME(N). { A = ou_build_arg_name(p, N, NULL); }
pname(A) ::= NAME(N) COLON expr(T). { A = ou_build_arg_name(p, N, &T); }

lparams(A) ::= . { A = ou_build_params(p, NULL); }
lparams(A) ::= lparamlist(L). { A = ou_build_params(p, &L); }
lparams(A) ::= lparamlist(L) COMMA. { A = ou_build_params(p, &L); }
lparamlist(A) ::= lparam(M). { A = ou_list_mark(p, M); }
lparamlist(A) ::= lparamlist(A) COMMA lparam.
lparam(A) ::= lname(N). { A = ou_build_param(p, PARAM_PLAIN, NULL, N, NULL); }
lparam(A) ::= lname(N) ASSIGN expr(D). { A = ou_build_param(p, PARAM_PLAIN, NULL, N, &D); }
lparam(A) ::= SLASH(S). { A = ou_build_param(p, PARAM_SLASH, &S, NULL, NULL); }
lparam(A) ::= STAR(S). { A = ou_build_param(p, PARAM_STAR, &S, NULL, NULL); }
lparam(A) ::= STAR(S) lname(N). { A = ou_build_param(p, PARAM_STAR, &S, N, NULL); }
lparam(A) ::= DSTAR(S) lname(N). { A = ou_build_param(p, PARAM_DSTAR, &S, N, NULL); }
lname(A) ::= NAME(N). { A = ou_build_arg_name(p, N, NULL); }

tparams(A) ::= . { A = (TypeParamSeq){0, NULL}; }
tparams(A) ::= LSQB tparamlist(L) RSQB. { A = ou_build_type_params(p, L); }
tparams(A) ::= LSQB tparamlist(L) COMMA RSQB. { A = ou_build_type_params(p, L); }
tparamlist(A) ::= tparam(M). { A = ou_list_mark(p, M); }
tparamlist(A) ::= tparamlist(A) COMMA tparam.
tparam(A) ::= NAME(N). { A = ou_build_type_var(p, N, NULL, NULL); }
tparam(A) ::= NAME(N) COLON expr(B). { A = ou_build_type_var(p, N, &B, NULL); }
tparam(A) ::= NAME(N) ASSIGN expr(D). { A = ou_build_type_var(p, N, NULL, &D); }
tparam(A) ::= NAME(N) COLON expr(B) ASSIGN expr(D). { A = ou_build_type_var(p, N, &B, &D); }
tparam(A) ::= STAR(T) NAME(N). { A = ou_build_type_star(p, TYPEPARAM_TypeVarTuple, T, N, NULL); }
tparam(A) ::= STAR(T) NAME(N) ASSIGN starexpr(D). { A = ou_build_type_star(p, TYPEPARAM_TypeVarTuple, T, N, &D); }
tparam(A) ::= DSTAR(T) NAME(N). { A = ou_build_type_star(p, TYPEPARAM_ParamSpec, T, N, NULL); }
tparam(A) ::= DSTAR(T) NAME(N) ASSIGN expr(D). { A = ou_build_type_star(p, TYPEPARAM_ParamSpec, T, N, &D); }

/* ---- match ---- */

compound(A) ::= MATCH(T) subject(E) COLON NEWLINE INDENT cases(L) DEDENT. { A = ou_build_match(p, T, E, L); }
%type subject {Ex}
subject(A) ::= named(A).
subject(A) ::= nhead(L). { A = ou_build_tuple(p, L); }
subject(A) ::= nhead(L) starnamed(E). { ou_list_push(p, E.e); A = ou_build_tuple(p, L); }
cases(A) ::= case(M). { A = ou_list_mark(p, M); }
cases(A) ::= cases(A) case.
%type case {int}
case(A) ::= CASE(T) pats(P) guard(G) COLON block(B). { A = ou_build_case(p, T, P, G, B); }
guard(A) ::= . { A = (Ex){0}; }
guard(A) ::= IF named(E). { A = E; }
pats(A) ::= pat(A).
pats(A) ::= phead(L). { A = ou_build_pat_sequence(p, L); }
pats(A) ::= phead(L) mspat(P). { ou_list_push(p, P.p); A = ou_build_pat_sequence(p, L); }
phead(A) ::= mspat(P) COMMA. { A = ou_build_first_pat(p, P); }
phead(A) ::= phead(A) mspat(P) COMMA. { ou_list_push(p, P.p); }
mspat(A) ::= pat(A).
mspat(A) ::= STAR(T) NAME(N). { A = ou_build_pat_star(p, T, N); }
pat(A) ::= alternatives(A).
pat(A) ::= alternatives(P) AS NAME(N). { A = ou_build_pat_as(p, P, N); }
alternatives(A) ::= orpat(L). { A = ou_build_pat_or(p, L); }
orpat(A) ::= closed(P). { A = ou_build_first_pat(p, P); }
orpat(A) ::= orpat(A) BAR closed(P). { ou_list_push(p, P.p); }
closed(A) ::= pnum(E). { A = ou_build_pat_value(p, E); }
closed(A) ::= strings(L). { A = ou_build_pat_value(p, ou_build_strings(p, L)); }
closed(A) ::= NONE(T). { A = ou_build_pat_singleton(p, T, CONST_NONE); }
closed(A) ::= TRUE(T). { A = ou_build_pat_singleton(p, T, CONST_TRUE); }
closed(A) ::= FALSE(T). { A = ou_build_pat_singleton(p, T, CONST_FALSE); }
closed(A) ::= NAME(N). { A = ou_build_pat_capture(p, N); }
closed(A) ::= pattr(E). { A = ou_build_pat_value(p, E); }
closed(A) ::= NAME(N) LPAR pargs(L) RPAR. { A = ou_build_pat_class(p, ou_build_name(p, N), L); }
closed(A) ::= pattr(E) LPAR pargs(L) RPAR. { A = ou_build_pat_class(p, E, L); }
closed(A) ::= LPAR(T) RPAR. { A = ou_build_pat_brackets(p, T, NULL, NULL); }
closed(A) ::= LPAR(T) pat(P) RPAR. { A = ou_build_pat_group(p, T, P); }
closed(A) ::= LPAR(T) phead(L) RPAR. { A = ou_build_pat_brackets(p, T, &L, NULL); }
closed(A) ::= LPAR(T) phead(L) mspat(P) RPAR. { A = ou_build_pat_brackets(p, T, &L, &P); }
closed(A) ::= LSQB(T) RSQB. { A = ou_build_pat_brackets(p, T, NULL, NULL); }
closed(A) ::= LSQB(T) mspat(P) RSQB. { A = ou_build_pat_brackets(p, T, NULL, &P); }
closed(A) ::= LSQB(T) phead(L) RSQB. { A = ou_build_pat_brackets(p, T, &L, NULL); }
closed(A) ::= LSQB(T) phead(L) mspat(P) RSQB. { A = ou_build_pat_brackets(p, T, &L, &P); }
closed(A) ::= LBRACE(T) RBRACE. { A = ou_build_pat_mapping(p, T, NULL); }
closed(A) ::= LBRACE(T) pmap(L) RBRACE. { A = ou_build_pat_mapping(p, T, &L); }
closed(A) ::= LBRACE(T) pmap(L) COMMA RBRACE. { A = ou_build_pat_mapping(p, T, &L); }
closed(A) ::= LBRACE(T) prest(L) RBRACE. { A = ou_build_pat_mapping(p, T, &L); }
closed(A) ::= LBRACE(T) prest(L) COMMA RBRACE. { A = ou_build_pat_mapping(p, T, &L); }
closed(A) ::= LBRACE(T) pmap(L) COMMA prest RBRACE. { A = ou_build_pat_mapping(p, T, &L); }
closed(A) ::= LBRACE(T) pmap(L) COMMA prest COMMA RBRACE. { A = ou_build_pat_mapping(p, T, &L); }
prest(A) ::= DSTAR NAME(N). { A = ou_list_mark(p, ou_build_pat_rest(p, N)); }
pattr(A) ::= NAME(N) DOT NAME(M). { A = ou_build_attribute(p, ou_build_name(p, N), M); }
pattr(A) ::= pattr(E) DOT NAME(M). { A = ou_build_attribute(p, E, M); }
pnum(A) ::= NUMBER(T). { A = ou_build_number(p, T); }
pnum(A) ::= MINUS(T) NUMBER(N). { A = ou_build_pat_minus(p, T, N); }
pnum(A) ::= NUMBER(L) PLUS NUMBER(R). { A = ou_build_pat_complex(p, ou_build_number(p, L), BIN_Add, R); }
pnum(A) ::= NUMBER(L) MINUS NUMBER(R). { A = ou_build_pat_complex(p, ou_build_number(p, L), BIN_Sub, R); }
pnum(A) ::= MINUS(T) NUMBER(L) PLUS NUMBER(R). { A = ou_build_pat_complex(p, ou_build_pat_minus(p, T, L), BIN_Add, R); }
pnum(A) ::= MINUS(T) NUMBER(L) MINUS NUMBER(R). { A = ou_build_pat_complex(p, ou_build_pat_minus(p, T, L), BIN_Sub, R); }
pargs(A) ::= . { A = ou_list_empty(p); }
pargs(A) ::= parglist(A).
pargs(A) ::= parglist(A) COMMA.
parglist(A) ::= parg(M). { A = ou_list_mark(p, M); }
parglist(A) ::= parglist(A) COMMA parg.
parg(A) ::= pat(P). { A = ou_build_pat_arg(p, NULL, P); }
parg(A) ::= NAME(N) ASSIGN pat(P). { A = ou_build_pat_arg(p, &N, P); }
pmap(A) ::= pmapitem(M). { A = ou_list_mark(p, M); }
pmap(A) ::= pmap(A) COMMA pmapitem.
pmapitem(A) ::= pkey(K) COLON pat(P). { A = ou_build_pat_item(p, K, P); }
pkey(A) ::= pnum(A).
pkey(A) ::= strings(L). { A = ou_build_strings(p, L); }
pkey(A) ::= pattr(A).
pkey(A) ::= NONE(T). { A = ou_build_constant(p, T, CONST_NONE); }
pkey(A) ::= TRUE(T). { A = ou_build_constant(p, T, CONST_TRUE); }
pkey(A) ::= FALSE(T). { A = ou_build_constant(p, T, CONST_FALSE); }

/* ---- expressions ---- */

rhs(A) ::= starexprs(A).
rhs(A) ::= yieldexpr(A).
yieldexpr(A) ::= YIELD(T). { A = ou_build_yield(p, T, NULL); }
yieldexpr(A) ::= YIELD(T) starexprs(E). { A = ou_build_yield(p, T, &E); }
yieldexpr(A) ::= YIELD(T) FROM expr(E). { A = ou_build_yield_from(p, T, E); }

/* Lists without brackets: every head ends in a comma. */
exprs(A) ::= expr(A).
exprs(A) ::= exprhead(L). { A = ou_build_tuple(p, L); }
exprs(A) ::= exprhead(L) expr(E). { ou_list_push(p, E.e); A = ou_build_tuple(p, L); }
exprhead(A) ::= expr(E) COMMA. { A = ou_build_first_expr(p, E); }
exprhead(A) ::= exprhead(A) expr(E) COMMA. { ou_list_push(p, E.e); }
starexprs(A) ::= starexpr(A).
starexprs(A) ::= sehead(L). { A = ou_build_tuple(p, L); }
starexprs(A) ::= sehead(L) starexpr(E). { ou_list_push(p, E.e); A = ou_build_tuple(p, L); }
sehead(A) ::= starexpr(E) COMMA. { A = ou_build_first_expr(p, E); }
sehead(A) ::= sehead(A) starexpr(E) COMMA. { ou_list_push(p, E.e); }
starexpr(A) ::= expr(A).
starexpr(A) ::= STAR(T) bitor(E). { A = ou_build_starred(p, T, E); }
tlist(A) ::= titem(A).
tlist(A) ::= thead(L). { A = ou_build_tuple(p, L); }
tlist(A) ::= thead(L) titem(E). { ou_list_push(p, E.e); A = ou_build_tuple(p, L); }
thead(A) ::= titem(E) COMMA. { A = ou_build_first_expr(p, E); }
thead(A) ::= thead(A) titem(E) COMMA. { ou_list_push(p, E.e); }
ftarget(A) ::= tlist(A). { ou_target(p, A.e, TARGET_FOR); }
titem(A) ::= bitor(A).
titem(A) ::= STAR(T) bitor(E). { A = ou_build_starred(p, T, E); }
nlist(A) ::= starnamed(E). { A = ou_build_first_expr(p, E); }
nlist(A) ::= nhead(A).
nlist(A) ::= nhead(A) starnamed(E). { ou_list_push(p, E.e); }
nhead(A) ::= starnamed(E) COMMA. { A = ou_build_first_expr(p, E); }
nhead(A) ::= nhead(A) starnamed(E) COMMA. { ou_list_push(p, E.e); }
starnamed(A) ::= named(A).
starnamed(A) ::= STAR(T) bitor(E). { A = ou_build_starred(p, T, E); }

named(A) ::= expr(A).
walrus(A) ::= expr(E) WALRUS(T). { A = ou_build_walrus_target(p, E, T); }
named(A) ::= walrus(E) expr(V). { A = ou_build_walrus(p, E, V); }
expr(A) ::= disj(A).
expr(A) ::= disj(B) IF disj(T) ELSE expr(O). { A = ou_build_ifexp(p, T, B, O); }
expr(A) ::= LAMBDA(T) lparams(G) COLON expr(E). { A = ou_build_lambda(p, T, G, E); }
disj(A) ::= bitor(A).
disj(A) ::= disj(L) OR disj(R). { A = ou_build_boolop(p, L, BOOL_Or, R); }
disj(A) ::= disj(L) AND disj(R). { A = ou_build_boolop(p, L, BOOL_And, R); }
disj(A) ::= NOT(T) disj(E). { A = ou_build_unary(p, T, UNARY_Not, E); }
disj(A) ::= disj(L) EQ bitor(R). { A = ou_build_compare(p, L, CMP_Eq, R); }
disj(A) ::= disj(L) NE(T) bitor(R). { A = ou_build_not_equal(p, L, T, R); }
disj(A) ::= disj(L) LT bitor(R). { A = ou_build_compare(p, L, CMP_Lt, R); }
disj(A) ::= disj(L) LE bitor(R). { A = ou_build_compare(p, L, CMP_LtE, R); }
disj(A) ::= disj(L) GT bitor(R). { A = ou_build_compare(p, L, CMP_Gt, R); }
disj(A) ::= disj(L) GE bitor(R). { A = ou_build_compare(p, L, CMP_GtE, R); }
disj(A) ::= disj(L) IN bitor(R). { A = ou_build_compare(p, L, CMP_In, R); }
disj(A) ::= disj(L) NOT IN bitor(R). { A = ou_build_compare(p, L, CMP_NotIn, R); }
disj(A) ::= disj(L) IS bitor(R). { A = ou_build_compare(p, L, CMP_Is, R); }
disj(A) ::= disj(L) IS NOT bitor(R). { A = ou_build_compare(p, L, CMP_IsNot, R); }
bitor(A) ::= primary(A).
bitor(A) ::= AWAIT(T) primary(E). { A = ou_build_await(p, T, E); }
bitor(A) ::= bitor(L) BAR bitor(R). { A = ou_build_binop(p, L, BIN_BitOr, R); }
bitor(A) ::= bitor(L) CARET bitor(R). { A = ou_build_binop(p, L, BIN_BitXor, R); }
bitor(A) ::= bitor(L) AMPER bitor(R). { A = ou_build_binop(p, L, BIN_BitAnd, R); }
bitor(A) ::= bitor(L) LSHIFT bitor(R). { A = ou_build_binop(p, L, BIN_LShift, R); }
bitor(A) ::= bitor(L) RSHIFT bitor(R). { A = ou_build_binop(p, L, BIN_RShift, R); }
bitor(A) ::= bitor(L) PLUS bitor(R). { A = ou_build_binop(p, L, BIN_Add, R); }
bitor(A) ::= bitor(L) MINUS bitor(R). { A = ou_build_binop(p, L, BIN_Sub, R); }
bitor(A) ::= bitor(L) STAR bitor(R). { A = ou_build_binop(p, L, BIN_Mult, R); }
bitor(A) ::= bitor(L) SLASH bitor(R). { A = ou_build_binop(p, L, BIN_Div, R); }
bitor(A) ::= bitor(L) DSLASH bitor(R). { A = ou_build_binop(p, L, BIN_FloorDiv, R); }
bitor(A) ::= bitor(L) PERCENT bitor(R). { A = ou_build_binop(p, L, BIN_Mod, R); }
bitor(A) ::= bitor(L) AT bitor(R). { A = ou_build_binop(p, L, BIN_MatMult, R); }
bitor(A) ::= bitor(L) DSTAR bitor(R). { A = ou_build_binop(p, L, BIN_Pow, R); }
bitor(A) ::= PLUS(T) bitor(E). [TILDE] { A = ou_build_unary(p, T, UNARY_UAdd, E); }
bitor(A) ::= MINUS(T) bitor(E). [TILDE] { A = ou_build_unary(p, T, UNARY_USub, E); }
bitor(A) ::= TILDE(T) bitor(E). { A = ou_build_unary(p, T, UNARY_Invert, E); }

primary(A) ::= NAME(T). { A = ou_build_name(p, T); }
primary(A) ::= NUMBER(T). { A = ou_build_number(p, T); }
primary(A) ::= strings(L). { A = ou_build_strings(p, L); }
primary(A) ::= NONE(T). { A = ou_build_constant(p, T, CONST_NONE); }
primary(A) ::= TRUE(T). { A = ou_build_constant(p, T, CONST_TRUE); }
primary(A) ::= FALSE(T). { A = ou_build_constant(p, T, CONST_FALSE); }
primary(A) ::= ELLIPSIS(T). { A = ou_build_constant(p, T, CONST_ELLIPSIS); }
primary(A) ::= primary(E) DOT NAME(N). { A = ou_build_attribute(p, E, N); }
primary(A) ::= primary(F) LPAR(T) args(L) RPAR. { A = ou_build_call(p, F, T, L); }
primary(A) ::= primary(E) LSQB subs(S) RSQB. { A = ou_build_subscript(p, E, S); }
primary(A) ::= LPAR(T) RPAR. { A = ou_build_display(p, EXPR_Tuple, T, NULL); }
primary(A) ::= LPAR(T) starnamed(E) RPAR. { A = ou_build_group(p, T, E); }
primary(A) ::= LPAR(T) yieldexpr(E) RPAR. { A = ou_build_group(p, T, E); }
primary(A) ::= LPAR(T) nhead(L) RPAR. { A = ou_build_display(p, EXPR_Tuple, T, &L); }
primary(A) ::= LPAR(T) nhead(L) starnamed(E) RPAR. { ou_list_push(p, E.e); A = ou_build_display(p, EXPR_Tuple, T, &L); }
primary(A) ::= LPAR(T) starnamed(E) comps(C) RPAR. { A = ou_build_comp(p, EXPR_GeneratorExp, T, E, C); }
primary(A) ::= LSQB(T) RSQB. { A = ou_build_display(p, EXPR_List, T, NULL); }
primary(A) ::= LSQB(T) nlist(L) RSQB. { A = ou_build_display(p, EXPR_List, T, &L); }
primary(A) ::= LSQB(T) starnamed(E) comps(C) RSQB. { A = ou_build_comp(p, EXPR_ListComp, T, E, C); }
primary(A) ::= LBRACE(T) RBRACE. { A = ou_build_dict(p, T, NULL); }
primary(A) ::= LBRACE(T) nlist(L) RBRACE. { A = ou_build_display(p, EXPR_Set, T, &L); }
primary(A) ::= LBRACE(T) starnamed(E) comps(C) RBRACE. { A = ou_build_comp(p, EXPR_SetComp, T, E, C); }
primary(A) ::= LBRACE(T) dlist(L) RBRACE. { A = ou_build_dict(p, T, &L); }
primary(A) ::= LBRACE(T) dlist(L) COMMA RBRACE. { A = ou_build_dict(p, T, &L); }
primary(A) ::= LBRACE(T) ditem(L) comps(C) RBRACE. { A = ou_build_dict_comp(p, T, L, C); }
dlist(A) ::= ditem(A).
dlist(A) ::= dlist(A) COMMA ditem.
ditem(A) ::= expr(K) COLON expr(V). { A = ou_build_dict_item(p, &K, V); }
ditem(A) ::= DSTAR bitor(V). { A = ou_build_dict_item(p, NULL, V); }

comps(A) ::= FOR(T) ftarget(V) IN disj(E). { A = ou_list_mark(p, ou_build_comp_for(p, T, V, E, false)); }
comps(A) ::= ASYNC(T) FOR ftarget(V) IN disj(E). { A = ou_list_mark(p, ou_build_comp_for(p, T, V, E, true)); }
comps(A) ::= comps(A) FOR(T) ftarget(V) IN disj(E). { ou_build_comp_for(p, T, V, E, false); }
comps(A) ::= comps(A) ASYNC(T) FOR ftarget(V) IN disj(E). { ou_build_comp_for(p, T, V, E, true); }
comps(A) ::= comps(A) IF disj(E). { ou_build_comp_if(p, E); }

args(A) ::= . { A = ou_list_empty(p); }
args(A) ::= arglist(A). { ou_build_check_args(p, A); }
args(A) ::= arglist(A) COMMA. { A.comma = true; ou_build_check_args(p, A); }
arglist(A) ::= arg(M). { A = ou_list_mark(p, M); }
arglist(A) ::= arglist(A) COMMA arg.
arg(A) ::= named(E). { A = ou_build_arg(p, ARG_PLAIN, E); }
arg(A) ::= named(E) comps(C). { A = ou_build_arg_genexp(p, E, C); }
arg(A) ::= STAR(T) expr(E). { A = ou_build_arg(p, ARG_PLAIN, ou_build_starred(p, T, E)); }
arg(A) ::= DSTAR(T) expr(E). { A = ou_build_arg_keyword(p, T, NULL, E); }
arg(A) ::= expr(K) ASSIGN(T) expr(V). { A = ou_build_arg_keyword(p, T, &K, V); }

subs(A) ::= sub(E). { A = ou_build_sub_single(p, E); }
subs(A) ::= shead(L). { A = ou_build_tuple(p, L); }
subs(A) ::= shead(L) sub(E). { ou_list_push(p, E.e); A = ou_build_tuple(p, L); }
shead(A) ::= sub(E) COMMA. { A = ou_build_first_expr(p, E); }
shead(A) ::= shead(A) sub(E) COMMA. { ou_list_push(p, E.e); }
sub(A) ::= named(A).
sub(A) ::= STAR(T) expr(E). { A = ou_build_starred(p, T, E); }
sub(A) ::= optexpr(L) COLON(T) optexpr(U). { A = ou_build_slice(p, L, T, U, (Ex){0}); }
sub(A) ::= optexpr(L) COLON(T) optexpr(U) COLON optexpr(S). { A = ou_build_slice(p, L, T, U, S); }
optexpr(A) ::= . { A = (Ex){0}; }
optexpr(A) ::= expr(A).

/* ---- strings ---- */

strings(A) ::= STRING(T). { A = ou_list_mark(p, ou_build_string(p, T)); }
strings(A) ::= fstr(L) FEND. { A = ou_list_mark(p, ou_build_fstring(p, L)); }
strings(A) ::= strings(A) STRING(T). { ou_build_string(p, T); }
strings(A) ::= strings(A) fstr(L) FEND. { ou_build_fstring(p, L); }
fstr(A) ::= FSTART(T). { A = ou_build_fstring_start(p, T); }
fstr(A) ::= fstr(A) FMIDDLE(T). { ou_build_fstring_text(p, T, false); }
fstr(A) ::= fstr(A) ffield.
ffield(A) ::= FLBRACE(T) rhs(E) debug(D) conv(C) fspec(S) FRBRACE(R). { A = ou_build_field(p, T, E, D, C, S, R); }
debug(A) ::= . { A = 0; }
debug(A) ::= ASSIGN. { A = 1; }
conv(A) ::= . { A = (Ex){0}; }
conv(A) ::= FBANG(B) NAME(N). { A = ou_build_conversion(p, B, N); }
fspec(A) ::= . { A = (Ex){0}; }
fspec(A) ::= FCOLON(T) fspecs(L). { A = ou_build_spec(p, T, L); }
fspecs(A) ::= . { A = ou_list_empty(p); }
fspecs(A) ::= fspecs(A) FMIDDLE(T). { ou_build_fstring_text(p, T, true); }
fspecs(A) ::= fspecs(A) ffield.
