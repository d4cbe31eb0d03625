/* Which pages the function wrote, for live migration: the dirty log of its dma, by pages of 4 KiB from address 0
 * on.  The log's memory is reserved and not used but where bits are set. */
#include "attach/vfio_user_internal.h"

#include "base/bytes.h"

#include <errno.h>
#include <sys/mman.h>

enum { PAGE = DMA_LOG_PAGE_SIZE, ADDRESS_BITS = 48 };

#define LOG_BYTES ((UINT64_C(1) << ADDRESS_BITS) / PAGE / 8)

static void set_log(struct vfio_user *vf, uint8_t *bits, uint64_t size)
{
	vfuser_hold(vf);
	if (vf->function->dma)
		vf->function->dma->log = (struct dma_log){ bits, size };
	vfuser_release(vf);
}

void vfuser_log_drop(struct vfio_user *vf)
{
	if (!vf->log.bits)
		return;
	set_log(vf, NULL, 0);
	munmap(vf->log.bits, LOG_BYTES);
	vf->log.bits = NULL;
}

static int check_range(uint64_t address, uint64_t size, struct refusal *why)
{
	uint64_t end = UINT64_C(1) << ADDRESS_BITS;

	if (size && address < end && size <= end - address)
		return 0;
	refuse(why, "", "0x%llx bytes at 0x%llx cannot be logged: addresses have %u bits",
	       (unsigned long long)size, (unsigned long long)address, ADDRESS_BITS);
	return -EINVAL;
}

/* All writes are logged, whatever the ranges: they only limit what the client will ask for. */
int vfuser_log_start(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	const uint8_t *data = msg->payload + VFIO_USER_FEATURE_SIZE;
	uint32_t size = msg->header.payload - VFIO_USER_FEATURE_SIZE, count;
	void *bits;

	if (size < VFIO_USER_LOG_FIRST) {
		refuse(why, "", "logging is started with %u bytes, not %u or more", size,
		       VFIO_USER_LOG_FIRST);
		return -EINVAL;
	}
	count = get_le32(data + VFIO_USER_LOG_RANGES);
	if (count > (size - VFIO_USER_LOG_FIRST) / VFIO_USER_LOG_RANGE_SIZE) {
		refuse(why, "", "%u ranges to log are announced, and fewer come", count);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < count; i++) {
		const uint8_t *range = data + VFIO_USER_LOG_FIRST + (size_t)i * VFIO_USER_LOG_RANGE_SIZE;
		int err = check_range(get_le64(range), get_le64(range + 8), why);

		if (err)
			return err;
	}
	if (vf->log.bits) {
		refuse(why, "", "logging is on already");
		return -EEXIST;
	}
	bits = mmap(NULL, LOG_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		    0);
	if (bits == MAP_FAILED) {
		refuse(why, "", "no address space for a log");
		return -ENOMEM;
	}
	madvise(bits, LOG_BYTES, MADV_NOHUGEPAGE);
	vf->log.bits = bits;
	set_log(vf, bits, LOG_BYTES);
	memcpy(msg->reply, msg->payload, msg->header.payload);
	put_le64(msg->reply + VFIO_USER_FEATURE_SIZE + VFIO_USER_LOG_PAGE, PAGE);
	msg->size = msg->header.payload;
	return 0;
}

int vfuser_log_stop(struct vfio_user *vf, struct refusal *why)
{
	if (!vf->log.bits) {
		refuse(why, "", "logging is not on");
		return -EINVAL;
	}
	vfuser_log_drop(vf);
	return 0;
}

/* Whether pages first .. last were written; they count as not written from now on. */
static bool take_pages(uint8_t *bits, uint64_t first, uint64_t last)
{
	bool written = false;

	for (uint64_t page = first; page <= last; page++) {
		_Atomic uint8_t *at = (_Atomic uint8_t *)&bits[page / 8];
		uint8_t mask = (uint8_t)(1u << page % 8);

		if (page % 8 == 0 && last - page >= 7) { /* eight at once: most of them are 0 */
			/* acquire pairs with the release in dma_wrote_guest() */
			if (atomic_load_explicit(at, memory_order_relaxed))
				written |= atomic_exchange_explicit(at, 0, memory_order_acquire) != 0;
			page += 7;
			continue;
		}
		if (atomic_load_explicit(at, memory_order_relaxed) & mask)
			written |= atomic_fetch_and_explicit(at, (uint8_t)~mask, memory_order_acquire) & mask;
	}
	return written;
}

/* Bits of the log, where a window is: elsewhere nothing was written. */
static void report(struct vfio_user *vf, uint64_t first, uint64_t last, uint64_t page, uint8_t *bitmap)
{
	const struct vfuser_windows *w = &vf->windows;

	for (unsigned at = vfuser_window_at(w, first); at < w->count && w->regions[at].base <= last; at++) {
		uint64_t low = max_u64(first, w->regions[at].base);
		uint64_t high = min_u64(last, w->regions[at].base + (w->regions[at].size - 1));

		while (low <= high) {
			uint64_t end = min_u64(high, low | (page - 1)), n = (low - first) / page;

			if (take_pages(vf->log.bits, low / PAGE, end / PAGE))
				bitmap[n / 8] |= (uint8_t)(1u << n % 8);
			low = end + 1;
		}
	}
}

int vfuser_log_report(struct vfio_user *vf, struct vfuser_msg *msg, struct refusal *why)
{
	const uint8_t *data = msg->payload + VFIO_USER_FEATURE_SIZE;
	uint32_t head = VFIO_USER_FEATURE_SIZE + VFIO_USER_REPORT_SIZE;
	uint64_t address, size, page, bytes;

	if (msg->header.payload < head || !vf->log.bits) {
		refuse(why, "", vf->log.bits ? "a report is asked for with too few bytes"
					     : "a report is asked for, and logging is not on");
		return -EINVAL;
	}
	address = get_le64(data + VFIO_USER_REPORT_ADDRESS);
	size = get_le64(data + VFIO_USER_REPORT_BYTES);
	page = get_le64(data + VFIO_USER_REPORT_PAGE);
	if (check_range(address, size, why))
		return -EINVAL;
	if (!is_power_of_two(page) || page < PAGE || address % page || size % PAGE) {
		refuse(why, "", "a report in pages of 0x%llx bytes from 0x%llx on: powers of two from %u on "
				"are possible, and aligned addresses", (unsigned long long)page,
		       (unsigned long long)address, PAGE);
		return -EINVAL;
	}
	bytes = ((size + page - 1) / page + 63) / 64 * 8;
	if (bytes > VFIO_USER_TRANSFER_MAX || get_le32(msg->payload) < head + bytes) {
		refuse(why, "", "a report of %llu bytes has no room in a reply", (unsigned long long)bytes);
		return -ENOSPC;
	}
	memcpy(msg->reply, msg->payload, head);
	put_le32(msg->reply + VFIO_USER_FEATURE_ARGSZ, head + (uint32_t)bytes);
	memset(msg->reply + head, 0, bytes);
	report(vf, address, address + (size - 1), page, msg->reply + head);
	msg->size = head + (uint32_t)bytes;
	return 0;
}
