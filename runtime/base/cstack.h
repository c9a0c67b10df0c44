/* How far the C stack of the calling thread reaches: recursion in C asks, so that no script can use it up, whatever thread a
 * host runs it in. Assumes a stack that grows downwards. */
#ifndef OU_CSTACK_H
#define OU_CSTACK_H

#include <stdbool.h>
#include <stdint.h>

/* The lowest address that recursion may reach, with room below for natives that do not recurse; 0 where the system does not
 * tell. Of the calling thread, as long as it lives. */
uintptr_t ou_cstack_floor(void);

static inline bool ou_cstack_below(uintptr_t floor) { return (uintptr_t)__builtin_frame_address(0) < floor; }

#endif
