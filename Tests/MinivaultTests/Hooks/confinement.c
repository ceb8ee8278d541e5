// Tries system calls, with the filter of hooks' workers or without it, and prints what each of them says: its name and its
// error. What they are called with is no use to anybody where they are let through.
#define _GNU_SOURCE
#include "CProcess.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, long result) { printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "done"); }

#define TRY(call, ...) say(#call, syscall(__NR_##call, ##__VA_ARGS__))
#define SAY(name, ...) (errno = 0, say(name, (long)(__VA_ARGS__)))

static void *nothing(void *argument) { return argument; }

/// Ends a child that there is only where nothing keeps it from being made.
static long made(long child) {
  if (child == 0) _exit(0);
  if (child > 0) waitpid((pid_t)child, NULL, 0);
  return child;
}

static void try_refused(pid_t other) {
  char page[4096] = {0};
  struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "/nowhere"};
  int ends[2];
  TRY(socket, AF_INET, SOCK_STREAM, 0);
  SAY("socket-unix", syscall(__NR_socket, AF_UNIX, SOCK_DGRAM, 0));
  SAY("socketpair-datagram", syscall(__NR_socketpair, AF_UNIX, SOCK_DGRAM, 0, ends));
  TRY(connect, 0, &name, sizeof name);
  TRY(bind, 0, &name, sizeof name);
  TRY(listen, 0, 1);
  TRY(accept4, 0, NULL, NULL, 0);
  SAY("sendto-name", syscall(__NR_sendto, 0, "x", 1, 0, &name, sizeof name));
  SAY("sendto-connecting", syscall(__NR_sendto, 0, "x", 1, MSG_FASTOPEN, NULL, 0));
  SAY("sendmsg-connecting", syscall(__NR_sendmsg, 0, NULL, MSG_FASTOPEN));
  TRY(execve, "/nowhere", NULL, NULL);
  TRY(execveat, -1, "", NULL, NULL, 0);
  SAY("clone-process", made(syscall(__NR_clone, SIGCHLD, 0, 0, 0, 0)));
  SAY("clone-user-namespace", made(syscall(__NR_clone, SIGCHLD | CLONE_NEWUSER, 0, 0, 0, 0)));
#ifdef __NR_fork
  SAY("fork", made(syscall(__NR_fork)));
