#ifndef CALLSIGN_CTL_H
#define CALLSIGN_CTL_H

/*
 * The room host/ctl/: callsignctl. It knows the daemon by its control socket alone (docs/control.md) and includes nothing of its inside.
 */

#include <getopt.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* callsignctl: what its subcommands share. */
enum ctl_exit {
	CTL_YES = 0,
	CTL_NO = 1, /* absent, degraded, refused, not allowed */
	CTL_USAGE = 2,
	CTL_NOT_RUNNING = 3
};

#define CTL_SOCKET "/run/callsign/control.sock"

struct ctl_command;

struct ctl {
	const char *socket;
	bool json;
	bool colour;    /* standard output is a terminal and NO_COLOR is not set */
	unsigned width; /* of the terminal; 0: standard output is none */
	const struct ctl_command *commands; /* all of them; the last has no name */
	const struct ctl_command *command;
};

struct ctl_command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *help;      /* one line */
	const char *options;   /* lines for --help, or NULL */
	int (*run)(struct ctl *ctl, int argc, char **argv); /* argv[0]: the command. Returns an enum ctl_exit. */
};

int ctl_status(struct ctl *ctl, int argc, char **argv);
int ctl_list(struct ctl *ctl, int argc, char **argv);
int ctl_why(struct ctl *ctl, int argc, char **argv);
int ctl_watch(struct ctl *ctl, int argc, char **argv);
int ctl_wait(struct ctl *ctl, int argc, char **argv);
int ctl_forget(struct ctl *ctl, int argc, char **argv);
int ctl_rollcall(struct ctl *ctl, int argc, char **argv);
int ctl_reload(struct ctl *ctl, int argc, char **argv);
int ctl_doctor(struct ctl *ctl, int argc, char **argv);
int ctl_metrics(struct ctl *ctl, int argc, char **argv);

/* ---- options (options.c) ---- */

/* Every subcommand's table begins with these; short options: CTL_SHORT first. */
#define CTL_OPTIONS {"json", no_argument, NULL, 'j'}, {"socket", required_argument, NULL, 's'}, {"help", no_argument, NULL, 'h'}
#define CTL_SHORT "js:h"

/* Like getopt_long(), with the shared options done. Ends the program on a wrong option (CTL_USAGE) and on --help. */
int ctl_getopt(struct ctl *ctl, int argc, char **argv, const char *letters, const struct option *options);

/* Ends with CTL_USAGE, after saying what is wrong and the command's usage. */
void ctl_usage(const struct ctl *ctl, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

/* For subcommands without options of their own: what is left of argv after the shared options, which must be least to most arguments. */
char **ctl_arguments(struct ctl *ctl, int argc, char **argv, int least, int most);

/* An argument as JSON. Ends with CTL_USAGE if it is not UTF-8. */
json_t *ctl_text(const struct ctl *ctl, const char *argument);

/* Errors: "callsignctl: ..." */
void ctl_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Flush standard output; code, or CTL_NO if that failed, which is said. */
int ctl_done(int code);

#endif
