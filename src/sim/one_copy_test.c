/* A frame between two guests is copied once, from the memory of one to the memory of the other: the first 64 bytes
 * once more, into the message.
 *
 * Nothing is counted on the way.  Frames carry words that occur nowhere else, they pass through a card between
 * functions with drivers of their own, and then all memory that this process can write to is searched for these words:
 * whoever had put the frame down somewhere on the way, on its stack or in a buffer, would have left them there. */
#include "card/nic_card.h"
#include "dev/side_test.h"
#include "eswitch/offload.h"
#include "spec/ethernet.h"

#include <fcntl.h>
#include <unistd.h>

enum {
	GUESTS = 4,
	SENDER = 0,
	FRAME_BYTES = 9000,
	WORD = 8,                      /* its number, and MARK bytes that are the frame's own */
	NUMBER = 2, MARK = WORD - NUMBER,
	BUFFERS = 16,
	PIECES_MAX = 8, APART = 100,
	WORDS_AT = 16,                 /* behind the link header, at a multiple of WORD */
	TCP_WORDS_AT = 56,             /* behind all headers */
	WORDS = FRAME_BYTES / WORD,
	TCP_AT = ETH_HEADER_SIZE + IPV4_HEADER_MIN,
	SEGMENT = 1448,
	CHUNK = 1 << 20,
	IN_REGISTERS = 64 / WORD,      /* words that a compiler may lay down for a moment when it does not optimize */
};

#define MARK_BITS ((UINT64_C(1) << 8 * MARK) - 1)
/* A sanitizer's shadow is larger than that, and no memory of ours is. */
#define MAPPING_MAX (UINT64_C(1) << 30)
#define GUEST_MAC(n) (UINT64_C(0x525400000001) + (n))

/* -- guests on a card -- */

static struct side sides[GUESTS];
static struct nic_card *card;
static size_t card_size;
static uint64_t now_ns, seed;
static unsigned outside; /* pieces of frames behind their head that were not in the sender's memory */

static bool is_in(const void *at, const void *from, uint64_t size)
{
	return (uintptr_t)at - (uintptr_t)from < size;
}

static bool is_in_guest(const void *at, unsigned guest)
{
	return is_in(at, sides[guest].memory, sides[guest].guest->conf.memory_size);
}

/* What a receiver is given lies where the sender has it. */
static const struct nic_front_ops *real_ops;

static unsigned look_and_give(struct worker *worker, struct nic_front *front, struct frame *const *frames, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		if (frames[i]->body_size)
			outside += !is_in_guest(frames[i]->body, SENDER);
		for (unsigned k = 0; k < frames[i]->more_count; k++)
			outside += !is_in_guest(frames[i]->more[k].bytes, SENDER);
	}
	return real_ops->give(worker, front, frames, n);
}

static struct nic_front_ops looking_ops;

struct shape {
	uint64_t features;       /* of all guests, but for what the receivers do not have */
	uint64_t receivers_lack;
	uint32_t rx_buf_size;
};

static void plug(unsigned n, const struct shape *shape)
{
	const struct nic_vf_conf conf = { .mac = GUEST_MAC(n), .weight = 100, .spoof_check = true };
	const struct guest_net_conf guest = {
		.features = n == SENDER ? shape->features : shape->features & ~shape->receivers_lack,
		.ring_size = BUFFERS,
		.rx_buf_size = shape->rx_buf_size,
		.tx_buf_size = VIRTIO_NET_HDR_SIZE + FRAME_BYTES + 64,
	};
	struct side *side = &sides[n];

	side_init(side, 1);
	side->front->mac = GUEST_MAC(n);
	real_ops = side->front->ops;
	looking_ops = *real_ops;
	looking_ops.give = look_and_give;
	side->front->ops = &looking_ops;
	side_start(side, guest);
	assert_int_equal(nic_card_bind(NULL, card, n + 1, side->front, &conf, NULL), 0);
	assert_int_equal(guest_net_post(side->guest, 0, BUFFERS, 1, GUEST_DIRECT), BUFFERS);
}

