/* SPDX-License-Identifier: MIT */
/*
 * A configuration snapshot: everything that the file says, checked and with its
 * defaults filled in. Immutable after loading, reference-counted, one arena.
 * Exchanges hold the snapshot they started with.
 */
#ifndef SLUICE_CONFIG_CONFIG_H
#define SLUICE_CONFIG_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/quota.h"
#include "lib/api_key.h"
#include "lib/buf.h"
#include "lib/failures.h"
#include "lib/hmac.h"
#include "lib/json.h"
#include "lib/secret.h"
#include "lib/span.h"

struct config_listener {
	const char *host;            /* numeric or name, without brackets; NULL = a socket, or turned off */
	const char *port;            /* decimal; "0" lets the kernel choose */
	const char *socket;          /* path of a unix socket; NULL = host and port */
	const char *tls_certificate; /* path of a PEM file; NULL = cleartext */
	const char *tls_key;
	const char
	    *tls_clients; /* PEM file of authorities whose client certificates are accepted; NULL = none asked for */
	const struct config_listener
	    *tls_more; /* further certificates, each with its key, chosen by the name asked for */
	size_t tls_more_count;
	unsigned line;
};

struct config_timeouts {
	uint64_t connect_us;
	uint64_t first_content_us;
	uint64_t idle_us;       /* of streams */
	uint64_t idle_whole_us; /* of whole answers */
	uint64_t total_us;
};

/* When a target is taken out of service, per (backend, model). */
struct config_breaker {
	bool enabled;
	uint64_t window_us;    /* outcomes of that long count, in 6 buckets */
	unsigned calls;        /* outcomes in the window before the share of failures matters */
	unsigned percent;      /* of failures that opens it */
	unsigned consecutive;  /* failures in a row that open it */
	unsigned unreachable;  /* connect, TLS or DNS failures in a row that open it */
	uint64_t wait_us;      /* the first wait; doubles each time it opens again */
	uint64_t wait_most_us; /* the longest wait */
};

/* How many calls a target may run at once, and who may wait for one. */
struct config_concurrency {
	unsigned calls;   /* at most that many; of an adaptive limit: the largest it may become; 0 = no limit */
	bool adaptive;    /* follows the time to first content */
	unsigned queue;   /* requests that may wait */
	uint64_t wait_us; /* how long one may wait */
};

/* Free requests that ask whether a backend lives. */
struct config_probe {
	const char *path; /* below the backend's URL, with its slash; NULL = no probes */
	uint64_t every_us;
	unsigned fall, rise;    /* answers in a row that change its state */
	uint64_t slow_start_us; /* how long its share grows after a recovery; breakers that close included */
};

/* Whether a backend goes on with an assistant's message at the end of a request, and what asks it to. */
enum config_prefill {
	CONFIG_PREFILL_NONE,
	CONFIG_PREFILL_MESSAGE,  /* the message alone */
	CONFIG_PREFILL_CONTINUE, /* continue_final_message beside the messages (vLLM, SGLang) */
	CONFIG_PREFILL_PREFIX,   /* prefix in the message (Mistral, DeepSeek) */
};

struct config_backend {
	const char *name;
	const char *url;        /* http:// or https://, with the path prefix, without a trailing slash */
	const char *dialect;    /* "openai" or "anthropic" */
	unsigned max_tokens;    /* of an answer where the dialect must be told and the request does not say */
	struct secret *api_key; /* NULL when none */
	const char *ca;         /* PEM file of trusted authorities; NULL = the system's */
	enum config_prefill prefill;
	uint64_t resolve_us; /* from one look-up of its host's name to the next */
	bool stream_usage;   /* ask for usage on streams (stream_options.include_usage) even when the client did not */
	struct config_timeouts timeouts;
	const char *certificate; /* PEM file shown to the backend; NULL = none */
	const char *key;         /* PEM file of its private key */
	struct config_breaker breaker;
	struct config_concurrency concurrency;
	struct config_probe probe;
	unsigned line;
};

/* A backend and a model's name there, once however many plans use it. */
struct config_target {
	const struct config_backend *backend;
	const char *model; /* the model's name at the backend */
	const char *name;  /* "backend/model" */
	bool alone;        /* some model has no other target */
};

