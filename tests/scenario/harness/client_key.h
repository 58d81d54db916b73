/* SPDX-License-Identifier: MIT */
/* Keys of clients, made by `sluice keys create` as an operator makes them. */
#ifndef SLUICE_TESTS_HARNESS_CLIENT_KEY_H
#define SLUICE_TESTS_HARNESS_CLIENT_KEY_H

/* Of all keys of the scenarios; in the environment as SLUICE_PEPPER once a key was made. */
#define CLIENT_KEY_PEPPER "a-pepper-of-this-test-0123456789abcdef"

enum { CLIENT_KEY_SIZE = 64, CLIENT_KEY_HASH_SIZE = 128 };

/* Makes a key of that name: the key as clients show it, and its hash as the configuration has it. */
void client_key_make(const char *name, char key[CLIENT_KEY_SIZE], char hash[CLIENT_KEY_HASH_SIZE]);

#endif
