#ifndef CALLSIGN_CONTROL_ANSWER_H
#define CALLSIGN_CONTROL_ANSWER_H

#include <jansson.h>
#include <stdint.h>

#include "control.h"
#include "request.h"

/*
 * What is asked of the daemon, done, and the line that says so (docs/control.md). New; NULL: no memory, or it is a request that is answered by a
 * stream. Who may ask has been looked at before.
 */
json_t *control_answer(const struct control_daemon *daemon, const struct control_request *request, int64_t now_ms);

#endif
