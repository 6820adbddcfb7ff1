import type {Problem} from './routes.js';

/** What kind of error it is; docs/api.md lists the codes. */
export type ErrorCode =
  | 'not_found'
  | 'already_exists'
  | 'conflict'
  | 'invalid_argument'
  | 'unauthenticated'
  | 'forbidden'
  | 'rate_limited'
  | 'unavailable'
  | 'deadline_exceeded'
  | 'too_large'
  | 'internal';

const statuses: Record<ErrorCode, number> = {
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  invalid_argument: 400,
  unauthenticated: 401,
  forbidden: 403,
  rate_limited: 429,
  unavailable: 503,
  deadline_exceeded: 504,
  too_large: 413,
  internal: 500,
};

/** The `error` of a WebSocket message. */
export interface SocketProblem {
  code: ErrorCode;
  detail: string;
  temporary: boolean;
  retry_after_ms?: number;
  seq?: number;
}

/**
 * The server refused a request: its problem+json (RFC 9457), or the error of a WebSocket message. Members have the
 * names that they have there.
 */
export class ApiError extends Error {
  override readonly name = 'ApiError';

  constructor(
    /** The HTTP status; for a WebSocket message the one that a request with this error would get. */
    readonly status: number,
    readonly code: ErrorCode,
    readonly detail: string,
    readonly request_id?: string,
    /** Seconds until it may be tried again. */
    readonly retry_after?: number,
    /** What is wrong with the body, by JSON pointer. */
    readonly errors: {pointer: string; message: string}[] = [],
  ) {
    super(`${code}: ${detail}`);
  }

  /** Whether the same request may succeed later. */
  get is_temporary(): boolean {
    return this.code === 'unavailable' || this.code === 'rate_limited' || this.code === 'deadline_exceeded';
  }

  /** Of an HTTP answer and its body, which need not be problem+json when a proxy sent it. */
  static fromResponse(response: Response, body: unknown): ApiError {
    const problem: Partial<Problem> = typeof body === 'object' && body !== null ? body : {};
    const code = (problem.code ?? codeOf(response.status)) as ErrorCode;
    const pause = Number(response.headers.get('Retry-After') ?? NaN);
    return new ApiError(
      response.status,
      code,
      problem.detail ?? `HTTP status ${response.status}`,
      problem.request_id ?? response.headers.get('X-Request-Id') ?? undefined,
      Number.isFinite(pause) ? pause : undefined,
      problem.errors,
    );
  }

  static fromSocket(problem: SocketProblem): ApiError {
    const pause = problem.retry_after_ms;
    return new ApiError(statuses[problem.code] ?? 500, problem.code, problem.detail, undefined, pause === undefined ? undefined : pause / 1000);
  }
}

function codeOf(status: number): ErrorCode {
  if (status === 504) return 'deadline_exceeded';
  if (status === 502) return 'unavailable';
  const found = Object.entries(statuses).find(([, of]) => of === status);
  if (found) return found[0] as ErrorCode;
  return status < 500 ? 'invalid_argument' : 'internal';
}

/**
 * There was no answer: the server could not be reached, did not answer in time, or the connection was lost. Unless
 * `was_sent` is false, the request may or may not have been carried out.
 */
export class NetworkError extends Error {
  override readonly name = 'NetworkError';

  constructor(
    message: string,
    readonly was_sent = true,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** A connection has ended for good: what closed it would close every further one. */
export class ClosedError extends Error {
  override readonly name = 'ClosedError';

  constructor(
    message: string,
    /** The WebSocket's close code, when it was closed by the server. */
    readonly close_code?: number,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
