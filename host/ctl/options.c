#include <config.h>

#include "ctl.h"

#include <stdarg.h>
#include <stdlib.h>

/* ---- help and usage ---- */

static void print_usage(const struct ctl_command *commands, FILE *out)
{
	fputs("usage: callsignctl [--json] [--socket PATH] COMMAND [ARGUMENTS]\n\n", out);
	for (; commands->name != NULL; commands++)
		fprintf(out, "  %-8s %-10s %s\n", commands->name, commands->arguments, commands->help);
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
		print_usage(ctl->commands, stderr);
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
				print_usage(ctl->commands, stdout);
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
