/* Device features: live migration of the function's state, and (vfio_user_log.c) of what it writes.
 *
 * What goes through MIG_DATA_READ and _WRITE is a stream of records: what kind of function it is, which can go
 * while the function runs (pre-copy), so that a destination refuses early, and its state, which needs it quiet. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>

enum {
	RECORD_KIND = 0,  /* 32 bits; 32 of zeros follow */
	RECORD_BYTES = 8, /* 64 bits: of data behind the head */
	RECORD_SIZE = 16,
	RECORD_HELLO = 0x4f4c4548, /* "HELO": the first bytes of configuration space, and vectors */
	RECORD_STATE = 0x54415453, /* "STAT": pci_function_save() */
	HELLO_WORD = 4,
	HELLO_SIZE = 16,
};

static bool can_migrate(const struct vfio_user *vf)
{
	return vf->function->ops->save && vf->function->ops->load;
}

/* The stream. */

static void clear(struct vfuser_migration *m)
{
	free(m->data);
	m->data = NULL;
	m->size = m->at = 0;
}

/* Room for 'size' more bytes at the end, or NULL. */
static uint8_t *extend(struct vfuser_migration *m, size_t size)
{
	uint8_t *data;

	if (size > VFUSER_RECORDS_MAX - m->size)
		return NULL;
	data = realloc(m->data, m->size + size);
	if (!data)
		return NULL;
	m->data = data;
	m->size += size;
	return data + m->size - size;
}

static void write_head(uint8_t *at, uint32_t kind, uint64_t size)
{
	put_le32(at + RECORD_KIND, kind);
	put_le32(at + RECORD_KIND + 4, 0);
	put_le64(at + RECORD_BYTES, size);
}

/* Identity words of configuration space, and how many vectors there are. */
static void hello(const struct vfio_user *vf, uint8_t bytes[HELLO_SIZE])
{
	put_le32(bytes, vf->function->space.word[0]);
	put_le32(bytes + HELLO_WORD, vf->function->space.word[2]);
	put_le32(bytes + 2 * HELLO_WORD, vf->function->space.word[11]);
	put_le32(bytes + 3 * HELLO_WORD, vf->function->vectors);
}

static int add_hello(struct vfio_user *vf)
{
	uint8_t *at = extend(&vf->migration, RECORD_SIZE + HELLO_SIZE);

	if (!at)
		return -ENOMEM;
	write_head(at, RECORD_HELLO, HELLO_SIZE);
	hello(vf, at + RECORD_SIZE);
	return 0;
}

/* The function is quiet. */
static int add_state(struct vfio_user *vf)
{
	size_t size;
	uint8_t *at;

	vfuser_hold(vf);
	size = pci_function_save(vf->function, NULL, 0);
	at = extend(&vf->migration, RECORD_SIZE + size);
	if (at) {
		write_head(at, RECORD_STATE, size);
		must(pci_function_save(vf->function, at + RECORD_SIZE, size) == size);
	}
	vfuser_release(vf);
	return at ? 0 : -ENOMEM;
}

static int load_record(struct vfio_user *vf, uint32_t kind, const uint8_t *data, size_t size)
{
	uint8_t ours[HELLO_SIZE];
	int err;

	if (kind == RECORD_HELLO) {
		hello(vf, ours);
		return size == HELLO_SIZE && memcmp(ours, data, size) == 0 ? 0 : -EINVAL;
	}
	if (kind != RECORD_STATE)
		return -EINVAL;
	vfuser_hold(vf);
	err = pci_function_load(vf->function, data, size);
	vfuser_release(vf);
	return err;
}

/* Every record must be whole, and the last one a state. */
static int load_stream(struct vfio_user *vf)
{
	const struct vfuser_migration *m = &vf->migration;
	uint32_t kind = 0;

	for (size_t at = 0; at < m->size;) {
		uint64_t size;
		int err;

		if (m->size - at < RECORD_SIZE)
			return -EINVAL;
		kind = get_le32(m->data + at + RECORD_KIND);
		size = get_le64(m->data + at + RECORD_BYTES);
		at += RECORD_SIZE;
		if (size > m->size - at)
			return -EINVAL;
		err = load_record(vf, kind, m->data + at, size);
		if (err)
			return err;
		at += size;
	}
	return kind == RECORD_STATE ? 0 : -EINVAL;
}

/* States: linux/vfio.h, enum vfio_device_mig_state, without the peer-to-peer ones. */

