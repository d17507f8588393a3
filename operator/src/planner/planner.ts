/**
 * The planner: a Snapshot in, a Plan out. Same input, same bytes out.
 *
 * Owns: the order of choices (groups, then units, then channels) and what is refused with an Error. It neither awaits,
 * logs, reads a clock nor touches a network. Neighbours: one file for each kind of choice; `resources/` makes names and
 * hashes from what comes out.
 */
import { error } from '../model/finding.ts';
import type { Finding } from '../model/finding.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { chooseChannel } from './channels.ts';
import { choose } from './choice.ts';
import type { Choice } from './choice.ts';
import { decision, input, listText, predictedOf } from './decide.ts';
import { architecturesOf, commonMachines, factsOf, refusalOf } from './facts.ts';
import type { Facts } from './facts.ts';
import { connectedPairs, otherWays } from './compare.ts';
import { fusionDecision, mixedDecisions } from './fusion.ts';
import type { Decision, Plan, PlanUnit } from './plan.ts';
import { rolloutDecisions } from './outcome.ts';
import { isolationDecision, runtimeDecisions } from './runtimes.ts';
import { otherSizes } from './sizes.ts';
import { membersOf, placementDecision, sizeDecision, unitOfGroup } from './units.ts';

export function plan(snapshot: Snapshot): Plan {
  const facts = factsOf(snapshot);
  const choice = choose(facts);
  const units = choice.units.map(({ functions, resources }) =>
    unitOfGroup(functions, resources, choice.facts),
  );
  const others = otherWays(choice, facts);
  const channels = facts.edges.map((edge) => chooseChannel(edge, units, others, facts));
  return {
    namespace: snapshot.workflow.namespace,
    workflow: snapshot.workflow.name,
    units,
    channels: channels.map((c) => c.channel),
    decisions: [
      policyDecision(snapshot),
      ...rolloutDecisions(choice, facts),
      ...connectedPairs(facts).map((pair) => fusionDecision(pair, choice, others, facts)),
      ...mixedDecisions(choice, facts),
      ...units.flatMap((unit, i) => unitDecisions(unit, i, choice)),
      ...channels.map((c) => c.decision),
    ],
    findings: units.flatMap((unit) => unitFindings(unit, facts)),
    outcome: choice.outcome,
    ...(choice.scored ? { prediction: choice.scored.prediction } : {}),
    ...(choice.running.scored && snapshot.current ? { baseline: choice.running.scored.prediction } : {}),
  };
}

function unitDecisions(unit: PlanUnit, at: number, choice: Choice): readonly Decision[] {
  const { facts } = choice;
  const predicted = choice.scored && predictedOf(choice.scored.prediction);
  const members = membersOf(unit.functions, facts);
  return [
    ...members.flatMap((fn) => [
      ...runtimeDecisions(fn, unit.placement.architectures, facts),
      isolationDecision(
        fn,
        members.filter((m) => m !== fn),
        predicted,
      ),
    ]),
    ...(choice.units[at] ? [sizeDecision(unit, choice.units[at].size, otherSizes(at, choice), facts)] : []),
    placementDecision(unit, facts),
  ];
}

function policyDecision({ workflow, policy }: Snapshot): Decision {
  const messages = {
    PolicyRef: `the workflow names it (spec.policyRef)`,
    NamespaceDefault: `the workflow names none, and the namespace has one named 'default'`,
    ClusterDefault: `neither workflow nor namespace has one, and the cluster has one named 'default'`,
    BuiltIn: `there is no policy for the workflow, the namespace or the cluster: the defaults of the API hold`,
  };
  return decision({
    about: workflow.name,
    kind: 'Policy',
    choice: policy.name || 'built-in defaults',
    reason: policy.source,
    message: messages[policy.source],
    inputs: [input('mode', policy.spec.mode, 'policy'), input('objective', policy.spec.objective, 'policy')],
  });
}

/** A unit that can run nowhere: said before anything is started (D9). */
function unitFindings(unit: PlanUnit, facts: Facts): readonly Finding[] {
  const members = membersOf(unit.functions, facts);
  if (commonMachines(members, facts).length > 0) return [];
  return members.map((fn) => {
    const object = { kind: 'Function', namespace: facts.snapshot.workflow.namespace, name: fn.functionName };
    if (fn.artifacts.every((artifact) => refusalOf(artifact, fn, facts))) {
      const why = fn.artifacts.map((a) => `${a.name}: ${refusalOf(a, fn, facts)?.message ?? ''}`).join('; ');
      const says = `has no artifact that can be used now (${why}); add a JavaScript artifact from inline or configMap`;
      return error('NoUsableArtifact', { object, field: 'spec.artifacts', given: names(fn.artifacts) }, says);
    }
    if (architecturesOf(fn, facts).length === 0) {
      const says = `is allowed, but no artifact runs there; add an artifact for one of them or allow another`;
      const given = fn.spec.placement.architectures.join(', ');
      return error('NoCommonArchitecture', { object, field: 'spec.placement.architectures', given }, says);
    }
    const { tiers } = fn.spec.placement;
    const given = `${tiers.join(', ')}; ${architecturesOf(fn, facts).join(', ')}`;
    const says = `fits no machine; there are ${machinesText(facts)}: allow one of their tiers and architectures`;
    return error('NoMachine', { object, field: 'spec.placement', given }, says);
  });
}

const names = (list: readonly { readonly name: string }[]): string => list.map((a) => a.name).join(', ');

const machinesText = ({ snapshot: { machines } }: Facts): string =>
  listText(machines.map((m) => `${m.name} (${m.tier}, ${m.architecture})`));
