/* tests/e2e/patient_client.h -- a vfio-user client of the tests: the daemon may be late by a minute, as on a machine
 * that others use, and is not taken for one that never answers. */
#ifndef TESTS_E2E_PATIENT_CLIENT_H
#define TESTS_E2E_PATIENT_CLIENT_H

#include "attach/vfio_user_client.h"

#include <errno.h>
#include <time.h>

enum { PATIENT_CLIENT_S = 120 };

/* As vfio_user_client_open(), which takes a silence of seconds for another client that is there. */
static inline int patient_client_open(struct vfio_user_client **client, const char *path, struct refusal *why)
{
	time_t until = time(NULL) + PATIENT_CLIENT_S;
	int err;

	do
		err = vfio_user_client_open(client, path, why);
	while (err == -ETIMEDOUT && time(NULL) < until);
	if (!err)
		vfio_user_client_set_patience(*client, PATIENT_CLIENT_S * 1000);
	return err;
}

#endif
