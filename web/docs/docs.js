// SPDX-License-Identifier: MIT
// Swagger UI on /openapi.json. It shows an answer when all of it is there, so a
// streamed one gets a panel of its own that shows every event as it arrives.
'use strict';

// ---- a streamed answer's events (WHATWG server-sent events) ----

// Calls onData with the data of each complete event of a stream of text.
function sseReader(onData) {
	let rest = '';
	let data = [];
	const line = (text) => {
		if (text === '') {
			if (data.length > 0) onData(data.join('\n'));
			data = [];
		} else if (text.startsWith('data:')) {
			data.push(text.slice(text[5] === ' ' ? 6 : 5));
		}
	};
	return (text) => {
		const lines = (rest + text).split(/\r\n|\n|\r(?!$)/);
		rest = lines.pop();
		lines.forEach(line);
	};
}

// ---- the panel ----

const STATES = {
	streaming: 'streaming…',
	complete: 'complete',
	failed: 'failed: the stream told an error',
	cut: 'cut: the stream ended before it was complete',
};

function make(tag, name, text) {
	const element = document.createElement(tag);
	element.className = name;
	if (text !== undefined) element.textContent = text;
	return element;
}

// A panel between the request and what Swagger UI will show of the answer.
function makePanel(place) {
	const panel = make('section', 'live');
	panel.setAttribute('aria-label', 'Live stream');
	const state = make('p', 'live-state');
	state.setAttribute('role', 'status');
	const text = make('div', 'live-text');
	const details = make('details', 'live-events');
	const count = make('summary', 'live-count');
	const events = make('pre', 'live-raw');
	details.append(count, events);
	panel.append(make('h4', 'live-title', 'Live stream'), state, text, details);
	place.insertBefore(panel, place.querySelector(':scope > .responses-wrapper'));
	panel.scrollIntoView({ block: 'nearest' });
	let seen = 0;
	const set = (to) => {
		panel.dataset.state = to;
		state.textContent = STATES[to];
	};
	const lanes = new Map(); // what each lane of a fan-out said, by its index
	const placeFor = (lane) => {
		if (!lane) return text;
		if (!lanes.has(lane.index)) {
			lanes.set(lane.index, make('div', 'live-lane'));
			lanes.get(lane.index).append(make('strong', 'live-lane-name', `${lane.name}: `));
			text.append(lanes.get(lane.index));
		}
		return lanes.get(lane.index);
	};
	const tell = () => (count.textContent = seen === 1 ? '1 event' : `${seen} events`);
	set('streaming');
	tell();
	return {
		set,
		add(data, words, lane) {
			seen += 1;
			tell();
			events.append(`${data}\n`);
			placeFor(lane).append(words);
		},
	};
}

// The words that one chunk adds, whatever the endpoint.
function wordsOf(chunk) {
	return (chunk.choices ?? []).map((choice) => choice.delta?.content ?? choice.text ?? '').join('');
}

// What an event of a fan-out tells: its lane, the words of that, and the result as the end.
function understandLane(event) {
	if (event.type === 'result') return { state: 'complete', words: '' };
	const told = event.lane.error ? `[${event.lane.error.message}]` : '';
	return { lane: event.lane, words: event.chunk ? wordsOf(event.chunk) : told };
}

// How an event changes the state, the words it adds, and to which lane.
function understand(data) {
	if (data === '[DONE]') return { state: 'complete', words: '' };
	try {
		const chunk = JSON.parse(data);
		if (chunk.type === 'result' || chunk.type?.startsWith('lane.')) return understandLane(chunk);
		if (chunk.error) return { state: 'failed', words: chunk.error.message ?? '' };
		return { words: wordsOf(chunk) };
	} catch {
		return { words: '' };
	}
}

