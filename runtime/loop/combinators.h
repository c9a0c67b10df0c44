/* Native sleep and gather. May be included by loop/, stdlib/, api/. */
#ifndef OU_COMBINATORS_H
#define OU_COMBINATORS_H

#include "runtime/loop/loop.h"

Value ou_sleep(VM *vm, Value delay, Value result); /* a coroutine */
extern const TypeDef ou_gathering_def;             /* asyncio.tasks._GatheringFuture, a subtype of Future */

#endif
