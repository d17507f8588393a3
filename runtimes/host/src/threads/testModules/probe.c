/* A command for tests: the first word of its input says what to do, the rest is what to do it with. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static char input[1024 * 1024];
static size_t length;

static void out(const char *s) { write(1, s, strlen(s)); }
static void err(const char *s) { write(2, s, strlen(s)); }

static void number(unsigned long n) {
  char digits[24];
  char *at = digits + sizeof digits;
  do {
    *--at = (char)('0' + n % 10);
  } while ((n /= 10) != 0);
  write(1, at, (size_t)(digits + sizeof digits - at));
}

static void read_all(void) {
  ssize_t n;
  while (length < sizeof input - 1 && (n = read(0, input + length, sizeof input - 1 - length)) > 0)
    length += (size_t)n;
}

static const char *after(const char *word) {
  size_t n = strlen(word);
  if (strncmp(input, word, n) != 0 || (input[n] != ' ' && input[n] != 0)) return NULL;
  return input[n] == ' ' ? input + n + 1 : input + n;
}

/* Takes memory by 64 KiB and touches it until there is no more; says how many KiB there were. */
static char *volatile taken; /* or the compiler takes the memory for unused, and the allocation away */

static unsigned long take_all(void) {
  unsigned long kib = 0;
  for (; (taken = malloc(65536 - 64)) != NULL; kib += 64) memset(taken, 1, 65536 - 64);
  return kib;
}

static int deep(volatile int n) { return n == 0 ? 0 : 1 + deep(n - 1) + (n & 1); }

static int calls_before = 0;

int main(int argc, char **argv) {
  const char *rest;
  read_all();
  if ((rest = after("echo"))) write(1, rest, length - (size_t)(rest - input));
  else if ((rest = after("exit"))) { err("giving up\n"); exit(atoi(rest)); }
  else if ((rest = after("trap"))) { err("about to trap\n"); __builtin_trap(); }
  else if ((rest = after("divide"))) number((unsigned long)(100 / (unsigned)atoi(rest)));
  else if ((rest = after("outside"))) number((unsigned long)*(volatile char *)0xfffffff0u);
  else if ((rest = after("deep"))) number((unsigned long)deep(1 << 30));
  else if ((rest = after("loop"))) for (volatile int i = 0;; i++) {}
  else if ((rest = after("take"))) number(take_all());
  else if ((rest = after("need"))) { take_all(); err("out of memory\n"); abort(); }
  else if ((rest = after("flood"))) for (;;) write(1, input, sizeof input);
  else if ((rest = after("floodError"))) { for (int i = 0; i < 1000; i++) write(2, input, sizeof input); err("the end"); exit(1); }
  else if ((rest = after("note"))) { err(rest); out("noted"); }
  else if ((rest = after("env"))) { const char *v = getenv(rest); out(v ? v : "(none)"); }
  else if ((rest = after("args"))) { number((unsigned long)argc); out(" "); out(argv[0]); }
  else if ((rest = after("time"))) number((unsigned long)time(NULL));
  else if ((rest = after("sleep"))) {
    struct timespec a, b, wait = {0, atoi(rest) * 1000000L};
    clock_gettime(CLOCK_MONOTONIC, &a);
    nanosleep(&wait, NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    number((unsigned long)((b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000));
  }
  else if ((rest = after("random"))) { unsigned char r[70000]; getentropy(r, 256); unsigned long sum = 0; for (int i = 0; i < 256; i++) sum += r[i]; number(sum); }
  else if ((rest = after("file"))) { out(access("/etc/passwd", R_OK) == 0 ? "readable" : strerror(errno)); }
  else if ((rest = after("before"))) number((unsigned long)calls_before++);
  else if ((rest = after("badPointer"))) {
    struct { unsigned at, size; } iov = {0xfffffff0u, 1000};
    unsigned written;
    extern int raw_write(int, void *, int, unsigned *) __attribute__((import_module("wasi_snapshot_preview1"), import_name("fd_write")));
    number((unsigned long)raw_write(1, &iov, 1, &written));
  }
  else { out("unknown: "); write(1, input, length); }
  return 0;
}
