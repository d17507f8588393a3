/**
 * The chart as Helm renders it, for tests.
 *
 * Owns: finding helm (SINTER_HELM, PATH, the testbed's cache) and turning its output into objects.
 */
import { execFile } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { parseAllDocuments } from 'yaml';

export const CHART = resolve(import.meta.dirname, '../../helm/sinter');
export const NAMESPACE = 'sinter-system';

type Words = Readonly<Record<string, string>>;

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly labels: Words;
  readonly annotations: Readonly<Record<string, string | undefined>>;
}

export interface EnvVar {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: { readonly secretKeyRef?: { readonly name: string; readonly key: string } };
}

export interface Container {
  readonly image: string;
  readonly command: readonly string[];
  readonly env: readonly EnvVar[];
  readonly ports?: readonly { readonly name: string; readonly hostPort?: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly resources: { readonly requests: Words; readonly limits: Words };
}

export interface PodSpec {
  readonly containers: readonly [Container];
  readonly securityContext: {
    readonly runAsNonRoot: boolean;
    readonly seccompProfile: { readonly type: string };
  };
  readonly volumes?: readonly { readonly name: string; readonly secret?: { readonly secretName: string } }[];
}

export interface Pod {
  readonly metadata: Metadata;
  readonly spec: PodSpec;
}

interface Selector {
  readonly matchLabels: Words;
}

/** What a container, a Service or a Role is told; a kind without a field has it `undefined` in truth. */
export interface Rendered {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly spec: {
    readonly template: Pod;
    readonly selector: Selector;
    readonly podSelector: Selector;
    readonly policyTypes: readonly string[];
    readonly ingress: readonly { readonly ports: readonly { readonly port: number }[] }[];
    readonly names: { readonly plural: string };
    readonly groups: readonly [
      { readonly rules: readonly { readonly expr: string; readonly annotations: Words }[] },
    ];
  };
  readonly data: Words;
  readonly rules: readonly Rule[];
}

export interface Rule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** A Service, whose fields are named as others' but are something else. */
export interface Service {
  readonly metadata: Metadata;
  readonly spec: { readonly selector: Words; readonly ports: readonly { readonly targetPort: string }[] };
}

export interface HelmRun {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function findHelm(): string | undefined {
  const { SINTER_HELM: named, PATH: path = '' } = process.env;
  if (named) return named;
  const folders = [...path.split(delimiter), join(homedir(), '.cache/sinter-testbed/bin')];
  return folders.map((folder) => join(folder, 'helm')).find(isExecutable);
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

export const helm = findHelm();

/** For `test(…, {skip: NO_HELM})`. */
export const NO_HELM = helm === undefined ? 'no helm on PATH; set SINTER_HELM' : false;

/** Runs helm; `input` is its standard input. */
export const runHelm = (args: readonly string[], input = ''): Promise<HelmRun> =>
  runProgram(helm ?? 'helm', args, input);

/** Runs a program to its end. Never rejects. */
export function runProgram(program: string, args: readonly string[], input = ''): Promise<HelmRun> {
  return new Promise((done) => {
    const child = execFile(program, args, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : 1, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** `helm template` with these values, anew; the text. Throws with Helm's words when it refuses. */
export async function renderText(values: object = {}): Promise<string> {
  const run = await template(values);
  if (run.code !== 0) throw new Error(run.stderr);
  return run.stdout;
}

export const template = (values: object): Promise<HelmRun> =>
  runHelm(
    ['template', 'sinter', CHART, '--namespace', NAMESPACE, '--values', '-', '--kube-version', '1.34.0'],
    JSON.stringify(values),
  );

const rendered = new Map<string, Promise<string>>();

/** The objects that these values make; rendered once for all tests of a file. */
export async function render(values: object = {}): Promise<readonly Rendered[]> {
  const key = JSON.stringify(values);
  const text = rendered.get(key) ?? renderText(values);
  rendered.set(key, text);
  return objectsIn(await text);
}

export function objectsIn(text: string): readonly Rendered[] {
  return parseAllDocuments(text, { version: '1.1' }).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw new Error(`${error.message}\nin: ${String(document).slice(0, 500)}`);
    const object = document.toJS() as Rendered | null;
    return object === null ? [] : [object];
  });
}

export const ofKind = (objects: readonly Rendered[], kind: string): readonly Rendered[] =>
  objects.filter((o) => o.kind === kind);

export const servicesOf = (objects: readonly Rendered[]): readonly Service[] =>
  ofKind(objects, 'Service') as unknown as readonly Service[];

/** The one object of this kind and name; throws when there is none. */
export function one(objects: readonly Rendered[], kind: string, name: string): Rendered {
  const found = ofKind(objects, kind).find((o) => o.metadata.name === name);
  if (found === undefined) throw new Error(`${kind} ${name} is not rendered`);
  return found;
}

/** The container of the one object of this kind and name that makes pods. */
export const containerOf = (objects: readonly Rendered[], kind: string, name: string): Container =>
  one(objects, kind, name).spec.template.spec.containers[0];

const MAKE_PODS = ['Deployment', 'StatefulSet', 'DaemonSet'];

/** Every object that makes pods, with the pod that it makes. */
export const podsOf = (
  objects: readonly Rendered[],
): readonly { readonly owner: Rendered; readonly pod: Pod }[] =>
  objects.flatMap((owner) => {
    if (owner.kind === 'Pod') return [{ owner, pod: owner as unknown as Pod }];
    return MAKE_PODS.includes(owner.kind) ? [{ owner, pod: owner.spec.template }] : [];
  });
