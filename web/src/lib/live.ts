// Pushes: one WebSocket for the whole console, opened when the first page needs it.
import {useEffect, useRef, useState} from 'preact/hooks';
import {signal} from '@preact/signals';
import {ApiError, type ClosedError, type Push, type Socket, type SocketState, type Subscribed} from 'skirmish-client';
import {isActive} from './resource';
import {api, session} from './session';

let socket: Socket | undefined;
/** Of the WebSocket; undefined: nobody needs one. */
export const linkState = signal<SocketState | undefined>(undefined);
/** Since when the connection is lost. */
export const lostSince = signal<number | undefined>(undefined);
/** Whether the browser says that there is no network. */
export const isOffline = signal(typeof navigator !== 'undefined' && navigator.onLine === false);

function open(): Socket {
  if (!socket || socket.state === 'ended') {
    socket = api.connect({max_pause_ms: 10_000, onState: entered});
    linkState.value = socket.state;
  }
  return socket;
}

function entered(state: SocketState): void {
  linkState.value = state;
  if (state === 'open') lostSince.value = undefined;
  else if (state === 'waiting') lostSince.value ??= Date.now();
  // The session has ended, or its key was revoked.
  if (state === 'ended' && socket?.ended?.close_code === 3500) session.value = null;
}

export function closeLive(): void {
  socket?.close();
  socket = undefined;
  linkState.value = undefined;
  lostSince.value = undefined;
}

/** Tries at once instead of after the pause. */
export function reconnect(): void {
  socket?.reconnectNow();
}

export function followNetwork(): void {
  addEventListener('offline', () => (isOffline.value = true));
  addEventListener('online', () => {
    isOffline.value = false;
    reconnect();
  });
}

export interface LiveOptions {
  /** Further members of the subscription, as `limit` of a board. */
  arguments?: Record<string, unknown>;
  /** After which message to begin. */
  since?: string;
  onSubscribed?: (answer: Subscribed) => void;
}
export interface Live {
  /** Whether pushes come. */
  is_live: boolean;
  /** Why the subscription was refused. */
  problem: ApiError | ClosedError | undefined;
}

/**
 * Calls `handler` with what is pushed on a channel (null: none) while the page is visible and not paused. Messages with
 * ids that were missed meanwhile come first when it goes on.
 */
export function useLive<T>(channel: string | null, handler: (push: Push<T>) => void, options: LiveOptions = {}): Live {
  const [state, setState] = useState<Live>({is_live: false, problem: undefined});
  const latest = useRef({handler, options});
  latest.current = {handler, options};
  const last_id = useRef<{channel: string | null; id: string | undefined}>({channel, id: options.since});
  if (last_id.current.channel !== channel) last_id.current = {channel, id: options.since};
  const active = isActive.value;
  const more = JSON.stringify(options.arguments ?? {});

  useEffect(() => {
    if (channel === null || !active) return;
    const since = last_id.current.id;
    const subscription = open().subscribe<T>(
      channel,
      (push) => {
        if (push.message) last_id.current.id = push.message.id;
        latest.current.handler(push);
      },
      {
        arguments: JSON.parse(more) as Record<string, unknown>,
        ...(since === undefined ? {} : {since}),
        onSubscribed: (answer) => {
          setState({is_live: true, problem: undefined});
          latest.current.options.onSubscribed?.(answer);
        },
        onError: (problem) => setState({is_live: false, problem}),
      },
    );
    return () => {
      subscription.unsubscribe();
      setState({is_live: false, problem: undefined});
    };
  }, [channel, active, more]);

  return {is_live: state.is_live && linkState.value === 'open', problem: state.problem};
}

/** The channel does not exist on this server. */
export function isUnknownChannel(problem: unknown): boolean {
  return problem instanceof ApiError && (problem.status === 404 || problem.status === 400);
}
