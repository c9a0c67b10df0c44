/* What the files of the rarer instructions share; only they include it. Each carries out instruction i of frame R. */
#ifndef OU_MISC_H
#define OU_MISC_H

#include "vm/eval.h"

/* ---- misc_build.c ---- */
bool ou_do_make_set(VM *vm, Value *R, Ins i);
bool ou_do_make_dict(VM *vm, Value *R, Ins i);
bool ou_do_make_str(VM *vm, Value *R, Ins i);
bool ou_do_make_slice(VM *vm, Value *R, Ins i);
bool ou_do_list_extend(VM *vm, Value *R, Ins i);
bool ou_do_star_tuple(VM *vm, Value *R, Ins i);
bool ou_do_dict_update(VM *vm, Value *R, Ins i);
bool ou_do_dict_merge(VM *vm, Value *R, Ins i);
bool ou_do_format_value(VM *vm, Value *R, Ins i);
bool ou_do_unpack_ex(VM *vm, Value *R, Ins i);
bool ou_do_unpack_far(VM *vm, Value *R, Ins i);

/* ---- misc_match.c ---- */
bool ou_do_match_keys(VM *vm, Value *R, Ins i);
bool ou_do_match_rest(VM *vm, Value *R, Ins i);
Value ou_do_match_class_values(VM *vm, Value subject, Value cls, Tuple *kw, unsigned npos);
bool ou_do_match_collection(VM *vm, Value v, bool sequence);

#endif
