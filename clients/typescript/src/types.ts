// How the generated Routes are read: the method and path of a request decide about its types.
import type {None, Routes} from './routes.js';

export type Route = keyof Routes;
export type Method = Route extends `${infer M} ${string}` ? M : never;
/** The routes of a method, by path. */
export type Paths<M extends Method> = {[R in Route as R extends `${M} ${infer P}` ? P : never]: Routes[R]};

interface RouteTypes {
  path: object;
  query: object;
  body: unknown;
  answer: unknown;
}

/** The body that a route answers with: `Answer<'GET /api/players/{id}'>`. */
export type Answer<R extends Route> = Routes[R]['answer'];
/** The body that a route takes. */
export type Body<R extends Route> = Routes[R]['body'];
/** The query that a route takes. */
export type Query<R extends Route> = Routes[R]['query'];
/** One item of a list. */
export type Item<R extends Route> = Answer<R> extends {items: (infer I)[]} ? I : never;

/** What a game server reports; docs/api.md, Events. */
export type GameEvent = Exclude<Body<'POST /api/interactions'>, readonly unknown[]>;

export interface RequestOptions {
  /** The `etag` that the thing must still have; otherwise 412. */
  ifMatch?: string;
  /** `*`: only when the thing does not exist yet. An `etag`: only when it is another one (304). */
  ifNoneMatch?: string;
  /** The same key is carried out once, on the routes that honour it. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Gives up after this long; 0: never. */
  timeout_ms?: number;
}

type Member<Name extends string, T> = [T] extends [undefined]
  ? {[K in Name]?: undefined}
  : None extends T
    ? {[K in Name]?: T}
    : {[K in Name]: T};

/** What a request to a route takes; members in which nothing is needed may be left out. */
export type Call<T> = T extends RouteTypes
  ? RequestOptions & Member<'path', T['path']> & Member<'query', T['query']> & Member<'body', T['body']>
  : never;
export type AnswerOf<T> = T extends RouteTypes ? T['answer'] : never;

/** The arguments after the path: they may be absent when nothing is needed. */
export type Arguments<T> = Record<never, never> extends T ? [options?: T] : [options: T];

/** An answer with what its header says. */
export interface Reply<T> {
  status: number;
  body: T;
  /** Send it back as `ifMatch`. */
  etag?: string;
  headers: Headers;
}
