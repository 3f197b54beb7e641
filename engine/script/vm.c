#include "script/vm.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "script/embed.h"

#include <lauxlib.h>
#include <lua.h>
#include <luajit.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

/* So few that a loop whose every round is a slow call of C (gsub of a long text) is looked at in time, too. */
#define GUARD_INSTRUCTIONS 1000
#define GUARD_LOOKS_MAX 100000
#define LIBRARY "@moontide/moontide." /* how the chunks of embedded modules are named */

struct vm {
    lua_State *L;
    lua_Alloc allocate;       /* LuaJIT's own */
    void *allocate_self;
    uint64_t used_bytes, bytes_max;
    const struct worker *guarded;
    uint64_t guard_ms, guard_since_ns, guard_progress;
    int guard_step;
    uint32_t guard_looks;        /* at what runs too long, without finding a function of the author */
    char *text;               /* of vm_config_text */
};

/* LuaJIT's allocator behind a limit: a script that leaks gets an error, not the whole machine. */
static void *allocate_limited(void *self, void *block, size_t old_bytes, size_t new_bytes)
{
    struct vm *vm = self;
    if (new_bytes > old_bytes && vm->used_bytes + (new_bytes - old_bytes) > vm->bytes_max)
        return NULL;
    void *fresh = vm->allocate(vm->allocate_self, block, old_bytes, new_bytes);
    if (fresh != NULL || new_bytes == 0)
        vm->used_bytes += new_bytes - old_bytes;
    return fresh;
}

static const struct embedded_module *module_find(const char *name)
{
    for (const struct embedded_module *module = embedded_modules; module->name != NULL; module++) {
        if (strcmp(module->name, name) == 0)
            return module;
    }
    return NULL;
}

/* A searcher before all others: moontide's own modules come from the executable. */
static int search_embedded(lua_State *L)
{
    const char *name = luaL_checkstring(L, 1);
    const struct embedded_module *module = module_find(name);
    if (module == NULL) {
        lua_pushfstring(L, "\n\tno module '%s' in moontide", name);
        return 1;
    }
    char chunk[128];
    snprintf(chunk, sizeof chunk, "@moontide/%s.lua", name);
    if (luaL_loadbuffer(L, module->text, module->bytes, chunk) != 0)
        return lua_error(L);
    return 1;
}

static void install_searcher(lua_State *L)
{
    lua_getglobal(L, "package");
    lua_getfield(L, -1, "loaders");
    for (int i = (int)lua_objlen(L, -1); i >= 2; i--) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushcfunction(L, search_embedded);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}

struct vm *vm_new(uint64_t memory_bytes_max)
{
    struct vm *vm = memory_new_zeroed(1, sizeof *vm);
    vm->L = luaL_newstate();
    if (vm->L == NULL) {
        free(vm);
        return NULL;
    }
    vm->bytes_max = memory_bytes_max;
    vm->allocate = lua_getallocf(vm->L, &vm->allocate_self);
    lua_setallocf(vm->L, allocate_limited, vm);
    luaL_openlibs(vm->L);
    install_searcher(vm->L);
    return vm;
}

void vm_free(struct vm *vm)
{
    if (vm == NULL)
        return;
    vm->bytes_max = UINT64_MAX;
    lua_close(vm->L);
    free(vm->text);
    free(vm);
}

static int failed(struct vm *vm)
{
    const char *text = lua_tostring(vm->L, -1);
    int status = error_set(ERROR_SCRIPT, "%s", text == NULL ? "an error that is no text" : text);
    lua_settop(vm->L, 0);
    return status;
}

/* Push main.<name>; what is called with it follows. */
static int push_main(struct vm *vm, const char *name)
{
    lua_settop(vm->L, 0);
    lua_getglobal(vm->L, "require");
    lua_pushliteral(vm->L, "moontide.runtime.main");
    if (lua_pcall(vm->L, 1, 1, 0) != 0)
        return failed(vm);
    lua_getfield(vm->L, -1, name);
    lua_remove(vm->L, 1);
    return 0;
}

int vm_load_job(struct vm *vm, const char *script, const char *const *settings)
{
    if (push_main(vm, "load") < 0)
        return ERROR_SCRIPT;
    lua_pushstring(vm->L, script);
    lua_newtable(vm->L);
    for (int i = 0; settings != NULL && settings[i] != NULL; i++) {
        lua_pushstring(vm->L, settings[i]);
        lua_rawseti(vm->L, -2, i + 1);
    }
    if (lua_pcall(vm->L, 2, 0, 0) != 0 || push_main(vm, "config") < 0 || lua_pcall(vm->L, 0, 1, 0) != 0)
        return failed(vm);
    lua_setfield(vm->L, LUA_REGISTRYINDEX, "moontide.config");
    return 0;
}

static void push_config(struct vm *vm, const char *name)
{
    lua_getfield(vm->L, LUA_REGISTRYINDEX, "moontide.config");
    lua_getfield(vm->L, -1, name);
}