#endif
  TRY(ptrace, 0x4206 /* SEIZE */, other, 0, 0);
  TRY(process_vm_readv, other, NULL, 0, NULL, 0, 0);
  TRY(process_vm_writev, other, NULL, 0, NULL, 0, 0);
  TRY(process_madvise, -1, NULL, 0, 0, 0);
  TRY(pidfd_open, other, 0);
  TRY(pidfd_getfd, -1, 0, 0);
  TRY(pidfd_send_signal, -1, 0, NULL, 0);
  SAY("kill-other", syscall(__NR_kill, other, 0));
  SAY("kill-all", syscall(__NR_kill, -1, 99));
  SAY("kill-group", syscall(__NR_kill, -other, 0));
  SAY("tgkill-other", syscall(__NR_tgkill, other, other, 0));
  TRY(tkill, other, 0);
  TRY(rt_sigqueueinfo, other, 0, NULL);
  TRY(kcmp, getpid(), other, 0, 0, 0);
  TRY(setpgid, 0, -1);
  TRY(setsid);
  TRY(mount, NULL, NULL, NULL, 0, NULL);
  TRY(umount2, "/nowhere", 0);
  TRY(pivot_root, "/nowhere", "/nowhere");
  TRY(move_mount, -1, "", -1, "", 0);
  TRY(open_tree, -1, "", 0);
  TRY(fsopen, "nothing", 0);
  TRY(unshare, 0);
  TRY(setns, -1, 0);
  TRY(chroot, "/nowhere");
  TRY(bpf, -1, NULL, 0);
  TRY(perf_event_open, NULL, 0, 0, -1, 0);
  TRY(keyctl, -1, 0, 0, 0, 0);
  TRY(add_key, NULL, NULL, NULL, 0, 0);
  TRY(request_key, NULL, NULL, NULL, 0);
  TRY(io_uring_setup, 0, NULL);
  TRY(io_uring_enter, -1, 0, 0, 0, NULL, 0);
  TRY(io_uring_register, -1, 0, NULL, 0);
  TRY(userfaultfd, -1);
  TRY(init_module, NULL, 0, NULL);
  TRY(finit_module, -1, NULL, 0);
  TRY(delete_module, NULL, 0);
  TRY(kexec_load, 0, 0, NULL, -1);
  TRY(reboot, 0, 0, 0, NULL);
  TRY(swapon, "/nowhere", 0);
  TRY(swapoff, "/nowhere");
  TRY(setuid, geteuid());
  TRY(setgid, getegid());
  TRY(setresuid, -1, -1, -1);
  TRY(setresgid, -1, -1, -1);
  TRY(setreuid, -1, -1);
  TRY(setregid, -1, -1);
  TRY(setfsuid, -1);
  TRY(setgroups, 0, NULL);
  TRY(capset, NULL, NULL);
  TRY(personality, 0xffffffff);
  TRY(open_by_handle_at, -1, NULL, 0);
  TRY(name_to_handle_at, -1, "", NULL, NULL, 0);
  TRY(memfd_create, "", 0);
  TRY(clock_settime, CLOCK_REALTIME, NULL);
  TRY(settimeofday, NULL, NULL);
  TRY(adjtimex, NULL);
  TRY(sethostname, NULL, 0);
  TRY(syslog, 99, NULL, 0);
  TRY(quotactl, 0, NULL, 0, NULL);
  TRY(acct, "/nowhere");
  TRY(mknodat, AT_FDCWD, "/nowhere/x", S_IFIFO, 0);
  TRY(fchownat, AT_FDCWD, "/nowhere", -1, -1, 0);
  TRY(shmget, 0, 0, 0);
  TRY(msgget, 0, 0);
  TRY(inotify_init1, 0);
  TRY(fanotify_init, 0, 0);
  TRY(seccomp, 99, 0, NULL);
  SAY("prlimit", syscall(__NR_prlimit64, 0, RLIMIT_CORE, &(struct rlimit){0, 0}, NULL));
  SAY("setrlimit", syscall(__NR_setrlimit, RLIMIT_CORE, &(struct rlimit){0, 0}));
  SAY("prctl-death-signal", syscall(__NR_prctl, PR_SET_PDEATHSIG, 0, 0, 0, 0));
  SAY("prctl-dumpable", syscall(__NR_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
  SAY("ioctl-type", syscall(__NR_ioctl, 0, TIOCSTI, page));
  SAY("fcntl-owner", syscall(__NR_fcntl, 0, F_SETOWN, 0));
  SAY("setpriority-user", syscall(__NR_setpriority, PRIO_USER, 0, 0));
  SAY("mmap-code", syscall(__NR_mmap, 0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  SAY("mprotect-code", syscall(__NR_mprotect, 4096, 4096, PROT_READ | PROT_EXEC));
  SAY("pkey_mprotect", syscall(__NR_pkey_mprotect, 4096, 4096, PROT_READ, -1));
#ifdef __x86_64__
  SAY("x32", syscall(0x40000000 + __NR_getpid));
#endif
}

static void try_missing(void) {
  struct clone_args none = {0};
  SAY("clone3", syscall(__NR_clone3, &none, 1));
  SAY("unknown", syscall(4000));
}

static void try_allowed(void) {
  pthread_t thread;
  int ends[2], count = 0;
  struct rlimit limit;
  SAY("thread", -(pthread_create(&thread, NULL, nothing, NULL) || pthread_join(thread, NULL)));
  SAY("socketpair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends));
  SAY("send", send(ends[0], "x", 1, MSG_NOSIGNAL));
  SAY("send-descriptor", cprocess_send_descriptors(ends[0], 1, ends, 2));
  char byte;
  SAY("receive", recv(ends[1], &byte, 1, 0));
  int descriptors[CPROCESS_DESCRIPTORS_MAX];
  SAY("receive-descriptor", cprocess_receive_descriptors(ends[1], (unsigned char *)&byte, descriptors, &count) - (count != 2) * 2);
  SAY("file", open("/dev/null", O_RDWR | O_CLOEXEC));
  SAY("signal-itself", raise(SIGWINCH));
  SAY("signal-group", kill(0, 0));
  SAY("limit", getrlimit(RLIMIT_CORE, &limit));
  SAY("memory", mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
  SAY("name", prctl(PR_SET_NAME, "probe"));
}

/// Reaches for files, and for a process of the same user.
static void try_files(pid_t other) {
  char path[64], link[64];
  const char *const kinds[] = {"environ", "mem", "maps", "fd/0", "root/etc/passwd", "cwd"};
  for (size_t index = 0; index < sizeof kinds / sizeof kinds[0]; index++) {
    snprintf(path, sizeof path, "/proc/%d/%s", other, kinds[index]);
    SAY(kinds[index], open(path, O_RDONLY | O_CLOEXEC));
  }
  SAY("link", readlink(path, link, sizeof link));
  SAY("system", open("/etc/passwd", O_RDONLY | O_CLOEXEC));
  SAY("neighbour", open("../secret", O_RDONLY | O_CLOEXEC));
  SAY("neighbour-directory", open("..", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  SAY("through-link", open("link", O_RDONLY | O_CLOEXEC));
  SAY("made", open("../made", O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  SAY("moved", rename("own", "../moved"));
  puts("--");
  SAY("own", open("own", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  SAY("own-directory", mkdir("directory", 0700));
  SAY("own-moved", rename("own", "directory/own"));
  SAY("own-removed", unlink("directory/own"));
  SAY("own-directory-removed", rmdir("directory"));
  SAY("zone", open("/etc/localtime", O_RDONLY | O_CLOEXEC));
  SAY("null", open("/dev/null", O_RDONLY | O_CLOEXEC));
  SAY("itself", open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC));
}

int main(int count, char **words) {
  const char *what = count > 1 ? words[1] : "";
  const pid_t other = getppid();
  if (strncmp(what, "files", 5) == 0) {
    if (strcmp(what, "files") == 0) {
      if (!cprocess_can_confine_files()) return 4;
      if (cprocess_drop_privileges() != 0 || cprocess_confine_files() != 0) return 3;
    }
    try_files(other);
    return 0;
  }
  if (strcmp(what, "open") != 0) {
    if (cprocess_drop_privileges() != 0 || cprocess_filter_calls() != 0) return 3;
  }
  if (strcmp(what, "foreign") == 0) {
#ifdef __x86_64__
    // getpid by the calls of 32-bit programs.
    long number = 20;
    __asm__ volatile("int $0x80" : "+a"(number) : : "memory");
    printf("foreign done\n");
#endif
    return 0;
  }
  try_refused(other);
  if (strcmp(what, "open") == 0) return 0;
  puts("--");
  try_missing();
  puts("--");
  try_allowed();
  return 0;
}
