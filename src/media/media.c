#include "media/internal.h"
#include "media/nvme_medium.h"

int medium_open(struct medium **medium, const struct medium_conf *conf, struct refusal *why)
{
	switch (conf->kind) {
	case MEDIUM_MEMORY:
		return memory_medium_open(medium, conf, why);
	case MEDIUM_FILE:
		return file_medium_open(medium, conf, why);
	case MEDIUM_VFIO:
		break;
	}
	return vfio_medium_open(medium, conf, why);
}
