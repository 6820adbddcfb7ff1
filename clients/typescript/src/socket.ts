import {ApiError, ClosedError, NetworkError, type SocketProblem} from './error.js';
import {Link, call, natural, own_close, type Dial, type LinkOptions, type LinkState, type Message, type Surroundings} from './link.js';

export interface ChatMessage {
  channel: string;
  /** Of a stream of Redis: later messages have higher ones. */
  id: string;
  from: string;
  text: string;
  ts: string;
}

export interface Notification {
  id: string;
  player_id: string;
  text: string;
  ts: string;
}

/** What a subscription gets; exactly one of the members is there. docs/api.md lists the channels. */
export interface Push<T = unknown> {
  event?: {channel: string; data: T};
  message?: ChatMessage;
  deleted?: {channel: string; id: string};
  presence?: {channel: string; player_id: string; event: 'join' | 'leave'};
  notification?: Notification;
  /** Messages were missed that the history no longer has. */
  gap?: {channel: string};
}

/** The answer to a subscription. */
export interface Subscribed {
  channel: string;
  recovered?: boolean;
  last_id?: string;
  messages?: ChatMessage[];
  unread?: Notification[];
}

export interface SubscribeOptions {
  /** The id of the last message that is known already: those after it come first. */
  since?: string;
  /** Further members of the subscription: `{limit: 10}` of a board, `{radius_m: 500}` of `near:`. */
  arguments?: Record<string, unknown>;
  /** Called each time that the server has confirmed it, after a lost connection again. */
  onSubscribed?: (answer: Subscribed) => void;
  /** The subscription was refused, or has been ended by the server: it is over. */
  onError?: (problem: ApiError | ClosedError) => void;
}

export interface Subscription {
  readonly channel: string;
  /** When it is first confirmed; rejected when it is refused. */
  readonly ready: Promise<Subscribed>;
  unsubscribe(): void;
}

export type SocketOptions = LinkOptions;
export type SocketState = LinkState;

export interface SocketRequestOptions {
  /** Gives up after this long. 30,000 by default. */
  timeout_ms?: number;
}

/** At most so many requests are under way; further ones wait. */
const in_flight_limit = 64;
const waiting_limit = 1_024;
const remembered_limit = 1_000;

interface Request {
  cid: string;
  message: Message;
  resolve(answer: Message): void;
  reject(problem: unknown): void;
  timer: unknown;
}

interface Listener {
  handler: (push: Push) => void;
  options: SubscribeOptions;
  last_id: string | undefined; // of the messages it has
  confirmed(answer: Subscribed): void;
  refused(problem: ApiError | ClosedError): void;
}

// Everybody here who listens to one channel: one subscription at the server.
interface Channel {
  name: string;
  listeners: Set<Listener>;
  arguments: Record<string, unknown>;
  cid: string | undefined; // of the subscription that is not answered yet
  retry: unknown;
  notified: Set<string>; // ids of notifications that were handed on
}

/**
 * A WebSocket of a client, which opens itself again for as long as it is not closed. Subscriptions are renewed after a
 * lost connection; where messages have ids, those missed meanwhile are fetched.
 */
export class Socket {
  readonly #link: Link;
  readonly #surroundings: Surroundings;
  readonly #channels = new Map<string, Channel>();
  readonly #waiting: Request[] = [];
  readonly #in_flight = new Map<string, Request>();
  readonly #observers = new Set<(state: SocketState) => void>();
  #ended: ClosedError | undefined;
  #cids = 0;

