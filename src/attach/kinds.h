/* attach/kinds.h -- the tables behind attach_kinds[], one a kind. */
#ifndef ATTACH_KINDS_H
#define ATTACH_KINDS_H

#include "attach/attach.h"

extern const struct attach_ops attach_vhost_user, attach_tap, attach_vfio_user_nic, attach_vfio_user_disk;

#endif
