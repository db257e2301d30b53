#include <config.h>

#include "answer.h"

#include <stdlib.h>
#include <string.h>

#include "web/metrics.h"

static struct status_sources sources_of(const struct control_daemon *daemon)
{
	struct status_sources sources;

	memset(&sources, 0, sizeof sources);
	daemon->sources(daemon->arg, &sources);
	return sources;
}

static json_t *answer_status(const struct control_daemon *daemon, int64_t now_ms)
{
	struct status_sources sources = sources_of(daemon);
	struct status status;

	subscriber_asked(sources.subscriber, now_ms);
	status_gather(&sources, status_clock_at(now_ms), &status);
	return json_pack("{s:b, s:o}", "ok", 1, "status", status_json(&status));
}

static json_t *answer_why(const struct control_daemon *daemon, const struct control_request *request, int64_t now_ms)
{
	struct status_sources sources = sources_of(daemon);

	return json_pack("{s:b, s:o}", "ok", 1, "why",
	                 status_why_json(&sources, request->name, request->has_user ? request->user : NULL, status_clock_at(now_ms)));
}

static json_t *answer_forget(const struct control_daemon *daemon, const struct control_request *request, int64_t now_ms)
{
	size_t count = daemon->forget(daemon->arg, request->name, now_ms);

	if (count == 0)
		return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", "absent", "error", "nobody has announced this name");
	return json_pack("{s:b, s:I}", "ok", 1, "forgotten", (json_int_t)count);
}

static json_t *answer_rollcall(const struct control_daemon *daemon, int64_t now_ms)
{
	if (daemon->rollcall(daemon->arg, now_ms))
		return json_pack("{s:b}", "ok", 1);
	return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", "unavailable", "error", "there is no connection to the broker");
}

static json_t *answer_reload(const struct control_daemon *daemon, int64_t now_ms)
{
	if (daemon->reload(daemon->arg, now_ms))
		return json_pack("{s:b}", "ok", 1);
	return json_pack("{s:b, s:s, s:s}", "ok", 0, "code", "refused", "error",
	                 "the new configuration is wrong and the old one stays in force: callsignd --check-config says where");
}

static json_t *answer_metrics(const struct control_daemon *daemon, int64_t now_ms)
{
	struct status_sources sources = sources_of(daemon);
	size_t length;
	char *text;
	json_t *answer;

	subscriber_asked(sources.subscriber, now_ms);
	text = metrics_text(&sources, status_clock_at(now_ms), &length);
	answer = text != NULL ? json_pack("{s:b, s:s}", "ok", 1, "metrics", text) : NULL;
	free(text);
	return answer;
}

static json_t *answer_withdrawn(const struct control_daemon *daemon, int64_t now_ms)
{
	struct status_sources sources = sources_of(daemon);

	return json_pack("{s:b, s:o}", "ok", 1, "withdrawn", status_withdrawn_json(&sources, NULL, status_clock_at(now_ms)));
}

json_t *control_answer(const struct control_daemon *daemon, const struct control_request *request, int64_t now_ms)
{
	switch (request->op) {
	case CONTROL_STATUS:
		return answer_status(daemon, now_ms);
	case CONTROL_WHY:
		return answer_why(daemon, request, now_ms);
	case CONTROL_FORGET:
		return answer_forget(daemon, request, now_ms);
	case CONTROL_ROLLCALL:
		return answer_rollcall(daemon, now_ms);
	case CONTROL_RELOAD:
		return answer_reload(daemon, now_ms);
	case CONTROL_METRICS:
		return answer_metrics(daemon, now_ms);
	case CONTROL_WITHDRAWN:
		return answer_withdrawn(daemon, now_ms);
	case CONTROL_LIST:
	case CONTROL_WATCH:
		break; /* streams: stream.h */
	}
	return NULL;
}
