/* SPDX-License-Identifier: MIT */
/* The id of the stored response that a body goes on from, found before the body is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "schemas/responses/conversation.h"

#define MEMBER "\"previous_response_id\""

static void the_id_is_found_wherever_the_member_stands(void **state)
{
	static const struct {
		const char *body, *id;
	} rows[] = {
	    {"{" MEMBER ":\"resp_1\",\"model\":\"m\"}", "resp_1"},
	    {"{\"model\":\"m\",\n" MEMBER " :\t \"resp_2\"}", "resp_2"},
	    /* the name as a value, and the member without an id, come first */
	    {"{\"user\":" MEMBER "," MEMBER ":null,\"x\":{" MEMBER ":\"resp_3\"}}", "resp_3"},
	    {"{\"input\":\"\\\"previous_response_id\\\":\\\"resp_4\\\"\"}", NULL},
	    {"{" MEMBER ":null}", NULL},
	    {"{" MEMBER ":\"other_5\"}", NULL},
	    {"{" MEMBER ":\"resp_6", NULL},
	    {"{" MEMBER ":", NULL},
	    {"{" MEMBER, NULL},
	    {"{}", NULL},
	    {"", NULL},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span id = responses_previous_glance(span_of(rows[i].body));
		if (rows[i].id == NULL ? id.at != NULL : !span_is(id, rows[i].id))
			fail_msg("%s: got %.*s", rows[i].body, SPAN_ARG(id));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_id_is_found_wherever_the_member_stands)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
