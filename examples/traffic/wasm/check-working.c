/*
 * CW: is the sensor still working? Twin of functions/check-working.mjs, which says what is judged and why; the
 * fields are asked for in the same order, so that the first refusal is the same.
 */
#include "traffic.h"

static bool is_sensor(const char *text) {
  size_t length = strlen(text);
  if (length < 1 || length > 40 || *text == '-') return false;
  for (; *text; text++)
    if (!is_digit(*text) && !(*text >= 'a' && *text <= 'z') && *text != '-') return false;
  return true;
}

static bool is_image(const char *text) {
  if (strlen(text) != 16) return false;
  for (; *text; text++)
    if (!is_digit(*text) && !(*text >= 'a' && *text <= 'f')) return false;
  return true;
}

static bool is_black(const char *image) { return strspn(image, "0") == strlen(image); }

static void put_fault(bool present, const char *name, int *faults) {
  if (!present) return;
  put((*faults)++ ? ",\"" : "\"");
  put(name);
  put("\"");
}

int main(void) {
  char sensor[TEXT_BYTES], image[TEXT_BYTES];
  read_object();
  text("sensor", is_sensor, "1 to 40 of a-z, 0-9 and -, not starting with -", sensor);
  text("image", is_image, "16 hexadecimal digits, the hash of the picture", image);
  int64_t temperature_c = whole("temperatureC", -90, 90);
  int64_t sound_db = whole("soundDb", 0, 160);
  int64_t vehicles_per_minute = whole("vehiclesPerMinute", 0, 300);
  int64_t speed_kmh = whole("speedKmh", 0, 250);
  sieved found = sieve(whole("sieve", 2, SIEVE_MAX));

  bool lens = is_black(image);
  bool thermometer = temperature_c < -40 || temperature_c > 60;
  bool microphone = sound_db < 20;
  bool radar = vehicles_per_minute == 0 && speed_kmh > 0;
  int faults = 0;

  put("{\"sensor\":\"");
  put(sensor);
  put("\",\"working\":");
  put_bool(!(lens || thermometer || microphone || radar));
  put(",\"faults\":[");
  put_fault(lens, "Lens", &faults);
  put_fault(thermometer, "Thermometer", &faults);
  put_fault(microphone, "Microphone", &faults);
  put_fault(radar, "Radar", &faults);
  put("],\"primes\":");
  put_number(found.primes);
  put(",\"largestPrime\":");
  put_number(found.largest);
  put("}");
  flush_to(STDOUT_FILENO);
  return 0;
}