static void open_card(const struct shape *shape)
{
	const struct nic_card_conf conf = { .vf_count = GUESTS, .fdb_entries = 64,
					    .fdb_age_ns = UINT64_C(300000000000), .seed = 7 };

	card_size = (nic_card_size(&conf) + 63) / 64 * 64;
	card = aligned_alloc(64, card_size);
	assert_non_null(card);
	assert_int_equal(nic_card_init(card, &conf, NULL), 0);
	assert_true(nic_card_hold(NULL, card, NULL, 1));
	for (unsigned n = 0; n < GUESTS; n++)
		plug(n, shape);
	nic_card_release(NULL, card);
	now_ns = 1000000000;
}

static void close_card(void)
{
	assert_true(nic_card_hold(NULL, card, NULL, 1));
	for (unsigned n = 0; n < GUESTS; n++) {
		assert_ptr_equal(nic_card_unbind(NULL, card, n + 1), sides[n].front);
		side_close(&sides[n]);
	}
	nic_card_release(NULL, card);
	free(card);
}

/* -- frames of words -- */

struct parcel {
	uint64_t to;
	uint32_t size;
	uint32_t words_at;
	bool large; /* a large TCP segment, to be cut by whoever does not take it whole */
	const uint32_t *pieces; /* offsets where they end, ascending, the header of the ring counted; NULL: one piece */
	unsigned piece_count;
	enum guest_layout layout;
};

/* The mark, each bit turned round, and a frame in the test's hands, the same: so the mark is in frames only. */
static uint64_t turned_mark;
static uint8_t turned[FRAME_BYTES];

static void put_headers(const struct parcel *p)
{
	uint8_t *ip = turned + ETH_HEADER_SIZE;

	memset(turned, 0, sizeof turned);
	put_be48(turned + ETH_DST, p->to);
	put_be48(turned + ETH_SRC, GUEST_MAC(SENDER));
	put_be16(turned + ETH_TYPE, ETHERTYPE_IPV4);
	if (p->large) {
		ip[IPV4_VERSION_IHL] = 0x45;
		put_be16(ip + IPV4_TOTAL_LENGTH, (uint16_t)(p->size - ETH_HEADER_SIZE));
		ip[IPV4_PROTOCOL] = IP_PROTOCOL_TCP;
		turned[TCP_AT + TCP_DATA_OFFSET] = 5 << 4;
	}
	for (unsigned i = 0; i < sizeof turned; i++)
		turned[i] = (uint8_t)~turned[i];
}

static void put_frame(const struct parcel *p)
{
	put_headers(p);
	for (uint32_t at = p->words_at; at + WORD <= p->size; at += WORD)
		put_le64(turned + at, turned_mark << 8 * NUMBER | (uint16_t)~(at / WORD));
}

/* One piece, in its place in the sender's memory, which is not beside that of the one before. */
static struct guest_buf put_piece(const uint8_t *header, uint32_t from, uint32_t to, uint64_t addr)
{
	uint8_t *at = guest_at(&sides[SENDER].guest->tx[0], addr);

	for (uint32_t i = from; i < to; i++)
		at[i - from] = i < VIRTIO_NET_HDR_SIZE ? header[i] : (uint8_t)~turned[i - VIRTIO_NET_HDR_SIZE];
	return (struct guest_buf){ addr, to - from, false };
}

static void put_pieces(const struct parcel *p, const uint8_t *header)
{
	struct guest_net *guest = sides[SENDER].guest;
	const uint32_t size = VIRTIO_NET_HDR_SIZE + p->size;
	struct guest_buf bufs[PIECES_MAX];
	uint64_t addr = guest->tx_bufs[0];
	uint32_t from = 0;
	unsigned n = 0;

	for (unsigned i = 0; i <= p->piece_count && from < size; i++) {
		uint32_t to = i < p->piece_count ? min_u32(p->pieces[i], size) : size;

		bufs[n++] = put_piece(header, from, to, addr);
		addr += to - from + APART;
		from = to;
	}
	assert_true(guest_ring_add(&guest->tx[0], bufs, n, p->layout, guest->tx_bufs[0]));
	guest_net_kick(guest, 0);
}

