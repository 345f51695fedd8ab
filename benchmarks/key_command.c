/* The cheapest AuthorizedKeysCommand there can be: prints one line that was compiled in. What a login costs with it is
   what sshd's asking costs, whoever answers. */
#include <unistd.h>

static const char line[] = LINE "\n";

int main(void) {
    return write(1, line, sizeof line - 1) == (ssize_t)(sizeof line - 1) ? 0 : 1;
}
