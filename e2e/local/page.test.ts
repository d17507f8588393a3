/**
 * The live page of a real run in a real browser: what there is to see, what comes by itself, keyboard, phone, no script.
 *
 * Skipped with the reason where no Chromium can be had.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readManifests } from '../../operator/src/local/manifests.ts';
import { Browser, findChromium } from '../chromium.ts';
import type { Page, View } from '../chromium.ts';
import { Load, withLab } from './harness.ts';
import type { Lab } from './harness.ts';
import type { RawObject } from '../../operator/src/local/run.ts';

const TRAFFIC = new URL('../../examples/traffic/', import.meta.url);
const DESK: View = { width: 1280, height: 900, reducedMotion: true };
const PHONE: View = { width: 375, height: 740, reducedMotion: true };

/** Links of the picture that is shown, by their kind: ids without the picture's name. */
const links = (kind: 'fn' | 'unit' | 'label'): string =>
  `[...document.querySelectorAll('svg.graph a.${kind}')].filter((a) => a.checkVisibility()).map((a) => a.id.replace(/^\\w+:/, ''))`;

/** The example, under the policy of this name; each is in the example. */
async function traffic(policy: 'apart' | 'grouped'): Promise<readonly RawObject[]> {
  const { objects } = await readManifests([fileURLToPath(TRAFFIC)]);
  return objects.map((object) =>
    object['kind'] === 'Workflow'
      ? { ...object, spec: { ...(object['spec'] as object), policyRef: { name: policy } } }
      : object,
  );
}

/** The page of a run of the example that has calls, in a browser. */
async function withPage(view: View, test: (page: Page, lab: Lab) => Promise<void>): Promise<void> {
  const reading = await readFile(new URL('reading.json', TRAFFIC), 'utf8');
  await withLab({ machines: 0 }, async (lab) => {
    await lab.apply(await traffic('apart'));
    const load = new Load({ perSecond: 5, most: 5_000, one: () => lab.call('/traffic', reading) });
    const browser = await Browser.start(chromium);
    try {
      const page = await browser.open(lab.run.page.url, view);
      await test(page, lab);
      assert.deepEqual(page.complaints, [], 'the browser complains of nothing, nor does its content policy');
    } finally {
      await browser.close();
      await load.stop();
    }
  });
}

/** Figures have come. */
const untilMeasured = (page: Page): Promise<unknown> =>
  page.until(
    'every edge has a rate and a latency',
    `[...document.querySelectorAll('svg.graph a.label')].every((a) => /\\d.*\\/(s|min), \\d/.test(a.textContent))`,
    60_000,
  );

/** Texts and boxes that stick out of the screen. */
const STICKING_OUT = `[...document.querySelectorAll('body *')]
  .filter((e) => e.checkVisibility() && !e.closest('defs') && e.className !== 'skip')
  .filter((e) => { const { left, right, width } = e.getBoundingClientRect(); return width > 0 && (left < -1 || right > innerWidth + 1); })
  .map((e) => e.outerHTML.slice(0, 120))`;

let chromium = '';
let obstacle: string | undefined;

function isObstructed(context: TestContext): boolean {
  if (obstacle !== undefined) context.skip(obstacle);
  return obstacle !== undefined;
}

