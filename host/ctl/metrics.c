#include <config.h>

#include "client.h"
#include "ctl.h"

/* The same text as /metrics has, also where that is off. */
int ctl_metrics(struct ctl *ctl, int argc, char **argv)
{
	const char *text;
	json_t *answer;
	int code;

	ctl_arguments(ctl, argc, argv, 0, 0);
	answer = ctl_ask(ctl, json_pack("{s:s}", "op", "metrics"), &code);
	if (answer == NULL)
		return code;
	text = json_string_value(json_object_get(answer, "metrics"));
	code = text != NULL ? CTL_YES : CTL_NO;
	if (text == NULL)
		ctl_error("the daemon's answer has no metrics: is it older than callsignctl?");
	else if (ctl->json)
		ctl_print_json(answer);
	else
		fputs(text, stdout);
	json_decref(answer);
	return ctl_done(code);
}
