#include "hookstate.h"

#include "jsontext.h"

#define PID_DIGITS_MAX 7 /* Linux: 4,194,304 at most */

int hookstate_pid(const char *text, size_t length)
{
	struct jsontext_span state, pid;
	int value = 0;
	size_t i;

	if (!jsontext_read(text, length, &state) || text[state.from] != '{')
		return -1;
	switch (jsontext_find(text, &state, "pid", &pid)) {
	case 0:
		return 0;
	case 1:
		break;
	default:
		return -1;
	}
	if (pid.to - pid.from > PID_DIGITS_MAX)
		return -1;
	for (i = pid.from; i < pid.to; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -1;
		value = value * 10 + (text[i] - '0');
	}
	return value;
}
