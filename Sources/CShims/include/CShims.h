// The only C of this project: one plain function for each use of a variadic one, which Swift cannot call.
#ifndef SALLYPORT_CSHIMS_H
#define SALLYPORT_CSHIMS_H

#include <curl/curl.h>
#include <microhttpd.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

// curl_easy_setopt, by the type of its argument.
CURLcode shim_curl_set_long(CURL *handle, CURLoption option, long value);
CURLcode shim_curl_set_string(CURL *handle, CURLoption option, const char *value);
CURLcode shim_curl_set_pointer(CURL *handle, CURLoption option, void *value);
CURLcode shim_curl_set_offset(CURL *handle, CURLoption option, int64_t value);
typedef size_t (*shim_curl_data_callback)(char *data, size_t size, size_t count, void *context);
CURLcode shim_curl_set_data_callback(CURL *handle, CURLoption option, shim_curl_data_callback callback);

// curl_easy_getinfo, by the type of its answer; 0 where curl has none.
long shim_curl_get_long(CURL *handle, CURLINFO info);
int64_t shim_curl_get_offset(CURL *handle, CURLINFO info);
void *shim_curl_get_private(CURL *handle);

// The answer inside a CURLMsg, which is a C union.
CURLcode shim_curl_message_result(const CURLMsg *message);

typedef enum MHD_Result (*shim_mhd_handler)(
    void *context, struct MHD_Connection *connection, const char *url, const char *method, const char *version,
    const char *body, size_t *body_size, void **request);
typedef void (*shim_mhd_completed)(
    void *context, struct MHD_Connection *connection, void **request, enum MHD_RequestTerminationCode code);
typedef void *(*shim_mhd_uri_logger)(void *context, const char *uri, struct MHD_Connection *connection);

// Starts MHD on a listening socket: epoll, run by our own thread (MHD_run), connections that may be suspended.
struct MHD_Daemon *shim_mhd_start(
    int listening_socket, unsigned int connection_limit, unsigned int address_limit, unsigned int idle_seconds, size_t memory_limit,
    shim_mhd_handler handler, shim_mhd_completed completed, shim_mhd_uri_logger uri_logger, MHD_NotifyConnectionCallback connected,
    void *context);

// A connection's descriptor, -1 when unknown, and what `connected` has put into its socket context.
int shim_mhd_descriptor(struct MHD_Connection *connection);
void *shim_mhd_socket_context(struct MHD_Connection *connection);

// Bytes of the head of a connection's request, from the first of its method to the last of the empty line; 0 before it is there.
size_t shim_mhd_head_size(struct MHD_Connection *connection);

// The descriptor that is readable whenever MHD_run has something to do.
int shim_mhd_epoll_descriptor(struct MHD_Daemon *daemon);

// The client's address in network byte order: 4 or 16 bytes into `bytes`; returns how many, 0 when unknown.
int shim_mhd_client_address(struct MHD_Connection *connection, uint8_t bytes[16]);

// Starts a program in a session of its own, so that a Ctrl-C on our terminal never reaches it; it inherits our
// environment, reads /dev/null, and writes stdout and stderr to `output`. With `in_batches` the kernel takes it
// for one that calculates (SCHED_BATCH), where that is allowed. Returns its pid or -errno.
pid_t shim_spawn_detached(const char *path, char *const arguments[], int output, bool in_batches);

// From now on each arrival of `number` writes it as one byte to the descriptor of `shim_signals_to`, which must not block and is
// the same for all numbers. Returns 0, or -1 with errno.
void shim_signals_to(int output);
int shim_signal_catch(int number);

// The process's environment, which Swift can't name as a global without a data race that isn't there.
char **shim_environment(void);

// Columns of the terminal behind a descriptor; 0 where it is none, or does not say.
int shim_terminal_columns(int descriptor);

#endif
