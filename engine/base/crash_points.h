/*
 * The one list of places where a test may kill the process: where the floor
 * keeps its promise at that very moment only if the order of writes is right.
 * A point is added here by one line and passed by crash_point("the.name").
 */
CRASH_POINT("commit.before_manifest")      /* chk-n.tmp exists, empty */
CRASH_POINT("commit.after_manifest")       /* its manifest is written, not synced */
CRASH_POINT("commit.before_rename")        /* manifest and chk-n.tmp are synced */
CRASH_POINT("commit.after_rename")         /* chk-n has its name, not synced */
CRASH_POINT("commit.after_sync")           /* committed; nobody was told */
CRASH_POINT("retain.before_rename")        /* an old chk-n is about to go */
CRASH_POINT("retain.after_rename")         /* it is called chk-n.del */
CRASH_POINT("retain.after_manifest")       /* its manifest is unlinked, the directory is there */
CRASH_POINT("retain.before_files")         /* shared files are about to go */
CRASH_POINT("retain.between_files")        /* passed before each of them */
CRASH_POINT("tag.before_rename")           /* the new tags are written beside the old ones */
CRASH_POINT("tag.after_rename")            /* they took their place */
CRASH_POINT("journal.append")              /* before each frame */
CRASH_POINT("journal.before_seal")         /* before the end frame */
CRASH_POINT("journal.before_sync")         /* the end frame is written, nothing is synced */
CRASH_POINT("journal.after_sync")          /* sealed */
