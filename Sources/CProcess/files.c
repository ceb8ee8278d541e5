#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

// landlock(7), of whose kernel's headers not all systems have the newest. The numbers are the same on all machines.
enum { CREATE_RULESET = 444, ADD_RULE = 445, RESTRICT_SELF = 446, VERSION = 1, PATH_BENEATH = 1 };

enum {
  EXECUTE = 1 << 0,
  READ_FILE = 1 << 2,
  READ_DIRECTORY = 1 << 3,
  // Everything of the first version, and what the versions from the second on know besides: to link and rename between
  // directories, to cut files off, and to control devices.
  FIRST = (1 << 13) - 1,
  REFER = 1 << 13,
  TRUNCATE = 1 << 14,
  CONTROL_DEVICE = 1 << 15,
};

struct ruleset {
  uint64_t files;
};

struct __attribute__((packed)) path_rule {
  uint64_t allowed;
  int32_t directory;
};

static int version(void) { return (int)syscall(CREATE_RULESET, NULL, 0, VERSION); }

int cprocess_can_confine_files(void) {
  // A filter of system calls that this process is under may end who asks.
  const pid_t child = vfork();
  if (child < 0) return 0;
  if (child == 0) _exit(version() > 0 ? 0 : 1);
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) return 0;
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static int allow(int ruleset, const char *path, uint64_t rights) {
  const int file = open(path, O_PATH | O_CLOEXEC);
  // A missing file cannot be read either.
  if (file < 0) return errno == ENOENT || errno == EACCES ? 0 : -1;
  struct stat status;
  int result = fstat(file, &status);
  if (result == 0) {
    struct path_rule rule = {.allowed = rights, .directory = file};
    if (!S_ISDIR(status.st_mode)) rule.allowed &= READ_FILE;
    result = (int)syscall(ADD_RULE, ruleset, PATH_BENEATH, &rule, 0);
  }
  close(file);
  return result;
}

int cprocess_confine_files(void) {
  const int known = version();
  if (known <= 0) return -1;
  struct ruleset all = {.files = FIRST};
  if (known >= 2) all.files |= REFER;
  if (known >= 3) all.files |= TRUNCATE;
  if (known >= 5) all.files |= CONTROL_DEVICE;
  const int ruleset = (int)syscall(CREATE_RULESET, &all, sizeof all, 0);
  if (ruleset < 0) return -1;
  int result = allow(ruleset, ".", all.files & ~(uint64_t)(EXECUTE | CONTROL_DEVICE));
  // The time zones, and what there is of processors. libdispatch looks into /proc at what its own threads do; of what is not
  // under the same rules, the kernel shows there what any user may see.
  static const char *const readable[] = {
      "/usr/share/zoneinfo", "/etc/localtime", "/dev/null", "/dev/urandom", "/proc", "/sys/devices/system/cpu",
      "/sys/fs/cgroup"};
  for (size_t index = 0; index < sizeof readable / sizeof readable[0] && result == 0; index++)
    result = allow(ruleset, readable[index], READ_FILE | READ_DIRECTORY);
  if (result == 0) result = (int)syscall(RESTRICT_SELF, ruleset, 0);
  close(ruleset);
  return result;
}
