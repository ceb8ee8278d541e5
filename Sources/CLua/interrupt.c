#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "internal.h"

// How a state is stopped without a permanent hook, which would double the time of every instruction: the flag is set,
// the state's thread is signalled, and the handler, on that thread, gives every running coroutine a hook that raises.
// lua_sethook is made for this (5.4.4, ldebug.c; lua.c does it for Ctrl-C): it allocates nothing and may come between any
// two machine instructions of the code that it interrupts, other than of another lua_sethook.

/// Kept for the purpose. Its default is to be ignored, so no program dies of one that comes late.
#define STOP_SIGNAL SIGURG

struct CLuaInterrupt {
  atomic_int stop; ///< a CLuaStop
  atomic_flag lock;  ///< guards `watches` and what they hold of registration
  CLuaWatch *watches;
};

struct CLuaWatch {
  CLuaInterrupt *interrupt;
  /// The innermost of the coroutines that run now; the last of the chain is the main thread's. NULL before the state
  /// is open and after its memory is gone.
  CLuaFrame *volatile running;
  CLuaFrame root;
  volatile sig_atomic_t holding; ///< a hook or the chain is being changed: the handler leaves it to clua_release
  volatile sig_atomic_t armed;   ///< some coroutine of the chain has the stop hook
  /// The thread whose handler may arm: a pthread_t, NO_THREAD, or IN_HANDLER while it does.
  atomic_uintptr_t thread;
  bool registered; ///< at the interrupt, which may signal `signalled`
  pthread_t signalled;
  struct CLuaWatch *next_of_interrupt;
  atomic_bool taken;
  struct CLuaWatch *next;
};

enum { NO_THREAD = 0, IN_HANDLER = 1 };

/// All watches, through which a handler looks for those of its thread. None is ever freed, so that a handler can look at
/// any of them; one that is free is taken again.
static _Atomic(CLuaWatch *) watches;

// MARK: The flag

CLuaInterrupt *clua_interrupt_create(void) {
  CLuaInterrupt *interrupt = malloc(sizeof *interrupt);
  if (interrupt == NULL) abort();
  atomic_init(&interrupt->stop, CLUA_GO_ON);
  atomic_flag_clear(&interrupt->lock);
  interrupt->watches = NULL;
  return interrupt;
}

void clua_interrupt_destroy(CLuaInterrupt *interrupt) { free(interrupt); }

CLuaStop clua_interrupt_get(const CLuaInterrupt *interrupt) {
  return (CLuaStop)atomic_load_explicit(&interrupt->stop, memory_order_relaxed);
}

bool clua_interrupt_take_once(CLuaInterrupt *interrupt) {
  int once = CLUA_STOP_ONCE;
  return atomic_compare_exchange_strong(&interrupt->stop, &once, CLUA_GO_ON);
}

/// A spin lock under which no signal is handled, so that a handler never waits for the code that it interrupted.
static void lock(CLuaInterrupt *interrupt, sigset_t *mask) {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, mask);
  while (atomic_flag_test_and_set_explicit(&interrupt->lock, memory_order_acquire)) sched_yield();
}

static void unlock(CLuaInterrupt *interrupt, const sigset_t *mask) {
  atomic_flag_clear_explicit(&interrupt->lock, memory_order_release);
  pthread_sigmask(SIG_SETMASK, mask, NULL);
}

void clua_interrupt_set(CLuaInterrupt *interrupt, CLuaStop stop) {
  int error = errno;
  atomic_store(&interrupt->stop, stop);
  if (stop != CLUA_GO_ON) {
    sigset_t mask;
    lock(interrupt, &mask);
    // A thread takes its states out of the list before it ends, so each of these is alive.
    for (CLuaWatch *watch = interrupt->watches; watch != NULL; watch = watch->next_of_interrupt)
      pthread_kill(watch->signalled, STOP_SIGNAL);
    unlock(interrupt, &mask);
  }
  // What is to be disarmed is so by its own thread: by the first hook that fires, or the next clua_settle.
  errno = error;
}

// MARK: The chain. All of this runs on the state's thread only.

/// Gives every running coroutine the stop hook. Runs in the handler, or while `holding`.
static void arm(CLuaWatch *watch) {
  for (CLuaFrame *frame = watch->running; frame != NULL; frame = frame->previous) {
    watch->armed = 1;
    if (lua_gethook(frame->L) == clua_stop_hook) continue;
    frame->hook = (CLuaHook){lua_gethook(frame->L), lua_gethookmask(frame->L), lua_gethookcount(frame->L)};
    lua_sethook(frame->L, clua_stop_hook, LUA_MASKCOUNT, 1);
  }
}

