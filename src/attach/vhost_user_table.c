/* Every request of a front-end on one line: the sizes and descriptors it may have, how it is
 * answered, when and by whom it is served.  Sizes are those of the protocol; where frontends differ (a structure
 * sent with or without its padding) both are taken. */
#include "attach/internal.h"

enum {
	STATE = VHOST_USER_STATE_BYTES,
	ADDR = VHOST_USER_ADDR_BYTES,
	TABLE_MIN = VHOST_USER_MEM_FIRST,
	TABLE_MAX = VHOST_USER_MEM_FIRST + VHOST_USER_MEM_REGIONS_MAX * VHOST_USER_REGION_BYTES,
	SINGLE = VHOST_USER_SINGLE_FIRST + VHOST_USER_REGION_BYTES,
	CONFIG_MIN = VHOST_USER_CONFIG_FIRST,
	CONFIG_MAX = VHOST_USER_CONFIG_FIRST + VHOST_USER_CONFIG_MAX,
	FDS = VHOST_USER_MEM_REGIONS_MAX,
	ACK = VU_ANSWER_ACK,
	REPLY = VU_ANSWER_REPLY,
	ANY = VU_ANY_TIME,
	QUIET = VU_WHEN_QUIET,
};

#define REQUEST(code) [VHOST_USER_##code]

static const struct vu_rule rules[VHOST_USER_REQUESTS] = {
	/* request                      name          size min, max    fds  answer  when  served by */
	REQUEST(GET_FEATURES) = { "GET_FEATURES", 0, 0, 0, 0, REPLY, ANY, vu_get_features },
	REQUEST(SET_FEATURES) = { "SET_FEATURES", 8, 8, 0, 0, ACK, QUIET, vu_set_features },
	REQUEST(SET_OWNER) = { "SET_OWNER", 0, 0, 0, 0, ACK, ANY, vu_set_owner },
	REQUEST(RESET_OWNER) = { "RESET_OWNER", 0, 0, 0, 0, ACK, QUIET, vu_reset_owner },
	REQUEST(SET_MEM_TABLE) = { "SET_MEM_TABLE", TABLE_MIN, TABLE_MAX, 0, FDS, ACK, QUIET,
				   vu_set_mem_table },
	REQUEST(SET_LOG_BASE) = { "SET_LOG_BASE", 8, VHOST_USER_LOG_BYTES, 0, 1, REPLY, ANY,
				  vu_set_log_base },
	REQUEST(SET_LOG_FD) = { "SET_LOG_FD", 0, 8, 0, 1, ACK, ANY, vu_set_log_fd },
	REQUEST(SET_VRING_NUM) = { "SET_VRING_NUM", STATE, STATE, 0, 0, ACK, QUIET, vu_set_vring_num },
	REQUEST(SET_VRING_ADDR) = { "SET_VRING_ADDR", ADDR, ADDR, 0, 0, ACK, QUIET, vu_set_vring_addr },
	REQUEST(SET_VRING_BASE) = { "SET_VRING_BASE", STATE, STATE, 0, 0, ACK, QUIET,
				    vu_set_vring_base },
	REQUEST(GET_VRING_BASE) = { "GET_VRING_BASE", STATE, STATE, 0, 0, REPLY, QUIET,
				    vu_get_vring_base },
	REQUEST(SET_VRING_KICK) = { "SET_VRING_KICK", 8, 8, 0, 1, ACK, QUIET, vu_set_vring_kick },
	REQUEST(SET_VRING_CALL) = { "SET_VRING_CALL", 8, 8, 0, 1, ACK, ANY, vu_set_vring_call },
	REQUEST(SET_VRING_ERR) = { "SET_VRING_ERR", 8, 8, 0, 1, ACK, ANY, vu_set_vring_err },
	REQUEST(GET_PROTOCOL_FEATURES) = { "GET_PROTOCOL_FEATURES", 0, 0, 0, 0, REPLY, ANY,
					   vu_get_protocol_features },
	REQUEST(SET_PROTOCOL_FEATURES) = { "SET_PROTOCOL_FEATURES", 8, 8, 0, 0, ACK, ANY,
					   vu_set_protocol_features },
	REQUEST(GET_QUEUE_NUM) = { "GET_QUEUE_NUM", 0, 0, 0, 0, REPLY, ANY, vu_get_queue_num },
	REQUEST(SET_VRING_ENABLE) = { "SET_VRING_ENABLE", STATE, STATE, 0, 0, ACK, QUIET,
				      vu_set_vring_enable },
	REQUEST(SEND_RARP) = { "SEND_RARP", 8, 8, 0, 0, ACK, ANY, vu_send_rarp },
	REQUEST(NET_SET_MTU) = { "NET_SET_MTU", 8, 8, 0, 0, ACK, ANY, vu_net_set_mtu },
	REQUEST(SET_BACKEND_REQ_FD) = { "SET_BACKEND_REQ_FD", 0, 8, 1, 1, ACK, ANY,
					vu_set_backend_req_fd },
	REQUEST(IOTLB_MSG) = { "IOTLB_MSG", VHOST_USER_IOTLB_USED, VHOST_USER_IOTLB_BYTES, 0, 0,
			       ACK, QUIET, vu_iotlb_msg },
	REQUEST(GET_CONFIG) = { "GET_CONFIG", CONFIG_MIN, CONFIG_MAX, 0, 0, REPLY, ANY, vu_get_config },
	REQUEST(SET_CONFIG) = { "SET_CONFIG", CONFIG_MIN, CONFIG_MAX, 0, 0, ACK, ANY, vu_set_config },
	REQUEST(GET_INFLIGHT_FD) = { "GET_INFLIGHT_FD", VHOST_USER_INFLIGHT_USED,
				     VHOST_USER_INFLIGHT_BYTES, 0, 0, REPLY, QUIET, vu_get_inflight_fd },
	REQUEST(SET_INFLIGHT_FD) = { "SET_INFLIGHT_FD", VHOST_USER_INFLIGHT_USED,
				     VHOST_USER_INFLIGHT_BYTES, 1, 1, ACK, QUIET, vu_set_inflight_fd },
	REQUEST(RESET_DEVICE) = { "RESET_DEVICE", 0, 0, 0, 0, ACK, QUIET, vu_reset_device },
	REQUEST(GET_MAX_MEM_SLOTS) = { "GET_MAX_MEM_SLOTS", 0, 0, 0, 0, REPLY, ANY,
				       vu_get_max_mem_slots },
	REQUEST(ADD_MEM_REG) = { "ADD_MEM_REG", SINGLE, SINGLE, 1, 1, ACK, QUIET, vu_add_mem_reg },
	/* One descriptor is allowed, since some frontends send it; it is closed unused. */
	REQUEST(REM_MEM_REG) = { "REM_MEM_REG", SINGLE, SINGLE, 0, 1, ACK, QUIET, vu_rem_mem_reg },
	REQUEST(SET_STATUS) = { "SET_STATUS", 8, 8, 0, 0, ACK, QUIET, vu_set_status },
	REQUEST(GET_STATUS) = { "GET_STATUS", 0, 0, 0, 0, REPLY, ANY, vu_get_status },
};

const struct vu_rule *vu_rule(uint32_t request)
{
	if (request >= VHOST_USER_REQUESTS || !rules[request].serve)
		return NULL;
	return &rules[request];
}
