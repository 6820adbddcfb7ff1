// Who is logged in: a console session, which the browser keeps as a cookie that scripts cannot read.
import {computed, signal} from '@preact/signals';
import {ApiError, Client} from 'skirmish-client';

/** The page's own server; with none around (in a unit), one that nobody asks. */
export const api = new Client(typeof document === 'undefined' ? {url: 'http://localhost/'} : {});

export interface Session {
  role: 'admin' | 'viewer' | 'server';
  name: string;
  key_id: string;
  expires_at: string | null;
}

/** undefined: not known yet; null: nobody. */
export const session = signal<Session | null | undefined>(undefined);
/** Why the session is not known, when the server cannot be asked. */
export const sessionProblem = signal<unknown>(undefined);
/** Whether the visitor may change anything. */
export const mayChange = computed(() => session.value?.role === 'admin');

export async function findSession(): Promise<void> {
  try {
    session.value = (await api.raw<Session>('GET', '/api/console/session')).body;
    sessionProblem.value = undefined;
  } catch (problem) {
    if (problem instanceof ApiError && problem.status === 401) session.value = null;
    else sessionProblem.value = problem;
  }
}

export async function logIn(key: string): Promise<void> {
  session.value = (await api.raw<Session>('POST', '/api/console/session', {body: {key}})).body;
}

export async function logOut(): Promise<void> {
  await api.raw('DELETE', '/api/console/session');
  session.value = null;
}

/** To be called with what a request failed with: a session that has ended shows the login. */
export function noteProblem(problem: unknown): void {
  if (problem instanceof ApiError && problem.status === 401) session.value = null;
}

/** The server is older than this page, or built without that part. */
export function isNotOffered(problem: unknown): boolean {
  return problem instanceof ApiError && (problem.status === 405 || (problem.status === 404 && /no such route|^HTTP status 404$/.test(problem.detail)));
}
