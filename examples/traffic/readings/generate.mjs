/**
 * Makes the recorded readings: 200 of ten roadside stations, 100 over a winter's day and 100 over a summer's, with
 * rush hours, jams, bangs, ice, heat and a few broken sensors among them.
 *
 * Without a seed, a clock or chance: every value follows from the number of the reading, so the committed files can
 * be made again, byte for byte. Run it to write readings.jsonl and ../reading.json.
 */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const COUNT = 200;
const STATIONS = ['A10', 'A100', 'A111', 'B1', 'B2', 'B5', 'B96', 'B96', 'L33', 'L76'];

/** A whole number from `least` to `most` for question `about` of reading `number` (FNV-1a, then mixed). */
const pick = (number, about, least, most) => {
  let value = 0x811c9dc5;
  for (const letter of `${about}/${number}`) value = Math.imul(value ^ letter.charCodeAt(0), 0x01000193);
  value ^= value >>> 15;
  value = Math.imul(value, 0x2c1b3c6d);
  value ^= value >>> 12;
  return least + ((value >>> 0) % (most - least + 1));
};

const twoDigits = (value) => String(value).padStart(2, '0');
const hex = (value) => value.toString(16).padStart(8, '0');

/** Vehicles a minute by the hour (UTC): two rush hours, a quiet night. */
const flowAt = (hour) => {
  if ((hour >= 6 && hour <= 8) || (hour >= 15 && hour <= 17)) return { least: 38, most: 70 };
  return hour < 5 || hour >= 21 ? { least: 0, most: 12 } : { least: 15, most: 40 };
};

/** What is out of the ordinary about a reading: every so many are, the rest is plain traffic. */
const incidentOf = (number) => {
  if (number % 41 === 0) return 'BrokenSensor';
  if (number % 17 === 0) return 'Bang';
  return number % 7 === 0 ? 'Jam' : 'None';
};

/** Speed falls from free flow as the road fills. */
const speedOf = (number, vehicles, incident) => {
  if (vehicles === 0) return 0;
  if (incident !== 'None') return pick(number, 'crawl', 2, 18);
  return Math.max(25, 95 - vehicles + pick(number, 'speed', -12, 12));
};

const readingOf = (number) => {
  const winter = number <= COUNT / 2;
  const minute = (((number - 1) % (COUNT / 2)) * 1440) / (COUNT / 2) + pick(number, 'minute', 0, 13);
  const hour = Math.floor(minute / 60);
  const incident = incidentOf(number);
  const station = number % STATIONS.length;
  const flow = flowAt(hour);
  const vehicles =
    incident === 'None' ? pick(number, 'flow', flow.least, flow.most) : pick(number, 'queue', 6, 40);
  const warm = hour >= 9 && hour < 18 ? 7 : 0;
  const broken = incident === 'BrokenSensor';
  const seconds = twoDigits(pick(number, 'second', 0, 59));
  return {
    sensor: `station-${twoDigits(station + 1)}`,
    road: STATIONS[station],
    at: `2024-${winter ? '01-16' : '07-18'}T${twoDigits(hour)}:${twoDigits(Math.floor(minute) % 60)}:${seconds}Z`,
    vehiclesPerMinute: vehicles,
    speedKmh: speedOf(number, vehicles, incident),
    temperatureC: broken ? -80 : (winter ? -4 : 21) + warm + pick(number, 'air', 0, 9),
    soundDb:
      incident === 'Bang'
        ? pick(number, 'bang', 96, 118)
        : 52 + pick(number, 'sound', 0, 22) + (vehicles >> 3),
    no2UgM3:
      12 + vehicles + (incident === 'Jam' ? pick(number, 'fumes', 40, 180) : pick(number, 'fumes', 0, 30)),
    image: broken
      ? '0000000000000000'
      : hex(pick(number, 'left', 0, 4294967294)) + hex(pick(number, 'right', 0, 4294967294)),
    sieve: pick(number, 'sieve', 10, 40) * 500,
    burn: pick(number, 'burn', 8, 24) * 100,
  };
};

export const readings = () => Array.from({ length: COUNT }, (_, at) => readingOf(at + 1));

/** The one that the README calls with: number 136, a bang in standing traffic. */
export const files = () => ({
  'readings/readings.jsonl': readings()
    .map((reading) => `${JSON.stringify(reading)}\n`)
    .join(''),
  'reading.json': `${JSON.stringify(readings()[135], null, 2)}\n`,
});

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, content] of Object.entries(files()))
    writeFileSync(new URL(`../${name}`, import.meta.url), content);
}
