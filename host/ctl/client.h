#ifndef CALLSIGN_CTL_CLIENT_H
#define CALLSIGN_CTL_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "ctl.h"

/* callsignctl's end of the control socket. */
struct ctl_client;

#define CTL_ANSWER_MS 30000

/* NULL after saying why; *code is the exit code then. To be closed. */
struct ctl_client *ctl_client_open(const struct ctl *ctl, int *code);
void ctl_client_close(struct ctl_client *client);
int ctl_client_fd(const struct ctl_client *client);

/* Takes request over. 0, or -1 after saying why. */
int ctl_client_ask(struct ctl_client *client, json_t *request);

enum ctl_line { CTL_LINE, CTL_LINE_NONE, CTL_LINE_END };

/* The next line if there is one without waiting (CTL_LINE, *line is a new reference), or CTL_LINE_NONE, or CTL_LINE_END: the daemon hung up or
 * sent what is no JSON, which was said. */
enum ctl_line ctl_client_poll(struct ctl_client *client, json_t **line);

/* The next line, waiting up to CTL_ANSWER_MS for it. NULL after saying why. */
json_t *ctl_client_line(struct ctl_client *client);

/*
 * One request, one answer: the new reference, or NULL after saying what went wrong, "ok" being false included (where printed, as JSON, with --json);
 * *code is the exit code then.
 */
json_t *ctl_ask(const struct ctl *ctl, json_t *request, int *code);

/* Whether line says ok: false; then the error has been said. */
bool ctl_refused(const struct ctl *ctl, const json_t *line);

/* A JSON document to standard output, as people indent it. */
void ctl_print_json(const json_t *json);

#endif