enum config_balance { CONFIG_BALANCE_P2C, CONFIG_BALANCE_WEIGHTED, CONFIG_BALANCE_PREFIX };

/* How an answer is gone on with that broke off behind its first content. */
enum config_resume { CONFIG_RESUME_OFF, CONFIG_RESUME_REPLAY, CONFIG_RESUME_CONTINUE, CONFIG_RESUME_EITHER };

/* What a combinator's mapping may say beside its children; config/plan_options.def has the rows and defaults. */
struct config_plan_options {
	enum config_balance by;    /* balance */
	const unsigned *weights;   /* balance by weighted: one for each child; NULL = all the same */
	unsigned attempts;         /* retry: calls in all, the first included */
	uint64_t after_us;         /* hedge: the spare starts then; 0 = at the live p95 of first content */
	unsigned hedges;           /* hedge: spares, percent of the requests */
	enum config_resume resume; /* balance, retry, fallback, hedge, race: when a stream breaks off */
	failure_set on;            /* retry, fallback: what brings another try; 0 = by the kinds' own columns */
	unsigned agree;            /* quorum: children that must agree; 0 = more than half */
};

/*
 * A plan as written, before service/plan gives it meaning: either a target or a
 * named combinator with children. Configuration knows no combinator by name.
 */
struct config_model;

struct config_plan {
	const char *combinator;               /* NULL = a target */
	const struct config_backend *backend; /* of a target */
	const char *target_model;             /* of a target: the model's name at the backend */
	const char *target;                   /* of a target: "backend/model" as written */
	size_t target_index;                  /* of a target: in the configuration's targets */
	const char *name;                     /* of a child, for lanes and causes; NULL = its target, or its place */
	const struct config_model *model;     /* of a model in a client's plan: which */
	bool strict;                          /* of a model in a client's plan: the model is strict */
	struct config_plan_options options;   /* of a combinator */
	const struct config_plan *const *children;
	size_t child_count;
	unsigned line;
};

enum config_cache_policy { CONFIG_CACHE_DETERMINISTIC, CONFIG_CACHE_ALWAYS, CONFIG_CACHE_OFF };
enum config_cache_finish { CONFIG_CACHE_STOP, CONFIG_CACHE_ANY };

/* Which answers of a model are kept, and how long. */
struct config_cache_rule {
	enum config_cache_policy policy;
	bool seed;                       /* a seed makes a request deterministic, too */
	enum config_cache_finish finish; /* which finish_reasons an answer must have */
	uint64_t ttl_us;
	uint64_t stale_us;    /* how long a stale answer may stand in for a failure */
	const char *revision; /* changes the keys; "" = none */
};

struct config_cache {
	struct config_cache_rule rule; /* of models that have none of their own */
	size_t size;                   /* bytes in memory */
	size_t entry;                  /* bytes of an answer, at most */
};

struct config_address {
	const char *host; /* numeric or name, without brackets */
	const char *port; /* decimal */
};

enum config_redis_mode { CONFIG_REDIS_SINGLE, CONFIG_REDIS_CLUSTER, CONFIG_REDIS_SENTINEL };

/* Where Redis is, and how long it may be waited for. */
/* TLS towards a server. */
struct config_client_tls {
	bool used;
	const char *ca;          /* PEM file of trusted authorities; NULL = the system's */
	const char *certificate; /* PEM file shown to the server; NULL = none */
	const char *key;         /* PEM file of its private key */
	const char *name;        /* that the server's certificate must have; NULL = its host's */
	unsigned line;
};

struct config_redis {
	const struct config_address *servers; /* of a cluster or of sentinels: any of them */
	size_t server_count;
	const char *socket; /* path of a unix socket, instead of servers; NULL = none */
	enum config_redis_mode mode;
	const char *master;               /* as its sentinels call it; NULL when there are none */
	const char *user;                 /* NULL = Redis' default user */
	struct secret *password;          /* NULL when none */
	struct secret *sentinel_password; /* NULL when none */
	unsigned database;
	const char *prefix;  /* in front of all keys */
	uint64_t budget_us;  /* what one exchange may wait for it */
	uint64_t connect_us; /* until a connection stands and has answered */
	struct config_client_tls tls;
};

