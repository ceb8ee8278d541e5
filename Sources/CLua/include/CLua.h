/// What Swift sees of Lua: shims that never let a Lua error out.
///
/// This header does not include lua.h on purpose: no function of Lua's own interface can be called from Swift, so no
/// Lua error can jump over a Swift frame. A shim either uses only functions that cannot raise (Lua 5.4 manual §4.6,
/// marked '-'), or runs what can raise inside lua_pcall and returns a status.
///
/// Stack effects are written as in the manual: [-popped, +pushed].
#ifndef CLUA_H
#define CLUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct lua_State lua_State;

// MARK: Interrupts

/// What is to become of the code of some states.
typedef enum CLuaStop {
  CLUA_GO_ON,
  CLUA_STOP_ONCE, ///< the next instruction raises the interrupt's value, and then the code goes on
  CLUA_STOP,      ///< every instruction does
} CLuaStop;

/// An atomic CLuaStop, and the states that it is for. Setting and reading it is async-signal-safe; setting it signals the
/// threads of those states (SIGURG).
typedef struct CLuaInterrupt CLuaInterrupt;

CLuaInterrupt *clua_interrupt_create(void);
void clua_interrupt_destroy(CLuaInterrupt *interrupt);
void clua_interrupt_set(CLuaInterrupt *interrupt, CLuaStop stop);
CLuaStop clua_interrupt_get(const CLuaInterrupt *interrupt);
/// Takes what is to stop code once: true for the first who asks.
bool clua_interrupt_take_once(CLuaInterrupt *interrupt);

// MARK: Op buffers

/// One instruction of an op buffer. Each works on the stack of the frame in which the buffer is executed.
typedef enum CLuaOp {
  CLUA_OP_NIL,        ///< [-0, +1]
  CLUA_OP_NULL,       ///< [-0, +1] the light userdata NULL
  CLUA_OP_BOOLEAN,    ///< [-0, +1] operand: 0 or 1
  CLUA_OP_INTEGER,    ///< [-0, +1] value.integer
  CLUA_OP_NUMBER,     ///< [-0, +1] value.number
  CLUA_OP_TABLE,      ///< [-0, +1] operand: array size, value.integer: record size
  CLUA_OP_SET,        ///< [-2, +0] table key value -> table; raw
  CLUA_OP_APPEND,     ///< [-1, +0] table value -> table; raw, at value.integer
  CLUA_OP_ARGUMENT,   ///< [-0, +1] a copy of argument `operand` of the running callback
  CLUA_OP_GLOBALS,    ///< [-0, +1] the table of globals
  CLUA_OP_GET,        ///< [-2, +1] table key -> table[key]; may call __index
  CLUA_OP_PUT,        ///< [-3, +0] table key value; may call __newindex
  CLUA_OP_CALL,       ///< [-(n+1), +results] calls with `operand` arguments on the current thread
  CLUA_OP_CALL_ALONE, ///< [-(n+1), +results] the same on a coroutine of its own, in which a yield is an error
  CLUA_OP_CLOSER,     ///< [-1, +1] a function or nil -> a __gc or __close that calls it, then releases the object
  CLUA_OP_INDEXER,    ///< [-2, +1] methods function -> an __index that looks there, then calls the function
  CLUA_OP_REFERENCE,  ///< [-0, +1] value.integer: registry reference; operand: slot that keeps it alive
  CLUA_OP_RESULTS,    ///< [-0, +values] what a fiber has ended with; value.integer: its reference, operand: how many
  CLUA_OP_FUNCTION,   ///< [-0, +1] value.pointer: callback; operand: its slot, owned by the function from then on
  // Those that follow carry value.length bytes.
  CLUA_OP_BYTES,     ///< [-0, +1] a string
  CLUA_OP_METATABLE, ///< [-0, +0] gives the table on top the metatable registered under this name (luaL_newmetatable)
  CLUA_OP_NEW_METATABLE, ///< [-0, +1] makes or finds the metatable of this name
  CLUA_OP_REGISTRY,  ///< [-0, +1] the registry's subtable of this name, made when missing
  CLUA_OP_OBJECT,    ///< [-0, +1] a CLuaObjectRecord; operand: its slot, owned by the userdata from then on
  CLUA_OP_LOAD,      ///< [-1, +1] the bytes compiled; operand: CLuaChunkMode; pops the chunk's name
  CLUA_OP_LOAD_FILE, ///< [-0, +1] the file of this name compiled, or standard input when there is none; operand: mode
} CLuaOp;

