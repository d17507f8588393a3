/** What a policy must be beyond the shape of its fields. Owns the table; `rule.ts` has the meaning of a row. */
import type { FusionGroup, OptimizationPolicySpec } from '../types.ts';
import { must, rulesAt, type Rule } from './rule.ts';

const KIND = ['OptimizationPolicy', 'ClusterOptimizationPolicy'] as const;

type Fusion = OptimizationPolicySpec['fusion'];

/** Whether two groups can speak of the same workflow and share a function. */
function overlap(g: FusionGroup, h: FusionGroup): boolean {
  const meet = g.workflow === h.workflow || g.workflow === '' || h.workflow === '';
  return meet && g.functions.some((name) => h.functions.includes(name));
}

/** Whether `g` comes before `h`. Each pair is looked at once, from its first: it halves the cost. */
const before = (g: FusionGroup, h: FusionGroup): boolean =>
  g.name < h.name || (g.name === h.name && g.workflow < h.workflow);

const OVERLAP =
  '(g.name < h.name || (g.name == h.name && g.workflow < h.workflow)) && ' +
  "(g.workflow == h.workflow || g.workflow == '' || h.workflow == '') && sets.intersects(g.functions, h.functions)";

const fusionRules = rulesAt<Fusion>(KIND, 'spec.fusion', [
  {
    name: 'GroupsWithoutManual',
    rule: "self.mode == 'Manual' || size(self.groups) == 0",
    given: 'self.mode',
    message: "must be 'Manual' when `groups` are specified: set `mode: Manual` or remove the groups",
    find: ({ mode, groups }) => must(mode === 'Manual' || groups.length === 0, mode, 'mode'),
  },
  {
    name: 'GroupsOverlap',
    rule: `self.groups.all(g, !self.groups.exists(h, ${OVERLAP}))`,
    given: `self.groups.filter(g, self.groups.exists(h, ${OVERLAP}))[0].name`,
    message:
      'must not share a function with another group of the same workflow (a group without `workflow` is in every ' +
      'one): a function is in one process; remove it from one group',
    find: ({ groups }) =>
      groups.flatMap((g, i) => {
        const shares = groups.some((h) => before(g, h) && overlap(g, h));
        return must(!shares, g.name, 'groups', i, 'functions');
      }),
  },
]);

const deferralRules = rulesAt<OptimizationPolicySpec['deferral']>(KIND, 'spec.deferral', [
  {
    name: 'BusyNotAboveIdle',
    rule: 'self.busyAbovePercent > self.idleBelowPercent',
    given: 'string(self.busyAbovePercent)',
    message:
      'must be a `busyAbovePercent` above `idleBelowPercent`: with less, a machine would be busy and idle at once; ' +
      'raise the one or lower the other',
    find: ({ busyAbovePercent, idleBelowPercent }) =>
      must(busyAbovePercent > idleBelowPercent, busyAbovePercent, 'busyAbovePercent'),
  },
]);

export const policyRules: readonly Rule[] = [...fusionRules, ...deferralRules];
