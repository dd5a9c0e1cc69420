-- What people have said of faces: who they show, and who they do not.  Only ever added to.
CREATE TABLE decisions (
    id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    made TEXT NOT NULL,
    kind TEXT NOT NULL,
    details TEXT NOT NULL,
    checksum INTEGER NOT NULL
);
