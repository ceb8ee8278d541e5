/// What the files of CLua share; never seen by Swift.
#ifndef CLUA_INTERNAL_H
#define CLUA_INTERNAL_H

#include <lua5.4/lua.h>
#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>

#include "CLua.h"

/// What a userdata or function of ours holds. `magic` and the block's size tell it from any other userdata, so that
/// debug.setmetatable and debug.setupvalue cannot pass something else off as ours.
typedef struct CLuaBox {
  const void *magic;
  CLuaOwner *owner;
  void *object; ///< NULL once released
  const void *type;
  uint32_t slot;
} CLuaBox;

/// One clua_execute under way; they nest.
typedef struct CLuaRequest {
  struct CLuaRequest *outer;
  CLuaBuffer *program;
  CLuaConsumer consume;
  void *consumer_context;
  CLuaFailure *failure;
  int load_status; ///< of the load that failed, or LUA_OK
  bool captured;   ///< the next error is one whose failure is already described
} CLuaRequest;

// object.c
CLuaBox *clua_box(lua_State *L, int index);
void clua_push_box(lua_State *L, CLuaOwner *owner, void *object, const void *type, uint32_t slot);
void clua_open_callbacks(lua_State *L);
void clua_push_callback(lua_State *L, CLuaOwner *owner, void *callback, uint32_t slot);
int clua_box_close(lua_State *L);
int clua_box_index(lua_State *L);
extern const char clua_callback_type;

// program.c
void clua_run_program(lua_State *L, CLuaBuffer *program);

// call.c
int clua_trampoline(lua_State *L);
int clua_run_request(lua_State *L);
int clua_raise_memory_error(lua_State *L);
void clua_describe_failure(lua_State *L, lua_State *thread, int level, CLuaFailure *failure);
/// Pushes the error that ended `thread`, described, after its to-be-closed variables have seen it. [-0, +1] May raise.
///
/// - status, yielded: what resuming it gave; a yield ends it with the error `misplaced_yield`.
void clua_push_end(lua_State *L, CLuaOwner *owner, lua_State *thread, int status, int yielded,
                   const char *misplaced_yield, CLuaFailure *failure);

typedef struct CLuaWatch CLuaWatch;

typedef struct CLuaHook {
  lua_Hook function;
  int mask;
  int count;
} CLuaHook;

/// Why a coroutine runs.
typedef enum CLuaRun {
  CLUA_RUN_MAIN,      ///< it is the main thread
  CLUA_RUN_COROUTINE, ///< other Lua code, or the engine for one call, has resumed it
  CLUA_RUN_FIBER,     ///< Swift has resumed it
  CLUA_RUN_CLOSING,   ///< its to-be-closed variables are closed, where it reports yieldable but is not
} CLuaRun;

/// One coroutine of those that are running now, linked on the C stack from the innermost to the main thread.
typedef struct CLuaFrame {
  struct CLuaFrame *previous;
  lua_State *L;
  CLuaHook hook; ///< what the stop hook has taken the place of, while it is set
  CLuaRun run;
  int depth;
} CLuaFrame;

// interrupt.c: none of these raises; each is for the state's thread
bool clua_watch_create(CLuaOwner *owner, CLuaInterrupt *interrupt);
/// Lets interrupts reach the state, by the running thread.
void clua_watch_start(CLuaOwner *owner);
void clua_watch_free(CLuaOwner *owner);
/// Arms what runs when it is to be stopped; takes the stop hooks away when it is not any more.
void clua_settle(CLuaWatch *watch);
bool clua_is_stopping(const CLuaWatch *watch);
/// Ends a stop that is to be raised once: it is being raised.
void clua_take_once(CLuaWatch *watch);
/// Adds a coroutine that is about to run. `frame` must live until clua_leave.
void clua_enter(CLuaWatch *watch, CLuaFrame *frame, lua_State *L, CLuaRun run);
void clua_leave(CLuaWatch *watch, CLuaFrame *frame);
/// How many coroutines wait for the innermost one.
int clua_depth(const CLuaWatch *watch);
/// Whether `L` is the innermost coroutine and each one down to a fiber's can yield.
bool clua_can_unwind(const CLuaWatch *watch, lua_State *L);
/// The coroutines that run, the innermost first, down to a fiber's own: at most `max`, and how many.
uint32_t clua_running(const CLuaWatch *watch, const void **threads, uint32_t max);
/// Before lua_close, which frees the coroutines that run: only the main thread does from now on.
void clua_abandon_chain(CLuaWatch *watch);
/// Before the main thread itself is freed.
void clua_forget_chain(CLuaWatch *watch);
/// A thread's hook as it is, or would be if nothing were to be stopped.
CLuaHook clua_get_hook(CLuaWatch *watch, lua_State *L);
void clua_set_hook(CLuaWatch *watch, lua_State *L, CLuaHook hook);

// hook.c
/// Raises the interrupt's value at every event while the state is to be stopped (lua_Hook, §4.7).
void clua_stop_hook(lua_State *L, lua_Debug *event);
/// Makes what hooks and interrupts need. [-0, +0] May raise.
void clua_open_hooks(lua_State *L, const char *message);
/// Notes which functions of the base library, which is on top, are protected calls. [-0, +0] May raise.
void clua_find_protected_calls(lua_State *L);
/// Replaces functions of the debug library, which is on top. [-0, +0] May raise.
void clua_replace_hooks(lua_State *L);

// coroutine.c
/// lua_resume, as [-arguments, +results] of `thread`. Without a watch, nothing but that.
int clua_resume(CLuaWatch *watch, lua_State *L, lua_State *thread, int arguments, int *results, CLuaRun run);
/// lua_resetthread. Raises in `L` when too many of them are nested.
int clua_reset_thread(CLuaWatch *watch, lua_State *L, lua_State *thread);
/// The coroutine that a parked one waits for, because that is parked too; NULL when it waits itself. Does not raise.
lua_State *clua_parked_child(lua_State *thread);
/// Closes a parked coroutine, and before it those that it waits for: they may need what it holds. May raise.
void clua_close_chain(lua_State *L, CLuaOwner *owner, lua_State *thread);
/// Replaces functions of the coroutine library, which is on top. [-0, +0] May raise.
void clua_replace_coroutines(lua_State *L);

// fiber.c
/// Parks a coroutine: yields from a C function that goes on in `continuation` once its fiber is resumed. `child`, the
/// coroutine that it waits for, is the continuation's context.
int clua_park(lua_State *L, CLuaOwner *owner, lua_KFunction continuation, lua_State *child);
/// Goes on with a parked coroutine. False where it was not its fiber's resuming that woke it: then it parks again.
bool clua_unpark(lua_State *L, const CLuaOwner *owner);
/// Pushes the values that a fiber has ended with. [-0, +values] May raise.
void clua_push_results(lua_State *L, int count, lua_Integer reference);

// library.c
void clua_open_libraries(lua_State *L, uint32_t libraries);
void clua_warn(void *context, const char *message, int continues);

/// The owner of a state that clua_open made, by the memory before each thread (lua_getextraspace, §4.6). Pushes nothing
/// and no script can change it. The lowest bit of the word tells that the thread is parked.
static inline CLuaOwner *clua_own(lua_State *L) {
  return (CLuaOwner *)(*(uintptr_t *)lua_getextraspace(L) & ~(uintptr_t)1);
}

/// For threads of a state that clua_open made: in others the word is not ours.
static inline bool clua_is_parked(lua_State *L) { return *(uintptr_t *)lua_getextraspace(L) & 1; }

// state.c
CLuaOwner *clua_owner(lua_State *L);

#endif
