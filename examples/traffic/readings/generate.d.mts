/** The 200 readings, in order. */
export declare const readings: () => readonly Readonly<Record<string, number | string>>[];
/** What running generate.mjs writes: content by file name, relative to the example. */
export declare const files: () => Readonly<Record<string, string>>;