typedef enum CLuaChunkMode { CLUA_CHUNK_ANY, CLUA_CHUNK_TEXT, CLUA_CHUNK_BINARY } CLuaChunkMode;

typedef struct CLuaRecord {
  uint32_t op;
  uint32_t operand;
  union {
    int64_t integer;
    double number;
    void *pointer;
    size_t length;
  } value;
} CLuaRecord;

typedef struct CLuaObjectRecord {
  void *object;
  const void *type;
  int64_t metatable;
} CLuaObjectRecord;

/// How a callback's error is raised from what its buffer pushed.
typedef enum CLuaRaise {
  CLUA_RAISE_VALUE,    ///< the value as it is
  CLUA_RAISE_MESSAGE,  ///< the string, with the position of the caller before it (luaL_where)
  CLUA_RAISE_ARGUMENT, ///< the string as luaL_argerror has it
  CLUA_RAISE_TYPE,     ///< the string as the type that luaL_typeerror expected
} CLuaRaise;

typedef struct CLuaOwner CLuaOwner;

/// A program that Swift writes and C executes once no Swift frame can be jumped over.
///
/// It starts in memory of the frame that made it and moves to the heap when it outgrows that. `owns` tells that records
/// hold slots of the owner, which clua_buffer_dispose gives back.
typedef struct CLuaBuffer {
  unsigned char *bytes;
  size_t length;
  size_t capacity;
  size_t position;
  CLuaOwner *owner;
  uint32_t argument;
  uint8_t raise;
  bool heap;
  bool owns;
  bool failed;
} CLuaBuffer;

#define CLUA_SMALL_BUFFER_BYTES 256

/// Makes `bytes`, which must outlive the buffer, its first memory. 8-byte aligned.
void clua_buffer_init(CLuaBuffer *buffer, CLuaOwner *owner, void *bytes, size_t capacity);

/// Gives back the heap memory, and the slots of all records that were not executed.
void clua_buffer_dispose(CLuaBuffer *buffer);

/// Makes room for `size` more bytes. False, and `failed` set, when memory is out or the owner's limit is reached.
bool clua_buffer_grow(CLuaBuffer *buffer, size_t size);

/// Appends a record with `payload` bytes after it, which the caller fills. NULL when memory is out.
static inline CLuaRecord *clua_buffer_append(CLuaBuffer *buffer, CLuaOp op, uint32_t operand, size_t payload) {
  size_t size = sizeof(CLuaRecord) + ((payload + 7) & ~(size_t)7);
  if (buffer->failed) return NULL;
  if (buffer->capacity - buffer->length < size && !clua_buffer_grow(buffer, size)) return NULL;
  CLuaRecord *record = (CLuaRecord *)(void *)(buffer->bytes + buffer->length);
  buffer->length += size;
  record->op = op;
  record->operand = operand;
  record->value.length = payload;
  return record;
}

static inline void clua_write(CLuaBuffer *buffer, CLuaOp op, uint32_t operand) {
  clua_buffer_append(buffer, op, operand, 0);
}

static inline void clua_write_integer(CLuaBuffer *buffer, CLuaOp op, uint32_t operand, int64_t value) {
  CLuaRecord *record = clua_buffer_append(buffer, op, operand, 0);
  if (record) record->value.integer = value;
}

static inline void clua_write_number(CLuaBuffer *buffer, double value) {
  CLuaRecord *record = clua_buffer_append(buffer, CLUA_OP_NUMBER, 0, 0);
  if (record) record->value.number = value;
}


