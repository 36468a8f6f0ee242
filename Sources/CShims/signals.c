#include "CShims.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static volatile int signal_output = -1;

// All that a handler may do: one byte for the thread that waits, and nothing changed for the code that it interrupted.
static void write_number(int number) {
    int error = errno;
    unsigned char byte = (unsigned char)number;
    ssize_t ignored = write(signal_output, &byte, 1);
    (void)ignored;
    errno = error;
}

void shim_signals_to(int output) { signal_output = output; }

int shim_signal_catch(int number) {
    struct sigaction action = {.sa_handler = write_number, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    return sigaction(number, &action, NULL);
}
