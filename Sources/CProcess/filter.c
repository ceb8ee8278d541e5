#define _GNU_SOURCE
#include "CProcess.h"

#include <asm/unistd.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef SECCOMP_RET_KILL_PROCESS
#define SECCOMP_RET_KILL_PROCESS 0x80000000U
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef __NR_clone3
#define __NR_clone3 435
#endif

// The words of arguments are compared where a little-endian machine has them.
#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && defined(__AARCH64EL__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE

enum {
  INSTRUCTIONS_MAX = 1024,
  // Calls that came after Linux 6.17. The C library must take them for missing ones, and do without.
  NUMBER_MAX = 469,
  // Calls of the x32 ABI have this bit.
  X32 = 0x40000000,
  SOCKET_TYPE = 0xf,
};

static const int always[] = {
  // Descriptors.
  __NR_read, __NR_write, __NR_readv, __NR_writev, __NR_pread64, __NR_pwrite64, __NR_preadv, __NR_pwritev, __NR_preadv2,
  __NR_pwritev2, __NR_lseek, __NR_close, __NR_dup, __NR_dup3, __NR_pipe2, __NR_sendfile, __NR_copy_file_range,
#ifdef __NR_close_range
  __NR_close_range,
#endif
#ifdef __NR_dup2
  __NR_dup2, __NR_pipe,
#endif
  // Files: whose they are decides.
  __NR_openat, __NR_newfstatat, __NR_fstat, __NR_statx, __NR_faccessat, __NR_readlinkat, __NR_getdents64, __NR_getcwd,
  __NR_chdir, __NR_fchdir, __NR_mkdirat, __NR_unlinkat, __NR_renameat2, __NR_linkat, __NR_symlinkat, __NR_fchmod,
  __NR_fchmodat, __NR_umask, __NR_truncate, __NR_ftruncate, __NR_fallocate, __NR_fsync, __NR_fdatasync,
  __NR_sync_file_range, __NR_flock, __NR_utimensat, __NR_statfs, __NR_fstatfs, __NR_fadvise64, __NR_readahead,
  __NR_getxattr, __NR_lgetxattr, __NR_fgetxattr, __NR_listxattr, __NR_llistxattr, __NR_flistxattr, __NR_setxattr,
  __NR_lsetxattr, __NR_fsetxattr, __NR_removexattr, __NR_lremovexattr, __NR_fremovexattr,
#ifdef __NR_faccessat2
  __NR_faccessat2,
#endif
#ifdef __NR_fchmodat2
  __NR_fchmodat2,
#endif
#ifdef __NR_renameat
  __NR_renameat,
#endif
#ifdef __NR_open
  __NR_open, __NR_stat, __NR_lstat, __NR_access, __NR_readlink, __NR_mkdir, __NR_rmdir, __NR_unlink, __NR_rename,
  __NR_link, __NR_symlink, __NR_chmod, __NR_utime, __NR_utimes, __NR_futimesat,
#endif
  // Memory and threads.
  __NR_brk, __NR_munmap, __NR_mremap, __NR_madvise, __NR_mincore, __NR_msync, __NR_membarrier, __NR_futex,
  __NR_set_robust_list, __NR_get_robust_list, __NR_set_tid_address, __NR_sched_yield, __NR_sched_getaffinity,
  __NR_sched_getparam, __NR_sched_getscheduler, __NR_sched_get_priority_max, __NR_sched_get_priority_min,
  __NR_getpriority, __NR_exit, __NR_exit_group, __NR_restart_syscall, __NR_getcpu,
#ifdef __NR_rseq
  __NR_rseq,
#endif
#ifdef __NR_arch_prctl
  __NR_arch_prctl,
#endif
  // The process's own numbers, its clocks and signals.
  __NR_gettid, __NR_getpid, __NR_getppid, __NR_getpgid, __NR_getsid, __NR_getuid, __NR_geteuid, __NR_getgid,
  __NR_getegid, __NR_getresuid, __NR_getresgid, __NR_getgroups, __NR_getrusage, __NR_times, __NR_uname, __NR_sysinfo,
  __NR_getrandom, __NR_clock_gettime, __NR_clock_getres, __NR_clock_nanosleep, __NR_nanosleep, __NR_gettimeofday,
  __NR_rt_sigaction, __NR_rt_sigprocmask, __NR_rt_sigreturn, __NR_rt_sigtimedwait, __NR_rt_sigpending,
  __NR_rt_sigsuspend, __NR_sigaltstack,
#ifdef __NR_getrlimit
  __NR_getrlimit,
#endif
#ifdef __NR_getpgrp
  __NR_getpgrp, __NR_time, __NR_pause,
#endif
  // Waiting.
  __NR_epoll_create1, __NR_epoll_ctl, __NR_epoll_pwait, __NR_eventfd2, __NR_ppoll, __NR_pselect6, __NR_timerfd_create,
  __NR_timerfd_settime, __NR_timerfd_gettime,
#ifdef __NR_epoll_pwait2
  __NR_epoll_pwait2,
#endif
#ifdef __NR_poll
  __NR_poll, __NR_select, __NR_epoll_create, __NR_epoll_wait, __NR_eventfd,
#endif
  // Sockets that are there.
  __NR_recvfrom, __NR_recvmsg, __NR_recvmmsg, __NR_shutdown, __NR_getsockopt, __NR_setsockopt, __NR_getsockname,
  __NR_getpeername,
};