enum {
	ERROR = VFIO_USER_STATE_ERROR,
	STOP = VFIO_USER_STATE_STOP,
	RUN = VFIO_USER_STATE_RUNNING,
	COPY = VFIO_USER_STATE_STOP_COPY,
	RESUME = VFIO_USER_STATE_RESUMING,
	PRE = VFIO_USER_STATE_PRE_COPY,
};

/* The first step on the shortest way from one state to another that has no saving state inside; ERROR: there is
 * none. */
static const uint8_t next_step[VFIO_USER_STATES][VFIO_USER_STATES] = {
	/* from       to: ERROR, STOP, RUNNING, STOP_COPY, RESUMING, P2P, PRE_COPY */
	[STOP] = { ERROR, STOP, RUN, COPY, RESUME, ERROR, RUN },
	[RUN] = { ERROR, STOP, RUN, STOP, STOP, ERROR, PRE },
	[COPY] = { ERROR, STOP, STOP, COPY, STOP, ERROR, ERROR },
	[RESUME] = { ERROR, STOP, STOP, STOP, RESUME, ERROR, STOP },
	[PRE] = { ERROR, RUN, RUN, COPY, RUN, ERROR, PRE },
};

static int enter(struct vfio_user *vf, enum vfio_user_state next)
{
	struct vfuser_migration *m = &vf->migration;
	enum vfio_user_state from = m->state;
	int err = 0;

	if (from == VFIO_USER_STATE_RESUMING)
		err = load_stream(vf);
	if (!(from == VFIO_USER_STATE_PRE_COPY && next == VFIO_USER_STATE_STOP_COPY))
		clear(m);
	if (!err && (next == VFIO_USER_STATE_PRE_COPY ||
		     (next == VFIO_USER_STATE_STOP_COPY && from == VFIO_USER_STATE_STOP)))
		err = add_hello(vf);
	if (!err && next == VFIO_USER_STATE_STOP_COPY)
		err = add_state(vf);
	if (err)
		clear(m);
	m->state = err ? VFIO_USER_STATE_ERROR : next;
	m->quiet = m->state != VFIO_USER_STATE_RUNNING && m->state != VFIO_USER_STATE_PRE_COPY;
	return err;
}

static int go(struct vfio_user *vf, uint32_t to, struct refusal *why)
{
	struct vfuser_migration *m = &vf->migration;

	if (to >= VFIO_USER_STATES || next_step[m->state][to] == ERROR) {
		refuse(why, "", "no way leads from migration state %u to %u", m->state, to);
		return -EINVAL;
	}
	while (m->state != to) {
		int err = enter(vf, next_step[m->state][to]);

		if (err) {
			refuse(why, "", "%s", err == -ENOMEM ? "no memory for migration data"
							     : "the migration data is damaged, or of "
							       "another function");
			return err;
		}
	}
	return 0;
}

void vfuser_migration_reset(struct vfio_user *vf)
{
	clear(&vf->migration);
	vf->migration.state = VFIO_USER_STATE_RUNNING;
	vf->migration.quiet = false;
}

/* Features. */

static int answer_get(struct vfuser_msg *msg, uint64_t value, struct refusal *why)
{
	uint32_t whole = VFIO_USER_FEATURE_SIZE + 8;

	if (get_le32(msg->payload + VFIO_USER_FEATURE_ARGSZ) < whole) {
		refuse(why, "", "a feature is asked for with argsz %u, not %u or more",
		       get_le32(msg->payload), whole);
		return -EINVAL;
	}
	put_le32(msg->reply + VFIO_USER_FEATURE_ARGSZ, whole);
	put_le32(msg->reply + VFIO_USER_FEATURE_FLAGS, get_le32(msg->payload + VFIO_USER_FEATURE_FLAGS));
	put_le64(msg->reply + VFIO_USER_FEATURE_SIZE, value);
	msg->size = whole;
	return 0;
}

static int answer_same(struct vfuser_msg *msg)
{
	memcpy(msg->reply, msg->payload, msg->header.payload);
	msg->size = msg->header.payload;
	return 0;
}

static int get_migration(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	(void)vf;
	return answer_get(msg, VFIO_USER_MIGRATION_STOP_COPY | VFIO_USER_MIGRATION_PRE_COPY, why);
}

static int get_state(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	return answer_get(msg, vf->migration.state, why);
}

static int set_state(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	int err;

	if (msg->header.payload < VFIO_USER_FEATURE_SIZE + VFIO_USER_MIG_STATE_SIZE) {
		refuse(why, "", "a migration state comes with %u bytes", msg->header.payload);
		return -EINVAL;
	}
	err = go(vf, get_le32(msg->payload + VFIO_USER_FEATURE_SIZE), why);
	return err ? err : answer_same(msg);
}

