/* attach/vfio_user_front.h -- what each attachment over vfio-user is, whatever its front: the socket's path, the
 * server and what it asks of the front, the look that tells of drivers and of fronts that stopped, quarantine.
 *
 * A kind embeds struct vfio_front, makes its front and its PCI function, and names what is here in its table.
 *
 * Threads: the loop's.  Memory: the kind's own; the server and the timer are ended by vfront_fini(). */
#ifndef ATTACH_VFIO_USER_FRONT_H
#define ATTACH_VFIO_USER_FRONT_H

#include "attach/attach.h"
#include "attach/listen.h"
#include "attach/vfio_user.h"

#include "dev/virtio_pci.h"

#include <uv.h>

struct vfio_front {
	struct attachment attachment;
	struct attach_host host;

	/* By the kind, before vfront_serve(). */
	struct front *front;                    /* NULL until it is there */
	struct iommu_domain *domain;            /* likewise */
	struct pci_function *function;
	struct virtio_pci *virtio;              /* NULL: the function is none of virtio's */
	/* The words that tell of its driver, with the front's hold. */
	void (*say_driver)(struct vfio_front *vfront, char *text, size_t size);
	/* Features and queues of 'facts', with the front's hold. */
	void (*count)(struct vfio_front *vfront, struct attach_facts *facts);

	struct vfio_user *server;
	uv_timer_t *watch;                      /* allocated alone, freed by its own close */
	char path[ATTACH_SOCKET_SIZE];
	char quarantined[ATTACH_WHY_SIZE];      /* why; empty: it is not */
	bool told_stopped, told_ready;
};

/* The part of an attachment that was made with vfront_init(). */
struct vfio_front *vfront_of(struct attachment *attachment);

/* 'vfront' is zeroed. */
void vfront_init(struct vfio_front *vfront, const struct attach_ops *ops, const struct attach_host *host);

/* Serves the function on the socket that 'conf' names.  registers: of that BAR, mapped by clients; or NULL.
 * Negative errno after refuse(). */
int vfront_serve(struct vfio_front *vfront, const struct attach_conf *conf, const struct vfio_user_pages *registers,
		 unsigned registers_bar, struct refusal *why);

/* How create() of a kind ends when 'err' is not 0: 'why' says it, if nothing did before. */
void vfront_failed(const struct attach_conf *conf, int err, struct refusal *why);

/* Ends what vfront_serve() began, whatever came of it; the function and the front may be freed then. */
void vfront_fini(struct vfio_front *vfront);

/* A front's host has nothing to ask for: the function reaches memory by what its client grants. */
void vfront_no_misses(void *owner);

/* Zeroed, and aligned to a line of the cache; NULL: none left. */
void *vfront_zeroed(size_t size);

/* Of the kinds' tables. */
void vfront_facts(struct attachment *attachment, struct attach_facts *facts);
void vfront_rebound(struct attachment *attachment);
void vfront_quarantine(struct attachment *attachment, const char *why);
void vfront_release(struct attachment *attachment);
struct vfio_user *vfront_server(struct attachment *attachment);

#endif
