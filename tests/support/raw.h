/* SPDX-License-Identifier: MIT */
/* raw.h - peers that are nothing but sockets: they say bytes, whole messages or not. */
#ifndef RAW_H
#define RAW_H

#include <mayfly/connection.h>

int raw_connect(const mayfly_address *address);                /* a blocking socket */
int raw_listen(const mayfly_address *address, int backlog);    /* AF_UNIX */
int raw_listen_anywhere(mayfly_address *address, int backlog); /* where that is; AF_UNIX, on Windows AF_INET */
int raw_accept(int listening);
void raw_stop_listening(int listening, const mayfly_address *address); /* its name goes too */
uint16_t raw_port(int fd);                                             /* its own, of AF_INET */
uint16_t raw_port_of(mayfly_connection *connection);                   /* the same, of an end of ours */
uint16_t raw_port_at_the_other(mayfly_connection *connection);
void raw_say(int fd, const void *bytes, size_t size);
int raw_try_to_say(int fd, const void *bytes, size_t size); /* 0; -1: nobody is there any more */
void raw_say_length(int fd, uint32_t length);               /* the header of a message, whatever follows */
void raw_say_long_length(int fd, uint64_t length);
void raw_say_message(int fd, const void *bytes, size_t size);
/* Until the end or `size` bytes; how many there were. A reset is an end. */
size_t raw_hear(int fd, void *bytes, size_t size);
size_t raw_hear_message(int fd, void *bytes, size_t capacity); /* its size */
void raw_await(int fd);                                        /* until something can be read, or has ended */
int raw_unread(int fd);                                        /* how many bytes are there to be read */
int raw_unread_of(mayfly_connection *connection);              /* the same, of an end of ours */
int raw_is_quiet(int fd);                                      /* 1: open, and nothing is there to be read */
void raw_shut_down_sending(int fd);                            /* not of a pipe of Windows, which has no halves */
void raw_reset(int fd);                                        /* closes it so that an AF_INET peer gets a reset */
void raw_reset_of(mayfly_connection *connection);              /* the same */
/* Bytes that need be no message, out of an end of ours. 0; -1: nobody is there any more, or they don't fit. */
int raw_try_to_say_of(mayfly_connection *connection, const void *bytes, size_t size);

#endif
