/* SPDX-License-Identifier: MIT */
/* A certificate authority for tests: it issues certificates into files of a directory of its own under /tmp. */
#ifndef SLUICE_TESTS_TLS_AUTHORITY_H
#define SLUICE_TESTS_TLS_AUTHORITY_H

#include <dirent.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AUTHORITY_PATH = 128, AUTHORITY_DAY = 86400 };

struct authority {
	char directory[64];
	char ca[AUTHORITY_PATH]; /* its own certificate */
	EVP_PKEY *key;
	X509 *certificate;
	long issued;
	int rsa_bits; /* of the keys to issue; 0 = they are P-256 */
};

/* Paths of PEM files. */
struct authority_files {
	char certificate[AUTHORITY_PATH];
	char key[AUTHORITY_PATH];
};

static inline void authority_need(int condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "tests/tls: %s failed\n", what);
	abort();
}

static inline FILE *authority_open(char path[AUTHORITY_PATH], const struct authority *authority, const char *name,
				   const char *ending)
{
	snprintf(path, AUTHORITY_PATH, "%s/%s.%s", authority->directory, name, ending);
	FILE *file = fopen(path, "we");
	authority_need(file != NULL, path);
	return file;
}

static inline void authority_extend(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
	authority_need(extension != NULL, value);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static inline X509 *authority_certificate(struct authority *authority, EVP_PKEY *key, const char *name, long valid_from,
					  long valid_until)
{
	X509 *certificate = X509_new();
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), ++authority->issued);
	X509_gmtime_adj(X509_getm_notBefore(certificate), valid_from);
	X509_gmtime_adj(X509_getm_notAfter(certificate), valid_until);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, (const unsigned char *)name,
				   -1, -1, 0);
	X509_set_issuer_name(certificate, authority->certificate != NULL ? X509_get_subject_name(authority->certificate)
									 : X509_get_subject_name(certificate));
	return certificate;
}

static inline void authority_make(struct authority *authority, const char *name)
{
	*authority = (struct authority){.directory = "/tmp/sluice-tls-XXXXXX", .key = EVP_EC_gen("P-256")};
	authority_need(mkdtemp(authority->directory) != NULL, "mkdtemp");
	X509 *own = authority_certificate(authority, authority->key, name, -AUTHORITY_DAY, AUTHORITY_DAY);
	authority_extend(own, NID_basic_constraints, "critical,CA:TRUE");
	authority_need(X509_sign(own, authority->key, EVP_sha256()) > 0, "X509_sign");
	authority->certificate = own;
	FILE *file = authority_open(authority->ca, authority, "ca", "pem");
	PEM_write_X509(file, own);
	fclose(file);
}

/*
 * Issues a certificate with that common name, into the files name.pem and name.key. alternatives: as OpenSSL writes
 * them, "DNS:localhost,IP:127.0.0.1"; NULL = none. valid_from, valid_until: seconds from now.
 */
static inline void authority_issue_between(struct authority *authority, struct authority_files *files, const char *name,
					   const char *alternatives, long valid_from, long valid_until)
{
	EVP_PKEY *key = authority->rsa_bits > 0 ? EVP_RSA_gen((unsigned)authority->rsa_bits) : EVP_EC_gen("P-256");
	X509 *certificate = authority_certificate(authority, key, name, valid_from, valid_until);
	if (alternatives != NULL)
		authority_extend(certificate, NID_subject_alt_name, alternatives);
	authority_need(X509_sign(certificate, authority->key, EVP_sha256()) > 0, "X509_sign");
	FILE *file = authority_open(files->certificate, authority, name, "pem");
	PEM_write_X509(file, certificate);
	fclose(file);
	file = authority_open(files->key, authority, name, "key");
	PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL);
	fclose(file);
	X509_free(certificate);
	EVP_PKEY_free(key);
}

static inline void authority_issue(struct authority *authority, struct authority_files *files, const char *name,
				   const char *alternatives)
{
	authority_issue_between(authority, files, name, alternatives, -AUTHORITY_DAY, AUTHORITY_DAY);
}

/* Removes its files, too. */
static inline void authority_remove(struct authority *authority)
{
	char path[AUTHORITY_PATH + 256];
	DIR *directory = opendir(authority->directory);
	const struct dirent *entry;
	while (directory != NULL && (entry = readdir(directory)) != NULL) {
		snprintf(path, sizeof(path), "%s/%s", authority->directory, entry->d_name);
		unlink(path);
	}
	if (directory != NULL)
		closedir(directory);
	rmdir(authority->directory);
	X509_free(authority->certificate);
	EVP_PKEY_free(authority->key);
}

#endif
