import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startTrial } from '../rollout/index.ts';
import { NO_TOTALS } from '../rollout/totals.ts';
import type { Totals } from '../rollout/index.ts';
import { HISTOGRAM_BOUNDS_MS } from '@sinter/contract';
import { documentOf, indexOf, partsOf } from './page.ts';
import { durationText, rateText, shareText, shownOf } from './figures.ts';
import { html } from './html.ts';
import type { Scene } from './scene.ts';
import { HASH, called, observed, planObject, ran, root, sceneOf } from './testScene.ts';

const part = (scene: Scene, id: string): string => partsOf(scene).find((p) => p.id === id)?.text ?? '';
const draw = (scene: Scene): string => documentOf(scene, [scene]);

describe('figures', () => {
  it('rates follow from root calls along the edges', () => {
    const scene = sceneOf(['a > b', 'b > c'], ['a', 'b', 'c'], {
      observations: observed({ roots: [root('a', 10)], edges: [called('a', 'b', 0.5), called('b', 'c', 3)] }),
    });
    const shown = shownOf(scene);
    assert.deepEqual(['a', 'b', 'c', 'd'].map(shown.rateOf), [10, 5, 15, undefined]);
    assert.equal(shown.edgeRateOf('b', 'c'), 15);
  });

  it('calls that enter by a queue count beside those that come along edges', () => {
    const scene = sceneOf(['a ~ b', 'b > c'], ['a', 'b', 'c'], {
      observations: observed({
        roots: [root('a', 10), root('b', 2, 'Async')],
        edges: [called('a', 'b'), called('b', 'c')],
      }),
    });
    assert.deepEqual(['a', 'b', 'c'].map(shownOf(scene).rateOf), [10, 12, 12]);
  });

  it('work that feeds itself has a rate all the same', () => {
    const observations = observed({ roots: [root('a', 1)], edges: [called('a', 'a', 1)] });
    assert.equal(shownOf(sceneOf(['a ~ a'], ['a'], { observations })).rateOf('a'), 64);
  });

  it('as people read them', () => {
    const texts = [
      durationText(0.0705),
      durationText(1.2345),
      durationText(2500),
      rateText(0.02),
      shareText(-0.1234),
    ];
    assert.deepEqual(texts, ['70.5\u00A0µs', '1.23\u00A0ms', '2.5\u00A0s', '1.2/min', '−12.3\u00A0%']);
  });
});

describe('the picture', () => {
  const scene = sceneOf(['a > b', 'a ~ c'], ['a+b', 'c'], {
    observations: observed({
      roots: [root('a', 10)],
      functions: [ran('a', 1.25)],
      edges: [called('a', 'b'), called('a', 'c')],
    }),
  });
  const picture = part(scene, 'picture');

  it('has every function, unit and edge as a link with its figures in words', () => {
    assert.match(picture, /aria-label="function a: calls enter here, js, 10\/s, 1.25\u00A0ms CPU"/);
    assert.match(picture, /aria-label="unit of a, b: 500m CPU, 128Mi"/);
    assert.match(picture, /aria-label="edge a to b: in-process, 10\/s, 70\u00A0µs on the way"/);
    assert.match(picture, /aria-label="edge a to c: queue, 10\/s, 2.5\u00A0ms on the way"/);
  });

  it('leads to details that are there, and each id is there once', () => {
    const text = draw(scene);
    const ids = [...text.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id);
    assert.deepEqual(ids, [...new Set(ids)]);
    const targets = [...text.matchAll(/href="#([^"]*)"/g)].map(([, id]) => id);
    assert.ok(targets.length > 10);
    assert.deepEqual(
      targets.filter((id) => !ids.includes(id)),
      [],
    );
  });

  it('without a plan, without figures and without functions there is a page all the same', () => {
    assert.match(draw({ ...scene, current: '', plans: [] }), /Nothing runs yet/);
    assert.match(draw(sceneOf([], [])), /No call has come in yet/);
  });
});

describe('the comparison', () => {
  const totals = (bucket: number): Totals => {
    const counts = HISTOGRAM_BOUNDS_MS.map(() => 0);
    counts[bucket] = 200;
    return { ...NO_TOTALS, calls: 200, counts };
  };
  const tried = { ...startTrial('Plan', { hash: 'fedcba9876', units: [] }, HASH, 0), weightPercent: 20 };
  const trial = {
    ...tried,
    phase: 'Comparing' as const,
    totals: { current: totals(30), candidate: totals(20) },
  };
  const comparing = (interval: { low: number; high: number }): Scene => {
    const scene = sceneOf(['a > b'], ['a', 'b']);
    const candidate = planObject('fedcba9876', [['a', 'b']], scene.graph.edges, {
      sequence: 2,
      state: 'Candidate',
    });
    return {
      ...scene,
      plans: [...scene.plans, candidate],
      trial: { trial, verdict: 'Pending', reason: 'NotEnoughCalls', interval },
    };
  };

  it('says who is compared, at which weight, what was measured and how sure that is', () => {
    const text = part(comparing({ low: Math.log(0.8), high: Math.log(1.05) }), 'trial').replace(/\s+/g, ' ');
    assert.match(text, /value="20"/);
    assert.match(text, /fedcba9876/);
    assert.match(text, /between <b>−20.0 %<\/b> and <b>\+5.0 %<\/b>/);
    assert.match(text, /Pending/);
    assert.match(text, /class="better"\s*>\s*−8\d/);
    assert.match(text, /<li>a \+ b<\/li>/);
  });

  it('says that it cannot tell yet', () => {
    const text = part(comparing({ low: -Infinity, high: Infinity }), 'trial');
    assert.match(text, /Too few calls to tell yet/);
    assert.doesNotMatch(text, /Infinity|NaN/);
  });

  it('is not there where nothing is compared', () => {
    assert.equal(part(sceneOf(['a > b'], ['a', 'b']), 'trial'), '');
  });
});

