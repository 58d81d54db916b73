/* SPDX-License-Identifier: MIT */
/* Offers of keys in header fields, keys against the configuration, and what they may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "lib/api_key.h"
#include "service/access/access.h"

#define PEPPER "0123456789abcdef0123456789abcdef"

static char good[API_KEY_LENGTH + 1], revoked[API_KEY_LENGTH + 1], dated[API_KEY_LENGTH + 1], local[API_KEY_LENGTH + 1];
static const struct config *config;
static struct access *access_of_all;

static void write_key(struct buf *yaml, const char *name, char key[API_KEY_LENGTH + 1], const char *more)
{
	unsigned char sum[HMAC_SIZE];
	struct hmac *hmac = hmac_create(SPAN(PEPPER));
	assert_true(api_key_make(key));
	assert_true(hmac_sum(hmac, span_of(key), sum));
	buf_printf(yaml, "  %s: { hash: '%.*s:", name, API_KEY_ID, key + strlen(API_KEY_PREFIX));
	for (size_t i = 0; i < HMAC_SIZE; i++)
		buf_printf(yaml, "%02x", sum[i]);
	buf_printf(yaml, "'%s }\n", more);
	hmac_destroy(hmac);
}

static int setup(void **state)
{
	struct buf yaml, errors;
	(void)state;
	buf_init(&yaml, 65536);
	buf_init(&errors, 65536);
	buf_append(&yaml, SPAN("listen: [127.0.0.1:1]\nbackends: { b: { url: 'http://h:1' } }\nmodels: { m: b/x }\n"
			       "auth: { pepper: " PEPPER " }\nkeys:\n"));
	write_key(&yaml, "good", good, "");
	write_key(&yaml, "revoked", revoked, ", state: revoked");
	write_key(&yaml, "dated", dated, ", expires: 2027-01-31");
	write_key(&yaml, "local", local, ", networks: [10.1.128.0/17, 'fd00::/8', 192.0.2.7]");
	config = config_load_text(buf_span(&yaml), "t.yaml", &errors);
	if (config == NULL)
		print_error("%.*s", SPAN_ARG(buf_span(&errors)));
	assert_non_null(config);
	access_of_all = access_create(config);
	assert_non_null(access_of_all);
	buf_fini(&yaml);
	buf_fini(&errors);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	access_destroy(access_of_all);
	config_drop(config);
	return 0;
}

static enum error_code check(const char *key, const char *holder, const unsigned char *address, uint64_t now_s)
{
	struct access_offer offer = {.key = span_of(key)};
	struct access_use use = {address, now_s};
	struct holder *found;
	enum error_code error = access_check(access_of_all, &offer, &use, &found);
	if (holder == NULL)
		assert_null(found);
	else
		assert_string_equal(found->key->name, holder);
	holder_drop(found);
	return error;
}

static void a_key_is_found_by_its_id_and_proven_by_all_of_it(void **state)
{
	char other[API_KEY_LENGTH + 1];
	(void)state;
	assert_int_equal(check(good, "good", NULL, 0), ERROR_NONE);
	assert_int_equal(check(good, "good", NULL, 0), ERROR_NONE); /* proven before */
	assert_int_equal(check(NULL, NULL, NULL, 0), ERROR_KEY_MISSING);
	assert_true(api_key_make(other)); /* a good form with an id that nobody has */
	assert_int_equal(check(other, NULL, NULL, 0), ERROR_KEY_INVALID);
	/* the id of one, the secret of another, and a checksum that fits */
	memcpy(other, good, strlen(API_KEY_PREFIX) + API_KEY_ID);
	api_key_checksum((struct span){other, API_KEY_LENGTH - API_KEY_CHECK}, other + API_KEY_LENGTH - API_KEY_CHECK);
	struct span id;
	assert_true(api_key_parse(span_of(other), &id));
	assert_int_equal(check(other, NULL, NULL, 0), ERROR_KEY_INVALID);
	assert_int_equal(check("sk-sluice-", NULL, NULL, 0), ERROR_KEY_INVALID);
}

static void a_key_that_is_over_is_refused_with_its_name(void **state)
{
	(void)state;
	assert_int_equal(check(revoked, "revoked", NULL, 0), ERROR_KEY_REVOKED);
	assert_int_equal(check(dated, "dated", NULL, 1801353599), ERROR_NONE);
	assert_int_equal(check(dated, "dated", NULL, 1801353600), ERROR_KEY_EXPIRED);
}

