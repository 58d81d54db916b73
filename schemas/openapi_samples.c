/* SPDX-License-Identifier: MIT */
/* Samples of code that calls an operation, made from the examples of its body. */
#include "schemas/openapi_internal.h"

enum { SAMPLE_CEILING = 65536 };

/* One call to be shown. */
struct sample {
	const struct operation_row *row;
	cJSON *body; /* NULL = none */
	bool streams;
};

/* The path with the example of its argument. */
static void write_url(struct buf *out, const struct sample *sample)
{
	const char *path = sample->row->path;
	const struct field *argument = operation_argument(sample->row);
	bool admin = operation_public_name(sample->row->surface) != NULL;
	buf_append(out, admin ? SPAN(OPENAPI_ADMIN_SERVER) : SPAN(OPENAPI_SERVER));
	buf_append(out, (struct span){path, strcspn(path, "{")});
	if (argument == NULL)
		return;
	buf_append(out, (struct span){argument->example + 1, strlen(argument->example) - 2}); /* without its quotes */
	buf_append(out, span_of(strchr(path, '}') + 1));
}

/* Tools take POST for what has a body, and GET for what has none. */
static bool is_usual(const struct sample *sample)
{
	return strcmp(sample->row->method, sample->body == NULL ? "GET" : "POST") == 0;
}

static void write_json(struct buf *out, const cJSON *value)
{
	char *text = cJSON_PrintUnformatted(value);
	if (text == NULL)
		out->failed = true;
	else
		buf_append(out, span_of(text));
	cJSON_free(text);
}

static void write_indent(struct buf *out, unsigned depth)
{
	buf_printf(out, "\n%*s", (int)(depth * 4), "");
}

/* A literal of Python, or with python false of JavaScript: JSON, but for the words. Short ones stay on their line. */
static void write_literal(struct buf *out, const cJSON *value, bool python, unsigned depth)
{
	static const unsigned lines = 3; /* of nesting, deeper values stay on one */
	bool object = cJSON_IsObject(value);
	if (python && (cJSON_IsBool(value) || cJSON_IsNull(value))) {
		buf_append(out, cJSON_IsNull(value)   ? SPAN("None")
				: cJSON_IsTrue(value) ? SPAN("True")
						      : SPAN("False"));
		return;
	}
	if ((!object && !cJSON_IsArray(value)) || value->child == NULL) {
		write_json(out, value);
		return;
	}
	buf_append(out, object ? SPAN("{") : SPAN("["));
	for (const cJSON *at = value->child; at != NULL; at = at->next) {
		if (depth < lines)
			write_indent(out, depth + 1);
		if (object)
			buf_printf(out, "\"%s\": ", at->string);
		write_literal(out, at, python, depth + 1);
		if (at->next != NULL || depth < lines)
			buf_append(out, depth < lines ? SPAN(",") : SPAN(", "));
	}
	if (depth < lines)
		write_indent(out, depth);
	buf_append(out, object ? SPAN("}") : SPAN("]"));
}

/* In single quotes of a shell. */
static void write_quoted(struct buf *out, const char *text)
{
	buf_append(out, SPAN("'"));
	for (; *text != '\0'; text++)
		buf_append(out, *text == '\'' ? SPAN("'\\''") : (struct span){text, 1});
	buf_append(out, SPAN("'"));
}

static void write_curl(struct buf *out, const struct sample *sample)
{
	buf_append(out, sample->streams ? SPAN("curl -N ") : SPAN("curl "));
	if (!is_usual(sample))
		buf_printf(out, "-X %s ", sample->row->method);
	write_url(out, sample);
	if (sample->body == NULL)
		return;
	char *text = cJSON_PrintUnformatted(sample->body);
	buf_append(out, SPAN(" \\\n  -H 'content-type: application/json' \\\n  -d "));
	if (text == NULL)
		out->failed = true;
	else
		write_quoted(out, text);
	cJSON_free(text);
}

/* ---- Python ---- */

static void write_python_arguments(struct buf *out, const struct sample *sample)
{
	const struct field *argument = operation_argument(sample->row);
	if (argument != NULL)
		buf_append(out, span_of(argument->example));
	if (sample->body == NULL)
		return;
	for (const cJSON *at = sample->body->child; at != NULL; at = at->next) {
		buf_printf(out, "\n    %s=", at->string);
		write_literal(out, at, true, 1);
		buf_append(out, SPAN(","));
	}
	buf_append(out, SPAN("\n"));
}

static void write_python_sdk(struct buf *out, const struct sample *sample)
{
	buf_printf(out,
		   "from openai import OpenAI\n\n"
		   "client = OpenAI(base_url=\"" OPENAPI_SERVER "/v1\", api_key=\"none\")\n"
		   "%s = client.%s(",
		   sample->streams ? "stream" : "answer", sample->row->sdk);
	write_python_arguments(out, sample);
	buf_append(out,
		   sample->streams ? SPAN(")\nfor chunk in stream:\n    print(chunk)\n") : SPAN(")\nprint(answer)\n"));
}

