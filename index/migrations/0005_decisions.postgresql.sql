-- What people have said of faces: who they show, and who they do not.  Only ever added to.
CREATE TABLE decisions (
    id BIGSERIAL NOT NULL PRIMARY KEY,
    made VARCHAR NOT NULL,
    kind VARCHAR NOT NULL,
    details VARCHAR NOT NULL,
    checksum BIGINT NOT NULL
);
