#include "uplink/device.h"
#include "tests/check.h"
#include "uplink/uplink.h"

#include <errno.h>

static void every_known_form_is_accepted(void **state)
{
	static const char *const good[] = {
		"net_af_packet0,iface=veth0", "net_af_xdp12,iface=eth0,start_queue=1",
		"net_tap0,iface=mp0", "net_null0", "net_null1,size=64", "net_ring0",
		"net_pcap0,rx_pcap=/tmp/a.pcap", "net_memif0,role=server", "net_vhost0,iface=/tmp/s",
		"net_virtio_user0,path=/tmp/s", "0000:03:00.0", "03:00.7", "abcd:ef:1f.1,arg=1",
	};
	struct refusal why;

	(void)state;
	for (unsigned i = 0; i < array_len(good); i++)
		assert_int_equal(uplink_check(good[i], &why), 0);
}

static void every_wrong_form_is_refused_with_its_reason(void **state)
{
	static const struct {
		const char *device, *says;
	} bad[] = {
		{ "", "is no device string" },
		{ ",iface=x", "is no device string" },
		{ "eth0", "no known driver; known are net_af_packet" },
		{ "net_af_pocket0,iface=x", "no known driver" },
		{ "net_af_packet,iface=x", "has no number: write 'net_af_packet0'" },
		{ "net_af_packet0x,iface=x", "no known driver" },
		{ "net_af_packet0", "names no kernel interface: write 'net_af_packet0,iface=NAME'" },
		{ "net_af_packet0,iface=", "names no kernel interface" },
		{ "net_af_packet0,niface=a", "names no kernel interface" },
		{ "net_tap0", "names no kernel interface" },
		{ "net_tap0,iface=sixteen-letters-", "at most 15 characters" },
		{ "net_null0 ", "has a blank" },
		{ "net_null0\n", "has a blank" },
		{ "0000:03:00.8", "no known driver" },
		{ "0000:03:00", "no known driver" },
		{ "0000-03:00.0", "no known driver" },
		{ "000g:03:00.0", "no known driver" },
	};

	(void)state;
	for (unsigned i = 0; i < array_len(bad); i++) {
		struct refusal why = { 0 };

		assert_int_equal(uplink_check(bad[i].device, &why), -EINVAL);
		if (!strstr(why.text, bad[i].says))
			fail_msg("'%s': %s", bad[i].device, why.text);
	}
}

static void a_string_that_is_too_long_is_refused(void **state)
{
	char text[400] = "net_null0,size=";
	struct refusal why;

	(void)state;
	memset(text + strlen(text), '1', 300);
	assert_int_equal(uplink_check(text, &why), -EINVAL);
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(uplink_check(text, &why), -EINVAL);
}

static void the_parts_are_driver_name_interface_and_traits(void **state)
{
	struct device d;

	(void)state;
	assert_int_equal(device_parse("net_af_packet3,qpairs=1,iface=up1", 1500, &d, NULL), 0);
	assert_string_equal(d.driver, "net_af_packet");
	assert_string_equal(d.name, "net_af_packet3");
	assert_string_equal(d.interface, "up1");
	assert_int_equal(d.traits, DEVICE_NEEDS_INTERFACE | DEVICE_PACKET_SOCKET);
	assert_int_equal(device_parse("03:00.1", 1500, &d, NULL), 0);
	assert_string_equal(d.name, "0000:03:00.1");
	assert_int_equal(d.traits, DEVICE_PCI);
}

static void a_packet_ring_fits_the_mtu_unless_the_operator_chose(void **state)
{
	struct device d;

	(void)state;
	assert_int_equal(device_parse("net_af_packet0,iface=a", 1500, &d, NULL), 0);
	assert_string_equal(d.args,
			    "net_af_packet0,iface=a,framesz=2048,blocksz=65536,framecnt=1024");
	assert_int_equal(device_parse("net_af_packet0,iface=a", 9000, &d, NULL), 0);
	assert_string_equal(d.args,
			    "net_af_packet0,iface=a,framesz=16384,blocksz=65536,framecnt=1024");
	assert_int_equal(device_parse("net_af_packet0,iface=a,framesz=4096", 9000, &d, NULL), 0);
	assert_string_equal(d.args, "net_af_packet0,iface=a,framesz=4096");
}

static void a_null_port_is_silent_unless_the_operator_wants_frames(void **state)
{
	struct device d;

	(void)state;
	assert_int_equal(device_parse("net_null0", 1500, &d, NULL), 0);
	assert_string_equal(d.args, "net_null0,no-rx=1");
	assert_true(d.traits & DEVICE_SILENT);
	assert_int_equal(device_parse("net_null0,no-rx=0", 1500, &d, NULL), 0);
	assert_string_equal(d.args, "net_null0,no-rx=0");
	assert_false(d.traits & DEVICE_SILENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_known_form_is_accepted),
		cmocka_unit_test(every_wrong_form_is_refused_with_its_reason),
		cmocka_unit_test(a_string_that_is_too_long_is_refused),
		cmocka_unit_test(the_parts_are_driver_name_interface_and_traits),
		cmocka_unit_test(a_packet_ring_fits_the_mtu_unless_the_operator_chose),
		cmocka_unit_test(a_null_port_is_silent_unless_the_operator_wants_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