static void disarm(const CLuaFrame *frame) {
  if (lua_gethook(frame->L) == clua_stop_hook)
    lua_sethook(frame->L, frame->hook.function, frame->hook.mask, frame->hook.count);
}

/// Begins a change of a hook or of the chain, which the handler must not meet half done. Nothing may raise until
/// clua_release.
static void hold(CLuaWatch *watch) {
  watch->holding = 1;
  atomic_signal_fence(memory_order_seq_cst);
}

static void release(CLuaWatch *watch) {
  atomic_signal_fence(memory_order_seq_cst);
  watch->holding = 0;
  atomic_signal_fence(memory_order_seq_cst);
  // From here on the handler arms by itself; what came before is made up for.
  if (!clua_interrupt_get(watch->interrupt)) return;
  hold(watch);
  arm(watch);
  atomic_signal_fence(memory_order_seq_cst);
  watch->holding = 0;
}

void clua_settle(CLuaWatch *watch) {
  if (!watch->armed && !clua_interrupt_get(watch->interrupt)) return;
  hold(watch);
  if (!clua_interrupt_get(watch->interrupt)) {
    for (CLuaFrame *frame = watch->running; frame != NULL; frame = frame->previous) disarm(frame);
    watch->armed = 0;
  }
  release(watch);
}

bool clua_is_stopping(const CLuaWatch *watch) { return clua_interrupt_get(watch->interrupt) != CLUA_GO_ON; }

void clua_take_once(CLuaWatch *watch) { clua_interrupt_take_once(watch->interrupt); }

void clua_enter(CLuaWatch *watch, CLuaFrame *frame, lua_State *L, CLuaRun run) {
  hold(watch);
  // A coroutine that was made while its creator was armed has the creator's hook, or part of it.
  lua_Hook inherited = lua_gethook(L);
  if (inherited == clua_stop_hook || (inherited == NULL && lua_gethookmask(L) != 0)) lua_sethook(L, NULL, 0, 0);
  *frame = (CLuaFrame){.previous = watch->running, .L = L, .run = run, .depth = watch->running->depth + 1};
  atomic_signal_fence(memory_order_seq_cst);
  watch->running = frame;
  release(watch);
}

void clua_leave(CLuaWatch *watch, CLuaFrame *frame) {
  hold(watch);
  disarm(frame);
  watch->running = frame->previous;
  release(watch);
}

int clua_depth(const CLuaWatch *watch) { return watch->running->depth; }

bool clua_can_unwind(const CLuaWatch *watch, lua_State *L) {
  // A C module that resumes coroutines itself would take the yield for the script's own.
  if (watch->running->L != L) return false;
  for (const CLuaFrame *frame = watch->running; frame != NULL; frame = frame->previous) {
    if (frame->run == CLUA_RUN_MAIN || frame->run == CLUA_RUN_CLOSING || !lua_isyieldable(frame->L)) return false;
    if (frame->run == CLUA_RUN_FIBER) return true;
  }
  return false;
}

void clua_abandon_chain(CLuaWatch *watch) { watch->running = &watch->root; }

void clua_forget_chain(CLuaWatch *watch) {
  watch->running = NULL;
  atomic_signal_fence(memory_order_seq_cst);
}

uint32_t clua_running(const CLuaWatch *watch, const void **threads, uint32_t max) {
  uint32_t count = 0;
  for (const CLuaFrame *frame = watch->running; frame != NULL && count < max; frame = frame->previous) {
    threads[count++] = frame->L;
    // Swift resumes a fiber, from whatever coroutine it is in at that moment.
    if (frame->run == CLUA_RUN_FIBER) break;
  }
  return count;
}

static CLuaFrame *find_armed(const CLuaWatch *watch, lua_State *L) {
  CLuaFrame *frame = watch->running;
  while (frame != NULL && frame->L != L) frame = frame->previous;
  return frame != NULL && lua_gethook(L) == clua_stop_hook ? frame : NULL;
}

CLuaHook clua_get_hook(CLuaWatch *watch, lua_State *L) {
  hold(watch);
  const CLuaFrame *frame = find_armed(watch, L);
  CLuaHook hook = {lua_gethook(L), lua_gethookmask(L), lua_gethookcount(L)};
  if (frame != NULL) hook = frame->hook;
  release(watch);
  return hook.function == clua_stop_hook ? (CLuaHook){0} : hook;
}

