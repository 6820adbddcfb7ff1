// One connection at a time to /api/ws: opened, watched, and opened again after a pause. What is sent on it is the
// business of its owner (socket.ts, stream.ts).
import {ClosedError} from './error.js';

/** What is used of a WebSocket: a browser's, Node's own from 22 on, or that of the package `ws`. */
export interface WebSocketLike {
  readonly readyState: number;
  binaryType: string;
  send(text: string): void;
  close(code?: number, reason?: string): void;
  /* eslint-disable @typescript-eslint/no-explicit-any -- each of the three has event types of its own */
  onopen: ((event: any) => void) | null;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
}
export type WebSocketConstructor = new (url: string, options?: any) => WebSocketLike;
/** Opens a connection. A ClosedError says that there is no use in trying again. */
export type Dial = () => Promise<WebSocketLike>;

export type LinkState =
  /** A connection is being opened. */
  | 'connecting'
  | 'open'
  /** The connection was lost; the next attempt comes after a pause. */
  | 'waiting'
  /** For good. */
  | 'ended';

export interface LinkOptions {
  /** The pause before the first attempt to reconnect; doubled for each further one. 500 by default. */
  pause_ms?: number;
  /** The longest pause. 30,000 by default. */
  max_pause_ms?: number;
  /** How long opening a connection may take, and an answer on a silent one. 10,000 by default. */
  patience_ms?: number;
  /** After this long without a message, the server is asked whether it is still there. 20,000 by default. */
  idle_ms?: number;
  onState?: (state: LinkState) => void;
}

/** Time, chance and where the exceptions of handlers go; to be replaced in tests. */
export interface Surroundings {
  setTimeout(callback: () => void, after_ms: number): unknown;
  clearTimeout(timer: unknown): void;
  random(): number;
  report(problem: unknown): void;
}
export const natural: Surroundings = {
  setTimeout: (callback, after_ms) => setTimeout(callback, after_ms),
  clearTimeout: (timer) => clearTimeout(timer as ReturnType<typeof setTimeout>),
  random: Math.random,
  // Uncaught, as if nobody had called the handler; but what stands behind it here goes on.
  report: (problem) =>
    queueMicrotask(() => {
      throw problem;
    }),
};

/** Calls what belongs to somebody else. */
export function call(surroundings: Surroundings, handler: () => void): void {
  try {
    handler();
  } catch (problem) {
    surroundings.report(problem);
  }
}

export type Message = Record<string, unknown>;

export interface LinkOwner {
  opened(): void;
  received(message: Message): void;
  /** `was_too_large`: the server closed it because of the size of a message. */
  lost(was_too_large: boolean): void;
  ended(why: ClosedError): void;
}

/** Of a connection that its owner ends. */
export const own_close = 1000;

/** The close codes after which nobody may try again (docs/api.md). */
function isFinal(code: number): boolean {
  return (code >= 3500 && code < 4000) || code === 1002 || code === 1003 || code === 1007;
}

/** Full jitter over the upper half, so that clients that were cut off together come back apart. */
export function pauseBefore(attempt: number, first_ms: number, max_ms: number, random: number): number {
  return Math.min(max_ms, first_ms * 2 ** Math.min(attempt, 30)) * (0.5 + random / 2);
}

// A channel that nobody can have subscribed to: the question whether the server is there.
const probe = JSON.stringify({cid: 'probe', unsubscribe: {channel: '-'}});

export class Link {
  #state: LinkState = 'connecting';
  #socket: WebSocketLike | undefined;
  #attempts = 0;
  #timer: unknown; // of the one thing that is waited for: opening, silence, an answer, the pause
  readonly #limits: Required<Omit<LinkOptions, 'onState'>>;

  constructor(
    private readonly dial: Dial,
    private readonly owner: LinkOwner,
    private readonly options: LinkOptions,
    private readonly surroundings: Surroundings = natural,
  ) {
    const {pause_ms = 500, max_pause_ms = 30_000, patience_ms = 10_000, idle_ms = 20_000} = options;
    this.#limits = {pause_ms, max_pause_ms, patience_ms, idle_ms};
  }

