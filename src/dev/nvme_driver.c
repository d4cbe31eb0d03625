#include "dev/nvme_driver.h"
#include "dev/guest_word.h"

#include <errno.h>

enum { ADMIN_ENTRIES = 32, PAGE = NVME_PAGE_SIZE, DSTRD_MAX = 4, EVENT_TAG = 1 };
_Static_assert((2 * NVME_DRIVER_QUEUES_MAX + 2) * (NVME_DOORBELL_SIZE << DSTRD_MAX) <= PAGE,
	       "the doorbells of all queues lie in one page");

static uint64_t page_up(uint64_t bytes)
{
	return (bytes + PAGE - 1) / PAGE * PAGE;
}

static uint64_t queue_bytes(unsigned entries)
{
	return page_up(entries * (uint64_t)NVME_SQE_SIZE) +
	       page_up(entries * (uint64_t)NVME_CQE_SIZE);
}

uint64_t nvme_driver_bytes(unsigned queues, unsigned depth)
{
	return PAGE + queue_bytes(ADMIN_ENTRIES) +
	       queues * (queue_bytes(depth + 1) + (depth + 1) * (uint64_t)PAGE);
}

static int read_register(struct nvme_driver *driver, uint32_t offset, unsigned size,
			 uint64_t *value)
{
	return driver->device.read(driver->device.owner, offset, size, value);
}

static int write_register(struct nvme_driver *driver, uint32_t offset, unsigned size,
			  uint64_t value)
{
	return driver->device.write(driver->device.owner, offset, size, value);
}

static uint8_t *take(struct nvme_driver *driver, uint64_t bytes, uint64_t *iova)
{
	uint8_t *host = driver->memory.host + driver->taken;

	must(bytes <= driver->memory.size - driver->taken);
	*iova = driver->memory.iova + driver->taken;
	driver->taken += page_up(bytes);
	return host;
}

/* Lays a pair of queues out in memory, empty; returns their addresses on the device's side. */
static void lay_queue(struct nvme_driver *driver, struct nvme_driver_queue *queue, unsigned id,
		      unsigned entries, uint64_t iova[2])
{
	memset(queue, 0, sizeof *queue);
	queue->id = (uint16_t)id;
	queue->count = entries;
	queue->phase = 1;
	queue->sq = take(driver, entries * (uint64_t)NVME_SQE_SIZE, &iova[0]);
	queue->cq = take(driver, entries * (uint64_t)NVME_CQE_SIZE, &iova[1]);
	memset(queue->cq, 0, entries * (size_t)NVME_CQE_SIZE);
	for (unsigned i = entries - 1; i-- > 0;)
		queue->free[queue->free_count++] = (uint16_t)i;
}

/* CSTS until (CSTS & mask) == want. */
static int await(struct nvme_driver *driver, uint32_t mask, uint32_t want)
{
	for (;;) {
		uint64_t csts = 0;
		int err = read_register(driver, NVME_REG_CSTS, 4, &csts);

		if (err)
			return err;
		if (csts == UINT32_MAX)
			return -EIO; /* nobody answers */
		if ((csts & mask) == want)
			return 0;
		if (want && csts & NVME_CSTS_CFS)
			return -EIO;
		if (!driver->device.wait(driver->device.owner))
			return -ETIMEDOUT;
	}
}

static int disable(struct nvme_driver *driver)
{
	uint64_t cc = 0;
	int err = read_register(driver, NVME_REG_CC, 4, &cc);

	if (!err)
		err = write_register(driver, NVME_REG_CC, 4, cc & ~field_mask(NVME_CC_EN));
	return err ? err : await(driver, NVME_CSTS_RDY, 0);
}

