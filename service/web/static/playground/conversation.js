/**
 * The conversation that is open: its turns as they are asked, followed, stopped, asked again and found again.
 *
 * A turn belongs to the service. This page only follows it, from wherever it had come to: after a reload, a lost
 * line, or in another tab.
 */

import { announce } from './dom.js';
import { preferences } from './preferences.js';
import { client } from './service.js';
import { tell } from './signals.js';
import { t } from './texts.js';
import { TurnView, picturesOf } from './turn-view.js';
import { forget, keep, unfinished } from './unfinished.js';

const PAGE_TURNS = 20;
const CATCH_UP_TURNS = 5;

export class Conversation {
  /**
   * Shape: `onTurn` is called when a turn has started or ended, `onMoved` when `id` or `kind` have changed by themselves,
   * `onChange` when anything else is shown than before.
   */
  constructor(transcript, { onTurn, onMoved, onChange }) {
    this._transcript = transcript;
    this._onTurn = onTurn;
    this._onChange = onChange;
    this._onMoved = onMoved;
    this._reset(null, 'chat');
  }

  get isBusy() {
    return this._following.size > 0;
  }

  /** Show a conversation, a new one (null), or with `image` all pictures; what runs goes on, here or unseen. */
  async open(id, kind = 'chat') {
    for (const turn of this._following.values()) turn.close();
    this._reset(id, kind);
    this._transcript.clear();
    const opening = this._opening;
    this._onChange();
    if (id || kind === 'image') await this.showEarlier();
    if (opening !== this._opening) return;
    if (this._transcript.isEmpty) this.id = null; // deleted, or never there
    this._transcript.toEnd();
    this._resumeUnseen();
    this._onChange();
  }

  /** Put the turns before those that are shown in front of them. */
  async showEarlier() {
    const opening = this._opening;
    const views = [];
    // All pictures are picked from the whole history: a page of it may have none.
    while (this.hasEarlier && !views.length) {
      const { value } = await this._pages.next();
      if (opening !== this._opening) return;
      this.hasEarlier = Boolean(value && value.next);
      const items = value ? value.history.filter((item) => this.kind === 'chat' || item.kind === 'image') : [];
      views.push(...items.map((item) => this._viewOf(item)));
    }
    this._transcript.prepend(views);
    this._onChange();
  }

  /** Ask. Shape: { messages, model? } or, in the view of pictures, { prompt, n, size, images?, model? }. */
  ask(body) {
    const { id, kind } = this;
    const sent = id ? { ...body, conversation_id: id } : body;
    this._show({ kind, body: sent, conversation_id: id, reply: '', reasoning: '', asked_at: Date.now() });
    this._transcript.toEnd();
    announce(t(kind === 'image' ? 'drawing' : 'answering'));
  }

  stop() {
    for (const turn of this._following.values()) turn.stop().catch(() => {}); // told where the turn is followed
  }

  /** Another tab has asked something here: show it too. */
  async catchUp({ conversation_id, kind }) {
    const isHere = this.kind === 'image' ? kind === 'image' : this.id && conversation_id === this.id;
    if (!isHere) return;
    const opening = this._opening;
    const query = { conversation_id: this.id || undefined, limit: CATCH_UP_TURNS };
    const { value } = await client().history(query).next();
    if (opening !== this._opening) return;
    const news = value.history.filter((item) => !this._shown.has(item.turn_id));
    for (const item of news.filter((one) => this.kind === 'chat' || one.kind === 'image')) {
      this._transcript.append(this._viewOf(item));
    }
    this._onChange();
  }

  _reset(id, kind) {
    this.id = id;
    this.kind = kind;
    this.hasEarlier = Boolean(id) || kind === 'image';
    this._opening = Symbol('opening');
    this._following = new Map();
    this._shown = new Set();
    this._pages = client() && client().history({ conversation_id: id || undefined, limit: PAGE_TURNS });
  }

  /** The view of a stored turn; one that still runs is followed from where this browser had come to. */
  _viewOf(item) {
    const asked = item.messages.filter((message) => message.role === 'user').pop() || item.messages[item.messages.length - 1];
    const view = new TurnView({ content: asked.content, kind: item.kind, time: item.time });
    this._shown.add(item.turn_id);
    const again = () => this._askAgain(view);
    if (item.status === 'running') {
      const kept = unfinished().find((record) => record.turn_id === item.turn_id);
      const { turn_id, conversation_id, kind } = item;
      const record = kept || { key: turn_id, kind, turn_id, conversation_id, reply: '', reasoning: '', asked_at: item.time };
      this._resume(record, view);
    } else if (item.status === 'failed') {
      view.reply = item.reply;
      view.fail(null, again);
      client().turn(item.turn_id).then(({ error }) => error && view.fail({ ...error, message: error.msg }, again), () => {});
    } else view.finish(item, again);
    return view;
  }