bool vm_config_number(struct vm *vm, const char *name, double *number)
{
    push_config(vm, name);
    bool is_number = lua_type(vm->L, -1) == LUA_TNUMBER;
    if (is_number)
        *number = lua_tonumber(vm->L, -1);
    lua_settop(vm->L, 0);
    return is_number;
}

const char *vm_config_text(struct vm *vm, const char *name)
{
    push_config(vm, name);
    free(vm->text);
    vm->text = lua_type(vm->L, -1) == LUA_TSTRING ? memory_copy_text(lua_tostring(vm->L, -1)) : NULL;
    lua_settop(vm->L, 0);
    return vm->text;
}

int vm_fill_plan(struct vm *vm, void *plan)
{
    if (push_main(vm, "fill") < 0)
        return ERROR_SCRIPT;
    lua_pushlightuserdata(vm->L, plan);
    return lua_pcall(vm->L, 1, 0, 0) == 0 ? 0 : failed(vm);
}

int vm_drive(struct vm *vm, void *worker, int *answer)
{
    if (push_main(vm, "drive") < 0)
        return ERROR_SCRIPT;
    lua_pushlightuserdata(vm->L, worker);
    if (lua_pcall(vm->L, 1, 1, 0) != 0)
        return failed(vm);
    *answer = (int)lua_tointeger(vm->L, -1);
    lua_settop(vm->L, 0);
    return 0;
}

int vm_give_up(struct vm *vm, uint64_t completed)
{
    if (push_main(vm, "give_up") < 0)
        return ERROR_SCRIPT;
    lua_pushnumber(vm->L, (lua_Number)completed);
    return lua_pcall(vm->L, 1, 0, 0) == 0 ? 0 : failed(vm);
}

int vm_explain(struct vm *vm, const char *format, struct buffer *out)
{
    if (push_main(vm, "explain") < 0)
        return ERROR_SCRIPT;
    lua_pushstring(vm->L, format);
    if (lua_pcall(vm->L, 1, 1, 0) != 0)
        return failed(vm);
    size_t bytes;
    const char *text = lua_tolstring(vm->L, -1, &bytes);
    buffer_append(out, text, bytes);
    lua_settop(vm->L, 0);
    return 0;
}

/* Is a function of the author under way? The library's own are generated ("=loop of step") or have its prefix. */
static bool in_script(lua_State *L)
{
    lua_Debug frame;
    for (int level = 0; lua_getstack(L, level, &frame); level++) {
        lua_getinfo(L, "S", &frame);
        if (*frame.what != 'C' && *frame.source == '@' && strncmp(frame.source, LIBRARY, strlen(LIBRARY)) != 0)
            return true;
    }
    return false;
}

/* The hook's own VM is found through the registry: a hook gets no argument of ours. */
static void guard_hook(lua_State *L, lua_Debug *activation)
{
    (void)activation;
    lua_getfield(L, LUA_REGISTRYINDEX, "moontide.vm");
    struct vm *vm = lua_touserdata(L, -1);
    lua_pop(L, 1);
    uint64_t progress = 0, now_ns = clock_monotonic_ns();
    int step = worker_running(vm->guarded, &progress);
    if (step != vm->guard_step || progress != vm->guard_progress) { /* another callback than at the last look */
        vm->guard_step = step;
        vm->guard_progress = progress;
        vm->guard_since_ns = now_ns;
        vm->guard_looks = 0;
    }
    uint64_t ran_ms = (now_ns - vm->guard_since_ns) / 1000000u;
    if (step < 0 || !worker_runs(vm->guarded, step) || ran_ms <= vm->guard_ms)
        return;
    /*
     * Between two callbacks of a loop (S2c) there is no line to name. A loop may meet the hook at one place always, so look at each
     * instruction: so many times, not so long, since a process that had to wait for its turn would give up at the first look.
     */
    bool between = !in_script(L) && vm->guard_looks++ < GUARD_LOOKS_MAX;
    lua_sethook(L, guard_hook, LUA_MASKCOUNT, between ? 1 : GUARD_INSTRUCTIONS);
    if (between)
        return;
    lua_pushfstring(L, "one callback ran longer than %d ms (the job's watchdog)", (int)vm->guard_ms); /* the same wherever it is met: see restart.h */
    lua_error(L);
}

void vm_guard(struct vm *vm, const struct worker *worker, uint64_t callback_ms_max)
{
    vm->guarded = worker;
    vm->guard_ms = callback_ms_max;
    vm->guard_step = -1;
    lua_pushlightuserdata(vm->L, vm);
    lua_setfield(vm->L, LUA_REGISTRYINDEX, "moontide.vm");
    luaJIT_setmode(vm->L, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);
    lua_sethook(vm->L, guard_hook, LUA_MASKCOUNT, GUARD_INSTRUCTIONS);
}
