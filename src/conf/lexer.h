#ifndef CONF_LEXER_H
#define CONF_LEXER_H

#include "base/span.h"
#include "conf/directive.h"
#include "conf/settings.h"

/* What ends the words that lexer_next read. */
enum lexed {
    LEXED_LINE,  /* `;` */
    LEXED_OPEN,  /* `{` */
    LEXED_CLOSE, /* `}` where a directive could begin: no words */
    LEXED_END,   /* of the text: no words */
    LEXED_BAD    /* the fault says what: note it, then lexer_resync */
};

enum { LONGEST_WORD = 4096, MOST_WORDS = ANY_ARGS, LEXER_FAULT = 96 };

struct lexer_fault {
    char text[LEXER_FAULT];
    struct place place;
    struct place opened; /* of a quote that nobody closed; line 0: none */
    bool at_end;         /* the text ended too early */
};

/* Raw, from `#` on, without the line's end. */
struct lexer_comments {
    struct span above;  /* the lines right above the words */
    struct span within; /* between the words */
    struct span after;  /* behind the end of the line before: belongs to that */
};

/* Over one text, which must outlive the words. */
struct lexer {
    const char *at;
    const char *end;
    const char *line_start;
    uint32_t line;
    uint16_t file;
    bool is_parameter;       /* the text of -g */
    struct arena *arena;     /* for words with escapes */
    struct conf_word *words; /* room for MOST_WORDS; the caller's */
    unsigned count;
    uint32_t ended_line;   /* where the last directive or block ended */
    uint32_t comment_line; /* of the last line of comments.above */
    struct lexer_comments comments;
    struct lexer_fault fault;
};

/* A byte order mark is skipped. `first_line` 0: the text is no file's, its words have no place. */
void lexer_init(struct lexer *l, struct span text, uint16_t file, uint32_t first_line);
/* The words of the next directive, good until the next call. */
enum lexed lexer_next(struct lexer *l);
/* After a fault: passes what follows up to `;` or `{`, or stops before `}`. Which of them; 0: the
 * end. */
char lexer_resync(struct lexer *l);
struct place lexer_place(const struct lexer *l); /* where it stands */

#endif
