-- Files are named by their content: one file may be several users'.
CREATE TABLE files (
    name TEXT NOT NULL,
    openid TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (name, openid)
);

CREATE INDEX files_by_user ON files (openid);
