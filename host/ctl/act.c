#include <config.h>

#include "client.h"
#include "ctl.h"

/* The subcommands that change something: one request, one answer. */

/* Takes request over. NULL: *code says how it ended. */
static json_t *act(const struct ctl *ctl, json_t *request, int *code)
{
	json_t *answer = ctl_ask(ctl, request, code);

	if (answer != NULL && ctl->json)
		ctl_print_json(answer);
	return answer;
}

int ctl_forget(struct ctl *ctl, int argc, char **argv)
{
	char **arguments = ctl_arguments(ctl, argc, argv, 1, 1);
	int code;
	json_t *answer = act(ctl, json_pack("{s:s, s:o}", "op", "forget", "name", ctl_text(ctl, arguments[0])), &code);

	if (answer == NULL)
		return code;
	if (!ctl->json)
		printf("forgotten: %" JSON_INTEGER_FORMAT " instance(s); they come back when their container starts anew\n",
		       json_integer_value(json_object_get(answer, "forgotten")));
	json_decref(answer);
	return ctl_done(CTL_YES);
}

static int simple(struct ctl *ctl, int argc, char **argv, const char *op, const char *said)
{
	int code;
	json_t *answer;

	ctl_arguments(ctl, argc, argv, 0, 0);
	answer = act(ctl, json_pack("{s:s}", "op", op), &code);
	if (answer == NULL)
		return code;
	if (!ctl->json)
		puts(said);
	json_decref(answer);
	return ctl_done(CTL_YES);
}

int ctl_rollcall(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "rollcall", "every emitter is asked to announce its name again");
}

int ctl_reload(struct ctl *ctl, int argc, char **argv)
{
	return simple(ctl, argc, argv, "reload", "the new configuration is in force");
}
