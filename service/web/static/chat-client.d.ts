/**
 * The service's client: chat-client.js, one file without dependencies.
 *
 * Browser and bundlers   import { ChatClient } from '/chat-client.js'
 * Mini-programs          save /chat-client.cjs as utils/chat-client.js, then
 *                        const { ChatClient } = require('../../utils/chat-client.js')
 * uniApp                 import it from the project; outside WeChat pass { host: uni }
 *
 *   const client = new ChatClient({ baseUrl: 'https://api.example.com' });
 *   const answer = await client.chat('你好', { onDelta: (event) => show(event.reply) });
 *   for await (const event of client.chat('你好')) if (event.type === 'delta') append(event.delta);
 */

export interface Options {
  /** Where the service is; may be left out in a browser that got its page from there. */
  baseUrl?: string;
  /** The platform's object, `wx` or `uni`. Found by itself: `wx`, else `fetch`, else `uni`. */
  host?: object;
  /** Something else that sends. */
  transport?: Transport;
  /** Who is asking, with AUTH=local and open, or with a token of one's own. Else a guest's name is made up and kept. */
  openid?: string;
  /** A token that is there already. */
  token?: string;
  refreshToken?: string;
  /**
   * Asked on a 401 that no refresh helps against: a code for POST /api/login, or a session that was got elsewhere.
   * Default: `wx.login`, `uni.login`.
   */
  getCode?: () => Promise<string | Session>;
  /** Where the session is kept, as `localStorage`; null: in memory. Default: the platform's storage. */
  storage?: { getItem(key: string): string | null; setItem(key: string, text: string): void } | null;
  /** The language of `message`. Default: the platform's, and Chinese in mini-programs. */
  language?: 'zh' | 'en';
  /** false: poll, even where streams would come. */
  streams?: boolean;
  timing?: Partial<Timing>;
}

export interface Timing {
  /** The first pause before trying again; it doubles up to `backoff_max_ms`, and is jittered. */
  backoff_ms: number;
  /** Also the longest Retry-After that is waited for. */
  backoff_max_ms: number;
  /** A stream without a byte for so long is dead; the service pings every 10 s. */
  silence_ms: number;
  timeout_ms: number;
  /** The length of a slice, 1 to 55: mini-programs end every request at 60 s. */
  wait_seconds: number;
  /** How often an answer is shown to grow where streams do not come. */
  poll_seconds: number;
}

export type Transport = (
  call: {
    method: 'GET' | 'POST';
    url: string;
    headers: Record<string, string>;
    body?: string;
    /** To be sent as the field `file` of a form, instead of `body`. */
    file?: unknown;
    timeout: number;
  },
  /** Given for event streams: takes what has arrived. */
  onBytes?: (bytes: Uint8Array) => void,
) => { done: Promise<{ status: number; text: string }>; abort(): void };

export interface Session {
  openid?: string;
  token: string;
  refreshToken?: string;
  expires_in?: number;
  is_new?: boolean;
}

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string | Array<{ type: 'text'; text: string } | { type: 'image_url'; image_url: { url: string } }>;
}

/** `running` is told by the client only before the end. */
export type Status = 'running' | 'completed' | 'stopped' | 'failed' | 'interrupted';

export interface Answer {
  reply: string;
  turn_id: string;
  conversation_id: string;
  status: Status;
  finish_reason: string | null;
  model: string;
  usage: { prompt_tokens: number | null; completion_tokens: number | null; total_tokens: number | null };
  reasoning?: string;
  /** To show: data URLs, or links where the service has a public origin. */
  images?: string[];
  download_links?: string[];
  notice?: string;
  time?: number;
}

export interface ImageAnswer {
  images: string[];
  download_links: string[];
  turn_id: string;
  status: Status;
  finish_reason: string | null;
  notice?: string;
}

interface EventBase {
  turn_id?: string;
  /** The cursor to `attach` after; keep it with `turn_id` and `reply` to go on after a reload. */
  after?: string;
  /** The reply so far. The answer's may differ from the last one: links to pictures are replaced at the end. */
  reply: string;
}

export type ChatEvent<A = Answer> =
  | (EventBase & { type: 'start'; conversation_id: string; model: string })
  | (EventBase & { type: 'delta'; delta: string })
  | (EventBase & { type: 'reasoning'; reasoning: string })
  /** What was shown is to be erased. */
  | (EventBase & { type: 'recall'; reason?: string })
  /** The line was lost, or the service is busy; it is tried again in `delay` ms. */
  | (EventBase & { type: 'retry'; error: ChatError; delay: number })
  | (EventBase & { type: 'done'; answer: A });

type EventOf<T extends ChatEvent['type']> = Extract<ChatEvent, { type: T }>;

/** The events as callbacks. One that throws fails the chat with its error. */
export interface Listeners<A = Answer> {
  onStart?: (event: EventOf<'start'>) => void;
  onDelta?: (event: EventOf<'delta'>) => void;
  onReasoning?: (event: EventOf<'reasoning'>) => void;
  onRecall?: (event: EventOf<'recall'>) => void;
  onRetry?: (event: EventOf<'retry'>) => void;
  onDone?: (answer: A) => void;
  onError?: (error: unknown) => void;
}

interface Sending {
  /** The idempotency key: sent again with it, the question attaches to its turn. Default: a new one. */
  key?: string;
  /** false: no events on the way, only the answer. */
  stream?: boolean;
  openid?: string;
  model?: string;
}

