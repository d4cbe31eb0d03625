/* Every command of a client on one line: the bytes and descriptors it may have, when it can be carried out,
 * and who serves it.  Where clients send more than the structure (room for the reply), both are taken. */
#include "attach/vfio_user_internal.h"

enum {
	/* Clients send the room that they have for capabilities along. */
	INFO_MAX = 65536,
	ACCESS = VFIO_USER_ACCESS_SIZE,
	WRITE_MAX = VFIO_USER_ACCESS_SIZE + VFIO_USER_TRANSFER_MAX,
	MIG_MAX = VFIO_USER_MIG_SIZE + VFIO_USER_TRANSFER_MAX,
	MULTI_MIN = VFIO_USER_MULTI_FIRST + VFIO_USER_MULTI_SIZE,
	FDS = VFIO_USER_FDS_MAX,
	FIRST = VFUSER_FIRST,
	ANY = VFUSER_ANY,
	QUIET = VFUSER_QUIET,
};

#define COMMAND(code) [VFIO_USER_##code]

static const struct vfuser_rule rules[VFIO_USER_COMMANDS] = {
	/* command          name         bytes min, max                        fds  when  served by */
	COMMAND(VERSION) = { "VERSION", VFIO_USER_VERSION_DATA, INFO_MAX, 0, FIRST, vfuser_version },
	COMMAND(DMA_MAP) = { "DMA_MAP", VFIO_USER_MAP_SIZE, VFIO_USER_MAP_SIZE, 1, ANY, vfuser_dma_map },
	/* One descriptor is allowed, since some clients send it; it is closed unused. */
	COMMAND(DMA_UNMAP) = { "DMA_UNMAP", VFIO_USER_UNMAP_SIZE, INFO_MAX, 1, QUIET, vfuser_dma_unmap },
	COMMAND(DEVICE_GET_INFO) = { "DEVICE_GET_INFO", VFIO_USER_INFO_SIZE, INFO_MAX, 0, ANY,
				     vfuser_get_info },
	COMMAND(DEVICE_GET_REGION_INFO) = { "DEVICE_GET_REGION_INFO", VFIO_USER_REGION_SIZE, INFO_MAX, 0,
					    ANY, vfuser_get_region_info },
	COMMAND(DEVICE_GET_REGION_IO_FDS) = { "DEVICE_GET_REGION_IO_FDS", VFIO_USER_IO_FDS_SIZE, INFO_MAX,
					      0, ANY, vfuser_get_io_fds },
	COMMAND(DEVICE_GET_IRQ_INFO) = { "DEVICE_GET_IRQ_INFO", VFIO_USER_IRQ_SIZE, INFO_MAX, 0, ANY,
					 vfuser_get_irq_info },
	COMMAND(DEVICE_SET_IRQS) = { "DEVICE_SET_IRQS", VFIO_USER_SET_SIZE, INFO_MAX, FDS, ANY,
				     vfuser_set_irqs },
	COMMAND(REGION_READ) = { "REGION_READ", ACCESS, WRITE_MAX, 0, ANY, vfuser_region_read },
	COMMAND(REGION_WRITE) = { "REGION_WRITE", ACCESS, WRITE_MAX, 0, ANY, vfuser_region_write },
	COMMAND(DEVICE_RESET) = { "DEVICE_RESET", 0, 0, 0, QUIET, vfuser_reset },
	COMMAND(REGION_WRITE_MULTI) = { "REGION_WRITE_MULTI", MULTI_MIN, WRITE_MAX, 0, ANY,
					vfuser_write_multi },
	COMMAND(DEVICE_FEATURE) = { "DEVICE_FEATURE", VFIO_USER_FEATURE_SIZE, WRITE_MAX, 0, ANY,
				    vfuser_feature },
	COMMAND(MIG_DATA_READ) = { "MIG_DATA_READ", VFIO_USER_MIG_SIZE, INFO_MAX, 0, ANY,
				   vfuser_mig_read },
	COMMAND(MIG_DATA_WRITE) = { "MIG_DATA_WRITE", VFIO_USER_MIG_SIZE, MIG_MAX, 0, ANY,
				    vfuser_mig_write },
};

const struct vfuser_rule *vfuser_rule(uint32_t command)
{
	if (command >= VFIO_USER_COMMANDS || !rules[command].serve)
		return NULL;
	return &rules[command];
}
