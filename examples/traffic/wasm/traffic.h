/*
 * What the two C twins share: the input read whole, a small JSON reader, refusals, the sieve, the output.
 *
 * The host owns the process: input on stdin, output on stdout, a refusal on stderr and exit 1. There is no clock,
 * no file, no randomness and no allocation: every buffer is static, and its size is the limit.
 *
 * Invariants
 * 1. For every input that JSON.stringify writes, output and refusals equal those of functions/<name>.mjs, byte for
 *    byte. (Of other spellings of JSON, numbers like 5e3 and escapes in short texts are understood too; a refusal
 *    repeats what was given as it was spelled.)
 * 2. What is not JSON is refused, not guessed at.
 */
#ifndef TRAFFIC_H
#define TRAFFIC_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  INPUT_BYTES = 768 * 1024, /* the largest payload of any channel */
  OUTPUT_BYTES = 1024,      /* the longest output or refusal of both twins is below 400 */
  TEXT_BYTES = 64,          /* the longest text that a field may hold is 40 */
  DEPTH = 64,               /* objects and arrays inside one another */
  SIEVE_MAX = 1000000,
  SHOWN = 60, /* what was given is repeated up to so many characters */
};

/* A raw piece of the input; start is NULL where the field is missing. */
typedef struct {
  const char *start, *end;
} token;

static char input[INPUT_BYTES + 1];
static size_t input_length;

/* --- output ------------------------------------------------------------------------------------------------ */

static char output[OUTPUT_BYTES];
static size_t output_length;

static void put_bytes(const char *bytes, size_t length) {
  if (length > OUTPUT_BYTES - output_length) length = OUTPUT_BYTES - output_length;
  memcpy(output + output_length, bytes, length);
  output_length += length;
}

static void put(const char *text) { put_bytes(text, strlen(text)); }

static void put_number(int64_t number) {
  char digits[20];
  size_t at = sizeof digits;
  uint64_t left = number < 0 ? (uint64_t)-number : (uint64_t)number;
  do digits[--at] = (char)('0' + left % 10);
  while (left /= 10);
  if (number < 0) digits[--at] = '-';
  put_bytes(digits + at, sizeof digits - at);
}

static void put_bool(bool value) { put(value ? "true" : "false"); }

static void flush_to(int descriptor) {
  for (size_t done = 0; done < output_length;) {
    ssize_t written = write(descriptor, output + done, output_length - done);
    if (written <= 0) _Exit(2);
    done += (size_t)written;
  }
}

/* --- refusals ---------------------------------------------------------------------------------------------- */

/* Length as JavaScript counts it, in units of UTF-16, so that both twins shorten at the same place. */
static int64_t utf16_length(token given) {
  int64_t units = 0;
  for (const char *at = given.start; at < given.end; at++) {
    unsigned char byte = (unsigned char)*at;
    if ((byte & 0xc0) != 0x80) units += byte >= 0xf0 ? 2 : 1;
  }
  return units;
}

/* "<field>: given <given>; give ", after which the caller puts what is allowed and ends with refused(). */
static void refuse(const char *field, token given) {
  output_length = 0;
  put(field);
  if (!given.start) {
    put(": missing; give ");
    return;
  }
  put(": given ");
  int64_t length = utf16_length(given);
  if (length <= SHOWN) {
    put_bytes(given.start, (size_t)(given.end - given.start));
  } else {
    put("JSON of ");
    put_number(length);
    put(" characters");
  }
  put("; give ");
}

static _Noreturn void refused(void) {
  flush_to(STDERR_FILENO);
  _Exit(1);
}

static _Noreturn void refuse_with(const char *field, token given, const char *allowed) {
  refuse(field, given);
  put(allowed);
  refused();
}

static _Noreturn void not_json(const char *at, const char *why) {
  output_length = 0;
  put("input: ");
  put(why);
  put(" at byte ");
  put_number(at - input);
  put("; give JSON");
  refused();
}

/* --- reading ----------------------------------------------------------------------------------------------- */

static void read_input(void) {
  for (;;) {
    ssize_t got = read(STDIN_FILENO, input + input_length, INPUT_BYTES + 1 - input_length);
    if (got < 0) _Exit(2);
    if (got == 0) break;
    input_length += (size_t)got;
    if (input_length > INPUT_BYTES) not_json(input + INPUT_BYTES, "longer than 786432 bytes");
  }
  input[input_length] = 0; /* ends every scan: a NUL is in no JSON token */
}

