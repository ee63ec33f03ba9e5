-- What was generated for whom, as proof: hashes only, so that it may outlive what it speaks of.
CREATE TABLE audit (
    turn_id TEXT PRIMARY KEY,
    user_hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    question_hash TEXT NOT NULL,
    answer_hash TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE INDEX audit_by_time ON audit (created_at);
