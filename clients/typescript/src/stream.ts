import {ApiError, ClosedError, NetworkError, type ErrorCode, type SocketProblem} from './error.js';
import {Link, call, natural, own_close, type Dial, type LinkOptions, type LinkState, type Message, type Surroundings} from './link.js';
import type {GameEvent} from './types.js';

/** An event that the server does not apply; the others of its frame are committed. */
export interface Rejection {
  event: GameEvent;
  code: ErrorCode;
  detail: string;
}

export interface EventStreamOptions extends LinkOptions {
  onReject?: (rejection: Rejection) => void;
  /** The stream has ended for good, by the server or because a frame was refused. */
  onEnd?: (why: ClosedError) => void;
  /** Frames that are sent and not yet committed. 64 by default. */
  window?: number;
  /** Frames that are held, those of the window included; further ones wait in send(). 1,024 by default. */
  queue_limit?: number;
  /** Bytes (UTF-16 units of JSON) that are held. 16 MiB by default. */
  queue_bytes?: number;
}

interface RejectMessage {
  seq: number;
  index: number;
  code: ErrorCode;
  detail: string;
}

interface Frame {
  seq: number; // 0: not sent yet
  events: string; // JSON
}

interface Waiter {
  until: number; // so many frames must have been committed
  resolve(): void;
  reject(why: unknown): void;
}

/** Calls of send() that wait for room. */
const senders_limit = 1_024;
/** For the close code that explains a conflict. */
const takeover_patience_ms = 5_000;

/**
 * Frames of events, numbered and sent again until they are committed, so that each is applied exactly once and in order.
 * They are held in memory: what was not committed is lost with the process.
 */
export class EventStream {
  readonly #link: Link;
  readonly #limits: {window: number; queue_limit: number; queue_bytes: number};
  readonly #frames: Frame[] = []; // those sent come first
  #sent = 0; // of #frames
  #bytes = 0;
  #seq = 0; // of the last frame sent
  #committed_seq = 0;
  #is_greeted = false; // frames may be sent
  #refused_seq: number | undefined;
  #taken_count = 0; // frames of this object
  #settled_count = 0;
  #ended: ClosedError | undefined;
  #conflict_timer: unknown;
  readonly #senders: {text: string; resolve(): void; reject(why: unknown): void}[] = [];
  readonly #flushers: Waiter[] = [];

  constructor(
    readonly id: string,
    dial: Dial,
    private readonly options: EventStreamOptions = {},
    private readonly surroundings: Surroundings = natural,
  ) {
    const {window = 64, queue_limit = 1_024, queue_bytes = 16 * 1_048_576} = options;
    this.#limits = {window, queue_limit, queue_bytes};
    const owner = {
      opened: () => {},
      received: (message: Message) => this.#received(message),
      lost: (was_too_large: boolean) => this.#lost(was_too_large),
      ended: (why: ClosedError) => this.#end(why),
    };
    this.#link = new Link(dial, owner, options, surroundings);
    this.#link.start();
  }

  get state(): LinkState {
    return this.#link.state;
  }

  /** Frames that are held because they are not committed yet. */
  get pending(): number {
    return this.#frames.length;
  }

  /** The number of the last frame that the server has committed. */
  get committed(): number {
    return this.#committed_seq;
  }

  get ended(): ClosedError | undefined {
    return this.#ended;
  }