static void send(const struct parcel *p)
{
	uint8_t header[VIRTIO_NET_HDR_SIZE] = { 0 };

	if (p->large) {
		header[VIRTIO_NET_HDR_FLAGS] = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		header[VIRTIO_NET_HDR_GSO_TYPE] = VIRTIO_NET_HDR_GSO_TCPV4;
		put_le16(header + VIRTIO_NET_HDR_GSO_SIZE, SEGMENT);
		put_le16(header + VIRTIO_NET_HDR_CSUM_START, TCP_AT);
		put_le16(header + VIRTIO_NET_HDR_CSUM_OFFSET, TCP_CHECKSUM);
	}
	turned_mark = rand_u64(&seed) & MARK_BITS;
	put_frame(p);
	put_pieces(p, header);
	outside = 0;
	assert_int_equal(nic_card_poll(NULL, card, now_ns += 1000), 1);
}

/* -- where the words are now -- */

static struct {
	uint8_t guest[GUESTS][WORDS]; /* how often each is in its memory */
	uint8_t card[WORDS];          /* in the card's */
	unsigned elsewhere;           /* all others */
	const uint8_t *where;         /* one of these */
} found;

static uint8_t chunk[CHUNK + WORD - 1]; /* a word across two chunks is in the first */
static char maps[1 << 18];

static uint8_t *count_of(const uint8_t *at, unsigned number)
{
	if (number >= WORDS)
		return NULL;
	for (unsigned n = 0; n < GUESTS; n++)
		if (is_in_guest(at, n))
			return &found.guest[n][number];
	return is_in(at, card, card_size) ? &found.card[number] : NULL;
}

static void note(const uint8_t *at, unsigned number)
{
	uint8_t *count = count_of(at, number);

	if (count) {
		++*count;
		return;
	}
	found.elsewhere++;
	found.where = at;
}

/* Reads it as another process would, so that no sanitizer minds. */
static void search(int memory, uintptr_t from, uintptr_t to)
{
	const int first = (uint8_t)~turned_mark;

	for (; from + WORD <= to; from += CHUNK) {
		ssize_t got = pread(memory, chunk, to - from < sizeof chunk ? to - from : sizeof chunk, (off_t)from);
		const uint8_t *at = chunk + NUMBER, *last = chunk + got - MARK; /* where a mark may begin */

		for (; at <= last && (at = memchr(at, first, (size_t)(last - at) + 1)); at++) {
			uint64_t word = get_le64(at - NUMBER);

			if ((~word >> 8 * NUMBER) == turned_mark)
				note((const uint8_t *)from + (at - NUMBER - chunk), word & UINT16_MAX);
		}
	}
}

/* All but what the search itself reads into. */
static void search_around(int memory, uintptr_t from, uintptr_t to)
{
	uintptr_t own = (uintptr_t)chunk, own_end = own + sizeof chunk;

	if (own >= from && own_end <= to) {
		search(memory, from, own);
		from = own_end;
	}
	search(memory, from, to);
}

static void read_maps(void)
{
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t size = 0;
	ssize_t got;

	assert_true(fd >= 0);
	while ((got = read(fd, maps + size, sizeof maps - 1 - size)) > 0)
		size += (size_t)got;
	assert_true(size > 0 && size < sizeof maps - 1);
	maps[size] = '\0';
	close(fd);
}

static void search_all(void)
{
	int memory = open("/proc/self/mem", O_RDONLY);

	assert_true(memory >= 0);
	memset(&found, 0, sizeof found);
	read_maps();
	for (char *line = maps; *line; line = strchr(line, '\n') + 1) {
		char *end;
		uintptr_t from = strtoull(line, &end, 16), to = strtoull(end + 1, &end, 16);

		if (strncmp(end, " rw", 3) == 0 && to - from < MAPPING_MAX)
			search_around(memory, from, to);
	}
	close(memory);
}