/* False: there is no Redis. */
static inline bool config_redis_is_used(const struct config_redis *redis)
{
	return redis->server_count != 0 || redis->socket != NULL;
}

struct config_model {
	const char *name;
	const struct config_plan *plan;
	unsigned line;
	bool strict; /* its requests must keep the strict rules of the field tables, too */
	struct config_cache_rule cache;
};

/* Bytes that are progress: of an answer each limits.stalled, of a request's body each limits.body_stall. Less is
 * dripping. */
enum { CONFIG_PROGRESS = 4096 };

/* Where keys live that are managed at run time. */
enum config_auth_store { CONFIG_STORE_NONE, CONFIG_STORE_SQLITE, CONFIG_STORE_REDIS };

/* Where the record of use is kept. */
enum config_usage_store { CONFIG_USAGE_NONE, CONFIG_USAGE_SQLITE, CONFIG_USAGE_REDIS };

struct config_usage {
	unsigned store;   /* enum config_usage_store */
	const char *file; /* of SQLite; NULL when none */
	unsigned days;    /* that are kept, today included */
};

/* How clients say who they are. */
enum config_auth_mode {
	CONFIG_AUTH_KEYS,
	CONFIG_AUTH_NONE,
	CONFIG_AUTH_UNSAID /* none, on loopback addresses alone */
};

/* Whose tokens are accepted (JSON Web Tokens), and what their claims mean. */
struct config_issuer {
	const char *name;             /* in the file, for messages and logs */
	const char *issuer;           /* its claim `iss` */
	const char *const *audiences; /* one of them must be in the claim `aud` */
	size_t audience_count;
	const char *keys;    /* path of a file of public keys, JWK Set or PEM; NULL = there is a URL */
	const char *jwks;    /* URL of a JWK Set; NULL = there is a file */
	const char *ca;      /* PEM file of authorities to trust for that URL; NULL = the system's */
	unsigned algorithms; /* bits by their places among the words; 0 = all */
	uint64_t skew_us;    /* that clocks may differ */
	uint64_t refresh_us; /* from one fetch of the keys to the next, at most */
	uint64_t refresh_least_us;
	const char *tenant; /* what tenants of its tokens begin with; NULL = claims say all of it */
	struct {
		const char *tenant;  /* NULL = the subject */
		const char *subject; /* whose token it is */
		const char *scope;   /* words that say what a token may; NULL = it may everything but admin */
		const char *models;  /* patterns of models; NULL = the scope says it */
	} claims;                    /* their names */
	unsigned line;
};

/* Stored responses. */
struct config_responses {
	size_t size;        /* bytes of all; 0 = none are stored */
	size_t tenant_size; /* bytes of one tenant's */
	uint64_t ttl_us;
};

struct config_auth {
	unsigned mode;                       /* enum config_auth_mode */
	struct secret *pepper;               /* NULL when none */
	unsigned failures;                   /* wrong keys per minute and network */
	const struct config_issuer *issuers; /* of tokens */
	size_t issuer_count;
	unsigned store;      /* enum config_auth_store */
	const char *file;    /* of SQLite; NULL when none */
	uint64_t refresh_us; /* from one look at the store to the next */
	uint64_t grace_us;   /* how long the copy of the store's keys serves while the store does not answer */
};

/* The form in which a key is stored: its id, and a sum of the whole key. */
struct config_key_hash {
	char id[API_KEY_ID + 1];
	unsigned char sum[HMAC_SIZE]; /* HMAC-SHA-256 under auth.pepper */
};

/* Addresses that begin alike. */
struct config_network {
	unsigned char address[16]; /* of IPv4 as IPv6 maps it, ::ffff:10.0.0.0 */
	unsigned bits;             /* that count, of 128 */
};

/* The words of keys.*.endpoints, in their order. */
enum config_endpoint {
	CONFIG_ENDPOINT_CHAT,
	CONFIG_ENDPOINT_COMPLETIONS,
	CONFIG_ENDPOINT_EMBEDDINGS,
	CONFIG_ENDPOINT_FANOUT,
	CONFIG_ENDPOINT_MODELS
};

enum config_key_state { CONFIG_KEY_ACTIVE, CONFIG_KEY_REVOKED };

