#include "manage/clients.h"

#include "tests/check.h"

static struct clients clients;

static int empty(void **state)
{
	(void)state;
	memset(&clients, 0, sizeof clients);
	return 0;
}

static void the_one_that_has_been_waited_for_longest_has_to_go(void **state)
{
	struct client *a = clients_add(&clients, "a", 100), *b = clients_add(&clients, "b", 50),
		      *c = clients_add(&clients, "c", 70);

	(void)state;
	assert_ptr_equal(clients_oldest(&clients), b);
	b->since_ns = 200; /* it has asked */
	assert_ptr_equal(clients_oldest(&clients), c);
	clients_remove(&clients, c);
	assert_ptr_equal(clients_oldest(&clients), a);
	assert_int_equal(clients.count, 2);
}

static void one_that_waits_for_an_event_stays(void **state)
{
	struct client *a = clients_add(&clients, "a", 1), *b = clients_add(&clients, "b", 2);

	(void)state;
	a->held = true;
	assert_ptr_equal(clients_oldest(&clients), b);
	b->held = true;
	assert_null(clients_oldest(&clients));
	a->held = false;
	assert_ptr_equal(clients_oldest(&clients), a);
}

static void each_place_is_given_once_and_again_when_it_is_free(void **state)
{
	struct client *first = NULL;

	(void)state;
	assert_null(clients_oldest(&clients));
	for (unsigned i = 0; i < MANAGE_CONNECTIONS_MAX; i++) {
		struct client *client = clients_add(&clients, &clients, i);

		assert_non_null(client);
		first = first ? first : client;
	}
	assert_null(clients_add(&clients, &clients, 1000));
	assert_int_equal(clients.count, MANAGE_CONNECTIONS_MAX);
	clients_remove(&clients, first);
	assert_ptr_equal(clients_add(&clients, &clients, 1000), first);
	assert_int_equal(clients_oldest(&clients)->since_ns, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_one_that_has_been_waited_for_longest_has_to_go, empty),
		cmocka_unit_test_setup(one_that_waits_for_an_event_stays, empty),
		cmocka_unit_test_setup(each_place_is_given_once_and_again_when_it_is_free, empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
