/**
 * What is wrong with manifests and objects, as lines for a person.
 *
 * Owns: the form `severity  where  message  (reason)`. The words are those of the finding.
 */
import { objectLabel } from '@sinter/operator/model/finding';
import type { Finding } from '@sinter/operator/model/finding';
import type { ManifestProblem } from '@sinter/operator/local/manifests';
import type { Colors } from '../terminal.ts';
import { plain } from '../terminal.ts';
import { hanging, middle, WIDTH } from './layout.ts';

type Severity = 'Error' | 'Notice';

export function problemLines(problem: ManifestProblem, colors: Colors): readonly string[] {
  const { file, line, severity, message, reason } = problem;
  return entry(severity, `${file}${line === undefined ? '' : `:${String(line)}`}`, message, reason, colors);
}

/** `at` is the file and line that the object came from. */
export function findingLines(finding: Finding, colors: Colors, at?: string): readonly string[] {
  const where = `${objectLabel(finding.object)}${at === undefined ? '' : ` (${at})`}`;
  return entry(finding.severity, where, finding.message, finding.reason, colors);
}

function entry(
  severity: Severity,
  where: string,
  message: string,
  reason: string,
  colors: Colors,
): readonly string[] {
  const paint = severity === 'Error' ? colors.red : colors.yellow;
  const word = severity.toLowerCase();
  const head = `${paint(word)} ${colors.bold(middle(plain(where), WIDTH - word.length - reason.length - 4))} ${colors.dim(`(${reason})`)}`;
  return [head, ...hanging('  ', plain(message))];
}
