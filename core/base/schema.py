"""The database's history: each entry brings `PRAGMA user_version` one up. Entries are never edited."""

MIGRATIONS: tuple[str, ...] = (
    """
    CREATE TABLE library_items (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        title TEXT NOT NULL,
        repo TEXT,
        revision TEXT,
        path TEXT NOT NULL UNIQUE,
        size_bytes INTEGER NOT NULL,
        created_unix_s REAL NOT NULL,
        provenance TEXT NOT NULL
    ) STRICT;
    CREATE TABLE library_files (
        item_id TEXT NOT NULL REFERENCES library_items(id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        size_bytes INTEGER NOT NULL,
        sha256 TEXT,
        PRIMARY KEY (item_id, name)
    ) STRICT;
    CREATE TABLE boards (
        name TEXT PRIMARY KEY,
        host TEXT NOT NULL,
        port INTEGER NOT NULL,
        user TEXT NOT NULL,
        identity_file TEXT,
        store TEXT,
        sysroot TEXT NOT NULL DEFAULT '',
        identity TEXT,
        facts TEXT,
        added_unix_s REAL NOT NULL
    ) STRICT;
    CREATE TABLE toolkits (
        python TEXT PRIMARY KEY,
        version TEXT NOT NULL,
        simulated INTEGER NOT NULL,
        facts TEXT NOT NULL,
        added_unix_s REAL NOT NULL
    ) STRICT;
    """,
)
