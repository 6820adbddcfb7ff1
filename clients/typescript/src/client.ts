import {ApiError, ClosedError, NetworkError} from './error.js';
import {Socket, type SocketOptions} from './socket.js';
import {EventStream, type EventStreamOptions} from './stream.js';
import type {Dial, WebSocketConstructor} from './link.js';
import type {AnswerOf, Arguments, Call, Method, Paths, Reply, RequestOptions} from './types.js';

export interface ClientOptions {
  /** Of the server, or of the folder below which a proxy shows it. In a page by default the folder of the page. */
  url?: string;
  /** An API key (`sk_…`); never in a page. */
  key?: string;
  /** The token of a player's session (`st_…`). */
  token?: string;
  /** Gives up a request after this long; 0: never. 30,000 by default. */
  timeout_ms?: number;
  /** Instead of the global ones: for Node before 22, `ws`. */
  WebSocket?: WebSocketConstructor;
  fetch?: typeof fetch;
}

/** A request by one method: resolves to the body of the answer. */
export interface Verb<M extends Method> {
  <P extends keyof Paths<M>>(path: P, ...options: Arguments<Call<Paths<M>[P]>>): Promise<AnswerOf<Paths<M>[P]>>;
}
export interface FullRequest {
  <M extends Method, P extends keyof Paths<M>>(method: M, path: P, ...options: Arguments<Call<Paths<M>[P]>>): Promise<
    Reply<AnswerOf<Paths<M>[P]>>
  >;
}

/** A request to a route that the types do not know. */
export interface RawCall extends RequestOptions {
  query?: Record<string, string | number | boolean | undefined>;
  body?: unknown;
}

/**
 * The API of one server, as one caller: with a key, a player's token, or neither. Without them, a page of the server's
 * own site sends its cookie.
 *
 *     const api = new Client({url: 'http://127.0.0.1:8090', key: 'sk_…'});
 *     const ann = await api.get('/api/players/{id}', {path: {id: 'ann'}});
 */
export class Client {
  /** Ends in `/`. */
  readonly url: string;
  readonly #options: ClientOptions;
  readonly #fetch: typeof fetch;

