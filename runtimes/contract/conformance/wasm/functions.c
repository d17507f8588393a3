/*
 * The standard functions of the conformance suite as WASI preview 1 commands: input on stdin, output on stdout. One source,
 * one module for each function (-DFUNCTION=...), no libc. Built by build.sh; the modules are committed.
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define WASI(name) __attribute__((import_module("wasi_snapshot_preview1"), import_name(#name)))

struct slice { u8 *at; u32 length; };
/* A subscription to a clock: userdata, tag, clock, timeout and precision in nanoseconds, flags. */
struct subscription { u64 userdata; u64 tag; u32 clock; u32 pad; u64 timeout; u64 precision; u64 flags; };
struct event { u64 words[4]; };

WASI(fd_read) int fd_read(int fd, const struct slice *into, u32 count, u32 *read);
WASI(fd_write) int fd_write(int fd, const struct slice *from, u32 count, u32 *written);
WASI(poll_oneoff) int poll_oneoff(const struct subscription *in, struct event *out, u32 count, u32 *happened);
WASI(proc_exit) _Noreturn void proc_exit(int code);

/* The compiler makes calls of it out of initialisers and loops. */
void *memset(void *at, int value, unsigned long length) {
  for (volatile u8 *p = at; length > 0; length--) *p++ = (u8)value;
  return at;
}

static u8 input[1 << 20];

static u32 read_input(void) {
  u32 length = 0;
  for (;;) {
    struct slice rest = {input + length, sizeof input - length};
    u32 got = 0;
    if (rest.length == 0 || fd_read(0, &rest, 1, &got) != 0 || got == 0) return length;
    length += got;
  }
}

static void write_all(int fd, u8 *at, u32 length) {
  while (length > 0) {
    struct slice rest = {at, length};
    u32 written = 0;
    if (fd_write(fd, &rest, 1, &written) != 0 || written == 0) proc_exit(74);
    at += written;
    length -= written;
  }
}

/* Gives what it was given. */
__attribute__((unused)) static void echo(void) { write_all(1, input, read_input()); }

/* Says why on stderr and ends with 3. */
__attribute__((unused)) static void fail(void) {
  static u8 why[] = "no way, said the function\n";
  write_all(2, why, sizeof why - 1);
  proc_exit(3);
}

__attribute__((unused)) static void trap(void) { __builtin_trap(); }

/* Sleeps for as many milliseconds as the number in its input says, then gives the input. */
__attribute__((unused)) static void slow(void) {
  u32 length = read_input();
  u64 ms = 0;
  for (u32 i = 0; i < length; i++)
    if (input[i] >= '0' && input[i] <= '9') ms = ms * 10 + (input[i] - '0');
  struct subscription timer = {.tag = 0, .clock = 1, .timeout = ms * 1000000ull};
  struct event event;
  u32 happened;
  if (poll_oneoff(&timer, &event, 1, &happened) != 0) proc_exit(75);
  write_all(1, input, length);
}

/* Runs for ever, unless its input is empty. */
__attribute__((unused)) static void loop(void) {
  volatile u32 n = read_input();
  while (n != 0) {
  }
}

/* Writes as many bytes as the number in its input says. */
__attribute__((unused)) static void grow(void) {
  u32 length = read_input();
  u32 size = 0;
  for (u32 i = 0; i < length; i++)
    if (input[i] >= '0' && input[i] <= '9') size = size * 10 + (input[i] - '0');
  for (u32 i = 0; i < sizeof input; i++) input[i] = 7;
  write_all(1, input, size < sizeof input ? size : sizeof input);
}

/* Takes memory until there is none. */
__attribute__((unused)) static void hog(void) {
  while (__builtin_wasm_memory_grow(0, 16) != (u32)-1) {
  }
  __builtin_trap();
}

void _start(void) { FUNCTION(); }