static int enable(struct nvme_driver *driver)
{
	uint64_t cc = field_make(NVME_CC_EN, 1) | field_make(NVME_CC_IOSQES, NVME_SQES) |
		      field_make(NVME_CC_IOCQES, NVME_CQES);
	uint64_t iova[2];
	int err;

	lay_queue(driver, &driver->admin, 0, ADMIN_ENTRIES, iova);
	err = write_register(driver, NVME_REG_AQA, 4,
			     (ADMIN_ENTRIES - 1) << 16 | (ADMIN_ENTRIES - 1));
	if (!err)
		err = write_register(driver, NVME_REG_ASQ, 8, iova[0]);
	if (!err)
		err = write_register(driver, NVME_REG_ACQ, 8, iova[1]);
	if (!err)
		err = write_register(driver, NVME_REG_CC, 4, cc);
	return err ? err : await(driver, NVME_CSTS_RDY, NVME_CSTS_RDY);
}

static int write_doorbell(struct nvme_driver *driver, unsigned index, uint32_t value)
{
	uint32_t stride = (uint32_t)field_get(driver->cap, NVME_CAP_DSTRD);
	uint32_t offset = index * ((uint32_t)NVME_DOORBELL_SIZE << stride);

	if (!driver->device.doorbells_or_null)
		return write_register(driver, NVME_REG_DOORBELLS + offset, 4, value);
	/* Pairs with the device's load of the doorbell: it sees the entries before the tail. */
	atomic_thread_fence(memory_order_release);
	guest_store32(driver->device.doorbells_or_null + offset, value);
	return 0;
}

static bool post(struct nvme_driver_queue *queue, uint8_t *sqe, uint32_t tag)
{
	uint16_t cid;

	if (queue->free_count == 0)
		return false;
	cid = queue->free[--queue->free_count];
	queue->used[cid] = true;
	queue->tag[cid] = tag;
	put_le16(sqe + NVME_SQE_CID, cid);
	memcpy(queue->sq + queue->tail * (size_t)NVME_SQE_SIZE, sqe, NVME_SQE_SIZE);
	queue->tail = queue->tail + 1 == queue->count ? 0 : queue->tail + 1;
	return true;
}

static int poll_queue(struct nvme_driver *driver, struct nvme_driver_queue *queue, unsigned most,
		      nvme_driver_done_fn *done, void *owner)
{
	unsigned n = 0;

	while (n < most) {
		uint8_t *entry = queue->cq + queue->head * (size_t)NVME_CQE_SIZE;
		/* Pairs with the device's store of the phase tag. */
		uint64_t high = guest_load64_acquire(entry + NVME_CQE_SQHD);
		uint16_t status = (uint16_t)(high >> 48), cid = (uint16_t)(high >> 32);
		uint32_t dw0;

		if ((status & 1) != queue->phase)
			break;
		if (cid >= queue->count - 1 || !queue->used[cid])
			return -EIO;
		dw0 = guest_load32(entry);
		if (++queue->head == queue->count) {
			queue->head = 0;
			queue->phase ^= 1;
		}
		queue->used[cid] = false;
		queue->free[queue->free_count++] = cid;
		n++;
		done(owner, queue->tag[cid], status >> 1, dw0);
	}
	if (n) {
		int err = write_doorbell(driver, 2u * queue->id + 1, queue->head);

		if (err)
			return err;
	}
	return (int)n;
}

static void on_admin(void *owner, uint32_t tag, uint16_t status, uint32_t dw0)
{
	struct nvme_driver *driver = owner;

	if (tag == EVENT_TAG) {
		driver->awaits_event = false;
		driver->event_came = status == NVME_SUCCESS;
		driver->event_dw0 = dw0;
		return;
	}
	driver->ended = true;
	driver->ended_status = status;
	driver->ended_dw0 = dw0;
}

int nvme_driver_admin(struct nvme_driver *driver, uint8_t *sqe, uint32_t *dw0)
{
	int n, err;

	if (!post(&driver->admin, sqe, 0))
		return -EAGAIN;
	err = write_doorbell(driver, 0, driver->admin.tail);
	if (err)
		return err;
	driver->ended = false;
	while (!driver->ended) {
		n = poll_queue(driver, &driver->admin, 1, on_admin, driver);
		if (n < 0)
			return n;
		if (n == 0 && !driver->device.wait(driver->device.owner))
			return -ETIMEDOUT;
	}
	if (dw0)
		*dw0 = driver->ended_dw0;
	return driver->ended_status;
}

