/// System calls that Swift's Glibc does not show.
#ifndef CPROCESS_H
#define CPROCESS_H

#include <spawn.h>
#include <sys/types.h>

/// pipe2(2) with O_CLOEXEC: no program that another thread starts at this moment inherits the ends.
int cprocess_pipe(int ends[2]);

/// socketpair(2) of two connected stream sockets, with SOCK_CLOEXEC.
int cprocess_socket_pair(int ends[2]);

/// Closes all descriptors from `first` on, which whoever started this process had open.
void cprocess_close_from(int first);

/// Has a program that is started without all descriptors from `first` on (posix_spawn_file_actions_addclosefrom_np(3)). Some
/// libraries open sockets that a program would inherit, and whose connections would not end while it runs. 0, or an error.
int cprocess_start_without(posix_spawn_file_actions_t *actions, int first);

/// Has a program that is started begin in another directory (posix_spawn_file_actions_addchdir_np(3)). 0, or an error.
int cprocess_start_in(posix_spawn_file_actions_t *actions, const char *directory);

/// The absolute path without links of what a path leads to, as the kernel knows it: unlike realpath(3) it needs no right to
/// look into the directories above. The bytes of it, without a NUL at the end, or -1.
ssize_t cprocess_real_path(const char *path, char *buffer, size_t size);

/// Sets how many files a process may have open (RLIMIT_NOFILE), by its soft limit; 0, or -1 where the system refuses.
int cprocess_limit_open_files(pid_t process, unsigned long count);

/// Has the allocator set few addresses aside, however many threads and processors there are.
void cprocess_set_aside_little(void);

/// Keeps others of the same user from looking into the memory of this process and from changing it. 0, or -1.
int cprocess_hide_memory(void);

/// Lets neither this process nor what it starts gain privileges (PR_SET_NO_NEW_PRIVS), and keeps others of the same user
/// from looking into its memory (PR_SET_DUMPABLE). 0 where the kernel allows both.
int cprocess_drop_privileges(void);

/// Whether this process may give files to other users, become one, and end and clean up what ran as one.
int cprocess_can_give_identities(void);

/// Makes this process, of one thread, that of a user and a group and of nobody else, for good. 0, or -1.
int cprocess_become(uid_t user, gid_t group);

/// Has the kernel end this process with the thread of its parent that has started it. -1 where the parent has ended already.
int cprocess_end_with(pid_t parent);

/// Whether a process can give up files here (landlock(7)).
int cprocess_can_confine_files(void);

/// Leaves this process, of one thread, the files in its working directory for good, and some of the system's to read: the
/// time zones and the numbers of processors and processes. Of processes that may reach other files it cannot see or change
/// the memory, the environment and the open files either. Privileges must have been dropped. 0, or -1.
int cprocess_confine_files(void);

/// Whether the kernel takes filters of system calls (seccomp(2)) on this machine.
int cprocess_can_filter(void);

/// Leaves this process, of one thread, those system calls that running hooks takes, for good. It cannot make processes and
/// connections, become another user, look at other processes, or make memory code; what it tries fails with EPERM. The
/// system calls of another machine's kind end it. Privileges must have been dropped. 0, or -1.
int cprocess_filter_calls(void);

/// Descriptors that one message carries, at most.
enum { CPROCESS_DESCRIPTORS_MAX = 4 };

/// Sends a byte and copies of descriptors with it. 0, or -1.
int cprocess_send_descriptors(int socket, unsigned char byte, const int *descriptors, int count);

/// Waits for a byte, and takes the descriptors that come with it, room for CPROCESS_DESCRIPTORS_MAX of which there must be.
/// Programs do not inherit them. 1, 0 where the other side has ended the connection, or -1.
int cprocess_receive_descriptors(int socket, unsigned char *byte, int *descriptors, int *count);

/// A descriptor that can be read once a process has ended (pidfd_open(2)), or -1.
int cprocess_open_process(pid_t process);

/// A program that is to be started, and its surroundings.
struct cprocess_program {
  /// Files to try, one after another, up to a null.
  char *const *paths;
  /// Its name and arguments, and its variables, each up to a null.
  char *const *words;
  char *const *environment;
  /// Its standard streams; it has no other descriptors.
  int streams[3];
  /// The group of processes that it joins.
  pid_t group;
  /// An open directory, in which it runs.
  int directory;
  /// The number of files that it may have open; 0 for as many as this process.
  unsigned long files;
  /// Whether it goes on when the thread that has started it ends.
  int outlives;
};

/// Starts a program, which the kernel ends with the calling thread, if not told otherwise. 0, or an error.
int cprocess_start(const struct cprocess_program *program, pid_t *process);

#endif
