/* Reservations as bytes: of each namespace that has, or had, any: a head and its registrants. */
#include "dev/nvme_internal.h"

#include <errno.h>

enum {
	SPACE_NSID = 0,
	SPACE_GENERATION = 4,
	SPACE_TYPE = 8,
	SPACE_HOLDER = 9,
	SPACE_COUNT = 10, /* registrants that follow */
	SPACE_PERSISTS = 12, /* through a loss of power */
	SPACE_SIZE = 16,
	REGISTRANT_KEY = 0,
	REGISTRANT_HOST = 8,
	REGISTRANT_CONTROLLER = 24,
	REGISTRANT_AT = 26, /* its index */
	REGISTRANT_LONG = 27,
	REGISTRANT_SIZE = 32,
};

static unsigned count_registrants(const struct nvme_reservation *reservation)
{
	unsigned n = 0;

	for (unsigned i = 0; i < NVME_REGISTRANTS; i++)
		n += reservation->registrants[i].here;
	return n;
}

static bool has_any(const struct nvme_reservation *reservation)
{
	return reservation->generation || reservation->type || reservation->persists || count_registrants(reservation);
}

static void put_space(const struct nvme_reservation *reservation, unsigned index, uint8_t *to)
{
	memset(to, 0, SPACE_SIZE);
	put_le32(to + SPACE_NSID, index + 1);
	put_le32(to + SPACE_GENERATION, reservation->generation);
	to[SPACE_TYPE] = reservation->type;
	to[SPACE_HOLDER] = reservation->holder;
	to[SPACE_PERSISTS] = reservation->persists;
	put_le16(to + SPACE_COUNT, (uint16_t)count_registrants(reservation));
	to += SPACE_SIZE;
	for (unsigned i = 0; i < NVME_REGISTRANTS; i++) {
		const struct nvme_registrant *registrant = &reservation->registrants[i];

		if (!registrant->here)
			continue;
		memset(to, 0, REGISTRANT_SIZE);
		put_le64(to + REGISTRANT_KEY, registrant->key);
		memcpy(to + REGISTRANT_HOST, registrant->host, sizeof registrant->host);
		put_le16(to + REGISTRANT_CONTROLLER, registrant->controller);
		to[REGISTRANT_AT] = (uint8_t)i;
		to[REGISTRANT_LONG] = registrant->host_long;
		to += REGISTRANT_SIZE;
	}
}

size_t nvme_reservations_save(const struct nvme_subsystem *subsystem, uint8_t *to, size_t room)
{
	size_t size = 0;

	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++)
		if (has_any(&subsystem->spaces[i].reservation))
			size += SPACE_SIZE +
				(size_t)REGISTRANT_SIZE * count_registrants(&subsystem->spaces[i].reservation);
	if (size > room)
		return size;
	for (unsigned i = 0; i < BLOCK_NAMESPACES_MAX; i++) {
		const struct nvme_reservation *reservation = &subsystem->spaces[i].reservation;

		if (!has_any(reservation))
			continue;
		put_space(reservation, i, to);
		to += SPACE_SIZE + (size_t)REGISTRANT_SIZE * count_registrants(reservation);
	}
	return size;
}

static bool get_registrant(struct nvme_reservation *reservation, const uint8_t *from)
{
	struct nvme_registrant *registrant;

	if (from[REGISTRANT_AT] >= NVME_REGISTRANTS || from[REGISTRANT_LONG] > 1 ||
	    get_le16(from + REGISTRANT_CONTROLLER) >= NVME_CONTROLLERS_MAX)
		return false;
	registrant = &reservation->registrants[from[REGISTRANT_AT]];
	if (registrant->here)
		return false;
	*registrant = (struct nvme_registrant){
		.key = get_le64(from + REGISTRANT_KEY), .controller = get_le16(from + REGISTRANT_CONTROLLER),
		.here = true, .host_long = from[REGISTRANT_LONG],
	};
	memcpy(registrant->host, from + REGISTRANT_HOST, sizeof registrant->host);
	return true;
}

/* A holder is registered; 8.19. */
static bool is_sound(const struct nvme_reservation *reservation)
{
	return reservation->type <= NVME_RESERVE_ALL && reservation->holder < NVME_REGISTRANTS &&
	       (!reservation->type || count_registrants(reservation)) &&
	       (!reservation->type || reservation->type == NVME_RESERVE_WRITE_ALL ||
		reservation->type == NVME_RESERVE_ALL || reservation->registrants[reservation->holder].here);
}

/* One namespace's; what it takes, or 0. */
static size_t get_space(struct nvme_reservation *reservation, uint32_t *nsid, const uint8_t *from, size_t size)
{
	size_t whole;

	if (size < SPACE_SIZE)
		return 0;
	*nsid = get_le32(from + SPACE_NSID);
	*reservation = (struct nvme_reservation){ .generation = get_le32(from + SPACE_GENERATION),
						  .type = from[SPACE_TYPE], .holder = from[SPACE_HOLDER],
						  .persists = from[SPACE_PERSISTS] & 1 };
	whole = SPACE_SIZE + (size_t)REGISTRANT_SIZE * get_le16(from + SPACE_COUNT);
	if (*nsid - 1 >= BLOCK_NAMESPACES_MAX || whole > size)
		return 0;
	for (size_t at = SPACE_SIZE; at < whole; at += REGISTRANT_SIZE)
		if (!get_registrant(reservation, from + at))
			return 0;
	return is_sound(reservation) ? whole : 0;
}

int nvme_reservations_load(struct nvme_subsystem *subsystem, const uint8_t *from, size_t size)
{
	struct nvme_reservation reservation;
	uint32_t nsid = 0, last = 0;

	for (size_t at = 0, whole; at < size; at += whole, last = nsid) {
		whole = get_space(&reservation, &nsid, from + at, size - at);
		if (!whole || nsid <= last || !subsystem->spaces[nsid - 1].there)
			return -EINVAL;
	}
	for (size_t at = 0; at < size;) {
		at += get_space(&reservation, &nsid, from + at, size - at);
		subsystem->spaces[nsid - 1].reservation = reservation;
	}
	return 0;
}