static unsigned sum(const uint8_t *count, uint32_t from)
{
	unsigned n = 0;

	for (unsigned i = from / WORD; i < WORDS; i++)
		n += count[i];
	return n;
}

static uint32_t words_of(const struct parcel *p)
{
	return (p->size - p->words_at) / WORD;
}

/* Each word of the frame is there once.  Where it is spread over buffers, one may lie across two of them. */
static void is_there_once(const struct parcel *p, unsigned guest, unsigned buffers)
{
	for (unsigned i = 0; i < WORDS; i++)
		assert_true(found.guest[guest][i] <= 1);
	assert_in_range(sum(found.guest[guest], 0), words_of(p) - (buffers - 1), words_of(p));
}

/* And it is the frame, and the only one. */
static void arrived(const struct parcel *p, unsigned guest, unsigned buffers)
{
	static uint8_t got[FRAME_BYTES];
	uint8_t header[VIRTIO_NET_HDR_SIZE];

	is_there_once(p, guest, buffers);
	assert_int_equal(guest_net_receive(sides[guest].guest, 0, header, got, sizeof got), p->size);
	assert_int_equal(get_le16(header + VIRTIO_NET_HDR_NUM_BUFFERS), buffers);
	for (uint32_t i = 0; i < p->size; i++)
		assert_int_equal(got[i], (uint8_t)~turned[i]);
	assert_int_equal(guest_net_receive(sides[guest].guest, 0, header, got, sizeof got), 0);
}

/* To some of the receivers, all others have nothing. */
static void passes_once(const struct parcel *p, unsigned receivers, unsigned buffers)
{
	send(p);
	search_all();
	assert_int_equal(outside, 0);
	is_there_once(p, SENDER, 1);
	if (found.elsewhere > IN_REGISTERS)
		print_message("a word is at %p\n", (const void *)found.where);
	assert_in_range(found.elsewhere, 0, IN_REGISTERS);
	assert_int_equal(sum(found.card, FRAME_HEAD_SIZE), 0);
	/* the message: its head, where decisions are made on it */
	assert_in_range(sum(found.card, 0), 0, (FRAME_HEAD_SIZE - p->words_at) / WORD);
	for (unsigned n = 1; n < GUESTS; n++)
		if (n > receivers)
			assert_int_equal(sum(found.guest[n], 0), 0);
	for (unsigned n = 1; n <= receivers; n++)
		arrived(p, n, buffers);
	assert_int_equal(guest_net_reclaim(sides[SENDER].guest, 0), 1);
}

static unsigned buffers_of(const struct shape *shape, const struct parcel *p)
{
	return (VIRTIO_NET_HDR_SIZE + p->size + shape->rx_buf_size - 1) / shape->rx_buf_size;
}

/* -- as drivers do it -- */

static const uint32_t header_apart[] = { VIRTIO_NET_HDR_SIZE };
/* Whole words each, so that none is torn. */
static const uint32_t in_pieces[] = { VIRTIO_NET_HDR_SIZE, VIRTIO_NET_HDR_SIZE + 56, VIRTIO_NET_HDR_SIZE + 688,
				      VIRTIO_NET_HDR_SIZE + 4096, VIRTIO_NET_HDR_SIZE + 8000 };

static const struct {
	const uint32_t *pieces;
	unsigned count;
	enum guest_layout layout;
} layouts[] = {
	{ NULL, 0, GUEST_DIRECT },
	{ header_apart, array_len(header_apart), GUEST_DIRECT },
	{ in_pieces, array_len(in_pieces), GUEST_DIRECT },
	{ in_pieces, array_len(in_pieces), GUEST_INDIRECT },
};