int nvme_driver_event(struct nvme_driver *driver, uint32_t *dw0)
{
	uint8_t sqe[NVME_SQE_SIZE] = { NVME_ADMIN_ASYNC_EVENT };
	bool asked = driver->awaits_event;
	int n, err;

	if (!asked && !driver->event_came) {
		if (!post(&driver->admin, sqe, EVENT_TAG))
			return -EAGAIN;
		driver->awaits_event = true;
		err = write_doorbell(driver, 0, driver->admin.tail);
		if (err)
			return err;
	}
	n = poll_queue(driver, &driver->admin, 1, on_admin, driver);
	if (n < 0)
		return n;
	if (!driver->event_came)
		return driver->awaits_event ? 0 : -EIO;
	driver->event_came = false;
	*dw0 = driver->event_dw0;
	return 1;
}

static int identify(struct nvme_driver *driver, unsigned cns, uint32_t nsid)
{
	uint8_t sqe[NVME_SQE_SIZE] = { NVME_ADMIN_IDENTIFY };
	int status;

	put_le32(sqe + NVME_SQE_NSID, nsid);
	put_le64(sqe + NVME_SQE_DPTR, driver->scratch_iova);
	put_le32(sqe + NVME_SQE_CDW10, cns);
	status = nvme_driver_admin(driver, sqe, NULL);
	if (status <= 0)
		return status;
	return (status & NVME_STATUS_CODE_MASK) == NVME_INVALID_NAMESPACE ? -ENODEV : -EIO;
}

static void copy_text(char *to, const uint8_t *from, unsigned size)
{
	memcpy(to, from, size);
	to[size] = '\0';
	while (size && to[size - 1] == ' ')
		to[--size] = '\0';
}

static int learn_controller(struct nvme_driver *driver)
{
	const uint8_t *id = driver->scratch;
	int err = identify(driver, NVME_CNS_CONTROLLER, 0);
	unsigned mdts = id[NVME_IDC_MDTS];

	if (err)
		return err;
	copy_text(driver->model, id + NVME_IDC_MN, NVME_IDC_MN_SIZE);
	copy_text(driver->serial, id + NVME_IDC_SN, NVME_IDC_SN_SIZE);
	driver->volatile_cache = id[NVME_IDC_VWC] & NVME_VWC_PRESENT;
	driver->optional = get_le16(id + NVME_IDC_ONCS);
	driver->transfer_max = NVME_DRIVER_PAGES_MAX * PAGE;
	if (mdts && mdts < 9)
		driver->transfer_max = (uint32_t)PAGE << mdts;
	return 0;
}

static int learn_namespace(struct nvme_driver *driver)
{
	const uint8_t *id = driver->scratch;
	uint32_t format;
	unsigned shift;
	int err;

	if (!driver->nsid) {
		err = identify(driver, NVME_CNS_ACTIVE_LIST, 0);
		if (err)
			return err;
		driver->nsid = get_le32(id);
		if (!driver->nsid)
			return -ENODEV;
	}
	err = identify(driver, NVME_CNS_NAMESPACE, driver->nsid);
	if (err)
		return err;
	driver->blocks = get_le64(id + NVME_IDN_NSZE);
	driver->write_protected = id[NVME_IDN_NSATTR] & NVME_NSATTR_WRITE_PROTECTED;
	format = get_le32(id + NVME_IDN_LBAF0 + 4 * (id[NVME_IDN_FLBAS] & 0xf));
	shift = (unsigned)field_get(format, NVME_LBAF_LBADS);
	if (driver->blocks == 0 || shift < 9 || shift > 16 || format & 0xffff || /* metadata */
	    driver->blocks > (uint64_t)INT64_MAX >> shift)
		return -ENODEV;
	driver->block_size = 1u << shift;
	return 0;
}

