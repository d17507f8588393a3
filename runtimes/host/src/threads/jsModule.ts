/**
 * Loads a function's ES module from text, without a file.
 *
 * Owns: resolution inside a function's thread. The text is given to Node by synchronous module hooks under a made-up
 * address, `file:///function/<name>.mjs`, so that stack traces read `count.mjs:12:3`. (A data: address would put the
 * whole module into every line of a trace; `vm.SourceTextModule` needs a flag of the process.) A module imports what is
 * built into Node and nothing else; `require` from `createRequire(import.meta.url)`, which bundlers add, works alike.
 */
import { isBuiltin, registerHooks } from 'node:module';
import { Script } from 'node:vm';
import { CallError } from '@sinter/contract';
import type { Handler } from '@sinter/contract';

const addressOf = (name: string): string => `file:///function/${name}.mjs`;

export async function loadHandler(name: string, source: Uint8Array): Promise<Handler> {
  const url = addressOf(name);
  install(url, source);
  let module: { readonly default?: unknown };
  try {
    module = (await import(url)) as { readonly default?: unknown };
  } catch (thrown) {
    throw notLoaded(name, described(thrown, url) + syntaxPlace(thrown, source), thrown);
  }
  const { default: handler } = module;
  if (typeof handler === 'function') return handler as Handler;
  throw notLoaded(
    name,
    handler === undefined
      ? `its module has no default export; write 'export default async (input, ctx) => …'` + namesOf(module)
      : `its default export is ${kindOf(handler)}, not a function; write 'export default async (input, ctx) => …'`,
  );
}

function install(url: string, source: Uint8Array): void {
  registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === url) return { url, format: 'module', shortCircuit: true };
      if (isBuiltin(specifier)) return next(specifier, context);
      throw new Error(
        `cannot import '${specifier}': a function is one module, and imports only what is built into Node ` +
          `(such as node:crypto); bundle what else it needs into it`,
      );
    },
    load: (address, context, next) =>
      address === url ? { format: 'module', source, shortCircuit: true } : next(address, context),
  });
}

const notLoaded = (name: string, why: string, cause?: unknown): CallError =>
  new CallError('FunctionFailed', `function '${name}' could not be loaded: ${why}`, {
    reason: 'LoadFailed',
    function: name,
    cause,
  });

function namesOf(module: object): string {
  const names = Object.keys(module);
  return names.length === 0 ? '' : ` (it exports ${names.join(', ')})`;
}

const kindOf = (value: unknown): string =>
  value === null ? 'null' : Array.isArray(value) ? 'a list' : `of type ${typeof value}`;

/** The error and, where its trace passes through the module, the first place there. */
function described(thrown: unknown, url: string): string {
  if (!(thrown instanceof Error)) return `it threw ${String(thrown)}`;
  const place = thrown.stack?.split('\n').find((line) => line.includes(url));
  return place === undefined ? String(thrown) : `${String(thrown)} (${place.trim()})`;
}

/**
 * Where a syntax error is. Node does not tell it of a module, but tells it of a script: so the text is read once more as
 * one, without its imports and exports, and the place is believed where the same error comes of it.
 */
function syntaxPlace(thrown: unknown, source: Uint8Array): string {
  if (!(thrown instanceof SyntaxError)) return '';
  try {
    const text = `async () => {${withoutModuleSyntax(new TextDecoder().decode(source))}\n}`;
    compileOnly(text);
  } catch (again) {
    const [place = '', line = ''] = again instanceof SyntaxError ? (again.stack?.split('\n') ?? []) : [];
    const number = /^x:(\d+)$/.exec(place)?.[1];
    const isSame = again instanceof SyntaxError && again.message === thrown.message;
    if (isSame && number !== undefined) return ` (line ${number}: ${line.trim().slice(0, 200)})`;
  }
  return '';
}

const compileOnly = (text: string): Script => new Script(text, { filename: 'x' });

/** Keeps every line where it is. */
const withoutModuleSyntax = (text: string): string =>
  text
    .replace(/^[ \t]*import\s(?:[^'"();]*?\sfrom\s*)?['"][^'"\n]*['"];?/gm, (all) =>
      all.replace(/[^\n]/g, ''),
    )
    .replace(/^[ \t]*export\s+default\s/gm, '_ = ')
    .replace(/^[ \t]*export\s+(?=const|let|var|async|function|class)/gm, '');
