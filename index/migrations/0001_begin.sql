CREATE TABLE encodings (
    id INTEGER PRIMARY KEY,
    weights_id TEXT NOT NULL UNIQUE,
    weights_name TEXT NOT NULL,
    source TEXT NOT NULL,
    vocabulary TEXT NOT NULL,
    crop_size INTEGER NOT NULL,
    eye_y REAL NOT NULL,
    nose_distance REAL NOT NULL,
    dimension INTEGER NOT NULL
);

CREATE TABLE collection (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    token TEXT NOT NULL,
    encoding_id INTEGER NOT NULL REFERENCES encodings (id),
    detector TEXT NOT NULL,
    min_face INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    created TEXT NOT NULL
);

CREATE TABLE photos (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    path NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    content TEXT,
    status TEXT NOT NULL CHECK (status IN ('ok', 'skipped', 'forgotten')),
    reason TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    too_small INTEGER NOT NULL,
    min_face INTEGER NOT NULL
);

CREATE INDEX photos_by_size ON photos (size);

CREATE INDEX photos_by_content ON photos (content);

CREATE TABLE faces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    photo_id INTEGER NOT NULL REFERENCES photos (id) ON DELETE CASCADE,
    box_left REAL NOT NULL,
    box_top REAL NOT NULL,
    box_right REAL NOT NULL,
    box_bottom REAL NOT NULL,
    landmarks TEXT NOT NULL,
    score REAL NOT NULL
);

CREATE INDEX faces_by_photo ON faces (photo_id);

CREATE TABLE features (
    id INTEGER PRIMARY KEY,
    encoding_id INTEGER NOT NULL REFERENCES encodings (id),
    face_id INTEGER NOT NULL REFERENCES faces (id) ON DELETE CASCADE,
    estimates TEXT NOT NULL,
    canonical_distance REAL NOT NULL,
    crop BLOB NOT NULL,
    vector BLOB NOT NULL,
    UNIQUE (encoding_id, face_id)
);

CREATE INDEX features_by_face ON features (face_id);