static int make_queue(struct nvme_driver *driver, unsigned index, unsigned entries)
{
	struct nvme_driver_queue *queue = &driver->queues[index];
	uint64_t iova[2];

	lay_queue(driver, queue, index + 1, entries, iova);
	queue->lists = take(driver, entries * (uint64_t)PAGE, &queue->lists_iova);
	for (unsigned sq = 0; sq < 2; sq++) {
		uint8_t sqe[NVME_SQE_SIZE] = { sq ? NVME_ADMIN_CREATE_SQ : NVME_ADMIN_CREATE_CQ };
		int status;

		put_le64(sqe + NVME_SQE_DPTR, iova[sq ? 0 : 1]);
		put_le32(sqe + NVME_SQE_CDW10, queue->id | (entries - 1) << 16);
		put_le32(sqe + NVME_SQE_CDW11, 1 | (sq ? (uint32_t)queue->id << 16 : 0));
		status = nvme_driver_admin(driver, sqe, NULL);
		if (status)
			return status < 0 ? status : -EIO;
	}
	return 0;
}

static int make_queues(struct nvme_driver *driver, const struct nvme_driver_conf *conf)
{
	uint8_t sqe[NVME_SQE_SIZE] = { NVME_ADMIN_SET_FEATURES };
	uint32_t granted = 0;
	int status, err = 0;

	put_le32(sqe + NVME_SQE_CDW10, NVME_FEATURE_QUEUES);
	put_le32(sqe + NVME_SQE_CDW11, (conf->queues - 1) << 16 | (conf->queues - 1));
	status = nvme_driver_admin(driver, sqe, &granted);
	if (status)
		return status < 0 ? status : -EIO;
	driver->queue_count = min_u32(conf->queues, min_u32((granted & 0xffff), granted >> 16) + 1);
	for (unsigned i = 0; i < driver->queue_count && !err; i++)
		err = make_queue(driver, i, driver->depth + 1);
	return err;
}

int nvme_driver_open(struct nvme_driver *driver, const struct nvme_driver_conf *conf)
{
	int err;

	if (conf->queues < 1 || conf->queues > NVME_DRIVER_QUEUES_MAX || conf->depth < 1 ||
	    conf->depth >= NVME_DRIVER_DEPTH_MAX || conf->memory.iova % PAGE ||
	    conf->memory.size < nvme_driver_bytes(conf->queues, conf->depth))
		return -EINVAL;
	memset(driver, 0, sizeof *driver);
	driver->device = conf->device;
	driver->memory = conf->memory;
	driver->nsid = conf->nsid;
	driver->scratch = take(driver, PAGE, &driver->scratch_iova);
	err = read_register(driver, NVME_REG_CAP, 8, &driver->cap);
	if (err)
		return err;
	/* All doorbells must lie in one page. */
	if (field_get(driver->cap, NVME_CAP_MPSMIN) ||
	    field_get(driver->cap, NVME_CAP_DSTRD) > DSTRD_MAX ||
	    !(field_get(driver->cap, NVME_CAP_CSS) & NVME_CSS_NVM) ||
	    field_get(driver->cap, NVME_CAP_MQES) == 0)
		return -ENODEV;
	driver->depth = (unsigned)min_u64(conf->depth, field_get(driver->cap, NVME_CAP_MQES));
	err = disable(driver);
	if (!err)
		err = enable(driver);
	if (!err)
		err = learn_controller(driver);
	if (!err)
		err = learn_namespace(driver);
	return err ? err : make_queues(driver, conf);
}

int nvme_driver_check(struct nvme_driver *driver)
{
	uint64_t csts = 0;
	int err = read_register(driver, NVME_REG_CSTS, 4, &csts);

	if (err)
		return err;
	return csts == UINT32_MAX || csts & NVME_CSTS_CFS || !(csts & NVME_CSTS_RDY) ? -EIO : 0;
}

int nvme_driver_close(struct nvme_driver *driver)
{
	uint64_t cc = 0;
	int err = read_register(driver, NVME_REG_CC, 4, &cc);

	if (!err)
		err = write_register(driver, NVME_REG_CC, 4, field_put(cc, NVME_CC_SHN, 1));
	if (!err)
		err = await(driver, (uint32_t)field_mask(NVME_CSTS_SHST),
			    (uint32_t)field_make(NVME_CSTS_SHST, NVME_SHST_COMPLETE));
	return err ? err : disable(driver);
}

