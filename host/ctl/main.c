#include <config.h>

#include "ctl.h"

#include <stdarg.h>
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
};

#define COMMANDS (sizeof commands / sizeof *commands)

/* ---- help and usage ---- */

static void print_usage(FILE *out)
{
	size_t i;

	fputs("usage: callsignctl [--json] [--socket PATH] COMMAND [ARGUMENTS]\n\n", out);
	for (i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-8s %-10s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
	fputs("\n"
	      "  -j, --json          JSON for programs\n"
	      "  -s, --socket PATH   of the daemon, instead of " CTL_SOCKET "\n"
	      "  -V, --version       print the version and end\n"
	      "  -h, --help          print this and end; after COMMAND: about that one\n"
	      "\n"
	      "Exit codes: 0 yes, 1 no, 2 wrong usage, 3 the daemon is not running.\n", out);
}

static void print_command_usage(const struct ctl_command *command, FILE *out)
{
	fprintf(out, "usage: callsignctl %s [OPTIONS] %s\n\n%s\n", command->name, command->arguments, command->help);
	fprintf(out, "%s%s", command->options != NULL ? "\n" : "", command->options != NULL ? command->options : "");
}

void ctl_error(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("callsignctl: ", stderr);
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
}

void ctl_usage(const struct ctl *ctl, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("callsignctl: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs("\n\n", stderr);
	va_end(arguments);
	if (ctl->command != NULL)
		print_command_usage(ctl->command, stderr);
	else
		print_usage(stderr);
	exit(CTL_USAGE);
}

int ctl_done(int code)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return code;
	perror("callsignctl: standard output");
	return CTL_NO;
}

/* ---- options ---- */

int ctl_getopt(struct ctl *ctl, int argc, char **argv, const char *letters, const struct option *options)
{
	int option;

	while ((option = getopt_long(argc, argv, letters, options, NULL)) != -1) {
		switch (option) {
		case 'j':
			ctl->json = true;
			break;
		case 's':
			ctl->socket = optarg;
			break;
		case 'h':
			if (ctl->command != NULL)
				print_command_usage(ctl->command, stdout);
			else
				print_usage(stdout);
			exit(ctl_done(CTL_YES));
		case '?': /* getopt_long has said what is wrong */
			exit(CTL_USAGE);
		default:
			return option;
		}
	}
	return -1;
}

char **ctl_arguments(struct ctl *ctl, int argc, char **argv, int least, int most)
{
	static const struct option options[] = {CTL_OPTIONS, {NULL, 0, NULL, 0}};

	ctl_getopt(ctl, argc, argv, CTL_SHORT, options);
	if (argc - optind < least)
		ctl_usage(ctl, "%s: something is missing", ctl->command->name);
	if (argc - optind > most)
		ctl_usage(ctl, "%s: too many arguments", ctl->command->name);
	return argv + optind;
}

json_t *ctl_text(const struct ctl *ctl, const char *argument)
{
	json_t *text = json_string(argument);

	if (text == NULL)
		ctl_usage(ctl, "%s: an argument is not UTF-8", ctl->command->name);
	return text;
}

/* ---- main ---- */

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
	size_t i;

	for (i = 0; i < COMMANDS; i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {CTL_OPTIONS, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
	struct ctl ctl = {.socket = CTL_SOCKET};
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