static const struct shape shapes[] = {
	{ BASIC | INDIRECT | OFFLOADS, 0, 16384 },
	{ BASIC | INDIRECT | OFFLOADS | MRG, 0, 2048 },
	{ BASIC | INDIRECT | OFFLOADS | PACKED, 0, 16384 },
	{ BASIC | INDIRECT | OFFLOADS | PACKED | MRG, 0, 2048 },
};

/* In every layout, over every kind of ring. */
static void passes_everywhere(struct parcel parcel, unsigned receivers)
{
	for (unsigned i = 0; i < array_len(shapes); i++) {
		open_card(&shapes[i]);
		for (unsigned k = 0; k < array_len(layouts); k++) {
			parcel.pieces = layouts[k].pieces;
			parcel.piece_count = layouts[k].count;
			parcel.layout = layouts[k].layout;
			passes_once(&parcel, receivers, buffers_of(&shapes[i], &parcel));
		}
		close_card();
	}
}

static void a_frame_to_one_guest_is_copied_once(void **state)
{
	static const uint32_t sizes[] = { 64, 1518, FRAME_BYTES };

	(void)state;
	for (unsigned i = 0; i < array_len(sizes); i++)
		passes_everywhere((struct parcel){ .to = GUEST_MAC(1), .size = sizes[i], .words_at = WORDS_AT }, 1);
}

static void a_large_segment_to_a_guest_that_takes_it_is_copied_once(void **state)
{
	(void)state;
	passes_everywhere((struct parcel){ .to = GUEST_MAC(1), .size = FRAME_BYTES, .words_at = TCP_WORDS_AT,
					   .large = true }, 1);
}

static void a_frame_to_many_guests_is_copied_once_for_each(void **state)
{
	static const uint32_t sizes[] = { 64, 1518, FRAME_BYTES };

	(void)state;
	for (unsigned i = 0; i < array_len(sizes); i++)
		passes_everywhere((struct parcel){ .to = ETH_BROADCAST, .size = sizes[i], .words_at = WORDS_AT },
				  GUESTS - 1);
}

/* The exception, and the proof that a copy on the way is found: what its receiver does not take whole is cut into
 * memory of the card.  Its headers are looked for in a copy on the stack. */
static void a_large_segment_that_must_be_cut_is_copied_once_more_by_the_card(void **state)
{
	const struct parcel p = { .to = GUEST_MAC(1), .size = FRAME_BYTES, .words_at = TCP_WORDS_AT, .large = true };
	const struct shape shape = { BASIC | OFFLOADS | MRG, BIT(VIRTIO_NET_F_GUEST_TSO4), 2048 };
	const unsigned segments = (FRAME_BYTES - 54 + SEGMENT - 1) / SEGMENT;

	(void)state;
	open_card(&shape);
	send(&p);
	search_all();
	assert_int_equal(outside, segments);
	assert_in_range(found.elsewhere, 0, (ESW_HEADERS_MAX - TCP_WORDS_AT) / WORD + IN_REGISTERS);
	is_there_once(&p, SENDER, 1);
	is_there_once(&p, 1, segments);
	assert_in_range(sum(found.card, FRAME_HEAD_SIZE), words_of(&p) - segments, words_of(&p));
	close_card();
}

static int seed_it(void **state)
{
	(void)state;
	seed = check_seed();
	return 0;
}

/* A function that is bound when it is called first has vector registers saved on the stack, and what is in them. */
static void bind_all_now(char **argv)
{
	if (getenv("LD_BIND_NOW"))
		return;
	setenv("LD_BIND_NOW", "1", 1);
	execv("/proc/self/exe", argv);
	abort();
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_to_one_guest_is_copied_once),
		cmocka_unit_test(a_large_segment_to_a_guest_that_takes_it_is_copied_once),
		cmocka_unit_test(a_frame_to_many_guests_is_copied_once_for_each),
		cmocka_unit_test(a_large_segment_that_must_be_cut_is_copied_once_more_by_the_card),
	};

	(void)argc;
	bind_all_now(argv);
	return cmocka_run_group_tests(tests, seed_it, NULL);
}
