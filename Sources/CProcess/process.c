#define _GNU_SOURCE
#include "CProcess.h"

#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

int cprocess_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int cprocess_socket_pair(int ends[2]) { return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends); }

void cprocess_close_from(int first) { closefrom(first); }

int cprocess_start_without(posix_spawn_file_actions_t *actions, int first) {
  return posix_spawn_file_actions_addclosefrom_np(actions, first);
}

int cprocess_start_in(posix_spawn_file_actions_t *actions, const char *directory) {
  return posix_spawn_file_actions_addchdir_np(actions, directory);
}

ssize_t cprocess_real_path(const char *path, char *buffer, size_t size) {
  const int file = open(path, O_PATH | O_CLOEXEC);
  if (file < 0) return -1;
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", file);
  const ssize_t count = readlink(link, buffer, size);
  close(file);
  return count;
}

int cprocess_limit_open_files(pid_t process, unsigned long count) {
  struct rlimit limit;
  if (prlimit(process, RLIMIT_NOFILE, NULL, &limit) != 0) return -1;
  if (count < limit.rlim_max) limit.rlim_cur = count;
  return prlimit(process, RLIMIT_NOFILE, &limit, NULL);
}

int cprocess_hide_memory(void) { return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); }

void cprocess_set_aside_little(void) { mallopt(M_ARENA_MAX, 4); }

int cprocess_drop_privileges(void) {
  int privileges = prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  int memory = cprocess_hide_memory();
  return privileges == 0 && memory == 0 ? 0 : -1;
}
