/* SPDX-License-Identifier: MIT */
/* The reference page of all keys (sluice --describe config), written from the table. */
#include "config/config.h"

#include "config/keys.h"
#include "config/plan_options.h"

static const char *type_name(enum key_type type)
{
	switch (type) {
	case KEY_SECTION:
		return "mapping";
	case KEY_CERTIFICATES:
		return "mapping or list";
	case KEY_LISTENERS:
		return "list";
	case KEY_BACKENDS:
	case KEY_MODELS:
	case KEY_KEYS:
	case KEY_QUOTAS:
	case KEY_SHARES:
	case KEY_TENANTS:
	case KEY_PRICES:
	case KEY_ISSUERS:
	case KEY_CACHE_MODELS:
		return "mapping of names";
	case KEY_PLAN:
		return "plan";
	case KEY_BOOL:
		return "true or false";
	case KEY_UNSIGNED:
		return "number";
	case KEY_SIZE:
		return "size";
	case KEY_DURATION:
		return "duration";
	case KEY_ENUM:
	case KEY_WORD:
		return "word";
	case KEY_WORDS:
		return "word, or a list of them";
	case KEY_PERCENT:
		return "share";
	case KEY_NUMBERS:
		return "list of numbers";
	case KEY_KINDS:
		return "kind of failure, or a list of them";
	case KEY_NAME:
		return "name";
	case KEY_TEXT:
		return "text";
	case KEY_TEXTS:
		return "text, or a list of them";
	case KEY_PATH:
		return "path";
	case KEY_SECRET:
		return "secret";
	case KEY_URL:
		return "URL";
	case KEY_URL_PATH:
		return "path of a URL";
	case KEY_ADDRESS:
		return "address";
	case KEY_LISTENER:
		return "address or socket";
	case KEY_FILE:
		return "path";
	case KEY_SOCKET:
		return "path of a socket";
	case KEY_SERVERS:
		return "list of addresses";
	case KEY_HOSTS:
		return "list of hosts";
	case KEY_ORIGINS:
		return "list of origins";
	case KEY_HASH:
		return "hash of a key";
	case KEY_TENANT:
		return "path of names";
	case KEY_PATTERNS:
		return "pattern, or a list of them";
	case KEY_NETWORKS:
		return "network, or a list of them";
	case KEY_TIME:
		return "time";
	case KEY_RATES:
		return "number per time, or a list of them";
	case KEY_SPENDING:
		return "dollars per time, or a list of them";
	case KEY_MONEY:
		return "dollars";
	}
	return "";
}

/* "number, 1 to 512", "word: `debug`, `info`". */
static void describe_type(struct buf *out, const struct key *key)
{
	buf_printf(out, "%s", type_name(key->type));
	if (key->least != NULL)
		buf_printf(out, ", %s to %s", key->least, key->most);
	bool lists_words = key->type == KEY_ENUM || key->type == KEY_WORD || key->type == KEY_WORDS;
	struct span word;
	for (const char *at = key->words; key_next_word(&at, &word);)
		buf_printf(out, "%s`%.*s`", word.at != key->words ? ", " : lists_words ? ": " : " or ", SPAN_ARG(word));
}

static void describe_default(struct buf *out, const struct key *key)
{
	if (key->standard != NULL)
		buf_printf(out, "`%s`", key->standard);
	else
		buf_printf(out, "%s",
			   (key->flags & KEY_REQUIRED) != 0 ? "*required*"
			   : key->owner == KEY_OF_NOTHING   ? ""
							    : "none");
}

static void describe_key(struct buf *out, const struct key *key)
{
	buf_printf(out, "| `%s` | ", key->path);
	describe_type(out, key);
	buf_printf(out, " | ");
	describe_default(out, key);
	buf_printf(out, " | %s |\n", key->text);
}

static const char describe_head[] =
    "# Configuration\n"
    "\n"
    "One YAML file (`sluice --config FILE`); `sluice --check FILE` checks it. Unknown keys are errors.\n"
    "In a key's path `[]` stands for an entry of a list and `*` for a name of your choice.\n"
    "\n"
    "| key | type | default | meaning |\n"
    "|---|---|---|---|\n";

static const char describe_tail[] =
    "\n"
    "Sizes are bytes, or a number with `B`, `KB`, `MB`, `GB`, `KiB`, `MiB` or `GiB`. Durations are a number with\n"
    "`ms`, `s`, `m` or `h`.\n"
    "\n"
    "In every value `${VAR}` stands for an environment variable, which must be set; `${VAR:-default}` for one\n"
    "that may be unset or empty; `${file:PATH}` for the content of a file without the line end at its end, the\n"
    "path being relative to the configuration file; `${credential:NAME}` for the content of a credential that\n"
    "systemd passed on (`LoadCredential=`); `$$` for a dollar sign. Inside `{ … }` and `[ … ]` write such a value\n"
    "in quotes. Values of secret keys and values that came from an expansion are never shown in messages.\n"
    "\n"
    "YAML anchors, aliases, tags and several documents in one file are refused.\n";

void config_describe(struct buf *out)
{
	buf_append(out, SPAN(describe_head));
	for (size_t i = 0; i < keys_count; i++)
		describe_key(out, &keys_table[i]);
	buf_append(out, SPAN(describe_tail));
}

static const char describe_options_head[] =
    "\n"
    "A combinator may take one plan instead of a list of one. A child that is to have a name, by which answers and\n"
    "causes tell of it, is written `{ name: NAME, plan: PLAN }`. The one key of the mapping that is no option is the\n"
    "combinator; options stand beside it: `{ balance: [a/model, b/model], by: weighted, weights: [3, 1] }`.\n"
    "\n"
    "| option | of | type | default | meaning |\n"
    "|---|---|---|---|---|\n";

/* "`retry`", "`a`, `b`" */
static void describe_combinators(struct buf *out, const char *combinators)
{
	struct span word;
	if (combinators == NULL)
		buf_append(out, SPAN("every combinator"));
	for (const char *at = combinators; key_next_word(&at, &word);)
		buf_printf(out, "%s`%.*s`", word.at == combinators ? "" : ", ", SPAN_ARG(word));
}

void config_describe_options(struct buf *out)
{
	buf_append(out, SPAN(describe_options_head));
	for (size_t i = 0; i < plan_options_count; i++) {
		const struct plan_option *option = &plan_options_table[i];
		buf_printf(out, "| `%s` | ", option->key.path);
		describe_combinators(out, option->combinators);
		buf_append(out, SPAN(" | "));
		describe_type(out, &option->key);
		buf_append(out, SPAN(" | "));
		describe_default(out, &option->key);
		buf_printf(out, " | %s |\n", option->key.text);
	}
}
