import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RE2JS } from '@bufbuild/re2';
import { Ajv } from 'ajv';
import { crdOf, schemaWithRules, strictJsonSchema } from './crd.ts';
import { CRD_BYTES_MAX, differences, generatedFiles } from './generate.ts';
import { KINDS, type Kind } from './kinds.ts';
import { lintStructural } from './lint.ts';
import { PATTERNS } from './schema/parts.ts';
import type { Structural } from './structural.ts';
import { ruleCosts } from './testing/cost.ts';
import { aPolicy, aWorkflow, anEdge } from './testing/builders.ts';

/** Every schema below and including one, with its path. */
function* nodes(schema: Structural, path = ''): Generator<readonly [string, Structural]> {
  yield [path, schema];
  for (const [name, field] of Object.entries(schema.properties ?? {})) yield* nodes(field, `${path}.${name}`);
  if (schema.items) yield* nodes(schema.items, `${path}[]`);
  if (schema.additionalProperties) yield* nodes(schema.additionalProperties, `${path}[*]`);
}

const kindOf = (name: string): Kind => {
  const kind = KINDS.find((one) => one.kind === name);
  assert.ok(kind);
  return kind;
};

describe('generated files', () => {
  it('are what the schemas say: run `node crds/src/generate.ts` and commit', () => {
    assert.deepEqual(differences(), []);
  });

  it('come out the same twice', () => {
    assert.deepEqual([...generatedFiles()], [...generatedFiles()]);
  });

  it('fit into the annotation of a client-side apply', () => {
    for (const [path, text] of generatedFiles()) assert.ok(Buffer.byteLength(text) < CRD_BYTES_MAX, path);
  });

  it('quote what YAML 1.1 would take for a boolean', () => {
    const workflows = [...generatedFiles()].find(([path]) => path.endsWith('_workflows.yaml'))?.[1] ?? '';
    assert.match(workflows, /^ +"on":$/m);
    assert.doesNotMatch(workflows, /^ +(on|off|yes|no|y|n):$/m);
  });
});