  /** Questions that were sent when the page was left, and of whose turns nothing is known. */
  _resumeUnseen() {
    const isMine = (record) => record.kind === this.kind && record.conversation_id === this.id;
    for (const record of unfinished().filter((one) => !one.turn_id && isMine(one))) this._show(record);
  }

  /** Show a question that has no turn yet, and send it. */
  _show(record) {
    const { body, kind } = record;
    const isImage = kind === 'image';
    const content = isImage ? contentOf(body.prompt, body.images || []) : body.messages[body.messages.length - 1].content;
    const view = new TurnView({ content, kind, time: record.asked_at });
    view.asked = isImage ? { n: body.n, size: body.size } : {};
    this._transcript.append(view);
    this._resume(record, view);
  }

  _resume(record, view) {
    view.start(record.kind === 'image' ? record.body || {} : null);
    view.showReasoning(record.reasoning);
    if (record.reply) view.showReply(record.reply);
    const turn = send(record);
    if (!record.turn_id) record.key = turn.key;
    keep(record);
    this._follow(turn, record, view);
  }

  async _follow(turn, record, view) {
    this._following.set(view, turn);
    this._onChange();
    const again = () => this._askAgain(view);
    try {
      for await (const event of turn) this._take(event, turn, record, view);
      const answer = await turn;
      forget(record);
      view.finish({ time: record.asked_at, ...answer }, again);
      announce(`${t('answered')} ${answer.reply ? answer.reply.slice(0, 200) : ''}`);
    } catch (error) {
      if (error.type === 'aborted') return;
      // Out of reach for long: to ask on costs nothing. Anything else is the service's word, and final.
      const isLost = error.code === -1;
      if (!isLost) forget(record);
      view.fail(error, isLost ? () => this._resume(record, view) : again);
    } finally {
      this._following.delete(view);
      this._onChange();
      this._onTurn();
    }
  }

  _take(event, turn, record, view) {
    if (event.type === 'start') this._started(event, record);
    else if (event.type === 'delta') view.showReply(event.reply);
    else if (event.type === 'reasoning') view.showReasoning(turn.reasoning);
    else if (event.type === 'recall') view.recall();
    else if (event.type === 'retry') view.showWaiting(event.error);
    if (event.type === 'done') return;
    const { turn_id, after, reply, reasoning } = turn;
    keep(Object.assign(record, { turn_id, after, reply, reasoning }));
  }

  _started({ turn_id, conversation_id }, record) {
    this._shown.add(turn_id);
    if (conversation_id) record.conversation_id = conversation_id;
    if (record.kind === 'chat' && this.kind === 'chat' && !this.id) {
      this.id = conversation_id;
      this._onMoved();
    }
    this._onTurn();
    tell({ type: 'turn', turn_id, kind: record.kind, conversation_id: record.conversation_id });
  }

  async _askAgain(view) {
    const { kind, content, text, asked } = view;
    if (kind !== this.kind) {
      // A picture that was found among the chats: pictures are asked for where they are together.
      await this.open(null, kind);
      this._onMoved();
    }
    const images = picturesOf(content);
    if (kind === 'image') this.ask({ prompt: text, ...asked, ...chosenModel(), ...(images.length ? { images } : {}) });
    else this.ask({ messages: [{ role: 'user', content: contentOf(text, images) }], ...chosenModel() });
  }
}

/** A message's content. */
export function contentOf(text, images) {
  if (!images.length) return text;
  const parts = images.map((url) => ({ type: 'image_url', image_url: { url } }));
  return text ? [{ type: 'text', text }, ...parts] : parts;
}

export function chosenModel() {
  return preferences.model ? { model: preferences.model } : {};
}

function send({ key, kind, body, turn_id, after, reply, reasoning }) {
  if (turn_id) return client().attach(turn_id, { after, reply, reasoning, stream: kind === 'chat' });
  return kind === 'image' ? client().image(body, { key }) : client().chat(body, { key });
}