/* A bit of endpoints that no endpoint has: none is allowed. */
#define CONFIG_ENDPOINT_NONE (1u << 31)

/* A client's key, or a token's rights, and what it may do. */
struct config_key {
	const char *name;
	const struct config_key_hash *hash; /* NULL = a token */
	const char *tenant;                 /* whose key it is; the name where the file does not say */
	const char *identity;               /* the tenant as no header field can have it: whose answers it may see */
	const char *const *models;          /* patterns (lib/glob.h) */
	size_t model_count;                 /* 0 = all models */
	unsigned endpoints;                 /* bits 1 << enum config_endpoint; 0 = all */
	bool admin;
	const struct config_network *networks;
	size_t network_count;       /* 0 = from anywhere */
	uint64_t expires_s;         /* seconds since 1970; 0 = never */
	uint64_t revision;          /* another number once anything of it has changed; 0 = of the configuration */
	struct config_quota limits; /* of this key alone */
	unsigned state;             /* enum config_key_state */
	unsigned line;
};

/* The settings of a tenant. */
struct config_tenant {
	const char *path; /* org, org/team or org/team/agent */
	unsigned weight;  /* against the tenants beside it */
	unsigned line;
};

struct config_limits {
	uint64_t head_time_us;            /* of an HTTP/1.1 request, from its first byte */
	uint64_t body_stall_us;           /* of a request body without progress */
	size_t body;                      /* bytes of a request body */
	size_t bodies;                    /* bytes of all request bodies that are still coming */
	size_t memory;                    /* bytes that all clients may hold; 0 = half of what the process may have */
	struct json_limits json;          /* of a request body */
	unsigned connections;             /* client connections per worker */
	unsigned connections_per_address; /* per worker; 0 = no limit */
	unsigned streams;                 /* HTTP/2 streams per connection */
	size_t header_list;               /* bytes of a request's header list */
	size_t event;                     /* bytes of one upstream event */
	uint64_t stalled_us;              /* how long a client may take nothing of what waits for it */
	size_t buffer;                    /* bytes waiting for a slow client before the backend is paused */
};

/* Calls beyond the first of a request, as a share of the calls in flight. */
struct config_budget {
	unsigned percent;
	unsigned least; /* that many are always allowed */
};

/* How large a plan may be that a client writes into its request; a model in it counts as one. */
struct config_fanout {
	unsigned depth; /* levels, that of the models included */
	unsigned width; /* models, however deep they stand */
};

/* What becomes of a request that has something which no backend can be told. */
enum config_lossy { CONFIG_LOSSY_REPORT, CONFIG_LOSSY_REFUSE };

/* Clients whose dialect is not that of the backends. */
struct config_dialects {
	unsigned lossy; /* enum config_lossy */
};

/* Which web pages of other origins may read our answers (the fetch standard's CORS). */
struct config_cors {
	const char *const *origins; /* as browsers write them; "*" = any */
	size_t origin_count;        /* 0 = none: no CORS fields are sent at all */
	uint64_t max_age_us;        /* how long a browser may keep the answer to a preflight */
};

/* The words of the key `public`, in their order: what public listeners can serve besides the API. */
enum config_public { CONFIG_PUBLIC_METRICS, CONFIG_PUBLIC_DOCS, CONFIG_PUBLIC_OPENAPI, CONFIG_PUBLIC_ADMIN };

/* Something in the file that is allowed, but does not do what its author probably wants. */
struct config_advice {
	unsigned line;
	const char *key; /* dotted path */
	const char *text;
};

