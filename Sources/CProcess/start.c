#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/// Gives a descriptor the number of a standard stream, in a process whose three streams are other descriptors above those.
static int use_stream(int descriptor, int number) { return dup2(descriptor, number) == number ? 0 : -1; }

/// Makes the child another program. Until then it has the parent's memory, and may call the kernel only.
static int become(const struct cprocess_program *program, const sigset_t *none) {
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  if (!program->outlives && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return errno;
  if (setpgid(0, program->group) != 0) return errno;
  if (fchdir(program->directory) != 0) return errno;
  for (int number = 0; number < 3; number++)
    if (use_stream(program->streams[number], number) != 0) return errno;
  closefrom(3);
  struct rlimit limit;
  if (program->files > 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    if (program->files < limit.rlim_max) limit.rlim_cur = program->files;
    setrlimit(RLIMIT_NOFILE, &limit);
  }
  sigprocmask(SIG_SETMASK, none, NULL);
  int failure = ENOENT;
  for (char *const *path = program->paths; *path; path++) {
    execve(*path, program->words, program->environment);
    // As a shell looks for it: one that may not be run is remembered, and one that is broken ends the search.
    if (errno == EACCES)
      failure = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR)
      return errno;
  }
  return failure;
}

int cprocess_start(const struct cprocess_program *program, pid_t *process) {
  // Streams are moved above those that they are to be, so that none takes another's place.
  struct cprocess_program moved = *program;
  for (int number = 0; number < 3; number++) moved.streams[number] = -1;
  int failure = 0;
  for (int number = 0; number < 3 && failure == 0; number++) {
    moved.streams[number] = fcntl(program->streams[number], F_DUPFD_CLOEXEC, 3);
    if (moved.streams[number] < 0) failure = errno;
  }
  sigset_t all, none, before;
  sigfillset(&all);
  sigemptyset(&none);
  // No handler of the parent's may run in the child, which shares its memory.
  pthread_sigmask(SIG_SETMASK, &all, &before);
  if (failure == 0) {
    volatile int problem = 0;
    const pid_t child = vfork();
    if (child == 0) {
      problem = become(&moved, &none);
      _exit(127);
    }
    if (child < 0) {
      failure = errno;
    } else if (problem != 0) {
      failure = problem;
      while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {
      }
    } else {
      *process = child;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  for (int number = 0; number < 3; number++)
    if (moved.streams[number] >= 0) close(moved.streams[number]);
  return failure;
}
