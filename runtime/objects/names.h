/* Well-known interned names: vm->names[N_x]. May be included by everybody above base. */
#ifndef OU_NAMES_H
#define OU_NAMES_H

typedef enum NameId {
#define NAME(id, text) N_##id,
#include "runtime/objects/names.def"
#undef NAME
    N_COUNT
} NameId;

#endif
