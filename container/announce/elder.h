#ifndef CALLSIGN_EMIT_ELDER_H
#define CALLSIGN_EMIT_ELDER_H

#include <stdbool.h>
#include <stdint.h>

#include "addrwatch.h"
#include "conf.h"

/*
 * The publisher's place with `legacy`: says `IP:HOSTNAME:up` and `IP:HOSTNAME:down` (shared/contract/legacy.h) and nothing else, for hosts that know only the
 * older wire format. No will, no lease, no roll call: a name whose container is killed stays. So it says `up` again after each reconnect, and
 * `down` of an address that has gone. Functions as in publisher.h.
 */
struct elder;

#define ELDER_AGAIN_FIRST_MS 1000 /* nobody listened: the fanout exchange keeps nothing for later */
#define ELDER_AGAIN_MAX_MS 5000

struct elder *elder_new(const struct conf *conf, const char *name, const struct addrwatch *watch, int64_t now_ms);
void elder_free(struct elder *elder);
int elder_fd(const struct elder *elder);
int64_t elder_deadline_ms(const struct elder *elder);
void elder_step(struct elder *elder, int64_t now_ms);
void elder_network_changed(struct elder *elder, int64_t now_ms);
void elder_withhold(struct elder *elder, const char *why, int64_t now_ms);
void elder_withdraw(struct elder *elder, int64_t now_ms);
bool elder_ended(const struct elder *elder);
bool elder_is_announced(const struct elder *elder);
const char *elder_status(const struct elder *elder);

#endif
