#include "prog/conform_vfio_user.h"

#include "attach/vfio_user_client.h"
#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

enum { BARS = 6, CONFIG = 7 };

struct conform_vfio_user {
	struct conform_target target;
	struct vfio_user_client *client;
};

static struct conform_vfio_user *of(struct conform_target *target)
{
	return container_of(target, struct conform_vfio_user, target);
}

bool conform_vfio_user_is(const char *name)
{
	struct stat st;

	return stat(name, &st) == 0 && S_ISSOCK(st.st_mode);
}

/* A configuration space of 256 bytes has nothing behind them; another function is not there. */
static int read_config(struct conform_target *target, unsigned function, unsigned offset, unsigned size,
		       uint32_t *value)
{
	struct vfio_user_client *client = of(target)->client;
	uint64_t there = vfio_user_client_region(client, CONFIG)->size;
	uint8_t bytes[4] = { 0 };
	int err = 0;

	*value = UINT32_MAX;
	if (function)
		return 0;
	if (offset + size <= there)
		err = vfio_user_client_read(client, CONFIG, offset, size, bytes);
	*value = get_le32(bytes);
	return err;
}

static int write_config(struct conform_target *target, unsigned function, unsigned offset, unsigned size,
			uint32_t value)
{
	struct vfio_user_client *client = of(target)->client;
	uint8_t bytes[4];

	put_le32(bytes, value);
	if (function || offset + size > vfio_user_client_region(client, CONFIG)->size)
		return 0;
	return vfio_user_client_write(client, CONFIG, offset, size, bytes);
}

static bool in_bar(struct conform_target *target, unsigned function, unsigned bar, uint64_t offset)
{
	uint64_t size = bar < BARS ? vfio_user_client_region(of(target)->client, bar)->size : 0;

	return function == 0 && size >= 4 && offset <= size - 4;
}

static int bar_read(struct conform_target *target, unsigned function, unsigned bar, uint64_t offset,
		    uint32_t *value)
{
	uint8_t bytes[4];
	int err;

	if (!in_bar(target, function, bar, offset))
		return -ENXIO;
	err = vfio_user_client_read(of(target)->client, bar, offset, sizeof bytes, bytes);
	if (!err)
		*value = get_le32(bytes);
	return err;
}

static int bar_write(struct conform_target *target, unsigned function, unsigned bar, uint64_t offset,
		     uint32_t value)
{
	uint8_t bytes[4];

	put_le32(bytes, value);
	if (!in_bar(target, function, bar, offset))
		return -ENXIO;
	return vfio_user_client_write(of(target)->client, bar, offset, sizeof bytes, bytes);
}

static void wait(struct conform_target *target, uint64_t ns)
{
	struct timespec left = { .tv_sec = (time_t)(ns / 1000000000), .tv_nsec = (long)(ns % 1000000000) };

	(void)target;
	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		;
}

static uint64_t now(struct conform_target *target)
{
	struct timespec t;

	(void)target;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static const struct conform_target_ops ops = {
	.read = read_config,
	.write = write_config,
	.bar_read = bar_read,
	.bar_write = bar_write,
	.pause = wait,
	.now_ns = now,
};

int conform_vfio_user_open(struct conform_vfio_user **target, const char *path, struct refusal *why)
{
	struct conform_vfio_user *t = calloc(1, sizeof *t);
	int err;

	if (!t) {
		refuse(why, "", "no memory");
		return -ENOMEM;
	}
	err = vfio_user_client_open(&t->client, path, why);
	if (!err && !vfio_user_client_region(t->client, CONFIG)->size) {
		refuse(why, "", "it has no configuration space");
		err = -ENXIO;
	}
	if (err) {
		conform_vfio_user_close(t);
		return err;
	}
	t->target.ops = &ops;
	t->target.tells_lines = true;
	t->target.lines = (uint8_t)vfio_user_client_irqs(t->client, VFIO_USER_IRQ_INTX, NULL);
	for (unsigned bar = 0; bar < BARS; bar++)
		t->target.bar_bytes[bar] = vfio_user_client_region(t->client, bar)->size;
	*target = t;
	return 0;
}

void conform_vfio_user_close(struct conform_vfio_user *t)
{
	if (!t)
		return;
	vfio_user_client_close(t->client);
	free(t);
}

struct conform_target *conform_vfio_user_target(struct conform_vfio_user *t)
{
	return &t->target;
}