  /** Takes a frame. Resolves when there is room for it: await it, so that a fast producer waits for a slow server. */
  send(events: GameEvent[]): Promise<void> {
    const text = JSON.stringify(events);
    if (this.#ended) return Promise.reject(this.#ended);
    if (this.#senders.length === 0 && this.#hasRoom(text.length)) {
      this.#take(text);
      return Promise.resolve();
    }
    if (this.#senders.length >= senders_limit)
      return Promise.reject(new NetworkError('too many frames wait: await send()', false));
    return new Promise((resolve, reject) => this.#senders.push({text, resolve, reject}));
  }

  /** Resolves when everything that send() has taken is committed. */
  flush(): Promise<void> {
    if (this.#ended && this.#frames.length > 0) return Promise.reject(this.#ended);
    if (this.#frames.length === 0) return Promise.resolve();
    return new Promise((resolve, reject) => this.#flushers.push({until: this.#taken_count, resolve, reject}));
  }

  /** Waits until everything is committed, and ends the stream. */
  async close(): Promise<void> {
    await this.flush();
    this.abort();
  }

  /** Ends the stream now. What is not committed yet is dropped. */
  abort(): void {
    this.#link.end(new ClosedError('the stream was closed', own_close));
  }

  // ---- frames --------------------------------------------------------------------------------------------------------
  #hasRoom(size: number): boolean {
    const {queue_limit, queue_bytes} = this.#limits;
    return this.#frames.length === 0 || (this.#frames.length < queue_limit && this.#bytes + size <= queue_bytes);
  }

  #take(text: string): void {
    this.#frames.push({seq: 0, events: text});
    this.#bytes += text.length;
    ++this.#taken_count;
    this.#sendFrames();
  }

  #sendFrames(): void {
    while (this.#is_greeted && this.#sent < this.#limits.window && this.#sent < this.#frames.length) {
      const frame = this.#frames[this.#sent]!;
      frame.seq = this.#seq + 1;
      if (!this.#transmit(frame)) return;
      this.#seq = frame.seq;
      ++this.#sent;
    }
  }

  #transmit(frame: Frame): boolean {
    return this.#link.send(`{"seq":${frame.seq},"interactions":${frame.events}}`);
  }

  // Every frame up to `seq` is committed.
  #settle(seq: number): void {
    this.#committed_seq = Math.max(this.#committed_seq, seq);
    while (this.#sent > 0 && this.#frames[0]!.seq <= seq) {
      this.#bytes -= this.#frames.shift()!.events.length;
      --this.#sent;
      ++this.#settled_count;
    }
    while (this.#flushers.length > 0 && this.#flushers[0]!.until <= this.#settled_count) this.#flushers.shift()!.resolve();
    while (this.#senders.length > 0 && this.#hasRoom(this.#senders[0]!.text.length)) {
      const sender = this.#senders.shift()!;
      this.#take(sender.text);
      sender.resolve();
    }
    this.#sendFrames();
  }

  // ---- what the server says ------------------------------------------------------------------------------------------
  #received(message: Message): void {
    if (message.stream) this.#greeted((message.stream as {committed: number}).committed);
    else if (typeof message.ack === 'number') this.#settle(message.ack);
    else if (message.reject) this.#rejected(message.reject as RejectMessage);
    else if (message.error) this.#failed(message.error as SocketProblem);
  }

  // The first message of each connection: what has been committed by now.
  #greeted(committed: number): void {
    const first = this.#frames[0]?.seq ?? 0;
    if (this.#sent === 0) {
      this.#seq = this.#committed_seq = committed;
    } else if (committed > this.#seq) {
      return this.#link.end(new ClosedError('another client has written this stream'));
    } else if (committed < first - 1) {
      // The server has forgotten the number, which it keeps for 24 hours. Whether the frames that wait for their
      // acknowledgement were committed is not known, unless it was this number that refused the first of them.
      if (this.#refused_seq !== first) return this.#link.end(new ClosedError('the server has forgotten this stream'));
      this.#renumber(committed);
    }
    this.#refused_seq = undefined;
    this.#settle(committed);
    for (const frame of this.#frames.slice(0, this.#sent)) this.#transmit(frame);
    this.#is_greeted = true;
    this.#sendFrames();
  }

  #renumber(committed: number): void {
    this.#seq = this.#committed_seq = committed;
    for (const frame of this.#frames.slice(0, this.#sent)) frame.seq = ++this.#seq;
  }

  #rejected({seq, index, code, detail}: RejectMessage): void {
    const frame = this.#frames.slice(0, this.#sent).find((one) => one.seq === seq);
    const {onReject} = this.options;
    if (!frame || !onReject) return;
    const event = (JSON.parse(frame.events) as GameEvent[])[index]!;
    call(this.surroundings, () => onReject({event, code, detail}));
  }

  #failed(problem: SocketProblem): void {
    const why = ApiError.fromSocket(problem);
    // The frame is not committed, and those after it leave a gap: connect again, and send from there.
    if (why.is_temporary) return this.#link.restart(problem.retry_after_ms);
    if (why.code !== 'conflict') {
      const which = problem.seq === undefined ? 'a message' : `frame ${problem.seq}`;
      return this.#link.end(new ClosedError(`${which} was refused: ${why.detail}`, undefined, {cause: why}));
    }
    if (!this.#is_greeted) return;
    // Either another connection writes the stream now, which a close code is about to say, or the number is forgotten.
    this.#is_greeted = false;
    this.#refused_seq = problem.seq;
    this.#conflict_timer = this.surroundings.setTimeout(() => this.#link.restart(), takeover_patience_ms);
  }

  #lost(was_too_large: boolean): void {
    this.#is_greeted = false;
    this.surroundings.clearTimeout(this.#conflict_timer);
    // Sent again, it would be too large again.
    if (was_too_large) this.#link.end(new ClosedError('a frame is larger than the server allows', 1009));
  }

  #end(why: ClosedError): void {
    this.#ended = why;
    this.#is_greeted = false;
    this.surroundings.clearTimeout(this.#conflict_timer);
    for (const one of [...this.#senders.splice(0), ...this.#flushers.splice(0)]) one.reject(why);
    if (why.close_code !== own_close) call(this.surroundings, () => this.options.onEnd?.(why));
  }
}
