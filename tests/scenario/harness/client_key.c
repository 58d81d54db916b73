/* SPDX-License-Identifier: MIT */
/* Keys by the command; client_key.h holds the contract. */
#include "tests/scenario/harness/client_key.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/harness/check.h"
#include "tests/scenario/harness/sluice.h"

void client_key_make(const char *name, char key[CLIENT_KEY_SIZE], char hash[CLIENT_KEY_HASH_SIZE])
{
	const char *const arguments[] = {"keys", "create", "--name", name, NULL};
	struct bytes out = {0}, err = {0};
	assert_int_equal(setenv("SLUICE_PEPPER", CLIENT_KEY_PEPPER, 1), 0);
	assert_int_equal(sluice_run(arguments, &out, &err), 0);
	assert_int_equal(err.len, 0);
	const char *row = strstr(bytes_text(&out), "hash: ");
	assert_non_null(row);
	assert_int_equal(sscanf(bytes_text(&out), "%63s", key), 1);
	assert_int_equal(sscanf(row, "hash: %127s", hash), 1);
	bytes_free(&out);
	bytes_free(&err);
}
