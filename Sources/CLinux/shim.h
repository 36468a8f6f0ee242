// The calls of Linux that the exits' proxy makes. Three of them glibc declares for `_GNU_SOURCE` only, which changes other types too.
#ifndef SALLYPORT_LINUX_H
#define SALLYPORT_LINUX_H
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

int accept4(int, struct sockaddr *, socklen_t *, int);
int pipe2(int[2], int);
ssize_t splice(int, long *, int, long *, size_t, unsigned);

#define SALLYPORT_SPLICE_MOVE 1
#define SALLYPORT_SPLICE_NONBLOCK 2

static inline int sallyport_errno(void) { return errno; }
static inline void sallyport_ignore_broken_pipes(void) { signal(SIGPIPE, SIG_IGN); }

#endif