/// A filter that is being written.
struct program {
  struct sock_filter code[INSTRUCTIONS_MAX];
  unsigned short count;
};

static void add(struct program *program, struct sock_filter instruction) {
  // One that is too long is refused by the kernel, since it lacks its end.
  if (program->count < INSTRUCTIONS_MAX) program->code[program->count++] = instruction;
}

static void load(struct program *program, size_t offset) {
  add(program, (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset));
}

static void load_argument(struct program *program, int number) {
  load(program, offsetof(struct seccomp_data, args) + 8 * (size_t)number);
}

static void returns(struct program *program, uint32_t action) {
  add(program, (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action));
}

/// Ends with `action` where what is loaded is, by `test` (BPF_JEQ, BPF_JGT, BPF_JSET), as `value` says.
static void returns_if(struct program *program, unsigned short test, uint32_t value, uint32_t action) {
  add(program, (struct sock_filter)BPF_JUMP((unsigned short)(BPF_JMP | test | BPF_K), value, 0, 1));
  returns(program, action);
}

/// Begins a block for one call, which must end by itself; what is loaded after it is the call's number again.
static unsigned short begin(struct program *program, uint32_t number) {
  add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 0));
  return program->count;
}

static void end(struct program *program, unsigned short first) {
  if (first <= INSTRUCTIONS_MAX) program->code[first - 1].jf = (unsigned char)(program->count - first);
}

static const uint32_t refusal = SECCOMP_RET_ERRNO | EPERM;

/// Allows a call whose argument, an int, is one of some values.
static void allow_values(struct program *program, uint32_t call, int argument, const uint32_t *values, size_t count) {
  unsigned short first = begin(program, call);
  load_argument(program, argument);
  for (size_t index = 0; index < count; index++) returns_if(program, BPF_JEQ, values[index], SECCOMP_RET_ALLOW);
  returns(program, refusal);
  end(program, first);
}

/// Allows a call whose argument has none of some bits.
static void allow_without(struct program *program, uint32_t call, int argument, uint32_t bits) {
  unsigned short first = begin(program, call);
  load_argument(program, argument);
  returns_if(program, BPF_JSET, bits, refusal);
  returns(program, SECCOMP_RET_ALLOW);
  end(program, first);
}

static void allow_own_threads(struct program *program) {
  const uint32_t namespaces = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET |
                CLONE_NEWCGROUP;
  unsigned short first = begin(program, __NR_clone);
  load_argument(program, 0);
  returns_if(program, BPF_JSET, namespaces, refusal);
  returns_if(program, BPF_JSET, CLONE_THREAD, SECCOMP_RET_ALLOW);
  returns(program, refusal);
  end(program, first);
  // Its flags are in memory, where a filter does not see them: the C library goes back to clone.
  first = begin(program, __NR_clone3);
  returns(program, SECCOMP_RET_ERRNO | ENOSYS);
  end(program, first);
}