  constructor(options: ClientOptions = {}) {
    const page = typeof document === 'undefined' ? undefined : document.baseURI;
    const url = options.url === undefined ? page && new URL('.', page) : new URL(options.url, page);
    if (!url) throw new TypeError('the url of the server is missing');
    if (options.key && options.token) throw new TypeError('a client has a key or a token, not both');
    this.url = url.href.replace(/[?#].*$/, '').replace(/\/?$/, '/');
    this.#options = options;
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
  }

  readonly get = this.#verb('GET') as Verb<'GET'>;
  readonly post = this.#verb('POST') as Verb<'POST'>;
  readonly put = this.#verb('PUT') as Verb<'PUT'>;
  readonly patch = this.#verb('PATCH') as Verb<'PATCH'>;
  readonly delete = this.#verb('DELETE') as Verb<'DELETE'>;

  /** Like get() and the others, with the answer's status, ETag and header: `request('GET', path, options)`. */
  readonly request = ((method: string, path: string, options?: AnyCall) => this.#send(method, path, options)) as FullRequest;

  /**
   * A request to any path, for routes that this version does not know. Values in the path are encoded by the caller
   * (`pathSegment`).
   */
  async raw<T = unknown>(method: string, path: string, options: RawCall = {}): Promise<Reply<T>> {
    return (await this.#send(method, path, options)) as Reply<T>;
  }

  /** Opens a WebSocket that reconnects by itself, for subscriptions and requests. */
  connect(options: SocketOptions = {}): Socket {
    return new Socket(this.#dial(), options);
  }

  /** Opens a stream: events that are sent on it are applied exactly once and in order, whatever happens between. */
  openStream(id: string, options: EventStreamOptions = {}): EventStream {
    return new EventStream(id, this.#dial(id), options);
  }

  #verb(method: string): unknown {
    return async (path: string, options?: AnyCall) => (await this.#send(method, path, options)).body;
  }

  async #send(method: string, path: string, options: AnyCall = {}): Promise<Reply<unknown>> {
    const url = this.url + fillPath(path, options.path).replace(/^\//, '') + queryText(options.query);
    const init: RequestInit = {method, headers: this.#headers(options), credentials: 'same-origin'};
    if (options.body !== undefined) init.body = isBytes(options.body) ? options.body : JSON.stringify(options.body);
    const patience_ms = options.timeout_ms ?? this.#options.timeout_ms ?? 30_000;
    const limit = deadline(patience_ms, options.signal);
    try {
      const response = await this.#fetch(url, {...init, signal: limit.signal});
      return await readReply(response);
    } catch (problem) {
      if (problem instanceof ApiError || options.signal?.aborted) throw problem;
      const why = limit.signal.aborted ? `no answer within ${patience_ms} ms` : 'the server cannot be reached';
      throw new NetworkError(`${method} ${path}: ${why}`, true, {cause: problem});
    } finally {
      limit.clear();
    }
  }

  #headers(options: AnyCall): Record<string, string> {
    const out: Record<string, string> = {...this.#credentials(), ...options.headers};
    if (options.body !== undefined) out['Content-Type'] ??= isBytes(options.body) ? 'application/octet-stream' : 'application/json';
    if (options.ifMatch !== undefined) out['If-Match'] = options.ifMatch;
    if (options.ifNoneMatch !== undefined) out['If-None-Match'] = options.ifNoneMatch;
    if (options.idempotencyKey !== undefined) out['Idempotency-Key'] = options.idempotencyKey;
    return out;
  }

  #credentials(): Record<string, string> {
    if (this.#options.key) return {'X-API-Key': this.#options.key};
    if (this.#options.token) return {Authorization: `Bearer ${this.#options.token}`};
    return {};
  }

  // Opens a WebSocket. A page cannot send a header with one: a player gets a ticket first, which works once.
  #dial(stream?: string): Dial {
    const Constructor = this.#options.WebSocket ?? (globalThis as {WebSocket?: WebSocketConstructor}).WebSocket;
    if (!Constructor) throw new TypeError('this runtime has no WebSocket: pass one as the option WebSocket');
    const key = this.#options.key;
    return async () => {
      const url = new URL('api/ws', this.url.replace(/^http/, 'ws'));
      if (stream !== undefined) url.searchParams.set('stream', stream);
      if (this.#options.token) url.searchParams.set('ticket', await this.#ticket());
      if (!key) return new Constructor(url.href);
      try {
        return new Constructor(url.href, {headers: {'X-API-Key': key}});
      } catch (problem) {
        if (typeof document === 'undefined') throw problem;
        throw new ClosedError('a page cannot send a key with a WebSocket', undefined, {cause: problem});
      }
    };
  }

  async #ticket(): Promise<string> {
    try {
      return (await this.post('/api/sessions/tickets')).ticket;
    } catch (problem) {
      if (problem instanceof ApiError && !problem.is_temporary && problem.status < 500)
        throw new ClosedError('the session has ended', undefined, {cause: problem});
      throw problem;
    }
  }
}

interface AnyCall extends RequestOptions {
  path?: Record<string, string | number> | undefined;
  query?: Record<string, string | number | boolean | undefined> | undefined;
  body?: unknown;
}

/** A value as it stands in a path. Ids may contain `:`, which stays readable. */
export function pathSegment(value: string | number): string {
  const text = String(value);
  // fetch() would take it for this folder or the one above, encoded or not.
  if (/^\.{1,2}$/.test(text)) throw new TypeError('a path cannot contain "." or ".." as a value');
  return encodeURIComponent(text).replaceAll('%3A', ':');
}

function fillPath(path: string, values: Record<string, string | number> = {}): string {
  return path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined || value === '') throw new TypeError(`${path} needs a value for ${name}`);
    return pathSegment(value);
  });
}

function queryText(query: Record<string, string | number | boolean | undefined> = {}): string {
  const out = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value !== undefined) out.append(name, String(value));
  const text = out.toString();
  return text && `?${text}`;
}

function isBytes(body: unknown): body is Uint8Array<ArrayBuffer> {
  return body instanceof Uint8Array;
}

// Aborts after a time or with `outer`. AbortSignal.any() is younger than Node 18.
function deadline(after_ms: number, outer?: AbortSignal): {signal: AbortSignal; clear(): void} {
  const controller = new AbortController();
  const abort = () => controller.abort(outer?.reason);
  const timer = after_ms > 0 ? setTimeout(() => controller.abort(), after_ms) : undefined;
  if (outer?.aborted) abort();
  outer?.addEventListener('abort', abort);
  return {
    signal: controller.signal,
    clear() {
      clearTimeout(timer);
      outer?.removeEventListener('abort', abort);
    },
  };
}

async function readReply(response: Response): Promise<Reply<unknown>> {
  const body = await readBody(response);
  // 304 answers an If-None-Match: nothing is wrong.
  if (!response.ok && response.status !== 304) throw ApiError.fromResponse(response, body);
  const etag = response.headers.get('ETag');
  return {status: response.status, body, headers: response.headers, ...(etag === null ? {} : {etag})};
}

async function readBody(response: Response): Promise<unknown> {
  const type = response.headers.get('Content-Type') ?? '';
  if (response.status === 204 || response.status === 304) return undefined;
  if (/^application\/octet-stream/.test(type)) return new Uint8Array(await response.arrayBuffer());
  const text = await response.text();
  if (!/^application\/([^;]*\+)?json/.test(type)) return text;
  try {
    return text === '' ? undefined : JSON.parse(text);
  } catch (problem) {
    if (!response.ok) return undefined;
    throw problem;
  }
}
