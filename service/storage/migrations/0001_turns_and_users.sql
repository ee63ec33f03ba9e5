CREATE TABLE turns (
    turn_id TEXT PRIMARY KEY,
    openid TEXT NOT NULL,
    conversation_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    messages TEXT NOT NULL,
    model TEXT NOT NULL,
    title TEXT NOT NULL,
    reply TEXT NOT NULL,
    reasoning TEXT NOT NULL,
    images TEXT NOT NULL,
    finish_reason TEXT,
    prompt_tokens BIGINT,
    completion_tokens BIGINT,
    error TEXT,
    notice TEXT,
    idempotency_key TEXT,
    fingerprint TEXT NOT NULL,
    reserved_tokens BIGINT NOT NULL,
    reserved_images BIGINT NOT NULL,
    day BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- One index serves the history page, a conversation's turns and the list of conversations: turn ids grow with time.
CREATE INDEX turns_by_user ON turns (openid, turn_id, conversation_id);

CREATE UNIQUE INDEX turns_by_idempotency_key ON turns (openid, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE INDEX turns_running ON turns (turn_id) WHERE status = 'running';

CREATE TABLE users (
    openid TEXT PRIMARY KEY,
    nickname TEXT NOT NULL DEFAULT '',
    avatar TEXT NOT NULL DEFAULT '',
    email TEXT NOT NULL DEFAULT '',
    created_at BIGINT NOT NULL,
    last_seen_at BIGINT NOT NULL,
    day BIGINT NOT NULL DEFAULT 0,
    day_turns BIGINT NOT NULL DEFAULT 0,
    day_tokens BIGINT NOT NULL DEFAULT 0,
    day_images BIGINT NOT NULL DEFAULT 0,
    total_turns BIGINT NOT NULL DEFAULT 0,
    total_tokens BIGINT NOT NULL DEFAULT 0,
    total_images BIGINT NOT NULL DEFAULT 0
);
