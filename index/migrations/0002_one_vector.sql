-- A face is one vector now, whose layout is described beside it.  The vectors of before cannot be searched
-- any more; crops and everything else stay, and a reindex makes the vectors anew.
ALTER TABLE encodings RENAME TO layouts;

ALTER TABLE layouts RENAME COLUMN weights_id TO digest;

ALTER TABLE layouts ADD COLUMN description TEXT NOT NULL DEFAULT '{}';

UPDATE layouts SET
    description = json_object('version', 1, 'encodings', json_array(json_object('source', source))),
    digest = 'before-' || digest,
    dimension = 0;

ALTER TABLE layouts DROP COLUMN weights_name;

ALTER TABLE layouts DROP COLUMN source;

ALTER TABLE layouts DROP COLUMN vocabulary;

ALTER TABLE collection RENAME COLUMN encoding_id TO layout_id;

-- hex_bytes and pack_landmarks (of JSON, to 32-bit floats) are the program's own.
DROP INDEX photos_by_content;

ALTER TABLE photos ADD COLUMN checksum BLOB;

UPDATE photos SET checksum = hex_bytes(content);

ALTER TABLE photos DROP COLUMN content;

ALTER TABLE photos RENAME COLUMN checksum TO content;

CREATE INDEX photos_by_content ON photos (content);

ALTER TABLE faces ADD COLUMN packed BLOB NOT NULL DEFAULT x'';

UPDATE faces SET packed = pack_landmarks(landmarks);

ALTER TABLE faces DROP COLUMN landmarks;

ALTER TABLE faces RENAME COLUMN packed TO landmarks;

-- One index, by face first: it finds the vectors of a face that is deleted, and lists the faces of a layout.
CREATE TABLE vectors (
    id INTEGER PRIMARY KEY,
    layout_id INTEGER NOT NULL REFERENCES layouts (id),
    face_id INTEGER NOT NULL REFERENCES faces (id) ON DELETE CASCADE,
    vector BLOB NOT NULL,
    UNIQUE (face_id, layout_id)
);

CREATE TABLE crops (
    id INTEGER PRIMARY KEY REFERENCES vectors (id) ON DELETE CASCADE,
    crop BLOB NOT NULL
);

INSERT INTO vectors SELECT id, encoding_id, face_id, x'' FROM features;

INSERT INTO crops SELECT id, crop FROM features;

DROP TABLE features;

UPDATE collection SET generation = generation + 1;