export interface ChatOptions extends Sending, Listeners {
  messages?: Message[];
  conversation_id?: string;
  temperature?: number;
  top_p?: number;
  max_tokens?: number;
}

export interface ImageOptions extends Sending, Listeners<ImageAnswer> {
  prompt?: string;
  n?: number;
  size?: string;
  /** Reference pictures: data or https URLs. */
  images?: string[];
  response_format?: 'url' | 'b64';
  async?: boolean;
}

export interface AttachOptions extends Listeners {
  after?: string;
  reply?: string;
  reasoning?: string;
  stream?: boolean;
}

/**
 * A question on its way: await it for the answer, iterate it (once) for the events. It goes on by itself over cut lines,
 * the background and the 60 s limit. A failure rejects it and ends the iteration with a ChatError.
 * It has a `then`: an async function that returns one gives the answer, not the turn.
 */
export interface Turn<A = Answer> extends PromiseLike<A> {
  /** Known from `start` on. */
  readonly turn_id?: string;
  readonly conversation_id?: string;
  readonly after?: string;
  readonly reply: string;
  readonly reasoning: string;
  readonly status: Status;
  readonly key: string;
  catch<R>(rejected: (error: ChatError) => R | PromiseLike<R>): Promise<A | R>;
  next(): Promise<IteratorResult<ChatEvent<A>, undefined>>;
  /** What leaving a `for await` calls: `close`. */
  return(value?: undefined): Promise<IteratorResult<ChatEvent<A>, undefined>>;
  [Symbol.asyncIterator](): Turn<A>;
  /** End the turn on the server and keep what is there; gives the answer so far. */
  stop(): Promise<A>;
  /** Stop listening: rejected with the type `aborted`. On the server the turn goes on, for `attach` or the history. */
  close(): void;
}

export interface HistoryItem {
  messages: Message[];
  reply: string;
  time: number;
  turn_id: string;
  conversation_id: string;
  status: Status;
  kind: 'chat' | 'image';
  finish_reason?: string | null;
  images?: string[];
}

export interface Conversation {
  conversation_id: string;
  title: string;
  turns: number;
  updated_at: number;
}

export interface Counts {
  turns: number;
  tokens: number;
  images: number;
}

export interface Profile {
  openid: string;
  nickname: string;
  avatar: string;
  email: string;
  created_at: number | null;
  last_seen_at: number | null;
  usage: { today: Counts; total: Counts };
  quota: Counts;
}

export interface Balance {
  total_limit: number | null;
  total_usage: number | null;
  remaining: number | null;
  currency: string;
  source: string;
  unlimited: boolean;
  as_of: number;
}

interface PageQuery {
  limit?: number;
  before?: string;
}

export declare class ChatClient {
  constructor(options?: Options);
  readonly baseUrl: string;
  readonly openid: string;
  /** False once it is known that streams do not come on this platform. */
  streams: boolean;
  timing: Timing;

  chat(messages: string | Message[] | ChatOptions, options?: ChatOptions): Turn;
  image(prompt: string | ImageOptions, options?: ImageOptions): Turn<ImageAnswer>;
  /** Follow a turn that was asked before: after a reload, with what an event said. */
  attach(turn_id: string, options?: AttachOptions): Turn;
  /** A turn as it is; with `wait`, seconds up to 55, after its end if that comes in time. */
  turn(turn_id: string, query?: { wait?: number }): Promise<Answer>;
  stop(turn_id: string): Promise<Answer>;

  /** Page by page, the newest first; each oldest first within. */
  history(
    query?: PageQuery & { conversation_id?: string },
  ): AsyncIterableIterator<{ history: HistoryItem[]; next: string | null }>;
  conversations(query?: PageQuery): AsyncIterableIterator<{ conversations: Conversation[]; next: string | null }>;
  clear(conversation_id?: string): Promise<{ deleted: number }>;

  /** The user, after the changes if any are given. */
  profile(changes?: { nickname?: string; avatar?: string; email?: string }): Promise<Profile>;
  /** Everything about the user is gone, the session too. */
  erase(): Promise<{ deleted: number }>;
  balance(): Promise<Balance>;
  /** A Blob or File, or a mini-program's temporary path. */
  upload(file: Blob | string): Promise<{ url: string; name: string; mime: string; size: number }>;

  /** Log in now. A call that is told 401 does it by itself. */
  login(): Promise<Session>;
  logout(): void;

  /** Plain calls: the envelope's `data`. `{openid}` in a path is filled in, as is `openid` in a body. */
  get<T = any>(path: string, query?: Record<string, string | number | boolean | null | undefined>): Promise<T>;
  post<T = any>(path: string, body?: object, options?: { key?: string }): Promise<T>;
}

/** Every failure; `message` is a sentence to show. */
export declare class ChatError extends Error {
  constructor(envelope: { code: number; msg: string; data?: object | null });
  readonly name: 'ChatError';
  /** The envelope's, which is the HTTP status; -1 where no answer came. */
  readonly code: number;
  /** The service's, or `network`, `timeout`, `aborted`, `invalid_answer`, `login_failed`. */
  readonly type: string;
  readonly request_id?: string;
  readonly field?: string;
  readonly retry_after_seconds?: number;
  /** Asking again (with a new key where the turn has failed) may help. */
  readonly retryable: boolean;
  /** Of a chat that failed after its start. */
  readonly turn_id?: string;
  readonly data?: any;
}
