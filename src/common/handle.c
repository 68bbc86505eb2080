/* SPDX-License-Identifier: MIT */
/* handle.c - descriptors of the system's: closed, inherited, and sent over a connection. */
#include "connection.h"
#include "error.h"

int mayfly_os_fd_close(mayfly_os_fd fd) {
  return mf_os_fd_close(fd);
}

int mayfly_os_fd_set_inheritable(mayfly_os_fd fd, int inheritable) {
  return mf_os_fd_set_inheritable(fd, inheritable);
}

int mayfly_send_handle(mayfly_connection *connection, mayfly_os_fd fd) {
  int result = mf_connection_check(connection, "mayfly_send_handle", MF_WRITABLE);
  if (result == 0)
    result = mf_connection_may_send(connection);
  if (result < 0)
    return result;
  return mf_os_stream_send_fd(mf_connection_stream(connection), fd, mf_connection_send_deadline(connection));
}

int mayfly_recv_handle(mayfly_connection *connection, mayfly_os_fd *fd) {
  int result = mf_connection_check(connection, "mayfly_recv_handle", MF_READABLE);
  if (result < 0)
    return result;
  if (fd == NULL)
    return mf_fail(MAYFLY_EINVAL, "mayfly_recv_handle: fd is NULL");
  result = mf_connection_may_receive(connection);
  if (result == 0)
    result = mf_connection_reads_exactly(connection, "mayfly_recv_handle");
  if (result == 0)
    result = mf_os_stream_receive_fd(mf_connection_stream(connection), mf_connection_receive_deadline(connection), fd);
  return result == MAYFLY_EPROTO ? mf_connection_receive_over(connection, result) : result;
}
