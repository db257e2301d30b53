#include <config.h>

#include "ctl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static const struct ctl_command commands[] = {
	{"status", "", "how the daemon, the broker and dnsmasq are; 1 if degraded", NULL, ctl_status},
	{"list", "[PATTERN]", "the names, all or those that match (web-*); 1 if none",
	 "  -w, --withdrawn     those that their emitters have withdrawn because a check fails, and why\n"
	 "  -W, --wide          every column whole, also what each emitter is\n", ctl_list},
	{"why", "NAME", "who claims a name, and what was refused; 1 if it is not served",
	 "  -u, --user USER     also: may this user of the broker announce it?\n", ctl_why},
	{"watch", "[PATTERN]", "a table of the names that follows every change; lines where there is no terminal",
	 "  -f, --filter PATTERN\n"
	 "  -S, --state STATE   only these: confirmed, unconfirmed, lost, waiting, forbidden (comma-separated)\n"
	 "  -o, --sort KEY      name, age, state or changes\n", ctl_watch},
	{"wait", "NAME", "until a name resolves; 1 if it does not in time",
	 "  -g, --gone          until it does not any more\n"
	 "  -t, --timeout S     seconds, 30 without this option; 0: ask once\n", ctl_wait},
	{"metrics", "", "the daemon's figures, as Prometheus reads them", NULL, ctl_metrics},
	{"forget", "NAME", "drop a name whose container is gone; root only; 1 if nobody announced it", NULL, ctl_forget},
	{"rollcall", "", "ask every emitter to announce again; root only", NULL, ctl_rollcall},
	{"reload", "", "read the configuration again; root only; 1 if it is wrong", NULL, ctl_reload},
	{"doctor", "", "look at the whole chain, and say what mends it; 1 if a link is broken",
	 "  -c, --config FILE   the daemon's configuration, instead of /etc/callsign/callsignd.conf\n", ctl_doctor},
	{NULL, NULL, NULL, NULL, NULL},
};

static void look_at_terminal(struct ctl *ctl)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
	struct winsize size;

	if (!isatty(STDOUT_FILENO))
		return;
	ctl->width = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
	/* no-color.org: present and not empty. */
	ctl->colour = (no_colour == NULL || no_colour[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
}

static const struct ctl_command *find_command(const char *name)
{
	for (const struct ctl_command *command = commands; command->name != NULL; command++) {
		if (strcmp(command->name, name) == 0)
			return command;
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {CTL_OPTIONS, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	struct ctl ctl = {.socket = CTL_SOCKET, .commands = commands};
	int first;

	look_at_terminal(&ctl);
	/* +: up to the command, whose own options follow it. */
	while (ctl_getopt(&ctl, argc, argv, "+" CTL_SHORT "V", options) == 'V') {
		puts("callsignctl " PACKAGE_VERSION);
		return ctl_done(CTL_YES);
	}
	if (optind == argc)
		ctl_usage(&ctl, "a command is missing");
	first = optind;
	ctl.command = find_command(argv[first]);
	if (ctl.command == NULL)
		ctl_usage(&ctl, "there is no command \"%s\"", argv[first]);
	optind = 0; /* getopt(3): begin anew, and look at POSIXLY_CORRECT and '+' again */
	return ctl.command->run(&ctl, argc - first, argv + first);
}
