// A WebSocket and a clock that the tests move by hand.
import type {Surroundings, WebSocketLike} from '../src/link.js';

export class FakeSocket implements WebSocketLike {
  readyState = 0;
  binaryType = '';
  onopen: WebSocketLike['onopen'] = null;
  onmessage: WebSocketLike['onmessage'] = null;
  onclose: WebSocketLike['onclose'] = null;
  onerror: WebSocketLike['onerror'] = null;
  readonly sent: Record<string, any>[] = [];
  closed_with: number | undefined;

  send(text: string): void {
    if (this.readyState !== 1) throw new Error('not open');
    this.sent.push(JSON.parse(text));
  }

  close(code?: number): void {
    this.readyState = 3;
    this.closed_with = code ?? 1005;
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.({});
  }

  say(message: unknown): void {
    this.onmessage?.({data: JSON.stringify(message)});
  }

  cut(code = 1006): void {
    this.readyState = 3;
    this.onclose?.({code, reason: ''});
  }

  /** What was sent since the last call. */
  take(): Record<string, any>[] {
    return this.sent.splice(0);
  }
}

/** Time that passes by pass() only. */
export class ManualTime implements Surroundings {
  #now = 0;
  #timers: {at: number; callback: () => void}[] = [];
  chance = 1;
  readonly problems: unknown[] = [];

  setTimeout(callback: () => void, after_ms: number): unknown {
    const timer = {at: this.#now + after_ms, callback};
    this.#timers.push(timer);
    return timer;
  }

  clearTimeout(timer: unknown): void {
    this.#timers = this.#timers.filter((one) => one !== timer);
  }

  random(): number {
    return this.chance;
  }

  report(problem: unknown): void {
    this.problems.push(problem);
  }

  async pass(ms: number): Promise<void> {
    const until = this.#now + ms;
    for (;;) {
      await settled();
      const next = this.#timers.filter((one) => one.at <= until).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.clearTimeout(next);
      this.#now = next.at;
      next.callback();
    }
    this.#now = until;
  }
}

/** Lets everything run that is ready. */
export const settled = () => new Promise<void>((resolve) => setImmediate(resolve));

/** Opens FakeSockets; the latest is `last`. */
export class Dialer {
  readonly sockets: FakeSocket[] = [];
  problem: Error | undefined;

  readonly dial = async (): Promise<WebSocketLike> => {
    if (this.problem) throw this.problem;
    this.sockets.push(new FakeSocket());
    return this.last;
  };

  get last(): FakeSocket {
    return this.sockets[this.sockets.length - 1]!;
  }

  async open(): Promise<FakeSocket> {
    await settled();
    this.last.open();
    return this.last;
  }
}