static inline void clua_write_bytes(CLuaBuffer *buffer, CLuaOp op, uint32_t operand, const void *bytes, size_t count) {
  CLuaRecord *record = clua_buffer_append(buffer, op, operand, count);
  if (record && count > 0) memcpy(record + 1, bytes, count);
}

/// The next three hand a slot to the buffer; false means that the caller still holds it.
static inline bool clua_write_reference(CLuaBuffer *buffer, uint32_t slot, int64_t reference) {
  CLuaRecord *record = clua_buffer_append(buffer, CLUA_OP_REFERENCE, slot, 0);
  if (!record) return false;
  record->value.integer = reference;
  buffer->owns = true;
  return true;
}

static inline bool clua_write_function(CLuaBuffer *buffer, uint32_t slot, void *callback) {
  CLuaRecord *record = clua_buffer_append(buffer, CLUA_OP_FUNCTION, slot, 0);
  if (!record) return false;
  record->value.pointer = callback;
  buffer->owns = true;
  return true;
}

static inline bool clua_write_object(CLuaBuffer *buffer, uint32_t slot, CLuaObjectRecord object) {
  CLuaRecord *record = clua_buffer_append(buffer, CLUA_OP_OBJECT, slot, sizeof object);
  if (!record) return false;
  memcpy(record + 1, &object, sizeof object);
  buffer->owns = true;
  return true;
}

// MARK: States

/// What a callback's trampoline does next.
typedef enum CLuaOutcome {
  CLUA_RETURN, ///< returns the values that the buffer pushes
  CLUA_RAISE,  ///< raises the one value that the buffer pushes, in the way of `raise`
  CLUA_PARK,   ///< suspends the fiber that runs, whose next resuming calls `go_on`; only where clua_can_park
} CLuaOutcome;

/// What Swift does for a state. Every function runs on the state's thread and must not raise; `context` goes first.
typedef struct CLuaHost {
  void *context;
  CLuaOutcome (*call)(void *context, void *callback, lua_State *L, CLuaBuffer *results);
  CLuaOutcome (*go_on)(void *context, lua_State *L, CLuaBuffer *results);
  void (*release)(void *context, uint32_t slot);
  void (*exit)(void *context, int status);
  void (*warn)(void *context, const char *message, size_t length); ///< NULL for standard error
  void (*closed)(void *context);                                   ///< for adopted states: their program closes them
} CLuaHost;

typedef struct CLuaMemory {
  size_t used_bytes;
  size_t limit_bytes;
  /// Added to the limit when memory is out for the first time: ending many things takes some, and Lua collects garbage
  /// before it gives up on each bit.
  size_t reserve_bytes;
  uint64_t refused_call; ///< the last request that the limit refused
  uint64_t calls;       ///< requests for more memory so far; shrinking and freeing never fail and do not count
  uint64_t fail_first;  ///< the first of them, counted from 1, that is refused; 0 for none
  uint64_t fail_count;  ///< how many are refused
} CLuaMemory;

/// Adds the reserve to the limit.
void clua_release_reserve(CLuaMemory *memory);

typedef enum CLuaLibrary {
  CLUA_LIBRARY_BASE = 1 << 0,
  CLUA_LIBRARY_PACKAGE = 1 << 1,
  CLUA_LIBRARY_COROUTINE = 1 << 2,
  CLUA_LIBRARY_TABLE = 1 << 3,
  CLUA_LIBRARY_IO = 1 << 4,
  CLUA_LIBRARY_OS = 1 << 5,
  CLUA_LIBRARY_STRING = 1 << 6,
  CLUA_LIBRARY_MATH = 1 << 7,
  CLUA_LIBRARY_UTF8 = 1 << 8,
  CLUA_LIBRARY_DEBUG = 1 << 9,
} CLuaLibrary;