static const char *skip_space(const char *at) {
  while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') at++;
  return at;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

static const char *skip_string(const char *at) {
  for (at++; *at != '"'; at++) {
    if ((unsigned char)*at < 0x20) not_json(at, "unended text");
    if (*at != '\\') continue;
    at++;
    if (*at == 'u') {
      for (int digit = 1; digit <= 4; digit++)
        if (hex_value(at[digit]) < 0) not_json(at, "bad escape");
      at += 4;
    } else if (!*at || !strchr("\"\\/bfnrt", *at)) {
      not_json(at, "bad escape");
    }
  }
  return at + 1;
}

static const char *skip_digits(const char *at) {
  if (!is_digit(*at)) not_json(at, "a digit is missing");
  while (is_digit(*at)) at++;
  return at;
}

static const char *skip_number(const char *at) {
  if (*at == '-') at++;
  at = *at == '0' ? at + 1 : skip_digits(at);
  if (*at == '.') at = skip_digits(at + 1);
  if (*at == 'e' || *at == 'E') {
    at++;
    if (*at == '+' || *at == '-') at++;
    at = skip_digits(at);
  }
  return at;
}

static const char *skip_word(const char *at, const char *word) {
  size_t length = strlen(word);
  if (strncmp(at, word, length) != 0) not_json(at, "no value");
  return at + length;
}

static const char *skip_value(const char *at, int depth);

/* Past a `"key":`, with the key in *key where that is wanted. */
static const char *skip_key(const char *at, token *key) {
  if (*at != '"') not_json(at, "a key is missing");
  key->start = at;
  key->end = at = skip_string(at);
  at = skip_space(at);
  if (*at != ':') not_json(at, "a colon is missing");
  return skip_space(at + 1);
}

/* Past an object or array whose first byte is at `at`. */
static const char *skip_container(const char *at, int depth) {
  char closing = *at == '{' ? '}' : ']';
  token key;
  if (depth == DEPTH) not_json(at, "nested deeper than 64");
  at = skip_space(at + 1);
  if (*at == closing) return at + 1;
  for (;;) {
    if (closing == '}') at = skip_key(at, &key);
    at = skip_space(skip_value(at, depth + 1));
    if (*at == closing) return at + 1;
    if (*at != ',') not_json(at, "a comma is missing");
    at = skip_space(at + 1);
  }
}

static const char *skip_value(const char *at, int depth) {
  switch (*at) {
    case '{':
    case '[':
      return skip_container(at, depth);
    case '"':
      return skip_string(at);
    case 't':
      return skip_word(at, "true");
    case 'f':
      return skip_word(at, "false");
    case 'n':
      return skip_word(at, "null");
    default:
      return skip_number(at);
  }
}

/*
 * Decodes a text into `into`, which has TEXT_BYTES. False when it is no text, too long, or not ASCII: no field of a
 * reading allows those, so the difference is never needed.
 */
static bool ascii_text(token given, char *into) {
  size_t length = 0;
  if (!given.start || *given.start != '"') return false;
  for (const char *at = given.start + 1; at < given.end - 1; at++) {
    int decoded = (unsigned char)*at;
    if (*at == '\\') {
      at++;
      const char *plain = strchr("b\bf\fn\nr\rt\t", *at);
      decoded = plain ? plain[1] : *at;
      if (*at == 'u') {
        decoded = 0;
        for (int digit = 1; digit <= 4; digit++) decoded = decoded * 16 + hex_value(at[digit]);
        at += 4;
      }
    }
    if (decoded == 0 || decoded > 0x7f || length == TEXT_BYTES - 1) return false;
    into[length++] = (char)decoded;
  }
  into[length] = 0;
  return true;
}

/* Checks that the whole input is one JSON object. Called once, before any field is asked for. */
static void read_object(void) {
  read_input();
  const char *start = skip_space(input);
  const char *end = skip_value(start, 0);
  if (skip_space(end) != input + input_length) not_json(skip_space(end), "more than one value");
  if (*start != '{') refuse_with("input", (token){start, end}, "a JSON object");
}

/* The last member of that name, as JSON.parse has it. */
static token field_of(const char *name) {
  token found = {NULL, NULL}, key;
  char decoded[TEXT_BYTES];
  const char *at = skip_space(skip_space(input) + 1);
  while (*at != '}') {
    const char *value = skip_key(at, &key);
    at = skip_value(value, 1);
    if (ascii_text(key, decoded) && strcmp(decoded, name) == 0) found = (token){value, at};
    at = skip_space(at);
    if (*at == ',') at = skip_space(at + 1);
  }
  return found;
}

/* The value of a number token when it is whole and below 10^15, else false. 5e3 and 50.0 are whole. */
static bool whole_value(token given, int64_t *value) {
  if (!given.start || (*given.start != '-' && !is_digit(*given.start))) return false;
  const int64_t most = 1000000000000000;
  int64_t number = 0, exponent = 0, written = 0;
  bool fraction = false, negative = *given.start == '-';
  const char *at = given.start + negative;
  for (; at < given.end && *at != 'e' && *at != 'E'; at++) {
    if (*at == '.') {
      fraction = true;
      continue;
    }
    if (number >= most / 10) return false;
    number = number * 10 + (*at - '0');
    exponent -= fraction;
  }
  if (at < given.end) {
    bool down = at[1] == '-';
    for (at += is_digit(at[1]) ? 1 : 2; at < given.end; at++)
      if (written < 1000) written = written * 10 + (*at - '0');
    exponent += down ? -written : written;
  }
  for (; exponent < 0 && number != 0; exponent++) {
    if (number % 10 != 0) return false;
    number /= 10;
  }
  for (; exponent > 0 && number != 0; exponent--) {
    if (number >= most / 10) return false;
    number *= 10;
  }
  *value = negative ? -number : number;
  return true;
}

static int64_t whole(const char *field, int64_t least, int64_t most) {
  token given = field_of(field);
  int64_t value;
  if (whole_value(given, &value) && value >= least && value <= most) return value;
  refuse(field, given);
  put("a whole number from ");
  put_number(least);
  put(" to ");
  put_number(most);
  refused();
}

/* A field whose text passes `fits`, decoded into `into` (TEXT_BYTES). */
static void text(const char *field, bool (*fits)(const char *), const char *allowed, char *into) {
  token given = field_of(field);
  if (!ascii_text(given, into) || !fits(into)) refuse_with(field, given, allowed);
}

/* --- the work ---------------------------------------------------------------------------------------------- */

typedef struct {
  int64_t primes, largest;
} sieved;

/* Sieve of Eratosthenes up to and including `limit`. */
static sieved sieve(int64_t limit) {
  static uint8_t composite[SIEVE_MAX + 1];
  sieved result = {0, 0};
  for (int64_t number = 2; number <= limit; number++) {
    if (composite[number]) continue;
    result.primes++;
    result.largest = number;
    for (int64_t multiple = number * number; multiple <= limit; multiple += number) composite[multiple] = 1;
  }
  return result;
}

#endif
