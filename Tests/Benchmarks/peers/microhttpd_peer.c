// What libmicrohttpd can do at best: one response, made once, for every request. Options and loop are those of our own server.
//   bare PORT HEAD BODY    HEAD has the header fields, a line each
#include <arpa/inet.h>
#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

static struct MHD_Response *answer;

static enum MHD_Result handle(
    void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version, const char *body,
    size_t *size, void **request) {
    static int begun;
    if (*request == NULL) {
        *request = &begun;
        return MHD_YES;
    }
    *size = 0;
    return MHD_queue_response(connection, MHD_HTTP_OK, answer);
}

static char *read_all(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 20);
    if (file == NULL || text == NULL) exit(1);
    *size = fread(text, 1, (1 << 20) - 1, file);
    text[*size] = 0;
    fclose(file);
    return text;
}

int main(int count, char **arguments) {
    if (count != 4) return 2;
    size_t head_size, body_size;
    char *head = read_all(arguments[2], &head_size), *body = read_all(arguments[3], &body_size);
    answer = MHD_create_response_from_buffer(body_size, body, MHD_RESPMEM_PERSISTENT);
    for (char *line = strtok(head, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        char *value = strstr(line, ": ");
        if (value == NULL) continue;
        *value = 0;
        if (MHD_add_response_header(answer, line, value + 2) != MHD_YES) return 1;
    }
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), yes = 1;
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(arguments[1]))};
    inet_pton(AF_INET, "127.0.0.1", &name.sin_addr);
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listening, (struct sockaddr *)&name, sizeof name) != 0 || listen(listening, 1024) != 0) return 1;
    struct MHD_Daemon *daemon = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, handle, NULL, MHD_OPTION_LISTEN_SOCKET, listening,
        MHD_OPTION_CONNECTION_LIMIT, 12000u, MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)24 << 10,
        MHD_OPTION_END);
    if (daemon == NULL) return 1;
    struct pollfd polled = {.fd = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd, .events = POLLIN};
    for (;;) {
        MHD_UNSIGNED_LONG_LONG milliseconds = 0;
        poll(&polled, 1, MHD_get_timeout(daemon, &milliseconds) == MHD_YES ? (int)milliseconds : -1);
        MHD_run(daemon);
    }
}
