#define _GNU_SOURCE
#include "CShims.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <unistd.h>

pid_t shim_spawn_detached(const char *path, char *const arguments[], int output, bool in_batches) {
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, defaults;
    pid_t pid = -1;
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, 1);
    posix_spawn_file_actions_adddup2(&actions, output, 2);
    // Nothing else of ours may live on in a child that outlives us: no listening socket, no lock.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    // Swift's threads block and ignore signals; a child must start with none of that.
    sigemptyset(&none);
    sigfillset(&defaults);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    // A child has the policy of the thread that made it. posix_spawnattr_setschedpolicy would refuse this one.
    const struct sched_param none_needed = {0};
    int policy = sched_getscheduler(0);
    bool is_switched = in_batches && policy == SCHED_OTHER && sched_setscheduler(0, SCHED_BATCH, &none_needed) == 0;
    int error = posix_spawnp(&pid, path, &actions, &attributes, arguments, environ);
    if (is_switched) sched_setscheduler(0, policy, &none_needed);
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error == 0 ? pid : -error;
}

char **shim_environment(void) { return environ; }
