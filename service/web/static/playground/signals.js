/** What the tabs of one browser tell each other. */

const channel = 'BroadcastChannel' in window ? new BroadcastChannel('playground') : null;

/** Shape: { type: 'turn', conversation_id, turn_id, kind } or { type: 'cleared', conversation_id? } or { type: 'account' | 'profile' }. */
export function tell(signal) {
  if (channel) channel.postMessage(signal);
}

export function onSignal(listener) {
  if (channel) channel.onmessage = (event) => listener(event.data);
}
