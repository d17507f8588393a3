/*
 * CSA: was the noise an accident? Twin of functions/check-sound-accident.mjs, which says what is judged and why;
 * the fields are asked for in the same order, so that the first refusal is the same.
 */
#include "traffic.h"

/* A '0' of the shape stands for any digit, everything else for itself. */
static bool has_shape(const char *text, const char *shape) {
  for (; *shape; text++, shape++)
    if (*shape == '0' ? !is_digit(*text) : *text != *shape) return false;
  return *text == 0;
}

static bool is_second(const char *text) { return has_shape(text, "0000-00-00T00:00:00Z"); }

static bool is_road(const char *text) {
  if (*text < 'A' || *text > 'Z') return false;
  return has_shape(text + 1, "0") || has_shape(text + 1, "00") || has_shape(text + 1, "000");
}

/* FNV-1a, 32 bits, begun with hash_start. */
static const uint32_t hash_start = 0x811c9dc5;

static uint32_t hash_on(uint32_t value, const char *text) {
  for (; *text; text++) value = (value ^ (unsigned char)*text) * 0x01000193;
  return value;
}

static int64_t standing_behind(const char *road, const char *at, int64_t speed_kmh, int64_t vehicles_per_minute) {
  if (speed_kmh > 20) return 0;
  uint32_t key = hash_on(hash_on(hash_on(hash_on(hash_start, road), "|"), at), "|standing");
  int64_t queued = key % 16, passing = vehicles_per_minute * 3;
  return queued < passing ? queued : passing;
}

int main(void) {
  char road[TEXT_BYTES], at[TEXT_BYTES];
  read_object();
  text("road", is_road, "a road number like B96", road);
  text("at", is_second, "a UTC time to the second, like 2024-05-14T07:32:10Z", at);
  int64_t sound_db = whole("soundDb", 0, 160);
  int64_t speed_kmh = whole("speedKmh", 0, 250);
  int64_t vehicles_per_minute = whole("vehiclesPerMinute", 0, 300);
  sieved found = sieve(whole("sieve", 2, SIEVE_MAX));

  bool bang = sound_db >= 95;
  int64_t standing = standing_behind(road, at, speed_kmh, vehicles_per_minute);

  put("{\"road\":\"");
  put(road);
  put("\",\"bang\":");
  put_bool(bang);
  put(",\"standingVehicles\":");
  put_number(standing);
  put(",\"suspected\":");
  put_bool(bang && standing >= 3);
  put(",\"primes\":");
  put_number(found.primes);
  put("}");
  flush_to(STDOUT_FILENO);
  return 0;
}