struct config {
	const char *file; /* name for messages; "(embedded)" for the demo */
	const struct config_listener *listeners;
	size_t listener_count;
	struct config_listener admin; /* where operators connect */
	struct config_auth auth;
	struct config_responses responses;
	const struct config_key *keys;
	const struct config_key *const *keys_by_id; /* the same, sorted */
	size_t key_count;
	const struct config_quota *quotas;
	size_t quota_count;
	const struct config_tenant *tenants; /* sorted by path */
	size_t tenant_count;
	const struct config_price *prices; /* the first that matches counts */
	size_t price_count;
	struct config_usage usage;
	unsigned public_set;   /* bits 1 << enum config_public */
	unsigned workers;      /* 0 = one per core */
	uint64_t keepalive_us; /* silence of a stream until its client gets a comment; 0 = none */
	const struct config_backend *backends;
	size_t backend_count;
	const struct config_target *targets; /* of all plans */
	size_t target_count;
	const struct config_model *models;
	size_t model_count;
	struct config_budget retries; /* of the gateway and of each backend */
	const char *const *hosts;     /* names for listeners on loopback addresses; "*" = any */
	size_t host_count;
	uint64_t drain_us;      /* from SIGTERM to the end of what still runs */
	uint64_t tls_watch_us;  /* how often files of certificates are looked at; 0 = on SIGHUP only */
	unsigned attempts_most; /* that retries inside each other may come to, in one plan */
	unsigned metrics_keys;  /* that have metrics of their own */
	struct config_limits limits;
	struct config_fanout fanout;
	struct config_cache cache;
	struct config_redis redis;
	struct config_dialects dialects;
	struct config_cors cors;
	bool core_dumps;
	const char *log_level;         /* "debug", "info", "warn", "error" */
	struct config_secret *secrets; /* all of the file (secrets.h); the latest first */
	const struct config_advice *advices;
	size_t advice_count;
};

/* False: nobody is asked for a key. */
static inline bool config_auth_is_on(const struct config *config)
{
	return config->auth.mode == CONFIG_AUTH_KEYS;
}

/* False: all keys are in the configuration. */
static inline bool config_auth_has_store(const struct config *config)
{
	return config_auth_is_on(config) && config->auth.store != CONFIG_STORE_NONE;
}

/* False: there is no admin listener. */
static inline bool config_admin_is_on(const struct config *config)
{
	return config->admin.host != NULL || config->admin.socket != NULL;
}

/* Listeners in all: those for clients, then the admin listener. */
static inline size_t config_listener_total(const struct config *config)
{
	return config->listener_count + (config_admin_is_on(config) ? 1 : 0);
}

static inline const struct config_listener *config_listener_at(const struct config *config, size_t index)
{
	return index < config->listener_count ? &config->listeners[index] : &config->admin;
}

/*
 * Loads a YAML file. On success a snapshot with one reference; on failure NULL,
 * and every finding (at most 50) appended to errors as a line
 * "FILE:LINE: KEY: what is wrong; expected …". Secrets never appear there.
 */
const struct config *config_load_file(const char *path, struct buf *errors);

/* As config_load_file, from memory; name stands for the file in messages. */
const struct config *config_load_text(struct span yaml, const char *name, struct buf *errors);

/* Appends every advice as a line "FILE:LINE: KEY: warning: text". */
void config_write_advices(const struct config *config, struct buf *out);

/* The embedded demonstration configuration, as YAML text (config/demo.yaml). */
struct span config_demo_yaml(void);

const struct config *config_hold(const struct config *config);
void config_drop(const struct config *config);

/* The model of that name; NULL when there is none. */
const struct config_model *config_find_model(const struct config *config, struct span name);

/* The key of that id; NULL when there is none. */
const struct config_key *config_find_key(const struct config *config, struct span id);

/* Returns whether one of the patterns (lib/glob.h) says that name; without any, all are meant. */
bool config_patterns_match(const char *const *patterns, size_t count, struct span name);

/* Returns the price of a target, by its name; NULL = it has none. */
const struct config_price *config_find_price(const struct config *config, const char *target);

/* Returns the weight of the tenant with that path, against those beside it. */
unsigned config_tenant_weight(const struct config *config, struct span path);

/* Returns whether a tenant is that one, or one below it. */
bool config_tenant_is_within(const char *tenant, struct span level);

/* Returns whether the key's scope `models` has that name, whether or not there is such a model. key NULL: nobody was
 * asked for one, and all models may be used. */
bool config_key_may_use(const struct config_key *key, struct span model);

/* The target of that name ("backend/model") in a plan; NULL when there is none. */
const struct config_plan *config_find_target(const struct config_plan *plan, struct span name);

/* Appends the reference of all keys as Markdown (sluice --describe config), from the keys table. */
void config_describe(struct buf *out);

/* Appends the options that combinators of plans take, as Markdown, from their table. */
void config_describe_options(struct buf *out);

#endif
