/* Parsed signatures. May be included by runtime/objects/ only (others use ou_bind and NativeDef tables, object.h).
 * A bound argument list borrows everything but the tuple of *args and the dict of **kw, which ou_sig_done releases. */
#ifndef OU_BIND_H
#define OU_BIND_H

#include "runtime/objects/typeimpl.h"

typedef struct Sig Sig;

Sig *ou_sig_parse(VM *vm, const char *text);
void ou_sig_free(VM *vm, Sig *s); /* may be NULL */
void ou_sig_scan(Native *nat); /* sets min, max, pass, total */
int ou_sig_params(const Sig *s);
bool ou_sig_bind(VM *vm, const Sig *s, const Value *args, int n, Tuple *kwnames, Value *out);
void ou_sig_done(VM *vm, const Sig *s, Value *out);
void ou_sigs_fini(VM *vm);

#endif
