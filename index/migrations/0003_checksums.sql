-- A checksum for each row, of its other values; the functions are the program's own.
ALTER TABLE collection ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

UPDATE collection SET
    checksum = collection_checksum(id, token, layout_id, detector, min_face, generation, created);

ALTER TABLE layouts ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

UPDATE layouts SET
    checksum = layout_checksum(id, digest, crop_size, eye_y, nose_distance, dimension, description);

ALTER TABLE photos ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

UPDATE photos SET
    checksum = photo_checksum(
        id, path, size, mtime_ns, content, status, reason, width, height, too_small, min_face
    );

ALTER TABLE faces ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

UPDATE faces SET
    checksum = face_checksum(id, photo_id, box_left, box_top, box_right, box_bottom, landmarks, score);

ALTER TABLE vectors ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

UPDATE vectors SET checksum = vector_checksum(id, layout_id, face_id, vector);

ALTER TABLE crops ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0;

UPDATE crops SET checksum = crop_checksum(id, crop);