/// A state and what it belongs to. Swift reads `main` and changes `memory`; the rest is C's own.
struct CLuaOwner {
  lua_State *main;
  CLuaHost host;
  CLuaMemory memory;
  struct CLuaWatch *watch; ///< by which interrupts reach the state; NULL for an adopted one
  struct CLuaRequest *request;
  lua_State *fiber;  ///< the coroutine of the fiber that runs; NULL for none
  lua_State *parked; ///< the coroutine that parked last
  bool waking;       ///< a parked coroutine is about to go on
  char *warning;
  size_t warning_length;
  bool warning_on;
  bool warning_continues;
  bool closed;
  struct CLuaOwner *next_adopted;
};

typedef enum CLuaStatus {
  CLUA_STATUS_OK = 0,
  CLUA_STATUS_RUNTIME = 2,
  CLUA_STATUS_SYNTAX = 3,
  CLUA_STATUS_MEMORY = 4,
  CLUA_STATUS_HANDLER = 5,
  CLUA_STATUS_FILE = 6,
} CLuaStatus;

/// Makes a state of the running thread and opens `libraries` (bits of CLuaLibrary) in it. NULL when memory is out.
///
/// `interrupt` must outlive the owner.
CLuaOwner *clua_open(CLuaHost host, CLuaMemory memory, CLuaInterrupt *interrupt, uint32_t libraries,
                     bool ignores_environment, const char *interrupt_message);

/// Closes the state (lua_close), which runs finalizers, and so callbacks. The owner stays until clua_free.
void clua_close(CLuaOwner *owner);
void clua_free(CLuaOwner *owner);

/// Makes the running thread the one that interrupts reach, which cannot be while code runs on another. Costs next to
/// nothing when it is already, and does nothing for adopted states.
void clua_register(CLuaOwner *owner);

/// Makes an owner for a state that another program made and closes, whose hook, allocator, warnings and os.exit stay
/// as they are. The owner is never freed, because the last finalizers of that state still reach it. NULL when memory
/// is out. [-0, +0]
CLuaOwner *clua_adopt(lua_State *L, CLuaHost host);

// MARK: Running

/// What is known of an error besides its value. The strings are on the heap.
typedef struct CLuaFailure {
  char *message;
  size_t message_length;
  char *traceback;
  size_t traceback_length;
  bool own_text;  ///< the message is what __tostring gave
  bool has_value; ///< the error value is on top of the stack
} CLuaFailure;

/// Reads the values 1...top of the frame in which a program ended. Must not raise.
typedef void (*CLuaConsumer)(void *context, lua_State *L);

/// Executes a program in a protected frame of its own, then `consume` (may be NULL) over what it left there.
///
/// [-0, +0] on success; [-0, +1], the error value, when `failure->has_value`.
CLuaStatus clua_execute(CLuaOwner *owner, lua_State *L, CLuaBuffer *program, CLuaConsumer consume, void *context,
                        CLuaFailure *failure);
void clua_failure_dispose(CLuaFailure *failure);

/// Anchors a copy of the value at `index` in the registry (luaL_ref). [-0, +0] False when memory is out.
bool clua_reference(lua_State *L, int index, int *reference);
/// [-0, +0]
void clua_unreference(lua_State *L, int reference);
/// Makes the value at `index` the error that an interrupt raises. [-0, +0] False when memory is out.
bool clua_set_interrupt_value(lua_State *L, int index);
/// A full collection (§2.5); finalizers may run callbacks. [-0, +0]
void clua_collect(lua_State *L);

// MARK: Fibers

typedef enum CLuaFiberStatus { CLUA_FIBER_ENDED, CLUA_FIBER_PARKED, CLUA_FIBER_FAILED } CLuaFiberStatus;

/// Makes a coroutine that will call the value at `first` with the values above it, anchored by `reference`. [-0, +0]
/// False when memory is out.
bool clua_fiber_create(lua_State *L, int first, lua_State **thread, int *reference);
/// What a fiber has ended with: a table of `count` values under a reference; none where there is no value.
typedef struct CLuaResults {
  int count;
  int reference;
} CLuaResults;

