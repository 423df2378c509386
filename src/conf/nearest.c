/* The known name that a mistyped one most likely means: fewest edits, where an edit is a letter too
 * much, too few, another one, or two neighbours swapped. Case does not count. */
#include "base/span.h"
#include "conf/call.h"

enum { LONGEST_NAME = 64 };

/* Short words have too many neighbours to guess. */
static unsigned most_edits(size_t len)
{
    if (len < 3)
        return 0;
    if (len < 5)
        return 1;
    return len < 9 ? 2 : (unsigned)len / 3;
}

static unsigned min_of(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

static bool same_letter(struct span a, size_t i, struct span b, size_t j)
{
    return ascii_lower(a.at[i]) == ascii_lower(b.at[j]);
}

/* One cell of the table: edits from the first i letters of a to the first j of b. */
static unsigned cell(unsigned char rows[3][LONGEST_NAME + 1], size_t i, size_t j, struct span a,
                     struct span b)
{
    unsigned char *old = rows[(i + 1) % 3], *up = rows[(i + 2) % 3], *here = rows[i % 3];
    unsigned least = min_of(up[j] + 1u, here[j - 1] + 1u);

    least = min_of(least, up[j - 1] + !same_letter(a, i - 1, b, j - 1));
    if (i > 1 && j > 1 && same_letter(a, i - 1, b, j - 2) && same_letter(a, i - 2, b, j - 1))
        least = min_of(least, old[j - 2] + 1u);
    return least;
}

static unsigned count_edits(struct span a, struct span b)
{
    unsigned char rows[3][LONGEST_NAME + 1];

    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = (unsigned char)j;
    for (size_t i = 1; i <= a.len; i++) {
        rows[i % 3][0] = (unsigned char)i;
        for (size_t j = 1; j <= b.len; j++)
            rows[i % 3][j] = (unsigned char)cell(rows, i, j, a, b);
    }
    return rows[a.len % 3][b.len];
}

struct span conf_nearest(struct span word, const struct span *names, size_t count)
{
    unsigned least = most_edits(word.len) + 1;
    struct span found = { NULL, 0 };

    if (word.len > LONGEST_NAME || word.len < 3)
        return found;
    for (size_t i = 0; i < count; i++) {
        size_t apart = names[i].len > word.len ? names[i].len - word.len : word.len - names[i].len;

        if (names[i].len > LONGEST_NAME || apart >= least)
            continue;
        unsigned edits = count_edits(word, names[i]);
        if (edits < least) {
            least = edits;
            found = names[i];
        }
    }
    return found;
}