describe('CRDs', () => {
  for (const kind of KINDS) {
    it(`${kind.kind} is structural`, () => {
      assert.deepEqual(lintStructural(schemaWithRules(kind)), []);
    });

    it(`${kind.kind} has patterns that RE2 compiles and sentences for them`, () => {
      for (const [path, { pattern }] of nodes(schemaWithRules(kind))) {
        if (pattern === undefined) continue;
        assert.doesNotThrow(() => new RE2JS(pattern), path);
        assert.ok(PATTERNS[pattern], `${path} has a pattern without a sentence: ${pattern}`);
      }
    });

    it(`${kind.kind} has rules within the API server's budget`, () => {
      const costs = ruleCosts(schemaWithRules(kind));
      for (const { path, rule, total, message } of costs) {
        assert.ok(total <= 10_000_000, `${path}: ${rule} costs ${total}`);
        assert.ok(message <= 10_000_000, `${path}: the message of ${rule} costs ${message}`);
      }
      const whole = costs.reduce((sum, one) => sum + one.total + one.message, 0);
      assert.ok(whole <= 100_000_000, `all together ${whole}`);
    });

    it(`${kind.kind} shows columns that read fields that are there`, () => {
      const paths = new Set([...nodes(schemaWithRules(kind))].map(([path]) => path));
      for (const { name, jsonPath } of kind.columns) {
        const plain = jsonPath.replace(/\[\?\(.*?\)\]/, '[]');
        assert.ok(paths.has(plain) || plain === '.metadata.creationTimestamp', `${name} reads ${jsonPath}`);
      }
      for (const path of kind.selectable) assert.ok(paths.has(path), path);
      for (const path of Object.values(kind.scale ?? {})) assert.ok(paths.has(path), path);
    });
  }

  it('have the names, columns and subresources that the API promises', () => {
    const columns = (kind: string, wide: boolean) =>
      kindOf(kind)
        .columns.filter((one) => (one.wide ?? false) === wide)
        .map((one) => one.name.toUpperCase())
        .join(' ');
    assert.deepEqual(
      KINDS.map((kind) => `${kind.plural} ${kind.shortNames.join(',')}`),
      [
        'functions sfn',
        'workflows swf',
        'optimizationpolicies sop',
        'clusteroptimizationpolicies scop',
        'workflowplans swp',
      ],
    );
    assert.equal(columns('Workflow', false), 'PLAN UNITS READY REASON AGE');
    assert.equal(columns('Workflow', true), 'RUNTIMES CHANNELS MESSAGE');
    assert.equal(columns('Function', false), 'ARTIFACTS WORKFLOWS UNIT INSTANCES READY REASON');
    assert.equal(columns('WorkflowPlan', false), 'WORKFLOW SEQUENCE STATE GAIN AGE');
    for (const kind of KINDS) {
      const text = JSON.stringify(crdOf(kind));
      assert.match(text, /"categories":\["sinter"\]/);
      assert.match(text, /"subresources":\{"status":\{\}/);
      assert.equal(text.includes('"scale":{'), kind.kind === 'Function');
    }
  });

  it('give objects with rules a default that the rules can be tried on', () => {
    for (const kind of KINDS) {
      for (const [path, schema] of nodes(schemaWithRules(kind))) {
        if (schema['x-kubernetes-validations'] === undefined || schema.default === undefined) continue;
        const missing = Object.entries(schema.properties ?? {})
          .filter(([, field]) => field.default !== undefined)
          .filter(([name]) => (schema.default as Record<string, unknown>)[name] === undefined);
        assert.deepEqual(
          missing,
          [],
          `${kind.kind}${path}: the default leaves out fields that rules may read`,
        );
      }
    }
  });
});

describe('the cost estimate', () => {
  const list = (rule: string, maxItems?: number): Structural => ({
    type: 'object',
    properties: {
      names: {
        type: 'array',
        items: { type: 'string', maxLength: 40 },
        ...(maxItems === undefined ? {} : { maxItems }),
      },
    },
    'x-kubernetes-validations': [{ rule, message: 'must', messageExpression: "'x' + string(1)" }],
  });

  it('grows with the square of a list that is searched for each of its items', () => {
    const [ten] = ruleCosts(list('self.names.all(a, self.names.exists(b, a == b))', 10));
    const [hundred] = ruleCosts(list('self.names.all(a, self.names.exists(b, a == b))', 100));
    assert.ok(ten && hundred);
    assert.ok(hundred.total / ten.total > 80 && hundred.total / ten.total < 120);
  });

  it('is infinite without bounds, and for a concatenation of unknown size', () => {
    const [cost] = ruleCosts(list('self.names.all(a, a == a)'));
    assert.deepEqual([cost?.total, cost?.message], [Infinity, Infinity]);
  });

  it('multiplies by the lists that the rule stands in', () => {
    const inner = list('size(self.names) > 0', 10);
    const outer: Structural = {
      type: 'object',
      properties: { all: { type: 'array', maxItems: 7, items: inner } },
    };
    assert.equal(ruleCosts(outer)[0]?.total, 7 * (ruleCosts(inner)[0]?.total ?? 0));
  });
});

describe('JSON Schemas', () => {
  const check = (kind: string) =>
    new Ajv({ strict: false, validateFormats: false }).compile(strictJsonSchema(kindOf(kind)));

  it('accept what users write', () => {
    assert.ok(check('Workflow')(aWorkflow()));
    assert.ok(check('OptimizationPolicy')(aPolicy()));
  });

  it('refuse unknown fields, at the root too', () => {
    assert.ok(!check('Workflow')(anEdge({ retries: 1 })));
    assert.ok(!check('Workflow')({ ...aWorkflow(), spce: {} }));
  });

  it('refuse another kind and another version', () => {
    assert.ok(!check('Workflow')({ ...aWorkflow(), kind: 'Function' }));
    assert.ok(!check('Workflow')({ ...aWorkflow(), apiVersion: 'sinter.dev/v1' }));
  });
});
