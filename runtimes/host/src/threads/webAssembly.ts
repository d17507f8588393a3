/** As much of WebAssembly as is used here, typed: its types come with those of browsers, which this project leaves out. */

declare const compiled: unique symbol;

/** Code that threads share. */
export interface Module {
  readonly [compiled]: true;
}

export interface Memory {
  readonly buffer: ArrayBuffer;
  /** By pages of 64 KiB; throws RangeError above the maximum. */
  grow(pages: number): number;
}

export interface Import {
  readonly module: string;
  readonly name: string;
  readonly kind: string;
}

export interface Instance {
  readonly exports: Readonly<Record<string, unknown>>;
}

interface Engine {
  compile(bytes: Uint8Array<ArrayBuffer>): Promise<Module>;
  readonly Module: {
    imports(module: Module): readonly Import[];
    exports(module: Module): readonly { readonly name: string; readonly kind: string }[];
  };
  readonly Instance: new (module: Module, imports: object) => Instance;
}

export const engine = (globalThis as unknown as { readonly WebAssembly: Engine }).WebAssembly;