/* Without the SDK, with a body. */
static void write_python_post(struct buf *out, const struct sample *sample)
{
	buf_append(out, SPAN("import json\nfrom urllib.request import Request, urlopen\n\nbody = "));
	write_literal(out, sample->body, true, 0);
	buf_append(out, SPAN("\nrequest = Request(\""));
	write_url(out, sample);
	buf_append(out, SPAN("\", json.dumps(body).encode(), {\"content-type\": \"application/json\"}"));
	if (!is_usual(sample))
		buf_printf(out, ", method=\"%s\"", sample->row->method);
	buf_append(out, SPAN(")\nwith urlopen(request) as answer:\n"));
	buf_append(out, sample->streams ? SPAN("    for line in answer:\n        print(line.decode(), end=\"\")\n")
					: SPAN("    print(answer.read().decode())\n"));
}

static void write_python_plain(struct buf *out, const struct sample *sample)
{
	bool usual = is_usual(sample);
	buf_append(out, usual ? SPAN("from urllib.request import urlopen\n\nwith urlopen(\"")
			      : SPAN("from urllib.request import Request, urlopen\n\nwith urlopen(Request(\""));
	write_url(out, sample);
	if (!usual)
		buf_printf(out, "\", method=\"%s\")", sample->row->method);
	buf_append(out, usual ? SPAN("\")") : SPAN(")"));
	buf_append(out, SPAN(" as answer:\n    print(answer.read().decode())\n"));
}

static void write_python(struct buf *out, const struct sample *sample)
{
	if (sample->row->sdk != NULL)
		write_python_sdk(out, sample);
	else if (sample->body != NULL)
		write_python_post(out, sample);
	else
		write_python_plain(out, sample);
}

/* ---- JavaScript ---- */

static void write_javascript_sdk(struct buf *out, const struct sample *sample)
{
	const struct field *argument = operation_argument(sample->row);
	buf_printf(out,
		   "import OpenAI from \"openai\";\n\n"
		   "const client = new OpenAI({ baseURL: \"" OPENAPI_SERVER "/v1\", apiKey: \"none\" });\n"
		   "const %s = await client.%s(",
		   sample->streams ? "stream" : "answer", sample->row->sdk);
	if (argument != NULL)
		buf_append(out, span_of(argument->example));
	if (sample->body != NULL)
		write_literal(out, sample->body, false, 0);
	buf_append(out, sample->streams ? SPAN(");\nfor await (const chunk of stream) console.log(chunk);\n")
					: SPAN(");\nconsole.log(answer);\n"));
}

static void write_javascript(struct buf *out, const struct sample *sample)
{
	if (sample->row->sdk != NULL) {
		write_javascript_sdk(out, sample);
		return;
	}
	buf_append(out, SPAN("const answer = await fetch(\""));
	write_url(out, sample);
	if (sample->body != NULL) {
		buf_printf(out,
			   "\", {\n  method: \"%s\",\n  headers: { \"content-type\": \"application/json\" },\n"
			   "  body: JSON.stringify(",
			   sample->row->method);
		write_literal(out, sample->body, false, 0);
		buf_append(out, SPAN("),\n});\n"));
	} else if (!is_usual(sample)) {
		buf_printf(out, "\", { method: \"%s\" });\n", sample->row->method);
	} else {
		buf_append(out, SPAN("\");\n"));
	}
	buf_append(out, sample->streams
			    ? SPAN("const text = new TextDecoder();\nfor await (const chunk of answer.body) "
				   "process.stdout.write(text.decode(chunk, { stream: true }));\n")
			    : SPAN("console.log(await answer.text());\n"));
}

static const struct {
	const char *language;
	const char *label;
	void (*write)(struct buf *out, const struct sample *sample);
} languages[] = {
    {"Shell", "curl", write_curl}, {"Python", "Python", write_python}, {"JavaScript", "JavaScript", write_javascript}};

static void add_sample(struct openapi *document, cJSON *samples, const struct sample *sample)
{
	for (size_t i = 0; i < sizeof(languages) / sizeof(languages[0]); i++) {
		cJSON *added = openapi_add_object(document, samples, NULL);
		struct buf text;
		buf_init(&text, SAMPLE_CEILING);
		languages[i].write(&text, sample);
		openapi_add_text(document, added, "lang", languages[i].language);
		openapi_add_printf(document, added, "label", "%s%s", languages[i].label,
				   sample->streams ? ", streamed" : "");
		openapi_add_buf(document, added, "source", &text);
		buf_fini(&text);
	}
}

/* The first example of a body that streams, or that does not. */
static void add_body_sample(struct openapi *document, cJSON *samples, const struct operation_row *row, bool streams)
{
	bool found = false;
	for (size_t i = 0; i < row->example_count && !found; i++) {
		cJSON *body = cJSON_Parse(row->examples[i].body);
		found = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(body, "stream")) == streams;
		document->failed = document->failed || body == NULL;
		if (found && body != NULL)
			add_sample(document, samples, &(struct sample){row, body, streams});
		cJSON_Delete(body);
	}
}

void openapi_add_samples(struct openapi *document, cJSON *operation, const struct operation_row *row)
{
	cJSON *samples = openapi_add_array(document, operation, "x-codeSamples");
	if (row->body == NULL) {
		add_sample(document, samples, &(struct sample){row, NULL, false});
		return;
	}
	add_body_sample(document, samples, row, false);
	if (row->event != NULL)
		add_body_sample(document, samples, row, true);
}
