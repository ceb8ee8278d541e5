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

/// Sets how many files a process may have open (RLIMIT_NOFILE), by its soft limit; 0, or -1 where the system refuses.
int cprocess_limit_open_files(pid_t process, unsigned long count);

/// Lets neither this process nor what it starts gain privileges (PR_SET_NO_NEW_PRIVS), and keeps others of the same user
/// from looking into its memory (PR_SET_DUMPABLE). 0 where the kernel allows both.
int cprocess_drop_privileges(void);

#endif