static int set_log_stop(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	int err = vfuser_log_stop(vf, why);

	return err ? err : answer_same(msg);
}

static const struct feature {
	uint16_t index;
	bool migrates; /* only there when the function can */
	int (*get)(struct vfio_user *, struct vfuser_msg *, struct refusal *);
	int (*set)(struct vfio_user *, struct vfuser_msg *, struct refusal *);
} features[] = {
	{ VFIO_USER_FEATURE_MIGRATION, true, get_migration, NULL },
	{ VFIO_USER_FEATURE_MIG_STATE, true, get_state, set_state },
	{ VFIO_USER_FEATURE_LOG_START, false, NULL, vfuser_log_start },
	{ VFIO_USER_FEATURE_LOG_STOP, false, NULL, set_log_stop },
	{ VFIO_USER_FEATURE_LOG_REPORT, false, vfuser_log_report, NULL },
};

static const struct feature *find_feature(const struct vfio_user *vf, uint32_t index)
{
	for (unsigned i = 0; i < array_len(features); i++)
		if (features[i].index == index && (!features[i].migrates || can_migrate(vf)))
			return &features[i];
	return NULL;
}

int vfuser_feature(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	uint32_t flags = get_le32(msg->payload + VFIO_USER_FEATURE_FLAGS);
	uint32_t gets = flags & VFIO_USER_FEATURE_GET, sets = flags & VFIO_USER_FEATURE_SET;
	uint32_t known = VFIO_USER_FEATURE_INDEX | VFIO_USER_FEATURE_GET | VFIO_USER_FEATURE_SET |
			 VFIO_USER_FEATURE_PROBE;
	const struct feature *feature = find_feature(vf, flags & VFIO_USER_FEATURE_INDEX);

	if (!feature || (gets && !feature->get) || (sets && !feature->set)) {
		refuse(why, "", "feature %u cannot be had so (flags 0x%x)", flags & VFIO_USER_FEATURE_INDEX,
		       flags);
		return -ENOTSUP;
	}
	if (flags & ~known || (!(flags & VFIO_USER_FEATURE_PROBE) && !gets == !sets)) {
		refuse(why, "", "feature flags 0x%x: either get, set, or probe", flags);
		return -EINVAL;
	}
	if (flags & VFIO_USER_FEATURE_PROBE)
		return answer_same(msg);
	return gets ? feature->get(vf, msg, why) : feature->set(vf, msg, why);
}

int vfuser_mig_read(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	struct vfuser_migration *m = &vf->migration;
	uint32_t argsz = get_le32(msg->payload + VFIO_USER_MIG_ARGSZ);
	uint32_t size = get_le32(msg->payload + VFIO_USER_MIG_BYTES);

	if (m->state != VFIO_USER_STATE_PRE_COPY && m->state != VFIO_USER_STATE_STOP_COPY) {
		refuse(why, "", "migration data is asked for in state %u", m->state);
		return -EINVAL;
	}
	if (argsz < VFIO_USER_MIG_SIZE || size > VFIO_USER_TRANSFER_MAX) {
		refuse(why, "", "%u bytes of migration data are asked for with argsz %u", size, argsz);
		return -EINVAL;
	}
	size = (uint32_t)min_u64(min_u32(size, argsz - VFIO_USER_MIG_SIZE), m->size - m->at);
	put_le32(msg->reply + VFIO_USER_MIG_ARGSZ, VFIO_USER_MIG_SIZE + size);
	put_le32(msg->reply + VFIO_USER_MIG_BYTES, size);
	if (size)
		memcpy(msg->reply + VFIO_USER_MIG_SIZE, m->data + m->at, size);
	m->at += size;
	msg->size = VFIO_USER_MIG_SIZE + size;
	return 0;
}

int vfuser_mig_write(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	uint32_t size = get_le32(msg->payload + VFIO_USER_MIG_BYTES);
	uint8_t *at;

	if (vf->migration.state != VFIO_USER_STATE_RESUMING) {
		refuse(why, "", "migration data comes in state %u", vf->migration.state);
		return -EINVAL;
	}
	if (size > msg->header.payload - VFIO_USER_MIG_SIZE) {
		refuse(why, "", "%u bytes of migration data are announced, and fewer come", size);
		return -EINVAL;
	}
	at = size ? extend(&vf->migration, size) : NULL;
	if (size && !at) {
		refuse(why, "", "more than %u bytes of migration data", VFUSER_RECORDS_MAX);
		return -ENOSPC;
	}
	if (size)
		memcpy(at, msg->payload + VFIO_USER_MIG_SIZE, size);
	return 0;
}
