#include <config.h>

#include "accepting.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>

#include "clock.h"
#include "log.h"
#include "shortage.h"

void accepting_pause(struct accepting *accepting, int64_t now_ms)
{
	accepting->again_ms = now_ms + ACCEPTING_PAUSE_MS;
}

int accepting_take(struct accepting *accepting, int fd, const char *what, int64_t now_ms)
{
	int caller = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (caller != -1 || errno == EAGAIN || !shortage_is(errno))
		return caller;
	accepting_pause(accepting, now_ms);
	if (now_ms >= accepting->silence_ms) {
		log_warn("%s: callers have to wait", what);
		accepting->silence_ms = now_ms + ACCEPTING_SILENCE_MS;
	}
	return -1;
}

bool accepting_polls(const struct accepting *accepting, int64_t now_ms)
{
	return now_ms >= accepting->again_ms;
}

int64_t accepting_deadline_ms(const struct accepting *accepting, int64_t now_ms)
{
	return accepting_polls(accepting, now_ms) ? CLOCK_NEVER : accepting->again_ms;
}
