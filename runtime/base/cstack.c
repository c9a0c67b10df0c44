/* The bounds of the calling thread's C stack. Entry point: ou_cstack_floor. The one thing to know: pthread_getattr_np() reads
 * /proc/self/maps for the main thread, which is slow; on its stack the limit of the process counts from the top. Which stack it is
 * tells the address, not the thread's number: in a child that a thread has forked they are not the same. */
#include "runtime/base/cstack.h"

#if defined(__linux__)
#include <pthread.h>
#include <sys/auxv.h>
#include <sys/resource.h>

enum { RESERVE = 96 * 1024 };

static uintptr_t with_reserve(uintptr_t end, size_t size) { return end + (size / 4 < RESERVE ? size / 4 : RESERVE); }

uintptr_t ou_cstack_floor(void)
{
    uintptr_t here = (uintptr_t)__builtin_frame_address(0);
    uintptr_t top = (uintptr_t)getauxval(AT_EXECFN); /* the program's name: the kernel puts nothing above but a word */
    struct rlimit limit;
    if (here < top && getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur < top && here > top - limit.rlim_cur)
        return with_reserve(top - (uintptr_t)limit.rlim_cur, (size_t)limit.rlim_cur);
    pthread_attr_t attr;
    void *end = NULL;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) != 0)
        return 0;
    bool ok = pthread_attr_getstack(&attr, &end, &size) == 0;
    pthread_attr_destroy(&attr);
    return ok ? with_reserve((uintptr_t)end, size) : 0;
}

#else

uintptr_t ou_cstack_floor(void) { return 0; }

#endif
