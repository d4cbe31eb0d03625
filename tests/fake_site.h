/* tests/fake_site.h -- a site made of a few numbers, behind the same tables as the running one: for
 * tests of the HTTP server and of the tool. */
#ifndef TESTS_FAKE_SITE_H
#define TESTS_FAKE_SITE_H

#include "manage/http.h"

enum { FAKE_CARDS = 2, FAKE_FUNCTIONS = 6, FAKE_EVENTS_MAX = 16 };

struct fake_site {
	bool pulled[FAKE_CARDS];
	bool hung[FAKE_CARDS];
	unsigned event_count;
	char last_action[512]; /* what the last action was asked */
	struct manage_http *http; /* told of events, when it is there */
};

/* Fills everything of 'conf' but loop and socket. */
void fake_site_conf(struct fake_site *site, struct manage_conf *conf);

/* One more event: its number is the new event_count. */
void fake_site_add_event(struct fake_site *site);

#endif
