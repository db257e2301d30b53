#include <config.h>

#include "voice.h"

#include "shared/clock.h"

int voice_open(struct voice *voice, const struct conf *conf, const char *name, const struct addrwatch *watch, bool want_answer, int64_t now_ms)
{
	if (conf->legacy)
		voice->elder = elder_new(conf, name, watch, now_ms);
	else
		voice->publisher = publisher_new(conf, name, watch, want_answer, now_ms);
	return voice_is_open(voice) ? 0 : -1;
}

void voice_close(struct voice *voice)
{
	publisher_free(voice->publisher);
	elder_free(voice->elder);
}

bool voice_is_open(const struct voice *voice)
{
	return voice->publisher != NULL || voice->elder != NULL;
}

int voice_fd(const struct voice *voice)
{
	if (voice->elder != NULL)
		return elder_fd(voice->elder);
	return voice->publisher != NULL ? publisher_fd(voice->publisher) : -1;
}

int64_t voice_deadline_ms(const struct voice *voice)
{
	if (voice->elder != NULL)
		return elder_deadline_ms(voice->elder);
	return voice->publisher != NULL ? publisher_deadline_ms(voice->publisher) : CLOCK_NEVER;
}

void voice_step(struct voice *voice, int64_t now_ms)
{
	if (voice->elder != NULL)
		elder_step(voice->elder, now_ms);
	else
		publisher_step(voice->publisher, now_ms);
}

void voice_network_changed(struct voice *voice, int64_t now_ms)
{
	if (voice->elder != NULL)
		elder_network_changed(voice->elder, now_ms);
	else
		publisher_network_changed(voice->publisher, now_ms);
}

void voice_withhold(struct voice *voice, const char *why, int64_t now_ms)
{
	if (voice->elder != NULL)
		elder_withhold(voice->elder, why, now_ms);
	else
		publisher_withhold(voice->publisher, why, now_ms);
}

void voice_withdraw(struct voice *voice, int64_t now_ms)
{
	if (voice->elder != NULL)
		elder_withdraw(voice->elder, now_ms);
	else
		publisher_withdraw(voice->publisher, now_ms);
}

bool voice_ended(const struct voice *voice)
{
	return voice->elder != NULL ? elder_ended(voice->elder) : publisher_ended(voice->publisher);
}

enum publisher_answer voice_answer(const struct voice *voice)
{
	return voice->publisher != NULL ? publisher_answer(voice->publisher) : PUBLISHER_NO_ANSWER;
}

const char *voice_why_not(const struct voice *voice)
{
	return voice->elder != NULL ? "in the older format no host answers" : publisher_why_not(voice->publisher);
}

bool voice_is_announced(const struct voice *voice)
{
	return voice->elder != NULL ? elder_is_announced(voice->elder) : publisher_is_announced(voice->publisher);
}

const char *voice_status(const struct voice *voice)
{
	return voice->elder != NULL ? elder_status(voice->elder) : publisher_status(voice->publisher);
}