describe('the live page', () => {
  before(async () => {
    const found = await findChromium();
    if ('path' in found) chromium = found.path;
    else ({ obstacle } = found);
  });

  it('shows functions in their units and edges with figures, and a change of plan as it comes', async (context) => {
    if (isObstructed(context)) return;
    await withPage(DESK, async (page, lab) => {
      await page.until('it is live', `document.getElementById('live').className === 'on'`);
      assert.equal((await page.value<string[]>(links('fn'))).length, 10);
      assert.equal((await page.value<string[]>(links('unit'))).length, 10);
      assert.equal((await page.value<string[]>(links('label'))).length, 10);
      await untilMeasured(page);
      assert.match(await page.value('document.getElementById("calls").textContent'), /ingest[^]*\d+\sms/);

      // Who stands at a function, and has unfolded a reason, is not disturbed by what comes.
      await page.value(`document.getElementById('wide:fn:check-sound').focus()`);
      await page.value(`document.querySelector('details').open = true`);
      await page.value(`document.body.dataset.same = 'yes'`);
      const applied = await lab.apply(await traffic('grouped'));
      await page.until('the new units are there', `${links('unit')}.length === 5`);
      await page.until(
        'the plan is named',
        `document.getElementById('status').textContent.includes('${applied.hash}')`,
      );
      assert.equal(await page.value('document.body.dataset.same'), 'yes', 'it is the same document');
      assert.equal(await page.value('document.activeElement.id'), 'wide:fn:check-sound');
      assert.equal(await page.value(`document.querySelectorAll('#plans > ol > li').length`), 2);
      assert.equal(await page.value(`document.querySelectorAll('details[open]').length`), 1);
      const inside = `(() => {
        const [unit, fn] = ['unit', 'fn'].map((kind) => document.querySelector('svg.wide a.' + kind + '[id$=":check-sound"] rect').getBoundingClientRect());
        return unit.left < fn.left && fn.right < unit.right && unit.top < fn.top && fn.bottom < unit.bottom; })()`;
      assert.equal(await page.value(inside), true, 'its unit is drawn around it');
    });
  });

  it('a keyboard reaches everything, and goes to details and back', async (context) => {
    if (isObstructed(context)) return;
    await withPage(DESK, async (page) => {
      await page.until('it is live', `document.getElementById('live').className === 'on'`);
      const all = (
        await Promise.all((['fn', 'unit', 'label'] as const).map((k) => page.value<string[]>(links(k))))
      ).flat();
      const reached = new Set<string>();
      const invisible: string[] = [];
      for (let i = 0; i < 80; i++) {
        await page.press('Tab');
        const [id = '', width = ''] = await page.value<string[]>(
          `(() => { const a = document.activeElement; const s = getComputedStyle(a.closest('svg') ? a.querySelector('rect') : a);
            return [a.id, a.closest('svg') ? s.strokeWidth : s.outlineWidth]; })()`,
        );
        if (width !== '3px') invisible.push(`${id} ${width}`);
        reached.add(id.replace(/^wide:/, ''));
        if (all.every((wanted) => reached.has(wanted))) break;
      }
      assert.deepEqual(
        all.filter((id) => !reached.has(id)),
        [],
      );
      assert.deepEqual(invisible, [], 'focus can be seen');

      for (const id of ['fn:detect-jam', 'unit:ingest', 'edge:ingest:check-air']) {
        await page.value(`document.getElementById('wide:${id}').focus()`);
        await page.press('Enter');
        await page.until('its details are shown', `document.getElementById('${id}').checkVisibility()`);
        assert.equal(await page.value('document.activeElement.id'), id);
        assert.equal(await page.value(`document.querySelectorAll('#details article:target').length`), 1);
        assert.match(await page.value(`document.getElementById('${id}').innerText`), /js|CPU|queue/);
        await page.press('Escape');
        assert.equal(await page.value('document.activeElement.id'), `wide:${id}`);
      }
    });
  });

  it('on a phone it is one column, and nothing sticks out, whatever is shown', async (context) => {
    if (isObstructed(context)) return;
    await withPage(PHONE, async (page, lab) => {
      await untilMeasured(page);
      assert.equal((await page.value<string[]>(links('fn'))).length, 10);
      const check = async (what: string): Promise<void> => {
        assert.equal(await page.value('document.documentElement.scrollWidth'), 375, what);
        assert.deepEqual(await page.value(STICKING_OUT), [], what);
      };
      await check('as it comes');
      await page.value(`document.querySelectorAll('details').forEach((d) => { d.open = true; })`);
      for (const id of [
        'fn:check-sound-accident',
        'unit:check-sound',
        'edge:check-sound:check-sound-accident',
      ]) {
        await page.value(`location.hash = '#${id}'`);
        await check(id);
      }
      await lab.apply(await traffic('grouped'));
      await page.until('the new units are there', `${links('unit')}.length === 5`);
      await check('after the change');
      const sizes = `[...document.querySelectorAll('svg.narrow text')].map((t) =>
        parseFloat(getComputedStyle(t).fontSize) * t.getScreenCTM().a)`;
      assert.ok(Math.min(...(await page.value<number[]>(sizes))) > 8.5, 'letters can be read');
    });
  });

  it('without scripts it is a picture, and details open all the same', async (context) => {
    if (isObstructed(context)) return;
    await withPage({ ...DESK, scriptless: true, dark: true }, async (page) => {
      assert.equal((await page.value<string[]>(links('fn'))).length, 10);
      assert.match(await page.value(`document.getElementById('live').textContent`), /load the page again/);
      await page.value(`document.getElementById('wide:fn:detect-jam').focus()`);
      await page.press('Enter');
      await page.until('its details are shown', `document.getElementById('fn:detect-jam').checkVisibility()`);
    });
  });
});