/// Starts a fiber, or goes on with one that has `begun` and is parked. [-0, +0]; [-0, +1], the error value, when
/// `failure->has_value`.
CLuaFiberStatus clua_fiber_resume(CLuaOwner *owner, lua_State *L, lua_State *thread, bool begun, CLuaResults *results,
                                  CLuaFailure *failure);
/// Ends a fiber that has not ended: its to-be-closed variables are closed, those of coroutines that it waits for first.
/// [-0, +0] What they raise is lost.
void clua_fiber_close(CLuaOwner *owner, lua_State *L, lua_State *thread);
/// Whether a callback of the coroutine `L` can park.
bool clua_can_park(const CLuaOwner *owner, lua_State *L);
/// The coroutine `L`, which runs, and those that wait for it, down to a fiber's own: at most `max`, and how many.
uint32_t clua_chain(const CLuaOwner *owner, lua_State *L, const void **threads, uint32_t max);
/// Whether a finalizer is running.
bool clua_is_finalizing(lua_State *L);

// MARK: Reading: none of these raises

/// A type of the manual's order: -1 none, 0 nil, 1 boolean, 2 light userdata, 3 number, 4 string, 5 table, 6 function,
/// 7 userdata, 8 thread.
int clua_type(lua_State *L, int index);
int clua_top(lua_State *L);
bool clua_check_stack(lua_State *L, int count);
/// [-n, +0] down to `top`. Only for frames without to-be-closed slots, where lua_settop cannot raise (§4.6).
void clua_set_top(lua_State *L, int top);
bool clua_to_boolean(lua_State *L, int index);
bool clua_has_metatable(lua_State *L, int index);
bool clua_is_integer(lua_State *L, int index);
/// With Lua's conversions of floats and strings (§3.4.3); false when there is none.
bool clua_to_integer(lua_State *L, int index, int64_t *value);
bool clua_to_number(lua_State *L, int index, double *value);
/// The bytes of a string, valid while it is on the stack; NULL for other values, numbers too.
const char *clua_to_bytes(lua_State *L, int index, size_t *length);
#define CLUA_NUMBER_TEXT_BYTES 64
/// A number's text as tostring makes it (§3.4.3). Returns its length.
size_t clua_number_text(lua_State *L, int index, char text[CLUA_NUMBER_TEXT_BYTES]);
uint64_t clua_raw_length(lua_State *L, int index);
bool clua_raw_equal(lua_State *L, int left, int right);
const void *clua_to_pointer(lua_State *L, int index);
/// Copies the name that error messages give the value's type (its __name, or the type). Returns the full length.
size_t clua_type_name(lua_State *L, int index, char *name, size_t capacity);
/// [-0, +1] The value at `position` of the table at `index`. Needs a free stack slot.
void clua_raw_get_index(lua_State *L, int index, int64_t position);
/// [-0, +1] The value under a string key of the table at `index`; false, and [-0, +0], when memory is out.
bool clua_raw_get_field(lua_State *L, int index, const char *key, size_t length);
/// [-1, +2] The next key and value after the key on top, or [-1, +0] and 0 at the end; -1 and [-1, +0] on an error
/// (memory, or a key that was removed during the walk).
int clua_next(lua_State *L, int index);
/// [-0, +1] Needs a free stack slot.
void clua_push_nil(lua_State *L);
/// [-0, +1] The value of a reference. Needs a free stack slot.
void clua_push_reference(lua_State *L, int reference);

// MARK: Objects

typedef enum CLuaObjectState { CLUA_OBJECT_NONE, CLUA_OBJECT_CLOSED, CLUA_OBJECT_OPEN } CLuaObjectState;

/// The Swift object of `type` that the userdata at `index` holds.
CLuaObjectState clua_object(lua_State *L, int index, const void *type, void **object);
/// Gives the object of the userdata at `index` back to its owner; the userdata is closed from then on.
void clua_object_release(lua_State *L, int index);

// MARK: Output

/// Writes what C streams hold of the standard output. 0, or the error by which something written to it is lost.
int clua_flush_output(void);

#endif
