-- A deleted router's or network's scope stays for a while, so that its revision does not go back
-- under an agent that has not heard yet.
ALTER TABLE scopes ADD COLUMN gone_since TEXT;

-- Every host that ever had an agent: one whose last agent was forgotten still has to hear that its
-- duties went elsewhere.
CREATE TABLE known_hosts (
    host TEXT PRIMARY KEY
);
INSERT INTO known_hosts (host) SELECT DISTINCT host FROM agents;
