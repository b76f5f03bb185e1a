/* The epoll loop that moves links, and their listener: see link.h. */
#include "link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#define EVENTS_PER_TURN 256
#define BACKLOG         4096

int link_loop_init(struct link_loop *loop)
{
    struct rlimit limit;

    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes without MSG_NOSIGNAL */
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    *loop = (struct link_loop){.listener_fd = -1, .epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    return loop->epoll_fd < 0 ? -1 : 0;
}

int link_loop_listen(struct link_loop *loop, unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)*port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    socklen_t size = sizeof(address);
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    loop->listener_fd = fd;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) != 0 ||
        bind(fd, (struct sockaddr *)&address, size) != 0 || listen(fd, BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0 ||
        epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
        return -1;
    }
    *port = ntohs(address.sin_port);
    return 0;
}

void link_loop_deinit(struct link_loop *loop)
{
    if (loop->listener_fd >= 0) {
        close(loop->listener_fd);
    }
    close(loop->epoll_fd);
}

static void accept_all(struct link_loop *loop)
{
    int fd;

    while ((fd = accept4(loop->listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        loop->on_connection(loop, fd);
    }
}

static void end_turn(struct link_loop *loop)
{
    while (loop->touched != NULL) {
        struct link *link = loop->touched;
        loop->touched = link->next_touched;
        link_end_turn(link);
    }
}

int link_loop_turn(struct link_loop *loop, int64_t timeout_ns)
{
    int64_t wait_ns = loop->touched != NULL ? 0 : timeout_ns;
    struct timespec timeout = {wait_ns / 1000000000, wait_ns % 1000000000};
    struct epoll_event events[EVENTS_PER_TURN];
    int count =
        epoll_pwait2(loop->epoll_fd, events, EVENTS_PER_TURN, wait_ns < 0 ? NULL : &timeout, NULL);

    if (count < 0 && errno != EINTR) {
        return -1;
    }
    for (int i = 0; i < count; i++) {
        if (events[i].data.ptr == NULL) {
            accept_all(loop);
        } else {
            link_on_event(events[i].data.ptr);
        }
    }
    end_turn(loop);
    return 0;
}
