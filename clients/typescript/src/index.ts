export {Client, pathSegment, type ClientOptions, type RawCall} from './client.js';
export {ApiError, ClosedError, NetworkError, type ErrorCode} from './error.js';
export {
  Socket,
  isAfter,
  type ChatMessage,
  type Notification,
  type Push,
  type SocketOptions,
  type SocketRequestOptions,
  type SocketState,
  type SubscribeOptions,
  type Subscribed,
  type Subscription,
} from './socket.js';
export {EventStream, type EventStreamOptions, type Rejection} from './stream.js';
export type {LinkOptions, WebSocketConstructor, WebSocketLike} from './link.js';
export type {Problem, Routes} from './routes.js';
export type {Answer, Body, Call, GameEvent, Item, Method, Paths, Query, Reply, RequestOptions, Route} from './types.js';
