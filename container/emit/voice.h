#ifndef CALLSIGN_EMIT_VOICE_H
#define CALLSIGN_EMIT_VOICE_H

#include "announce/elder.h"
#include "announce/publisher.h"

/* Whichever of the two speaks for this container: the publisher, or with `legacy` its elder. Functions as in publisher.h; NULL where one is not allowed. */
struct voice {
	struct publisher *publisher;
	struct elder *elder;
};

int voice_open(struct voice *voice, const struct conf *conf, const char *name, const struct addrwatch *watch, bool want_answer, int64_t now_ms);
void voice_close(struct voice *voice);
bool voice_is_open(const struct voice *voice);
int voice_fd(const struct voice *voice);
int64_t voice_deadline_ms(const struct voice *voice);
void voice_step(struct voice *voice, int64_t now_ms);
void voice_network_changed(struct voice *voice, int64_t now_ms);
void voice_withhold(struct voice *voice, const char *why, int64_t now_ms);
void voice_withdraw(struct voice *voice, int64_t now_ms);
bool voice_ended(const struct voice *voice);
enum publisher_answer voice_answer(const struct voice *voice); /* in the older format nobody answers */
const char *voice_why_not(const struct voice *voice);
bool voice_is_announced(const struct voice *voice);
const char *voice_status(const struct voice *voice);

#endif
