/* A network that takes few bytes at a time: each send on a TCP socket sends a random part of what it
 * is given, and one in eight nothing. It is put between the program and its C library. */

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

static uint64_t next_random(void)
{
    /* splitmix64 */
    static _Atomic uint64_t state = 1;
    uint64_t z = atomic_fetch_add(&state, 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

ssize_t send(int socket, const void *bytes, size_t length, int flags)
{
    int domain = 0;
    socklen_t size = sizeof domain;
    getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size);
    if (length > 0 && (domain == AF_INET || domain == AF_INET6)) {
        uint64_t random = next_random();
        if (random % 8 == 0) {
            errno = EAGAIN;
            return -1;
        }
        length = 1 + (random >> 8) % length;
    }
    return sendto(socket, bytes, length, flags, NULL, 0);
}
