/* The smallest host: runs a script that calls a function of the host, then a coroutine on the VM's loop.
 * Installed: cc hello.c $(pkg-config --cflags --libs ouro) */
#include <stdio.h>
#include <string.h>

#include "ouro.h"

static ouro_rc add(ouro_vm *vm, const ouro_args *a, ouro_val *ret)
{
    int64_t x, y = 0;
    ouro_rc rc = ouro_to_int(vm, a->argv[0], &x);
    if (rc == OURO_OK && a->argv[1].h) /* {0}: not given */
        rc = ouro_to_int(vm, a->argv[1], &y);
    return rc == OURO_OK ? ouro_int(vm, x + y, ret) : rc;
}

static const ouro_def game[] = {
    {.sig = "add(a, b=0)", .fn = add, .doc = "Sum of two ints."},
    {0},
};

int main(void)
{
    static const char src[] = "import asyncio, game\n"
                              "print(game.add(1, b=2))\n"
                              "async def main():\n"
                              "    await asyncio.sleep(0.01)\n"
                              "    return 'slept'\n";
    ouro_vm *vm = ouro_open(NULL);
    if (!vm)
        return 1;
    ouro_scope scope = ouro_scope_open(vm);
    ouro_val module, fn, coro, result;
    const char *s;
    size_t n;
    if (ouro_module(vm, "game", game) == OURO_OK && ouro_run(vm, src, strlen(src), "hello", &module) == OURO_OK &&
        ouro_get_attr(vm, module, "main", &fn) == OURO_OK && ouro_call(vm, fn, 0, NULL, &coro) == OURO_OK &&
        ouro_loop_run(vm, coro, &result) == OURO_OK && ouro_to_str(vm, result, &s, &n) == OURO_OK)
        printf("%.*s\n", (int)n, s);
    int status = ouro_report(vm); /* shows what went wrong, if anything did */
    ouro_scope_close(vm, scope);
    ouro_close(vm);
    return status;
}
