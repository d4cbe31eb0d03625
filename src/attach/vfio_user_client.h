/* attach/vfio_user_client.h -- the other end of vfio-user: drives a PCI function that some process serves on
 * a unix socket.  The tool looks at functions with it, tests and measurements use devices with it.
 *
 * Each call sends a command and waits for its reply, as long as the client's patience lasts; while it waits
 * it serves what the server asks of memory that was lent without a descriptor.  A server is trusted no more
 * than a client: sizes are checked, and what it says beyond its message is not looked at.
 *
 * When the server has gone, calls give -ECONNRESET, and vfio_user_client_resume() brings everything back once
 * there is a new one: the client keeps what it has granted, set and written to configuration space.
 *
 * Results: 0; the server's refusal or the machine's errno, negative; -ETIMEDOUT, after which only close()
 * and resume() make sense; -EPROTO when the server breaks the protocol.
 *
 * Threads: one a client, which may block.  Memory: open() allocates, close() gives back. */
#ifndef ATTACH_VFIO_USER_CLIENT_H
#define ATTACH_VFIO_USER_CLIENT_H

#include "base/refusal.h"
#include "spec/vfio_user.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	VFIO_USER_CLIENT_REGIONS = 9,
	VFIO_USER_CLIENT_VECTORS = 2048,
	VFIO_USER_CLIENT_PATIENCE_MS = 5000, /* unless set otherwise */
};

struct vfio_user_client;

struct vfio_user_client_region {
	uint64_t size; /* bytes; 0: absent */
	uint32_t flags; /* VFIO_USER_REGION_READABLE and the like */
	/* The first piece that can be mapped, and where it is mapped here; size 0: none. */
	uint64_t mapped_first, mapped_size;
	uint8_t *mapped;
};

/* Connects, agrees on the version, and asks for regions and interrupts. */
int vfio_user_client_open(struct vfio_user_client **client, const char *path, struct refusal *why);
void vfio_user_client_close(struct vfio_user_client *client); /* NULL is nothing */

/* Connects again, to a server that was restarted: it must serve a function of the same identity and the same
 * regions.  Windows, eventfds, and registers of configuration space that were written are as before; what else
 * the function knew is gone, unless the caller loads a state.  Mapped pieces may be elsewhere.
 * -ESTALE with 'why': it is another function. */
int vfio_user_client_resume(struct vfio_user_client *client, struct refusal *why);

/* How long a reply may take. */
void vfio_user_client_set_patience(struct vfio_user_client *client, unsigned ms);

/* What the server said; region and index in range. */
const struct vfio_user_client_region *vfio_user_client_region(const struct vfio_user_client *client,
							      unsigned region);
/* Interrupts of an index (VFIO_USER_IRQ_MSIX), and their flags. */
uint32_t vfio_user_client_irqs(const struct vfio_user_client *client, unsigned index, uint32_t *flags);
uint32_t vfio_user_client_flags(const struct vfio_user_client *client); /* VFIO_USER_INFO_PCI and the like */

/* Registers by messages; any size that the region has. */
int vfio_user_client_read(struct vfio_user_client *client, unsigned region, uint64_t offset, uint32_t size,
			  uint8_t *to);
int vfio_user_client_write(struct vfio_user_client *client, unsigned region, uint64_t offset,
			   uint32_t size, const uint8_t *from);
/* The same of numbers, little-endian as PCI has them; 'size' is 1 to 8 bytes.  After an error the
 * number read is 0. */
int vfio_user_client_get(struct vfio_user_client *client, unsigned region, uint64_t offset, uint32_t size,
			 uint64_t *value);
int vfio_user_client_put(struct vfio_user_client *client, unsigned region, uint64_t offset, uint32_t size,
			 uint64_t value);

/* Lets the function reach memory at 'address': bytes of a file, or of ours by messages.  Both must stay
 * until unmap() or close(); the descriptor is the caller's. */
struct vfio_user_client_window {
	uint64_t address, size; /* multiples of 4096 */
	uint32_t flags;         /* VFIO_USER_MAP_READ, _WRITE: the function's */
	int fd;                 /* -1: 'bytes' */
	uint64_t offset;        /* into the file */
	uint8_t *bytes;
};
int vfio_user_client_map(struct vfio_user_client *client, const struct vfio_user_client_window *window);
int vfio_user_client_unmap(struct vfio_user_client *client, uint64_t address, uint64_t size);

/* Vector 'vector' of MSI-X signals 'eventfd' from now on, or nobody: -1. */
int vfio_user_client_signal(struct vfio_user_client *client, unsigned vector, int eventfd);
/* action: VFIO_USER_SET_MASK, _UNMASK, _TRIGGER. */
int vfio_user_client_act(struct vfio_user_client *client, unsigned vector, uint32_t action);

/* The same of INTx, where the function has a line: it masks itself when it signals, until it is unmasked. */
int vfio_user_client_line(struct vfio_user_client *client, int eventfd);
int vfio_user_client_act_on_line(struct vfio_user_client *client, uint32_t action);

int vfio_user_client_reset(struct vfio_user_client *client);

/* Migration: the whole state, into memory of the caller's to free(); and back into a function of the kind.
 * The function stands still after save() until run(), and runs after load(). */
int vfio_user_client_save(struct vfio_user_client *client, uint8_t **state, size_t *size);
int vfio_user_client_load(struct vfio_user_client *client, const uint8_t *state, size_t size);
int vfio_user_client_run(struct vfio_user_client *client);

#endif
