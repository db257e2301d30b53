#ifndef CALLSIGN_MICROHTTPD_H
#define CALLSIGN_MICROHTTPD_H

#include <microhttpd.h>
#include <stddef.h>

/*
 * libmicrohttpd, loaded when it is needed: with it come GnuTLS and nine more libraries, 2.4 MB and the larger half of what the daemon's start would
 * take, and most daemons have no status page. As it was when we were built: MICROHTTPD_SONAME, from configure.
 */
#define MICROHTTPD_FUNCTIONS(X)     \
	X(add_response_header)          \
	X(create_response_from_buffer)  \
	X(destroy_response)             \
	X(get_connection_info)          \
	X(get_daemon_info)              \
	X(get_timeout)                  \
	X(lookup_connection_value)      \
	X(queue_response)               \
	X(run)                          \
	X(start_daemon)                 \
	X(stop_daemon)

struct microhttpd {
#define MICROHTTPD_MEMBER(name) __typeof__(MHD_##name) *(name);
	MICROHTTPD_FUNCTIONS(MICROHTTPD_MEMBER)
#undef MICROHTTPD_MEMBER
};

/* It is never unloaded. 0, or -1 with a reason in error, and out as it was. */
int microhttpd_load(const char *soname, struct microhttpd *out, char *error, size_t size);

#endif
