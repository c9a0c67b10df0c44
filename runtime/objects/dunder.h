/* Who is asked for an operator: shared by slots.c and ops.c, which ask from C, and vm/dunder.c, which runs script methods as
 * frames. May be included by objects/ and vm/. */
#ifndef OU_DUNDER_H
#define OU_DUNDER_H

#include "runtime/objects/object.h"
#include "runtime/objects/state.h"

enum { DUNDER_LEFT, DUNDER_RIGHT, DUNDER_INPLACE };
extern const NameId ou_operator_names[BIN_COUNT][3]; /* __add__, __radd__, __iadd__; ORDER: binop */
extern const NameId ou_compare_names[6];             /* ORDER: cmpop */
extern const CmpOp ou_compare_swapped[6];            /* the question as the right operand hears it */

/* type(self).name(self, arg), V_NOTIMPL where there is no such method. */
Value ou_call_or_notimpl(VM *vm, Value self, NameId name, Value arg);
/* Does b's class bring its own reflected method, different from a's? Then a subclass goes first. */
bool ou_is_overloaded(VM *vm, Type *ta, Type *tb, NameId name);
/* += and *= of a built-in sequence come after the right operand's __radd__, __rmul__. */
bool ou_right_before_inplace(BinOp op, const Type *ta, const Type *tb);
/* `*=`: the sequence on the right is not asked when there could be one on the left, which is any container or instance. */
bool ou_left_decides(VM *vm, const Type *ta, const Type *tb);
Value ou_operator_error(VM *vm, BinOp op, bool inplace, Value a, Value b);      /* nobody knew: TypeError */
Value ou_compare_unknown(VM *vm, Value a, Value b, CmpOp op);                   /* nobody knew: identity, or TypeError */
/* o.name; V_NULL and *hook (owned) set: what remains is to call that __getattr__ with o and name. */
Value ou_getattr_before_hook(VM *vm, Value o, Str *name, Value *hook);
/* An AttributeError that is pending and says nothing about what was looked for learns it. */
void ou_note_attribute(VM *vm, Value o, Str *name);
Value ou_iter_checked(VM *vm, Value it);                                         /* what __iter__ gave must be an iterator; takes it */
int64_t ou_len_checked(VM *vm, Value v);                                         /* what __len__ gave as a length, -1 raised; takes it */
int ou_bool_checked(VM *vm, Value v);                                            /* what __bool__ gave, -1 raised; takes it */

#endif