bool nvme_driver_post(struct nvme_driver *driver, unsigned queue, uint8_t *sqe, uint32_t tag)
{
	must(queue < driver->queue_count);
	return post(&driver->queues[queue], sqe, tag);
}

/* Data pages after the first: in PRP entry 2, or in the list page of the command's slot, which is
 * that of the entry in the queue: no other command has it while this one is in flight. */
static void put_prps(struct nvme_driver_queue *queue, uint8_t *sqe, uint64_t iova, uint32_t size)
{
	uint64_t first = PAGE - iova % PAGE, next = iova + first;
	uint16_t slot = queue->free[queue->free_count - 1];
	uint8_t *list = queue->lists + slot * (size_t)PAGE;

	put_le64(sqe + NVME_SQE_DPTR, iova);
	if (size <= first)
		return;
	size -= (uint32_t)first;
	if (size <= PAGE) {
		put_le64(sqe + NVME_SQE_PRP2, next);
		return;
	}
	put_le64(sqe + NVME_SQE_PRP2, queue->lists_iova + slot * (uint64_t)PAGE);
	for (;; list += NVME_PRP_SIZE, next += PAGE, size -= PAGE) {
		put_le64(list, next);
		if (size <= PAGE)
			return;
	}
}

int nvme_driver_io(struct nvme_driver *driver, unsigned queue, const struct nvme_driver_io *io,
		   uint32_t tag)
{
	struct nvme_driver_queue *to = &driver->queues[queue];
	uint8_t sqe[NVME_SQE_SIZE] = { io->opcode };
	bool data = io->opcode != NVME_IO_WRITE_ZEROES && io->opcode != NVME_IO_VERIFY;

	must(queue < driver->queue_count);
	if (io->count == 0 || io->count > (data ? driver->transfer_max / driver->block_size :
						  (uint32_t)NVME_DRIVER_BLOCKS_MAX))
		return -EINVAL;
	if (to->free_count == 0)
		return -EAGAIN;
	put_le32(sqe + NVME_SQE_NSID, driver->nsid);
	if (data)
		put_prps(to, sqe, io->iova, io->count * driver->block_size);
	put_le64(sqe + NVME_SQE_CDW10, io->lba);
	put_le32(sqe + NVME_SQE_CDW12, (io->count - 1) | io->flags);
	post(to, sqe, tag);
	return 0;
}

bool nvme_driver_flush(struct nvme_driver *driver, unsigned queue, uint32_t tag)
{
	uint8_t sqe[NVME_SQE_SIZE] = { NVME_IO_FLUSH };

	put_le32(sqe + NVME_SQE_NSID, driver->nsid);
	return nvme_driver_post(driver, queue, sqe, tag);
}

bool nvme_driver_deallocate(struct nvme_driver *driver, unsigned queue, uint64_t iova,
			    unsigned ranges, uint32_t tag)
{
	uint8_t sqe[NVME_SQE_SIZE] = { NVME_IO_DATASET };

	must(ranges >= 1 && ranges <= 256);
	put_le32(sqe + NVME_SQE_NSID, driver->nsid);
	put_le64(sqe + NVME_SQE_DPTR, iova);
	put_le32(sqe + NVME_SQE_CDW10, ranges - 1);
	put_le32(sqe + NVME_SQE_CDW11, NVME_DSM_AD);
	return nvme_driver_post(driver, queue, sqe, tag);
}

int nvme_driver_ring(struct nvme_driver *driver, unsigned queue)
{
	must(queue < driver->queue_count);
	return write_doorbell(driver, 2u * driver->queues[queue].id, driver->queues[queue].tail);
}

int nvme_driver_poll(struct nvme_driver *driver, unsigned queue, unsigned most,
		     nvme_driver_done_fn *done, void *owner)
{
	must(queue < driver->queue_count);
	return poll_queue(driver, &driver->queues[queue], most, done, owner);
}