async function show(body, panel) {
	let ended = null;
	const read = sseReader((data) => {
		const { state, words, lane } = understand(data);
		panel.add(data, words, lane);
		ended ??= state ?? null;
		if (ended) panel.set(ended);
	});
	const decoder = new TextDecoder();
	try {
		const reader = body.getReader();
		for (let part = await reader.read(); !part.done; part = await reader.read())
			read(decoder.decode(part.value, { stream: true }));
	} catch {
		// the connection broke: told below as what it is
	}
	if (!ended) panel.set('cut');
}

// ---- Swagger UI ----

// The open operation with that path, where its panel goes.
function placeOf(url) {
	const path = new URL(url, location.href).pathname;
	const summary = [...document.querySelectorAll('.opblock.is-open .opblock-summary-path')].find(
		(element) => element.dataset.path === path,
	);
	return summary?.closest('.opblock').querySelector('.opblock-body') ?? document.getElementById('docs');
}

// fetch, but a streamed answer is shown while it comes. Swagger UI gets what came, also of one that broke.
async function fetchLive(url, options) {
	const place = placeOf(url);
	place.querySelector('.live')?.remove();
	const response = await fetch(url, options);
	const isStream = (response.headers.get('content-type') ?? '').startsWith('text/event-stream');
	if (!isStream) return response;
	const [ours, theirs] = response.body.tee();
	show(ours, makePanel(place));
	const copy = new Response(whole(theirs), { status: response.status, headers: response.headers });
	Object.defineProperty(copy, 'url', { value: response.url });
	return copy;
}

// The same bytes; an end by failure becomes a plain end, since the panel tells it.
function whole(body) {
	const reader = body.getReader();
	return new ReadableStream({
		async pull(controller) {
			try {
				const { done, value } = await reader.read();
				if (done) controller.close();
				else controller.enqueue(value);
			} catch {
				controller.close();
			}
		},
	});
}

// ---- what "Try it out" begins with ----

const EXAMPLE_MODEL = 'demo'; // as the document's examples call it

// The value with every example model's name replaced.
function withModel(value, model) {
	if (value === EXAMPLE_MODEL) return model;
	if (Array.isArray(value)) return value.map((each) => withModel(each, model));
	if (value === null || typeof value !== 'object') return value;
	return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withModel(each, model)]));
}

// Swagger UI fills parameters with their examples and sends them. An example of an optional one becomes text.
function prepareParameter(parameter, model) {
	if (parameter.$ref) return;
	const { example } = parameter;
	const { examples, default: standard, ...schema } = parameter.schema;
	parameter.schema = schema;
	if (parameter.required) {
		parameter.example = withModel(example, model);
		return;
	}
	delete parameter.example;
	if (example !== undefined) parameter.description = `${parameter.description} For example: \`${example}\`.`;
}

// The document as the page shows it: bodies ask the first model that there is, and nothing else is filled in.
function prepare(spec, model) {
	const operations = Object.values(spec.paths).flatMap((path) => Object.values(path));
	const lists = operations.map((operation) => operation.parameters ?? []);
	for (const parameter of [...Object.values(spec.components.parameters ?? {}), ...lists.flat()])
		prepareParameter(parameter, model);
	for (const operation of operations) delete operation.servers;
	for (const content of operations.flatMap((operation) => Object.values(operation.requestBody?.content ?? {})))
		content.examples = withModel(content.examples, model);
	return spec;
}

async function firstModel() {
	try {
		return (await (await fetch('/v1/models?limit=1')).json()).data[0].id;
	} catch {
		return EXAMPLE_MODEL; // the list may need a key
	}
}

async function start() {
	const [document, model] = await Promise.all([fetch('/openapi.json').then((response) => response.json()), firstModel()]);
	const spec = prepare(document, model);
	spec.servers = [{ url: location.origin }]; // which serves all of it to this page
	window.ui = SwaggerUIBundle({
		spec,
		dom_id: '#docs',
		deepLinking: true,
		tryItOutEnabled: true,
		displayRequestDuration: true,
		defaultModelsExpandDepth: 0,
		validatorUrl: null,
		presets: [SwaggerUIBundle.presets.apis],
		requestInterceptor: (request) => Object.assign(request, { userFetch: fetchLive }),
	});
}

start();
