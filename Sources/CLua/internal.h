/// What the files of CLua share; never seen by Swift.
#ifndef CLUA_INTERNAL_H
#define CLUA_INTERNAL_H

#include <lua5.4/lua.h>
#include <lua5.4/lauxlib.h>
#include <lua5.4/lualib.h>

#include "CLua.h"

/// Instructions between two looks at the interrupt flag. At 1,000 the look costs less than the count itself.
#define CLUA_POLL_INSTRUCTIONS 1000

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
void clua_describe_failure(lua_State *L, lua_State *thread, int level, CLuaFailure *failure);

// hook.c
void clua_open_hooks(lua_State *L, const char *message);

// library.c
void clua_open_libraries(lua_State *L, uint32_t libraries);
void clua_warn(void *context, const char *message, int continues);

// state.c
CLuaOwner *clua_owner(lua_State *L);

#endif
