/* SPDX-License-Identifier: MIT */
/* A fresh self-signed certificate for 127.0.0.1 and localhost. */
#ifndef SLUICE_TESTS_HARNESS_CERTIFICATE_H
#define SLUICE_TESTS_HARNESS_CERTIFICATE_H

/* Writes two PEM files (P-256). Fails the test when it can't. */
void certificate_write(const char *certificate_path, const char *key_path);

#endif