void clua_set_hook(CLuaWatch *watch, lua_State *L, CLuaHook hook) {
  hold(watch);
  lua_sethook(L, hook.function, hook.mask, hook.count);
  release(watch);
}

// MARK: The signal

static void handle_signal(int signal) {
  (void)signal;
  uintptr_t self = (uintptr_t)pthread_self();
  for (CLuaWatch *watch = atomic_load(&watches); watch != NULL; watch = watch->next) {
    uintptr_t expected = self;
    // Once this fails for a state that moves to another thread, that thread arms by itself.
    if (!atomic_compare_exchange_strong(&watch->thread, &expected, IN_HANDLER)) continue;
    if (!watch->holding && clua_interrupt_get(watch->interrupt)) arm(watch);
    atomic_store(&watch->thread, self);
  }
}

/// Makes `thread` the one whose handler arms, once no handler is about to.
static void set_thread(CLuaWatch *watch, uintptr_t thread) {
  uintptr_t expected = atomic_load(&watch->thread);
  while (expected == IN_HANDLER || !atomic_compare_exchange_weak(&watch->thread, &expected, thread)) {
    sched_yield();
    expected = atomic_load(&watch->thread);
  }
}

static pthread_key_t thread_end;

static void unregister(CLuaWatch *watch) {
  sigset_t mask;
  lock(watch->interrupt, &mask);
  set_thread(watch, NO_THREAD);
  CLuaWatch **link = &watch->interrupt->watches;
  while (*link != NULL && *link != watch) link = &(*link)->next_of_interrupt;
  if (*link != NULL) *link = watch->next_of_interrupt;
  watch->registered = false;
  unlock(watch->interrupt, &mask);
}

/// Runs when a thread ends that has not closed its states.
static void end_thread(void *context) {
  (void)context;
  for (CLuaWatch *watch = atomic_load(&watches); watch != NULL; watch = watch->next)
    if (atomic_load(&watch->thread) == (uintptr_t)pthread_self()) unregister(watch);
}

static void install(void) {
  struct sigaction action = {.sa_handler = handle_signal, .sa_flags = SA_RESTART | SA_ONSTACK};
  sigemptyset(&action.sa_mask);
  if (sigaction(STOP_SIGNAL, &action, NULL) != 0 || pthread_key_create(&thread_end, end_thread) != 0) abort();
}

void clua_register(CLuaOwner *owner) {
  CLuaWatch *watch = owner->watch;
  if (watch == NULL || atomic_load_explicit(&watch->thread, memory_order_relaxed) == (uintptr_t)pthread_self()) return;
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, install);
  pthread_setspecific(thread_end, watch);
  sigset_t mask;
  lock(watch->interrupt, &mask);
  set_thread(watch, (uintptr_t)pthread_self());
  watch->signalled = pthread_self();
  if (!watch->registered) {
    watch->next_of_interrupt = watch->interrupt->watches;
    watch->interrupt->watches = watch;
    watch->registered = true;
  }
  // Some programs start threads with all signals blocked, which would go on to the processes that scripts start too.
  sigdelset(&mask, STOP_SIGNAL);
  unlock(watch->interrupt, &mask);
}

static CLuaWatch *take_watch(void) {
  for (CLuaWatch *watch = atomic_load(&watches); watch != NULL; watch = watch->next)
    if (!atomic_exchange(&watch->taken, true)) return watch;
  CLuaWatch *watch = calloc(1, sizeof *watch);
  if (watch == NULL) return NULL;
  atomic_init(&watch->taken, true);
  atomic_init(&watch->thread, NO_THREAD);
  watch->next = atomic_load(&watches);
  while (!atomic_compare_exchange_weak(&watches, &watch->next, watch)) {}
  return watch;
}

bool clua_watch_create(CLuaOwner *owner, CLuaInterrupt *interrupt) {
  CLuaWatch *watch = take_watch();
  if (watch == NULL) return false;
  watch->interrupt = interrupt;
  watch->running = NULL;
  watch->root = (CLuaFrame){0};
  watch->holding = watch->armed = 0;
  owner->watch = watch;
  return true;
}

void clua_watch_start(CLuaOwner *owner) {
  CLuaWatch *watch = owner->watch;
  watch->root.L = owner->main;
  atomic_signal_fence(memory_order_seq_cst);
  watch->running = &watch->root;
  clua_register(owner);
  clua_settle(watch);
}

void clua_watch_free(CLuaOwner *owner) {
  CLuaWatch *watch = owner->watch;
  if (watch == NULL) return;
  unregister(watch);
  owner->watch = NULL;
  atomic_store(&watch->taken, false);
}