  constructor(dial: Dial, options: SocketOptions = {}, surroundings: Surroundings = natural) {
    this.#surroundings = surroundings;
    const onState = (state: SocketState) => {
      for (const observer of [options.onState, ...this.#observers]) call(surroundings, () => observer?.(state));
    };
    const owner = {
      opened: () => this.#opened(),
      received: (message: Message) => this.#received(message),
      lost: () => this.#lost(),
      ended: (why: ClosedError) => this.#end(why),
    };
    this.#link = new Link(dial, owner, {...options, onState}, surroundings);
    this.#link.start();
  }

  get state(): SocketState {
    return this.#link.state;
  }

  /** Why it has ended, once it has. */
  get ended(): ClosedError | undefined {
    return this.#ended;
  }

  /** Tells about each change of the state; returns a function that stops it. */
  observe(observer: (state: SocketState) => void): () => void {
    this.#observers.add(observer);
    return () => void this.#observers.delete(observer);
  }

  /** Calls `handler` with whatever comes on a channel, until it is unsubscribed. */
  subscribe<T = unknown>(name: string, handler: (push: Push<T>) => void, options: SubscribeOptions = {}): Subscription {
    let listener!: Listener;
    const ready = new Promise<Subscribed>((resolve, reject) => {
      listener = {
        handler: (push) => call(this.#surroundings, () => handler(push as Push<T>)),
        options,
        last_id: options.since,
        confirmed: (answer) => {
          resolve(answer);
          call(this.#surroundings, () => options.onSubscribed?.(answer));
        },
        refused: (problem) => {
          reject(problem);
          const isOwn = problem instanceof ClosedError && problem.close_code === own_close;
          if (!isOwn) call(this.#surroundings, () => options.onError?.(problem));
        },
      };
    });
    ready.catch(() => {}); // Who does not wait for it is told by onError.
    if (this.#ended) {
      listener.refused(this.#ended);
    } else {
      const channel = this.#channel(name);
      channel.listeners.add(listener);
      Object.assign(channel.arguments, options.arguments);
      this.#renew(channel);
    }
    return {channel: name, ready, unsubscribe: () => this.#leave(name, listener)};
  }

  /**
   * Sends a message and waits for its answer: `request({chat: {channel: 'general', text: 'hi'}})`. While there is no
   * connection it waits for the next one. An ApiError is the server's refusal; after a NetworkError with `was_sent` the
   * outcome is unknown.
   */
  request<T extends Message = Message>(message: Message, {timeout_ms = 30_000}: SocketRequestOptions = {}): Promise<T> {
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#waiting.length >= waiting_limit)
      return Promise.reject(new NetworkError('too many requests wait for the connection', false));
    return new Promise<T>((resolve, reject) => {
      const cid = this.#nextCid();
      const timer = this.#surroundings.setTimeout(() => this.#giveUp(cid, timeout_ms), timeout_ms);
      this.#waiting.push({cid, message, resolve: resolve as (answer: Message) => void, reject, timer});
      this.#sendWaiting();
    });
  }

  /** Ends the pause before the next attempt to connect. */
  reconnectNow(): void {
    this.#link.hurry();
  }

  close(): void {
    this.#link.end(new ClosedError('the socket was closed', own_close));
  }

  #nextCid(): string {
    return String(++this.#cids);
  }

  // ---- the connection ------------------------------------------------------------------------------------------------
  #opened(): void {
    for (const channel of this.#channels.values()) this.#renew(channel);
    this.#sendWaiting();
  }

  #lost(): void {
    for (const channel of this.#channels.values()) this.#forgetQuestion(channel);
    const lost = [...this.#in_flight.values()];
    this.#in_flight.clear();
    for (const request of lost) this.#settle(request).reject(new NetworkError('the connection was lost before the answer'));
  }

  #end(why: ClosedError): void {
    this.#ended = why;
    const requests = [...this.#in_flight.values(), ...this.#waiting.splice(0)];
    this.#in_flight.clear();
    for (const request of requests) this.#settle(request).reject(why);
    for (const channel of [...this.#channels.values()]) this.#drop(channel, why);
  }

  #received(message: Message): void {
    const cid = message.cid as string | undefined;
    if (cid === undefined) return this.#push(message);
    const request = this.#in_flight.get(cid);
    if (request) {
      this.#in_flight.delete(cid);
      this.#settle(request);
      if (message.error) request.reject(ApiError.fromSocket(message.error as SocketProblem));
      else request.resolve(message);
      return this.#sendWaiting();
    }
    for (const channel of this.#channels.values()) if (channel.cid === cid) return this.#answered(channel, message);
  }

  // ---- requests ------------------------------------------------------------------------------------------------------
  #sendWaiting(): void {
    while (this.#waiting.length > 0 && this.#in_flight.size < in_flight_limit) {
      const request = this.#waiting[0]!;
      if (!this.#link.send(JSON.stringify({...request.message, cid: request.cid}))) return;
      this.#waiting.shift();
      this.#in_flight.set(request.cid, request);
    }
  }

  #giveUp(cid: string, after_ms: number): void {
    const at = this.#waiting.findIndex((one) => one.cid === cid);
    const request = at >= 0 ? this.#waiting.splice(at, 1)[0] : this.#in_flight.get(cid);
    this.#in_flight.delete(cid);
    request?.reject(new NetworkError(`no answer within ${after_ms} ms`, at < 0));
    this.#sendWaiting();
  }

  #settle(request: Request): Request {
    this.#surroundings.clearTimeout(request.timer);
    return request;
  }

  // ---- subscriptions -------------------------------------------------------------------------------------------------
  #channel(name: string): Channel {
    let channel = this.#channels.get(name);
    if (!channel) {
      channel = {name, listeners: new Set(), arguments: {}, cid: undefined, retry: undefined, notified: new Set()};
      this.#channels.set(name, channel);
    }
    return channel;
  }

  // Asks for it, once more when it is there already: a new listener wants an answer, too.
  #renew(channel: Channel): void {
    this.#forgetQuestion(channel);
    if (this.#link.state !== 'open') return; // opened() asks.
    const known = [...channel.listeners].flatMap((one) => one.last_id ?? []);
    const since = known.reduce<string | undefined>((least, id) => (least === undefined || isAfter(least, id) ? id : least), undefined);
    const cid = this.#nextCid();
    const subscribe = {channel: channel.name, ...channel.arguments, ...(since === undefined ? {} : {since})};
    if (this.#link.send(JSON.stringify({cid, subscribe}))) channel.cid = cid;
  }

  #forgetQuestion(channel: Channel): void {
    channel.cid = undefined;
    this.#surroundings.clearTimeout(channel.retry);
    channel.retry = undefined;
  }

  #answered(channel: Channel, message: Message): void {
    channel.cid = undefined;
    if (message.error) {
      const problem = ApiError.fromSocket(message.error as SocketProblem);
      if (!problem.is_temporary) return this.#drop(channel, problem);
      const pause_ms = Math.max(500, (problem.retry_after ?? 0) * 1_000) * (1 + this.#surroundings.random());
      channel.retry = this.#surroundings.setTimeout(() => this.#renew(channel), pause_ms);
      return;
    }
    const answer = message.subscribed as Subscribed;
    for (const listener of [...channel.listeners]) {
      const missed = answer.recovered === false && listener.last_id !== undefined;
      listener.confirmed(answer);
      if (missed) listener.handler({gap: {channel: channel.name}});
      for (const one of answer.messages ?? []) this.#deliver(listener, {message: one});
      // When there are messages more may follow, so the last of them is the place to resume from.
      if (answer.last_id !== undefined && !answer.messages?.length) listener.last_id = answer.last_id;
    }
    for (const one of answer.unread ?? []) this.#notify(channel, one);
  }

  #push(message: Message): void {
    const name = channelOf(message);
    const channel = name === undefined ? undefined : this.#channels.get(name);
    if (!channel) return;
    if (message.unsubscribed) {
      const reason = (message.unsubscribed as {reason?: string}).reason ?? 'unsubscribed';
      return this.#drop(channel, new ApiError(403, 'forbidden', reason));
    }
    if (message.notification) return this.#notify(channel, message.notification as Notification);
    for (const listener of [...channel.listeners]) this.#deliver(listener, message as Push);
  }

  // Messages that this listener has already are left out.
  #deliver(listener: Listener, push: Push): void {
    const id = push.message?.id;
    if (id !== undefined) {
      if (listener.last_id !== undefined && !isAfter(id, listener.last_id)) return;
      listener.last_id = id;
    }
    listener.handler(push);
  }

  // Unread ones come again with each answer.
  #notify(channel: Channel, notification: Notification): void {
    if (channel.notified.has(notification.id)) return;
    channel.notified.add(notification.id);
    for (const oldest of channel.notified) {
      if (channel.notified.size <= remembered_limit) break;
      channel.notified.delete(oldest);
    }
    for (const listener of [...channel.listeners]) listener.handler({notification});
  }

  #leave(name: string, listener: Listener): void {
    const channel = this.#channels.get(name);
    if (!channel?.listeners.delete(listener) || channel.listeners.size > 0) return;
    this.#forgetQuestion(channel);
    this.#channels.delete(name);
    this.#link.send(JSON.stringify({cid: this.#nextCid(), unsubscribe: {channel: name}}));
  }

  #drop(channel: Channel, why: ApiError | ClosedError): void {
    this.#forgetQuestion(channel);
    this.#channels.delete(channel.name);
    for (const listener of [...channel.listeners]) listener.refused(why);
    channel.listeners.clear();
  }
}

/** Whether the message id `a`, `<ms>-<number>`, comes after `b`. */
export function isAfter(a: string, b: string): boolean {
  const [a_ms = 0, a_number = 0] = a.split('-').map(Number);
  const [b_ms = 0, b_number = 0] = b.split('-').map(Number);
  return a_ms !== b_ms ? a_ms > b_ms : a_number > b_number;
}

/** The channel that a push belongs to. */
function channelOf(message: Message): string | undefined {
  if (message.presence) return `presence:${(message.presence as {channel: string}).channel}`;
  if (message.notification) return `notifications:${(message.notification as Notification).player_id}`;
  for (const value of Object.values(message)) {
    const channel = (value as {channel?: unknown} | null)?.channel;
    if (typeof channel === 'string') return channel;
  }
  return undefined;
}
