/** The page of a workflow as text: HTML, SVG, stylesheet and script. */
export { documentOf, indexOf, partsOf } from './page.ts';
export type { Part } from './page.ts';
export { graphIn, policyIn } from './scene.ts';
export type * from './scene.ts';
export { SCRIPT } from './script.ts';
export { STYLE } from './style.ts';
