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
CRASH_POINT("checkpoint.triggered")        /* a barrier is on its way */
CRASH_POINT("checkpoint.acknowledged")     /* all steps have acknowledged, nothing is sealed */
CRASH_POINT("checkpoint.completed")        /* committed and tidied up; no sink knows */
CRASH_POINT("base.begun")                  /* the workers were asked for a new base */
CRASH_POINT("base.before_finish")          /* all rows are in its place, nothing is sealed or synced */
CRASH_POINT("base.before_sync")            /* the rows' directory is linked, not synced */
CRASH_POINT("base.finished")               /* whole and synced; no manifest names it */
CRASH_POINT("restore.chosen")              /* the checkpoint is chosen, leftovers are gone */
CRASH_POINT("restore.before_rows")         /* the last attempt's store is gone */
CRASH_POINT("restore.after_rows")          /* the base's rows are in its place */
CRASH_POINT("restore.before_file")         /* before each dump or delta that is read */
CRASH_POINT("restore.done")                /* a worker's state is back */
CRASH_POINT("journal.append")              /* before each frame */
CRASH_POINT("journal.before_seal")         /* before the end frame */
CRASH_POINT("journal.before_sync")         /* the end frame is written, nothing is synced */
CRASH_POINT("journal.after_sync")          /* sealed */
CRASH_POINT("sink.before_sync")            /* all records of the checkpoint are written, not synced */
CRASH_POINT("sink.after_sync")             /* they are synced; the names of new parts are not */
CRASH_POINT("sink.after_directory_sync")   /* the checkpoint is prepared; nobody was told */
CRASH_POINT("sink.after_mark")             /* the mark of what is going to be published is there */
CRASH_POINT("sink.before_rename")          /* before each part that gets its final name */
CRASH_POINT("sink.after_rename")           /* after each of them */
CRASH_POINT("sink.before_directory_sync")  /* all have their final names, not synced */
CRASH_POINT("sink.after_commit")           /* all is synced */
CRASH_POINT("recover.before_truncate")     /* the open part is about to be cut to its length in the checkpoint */
CRASH_POINT("recover.after_truncate")      /* it is cut and synced */
CRASH_POINT("recover.before_rename")       /* before each part that is published, withdrawn or taken back */
CRASH_POINT("recover.after_rename")        /* after each of them */
CRASH_POINT("recover.before_unlink")       /* before each part that no checkpoint knows is removed */
CRASH_POINT("recover.before_directory_sync") /* every part has its name, not synced */
CRASH_POINT("recover.before_run")          /* only the line of the new run is missing */
CRASH_POINT("recover.after_run")           /* recovered; nobody was told */