static void allow_own_signals(struct program *program) {
  const uint32_t own = (uint32_t)getpid();
  // 0 is the group, which are the worker and what it had started.
  allow_values(program, __NR_kill, 0, (const uint32_t[]){own, 0}, 2);
  allow_values(program, __NR_tgkill, 0, &own, 1);
}

static void allow_sockets(struct program *program) {
  // Streams between threads: a datagram could be sent to any socket that has a name.
  unsigned short first = begin(program, __NR_socketpair);
  load_argument(program, 0);
  add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 1, 0));
  returns(program, refusal);
  load_argument(program, 1);
  add(program, (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, SOCKET_TYPE));
  returns_if(program, BPF_JEQ, SOCK_STREAM, SECCOMP_RET_ALLOW);
  returns(program, refusal);
  end(program, first);
  // Sending must not connect.
  allow_without(program, __NR_sendmsg, 2, MSG_FASTOPEN);
  allow_without(program, __NR_sendmmsg, 3, MSG_FASTOPEN);
  first = begin(program, __NR_sendto);
  for (int word = 0; word < 2; word++) {
    load(program, offsetof(struct seccomp_data, args) + 8 * 4 + 4 * (size_t)word);
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    returns(program, refusal);
  }
  load_argument(program, 3);
  returns_if(program, BPF_JSET, MSG_FASTOPEN, refusal);
  returns(program, SECCOMP_RET_ALLOW);
  end(program, first);
}

/// Lets limits be looked at, and not set.
static void allow_looking_at_limits(struct program *program) {
  unsigned short first = begin(program, __NR_prlimit64);
  for (int word = 0; word < 2; word++) {
    load(program, offsetof(struct seccomp_data, args) + 8 * 2 + 4 * (size_t)word);
    add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0));
    returns(program, refusal);
  }
  returns(program, SECCOMP_RET_ALLOW);
  end(program, first);
}

static void write_filter(struct program *program) {
  load(program, offsetof(struct seccomp_data, arch));
  add(program, (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0));
  returns(program, SECCOMP_RET_KILL_PROCESS);
  load(program, offsetof(struct seccomp_data, nr));
  for (size_t index = 0; index < sizeof always / sizeof always[0]; index++)
    returns_if(program, BPF_JEQ, (uint32_t)always[index], SECCOMP_RET_ALLOW);
  // No memory becomes code.
  allow_without(program, __NR_mmap, 2, PROT_EXEC);
  allow_without(program, __NR_mprotect, 2, PROT_EXEC);
  allow_own_threads(program);
  allow_own_signals(program);
  allow_sockets(program);
  allow_looking_at_limits(program);
  allow_values(
    program, __NR_prctl, 0, (const uint32_t[]){PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_SET_VMA}, 4);
  // Threads set their own priority.
  allow_values(program, __NR_setpriority, 0, (const uint32_t[]){0}, 1);
  // TCGETS, FIONREAD, FIONBIO.
  allow_values(program, __NR_ioctl, 1, (const uint32_t[]){0x5401, 0x541B, 0x5421}, 3);
  allow_values(
    program, __NR_fcntl, 1,
    (const uint32_t[]){
      F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK, F_SETLKW, F_OFD_GETLK,
      F_OFD_SETLK, F_OFD_SETLKW, F_GETPIPE_SZ, F_SETPIPE_SZ},
    14);
  returns_if(program, BPF_JGE, X32, refusal);
  returns_if(program, BPF_JGT, NUMBER_MAX, SECCOMP_RET_ERRNO | ENOSYS);
  returns(program, refusal);
}

int cprocess_can_filter(void) {
  // EFAULT is the kernel's answer where it has looked for the filter.
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL, 0, 0) == -1 && errno == EFAULT;
}

int cprocess_filter_calls(void) {
  struct program program = {.count = 0};
  write_filter(&program);
  struct sock_fprog filter = {.len = program.count, .filter = program.code};
  return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0);
}

#else

int cprocess_can_filter(void) { return 0; }

int cprocess_filter_calls(void) {
  errno = ENOSYS;
  return -1;
}

#endif