static void a_key_of_some_networks_is_of_no_others(void **state)
{
	static const struct {
		unsigned char address[16];
		bool within;
	} rows[] = {
	    {{[10] = 0xff, 0xff, 10, 1, 128, 0}, true},
	    {{[10] = 0xff, 0xff, 10, 1, 255, 255}, true},
	    {{[10] = 0xff, 0xff, 10, 1, 127, 255}, false},
	    {{[10] = 0xff, 0xff, 10, 2, 128, 0}, false},
	    {{[10] = 0xff, 0xff, 192, 0, 2, 7}, true},
	    {{[10] = 0xff, 0xff, 192, 0, 2, 6}, false},
	    {{0xfd, 1}, true},
	    {{0xfc, 1}, false},
	    {{[12] = 10, 1, 128, 0}, false}, /* the same bits, but of IPv6 */
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (check(local, "local", rows[i].address, 0) != (rows[i].within ? ERROR_NONE : ERROR_KEY_NETWORK))
			fail_msg("row %zu", i);
	assert_int_equal(check(local, "local", NULL, 0), ERROR_KEY_NETWORK); /* a socket is in no network */
}

static struct access_offer offered(const char *const fields[][2])
{
	struct access_offer offer = {.broken = false};
	for (size_t i = 0; fields[i][0] != NULL; i++)
		access_offer_field(&offer, (struct http_field){span_of(fields[i][0]), span_of(fields[i][1])});
	return offer;
}

static void three_fields_offer_keys_and_must_agree(void **state)
{
	static const struct {
		const char *fields[4][2];
		const char *key; /* NULL = none */
		bool broken;
	} rows[] = {
	    {{{"authorization", "Bearer K"}}, "K", false},
	    {{{"authorization", "bEARER   K "}}, "K", false},
	    {{{"x-api-key", "K"}}, "K", false},
	    {{{"api-key", " K"}}, "K", false},
	    {{{"authorization", "Bearer K"}, {"x-api-key", "K"}, {"api-key", "K"}}, "K", false},
	    {{{"authorization", "Bearer K"}, {"x-api-key", "L"}}, "K", true},
	    {{{"x-api-key", "L"}, {"authorization", "Bearer K"}}, "L", true},
	    {{{"authorization", "Bearer K"}, {"authorization", "Bearer L"}}, "K", true},
	    {{{"authorization", "Basic K"}}, NULL, true},
	    {{{"authorization", "K"}}, NULL, true},
	    {{{"authorization", "Bearer "}}, NULL, true},
	    {{{"authorization", ""}}, NULL, false},
	    {{{"x-api-key", ""}, {"api-key", "K"}}, "K", false},
	    {{{"cookie", "K"}, {"x-api-keys", "K"}}, NULL, false},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct access_offer offer = offered(rows[i].fields);
		if (offer.broken != rows[i].broken || !span_equal(offer.key, span_of(rows[i].key)))
			fail_msg("row %zu: %.*s", i, SPAN_ARG(offer.key));
	}
}

static void a_broken_offer_is_refused_whatever_is_in_it(void **state)
{
	struct access_offer offer = {.key = span_of(good), .broken = true};
	struct access_use use = {NULL, 0};
	struct holder *found;
	(void)state;
	assert_int_equal(access_check(access_of_all, &offer, &use, &found), ERROR_KEY_INVALID);
	assert_null(found);
}

static void rights_are_those_of_the_scopes(void **state)
{
	const struct config_key all = {.endpoints = 0}, some = {.endpoints = 1u << CONFIG_ENDPOINT_EMBEDDINGS},
				keeper = {.endpoints = 1u << CONFIG_ENDPOINT_MODELS, .admin = true};
	(void)state;
	for (enum operation_right right = OPERATION_RIGHT_CHAT; right <= OPERATION_RIGHT_MODELS; right++) {
		assert_true(access_has_right(&all, right));
		assert_int_equal(access_has_right(&some, right), right == OPERATION_RIGHT_EMBEDDINGS);
		assert_int_equal(access_has_right(&keeper, right), right == OPERATION_RIGHT_MODELS);
	}
	assert_true(access_has_right(&some, OPERATION_FREE));
	assert_false(access_has_right(&all, OPERATION_RIGHT_ADMIN));
	assert_true(access_has_right(&keeper, OPERATION_RIGHT_ADMIN));
	assert_false(access_has_right(&keeper, OPERATION_RIGHT_UNSAID));
}

static void every_operation_says_what_a_key_must_allow(void **state)
{
	(void)state;
	for (enum operation operation = 0; operation < OPERATION_COUNT; operation++) {
		const struct operation_row *row = operation_row(operation);
		if (row->right == OPERATION_RIGHT_UNSAID)
			fail_msg("%s %s says nothing", row->method, row->path);
		bool api = strncmp(row->path, "/v1/", 4) == 0;
		assert_true(!api || (row->right != OPERATION_FREE && row->right != OPERATION_RIGHT_ADMIN));
		assert_true(row->surface != OPERATION_OF_ADMIN || row->right == OPERATION_RIGHT_ADMIN);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_is_found_by_its_id_and_proven_by_all_of_it),
	    cmocka_unit_test(a_key_that_is_over_is_refused_with_its_name),
	    cmocka_unit_test(a_key_of_some_networks_is_of_no_others),
	    cmocka_unit_test(three_fields_offer_keys_and_must_agree),
	    cmocka_unit_test(a_broken_offer_is_refused_whatever_is_in_it),
	    cmocka_unit_test(rights_are_those_of_the_scopes),
	    cmocka_unit_test(every_operation_says_what_a_key_must_allow),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}
