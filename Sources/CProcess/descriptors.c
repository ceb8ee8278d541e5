#define _GNU_SOURCE
#include "CProcess.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Room for the numbers of descriptors behind a message.
union control {
  char bytes[CMSG_SPACE(sizeof(int) * CPROCESS_DESCRIPTORS_MAX)];
  struct cmsghdr header;
};

int cprocess_send_descriptors(int socket, unsigned char byte, const int *descriptors, int count) {
  if (count < 0 || count > CPROCESS_DESCRIPTORS_MAX) {
    errno = EINVAL;
    return -1;
  }
  union control control;
  memset(&control, 0, sizeof control);
  struct iovec part = {.iov_base = &byte, .iov_len = 1};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > 0) {
    const size_t length = sizeof(int) * (size_t)count;
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(length);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(length);
    memcpy(CMSG_DATA(header), descriptors, length);
  }
  ssize_t sent;
  do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  return sent == 1 ? 0 : -1;
}

int cprocess_receive_descriptors(int socket, unsigned char *byte, int *descriptors, int *count) {
  union control control;
  struct iovec part = {.iov_base = byte, .iov_len = 1};
  struct msghdr message = {
    .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  ssize_t received;
  do received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
  while (received < 0 && errno == EINTR);
  *count = 0;
  if (received <= 0) return (int)received;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    const size_t carried = (header->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t index = 0; index < carried && *count < CPROCESS_DESCRIPTORS_MAX; index++) {
      memcpy(&descriptors[*count], CMSG_DATA(header) + sizeof(int) * index, sizeof(int));
      *count += 1;
    }
  }
  return 1;
}

int cprocess_open_process(pid_t process) {
#ifdef SYS_pidfd_open
  return (int)syscall(SYS_pidfd_open, process, 0);
#else
  errno = ENOSYS;
  return -1;
#endif
}