describe('plans', () => {
  it('newest first, with state, verdict, reasons and what became of them', () => {
    const scene = sceneOf([], ['a']);
    const [first] = scene.plans;
    assert.ok(first);
    const decision = {
      about: 'orders',
      kind: 'Rollout' as const,
      choice: 'a',
      reason: 'BetterFound',
      message: 'less latency',
      margin: '31 %',
      inputs: [],
      alternatives: [],
    };
    const second = {
      ...planObject('fedcba9876', [['a']], [], {
        sequence: 2,
        state: 'Retired' as const,
        comparison: {
          verdict: 'Worse' as const,
          message: 'between +3 % and +9 %',
          current: { rootP50: '12 ms', calls: 1234 },
          candidate: { rootP50: '13 ms', calls: 56 },
        },
      }),
    };
    const news = [{ atMs: 0, kind: 'Withdrawn', hash: 'fedcba9876', message: 'it was slower' }];
    const plans = [first, { ...second, spec: { ...second.spec, decisions: [decision] } }];
    const text = part({ ...scene, plans, news }, 'plans');
    assert.ok(text.indexOf('fedcba9876') < text.indexOf(HASH));
    for (const said of [
      'Retired',
      'Worse',
      'between +3 % and +9 %',
      'it was slower',
      'BetterFound',
      'by 31 %',
      '00:00:00',
      '12 ms',
      '1,234',
    ])
      assert.ok(text.includes(said), said);
  });
});

describe('what others wrote', () => {
  const evil = `"><script>alert(1)</script><img src=x onerror='alert(2)'>&\u0000\u202E`;

  it('is text wherever it comes from', () => {
    const [plan] = sceneOf([], ['a']).plans;
    assert.ok(plan);
    const decisions = [
      {
        about: 'a',
        kind: 'Size' as const,
        choice: evil,
        reason: evil,
        message: evil,
        margin: evil,
        inputs: [],
        alternatives: [{ choice: evil, reason: evil, margin: evil }],
      },
    ];
    const scene: Scene = {
      ...sceneOf([`${evil} > a`, `a > ${evil}`], ['a', evil]),
      namespace: evil,
      workflow: evil,
      planRef: evil,
      news: [{ atMs: 0, kind: evil, hash: HASH, message: evil }],
      findings: [
        {
          severity: 'Error',
          reason: evil,
          object: { kind: 'Function', namespace: evil, name: evil },
          field: evil,
          given: evil,
          message: evil,
        },
      ],
      observations: observed({
        roots: [root(evil, 1)],
        functions: [ran(evil, 1)],
        edges: [called('a', evil)],
      }),
    };
    const [first] = scene.plans;
    assert.ok(first);
    const spec = { ...first.spec, decisions };
    const status = { sequence: 1, comparison: { verdict: 'Worse' as const, message: evil } };
    const text = documentOf({ ...scene, plans: [{ ...first, spec, status }] }, [
      scene,
      { namespace: evil, workflow: 'x' },
    ]);
    assert.doesNotMatch(text, /<script>|<img|onerror='/);
    assert.doesNotMatch(text, /[\u0000\u202E]/);
    assert.equal(text.match(/<script/g)?.length, 1, 'the own script alone');
    assert.ok(text.includes('&quot;&gt;&lt;script&gt;'));
    assert.doesNotMatch(indexOf([{ namespace: evil, workflow: evil }]), /<img/);
  });

  it('cannot leave an attribute or a template', () => {
    assert.equal(
      html`<a title="${'" onclick="x'}">${'<b>'}${html`<i>${['&', 1]}</i>`}</a>`.text,
      '<a title="&quot; onclick=&quot;x">&lt;b&gt;<i>&amp;1</i></a>',
    );
  });

  it('no style and no script stands in a document: its policy would refuse them', () => {
    const text = draw(sceneOf(['a > b'], ['a', 'b']));
    assert.doesNotMatch(text, / style=| on[a-z]+=|<style|javascript:/);
  });
});
