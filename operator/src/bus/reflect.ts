/**
 * What the container inside `@peculiar/x509` asks of the runtime: metadata of classes. The library demands a polyfill of a
 * proposal for decorators and uses these three functions of it. Must be imported before the library.
 */
type Metadata = Map<unknown, unknown>;

const kept = new WeakMap<object, Metadata>();

const metadataOf = (target: object): Metadata => {
  const found = kept.get(target) ?? new Map<unknown, unknown>();
  kept.set(target, found);
  return found;
};

const read = (key: unknown, target: object): unknown => kept.get(target)?.get(key);

const FUNCTIONS = {
  defineMetadata: (key: unknown, value: unknown, target: object): void => {
    metadataOf(target).set(key, value);
  },
  getMetadata: read,
  getOwnMetadata: read,
};

for (const [name, value] of Object.entries(FUNCTIONS))
  if (!(name in Reflect)) Object.defineProperty(Reflect, name, { value, configurable: true, writable: true });