  get state(): LinkState {
    return this.#state;
  }

  /** Begins; not in the constructor, because the owner must be complete. */
  start(): void {
    this.#open();
  }

  /** False when there is no connection. */
  send(text: string): boolean {
    if (this.#state !== 'open' || this.#socket?.readyState !== 1) return false;
    this.#socket.send(text);
    return true;
  }

  /** Gives the connection up and opens another one, not before `at_least_ms`. */
  restart(at_least_ms = 0): void {
    if (this.#state === 'ended') return;
    this.#release()?.close();
    this.#lose(at_least_ms);
  }

  /** Ends the pause: the network is there again, or somebody asks. */
  hurry(): void {
    if (this.#state === 'waiting') this.#open();
  }

  end(why: ClosedError): void {
    if (this.#state === 'ended') return;
    this.#release()?.close(own_close);
    this.#wait(undefined);
    this.#state = 'ended';
    this.owner.ended(why); // Knows why before anybody is told that.
    call(this.surroundings, () => this.options.onState?.('ended'));
  }

  #open(): void {
    this.#enter('connecting');
    let isCurrent = true;
    this.#wait(this.#limits.patience_ms, () => {
      isCurrent = false;
      this.restart();
    });
    const timer = this.#timer;
    this.dial().then(
      (socket) => {
        // Meanwhile given up, or ended.
        if (!isCurrent || this.#timer !== timer) return socket.close();
        this.#adopt(socket);
      },
      (problem: unknown) => {
        if (!isCurrent || this.#timer !== timer) return;
        if (problem instanceof ClosedError) this.end(problem);
        else this.#lose(0);
      },
    );
  }

  #adopt(socket: WebSocketLike): void {
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#enter('open');
      this.#listen();
      this.owner.opened();
    };
    socket.onmessage = ({data}: {data: unknown}) => {
      this.#attempts = 0;
      this.#listen();
      this.#receive(data);
    };
    socket.onclose = ({code, reason}: {code: number; reason: string}) => {
      this.#release();
      if (isFinal(code)) this.end(new ClosedError(reason || `closed with ${code}`, code));
      else this.#lose(0, code === 1009);
    };
    socket.onerror = () => {}; // A close follows.
  }

  #receive(data: unknown): void {
    let message: unknown;
    try {
      message = JSON.parse(data as string);
    } catch {
      return this.restart(); // Not from a Skirmish.
    }
    if (typeof message !== 'object' || message === null) return this.restart();
    if ((message as Message).cid !== 'probe') this.owner.received(message as Message);
  }

  // A connection can be dead without having been closed: a laptop that slept, a router that forgot it.
  #listen(): void {
    this.#wait(this.#limits.idle_ms, () => {
      this.send(probe);
      this.#wait(this.#limits.patience_ms, () => this.restart());
    });
  }

  #lose(at_least_ms: number, was_too_large = false): void {
    if (this.#state === 'ended') return;
    if (this.#state === 'open') this.owner.lost(was_too_large);
    if ((this.#state as LinkState) === 'ended') return; // The owner did that.
    const {pause_ms, max_pause_ms} = this.#limits;
    const pause = pauseBefore(this.#attempts++, pause_ms, max_pause_ms, this.surroundings.random());
    this.#enter('waiting');
    this.#wait(Math.max(pause, at_least_ms), () => this.#open());
  }

  // From here on it is not heard any more.
  #release(): WebSocketLike | undefined {
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) {
      // onerror stays: `ws` throws an error that nobody listens to.
      socket.onopen = socket.onmessage = socket.onclose = null;
    }
    return socket;
  }

  #wait(after_ms: number | undefined, then?: () => void): void {
    this.surroundings.clearTimeout(this.#timer);
    this.#timer = after_ms === undefined || !then ? undefined : this.surroundings.setTimeout(then, after_ms);
  }

  #enter(state: LinkState): void {
    if (state === this.#state) return;
    this.#state = state;
    call(this.surroundings, () => this.options.onState?.(state));
  }
}
