#define _GNU_SOURCE
#include "CProcess.h"

#include <grp.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

int cprocess_can_give_identities(void) {
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
  if (syscall(SYS_capget, &header, data) != 0) return 0;
  // To give files away, to change the user and the groups, to end what runs as another user, and to reach its files.
  const uint32_t needed = 1U << CAP_CHOWN | 1U << CAP_SETUID | 1U << CAP_SETGID | 1U << CAP_KILL | 1U << CAP_DAC_OVERRIDE;
  return (data[0].effective & needed) == needed;
}

int cprocess_become(uid_t user, gid_t group) {
  if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 || setresuid(user, user, user) != 0) return -1;
  uid_t users[3];
  gid_t groups[3];
  if (getresuid(&users[0], &users[1], &users[2]) != 0 || getresgid(&groups[0], &groups[1], &groups[2]) != 0) return -1;
  for (int index = 0; index < 3; index++)
    if (users[index] != user || groups[index] != group) return -1;
  return 0;
}

int cprocess_end_with(pid_t parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0) return -1;
  // It may have ended before.
  return getppid() == parent ? 0 : -1;
}
