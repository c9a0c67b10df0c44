/* What type_frame.c and type_frame_locals.c share. May be included by these two only. */
#ifndef OU_FRAME_IMPL_H
#define OU_FRAME_IMPL_H

#include "runtime/objects/containers.h"
#include "runtime/objects/func.h"
#include "runtime/objects/gc.h"
#include "runtime/objects/state.h"
#include "vm/call.h"

Value ou_frame_locals_proxy(VM *vm, Frame *f); /* a new one: owned */
Value ou_frame_snapshot(VM *vm, Frame *f);     /* a new dict with what f_locals shows; of modules and classes the namespace */

#endif
